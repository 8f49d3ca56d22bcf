//! `make bench`: `volumes rebuild --apply` compared with a client that only creates the same objects, and how long the
//! table of many records takes over NFS.
//!
//! The two alternate, each in its own namespace and export. `cargo bench --bench rebuild -- 2000 20000` rebuilds 2,000
//! volumes in total and lists 20,000 records; K8S=latest selects the newer Kubernetes.

#[path = "../shared/mod.rs"]
mod shared;

use std::collections::BTreeSet;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::{Api, Client};
use nfsprov::volumes::apply::wait_until_bound;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab};
use serde_json::{Value, json};
use tokio::process::Command;

/// How many volumes are rebuilt in total, and how many records are listed.
const VOLUMES: usize = 20_000;

/// The number of rounds.
const ROUNDS: usize = 5;

/// The goal for the rate of rebuild, relative to the plain client's rate.
const RATE_GOAL: f64 = 0.7;

/// The time goal of the list.
const LIST_GOAL: Duration = Duration::from_secs(10);

/// How many objects the plain client creates at the same time, as many as rebuild.
const CONCURRENCY: usize = 16;

/// How long a claim may take until it is Bound.
const EVENT_TIMEOUT: Duration = Duration::from_secs(120);

struct Bench {
    client: Client,
    plane: ControlPlane,
    nfs: Guest,
}

fn main() -> ExitCode {
    shared::run_in_lab(measure)
}

async fn measure(lab: &Lab) -> Result<()> {
    let mut counts = std::env::args().filter_map(|argument| argument.parse().ok());
    let rebuilt = counts.next().unwrap_or(VOLUMES) / ROUNDS;
    let listed = counts.next().unwrap_or(VOLUMES);
    let options = ControlPlaneOptions {
        lane: shared::lane()?,
        ..ControlPlaneOptions::default()
    };
    let (plane, nfs) = tokio::try_join!(lab.control_plane(options), lab.guest("nfs", Template::NfsServer))?;
    let bench = Bench {
        client: plane.client().await?,
        plane,
        nfs,
    };
    let mut lists = Vec::new();
    bench.write_records("many", listed).await?;
    for _ in 0..ROUNDS {
        lists.push(bench.list("many", listed).await?);
    }
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (rebuild, create) = (format!("rebuild-{round}"), format!("create-{round}"));
        for namespace in [&rebuild, &create] {
            let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
            Api::all(bench.client.clone())
                .create(&Default::default(), &object)
                .await?;
        }
        bench.write_records(&rebuild, rebuilt).await?;
        // The second of the two starts with more objects in the cluster.
        if round % 2 == 0 {
            ours.push(bench.rebuild(&rebuild).await?);
            plain.push(bench.create(&create, rebuilt).await?);
        } else {
            plain.push(bench.create(&create, rebuilt).await?);
            ours.push(bench.rebuild(&rebuild).await?);
        }
    }
    println!(
        "Kubernetes {}, {} CPUs; {ROUNDS} rounds, alternating",
        bench.plane.version(),
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    print_listing(listed, &mut lists);
    print_rates(rebuilt, &ours, &plain);
    bench.plane.stop().await
}

fn print_listing(count: usize, times: &mut [Duration]) {
    times.sort();
    let middle = times[times.len() / 2];
    println!(
        "the table of {count} records over NFS: {:.1} s ({:.1} to {:.1}); {} the goal of {} s",
        middle.as_secs_f64(),
        times[0].as_secs_f64(),
        times[times.len() - 1].as_secs_f64(),
        if middle < LIST_GOAL { "below" } else { "ABOVE" },
        LIST_GOAL.as_secs()
    );
}

fn print_rates(count: usize, ours: &[Duration], plain: &[Duration]) {
    let rate = |time: &Duration| count as f64 / time.as_secs_f64();
    println!("{:>6} {:>10} {:>10} {:>6}", "round", "rebuild/s", "create/s", "ratio");
    let mut ratios = Vec::new();
    for (round, (our, other)) in ours.iter().zip(plain).enumerate() {
        let ratio = rate(our) / rate(other);
        println!("{round:>6} {:>10.1} {:>10.1} {ratio:>6.2}", rate(our), rate(other));
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let middle = ratios[ratios.len() / 2];
    println!(
        "{count} volumes a round, all Bound: {middle:.2} x a plain create of the same objects ({:.2} to {:.2}); {} the goal of {RATE_GOAL}",
        ratios[0],
        ratios[ratios.len() - 1],
        if middle >= RATE_GOAL { "reaches" } else { "BELOW" },
    );
}

fn volume_name(namespace: &str, number: usize) -> String {
    format!("{namespace}-v{number}")
}

/// A PV and its claim as in a record.
fn objects(namespace: &str, number: &str, volume: &str, server: &str) -> [Value; 2] {
    let name = format!("claim-{number}");
    let volume_manifest = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": volume, "labels": {"app": "web"}},
        "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, "storageClassName": "managed",
                 "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name},
                 "persistentVolumeReclaimPolicy": "Retain", "mountOptions": ["nfsvers=3"],
                 "nfs": {"server": server, "path": format!("/nfsdata/{namespace}/d{number}")}},
    });
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": namespace, "name": name},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}},
                 "storageClassName": "managed", "volumeName": volume},
    });
    [volume_manifest, claim]
}

impl Bench {
    fn server(&self) -> String {
        self.nfs.address().to_string()
    }

    /// Creates an export for a namespace: `count` directories, each with its record. A shell on the server writes them.
    async fn write_records(&self, namespace: &str, count: usize) -> Result<()> {
        let [volume, claim] = objects(namespace, "$n", &format!("{namespace}-v$n"), &self.server());
        let script = format!(
            "mkdir -p /nfsdata/{namespace}/.nfsprov/volumes && cd /nfsdata/{namespace} && n=0 && \
             while [ $n -lt {count} ]; do mkdir d$n && printf '%s\\n---\\n%s\\n' \"{}\" \"{}\" \
             >.nfsprov/volumes/{namespace}-v$n.yaml || exit 1; n=$((n+1)); done",
            volume.to_string().replace('"', "\\\""),
            claim.to_string().replace('"', "\\\"")
        );
        self.nfs.ssh(&script).await?;
        Ok(())
    }

    fn nfsprov(&self, namespace: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
        command.arg("--kubeconfig").arg(self.plane.kubeconfig());
        command.args(["volumes", "rebuild", "--server", &self.server()]);
        command.args(["--path", &format!("/nfsdata/{namespace}")]).args(args);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// How long the plan for all records of an export takes, from the start of the command to its end.
    async fn list(&self, namespace: &str, count: usize) -> Result<Duration> {
        let begun = Instant::now();
        let output = self.nfsprov(namespace, &["--create-namespaces"]).output().await?;
        let time = begun.elapsed();
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.lines().filter(|line| line.starts_with("create")).count();
        ensure!(
            found == count,
            "{found} of {count} records in the table; {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(time)
    }

    async fn rebuild(&self, namespace: &str) -> Result<Duration> {
        let begun = Instant::now();
        let output = self.nfsprov(namespace, &["--apply", "--yes"]).output().await?;
        let time = begun.elapsed();
        ensure!(
            output.status.success(),
            "volumes rebuild: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(time)
    }

    /// Creates the same objects and waits until the claims are Bound.
    async fn create(&self, namespace: &str, count: usize) -> Result<Duration> {
        let begun = Instant::now();
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        let (server, volumes, claims) = (&self.server(), &volumes, &claims);
        let creates = stream::iter(0..count).map(|number| async move {
            let name = volume_name(namespace, number);
            let [volume, claim] = objects(namespace, &number.to_string(), &name, server);
            volumes
                .create(&Default::default(), &serde_json::from_value(volume)?)
                .await?;
            claims
                .create(&Default::default(), &serde_json::from_value(claim)?)
                .await?;
            anyhow::Ok(())
        });
        creates.buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        let wanted: BTreeSet<_> = (0..count)
            .map(|number| (namespace.to_owned(), format!("claim-{number}")))
            .collect();
        let pending = wait_until_bound(&self.client, wanted, EVENT_TIMEOUT).await;
        let pending = pending.context("cannot watch claims")?;
        ensure!(pending.is_empty(), "{} claims are not Bound", pending.len());
        Ok(begun.elapsed())
    }
}
