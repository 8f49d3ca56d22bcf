//! Ownership of `pathPattern` directories, and the cleanup after attempts that led to no PV.
//!
//! A marker whose claim and PV are gone is removed when its path is wanted again, if its directory is empty or missing.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};

use super::Reconciler;
use crate::export::{Conflict, ExportError, Owner, VolumePath};
use crate::provisioner::claim;
use crate::provisioner::outcome::ReconcileError;
use crate::provisioner::served::Served;

/// How many abandoned markers one attempt removes; there may be several below a path.
const MAX_ABANDONED_MARKERS: usize = 16;

/// The directory that an attempt chose for a claim that has no PV yet.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) served: Served,
    pub(super) directory: VolumePath,
}

impl Reconciler {
    /// Writes the marker that makes `owner` the owner of a directory. Up to `MAX_ABANDONED_MARKERS` abandoned markers
    /// in the way are removed, with their empty directories. Fails with `Conflict` or `Owned`, as
    /// [`Export::write_owner_marker`](crate::export::Export::write_owner_marker).
    pub(super) async fn write_marker_replacing_abandoned(
        &self,
        directory: &VolumePath,
        owner: &Owner,
        served: &Served,
    ) -> Result<(), ReconcileError> {
        let mut removed = 0;
        loop {
            // The cleanup of an earlier attempt or of an abandoned marker may have taken long.
            self.require_leadership()?;
            match served.export.write_owner_marker(directory, owner).await {
                Err(ExportError::Conflict(conflict))
                    if removed < MAX_ABANDONED_MARKERS && self.remove_abandoned_marker(&conflict, served).await =>
                {
                    removed += 1;
                }
                owned => return Ok(owned?),
            }
        }
    }

    /// Removes a marker, its directory and empty parents if the owner and its PV are gone and the directory is empty or
    /// missing. False if the marker stays, also because the owner's volume is locked or of an error, which is only
    /// logged.
    async fn remove_abandoned_marker(&self, conflict: &Conflict, served: &Served) -> bool {
        let Conflict { owned, owner, .. } = conflict;
        // While the lock is held, the owner is being provisioned or deleted, or its directory is being taken over.
        let Some(_lock) = served.try_lock_volume(&claim::volume_name_for(&owner.uid)) else {
            return false;
        };
        let removed = match self.is_owner_gone(owner).await {
            Ok(true) => self.remove_unused_directory(owned, &owner.uid, served).await,
            not_gone => not_gone,
        };
        match &removed {
            Ok(true) => tracing::info!(directory = %owned, %owner, "removed the empty directory of a deleted claim"),
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(directory = %owned, %owner, "abandoned owner marker not removed: {error}");
            }
        }
        matches!(removed, Ok(true))
    }

    /// Removes a directory that no PV uses, as [`Export::remove_unused_directory`](crate::export::Export) does, and its
    /// empty parents.
    async fn remove_unused_directory(
        &self,
        directory: &VolumePath,
        claim_uid: &str,
        served: &Served,
    ) -> Result<bool, ReconcileError> {
        self.require_leadership()?;
        let is_removed = served.export.remove_unused_directory(directory, claim_uid).await?;
        if is_removed {
            let volume = claim::volume_name_for(claim_uid);
            self.remove_empty_parents(directory, &volume, served).await;
        }
        Ok(is_removed)
    }

    /// Whether an owner was a claim of this provisioner, and neither the claim nor its PV exists. False if only its uid
    /// is known, or its class is unknown or gone: it may be another cluster's.
    async fn is_owner_gone(&self, owner: &Owner) -> Result<bool, ReconcileError> {
        let Some(known) = &owner.claim else {
            return Ok(false);
        };
        let classes: Api<StorageClass> = Api::all(self.client.clone());
        let classes = self.call_api("list classes", classes.list(&Default::default())).await?;
        // The claims of other classes may be in another cluster.
        let is_served = |class: &StorageClass| {
            class.provisioner == self.settings.name && class.metadata.uid.as_ref() == Some(&known.class_uid)
        };
        if !classes.iter().any(is_served) {
            return Ok(false);
        }
        let live = self.find_claim(&known.namespace, &known.name).await?;
        if live.is_some_and(|live| live.uid().as_ref() == Some(&owner.uid)) {
            return Ok(false);
        }
        // The PV comes second: once the claim is gone, no new PV is created for it.
        Ok(self.find_volume(&claim::volume_name_for(&owner.uid)).await?.is_none())
    }

    /// Records the directory that an attempt chose. An earlier attempt's directory is removed if it is another one and
    /// is empty. The caller must hold the volume's lock.
    pub(super) async fn begin_attempt(&self, claim_uid: &str, attempt: Attempt) {
        let (location, directory) = (attempt.served.location.clone(), attempt.directory.clone());
        let former = self.lock_attempts().insert(claim_uid.to_owned(), attempt);
        if let Some(former) = former
            && (former.served.location != location || former.directory != directory)
        {
            self.remove_attempt(claim_uid, &former).await;
        }
    }

    /// Forgets the attempt of a claim that has its PV now.
    pub(super) fn end_attempt(&self, claim_uid: &str) {
        self.lock_attempts().remove(claim_uid);
    }

    /// Removes, in the background, the empty directory of a claim that left the watch before an attempt led to a PV. No
    /// effect if the claim has a PV or no attempt was begun. Waits for an attempt in flight. A standby only forgets it.
    pub(in crate::provisioner) fn clean_up_after_claim(self: &Arc<Self>, claim_uid: &str) {
        let Some(attempt) = self.lock_attempts().get(claim_uid).cloned() else {
            return;
        };
        let (reconciler, claim_uid) = (self.clone(), claim_uid.to_owned());
        tokio::spawn(async move {
            // An attempt in flight may still succeed.
            let _lock = attempt.served.lock_volume(&claim::volume_name_for(&claim_uid)).await;
            let left = reconciler.lock_attempts().remove(&claim_uid);
            if let Some(left) = left.filter(|_| reconciler.require_serving().is_ok()) {
                reconciler.remove_attempt(&claim_uid, &left).await;
            }
        });
    }

    /// Forgets all claims but the pending ones, `uids`, and cleans up after those others: they were bound or deleted
    /// while the watch was interrupted.
    pub(in crate::provisioner) fn clean_up_unlisted_claims(self: &Arc<Self>, uids: &HashSet<String>) {
        self.lock_claim_retries().keep_only(uids);
        let left: Vec<String> = self
            .lock_attempts()
            .keys()
            .filter(|uid| !uids.contains(*uid))
            .cloned()
            .collect();
        for uid in left {
            self.clean_up_after_claim(&uid);
        }
    }

    /// Removes the directory of an attempt, its marker and its empty parents, if it is the claim's and empty, the claim has
    /// no PV and this provisioner leads. If that fails, the directory stays and `volumes orphans` lists it. The caller must hold
    /// the volume's lock.
    async fn remove_attempt(&self, claim_uid: &str, attempt: &Attempt) {
        let Attempt { served, directory } = attempt;
        let removed = async {
            // A request that timed out may have created it.
            if self.find_volume(&claim::volume_name_for(claim_uid)).await?.is_some() {
                return Ok(());
            }
            // An attempt that another claim's marker refused has no directory.
            if !served.export.belongs_to(directory, claim_uid).await? {
                return Ok(());
            }
            match self.remove_unused_directory(directory, claim_uid, served).await? {
                true => tracing::info!(%directory, uid = claim_uid, "removed the directory of an attempt without a PV"),
                false => tracing::warn!(%directory, uid = claim_uid, "not removed: it has no PV and is not empty"),
            }
            Ok::<_, ReconcileError>(())
        };
        if let Err(error) = removed.await {
            tracing::warn!(%directory, uid = claim_uid, "not removed, though it has no PV: {error}");
        }
    }

    fn lock_attempts(&self) -> MutexGuard<'_, HashMap<String, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "ownership_tests.rs"]
mod tests;
