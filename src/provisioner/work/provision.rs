//! From a claim to its volume.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::{Work, key};
use crate::export::{Export, ExportError, Making};
use crate::provisioner::claim::{self, Verdict};
use crate::provisioner::class;
use crate::provisioner::exports::Served;
use crate::provisioner::outcome::{Outcome, WorkError};
use crate::provisioner::volume::{self, Plan};

impl Work {
    /// Makes the volume of a claim, as its class, if that exists, says.
    ///
    /// May be repeated at any point: what is there already is used. The volume is out of the making after
    /// [`Work::let_go_of_made`].
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
            self.announce(&live, &settings.unknown, class);
        }
        self.still_leading()?;
        match self.make_directory(&live, class, &plan, settings, &served.export).await {
            // Nothing was begun. It may be free soon: as when a claim is deleted and made again.
            Err(error @ ExportError::Owned { .. }) => {
                served.export.end(&volume).await?;
                return Err(error.into());
            }
            made => made?,
        }
        self.still_leading()?;
        let made = self.create(&plan.volume, &path).await?;
        self.note_made(&made, &served.location);
        self.events
            .burst()
            .made(live.metadata.uid.as_deref().unwrap_or_default());
        let note = format!("Successfully provisioned volume {volume}");
        self.events.normal(&live, "ProvisioningSucceeded", note);
        Ok(Outcome::Provisioned {
            volume,
            path,
            took: started.elapsed(),
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

    async fn make_directory(
        &self,
        claim: &PersistentVolumeClaim,
        class: &StorageClass,
        plan: &Plan,
        settings: &class::Settings,
        export: &Export,
    ) -> Result<(), ExportError> {
        let making = Making {
            volume: plan.volume.name_any(),
            class: class.uid().unwrap_or_default(),
            namespace: claim.namespace().unwrap_or_default(),
            claim: claim.name_any(),
            directory: plan.directory.clone(),
        };
        export.begin(&making).await?;
        if plan.needs_marker {
            export.own(&plan.directory, &claim.uid().unwrap_or_default()).await?;
        }
        export.make(&plan.directory, settings.attributes).await?;
        Ok(())
    }

    /// Makes the PV, or finds that an earlier try did: its name holds the claim's uid.
    async fn create(&self, volume: &PersistentVolume, path: &str) -> Result<PersistentVolume, WorkError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let name = volume.name_any();
        let params = PostParams::default();
        match self
            .ask(&format!("create PV {name}"), volumes.create(&params, volume))
            .await
        {
            Err(WorkError::Api { source, .. }) if is_already_exists(&source) => {}
            created => return created,
        }
        let found = self.ask(&format!("read PV {name}"), volumes.get_opt(&name)).await?;
        let good = |found: &PersistentVolume| {
            let nfs = found.spec.as_ref().and_then(|spec| spec.nfs.as_ref());
            found.metadata.deletion_timestamp.is_none() && nfs.is_some_and(|nfs| nfs.path == path)
        };
        found.filter(good).ok_or(WorkError::InTheWay(name))
    }

    fn announce(&self, claim: &PersistentVolumeClaim, unknown: &[String], class: &StorageClass) {
        self.events.normal(
            claim,
            "Provisioning",
            format!(
                "External provisioner is provisioning volume for claim \"{}\"",
                key(claim)
            ),
        );
        if !unknown.is_empty() {
            let note = format!(
                "StorageClass {} has parameters that {} doesn't know, and ignores: {}",
                class.name_any(),
                self.settings.name,
                unknown.join(", ")
            );
            self.events.warning(claim, "UnknownParameters", note);
        }
    }
}

fn is_already_exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_already_exists())
}
