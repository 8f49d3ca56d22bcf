//! Taking a `pathPattern` directory over from a claim that is gone, and removing the directories of attempts that led to
//! no PV.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};

use super::Work;
use crate::export::{Conflict, ExportError, Location, Owner, VolumePath};
use crate::provisioner::claim;
use crate::provisioner::outcome::WorkError;
use crate::provisioner::served::Served;

/// How many abandoned markers one attempt removes: a path may have several below it.
const TAKEOVERS: usize = 16;

/// The directory that an attempt chose for a claim whose PV is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) location: Location,
    pub(super) directory: VolumePath,
}

impl Work {
    /// Makes a claim the owner of a directory. Markers in the way are removed if their claim and PV are gone.
    pub(super) async fn own(&self, directory: &VolumePath, owner: &Owner, served: &Served) -> Result<(), WorkError> {
        let mut takeovers = 0;
        loop {
            match served.export.take_ownership(directory, owner).await {
                Err(ExportError::Conflict(conflict))
                    if takeovers < TAKEOVERS && self.remove_abandoned(&conflict, served).await =>
                {
                    takeovers += 1;
                }
                owned => return Ok(owned?),
            }
        }
    }

    /// Removes a marker and its directory if the owner and its PV are gone and the directory is empty or missing.
    async fn remove_abandoned(&self, conflict: &Conflict, served: &Served) -> bool {
        let Conflict { marked, owner, .. } = conflict;
        // Whoever has the lock works for this owner, or takes its directory over.
        let Some(_lock) = served.try_lock_volume(&claim::volume_for(&owner.uid)) else {
            return false;
        };
        let removed = async {
            if !self.is_gone(owner).await? {
                return Ok(false);
            }
            self.still_leading()?;
            let is_removed = served.export.remove_unused_directory(marked, &owner.uid).await?;
            if is_removed {
                let volume = claim::volume_for(&owner.uid);
                self.remove_empty_parents(marked, &volume, served).await;
            }
            Ok::<_, WorkError>(is_removed)
        };
        match removed.await {
            Ok(true) => {
                tracing::info!(directory = %marked, %owner, "removed the empty directory of a claim that is gone");
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::debug!(directory = %marked, %owner, "not taken over: {error}");
                false
            }
        }
    }

    /// Whether an owner is a claim of this provisioner, and neither the claim nor its PV exists.
    async fn is_gone(&self, owner: &Owner) -> Result<bool, WorkError> {
        let Some(known) = &owner.claim else {
            return Ok(false);
        };
        let classes: Api<StorageClass> = Api::all(self.client.clone());
        let classes = self.ask("list classes", classes.list(&Default::default())).await?;
        // The claims of other classes may be in another cluster.
        let is_served = |class: &StorageClass| {
            class.provisioner == self.settings.name && class.metadata.uid.as_ref() == Some(&known.class_uid)
        };
        if !classes.iter().any(is_served) {
            return Ok(false);
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &known.namespace);
        let action = format!("read claim {}", known.name);
        let live = self.ask(&action, claims.get_opt(&known.name)).await?;
        if live.is_some_and(|live| live.uid().as_ref() == Some(&owner.uid)) {
            return Ok(false);
        }
        // The PV comes second: once the claim is gone, no new PV is created for it.
        Ok(!self.volume_exists(&owner.uid).await?)
    }

    /// Records the directory that an attempt chose, and removes that of an earlier one for another place.
    pub(super) async fn begin_attempt(&self, claim_uid: &str, attempt: Attempt) {
        let former = self.attempts().insert(claim_uid.to_owned(), attempt.clone());
        if let Some(former) = former.filter(|former| *former != attempt) {
            self.remove_attempt(claim_uid, &former).await;
        }
    }

    /// The claim has its PV.
    pub(super) fn end_attempt(&self, claim_uid: &str) {
        self.attempts().remove(claim_uid);
    }

    /// A claim was bound or deleted: if no attempt led to a PV, their directory is removed.
    pub(in crate::provisioner) fn claim_left(self: &Arc<Self>, claim_uid: &str) {
        let Some(attempt) = self.attempts().get(claim_uid).cloned() else {
            return;
        };
        let (work, claim_uid) = (self.clone(), claim_uid.to_owned());
        tokio::spawn(async move {
            let Some(served) = work.exports.at(&attempt.location) else {
                return;
            };
            // An attempt that is under way may still succeed.
            let _lock = served.lock_volume(&claim::volume_for(&claim_uid)).await;
            let left = work.attempts().remove(&claim_uid);
            if let Some(left) = left.filter(|_| work.still_serving().is_ok()) {
                work.remove_attempt(&claim_uid, &left).await;
            }
        });
    }

    /// All claims that wait were listed: the others were bound or deleted.
    pub(in crate::provisioner) fn claims_listed(self: &Arc<Self>, uids: &HashSet<String>) {
        self.claim_retries().keep_only(uids);
        let left: Vec<String> = self
            .attempts()
            .keys()
            .filter(|uid| !uids.contains(*uid))
            .cloned()
            .collect();
        for uid in left {
            self.claim_left(&uid);
        }
    }

    /// Removes the directory of an attempt if it is empty and the claim has no PV. What fails here stays, and is listed by
    /// `volumes orphans`.
    async fn remove_attempt(&self, claim_uid: &str, attempt: &Attempt) {
        let Attempt { location, directory } = attempt;
        let removed = async {
            let Some(served) = self.exports.at(location) else {
                return Ok(());
            };
            // A request that failed here may have created it.
            if self.volume_exists(claim_uid).await? {
                return Ok(());
            }
            self.still_leading()?;
            match served.export.remove_unused_directory(directory, claim_uid).await? {
                true => {
                    let volume = claim::volume_for(claim_uid);
                    self.remove_empty_parents(directory, &volume, served).await;
                    tracing::info!(%directory, uid = claim_uid, "removed the directory of an attempt without a PV");
                }
                false => tracing::warn!(%directory, uid = claim_uid, "not removed: it has no PV and is not empty"),
            }
            Ok::<_, WorkError>(())
        };
        if let Err(error) = removed.await {
            tracing::warn!(%directory, uid = claim_uid, "not removed, though it has no PV: {error}");
        }
    }

    async fn volume_exists(&self, claim_uid: &str) -> Result<bool, WorkError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let name = claim::volume_for(claim_uid);
        let found = self.ask(&format!("read PV {name}"), volumes.get_opt(&name)).await?;
        Ok(found.is_some())
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<String, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "ownership_tests.rs"]
mod tests;
