//! Provisioners that don't run: NFS203, NFS204, NFS205, NFS207, NFS208 (PURE).

use std::collections::BTreeSet;

use k8s_openapi::jiff::SignedDuration;

use super::{View, mounts, refusals};
use crate::change::Change;
use crate::cluster::images;
use crate::cluster::nfs_volumes::has_nfs_in_name;
use crate::cluster::provisioners::{self, Provisioner, ProvisionerKind};
use crate::cluster::snapshot::{Event, Log, Pod, Stopped};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Finding, Fix, Severity};

/// How long a pod may take to be ready.
const START: SignedDuration = SignedDuration::from_mins(1);

/// What nfs-subdir-external-provisioner can't do without.
const NEEDED: [&str; 3] = ["PROVISIONER_NAME", "NFS_SERVER", "NFS_PATH"];

entries! {
    "NFS203" Error [CLASSES, DEPLOYMENTS, PODS, THEIR_PODS] "the provisioner doesn't run" automatic,
        "The workload that serves the class has no ready pod: it is scaled to 0, crashes, can't be scheduled, or lacks NFS_SERVER, NFS_PATH or PROVISIONER_NAME.";
    "NFS204" Error [DEPLOYMENTS, PODS, THEIR_PODS] "the provisioner's image can't be pulled" automatic,
        "The name or tag does not exist, or the registry can't be reached. A frequent mistake: the version of the Helm chart (v4.0.17) is not a tag of the image; its tags are v4.0.0 to v4.0.2. For other causes see the registry's message in the finding.";
    "NFS205" Error [DEPLOYMENTS, PODS, THEIR_PODS] "image for another processor" automatic,
        "exec format error: the image was built for another processor than the node's. The image of nfs-subdir-external-provisioner v4.0.2 is built for amd64, arm64 and arm.";
    "NFS207" Error [DEPLOYMENTS, EVENTS, THEIR_EVENTS] "a pod with an NFS volume is refused",
        "An admission controller, such as PodSecurity, refuses the provisioner's pod, or pods that mount NFS without a claim. The pod of nfs-subdir-external-provisioner mounts NFS, and the restricted profile forbids nfs volumes in pods, but not claims.";
    "NFS208" Error [DEPLOYMENTS, PODS, EVENTS, THEIR_PODS, THEIR_EVENTS] "the provisioner can't mount its own export",
        "nfs-subdir-external-provisioner mounts the export and creates directories in it. While its node can't mount the export, its pod does not start. nfsprov does not mount the export.";
}

/// A provisioner that is scaled to zero is left out if another one of its name is not.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let all = &view.provisioners;
    let is_replaced = |provisioner: &Provisioner<'_>| {
        let is_other = |other: &Provisioner<'_>| other.name == provisioner.name && !other.is_scaled_to_zero();
        provisioner.name.is_some() && provisioner.is_scaled_to_zero() && all.iter().any(is_other)
    };
    let judged = all.iter().filter(|provisioner| !is_replaced(provisioner));
    let candidates = provisioners::find_candidates(view.cluster);
    let nameless = candidates.iter().filter_map(|one| find_nameless(view, one));
    let stopped = judged.filter_map(|one| find_reason_not_running(view, one));
    let applications = refusals::find_refused_applications(view);
    stopped.chain(nameless).chain(applications).collect()
}

/// Why a provisioner does not run: NFS203 to NFS205, NFS207 or NFS208; NFS215 for the CSI driver's controller. A
/// warning if no claim is Pending for it and it is scaled to zero. One that no class names is only checked for
/// variables.
fn find_reason_not_running(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let waiting = provisioner.waiting_claims(view.cluster);
    let is_of_class = |name: &str| view.cluster.classes.iter().any(|class| class.provisioner == name);
    let is_used = provisioner.name.is_none_or(is_of_class);
    let mut finding = find_unset_variables(view, provisioner)
        .or_else(|| find_scaled_to_zero(provisioner).filter(|_| is_used))
        .or_else(|| find_unready(view, provisioner).filter(|_| is_used))?;
    if provisioner.kind == ProvisionerKind::CsiController {
        if finding.code == "NFS203" {
            finding.code = "NFS215";
        }
        let controller = "the NFS CSI driver's controller";
        finding.cause = finding.cause.replace("the provisioner", controller);
    }
    // No claim is affected as long as none is pending.
    if waiting.is_empty() && provisioner.workload.replicas == 0 {
        finding.severity = Severity::Warning;
    }
    Some(finding.with_affected(waiting))
}

/// NFS203 as a warning: a workload has the image of nfs-subdir-external-provisioner and no provisioner's name. `None`
/// if it runs, or a ConfigMap or Secret may hold the name. Only in the namespace asked for, since no class can name it.
fn find_nameless(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let asked = view.cluster.namespace.as_ref();
    let is_asked = asked.is_none_or(|asked| *asked == provisioner.workload.namespace);
    let is_nameless = provisioner.name.is_none() && !provisioner.has_unread_name() && is_asked;
    let finding = is_nameless.then(|| find_unset_variables(view, provisioner))??;
    Some(finding.with_severity(Severity::Warning))
}

/// NFS203: variables that nfs-subdir-external-provisioner needs are not set. `None` for other images, or if it runs
/// nevertheless. The fix holds changes only if no value had to be guessed.
fn find_unset_variables(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    // A provisioner that runs has the variables, perhaps from its image.
    if !images::creates_directories(&provisioner.container.image) || provisioner.workload.ready > 0 {
        return None;
    }
    let is_unset = |key: &&&str| match provisioner.container.env.get(**key) {
        Some(value) => value.as_deref() == Some(""),
        None => !provisioner.container.env_from,
    };
    let missing: Vec<&str> = NEEDED.iter().filter(is_unset).copied().collect();
    if missing.is_empty() {
        return None;
    }
    let all = missing.join(", ");
    let env = format!("env of container {}", provisioner.container.name);
    let finding = provisioner
        .finding("NFS203", format!("the provisioner lacks {all}"))
        .with_field(&env, format!("{all} not set"));
    // The environment of a pod can't be edited.
    if provisioner.workload.kind == "Pod" {
        return Some(finding.with_advice("create the pod again with these variables"));
    }
    let export = provisioner.export();
    let is_mounted = matches!(provisioner.workload.nfs.as_slice(), [only] if export.as_ref() == Some(only));
    let name = provisioner.name.or_else(|| find_unserved_name(view)).unwrap_or("NAME");
    let (server, path) = export.unwrap_or_else(|| ("SERVER".to_owned(), "/EXPORT".to_owned()));
    let values = [
        ("PROVISIONER_NAME", name),
        ("NFS_SERVER", server.as_str()),
        ("NFS_PATH", path.as_str()),
    ];
    let values = values.iter().filter(|(key, _)| missing.contains(key));
    let set_env = Change::SetEnv {
        workload: provisioner.workload.object(),
        container: provisioner.container.name.clone(),
        variables: values
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let note = "restarts the provisioner; check that the values are yours";
    // No value is guessed where it has a name and mounts one export.
    Some(finding.with_fix(match provisioner.name.is_some() && is_mounted {
        true => Fix::of_changes([set_env], note),
        false => Fix::of_command(set_env.command(), note),
    }))
}

/// The name to propose for a provisioner without one: the only name of an NFS class that no provisioner serves. `None`
/// if there are several or none.
fn find_unserved_name<'a>(view: &View<'a>) -> Option<&'a str> {
    let all = &view.provisioners;
    let names = view.cluster.classes.iter().map(|class| class.provisioner.as_str());
    let unserved: BTreeSet<&str> = names
        .filter(|name| has_nfs_in_name(name) && all.iter().all(|provisioner| provisioner.name != Some(name)))
        .collect();
    unserved.first().copied().filter(|_| unserved.len() == 1)
}

/// NFS203: the provisioner is scaled to zero replicas; the fix scales it to one.
fn find_scaled_to_zero(provisioner: &Provisioner<'_>) -> Option<Finding> {
    let workload = provisioner.workload.object();
    provisioner.is_scaled_to_zero().then(|| {
        let finding = provisioner.finding("NFS203", "the provisioner is scaled to 0 replicas");
        finding
            .with_field("spec.replicas", "0")
            .with_change(Change::Scale { workload, replicas: 1 }, "")
    })
}

/// Why a provisioner with replicas has no ready pod: the cause of a pod's failure, a policy that refuses the pod, or
/// NFS203 after a minute without either.
fn find_unready(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    if provisioner.workload.ready > 0 {
        return None;
    }
    if provisioner.workload.replicas == 0 {
        let finding = || provisioner.finding("NFS203", "the provisioner is a DaemonSet that no node suits");
        return (provisioner.workload.kind == "DaemonSet").then(|| {
            finding()
                .with_field("status.desiredNumberScheduled", "0")
                .with_advice("compare its nodeSelector and tolerations with the labels and taints of the nodes")
        });
    }
    let pods = provisioner.pods(view.cluster);
    let of_pod = |pod: &&Pod| {
        let mut stopped = pod.stopped.iter();
        stopped
            .find_map(|stopped| find_stopped_container(view, provisioner, pod, stopped))
            .or_else(|| find_lost_node(view, provisioner, pod))
            .or_else(|| find_failed_mount(view, provisioner, pod))
            .or_else(|| find_unscheduled_pod(view, provisioner, pod))
    };
    let refused = || refusals::find_refused_pod(view, provisioner).filter(|_| pods.is_empty());
    if let Some(finding) = pods.iter().find_map(of_pod).or_else(refused) {
        return Some(finding);
    }
    // What is not mounted, such as a Secret that does not exist, says more than that the kubelet waits.
    let is_specific = |event: &Event| {
        event.reason == "FailedMount" && !messages::is_message_of("NFS410", MessageKind::Mount, &event.message)
    };
    let failed = pods.first().and_then(|pod| view.find_event(&pod.object(), is_specific));
    // One that is being replaced was ready until now.
    let alive = pods.iter().filter(|pod| pod.deleting.is_none());
    let created = alive.filter_map(|pod| pod.created).min();
    let workload = provisioner.workload;
    view.has_elapsed(created.or(workload.created), START).then(|| {
        provisioner
            .finding("NFS203", "the provisioner has no ready pod")
            .with_confidence(Confidence::Likely)
            .with_field("status.readyReplicas", format!("0 of {}", workload.replicas))
            .with_all_evidence(
                failed
                    .map(Event::evidence)
                    .or_else(|| view.last_event(&pods.first()?.object())),
            )
            .with_advice("see kubectl describe for the pod, and its log")
    })
}

/// The finding for a container whose image can't be pulled, or that can't be started or crashes; `None` for other
/// reasons, such as ContainerCreating.
fn find_stopped_container(
    view: &View<'_>,
    provisioner: &Provisioner<'_>,
    pod: &Pod,
    stopped: &Stopped,
) -> Option<Finding> {
    match stopped.reason.as_str() {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
            Some(describe_unpulled_image(view, provisioner, pod, stopped))
        }
        "RunContainerError"
        | "CreateContainerError"
        | "CreateContainerConfigError"
        | "CrashLoopBackOff"
        | "Error"
        | "OOMKilled" => Some(describe_crash(view, provisioner, pod, stopped)),
        _ => None,
    }
}

/// NFS204; NFS205 if the registry has no image for the node's processor. The fix changes the image only if its tag is a
/// version of the Helm chart.
fn describe_unpulled_image(view: &View<'_>, provisioner: &Provisioner<'_>, pod: &Pod, stopped: &Stopped) -> Finding {
    // Other containers of the pod have images of their own.
    let is_own = stopped.container == provisioner.container.name;
    let image = if is_own {
        &provisioner.container.image
    } else {
        &stopped.image
    };
    let evidence = pod.container_evidence(stopped);
    // "Back-off pulling image" gives no reason; the event of the attempt before it does.
    let attempt = view.find_event(&pod.object(), |event| event.message.starts_with("Failed to pull image"));
    let words = attempt.map_or(stopped.message.as_str(), |event| event.message.trim());
    if is_own && messages::find_log_line("NFS205", words).is_some() {
        let evidence = [evidence].into_iter().chain(attempt.map(|event| event.evidence()));
        return describe_wrong_architecture(provisioner).with_all_evidence(evidence);
    }
    let cause = match is_own {
        true => format!("the provisioner's image {image} can't be pulled"),
        false => format!(
            "the provisioner's pod has a container {} whose image {image} can't be pulled",
            stopped.container
        ),
    };
    let finding = provisioner.finding("NFS204", cause).with_all_evidence([evidence]);
    if is_own && images::is_chart_version(image) {
        let note = "the tag is a version of the Helm chart; the images are v4.0.0 to v4.0.2";
        return finding.with_change(provisioner.set_image(images::with_last_release_tag(image)), note);
    }
    // Only the registry's message has the reason.
    let words: &str = if words.is_empty() { &stopped.reason } else { words };
    finding.with_advice(format!(
        "the node reports: {words}; check that the image exists there and that the node may pull it, or use a mirror"
    ))
}

/// NFS203 with the line of the log that says why, else its last line, else how the container ended; NFS205 if the image
/// is for another processor.
fn describe_crash(view: &View<'_>, provisioner: &Provisioner<'_>, pod: &Pod, stopped: &Stopped) -> Finding {
    let is_of_container = |log: &&Log| {
        let is_of_pod = log.namespace == pod.namespace && log.pod == pod.name;
        is_of_pod && (log.container.is_empty() || log.container == stopped.container)
    };
    let log = view.cluster.logs.iter().find(is_of_container);
    let text = log.map(|log| log.text.as_str()).unwrap_or_default();
    let line_evidence = |line: Option<&str>| log.zip(line).map(|(log, line)| log.line_evidence(line));
    let container = [pod.container_evidence(stopped)];
    let is_own = stopped.container == provisioner.container.name;
    let line = messages::find_log_line("NFS205", text).filter(|_| is_own);
    if line.is_some() || is_own && messages::find_log_line("NFS205", &stopped.message).is_some() {
        let evidence = container.into_iter().chain(line_evidence(line));
        return describe_wrong_architecture(provisioner).with_all_evidence(evidence);
    }
    let who = match is_own {
        true => "the provisioner".to_owned(),
        false => format!("container {} of the provisioner's pod", stopped.container),
    };
    let finding = |what: &str| {
        let cause = format!("{who} {what}");
        provisioner.finding("NFS203", cause).with_all_evidence(container)
    };
    if stopped.reason.starts_with("RunContainer") || stopped.reason.starts_with("CreateContainer") {
        return finding("can't be started")
            .with_advice("the evidence has the node's reason: the container's image, command or settings are wrong");
    }
    if stopped.reason == "OOMKilled" || stopped.message.contains("OOMKilled") {
        return finding("crashes: it uses more memory than its limit (OOMKilled)").with_advice(format!(
            "raise resources.limits.memory of container {}",
            stopped.container
        ));
    }
    let text = if text.is_empty() { &stopped.message } else { text };
    let last_line = || text.lines().rev().find(|line| !line.trim().is_empty());
    let Some(line) = messages::find_log_line("NFS203", text).or_else(last_line) else {
        return finding("crashes")
            .with_confidence(Confidence::Likely)
            .with_advice("its log has the reason");
    };
    let what = format!("crashes: {}", messages::strip_log_prefix(line));
    let lost_lead = line.contains("leaderelection lost") || line.contains("stopped leading");
    finding(&what)
        .with_all_evidence(line_evidence(Some(line)))
        .with_advice(match lost_lead {
            true => {
                "the API server answered too slowly for it to keep its lock: look at the control plane and at etcd; a longer lease only hides it"
            }
            false => "its log has the reason",
        })
}

/// NFS205: the image is for another processor than the node's. The fix is another image for
/// nfs-subdir-external-provisioner, else advice.
fn describe_wrong_architecture(provisioner: &Provisioner<'_>) -> Finding {
    let finding = provisioner.finding("NFS205", "the image's architecture does not match the node's");
    match images::creates_directories(&provisioner.container.image) {
        true => finding.with_change(
            provisioner.set_image(images::CURRENT),
            "this one is built for amd64, arm64 and arm",
        ),
        false => finding.with_advice("use an image built for the node's processor"),
    }
}

/// NFS208: the provisioner's pod, while it is Pending, can't mount the export, by the newest event that gives a reason,
/// else by one of a timeout. `None` without such an event.
fn find_failed_mount(view: &View<'_>, provisioner: &Provisioner<'_>, pod: &Pod) -> Option<Finding> {
    if !pod.is_being_created() {
        return None;
    }
    let object = pod.object();
    if let Some((failure, evidence, _)) = mounts::find_failed_mount(view, pod)
        && let Some(mut finding) = failure.describe(view, provisioner.workload.object(), evidence)
    {
        finding.code = "NFS208";
        finding.cause = format!("the provisioner's pod can't mount the export: {}", finding.cause);
        return Some(finding.with_affected([object]));
    }
    let export = match pod.nfs.first() {
        Some((server, path)) => format!("{server}:{path}"),
        None => "SERVER:PATH".to_owned(),
    };
    // The words of a failure that no check knows say more than a timeout.
    let is_failure = |event: &Event| event.reason == "FailedMount" && event.message.contains("/kubernetes.io~nfs/");
    let is_of_other =
        |event: &Event| event.reason == "FailedMount" && mounts::is_about_other_volume(view, pod, &event.message);
    let (event, why, guess) = match view.find_event(&object, is_failure) {
        Some(event) => (event, messages::extract_root_error(&event.message), ""),
        None => (
            view.find_event_of(&object, "NFS410", MessageKind::Mount)
                .filter(|_| view.find_event(&object, is_of_other).is_none())?,
            "the mount does not end".to_owned(),
            "; most often the server does not answer",
        ),
    };
    let cause = format!("the provisioner's pod can't mount the export {export}: {why}");
    let advice = format!(
        "mount it by hand on node {}, which often says more: mount -v -t nfs {export} /mnt{guess}",
        pod.node
    );
    Some(
        provisioner
            .finding("NFS208", cause)
            .with_all_evidence([event.evidence()])
            .with_advice(advice)
            .with_affected([object]),
    )
}

/// NFS203: the provisioner's pod can't be scheduled, perhaps since a claim of its own is Pending.
fn find_unscheduled_pod(view: &View<'_>, provisioner: &Provisioner<'_>, pod: &Pod) -> Option<Finding> {
    if !pod.node.is_empty() {
        return None;
    }
    let condition = pod.scheduling_evidence();
    let claim = view.claims_of_pod(pod).find(|claim| claim.is_pending());
    let class = claim.and_then(|claim| view.cluster.find_class(claim.class.as_deref()?));
    let serves_itself = class.is_some_and(|class| provisioner.name == Some(&class.provisioner));
    let (cause, advice) = match (claim, &condition) {
        (Some(claim), _) if serves_itself => (
            format!(
                "the provisioner's pod waits for a claim of its own, {}, whose volume it would have to create itself",
                claim.object().title()
            ),
            "create that claim again with another class, or with a PV of its own (storageClassName: \"\")".to_owned(),
        ),
        (Some(claim), _) => {
            let title = claim.object().title();
            let cause = format!("the provisioner's pod waits for a claim of its own, {title}");
            (
                cause,
                format!("see the finding about {title}; the pod is scheduled once it is Bound"),
            )
        }
        (None, None) => return None,
        (None, Some(said)) => (
            format!("the provisioner's pod can't be scheduled: {}", said.text),
            "make room on a node that it may run on (uncordon it, free memory or CPU), or change its nodeSelector or tolerations".to_owned(),
        ),
    };
    let itself = claim.map(|claim| claim.object()).filter(|_| serves_itself);
    Some(
        provisioner
            .finding("NFS203", cause)
            .with_all_evidence(condition)
            .with_affected(itself)
            .with_advice(advice),
    )
}

/// NFS203: the node of the provisioner's pod is not Ready.
fn find_lost_node(view: &View<'_>, provisioner: &Provisioner<'_>, pod: &Pod) -> Option<Finding> {
    let node = view.cluster.find_node(&pod.node).filter(|node| !node.ready)?;
    let title = pod.object().title();
    let cause = format!("the provisioner's pod is on node {}, which is not Ready", node.name);
    Some(
        provisioner
            .finding("NFS203", cause)
            .with_evidence(format!("condition Ready of node {}", node.name), "not True")
            .with_affected([pod.object()])
            .with_advice(format!(
                "start node {} or its kubelet again; a Deployment creates another pod after some minutes, a StatefulSet only after {title} is deleted",
                node.name
            )),
    )
}
