//! `create` and `status` against a real API server.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::kit::{Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: a_static_pair_is_applied_and_bound,
    Newest: a_class_is_applied_and_served,
    Newest: a_wait_that_times_out_reports_the_cause,
}

/// Runs the tool with `flags` after `command`, and returns its stdout.
async fn ok(scene: &Scene, command: &str, flags: &str) -> Result<String> {
    let args: Vec<&str> = command.split(' ').chain(flags.split_whitespace()).collect();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(code == 0, "{args:?}: {code} {stderr}");
    Ok(stdout)
}

async fn a_static_pair_is_applied_and_bound(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let (pv, class) = (
        format!("mypv-{}", scene.namespace),
        format!("static-{}", scene.namespace),
    );
    let volume =
        format!("create pv {pv} --server 10.128.1.117 --path /nfsdata --size 1Gi --access-mode RWO --class {class}");
    let checked = ok(&scene, &volume, "--dry-run server").await?;
    ensure!(
        checked == format!("persistentvolume/{pv} created (server dry run)\n"),
        "{checked}"
    );
    ensure!(scene.volumes().get_opt(&pv).await?.is_none());
    let applied = ok(&scene, &volume, "--apply --wait").await?;
    let wanted = format!("persistentvolume/{pv} created\npersistentvolume/{pv} is Available\n");
    ensure!(applied == wanted, "{applied}");
    let again = ok(&scene, &volume, "--apply --wait").await?;
    ensure!(again.contains("unchanged") && again.contains("is Available"), "{again}");
    let claim = format!("create pvc mypvc --size 1Gi --access-mode RWO --class {class}");
    let bound = ok(&scene, &claim, "--apply --wait").await?;
    ensure!(bound.ends_with("persistentvolumeclaim/mypvc is Bound\n"), "{bound}");
    let status = ok(&scene, "status", "-o wide").await?;
    let row = status.lines().find(|line| line.contains("mypvc")).unwrap_or_default();
    ensure!(
        row.contains("Bound") && row.contains(&pv) && row.contains("10.128.1.117:/nfsdata"),
        "{status}"
    );
    Ok(())
}

async fn a_class_is_applied_and_served(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let class = format!(
        "create storageclass {} --provisioner {}",
        scene.class, scene.provisioner
    );
    ok(&scene, &class, "--on-delete delete --dir-mode 0750 --apply").await?;
    let _provisioner = scene.watch(&[]).await?;
    let claim = format!("create pvc a --size 500Mi --class {}", scene.class);
    let applied = ok(&scene, &claim, "--apply --wait").await?;
    ensure!(applied.ends_with("persistentvolumeclaim/a is Bound\n"), "{applied}");
    let mode = scene.on_server(&format!("stat -c %a {}-a-*", scene.namespace)).await?;
    ensure!(mode.trim() == "750", "{mode}");
    Ok(())
}

async fn a_wait_that_times_out_reports_the_cause(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    let claim = format!("create pvc a --size 1Gi --access-mode RWO --class {}", scene.class);
    let args = format!("{claim} --apply --wait --timeout 17s");
    let (_, stderr, code) = output_parts(&scene.nfsprov(&args.split(' ').collect::<Vec<_>>()).await?);
    ensure!(code == 1 && stderr.contains("is Pending after 17 s: "), "{stderr}");
    // The doctor's first finding: no provisioner serves the class (201), or the class's provisioner may be a
    // misspelling (202) of one that another test runs at the moment.
    ensure!(
        stderr.contains("(NFS20") && stderr.contains(&scene.provisioner) && stderr.contains("nfsprov doctor pvc/a"),
        "{stderr}"
    );
    Ok(())
}
