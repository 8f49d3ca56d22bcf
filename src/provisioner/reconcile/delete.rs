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
use crate::provisioner::neighbours::Neighbours;
use crate::provisioner::outcome::{DeletionOutcome, ReconcileError};
use crate::provisioner::served::Served;
use crate::provisioner::volume::{self, DeletionPlan, FINALIZER, FORMER_FINALIZER, OwnerCheck};

/// What was done with a PV's directory, or why nothing must be done with it.
enum DirectoryOutcome {
    Done(String),
    Refused(String),
}

/// The directory of a PV that is being deleted, and what is to be done with it.
struct DirectoryDeletion<'a> {
    volume: &'a str,
    directory: &'a VolumePath,
    on_delete: OnDelete,
    owner_check: OwnerCheck,
}

impl Reconciler {
    /// Deletes a volume if it is Released or terminating: the directory first, then the PV, then its finalizer. Where a
    /// directory is concerned, waits until all PVs are listed, at most for the request timeout (`ApiTimeout`), and for
    /// a permit. Then decides by the stored PV, not by `seen`, which the watch had. `class` is the PV's, if it exists.
    ///
    /// A finalizer of an earlier version is removed first; the outcome is then `NothingToDo`, and the changed PV comes
    /// again. A volume that this method deleted before, and that is still watched, is `NothingToDo`, too.
    ///
    /// # Errors
    /// The attempt is to be repeated later; each step checks whether it was done before.
    pub async fn delete_volume(
        &self,
        seen: &PersistentVolume,
        class: Option<&StorageClass>,
    ) -> Result<DeletionOutcome, ReconcileError> {
        let name = seen.name_any();
        if self
            .lock_deleted()
            .contains(seen.metadata.uid.as_deref().unwrap_or_default())
        {
            return Ok(DeletionOutcome::NothingToDo);
        }
        if !self.settings.dry_run
            && volume::is_provisioned_by(seen, &self.settings.name)
            && volume::has_finalizer(seen, FORMER_FINALIZER)
        {
            self.require_serving()?;
            self.remove_finalizer(&name, seen.metadata.uid.as_deref(), FORMER_FINALIZER)
                .await?;
            // The change of the PV requeues it.
            return Ok(DeletionOutcome::NothingToDo);
        }
        // A volume whose directory isn't touched needs no permit.
        let served = match self.plan_deletion(seen, class) {
            DeletionPlan::Directory { location, .. } => {
                self.exports.find_export(&location, volume::mount_options(seen))
            }
            _ => None,
        };
        let _permit = match &served {
            Some(served) => {
                self.wait_until_volumes_listed().await?;
                served.acquire_volume_permit().await
            }
            None => None,
        };
        // Boxed: thousands of volumes may wait for a permit, and the future of those that have one is large.
        Box::pin(self.delete_with_permit(seen, class, served.as_ref())).await
    }

    /// Decides, by [`volume::plan_deletion`] with this provisioner's exports and name, what to do with a PV; changes
    /// nothing.
    fn plan_deletion(&self, volume: &PersistentVolume, class: Option<&StorageClass>) -> DeletionPlan {
        volume::plan_deletion(volume, self.exports.locations(), class, &self.settings.name)
    }

    /// Records a PV's directory as one that others must not create, remove or archive, unless the PV's own deletion
    /// does. `class` is the PV's, which may decide that.
    pub(in crate::provisioner) fn record_volume(&self, volume: &PersistentVolume, class: Option<&StorageClass>) {
        self.record_volume_in(&mut self.lock_neighbours(), volume, class);
    }

    /// As [`Reconciler::record_volume`], in other neighbours than those of the reconciler.
    pub(in crate::provisioner) fn record_volume_in(
        &self,
        neighbours: &mut Neighbours,
        volume: &PersistentVolume,
        class: Option<&StorageClass>,
    ) {
        let removal = self.plan_deletion(volume, class).directory_removal();
        neighbours.record_volume(volume, removal);
    }

    /// Deletes a volume whose permit is held: locks it if `served` is the export of its directory, reads it again and
    /// does what [`Reconciler::delete_volume`] says. Without `served`, changes no directory: a PV whose directory is to
    /// be removed by then gives `NothingToDo`.
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
        // The decision is about data, so it is made on the stored PV, not on the watched one.
        let live = self.find_volume(&name).await?;
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
                owner_check,
            } => {
                let deletion = DirectoryDeletion {
                    volume: &name,
                    directory: &directory,
                    on_delete,
                    owner_check,
                };
                // Server and path of a PV are immutable, so this is the export of the permit.
                let Some(served) = served.filter(|served| served.location == location) else {
                    return Ok(DeletionOutcome::NothingToDo);
                };
                match self.apply_on_delete(&deletion, served).await? {
                    DirectoryOutcome::Done(fate) => {
                        if on_delete == OnDelete::Retain {
                            self.record_without_claim(&live, served).await;
                        }
                        fate
                    }
                    DirectoryOutcome::Refused(why) => return Ok(DeletionOutcome::Refused(why)),
                }
            }
        };
        // Before the PV is gone: its last event takes the uid away again.
        let uid = live.uid().unwrap_or_default();
        self.lock_deleted().insert(uid.clone());
        if let Err(error) = self.delete_object(&live).await {
            self.lock_deleted().remove(&uid);
            return Err(error);
        }
        Ok(DeletionOutcome::Deleted {
            fate,
            took: started.elapsed(),
        })
    }

    /// Deletes the PV itself, whose directory needs nothing more, and then removes the finalizer. A PV that is gone is
    /// no error.
    async fn delete_object(&self, live: &PersistentVolume) -> Result<(), ReconcileError> {
        let name = live.name_any();
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
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
            .await
    }

    /// Moves a PV's directory to the trash (or removes it where it can't be renamed), archives or keeps it, after
    /// checking that it belongs to the PV and that no other PV is there. Removes its marker and parents that are empty
    /// then and, with `Delete`, the record of the PV.
    ///
    /// `Refused` if the directory was not created for the PV, or no archive can have its name; `Done`, with the
    /// directory unchanged, if it belongs to another claim by now or was removed before. The PV itself is not changed.
    /// The caller must hold the volume's lock, and all PVs must be listed.
    ///
    /// # Errors
    /// `DirectoryShared` when another PV is there; when the export can't be changed.
    async fn apply_on_delete(
        &self,
        deletion: &DirectoryDeletion<'_>,
        served: &Served,
    ) -> Result<DirectoryOutcome, ReconcileError> {
        use DirectoryOutcome::{Done, Refused};
        let (directory, volume, export) = (deletion.directory, deletion.volume, &served.export);
        let removal = deletion.on_delete.directory_removal();
        match &deletion.owner_check {
            OwnerCheck::Name => {}
            OwnerCheck::Marker(uid) => match export.read_owner(directory).await? {
                Some(owner) if owner.uid == *uid => {}
                // An earlier attempt released the path, and another claim has it.
                Some(owner) => return Ok(Done(format!("{directory} belongs to {owner} now"))),
                None if removal.is_some() && export.path_exists(directory).await? => {
                    return Ok(Refused(format!(
                        "PV {volume} names {directory}, which was not created for it"
                    )));
                }
                None => {
                    export.remove_empty_marker_folders(directory).await?;
                    return Ok(Done(match removal {
                        Some(_) => format!("{directory} was removed or archived before"),
                        None => format!("{directory} stays"),
                    }));
                }
            },
            OwnerCheck::NoMarker => match export.check_no_marker_at_or_around(directory).await {
                Err(error @ ExportError::Conflict(_)) => return Ok(Refused(format!("PV {volume}: {error}"))),
                unmarked => unmarked?,
            },
        }
        if removal.is_some()
            && let Some(other) = self.find_neighbour(served, directory, volume, removal).await
        {
            return Err(ReconcileError::DirectoryShared {
                directory: directory.to_string(),
                other,
            });
        }
        self.require_leadership()?;
        let (fate, moved_to) = match deletion.on_delete {
            OnDelete::Retain => (format!("{directory} stays"), None),
            OnDelete::Archive => match volume::archive_path(directory, volume) {
                Ok(archive) => archive_directory(directory, archive, export).await?,
                Err(why) => return Ok(Refused(why)),
            },
            OnDelete::Delete => {
                let fate = self.delete_directory(directory, volume, export).await?;
                // While the PV is there: an attempt that ends here is repeated.
                self.require_leadership()?;
                export.remove_record(volume).await?;
                fate
            }
        };
        self.require_leadership()?;
        if let OwnerCheck::Marker(uid) = &deletion.owner_check {
            if let Some(owner) = export.remove_owner_marker(directory, uid).await? {
                // Another provisioner deleted the directory after the check above, and the path has a new owner
                // already, whose directory was moved instead.
                if let Some(moved_to) = moved_to {
                    export.rename_directory(&moved_to, directory).await?;
                }
                return Ok(Done(format!("{directory} belongs to {owner} now")));
            }
            if removal.is_some() {
                self.remove_empty_parents(directory, volume, served).await;
            }
        }
        if deletion.on_delete == OnDelete::Delete {
            served.notify_trash_filled();
        }
        Ok(Done(fate))
    }

    /// Removes the empty parents of a removed directory of the PV `volume`, up to the first that has an entry, a marker
    /// or another PV: a `pathPattern` that names one of them would be refused. Errors are logged only.
    pub(super) async fn remove_empty_parents(&self, directory: &VolumePath, volume: &str, served: &Served) {
        for above in directory.ancestors().iter().rev() {
            let neighbour = self.find_neighbour(served, above, volume, Some(OnDelete::Delete)).await;
            if neighbour.is_some() || self.require_leadership().is_err() {
                return;
            }
            // The marker of a claim is written before its directory, so a directory that is being created is seen, too.
            let removed = match served.export.check_no_marker_at_or_around(above).await {
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

    /// Moves a directory to the trash, or removes it in place if it can't be renamed. Returns what was done, and where
    /// the directory is now, if anywhere. A removal in place that is interrupted fails with `Stopping` or `NotLeading`,
    /// and may be repeated.
    async fn delete_directory(
        &self,
        directory: &VolumePath,
        volume: &str,
        export: &Export,
    ) -> Result<(String, Option<VolumePath>), ReconcileError> {
        let mut moved_to = export.trash_entry_path(volume)?;
        let mut moved = export.move_to_trash(directory, &moved_to).await;
        if let Err(ExportError::Exists(_)) = &moved {
            moved_to = export.trash_entry_path(&format!("{volume}-{}", timestamp_suffix()))?;
            moved = export.move_to_trash(directory, &moved_to).await;
        }
        let removed = format!("{directory} is removed");
        match moved {
            Ok(Removed::Done) => Ok((removed, Some(moved_to))),
            Err(ExportError::CannotRename { .. }) => {
                match export.remove_directory(directory, &self.may_continue()).await {
                    Err(ExportError::Interrupted) => {
                        self.require_serving()?;
                        Err(ExportError::Interrupted.into())
                    }
                    result => result.map(|_| (removed, None)).map_err(ReconcileError::from),
                }
            }
            Ok(Removed::AlreadyGone) => Ok((format!("{directory} was removed before"), None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes `finalizer` from the PV with this name and uid, and no other finalizer. A PV that is gone, or lacks it,
    /// is no error; another PV of that name is one.
    async fn remove_finalizer(&self, name: &str, uid: Option<&str>, finalizer: &str) -> Result<(), ReconcileError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let action = format!("remove the finalizer of PV {name}");
        // Names the finalizer to remove, not those to keep: one that was added meanwhile isn't lost. The uid is a
        // precondition.
        let patch = json!({"metadata": {
            "uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer],
        }});
        self.require_leadership()?;
        let (params, patch) = (PatchParams::default(), Patch::Strategic(&patch));
        match self.call_api(&action, volumes.patch(name, &params, &patch)).await {
            Err(ReconcileError::Api { source, .. }) if is_not_found(&source) => Ok(()),
            // After a conflict, the next attempt reads the PV again: another one may have the name by now.
            patched => patched.map(drop),
        }
    }
}

/// Renames a directory to `archive`, or to that name with the time if it is taken; never overwrites. Returns what was
/// done, and where the directory is now, if it existed.
async fn archive_directory(
    directory: &VolumePath,
    mut archive: VolumePath,
    export: &Export,
) -> Result<(String, Option<VolumePath>), ExportError> {
    let mut result = export.rename_directory(directory, &archive).await;
    // The name is taken, by an archive or by a directory made by hand. Neither is overwritten.
    if let Err(ExportError::Exists(_)) = &result
        && let Ok(other) = VolumePath::parse(&format!("{archive}-{}", timestamp_suffix()))
    {
        archive = other;
        result = export.rename_directory(directory, &archive).await;
    }
    Ok(match result? {
        Removed::Done => (format!("{directory} is archived as {archive}"), Some(archive)),
        Removed::AlreadyGone => (format!("{directory} was archived or removed before"), None),
    })
}

/// The time in UTC, as part of a name.
fn timestamp_suffix() -> impl std::fmt::Display {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

#[cfg(test)]
#[path = "delete_tests.rs"]
mod tests;
