//! A builder for tests of the command line: it takes arguments, environment and files, and returns stdout, stderr and
//! status.
//!
//! [`Nfsprov`] starts the program with an empty environment, so that no test depends on this machine's configuration.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use rexpect::session::{PtySession, spawn_command};

/// How long a prompt may take to appear, in milliseconds; it takes far less.
const PROMPT_WITHIN: u64 = 20_000;

pub struct Nfsprov {
    command: Command,
}

/// The results of a run.
#[derive(Debug, PartialEq)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

impl Nfsprov {
    pub fn new<I>(args: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        Self::called_as(Path::new(env!("CARGO_BIN_EXE_nfsprov"))).args(args)
    }

    /// The program under another path, such as that of a plugin.
    pub fn called_as(path: &Path) -> Self {
        let mut command = Command::new(path);
        command.env_clear().env("HOME", "/nonexistent");
        // For ssh, which nfsprov runs to read ssh's configuration.
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self { command }
    }

    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn run(mut self) -> Ran {
        let output = self.command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            status: output.status.code().unwrap(),
        }
    }

    /// Runs on a pseudo-terminal without a size.
    pub fn on_terminal(mut self) -> PtySession {
        self.command.env("TERM", "xterm");
        spawn_command(self.command, Some(PROMPT_WITHIN)).unwrap()
    }
}

/// Runs a command line whose words have no spaces. Returns stdout, stderr and status.
pub fn nfsprov(args: &str) -> (String, String, i32) {
    let ran = Nfsprov::new(args.split_whitespace()).run();
    (ran.stdout, ran.stderr, ran.status)
}

/// Writes a kubeconfig with the context `c` for the API server at `url`, and returns its path.
pub fn write_kubeconfig(directory: &Path, url: &str) -> String {
    let path = directory.join("kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
         users: [{{name: u, user: {{}}}}], clusters: [{{name: c, cluster: {{server: '{url}'}}}}]}}"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}
