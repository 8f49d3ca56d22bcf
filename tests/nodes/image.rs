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
use crate::stage::{NFSPROV, PATIENCE, Stage, title};

pub const TESTS: &[Test] = &[("an_image_that_needs_selflink", |stage| Box::pin(image(stage)))];

/// What the downloaded deployment.yaml of the document names, by a tag that isn't `latest`: with that one kubelets
/// would pull always, also what the fix puts in its place.
const OLD: &str = "quay.io/external_storage/nfs-client-provisioner:v3.1.0-k8s1.11";
/// nfsprov itself.
const OURS: &str = "localhost/nfsprov:test";
/// What the fix sets. It can't be pulled here, so nfsprov stands in under that name, too.
const NEW: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

async fn image(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("image").await?;
    let directory = tempfile::tempdir()?;
    let archive = container::of_program(OURS, NFSPROV.as_ref(), directory.path())?;
    for node in [&stage.node, &stage.bare] {
        node.import(&archive).await?;
        node.ssh(&format!("ctr --namespace k8s.io images tag {OURS} {NEW}"))
            .await?;
    }
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
    // That it can't be pulled, and would need other rights, is true here as well.
    let findings = scene.findings(Command::new(NFSPROV)).await?;
    let finding = findings
        .iter()
        .find(|one| title(one) == "NFS301 Deployment/nfsprov")
        .context("the doctor does not say NFS301")?;
    let fix = finding["fix"]["command"].as_str().context("it has no fix")?;
    ensure!(fix.ends_with(NEW), "the fix is {fix}");
    scene.done(&["doctor", "--fix", "--yes"]).await?;

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
