//! Volumes that use up their limit: NFS128 (PURE).
//!
//! The provisioner reads the server's quota report and writes events on the claim; messages of pods alone don't tell a
//! full volume from a full export.

use super::View;
use crate::cluster::snapshot::Claim;
use crate::doctor::Finding;
use crate::doctor::entry::entries;

entries! {
    "NFS128" Error [CLAIMS, VOLUMES, EVENTS] "the volume is full",
        "The server limits the volume to its size (quota: enforce), and its files use all of it; the export may have free space. Writes fail with No space left on device on XFS and with Disk quota exceeded on ext4, often only at fsync or close. Remove files, or expand the claim: pods need not be restarted. Without a limit, No space left on device means that the export itself is full.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let claims = view.cluster.claims.iter();
    claims.filter_map(|claim| find_full_volume(view, claim)).collect()
}

/// NFS128, by an event `VolumeFull` on the claim that is at most 12 minutes old, whoever wrote it; messages of the
/// claim's pods are added as evidence. `None` if its PV is unknown or not NFS.
fn find_full_volume(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let volume = view.find_volume(&claim.volume).filter(|volume| volume.is_nfs())?;
    let object = claim.object();
    let event = view.find_event(&object, |event| event.reason == "VolumeFull" && view.is_repeated(event))?;
    let words = view.pods_using(claim).iter().flat_map(|pod| {
        let stopped = pod.stopped.iter().filter(|stopped| is_out_of_space(&stopped.message));
        stopped.map(|stopped| pod.container_evidence(stopped))
    });
    let class = view.cluster.find_class(&volume.class);
    let advice = match class.is_some_and(|class| class.is_expandable) {
        true => "remove files, or expand the claim: raise spec.resources.requests.storage; pods need not be restarted",
        false => "remove files, or expand the claim, for which its class needs allowVolumeExpansion: true",
    };
    let cause = "the volume uses all of the size that the server limits it to";
    Some(
        Finding::new("NFS128", object, cause)
            .with_all_evidence([event.evidence()])
            .with_all_evidence(words)
            .with_affected(view.users_of(claim))
            .with_advice(advice),
    )
}

fn is_out_of_space(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("no space left on device") || message.contains("disk quota exceeded")
}
