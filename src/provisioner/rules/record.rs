//! The record of a volume (PURE): its PV and its claim as manifests that `kubectl apply` takes, kept on the volume's
//! own export.
//!
//! A record is written from stored objects and reduced to what another cluster needs. Whoever can write to the export
//! can write a record, so one that is read is held against a strict schema.

mod schema;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use serde_json::{Map, Value, json};

pub use self::schema::parse;
use super::claim;
use super::volume::{
    DIRECTORY, ENFORCE, FINALIZER, ON_DELETE, PROVISIONED_BY, QUOTA, annotation_of, claim_of, has_finalizer,
    is_in_namespace, is_provisioned_by, phase_of,
};
use crate::export::{Location, MAX_RECORD, VolumePath, is_named_after};
use crate::yaml;

/// The first line of every record.
const HEADER: &str = "# Written by nfsprov: the volume in this export and its claim, as kubectl apply takes them.\n";

const SEPARATOR: &str = "---\n";

/// The annotations of a PV that a record keeps.
const KEPT_ON_VOLUME: [&str; 4] = [PROVISIONED_BY, DIRECTORY, ON_DELETE, QUOTA];

/// A volume and its claim, without what only one cluster can know: uids, versions, status.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The PV. Its claimRef names the claim and has no uid, so that a new claim of the name can bind.
    pub volume: PersistentVolume,
    /// The claim; none if the claim was deleted and the PV was kept.
    pub claim: Option<PersistentVolumeClaim>,
    /// The directory below the export's root.
    pub directory: VolumePath,
}

impl Record {
    /// The record of a PV on `export`. `claim` is left out if it is not bound to the PV, and its annotations if the
    /// record would be too large with them.
    ///
    /// # Errors
    /// One sentence, when the PV has no directory of its own on the export or [`parse`] would refuse its record.
    pub fn of(
        volume: &PersistentVolume,
        claim: Option<&PersistentVolumeClaim>,
        export: &Location,
    ) -> Result<Self, String> {
        let claim = claim.filter(|claim| is_claim_of(claim, volume));
        let mut texts = Texts {
            volume: volume_text(volume)?,
            claim: claim.map(claim_text).unwrap_or_default(),
        };
        if let Some(claim) = claim.filter(|_| texts.joined().len() > MAX_RECORD) {
            let mut claim = claim.clone();
            claim.metadata.annotations = None;
            texts.claim = claim_text(&claim);
        }
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        parse(name, texts.joined().as_bytes(), export)
    }

    pub fn name(&self) -> &str {
        self.volume.metadata.name.as_deref().unwrap_or_default()
    }

    /// Whether the record says that the server limited the volume to its size.
    pub fn is_limited(&self) -> bool {
        annotation_of(&self.volume, QUOTA) == Some(ENFORCE)
    }

    /// The claim that the PV is reserved for: namespace and name. `None` if the PV has no claimRef.
    pub fn claim_key(&self) -> Option<(&str, &str)> {
        let claim = claim_of(&self.volume)?;
        Some((claim.namespace.as_deref()?, claim.name.as_deref()?))
    }

    /// The claim, as the text `<namespace>-<name>`, that the directory is named after if that is another claim than the
    /// record's: whoever wrote such a record may want another tenant's data. `None` for a directory without a default
    /// name and a record without a claimRef.
    pub fn foreign_directory(&self) -> Option<String> {
        let (namespace, claim) = self.claim_key()?;
        let volume = self.name();
        let own = format!("{namespace}-{claim}-{volume}");
        let directory = self.directory.to_string();
        (is_named_after(&self.directory, volume) && directory != own)
            .then(|| directory.trim_end_matches(&format!("-{volume}")).to_owned())
    }

    /// The record as it is stored.
    pub fn text(&self) -> String {
        let texts = Texts {
            volume: volume_text(&self.volume).unwrap_or_default(),
            claim: self.claim.as_ref().map(claim_text).unwrap_or_default(),
        };
        texts.joined()
    }
}

/// The two documents of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    pub volume: String,
    /// The claim; empty if there is none.
    pub claim: String,
}

impl Texts {
    /// The documents of a record as it is stored, unparsed. A text without a separator counts as the PV's.
    pub fn split(record: &str) -> Self {
        let record = record.strip_prefix(HEADER).unwrap_or(record);
        let (volume, claim) = record.split_once(SEPARATOR).unwrap_or((record, ""));
        Self {
            volume: volume.to_owned(),
            claim: claim.to_owned(),
        }
    }

    /// The record as it is stored, with its header; an empty claim is left out.
    fn joined(&self) -> String {
        match self.claim.as_str() {
            "" => format!("{HEADER}{}", self.volume),
            claim => format!("{HEADER}{}{SEPARATOR}{claim}", self.volume),
        }
    }
}

/// Whether a provisioner keeps the record of a PV: it is the provisioner's own, of a claim in `namespace` if one is
/// given, and Bound, or Released with the policy Retain. False for a terminating PV.
pub fn is_recorded(volume: &PersistentVolume, provisioner: &str, namespace: Option<&str>) -> bool {
    let policy = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    is_provisioned_by(volume, provisioner)
        && volume.metadata.deletion_timestamp.is_none()
        && is_in_namespace(volume, namespace)
        && match phase_of(volume) {
            "Bound" => true,
            "Released" => policy == Some("Retain"),
            _ => false,
        }
}

/// The part of a record that a PV gives, as a YAML document: without its uid, status and most annotations.
///
/// # Errors
/// One sentence, when the PV is no NFS volume.
pub fn volume_text(volume: &PersistentVolume) -> Result<String, String> {
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    match volume.spec.as_ref().is_some_and(|spec| spec.nfs.is_some()) {
        true => Ok(to_text(volume_manifest(volume))),
        false => Err(format!("PV {name} is not an NFS volume")),
    }
}

/// What a record has of a PV; null where the PV has nothing.
fn volume_manifest(volume: &PersistentVolume) -> Value {
    let spec = volume.spec.clone().unwrap_or_default();
    let annotations = volume.metadata.annotations.iter().flatten();
    let annotations: BTreeMap<_, _> = annotations
        .filter(|(key, _)| KEPT_ON_VOLUME.contains(&key.as_str()))
        .collect();
    let reference = claim_of(volume).map(|claim| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace, "name": claim.name})
    });
    let nfs = spec.nfs.map(
        |nfs| json!({"server": nfs.server, "path": nfs.path, "readOnly": nfs.read_only.filter(|read_only| *read_only)}),
    );
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume.metadata.name,
            "labels": volume.metadata.labels,
            "annotations": annotations,
            "finalizers": has_finalizer(volume, FINALIZER).then_some([FINALIZER]),
        },
        "spec": {
            "accessModes": spec.access_modes,
            "capacity": {"storage": spec.capacity.as_ref().and_then(|capacity| capacity.get("storage"))},
            "claimRef": reference,
            "mountOptions": spec.mount_options,
            "nfs": nfs,
            "persistentVolumeReclaimPolicy": spec.persistent_volume_reclaim_policy,
            "storageClassName": spec.storage_class_name,
            "volumeMode": spec.volume_mode,
        },
    })
}

/// The part of a record that a claim gives, as a YAML document. It leaves out annotations of Kubernetes, and data
/// sources and selectors, which have no effect on a claim that names its volume.
pub fn claim_text(claim: &PersistentVolumeClaim) -> String {
    to_text(claim_manifest(claim))
}

/// What a record has of a claim; null where the claim has nothing.
fn claim_manifest(claim: &PersistentVolumeClaim) -> Value {
    let spec = claim.spec.clone().unwrap_or_default();
    let annotations = claim.metadata.annotations.iter().flatten();
    let annotations: BTreeMap<_, _> = annotations.filter(|(key, _)| !is_kubernetes_key(key)).collect();
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "namespace": claim.metadata.namespace,
            "name": claim.metadata.name,
            "labels": claim.metadata.labels,
            "annotations": annotations,
        },
        "spec": {
            "accessModes": spec.access_modes,
            "resources": {"requests": {"storage": claim::requested_size(claim)}},
            // No class at all would become the default class.
            "storageClassName": claim::class_name(claim).unwrap_or_default(),
            "volumeMode": spec.volume_mode,
            "volumeName": spec.volume_name,
        },
    })
}

/// An object as YAML without its empty fields. Every `&` and `*` is escaped as in JSON, since a reader of records
/// refuses what could be an anchor or an alias.
fn to_text(object: Value) -> String {
    let text = yaml::to_yaml(&without_empty_fields(object));
    text.replace('&', "\\u0026").replace('*', "\\u002a")
}

/// Leaves out fields that are null or empty objects or lists; empty texts stay.
fn without_empty_fields(value: Value) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    let fields = fields
        .into_iter()
        .map(|(key, value)| (key, without_empty_fields(value)));
    let says_something = |value: &Value| match value {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    Value::Object(fields.filter(|(_, value)| says_something(value)).collect::<Map<_, _>>())
}

/// Whether a claim is bound to a PV, as both of them say; phases don't count, and a claimRef without a uid fits.
fn is_claim_of(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    claim_of(volume).is_some_and(|reference| {
        reference.namespace == claim.metadata.namespace
            && reference.name == claim.metadata.name
            && reference
                .uid
                .as_ref()
                .is_none_or(|uid| claim.metadata.uid.as_ref() == Some(uid))
    }) && claim.spec.as_ref().and_then(|spec| spec.volume_name.as_ref()) == volume.metadata.name.as_ref()
}

/// Whether Kubernetes or kubectl keeps an annotation of this key for itself: in another cluster it would say what isn't
/// so.
fn is_kubernetes_key(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    ["kubernetes.io", "k8s.io"]
        .iter()
        .any(|owner| domain == *owner || domain.ends_with(&format!(".{owner}")))
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
