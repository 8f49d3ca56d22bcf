//! `nfsprov setup-server`: makes hosts NFS servers for exports, and nodes their clients.
//!
//! All hosts are connected to at once, and each once. What has to be asked is asked before anything is changed.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Parser;
use futures::future::{join, join_all};

use super::clients::NodeAddresses;
use super::decision::{Decisions, ExportRequest, KnownExport, decide_exports, group_by_server};
use super::hosts::{ConnectedHost, apply_or_show, connect_and_gather, connect_and_gather_all};
use super::{config, proof};
use crate::cli::{self, Cli, Command, Global, SetupServer};
use crate::commands::confirm_or_fail;
use crate::commands::host_run::{HostReport, HostRequest, Report, Run, addresses_of_nodes, display_name};
use crate::exit::{Exit, UsageError};
use crate::host::exports_file::check_client;
use crate::host::{DesiredServer, Facts, Proof, Subject, Target, plan_client, plan_server, server_names};
use crate::output;

/// An export, with what its server's connection tells about it.
struct ConnectedExport {
    request: ExportRequest,
    /// The names by which clients may know the server, the best first.
    names: Vec<String>,
    /// Shares its connection with the other exports of the server.
    connected: Result<ConnectedHost, String>,
}

/// A node, which is to be a client of every export.
type ConnectedNode = (HostRequest, Result<ConnectedHost, String>);

/// Sets up the export of the command line, or with `--config` all of a file, and the nodes as clients. Then proves the
/// exports from this machine and the nodes. A run that only looks changes and proves nothing. Prints the reports of the
/// servers, one for each export, before those of the nodes; a host that fails has that in its report.
pub async fn run(args: SetupServer, global: &Global) -> Result<Exit> {
    let run = Run::new(&args.ssh, &args.run, global)?;
    let may_ask = !args.yes && !run.options.is_dry_run();
    let requests = match &args.config {
        Some(file) => read_requests(file, &args)?,
        None => vec![args],
    };
    let mut requests = group_by_server(requests).map_err(|why| UsageError(why.into()))?;
    complete_clients(&mut requests, may_ask, &run, global).await?;
    let (exports, nodes) = connect(requests, &run, global).await?;

    let known: Vec<KnownExport> = exports.iter().map(|export| known_before(export, &nodes)).collect();
    let decisions = decide_exports(&known).map_err(|why| UsageError(why.into()))?;
    tell_and_ask(&decisions, may_ask)?;

    let mut exports: Vec<_> = exports.into_iter().zip(decisions.desired).collect();
    let served = exports.chunk_by_mut(|(one, _), (next, _)| one.request.server == next.request.server);
    let served = served.map(|exports| serve_in_order(exports, &run));
    let client = |facts: &Facts| plan_client(facts, run.now);
    let prepared = nodes
        .iter()
        .map(|(node, connected)| apply_or_show(&node.target, "client", connected, client, &run));
    let (served, mut prepared) = join(join_all(served), join_all(prepared)).await;
    let mut served: Vec<HostReport> = served.into_iter().flatten().collect();
    if !run.options.is_dry_run() {
        prove(&exports, &mut served, &nodes, &mut prepared, &run).await;
    }
    served.append(&mut prepared);
    run.print_report(&Report { hosts: served }, global)
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

/// Asks for the clients of exports that have none, and with `--allow-nodes-from-cluster` adds the nodes' addresses.
async fn complete_clients(requests: &mut [ExportRequest], may_ask: bool, run: &Run, global: &Global) -> Result<()> {
    for ExportRequest { args, .. } in requests.iter_mut() {
        let names_nodes = !args.node.is_empty() || args.nodes_from_cluster || args.allow_nodes_from_cluster;
        if args.allow.is_empty() && !names_nodes {
            args.allow = vec![ask_for_client(&args.export)?];
        }
    }
    // With a configuration file, the option holds for all exports.
    if requests.iter().any(|request| request.args.allow_nodes_from_cluster) {
        let exports: Vec<&str> = requests.iter().map(|request| request.args.export.as_str()).collect();
        let addresses = confirmed_node_addresses(&exports.join(", "), may_ask, run, global).await?;
        for request in requests {
            request.args.allow.extend_from_slice(&addresses);
        }
    }
    Ok(())
}

/// Logs in to each server and node once, all at once, and gathers their facts. The nodes of the cluster are logged in to
/// as the user of the first server.
async fn connect(
    requests: Vec<ExportRequest>,
    run: &Run,
    global: &Global,
) -> Result<(Vec<ConnectedExport>, Vec<ConnectedNode>)> {
    let named: Vec<Target> = requests.iter().flat_map(|request| request.args.node.clone()).collect();
    let from_cluster = requests.iter().any(|request| request.args.nodes_from_cluster);
    let user = requests.first().and_then(|request| request.server.user.as_deref());
    let nodes = run.requested_hosts(&named, from_cluster, user, global).await?;
    let names_of = |request: &ExportRequest| match &request.args.address {
        Some(address) => vec![address.clone()],
        None => server_names(&request.server, &run.access),
    };
    let names: Vec<Vec<String>> = requests.iter().map(names_of).collect();
    let mut about_nodes = Subject::default();
    for name in names.iter().flatten() {
        if !about_nodes.servers.contains(name) {
            about_nodes.servers.push(name.clone());
        }
    }
    let servers = requests.chunk_by(|one, next| one.server == next.server);
    let (servers, connected) = run
        .or_stop(join(
            join_all(servers.map(|exports| connect_server(exports, run))),
            connect_and_gather_all(&nodes, run, &about_nodes),
        ))
        .await?;
    let exports = requests.into_iter().zip(names).zip(servers.into_iter().flatten());
    let exports = exports.map(|((request, names), connected)| ConnectedExport {
        request,
        names,
        connected,
    });
    Ok((exports.collect(), nodes.into_iter().zip(connected).collect()))
}

/// Logs in to a server, and gathers its facts about each of its exports on the same connection.
async fn connect_server(exports: &[ExportRequest], run: &Run) -> Vec<Result<ConnectedHost, String>> {
    let mut connected: Vec<Result<ConnectedHost, String>> = Vec::new();
    for export in exports {
        let subject = subject_of(&export.args);
        let next = match connected.first() {
            None => connect_and_gather(&export.server, run, &subject).await,
            Some(Ok(first)) => first.gather_about(&subject).await,
            Some(Err(why)) => Err(why.clone()),
        };
        connected.push(next);
    }
    connected
}

/// What to gather on a server about an export.
fn subject_of(args: &SetupServer) -> Subject {
    Subject {
        exports_file: Some(args.exports_file.clone()),
        directory: Some(args.export.clone()),
        servers: Vec::new(),
        quota: args.quota,
    }
}

fn known_before<'a>(export: &'a ConnectedExport, nodes: &[ConnectedNode]) -> KnownExport<'a> {
    KnownExport {
        request: &export.request,
        facts: export.connected.as_ref().ok().map(|connected| &connected.facts),
        nodes: nodes
            .iter()
            .map(|node| known_addresses_of(node, &export.names))
            .collect(),
    }
}

/// The addresses that are known of a node, by where each comes from, for a server of these names.
fn known_addresses_of((node, connected): &ConnectedNode, server_names: &[String]) -> NodeAddresses {
    let HostRequest { target, address } = node;
    let facts = connected.as_ref().ok().map(|connected| &connected.facts);
    NodeAddresses {
        name: display_name(target),
        is_connected: facts.is_some(),
        source: facts.and_then(|facts| facts.address_seen_by(server_names)),
        named: target.host.parse().ok().filter(|_| address.is_none()),
        written_by_kubelet: *address,
        own: facts.and_then(|facts| facts.addresses.first().copied()),
    }
}

/// Tells which nodes have no known address, and asks the questions one after the other; without a terminal, the first is
/// a usage error.
fn tell_and_ask(decisions: &Decisions, may_ask: bool) -> Result<()> {
    for node in &decisions.unknown_nodes {
        let why =
            "its address is unknown, so it keeps access only if it had it before; pass --allow ADDRESS to allow it";
        output::say(&format!("{node}: {why}"));
    }
    for question in decisions.questions.iter().filter(|_| may_ask) {
        confirm_or_fail(&question.text, "nothing was changed", &question.error)?;
    }
    Ok(())
}

/// Applies the plans of a server's exports in their order; returns a report for each.
async fn serve_in_order(exports: &mut [(ConnectedExport, DesiredServer)], run: &Run) -> Vec<HostReport> {
    let mut reports = Vec::new();
    for (index, (export, desired)) in exports.iter_mut().enumerate() {
        // The exports before may have changed the facts.
        let is_outdated = index > 0 && !run.options.is_dry_run() && !run.is_stopped();
        if let (Ok(connected), true) = (&export.connected, is_outdated) {
            export.connected = connected.gather_about(&subject_of(&export.request.args)).await;
        }
        let host = &export.request.server;
        if export.connected.is_ok() && desired.wanted.clients.is_empty() {
            let why = "no node could be reached, so the export would have no clients";
            reports.push(HostReport::not_connected(display_name(host), "server", why));
            continue;
        }
        let plan = |facts: &Facts| plan_server(facts, desired, run.now);
        reports.push(apply_or_show(host, "server", &export.connected, plan, run).await);
    }
    reports
}

/// Proves the exports that were set up, from this machine and on the nodes, all at once, and adds the results to the
/// reports. A node proves one export after the other.
async fn prove(
    exports: &[(ConnectedExport, DesiredServer)],
    served: &mut [HostReport],
    nodes: &[ConnectedNode],
    prepared: &mut [HostReport],
    run: &Run,
) {
    let served = exports.iter().zip(served);
    let served: Vec<_> = served.filter(|(_, report)| report.is_successful()).collect();
    let proofs: Vec<Proof> = served
        .iter()
        .map(|((export, desired), _)| proof_of(export, desired))
        .collect();
    let from_here = served.into_iter().map(|((export, desired), report)| async move {
        report.rows.extend(match run.is_stopped() {
            true => vec![proof::not_proved()],
            false => proof::prove_from_here(export.names.first(), &desired.wanted, desired.versions).await,
        });
    });
    let on_nodes = nodes
        .iter()
        .zip(prepared)
        .map(|((_, connected), report)| proof::prove_on_client(&proofs, connected.as_ref().ok(), report, run));
    join(join_all(from_here), join_all(on_nodes)).await;
}

/// What nodes are to prove of an export.
fn proof_of(export: &ConnectedExport, desired: &DesiredServer) -> Proof {
    // Where one network is meant, the other would be no proof.
    let addresses = export
        .connected
        .iter()
        .filter(|_| export.request.args.address.is_none())
        .flat_map(|connected| connected.facts.addresses.iter().map(ToString::to_string));
    Proof {
        servers: export.names.iter().cloned().chain(addresses).collect(),
        path: desired.wanted.path.clone(),
        versions: proof::versions_to_prove(desired.versions),
    }
}

/// Prints the InternalIPs of the cluster's nodes, and returns them after a confirmation: kubelets write these
/// addresses. Without `may_ask`, as for a run that only looks, it needs none. An error if the user declines, a usage
/// error without a terminal.
async fn confirmed_node_addresses(exports: &str, may_ask: bool, run: &Run, global: &Global) -> Result<Vec<String>> {
    let nodes = run.or_stop(addresses_of_nodes(global)).await??;
    let shown: Vec<String> = nodes
        .iter()
        .map(|(name, address)| format!("{name} {address}"))
        .collect();
    output::say(&format!("nodes of the cluster: {}", shown.join(", ")));
    if may_ask {
        let usage = "kubelets write the addresses of their nodes; --yes allows them without a question";
        let question = format!("Let these addresses mount {exports}?");
        confirm_or_fail(&question, "nothing was changed", usage)?;
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
    let answer = output::ask(&question, |answer| match check_client(answer) {
        Ok(()) => Ok(answer.to_owned()),
        Err(error) => Err(error.to_string()),
    });
    answer.context("nothing was changed")
}
