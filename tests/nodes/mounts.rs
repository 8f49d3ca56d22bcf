//! Volumes that a kubelet cannot mount: its message, the doctor's finding, and that the fix works.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov_lab::guest::Template;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::Test;
use crate::stage::{EVENT_TIMEOUT, NFSPROV, Stage};

pub const TESTS: &[Test] = &[
    ("a_node_without_nfs_client", |stage| Box::pin(no_client(stage))),
    ("an_export_that_is_denied", |stage| Box::pin(denied(stage))),
    ("a_path_that_is_not_there", |stage| Box::pin(missing(stage))),
    ("a_server_that_is_down", |stage| Box::pin(down(stage))),
    ("a_server_that_serves_no_nfs", |stage| Box::pin(refused(stage))),
    ("a_directory_that_was_replaced", |stage| Box::pin(stale(stage))),
];

/// mount.nfs fails at the first error, not after two minutes of retries.
const AT_ONCE: [&str; 2] = ["--mount-option", "retry=0"];

/// The text of a finding: its cause and fix.
fn words(finding: &Value) -> String {
    format!("{} {}", finding["cause"], finding["fix"])
}

async fn no_client(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("no-client").await?;
    scene.volume(&stage.nfs, "/nfsdata", &[]).await?;
    scene.pod("app", &stage.bare).await?;
    let finding = scene.first_finding("NFS401 Node/bare").await?;
    ensure!(finding["fix"]["command"] == "nfsprov setup-client bare", "{finding}");
    // The guest's name is known only in its cluster.
    let host = format!("root@{}", stage.bare.address());
    let mut fix = Command::new(NFSPROV);
    fix.args(["setup-client", &host, "--host-key", "accept-new", "-i"]);
    fix.arg(stage.bare.ssh_key()).env("HOME", stage.lab.dir());
    let done = fix.output().await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    scene.running("app").await?;
    scene.wait_until_healthy().await
}

async fn denied(stage: Arc<Stage>) -> Result<()> {
    let export = "mkdir /denied && exportfs -o rw,no_subtree_check 10.99.0.1:/denied";
    stage.nfs.ssh(export).await?;
    let scene = stage.scene("denied").await?;
    scene.volume(&stage.nfs, "/denied", &[]).await?;
    scene.pod("app", &stage.node).await?;
    let finding = scene.first_finding("NFS402 PersistentVolume/denied").await?;
    let text = words(&finding);
    ensure!(
        text.contains("/denied") && text.contains("exportfs -v"),
        "the finding is {text}"
    );
    let address = stage.node.address();
    let allow = format!("exportfs -v | grep -q 10.99.0.1 && exportfs -o rw,no_subtree_check {address}:/denied");
    stage.nfs.ssh(&allow).await?;
    scene.running("app").await?;
    scene.wait_until_healthy().await
}

async fn missing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("missing").await?;
    scene.volume(&stage.nfs, "/nfsdata/missing", &[]).await?;
    scene.pod("app", &stage.node).await?;
    let finding = scene.first_finding("NFS403 PersistentVolume/missing").await?;
    let text = words(&finding);
    ensure!(
        text.contains("create the directory on the server"),
        "the finding is {text}"
    );
    stage.nfs.ssh("mkdir /nfsdata/missing").await?;
    scene.running("app").await?;
    scene.wait_until_healthy().await
}

async fn down(stage: Arc<Stage>) -> Result<()> {
    let mut server = stage.lab.guest("down", Template::NfsServer).await?;
    server.kill().await?;
    let scene = stage.scene("down").await?;
    scene.volume(&server, "/nfsdata", &AT_ONCE).await?;
    scene.pod("app", &stage.node).await?;
    let finding = scene.first_finding("NFS404 PersistentVolume/down").await?;
    let text = words(&finding);
    ensure!(text.contains(&server.address().to_string()), "the finding is {text}");
    server.restart().await?;
    scene.running("app").await?;
    scene.wait_until_healthy().await?;
    scene.remove("app").await
}

async fn refused(stage: Arc<Stage>) -> Result<()> {
    let server = stage.lab.guest("stopped", Template::NfsServer).await?;
    server.ssh("systemctl stop nfs-server").await?;
    let scene = stage.scene("stopped").await?;
    scene.volume(&server, "/nfsdata", &AT_ONCE).await?;
    scene.pod("app", &stage.node).await?;
    scene.first_finding("NFS404 PersistentVolume/stopped").await?;
    server.ssh("systemctl start nfs-server").await?;
    scene.running("app").await?;
    scene.wait_until_healthy().await?;
    scene.remove("app").await
}

async fn stale(stage: Arc<Stage>) -> Result<()> {
    stage.nfs.ssh("mkdir -m 777 /nfsdata/replaced").await?;
    let scene = stage.scene("replaced").await?;
    // The node's NFS client notices after a second, not after a minute, that the directory was removed.
    let soon = ["--mount-option", "actimeo=1"];
    scene.volume(&stage.nfs, "/nfsdata/replaced", &soon).await?;
    scene.pod("app", &stage.node).await?;
    scene.running("app").await?;
    let replace = "rmdir /nfsdata/replaced && mkdir -m 777 /nfsdata/replaced";
    stage.nfs.ssh(replace).await?;
    // Before the client has noticed, a container would start from its cache.
    let noticed = "mount=$(findmnt -rno TARGET | grep /kubernetes.io~nfs/replaced)
until ls \"$mount\" 2>&1 | grep -q Stale; do sleep 0.2; done";
    timeout(EVENT_TIMEOUT, stage.node.ssh(noticed))
        .await
        .context("the node's client never notices")??;
    // A container that ended cannot restart on the removed directory.
    let status = scene.pods().get("app").await?.status.unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let id = containers
        .first()
        .and_then(|container| container.container_id.as_deref());
    let id = id
        .and_then(|id| id.strip_prefix("containerd://"))
        .context("it has no container")?;
    let kill = format!("ctr --namespace k8s.io tasks kill --signal SIGKILL {id}");
    stage.node.ssh(&kill).await?;
    let finding = scene.first_finding("NFS406 PersistentVolume/replaced").await?;
    let text = words(&finding);
    ensure!(text.contains("delete the pod"), "the finding is {text}");
    scene.remove("app").await?;
    scene.pod("app", &stage.node).await?;
    scene.running("app").await?;
    scene.wait_until_healthy().await
}
