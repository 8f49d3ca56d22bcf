//! Claims and PVs that do not come together: NFS102, NFS106 to NFS114 (PURE).

use serde_json::json;

use super::classes::makes_nothing;
use super::commands::{create_new_volume, recreate_claim};
use super::{Case, Evidence};
use crate::doctor::Finding;
use crate::doctor::Severity::Error;
use crate::doctor::explain::{CLAIMS, CLASSES, Entry, VOLUMES, entry};
use crate::doctor::facts::{Claim, Volume};
use crate::doctor::fix::Change;
use crate::doctor::matching::{self, Mismatch, Near};
use crate::doctor::names::{closest, word};

/// How many near misses are shown.
const SHOWN: usize = 3;

/// The fix where the PV, or every PV of the class, is of other storage.
const OTHER_STORAGE: &str = "this is not NFS: change the claim, or the PV in the way that its own storage allows";

pub const ENTRIES: &[Entry] = &[
    entry("NFS102", Error, &[CLAIMS, VOLUMES, CLASSES], "no PV fits", "The claim can only have a PV made by hand: it wants the class \"\", or one that no StorageClass object describes. No PV fits in all fields at once. The evidence ranks those that come near. The event, if there is any, speaks of a missing StorageClass, which misleads: static PVs need none."),
    entry("NFS106", Error, &[CLAIMS, VOLUMES, CLASSES], "claim and PV differ in class", "A claim that names no class gets the default class when it is created, and then no longer fits the PV that it was made for. A claim for a PV without class has to say storageClassName: \"\"."),
    entry("NFS107", Error, &[CLAIMS, VOLUMES, CLASSES], "the PV is too small", "A claim gets a PV of at least its size. NFS does not enforce sizes: the PV's capacity is a promise, and can be raised if the export has the room."),
    entry("NFS108", Error, &[CLAIMS, VOLUMES, CLASSES], "access modes don't fit", "A PV must list every access mode that the claim asks for. On NFS all modes work, so the PV's list can be extended."),
    entry("NFS109", Error, &[CLAIMS, VOLUMES, CLASSES], "selector doesn't match", "The claim has a selector, and the PV lacks the labels. Provisioners that make volumes on demand refuse selectors altogether.").automatic(),
    entry("NFS110", Error, &[CLAIMS, VOLUMES, CLASSES], "volumeMode differs", "NFS holds files, not blocks: a claim with volumeMode: Block can't be served by it."),
    entry("NFS111", Error, &[CLAIMS, VOLUMES, CLASSES], "the PV is being deleted", "A PV that is being deleted is not given away, even if something still holds it. Create another one, with a directory of its own; one for the same directory shows the same data, so see first who still uses it."),
    entry("NFS112", Error, &[CLAIMS, VOLUMES, CLASSES], "the claim names a PV that doesn't exist", "spec.volumeName ties a claim to one PV. While there is none of that name, the claim waits without an event."),
    entry("NFS113", Error, &[CLAIMS, VOLUMES, CLASSES], "the PV is another claim's", "A PV's claimRef says whose it is. It is another claim, or an earlier claim of the same name: after that was deleted and created again it has another uid."),
    entry("NFS114", Error, &[CLAIMS, VOLUMES, CLASSES], "only Released PVs fit", "A PV whose claim is gone stays Released until an administrator decides what becomes of its data. nfsprov release makes it Available again."),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    if !case.facts.knows("persistentvolumes") || !case.facts.knows("storageclasses") {
        return Vec::new();
    }
    let waiting = case.facts.claims.iter().filter(|claim| claim.pending());
    waiting.filter_map(|claim| judge(case, claim)).collect()
}

fn judge(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    if !claim.volume.is_empty() {
        return wanted(case, claim);
    }
    let name = claim.class.as_deref()?;
    let Some(class) = case.facts.class(name) else {
        let by_hand = case.facts.classes.is_empty() && case.provisioners.is_empty();
        // A class that nothing has is a matter of its own.
        return (name.is_empty() || by_hand || case.has_volumes(name)).then(|| by_hand_only(case, claim))?;
    };
    if makes_nothing(class) {
        let early = class.waits && !claim.node_selected && case.users(claim).is_empty();
        let empty = !case.has_volumes(name);
        return (!early && !empty).then(|| by_hand_only(case, claim))?;
    }
    dynamic(case, claim)
}

/// A claim that names its PV.
fn wanted(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let Some(volume) = case.volume(&claim.volume) else {
        return Some(absent(case, claim));
    };
    let mismatches = matching::compare(claim, volume);
    let first = mismatches.first()?.clone();
    let near = Near { volume, mismatches };
    Some(miss(case, claim, &near, &first, &[]))
}

fn absent(case: &Case<'_>, claim: &Claim) -> Finding {
    let finding = Finding::new(
        "NFS112",
        claim.object(),
        format!("the claim wants PV {}, which doesn't exist", claim.volume),
    )
    .seen(format!("spec.volumeName of {}", claim.object().title()), &claim.volume)
    .seen(
        "PersistentVolumes",
        format!("none called {}; no event tells", claim.volume),
    );
    let free = case
        .loose
        .iter()
        .filter(|volume| volume.claim.is_none() && volume.is_nfs());
    if let Some(meant) = closest(&claim.volume, free.map(|volume| volume.name.as_str())) {
        return finding.advise(format!(
            "did you mean {meant}? Then make the claim again with that volumeName: it is Pending and holds nothing"
        ));
    }
    let (command, note) = create_new_volume(claim, &claim.volume);
    finding.suggest(command, note)
}

/// A claim that only a PV made by hand can serve.
fn by_hand_only(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let ranked = case.ranked(claim);
    let nearest = ranked.first();
    // The controller manager has not come round yet.
    if nearest.is_some_and(|near| near.mismatches.is_empty()) {
        return None;
    }
    let foreign = !case.may_be_nfs(matching::class(claim));
    let (nfs, others): (Vec<Near<'_>>, Vec<Near<'_>>) = ranked.into_iter().partition(|near| near.volume.is_nfs());
    match near_miss(case, claim, &nfs) {
        Some(finding) => Some(finding),
        None if foreign => Some(none_fits(case, claim, &others).advise(OTHER_STORAGE)),
        None => {
            let name = format!("{}-{}", claim.namespace, claim.name);
            let (command, note) = create_new_volume(claim, &name);
            Some(none_fits(case, claim, &nfs).suggest(command, note))
        }
    }
}

/// That the nearest of the ranked NFS PVs is kept away by one thing alone.
pub fn near_miss(case: &Case<'_>, claim: &Claim, ranked: &[Near<'_>]) -> Option<Finding> {
    let near = ranked.first()?;
    let is_near = near.volume.is_nfs() && near.mismatches.len() == 1 && meant(near, claim);
    is_near.then(|| miss(case, claim, near, &near.mismatches[0], &ranked[1..]))
}

/// Whether a near miss is worth a finding of its own: by class alone many PVs differ, unless one is reserved.
fn meant(near: &Near<'_>, claim: &Claim) -> bool {
    match near.mismatches[0] {
        Mismatch::Class => near.volume.claim.is_some(),
        Mismatch::Phase => false,
        Mismatch::Claimed => near.volume.class == matching::class(claim),
        _ => true,
    }
}

fn none_fits(case: &Case<'_>, claim: &Claim, ranked: &[Near<'_>]) -> Finding {
    let class = match matching::class(claim) {
        "" => "without a class".to_owned(),
        class => format!("of class {class}"),
    };
    let bound = case.facts.volumes.len() - case.loose.len();
    let cause = format!("the claim can only have a PV made by hand {class}, and none fits");
    Finding::new("NFS102", claim.object(), cause)
        .all_seen(misses(claim, ranked))
        .seen(
            "PersistentVolumes",
            format!("{} not bound, {bound} bound", case.loose.len()),
        )
        .all_seen(case.last_word(&claim.object()))
}

fn misses<'a>(claim: &'a Claim, ranked: &'a [Near<'_>]) -> impl Iterator<Item = Evidence> + 'a {
    ranked.iter().take(SHOWN).map(|near| Evidence {
        source: "near miss".to_owned(),
        text: matching::explain(near, claim),
    })
}

/// A claim for a class that makes volumes; a PV made by hand may be meant all the same.
fn dynamic(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let chosen = |volume: &&&Volume| {
        claim.wish.selector.is_some()
            && volume.claim.is_none()
            && matching::unmet(claim.wish.selector.as_ref(), &volume.labels).is_empty()
    };
    let by_hand = |volume: &&&Volume| volume.provisioned_by.is_none() && volume.is_nfs();
    let reserved = case.reserved(claim).iter().find(by_hand);
    let by_hand_all = || case.alike.iter().filter(by_hand);
    let volume = reserved.or_else(|| by_hand_all().find(chosen));
    let volume = volume.or_else(|| by_hand_all().find(|volume| got_default_instead(case, claim, volume)));
    if let Some(volume) = volume {
        let mismatches = matching::compare(claim, volume);
        let first = mismatches.first()?.clone();
        let near = Near { volume, mismatches };
        return Some(miss(case, claim, &near, &first, &[]));
    }
    claim.wish.selector.as_ref()?;
    // A label would do if a PV of this class fits otherwise.
    let mut ranked = case.ranked(claim);
    if ranked.first().is_some_and(|near| near.mismatches.is_empty()) {
        return None;
    }
    ranked.retain(|near| near.volume.is_nfs());
    match ranked.first() {
        Some(near) if near.mismatches.len() == 1 && matches!(near.mismatches[0], Mismatch::Selector(_)) => {
            Some(miss(case, claim, near, &near.mismatches[0], &ranked[1..]))
        }
        _ => Some(
            Finding::new(
                "NFS109",
                claim.object(),
                format!(
                    "the claim has a selector, which class {} can't honour",
                    matching::class(claim)
                ),
            )
            .seen(format!("spec.selector of {}", claim.object().title()), "set")
            .all_seen(case.last_word(&claim.object()))
            .suggest(
                recreate_claim(claim, &json!({"spec": {"selector": null}})),
                "the claim is made again without its selector; it is Pending and holds nothing",
            ),
        ),
    }
}

/// Whether a claim got a default class of other storage, and this PV without a class was meant: it has exactly the claim's
/// size, and the access mode that other storage hardly has.
fn got_default_instead(case: &Case<'_>, claim: &Claim, volume: &Volume) -> bool {
    let default = case.facts.default_class();
    let is_default = default.is_some_and(|class| claim.class.as_deref() == Some(&class.name));
    let is_shared = claim.wish.modes.iter().any(|mode| mode == "ReadWriteMany");
    let is_free = volume.claim.is_none() && volume.class.is_empty();
    is_default
        && case.is_other_storage(claim)
        && is_shared
        && is_free
        && volume.capacity == Some(claim.wish.bytes)
        && matching::compare(claim, volume) == [Mismatch::Class]
}

/// One PV that would fit but for one thing.
fn miss(case: &Case<'_>, claim: &Claim, near: &Near<'_>, mismatch: &Mismatch, others: &[Near<'_>]) -> Finding {
    let volume = near.volume;
    let code = match mismatch {
        Mismatch::Class => "NFS106",
        Mismatch::Size => "NFS107",
        Mismatch::Modes(_) => "NFS108",
        Mismatch::Selector(_) => "NFS109",
        Mismatch::VolumeMode => "NFS110",
        Mismatch::Terminating => "NFS111",
        Mismatch::Claimed | Mismatch::OtherUid => "NFS113",
        Mismatch::Released if !claim.volume.is_empty() => "NFS113",
        Mismatch::Released => "NFS114",
        Mismatch::Phase => "NFS102",
    };
    let said = case.events(&claim.object()).iter().find(|event| {
        event.message.contains(&volume.name) || matches!(event.reason.as_str(), "FailedBinding" | "VolumeMismatch")
    });
    let finding = Finding::new(code, claim.object(), matching::explain(near, claim))
        .seen(
            format!("{} against {}", claim.object().title(), volume.object().title()),
            matching::describe(mismatch, claim, volume),
        )
        .all_seen(misses(claim, others))
        .all_seen(said.map(|event| super::said(event)));
    with_fix(claim, volume, mismatch, finding)
}

fn with_fix(claim: &Claim, volume: &Volume, mismatch: &Mismatch, finding: Finding) -> Finding {
    const HOLDS_NOTHING: &str = "the claim is Pending and holds nothing";
    let another = |finding: Finding| {
        let (command, note) = create_new_volume(claim, &format!("{}-{}", claim.namespace, claim.name));
        finding.suggest(command, note)
    };
    // The fixes below are for NFS only, which enforces no size, has all access modes and `nfsprov release`.
    if !volume.is_nfs() {
        return finding.advise(OTHER_STORAGE);
    }
    let merge = |patch| Change::Merge {
        object: volume.object(),
        patch,
    };
    match mismatch {
        Mismatch::Class => finding.suggest(
            recreate_claim(claim, &json!({"spec": {"storageClassName": volume.class}})),
            format!("the claim gets the PV's class; {HOLDS_NOTHING}"),
        ),
        Mismatch::Size => finding.fixed_by(
            merge(json!({"spec": {"capacity": {"storage": crate::doctor::quantity::print(claim.wish.bytes)}}})),
            "if the export has the room: NFS does not enforce sizes",
        ),
        Mismatch::Modes(lacking) => {
            let modes: Vec<_> = volume.modes.iter().chain(lacking).collect();
            finding.fixed_by(
                merge(json!({"spec": {"accessModes": modes}})),
                "NFS can do all access modes; the PV has to list them",
            )
        }
        Mismatch::Selector(unmet) => {
            let labels: Vec<_> = unmet.iter().filter_map(|unmet| label(unmet)).collect();
            match labels.len() == unmet.len() {
                true => {
                    let object = volume.object();
                    finding.fixed_by(Change::Label { object, labels }, "")
                }
                false => finding.suggest(
                    recreate_claim(claim, &json!({"spec": {"selector": null}})),
                    format!("the claim is made again without its selector; {HOLDS_NOTHING}"),
                ),
            }
        }
        Mismatch::VolumeMode => finding.suggest(
            recreate_claim(claim, &json!({"spec": {"volumeMode": volume.volume_mode}})),
            format!("NFS holds files, not blocks; {HOLDS_NOTHING}"),
        ),
        Mismatch::OtherUid => finding.fixed_by(
            merge(json!({"spec": {"claimRef": {"uid": null, "resourceVersion": null}}})),
            "the claim gets the PV, and the data that the earlier claim of its name left in it",
        ),
        Mismatch::Claimed | Mismatch::Released if !claim.volume.is_empty() => finding.suggest(
            recreate_claim(claim, &json!({"spec": {"volumeName": null}})),
            format!("the claim may have any PV that fits; {HOLDS_NOTHING}"),
        ),
        Mismatch::Released => finding.suggest(
            format!("nfsprov release {} --keep-data", word(&volume.name)),
            "the next claim that fits sees the data that is in the volume; --scrub empties it first",
        ),
        Mismatch::Terminating | Mismatch::Claimed | Mismatch::Phase => another(finding),
    }
}

/// The label that meets a requirement; no value where it must not be there.
fn label(unmet: &str) -> Option<(String, Option<String>)> {
    if let Some(key) = unmet.strip_prefix('!') {
        return Some((key.to_owned(), None));
    }
    if let Some((key, values)) = unmet.split_once(" in (") {
        let first = values.trim_end_matches(')').split(',').next()?;
        return Some((key.to_owned(), Some(first.to_owned())));
    }
    if let Some((key, _)) = unmet.split_once(" notin (") {
        return Some((key.to_owned(), None));
    }
    let (key, value) = unmet.split_once('=').unwrap_or((unmet, ""));
    Some((key.to_owned(), Some(value.to_owned())))
}
