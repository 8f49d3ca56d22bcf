//! csi-driver-nfs, which has to be installed, on the nodes and as a controller: NFS211, NFS215 (PURE).

use super::Case;
use super::mounts::not_registered;
use crate::doctor::Severity::Error;
use crate::doctor::explain::{CLASSES, DEPLOYMENTS, DRIVERS, Entry, entry};
use crate::doctor::facts::{Class, Pod};
use crate::doctor::names::some;
use crate::doctor::provisioners::{self, Make, NFS_CSI};
use crate::doctor::{Confidence, Finding, Object};

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS211",
        Error,
        &[CLASSES, DRIVERS],
        "the NFS CSI driver is missing",
        "The class uses nfs.csi.k8s.io, and that driver is not installed, or not on all nodes. See the driver's own installation instructions.",
    ),
    entry(
        "NFS215",
        Error,
        &[CLASSES, DEPLOYMENTS],
        "the NFS CSI driver's controller is not running",
        "The driver's controller (Deployment csi-nfs-controller, by default in kube-system) provisions the volumes of nfs.csi.k8s.io. While it does not run, claims stay Pending; the driver on the nodes still mounts existing volumes.",
    ),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    if !case.facts.knows("storageclasses") || !case.facts.knows("csidrivers") {
        return Vec::new();
    }
    let classes = case.facts.classes.iter().filter(|class| class.provisioner == NFS_CSI);
    let mut found: Vec<Finding> = classes.filter_map(|class| missing(case, class)).collect();
    found.extend(not_on_node(case));
    found
}

/// The claims that wait for a class.
fn waiting(case: &Case<'_>, class: &Class) -> Vec<Object> {
    let claims = provisioners::waiting(case.facts, &class.provisioner).into_iter();
    let theirs = claims.filter(|claim| claim.class.as_deref() == Some(&class.name));
    theirs.map(|claim| claim.object()).collect()
}

fn missing(case: &Case<'_>, class: &Class) -> Option<Finding> {
    let waiting = waiting(case, class);
    let finding = |code, cause: &str| {
        Finding::new(code, class.object(), cause)
            .seen(format!("provisioner of {}", class.object().title()), NFS_CSI)
            .explaining(waiting.iter().cloned())
    };
    if !case.facts.csi_drivers.iter().any(|driver| driver == NFS_CSI) {
        let finding = finding("NFS211", &format!("the CSI driver {NFS_CSI} is not installed"));
        return Some(
            finding
                .seen(
                    "CSIDrivers",
                    some(&case.facts.csi_drivers.iter().map(String::as_str).collect::<Vec<_>>()),
                )
                .advise("install csi-driver-nfs as its documentation says, or use a class of nfsprov's; a driver that runs under another name needs a class of that name"),
        );
    }
    let candidates = provisioners::candidates(case.facts);
    let is_there = candidates.iter().any(|one| one.make == Make::CsiController);
    if is_there || waiting.is_empty() || !case.facts.knows("deployments") {
        return None;
    }
    // It may run under another name, or outside the cluster.
    let proof = case
        .facts
        .events
        .iter()
        .any(|event| provisioners::wrote(event, NFS_CSI));
    (!proof).then(|| {
        finding(
            "NFS215",
            "the NFS CSI driver has no controller in the cluster, which creates the volumes",
        )
        .only(Confidence::Likely)
        .seen("Deployments", "none with csi-provisioner and the NFS driver")
        .advise("install the driver's controller (csi-nfs-controller) as its documentation says")
    })
}

/// Pods on nodes whose kubelet does not know the driver.
fn not_on_node(case: &Case<'_>) -> Option<Finding> {
    let has = |node: &str| {
        let mut nodes = case.facts.csi_nodes.iter();
        nodes.any(|(name, drivers)| name == node && drivers.iter().any(|driver| driver == NFS_CSI))
    };
    let is_theirs = |pod: &&Pod| {
        let claims = pod.claims.iter().filter_map(|name| case.claim(&pod.namespace, name));
        let mut volumes = claims.filter_map(|claim| case.volume(&claim.volume));
        volumes.any(|volume| volume.csi_driver.as_deref() == Some(NFS_CSI))
    };
    let waits = |pod: &&Pod| pod.phase == "Pending" && !pod.node.is_empty() && !has(&pod.node);
    let stuck: Vec<&Pod> = case.facts.pods.iter().filter(waits).filter(is_theirs).collect();
    let first = stuck.first().filter(|_| case.facts.knows("csinodes"))?;
    let known = case.facts.nodes.iter().find(|node| node.name == first.node);
    let evidence = crate::doctor::Evidence {
        source: format!("CSINode {}", first.node),
        text: format!("no driver {NFS_CSI}"),
    };
    let object = Object::cluster("Node", &first.node);
    let finding = not_registered(case, &first.node, known).finding("NFS211", object, evidence);
    let there = stuck.iter().filter(|pod| pod.node == first.node);
    Some(finding.explaining(there.map(|pod| pod.object())))
}
