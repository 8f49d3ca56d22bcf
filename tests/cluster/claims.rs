//! From a claim to a Bound claim.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use crate::kit::{Directories, EVENT_TIMEOUT, output_parts};
use crate::stage::Stage;

crate::tests! {
    Both("the annotation that hands a claim over differs"): three_claims_of_a_statefulset_become_bound,
    Newest: claims_that_came_first_are_served,
    Newest: one_pass_serves_what_waits_and_ends,
    Newest: a_dry_run_makes_nothing,
    Both("the annotation that hands a claim over differs"): a_claim_waits_for_its_first_pod,
    Newest: a_claim_waits_for_its_class,
    Newest: a_claim_of_another_provisioner_is_left_alone,
    Newest: what_nfs_cannot_give_is_refused_with_an_event,
    Newest: a_volume_names_its_claim_and_unknown_parameters_are_reported_once,
    Newest: a_local_directory_serves_as_well,
}

async fn three_claims_of_a_statefulset_become_bound(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"mountOptions": ["nfsvers=4.1"]})).await?;
    let provisioner = scene.watch(&[]).await?;
    let names = ["www-web-0", "www-web-1", "www-web-2"];
    for name in names {
        scene.claim(name, json!({})).await?;
    }
    for name in names {
        let volume = scene.bound(name).await?;
        let uid = scene.claims().get(name).await?.uid().unwrap_or_default();
        ensure!(volume.name_any() == format!("pvc-{uid}"), "{volume:?}");
        let spec = volume.spec.unwrap_or_default();
        let directory = format!("{}-{name}-pvc-{uid}", scene.namespace);
        let path = spec.nfs.map(|nfs| nfs.path).unwrap_or_default();
        ensure!(path.ends_with(&format!("/{directory}")), "{path}");
        ensure!(spec.mount_options == Some(vec!["nfsvers=4.1".into()]));
        let mode = scene.on_server(&format!("stat -c %a {directory}")).await?;
        ensure!(mode.trim() == "777", "mode {mode}");
        scene
            .event(
                name,
                "Provisioning: External provisioner is provisioning volume for claim",
            )
            .await?;
        scene
            .event(name, "ProvisioningSucceeded: Successfully provisioned volume pvc-")
            .await?;
    }
    ensure!(scene.directories().await?.len() == 3);
    let status = provisioner.stop().await?;
    ensure!(status.code() == Some(0), "after SIGTERM: {status}");
    Ok(())
}

async fn claims_that_came_first_are_served(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    scene.claim_handed_over("early", json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.bound("early").await?;
    Ok(())
}

async fn one_pass_serves_what_waits_and_ends(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    scene.claim_handed_over("b", json!({})).await?;
    scene.claim_handed_over("block", json!({"volumeMode": "Block"})).await?;
    let args = scene.provision_args();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(code == 1, "a refused claim is a failure: {code}\n{stdout}\n{stderr}");
    ensure!(
        stdout.matches(" provisioned ").count() == 2 && stdout.contains("block device"),
        "{stdout}"
    );
    scene.bound("a").await?;
    scene.bound("b").await?;
    scene.claims().delete("block", &Default::default()).await?;
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(code == 0 && stdout.is_empty(), "{stdout}");
    ensure!(stderr.contains("no claim is pending for provisioner"), "{stderr}");
    Ok(())
}

async fn a_dry_run_makes_nothing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    let mut args = scene.provision_args();
    args.extend(["--dry-run", "-o", "json"].map(str::to_owned));
    let (stdout, _, code) = output_parts(&scene.nfsprov(&args).await?);
    let result: Value = serde_json::from_str(&stdout)?;
    ensure!(
        code == 0 && result["items"][0]["result"] == "would provision",
        "{stdout}"
    );
    ensure!(scene.directories().await?.is_empty() && scene.phase("a").await? == "Pending");
    Ok(())
}

async fn a_claim_waits_for_its_first_pod(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene
        .class(json!({"volumeBindingMode": "WaitForFirstConsumer"}))
        .await?;
    let mut provisioner = scene.watch(&["-v"]).await?;
    let claim = scene.claim("late", json!({})).await?;
    scene.event("late", "WaitForFirstConsumer").await?;
    let annotate = async |annotations: Value| {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        scene.claims().patch("late", &PatchParams::default(), &patch).await
    };
    // The claim names the provisioner but has no node: only the class's binding mode delays it now.
    annotate(json!({"volume.beta.kubernetes.io/storage-provisioner": scene.provisioner})).await?;
    provisioner.wait_for_log("waiting for the first pod").await?;
    ensure!(scene.phase("late").await? == "Pending" && scene.directories().await?.is_empty());
    annotate(json!({"volume.kubernetes.io/selected-node": "node1"})).await?;
    let volume = scene.bound("late").await?;
    ensure!(volume.name_any() == format!("pvc-{}", claim.uid().unwrap_or_default()));
    Ok(())
}

async fn a_claim_waits_for_its_class(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    scene.classes().delete(&scene.class, &Default::default()).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene
        .event("a", "ProvisioningFailed: failed to provision volume")
        .await?;
    scene.class(json!({})).await?;
    scene.bound("a").await?;
    Ok(())
}

async fn a_claim_of_another_provisioner_is_left_alone(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let other = stage.scene().await?;
    scene.class(json!({})).await?;
    other.class(json!({})).await?;
    let provisioner = scene.watch(&[]).await?;
    other.claim_handed_over("theirs", json!({})).await?;
    // The provisioner serves a later claim, so it has already seen and ignored the other provisioner's claim.
    scene.claim("ours", json!({})).await?;
    scene.bound("ours").await?;
    ensure!(other.phase("theirs").await? == "Pending" && other.directories().await?.is_empty());
    let log = provisioner.log();
    ensure!(!log.contains("theirs"), "{log}");
    Ok(())
}

async fn what_nfs_cannot_give_is_refused_with_an_event(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("block", json!({"volumeMode": "Block"})).await?;
    scene
        .claim("chosen", json!({"selector": {"matchLabels": {"a": "b"}}}))
        .await?;
    let block = scene
        .event("block", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(block.contains("block device"), "{block}");
    let chosen = scene
        .event("chosen", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(chosen.contains("selector"), "{chosen}");
    let copy = json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "block"}});
    scene.claim("copy", copy).await?;
    let copy = scene
        .event("copy", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(copy.contains("asks for a copy"), "{copy}");
    ensure!(scene.directories().await?.is_empty());
    Ok(())
}

/// The description for kubectl, and a class named by the annotation that preceded the field.
async fn a_volume_names_its_claim_and_unknown_parameters_are_reported_once(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene
        .class(json!({"parameters": {"colour": "blue"}, "reclaimPolicy": "Retain"}))
        .await?;
    let _provisioner = scene.watch(&[]).await?;
    let claim = json!({
        "metadata": {"name": "a", "annotations": {"volume.beta.kubernetes.io/storage-class": scene.class}},
        "spec": {"accessModes": ["ReadWriteMany", "ReadOnlyMany"], "resources": {"requests": {"storage": "1500M"}}},
    });
    let claim = serde_json::from_value(claim)?;
    let claim = scene.claims().create(&Default::default(), &claim).await?;
    let volume = scene.bound("a").await?;
    ensure!(volume.annotations().get("pv.kubernetes.io/provisioned-by") == Some(&scene.provisioner));
    let only_protected = |volume: Option<&PersistentVolume>| {
        volume.is_some_and(|volume| volume.finalizers() == ["kubernetes.io/pv-protection"])
    };
    let name = volume.name_any();
    tokio::time::timeout(EVENT_TIMEOUT, await_condition(scene.volumes(), &name, only_protected))
        .await
        .context("the PV with policy Retain still has the finalizer")??;
    let spec = volume.spec.unwrap_or_default();
    ensure!(spec.storage_class_name.as_ref() == Some(&scene.class));
    ensure!(spec.persistent_volume_reclaim_policy.as_deref() == Some("Retain"));
    ensure!(spec.access_modes == Some(vec!["ReadWriteMany".into(), "ReadOnlyMany".into()]));
    ensure!(spec.capacity.unwrap_or_default()["storage"].0 == "1500M");
    ensure!(spec.nfs.unwrap_or_default().read_only != Some(true));
    ensure!(spec.claim_ref.unwrap_or_default().uid == claim.uid());
    let event = scene.event("a", "UnknownParameters").await?;
    ensure!(event.contains("colour"), "{event}");
    scene.event("a", "ProvisioningSucceeded").await?;
    let found_events = scene.events("a").await?;
    ensure!(
        found_events.iter().filter(|event| event.contains("colour")).count() == 1,
        "{found_events:?}"
    );
    Ok(())
}

async fn a_local_directory_serves_as_well(stage: Arc<Stage>) -> Result<()> {
    let mut scene = stage.scene().await?;
    let root = tempfile::tempdir()?;
    scene.export = Directories::Local(root.path().to_owned());
    scene.class(json!({"parameters": {"dirMode": "0770"}})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let mode = scene.on_server("stat -c %a *").await?;
    ensure!(mode.trim() == "770", "{mode}");
    scene.delete_with_volume("a", &volume).await?;
    let left = scene.directories().await?;
    ensure!(left.len() == 1 && left[0].starts_with("archived-"), "{left:?}");
    Ok(())
}
