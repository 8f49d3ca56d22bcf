//! The directories of an export compared with the PVs: `volumes`.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use kube::runtime::wait::await_condition;
use rexpect::session::spawn_command;
use serde_json::{Value, json};

use crate::failures::without_volumes;
use crate::kit::{EVENT_TIMEOUT, NFSPROV, Scene, output_parts};
use crate::release::{delete_and_wait_for_phase, export, on_export};
use crate::stage::Stage;

crate::tests! {
    Newest: an_archive_is_restored_with_its_data,
    Newest: an_archive_is_restored_for_a_pending_claim,
    Newest: archives_expire_by_age_and_total,
    Newest: directories_are_listed_against_their_volumes,
    Newest: directories_and_markers_that_a_kill_left_are_listed,
}

const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b5";

/// Runs `volumes` with its arguments on the scene's export.
async fn volumes(scene: &Scene, args: &str) -> Result<(String, String, i32)> {
    volumes_on(scene, args, on_export(scene)).await
}

async fn volumes_on(scene: &Scene, args: &str, export: Vec<String>) -> Result<(String, String, i32)> {
    let mut all = vec!["volumes".to_owned()];
    all.extend(args.split_whitespace().map(str::to_owned));
    all.extend(export);
    Ok(output_parts(&scene.nfsprov(&all).await?))
}

/// The scene's own export below the shared one, without archives of other tests.
async fn own_export(scene: &Scene) -> Result<(String, Vec<String>)> {
    let directory = format!("{}-export", scene.namespace);
    scene.on_server(&format!("mkdir {directory}")).await?;
    let (server, root) = export(scene);
    let path = format!("{root}/{directory}");
    let mut args = vec!["--server".to_owned(), server, "--path".into(), path.clone()];
    if on_export(scene).contains(&"--via".to_owned()) {
        args.extend(["--via".to_owned(), format!("dir:{path}")]);
    }
    Ok((directory, args))
}

/// The rows of a listing whose directory contains `belong`.
fn rows(listing: &str, belong: &str) -> Result<Vec<Value>> {
    let list: Value = serde_json::from_str(listing)?;
    ensure!(list["kind"] == "DirectoryList", "{listing}");
    let ours = |row: &Value| {
        row["directory"]
            .as_str()
            .is_some_and(|directory| directory.contains(belong))
    };
    let rows = list["items"].as_array().into_iter().flatten();
    Ok(rows.filter(|row| ours(row)).cloned().collect())
}

/// Deletes a claim whose volume has a file; returns the names of the archive and of the PV.
async fn archived(scene: &Scene, claim: &str) -> Result<(String, String)> {
    scene.claim(claim, json!({})).await?;
    let volume = scene.bound(claim).await?;
    let directory = format!("{}-{claim}-{}", scene.namespace, volume.name_any());
    scene
        .on_server(&format!("mkdir {directory}/sub && echo kept > {directory}/sub/file"))
        .await?;
    scene.delete_with_volume(claim, &volume).await?;
    Ok((format!("archived-{directory}"), volume.name_any()))
}

async fn an_archive_is_restored_with_its_data(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"mountOptions": ["nfsvers=3"]})).await?;
    // It runs meanwhile, and must not provision the claim for which the archive is restored.
    let _provisioner = scene.watch(&[]).await?;
    let (archive, volume) = archived(&scene, "data").await?;
    let directory = archive.trim_start_matches("archived-").to_owned();
    let (stdout, stderr, code) = volumes(&scene, "archived --sizes -o json").await?;
    ensure!(code == 0, "{stderr}");
    let [row] = &rows(&stdout, &archive)?[..] else {
        anyhow::bail!("{stdout}");
    };
    ensure!(
        row["state"] == "archived" && row["volume"] == json!(volume) && row["holds"]["data"]["files"] == 1,
        "{row}"
    );

    let restore = format!("restore {archive} --claim {}/back", scene.namespace);
    let (_, stderr, code) = volumes(&scene, &restore).await?;
    ensure!(
        code == 1 && stderr.contains("not found; pass --create-claim"),
        "{code} {stderr}"
    );
    ensure!(scene.directories().await? == [archive.clone()], "nothing was changed");
    let create = format!("{restore} --create-claim --size 2Gi --class {}", scene.class);
    let (stdout, stderr, code) = volumes(&scene, &create).await?;
    ensure!(code == 0, "{stderr}");
    let wanted = format!(
        "persistentvolumeclaim/back created\npersistentvolume/{volume} created\npersistentvolumeclaim/back is Bound\n"
    );
    ensure!(stdout == wanted, "{stdout}");
    let found = scene.bound("back").await?;
    ensure!(found.name_any() == volume);
    let spec = found.spec.context("no spec")?;
    ensure!(spec.persistent_volume_reclaim_policy.as_deref() == Some("Retain"));
    ensure!(spec.mount_options.as_deref() == Some(&["nfsvers=3".to_owned()][..]));
    ensure!(
        scene.directories().await? == [directory.clone()],
        "under its old name, and no second one"
    );
    let text = scene.on_server(&format!("cat {directory}/sub/file")).await?;
    ensure!(text == "kept\n", "{text}");
    let (_, stderr, code) = volumes(&scene, &create).await?;
    ensure!(code == 1 && stderr.contains("already exists"), "{code} {stderr}");
    delete_and_wait_for_phase(&scene, "back", &volume).await
}

async fn an_archive_is_restored_for_a_pending_claim(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    // The name that nfs-subdir-external-provisioner gives an archive after a pathPattern; and another directory has the
    // old name.
    let (old, archive) = (
        format!("{}-team", scene.namespace),
        format!("archived-{}-team", scene.namespace),
    );
    scene
        .on_server(&format!("mkdir {old} {archive} && echo kept > {archive}/file"))
        .await?;
    let claim = scene.claim("waits", json!({})).await?;
    let restore = format!("restore {old} --claim {}/waits", scene.namespace);
    let (_, stderr, code) = volumes(&scene, &format!("{restore} --size 500Mi")).await?;
    ensure!(code == 1 && stderr.contains("is less than that"), "{code} {stderr}");
    let (stdout, stderr, code) = volumes(&scene, &restore).await?;
    ensure!(
        code == 0 && stdout.ends_with("persistentvolumeclaim/waits is Bound\n"),
        "{stdout} {stderr}"
    );
    let back = format!("restored-{old}");
    let volume = scene.bound("waits").await?;
    ensure!(volume.name_any() == back, "{}", volume.name_any());
    ensure!(scene.on_server(&format!("cat {back}/file && ls -A {old}")).await? == "kept\n");
    let marker = scene
        .on_server(&format!("readlink .nfsprov/owners/{back}/@owner"))
        .await?;
    ensure!(
        Some(marker.trim()) == claim.uid().as_deref(),
        "the marker does not name the owner"
    );
    let (stdout, _, _) = volumes(&scene, "list -o json").await?;
    let found_rows: Vec<_> = rows(&stdout, &old)?.iter().map(|row| row["state"].clone()).collect();
    ensure!(found_rows == ["in use", "orphan"], "{stdout}");
    let (_, stderr, code) = volumes(&scene, &restore).await?;
    ensure!(code == 1, "{stderr}");

    scene.on_server(&format!("mkdir {archive}")).await?;
    let (_, stderr, code) = volumes(&scene, &format!("restore {archive} --claim {}/waits", scene.namespace)).await?;
    ensure!(code == 1 && stderr.contains("already exists"), "{code} {stderr}");
    delete_and_wait_for_phase(&scene, "waits", &back).await
}

async fn archives_expire_by_age_and_total(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let (directory, args) = own_export(&scene).await?;
    let archive = |number: u8| format!("archived-team-{number}-pvc-{UID}{number}");
    let (first, second, used) = (archive(1), format!("{}-20260131T235959Z", archive(2)), archive(3));
    scene
        .on_server(&format!(
            "cd {directory} && mkdir -p {first}/sub {second} {used} archived-by-hand team-pvc-{UID}4 && \
             seq 50000 > {first}/sub/file && ln -s / {second}/link && echo x > {second}/file"
        ))
        .await?;
    let (server, root) = export(&scene);
    let name = format!("hand-{}", scene.namespace);
    let volume = json!({
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"},
                 "nfs": {"server": server, "path": format!("{root}/{directory}/{used}")}},
    });
    scene
        .volumes()
        .create(&Default::default(), &serde_json::from_value(volume)?)
        .await?;
    let before = scene.on_server(&format!("ls -A {directory}")).await?;

    let (_, stderr, code) = volumes_on(&scene, "expire", args.clone()).await?;
    ensure!(code == 2 && stderr.contains("--older-than"), "{code} {stderr}");
    let (stdout, stderr, code) = volumes_on(&scene, "expire --older-than 30d --yes", args.clone()).await?;
    ensure!(
        code == 0 && stdout.is_empty() && stderr.contains("no archive"),
        "{code} {stdout} {stderr}"
    );
    let (stdout, stderr, code) = volumes_on(&scene, "expire --keep-total 0", args.clone()).await?;
    ensure!(
        code == 2 && stderr.contains("--yes removes these 2 archives"),
        "{code} {stderr}"
    );
    ensure!(
        stdout.contains(&first) && stdout.contains(&second) && !stdout.contains(&used),
        "{stdout}"
    );
    let (stdout, stderr, code) = volumes_on(&scene, "expire --keep-total 100Ki --dry-run", args.clone()).await?;
    ensure!(
        code == 0 && stderr.contains("dry run") && stdout.contains(&first),
        "{code} {stdout} {stderr}"
    );
    ensure!(
        scene.on_server(&format!("ls -A {directory}")).await? == before,
        "nothing was removed"
    );

    let wrong = |error: rexpect::error::Error| anyhow!("{error}");
    tokio::task::block_in_place(|| {
        let mut command = std::process::Command::new(NFSPROV);
        command
            .arg("--kubeconfig")
            .arg(&scene.kubeconfig)
            .args(["volumes", "expire", "--keep-total", "0"]);
        command.args(&args).env("TERM", "xterm");
        let mut session = spawn_command(command, Some(u64::try_from(EVENT_TIMEOUT.as_millis())?)).map_err(wrong)?;
        session
            .exp_string("Remove these 2 archives permanently?")
            .map_err(wrong)?;
        session.send("n").map_err(wrong)?;
        session.flush().map_err(wrong)?;
        session.exp_string("nothing was removed").map_err(wrong)?;
        anyhow::Ok(())
    })?;
    ensure!(
        scene.on_server(&format!("ls -A {directory}")).await? == before,
        "nothing was removed"
    );

    let (stdout, stderr, code) = volumes_on(&scene, "expire --keep-total 0 --yes", args).await?;
    ensure!(
        code == 0 && stdout.contains(&format!("{first} removed")),
        "{code} {stdout} {stderr}"
    );
    let left = scene.on_server(&format!("ls -A {directory}")).await?;
    ensure!(left == format!("archived-by-hand\n{used}\nteam-pvc-{UID}4\n"), "{left}");
    ensure!(scene.on_server("ls -d /etc").await? == "/etc\n");
    scene.volumes().delete(&name, &Default::default()).await?;
    Ok(())
}

async fn directories_are_listed_against_their_volumes(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let namespace = &scene.namespace;
    scene.class(json!({"parameters": {"onDelete": "retain"}})).await?;
    let provisioner = scene.watch(&[]).await?;
    for claim in ["kept", "left"] {
        scene.claim(claim, json!({})).await?;
    }
    let (kept, left) = (scene.bound("kept").await?.name_any(), scene.bound("left").await?);
    scene.delete_with_volume("left", &left).await?;
    provisioner.stop().await?;
    let left = left.name_any();
    scene
        .on_server(&format!(
            "mkdir archived-{namespace}-x-pvc-{UID}6 archived-{namespace} \"$(printf '{namespace}-\\033[2J\\nx')\""
        ))
        .await?;
    let (stdout, stderr, code) = volumes(&scene, "list -o json").await?;
    ensure!(code == 0, "{stderr}");
    let mut found_rows: Vec<_> = rows(&stdout, namespace)?
        .into_iter()
        .map(|row| {
            let or = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", or("state"), or("directory"), or("volume"), or("claim"))
        })
        .collect();
    found_rows.sort();
    let mut wanted = [
        format!("archived archived-{namespace} - -"),
        format!("archived archived-{namespace}-x-pvc-{UID}6 pvc-{UID}6 -"),
        format!("in use {namespace}-kept-{kept} {kept} {namespace}/kept"),
        format!("orphan {namespace}-\u{1b}[2J\nx - -"),
        format!("orphan {namespace}-left-{left} {left} -"),
    ];
    wanted.sort();
    ensure!(found_rows == wanted, "{found_rows:#?}");
    for output in ["table", "wide", "name", "yaml", "json"] {
        let (stdout, stderr, code) = volumes(&scene, &format!("orphans -o {output}")).await?;
        ensure!(code == 0 && !stdout.contains('\u{1b}'), "{stdout} {stderr}");
        ensure!(stdout.contains(&left) && !stdout.contains(&kept), "{output}: {stdout}");
    }
    Ok(())
}

async fn directories_and_markers_that_a_kill_left_are_listed(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let namespace = &scene.namespace;
    scene
        .class(json!({"parameters": {"pathPattern": "${.PVC.namespace}/${.PVC.name}"}}))
        .await?;
    let kubeconfig = without_volumes(&scene).await?;
    let provisioner = scene.watch_as(&kubeconfig, &[]).await?;
    let claim = scene.claim("data", json!({})).await?;
    scene.event("data", "cannot create PV").await?;
    provisioner.kill().await?;
    scene.claims().delete("data", &Default::default()).await?;
    let gone = |claim: Option<&PersistentVolumeClaim>| claim.is_none();
    tokio::time::timeout(EVENT_TIMEOUT, await_condition(scene.claims(), "data", gone)).await??;
    let (stdout, stderr, code) = volumes(&scene, "orphans -o json").await?;
    ensure!(code == 0, "{stderr}");
    let found = rows(&stdout, namespace)?;
    let volume = format!("pvc-{}", claim.uid().unwrap_or_default());
    ensure!(
        found.len() == 1
            && found[0]["state"] == "orphan"
            && found[0]["directory"] == json!(format!("{namespace}/data"))
            && found[0]["volume"] == json!(volume)
            && found[0]["claim"] == json!(format!("{namespace}/data")),
        "{stdout}"
    );
    scene.on_server(&format!("rmdir {namespace}/data")).await?;
    let (stdout, _, _) = volumes(&scene, "orphans -o json").await?;
    let found_rows = rows(&stdout, namespace)?;
    let found_rows: Vec<_> = found_rows.iter().map(|row| (&row["state"], &row["volume"])).collect();
    ensure!(found_rows == [(&json!("marker"), &json!(volume))], "{stdout}");
    Ok(())
}
