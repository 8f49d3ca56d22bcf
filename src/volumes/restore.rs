//! Restores an archive for a claim, or binds an existing directory to one: the main type is [`Restore`]. The order of
//! the steps (claim, directory, PV) lets an interrupted run be repeated. Does not wait until the claim is Bound.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::archives::{ReusePlan, volume_for_claim, volume_size_for_claim};
use super::place::nfs_location;
use crate::cluster::describe_error;
use crate::export::{Export, ExportError, Location, Owner, Removed, VolumePath};
use crate::provisioner::claim::class_name;
use crate::provisioner::class::enforces_quota;
use crate::provisioner::volume::{ENFORCE, QUOTA, size_limit, uid_for_limit};

/// A claim that does not exist and is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClaim {
    pub size: String,
    /// The class; empty is none.
    pub class: String,
    /// As the API has them; at least one.
    pub access_modes: Vec<String>,
}

/// The restore of one archive, or the adoption of one directory, for a claim.
pub struct Restore<'a> {
    pub client: &'a Client,
    pub export: &'a Export,
    pub location: &'a Location,
    pub reuse: &'a ReusePlan,
    pub namespace: &'a str,
    pub claim: &'a str,
    /// The PV's size, if it is not to be what the claim requests.
    pub size: Option<&'a str>,
    /// The claim to create if it does not exist.
    pub new_claim: Option<NewClaim>,
    /// Whether the volume was limited to its size before.
    pub was_limited: bool,
}

/// Why a restore failed, and what it changed that stays changed.
#[derive(Debug, thiserror::Error)]
#[error("{why}; {left}")]
pub struct RestoreError {
    why: String,
    left: String,
}

/// A step that failed.
struct Failure {
    why: String,
    /// What it left changed, each a clause.
    left: Vec<String>,
}

impl Failure {
    fn without_change(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            left: Vec::new(),
        }
    }

    /// `made_claim` is the title of the claim that the run created, which stays.
    fn into_error(mut self, made_claim: Option<&str>) -> RestoreError {
        self.left
            .extend(made_claim.map(|title| format!("{title} was created and stays")));
        RestoreError {
            // Some errors of the export end so.
            why: self.why.trim_end_matches("; nothing was changed").to_owned(),
            left: match self.left.is_empty() {
                true => "nothing was changed".to_owned(),
                false => self.left.join("; "),
            },
        }
    }
}

/// What is to be done for a claim.
struct Prepared {
    claim: PersistentVolumeClaim,
    /// Whether the claim is to be created.
    is_new: bool,
    size: String,
    is_limited: bool,
    mount_options: Option<Vec<String>>,
}

impl Restore<'_> {
    /// Creates the claim if that is requested, renames the archive, limits the directory if it was or its class wants
    /// that, and creates the PV. Returns the PV, and whether the claim was created.
    ///
    /// The claim comes first: it names its PV from the start, so that no provisioner serves it. The directory's limit
    /// is set before the PV exists. The next run continues an interrupted one.
    ///
    /// # Errors
    /// When a step fails, with the reason, or the claim neither exists nor is to be created; the rename of the archive
    /// is then undone, unless the PV may exist. A created claim stays.
    pub async fn run(&self) -> Result<(PersistentVolume, bool), RestoreError> {
        let title = format!("pvc/{} -n {}", self.claim, self.namespace);
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), self.namespace);
        let refused = |why: String| Failure::without_change(why).into_error(None);
        let mut prepared = self.prepare(&claims, &title).await.map_err(refused)?;
        if prepared.is_new {
            let created = claims.create(&PostParams::default(), &prepared.claim).await;
            prepared.claim = created.map_err(|error| {
                let mut failure = Failure::without_change(api_failure(&format!("create {title}"), &error));
                if !matches!(error, kube::Error::Api(_)) {
                    let unknown = "whether it was created is unknown; run the command again";
                    failure.left.push(unknown.to_owned());
                }
                failure.into_error(None)
            })?;
        }
        match self.create_volume(&prepared).await {
            Ok(volume) => Ok((volume, prepared.is_new)),
            Err(failure) => Err(failure.into_error(prepared.is_new.then_some(&title))),
        }
    }

    /// Reads claim and class and checks all that can be checked before something is changed; fails with the reason.
    async fn prepare(&self, claims: &Api<PersistentVolumeClaim>, title: &str) -> Result<Prepared, String> {
        let found = claims.get_opt(self.claim).await;
        let found = found.map_err(|error| api_failure(&format!("read {title}"), &error))?;
        let (claim, is_new) = match (found, &self.new_claim) {
            (Some(claim), _) => (claim, false),
            (None, Some(new)) => (self.new_claim_object(new), true),
            (None, None) => return Err(format!("{title} not found; pass --create-claim to create it")),
        };
        let size = volume_size_for_claim(&claim, &self.reuse.volume, self.size)?;
        let class = self.read_class(&claim).await?;
        let is_limited = self.was_limited || class.as_ref().is_some_and(enforces_quota);
        if is_limited {
            self.export.check_can_limit()?;
        }
        Ok(Prepared {
            claim,
            is_new,
            size,
            is_limited,
            mount_options: class.and_then(|class| class.mount_options),
        })
    }

    /// Renames the archive, limits the directory if that is wanted, and creates the PV; undoes the rename if a later
    /// step fails, unless the PV may exist.
    async fn create_volume(&self, prepared: &Prepared) -> Result<PersistentVolume, Failure> {
        let (claim, size) = (&prepared.claim, &prepared.size);
        let mut volume = volume_for_claim(self.reuse, claim, self.location, size, prepared.mount_options.clone());
        let uid = claim.uid().unwrap_or_default();
        self.rename_archive(&uid).await?;
        let mut left = Vec::new();
        if prepared.is_limited {
            if let Err(why) = self.limit_directory(&volume, size).await {
                let left = self.undo_rename(&uid).await.into_iter().collect();
                return Err(Failure { why, left });
            }
            volume.annotations_mut().insert(QUOTA.to_owned(), ENFORCE.to_owned());
            left.push("the limit of its directory stays".to_owned());
        }
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let error = match volumes.create(&PostParams::default(), &volume).await {
            Ok(volume) => return Ok(volume),
            Err(error) => error,
        };
        // The answer may be lost of a PV that was created.
        match volumes.get_opt(&self.reuse.volume).await {
            Ok(Some(found)) if claim_uid(&found) == Some(&uid) => return Ok(found),
            Ok(Some(found)) if nfs_location(&found) == nfs_location(&volume) => {
                left.push("it exists for another claim, so its directory stays as it is".to_owned());
            }
            Ok(_) => left.extend(self.undo_rename(&uid).await),
            Err(_) => left.push(
                "whether it was created is unknown, so its directory stays as it is; run the command again".to_owned(),
            ),
        }
        let why = api_failure(&format!("create pv/{}", self.reuse.volume), &error);
        Err(Failure { why, left })
    }

    /// The claim to create, which names the PV in `volumeName`.
    fn new_claim_object(&self, new: &NewClaim) -> PersistentVolumeClaim {
        let claim = json!({
            "metadata": {"namespace": self.namespace, "name": self.claim},
            "spec": {
                "accessModes": new.access_modes, "resources": {"requests": {"storage": new.size}},
                "storageClassName": new.class, "volumeName": self.reuse.volume,
            },
        });
        serde_json::from_value(claim).unwrap_or_default()
    }

    /// Limits the directory, which may hold files, to `size`; it keeps the project id that it had. After an error, the
    /// files may have a project id, but no limit.
    async fn limit_directory(&self, volume: &PersistentVolume, size: &str) -> Result<(), String> {
        let limit = size_limit(size, uid_for_limit(volume).unwrap_or_default())?;
        let limited = self.export.limit_existing(&self.reuse.directory, &limit).await;
        limited.map(drop).map_err(|error| error.to_string())
    }

    /// The claim's class; `None` if the claim has no class or the class does not exist.
    async fn read_class(&self, claim: &PersistentVolumeClaim) -> Result<Option<StorageClass>, String> {
        let Some(name) = class_name(claim).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let classes: Api<StorageClass> = Api::all(self.client.clone());
        let class = classes.get_opt(name).await;
        class.map_err(|error| api_failure(&format!("read storageclass/{name}"), &error))
    }

    /// Renames the archive to the directory, with an owner marker for the claim `uid` if its name needs one; does
    /// nothing for a directory that is no archive. A rename whose answer is lost counts if it was made.
    async fn rename_archive(&self, uid: &str) -> Result<(), Failure> {
        let directory = &self.reuse.directory;
        let Some(archive) = &self.reuse.archive else {
            return Ok(());
        };
        // The owner marker is written before the rename: a directory without one would have no known owner.
        if self.reuse.needs_marker {
            let taken = self.export.write_owner_marker(directory, &Owner::with_uid(uid)).await;
            taken.map_err(Failure::without_change)?;
        }
        let error = match self.export.rename_directory(archive, directory).await {
            Ok(Removed::Done) => return Ok(()),
            Ok(Removed::AlreadyGone) => None,
            Err(error) => Some(error),
        };
        // The answer may be lost of a rename that was made.
        let is_renamed = self.is_renamed(archive).await;
        let is_lost = error.is_some();
        let why = error.map_or_else(
            || format!("archive {archive} was removed meanwhile"),
            |error| error.to_string(),
        );
        match is_renamed {
            Ok(true) if is_lost => Ok(()),
            Ok(false) => {
                let left = self.remove_marker(uid).await.err();
                let left = left.map(|error| format!("the owner marker of {directory} stays: {error}"));
                Err(Failure {
                    why,
                    left: left.into_iter().collect(),
                })
            }
            _ => Err(Failure {
                why,
                left: vec![format!(
                    "{directory} may be the renamed archive and stays as it is; run the command again"
                )],
            }),
        }
    }

    /// Whether the directory is there, and the archive is not.
    async fn is_renamed(&self, archive: &VolumePath) -> Result<bool, ExportError> {
        Ok(!self.export.path_exists(archive).await? && self.export.path_exists(&self.reuse.directory).await?)
    }

    /// Makes the directory the archive again that it was, and removes its marker; does nothing for a directory that was
    /// no archive. Limit and project id stay. Returns a clause that says what was undone or stays.
    async fn undo_rename(&self, uid: &str) -> Option<String> {
        let (archive, directory) = (self.reuse.archive.as_ref()?, &self.reuse.directory);
        Some(match self.export.rename_directory(directory, archive).await {
            Ok(_) => match self.remove_marker(uid).await {
                Ok(()) => "the rename of the archive is undone".to_owned(),
                Err(error) => {
                    format!("the rename of the archive is undone; the owner marker of {directory} stays: {error}")
                }
            },
            Err(error) => {
                format!("the archive stays renamed to {directory}, since it can't be renamed back: {error}")
            }
        })
    }

    /// Removes the owner marker that [`Self::rename_archive`] wrote, if it needed one.
    async fn remove_marker(&self, uid: &str) -> Result<(), ExportError> {
        match self.reuse.needs_marker {
            true => self
                .export
                .remove_owner_marker(&self.reuse.directory, uid)
                .await
                .map(drop),
            false => Ok(()),
        }
    }
}

/// The uid of the claim that a PV is for.
fn claim_uid(volume: &PersistentVolume) -> Option<&String> {
    volume.spec.as_ref()?.claim_ref.as_ref()?.uid.as_ref()
}

/// Why a request to the API server failed that was to do `action`.
fn api_failure(action: &str, error: &kube::Error) -> String {
    format!("cannot {action}: {}", describe_error(error))
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
