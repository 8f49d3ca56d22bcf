//! The image fix: a provisioner whose image needs selfLink, and then nfsprov itself in its place, in a pod.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::runtime::wait::await_condition;
use nfsprov_lab::container;
use tokio::process::Command;
use tokio::time::timeout;

use crate::Test;
use crate::stage::{NFSPROV, PATIENCE, Stage};

pub const TESTS: &[Test] = &[("an_image_that_needs_selflink", |stage| Box::pin(image(stage)))];

/// What the downloaded deployment.yaml of the document names.
const OLD: &str = "quay.io/external_storage/nfs-client-provisioner:latest";
/// nfsprov, as a stand-in for what would be pulled.
const OURS: &str = "localhost/nfsprov:test";

async fn image(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("image").await?;
    let archive = container::of_program(OURS, NFSPROV.as_ref(), &stage.directory("image")?)?;
    tokio::try_join!(stage.node.import(&archive), stage.bare.import(&archive))?;
    let server = stage.nfs.address().to_string();
    let provisioner = [
        "create",
        "provisioner",
        "--server",
        &server,
        "--path",
        "/nfsdata",
        "--image",
        OLD,
        "--apply",
    ];
    scene.done(&provisioner).await?;
    let names = ["www-web-0", "www-web-1", "www-web-2"];
    for name in names {
        let claim = [
            "create",
            "pvc",
            name,
            "--class",
            "managed-nfs-storage",
            "--size",
            "1Gi",
            "--apply",
        ];
        scene.done(&claim).await?;
    }
    let finding = scene.diagnosed("NFS301 Deployment/nfsprov").await?;
    let fix = finding["fix"]["command"].as_str().context("it has no fix")?;
    let (line, image) = fix.rsplit_once('=').with_context(|| format!("the fix is {fix}"))?;
    ensure!(
        image.contains("nfs-subdir-external-provisioner:v4.0.2"),
        "the fix is {fix}"
    );
    // The fix as it is printed, but for the image: that one cannot be pulled here.
    let mut words = line.split_whitespace();
    ensure!(words.next() == Some("kubectl"), "the fix is {fix}");
    let mut kubectl = Command::new(nfsprov_lab::run::kubectl(Default::default())?.join("kubectl"));
    let (words, last) = (words.collect::<Vec<_>>(), format!("={OURS}"));
    let (container, words) = words.split_last().context("the fix is short")?;
    kubectl
        .args(words)
        .arg(format!("{container}{last}"))
        .env("KUBECONFIG", stage.plane.kubeconfig());
    let output = kubectl.output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let claims: Api<PersistentVolumeClaim> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let volumes: Api<PersistentVolume> = Api::all(scene.client.clone());
    for name in names {
        let bound = |claim: Option<&PersistentVolumeClaim>| {
            let status = claim.and_then(|claim| claim.status.as_ref());
            status.and_then(|status| status.phase.as_deref()) == Some("Bound")
        };
        let claim = timeout(PATIENCE, await_condition(claims.clone(), name, bound))
            .await
            .with_context(|| format!("claim {name} is not Bound"))??;
        let volume = claim
            .and_then(|claim| claim.spec?.volume_name)
            .context("no volumeName")?;
        let annotations = volumes.get(&volume).await?.metadata.annotations.unwrap_or_default();
        let by = annotations.get("pv.kubernetes.io/provisioned-by").cloned();
        ensure!(
            by.as_deref() == Some("nfsprov/nfs"),
            "{volume} was provisioned by {by:?}"
        );
    }
    let directories = stage.nfs.ssh("ls /nfsdata").await?;
    for name in names {
        ensure!(
            directories.contains(&format!("image-{name}-pvc-")),
            "the export holds {directories}"
        );
    }
    scene.healthy().await
}
