//! What the checks know (PURE): [`Facts`].

mod exports;
mod hosts;

pub use self::exports::{EarlierVolume, ExportListing, Probe, ProbeResult};
pub use self::hosts::{ExportSeen, HostSeen};
use crate::cluster::snapshot::ClusterSnapshot;

/// The cluster, and what exports and hosts said.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its `unread` names what could not be read of exports and hosts, too.
    pub cluster: ClusterSnapshot,
    /// Results of NFS calls from this machine.
    pub probes: Vec<Probe>,
    /// Listings of the exports on which claims have volumes.
    pub listings: Vec<ExportListing>,
    /// Hosts that were read over SSH.
    pub hosts: Vec<HostSeen>,
}

impl From<ClusterSnapshot> for Facts {
    /// Without facts of exports and hosts.
    fn from(cluster: ClusterSnapshot) -> Self {
        Self {
            cluster,
            ..Self::default()
        }
    }
}
