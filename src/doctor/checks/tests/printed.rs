//! What printed commands name: nothing of NFS for other storage, and nothing that a shell or kubectl reads as an option.

use serde_json::json;

use super::*;

#[test]
fn other_storage_gets_no_advice_for_nfs() {
    let of = |source: Value, change: Value| {
        let source = with(json!({"nfs": null, "storageClassName": "disk"}), source);
        volume("v", with(json!({"spec": source}), change))
    };
    let disk = |change: Value| of(json!({"awsElasticBlockStore": {"volumeID": "vol-1"}}), change);
    let csi = |driver: &str, change: Value| of(json!({"csi": {"driver": driver, "volumeHandle": "h"}}), change);
    let small = || json!({"spec": {"capacity": {"storage": "1Mi"}}});
    let once = || json!({"spec": {"accessModes": ["ReadWriteOnce"]}});
    let earlier = || json!({"spec": {"claimRef": {"namespace": "default", "name": "a", "uid": "old"}}});
    let released = || json!({"spec": {"claimRef": {"namespace": "default", "name": "b", "uid": "x"}}, "status": {"phase": "Released"}});
    let by_hand = || class("disk", "kubernetes.io/no-provisioner");
    let waiting = |volume: Value| vec![of_class("a", "disk"), volume];
    let naming = |name: &str, volume: Value| {
        vec![
            with(of_class("a", "disk"), json!({"spec": {"volumeName": name}})),
            volume,
        ]
    };
    let selecting = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}});
    hold! { OLD,
        "NFS, too small": waiting(csi("nfs.csi.k8s.io", small())) => ["NFS107 pvc default/a" says "kubectl patch"];
        "NFS, one writer": waiting(csi("nfs.csi.k8s.io", once())) => ["NFS108 pvc default/a" says "kubectl patch"];
        "a disk, too small": waiting(disk(small())) => ["NFS102 pvc default/a" says "\n\nthis is not NFS"];
        "a disk, one writer": waiting(disk(once())) => ["NFS102 pvc default/a" says "\n\nthis is not NFS"];
        "a disk, released": waiting(disk(released())) => ["NFS102 pvc default/a" says "\n\nthis is not NFS"];
        "a disk, an earlier claim's": waiting(disk(earlier())) => ["NFS102 pvc default/a" says "\n\nthis is not NFS"];
        "another driver's": waiting(csi("disk.csi.example.com", small())) =>
            ["NFS102 pvc default/a" says "\n\nthis is not NFS"];
        "a disk of the class for PVs made by hand": all([vec![by_hand()], waiting(disk(small()))]) =>
            ["NFS102 pvc default/a" says "\n\nthis is not NFS"];
        "no PV of the class for PVs made by hand": vec![by_hand(), of_class("a", "disk")] =>
            ["NFS104 storageclass disk" says "\n\ncreate a PV of that class"];
        // A claim that names the disk is told what differs, and no more.
        "its disk is too small": naming("v", disk(small())) => ["NFS107 pvc default/a" says "\n\nthis is not NFS"];
        "its disk has one writer": naming("v", disk(once())) => ["NFS108 pvc default/a" says "\n\nthis is not NFS"];
        "its disk is an earlier claim's": naming("v", disk(earlier())) =>
            ["NFS113 pvc default/a" says "\n\nthis is not NFS"];
        "its disk is released": naming("v", disk(released())) => ["NFS113 pvc default/a" says "\n\nthis is not NFS"];
        "a disk is not labelled": vec![with(of_class("a", "disk"), selecting), disk(json!({}))] =>
            ["NFS102 pvc default/a" says "!label pv"];
        "a disk is not what was misspelt": naming("disk-volum", with(disk(json!({})), json!({"metadata": {"name":
            "disk-volume"}}))) => ["NFS112 pvc default/a" says "--server SERVER "];
    }
}

#[test]
fn names_that_no_object_can_have_are_in_no_command() {
    // The API server checks neither claimName nor volumeName, and tenants write events.
    const OPTION: &str = "--kubeconfig=x";
    let template = json!({"metadata": {"name": "www"}, "spec": {"resources": {"requests": {"storage": "5Gi"}}}});
    let set = with(
        object("StatefulSet", "web"),
        json!({"spec": {"replicas": 1, "serviceName": "web", "selector": {}, "template": {}, "volumeClaimTemplates": [template]}}),
    );
    let quota = format!(
        "create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims \"www-web-0\" is \
         forbidden: exceeded quota: {OPTION}, requested: requests.storage=5Gi, used: requests.storage=0, limited: requests.storage=1Gi"
    );
    let named = |phase: &str| {
        with(
            of_class("a", "nfs"),
            json!({"spec": {"volumeName": OPTION}, "status": {"phase": phase}}),
        )
    };
    let mut on_node = mounting(Some(
        "mount.nfs: rpc.statd is not running but is required for remote locking.",
    ));
    on_node[2] = with(on_node[2].clone(), json!({"spec": {"nodeName": OPTION}}));
    let mut wrong = Vec::new();
    for (code, objects) in [
        ("NFS119", vec![pod("p", OPTION, json!({}))]),
        ("NFS112", vec![named("Pending")]),
        ("NFS117", vec![named("Lost")]),
        ("NFS407", on_node),
        ("NFS121", vec![set, event("StatefulSet", "web", "FailedCreate", &quota)]),
    ] {
        let found = found(&facts(OLD, objects));
        assert!(
            found.iter().any(|finding| finding.code == code) || code == "NFS121",
            "{code}"
        );
        let commands = found.into_iter().filter_map(|finding| finding.fix?.command);
        wrong.extend(commands.filter(|command| command.contains(OPTION)));
    }
    assert_eq!(wrong, Vec::<String>::new());
}
