//! A ProxyCommand: a program whose input and output are the connection. The main type is [`Proxy`].

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How much of what it says is kept.
const MAX_STDERR: usize = 1 << 10;

/// How long its last words are waited for.
const WAIT_FOR_STDERR: Duration = Duration::from_millis(500);

/// The running program, which ends with the connection.
#[derive(Debug)]
pub(in crate::host) struct Proxy {
    child: Child,
    stderr_tail: Arc<Mutex<Vec<u8>>>,
    /// Closed when it says nothing more.
    stderr_closed: Receiver<()>,
}

/// Starts a ProxyCommand, whose tokens are expanded, as ssh does, by the user's shell; the socket is its standard input
/// and output. That it fails shows only in the use of the socket: see [`Proxy::last_stderr`]. An error says that the
/// shell could not be started. Dropping the [`Proxy`] kills the program.
pub(super) fn start_proxy_command(command: &str) -> Result<(OwnedFd, Proxy), String> {
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let shell = shell.unwrap_or_else(|| "/bin/sh".into());
    let failed = |error: std::io::Error| format!("cannot run the ProxyCommand {command}: {error}");
    let (near, far) = UnixStream::pair().map_err(failed)?;
    let mut program = Command::new(shell);
    program.arg("-c").arg(format!("exec {command}"));
    program.stdin(OwnedFd::from(far.try_clone().map_err(failed)?));
    program.stdout(OwnedFd::from(far)).stderr(Stdio::piped());
    let mut child = program.spawn().map_err(failed)?;
    let stderr_tail = Arc::new(Mutex::new(Vec::new()));
    let (open, stderr_closed) = channel();
    if let Some(mut stderr) = child.stderr.take() {
        let kept = Arc::clone(&stderr_tail);
        std::thread::spawn(move || {
            let _open = open;
            let mut buffer = [0; MAX_STDERR];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..count]);
                let excess = kept.len().saturating_sub(MAX_STDERR);
                kept.drain(..excess);
            }
        });
    }
    Ok((
        near.into(),
        Proxy {
            child,
            stderr_tail,
            stderr_closed,
        },
    ))
}

impl Proxy {
    /// The last KiB of its standard error, on one line; empty if it wrote none. Waits up to half a second for a program
    /// that is ending.
    pub(super) fn last_stderr(&self) -> String {
        // Either way, what has come by then counts.
        _ = self.stderr_closed.recv_timeout(WAIT_FOR_STDERR);
        let stderr_tail = self.stderr_tail.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&stderr_tail)
            .trim()
            .replace('\n', "; ")
            .replace('\r', "")
    }
}

impl Drop for Proxy {
    /// Kills the program, and waits for its end.
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
