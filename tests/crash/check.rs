//! Rules of the contract (PURE): each takes the observed state and the history, and returns its violations.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{limits_without_files, unlisted_limits, wrong_limits};
use crate::plan::{Kind, NAMESPACES, TRAP};
use crate::state::{Entry, FINALIZER, History, PROTECTION, State, Volume, WHO};

/// Where the export holds the owner markers.
const OWNERS: &str = ".nfsprov/owners/";
/// Where the export holds deleted directories until the provisioner removes them.
const TRASH: &str = ".nfsprov/trash/";

/// When a rule must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At any moment, even right after a kill.
    Always,
    /// When the provisioner has no work left.
    AtRest,
}

/// A rule: its name, when it must hold, and the function that returns its violations.
pub type Rule = (&'static str, When, fn(&State, &History) -> Vec<String>);

pub const RULES: &[Rule] = &[
    (
        "a claim has one PV at most, and its own",
        When::Always,
        wrong_volumes_of_claims,
    ),
    (
        "no two PVs share a directory, and none has one inside another's",
        When::Always,
        overlapping_directories,
    ),
    (
        "the directory of a volume in use exists with its class's owner and mode",
        When::Always,
        wrong_directories,
    ),
    ("the data of a volume in use exists", When::Always, lost_data),
    (
        "a claim has one directory or one archive",
        When::Always,
        directories_beside_archives,
    ),
    (
        "every directory is a PV's, a live claim's, archived, retained, or unused",
        When::Always,
        unexplained_directories,
    ),
    (
        "nothing outside the export has changed, nor the link to it",
        When::Always,
        changes_outside_export,
    ),
    (
        "every live claim is Bound, except one whose path leads out of the export",
        When::AtRest,
        wrong_claim_phases,
    ),
    (
        "a PV without a live claim has the policy Retain",
        When::AtRest,
        wrong_volume_phases,
    ),
    (
        "no finalizer is left behind, and none is missing",
        When::AtRest,
        wrong_finalizers,
    ),
    (
        "deleted data is archived, retained or removed, as its class says",
        When::AtRest,
        misplaced_data,
    ),
    (
        "every directory is a PV's, archived, retained, or was never a PV's",
        When::AtRest,
        directories_without_owner,
    ),
    (
        "every marker names a live claim, or one that never had a PV",
        When::AtRest,
        wrong_markers,
    ),
    ("every record is complete", When::Always, incomplete_records),
    (
        "every volume in use or retained has its record, which names its claim",
        When::AtRest,
        volumes_without_record,
    ),
    (
        "every other record belongs to a volume whose data is archived or retained",
        When::AtRest,
        needless_records,
    ),
    (
        "the directory of a limited volume in use is limited to its size",
        When::Always,
        wrong_limits,
    ),
    (
        "`volumes orphans` lists every limit without files",
        When::Always,
        unlisted_limits,
    ),
    (
        "while limited volumes are in use, every limit has files",
        When::AtRest,
        limits_without_files,
    ),
    ("the trash is empty", When::AtRest, trash_entries),
    (
        "only the cluster removes pv-protection",
        When::AtRest,
        removed_protections,
    ),
];

pub fn in_use(volume: &Volume, state: &State, history: &History) -> bool {
    let live = state
        .claims
        .iter()
        .any(|claim| claim.uid == volume.claim && !claim.is_terminating);
    let meant = history.made.get(&volume.claim).is_some_and(|made| !made.deleted);
    live && meant && !volume.is_terminating && volume.phase != "Released"
}

fn wrong_volumes_of_claims(state: &State, _: &History) -> Vec<String> {
    let mut broken = Vec::new();
    let mut served = BTreeMap::new();
    for volume in &state.volumes {
        if volume.name != format!("pvc-{}", volume.claim) {
            broken.push(format!("PV {} is for the claim with uid {}", volume.name, volume.claim));
        }
        if let Some(other) = served.insert(&volume.claim, &volume.name) {
            broken.push(format!("PVs {other} and {} are for one claim", volume.name));
        }
    }
    for claim in state.claims.iter().filter(|claim| claim.phase == "Bound") {
        let wanted = format!("pvc-{}", claim.uid);
        if claim.volume != wanted || (!served.contains_key(&claim.uid) && !claim.is_terminating) {
            broken.push(format!("the claim with uid {} is bound to {}", claim.uid, claim.volume));
        }
    }
    broken
}

fn overlapping_directories(state: &State, _: &History) -> Vec<String> {
    let mut broken = Vec::new();
    // The provisioner archives or removes the directory of a Released PV before another PV gets that path.
    let holds = |volume: &&Volume| volume.phase != "Released" && !volume.is_terminating;
    let mut paths: Vec<_> = state.volumes.iter().filter(holds).map(|volume| &volume.path).collect();
    paths.sort();
    for pair in paths.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        if first == second || second.starts_with(&format!("{first}/")) {
            broken.push(format!("{first} and {second}"));
        }
    }
    broken
}

fn wrong_directories(state: &State, history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for volume in state.volumes.iter().filter(|volume| in_use(volume, state, history)) {
        let Some(made) = history.made.get(&volume.claim) else {
            continue;
        };
        let wanted = made.directory(&volume.claim);
        if volume.path != wanted {
            broken.push(format!("PV {} has the path {}, not {wanted}", volume.name, volume.path));
        }
        let entry = Entry {
            kind: "d".into(),
            attributes: made.claim.kind.attributes().into(),
            target: String::new(),
        };
        match state.export.get(&volume.path) {
            Some(found) if *found == entry => {}
            found => broken.push(format!("PV {} is on {}: {found:?}", volume.name, volume.path)),
        }
    }
    broken
}

/// Whether the directory holds the data that the test wrote for this claim.
fn holds_data(state: &State, directory: &str, uid: &str) -> bool {
    let who = state.export.get(&format!("{directory}/{WHO}"));
    who.is_some_and(|who| who.kind == "l" && who.target == uid)
}

fn lost_data(state: &State, history: &History) -> Vec<String> {
    let used = state.volumes.iter().filter(|volume| in_use(volume, state, history));
    let lost =
        used.filter(|volume| history.filled.contains(&volume.claim) && !holds_data(state, &volume.path, &volume.claim));
    lost.map(|volume| format!("the data in {} is lost", volume.path))
        .collect()
}

fn is_directory(state: &State, path: &str) -> bool {
    state.export.get(path).is_some_and(|entry| entry.kind == "d")
}

fn directories_beside_archives(state: &State, history: &History) -> Vec<String> {
    // A later claim can have the same path by pattern. An archive's name contains the uid, so no other claim has it.
    let named = history.made.iter().filter(|(_, made)| !made.claim.kind.has_marker());
    let both = named
        .filter(|(uid, made)| is_directory(state, &made.directory(uid)) && is_directory(state, &made.archive(uid)));
    both.map(|(uid, made)| format!("{} and its archive", made.directory(uid)))
        .collect()
}

/// The directories of volumes and archives, and unknown ones; without the parent directories that path patterns create.
fn directories(state: &State) -> impl Iterator<Item = &str> {
    let parents: BTreeSet<String> = NAMESPACES
        .iter()
        .flat_map(|namespace| [(*namespace).to_owned(), format!("{namespace}/deeper")])
        .collect();
    let paths = state.export.keys().map(String::as_str);
    paths.filter(move |path| {
        let inner = path.rsplit_once('/').is_some_and(|(above, _)| !parents.contains(above));
        !inner && !parents.contains(*path) && *path != TRAP && *path != ".nfsprov"
    })
}

/// Directories that belong to a PV, or to a deleted claim whose policy archives or retains them.
///
/// The watch can report a claim's PV after the deletion, so only `at_rest` requires that the claim had a PV.
fn owners(state: &State, history: &History, at_rest: bool) -> BTreeSet<String> {
    let mut places: BTreeSet<String> = state.volumes.iter().map(|volume| volume.path.clone()).collect();
    for (uid, made) in history.made.iter().filter(|(_, made)| made.deleted) {
        if at_rest && !history.provisioned.contains(uid) {
            continue;
        }
        match made.claim.kind {
            Kind::Plain | Kind::Pattern => _ = places.insert(made.archive(uid)),
            Kind::Left | Kind::Kept => _ = places.insert(made.directory(uid)),
            _ => {}
        }
    }
    places
}

/// The uid of the claim that a marker's target names.
fn uid_in_marker(target: &str) -> &str {
    target.rsplit_once('/').map_or(target, |(_, uid)| uid)
}

/// Empty directories of deleted claims that have no PV, if the name or the owner marker identifies the claim. A kill
/// between the creation of directory and PV leaves such a directory until another claim needs its path.
fn unused(state: &State, history: &History) -> BTreeSet<String> {
    let mut unused = BTreeSet::new();
    for (uid, made) in history.made.iter().filter(|(_, made)| made.deleted) {
        let directory = made.directory(uid);
        let is_empty = !state
            .export
            .keys()
            .any(|path| path.starts_with(&format!("{directory}/")));
        let marker = state.export.get(&format!("{OWNERS}{directory}/@owner"));
        let names_claim = match made.claim.kind.has_marker() {
            true => marker.is_some_and(|marker| uid_in_marker(&marker.target) == uid),
            false => true,
        };
        if is_empty && names_claim && made.claim.kind != Kind::Hostile {
            unused.insert(directory);
        }
    }
    unused
}

/// Claims that were deleted before they had a PV.
fn without_volume(history: &History) -> History {
    let made = history
        .made
        .iter()
        .filter(|(uid, _)| !history.provisioned.contains(*uid));
    History {
        made: made.map(|(uid, made)| (uid.clone(), made.clone())).collect(),
        ..History::default()
    }
}

fn unexplained_directories(state: &State, history: &History) -> Vec<String> {
    let is_live = |uid: &String| {
        state
            .claims
            .iter()
            .any(|claim| claim.uid == *uid && !claim.is_terminating)
    };
    let made = history.made.iter().filter(|(uid, _)| is_live(uid));
    let live: BTreeSet<String> = made.map(|(uid, made)| made.directory(uid)).collect();
    let owners = owners(state, history, false);
    let unused = unused(state, history);
    let lost =
        directories(state).filter(|path| !owners.contains(*path) && !live.contains(*path) && !unused.contains(*path));
    lost.map(|path| format!("{path} has no owner")).collect()
}

fn directories_without_owner(state: &State, history: &History) -> Vec<String> {
    let owners = owners(state, history, true);
    let unused = unused(state, &without_volume(history));
    let lost = directories(state).filter(|path| !owners.contains(*path) && !unused.contains(*path));
    lost.map(|path| format!("{path} has no owner")).collect()
}

fn incomplete_records(state: &State, _: &History) -> Vec<String> {
    let faulty = state.records.iter().filter_map(|(volume, record)| {
        let fault = record.fault.as_ref()?;
        Some(format!("the record of PV {volume}: {fault}"))
    });
    faulty.collect()
}

fn volumes_without_record(state: &State, history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for volume in &state.volumes {
        let made = history.made.get(&volume.claim);
        let claim = made.filter(|made| !made.deleted).map(|made| &made.claim);
        let wanted = claim.map(|claim| (claim.namespace.to_owned(), claim.name.clone()));
        match state.records.get(&volume.name) {
            Some(record) if record.claim == wanted => {}
            found => broken.push(format!("PV {} of {wanted:?} has {found:?}", volume.name)),
        }
    }
    broken
}

fn needless_records(state: &State, history: &History) -> Vec<String> {
    let mut kept: BTreeSet<String> = state.volumes.iter().map(|volume| volume.name.clone()).collect();
    let deleted = history.made.iter().filter(|(_, made)| made.deleted);
    let with_data =
        deleted.filter(|(_, made)| matches!(made.claim.kind, Kind::Plain | Kind::Pattern | Kind::Left | Kind::Kept));
    kept.extend(with_data.map(|(uid, _)| format!("pvc-{uid}")));
    let left = state.records.keys().filter(|volume| !kept.contains(*volume));
    left.map(|volume| format!("the deleted PV {volume} has a record"))
        .collect()
}

fn trash_entries(state: &State, _: &History) -> Vec<String> {
    let left = state.export.keys().filter(|path| path.starts_with(TRASH));
    left.cloned().collect()
}

fn changes_outside_export(state: &State, history: &History) -> Vec<String> {
    match state.outside == history.outside {
        true => Vec::new(),
        false => vec![format!("it was\n{}\nand is\n{}", history.outside, state.outside)],
    }
}

fn wrong_claim_phases(state: &State, history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for (uid, made) in history.made.iter().filter(|(_, made)| !made.deleted) {
        let wanted = match made.claim.kind {
            Kind::Hostile => "Pending",
            _ => "Bound",
        };
        match state.claims.iter().find(|claim| claim.uid == *uid) {
            Some(found) if found.phase == wanted && !found.is_terminating => {}
            found => broken.push(format!("{:?} is {found:?}", made.claim)),
        }
    }
    for claim in &state.claims {
        if history.made.get(&claim.uid).is_none_or(|made| made.deleted) {
            broken.push(format!("the claim with uid {} was deleted and still exists", claim.uid));
        }
    }
    broken
}

fn wrong_volume_phases(state: &State, history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for volume in &state.volumes {
        let deleted = history.made.get(&volume.claim).is_none_or(|made| made.deleted);
        let wanted = if deleted { "Released" } else { "Bound" };
        let retained = volume.policy == "Retain";
        if volume.phase != wanted || (deleted && !retained) {
            broken.push(format!(
                "PV {} with policy {} is {}",
                volume.name, volume.policy, volume.phase
            ));
        }
    }
    broken
}

fn wrong_finalizers(state: &State, _: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for volume in &state.volumes {
        let mut wanted = vec![PROTECTION];
        if volume.policy == "Delete" {
            wanted.push(FINALIZER);
        }
        let mut found: Vec<&str> = volume.finalizers.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        if volume.is_terminating || found != wanted {
            broken.push(format!(
                "PV {} (terminating: {}) has {found:?}",
                volume.name, volume.is_terminating
            ));
        }
    }
    broken
}

fn misplaced_data(state: &State, history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for (uid, made) in history.made.iter().filter(|(_, made)| made.deleted) {
        let (directory, archive) = (made.directory(uid), made.archive(uid));
        let (had, filled) = (history.provisioned.contains(uid), history.filled.contains(uid));
        let place = match made.claim.kind {
            Kind::Plain | Kind::Pattern => Some(&archive),
            Kind::Left | Kind::Kept => Some(&directory),
            Kind::Removed | Kind::Nested | Kind::Owned | Kind::Limited | Kind::Hostile => None,
        };
        match place {
            Some(place) if had && !is_directory(state, place) => broken.push(format!("{place} does not exist")),
            Some(place) if filled && !holds_data(state, place, uid) => {
                broken.push(format!("the data in {place} is lost"));
            }
            _ => {}
        }
        // Another claim that has this path now wrote other data there.
        if place != Some(&directory) && holds_data(state, &directory, uid) {
            broken.push(format!("{directory} still exists"));
        }
    }
    broken
}

fn wrong_markers(state: &State, history: &History) -> Vec<String> {
    let mut wanted = BTreeMap::new();
    for volume in &state.volumes {
        let kind = history.made.get(&volume.claim).map(|made| made.claim.kind);
        if kind.is_some_and(Kind::has_marker) {
            wanted.insert(format!("{OWNERS}{}/@owner", volume.path), volume.claim.clone());
        }
    }
    let mut broken = Vec::new();
    // `<class uid>/<namespace>/<claim>/<claim uid>`
    let is_of = |entry: &Entry, uid: &str| {
        let claim = history.made.get(uid).map(|made| &made.claim);
        let names = claim.map(|claim| format!("/{}/{}/{uid}", claim.namespace, claim.name));
        names.is_some_and(|names| entry.target.ends_with(&names)) && entry.target.matches('/').count() == 3
    };
    for (path, uid) in &wanted {
        if state.export.get(path).is_none_or(|entry| !is_of(entry, uid)) {
            broken.push(format!("{path} is {:?}", state.export.get(path)));
        }
    }
    // A claim that never had a PV keeps its marker while it exists, or until another claim needs the path.
    let never_had_volume = |uid: &str| {
        let made = history.made.get(uid);
        let asks = made.is_some_and(|made| !made.deleted && made.claim.kind == Kind::Hostile);
        asks || made.is_some_and(|made| made.deleted && !history.provisioned.contains(uid))
    };
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    let below = || state.export.iter().filter(|(path, _)| path.starts_with(OWNERS));
    for (path, entry) in below().filter(|(_, entry)| entry.kind != "d") {
        if !wanted.contains_key(path) && !never_had_volume(uid_in_marker(&entry.target)) {
            broken.push(format!("{path} names {}", entry.target));
        }
        let mut above = path.as_str();
        while let Some((directory, _)) = above.rsplit_once('/') {
            kept.insert(directory);
            above = directory;
        }
    }
    // A kill between creating a directory and its marker leaves the directory.
    let left = without_volume(history);
    let is_left = |path: &str| {
        let mut folders = left
            .made
            .iter()
            .map(|(uid, made)| format!("{OWNERS}{}", made.directory(uid)));
        folders.any(|folder| folder == path || folder.starts_with(&format!("{path}/")))
    };
    for (path, _) in below().filter(|(path, entry)| entry.kind == "d" && !kept.contains(path.as_str())) {
        if !is_left(path) {
            broken.push(format!("{path} holds no marker"));
        }
    }
    broken
}

fn removed_protections(state: &State, _: &History) -> Vec<String> {
    let taken = state.unprotected.difference(&state.released);
    taken
        .map(|volume| format!("the provisioner removed pv-protection from PV {volume}"))
        .collect()
}
