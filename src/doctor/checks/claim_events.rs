//! What the controller manager says of a claim, for those who may not read classes or volumes themselves: NFS101 to
//! NFS113 by events (PURE).

use super::{Case, said};
use crate::doctor::explain::Entry;
use crate::doctor::facts::Claim;
use crate::doctor::messages::{self, Place};
use crate::doctor::{Confidence, Finding};

/// Their rows stand beside the checks that find the same by the objects.
pub const ENTRIES: &[Entry] = &[];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.facts.knows("storageclasses") && case.facts.knows("persistentvolumes") {
        return Vec::new();
    }
    let waits = |claim: &&Claim| claim.pending() && !case.is_other_storage(claim);
    let claims = case.facts.claims.iter().filter(waits);
    claims.filter_map(|claim| by_event(case, claim)).collect()
}

fn by_event(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let object = claim.object();
    let mut events = case.events(&object).iter();
    let (event, code, named) = events.find_map(|event| {
        let (code, named) = messages::classify(Place::Binding, &event.message)?;
        Some((event, code, named))
    })?;
    let class = claim.class.as_deref().unwrap_or_default();
    let volume = match claim.volume.as_str() {
        "" => "the PV".to_owned(),
        name => format!("PV {name}"),
    };
    let cause = match code {
        // Kubernetes says so of a class that PVs made by hand may have, too.
        "NFS103" if case.facts.class(class).is_some() => return None,
        "NFS103" => format!(
            "the claim's class {} doesn't exist, and no PV of it fits",
            named.as_deref().unwrap_or(class)
        ),
        "NFS101" if claim.class.is_some() => return None,
        "NFS101" => "the claim names no class, the cluster gives it no default class, and no PV fits".to_owned(),
        "NFS104" => format!("the provisioner of class {class} makes no volumes"),
        "NFS106" => format!("{volume} has another class than the claim, which has {class}"),
        "NFS107" => format!("{volume} is smaller than the claim wants"),
        "NFS108" => format!("{volume} lacks an access mode of the claim"),
        "NFS110" => format!("{volume} has another volumeMode than the claim"),
        "NFS111" => format!("{volume} is being deleted"),
        _ => format!("{volume} is another claim's"),
    };
    let note = match code {
        "NFS103" | "NFS101" => {
            "make the claim again with a class that exists (kubectl get storageclass): it is Pending and holds nothing"
        }
        "NFS104" => "make the claim again with a class whose provisioner runs",
        _ => "an administrator can compare them: nfsprov doctor, run with the right to read PVs, says what differs",
    };
    Some(
        Finding::new(code, object, cause)
            .only(Confidence::Likely)
            .all_seen([said(event)])
            .explaining(case.users(claim).iter().map(|pod| pod.object()))
            .alike(class)
            .advise(note),
    )
}
