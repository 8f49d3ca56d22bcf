//! Claims that lost their PV: NFS117 (PURE).

use super::Case;
use super::commands::{create_lost_volume, to_replace};
use crate::doctor::Finding;
use crate::doctor::Severity::Error;
use crate::doctor::explain::{CLAIMS, Entry, VOLUMES, entry};
use crate::doctor::facts::{Claim, Volume};
use crate::doctor::provisioners::parent;

pub const ENTRIES: &[Entry] = &[entry(
    "NFS117",
    Error,
    &[CLAIMS, VOLUMES],
    "claim is Lost",
    "The PV that the claim was bound to was deleted. The data is still on the export. A PV of the same name for the same directory, without a claimRef, is bound to the claim again.",
)];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let claims = &case.facts.claims;
    let lost = claims.iter().filter(|claim| claim.phase == "Lost");
    lost.map(|claim| lost_volume(case, claim)).collect()
}

fn lost_volume(case: &Case<'_>, claim: &Claim) -> Finding {
    let place = derived_place(case, claim);
    let command = create_lost_volume(claim, &claim.volume, place.as_ref());
    let note = match place {
        Some(_) => {
            "the directory is the one that the provisioner names so: see that it is there; the PV is kept (Retain) when its claim goes"
        }
        None => "with the server and directory that the lost PV had; it must have no claimRef",
    };
    Finding::new(
        "NFS117",
        claim.object(),
        format!(
            "the claim's PV {} was deleted; the data is still on the export",
            claim.volume
        ),
    )
    .seen(format!("status.phase of {}", claim.object().title()), "Lost")
    .seen("PersistentVolumes", format!("none called {}", claim.volume))
    .all_seen(case.last_word(&claim.object()))
    .suggest(command.clone(), format!("{}{note}", to_replace(&command)))
    .explaining(case.users(claim).iter().map(|pod| pod.object()))
}

/// Where a provisioner put the claim's volume, if it names directories in the usual way and no other PV is there.
fn derived_place(case: &Case<'_>, claim: &Claim) -> Option<(String, String)> {
    let handover = claim.handover.as_deref()?;
    // Whoever makes a claim chooses its volumeName and its annotations, but not its uid: without this check a claim
    // could be Lost for a directory that was never its own.
    if claim.uid.is_empty() || claim.volume != format!("pvc-{}", claim.uid) {
        return None;
    }
    let usual = |volume: &&Volume| {
        let named = |path: &str| {
            let of = volume.claim.as_ref()?;
            path.ends_with(&format!("/{}-{}-{}", of.namespace, of.name, volume.name))
                .then_some(())
        };
        let path = volume.nfs.as_ref().map(|(_, path)| path.as_str());
        volume.provisioned_by.as_deref() == Some(handover)
            && volume.class == claim.class.as_deref().unwrap_or_default()
            && path.and_then(named).is_some()
    };
    let (server, path) = case.facts.volumes.iter().find(usual)?.nfs.clone()?;
    let directory = format!("{}-{}-{}", claim.namespace, claim.name, claim.volume);
    let root = parent(&path);
    let path = format!("{}/{directory}", root.trim_end_matches('/'));
    let taken = |volume: &Volume| volume.nfs.as_ref().is_some_and(|(_, other)| nested(other, &path));
    (!case.facts.volumes.iter().any(taken)).then_some((server, path))
}

/// Whether two directories are the same, or one is below the other.
fn nested(one: &str, other: &str) -> bool {
    let below = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below(one, other) || below(other, one)
}
