//! The provisioner where users run it: its pods, as admission of a real API server sees them, and as a service of systemd.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::kit::{PATIENCE, Scene, said};
use crate::stage::Stage;

crate::tests! {
    OnlyNewest("1.20 has no Pod Security admission"): a_restricted_namespace_admits_the_provisioner,
    Oldest("the newest runs it without root"): an_old_cluster_gets_a_provisioner_that_it_can_run,
    Newest: systemd_hears_that_the_provisioner_is_ready_and_that_it_stops,
}

/// The pod that the Deployment of `create provisioner` would make.
async fn pod(scene: &Scene, kubernetes: &str) -> Result<Pod> {
    let create = format!("create provisioner --server s --path /p --kubernetes {kubernetes}");
    let (yaml, stderr, code) = said(&scene.nfsprov(&create.split(' ').collect::<Vec<_>>()).await?);
    ensure!(code == 0, "{stderr}");
    let deployment = serde_yaml::Deserializer::from_str(&yaml)
        .map(Value::deserialize)
        .find(|object| object.as_ref().is_ok_and(|object| object["kind"] == "Deployment"))
        .context("no Deployment")??;
    let mut pod = json!({"metadata": {"name": "provisioner"}, "spec": deployment["spec"]["template"]["spec"]});
    // That account is not made here, and admission of Pod Security does not ask for it.
    pod["spec"]["serviceAccountName"] = "default".into();
    Ok(serde_json::from_value(pod)?)
}

async fn a_restricted_namespace_admits_the_provisioner(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.service_account().await?;
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    namespaces
        .patch(&scene.namespace, &PatchParams::default(), &Patch::Merge(labels))
        .await?;
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    pods.create(&dry_run, &pod(&scene, "1.22").await?).await?;
    // The level is enforced: root is refused.
    let refused = pods.create(&dry_run, &pod(&scene, "1.20").await?).await;
    let error = refused
        .err()
        .context("a pod that runs as root was admitted")?
        .to_string();
    ensure!(error.contains("restricted"), "{error}");
    Ok(())
}

async fn an_old_cluster_gets_a_provisioner_that_it_can_run(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let create = format!(
        "create provisioner --server s --path /p --provisioner {} --class {} --dry-run server",
        scene.provisioner, scene.class
    );
    let (stdout, stderr, code) = said(&scene.nfsprov(&create.split(' ').collect::<Vec<_>>()).await?);
    ensure!(code == 0, "{stderr}");
    ensure!(
        stderr.contains("older than 1.22: the provisioner's pods run as root"),
        "{stderr}"
    );
    // The API server knows no policy/v1.
    ensure!(!stdout.contains("poddisruptionbudget"), "{stdout}");
    Ok(())
}

async fn systemd_hears_that_the_provisioner_is_ready_and_that_it_stops(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let heard = || -> Result<String> {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).context("systemd hears nothing")?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    let path = path.to_str().context("a path that is no text")?;
    let provisioner = scene.start_in(&[("NOTIFY_SOCKET", path)], &scene.kubeconfig, &[])?;
    ensure!(tokio::task::block_in_place(heard)? == "READY=1");
    ensure!(provisioner.stop().await?.success());
    ensure!(tokio::task::block_in_place(heard)? == "STOPPING=1");
    Ok(())
}
