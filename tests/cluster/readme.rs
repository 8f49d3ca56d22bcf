//! The commands that README gives for a user's own cluster, pasted into a shell.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::kit::{EVENT_TIMEOUT, NFSPROV};
use crate::stage::Stage;

crate::tests! {
    Newest: the_commands_for_ones_own_cluster_end_with_a_bound_claim,
}

/// The block of commands after the line that begins with this text.
fn block_below(line: &str) -> Result<String> {
    let page = include_str!("../../README.md");
    let (_, rest) = page.split_once(line).context("README.md has no such line")?;
    let lines = rest.lines().skip_while(|line| !line.starts_with("    "));
    let block: Vec<_> = lines.map_while(|line| line.strip_prefix("    ")).collect();
    Ok(block.join("\n"))
}

async fn the_commands_for_ones_own_cluster_end_with_a_bound_claim(stage: Arc<Stage>) -> Result<()> {
    // The commands name a class and use the namespace `default`.
    let plane = stage.another_control_plane().await?;
    let block = block_below("On your own cluster")?;
    ensure!(block.lines().count() == 3 && block.contains("--server NFS "), "{block}");
    let commands = block.replace("--server NFS ", &format!("--server {} ", stage.nfs().address()));
    let script = format!("set -e\n{commands}\nkill $!\nwait $!\n");
    let programs = Path::new(NFSPROV).parent().context("no directory")?;
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]);
    shell.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    shell
        .env("KUBECONFIG", plane.kubeconfig())
        .env("HOME", stage.home())
        .kill_on_drop(true);
    let output = timeout(EVENT_TIMEOUT, shell.output())
        .await
        .with_context(|| format!("no end of\n{script}"))??;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{stdout}{stderr}");
    ensure!(
        stdout.contains("persistentvolumeclaim/data is Bound"),
        "{stdout}{stderr}"
    );
    plane.stop().await
}
