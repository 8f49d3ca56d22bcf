//! Child processes of the lab: each has a name, a log file and a process group of its own, and ends with its owner.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

/// A running child process, killed together with its process group when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    pid: u32,
    child: Mutex<Child>,
}

impl Process {
    /// Starts `command` in a process group of its own, with nothing on stdin and its output appended to `log`.
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
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

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file its output goes to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its process id, as seen from inside the lab; also that of its process group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended yet; a stopped (SIGSTOP) process is running.
    pub fn is_running(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(child.try_wait(), Ok(None))
    }

    /// An error with the end of its log if it is not running any more.
    ///
    /// # Errors
    /// When it has ended.
    pub fn expect_running(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        bail!("{} has ended\n{}", self.name, crate::step::tail(&self.log));
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        child
            .wait()
            .await
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Asks it to end (SIGTERM), waits up to `grace`, then kills what is left of its process group.
    ///
    /// # Errors
    /// When the signal cannot be sent or its end not be waited for.
    pub async fn terminate(&mut self, grace: Duration) -> Result<()> {
        if self.is_running() {
            self.signal("TERM")?;
            // Running into the deadline is what the kill below is for.
            let _ = tokio::time::timeout(grace, self.wait()).await;
        }
        self.kill().await
    }

    /// Kills its process group and waits for its end.
    ///
    /// # Errors
    /// When its end cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        self.kill_group();
        self.wait().await.map(drop)
    }

    /// Sends the signal called `signal` (`"STOP"`, `"CONT"`, `"TERM"` …) to the process, not to its group.
    ///
    /// # Errors
    /// When it has ended, or the signal's name is unknown.
    pub fn signal(&self, signal: &str) -> Result<()> {
        if !self.is_running() {
            bail!("cannot send SIG{signal} to {}: it has ended", self.name);
        }
        kill(signal, Target::Process(self.pid)).with_context(|| format!("cannot send SIG{signal} to {}", self.name))
    }

    /// Sends the signal called `signal` to every process of its group.
    ///
    /// # Errors
    /// When no process of the group is left, or the signal's name is unknown.
    pub fn signal_group(&self, signal: &str) -> Result<()> {
        kill(signal, Target::Group(self.pid)).with_context(|| format!("cannot send SIG{signal} to {}", self.name))
    }

    fn kill_group(&self) {
        // The group is usually gone already, and then this fails as it should.
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

/// Whom to send a signal.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// One process.
    Process(u32),
    /// All processes of the group with this id.
    Group(u32),
}

/// Sends the signal called `signal`.
///
/// A system call, not the kill program: Debian 12's turns some spellings of a group into -1, which is everybody.
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
    // Neither 0 (this process's own group) nor 1 (as a group: everybody) is ever meant.
    let id = i32::try_from(id).ok().filter(|&id| id > 1).and_then(Pid::from_raw);
    let id = id.with_context(|| format!("cannot send SIG{signal}: no child has such an id"))?;
    match target {
        Target::Process(_) => kill_process(id, number),
        Target::Group(_) => kill_process_group(id, number),
    }
    .with_context(|| format!("cannot send SIG{signal} to {}", id.as_raw_nonzero()))
}

/// A command that runs `program` so that it and all its descendants end when the calling thread's process does, even
/// by SIGKILL: a build must not go on in a directory whose lock its owner's death has released. Needs root.
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
