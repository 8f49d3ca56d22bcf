//! Child processes of the lab: each has a name, a log file and its own process group, and ends when its `Process` is
//! dropped.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

/// A running child process; dropping it kills the whole process group.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    pid: u32,
    child: Mutex<Child>,
}

impl Process {
    /// Starts `command` in its own process group, with empty stdin and its output appended to `log`.
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// If the log cannot be opened or the program cannot be started.
    pub fn spawn(name: impl Into<String>, log: impl Into<PathBuf>, mut command: Command) -> Result<Self> {
        let (name, log) = (name.into(), log.into());
        let open = || {
            let file = OpenOptions::new().create(true).append(true).open(&log);
            file.with_context(|| format!("cannot open {name}'s log {}", log.display()))
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", command.as_std().get_program().display()))?;
        let pid = child.id().with_context(|| format!("{name} has no process id"))?;
        Ok(Self {
            name,
            log,
            pid,
            child: Mutex::new(child),
        })
    }

    /// The name given to [`Process::spawn`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The log file of its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its process id inside the lab, which is also the id of its process group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended yet; a stopped (SIGSTOP) process counts as running.
    pub fn is_running(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(child.try_wait(), Ok(None))
    }

    /// Fails with the end of its log if it is no longer running.
    ///
    /// # Errors
    /// If it has ended.
    pub fn expect_running(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        bail!("{} has ended\n{}", self.name, crate::step::tail(&self.log));
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// If the operating system cannot report its status.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        child
            .wait()
            .await
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Sends SIGTERM, waits up to `grace`, then kills the rest of its process group.
    ///
    /// # Errors
    /// If the signal cannot be sent, or waiting for its end fails.
    pub async fn terminate(&mut self, grace: Duration) -> Result<()> {
        if self.is_running() {
            self.signal("TERM")?;
            // After a timeout, the kill below ends the process.
            let _ = tokio::time::timeout(grace, self.wait()).await;
        }
        self.kill().await
    }

    /// Kills its process group and waits until the process has ended.
    ///
    /// # Errors
    /// If waiting for its end fails.
    pub async fn kill(&mut self) -> Result<()> {
        self.kill_group();
        self.wait().await.map(drop)
    }

    /// Sends the signal named `signal` (`"STOP"`, `"CONT"`, `"TERM"` …) to the process, not to its group.
    ///
    /// # Errors
    /// If it has ended, or the signal's name is unknown.
    pub fn signal(&self, signal: &str) -> Result<()> {
        if !self.is_running() {
            bail!("cannot send SIG{signal} to {}: it has ended", self.name);
        }
        kill(signal, Target::Process(self.pid)).with_context(|| format!("cannot send SIG{signal} to {}", self.name))
    }

    /// Sends the signal named `signal` to every process of its group.
    ///
    /// # Errors
    /// If no process of the group is left, or the signal's name is unknown.
    pub fn signal_group(&self, signal: &str) -> Result<()> {
        kill(signal, Target::Group(self.pid)).with_context(|| format!("cannot send SIG{signal} to {}", self.name))
    }

    fn kill_group(&self) {
        // Usually the group has ended already; then sending the signal fails.
        let _ = self.signal_group("KILL");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill_group();
        }
    }
}

/// The receiver of a signal.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// One process.
    Process(u32),
    /// All processes of the group with this id.
    Group(u32),
}

/// Sends the signal named `signal`.
///
/// This uses the system call: the kill program of Debian 12 parses some spellings of a group as -1, which means all
/// processes.
pub(crate) fn kill(signal: &str, target: Target) -> Result<()> {
    let number = match signal {
        "CONT" => Signal::CONT,
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "QUIT" => Signal::QUIT,
        "STOP" => Signal::STOP,
        "TERM" => Signal::TERM,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        other => bail!("the lab knows no signal {other}"),
    };
    let (Target::Process(id) | Target::Group(id)) = target;
    // The ids 0 (this process's own group) and 1 (as a group: all processes) are always mistakes.
    let id = i32::try_from(id).ok().filter(|&id| id > 1).and_then(Pid::from_raw);
    let id = id.with_context(|| format!("cannot send SIG{signal}: no child has such an id"))?;
    match target {
        Target::Process(_) => kill_process(id, number),
        Target::Group(_) => kill_process_group(id, number),
    }
    .with_context(|| format!("cannot send SIG{signal} to {}", id.as_raw_nonzero()))
}

/// A command that runs `program` so that the program and all its descendants end when the calling thread's process
/// does, even after SIGKILL. Otherwise a build would continue in a directory whose lock the dead owner has released.
/// Needs root.
pub fn contained(program: impl AsRef<OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    command.args([
        "unshare",
        "--pid",
        "--mount",
        "--mount-proc",
        "--fork",
        "--kill-child",
        "--",
    ]);
    command.arg(program);
    command
}
