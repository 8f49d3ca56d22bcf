//! The end of the walk, and what lies on its way: nothing that waits is passed over.

use serde_json::{Value, json};

use super::*;
use crate::doctor::checks;

const NAME: &str = "fuseim.pri/ifs";

/// All findings, the walk's end too.
fn found(version: &str, objects: Vec<Value>) -> Vec<Finding> {
    all_found(&facts(version, objects))
}

fn served() -> Vec<Value> {
    all([vec![class("nfs", NAME)], provisioner("p", provisioners::GOOD, NAME)])
}

#[test]
fn new_claims_and_claims_of_other_storage_are_not_reported() {
    let young = json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:30Z"}});
    for (what, objects, wanted) in rows! {
        ("in silence", all([served(), vec![handed_over("a", "nfs", NAME)]]), &["NFS123 pvc default/a"][..]),
        ("not for long", all([served(), vec![with(handed_over("a", "nfs", NAME), young)]]), &[]),
        ("for other storage", vec![class("c", "ebs.csi.aws.com"), handed_over("a", "c", "ebs.csi.aws.com")], &[]),
    } {
        assert_eq!(titles(&found(NEW, objects)), wanted, "{what}");
    }
}

#[test]
fn many_claims_with_one_cause_are_one_finding() {
    let claims: Vec<Value> = (0..50)
        .map(|index| handed_over(&format!("a{index}"), "gone", NAME))
        .collect();
    let found = found(NEW, all([served(), claims]));
    assert_eq!(titles(&found), ["NFS103 pvc default/a0"]);
    assert_eq!(found[0].explains.len(), 49);
}

#[test]
fn a_pod_stands_under_the_cause_of_its_claim() {
    let objects = all([served(), vec![handed_over("a", "gone", NAME), pod("p", "a", json!({}))]]);
    let found = found(NEW, objects);
    assert_eq!(titles(&found), ["NFS103 pvc default/a"]);
    assert_eq!(found[0].explains, [Object::of("Pod", "default", "p")]);
}

#[test]
fn fields_of_claims_that_nfs_does_not_support() {
    let asking = |spec: Value| with(handed_over("a", "nfs", NAME), json!({"spec": spec}));
    let source = |kind: &str| json!({"dataSourceRef": {"apiGroup": "x", "kind": kind, "name": "s"}});
    let csi = |kind: &str| {
        let claim = with(handed_over("a", "c", "nfs.csi.k8s.io"), json!({"spec": source(kind)}));
        vec![
            class("c", "nfs.csi.k8s.io"),
            object("CSIDriver", "nfs.csi.k8s.io"),
            claim,
            csi_controller(1),
        ]
    };
    for version in [OLD, NEW] {
        hold! { version,
            "blocks": all([served(), vec![asking(json!({"volumeMode": "Block"}))]]) => ["NFS110 pvc default/a"];
            "a snapshot": all([served(), vec![asking(source("VolumeSnapshot"))]]) => ["NFS125 pvc default/a"];
            "a snapshot, which the CSI driver copies": csi("VolumeSnapshot") => [];
            "a data source without a populator": csi("Book") => ["NFS125 pvc default/a"];
            "attributes": all([served(), vec![asking(json!({"volumeAttributesClassName": "gold"}))]]) =>
                ["NFS126 pvc default/a"];
        }
    }
}

fn csi_controller(ready: i32) -> Value {
    let containers = json!([
        {"name": "csi-provisioner", "image": "registry.k8s.io/sig-storage/csi-provisioner:v4.0.0"},
        {"name": "nfs", "image": "registry.k8s.io/sig-storage/nfsplugin:v4.6.0"},
    ]);
    let labels = json!({"app": "csi-nfs-controller"});
    with(
        object("Deployment", "csi-nfs-controller"),
        json!({"spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
               "status": {"readyReplicas": ready}}),
    )
}

#[test]
fn the_csi_drivers_controller() {
    let scene = |controller: Vec<Value>| {
        let claim = handed_over("a", "c", "nfs.csi.k8s.io");
        all([
            vec![
                class("c", "nfs.csi.k8s.io"),
                object("CSIDriver", "nfs.csi.k8s.io"),
                claim,
            ],
            controller,
        ])
    };
    let spoke = with(
        event(
            "PersistentVolumeClaim",
            "a",
            "Provisioning",
            "External provisioner is provisioning volume",
        ),
        json!({"source": {"component": "nfs.csi.k8s.io_host_uuid"}}),
    );
    hold! { NEW,
        "runs": scene(vec![csi_controller(1)]) => [];
        "does not run": scene(vec![csi_controller(0)]) => ["NFS215 deployment default/csi-nfs-controller"];
        "is not there": scene(vec![]) => ["NFS215 storageclass c"];
        "is elsewhere, and speaks": scene(vec![spoke]) => [];
    }
}

/// Who may not read volumes or classes has the events on claims.
#[test]
fn events_of_the_controller_manager_lead_to_findings() {
    for (message, code) in rows! {
        ("storageclass.storage.k8s.io \"fast\" not found", "NFS103"),
        ("Cannot bind to requested volume \"v\": requested PV is too small", "NFS107"),
        ("Cannot bind to requested volume \"v\": incompatible accessMode", "NFS108"),
        ("volume \"v\" already bound to a different claim.", "NFS113"),
        ("something new", "NFS123"),
    } {
        let objects = vec![
            handed_over("a", "fast", NAME),
            event("PersistentVolumeClaim", "a", "FailedBinding", message),
        ];
        let mut facts = facts(NEW, objects);
        for what in ["persistentvolumes", "storageclasses"] {
            facts.unread.push(crate::doctor::facts::Unread {
                what: what.to_owned(),
                why: "forbidden".to_owned(),
                forbidden: false,
            });
        }
        let found = checks::find_all_problems(&facts, NOW.parse().unwrap());
        let codes: Vec<_> = found
            .iter()
            .map(|finding| finding.code)
            .filter(|code| *code != "NFS003")
            .collect();
        assert_eq!(codes, [code], "{message}");
    }
}
