//! What it takes to expand a bound claim (PURE).
//!
//! [`ExpansionPlan`] is the decision; `reconcile/expand` carries it out.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{claim, volume};
use crate::cluster::quantity;
use crate::export::{Location, SizeLimit, VolumePath};

/// A claim to expand.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpansionPlan {
    /// The size of PV and claim afterwards: the requested one, or the PV's if that is larger.
    pub size: Quantity,
    pub location: Location,
    pub directory: VolumePath,
    /// What the directory must be limited to first; `None` if nothing limits the volume, so that only the sizes in the
    /// cluster change.
    pub limit: Option<SizeLimit>,
}

/// Whether a bound claim requests more than it has and was handed over to this provisioner or to none: the PV of the
/// latter may be another's. False if a size can't be read. Cheap: every claim of the cluster is checked.
pub fn wants_expansion(claim: &PersistentVolumeClaim, provisioner: &str) -> bool {
    let status = claim.status.as_ref();
    let has = status.and_then(|status| status.capacity.as_ref()?.get("storage"));
    let (Some(requested), Some(has)) = (claim::requested_size(claim), has) else {
        return false;
    };
    status.and_then(|status| status.phase.as_deref()) == Some("Bound")
        && claim.metadata.deletion_timestamp.is_none()
        && !claim::volume_name_in_spec(claim).is_empty()
        // A claim that was created for its volume, as those of a rebuilt cluster, was handed over to none.
        && claim::handed_over_to(claim).is_none_or(|other| other == provisioner)
        // Most sizes are equal, which takes no parsing.
        && requested != has
        && quantity::parse_bytes(&requested.0)
            .zip(quantity::parse_bytes(&has.0))
            .is_some_and(|(requested, has)| requested > has)
}

/// Plans the expansion of a claim, whose PV is `bound`, after [`wants_expansion`] returned true. `class` is the
/// claim's, if it exists; `served` are the exports of this provisioner. `None` if another provisioner made the PV, and
/// the claim was handed over to none.
///
/// # Errors
/// One sentence, when the claim can't be expanded.
pub fn plan_expansion(
    claim: &PersistentVolumeClaim,
    class: Option<&StorageClass>,
    bound: &PersistentVolume,
    served: &[Location],
    provisioner: &str,
) -> Result<Option<ExpansionPlan>, String> {
    let name = bound.metadata.name.as_deref().unwrap_or_default();
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    let spec = bound.spec.as_ref();
    if !volume::is_provisioned_by(bound, provisioner) {
        return match claim::handed_over_to(claim) {
            Some(_) => Err(format!("{provisioner} did not provision PV {name}")),
            None => Ok(None),
        };
    }
    check_class(claim, class)?;
    if volume::claim_of(bound).and_then(|claim| claim.uid.as_deref()) != Some(uid) {
        return Err(format!("PV {name} is bound to another claim"));
    }
    if bound.metadata.deletion_timestamp.is_some() {
        return Err(format!("PV {name} is being deleted"));
    }
    let nfs = spec
        .and_then(|spec| spec.nfs.as_ref())
        .ok_or_else(|| format!("PV {name} is not an NFS volume"))?;
    let (location, directory) = volume::locate_directory(nfs, served).map_err(|why| format!("PV {name} {why}"))?;
    let requested = claim::requested_size(claim).ok_or("the claim requests no storage size")?;
    let recorded = spec.and_then(|spec| spec.capacity.as_ref()?.get("storage"));
    // An earlier attempt may have expanded the PV further than the claim requests by now. Data may be there already.
    let size = recorded
        .filter(|recorded| quantity::parse_bytes(&recorded.0) > quantity::parse_bytes(&requested.0))
        .unwrap_or(requested);
    let limit = match volume::annotation_of(bound, volume::QUOTA) {
        Some(volume::ENFORCE) => Some(volume::size_limit(
            &size.0,
            volume::uid_for_limit(bound).unwrap_or(uid),
        )?),
        _ => None,
    };
    Ok(Some(ExpansionPlan {
        size: size.clone(),
        location,
        directory,
        limit,
    }))
}

/// Fails unless the class allows expansion. It may have been changed or deleted after the claim was expanded.
fn check_class(claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> Result<(), String> {
    let name = claim::class_name(claim).unwrap_or_default();
    match class.map(|class| class.allow_volume_expansion) {
        Some(Some(true)) => Ok(()),
        Some(_) => Err(format!("StorageClass {name} does not have allowVolumeExpansion: true")),
        None => Err(format!(
            "StorageClass {name}, which must allow expansion, does not exist"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const OURS: &str = "nfsprov/nfs";
    const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

    /// JSON pointers and the values to set there.
    type Changes<'a> = &'a [(&'a str, Value)];

    fn with<T: serde::de::DeserializeOwned>(mut object: Value, changes: Changes<'_>) -> T {
        for (pointer, value) in changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            object.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    fn bound_claim(changes: Changes<'_>) -> PersistentVolumeClaim {
        let object = json!({
            "metadata": {"name": "c", "namespace": "d", "uid": UID, "annotations": {claim::HANDOVER: OURS}},
            "spec": {"storageClassName": "nfs", "volumeName": "pv", "resources": {"requests": {"storage": "20Mi"}}},
            "status": {"phase": "Bound", "capacity": {"storage": "10Mi"}},
        });
        with(object, changes)
    }

    fn bound_volume(changes: Changes<'_>) -> PersistentVolume {
        let object = json!({
            "metadata": {"name": "pv", "annotations": {volume::PROVISIONED_BY: OURS, volume::QUOTA: "enforce"}},
            "spec": {"nfs": {"server": "server", "path": "/export/d-c-pv"}, "claimRef": {"uid": UID},
                     "capacity": {"storage": "10Mi"}},
        });
        with(object, changes)
    }

    fn class(allows_expansion: Option<bool>) -> StorageClass {
        StorageClass {
            allow_volume_expansion: allows_expansion,
            ..StorageClass::default()
        }
    }

    fn plan(
        claim: Changes<'_>,
        class: Option<&StorageClass>,
        volume: Changes<'_>,
    ) -> Result<Option<ExpansionPlan>, String> {
        let served = [Location {
            server: "server".into(),
            path: "/export".into(),
        }];
        plan_expansion(&bound_claim(claim), class, &bound_volume(volume), &served, OURS)
    }

    #[test]
    fn a_bound_claim_that_requests_more_than_it_has_is_expanded() {
        for (changes, wants) in [
            (&[][..], true),
            (&[("/spec/resources/requests/storage", json!("10Mi"))], false),
            (&[("/spec/resources/requests/storage", json!("10240Ki"))], false),
            (&[("/spec/resources/requests/storage", json!("5Mi"))], false),
            (&[("/spec/resources/requests/storage", json!("much"))], false),
            (&[("/status/capacity", Value::Null)], false),
            (&[("/status/phase", json!("Pending"))], false),
            (&[("/status/phase", json!("Lost"))], false),
            (&[("/spec/volumeName", json!(""))], false),
            (&[("/metadata/annotations", json!({claim::HANDOVER: "other"}))], false),
            (&[("/metadata/annotations", json!({claim::HANDOVER_BETA: OURS}))], true),
            (&[("/metadata/annotations", Value::Null)], true),
            (&[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))], false),
        ] {
            assert_eq!(wants_expansion(&bound_claim(changes), OURS), wants, "{changes:?}");
        }
    }

    #[test]
    fn only_the_claims_own_volume_is_enlarged_and_limited_if_it_was() {
        let limit = SizeLimit::new(20 << 20, UID).unwrap();
        for (changes, expected) in [
            (&[][..], Ok(Some(limit))),
            (
                &[("/metadata/annotations", json!({volume::PROVISIONED_BY: OURS}))],
                Ok(None),
            ),
            (
                &[("/metadata/annotations", json!({volume::PROVISIONED_BY: "other"}))],
                Err("nfsprov/nfs did not provision PV pv"),
            ),
            (
                &[("/metadata/annotations", Value::Null)],
                Err("nfsprov/nfs did not provision PV pv"),
            ),
            (&[("/spec/claimRef/uid", json!("other"))], Err("bound to another claim")),
            (&[("/spec/claimRef", Value::Null)], Err("bound to another claim")),
            (
                &[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))],
                Err("PV pv is being deleted"),
            ),
            (&[("/spec/nfs", Value::Null)], Err("not an NFS volume")),
            (&[("/spec/nfs/server", json!("other"))], Err("PV pv is on other")),
            (&[("/spec/nfs/path", json!("/export/../etc"))], Err("PV pv names")),
            (&[("/spec/nfs/path", json!("/export"))], Err("PV pv names")),
        ] {
            match (plan(&[], Some(&class(Some(true))), changes), expected) {
                (Ok(Some(plan)), Ok(limit)) => {
                    assert_eq!((plan.limit, plan.size.0.as_str()), (limit, "20Mi"), "{changes:?}");
                    assert_eq!(plan.directory.to_string(), "d-c-pv");
                }
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (plan, _) => panic!("{changes:?}: {plan:?}"),
            }
        }
    }

    /// Nothing tells of these claims whose they are, but their volumes.
    #[test]
    fn a_claim_that_was_handed_over_to_none_is_enlarged_if_its_volume_was_provisioned_here() {
        let claim = [("/metadata/annotations", Value::Null)];
        let theirs = [("/metadata/annotations", json!({volume::PROVISIONED_BY: "other"}))];
        assert!(plan(&claim, Some(&class(Some(true))), &[]).unwrap().is_some());
        for class in [Some(class(Some(true))), Some(class(None)), None] {
            assert_eq!(plan(&claim, class.as_ref(), &theirs), Ok(None), "{class:?}");
        }
    }

    #[test]
    fn a_class_must_allow_expansion() {
        for (class, expected) in [
            (Some(class(Some(true))), None),
            (Some(class(Some(false))), Some("StorageClass nfs does not have")),
            (Some(class(None)), Some("StorageClass nfs does not have")),
            (
                None,
                Some("StorageClass nfs, which must allow expansion, does not exist"),
            ),
        ] {
            match (plan(&[], class.as_ref(), &[]), expected) {
                (Ok(Some(_)), None) => {}
                (Err(why), Some(part)) => assert!(why.starts_with(part), "{why}"),
                (plan, _) => panic!("{class:?}: {plan:?}"),
            }
        }
    }

    #[test]
    fn a_volume_is_never_made_smaller() {
        for (recorded, expected) in [
            ("10Mi", "20Mi"),
            ("20480Ki", "20Mi"),
            ("40Mi", "40Mi"),
            ("much", "20Mi"),
        ] {
            let changes = [("/spec/capacity", json!({"storage": recorded}))];
            let plan = plan(&[], Some(&class(Some(true))), &changes).unwrap().unwrap();
            let limit = SizeLimit::new(quantity::parse_bytes(expected).unwrap(), UID).unwrap();
            assert_eq!(
                (plan.size.0.as_str(), plan.limit),
                (expected, Some(limit)),
                "{recorded}"
            );
        }
    }

    /// A rebuilt or released volume is bound to another claim than the one whose uid gave the project id.
    #[test]
    fn the_project_id_is_that_of_the_claim_that_the_volume_was_provisioned_for() {
        let first = "11111111-2222-4333-8444-555555555555";
        let changes = [("/metadata/name", json!(format!("pvc-{first}")))];
        let plan = plan(&[], Some(&class(Some(true))), &changes).unwrap().unwrap();
        assert_eq!(plan.limit, Some(SizeLimit::new(20 << 20, first).unwrap()));
    }
}
