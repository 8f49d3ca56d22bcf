//! Finds the leaders of provisioners in their Leases (PURE). The main type is [`HeldLeases`].

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use crate::cluster::snapshot::Lock;
use crate::provisioner::election;
use crate::volumes::amount;

/// The age of a Lease's last renewal, in seconds, from which it is shown: clocks differ.
const SILENT: i64 = 60;

/// The held Leases by the name of the provisioner.
pub(super) struct HeldLeases<'a>(BTreeMap<&'a str, Vec<HeldLease<'a>>>);

struct HeldLease<'a> {
    namespace: &'a str,
    renewed: Option<Timestamp>,
    /// The holder, with the time since the last renewal if that is more than a minute.
    leader: String,
}

impl<'a> HeldLeases<'a> {
    /// Selects the Leases of the provisioners `names` that have a holder, expired ones included.
    pub(super) fn find(locks: &'a [Lock], names: impl Iterator<Item = &'a str>, now: Timestamp) -> Self {
        let names: BTreeMap<String, &str> = names
            .filter_map(|name| Some((election::lease_name(name)?, name)))
            .collect();
        let mut held: BTreeMap<&str, Vec<HeldLease<'a>>> = BTreeMap::new();
        for lock in locks
            .iter()
            .filter(|lock| lock.kind == "Lease" && !lock.holder.is_empty())
        {
            if let Some(name) = names.get(&lock.name) {
                held.entry(name).or_default().push(HeldLease {
                    namespace: &lock.namespace,
                    renewed: lock.renewed,
                    leader: format!("{}{}", lock.holder, describe_silence(lock.renewed, now)),
                });
            }
        }
        Self(held)
    }

    /// The provisioners with a held Lease.
    pub(super) fn provisioners(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }

    /// The leader of the provisioner `name` whose workload is in `namespace`: the holder of the Lease there, else of
    /// the one that was renewed last in a namespace other than `taken`, where workloads of that name run as well.
    pub(super) fn leader_of(&self, name: &str, namespace: Option<&str>, taken: &BTreeSet<&str>) -> Option<String> {
        let is_own = |lease: &HeldLease<'_>| namespace == Some(lease.namespace);
        let leases = self.0.get(name).into_iter().flatten();
        leases
            .filter(|lease| is_own(lease) || !taken.contains(lease.namespace))
            .max_by_key(|lease| (is_own(lease), lease.renewed))
            .map(|lease| lease.leader.clone())
    }
}

/// A space and, in parentheses, how long ago the last renewal was; empty for a minute or less, or without one.
fn describe_silence(renewed: Option<Timestamp>, now: Timestamp) -> String {
    let silent = renewed.map_or(0, |renewed| now.as_second() - renewed.as_second());
    match u64::try_from(silent).ok().filter(|_| silent > SILENT) {
        Some(seconds) => format!(" (silent for {})", amount::format_age(seconds)),
        None => String::new(),
    }
}
