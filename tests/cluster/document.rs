//! The document on which this tool is based, its sections two to four, each file by one command.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::json;
use tokio::time::timeout;

use crate::kit::{EVENT_TIMEOUT, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Both("the controllers for volumes differ"): a_static_volume_serves_one_claim_and_is_kept,
    Both("the controllers for StatefulSets differ"): a_stateful_sets_claims_are_provisioned,
}

/// Runs the tool with the words of `command`, and returns its stdout.
async fn ok(scene: &Scene, command: &str) -> Result<String> {
    let args: Vec<&str> = command.split_whitespace().collect();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(code == 0, "{command}: {code} {stderr}");
    Ok(stdout)
}

fn pods(scene: &Scene) -> Api<Pod> {
    Api::namespaced(scene.client.clone(), &scene.namespace)
}

/// Waits until a volume is in `phase`.
async fn wait_for_phase(scene: &Scene, volume: &str, phase: &str) -> Result<()> {
    let there = |volume: Option<&PersistentVolume>| {
        let status = volume.and_then(|volume| volume.status.as_ref());
        status.and_then(|status| status.phase.as_deref()) == Some(phase)
    };
    match timeout(EVENT_TIMEOUT, await_condition(scene.volumes(), volume, there)).await {
        Ok(found) => _ = found?,
        Err(_) => bail!(
            "{volume} is not {phase}: {:?}",
            scene.volumes().get(volume).await?.status
        ),
    }
    Ok(())
}

async fn a_static_volume_serves_one_claim_and_is_kept(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.service_account().await?;
    let (volume, class) = (format!("mypv-{}", scene.namespace), format!("nfs-{}", scene.namespace));
    let create = format!(
        "create pv {volume} --server 10.128.1.117 --path /nfsdata --size 1Gi --access-mode RWO --reclaim-policy Retain \
         --class {class} --apply --wait"
    );
    let output_text = ok(&scene, &create).await?;
    ensure!(
        output_text.ends_with(&format!("persistentvolume/{volume} is Available\n")),
        "{output_text}"
    );
    let claim = format!("create pvc mypvc --size 1Gi --access-mode RWO --class {class} --apply");
    let output_text = ok(&scene, &format!("{claim} --wait")).await?;
    ensure!(
        output_text.ends_with("persistentvolumeclaim/mypvc is Bound\n"),
        "{output_text}"
    );
    let output_text = ok(&scene, "create pod mypod --claim mypvc --apply").await?;
    ensure!(output_text == "pod/mypod created\n", "{output_text}");
    wait_for_phase(&scene, &volume, "Bound").await?;
    pods(&scene).delete("mypod", &Default::default()).await?;
    scene.claims().delete("mypvc", &Default::default()).await?;
    wait_for_phase(&scene, &volume, "Released").await?;
    // No other claim gets the PV, as the note on Retain says; an event shows that the controller manager has tried.
    ok(&scene, &claim).await?;
    scene.event("mypvc", "ProvisioningFailed").await?;
    ensure!(scene.phase("mypvc").await? == "Pending");
    wait_for_phase(&scene, &volume, "Released").await
}

async fn a_stateful_sets_claims_are_provisioned(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.service_account().await?;
    let class = format!(
        "create storageclass {} --provisioner {} --on-delete delete --apply",
        scene.class, scene.provisioner
    );
    ok(&scene, &class).await?;
    let _provisioner = scene.watch(&[]).await?;
    let set = format!(
        "create statefulset web --app nginx --class {} --image wangyanglinux/myapp:v1 --node-port 30013 --apply",
        scene.class
    );
    let output_text = ok(&scene, &set).await?;
    ensure!(
        output_text == "service/nginx created\nstatefulset/web created\n",
        "{output_text}"
    );
    for number in 0..3 {
        let volume = scene.bound(&format!("www-web-{number}")).await?;
        let nfs = volume.spec.and_then(|spec| spec.nfs).context("no NFS volume")?;
        ensure!(
            nfs.path.contains(&format!("{}-www-web-{number}-pvc-", scene.namespace)),
            "{}",
            nfs.path
        );
        // The lab has no node, and the next pod is created when this one is ready, so the test writes its status.
        let pod = format!("web-{number}");
        timeout(
            EVENT_TIMEOUT,
            await_condition(pods(&scene), &pod, |pod: Option<&Pod>| pod.is_some()),
        )
        .await??;
        let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        pods(&scene)
            .patch_status(&pod, &PatchParams::default(), &Patch::Strategic(ready))
            .await?;
    }
    ensure!(scene.directories().await?.len() == 3);
    Ok(())
}
