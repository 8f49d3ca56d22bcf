//! Pods that can't start or end because of their claims: NFS116, NFS118, NFS119, NFS120, NFS410 to NFS412 (PURE).

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use k8s_openapi::jiff::SignedDuration;
use kube::core::{Expression, SelectorExt};

use super::View;
use super::commands::object_argument;
use crate::cluster::snapshot::{Event, Node, Pod, Volume, Workload};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::names::{find_closest, list_names};
use crate::doctor::{Confidence, Evidence, Finding};
use crate::shell::shell_word;

/// The time after its deletion timestamp from which a pod counts as stuck.
const STUCK: SignedDuration = SignedDuration::from_mins(5);

/// How long the creation of a pod's claim may take.
const SOON: SignedDuration = SignedDuration::from_secs(5);

entries! {
    "NFS116" Error [PODS, VOLUMES, NODES, EVENTS] "node affinity",
        "The PV may be used only on nodes that its nodeAffinity describes, and the pod can't go there. An NFS PV needs no node affinity, since NFS is the same on every node. nodeAffinity can't be edited: create the PV again without it.";
    "NFS118" Info [PODS, EVENTS] "pod waits for unbound claims" symptom,
        "The scheduler waits until the pod's claims are Bound. Look for the claim's own finding.";
    "NFS119" Error [PODS, CLAIMS] "the pod's claim doesn't exist",
        "The pod names a claim that doesn't exist, or that is being deleted.";
    "NFS120" Error [PODS, EVENTS] "ReadWriteOncePod already in use",
        "A claim with the access mode ReadWriteOncePod serves one pod in the cluster, and another one has it.";
    "NFS410" Info [PODS, EVENTS] "volumes not mounted yet" symptom,
        "The kubelet waits for a pod's volumes. Another finding may give the cause.";
    "NFS411" Warning [PODS, VOLUMES, HOSTS] "permissions" automatic,
        "Kubernetes does not change the group of in-tree NFS volumes, so fsGroup has no effect on them. The owner, group and mode of the directory on the server decide; without x (chmod 666), only root can enter a directory.";
    "NFS412" Warning [PODS, VOLUMES] "pod stuck in Terminating",
        "The pod can't end while its node is not Ready, or while its NFS server does not answer. Start the node, its kubelet or the server; the pod then ends by itself. A forced deletion (kubectl delete pod --grace-period=0 --force) only removes the pod from the cluster. Its processes may continue and write to the volume, and a StatefulSet starts a second pod at the same time. So use it only after no process of the pod runs on the node.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let alive = view.cluster.pods.iter().filter(|pod| !pod.has_ended());
    alive.flat_map(|pod| find_pod_problems(view, pod)).collect()
}

/// Only NFS412 for a pod that is being deleted; else NFS116 and NFS118 to NFS120 before it has a node, NFS410 while it
/// is Pending on one, and NFS411.
fn find_pod_problems(view: &View<'_>, pod: &Pod) -> Vec<Finding> {
    if pod.deleting.is_some() {
        return find_stuck_termination(view, pod).into_iter().collect();
    }
    let mut found = Vec::new();
    if pod.node.is_empty() {
        found.extend(pod.claims.iter().filter_map(|name| find_missing_claim(view, pod, name)));
        found.extend(find_scheduling_problem(view, pod));
    } else if pod.is_being_created() {
        // A pod that names its node does not wait for the scheduler.
        let missing = |name: &&String| view.find_claim(&pod.namespace, name).is_none();
        let missing = pod.claims.iter().filter(missing);
        found.extend(missing.filter_map(|name| find_missing_claim(view, pod, name)));
        found.extend(find_unmounted_volumes(view, pod));
        found.extend(find_exclusive_claim(view, pod));
    }
    found.extend(find_lacking_permission(view, pod));
    found
}

/// NFS119: a claim that a pod names doesn't exist, or is being deleted. `None` if claims were not read, or the pod is
/// only seconds old.
fn find_missing_claim(view: &View<'_>, pod: &Pod, name: &str) -> Option<Finding> {
    // Of other namespaces, provisioners' pods are read, and no claims.
    let namespace = view.cluster.namespace.as_deref();
    if !view.cluster.was_read("persistentvolumeclaims") || namespace.is_some_and(|here| here != pod.namespace) {
        return None;
    }
    let object = pod.object();
    let event = view.find_event(&object, |event| {
        messages::is_message_of("NFS119", MessageKind::Scheduling, &event.message) || event.reason == "FailedMount"
    });
    let event = event.map(|event| event.evidence());
    let claim = view.find_claim(&pod.namespace, name);
    let cause = match claim {
        Some(claim) if claim.deleting.is_none() => return None,
        Some(_) => format!("the pod's claim {name} is being deleted"),
        // A StatefulSet makes the claim just before the pod; the lists were read at slightly different times.
        None if !view.has_elapsed(pod.created, SOON) => return None,
        None => format!("the pod's claim {name} doesn't exist"),
    };
    let finding = Finding::new("NFS119", object.clone(), cause)
        .with_same_cause(&format!("{}/{name}", pod.namespace))
        .with_field("spec.volumes", name);
    if let Some(claim) = claim {
        return Some(
            finding
                .with_field_of(&claim.object(), "metadata.deletionTimestamp", "set")
                .with_all_evidence(event)
                .with_advice("create the claim again after it is deleted; the pod then continues by itself"),
        );
    }
    let mut sets = view.cluster.workloads.iter().filter(|set| set.kind == "StatefulSet");
    let is_template_of = |set: &&Workload| {
        let mut templates = set.templates.iter();
        set.namespace == pod.namespace && templates.any(|(template, ..)| *name == format!("{template}-{}", pod.name))
    };
    if let Some(set) = sets.find(is_template_of) {
        let note = format!(
            "{} then creates the claim and the pod again: it creates a claim only along with its pod",
            set.object().title()
        );
        return Some(
            finding
                .with_all_evidence(event)
                .with_command(object.kubectl_command("delete"), note),
        );
    }
    let named = view.cluster.claims.iter().filter(|claim| claim.name == name);
    let elsewhere: Vec<&str> = named.map(|claim| claim.namespace.as_str()).collect();
    if !elsewhere.is_empty() {
        let what = format!("claims called {name}");
        return Some(
            finding
                .with_all_evidence(event)
                .with_evidence(what, format!("in namespace {}", list_names(&elsewhere)))
                .with_advice(format!(
                    "a pod can only use claims of its own namespace: create the pod in namespace {}, or a claim and a PV for the same directory in {}",
                    list_names(&elsewhere),
                    pod.namespace
                )),
        );
    }
    let claims = view.cluster.claims.iter();
    let in_namespace = claims.filter(|claim| claim.namespace == pod.namespace);
    let note = match find_closest(name, in_namespace.map(|claim| claim.name.as_str())) {
        Some(meant) => format!("or was {meant} meant? then create the pod again with that name"),
        None => "with the size and class that the pod needs".to_owned(),
    };
    let (namespace, name) = (shell_word(&pod.namespace), object_argument(name));
    let command = format!("nfsprov -n {namespace} create pvc {name} --size 1Gi --apply");
    Some(finding.with_all_evidence(event).with_command(command, note))
}

/// Why the scheduler finds no node for a pod that uses claims: NFS116, NFS118 or NFS120. `None` if it is not the
/// claims, or for NFS118 none of them is Pending any more.
fn find_scheduling_problem(view: &View<'_>, pod: &Pod) -> Option<Finding> {
    if pod.claims.is_empty() {
        return None;
    }
    // The condition is current; events may be outdated.
    let evidence = pod.scheduling_evidence().or_else(|| {
        let event = view.find_event(&pod.object(), |event| event.reason == "FailedScheduling");
        event.map(Event::evidence)
    })?;
    let (code, _) = messages::classify(MessageKind::Scheduling, &evidence.text)?;
    let finding = |cause: String| Finding::new(code, pod.object(), cause).with_all_evidence([evidence.clone()]);
    match code {
        "NFS116" => Some(describe_affinity(view, pod, finding)),
        "NFS118" => {
            let pending = view.claims_of_pod(pod).filter(|claim| claim.is_pending());
            let names: Vec<_> = pending.map(|claim| claim.name.as_str()).collect();
            let cause = format!("the pod waits until its claims are Bound: {}", names.join(", "));
            (!names.is_empty()).then(|| finding(cause))
        }
        "NFS120" => Some(describe_exclusive_claim(pod, evidence)),
        // Claims that are lost or missing have findings of their own.
        _ => None,
    }
}

/// NFS120, as the kubelet says it of a pod that names its node.
fn find_exclusive_claim(view: &View<'_>, pod: &Pod) -> Option<Finding> {
    let event = view.find_event_of(&pod.object(), "NFS120", MessageKind::Mount)?;
    Some(describe_exclusive_claim(pod, event.evidence()))
}

fn describe_exclusive_claim(pod: &Pod, evidence: Evidence) -> Finding {
    Finding::new(
        "NFS120",
        pod.object(),
        "another pod has the pod's ReadWriteOncePod claim",
    )
    .with_all_evidence([evidence])
    .with_advice("end the other pod, or use ReadWriteMany, which NFS supports")
}

/// NFS116: no node that the pod may run on matches the node affinity of its volume. `finding` creates the finding from
/// its cause. It is only likely if no PV of the pod is known to have an affinity.
fn describe_affinity(view: &View<'_>, pod: &Pod, finding: impl FnOnce(String) -> Finding) -> Finding {
    let mut bound = view.volumes_of_pod(pod);
    let Some((volume, affinity)) = bound.find_map(|volume| Some((volume, volume.affinity.as_deref()?))) else {
        return finding("the pod's volume can't be used on any node that the pod may run on".to_owned())
            .with_confidence(Confidence::Likely)
            .with_advice("compare the nodeAffinity of the pod's PVs with the nodes' labels");
    };
    let nodes = &view.cluster.nodes;
    let fitting = nodes.iter().filter(|node| is_allowed_node(affinity, node));
    let fitting: Vec<_> = fitting.map(|node| node.name.as_str()).collect();
    let (name, fitting) = (&volume.name, fitting.join(", "));
    let required = list_requirements(affinity);
    let cause = match fitting.as_str() {
        "" => format!(
            "PV {name} can be used on no node: its nodeAffinity ({required}) matches none of {}",
            nodes.len()
        ),
        _ => format!("PV {name} can be used on {fitting} only, where the pod can't run"),
    };
    finding(cause)
        .with_field_of(&volume.object(), "spec.nodeAffinity", required)
        .with_advice(match volume.is_nfs() {
            true => "a PV's nodeAffinity can't be edited: create the PV again without it, or label a node so that it matches",
            // A disk is where it is.
            false => "the PV is not NFS, and can't be moved: make room for the pod on such a node (kubectl describe node: cordoned, tainted or full?)",
        })
}

/// A node affinity in words: its terms on labels; `matchFields` are left out.
fn list_requirements(affinity: &NodeSelector) -> String {
    let terms = affinity.node_selector_terms.iter();
    let describe = |requirement: &NodeSelectorRequirement| {
        let values = requirement.values.as_deref().unwrap_or_default();
        format!("{} {} {}", requirement.key, requirement.operator, values.join(","))
    };
    let each = terms.map(|term| {
        term.match_expressions
            .iter()
            .flatten()
            .map(describe)
            .collect::<Vec<_>>()
            .join(" and ")
    });
    each.collect::<Vec<_>>().join(", or ")
}

/// Whether a node's labels match a volume's node affinity. Requirements on fields (`matchFields`), and the operators
/// that only nodes have (`Gt`, `Lt`), count as met.
fn is_allowed_node(affinity: &NodeSelector, node: &Node) -> bool {
    let is_met = |requirement: &NodeSelectorRequirement| {
        let requirement = Expression::try_from(LabelSelectorRequirement {
            key: requirement.key.clone(),
            operator: requirement.operator.clone(),
            values: requirement.values.clone(),
        });
        requirement.map_or(true, |requirement| requirement.matches(&node.labels))
    };
    let mut terms = affinity.node_selector_terms.iter();
    terms.any(|term| term.match_expressions.iter().flatten().all(is_met))
}

/// NFS410, likely: an event, which may be old, says that the kubelet waits for a pod's volumes. The caller checks that
/// the pod is Pending.
fn find_unmounted_volumes(view: &View<'_>, pod: &Pod) -> Option<Finding> {
    let event = view.find_event_of(&pod.object(), "NFS410", MessageKind::Mount)?;
    Some(
        Finding::new("NFS410", pod.object(), "the kubelet waits for the pod's volumes")
            .with_all_evidence([event.evidence()])
            .with_confidence(Confidence::Likely),
    )
}

/// NFS411, possible: a pod fails that has an fsGroup and an in-tree NFS volume, on which it has no effect; or one with
/// an NFS volume, whose last words are of a file that it may not change.
fn find_lacking_permission(view: &View<'_>, pod: &Pod) -> Option<Finding> {
    let mut stopped = pod.stopped.iter();
    let failing = stopped.find(|stopped| matches!(stopped.reason.as_str(), "CrashLoopBackOff" | "Error"))?;
    let volumes: Vec<&Volume> = view.nfs_volumes_of_pod(pod).collect();
    let name = &volumes.first()?.name;
    let finding = |cause: String| {
        Finding::new("NFS411", pod.object(), cause)
            .with_confidence(Confidence::Possible)
            .with_all_evidence([pod.container_evidence(failing)])
    };
    let last_words = failing.message.lines().find_map(|line| {
        let is_met = |(parts, ..): &&LastWords| parts.iter().all(|part| line.contains(part));
        // The first line begins with how the container ended.
        let (_, after_status) = line.split_once("exit status ").unwrap_or_default();
        let words = after_status.split_once(' ').map_or(line, |(_, words)| words);
        Some((LAST_WORDS.iter().find(is_met)?, words.trim()))
    });
    if let Some(((_, why, advice), words)) = last_words {
        let advice = format!("if it is on the NFS volume {name}: {advice}");
        return Some(finding(format!("the pod fails, {why}: {words}")).with_advice(advice));
    }
    let in_tree = volumes.iter().find(|volume| pod.fs_group && volume.nfs.is_some())?;
    let cause = format!(
        "the pod fails, and its fsGroup has no effect on the NFS volume {}",
        in_tree.name
    );
    Some(
        finding(cause)
            .with_field("spec.securityContext.fsGroup", "set")
            .with_advice("if the pod lacks permission: give the directory on the server that group and the mode 2770"),
    )
}

/// What programs say of a file on an NFS volume: parts of a line, what it means, and what to do.
type LastWords = (&'static [&'static str], &'static str, &'static str);

const LAST_WORDS: [LastWords; 8] = [
    (
        &["chown", "peration not permitted"],
        "since it may not change the owner of files",
        "its export squashes root; give the directory on the server the owner that the image wants, and run the pod as \
         that user, or export with no_root_squash",
    ),
    (
        &["chmod", "peration not permitted"],
        "since it may not change the mode of files",
        "only their owner may do so, and its export squashes root; give the directory on the server the owner that the \
         image wants, and run the pod as that user",
    ),
    (
        &["chown", "nvalid argument"],
        "since the server does not know the user whom files are given to",
        "node and server need the same NFSv4 domain (/etc/idmapd.conf) and know the user; NFSv3 sends numbers instead of names",
    ),
    (
        &["o locks available"],
        "since it gets no lock on a file",
        "NFSv3 needs rpc.statd and lockd on node and server, and their ports open; NFSv4 needs neither",
    ),
    (
        &["ead-only file system", "/"],
        "since it may not write",
        "look for ro in the export, in the mountOptions of PV and class, and for readOnly in the pod",
    ),
    (
        &["peration not permitted", "/"],
        "since it may not change a file",
        "its export squashes root, or the file is another user's; give the directory on the server the owner that the \
         image wants, and run the pod as that user",
    ),
    (
        &["could not change permissions", "\""],
        "since it may not change the mode of files",
        "give the directory on the server the owner that the image wants, and run the pod as that user",
    ),
    (
        &["ermission denied", "/"],
        "since it lacks a permission",
        "give the directory on the server the owner and group that the pod runs as (securityContext); fsGroup has no \
         effect on an in-tree NFS volume",
    ),
];

/// NFS412: a pod with an NFS volume, which the caller knows to be terminating, has been so for more than five minutes.
/// `None` without a node or an NFS volume.
fn find_stuck_termination(view: &View<'_>, pod: &Pod) -> Option<Finding> {
    let volume = view.nfs_volumes_of_pod(pod).next();
    let (server, path) = volume.and_then(Volume::export).or_else(|| pod.nfs.first())?;
    if pod.node.is_empty() || !view.has_elapsed(pod.deleting, STUCK) {
        return None;
    }
    let node = &pod.node;
    let finalizers = pod.finalizers.join(", ");
    let (ready, cause, confidence, note) = match view.cluster.find_node(node).map(|node| node.ready) {
        // None of its containers was ever started, so the kubelet has nothing to end.
        Some(true) if !finalizers.is_empty() && pod.started.is_none() => (
            "True",
            format!("the pod stays until its finalizer is removed: {finalizers}"),
            Confidence::Likely,
            "see why its owner does not remove it: that of batch.kubernetes.io/job-tracking is the controller manager"
                .to_owned(),
        ),
        Some(false) => (
            "not True",
            format!("the pod can't end: its node {node} is not Ready"),
            Confidence::Likely,
            format!(
                "start node {node} or its kubelet again; the pod then ends by itself. Until then its processes may still \
                 run there and write to the volume"
            ),
        ),
        // Nodes could not be read, so whether the pod still runs on this one is unknown.
        None => (
            "the node was not read, or does not exist",
            format!("the pod can't end; is the NFS server {server} running, and is node {node} Ready?"),
            Confidence::Possible,
            format!("check node {node}, then the server: the pod ends by itself when both run again"),
        ),
        Some(true) if let Some(driver) = find_removed_driver(view, volume) => (
            "True",
            format!(
                "the pod can't end: node {node} can't unmount its volume without the CSI driver {driver}, which is not installed"
            ),
            Confidence::Likely,
            format!("install {driver} again until no pod uses its volumes; the pod then ends by itself"),
        ),
        Some(true) => (
            "True",
            format!("the pod can't end, though its node {node} is Ready; is the NFS server {server} running?"),
            Confidence::Possible,
            describe_last_resort(pod),
        ),
    };
    Some(
        // All such pods of a node, or of a server, end together.
        Finding::new("NFS412", pod.object(), cause.clone())
            .with_same_cause(&cause)
            .with_confidence(confidence)
            .with_field("metadata.deletionTimestamp", "more than five minutes ago")
            .with_evidence(format!("condition Ready of node {node}"), ready)
            .with_evidence("its NFS volume", format!("{server}:{path}"))
            .with_all_evidence((!finalizers.is_empty()).then(|| Evidence::new("metadata.finalizers", finalizers)))
            .with_all_evidence(view.last_event(&pod.object()))
            .with_advice(note),
    )
}

/// The CSI driver of a volume if the cluster has none of that name.
fn find_removed_driver<'a>(view: &View<'_>, volume: Option<&'a Volume>) -> Option<&'a str> {
    let driver = volume?.csi_driver.as_deref()?;
    let is_there = view.cluster.csi_drivers.iter().any(|one| one == driver);
    (view.cluster.was_read("csidrivers") && !is_there).then_some(driver)
}

/// Advice, never a command: before a pod is force-deleted, the administrator has to know that its processes have ended.
fn describe_last_resort(pod: &Pod) -> String {
    format!(
        "start the server again; the pod then ends by itself. Last resort, after no process of the pod runs on node \
         {}: {} --grace-period=0 --force. That only removes the pod from the cluster: its processes may continue, and \
         a StatefulSet starts a second pod that may write to the volume at the same time",
        pod.node,
        pod.object().kubectl_command("delete")
    )
}
