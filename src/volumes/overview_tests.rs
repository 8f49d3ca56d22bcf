use serde_json::{Value, json};

use super::*;
use crate::cluster::dump::assemble;

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn claim(name: &str, phase: &str, class: &str, volume: &str) -> Value {
    json!({
        "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "team"},
        "spec": {"storageClassName": class, "volumeName": volume, "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": phase},
    })
}

fn volume(name: &str, phase: &str, claim: &str) -> Value {
    json!({
        "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "nfs": {"server": "nfs", "path": format!("/nfsdata/{name}/")}, "capacity": {"storage": "2Gi"},
            "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "team", "name": claim},
        },
        "status": {"phase": phase},
    })
}

fn deployment(name: &str, env: Value, image: &str) -> Value {
    json!({
        "kind": "Deployment", "metadata": {"name": name, "namespace": "storage"},
        "spec": {
            "replicas": 2, "selector": {},
            "template": {"spec": {"containers": [{"name": "c", "image": image, "env": env}]}},
        },
        "status": {"readyReplicas": 1},
    })
}

fn usage() -> VolumeUsage {
    VolumeUsage {
        used_bytes: 1 << 20,
        limit_bytes: 2 << 30,
        files: 3,
    }
}

fn class(name: &str, provisioner: &str, more: Value) -> Value {
    let mut class = json!({"kind": "StorageClass", "metadata": {"name": name}, "provisioner": provisioner});
    class.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    class
}

fn lease(namespace: &str, name: &str, holder: &str, renewed: &str) -> Value {
    json!({"kind": "Lease", "metadata": {"name": name, "namespace": namespace},
           "spec": {"holderIdentity": holder, "renewTime": format!("2026-01-01T00:{renewed}.000000Z")}})
}

fn classes() -> Vec<Value> {
    let pattern = json!({"parameters": {"pathPattern": "${.PVC.name}", "onDelete": "retain"}});
    let late = json!({"parameters": {"archiveOnDelete": "maybe"}, "volumeBindingMode": "WaitForFirstConsumer",
                      "reclaimPolicy": "Retain"});
    let of_driver = json!({"parameters": {"server": "nfs", "share": "/csi", "onDelete": "archive"}});
    vec![
        class("files", "example.com/files", pattern),
        class("upstream", "fuseim.pri/ifs", late),
        class("driver", NFS_CSI, of_driver),
        class("disks", "example.com/disks", json!({})),
    ]
}

fn workloads() -> Vec<Value> {
    let env = |name: &str| json!([{"name": "PROVISIONER_NAME", "value": name}]);
    let files =
        json!([{"name": "PROVISIONER_NAME", "value": "example.com/files"}, {"name": "NFS_SERVER", "value": "nfs"}]);
    vec![
        deployment("ours", files, "x:1"),
        deployment("other", env("example.com/disks"), "disks:1"),
        deployment("web", json!([]), "web:1"),
    ]
}

fn leases() -> Vec<Value> {
    vec![
        lease("default", "example.com-files", "pod-1", "59:58"),
        lease("default", "nfsprov-nfs", "host-7", "30:00"),
        lease("default", "fuseim.pri-ifs", "", "59:58"),
        lease("default", "node-1", "node-1", "59:58"),
    ]
}

fn claims_and_volumes() -> Vec<Value> {
    let csi = json!({"kind": "PersistentVolume", "metadata": {"name": "v-csi"}, "status": {"phase": "Bound"}, "spec": {
        "csi": {"driver": NFS_CSI, "volumeHandle": "h", "volumeAttributes": {"server": "nfs", "share": "/csi"}},
        "claimRef": {"namespace": "team", "name": "on-csi"}}});
    vec![
        claim("bound", "Bound", "files", "v-bound"),
        claim("waits", "Pending", "files", ""),
        claim("static", "Pending", "no-such-class", ""),
        claim("lost", "Lost", "files", "v-gone"),
        claim("disk", "Pending", "disks", ""),
        claim("on-disk", "Bound", "disks", "v-disk"),
        claim("on-csi", "Bound", "driver", "v-csi"),
        volume("v-bound", "Bound", "bound"),
        volume("v-released", "Released", "old"),
        volume("v-theirs", "Bound", "theirs"),
        csi,
    ]
}

fn cluster() -> ClusterSnapshot {
    assemble([claims_and_volumes(), classes(), workloads(), leases()].concat(), None)
}

fn measured() -> Measurements {
    Measurements {
        holdings: HashMap::from([("v-bound".to_owned(), Holds::Missing)]),
        quotas: HashMap::from([("v-bound".to_owned(), usage())]),
    }
}

fn overview_of(cluster: &ClusterSnapshot) -> Overview {
    build_overview(cluster, &measured(), now())
}

fn names<T>(rows: &[T], name: impl Fn(&T) -> &str) -> Vec<String> {
    rows.iter().map(|row| name(row).to_owned()).collect()
}

#[test]
fn claims_on_nfs_and_those_that_may_come_to_be_are_shown() {
    let overview = overview_of(&cluster());
    assert_eq!(
        names(&overview.claims, |claim| &claim.name),
        ["bound", "lost", "on-csi", "static", "waits"]
    );
    let bound = &overview.claims[0];
    assert_eq!((bound.size.as_str(), bound.volume.as_str()), ("1Gi", "v-bound"));
}

#[test]
fn volumes_of_other_namespaces_claims_are_left_out() {
    let mut cluster = cluster();
    let theirs = cluster.volumes.iter_mut().find(|volume| volume.name == "v-theirs");
    theirs.unwrap().claim.as_mut().unwrap().namespace = "other".into();
    let all = overview_of(&cluster);
    assert_eq!(
        names(&all.volumes, |volume| &volume.name),
        ["v-bound", "v-csi", "v-released", "v-theirs"]
    );
    cluster.namespace = Some("team".into());
    let ours = overview_of(&cluster);
    assert_eq!(
        names(&ours.volumes, |volume| &volume.name),
        ["v-bound", "v-csi", "v-released"]
    );
    let [bound, csi, _] = &ours.volumes[..] else { panic!() };
    assert_eq!(
        (bound.path.as_str(), bound.claim.as_deref()),
        ("/nfsdata/v-bound", Some("team/bound"))
    );
    assert_eq!((csi.server.as_str(), csi.path.as_str()), ("nfs", "/csi"));
    assert_eq!(bound.holds, Some(Holds::Missing));
    assert_eq!(bound.quota, Some(usage()));
}

#[test]
fn classes_are_shown_by_who_serves_them() {
    let shown = overview_of(&cluster()).classes;
    let rows: Vec<_> = shown
        .iter()
        .map(|class| {
            let (mode, policy) = (class.binding_mode.as_str(), class.reclaim_policy.as_str());
            (class.name.as_str(), class.on_delete.as_deref(), mode, policy)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("driver", None, "Immediate", "Delete"),
            ("files", Some("retain"), "Immediate", "Delete"),
            ("upstream", None, "WaitForFirstConsumer", "Retain"),
        ]
    );
}

#[test]
fn a_class_is_the_default_by_the_older_mark_too() {
    let current = "storageclass.kubernetes.io/is-default-class";
    let older = "storageclass.beta.kubernetes.io/is-default-class";
    for (marks, is_default) in [
        (json!({older: "true"}), true),
        (json!({current: "false", older: "true"}), true),
        (json!({current: "false"}), false),
        (json!({older: "yes"}), false),
    ] {
        let metadata = json!({"metadata": {"name": "files", "annotations": marks}});
        let cluster = assemble(vec![class("files", DEFAULT_NAME, metadata)], None);
        assert_eq!(overview_of(&cluster).classes[0].default, is_default, "{marks}");
    }
}

#[test]
fn the_leader_is_the_holder_of_the_lease_beside_the_workload() {
    let files = |namespace: &str, holder: &str, minute: &str| {
        lease(namespace, "example.com-files", holder, &format!("{minute}:00"))
    };
    let workload = |namespace: &str| {
        let mut deployment = workloads().swap_remove(0);
        deployment["metadata"]["namespace"] = json!(namespace);
        deployment
    };
    let leaders = |workloads: &[Value], leases: &[Value]| -> Vec<String> {
        let cluster = assemble([&classes(), workloads, leases].concat(), None);
        let rows = overview_of(&cluster).provisioners;
        let ours = rows.iter().filter(|row| row.name == "example.com/files");
        ours.map(|row| row.leader.clone().unwrap_or_default()).collect()
    };
    let both = [files("a", "pod-a", "59"), files("b", "pod-b", "59")];
    assert_eq!(leaders(&[workload("a"), workload("b")], &both), ["pod-a", "pod-b"]);
    assert_eq!(leaders(&[workload("b")], &both), ["pod-b"]);
    // A provisioner may keep its Lease in another namespace, not in that of another one.
    let elsewhere = [
        files("c", "old", "10"),
        files("a", "pod-a", "59"),
        files("d", "pod-d", "59"),
    ];
    assert_eq!(leaders(&[workload("a"), workload("b")], &elsewhere), ["pod-a", "pod-d"]);
    assert_eq!(
        leaders(&[workload("a"), workload("b")], &[files("a", "pod-a", "59")]),
        ["pod-a", ""]
    );
    // Outside the cluster: the one that was renewed last.
    let outside = [
        lease("d", "nfsprov-nfs", "late", "59:00"),
        lease("c", "nfsprov-nfs", "early", "10:00"),
    ];
    let rows = overview_of(&assemble(outside.to_vec(), None)).provisioners;
    assert_eq!(rows[0].leader.as_deref(), Some("late"));
}

#[test]
fn provisioners_are_what_runs_what_leads_and_what_is_waited_for() {
    let overview = overview_of(&cluster());
    let rows: Vec<_> = overview
        .provisioners
        .iter()
        .map(|row| {
            (
                row.name.as_str(),
                row.workload.as_deref(),
                row.ready,
                row.wanted,
                row.leader.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("example.com/files", Some("deployment/ours"), 1, 2, Some("pod-1")),
            ("fuseim.pri/ifs", None, 0, 0, None),
            (NFS_CSI, None, 0, 0, None),
            ("nfsprov/nfs", None, 0, 0, Some("host-7 (silent for 30m)")),
        ]
    );
}

#[test]
fn what_a_directory_holds_is_said_in_a_few_words() {
    let data = |bytes, files, is_incomplete| Holds::Data {
        bytes,
        files,
        is_incomplete,
    };
    for (holds, words) in [
        (data(0, 0, false), "0 in 0 files"),
        (data(1536, 1, false), "1.5Ki in 1 file"),
        (data(1 << 30, 12, true), "1Gi+ in 12+ files"),
        (Holds::Missing, "missing"),
        (Holds::Unreadable("no".into()), "unreadable"),
    ] {
        assert_eq!(holds.short_text(), words);
    }
}
