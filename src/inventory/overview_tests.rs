use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn all<T: DeserializeOwned>(objects: Value) -> Vec<T> {
    serde_json::from_value(objects).unwrap()
}

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn claim(name: &str, phase: &str, class: &str, volume: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"storageClassName": class, "volumeName": volume, "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": phase},
    })
}

fn volume(name: &str, phase: &str, claim: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "nfs": {"server": "nfs", "path": format!("/nfsdata/{name}/")}, "capacity": {"storage": "2Gi"},
            "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "team", "name": claim},
        },
        "status": {"phase": phase},
    })
}

fn deployment(name: &str, env: Value, image: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "storage"},
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

fn facts() -> Facts {
    let deployments: Vec<Deployment> = all(json!([
        deployment(
            "ours",
            json!([{"name": "PROVISIONER_NAME", "value": "example.com/files"}, {"name": "NFS_SERVER", "value": "nfs"}]),
            "x:1"
        ),
        deployment(
            "other",
            json!([{"name": "PROVISIONER_NAME", "value": "example.com/disks"}]),
            "disks:1"
        ),
        deployment("web", json!([]), "web:1"),
    ]));
    Facts {
        claims: all(json!([
            claim("bound", "Bound", "files", "v-bound"),
            claim("waits", "Pending", "files", ""),
            claim("static", "Pending", "no-such-class", ""),
            claim("lost", "Lost", "files", "v-gone"),
            claim("disk", "Pending", "disks", ""),
            claim("on-disk", "Bound", "disks", "v-disk"),
        ])),
        volumes: all(json!([
            volume("v-bound", "Bound", "bound"),
            volume("v-released", "Released", "old"),
            volume("v-theirs", "Bound", "theirs"),
        ])),
        classes: all(json!([
            {"metadata": {"name": "files", "annotations": {DEFAULT_CLASS[0]: "true"}}, "provisioner": "example.com/files",
             "parameters": {"pathPattern": "${.PVC.name}", "onDelete": "retain"}},
            {"metadata": {"name": "upstream"}, "provisioner": "fuseim.pri/ifs", "parameters": {"archiveOnDelete": "maybe"},
             "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Retain"},
            {"metadata": {"name": "disks"}, "provisioner": "example.com/disks"},
        ])),
        workloads: deployments.into_iter().map(Workload::from).collect(),
        leases: all(json!([
            {"metadata": {"name": "example.com-files"},
             "spec": {"holderIdentity": "pod-1", "renewTime": "2026-01-01T00:59:58.000000Z"}},
            {"metadata": {"name": "nfsprov-nfs"},
             "spec": {"holderIdentity": "host-7", "renewTime": "2026-01-01T00:30:00.000000Z"}},
            {"metadata": {"name": "fuseim.pri-ifs"}, "spec": {"holderIdentity": ""}},
            {"metadata": {"name": "node-1"}, "spec": {"holderIdentity": "node-1"}},
        ])),
        namespace: None,
        holdings: HashMap::from([("v-bound".to_owned(), Holds::Missing)]),
        quotas: HashMap::from([("v-bound".to_owned(), usage())]),
    }
}

fn names<T>(rows: &[T], name: impl Fn(&T) -> &str) -> Vec<String> {
    rows.iter().map(|row| name(row).to_owned()).collect()
}

#[test]
fn claims_on_nfs_and_those_that_may_come_to_be_are_shown() {
    let overview = build_overview(&facts(), now());
    assert_eq!(
        names(&overview.claims, |claim| &claim.name),
        ["bound", "lost", "static", "waits"]
    );
    let bound = &overview.claims[0];
    assert_eq!((bound.size.as_str(), bound.volume.as_str()), ("1Gi", "v-bound"));
}

#[test]
fn volumes_of_other_namespaces_claims_are_left_out() {
    let mut facts = facts();
    facts.volumes[2]
        .spec
        .as_mut()
        .unwrap()
        .claim_ref
        .as_mut()
        .unwrap()
        .namespace = Some("other".into());
    let all = build_overview(&facts, now());
    assert_eq!(
        names(&all.volumes, |volume| &volume.name),
        ["v-bound", "v-released", "v-theirs"]
    );
    facts.namespace = Some("team".into());
    let ours = build_overview(&facts, now());
    assert_eq!(names(&ours.volumes, |volume| &volume.name), ["v-bound", "v-released"]);
    let bound = &ours.volumes[0];
    assert_eq!(
        (bound.path.as_str(), bound.claim.as_deref()),
        ("/nfsdata/v-bound", Some("team/bound"))
    );
    assert_eq!(bound.holds, Some(Holds::Missing));
    assert_eq!(bound.quota, Some(usage()));
}

#[test]
fn classes_are_shown_by_who_serves_them() {
    let overview = build_overview(&facts(), now());
    assert_eq!(names(&overview.classes, |class| &class.name), ["files", "upstream"]);
    let [files, upstream] = &overview.classes[..] else {
        panic!()
    };
    assert!(files.default && !upstream.default);
    assert_eq!(
        (files.on_delete.as_deref(), upstream.on_delete.as_deref()),
        (Some("retain"), None)
    );
    assert_eq!(
        (files.binding_mode.as_str(), upstream.binding_mode.as_str()),
        ("Immediate", "WaitForFirstConsumer")
    );
    assert_eq!(
        (files.reclaim_policy.as_str(), upstream.reclaim_policy.as_str()),
        ("Delete", "Retain")
    );
}

#[test]
fn a_class_is_the_default_by_the_older_mark_too() {
    for (marks, is_default) in [
        (json!({DEFAULT_CLASS[1]: "true"}), true),
        (json!({DEFAULT_CLASS[0]: "false", DEFAULT_CLASS[1]: "true"}), true),
        (json!({DEFAULT_CLASS[0]: "false"}), false),
        (json!({DEFAULT_CLASS[1]: "yes"}), false),
    ] {
        let mut facts = facts();
        facts.classes = all(json!([
            {"metadata": {"name": "files", "annotations": marks}, "provisioner": "example.com/files"},
        ]));
        assert_eq!(build_overview(&facts, now()).classes[0].default, is_default, "{marks}");
    }
}

#[test]
fn the_leader_is_the_holder_of_the_lease_beside_the_workload() {
    let lease = |namespace: &str, holder: &str, minute: &str| {
        json!({"metadata": {"name": "example.com-files", "namespace": namespace},
               "spec": {"holderIdentity": holder, "renewTime": format!("2026-01-01T00:{minute}:00.000000Z")}})
    };
    let workload = |namespace: &str| {
        let env =
            json!([{"name": "PROVISIONER_NAME", "value": "example.com/files"}, {"name": "NFS_SERVER", "value": "n"}]);
        let mut deployment = deployment("ours", env, "x:1");
        deployment["metadata"]["namespace"] = json!(namespace);
        deployment
    };
    let leaders = |workloads: &[Value], leases: Value| -> Vec<String> {
        let deployments: Vec<Deployment> = all(json!(workloads));
        let mut facts = facts();
        facts.workloads = deployments.into_iter().map(Workload::from).collect();
        facts.leases = all(leases);
        let rows = build_overview(&facts, now()).provisioners;
        let ours = rows.iter().filter(|row| row.name == "example.com/files");
        ours.map(|row| row.leader.clone().unwrap_or_default()).collect()
    };
    let both = || json!([lease("a", "pod-a", "59"), lease("b", "pod-b", "59")]);
    assert_eq!(leaders(&[workload("a"), workload("b")], both()), ["pod-a", "pod-b"]);
    assert_eq!(leaders(&[workload("b")], both()), ["pod-b"]);
    // A provisioner may keep its Lease in another namespace, not in that of another one.
    let elsewhere = json!([
        lease("c", "old", "10"),
        lease("a", "pod-a", "59"),
        lease("d", "pod-d", "59")
    ]);
    assert_eq!(
        leaders(&[workload("a"), workload("b")], elsewhere.clone()),
        ["pod-a", "pod-d"]
    );
    assert_eq!(
        leaders(&[workload("a"), workload("b")], json!([lease("a", "pod-a", "59")])),
        ["pod-a", ""]
    );
    // Outside the cluster: the one that was renewed last.
    let mut facts = facts();
    let record =
        |minute: &str| json!({"holderIdentity": minute, "renewTime": format!("2026-01-01T00:{minute}:00.000000Z")});
    facts.leases = all(json!([
        {"metadata": {"name": "nfsprov-nfs", "namespace": "d"}, "spec": record("59")},
        {"metadata": {"name": "nfsprov-nfs", "namespace": "c"}, "spec": record("10")},
    ]));
    let rows = build_overview(&facts, now()).provisioners;
    let outside = rows.iter().find(|row| row.name == "nfsprov/nfs").unwrap();
    assert_eq!(outside.leader.as_deref(), Some("59"));
}

#[test]
fn provisioners_are_what_runs_what_leads_and_what_is_waited_for() {
    let overview = build_overview(&facts(), now());
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
