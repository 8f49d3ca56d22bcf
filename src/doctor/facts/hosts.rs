//! What is known of hosts that were looked at over SSH (PURE).

use crate::doctor::Object;
use crate::host;

/// A host that was looked at over SSH.
#[derive(Clone, Debug, Default)]
pub struct HostSeen {
    /// How it was asked for, as `[USER@]HOST`.
    pub target: String,
    pub facts: host::Facts,
    /// The exports that the cluster says are here.
    pub exports: Vec<ExportSeen>,
    /// The NFS servers that it was asked about.
    pub servers: Vec<String>,
    /// Those of them whose port it was to reach, and whether it did.
    pub reach: Vec<(String, bool)>,
    /// What it has mounted by NFS, as `SERVER:PATH`.
    pub nfs_mounts: Vec<String>,
    /// Processes that wait in NFS calls without end, as `PID NAME`.
    pub hung: Vec<String>,
}

/// A directory of a host that the cluster names as an export of it.
#[derive(Clone, Debug, Default)]
pub struct ExportSeen {
    pub path: String,
    pub named_by: Vec<Object>,
    /// What the host is like, with what is at that path.
    pub facts: host::Facts,
}
