//! NFS201 to NFS212.

use serde_json::json;

use super::*;
use crate::doctor::Severity;

pub(super) const NAME: &str = "fuseim.pri/ifs";
pub(super) const GOOD: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

/// A class, a claim that waits for it, and what may serve it.
pub(super) fn scene(more: Vec<Value>) -> Vec<Value> {
    all([vec![class("managed", NAME), handed_over("a", "managed", NAME)], more])
}

pub(super) fn good() -> Vec<Value> {
    provisioner("p", GOOD, NAME)
}

fn stopped(reason: &str, message: &str) -> Value {
    let state = json!({"waiting": {"reason": reason, "message": message}});
    let status =
        json!([{"name": "main", "image": GOOD, "imageID": "", "ready": false, "restartCount": 3, "state": state}]);
    json!({"status": {"containerStatuses": status}})
}

#[test]
fn running_and_missing_provisioners() {
    let spoke = with(
        event(
            "PersistentVolumeClaim",
            "a",
            "Provisioning",
            "External provisioner is provisioning volume for claim \"default/a\"",
        ),
        json!({"source": {"component": format!("{NAME}_host_uuid")}}),
    );
    let made = volume(
        "pvc-9",
        json!({"metadata": {"creationTimestamp": "2026-01-01T11:58:00Z", "annotations": {"pv.kubernetes.io/provisioned-by": NAME}}, "status": {"phase": "Bound"}}),
    );
    let lease = |renewed: &str| {
        with(
            object("Lease", "fuseim.pri-ifs"),
            json!({"spec": {"holderIdentity": "x", "renewTime": renewed}}),
        )
    };
    let young = with(
        handed_over("a", "managed", NAME),
        json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:55Z"}}),
    );
    let stopped_q = || {
        let mut objects = provisioner("q", GOOD, NAME);
        objects.truncate(1);
        objects[0] = with(
            objects[0].clone(),
            json!({"spec": {"replicas": 0}, "status": {"readyReplicas": 0}}),
        );
        objects
    };
    for version in [OLD, NEW] {
        hold! { version,
            "no provisioner": scene(vec![]) => ["NFS201 storageclass managed"];
            "a class without pending claims": vec![class("managed", NAME)] => [];
            "one that runs": scene(good()) => [];
            "one outside that spoke": scene(vec![spoke.clone()]) => [];
            "one outside that made something": scene(vec![made.clone()]) => [];
            "one outside that leads": scene(vec![lease("2026-01-01T11:59:50.000000Z")]) => [];
            "one outside that led": scene(vec![lease("2026-01-01T10:00:00.000000Z")]) =>
                ["NFS201 storageclass managed"];
            "a CSI driver": vec![class("c", "ebs.csi.aws.com"), handed_over("a", "c", "ebs.csi.aws.com"),
                object("CSIDriver", "ebs.csi.aws.com")] => [];
            "a claim being served right now": vec![class("managed", NAME), young.clone()] => [];
            "another name, with its own class": scene(all([vec![class("other", "example/nfs")], provisioner("p", GOOD,
                "example/nfs")])) => ["NFS201 storageclass managed"];
            "the NFS CSI driver is missing": vec![class("c", "nfs.csi.k8s.io"), handed_over("a", "c",
                "nfs.csi.k8s.io")] => ["NFS211 storageclass c"];
            "two of a name": scene(all([good(), provisioner("q", GOOD, NAME)])) => ["NFS212 deployment default/q"];
            "the other of two is stopped": scene(all([good(), stopped_q()])) => [];
            "the one of two is stopped": scene(all([stopped_q(), good()])) => [];
        }
    }
}

#[test]
fn a_provisioner_is_recognized_by_its_image() {
    let local = with(
        object("Deployment", "local-path-provisioner"),
        json!({"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [{"name": "x", "image": "rancher/local-path-provisioner:v0.0.19"}]}}}}),
    );
    let claim = handed_over("a", "local-path", "rancher.io/local-path");
    hold! { OLD,
        "K3s' own": vec![class("local-path", "rancher.io/local-path"), claim, local] => [];
    }
}

#[test]
fn a_provisioner_that_does_not_run() {
    let scaled = || {
        let mut objects = good();
        objects[0] = with(
            objects[0].clone(),
            json!({"spec": {"replicas": 0}, "status": {"readyReplicas": 0}}),
        );
        objects.truncate(1);
        objects
    };
    let unset = || {
        let mut objects = good();
        let env = json!([{"name": "PROVISIONER_NAME", "value": NAME}]);
        let containers = json!([{"name": "main", "image": GOOD, "env": env}]);
        objects[0] = with(
            objects[0].clone(),
            json!({"spec": {"template": {"spec": {"containers": containers}}}, "status": {"readyReplicas": 0}}),
        );
        objects
    };
    let starting = json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:50Z"}});
    for version in [OLD, NEW] {
        hold! { version,
            "scaled to nothing": scene(scaled()) => ["NFS203 deployment default/p"];
            "variables not set": scene(unset()) => ["NFS203 deployment default/p"];
            "starting": scene(broken(good(), starting.clone())) => [];
            "never ready": scene(broken(good(), json!({}))) => ["NFS203 deployment default/p"];
        }
    }
    let idle = only(OLD, all([vec![class("managed", NAME)], scaled()]));
    assert_eq!(
        (idle.code, idle.severity),
        ("NFS203", Severity::Warning),
        "no claim is pending"
    );
    let fix = only(OLD, scene(unset())).fix.unwrap();
    assert_eq!(
        fix.command.as_deref(),
        Some("kubectl -n default set env deployment/p -c main NFS_SERVER=10.77.0.10 NFS_PATH=/nfsdata")
    );
    assert!(fix.automatic, "it mounts what is meant: {}", fix.note);
    // Which of two mounted exports is meant is a guess.
    let mut two = scene(unset());
    let volumes = json!([{"name": "a", "nfs": {"server": "s", "path": "/a"}}, {"name": "b", "nfs": {"server": "s", "path": "/b"}}]);
    two[2] = with(
        two[2].clone(),
        json!({"spec": {"template": {"spec": {"volumes": volumes}}}}),
    );
    assert!(!only(OLD, two).fix.unwrap().automatic);
}

#[test]
fn only_a_chart_version_as_tag_is_fixed_automatically() {
    let image = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.17";
    let finding = only(
        OLD,
        scene(broken(
            provisioner("p", image, NAME),
            stopped("ErrImagePull", "not found"),
        )),
    );
    let fix = finding.fix.unwrap();
    assert!(fix.automatic && fix.note.contains("Helm chart"), "{fix:?}");
    // What else keeps an image away only its registry knows.
    let words = "x509: certificate signed by unknown authority";
    let mirror = only(OLD, scene(broken(good(), stopped("ErrImagePull", words))))
        .fix
        .unwrap();
    assert!(
        mirror.command.is_none() && !mirror.automatic && mirror.note.contains(words),
        "{mirror:?}"
    );
    let own = only(
        OLD,
        scene(broken(
            provisioner("p", "nfsprov:9", NAME),
            stopped("ErrImagePull", "not found"),
        )),
    );
    assert_eq!(own.fix.unwrap().command, None, "what it should be is not known");
}

#[test]
fn denied_permissions_and_stale_locks() {
    let review = |resource: &str, verb: &str, allowed: bool| {
        json!({"kind": "SubjectAccessReview", "metadata": {},
               "spec": {"user": "system:serviceaccount:default:p", "resourceAttributes": {"group": "", "resource": resource, "verb": verb}},
               "status": {"allowed": allowed}})
    };
    let lock = |renewed: &str| {
        let record = json!({"holderIdentity": "p-0_x", "leaseDurationSeconds": 15, "renewTime": renewed}).to_string();
        with(
            object("Endpoints", "fuseim.pri-ifs"),
            json!({"metadata": {"annotations": {"control-plane.alpha.kubernetes.io/leader": record}}}),
        )
    };
    hold! { OLD,
        "all allowed": scene(all([good(), vec![review("persistentvolumes", "create", true)]])) => [];
        "one denied": scene(all([good(), vec![review("persistentvolumes", "create", false)]])) =>
            ["NFS206 deployment default/p"];
        "what it needs not": scene(all([good(), vec![review("secrets", "get", false)]])) => [];
        "a live lock": scene(all([good(), vec![lock("2026-01-01T11:59:58Z")]])) => [];
        "a stale lock": scene(all([good(), vec![lock("2026-01-01T11:00:00Z")]])) => ["NFS210 deployment default/p"];
    }
}

#[test]
fn a_grant_contains_every_permission_that_the_provisioner_needs() {
    let review = |verb: &str| {
        json!({"kind": "SubjectAccessReview", "metadata": {},
               "spec": {"user": "system:serviceaccount:default:p", "resourceAttributes": {"group": "", "resource": "persistentvolumes", "verb": verb}},
               "status": {"allowed": false}})
    };
    let command = |verb: &str| {
        let denied = only(OLD, scene(all([good(), vec![review(verb)]])));
        assert_eq!(denied.code, "NFS206");
        let fix = denied.fix.unwrap();
        assert!(
            !fix.automatic && fix.changes.is_empty() && fix.note.contains("not done by --fix"),
            "{}",
            fix.note
        );
        fix.command.unwrap()
    };
    assert_eq!(command("create"), command("delete"));
    assert!(command("create").contains("endpoints") && command("create").contains("default-p-needs"));
}

#[test]
fn create_provisioner_names_only_a_known_export() {
    let fix = |objects: Vec<Value>| {
        let found = found(&facts(OLD, objects));
        found.into_iter().find(|one| one.code == "NFS201").unwrap().fix.unwrap()
    };
    let unknown = fix(scene(vec![]));
    assert_eq!(
        unknown.command.as_deref(),
        Some(
            "nfsprov -n default create provisioner --server SERVER --path /EXPORT --provisioner fuseim.pri/ifs \
             --class managed --flavor upstream --apply"
        )
    );
    assert!(
        !unknown.automatic && unknown.changes.is_empty() && unknown.note.contains("in place of SERVER"),
        "{unknown:?}"
    );
    assert!(
        unknown
            .note
            .ends_with("not done by --fix: it grants permissions in the whole cluster"),
        "{}",
        unknown.note
    );
    // A PV that was made by hand is a volume, and no place for others.
    let beside_volume = fix(scene(vec![volume("v", json!({}))]));
    assert!(!beside_volume.command.unwrap().contains("/nfsdata") && !beside_volume.note.contains("/nfsdata"));

    // What only nfsprov's own knows of.
    let own = with(
        class("managed", NAME),
        json!({"parameters": {"server": "10.0.0.1", "path": "/srv"}}),
    );
    let own = fix(vec![own, handed_over("a", "managed", NAME)]);
    assert_eq!(
        own.command.as_deref(),
        Some(
            "nfsprov -n default create provisioner --server 10.0.0.1 --path /srv --provisioner fuseim.pri/ifs \
             --class managed --apply"
        )
    );

    // Its usual name is another's here, whose export is not this one's.
    let other = provisioner("nfs-client-provisioner", GOOD, "example/other");
    let other_class = vec![class("other", "example/other")];
    let beside = fix(scene(all([other_class, other])));
    let command = beside.command.unwrap();
    assert!(
        command.contains("create provisioner fuseim-pri-ifs --server SERVER --path /EXPORT "),
        "{command}"
    );
}
