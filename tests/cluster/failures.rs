//! Failures of components, and what must survive them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use nfsprov_lab::guest::{Guest, Template};
use serde_json::json;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::kit::{Directories, EVENT_TIMEOUT, NFSPROV, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: killed_between_directory_and_volume_it_continues,
    Newest: a_claim_deleted_between_directory_and_volume_leaves_nothing,
    Newest: a_path_is_reused_when_its_claim_was_deleted_after_a_kill,
    Newest: remains_of_an_earlier_version_are_removed,
    Both("new API servers stream lists"): the_api_server_may_restart,
    Newest: claims_wait_for_an_nfs_server_that_hangs,
    Newest: the_nfs_server_may_restart,
    Newest: an_nfs_server_that_is_down_at_the_start_is_waited_for,
    Newest: errors_at_the_start_are_one_sentence,
}

/// A user with all permissions of the provisioner except to create PVs: provisioning stops after the directory.
pub async fn without_volumes(scene: &Scene) -> Result<PathBuf> {
    with_volumes(scene, &["get", "list", "watch"]).await
}

/// A user with all permissions of the provisioner, but with only these verbs on PVs.
async fn with_volumes(scene: &Scene, verbs: &[&str]) -> Result<PathBuf> {
    let user = format!("user-{}", scene.namespace);
    let kubeconfig = scene.stage.kubeconfig_for(&user)?;
    let read = ["get", "list", "watch"];
    let role: ClusterRole = serde_json::from_value(json!({"metadata": {"name": user}, "rules": [
        {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": verbs},
        {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": read},
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": read},
        {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ]}))?;
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": user}, "subjects": [{"kind": "User", "name": user}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
    }))?;
    let params = PostParams::default();
    Api::all(scene.client.clone()).create(&params, &role).await?;
    Api::all(scene.client.clone()).create(&params, &binding).await?;
    Ok(kubeconfig)
}

async fn killed_between_directory_and_volume_it_continues(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let kubeconfig = without_volumes(&scene).await?;
    let provisioner = scene.watch_as(&kubeconfig, &[]).await?;
    let claim = scene.claim("a", json!({})).await?;
    scene.event("a", "cannot create PV").await?;
    ensure!(
        scene.directories().await?.len() == 1,
        "there is not exactly one directory"
    );
    provisioner.kill().await?;
    ensure!(scene.phase("a").await? == "Pending");

    let _provisioner = scene.watch(&[]).await?;
    let volume = scene.bound("a").await?;
    ensure!(volume.name_any() == format!("pvc-{}", claim.uid().unwrap_or_default()));
    ensure!(scene.directories().await?.len() == 1, "one directory for one claim");
    let ours = |volume: &&PersistentVolume| {
        let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        reference.and_then(|reference| reference.namespace.as_deref()) == Some(&scene.namespace)
    };
    let volumes = scene.volumes().list(&Default::default()).await?;
    ensure!(volumes.iter().filter(ours).count() == 1, "one PV for one claim");
    Ok(())
}

/// The API server refuses the PV, and then the user deletes the claim.
async fn a_claim_deleted_between_directory_and_volume_leaves_nothing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let kubeconfig = without_volumes(&scene).await?;
    for (claim, parameters) in [
        ("plain", json!({})),
        ("named", json!({"pathPattern": "${.PVC.namespace}-own/${.PVC.name}"})),
    ] {
        scene.class(json!({"parameters": parameters})).await?;
        let mut provisioner = scene.watch_as(&kubeconfig, &[]).await?;
        scene.claim(claim, json!({})).await?;
        scene.event(claim, "cannot create PV").await?;
        ensure!(
            scene.directories().await?.len() == 1,
            "there is not exactly one directory"
        );
        scene.claims().delete(claim, &Default::default()).await?;
        provisioner
            .wait_for_log("removed the directory of an attempt without a PV")
            .await?;
        let left = scene.directories().await?;
        ensure!(left.is_empty(), "{left:?}");
        let find = format!("find .nfsprov -name '*{}*' 2>/dev/null || true", scene.namespace);
        let left = scene.on_server(&find).await?;
        ensure!(left.is_empty(), "{left}");
        provisioner.stop().await?;
        scene.classes().delete(&scene.class, &Default::default()).await?;
    }
    Ok(())
}

/// No provisioner knows the directory any more, but its marker names the claim, and the directory is empty.
async fn a_path_is_reused_when_its_claim_was_deleted_after_a_kill(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let kubeconfig = without_volumes(&scene).await?;
    scene
        .class(json!({"parameters": {"pathPattern": "${.PVC.namespace}-shared"}}))
        .await?;
    let provisioner = scene.watch_as(&kubeconfig, &[]).await?;
    scene.claim("a", json!({})).await?;
    scene.event("a", "cannot create PV").await?;
    provisioner.kill().await?;
    let mut provisioner = scene.watch(&["-v"]).await?;
    scene.bound("a").await?;
    scene.claim("b", json!({})).await?;
    scene.event("b", "can't be this claim's").await?;
    provisioner.kill().await?;

    // The PV is deleted while no provisioner watches: the test removes the finalizer. The directory is empty.
    let volume = scene.bound("a").await?.name_any();
    let bare = json!({"metadata": {"finalizers": null}});
    let patch = kube::api::Patch::Merge(&bare);
    scene.claims().delete("a", &Default::default()).await?;
    let gone = |claim: Option<&PersistentVolumeClaim>| claim.is_none();
    timeout(EVENT_TIMEOUT, await_condition(scene.claims(), "a", gone)).await??;
    scene.volumes().delete(&volume, &Default::default()).await?;
    scene.volumes().patch(&volume, &Default::default(), &patch).await?;
    let gone = |volume: Option<&PersistentVolume>| volume.is_none();
    timeout(EVENT_TIMEOUT, await_condition(scene.volumes(), &volume, gone)).await??;

    provisioner = scene.watch(&[]).await?;
    scene.bound("b").await?;
    provisioner
        .wait_for_log("removed the empty directory of a deleted claim")
        .await?;
    ensure!(scene.directories().await?.len() == 1);
    Ok(())
}

/// The finalizer of a PV with policy Retain, the record of a directory in progress, and a marker that contains only a
/// uid.
async fn remains_of_an_earlier_version_are_removed(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let pattern = json!({"pathPattern": "${.PVC.namespace}-own/${.PVC.name}", "onDelete": "delete"});
    scene
        .class(json!({"reclaimPolicy": "Retain", "parameters": pattern}))
        .await?;
    let provisioner = scene.watch(&[]).await?;
    let claim = scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?.name_any();
    provisioner.kill().await?;
    let (uid, namespace) = (claim.uid().unwrap_or_default(), &scene.namespace);
    let class = scene.classes().get(&scene.class).await?.uid().unwrap_or_default();
    let former = json!({"metadata": {"finalizers": ["kubernetes.io/pv-protection", "nfsprov/making"]}});
    let patch = kube::api::Patch::Merge(&former);
    scene.volumes().patch(&volume, &Default::default(), &patch).await?;
    let old = format!(
        "mkdir -p .nfsprov/making && ln -s {class}/{namespace}/a/{namespace}-own/a .nfsprov/making/{volume} && \
         ln -sfn {uid} .nfsprov/owners/{namespace}-own/a/@owner"
    );
    scene.on_server(&old).await?;

    let mut provisioner = scene.watch(&[]).await?;
    let has_none = |volume: Option<&PersistentVolume>| {
        volume.is_some_and(|volume| volume.finalizers() == ["kubernetes.io/pv-protection"])
    };
    timeout(EVENT_TIMEOUT, await_condition(scene.volumes(), &volume, has_none))
        .await
        .context("the finalizer remains")??;
    let policy = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}});
    let patch = kube::api::Patch::Merge(&policy);
    scene.volumes().patch(&volume, &Default::default(), &patch).await?;
    scene.claims().delete("a", &Default::default()).await?;
    provisioner.wait_for_log("deleted").await?;
    let left = scene.directories().await?;
    ensure!(left.is_empty(), "{left:?}");
    let find = format!("find .nfsprov/making .nfsprov/owners -name '{volume}' -o -name '{namespace}*' || true");
    let left = scene.on_server(&find).await?;
    ensure!(left.is_empty(), "{left}");
    Ok(())
}

async fn the_api_server_may_restart(stage: Arc<Stage>) -> Result<()> {
    let mut plane = stage.another_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.class(json!({})).await?;
    let mut provisioner = scene.watch(&[]).await?;
    scene.claim("before", json!({})).await?;
    scene.bound("before").await?;
    plane.stop_api_server().await?;
    provisioner.wait_for_log("trying again").await?;
    plane.start_api_server().await?;
    scene.claim("after", json!({})).await?;
    scene.bound("after").await?;
    let status = provisioner.stop().await?;
    ensure!(status.code() == Some(0), "{status}");
    plane.stop().await
}

/// A scene with its own NFS server.
async fn on_own_server(stage: &Arc<Stage>, name: &str) -> Result<(Scene, Guest)> {
    let guest = stage.guest(name, Template::NfsServer).await?;
    let mut scene = stage.scene().await?;
    scene.export = Directories::Guest(guest.address().to_string());
    scene.class(json!({})).await?;
    Ok((scene, guest))
}

async fn claims_wait_for_an_nfs_server_that_hangs(stage: Arc<Stage>) -> Result<()> {
    let (scene, guest) = on_own_server(&stage, "hanging").await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("before", json!({})).await?;
    scene.bound("before").await?;
    let hung = Instant::now();
    guest.hang()?;
    let names = ["a", "b", "c"];
    for name in names {
        scene.claim(name, json!({})).await?;
    }
    for name in names {
        let event = scene
            .event(name, "ProvisioningFailed: failed to provision volume")
            .await?;
        ensure!(
            event.contains("does not answer") && event.contains("next try"),
            "{event}"
        );
    }
    // After 20 s: the retries have failed too, and the claims stay Pending.
    tokio::time::sleep_until(hung + Duration::from_secs(20)).await;
    ensure!(scene.phase("a").await? == "Pending");
    guest.resume()?;
    for name in names {
        scene.bound(name).await?;
    }
    Ok(())
}

async fn the_nfs_server_may_restart(stage: Arc<Stage>) -> Result<()> {
    let (scene, mut guest) = on_own_server(&stage, "restarting").await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("before", json!({})).await?;
    scene.bound("before").await?;
    guest.kill().await?;
    scene.claim("meanwhile", json!({})).await?;
    scene
        .event("meanwhile", "ProvisioningFailed: failed to provision volume")
        .await?;
    guest.restart().await?;
    scene.bound("meanwhile").await?;
    Ok(())
}

async fn an_nfs_server_that_is_down_at_the_start_is_waited_for(stage: Arc<Stage>) -> Result<()> {
    let (scene, mut guest) = on_own_server(&stage, "down").await?;
    guest.kill().await?;
    let mut provisioner = scene.watch(&[]).await?;
    provisioner.wait_for_log("waiting for it").await?;
    scene.claim("a", json!({})).await?;
    let event = scene
        .event("a", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(event.contains("does not answer"), "{event}");
    guest.restart().await?;
    scene.bound("a").await?;
    Ok(())
}

async fn errors_at_the_start_are_one_sentence(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let Directories::Guest(address) = &scene.export else {
        anyhow::bail!("this test needs the lab's NFS server");
    };
    let directory = tempfile::tempdir()?;
    let (garbage, refused) = (directory.path().join("garbage"), directory.path().join("refused"));
    std::fs::write(&garbage, "{ not: [yaml")?;
    let text = std::fs::read_to_string(&scene.kubeconfig)?;
    let url = text.split_whitespace().find(|word| word.contains("https://"));
    let url = url.context("no server in the kubeconfig")?.trim_matches('"');
    std::fs::write(&refused, text.replace(url, "https://127.0.0.1:1"))?;
    let (garbage, refused) = (garbage.display().to_string(), refused.display().to_string());
    for (server, path, more, words) in [
        (
            "no-such-host.invalid",
            "/nfsdata",
            vec![],
            "no-such-host.invalid has no address",
        ),
        // No server listens on this machine's own addresses in the lab's network.
        ("127.0.0.1", "/nfsdata", vec![], "127.0.0.1:/nfsdata does not answer"),
        (address, "/nosuch", vec![], "refuses"),
        (address, "/nfsdata", vec!["--kubeconfig", &garbage], "garbage"),
        (
            address,
            "/nfsdata",
            vec!["--context", "nosuch"],
            "no context \"nosuch\"",
        ),
        (
            address,
            "/nfsdata",
            vec!["--kubeconfig", &refused],
            "https://127.0.0.1:1 does not answer",
        ),
        (address, "/nfsdata", vec!["--via", "dir:/no/such"], "/no/such"),
    ] {
        let mut command = Command::new(NFSPROV);
        command
            .args(["provision", "--server", server, "--path", path])
            .args(&more);
        if !more.contains(&"--kubeconfig") {
            command.arg("--kubeconfig").arg(&scene.kubeconfig);
        }
        let output = timeout(EVENT_TIMEOUT, command.kill_on_drop(true).output()).await;
        let output = output.with_context(|| format!("{server}:{path} {more:?} takes over {EVENT_TIMEOUT:?}"))??;
        let (stdout, stderr, code) = output_parts(&output);
        ensure!(
            code == 1 && stdout.is_empty(),
            "{server}:{path} {more:?}: {code} {stdout}"
        );
        ensure!(
            stderr.starts_with("error: ") && stderr.contains(words),
            "{more:?}: {stderr}"
        );
        ensure!(
            stderr.trim_end().lines().count() == 1,
            "{more:?}: more than a sentence: {stderr}"
        );
    }
    Ok(())
}
