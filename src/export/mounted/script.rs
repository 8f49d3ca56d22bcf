//! Runs shell scripts with this machine's own tools: those that run over SSH elsewhere.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

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
    /// Each line that it prints restarts the timeout. After a timeout, which is an error, the script continues.
    pub(in crate::export) async fn run_script(
        &self,
        write: impl FnOnce(&str) -> String + Send + 'static,
    ) -> Result<Output, ExportError> {
        let progress = Arc::new(RemovalProgress::new(never_interrupt()));
        let counted = progress.clone();
        self.run_blocking_with_progress(&progress, move |root| {
            let failed = |cause: String| ExportError::Failed {
                action: "run a script in",
                path: root.display().to_string(),
                cause,
            };
            let absolute = std::path::absolute(root).map_err(|error| failed(error.to_string()))?;
            let path = absolute.to_str();
            let path = path.ok_or_else(|| failed("the mount's path is no UTF-8".to_owned()))?;
            run_in_shell(&write(path), || counted.count_step()).map_err(|error| failed(format!("sh: {error}")))
        })
        .await
    }
}

/// Runs a script in a subshell without standard input, and calls `on_line` for each line that it prints. Blocks until
/// it ends, without a timeout. A script that a signal ended has status 1.
fn run_in_shell(script: &str, on_line: impl Fn()) -> io::Result<Output> {
    let mut shell = Command::new("sh")
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // In braces, so that the shell has read all of it before it runs anything.
    let text = format!(
        "{{\nLC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\nexport LC_ALL PATH\n(\n{script}\n) </dev/null\nexit\n}}\n"
    );
    if let Some(mut stdin) = shell.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    let (stdout, stderr) = (shell.stdout.take(), shell.stderr.take());
    let (stdout, stderr) = std::thread::scope(|scope| {
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
        io::Result::Ok((lines, errors?))
    })?;
    let code = shell.wait()?.code();
    Ok(Output {
        status: code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        stdout,
        stderr,
    })
}
