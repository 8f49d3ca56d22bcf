//! `nfsprov setup-client`: makes hosts NFS clients, and proves that they can mount an export.

use anyhow::Result;
use futures::future::join_all;

use super::hosts::{apply_or_show, connect_and_gather_all};
use super::proof;
use crate::cli::{Global, SetupClient};
use crate::commands::host_run::{Report, Run};
use crate::exit::Exit;
use crate::host::{Facts, Proof, Subject, plan_client};

/// Connects to all hosts, applies the client's plan on each, and with `--server` mounts the export on each as a proof.
/// With `--dry-run` or `--check` it only reports the plan. `Failed` if a host or a step failed, `Changes` if `--check`
/// found changes to make.
pub async fn run(args: SetupClient, global: &Global) -> Result<Exit> {
    let run = Run::new(&args.ssh, &args.run, global)?;
    let hosts = run
        .requested_hosts(&args.hosts, args.nodes_from_cluster, None, global)
        .await?;
    let connected = run
        .or_stop(connect_and_gather_all(&hosts, &run, &Subject::default()))
        .await?;
    let plan = |facts: &Facts| plan_client(facts, run.now);
    let hosts = hosts.iter().zip(&connected);
    let prepared = hosts.map(|(asked, connected)| apply_or_show(&asked.target, "client", connected, plan, &run));
    let mut report = Report {
        hosts: join_all(prepared).await,
    };
    if let Some(server) = args.server.as_ref().filter(|_| !run.options.is_dry_run()) {
        let proofs = [Proof {
            servers: vec![server.clone()],
            path: args.export.clone(),
            versions: proof::versions_to_prove(args.nfs_version.into()),
        }];
        let clients = connected.iter().zip(&mut report.hosts);
        join_all(
            clients.map(|(connected, report)| proof::prove_on_client(&proofs, connected.as_ref().ok(), report, &run)),
        )
        .await;
    }
    run.print_report(&report, global)
}
