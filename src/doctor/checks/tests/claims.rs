//! NFS101 to NFS115, NFS117, NFS121, NFS122.

use serde_json::json;

use super::*;

pub const SERVED: &str = "nfsprov/nfs";

/// A class that a running provisioner serves.
pub fn served() -> Vec<Value> {
    all([vec![class("managed", SERVED)], provisioner("p", "nfsprov:1", SERVED)])
}

#[test]
fn class_problems_of_claims() {
    for version in [OLD, NEW] {
        hold! { version,
            "nothing at all": vec![] => [];
            "no class, no default": vec![claim("a", json!({}))] => ["NFS101 pvc default/a"];
            "no class, a PV without one": vec![claim("a", json!({})), volume("v", json!({"spec": {"storageClassName":
                null}}))] => [];
            "a slip": all([served(), vec![of_class("a", "manged")]]) => ["NFS103 pvc default/a"];
            "a class that does not exist": all([served(), vec![of_class("a", "gold")]]) => ["NFS103 pvc default/a"];
            "no class by hand": vec![of_class("a", "nfs")] => ["NFS102 pvc default/a"];
            "the class \"\"": all([served(), vec![of_class("a", "")]]) => ["NFS102 pvc default/a"];
            "in-tree NFS": vec![class("c", "kubernetes.io/nfs"), of_class("a", "c")] => ["NFS104 storageclass c"];
            "in-tree that works": vec![class("c", "kubernetes.io/aws-ebs"), handed_over("a", "c",
                "kubernetes.io/aws-ebs")] => [];
            "in-tree NFS without pending claims": vec![class("c", "kubernetes.io/nfs")] => [];
            "by hand, and nothing there": vec![class("c", "kubernetes.io/no-provisioner"), of_class("a", "c")] =>
                ["NFS104 storageclass c"];
            "by hand, and one fits": vec![class("c", "kubernetes.io/no-provisioner"), of_class("a", "c"), volume("v",
                json!({"spec": {"storageClassName": "c"}}))] => [];
            "by hand, before the first pod": vec![waiting_for_consumer(class("c", "kubernetes.io/no-provisioner")),
                of_class("a", "c")] => ["NFS115 pvc default/a"];
            "before the first pod": vec![waiting_for_consumer(class("c", "ebs.csi.aws.com")), of_class("a", "c")] =>
                ["NFS115 pvc default/a"];
            "one default": vec![default(class("c", SERVED))] => [];
            "two defaults": vec![default(class("b", SERVED)), default(class("c", SERVED))] =>
                ["NFS105 storageclass b"];
            "bound": vec![with(claim("a", json!({})), json!({"spec": {"volumeName": "v"}, "status": {"phase":
                "Bound"}})), volume("v", json!({"status": {"phase": "Bound"}}))] => [];
            "going": vec![with(claim("a", json!({})), json!({"metadata": {"deletionTimestamp": NOW}}))] => [];
        }
    }
}

#[test]
fn a_default_class_created_later_is_applied_since_1_26() {
    let objects = || vec![claim("a", json!({})), default(class("c", SERVED))];
    hold! { OLD,
        "it never gets it": objects() => ["NFS101 pvc default/a"];
    }
    hold! { NEW,
        "it gets it by itself": objects() => [];
    }
}

#[test]
fn two_default_classes_are_an_error_where_claims_are_refused() {
    let two = || vec![default(class("b", SERVED)), default(class("c", SERVED))];
    assert_eq!(only(OLD, two()).severity, crate::doctor::Severity::Error);
    assert_eq!(only(NEW, two()).severity, crate::doctor::Severity::Warning);
}

#[test]
fn each_mismatch_of_a_static_volume_has_its_code() {
    let miss = |change: Value| vec![of_class("a", "nfs"), volume("v", change)];
    let selecting = |labels: Value| {
        claim(
            "a",
            json!({"spec": {"storageClassName": "nfs", "selector": {"matchLabels": labels}}}),
        )
    };
    for version in [OLD, NEW] {
        hold! { version,
            "it fits": miss(json!({})) => [];
            "larger": miss(json!({"spec": {"capacity": {"storage": "5Gi"}}})) => [];
            "reserved for the claim": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "a"}}})) => [];
            "reserved for its uid": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "a", "uid":
                "uid-a"}}})) => [];
            "Failed": miss(json!({"status": {"phase": "Failed"}})) => ["NFS102 pvc default/a"];
            "size": miss(json!({"spec": {"capacity": {"storage": "500Mi"}}})) => ["NFS107 pvc default/a"];
            "modes": miss(json!({"spec": {"accessModes": ["ReadWriteOnce"]}})) => ["NFS108 pvc default/a"];
            "labels": vec![selecting(json!({"tier": "gold"})), volume("v", json!({}))] => ["NFS109 pvc default/a"];
            "labels that fit": vec![selecting(json!({"tier": "gold"})), volume("v", json!({"metadata": {"labels":
                {"tier": "gold"}}}))] => [];
            "mode": vec![with(of_class("a", "nfs"), json!({"spec": {"volumeMode": "Block"}})), volume("v", json!({}))]
                => ["NFS110 pvc default/a"];
            "going": miss(json!({"metadata": {"deletionTimestamp": NOW}})) => ["NFS111 pvc default/a"];
            "released": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "b", "uid": "x"}}, "status":
                {"phase": "Released"}})) => ["NFS114 pvc default/a", "NFS501 pv v"];
            "two fields at once": miss(json!({"spec": {"capacity": {"storage": "500Mi"}, "accessModes":
                ["ReadWriteOnce"]}})) => ["NFS102 pvc default/a"];
            "an earlier claim's": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "a", "uid":
                "old"}}})) => ["NFS113 pvc default/a"];
            "another's, not bound yet": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "b"}}})) =>
                ["NFS113 pvc default/a"];
            "all bound": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "b", "uid": "x"}},
                "status": {"phase": "Bound"}})) => ["NFS102 pvc default/a"];
            "a selector on a class that makes volumes": all([served(), vec![with(handed_over("a", "managed", SERVED),
                json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}, "metadata": {"creationTimestamp": NOW}}))]])
                => ["NFS109 pvc default/a"];
        }
    }
}

#[test]
fn mismatches_of_a_claim_that_names_its_volume() {
    let wants =
        |volume: &str, class: &str| claim("a", json!({"spec": {"volumeName": volume, "storageClassName": class}}));
    for version in [OLD, NEW] {
        hold! { version,
            "it is not there": vec![wants("v", "nfs")] => ["NFS112 pvc default/a"];
            "it is there": vec![wants("v", "nfs"), volume("v", json!({}))] => [];
            "labels do not count": vec![with(wants("v", "nfs"), json!({"spec": {"selector": {"matchLabels": {"tier":
                "gold"}}}})), volume("v", json!({}))] => [];
            "another class": vec![wants("v", "managed"), default(class("managed", SERVED)), volume("v", json!({}))] =>
                ["NFS106 pvc default/a"];
            "too small": vec![wants("v", "nfs"), volume("v", json!({"spec": {"capacity": {"storage": "1Mi"}}}))] =>
                ["NFS107 pvc default/a"];
            "taken": vec![wants("v", "nfs"), volume("v", json!({"spec": {"claimRef": {"namespace": "default", "name":
                "b", "uid": "x"}}, "status": {"phase": "Bound"}}))] => ["NFS113 pvc default/a"];
            "reserved, and of the default class: it is given without regard to that": vec![handed_over("a", "managed",
                SERVED), default(class("managed", SERVED)), volume("v", json!({"spec": {"claimRef": {"namespace":
                "default", "name": "a"}}}))] => ["NFS201 storageclass managed"];
        }
    }
    // What looks like a slip is asked, and a sibling is none.
    let slip = only(OLD, vec![wants("myvolum", "nfs"), volume("myvolume", json!({}))]);
    let fix = slip.fix.unwrap();
    assert!(
        fix.command.is_none() && fix.note.starts_with("did you mean myvolume?"),
        "{fix:?}"
    );
    let sibling = only(OLD, vec![wants("mypv2", "nfs"), volume("mypv1", json!({}))]);
    let fix = sibling.fix.unwrap();
    assert!(!fix.note.contains("mypv1") && !fix.command.unwrap().contains("mypv1"));
}

#[test]
fn a_lost_volume_is_created_again_only_in_its_own_directory() {
    let lost = with(
        handed_over("a", "managed", SERVED),
        json!({"metadata": {"uid": "1"}, "spec": {"volumeName": "pvc-1"}, "status": {"phase": "Lost"}}),
    );
    let command = |objects: Vec<Value>| {
        let finding = only(OLD, objects);
        assert_eq!(finding.code, "NFS117");
        finding.fix.unwrap().command.unwrap()
    };
    const UNKNOWN: &str = "--server SERVER --path /EXPORT ";
    assert!(command(vec![lost.clone()]).contains(UNKNOWN));
    // A sibling tells where the provisioner puts them.
    let sibling = volume(
        "pvc-2",
        json!({
            "metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": SERVED}},
            "spec": {"storageClassName": "managed", "nfs": {"path": "/nfsdata/default-b-pvc-2"},
                     "claimRef": {"namespace": "default", "name": "b", "uid": "b"}},
            "status": {"phase": "Bound"},
        }),
    );
    // Whoever makes a claim chooses its volumeName, but not its uid, by which the provisioner named the PV.
    let foreign = with(lost.clone(), json!({"metadata": {"uid": "2"}}));
    assert!(command(vec![foreign, sibling.clone()]).contains(UNKNOWN));
    // Another PV has the directory now, or one below.
    for path in ["/nfsdata/default-a-pvc-1", "/nfsdata/default-a-pvc-1/deeper"] {
        let other = volume(
            "other",
            json!({"spec": {"nfs": {"path": path}}, "status": {"phase": "Bound"}}),
        );
        assert!(
            command(vec![lost.clone(), sibling.clone(), other]).contains(UNKNOWN),
            "{path}"
        );
    }
    assert_eq!(
        command(vec![lost, sibling]),
        "nfsprov create pv pvc-1 --server 10.77.0.10 --path /nfsdata/default-a-pvc-1 --size 1Gi --access-mode ReadWriteMany --class managed --apply"
    );
}

/// A StatefulSet of two with one template.
fn set(class: &str) -> Value {
    let template = json!({"metadata": {"name": "www"}, "spec": {"storageClassName": class, "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "5Gi"}}}});
    with(
        object("StatefulSet", "web"),
        json!({"spec": {"replicas": 2, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": []}}, "volumeClaimTemplates": [template]}}),
    )
}

#[test]
fn claims_of_a_stateful_set() {
    let quota = r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: exceeded quota: small, requested: requests.storage=5Gi, used: requests.storage=0, limited: requests.storage=1Gi"#;
    let refused = || event("StatefulSet", "web", "FailedCreate", quota);
    let bound = |name: &str| {
        with(
            of_class(name, "managed"),
            json!({"status": {"phase": "Bound"}, "spec": {"volumeName": "v"}}),
        )
    };
    for version in [OLD, NEW] {
        hold! { version,
            "no word": vec![set("managed")] => [];
            "refused": vec![set("managed"), refused()] => ["NFS121 statefulset default/web"];
            "refused once, and made since": vec![set("managed"), refused(), bound("www-web-0"), bound("www-web-1")] =>
                [];
            "older than the template": all([served(), vec![set("managed"), of_class("www-web-0", "gone")]]) =>
                ["NFS122 pvc default/www-web-0"];
            "of the template": all([served(), vec![set("managed"), bound("www-web-0")]]) => [];
            // A claim that an administrator prepared, as `volumes restore --create-claim` does, is kept and checked by itself.
            "made for a PV": all([served(), vec![set("managed"), with(of_class("www-web-0", "nfs"), json!({"spec":
                {"volumeName": "gone"}}))]]) => ["NFS112 pvc default/www-web-0"];
            "made for a PV without a class": all([served(), vec![set("managed"), of_class("www-web-0", "")]]) =>
                ["NFS102 pvc default/www-web-0"];
        }
    }
    let fix = only(OLD, vec![set("managed"), refused()]).fix.unwrap();
    assert_eq!(
        fix.command.unwrap(),
        r#"kubectl -n default patch resourcequota small --type merge -p '{"spec":{"hard":{"requests.storage":"10Gi"}}}'"#
    );
    let limit = "create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims \"www-web-0\" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 5Gi";
    let range = with(
        object("LimitRange", "small"),
        json!({"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}}),
    );
    let fix = only(
        OLD,
        vec![
            set("managed"),
            event("StatefulSet", "web", "FailedCreate", limit),
            range,
        ],
    )
    .fix
    .unwrap();
    assert!(
        fix.command
            .unwrap()
            .contains(r#""path":"/spec/limits/0/max/storage","value":"5Gi""#)
    );
}

#[test]
fn an_annotation_is_stronger_than_the_field() {
    let annotation = json!({"volume.beta.kubernetes.io/storage-class": "manged"});
    let slip = claim("a", json!({"metadata": {"annotations": annotation}}));
    let finding = only(OLD, all([served(), vec![slip]]));
    let command = finding.fix.unwrap().command.unwrap();
    assert!(
        finding.code == "NFS103"
            && command.contains(r#""annotations":{"volume.beta.kubernetes.io/storage-class":null}"#),
        "{command}"
    );
}
