//! Metrics: for Prometheus, for probes and for the status line on the terminal.
//!
//! Counters have the names of sig-storage-lib-external-provisioner, so that dashboards and alerts for other
//! provisioners work. Gauges begin with `nfsprov_` and are read when they are asked for.

mod limits;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::reflector::Store;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use limits::{LimitMetrics, VolumeGauges};

use super::backoff::Retries;
use super::claim;
use super::outcome::{DeletionOutcome, ProvisionOutcome, ReconcileError};
use super::volume;

/// Upper bounds of the buckets in seconds: those of the library, which are the Go client's defaults.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Names and values.
type Labels = Vec<(&'static str, String)>;

type Gauges = Family<Labels, Gauge<u64, AtomicU64>>;

/// The result of probing an export: its free bytes, if the server tells them, or why it can't be used.
pub type Probe = Result<Option<u64>, String>;

#[derive(Default)]
pub struct Metrics {
    provisioning: Attempts,
    deletion: Attempts,
    bound: AtomicU64,
    /// A clone for each claim in flight.
    claims_in_flight: Arc<()>,
    /// A clone for each volume in flight.
    volumes_in_flight: Arc<()>,
    watched: Mutex<Option<Watched>>,
    probes: Mutex<BTreeMap<String, Probe>>,
    trash: Mutex<BTreeMap<String, Trash>>,
    pub limits: LimitMetrics,
}

/// The trash of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trash {
    /// The number of directories that are not removed yet.
    pub entries: usize,
    /// The age of the oldest.
    pub oldest_seconds: u64,
}

/// How often attempts of one kind succeeded and failed, and how long those took that succeeded.
struct Attempts {
    succeeded: Family<Labels, Counter>,
    failed: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            succeeded: Family::default(),
            failed: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Attempts {
    fn count_success(&self, labels: &Labels, took: Duration) {
        self.succeeded.get_or_create(labels).inc();
        self.seconds.get_or_create(labels).observe(took.as_secs_f64());
    }

    fn count_failure(&self, labels: &Labels) {
        self.failed.get_or_create(labels).inc();
    }

    /// Adds them to the registry under `name`; `help` is about successes, failures and durations.
    fn register(&self, registry: &mut Registry, name: &str, help: [&str; 3]) {
        registry.register(name, help[0], self.succeeded.clone());
        registry.register(format!("{name}_failed"), help[1], self.failed.clone());
        registry.register(format!("{name}_duration_seconds"), help[2], self.seconds.clone());
    }
}

/// The stores of the loop.
pub struct Watched {
    pub claims: Store<PersistentVolumeClaim>,
    pub volumes: Store<PersistentVolume>,
    pub classes: Store<StorageClass>,
}

/// How many claims and volumes there are, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pending claims, including the next two.
    pub pending: usize,
    pub provisioning: usize,
    /// Claims whose last attempt failed.
    pub failed: usize,
    /// Claims provisioned since the start.
    pub bound: u64,
    /// Volumes to delete, including the next.
    pub released: usize,
    pub deleting: usize,
    pub leading: bool,
}

impl fmt::Display for Counts {
    /// The counts of claims; those of volumes and the leadership are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pending,
            provisioning,
            failed,
            bound,
            ..
        } = self;
        write!(
            f,
            "claims: {pending} pending, {provisioning} provisioning, {bound} bound, {failed} failed"
        )
    }
}

impl Metrics {
    /// Counts a claim as in flight until the result is dropped.
    pub fn claim_in_flight(&self) -> Arc<()> {
        self.claims_in_flight.clone()
    }

    /// Counts a volume as in flight until the result is dropped.
    pub fn volume_in_flight(&self) -> Arc<()> {
        self.volumes_in_flight.clone()
    }

    /// Counts the outcome of a claim: a PV that this attempt created, or a failed attempt. A refusal counts as a
    /// failure, as for the library; an attempt that ended because of stopping or lost leadership counts as nothing.
    pub fn count_claim(&self, claim: &PersistentVolumeClaim, result: &Result<ProvisionOutcome, ReconcileError>) {
        let source = claim.spec.as_ref().and_then(|spec| spec.data_source.as_ref());
        let labels = vec![
            ("class", claim::class_name(claim).unwrap_or_default().to_owned()),
            // The kind of the claim's data source, empty without one.
            ("source", source.map(|source| source.kind.clone()).unwrap_or_default()),
        ];
        match result {
            Ok(ProvisionOutcome::Provisioned { took: Some(took), .. }) => {
                self.bound.fetch_add(1, Ordering::Relaxed);
                self.provisioning.count_success(&labels, *took);
            }
            // No attempt was made.
            Err(ReconcileError::NotLeading | ReconcileError::Stopping) => {}
            Ok(ProvisionOutcome::Refused(_)) | Err(_) => self.provisioning.count_failure(&labels),
            Ok(_) => {}
        }
    }

    /// Counts the outcome of a volume: a deletion, or a failed or refused attempt; one that ended because of stopping
    /// or lost leadership counts as nothing.
    pub fn count_volume(&self, volume: &PersistentVolume, result: &Result<DeletionOutcome, ReconcileError>) {
        let labels = vec![("class", volume::class_name(volume).unwrap_or_default().to_owned())];
        match result {
            Ok(DeletionOutcome::Deleted { took, .. }) => self.deletion.count_success(&labels, *took),
            Err(ReconcileError::NotLeading | ReconcileError::Stopping) => {}
            Ok(DeletionOutcome::Refused(_)) | Err(_) => self.deletion.count_failure(&labels),
            Ok(_) => {}
        }
    }

    /// Sets the stores whose claims and volumes are counted from now on; `None` while standing by.
    pub fn set_watched(&self, watched: Option<Watched>) {
        *lock_unpoisoned(&self.watched) = watched;
    }

    /// Records the result of probing an export, in place of the last one. `export` is its location as text.
    pub fn record_probe(&self, export: &str, probe: Probe) {
        lock_unpoisoned(&self.probes).insert(export.to_owned(), probe);
    }

    /// Records the state of an export's trash, in place of the last one. `export` is its location as text.
    pub fn record_trash(&self, export: &str, trash: Trash) {
        lock_unpoisoned(&self.trash).insert(export.to_owned(), trash);
    }

    /// Forgets the trash of all exports: from now on another replica empties it.
    pub fn forget_trash(&self) {
        lock_unpoisoned(&self.trash).clear();
    }

    /// The counts at this moment; while nothing is watched, no claim counts as pending and no volume as released.
    /// `retries` are those of claims.
    pub fn current_counts(&self, retries: &Retries, leading: bool) -> Counts {
        let (claims, released) = match &*lock_unpoisoned(&self.watched) {
            Some(watched) => (watched.pending_claims(), watched.volumes.len()),
            None => (Vec::new(), 0),
        };
        let failed = |claim: &&Arc<PersistentVolumeClaim>| {
            let uid = claim.metadata.uid.as_deref();
            uid.is_some_and(|uid| retries.is_failing(uid))
        };
        Counts {
            pending: claims.len(),
            provisioning: Arc::strong_count(&self.claims_in_flight) - 1,
            failed: claims.iter().filter(failed).count(),
            bound: self.bound.load(Ordering::Relaxed),
            released,
            deleting: Arc::strong_count(&self.volumes_in_flight) - 1,
            leading,
        }
    }

    /// Whether the provisioner can serve: one reachable export is enough. A standby needs no watches for that.
    ///
    /// # Errors
    /// A sentence for each reason against it; one is that no export was probed yet.
    pub fn check_readiness(&self, leading: bool) -> Result<(), String> {
        let watching = match &*lock_unpoisoned(&self.watched) {
            Some(watched) => watched.has_listed(),
            None => false,
        };
        judge_readiness(leading, watching, &lock_unpoisoned(&self.probes))
    }

    /// All metrics as OpenMetrics text, which readers of Prometheus' older text format understand, too.
    pub fn render_text(&self, counts: &Counts) -> String {
        let mut registry = Registry::default();
        self.register_all(&mut registry, counts);
        let mut text = String::new();
        // Writing to a String never fails.
        _ = text::encode(&mut text, &registry);
        text
    }

    fn register_all(&self, registry: &mut Registry, counts: &Counts) {
        self.provisioning.register(
            registry,
            "controller_persistentvolumeclaim_provision",
            [
                "Persistent volumes provisioned, by storage class and source of the claim",
                "Failed attempts to provision a persistent volume, by storage class and source of the claim",
                "Seconds that provisioning took where it succeeded, by storage class and source of the claim",
            ],
        );
        self.deletion.register(
            registry,
            "controller_persistentvolume_delete",
            [
                "Persistent volumes deleted, by storage class",
                "Failed attempts to delete a persistent volume, by storage class",
                "Seconds that deletion took where it succeeded, by storage class",
            ],
        );
        for (name, help, value) in [
            (
                "nfsprov_claims_waiting",
                "Pending claims, those in flight included",
                counts.pending,
            ),
            ("nfsprov_claims_in_flight", "Claims in flight", counts.provisioning),
            (
                "nfsprov_claims_failing",
                "Pending claims whose last attempt failed",
                counts.failed,
            ),
            (
                "nfsprov_volumes_waiting",
                "Volumes to be deleted, those in flight included",
                counts.released,
            ),
            (
                "nfsprov_leader",
                "Whether this replica leads: 1, or 0 for a standby",
                usize::from(counts.leading),
            ),
            ("nfsprov_volumes_in_flight", "Volumes in flight", counts.deleting),
        ] {
            let gauge: Gauge<u64, AtomicU64> = Gauge::default();
            gauge.set(value as u64);
            registry.register(name, help, gauge);
        }
        let probes = lock_unpoisoned(&self.probes);
        registry.register(
            "nfsprov_export_reachable",
            "Whether the last probe reached the export: 1 or 0",
            gauges_by_export(&probes, |probe| Some(u64::from(probe.is_ok()))),
        );
        registry.register(
            "nfsprov_export_free_bytes",
            "Bytes free for volumes on the export, by the last probe",
            // Absent while unknown: an old number would look like a new one.
            gauges_by_export(&probes, |probe| probe.clone().ok().flatten()),
        );
        let trash = lock_unpoisoned(&self.trash);
        registry.register(
            "nfsprov_trash_entries",
            "Deleted directories that are not removed from the export yet",
            gauges_by_export(&trash, |trash| Some(trash.entries as u64)),
        );
        registry.register(
            "nfsprov_trash_oldest_seconds",
            "Age of the oldest deleted directory that is not removed yet",
            gauges_by_export(&trash, |trash| Some(trash.oldest_seconds)),
        );
        self.limits.register(registry);
    }
}

/// A gauge for each export for which `value` gives a number.
fn gauges_by_export<T>(exports: &BTreeMap<String, T>, value: impl Fn(&T) -> Option<u64>) -> Gauges {
    let gauges = Gauges::default();
    for (export, about) in exports {
        if let Some(value) = value(about) {
            gauges.get_or_create(&vec![("export", export.clone())]).set(value);
        }
    }
    gauges
}

impl Watched {
    /// The claims without those that are Bound and to be expanded.
    fn pending_claims(&self) -> Vec<Arc<PersistentVolumeClaim>> {
        let mut claims = self.claims.state();
        claims.retain(|claim| claim::volume_name_in_spec(claim).is_empty());
        claims
    }

    /// Whether the first list of everything that is watched has arrived.
    fn has_listed(&self) -> bool {
        let arrived = |done: Option<Result<(), _>>| matches!(done, Some(Ok(())));
        arrived(self.claims.wait_until_ready().now_or_never())
            && arrived(self.volumes.wait_until_ready().now_or_never())
            && arrived(self.classes.wait_until_ready().now_or_never())
    }
}

/// The reasons against readiness, given whether this replica leads, whether its watches have listed, which only a
/// leader needs, and the last probes, of which one success is enough.
fn judge_readiness(leading: bool, watching: bool, probes: &BTreeMap<String, Probe>) -> Result<(), String> {
    let mut lacking = Vec::new();
    if leading && !watching {
        lacking.push("claims, volumes and classes are not watched yet".to_owned());
    }
    if probes.is_empty() {
        lacking.push("no export was probed yet".to_owned());
    }
    // An export that is down delays its own claims; the replica still serves the others.
    if probes.values().all(Result::is_err) {
        lacking.extend(probes.values().filter_map(|probe| probe.clone().err()));
    }
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(lacking.join("; ")),
    }
}

fn lock_unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The numbers stay valid if a thread panicked while it held the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
