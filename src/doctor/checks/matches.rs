//! Claims that get no PV because none fits: NFS102, NFS106 to NFS114 (PURE).

use kube::core::Expression;
use serde_json::json;

use super::commands::{create_volume_fix, recreate_claim_command};
use super::{Evidence, View};
use crate::change::Change;
use crate::cluster::provisioners;
use crate::cluster::quantity;
use crate::cluster::snapshot::{Claim, Volume};
use crate::doctor::entry::entries;
use crate::doctor::matching::{self, Candidate, Mismatch};
use crate::doctor::names::find_closest;
use crate::doctor::{Finding, Fix};
use crate::shell::shell_word;

/// How many near misses are shown.
const SHOWN: usize = 3;

/// The fix where the PV, or every PV of the class, is of other storage.
const OTHER_STORAGE: &str = "this is not NFS: change the claim, or the PV in the way that its own storage allows";

entries! {
    "NFS102" Error [CLAIMS, VOLUMES, CLASSES] "no PV fits",
        "Only a PV that is created by hand can serve the claim: it has the class \"\", or one that no StorageClass object describes. No PV fits in all fields at once. The evidence lists the PVs that almost fit. An event may name a missing StorageClass; that is misleading, since static PVs need none.";
    "NFS106" Error [CLAIMS, VOLUMES, CLASSES] "claim and PV differ in class",
        "A claim that names no class gets the default class when it is created, and then no longer fits the PV that was created for it. A claim for a PV without a class needs storageClassName: \"\".";
    "NFS107" Error [CLAIMS, VOLUMES, CLASSES] "the PV is too small",
        "A claim gets a PV of at least its size. NFS does not enforce sizes, so the PV's capacity can be raised if the export has enough space.";
    "NFS108" Error [CLAIMS, VOLUMES, CLASSES] "access modes don't fit",
        "A PV must list every access mode that the claim asks for. NFS supports all modes, so the PV's list can be extended.";
    "NFS109" Error [CLAIMS, VOLUMES, CLASSES] "selector doesn't match" automatic,
        "The claim has a selector, and the PV lacks the labels. Provisioners refuse every claim with a selector.";
    "NFS110" Error [CLAIMS, VOLUMES, CLASSES] "volumeMode differs",
        "NFS stores files, not blocks, so it can't serve a claim with volumeMode: Block.";
    "NFS111" Error [CLAIMS, VOLUMES, CLASSES] "the PV is being deleted",
        "A PV that is being deleted is not bound to a claim, even while a finalizer keeps it. Create another PV with its own directory. A PV for the same directory shows the same data, so check first which pods still use it.";
    "NFS112" Error [CLAIMS, VOLUMES, CLASSES] "the claim names a PV that doesn't exist",
        "spec.volumeName binds a claim to one PV. While no PV has that name, the claim waits without an event.";
    "NFS113" Error [CLAIMS, VOLUMES, CLASSES] "the PV is another claim's",
        "A PV's claimRef names its claim: another one, or an earlier claim of the same name, which had another uid.";
    "NFS114" Error [CLAIMS, VOLUMES, CLASSES] "only Released PVs fit",
        "A PV whose claim was deleted stays Released until an administrator decides about its data. nfsprov release makes it Available again.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    if !view.cluster.was_read("persistentvolumes") || !view.cluster.was_read("storageclasses") {
        return Vec::new();
    }
    let claims = view.pending_claims();
    claims.filter_map(|claim| find_mismatch(view, claim)).collect()
}

/// Why a claim gets no PV. `None` if one fits, if the claim's class provisions volumes and no static PV was meant, or
/// if other checks report its class.
fn find_mismatch(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    if !claim.volume.is_empty() {
        let Some(volume) = view.find_volume(&claim.volume) else {
            return Some(describe_missing_volume(view, claim));
        };
        return find_first_mismatch(view, claim, volume);
    }
    let name = claim.class.as_deref()?;
    let Some(class) = view.cluster.find_class(name) else {
        // A class that nothing has is a matter of its own.
        let is_static = name.is_empty() || view.has_volumes(name) || view.has_only_static_volumes;
        let is_static = is_static && view.find_provisioner_of_lost_class(name).is_none();
        return is_static.then(|| find_static_mismatch(view, claim))?;
    };
    if !provisioners::creates_volumes(class) {
        let is_early = class.waits_for_first_consumer && !claim.node_selected && view.pods_using(claim).is_empty();
        return (!is_early && view.has_volumes(name)).then(|| find_static_mismatch(view, claim))?;
    }
    find_dynamic_mismatch(view, claim)
}

/// The finding for the first mismatch between a claim and the PV that is meant for it; `None` if the PV fits.
fn find_first_mismatch(view: &View<'_>, claim: &Claim, volume: &Volume) -> Option<Finding> {
    let mismatches = matching::find_mismatches(claim, volume);
    (!mismatches.is_empty()).then(|| describe_mismatch(view, claim, &Candidate { volume, mismatches }, &[]))
}

/// NFS112: the claim names a PV that doesn't exist; the fix names a free NFS PV of a similar name, or creates the PV.
fn describe_missing_volume(view: &View<'_>, claim: &Claim) -> Finding {
    let cause = format!("the claim wants PV {}, which doesn't exist", claim.volume);
    let finding = Finding::new("NFS112", claim.object(), cause)
        .with_field("spec.volumeName", &claim.volume)
        .with_evidence(
            "PersistentVolumes",
            format!("none called {}; Kubernetes writes no event about it", claim.volume),
        );
    let is_free = |volume: &&&Volume| volume.claim.is_none() && volume.is_nfs();
    let free = view.unbound.iter().filter(is_free).map(|volume| volume.name.as_str());
    if let Some(meant) = find_closest(&claim.volume, free) {
        return finding.with_advice(format!(
            "did you mean {meant}? Then create the claim again with that volumeName: it is Pending and has no data"
        ));
    }
    finding.with_fix(create_volume_fix(claim, &claim.volume))
}

/// Why no static PV fits a claim that can only have one: the near miss, or NFS102. `None` if one fits, which is then
/// still to be bound.
fn find_static_mismatch(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let ranked = view.rank_volumes_for(claim);
    // The controller manager has not come round yet.
    if ranked.first().is_some_and(|candidate| candidate.mismatches.is_empty()) {
        return None;
    }
    let (nfs, others): (Vec<Candidate<'_>>, Vec<Candidate<'_>>) =
        ranked.into_iter().partition(|candidate| candidate.volume.is_nfs());
    if let Some(finding) = find_near_miss(view, claim, &nfs) {
        return Some(finding);
    }
    if !view.may_be_nfs(matching::class_of(claim)) {
        return Some(describe_no_fit(view, claim, &others).with_advice(OTHER_STORAGE));
    }
    Some(describe_no_fit(view, claim, &nfs).with_fix(create_another_volume_fix(claim)))
}

/// The finding for the first of the PVs, which are ranked, nearest first: `None` unless it is an NFS PV with a single
/// mismatch and was probably meant for the claim.
pub fn find_near_miss(view: &View<'_>, claim: &Claim, ranked: &[Candidate<'_>]) -> Option<Finding> {
    let candidate = ranked.first()?;
    let is_near = candidate.volume.is_nfs() && candidate.mismatches.len() == 1 && is_meant(candidate, claim);
    is_near.then(|| describe_mismatch(view, claim, candidate, &ranked[1..]))
}

/// Whether a PV with a single mismatch was probably meant for the claim. Another class counts only if the PV is
/// reserved, since many PVs differ in it; another claim's PV only in the same class; the phase never. The caller has
/// checked that there is one mismatch.
fn is_meant(candidate: &Candidate<'_>, claim: &Claim) -> bool {
    match candidate.mismatches[0] {
        Mismatch::Class => candidate.volume.claim.is_some(),
        Mismatch::Phase => false,
        Mismatch::Claimed => candidate.volume.class == matching::class_of(claim),
        _ => true,
    }
}

/// NFS102, without a fix: no static PV fits; the nearest of `ranked` are evidence.
fn describe_no_fit(view: &View<'_>, claim: &Claim, ranked: &[Candidate<'_>]) -> Finding {
    let class = match matching::class_of(claim) {
        "" => "without a class".to_owned(),
        class => format!("of class {class}"),
    };
    let unbound = view.unbound.len();
    let bound = view.cluster.volumes.len() - unbound;
    let cause = format!("the claim needs a static PV {class}, and none fits");
    Finding::new("NFS102", claim.object(), cause)
        .with_all_evidence(near_miss_evidence("near miss", claim, ranked))
        .with_evidence("PersistentVolumes", format!("{unbound} not bound, {bound} bound"))
        .with_all_evidence(view.last_event(&claim.object()))
}

/// The first three of the ranked PVs as evidence from `source`.
pub fn near_miss_evidence<'a>(
    source: &'a str,
    claim: &'a Claim,
    ranked: &'a [Candidate<'_>],
) -> impl Iterator<Item = Evidence> + 'a {
    let nearest = ranked.iter().take(SHOWN);
    nearest.map(move |candidate| Evidence::new(source, matching::describe_near_miss(candidate, claim)))
}

/// Why a claim whose class provisions volumes does not get the static PV that may have been meant for it; NFS109 if its
/// selector excludes provisioning. `None` without such a PV and selector, or if a PV fits.
fn find_dynamic_mismatch(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let selector = &claim.requirements.selector;
    let is_selected = |volume: &&&Volume| {
        !selector.is_empty()
            && volume.claim.is_none()
            && matching::unmet_requirements(selector, &volume.labels).is_empty()
    };
    let is_static = |volume: &&&Volume| volume.provisioned_by.is_none() && volume.is_nfs();
    let reserved = view.volumes_reserved_for(claim).iter().find(is_static);
    let static_volumes = || view.representatives.iter().filter(is_static);
    let volume = reserved
        .or_else(|| static_volumes().find(is_selected))
        .or_else(|| static_volumes().find(|volume| got_default_instead(view, claim, volume)));
    if let Some(volume) = volume {
        return find_first_mismatch(view, claim, volume);
    }
    if selector.is_empty() {
        return None;
    }
    // A label would do if a PV of this class fits otherwise.
    let mut ranked = view.rank_volumes_for(claim);
    if ranked.first().is_some_and(|candidate| candidate.mismatches.is_empty()) {
        return None;
    }
    ranked.retain(|candidate| candidate.volume.is_nfs());
    if let Some(candidate) = ranked.first()
        && let [Mismatch::Selector(_)] = candidate.mismatches.as_slice()
    {
        return Some(describe_mismatch(view, claim, candidate, &ranked[1..]));
    }
    let class = matching::class_of(claim);
    let cause = format!("the claim has a selector, which class {class} can't honour");
    Some(
        Finding::new("NFS109", claim.object(), cause)
            .with_field("spec.selector", "set")
            .with_all_evidence(view.last_event(&claim.object()))
            .with_command(
                recreate_claim_command(claim, &json!({"spec": {"selector": null}})),
                "the claim is created again without its selector; it is Pending and has no data",
            ),
    )
}

/// Whether a PV without a class was probably meant for a claim that got a default class of other storage: the PV is
/// reserved for no claim, fits but for its class and has exactly the claim's size, and the claim asks for
/// ReadWriteMany, which other storage rarely has.
fn got_default_instead(view: &View<'_>, claim: &Claim, volume: &Volume) -> bool {
    let default = view.cluster.default_class();
    let is_default = default.is_some_and(|class| claim.class.as_deref() == Some(&class.name));
    let is_shared = claim.requirements.modes.iter().any(|mode| mode == "ReadWriteMany");
    let is_free = volume.claim.is_none() && volume.class.is_empty();
    is_default
        && view.is_known_other_storage(claim)
        && is_shared
        && is_free
        && volume.capacity == Some(claim.requirements.bytes)
        && matching::find_mismatches(claim, volume) == [Mismatch::Class]
}

/// The finding for a PV that doesn't fit. The kind of its first mismatch, of which there must be one, decides its code:
/// NFS102, NFS106 to NFS111, NFS113 or NFS114. `others` are ranked PVs that become evidence.
fn describe_mismatch(view: &View<'_>, claim: &Claim, candidate: &Candidate<'_>, others: &[Candidate<'_>]) -> Finding {
    let (volume, mismatch) = (candidate.volume, &candidate.mismatches[0]);
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
    let event = view.events_about(&claim.object()).iter().find(|event| {
        event.message.contains(&volume.name) || matches!(event.reason.as_str(), "FailedBinding" | "VolumeMismatch")
    });
    let finding = Finding::new(code, claim.object(), matching::describe_near_miss(candidate, claim))
        .with_evidence(
            format!("{} against {}", claim.object().title(), volume.object().title()),
            matching::describe_mismatch(mismatch, claim, volume),
        )
        .with_all_evidence(near_miss_evidence("near miss", claim, others))
        .with_all_evidence(event.map(|event| event.evidence()));
    add_fix_for_mismatch(claim, volume, mismatch, finding)
}

/// Adds the fix for a mismatch: a change of the PV, or a command; only advice if the PV is no NFS volume.
fn add_fix_for_mismatch(claim: &Claim, volume: &Volume, mismatch: &Mismatch, finding: Finding) -> Finding {
    const HAS_NO_DATA: &str = "the claim is Pending and has no data";
    // The fixes below are for NFS only, which enforces no size, has all access modes and `nfsprov release`.
    if !volume.is_nfs() {
        return finding.with_advice(OTHER_STORAGE);
    }
    let merge = |patch| Change::Merge {
        object: volume.object(),
        patch,
    };
    // A claimRef without a name reserves the PV for no claim at all.
    let is_for_nobody = |claim: &Claim| {
        let mut reference = volume.claim.iter();
        reference.any(|of| of.name.is_empty() && (of.namespace.is_empty() || of.namespace == claim.namespace))
    };
    match mismatch {
        Mismatch::Class => finding.with_command(
            recreate_claim_command(claim, &json!({"spec": {"storageClassName": volume.class}})),
            format!("the claim gets the PV's class; {HAS_NO_DATA}"),
        ),
        Mismatch::Size => finding.with_change(
            merge(json!({"spec": {"capacity": {"storage": quantity::format_bytes(claim.requirements.bytes)}}})),
            "if the export has enough space: NFS does not enforce sizes",
        ),
        Mismatch::Modes(lacking) => {
            let modes: Vec<_> = volume.modes.iter().chain(lacking).collect();
            finding.with_change(
                merge(json!({"spec": {"accessModes": modes}})),
                "NFS supports all access modes; the PV has to list them",
            )
        }
        Mismatch::Selector(unmet) => {
            let (object, labels) = (volume.object(), unmet.iter().map(label_for).collect());
            finding.with_change(Change::Label { object, labels }, "")
        }
        Mismatch::VolumeMode => finding.with_command(
            recreate_claim_command(claim, &json!({"spec": {"volumeMode": volume.volume_mode}})),
            format!("NFS stores files, not blocks; {HAS_NO_DATA}"),
        ),
        Mismatch::Claimed if is_for_nobody(claim) => finding.with_change(
            merge(json!({"spec": {"claimRef": {"namespace": claim.namespace, "name": claim.name}}})),
            "the PV's claimRef names no claim; it then names this one",
        ),
        Mismatch::OtherUid => finding.with_change(
            merge(json!({"spec": {"claimRef": {"uid": null, "resourceVersion": null}}})),
            "the claim gets the PV with the data of the earlier claim of the same name",
        ),
        Mismatch::Claimed | Mismatch::Released if !claim.volume.is_empty() => finding.with_command(
            recreate_claim_command(claim, &json!({"spec": {"volumeName": null}})),
            format!(
                "the claim then gets another PV that fits, not the data of {}; {HAS_NO_DATA}",
                volume.name
            ),
        ),
        Mismatch::Released => finding.with_command(
            format!("nfsprov release {} --keep-data", shell_word(&volume.name)),
            "the next claim that fits sees the data that is in the volume; --scrub empties it first",
        ),
        Mismatch::Terminating | Mismatch::Claimed | Mismatch::Phase => {
            finding.with_fix(create_another_volume_fix(claim))
        }
    }
}

/// The fix that creates a new PV for a claim, with a name that is made from the claim's.
fn create_another_volume_fix(claim: &Claim) -> Fix {
    create_volume_fix(claim, &format!("{}-{}", claim.namespace, claim.name))
}

/// The label that meets a selector's requirement: the key, and its value or `None` if it must be absent. Of several
/// values it is the first; where any value will do, it is empty.
fn label_for(requirement: &Expression) -> (String, Option<String>) {
    let (key, value) = match requirement {
        Expression::Equal(key, value) => (key, Some(value.clone())),
        Expression::In(key, values) => (key, Some(values.first().cloned().unwrap_or_default())),
        Expression::Exists(key) => (key, Some(String::new())),
        Expression::NotIn(key, _) | Expression::NotEqual(key, _) | Expression::DoesNotExist(key) => (key, None),
    };
    (key.clone(), value)
}
