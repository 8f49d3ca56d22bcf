//! Decides whether a directory of an export may become a volume of a claim, and under which PV name (PURE). The main
//! function is [`plan_adoption`].

use k8s_openapi::api::core::v1::PersistentVolume;

use crate::export::{Location, NFSPROV_DIRECTORY, Owner, ServerNames, VolumePath, is_server_entry, names_a_volume};
use crate::provisioner::rules::record::Record;
use crate::volumes::archives::{Archive, ReusePlan};
use crate::volumes::place;

/// What is at a directory, above it and below it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The export.
    pub location: Location,
    /// The names that its server has in PVs.
    pub servers: ServerNames,
    /// All PVs of the cluster.
    pub volumes: Vec<PersistentVolume>,
    /// The markers: directory, and the claim that owns it.
    pub markers: Vec<(VolumePath, Owner)>,
    /// The records that could be read.
    pub records: Vec<Record>,
}

/// How a directory becomes a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// The directory, which stays where it is, and the PV's name.
    pub reuse: ReusePlan,
    /// What the directory was before: the defaults.
    pub record: Option<Record>,
}

/// Plans how `directory` becomes a volume of a claim, given as namespace and name. The PV gets the name in the record,
/// else in the marker, else in the directory's name, else `adopted-…`. Whether the directory exists is not checked.
///
/// # Errors
/// One sentence, if the directory is reserved or the archive of a PV with a known name; if a PV is at, above or below
/// it; if a marker or record is of another claim, or of a directory above or below; or if the PV's name is taken.
pub fn plan_adoption(directory: &VolumePath, claim: (&str, &str), facts: &Facts) -> Result<Adoption, String> {
    let is_reserved = |name: &String| name == NFSPROV_DIRECTORY || is_server_entry(name);
    if let Some(name) = directory.components().iter().find(|name| is_reserved(name)) {
        return Err(format!("{name} is no directory of a volume"));
    }
    let (parents, last) = directory.split();
    if parents.is_empty()
        && let Some(volume) = Archive::parse(last).and_then(|archive| archive.volume)
    {
        return Err(format!(
            "{directory} is the archive of pv/{volume}; `nfsprov volumes restore {directory}` brings it back"
        ));
    }
    let wanted = Location {
        server: facts.location.server.clone(),
        path: directory.under(&facts.location.path),
    };
    let is_there = |volume: &&PersistentVolume| place::used_part_of(volume, &wanted, &facts.servers).is_some();
    if let Some(volume) = facts.volumes.iter().find(is_there) {
        let name = place::volume_name(volume);
        return Err(format!("pv/{name} lies at, above or below {directory}"));
    }
    let owner_uid = owner_of(directory, claim, facts)?;
    let record = record_of(directory, claim, facts)?;
    let named = record.as_ref().map(|record| record.name().to_owned());
    let volume = named
        .or_else(|| owner_uid.map(|uid| format!("pvc-{uid}")))
        .or_else(|| volume_of_default_directory(last))
        .unwrap_or_else(|| adopted_volume_name(directory));
    if facts.volumes.iter().any(|other| place::volume_name(other) == volume) {
        return Err(format!(
            "pv/{volume}, the name for the adopted directory, already exists"
        ));
    }
    Ok(Adoption {
        reuse: ReusePlan {
            archive: None,
            directory: directory.clone(),
            volume,
            needs_marker: false,
        },
        record,
    })
}

/// The uid in the directory's marker; `None` without one. A marker of another or an unknown claim, or above or below,
/// is an error.
fn owner_of<'a>(directory: &VolumePath, claim: (&str, &str), facts: &'a Facts) -> Result<Option<&'a str>, String> {
    let mut found = None;
    for (owned, owner) in facts.markers.iter().filter(|(owned, _)| overlaps(owned, directory)) {
        let is_same_claim = owner
            .claim
            .as_ref()
            .is_some_and(|known| (known.namespace.as_str(), known.name.as_str()) == claim);
        if owned != directory || !is_same_claim {
            return Err(format!("{owned} belongs to {owner}"));
        }
        found = Some(owner.uid.as_str());
    }
    Ok(found)
}

/// The directory's record, of several the last; `None` without one. A record of another claim, or of a directory above
/// or below, is an error; one without a claim passes.
fn record_of(directory: &VolumePath, claim: (&str, &str), facts: &Facts) -> Result<Option<Record>, String> {
    let mut found = None;
    for record in facts
        .records
        .iter()
        .filter(|record| overlaps(&record.directory, directory))
    {
        if record.directory != *directory || record.claim_key().is_some_and(|known| known != claim) {
            let claim = record.claim_key();
            let claim = claim.map(|(namespace, name)| format!(" of pvc/{name} -n {namespace}"));
            let (volume, claim) = (record.name(), claim.unwrap_or_default());
            return Err(format!("{} is recorded as pv/{volume}{claim}", record.directory));
        }
        found = Some(record.clone());
    }
    Ok(found)
}

/// Whether one of two directories is, or is in, the other.
fn overlaps(one: &VolumePath, other: &VolumePath) -> bool {
    one.components().starts_with(other.components()) || other.components().starts_with(one.components())
}

/// The name of the PV that a directory with a default name was made for; `None` for other names.
fn volume_of_default_directory(name: &str) -> Option<String> {
    let (_, uid) = name.rsplit_once("-pvc-")?;
    names_a_volume(name).then(|| format!("pvc-{uid}"))
}

/// A PV name for a directory whose PV is unknown: `adopted-` and its path in lower case, with dashes for all else, and
/// 200 characters at most. Two directories may get the same name.
fn adopted_volume_name(directory: &VolumePath) -> String {
    let word = directory.components().join("-").to_lowercase();
    let word = word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let word: String = word.take(200).collect();
    format!("adopted-{}", word.trim_matches('-'))
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
#[path = "adopt_tests.rs"]
mod tests;
