//! From a volume that its claim has left to what becomes of its data.

use k8s_openapi::api::core::v1::PersistentVolume;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::Work;
use crate::export::{Export, ExportError, Removed, VolumePath};
use crate::provisioner::class::OnDelete;
use crate::provisioner::outcome::{Disposed, WorkError};
use crate::provisioner::served::Served;
use crate::provisioner::volume::{self, Disposal, FINALIZER, FORMER_FINALIZER, Proof};

/// What is to become of a PV's directory.
struct End<'a> {
    volume: &'a str,
    directory: &'a VolumePath,
    on_delete: OnDelete,
    proof: Proof,
}

impl Work {
    /// Deals with a volume that its claim has left: the directory first, then the PV, then its finalizer.
    ///
    /// # Errors
    /// What to try again for; each step finds out whether it was done already.
    pub async fn dispose(&self, seen: &PersistentVolume, class: Option<&StorageClass>) -> Result<Disposed, WorkError> {
        let name = seen.name_any();
        if !self.settings.dry_run && volume::is_held(seen, &self.settings.name, FORMER_FINALIZER) {
            self.still_serving()?;
            self.remove_finalizer(&name, seen.metadata.uid.as_deref(), FORMER_FINALIZER)
                .await?;
            // The watch tells of the PV again.
            return Ok(Disposed::Left);
        }
        // Which export's turn this takes; a volume whose directory stays out of it takes none.
        let served = match self.disposal(seen, class) {
            Disposal::Directory { location, .. } => self.exports.at(&location),
            _ => None,
        };
        let _turn = match served {
            Some(served) => {
                self.until_volumes_are_known().await?;
                served.turn_for_volume().await
            }
            None => None,
        };
        // Boxed, since thousands may wait for their turn and only some have one: waiting takes little memory.
        Box::pin(self.dispose_in_turn(seen, class, served)).await
    }

    fn disposal(&self, volume: &PersistentVolume, class: Option<&StorageClass>) -> Disposal {
        volume::disposal(volume, self.exports.locations(), class, &self.settings.name)
    }

    /// Records where a PV lies, so that no directory is made or removed there unless the PV's own is removed, too.
    pub(in crate::provisioner) fn note_volume(&self, volume: &PersistentVolume, class: Option<&StorageClass>) {
        let removal = self.disposal(volume, class).removal();
        self.neighbours().note(volume, removal);
    }

    async fn dispose_in_turn(
        &self,
        seen: &PersistentVolume,
        class: Option<&StorageClass>,
        served: Option<&Served>,
    ) -> Result<Disposed, WorkError> {
        let name = seen.name_any();
        let _lock = match served {
            Some(served) => Some(served.lock_volume(&name).await),
            None => None,
        };
        self.still_serving()?;
        let started = Instant::now();
        let _flight = self.metrics.volume_in_flight();
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        // Data is at stake: decide on what is stored now, not on what was seen.
        let live = self.ask(&format!("read PV {name}"), volumes.get_opt(&name)).await?;
        let Some(live) = live.filter(|live| live.metadata.uid == seen.metadata.uid) else {
            return Ok(Disposed::Left);
        };
        self.still_leading()?;
        let fate = match self.disposal(&live, class) {
            Disposal::Leave => return Ok(Disposed::Left),
            Disposal::Refuse(why) => return Ok(Disposed::Refused(why)),
            fate if self.settings.dry_run => {
                return Ok(Disposed::WouldGo(match fate {
                    Disposal::Directory {
                        directory, on_delete, ..
                    } => format!("{} {directory}", on_delete.as_str()),
                    _ => "its directory would stay".to_owned(),
                }));
            }
            Disposal::RemoveFinalizer => "its directory stays".to_owned(),
            Disposal::Directory {
                directory,
                location,
                on_delete,
                proof,
            } => {
                let end = End {
                    volume: &name,
                    directory: &directory,
                    on_delete,
                    proof,
                };
                // A PV's server and path don't change once it is made, so it is the export whose turn was taken.
                let Some(served) = served.filter(|served| served.location == location) else {
                    return Ok(Disposed::Left);
                };
                let options = live.spec.as_ref().and_then(|spec| spec.mount_options.as_deref());
                served.export.use_mount_options(options.unwrap_or_default()).await;
                match self.bring_about(&end, served).await? {
                    Ok(fate) => fate,
                    Err(why) => return Ok(Disposed::Refused(why)),
                }
            }
        };
        if live.metadata.deletion_timestamp.is_none() {
            self.still_leading()?;
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: live.metadata.uid.clone(),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            };
            match self
                .ask(&format!("delete PV {name}"), volumes.delete(&name, &params))
                .await
            {
                Err(WorkError::Api { source, .. }) if is_not_found(&source) => {}
                deleted => _ = deleted?,
            }
        }
        self.remove_finalizer(&name, live.metadata.uid.as_deref(), FINALIZER)
            .await?;
        Ok(Disposed::Gone {
            fate,
            took: started.elapsed(),
        })
    }

    /// Removes, archives or leaves a directory, and says which; or says why it may not.
    async fn bring_about(&self, end: &End<'_>, served: &Served) -> Result<Result<String, String>, WorkError> {
        let (directory, volume, export) = (end.directory, end.volume, &served.export);
        let removal = end.on_delete.removal();
        match &end.proof {
            Proof::Name => {}
            Proof::Marker(uid) => match export.read_owner(directory).await? {
                Some(owner) if owner.uid == *uid => {}
                // An earlier try got this far, and the path was given on.
                Some(owner) => return Ok(Ok(format!("{directory} belongs to {owner} now"))),
                None if removal.is_some() && export.path_exists(directory).await? => {
                    return Ok(Err(format!("PV {volume} names {directory}, which was not made for it")));
                }
                None => {
                    export.prune_registry(directory).await?;
                    return Ok(Ok(format!("{directory} was dealt with before")));
                }
            },
            Proof::NoMarker => match export.check_unmarked(directory).await {
                Err(error @ ExportError::Conflict(_)) => return Ok(Err(format!("PV {volume}: {error}"))),
                unmarked => unmarked?,
            },
        }
        let neighbour = self
            .neighbours()
            .of(&served.location, directory, volume, removal)
            .map(str::to_owned);
        if let Some(other) = neighbour.filter(|_| removal.is_some()) {
            return Err(WorkError::Shared {
                directory: directory.to_string(),
                other,
            });
        }
        // Right before the effect: much may have happened since the owner was read.
        self.still_leading()?;
        let fate = match end.on_delete {
            OnDelete::Retain => format!("{directory} stays"),
            OnDelete::Archive => match archive(directory, volume, export).await? {
                Ok(fate) => fate,
                Err(why) => return Ok(Err(why)),
            },
            OnDelete::Delete => self.delete(directory, volume, served).await?,
        };
        self.still_leading()?;
        if let Proof::Marker(uid) = &end.proof {
            export.release_ownership(directory, uid).await?;
            if removal.is_some() {
                self.remove_empty_parents(directory, volume, served).await;
            }
        }
        Ok(Ok(fate))
    }

    /// Removes the directories above one that is gone, as far as they are empty and nobody's: a `pathPattern` that names one
    /// of them is refused while it is there. What can't be removed stays, and holds up no deletion.
    pub(super) async fn remove_empty_parents(&self, directory: &VolumePath, volume: &str, served: &Served) {
        for above in directory.ancestors().iter().rev() {
            let is_in_use = self
                .neighbours()
                .of(&served.location, above, volume, Some(OnDelete::Delete))
                .is_some();
            if is_in_use || self.still_leading().is_err() {
                return;
            }
            // A claim has its marker before its directory, so this sees a directory that is about to be made.
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

    /// Renames a directory into the trash, or removes it in place where it can't be renamed.
    async fn delete(&self, directory: &VolumePath, volume: &str, served: &Served) -> Result<String, WorkError> {
        let export = &served.export;
        let mut result = export.move_to_trash(directory, volume).await;
        if let Err(ExportError::Exists(_)) = &result {
            result = export
                .move_to_trash(directory, &format!("{volume}-{}", timestamp()))
                .await;
        }
        let removed = match result {
            Err(ExportError::CannotRename { .. }) => {
                match export.remove_directory(directory, &self.may_continue()).await {
                    Err(ExportError::Interrupted) => {
                        self.still_serving()?;
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

    /// Takes a `finalizer` of ours off a PV, and only that: other finalizers are others' business.
    async fn remove_finalizer(&self, name: &str, uid: Option<&str>, finalizer: &str) -> Result<(), WorkError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let action = format!("take the finalizer off PV {name}");
        // Says what goes, not what stays: so that a finalizer added meanwhile isn't lost, and nothing is to be read
        // before. The uid is a condition.
        let patch = json!({"metadata": {
            "uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer],
        }});
        loop {
            self.still_leading()?;
            let (params, patch) = (PatchParams::default(), Patch::Strategic(&patch));
            match self.ask(&action, volumes.patch(name, &params, &patch)).await {
                Err(WorkError::Api { source, .. }) if is_not_found(&source) => return Ok(()),
                // Another PV has the name, or others change this one all the time.
                Err(WorkError::Api { source, .. }) if is_conflict(&source) => {
                    let live = self.ask(&format!("read PV {name}"), volumes.get_opt(name)).await?;
                    if live.is_none_or(|live| live.metadata.uid.as_deref() != uid) {
                        return Ok(());
                    }
                }
                patched => return patched.map(drop),
            }
        }
    }
}

/// Archives a directory, and says as what; or says why it can't be.
async fn archive(directory: &VolumePath, volume: &str, export: &Export) -> Result<Result<String, String>, ExportError> {
    let first = match volume::archive_of(directory, volume) {
        Ok(archive) => archive,
        Err(why) => return Ok(Err(why)),
    };
    let mut archive = first.clone();
    let mut result = export.archive_directory(directory, &archive).await;
    // Somebody has made a directory of that name, or brought an archive back and kept it: neither is written over.
    if let Err(ExportError::Exists(_)) = &result
        && let Ok(another) = VolumePath::parse(&format!("{first}-{}", timestamp()))
    {
        archive = another;
        result = export.archive_directory(directory, &archive).await;
    }
    Ok(Ok(match result? {
        Removed::Done => format!("{directory} is archived as {archive}"),
        Removed::AlreadyGone => format!("{directory} was archived or removed before"),
    }))
}

/// The time, as part of a name.
fn timestamp() -> impl std::fmt::Display {
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
