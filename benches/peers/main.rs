//! `make bench`: claims at once until all are Bound, by nfsprov and by the controller of
//! nfs-subdir-external-provisioner (`tests/lab/peer`), on one cluster, alternately.
//!
//! Once with a controller manager that binds as fast as it can, and once with the default one, which limits itself to
//! 20 requests a second. `cargo bench --bench peers -- 10` creates ten claims at once; K8S=latest selects the newer
//! Kubernetes.

#[path = "../shared/rounds.rs"]
mod rounds;
#[path = "../shared/mod.rs"]
mod shared;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::kubernetes::go_program::PEER;
use nfsprov_lab::namespace::elevate;
use nfsprov_lab::process::Process;
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab};
use serde_json::json;
use tokio::process::Command;

use rounds::{LIMIT, Ratios, class, clear, middle, round, row, settle};

/// How many claims a round creates at once, and how many rounds there are.
const COUNT: usize = 100;
const ROUNDS: usize = 5;

/// The names of the provisioners, and of their classes.
const KINDS: [&str; 2] = ["peer", "nfsprov"];

fn main() -> ExitCode {
    shared::run(|| {
        // The lab has no network for downloads.
        if Lab::current().is_none() {
            elevate()?;
        }
        let peer = PEER.build()?;
        shared::in_lab(async |lab| compare(lab, peer).await)
    })
}

async fn compare(lab: &Lab, peer: PathBuf) -> Result<()> {
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let count = count.unwrap_or(COUNT);
    let nfs = lab.guest("nfs", Template::NfsServer).await?;
    println!("peer: the controller library of nfs-subdir-external-provisioner with its defaults; its directories are");
    println!("local ones, which are created faster than over a mount. nfsprov creates them on an NFS server.");
    for (title, defaults) in [
        ("a controller manager of 2,000 requests a second", false),
        ("the default controller manager, of 20 requests a second", true),
    ] {
        let options = ControlPlaneOptions {
            lane: shared::lane()?,
            controller_manager_defaults: defaults,
            // Kubernetes' default; the lab's tests use a shorter period.
            controller_manager_args: vec!["--pvclaimbinder-sync-period=15s".to_owned()],
            ..ControlPlaneOptions::default()
        };
        let plane = lab.control_plane(options).await?;
        println!("\n{title}, Kubernetes {}", plane.version());
        alternate(lab, &plane, &nfs, &peer, count).await?;
        plane.stop().await?;
    }
    Ok(())
}

/// Rounds of both provisioners on one cluster.
async fn alternate(lab: &Lab, plane: &ControlPlane, nfs: &Guest, peer: &Path, count: usize) -> Result<()> {
    let client = plane.client().await?;
    for kind in KINDS {
        class(&client, kind, kind, "Retain", json!({})).await?;
    }
    let directories = plane.dir().join("persistentvolumes");
    std::fs::create_dir(&directories).context("cannot make the peer's directory")?;
    let mut command = Command::new(peer);
    command.arg(plane.kubeconfig()).arg("peer").arg(&directories);
    let mut peer = Process::spawn("peer", plane.dir().join("peer.log"), command)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command.args(["provision", "--watch", "--name", "nfsprov", "--path", "/nfsdata"]);
    command.arg("--server").arg(nfs.address().to_string());
    command
        .arg("--kubeconfig")
        .arg(plane.kubeconfig())
        .env("HOME", lab.dir());
    let mut nfsprov = Process::spawn("nfsprov provision", plane.dir().join("nfsprov.log"), command)?;
    // One uncounted claim of each, so that both run and have open connections.
    for kind in KINDS {
        round(&client, kind, 1, 1).await?;
    }
    let mut by_peer = 1;
    let mut rounds = [Vec::new(), Vec::new()];
    for number in 0..ROUNDS {
        // Each provisioner is first equally often.
        for turn in 0..KINDS.len() {
            let kind = (number + turn) % KINDS.len();
            clear(&client).await?;
            wait_for_events(&client, by_peer).await?;
            for process in [&peer, &nfsprov] {
                process.expect_running()?;
                settle(process.pid()).await?;
            }
            rounds[kind].push(round(&client, KINDS[kind], count, 1).await?);
            by_peer += if KINDS[kind] == "peer" { count } else { 0 };
        }
    }
    let [theirs, ours] = rounds;
    let ratio = Ratios::new(&ours, &theirs, |our, their| {
        their.whole.as_secs_f64() / our.whole.as_secs_f64()
    });
    println!(
        "{:>7} {:>10} {:>9} {:>10} {:>10} {:>10} {:>10} {:>8}",
        "claims", "namespaces", "", "claims/s", "p50 ms", "p99 ms", "whole ms", "rounds"
    );
    row((count, 1), "peer", &middle(theirs), ROUNDS, String::new());
    row(
        (count, 1),
        "nfsprov",
        &middle(ours),
        ROUNDS,
        format!("rate {ratio} of the peer's"),
    );
    for process in [&mut peer, &mut nfsprov] {
        process.terminate(Duration::from_secs(20)).await?;
    }
    Ok(())
}

/// Waits until the peer has published the last event of each of its `volumes`: the events count in its limit of
/// requests, and would slow the next round down.
async fn wait_for_events(client: &Client, volumes: usize) -> Result<()> {
    let events: Api<Event> = Api::default_namespaced(client.clone());
    let succeeded = ListParams::default().fields("reason=ProvisioningSucceeded");
    let begun = Instant::now();
    loop {
        let published = events.list(&succeeded).await?.items;
        let is_of_peer = |event: &&Event| {
            let claim = event.involved_object.name.as_deref();
            claim.is_some_and(|name| name.starts_with("peer-"))
        };
        if published.iter().filter(is_of_peer).count() >= volumes {
            return Ok(());
        }
        ensure!(begun.elapsed() < LIMIT, "the peer does not publish all its events");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
