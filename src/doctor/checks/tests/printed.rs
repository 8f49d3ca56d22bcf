//! What printed commands name: no directory that holds data, and nothing of NFS for other storage.

use serde_json::json;

use super::*;

const SERVED: &str = "nfsprov/nfs";

fn command(finding: &Finding) -> String {
    finding
        .fix
        .as_ref()
        .and_then(|fix| fix.command.clone())
        .unwrap_or_default()
}

#[test]
fn a_new_volume_is_never_proposed_where_data_is() {
    // A provisioner's export, a PV made by hand, and one of another claim: all of them are known.
    let known = || {
        let taken = volume(
            "taken",
            json!({"spec": {"storageClassName": "other", "nfs": {"path": "/nfsdata/taken"},
                            "claimRef": {"namespace": "default", "name": "b", "uid": "x"}}, "status": {"phase": "Bound"}}),
        );
        let small = json!({"storageClassName": "other", "capacity": {"storage": "1Mi"}});
        let free = volume("free", json!({"spec": small}));
        all([
            vec![class("managed", SERVED), taken, free],
            provisioner("p", "nfsprov:1", SERVED),
        ])
    };
    let miss = |change: Value| vec![of_class("a", "nfs"), volume("v", change)];
    for (code, objects) in rows! {
        ("NFS102", vec![of_class("a", "")]),
        ("NFS102", miss(json!({"spec": {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"]}}))),
        ("NFS111", miss(json!({"metadata": {"deletionTimestamp": NOW}}))),
        ("NFS112", vec![claim("a", json!({"spec": {"storageClassName": "nfs", "volumeName": "nowhere-at-all"}}))]),
        ("NFS113", miss(json!({"spec": {"claimRef": {"namespace": "default", "name": "b"}}}))),
    } {
        for version in [OLD, NEW] {
            let found = found(&facts(version, all([known(), objects.clone()])));
            let finding = found.iter().find(|finding| finding.object.name == "a").unwrap();
            let command = command(finding);
            assert_eq!(finding.code, code);
            assert!(
                command.contains(" --server SERVER --path /EXPORT/NEW-DIRECTORY ")
                    && !command.contains("10.77.0.10")
                    && !command.contains("/nfsdata"),
                "{code}: {command}"
            );
        }
    }
}

#[test]
fn other_storage_gets_no_advice_for_nfs() {
    let disk = |change: Value| {
        let spec =
            json!({"spec": {"nfs": null, "awsElasticBlockStore": {"volumeID": "vol-1"}, "storageClassName": "disk"}});
        volume("v", with(spec, change))
    };
    let csi = |driver: &str, change: Value| {
        let spec =
            json!({"spec": {"nfs": null, "csi": {"driver": driver, "volumeHandle": "h"}, "storageClassName": "disk"}});
        volume("v", with(spec, change))
    };
    let small = || json!({"spec": {"capacity": {"storage": "1Mi"}}});
    let once = || json!({"spec": {"accessModes": ["ReadWriteOnce"]}});
    let earlier = || json!({"spec": {"claimRef": {"namespace": "default", "name": "a", "uid": "old"}}});
    let released = || json!({"spec": {"claimRef": {"namespace": "default", "name": "b", "uid": "x"}}, "status": {"phase": "Released"}});
    let by_hand = || class("disk", "kubernetes.io/no-provisioner");
    let named = || {
        with(
            of_class("a", "disk"),
            json!({"spec": {"volumeName": "v"}, "metadata": {"creationTimestamp": NOW}}),
        )
    };
    for (what, objects, code, advice) in rows! {
        ("NFS, too small", vec![csi("nfs.csi.k8s.io", small())], "NFS107", true),
        ("NFS, one writer", vec![csi("nfs.csi.k8s.io", once())], "NFS108", true),
        ("a disk, too small", vec![disk(small())], "NFS102", false),
        ("a disk, one writer", vec![disk(once())], "NFS102", false),
        ("a disk, released", vec![disk(released())], "NFS102", false),
        ("a disk, an earlier claim's", vec![disk(earlier())], "NFS102", false),
        ("another driver's", vec![csi("disk.csi.example.com", small())], "NFS102", false),
        ("a disk of the class for PVs made by hand", vec![by_hand(), disk(small())], "NFS102", false),
        ("no PV of the class for PVs made by hand", vec![by_hand()], "NFS104", false),
    } {
        let found = found(&facts(OLD, all([vec![of_class("a", "disk")], objects])));
        let finding = found.iter().find(|finding| finding.code.starts_with("NFS10")).unwrap();
        let fix = finding.fix.clone().unwrap();
        assert_eq!((finding.code, fix.command.is_some()), (code, advice), "{what}: {fix:?}");
    }
    // A claim that names the disk is told what differs, and no more.
    for (change, code) in [
        (small(), "NFS107"),
        (once(), "NFS108"),
        (earlier(), "NFS113"),
        (released(), "NFS113"),
    ] {
        let found = found(&facts(OLD, vec![named(), disk(change)]));
        let finding = found.iter().find(|finding| finding.object.name == "a").unwrap();
        assert_eq!((finding.code, command(finding).as_str()), (code, ""));
    }
    // Nor is a disk labelled for a claim with a selector, or offered for a name that was misspelt.
    let selecting = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}});
    let objects = vec![with(of_class("a", "disk"), selecting), disk(json!({}))];
    assert!(!command(&only(OLD, objects)).contains("label pv"));
    let misspelt = with(named(), json!({"spec": {"volumeName": "disk-volum"}}));
    let disk = with(disk(json!({})), json!({"metadata": {"name": "disk-volume"}}));
    assert!(command(&only(OLD, vec![misspelt, disk])).contains("--server SERVER "));
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
        let commands = found.iter().map(command);
        wrong.extend(commands.filter(|command| command.contains(OPTION)));
    }
    assert_eq!(wrong, Vec::<String>::new());
}
