//! What to do with a claim (PURE).
//!
//! [`judge_claim`] decides about claims that are pending; `expansion` decides about those that are bound.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::class;

/// Where the controller manager names the provisioner of a claim (Kubernetes 1.22 and later).
pub const HANDOVER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same for older versions: 1.20 writes only this one, current versions write both.
pub const HANDOVER_BETA: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// The class of a claim, as it was written before `spec.storageClassName`, which it overrides.
pub const CLASS_BETA: &str = "volume.beta.kubernetes.io/storage-class";
/// Where the scheduler writes the node of the first pod of a `WaitForFirstConsumer` claim.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// What to do with a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimVerdict<'a> {
    /// It is bound, terminating, another provisioner's or a volume populator's.
    Ignore,
    /// Its class binds when the first pod is scheduled, and none is.
    WaitForConsumer,
    /// Its class doesn't exist yet.
    NoClass(String),
    /// It asks for something that NFS can't provide, as the sentence says.
    Refuse(String),
    /// Provision a volume of this class.
    Provision(&'a StorageClass),
}

/// Whether a claim is Pending and not terminating, has no volume and was handed over to `provisioner`. Cheap: every
/// claim of the cluster is checked.
pub fn is_waiting_for(claim: &PersistentVolumeClaim, provisioner: &str) -> bool {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    handed_over_to(claim) == Some(provisioner)
        && volume_name_in_spec(claim).is_empty()
        && claim.metadata.deletion_timestamp.is_none()
        && phase == Some("Pending")
}

/// The name of a claim's class, if it names one: the annotation [`CLASS_BETA`] first, else the field. It may be empty.
pub fn class_name(claim: &PersistentVolumeClaim) -> Option<&str> {
    annotation_of(claim, CLASS_BETA).or_else(|| claim.spec.as_ref()?.storage_class_name.as_deref())
}

/// Decides what to do with a claim. `found` is its class, if that exists; the class's parameters are not checked.
/// Refuses copies of claims and snapshots, attributes classes, block volumes, selectors and a class of another
/// provisioner; ignores other data sources, and a claim that is not waiting for `provisioner`.
pub fn judge_claim<'a>(
    claim: &PersistentVolumeClaim,
    found: Option<&'a StorageClass>,
    provisioner: &str,
) -> ClaimVerdict<'a> {
    if !is_waiting_for(claim, provisioner) {
        return ClaimVerdict::Ignore;
    }
    let name = class_name(claim).unwrap_or_default();
    let Some(class) = found else {
        return ClaimVerdict::NoClass(name.to_owned());
    };
    if class.provisioner != provisioner {
        return ClaimVerdict::Refuse(format!(
            "StorageClass {name} belongs to provisioner {} now; delete the claim and create it again",
            class.provisioner
        ));
    }
    if class::waits_for_consumer(class) && annotation_of(claim, SELECTED_NODE).unwrap_or_default().is_empty() {
        return ClaimVerdict::WaitForConsumer;
    }
    let Some(spec) = &claim.spec else {
        return ClaimVerdict::Ignore;
    };
    // The API server keeps the two fields equal, except for kinds that only the newer one may have.
    let reference = spec.data_source_ref.as_ref().map(|source| &source.kind);
    let source = reference.or(spec.data_source.as_ref().map(|source| &source.kind));
    if let Some(kind) = source {
        return match kind.as_str() {
            "PersistentVolumeClaim" | "VolumeSnapshot" => ClaimVerdict::Refuse(format!(
                "the claim asks for a copy of a {kind}, which is not supported; remove its data source"
            )),
            // Another kind belongs to a volume populator, which creates the volume itself.
            _ => ClaimVerdict::Ignore,
        };
    }
    if let Some(attributes) = spec
        .volume_attributes_class_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        return ClaimVerdict::Refuse(format!(
            "the claim asks for volumeAttributesClassName {attributes}, and NFS directories have no such attributes; \
             create the claim without it"
        ));
    }
    if spec.volume_mode.as_deref() == Some("Block") {
        return ClaimVerdict::Refuse(
            "the claim asks for a block device (volumeMode: Block), and NFS has only files".into(),
        );
    }
    if spec.selector.is_some() {
        return ClaimVerdict::Refuse(
            "the claim has a selector, which only volumes that are created by hand can match; remove it".into(),
        );
    }
    ClaimVerdict::Provision(class)
}

/// The name of the PV for the claim with this uid.
pub fn volume_name_for(uid: &str) -> String {
    format!("pvc-{uid}")
}

/// The name of the provisioner that the controller manager handed a claim over to, by [`HANDOVER`], else by
/// [`HANDOVER_BETA`]; `None` if it has not done so.
pub(super) fn handed_over_to(claim: &PersistentVolumeClaim) -> Option<&str> {
    annotation_of(claim, HANDOVER).or_else(|| annotation_of(claim, HANDOVER_BETA))
}

/// The name of the PV in the claim's spec, whatever its phase; empty if it has none.
pub(in crate::provisioner) fn volume_name_in_spec(claim: &PersistentVolumeClaim) -> &str {
    let spec = claim.spec.as_ref();
    spec.and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default()
}

/// The size that a claim requests, if it requests one.
pub(super) fn requested_size(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    resources.requests.as_ref()?.get("storage")
}

fn annotation_of<'a>(claim: &'a PersistentVolumeClaim, key: &str) -> Option<&'a str> {
    claim.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const OURS: &str = "nfsprov/nfs";

    /// A claim that waits for us, changed by `change` (an RFC 7386 merge patch).
    fn claim(change: Value) -> PersistentVolumeClaim {
        let mut claim = json!({
            "metadata": {"name": "c", "namespace": "d", "uid": "u", "annotations": {HANDOVER: OURS}},
            "spec": {"storageClassName": "nfs", "accessModes": ["ReadWriteMany"],
                     "resources": {"requests": {"storage": "1Gi"}}},
            "status": {"phase": "Pending"},
        });
        merge(&mut claim, &change);
        serde_json::from_value(claim).unwrap()
    }

    fn merge(target: &mut Value, patch: &Value) {
        match (target, patch) {
            (Value::Object(target), Value::Object(patch)) => {
                for (key, value) in patch {
                    if value.is_null() {
                        target.remove(key);
                    } else {
                        merge(target.entry(key.clone()).or_insert(json!({})), value);
                    }
                }
            }
            (target, patch) => *target = patch.clone(),
        }
    }

    fn class(binding: &str, provisioner: &str) -> StorageClass {
        serde_json::from_value(json!({
            "metadata": {"name": "nfs"}, "provisioner": provisioner, "volumeBindingMode": binding,
        }))
        .unwrap()
    }

    /// A verdict in one word.
    fn word(change: Value, class: Option<&StorageClass>) -> &'static str {
        match judge_claim(&claim(change), class, OURS) {
            ClaimVerdict::Ignore => "leave",
            ClaimVerdict::WaitForConsumer => "wait",
            ClaimVerdict::NoClass(_) => "no class",
            ClaimVerdict::Refuse(_) => "refuse",
            ClaimVerdict::Provision(_) => "provision",
        }
    }

    #[test]
    fn only_waiting_claims_handed_to_us_are_touched() {
        let class = class("Immediate", OURS);
        for (change, verdict) in [
            (json!({}), "provision"),
            (
                json!({"metadata": {"annotations": {HANDOVER: null, HANDOVER_BETA: OURS}}}),
                "provision",
            ),
            (
                json!({"metadata": {"annotations": {HANDOVER: "other", HANDOVER_BETA: OURS}}}),
                "leave",
            ),
            (json!({"metadata": {"annotations": {HANDOVER: "other"}}}), "leave"),
            (json!({"metadata": {"annotations": {HANDOVER: null}}}), "leave"),
            (json!({"metadata": {"annotations": null}}), "leave"),
            (
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
                "leave",
            ),
            (json!({"spec": {"volumeName": "pv"}}), "leave"),
            (json!({"spec": {"volumeName": ""}}), "provision"),
            (json!({"status": {"phase": "Bound"}}), "leave"),
            (json!({"status": {"phase": "Lost"}}), "leave"),
            (json!({"status": null}), "leave"),
        ] {
            assert_eq!(word(change.clone(), Some(&class)), verdict, "{change}");
        }
    }

    #[test]
    fn what_nfs_cannot_give_is_refused_and_what_others_make_is_left_alone() {
        let class = class("Immediate", OURS);
        for (change, verdict) in [
            (json!({"spec": {"volumeMode": "Block"}}), "refuse"),
            (json!({"spec": {"volumeMode": "Filesystem"}}), "provision"),
            (json!({"spec": {"selector": {}}}), "refuse"),
            (json!({"spec": {"volumeAttributesClassName": "gold"}}), "refuse"),
            (json!({"spec": {"volumeAttributesClassName": ""}}), "provision"),
            (
                json!({"spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "a"}}}),
                "refuse",
            ),
            (
                json!({"spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "a"}}}),
                "refuse",
            ),
            (
                json!({"spec": {"dataSourceRef": {"kind": "VolumeSnapshot", "name": "a"}}}),
                "refuse",
            ),
            (
                json!({"spec": {"dataSourceRef": {"kind": "GitRepo", "name": "a"}}}),
                "leave",
            ),
            (
                json!({"spec": {"dataSource": {"kind": "GitRepo", "name": "a"}, "volumeMode": "Block"}}),
                "leave",
            ),
        ] {
            assert_eq!(word(change.clone(), Some(&class)), verdict, "{change}");
        }
    }

    #[test]
    fn a_claim_waits_for_its_class_and_for_its_first_pod() {
        let late = class("WaitForFirstConsumer", OURS);
        assert_eq!(word(json!({}), None), "no class");
        assert_eq!(word(json!({}), Some(&late)), "wait");
        let scheduled = |node: &str| json!({"metadata": {"annotations": {SELECTED_NODE: node}}});
        assert_eq!(word(scheduled(""), Some(&late)), "wait");
        assert_eq!(word(scheduled("node1"), Some(&late)), "provision");
        let recreated = class("Immediate", "another/provisioner");
        assert_eq!(word(json!({}), Some(&recreated)), "refuse");
    }

    #[test]
    fn the_old_class_annotation_is_the_stronger_one() {
        let claim = claim(json!({"metadata": {"annotations": {CLASS_BETA: "old"}}}));
        assert_eq!(class_name(&claim), Some("old"));
    }
}
