//! The server that an administrator wants (PURE). The main type is [`DesiredServer`].

use crate::host::exports_file::DesiredExport;
use crate::host::facts::Facts;

/// The desired state of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredServer {
    /// The export that it should have.
    pub wanted: DesiredExport,
    /// The mode of the directory; None keeps the one it has, and gives a new directory 0777.
    pub mode: Option<u32>,
    /// Its owner and group, as chown(1) takes them; None keeps those it has.
    pub owner: Option<String>,
    /// The NFS versions that it should serve.
    pub versions: Versions,
    /// Whether its file system should enforce limits of directories.
    pub quota: Quota,
}

/// What is done so that a file system enforces limits of directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quota {
    /// Nothing.
    #[default]
    Unchanged,
    /// What can be done while clients use it.
    Live,
    /// Also unmounting it, while the NFS server is stopped.
    Remount,
}

/// The NFS versions of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// NFS 3 and 4.
    All,
    /// NFS 3 only.
    Three,
    /// NFS 4 only, which needs no rpcbind.
    Four,
}

impl Versions {
    /// The versions that a running server serves: all, unless it says that it doesn't serve NFS 3. Never `Three`; all
    /// also for a server that doesn't run.
    pub(super) fn served_by(facts: &Facts) -> Self {
        match facts.serves_nfs_version(3) {
            Some(false) => Self::Four,
            _ => Self::All,
        }
    }
}
