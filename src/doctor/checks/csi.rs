//! csi-driver-nfs, which has to be installed, on the nodes and as a controller: NFS211, NFS215 (PURE).

use super::View;
use super::mounts::{describe_unregistered_driver, severity_of_unregistered};
use crate::cluster::provisioners::{self, NFS_CSI, ProvisionerKind};
use crate::cluster::snapshot::{Class, Pod};
use crate::doctor::entry::entries;
use crate::doctor::names::list_names;
use crate::doctor::{Confidence, Finding, Object};

entries! {
    "NFS211" Error [CLASSES, DRIVERS] "the NFS CSI driver is missing",
        "The class uses nfs.csi.k8s.io, and that driver is not installed, or not on all nodes. See the driver's own installation instructions.";
    "NFS215" Error [CLASSES, DEPLOYMENTS] "the NFS CSI driver's controller is not running",
        "The driver's controller (Deployment csi-nfs-controller, by default in kube-system) provisions the volumes of nfs.csi.k8s.io. While it does not run, claims stay Pending; the driver on the nodes still mounts existing volumes.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    if !view.cluster.was_read("storageclasses") || !view.cluster.was_read("csidrivers") {
        return Vec::new();
    }
    let classes = view.cluster.classes.iter().filter(|class| class.provisioner == NFS_CSI);
    let mut found: Vec<Finding> = classes.filter_map(|class| find_missing_driver(view, class)).collect();
    found.extend(find_node_without_driver(view));
    found
}

/// For a class of the NFS CSI driver: NFS211 if the cluster has no such driver; NFS215 if claims are Pending, and
/// neither a controller nor an event of the driver is found. No NFS215 if Deployments were not read.
fn find_missing_driver(view: &View<'_>, class: &Class) -> Option<Finding> {
    let claims = provisioners::claims_waiting_for(view.cluster, &class.provisioner).into_iter();
    let of_class = claims.filter(|claim| claim.class.as_deref() == Some(&class.name));
    let waiting: Vec<Object> = of_class.map(|claim| claim.object()).collect();
    let finding = |code, cause: &str| {
        Finding::new(code, class.object(), cause)
            .with_field("provisioner", NFS_CSI)
            .with_affected(waiting.iter().cloned())
    };
    let drivers = &view.cluster.csi_drivers;
    if !drivers.iter().any(|driver| driver == NFS_CSI) {
        return Some(
            finding("NFS211", &format!("the CSI driver {NFS_CSI} is not installed"))
                .with_evidence("CSIDrivers", list_names(drivers))
                .with_advice("install csi-driver-nfs as its documentation says, or use a class of nfsprov's; a driver that runs under another name needs a class of that name"),
        );
    }
    let candidates = provisioners::find_candidates(view.cluster);
    let is_there = candidates
        .iter()
        .any(|provisioner| provisioner.kind == ProvisionerKind::CsiController);
    if is_there || waiting.is_empty() || !view.cluster.was_read("deployments") {
        return None;
    }
    // It may run under another name, or outside the cluster.
    let mut events = view.cluster.events.iter();
    let has_spoken = events.any(|event| provisioners::is_written_by(event, NFS_CSI));
    let cause = "the NFS CSI driver has no controller in the cluster, which creates the volumes";
    (!has_spoken).then(|| {
        finding("NFS215", cause)
            .with_confidence(Confidence::Likely)
            .with_evidence("Deployments", "none with csi-provisioner and the NFS driver")
            .with_advice("install the driver's controller (csi-nfs-controller) as its documentation says")
    })
}

/// NFS211 about the first node whose kubelet does not know the driver, and on which pods are Pending for the driver's
/// volumes. `None` if CSINodes were not read.
fn find_node_without_driver(view: &View<'_>) -> Option<Finding> {
    let has_driver = |node: &str| {
        let mut nodes = view.cluster.csi_nodes.iter();
        nodes.any(|(name, drivers)| name == node && drivers.iter().any(|driver| driver == NFS_CSI))
    };
    let uses_driver = |pod: &&Pod| {
        let mut volumes = view.volumes_of_pod(pod);
        volumes.any(|volume| volume.csi_driver.as_deref() == Some(NFS_CSI))
    };
    let is_stuck = |pod: &&Pod| pod.is_being_created() && !pod.node.is_empty() && !has_driver(&pod.node);
    let stuck: Vec<&Pod> = view.cluster.pods.iter().filter(is_stuck).filter(uses_driver).collect();
    let node = &stuck.first().filter(|_| view.cluster.was_read("csinodes"))?.node;
    let (cause, fix) = describe_unregistered_driver(view, NFS_CSI, node);
    let on_node = stuck.iter().filter(|pod| pod.node == *node);
    Some(
        Finding::new("NFS211", Object::cluster_scoped("Node", node), cause)
            .with_severity(severity_of_unregistered(view, NFS_CSI, node))
            .with_evidence(format!("CSINode {node}"), format!("no driver {NFS_CSI}"))
            .with_fix(fix)
            .with_affected(on_node.map(|pod| pod.object())),
    )
}
