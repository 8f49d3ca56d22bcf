//! Expands one bound claim: the directory's limit and its proof, the PV's capacity, then the claim's.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::Reconciler;
use crate::cluster::describe_error;
use crate::export::LimitChange;
use crate::provisioner::expansion::{plan_expansion, wants_expansion};
use crate::provisioner::outcome::{ExpansionOutcome, ReconcileError};
use crate::provisioner::{claim, volume};

impl Reconciler {
    /// Gives a bound claim the size that it requests, if its class, `found`, allows that. Decides by the stored claim
    /// and PV, not by `seen`, which the watch had; then waits for a permit and the volume's lock. Publishes an event at
    /// the end.
    ///
    /// May be repeated after any interruption: the claim's status, which ends the expansion, comes last. If the API
    /// server forbids to patch it, the outcome is `Refused`, with the limit and the PV expanded.
    ///
    /// # Errors
    /// The attempt is to be repeated later; the limit may be larger by then.
    pub async fn expand_claim(
        &self,
        seen: &PersistentVolumeClaim,
        found: Option<&StorageClass>,
    ) -> Result<ExpansionOutcome, ReconcileError> {
        let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
        let uid = seen.uid().unwrap_or_default();
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &namespace);
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        self.require_serving()?;
        let live = self.find_claim(&namespace, &name).await?;
        let Some(live) =
            live.filter(|live| live.metadata.uid == seen.metadata.uid && wants_expansion(live, &self.settings.name))
        else {
            return Ok(ExpansionOutcome::NothingToDo);
        };
        let volume_name = claim::volume_name_in_spec(&live).to_owned();
        let Some(bound) = self.find_volume(&volume_name).await? else {
            return Ok(ExpansionOutcome::NothingToDo);
        };
        let plan = match plan_expansion(&live, found, &bound, self.exports.locations(), &self.settings.name) {
            Ok(Some(plan)) => plan,
            Ok(None) => return Ok(ExpansionOutcome::NothingToDo),
            Err(why) => return Ok(ExpansionOutcome::Refused(why)),
        };
        let Some(served) = self.exports.find_export(&plan.location, volume::mount_options(&bound)) else {
            return Ok(ExpansionOutcome::NothingToDo);
        };
        let (size, is_enforced) = (plan.size.0.clone(), plan.limit.is_some());
        if self.settings.dry_run {
            return Ok(ExpansionOutcome::WouldExpand {
                volume: volume_name,
                size,
            });
        }
        let _permit = served.acquire_claim_permit(is_enforced).await;
        let _lock = served.lock_volume(&volume_name).await;
        if let Some(limit) = &plan.limit {
            if let Err(why) = served.export.check_can_limit() {
                return Ok(ExpansionOutcome::Refused(why));
            }
            self.require_serving()?;
            served
                .export
                .limit_size(&plan.directory, limit, LimitChange::Resize)
                .await?;
        }
        self.require_serving()?;
        let capacity = json!({"storage": size});
        // Of the objects that were read: others may have their names by now.
        let patch = json!({"metadata": {"uid": bound.uid()}, "spec": {"capacity": capacity}});
        let params = PatchParams::default();
        self.call_api(
            &format!("expand PV {volume_name}"),
            volumes.patch(&volume_name, &params, &Patch::Merge(&patch)),
        )
        .await?;
        self.require_leadership()?;
        let patch = json!({"metadata": {"uid": uid}, "status": {"capacity": capacity}});
        let action = format!("expand the status of claim {name}");
        let patched = self
            .call_api(&action, claims.patch_status(&name, &params, &Patch::Merge(&patch)))
            .await;
        match patched {
            Err(ReconcileError::Api { source, .. }) if is_forbidden(&source) => {
                return Ok(ExpansionOutcome::Refused(format!(
                    "cannot {action}: {}; nfsprov create provisioner --allow-expansion grants the right to patch \
                     persistentvolumeclaims/status",
                    describe_error(&source)
                )));
            }
            patched => _ = patched?,
        }
        let note = match is_enforced {
            true => format!("Volume {volume_name} is limited to {size}"),
            false => format!(
                "Volume {volume_name} is recorded with {size}; its directory has no limit, since it has no quota: enforce"
            ),
        };
        self.events.publish_normal(&live, "VolumeResizeSuccessful", note);
        Ok(ExpansionOutcome::Expanded {
            volume: volume_name,
            size,
            is_enforced,
        })
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

#[cfg(test)]
#[path = "expand_tests.rs"]
mod tests;
