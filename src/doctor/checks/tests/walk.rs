//! The end of the walk, and what lies on its way: nothing that waits is passed over.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    NEW, NOW, OLD, all, class, event, facts, handed_over, node, object, pod, provisioner, titles, volume,
    waiting_for_consumer, with,
};
use crate::doctor::checks;
use crate::doctor::{Finding, Object};

const NAME: &str = "fuseim.pri/ifs";
const GOOD: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

/// All findings, the walk's end too.
fn found(version: &str, objects: Vec<Value>) -> Vec<Finding> {
    let now: Timestamp = NOW.parse().unwrap();
    let mut found = checks::all(&facts(version, objects), now);
    found.retain(|finding| finding.code != "NFS003");
    found.sort_by(|one, other| (one.code, &one.object).cmp(&(other.code, &other.object)));
    found
}

fn served() -> Vec<Value> {
    all([vec![class("nfs", NAME)], provisioner("p", GOOD, NAME)])
}

/// A bound claim with its NFS volume, and a pod on a node that uses it.
fn mounting(change: Value, words: &str) -> Vec<Value> {
    let claim = with(
        handed_over("a", "nfs", NAME),
        json!({"spec": {"volumeName": "v"}, "status": {"phase": "Bound"}}),
    );
    let reference = json!({"spec": {"claimRef": {"namespace": "default", "name": "a", "uid": "uid-a"}}, "status": {"phase": "Bound"}});
    let pod = with(pod("p", "a", json!({"spec": {"nodeName": "node1"}})), change);
    let said = (!words.is_empty()).then(|| event("Pod", "p", "FailedMount", words));
    all([vec![claim, volume("v", reference), pod], said.into_iter().collect()])
}

fn ready(status: &str) -> Value {
    node(
        "node1",
        json!({"status": {"conditions": [{"type": "Ready", "status": status}]}}),
    )
}

#[test]
fn a_claim_that_waits_is_named_whatever_the_cause() {
    let young = json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:30Z"}});
    let said = event(
        "PersistentVolumeClaim",
        "a",
        "ExternalProvisioning",
        "waiting for a volume to be created",
    );
    for (what, objects, wanted) in rows! {
        ("in silence", all([served(), vec![handed_over("a", "nfs", NAME)]]), &["NFS123 pvc default/a"][..]),
        ("as it is told", all([served(), vec![handed_over("a", "nfs", NAME), said]]), &["NFS123 pvc default/a"]),
        ("not for long", all([served(), vec![with(handed_over("a", "nfs", NAME), young)]]), &[]),
        ("for other storage", vec![class("c", "ebs.csi.aws.com"), handed_over("a", "c", "ebs.csi.aws.com")], &[]),
    } {
        let found = found(NEW, objects);
        // Without an event for long it is the controller manager that is named.
        let mut titles = titles(&found);
        titles.retain(|title| !title.starts_with("NFS004"));
        let silent = found.iter().any(|finding| finding.code == "NFS004");
        assert!(titles == wanted || silent, "{what}: {found:#?}");
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
fn a_pod_that_waits_is_named() {
    let pulling = json!({"status": {"containerStatuses": [{"name": "app", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});
    for (what, objects, wanted) in rows! {
        ("with unknown words", mounting(json!({}),
            "MountVolume.SetUp failed for volume \"v\" : mount failed: strange"), &["NFS413 pv v"][..]),
        ("on a node that is not Ready", all([mounting(json!({}), ""), vec![ready("Unknown")]]),
            &["NFS420 node node1"]),
        ("in silence", all([mounting(json!({}), ""), vec![ready("True")]]), &["NFS123 pod default/p"]),
        ("for its image", all([mounting(pulling, ""), vec![ready("True")]]), &[]),
        ("for a secret", all([mounting(json!({}),
            "MountVolume.SetUp failed for volume \"token\" : secret \"x\" not found"), vec![ready("True")]]),
            &["NFS123 pod default/p"]),
    } {
        let found = found(NEW, objects);
        assert_eq!(titles(&found), wanted, "{what}: {found:#?}");
    }
}

#[test]
fn a_pod_stands_under_the_cause_of_its_claim() {
    let objects = all([served(), vec![handed_over("a", "gone", NAME), pod("p", "a", json!({}))]]);
    let found = found(NEW, objects);
    assert_eq!(titles(&found), ["NFS103 pvc default/a"]);
    assert_eq!(found[0].explains, [Object::of("Pod", "default", "p")]);
}

#[test]
fn a_first_pod_that_is_never_scheduled() {
    let late = || {
        all([
            vec![waiting_for_consumer(class("nfs", NAME))],
            provisioner("p", GOOD, NAME),
        ])
    };
    let claim = || {
        with(
            handed_over("a", "nfs", NAME),
            json!({"metadata": {"annotations": null}}),
        )
    };
    let unschedulable = json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False",
        "message": "0/3 nodes are available: 3 Insufficient cpu."}]}});
    let errors = |objects: Vec<Value>| {
        let mut found = found(NEW, objects);
        found.retain(|finding| finding.severity == crate::doctor::Severity::Error);
        titles(&found)
    };
    assert_eq!(errors(all([late(), vec![claim()]])), Vec::<String>::new());
    assert_eq!(
        errors(all([late(), vec![claim(), pod("w", "a", json!({}))]])),
        Vec::<String>::new()
    );
    assert_eq!(
        errors(all([late(), vec![claim(), pod("w", "a", unschedulable)]])),
        ["NFS115 pvc default/a"]
    );
    assert_eq!(
        errors(all([
            late(),
            vec![claim(), pod("w", "a", json!({"spec": {"nodeName": "node1"}}))]
        ])),
        ["NFS124 pvc default/a"]
    );
}

#[test]
fn what_nfs_can_not_do() {
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
fn what_the_controller_manager_says_leads_to_a_finding() {
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
        let found = checks::all(&facts, NOW.parse().unwrap());
        let codes: Vec<_> = found
            .iter()
            .map(|finding| finding.code)
            .filter(|code| *code != "NFS003")
            .collect();
        assert_eq!(codes, [code], "{message}");
    }
}
