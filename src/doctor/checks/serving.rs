//! Who serves a class: NFS201, NFS202, NFS212 (PURE).

use k8s_openapi::jiff::SignedDuration;

use super::Case;
use super::commands::{create_provisioner, provision, to_replace};
use crate::doctor::Severity::{Error, Warning};
use crate::doctor::explain::{CLAIMS, CLASSES, DEPLOYMENTS, EVENTS, Entry, entry};
use crate::doctor::facts::{Claim, Class};
use crate::doctor::fix::Change;
use crate::doctor::names::{closest, some, sounds_like_nfs};
use crate::doctor::provisioners::{self, NFS_CSI, Provisioner};
use crate::doctor::{Confidence, Finding};

/// How long a claim may wait before its provisioner is missed.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS201",
        Error,
        &[CLAIMS, CLASSES, DEPLOYMENTS, EVENTS],
        "no running provisioner",
        "No running provisioner has the name that the class asks for: no workload has it as PROVISIONER_NAME, no CSIDriver has it, and no event comes from it. nfsprov provision serves any name, once or with --watch; nfsprov create provisioner runs it in the cluster.",
    ),
    entry(
        "NFS202",
        Error,
        &[CLAIMS, CLASSES, DEPLOYMENTS],
        "class and provisioner differ in name",
        "The class' provisioner and the Deployment's PROVISIONER_NAME have to be the same, letter for letter. The examples of nfs-client-provisioner use fuseim.pri/ifs, those of nfs-subdir-external-provisioner use k8s-sigs.io/nfs-subdir-external-provisioner, and its Helm chart cluster.local/<release>-…. An administrator has to decide which of the two is wrong.",
    ),
    entry(
        "NFS212",
        Warning,
        &[DEPLOYMENTS],
        "two provisioners under one name",
        "Two workloads serve the same name. They don't share a leader election lock, so both may provision the same claim.",
    ),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let facts = case.facts;
    let mut found = Vec::new();
    if facts.knows("storageclasses") {
        for class in &facts.classes {
            let claims: Vec<&Claim> = provisioners::waiting(facts, &class.provisioner)
                .into_iter()
                .filter(|claim| claim.class.as_deref() == Some(&class.name))
                .collect();
            if facts.knows("deployments")
                && class.provisioner != NFS_CSI
                && !provisioners::is_other_storage(&class.provisioner)
            {
                found.extend(unserved(case, class, &claims));
            }
        }
    }
    found.extend(twice(case));
    found
}

fn unserved(case: &Case<'_>, class: &Class, claims: &[&Claim]) -> Option<Finding> {
    let name = &class.provisioner;
    // The newest that has waited long enough: who served others since is there.
    let patient = claims.iter().filter(|claim| case.older(claim.created, PATIENCE));
    let newest = patient.max_by_key(|claim| claim.created)?;
    if !provisioners::is_unserved(case.facts, name, newest.created, case.now) {
        return None;
    }
    let all = &case.provisioners;
    let names: Vec<&str> = all.iter().filter_map(|one| one.name).collect();
    let explained = claims.iter().map(|claim| claim.object());
    let word_of = case.last_word(&newest.object());
    let candidates = provisioners::candidates(case.facts);
    if let Some((other, meant)) = renamed(case, name, claims, &candidates) {
        let title = other.workload.object().title();
        return Some(
            Finding::new(
                "NFS202",
                class.object(),
                format!(
                    "no running provisioner for {name}, which the class names; {title} has the name {meant}: did you mean that?"
                ),
            )
            .only(Confidence::Possible)
            .seen(format!("provisioner of {}", class.object().title()), name)
            .seen(format!("PROVISIONER_NAME of {title}"), meant)
            .all_seen(word_of)
            .fixed_by(
                Change::SetEnv {
                    workload: other.workload.object(),
                    container: other.container.name.clone(),
                    variables: vec![("PROVISIONER_NAME".to_owned(), name.clone())],
                },
                "gives it the name from the class; the provisioner of a class can't be edited",
            )
            .explaining(explained),
        );
    }
    let finding = Finding::new(
        "NFS201",
        class.object(),
        format!("no running provisioner for {name}, which the class names"),
    )
    .only(Confidence::Likely)
    .seen(format!("provisioner of {}", class.object().title()), name)
    .seen("PROVISIONER_NAME of workloads", some(&names))
    .seen(
        "CSIDrivers",
        some(&case.facts.csi_drivers.iter().map(String::as_str).collect::<Vec<_>>()),
    )
    .all_seen(word_of)
    .explaining(explained);
    if !sounds_like_nfs(name) {
        return Some(finding.advise(format!("install the provisioner {name}, or use another class")));
    }
    let command = create_provisioner(case.facts, class);
    let image = match command.contains("--flavor upstream") {
        true => "runs nfs-subdir-external-provisioner, whose image is public",
        false => "runs nfsprov, whose image you build (docs/manifests.md)",
    };
    let meant = match closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean {meant}, which runs? "),
        None => String::new(),
    };
    let note = format!(
        "{meant}{}{image}; without a pod: {}",
        to_replace(&command),
        provision(case.facts, name)
    );
    Some(finding.suggest(command, note))
}

/// The one provisioner that runs for no class, and may be the one that a class names in other letters; and its name.
///
/// Every user who may create a Deployment can give it any name. So another name is taken for this one only if it looks like
/// a typing mistake, or if the provisioner runs in the namespace of the pending claims. So no tenant is sent to another's.
fn renamed<'a>(
    case: &Case<'_>,
    name: &str,
    claims: &[&Claim],
    candidates: &'a [Provisioner<'_>],
) -> Option<(&'a Provisioner<'a>, &'a str)> {
    let idle = |one: &&Provisioner<'_>| {
        let named = one.name.is_some_and(|other| provisioners::is_named(case.facts, other));
        !named && !one.stopped() && one.has_known_image() && one.workload.kind != "Pod"
    };
    let idle: Vec<_> = candidates
        .iter()
        .filter(idle)
        .filter_map(|one| Some((one, one.name?)))
        .collect();
    let slip = closest(name, idle.iter().map(|(_, other)| *other));
    let beside = |one: &Provisioner<'_>| claims.iter().all(|claim| claim.namespace == one.workload.namespace);
    let mut meant = idle.into_iter().filter(|(one, other)| match slip {
        Some(slip) => *other == slip,
        None => sounds_like_nfs(name) && beside(one),
    });
    let first = meant.next()?;
    meant.next().is_none().then_some(first)
}

fn twice(case: &Case<'_>) -> Vec<Finding> {
    let mut all = case.provisioners.clone();
    // A provisioner without replicas does not conflict.
    all.retain(|one| !one.stopped());
    let pair = |(index, one): (usize, &Provisioner<'_>)| {
        let name = one.name?;
        let other = all[..index].iter().find(|other| other.name == Some(name))?;
        let finding = Finding::new(
            "NFS212",
            one.workload.object(),
            format!("{} serves {name} too", other.workload.object().title()),
        )
        .seen(format!("PROVISIONER_NAME of {}", one.workload.object().title()), name)
        .seen(format!("PROVISIONER_NAME of {}", other.workload.object().title()), name);
        let note = "scales one of them to 0; or give it another PROVISIONER_NAME and a class of its own";
        Some(match one.workload.kind.as_str() {
            "Deployment" | "StatefulSet" => {
                let workload = one.workload.object();
                finding.fixed_by(Change::Scale { workload, replicas: 0 }, note)
            }
            _ => finding.advise("stop one of them, or give it another PROVISIONER_NAME and a class of its own"),
        })
    };
    all.iter().enumerate().filter_map(pair).collect()
}
