//! Finalizers that hold an object which is being deleted: NFS505 (PURE).
//!
//! The controller that added a finalizer removes it. A command that removes one is printed only if its owner is known
//! not to exist any more. For all others the finding names the owner, as far as the finalizer's name tells it.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::View;
use crate::doctor::{Confidence, Finding, Object, Severity};
use crate::shell::shell_word;

/// How long the owner of a finalizer may take.
const FINALIZING: SignedDuration = SignedDuration::from_mins(1);

/// What a provisioner holds a volume by: until its directory is deleted or archived, and nfsprov until it is recorded.
const PROVISIONER_FINALIZERS: [&str; 2] = ["external-provisioner.volume.kubernetes.io/finalizer", "nfsprov/making"];

/// Owners whose finalizers hold an object while a snapshot, a backup or a copy of it is under way, by the last labels
/// of the finalizer's domain.
const COPYING: [(&str, &str); 4] = [
    ("snapshot.storage.kubernetes.io", "the snapshot controller"),
    ("velero.io", "Velero"),
    ("cdi.kubevirt.io", "KubeVirt's Containerized Data Importer"),
    ("volsync.backube", "VolSync"),
];

/// What is known of a finalizer's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// It does not exist any more, so it never removes the finalizer.
    Gone,
    /// It holds the object while it copies it.
    Copying,
    /// It may exist or not.
    Unknown,
}

/// NFS505 about the finalizers that hold an object which has been terminating since `deleting`; `provisioner` is the
/// one that provisioned it. `None` for finalizers that Kubernetes or an existing owner removes, and in the first minute
/// for those whose owner is not known to be gone. An info if all owners are only copying the object.
pub fn find_blocking(
    view: &View<'_>,
    object: &Object,
    finalizers: &[String],
    deleting: Option<Timestamp>,
    provisioner: Option<&str>,
) -> Option<Finding> {
    let holders = finalizers.iter().enumerate().filter_map(|(index, finalizer)| {
        let (owner, clause) = find_owner(view, object, finalizer, provisioner)?;
        let is_late = owner == Owner::Gone || view.has_elapsed(deleting, FINALIZING);
        is_late.then(|| (index, owner, format!("{finalizer}, {clause}")))
    });
    let holders: Vec<(usize, Owner, String)> = holders.collect();
    if holders.is_empty() {
        return None;
    }
    let each: Vec<&str> = holders.iter().map(|(.., text)| text.as_str()).collect();
    let cause = format!(
        "it is being deleted, but still has finalizer {}",
        each.join("; and finalizer ")
    );
    let gone = holders.iter().filter(|(_, owner, _)| *owner == Owner::Gone);
    let ownerless: Vec<usize> = gone.map(|(index, ..)| *index).collect();
    let confidence = match ownerless.len() == holders.len() {
        true => Confidence::Certain,
        false => Confidence::Possible,
    };
    let finding = Finding::new("NFS505", object.clone(), cause)
        .with_confidence(confidence)
        .with_field("metadata.finalizers", finalizers.join(", "));
    if holders.iter().all(|(_, owner, _)| *owner == Owner::Copying) {
        return Some(
            finding
                .with_severity(Severity::Info)
                .with_advice("wait for the copy to end: the owner then removes the finalizer; if no copy is running, check whether the owner runs"),
        );
    }
    Some(match ownerless.is_empty() {
        true => finding.with_advice(
            "find out whether the owner still runs and why it does not finish. Only the owner knows why it keeps the object: \
             removing its finalizer can lose data that it has not copied yet, or leave storage behind that is never deleted",
        ),
        false => finding.with_command(
            remove_finalizers_command(object, finalizers, &ownerless),
            "removes only the finalizer whose owner no longer exists; whatever that owner would have cleaned up stays",
        ),
    })
}

/// The command that removes finalizers by their index. It fails and removes none if one of them is not at its index any
/// more; others, also newer ones, stay.
fn remove_finalizers_command(object: &Object, finalizers: &[String], places: &[usize]) -> String {
    // From behind, so that the places before stay the same.
    let steps = places.iter().rev().flat_map(|index| {
        let path = format!("/metadata/finalizers/{index}");
        [
            json!({"op": "test", "path": path, "value": finalizers[*index]}),
            json!({"op": "remove", "path": path}),
        ]
    });
    let patch = serde_json::Value::from_iter(steps);
    let (command, patch) = (object.kubectl_command("patch"), shell_word(&patch.to_string()));
    format!("{command} --type json -p {patch}")
}

/// The owner of a finalizer, and a clause about it for messages. `None` for Kubernetes' own finalizers, and for a CSI
/// driver or provisioner that exists or may exist, since the lists that tell were not read.
fn find_owner(view: &View<'_>, object: &Object, finalizer: &str, provisioner: Option<&str>) -> Option<(Owner, String)> {
    if finalizer.starts_with("kubernetes.io/") || matches!(finalizer, "foregroundDeletion" | "orphan") {
        return None;
    }
    if let Some(driver) = finalizer.strip_prefix("external-attacher/") {
        let is_driver = |name: &String| name.replace('.', "-") == driver || name == driver;
        let on_nodes = view.cluster.csi_nodes.iter().flat_map(|(_, drivers)| drivers);
        let present = view.cluster.csi_drivers.iter().chain(on_nodes).any(is_driver);
        let known = view.cluster.was_read("csidrivers") && view.cluster.was_read("csinodes");
        return (known && !present).then(|| (Owner::Gone, format!("whose CSI driver {driver} is not installed")));
    }
    if PROVISIONER_FINALIZERS.contains(&finalizer) {
        let name = provisioner?;
        let is_gone = view.cluster.was_read("deployments") && view.is_deleter_gone(object, name);
        return is_gone.then(|| (Owner::Gone, format!("whose provisioner {name} does not run any more")));
    }
    let Some((domain, _)) = finalizer.split_once('/') else {
        return Some((Owner::Unknown, "whose owner is unknown".to_owned()));
    };
    let of = |(suffix, _): &&(&str, &str)| {
        let rest = domain.strip_suffix(suffix);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if let Some((_, name)) = COPYING.iter().find(of) {
        return Some((Owner::Copying, format!("which {name} holds while it copies the data")));
    }
    Some((Owner::Unknown, format!("which belongs to {domain}, by its name")))
}
