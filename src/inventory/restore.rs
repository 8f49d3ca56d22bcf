//! Bringing an archive back, or giving a directory that stays where it is to a claim: a claim, a directory, a PV, in an order that may end anywhere and be begun again.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::archives::{Return, size_for, volume_of};
use crate::cluster::sentence;
use crate::export::{Export, ExportError, Location, Owner, Removed};
use crate::provisioner::claim::class_name;
use crate::provisioner::class::enforces_quota;
use crate::provisioner::volume::{ENFORCE, QUOTA, size_limit, uid_for_limit};

/// A claim that isn't there, and is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClaim {
    /// A quantity.
    pub size: String,
    /// The class; empty is none.
    pub class: String,
    /// As the API has them; at least one.
    pub access_modes: Vec<String>,
}

/// The restore of one archive: the claim it is for, and the place of its directory.
pub struct Restore<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The way to the export.
    pub export: &'a Export,
    /// The export.
    pub location: &'a Location,
    /// What becomes what.
    pub back: &'a Return,
    /// The claim's namespace.
    pub namespace: &'a str,
    /// The claim's name.
    pub claim: &'a str,
    /// The PV's size, if it is not to be what the claim requests.
    pub size: Option<&'a str>,
    /// How the claim is to be made if it isn't there.
    pub new_claim: Option<NewClaim>,
    /// Whether the volume was limited to its size before.
    pub was_limited: bool,
}

/// Why an archive could not be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It can't be, as things are.
    #[error("{0}; nothing was changed")]
    Refused(String),
    /// The export's side.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The API server's side.
    #[error("cannot {action}: {}{}", sentence(source), undone)]
    Api {
        /// What was asked of it.
        action: String,
        /// Its answer.
        source: Box<kube::Error>,
        /// What was taken back, or what to do next.
        undone: &'static str,
    },
}

impl Restore<'_> {
    /// Does it, and gives the PV and whether the claim was made.
    ///
    /// The claim comes first, since it names its PV from the start and so no provisioner serves it; then the directory and
    /// its limit; then the PV, which makes it all known. A try that ended early is gone on with by the next.
    ///
    /// # Errors
    /// Says what stands in the way; where the PV can't be made the archive is an archive again.
    pub async fn run(&self) -> Result<(PersistentVolume, bool), RestoreError> {
        let key = format!("{}/{}", self.namespace, self.claim);
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), self.namespace);
        let found = claims.get_opt(self.claim).await;
        let found = found.map_err(|source| api(format!("read claim {key}"), source, ""))?;
        let (claim, made) = match (found, &self.new_claim) {
            (Some(claim), _) => (claim, false),
            (None, Some(new)) => (self.object(new), true),
            (None, None) => {
                return Err(RestoreError::Refused(format!(
                    "claim {key} not found; --create-claim makes it"
                )));
            }
        };
        let size = size_for(&claim, &self.back.volume, self.size).map_err(RestoreError::Refused)?;
        let class = self.class_of(&claim).await?;
        let is_limited = self.was_limited || class.as_ref().is_some_and(enforces_quota);
        if is_limited {
            self.export.check_can_limit().map_err(RestoreError::Refused)?;
        }
        let claim = match made {
            true => {
                let created = claims.create(&PostParams::default(), &claim).await;
                created.map_err(|source| api(format!("create claim {key}"), source, ""))?
            }
            false => claim,
        };
        let options = class.and_then(|class| class.mount_options);
        let mut volume = volume_of(self.back, &claim, self.location, &size, options);
        let uid = claim.uid().unwrap_or_default();
        self.bring_back(&uid).await?;
        if is_limited {
            if let Err(error) = self.limit(&volume, &size).await {
                self.take_back(&uid).await?;
                return Err(error);
            }
            volume.annotations_mut().insert(QUOTA.to_owned(), ENFORCE.to_owned());
        }
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        match volumes.create(&PostParams::default(), &volume).await {
            Ok(volume) => Ok((volume, made)),
            Err(source) => {
                self.take_back(&uid).await?;
                let undone = "; the archive is an archive again";
                Err(api(format!("create PV {}", self.back.volume), source, undone))
            }
        }
    }

    fn object(&self, new: &NewClaim) -> PersistentVolumeClaim {
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
    async fn limit(&self, volume: &PersistentVolume, size: &str) -> Result<(), RestoreError> {
        let limit = size_limit(size, uid_for_limit(volume).unwrap_or_default()).map_err(RestoreError::Refused)?;
        self.export.limit_existing(&self.back.directory, &limit).await?;
        Ok(())
    }

    /// The claim's class, if it exists: the PV is to be as its volumes are.
    async fn class_of(&self, claim: &PersistentVolumeClaim) -> Result<Option<StorageClass>, RestoreError> {
        let Some(name) = class_name(claim).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let classes: Api<StorageClass> = Api::all(self.client.clone());
        let class = classes.get_opt(name).await;
        class.map_err(|source| api(format!("read StorageClass {name}"), source, ""))
    }

    async fn bring_back(&self, uid: &str) -> Result<(), RestoreError> {
        let directory = &self.back.directory;
        let Some(archive) = &self.back.archive else {
            return Ok(());
        };
        // The owner marker is written before the rename: a directory without one would have no known owner.
        if self.back.needs_marker {
            self.export.take_ownership(directory, &Owner::with_uid(uid)).await?;
        }
        match self.export.archive_directory(archive, directory).await {
            Ok(Removed::Done) => Ok(()),
            Ok(Removed::AlreadyGone) => {
                self.disown(uid).await?;
                Err(RestoreError::Refused(format!("archive {archive} went meanwhile")))
            }
            Err(error) => {
                self.disown(uid).await?;
                Err(error.into())
            }
        }
    }

    async fn take_back(&self, uid: &str) -> Result<(), ExportError> {
        if let Some(archive) = &self.back.archive {
            self.export.archive_directory(&self.back.directory, archive).await?;
            self.disown(uid).await?;
        }
        Ok(())
    }

    async fn disown(&self, uid: &str) -> Result<(), ExportError> {
        match self.back.needs_marker {
            true => self.export.release_ownership(&self.back.directory, uid).await.map(drop),
            false => Ok(()),
        }
    }
}

fn api(action: String, source: kube::Error, undone: &'static str) -> RestoreError {
    RestoreError::Api {
        action,
        source: Box::new(source),
        undone,
    }
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
