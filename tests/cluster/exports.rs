//! Several exports from one provisioner.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use kube::api::Patch;
use nfsprov_lab::guest::Template;
use serde_json::{Value, json};

use crate::kit::{Directories, NFSPROV, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: a_class_chooses_among_the_exports_that_are_allowed,
    Newest: a_whole_file_system_may_be_the_export,
    Newest: exports_that_lie_in_one_another_are_refused_at_the_start,
    Newest: a_missing_export_delays_only_its_own_claims,
}

fn server(scene: &Scene) -> Result<&str> {
    match &scene.export {
        Directories::Guest(address) => Ok(address),
        Directories::Local(_) => anyhow::bail!("this test needs the lab's NFS server"),
    }
}

/// A second export on the scene's server, named after the scene.
async fn second_export(scene: &Scene) -> Result<String> {
    let path = format!("/srv/{}", scene.namespace);
    let nfs = scene.stage.nfs();
    nfs.ssh(&format!(
        "mkdir -m 0777 {path} && exportfs -o rw,sync,no_subtree_check,no_root_squash '*:{path}'"
    ))
    .await?;
    Ok(path)
}

/// Replaces the scene's class by one that names an export; the parameters of a class are immutable.
async fn name_export(scene: &Scene, parameters: Value) -> Result<()> {
    if scene.classes().get_opt(&scene.class).await?.is_some() {
        scene.classes().delete(&scene.class, &Default::default()).await?;
    }
    scene.class(json!({"parameters": parameters})).await
}

async fn a_class_chooses_among_the_exports_that_are_allowed(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let server = server(&scene)?.to_owned();
    let second = second_export(&scene).await?;
    name_export(&scene, json!({"server": server, "path": second, "onDelete": "delete"})).await?;
    let _provisioner = scene.watch(&["--allow-export", &format!("{server}:{second}")]).await?;
    scene.claim("there", json!({})).await?;
    let there = scene.bound("there").await?;
    let nfs = there.spec.clone().and_then(|spec| spec.nfs).context("no NFS volume")?;
    ensure!(nfs.path.starts_with(&format!("{second}/")), "{}", nfs.path);
    let mode = stage.nfs().ssh(&format!("stat -c %a {}", nfs.path)).await?;
    ensure!(mode.trim() == "777", "{mode}");
    ensure!(scene.directories().await?.is_empty(), "nothing on the first export");

    // Classes without an export use the first one; a class may also name it.
    for parameters in [json!({}), json!({"server": server, "path": "/nfsdata"})] {
        name_export(&scene, parameters).await?;
        let name = format!("here-{}", scene.directories().await?.len());
        scene.claim(&name, json!({})).await?;
        scene.bound(&name).await?;
    }
    ensure!(scene.directories().await?.len() == 2);

    // The provisioner rejects all others: another path, another server, a directory inside an export.
    for (name, parameters) in [
        ("path", json!({"path": "/etc"})),
        ("server", json!({"server": "elsewhere"})),
        ("inside", json!({"path": format!("{second}/inside")})),
    ] {
        name_export(&scene, parameters).await?;
        scene.claim(name, json!({})).await?;
        let event = scene
            .event(name, "ProvisioningFailed: failed to provision volume")
            .await?;
        ensure!(
            event.contains("which this provisioner does not serve") && event.contains(&second),
            "{event}"
        );
    }

    // The provisioner deletes the directory where it is, whatever the class says now.
    scene.delete_with_volume("there", &there).await?;
    let left = stage.nfs().ssh(&format!("ls {second}")).await?;
    ensure!(left.is_empty(), "{left}");
    Ok(())
}

async fn a_whole_file_system_may_be_the_export(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let guest = stage.guest("whole", Template::NfsServer).await?;
    guest
        .ssh("exportfs -u '*:/nfsdata' && exportfs -o rw,sync,no_subtree_check,no_root_squash '*:/'")
        .await?;
    scene.class(json!({})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    let server = guest.address().to_string();
    let args = [
        "provision",
        "--name",
        &scene.provisioner,
        "--server",
        &server,
        "--path",
        "/",
    ];
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(code == 0, "{stdout}{stderr}");
    let path = scene
        .bound("a")
        .await?
        .spec
        .and_then(|spec| spec.nfs)
        .context("no NFS volume")?
        .path;
    ensure!(path.starts_with(&format!("/{}-a-pvc-", scene.namespace)), "{path}");
    guest.ssh(&format!("test -d {path}")).await?;
    Ok(())
}

async fn exports_that_lie_in_one_another_are_refused_at_the_start(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let server = server(&scene)?;
    for (further, words) in [
        (format!("{server}:/nfsdata/inner"), "overlap, and"),
        (format!("{server}:/"), "overlap, and"),
        (format!("{server}:nfsdata"), "SERVER:/PATH"),
    ] {
        let mut args = scene.provision_args();
        args.extend(["--allow-export".to_owned(), further.clone()]);
        let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
        ensure!(code == 2 && stdout.is_empty(), "{further}: {code}, {stdout}");
        ensure!(stderr.contains(words), "{NFSPROV} printed {stderr}");
    }
    Ok(())
}

async fn a_missing_export_delays_only_its_own_claims(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let server = server(&scene)?.to_owned();
    let missing = format!("/srv/missing-{}", scene.namespace);
    name_export(&scene, json!({"server": server, "path": missing})).await?;
    let mut provisioner = scene.watch(&["--allow-export", &format!("{server}:{missing}")]).await?;
    provisioner.wait_for_log("its claims stay Pending").await?;
    scene.claim("lost", json!({})).await?;
    let event = scene
        .event("lost", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(event.contains(&missing) && event.contains("next try"), "{event}");
    name_export(&scene, json!({})).await?;
    scene.claim("served", json!({})).await?;
    scene.bound("served").await?;

    // The export appears, and no administrator has to restart anything.
    let nfs = stage.nfs();
    nfs.ssh(&format!(
        "mkdir -m 0777 {missing} && exportfs -o rw,sync,no_subtree_check,no_root_squash '*:{missing}'"
    ))
    .await?;
    name_export(&scene, json!({"server": server, "path": missing})).await?;
    let patch = Patch::Merge(json!({"metadata": {"labels": {"try": "again"}}}));
    scene.claims().patch("lost", &Default::default(), &patch).await?;
    scene.bound("lost").await?;
    Ok(())
}
