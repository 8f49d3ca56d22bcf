//! The backend that speaks NFS itself: without a mount, without root.
//!
//! One connection carries many calls at once. Paths are looked up one component at a time, so the server never
//! interprets a path and no symbolic link is followed. The methods keep the contracts of those of
//! [`Export`](super::Export).

mod candidates;
mod connection;
#[cfg(test)]
pub(crate) mod double;
mod errors;
mod files;
mod limits;
mod options;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use nfs_rs::{Nfs3MountErrorCode, Nfs4ErrorCode, NfsError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

pub use self::candidates::list_exports;
use self::candidates::{HEAD_START, find_similar_export, first_success, sort_by_family, url_host};
use self::connection::{CallError, Connection, with_timeout};
use self::errors::{
    ErrorClass, describe_refusal, innermost_error, is_session_lost, is_stale, lacks_privileged_port, timeout_error,
};
pub(crate) use self::options::MountOptions;
use super::{Attributes, CALL_TIMEOUT, Entry, ExportError, Location, Removed, Ssh, VolumePath, name_or_root};

/// Number of sessions on which an operation is tried. A server with Linux 6.14 or later raises the limit of a session
/// that is used much; nfs-rs then gives the session up after 64 calls, which all callers share.
const MAX_SESSIONS: u8 = 16;

/// Operations at once on sessions that are lost so soon; with more, each makes its first calls, and none its last.
const MAX_CONCURRENT: usize = 4;

const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// An export reached over NFS, with the mount options of one class. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Wire {
    location: Location,
    options: MountOptions,
    purpose: Purpose,
    connections: Arc<Connections>,
    /// Sets limits on the server, which NFS can't.
    quota_shell: Option<Ssh>,
}

/// What a connection is for. Each purpose has its own, so that many calls for one can't use up the sessions of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    #[default]
    Claims,
    Removals,
    Records,
}

#[derive(Debug, Default)]
struct Connections {
    slots: SyncMutex<BTreeMap<(MountOptions, Purpose), Arc<Slot>>>,
    /// For tests: used instead of new connections, the last first.
    #[cfg(test)]
    doubles: SyncMutex<Vec<Connection>>,
}

/// One connection, and the order in which operations use it.
#[derive(Debug)]
struct Slot {
    state: Mutex<SlotState>,
    permits: Semaphore,
    /// Whether the client library gave a session up, so that operations need permits.
    loses_sessions: AtomicBool,
}

/// The connection, or the last failed attempt to open it.
#[derive(Debug, Default)]
struct SlotState {
    connection: Option<Arc<Connection>>,
    failure: Option<(Instant, ExportError)>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            permits: Semaphore::new(MAX_CONCURRENT),
            loses_sessions: AtomicBool::default(),
        }
    }
}

impl Slot {
    /// Waits for a permit if operations have to be limited; else `None`. Removals go on from where they were, and need
    /// none.
    async fn acquire_permit_if_limited(&self, purpose: Purpose) -> Option<SemaphorePermit<'_>> {
        match purpose != Purpose::Removals && self.loses_sessions.load(Ordering::Relaxed) {
            // Never an error: the semaphore is never closed.
            true => self.permits.acquire().await.ok(),
            false => None,
        }
    }

    /// Drops `dead`, unless another connection has replaced it already.
    async fn drop_connection(&self, dead: &Arc<Connection>) {
        let mut state = self.state.lock().await;
        if state
            .connection
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, dead))
        {
            state.connection = None;
        }
    }
}

impl Wire {
    /// The export at `location`. Connects on first use.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            options: MountOptions::default(),
            purpose: Purpose::default(),
            connections: Arc::default(),
            quota_shell: None,
        }
    }

    /// An export whose connections are these, the last first; once they are used up, it connects for real.
    #[cfg(test)]
    pub(crate) fn with_connections(doubles: Vec<Connection>, location: Location) -> Self {
        let wire = Self::new(location);
        *wire.doubles() = doubles;
        wire
    }

    #[cfg(test)]
    fn doubles(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.connections.doubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same export, whose server is reached as nodes do that mount with these options.
    pub(super) fn with_mount_options(&self, options: &[String]) -> Self {
        Self {
            options: MountOptions::parse(options),
            ..self.clone()
        }
    }

    /// The same export, reached over the connection for this purpose.
    fn with_purpose(&self, purpose: Purpose) -> Self {
        Self {
            purpose,
            ..self.clone()
        }
    }

    /// The slot for the options and the purpose, added if it is missing.
    fn slot(&self) -> Arc<Slot> {
        let mut slots = self.connections.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry((self.options.clone(), self.purpose)).or_default().clone()
    }

    /// The versions and port parameters to try, in order. Without mount options, those of the classes come first: the
    /// server may have no others.
    fn mount_candidates(&self) -> Vec<(&'static str, String)> {
        let mut options = vec![self.options.clone()];
        if self.options == MountOptions::default() {
            let slots = self.connections.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let known: BTreeSet<_> = slots.keys().map(|(options, _)| options).collect();
            options.splice(0..0, known.into_iter().filter(|known| **known != self.options).cloned());
        }
        let candidates = options.iter().flat_map(|options| {
            let ports = options.port_parameters();
            options
                .versions_to_try()
                .into_iter()
                .map(move |version| (version, ports.clone()))
        });
        candidates.collect()
    }

    pub(super) async fn probe_root(&self) -> Result<(), ExportError> {
        self.run_with_retry("read", "its root", |connection| {
            async move {
                with_timeout(connection.mount.getattr(connection.root.clone())).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    pub(super) async fn free_bytes(&self) -> Result<u64, ExportError> {
        self.run_with_retry("ask for the free space of", "the root", |connection| {
            async move { Ok(with_timeout(connection.mount.fsstat()).await?.abytes) }.boxed()
        })
        .await
    }

    pub(super) async fn create_directory(&self, path: &VolumePath, wanted: Attributes) -> Result<(), ExportError> {
        self.run_with_retry("make directory", &path.to_string(), |connection| {
            connection.create_directory(path, wanted).boxed()
        })
        .await
    }

    /// `AlreadyGone` if `from` doesn't exist, else `Exists` if `to` does. Not retried: after `Unreachable`, it may be
    /// done.
    pub(super) async fn rename_directory(&self, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
        self.run_once("rename", &from.to_string(), |connection| {
            connection.rename_directory(from, to).boxed()
        })
        .await
    }

    pub(super) async fn path_exists(&self, path: &VolumePath) -> Result<bool, ExportError> {
        self.run_with_retry("look for", &path.to_string(), |connection| {
            async move { Ok(connection.find_entry(path).await?.is_some()) }.boxed()
        })
        .await
    }

    pub(super) async fn list_directory(
        &self,
        directory: Option<&VolumePath>,
    ) -> Result<Option<Vec<Entry>>, ExportError> {
        self.run_with_retry("list", &name_or_root(directory), |connection| {
            connection.list_directory(directory).boxed()
        })
        .await
    }

    pub(super) async fn empty_directory(&self, directory: Option<&VolumePath>) -> Result<(), ExportError> {
        self.run_with_retry("empty", &name_or_root(directory), |connection| {
            connection.empty_directory(directory).boxed()
        })
        .await
    }

    pub(super) async fn create_link(&self, path: &VolumePath, target: &str) -> Result<bool, ExportError> {
        let target = target.to_owned();
        self.run_with_retry("create", &path.to_string(), |connection| {
            let target = target.clone();
            async move { connection.create_link(path, &target).await }.boxed()
        })
        .await
    }

    pub(super) async fn read_link(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        self.run_with_retry("read", &path.to_string(), |connection| {
            connection.read_link(path).boxed()
        })
        .await
    }

    pub(super) async fn remove_link_or_file(&self, path: &VolumePath) -> Result<(), ExportError> {
        self.run_with_retry("remove", &path.to_string(), |connection| {
            connection.remove_link_or_file(path).boxed()
        })
        .await
    }

    pub(super) async fn remove_empty_directory(&self, path: &VolumePath) -> Result<bool, ExportError> {
        self.run_with_retry("remove", &path.to_string(), |connection| {
            connection.remove_empty_directory(path).boxed()
        })
        .await
    }

    /// Runs `work` on the connection, and once more on a new one if the first is lost, or on up to [`MAX_SESSIONS`] if
    /// sessions are lost. `work` must be repeatable.
    async fn run_with_retry<'a, T>(
        &self,
        action: &'static str,
        object: &str,
        work: impl Fn(Arc<Connection>) -> BoxFuture<'a, Result<T, CallError>>,
    ) -> Result<T, ExportError> {
        self.run_up_to(2, action, object, work).await
    }

    /// Runs `work` once, on a connection that was probed before: a name must not be looked up again, because it may be
    /// that of another directory by then.
    async fn run_once<'a, T>(
        &self,
        action: &'static str,
        object: &str,
        work: impl Fn(Arc<Connection>) -> BoxFuture<'a, Result<T, CallError>>,
    ) -> Result<T, ExportError> {
        self.probe_root().await?;
        self.run_up_to(1, action, object, work).await
    }

    /// Runs `work` on up to `attempts` connections; on up to [`MAX_SESSIONS`] if sessions are lost and `attempts` is
    /// more than 1. A connection that is lost, or gives no readable answer, is dropped. `Unreachable` means that the
    /// last connection was lost or didn't answer in time, so `work` may have taken effect; `Failed` is a refusal, or an
    /// answer that can't be read, after which it may have, too. An `ExportError` of `work` is returned as it is.
    async fn run_up_to<'a, T>(
        &self,
        attempts: u8,
        action: &'static str,
        object: &str,
        work: impl Fn(Arc<Connection>) -> BoxFuture<'a, Result<T, CallError>>,
    ) -> Result<T, ExportError> {
        let slot = self.slot();
        let mut permit = slot.acquire_permit_if_limited(self.purpose).await;
        let mut attempt = 1;
        loop {
            let connection = self.reuse_or_open_connection(&slot).await?;
            let (action, error) = match work(connection.clone()).await {
                Ok(done) => return Ok(done),
                Err(CallError::Export(error)) => return Err(error),
                Err(CallError::Nfs(error)) => (action, error),
                Err(CallError::Attributes(error)) => ("set owner and mode of", error),
            };
            let class = ErrorClass::classify(&error);
            if class != ErrorClass::Answered {
                slot.drop_connection(&connection).await;
            }
            let max_attempts = match attempts {
                2.. if is_session_lost(&error) => MAX_SESSIONS,
                attempts => attempts,
            };
            if is_session_lost(&error) && permit.is_none() {
                slot.loses_sessions.store(true, Ordering::Relaxed);
                permit = slot.acquire_permit_if_limited(self.purpose).await;
            }
            match class {
                ErrorClass::ConnectionLost if attempt < max_attempts => attempt += 1,
                ErrorClass::ConnectionLost | ErrorClass::NoAnswer if !is_stale(&error) => {
                    return Err(self.unreachable_error(&error));
                }
                _ => return Err(ExportError::failed(action, object, describe_refusal(&error))),
            }
        }
    }

    /// The connection, or a new one, for which all callers wait [`CALL_TIMEOUT`] at most. Those that waited during a
    /// failed attempt share its error.
    async fn reuse_or_open_connection(&self, slot: &Slot) -> Result<Arc<Connection>, ExportError> {
        let asked = Instant::now();
        let mut slot = slot.state.lock().await;
        if let Some(connection) = &slot.connection {
            return Ok(connection.clone());
        }
        if let Some((when, error)) = &slot.failure
            && *when > asked
        {
            return Err(error.clone());
        }
        match timeout(CALL_TIMEOUT, self.connect_and_mount()).await {
            Ok(Ok(connection)) => {
                let connection = Arc::new(connection);
                slot.connection = Some(connection.clone());
                Ok(connection)
            }
            failed => {
                let error = match failed {
                    Ok(Err(error)) => error,
                    _ => self.unreachable_error(&timeout_error()),
                };
                slot.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Resolves the server and tries each address with each permitted version; the first that mounts the export wins.
    ///
    /// # Errors
    /// `Unresolved` without an address; else the first refusal, `Missing` or `Refused`, with a similar export that the
    /// server has; else the first failure, as `Unreachable`. `Refused`, too, if the mount options permit no version.
    async fn connect_and_mount(&self) -> Result<Connection, ExportError> {
        let server = &self.location.server;
        let unresolved = |cause: String| ExportError::Unresolved {
            server: server.clone(),
            cause,
        };
        #[cfg(test)]
        if let Some(double) = self.doubles().pop() {
            return Ok(double);
        }
        // Resolved here, because the library would do so with a blocking call.
        let found = tokio::net::lookup_host((server.as_str(), 0)).await;
        let addresses = sort_by_family(found.map_err(|error| unresolved(error.to_string()))?);
        if addresses.is_empty() {
            return Err(unresolved("the name has no address".to_owned()));
        }
        let candidates = self.mount_candidates();
        let candidates: Vec<_> = candidates.iter().collect();
        let answer = first_success(&addresses, |address| {
            first_success(&candidates, move |(version, ports)| {
                self.mount_version(url_host(address), version, ports)
            })
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
                    hint: self.similar_export_hint(addresses[0]).await,
                }
            }
            NfsError::Mount(_) | NfsError::Nfs3(_) | NfsError::Nfs4(_) => ExportError::Refused {
                location: self.location.clone(),
                cause: describe_refusal(&error) + &self.similar_export_hint(addresses[0]).await,
            },
            NfsError::Unsupported(cause) => ExportError::Refused {
                location: self.location.clone(),
                cause,
            },
            error => self.unreachable_error(&error),
        })
    }

    /// The end of a message: an exported path that may be meant, since one of the two paths ends with the other. Empty
    /// if there is none, or no answer within [`HEAD_START`].
    async fn similar_export_hint(&self, address: IpAddr) -> String {
        let exported = timeout(HEAD_START, list_exports(&address.to_string())).await;
        let exported = exported.unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_default();
        match find_similar_export(&self.location.path, &exported) {
            Some(other) => format!("; {other} is exported"),
            None => String::new(),
        }
    }

    /// Connects over one version of NFS as uid 0; whether that is root is up to the export's squashing. Without the
    /// right to a privileged source port, uses another one.
    async fn mount_version(&self, url_host: String, version: &str, port_options: &str) -> Result<Connection, NfsError> {
        let path = utf8_percent_encode(&self.location.path, PATH);
        let url = format!("nfs://{url_host}{path}?version={version}&uid=0&gid=0{port_options}");
        let mount = match nfs_rs::parse_url_and_mount(&url).await {
            // Only root and CAP_NET_BIND_SERVICE get a privileged source port; exports with `insecure` need none.
            Err(error) if lacks_privileged_port(&error) => {
                nfs_rs::parse_url_and_mount(&format!("{url}&noresvport=true")).await?
            }
            mounted => mounted?,
        };
        let root = mount.lookup_path("/").await?.fh;
        Ok(Connection { mount, root })
    }

    fn unreachable_error(&self, error: &NfsError) -> ExportError {
        ExportError::Unreachable {
            location: self.location.clone(),
            cause: innermost_error(error).to_string(),
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
