//! NFS501 to NFS507, and what may not be read.

use serde_json::json;

use super::*;
use crate::doctor::Severity;
use crate::doctor::facts::Unread;

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
    let failed = r#"storageclass.storage.k8s.io "nfs" not found"#;
    let by_hand = |reclaim: &str| volume("v", json!({"spec": {"persistentVolumeReclaimPolicy": reclaim}}));
    let serving = || provisioner("p", "nfsprov:1", NAME);
    for version in [OLD, NEW] {
        hold! { version,
            "kept and free": vec![volume("v", json!({}))] => [];
            "kept and released": vec![released("Retain")] => ["NFS501 pv v"];
            "recycled": vec![by_hand("Recycle")] => ["NFS502 pv v"];
            "to be deleted, and made by hand": vec![by_hand("Delete")] => ["NFS503 pv v"];
            "to be deleted by one that runs": all([vec![deleted()], serving()]) => [];
            "its provisioner does not run": vec![deleted()] => ["NFS506 pv v"];
            "just released": vec![with(deleted(), json!({"status": {"lastPhaseTransitionTime":
                "2026-01-01T11:59:58Z"}}))] => [];
            "its class is gone": all([vec![deleted(), event("PersistentVolume", "v", "VolumeFailedDelete", failed)],
                serving()]) => ["NFS507 pv v"];
            "its class is back": all([vec![deleted(), class("nfs", NAME), event("PersistentVolume", "v",
                "VolumeFailedDelete", failed)], serving()]) => [];
            "another namespace's": vec![with(released("Retain"), json!({"spec": {"claimRef": {"namespace":
                "other"}}}))] => [];
            "not NFS": vec![with(released("Retain"), json!({"spec": {"nfs": null, "hostPath": {"path": "/x"}}}))] =>
                [];
        }
    }
}

#[test]
fn a_recycler_that_fails() {
    let text = "Recycle failed: failed to recycle volume: pod failed, pod.Status.Message unknown.";
    let finding = only(
        OLD,
        vec![
            released("Recycle"),
            event("PersistentVolume", "v", "VolumeFailedRecycle", text),
        ],
    );
    assert!(
        finding.code == "NFS502" && finding.cause.contains("can't empty the PV"),
        "{}",
        finding.cause
    );
}

#[test]
fn deletions_that_are_blocked() {
    let claim = || bound(json!({})).remove(0);
    let bound = || bound(json!({})).remove(1);
    let user = |change: Value| {
        pod(
            "p",
            "a",
            with(
                json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running"}}),
                change,
            ),
        )
    };
    let protected = ["kubernetes.io/pvc-protection"];
    let owned = [
        "external-provisioner.volume.kubernetes.io/finalizer",
        "kubernetes.io/pv-protection",
    ];
    for version in [OLD, NEW] {
        hold! { version,
            "a claim in use": vec![going(claim(), &protected), bound(), user(json!({}))] => ["NFS504 pvc default/a"];
            "a claim whose pod is over": vec![going(claim(), &protected), bound(), user(json!({"status": {"phase":
                "Succeeded"}}))] => [];
            "a claim that no pod uses": vec![going(claim(), &protected), bound()] => [];
            "a volume in use": vec![claim(), going(bound(), &["kubernetes.io/pv-protection"])] => ["NFS504 pv v"];
            "a provisioner's finalizer, and it is gone": vec![going(provisioned(released("Delete")), &owned)] =>
                ["NFS505 pv v"];
            "nfsprov's, until the volume is out of the making, and it is gone":
                vec![going(provisioned(released("Retain")), &["nfsprov/making"])] => ["NFS505 pv v"];
            "a provisioner's finalizer, and it runs": all([vec![going(provisioned(released("Delete")), &owned)],
                provisioner("p", "nfsprov:1", NAME)]) => [];
            "an attacher's finalizer": vec![going(released("Delete"), &["external-attacher/nfs-csi-k8s-io"])] =>
                ["NFS503 pv v", "NFS505 pv v"];
            "an attacher's finalizer, and its driver is on a node": vec![going(released("Retain"),
                &["external-attacher/a-csi-example-com"]), with(object("CSINode", "n"), json!({"spec": {"drivers":
                [{"name": "a.csi.example.com", "nodeID": "n"}]}}))] => [];
            "another controller's finalizer": vec![going(of_class("a", "nfs"), &["example.com/keep"])] =>
                ["NFS505 pvc default/a"];
            "only Kubernetes' own": vec![going(of_class("a", "nfs"), &protected)] => [];
        }
    }
}

#[test]
fn a_finalizer_is_removed_only_if_its_owner_is_known_to_be_gone() {
    const PROVISIONER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
    const SNAPSHOT: &str = "snapshot.storage.kubernetes.io/pvc-as-source-protection";
    let volume = |finalizers: &[&str]| going(provisioned(released("Retain")), finalizers);
    let claim = |finalizers: &[&str]| going(of_class("a", "nfs"), finalizers);
    let remove = |at: usize, finalizer: &str| {
        format!(
            r#"{{"op":"test","path":"/metadata/finalizers/{at}","value":"{finalizer}"}},{{"op":"remove","path":"/metadata/finalizers/{at}"}}"#
        )
    };
    let patch = |steps: &[String]| Some(format!("kubectl patch pv v --type json -p '[{}]'", steps.join(",")));
    let (error, info) = (Severity::Error, Severity::Info);
    for (what, object, severity, command, says) in rows! {
        ("the provisioner is gone", volume(&["kubernetes.io/pv-protection", PROVISIONER]), error, patch(&[remove(1,
            PROVISIONER)]), vec!["provisioner example.com/nfs does not run"]),
        ("both are gone; the later place comes first", volume(&[PROVISIONER, "nfsprov/making"]), error,
            patch(&[remove(1, "nfsprov/making"), remove(0, PROVISIONER)]), vec!["nfsprov/making", PROVISIONER]),
        ("one owner is gone, the other is unknown", volume(&["backup.example.com/keep", PROVISIONER]), error,
            patch(&[remove(1, PROVISIONER)]), vec!["belongs to backup.example.com"]),
        ("an unknown owner", claim(&["example.com/keep"]), error, None, vec!["example.com/keep",
            "belongs to example.com"]),
        ("its name tells nothing", claim(&["keep"]), error, None, vec!["keep", "whose owner is unknown"]),
        ("a snapshot is being taken", claim(&[SNAPSHOT, "kubernetes.io/pvc-protection"]), info, None,
            vec!["the snapshot controller"]),
        ("a backup is being made", claim(&["volumes.velero.io/x"]), info, None, vec!["Velero"]),
        ("a name that ends alike is another's", claim(&["notvelero.io/x"]), error, None,
            vec!["belongs to notvelero.io"]),
    } {
        let finding = only(OLD, vec![object]);
        assert_eq!((finding.code, finding.severity), ("NFS505", severity), "{what}");
        let fix = finding.fix.unwrap();
        assert_eq!((fix.command, fix.automatic), (command, false), "{what}");
        for text in says {
            assert!(finding.cause.contains(text), "{what}: {}", finding.cause);
        }
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
    facts.unread.push(Unread {
        what: "deployments".to_owned(),
        why: r#"deployments.apps is forbidden: User "system:serviceaccount:ops:viewer" cannot list resource "deployments""#.to_owned(),
        forbidden: true,
    });
    let found = found(&facts);
    assert_eq!(titles(&found), ["NFS002 cluster RBAC"]);
}

/// A claim whose size was increased after `by` had provisioned its volume.
fn increased(by: &str) -> Vec<Value> {
    let mut objects = bound(json!({"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": by}}}));
    let larger =
        json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}, "status": {"capacity": {"storage": "1Gi"}}});
    objects[0] = with(objects[0].clone(), larger);
    objects
}

#[test]
fn a_claim_that_is_not_expanded_has_its_cause_named() {
    let ours = "nfsprov/nfs";
    let expandable = |by: &str| with(class("nfs", by), json!({"allowVolumeExpansion": true}));
    let denied = || {
        let asked =
            json!({"group": "", "resource": "persistentvolumeclaims", "subresource": "status", "verb": "patch"});
        json!({"kind": "SubjectAccessReview", "metadata": {}, "status": {"allowed": false},
               "spec": {"user": "system:serviceaccount:default:p", "resourceAttributes": asked}})
    };
    let failed = || {
        let failed = event(
            "PersistentVolumeClaim",
            "a",
            "VolumeResizeFailed",
            "mounted without prjquota",
        );
        with(failed, json!({"source": {"component": format!("{ours}_p-1_uuid")}}))
    };
    let running = || provisioner("p", "nfsprov:1", ours);
    for (objects, cause, fix) in [
        (
            vec![class("nfs", ours)],
            "class nfs does not allow expansion",
            "\"allowVolumeExpansion\":true",
        ),
        (
            all([vec![expandable(ours), denied()], running()]),
            "may not patch persistentvolumeclaims/status",
            "[\"persistentvolumeclaims/status\"]",
        ),
        (
            all([vec![expandable(ours), failed()], running()]),
            "could not expand it, as its event says",
            "the provisioner retries",
        ),
        (vec![expandable(ours)], "nfsprov/nfs has not expanded it", "--watch"),
        (
            vec![expandable("fuseim.pri/ifs")],
            "no provisioner that expands volumes",
            "\"allowVolumeExpansion\":false",
        ),
    ] {
        let by = objects[0]["provisioner"].as_str().unwrap().to_owned();
        let found = found(&facts(NEW, all([increased(&by), objects])));
        let finding = found.iter().find(|finding| finding.code == "NFS127").unwrap();
        assert!(finding.cause.contains(cause), "{cause}: {}", finding.cause);
        let suggested = finding.fix.as_ref().unwrap();
        let text = format!(
            "{} {}",
            suggested.command.as_deref().unwrap_or_default(),
            suggested.note
        );
        assert!(text.contains(fix), "{cause}: {text}");
        assert!(!suggested.automatic, "{cause}");
    }
}
