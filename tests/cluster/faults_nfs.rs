//! Exports that are full, read-only, not permitted, removed or not answering, and servers of only one NFS version.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::Patch;
use nfsprov::export::CALL_TIMEOUT;
use nfsprov_lab::guest::Template;
use serde_json::json;
use tokio::process::Command;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::kit::{Directories, EVENT_TIMEOUT, NFSPROV, Scene, output_parts};
use crate::stage::{Stage, usual_or_thorough};

/// How long a server hangs: three times the timeout of a call, or for many retries.
fn hanging() -> Duration {
    usual_or_thorough(3 * CALL_TIMEOUT, Duration::from_secs(120))
}

/// The uid of a user without permissions.
const UNPRIVILEGED_UID: &str = "65534";

crate::tests! {
    Newest: a_full_export_is_reported_and_served_when_it_has_space,
    Newest: a_read_only_export_is_reported_and_served_when_it_is_writable,
    Newest: a_directory_that_squashed_root_may_not_write_is_reported,
    Newest: an_owner_that_squashed_root_may_not_set_is_reported,
    Newest: a_recreated_export_is_found_again,
    Newest: a_hung_server_delays_only_its_own_claims,
    Newest: servers_of_nfs_4_alone_are_served,
    Newest: a_path_below_the_root_of_nfs_4_is_served,
    Newest: without_a_privileged_port_a_secure_export_is_reported_and_an_insecure_one_works,
}

/// Gives a scene its own export on the shared server: a new directory that a shell command prepares there.
pub async fn on_export(mut scene: Scene, prepare: &str, options: &str) -> Result<Scene> {
    scene.path = format!("/srv/{}", scene.namespace);
    let make = format!("mkdir -p {0} && cd {0} && {prepare}", scene.path);
    scene.stage.nfs().ssh(&make).await?;
    export(&scene, options).await?;
    Ok(scene)
}

/// Exports the scene's directory with these options, which replace earlier ones.
pub async fn export(scene: &Scene, options: &str) -> Result<()> {
    let command = format!("exportfs -o {options},sync,no_subtree_check '*:{}'", scene.path);
    scene.stage.nfs().ssh(&command).await?;
    Ok(())
}

/// A claim fails with these messages, until `mended` ends and it is Bound.
async fn fails_until(scene: &Scene, why: &[&str], repair: impl Future<Output = Result<()>>) -> Result<()> {
    scene.claim("a", json!({})).await?;
    let event = scene
        .event("a", "ProvisioningFailed: failed to provision volume")
        .await?;
    for words in why.iter().chain(&["next try in"]) {
        ensure!(event.contains(words), "no {words:?} in {event}");
    }
    ensure!(scene.phase("a").await? == "Pending");
    repair.await?;
    scene.bound("a").await?;
    ensure!(scene.directories().await?.len() == 1);
    Ok(())
}

/// A file system without free inodes: a new directory fails as on a full one.
async fn a_full_export_is_reported_and_served_when_it_has_space(stage: Arc<Stage>) -> Result<()> {
    let full = "mount -t tmpfs -o nr_inodes=30,mode=777 full . && cd $PWD && n=0 && \
                while touch full-$n 2>/dev/null; do n=$((n+1)); done";
    let scene = stage.scene().await?;
    // A file system without a device is exported by a number, which no other on this server may have.
    let number: u32 = scene.namespace.rsplit('-').next().unwrap_or_default().parse()?;
    let scene = on_export(scene, full, &format!("rw,no_root_squash,fsid={}", 1000 + number)).await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let room = async { scene.on_server("rm full-*").await.map(drop) };
    fails_until(&scene, &["cannot make directory", "no space left on device"], room).await
}

async fn a_read_only_export_is_reported_and_served_when_it_is_writable(stage: Arc<Stage>) -> Result<()> {
    let scene = on_export(stage.scene().await?, "true", "ro,no_root_squash").await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let writable = export(&scene, "rw,no_root_squash");
    fails_until(&scene, &["cannot make directory", "read-only file system"], writable).await
}

async fn a_directory_that_squashed_root_may_not_write_is_reported(stage: Arc<Stage>) -> Result<()> {
    let scene = on_export(stage.scene().await?, "chmod 755 .", "rw,root_squash").await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    let opened = async { scene.on_server("chmod 777 .").await.map(drop) };
    fails_until(&scene, &["permission denied", "squashes root"], opened).await
}

async fn an_owner_that_squashed_root_may_not_set_is_reported(stage: Arc<Stage>) -> Result<()> {
    let scene = on_export(stage.scene().await?, "chmod 777 .", "rw,root_squash").await?;
    scene
        .class(json!({"parameters": {"dirUid": "1000", "dirMode": "0750"}}))
        .await?;
    let _provisioner = scene.watch(&[]).await?;
    let trusted = export(&scene, "rw,no_root_squash");
    fails_until(&scene, &["cannot set owner and mode", "squashes root"], trusted).await?;
    let facts = scene
        .on_server(&format!("stat -c '%u %a' {}-*", scene.namespace))
        .await?;
    ensure!(facts == "1000 750\n", "{facts}");
    Ok(())
}

/// The file handle of the root that the provisioner holds is stale afterwards.
async fn a_recreated_export_is_found_again(stage: Arc<Stage>) -> Result<()> {
    let scene = on_export(stage.scene().await?, "true", "rw,no_root_squash").await?;
    scene.class(json!({})).await?;
    let provisioner = scene.watch(&[]).await?;
    scene.claim("before", json!({})).await?;
    scene.bound("before").await?;
    let path = &scene.path;
    let recreate = format!("exportfs -u '*:{path}' && rm -r {path} && mkdir {path}");
    stage.nfs().ssh(&recreate).await?;
    export(&scene, "rw,no_root_squash").await?;
    scene.claim("after", json!({})).await?;
    scene.bound("after").await?;
    let directories = scene.directories().await?;
    ensure!(
        directories.len() == 1 && directories[0].contains("-after-"),
        "{directories:?}\n{}",
        provisioner.log()
    );
    Ok(())
}

/// More claims than workers wait for the server that hangs: they would occupy every shared worker.
async fn a_hung_server_delays_only_its_own_claims(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.guest("silent", Template::NfsServer).await?;
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let silent = Scene {
        class: format!("{}-silent", scene.class),
        client: scene.client.clone(),
        namespace: scene.namespace.clone(),
        provisioner: scene.provisioner.clone(),
        kubeconfig: scene.kubeconfig.clone(),
        export: Directories::Guest(guest.address().to_string()),
        path: scene.path.clone(),
        stage: stage.clone(),
    };
    let address = guest.address().to_string();
    silent
        .class(json!({"parameters": {"server": address, "path": "/nfsdata"}}))
        .await?;
    let allowed = format!("{address}:/nfsdata");
    let _provisioner = scene.watch(&["--allow-export", &allowed, "--concurrency", "4"]).await?;
    scene.claim_handed_over("before", json!({})).await?;
    let begun = Instant::now();
    scene.provisioned("before").await?;
    let usual = begun.elapsed();
    silent.claim("silent-before", json!({})).await?;
    let volume = silent.bound("silent-before").await?;

    guest.hang()?;
    let (hung, hanging) = (Instant::now(), hanging());
    silent.claims().delete("silent-before", &Default::default()).await?;
    for number in 0..8 {
        silent.claim(&format!("silent-{number}"), json!({})).await?;
    }
    // From start to end, no claim waits for a call to the other server.
    let mut number = 0;
    while hung.elapsed() < hanging {
        let name = format!("other-{number}");
        scene.claim_handed_over(&name, json!({})).await?;
        let begun = Instant::now();
        scene.provisioned(&name).await?;
        ensure!(
            begun.elapsed() < CALL_TIMEOUT.max(3 * usual),
            "claim {number} took {:?}, and {usual:?} before the server hung",
            begun.elapsed()
        );
        number += 1;
        sleep_until((hung + Duration::from_secs(5) * number).min(hung + hanging)).await;
    }
    let event = silent
        .event("silent-0", "ProvisioningFailed: failed to provision volume")
        .await?;
    ensure!(event.contains("does not answer") && event.contains(&address), "{event}");
    ensure!(silent.phase("silent-0").await? == "Pending");

    guest.resume()?;
    // A change of the claim causes a retry at once; the other claims are retried within a minute.
    for number in 0..8 {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"try": "again"}}}));
        let name = format!("silent-{number}");
        silent.claims().patch(&name, &Default::default(), &patch).await?;
        silent.bound(&name).await?;
    }
    let gone = async {
        while silent.volumes().get_opt(&volume_name(&volume)).await?.is_some() {
            sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    // The last backoff may be as long as all earlier ones together.
    timeout(hanging + EVENT_TIMEOUT, gone)
        .await
        .context("the volume is never deleted")?
}

fn volume_name(volume: &k8s_openapi::api::core::v1::PersistentVolume) -> String {
    kube::ResourceExt::name_any(volume)
}

/// With `fsid=0`, nodes mount `server:/data`, but NFSv3 only accepts `/srv/root/data`.
async fn a_path_below_the_root_of_nfs_4_is_served(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.guest("rooted", Template::NfsServer).await?;
    let root = "mkdir -p /srv/root/data && exportfs -o rw,no_root_squash,fsid=0,no_subtree_check '*:/srv/root' && \
                exportfs -o rw,no_root_squash,nohide,no_subtree_check '*:/srv/root/data'";
    guest.ssh(root).await?;
    let mut scene = stage.scene().await?;
    scene.export = Directories::Guest(guest.address().to_string());
    scene.path = "/data".to_owned();
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let made = guest.ssh("ls /srv/root/data").await?;
    ensure!(made.trim().ends_with(&volume_name(&volume)), "{made}");
    // If neither version serves a path, the error names the exported one.
    let mut command = Command::new(NFSPROV);
    command.args([
        "provision",
        "--path",
        "/root/data",
        "--server",
        &guest.address().to_string(),
    ]);
    command.arg("--kubeconfig").arg(&scene.kubeconfig);
    let (_, stderr, code) = output_parts(&command.output().await?);
    ensure!(code == 1 && stderr.contains("; /srv/root/data is exported"), "{stderr}");
    Ok(())
}

/// Without NFSv3 there is no portmapper and no MOUNT protocol. Over NFSv4.1 one attempt removes a tree of many files,
/// though the session is lost several times.
async fn servers_of_nfs_4_alone_are_served(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.guest("modern", Template::NfsServer).await?;
    for (versions, on_delete) in [("vers3=n", "archive"), ("vers3=n\\nvers4.0=n", "delete")] {
        let only = format!(
            "printf '[nfsd]\\n{versions}\\n' >/etc/nfs.conf.d/versions.conf && systemctl stop rpcbind.socket \
             rpcbind.service && systemctl restart nfs-server && cat /proc/fs/nfsd/versions"
        );
        let spoken = guest.ssh(&only).await?;
        ensure!(spoken.contains("-3 ") && spoken.contains("+4.1"), "{spoken}");
        let mut scene = stage.scene().await?;
        scene.export = Directories::Guest(guest.address().to_string());
        let parameters =
            json!({"pathPattern": "${.PVC.namespace}/${.PVC.name}", "onDelete": on_delete, "dirUid": "1000"});
        scene.class(json!({"parameters": parameters})).await?;
        let mut provisioner = scene.watch(&[]).await.with_context(|| format!("with {spoken}"))?;
        for number in 0..40 {
            scene.claim(&format!("c{number}"), json!({})).await?;
        }
        for number in 0..40 {
            scene
                .bound(&format!("c{number}"))
                .await
                .with_context(|| format!("with {spoken}"))?;
        }
        let volume = scene.bound("c0").await?;
        let namespace = &scene.namespace;
        // An archive is a rename, whatever the number of files.
        if on_delete == "delete" {
            let each = usual_or_thorough(500, 2500);
            let fill = format!(
                "cd /nfsdata/{namespace}/c0 && mkdir -p a b && (cd a && seq {each} | xargs touch) && cp -r a b"
            );
            guest.ssh(&fill).await?;
        }
        scene.delete_with_volume("c0", &volume).await?;
        let left = guest
            .ssh(&format!(
                "cd /nfsdata && ls -d {namespace}/* archived-{namespace}-c0-* 2>/dev/null || true"
            ))
            .await?;
        let expected = if on_delete == "archive" { 40 } else { 39 };
        ensure!(left.lines().count() == expected, "{left}\n{}", provisioner.log());
        if on_delete == "delete" {
            provisioner.wait_for_log("removed from the trash").await?;
            let failed = provisioner.log().contains("not removed from the trash");
            ensure!(!failed, "{}", provisioner.log());
        }
    }
    Ok(())
}

async fn without_a_privileged_port_a_secure_export_is_reported_and_an_insecure_one_works(
    stage: Arc<Stage>,
) -> Result<()> {
    let scene = on_export(stage.scene().await?, "true", "rw,no_root_squash,secure").await?;
    scene.class(json!({})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    // The files that this user may read: the tool and a kubeconfig.
    let directory = tempfile::tempdir()?;
    let (tool, kubeconfig) = (directory.path().join("nfsprov"), directory.path().join("kubeconfig"));
    std::fs::copy(NFSPROV, &tool)?;
    std::fs::copy(&scene.kubeconfig, &kubeconfig)?;
    for (path, mode) in [(directory.path(), 0o755), (&*tool, 0o755), (&*kubeconfig, 0o644)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    let (stdout, stderr, code) = as_unprivileged_user(&tool, &kubeconfig, &scene).await?;
    ensure!(code == 1 && stdout.is_empty(), "{code}: {stdout}{stderr}");
    ensure!(
        stderr.starts_with("error: NFS server refuses") && stderr.contains("privileged source port"),
        "{stderr}"
    );
    ensure!(
        stderr.contains("`insecure`") && stderr.trim_end().lines().count() == 1,
        "{stderr}"
    );
    export(&scene, "rw,no_root_squash,insecure").await?;
    let (stdout, stderr, code) = as_unprivileged_user(&tool, &kubeconfig, &scene).await?;
    ensure!(
        code == 0 && stdout.contains(" provisioned "),
        "{code}: {stdout}{stderr}"
    );
    scene.bound("a").await?;
    Ok(())
}

/// One pass of the tool as a user without permissions.
async fn as_unprivileged_user(tool: &Path, kubeconfig: &Path, scene: &Scene) -> Result<(String, String, i32)> {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        UNPRIVILEGED_UID,
        "--regid",
        UNPRIVILEGED_UID,
        "--clear-groups",
        "--inh-caps=-all",
        "--",
    ]);
    command.arg(tool).args(scene.provision_args());
    command.arg("--kubeconfig").arg(kubeconfig).kill_on_drop(true);
    let output = timeout(EVENT_TIMEOUT, command.output())
        .await
        .context("nfsprov does not end")??;
    Ok(output_parts(&output))
}
