//! `--via ssh://`: the export's directories created by a shell on its server.

use std::sync::Arc;

use anyhow::{Result, ensure};
use kube::ResourceExt;
use nfsprov_lab::guest::{Guest, Template};
use serde_json::json;

use crate::kit::{Directories, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: claims_are_served_over_ssh_where_root_is_squashed,
    Newest: over_ssh_a_planted_link_is_refused,
    Newest: over_ssh_a_sudo_user_serves_too,
    Newest: a_lost_ssh_connection_is_made_again,
    Newest: errors_of_ssh_are_one_sentence,
}

/// An NFS server whose export squashes root and belongs to root.
pub async fn squashing_server(stage: &Stage, name: &str) -> Result<Guest> {
    let guest = stage.guest(name, Template::NfsServer).await?;
    guest
        .ssh(
            "echo '/nfsdata *(rw,sync,no_subtree_check,root_squash,secure)' >/etc/exports
             chmod 0755 /nfsdata && exportfs -ra && exportfs -s | grep -q root_squash",
        )
        .await?;
    Ok(guest)
}

/// A scene on that server.
async fn scene_on(stage: &Arc<Stage>, guest: &Guest) -> Result<Scene> {
    let mut scene = stage.scene().await?;
    scene.export = Directories::Guest(guest.address().to_string());
    Ok(scene)
}

/// The options for a login to a guest, which takes seconds on one that shares a busy processor.
pub fn over_ssh(guest: &Guest, user: &str) -> Vec<String> {
    over_ssh_within(guest, user, "60s")
}

fn over_ssh_within(guest: &Guest, user: &str, connect_timeout: &str) -> Vec<String> {
    let via = format!("ssh://{user}@{}", guest.address());
    let key = guest.ssh_key().display().to_string();
    let options = [
        "--via",
        &via,
        "-i",
        &key,
        "--host-key",
        "accept-new",
        "--connect-timeout",
    ];
    options
        .into_iter()
        .chain([connect_timeout])
        .map(str::to_owned)
        .collect()
}

pub fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

async fn claims_are_served_over_ssh_where_root_is_squashed(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.squashing_server().await?;
    let scene = scene_on(&stage, guest).await?;
    scene
        .class(json!({"parameters": {"dirMode": "2750", "dirUid": "1234", "dirGid": "4321"}}))
        .await?;
    // Over NFS this is not possible.
    let provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    scene.event("a", "permission denied").await?;
    provisioner.stop().await?;

    let options = over_ssh(guest, "root");
    let provisioner = scene.watch(&words(&options)).await?;
    let volume = scene.bound("a").await?;
    let name = format!("{}-a-{}", scene.namespace, volume.name_any());
    let directory = guest.ssh(&format!("stat -c '%a %u %g' /nfsdata/{name}")).await?;
    ensure!(directory.trim() == "2750 1234 4321", "{directory}");
    guest.ssh(&format!("touch /nfsdata/{name}/file")).await?;
    scene.delete_with_volume("a", &volume).await?;
    let ours = format!("ls /nfsdata | grep {}", scene.namespace);
    ensure!(guest.ssh(&ours).await?.trim() == format!("archived-{name}"));
    guest.ssh(&format!("test -f /nfsdata/archived-{name}/file")).await?;
    let status = provisioner.stop().await?;
    ensure!(status.code() == Some(0), "{status}");

    let scene = scene_on(&stage, guest).await?;
    let parameters = json!({"onDelete": "delete", "pathPattern": "${.PVC.namespace}/it's/${.PVC.name} $HOME"});
    scene.class(json!({"parameters": parameters})).await?;
    let _provisioner = scene.watch(&words(&options)).await?;
    for name in ["b", "c"] {
        scene.claim(name, json!({})).await?;
    }
    let volume = scene.bound("b").await?;
    scene.bound("c").await?;
    let parent = format!("/nfsdata/{}/it\\'s", scene.namespace);
    guest.ssh(&format!("test -d {parent}/b\\ \\$HOME")).await?;
    scene.delete_with_volume("b", &volume).await?;
    ensure!(guest.ssh(&format!("ls {parent}")).await?.trim() == "c $HOME");
    Ok(())
}

async fn over_ssh_a_planted_link_is_refused(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.squashing_server().await?;
    let scene = scene_on(&stage, guest).await?;
    scene
        .class(json!({"parameters": {"pathPattern": "${.PVC.namespace}/${.PVC.name}"}}))
        .await?;
    let planted = &scene.namespace;
    guest
        .ssh(&format!(
            "mkdir /srv/{planted} && ln -s /srv/{planted} /nfsdata/{planted}"
        ))
        .await?;
    let options = over_ssh(guest, "root");
    let _provisioner = scene.watch(&words(&options)).await?;
    scene.claim("a", json!({})).await?;
    scene
        .event(
            "a",
            &format!("{planted} on the export is a symbolic link, not a directory"),
        )
        .await?;
    ensure!(guest.ssh(&format!("ls -A /srv/{planted}")).await?.is_empty());
    guest.ssh(&format!("rm /nfsdata/{planted}")).await?;
    scene.bound("a").await?;
    Ok(())
}

async fn over_ssh_a_sudo_user_serves_too(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.squashing_server().await?;
    // Another directory: in its own, other users' provisioners left directories that belong to root.
    let mut scene = scene_on(&stage, guest).await?;
    scene.path = "/nfsdata/sudo".to_owned();
    scene.class(json!({})).await?;
    guest
        .ssh("mkdir /nfsdata/sudo; echo 'ops ALL=(ALL) ALL' >/etc/sudoers.d/ops && echo ops:hunter2-5d1c | chpasswd -c SHA512 -s 1000")
        .await?;
    let file = stage.file("password");
    std::fs::write(&file, "hunter2-5d1c\n")?;
    let password = [
        "--sudo".to_owned(),
        "--sudo-password-file".to_owned(),
        file.display().to_string(),
    ];
    let (plain, sudo) = (
        over_ssh(guest, "ops"),
        [over_ssh(guest, "ops"), password.to_vec()].concat(),
    );
    scene.claim_handed_over("a", json!({})).await?;
    // As the user ops itself, without sudo, it has no permissions there.
    let pass = |options: &[String]| [scene.provision_args(), options.to_vec()].concat();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&pass(&plain)).await?);
    ensure!(code == 1 && stdout.contains("Permission denied"), "{stdout}{stderr}");
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&pass(&sudo)).await?);
    ensure!(code == 0 && stdout.contains("provisioned"), "{stdout}{stderr}");
    scene.bound("a").await?;
    ensure!(!format!("{stdout}{stderr}").contains("hunter2"));
    Ok(())
}

async fn a_lost_ssh_connection_is_made_again(stage: Arc<Stage>) -> Result<()> {
    let mut guest = squashing_server(&stage, "cutting").await?;
    let scene = scene_on(&stage, &guest).await?;
    scene.class(json!({})).await?;
    let provisioner = scene.watch(&words(&over_ssh(&guest, "root"))).await?;
    for name in ["a", "b", "c"] {
        scene.claim(name, json!({})).await?;
        let volume = scene.bound(name).await?;
        // Kills each session's process except this one, once the record is written: cutting a login would be an error.
        let killed = guest
            .ssh(&format!(
                "until [ -e /nfsdata/.nfsprov/volumes/{}.yaml ]; do sleep 0.1; done
                 for process in $(pgrep -f '^sshd: root@notty'); do
                     if [ $process != $PPID ]; then kill -9 $process && echo $process; fi
                 done",
                volume.name_any()
            ))
            .await?;
        ensure!(!killed.trim().is_empty(), "there was no connection to cut");
        let events = scene.events(name).await?;
        let failures = events
            .iter()
            .filter(|event| event.starts_with("ProvisioningFailed: failed to provision volume"));
        ensure!(failures.count() == 0, "{events:?}");
    }
    provisioner.stop().await?;
    // The whole server stops and starts again.
    let _provisioner = scene.watch(&words(&over_ssh_within(&guest, "root", "20s"))).await?;
    scene.claim("before", json!({})).await?;
    scene.bound("before").await?;
    guest.kill().await?;
    scene.claim("meanwhile", json!({})).await?;
    scene.event("meanwhile", "does not answer").await?;
    guest.restart().await?;
    scene.bound("meanwhile").await?;
    Ok(())
}

async fn errors_of_ssh_are_one_sentence(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let guest = stage.nfs();
    let (address, key) = (guest.address(), guest.ssh_key().display().to_string());
    let good = format!("ssh://root@{address}");
    for (options, code, word) in [
        (vec!["--via", &format!("{good}:1"), "-i", &key], 1, "connection refused"),
        (
            vec!["--quota-ssh", &format!("{good}:1"), "-i", &key],
            1,
            "connection refused",
        ),
        (
            vec!["--via", &good, "-i", &key, "--host-key", "strict"],
            1,
            "is not in known_hosts",
        ),
        (
            vec!["--via", &good, "-i", "/nosuch", "--host-key", "accept-new"],
            1,
            "/nosuch can't be read",
        ),
        (vec!["--via", &good, "-i", &key, "--path", "/no/such"], 1, "/no/such"),
        (
            vec!["--via", "ssh://root:secret@nfs"],
            2,
            "a password has no place on the command line",
        ),
        (vec!["-i", &key], 2, "need --via ssh://"),
        (vec!["--via", &good, "--sudo-password-file", &key], 2, "--sudo"),
    ] {
        let mut arguments = scene.provision_args();
        if options.contains(&"--path") {
            arguments.truncate(arguments.len() - 2);
        }
        arguments.extend(options.iter().map(|word| (*word).to_owned()));
        let (stdout, stderr, status) = output_parts(&scene.nfsprov(&arguments).await?);
        ensure!(
            status == code && stdout.is_empty(),
            "{options:?}: {status} {stdout}{stderr}"
        );
        ensure!(stderr.contains(word), "{options:?}: {stderr}");
        let lines = stderr
            .trim_end()
            .lines()
            .filter(|line| line.starts_with("error"))
            .count();
        ensure!(lines == 1, "{options:?}: {stderr}");
    }
    Ok(())
}
