//! SSH connections to hosts.
//!
//! Each [`Host`] has a thread of its own, since libssh2 blocks, and runs one script after the other. A lost connection
//! is not made again: the caller connects anew.

mod client;
mod connect;
mod jump;
mod keys;
mod login;
mod proxy;
mod route;
mod run;
mod trust;
mod tunnel;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::oneshot;

use self::connect::Connection;
pub use self::jump::JumpSessions;
use self::run::ExecError;
pub(super) use self::run::MAX_REPEATED;
use super::ask::{PromptCache, Secret};
use super::target::Target;

/// How often an idle connection shows that it is in use: routers on the way forget those that are silent.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The limit of a script's standard output, in bytes.
const MAX_OUTPUT: usize = 1 << 20;

/// The limit of a listing, in bytes: a hundred thousand volumes with long names.
const MAX_LISTING: usize = 64 << 20;

/// The policy for a host key that is not recorded. A changed key is never accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeys {
    /// Show the key and ask the user.
    Ask,
    /// Refuse the host.
    Strict,
    /// Record the key and continue.
    AcceptNew,
}

/// How to become root where the login is another user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sudo {
    /// Stay the user who logged in.
    No,
    /// By sudo; ask the user if it needs a password.
    Ask,
    /// By sudo with this password.
    Password(Secret),
}

/// The settings of all SSH connections of a run.
#[derive(Clone, Debug)]
pub struct Access {
    /// The home directory, in which `.ssh` is looked for, if there is one.
    pub home: Option<PathBuf>,
    /// The local user's name; the default for the remote one.
    pub user: String,
    /// The socket of ssh-agent.
    pub agent: Option<PathBuf>,
    /// Key files of the command line; they come before those of the configuration.
    pub identities: Vec<PathBuf>,
    /// Jump hosts of the command line, instead of those of the configuration.
    pub jump: Vec<Target>,
    /// The policy for unknown hosts.
    pub host_keys: HostKeys,
    /// If not empty, each host key must have one of these fingerprints.
    pub fingerprints: Vec<String>,
    /// The timeout of each step of connecting: a TCP connection, a handshake, a login attempt.
    pub connect_timeout: Duration,
    /// How scripts become root.
    pub sudo: Sudo,
    /// Asks the user, and keeps the answers for the run.
    pub ask: Arc<PromptCache>,
    /// The sessions to jump hosts, which all connections with this access share.
    pub jump_sessions: Arc<JumpSessions>,
}

/// Why there is no connection. The text names the host.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The configuration can't be used.
    #[error("cannot tell how to reach {host}: {cause}")]
    Config {
        /// The host as given.
        host: String,
        /// What is wrong with it, as ssh says.
        cause: String,
    },
    /// Nothing answers, or not as sshd does.
    #[error("cannot reach {host}: {cause}")]
    Unreachable {
        /// The host and port.
        host: String,
        /// What came instead of an answer.
        cause: String,
    },
    /// The host's key is not trusted.
    #[error("{host} is not trusted: {why}")]
    HostKey {
        /// The host and port.
        host: String,
        /// The key, and what speaks against it.
        why: String,
    },
    /// The server accepts none of the login methods that were tried.
    #[error("cannot log in to {host} as {user}: {why}")]
    Login {
        /// The host and port.
        host: String,
        /// The user.
        user: String,
        /// What was tried.
        why: String,
    },
    /// The login works, but sudo does not.
    #[error("cannot become root on {host}: {why}")]
    Sudo {
        /// The host and port.
        host: String,
        /// What sudo says.
        why: String,
    },
    /// The login works, but its shell runs no scripts.
    #[error(transparent)]
    Shell(RunError),
}

impl ConnectError {
    fn unreachable(host: &str, cause: &str) -> Self {
        Self::Unreachable {
            host: host.to_owned(),
            cause: cause.to_owned(),
        }
    }
}

/// The result of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit status of the script.
    pub status: u8,
    /// All that it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The last MiB that it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// Why a script has no exit status. How far it got is unknown. The text names the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The connection ended.
    #[error("the connection to {host} is lost: {cause}")]
    Lost {
        /// The host.
        host: String,
        /// The connection's end.
        cause: String,
    },
    /// The host took no input and wrote no output within the timeout; the connection was closed.
    #[error("{host} gave no answer within {} s", after.as_secs())]
    Silent {
        /// The host.
        host: String,
        /// The timeout.
        after: Duration,
    },
    /// A signal killed the shell.
    #[error("the shell on {host} was killed by SIG{signal}")]
    Killed {
        /// The host.
        host: String,
        /// The signal's name, as `KILL`.
        signal: String,
    },
    /// The login shell, or sudo, ended without running the script.
    #[error("{host} runs no script for this user: {said}")]
    NoShell {
        /// The host.
        host: String,
        /// Its output.
        said: String,
    },
    /// The script wrote too much to its standard output; the connection was closed.
    #[error("a script on {host} wrote more than {} MiB", limit >> 20)]
    TooMuchOutput {
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
}

/// A script to run, and the channel for its result; a closed channel cancels it.
struct Job {
    script: String,
    max_output: usize,
    patience: Duration,
    reply: oneshot::Sender<Result<Output, RunError>>,
}

/// A connection to a host. Dropping it disconnects; a running script continues on the host.
#[derive(Debug)]
pub struct Host {
    name: String,
    jobs: Sender<Job>,
}

impl Host {
    /// Logs in to `target`, through its jump hosts, and becomes root if `access` says so. May ask the user, and records
    /// a new host key that is accepted. Without sudo, whether the login runs scripts is first known from [`Host::run`].
    /// Dropping the future ends the login once all attempts on its present connection have been made, and the logins to
    /// jump hosts have ended.
    ///
    /// # Errors
    /// [`ConnectError`], within the timeouts of `access` and the time that prompts take.
    pub async fn connect(target: &Target, access: &Access) -> Result<Self, ConnectError> {
        let (jobs, waiting) = channel();
        let (ready, connected) = oneshot::channel();
        let (aim, with) = (target.clone(), access.clone());
        let thread = std::thread::Builder::new().name(format!("ssh {}", target.host));
        let started = thread.spawn(move || serve_jobs(&aim, &with, ready, &waiting));
        let unreachable = |cause: &str| ConnectError::unreachable(&target.to_string(), cause);
        started.map_err(|error| unreachable(&error.to_string()))?;
        let connected = connected.await;
        let name = connected.map_err(|_| unreachable("its thread ended"))??;
        Ok(Self { name, jobs })
    }

    /// The user, host and port, such as `root@nfs:22`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `script` in the host's shell, or in root's if the login uses sudo, after the scripts that this connection
    /// was given before. It may write 1 MiB to its standard output. The host has to take a part of the script or write
    /// output at least every `patience`. Dropping the future closes the connection; the script may continue there.
    ///
    /// # Errors
    /// [`RunError`] if the script did not end by itself. A script that failed has a status instead. After `Lost`,
    /// `Silent` or `TooMuchOutput` the connection is closed, and every later call returns `Lost`.
    pub async fn run(&self, script: &str, patience: Duration) -> Result<Output, RunError> {
        self.run_up_to(MAX_OUTPUT, script, patience).await
    }

    /// Runs a script that lists an export or reads files of it, in all as [`Host::run`] does, but that it may write 64
    /// MiB to its standard output.
    ///
    /// # Errors
    /// [`RunError`] if the script did not end by itself. A script that failed has a status instead.
    pub async fn run_listing(&self, script: &str, patience: Duration) -> Result<Output, RunError> {
        self.run_up_to(MAX_LISTING, script, patience).await
    }

    /// Has the connection's thread run a script, of which it takes at most `max_output` bytes of standard output;
    /// `Lost` if that thread has ended.
    async fn run_up_to(&self, max_output: usize, script: &str, patience: Duration) -> Result<Output, RunError> {
        let lost = || RunError::Lost {
            host: self.name.clone(),
            cause: "it ended before this".to_owned(),
        };
        let (reply, end) = oneshot::channel();
        let job = Job {
            script: script.to_owned(),
            max_output,
            patience,
            reply,
        };
        self.jobs.send(job).map_err(|_| lost())?;
        end.await.unwrap_or_else(|_| Err(lost()))
    }
}

/// The names by which NFS clients may know a host, the best first: the one that ssh's configuration connects to, then
/// the one given, if it is another. Without a readable configuration, only the latter. Connects to nothing, but runs
/// ssh, and blocks until that ends.
pub fn server_names(target: &Target, access: &Access) -> Vec<String> {
    let last = route::find_hops(target, access).ok().and_then(|mut hops| hops.pop());
    let mut names: Vec<String> = last.into_iter().map(|hop| hop.host).collect();
    if !names.contains(&target.host) {
        names.push(target.host.clone());
    }
    names
}

/// Connects, reports the host's name or the error to `ready`, and runs jobs until their sender is dropped, the
/// connection is lost, or a job is silent, cancelled or writes too much. Sends keepalives between jobs.
fn serve_jobs(
    target: &Target,
    access: &Access,
    ready: oneshot::Sender<Result<String, ConnectError>>,
    jobs: &Receiver<Job>,
) {
    let connected = connect::connect(target, access, &|| ready.is_closed());
    let mut connection = match connected {
        Ok(connection) => connection,
        // The caller may have given up.
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready.send(Ok(connection.name.clone())).is_err() {
        return connection.disconnect();
    }
    loop {
        match jobs.recv_timeout(KEEPALIVE) {
            Ok(job) => {
                let Job {
                    script,
                    max_output,
                    patience,
                    reply,
                } = job;
                let end = connection.run(&script, max_output, patience, &|| reply.is_closed());
                let name = &connection.name;
                let broken = matches!(
                    end,
                    Err(ExecError::Lost(_) | ExecError::Silent | ExecError::Cancelled | ExecError::TooMuchOutput(_))
                );
                // As above.
                _ = reply.send(end.map_err(|trouble| trouble.into_run_error(name, patience)));
                if broken {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if connection.live.send_keepalive_if_due().is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return connection.disconnect(),
        }
    }
}

impl Connection {
    /// Tells the host that the session ends; a failure is ignored.
    fn disconnect(&mut self) {
        // A courtesy: the host notices the end without it.
        _ = self.live.session.disconnect(None, "done", None);
    }
}

/// A random word of 32 hexadecimal digits, which no program on the host can guess.
fn random_word() -> Result<String, String> {
    let bytes: [u8; 16] = random_bytes()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Bytes of the system's own generator, which has no way to fail once it has been seeded.
fn random_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], String> {
    let mut bytes = [0; LENGTH];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err("the system has no random numbers".to_owned()),
    }
}
