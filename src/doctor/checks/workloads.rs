//! Provisioners that don't run: NFS203, NFS204, NFS205, NFS207, NFS208 (PURE).

use k8s_openapi::jiff::SignedDuration;

use super::commands::set_image;
use super::{Case, mounts, refusals, said};
use crate::doctor::Severity::Error;
use crate::doctor::explain::{CLASSES, DEPLOYMENTS, EVENTS, Entry, PODS, THEIR_EVENTS, THEIR_PODS, entry};
use crate::doctor::facts::{Event, Log, Pod, Stopped};
use crate::doctor::fix::Change;
use crate::doctor::images;
use crate::doctor::messages::{self, Place};
use crate::doctor::names::sounds_like_nfs;
use crate::doctor::provisioners::{self, Make, Provisioner};
use crate::doctor::{Confidence, Finding, Fix, Object, Severity};

/// How long a pod may take to be ready.
const START: SignedDuration = SignedDuration::from_mins(1);

/// What nfs-subdir-external-provisioner can't do without.
const NEEDED: [&str; 3] = ["PROVISIONER_NAME", "NFS_SERVER", "NFS_PATH"];

pub const ENTRIES: &[Entry] = &[
    entry("NFS203", Error, &[CLASSES, DEPLOYMENTS, PODS, THEIR_PODS], "the provisioner doesn't run", "The workload that serves the class has no ready pod: it is scaled to nothing, crashes, can't be scheduled, or lacks NFS_SERVER, NFS_PATH or PROVISIONER_NAME.").automatic(),
    entry("NFS204", Error, &[DEPLOYMENTS, PODS, THEIR_PODS], "the provisioner's image can't be pulled", "The name or tag does not exist, or the registry is out of reach. A frequent slip: the Helm chart's version (v4.0.17) is no image's tag; the images are v4.0.0 to v4.0.2. Everything else depends on the registry, whose own words are in the finding.").automatic(),
    entry("NFS205", Error, &[DEPLOYMENTS, PODS, THEIR_PODS], "image for another processor", "exec format error: the image was built for another processor than the node's. The image of nfs-subdir-external-provisioner v4.0.2 is built for amd64, arm64 and arm.").automatic(),
    entry("NFS207", Error, &[DEPLOYMENTS, EVENTS, THEIR_EVENTS], "the provisioner's pod is refused", "An admission controller, such as PodSecurity, refuses the pod. Upstream's provisioner mounts NFS by itself; the restricted profile forbids nfs volumes."),
    entry("NFS208", Error, &[DEPLOYMENTS, PODS, EVENTS, THEIR_PODS, THEIR_EVENTS], "the provisioner can't mount its own export", "Upstream's provisioner makes directories in a mounted copy of the export. While its node can't mount that, its pod does not start. nfsprov speaks NFS itself and mounts nothing."),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let all = &case.provisioners;
    let candidates = provisioners::candidates(case.facts);
    let unnamed = candidates.iter().filter_map(|one| unnamed(case, one));
    let judged = all.iter().filter_map(|one| {
        // Another one serves its name.
        let replaced =
            one.name.is_some() && one.stopped() && all.iter().any(|other| other.name == one.name && !other.stopped());
        judge(case, one).filter(|_| !replaced)
    });
    judged.chain(unnamed).collect()
}

/// The claims that wait for a provisioner.
pub fn waiting(case: &Case<'_>, one: &Provisioner<'_>) -> Vec<Object> {
    let claims = one.name.map(|name| provisioners::waiting(case.facts, name));
    claims.into_iter().flatten().map(|claim| claim.object()).collect()
}

fn judge(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    let waiting = waiting(case, one);
    let used = one
        .name
        .is_none_or(|name| case.facts.classes.iter().any(|class| class.provisioner == name));
    let finding = incomplete(case, one)
        .or_else(|| stopped(one).filter(|_| used))
        .or_else(|| down(case, one).filter(|_| used))?;
    let finding = match one.make {
        Make::CsiController => of_csi_controller(finding),
        _ => finding,
    };
    // No claim is affected as long as none is pending.
    let idle = waiting.is_empty() && one.workload.replicas == 0;
    let finding = if idle {
        finding.as_bad_as(Severity::Warning)
    } else {
        finding
    };
    Some(finding.explaining(waiting))
}

/// The same fault of the NFS CSI driver's controller.
fn of_csi_controller(mut finding: Finding) -> Finding {
    if finding.code == "NFS203" {
        finding.code = "NFS215";
    }
    finding.cause = finding
        .cause
        .replace("the provisioner", "the NFS CSI driver's controller");
    finding
}

/// A provisioner's image without a name. No class can name it, so it is looked at only where people asked.
fn unnamed(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    let asked = case
        .facts
        .namespace
        .as_ref()
        .is_none_or(|asked| *asked == one.workload.namespace);
    let unnamed = one.name.is_none() && !one.has_unread_name() && asked;
    let finding = unnamed.then(|| incomplete(case, one))??;
    Some(finding.as_bad_as(Severity::Warning))
}

/// Variables that are not set.
fn incomplete(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    // What runs has them from somewhere.
    if !images::makes_directories(&one.container.image) || one.workload.ready > 0 {
        return None;
    }
    let unset = |key: &&&str| match one.container.env.get(**key) {
        Some(value) => value.as_deref() == Some(""),
        None => !one.container.env_from,
    };
    let missing: Vec<&str> = NEEDED.iter().filter(unset).copied().collect();
    if missing.is_empty() {
        return None;
    }
    let export = one.export();
    let mounted = matches!(one.workload.nfs.as_slice(), [only] if export.as_ref() == Some(only));
    let name = one.name.or_else(|| unserved_name(case));
    let (server, path) = export.unwrap_or_else(|| ("SERVER".to_owned(), "/EXPORT".to_owned()));
    let value = |key: &str| match key {
        "NFS_SERVER" => server.clone(),
        "NFS_PATH" => path.clone(),
        _ => name.unwrap_or("NAME").to_owned(),
    };
    let set_env = Change::SetEnv {
        workload: one.workload.object(),
        container: one.container.name.clone(),
        variables: missing.iter().map(|key| ((*key).to_owned(), value(key))).collect(),
    };
    let note = "restarts the provisioner; check that the values are yours";
    // No value is guessed where it has a name and mounts one export.
    let fix = match one.name.is_some() && mounted {
        true => Fix::changes([set_env], note),
        false => Fix::command(set_env.command(), note),
    };
    let (all, object) = (missing.join(", "), one.workload.object());
    let finding = Finding::new("NFS203", object.clone(), format!("the provisioner lacks {all}")).seen(
        format!("env of container {} of {}", one.container.name, object.title()),
        format!("{all} not set"),
    );
    Some(match one.workload.kind.as_str() {
        // The environment of a pod can't be edited.
        "Pod" => finding.advise("make the pod again with these variables"),
        _ => finding.with_fix(fix),
    })
}

/// The name to propose for a provisioner without one: the only name of an NFS class that no provisioner serves.
fn unserved_name<'a>(case: &Case<'a>) -> Option<&'a str> {
    let all = &case.provisioners;
    let names = case.facts.classes.iter().map(|class| class.provisioner.as_str());
    let mut unserved: Vec<&str> = names
        .filter(|name| sounds_like_nfs(name) && all.iter().all(|one| one.name != Some(name)))
        .collect();
    unserved.sort_unstable();
    unserved.dedup();
    (unserved.len() == 1).then(|| unserved[0])
}

fn stopped(one: &Provisioner<'_>) -> Option<Finding> {
    let object = one.workload.object();
    one.stopped().then(|| {
        Finding::new("NFS203", object.clone(), "the provisioner is scaled to no replicas")
            .seen(format!("spec.replicas of {}", object.title()), "0")
            .fixed_by(
                Change::Scale {
                    workload: object,
                    replicas: 1,
                },
                "",
            )
    })
}

fn down(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    if one.workload.ready > 0 || one.workload.replicas == 0 {
        return None;
    }
    let pods = one.pods(case.facts);
    let by_pod = pods.iter().find_map(|pod| {
        let stopped = pod.stopped.iter().find_map(|stopped| broken(case, one, pod, stopped));
        stopped
            .or_else(|| unmounted(case, one, pod))
            .or_else(|| homeless(one, pod))
    });
    if by_pod.is_some() {
        return by_pod;
    }
    if pods.is_empty()
        && let Some(refused) = refusals::refused(case, one)
    {
        return Some(refused);
    }
    let since = pods.iter().filter_map(|pod| pod.created).min().or(one.workload.created);
    let object = one.workload.object();
    case.older(since, START).then(|| {
        Finding::new("NFS203", object.clone(), "the provisioner has no ready pod")
            .only(Confidence::Likely)
            .seen(
                format!("status.readyReplicas of {}", object.title()),
                format!("0 of {}", one.workload.replicas),
            )
            .all_seen(pods.first().and_then(|pod| case.last_word(&pod.object())))
            .advise("see kubectl describe for the pod, and its log")
    })
}

/// A container of the provisioner's that doesn't run.
fn broken(case: &Case<'_>, one: &Provisioner<'_>, pod: &Pod, stopped: &Stopped) -> Option<Finding> {
    let object = one.workload.object();
    let source = format!("container {} of {}", stopped.container, pod.object().title());
    let seen = |finding: Finding| finding.seen(source.clone(), format!("{} {}", stopped.reason, stopped.message));
    match stopped.reason.as_str() {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
            let image = &one.container.image;
            // "Back-off pulling image" says less than the attempt before it.
            let mut events = case.events(&pod.object()).iter();
            let attempt = events.find(|event| event.message.starts_with("Failed to pull image"));
            let words = attempt.map_or(stopped.message.as_str(), |event| event.message.trim());
            if messages::line("NFS205", words).is_some() {
                return Some(other_architecture(one, seen).all_seen(attempt.map(|event| said(event))));
            }
            let finding = seen(Finding::new(
                "NFS204",
                object,
                format!("the provisioner's image {image} can't be pulled"),
            ));
            Some(match images::is_chart_version(image) {
                true => finding.fixed_by(
                    set_image(one.workload, &one.container.name, &images::released(image)),
                    "the tag is a version of the Helm chart; the images are v4.0.0 to v4.0.2",
                ),
                false => finding.advise(pull_advice(if words.is_empty() { &stopped.reason } else { words })),
            })
        }
        "CrashLoopBackOff"
        | "Error"
        | "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "OOMKilled" => {
            let log = log(case, pod);
            let text = log.map(|log| log.text.as_str()).unwrap_or_default();
            let line = messages::line("NFS205", text).or_else(|| messages::line("NFS205", &stopped.message));
            if let Some(line) = line {
                return Some(
                    other_architecture(one, seen).seen(format!("log of {}", pod.object().title()), line.trim()),
                );
            }
            if stopped.reason.starts_with("RunContainer") || stopped.reason.starts_with("CreateContainer") {
                let cause = "the provisioner's container can't be started";
                let advice = "the node says why: the container's image, command or settings are wrong";
                return Some(seen(Finding::new("NFS203", object, cause)).advise(advice));
            }
            let line =
                messages::line("NFS203", text).or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()));
            let cause = match line.map(messages::log_message) {
                Some(words) => format!("the provisioner crashes: {words}"),
                None => "the provisioner crashes".to_owned(),
            };
            let finding = seen(Finding::new("NFS203", object, cause));
            let finding = match line {
                Some(line) => finding.seen(format!("log of {}", pod.object().title()), line.trim()),
                None => finding.only(Confidence::Likely),
            };
            Some(finding.advise(match line {
                Some(line) if line.contains("leaderelection lost") || line.contains("stopped leading") => {
                    "the API server answered too slowly for it to keep its lock: look at the control plane and at etcd; a longer lease only hides it"
                }
                _ => "its log says why it ends",
            }))
        }
        _ => None,
    }
}

/// The image is for another processor than the node's.
fn other_architecture(one: &Provisioner<'_>, seen: impl Fn(Finding) -> Finding) -> Finding {
    let cause = "the image's architecture does not match the node's";
    let finding = seen(Finding::new("NFS205", one.workload.object(), cause));
    match images::makes_directories(&one.container.image) {
        true => finding.fixed_by(
            set_image(one.workload, &one.container.name, images::CURRENT),
            "this one is built for amd64, arm64 and arm",
        ),
        false => finding.advise("use an image built for the node's processor"),
    }
}

/// What to do about an image that can't be pulled: only the registry's words tell.
fn pull_advice(words: &str) -> String {
    format!(
        "the node says: {words}; see that the image exists there and that the node may pull it, or use a mirror of it"
    )
}

/// What is known of a pod's log.
fn log<'a>(case: &Case<'a>, pod: &Pod) -> Option<&'a Log> {
    let mut logs = case.facts.logs.iter();
    logs.find(|log| log.namespace == pod.namespace && log.pod == pod.name)
}

fn unmounted(case: &Case<'_>, one: &Provisioner<'_>, pod: &Pod) -> Option<Finding> {
    if pod.phase != "Pending" {
        return None;
    }
    let (object, workload) = (pod.object(), one.workload.object());
    if let Some((failure, evidence, _)) = mounts::unmounted(case, pod)
        && let Some(description) = failure.describe(case)
    {
        let mut finding = description.finding("NFS208", workload, evidence);
        finding.cause = format!("the provisioner's pod can't mount the export: {}", finding.cause);
        return Some(finding.explaining([object]));
    }
    let is_symptom =
        |event: &&&Event| messages::classify(Place::Mount, &event.message).is_some_and(|(code, _)| code == "NFS410");
    let event = case.events(&object).iter().find(is_symptom)?;
    let export = pod
        .nfs
        .first()
        .map_or("SERVER:PATH".to_owned(), |(server, path)| format!("{server}:{path}"));
    let cause = format!("the provisioner's pod can't mount the export {export}: the mount does not end");
    let advice = format!(
        "mount it by hand on node {}, which often says more: mount -v -t nfs {export} /mnt; most often the server does not answer",
        pod.node
    );
    Some(
        Finding::new("NFS208", workload, cause)
            .all_seen([said(event)])
            .advise(advice)
            .explaining([object]),
    )
}

fn homeless(one: &Provisioner<'_>, pod: &Pod) -> Option<Finding> {
    let text = &pod.unschedulable;
    (pod.node.is_empty() && !text.is_empty()).then(|| {
        Finding::new(
            "NFS203",
            one.workload.object(),
            "the provisioner's pod can't be scheduled",
        )
        .seen(format!("condition PodScheduled of {}", pod.object().title()), text)
        .advise("give it a node that it may run on")
    })
}
