//! Restores an archive for a claim, or binds an existing directory to one. The order of the steps (claim, directory,
//! PV) lets an interrupted run be repeated.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::archives::{ReturnPlan, volume_for_claim, volume_size_for_claim};
use crate::cluster::describe_error;
use crate::export::{Export, ExportError, Location, Owner, Removed};
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
    pub back: &'a ReturnPlan,
    pub namespace: &'a str,
    pub claim: &'a str,
    /// The PV's size, if it is not to be what the claim requests.
    pub size: Option<&'a str>,
    /// The claim to create if it does not exist.
    pub new_claim: Option<NewClaim>,
    /// Whether the volume was limited to its size before.
    pub was_limited: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{0}; nothing was changed")]
    Refused(String),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("cannot {action}: {}{}", describe_error(source), undone)]
    Api {
        action: String,
        source: Box<kube::Error>,
        /// What was undone, or what to do next.
        undone: &'static str,
    },
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
        let found = claims.get_opt(self.claim).await;
        let found = found.map_err(|source| api_error(format!("read {title}"), source, ""))?;
        let (claim, made) = match (found, &self.new_claim) {
            (Some(claim), _) => (claim, false),
            (None, Some(new)) => (self.new_claim_object(new), true),
            (None, None) => {
                return Err(RestoreError::Refused(format!(
                    "{title} not found; pass --create-claim to create it"
                )));
            }
        };
        let size = volume_size_for_claim(&claim, &self.back.volume, self.size).map_err(RestoreError::Refused)?;
        let class = self.read_class(&claim).await?;
        let is_limited = self.was_limited || class.as_ref().is_some_and(enforces_quota);
        if is_limited {
            self.export.check_can_limit().map_err(RestoreError::Refused)?;
        }
        let claim = match made {
            true => {
                let created = claims.create(&PostParams::default(), &claim).await;
                created.map_err(|source| api_error(format!("create {title}"), source, ""))?
            }
            false => claim,
        };
        let options = class.and_then(|class| class.mount_options);
        let mut volume = volume_for_claim(self.back, &claim, self.location, &size, options);
        let uid = claim.uid().unwrap_or_default();
        self.rename_archive(&uid).await?;
        if is_limited {
            if let Err(error) = self.limit_directory(&volume, &size).await {
                self.undo_rename(&uid).await?;
                return Err(error);
            }
            volume.annotations_mut().insert(QUOTA.to_owned(), ENFORCE.to_owned());
        }
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let source = match volumes.create(&PostParams::default(), &volume).await {
            Ok(volume) => return Ok((volume, made)),
            Err(source) => source,
        };
        // The answer may be lost of a PV that was created.
        let undone = match volumes.get_opt(&self.back.volume).await {
            Ok(Some(found)) if claim_uid(&found) == Some(&uid) => return Ok((found, made)),
            Ok(_) => {
                self.undo_rename(&uid).await?;
                "; the rename of the archive is undone"
            }
            Err(_) => "; whether it was created is unknown, so the rename of the archive stays; run the command again",
        };
        Err(api_error(format!("create pv/{}", self.back.volume), source, undone))
    }

    /// The claim to create, which names the PV in `volumeName`.
    fn new_claim_object(&self, new: &NewClaim) -> PersistentVolumeClaim {
        let claim = json!({
            "metadata": {"namespace": self.namespace, "name": self.claim},
            "spec": {
                "accessModes": new.access_modes, "resources": {"requests": {"storage": new.size}},
                "storageClassName": new.class, "volumeName": self.back.volume,
            },
        });
        serde_json::from_value(claim).unwrap_or_default()
    }

    /// Limits the directory to the PV's size; it keeps the project id that it had.
    async fn limit_directory(&self, volume: &PersistentVolume, size: &str) -> Result<(), RestoreError> {
        let limit = size_limit(size, uid_for_limit(volume).unwrap_or_default()).map_err(RestoreError::Refused)?;
        self.export.limit_existing(&self.back.directory, &limit).await?;
        Ok(())
    }

    /// The claim's class; `None` if the claim has no class or the class does not exist.
    async fn read_class(&self, claim: &PersistentVolumeClaim) -> Result<Option<StorageClass>, RestoreError> {
        let Some(name) = class_name(claim).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let classes: Api<StorageClass> = Api::all(self.client.clone());
        let class = classes.get_opt(name).await;
        class.map_err(|source| api_error(format!("read storageclass/{name}"), source, ""))
    }

    /// Renames the archive to the directory, with an owner marker for the claim `uid` if its name needs one; does
    /// nothing for a directory that is no archive.
    async fn rename_archive(&self, uid: &str) -> Result<(), RestoreError> {
        let directory = &self.back.directory;
        let Some(archive) = &self.back.archive else {
            return Ok(());
        };
        // The owner marker is written before the rename: a directory without one would have no known owner.
        if self.back.needs_marker {
            self.export.take_ownership(directory, &Owner::with_uid(uid)).await?;
        }
        match self.export.rename_directory(archive, directory).await {
            Ok(Removed::Done) => Ok(()),
            Ok(Removed::AlreadyGone) => {
                self.remove_marker(uid).await?;
                Err(RestoreError::Refused(format!(
                    "archive {archive} was removed meanwhile"
                )))
            }
            Err(error) => {
                self.remove_marker(uid).await?;
                Err(error.into())
            }
        }
    }

    /// Makes the directory the archive again that it was, and removes its marker; does nothing for a directory that was
    /// no archive. Limit and project id stay.
    async fn undo_rename(&self, uid: &str) -> Result<(), ExportError> {
        if let Some(archive) = &self.back.archive {
            self.export.rename_directory(&self.back.directory, archive).await?;
            self.remove_marker(uid).await?;
        }
        Ok(())
    }

    /// Removes the owner marker that [`Self::rename_archive`] wrote, if it needed one.
    async fn remove_marker(&self, uid: &str) -> Result<(), ExportError> {
        match self.back.needs_marker {
            true => self.export.release_ownership(&self.back.directory, uid).await.map(drop),
            false => Ok(()),
        }
    }
}

/// The uid of the claim that a PV is for.
fn claim_uid(volume: &PersistentVolume) -> Option<&String> {
    volume.spec.as_ref()?.claim_ref.as_ref()?.uid.as_ref()
}

fn api_error(action: String, source: kube::Error, undone: &'static str) -> RestoreError {
    RestoreError::Api {
        action,
        source: Box::new(source),
        undone,
    }
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
