//! Directories named by a class's pathPattern, and their owner markers.

use std::sync::Arc;

use anyhow::{Result, ensure};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::kit::Scene;
use crate::stage::Stage;

crate::tests! {
    Newest: a_pattern_names_the_directory_and_its_end,
    Newest: a_directory_of_another_claim_is_refused_until_it_is_free,
    Newest: a_value_that_leads_out_of_the_export_is_refused,
    Newest: a_retained_directory_is_nobodys_and_stays,
    Newest: a_directory_made_by_hand_is_not_given_to_a_claim,
    Newest: a_directory_has_the_owner_group_and_mode_of_its_class,
}

async fn pattern(scene: &Scene, pattern: &str, on_delete: &str) -> Result<()> {
    let parameters = json!({"pathPattern": pattern, "onDelete": on_delete});
    scene.class(json!({"parameters": parameters})).await
}

async fn path(scene: &Scene, claim: &str) -> Result<String> {
    let spec = scene.bound(claim).await?.spec.unwrap_or_default();
    Ok(spec.nfs.map(|nfs| nfs.path).unwrap_or_default())
}

/// Whether a path exists in the export on the server.
async fn path_exists(scene: &Scene, path: &str) -> Result<bool> {
    let answer = scene
        .on_server(&format!("test -d '{path}' && echo yes || echo no"))
        .await?;
    Ok(answer.trim() == "yes")
}

async fn a_pattern_names_the_directory_and_its_end(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let namespace = scene.namespace.clone();
    pattern(&scene, "${.PVC.namespace}/${.PVC.name}", "archive").await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    scene.claim("b", json!({})).await?;
    ensure!(path(&scene, "a").await?.ends_with(&format!("/{namespace}/a")));
    ensure!(path(&scene, "b").await?.ends_with(&format!("/{namespace}/b")));
    scene.on_server(&format!("touch {namespace}/a/file")).await?;
    let volume = scene.bound("a").await?;
    scene.delete_with_volume("a", &volume).await?;
    ensure!(
        !path_exists(&scene, &format!("{namespace}/a")).await?
            && path_exists(&scene, &format!("{namespace}/b")).await?
    );
    let archive = scene
        .on_server(&format!("ls archived-{namespace}-a-pvc-*/file"))
        .await?;
    ensure!(archive.trim().ends_with("/file"), "{archive}");
    // The path is free again, and a second archive does not replace the first.
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    scene.delete_with_volume("a", &volume).await?;
    let archives = scene.on_server(&format!("ls -d archived-{namespace}-a-pvc-*")).await?;
    ensure!(archives.lines().count() == 2, "{archives}");
    Ok(())
}

async fn a_directory_of_another_claim_is_refused_until_it_is_free(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    pattern(&scene, "${.PVC.namespace}", "delete").await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("first", json!({})).await?;
    let volume = scene.bound("first").await?;
    scene.claim("second", json!({})).await?;
    let event = scene
        .event("second", "ProvisioningFailed: failed to provision volume")
        .await?;
    let words = format!("PV {} lies at", volume.name_any());
    ensure!(event.contains(&words), "{event}");
    ensure!(scene.phase("second").await? == "Pending");
    scene.delete_with_volume("first", &volume).await?;
    // The provisioner retries it as often as a call without an answer.
    scene.bound("second").await?;
    Ok(())
}

async fn a_value_that_leads_out_of_the_export_is_refused(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    pattern(&scene, "${.PVC.namespace}/${.PVC.annotations.path}", "delete").await?;
    let _provisioner = scene.watch(&[]).await?;
    for (name, value) in [("up", "../../etc"), ("dot", "."), ("empty", ""), ("slash", "a//b")] {
        let claim: Value = json!({
            "metadata": {"name": name, "annotations": {"path": value}},
            "spec": {"storageClassName": scene.class, "accessModes": ["ReadWriteOnce"],
                     "resources": {"requests": {"storage": "1Gi"}}},
        });
        scene
            .claims()
            .create(&Default::default(), &serde_json::from_value(claim)?)
            .await?;
        let event = scene
            .event(name, "ProvisioningFailed: failed to provision volume")
            .await?;
        ensure!(event.contains("pathPattern"), "{event}");
    }
    ensure!(!path_exists(&scene, &scene.namespace).await?, "a directory was created");
    Ok(())
}

async fn a_retained_directory_is_nobodys_and_stays(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    pattern(&scene, "${.PVC.namespace}-kept", "retain").await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    scene
        .on_server(&format!("echo kept > {}-kept/file", scene.namespace))
        .await?;
    scene.delete_with_volume("a", &volume).await?;
    scene.claim("b", json!({})).await?;
    scene.event("b", "has no owner marker of nfsprov").await?;
    let text = scene.on_server(&format!("cat {}-kept/file", scene.namespace)).await?;
    ensure!(text == "kept\n", "{text}");
    Ok(())
}

async fn a_directory_made_by_hand_is_not_given_to_a_claim(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.on_server(&format!("mkdir {}-hand", scene.namespace)).await?;
    pattern(&scene, "${.PVC.namespace}-hand", "delete").await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    let event = scene
        .event("a", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(event.contains("has no owner marker of nfsprov"), "{event}");
    Ok(())
}

/// In the lab only, where the test is root: other users may not change the owner of a file.
async fn a_directory_has_the_owner_group_and_mode_of_its_class(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let parameters = json!({
        "pathPattern": "${.PVC.namespace}/${.PVC.name}", "dirMode": "2750", "dirUid": "1000", "dirGid": "2000",
    });
    scene.class(json!({"parameters": parameters})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    scene.bound("a").await?;
    let facts = scene
        .on_server(&format!("stat -c '%u:%g %a' {0}/a {0}", scene.namespace))
        .await?;
    ensure!(facts == "1000:2000 2750\n0:0 755\n", "{facts}");
    Ok(())
}
