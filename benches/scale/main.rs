//! `make bench`, second part: start-up, memory and idle load of `provision --watch` in a cluster with many volumes.
//!
//! Each value is compared with that of an empty cluster, or of a client that only lists, in the same run. `cargo bench
//! --bench scale -- 2000` uses 2,000 volumes; K8S=latest selects the newer Kubernetes.

#[path = "../shared/mod.rs"]
mod shared;

mod fill;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::process::Process;
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab};
use serde_json::json;

/// The number of volumes, each with a claim.
const VOLUMES: usize = 20_000;

/// How long the idle load is measured.
const IDLE: Duration = Duration::from_secs(60);

/// How long one awaited event may take.
const LIMIT: Duration = Duration::from_secs(300);

/// The name of the provisioner and of its class.
const NAME: &str = "nfsprov";

/// A start of nfsprov with a Pending claim.
struct Start {
    process: Process,
    /// Until it logs that it watches claims.
    watching: Duration,
    /// Until the claim is Bound.
    bound: Duration,
    /// The memory at that moment and its maximum, in kB.
    rss: u64,
    peak: u64,
}

fn main() -> ExitCode {
    shared::run_in_lab(measure)
}

async fn measure(lab: &Lab) -> Result<()> {
    let count = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(VOLUMES);
    let options = ControlPlaneOptions {
        lane: shared::lane()?,
        // Kubernetes' default; the lab's tests use a shorter period.
        controller_manager_args: vec!["--pvclaimbinder-sync-period=15s".to_owned()],
        ..ControlPlaneOptions::default()
    };
    let (plane, nfs) = tokio::try_join!(lab.control_plane(options), lab.guest("nfs", Template::NfsServer))?;
    let client = plane.client().await?;
    let class: StorageClass = serde_json::from_value(json!({
        "metadata": {"name": NAME}, "provisioner": NAME, "reclaimPolicy": "Retain",
    }))?;
    Api::all(client.clone()).create(&Default::default(), &class).await?;

    let mut empty = start(lab.dir(), &plane, &nfs, "empty").await?;
    empty.process.terminate(Duration::from_secs(20)).await?;

    // The controller manager would check each new object, although none needs a change.
    plane.hang_controller_manager()?;
    let begun = Instant::now();
    fill::fill(&client, NAME, &nfs.address().to_string(), count).await?;
    let filled = begun.elapsed();
    plane.resume_controller_manager()?;
    let mut full = start(lab.dir(), &plane, &nfs, "full").await?;
    let before = cpu(&full.process)?;
    tokio::time::sleep(IDLE).await;
    let idle = cpu(&full.process)? - before;
    let rss = memory(&full.process, "VmRSS")?;
    full.process.terminate(Duration::from_secs(20)).await?;

    let begun = Instant::now();
    let (volumes, claims) = tokio::try_join!(
        fill::read::<PersistentVolume>(&client),
        fill::read::<PersistentVolumeClaim>(&client)
    )?;
    let listed = begun.elapsed();
    ensure!(volumes >= count && claims >= count, "{volumes} PVs and {claims} claims");

    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "Kubernetes {}, {} CPUs; {count} volumes and claims, written in {:.0} s ({:.0} requests/s)",
        plane.version(),
        std::thread::available_parallelism().map_or(0, usize::from),
        filled.as_secs_f64(),
        (count * fill::REQUESTS) as f64 / filled.as_secs_f64(),
    );
    println!("{:>28} {:>12} {:>12} {:>10}", "", "empty", count, "ratio");
    let row = |what: &str, one: f64, other: f64| println!("{what:>28} {one:>12.0} {other:>12.0} {:>10.2}", other / one);
    row("start to watching, ms", ms(empty.watching), ms(full.watching));
    row("start to first Bound, ms", ms(empty.bound), ms(full.bound));
    row("RSS then, kB", empty.rss as f64, full.rss as f64);
    row("RSS at most, kB", empty.peak as f64, full.peak as f64);
    println!(
        "a client that lists all of it in pages and keeps nothing: {:.0} ms; to the first Bound: {:.2} x that",
        ms(listed),
        full.bound.as_secs_f64() / listed.as_secs_f64(),
    );
    println!(
        "an idle minute: {:.1} ms of CPU, {rss} kB RSS at its end; beyond the empty cluster's: {} kB",
        ms(idle),
        rss.saturating_sub(empty.rss),
    );
    plane.stop().await
}

/// Starts nfsprov while a claim is Pending.
async fn start(directory: &Path, plane: &ControlPlane, nfs: &Guest, claim: &str) -> Result<Start> {
    let client = plane.client().await?;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), "default");
    let object = serde_json::from_value(json!({
        "metadata": {"name": claim},
        "spec": {"storageClassName": NAME, "accessModes": ["ReadWriteMany"],
                 "resources": {"requests": {"storage": "1Gi"}}},
    }))?;
    claims.create(&Default::default(), &object).await?;
    until(&client, claim, "handed over", |claim| {
        claim
            .annotations()
            .keys()
            .any(|key| key.ends_with("/storage-provisioner"))
    })
    .await?;

    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command.args(["provision", "--watch", "--name", NAME, "--path", "/nfsdata"]);
    command.arg("--server").arg(nfs.address().to_string());
    command.arg("--kubeconfig").arg(plane.kubeconfig());
    let begun = Instant::now();
    let process = Process::spawn("nfsprov provision", directory.join(format!("{claim}.log")), command)?;
    let watching = async {
        while !std::fs::read_to_string(process.log()).is_ok_and(|log| log.contains("watching claims and volumes")) {
            process.expect_running()?;
            ensure!(begun.elapsed() < LIMIT, "nfsprov does not watch");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(begun.elapsed())
    };
    let bound = async {
        until(&client, claim, "Bound", |claim| {
            claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
        })
        .await?;
        anyhow::Ok(begun.elapsed())
    };
    let (watching, bound) = tokio::try_join!(watching, bound)?;
    Ok(Start {
        watching,
        bound,
        rss: memory(&process, "VmRSS")?,
        peak: memory(&process, "VmHWM")?,
        process,
    })
}

async fn until(client: &Client, claim: &str, what: &str, is: impl Fn(&PersistentVolumeClaim) -> bool) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), "default");
    let is = |claim: Option<&PersistentVolumeClaim>| claim.is_some_and(&is);
    let waited = tokio::time::timeout(LIMIT, await_condition(claims, claim, is)).await;
    waited.with_context(|| format!("claim {claim} is not {what}"))??;
    Ok(())
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

/// The processor time of the process's threads so far.
fn cpu(process: &Process) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{}/task", process.pid()))? {
        let path = thread?.path().join("schedstat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let first = text.split_whitespace().next().context("no figure")?;
        nanoseconds += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
