//! PVs that are Released, Failed or terminating: NFS501 to NFS504, NFS506, NFS507 (PURE).

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::commands::{create_class, provision};
use super::{Case, finalizers, mounts, said};
use crate::doctor::Severity::{Error, Warning};
use crate::doctor::explain::{CLAIMS, CLASSES, DEPLOYMENTS, EVENTS, Entry, PODS, PV_EVENTS, VOLUMES, entry};
use crate::doctor::facts::Volume;
use crate::doctor::fix::Change;
use crate::doctor::messages::{self, Place};
use crate::doctor::names::word;
use crate::doctor::provisioners;
use crate::doctor::{Confidence, Evidence, Finding, Object};

/// A provisioner retries every five minutes, so an error event by it this recent shows that it still runs.
const COMPLAINS: SignedDuration = SignedDuration::from_mins(15);

/// How long a deleter may take for a volume that was just released.
const DELETING: SignedDuration = SignedDuration::from_secs(15);

pub const ENTRIES: &[Entry] = &[
    entry("NFS501", Warning, &[VOLUMES], "Released PV with policy Retain", "With the reclaim policy Retain, Kubernetes keeps a PV and its data when its claim is deleted, and no claim can bind to it. nfsprov release makes it Available again; the next claim then sees its data."),
    entry("NFS502", Warning, &[VOLUMES, EVENTS, PV_EVENTS], "Recycle is deprecated", "With the reclaim policy Recycle, a pod (recycler-for-…) empties the volume. The policy is deprecated, works for NFS and hostPath only, and leaves the PV Failed when that pod fails.").automatic(),
    entry("NFS503", Error, &[VOLUMES], "policy Delete on a static PV", "Kubernetes can't delete NFS volumes by itself. When the claim is deleted, such a PV becomes Failed. Its policy has to be Retain.").automatic(),
    entry("NFS504", Warning, &[CLAIMS, PODS, VOLUMES], "being deleted while in use", "Kubernetes keeps a claim until no pod uses it, and a PV until no claim uses it. This protects the data."),
    entry("NFS505", Error, &[CLAIMS, VOLUMES, CLASSES], "a finalizer blocks a deletion", "An object that is being deleted stays until the owner of each of its finalizers has removed that finalizer; the part before the slash is the owner's domain. The doctor prints a command that removes a finalizer only if its owner no longer exists: a provisioner that does not run any more, or a CSI driver that is not installed. Otherwise the finding names the owner: check whether it runs. During a snapshot or a backup this is normal."),
    entry("NFS506", Error, &[VOLUMES, DEPLOYMENTS], "Released, and its provisioner does not run", "The provisioner that created the PV has to delete it, and no provisioner of that name runs any more."),
    entry("NFS507", Error, &[VOLUMES, CLASSES, EVENTS, PV_EVENTS], "its class was deleted", "nfs-subdir-external-provisioner reads the class when it deletes a volume, and fails without it. Create the class again under the same name. nfsprov itself keeps this information on the PV."),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let ours = |volume: &&Volume| {
        let of = volume.claim.as_ref().map(|claim| claim.namespace.as_str());
        volume.is_nfs() && (case.facts.namespace.is_none() || of.is_none() || of == case.facts.namespace.as_deref())
    };
    for volume in case.facts.volumes.iter().filter(ours) {
        found.extend(policy(case, volume));
        if volume.deleting.is_none() {
            match volume.phase.as_str() {
                "Released" => found.extend(released(case, volume).or_else(|| deletion_fails(case, volume))),
                "Failed" => found.extend(deletion_fails(case, volume)),
                _ => {}
            }
        }
        if volume.deleting.is_some() {
            found.extend(going_volume(case, volume));
        }
    }
    for claim in case.facts.claims.iter().filter(|claim| claim.deleting.is_some()) {
        let users = case.users(claim);
        let kept = claim
            .finalizers
            .iter()
            .any(|name| name == "kubernetes.io/pvc-protection");
        let running: Vec<_> = users.iter().filter(|pod| !pod.node.is_empty()).collect();
        if kept && !running.is_empty() {
            let names: Vec<_> = running.iter().map(|pod| word(&pod.name)).collect();
            found.push(
                Finding::new(
                    "NFS504",
                    claim.object(),
                    format!("the claim is being deleted, but {} still uses it", names.join(", ")),
                )
                .seen("metadata.finalizers", "kubernetes.io/pvc-protection")
                .seen("spec.volumes of pods", names.join(", "))
                .suggest(
                    format!("kubectl -n {} delete pod {}", word(&claim.namespace), names.join(" ")),
                    "deletes the pods; Kubernetes then deletes the claim, and its volume by the reclaim policy",
                ),
            );
        }
        let (object, finalizers) = (claim.object(), &claim.finalizers);
        found.extend(finalizers::check(case, &object, finalizers, claim.deleting, None));
    }
    found
}

fn policy(case: &Case<'_>, volume: &Volume) -> Option<Finding> {
    let object = volume.object();
    let source = format!("spec.persistentVolumeReclaimPolicy of {}", object.title());
    let retain = Change::Merge {
        object: object.clone(),
        patch: json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}),
    };
    match volume.reclaim.as_str() {
        "Delete" if volume.provisioned_by.is_none() && volume.nfs.is_some() => {
            let failed = event(case, &object, "NFS503");
            let cause = match volume.phase.as_str() {
                "Failed" => "the PV is static, and Kubernetes can't delete NFS volumes",
                _ => {
                    "the PV is static and becomes Failed when its claim is deleted: Kubernetes can't delete NFS volumes"
                }
            };
            Some(
                Finding::new("NFS503", object, cause)
                    .seen(source, "Delete")
                    .seen("annotation pv.kubernetes.io/provisioned-by", "not set")
                    .all_seen(failed)
                    .fixed_by(
                        retain,
                        "Kubernetes then keeps the PV and its data when the claim is deleted",
                    ),
            )
        }
        "Recycle" => {
            let failing = case
                .events(&object)
                .iter()
                .find(|event| event.reason == "VolumeFailedRecycle");
            let failed = failing.filter(|_| matches!(volume.phase.as_str(), "Released" | "Failed"));
            let cause = match failed {
                Some(_) => "the recycler pod can't empty the PV",
                None => "the reclaim policy Recycle, which empties the volume with a pod, is deprecated",
            };
            Some(
                Finding::new("NFS502", object, cause)
                    .seen(source, "Recycle")
                    .all_seen(failed.map(|event| said(event)))
                    .fixed_by(
                        retain,
                        "nfsprov release --scrub empties the volume on request, as Recycle did",
                    ),
            )
        }
        _ => None,
    }
}

/// What the cluster said about an object, if it is a sign of `code`.
fn event(case: &Case<'_>, object: &Object, code: &str) -> Option<Evidence> {
    let sign = |event: &&&super::Event| {
        messages::classify(Place::Volume, &event.message).is_some_and(|(found, _)| found == code)
    };
    case.events(object).iter().find(sign).map(|event| said(event))
}

fn released(case: &Case<'_>, volume: &Volume) -> Option<Finding> {
    let object = volume.object();
    let of = volume.claim.clone().unwrap_or_default();
    if volume.reclaim == "Retain" {
        return Some(release(
            Finding::new(
                "NFS501",
                object.clone(),
                format!(
                    "the PV's claim {}/{} was deleted; the PV is retained, and no other claim can bind to it",
                    of.namespace, of.name
                ),
            )
            .seen(format!("status.phase of {}", object.title()), "Released")
            .seen(format!("spec.claimRef.uid of {}", object.title()), of.uid),
            volume,
        ));
    }
    let name = volume
        .provisioned_by
        .as_deref()
        .filter(|_| volume.reclaim == "Delete")?;
    let classless = case.facts.knows("storageclasses") && case.facts.class(&volume.class).is_none();
    let failed = event(case, &object, "NFS507");
    if let Some(failed) = failed.filter(|_| classless) {
        return Some(
            Finding::new(
                "NFS507",
                object.clone(),
                format!(
                    "the PV's class {} was deleted, and its provisioner needs the class to delete the volume",
                    volume.class
                ),
            )
            .all_seen([failed])
            .seen("StorageClasses", format!("none called {}", volume.class))
            .suggest(
                create_class(&volume.class, name),
                "the directory is then archived (--on-delete archive), unless you say otherwise",
            ),
        );
    }
    let is_abandoned = abandoned(case, &object, name);
    if !case.facts.knows("deployments") || !is_abandoned || !case.older(volume.phase_since, DELETING) {
        return None;
    }
    let command = provision(case.facts, name);
    Some(
        Finding::new(
            "NFS506",
            object.clone(),
            format!("provisioner {name}, which has to delete the PV, does not run any more"),
        )
        .only(Confidence::Likely)
        .alike(name)
        .seen(format!("status.phase of {}", object.title()), "Released")
        .seen("annotation pv.kubernetes.io/provisioned-by", name)
        .suggest(
            command,
            "deletes or archives the directories of that provisioner as their classes said; Ctrl-C ends it",
        ),
    )
}

/// A volume that its provisioner fails to delete, and says why.
fn deletion_fails(case: &Case<'_>, volume: &Volume) -> Option<Finding> {
    let name = volume
        .provisioned_by
        .as_deref()
        .filter(|_| volume.reclaim == "Delete")?;
    let object = volume.object();
    let mut events = case.events(&object).iter();
    let event = events.find(|event| event.reason == "VolumeFailedDelete" && provisioners::wrote(event, name))?;
    let why = messages::root_error(&event.message);
    if let Some(failure) = mounts::of_provisioner(case, &event.message, volume.export().cloned())
        && let Some(description) = failure.describe(case)
    {
        let mut finding = description.finding(failure.code, object, said(event));
        finding.cause = format!("the PV can't be deleted: {}", finding.cause);
        return Some(finding);
    }
    Some(
        Finding::new("NFS123", object, format!("the PV can't be deleted: {why}"))
            .all_seen([said(event)])
            .advise(format!(
                "see the log of provisioner {name}; it tries again by itself, and anew after a restart"
            )),
    )
}

/// How a released volume becomes available: `nfsprov release` does so for volumes of Kubernetes' own kind.
fn release(finding: Finding, volume: &Volume) -> Finding {
    let data = "the next claim that binds to it sees its data";
    match &volume.csi_driver {
        None => finding.suggest(
            format!("nfsprov release {} --keep-data", word(&volume.name)),
            format!("{data}; --scrub empties it first"),
        ),
        Some(_) => {
            let (object, patch) = (volume.object(), json!({"spec": {"claimRef": null}}));
            finding.fixed_by(Change::Merge { object, patch }, data)
        }
    }
}

fn going_volume(case: &Case<'_>, volume: &Volume) -> Option<Finding> {
    let object = volume.object();
    let used = volume.claim.as_ref().filter(|_| volume.phase == "Bound");
    if let Some(of) = used {
        let claim = case.claim(&of.namespace, &of.name);
        let users: Vec<Object> = claim
            .map(|claim| case.users(claim))
            .unwrap_or_default()
            .iter()
            .map(|pod| pod.object())
            .collect();
        let pods: Vec<_> = users.iter().map(Object::title).collect();
        let and = if pods.is_empty() {
            String::new()
        } else {
            format!(", used by {}", pods.join(", "))
        };
        return Some(
            Finding::new(
                "NFS504",
                object.clone(),
                format!("the PV is being deleted, but claim {}/{} is still bound to it{and}", of.namespace, of.name),
            )
            .seen(format!("metadata.finalizers of {}", object.title()), volume.finalizers.join(", "))
            .suggest(
                format!("kubectl -n {} delete pvc {}", word(&of.namespace), word(&of.name)),
                "only if the volume is not needed any more: the PV is deleted after its claim; a deletion can't be undone",
            ),
        );
    }
    let by = volume.provisioned_by.as_deref();
    finalizers::check(case, &object, &volume.finalizers, volume.deleting, by)
}

/// Whether no running provisioner has the name of the one that has to delete a volume.
pub fn abandoned(case: &Case<'_>, object: &Object, name: &str) -> bool {
    let complains = |event: &&super::Event| provisioners::wrote(event, name) && !case.older(event.last, COMPLAINS);
    if case.events(object).iter().any(complains) {
        return false;
    }
    case.is_abandoned(name)
}
