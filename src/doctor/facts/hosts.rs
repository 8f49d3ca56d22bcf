//! What is known of hosts that were looked at over SSH (PURE).

use crate::doctor::Object;
use crate::host;

/// A host that was looked at over SSH.
#[derive(Clone, Debug, Default)]
pub struct HostSeen {
    /// How it was asked for, as `[USER@]HOST`.
    pub target: String,
    /// What it is like.
    pub facts: host::Facts,
    /// The exports that the cluster says are here.
    pub exports: Vec<ExportSeen>,
    /// The NFS servers that it was asked about.
    pub servers: Vec<String>,
    /// Those of them whose port it was to reach, and whether it did.
    pub reach: Vec<(String, bool)>,
}

/// A directory of a host that the cluster names as an export of it.
#[derive(Clone, Debug, Default)]
pub struct ExportSeen {
    /// The directory.
    pub path: String,
    /// The objects that name it.
    pub named_by: Vec<Object>,
    /// What the host is like, with what is at that path.
    pub facts: host::Facts,
}
