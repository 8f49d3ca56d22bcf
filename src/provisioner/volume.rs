//! What the PV of a claim is, and what its deletion takes (PURE).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    NFSVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::class::{OnDelete, Settings};
use super::{claim, pattern};
use crate::export::{Location, VolumePath, is_named_after};

/// Who made a PV, on the PV.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Holds a PV back until its directory is dealt with.
pub const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
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
        /// Which of it.
        on_delete: OnDelete,
        /// The uid that must be in the directory's marker, where its name doesn't say whose it is.
        owner: Option<String>,
    },
    /// Let the PV go, and don't look at its directory.
    LetGo,
    /// It should be deleted, and can't; the sentence says why.
    Refuse(String),
}

/// The volume for a claim under the settings of its class.
///
/// # Errors
/// One sentence, when the claim lacks what every stored claim has or its names make no directory name.
pub fn plan(
    claim: &PersistentVolumeClaim,
    settings: &Settings,
    export: &Location,
    provisioner: &str,
) -> Result<Plan, String> {
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
    let finalizers = (settings.reclaim_policy == "Delete").then(|| vec![FINALIZER.to_owned()]);
    let volume = PersistentVolume {
        metadata: ObjectMeta {
            name: Some(volume_name),
            annotations: Some(BTreeMap::from([
                (PROVISIONED_BY.to_owned(), provisioner.to_owned()),
                (DIRECTORY.to_owned(), directory.to_string()),
                (ON_DELETE.to_owned(), settings.on_delete.as_str().to_owned()),
            ])),
            finalizers,
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
                read_only: Some(false),
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
pub fn is_going(volume: &PersistentVolume, provisioner: &str, namespace: Option<&str>) -> bool {
    let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    annotation(volume, PROVISIONED_BY) == Some(provisioner)
        && namespace.is_none_or(|wanted| claim.and_then(|claim| claim.namespace.as_deref()) == Some(wanted))
        && (phase(volume) == "Released" || volume.metadata.deletion_timestamp.is_some())
}

/// What there is to do about a PV on `export`.
pub fn disposal(volume: &PersistentVolume, export: &Location, provisioner: &str) -> Disposal {
    let Some(spec) = &volume.spec else {
        return Disposal::Leave;
    };
    let deleting = volume.metadata.deletion_timestamp.is_some();
    let held = volume
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|name| name == FINALIZER);
    // A PV deleted before its claim stays bound, and protected, until the claim goes.
    let done_with = phase(volume) == "Released" || (deleting && phase(volume) != "Bound");
    if !is_going(volume, provisioner, None) || !done_with || (deleting && !held) {
        return Disposal::Leave;
    }
    if spec.persistent_volume_reclaim_policy.as_deref() != Some("Delete") {
        return if deleting { Disposal::LetGo } else { Disposal::Leave };
    }
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    let Some(nfs) = &spec.nfs else {
        return Disposal::Refuse(format!("PV {name} is not an NFS volume"));
    };
    if nfs.server != export.server {
        return Disposal::Refuse(format!(
            "PV {name} is on {}:{}, and {export} is served here",
            nfs.server, nfs.path
        ));
    }
    let directory = match VolumePath::below(&export.path, &nfs.path) {
        Ok(directory) => directory,
        Err(error) => {
            return Disposal::Refuse(format!(
                "PV {name} names {}, not a directory of {export}: {error}",
                nfs.path
            ));
        }
    };
    // A directory made for this PV carries its name or, if the PV has our record, a marker. Any other is somebody's data.
    let recorded = annotation(volume, ON_DELETE);
    let owner = match (is_named_after(&directory, name), recorded, name.strip_prefix("pvc-")) {
        (true, _, _) => None,
        (false, Some(_), Some(uid)) => Some(uid.to_owned()),
        _ => return Disposal::Refuse(format!("PV {name} names {directory}, which was not made for it")),
    };
    Disposal::Directory {
        directory,
        on_delete: recorded.and_then(OnDelete::from_record).unwrap_or(OnDelete::Archive),
        owner,
    }
}

/// Where an archived directory goes: `archived-<directory>` in the export's root, its slashes as dashes.
///
/// The name ends with that of the PV `volume`, which no other PV ever has, so no archive meets another.
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
