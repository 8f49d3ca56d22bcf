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
    merged(claim, &change)
}

fn pvc() -> Object {
    Object::of("PersistentVolumeClaim", "default", "a")
}

fn never<T: std::fmt::Debug>(result: Result<T, Moot>) -> String {
    match result {
        Err(Moot::Never(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_patch_holds_what_differs_and_what_it_was_seen_on() {
    let deployment = json!({
        "kind": "Deployment", "metadata": {"name": "p", "uid": "u", "resourceVersion": "7"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "side", "image": "s"},
            {"name": "main", "image": "old", "env": [{"name": "PROVISIONER_NAME", "value": "x/y"}, {"name": "A", "value": "1"}]},
        ]}}},
    });
    let object = Object::of("Deployment", "default", "p");
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
        let change = Change::Patch {
            object: object.clone(),
            change: json!({"spec": {"template": {"spec": {"containers": [change]}}}}),
        };
        let edit = Edit::of(&change, Some(deployment.clone())).unwrap();
        let wanted = json!({
            "metadata": {"uid": "u", "resourceVersion": "7"},
            "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s"}, main]}}},
        });
        assert_eq!(edit.patch(), wanted);
        // Once is enough.
        assert_eq!(Edit::of(&change, edit.after), Err(Moot::Already));
        assert_eq!(never(Edit::of(&change, None)), "is not there any more");
    }
}

#[test]
fn a_patch_takes_fields_away() {
    let change = Change::Patch {
        object: pvc(),
        change: json!({"metadata": {"labels": {"app": null, "tier": "gold"}}}),
    };
    let edit = Edit::of(&change, Some(claim(Value::Null))).unwrap();
    assert_eq!(
        edit.patch(),
        json!({"metadata": {"uid": "u", "resourceVersion": "7", "labels": {"app": null, "tier": "gold"}}})
    );
}

#[test]
fn a_claim_is_made_again_as_its_owner_wrote_it() {
    let change = Change::Recreate {
        object: pvc(),
        change: json!({"spec": {"storageClassName": "silver"}}),
    };
    let edit = Edit::of(&change, Some(claim(Value::Null))).unwrap();
    assert_eq!(
        edit.after,
        Some(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "a", "namespace": "default", "labels": {"app": "web"}},
            "spec": {"storageClassName": "silver", "resources": {"requests": {"storage": "1Gi"}}},
        }))
    );
    let same = Change::Recreate {
        object: pvc(),
        change: Value::Null,
    };
    assert_eq!(Edit::of(&same, Some(claim(Value::Null))).unwrap().way, Way::Recreate);
    let silver = claim(json!({"spec": {"storageClassName": "silver"}}));
    assert_eq!(Edit::of(&change, Some(silver)), Err(Moot::Already));
}

#[test]
fn what_may_hold_data_is_never_deleted() {
    let bound = json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}});
    for change in [
        Change::Delete(pvc()),
        Change::Recreate {
            object: pvc(),
            change: Value::Null,
        },
    ] {
        for (live, why) in [
            (
                claim(json!({"status": {"phase": "Bound"}})),
                "is Bound by now, and may hold data",
            ),
            (
                claim(json!({"status": {"phase": "Lost"}})),
                "is Lost by now, and may hold data",
            ),
            (claim(bound.clone()), "was bound before, and may hold data"),
        ] {
            assert_eq!(never(Edit::of(&change, Some(live))), why);
        }
    }
    for kind in ["PersistentVolume", "Deployment", "Namespace", "Secret"] {
        let change = Change::Delete(Object::cluster(kind, "a"));
        let why = never(Edit::of(&change, Some(json!({"kind": kind}))));
        assert!(why.ends_with("never deleted"), "{why}");
    }
    let pod = Change::Delete(Object::of("Pod", "default", "p"));
    assert_eq!(
        never(Edit::of(&pod, Some(json!({"status": {"phase": "Running"}})))),
        "is Running by now"
    );
    assert!(Edit::of(&pod, Some(json!({"status": {"phase": "Pending"}}))).is_ok());
    assert_eq!(Edit::of(&pod, None), Err(Moot::Already));
}

#[test]
fn what_is_there_already_is_not_overwritten() {
    let rule = |verb: &str| json!({"apiGroups": [""], "resources": ["endpoints"], "verbs": [verb]});
    let role = |rules: Value| json!({"kind": "Role", "metadata": {"name": "r", "namespace": "n"}, "rules": rules});
    let made = Change::Make(role(json!([rule("get"), rule("update")])));
    let edit = Edit::of(&made, Some(role(json!([rule("list"), rule("get")])))).unwrap();
    assert_eq!(
        edit.after.unwrap()["rules"],
        json!([rule("list"), rule("get"), rule("update")])
    );
    assert_eq!(Edit::of(&made, None).unwrap().way, Way::Create);
    let binding = |role: &str| json!({"kind": "RoleBinding", "metadata": {"name": "r"}, "roleRef": {"name": role}});
    let why = never(Edit::of(&Change::Make(binding("a")), Some(binding("b"))));
    assert_eq!(why, "is there already, and about another role");
    let deployment = |image: &str| json!({"kind": "Deployment", "metadata": {"name": "p"}, "spec": {"image": image}});
    let why = never(Edit::of(&Change::Make(deployment("a")), Some(deployment("b"))));
    assert_eq!(why, "is there already, and is left as it is");
    let class = json!({"kind": "StorageClass", "metadata": {"name": "c"}});
    assert_eq!(Edit::of(&Change::Make(class.clone()), Some(class)), Err(Moot::Already));
}

#[test]
fn people_see_what_people_write() {
    let change = Change::Delete(pvc());
    let (before, after) = Edit::of(&change, Some(claim(Value::Null))).unwrap().shown();
    let before = before.unwrap();
    assert!(
        before.get("status").is_none() && before["metadata"].get("uid").is_none(),
        "{before}"
    );
    assert_eq!(before["metadata"]["name"], "a");
    assert_eq!(after, None);
}
