//! Runs shell scripts with this machine's own tools: those that run over SSH elsewhere.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Mounted;
use super::tree::RemovalProgress;
use crate::export::{ExportError, never_interrupt};
use crate::host::Output;

impl Mounted {
    /// The root as it was given, for messages; it may be relative.
    pub(in crate::export) fn root_path(&self) -> String {
        self.root.display().to_string()
    }

    /// Runs the script that `write` makes for the root's absolute path, as this process's user; one that fails is `Ok`.
    /// Each line that it prints restarts the timeout. After a timeout, which is an error, the script and the programs that
    /// it started are killed, so that none runs beside the next attempt.
    pub(in crate::export) async fn run_script(
        &self,
        write: impl FnOnce(&str) -> String + Send + 'static,
    ) -> Result<Output, ExportError> {
        let shell = Arc::new(ScriptShell::default());
        let started = shell.clone();
        let work = move |root: &Path, progress: &RemovalProgress| {
            let failed = |cause: &str| ExportError::failed("run a script in", root.display(), cause);
            let absolute = std::path::absolute(root).map_err(|error| failed(&error.to_string()))?;
            let path = absolute
                .to_str()
                .ok_or_else(|| failed("the mount's path is no UTF-8"))?;
            run_in_shell(&write(path), &started, || progress.count_step())
                .map_err(|error| failed(&format!("sh: {error}")))
        };
        let result = self.run_blocking_with_progress(never_interrupt(), work).await;
        shell.kill();
        result
    }
}

/// The shell of a script, for the task that waits for it.
#[derive(Debug, Default)]
struct ScriptShell(Mutex<ShellState>);

#[derive(Debug, Default)]
enum ShellState {
    #[default]
    NotStarted,
    /// The process group of the shell and its programs.
    Running(Pid),
    /// The shell has ended, or must not run any more.
    Ended,
}

impl ScriptShell {
    /// Notes the shell, which leads a process group. False if it has been killed before it was started.
    fn set_started(&self, shell: &Child) -> bool {
        let mut state = self.lock();
        let may_run = matches!(*state, ShellState::NotStarted);
        if may_run {
            *state = ShellState::Running(Pid::from_child(shell));
        }
        may_run
    }

    /// To be called before the shell is waited for: then its process id may be another process's.
    fn set_ended(&self) {
        *self.lock() = ShellState::Ended;
    }

    /// Kills the process group if the shell runs, and keeps it from running otherwise.
    fn kill(&self) {
        let mut state = self.lock();
        if let ShellState::Running(group) = *state {
            // Fails if all of them have ended.
            _ = kill_process_group(group, Signal::KILL);
        }
        *state = ShellState::Ended;
    }

    fn lock(&self) -> MutexGuard<'_, ShellState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a script in a subshell without standard input, and calls `on_line` for each line that it prints. Blocks until
/// it ends, without a timeout; `running` can kill it meanwhile. A script that a signal ended has status 1.
fn run_in_shell(script: &str, running: &ScriptShell, on_line: impl Fn()) -> io::Result<Output> {
    let mut shell = Command::new("sh")
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    if !running.set_started(&shell) {
        shell.kill()?;
    }
    let outputs = send_and_read(&mut shell, script, on_line);
    running.set_ended();
    let code = shell.wait()?.code();
    let (stdout, stderr) = outputs?;
    Ok(Output {
        status: code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        stdout,
        stderr,
    })
}

/// Sends a script to a shell, and reads its standard output and its standard error to their ends.
fn send_and_read(shell: &mut Child, script: &str, on_line: impl Fn()) -> io::Result<(Vec<u8>, Vec<u8>)> {
    // In braces, so that the shell has read all of it before it runs anything.
    let text = format!(
        "{{\nLC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\nexport LC_ALL PATH\n(\n{script}\n) </dev/null\nexit\n}}\n"
    );
    if let Some(mut stdin) = shell.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    let (stdout, stderr) = (shell.stdout.take(), shell.stderr.take());
    std::thread::scope(|scope| {
        // Beside one another: a full pipe would stop the shell.
        let errors = scope.spawn(move || {
            let mut bytes = Vec::new();
            stderr
                .map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes))
                .map(|_| bytes)
        });
        let mut lines = Vec::new();
        if let Some(pipe) = stdout {
            let mut reader = BufReader::new(pipe);
            while reader.read_until(b'\n', &mut lines)? > 0 {
                on_line();
            }
        }
        let errors = errors
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("its errors can't be read")));
        Ok((lines, errors?))
    })
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, pause};

    use super::*;
    use crate::export::{CALL_TIMEOUT, Location};

    #[tokio::test]
    async fn a_script_is_killed_with_its_programs_before_its_timeout_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let location = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        let mounted = Mounted::new(location, root.path());
        // The shell and its program hold the write end of the pipe as long as they run.
        let pipe = root.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let running = mounted.run_script(|root| format!("cd {root}\nexec 9>pipe\nsleep 20\n: >went-on"));
        let waiting = async {
            let started = tokio::task::spawn_blocking(move || std::fs::File::open(pipe)).await;
            let program = started.unwrap().unwrap();
            pause();
            advance(CALL_TIMEOUT).await;
            program
        };
        let (result, mut program) = tokio::join!(running, waiting);
        assert!(matches!(result, Err(ExportError::Unreachable { .. })), "{result:?}");
        assert_eq!(program.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert!(!root.path().join("went-on").exists());
    }

    #[test]
    fn a_script_that_was_killed_before_it_began_does_nothing() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        let shell = ScriptShell::default();
        shell.kill();
        let result = run_in_shell(&format!(": >'{}'", file.display()), &shell, || ());
        assert!(!file.exists(), "{result:?}");
    }
}
