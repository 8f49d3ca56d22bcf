//! SSH connections to hosts.
//!
//! Each [`Host`] has a thread of its own, since libssh2 blocks, and runs one script after the other.

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

/// What is done about a host whose key is not recorded. A key that has changed is never accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeys {
    /// Show it and ask.
    Ask,
    /// Refuse.
    Strict,
    /// Record it and go on.
    AcceptNew,
}

/// How to become root where the login is another user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sudo {
    /// Not at all.
    No,
    /// With sudo, asking for the password if it wants one.
    Ask,
    /// With sudo and this password.
    Password(Secret),
}

/// With what, and on whose behalf, hosts are logged in to.
#[derive(Clone, Debug)]
pub struct Access {
    /// The home directory, which has `.ssh`; none where there is no such thing.
    pub home: Option<PathBuf>,
    /// The local user's name, who is the remote one too unless something says otherwise.
    pub user: String,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// Key files that were named, before those of the configuration.
    pub identities: Vec<PathBuf>,
    /// Hosts to go through, instead of those of the configuration.
    pub jump: Vec<Target>,
    /// What is done about unknown hosts.
    pub host_keys: HostKeys,
    /// If there are any: the fingerprints that keys of hosts must have, one of them each.
    pub fingerprints: Vec<String>,
    /// How long each step of connecting may take: an answer, a handshake, a try to log in.
    pub connect_timeout: Duration,
    /// How to become root.
    pub sudo: Sudo,
    /// Who is asked.
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

/// What a script came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its own exit status.
    pub status: u8,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, the last MiB.
    pub stderr: Vec<u8>,
}

/// Why a script has no exit status; how far it got is not known. The text names the host.
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
    /// Nothing came for too long; the connection is given up.
    #[error("{host} gave no answer within {} s", after.as_secs())]
    Silent {
        /// The host.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// A signal ended the shell.
    #[error("the shell on {host} was killed by SIG{signal}")]
    Killed {
        /// The host.
        host: String,
        /// The signal's name, as `KILL`.
        signal: String,
    },
    /// The login has no shell that runs scripts, or sudo starts none.
    #[error("{host} runs no script for this user: {said}")]
    NoShell {
        /// The host.
        host: String,
        /// What came instead.
        said: String,
    },
}

/// A script to run, and the channel for its result; a closed channel cancels it.
struct Job {
    script: String,
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
    /// Logs in to `target` and becomes root, as far as `access` says so.
    ///
    /// # Errors
    /// [`ConnectError`], which says what is to be done; within the time-outs of `access`, but for the time that
    /// questions take.
    pub async fn connect(target: &Target, access: &Access) -> Result<Self, ConnectError> {
        let (jobs, waiting) = channel();
        let (ready, connected) = oneshot::channel();
        let (aim, with) = (target.clone(), access.clone());
        let thread = std::thread::Builder::new().name(format!("ssh {}", target.host));
        let started = thread.spawn(move || serve(&aim, &with, ready, &waiting));
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

    /// Has the host's shell run `script`, after all that was given to this connection before. `patience` is how long
    /// it may go without a word. Dropping the future gives the connection up.
    ///
    /// # Errors
    /// [`RunError`] when the script did not end by itself; that it failed is its status.
    pub async fn run(&self, script: &str, patience: Duration) -> Result<Output, RunError> {
        let lost = || RunError::Lost {
            host: self.name.clone(),
            cause: "it ended before this".to_owned(),
        };
        let (reply, end) = oneshot::channel();
        let job = Job {
            script: script.to_owned(),
            patience,
            reply,
        };
        self.jobs.send(job).map_err(|_| lost())?;
        end.await.unwrap_or_else(|_| Err(lost()))
    }
}

/// The names and addresses that a host may be known under to others: the one that its configuration connects to, then
/// the one that was written.
pub fn server_names(target: &Target, access: &Access) -> Vec<String> {
    let last = route::find_hops(target, access).ok().and_then(|mut hops| hops.pop());
    let mut names: Vec<String> = last.into_iter().map(|hop| hop.host).collect();
    if !names.contains(&target.host) {
        names.push(target.host.clone());
    }
    names
}

/// Connects and runs jobs until the sender is dropped or the connection is lost.
fn serve(target: &Target, access: &Access, ready: oneshot::Sender<Result<String, ConnectError>>, jobs: &Receiver<Job>) {
    let connected = connect::connect(target, access, &|| ready.is_closed());
    let mut connection = match connected {
        Ok(connection) => connection,
        // Whoever waited may have gone.
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready.send(Ok(connection.name.clone())).is_err() {
        return connection.leave();
    }
    loop {
        match jobs.recv_timeout(KEEPALIVE) {
            Ok(job) => {
                let Job {
                    script,
                    patience,
                    reply,
                } = job;
                let end = connection.run(&script, patience, &|| reply.is_closed());
                let name = &connection.name;
                let broken = matches!(end, Err(ExecError::Lost(_) | ExecError::Silent | ExecError::Cancelled));
                // As above.
                _ = reply.send(end.map_err(|trouble| trouble.into_run_error(name, patience)));
                if broken {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if connection.live.session.keepalive_send().is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return connection.leave(),
        }
    }
}

impl Connection {
    fn leave(&mut self) {
        // A courtesy: the host notices the end without it.
        _ = self.live.session.disconnect(None, "done", None);
    }
}

/// A random word that nothing on the host can guess.
fn nonce() -> Result<String, String> {
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
