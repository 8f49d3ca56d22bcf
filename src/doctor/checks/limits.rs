//! Limits of volumes' sizes, by the events that provisioners write about their volumes: NFS509, NFS510 (PURE).

use super::View;
use crate::cluster::provisioners;
use crate::cluster::snapshot::{Event, Volume};
use crate::doctor::Finding;
use crate::doctor::entry::entries;

entries! {
    "NFS509" Error [VOLUMES, PV_EVENTS] "the server does not enforce the sizes of volumes",
        "Volumes of classes with quota: enforce can grow past their size: the provisioner found that the server does not report the limit as the size of a directory. Mostly the server rebooted, and /etc/fstab mounts the file system without prjquota. On XFS, unmount it and mount it with prjquota; on ext4, remount it with prjquota and run quotaon -P. The limits themselves are kept.";
    "NFS510" Warning [VOLUMES, PV_EVENTS] "the limits of volumes are more than the file system has",
        "A limit is no reservation. The limits of all volumes on the file system add up to more than its size, so that it may be full before a volume is; then writes to all of its volumes fail. Enlarge the file system, remove archives that are not needed (nfsprov volumes expire), or watch nfsprov_export_free_bytes.";
}

/// What a provisioner reports: the code, the event's reason, the cause, in which `SERVER` is the NFS server, and the
/// advice.
const REPORTS: [(&str, &str, &str, &str); 2] = [
    (
        "NFS509",
        "QuotaNotEnforced",
        "the NFS server SERVER does not enforce the sizes of volumes",
        "on the server, mount the file system with the option prjquota, and add it to /etc/fstab; on ext4 run quotaon -P, \
         too; nfsprov setup-server --quota does what is possible while clients use the export, and prints the remaining commands",
    ),
    (
        "NFS510",
        "QuotaOvercommitted",
        "the limits of volumes on SERVER add up to more than the file system has",
        "enlarge the file system, or remove archives that are not needed: nfsprov volumes expire",
    ),
];

/// Also about volumes of claims outside the namespace of the diagnosis.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let volumes = view.cluster.volumes.iter();
    volumes
        .flat_map(|volume| find_reported_problems(view, volume))
        .collect()
}

/// NFS509 and NFS510, by events of the last 12 minutes that the volume's own provisioner wrote, or anyone if it has
/// none; empty for CSI volumes. The volumes of one server are merged.
fn find_reported_problems(view: &View<'_>, volume: &Volume) -> Vec<Finding> {
    let (Some((server, _)), name) = (&volume.nfs, volume.provisioned_by.as_deref()) else {
        return Vec::new();
    };
    let object = volume.object();
    let report = |(code, reason, cause, advice): &(&'static str, &str, &str, &str)| {
        let is_theirs = |event: &Event| name.is_none_or(|name| provisioners::is_written_by(event, name));
        let is_report = |event: &Event| event.reason == *reason && view.is_repeated(event) && is_theirs(event);
        let event = view.find_event(&object, is_report)?;
        Some(
            Finding::new(code, object.clone(), cause.replace("SERVER", server))
                .with_all_evidence([event.evidence()])
                .with_same_cause(server)
                .with_advice(*advice),
        )
    };
    REPORTS.iter().filter_map(report).collect()
}
