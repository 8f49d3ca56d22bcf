//! The backend that runs shell scripts on the server over SSH: for exports that squash root or want privileged ports.
//!
//! A few connections are kept, each of which runs one script at a time; a lost one is replaced. [`script`] has the
//! scripts. The methods keep the contracts of those of [`Export`](super::Export).

mod files;
pub(super) mod quota;
mod script;

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Mutex as AsyncMutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use super::limit_queue::LimitQueue;
use super::{Attributes, Entry, ExportError, Kind, Location, MayContinue, Removed, VolumePath};
use crate::host::{Access, ConnectError, Host, Output, RunError, Target};

/// The limit of connections; sshd drops new ones beyond about ten unauthenticated ones.
const CONNECTIONS: usize = 4;

/// How many of them removals may use, so that large directories don't delay claims.
const REMOVAL_CONNECTIONS: usize = CONNECTIONS - 1;

/// The timeout of a script without output; longer than an NFS call's, since it starts programs, often through sudo.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a removal checks whether it may continue.
const CHECK: Duration = Duration::from_millis(200);

/// An export reached over SSH on the server itself.
#[derive(Clone, Debug)]
pub struct Ssh {
    location: Location,
    shells: Arc<Shells>,
    permits: Arc<Permits>,
    limit_queue: Arc<LimitQueue>,
}

/// Limits how many scripts run at once.
#[derive(Debug)]
struct Permits {
    scripts: Semaphore,
    removals: Semaphore,
}

impl Permits {
    fn new() -> Self {
        Self {
            scripts: Semaphore::new(CONNECTIONS),
            removals: Semaphore::new(REMOVAL_CONNECTIONS),
        }
    }

    /// Always `Ok`: the semaphores are never closed.
    async fn acquire_for_script(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.scripts.acquire().await
    }

    /// Waits until a removal may start, then until a script may.
    async fn acquire_for_removal(&self) -> impl Sized {
        (self.removals.acquire().await, self.acquire_for_script().await)
    }
}

#[derive(Debug)]
enum Shells {
    Remote(Box<Remote>),
    /// A shell of this machine, for tests.
    #[cfg(test)]
    Local(super::tests::Shell),
}

/// The connections to a server.
#[derive(Debug)]
struct Remote {
    target: Target,
    access: Access,
    idle: Mutex<Vec<Host>>,
    /// The last failed connection attempt. Locked during an attempt.
    failure: AsyncMutex<Option<(Instant, ExportError)>>,
}

impl Ssh {
    /// The export at `location`, which is the same directory on the host `target`. Connects on first use.
    pub fn new(location: Location, target: Target, access: Access) -> Self {
        let remote = Remote {
            target,
            access,
            idle: Mutex::default(),
            failure: AsyncMutex::default(),
        };
        Self::with_shells(location, Shells::Remote(Box::new(remote)))
    }

    #[cfg(test)]
    pub(super) fn with_local_shell(location: Location, shell: super::tests::Shell) -> Self {
        Self::with_shells(location, Shells::Local(shell))
    }

    fn with_shells(location: Location, shells: Shells) -> Self {
        Self {
            location,
            shells: Arc::new(shells),
            permits: Arc::new(Permits::new()),
            limit_queue: Arc::default(),
        }
    }

    pub(super) fn limit_queue(&self) -> &LimitQueue {
        &self.limit_queue
    }

    /// The exported path, which is the same directory on the host.
    pub(super) fn root_path(&self) -> &str {
        &self.location.path
    }

    pub(super) async fn probe_root(&self) -> Result<(), ExportError> {
        let output = self.run_script(&script::enter_root(self.root_path())).await?;
        require_success("open", self.root_path(), output).map(drop)
    }

    pub(super) async fn free_bytes(&self) -> Result<u64, ExportError> {
        let action = "ask for the free space of";
        let output = self.run_script(&script::free_space(self.root_path())).await?;
        let said = lossy_text(&require_success(action, self.root_path(), output)?.stdout);
        let numbers: Option<Vec<u64>> = said.split_whitespace().map(|word| word.parse().ok()).collect();
        match numbers.as_deref() {
            Some([blocks, size]) => Ok(blocks.saturating_mul(*size)),
            _ => Err(ExportError::failed(
                action,
                self.root_path(),
                format!("stat said {:?}", said.trim()),
            )),
        }
    }

    pub(super) async fn create_directory(&self, path: &VolumePath, wanted: Attributes) -> Result<(), ExportError> {
        let script = script::create_directory(self.root_path(), path, wanted);
        self.run_checked("make directory", path, &script).await.map(drop)
    }

    /// Removes in slices of some seconds, each of which looks the path up, so that a removal releases its connection to
    /// others. After an interruption, returns within `CHECK`; the slice that runs on the server ends by itself.
    pub(super) async fn remove_directory(
        &self,
        path: &VolumePath,
        may_continue: &MayContinue,
    ) -> Result<Removed, ExportError> {
        let script = script::remove_directory(self.root_path(), path);
        let interrupted = async {
            while may_continue() {
                sleep(CHECK).await;
            }
        };
        let removing = async {
            let mut removed = Removed::AlreadyGone;
            loop {
                let output = self.run_removal(&script).await?;
                match output.status {
                    script::UNFINISHED => removed = Removed::Done,
                    script::MISSING => return Ok(removed),
                    _ => return check_output("remove", path, output).map(|_| Removed::Done),
                }
            }
        };
        tokio::select! {
            biased;
            () = interrupted => Err(ExportError::Interrupted),
            removed = removing => removed,
        }
    }

    pub(super) async fn rename_directory(&self, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
        let script = script::rename_directory(self.root_path(), from, to);
        let output = self.run_script(&script).await?;
        match output.status {
            script::OBSTACLE => Err(obstacle_error(from, to, &output)),
            script::OTHER_DEVICE => Err(ExportError::CannotRename {
                path: from.to_string(),
                cause: "it is on another file system".to_owned(),
            }),
            script::EXISTS => Err(ExportError::Exists(to.to_string())),
            script::MISSING => Ok(Removed::AlreadyGone),
            _ => check_output("rename", from, output).map(|_| Removed::Done),
        }
    }

    pub(super) async fn path_exists(&self, path: &VolumePath) -> Result<bool, ExportError> {
        let script = script::path_exists(self.root_path(), path);
        Ok(self.run_checked("look for", path, &script).await?.status != script::MISSING)
    }

    pub(super) async fn list_directory(
        &self,
        directory: Option<&VolumePath>,
    ) -> Result<Option<Vec<Entry>>, ExportError> {
        let script = script::list_directory(self.root_path(), directory);
        let output = self.run_script(&script).await?;
        let output = self.check_output_at("list", directory, output)?;
        Ok((output.status != script::MISSING).then(|| parse_listing(&lossy_text(&output.stdout))))
    }

    pub(super) async fn empty_directory(&self, directory: Option<&VolumePath>) -> Result<(), ExportError> {
        let script = script::empty_directory(self.root_path(), directory);
        let output = self.run_removal(&script).await?;
        let output = self.check_output_at("empty", directory, output)?;
        match directory {
            Some(path) if output.status == script::MISSING => Err(missing_error("empty", path)),
            _ => Ok(()),
        }
    }

    /// As [`check_output`] for a directory; if none is named, as [`require_success`] for the root.
    fn check_output_at(
        &self,
        action: &'static str,
        directory: Option<&VolumePath>,
        output: Output,
    ) -> Result<Output, ExportError> {
        match directory {
            Some(path) => check_output(action, path, output),
            None => require_success(action, self.root_path(), output),
        }
    }

    pub(super) async fn create_link(&self, path: &VolumePath, target: &str) -> Result<bool, ExportError> {
        let script = script::create_link(self.root_path(), path, target);
        match self.run_checked("create", path, &script).await?.status {
            script::EXISTS => Ok(false),
            script::MISSING => Err(missing_error("create", path)),
            _ => Ok(true),
        }
    }

    pub(super) async fn read_link(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        let script = script::read_link(self.root_path(), path);
        let output = self.run_checked("read", path, &script).await?;
        let target = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
        Ok((output.status != script::MISSING).then(|| lossy_text(target)))
    }

    pub(super) async fn remove_link_or_file(&self, path: &VolumePath) -> Result<(), ExportError> {
        let script = script::remove_link_or_file(self.root_path(), path);
        self.run_checked("remove", path, &script).await.map(drop)
    }

    pub(super) async fn remove_empty_directory(&self, path: &VolumePath) -> Result<bool, ExportError> {
        let script = script::remove_empty_directory(self.root_path(), path);
        Ok(self.run_checked("remove", path, &script).await?.status != script::EXISTS)
    }

    /// Runs a script about `path`; its output as [`check_output`] gives it.
    async fn run_checked(&self, action: &'static str, path: &VolumePath, script: &str) -> Result<Output, ExportError> {
        check_output(action, path, self.run_script(script).await?)
    }

    /// Waits until one of the [`CONNECTIONS`] is free, then runs a script; one that fails is `Ok`, one without output
    /// for [`SCRIPT_TIMEOUT`] is `Unreachable`. It may run twice if the connection is lost.
    pub(super) async fn run_script(&self, script: &str) -> Result<Output, ExportError> {
        let _permit = self.permits.acquire_for_script().await;
        self.run_permitted(script).await
    }

    /// Waits for one of [`REMOVAL_CONNECTIONS`], then runs a script, twice if a connection is lost; a failure is `Ok`.
    async fn run_removal(&self, script: &str) -> Result<Output, ExportError> {
        let _permit = self.permits.acquire_for_removal().await;
        self.run_permitted(script).await
    }

    /// Runs a script for a caller that has a permit, twice if a connection is lost; one that fails is `Ok`.
    async fn run_permitted(&self, script: &str) -> Result<Output, ExportError> {
        match &*self.shells {
            Shells::Remote(remote) => remote.run_script(script, &self.location).await,
            #[cfg(test)]
            Shells::Local(shell) => Ok(shell.run(script)),
        }
    }
}

impl Remote {
    /// Runs a script, which must be repeatable, on one of the connections, once more on a new one if that is lost. Any
    /// exit status is `Ok`. A second loss, or no output for [`SCRIPT_TIMEOUT`], is `Unreachable` and drops all idle
    /// connections; any other failure is `Refused`.
    async fn run_script(&self, script: &str, location: &Location) -> Result<Output, ExportError> {
        let unreachable = |error: RunError| ExportError::Unreachable {
            location: location.clone(),
            cause: error.to_string(),
        };
        let mut again = true;
        loop {
            let host = self.take_connection(location).await?;
            match host.run_listing(script, SCRIPT_TIMEOUT).await {
                Ok(output) => {
                    self.idle_connections().push(host);
                    return Ok(output);
                }
                // The other connections are as old, and to the same server.
                Err(RunError::Lost { .. }) if again => self.idle_connections().clear(),
                Err(error @ (RunError::Lost { .. } | RunError::Silent { .. })) => {
                    self.idle_connections().clear();
                    return Err(unreachable(error));
                }
                Err(error) => {
                    return Err(ExportError::Refused {
                        location: location.clone(),
                        cause: error.to_string(),
                    });
                }
            }
            again = false;
        }
    }

    /// An idle connection, or a new one, which the caller puts back into `idle`. Callers that waited during a failed
    /// attempt share its error: `Unreachable` if the host can't be reached, else `Refused`.
    async fn take_connection(&self, location: &Location) -> Result<Host, ExportError> {
        if let Some(host) = self.idle_connections().pop() {
            return Ok(host);
        }
        let asked = Instant::now();
        let mut failure = self.failure.lock().await;
        if let Some(host) = self.idle_connections().pop() {
            return Ok(host);
        }
        if let Some((when, error)) = &*failure
            && *when > asked
        {
            return Err(error.clone());
        }
        match Host::connect(&self.target, &self.access).await {
            Ok(host) => Ok(host),
            Err(error) => {
                let (location, cause) = (location.clone(), error.to_string());
                let error = match error {
                    ConnectError::Unreachable { .. } => ExportError::Unreachable { location, cause },
                    _ => ExportError::Refused { location, cause },
                };
                *failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn idle_connections(&self) -> MutexGuard<'_, Vec<Host>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The output if the script succeeded or ended with EXISTS or MISSING, which the caller reads. OBSTACLE is
/// `NotADirectory`; every other status is `Failed`, with the end of standard error as the cause.
fn check_output(action: &'static str, path: &VolumePath, output: Output) -> Result<Output, ExportError> {
    match output.status {
        script::OBSTACLE => Err(obstacle_error(path, path, &output)),
        script::EXISTS | script::MISSING => Ok(output),
        _ => require_success(action, path, output),
    }
}

/// The output if the status is 0; else `Failed`, whose cause is the end of standard error's last line.
fn require_success(action: &'static str, object: impl Display, output: Output) -> Result<Output, ExportError> {
    if output.status == 0 {
        return Ok(output);
    }
    let line = last_error_line(&output);
    // `tool: cannot do it to 'name': Reason`
    let reason = line.rsplit_once(": ").map_or(line.as_str(), |(_, reason)| reason);
    Err(ExportError::failed(action, object, reason))
}

/// The last line of a failed script's standard error, or its exit status if it has none.
fn last_error_line(output: &Output) -> String {
    let said = lossy_text(&output.stderr);
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.map_or_else(|| format!("exit status {}", output.status), str::to_owned)
}

/// The `NotADirectory` for what a script that ended with `OBSTACLE` printed: on which of its two paths, and where.
fn obstacle_error(first: &VolumePath, second: &VolumePath, output: &Output) -> ExportError {
    let said = lossy_text(&output.stdout);
    let words: Vec<_> = said.split_whitespace().collect();
    let path = match words.get(2) {
        Some(&"second") => second,
        _ => first,
    };
    let depth = words.get(1).and_then(|depth| depth.parse().ok()).unwrap_or(usize::MAX);
    let last = path.components().len() - 1;
    ExportError::NotADirectory {
        path: path.components()[..=depth.min(last)].join("/"),
        what: match words.first() {
            Some(&"link") => "a symbolic link",
            _ => "a file",
        },
    }
}

/// Parses the output of [`script::list_directory`]: `/MODE BLOCKS MTIME CTIME ./NAME`. A name may hold line breaks and
/// no slash, so a slash after a line break begins the next entry. What can't be parsed is left out.
fn parse_listing(said: &str) -> Vec<Entry> {
    let said = said.trim_start_matches('\n');
    let said = said.strip_suffix('\n').unwrap_or(said);
    let entry = |line: &str| {
        let mut fields = line.trim_start_matches('/').splitn(5, ' ');
        let mode = u32::from_str_radix(fields.next()?, 16).ok()?;
        let blocks: u64 = fields.next()?.parse().ok()?;
        let (written, changed): (i64, i64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Entry {
            name: fields.next()?.strip_prefix("./")?.to_owned(),
            kind: Kind::from_mode(mode),
            // In blocks of 512 bytes, whatever the file system's own are.
            bytes: blocks.saturating_mul(512),
            changed: written.max(changed),
        })
    };
    said.split("\n/").filter_map(entry).collect()
}

/// `Failed`, since nothing is at the path.
pub(super) fn missing_error(action: &'static str, path: &VolumePath) -> ExportError {
    ExportError::failed(action, path, "No such file or directory")
}

fn lossy_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn removals_leave_a_connection_for_claims() {
        let permits = Permits::new();
        let removals: Vec<_> = (0..CONNECTIONS)
            .map(|_| permits.acquire_for_removal().now_or_never())
            .collect();
        let running = removals.iter().flatten().count();
        assert_eq!(running, REMOVAL_CONNECTIONS);
        assert!(permits.acquire_for_script().now_or_never().is_some());
    }
}
