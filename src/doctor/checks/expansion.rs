//! Claims whose size was increased after their volume was provisioned: NFS127 (PURE).

use super::{Case, said};
use crate::doctor::Severity::Warning;
use crate::doctor::explain::{CLAIMS, CLASSES, Entry, VOLUMES, entry};
use crate::doctor::facts::Claim;
use crate::doctor::quantity;
use crate::doctor::{Confidence, Finding};

pub const ENTRIES: &[Entry] = &[entry(
    "NFS127",
    Warning,
    &[CLAIMS, VOLUMES, CLASSES],
    "a claim is not expanded",
    "A volume that is a directory on an NFS server can't be expanded: its pods can use all the space of the export, whatever its capacity says. With allowVolumeExpansion in its class, the claim keeps the condition FileSystemResizePending or ExternalExpanding for ever. Set allowVolumeExpansion: false.",
)];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let enlarged = |claim: &&Claim| claim.phase == "Bound" && claim.capacity.is_some_and(|has| has < claim.wish.bytes);
    let claims = case.facts.claims.iter().filter(enlarged);
    claims.filter_map(|claim| waits(case, claim)).collect()
}

fn waits(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let volume = case.volume(&claim.volume).filter(|volume| volume.is_nfs())?;
    // The volume may be larger than its claim knows yet.
    if volume.capacity.is_some_and(|capacity| capacity >= claim.wish.bytes) && volume.csi_driver.is_some() {
        return None;
    }
    let has = quantity::print(claim.capacity.unwrap_or_default());
    let object = claim.object();
    let words = case.events(&object).iter().find(|event| {
        event.component == "volume_expand" || event.reason.contains("Expand") || event.reason.contains("Resize")
    });
    let finding = Finding::new(
        "NFS127",
        object.clone(),
        format!(
            "the claim's size was increased from {has} to {}, but NFS volumes can't be expanded",
            claim.size
        ),
    )
    .only(if volume.nfs.is_some() {
        Confidence::Certain
    } else {
        Confidence::Likely
    })
    .seen(format!("status.capacity of {}", object.title()), has)
    .all_seen(words.map(|event| said(event)))
    .alike(&volume.class);
    let promising = case.facts.class(&volume.class).filter(|class| class.is_expandable);
    let room = "its pods can already use all the space of the export, unless the server has a quota for the directory";
    Some(match promising {
        Some(class) => finding.suggest(
            format!(
                "kubectl patch storageclass {} -p '{{\"allowVolumeExpansion\":false}}'",
                crate::doctor::names::word(&class.name)
            ),
            format!("so that the API server refuses such a change; {room}"),
        ),
        None => finding.advise(room),
    })
}
