//! What breaks, and what must not.

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

use crate::kit::{Directories, NFSPROV, PATIENCE, Scene, said};
use crate::stage::Stage;

crate::tests! {
    Newest: killed_between_directory_and_volume_it_continues,
    Newest: a_claim_deleted_between_directory_and_volume_leaves_nothing,
    Newest: a_retained_volume_deleted_right_after_a_kill_leaves_its_directory,
    Newest: what_another_cluster_has_half_made_is_left_alone,
    Both("new API servers stream lists"): the_api_server_may_restart,
    Newest: claims_wait_for_an_nfs_server_that_hangs,
    Newest: the_nfs_server_may_restart,
    Newest: what_is_wrong_at_the_start_is_said_in_one_sentence,
}

/// A user who may do all that the provisioner must, but for making PVs: it gets as far as the directory.
pub async fn without_volumes(scene: &Scene) -> Result<PathBuf> {
    with_volumes(scene, &["get", "list", "watch"]).await
}

/// A user who may do all that the provisioner must, but with PVs only this.
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
    ensure!(scene.directories().await?.len() == 1, "the directory comes first");
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

/// The claim goes while nobody runs, and with it what was half made, and what said whose it was.
async fn a_claim_deleted_between_directory_and_volume_leaves_nothing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let kubeconfig = without_volumes(&scene).await?;
    for (claim, pattern) in [("plain", false), ("named", true)] {
        let parameters = match pattern {
            true => json!({"pathPattern": "${.PVC.namespace}-own"}),
            false => json!({}),
        };
        scene.class(json!({"parameters": parameters})).await?;
        let provisioner = scene.watch_as(&kubeconfig, &[]).await?;
        scene.claim(claim, json!({})).await?;
        scene.event(claim, "cannot create PV").await?;
        provisioner.kill().await?;
        ensure!(scene.directories().await?.len() == 1, "the directory comes first");
        scene.claims().delete(claim, &Default::default()).await?;
        let gone = |claim: Option<&PersistentVolumeClaim>| claim.is_none();
        timeout(PATIENCE, await_condition(scene.claims(), claim, gone)).await??;

        let mut provisioner = scene.watch(&[]).await?;
        provisioner.says("cleared away").await?;
        let left = scene.directories().await?;
        ensure!(left.is_empty(), "{left:?}");
        let left = scene
            .on_server(&format!(
                "find .nfsprov -name '*{}*'; grep -r x .nfsprov/making || true",
                scene.namespace
            ))
            .await?;
        ensure!(left.is_empty(), "{left}");
        if pattern {
            scene.claim("b", json!({})).await?;
            scene.bound("b").await?;
        } else {
            scene.classes().delete(&scene.class, &Default::default()).await?;
        }
        provisioner.stop().await?;
    }
    Ok(())
}

/// There was a PV, so the directory is no half made one, though the kill left it written down as such.
async fn a_retained_volume_deleted_right_after_a_kill_leaves_its_directory(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"reclaimPolicy": "Retain"})).await?;
    let kubeconfig = with_volumes(&scene, &["get", "list", "watch", "create"]).await?;
    let mut hindered = scene.watch_as(&kubeconfig, &[]).await?;
    let claim = scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?.name_any();
    hindered.says("in the making still").await?;
    hindered.kill().await?;
    // That it can't take the finalizer off stops it a moment later than the kill that is meant.
    let directory = scene.directories().await?.pop().context("no directory")?;
    let class = scene.classes().get(&scene.class).await?.uid().unwrap_or_default();
    let target = format!("{class}/{}/{}/{directory}", scene.namespace, claim.name_any());
    scene
        .on_server(&format!("ln -s {target} .nfsprov/making/{volume}"))
        .await?;
    scene.volumes().delete(&volume, &Default::default()).await?;
    scene.claims().delete("a", &Default::default()).await?;
    let gone = |claim: Option<&PersistentVolumeClaim>| claim.is_none();
    timeout(PATIENCE, await_condition(scene.claims(), "a", gone)).await??;

    let _provisioner = scene.watch(&[]).await?;
    let gone = |volume: Option<&PersistentVolume>| volume.is_none();
    timeout(PATIENCE, await_condition(scene.volumes(), &volume, gone))
        .await
        .context("the PV is held back still")??;
    ensure!(scene.directories().await? == [directory]);
    let link = scene.on_server(&format!("find .nfsprov/making -name {volume}")).await?;
    ensure!(link.is_empty(), "{link}");
    Ok(())
}

/// Two clusters with one export between them: a claim of the one waits while the other's provisioner starts.
async fn what_another_cluster_has_half_made_is_left_alone(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let kubeconfig = without_volumes(&scene).await?;
    let hindered = scene.watch_as(&kubeconfig, &[]).await?;
    scene.claim("a", json!({})).await?;
    scene.event("a", "cannot create PV").await?;
    hindered.kill().await?;
    let half_made = scene.directories().await?;

    let plane = stage.cleared_control_plane().await?;
    let theirs = stage.scene_on(plane.kubeconfig()).await?;
    theirs.class(json!({})).await?;
    let mut other = theirs.watch(&["-v"]).await?;
    let volume = half_made.first().and_then(|directory| directory.split_once("-pvc-"));
    let volume = volume.map(|(_, uid)| format!("pvc-{uid}")).context("no directory")?;
    other.says(&format!("left alone volume=\"{volume}\"")).await?;
    other.stop().await?;
    let left = scene.directories().await?;
    ensure!(left.len() == 1 && left == half_made, "{half_made:?}, now {left:?}");

    let _provisioner = scene.watch(&[]).await?;
    scene.bound("a").await?;
    stage.give_back(plane).await
}

async fn the_api_server_may_restart(stage: Arc<Stage>) -> Result<()> {
    let mut plane = stage.another_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.class(json!({})).await?;
    let mut provisioner = scene.watch(&[]).await?;
    scene.claim("before", json!({})).await?;
    scene.bound("before").await?;
    plane.stop_api_server().await?;
    provisioner.says("trying again").await?;
    plane.start_api_server().await?;
    scene.claim("after", json!({})).await?;
    scene.bound("after").await?;
    let status = provisioner.stop().await?;
    ensure!(status.code() == Some(0), "{status}");
    plane.stop().await
}

/// A scene on an NFS server of its own.
async fn on_own_server(stage: &Arc<Stage>, name: &str) -> Result<(Scene, Guest)> {
    let guest = stage.lab().guest(name, Template::NfsServer).await?;
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
    // Down for 20 s in all: later tries fail too, and the claims go on waiting.
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

async fn what_is_wrong_at_the_start_is_said_in_one_sentence(stage: Arc<Stage>) -> Result<()> {
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
        // Nothing listens on this machine's own addresses in the lab's network.
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
        let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await;
        let output = output.with_context(|| format!("{server}:{path} {more:?} takes over {PATIENCE:?}"))??;
        let (stdout, stderr, code) = said(&output);
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
