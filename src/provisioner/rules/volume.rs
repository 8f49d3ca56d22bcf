//! The PV for a claim, and what to do with a PV that is to be deleted (PURE).
//!
//! [`VolumePlan`] and [`DeletionPlan`] are the decisions; `reconcile` carries them out.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    NFSVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use k8s_openapi::api::storage::v1::StorageClass;

use super::class::{self, OnDelete, Settings};
use super::{claim, pattern};
pub use crate::cluster::nfs_volumes::{DIRECTORY, PROVISIONED_BY};
use crate::cluster::quantity;
use crate::export::{Location, SizeLimit, VolumePath, is_named_after};

/// The finalizer that delays the deletion of a PV until its directory is removed, archived or kept.
pub const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
/// A finalizer of earlier versions, on PVs with policy Retain. It is removed wherever it is found.
pub const FORMER_FINALIZER: &str = "nfsprov/making";
/// The annotation with the class's `onDelete`, written at creation.
pub const ON_DELETE: &str = "nfsprov/on-delete";
/// The annotation of a PV whose directory is limited to its size.
pub const QUOTA: &str = "nfsprov/quota";
/// The only value of [`QUOTA`].
pub const ENFORCE: &str = "enforce";

/// A volume to create.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumePlan {
    pub directory: VolumePath,
    /// What the directory must be limited to before the PV is created; `None` without `quota: enforce`.
    pub limit: Option<SizeLimit>,
    pub volume: PersistentVolume,
}

/// What to do with a PV.
#[derive(Clone, Debug, PartialEq)]
pub enum DeletionPlan {
    /// It is another provisioner's, in use or retained.
    NothingToDo,
    /// Apply `on_delete` to the directory, then delete the PV, then remove its finalizer.
    Directory {
        directory: VolumePath,
        location: Location,
        /// Whether to delete, archive or keep it.
        on_delete: OnDelete,
        /// What has to be checked first: that the directory is the PV's own.
        owner_check: OwnerCheck,
    },
    /// Remove the PV's finalizer and keep its directory.
    RemoveFinalizer,
    /// It should be deleted and can't be, as the sentence says.
    Refuse(String),
}

impl DeletionPlan {
    /// `Delete` or `Archive`; `None` if the directory stays at its path.
    pub fn directory_removal(&self) -> Option<OnDelete> {
        match self {
            Self::Directory { on_delete, .. } => on_delete.directory_removal(),
            Self::NothingToDo | Self::RemoveFinalizer | Self::Refuse(_) => None,
        }
    }
}

/// What shows that a directory belongs to a PV and to no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerCheck {
    /// Its name, which ends with the PV's name.
    Name,
    /// A marker with this uid, the claim's.
    Marker(String),
    /// No marker at it, above it or below it: nfs-subdir-external-provisioner, which writes none, created it from
    /// a `pathPattern`.
    NoMarker,
}

/// Plans the directory and the PV of a claim that is to be provisioned. Whether the directory is free is not checked.
///
/// # Errors
/// One sentence, when the claim lacks a required field, no directory can have its name or its archive's, or its size
/// can't be enforced though it must be.
pub fn plan_volume(
    claim: &PersistentVolumeClaim,
    settings: &Settings,
    provisioner: &str,
) -> Result<VolumePlan, String> {
    let export = &settings.location;
    let meta = &claim.metadata;
    let (Some(name), Some(namespace), Some(uid), Some(spec)) = (&meta.name, &meta.namespace, &meta.uid, &claim.spec)
    else {
        return Err("the claim has no name, namespace, uid or spec".to_owned());
    };
    let volume_name = claim::volume_name_for(uid);
    let directory = match &settings.path_pattern {
        Some(pattern) => pattern::render_directory(pattern, claim)?,
        None => VolumePath::parse(&format!("{namespace}-{name}-{volume_name}"))
            .map_err(|error| format!("the claim's names can't name a directory: {error}"))?,
    };
    // Refused now, because it would be discovered only at deletion.
    if settings.on_delete == OnDelete::Archive {
        archive_path(&directory, &volume_name).map_err(|error| format!("its archive would have no name: {error}"))?;
    }
    let size = claim::requested_size(claim).ok_or("the claim requests no storage size")?;
    let limit = match settings.enforces_quota {
        true => Some(size_limit(&size.0, uid)?),
        false => None,
    };
    let mut annotations = BTreeMap::from([
        (PROVISIONED_BY.to_owned(), provisioner.to_owned()),
        (DIRECTORY.to_owned(), directory.to_string()),
        (ON_DELETE.to_owned(), settings.on_delete.as_str().to_owned()),
    ]);
    if limit.is_some() {
        annotations.insert(QUOTA.to_owned(), ENFORCE.to_owned());
    }
    let is_deleted = settings.reclaim_policy == "Delete";
    let access_modes = spec.access_modes.as_deref().unwrap_or_default();
    let is_read_only = !access_modes.is_empty() && access_modes.iter().all(|mode| mode == "ReadOnlyMany");
    let volume = PersistentVolume {
        metadata: ObjectMeta {
            name: Some(volume_name),
            annotations: Some(annotations),
            finalizers: is_deleted.then(|| vec![FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes.clone(),
            capacity: Some(BTreeMap::from([("storage".to_owned(), size.clone())])),
            claim_ref: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("PersistentVolumeClaim".to_owned()),
                name: meta.name.clone(),
                namespace: meta.namespace.clone(),
                uid: meta.uid.clone(),
                resource_version: meta.resource_version.clone(),
                field_path: None,
            }),
            mount_options: (!settings.mount_options.is_empty()).then(|| settings.mount_options.clone()),
            nfs: Some(NFSVolumeSource {
                server: export.server.clone(),
                path: directory.under(&export.path),
                read_only: Some(is_read_only),
            }),
            persistent_volume_reclaim_policy: Some(settings.reclaim_policy.clone()),
            storage_class_name: claim::class_name(claim).map(str::to_owned),
            volume_mode: spec.volume_mode.clone(),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    };
    Ok(VolumePlan {
        directory,
        limit,
        volume,
    })
}

/// The limit of a claim's directory for `size`, a Kubernetes quantity.
///
/// # Errors
/// One sentence, when the size is none that can be enforced.
pub fn size_limit(size: &str, claim_uid: &str) -> Result<SizeLimit, String> {
    let bytes = quantity::parse_bytes(size)
        .ok_or_else(|| format!("the size {size:?} can't be enforced: it is no number of bytes"))?;
    SizeLimit::new(bytes, claim_uid)
}

/// Whether a PV of this provisioner is Released or terminating, or has a former finalizer; with `namespace`, only PVs
/// of its claims. Only [`plan_deletion`] decides about its directory, which may be retained or still be used by pods.
/// Cheap: every PV of the cluster is checked.
pub fn may_need_deletion(volume: &PersistentVolume, provisioner: &str, namespace: Option<&str>) -> bool {
    is_in_namespace(volume, namespace)
        && is_provisioned_by(volume, provisioner)
        && (phase_of(volume) == "Released"
            || volume.metadata.deletion_timestamp.is_some()
            || has_finalizer(volume, FORMER_FINALIZER))
}

/// Whether the claim that a PV names is in `namespace`; always without one.
pub(super) fn is_in_namespace(volume: &PersistentVolume, namespace: Option<&str>) -> bool {
    namespace.is_none_or(|wanted| claim_of(volume).and_then(|claim| claim.namespace.as_deref()) == Some(wanted))
}

/// Whether a provisioner of this name made a PV, as its annotation says.
pub fn is_provisioned_by(volume: &PersistentVolume, provisioner: &str) -> bool {
    annotation_of(volume, PROVISIONED_BY) == Some(provisioner)
}

pub fn has_finalizer(volume: &PersistentVolume, finalizer: &str) -> bool {
    let mut finalizers = volume.metadata.finalizers.iter().flatten();
    finalizers.any(|name| name == finalizer)
}

/// Decides what to do with a PV; [`DeletionPlan::NothingToDo`] unless it is Released, or terminating and not Bound. One
/// that is terminating must have [`FINALIZER`], too. Without the policy Delete, the directory stays, and only a
/// terminating PV loses its finalizer. `served` are the exports of this provisioner; `class` is the PV's, if it still
/// exists, and tells what to do with a directory whose PV doesn't. If neither does, the directory is archived. Refuses
/// a PV on no served export, and one whose directory was not made for it.
pub fn plan_deletion(
    volume: &PersistentVolume,
    served: &[Location],
    class: Option<&StorageClass>,
    provisioner: &str,
) -> DeletionPlan {
    let Some(spec) = &volume.spec else {
        return DeletionPlan::NothingToDo;
    };
    let deleting = volume.metadata.deletion_timestamp.is_some();
    // A PV that is deleted before its claim stays Bound, and protected, until the claim is deleted.
    let done_with = phase_of(volume) == "Released" || (deleting && phase_of(volume) != "Bound");
    if !is_provisioned_by(volume, provisioner) || !done_with || (deleting && !has_finalizer(volume, FINALIZER)) {
        return DeletionPlan::NothingToDo;
    }
    if spec.persistent_volume_reclaim_policy.as_deref() != Some("Delete") {
        return if deleting {
            DeletionPlan::RemoveFinalizer
        } else {
            DeletionPlan::NothingToDo
        };
    }
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    let Some(nfs) = &spec.nfs else {
        return DeletionPlan::Refuse(format!("PV {name} is not an NFS volume"));
    };
    let (location, directory) = match locate_directory(nfs, served) {
        Ok(place) => place,
        Err(why) => return DeletionPlan::Refuse(format!("PV {name} {why}")),
    };
    let claim_uid = claim_of(volume).and_then(|claim| claim.uid.as_deref());
    // A directory of nfsprov has the PV's name, or a marker if the PV has our annotation. Without both, the PV must be
    // one that nfs-subdir-external-provisioner made for its claim. Any other directory is data of unknown origin.
    let recorded = annotation_of(volume, ON_DELETE);
    let owner_check = match (is_named_after(&directory, name), recorded, provisioned_uid(name)) {
        (true, _, _) => OwnerCheck::Name,
        (false, Some(_), Some(uid)) => OwnerCheck::Marker(uid.to_owned()),
        (false, None, Some(uid)) if claim_uid == Some(uid) => OwnerCheck::NoMarker,
        _ => return DeletionPlan::Refuse(format!("PV {name} names {directory}, which was not created for it")),
    };
    let on_delete = match recorded {
        Some(word) => OnDelete::from_record(word),
        None => class.and_then(|class| class::read_on_delete(class).ok()),
    };
    DeletionPlan::Directory {
        directory,
        location,
        // Unknown, because the class is gone: keep the data.
        on_delete: on_delete.unwrap_or(OnDelete::Archive),
        owner_check,
    }
}

/// Finds the served export, the first that fits by its text, and the directory of an NFS volume. A volume that is a
/// whole export is an error. The error completes a sentence that begins with the PV.
pub(in crate::provisioner) fn locate_directory(
    nfs: &NFSVolumeSource,
    served: &[Location],
) -> Result<(Location, VolumePath), String> {
    let mut wrong = None;
    for location in served.iter().filter(|location| location.server == nfs.server) {
        match VolumePath::below(&location.path, nfs.path.trim_end_matches('/')) {
            Ok(directory) => return Ok((location.clone(), directory)),
            Err(error) => wrong = Some(format!("names {}, not a directory of {location}: {error}", nfs.path)),
        }
    }
    Err(wrong.unwrap_or_else(|| {
        let served: Vec<String> = served.iter().map(Location::to_string).collect();
        format!(
            "is on {}:{}, and this provisioner serves {}",
            nfs.server,
            nfs.path,
            served.join(", ")
        )
    }))
}

/// The path of an archive: `archived-<directory>` in the export's root, with dashes for slashes.
///
/// It ends with the name of the PV `volume`, so archives of two PVs never have the same path.
///
/// # Errors
/// When the name is too long for a directory.
pub fn archive_path(directory: &VolumePath, volume: &str) -> Result<VolumePath, String> {
    let flat = directory.components().join("-");
    let name = match is_named_after(directory, volume) {
        true => format!("archived-{flat}"),
        false => format!("archived-{flat}-{volume}"),
    };
    VolumePath::parse(&name).map_err(|error| error.to_string())
}

/// A volume whose directory is limited to its size, and its claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provisioner) struct LimitedVolume {
    pub location: Location,
    pub directory: VolumePath,
    /// The PV's uid.
    pub uid: Option<String>,
    pub namespace: String,
    pub claim: String,
    pub claim_uid: Option<String>,
    /// The uid that gives the directory its project id; see [`uid_for_limit`].
    pub limit_uid: Option<String>,
}

/// The directory and the claim of a PV with the annotation [`QUOTA`] on an export that is served, whoever created it;
/// `None` for any other PV.
pub(in crate::provisioner) fn find_limit(volume: &PersistentVolume, served: &[Location]) -> Option<LimitedVolume> {
    if annotation_of(volume, QUOTA) != Some(ENFORCE) {
        return None;
    }
    let spec = volume.spec.as_ref()?;
    let (location, directory) = locate_directory(spec.nfs.as_ref()?, served).ok()?;
    let claim = spec.claim_ref.clone().unwrap_or_default();
    Some(LimitedVolume {
        location,
        directory,
        uid: volume.metadata.uid.clone(),
        namespace: claim.namespace.unwrap_or_default(),
        claim: claim.name.unwrap_or_default(),
        claim_uid: claim.uid,
        limit_uid: uid_for_limit(volume).map(str::to_owned),
    })
}

/// The uid in a PV's name: that of the claim that it was provisioned for, which may have been replaced since. `None` if
/// the name doesn't begin with `pvc-`; the rest is not checked.
pub fn provisioned_uid(volume_name: &str) -> Option<&str> {
    volume_name.strip_prefix("pvc-")
}

/// The uid that gives a PV's directory its project id: the one in the PV's name, else its claim's.
pub fn uid_for_limit(volume: &PersistentVolume) -> Option<&str> {
    let named = volume.metadata.name.as_deref().and_then(provisioned_uid);
    named.or_else(|| claim_of(volume)?.uid.as_deref())
}

pub fn mount_options(volume: &PersistentVolume) -> &[String] {
    let options = volume.spec.as_ref().and_then(|spec| spec.mount_options.as_deref());
    options.unwrap_or_default()
}

pub fn class_name(volume: &PersistentVolume) -> Option<&str> {
    volume.spec.as_ref()?.storage_class_name.as_deref()
}

/// The claim that a PV names in its claimRef.
pub(in crate::provisioner) fn claim_of(volume: &PersistentVolume) -> Option<&ObjectReference> {
    volume.spec.as_ref()?.claim_ref.as_ref()
}

/// The phase of a PV; empty if it has none yet.
pub(in crate::provisioner) fn phase_of(volume: &PersistentVolume) -> &str {
    let status = volume.status.as_ref();
    status.and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

pub(super) fn annotation_of<'a>(volume: &'a PersistentVolume, key: &str) -> Option<&'a str> {
    volume.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
#[path = "volume_tests.rs"]
mod tests;
