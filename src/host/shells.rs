//! The shells that hosts have, and stand-ins for hosts' programs, for tests of scripts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs a script in each kind of shell that hosts have, with `variables` in its environment; `check` gets its name and
/// output. A shell that is not installed here is only named on standard error.
pub(super) fn run_in_each_shell(script: &str, variables: &[(&str, &str)], check: impl Fn(&str, &Output)) {
    for shell in [&["sh"][..], &["bash", "--posix"], &["busybox", "sh"]] {
        let mut command = Command::new(shell[0]);
        let command = command.args(&shell[1..]).arg("-c").arg(script);
        match command.envs(variables.iter().copied()).output() {
            Ok(output) => check(&shell.join(" "), &output),
            Err(_) => eprintln!("skipped: {shell:?} is not installed"),
        }
    }
}

/// A temporary directory with programs that stand in for a host's. Dropping it removes them.
pub(super) struct StandIns(TempDir);

impl StandIns {
    /// Writes an executable file for each name and text of a script.
    pub(super) fn new(programs: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in programs {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        Self(directory)
    }

    /// Where they are.
    pub(super) fn directory(&self) -> &Path {
        self.0.path()
    }

    /// A value for `PATH` in which they come first; the caller sets it.
    pub(super) fn search_path(&self) -> String {
        let others = std::env::var("PATH").unwrap();
        format!("{}:{others}", self.0.path().display())
    }
}
