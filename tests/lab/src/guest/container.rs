//! The command that starts a guest as a container.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::network;

/// The script that mounts the container's file systems and runs its programs.
const RUN: &str = include_str!("../../container/run.sh");

/// Runs the system on `disk`, which stays unchanged; the directory `memory` holds its changes. All its processes end
/// with the command's process.
/// the command's process.
pub(super) fn command(disk: &Path, memory: &Path, name: &str, number: u8, hosts: &[(String, Ipv4Addr)]) -> Command {
    let hosts: String = hosts
        .iter()
        .map(|(name, address)| format!("{address} {name}\n"))
        .collect();
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--uts",
        "--ipc",
        "--pid",
        "--net",
        "--fork",
        "--kill-child",
        "--",
    ]);
    command
        .args(["sh", "-euc", RUN, "run.sh"])
        .arg(disk)
        .arg(memory)
        .arg(name);
    command.arg(format!("{}/{}", network::address(number), network::PREFIX));
    command.arg(network::GATEWAY.to_string()).arg(hosts);
    command
}

/// Waits until the process is in its own network namespace.
pub(super) async fn wait_until_apart(pid: u32, limit: Duration) -> Result<()> {
    let own_namespace =
        std::fs::read_link("/proc/self/ns/net").context("cannot read the link to the network namespace")?;
    let deadline = Instant::now() + limit;
    while std::fs::read_link(format!("/proc/{pid}/ns/net")).context("the container has ended")? == own_namespace {
        if Instant::now() > deadline {
            bail!("the container has no network of its own after {limit:?}");
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
