//! A volume whose claim is deleted: `release`, and the output of `status` meanwhile.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use kube::runtime::wait::await_condition;
use rexpect::session::{PtySession, spawn_command};
use serde_json::{Value, json};

use crate::kit::{Directories, EVENT_TIMEOUT, NFSPROV, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: a_retained_volume_is_released_with_its_data,
    Newest: a_retained_volume_is_scrubbed_and_released,
    Newest: scrubbing_asks_on_a_terminal,
    Newest: a_directory_of_several_volumes_is_not_scrubbed,
    Newest: a_provisioners_volume_is_scrubbed_where_it_was_recorded_to_be,
    Newest: status_lists_the_objects_with_their_sizes,
}

/// The server and path of the scene's export.
pub fn export(scene: &Scene) -> (String, String) {
    match &scene.export {
        Directories::Guest(address) => (address.clone(), "/nfsdata".to_owned()),
        Directories::Local(root) => ("localhost".to_owned(), root.display().to_string()),
    }
}

/// The options that name the scene's export.
pub fn on_export(scene: &Scene) -> Vec<String> {
    let args = scene.provision_args();
    // Without the command and the name.
    args[3..].to_vec()
}

/// A PV created by hand like the document's `mypv`, with its own directory and a file in it.
async fn static_volume(scene: &Scene, name: &str, directory: &str) -> Result<String> {
    scene
        .on_server(&format!("mkdir -p {directory}/sub && echo kept > {directory}/sub/file"))
        .await?;
    let (server, root) = export(scene);
    let name = format!("{name}-{}", scene.namespace);
    let volume = json!({
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": scene.class,
            "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": server, "path": format!("{root}/{directory}")},
        },
    });
    let volume = serde_json::from_value(volume)?;
    scene.volumes().create(&Default::default(), &volume).await?;
    Ok(name)
}

/// Deletes a claim, and waits until its PV is in `phase`.
pub async fn delete_and_wait_for_phase(scene: &Scene, claim: &str, volume: &str) -> Result<()> {
    scene.claims().delete(claim, &Default::default()).await?;
    wait_for_phase(scene, volume, "Released").await
}

pub async fn wait_for_phase(scene: &Scene, volume: &str, phase: &str) -> Result<()> {
    let there = |volume: Option<&PersistentVolume>| {
        volume.and_then(|volume| volume.status.as_ref()?.phase.as_deref()) == Some(phase)
    };
    tokio::time::timeout(EVENT_TIMEOUT, await_condition(scene.volumes(), volume, there))
        .await
        .with_context(|| format!("{volume} is never {phase}"))??;
    Ok(())
}

/// Runs `release` with more arguments; returns its output and its status.
async fn release(scene: &Scene, volume: &str, more: &[&str]) -> Result<(String, String, i32)> {
    let mut args = vec!["release".to_owned(), volume.to_owned()];
    args.extend(more.iter().map(|&arg| arg.to_owned()));
    Ok(output_parts(&scene.nfsprov(&args).await?))
}

/// Like [`release`], with `--scrub` and the scene's export.
async fn scrub(scene: &Scene, volume: &str, more: &[&str]) -> Result<(String, String, i32)> {
    let on_export = on_export(scene);
    let mut args = vec!["--scrub"];
    args.extend(on_export.iter().map(String::as_str));
    args.extend(more);
    release(scene, volume, &args).await
}

async fn a_retained_volume_is_released_with_its_data(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let directory = format!("{}-own", scene.namespace);
    let mypv = static_volume(&scene, "mypv", &directory).await?;
    wait_for_phase(&scene, &mypv, "Available").await?;
    let (_, stderr, code) = release(&scene, &mypv, &["--keep-data"]).await?;
    ensure!(code == 0 && stderr.contains("is Available already"), "{code} {stderr}");
    scene.claim("first", json!({})).await?;
    ensure!(scene.bound("first").await?.name_any() == mypv);
    let (_, stderr, code) = release(&scene, &mypv, &["--keep-data"]).await?;
    ensure!(code == 1 && stderr.contains("delete pvc/first"), "{code} {stderr}");

    delete_and_wait_for_phase(&scene, "first", &mypv).await?;
    // A Pending claim does not get the volume, before or after, until it is released.
    scene.claim("second", json!({})).await?;
    let (_, stderr, code) = release(&scene, &mypv, &[]).await?;
    ensure!(
        code == 2 && stderr.contains("--keep-data") && stderr.contains("--scrub"),
        "{code} {stderr}"
    );
    wait_for_phase(&scene, &mypv, "Released").await?;
    let (stdout, stderr, code) = release(&scene, &mypv, &["--keep-data"]).await?;
    ensure!(code == 0 && stderr.contains("will see the data in"), "{code} {stderr}");
    ensure!(stdout.starts_with(&format!("persistentvolume/{mypv} is ")), "{stdout}");
    ensure!(scene.bound("second").await?.name_any() == mypv);
    let text = scene.on_server(&format!("cat {directory}/sub/file")).await?;
    ensure!(text == "kept\n", "{text}");
    let (_, stderr, code) = release(&scene, "no-such-pv", &["--keep-data"]).await?;
    ensure!(
        code == 1 && stderr.contains("pv/no-such-pv not found"),
        "{code} {stderr}"
    );
    Ok(())
}

async fn a_retained_volume_is_scrubbed_and_released(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let directory = format!("{}-own", scene.namespace);
    let mypv = static_volume(&scene, "mypv", &directory).await?;
    scene.claim("first", json!({})).await?;
    scene.bound("first").await?;
    delete_and_wait_for_phase(&scene, "first", &mypv).await?;
    let (_, stderr, code) = release(&scene, &mypv, &["--scrub", "--yes"]).await?;
    ensure!(code == 2 && stderr.contains("--path"), "{code} {stderr}");
    let (_, stderr, code) = scrub(&scene, &mypv, &[]).await?;
    ensure!(
        code == 2 && stderr.contains("1 entry of") && stderr.contains("--yes"),
        "{code} {stderr}"
    );
    ensure!(scene.on_server(&format!("ls {directory}")).await? == "sub\n");
    let mode = scene
        .on_server(&format!("chmod 2750 {directory}; stat -c '%a %i' {directory}"))
        .await?;

    let (stdout, stderr, code) = scrub(&scene, &mypv, &["--yes"]).await?;
    ensure!(code == 0 && stderr.contains("removing 1 entry of"), "{code} {stderr}");
    ensure!(stdout == format!("persistentvolume/{mypv} is Available\n"), "{stdout}");
    let left = scene
        .on_server(&format!("ls -A {directory}; stat -c '%a %i' {directory}"))
        .await?;
    ensure!(left == mode, "the directory itself is as it was: {mode} {left}");
    scene.claim("second", json!({})).await?;
    ensure!(scene.bound("second").await?.name_any() == mypv);
    Ok(())
}

/// Starts `release --scrub` on its own terminal.
fn on_a_terminal(scene: &Scene, volume: &str, scrub: bool) -> Result<PtySession> {
    let mut command = Command::new(NFSPROV);
    command.arg("--kubeconfig").arg(&scene.kubeconfig);
    command.args(["release", volume]).args(on_export(scene));
    if scrub {
        command.arg("--scrub");
    }
    command.env("TERM", "xterm");
    let patience = u64::try_from(EVENT_TIMEOUT.as_millis())?;
    spawn_command(command, Some(patience)).map_err(|error| anyhow!("{error}"))
}

async fn scrubbing_asks_on_a_terminal(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let directory = format!("{}-own", scene.namespace);
    let mypv = static_volume(&scene, "mypv", &directory).await?;
    scene.claim("first", json!({})).await?;
    scene.bound("first").await?;
    delete_and_wait_for_phase(&scene, "first", &mypv).await?;
    let wrong = |error: rexpect::error::Error| anyhow!("{error}");

    tokio::task::block_in_place(|| {
        let mut session = on_a_terminal(&scene, &mypv, true)?;
        session.exp_string("Remove 1 entry of").map_err(wrong)?;
        session.exp_string("sub").map_err(wrong)?;
        session.send("n").map_err(wrong)?;
        session.flush().map_err(wrong)?;
        session.exp_string("nothing was removed").map_err(wrong)?;
        anyhow::Ok(())
    })?;
    ensure!(scene.on_server(&format!("ls {directory}")).await? == "sub\n");
    wait_for_phase(&scene, &mypv, "Released").await?;

    tokio::task::block_in_place(|| {
        let mut session = on_a_terminal(&scene, &mypv, false)?;
        session.exp_string("(keep/scrub)").map_err(wrong)?;
        session.send_line("scrub").map_err(wrong)?;
        session.exp_string("Remove 1 entry of").map_err(wrong)?;
        session.send("y").map_err(wrong)?;
        session.flush().map_err(wrong)?;
        session
            .exp_string(&format!("persistentvolume/{mypv} is Available"))
            .map_err(wrong)?;
        anyhow::Ok(())
    })?;
    ensure!(scene.on_server(&format!("ls -A {directory}")).await?.is_empty());
    Ok(())
}

async fn a_directory_of_several_volumes_is_not_scrubbed(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let top = format!("{}-top", scene.namespace);
    let mypv = static_volume(&scene, "mypv", &format!("{top}/mine")).await?;
    scene.claim("first", json!({})).await?;
    scene.bound("first").await?;
    delete_and_wait_for_phase(&scene, "first", &mypv).await?;
    let before = scene.on_server(&format!("find {top} | sort")).await?;
    for (other, directory) in [
        ("same", format!("{top}/mine/")),
        ("above", top.clone()),
        ("below", format!("{top}/mine/sub")),
    ] {
        let other = static_volume(&scene, other, &directory).await?;
        let (_, stderr, code) = scrub(&scene, &mypv, &["--yes"]).await?;
        ensure!(
            code == 1 && stderr.contains(&format!("pv/{other} lies at")),
            "{code} {stderr}"
        );
        scene.volumes().delete(&other, &Default::default()).await?;
        let gone = |volume: Option<&PersistentVolume>| volume.is_none();
        tokio::time::timeout(EVENT_TIMEOUT, await_condition(scene.volumes(), &other, gone)).await??;
        scene.on_server(&format!("cd {top} && rm -rf sub mine/sub/sub")).await?;
    }
    let after = scene.on_server(&format!("find {top} | sort")).await?;
    ensure!(before == after, "{before} {after}");
    // A link in place of the directory, to a path that does not exist.
    scene
        .on_server(&format!(
            "mkdir {top}/precious && mv {top}/mine/sub {top}/precious/ && rmdir {top}/mine && ln -s precious {top}/mine"
        ))
        .await?;
    let (_, stderr, code) = scrub(&scene, &mypv, &["--yes"]).await?;
    ensure!(code == 1 && stderr.contains("is a symbolic link"), "{code} {stderr}");
    ensure!(scene.on_server(&format!("cat {top}/precious/sub/file")).await? == "kept\n");
    wait_for_phase(&scene, &mypv, "Released").await
}

async fn a_provisioners_volume_is_scrubbed_where_it_was_recorded_to_be(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene
        .class(json!({"reclaimPolicy": "Retain", "parameters": {"pathPattern": "${.PVC.namespace}/${.PVC.name}"}}))
        .await?;
    let provisioner = scene.watch(&[]).await?;
    scene.claim("data", json!({})).await?;
    let volume = scene.bound("data").await?.name_any();
    provisioner.stop().await?;
    let directory = format!("{}/data", scene.namespace);
    scene
        .on_server(&format!("mkdir -p {directory}/a/b && ln -s / {directory}/link"))
        .await?;
    delete_and_wait_for_phase(&scene, "data", &volume).await?;
    // The export needs no option, except for a directory of this machine.
    let local = matches!(scene.export, Directories::Local(_));
    let (stdout, stderr, code) = match local {
        true => scrub(&scene, &volume, &["--yes"]).await?,
        false => release(&scene, &volume, &["--scrub", "--yes"]).await?,
    };
    ensure!(code == 0, "{stderr}");
    ensure!(
        stdout == format!("persistentvolume/{volume} is Available\n"),
        "{stdout}"
    );
    ensure!(scene.on_server(&format!("ls -A {directory}")).await?.is_empty());
    Ok(())
}

async fn status_lists_the_objects_with_their_sizes(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let provisioner = scene.watch(&[]).await?;
    scene.claim("data", json!({})).await?;
    let volume = scene.bound("data").await?.name_any();
    let directory = scene.directories().await?.pop().context("no directory")?;
    scene
        .on_server(&format!("mkdir {directory}/sub && seq 20000 > {directory}/sub/file"))
        .await?;
    provisioner.stop().await?;
    scene.claim_handed_over("waits", json!({})).await?;
    let mut args = vec!["status".to_owned(), "--sizes".into(), "-o".into(), "json".into()];
    args.extend(on_export(&scene));
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(code == 0, "{stderr}");
    let found: Value = serde_json::from_str(&stdout)?;
    let named = |kind: &str, name: &str| {
        let mut rows = found[kind].as_array().into_iter().flatten();
        rows.find(|row| row["name"] == name).cloned().unwrap_or_default()
    };
    ensure!(
        found["apiVersion"] == "nfsprov/v1" && found["kind"] == "Status",
        "{stdout}"
    );
    for (name, phase, volume) in [("data", "Bound", volume.as_str()), ("waits", "Pending", "")] {
        let mut row = named("claims", name);
        let created = row["created"].take();
        ensure!(created.is_string(), "{stdout}");
        let wanted = json!({
            "namespace": scene.namespace, "name": name, "phase": phase, "size": "1Gi", "volume": volume,
            "class": scene.class, "accessModes": ["ReadWriteOnce"], "created": null,
        });
        ensure!(row == wanted, "{stdout}");
    }
    ensure!(
        found["claims"].as_array().is_some_and(|claims| claims.len() == 2),
        "{stdout}"
    );
    let row = named("volumes", &volume);
    let (server, root) = export(&scene);
    ensure!(
        row["server"] == json!(server)
            && row["path"] == json!(format!("{root}/{directory}"))
            && row["phase"] == "Bound"
            && row["claim"] == json!(format!("{}/data", scene.namespace))
            && row["provisioner"] == json!(scene.provisioner),
        "{row}"
    );
    ensure!(row["holds"]["data"]["files"] == 1, "{row}");
    let bytes = row["holds"]["data"]["bytes"].as_u64().context("no size")?;
    let real: u64 = scene
        .on_server(&format!("du -s --block-size=1 {directory} | cut -f1"))
        .await?
        .trim()
        .parse()?;
    // du also counts the directory itself.
    ensure!(bytes > 100_000 && bytes <= real, "{bytes} of {real}");
    ensure!(
        named("classes", &scene.class)["provisioner"] == json!(scene.provisioner),
        "{stdout}"
    );
    ensure!(
        named("provisioners", &scene.provisioner)["workload"] == Value::Null,
        "{stdout}"
    );

    let (yaml, _, _) = output_parts(&scene.nfsprov(&["status", "-o", "name"]).await?);
    ensure!(
        yaml.starts_with("persistentvolumeclaim/data\npersistentvolumeclaim/waits\n"),
        "{yaml}"
    );
    let (table, _, _) = output_parts(&scene.nfsprov(&["status"]).await?);
    ensure!(
        table.starts_with("CLAIM ") && table.contains("\nPROVISIONER "),
        "{table}"
    );
    let row = table.lines().find(|line| line.starts_with("data ")).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let (age, others) = cells.split_last().context("no row")?;
    ensure!(
        others == ["data", "Bound", &scene.class, "1Gi", "RWO", &volume] && age.ends_with(['s', 'm']),
        "{table}"
    );
    let (table, _, _) = output_parts(&scene.nfsprov(&["status", "--no-headers"]).await?);
    ensure!(table.starts_with("data ") && !table.contains("PROVISIONER"), "{table}");
    Ok(())
}
