//! From a deleted claim to the fate of its data: archived, retained or deleted.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use kube::api::Patch;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use crate::kit::{EVENT_TIMEOUT, Scene};
use crate::stage::{Stage, usual_or_thorough};

crate::tests! {
    Both("finalizers and the order in which volumes go differ"): a_deleted_claim_is_archived_by_default,
    Newest: a_deleted_claim_is_removed_where_the_class_says_so,
    Newest: a_deleted_claim_leaves_its_directory_with_on_delete_retain,
    Newest: a_retained_volume_stays_released,
    Newest: a_class_deleted_meanwhile_changes_nothing,
    Newest: a_tree_however_deep_and_wide_is_removed,
    Newest: a_removal_ends_at_sigterm,
    Newest: a_name_that_is_not_utf_8_is_reported,
    Newest: a_class_recreated_meanwhile_changes_nothing,
    Newest: an_archive_is_never_written_over,
    Newest: finalizers_of_others_are_left_alone,
    Both("finalizers and the order in which volumes go differ"): a_volume_deleted_before_its_claim_loses_nothing,
    Newest: a_volume_that_points_elsewhere_is_not_touched,
}

/// A Bound claim with a file in its volume; returns the PV and the name of its directory.
async fn with_data(scene: &Scene) -> Result<(PersistentVolume, String)> {
    scene.claim("data", json!({})).await?;
    let volume = scene.bound("data").await?;
    let directories = scene.directories().await?;
    let directory = directories.first().context("no directory")?.clone();
    scene
        .on_server(&format!("mkdir {directory}/sub && echo kept > {directory}/sub/file"))
        .await?;
    Ok((volume, directory))
}

async fn fate(stage: Arc<Stage>, parameters: Value) -> Result<(Scene, String)> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": parameters})).await?;
    let provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    scene.delete_with_volume("data", &volume).await?;
    provisioner.stop().await?;
    Ok((scene, directory))
}

async fn a_deleted_claim_is_archived_by_default(stage: Arc<Stage>) -> Result<()> {
    let (scene, directory) = fate(stage, json!({})).await?;
    ensure!(scene.directories().await? == [format!("archived-{directory}")]);
    let text = scene.on_server(&format!("cat archived-{directory}/sub/file")).await?;
    ensure!(text == "kept\n", "{text}");
    Ok(())
}

async fn a_deleted_claim_is_removed_where_the_class_says_so(stage: Arc<Stage>) -> Result<()> {
    let (scene, _) = fate(stage, json!({"archiveOnDelete": "false"})).await?;
    let left = scene.directories().await?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

async fn a_deleted_claim_leaves_its_directory_with_on_delete_retain(stage: Arc<Stage>) -> Result<()> {
    let (scene, directory) = fate(stage, json!({"onDelete": "retain", "archiveOnDelete": "false"})).await?;
    ensure!(scene.directories().await? == [directory]);
    Ok(())
}

async fn a_retained_volume_stays_released(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"reclaimPolicy": "Retain"})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    scene.claims().delete("data", &Default::default()).await?;
    let name = volume.name_any();
    scene.wait_for_phase(&name, "Released").await?;
    // The same provisioner deletes a volume that was released later, so it has already seen and kept this one.
    scene.classes().delete(&scene.class, &Default::default()).await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    scene.claim("later", json!({})).await?;
    let later = scene.bound("later").await?;
    scene.delete_with_volume("later", &later).await?;
    ensure!(scene.volumes().get_opt(&name).await?.is_some());
    ensure!(scene.directories().await? == [directory]);
    Ok(())
}

async fn a_class_deleted_meanwhile_changes_nothing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"archiveOnDelete": "false"}})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let (volume, _) = with_data(&scene).await?;
    scene.classes().delete(&scene.class, &Default::default()).await?;
    scene.delete_with_volume("data", &volume).await?;
    ensure!(scene.directories().await?.is_empty());
    Ok(())
}

async fn a_tree_however_deep_and_wide_is_removed(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    // More entries than one listing returns. The removal uses file handles, so no depth is too great.
    let tree = "for (1 .. 1100) { open F, q(>), $_ or die } \
                for (1 .. 150) { mkdir q(d) or die; chdir q(d) or die; open F, q(>f) or die }";
    scene.on_server(&format!("cd {directory} && perl -e '{tree}'")).await?;
    scene.delete_with_volume("data", &volume).await?;
    ensure!(scene.directories().await?.is_empty());
    let trashed = format!(".nfsprov/trash/{}", volume.name_any());
    let until_removed = async {
        while scene
            .on_server(&format!("ls -d {trashed} || true"))
            .await?
            .contains(&trashed)
        {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(EVENT_TIMEOUT, until_removed)
        .await
        .context("the trash is not emptied")??;
    Ok(())
}

/// The removal takes far longer than this test waits: the provisioner deletes some thousand files a second over NFS.
async fn a_removal_ends_at_sigterm(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    let args = ["--leader-elect", "--lease-namespace", &scene.namespace];
    let provisioner = scene.watch(&args).await?;
    let (volume, directory) = with_data(&scene).await?;
    let count = usual_or_thorough(10_000, 100_000);
    let files = format!("for (1 .. {count}) {{ open F, q(>), $_ or die }}");
    scene.on_server(&format!("cd {directory} && perl -e '{files}'")).await?;
    scene.delete_with_volume("data", &volume).await?;
    let stopping = tokio::time::Instant::now();
    provisioner.stop().await?;
    let took = stopping.elapsed();
    let trashed = format!(".nfsprov/trash/{}", volume.name_any());
    let left = scene.on_server(&format!("ls {trashed} | wc -l")).await?;
    ensure!(took < Duration::from_secs(2), "it took {took:?}");
    ensure!(left.trim() != "0", "the removal was over before");
    // It watches once it leads; it must not have to wait until the first one's Lease expires.
    let next = tokio::time::timeout(Duration::from_secs(10), scene.watch(&args)).await;
    let _next = next.context("the Lease is not free")??;
    let until_removed = async {
        while scene
            .on_server(&format!("ls -d {trashed} || true"))
            .await?
            .contains(&trashed)
        {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(usual_or_thorough(2, 10) * EVENT_TIMEOUT, until_removed)
        .await
        .context("the trash is not emptied")??;
    Ok(())
}

async fn a_name_that_is_not_utf_8_is_reported(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    let mut provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    let file = "sub/\"$(printf 'latin\\351')\"";
    scene.on_server(&format!("touch {directory}/{file}")).await?;
    scene.delete_with_volume("data", &volume).await?;
    ensure!(scene.directories().await?.is_empty());
    provisioner.wait_for_log("whose name is not UTF-8").await?;
    scene
        .on_server(&format!("rm .nfsprov/trash/{}/{file}", volume.name_any()))
        .await?;
    Ok(())
}

async fn a_class_recreated_meanwhile_changes_nothing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"archiveOnDelete": "true"}})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    scene.classes().delete(&scene.class, &Default::default()).await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    scene.delete_with_volume("data", &volume).await?;
    ensure!(scene.directories().await? == [format!("archived-{directory}")]);
    Ok(())
}

async fn an_archive_is_never_written_over(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    scene
        .on_server(&format!(
            "mkdir archived-{directory} && echo old > archived-{directory}/file"
        ))
        .await?;
    scene.delete_with_volume("data", &volume).await?;
    let archives = scene.directories().await?;
    ensure!(archives.len() == 2 && !archives.contains(&directory), "{archives:?}");
    let old = scene.on_server(&format!("cat archived-{directory}/file")).await?;
    let new = scene
        .on_server(&format!("cat archived-{directory}-2*/sub/file"))
        .await?;
    ensure!(old == "old\n" && new == "kept\n", "{old} {new}");
    Ok(())
}

async fn finalizers_of_others_are_left_alone(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    let name = volume.name_any();
    let mut finalizers = volume.finalizers().to_vec();
    ensure!(
        finalizers.len() == 2,
        "not the cluster's and the provisioner's finalizer: {finalizers:?}"
    );
    finalizers.push("example.com/keep".into());
    let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    scene.volumes().patch(&name, &Default::default(), &patch).await?;
    scene.claims().delete("data", &Default::default()).await?;
    let left =
        |volume: Option<&PersistentVolume>| volume.is_some_and(|volume| volume.finalizers() == ["example.com/keep"]);
    tokio::time::timeout(EVENT_TIMEOUT, await_condition(scene.volumes(), &name, left))
        .await
        .context("the provisioner's finalizer remains, or the other one is missing")??;
    ensure!(scene.directories().await? == [format!("archived-{directory}")]);
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    scene.volumes().patch(&name, &Default::default(), &patch).await?;
    Ok(())
}

async fn a_volume_deleted_before_its_claim_loses_nothing(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    scene.volumes().delete(&volume.name_any(), &Default::default()).await?;
    // The provisioner deletes another volume meanwhile, so it has already seen this one while its claim existed.
    scene.claim("later", json!({})).await?;
    let later = scene.bound("later").await?;
    scene.delete_with_volume("later", &later).await?;
    ensure!(scene.directories().await?.contains(&directory));
    scene.delete_with_volume("data", &volume).await?;
    ensure!(scene.directories().await?.contains(&format!("archived-{directory}")));
    Ok(())
}

/// A user creates a PV under the provisioner's name that points to a directory of another volume.
async fn a_volume_that_points_elsewhere_is_not_touched(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let mut provisioner = scene.watch(&[]).await?;
    let (volume, directory) = with_data(&scene).await?;
    let name = format!("forged-{}", scene.namespace);
    let mut forged = volume.clone();
    forged.metadata.name = Some(name.clone());
    forged.metadata.resource_version = None;
    forged.metadata.uid = None;
    forged.status = None;
    let reference = forged.spec.as_mut().and_then(|spec| spec.claim_ref.as_mut());
    let reference = reference.context("no claimRef")?;
    reference.name = Some("nobody".into());
    reference.uid = Some("00000000-0000-0000-0000-000000000000".into());
    scene.volumes().create(&Default::default(), &forged).await?;
    provisioner.wait_for_log("which was not created for it").await?;
    ensure!(scene.directories().await? == [directory]);
    ensure!(scene.volumes().get_opt(&name).await?.is_some());
    // Removes the finalizer, so that the PV does not stay terminating.
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    scene.volumes().patch(&name, &Default::default(), &patch).await?;
    scene.volumes().delete(&name, &Default::default()).await?;
    Ok(())
}
