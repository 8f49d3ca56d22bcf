//! `setup-server --quota` on file systems in different states.

use std::sync::Arc;

use anyhow::{Result, ensure};
use nfsprov_lab::guest::{Guest, Template};
use serde_json::Value;

use crate::kit::Stage;
use crate::setup::{nfsprov, report, steps};

crate::tests! {
    the_file_system_of_an_export_is_made_to_enforce_limits,
}

/// Sets the server up with further options, and returns the report of a run that must end with `status`.
async fn set_up(stage: &Stage, guest: &Guest, more: &[&str], status: i32) -> Result<Value> {
    let host = format!("root@{}", guest.address());
    let setup = [
        "setup-server",
        &host,
        "--export",
        "/srv/x",
        "--mode",
        "0777",
        "--allow",
        "*",
        "--quota",
    ];
    let output = nfsprov(stage, &[&setup[..], &["-o", "json"], more].concat()).await?;
    report(&output, status)
}

/// Checks that a step with this status has a text that contains `part`.
fn check_step(report: &Value, guest: &Guest, status: &str, part: &str) -> Result<()> {
    let found = steps(report, &guest.address().to_string(), status);
    ensure!(
        found
            .iter()
            .any(|line| line.starts_with("quota: ") && line.contains(part)),
        "no {status} {part:?}: {report}"
    );
    Ok(())
}

/// Mounts the second disk again; formats it first with `mkfs` unless that is empty.
async fn mount(guest: &Guest, mkfs: &str, options: &str) -> Result<()> {
    let make = if mkfs.is_empty() {
        String::new()
    } else {
        format!("{mkfs} /dev/ubdb &&")
    };
    let script = format!(
        "exportfs -ua; while mountpoint -q /srv/x; do umount /srv/x || sleep 0.1; done
         {make} mount -o {options} /dev/ubdb /srv/x && chmod 777 /srv/x && exportfs -ra"
    );
    guest.ssh(&script).await?;
    Ok(())
}

/// Checks that a second run makes no changes.
async fn is_settled(stage: &Stage, guest: &Guest, more: &[&str], part: &str) -> Result<()> {
    let again = set_up(stage, guest, more, 0).await?;
    check_step(&again, guest, "ok", part)?;
    ensure!(again["changed"] == false, "{again}");
    ensure!(guest.ssh("ls -A /srv/x | grep -c probe; true").await?.trim() == "0");
    Ok(())
}

async fn the_file_system_of_an_export_is_made_to_enforce_limits(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.lab.guest("limited-server", Template::NfsServerWithQuota).await?;
    let options = "findmnt -no OPTIONS /srv/x";
    guest.ssh("mkdir /srv/x").await?;

    mount(&guest, "mkfs.xfs -q", "defaults").await?;
    let refused = set_up(&stage, &guest, &[], 1).await?;
    check_step(&refused, &guest, "failed", "is mounted without prjquota")?;
    ensure!(refused["changed"] == false && guest.ssh(options).await?.contains("noquota"));
    let checked = set_up(&stage, &guest, &["--remount", "--check"], 4).await?;
    ensure!(checked["changed"] == false && guest.ssh(options).await?.contains("noquota"));
    let changed = set_up(&stage, &guest, &["--remount"], 0).await?;
    check_step(&changed, &guest, "changed", "unmount /srv/x and mount it with prjquota")?;
    ensure!(guest.ssh(options).await?.contains("prjquota"));
    is_settled(&stage, &guest, &[], "/srv/x (xfs) enforces limits").await?;

    mount(&guest, "", "pqnoenforce").await?;
    let changed = set_up(&stage, &guest, &[], 0).await?;
    check_step(&changed, &guest, "changed", "have /srv/x enforce limits")?;
    is_settled(&stage, &guest, &[], "/srv/x (xfs) enforces limits").await?;

    mount(
        &guest,
        "mkfs.ext4 -qF -O quota,project -E quotatype=prjquota",
        "defaults",
    )
    .await?;
    let refused = set_up(&stage, &guest, &[], 1).await?;
    check_step(&refused, &guest, "failed", "root in pods is not limited on ext4")?;
    let changed = set_up(&stage, &guest, &["--root-squash"], 0).await?;
    check_step(&changed, &guest, "changed", "remount,prjquota and quotaon -P")?;
    is_settled(&stage, &guest, &["--root-squash"], "/srv/x (ext4) enforces limits").await?;

    mount(&guest, "mkfs.ext4 -qF", "defaults").await?;
    let refused = set_up(&stage, &guest, &["--root-squash", "--remount"], 1).await?;
    check_step(
        &refused,
        &guest,
        "failed",
        "tune2fs -O project,quota -Q prjquota /dev/ubdb",
    )?;
    Ok(())
}
