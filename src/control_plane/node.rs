//! Server nodes over SSH: reads their files, and runs the step that sets or removes the gate RemoveSelfLink=false in
//! them. Only the login may ask the user; nothing here prints.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::Gate;
use super::files::{self, FileEdit, Server};
use super::step;
use crate::host::{Access, Host, Target};

/// How long a script that only reads may be silent; a step prints a line a second.
const SILENCE: Duration = Duration::from_secs(60);

/// A connected server node.
pub(crate) struct Node {
    host: Host,
    pub(crate) server: Server,
}

impl Node {
    /// Connects to a host and reads its files. The inner error, which names the host, says why it has no API server, or
    /// which of its files can't be used. Changes nothing on the host. May ask the user.
    ///
    /// # Errors
    /// When the host can't be reached or read.
    pub(crate) async fn connect(target: &Target, access: &Access) -> Result<Result<Self, String>> {
        let host = Host::connect(target, access).await?;
        let output = host.run(&files::read_script(), SILENCE).await?;
        if output.status != 0 {
            bail!("{}: {}", host.name(), last_line(&output.stderr));
        }
        Ok(match files::parse_answer(&output.stdout) {
            Ok(server) => Ok(Self { host, server }),
            Err(why) => Err(format!("{}: {why}", host.name())),
        })
    }

    /// The login, as `root@server:22`.
    pub(crate) fn name(&self) -> &str {
        self.host.name()
    }

    /// Makes the edits, which [`Server::plan_edits`] planned for this node and `wanted`, restarts the API server (that
    /// of K3s and RKE2 also without edits), and waits up to `limit` for it, longer if it does not answer; the host
    /// undoes all if it does not become ready. Asks nothing. Refused, without a change, if a file was changed since
    /// [`Self::connect`] read it, or the host has neither curl nor openssl.
    ///
    /// # Errors
    /// In which state the host is left, and why.
    pub(crate) async fn apply_edits(&self, edits: &[FileEdit], wanted: Gate, limit: Duration) -> Result<()> {
        let script = step::step_script(&self.server, edits, wanted, limit.as_secs());
        let output = self.host.run(&script, limit.max(SILENCE)).await.map_err(|error| {
            anyhow!("{error}; the host may continue by itself: it verifies the change, and undoes it if the API server is not ready")
        })?;
        let name = self.name();
        let printed = String::from_utf8_lossy(&output.stdout);
        let why = match printed.lines().any(|line| line == step::CHANGE_FAILED) {
            true => format!("the change failed: {}", last_line(&output.stderr)),
            false => format!("the API server was not ready after {} s", limit.as_secs()),
        };
        match output.status {
            0 => Ok(()),
            step::FILE_CHANGED_MEANWHILE => bail!("{name}: a file was changed meanwhile; nothing was changed"),
            step::NO_HTTPS_CLIENT => {
                bail!("{name}: neither curl nor openssl is installed to check the API server with; nothing was changed")
            }
            step::UNDONE => bail!("{name}: {why}; its files are as they were before, and the API server answers"),
            step::NOT_READY_AFTER_UNDO => bail!(
                "{name}: {why}; its files are as they were before, and the API server does not answer: {}",
                last_line(&output.stderr)
            ),
            step::UNDO_FAILED => {
                let paths: Vec<&str> = edits.iter().map(|edit| edit.path.as_str()).collect();
                bail!(
                    "{name}: {why}, and the change could not be undone: {}; look at {} there",
                    last_line(&output.stderr),
                    paths.join(", ")
                )
            }
            status => bail!("{name}: {} (status {status})", last_line(&output.stderr)),
        }
    }
}

/// The last line with text; `no reason given` without one.
fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("no reason given").to_owned()
}
