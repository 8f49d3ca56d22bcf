//! Shell commands in a guest over SSH, which all share one connection.

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
    /// Runs a shell command in the guest as root and returns its standard output. Fails if the guest has not answered
    /// for a minute.
    ///
    /// # Errors
    /// If the guest cannot be reached or the command fails; the error then has its standard error.
    pub async fn ssh(&self, command: &str) -> Result<String> {
        self.ssh_with(command, Stdio::null()).await
    }

    /// Like [`Guest::ssh`], with `input` as the command's standard input.
    ///
    /// # Errors
    /// Those of [`Guest::ssh`].
    pub async fn ssh_with(&self, command: &str, input: impl Into<Stdio>) -> Result<String> {
        let describe = || format!("{} (guest {})", shorten(command), self.name);
        self.keep_connection()?;
        let mut ssh = ssh_command(&self.image, &self.known_hosts);
        // Without a shared connection, ssh logs in separately.
        ssh.args(["-o", "ControlMaster=no"]).arg("-S").arg(self.socket());
        run(ssh, self.address, command, input.into())
            .await
            .with_context(describe)
    }

    /// Opens the shared connection unless it exists: each separate login takes seconds of the guest's processor time.
    fn keep_connection(&self) -> Result<()> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.as_ref().is_some_and(Process::is_running) {
            return Ok(());
        }
        // ssh does not replace a socket on which no process listens.
        let _ = std::fs::remove_file(self.socket());
        let mut connect = ssh_command(&self.image, &self.known_hosts);
        connect.args(["-M", "-N", "-S"]).arg(self.socket());
        connect.arg(format!("root@{}", self.address));
        let name = format!("the connection to the guest {}", self.name);
        *connection = Some(Process::spawn(name, self.slot.dir().join("connection.log"), connect)?);
        Ok(())
    }

    /// The socket of the shared connection. Its path must be short: sockets allow 108 bytes, of which ssh needs 17.
    fn socket(&self) -> PathBuf {
        self.disk.memory.join(format!("{}.ssh", self.slot.number()))
    }

    /// Like [`Guest::ssh`], with a text on the command's standard input, where other users cannot read it.
    ///
    /// # Errors
    /// Those of [`Guest::ssh`].
    pub async fn run(&self, command: &str, input: &str) -> Result<String> {
        let (reader, mut writer) = std::io::pipe().context("cannot make a pipe")?;
        let input = input.to_owned();
        // A thread writes while the command reads, because a pipe holds only part of a long input.
        let writing = tokio::task::spawn_blocking(move || writer.write_all(input.as_bytes()));
        let output_text = self.ssh_with(command, reader).await?;
        writing
            .await
            .context("writing the input was interrupted")?
            .context("the command did not read its input")?;
        Ok(output_text)
    }

    /// Imports a container image, an archive from [`crate::container`], into containerd; only nodes have containerd.
    ///
    /// # Errors
    /// Those of [`Guest::ssh`], or if the archive's path has no directory.
    pub async fn import(&self, archive: &Path) -> Result<()> {
        let (Some(directory), Some(file)) = (archive.parent(), archive.file_name()) else {
            bail!("{} has no directory", archive.display());
        };
        // The guest reads the file from the machine's disk: over SSH it would take 15 seconds.
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
    // Ignores the configuration of the user who runs this, and never prompts.
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

/// Runs a shell command with `ssh` as root at `address`, and returns its standard output.
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
