//! A claim's class: NFS101, NFS103, NFS104, NFS105 (PURE).

use serde_json::Value;

use super::commands::{
    CLASS, DEFAULT_ANNOTATION, choose_class_command, create_class_command, create_volume_fix, mark_default_command,
    recreate_claim_command, recreate_class_command, unmark_default_command,
};
use super::{View, matches, sets};
use crate::cluster::provisioners;
use crate::cluster::snapshot::{Claim, Class};
use crate::doctor::entry::entries;
use crate::doctor::matching;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::names::{find_closest, list_names};
use crate::doctor::{Finding, Severity};
use crate::provisioner::DEFAULT_NAME;
use crate::shell::shell_word;

/// The first version that gives waiting claims a default class that came later.
const RETROACTIVE: u32 = 26;

/// The provisioner of classes for static PVs.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// The name of the class that is proposed where there is none.
const PROPOSED: &str = "nfs";

entries! {
    "NFS101" Error [CLAIMS, VOLUMES, CLASSES] "no class, and no default class",
        "The claim names no class, the cluster has no default class, and no PV without a class fits. Mark a class as the default. Up to Kubernetes 1.25 a claim gets the default class only when it is created, so it has to be deleted and created again; from 1.26 on it gets it later, too.";
    "NFS103" Error [CLAIMS, VOLUMES, CLASSES] "class doesn't exist",
        "The claim names a class that no StorageClass describes and that no PV has. Either the name is misspelt, or the class was never created.";
    "NFS104" Error [CLAIMS, VOLUMES, CLASSES] "the class' provisioner creates no volumes",
        "kubernetes.io/nfs never existed as a provisioner: Kubernetes can mount NFS, but can't provision volumes on it. kubernetes.io/no-provisioner is for PVs that are created by hand, of local storage or NFS, and none exists. A class' provisioner can't be edited: the class has to be deleted and created again, which does not affect existing volumes.";
    "NFS105" Warning [CLASSES] "two default classes",
        "Kubernetes up to 1.25 refuses claims without a class while two classes are the default; newer versions take the newest. K3s marks its local-path again at every restart, unless it is started with --disable local-storage.";
}

/// NFS105; the others only if both classes and PVs were read. Claims that name a PV are left out.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = find_two_default_classes(view).into_iter().collect();
    if view.cluster.was_read("storageclasses") && view.cluster.was_read("persistentvolumes") {
        let claims = view.pending_claims().filter(|claim| claim.volume.is_empty());
        found.extend(claims.filter_map(|claim| find_missing_class(view, claim)));
        let classes = &view.cluster.classes;
        found.extend(classes.iter().filter_map(|class| find_useless_class(view, class)));
    }
    found
}

/// For a Pending claim without a class NFS101, unless it still gets one or a PV fits; for one that names a class NFS103
/// if the class doesn't exist, no PV has it, and not all volumes are static. The class "" counts as existing.
fn find_missing_class(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let Some(name) = &claim.class else {
        return find_claim_without_class(view, claim);
    };
    if name.is_empty() || view.cluster.find_class(name).is_some() {
        return None;
    }
    if let Some(provisioner) = view.find_provisioner_of_lost_class(name) {
        return Some(describe_deleted_class(view, claim, name, provisioner));
    }
    let is_static = view.has_volumes(name) || view.has_only_static_volumes;
    (!is_static).then(|| describe_missing_class(view, claim, name))
}

/// NFS103: the class was deleted, whose PVs a provisioner created.
fn describe_deleted_class(view: &View<'_>, claim: &Claim, name: &str, provisioner: &str) -> Finding {
    let cause = format!("the claim's class {name} was deleted; provisioner {provisioner} created its PVs");
    Finding::new("NFS103", claim.object(), cause)
        .with_field("spec.storageClassName", name)
        .with_all_evidence(view.last_event(&claim.object()))
        .with_same_cause(name)
        .with_command(
            create_class_command(name, provisioner),
            "with the options that the class had before (reclaimPolicy, parameters, mountOptions)",
        )
}

/// NFS101, unless the default class will still be given to the claim (Kubernetes 1.26 or later) or a PV fits. If all
/// volumes are static, the finding about the PV that nearly fits, if there is one.
fn find_claim_without_class(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let is_retroactive = view.cluster.minor_version().is_some_and(|minor| minor >= RETROACTIVE);
    let default = view.cluster.default_class();
    if default.is_some() && is_retroactive {
        return None;
    }
    let ranked = view.rank_volumes_for(claim);
    if ranked.first().is_some_and(|candidate| candidate.mismatches.is_empty()) {
        return None;
    }
    // If all volumes are static, a PV was meant, not a class.
    if view.has_only_static_volumes
        && let Some(finding) = matches::find_near_miss(view, claim, &ranked)
    {
        return Some(finding);
    }
    let near_misses = matches::near_miss_evidence("PVs without a class", claim, &ranked);
    let finding = |cause: String| {
        Finding::new("NFS101", claim.object(), cause)
            .with_same_cause("")
            .with_field("spec.storageClassName", "not set")
            .with_all_evidence(view.last_event(&claim.object()))
            .with_all_evidence(near_misses)
    };
    let recreation = recreate_claim_command(claim, &Value::Null);
    if let Some(default) = default {
        let cause = format!(
            "the claim names no class, and was created before {} became the default; Kubernetes before 1.26 does not change such claims",
            default.name
        );
        return Some(finding(cause).with_command(recreation, "the claim is Pending and has no data"));
    }
    let cause = "the claim names no class, and the cluster has no default class".to_owned();
    let classes = view.cluster.classes.iter();
    // A provisioner can't create the volume that its own pod waits for.
    let users = view.pods_using(claim);
    let waits_for_claim = |class: &Class| {
        let mut all = view
            .provisioners
            .iter()
            .filter(|one| one.name == Some(&class.provisioner));
        all.any(|one| users.iter().any(|pod| one.workload.owns(pod)))
    };
    let able = classes.filter(|class| provisioners::creates_volumes(class) && !waits_for_claim(class));
    let names: Vec<&str> = able.map(|class| class.name.as_str()).collect();
    if names.is_empty() && view.cluster.find_class(PROPOSED).is_some() {
        let name = format!("{}-{}", claim.namespace, claim.name);
        return Some(finding(cause).with_fix(create_volume_fix(claim, &name)));
    }
    let (marking, note) = match names.as_slice() {
        [] => (
            format!("nfsprov create storageclass {PROPOSED} --default --apply"),
            "the class needs a provisioner: nfsprov provision --watch, or nfsprov create provisioner".to_owned(),
        ),
        [only] => (
            mark_default_command(only),
            format!("claims that name no class get {only} from then on"),
        ),
        many => (
            mark_default_command(CLASS),
            format!(
                "put the class that is to be the default in place of {CLASS}: one of {}",
                list_names(many)
            ),
        ),
    };
    let command = match is_retroactive {
        true => marking,
        false => format!("{marking} && {recreation}"),
    };
    Some(finding(cause).with_command(command, note))
}

/// NFS103, with the class that may be meant and a command that chooses another one; without classes, one that creates
/// it.
fn describe_missing_class(view: &View<'_>, claim: &Claim, name: &str) -> Finding {
    let known: Vec<&str> = view.cluster.classes.iter().map(|class| class.name.as_str()).collect();
    let cause = format!("the claim's class {name} doesn't exist");
    let finding = Finding::new("NFS103", claim.object(), cause)
        .with_field("spec.storageClassName", name)
        .with_evidence("StorageClasses", list_names(&known))
        .with_all_evidence(view.last_event(&claim.object()))
        .with_same_cause(name);
    if known.is_empty() {
        let command = format!("nfsprov create storageclass {} --apply", shell_word(name));
        return finding.with_command(command, "creates the class, for nfsprov's own provisioner");
    }
    let meant = match find_closest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}? "),
        None => String::new(),
    };
    // Without a change of its template a StatefulSet names the class again.
    let set = match sets::find_set_of(view, claim) {
        Some(set) => format!("; it stands in the claim template of {}", set.object().title()),
        None => String::new(),
    };
    let ranked = view.rank_volumes_for(claim);
    let nearest = ranked
        .iter()
        .find(|candidate| candidate.volume.is_nfs() && candidate.mismatches.len() == 1);
    let near_miss = match nearest {
        Some(candidate) => format!("; {}", matching::describe_near_miss(candidate, claim)),
        None => String::new(),
    };
    finding.with_command(
        choose_class_command(claim),
        format!(
            "{meant}put the class that is meant in place of {CLASS}, or create class {name}{set}; the claim is Pending and has no data{near_miss}"
        ),
    )
}

/// NFS104: claims need a volume now of a class whose provisioner creates none, and no PV has the class.
fn find_useless_class(view: &View<'_>, class: &Class) -> Option<Finding> {
    if provisioners::creates_volumes(class) || view.has_volumes(&class.name) {
        return None;
    }
    let is_of_class = |claim: &&Claim| claim.volume.is_empty() && claim.class.as_deref() == Some(class.name.as_str());
    // A claim that may still wait for its first pod needs nothing yet.
    let needs_volume =
        |claim: &&Claim| !class.waits_for_first_consumer || claim.node_selected || !view.pods_using(claim).is_empty();
    let claims: Vec<&Claim> = view.pending_claims().filter(is_of_class).filter(needs_volume).collect();
    let first = claims.first()?;
    let finding = |cause: String| {
        Finding::new("NFS104", class.object(), cause)
            .with_field("provisioner", &class.provisioner)
            .with_all_evidence(view.last_event(&first.object()))
            .with_affected(claims.iter().map(|claim| claim.object()))
    };
    if class.provisioner == NO_PROVISIONER {
        let cause = format!(
            "class {} is for PVs that are created by hand, and none exists",
            class.name
        );
        // Such a class is local storage as often as NFS, so no NFS volume is proposed for it.
        return Some(
            finding(cause).with_advice(
                "create a PV of that class, or create the claim again with a class whose provisioner runs",
            ),
        );
    }
    let finding = finding(format!("{} is no provisioner that creates volumes", class.provisioner));
    let provisioner = match provisioners::names_not_scaled_to_zero(view.cluster).as_slice() {
        [] => DEFAULT_NAME,
        [only] => only,
        many => {
            return Some(finding.with_advice(format!(
                "a class' provisioner can't be edited: create the class again for the provisioner that is meant, one of {}",
                list_names(many)
            )));
        }
    };
    Some(finding.with_command(
        recreate_class_command(class, provisioner),
        format!(
            "a class' provisioner can't be edited; the class is created again for {provisioner}; existing volumes are not affected"
        ),
    ))
}

/// NFS105 about the oldest of several default classes: an error where Kubernetes refuses claims because of it (before
/// 1.26, or if the version is unknown), else a warning. The fix unmarks all but the newest.
fn find_two_default_classes(view: &View<'_>) -> Option<Finding> {
    let mut marked: Vec<&Class> = view.cluster.classes.iter().filter(|class| class.default).collect();
    marked.sort_by_key(|class| (class.created, &class.name));
    let newest = marked.pop()?;
    let oldest = marked.first()?;
    let names: Vec<&str> = marked.iter().map(|class| class.name.as_str()).collect();
    let is_old = view.cluster.minor_version().is_none_or(|minor| minor < RETROACTIVE);
    let (severity, effect) = match is_old {
        true => (Severity::Error, "claims that name no class are refused".to_owned()),
        false => (Severity::Warning, format!("the newest, {}, is used", newest.name)),
    };
    let k3s = match names.contains(&"local-path") {
        true => "; K3s marks local-path again at every restart, unless started with --disable local-storage",
        false => "",
    };
    let others = if names.len() == 1 { "" } else { " and others" };
    let mut events = view.cluster.events.iter().rev();
    let refusal = events.find(|event| messages::is_message_of("NFS105", MessageKind::Creation, &event.message));
    let cause = format!(
        "{}{others} and {} are both the default class: {effect}",
        oldest.name, newest.name
    );
    Some(
        Finding::new("NFS105", oldest.object(), cause)
            .with_severity(severity)
            .with_evidence(
                format!("annotation {DEFAULT_ANNOTATION}"),
                format!("true on {}, {}", names.join(", "), newest.name),
            )
            .with_all_evidence(refusal.map(|event| event.evidence()))
            .with_command(
                unmark_default_command(&names),
                format!("keeps {}, the newest{k3s}", newest.name),
            ),
    )
}
