//! Who serves a class: NFS201, NFS202, NFS209, NFS211, NFS212 (PURE).

use k8s_openapi::jiff::SignedDuration;

use super::commands::{create_provisioner, provision, set_env, to_replace};
use super::{Case, said};
use crate::doctor::Severity::{Error, Warning};
use crate::doctor::explain::{CLAIMS, CLASSES, DEPLOYMENTS, DRIVERS, EVENTS, Entry, entry};
use crate::doctor::facts::{Claim, Class};
use crate::doctor::messages::{self, Place};
use crate::doctor::names::{closest, some, word};
use crate::doctor::provisioners::{self, NFS_CSI, Provisioner, Serving, sounds_like_nfs};
use crate::doctor::{Confidence, Finding, Object};

/// How long a claim may wait before its provisioner is missed.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

/// What these checks find.
pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS201",
        Error,
        &[CLAIMS, CLASSES, DEPLOYMENTS, EVENTS],
        "nobody serves the provisioner's name",
        "The class names a provisioner, and nothing in the cluster answers to that name: no workload has it as PROVISIONER_NAME, there is no CSIDriver and no event by it. nfsprov provision serves any name, once or with --watch; create provisioner runs it in the cluster.",
    ),
    entry(
        "NFS202",
        Error,
        &[CLAIMS, CLASSES, DEPLOYMENTS],
        "class and provisioner differ in name",
        "The class' provisioner and the Deployment's PROVISIONER_NAME have to be the same, letter for letter. The examples of nfs-client-provisioner use fuseim.pri/ifs, those of nfs-subdir-external-provisioner use k8s-sigs.io/nfs-subdir-external-provisioner, and its Helm chart cluster.local/<release>-…. Which of the two is the wrong one is for people to say.",
    ),
    entry(
        "NFS209",
        Error,
        &[CLAIMS, EVENTS],
        "the provisioner fails to make the volume",
        "The provisioner tried and failed; the evidence is its own message. Permission denied means that the server squashes root, or that the export is read-only.",
    ),
    entry(
        "NFS211",
        Error,
        &[CLASSES, DRIVERS],
        "the NFS CSI driver is missing",
        "The class uses nfs.csi.k8s.io, and that driver is not installed, or not on all nodes. See the driver's own installation instructions.",
    ),
    entry(
        "NFS212",
        Warning,
        &[DEPLOYMENTS],
        "two provisioners under one name",
        "Two workloads serve the same name. Their locks don't exclude each other, so a claim may be worked on twice.",
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
            found.extend(csi(case, class, &claims));
            if facts.knows("deployments") && class.provisioner != NFS_CSI {
                found.extend(unserved(case, class, &claims));
            }
        }
    }
    found.extend(facts.claims.iter().filter_map(|claim| failed(case, claim)));
    found.extend(twice(case));
    found
}

fn unserved(case: &Case<'_>, class: &Class, claims: &[&Claim]) -> Option<Finding> {
    let name = &class.provisioner;
    // The newest that has waited long enough: who served others since is there.
    let patient = claims.iter().filter(|claim| case.older(claim.created, PATIENCE));
    let newest = patient.max_by_key(|claim| claim.created)?;
    if !matches!(
        provisioners::serving(case.facts, name, newest.created, case.now),
        Serving::Nobody
    ) {
        return None;
    }
    let all = provisioners::all(case.facts);
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
                    "the class names provisioner {name}, and none runs; {title} is called {meant}: did you mean that?"
                ),
            )
            .only(Confidence::Possible)
            .seen(format!("provisioner of {}", class.object().title()), name)
            .seen(format!("PROVISIONER_NAME of {title}"), meant)
            .all_seen(word_of)
            .mended_by(
                set_env(
                    other.workload,
                    &other.container.name,
                    &[("PROVISIONER_NAME", name.clone())],
                )
                .command,
                "gives it the class' name, if it is the class that is right; a class' provisioner can't be edited",
            )
            .explaining(explained),
        );
    }
    let finding = Finding::new(
        "NFS201",
        class.object(),
        format!("nobody serves provisioner {name}, which the class names"),
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
        return Some(finding.mended_by_hand(format!("install what serves {name}, or use another class")));
    }
    let command = create_provisioner(case.facts, class);
    let image = match command.contains("--flavor upstream") {
        true => "runs nfs-subdir-external-provisioner, whose image is public",
        false => "runs nfsprov, whose image you make (docs/manifests.md)",
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
    Some(finding.mended_by(command, note))
}

/// The one provisioner that runs for no class, and may be the one that a class names in other letters; and its name.
///
/// Anybody who may create a Deployment can give it any name. So another name is taken for this one only if it looks like
/// a slip, or if the provisioner runs beside the claims that wait: then nobody is led to somebody else's.
fn renamed<'a>(
    case: &Case<'_>,
    name: &str,
    claims: &[&Claim],
    candidates: &'a [Provisioner<'_>],
) -> Option<(&'a Provisioner<'a>, &'a str)> {
    let idle = |one: &&Provisioner<'_>| {
        let named = one.name.is_some_and(|other| provisioners::is_named(case.facts, other));
        !named && !one.stopped() && one.has_known_image()
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

/// The NFS CSI driver has to be there, and on the nodes.
fn csi(case: &Case<'_>, class: &Class, claims: &[&Claim]) -> Option<Finding> {
    if class.provisioner != NFS_CSI || !case.facts.knows("csidrivers") {
        return None;
    }
    if !case.facts.csi_drivers.iter().any(|driver| driver == NFS_CSI) {
        return Some(
            Finding::new(
                "NFS211",
                class.object(),
                format!("the CSI driver {NFS_CSI} is not installed"),
            )
            .seen(format!("provisioner of {}", class.object().title()), NFS_CSI)
            .seen("CSIDrivers", format!("none called {NFS_CSI}"))
            .explaining(claims.iter().map(|claim| claim.object()))
            .mended_by_hand("install csi-driver-nfs as its documentation says, or use a class of nfsprov's"),
        );
    }
    let has = |node: &str| {
        let mut nodes = case.facts.csi_nodes.iter();
        nodes.any(|(name, drivers)| name == node && drivers.iter().any(|driver| driver == NFS_CSI))
    };
    let stuck: Vec<_> = case
        .facts
        .pods
        .iter()
        .filter(|pod| pod.phase == "Pending" && !pod.node.is_empty() && !has(&pod.node))
        .filter(|pod| {
            let claims = pod.claims.iter().filter_map(|name| case.claim(&pod.namespace, name));
            let mut volumes = claims.filter_map(|claim| case.volume(&claim.volume));
            volumes.any(|volume| volume.csi_driver.as_deref() == Some(NFS_CSI))
        })
        .collect();
    let first = stuck.first().filter(|_| case.facts.knows("csinodes"))?;
    Some(
        Finding::new(
            "NFS211",
            Object::cluster("Node", &first.node),
            format!("the CSI driver {NFS_CSI} is not on node {}", first.node),
        )
        .seen(format!("CSINode {}", first.node), format!("no driver {NFS_CSI}"))
        .explaining(stuck.iter().map(|pod| pod.object()))
        .mended_by_hand("see why the driver's DaemonSet has no running pod on the node"),
    )
}

/// A provisioner's own word that it failed.
fn failed(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    if !claim.pending() {
        return None;
    }
    let object = claim.object();
    let theirs =
        |event: &&&super::Event| !event.component.is_empty() && event.component != "persistentvolume-controller";
    let event = case.events(&object).iter().find(theirs)?;
    let refused = matches!(
        messages::classify(Place::Provisioning, &event.message),
        Some(("NFS109", _))
    );
    if event.reason != "ProvisioningFailed" || (refused && claim.wish.selector.is_some()) {
        return None;
    }
    let known = messages::classify(Place::Provisioning, &event.message);
    let (confidence, cause) = match known {
        Some((_, Some(why))) => (
            Confidence::Certain,
            format!("the provisioner can't make the directory: {}", why.trim()),
        ),
        _ => (
            Confidence::Likely,
            "the provisioner can't make the volume, and says why".to_owned(),
        ),
    };
    Some(
        Finding::new("NFS209", object.clone(), cause)
            .only(confidence)
            .all_seen([said(event)])
            .explaining(case.users(claim).iter().map(|pod| pod.object()))
            .mended_by_hand(
                "if it is permission: the export must be writable for the provisioner (rw, no_root_squash); it tries again by itself",
            ),
    )
}

fn twice(case: &Case<'_>) -> Vec<Finding> {
    let mut all = provisioners::all(case.facts);
    // A stopped one disturbs nobody.
    all.retain(|one| !one.stopped());
    let pair = |(index, one): (usize, &Provisioner<'_>)| {
        let name = one.name?;
        let other = all[..index].iter().find(|other| other.name == Some(name))?;
        Some(
            Finding::new(
                "NFS212",
                one.workload.object(),
                format!("{} serves {name} too", other.workload.object().title()),
            )
            .seen(format!("PROVISIONER_NAME of {}", one.workload.object().title()), name)
            .seen(format!("PROVISIONER_NAME of {}", other.workload.object().title()), name)
            .mended_by(
                format!(
                    "kubectl -n {} scale {} --replicas=0",
                    word(&one.workload.namespace),
                    one.argument()
                ),
                "stops the one; or give it another PROVISIONER_NAME and a class of its own",
            ),
        )
    };
    all.iter().enumerate().filter_map(pair).collect()
}
