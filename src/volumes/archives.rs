//! Archives of deleted volumes (PURE): parses their names, selects expired ones, and plans the restore of one.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    NFSVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::amount;
use super::archive_name::ARCHIVE_PREFIX;
pub use super::archive_name::Archive;
use super::directories::{Row, State};
use super::overview::Holds;
use crate::export::{Entry, Kind, Location, VolumePath, is_named_after};
use crate::provisioner::claim::class_name;
use crate::provisioner::volume::DIRECTORY;

/// Why an archive without a PV in its name is not restored for one claim: it holds directories only, so it may be the
/// archive of several volumes, since csi-driver-nfs archives the volumes of a namespace to one directory. `None` if it
/// may be restored.
pub fn refusal_of_several_volumes(archive: &VolumePath, entries: &[Entry]) -> Option<String> {
    let first = entries.first()?;
    let may_be_volumes = entries.iter().all(|entry| entry.kind == Kind::Directory);
    may_be_volumes.then(|| {
        format!(
            "{archive} has only directories and may be the archive of several volumes; `nfsprov volumes adopt \
             {archive}/{} --claim NAMESPACE/NAME` adopts one of them, `nfsprov volumes adopt {archive}` adopts all",
            first.name
        )
    })
}

/// The limits beyond which archives are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Removes archives that were not changed for this many seconds.
    pub older_than: Option<u64>,
    /// Removes the oldest archives until the rest takes at most this many bytes.
    pub keep_total: Option<u64>,
}

/// An archive that is to be removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Expired {
    pub row: Row,
    /// How many seconds ago it was last changed.
    pub age: u64,
    /// The limit that it exceeds, in a few words.
    pub why: String,
}

/// The archives beyond the limits at `now`, in seconds since 1970; the oldest first.
///
/// Only archives that name their PV are selected: others may not be nfsprov's. `keep_total` needs measured rows: an
/// archive that was not measured, or could not be, counts as 0 bytes. One without a time of change is left out.
pub fn expired_archives(rows: &[Row], expiry: Expiry, now: i64) -> Vec<Expired> {
    let mut archives: Vec<(u64, &Row)> = rows
        .iter()
        .filter(|row| row.state == State::Archived && row.volume.is_some() && row.path.is_some())
        .filter_map(|row| Some((amount::seconds_since(row.changed?, now), row)))
        .collect();
    archives.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.directory.cmp(&b.1.directory)));
    let bytes = |row: &Row| match row.holds {
        Some(Holds::Data { bytes, .. }) => bytes,
        _ => 0,
    };
    let mut total: u64 = archives.iter().map(|(_, row)| bytes(row)).sum();
    let mut selected = Vec::new();
    for (age, row) in archives {
        let why = match expiry {
            Expiry {
                older_than: Some(limit),
                ..
            } if age > limit => format!("older than {}", amount::format_age(limit)),
            Expiry {
                keep_total: Some(limit),
                ..
            } if total > limit => format!("beyond {} in total", amount::format_size(limit)),
            _ => continue,
        };
        total -= bytes(row);
        selected.push(Expired {
            row: row.clone(),
            age,
            why,
        });
    }
    selected
}

/// What holds of an archive that was shown as expired, after the export was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck<'a> {
    /// It has not changed, and is to be removed.
    Expired(&'a VolumePath),
    /// It has not changed, and no longer exceeds the limits: other archives were removed meanwhile.
    WithinLimits,
    /// It was changed, removed or restored meanwhile.
    Changed,
}

/// Compares an archive that was shown as expired with the archives `rows` of the export now, of which `expired` exceed
/// the limits.
pub fn recheck_expired<'a>(shown: &Expired, rows: &[Row], expired: &'a [Expired]) -> Recheck<'a> {
    let is_same = |now: &Row| now.path == shown.row.path && now.changed == shown.row.changed;
    let same = expired.iter().find(|now| is_same(&now.row));
    match same.and_then(|now| now.row.path.as_ref()) {
        Some(path) => Recheck::Expired(path),
        None if rows.iter().any(is_same) => Recheck::WithinLimits,
        None => Recheck::Changed,
    }
}

/// How an existing directory becomes the directory of a new PV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReusePlan {
    /// The archive to rename; `None` if an earlier attempt has renamed it, or the directory stays where it is.
    pub archive: Option<VolumePath>,
    /// The directory that it becomes.
    pub directory: VolumePath,
    /// The PV's name.
    pub volume: String,
    /// Whether an owner marker is written, since the directory's name does not name the PV.
    pub needs_marker: bool,
}

/// Plans the restore of the archive `name`, which may lack the prefix, on an export with the directories `rows` in a
/// cluster with the PVs `volumes`. If the old name is taken, the directory is called `restored-…`; an archive that an
/// interrupted attempt renamed is planned without a rename.
///
/// # Errors
/// One sentence that says why it can't be restored.
pub fn plan_restore(name: &str, rows: &[Row], volumes: &BTreeSet<String>) -> Result<ReusePlan, String> {
    let archived = |name: &str| {
        rows.iter()
            .find(|row| row.directory == name && row.state == State::Archived)
    };
    let longer = format!("{ARCHIVE_PREFIX}{name}");
    let (name, row) = match archived(name) {
        Some(row) => (name, Some(row)),
        None => match archived(&longer) {
            Some(row) => (longer.as_str(), Some(row)),
            None => (name, None),
        },
    };
    let absent = || format!("archive {name:?} not found on the export; `nfsprov volumes archived` lists all");
    let archive = Archive::parse(name).ok_or_else(absent)?;
    let volume = archive
        .volume
        .clone()
        .unwrap_or_else(|| restored_volume_name(&archive.old));
    if volumes.contains(&volume) {
        return Err(format!(
            "pv/{volume} already exists, so the archive can't be restored under that name; delete the PV first"
        ));
    }
    let there = |name: &str| {
        rows.iter()
            .find(|row| row.directory == name || row.directory.starts_with(&format!("{name}/")))
    };
    let old = VolumePath::parse(&archive.old).map_err(|error| error.to_string())?;
    let (from, directory) = match (row, there(&archive.old)) {
        (Some(row), None) => (row.path.clone(), old),
        (Some(row), Some(_)) => {
            let other = format!("restored-{}", archive.old);
            if there(&other).is_some() {
                return Err(format!(
                    "{} and {other} are both taken on the export; move one away",
                    archive.old
                ));
            }
            (
                row.path.clone(),
                VolumePath::parse(&other).map_err(|error| error.to_string())?,
            )
        }
        // Renamed by an attempt that ended before the PV was created.
        (None, Some(found)) if found.state == State::Orphan && found.directory == archive.old => (None, old),
        (None, _) => return Err(absent()),
    };
    Ok(ReusePlan {
        archive: from,
        needs_marker: !is_named_after(&directory, &volume),
        directory,
        volume,
    })
}

/// A PV name for a directory whose name contains none: `restored-` and `old` in lower case, with dashes for all else,
/// and 200 characters at most. Two directories may get the same name.
fn restored_volume_name(old: &str) -> String {
    let word: String = old
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(200)
        .collect();
    format!("restored-{}", word.trim_matches('-'))
        .trim_end_matches('-')
        .to_owned()
}

/// Checks that a claim, which names no PV or this one, can be bound to the PV `volume`. Returns the PV's size: `size`,
/// which must not be less than the claim requests, else the size that the claim requests.
///
/// # Errors
/// One sentence that says why the claim can't be bound.
pub fn volume_size_for_claim(
    claim: &PersistentVolumeClaim,
    volume: &str,
    size: Option<&str>,
) -> Result<String, String> {
    let title = format!(
        "pvc/{} -n {}",
        claim.metadata.name.as_deref().unwrap_or_default(),
        claim.metadata.namespace.as_deref().unwrap_or_default()
    );
    let spec = claim.spec.clone().unwrap_or_default();
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(format!("{title} is being deleted"));
    }
    match spec.volume_name.as_deref() {
        None | Some("") => {}
        Some(other) if other != volume => {
            return Err(format!(
                "{title} already has the volume {other}; name another claim, or delete this one first"
            ));
        }
        Some(_) => {}
    }
    if spec.volume_mode.as_deref() == Some("Block") {
        return Err(format!("{title} requests a block device, and a directory is not one"));
    }
    let requests = spec.resources.and_then(|resources| resources.requests);
    let wanted = requests.and_then(|requests| requests.get("storage").map(|size| size.0.clone()));
    let wanted = wanted.ok_or_else(|| format!("{title} requests no storage size"))?;
    match size {
        None => Ok(wanted),
        Some(size) if amount::parse_bytes(size) >= amount::parse_bytes(&wanted) => Ok(size.to_owned()),
        Some(size) => Err(format!(
            "{title} requests {wanted}, and --size {size} is less than that"
        )),
    }
}

/// The PV that binds a restored directory to `claim`, which must have its uid, and to no other claim. Its class and
/// access modes are the claim's; its policy is Retain, since its data was deleted once. It names no provisioner and no
/// limit.
pub fn volume_for_claim(
    reuse: &ReusePlan,
    claim: &PersistentVolumeClaim,
    export: &Location,
    size: &str,
    mount_options: Option<Vec<String>>,
) -> PersistentVolume {
    let (meta, spec) = (&claim.metadata, claim.spec.clone().unwrap_or_default());
    PersistentVolume {
        metadata: ObjectMeta {
            name: Some(reuse.volume.clone()),
            annotations: Some(BTreeMap::from([(DIRECTORY.to_owned(), reuse.directory.to_string())])),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes,
            capacity: Some(BTreeMap::from([("storage".to_owned(), Quantity(size.to_owned()))])),
            claim_ref: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("PersistentVolumeClaim".to_owned()),
                name: meta.name.clone(),
                namespace: meta.namespace.clone(),
                uid: meta.uid.clone(),
                ..ObjectReference::default()
            }),
            mount_options,
            nfs: Some(NFSVolumeSource {
                server: export.server.clone(),
                path: reuse.directory.under(&export.path),
                read_only: Some(false),
            }),
            persistent_volume_reclaim_policy: Some("Retain".to_owned()),
            storage_class_name: class_name(claim).map(str::to_owned),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
#[path = "archives_tests.rs"]
mod tests;
