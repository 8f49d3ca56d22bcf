//! An export on its server, reached over SSH: for exports that let no root in, or only privileged ports.
//!
//! A few connections are kept, each of which does one thing after another; a
//! lost one is made again. What is done there are the scripts of [`script`].

mod script;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Mutex as AsyncMutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use super::{Attributes, Entry, ExportError, Kind, Location, Made, MayContinue, Removed, VolumePath};
use crate::host::{Access, ConnectError, Host, Output, RunError, Target};

/// How many connections there are at most: sshd lets some ten in at once before it begins to drop them.
const CONNECTIONS: usize = 4;

/// How many of them removals may use, so that large directories don't hold claims up.
const REMOVAL_CONNECTIONS: usize = CONNECTIONS - 1;

/// How long a script may be silent. It starts a shell and programs, often through sudo, so it gets more time than a call
/// over NFS.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a removal is asked whether it may go on.
const CHECK: Duration = Duration::from_millis(200);

/// An export reached over SSH on the server itself.
#[derive(Debug)]
pub struct Ssh {
    location: Location,
    shells: Shells,
    permits: Permits,
}

/// Limits how many scripts run at once.
#[derive(Debug)]
struct Permits {
    scripts: Semaphore,
    removals: Semaphore,
}

/// Held while a script runs.
struct Permit<'a> {
    // The semaphores are never closed, so there always is a permit.
    _removal: Option<Result<SemaphorePermit<'a>, AcquireError>>,
    _script: Result<SemaphorePermit<'a>, AcquireError>,
}

impl Permits {
    fn new() -> Self {
        Self {
            scripts: Semaphore::new(CONNECTIONS),
            removals: Semaphore::new(REMOVAL_CONNECTIONS),
        }
    }

    async fn for_script(&self) -> Permit<'_> {
        Permit {
            _removal: None,
            _script: self.scripts.acquire().await,
        }
    }

    async fn for_removal(&self) -> Permit<'_> {
        let removal = self.removals.acquire().await;
        Permit {
            _removal: Some(removal),
            ..self.for_script().await
        }
    }
}

/// What runs the scripts.
#[derive(Debug)]
enum Shells {
    Remote(Box<Remote>),
    /// A shell of this machine: what the scripts do is the same.
    #[cfg(test)]
    Local(super::tests::Shell),
}

/// The connections to a server.
#[derive(Debug)]
struct Remote {
    target: Target,
    access: Access,
    idle: Mutex<Vec<Host>>,
    /// How the last try to connect ended, if it failed. Held while one is under way.
    failure: AsyncMutex<Option<(Instant, ExportError)>>,
}

impl Ssh {
    /// The export that nodes mount from `location`, in the same directory of `target`; nothing is connected yet.
    pub fn new(location: Location, target: Target, access: Access) -> Self {
        Self {
            location,
            shells: Shells::Remote(Box::new(Remote {
                target,
                access,
                idle: Mutex::default(),
                failure: AsyncMutex::default(),
            })),
            permits: Permits::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn local(location: Location, shell: super::tests::Shell) -> Self {
        Self {
            location,
            shells: Shells::Local(shell),
            permits: Permits::new(),
        }
    }

    fn root(&self) -> &str {
        &self.location.path
    }

    pub(super) async fn probe(&self) -> Result<(), ExportError> {
        let output = self.run(&script::probe(self.root())).await?;
        self.done("open", self.root(), output).map(|_| ())
    }

    pub(super) async fn free_bytes(&self) -> Result<u64, ExportError> {
        let action = "ask for the free space of";
        let output = self.run(&script::free(self.root())).await?;
        let said = text(&self.done(action, self.root(), output)?.stdout);
        let numbers: Option<Vec<u64>> = said.split_whitespace().map(|word| word.parse().ok()).collect();
        match numbers.as_deref() {
            Some([blocks, size]) => Ok(blocks.saturating_mul(*size)),
            _ => Err(failed(action, self.root(), format!("stat said {:?}", said.trim()))),
        }
    }

    pub(super) async fn make(&self, path: &VolumePath, wanted: Attributes) -> Result<Made, ExportError> {
        let output = self.run(&script::make(self.root(), path, wanted)).await?;
        let output = self.checked("make directory", path, output)?;
        match text(&output.stdout).trim() {
            "made" => Ok(Made::Created),
            _ => Ok(Made::Existed),
        }
    }

    /// Removes for some seconds at a time, so that no removal keeps a connection from others, and none goes on for long
    /// when it is interrupted.
    pub(super) async fn remove(&self, path: &VolumePath, may_continue: &MayContinue) -> Result<Removed, ExportError> {
        let script = script::remove(self.root(), path);
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
                    _ => return self.checked("remove", path, output).map(|_| Removed::Done),
                }
            }
        };
        tokio::select! {
            biased;
            () = interrupted => Err(ExportError::Interrupted),
            removed = removing => removed,
        }
    }

    pub(super) async fn rename(&self, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
        let output = self.run(&script::rename(self.root(), from, to)).await?;
        match output.status {
            script::OBSTACLE => return Err(obstacle(from, to, &output)),
            script::OTHER_DEVICE => {
                return Err(ExportError::CannotRename {
                    path: from.to_string(),
                    cause: "it is on another file system".to_owned(),
                });
            }
            _ => {}
        }
        let output = self.checked("rename", from, output)?;
        match output.status {
            script::EXISTS => Err(ExportError::Exists(to.to_string())),
            _ => Ok(removed(&output)),
        }
    }

    pub(super) async fn exists(&self, path: &VolumePath) -> Result<bool, ExportError> {
        let output = self.run(&script::exists(self.root(), path)).await?;
        Ok(self.checked("look for", path, output)?.status != script::MISSING)
    }

    pub(super) async fn list(&self, directory: Option<&VolumePath>) -> Result<Option<Vec<Entry>>, ExportError> {
        let output = self.run(&script::list(self.root(), directory)).await?;
        let output = self.checked_at("list", directory, output)?;
        Ok((output.status != script::MISSING).then(|| listed(&text(&output.stdout))))
    }

    pub(super) async fn empty(&self, directory: Option<&VolumePath>) -> Result<(), ExportError> {
        let output = self.run_removal(&script::empty(self.root(), directory)).await?;
        match self.checked_at("empty", directory, output)?.status {
            script::MISSING => Err(failed(
                "empty",
                &self.named(directory),
                "No such file or directory".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// As [`Ssh::checked`], of the root if no directory is named.
    fn checked_at(
        &self,
        action: &'static str,
        directory: Option<&VolumePath>,
        output: Output,
    ) -> Result<Output, ExportError> {
        match directory {
            Some(path) => self.checked(action, path, output),
            None => self.done(action, self.root(), output),
        }
    }

    fn named(&self, directory: Option<&VolumePath>) -> String {
        directory.map_or_else(|| self.root().to_owned(), VolumePath::to_string)
    }

    pub(super) async fn link(&self, path: &VolumePath, target: &str) -> Result<bool, ExportError> {
        let output = self.run(&script::link(self.root(), path, target)).await?;
        match self.checked("mark", path, output)?.status {
            script::EXISTS => Ok(false),
            script::MISSING => Err(missing("mark", path)),
            _ => Ok(true),
        }
    }

    pub(super) async fn read_link(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        let output = self.run(&script::read_link(self.root(), path)).await?;
        let output = self.checked("read", path, output)?;
        let target = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
        Ok((output.status != script::MISSING).then(|| text(target)))
    }

    pub(super) async fn unlink(&self, path: &VolumePath) -> Result<(), ExportError> {
        let output = self.run(&script::unlink(self.root(), path)).await?;
        self.checked("remove", path, output).map(|_| ())
    }

    pub(super) async fn remove_empty(&self, path: &VolumePath) -> Result<bool, ExportError> {
        let output = self.run(&script::remove_empty(self.root(), path)).await?;
        Ok(self.checked("remove", path, output)?.status != script::EXISTS)
    }

    /// What a script came to, if that is not a failure: statuses that mean something are left to the caller, but for
    /// an obstacle, which is one for all.
    fn checked(&self, action: &'static str, path: &VolumePath, output: Output) -> Result<Output, ExportError> {
        match output.status {
            script::OBSTACLE => Err(obstacle(path, path, &output)),
            script::EXISTS | script::MISSING => Ok(output),
            _ => self.done(action, &path.to_string(), output),
        }
    }

    /// The output of a script that did what it should.
    fn done(&self, action: &'static str, object: &str, output: Output) -> Result<Output, ExportError> {
        if output.status == 0 {
            return Ok(output);
        }
        let said = text(&output.stderr);
        // `tool: cannot do it to 'name': Reason`
        let reason = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let reason = reason.map(|line| line.rsplit_once(": ").map_or(line, |(_, reason)| reason));
        let reason = reason.map_or_else(|| format!("exit status {}", output.status), str::to_owned);
        Err(failed(action, object, reason))
    }

    async fn run(&self, script: &str) -> Result<Output, ExportError> {
        let _permit = self.permits.for_script().await;
        self.run_permitted(script).await
    }

    /// Runs a script that removes a directory tree.
    async fn run_removal(&self, script: &str) -> Result<Output, ExportError> {
        let _permit = self.permits.for_removal().await;
        self.run_permitted(script).await
    }

    async fn run_permitted(&self, script: &str) -> Result<Output, ExportError> {
        match &self.shells {
            Shells::Remote(remote) => remote.run(script, &self.location).await,
            #[cfg(test)]
            Shells::Local(shell) => Ok(shell.run(script)),
        }
    }
}

impl Remote {
    /// Runs a script on one of the connections, once more on a new one if the old one turns out to be lost.
    ///
    /// Everything done here may be repeated: making what exists and removing what is gone are successes.
    async fn run(&self, script: &str, location: &Location) -> Result<Output, ExportError> {
        let unreachable = |error: RunError| ExportError::Unreachable {
            location: location.clone(),
            cause: error.to_string(),
        };
        let mut again = true;
        loop {
            let host = self.connection(location).await?;
            match host.run(script, SCRIPT_TIMEOUT).await {
                Ok(output) => {
                    self.idle().push(host);
                    return Ok(output);
                }
                // The others have the same age and the same server.
                Err(RunError::Lost { .. }) if again => self.idle().clear(),
                Err(error @ (RunError::Lost { .. } | RunError::Silent { .. })) => {
                    self.idle().clear();
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

    /// An idle connection, or a new one. Callers that waited for the same failed try share its error.
    async fn connection(&self, location: &Location) -> Result<Host, ExportError> {
        if let Some(host) = self.idle().pop() {
            return Ok(host);
        }
        let asked = Instant::now();
        let mut failure = self.failure.lock().await;
        if let Some(host) = self.idle().pop() {
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

    fn idle(&self) -> MutexGuard<'_, Vec<Host>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a script found in the way, on the way to the first or the second path.
fn obstacle(first: &VolumePath, second: &VolumePath, output: &Output) -> ExportError {
    let said = text(&output.stdout);
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

/// The entries that [`script::list`] tells of: `/MODE BLOCKS MTIME CTIME ./NAME`. A name may hold line breaks and no
/// slash, so a slash after a line break begins the next entry.
fn listed(said: &str) -> Vec<Entry> {
    let said = said.trim_start_matches('\n');
    let said = said.strip_suffix('\n').unwrap_or(said);
    let entry = |line: &str| {
        let mut fields = line.trim_start_matches('/').splitn(5, ' ');
        let mode = u32::from_str_radix(fields.next()?, 16).ok()?;
        let blocks: u64 = fields.next()?.parse().ok()?;
        let (written, changed): (i64, i64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Entry {
            name: fields.next()?.strip_prefix("./")?.to_owned(),
            // The bits of `st_mode` that say what it is, the same on all systems.
            kind: match mode & 0o170_000 {
                0o040_000 => Kind::Directory,
                0o120_000 => Kind::Link,
                _ => Kind::Other,
            },
            // In blocks of 512 bytes, whatever the file system's own are.
            bytes: blocks.saturating_mul(512),
            changed: written.max(changed),
        })
    };
    said.split("\n/").filter_map(entry).collect()
}

fn removed(output: &Output) -> Removed {
    match output.status {
        script::MISSING => Removed::AlreadyGone,
        _ => Removed::Done,
    }
}

fn missing(action: &'static str, path: &VolumePath) -> ExportError {
    failed(action, &path.to_string(), "No such file or directory".to_owned())
}

fn failed(action: &'static str, object: &str, cause: String) -> ExportError {
    ExportError::Failed {
        action,
        path: object.to_owned(),
        cause,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn removals_leave_a_connection_for_claims() {
        let permits = Permits::new();
        let removals: Vec<_> = (0..CONNECTIONS).map(|_| permits.for_removal().now_or_never()).collect();
        let running = removals.iter().flatten().count();
        assert_eq!(running, REMOVAL_CONNECTIONS);
        assert!(permits.for_script().now_or_never().is_some());
    }
}
