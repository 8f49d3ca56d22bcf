//! Decides whether a PV can be released (PURE). The main function is [`decide_release`].

use k8s_openapi::api::core::v1::PersistentVolume;

use super::place::{check_in_tree, volume_name};
use crate::provisioner::volume::PROVISIONED_BY;

/// What happens to the data of a released PV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// The next claim gets it.
    Keep,
    /// It is removed first.
    Scrub,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can be released, after these warnings.
    Release(Vec<String>),
    /// It is Available already; the sentence says so.
    AlreadyAvailable(String),
    /// It can't be released; the sentence says why, and what to do instead.
    Refuse(String),
}

/// Decides by phase and reclaim policy whether a PV can be released, with warnings, or why it is refused. One that is
/// Available is refused only for `Scrub`; one that is being deleted or is no in-tree NFS volume always is.
pub fn decide_release(volume: &PersistentVolume, data: Data) -> Verdict {
    let name = volume_name(volume);
    let spec = volume.spec.clone().unwrap_or_default();
    let policy = spec.persistent_volume_reclaim_policy.as_deref().unwrap_or("Retain");
    let status = volume.status.clone().unwrap_or_default();
    let phase = status.phase.as_deref().unwrap_or("Pending");
    let retain = format!(
        "`kubectl patch pv {name} -p '{{\"spec\":{{\"persistentVolumeReclaimPolicy\":\"Retain\"}}}}'` \
         and release it then"
    );
    if let Err(why) = check_in_tree(volume) {
        return Verdict::Refuse(why);
    }
    if volume.metadata.deletion_timestamp.is_some() {
        return Verdict::Refuse(format!(
            "pv/{name} is being deleted, which can't be undone; its policy is {policy}"
        ));
    }
    match (phase, policy, data) {
        ("Available", _, Data::Keep) => {
            Verdict::AlreadyAvailable(format!("pv/{name} is Available already: a claim can bind to it"))
        }
        ("Available", _, Data::Scrub) => Verdict::Refuse(format!(
            "pv/{name} is Available already, so its data may be meant for its next claim; nothing was removed"
        )),
        ("Bound", _, _) => {
            let claim = spec.claim_ref.unwrap_or_default();
            let (namespace, claim) = (claim.namespace.unwrap_or_default(), claim.name.unwrap_or_default());
            Verdict::Refuse(format!(
                "pv/{name} is Bound to pvc/{claim} -n {namespace}, which uses it; \
                 delete the claim first: `kubectl delete pvc/{claim} -n {namespace}`"
            ))
        }
        ("Released", "Recycle", _) => Verdict::Refuse(format!(
            "pv/{name} has the policy Recycle: the controller manager empties it and makes it Available by itself; \
             if its pod recycler-for-{name} is stuck, delete that, {retain}"
        )),
        ("Released", "Delete", _) => Verdict::Release(vec![match provisioner_of(volume) {
            Some(provisioner) => format!(
                "pv/{name} has the policy Delete: its provisioner {provisioner} deletes it, and archives or removes its \
                 directory, as soon as the PV is Released, and when its next claim is deleted; to keep it, {retain}"
            ),
            None => format!(
                "pv/{name} has the policy Delete, and no provisioner deletes it: it becomes Failed when its next \
                 claim is deleted; avoid that with \
                 `kubectl patch pv {name} -p '{{\"spec\":{{\"persistentVolumeReclaimPolicy\":\"Retain\"}}}}'`"
            ),
        }]),
        ("Released", _, _) => Verdict::Release(Vec::new()),
        // The controller manager never retries to reclaim a PV with the policy Retain.
        ("Failed", "Retain", _) => Verdict::Release(vec![format!(
            "pv/{name} was Failed{}",
            parenthesised_suffix(&status.message)
        )]),
        ("Failed", _, _) => Verdict::Refuse(format!(
            "pv/{name} is Failed: its policy {policy} could not be carried out{}; {retain}",
            parenthesised_suffix(&status.message)
        )),
        (phase, _, _) => Verdict::Refuse(format!(
            "pv/{name} is {phase}, so the controller manager has not processed it yet; \
             if it stays so, check that kube-controller-manager runs"
        )),
    }
}

/// The provisioner that created the PV, by its annotation; `None` for a static PV.
fn provisioner_of(volume: &PersistentVolume) -> Option<&str> {
    volume
        .metadata
        .annotations
        .as_ref()?
        .get(PROVISIONED_BY)
        .map(String::as_str)
}

/// A space and the message in parentheses; empty without a message.
fn parenthesised_suffix(message: &Option<String>) -> String {
    match message.as_deref().unwrap_or_default() {
        "" => String::new(),
        message => format!(" ({message})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn volume(phase: &str, policy: &str, change: Value) -> PersistentVolume {
        let mut volume = json!({
            "metadata": {"name": "mypv"},
            "spec": {
                "nfs": {"server": "nfs", "path": "/nfsdata"}, "persistentVolumeReclaimPolicy": policy,
                "claimRef": {"namespace": "team", "name": "data"},
            },
            "status": {"phase": phase, "message": "no pod"},
        });
        for (key, value) in change.as_object().into_iter().flatten() {
            volume["metadata"][key] = value.clone();
        }
        serde_json::from_value(volume).unwrap()
    }

    #[test]
    fn each_phase_and_policy_has_its_answer() {
        use Data::{Keep, Scrub};
        let made = json!({"annotations": {PROVISIONED_BY: "nfsprov/nfs"}});
        let none = json!({});
        // Phase, policy, metadata, what of the data; the verdict's kind, and words in it.
        let table = [
            ("Released", "Retain", &none, Keep, "release", ""),
            ("Released", "Retain", &none, Scrub, "release", ""),
            ("Released", "Retain", &made, Scrub, "release", ""),
            (
                "Released",
                "Delete",
                &made,
                Keep,
                "release",
                "its provisioner nfsprov/nfs deletes it",
            ),
            (
                "Released",
                "Delete",
                &none,
                Scrub,
                "release",
                "it becomes Failed when its next claim is deleted",
            ),
            (
                "Released",
                "Recycle",
                &none,
                Keep,
                "refuse",
                "makes it Available by itself",
            ),
            ("Released", "Recycle", &none, Scrub, "refuse", "recycler-for-mypv"),
            ("Available", "Retain", &none, Keep, "already", "a claim can bind to it"),
            ("Available", "Retain", &none, Scrub, "refuse", "nothing was removed"),
            (
                "Bound",
                "Retain",
                &none,
                Keep,
                "refuse",
                "kubectl delete pvc/data -n team",
            ),
            ("Bound", "Delete", &made, Scrub, "refuse", "Bound to pvc/data -n team"),
            (
                "Failed",
                "Delete",
                &none,
                Keep,
                "refuse",
                "could not be carried out (no pod)",
            ),
            ("Failed", "Recycle", &none, Scrub, "refuse", "kubectl patch pv mypv"),
            ("Failed", "Retain", &none, Keep, "release", "was Failed (no pod)"),
            ("Pending", "Retain", &none, Keep, "refuse", "kube-controller-manager"),
        ];
        for (phase, policy, metadata, data, kind, words) in table {
            let verdict = decide_release(&volume(phase, policy, metadata.clone()), data);
            let (found, said) = match verdict {
                Verdict::Release(warnings) => ("release", warnings.join("\n")),
                Verdict::AlreadyAvailable(said) => ("already", said),
                Verdict::Refuse(said) => ("refuse", said),
            };
            assert_eq!(found, kind, "{phase} {policy} {data:?}: {said}");
            assert!(said.contains(words), "{phase} {policy} {data:?}: {said}");
            assert_eq!(said.is_empty(), words.is_empty(), "{said}");
        }
    }

    #[test]
    fn what_is_going_or_not_nfs_is_refused() {
        let terminating = volume(
            "Released",
            "Retain",
            json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        );
        assert!(
            matches!(decide_release(&terminating, Data::Keep), Verdict::Refuse(why) if why.contains("being deleted"))
        );
        let mut local = volume("Released", "Retain", json!({}));
        local.spec.as_mut().unwrap().nfs = None;
        assert!(
            matches!(decide_release(&local, Data::Keep), Verdict::Refuse(why) if why.contains("not an NFS volume"))
        );
    }
}
