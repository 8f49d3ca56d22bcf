//! What the PV of a claim is, and what its deletion takes (PURE).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    NFSVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use k8s_openapi::api::storage::v1::StorageClass;

use super::class::{self, OnDelete, Settings};
use super::{claim, pattern};
use crate::export::{Location, VolumePath, is_named_after};

/// Who made a PV, on the PV.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Holds a PV back until its directory is dealt with.
pub const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
/// The finalizer that an earlier version put on new PVs with policy Retain; it is removed wherever it is found.
pub const FORMER_FINALIZER: &str = "nfsprov/making";
/// The directory below the export, recorded at creation.
pub const DIRECTORY: &str = "nfsprov/directory";
/// What is to become of the directory, recorded at creation.
pub const ON_DELETE: &str = "nfsprov/on-delete";

/// A volume that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its directory.
    pub directory: VolumePath,
    /// Whether the directory's name doesn't say whose it is, so that a marker must.
    pub needs_marker: bool,
    /// The PV that makes it known.
    pub volume: PersistentVolume,
}

/// What there is to do about a PV.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposal {
    /// Nothing: it isn't ours, or is in use, or is to be retained.
    Leave,
    /// Deal with the directory, then delete the PV, then let it go.
    Directory {
        /// The directory to remove, archive or leave.
        directory: VolumePath,
        /// The export that it is on.
        location: Location,
        /// Which of it.
        on_delete: OnDelete,
        /// What must be so besides, for the directory to be the volume's.
        proof: Proof,
    },
    /// Remove the PV's finalizer; its directory stays.
    RemoveFinalizer,
    /// It should be deleted, and can't; the sentence says why.
    Refuse(String),
}

impl Disposal {
    /// How the directory is taken from its path: `Delete` or `Archive`, or `None` if it stays there.
    pub fn removal(&self) -> Option<OnDelete> {
        match self {
            Self::Directory { on_delete, .. } => on_delete.removal(),
            Self::Leave | Self::RemoveFinalizer | Self::Refuse(_) => None,
        }
    }
}

/// What shows that a directory was made for a PV and is nobody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its name, which ends with the PV's.
    Name,
    /// A marker that holds this uid, the claim's.
    Marker(String),
    /// That no marker is at it, above it or below it: nfs-subdir-external-provisioner made it from a
    /// `pathPattern`, and keeps no record of its own.
    NoMarker,
}

/// The volume for a claim under the settings of its class.
///
/// # Errors
/// One sentence, when the claim lacks what every stored claim has or its names make no directory name.
pub fn plan(claim: &PersistentVolumeClaim, settings: &Settings, provisioner: &str) -> Result<Plan, String> {
    let export = &settings.location;
    let meta = &claim.metadata;
    let (Some(name), Some(namespace), Some(uid), Some(spec)) = (&meta.name, &meta.namespace, &meta.uid, &claim.spec)
    else {
        return Err("the claim has no name, namespace, uid or spec".to_owned());
    };
    let volume_name = claim::volume_for(uid);
    let directory = match &settings.path_pattern {
        Some(pattern) => pattern::directory(pattern, claim)?,
        None => VolumePath::parse(&format!("{namespace}-{name}-{volume_name}"))
            .map_err(|error| format!("the claim's names make no directory: {error}"))?,
    };
    let needs_marker = settings.path_pattern.is_some();
    // What can't be archived at the end is refused now.
    if settings.on_delete == OnDelete::Archive {
        archive_of(&directory, &volume_name).map_err(|error| format!("its archive would have no name: {error}"))?;
    }
    let requests = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref());
    let Some(size) = requests.and_then(|requests| requests.get("storage")) else {
        return Err("the claim requests no storage size".to_owned());
    };
    let is_deleted = settings.reclaim_policy == "Delete";
    let access_modes = spec.access_modes.as_deref().unwrap_or_default();
    let is_read_only = !access_modes.is_empty() && access_modes.iter().all(|mode| mode == "ReadOnlyMany");
    let volume = PersistentVolume {
        metadata: ObjectMeta {
            name: Some(volume_name),
            annotations: Some(BTreeMap::from([
                (PROVISIONED_BY.to_owned(), provisioner.to_owned()),
                (DIRECTORY.to_owned(), directory.to_string()),
                (ON_DELETE.to_owned(), settings.on_delete.as_str().to_owned()),
            ])),
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
    Ok(Plan {
        directory,
        needs_marker,
        volume,
    })
}

/// Whether a PV, of a claim in `namespace` if one is given, may need anything of us; every PV of the cluster goes
/// through this.
pub fn is_ours_to_do(volume: &PersistentVolume, provisioner: &str, namespace: Option<&str>) -> bool {
    let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    namespace.is_none_or(|wanted| claim.and_then(|claim| claim.namespace.as_deref()) == Some(wanted))
        && (is_released_or_terminating(volume, provisioner) || is_held(volume, provisioner, FORMER_FINALIZER))
}

/// Whether a PV of this provisioner is Released or has a deletion timestamp. What becomes of its directory is decided by
/// [`disposal`] alone: the directory may be retained, or pods may still write to it.
fn is_released_or_terminating(volume: &PersistentVolume, provisioner: &str) -> bool {
    annotation(volume, PROVISIONED_BY) == Some(provisioner)
        && (phase(volume) == "Released" || volume.metadata.deletion_timestamp.is_some())
}

/// Whether a PV is ours and has `finalizer`.
pub fn is_held(volume: &PersistentVolume, provisioner: &str, finalizer: &str) -> bool {
    let mut finalizers = volume.metadata.finalizers.iter().flatten();
    annotation(volume, PROVISIONED_BY) == Some(provisioner) && finalizers.any(|name| name == finalizer)
}

/// What there is to do about a PV, given the exports that are `served` and the PV's class, if that still exists.
pub fn disposal(
    volume: &PersistentVolume,
    served: &[Location],
    class: Option<&StorageClass>,
    provisioner: &str,
) -> Disposal {
    let Some(spec) = &volume.spec else {
        return Disposal::Leave;
    };
    let deleting = volume.metadata.deletion_timestamp.is_some();
    let held = is_held(volume, provisioner, FINALIZER);
    // A PV deleted before its claim stays bound, and protected, until the claim goes.
    let done_with = phase(volume) == "Released" || (deleting && phase(volume) != "Bound");
    if !is_released_or_terminating(volume, provisioner) || !done_with || (deleting && !held) {
        return Disposal::Leave;
    }
    if spec.persistent_volume_reclaim_policy.as_deref() != Some("Delete") {
        return if deleting {
            Disposal::RemoveFinalizer
        } else {
            Disposal::Leave
        };
    }
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    let Some(nfs) = &spec.nfs else {
        return Disposal::Refuse(format!("PV {name} is not an NFS volume"));
    };
    let (location, directory) = match place(nfs, served) {
        Ok(place) => place,
        Err(why) => return Disposal::Refuse(format!("PV {name} {why}")),
    };
    let claim_uid = spec.claim_ref.as_ref().and_then(|claim| claim.uid.as_deref());
    // A directory made for this PV carries its name, or a marker if the PV has our record. Where neither is
    // to be had, the PV must be one that a provisioner makes for its claim. Any other is somebody's data.
    let recorded = annotation(volume, ON_DELETE);
    let proof = match (is_named_after(&directory, name), recorded, name.strip_prefix("pvc-")) {
        (true, _, _) => Proof::Name,
        (false, Some(_), Some(uid)) => Proof::Marker(uid.to_owned()),
        (false, None, Some(uid)) if claim_uid == Some(uid) => Proof::NoMarker,
        _ => return Disposal::Refuse(format!("PV {name} names {directory}, which was not made for it")),
    };
    let on_delete = match recorded {
        Some(word) => OnDelete::from_record(word),
        None => class.and_then(|class| class::on_delete(class).ok()),
    };
    Disposal::Directory {
        directory,
        location,
        // Where nobody knows any more, nothing is lost.
        on_delete: on_delete.unwrap_or(OnDelete::Archive),
        proof,
    }
}

/// The served export that an NFS volume is on, and its directory there.
fn place(nfs: &NFSVolumeSource, served: &[Location]) -> Result<(Location, VolumePath), String> {
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
            "is on {}:{}, and served here: {}",
            nfs.server,
            nfs.path,
            served.join(", ")
        )
    }))
}

/// Where an archived directory goes: `archived-<directory>` in the export's root, its slashes as dashes.
///
/// The name ends with that of the PV `volume`, so that no archive meets that of another PV.
///
/// # Errors
/// When the longer name is too long for a directory.
pub fn archive_of(directory: &VolumePath, volume: &str) -> Result<VolumePath, String> {
    let flat = directory.components().join("-");
    let name = match is_named_after(directory, volume) {
        true => format!("archived-{flat}"),
        false => format!("archived-{flat}-{volume}"),
    };
    VolumePath::parse(&name).map_err(|error| error.to_string())
}

/// The name of a PV's class.
pub fn class_name(volume: &PersistentVolume) -> Option<&str> {
    volume.spec.as_ref()?.storage_class_name.as_deref()
}

fn phase(volume: &PersistentVolume) -> &str {
    let status = volume.status.as_ref();
    status.and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn annotation<'a>(volume: &'a PersistentVolume, key: &str) -> Option<&'a str> {
    volume.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
#[path = "volume_tests.rs"]
mod tests;
