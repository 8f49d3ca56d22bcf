//! From a claim to its volume.

use std::sync::PoisonError;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::ownership::Attempt;
use super::{Work, key};
use crate::export::{ExportError, Owner, OwnerClaim};
use crate::provisioner::claim::{self, Verdict};
use crate::provisioner::class;
use crate::provisioner::outcome::{Outcome, WorkError};
use crate::provisioner::served::Served;
use crate::provisioner::volume::{self, Plan};

impl Work {
    /// Makes the volume of a claim, as its class, if that exists, says.
    ///
    /// May be repeated at any point: what is there already is used.
    ///
    /// # Errors
    /// What to try again for; nothing that was made is taken back.
    pub async fn provision(
        &self,
        seen: &PersistentVolumeClaim,
        found: Option<&StorageClass>,
    ) -> Result<Outcome, WorkError> {
        let class = match claim::judge(seen, found, &self.settings.name) {
            Verdict::Leave => return Ok(Outcome::Left),
            Verdict::WaitForConsumer => return Ok(Outcome::Waiting),
            Verdict::NoClass(name) => return Err(WorkError::NoClass(name)),
            Verdict::Refuse(why) => return Ok(Outcome::Refused(why)),
            Verdict::Provision(class) => class,
        };
        let settings = match class::settings(class, self.exports.locations()) {
            Ok(settings) => settings,
            Err(why) => return Ok(Outcome::Refused(why)),
        };
        let Some(served) = self.exports.at(&settings.location) else {
            return Ok(Outcome::Left);
        };
        if settings.path_pattern.is_some() {
            self.until_volumes_are_known().await?;
        }
        let _turn = served.turn_for_claim().await;
        // Boxed, since thousands may wait for their turn and only some have one: waiting takes little memory.
        Box::pin(self.provision_in_turn(seen, class, &settings, served)).await
    }

    async fn provision_in_turn(
        &self,
        seen: &PersistentVolumeClaim,
        class: &StorageClass,
        settings: &class::Settings,
        served: &Served,
    ) -> Result<Outcome, WorkError> {
        let _lock = served
            .lock_volume(&claim::volume_for(&seen.uid().unwrap_or_default()))
            .await;
        self.still_serving()?;
        let started = Instant::now();
        let _flight = self.metrics.claim_in_flight();
        let _making = self.events.burst().making();
        // The watch may lag behind: the claim may be bound, deleted or replaced by now.
        let name = seen.name_any();
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &seen.namespace().unwrap_or_default());
        let live = self.ask(&format!("read claim {name}"), claims.get_opt(&name)).await?;
        let Some(live) = live.filter(|live| live.metadata.uid == seen.metadata.uid) else {
            return Ok(Outcome::Left);
        };
        if claim::judge(&live, Some(class), &self.settings.name) != Verdict::Provision(class) {
            return Ok(Outcome::Left);
        }
        let plan = match volume::plan(&live, settings, &self.settings.name) {
            Ok(plan) => plan,
            Err(why) => return Ok(Outcome::Refused(why)),
        };
        let volume = plan.volume.name_any();
        let path = plan.directory.under(&served.location.path);
        self.free_for(&plan, served)?;
        if self.settings.dry_run {
            return Ok(Outcome::WouldProvision { volume, path });
        }
        if !self.has_failed(&live, Some(class)) {
            self.announce(&live, settings, class);
        }
        self.still_leading()?;
        let uid = live.uid().unwrap_or_default();
        let attempt = Attempt {
            location: served.location.clone(),
            directory: plan.directory.clone(),
        };
        self.begin_attempt(&uid, attempt).await;
        served.export.use_mount_options(&settings.mount_options).await;
        if plan.needs_marker {
            self.own(&plan.directory, &owner(&live, class), served).await?;
        }
        // Right before the effect: much may have happened since the claim was read.
        self.still_leading()?;
        served
            .export
            .create_directory(&plan.directory, settings.attributes)
            .await?;
        self.still_leading()?;
        let is_new = self.create(&plan.volume).await?;
        self.end_attempt(&uid);
        if is_new {
            self.events.burst().made(&uid);
            let note = format!("Successfully provisioned volume {volume}");
            self.events.normal(&live, "ProvisioningSucceeded", note);
        }
        Ok(Outcome::Provisioned {
            volume,
            path,
            took: is_new.then(|| started.elapsed()),
        })
    }

    /// Sees that a `pathPattern` names no place where another PV lies; other directories have names of their own.
    fn free_for(&self, plan: &Plan, served: &Served) -> Result<(), ExportError> {
        let volume = plan.volume.name_any();
        if !plan.needs_marker {
            return Ok(());
        }
        match self.neighbours().of(&served.location, &plan.directory, &volume, None) {
            Some(other) => Err(ExportError::Owned {
                path: plan.directory.to_string(),
                why: format!("PV {other} lies at, above or below it"),
            }),
            None => Ok(()),
        }
    }

    /// Creates the PV, or finds that an earlier attempt did: its name holds the claim's uid. Whether it is new.
    async fn create(&self, volume: &PersistentVolume) -> Result<bool, WorkError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let name = volume.name_any();
        let params = PostParams::default();
        match self
            .ask(&format!("create PV {name}"), volumes.create(&params, volume))
            .await
        {
            Err(WorkError::Api { source, .. }) if is_already_exists(&source) => {}
            created => return created.map(|_| true),
        }
        let found = self.ask(&format!("read PV {name}"), volumes.get_opt(&name)).await?;
        let is_ours = |found: &PersistentVolume| {
            found.metadata.deletion_timestamp.is_none() && place_and_claim(found) == place_and_claim(volume)
        };
        match found.is_some_and(|found| is_ours(&found)) {
            true => Ok(false),
            false => Err(WorkError::InTheWay(name)),
        }
    }

    fn announce(&self, claim: &PersistentVolumeClaim, settings: &class::Settings, class: &StorageClass) {
        self.events.normal(
            claim,
            "Provisioning",
            format!(
                "External provisioner is provisioning volume for claim \"{}\"",
                key(claim)
            ),
        );
        let class_uid = class.uid().unwrap_or_default();
        let mut told_classes = self.told_classes.lock().unwrap_or_else(PoisonError::into_inner);
        if !settings.without_effect.is_empty() && told_classes.insert(class_uid) {
            let note = format!(
                "StorageClass {}: {}",
                class.name_any(),
                settings.without_effect.join("; ")
            );
            tracing::warn!("{note}");
            self.events.warning(claim, "WithoutEffect", note);
        }
        if !settings.unknown.is_empty() {
            let note = format!(
                "StorageClass {} has parameters that {} doesn't know, and ignores: {}",
                class.name_any(),
                self.settings.name,
                settings.unknown.join(", ")
            );
            self.events.warning(claim, "UnknownParameters", note);
        }
    }
}

/// A claim as its directory's marker names it.
fn owner(claim: &PersistentVolumeClaim, class: &StorageClass) -> Owner {
    Owner {
        uid: claim.uid().unwrap_or_default(),
        claim: Some(OwnerClaim {
            class_uid: class.uid().unwrap_or_default(),
            namespace: claim.namespace().unwrap_or_default(),
            name: claim.name_any(),
        }),
    }
}

/// Where a PV lies, and the uid of its claim.
fn place_and_claim(volume: &PersistentVolume) -> Option<(&str, &str, Option<&str>)> {
    let spec = volume.spec.as_ref()?;
    let (nfs, claim) = (spec.nfs.as_ref()?, spec.claim_ref.as_ref()?);
    Some((nfs.server.as_str(), nfs.path.as_str(), claim.uid.as_deref()))
}

fn is_already_exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_already_exists())
}
