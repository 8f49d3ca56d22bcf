//! The command blocks of README and docs/ that need a cluster, typed into a shell.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use nfsprov_lab::ControlPlane;

use crate::kit::NFSPROV;
use crate::stage::Stage;

#[path = "../support/pages.rs"]
mod blocks;

use blocks::{Place, execute};

crate::tests! {
    Newest: the_blocks_that_need_a_cluster_work_as_they_stand,
}

/// The environment of the blocks. They name classes and volumes and use the namespace `default`, so the cluster is theirs
/// alone.
fn prepare_scene(stage: &Stage, plane: &ControlPlane, names: Vec<(&'static str, String)>) -> Result<blocks::Scene> {
    let directory = stage.file("pages");
    std::fs::create_dir(&directory)?;
    let plugins = directory.join("plugins");
    std::fs::create_dir(&plugins)?;
    std::os::unix::fs::symlink(NFSPROV, plugins.join("kubectl-nfsprov"))?;
    let folder = |program: &Path| program.parent().map(Path::to_owned).context("no folder");
    Ok(blocks::Scene {
        directory,
        programs: vec![folder(Path::new(NFSPROV))?, folder(&stage.kubectl()?)?, plugins],
        variables: vec![("KUBECONFIG", plane.kubeconfig().into())],
        hosts: None,
        names,
    })
}

/// Executes the blocks of a place on a thread that may block.
async fn execute_blocks(place: Place, scene: blocks::Scene) -> Result<()> {
    let done = tokio::task::spawn_blocking(move || execute(place, &scene)).await?;
    done.map_err(|error| anyhow!("{error}"))
}

async fn the_blocks_that_need_a_cluster_work_as_they_stand(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let server = stage.nfs();
    // Their export is a directory without volumes of other tests.
    let export = "/nfsdata/pages";
    server.ssh(&format!("mkdir -p {export}")).await?;
    let names = [("/nfsdata", export), ("10.77.0.10", "nfs"), ("10.128.1.117", "nfs")];
    let mut scene = prepare_scene(
        &stage,
        &plane,
        names.map(|(name, value)| (name, value.to_owned())).to_vec(),
    )?;
    scene.hosts = Some(format!("{} nfs\n", server.address()));
    execute_blocks(Place::Cluster, scene).await?;
    plane.stop().await
}
