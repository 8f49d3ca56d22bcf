//! NFS501 to NFS507, and what may not be read.

use serde_json::json;

use super::*;
use crate::cluster::snapshot::Unread;

const NAME: &str = "example.com/nfs";

fn released(policy: &str) -> Value {
    volume(
        "v",
        json!({"spec": {"persistentVolumeReclaimPolicy": policy, "claimRef": {"namespace": "default", "name": "a", "uid": "x"}}, "status": {"phase": "Released"}}),
    )
}

fn provisioned(volume: Value) -> Value {
    with(
        volume,
        json!({"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": NAME}}}),
    )
}

fn going(object: Value, finalizers: &[&str]) -> Value {
    with(
        object,
        json!({"metadata": {"deletionTimestamp": "2026-01-01T11:50:00Z", "finalizers": finalizers}}),
    )
}

#[test]
fn released_and_retained_volumes() {
    let deleted = || provisioned(released("Delete"));
    let failed = |reason: &str, words: &str| event("PersistentVolume", "v", reason, words);
    let no_class = || failed("VolumeFailedDelete", r#"storageclass.storage.k8s.io "nfs" not found"#);
    let no_recycling = || {
        failed(
            "VolumeFailedRecycle",
            "Recycle failed: failed to recycle volume: pod failed",
        )
    };
    let by_hand = |reclaim: &str| volume("v", json!({"spec": {"persistentVolumeReclaimPolicy": reclaim}}));
    let serving = || provisioner("p", "nfsprov:1", NAME);
    for version in [OLD, NEW] {
        hold! { version,
            "recycled": vec![by_hand("Recycle")] => ["NFS502 pv v automatic"];
            "the recycler fails": vec![released("Recycle"), no_recycling()] =>
                ["NFS502 pv v automatic" says "can't empty the PV"];
            "to be deleted, and made by hand": vec![by_hand("Delete")] => ["NFS503 pv v automatic"];
            "to be deleted by one that runs": all([vec![deleted()], serving()]) => [];
            "its provisioner does not run": vec![deleted()] => ["NFS506 pv v"];
            "just released": vec![with(deleted(), json!({"status": {"lastPhaseTransitionTime":
                "2026-01-01T11:59:58Z"}}))] => [];
            "its class is gone": all([vec![deleted(), no_class()], serving()]) => ["NFS507 pv v"];
            "its class is back": all([vec![deleted(), class("nfs", NAME), no_class()], serving()]) => [];
            "another namespace's": vec![with(released("Retain"), json!({"spec": {"claimRef": {"namespace":
                "other"}}}))] => [];
            "not NFS": vec![with(released("Retain"), json!({"spec": {"nfs": null, "hostPath": {"path": "/x"}}}))] =>
                [];
        }
    }
}

#[test]
fn deletions_that_are_blocked() {
    const PROVISIONER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
    const PROTECTION: &str = "kubernetes.io/pvc-protection";
    let claim = || bound(json!({})).remove(0);
    let bound = || bound(json!({})).remove(1);
    let ended = pod(
        "p",
        "a",
        json!({"spec": {"nodeName": "n"}, "status": {"phase": "Succeeded"}}),
    );
    let kept = |finalizers: &[&str]| vec![going(provisioned(released("Retain")), finalizers)];
    let waiting = |finalizers: &[&str]| vec![going(of_class("a", "nfs"), finalizers)];
    let of_driver = |finalizer: &str| {
        let driver = json!({"spec": {"drivers": [{"name": "a.csi.example.com", "nodeID": "n"}]}});
        vec![
            going(released("Retain"), &[finalizer]),
            with(object("CSINode", "n"), driver),
        ]
    };
    hold! { OLD,
        "a claim whose pod is over": vec![going(claim(), &[PROTECTION]), bound(), ended] => ["NFS504 pvc default/a" says
            "kubectl -n default delete pod p"];
        "a claim that no pod uses": vec![going(claim(), &[PROTECTION]), bound()] => [];
        "a volume in use": vec![claim(), going(bound(), &["kubernetes.io/pv-protection"])] => ["NFS504 pv v"];
        "only Kubernetes' own": waiting(&[PROTECTION]) => [];
        "a provisioner's, and it runs": all([kept(&[PROVISIONER]), provisioner("p", "nfsprov:1", NAME)]) => [];
        "the provisioner is gone": kept(&["kubernetes.io/pv-protection", PROVISIONER]) => ["NFS505 pv v" says
            "provisioner example.com/nfs does not run"
            r#"kubectl patch pv v --type json -p '[{"op":"test","path":"/metadata/finalizers/1","value":"external-provisioner.volume.kubernetes.io/finalizer"},{"op":"remove","path":"/metadata/finalizers/1"}]'"#];
        "both are gone; the later place comes first": kept(&[PROVISIONER, "nfsprov/making"]) => ["NFS505 pv v" says
            r#"finalizers/1","value":"nfsprov/making"},{"op":"remove","path":"/metadata/finalizers/1"},{"op":"test","path":"/metadata/finalizers/0""#];
        "one owner is gone, the other is unknown": kept(&["backup.example.com/keep", PROVISIONER]) => ["NFS505 pv v" says
            "belongs to backup.example.com" r#"[{"op":"test","path":"/metadata/finalizers/1""# "!finalizers/0"];
        "an attacher's, whose driver is not there": vec![going(released("Delete"), &["external-attacher/nfs-csi-k8s-io"])]
            => ["NFS503 pv v automatic", "NFS505 pv v"];
        "an attacher's, whose driver is on a node": of_driver("external-attacher/a-csi-example-com") => [];
        "an unknown owner": waiting(&["example.com/keep"]) =>
            ["NFS505 pvc default/a" says "belongs to example.com" "!kubectl"];
        "its name tells nothing": waiting(&["keep"]) => ["NFS505 pvc default/a" says "whose owner is unknown" "!kubectl"];
        "a backup is being made": waiting(&["volumes.velero.io/x"]) =>
            ["NFS505 pvc default/a as info" says "Velero" "!kubectl"];
        "a name that ends alike is another's": waiting(&["notvelero.io/x"]) =>
            ["NFS505 pvc default/a" says "belongs to notvelero.io" "!kubectl"];
    }
}

#[test]
fn unread_workloads_give_no_finding_about_provisioners() {
    let mut facts = facts(
        OLD,
        vec![
            class("managed", NAME),
            handed_over("a", "managed", NAME),
            with(
                provisioned(released("Delete")),
                json!({"metadata": {"creationTimestamp": "2026-01-01T11:00:00Z"}}),
            ),
        ],
    );
    assert_eq!(titles(&found(&facts)), ["NFS201 storageclass managed", "NFS506 pv v"]);
    facts.cluster.unread.push(Unread {
        what: "deployments".to_owned(),
        why: r#"deployments.apps is forbidden: User "system:serviceaccount:ops:viewer" cannot list resource "deployments""#.to_owned(),
        forbidden: true,
    });
    let found = found(&facts);
    assert_eq!(titles(&found), ["NFS002 cluster RBAC"]);
}

#[test]
fn a_claim_that_is_not_expanded_has_its_cause_named() {
    const OURS: &str = "nfsprov/nfs";
    // The claim's size was increased after this provisioner had provisioned its volume.
    let increased = |by: &str, is_allowed: bool| {
        let mut objects = bound(json!({"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": by}}}));
        let larger = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}, "status": {"capacity": {"storage": "1Gi"}}});
        objects[0] = with(objects[0].clone(), larger);
        objects.push(with(class("nfs", by), json!({"allowVolumeExpansion": is_allowed})));
        objects
    };
    let asked = json!({"group": "", "resource": "persistentvolumeclaims", "subresource": "status", "verb": "patch"});
    let denied = json!({"kind": "SubjectAccessReview", "metadata": {}, "status": {"allowed": false},
        "spec": {"user": "system:serviceaccount:default:p", "resourceAttributes": asked}});
    let failed = event(
        "PersistentVolumeClaim",
        "a",
        "VolumeResizeFailed",
        "mounted without prjquota",
    );
    let failed = with(failed, json!({"source": {"component": format!("{OURS}_p-1_uuid")}}));
    let running = || provisioner("p", "nfsprov:1", OURS);
    hold! { NEW,
        "its class forbids it": all([increased(OURS, false), running()]) => ["NFS127 pvc default/a" says
            "class nfs does not allow expansion" "\"allowVolumeExpansion\":true"];
        "its provisioner may not": all([increased(OURS, true), vec![denied], running()]) => ["NFS127 pvc default/a" says
            "may not patch persistentvolumeclaims/status" "[\"persistentvolumeclaims/status\"]"];
        "its provisioner failed": all([increased(OURS, true), vec![failed], running()]) => ["NFS127 pvc default/a" says
            "could not expand it, as its event says" "the provisioner retries"];
        "its provisioner does not do it": all([increased(OURS, true), running()]) => ["NFS127 pvc default/a" says
            "nfsprov/nfs has not expanded it" "--watch"];
    }
}
