//! Provisions one claim: creates its directory, then its PV, so that no pod is given a directory that doesn't exist.

use std::sync::{Arc, PoisonError};

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::ownership::Attempt;
use super::{Reconciler, claim_key};
use crate::export::{ExportError, LimitChange, Owner, OwnerClaim};
use crate::provisioner::claim::{self, ClaimVerdict};
use crate::provisioner::class;
use crate::provisioner::outcome::{ProvisionOutcome, ReconcileError};
use crate::provisioner::served::Served;
use crate::provisioner::volume::{self, VolumePlan};

impl Reconciler {
    /// Creates the directory and the PV of a claim, as its class says; a `pathPattern` directory gets an owner marker,
    /// and `quota: enforce` a limit. `found` is the class, if it exists. Waits for a permit, then decides by the claim
    /// as it is in `watched`, the pending claims, or on the API server without it. In a dry run, changes nothing.
    ///
    /// For a `pathPattern`, first waits until all PVs are recorded as neighbours, at most for the request timeout
    /// (`ApiTimeout`). Publishes events. May be repeated after any interruption: a directory or PV of the claim that
    /// exists is used.
    ///
    /// # Errors
    /// The attempt is to be repeated later; what it created stays. `ClassNotFound` without `found`.
    pub async fn provision_claim(
        &self,
        seen: &PersistentVolumeClaim,
        found: Option<&StorageClass>,
        watched: Option<&Store<PersistentVolumeClaim>>,
    ) -> Result<ProvisionOutcome, ReconcileError> {
        let class = match claim::judge_claim(seen, found, &self.settings.name) {
            ClaimVerdict::Ignore => return Ok(ProvisionOutcome::NothingToDo),
            ClaimVerdict::WaitForConsumer => return Ok(ProvisionOutcome::WaitingForConsumer),
            ClaimVerdict::NoClass(name) => return Err(ReconcileError::ClassNotFound(name)),
            ClaimVerdict::Refuse(why) => return Ok(ProvisionOutcome::Refused(why)),
            ClaimVerdict::Provision(class) => class,
        };
        let settings = match class::read_settings(class, self.exports.locations()) {
            Ok(settings) => settings,
            Err(why) => return Ok(ProvisionOutcome::Refused(why)),
        };
        let Some(served) = self.exports.find_export(&settings.location, &settings.mount_options) else {
            return Ok(ProvisionOutcome::NothingToDo);
        };
        if settings.path_pattern.is_some() {
            self.wait_until_volumes_listed().await?;
        }
        let _announced = settings.enforces_quota.then(|| served.export.announce_limit());
        let _permit = served.acquire_claim_permit(settings.enforces_quota).await;
        // Boxed: thousands of claims may wait for a permit, and the future of those that have one is large.
        Box::pin(self.provision_with_permit(seen, class, &settings, &served, watched)).await
    }

    /// Provisions a claim whose permit is held: locks its volume, reads it again and does what
    /// [`Reconciler::provision_claim`] says. Publishes events when it begins and when the PV is created.
    async fn provision_with_permit(
        &self,
        seen: &PersistentVolumeClaim,
        class: &StorageClass,
        settings: &class::Settings,
        served: &Served,
        watched: Option<&Store<PersistentVolumeClaim>>,
    ) -> Result<ProvisionOutcome, ReconcileError> {
        let _lock = served
            .lock_volume(&claim::volume_name_for(&seen.uid().unwrap_or_default()))
            .await;
        self.require_serving()?;
        let started = Instant::now();
        let _flight = self.metrics.claim_in_flight();
        // It may have waited long for the permit: the claim may be bound, deleted or replaced by now.
        let live = match watched {
            Some(watched) => watched.get(&ObjectRef::from_obj(seen)),
            None => {
                let namespace = seen.namespace().unwrap_or_default();
                self.find_claim(&namespace, &seen.name_any()).await?.map(Arc::new)
            }
        };
        let Some(live) = live.filter(|live| live.metadata.uid == seen.metadata.uid) else {
            return Ok(ProvisionOutcome::NothingToDo);
        };
        if claim::judge_claim(&live, Some(class), &self.settings.name) != ClaimVerdict::Provision(class) {
            return Ok(ProvisionOutcome::NothingToDo);
        }
        let plan = match volume::plan_volume(&live, settings, &self.settings.name) {
            Ok(plan) => plan,
            Err(why) => return Ok(ProvisionOutcome::Refused(why)),
        };
        if plan.limit.is_some()
            && let Err(why) = served.export.check_can_limit()
        {
            return Ok(ProvisionOutcome::Refused(why));
        }
        let volume = plan.volume.name_any();
        let path = plan.directory.under(&served.location.path);
        // Default names are unique.
        if settings.path_pattern.is_some() {
            self.check_no_volume_conflict(&plan, served).await?;
        }
        if self.settings.dry_run {
            return Ok(ProvisionOutcome::WouldProvision { volume, path });
        }
        if !self.has_failed_before(&live, Some(class)) {
            self.publish_start_events(&live, settings, class);
        }
        let uid = live.uid().unwrap_or_default();
        let attempt = Attempt {
            served: served.clone(),
            directory: plan.directory.clone(),
        };
        self.begin_attempt(&uid, attempt).await;
        if settings.path_pattern.is_some() {
            let (directory, owner) = (&plan.directory, owner_for_claim(&live, class));
            let namespace = live.namespace().unwrap_or_default();
            match self.write_marker_replacing_abandoned(directory, &owner, served).await {
                Err(ReconcileError::Export(ExportError::Owned { .. }))
                    if settings.on_existing.adopts(directory, &namespace) =>
                {
                    self.require_leadership()?;
                    served.export.write_owner_marker_of_existing(directory, &owner).await?;
                    tracing::info!(claim = format!("{namespace}/{}", live.name_any()), %directory, "adopted existing directory");
                }
                owned => owned?,
            }
        }
        self.require_leadership()?;
        served
            .export
            .create_directory(&plan.directory, settings.attributes)
            .await?;
        if let Some(limit) = &plan.limit {
            self.require_leadership()?;
            served
                .export
                .limit_size(&plan.directory, limit, LimitChange::New)
                .await?;
        }
        self.require_leadership()?;
        let is_new = self.create_volume(&plan.volume).await?;
        self.end_attempt(&uid);
        if is_new {
            let note = format!("Successfully provisioned volume {volume}");
            self.events.publish_normal(&*live, "ProvisioningSucceeded", note);
        }
        Ok(ProvisionOutcome::Provisioned {
            volume,
            path,
            took: is_new.then(|| started.elapsed()),
        })
    }

    /// Fails with `Owned` if another PV's directory is at, above or below the planned one. All PVs must be listed before.
    async fn check_no_volume_conflict(&self, plan: &VolumePlan, served: &Served) -> Result<(), ExportError> {
        let volume = plan.volume.name_any();
        match self.find_neighbour(served, &plan.directory, &volume, None).await {
            Some(other) => Err(ExportError::Owned {
                path: plan.directory.to_string(),
                why: format!("PV {other} lies at, above or below it"),
            }),
            None => Ok(()),
        }
    }

    /// Creates the PV. False if an earlier attempt did so: the PV's name holds the claim's uid. An error if a PV of
    /// that name is being deleted or has another claim or directory.
    async fn create_volume(&self, volume: &PersistentVolume) -> Result<bool, ReconcileError> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let name = volume.name_any();
        let params = PostParams::default();
        match self
            .call_api(&format!("create PV {name}"), volumes.create(&params, volume))
            .await
        {
            Err(ReconcileError::Api {
                source: kube::Error::Api(status),
                ..
            }) if status.is_already_exists() => {}
            created => return created.map(|_| true),
        }
        let found = self.find_volume(&name).await?;
        let is_ours = |found: &PersistentVolume| {
            found.metadata.deletion_timestamp.is_none() && location_and_claim(found) == location_and_claim(volume)
        };
        match found.is_some_and(|found| is_ours(&found)) {
            true => Ok(false),
            false => Err(ReconcileError::VolumeConflict(name)),
        }
    }

    /// Publishes that provisioning begins, and warnings about parameters of the class: unknown ones for each claim,
    /// those without effect once for the class.
    fn publish_start_events(&self, claim: &PersistentVolumeClaim, settings: &class::Settings, class: &StorageClass) {
        self.events.publish_normal(
            claim,
            "Provisioning",
            format!(
                "External provisioner is provisioning volume for claim \"{}\"",
                claim_key(claim)
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
            self.events.publish_warning(claim, "WithoutEffect", note);
        }
        if !settings.unknown.is_empty() {
            let note = format!(
                "StorageClass {} has parameters that {} doesn't know, and ignores: {}",
                class.name_any(),
                self.settings.name,
                settings.unknown.join(", ")
            );
            self.events.publish_warning(claim, "UnknownParameters", note);
        }
    }
}

/// The owner that is written into the marker of a claim's directory.
fn owner_for_claim(claim: &PersistentVolumeClaim, class: &StorageClass) -> Owner {
    Owner {
        uid: claim.uid().unwrap_or_default(),
        claim: Some(OwnerClaim {
            class_uid: class.uid().unwrap_or_default(),
            namespace: claim.namespace().unwrap_or_default(),
            name: claim.name_any(),
        }),
    }
}

/// Server and path of an NFS PV, and the uid of its claim; `None` if it is no NFS PV or has no claim.
fn location_and_claim(volume: &PersistentVolume) -> Option<(&str, &str, Option<&str>)> {
    let spec = volume.spec.as_ref()?;
    let (nfs, claim) = (spec.nfs.as_ref()?, spec.claim_ref.as_ref()?);
    Some((nfs.server.as_str(), nfs.path.as_str(), claim.uid.as_deref()))
}
