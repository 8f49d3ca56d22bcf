//! Shell commands in a guest over SSH, on one connection that all of them share.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::PoisonError;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::Guest;
use crate::image::Image;
use crate::process::Process;

impl Guest {
    /// Runs a shell command in it as root and returns what it wrote to its standard output. Stops waiting and fails
    /// when the guest has not answered for a minute.
    ///
    /// # Errors
    /// When the guest cannot be reached or the command fails; the error then holds its standard error.
    pub async fn ssh(&self, command: &str) -> Result<String> {
        self.ssh_with(command, Stdio::null()).await
    }

    /// The same with `input` on the command's standard input.
    ///
    /// # Errors
    /// Those of [`Guest::ssh`].
    pub async fn ssh_with(&self, command: &str, input: impl Into<Stdio>) -> Result<String> {
        let describe = || format!("{} (guest {})", shorten(command), self.name);
        self.keep_connection()?;
        let mut ssh = ssh_command(&self.image, &self.known_hosts);
        // Logs in by itself where the connection is not there yet, or has ended.
        ssh.args(["-o", "ControlMaster=no"]).arg("-S").arg(self.socket());
        run(ssh, self.address, command, input.into())
            .await
            .with_context(describe)
    }

    /// Starts the connection that all commands share, unless it is there: each login of its own takes seconds of the
    /// guest's processor.
    fn keep_connection(&self) -> Result<()> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.as_ref().is_some_and(Process::is_running) {
            return Ok(());
        }
        // A socket that nothing listens on keeps a new one from being made.
        let _ = std::fs::remove_file(self.socket());
        let mut connect = ssh_command(&self.image, &self.known_hosts);
        connect.args(["-M", "-N", "-S"]).arg(self.socket());
        connect.arg(format!("root@{}", self.address));
        let name = format!("the connection to the guest {}", self.name);
        *connection = Some(Process::spawn(name, self.slot.dir().join("connection.log"), connect)?);
        Ok(())
    }

    /// Where the shared connection is offered. The path has to be short: sockets take 108 bytes, of which ssh needs 17.
    fn socket(&self) -> PathBuf {
        self.disk.memory.join(format!("{}.ssh", self.slot.number()))
    }

    /// The same with a text on the command's standard input, which is no place for others to look.
    ///
    /// # Errors
    /// Those of [`Guest::ssh`].
    pub async fn run(&self, command: &str, input: &str) -> Result<String> {
        let (reader, mut writer) = std::io::pipe().context("cannot make a pipe")?;
        let input = input.to_owned();
        // More than a pipe holds is written while the command reads.
        let writing = tokio::task::spawn_blocking(move || writer.write_all(input.as_bytes()));
        let said = self.ssh_with(command, reader).await?;
        writing
            .await
            .context("writing was broken off")?
            .context("the command did not read its input")?;
        Ok(said)
    }

    /// Gives containerd a container image, an archive that [`crate::container`] made; only a node has containerd.
    ///
    /// # Errors
    /// Those of [`Guest::ssh`], and when the archive has no directory.
    pub async fn import(&self, archive: &Path) -> Result<()> {
        let (Some(directory), Some(file)) = (archive.parent(), archive.file_name()) else {
            bail!("{} is no archive", archive.display());
        };
        // It is read where it is: over SSH it would take a quarter of a minute.
        let script = format!(
            "set -e; at=$(mktemp -d); mount -t hostfs none \"$at\" -o '{}'
trap 'umount \"$at\"; rmdir \"$at\"' EXIT; ctr --namespace k8s.io images import \"$at\"/'{}'",
            directory.display(),
            file.display(),
        );
        self.ssh(&script).await.map(drop)
    }
}

/// The `ssh` command with the lab's key, without the address.
pub(super) fn ssh_command(image: &Image, known_hosts: &Path) -> Command {
    let mut ssh = Command::new("ssh");
    // No configuration of the person who runs this, and nothing that asks.
    ssh.args([
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "LogLevel=ERROR",
    ]);
    ssh.args([
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "ConnectTimeout=60",
        "-o",
        "GlobalKnownHostsFile=none",
    ]);
    ssh.args(["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4", "-o"]);
    ssh.arg(format!("UserKnownHostsFile=\"{}\"", known_hosts.display()));
    ssh.arg("-i").arg(image.ssh_key());
    ssh
}

/// Has `ssh` run a shell command as root at `address`, and returns what it wrote to its standard output.
pub(super) async fn run(mut ssh: Command, address: Ipv4Addr, command: &str, input: Stdio) -> Result<String> {
    ssh.arg(format!("root@{address}")).arg(command);
    let output = ssh.stdin(input).kill_on_drop(true).output().await;
    let output = output.context("cannot run ssh (Debian package openssh-client)")?;
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first line of a command, for messages.
fn shorten(command: &str) -> &str {
    command.trim().lines().next().unwrap_or_default()
}
