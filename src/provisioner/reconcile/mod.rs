//! The effects of the rules on one claim or one volume.
//!
//! [`Work`] is what all of them share; provisioning, deletion, ownership of directories and the trash have a file each.

mod delete;
mod ownership;
mod provision;
mod trash;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff::Retries;
use super::events::Events;
use super::lease::Leading;
use super::metrics::{Counts, Metrics};
use super::neighbours::Neighbours;
use super::outcome::WorkError;
use super::served::Exports;
use crate::export::ExportError;
use crate::export::MayContinue;

/// What the provisioner was told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The provisioner's name, as in the classes.
    pub name: String,
    /// Only claims of this namespace, if given.
    pub namespace: Option<String>,
    /// Say what would be made, and make nothing.
    pub dry_run: bool,
    /// How long one request to the API server may take.
    pub request_timeout: Duration,
}

/// The provisioner at work: everything that acts on claims and volumes.
pub struct Work {
    /// What it was told.
    pub settings: Settings,
    /// What it did and has to do, in numbers.
    pub metrics: Metrics,
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) exports: Exports,
    claim_retries: Mutex<Retries>,
    volume_retries: Mutex<Retries>,
    neighbours: Mutex<Neighbours>,
    /// Whether all PVs have been listed, so that no neighbour is overlooked.
    volumes_known: watch::Sender<bool>,
    /// The directories of claims without a PV, by the claim's uid.
    attempts: Mutex<HashMap<String, ownership::Attempt>>,
    /// The uids of classes of which it was told that some of what they say has no effect.
    told_classes: Mutex<HashSet<String>>,
    leading: Leading,
    stopping: Arc<AtomicBool>,
    started: Instant,
}

impl Work {
    /// The work of a provisioner with these settings on these exports.
    pub fn new(settings: Settings, client: Client, exports: Exports, events: Events) -> Self {
        let neighbours = Neighbours::new(exports.locations());
        Self {
            settings,
            metrics: Metrics::default(),
            client,
            events,
            exports,
            claim_retries: Mutex::default(),
            volume_retries: Mutex::default(),
            neighbours: Mutex::new(neighbours),
            volumes_known: watch::Sender::new(false),
            attempts: Mutex::default(),
            told_classes: Mutex::default(),
            leading: Leading::always(),
            stopping: Arc::default(),
            started: Instant::now(),
        }
    }

    /// The same, with nothing begun unless `leading`.
    pub fn only_while(self, leading: Leading) -> Self {
        Self { leading, ..self }
    }

    /// To be asked right before an effect: much may have happened since the work was begun.
    fn still_leading(&self) -> Result<(), WorkError> {
        match self.leading.still(Instant::now()) {
            true => Ok(()),
            false => Err(WorkError::NotLeading),
        }
    }

    /// From now on nothing new is begun, or things are begun again.
    pub fn stop(&self, stop: bool) {
        self.stopping.store(stop, Ordering::Relaxed);
    }

    /// To be asked when one's turn has come: it may have come because everything ends.
    fn still_serving(&self) -> Result<(), WorkError> {
        match self.stopping.load(Ordering::Relaxed) {
            true => Err(WorkError::Stopping),
            false => self.still_leading(),
        }
    }

    /// What a removal asks before each entry: it ends when the provisioner is stopped or no longer leads.
    fn may_continue(&self) -> MayContinue {
        let (stopping, leading) = (self.stopping.clone(), self.leading.clone());
        Arc::new(move || !stopping.load(Ordering::Relaxed) && leading.still(Instant::now()))
    }

    /// Tells that all PVs have been noted as neighbours.
    pub(super) fn volumes_are_known(&self) {
        self.volumes_known.send_replace(true);
    }

    /// Waits until all PVs have been noted, as long as the API server may take for an answer.
    async fn until_volumes_are_known(&self) -> Result<(), WorkError> {
        let mut known = self.volumes_known.subscribe();
        let waited = tokio::time::timeout(self.settings.request_timeout, known.wait_for(|known| *known)).await;
        match waited {
            Ok(_) => Ok(()),
            Err(_) => Err(WorkError::Silent {
                action: "list PVs".to_owned(),
                after: self.settings.request_timeout,
            }),
        }
    }

    /// Removes what earlier versions wrote on the exports for the classes with these uids, as far as that succeeds.
    pub(super) async fn clean_up_after_upgrade(&self, class_uids: &HashSet<String>) {
        let cleaned = self.exports.iter().map(|served| async move {
            if self.settings.dry_run || self.still_serving().is_err() {
                return;
            }
            match served.export.remove_progress_records(class_uids).await {
                Ok(()) => {}
                Err(error @ ExportError::Failed { .. }) => {
                    tracing::debug!(export = %served.location, "records of an earlier version not removed: {error}");
                }
                // This is also the first look at each export.
                Err(error) => tracing::warn!("{error}; its claims wait"),
            }
        });
        futures::future::join_all(cleaned).await;
    }

    /// The PVs on the exports.
    pub(super) fn neighbours(&self) -> MutexGuard<'_, Neighbours> {
        self.neighbours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request to the API server, with an end.
    async fn ask<T>(
        &self,
        action: &str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, WorkError> {
        let after = self.settings.request_timeout;
        match tokio::time::timeout(after, request).await {
            Ok(answer) => answer.map_err(|source| WorkError::Api {
                action: action.to_owned(),
                source,
            }),
            Err(_) => Err(WorkError::Silent {
                action: action.to_owned(),
                after,
            }),
        }
    }

    /// How much there is to do, and how much was done.
    pub fn counts(&self) -> Counts {
        self.metrics.counts(&self.claim_retries(), self.still_leading().is_ok())
    }

    /// The failures of claims.
    pub(super) fn claim_retries(&self) -> MutexGuard<'_, Retries> {
        // The counts are good whatever happened to a thread that held them.
        self.claim_retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failures of volumes.
    pub(super) fn volume_retries(&self) -> MutexGuard<'_, Retries> {
        self.volume_retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the provisioner has run.
    pub(super) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn has_failed(&self, claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> bool {
        let uid = claim.metadata.uid.as_deref().unwrap_or_default();
        self.claim_retries().has_failed(uid, &facts(claim, class))
    }
}

/// What a claim's outcome depends on: the versions of the claim and of its class.
pub(super) fn facts(claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> String {
    let class = class.and_then(ResourceExt::resource_version).unwrap_or_default();
    format!("{} {class}", claim.resource_version().unwrap_or_default())
}

/// `namespace/name`, as kubectl writes it.
pub fn key(claim: &PersistentVolumeClaim) -> String {
    format!("{}/{}", claim.namespace().unwrap_or_default(), claim.name_any())
}

#[cfg(test)]
mod tests;
