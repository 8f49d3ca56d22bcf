//! Hosts that were read over SSH, each a [`HostSeen`] (PURE). The command that connects to them fills it.

use crate::doctor::Object;
use crate::host;

#[derive(Clone, Debug, Default)]
pub struct HostSeen {
    /// The argument of `--ssh`: `[USER@]HOST`.
    pub target: String,
    pub facts: host::Facts,
    /// The exports of this host that the cluster names.
    pub exports: Vec<ExportSeen>,
    /// The NFS servers whose names it was to resolve.
    pub servers: Vec<String>,
    /// The NFS servers whose port it tried, and whether it answered.
    pub reach: Vec<(String, bool)>,
    /// Its NFS mounts, as `SERVER:PATH`.
    pub nfs_mounts: Vec<String>,
    /// Processes that wait in NFS calls without end, as `PID NAME`.
    pub hung: Vec<String>,
}

/// A directory of a host that the cluster names as an export of it.
#[derive(Clone, Debug, Default)]
pub struct ExportSeen {
    pub path: String,
    pub named_by: Vec<Object>,
    /// The facts of the host, and of the directory at this path.
    pub facts: host::Facts,
}
