//! A claim of limited size, as a pod and its kubelet see it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::runtime::wait::await_condition;
use nfsprov_lab::guest::Template;
use nfsprov_lab::process::Process;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::Test;
use crate::stage::{EVENT_TIMEOUT, NFSPROV, Scene, Stage};

pub const TESTS: &[Test] = &[("a_pod_whose_claim_is_full", |stage| Box::pin(full(stage)))];

const PROVISIONER: &str = "limited.test/nfs";

async fn full(stage: Arc<Stage>) -> Result<()> {
    let server = stage.lab.guest("limited", Template::NfsServerWithQuota).await?;
    let export = "mkfs.xfs -q /dev/ubdb && mkdir /nfsdata && mount -o prjquota /dev/ubdb /nfsdata && \
                  echo '/nfsdata *(rw,sync,no_subtree_check,no_root_squash)' >/etc/exports && exportfs -ra";
    server.ssh(export).await?;
    let scene = stage.scene("limited").await?;
    let mut command = Command::new(NFSPROV);
    command.args(["provision", "--watch", "--name", PROVISIONER, "--path", "/nfsdata"]);
    command.arg("--server").arg(server.address().to_string());
    command
        .arg("--quota-ssh")
        .arg(format!("ssh://root@{}", server.address()));
    command.arg("-i").arg(server.ssh_key());
    command.args(["--host-key", "accept-new", "--connect-timeout", "60s"]);
    // nfsprov writes known_hosts there.
    command
        .env("HOME", stage.lab.dir())
        .env("KUBECONFIG", stage.plane.kubeconfig());
    let _provisioner = Process::spawn("nfsprov provision", stage.lab.dir().join("limited.log"), command)?;
    let class = [
        "create",
        "storageclass",
        "limited",
        "--provisioner",
        PROVISIONER,
        "--quota",
        "enforce",
        "--allow-expansion",
        "--apply",
    ];
    scene.done(&class).await?;
    let claim = [
        "create",
        "pvc",
        "data",
        "--class",
        "limited",
        "--size",
        "10Mi",
        "--apply",
        "--wait",
        "--timeout",
        "120s",
    ];
    scene.done(&claim).await?;
    scene.pod("app", &stage.node).await?;
    scene.running("app").await?;

    ensure!(kib_of_volume(&scene).await? == 10 << 10);
    let failed = write(&scene, "full", 11).await?;
    ensure!(failed.contains("No space left on device"), "11 MiB into 10: {failed:?}");

    let larger = r#"{"spec": {"resources": {"requests": {"storage": "20Mi"}}}}"#;
    scene
        .kubectl(&["--namespace=limited", "patch", "pvc", "data", "--patch", larger])
        .await?;
    wait_for_capacity(&scene, "20Mi").await?;
    ensure!(kib_of_volume(&scene).await? == 20 << 10);
    let failed = write(&scene, "more", 8).await?;
    ensure!(failed.is_empty(), "8 MiB more into 20: {failed}");
    // The first file reaches the first limit.
    wait_for_statistics(&scene, 20 << 20, 18 << 20).await?;

    scene.remove("app").await
}

/// Runs a shell script in the pod.
async fn run_in_pod(scene: &Scene, script: &str) -> Result<String> {
    let exec = ["--namespace=limited", "exec", "app", "--", "/bin/sh", "-c", script];
    scene.kubectl(&exec).await
}

/// The size that `df` shows in the pod.
async fn kib_of_volume(scene: &Scene) -> Result<u64> {
    let output_text = run_in_pod(scene, "df -Pk /mydata").await?;
    let line = output_text.lines().nth(1).with_context(|| output_text.clone())?;
    let size = line.split_whitespace().nth(1).with_context(|| output_text.clone())?;
    size.parse().with_context(|| output_text.clone())
}

/// Writes `mib` MiB from the pod into a file of the volume; returns dd's error message if it failed.
async fn write(scene: &Scene, file: &str, mib: u32) -> Result<String> {
    let count = mib * 16;
    let script = format!(
        "if said=$(dd if=/dev/zero of=/mydata/{file} bs=64k count={count} conv=fsync 2>&1); then :; else echo \"$said\"; fi"
    );
    run_in_pod(scene, &script).await
}

async fn wait_for_capacity(scene: &Scene, size: &str) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let has_size = |claim: Option<&PersistentVolumeClaim>| {
        let capacity = claim.and_then(|claim| claim.status.as_ref()?.capacity.as_ref()?.get("storage"));
        capacity.is_some_and(|capacity| capacity.0 == size)
    };
    match timeout(EVENT_TIMEOUT, await_condition(claims, "data", has_size)).await {
        Ok(met) => met.map(drop).context("cannot watch the claim"),
        Err(_) => anyhow::bail!("the claim is not expanded; events: {:?}", scene.events("data").await?),
    }
}

/// Waits until the kubelet's statistics show this capacity of the volume and about this usage. The kubelet updates them
/// once a minute.
async fn wait_for_statistics(scene: &Scene, capacity: u64, used: u64) -> Result<()> {
    let path = format!("/api/v1/nodes/{}/proxy/stats/summary", scene.stage.node.name());
    let end = Instant::now() + EVENT_TIMEOUT;
    loop {
        let summary: Value = serde_json::from_str(&scene.kubectl(&["get", "--raw", &path]).await?)?;
        let pods = summary["pods"].as_array().into_iter().flatten();
        let volumes = pods.flat_map(|pod| pod["volume"].as_array().into_iter().flatten());
        let mut ours =
            volumes.filter(|volume| volume["pvcRef"]["namespace"] == "limited" && volume["pvcRef"]["name"] == "data");
        let volume = ours.next().cloned().unwrap_or_default();
        let bytes = |field: &str| volume[field].as_u64().unwrap_or_default();
        // The client rounds to its own block size.
        let is_near = |found: u64, wanted: u64| found.abs_diff(wanted) < 1 << 20;
        if bytes("capacityBytes") == capacity && is_near(bytes("usedBytes"), used) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the kubelet's statistics of the volume: {volume}");
        sleep(std::time::Duration::from_secs(1)).await;
    }
}
