//! `quota: enforce` on real file systems: claims are bound once their directories are limited, and expanded.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use nfsprov_lab::guest::{Guest, Template};
use serde_json::{Value, json};

use crate::kit::{Directories, Scene};
use crate::ssh::{over_ssh, words};
use crate::stage::Stage;

crate::tests! {
    Newest: on_xfs_a_claim_is_bound_once_its_size_is_enforced,
    Newest: on_ext4_sizes_are_enforced_only_where_root_is_squashed,
    Newest: over_nfs_alone_no_size_is_enforced,
}

const PATH: &str = "/srv/limited";

/// A server whose second disk was made by `mkfs`, mounted with `options` and exported with `export`.
async fn server(stage: &Arc<Stage>, name: &str, mkfs: &str, options: &str, export: &str) -> Result<Guest> {
    let guest = stage.lab().guest(name, Template::NfsServerWithQuota).await?;
    let script = format!(
        "{mkfs} /dev/ubdb && mkdir {PATH} && mount -o {options} /dev/ubdb {PATH} && {}",
        exported(export)
    );
    guest.ssh(&script).await?;
    Ok(guest)
}

/// A shell command that exports the directory with these options alone.
fn exported(options: &str) -> String {
    format!("echo '{PATH} *(rw,sync,no_subtree_check,{options})' >/etc/exports && exportfs -ra")
}

async fn scene_on(stage: &Arc<Stage>, guest: &Guest) -> Result<Scene> {
    let mut scene = stage.scene().await?;
    scene.export = Directories::Guest(guest.address().to_string());
    scene.path = PATH.to_owned();
    Ok(scene)
}

fn size(size: &str) -> Value {
    json!({"resources": {"requests": {"storage": size}}})
}

/// Mounts a volume's directory over NFS on the server itself, with `version`, and checks that FSSTAT reports `kib`. The
/// client rounds it up to its own blocks.
async fn mounted(guest: &Guest, directory: &str, version: &str, kib: u64) -> Result<()> {
    let script = format!(
        "umount -q /mnt; mount -t nfs -o vers={version},nolock localhost:{PATH}/{directory} /mnt && stat -f -c '%b %S' /mnt"
    );
    let said = guest.ssh(&script).await?;
    let (blocks, block) = said.trim().split_once(' ').context("no blocks")?;
    let (blocks, block): (u64, u64) = (blocks.parse()?, block.parse()?);
    ensure!(
        blocks * block == (kib * 1024).next_multiple_of(block),
        "over NFS {version} the volume has {blocks} blocks of {block} bytes"
    );
    Ok(())
}

/// Writes so many MiB into a file of the mounted directory, as the user `uid`, and gives what dd said if it failed.
async fn written(guest: &Guest, file: &str, mib: u32, uid: u32) -> Result<Option<String>> {
    let script = format!(
        "if said=$(LC_ALL=C setpriv --reuid={uid} --regid={uid} --clear-groups \
         dd if=/dev/zero of=/mnt/{file} bs=64k count={} conv=fsync 2>&1); then echo written; else echo \"$said\"; fi",
        mib * 16
    );
    let said = guest.ssh(&script).await?;
    Ok((said.trim() != "written").then_some(said))
}

async fn on_xfs_a_claim_is_bound_once_its_size_is_enforced(stage: Arc<Stage>) -> Result<()> {
    let guest = server(&stage, "xfs", "mkfs.xfs -q", "defaults", "no_root_squash").await?;
    let scene = scene_on(&stage, &guest).await?;
    scene.class(json!({"parameters": {"quota": "enforce"}})).await?;
    let options = over_ssh(&guest, "root");
    let _provisioner = scene.watch(&words(&options)).await?;
    scene.claim("a", size("10Mi")).await?;
    scene.event("a", "is mounted without prjquota").await?;
    ensure!(scene.phase("a").await? == "Pending" && scene.own_volumes().await?.is_empty());

    // The administrator does what the event says, and the claim is retried.
    let remount = format!("exportfs -ua && umount {PATH} && mount -o prjquota /dev/ubdb {PATH} && exportfs -ra");
    guest.ssh(&remount).await?;
    let volume = scene.bound("a").await?;
    ensure!(volume.annotations().get("nfsprov/quota").map(String::as_str) == Some("enforce"));
    let directory = format!("{}-a-{}", scene.namespace, volume.name_any());
    for version in ["3", "4.2"] {
        mounted(&guest, &directory, version, 10_240).await?;
        for uid in [0, 1000] {
            let failed = written(&guest, "full", 11, uid).await?;
            let failed = failed.with_context(|| format!("uid {uid} wrote past the limit over NFS {version}"))?;
            ensure!(failed.contains("No space left on device"), "{failed}");
            guest.ssh("rm /mnt/full").await?;
            let failed = written(&guest, "fits", 9, uid).await?;
            ensure!(failed.is_none(), "uid {uid} over NFS {version}: {failed:?}");
            guest.ssh("rm /mnt/fits").await?;
        }
    }

    // A second claim has a limit of its own.
    scene.claim("b", size("20Mi")).await?;
    let volume = scene.bound("b").await?;
    let directory = format!("{}-b-{}", scene.namespace, volume.name_any());
    mounted(&guest, &directory, "4.2", 20_480).await?;
    guest.ssh("umount /mnt").await?;
    Ok(())
}

async fn on_ext4_sizes_are_enforced_only_where_root_is_squashed(stage: Arc<Stage>) -> Result<()> {
    let mkfs = "mkfs.ext4 -q -O quota,project -E quotatype=prjquota";
    let guest = server(&stage, "ext4", mkfs, "prjquota", "no_root_squash").await?;
    let scene = scene_on(&stage, &guest).await?;
    scene.class(json!({"parameters": {"quota": "enforce"}})).await?;
    let options = over_ssh(&guest, "root");
    let _provisioner = scene.watch(&words(&options)).await?;
    scene.claim("a", size("10Mi")).await?;
    scene.event("a", "root in pods is not limited on ext4").await?;
    ensure!(scene.phase("a").await? == "Pending" && scene.own_volumes().await?.is_empty());

    guest.ssh(&exported("root_squash")).await?;
    let volume = scene.bound("a").await?;
    let directory = format!("{}-a-{}", scene.namespace, volume.name_any());
    // The directory itself takes 4 KiB of it.
    mounted(&guest, &directory, "4.2", 10_244).await?;
    for uid in [0, 1000] {
        let failed = written(&guest, &format!("full-{uid}"), 11, uid).await?;
        let failed = failed.with_context(|| format!("uid {uid} wrote past the limit"))?;
        ensure!(failed.contains("Disk quota exceeded"), "{failed}");
        guest.ssh(&format!("rm {PATH}/{directory}/full-{uid}")).await?;
    }
    guest.ssh("umount /mnt").await?;
    Ok(())
}

async fn over_nfs_alone_no_size_is_enforced(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"quota": "enforce"}})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", size("10Mi")).await?;
    scene.event("a", "run the provisioner with --via ssh://").await?;
    ensure!(scene.phase("a").await? == "Pending" && scene.directories().await?.is_empty());
    Ok(())
}
