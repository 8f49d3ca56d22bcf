//! Volumes that a kubelet can't mount: what it says, what the doctor makes of it, and that the fix is one.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov_lab::guest::Template;
use serde_json::Value;

use crate::Test;
use crate::stage::Stage;

pub const TESTS: &[Test] = &[
    ("a_node_without_nfs_client", |stage| Box::pin(no_client(stage))),
    ("an_export_that_is_denied", |stage| Box::pin(denied(stage))),
    ("a_path_that_is_not_there", |stage| Box::pin(missing(stage))),
    ("a_server_that_is_down", |stage| Box::pin(down(stage))),
    ("a_server_that_serves_no_nfs", |stage| Box::pin(refused(stage))),
];

/// The words of a finding: its cause and fix.
fn words(finding: &Value) -> String {
    format!("{} {}", finding["cause"], finding["fix"])
}

async fn no_client(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("no-client").await?;
    scene.volume(&stage.nfs, "/nfsdata", &[]).await?;
    scene.pod("app", &stage.bare).await?;
    let finding = scene.diagnosed("NFS401 Node/bare").await?;
    let fix = finding["fix"]["command"].as_str().context("it has no fix")?;
    let line = fix
        .strip_prefix("ssh bare ")
        .with_context(|| format!("the fix is {fix}"))?;
    stage.bare.ssh(line).await?;
    scene.running("app").await?;
    scene.healthy().await
}

async fn denied(stage: Arc<Stage>) -> Result<()> {
    let export = "mkdir /denied && exportfs -o rw,no_subtree_check 10.99.0.1:/denied";
    stage.nfs.ssh(export).await?;
    let scene = stage.scene("denied").await?;
    scene.volume(&stage.nfs, "/denied", &[]).await?;
    scene.pod("app", &stage.node).await?;
    let finding = scene.diagnosed("NFS402 PersistentVolume/denied").await?;
    let said = words(&finding);
    ensure!(
        said.contains("/denied") && said.contains("exportfs -v"),
        "it says {said}"
    );
    let address = stage.node.address();
    let allow = format!("exportfs -v | grep -q 10.99.0.1 && exportfs -o rw,no_subtree_check {address}:/denied");
    stage.nfs.ssh(&allow).await?;
    scene.running("app").await?;
    scene.healthy().await
}

async fn missing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("missing").await?;
    scene.volume(&stage.nfs, "/nfsdata/missing", &[]).await?;
    scene.pod("app", &stage.node).await?;
    let finding = scene.diagnosed("NFS403 PersistentVolume/missing").await?;
    let said = words(&finding);
    ensure!(said.contains("make the directory on the server"), "it says {said}");
    stage.nfs.ssh("mkdir /nfsdata/missing").await?;
    scene.running("app").await?;
    scene.healthy().await
}

async fn down(stage: Arc<Stage>) -> Result<()> {
    let mut server = stage.lab.guest("down", Template::NfsServer).await?;
    server.kill().await?;
    let scene = stage.scene("down").await?;
    scene.volume(&server, "/nfsdata", &[]).await?;
    scene.pod("app", &stage.node).await?;
    let finding = scene.diagnosed("NFS404 PersistentVolume/down").await?;
    let said = words(&finding);
    ensure!(said.contains(&server.address().to_string()), "it says {said}");
    server.restart().await?;
    scene.running("app").await?;
    scene.healthy().await
}

async fn refused(stage: Arc<Stage>) -> Result<()> {
    let server = stage.lab.guest("stopped", Template::NfsServer).await?;
    server.ssh("systemctl stop nfs-server").await?;
    let scene = stage.scene("stopped").await?;
    scene.volume(&server, "/nfsdata", &[]).await?;
    scene.pod("app", &stage.node).await?;
    scene.diagnosed("NFS404 PersistentVolume/stopped").await?;
    server.ssh("systemctl start nfs-server").await?;
    scene.running("app").await?;
    scene.healthy().await
}
