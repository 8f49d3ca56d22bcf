//! `nfsprov setup-server`.

use anyhow::Result;
use futures::future::join_all;

use super::hosts::{Asked, Met, carry_out, meet, meet_all, name};
use super::report::{HostReport, Report};
use super::{Run, nodes_of_cluster, proof};
use crate::cli::{Global, SetupServer};
use crate::exit::{Exit, UsageError};
use crate::host::exports_file::{self, Wanted, check_client};
use crate::host::{Facts, Proof, Server, Subject, plan_client, plan_server, server_names};
use crate::output;

/// Runs `nfsprov setup-server`.
pub async fn run(mut args: SetupServer, global: &Global) -> Result<Exit> {
    if args.allow.is_empty() && args.node.is_empty() && !args.nodes_from_cluster {
        args.allow = vec![ask_whom(&args.export)?];
    }
    if args.root_squash {
        args.options = squashed(&args.options);
    }
    let run = Run::new(&args.ssh, &args.run, global)?;
    let named = args.node.iter().cloned().map(|target| Asked { target, address: None });
    let mut nodes: Vec<Asked> = named.collect();
    if args.nodes_from_cluster {
        let user = args.host.user.as_deref();
        nodes.extend(run.or_stop(nodes_of_cluster(global, user)).await??);
    }
    nodes.dedup_by(|one, other| one.target == other.target);

    let names = server_names(&args.host, &run.access);
    let subject = Subject {
        exports_file: Some(args.exports_file.clone()),
        directory: Some(args.export.clone()),
        servers: Vec::new(),
    };
    let about_nodes = Subject {
        servers: names.clone(),
        ..Subject::default()
    };
    let (server, met) = run
        .or_stop(futures::future::join(
            meet(&args.host, &run, &subject),
            meet_all(&nodes, &run, &about_nodes),
        ))
        .await?;
    let (clients, remarks) = clients(&args, &nodes, &met, server.as_ref().ok());
    let wish = Server {
        wanted: Wanted {
            path: args.export.clone(),
            clients,
            options: args.options.clone(),
        },
        mode: args.mode,
        owner: args.owner.clone(),
        versions: args.nfs_version.into(),
    };
    for remark in remarks {
        output::say(&format!("{}: {remark}", name(&args.host)));
    }
    let client = |facts: &Facts| plan_client(facts, run.now);
    let prepared = nodes.iter().zip(&met);
    let prepared = join_all(prepared.map(|(asked, met)| carry_out(&asked.target, "client", met, client, &run)));
    let served = async {
        if server.is_ok() && wish.wanted.clients.is_empty() {
            let why = "no node could be reached, so nobody is known who may mount the export";
            return HostReport::unreached(name(&args.host), "server", why);
        }
        let plan = |facts: &Facts| plan_server(facts, &wish, run.now);
        carry_out(&args.host, "server", &server, plan, &run).await
    };
    let (served, mut prepared) = futures::future::join(served, prepared).await;
    let mut report = Report { hosts: vec![served] };
    if !run.options.looks_only() && !run.stopped() && report.hosts[0].well() {
        let addresses = server
            .iter()
            .flat_map(|met| met.facts.addresses.iter().map(ToString::to_string));
        let proof = Proof {
            servers: names.into_iter().chain(addresses).collect(),
            path: wish.wanted.path.clone(),
            versions: proof::versions(wish.versions),
        };
        let proofs = met
            .iter()
            .zip(&mut prepared)
            .map(|(met, report)| proof::on_client(&proof, met.as_ref().ok(), report));
        let here = proof::from_here(&args.host, &wish.wanted, wish.versions, &run);
        let (here, _) = futures::future::join(here, join_all(proofs)).await;
        report.hosts[0].rows.extend(here);
    }
    report.hosts.append(&mut prepared);
    run.end(&report, global)
}

/// Who may mount the export: those who were named, and the nodes, each by the address that it has on its way to the
/// server. Those of a node that can't be asked now are kept: that it is down is no reason to lock it out.
fn clients(
    args: &SetupServer,
    nodes: &[Asked],
    met: &[Result<Met, String>],
    server: Option<&Met>,
) -> (Vec<String>, Vec<String>) {
    let mut clients = args.allow.clone();
    let mut remarks = Vec::new();
    let mut unknown = false;
    for (asked, met) in nodes.iter().zip(met) {
        let facts = met.as_ref().ok().map(|met| &met.facts);
        let source = facts.and_then(|facts| Some(facts.routes.first()?.source));
        match source.or(asked.address).or_else(|| asked.target.host.parse().ok()) {
            Some(address) => clients.push(address.to_string()),
            None => match facts.and_then(|facts| facts.addresses.first()) {
                Some(address) => clients.push(address.to_string()),
                None => unknown = true,
            },
        }
    }
    if unknown {
        let ours = server.and_then(|met| exports_file::ours(met.facts.exports.as_deref()?, &args.export).ok()?);
        if let Some(ours) = ours {
            remarks
                .push("not every node could be asked, so those who may mount the export already still may".to_owned());
            clients.extend(ours.into_iter().map(|entry| entry.client));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    clients.retain(|client| seen.insert(client.clone()));
    // The whole world has everybody in it.
    if clients.iter().any(|client| client == "*") {
        clients = vec!["*".to_owned()];
    }
    (clients, remarks)
}

/// Asks for clients, which nobody named.
fn ask_whom(export: &str) -> Result<String> {
    if !output::can_ask() {
        let why = "say who may mount the export: --node HOST, --nodes-from-cluster, or --allow CLIENT (the whole world is --allow '*')";
        return Err(UsageError(why.into()).into());
    }
    let question = format!("Who may mount {export} (address, network, host name, @netgroup, or * for everybody)?");
    Ok(output::ask(&question, |answer| match check_client(answer) {
        Ok(()) => Ok(answer.to_owned()),
        Err(error) => Err(error.to_string()),
    })?)
}

/// The options with clients' root made nobody.
fn squashed(options: &str) -> String {
    let kept = options
        .split(',')
        .filter(|option| !matches!(*option, "no_root_squash" | "root_squash"));
    kept.chain(["root_squash"]).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_squashed_once() {
        assert_eq!(squashed("rw,sync,no_root_squash"), "rw,sync,root_squash");
        assert_eq!(squashed("rw,root_squash"), "rw,root_squash");
    }
}
