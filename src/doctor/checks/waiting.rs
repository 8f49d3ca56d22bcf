//! Pending claims and pods that no other check explains (PURE): NFS123, NFS413, NFS420.
//!
//! [`add_unexplained`] adds pods to the findings of their claims, and reports the other claims and pods that have been
//! Pending for a minute, with the last event about them. It leaves out those of storage that is known not to be NFS,
//! and those that wait for a good reason, which an info gives.

use std::collections::{HashMap, HashSet};

use k8s_openapi::jiff::SignedDuration;

use super::mounts::is_about_other_volume;
use super::{View, is_failed_mount};
use crate::cluster::provisioners::Provisioner;
use crate::cluster::snapshot::{Claim, Event, Pod, Stopped};
use crate::doctor::Severity;
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Evidence, Finding, Object};
use crate::shell::shell_word;

entries! {
    "NFS123" Error [CLAIMS, PODS] "waiting, cause unknown",
        "A claim or a pod waits, or a PV is not deleted, and none of the checks knows why. The finding lists the parts that were checked, the resources that could not be read, and the last event. Read the provisioner's log and kubectl describe of the object next. Events are kept for an hour only; for new ones, create the claim again.";
    "NFS420" Error [PODS, NODES] "the pod's node is not Ready",
        "The pod is assigned to a node that is not Ready or that no longer exists, so its volumes are not mounted. Start the node or its kubelet; a pod of a Deployment is moved after some minutes, one of a StatefulSet only once it is deleted.";
}

/// How long a claim or a pod may take before it counts as waiting.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// The objects that findings explain: each with the first finding that is a cause for it, and those that wait for a
/// good reason, which are the objects of infos that are no symptoms.
fn collect_explained(found: &[Finding]) -> (HashMap<Object, usize>, HashSet<Object>) {
    let (mut causes, mut accepted) = (HashMap::new(), HashSet::new());
    for (index, finding) in found.iter().enumerate() {
        match (finding.severity, finding.confidence) {
            (Severity::Info, _) if finding.is_symptom() => {}
            (Severity::Info, _) => _ = accepted.insert(finding.object.clone()),
            // A guess that is only a warning explains nothing.
            (Severity::Warning, Confidence::Possible) => {}
            _ => {
                for object in finding.affected.iter().chain([&finding.object]) {
                    causes.entry(object.clone()).or_insert(index);
                }
            }
        }
    }
    (causes, accepted)
}

/// Adds a finding for each claim, and each pod that waits for a volume, which is Pending, was created more than a
/// minute ago, and is in no finding. A pod is added to the first finding of its claims and volumes instead, if there is
/// one, and left out if an info explains a claim. `found` must hold the findings of all checks. Claims of other storage
/// than NFS are left out.
pub fn add_unexplained(view: &View<'_>, found: &mut Vec<Finding>) {
    let (causes, accepted) = collect_explained(found);
    let unknown = view.pending_claims().filter(|claim| {
        let object = claim.object();
        let is_explained = causes.contains_key(&object) || accepted.contains(&object);
        !is_explained && view.has_elapsed(view.waiting_since(claim), PATIENCE) && !view.is_known_other_storage(claim)
    });
    found.extend(unknown.map(|claim| describe_unexplained_claim(view, claim)));
    let (causes, accepted) = collect_explained(found);
    for pod in view.cluster.pods.iter().filter(|pod| waits_for_volume(view, pod)) {
        let object = pod.object();
        if causes.contains_key(&object) {
            continue;
        }
        // A finding about its volume may come from a pod of another node.
        if let Some(finding) = find_unready_node(view, pod).or_else(|| find_failed_creation(view, pod)) {
            found.push(finding);
            continue;
        }
        let claim = |name| Object::namespaced("PersistentVolumeClaim", &pod.namespace, name);
        let claims: Vec<Object> = pod.claims.iter().map(|name| claim(name)).collect();
        let volumes = view.nfs_volumes_of_pod(pod).map(|volume| volume.object());
        let mut behind = claims.iter().cloned().chain(volumes);
        match behind.find_map(|object| causes.get(&object)) {
            Some(index) => found[*index].affected.push(object),
            None if claims.iter().any(|claim| accepted.contains(claim)) => {}
            None => found.push(describe_unexplained_pod(view, pod)),
        }
    }
}

/// Whether a pod has been Pending for a minute because of a volume that may be NFS, rather than for another reason.
/// False for a pod that is being deleted.
fn waits_for_volume(view: &View<'_>, pod: &Pod) -> bool {
    let is_nfs = !pod.nfs.is_empty()
        || view.claims_of_pod(pod).any(|claim| !view.is_known_other_storage(claim))
        || view.find_event(&pod.object(), is_nfs_mount).is_some();
    if !pod.is_being_created() || pod.deleting.is_some() || !is_nfs || !view.has_elapsed(pod.created, PATIENCE) {
        return false;
    }
    if pod.node.is_empty() {
        let bound = view.claims_of_pod(pod).filter(|claim| !claim.is_pending());
        let text = pod.unschedulable.to_lowercase();
        return bound.count() < pod.claims.len() || text.contains("volume") || text.contains("pvc");
    }
    if pod.stopped.iter().any(fails_at_volume) || find_failed_creation(view, pod).is_some() {
        return true;
    }
    // An image that is pulled, or a container that was started, shows that the volumes are mounted.
    const BEING_CREATED: [&str; 4] = ["ContainerCreating", "PodInitializing", "CreateContainerConfigError", ""];
    let is_being_created = |stopped: &Stopped| BEING_CREATED.contains(&stopped.reason.as_str());
    !view.has_its_volumes(pod) && pod.stopped.iter().all(is_being_created)
}

/// Whether an event is about an NFS mount that failed, by which other storage may be mounted, too.
fn is_nfs_mount(event: &Event) -> bool {
    is_failed_mount(event) && event.message.contains("-t nfs")
}

/// Whether a container fails at the directory of a volume.
fn fails_at_volume(stopped: &Stopped) -> bool {
    const DIRECTORIES: [&str; 2] = ["/volumes/kubernetes.io~nfs/", "/volumes/kubernetes.io~csi/"];
    DIRECTORIES.iter().any(|path| stopped.message.contains(path))
}

/// NFS123 about a claim whose cause is unknown, with the last event and the last line of its provisioner's log.
fn describe_unexplained_claim(view: &View<'_>, claim: &Claim) -> Finding {
    let object = claim.object();
    let class = claim.class.as_deref().unwrap_or_default();
    let by_class = view.cluster.find_class(class).map(|class| class.provisioner.as_str());
    let provisioner = by_class.or(claim.handover.as_deref());
    let mut all = view.provisioners.iter();
    let serving = all.find(|one| one.name.is_some() && one.name == provisioner);
    let last_line = serving.and_then(|found| last_log_line(view, found));
    let cause = match (serving, provisioner) {
        (Some(found), _) => {
            let title = found.workload.object().title();
            let state = match &last_line {
                Some(line) => format!("its log ends with: {}", messages::strip_log_prefix(&line.text)),
                None => "its log was not read, or is empty".to_owned(),
            };
            format!("the claim waits for {title}, which runs and creates no volume; {state}")
        }
        (None, Some(name)) => format!("the claim waits for provisioner {name}; why it gets no volume is not known"),
        (None, None) => "the claim waits; the reason is not known".to_owned(),
    };
    let note = match serving.map(|found| found.workload) {
        Some(workload) => {
            let (namespace, kind) = (shell_word(&workload.namespace), workload.object().short_kind());
            let name = shell_word(&workload.name);
            format!("see the provisioner's log: kubectl -n {namespace} logs {kind}/{name}")
        }
        None => format!("see {}", object.kubectl_command("describe")),
    };
    Finding::new("NFS123", object.clone(), cause)
        .with_all_evidence(last_event_or_none(view, &object))
        .with_all_evidence(last_line)
        .with_all_evidence(list_unread(view))
        .with_same_cause(class)
        .with_advice(note)
}

/// Evidence of the last event about an object, or that there is none; `None` if events were not read.
fn last_event_or_none(view: &View<'_>, object: &Object) -> Option<Evidence> {
    let none = || Evidence::new(format!("events on {}", object.title()), "none in the last hour");
    let last = view.last_event(object);
    last.or_else(|| view.cluster.was_read("events").then(none))
}

/// The last line with text of the first log that the provisioner has; `None` without one.
fn last_log_line(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Evidence> {
    let log = provisioner.logs(view.cluster).next()?;
    let line = log.text.lines().rev().find(|line| !line.trim().is_empty())?;
    let mut evidence = log.line_evidence(line);
    evidence.source = format!("last line of the {}", evidence.source);
    Some(evidence)
}

/// Evidence of what could not be read, and may be the cause; `None` if all was read.
fn list_unread(view: &View<'_>) -> Option<Evidence> {
    let names: Vec<&str> = view.cluster.unread.iter().map(|unread| unread.what.as_str()).collect();
    (!names.is_empty()).then(|| Evidence::new("not read", names.join(", ")))
}

/// NFS420: a pod's node does not exist or is not Ready, so nothing is mounted on it. `None` if the pod has no node or
/// nodes were not read.
fn find_unready_node(view: &View<'_>, pod: &Pod) -> Option<Finding> {
    let name = &pod.node;
    let (fault, shown) = match view.cluster.find_node(name) {
        Some(node) if node.ready => return None,
        Some(_) => ("is not Ready, so its kubelet mounts no volumes", "not True"),
        None if name.is_empty() || !view.cluster.was_read("nodes") || view.cluster.nodes.is_empty() => return None,
        None => ("does not exist, and pods wait for their volumes on it", "no such node"),
    };
    let cause = format!("node {name} {fault}");
    Some(
        Finding::new("NFS420", Object::cluster_scoped("Node", name), cause)
            .with_evidence(format!("condition Ready of node {name}"), shown)
            .with_affected([pod.object()])
            .with_same_cause(name)
            .with_advice(format!(
                "start node {name} or its kubelet again, or have the pods run elsewhere"
            )),
    )
}

/// NFS123, a warning: a pod has its volumes, and its sandbox or a container, which is no matter of storage, can't be
/// created.
fn find_failed_creation(view: &View<'_>, pod: &Pod) -> Option<Finding> {
    let is_sandbox = |event: &&Event| event.reason == "FailedCreatePodSandBox";
    let (what, words, evidence) = match view.event_after_mounting(pod).filter(is_sandbox) {
        Some(event) => (
            "its sandbox".to_owned(),
            messages::extract_root_error(&event.message),
            event.evidence(),
        ),
        None => {
            let stopped = pod
                .stopped
                .iter()
                .find(|stopped| stopped.reason == "CreateContainerError" && !fails_at_volume(stopped))?;
            (
                format!("its container {}", stopped.container),
                stopped.message.clone(),
                pod.container_evidence(stopped),
            )
        }
    };
    let cause = format!("the pod's volumes are mounted, but {what} can't be created: {words}");
    Some(
        Finding::new("NFS123", pod.object(), cause)
            .with_severity(Severity::Warning)
            .with_all_evidence([evidence])
            .with_advice(format!(
                "this is no matter of storage: see the network plugin and the container runtime of node {}",
                pod.node
            )),
    )
}

/// NFS413 or NFS123 about a Pending pod whose cause is unknown. NFS123 is a warning if the volume that it waits
/// for is not NFS.
fn describe_unexplained_pod(view: &View<'_>, pod: &Pod) -> Finding {
    let object = pod.object();
    let note = format!("see {}", object.kubectl_command("describe"));
    let is_failure = |event: &&&Event| is_failed_mount(event) || event.reason == "Failed";
    let mut events: Vec<&Event> = view.events_about(&object).iter().filter(is_failure).copied().collect();
    if let Some(event) = events
        .iter()
        .find(|event| is_about_other_volume(view, pod, &event.message))
        .filter(|_| !events.iter().any(|event| is_nfs_mount(event)))
    {
        let cause = "the pod waits for a volume that is not NFS";
        return Finding::new("NFS123", object, cause)
            .with_severity(Severity::Warning)
            .with_all_evidence([event.evidence()])
            .with_advice(note);
    }
    events.retain(|event| is_failed_mount(event));
    let volume = view.nfs_volumes_of_pod(pod).next();
    let export = volume.and_then(|volume| volume.export()).or_else(|| pod.nfs.first());
    let of_command = || {
        events
            .iter()
            .find_map(|event| messages::parse_mount_command(&event.message).0)
    };
    let export = export.cloned().or_else(of_command);
    let export = export.map(|(server, path)| format!("{server}:{path}"));
    let shown = export.as_ref().map(|export| Evidence::new("its NFS volume", export));
    if !pod.node.is_empty() && !events.is_empty() {
        let about = volume.map_or_else(|| object.clone(), |volume| volume.object());
        let finding = describe_unexplained_mount(view, pod, about, &events);
        let export = export.as_deref().map_or_else(|| "SERVER:PATH".to_owned(), shell_word);
        let has_group = pod.fs_group && volume.is_some_and(|volume| volume.csi_driver.is_some());
        let by_hand = format!(
            "mount it by hand on the node: mount -v -t nfs {export} /mnt; {note}{}",
            match has_group {
                true =>
                    "; the kubelet also changes the group of all its files for the pod's fsGroup, unless fsGroupChangePolicy is OnRootMismatch",
                false => "",
            }
        );
        let has_advice = finding.fix.is_some();
        let finding = finding.with_all_evidence(shown).with_affected([object]);
        return if has_advice {
            finding
        } else {
            finding.with_advice(by_hand)
        };
    }
    if let Some(event) = view.find_event(&object, |event| event.reason == "VolumePermissionChangeInProgress") {
        let cause = "the kubelet changes the group of each file of the pod's volume first, for the pod's fsGroup";
        return Finding::new("NFS123", object, cause)
            .with_severity(Severity::Warning)
            .with_all_evidence([event.evidence()])
            .with_advice("set fsGroupChangePolicy: OnRootMismatch in the pod's securityContext: then only a directory whose own group differs is changed");
    }
    // The pod waits for a volume that is no claim, or for the scheduler, or a container does not start.
    let refused = pod.stopped.iter().find(|stopped| !stopped.message.is_empty());
    let event = view.find_event(&object, |event| event.reason == "FailedScheduling");
    let said = pod.scheduling_evidence().or_else(|| event.map(Event::evidence));
    let unscheduled = said.filter(|_| pod.node.is_empty());
    let cause = match (refused, &unscheduled) {
        (Some(stopped), _) => format!("container {} does not start: {}", stopped.container, stopped.message),
        (None, Some(said)) => format!("the scheduler finds no node for the pod: {}", said.text),
        (None, None) => "the pod waits for its volumes; the reason is not known".to_owned(),
    };
    let mut pending = view.claims_of_pod(pod).filter(|claim| claim.is_pending()).peekable();
    let waits_for_other_storage = pending.peek().is_some() && pending.all(|claim| view.is_known_other_storage(claim));
    let severity = match waits_for_other_storage {
        true => Severity::Warning,
        false => Severity::Error,
    };
    Finding::new("NFS123", object.clone(), cause)
        .with_severity(severity)
        .with_confidence(Confidence::Likely)
        .with_all_evidence(unscheduled)
        .with_all_evidence(refused.map(|stopped| pod.container_evidence(stopped)))
        .with_all_evidence(last_event_or_none(view, &object))
        .with_all_evidence(shown)
        .with_all_evidence(list_unread(view))
        .with_advice(note)
}

/// NFS413 about a volume: it is not mounted, with the most specific of the events about its pod, of which there must be
/// one. It has advice only where mounting by hand would not help.
fn describe_unexplained_mount(view: &View<'_>, pod: &Pod, about: Object, events: &[&Event]) -> Finding {
    let finding = |event: Option<&&Event>, cause: String| {
        Finding::new("NFS413", about, cause).with_all_evidence(event.map(|event| event.evidence()))
    };
    let node = &pod.node;
    // A timeout gives no reason; another event may.
    let is_specific = |event: &&&Event| !messages::is_message_of("NFS410", MessageKind::Mount, &event.message);
    let specific = events.iter().find(is_specific);
    if let Some((cause, advice)) = find_volume_twice(view, pod) {
        return finding(specific.or(events.first()), cause).with_advice(advice);
    }
    let Some(event) = specific else {
        let cause = format!("node {node} does not finish mounting the pod's volumes, and reports no reason");
        return finding(events.first(), cause);
    };
    let words = messages::extract_root_error(&event.message);
    let of_mount = ["mount failed", "mount.nfs", "Output: "];
    if words.contains("chmod /") || of_mount.iter().any(|part| event.message.contains(part)) {
        let cause =
            format!("node {node} can't mount the pod's volume, for a reason that nfsprov does not know: {words}");
        let finding = finding(Some(event), cause);
        return match words.contains("chmod /") {
            true => finding.with_advice("the driver sets the mode of the directory as root, and the export squashes root: leave mountPermissions out of the class, or export with no_root_squash"),
            false => finding,
        };
    }
    let describe = pod.object().kubectl_command("describe");
    finding(
        Some(event),
        format!("the kubelet of node {node} does not mount the pod's volume: {words}"),
    )
    .with_advice(format!(
        "it did not come to the mount itself: see {describe}, and the kubelet's log"
    ))
}

/// Why the kubelet does not mount a pod's volume of a CSI driver, and what to do: another volume of the pod is the same
/// claim, or another PV has the same volume handle.
fn find_volume_twice(view: &View<'_>, pod: &Pod) -> Option<(String, &'static str)> {
    let mut seen = HashSet::new();
    let mut volumes = view.volumes_of_pod(pod).filter(|volume| volume.csi_driver.is_some());
    volumes.find_map(|volume| {
        let name = &volume.name;
        if !seen.insert(name) {
            let cause = format!(
                "the pod has two volumes of the same claim, with PV {name}, and the kubelet mounts only one of them"
            );
            return Some((
                cause,
                "leave one of the two volumes out of the pod, and mount the other one twice (volumeMounts)",
            ));
        }
        let twin = view.find_twin(volume)?;
        let cause = format!(
            "PVs {} and {name} have the same volumeHandle, {}, so that kubelet and driver take them for one volume",
            twin.name, volume.csi_handle
        );
        let advice = "create one of the PVs again with another volumeHandle, which can be any unique text";
        Some((cause, advice))
    })
}
