//! `doctor --fix` apart from the faults that it fixes: it asks, skips objects that changed meanwhile, and never stops
//! in the middle of a change.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use nfsprov_lab::process::Process;
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};
use serde_json::json;
use tokio::time::timeout;

use crate::doctor::Diagnosis;
use crate::kit::{EVENT_TIMEOUT, NFSPROV, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: fixes_are_asked_about,
    Newest: a_fix_that_is_interrupted_leaves_a_whole_claim,
}

/// A PV that Kubernetes cannot delete, as its event says: NFS503.
async fn undeletable(scene: &Scene) -> Result<String> {
    let name = format!("pv-{}", scene.namespace);
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"storageClassName": scene.class, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                 "persistentVolumeReclaimPolicy": "Delete", "nfs": {"server": "10.77.0.10", "path": "/nfsdata"}},
    });
    scene.apply(&[volume]).await?;
    Ok(name)
}

async fn policy(scene: &Scene, name: &str) -> Result<String> {
    let volume: PersistentVolume = scene.volumes().get(name).await?;
    let spec = volume.spec.context("a PV without spec")?;
    spec.persistent_volume_reclaim_policy.context("a PV without policy")
}

/// `doctor --fix` on a terminal, at its first question.
fn open_first_question(scene: &Scene) -> Result<PtySession> {
    let mut command = Command::new(NFSPROV);
    command.arg("--kubeconfig").arg(&scene.kubeconfig);
    command.args(["-n", &scene.namespace, "doctor", "--fix", "-o", "json"]);
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    let mut terminal = spawn_command(command, Some(u64::try_from(EVENT_TIMEOUT.as_millis())?))?;
    terminal.exp_string("+  persistentVolumeReclaimPolicy: \"Retain\"")?;
    terminal.exp_string("Make this change?")?;
    Ok(terminal)
}

/// Types an answer; returns the further output and the exit status.
fn send_answer(mut terminal: PtySession, answer: char) -> Result<(String, i32)> {
    match answer {
        '\u{3}' => terminal.send_control('c')?,
        answer => _ = terminal.send(&answer.to_string())?,
    }
    terminal.flush()?;
    let rest = terminal.exp_eof()?;
    match terminal.process().wait()? {
        WaitStatus::Exited(_, code) => Ok((rest, code)),
        other => anyhow::bail!("{other:?}: {rest}"),
    }
}

async fn fixes_are_asked_about(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    // No finding has a fix.
    let (_, stderr, code) = output_parts(&scene.nfsprov(&["doctor", "--fix"]).await?);
    ensure!(
        code == 0 && stderr.contains("no automatic fix available"),
        "{code}: {stderr}"
    );

    let name = undeletable(&scene).await?;
    // stdin is not a terminal.
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&["doctor", "--fix", "-o", "json"]).await?);
    ensure!(code == 2 && stdout.is_empty(), "{code}: {stdout}");
    ensure!(
        stderr.contains("-  persistentVolumeReclaimPolicy: \"Delete\""),
        "{stderr}"
    );
    ensure!(stderr.contains("pass --yes"), "{stderr}");
    ensure!(policy(&scene, &name).await? == "Delete");

    // The answer no, or Ctrl-C.
    for (answer, wanted, code) in [
        ('n', "no change was made", 1),
        ('\u{3}', "interrupted after 0 fixes", 1),
    ] {
        let terminal = tokio::task::block_in_place(|| open_first_question(&scene))?;
        let (rest, exit) = tokio::task::block_in_place(|| send_answer(terminal, answer))?;
        ensure!(exit == code && rest.contains(wanted), "{answer:?}: {exit}: {rest}");
        ensure!(policy(&scene, &name).await? == "Delete");
    }

    // An object that another client changed after the question is left unchanged.
    let terminal = tokio::task::block_in_place(|| open_first_question(&scene))?;
    let label = json!({"metadata": {"labels": {"changed": "meanwhile"}}});
    let params = PatchParams::default();
    scene.volumes().patch(&name, &params, &Patch::Merge(&label)).await?;
    let (rest, exit) = tokio::task::block_in_place(|| send_answer(terminal, 'y'))?;
    ensure!(exit == 1 && rest.contains("another client changed"), "{exit}: {rest}");
    ensure!(policy(&scene, &name).await? == "Delete");

    let terminal = tokio::task::block_in_place(|| open_first_question(&scene))?;
    let (rest, exit) = tokio::task::block_in_place(|| send_answer(terminal, 'y'))?;
    ensure!(exit == 0 && rest.contains("patched"), "{exit}: {rest}");
    ensure!(policy(&scene, &name).await? == "Retain");
    stage.give_back(plane).await
}

async fn a_fix_that_is_interrupted_leaves_a_whole_claim(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.class(json!({})).await?;
    let claim = "www-web-0";
    scene.claim(claim, json!({"storageClassName": "gone"})).await?;
    let template = json!({"metadata": {"name": "www"}, "spec": {"storageClassName": scene.class,
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let pod =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}});
    scene.service_account().await?;
    scene
        .apply(&[json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"serviceName": "web", "replicas": 1, "template": pod,
                     "selector": {"matchLabels": {"app": "web"}}, "volumeClaimTemplates": [template]},
        })])
        .await?;
    // A finalizer keeps the claim, so that there is time between its deletion and its new creation.
    let hold = |finalizers: serde_json::Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    let params = PatchParams::default();
    scene
        .claims()
        .patch(claim, &params, &hold(json!(["test/hold"])))
        .await?;
    scene
        .first_finding(&format!("NFS122 PersistentVolumeClaim/{claim}"))
        .await?;

    let log = scene.stage.file("fix.log");
    let mut command = tokio::process::Command::new(NFSPROV);
    command.arg("--kubeconfig").arg(&scene.kubeconfig);
    command.args(["-n", &scene.namespace, "doctor", "--fix", "--yes", "-o", "json"]);
    let mut process = Process::spawn("nfsprov doctor", &log, command)?;
    let is_terminating =
        |claim: Option<&PersistentVolumeClaim>| claim.is_some_and(|claim| claim.metadata.deletion_timestamp.is_some());
    timeout(EVENT_TIMEOUT, await_condition(scene.claims(), claim, is_terminating)).await??;
    process.signal("INT")?;
    // SIGINT does not end it at once.
    let early = timeout(Duration::from_secs(1), process.wait()).await;
    ensure!(early.is_err(), "it ended while the claim was terminating");
    scene.claims().patch(claim, &params, &hold(json!(null))).await?;
    let status = timeout(EVENT_TIMEOUT, process.wait())
        .await
        .context("it does not end")??;
    let log_text = std::fs::read_to_string(&log)?;
    ensure!(
        status.code() == Some(1) && log_text.contains("interrupted after 1 fix"),
        "{status}: {log_text}"
    );
    // The test deletes the pod too, so that the StatefulSet controller creates both again.
    let again = |claim: Option<&PersistentVolumeClaim>| {
        let class = claim.and_then(|claim| claim.spec.as_ref()?.storage_class_name.as_deref());
        class == Some(&scene.class)
    };
    timeout(EVENT_TIMEOUT, await_condition(scene.claims(), claim, again)).await??;
    let left: Diagnosis = scene.doctor(&[]).await?;
    ensure!(
        left.findings().iter().all(|finding| !finding.starts_with("NFS122")),
        "{:?}",
        left.findings()
    );
    stage.give_back(plane).await
}
