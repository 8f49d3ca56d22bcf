//! Causes found in the controller manager's events about claims, if classes or volumes could not be read: NFS101,
//! NFS102 to NFS104, NFS106 to NFS113, NFS115 (PURE).

use super::View;
use crate::cluster::snapshot::Claim;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Finding};

/// The causes that the events of Pending claims name; claims for other storage are left out. Empty if both classes and
/// PVs were read: then other checks tell.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    if view.cluster.was_read("storageclasses") && view.cluster.was_read("persistentvolumes") {
        return Vec::new();
    }
    let claims = view
        .pending_claims()
        .filter(|claim| !view.is_known_other_storage(claim));
    claims.filter_map(|claim| find_cause_in_events(view, claim)).collect()
}

/// The finding for the newest event about a claim that matches a pattern, as likely. `None` if there is no such event,
/// or the claim or its class, as read, contradicts it.
fn find_cause_in_events(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let object = claim.object();
    let mut events = view.events_about(&object).iter();
    let (event, mut code, named) = events.find_map(|event| {
        let (code, named) = messages::classify(MessageKind::Binding, &event.message)?;
        Some((event, code, named))
    })?;
    let class = claim.class.as_deref().unwrap_or_default();
    if code == "NFS115" {
        let cause = match named {
            Some(pod) => format!("the claim waits until its pod {pod} is scheduled"),
            None => "the claim waits for its first pod, since its class has WaitForFirstConsumer".to_owned(),
        };
        // With the class, another check tells.
        return view
            .cluster
            .find_class(class)
            .is_none()
            .then(|| Finding::new(code, object, cause).with_all_evidence([event.evidence()]));
    }
    let volume = match claim.volume.as_str() {
        "" => "the PV".to_owned(),
        name => format!("PV {name}"),
    };
    let cause = match code {
        // Kubernetes writes this for static PVs of a class without an object, too.
        "NFS103" if view.cluster.find_class(class).is_some() => return None,
        "NFS103" => format!(
            "the claim's class {} doesn't exist, and no PV of it fits",
            named.as_deref().unwrap_or(class)
        ),
        "NFS101" if claim.class.as_deref() == Some("") => {
            code = "NFS102";
            "the claim needs a PV without a class, and none fits".to_owned()
        }
        "NFS101" if claim.class.is_some() => return None,
        "NFS101" => "the claim names no class, the cluster has no default class, and no PV fits".to_owned(),
        "NFS104" => format!("the provisioner of class {class} creates no volumes"),
        "NFS106" => format!("{volume} has another class than the claim, which has {class}"),
        "NFS107" => format!("{volume} is smaller than the claim wants"),
        "NFS108" => format!("{volume} lacks an access mode of the claim"),
        "NFS110" => format!("{volume} has another volumeMode than the claim"),
        "NFS111" => format!("{volume} is being deleted"),
        _ => format!("{volume} is another claim's"),
    };
    let note = match code {
        "NFS103" | "NFS101" => {
            "create the claim again with a class that exists (kubectl get storageclass): it is Pending and has no data"
        }
        "NFS104" => "create the claim again with a class whose provisioner runs",
        _ => {
            "an administrator can compare them: nfsprov doctor, run with permission to read PVs, lists the differences"
        }
    };
    Some(
        Finding::new(code, object, cause)
            .with_confidence(Confidence::Likely)
            .with_all_evidence([event.evidence()])
            .with_affected(view.users_of(claim))
            .with_same_cause(class)
            .with_advice(note),
    )
}
