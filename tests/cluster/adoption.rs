//! The provisioner takes over volumes of nfs-subdir-external-provisioner under its provisioner name.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::kit::{Directories, Scene};
use crate::stage::Stage;

crate::tests! {
    Newest: a_volume_of_upstream_is_archived_or_deleted_as_its_class_says,
    Newest: a_volume_of_upstream_with_a_nested_pattern_is_deleted_completely,
    Newest: a_volume_of_upstream_waits_for_others_in_the_same_directory,
    Newest: data_of_a_retained_or_mounted_volume_of_upstream_survives_its_neighbours,
    Newest: a_pattern_gives_no_directory_where_a_volume_made_by_hand_lies,
}

/// A Bound claim as upstream leaves it: a PV `pvc-<uid>` without a record or a finalizer, and `directory` with a file.
async fn upstreams(scene: &Scene, claim: &str, directory: Option<&str>) -> Result<PersistentVolume> {
    upstreams_of(scene, &scene.class, claim, directory).await
}

/// Like [`upstreams`], for another class than the scene's.
async fn upstreams_of(scene: &Scene, class: &str, claim: &str, directory: Option<&str>) -> Result<PersistentVolume> {
    let object: PersistentVolumeClaim = scene.claim(claim, json!({"storageClassName": class})).await?;
    let uid = object.uid().context("no uid")?;
    let named = format!("{}-{claim}-pvc-{uid}", scene.namespace);
    let directory = directory.unwrap_or(&named);
    scene
        .on_server(&format!("mkdir -p {directory} && echo kept > {directory}/{claim}"))
        .await?;
    let (server, root) = match &scene.export {
        Directories::Guest(address) => (address.as_str(), "/nfsdata".to_owned()),
        Directories::Local(root) => ("localhost", root.display().to_string()),
    };
    let volume: Value = json!({
        "metadata": {"name": format!("pvc-{uid}"), "annotations": {"pv.kubernetes.io/provisioned-by": scene.provisioner}},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": scene.namespace,
                         "name": claim, "uid": uid},
            "nfs": {"server": server, "path": format!("{root}/{directory}")},
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": class,
        },
    });
    let volume = serde_json::from_value(volume)?;
    scene.volumes().create(&Default::default(), &volume).await?;
    scene.bound(claim).await
}

async fn a_volume_of_upstream_is_archived_or_deleted_as_its_class_says(stage: Arc<Stage>) -> Result<()> {
    for (parameters, archived) in [(json!({}), true), (json!({"archiveOnDelete": "false"}), false)] {
        let scene = stage.scene().await?;
        scene.class(json!({"parameters": parameters})).await?;
        let volume = upstreams(&scene, "a", None).await?;
        let directory = scene.directories().await?.pop().context("no directory")?;
        let _provisioner = scene.watch(&[]).await?;
        scene.delete_with_volume("a", &volume).await?;
        let left = scene.directories().await?;
        match archived {
            true => ensure!(left == [format!("archived-{directory}")], "{left:?}"),
            false => ensure!(left.is_empty(), "{left:?}"),
        }
    }
    Ok(())
}

async fn a_volume_of_upstream_with_a_nested_pattern_is_deleted_completely(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let namespace = &scene.namespace;
    scene
        .class(json!({"parameters": {"pathPattern": "${.PVC.namespace}/deep/${.PVC.name}", "onDelete": "delete"}}))
        .await?;
    let first = upstreams(&scene, "a", Some(&format!("{namespace}/deep/a"))).await?;
    let second = upstreams(&scene, "b", Some(&format!("{namespace}/deep/b"))).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.delete_with_volume("a", &first).await?;
    let left = scene.on_server(&format!("cd {namespace} && find . -type f")).await?;
    ensure!(left == "./deep/b/b\n", "{left}");

    // Without its class, the policy for the directory is unknown, so the provisioner keeps the directory.
    scene.classes().delete(&scene.class, &Default::default()).await?;
    scene.delete_with_volume("b", &second).await?;
    let archive = scene
        .on_server(&format!("cat archived-{namespace}-deep-b-pvc-*/b"))
        .await?;
    ensure!(archive == "kept\n", "{archive}");
    Ok(())
}

async fn a_volume_of_upstream_waits_for_others_in_the_same_directory(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let namespace = scene.namespace.clone();
    scene
        .class(json!({"parameters": {"pathPattern": "${.PVC.namespace}", "onDelete": "delete"}}))
        .await?;
    let first = upstreams(&scene, "a", Some(&namespace)).await?;
    let second = upstreams(&scene, "b", Some(&namespace)).await?;
    let mut provisioner = scene.watch(&[]).await?;
    scene.claims().delete("a", &Default::default()).await?;
    provisioner.wait_for_log("waits until that is deleted").await?;
    let left = scene.on_server(&format!("ls {namespace}")).await?;
    ensure!(left == "a\nb\n", "{left}");
    // After the other volume is deleted, the provisioner deletes the directory and this volume.
    scene.delete_with_volume("b", &second).await?;
    let left = scene.directories().await?;
    ensure!(left.is_empty(), "{left:?}");
    scene.wait_until_deleted(&first.name_any()).await
}

/// Two groups, one whose class deletes and one whose class archives. Each has a PV `outer` at `team` and a retained PV
/// `inner` at `team/b`, and PVs `one` and `other` at `shared`; the test deletes `other` while a claim uses it.
async fn data_of_a_retained_or_mounted_volume_of_upstream_survives_its_neighbours(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let namespace = &scene.namespace;
    scene.class(json!({"parameters": {"archiveOnDelete": "false"}})).await?;
    let archiving = format!("{namespace}-archiving");
    let class = json!({"metadata": {"name": archiving}, "provisioner": scene.provisioner});
    let class = serde_json::from_value(class)?;
    scene.classes().create(&Default::default(), &class).await?;
    let mut groups = Vec::new();
    for (group, class) in [("deleted", &scene.class), ("archived", &archiving)] {
        let mut volumes = Vec::new();
        for (claim, directory) in [
            ("outer", "team"),
            ("inner", "team/b"),
            ("one", "shared"),
            ("other", "shared"),
        ] {
            let directory = format!("{namespace}/{group}/{directory}");
            let volume = upstreams_of(&scene, class, &format!("{group}-{claim}"), Some(&directory)).await?;
            volumes.push(volume.name_any());
        }
        let [outer, inner, one, other] = volumes.try_into().map_err(|_| anyhow!("not four volumes"))?;
        groups.push((group, outer, inner, one, other));
    }
    let reclaim_policy = |policy: &str| Patch::Merge(json!({"spec": {"persistentVolumeReclaimPolicy": policy}}));
    let delete_claim = async |group: &str, claim: &str| {
        let name = format!("{group}-{claim}");
        scene.claims().delete(&name, &Default::default()).await
    };
    let params = PatchParams::default();
    let mut provisioner = scene.watch(&[]).await?;
    for (group, outer, inner, one, other) in &groups {
        scene.volumes().patch(inner, &params, &reclaim_policy("Retain")).await?;
        scene.volumes().delete(other, &Default::default()).await?;
        delete_claim(group, "inner").await?;
        scene.wait_for_phase(inner, "Released").await?;
        delete_claim(group, "outer").await?;
        delete_claim(group, "one").await?;
        for (neighbour, directory) in [(inner, "team"), (other, "shared")] {
            let words = format!("PV {neighbour} lies at, above or below {namespace}/{group}/{directory}, which waits");
            provisioner.wait_for_log(&words).await?;
        }
        ensure!(scene.phase(&format!("{group}-other")).await? == "Bound");
        let files = scene
            .on_server(&format!("cd {namespace}/{group} && find * -type f"))
            .await?;
        for (directory, claim) in [
            ("team", "outer"),
            ("team/b", "inner"),
            ("shared", "one"),
            ("shared", "other"),
        ] {
            let file = format!("{directory}/{group}-{claim}");
            ensure!(files.lines().any(|line| line == file), "{file} is missing: {files}");
        }
        ensure!(scene.volumes().get_opt(outer).await?.is_some() && scene.volumes().get_opt(one).await?.is_some());
    }
    // Once their neighbours are being deleted or deleted, the provisioner deletes the waiting volumes as well.
    for (group, outer, inner, one, other) in &groups {
        scene.volumes().patch(inner, &params, &reclaim_policy("Delete")).await?;
        delete_claim(group, "other").await?;
        for volume in [outer, inner, one, other] {
            scene.wait_until_deleted(volume).await?;
        }
    }
    let left = scene
        .on_server(&format!("find {namespace} archived-{namespace}-* -type f"))
        .await?;
    let left: Vec<&str> = left.lines().filter_map(|file| file.rsplit('/').next()).collect();
    ensure!(
        left.len() == 4 && left.iter().all(|file| file.starts_with("archived-")),
        "{left:?}"
    );
    Ok(())
}

async fn a_pattern_gives_no_directory_where_a_volume_made_by_hand_lies(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let (server, root) = match &scene.export {
        Directories::Guest(address) => (address.clone(), "/nfsdata".to_owned()),
        Directories::Local(root) => ("localhost".to_owned(), root.display().to_string()),
    };
    let name = format!("hand-{}", scene.namespace);
    let volume = json!({
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"},
                 "nfs": {"server": server, "path": format!("{root}/{}/shared", scene.namespace)}},
    });
    let volume = serde_json::from_value(volume)?;
    scene.volumes().create(&Default::default(), &volume).await?;
    scene
        .class(json!({"parameters": {"pathPattern": "${.PVC.namespace}/${.PVC.name}"}}))
        .await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("shared", json!({})).await?;
    let event = scene
        .event("shared", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(event.contains(&format!("PV {name} lies at")), "{event}");
    scene.claim("own", json!({})).await?;
    scene.bound("own").await?;
    scene.volumes().delete(&name, &Default::default()).await?;
    Ok(())
}
