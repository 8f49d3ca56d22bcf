//! An export over the NFS protocol, spoken from this process: no mount, no root here.
//!
//! One connection carries many calls at once. File handles are walked one
//! component at a time, so the server never sees a path to interpret and no
//! symbolic link is ever followed.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt, stream};
use nfs_rs::{Mount, Nfs3ErrorCode, Nfs3MountErrorCode, Nfs4ErrorCode, NfsError, ObjRes};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{CALL_TIMEOUT, ExportError, Location, Made, Removed, VolumePath};

/// NFS versions in the order they are tried. NFSv3 needs no state on the server and is the
/// fastest; NFSv4.0 is for servers that offer nothing older. NFSv4.1 is left out: the client
/// library loses its session against kernels that grow their slot table.
const VERSIONS: [&str; 2] = ["3", "4.0"];

/// `ftype3` of a directory and of a symbolic link (RFC 1813); NFSv4 numbers them alike.
const TYPE_DIRECTORY: u32 = 2;
const TYPE_LINK: u32 = 5;

/// How many entries of one directory are removed at a time.
const REMOVALS: usize = 16;

/// Everything but what an URL path may hold unquoted.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

type Handle = bytes::Bytes;

/// An export reached over NFS.
#[derive(Debug)]
pub struct Wire {
    location: Location,
    slot: Mutex<Slot>,
}

/// The one connection, or how the last try to make it ended.
#[derive(Debug, Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    failure: Option<(Instant, ExportError)>,
}

#[derive(Debug)]
struct Connection {
    mount: Box<dyn Mount>,
    root: Handle,
}

/// Why a piece of work on the export ended early.
enum Trouble {
    Call(NfsError),
    Export(ExportError),
}

impl From<NfsError> for Trouble {
    fn from(error: NfsError) -> Self {
        Self::Call(error)
    }
}

impl From<ExportError> for Trouble {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

impl Wire {
    /// The export at `location`; nothing is connected yet.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            slot: Mutex::default(),
        }
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

    pub(super) async fn make(&self, path: &VolumePath, mode: u32) -> Result<Made, ExportError> {
        self.attempt("make directory", &path.to_string(), |connection| {
            connection.make(path, mode).boxed()
        })
        .await
    }

    pub(super) async fn remove(&self, path: &VolumePath) -> Result<Removed, ExportError> {
        self.attempt("remove", &path.to_string(), |connection| {
            connection.remove(path).boxed()
        })
        .await
    }

    pub(super) async fn rename(&self, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
        self.attempt("archive", &from.to_string(), |connection| {
            connection.rename(from, to).boxed()
        })
        .await
    }

    /// Runs `work` on the connection, once more on a new one if the old one turns out to be dead.
    ///
    /// Everything done here may be repeated: making what exists and removing what is gone are successes.
    async fn attempt<'a, T>(
        &self,
        action: &'static str,
        object: &str,
        work: impl Fn(Arc<Connection>) -> BoxFuture<'a, Result<T, Trouble>>,
    ) -> Result<T, ExportError> {
        let mut again = true;
        loop {
            let connection = self.connection().await?;
            let error = match work(connection.clone()).await {
                Ok(done) => return Ok(done),
                Err(Trouble::Export(error)) => return Err(error),
                Err(Trouble::Call(error)) => error,
            };
            let fate = Fate::of(&error);
            if fate != Fate::Answered {
                self.forget(&connection).await;
            }
            match fate {
                Fate::Lost if again => again = false,
                Fate::Answered => return Err(self.failed(action, object, &error)),
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
        // The library resolves names with a blocking call, so it is given an address.
        let addresses = tokio::net::lookup_host((server.as_str(), 0)).await;
        let addresses: Vec<_> = addresses.map_err(|error| unresolved(error.to_string()))?.collect();
        let Some(address) = addresses.iter().find(|a| a.is_ipv4()).or(addresses.first()) else {
            return Err(unresolved("the name has no address".to_owned()));
        };
        let host = match address.ip() {
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            std::net::IpAddr::V4(ip) => ip.to_string(),
        };
        let mut first = None;
        for version in VERSIONS {
            let error = match self.mount(&host, version).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            // The server has decided about this export; another version would only blur its reason.
            let decided = matches!(error, NfsError::Mount(_));
            first.get_or_insert(error);
            if decided {
                break;
            }
        }
        let error = first.unwrap_or_else(silence);
        Err(match error {
            NfsError::Mount(_) | NfsError::Nfs3(_) | NfsError::Nfs4(_) => ExportError::Refused {
                location: self.location.clone(),
                cause: refusal(&error),
            },
            error => self.unreachable(&error),
        })
    }

    /// Mounts as root's uid: who may be root is decided by the export's squashing, not here.
    async fn mount(&self, host: &str, version: &str) -> Result<Connection, NfsError> {
        let path = utf8_percent_encode(&self.location.path, PATH);
        let url = format!("nfs://{host}{path}?version={version}&uid=0&gid=0");
        let mount = match nfs_rs::parse_url_and_mount(&url).await {
            // Without root or CAP_NET_BIND_SERVICE there is no privileged source port; an
            // export with the option `insecure` does without.
            Err(error) if error.transport_error_kind() == Some(std::io::ErrorKind::PermissionDenied) => {
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
            cause: error.to_string(),
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

/// What an error says about the connection it came over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The server answered: the connection is good.
    Answered,
    /// The connection is dead, as after a restart of the server; a new one may work at once.
    Lost,
    /// Nothing came in time.
    Silent,
}

impl Fate {
    fn of(error: &NfsError) -> Self {
        let stale = matches!(
            error,
            NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_STALE | Nfs3ErrorCode::NFS3ERR_BADHANDLE)
                | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_STALE | Nfs4ErrorCode::NFS4ERR_BADHANDLE)
        );
        match error {
            // The export was made anew under the same name: its root has another handle now.
            _ if stale || error.is_connection_lost() => Self::Lost,
            NfsError::Nfs3(_) | NfsError::Nfs4(_) | NfsError::Mount(_) | NfsError::InvalidInput(_) => Self::Answered,
            _ => Self::Silent,
        }
    }
}

impl Connection {
    async fn make(self: Arc<Self>, path: &VolumePath, mode: u32) -> Result<Made, Trouble> {
        let mut directory = self.root.clone();
        let mut made = Made::Existed;
        for (depth, name) in path.components().iter().enumerate() {
            // Asking for the new directory first costs one call where there is nothing yet, the usual case.
            match bounded(self.mount.mkdir(directory.clone(), name, mode)).await {
                Ok(new) => {
                    directory = new.fh;
                    made = Made::Created;
                }
                Err(error) if error.is_exist() => {
                    let found = bounded(self.mount.lookup(directory, name)).await?;
                    directory = self.directory(found, path, depth).await?;
                    made = Made::Existed;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(made)
    }

    async fn remove(self: Arc<Self>, path: &VolumePath) -> Result<Removed, Trouble> {
        let (parents, name) = path.split();
        let Some(parent) = self.walk(parents, path).await? else {
            return Ok(Removed::AlreadyGone);
        };
        let Some(found) = self.find(&parent, name).await? else {
            return Ok(Removed::AlreadyGone);
        };
        let directory = self.directory(found, path, path.components().len() - 1).await?;
        self.empty(directory).await?;
        match bounded(self.mount.rmdir(parent, name)).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(Removed::Done),
        }
    }

    async fn rename(self: Arc<Self>, from: &VolumePath, to: &VolumePath) -> Result<Removed, Trouble> {
        let (parents, name) = from.split();
        let (new_parents, new_name) = to.split();
        let source = self.walk(parents, from).await?;
        let found = match &source {
            Some(parent) => self.find(parent, name).await?,
            None => None,
        };
        let (Some(source), Some(found)) = (source, found) else {
            return Ok(Removed::AlreadyGone);
        };
        self.directory(found, from, from.components().len() - 1).await?;
        let Some(target) = self.walk(new_parents, to).await? else {
            return Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT).into());
        };
        // RENAME replaces an empty directory without a word.
        if self.find(&target, new_name).await?.is_some() {
            return Err(ExportError::Exists(to.to_string()).into());
        }
        bounded(self.mount.rename(source, name, target, new_name)).await?;
        Ok(Removed::Done)
    }

    /// The handle of `parents` below the root, or None if one of them isn't there.
    async fn walk(&self, parents: &[String], path: &VolumePath) -> Result<Option<Handle>, Trouble> {
        let mut directory = self.root.clone();
        for (depth, name) in parents.iter().enumerate() {
            match self.find(&directory, name).await? {
                Some(found) => directory = self.directory(found, path, depth).await?,
                None => return Ok(None),
            }
        }
        Ok(Some(directory))
    }

    async fn find(&self, directory: &Handle, name: &str) -> Result<Option<ObjRes>, NfsError> {
        match bounded(self.mount.lookup(directory.clone(), name)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The handle of what was found at `path`'s component number `depth`, if it is a directory.
    async fn directory(&self, found: ObjRes, path: &VolumePath, depth: usize) -> Result<Handle, Trouble> {
        let kind = match found.attr {
            Some(attributes) => attributes.type_,
            None => bounded(self.mount.getattr(found.fh.clone())).await?.type_,
        };
        let what = match kind {
            TYPE_DIRECTORY => return Ok(found.fh),
            TYPE_LINK => "a symbolic link",
            _ => "a file",
        };
        let path = path.components()[..=depth].join("/");
        Err(ExportError::NotADirectory { path, what }.into())
    }

    /// Removes all that a directory holds. Boxed, since it calls itself for each directory in it.
    fn empty(&self, directory: Handle) -> BoxFuture<'_, Result<(), NfsError>> {
        async move {
            let mut listing = self.mount.readdirplus(directory.clone()).await;
            let mut entries = Vec::new();
            while let Some(entry) = bounded(listing.try_next()).await? {
                if entry.file_name != "." && entry.file_name != ".." {
                    entries.push(Ok(entry));
                }
            }
            drop(listing);
            stream::iter(entries)
                .try_for_each_concurrent(REMOVALS, |entry| {
                    let directory = directory.clone();
                    async move {
                        let name = &entry.file_name;
                        let (kind, handle) = match entry.attr {
                            Some(attributes) if !entry.handle.is_empty() => (attributes.type_, entry.handle),
                            _ => {
                                let Some(found) = self.find(&directory, name).await? else {
                                    return Ok(());
                                };
                                let kind = bounded(self.mount.getattr(found.fh.clone())).await?.type_;
                                (kind, found.fh)
                            }
                        };
                        let gone = if kind == TYPE_DIRECTORY {
                            self.empty(handle).await?;
                            bounded(self.mount.rmdir(directory, name)).await
                        } else {
                            bounded(self.mount.remove(directory, name)).await
                        };
                        match gone {
                            Err(error) if !error.is_not_found() => Err(error),
                            _ => Ok(()),
                        }
                    }
                })
                .await
        }
        .boxed()
    }
}

/// One call with an end: the library's own time-outs add up to more than a claim should wait.
async fn bounded<T>(call: impl Future<Output = Result<T, NfsError>>) -> Result<T, NfsError> {
    timeout(CALL_TIMEOUT, call).await.unwrap_or_else(|_| Err(silence()))
}

fn silence() -> NfsError {
    let text = format!("no answer within {} s", CALL_TIMEOUT.as_secs());
    NfsError::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

/// The server's words, with what usually lies behind them.
fn refusal(error: &NfsError) -> String {
    match error {
        NfsError::Mount(Nfs3MountErrorCode::MNT3ERR_ACCES | Nfs3MountErrorCode::MNT3ERR_PERM) => format!(
            "{error}: the path isn't exported to this machine, or the export wants a privileged source port \
             (run as root, or export it with `insecure`)"
        ),
        NfsError::Mount(Nfs3MountErrorCode::MNT3ERR_NOENT) | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_NOENT) => {
            "no such directory is exported".to_owned()
        }
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_ACCES | Nfs3ErrorCode::NFS3ERR_PERM)
        | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_ACCESS | Nfs4ErrorCode::NFS4ERR_PERM) => {
            "permission denied: the export squashes root, and the directory belongs to another user".to_owned()
        }
        _ => error.to_string(),
    }
}
