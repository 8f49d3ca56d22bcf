//! `nfsprov migrate`: there and back, with a claim in progress, and undone if nfsprov does not start.
//!
//! The cluster has no kubelets. A stand-in reports pods as ready, and starts `provision --watch` with the account of
//! nfsprov's Deployment when its first pod exists.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ServiceAccount};
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use nfsprov_lab::process::Process;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::kit::{EVENT_TIMEOUT, NFSPROV, Provisioner, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: a_migration_is_made_and_reversed_with_a_claim_in_progress,
    Newest: a_migration_to_what_does_not_start_is_undone,
}

const UPSTREAM: &str = "nfs-client-provisioner";
const OURS: &str = "nfsprov";

/// Creates a Deployment of nfs-subdir-external-provisioner that serves the scene's export.
async fn upstream(scene: &Scene) -> Result<()> {
    scene.service_account().await?;
    let labels = json!({"app": UPSTREAM});
    let deployment = json!({
        "metadata": {"name": UPSTREAM},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{
                "name": "provisioner", "image": "registry.example/nfs-subdir-external-provisioner:v4.0.2",
                "env": [{"name": "PROVISIONER_NAME", "value": scene.provisioner},
                        {"name": "NFS_SERVER", "value": scene.stage.nfs().address().to_string()},
                        {"name": "NFS_PATH", "value": scene.path}],
            }]},
        }},
    });
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    deployments
        .create(&Default::default(), &serde_json::from_value(deployment)?)
        .await?;
    Ok(())
}

async fn deployment(scene: &Scene, name: &str) -> Result<Option<Deployment>> {
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    Ok(deployments.get_opt(name).await?)
}

/// Reports new pods as ready, those of `nfsprov` only if `starts_ours`. The first of them starts the provisioner with
/// `account`; by then no pod of the other provisioner may exist.
async fn stand_in_for_kubelets(scene: &Scene, starts_ours: bool, account: &Path) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let mut seen = watcher(pods.clone(), watcher::Config::default())
        .applied_objects()
        .boxed_local();
    let mut provisioner: Option<Provisioner> = None;
    let ready = json!({"status": {
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
    }});
    while let Some(pod) = seen.try_next().await? {
        let is_ours = pod.labels().get("app").is_some_and(|app| app == OURS);
        let is_ready = pod
            .status
            .as_ref()
            .is_some_and(|status| status.phase.as_deref() == Some("Running"));
        if is_ready || pod.metadata.deletion_timestamp.is_some() || (is_ours && !starts_ours) {
            continue;
        }
        if is_ours && provisioner.is_none() {
            let theirs = pods
                .list(&ListParams::default().labels(&format!("app={UPSTREAM}")))
                .await?;
            ensure!(theirs.items.is_empty(), "both provisioners have pods");
            let lease = ["--leader-elect", "--lease-namespace", &scene.namespace];
            provisioner = Some(scene.watch_as(account, &lease).await?);
        }
        let patched = pods
            .patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&ready))
            .await;
        // The pod may be deleted meanwhile.
        if let Err(error) = patched
            && !matches!(&error, kube::Error::Api(status) if status.code == 404)
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Runs the tool and the stand-in together.
async fn migrate(scene: &Scene, starts_ours: bool, args: &[&str]) -> Result<(String, String, i32)> {
    let account = scene
        .stage
        .kubeconfig_for(&format!("system:serviceaccount:{}:{OURS}", scene.namespace))?;
    let args = [&["migrate", "nfs-subdir-external-provisioner"], args].concat();
    tokio::select! {
        output = scene.nfsprov(&args) => Ok(output_parts(&output?)),
        ended = stand_in_for_kubelets(scene, starts_ours, &account) => {
            ended?;
            anyhow::bail!("the stand-in ended")
        }
    }
}

/// Starts the tool without a stand-in, interrupts it once `is_waiting` ends, and returns its output; its status must be
/// 1.
async fn interrupt<W: Future<Output = Result<()>>>(scene: &Scene, args: &[&str], is_waiting: W) -> Result<String> {
    let log = scene.stage.file("migrate.log");
    let mut command = tokio::process::Command::new(NFSPROV);
    command.arg("--kubeconfig").arg(&scene.kubeconfig);
    command.args([
        "-n",
        &scene.namespace,
        "migrate",
        "nfs-subdir-external-provisioner",
        "--yes",
    ]);
    command.args(args);
    let mut process = Process::spawn("nfsprov migrate", &log, command)?;
    timeout(EVENT_TIMEOUT, is_waiting).await.context("it does not wait")??;
    process.signal("INT")?;
    let status = timeout(EVENT_TIMEOUT, process.wait())
        .await
        .context("it does not end")??;
    let printed = std::fs::read_to_string(&log)?;
    ensure!(status.code() == Some(1), "{status}: {printed}");
    Ok(printed)
}

/// nfsprov already runs, and upstream has 0 replicas: runs that fail or are interrupted do not change that.
async fn repeat_without_success(scene: &Scene) -> Result<()> {
    let replicas_and_image = async |name: &str| -> Result<(Value, Value)> {
        let deployment = deployment(scene, name).await?.context("no Deployment")?;
        let spec = serde_json::to_value(deployment.spec)?;
        let image = spec["template"]["spec"]["containers"][0]["image"].clone();
        Ok((spec["replicas"].clone(), image))
    };
    let before = replicas_and_image(OURS).await?;
    let broken = ["--yes", "--timeout", "5s", "--image", "registry.example/nfsprov:none"];
    let (stdout, stderr, code) = migrate(scene, false, &broken).await?;
    let words = format!("deployment/{OURS} is as it was before, and deployment/{UPSTREAM} stays at 0 replicas");
    ensure!(code == 1 && stderr.contains(&words), "{stdout}{stderr}");
    ensure!(replicas_and_image(OURS).await? == before);
    ensure!(replicas_and_image(UPSTREAM).await?.0 == json!(0));

    // No provisioner runs now, so the test claim stays Pending.
    const TEST_CLAIM: &str = "nfsprov-migration-test";
    let created = |claim: Option<&PersistentVolumeClaim>| claim.is_some();
    let is_waiting = async {
        await_condition(scene.claims(), TEST_CLAIM, created).await?;
        anyhow::Ok(())
    };
    let printed = interrupt(scene, &[], is_waiting).await?;
    ensure!(printed.contains("the migration stays as it is"), "{printed}");
    let is_absent = |claim: Option<&PersistentVolumeClaim>| claim.is_none();
    timeout(EVENT_TIMEOUT, await_condition(scene.claims(), TEST_CLAIM, is_absent))
        .await
        .context("the test claim is left")??;
    ensure!(replicas_and_image(OURS).await? == before);
    Ok(())
}

async fn a_migration_is_made_and_reversed_with_a_claim_in_progress(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    upstream(&scene).await?;
    scene.claim_handed_over("waiting", json!({})).await?;

    let (plan, stderr, code) = migrate(&scene, true, &["--dry-run"]).await?;
    ensure!(code == 0 && plan.lines().count() == 4, "{plan}{stderr}");
    let before = deployment(&scene, UPSTREAM).await?.context("no Deployment")?;
    ensure!(
        before.spec.context("no spec")?.replicas == Some(1),
        "a dry run changed something"
    );
    ensure!(deployment(&scene, OURS).await?.is_none(), "a dry run changed something");
    let (_, stderr, code) = migrate(&scene, true, &[]).await?;
    ensure!(code == 2 && stderr.contains("pass --yes"), "{stderr}");

    let (stdout, stderr, code) = migrate(&scene, true, &["--yes"]).await?;
    ensure!(code == 0, "{stdout}{stderr}");
    ensure!(stdout.contains("pvc/nfsprov-migration-test was Bound"), "{stdout}");
    scene.bound("waiting").await?;
    let after = deployment(&scene, UPSTREAM).await?.context("no Deployment")?;
    ensure!(after.spec.as_ref().context("no spec")?.replicas == Some(0));
    ensure!(
        after
            .annotations()
            .get("nfsprov/replicas-before-migration")
            .map(String::as_str)
            == Some("1")
    );
    ensure!(deployment(&scene, OURS).await?.is_some());
    repeat_without_success(&scene).await?;

    // An interrupted way back leaves the rest to the next run.
    let is_scaled = |deployment: Option<&Deployment>| {
        let spec = deployment.and_then(|deployment| deployment.spec.as_ref());
        spec.is_some_and(|spec| spec.replicas == Some(1))
    };
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let is_waiting = async {
        await_condition(deployments, UPSTREAM, is_scaled).await?;
        anyhow::Ok(())
    };
    let printed = interrupt(&scene, &["--back"], is_waiting).await?;
    ensure!(printed.contains("run migrate with --back again"), "{printed}");

    // No provisioner runs for the class afterwards, so no test claim could be Bound.
    scene.classes().delete(&scene.class, &Default::default()).await?;
    let (stdout, stderr, code) = migrate(&scene, true, &["--back", "--yes"]).await?;
    ensure!(
        code == 0 && stderr.contains("no class suits a test claim"),
        "{stdout}{stderr}"
    );
    let back = deployment(&scene, UPSTREAM).await?.context("no Deployment")?;
    ensure!(back.spec.as_ref().context("no spec")?.replicas == Some(1));
    ensure!(!back.annotations().contains_key("nfsprov/replicas-before-migration"));
    ensure!(deployment(&scene, OURS).await?.is_none());
    let accounts: Api<ServiceAccount> = Api::namespaced(scene.client.clone(), &scene.namespace);
    ensure!(accounts.get_opt(OURS).await?.is_none(), "nfsprov's account is left");
    Ok(())
}

async fn a_migration_to_what_does_not_start_is_undone(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    upstream(&scene).await?;
    let (stdout, stderr, code) = migrate(&scene, false, &["--yes", "--timeout", "5s"]).await?;
    ensure!(code == 1, "{stdout}{stderr}");
    let words = format!("nfsprov did not take over, and deployment/{UPSTREAM} runs as before");
    ensure!(stderr.contains(&words), "{stderr}");
    let back = deployment(&scene, UPSTREAM).await?.context("no Deployment")?;
    ensure!(back.spec.as_ref().context("no spec")?.replicas == Some(1));
    ensure!(deployment(&scene, OURS).await?.is_none(), "{stdout}");
    Ok(())
}
