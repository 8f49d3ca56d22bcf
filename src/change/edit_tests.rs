use super::*;

fn claim(change: Value) -> Value {
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "a", "namespace": "default", "uid": "u", "resourceVersion": "7", "creationTimestamp": "t",
            "finalizers": ["kubernetes.io/pvc-protection"], "labels": {"app": "web"},
            "annotations": {"volume.beta.kubernetes.io/storage-provisioner": "old"},
        },
        "spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Pending"},
    });
    merge_change(claim, &change)
}

fn pvc() -> Object {
    Object::namespaced("PersistentVolumeClaim", "default", "a")
}

fn never<T: std::fmt::Debug>(result: Result<T, NoChange>) -> String {
    match result {
        Err(NoChange::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_patch_contains_the_differences_and_the_version_that_was_read() {
    let deployment = json!({
        "kind": "Deployment", "metadata": {"name": "p", "uid": "u", "resourceVersion": "7"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "side", "image": "s"},
            {"name": "main", "image": "old", "env": [{"name": "PROVISIONER_NAME", "value": "x/y"}, {"name": "A", "value": "1"}]},
        ]}}},
    });
    let object = Object::namespaced("Deployment", "default", "p");
    for (change, main) in [
        (
            json!({"name": "main", "image": "new"}),
            json!({"name": "main", "image": "new", "env": [{"name": "PROVISIONER_NAME", "value": "x/y"}, {"name": "A", "value": "1"}]}),
        ),
        (
            json!({"name": "main", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}),
            json!({"name": "main", "image": "old", "env": [{"name": "PROVISIONER_NAME", "value": "x/y"}, {"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}),
        ),
    ] {
        let change = Change::Merge {
            object: object.clone(),
            patch: json!({"spec": {"template": {"spec": {"containers": [change]}}}}),
        };
        let edit = Edit::from_change(&change, Some(deployment.clone())).unwrap();
        let wanted = json!({
            "metadata": {"uid": "u", "resourceVersion": "7"},
            "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s"}, main]}}},
        });
        assert_eq!(edit.patch(), wanted);
        // Once is enough.
        assert_eq!(Edit::from_change(&change, edit.after), Err(NoChange::Unchanged));
        assert_eq!(never(Edit::from_change(&change, None)), "does not exist any more");
    }
}

#[test]
fn a_patch_removes_fields() {
    let change = Change::Merge {
        object: pvc(),
        patch: json!({"metadata": {"labels": {"app": null, "tier": "gold"}}}),
    };
    let edit = Edit::from_change(&change, Some(claim(Value::Null))).unwrap();
    assert_eq!(
        edit.patch(),
        json!({"metadata": {"uid": "u", "resourceVersion": "7", "labels": {"app": null, "tier": "gold"}}})
    );
}

#[test]
fn objects_that_may_have_data_are_never_deleted() {
    let bound = json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}});
    for (live, why) in rows! {
        (claim(json!({"status": {"phase": "Bound"}})), "is Bound now, and may have data"),
        (claim(json!({"status": {"phase": "Lost"}})), "is Lost now, and may have data"),
        (claim(bound), "was bound before, and may have data"),
    } {
        assert_eq!(never(Edit::from_change(&Change::Delete(pvc()), Some(live))), why);
    }
    for kind in ["PersistentVolume", "Deployment", "StorageClass", "Namespace", "Secret"] {
        let change = Change::Delete(Object::cluster_scoped(kind, "a"));
        let why = never(Edit::from_change(&change, Some(json!({"kind": kind}))));
        assert!(why.ends_with("never deleted"), "{why}");
    }
    let pod = Change::Delete(Object::namespaced("Pod", "default", "p"));
    assert_eq!(
        never(Edit::from_change(&pod, Some(json!({"status": {"phase": "Running"}})))),
        "is Running now"
    );
    assert!(Edit::from_change(&pod, Some(json!({"status": {"phase": "Pending"}}))).is_ok());
    assert_eq!(Edit::from_change(&pod, None), Err(NoChange::Unchanged));
}

#[test]
fn diffs_leave_out_the_fields_of_the_server() {
    let change = Change::Delete(pvc());
    let (before, after) = Edit::from_change(&change, Some(claim(Value::Null)))
        .unwrap()
        .before_and_after();
    assert!(
        before.get("status").is_none() && before["metadata"].get("uid").is_none(),
        "{before}"
    );
    assert_eq!(before["metadata"]["name"], "a");
    assert_eq!(after, None);
}
