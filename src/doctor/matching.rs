//! Compares claims with PVs as the controller manager does, and ranks PVs by how near they come (PURE).
//!
//! The rules are those of `FindMatchingVolume` in Kubernetes' persistent volume controller, without the parts that
//! concern nodes. A mismatch makes no event of its own, so a doctor has to do the matching itself.

use std::collections::{BTreeMap, HashMap};

use kube::core::{Expression, SelectorExt};

use crate::cluster::quantity;
use crate::cluster::snapshot::{Claim, ClaimRef, Volume};

/// A field in which a PV does not fit a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Another class.
    Class,
    /// It is too small.
    Size,
    /// It lacks access modes: these.
    Modes(Vec<String>),
    /// Its labels don't match: these requirements.
    Selector(Vec<Expression>),
    /// Block against Filesystem.
    VolumeMode,
    /// It is being deleted.
    Terminating,
    /// It belonged to a claim that was deleted.
    Released,
    /// It is another claim's.
    Claimed,
    /// It is reserved for this claim's name and another uid.
    OtherUid,
    /// Its phase is none that is given away.
    Phase,
}

/// A PV and what keeps a claim from it.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    pub volume: &'a Volume,
    /// Why it isn't given; empty if it will be.
    pub mismatches: Vec<Mismatch>,
}

/// The class that a claim's PV must have; empty for none.
pub fn class_of(claim: &Claim) -> &str {
    claim.class.as_deref().unwrap_or_default()
}

/// The reasons why the controller manager would not bind `claim` to `volume`; empty if it would. If the claim names a
/// PV, the caller passes that one, whose labels need not match. A PV that is reserved for the claim needs no matching
/// class and labels; if the claim names it as well, nothing is compared. A PV without a capacity has 0 bytes.
pub fn find_mismatches(claim: &Claim, volume: &Volume) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let requirements = &claim.requirements;
    let same = |reference: &ClaimRef| {
        (reference.namespace.as_str(), reference.name.as_str()) == (claim.namespace.as_str(), claim.name.as_str())
    };
    // Its claimRef has the claim's name, and its uid or none.
    let is_reserved = volume
        .claim
        .as_ref()
        .is_some_and(|reference| same(reference) && (reference.uid.is_empty() || reference.uid == claim.uid));
    if is_reserved && !claim.volume.is_empty() {
        return found;
    }
    if volume.class != class_of(claim) && !is_reserved {
        found.push(Mismatch::Class);
    }
    if volume.capacity.unwrap_or_default() < requirements.bytes {
        found.push(Mismatch::Size);
    }
    let lacking: Vec<_> = requirements
        .modes
        .iter()
        .filter(|mode| !volume.modes.contains(mode))
        .cloned()
        .collect();
    if !lacking.is_empty() {
        found.push(Mismatch::Modes(lacking));
    }
    // A claim that names its PV is bound to it whatever its labels.
    let unmet = match claim.volume.is_empty() && !is_reserved {
        true => unmet_requirements(&requirements.selector, &volume.labels),
        false => Vec::new(),
    };
    if !unmet.is_empty() {
        found.push(Mismatch::Selector(unmet));
    }
    if volume.volume_mode != requirements.volume_mode {
        found.push(Mismatch::VolumeMode);
    }
    if volume.deleting.is_some() {
        found.push(Mismatch::Terminating);
    }
    match &volume.claim {
        Some(_) if is_reserved => {}
        Some(reference) if same(reference) => found.push(Mismatch::OtherUid),
        Some(_) if matches!(volume.phase.as_str(), "Released" | "Failed") => found.push(Mismatch::Released),
        Some(_) => found.push(Mismatch::Claimed),
        None if !matches!(volume.phase.as_str(), "Available" | "") => found.push(Mismatch::Phase),
        None => {}
    }
    found
}

/// The requirements of a selector that labels don't meet.
pub fn unmet_requirements(selector: &[Expression], labels: &BTreeMap<String, String>) -> Vec<Expression> {
    let unmet = selector.iter().filter(|requirement| !requirement.matches(labels));
    unmet.cloned().collect()
}

/// How far a mismatch is from a fit: what one edit fixes comes first, a volume of another claim last.
fn distance_of(mismatch: &Mismatch) -> u32 {
    match mismatch {
        Mismatch::Size | Mismatch::Modes(_) | Mismatch::Selector(_) | Mismatch::OtherUid => 2,
        Mismatch::VolumeMode | Mismatch::Terminating | Mismatch::Released => 3,
        Mismatch::Class | Mismatch::Phase => 4,
        Mismatch::Claimed => 9,
    }
}

/// PVs by how near they come to a claim: those that fit first, without mismatches; of those equally near the one
/// nearest in size.
///
/// Drops PVs that are no near match: those Bound to other claims, and those of another class that
/// don't fit otherwise either.
pub fn rank_volumes<'a>(claim: &Claim, volumes: impl IntoIterator<Item = &'a Volume>) -> Vec<Candidate<'a>> {
    let candidate = |volume: &'a Volume| {
        let mismatches = find_mismatches(claim, volume);
        let far = mismatches.contains(&Mismatch::Claimed) && volume.phase == "Bound"
            || mismatches.contains(&Mismatch::Class) && mismatches.len() > 1;
        (!far).then_some(Candidate { volume, mismatches })
    };
    let mut ranked: Vec<_> = volumes.into_iter().filter_map(candidate).collect();
    ranked.sort_by_key(|candidate| {
        let distance: u32 = candidate.mismatches.iter().map(distance_of).sum();
        let size = candidate
            .volume
            .capacity
            .unwrap_or_default()
            .abs_diff(claim.requirements.bytes);
        (distance, size, &candidate.volume.name)
    });
    ranked
}

/// How many PVs that are alike are compared: as many as a finding names.
const ALIKE: usize = 4;

/// Of PVs that are alike in everything that claims ask for, the first four by name; all sorted by name. The others come
/// as near to a claim, unless they are reserved for it: the caller adds reserved PVs.
pub fn pick_representatives<'a>(volumes: &[&'a Volume]) -> Vec<&'a Volume> {
    let mut sorted = volumes.to_vec();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut counts: HashMap<_, usize> = HashMap::new();
    sorted.retain(|volume| {
        let asked = (
            (
                &volume.class,
                volume.capacity,
                &volume.modes,
                &volume.volume_mode,
                &volume.labels,
            ),
            (volume.deleting.is_some(), volume.claim.is_some(), &volume.phase),
            volume.provisioned_by.is_some(),
            volume.is_nfs(),
        );
        let count = counts.entry(asked).or_default();
        *count += 1;
        *count <= ALIKE
    });
    sorted
}

/// A mismatch as a clause, to follow "fits but for": `its size (1Gi < 5Gi)`.
pub fn describe_mismatch(mismatch: &Mismatch, claim: &Claim, volume: &Volume) -> String {
    let or_none = |class: &str| match class {
        "" => "none".to_owned(),
        class => class.to_owned(),
    };
    let owner = || {
        let claim = volume.claim.clone().unwrap_or_default();
        match claim.name.as_str() {
            "" => format!("a claim without a name in namespace {}", claim.namespace),
            name => format!("{}/{name}", claim.namespace),
        }
    };
    match mismatch {
        Mismatch::Class => format!(
            "its class ({}, not {})",
            or_none(&volume.class),
            or_none(class_of(claim))
        ),
        Mismatch::Size => format!(
            "its size ({} < {})",
            volume.size,
            quantity::format_bytes(claim.requirements.bytes)
        ),
        Mismatch::Modes(lacking) => format!(
            "its access modes ({} without {})",
            volume.modes.join(","),
            lacking.join(",")
        ),
        Mismatch::Selector(unmet) => {
            let unmet: Vec<String> = unmet.iter().map(Expression::to_string).collect();
            format!("its labels (the selector wants {})", unmet.join(", "))
        }
        Mismatch::VolumeMode => format!(
            "its volumeMode ({}, not {})",
            volume.volume_mode, claim.requirements.volume_mode
        ),
        Mismatch::Terminating => "being deleted".to_owned(),
        Mismatch::Released => format!("being Released (it was {}'s)", owner()),
        Mismatch::Claimed => format!("being reserved for {}", owner()),
        Mismatch::OtherUid => format!("being reserved for an earlier {} (another uid)", owner()),
        Mismatch::Phase => format!("its phase ({})", volume.phase),
    }
}

/// A near miss in one line: `PV a fits but for its size (1Gi < 5Gi)`.
pub fn describe_near_miss(candidate: &Candidate<'_>, claim: &Claim) -> String {
    let name = &candidate.volume.name;
    let all: Vec<_> = candidate
        .mismatches
        .iter()
        .map(|mismatch| describe_mismatch(mismatch, claim, candidate.volume))
        .collect();
    match all.is_empty() {
        true => format!("PV {name} fits"),
        false => format!("PV {name} fits but for {}", all.join(" and ")),
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
