//! An export over the NFS protocol, spoken from this process: no mount, no root here.
//!
//! One connection carries many calls at once. File handles are walked one
//! component at a time, so the server never sees a path to interpret and no
//! symbolic link is ever followed.

mod connection;
#[cfg(test)]
pub(crate) mod double;
mod errors;
mod options;
mod tree;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use nfs_rs::{Nfs3MountErrorCode, Nfs4ErrorCode, NfsError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use self::connection::{Connection, Trouble, bounded};
use self::errors::{Fate, is_session_lost, is_stale, lacks_privileged_port, plain, refusal, silence};
pub(crate) use self::options::MountOptions;
use super::{Attributes, CALL_TIMEOUT, Entry, ExportError, Location, Made, MayContinue, Removed, VolumePath, named};

/// Over how many sessions a call is tried. A server with Linux 6.14 or later raises the limit of a session that is used
/// much; nfs-rs then gives the session up after 64 calls, which all callers share.
const SESSIONS: u8 = 16;

/// How long an address, or a version of NFS, goes without an answer before the next is tried beside it.
const HEAD_START: Duration = Duration::from_secs(2);

/// Everything but what an URL path may hold unquoted.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// An export reached over NFS.
#[derive(Debug)]
pub struct Wire {
    location: Location,
    slot: Mutex<Slot>,
    options: SyncMutex<MountOptions>,
    /// Used instead of new connections, the last first.
    #[cfg(test)]
    doubles: SyncMutex<Vec<Connection>>,
}

/// The one connection, or how the last try to make it ended.
#[derive(Debug, Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    failure: Option<(Instant, ExportError)>,
}

impl Wire {
    /// The export at `location`; nothing is connected yet.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            slot: Mutex::default(),
            options: SyncMutex::default(),
            #[cfg(test)]
            doubles: SyncMutex::default(),
        }
    }

    /// An export whose connections are these, the last first.
    #[cfg(test)]
    pub(crate) fn over(doubles: Vec<Connection>, location: Location) -> Self {
        Self {
            doubles: SyncMutex::new(doubles),
            ..Self::new(location)
        }
    }

    /// Reaches the server as nodes do that mount with these options. Options that name neither version nor port change
    /// nothing.
    pub(super) async fn use_mount_options(&self, options: &[String]) {
        let wanted = MountOptions::parse(options);
        if wanted == MountOptions::default() || wanted == self.options() {
            return;
        }
        let mut slot = self.slot.lock().await;
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        *slot = Slot::default();
    }

    fn options(&self) -> MountOptions {
        self.options.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn probe(&self) -> Result<(), ExportError> {
        self.attempt("read", "its root", |connection| {
            async move {
                bounded(connection.mount.getattr(connection.root.clone())).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    pub(super) async fn free_bytes(&self) -> Result<u64, ExportError> {
        self.attempt("ask for the free space of", "the root", |connection| {
            async move { Ok(bounded(connection.mount.fsstat()).await?.abytes) }.boxed()
        })
        .await
    }

    pub(super) async fn make(&self, path: &VolumePath, wanted: Attributes) -> Result<Made, ExportError> {
        self.attempt("make directory", &path.to_string(), |connection| {
            connection.make(path, wanted).boxed()
        })
        .await
    }

    /// Removes a directory and all in it. The path is looked up once; a removal that made progress when its connection was
    /// lost goes on with the same handles on a new one.
    pub(super) async fn remove(&self, path: &VolumePath, may_continue: &MayContinue) -> Result<Removed, ExportError> {
        let object = path.to_string();
        let find = |connection: Arc<Connection>| connection.find_directory(path).boxed();
        let Some(directory) = self.attempt("remove", &object, find).await? else {
            return Ok(Removed::AlreadyGone);
        };
        let removed = AtomicU64::new(0);
        loop {
            let before = removed.load(Ordering::Relaxed);
            let remove =
                |connection: Arc<Connection>| connection.remove_found(&directory, may_continue, &removed).boxed();
            match self.attempt_up_to(1, "remove", &object, remove).await {
                Err(ExportError::Unreachable { .. }) if removed.load(Ordering::Relaxed) > before => {
                    if !may_continue() {
                        return Err(ExportError::Interrupted);
                    }
                }
                ended => return ended.map(|()| Removed::Done),
            }
        }
    }

    pub(super) async fn rename(&self, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
        self.attempt_once("rename", &from.to_string(), |connection| {
            connection.rename(from, to).boxed()
        })
        .await
    }

    pub(super) async fn exists(&self, path: &VolumePath) -> Result<bool, ExportError> {
        self.attempt("look for", &path.to_string(), |connection| {
            async move { Ok(connection.entry(path).await?.is_some()) }.boxed()
        })
        .await
    }

    pub(super) async fn list(&self, directory: Option<&VolumePath>) -> Result<Option<Vec<Entry>>, ExportError> {
        self.attempt("list", &named(directory), |connection| {
            connection.list(directory).boxed()
        })
        .await
    }

    pub(super) async fn empty(&self, directory: Option<&VolumePath>) -> Result<(), ExportError> {
        self.attempt("empty", &named(directory), |connection| {
            connection.empty_at(directory).boxed()
        })
        .await
    }

    pub(super) async fn link(&self, path: &VolumePath, target: &str) -> Result<bool, ExportError> {
        let target = target.to_owned();
        self.attempt("mark", &path.to_string(), |connection| {
            let target = target.clone();
            async move { connection.link(path, &target).await }.boxed()
        })
        .await
    }

    pub(super) async fn read_link(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        self.attempt("read", &path.to_string(), |connection| {
            connection.read_link(path).boxed()
        })
        .await
    }

    pub(super) async fn unlink(&self, path: &VolumePath) -> Result<(), ExportError> {
        self.attempt("remove", &path.to_string(), |connection| {
            connection.unlink(path).boxed()
        })
        .await
    }

    pub(super) async fn remove_empty(&self, path: &VolumePath) -> Result<bool, ExportError> {
        self.attempt("remove", &path.to_string(), |connection| {
            connection.remove_empty(path).boxed()
        })
        .await
    }

    /// Runs `work` on the connection, once more on a new one if the old one turns out to be dead, and over up to
    /// [`SESSIONS`] if sessions are lost.
    ///
    /// Everything done here may be repeated: making what exists and removing what is gone are successes.
    async fn attempt<'a, T>(
        &self,
        action: &'static str,
        object: &str,
        work: impl Fn(Arc<Connection>) -> BoxFuture<'a, Result<T, Trouble>>,
    ) -> Result<T, ExportError> {
        self.attempt_up_to(2, action, object, work).await
    }

    /// Runs `work` once, on a connection that answers: what was looked up by name must not be looked up once more, since
    /// the name may be that of another directory by then.
    async fn attempt_once<'a, T>(
        &self,
        action: &'static str,
        object: &str,
        work: impl Fn(Arc<Connection>) -> BoxFuture<'a, Result<T, Trouble>>,
    ) -> Result<T, ExportError> {
        self.probe().await?;
        self.attempt_up_to(1, action, object, work).await
    }

    async fn attempt_up_to<'a, T>(
        &self,
        attempts: u8,
        action: &'static str,
        object: &str,
        work: impl Fn(Arc<Connection>) -> BoxFuture<'a, Result<T, Trouble>>,
    ) -> Result<T, ExportError> {
        let mut attempt = 1;
        loop {
            let connection = self.connection().await?;
            let (action, error) = match work(connection.clone()).await {
                Ok(done) => return Ok(done),
                Err(Trouble::Export(error)) => return Err(error),
                Err(Trouble::Call(error)) => (action, error),
                Err(Trouble::Attributes(error)) => ("set owner and mode of", error),
            };
            let fate = Fate::of(&error);
            if fate != Fate::Answered {
                self.forget(&connection).await;
            }
            let allowed = match attempts {
                2.. if is_session_lost(&error) => SESSIONS,
                attempts => attempts,
            };
            match fate {
                Fate::Lost if attempt < allowed => attempt += 1,
                Fate::Lost if is_stale(&error) => return Err(self.failed(action, object, &error)),
                Fate::Answered | Fate::Garbled => return Err(self.failed(action, object, &error)),
                Fate::Lost | Fate::Silent => return Err(self.unreachable(&error)),
            }
        }
    }

    /// The live connection, or a new one. Callers that waited for the same failed try share its error.
    async fn connection(&self) -> Result<Arc<Connection>, ExportError> {
        let asked = Instant::now();
        let mut slot = self.slot.lock().await;
        if let Some(connection) = &slot.connection {
            return Ok(connection.clone());
        }
        if let Some((when, error)) = &slot.failure
            && *when > asked
        {
            return Err(error.clone());
        }
        match timeout(CALL_TIMEOUT, self.connect()).await {
            Ok(Ok(connection)) => {
                let connection = Arc::new(connection);
                slot.connection = Some(connection.clone());
                Ok(connection)
            }
            failed => {
                let error = match failed {
                    Ok(Err(error)) => error,
                    _ => self.unreachable(&silence()),
                };
                slot.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn forget(&self, dead: &Arc<Connection>) {
        let mut slot = self.slot.lock().await;
        if slot
            .connection
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, dead))
        {
            slot.connection = None;
        }
    }

    async fn connect(&self) -> Result<Connection, ExportError> {
        let server = &self.location.server;
        let unresolved = |cause: String| ExportError::Unresolved {
            server: server.clone(),
            cause,
        };
        #[cfg(test)]
        if let Some(double) = self.doubles.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(double);
        }
        // The library resolves names with a blocking call, so it is given addresses.
        let found = tokio::net::lookup_host((server.as_str(), 0)).await;
        let addresses = by_family(found.map_err(|error| unresolved(error.to_string()))?);
        if addresses.is_empty() {
            return Err(unresolved("the name has no address".to_owned()));
        }
        let options = self.options();
        let (versions, ports) = (&options.versions(), &options.ports());
        let answer = first_answer(&addresses, |address| {
            first_answer(versions, move |version| self.mount(host_of(address), version, ports))
        });
        let error = match answer.await {
            Ok(connection) => return Ok(connection),
            Err(Some(error)) => error,
            Err(None) => NfsError::Unsupported("the class's mount options name no version of NFS from 3 to 4.2".into()),
        };
        Err(match error {
            NfsError::Mount(Nfs3MountErrorCode::MNT3ERR_NOENT) | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_NOENT) => {
                ExportError::Missing {
                    location: self.location.clone(),
                    hint: self.similar_export(addresses[0]).await,
                }
            }
            NfsError::Mount(_) | NfsError::Nfs3(_) | NfsError::Nfs4(_) => ExportError::Refused {
                location: self.location.clone(),
                cause: refusal(&error) + &self.similar_export(addresses[0]).await,
            },
            NfsError::Unsupported(cause) => ExportError::Refused {
                location: self.location.clone(),
                cause,
            },
            error => self.unreachable(&error),
        })
    }

    /// The end of a message: an exported path that may be meant, because one of the two paths ends with the other.
    async fn similar_export(&self, address: IpAddr) -> String {
        let exported = timeout(HEAD_START, exported_by(&address.to_string())).await;
        let exported = exported.unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_default();
        match similar_export(&self.location.path, &exported) {
            Some(other) => format!("; {other} is exported"),
            None => String::new(),
        }
    }

    /// Mounts as root's uid: who may be root is decided by the export's squashing, not here.
    async fn mount(&self, host: String, version: &str, ports: &str) -> Result<Connection, NfsError> {
        let path = utf8_percent_encode(&self.location.path, PATH);
        let url = format!("nfs://{host}{path}?version={version}&uid=0&gid=0{ports}");
        let mount = match nfs_rs::parse_url_and_mount(&url).await {
            // Without root or CAP_NET_BIND_SERVICE there is no privileged source port; an
            // export with the option `insecure` does without.
            Err(error) if lacks_privileged_port(&error) => {
                nfs_rs::parse_url_and_mount(&format!("{url}&noresvport=true")).await?
            }
            mounted => mounted?,
        };
        let root = mount.lookup_path("/").await?.fh;
        Ok(Connection { mount, root })
    }

    fn unreachable(&self, error: &NfsError) -> ExportError {
        ExportError::Unreachable {
            location: self.location.clone(),
            cause: plain(error).to_string(),
        }
    }

    fn failed(&self, action: &'static str, object: &str, error: &NfsError) -> ExportError {
        ExportError::Failed {
            action,
            path: object.to_owned(),
            cause: refusal(error),
        }
    }
}

/// Tries all candidates, the addresses of a server or the versions of NFS, until one succeeds. Each goes first for
/// [`HEAD_START`]; a slow answer is waited for beside the others. The caller limits the time that all of them take.
///
/// A refusal of one is no refusal of all: NFSv3 may know no path that NFSv4 knows under its own root, or admit nobody.
///
/// # Errors
/// That of the first candidate that the server refused, or else of the first that failed; none without candidates.
async fn first_answer<C: Copy, T, E, F>(candidates: &[C], attempt: impl Fn(C) -> F) -> Result<T, Option<NfsError>>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Option<NfsError>>,
{
    let mut attempts = FuturesUnordered::new();
    let mut first: Option<NfsError> = None;
    for (number, candidate) in candidates.iter().enumerate() {
        attempts.push(attempt(*candidate));
        let is_last = number + 1 == candidates.len();
        let head_start = if is_last { Duration::MAX } else { HEAD_START };
        while let Ok(Some(answer)) = timeout(head_start, attempts.next()).await {
            let error: Option<NfsError> = match answer {
                Ok(done) => return Ok(done),
                Err(error) => error.into(),
            };
            let is_answer = |error: &NfsError| Fate::of(error) == Fate::Answered;
            match (&first, error) {
                (Some(known), Some(error)) if !is_answer(known) && is_answer(&error) => first = Some(error),
                (None, error) => first = error,
                _ => {}
            }
        }
    }
    Err(first)
}

/// The addresses in the order they are tried: IPv4 first.
fn by_family(found: impl Iterator<Item = SocketAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

/// An address as part of a URL.
fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    }
}

/// An exported path of which `path` may be another name: the one ends with the components of the other.
fn similar_export<'a>(path: &str, exported: &'a [String]) -> Option<&'a String> {
    let ends_with = |long: &str, short: &str| short.len() > 1 && long.len() > short.len() && long.ends_with(short);
    let path = path.trim_end_matches('/');
    exported
        .iter()
        .find(|other| ends_with(other.trim_end_matches('/'), path) || ends_with(path, other.trim_end_matches('/')))
}

/// The directories that a server says it exports; asks mountd, which servers of NFS 4 alone have not.
///
/// # Errors
/// The words of what failed, within [`CALL_TIMEOUT`].
pub async fn exported_by(server: &str) -> Result<Vec<String>, String> {
    let url = match server.contains(':') {
        true => format!("nfs://[{server}]/."),
        false => format!("nfs://{server}/."),
    };
    match timeout(CALL_TIMEOUT, nfs_rs::list_exports(&url)).await {
        Ok(Ok(exports)) => Ok(exports.into_iter().map(|export| export.path).collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(silence().to_string()),
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
