//! Claims that wait for their first pod: NFS115, NFS124 (PURE).

use k8s_openapi::jiff::SignedDuration;

use super::View;
use crate::cluster::snapshot::{Claim, Pod};
use crate::doctor::Finding;
use crate::doctor::Severity;
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};

entries! {
    "NFS115" Info [CLAIMS, CLASSES] "waiting for its first pod",
        "The class has volumeBindingMode: WaitForFirstConsumer: its volumes are provisioned when a pod that uses the claim is scheduled. This is no error.";
    "NFS124" Error [CLAIMS, CLASSES, PODS] "the pod names its node, and its claim waits for the scheduler",
        "With volumeBindingMode: WaitForFirstConsumer a volume is provisioned after the scheduler has selected a node for the pod. A pod with spec.nodeName bypasses the scheduler, so that the scheduler never selects one. Use a nodeSelector or node affinity instead, or a class with volumeBindingMode: Immediate, which suits NFS as well.";
}

/// How long a pod may be without a node.
const SCHEDULING: SignedDuration = SignedDuration::from_mins(1);

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let is_unserved = |claim: &&Claim| claim.volume.is_empty() && !claim.node_selected;
    let claims = view.pending_claims().filter(is_unserved);
    claims.filter_map(|claim| find_wait_for_pod(view, claim)).collect()
}

/// NFS124 if a pod of the claim has `spec.nodeName`, else NFS115; terminating pods don't count. `None` if the class
/// binds immediately, is not known, or the claim names none.
fn find_wait_for_pod(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let class = view.cluster.find_class(claim.class.as_deref()?)?;
    if !class.waits_for_first_consumer {
        return None;
    }
    let mut pods = view.pods_using(claim).to_vec();
    pods.retain(|pod| pod.deleting.is_none());
    let with_node = pods.iter().find(|pod| !pod.node.is_empty());
    let finding = match (with_node, pods.first()) {
        (Some(pod), _) => describe_pod_with_node(claim, pod),
        (None, Some(pod)) => describe_unscheduled_pod(view, claim, pod),
        (None, None) => {
            let cause = "the claim waits for its first pod, since its class has WaitForFirstConsumer";
            Finding::new("NFS115", claim.object(), cause).with_all_evidence(view.last_event(&claim.object()))
        }
    };
    Some(finding.with_field_of(&class.object(), "volumeBindingMode", "WaitForFirstConsumer"))
}

fn describe_pod_with_node(claim: &Claim, pod: &Pod) -> Finding {
    let cause = format!(
        "pod {} has spec.nodeName, so that the scheduler never selects a node for it, and the claim waits for that",
        pod.name
    );
    Finding::new("NFS124", claim.object(), cause)
        .with_field_of(&pod.object(), "spec.nodeName", &pod.node)
        .with_affected([pod.object()])
        .with_advice(
            "give the pod a nodeSelector (kubernetes.io/hostname) instead of nodeName, or use a class with volumeBindingMode: Immediate",
        )
}

/// NFS115: an error with the scheduler's message if the pod, more than a minute old, is unschedulable for other reasons
/// than its claims; else an info.
fn describe_unscheduled_pod(view: &View<'_>, claim: &Claim, pod: &Pod) -> Finding {
    // Without a PV to bind, the claim itself has the reason.
    let is_about_claims = messages::classify(MessageKind::Scheduling, &pod.unschedulable).is_some()
        || pod
            .unschedulable
            .contains("didn't find available persistent volumes to bind");
    let condition = pod
        .scheduling_evidence()
        .filter(|_| !is_about_claims && view.has_elapsed(pod.created, SCHEDULING));
    let cause = format!("the claim waits until its pod {} is scheduled", pod.name);
    let Some(condition) = condition else {
        return Finding::new("NFS115", claim.object(), cause).with_all_evidence(view.last_event(&claim.object()));
    };
    let cause = format!("{cause}, and the scheduler finds no node for it");
    Finding::new("NFS115", claim.object(), cause)
        .with_severity(Severity::Error)
        .with_all_evidence([condition])
        .with_affected([pod.object()])
        .with_advice("free resources on a node, or let the pod run on more nodes: see the scheduler's message")
}
