//! `make bench`: from claims to Bound claims, compared with the most that the cluster could do in the same run.
//!
//! `cargo bench --bench claims -- 300` runs only that size, `deletions` or `limits` only those, `limits=3` with three
//! claims. K8S=latest selects the newer Kubernetes.

#[path = "../shared/rounds.rs"]
mod rounds;
#[path = "../shared/mod.rs"]
mod shared;

mod deletion;
mod ideal;
mod limits;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use nfsprov_lab::guest::Template;
use nfsprov_lab::process::Process;
use nfsprov_lab::{ControlPlaneOptions, Lab};
use serde_json::json;

use ideal::raw_posts;
use rounds::{NAMESPACES, Ratios, Round, class, clear, middle, processor_ticks, round, row, settle};

/// How many claims at once, in how many namespaces, and how many rounds; rounds of nfsprov and of the ideal alternate.
const SIZES: [(usize, usize, usize); 4] = [(1, 1, 40), (300, 1, 7), (1000, 1, 5), (1000, 4, 5)];

/// How many volumes are deleted at once, and in how many rounds.
const DELETIONS: (usize, usize) = (300, 5);

/// The number of PVs for the raw rate.
const RAW: usize = 1000;

fn main() -> ExitCode {
    shared::run_in_lab(compare)
}

async fn compare(lab: &Lab) -> Result<()> {
    let options = ControlPlaneOptions {
        lane: shared::lane()?,
        // Kubernetes' default; the lab's tests use a shorter period.
        controller_manager_args: vec!["--pvclaimbinder-sync-period=15s".to_owned()],
        ..ControlPlaneOptions::default()
    };
    let (plane, nfs) = tokio::try_join!(lab.control_plane(options), lab.guest("nfs", Template::NfsServer))?;
    let client = plane.client().await?;
    for name in ["ideal", "nfsprov"] {
        class(&client, name, name, "Retain", json!({})).await?;
    }
    // The ideal PV is deleted as soon as it is Released. With the policy Delete, the controller manager reads it
    // several times before that, whoever deletes it; with the finalizer, its deletion takes one more write.
    class(&client, "ideal-retain", "ideal", "Retain", json!({})).await?;
    class(&client, "ideal-delete", "ideal", "Delete", json!({})).await?;
    class(&client, "ideal-finalizer", "ideal", "Delete", json!({})).await?;
    for on_delete in ["delete", "archive"] {
        let name = format!("nfsprov-{on_delete}");
        class(&client, &name, "nfsprov", "Delete", json!({"onDelete": on_delete})).await?;
    }
    for name in &NAMESPACES[1..] {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        Api::all(client.clone()).create(&Default::default(), &namespace).await?;
    }
    let ideal = tokio::spawn(ideal::run(client.clone(), "ideal".to_owned()));
    let ideal_end = tokio::spawn(deletion::ideal(client.clone()));
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command.args(["provision", "--watch", "--name", "nfsprov", "--path", "/nfsdata"]);
    command.arg("--server").arg(nfs.address().to_string());
    command.arg("--kubeconfig").arg(plane.kubeconfig());
    let log = lab.dir().join("provision.log");
    let mut nfsprov = Process::spawn("nfsprov provision", &log, command)?;
    // One uncounted claim of each, so that both run and have open connections.
    for class in ["ideal", "nfsprov"] {
        round(&client, class, 1, 1).await?;
        clear(&client).await?;
    }

    println!(
        "Kubernetes {}, kernel NFS server, {} CPUs; creation to Bound",
        plane.version(),
        cpus()
    );
    println!(
        "{:>7} {:>10} {:>9} {:>10} {:>10} {:>10} {:>10} {:>8}   to ideal",
        "claims", "namespaces", "", "claims/s", "p50 ms", "p99 ms", "whole ms", "rounds"
    );
    // cargo adds `--bench`; the other words select benchmarks.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |what: &str| chosen.is_empty() || chosen.iter().any(|word| word == what);
    for (count, namespaces, rounds) in SIZES {
        if !wanted(&count.to_string()) {
            continue;
        }
        let (mut ideals, mut ours) = (Vec::new(), Vec::new());
        let mut ticks = 0;
        for number in 0..rounds {
            // Each provisioner is first equally often.
            let order = if number % 2 == 0 {
                ["ideal", "nfsprov"]
            } else {
                ["nfsprov", "ideal"]
            };
            for class in order {
                let before = processor_ticks(nfsprov.pid())?;
                let done = round(&client, class, count, namespaces).await?;
                if class == "nfsprov" {
                    ticks += processor_ticks(nfsprov.pid())? - before;
                }
                clear(&client).await?;
                settle(nfsprov.pid()).await?;
                if class == "ideal" { &mut ideals } else { &mut ours }.push(done);
            }
        }
        let seconds = |round: &Round| round.whole.as_secs_f64();
        let ratio = match count {
            1 => format!(
                "time {}",
                Ratios::new(&ours, &ideals, |our, ideal| seconds(our) / seconds(ideal))
            ),
            _ => format!(
                "rate {}",
                Ratios::new(&ours, &ideals, |our, ideal| seconds(ideal) / seconds(our))
            ),
        };
        let (ideal, our) = (middle(ideals), middle(ours));
        row((count, namespaces), "ideal", &ideal, rounds, String::new());
        row((count, namespaces), "nfsprov", &our, rounds, ratio);
        println!(
            "nfsprov's own processor time: {:.1} ms a claim",
            ticks as f64 * 10.0 / (count * rounds) as f64
        );
    }
    if wanted("deletions") {
        deletions(&client, nfsprov.pid()).await?;
    }
    if let Some(count) = limits::wanted_count(&chosen)? {
        limits::compare(lab, &plane, &client, count).await?;
    }
    println!("raw PV POSTs from 16 clients: {:.0}/s", raw_posts(&client, RAW).await?);
    clear(&client).await?;
    println!(
        "the NFS server's own mkdirs, 16 calls in flight: {:.0}/s",
        deletion::raw_mkdirs(&nfs.address().to_string(), RAW).await?
    );
    println!(
        "nfsprov memory: {} kB RSS now, {} kB at most",
        memory(&nfsprov, "VmRSS")?,
        memory(&nfsprov, "VmHWM")?
    );
    for ideal in [ideal, ideal_end] {
        anyhow::ensure!(!ideal.is_finished(), "the ideal provisioner ended");
        ideal.abort();
    }
    nfsprov.terminate(Duration::from_secs(20)).await?;
    plane.stop().await
}

/// Deletes volumes in rounds with equally many of each kind, and prints the rates.
async fn deletions(client: &Client, pid: u32) -> Result<()> {
    let (count, rounds) = DELETIONS;
    let kinds = [&deletion::IDEALS[..], &["nfsprov-delete", "nfsprov-archive"]].concat();
    let mut took = vec![Vec::new(); kinds.len()];
    for number in 0..rounds {
        for turn in 0..kinds.len() {
            let kind = (number + turn) % kinds.len();
            took[kind].push(deletion::deletion(client, kinds[kind], count, pid).await?);
            clear(client).await?;
            settle(pid).await?;
        }
    }
    println!(
        "{:>7} {:>16} {:>10} {:>8}   rate to {}",
        "gone",
        "",
        "volumes/s",
        "rounds",
        deletion::IDEALS.join(", ")
    );
    for (kind, times_taken) in kinds.iter().zip(&took) {
        let to_ideals = took[..deletion::IDEALS.len()].iter().map(|ideals| {
            let ratios = Ratios::new(times_taken, ideals, |our, ideal| {
                ideal.as_secs_f64() / our.as_secs_f64()
            });
            ratios.to_string()
        });
        let to_ideals = to_ideals.collect::<Vec<_>>().join(", ");
        let mut sorted = times_taken.clone();
        sorted.sort();
        let rate = count as f64 / sorted[rounds / 2].as_secs_f64();
        println!("{count:>7} {kind:>16} {rate:>10.1} {rounds:>8}   {to_ideals}");
    }
    Ok(())
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// A value of the process's memory in kB, from the kernel.
fn memory(process: &Process, field: &str) -> Result<u64> {
    let path = format!("/proc/{}/status", process.pid());
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .context("no such figure")?;
    Ok(line.split_whitespace().nth(1).context("no figure")?.parse()?)
}
