//! Deployments of nfs-subdir-external-provisioner as its chart, its manifests and users write them.

use serde_json::{Value, json};

use super::*;

fn deployment(change: impl FnOnce(&mut Value)) -> Deployment {
    let mut object = json!({
        "metadata": {"name": "nfs-client-provisioner", "namespace": "storage"},
        "spec": {"replicas": 1, "selector": {}, "template": {"spec": {
            "containers": [{
                "name": "c", "image": "registry.example/sig-storage/nfs-subdir-external-provisioner:v4.0.2",
                "env": [{"name": "PROVISIONER_NAME", "value": "fuseim.pri/ifs"},
                        {"name": "NFS_SERVER", "value": "10.0.0.1"}, {"name": "NFS_PATH", "value": "/nfsdata"}],
                "volumeMounts": [{"name": "root", "mountPath": "/persistentvolumes"}],
            }],
            "volumes": [{"name": "root", "nfs": {"server": "10.0.0.1", "path": "/nfsdata"}}],
        }}},
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn class(name: &str, parameters: Value) -> StorageClass {
    let class = json!({"metadata": {"name": name}, "provisioner": "fuseim.pri/ifs", "parameters": parameters});
    serde_json::from_value(class).unwrap()
}

const ENV: &str = "/spec/template/spec/containers/0/env";

#[test]
fn what_it_serves_is_read_from_variables_or_from_its_volume() {
    let plain = Handover::from_deployment(&deployment(|_| {}), &[]).unwrap();
    assert_eq!(plain.provisioner, "fuseim.pri/ifs");
    assert_eq!((plain.server.as_str(), plain.path.as_str()), ("10.0.0.1", "/nfsdata"));
    let from_volume = deployment(|object| {
        let env = object.pointer_mut(ENV).unwrap().as_array_mut().unwrap();
        env.truncate(1);
    });
    assert_eq!(Handover::from_deployment(&from_volume, &[]).unwrap(), plain);
    let twice = deployment(|object| {
        let env = object.pointer_mut(ENV).unwrap().as_array_mut().unwrap();
        env.insert(0, json!({"name": "NFS_SERVER", "value": "10.0.0.2"}));
    });
    assert_eq!(
        Handover::from_deployment(&twice, &[]).unwrap(),
        plain,
        "the last counts"
    );
    // The chart's volume is a claim; then the variables say it alone.
    let from_variables = deployment(|object| object["spec"]["template"]["spec"]["volumes"] = json!([]));
    assert_eq!(Handover::from_deployment(&from_variables, &[]).unwrap(), plain);
}

#[test]
fn what_is_unclear_is_refused() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 5] = [
        (
            |object| object.pointer_mut(ENV).unwrap()[1]["value"] = "10.0.0.2".into(),
            "NFS_SERVER is \"10.0.0.2\", but /persistentvolumes mounts \"10.0.0.1\"",
        ),
        (
            |object| object.pointer_mut(ENV).unwrap()[0] = json!({"name": "PROVISIONER_NAME", "valueFrom": {}}),
            "no container with a literal PROVISIONER_NAME",
        ),
        (
            |object| {
                object["spec"]["template"]["spec"]["volumes"] = json!([]);
                object.pointer_mut(ENV).unwrap()[2]["name"] = "OTHER".into();
            },
            "has no literal NFS_PATH",
        ),
        (
            |object| {
                object["spec"]["template"]["spec"]["volumes"] = json!([]);
                object.pointer_mut(ENV).unwrap()[1]["value"] = "a; reboot".into();
            },
            "NFS_SERVER is \"a; reboot\": ",
        ),
        (
            |object| object["spec"]["template"]["spec"] = Value::Null,
            "has no pod template",
        ),
    ];
    for (change, expected) in cases {
        let error = Handover::from_deployment(&deployment(change), &[]).unwrap_err();
        assert!(
            error.starts_with("deployment/nfs-client-provisioner -n storage") && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn the_deployment_is_the_only_one_or_the_one_that_is_named() {
    let renamed = |name: &str| {
        deployment(|object| {
            object["metadata"]["name"] = name.into();
        })
    };
    let other = deployment(|object| {
        object["metadata"]["name"] = "web".into();
        object["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx".into();
    });
    let both = [renamed("a"), other.clone(), renamed("b")];
    let name = |chosen: Result<&Deployment, String>| chosen.map(|deployment| deployment.metadata.name.clone().unwrap());
    assert_eq!(name(choose_deployment(&both[..2], None)), Ok("a".to_owned()));
    assert_eq!(name(choose_deployment(&both, Some("b"))), Ok("b".to_owned()));
    // An image of one's own is taken by name only.
    assert_eq!(name(choose_deployment(&both, Some("web"))), Ok("web".to_owned()));
    assert!(choose_deployment(&both, None).unwrap_err().contains("a, b; name one"));
    assert!(
        choose_deployment(&[other], None)
            .unwrap_err()
            .starts_with("no Deployment runs")
    );
    assert!(
        choose_deployment(&both, Some("c"))
            .unwrap_err()
            .starts_with("deployment/c not found")
    );
}

#[test]
fn who_would_undo_it_is_named() {
    for (meta, manager) in [
        (json!({}), None),
        (
            json!({"annotations": {"meta.helm.sh/release-name": "nfs"}, "labels": {"app.kubernetes.io/managed-by": "Helm"}}),
            Some("Helm (release nfs)"),
        ),
        (
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}),
            Some("Argo CD"),
        ),
        (
            json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}),
            Some("Flux"),
        ),
        (
            json!({"labels": {"app.kubernetes.io/managed-by": "Ansible"}}),
            Some("Ansible"),
        ),
    ] {
        let deployment = deployment(|object| {
            for (key, value) in meta.as_object().unwrap() {
                object["metadata"][key] = value.clone();
            }
        });
        let found = Handover::from_deployment(&deployment, &[]).unwrap().managed_by;
        assert_eq!(found.as_deref(), manager, "{meta}");
    }
}

#[test]
fn the_test_claim_names_a_class_that_needs_nothing_else() {
    let late = |mut class: StorageClass| {
        class.volume_binding_mode = Some("WaitForFirstConsumer".to_owned());
        class
    };
    let mut foreign = class("foreign", json!({}));
    foreign.provisioner = "other/nfs".to_owned();
    let classes = [
        foreign,
        late(class("late", json!({}))),
        class("pattern", json!({"pathPattern": "${.PVC.annotations.path}"})),
        class("plain", json!({"archiveOnDelete": "false"})),
    ];
    let found = |classes: &[StorageClass]| {
        Handover::from_deployment(&deployment(|_| {}), classes)
            .unwrap()
            .test_class
    };
    assert_eq!(found(&classes[..3]), None);
    let plain = found(&classes).unwrap();
    assert_eq!((plain.name.as_str(), plain.leaves_directory), ("plain", false));
    for (parameters, leaves) in [
        (json!({}), true),
        (json!({"archiveOnDelete": "true"}), true),
        (json!({"onDelete": "delete", "archiveOnDelete": "true"}), false),
        (json!({"onDelete": "retain"}), true),
    ] {
        let found = found(&[class("c", parameters.clone())]).unwrap();
        assert_eq!(found.leaves_directory, leaves, "{parameters}");
    }
}

#[test]
fn the_plan_names_each_object_and_never_has_two_serve() {
    let classes = [class("c", json!({"onDelete": "delete"}))];
    let handover = Handover::from_deployment(&deployment(|_| {}), &classes).unwrap();
    assert_eq!(
        handover.describe_steps(Direction::ToNfsprov, "nfsprov"),
        [
            "scale deployment/nfs-client-provisioner -n storage from 1 to 0, and wait until its pods have ended",
            "apply deployment/nfsprov -n storage, with its account and permissions; it serves fuseim.pri/ifs from \
             10.0.0.1:/nfsdata",
            "wait until deployment/nfsprov -n storage is available; if it is not, undo these steps",
            "create a claim of class c in storage, wait until it is Bound, and delete it",
        ]
    );
    let migrated = deployment(|object| {
        object["spec"]["replicas"] = 0.into();
        object["metadata"]["annotations"] = json!({REPLICAS_BEFORE: "3"});
    });
    let back = Handover::from_deployment(&migrated, &[]).unwrap();
    assert_eq!(
        back.describe_steps(Direction::ToUpstream, "nfsprov"),
        [
            "scale deployment/nfsprov -n storage to 0, wait until its pods have ended, and delete it with its account \
             and permissions",
            "scale deployment/nfs-client-provisioner -n storage to 3, and wait until it is available",
        ]
    );
    assert!(back.describe_steps(Direction::ToNfsprov, "nfsprov")[0].contains("is at 0 replicas"));
    // Scaled to 0 by hand, nothing says how many it had.
    let by_hand = deployment(|object| object["spec"]["replicas"] = 0.into());
    assert_eq!(
        Handover::from_deployment(&by_hand, &[]).unwrap().replicas_to_restore(),
        1
    );
}

#[test]
fn a_handover_that_failed_is_undone_to_what_was_before() {
    // nfsprov's Deployment existed before, the replicas of upstream's, what is said after the undo.
    for (ran_before, replicas, words) in rows! {
        (false, 2, "nfsprov did not take over, and deployment/nfs-client-provisioner runs as before"),
        (false, 0, "nfsprov did not take over, and deployment/nfs-client-provisioner stays at 0 replicas; \
                    migrate with --back starts it"),
        (true, 0, "deployment/ours is as it was before, and deployment/nfs-client-provisioner stays at 0 replicas"),
        (true, 2, "deployment/ours and deployment/nfs-client-provisioner are as they were before"),
    } {
        let handover = deployment(|object| object["spec"]["replicas"] = replicas.into());
        let handover = Handover::from_deployment(&handover, &[]).unwrap();
        assert_eq!(handover.describe_undone("ours", ran_before), words);
    }
}
