//! The end of the walk, and what lies on its way: nothing that waits is passed over.

use serde_json::{Value, json};

use super::provisioners::{GOOD, NAME};
use super::*;
use crate::doctor::checks;

fn served() -> Vec<Value> {
    all([vec![class("nfs", NAME)], provisioner("p", GOOD, NAME)])
}

/// The NFS CSI driver and a claim for it.
fn of_driver(change: Value, controller: Vec<Value>) -> Vec<Value> {
    let claim = with(handed_over("a", "c", "nfs.csi.k8s.io"), change);
    let driver = vec![
        class("c", "nfs.csi.k8s.io"),
        object("CSIDriver", "nfs.csi.k8s.io"),
        claim,
    ];
    all([driver, controller])
}

fn csi_controller() -> Vec<Value> {
    let containers = json!([
        {"name": "csi-provisioner", "image": "registry.k8s.io/sig-storage/csi-provisioner:v4.0.0"},
        {"name": "nfs", "image": "registry.k8s.io/sig-storage/nfsplugin:v4.6.0"},
    ]);
    let labels = json!({"app": "csi-nfs-controller"});
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": containers}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": labels}, "template": template});
    let controller = json!({"spec": spec, "status": {"readyReplicas": 1}});
    vec![with(object("Deployment", "csi-nfs-controller"), controller)]
}

#[test]
fn claims_on_their_way_to_a_provisioner() {
    let asking = |spec: Value| {
        all([
            served(),
            vec![with(handed_over("a", "nfs", NAME), json!({"spec": spec}))],
        ])
    };
    let source = |kind: &str| json!({"dataSourceRef": {"apiGroup": "x", "kind": kind, "name": "s"}});
    let csi = |kind: &str| of_driver(json!({"spec": source(kind)}), csi_controller());
    let words = "External provisioner is provisioning volume";
    let by_driver = json!({"source": {"component": "nfs.csi.k8s.io_host_uuid"}});
    let spoke = with(event("PersistentVolumeClaim", "a", "Provisioning", words), by_driver);
    let of_gone = |name: &str| handed_over(name, "gone", NAME);
    hold! { NEW,
        "many with one cause, and the pod of one": all([served(), vec![of_gone("a"), of_gone("b"), of_gone("c"),
            pod("p", "a", json!({}))]]) => ["NFS103 pvc default/a" says "the same for each of the others"
            "affects pod default/p, pvc default/b, pvc default/c"];
        "a snapshot": asking(source("VolumeSnapshot")) => ["NFS125 pvc default/a"];
        "a snapshot, which the CSI driver copies": csi("VolumeSnapshot") => [];
        "a data source without a populator": csi("Book") => ["NFS125 pvc default/a"];
        "attributes": asking(json!({"volumeAttributesClassName": "gold"})) => ["NFS126 pvc default/a"];
        "the CSI driver's controller is not there": of_driver(json!({}), vec![]) => ["NFS215 storageclass c"];
        "the CSI driver's controller is elsewhere, and speaks": of_driver(json!({}), vec![spoke]) => [];
    }
}

/// Who may not read volumes or classes has the events on claims.
#[test]
fn events_of_the_controller_manager_lead_to_findings() {
    for (message, code) in rows! {
        ("Cannot bind to requested volume \"v\": requested PV is too small", "NFS107"),
        ("Cannot bind to requested volume \"v\": incompatible accessMode", "NFS108"),
        ("volume \"v\" already bound to a different claim.", "NFS113"),
        ("something new", "NFS123"),
    } {
        let failed = event("PersistentVolumeClaim", "a", "FailedBinding", message);
        let mut facts = facts(NEW, vec![handed_over("a", "fast", NAME), failed]);
        for what in ["persistentvolumes", "storageclasses"] {
            facts.cluster.record_unread(what, "forbidden");
        }
        let found = checks::find_all_problems(&facts, NOW.parse().unwrap());
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["NFS003", code], "{message}");
    }
}
