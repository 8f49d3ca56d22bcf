use super::*;
use crate::cluster::snapshot::{ClusterSnapshot, Right};

fn questions(_: &ClusterSnapshot) -> Vec<Right> {
    Vec::new()
}

#[test]
fn values_of_variables_are_left_out() {
    let mut dump = Dump::default();
    dump.add(
        "deployments",
        json!({
            "kind": "Deployment",
            "metadata": {"name": "p", "namespace": "default", "managedFields": [{"manager": "x"}],
                         "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "kept": "yes"}},
            "spec": {"selector": {}, "template": {"spec": {
                "initContainers": [{"name": "i", "env": [{"name": "TOKEN", "value": "hunter2"}]}],
                "containers": [{"name": "c", "env": [
                    {"name": "PASSWORD", "value": "hunter2"}, {"name": "NFS_SERVER", "value": "10.77.0.10"},
                    {"name": "PROVISIONER_NAME", "value": "fuseim.pri/ifs"},
                    {"name": "REF", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ]}],
            }}},
        }),
    );
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("dump");
    dump.begin("pods");
    for (container, text) in [("main", "a line\n"), ("sidecar", "another\n")] {
        dump.add_log(&Log {
            namespace: "default".into(),
            pod: "p-1".into(),
            container: container.into(),
            text: text.into(),
        });
    }
    let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let written = dump.write(&target, "v1.20.2", now).unwrap();
    for path in &written {
        assert!(
            !fs::read_to_string(path).unwrap().contains("hunter2"),
            "{}",
            path.display()
        );
    }
    // An earlier version wrote no container.
    fs::write(target.join("logs/default_p-2.log"), "old\n").unwrap();
    let (snapshot, at) = read(&target, None, questions).unwrap();
    assert_eq!((snapshot.version.as_str(), at), ("v1.20.2", now));
    let container = &snapshot.workloads[0].containers[0];
    let value = |name: &str| container.env[name].as_deref();
    assert_eq!(value("NFS_SERVER"), Some("10.77.0.10"));
    assert_eq!(value("PROVISIONER_NAME"), Some("fuseim.pri/ifs"));
    assert_eq!(value("PASSWORD"), Some(""));
    let logs = snapshot.logs.iter();
    let logs: Vec<_> = logs.map(|log| (&*log.pod, &*log.container, &*log.text)).collect();
    let wanted = [
        ("p-2", "", "old\n"),
        ("p-1", "main", "a line\n"),
        ("p-1", "sidecar", "another\n"),
    ];
    assert!(
        logs.len() == 3 && wanted.iter().all(|log| logs.contains(log)),
        "{logs:?}"
    );
    // An empty list was read; what has no file was not.
    assert!(snapshot.was_read("pods") && !snapshot.was_read("persistentvolumes"));
    // The dump has a time, whatever file of kubectl's lies beside it.
    fs::write(
        target.join("version.json"),
        r#"{"serverVersion": {"gitVersion": "v1.20.2"}}"#,
    )
    .unwrap();
    assert_eq!(read(&target, None, questions).unwrap().1, now);
    fs::remove_dir_all(target.join("logs")).unwrap();
    let again = dump.write(&target, "v1.20.2", now).unwrap_err();
    assert!(again.to_string().contains("is not empty"), "{again}");
    assert!(
        !target.join("logs").exists(),
        "a directory that is refused stays as it is"
    );
}

#[test]
fn plain_output_of_kubectl_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| fs::write(directory.path().join(name), value.to_string()).unwrap();
    write("pvc.json", json!({"apiVersion": "v1", "kind": "List", "items": []}));
    write(
        "everything.json",
        json!({"kind": "List", "items": [
            {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {}},
            {"kind": "StorageClass", "metadata": {"name": "c"}, "provisioner": "p"},
            {"kind": "Secret", "metadata": {"name": "s"}},
        ]}),
    );
    // As kubectl get --raw writes it: the list's kind comes first, the items have none.
    let raw = r#"{"kind": "NodeList", "items": [{"metadata": {"name": "n"}}]}"#;
    fs::write(directory.path().join("raw.json"), raw).unwrap();
    write(
        "version.json",
        json!({"clientVersion": {}, "serverVersion": {"gitVersion": "v1.23.1+k3s1"}}),
    );
    write(
        "one.json",
        json!({"kind": "Event", "metadata": {"name": "e", "namespace": "default"},
               "involvedObject": {"kind": "Pod", "name": "p"}, "lastTimestamp": "2026-01-01T11:00:00Z"}),
    );
    // As kubectl cluster-info dump writes it: a folder for each namespace.
    fs::create_dir(directory.path().join("web")).unwrap();
    write("web/limits.json", json!({"kind": "LimitRangeList", "items": []}));
    let (snapshot, at) = read(directory.path(), None, questions).unwrap();
    assert_eq!(
        (
            snapshot.claims.len(),
            snapshot.volumes.len(),
            snapshot.classes.len(),
            snapshot.nodes.len()
        ),
        (0, 1, 1, 1)
    );
    assert_eq!(snapshot.version, "v1.23.1+k3s1");
    assert_eq!(
        at.to_string(),
        "2026-01-01T11:00:00Z",
        "the latest time that anything speaks of"
    );
    let read = ["persistentvolumeclaims", "limitranges", "pods"].map(|what| snapshot.was_read(what));
    assert_eq!(read, [true, true, false]);
}

#[test]
fn a_directory_that_is_no_dump_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let empty = read(directory.path(), None, questions).unwrap_err().to_string();
    assert!(empty.contains("has no output of kubectl get -o json"), "{empty}");
    fs::write(directory.path().join("x.json"), "apiVersion: v1").unwrap();
    let yaml = read(directory.path(), None, questions).unwrap_err().to_string();
    assert!(yaml.contains("x.json is not JSON"), "{yaml}");
    let nowhere = read(&directory.path().join("nowhere"), None, questions)
        .unwrap_err()
        .to_string();
    assert!(nowhere.contains("is it a directory?"), "{nowhere}");
}

#[test]
fn an_object_that_can_not_be_read_is_named_and_the_others_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let volume = |name: &str, created: &str| json!({"kind": "PersistentVolume", "metadata": {"name": name, "creationTimestamp": created}});
    let list = json!({"kind": "List", "items": [volume("a", "2026-01-01T11:00:00Z"), volume("b", "yesterday")]});
    fs::write(directory.path().join("pv.json"), list.to_string()).unwrap();
    let (snapshot, _) = read(directory.path(), None, questions).unwrap();
    let read: Vec<_> = snapshot.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(read, ["a"]);
    let mut unread = snapshot.unread.iter();
    let unread = unread.find(|unread| unread.what == "persistentvolumes").unwrap();
    assert!(unread.why.starts_with("PersistentVolume b: "), "{}", unread.why);
}

/// `kubectl get` says nothing of when it was called.
#[test]
fn the_time_of_a_dump_without_one_is_derived_from_its_objects() {
    let claim = json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1",
        "metadata": {"name": "data", "namespace": "web", "creationTimestamp": "2026-01-01T12:00:00Z"}});
    let lease = |namespace: &str, renewed: &str| {
        json!({"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": {"name": "l", "namespace": namespace},
               "spec": {"renewTime": renewed}})
    };
    let event = |component: &str, last: &str| {
        json!({"kind": "Event", "apiVersion": "v1", "metadata": {"name": "e", "namespace": "web"}, "reason": "R",
               "source": {"component": component}, "lastTimestamp": last})
    };
    let system = |time: &str| lease("kube-system", time);
    let controller = "persistentvolume-controller";
    for (others, at) in [
        (vec![], "2026-01-01T12:05:00Z"),
        (vec![event(controller, "2026-01-01T09:00:00Z")], "2026-01-01T12:05:00Z"),
        (vec![event(controller, "2026-01-01T12:00:09Z")], "2026-01-01T12:00:09Z"),
        (vec![system("2026-01-01T12:03:00.000000Z")], "2026-01-01T12:03:00Z"),
        // By a node's clock, which only shows that the claim is new.
        (
            vec![lease("web", "2026-01-01T12:00:09.000000Z")],
            "2026-01-01T12:00:00Z",
        ),
        (vec![event("kubelet", "2026-01-01T12:00:09Z")], "2026-01-01T12:05:00Z"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let items: Vec<&Value> = others.iter().chain([&claim]).collect();
        let list = json!({"kind": "List", "apiVersion": "v1", "items": items});
        fs::write(directory.path().join("all.json"), list.to_string()).unwrap();
        let (_, read_at) = read(directory.path(), None, questions).unwrap();
        assert_eq!(read_at.to_string(), at, "{others:?}");
    }
}

#[test]
fn events_of_an_earlier_pod_are_dropped_and_no_time_is_too_late() {
    let event = |reason: &str, uid: &str, last: &str| {
        json!({"kind": "Event", "metadata": {"name": reason, "namespace": "default"}, "reason": reason, "lastTimestamp": last,
               "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p", "uid": uid}})
    };
    let pod = |owners: Value| {
        json!({"kind": "Pod", "spec": {"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/p"}}]},
               "metadata": {"name": "p", "namespace": "default", "uid": "new", "creationTimestamp": "2026-01-01T11:00:00Z",
                            "ownerReferences": owners}})
    };
    let kubelet = json!([{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n", "controller": true}]);
    for (owners, reasons) in [
        (json!([]), vec!["Skewed", "Own", "Late"]),
        // The kubelet knows a pod of its own files by another uid.
        (kubelet, vec!["Skewed", "Own", "Others", "Late"]),
    ] {
        let events = [
            event("Earlier", "", "2026-01-01T10:00:00Z"),
            event("Skewed", "", "2026-01-01T10:59:30Z"),
            event("Own", "new", "2026-01-01T11:01:00Z"),
            event("Others", "old", "2026-01-01T11:02:00Z"),
            event("Late", "", "9999-12-30T22:00:00Z"),
        ];
        let snapshot = assemble([vec![pod(owners)], events.to_vec()].concat(), None);
        let kept: Vec<&str> = snapshot.events.iter().map(|event| event.reason.as_str()).collect();
        assert_eq!(kept, reasons);
    }
}
