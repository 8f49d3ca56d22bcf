//! The metrics of limited volumes.
//!
//! [`LimitMetrics`] has the numbers of the last round of checks on each export; it must keep none that is older.

use std::collections::BTreeMap;
use std::sync::Mutex;

use prometheus_client::registry::Registry;

use super::{Gauges, gauges_by_export, lock_unpoisoned};

/// How many volumes of an export have metrics at most: each is two time series.
const MAX_VOLUMES: usize = 10_000;

/// What a volume uses, and its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeGauges {
    pub namespace: String,
    pub claim: String,
    pub used_bytes: u64,
    pub capacity_bytes: u64,
}

/// By export; what is not known is absent.
#[derive(Default)]
pub struct LimitMetrics {
    enforced: Mutex<BTreeMap<String, bool>>,
    usage: Mutex<BTreeMap<String, Vec<VolumeGauges>>>,
}

impl LimitMetrics {
    /// Records whether the last look at a directory on the export found its limit enforced, in place of the look
    /// before.
    pub fn record_enforcement(&self, export: &str, is_enforced: bool) {
        lock_unpoisoned(&self.enforced).insert(export.to_owned(), is_enforced);
    }

    /// Records the usage of the export's limited volumes in place of what was recorded before; of more than
    /// [`MAX_VOLUMES`], only the first.
    pub fn record_usage(&self, export: &str, mut volumes: Vec<VolumeGauges>) {
        if volumes.len() > MAX_VOLUMES {
            tracing::debug!(
                export,
                volumes = volumes.len(),
                "only {MAX_VOLUMES} volumes have metrics of their usage"
            );
            volumes.truncate(MAX_VOLUMES);
        }
        lock_unpoisoned(&self.usage).insert(export.to_owned(), volumes);
    }

    /// Forgets the numbers of an export whose limits could not be checked.
    pub fn forget_export(&self, export: &str) {
        lock_unpoisoned(&self.enforced).remove(export);
        lock_unpoisoned(&self.usage).remove(export);
    }

    /// Forgets all numbers: a standby checks no limits.
    pub fn forget_all(&self) {
        lock_unpoisoned(&self.enforced).clear();
        lock_unpoisoned(&self.usage).clear();
    }

    /// Adds gauges with the numbers of this moment to the registry; exports without numbers have none.
    pub(super) fn register(&self, registry: &mut Registry) {
        let enforced = lock_unpoisoned(&self.enforced);
        registry.register(
            "nfsprov_quota_enforced",
            "Whether the server enforced the limit of the volume that was checked last: 1 or 0",
            gauges_by_export(&enforced, |is_enforced| Some(u64::from(*is_enforced))),
        );
        let (used, capacity) = (Gauges::default(), Gauges::default());
        for volume in lock_unpoisoned(&self.usage).values().flatten() {
            // The labels that the kubelet's volume metrics have.
            let labels = vec![
                ("namespace", volume.namespace.clone()),
                ("persistentvolumeclaim", volume.claim.clone()),
            ];
            used.get_or_create(&labels).set(volume.used_bytes);
            capacity.get_or_create(&labels).set(volume.capacity_bytes);
        }
        registry.register(
            "nfsprov_volume_used_bytes",
            "Bytes that the files of a limited volume take, by the server's quota report",
            used,
        );
        registry.register(
            "nfsprov_volume_capacity_bytes",
            "The limit of a limited volume in bytes",
            capacity,
        );
    }
}
