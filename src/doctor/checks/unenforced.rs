//! Limits that a server does not enforce any more: NFS509 (PURE).

use super::Case;
use crate::doctor::Finding;
use crate::doctor::entry::entries;
use crate::doctor::facts::{Event, Volume};
use crate::doctor::provisioners;

entries! {
    "NFS509" Error [VOLUMES, PV_EVENTS] "the server does not enforce the sizes of volumes",
        "Volumes of classes with quota: enforce can grow past their size: the provisioner found that the server does not report the limit as the size of a directory. Mostly the server rebooted, and /etc/fstab mounts the file system without prjquota. On XFS, unmount it and mount it with prjquota; on ext4, remount it with prjquota and run quotaon -P. The limits themselves are kept.";
}

pub fn find_problems(case: &Case<'_>) -> Vec<Finding> {
    let volumes = case.facts.volumes.iter();
    volumes
        .filter_map(|volume| find_unenforced_limit(case, volume))
        .collect()
}

/// The newest event of a volume's provisioner about it for a reason, if it is recent.
pub(super) fn find_event<'a>(case: &'a Case<'_>, volume: &Volume, reason: &'a str) -> Option<&'a Event> {
    let name = volume.provisioned_by.as_deref();
    let mut events = case.repeated_events(&volume.object(), reason);
    events.find(|event| name.is_none_or(|name| provisioners::is_written_by(event, name)))
}

/// NFS509, by the provisioner's recent event about a volume; the volumes of one server are merged.
fn find_unenforced_limit(case: &Case<'_>, volume: &Volume) -> Option<Finding> {
    let event = find_event(case, volume, "QuotaNotEnforced")?;
    let (server, _) = volume.nfs.as_ref()?;
    Some(
        Finding::new(
            "NFS509",
            volume.object(),
            format!("the NFS server {server} does not enforce the sizes of volumes"),
        )
        .with_all_evidence([event.evidence()])
        .with_same_cause(server)
        .with_advice(
            "on the server, mount the file system with the option prjquota, and add it to /etc/fstab; on ext4 run quotaon -P, \
             too; nfsprov setup-server --quota does what is possible while clients use the export, and prints the remaining commands",
        ),
    )
}
