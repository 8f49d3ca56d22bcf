//! Deletes one volume: its directory as `onDelete` says, then the PV, then the finalizer.

use k8s_openapi::api::core::v1::PersistentVolume;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::Reconciler;
use crate::export::{Export, ExportError, Removed, VolumePath};
use crate::provisioner::class::OnDelete;
use crate::provisioner::outcome::{DeletionOutcome, ReconcileError};
use crate::provisioner::served::Served;
use crate::provisioner::volume::{self, DeletionPlan, FINALIZER, FORMER_FINALIZER, Proof};

/// The directory of a PV that is being deleted, and what is to be done with it.
struct DirectoryDeletion<'a> {
    volume: &'a str,
    directory: &'a VolumePath,
    on_delete: OnDelete,
    proof: Proof,
}

impl Reconciler {
    /// Deletes a volume if it is Released or terminating: the directory first, then the PV, then its finalizer.
    ///
    /// # Errors
    /// The attempt is to be repeated later; each step checks whether it was done before.
    pub async fn delete_volume(
        &self,
        seen: &PersistentVolume,
        class: Option<&StorageClass>,
    ) -> Result<DeletionOutcome, ReconcileError> {
        let name = seen.name_any();
        if !self.settings.dry_run && volume::has_own_finalizer(seen, &self.settings.name, FORMER_FINALIZER) {
            self.require_serving()?;
            self.remove_finalizer(&name, seen.metadata.uid.as_deref(), FORMER_FINALIZER)
                .await?;
            // The change of the PV requeues it.
            return Ok(DeletionOutcome::NothingToDo);
        }
        // A volume whose directory isn't touched needs no permit.
        let served = match self.plan_deletion(seen, class) {
            DeletionPlan::Directory { location, .. } => self.exports.find_export(&location),
            _ => None,
        };
        let _permit = match served {
            Some(served) => {
                self.wait_until_volumes_listed().await?;
                served.acquire_volume_permit().await
            }
            None => None,
        };
        // Boxed: thousands of volumes may wait for a permit, and the future of those that have one is large.
        Box::pin(self.delete_with_permit(seen, class, served)).await
    }

    fn plan_deletion(&self, volume: &PersistentVolume, class: Option<&StorageClass>) -> DeletionPlan {
        volume::plan_deletion(volume, self.exports.locations(), class, &self.settings.name)
    }

    /// Records a PV's directory as one that others must not create, remove or archive, unless the PV's own deletion does.
    pub(in crate::provisioner) fn record_volume(&self, volume: &PersistentVolume, class: Option<&StorageClass>) {
        let removal = self.plan_deletion(volume, class).directory_removal();
        self.lock_neighbours().record_volume(volume, removal);
    }

    async fn delete_with_permit(
        &self,
        seen: &PersistentVolume,
        class: Option<&StorageClass>,
        served: Option<&Served>,
    ) -> Result<DeletionOutcome, ReconcileError> {
        let name = seen.name_any();
        let _lock = match served {
            Some(served) => Some(served.lock_volume(&name).await),
            None => None,
        };
        self.require_serving()?;
        let started = Instant::now();
        let _flight = self.metrics.volume_in_flight();
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        // The decision is about data, so it is made on the stored PV, not on the watched one.
        let live = self
            .call_api(&format!("read PV {name}"), volumes.get_opt(&name))
            .await?;
        let Some(live) = live.filter(|live| live.metadata.uid == seen.metadata.uid) else {
            return Ok(DeletionOutcome::NothingToDo);
        };
        self.require_leadership()?;
        let fate = match self.plan_deletion(&live, class) {
            DeletionPlan::NothingToDo => return Ok(DeletionOutcome::NothingToDo),
            DeletionPlan::Refuse(why) => return Ok(DeletionOutcome::Refused(why)),
            fate if self.settings.dry_run => {
                return Ok(DeletionOutcome::WouldDelete(match fate {
                    DeletionPlan::Directory {
                        directory, on_delete, ..
                    } => format!("{} {directory}", on_delete.as_str()),
                    _ => "its directory would stay".to_owned(),
                }));
            }
            DeletionPlan::RemoveFinalizer => "its directory stays".to_owned(),
            DeletionPlan::Directory {
                directory,
                location,
                on_delete,
                proof,
            } => {
                let end = DirectoryDeletion {
                    volume: &name,
                    directory: &directory,
                    on_delete,
                    proof,
                };
                // Server and path of a PV are immutable, so this is the export of the permit.
                let Some(served) = served.filter(|served| served.location == location) else {
                    return Ok(DeletionOutcome::NothingToDo);
                };
                let options = live.spec.as_ref().and_then(|spec| spec.mount_options.as_deref());
                served.export.use_mount_options(options.unwrap_or_default()).await;
                match self.apply_on_delete(&end, served).await? {
                    Ok(fate) => fate,
                    Err(why) => return Ok(DeletionOutcome::Refused(why)),
                }
            }
        };
        if live.metadata.deletion_timestamp.is_none() {
            self.require_leadership()?;
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: live.metadata.uid.clone(),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            };
            match self
                .call_api(&format!("delete PV {name}"), volumes.delete(&name, &params))
                .await
            {
                Err(ReconcileError::Api { source, .. }) if is_not_found(&source) => {}
                deleted => _ = deleted?,
            }
        }
        self.remove_finalizer(&name, live.metadata.uid.as_deref(), FINALIZER)
            .await?;
        Ok(DeletionOutcome::Deleted {
            fate,
            took: started.elapsed(),
        })
    }

    /// Removes, archives or leaves a directory. Returns what was done, or as inner error why it must not be.
    async fn apply_on_delete(
        &self,
        end: &DirectoryDeletion<'_>,
        served: &Served,
    ) -> Result<Result<String, String>, ReconcileError> {
        let (directory, volume, export) = (end.directory, end.volume, &served.export);
        let removal = end.on_delete.directory_removal();
        match &end.proof {
            Proof::Name => {}
            Proof::Marker(uid) => match export.read_owner(directory).await? {
                Some(owner) if owner.uid == *uid => {}
                // An earlier attempt released the path, and another claim has it.
                Some(owner) => return Ok(Ok(format!("{directory} belongs to {owner} now"))),
                None if removal.is_some() && export.path_exists(directory).await? => {
                    return Ok(Err(format!("PV {volume} names {directory}, which was not made for it")));
                }
                None => {
                    export.prune_registry(directory).await?;
                    return Ok(Ok(format!("{directory} was removed or archived before")));
                }
            },
            Proof::NoMarker => match export.check_unmarked(directory).await {
                Err(error @ ExportError::Conflict(_)) => return Ok(Err(format!("PV {volume}: {error}"))),
                unmarked => unmarked?,
            },
        }
        let neighbour = self
            .lock_neighbours()
            .find_conflict(&served.location, directory, volume, removal)
            .map(str::to_owned);
        if let Some(other) = neighbour.filter(|_| removal.is_some()) {
            return Err(ReconcileError::DirectoryShared {
                directory: directory.to_string(),
                other,
            });
        }
        self.require_leadership()?;
        let fate = match end.on_delete {
            OnDelete::Retain => format!("{directory} stays"),
            OnDelete::Archive => match archive_directory(directory, volume, export).await? {
                Ok(fate) => fate,
                Err(why) => return Ok(Err(why)),
            },
            OnDelete::Delete => self.delete_directory(directory, volume, served).await?,
        };
        self.require_leadership()?;
        if let Proof::Marker(uid) = &end.proof {
            export.release_ownership(directory, uid).await?;
            if removal.is_some() {
                self.remove_empty_parents(directory, volume, served).await;
            }
        }
        Ok(Ok(fate))
    }

    /// Removes the empty parents of a removed directory, up to the first that is in use: a `pathPattern` that names one of
    /// them would be refused. Errors are logged only.
    pub(super) async fn remove_empty_parents(&self, directory: &VolumePath, volume: &str, served: &Served) {
        for above in directory.ancestors().iter().rev() {
            let is_in_use = self
                .lock_neighbours()
                .find_conflict(&served.location, above, volume, Some(OnDelete::Delete))
                .is_some();
            if is_in_use || self.require_leadership().is_err() {
                return;
            }
            // The marker of a claim is written before its directory, so a directory that is being created is seen, too.
            let removed = match served.export.check_unmarked(above).await {
                Ok(()) => served.export.remove_empty_directory(above).await,
                Err(error) => Err(error),
            };
            match removed {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(directory = %above, "not removed: {error}");
                    return;
                }
            }
        }
    }

    /// Moves a directory to the trash, or removes it in place if it can't be renamed. Returns what was done.
    async fn delete_directory(
        &self,
        directory: &VolumePath,
        volume: &str,
        served: &Served,
    ) -> Result<String, ReconcileError> {
        let export = &served.export;
        let mut result = export.move_to_trash(directory, volume).await;
        if let Err(ExportError::Exists(_)) = &result {
            result = export
                .move_to_trash(directory, &format!("{volume}-{}", timestamp_suffix()))
                .await;
        }
        let removed = match result {
            Err(ExportError::CannotRename { .. }) => {
                match export.remove_directory(directory, &self.may_continue()).await {
                    Err(ExportError::Interrupted) => {
                        self.require_serving()?;
                        return Err(ExportError::Interrupted.into());
                    }
                    removed => removed?,
                }
            }
            discarded => {
                let discarded = discarded?;
                served.trash_filled.notify_one();
                discarded
            }
        };
        Ok(match removed {
            Removed::Done => format!("{directory} is removed"),
            Removed::AlreadyGone => format!("{directory} was removed before"),
        })
    }

    /// Removes `finalizer` from the PV with this name and uid, and no other finalizer.
    async fn remove_finalizer(&self, name: &str, uid: Option<&str>, finalizer: &str) -> Result<(), ReconcileError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let action = format!("remove the finalizer of PV {name}");
        // Names the finalizer to remove, not those to keep: one that was added meanwhile isn't lost. The uid is a
        // precondition.
        let patch = json!({"metadata": {
            "uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer],
        }});
        loop {
            self.require_leadership()?;
            let (params, patch) = (PatchParams::default(), Patch::Strategic(&patch));
            match self.call_api(&action, volumes.patch(name, &params, &patch)).await {
                Err(ReconcileError::Api { source, .. }) if is_not_found(&source) => return Ok(()),
                // Another PV has the name by now, or the PV was changed meanwhile.
                Err(ReconcileError::Api { source, .. }) if is_conflict(&source) => {
                    let live = self.call_api(&format!("read PV {name}"), volumes.get_opt(name)).await?;
                    if live.is_none_or(|live| live.metadata.uid.as_deref() != uid) {
                        return Ok(());
                    }
                }
                patched => return patched.map(drop),
            }
        }
    }
}

/// Archives a directory. Returns what was done, or as inner error why it can't be.
async fn archive_directory(
    directory: &VolumePath,
    volume: &str,
    export: &Export,
) -> Result<Result<String, String>, ExportError> {
    let first = match volume::archive_path(directory, volume) {
        Ok(archive) => archive,
        Err(why) => return Ok(Err(why)),
    };
    let mut archive = first.clone();
    let mut result = export.archive_directory(directory, &archive).await;
    // The name is taken, by an archive or by a directory made by hand. Neither is overwritten.
    if let Err(ExportError::Exists(_)) = &result
        && let Ok(another) = VolumePath::parse(&format!("{first}-{}", timestamp_suffix()))
    {
        archive = another;
        result = export.archive_directory(directory, &archive).await;
    }
    Ok(Ok(match result? {
        Removed::Done => format!("{directory} is archived as {archive}"),
        Removed::AlreadyGone => format!("{directory} was archived or removed before"),
    }))
}

/// The time in UTC, as part of a name.
fn timestamp_suffix() -> impl std::fmt::Display {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

#[cfg(test)]
#[path = "delete_tests.rs"]
mod tests;
