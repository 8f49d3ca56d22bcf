//! Limits that are more than the file system has: NFS510 (PURE).

use super::Case;
use super::unenforced::find_event;
use crate::doctor::Finding;
use crate::doctor::entry::entries;
use crate::doctor::facts::Volume;

entries! {
    "NFS510" Warning [VOLUMES, PV_EVENTS] "the limits of volumes are more than the file system has",
        "A limit is no reservation. The limits of all volumes on the file system add up to more than its size, so that it may be full before a volume is; then writes to all of its volumes fail. Enlarge the file system, remove archives that are not needed (nfsprov volumes expire), or watch nfsprov_export_free_bytes.";
}

pub fn find_problems(case: &Case<'_>) -> Vec<Finding> {
    let volumes = case.facts.volumes.iter();
    volumes.filter_map(|volume| find_overcommitment(case, volume)).collect()
}

/// NFS510, by the provisioner's recent event about a volume; the volumes of one server are merged.
fn find_overcommitment(case: &Case<'_>, volume: &Volume) -> Option<Finding> {
    let event = find_event(case, volume, "QuotaOvercommitted")?;
    let (server, _) = volume.nfs.as_ref()?;
    Some(
        Finding::new(
            "NFS510",
            volume.object(),
            format!("the limits of volumes on {server} add up to more than the file system has"),
        )
        .with_all_evidence([event.evidence()])
        .with_same_cause(server)
        .with_advice("enlarge the file system, or remove archives that are not needed: nfsprov volumes expire"),
    )
}
