//! Runs shell scripts with this machine's own tools: those that run over SSH elsewhere.

use std::io;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Mounted;
use crate::export::{CALL_TIMEOUT, ExportError};
use crate::host::Output;

impl Mounted {
    /// The root as it was given, for messages; it may be relative.
    pub(in crate::export) fn root_path(&self) -> String {
        self.root.display().to_string()
    }

    /// Runs the script that `write` makes for the root's absolute path, as this process's user; one that fails is `Ok`.
    /// No line for [`CALL_TIMEOUT`] is `Unreachable`. The script and the programs that it started are killed then, and
    /// when the caller gives up, so that none runs beside the next attempt.
    pub(in crate::export) async fn run_script(
        &self,
        write: impl FnOnce(&str) -> String,
    ) -> Result<Output, ExportError> {
        let failed = |cause: &str| ExportError::failed("run a script in", self.root.display(), cause);
        let absolute = std::path::absolute(&*self.root).map_err(|error| failed(&error.to_string()))?;
        let path = absolute
            .to_str()
            .ok_or_else(|| failed("the mount's path is no UTF-8"))?;
        run_in_shell(&write(path)).await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => self.no_answer_error(),
            _ => failed(&format!("sh: {error}")),
        })
    }
}

/// A shell that leads a process group, which is killed if this is dropped before the shell has ended.
struct ScriptShell(Child);

impl Drop for ScriptShell {
    fn drop(&mut self) {
        // None once the shell was waited for: the id may be another process's by then.
        let shell = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = shell {
            // Fails if all of them have ended.
            _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a script in a subshell without standard input. Fails with `TimedOut` if it prints no line for [`CALL_TIMEOUT`].
/// A script that a signal ended has status 1.
async fn run_in_shell(script: &str) -> io::Result<Output> {
    // In braces, so that the shell has read all of it before it runs anything.
    let text = format!(
        "{{\nLC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\nexport LC_ALL PATH\n(\n{script}\n) </dev/null\nexit\n}}\n"
    );
    let mut shell = ScriptShell(
        Command::new("sh")
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?,
    );
    let pipes = (shell.0.stdin.take(), shell.0.stdout.take(), shell.0.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(mut stderr)) = pipes else {
        return Err(io::Error::other("it has no pipes"));
    };
    // Beside its output: a full pipe would stop the shell.
    let errors = tokio::spawn(async move {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).await.map(|_| bytes)
    });
    timeout(CALL_TIMEOUT, stdin.write_all(text.as_bytes())).await??;
    drop(stdin);
    let (mut reader, mut stdout) = (BufReader::new(stdout), Vec::new());
    while timeout(CALL_TIMEOUT, reader.read_until(b'\n', &mut stdout)).await?? > 0 {}
    let stderr = timeout(CALL_TIMEOUT, errors).await???;
    let code = timeout(CALL_TIMEOUT, shell.0.wait()).await??.code();
    Ok(Output {
        status: code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        stdout,
        stderr,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokio::time::{advance, pause};

    use super::*;
    use crate::export::tests::location;

    #[tokio::test]
    async fn a_script_is_killed_with_its_programs_before_its_timeout_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let mounted = Mounted::new(location("/nfsdata"), root.path());
        // The shell and its program hold the write end of the pipe as long as they run.
        let pipe = root.path().join("pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
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
}
