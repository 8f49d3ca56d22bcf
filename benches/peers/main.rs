//! `make bench`: claims at once until all are Bound, by nfsprov and by its peers, on one cluster, alternately. The peers are
//! the controller of nfs-subdir-external-provisioner (`tests/lab/peer`), and csi-driver-nfs if its programs are named
//! (`csi.rs`).
//!
//! Once with a controller manager that binds as fast as it can, and once with the default one, which limits itself to
//! 20 requests a second. `cargo bench --bench peers -- 10` creates ten claims at once; K8S=latest selects the newer
//! Kubernetes.

#[path = "../shared/rounds.rs"]
mod rounds;
#[path = "../shared/mod.rs"]
mod shared;

mod csi;

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
use serde_json::{Value, json};
use tokio::process::Command;

use rounds::{LIMIT, Ratios, class, clear, middle, round, row, settle};

/// How many claims a round creates at once, and how many rounds there are.
const COUNT: usize = 100;
const ROUNDS: usize = 5;

/// The class that nfsprov serves.
const OURS: &str = "nfsprov";

fn main() -> ExitCode {
    shared::run(|| {
        let csi = csi::Programs::of_environment()?;
        // The lab has no network for downloads.
        if Lab::current().is_none() {
            elevate()?;
        }
        let peer = PEER.build()?;
        shared::in_lab(async |lab| compare(lab, peer, csi).await)
    })
}

async fn compare(lab: &Lab, peer: PathBuf, csi: Option<csi::Programs>) -> Result<()> {
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let count = count.unwrap_or(COUNT);
    let nfs = lab.guest("nfs", Template::NfsServer).await?;
    println!(
        "subdir: the controller library of nfs-subdir-external-provisioner with its defaults; its directories are"
    );
    println!("local ones, which are created faster than over a mount. nfsprov creates them on an NFS server.");
    match csi {
        Some(_) => {
            println!("csi: csi-driver-nfs with the options of its manifests; it mounts a local directory, not NFS.")
        }
        None => println!("csi-driver-nfs is not measured: CSI_PROVISIONER and CSI_DRIVER_NFS don't name its programs."),
    }
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
        let mut provisioners = vec![
            start_peer(&plane, &peer).await?,
            start_nfsprov(lab, &plane, &nfs).await?,
        ];
        if let Some(csi) = &csi {
            provisioners.push(start_csi(&plane, csi).await?);
        }
        alternate(&plane, &mut provisioners, count).await?;
        plane.stop().await?;
    }
    Ok(())
}

/// A provisioner that serves the class of its name.
struct Provisioner {
    class: &'static str,
    processes: Vec<Process>,
    /// Whether its events count in its limit of requests, so that they slow its next claims down.
    limits_events: bool,
    /// How many claims it has served.
    served: usize,
}

impl Provisioner {
    /// Creates the class; the provisioner's name in it is `name`.
    async fn new(
        plane: &ControlPlane,
        class_name: &'static str,
        name: &str,
        parameters: Value,
        processes: Vec<Process>,
    ) -> Result<Self> {
        class(&plane.client().await?, class_name, name, "Retain", parameters).await?;
        Ok(Self {
            class: class_name,
            processes,
            limits_events: class_name != OURS,
            served: 0,
        })
    }
}

async fn start_peer(plane: &ControlPlane, program: &Path) -> Result<Provisioner> {
    let directories = plane.dir().join("persistentvolumes");
    std::fs::create_dir(&directories).context("cannot make the peer's directory")?;
    let mut command = Command::new(program);
    command.arg(plane.kubeconfig()).arg("subdir").arg(&directories);
    let process = Process::spawn("peer", plane.dir().join("peer.log"), command)?;
    Provisioner::new(plane, "subdir", "subdir", json!({}), vec![process]).await
}

async fn start_nfsprov(lab: &Lab, plane: &ControlPlane, nfs: &Guest) -> Result<Provisioner> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command.args(["provision", "--watch", "--name", OURS, "--path", "/nfsdata"]);
    command.arg("--server").arg(nfs.address().to_string());
    command
        .arg("--kubeconfig")
        .arg(plane.kubeconfig())
        .env("HOME", lab.dir());
    let process = Process::spawn("nfsprov provision", plane.dir().join("nfsprov.log"), command)?;
    Provisioner::new(plane, OURS, OURS, json!({}), vec![process]).await
}

async fn start_csi(plane: &ControlPlane, programs: &csi::Programs) -> Result<Provisioner> {
    let processes = programs.start(plane).await?;
    let parameters = json!({"server": "nfs", "share": "/nfsdata"});
    Provisioner::new(plane, "csi", csi::NAME, parameters, processes.into()).await
}

/// Rounds of all provisioners on one cluster.
async fn alternate(plane: &ControlPlane, provisioners: &mut [Provisioner], count: usize) -> Result<()> {
    let client = plane.client().await?;
    // One uncounted claim of each, so that all run and have open connections.
    for provisioner in &mut *provisioners {
        round(&client, provisioner.class, 1, 1).await?;
        provisioner.served += 1;
    }
    let mut rounds: Vec<_> = provisioners.iter().map(|_| Vec::new()).collect();
    for number in 0..ROUNDS {
        // Each provisioner is first about equally often.
        for turn in 0..provisioners.len() {
            clear(&client).await?;
            for provisioner in provisioners.iter() {
                if provisioner.limits_events {
                    wait_for_events(&client, provisioner).await?;
                }
                for process in &provisioner.processes {
                    process.expect_running()?;
                    settle(process.pid()).await?;
                }
            }
            let kind = (number + turn) % provisioners.len();
            rounds[kind].push(round(&client, provisioners[kind].class, count, 1).await?);
            provisioners[kind].served += count;
        }
    }
    println!(
        "{:>7} {:>10} {:>9} {:>10} {:>10} {:>10} {:>10} {:>8}   nfsprov's rate to it",
        "claims", "namespaces", "", "claims/s", "p50 ms", "p99 ms", "whole ms", "rounds"
    );
    let ours = provisioners.iter().position(|provisioner| provisioner.class == OURS);
    let ours = &rounds[ours.context("nfsprov is not measured")?];
    let ratios: Vec<_> = rounds
        .iter()
        .map(|theirs| {
            Ratios::new(ours, theirs, |our, their| {
                their.whole.as_secs_f64() / our.whole.as_secs_f64()
            })
            .to_string()
        })
        .collect();
    for ((provisioner, rounds), ratio) in provisioners.iter().zip(rounds).zip(ratios) {
        let ratio = if provisioner.class == OURS {
            String::new()
        } else {
            ratio
        };
        row((count, 1), provisioner.class, &middle(rounds), ROUNDS, ratio);
    }
    for process in provisioners
        .iter_mut()
        .flat_map(|provisioner| &mut provisioner.processes)
    {
        process.terminate(Duration::from_secs(20)).await?;
    }
    Ok(())
}

/// Waits until a provisioner has published the last event of each claim that it has served.
async fn wait_for_events(client: &Client, provisioner: &Provisioner) -> Result<()> {
    let events: Api<Event> = Api::default_namespaced(client.clone());
    let succeeded = ListParams::default().fields("reason=ProvisioningSucceeded");
    let prefix = format!("{}-", provisioner.class);
    let begun = Instant::now();
    loop {
        let published = events.list(&succeeded).await?.items;
        let is_of_provisioner = |event: &&Event| {
            let claim = event.involved_object.name.as_deref();
            claim.is_some_and(|name| name.starts_with(&prefix))
        };
        if published.iter().filter(is_of_provisioner).count() >= provisioner.served {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < LIMIT,
            "{} does not publish all its events",
            provisioner.class
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
