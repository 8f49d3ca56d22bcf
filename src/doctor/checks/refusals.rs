//! Policies that refuse a provisioner's pod: NFS207, whose row is among those of `workloads` (PURE).

use super::View;
use crate::cluster::provisioners::Provisioner;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Finding, Object};

/// NFS207: the newest `FailedCreate` event says that a quota or policy refuses the pod of a provisioner's workload. The
/// caller checks that it has no pod, since the event may be older. Events about the workload count, and those about a
/// Deployment's ReplicaSets, whose names are the Deployment's and a hash.
pub fn find_refused_pod(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let workload = provisioner.workload.object();
    let is_of_workload = |object: &Object| {
        let name = object.name.rsplit_once('-').filter(|_| object.kind == "ReplicaSet");
        let owner = name.map(|(deployment, _hash)| Object {
            kind: "Deployment".to_owned(),
            namespace: object.namespace.clone(),
            name: deployment.to_owned(),
        });
        *object == workload || owner.as_ref() == Some(&workload)
    };
    let mut events = view.cluster.events.iter().rev();
    let event = events.find(|event| {
        let code = messages::classify(MessageKind::Creation, &event.message).map(|(code, _)| code);
        event.reason == "FailedCreate"
            && event.object.as_ref().is_some_and(is_of_workload)
            // A quota for pods refuses as well.
            && matches!(code, Some("NFS207" | "NFS121"))
    })?;
    let (cause, advice) = describe_refusal(&event.message);
    Some(
        Finding::new("NFS207", workload.clone(), cause)
            .with_all_evidence([event.evidence()])
            .with_advice(format!(
                "{advice}; nfsprov's own provisioner mounts nothing and needs no privilege"
            )),
    )
}

/// Policies that refuse pods: a part of the message, the end of the policy's name if that follows it, a description, and
/// advice.
const REFUSALS: [(&str, Option<char>, &str, &str); 6] = [
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
        "exceeded quota: ",
        Some(','),
        "the ResourceQuota of its namespace",
        "raise the quota, or delete objects of the namespace",
    ),
    (
        "error looking up service account ",
        Some(':'),
        "the API server, which does not find its service account",
        "create the service account, with the permissions that the provisioner needs (see NFS206)",
    ),
];

/// The cause of a refusal, with the policy that refused the pod if it is a known one, and the advice for it. `text`,
/// which others wrote, is not repeated but for the policy's name.
fn describe_refusal(text: &str) -> (String, &'static str) {
    // The oldest wording of the same policy.
    let text = text.replace("pod security policy", "PodSecurityPolicy");
    let mut rows = REFUSALS.iter();
    let found = rows.find_map(|(phrase, end, who, advice)| Some((*end, who, advice, text.split_once(phrase)?.1)));
    let Some((end, who, advice, rest)) = found else {
        let cause = "the provisioner's pod is refused by the cluster's rules";
        return (cause.to_owned(), "run it in a namespace that allows it");
    };
    let name = end.and_then(|end| rest.split(end).next());
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    (format!("the provisioner's pod is refused by {who}{name}"), advice)
}
