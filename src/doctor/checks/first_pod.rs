//! Claims that wait for their first pod: NFS115, NFS124 (PURE).

use k8s_openapi::jiff::SignedDuration;

use super::Case;
use crate::doctor::Finding;
use crate::doctor::Severity::{self, Error, Info};
use crate::doctor::explain::{CLAIMS, CLASSES, Entry, PODS, entry};
use crate::doctor::facts::{Claim, Class, Pod};
use crate::doctor::messages::{self, Place};

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS115",
        Info,
        &[CLAIMS, CLASSES],
        "waiting for its first pod",
        "The class has volumeBindingMode: WaitForFirstConsumer: its volumes are made when a pod that uses the claim is scheduled. This is no fault.",
    ),
    entry(
        "NFS124",
        Error,
        &[CLAIMS, CLASSES, PODS],
        "the pod names its node, and its claim waits for the scheduler",
        "With volumeBindingMode: WaitForFirstConsumer a volume is made once the scheduler has chosen a node for the pod. A pod with spec.nodeName passes the scheduler by, so that the scheduler never chooses. Use a nodeSelector or node affinity instead, or a class with volumeBindingMode: Immediate, which suits NFS as well.",
    ),
];

/// How long a pod may be without a node.
const SCHEDULING: SignedDuration = SignedDuration::from_mins(1);

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let waits = |claim: &&Claim| claim.pending() && claim.volume.is_empty() && !claim.node_selected;
    let claims = case.facts.claims.iter().filter(waits);
    claims.filter_map(|claim| unused(case, claim)).collect()
}

fn unused(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let class = case.facts.class(claim.class.as_deref()?)?;
    if !class.waits {
        return None;
    }
    let users = case.users(claim);
    let alive: Vec<&&Pod> = users.iter().filter(|pod| pod.deleting.is_none()).collect();
    let cause = match (alive.iter().find(|pod| !pod.node.is_empty()), alive.first()) {
        (Some(pod), _) => return Some(passed_by(claim, class, pod)),
        (None, Some(pod)) => return Some(unscheduled(case, claim, class, pod)),
        (None, None) => "the claim waits for its first pod, as its class says",
    };
    Some(finding(class, Finding::new("NFS115", claim.object(), cause)).all_seen(case.last_word(&claim.object())))
}

fn finding(class: &Class, finding: Finding) -> Finding {
    let source = format!("volumeBindingMode of {}", class.object().title());
    finding.seen(source, "WaitForFirstConsumer")
}

fn passed_by(claim: &Claim, class: &Class, pod: &Pod) -> Finding {
    let cause = format!(
        "pod {} has spec.nodeName, so that the scheduler never selects a node for it, and the claim waits for that",
        pod.name
    );
    finding(class, Finding::new("NFS124", claim.object(), cause))
        .seen(format!("spec.nodeName of {}", pod.object().title()), &pod.node)
        .explaining([pod.object()])
        .advise(
            "give the pod a nodeSelector (kubernetes.io/hostname) instead of nodeName, or use a class with volumeBindingMode: Immediate",
        )
}

fn unscheduled(case: &Case<'_>, claim: &Claim, class: &Class, pod: &Pod) -> Finding {
    let text = &pod.unschedulable;
    let about_claims = messages::classify(Place::Scheduling, text).is_some();
    if text.is_empty() || about_claims || !case.older(pod.created, SCHEDULING) {
        let cause = format!("the claim waits until its pod {} is scheduled", pod.name);
        return finding(class, Finding::new("NFS115", claim.object(), cause)).all_seen(case.last_word(&claim.object()));
    }
    let cause = format!(
        "the claim waits until its pod {} is scheduled, and the scheduler finds no node for it",
        pod.name
    );
    finding(class, Finding::new("NFS115", claim.object(), cause))
        .as_bad_as(Severity::Error)
        .seen(format!("condition PodScheduled of {}", pod.object().title()), text)
        .explaining([pod.object()])
        .advise("make room for the pod on a node, or let it run on more nodes, as the scheduler's words say")
}
