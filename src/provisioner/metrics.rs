//! What the provisioner did and has to do, in numbers: for Prometheus, for probes, for the line on the terminal.
//!
//! What is counted over time goes by the names of sig-storage-lib-external-provisioner, so that
//! dashboards and alerts written for other provisioners work; what is so now starts with `nfsprov_`
//! and is looked up when somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::reflector::Store;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::backoff::Retries;
use super::claim;
use super::outcome::{Disposed, Outcome, WorkError};

/// Upper bounds of the durations' buckets in seconds: the library's, which are the Go client's defaults.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfClaim {
    class: String,
    /// The kind of the claim's data source, empty without one.
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfVolume {
    class: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfExport {
    export: String,
}

#[derive(Clone)]
struct Seconds;

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// What a look at an export found: its free bytes, where the server tells them, or why it can't be used.
pub type Probe = Result<Option<u64>, String>;

/// The numbers of one provisioner.
#[derive(Default)]
pub struct Metrics {
    provisioned: Family<OfClaim, Counter>,
    provision_failed: Family<OfClaim, Counter>,
    provision_seconds: Durations<OfClaim>,
    deleted: Family<OfVolume, Counter>,
    delete_failed: Family<OfVolume, Counter>,
    delete_seconds: Durations<OfVolume>,
    bound: AtomicU64,
    claims_in_flight: AtomicUsize,
    volumes_in_flight: AtomicUsize,
    watched: Mutex<Option<Watched>>,
    probes: Mutex<BTreeMap<String, Probe>>,
    trash: Mutex<BTreeMap<String, Trash>>,
}

/// The trash of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trash {
    /// How many directories wait for their removal.
    pub entries: usize,
    /// For how long the oldest of them has waited.
    pub oldest_seconds: u64,
}

struct Durations<L>(Family<L, Histogram, Seconds>);

impl<L: Clone + std::hash::Hash + Eq> Default for Durations<L> {
    fn default() -> Self {
        Self(Family::new_with_constructor(Seconds))
    }
}

/// What the loop holds of the cluster: claims that wait and volumes that are to go.
pub struct Watched {
    /// Claims that wait for a volume.
    pub claims: Store<PersistentVolumeClaim>,
    /// Volumes that are to be deleted.
    pub volumes: Store<PersistentVolume>,
    /// All classes.
    pub classes: Store<StorageClass>,
}

/// How much there is to do, and how much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Claims that wait for a volume, the next two among them.
    pub pending: usize,
    /// Claims that are worked on at this moment.
    pub provisioning: usize,
    /// Claims whose last try failed, and that will be tried again.
    pub failed: usize,
    /// Claims that got a volume since the start.
    pub bound: u64,
    /// Volumes that are to be deleted.
    pub going: usize,
    /// Volumes that are worked on at this moment.
    pub deleting: usize,
    /// Whether this replica serves; one alone always does.
    pub leading: bool,
}

impl fmt::Display for Counts {
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

/// Counts as a claim or a volume in flight while it lives.
pub struct Flight<'a>(&'a AtomicUsize);

impl<'a> Flight<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Marks a claim as worked on.
    pub fn claim_in_flight(&self) -> Flight<'_> {
        Flight::begin(&self.claims_in_flight)
    }

    /// Marks a volume as worked on.
    pub fn volume_in_flight(&self) -> Flight<'_> {
        Flight::begin(&self.volumes_in_flight)
    }

    /// Counts what became of a claim; a refusal is a failed attempt, as it is for the library.
    pub fn count_claim(&self, claim: &PersistentVolumeClaim, result: &Result<Outcome, WorkError>) {
        let source = claim.spec.as_ref().and_then(|spec| spec.data_source.as_ref());
        let labels = OfClaim {
            class: claim::class_name(claim).unwrap_or_default().to_owned(),
            source: source.map(|source| source.kind.clone()).unwrap_or_default(),
        };
        match result {
            Ok(Outcome::Provisioned { took: Some(took), .. }) => {
                self.bound.fetch_add(1, Ordering::Relaxed);
                self.provisioned.get_or_create(&labels).inc();
                let seconds = self.provision_seconds.0.get_or_create(&labels);
                seconds.observe(took.as_secs_f64());
            }
            // Nothing was tried.
            Err(WorkError::NotLeading | WorkError::Stopping) => {}
            Ok(Outcome::Refused(_)) | Err(_) => _ = self.provision_failed.get_or_create(&labels).inc(),
            Ok(_) => {}
        }
    }

    /// Counts what became of a volume.
    pub fn count_volume(&self, volume: &PersistentVolume, result: &Result<Disposed, WorkError>) {
        let spec = volume.spec.as_ref();
        let labels = OfVolume {
            class: spec
                .and_then(|spec| spec.storage_class_name.clone())
                .unwrap_or_default(),
        };
        match result {
            Ok(Disposed::Gone { took, .. }) => {
                self.deleted.get_or_create(&labels).inc();
                self.delete_seconds.0.get_or_create(&labels).observe(took.as_secs_f64());
            }
            Err(WorkError::NotLeading | WorkError::Stopping) => {}
            Ok(Disposed::Refused(_)) | Err(_) => _ = self.delete_failed.get_or_create(&labels).inc(),
            Ok(_) => {}
        }
    }

    /// Tells what is watched from now on, or that nothing is.
    pub fn watch(&self, watched: Option<Watched>) {
        *lock(&self.watched) = watched;
    }

    /// Tells what a look at an export found.
    pub fn probed(&self, export: &str, probe: Probe) {
        lock(&self.probes).insert(export.to_owned(), probe);
    }

    /// Records the trash of an export as it was found.
    pub fn trash(&self, export: &str, trash: Trash) {
        lock(&self.trash).insert(export.to_owned(), trash);
    }

    /// The counts at this moment, of a replica that leads or stands by.
    pub fn counts(&self, retries: &Retries, leading: bool) -> Counts {
        let (claims, going) = match &*lock(&self.watched) {
            Some(watched) => (watched.claims.state(), watched.volumes.len()),
            None => (Vec::new(), 0),
        };
        let failed = |claim: &&Arc<PersistentVolumeClaim>| {
            let uid = claim.metadata.uid.as_deref();
            uid.is_some_and(|uid| retries.is_failing(uid))
        };
        Counts {
            pending: claims.len(),
            provisioning: self.claims_in_flight.load(Ordering::Relaxed),
            failed: claims.iter().filter(failed).count(),
            bound: self.bound.load(Ordering::Relaxed),
            going,
            deleting: self.volumes_in_flight.load(Ordering::Relaxed),
            leading,
        }
    }

    /// Whether the provisioner can do its work, or what it lacks; one that stands by watches nothing yet.
    ///
    /// # Errors
    /// A sentence for each thing that is lacking.
    pub fn readiness(&self, leading: bool) -> Result<(), String> {
        let watching = match &*lock(&self.watched) {
            Some(watched) => watched.has_listed(),
            None => false,
        };
        readiness(leading, watching, &lock(&self.probes))
    }

    /// All of it as OpenMetrics text, which a reader of Prometheus' older text format understands too.
    pub fn render(&self, counts: &Counts) -> String {
        let mut registry = Registry::default();
        self.describe(&mut registry, counts);
        let mut text = String::new();
        // A String takes all that is written to it.
        _ = text::encode(&mut text, &registry);
        text
    }

    fn describe(&self, registry: &mut Registry, counts: &Counts) {
        registry.register(
            "controller_persistentvolumeclaim_provision",
            "Persistent volumes provisioned, by storage class and source of the claim",
            self.provisioned.clone(),
        );
        registry.register(
            "controller_persistentvolumeclaim_provision_failed",
            "Failed attempts to provision a persistent volume, by storage class and source of the claim",
            self.provision_failed.clone(),
        );
        registry.register(
            "controller_persistentvolumeclaim_provision_duration_seconds",
            "Seconds that provisioning took where it succeeded, by storage class and source of the claim",
            self.provision_seconds.0.clone(),
        );
        registry.register(
            "controller_persistentvolume_delete",
            "Persistent volumes deleted, by storage class",
            self.deleted.clone(),
        );
        registry.register(
            "controller_persistentvolume_delete_failed",
            "Failed attempts to delete a persistent volume, by storage class",
            self.delete_failed.clone(),
        );
        registry.register(
            "controller_persistentvolume_delete_duration_seconds",
            "Seconds that deletion took where it succeeded, by storage class",
            self.delete_seconds.0.clone(),
        );
        for (name, help, value) in [
            (
                "nfsprov_claims_waiting",
                "Claims that wait for a volume now, those in flight among them",
                counts.pending,
            ),
            (
                "nfsprov_claims_in_flight",
                "Claims that are worked on now",
                counts.provisioning,
            ),
            (
                "nfsprov_claims_failing",
                "Claims that wait and whose last try failed",
                counts.failed,
            ),
            (
                "nfsprov_volumes_waiting",
                "Volumes that are to be deleted now, those in flight among them",
                counts.going,
            ),
            (
                "nfsprov_leader",
                "Whether this replica serves: 1, or 0 while it stands by",
                usize::from(counts.leading),
            ),
            (
                "nfsprov_volumes_in_flight",
                "Volumes that are worked on now",
                counts.deleting,
            ),
        ] {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        let (reachable, free) = (
            Family::<OfExport, Gauge>::default(),
            Family::<OfExport, Gauge>::default(),
        );
        for (export, probe) in &*lock(&self.probes) {
            let labels = OfExport { export: export.clone() };
            reachable.get_or_create(&labels).set(i64::from(probe.is_ok()));
            // An old number would look like a new one: there is none while the export can't be asked.
            if let Ok(Some(bytes)) = probe {
                free.get_or_create(&labels)
                    .set(i64::try_from(*bytes).unwrap_or(i64::MAX));
            }
        }
        registry.register(
            "nfsprov_export_reachable",
            "Whether the export could be reached at the last look: 1 or 0",
            reachable,
        );
        registry.register(
            "nfsprov_export_free_bytes",
            "Bytes that the export has left for volumes, at the last look",
            free,
        );
        let (entries, oldest) = (
            Family::<OfExport, Gauge>::default(),
            Family::<OfExport, Gauge>::default(),
        );
        for (export, trash) in &*lock(&self.trash) {
            let labels = OfExport { export: export.clone() };
            let gauge = |value| i64::try_from(value).unwrap_or(i64::MAX);
            entries.get_or_create(&labels).set(gauge(trash.entries as u64));
            oldest.get_or_create(&labels).set(gauge(trash.oldest_seconds));
        }
        registry.register(
            "nfsprov_trash_entries",
            "Deleted directories that are not removed from the export yet, at the last look",
            entries,
        );
        registry.register(
            "nfsprov_trash_oldest_seconds",
            "Seconds that the oldest of them has waited for its removal, at the last look",
            oldest,
        );
    }
}

impl Watched {
    /// Whether the first list of everything that is watched has arrived.
    fn has_listed(&self) -> bool {
        let arrived = |done: Option<Result<(), _>>| matches!(done, Some(Ok(())));
        arrived(self.claims.wait_until_ready().now_or_never())
            && arrived(self.volumes.wait_until_ready().now_or_never())
            && arrived(self.classes.wait_until_ready().now_or_never())
    }
}

/// What is lacking, given whether this replica leads, whether the cluster is watched, and what the last look at each export found.
fn readiness(leading: bool, watching: bool, probes: &BTreeMap<String, Probe>) -> Result<(), String> {
    let mut lacking = Vec::new();
    if leading && !watching {
        lacking.push("claims, volumes and classes are not watched yet".to_owned());
    }
    if probes.is_empty() {
        lacking.push("no export was looked at yet".to_owned());
    }
    // One that does not answer holds up its own claims, and not a replica that can serve the others.
    if probes.values().all(Result::is_err) {
        lacking.extend(probes.values().filter_map(|probe| probe.clone().err()));
    }
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(lacking.join("; ")),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The numbers are good whatever happened to a thread that held them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
