//! Creates, removes, archives, limits and lists directories on an NFS export, and touches nothing outside it.
//!
//! [`Export`] has three backends. Each walks a [`VolumePath`] from the export's root one component at a time and
//! refuses symbolic links on the way, so a planted link leads nowhere.

mod limit_queue;
mod limits;
mod listing;
mod mounted;
mod owner;
mod path;
mod quota;
mod record;
mod rounds;
mod servers;
mod ssh;
mod system;
#[cfg(test)]
mod tests;
mod trash;
mod upgrade;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use listing::{Entry, Kind, Usage};
pub use mounted::Mounted;
pub use owner::{Conflict, NFSPROV_DIRECTORY, Owner, OwnerClaim, is_named_after, names_a_volume};
pub use path::{PathError, UsedPart, VolumePath, used_part};
pub use quota::{ExistingFiles, LimitChange, QuotaReport, SizeLimit, VolumeUsage};
pub use record::{FoundRecord, MAX_RECORD, RecordNames};
pub use servers::ServerNames;
pub use ssh::Ssh;
pub use system::is_server_entry;
#[cfg(test)]
pub(crate) use tests::quota::LimitedExport;
#[cfg(test)]
pub(crate) use wire::double;
pub use wire::{Wire, list_exports};

/// How long one operation on an export may take before its server counts as not answering.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// Whether a removal may continue; asked before each entry, over SSH a few times a second.
pub type MayContinue = Arc<dyn Fn() -> bool + Send + Sync>;

/// Never interrupts a removal.
pub fn never_interrupt() -> MayContinue {
    Arc::new(|| true)
}

/// The mode of the parents of a volume's directory: pods must pass through, and none writes there.
const PARENT_MODE: u32 = 0o755;

/// An NFS export as the cluster's nodes mount it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// Host name or address of the server.
    pub server: String,
    /// The exported directory, absolute.
    pub path: String,
}

impl Location {
    /// Whether one export is the other or contains it. Servers and paths are compared as text: two names of one server
    /// don't overlap.
    pub fn overlaps(&self, other: &Self) -> bool {
        let inside = |inner: &Self, outer: &Self| {
            let root = outer.path.trim_end_matches('/');
            let rest = inner.path.strip_prefix(root);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.server == other.server && (inside(self, other) || inside(other, self))
    }
}

impl fmt::Display for Location {
    /// `SERVER:PATH`, an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server.contains(':') {
            true => write!(f, "[{}]:{}", self.server, self.path),
            false => write!(f, "{}:{}", self.server, self.path),
        }
    }
}

/// Mode and owner of a new directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits, set-user-id, set-group-id and sticky among them.
    pub mode: u32,
    /// The owner; `None` keeps the creator.
    pub uid: Option<u32>,
    /// The group; `None` keeps the creator's.
    pub gid: Option<u32>,
}

impl Attributes {
    /// A mode, and no owner or group.
    pub fn with_mode(mode: u32) -> Self {
        Self {
            mode,
            uid: None,
            gid: None,
        }
    }
}

/// A backend that reaches an export's directories. Clones share its connections.
#[derive(Clone, Debug)]
pub enum Export {
    /// The NFS protocol, spoken by this process: without a mount, without root.
    Wire(Wire),
    /// Shell scripts on the server, over SSH.
    Ssh(Ssh),
    /// A directory of this machine: the export itself, or a mount of it.
    Mounted(Mounted),
}

/// The outcome of removing or renaming a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It was removed or renamed.
    Done,
    /// It didn't exist: an earlier attempt got this far.
    AlreadyGone,
}

/// An error on an export. The text names the export or the directory.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExportError {
    /// The server's name has no address.
    #[error("NFS server {server} has no address: {cause}")]
    Unresolved { server: String, cause: String },
    /// No connection, or no answer within [`CALL_TIMEOUT`]; over SSH, no output for 30 s.
    #[error("NFS server of {location} does not answer: {cause}")]
    Unreachable { location: Location, cause: String },
    /// The server refuses access to the export.
    #[error("NFS server refuses {location}: {cause}")]
    Refused {
        location: Location,
        /// The refusal and its usual cause.
        cause: String,
    },
    /// The server exports no such directory.
    #[error("NFS server refuses {location}: no such directory is exported{hint}")]
    Missing {
        location: Location,
        /// The end of the message: a path that may be meant, or empty.
        hint: String,
    },
    /// Something on the path is no directory.
    #[error("{path} on the export is {what}, not a directory; nothing was changed")]
    NotADirectory {
        /// The path up to the obstacle.
        path: String,
        what: &'static str,
    },
    /// The new name of a rename is taken. It is never overwritten.
    #[error("{0} exists on the export already; it is left unchanged")]
    Exists(String),
    /// The directory, one above it or one below it belongs to another claim.
    #[error("{0}")]
    Conflict(Box<Conflict>),
    /// The directory can't be given to the claim, for another reason.
    #[error("directory {path} can't be this claim's: {why}")]
    Owned { path: String, why: String },
    /// The new name is on another file system, or the server can't rename directories.
    #[error("cannot rename {path} on the export: {cause}")]
    CannotRename { path: String, cause: String },
    /// The server doesn't hold a directory to its size.
    #[error("the size of {path} can't be enforced: {why}")]
    NotEnforced { path: String, why: String },
    /// [`MayContinue`] ended a removal.
    #[error("the removal was interrupted; the next attempt removes the rest")]
    Interrupted,
    /// The server refused an operation on a directory.
    #[error("cannot {action} {path} on the export: {cause}")]
    Failed {
        action: &'static str,
        path: String,
        cause: String,
    },
}

impl ExportError {
    /// That an operation, a verb, on the object of this name was refused.
    fn failed(action: &'static str, object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::Failed {
            action,
            path: object.to_string(),
            cause: cause.to_string(),
        }
    }
}

/// The name of a directory in messages; `the root` if none is named.
fn name_or_root(directory: Option<&VolumePath>) -> String {
    directory.map_or_else(|| "the root".to_owned(), VolumePath::to_string)
}

/// Calls the method of the same name of the backend.
macro_rules! forward {
    ($export:ident.$method:ident($($argument:expr),*)) => {
        match $export {
            Export::Wire(backend) => backend.$method($($argument),*).await,
            Export::Ssh(backend) => backend.$method($($argument),*).await,
            Export::Mounted(backend) => backend.$method($($argument),*).await,
        }
    };
}

impl Export {
    /// Fails unless the export's root can be reached and is a directory. Whether it can be written is not checked.
    ///
    /// # Errors
    /// [`ExportError::Unresolved`], `Unreachable`, `Refused` or `Missing`; `Failed` when the root can't be opened.
    pub async fn probe_root(&self) -> Result<(), ExportError> {
        forward!(self.probe_root())
    }

    /// The same export, whose NFS server is reached as nodes do that mount with these options. They have no effect over
    /// SSH and on a mounted export.
    pub fn with_mount_options(&self, options: &[String]) -> Self {
        match self {
            Self::Wire(wire) => Self::Wire(wire.with_mount_options(options)),
            other => other.clone(),
        }
    }

    /// The number of bytes that are free for users of the export.
    ///
    /// # Errors
    /// As [`Export::probe_root`]; [`ExportError::Failed`] when the server answers, but not with a number.
    pub async fn free_bytes(&self) -> Result<u64, ExportError> {
        forward!(self.free_bytes())
    }

    /// Creates a directory with exactly these attributes, whatever the umask, and missing parents with 0755.
    ///
    /// An existing directory gets the attributes, too, because an interrupted attempt may have created it without them;
    /// existing parents keep theirs. So the caller must know that the directory is the claim's. May be repeated.
    ///
    /// # Errors
    /// [`ExportError::NotADirectory`] when a part of the path is no directory, [`ExportError::Failed`] when the server
    /// refuses, as one that squashes root refuses to change an owner; otherwise as [`Export::probe_root`].
    pub async fn create_directory(&self, path: &VolumePath, wanted: Attributes) -> Result<(), ExportError> {
        forward!(self.create_directory(path, wanted))
    }

    /// Removes a directory tree; symbolic links in it are removed, not followed. `AlreadyGone` if it doesn't exist;
    /// over SSH also if an attempt whose answer was lost has removed it.
    ///
    /// The path is looked up once, over SSH every 10 s. Elsewhere, a stale handle is an error, because another
    /// directory may have the path by then.
    ///
    /// # Errors
    /// As [`Export::create_directory`], and [`ExportError::Interrupted`] as soon as `may_continue` returns false. The
    /// next call removes the rest. Over SSH, the removal may continue for 10 s; elsewhere, calls in flight may take
    /// effect.
    pub async fn remove_directory(
        &self,
        path: &VolumePath,
        may_continue: &MayContinue,
    ) -> Result<Removed, ExportError> {
        forward!(self.remove_directory(path, may_continue))
    }

    /// Renames a directory to `to`, which must not exist, but whose parent must; without it, [`ExportError::Failed`].
    /// `AlreadyGone` if the directory doesn't exist; over SSH also if an attempt whose answer was lost has renamed it.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when both exist, [`ExportError::CannotRename`]; otherwise as
    /// [`Export::create_directory`]. [`ExportError::Unreachable`] leaves open whether it was renamed.
    pub async fn rename_directory(&self, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
        forward!(self.rename_directory(from, to))
    }

    /// Whether anything exists at `path`, a dangling link included; false if a parent doesn't exist.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn path_exists(&self, path: &VolumePath) -> Result<bool, ExportError> {
        forward!(self.path_exists(path))
    }

    /// Lists a directory, not recursively and in the server's order; `None` if it doesn't exist. If none is named,
    /// lists the export's root, which must exist. `.nfsprov` and the server's own entries are included. An entry that
    /// is removed meanwhile is left out.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn list_directory(&self, directory: Option<&VolumePath>) -> Result<Option<Vec<Entry>>, ExportError> {
        forward!(self.list_directory(directory))
    }

    /// Removes everything in a directory, or in the export's root if none is named, and keeps the directory itself.
    ///
    /// In the root, that includes `.nfsprov`. It can't be interrupted. Symbolic links in it are removed, not followed.
    /// May be repeated.
    ///
    /// # Errors
    /// As [`Export::remove_directory`]; when the directory doesn't exist.
    pub async fn empty_directory(&self, directory: Option<&VolumePath>) -> Result<(), ExportError> {
        forward!(self.empty_directory(directory))
    }

    /// Creates a symbolic link; an error if its directory doesn't exist. False if the name is taken, also by the same
    /// link: this call itself may have created it, if an answer was lost.
    async fn create_link(&self, path: &VolumePath, target: &str) -> Result<bool, ExportError> {
        forward!(self.create_link(path, target))
    }

    /// The target of a symbolic link; `None` if nothing exists at `path`, an error if it is no link.
    async fn read_link(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        forward!(self.read_link(path))
    }

    /// Removes a link or file if it exists. The caller must know that it is no directory: over NFS 4 an empty one would
    /// be removed.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn remove_link_or_file(&self, path: &VolumePath) -> Result<(), ExportError> {
        forward!(self.remove_link_or_file(path))
    }

    /// Removes a directory if it is empty; true also if it is missing, false if something is in it.
    ///
    /// # Errors
    /// As [`Export::create_directory`]; when something else than a directory is at `path`.
    pub async fn remove_empty_directory(&self, path: &VolumePath) -> Result<bool, ExportError> {
        forward!(self.remove_empty_directory(path))
    }
}
