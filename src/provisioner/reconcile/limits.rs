//! Checks again and again that the server enforces the limits of volumes, and clears limits that hold for nothing.
//!
//! One script a round and export reports all project quotas, and what statfs says of one directory, each time another.
//! A second one clears the limits that nothing had at two rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use tokio::time::sleep;

use super::Reconciler;
use super::limit_warnings::limit_warnings;
use crate::export::{Location, QuotaReport};
use crate::provisioner::metrics::VolumeGauges;
use crate::provisioner::served::Served;
use crate::provisioner::volume::{self, LimitedVolume};

/// The length of a UUID as text.
const UID_LENGTH: usize = 36;

/// What other tasks record for the rounds.
#[derive(Default)]
pub(super) struct Limits {
    /// The volumes whose directories are limited, by the PV's name.
    volumes: Mutex<BTreeMap<String, LimitedVolume>>,
    /// Names of directories that were removed from the trash since the last round on their export.
    removed: Mutex<Vec<(Location, String)>>,
}

/// What earlier rounds on an export found.
#[derive(Default)]
struct Rounds {
    /// The number of rounds.
    count: usize,
    /// The limits that nothing had at the last round. They may be those of directories that are just being created.
    unused: BTreeMap<u32, u64>,
    /// The last reason against enforcement.
    not_enforced: Option<String>,
}

impl Reconciler {
    fn lock_limited(&self) -> MutexGuard<'_, BTreeMap<String, LimitedVolume>> {
        // Each entry is written as a whole.
        self.limits.volumes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a directory was removed from the trash, if its export can have limits.
    pub(super) fn note_removal(&self, served: &Served, name: &str) {
        if served.export.check_can_limit().is_ok() {
            let entry = (served.location.clone(), name.to_owned());
            let mut removed = self.limits.removed.lock().unwrap_or_else(PoisonError::into_inner);
            removed.push(entry);
        }
    }

    /// Returns the names that were noted for an export, and forgets them.
    fn take_removals(&self, location: &Location) -> Vec<String> {
        let mut removed = self.limits.removed.lock().unwrap_or_else(PoisonError::into_inner);
        let here = removed.extract_if(.., |(other, _)| other == location);
        here.map(|(_, name)| name).collect()
    }

    /// Notes a PV for the checks if its directory is limited and on an export that is served; else forgets it.
    pub(in crate::provisioner) fn note_limit(&self, pv: &PersistentVolume) {
        match volume::find_limit(pv, self.exports.locations()) {
            Some(limited) => _ = self.lock_limited().insert(pv.name_any(), limited),
            None => self.forget_limit(&pv.name_any()),
        }
    }

    /// Forgets a PV that is gone or not limited: its limit is no longer checked, and stays on the server.
    pub(in crate::provisioner) fn forget_limit(&self, volume: &str) {
        self.lock_limited().remove(volume);
    }

    /// Forgets all volumes before the PVs are listed again: some may have been deleted unseen.
    pub(in crate::provisioner) fn forget_all_limits(&self) {
        self.lock_limited().clear();
    }

    /// Checks the limits on every export again and again, once the PVs are listed; in a dry run too, which clears none.
    pub(in crate::provisioner) async fn check_limits_repeatedly(&self) -> Infallible {
        let each = self.exports.iter().map(|served| async move {
            let mut rounds = Rounds::default();
            loop {
                if self.wait_until_volumes_listed().await.is_ok() {
                    self.check_limits(served, &mut rounds).await;
                }
                sleep(self.settings.limits_interval).await;
            }
        });
        match join_all(each).await.pop() {
            Some(never) => never,
            None => std::future::pending().await,
        }
    }

    /// One round on one export: checks one volume's limit, each time the next one's, logs and publishes warnings,
    /// records metrics and clears limits that hold for nothing. An export that never had limited volumes is not asked;
    /// errors are logged only, and the export's metrics forgotten.
    async fn check_limits(&self, served: &Served, rounds: &mut Rounds) {
        let volumes: Vec<(String, LimitedVolume)> = {
            let all = self.lock_limited();
            let here = all.iter().filter(|(_, limited)| limited.location == served.location);
            here.map(|(name, limited)| (name.clone(), limited.clone())).collect()
        };
        let removed = self.take_removals(&served.location);
        // Most exports have no limits: they are not asked.
        if (volumes.is_empty() && rounds.count == 0) || served.export.check_can_limit().is_err() {
            return;
        }
        let sample = match volumes.len() {
            0 => None,
            count => Some(&volumes[rounds.count % count]),
        };
        rounds.count += 1;
        let export = served.location.to_string();
        let directory = sample.map(|(_, limited)| &limited.directory);
        let report = match served.export.report_quotas(directory).await {
            Ok(report) => report,
            Err(error) => {
                tracing::debug!(export, "limits not checked: {error}");
                self.metrics.limits.forget_export(&export);
                return;
            }
        };
        if sample.is_none() {
            self.metrics.limits.forget_export(&export);
        }
        let mut not_enforced = None;
        if let (Some(directory), Some(enforced)) = (directory, report.check_enforcement()) {
            self.metrics.limits.record_enforcement(&export, enforced.is_ok());
            let why = enforced.err();
            if let Some(why) = &why
                && rounds.not_enforced.is_none()
            {
                tracing::warn!(export, "the size of {directory} is not enforced: {why}");
            }
            rounds.not_enforced.clone_from(&why);
            not_enforced = why;
        }
        for warning in limit_warnings(&volumes, sample, &report, not_enforced.as_deref()) {
            warning.publish(&self.events);
        }
        if self.settings.reports_usage {
            self.metrics
                .limits
                .record_usage(&export, volume_gauges(&volumes, &report));
        }
        for kept in kept_limits(&removed, &report) {
            tracing::warn!(export, "{kept}");
        }
        self.clear_limits(served, rounds, &report).await;
    }

    /// Clears the limits that nothing had at this round and, with the same size, at the last one; not in a dry run, nor
    /// as a standby. Errors are logged only.
    async fn clear_limits(&self, served: &Served, rounds: &mut Rounds, report: &QuotaReport) {
        let export = served.location.to_string();
        let unused = report.unused_limits();
        let still_unused: Vec<u32> = unused
            .iter()
            .filter(|(id, kib)| rounds.unused.get(id) == Some(kib))
            .map(|(id, _)| *id)
            .collect();
        rounds.unused = unused;
        if still_unused.is_empty() || self.settings.dry_run || self.require_serving().is_err() {
            return;
        }
        match served.export.clear_unused_limits(&still_unused).await {
            Ok(cleared) => {
                let cleared: BTreeSet<u32> = cleared.into_iter().collect();
                rounds.unused.retain(|id, _| !cleared.contains(id));
                tracing::info!(export, limits = cleared.len(), "cleared limits of deleted volumes");
            }
            Err(error) => tracing::warn!(export, "limits of deleted volumes not cleared: {error}"),
        }
    }
}

/// Why the limits of directories that were removed from the trash are not cleared, where that is so. Entries of the
/// trash are called as their PVs, maybe with a time behind that.
fn kept_limits(removed: &[String], report: &QuotaReport) -> Vec<String> {
    let kept = |name: &String| {
        let uid = volume::provisioned_uid(name)?.get(..UID_LENGTH)?;
        let files = report
            .usage_of(uid)
            .map(|usage| usage.files)
            .filter(|files| *files > 0)?;
        Some(format!(
            "the limit of the deleted volume {name} is kept: {files} files elsewhere on the file system belong to its project"
        ))
    };
    removed.iter().filter_map(kept).collect()
}

/// What volumes use, and their limits, for their metrics; a volume without a project in the report is left out.
fn volume_gauges(volumes: &[(String, LimitedVolume)], report: &QuotaReport) -> Vec<VolumeGauges> {
    let gauges = |(_, limited): &(String, LimitedVolume)| {
        let usage = report.usage_of(limited.limit_uid.as_deref()?)?;
        Some(VolumeGauges {
            namespace: limited.namespace.clone(),
            claim: limited.claim.clone(),
            used_bytes: usage.used_bytes,
            capacity_bytes: usage.limit_bytes,
        })
    };
    volumes.iter().filter_map(gauges).collect()
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
