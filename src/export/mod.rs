//! Directories on an NFS export: made, removed, archived, listed, and never anything outside it.
//!
//! [`Export`] is one of a few ways to reach the same directories. Whatever the
//! way, a [`VolumePath`] is walked from the export's root one component at a
//! time and a symbolic link on the way is refused, so what lies elsewhere can't
//! be reached by planting one.

mod listing;
mod mounted;
mod owner;
mod path;
mod rounds;
mod ssh;
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
pub use owner::{Conflict, Owner, OwnerClaim, REGISTRY, is_named_after, names_a_volume};
pub use path::{PathError, VolumePath};
pub use ssh::Ssh;
#[cfg(test)]
pub(crate) use wire::double;
pub use wire::{Wire, exported_by};

/// How long one operation on an export may take before its server counts as not answering.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// Asked before each entry that a removal removes, over SSH a few times a second: whether the removal may go on.
pub type MayContinue = Arc<dyn Fn() -> bool + Send + Sync>;

/// Lets a removal run to its end.
pub fn uninterrupted() -> MayContinue {
    Arc::new(|| true)
}

/// The mode of the directories that lead to a volume's: nodes must pass, and nobody need write there.
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
    /// Whether a directory of one is a directory of the other too, as far as their names tell.
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server.contains(':') {
            true => write!(f, "[{}]:{}", self.server, self.path),
            false => write!(f, "{}:{}", self.server, self.path),
        }
    }
}

/// What a new directory is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits, set-user-id, set-group-id and sticky among them.
    pub mode: u32,
    /// The owner; else it is whoever made it.
    pub uid: Option<u32>,
    /// The group, likewise.
    pub gid: Option<u32>,
}

impl Attributes {
    /// Nothing but a mode.
    pub fn mode(mode: u32) -> Self {
        Self {
            mode,
            uid: None,
            gid: None,
        }
    }
}

/// A way to an export's directories.
#[derive(Debug)]
pub enum Export {
    /// The NFS protocol itself, spoken from this process: no mount, no root.
    Wire(Wire),
    /// The server's own directory, by its shell over SSH.
    Ssh(Ssh),
    /// The export, or a mount of it, as a directory of this machine.
    Mounted(Mounted),
}

/// What making a directory found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was not there before.
    Created,
    /// It was there, as a real directory.
    Existed,
}

/// What removing or archiving a directory found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It was there and is gone, or moved, now.
    Done,
    /// It was not there: an earlier try got this far.
    AlreadyGone,
}

/// What went wrong on an export. The text names the export or the directory.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExportError {
    /// The server's name has no address.
    #[error("NFS server {server} has no address: {cause}")]
    Unresolved {
        /// The name as given.
        server: String,
        /// The resolver's words.
        cause: String,
    },
    /// No connection, or no answer within [`CALL_TIMEOUT`].
    #[error("NFS server of {location} does not answer: {cause}")]
    Unreachable {
        /// The export that was tried.
        location: Location,
        /// What the connection attempt said.
        cause: String,
    },
    /// The server answers but won't let us use the export.
    #[error("NFS server refuses {location}: {cause}")]
    Refused {
        /// The export that was tried.
        location: Location,
        /// The refusal, with what usually causes it.
        cause: String,
    },
    /// The server answers, and has no such directory for anybody.
    #[error("NFS server refuses {location}: no such directory is exported{hint}")]
    Missing {
        /// The export that was tried.
        location: Location,
        /// The end of the message: a path that may be meant, or nothing.
        hint: String,
    },
    /// Something other than a directory is in the way.
    #[error("{path} on the export is {what}, not a directory; nothing was changed")]
    NotADirectory {
        /// The path up to the obstacle.
        path: String,
        /// What was found there.
        what: &'static str,
    },
    /// An archive of that name is there already, and is never overwritten.
    #[error("{0} exists on the export already; it is left as it is")]
    Exists(String),
    /// A marker says that the directory, one above it or one below it belongs to another claim.
    #[error("{0}")]
    Conflict(Box<Conflict>),
    /// The directory can't be the claim's, and no marker says whose it is.
    #[error("directory {path} can't be this claim's: {why}")]
    Owned {
        /// The directory.
        path: String,
        /// Whose it is.
        why: String,
    },
    /// A directory can't be renamed to where it is to go: that is on another file system, or the server can't rename.
    #[error("cannot rename {path} on the export: {cause}")]
    CannotRename {
        /// The directory.
        path: String,
        /// The server's or the system's words.
        cause: String,
    },
    /// A removal was told not to go on.
    #[error("the removal was interrupted; what is left is removed by the next attempt")]
    Interrupted,
    /// The server refused an operation on a directory.
    #[error("cannot {action} {path} on the export: {cause}")]
    Failed {
        /// The operation, as a verb.
        action: &'static str,
        /// The directory.
        path: String,
        /// The server's or the system's words.
        cause: String,
    },
}

/// How messages call a directory, the root if none is named.
fn named(directory: Option<&VolumePath>) -> String {
    directory.map_or_else(|| "the root".to_owned(), VolumePath::to_string)
}

impl Export {
    /// Sees whether the export's root can be reached and is a directory.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub async fn probe(&self) -> Result<(), ExportError> {
        match self {
            Self::Wire(wire) => wire.probe().await,
            Self::Ssh(ssh) => ssh.probe().await,
            Self::Mounted(mounted) => mounted.probe().await,
        }
    }

    /// Has the NFS server reached by the version and ports of these mount options, if they name any.
    pub async fn use_mount_options(&self, options: &[String]) {
        if let Self::Wire(wire) = self {
            wire.use_mount_options(options).await;
        }
    }

    /// How many bytes the export has left for its users.
    ///
    /// # Errors
    /// As [`Export::probe`]; [`ExportError::Failed`] when the server answers, but not with a number.
    pub async fn free_bytes(&self) -> Result<u64, ExportError> {
        match self {
            Self::Wire(wire) => wire.free_bytes().await,
            Self::Ssh(ssh) => ssh.free_bytes().await,
            Self::Mounted(mounted) => mounted.free_bytes().await,
        }
    }

    /// Makes a directory with the mode as given, whatever the umask, and the parents that it lacks with 0755.
    ///
    /// Mode, owner and group are set on a directory that is there already, too: an attempt that ended early may have
    /// made it and not set them. So its caller must know that the directory is the claim's. May be repeated.
    ///
    /// # Errors
    /// When a part of the path is no directory, or the server does not answer or refuses, as one that squashes
    /// root refuses to give a directory away.
    pub async fn make(&self, path: &VolumePath, wanted: Attributes) -> Result<Made, ExportError> {
        match self {
            Self::Wire(wire) => wire.make(path, wanted).await,
            Self::Ssh(ssh) => ssh.make(path, wanted).await,
            Self::Mounted(mounted) => mounted.make(path, wanted).await,
        }
    }

    /// Removes a directory and all in it; symbolic links in it are removed, not followed.
    ///
    /// The path is looked up once: when its handle becomes stale meanwhile, another directory may have the path.
    ///
    /// # Errors
    /// As [`Export::make`], and [`ExportError::Interrupted`]; what was removed by then stays removed and a next call goes
    /// on.
    pub async fn remove(&self, path: &VolumePath, may_continue: &MayContinue) -> Result<Removed, ExportError> {
        match self {
            Self::Wire(wire) => wire.remove(path, may_continue).await,
            Self::Ssh(ssh) => ssh.remove(path, may_continue).await,
            Self::Mounted(mounted) => mounted.remove(path, may_continue).await,
        }
    }

    /// Renames a directory to the free name `archive` in the export's root.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when both are there, [`ExportError::CannotRename`]; otherwise as [`Export::make`].
    pub async fn archive(&self, path: &VolumePath, archive: &VolumePath) -> Result<Removed, ExportError> {
        match self {
            Self::Wire(wire) => wire.rename(path, archive).await,
            Self::Ssh(ssh) => ssh.rename(path, archive).await,
            Self::Mounted(mounted) => mounted.rename(path, archive).await,
        }
    }

    /// Whether anything is at `path`.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn has(&self, path: &VolumePath) -> Result<bool, ExportError> {
        match self {
            Self::Wire(wire) => wire.exists(path).await,
            Self::Ssh(ssh) => ssh.exists(path).await,
            Self::Mounted(mounted) => mounted.exists(path).await,
        }
    }

    /// What a directory holds, the export's root if none is named; None if it isn't there. Nothing below it is read.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn list(&self, directory: Option<&VolumePath>) -> Result<Option<Vec<Entry>>, ExportError> {
        match self {
            Self::Wire(wire) => wire.list(directory).await,
            Self::Ssh(ssh) => ssh.list(directory).await,
            Self::Mounted(mounted) => mounted.list(directory).await,
        }
    }

    /// Removes all that a directory holds, the export's root if none is named, and leaves the directory itself.
    ///
    /// Symbolic links in it are removed, not followed. May be repeated.
    ///
    /// # Errors
    /// As [`Export::remove`]; when the directory isn't there.
    pub async fn empty(&self, directory: Option<&VolumePath>) -> Result<(), ExportError> {
        match self {
            Self::Wire(wire) => wire.empty(directory).await,
            Self::Ssh(ssh) => ssh.empty(directory).await,
            Self::Mounted(mounted) => mounted.empty(directory).await,
        }
    }

    /// Makes a symbolic link in an existing directory; false if the name is taken.
    async fn link(&self, path: &VolumePath, target: &str) -> Result<bool, ExportError> {
        match self {
            Self::Wire(wire) => wire.link(path, target).await,
            Self::Ssh(ssh) => ssh.link(path, target).await,
            Self::Mounted(mounted) => mounted.link(path, target).await,
        }
    }

    /// What a symbolic link holds; None if it isn't there.
    async fn read_link(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        match self {
            Self::Wire(wire) => wire.read_link(path).await,
            Self::Ssh(ssh) => ssh.read_link(path).await,
            Self::Mounted(mounted) => mounted.read_link(path).await,
        }
    }

    /// Removes a link or file, if it is there.
    async fn unlink(&self, path: &VolumePath) -> Result<(), ExportError> {
        match self {
            Self::Wire(wire) => wire.unlink(path).await,
            Self::Ssh(ssh) => ssh.unlink(path).await,
            Self::Mounted(mounted) => mounted.unlink(path).await,
        }
    }

    /// Removes a directory if it is empty; whether it is gone.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn remove_empty(&self, path: &VolumePath) -> Result<bool, ExportError> {
        match self {
            Self::Wire(wire) => wire.remove_empty(path).await,
            Self::Ssh(ssh) => ssh.remove_empty(path).await,
            Self::Mounted(mounted) => mounted.remove_empty(path).await,
        }
    }
}
