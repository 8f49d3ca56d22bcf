//! A claim's class: NFS101, NFS103, NFS104, NFS105 (PURE).

use serde_json::Value;

use super::commands::{CLASS, MARK, choose_class, mark_default, recreate_claim, recreate_class, unmark_default};
use super::{Case, matches};
use crate::doctor::Severity::{Error, Warning};
use crate::doctor::explain::{CLAIMS, CLASSES, Entry, VOLUMES, entry};
use crate::doctor::facts::{Claim, Class};
use crate::doctor::names::{closest, some, word};
use crate::doctor::provisioners;
use crate::doctor::{Confidence, Finding, Severity, matching};
use crate::provisioner::DEFAULT_NAME;

/// The first version that gives waiting claims a default class that came later.
const RETROACTIVE: u32 = 26;

/// The provisioner of classes whose PVs are made by hand.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS101",
        Error,
        &[CLAIMS, VOLUMES, CLASSES],
        "no class, and no default class",
        "The claim names no class, the cluster has no default class, and no PV without a class fits. Mark a class as the default. Up to Kubernetes 1.25 a claim gets the default class only when it is created, so it has to be deleted and created again; from 1.26 on it gets it later, too.",
    ),
    entry(
        "NFS103",
        Error,
        &[CLAIMS, VOLUMES, CLASSES],
        "class doesn't exist",
        "The claim names a class that no StorageClass describes and that no PV has. Either the name has a slip, or the class was never made.",
    ),
    entry(
        "NFS104",
        Error,
        &[CLAIMS, VOLUMES, CLASSES],
        "the class' provisioner makes no volumes",
        "kubernetes.io/nfs never existed as a provisioner: Kubernetes can mount NFS and can't make volumes on it. kubernetes.io/no-provisioner is for PVs made by hand, of local storage as often as of NFS, and there are none. A class' provisioner can't be edited: the class has to be deleted and created again, which touches no volume.",
    ),
    entry(
        "NFS105",
        Warning,
        &[CLASSES],
        "two default classes",
        "Kubernetes up to 1.25 refuses claims without a class while two classes are the default; newer versions take the newest. K3s marks its local-path again at every restart, unless it is started with --disable local-storage.",
    ),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = defaults(case).into_iter().collect();
    if case.facts.knows("storageclasses") && case.facts.knows("persistentvolumes") {
        let waiting = case
            .facts
            .claims
            .iter()
            .filter(|claim| claim.pending() && claim.volume.is_empty());
        found.extend(waiting.filter_map(|claim| claim_class(case, claim)));
        found.extend(case.facts.classes.iter().filter_map(|class| impossible(case, class)));
    }
    found
}

/// Whether a class that claims wait for has a provisioner that makes no volumes and no PV by hand either.
pub fn makes_nothing(class: &Class) -> bool {
    class.provisioner.starts_with("kubernetes.io/") && !provisioners::is_in_tree(&class.provisioner)
}

fn claim_class(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    match &claim.class {
        None => unclassed(case, claim),
        Some(name) if name.is_empty() || case.facts.class(name).is_some() || case.has_volumes(name) => None,
        Some(name) => {
            // With no class and no provisioner at all, volumes are made by hand here.
            let by_hand = case.facts.classes.is_empty() && case.provisioners.is_empty();
            (!by_hand).then(|| missing(case, claim, name))
        }
    }
}

fn unclassed(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let retroactive = case.facts.minor().is_some_and(|minor| minor >= RETROACTIVE);
    let default = case.facts.default_class();
    if default.is_some() && retroactive {
        return None;
    }
    let ranked = case.ranked(claim);
    if ranked.first().is_some_and(|near| near.mismatches.is_empty()) {
        return None;
    }
    // Where volumes are made by hand, a PV was meant, not a class.
    if case.facts.classes.is_empty()
        && case.provisioners.is_empty()
        && let Some(finding) = matches::near_miss(case, claim, &ranked)
    {
        return Some(finding);
    }
    let again = recreate_claim(claim, &Value::Null);
    let finding = |cause: String| {
        Finding::new("NFS101", claim.object(), cause)
            .alike("")
            .seen(
                format!("spec.storageClassName of {}", claim.object().title()),
                "not set",
            )
            .all_seen(case.last_word(&claim.object()))
            .all_seen(ranked.iter().take(3).map(|near| super::Evidence {
                source: "PVs without a class".to_owned(),
                text: matching::explain(near, claim),
            }))
    };
    if let Some(default) = default {
        let cause = format!(
            "the claim names no class, and was made before {} became the default; Kubernetes {} does not make up for that",
            default.name, case.facts.version
        );
        return Some(finding(cause).suggest(again, "the claim is Pending and holds nothing"));
    }
    let cause = "the claim names no class, and the cluster has no default class";
    let able = case.facts.classes.iter().filter(|class| !makes_nothing(class));
    let names: Vec<&str> = able.map(|class| class.name.as_str()).collect();
    let (marked, note) = match names.as_slice() {
        [] => (
            "nfsprov create storageclass nfs --default --apply".to_owned(),
            "the class needs a provisioner: nfsprov provision --watch, or nfsprov create provisioner".to_owned(),
        ),
        [only] => (
            mark_default(only),
            format!("claims that name no class get {only} from then on"),
        ),
        many => (
            mark_default(CLASS),
            format!(
                "put the class that is meant for everybody in place of {CLASS}: one of {}",
                some(many)
            ),
        ),
    };
    let command = if retroactive {
        marked
    } else {
        format!("{marked} && {again}")
    };
    Some(finding(cause.to_owned()).suggest(command, note))
}

fn missing(case: &Case<'_>, claim: &Claim, name: &str) -> Finding {
    let known: Vec<&str> = case.facts.classes.iter().map(|class| class.name.as_str()).collect();
    let finding = Finding::new(
        "NFS103",
        claim.object(),
        format!("the claim's class {name} doesn't exist"),
    )
    .seen(format!("spec.storageClassName of {}", claim.object().title()), name)
    .seen("StorageClasses", some(&known))
    .all_seen(case.last_word(&claim.object()))
    .alike(name);
    if known.is_empty() {
        let command = format!("nfsprov create storageclass {} --apply", word(name));
        return finding.suggest(command, "makes the class, for nfsprov's own provisioner");
    }
    let meant = match closest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}? "),
        None => String::new(),
    };
    finding.suggest(
        choose_class(claim),
        format!(
            "{meant}put the class that is meant in place of {CLASS}, or make class {name}; the claim is Pending and holds nothing"
        ),
    )
}

fn impossible(case: &Case<'_>, class: &Class) -> Option<Finding> {
    if !makes_nothing(class) || case.has_volumes(&class.name) {
        return None;
    }
    let theirs = |claim: &&Claim| {
        claim.pending() && claim.volume.is_empty() && claim.class.as_deref() == Some(class.name.as_str())
    };
    // A claim that may still wait for its first pod needs nothing yet.
    let needy = |claim: &&Claim| !class.waits || claim.node_selected || !case.users(claim).is_empty();
    let claims: Vec<&Claim> = case.facts.claims.iter().filter(theirs).filter(needy).collect();
    let first = claims.first()?;
    let finding = |cause: String| {
        Finding::new("NFS104", class.object(), cause)
            .seen(format!("provisioner of {}", class.object().title()), &class.provisioner)
            .all_seen(case.last_word(&first.object()))
            .explaining(claims.iter().map(|claim| claim.object()))
    };
    if class.provisioner == NO_PROVISIONER {
        let cause = format!("class {} is for PVs made by hand, and there are none", class.name);
        // Such a class is local storage as often as NFS, so no NFS volume is proposed for it.
        return Some(finding(cause).advise(
            "create a PV of that class as its storage needs it, or the claim again with a class whose provisioner runs",
        ));
    }
    let finding = finding(format!("{} is no provisioner that makes volumes", class.provisioner));
    let provisioner = match provisioners::running_names(case.facts).as_slice() {
        [] => DEFAULT_NAME,
        [only] => only,
        many => {
            return Some(finding.advise(format!(
                "a class' provisioner can't be edited: make the class again for the provisioner that is meant, one of {}",
                some(many)
            )));
        }
    };
    Some(finding.suggest(
        recreate_class(&class.name, provisioner),
        format!(
            "a class' provisioner can't be edited; the class is made again for {provisioner}, and no volume is touched"
        ),
    ))
}

fn defaults(case: &Case<'_>) -> Option<Finding> {
    let mut marked: Vec<&Class> = case.facts.classes.iter().filter(|class| class.default).collect();
    marked.sort_by_key(|class| (class.created, &class.name));
    let newest = marked.pop()?;
    let oldest = marked.first()?;
    let names: Vec<&str> = marked.iter().map(|class| class.name.as_str()).collect();
    let old = case.facts.minor().is_none_or(|minor| minor < RETROACTIVE);
    let (severity, effect) = match old {
        true => (Severity::Error, "claims that name no class are refused".to_owned()),
        false => (Severity::Warning, format!("the newest, {}, is used", newest.name)),
    };
    let k3s = match marked.iter().any(|class| class.name == "local-path") {
        true => "; K3s marks local-path again at every restart, unless started with --disable local-storage",
        false => "",
    };
    let others = if marked.len() == 1 { "" } else { " and others" };
    let refused = case.facts.events.iter().rev().find(|event| {
        super::super::messages::classify(super::super::messages::Place::Creation, &event.message)
            .is_some_and(|(code, _)| code == "NFS105")
    });
    Some(
        Finding::new(
            "NFS105",
            oldest.object(),
            format!(
                "{}{others} and {} are both the default class: {effect}",
                oldest.name, newest.name
            ),
        )
        .as_bad_as(severity)
        .only(Confidence::Certain)
        .seen(
            format!("annotation {MARK}"),
            format!("true on {}, {}", names.join(", "), newest.name),
        )
        .all_seen(refused.map(super::said))
        .suggest(
            unmark_default(&names),
            format!("keeps {}, the newest{k3s}", newest.name),
        ),
    )
}
