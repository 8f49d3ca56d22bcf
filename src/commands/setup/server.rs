//! `nfsprov setup-server`: makes a host an NFS server for an export, and nodes its clients.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Parser;
use futures::future::join_all;

use super::clients::{NodeAddresses, allowed_clients};
use super::hosts::{ConnectedHost, apply_or_show, connect_and_gather, connect_and_gather_all};
use super::{config, proof};
use crate::cli::{self, Cli, Command, Global, SetupServer};
use crate::commands::host_run::{HostReport, HostRequest, Report, Run, addresses_of_nodes, display_name};
use crate::exit::{Exit, UsageError};
use crate::host::exports_file::{self, ActiveExport, DesiredExport, OPTIONS, check_client};
use crate::host::{DesiredServer, Facts, Proof, Quota, Subject, Target, plan_client, plan_server, server_names};
use crate::output;

/// Sets up the export of the command line, or with `--config` all of a file, one after the other, and prints one
/// report. Ends at the first export that can't be begun, after the report of those before. After a signal, the exports
/// that are left are not begun, and not in the report.
pub async fn run(args: SetupServer, global: &Global) -> Result<Exit> {
    let run = Run::new(&args.ssh, &args.run, global)?;
    let requests = match &args.config {
        Some(file) => read_requests(file, &args)?,
        None => vec![args],
    };
    let mut report = Report::default();
    for request in requests.into_iter().take_while(|_| !run.is_stopped()) {
        match set_up_export(request, &run, global).await {
            Ok(hosts) => report.hosts.extend(hosts),
            // What was done for the exports before is reported first.
            Err(error) if !report.hosts.is_empty() => {
                run.print_report(&report, global)?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    run.print_report(&report, global)
}

/// A request for each export of a configuration file; `--yes`, the options for SSH, for the run and for the cluster's
/// nodes are those of the command line. A usage error if the file's form or a value in it is wrong.
fn read_requests(file: &Path, args: &SetupServer) -> Result<Vec<SetupServer>> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let lines = config::arguments_of(&text).map_err(|why| UsageError(format!("{name}: {why}").into()))?;
    let mut requests = Vec::new();
    for words in lines {
        let line = ["nfsprov", "setup-server"].map(str::to_owned).into_iter().chain(words);
        let parsed = Cli::try_parse_from(line).map_err(|error| {
            let why = cli::describe_usage_error(&error);
            UsageError(format!("{name}: {}", why.trim_start_matches("error: ")).into())
        })?;
        if let Command::SetupServer(request) = parsed.command {
            requests.push(SetupServer {
                nodes_from_cluster: args.nodes_from_cluster,
                allow_nodes_from_cluster: args.allow_nodes_from_cluster,
                yes: args.yes,
                run: args.run.clone(),
                ssh: args.ssh.clone(),
                ..request
            });
        }
    }
    Ok(requests)
}

/// Sets up one export on its server, and the nodes as its clients, in parallel; then, if the server's steps succeeded,
/// proves the export from this machine and the nodes. A run that only looks changes and proves nothing. Returns the
/// server's report first; a host that fails has that in its report. Asks for the clients if none are given, and before
/// clients lose access. An error means that nothing was changed for this export.
async fn set_up_export(mut args: SetupServer, run: &Run, global: &Global) -> Result<Vec<HostReport>> {
    let Some(host) = args.host.clone() else {
        return Err(UsageError("required: HOST".into()).into());
    };
    let names_nodes = !args.node.is_empty() || args.nodes_from_cluster || args.allow_nodes_from_cluster;
    if args.allow.is_empty() && !names_nodes {
        args.allow = vec![ask_for_client(&args.export)?];
    }
    if args.allow_nodes_from_cluster {
        let addresses = confirmed_node_addresses(&args, run, global).await?;
        args.allow.extend(addresses);
    }
    let nodes = run
        .requested_hosts(&args.node, args.nodes_from_cluster, host.user.as_deref(), global)
        .await?;

    let names = match &args.address {
        Some(address) => vec![address.clone()],
        None => server_names(&host, &run.access),
    };
    let subject = Subject {
        exports_file: Some(args.exports_file.clone()),
        directory: Some(args.export.clone()),
        servers: Vec::new(),
        quota: args.quota,
    };
    let about_nodes = Subject {
        servers: names.clone(),
        ..Subject::default()
    };
    let (server, connected) = run
        .or_stop(futures::future::join(
            connect_and_gather(&host, run, &subject),
            connect_and_gather_all(&nodes, run, &about_nodes),
        ))
        .await?;
    let answers: Vec<NodeAddresses> = nodes
        .iter()
        .zip(&connected)
        .map(|(asked, connected)| addresses_of_node(asked, connected))
        .collect();
    let own_before = own_exports_before(&args, server.as_ref().ok());
    let allowed_before: Vec<String> = own_before.iter().map(|export| export.client.clone()).collect();
    let clients = allowed_clients(&args.allow, &answers, args.address.is_some(), &allowed_before);
    let desired = DesiredServer {
        wanted: DesiredExport {
            path: args.export.clone(),
            clients: clients.allowed,
            options: options_for(&args, &own_before)?,
        },
        mode: args.mode,
        owner: args.owner.clone(),
        versions: args.nfs_version.into(),
        quota: match (args.quota, args.remount) {
            (false, _) => Quota::Unchanged,
            (true, false) => Quota::Live,
            (true, true) => Quota::Remount,
        },
    };
    for node in clients.unknown {
        let why =
            "its address is unknown, so it keeps access only if it had it before; pass --allow ADDRESS to allow it";
        output::say(&format!("{node}: {why}"));
    }
    confirm_dropped_clients(
        &args,
        &host,
        &exports_file::dropped_clients(&own_before, &desired.wanted),
    )?;
    let client = |facts: &Facts| plan_client(facts, run.now);
    let prepared = nodes.iter().zip(&connected);
    let prepared =
        join_all(prepared.map(|(asked, connected)| apply_or_show(&asked.target, "client", connected, client, run)));
    let served = async {
        if server.is_ok() && desired.wanted.clients.is_empty() {
            let why = "no node could be reached, so the export would have no clients";
            return HostReport::not_connected(display_name(&host), "server", why);
        }
        let plan = |facts: &Facts| plan_server(facts, &desired, run.now);
        apply_or_show(&host, "server", &server, plan, run).await
    };
    let (mut served, mut prepared) = futures::future::join(served, prepared).await;
    if !run.options.is_dry_run() && !run.is_stopped() && served.is_successful() {
        // Where one network is meant, the other would be no proof.
        let addresses = server
            .iter()
            .filter(|_| args.address.is_none())
            .flat_map(|connected| connected.facts.addresses.iter().map(ToString::to_string));
        let proof = Proof {
            servers: names.iter().cloned().chain(addresses).collect(),
            path: desired.wanted.path.clone(),
            versions: proof::versions_to_prove(desired.versions),
        };
        let proofs = connected
            .iter()
            .zip(&mut prepared)
            .map(|(connected, report)| proof::prove_on_client(&proof, connected.as_ref().ok(), report));
        let here = proof::prove_from_here(names.first(), &desired.wanted, desired.versions);
        let (here, _) = futures::future::join(here, join_all(proofs)).await;
        served.rows.extend(here);
    }
    let mut reports = vec![served];
    reports.append(&mut prepared);
    Ok(reports)
}

/// The addresses that are known of a node, by where each comes from.
fn addresses_of_node(asked: &HostRequest, connected: &Result<ConnectedHost, String>) -> NodeAddresses {
    let facts = connected.as_ref().ok().map(|connected| &connected.facts);
    NodeAddresses {
        name: display_name(&asked.target),
        is_connected: facts.is_some(),
        source: facts.and_then(|facts| Some(facts.routes.first()?.source)),
        named: asked.target.host.parse().ok().filter(|_| asked.address.is_none()),
        written_by_kubelet: asked.address,
        own: facts.and_then(|facts| facts.addresses.first().copied()),
    }
}

/// nfsprov's line for the export before the change, by clients; empty if there is none, the host was not reached, or
/// nfsprov's block in the file is damaged.
fn own_exports_before(args: &SetupServer, server: Option<&ConnectedHost>) -> Vec<ActiveExport> {
    let ours = server
        .and_then(|connected| exports_file::own_exports(connected.facts.exports.as_deref()?, &args.export).ok()?);
    ours.unwrap_or_default()
}

/// The options of the export: those of the command line, else those that nfsprov's line has already, else the defaults;
/// with `--root-squash`, root is squashed. A usage error if the clients of that line have different ones.
fn options_for(args: &SetupServer, own_before: &[ActiveExport]) -> Result<String> {
    let options = match (&args.options, exports_file::find_different_options(own_before)) {
        (Some(options), _) => options,
        (None, None) => own_before.first().map_or(OPTIONS, |export| &export.options),
        (None, Some((first, other))) => {
            let why = format!(
                "the clients of {} have different options, {} and {}; pass --options",
                args.export, first.options, other.options
            );
            return Err(UsageError(why.into()).into());
        }
    };
    Ok(match args.root_squash {
        true => with_root_squash(options),
        false => options.to_owned(),
    })
}

/// Asks whether clients that the export had before may lose it; an error if the user declines, a usage error without a
/// terminal. `--yes`, or a run that only looks, needs no answer.
fn confirm_dropped_clients(args: &SetupServer, host: &Target, dropped: &[String]) -> Result<()> {
    if dropped.is_empty() || args.yes || args.run.is_dry_run() {
        return Ok(());
    }
    let (export, clients) = (&args.export, dropped.join(", "));
    if !output::can_ask() {
        let why = format!(
            "{clients} would lose access to {export} on {}, since the command line does not name them: add --allow for \
             each, or confirm with --yes",
            host.host
        );
        return Err(UsageError(why.into()).into());
    }
    let question = format!(
        "No longer export {export} on {} to {clients}? They lose their mounts.",
        host.host
    );
    match output::confirm(&question)? {
        true => Ok(()),
        false => bail!("nothing was changed"),
    }
}

/// Prints the InternalIPs of the cluster's nodes, and returns them after a confirmation: kubelets write these
/// addresses. `--yes`, or a run that only looks, needs none. An error if the user declines, a usage error without a
/// terminal.
async fn confirmed_node_addresses(args: &SetupServer, run: &Run, global: &Global) -> Result<Vec<String>> {
    let nodes = run.or_stop(addresses_of_nodes(global)).await??;
    let shown: Vec<String> = nodes
        .iter()
        .map(|(name, address)| format!("{name} {address}"))
        .collect();
    output::say(&format!("nodes of the cluster: {}", shown.join(", ")));
    if !args.yes && !run.options.is_dry_run() {
        if !output::can_ask() {
            let why = "kubelets write the addresses of their nodes; --yes allows them without a question";
            return Err(UsageError(why.into()).into());
        }
        if !output::confirm(&format!("Let these addresses mount {}?", args.export))? {
            bail!("nothing was changed");
        }
    }
    Ok(nodes.into_iter().map(|(_, address)| address.to_string()).collect())
}

/// Asks who may mount the export until the answer is one valid client; a usage error without a terminal.
fn ask_for_client(export: &str) -> Result<String> {
    if !output::can_ask() {
        let why = "required: the clients that may mount the export: --node HOST, --nodes-from-cluster, or --allow CLIENT (the whole world is --allow '*')";
        return Err(UsageError(why.into()).into());
    }
    let question = format!("Who may mount {export} (address, network, host name, @netgroup, or * for all hosts)?");
    Ok(output::ask(&question, |answer| match check_client(answer) {
        Ok(()) => Ok(answer.to_owned()),
        Err(error) => Err(error.to_string()),
    })?)
}

/// The options with root_squash at the end, which they need not have had, and without no_root_squash.
fn with_root_squash(options: &str) -> String {
    let kept = options
        .split(',')
        .filter(|option| !matches!(*option, "no_root_squash" | "root_squash"));
    kept.chain(["root_squash"]).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stay_unless_the_command_line_names_others() {
        let request = |more: &str| {
            let line = format!("nfsprov setup-server nfs --allow 10.0.0.1 {more}");
            match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
                Command::SetupServer(request) => request,
                other => panic!("{other:?}"),
            }
        };
        let before = |options: &[&str]| -> Vec<ActiveExport> {
            let export = |options: &&str| ActiveExport {
                path: "/nfsdata".into(),
                client: "10.0.0.1".into(),
                options: (*options).to_owned(),
            };
            options.iter().map(export).collect()
        };
        for (more, had, expected) in [
            ("", &[][..], Some(OPTIONS)),
            ("", &["rw,root_squash"], Some("rw,root_squash")),
            ("", &["ro", "ro"], Some("ro")),
            ("", &["ro", "rw"], None),
            ("--options rw,sync", &["ro", "rw"], Some("rw,sync")),
            ("--root-squash", &["rw,no_root_squash"], Some("rw,root_squash")),
            ("--root-squash", &[], Some("rw,sync,no_subtree_check,root_squash")),
        ] {
            let options = options_for(&request(more), &before(had));
            assert_eq!(options.ok().as_deref(), expected, "{more} where it had {had:?}");
        }
    }

    #[test]
    fn root_is_squashed_once() {
        assert_eq!(with_root_squash("rw,sync,no_root_squash"), "rw,sync,root_squash");
        assert_eq!(with_root_squash("rw,root_squash"), "rw,root_squash");
    }
}
