//! Asks this machine's own ssh client, with `ssh -G`, how it reads its configuration. It reads no configuration file
//! itself, and connects to no host.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::Access;
use crate::host::ssh_settings::{ClientDefaults, Settings, expansion_arguments, needs_expansion, parse_expansion};
use crate::host::target::Target;

/// The limit of a program's output.
const MAX_OUTPUT: u64 = 1 << 20;

/// The output of a program, and whether it succeeded.
pub(super) struct Printed {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// The settings for `target`, and those of its paths that ssh leaves as they were written, expanded.
pub(super) struct Configured {
    pub(super) settings: Settings,
    pub(super) identities: Vec<PathBuf>,
    pub(super) certificates: Vec<PathBuf>,
    pub(super) revoked_host_keys: Option<PathBuf>,
}

/// Asks ssh for a host's settings, with paths expanded; blocks until it has answered. Without an OpenSSH client on this
/// machine, returns defaults. The error is what ssh says, that it gave no answer within the connect timeout, or which
/// setting can't be used; it may not name the host.
pub(super) fn ask_ssh(target: &Target, access: &Access) -> Result<Configured, String> {
    let Some(defaults) = read_defaults(access.connect_timeout)? else {
        let settings = Settings::unconfigured(target, &access.user);
        return Ok(Configured {
            settings,
            identities: Vec::new(),
            certificates: Vec::new(),
            revoked_host_keys: None,
        });
    };
    // ssh knows no other home directory than that of the passwd file.
    let other_home = access.home.as_deref().filter(|home| *home != defaults.home);
    let mut command = Command::new("ssh");
    command.arg("-G");
    let configuration = other_home.map(OtherConfiguration::new).transpose()?;
    if let Some(configuration) = &configuration {
        command.arg("-F").arg(&configuration.0);
    }
    if let Some(user) = &target.user {
        command.args(["-l", user]);
    }
    if let Some(port) = target.port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", &target.host]);
    let printed = run_program(command, "", access.connect_timeout).map_err(|error| format!("ssh -G: {error}"))?;
    if !printed.success {
        return Err(printed.stderr);
    }
    let settings = Settings::parse(&printed.stdout, target, defaults).map_err(|error| error.to_string())?;
    let expand = |path: &OsStr| match needs_expansion(path) {
        false => Ok(PathBuf::from(path)),
        true => expand_path(path, &settings, target, access, other_home),
    };
    let all = |paths: &[std::ffi::OsString]| paths.iter().map(|path| expand(path)).collect::<Result<Vec<_>, _>>();
    Ok(Configured {
        identities: all(&settings.identities)?,
        certificates: all(&settings.certificates)?,
        revoked_host_keys: settings.revoked_host_keys.as_deref().map(expand).transpose()?,
        settings,
    })
}

/// Expands `~` and the tokens of a configured path by running ssh; `other_home` stands for `~` if it is given. The
/// error names the path.
fn expand_path(
    path: &OsStr,
    settings: &Settings,
    target: &Target,
    access: &Access,
    other_home: Option<&Path>,
) -> Result<PathBuf, String> {
    if let (Some(home), Ok(rest)) = (other_home, Path::new(path).strip_prefix("~"))
        && !needs_expansion(rest.as_os_str())
    {
        return Ok(home.join(rest));
    }
    let mut command = Command::new("ssh");
    command.args(expansion_arguments(path, settings, target));
    let named = |why: &str| format!("{}: {why}", path.display());
    let printed = run_program(command, "", access.connect_timeout).map_err(|error| named(&error.to_string()))?;
    match parse_expansion(&printed.stdout).filter(|_| printed.success) {
        Some(path) => Ok(path),
        None => Err(named(&printed.stderr)),
    }
}

/// A file that leads ssh to the configuration of another home directory than it knows. ssh may read it twice.
struct OtherConfiguration(PathBuf);

impl OtherConfiguration {
    /// Writes the file for the home directory `home` to the directory for temporary files, readable only by this user;
    /// dropping it removes it.
    fn new(home: &Path) -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("nfsprov-{}.ssh_config", super::random_word()?));
        let own = home.join(".ssh/config");
        let text = format!(
            "Include \"{}\"\nMatch all\nInclude /etc/ssh/ssh_config\n",
            own.display()
        );
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for OtherConfiguration {
    /// Removes the file; a failure is ignored.
    fn drop(&mut self) {
        // A file that stays behind holds no secret.
        _ = std::fs::remove_file(&self.0);
    }
}

/// The defaults of this machine's ssh client; `None`, with a warning in the log, without an OpenSSH client. Read once.
/// One that gives no answer within `timeout` is an error: without its configuration, other host keys would be accepted.
fn read_defaults(timeout: Duration) -> Result<Option<&'static ClientDefaults>, String> {
    static DEFAULTS: OnceLock<Option<ClientDefaults>> = OnceLock::new();
    if let Some(known) = DEFAULTS.get() {
        return Ok(known.as_ref());
    }
    let mut command = Command::new("ssh");
    command.args(ClientDefaults::ARGUMENTS);
    let defaults = match run_program(command, "", timeout) {
        Ok(printed) => ClientDefaults::parse(&printed.stdout),
        Err(ProgramError::NotStarted(_)) => None,
        Err(error @ ProgramError::NotEnded(_)) => return Err(format!("ssh -G: {error}")),
    };
    Ok(DEFAULTS
        .get_or_init(|| {
            if defaults.is_none() {
                tracing::warn!("no OpenSSH client (ssh) on this machine: ssh's configuration files are not read");
            }
            defaults
        })
        .as_ref())
}

/// Why a program gave no result, in a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// It is not there, for example.
    #[error("{0}")]
    NotStarted(String),
    /// It was killed at its time limit, or its end is not known.
    #[error("{0}")]
    NotEnded(String),
}

impl From<ProgramError> for String {
    fn from(error: ProgramError) -> Self {
        error.to_string()
    }
}

/// How often a program that has closed its outputs is asked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// Runs a program with `input` on its standard input, and kills it if it hasn't ended in time, which is an error. A
/// program that failed is `Ok` with `success` false; its standard error is on one line. Of each output, 1 MiB is kept.
/// `input` must fit into a pipe, 64 KiB: `timeout` does not end the writing of it.
pub(super) fn run_program(mut command: Command, input: &str, timeout: Duration) -> Result<Printed, ProgramError> {
    let name = command.get_program().display().to_string();
    let started = Instant::now();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| ProgramError::NotStarted(format!("cannot run {name}: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing may have ended by now.
        _ = stdin.write_all(input.as_bytes());
    }
    let (tell, told) = channel();
    let streams = [
        child
            .stdout
            .take()
            .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child
            .stderr
            .take()
            .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ];
    for (at, stream) in streams.into_iter().enumerate() {
        let tell = tell.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(stream) = stream {
                // What can't be read any more is at its end.
                _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes);
            }
            // The receiver is gone after a timeout.
            _ = tell.send((at, bytes));
        });
    }
    let time_left = || timeout.saturating_sub(started.elapsed());
    let mut wait_for_end = || {
        let mut read = [Vec::new(), Vec::new()];
        for _ in 0..2 {
            let (at, bytes) = told.recv_timeout(time_left()).ok()?;
            read[at] = bytes;
        }
        // One that has closed its outputs ends in this moment as a rule.
        loop {
            match child.try_wait() {
                Ok(None) if time_left().is_zero() => return None,
                Ok(None) => std::thread::sleep(POLL.min(time_left())),
                Ok(Some(status)) => return Some(Ok((status, read))),
                Err(error) => return Some(Err(format!("{name}: {error}"))),
            }
        }
    };
    let Some(ended) = wait_for_end() else {
        // It may have ended in this moment.
        _ = child.kill();
        _ = child.wait();
        let why = format!("{name} has not ended within {} s", timeout.as_secs_f32());
        return Err(ProgramError::NotEnded(why));
    };
    let (status, [stdout, stderr]) = ended.map_err(ProgramError::NotEnded)?;
    let stderr = String::from_utf8_lossy(&stderr)
        .trim()
        .replace('\n', "; ")
        .replace('\r', "");
    Ok(Printed {
        success: status.success(),
        stdout,
        stderr,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_one_time_limit() {
        // Half of the limit passes before each of the program's outputs ends, and more before itself.
        for script in [
            "exec >&- 2>&-; exec sleep 5",
            "sleep 0.3; exec >&-; sleep 0.3; exec 2>&-; sleep 0.3",
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let ended = run_program(command, "", Duration::from_millis(500));
            let error = ended.map(|printed| printed.success).unwrap_err();
            assert_eq!(error.to_string(), "sh has not ended within 0.5 s", "{script}");
        }
        let missing = run_program(Command::new("/nonexistent/ssh"), "", Duration::from_secs(60));
        assert!(matches!(missing, Err(ProgramError::NotStarted(_))));
        let mut command = Command::new("sh");
        command.args(["-c", "cat; echo 'not found' >&2; exit 3"]);
        let printed = run_program(command, "text", Duration::from_secs(60)).unwrap();
        assert!(!printed.success);
        assert_eq!((&printed.stdout[..], &printed.stderr[..]), (&b"text"[..], "not found"));
    }
}
