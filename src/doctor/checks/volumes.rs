//! PVs that are Released, Failed or terminating: NFS501 to NFS504, NFS506, NFS507 (PURE).

use std::collections::HashMap;

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::commands::{create_class_command, run_provisioner_command};
use super::{View, finalizers, mounts};
use crate::change::Change;
use crate::cluster::provisioners;
use crate::cluster::snapshot::{Claim, Event, Pod, Volume};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Finding, Object, Severity};
use crate::shell::shell_word;

/// How long a deleter may take for a volume that was just released.
const DELETING: SignedDuration = SignedDuration::from_secs(15);

entries! {
    "NFS501" Warning [VOLUMES] "Released PV with policy Retain",
        "With the reclaim policy Retain, Kubernetes keeps a PV and its data when its claim is deleted, and no claim can bind to it. nfsprov release makes it Available again; the next claim then sees its data.";
    "NFS502" Warning [VOLUMES, EVENTS, PV_EVENTS] "Recycle is deprecated" automatic,
        "With the reclaim policy Recycle, a pod (recycler-for-…) empties the volume. The policy is deprecated, works for NFS and hostPath only, and leaves the PV Failed when that pod fails.";
    "NFS503" Error [VOLUMES] "policy Delete on a static PV" automatic,
        "Kubernetes can't delete NFS volumes by itself. When the claim is deleted, such a PV becomes Failed. Its policy has to be Retain.";
    "NFS504" Warning [CLAIMS, PODS, VOLUMES] "being deleted while in use",
        "Kubernetes keeps a claim until no pod uses it, and a PV until no claim uses it. This protects the data.";
    "NFS505" Error [CLAIMS, VOLUMES, CLASSES] "a finalizer blocks a deletion",
        "An object that is being deleted stays until the owner of each of its finalizers has removed that finalizer; the part before the slash is the owner's domain. The doctor prints a command that removes a finalizer only if its owner no longer exists: a provisioner that does not run any more, or a CSI driver that is not installed. Otherwise the finding names the owner: check whether it runs. During a snapshot or a backup this is normal.";
    "NFS506" Error [VOLUMES, DEPLOYMENTS] "Released, and its provisioner does not run",
        "The provisioner that created the PV has to delete it, and no provisioner of that name runs any more.";
    "NFS507" Error [VOLUMES, CLASSES, EVENTS, PV_EVENTS] "its class was deleted",
        "nfs-subdir-external-provisioner reads the class when it deletes a volume, and fails without it. Create the class again under the same name. nfsprov itself keeps this information on the PV.";
}

/// PVs that are not NFS, or that a claim outside the namespace of the diagnosis has, are left out. Claims that are
/// being deleted are checked, of whatever storage.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let namespace = view.cluster.namespace.as_deref();
    let is_in_scope = |volume: &&Volume| {
        let of = volume.claim.as_ref().map(|claim| claim.namespace.as_str());
        volume.is_nfs() && (namespace.is_none() || of.is_none() || of == namespace)
    };
    let mut found = Vec::new();
    for volume in view.cluster.volumes.iter().filter(is_in_scope) {
        found.extend(find_reclaim_policy(view, volume));
        found.extend(match volume.phase.as_str() {
            _ if volume.deleting.is_some() => find_blocked_volume(view, volume)
                .or_else(|| find_failed_deletion(view, volume))
                .or_else(|| find_undeleted_volume(view, volume)),
            "Released" => find_released_volume(view, volume)
                .or_else(|| find_failed_deletion(view, volume))
                .or_else(|| find_undeleted_volume(view, volume)),
            "Failed" if volume.reclaim == "Delete" => find_released_volume(view, volume)
                .or_else(|| find_failed_deletion(view, volume))
                .or_else(|| find_undeleted_volume(view, volume)),
            "Failed" => find_failed_deletion(view, volume).or_else(|| find_undeleted_volume(view, volume)),
            _ => None,
        });
    }
    let deleting = || view.cluster.claims.iter().filter(|claim| claim.deleting.is_some());
    let mut users: HashMap<_, Vec<&Pod>> = deleting().map(|claim| (claim.key(), Vec::new())).collect();
    // Also those that have ended: Kubernetes protects a claim from its deletion as long as a pod names it.
    for pod in view.cluster.pods.iter().filter(|pod| !pod.node.is_empty()) {
        for name in &pod.claims {
            if let Some(users) = users.get_mut(&(pod.namespace.as_str(), name.as_str())) {
                users.push(pod);
            }
        }
    }
    for claim in deleting() {
        let (object, finalizers) = (claim.object(), &claim.finalizers);
        let in_use = find_claim_in_use(claim, &users[&claim.key()]);
        let blocked = finalizers::find_blocking(view, &object, finalizers, claim.deleting, None);
        let none = in_use.is_none() && blocked.is_none();
        found.extend(in_use.into_iter().chain(blocked));
        found.extend(none.then(|| find_unused_claim(view, claim)).flatten());
    }
    found
}

/// What keeps a claim as long as pods name it.
const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// NFS504: a claim, which the caller knows to be terminating, is protected because scheduled pods name it.
fn find_claim_in_use(claim: &Claim, users: &[&Pod]) -> Option<Finding> {
    let names: Vec<_> = users.iter().map(|pod| shell_word(&pod.name)).collect();
    if names.is_empty() || !claim.finalizers.iter().any(|name| name == PROTECTION) {
        return None;
    }
    let pods = names.join(", ");
    let cause = format!("the claim is being deleted, but {pods} still uses it");
    let finding = Finding::new("NFS504", claim.object(), cause)
        .with_evidence("metadata.finalizers", PROTECTION)
        .with_evidence("spec.volumes of pods", pods);
    if users.iter().all(|pod| pod.deleting.is_some()) {
        return Some(finding.with_advice(
            "the pods are being deleted, too: Kubernetes deletes the claim once they have ended; see what keeps them",
        ));
    }
    let command = format!(
        "kubectl -n {} delete pod {}",
        shell_word(&claim.namespace),
        names.join(" ")
    );
    Some(finding.with_command(
        command,
        "deletes the pods; Kubernetes then deletes the claim, and its volume by the reclaim policy",
    ))
}

/// NFS123: a claim, not of other storage, has been terminating for a minute, is only protected, and no pod that was read
/// uses it. A warning if pods could not be read.
fn find_unused_claim(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    const PATIENCE: SignedDuration = SignedDuration::from_mins(1);
    let is_only_protected = claim.finalizers.iter().all(|name| name == PROTECTION) && !claim.finalizers.is_empty();
    if !is_only_protected || !view.has_elapsed(claim.deleting, PATIENCE) || view.is_known_other_storage(claim) {
        return None;
    }
    let object = claim.object();
    let (severity, cause, advice) = match view.cluster.was_read("pods") {
        true => (
            Severity::Error,
            "the claim is being deleted and no pod uses it, but kube-controller-manager does not remove its finalizer",
            "see the log of kube-controller-manager",
        ),
        false => (
            Severity::Warning,
            "the claim is being deleted; whether pods still use it could not be read",
            "delete the pods that use it, also those that have ended; Kubernetes then deletes the claim",
        ),
    };
    Some(
        Finding::new("NFS123", object, cause)
            .with_severity(severity)
            .with_confidence(Confidence::Likely)
            .with_field("metadata.finalizers", PROTECTION)
            .with_advice(advice),
    )
}

/// NFS503 if Kubernetes can't apply the reclaim policy Delete to a static PV, NFS502 for the deprecated Recycle.
fn find_reclaim_policy(view: &View<'_>, volume: &Volume) -> Option<Finding> {
    let object = volume.object();
    let finding = |code, cause| {
        Finding::new(code, object.clone(), cause).with_field("spec.persistentVolumeReclaimPolicy", &volume.reclaim)
    };
    let retain = Change::Merge {
        object: object.clone(),
        patch: json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}),
    };
    match volume.reclaim.as_str() {
        "Delete" if volume.provisioned_by.is_none() && volume.nfs.is_some() => {
            let cause = match volume.phase.as_str() {
                "Failed" => "the PV is static, and Kubernetes can't delete NFS volumes",
                _ => {
                    "the PV is static and becomes Failed when its claim is deleted: Kubernetes can't delete NFS volumes"
                }
            };
            let failure = view.find_event_of(&object, "NFS503", MessageKind::Volume);
            let note = "Kubernetes then keeps the PV and its data when the claim is deleted";
            Some(
                finding("NFS503", cause)
                    .with_evidence("annotation pv.kubernetes.io/provisioned-by", "not set")
                    .with_all_evidence(failure.map(Event::evidence))
                    .with_change(retain, note),
            )
        }
        "Recycle" => {
            let has_ended = matches!(volume.phase.as_str(), "Released" | "Failed");
            let failure = view.find_event(&object, |event| {
                // The pod's own events are repeated about the PV.
                const FAILURES: [&str; 3] = ["ack-off", "nable to ", "ailed"];
                let fails = FAILURES.iter().any(|words| event.message.contains(words));
                let of_pod = event.reason == "RecyclerPod" && fails;
                has_ended && (event.reason == "VolumeFailedRecycle" || of_pod)
            });
            let cause = match failure {
                Some(_) => "the recycler pod can't empty the PV",
                None => "the reclaim policy Recycle, which empties the volume with a pod, is deprecated",
            };
            let note = "nfsprov release --scrub empties the volume on request, as Recycle did";
            let finding = finding("NFS502", cause).with_all_evidence(failure.map(Event::evidence));
            Some(finding.with_change(retain, note))
        }
        _ => None,
    }
}

/// Why a PV stays Released: NFS501 if it is retained, NFS507 if its class is missing and an event says that this is
/// why, NFS506 if its provisioner doesn't run. `None` if no provisioner has to delete it, or one still may.
fn find_released_volume(view: &View<'_>, volume: &Volume) -> Option<Finding> {
    let object = volume.object();
    if volume.reclaim == "Retain" {
        return Some(describe_retained_volume(volume));
    }
    let name = deleter_of(volume)?;
    let has_no_class = view.cluster.was_read("storageclasses") && view.cluster.find_class(&volume.class).is_none();
    let failure = view.find_event_of(&object, "NFS507", MessageKind::Volume);
    if let Some(failure) = failure.filter(|_| has_no_class) {
        let class = &volume.class;
        let cause =
            format!("the PV's class {class} was deleted, and its provisioner needs the class to delete the volume");
        return Some(
            Finding::new("NFS507", object, cause)
                .with_all_evidence([failure.evidence()])
                .with_evidence("StorageClasses", format!("none called {class}"))
                .with_command(
                    create_class_command(class, name),
                    "the directory is then archived (--on-delete archive), unless you change the option",
                ),
        );
    }
    let is_late = view.has_elapsed(volume.phase_since, DELETING);
    if !view.cluster.was_read("deployments") || !is_late || !view.is_deleter_gone(&object, name) {
        return None;
    }
    let cause = format!("provisioner {name}, which has to delete the PV, does not run any more");
    Some(
        Finding::new("NFS506", object, cause)
            .with_confidence(Confidence::Likely)
            .with_same_cause(name)
            .with_field("status.phase", "Released")
            .with_evidence("annotation pv.kubernetes.io/provisioned-by", name)
            .with_command(
                run_provisioner_command(view.cluster, name),
                "deletes or archives the directories of that provisioner by the policy of their classes; Ctrl-C ends it",
            ),
    )
}

/// The provisioner that has to delete a volume; `None` if the PV is static or its reclaim policy is not Delete.
fn deleter_of(volume: &Volume) -> Option<&str> {
    let name = volume.provisioned_by.as_deref();
    name.filter(|_| volume.reclaim == "Delete")
}

/// NFS501: the fix is `nfsprov release` for in-tree NFS volumes, else a change that clears the claim reference.
fn describe_retained_volume(volume: &Volume) -> Finding {
    let of = volume.claim.clone().unwrap_or_default();
    let cause = format!(
        "the PV's claim {}/{} was deleted; the PV is retained, and no other claim can bind to it",
        of.namespace, of.name
    );
    let finding = Finding::new("NFS501", volume.object(), cause)
        .with_same_cause("Retain")
        .with_field("status.phase", "Released")
        .with_field("spec.claimRef.uid", of.uid);
    let note = "the next claim that binds to it sees its data";
    match &volume.csi_driver {
        None => finding.with_command(
            format!("nfsprov release {} --keep-data", shell_word(&volume.name)),
            format!("{note}; --scrub empties it first"),
        ),
        Some(_) => {
            let (object, patch) = (volume.object(), json!({"spec": {"claimRef": null}}));
            finding.with_change(Change::Merge { object, patch }, note)
        }
    }
}

/// The finding for an event of a PV's own provisioner that it can't delete the PV: the cause of a failed mount, else
/// NFS123. `None` without such an event, for a static PV, and for one that is not to be deleted.
fn find_failed_deletion(view: &View<'_>, volume: &Volume) -> Option<Finding> {
    let name = deleter_of(volume)?;
    let object = volume.object();
    let event = view.find_event(&object, |event| {
        event.reason == "VolumeFailedDelete" && provisioners::is_written_by(event, name)
    })?;
    let export = volume.export().cloned();
    if let Some(failure) = mounts::find_provisioner_failure(view, &event.message, export)
        && let Some(mut finding) = failure.describe(view, object.clone(), event.evidence())
    {
        finding.cause = format!("the PV can't be deleted: {}", finding.cause);
        return Some(finding);
    }
    let why = messages::extract_root_error(&event.message);
    Some(
        Finding::new("NFS123", object, format!("the PV can't be deleted: {why}"))
            .with_all_evidence([event.evidence()])
            .with_advice(format!(
                "see the log of provisioner {name}; it retries by itself, and after a restart"
            )),
    )
}

/// NFS123: a PV's provisioner runs and tells no reason, but has not deleted the PV for ten minutes. An info if it is not
/// known for how long, as before Kubernetes 1.28. `None` for a static PV, and for one that is not to be deleted.
fn find_undeleted_volume(view: &View<'_>, volume: &Volume) -> Option<Finding> {
    const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
    let name = deleter_of(volume)?;
    let since = volume.deleting.or(volume.phase_since);
    if !view.has_elapsed(since, PATIENCE) {
        return None;
    }
    let severity = match since {
        None if volume.phase == "Released" => Severity::Info,
        _ => Severity::Warning,
    };
    let why = match volume.message.as_str() {
        "" => "why is not known",
        words => words,
    };
    let object = volume.object();
    let cause = format!(
        "the PV is {}, and provisioner {name} has not deleted it: {why}",
        volume.phase
    );
    Some(
        Finding::new("NFS123", object.clone(), cause)
            .with_severity(severity)
            .with_confidence(Confidence::Likely)
            .with_same_cause(name)
            .with_all_evidence(view.last_event(&object))
            .with_advice(format!(
                "see the log of provisioner {name}: the removal of a large directory takes its time"
            )),
    )
}

/// NFS504 if a claim is still bound to a PV that is being deleted; else NFS505 if finalizers hold it.
fn find_blocked_volume(view: &View<'_>, volume: &Volume) -> Option<Finding> {
    let object = volume.object();
    let Some(of) = volume.claim.as_ref().filter(|_| volume.phase == "Bound") else {
        let by = volume.provisioned_by.as_deref();
        return finalizers::find_blocking(view, &object, &volume.finalizers, volume.deleting, by);
    };
    let claim = view.find_claim(&of.namespace, &of.name);
    let users = claim.map(|claim| view.users_of(claim)).unwrap_or_default();
    let pods: Vec<_> = users.iter().map(Object::title).collect();
    let mut cause = format!(
        "the PV is being deleted, but claim {}/{} is still bound to it",
        of.namespace, of.name
    );
    if !pods.is_empty() {
        cause += &format!(", used by {}", pods.join(", "));
    }
    let bound = Object::namespaced("PersistentVolumeClaim", &of.namespace, &of.name);
    Some(
        Finding::new("NFS504", object, cause)
            .with_field("metadata.finalizers", volume.finalizers.join(", "))
            .with_command(
                bound.kubectl_command("delete"),
                "only if the volume is not needed any more: the PV is deleted after its claim; a deletion can't be undone",
            ),
    )
}
