//! The image fix: the doctor recognises an image that needs selfLink by its name or by its log; then nfsprov replaces
//! it, in a pod.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::runtime::wait::await_condition;
use nfsprov_lab::container;
use tokio::time::timeout;

use crate::Test;
use crate::stage::{EVENT_TIMEOUT, NFSPROV, Scene, Stage, title};

pub const TESTS: &[Test] = &[("an_image_that_needs_selflink", |stage| Box::pin(image(stage)))];

/// The image of the document's deployment.yaml, with another tag than `latest`: kubelets would always pull `latest`,
/// and the fix's image as well.
const OLD: &str = "quay.io/external_storage/nfs-client-provisioner:v3.1.0-k8s1.11";
/// nfsprov's image.
const OURS: &str = "localhost/nfsprov:test";
/// The image that the fix sets. It cannot be pulled here, so nfsprov is imported under that name too.
const NEW: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

/// The same program as [`OLD`] under another name, as in a private registry.
const COPY: &str = "localhost/storage/provisioner:1";
/// It cannot be pulled either, so a double prints the log lines of the real one.
const SAYS: &str = r#"
echo 'E0214 05:12:11.123456       1 controller.go:1004] provision "image/www-web-3" class "managed-nfs-storage": unexpected error getting claim reference: selfLink was empty, can'"'"'t make reference'
# The first process of a container ends at SIGTERM only if it says so; the kubelet would wait for half a minute.
trap 'exit 0' TERM
busybox sleep 30000 &
wait
"#;

async fn image(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("image").await?;
    let directory = tempfile::tempdir()?;
    let (ours, copy) = (directory.path().join("ours"), directory.path().join("copy"));
    let ours = container::of_program(OURS, NFSPROV.as_ref(), &ours)?;
    // The Deployment runs the program under this name.
    let script = directory.path().join("nfsprov");
    std::fs::write(&script, [container::SHELL, SAYS].concat())?;
    let copy = container::of_script(COPY, &script, &copy)?;
    // One node is enough; importing an image takes half a minute.
    scene.kubectl(&["cordon", stage.bare.name()]).await?;
    stage.node.import(&ours).await?;
    stage.node.import(&copy).await?;
    let tag = format!("ctr --namespace k8s.io images tag {OURS} {NEW}");
    stage.node.ssh(&tag).await?;
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
        "--replicas",
        "1",
        "--apply",
    ];
    scene.done(&provisioner).await?;
    let names = ["www-web-0", "www-web-1", "www-web-2"];
    for name in names {
        claim(&scene, name).await?;
    }
    // Two further causes are true here: the image cannot be pulled, and nfsprov needs other permissions.
    let findings = scene.findings().await?;
    let finding = findings
        .iter()
        .find(|one| title(one) == "NFS301 Deployment/nfsprov")
        .context("the doctor does not report NFS301")?;
    let fix = finding["fix"]["command"].as_str().context("it has no fix")?;
    ensure!(fix.ends_with(NEW), "the fix is {fix}");
    // An administrator grants permissions.
    let rights = findings.iter().find(|one| title(one) == "NFS206 Deployment/nfsprov");
    scene
        .apply_fix(rights.context("the doctor does not report NFS206")?)
        .await?;
    scene.done(&["doctor", "--fix", "--yes"]).await?;

    for name in names {
        bound(&scene, name).await?;
    }
    scene.wait_until_healthy().await?;

    scene
        .kubectl(&[
            "--namespace=image",
            "set",
            "image",
            "deployment/nfsprov",
            &format!("*={COPY}"),
        ])
        .await?;
    claim(&scene, "www-web-3").await?;
    let finding = scene.first_finding("NFS302 Deployment/nfsprov").await?;
    ensure!(
        finding["evidence"].to_string().contains("selfLink was empty"),
        "{finding}"
    );
    // The administrator replaces an image of unknown origin.
    ensure!(finding["fix"]["command"].is_null(), "{finding}");
    let image = format!("*={NEW}");
    let set = ["--namespace=image", "set", "image", "deployment/nfsprov", &image];
    scene.kubectl(&set).await?;
    bound(&scene, "www-web-3").await?;
    scene.wait_until_healthy().await?;
    scene.kubectl(&["uncordon", stage.bare.name()]).await.map(drop)
}

/// Makes a claim of the provisioner's class.
async fn claim(scene: &Scene, name: &str) -> Result<()> {
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
    scene.done(&claim).await.map(drop)
}

/// Waits until nfsprov has provisioned a claim, in its own directory on the export.
async fn bound(scene: &Scene, name: &str) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let is_bound = |claim: Option<&PersistentVolumeClaim>| {
        let status = claim.and_then(|claim| claim.status.as_ref());
        status.and_then(|status| status.phase.as_deref()) == Some("Bound")
    };
    let claim = timeout(EVENT_TIMEOUT, await_condition(claims, name, is_bound))
        .await
        .with_context(|| format!("claim {name} is not Bound"))??;
    let volume = claim
        .and_then(|claim| claim.spec?.volume_name)
        .context("no volumeName")?;
    let volumes: Api<PersistentVolume> = Api::all(scene.client.clone());
    let annotations = volumes.get(&volume).await?.metadata.annotations.unwrap_or_default();
    let by = annotations.get("pv.kubernetes.io/provisioned-by").cloned();
    ensure!(
        by.as_deref() == Some("nfsprov/nfs"),
        "{volume} was provisioned by {by:?}"
    );
    let directories = scene.stage.nfs.ssh("ls /nfsdata").await?;
    ensure!(
        directories.contains(&format!("image-{name}-pvc-")),
        "the export holds {directories}"
    );
    Ok(())
}
