//! Matches the directories on an export with the PVs that own them (PURE). The main function is [`directory_rows`].

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PersistentVolume;
use serde::{Serialize, Serializer};

use super::archive_name::Archive;
use super::overview::Holds;
use super::place::{mounted_location, used_part_of, volume_name};
use crate::export::{
    Location, NFSPROV_DIRECTORY, Owner, ServerNames, UsedPart, VolumePath, VolumeUsage, is_server_entry,
};

#[derive(Clone, Debug)]
pub struct Facts {
    pub location: Location,
    /// The names that its server has in PVs.
    pub servers: ServerNames,
    /// All NFS volumes of the cluster.
    pub volumes: Vec<PersistentVolume>,
    /// The directories in the root, and those beside the directories of volumes.
    pub found: Vec<FoundDirectory>,
    /// Each owner marker: the directory, and the claim that owns it.
    pub markers: Vec<(VolumePath, Owner)>,
}

/// A directory on an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDirectory {
    /// The path as the server has it; it may hold anything.
    pub shown: String,
    /// The same path for requests; `None` if no request can name it.
    pub path: Option<VolumePath>,
    /// When it was last changed, in seconds since 1970.
    pub changed: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A PV names it.
    InUse,
    /// A PV names it, and it does not exist.
    Missing,
    /// No PV names it.
    Orphan,
    /// It has a marker and does not exist, or its marker names another volume than the PVs that name it.
    Marker,
    /// It is the archive of a deleted volume.
    Archived,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Missing => "missing",
            Self::Orphan => "orphan",
            Self::Marker => "marker",
            Self::Archived => "archived",
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A directory, or a directory that a PV or a marker names and that does not exist.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The path below the export's root; `.` is the root itself.
    pub directory: String,
    /// The same path for requests; `None` for the root, or if no request can name it.
    #[serde(skip)]
    pub path: Option<VolumePath>,
    pub state: State,
    /// The PV that names it, or the one that it was made for as far as its name or marker tells.
    pub volume: Option<String>,
    /// The claim of that, as `namespace/name`.
    pub claim: Option<String>,
    /// When it was last changed, in seconds since 1970.
    pub changed: Option<i64>,
    /// Its data, if it was measured.
    pub holds: Option<Holds>,
    /// What the volume uses of its limit, if it has one and the server was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<VolumeUsage>,
}

/// The PVs on the export by their directories; `root` are those whose path is the export's root or above it.
struct VolumesByDirectory<'a> {
    at: BTreeMap<VolumePath, Vec<&'a PersistentVolume>>,
    root: Vec<&'a PersistentVolume>,
}

/// The parents, below the root, of all directories of volumes and markers: they must be listed, besides the root, to
/// find the directories beside volumes. PVs on other exports are left out.
pub fn parents_to_list(facts: &Facts) -> BTreeSet<VolumePath> {
    parents_of(&volumes_by_directory(facts), facts)
}

fn parents_of(owned: &VolumesByDirectory<'_>, facts: &Facts) -> BTreeSet<VolumePath> {
    let marked = facts.markers.iter().map(|(directory, _)| directory);
    let directories = owned.at.keys().chain(marked);
    directories.flat_map(VolumePath::ancestors).collect()
}

/// A row for each volume, orphan, archive and unused marker, sorted by path; nothing is measured. Directories that only
/// lead to volumes, lie in volumes or belong to nfsprov or the server get none. A directory of several PVs gets a row
/// for each. A PV whose server may be another gets no row if its directory does not exist.
pub fn directory_rows(facts: &Facts) -> Vec<Row> {
    let owned = volumes_by_directory(facts);
    let passed = parents_of(&owned, facts);
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(
        owned
            .root
            .iter()
            .map(|volume| volume_row(".", None, State::InUse, volume, None)),
    );
    for found in &facts.found {
        let Some(path) = &found.path else {
            rows.push(row_of_unusable_name(found));
            continue;
        };
        let in_volume = path.ancestors().iter().any(|above| owned.at.contains_key(above));
        let is_servers = path.components().iter().any(|name| is_server_entry(name));
        if path.components()[0] == NFSPROV_DIRECTORY || (in_volume || is_servers) && !owned.at.contains_key(path) {
            continue;
        }
        if let Some(volumes) = owned.at.get(path) {
            let row = |volume: &&PersistentVolume| {
                volume_row(&found.shown, Some(path), State::InUse, volume, Some(found.changed))
            };
            rows.extend(volumes.iter().map(row));
        } else if !passed.contains(path) {
            rows.extend(unowned_row(facts, &owned, found, path));
        }
    }
    let there: BTreeSet<&VolumePath> = facts.found.iter().filter_map(|found| found.path.as_ref()).collect();
    for (directory, volumes) in &owned.at {
        let shown = directory.to_string();
        if !there.contains(directory) {
            let row = |volume: &&PersistentVolume| volume_row(&shown, Some(directory), State::Missing, volume, None);
            // The directory of one that may be on another server is there, perhaps.
            let is_here = |volume: &&&PersistentVolume| {
                mounted_location(volume).is_some_and(|place| facts.servers.is_known(&place.server))
            };
            rows.extend(volumes.iter().filter(is_here).map(row));
        }
    }
    rows.extend(rows_of_unused_markers(facts, &owned, &there));
    rows.sort_by(|a, b| (&a.directory, a.state, &a.volume).cmp(&(&b.directory, b.state, &b.volume)));
    rows
}

/// The PVs on the export by their directories, and those that use the whole export; PVs on other exports are dropped.
fn volumes_by_directory(facts: &Facts) -> VolumesByDirectory<'_> {
    let mut owned = VolumesByDirectory {
        at: BTreeMap::new(),
        root: Vec::new(),
    };
    for volume in &facts.volumes {
        match used_part_of(volume, &facts.location, &facts.servers) {
            Some(UsedPart::Directory(directory)) => owned.at.entry(directory).or_default().push(volume),
            Some(UsedPart::WholeExport) => owned.root.push(volume),
            None => {}
        }
    }
    owned
}

/// The row of a directory that no PV names: an archive or an orphan. `None` if it may be data of a PV that is the whole
/// export.
fn unowned_row(
    facts: &Facts,
    owned: &VolumesByDirectory<'_>,
    found: &FoundDirectory,
    path: &VolumePath,
) -> Option<Row> {
    let row = |state, volume: Option<String>, claim| Row {
        directory: found.shown.clone(),
        path: Some(path.clone()),
        state,
        volume,
        claim,
        changed: Some(found.changed),
        holds: None,
        quota: None,
    };
    let (parents, last) = path.split();
    if parents.is_empty()
        && let Some(archive) = Archive::parse(last)
    {
        return Some(row(State::Archived, archive.volume, None));
    }
    let marker = facts.markers.iter().find(|(directory, _)| directory == path);
    let (made_for, claim) = match marker {
        Some((_, owner)) => (Some(format!("pvc-{}", owner.uid)), claim_of(owner)),
        None => (volume_of_name(last), None),
    };
    // Where a PV is the whole export, what no provisioner made is that PV's data.
    (made_for.is_some() || owned.root.is_empty()).then(|| row(State::Orphan, made_for, claim))
}

/// The rows of markers whose directory does not exist, or is the directory of other volumes.
fn rows_of_unused_markers(facts: &Facts, owned: &VolumesByDirectory<'_>, there: &BTreeSet<&VolumePath>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (directory, marker_owner) in &facts.markers {
        let volume = format!("pvc-{}", marker_owner.uid);
        let belongs = |owner: &&PersistentVolume| {
            let claim = owner
                .spec
                .as_ref()
                .and_then(|spec| spec.claim_ref.as_ref()?.uid.as_ref());
            volume_name(owner) == volume || claim == Some(&marker_owner.uid)
        };
        let owners = owned.at.get(directory);
        // An orphan's marker is told with it.
        let told = owners.is_none() && there.contains(directory);
        if !told && !owners.is_some_and(|owners| owners.iter().any(belongs)) {
            rows.push(Row {
                directory: directory.to_string(),
                path: Some(directory.clone()),
                state: State::Marker,
                volume: Some(volume),
                claim: claim_of(marker_owner),
                changed: None,
                holds: None,
                quota: None,
            });
        }
    }
    rows
}

/// The claim of a marker as `namespace/name`; `None` for a marker of the first format, which holds a uid alone.
fn claim_of(owner: &Owner) -> Option<String> {
    let claim = owner.claim.as_ref()?;
    Some(format!("{}/{}", claim.namespace, claim.name))
}

/// The PV that a directory was created for, if the directory's name ends in a dash and a PV's name.
fn volume_of_name(name: &str) -> Option<String> {
    let (_, uid) = name.rsplit_once("-pvc-")?;
    crate::export::names_a_volume(name).then(|| format!("pvc-{uid}"))
}

/// The row of a directory whose name no volume's path can have, as an orphan.
fn row_of_unusable_name(found: &FoundDirectory) -> Row {
    Row {
        directory: found.shown.clone(),
        path: None,
        state: State::Orphan,
        volume: None,
        claim: None,
        changed: Some(found.changed),
        holds: None,
        quota: None,
    }
}

/// The row of a PV; `changed` is `None` if its directory does not exist.
fn volume_row(
    shown: &str,
    path: Option<&VolumePath>,
    state: State,
    volume: &PersistentVolume,
    changed: Option<i64>,
) -> Row {
    let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    Row {
        directory: shown.to_owned(),
        path: path.cloned(),
        state,
        volume: Some(volume_name(volume).to_owned()),
        claim: claim.and_then(|claim| Some(format!("{}/{}", claim.namespace.as_ref()?, claim.name.as_ref()?))),
        changed,
        holds: None,
        quota: None,
    }
}

#[cfg(test)]
#[path = "directories_tests.rs"]
mod tests;
