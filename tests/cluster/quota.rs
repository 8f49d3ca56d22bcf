//! `quota: enforce` on real file systems: claims are Bound once their directories are limited, and expanded.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use nfsprov_lab::guest::{Guest, Template};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::kit::{Directories, EVENT_TIMEOUT, Scene, output_parts};
use crate::operable::{SERVED, address, becomes};
use crate::release::delete_and_wait_for_phase;
use crate::ssh::{over_ssh, words};
use crate::stage::Stage;

crate::tests! {
    Newest: on_xfs_a_claim_is_bound_once_its_size_is_enforced,
    Newest: on_ext4_sizes_are_enforced_only_where_root_is_squashed,
    Both("the API server's admission of larger claims differs"): without_a_quota_only_the_recorded_size_grows,
    Newest: over_nfs_alone_no_size_is_enforced,
    Newest: limits_over_ssh_hold_for_new_existing_restored_and_released_volumes,
}

const PATH: &str = "/srv/limited";

/// A server whose second disk is formatted by `mkfs`, mounted with `options` and exported with `export`.
async fn server(stage: &Arc<Stage>, name: &str, mkfs: &str, options: &str, export: &str) -> Result<Guest> {
    let guest = stage.guest(name, Template::NfsServerWithQuota).await?;
    let script = format!(
        "{mkfs} /dev/ubdb && mkdir {PATH} && mount -o {options} /dev/ubdb {PATH} && {}",
        exported(export)
    );
    guest.ssh(&script).await?;
    Ok(guest)
}

/// A shell command that exports the directory with only these options.
fn exported(options: &str) -> String {
    format!("echo '{PATH} *(rw,sync,no_subtree_check,{options})' >/etc/exports && exportfs -ra")
}

/// A server whose XFS enforces project quotas.
pub(crate) async fn limited_server(stage: &Arc<Stage>, name: &str) -> Result<Guest> {
    server(stage, name, "mkfs.xfs -q", "prjquota", "no_root_squash").await
}

pub(crate) async fn scene_on(stage: &Arc<Stage>, guest: &Guest) -> Result<Scene> {
    let mut scene = stage.scene().await?;
    scene.export = Directories::Guest(guest.address().to_string());
    scene.path = PATH.to_owned();
    Ok(scene)
}

fn size(size: &str) -> Value {
    json!({"resources": {"requests": {"storage": size}}})
}

/// Mounts a volume's directory over NFS on the server itself, with `version`, and checks that FSSTAT reports `kib`,
/// which the client rounds up to its own blocks.
async fn mounted(guest: &Guest, directory: &str, version: &str, kib: u64) -> Result<()> {
    let script = format!(
        "umount -q /mnt; mount -t nfs -o vers={version},nolock localhost:{PATH}/{directory} /mnt && stat -f -c '%b %S' /mnt"
    );
    let output_text = guest.ssh(&script).await?;
    let (blocks, block) = output_text.trim().split_once(' ').context("no blocks")?;
    let (blocks, block): (u64, u64) = (blocks.parse()?, block.parse()?);
    ensure!(
        blocks * block == (kib * 1024).next_multiple_of(block),
        "over NFS {version} the volume has {blocks} blocks of {block} bytes"
    );
    Ok(())
}

/// Writes `mib` MiB into a file of the mounted directory as the user `uid`; returns dd's error message if it failed.
async fn written(guest: &Guest, file: &str, mib: u32, uid: u32) -> Result<Option<String>> {
    let script = format!(
        "if said=$(LC_ALL=C setpriv --reuid={uid} --regid={uid} --clear-groups \
         dd if=/dev/zero of=/mnt/{file} bs=64k count={} conv=fsync 2>&1); then echo written; else echo \"$said\"; fi",
        mib * 16
    );
    let output_text = guest.ssh(&script).await?;
    Ok((output_text.trim() != "written").then_some(output_text))
}

async fn on_xfs_a_claim_is_bound_once_its_size_is_enforced(stage: Arc<Stage>) -> Result<()> {
    let guest = server(&stage, "xfs", "mkfs.xfs -q", "defaults", "no_root_squash").await?;
    let scene = scene_on(&stage, &guest).await?;
    let parameters = json!({"quota": "enforce", "onDelete": "delete"});
    let class = json!({"parameters": parameters, "allowVolumeExpansion": true});
    scene.class(class).await?;
    let options = over_ssh(&guest, "root");
    let options = [words(&options), SERVED.to_vec(), vec!["--usage-interval", "1s"]].concat();
    let mut provisioner = scene.watch(&options).await?;
    let metrics = address(&mut provisioner).await?;
    scene.claim("a", size("10Mi")).await?;
    scene.event("a", "is mounted without prjquota").await?;
    ensure!(scene.phase("a").await? == "Pending" && scene.own_volumes().await?.is_empty());

    // The administrator does what the event says, and the claim is retried. A script of the provisioner may use the
    // directory at that moment.
    let unmount = format!("exportfs -ua && until umount {PATH}; do sleep 0.1; done");
    let remount = format!("{unmount} && mount -o prjquota /dev/ubdb {PATH} && exportfs -ra");
    guest.ssh(&remount).await?;
    let first = scene.bound("a").await?;
    ensure!(first.annotations().get("nfsprov/quota").map(String::as_str) == Some("enforce"));
    let directory = format!("{}-a-{}", scene.namespace, first.name_any());
    let project = guest.ssh(&format!("lsattr -pd {PATH}/{directory}")).await?;
    let project = project.split_whitespace().next().context("no project id")?.to_owned();
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

    // A second claim has its own limit.
    scene.claim("b", size("20Mi")).await?;
    let volume = scene.bound("b").await?;
    let directory = format!("{}-b-{}", scene.namespace, volume.name_any());
    mounted(&guest, &directory, "4.2", 20_480).await?;

    // Writes to a full volume succeed once its claim is expanded, without a new mount.
    ensure!(written(&guest, "full", 21, 1000).await?.is_some());
    guest.ssh("rm /mnt/full").await?;
    expand(&scene, "b", "30Mi").await?;
    let event = scene.event("b", "VolumeResizeSuccessful").await?;
    ensure!(event.contains("is limited to 30Mi"), "{event}");
    let failed = written(&guest, "full", 25, 1000).await?;
    ensure!(failed.is_none(), "{failed:?}");
    mounted(&guest, &directory, "4.2", 30_720).await?;
    let capacity_of = |claim: &str, bytes: u64| {
        let labels = format!("namespace=\"{}\",persistentvolumeclaim=\"{claim}\"", scene.namespace);
        format!("nfsprov_volume_capacity_bytes{{{labels}}} {bytes}\n")
    };
    becomes(&metrics, "/metrics", 200, &capacity_of("b", 30 << 20)).await?;
    let enforced = |is_enforced: u8| {
        format!(
            "nfsprov_quota_enforced{{export=\"{}:{PATH}\"}} {is_enforced}\n",
            guest.address()
        )
    };
    becomes(&metrics, "/metrics", 200, &enforced(1)).await?;

    // A limit that cannot be enforced any more is not expanded, and an event says so.
    guest.ssh("umount /mnt").await?;
    guest.ssh(&remount.replace("-o prjquota", "")).await?;
    request(&scene, "b", "40Mi").await?;
    let event = scene.event("b", "VolumeResizeFailed").await?;
    ensure!(event.contains("without prjquota"), "{event}");
    ensure!(capacity(&scene, "b").await? == ("30Mi".to_owned(), "30Mi".to_owned()));
    becomes(&metrics, "/metrics", 200, &enforced(0)).await?;
    guest.ssh(&remount).await?;
    wait_for_capacity(&scene, "b", "40Mi").await?;
    mounted(&guest, &directory, "4.2", 40_960).await?;
    guest.ssh("umount /mnt").await?;
    becomes(&metrics, "/metrics", 200, &enforced(1)).await?;

    // The provisioner clears a limit after it has removed the volume's directory.
    let report = "xfs_quota -x -c 'report -p -n -N -b' /dev/ubdb";
    ensure!(guest.ssh(report).await?.contains(&project));
    scene.delete_with_volume("a", &first).await?;
    provisioner.wait_for_log("cleared limits of deleted volumes").await?;
    let left = guest.ssh(report).await?;
    ensure!(!left.contains(&project) && left.contains("40960"), "{left}");

    // `volumes orphans` lists a limit that an attempt left.
    provisioner.stop().await?;
    guest
        .ssh("xfs_quota -x -c 'limit -p bhard=40k 1073741830' /dev/ubdb")
        .await?;
    let server = guest.address().to_string();
    let list = ["volumes", "orphans", "--server", &server, "--path", PATH];
    let output = scene
        .nfsprov(&[&list[..], &words(&over_ssh(&guest, "root"))].concat())
        .await?;
    let orphans_text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        orphans_text.contains("project 1073741830 has a limit of 40Ki and no files"),
        "{orphans_text}"
    );
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
    // The directory itself uses 4 KiB of it.
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

/// Changes the requested size of a claim.
async fn request(scene: &Scene, claim: &str, size: &str) -> Result<()> {
    let patch = json!({"spec": {"resources": {"requests": {"storage": size}}}});
    let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
    scene.claims().patch(claim, &params, &patch).await?;
    Ok(())
}

/// The capacities of a claim and of its PV.
async fn capacity(scene: &Scene, claim: &str) -> Result<(String, String)> {
    let claim = scene.claims().get(claim).await?;
    let storage = |capacity: Option<&BTreeMap<String, Quantity>>| {
        let size = capacity.and_then(|capacity| capacity.get("storage"));
        size.map(|size| size.0.clone()).unwrap_or_default()
    };
    let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone());
    let volume = scene.volumes().get(&volume.context("no volumeName")?).await?;
    Ok((
        storage(claim.status.as_ref().and_then(|status| status.capacity.as_ref())),
        storage(volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref())),
    ))
}

/// Waits until a claim and its PV have a size.
async fn wait_for_capacity(scene: &Scene, claim: &str, size: &str) -> Result<()> {
    let has_size = |claim: Option<&PersistentVolumeClaim>| {
        let capacity = claim.and_then(|claim| claim.status.as_ref()?.capacity.as_ref()?.get("storage"));
        capacity.is_some_and(|capacity| capacity.0 == size)
    };
    let waited = timeout(EVENT_TIMEOUT, await_condition(scene.claims(), claim, has_size)).await;
    let events = scene.events(claim).await?;
    waited.with_context(|| format!("{claim} never has {size}: {events:?}"))??;
    let found = capacity(scene, claim).await?;
    ensure!(found == (size.to_owned(), size.to_owned()), "{found:?}");
    Ok(())
}

async fn expand(scene: &Scene, claim: &str, size: &str) -> Result<()> {
    request(scene, claim, size).await?;
    wait_for_capacity(scene, claim, size).await
}

async fn without_a_quota_only_the_recorded_size_grows(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"allowVolumeExpansion": true})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", size("1Gi")).await?;
    scene.bound("a").await?;
    expand(&scene, "a", "2Gi").await?;
    let event = scene.event("a", "VolumeResizeSuccessful").await?;
    ensure!(event.contains("its directory has no limit"), "{event}");
    Ok(())
}

async fn over_nfs_alone_no_size_is_enforced(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"quota": "enforce"}})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", size("10Mi")).await?;
    scene.event("a", "--quota-ssh ssh://[USER@]HOST").await?;
    ensure!(scene.phase("a").await? == "Pending" && scene.directories().await?.is_empty());
    Ok(())
}

/// The provisioner creates directories over NFS; a volume that was provisioned without a limit, and its archive, get one.
async fn limits_over_ssh_hold_for_new_existing_restored_and_released_volumes(stage: Arc<Stage>) -> Result<()> {
    let guest = server(&stage, "quota-ssh", "mkfs.xfs -q", "prjquota", "no_root_squash").await?;
    let scene = scene_on(&stage, &guest).await?;
    scene
        .class(json!({"parameters": {"quota": "enforce"}, "allowVolumeExpansion": true}))
        .await?;
    let unlimited = format!("{}-unlimited", scene.class);
    let class = json!({"metadata": {"name": unlimited}, "provisioner": scene.provisioner});
    scene
        .classes()
        .create(&PostParams::default(), &serde_json::from_value(class)?)
        .await?;
    let address = guest.address().to_string();
    let options = over_ssh(&guest, "root");
    let quota_ssh: Vec<&str> = words(&options)
        .into_iter()
        .map(|word| if word == "--via" { "--quota-ssh" } else { word })
        .collect();
    let _provisioner = scene.watch(&quota_ssh).await?;
    scene.claim("a", size("10Mi")).await?;
    let first = scene.bound("a").await?.name_any();
    let first_directory = format!("{}-a-{first}", scene.namespace);
    mounted(&guest, &first_directory, "4.2", 10_240).await?;

    let mut claim = size("20Mi");
    claim["storageClassName"] = json!(unlimited);
    scene.claim("b", claim).await?;
    let volume = scene.bound("b").await?.name_any();
    let directory = format!("{}-b-{volume}", scene.namespace);
    let fill = format!(
        "cd {PATH}/{directory} && mkdir -p 'it'\\''s/deep' && head -c 5000000 /dev/zero >'it'\\''s/deep/file' && \
         ln -s / link && mkfifo pipe && chown -R 1000 ."
    );
    guest.ssh(&fill).await?;
    let export = ["--server", &address, "--path", PATH];
    let limit = [&["volumes", "limit", &volume][..], &export, &words(&options)].concat();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&limit).await?);
    ensure!(code == 0, "{stdout}{stderr}");
    ensure!(
        stdout.contains("limited to 20Mi (4.8Mi used; the limit does not count 2 of its files"),
        "{stdout}"
    );
    mounted(&guest, &directory, "3", 20_480).await?;
    ensure!(
        written(&guest, "past", 16, 0)
            .await?
            .is_some_and(|failed| failed.contains("No space left"))
    );
    guest
        .ssh("rm /mnt/past && cd /mnt && mv \"it's/deep/file\" moved && cd / && umount /mnt")
        .await?;
    let annotated = scene.volumes().get(&volume).await?;
    ensure!(annotated.annotations().get("nfsprov/quota").map(String::as_str) == Some("enforce"));

    // Restored for a claim of another size.
    scene.delete_with_volume("b", &annotated).await?;
    let archive = format!("archived-{directory}");
    let key = format!("{}/c", scene.namespace);
    let new_claim = ["--create-claim", "--size", "30Mi", "--class", &scene.class];
    let restore = [
        &["volumes", "restore", &archive, "--claim", &key][..],
        &new_claim,
        &export,
        &words(&options),
    ]
    .concat();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&restore).await?);
    ensure!(code == 0, "{stdout}{stderr}");
    mounted(&guest, &directory, "4.2", 30_720).await?;

    // A released volume keeps its limit, the PV's size. A claim that binds it gets that size, whatever it requests.
    let retain = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
    let patch = Patch::Merge(&retain);
    scene.volumes().patch(&first, &PatchParams::default(), &patch).await?;
    let scrub = [&["--scrub", "--yes"][..], &export, &words(&options)].concat();
    let mut owner = "a";
    for (data, new_owner, requested) in [(&["--keep-data"][..], "d", "5Mi"), (&scrub, "e", "8Mi")] {
        delete_and_wait_for_phase(&scene, owner, &first).await?;
        let (stdout, stderr, code) = output_parts(&scene.nfsprov(&[&["release", &first], data].concat()).await?);
        ensure!(code == 0, "{stdout}{stderr}");
        owner = new_owner;
        let mut claim = size(requested);
        claim["volumeName"] = json!(first);
        scene.claim(owner, claim).await?;
        ensure!(scene.bound(owner).await?.name_any() == first);
        ensure!(capacity(&scene, owner).await? == ("10Mi".to_owned(), "10Mi".to_owned()));
        mounted(&guest, &first_directory, "4.2", 10_240).await?;
    }
    expand(&scene, owner, "40Mi").await?;
    mounted(&guest, &first_directory, "4.2", 40_960).await?;
    guest.ssh("umount /mnt").await?;
    Ok(())
}
