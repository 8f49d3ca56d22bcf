//! The provisioner changes nothing outside the export, never changes its root, and follows no link on it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::kit::{Directories, Scene};
use crate::stage::Stage;

crate::tests! {
    Newest: a_planted_link_is_not_followed_when_a_volume_is_made,
    Newest: a_planted_link_is_not_followed_when_a_volume_is_deleted,
    Newest: a_planted_link_is_not_followed_in_a_local_directory,
}

/// Files outside the export, on the server, to which links in the export lead; they must not change.
async fn create_protected_files(scene: &Scene) -> Result<String> {
    let path = match &scene.export {
        Directories::Guest(_) => format!("/srv/precious-{}", scene.namespace),
        Directories::Local(root) => root.with_extension("precious").display().to_string(),
    };
    scene
        .on_server(&format!(
            "mkdir -p {path}/deep && echo kept > {path}/deep/file && chmod 700 {path}"
        ))
        .await?;
    Ok(path)
}

/// The state of those files: types, owners, modes, times and contents.
async fn state(scene: &Scene, path: &str) -> Result<String> {
    scene
        .on_server(&format!("find {path} -printf '%P %y %m %U %G %s %T@\\n' | sort"))
        .await
}

async fn check_creation(scene: &Scene) -> Result<()> {
    let outside = create_protected_files(scene).await?;
    let before = state(scene, &outside).await?;
    let namespace = &scene.namespace;
    scene.on_server(&format!("ln -s {outside} {namespace}-link")).await?;
    scene
        .class(json!({"parameters": {
            "pathPattern": "${.PVC.namespace}-link/${.PVC.name}", "dirMode": "0777", "dirUid": "1", "onDelete": "delete",
        }}))
        .await?;
    let _provisioner = scene.watch(&[]).await?;
    for name in ["deep", "new"] {
        scene.claim(name, json!({})).await?;
        let event = scene
            .event(name, "ProvisioningFailed: failed to provision volume")
            .await?;
        ensure!(event.contains("is a symbolic link, not a directory"), "{event}");
    }
    let after = state(scene, &outside).await?;
    ensure!(before == after, "before:\n{before}\nafter:\n{after}");
    Ok(())
}

/// The command that exchanges two names atomically with renameat2(2), for which Debian 12 has no tool.
fn exchange(one: &str, other: &str) -> String {
    format!("perl -e 'syscall(316, -100, $ARGV[0], -100, $ARGV[1], 2) == 0 or die \"$!\\n\"' {one} {other}")
}

async fn check_deletion(scene: &Scene) -> Result<()> {
    let outside = create_protected_files(scene).await?;
    let before = state(scene, &outside).await?;
    let namespace = &scene.namespace;
    scene
        .class(json!({"parameters": {"pathPattern": "${.PVC.namespace}-top/${.PVC.name}", "onDelete": "delete"}}))
        .await?;
    let mut provisioner = scene.watch(&[]).await?;
    // One directory becomes a link, another gets a link as its parent, and a third contains a link.
    for name in ["deep", "holds"] {
        scene.claim(name, json!({})).await?;
        scene.bound(name).await?;
    }
    scene
        .on_server(&format!("ln -s {outside} {namespace}-top/holds/link"))
        .await?;
    let volume = scene.bound("holds").await?;
    scene.delete_with_volume("holds", &volume).await?;
    scene
        .on_server(&format!(
            "rmdir {namespace}-top/deep && ln -s {outside} {namespace}-top/deep"
        ))
        .await?;
    scene.claims().delete("deep", &Default::default()).await?;
    provisioner
        .wait_for_log("deep on the export is a symbolic link")
        .await?;
    // Atomically: between two renames the directory would be missing, and an attempt at that moment would have no link
    // to refuse.
    let (aside, top) = (format!("{namespace}-aside"), format!("{namespace}-top"));
    scene
        .on_server(&format!("ln -s {outside} {aside} && {}", exchange(&aside, &top)))
        .await?;
    provisioner.wait_for_log("top on the export is a symbolic link").await?;
    scene.on_server(&format!("rm {aside}/deep && rmdir {aside}")).await?;
    let after = state(scene, &outside).await?;
    ensure!(before == after, "before:\n{before}\nafter:\n{after}");
    Ok(())
}

async fn a_planted_link_is_not_followed_when_a_volume_is_made(stage: Arc<Stage>) -> Result<()> {
    check_creation(&stage.scene().await?).await
}

async fn a_planted_link_is_not_followed_when_a_volume_is_deleted(stage: Arc<Stage>) -> Result<()> {
    check_deletion(&stage.scene().await?).await
}

async fn a_planted_link_is_not_followed_in_a_local_directory(stage: Arc<Stage>) -> Result<()> {
    let directory = tempfile::tempdir()?;
    for (name, check) in [("made", true), ("gone", false)] {
        let mut scene = stage.scene().await?;
        let root: &Path = &directory.path().join(name);
        std::fs::create_dir(root)?;
        scene.export = Directories::Local(root.to_owned());
        match check {
            true => check_creation(&scene).await?,
            false => check_deletion(&scene).await?,
        }
    }
    Ok(())
}
