//! The end of the walk: what waits and has no cause yet (PURE). NFS123, NFS413, NFS420.
//!
//! A claim or a pod that waits never ends without a finding: [`complete`] puts pods under the causes of their claims, and
//! names what is left with the last words about it.

use std::collections::{HashMap, HashSet};

use k8s_openapi::jiff::SignedDuration;

use super::pods::nfs_volumes;
use super::{Case, said};
use crate::doctor::Severity::{self, Error};
use crate::doctor::explain::{self, CLAIMS, Entry, NODES, PODS, entry};
use crate::doctor::facts::{Claim, Event, Pod, Stopped};
use crate::doctor::messages::{self, Place};
use crate::doctor::provisioners;
use crate::doctor::{Confidence, Evidence, Finding, Object};

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS123",
        Error,
        &[CLAIMS, PODS],
        "waiting, cause unknown",
        "A claim or a pod waits, or a PV is not deleted, and none of the checks knows why. The finding says which parts were looked at, what could not be read, and the last event. The provisioner's log and kubectl describe of the object are the next places to look; events are kept for an hour only, so a claim that is made again brings fresh ones.",
    ),
    entry(
        "NFS420",
        Error,
        &[PODS, NODES],
        "the pod's node is not Ready",
        "The pod was given a node that is not Ready, or that does not exist any more, so that its volumes are not mounted there. Start the node or its kubelet; a pod of a Deployment is moved after some minutes, one of a StatefulSet only once it is deleted.",
    ),
];

/// How long a claim or a pod may take before it counts as waiting.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

pub fn check(_case: &Case<'_>) -> Vec<Finding> {
    Vec::new()
}

/// The findings that name each object.
struct Named {
    /// By object: the first finding that is a cause for it.
    causes: HashMap<Object, usize>,
    /// Objects that wait and may.
    accepted: HashSet<Object>,
}

impl Named {
    fn by(found: &[Finding]) -> Self {
        let mut named = Self {
            causes: HashMap::new(),
            accepted: HashSet::new(),
        };
        for (index, finding) in found.iter().enumerate() {
            let is_symptom = explain::find(finding.code).is_some_and(|entry| entry.symptom);
            if finding.severity == Severity::Info {
                if !is_symptom {
                    named.accepted.insert(finding.object.clone());
                }
                continue;
            }
            // A guess that is only a warning explains nothing.
            if finding.severity == Severity::Warning && finding.confidence == Confidence::Possible {
                continue;
            }
            for object in finding.explains.iter().chain([&finding.object]) {
                named.causes.entry(object.clone()).or_insert(index);
            }
        }
        named
    }
}

/// Adds what waits and is in no finding.
pub fn complete(case: &Case<'_>, found: &mut Vec<Finding>) {
    let named = Named::by(found);
    let unknown = case.facts.claims.iter().filter(|claim| {
        let object = claim.object();
        claim.pending()
            && case.older(claim.created, PATIENCE)
            && !named.causes.contains_key(&object)
            && !named.accepted.contains(&object)
            && !case.is_other_storage(claim)
    });
    found.extend(unknown.map(|claim| of_claim(case, claim)));
    let named = Named::by(found);
    for pod in case.facts.pods.iter().filter(|pod| waits(case, pod)) {
        let object = pod.object();
        if named.causes.contains_key(&object) {
            continue;
        }
        let claims = pod
            .claims
            .iter()
            .map(|name| Object::of("PersistentVolumeClaim", &pod.namespace, name));
        let claims: Vec<Object> = claims.collect();
        let volumes = nfs_volumes(case, pod).map(|volume| volume.object());
        let cause = claims
            .iter()
            .cloned()
            .chain(volumes)
            .find_map(|object| named.causes.get(&object));
        match cause {
            Some(index) => found[*index].explains.push(object),
            None if claims.iter().any(|claim| named.accepted.contains(claim)) => {}
            None => found.extend(of_pod(case, pod)),
        }
    }
}

/// Whether a pod waits for a volume that may be NFS.
fn waits(case: &Case<'_>, pod: &Pod) -> bool {
    let claims = || pod.claims.iter().filter_map(|name| case.claim(&pod.namespace, name));
    let is_nfs = !pod.nfs.is_empty() || claims().any(|claim| !case.is_other_storage(claim));
    if pod.phase != "Pending" || pod.deleting.is_some() || !is_nfs || !case.older(pod.created, PATIENCE) {
        return false;
    }
    let is_bound = claims().all(|claim| !claim.pending()) && claims().count() == pod.claims.len();
    if pod.node.is_empty() {
        let text = pod.unschedulable.to_lowercase();
        return !is_bound || text.contains("volume") || text.contains("pvc");
    }
    // An image that is pulled, or a container that was started, shows that the volumes are mounted.
    let creating = |reason: &str| {
        matches!(
            reason,
            "ContainerCreating" | "PodInitializing" | "CreateContainerConfigError" | ""
        )
    };
    // But for one that fails at the very directory of a volume.
    let at_volume = |message: &str| message.contains("/volumes/kubernetes.io~nfs/");
    let stopped = |stopped: &Stopped| creating(&stopped.reason) || at_volume(&stopped.message);
    pod.stopped.iter().all(stopped)
}

fn of_claim(case: &Case<'_>, claim: &Claim) -> Finding {
    let object = claim.object();
    let event = case.events(&object).first();
    let class = claim.class.as_deref().unwrap_or_default();
    let by_class = case.facts.class(class).map(|class| class.provisioner.as_str());
    let provisioner = by_class.or(claim.handover.as_deref());
    let all = &case.provisioners;
    let serving = all.iter().find(|one| one.name.is_some() && one.name == provisioner);
    let cause = match (serving, provisioner) {
        (Some(one), _) => format!(
            "the claim waits for {}, which runs and does not say why it makes no volume",
            one.workload.object().title()
        ),
        (None, Some(name)) => format!("the claim waits for provisioner {name}, and why it gets no volume is not known"),
        (None, None) => "the claim waits, and why is not known".to_owned(),
    };
    let note = match serving {
        Some(one) => format!(
            "see the provisioner's log: kubectl -n {} logs {}",
            crate::doctor::names::word(&one.workload.namespace),
            crate::doctor::names::word(&one.argument())
        ),
        None => format!(
            "see kubectl -n {} describe pvc {}",
            crate::doctor::names::word(&claim.namespace),
            crate::doctor::names::word(&claim.name)
        ),
    };
    let finding = Finding::new("NFS123", object.clone(), cause)
        .all_seen([last_word(&object, event.copied())])
        .all_seen(serving.and_then(|one| last_line(case, one)))
        .all_seen(unread(case));
    finding.alike(class).advise(note)
}

/// The last event about an object, or that there is none.
fn last_word(object: &Object, event: Option<&Event>) -> Evidence {
    event.map_or_else(
        || Evidence {
            source: format!("events on {}", object.title()),
            text: "none in the last hour".to_owned(),
        },
        said,
    )
}

/// The last line of a provisioner's log.
fn last_line(case: &Case<'_>, one: &provisioners::Provisioner<'_>) -> Option<Evidence> {
    let log = one.logs(case.facts).next()?;
    let line = log.text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(Evidence {
        source: format!("last line of the log of pod {}/{}", log.namespace, log.pod),
        text: line.trim().to_owned(),
    })
}

/// Whether a message is about a volume of the pod that is no claim's, such as a ConfigMap that is missing.
fn is_of_other_volume(case: &Case<'_>, pod: &Pod, message: &str) -> bool {
    let named = message
        .split_once("for volume \"")
        .and_then(|(_, rest)| rest.split('"').next());
    let mut claims = pod.claims.iter().map(|name| case.claim(&pod.namespace, name));
    // The names of the volumes that the pod describes itself are not kept.
    pod.nfs.is_empty()
        && named.is_some_and(|named| claims.all(|claim| claim.is_some_and(|claim| claim.volume != named)))
}

/// What was not looked at, and may hold the cause.
fn unread(case: &Case<'_>) -> Option<Evidence> {
    let names: Vec<&str> = case.facts.unread.iter().map(|unread| unread.what.as_str()).collect();
    (!names.is_empty()).then(|| Evidence {
        source: "not read".to_owned(),
        text: names.join(", "),
    })
}

fn of_pod(case: &Case<'_>, pod: &Pod) -> Option<Finding> {
    let object = pod.object();
    let note = format!(
        "see kubectl -n {} describe pod {}",
        crate::doctor::names::word(&pod.namespace),
        crate::doctor::names::word(&pod.name)
    );
    let unready = case
        .facts
        .nodes
        .iter()
        .find(|node| node.name == pod.node)
        .map(|node| node.ready);
    let is_gone = unready.is_none() && case.facts.knows("nodes") && !case.facts.nodes.is_empty();
    if !pod.node.is_empty() && (unready == Some(false) || is_gone) {
        let (cause, shown) = match is_gone {
            true => (
                format!(
                    "node {} does not exist, and pods wait for their volumes on it",
                    pod.node
                ),
                "no such node",
            ),
            false => (
                format!("node {} is not Ready, so that its kubelet mounts nothing", pod.node),
                "not True",
            ),
        };
        return Some(
            Finding::new("NFS420", Object::cluster("Node", &pod.node), cause)
                .seen(format!("condition Ready of node {}", pod.node), shown)
                .explaining([object])
                .alike(&pod.node)
                .advise(format!(
                    "start node {} or its kubelet again, or have the pods run elsewhere",
                    pod.node
                )),
        );
    }
    let events = case.events(&object);
    let mounting = |event: &&&Event| matches!(event.reason.as_str(), "FailedMount" | "FailedAttachVolume" | "Failed");
    let mut failed = events.iter().filter(mounting);
    if let Some(event) = failed.find(|event| is_of_other_volume(case, pod, &event.message)) {
        let cause = "the pod waits for a volume that is none of its claims', and so not NFS";
        let finding = Finding::new("NFS123", object, cause).as_bad_as(Severity::Warning);
        return Some(finding.all_seen([said(event)]).advise(note));
    }
    // "Volumes are not there yet" says less than why the kubelet could not mount one.
    let is_specific =
        |event: &&&Event| messages::classify(Place::Mount, &event.message).is_none_or(|(code, _)| code != "NFS410");
    let failed = events.iter().filter(mounting).find(is_specific);
    let failed = failed.or_else(|| events.iter().find(mounting)).copied();
    let volume = nfs_volumes(case, pod).next();
    let export = volume.and_then(|volume| volume.export()).or_else(|| pod.nfs.first());
    let of_export = export.map(|(server, path)| Evidence {
        source: "its NFS volume".to_owned(),
        text: format!("{server}:{path}"),
    });
    if let Some(event) = failed.filter(|_| !pod.node.is_empty()) {
        let cause = match events.iter().any(|event| is_specific(&event)) {
            true => format!(
                "node {} can't mount the pod's volume, and its words match no known cause",
                pod.node
            ),
            false => format!(
                "node {} does not finish mounting the pod's volumes, and does not say why",
                pod.node
            ),
        };
        let about = volume.map_or_else(|| object.clone(), |volume| volume.object());
        return Some(
            Finding::new("NFS413", about, cause)
                .all_seen([said(event)])
                .all_seen(of_export)
                .explaining([object])
                .advise(format!("try it on the node: mount -v -t nfs SERVER:PATH /mnt; {note}")),
        );
    }
    // A volume of a kind that is no claim, or a scheduler's word about volumes.
    let condition = Evidence {
        source: format!("condition PodScheduled of {}", object.title()),
        text: pod.unschedulable.clone(),
    };
    Some(
        Finding::new(
            "NFS123",
            object.clone(),
            "the pod waits for its volumes, and why is not known",
        )
        .only(Confidence::Likely)
        .all_seen(Some(condition).filter(|condition| !condition.text.is_empty()))
        .all_seen([last_word(&object, events.first().copied())])
        .all_seen(of_export)
        .all_seen(unread(case))
        .advise(note),
    )
}
