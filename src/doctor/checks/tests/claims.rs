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
    let annotation = json!({"volume.beta.kubernetes.io/storage-class": "manged"});
    let annotated = || claim("a", json!({"metadata": {"annotations": annotation}}));
    let in_tree = || vec![class("c", "kubernetes.io/nfs"), of_class("a", "c")];
    let one = || {
        all([
            vec![class("one", "x/nfs")],
            provisioner("p", provisioners::GOOD, "x/nfs"),
        ])
    };
    let other = || {
        all([
            vec![class("two", "y/nfs")],
            provisioner("q", provisioners::GOOD, "y/nfs"),
        ])
    };
    for version in [OLD, NEW] {
        hold! { version,
            "no class, a PV without one": vec![claim("a", json!({})), volume("v", json!({"spec": {"storageClassName":
                null}}))] => [];
            "in-tree that works": vec![class("c", "kubernetes.io/aws-ebs"), handed_over("a", "c",
                "kubernetes.io/aws-ebs")] => [];
            "in-tree NFS without pending claims": vec![class("c", "kubernetes.io/nfs")] => [];
            "by hand, and one fits": vec![class("c", "kubernetes.io/no-provisioner"), of_class("a", "c"), volume("v",
                json!({"spec": {"storageClassName": "c"}}))] => [];
            "by hand, before the first pod": vec![waiting_for_consumer(class("c", "kubernetes.io/no-provisioner")),
                of_class("a", "c")] => ["NFS115 pvc default/a"];
            "going": vec![with(claim("a", json!({})), json!({"metadata": {"deletionTimestamp": NOW}}))] => [];
            "an annotation is stronger than the field": all([served(), vec![annotated()]]) => ["NFS103 pvc default/a"
                says r#""annotations":{"volume.beta.kubernetes.io/storage-class":null}"#];
            // Pasted as it is, it ends at `kubectl get`.
            "a class is not chosen": all([served(), vec![of_class("a", "manged")]]) => ["NFS103 pvc default/a" says
                "class=CLASS; kubectl get storageclass \"$class\" && kubectl -n default get pvc a -o json | kubectl patch --local -f - --type merge -p '{\"spec\":{\"storageClassName\":\"'\"$class\"'\"}}' -o json | kubectl replace --force -f -\n"
                "did you mean managed?" "not done by --fix: it is not certain which name is right"];
            "a sibling is not what was meant": all([served(), vec![class("nfs-ssd", SERVED), of_class("a", "nfs-hdd")]])
                => ["NFS103 pvc default/a" says "!nfs-ssd"];
            // With two classes the order must not decide.
            "two may be the default": vec![class("b", "x/nfs"), class("c", "y/nfs"), claim("a", json!({}))] =>
                ["NFS101 pvc default/a" says "kubectl annotate storageclass CLASS " "one of b, c"];
            "one may be the default": vec![class("b", "x/nfs"), claim("a", json!({}))] =>
                ["NFS101 pvc default/a" says "kubectl annotate storageclass b "];
            "a class is made again for nfsprov": in_tree() =>
                ["NFS104 storageclass c" says r#"{"provisioner":"nfsprov/nfs"}"#];
            "a class is made again for the one that runs": all([in_tree(), one()]) =>
                ["NFS104 storageclass c" says r#"{"provisioner":"x/nfs"}"#];
            "a class is made again for none of two": all([in_tree(), one(), other()]) =>
                ["NFS104 storageclass c" says "one of x/nfs, y/nfs" "!kubectl"];
            "the environment alone makes no workload a provisioner": all([in_tree(), one(),
                provisioner("a-tenants", "busybox", "a/nfs")]) =>
                ["NFS104 storageclass c" says r#"{"provisioner":"x/nfs"}"#];
        }
    }
    let later = || vec![claim("a", json!({})), default(class("c", SERVED))];
    hold! { OLD,
        "a default class that came later": later() => ["NFS101 pvc default/a"];
    }
    hold! { NEW,
        "a default class that came later": later() => [];
        "two defaults": vec![default(class("b", SERVED)), default(class("c", SERVED))] => ["NFS105 storageclass b"];
    }
}

/// A new volume is never proposed in a directory that is known, since that may hold data.
#[test]
fn each_mismatch_of_a_static_volume_has_its_code() {
    let miss = |change: Value| vec![of_class("a", "nfs"), volume("v", change)];
    let selecting = json!({"spec": {"selector": {"matchLabels": {"tier": "gold"}}}});
    for version in [OLD, NEW] {
        hold! { version,
            "larger": miss(json!({"spec": {"capacity": {"storage": "5Gi"}}})) => [];
            "reserved for the claim": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "a"}}})) => [];
            "reserved for its uid": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "a", "uid":
                "uid-a"}}})) => [];
            "Failed": miss(json!({"status": {"phase": "Failed"}})) => ["NFS102 pvc default/a"];
            "labels that fit": vec![with(of_class("a", "nfs"), selecting.clone()), volume("v", json!({"metadata":
                {"labels": {"tier": "gold"}}}))] => [];
            "a label that has another value is not replaced": vec![with(of_class("a", "nfs"), selecting.clone()),
                volume("v", json!({"metadata": {"labels": {"tier": "iron"}}}))] =>
                ["NFS109 pvc default/a" says "the PV has another label tier"];
            "expressions are met by labels": vec![with(of_class("a", "nfs"), json!({"spec": {"selector":
                {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold", "iron"]}, {"key": "old",
                "operator": "DoesNotExist"}, {"key": "new", "operator": "Exists"}]}}})),
                volume("v", json!({"metadata": {"labels": {"old": "1"}}}))] => ["NFS109 pvc default/a" says
                "(the selector wants tier in (gold,iron), !old, new)" "kubectl label pv v tier=gold old- new= --overwrite"];
            "mode": vec![with(of_class("a", "nfs"), json!({"spec": {"volumeMode": "Block"}})), volume("v", json!({}))]
                => ["NFS110 pvc default/a"];
            "going": miss(json!({"metadata": {"deletionTimestamp": NOW}})) => ["NFS111 pvc default/a" says " --server SERVER --path /EXPORT/NEW-DIRECTORY "];
            "two fields at once": miss(json!({"spec": {"capacity": {"storage": "500Mi"}, "accessModes":
                ["ReadWriteOnce"]}})) => ["NFS102 pvc default/a" says " --server SERVER --path /EXPORT/NEW-DIRECTORY "];
            "reserved for another claim": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "b"}}})) =>
                ["NFS113 pvc default/a" says " --server SERVER --path /EXPORT/NEW-DIRECTORY "];
            "all bound": miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "b", "uid": "x"}},
                "status": {"phase": "Bound"}})) => ["NFS102 pvc default/a"];
        }
    }
}

#[test]
fn mismatches_of_a_claim_that_names_its_volume() {
    let wants =
        |volume: &str, class: &str| claim("a", json!({"spec": {"volumeName": volume, "storageClassName": class}}));
    for version in [OLD, NEW] {
        hold! { version,
            "labels do not count": vec![with(wants("v", "nfs"), json!({"spec": {"selector": {"matchLabels": {"tier":
                "gold"}}}})), volume("v", json!({}))] => [];
            "too small": vec![wants("v", "nfs"), volume("v", json!({"spec": {"capacity": {"storage": "1Mi"}}}))] =>
                ["NFS107 pvc default/a"];
            "taken": vec![wants("v", "nfs"), volume("v", json!({"spec": {"claimRef": {"namespace": "default", "name":
                "b", "uid": "x"}}, "status": {"phase": "Bound"}}))] => ["NFS113 pvc default/a"];
            "reserved, and of the default class: it is given without regard to that": vec![handed_over("a", "managed",
                SERVED), default(class("managed", SERVED)), volume("v", json!({"spec": {"claimRef": {"namespace":
                "default", "name": "a"}}}))] => ["NFS201 storageclass managed"];
            "a slip": vec![wants("myvolum", "nfs"), volume("myvolume", json!({}))] =>
                ["NFS112 pvc default/a" says "did you mean myvolume?" "!nfsprov create"];
            "a sibling": vec![wants("mypv2", "nfs"), volume("mypv1", json!({}))] =>
                ["NFS112 pvc default/a" says "create pv mypv2 --server SERVER --path /EXPORT/NEW-DIRECTORY " "!mypv1"];
        }
    }
}

#[test]
fn a_lost_volume_is_created_again_only_in_its_own_directory() {
    let lost = |uid: &str| {
        let lost = json!({"metadata": {"uid": uid}, "spec": {"volumeName": "pvc-1"}, "status": {"phase": "Lost"}});
        with(handed_over("a", "managed", SERVED), lost)
    };
    // It tells where the provisioner puts them.
    let sibling = || {
        let spec = json!({"storageClassName": "managed", "nfs": {"path": "/nfsdata/default-b-pvc-2"},
            "claimRef": {"namespace": "default", "name": "b", "uid": "b"}});
        let annotations = json!({"pv.kubernetes.io/provisioned-by": SERVED});
        volume(
            "pvc-2",
            json!({"metadata": {"annotations": annotations}, "spec": spec, "status": {"phase": "Bound"}}),
        )
    };
    let taken = |path: &str| {
        volume(
            "other",
            json!({"spec": {"nfs": {"path": path}}, "status": {"phase": "Bound"}}),
        )
    };
    hold! { OLD,
        "no sibling": vec![lost("1")] => ["NFS117 pvc default/a" says "--server SERVER --path /EXPORT "];
        "a sibling": vec![lost("1"), sibling()] => ["NFS117 pvc default/a" says
            "nfsprov create pv pvc-1 --server 10.77.0.10 --path /nfsdata/default-a-pvc-1 --size 1Gi --access-mode ReadWriteMany --class managed --apply"];
        // Whoever makes a claim chooses its volumeName, but not its uid, by which the provisioner named the PV.
        "a name that is not of its uid": vec![lost("2"), sibling()] =>
            ["NFS117 pvc default/a" says "--server SERVER --path /EXPORT "];
        "another PV has the directory": vec![lost("1"), sibling(), taken("/nfsdata/default-a-pvc-1")] =>
            ["NFS117 pvc default/a" says "--server SERVER --path /EXPORT "];
        "another PV has a directory below": vec![lost("1"), sibling(), taken("/nfsdata/default-a-pvc-1/deeper")] =>
            ["NFS117 pvc default/a" says "--server SERVER --path /EXPORT "];
    }
}

/// A StatefulSet of two with one template.
fn set(class: &str) -> Value {
    let template = json!({"metadata": {"name": "www"}, "spec": {"storageClassName": class, "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "5Gi"}}}});
    let set = json!({"spec": {"replicas": 2, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": []}}, "volumeClaimTemplates": [template]}});
    with(object("StatefulSet", "web"), set)
}

#[test]
fn claims_of_a_stateful_set() {
    let refused = event(
        "StatefulSet",
        "web",
        "FailedCreate",
        r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: exceeded quota: small, requested: requests.storage=5Gi, used: requests.storage=0, limited: requests.storage=1Gi"#,
    );
    let bound = |name: &str| {
        let bound = json!({"status": {"phase": "Bound"}, "spec": {"volumeName": "v"}});
        with(of_class(name, "managed"), bound)
    };
    let from = |start: i32| with(set("managed"), json!({"spec": {"ordinals": {"start": start}}}));
    hold! { OLD,
        "no word": vec![set("managed")] => [];
        "refused once, and made since": vec![set("managed"), refused.clone(), bound("www-web-0"), bound("www-web-1")] => [];
        "older than the template": all([served(), vec![set("managed"), of_class("www-web-0", "gone")]]) =>
            ["NFS122 pvc default/www-web-0 automatic"];
        "its pods are numbered from 5": all([served(), vec![from(5), of_class("www-web-0", "gone"),
            of_class("www-web-6", "gone")]]) => ["NFS103 pvc default/www-web-0", "NFS122 pvc default/www-web-6 automatic"];
        "refused, and its pods are numbered from 5": vec![from(5), event("StatefulSet", "web", "FailedCreate",
            "create Claim www-web-5 for Pod web-5 in StatefulSet web failed error: persistentvolumeclaims \"www-web-5\" is \
             forbidden: exceeded quota: small, requested: requests.storage=5Gi, used: requests.storage=0, limited: \
             requests.storage=1Gi")] => ["NFS121 statefulset default/web" says "affects pvc default/www-web-5"];
        "refused with as many pods as a number can say": vec![with(set("managed"), json!({"spec": {"replicas": i32::MAX}})),
            refused.clone()] => ["NFS121 statefulset default/web" says "the need of 2147483647 claims"];
        "of the template": all([served(), vec![set("managed"), bound("www-web-0")]]) => [];
        // A claim that an administrator prepared, as `volumes restore --create-claim` does, is kept and checked by itself.
        "made for a PV without a class": all([served(), vec![set("managed"), of_class("www-web-0", "")]]) =>
            ["NFS102 pvc default/www-web-0"];
    }
}
