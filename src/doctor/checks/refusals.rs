//! Policies that refuse pods with NFS volumes: NFS207, whose row is among those of `workloads` (PURE).

use super::View;
use crate::cluster::provisioners::{Provisioner, ProvisionerKind};
use crate::cluster::snapshot::Event;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Evidence, Finding, Object};

/// NFS207: a quota or policy refuses the pod of a provisioner's workload, by the newest `FailedCreate` event, else by its
/// condition; NFS203 if these say something else. The caller checks that it has no pod, since the event may be older.
/// Events about the workload count, and those about a Deployment's ReplicaSets, whose names are the Deployment's and a
/// hash.
pub fn find_refused_pod(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let workload = provisioner.workload.object();
    let is_of_workload = |object: &Object| *object == workload || deployment_of(object).as_ref() == Some(&workload);
    let mut events = view.cluster.events.iter().rev();
    let event =
        events.find(|event| event.reason == "FailedCreate" && event.object.as_ref().is_some_and(is_of_workload));
    // Events live for an hour, the condition as long as the failure.
    let text = event.map_or(&provisioner.workload.replica_failure, |event| &event.message);
    if text.is_empty() {
        return None;
    }
    let evidence = event.map_or_else(|| Evidence::new("condition ReplicaFailure", text), Event::evidence);
    let finding = |code, cause: String| Finding::new(code, workload, cause).with_all_evidence([evidence]);
    let code = messages::classify(MessageKind::Creation, text).map(|(code, _)| code);
    // A quota for pods refuses as well.
    if !matches!(code, Some("NFS207" | "NFS121")) {
        let words = messages::extract_root_error(text);
        return Some(
            finding("NFS203", format!("the provisioner's pod can't be created: {words}"))
                .with_advice("remove what the message names; the pod is then created by itself"),
        );
    }
    let is_privileged = matches!(
        provisioner.kind,
        ProvisionerKind::CsiController | ProvisionerKind::Ganesha
    );
    let (who, mut advice) = describe_refusal(text, is_privileged);
    if !is_privileged && advice.contains("NFS volumes") {
        advice += "; nfsprov's own provisioner mounts nothing and needs no privilege";
    }
    Some(finding("NFS207", format!("the provisioner's pod is refused by {who}")).with_advice(advice))
}

/// NFS207 about the controllers of applications whose pods a policy refuses for an NFS volume of their own, by the newest
/// event about each; those of provisioners are left out.
pub fn find_refused_applications(view: &View<'_>) -> Vec<Finding> {
    let of_provisioners: Vec<Object> = view.provisioners.iter().map(|one| one.workload.object()).collect();
    let mut found: Vec<Finding> = Vec::new();
    for event in view
        .cluster
        .events
        .iter()
        .rev()
        .filter(|event| event.reason == "FailedCreate")
    {
        let asked = view.cluster.namespace.as_ref();
        let in_scope = |object: &&Object| asked.is_none() || object.namespace.as_ref() == asked;
        let Some(object) = event.object.as_ref().filter(in_scope) else {
            continue;
        };
        let owner = deployment_of(object);
        let is_refusal = messages::is_message_of("NFS207", MessageKind::Creation, &event.message);
        let has = |words: &str| event.message.contains(words);
        let is_of_nfs = has("volume type") && has("\"nfs\"") || has("nfs volumes are not allowed to be used");
        let is_known = of_provisioners.contains(object)
            || owner.is_some_and(|owner| of_provisioners.contains(&owner))
            || found.iter().any(|finding| finding.object == *object);
        if !is_refusal || !is_of_nfs || is_known {
            continue;
        }
        let (who, _) = describe_refusal(&event.message, false);
        let cause = format!("pods with an NFS volume of their own are refused by {who}");
        found.push(
            Finding::new("NFS207", object.clone(), cause)
                .with_confidence(Confidence::Likely)
                .with_all_evidence([event.evidence()])
                .with_advice("have the pods use a claim, with a PV for the export: such policies forbid the volume type nfs in pods, not claims"),
        );
    }
    found
}

/// The Deployment of a ReplicaSet, whose name is the Deployment's and a hash; `None` for other objects.
fn deployment_of(object: &Object) -> Option<Object> {
    let (deployment, _hash) = object.name.rsplit_once('-').filter(|_| object.kind == "ReplicaSet")?;
    Some(Object {
        kind: "Deployment".to_owned(),
        namespace: object.namespace.clone(),
        name: deployment.to_owned(),
    })
}

/// Policies that refuse pods: a part of the message, the end of the policy's name if that follows it, a description, and
/// advice.
const REFUSALS: [(&str, Option<char>, &str, &str); 12] = [
    (
        "violates PodSecurity \"",
        Some('"'),
        "the Pod Security Standard of its namespace",
        "run it in a namespace whose label pod-security.kubernetes.io/enforce is baseline, which allows NFS volumes, or privileged",
    ),
    (
        "security context constraint",
        None,
        "OpenShift's security context constraints",
        "let its service account use an SCC that allows NFS volumes, such as hostmount-anyuid",
    ),
    (
        "PodSecurityPolicy",
        None,
        "PodSecurityPolicy",
        "let its service account use a PodSecurityPolicy that allows NFS volumes",
    ),
    (
        "admission webhook \"",
        Some('"'),
        "an admission webhook",
        "make an exception for it in the webhook's policies, or run it in a namespace to which they don't apply",
    ),
    (
        "failed calling webhook \"",
        Some('"'),
        "an admission webhook that does not answer",
        "start what serves the webhook, or delete its ValidatingWebhookConfiguration or MutatingWebhookConfiguration if it is not needed any more",
    ),
    (
        "ValidatingAdmissionPolicy '",
        Some('\''),
        "a ValidatingAdmissionPolicy",
        "make an exception for it in the policy's binding, or run it in a namespace to which that does not apply",
    ),
    (
        "because it is being terminated",
        None,
        "the API server, since its namespace is being deleted",
        "run it in another namespace, or see what keeps this one from being deleted and create it again",
    ),
    (
        "exceeded quota: ",
        Some(','),
        "the ResourceQuota of its namespace",
        "raise the quota, or delete objects of the namespace",
    ),
    (
        "failed quota: ",
        Some(':'),
        "the ResourceQuota of its namespace",
        "set the requests and limits that the quota wants in its containers, or by a LimitRange of the namespace",
    ),
    (
        "insufficient quota to match these scopes",
        None,
        "the cluster, which admits its PriorityClass only with a ResourceQuota",
        "create a ResourceQuota in its namespace whose scopeSelector admits its PriorityClass, or run it in kube-system",
    ),
    (
        "priorityClass is not permitted in ",
        None,
        "the API server, which admits its PriorityClass in kube-system only",
        "run it in kube-system, or give it another priorityClassName",
    ),
    (
        "error looking up service account ",
        Some(':'),
        "the API server, which does not find its service account",
        "create the service account, with the permissions that the provisioner needs (see NFS206)",
    ),
];

/// The policy that refuses a pod, if it is a known one, and the advice for it; `is_privileged` if the pod needs more than
/// NFS volumes. `text`, which others wrote, is not repeated but for the policy's name.
pub(super) fn describe_refusal(text: &str, is_privileged: bool) -> (String, String) {
    // The oldest wording of the same policy.
    let text = text.replace("pod security policy", "PodSecurityPolicy");
    let mut rows = REFUSALS.iter();
    let found = rows.find_map(|(phrase, end, who, advice)| Some((*end, *who, *advice, text.split_once(phrase)?.1)));
    let Some((end, who, advice, rest)) = found else {
        let advice = "run it in a namespace that allows it".to_owned();
        return ("the cluster's rules".to_owned(), advice);
    };
    let name = end.and_then(|end| rest.split(end).next());
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    let is_standard = who == REFUSALS[0].2;
    // A policy may forbid another type of volume.
    let types = ["persistentVolumeClaim", "hostPath", "csi"].into_iter();
    let types = types.filter(|kind| rest.contains(&format!("{kind} volumes are not allowed")));
    let types = types.collect::<Vec<_>>().join(", ");
    let advice = match advice.split_once("that allows NFS volumes") {
        _ if is_standard && (is_privileged || rest.starts_with("baseline")) => {
            "run it in a namespace whose label pod-security.kubernetes.io/enforce is privileged".to_owned()
        }
        Some((before, _)) if is_privileged => format!("{before}that allows what the message says is forbidden"),
        Some((before, _)) if !types.is_empty() => format!("{before}that allows volumes of the type {types}"),
        _ => advice.to_owned(),
    };
    (format!("{who}{name}"), advice)
}
