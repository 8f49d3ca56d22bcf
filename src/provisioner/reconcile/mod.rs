//! Reconciles one claim or one volume: asks the rules, then changes the export and the cluster.
//!
//! [`Reconciler`] is the state that all of it shares. Provisioning, expansion, deletion, ownership of directories,
//! records, limits and the trash have a file each. The decisions are in `rules`.

mod delete;
mod expand;
mod limit_warnings;
mod limits;
mod ownership;
mod provision;
mod record;
mod trash;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff::Retries;
use super::class::OnDelete;
use super::events::Events;
use super::lease::Leadership;
use super::metrics::{Counts, Metrics};
use super::neighbours::Neighbours;
use super::outcome::ReconcileError;
use super::served::{Exports, Served};
use crate::export::{MayContinue, ServerNames, VolumePath};

#[derive(Clone, Debug)]
pub struct Settings {
    /// The provisioner's name, as in the classes.
    pub name: String,
    /// The only namespace to serve, if given.
    pub namespace: Option<String>,
    /// Change nothing, and log what would be done.
    pub dry_run: bool,
    /// Of one request to the API server.
    pub request_timeout: Duration,
    /// How often the limits of volumes are checked.
    pub limits_interval: Duration,
    /// Whether metrics tell what each limited volume uses.
    pub reports_usage: bool,
}

/// Everything that acts on claims and volumes.
pub struct Reconciler {
    pub settings: Settings,
    pub metrics: Metrics,
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) exports: Exports,
    claim_retries: Mutex<Retries>,
    volume_retries: Mutex<Retries>,
    /// The uids of volumes that are deleted, but still watched: their last changes are no reason to look at them again.
    deleted: Mutex<HashSet<String>>,
    neighbours: Mutex<Neighbours>,
    /// Whether all PVs have been recorded in `neighbours`.
    volumes_known: watch::Sender<bool>,
    /// The directories chosen for claims that have no PV yet, by the claim's uid.
    attempts: Mutex<HashMap<String, ownership::Attempt>>,
    /// The uids of classes for which a `WithoutEffect` event was published.
    told_classes: Mutex<HashSet<String>>,
    /// The volumes whose records on the exports are out of date.
    records: record::Records,
    limits: limits::Limits,
    leading: Leadership,
    stopping: Arc<AtomicBool>,
    started: Instant,
}

impl Reconciler {
    /// Reconciles with these settings on these exports. It always counts as leading; see
    /// [`Reconciler::with_leadership`].
    pub fn new(settings: Settings, client: Client, exports: Exports, events: Events) -> Self {
        let neighbours = Neighbours::new(exports.locations());
        let records = record::Records::new(exports.locations().len());
        Self {
            settings,
            metrics: Metrics::default(),
            client,
            events,
            exports,
            claim_retries: Mutex::default(),
            volume_retries: Mutex::default(),
            deleted: Mutex::default(),
            neighbours: Mutex::new(neighbours),
            volumes_known: watch::Sender::new(false),
            attempts: Mutex::default(),
            told_classes: Mutex::default(),
            records,
            limits: limits::Limits::default(),
            leading: Leadership::always_held(),
            stopping: Arc::default(),
            started: Instant::now(),
        }
    }

    /// The same, but it changes nothing unless `leading` holds.
    pub fn with_leadership(self, leading: Leadership) -> Self {
        Self { leading, ..self }
    }

    /// Fails with `NotLeading` unless this provisioner leads now. Called right before each effect, since the lease may
    /// have been lost during a slow request.
    fn require_leadership(&self) -> Result<(), ReconcileError> {
        match self.leading.is_held_at(Instant::now()) {
            true => Ok(()),
            false => Err(ReconcileError::NotLeading),
        }
    }

    /// With true, no further claim or volume is begun, those that wait for a permit end with `Stopping`, and removals
    /// are interrupted; with false they are begun again.
    pub fn set_stopping(&self, stop: bool) {
        self.stopping.store(stop, Ordering::Relaxed);
    }

    /// Called once a permit is there: fails with `Stopping` or `NotLeading` if the provisioner was stopped meanwhile or
    /// no longer leads.
    fn require_serving(&self) -> Result<(), ReconcileError> {
        match self.stopping.load(Ordering::Relaxed) {
            true => Err(ReconcileError::Stopping),
            false => self.require_leadership(),
        }
    }

    /// For removals, which ask it before each entry: false once the provisioner is stopped or no longer leads.
    fn may_continue(&self) -> MayContinue {
        let (stopping, leading) = (self.stopping.clone(), self.leading.clone());
        Arc::new(move || !stopping.load(Ordering::Relaxed) && leading.is_held_at(Instant::now()))
    }

    /// Notes that all PVs have been recorded, which [`Reconciler::wait_until_volumes_listed`] waits for.
    pub(super) fn mark_volumes_listed(&self) {
        self.volumes_known.send_replace(true);
    }

    /// Called when the watches have ended: PVs count as not listed, and limits, stores and the metrics of limits and
    /// trash are forgotten, since another replica may lead now. Neighbours stay until the next list.
    pub(super) fn forget_watched_objects(&self) {
        self.volumes_known.send_replace(false);
        self.forget_all_limits();
        self.metrics.set_watched(None);
        self.metrics.limits.forget_all();
        self.metrics.forget_trash();
    }

    /// Waits until all PVs have been recorded once since the watches began, at most for the request timeout; then fails
    /// with `ApiTimeout`. During later lists it doesn't wait.
    async fn wait_until_volumes_listed(&self) -> Result<(), ReconcileError> {
        let mut known = self.volumes_known.subscribe();
        let waited = tokio::time::timeout(self.settings.request_timeout, known.wait_for(|known| *known)).await;
        match waited {
            Ok(_) => Ok(()),
            Err(_) => Err(ReconcileError::ApiTimeout {
                action: "list PVs".to_owned(),
                after: self.settings.request_timeout,
            }),
        }
    }

    /// Logs a warning for each further export that can't be used now; the first was probed before serving began.
    pub(super) async fn warn_of_unusable_exports(&self) {
        let probed = self.exports.iter().skip(1).map(|served| async {
            if let Err(error) = served.export.probe_root().await {
                tracing::warn!("{error}; its claims stay Pending");
            }
        });
        join_all(probed).await;
    }

    /// Removes what earlier versions wrote on the exports for the classes with these uids, except in a dry run or as a
    /// standby. What fails stays.
    pub(super) async fn remove_former_records(&self, class_uids: &HashSet<String>) {
        if self.settings.dry_run {
            return;
        }
        let cleaned = self.exports.iter().map(|served| async {
            if self.require_serving().is_ok()
                && let Err(error) = served.export.remove_progress_records(class_uids).await
            {
                tracing::debug!(export = %served.location, "records of an earlier version not removed: {error}");
            }
        });
        join_all(cleaned).await;
    }

    /// The directories of the PVs on the exports.
    pub(super) fn lock_neighbours(&self) -> MutexGuard<'_, Neighbours> {
        self.neighbours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a PV other than `volume` whose directory is at, above or below `directory` of the export; `removal`
    /// is what is to be done with it, `None` to create it. A PV on a server whose name can't be resolved protects its
    /// directory from removal only: else one server that is gone could keep claims of all others Pending. The caller
    /// must have waited until all PVs are listed. Resolving names may take seconds.
    pub(super) async fn find_neighbour(
        &self,
        served: &Served,
        directory: &VolumePath,
        volume: &str,
        removal: Option<OnDelete>,
    ) -> Option<String> {
        let owned = |(server, name): (&str, &str)| (server.to_owned(), name.to_owned());
        let found: Vec<(String, String)> = {
            let neighbours = self.lock_neighbours();
            let found = neighbours.find_conflicts(&served.location, directory, volume, removal);
            found.into_iter().map(owned).collect()
        };
        let servers = ServerNames::known([served.location.server.as_str()]);
        let servers = servers.compare(found.iter().map(|(server, _)| server.clone())).await;
        let counts = |server: &str| match removal {
            None => servers.is_known(server),
            Some(_) => servers.may_be(server),
        };
        found
            .into_iter()
            .find(|(server, _)| counts(server))
            .map(|(_, name)| name)
    }

    /// Sends one request to the API server, with the request timeout and without a retry. After a timeout, the server
    /// may still carry it out. `action` is for the error: a verb and its object.
    async fn call_api<T>(
        &self,
        action: &str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ReconcileError> {
        let after = self.settings.request_timeout;
        match tokio::time::timeout(after, request).await {
            Ok(answer) => answer.map_err(|source| ReconcileError::Api {
                action: action.to_owned(),
                source,
            }),
            Err(_) => Err(ReconcileError::ApiTimeout {
                action: action.to_owned(),
                after,
            }),
        }
    }

    /// The claims of the only namespace that is served, or of the cluster.
    pub(super) fn served_claims(&self) -> Api<PersistentVolumeClaim> {
        crate::cluster::api_in(&self.client, self.settings.namespace.as_deref())
    }

    /// The PV of this name; `None` if there is none.
    async fn find_volume(&self, name: &str) -> Result<Option<PersistentVolume>, ReconcileError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        self.call_api(&format!("read PV {name}"), volumes.get_opt(name)).await
    }

    /// The claim of this name; `None` if there is none.
    async fn find_claim(&self, namespace: &str, name: &str) -> Result<Option<PersistentVolumeClaim>, ReconcileError> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        self.call_api(&format!("read claim {name}"), claims.get_opt(name)).await
    }

    /// How many claims and volumes are pending, in flight and done.
    pub fn current_counts(&self) -> Counts {
        self.metrics
            .current_counts(&self.lock_claim_retries(), self.require_leadership().is_ok())
    }

    /// The failures of claims.
    pub(super) fn lock_claim_retries(&self) -> MutexGuard<'_, Retries> {
        // The counts stay valid if a thread panicked while it held the lock.
        self.claim_retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failures of volumes.
    pub(super) fn lock_volume_retries(&self) -> MutexGuard<'_, Retries> {
        self.volume_retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The uids of volumes that are deleted, but still watched.
    pub(super) fn lock_deleted(&self) -> MutexGuard<'_, HashSet<String>> {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the provisioner started.
    pub(super) fn time_since_start(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the claim has failed or was refused before with these versions of claim and class.
    fn has_failed_before(&self, claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> bool {
        let uid = claim.metadata.uid.as_deref().unwrap_or_default();
        self.lock_claim_retries().has_failed(uid, &retry_key(claim, class))
    }
}

/// The versions of a claim and of its class: while they stay the same, failures of the claim are counted up.
pub(super) fn retry_key(claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> String {
    let class = class.and_then(ResourceExt::resource_version).unwrap_or_default();
    format!("{} {class}", claim.resource_version().unwrap_or_default())
}

/// `namespace/name`, as kubectl writes it.
pub fn claim_key(claim: &PersistentVolumeClaim) -> String {
    format!("{}/{}", claim.namespace().unwrap_or_default(), claim.name_any())
}

#[cfg(test)]
mod tests;
