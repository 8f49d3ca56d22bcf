//! An export over the NFS protocol, spoken from this process: no mount, no root here.
//!
//! One connection carries many calls at once. File handles are walked one
//! component at a time, so the server never sees a path to interpret and no
//! symbolic link is ever followed.

mod connection;
#[cfg(test)]
mod double;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use nfs_rs::{Nfs3ErrorCode, Nfs3MountErrorCode, Nfs4ErrorCode, NfsError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use self::connection::{Connection, Trouble, bounded};
use super::{Attributes, CALL_TIMEOUT, Entry, ExportError, Location, Made, MayContinue, Removed, VolumePath, named};

/// NFS versions in the order they are tried. NFSv3 needs no state on the server and is the
/// fastest; NFSv4.0 is for servers that offer nothing older. NFSv4.1 comes last: against kernels that
/// grow their slot table the client library loses its session every twenty calls or so, and a new
/// connection is needed.
const VERSIONS: [&str; 3] = ["3", "4.0", "4.1"];

/// How long one version goes without an answer before the next is tried beside it.
const HEAD_START: Duration = Duration::from_secs(2);

/// What the client library says, in a general error of its own, of a session that is lost.
const SESSION_LOST: [&str; 2] = ["session slot table closed", "exceed negotiated maximum"];

/// The system's number for a port that this process may not have.
const EACCES: i32 = 13;

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

    pub(super) async fn remove(&self, path: &VolumePath, may_continue: &MayContinue) -> Result<Removed, ExportError> {
        self.attempt_once("remove", &path.to_string(), |connection| {
            connection.remove(path, may_continue).boxed()
        })
        .await
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

    /// Runs `work` on the connection, once more on a new one if the old one turns out to be dead.
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
            match fate {
                Fate::Lost if attempt < attempts => attempt += 1,
                Fate::Lost if is_stale(&error) => return Err(self.failed(action, object, &error)),
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
        let error = match first_answer(|version| self.mount(&host, version)).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        Err(match error {
            NfsError::Mount(Nfs3MountErrorCode::MNT3ERR_NOENT) | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_NOENT) => {
                ExportError::Missing {
                    location: self.location.clone(),
                }
            }
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

/// Mounts with the first version of NFS that answers; its caller limits the time that all of them take.
///
/// # Errors
/// That of the first version that failed.
async fn first_answer<T, F>(mount: impl Fn(&'static str) -> F) -> Result<T, NfsError>
where
    F: Future<Output = Result<T, NfsError>>,
{
    let mut attempts = FuturesUnordered::new();
    let mut first = None;
    for version in VERSIONS {
        attempts.push(mount(version));
        let is_last = version == VERSIONS[VERSIONS.len() - 1];
        // A slow answer is waited for, and a port that swallows packets doesn't keep other versions from theirs.
        let head_start = if is_last { Duration::MAX } else { HEAD_START };
        while let Ok(Some(mounted)) = timeout(head_start, attempts.next()).await {
            match mounted {
                Ok(mounted) => return Ok(mounted),
                // The server has decided about this export; another version would only blur its reason.
                Err(error @ NfsError::Mount(_)) => return Err(first.unwrap_or(error)),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
    }
    Err(first.unwrap_or_else(silence))
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

impl Fate {
    fn of(error: &NfsError) -> Self {
        match error {
            // The export was made anew under the same name: its root has another handle now.
            _ if is_stale(error) || error.is_connection_lost() => Self::Lost,
            NfsError::Rpc(text) if SESSION_LOST.iter().any(|lost| text.contains(lost)) => Self::Lost,
            NfsError::Nfs3(_) | NfsError::Nfs4(_) | NfsError::Mount(_) | NfsError::InvalidInput(_) => Self::Answered,
            _ => Self::Silent,
        }
    }
}

fn is_stale(error: &NfsError) -> bool {
    matches!(
        error,
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_STALE | Nfs3ErrorCode::NFS3ERR_BADHANDLE)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_STALE | Nfs4ErrorCode::NFS4ERR_BADHANDLE)
    )
}

/// Whether this process may have no privileged source port; said of the portmapper in words only.
fn lacks_privileged_port(error: &NfsError) -> bool {
    let denied = std::io::Error::from_raw_os_error(EACCES).to_string();
    error.transport_error_kind() == Some(std::io::ErrorKind::PermissionDenied)
        || matches!(error, NfsError::Rpc(text) if text.ends_with(&denied))
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
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_ACCES | Nfs3ErrorCode::NFS3ERR_PERM)
        | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_ACCESS | Nfs4ErrorCode::NFS4ERR_PERM) => {
            "permission denied: the export squashes root, and the directory belongs to another user".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::connection::TYPE_DIRECTORY;
    use super::double::{self, Double};
    use super::*;

    /// By then the path may be that of another claim's directory.
    #[tokio::test]
    async fn a_directory_that_becomes_stale_is_not_looked_up_again() {
        let double = Double::new(|call, _, _| match call {
            "readdirplus" => double::Answer::Stale,
            _ => double::Answer::Object("v", TYPE_DIRECTORY, 0o777),
        });
        let (connection, log) = double.connection();
        let wire = Wire::new(Location {
            server: "127.0.0.1".into(),
            path: "/nfsdata".into(),
        });
        wire.slot.lock().await.connection = Some(Arc::new(connection));
        let path = VolumePath::parse("v").unwrap();
        let error = wire.remove(&path, &super::super::uninterrupted()).await.unwrap_err();
        assert!(matches!(error, ExportError::Failed { .. }), "{error}");
        let log = log.lock().unwrap();
        assert_eq!(*log, ["getattr root ", "lookup root v", "readdirplus v "]);
    }

    /// What a version does when it is tried.
    #[derive(Clone, Copy)]
    enum Answer {
        Mounts(u64),
        Fails(u64),
        Refuses(u64),
        Never,
    }

    /// The version that is mounted, or the error, and the seconds until then.
    async fn tried(answers: [Answer; 3]) -> (Result<&'static str, String>, u64) {
        let start = Instant::now();
        let mount = |version: &'static str| async move {
            let index = VERSIONS.iter().position(|known| *known == version).unwrap();
            let seconds = |seconds| sleep(Duration::from_secs(seconds));
            match answers[index] {
                Answer::Mounts(after) => seconds(after).await,
                Answer::Fails(after) => {
                    seconds(after).await;
                    return Err(NfsError::Rpc(format!("no {version}")));
                }
                Answer::Refuses(after) => {
                    seconds(after).await;
                    return Err(NfsError::Mount(Nfs3MountErrorCode::MNT3ERR_ACCES));
                }
                Answer::Never => pending().await,
            }
            Ok(version)
        };
        let answer = first_answer(mount).await.map_err(|error| error.to_string());
        (answer, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_version_is_waited_for_and_a_silent_one_holds_none_up() {
        use Answer::{Fails, Mounts, Never, Refuses};
        for (answers, version, seconds) in [
            ([Mounts(0), Mounts(0), Mounts(0)], Ok("3"), 0),
            // Slower than its head start, and still the first.
            ([Mounts(5), Never, Never], Ok("3"), 5),
            ([Mounts(7), Never, Fails(0)], Ok("3"), 7),
            ([Never, Mounts(1), Mounts(0)], Ok("4.0"), 3),
            ([Never, Never, Mounts(1)], Ok("4.1"), 5),
            // What fails leaves its time to the next.
            ([Fails(0), Fails(0), Mounts(1)], Ok("4.1"), 1),
            ([Fails(1), Fails(1), Fails(1)], Err("no 3"), 3),
            ([Refuses(0), Mounts(0), Mounts(0)], Err("access denied"), 0),
            ([Never, Fails(0), Fails(0)], Err(""), 8),
        ] {
            let tried = timeout(CALL_TIMEOUT, tried(answers)).await;
            match (tried, version) {
                (Ok((Ok(found), took)), Ok(version)) => assert_eq!((found, took), (version, seconds)),
                (Ok((Err(error), took)), Err(words)) => {
                    assert!(error.contains(words) && took == seconds, "{error} after {took} s");
                }
                (Err(_), Err("")) => {}
                (tried, version) => panic!("{tried:?}, not {version:?}"),
            }
        }
    }
}
