//! Pods that don't come up because of their claims: NFS116, NFS118, NFS119, NFS120, NFS410 to NFS412 (PURE).

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement};
use k8s_openapi::jiff::SignedDuration;

use super::{Case, said};
use crate::doctor::Severity::{Error, Info, Warning};
use crate::doctor::explain::{CLAIMS, EVENTS, Entry, HOSTS, NODES, PODS, VOLUMES, entry};
use crate::doctor::facts::{Node, Pod, Volume};
use crate::doctor::messages::{self, Place};
use crate::doctor::names::{closest, word};
use crate::doctor::{Confidence, Evidence, Finding};

/// How long after its end a pod that is still there is stuck.
const STUCK: SignedDuration = SignedDuration::from_mins(5);

/// How long a claim that a pod names may take to be made.
const SOON: SignedDuration = SignedDuration::from_secs(5);

pub const ENTRIES: &[Entry] = &[
    entry("NFS116", Error, &[PODS, VOLUMES, NODES, EVENTS], "node affinity", "The PV may be used only on nodes that its nodeAffinity describes, and the pod can't go there. NFS is the same on every node, so that an NFS PV needs no node affinity; it can't be edited, and the PV has to be made again."),
    entry("NFS118", Info, &[PODS, EVENTS], "pod waits for unbound claims", "The scheduler waits until the pod's claims are Bound. Look for the claim's own finding.").symptom(),
    entry("NFS119", Error, &[PODS, CLAIMS], "the pod's claim doesn't exist", "The pod names a claim that is not there, or that is being deleted."),
    entry("NFS120", Error, &[PODS, EVENTS], "ReadWriteOncePod already in use", "A claim with the access mode ReadWriteOncePod serves one pod in the cluster, and another one has it."),
    entry("NFS410", Info, &[PODS, EVENTS], "volumes not mounted yet", "The kubelet waits for a pod's volumes. Look for the cause beside it.").symptom(),
    entry("NFS411", Warning, &[PODS, VOLUMES, HOSTS], "permissions", "Kubernetes does not change the group of in-tree NFS volumes, so fsGroup has no effect on them. The directory's owner, group and mode on the server count; a directory without x (chmod 666) can be entered by root only.").automatic(),
    entry("NFS412", Warning, &[PODS, VOLUMES], "pod stuck in Terminating", "The pod can't end while its node is not Ready, or while its NFS server does not answer. Both end by themselves: start the node or its kubelet, or bring the server back. Forcing (kubectl delete pod --grace-period=0 --force) only makes the cluster forget the pod. Its processes may go on and write to the volume, and a StatefulSet starts a second pod beside them; so it is a last resort, once nothing of the pod runs on the node any more."),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let alive = case.facts.pods.iter().filter(|pod| !pod.over());
    alive.flat_map(|pod| judge(case, pod)).collect()
}

fn judge(case: &Case<'_>, pod: &Pod) -> Vec<Finding> {
    let mut found = Vec::new();
    if pod.deleting.is_some() {
        found.extend(stuck(case, pod));
        return found;
    }
    found.extend(claimless(case, pod));
    if pod.node.is_empty() && !pod.claims.is_empty() {
        found.extend(unscheduled(case, pod));
    }
    if !pod.node.is_empty() && pod.phase == "Pending" {
        found.extend(unmounted(case, pod));
    }
    found.extend(no_group(case, pod));
    found
}

/// Claims that a pod names and that are not there, or are going.
fn claimless<'a>(case: &'a Case<'_>, pod: &'a Pod) -> impl Iterator<Item = Finding> + 'a {
    let known = case.facts.knows("persistentvolumeclaims");
    let names = pod.claims.iter().filter(move |_| known && pod.node.is_empty());
    names.filter_map(move |name| {
        let text = case
            .events(&pod.object())
            .iter()
            .find(|event| {
                messages::classify(Place::Scheduling, &event.message).is_some_and(|(code, _)| code == "NFS119")
            })
            .map(|event| said(event));
        let source = format!("spec.volumes of {}", pod.object().title());
        match case.claim(&pod.namespace, name) {
            Some(claim) if claim.deleting.is_some() => Some(
                Finding::new(
                    "NFS119",
                    pod.object(),
                    format!("the pod's claim {name} is being deleted"),
                )
                .seen(source, name)
                .seen(
                    format!("metadata.deletionTimestamp of {}", claim.object().title()),
                    "set",
                )
                .all_seen(text)
                .advise("create the claim again once it is gone; the pod then goes on by itself"),
            ),
            Some(_) => None,
            // A StatefulSet makes the claim just before the pod; the lists were read at slightly different times.
            None if !case.older(pod.created, SOON) => None,
            None => Some(absent(case, pod, name).seen(source, name).all_seen(text)),
        }
    })
}

fn absent(case: &Case<'_>, pod: &Pod, name: &str) -> Finding {
    let here = case
        .facts
        .claims
        .iter()
        .filter(|claim| claim.namespace == pod.namespace);
    let meant = closest(name, here.map(|claim| claim.name.as_str()));
    let note = match meant {
        Some(meant) => format!("or was {meant} meant? then make the pod again with that name"),
        None => "with the size and class that the pod needs".to_owned(),
    };
    Finding::new("NFS119", pod.object(), format!("the pod's claim {name} doesn't exist")).suggest(
        format!(
            "nfsprov -n {} create pvc {} --size 1Gi --apply",
            word(&pod.namespace),
            word(name)
        ),
        note,
    )
}

/// What the scheduler says about a pod.
fn unscheduled(case: &Case<'_>, pod: &Pod) -> Option<Finding> {
    let condition = Some(&pod.unschedulable)
        .filter(|text| !text.is_empty())
        .map(|text| Evidence {
            source: format!("condition PodScheduled of {}", pod.object().title()),
            text: text.clone(),
        });
    // The condition is what holds now; events are only what was said.
    let evidence = condition.or_else(|| {
        let events = case.events(&pod.object()).iter();
        events
            .filter(|event| event.reason == "FailedScheduling")
            .map(|event| said(event))
            .next()
    })?;
    let (code, _) = messages::classify(Place::Scheduling, &evidence.text)?;
    let finding = |cause: String| Finding::new(code, pod.object(), cause).all_seen([evidence.clone()]);
    match code {
        "NFS116" => Some(affinity(case, pod, finding)),
        "NFS118" => {
            let pending = pod.claims.iter().filter_map(|name| case.claim(&pod.namespace, name));
            let waiting: Vec<_> = pending
                .filter(|claim| claim.pending())
                .map(|claim| claim.name.as_str())
                .collect();
            let cause = format!("the pod waits until its claims are Bound: {}", waiting.join(", "));
            (!waiting.is_empty()).then(|| finding(cause))
        }
        "NFS120" => Some(
            finding("another pod has the pod's ReadWriteOncePod claim".to_owned())
                .advise("end the other pod, or use ReadWriteMany, which NFS can do"),
        ),
        // Claims that are lost or missing have findings of their own.
        _ => None,
    }
}

fn affinity(case: &Case<'_>, pod: &Pod, finding: impl Fn(String) -> Finding) -> Finding {
    let volumes = pod.claims.iter().filter_map(|name| {
        let claim = case.claim(&pod.namespace, name)?;
        case.volume(&claim.volume)
    });
    let bound: Vec<&Volume> = volumes.filter(|volume| volume.affinity.is_some()).collect();
    let Some(volume) = bound.first() else {
        return finding("the pod's volume can't be used on any node that the pod may run on".to_owned())
            .only(Confidence::Likely)
            .advise("compare the nodeAffinity of the pod's PVs with the nodes' labels");
    };
    let nodes = &case.facts.nodes;
    let fits = |node: &&Node| {
        volume
            .affinity
            .as_deref()
            .is_some_and(|affinity| allows(affinity, node))
    };
    let fitting: Vec<_> = nodes.iter().filter(fits).map(|node| node.name.as_str()).collect();
    let cause = match fitting.is_empty() {
        true => format!(
            "PV {} can be used on no node: its nodeAffinity matches none of {}",
            volume.name,
            nodes.len()
        ),
        false => format!(
            "PV {} can be used on {} only, where the pod can't run",
            volume.name,
            fitting.join(", ")
        ),
    };
    finding(cause)
        .seen(
            format!("spec.nodeAffinity of {}", volume.object().title()),
            requirements(volume),
        )
        .advise("a PV's nodeAffinity can't be edited: make the PV again without it, or label a node so that it matches")
}

fn requirements(volume: &Volume) -> String {
    let terms = volume
        .affinity
        .iter()
        .flat_map(|affinity| &affinity.node_selector_terms);
    let text = |requirement: &NodeSelectorRequirement| {
        let values = requirement.values.as_deref().unwrap_or_default();
        format!("{} {} {}", requirement.key, requirement.operator, values.join(","))
    };
    let all: Vec<_> = terms
        .map(|term| {
            let each: Vec<_> = term.match_expressions.iter().flatten().map(text).collect();
            each.join(" and ")
        })
        .collect();
    all.join(", or ")
}

/// Whether a node is one that an affinity describes.
fn allows(affinity: &NodeSelector, node: &Node) -> bool {
    let met = |requirement: &NodeSelectorRequirement| {
        let value = node.labels.get(&requirement.key);
        let values = requirement.values.as_deref().unwrap_or_default();
        let number = |text: &String| text.parse::<i64>().ok();
        match requirement.operator.as_str() {
            "In" => value.is_some_and(|value| values.contains(value)),
            "NotIn" => value.is_none_or(|value| !values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => value.and_then(number) > values.first().and_then(number),
            "Lt" => value
                .and_then(number)
                .is_some_and(|value| Some(value) < values.first().and_then(number)),
            _ => true,
        }
    };
    affinity
        .node_selector_terms
        .iter()
        .any(|term| term.match_expressions.iter().flatten().all(met))
}

/// The kubelet's word that a pod's volumes are not there yet, unless it says why.
fn unmounted(case: &Case<'_>, pod: &Pod) -> Option<Finding> {
    let object = pod.object();
    let event = case
        .events(&object)
        .iter()
        .find(|event| messages::classify(Place::Mount, &event.message).is_some_and(|(code, _)| code == "NFS410"))?;
    Some(
        Finding::new("NFS410", object.clone(), "the kubelet waits for the pod's volumes")
            .all_seen([said(event)])
            .only(Confidence::Likely),
    )
}

/// The NFS volumes of a pod, through its claims.
pub fn nfs_volumes<'a>(case: &'a Case<'_>, pod: &'a Pod) -> impl Iterator<Item = &'a Volume> {
    let bound = pod.claims.iter().filter_map(|name| {
        let claim = case.claim(&pod.namespace, name)?;
        case.volume(&claim.volume)
    });
    bound.filter(|volume| volume.is_nfs())
}

fn no_group(case: &Case<'_>, pod: &Pod) -> Option<Finding> {
    let failing = pod
        .stopped
        .iter()
        .find(|stopped| matches!(stopped.reason.as_str(), "CrashLoopBackOff" | "Error"))?;
    // A CSI driver may apply the group.
    let volume = nfs_volumes(case, pod).find(|volume| volume.nfs.is_some())?;
    pod.fs_group.then(|| {
        Finding::new(
            "NFS411",
            pod.object(),
            format!(
                "the pod fails, and its fsGroup has no effect on the NFS volume {}",
                volume.name
            ),
        )
        .only(Confidence::Possible)
        .seen(
            format!("container {} of {}", failing.container, pod.object().title()),
            format!("{} {}", failing.reason, failing.message),
        )
        .seen(
            format!("spec.securityContext.fsGroup of {}", pod.object().title()),
            "set",
        )
        .advise("if it is permission that it lacks: give the directory on the server that group, and mode 2770")
    })
}

fn stuck(case: &Case<'_>, pod: &Pod) -> Option<Finding> {
    let volume = nfs_volumes(case, pod).next();
    let place = volume.and_then(Volume::export).or_else(|| pod.nfs.first())?;
    if pod.node.is_empty() || !case.older(pod.deleting, STUCK) {
        return None;
    }
    let node = &pod.node;
    let known = case.facts.nodes.iter().find(|known| known.name == *node);
    let (cause, confidence, note) = match known {
        Some(known) if !known.ready => (
            format!("the pod can't end: its node {node} is not Ready"),
            Confidence::Likely,
            format!(
                "start node {node} or its kubelet again; the pod then ends by itself. Until then its processes may still \
                 run there and write to the volume"
            ),
        ),
        // Nodes could not be read, so whether the pod still runs on this one is unknown.
        None => (
            format!(
                "the pod can't end; is the NFS server {} still there, and is node {node} Ready?",
                place.0
            ),
            Confidence::Possible,
            format!("look at node {node}, then at the server: the pod ends by itself when both are back"),
        ),
        Some(_) => (
            format!(
                "the pod can't end, though its node {node} is Ready; is the NFS server {} still there?",
                place.0
            ),
            Confidence::Possible,
            last_resort(pod),
        ),
    };
    let ready = match known {
        Some(known) if known.ready => "True",
        Some(_) => "not True",
        None => "the node was not read, or does not exist",
    };
    Some(
        Finding::new("NFS412", pod.object(), cause)
            .only(confidence)
            .seen(
                format!("metadata.deletionTimestamp of {}", pod.object().title()),
                "more than five minutes ago",
            )
            .seen(format!("condition Ready of node {node}"), ready)
            .seen("its NFS volume", format!("{}:{}", place.0, place.1))
            .all_seen(case.last_word(&pod.object()))
            .advise(note),
    )
}

/// Text and never a command: whoever force-deletes has to know that the pod's processes have ended.
fn last_resort(pod: &Pod) -> String {
    format!(
        "bring the server back, and the pod ends by itself. Last resort, once nothing of the pod runs on node {}: \
         kubectl -n {} delete pod {} --grace-period=0 --force. That only forgets the pod: processes that still run there \
         go on, and a StatefulSet starts a second pod that may write to the volume beside the first",
        pod.node,
        word(&pod.namespace),
        word(&pod.name)
    )
}
