//! The released image, loaded into a node: `create provisioner` runs it, and a claim is Bound.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::Test;
use crate::loading::load_image;
use crate::stage::Stage;

pub const TESTS: &[Test] = &[("the_released_image_serves_a_claim", |stage| Box::pin(released(stage)))];

/// The archive that `make dist` built.
fn archive() -> Result<PathBuf> {
    let dist = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dist");
    let files = std::fs::read_dir(&dist).context("dist/ is missing: make dist")?;
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    let end = format!(
        "{}-image-{}.tar",
        env!("CARGO_PKG_VERSION"),
        nfsprov_lab::kubernetes::architecture()?
    );
    paths
        .find(|path| path.to_string_lossy().ends_with(&end))
        .context("dist/ has no image of this version: make dist")
}

async fn released(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("released").await?;
    scene.kubectl(&["cordon", stage.bare.name()]).await?;
    let node = format!("root@{}", stage.node.address());
    let archive = archive()?;
    let load = [archive.to_str().context("a path that is no text")?, "--node", &node];
    let loaded = load_image(&stage, &load).await?;
    ensure!(loaded.status == 0, "{}", loaded.stderr);
    let server = stage.nfs.address().to_string();
    let create = [
        "create",
        "provisioner",
        "--server",
        &server,
        "--path",
        "/nfsdata",
        "--provisioner",
        "released/nfs",
        "--class",
        "released",
        "--apply",
    ];
    scene.done(&create).await?;
    let rollout = [
        "-n",
        "released",
        "rollout",
        "status",
        "deployment/nfsprov",
        "--timeout=300s",
    ];
    scene.kubectl(&rollout).await?;
    let claim = [
        "create",
        "pvc",
        "data",
        "--class",
        "released",
        "--size",
        "1Gi",
        "--apply",
        "--wait",
        "--timeout",
        "120s",
    ];
    scene.done(&claim).await?;
    let directories = stage.nfs.ssh("ls /nfsdata").await?;
    ensure!(
        directories.contains("released-data-pvc-"),
        "the export holds {directories}"
    );
    scene.kubectl(&["uncordon", stage.bare.name()]).await.map(drop)
}
