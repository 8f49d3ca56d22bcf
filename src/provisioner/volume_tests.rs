//! The PV and its end as tables of facts.

use serde_json::{Value, json};

use super::*;
use crate::export::Attributes;

const OURS: &str = "nfsprov/nfs";

fn export() -> Location {
    Location {
        server: "10.77.0.10".into(),
        path: "/nfsdata".into(),
    }
}

fn settings(reclaim_policy: &str) -> Settings {
    Settings {
        on_delete: OnDelete::Archive,
        attributes: Attributes::mode(0o777),
        path_pattern: None,
        reclaim_policy: reclaim_policy.into(),
        mount_options: vec!["nfsvers=4.1".into()],
        unknown: vec![],
    }
}

fn claim(name: &str) -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": "0b510b51-0b51-0b51-0b51-0b510b510b51", "resourceVersion": "7"},
        "spec": {"storageClassName": "nfs", "accessModes": ["ReadWriteOnce"],
                 "resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem"},
    }))
    .unwrap()
}

#[test]
fn the_volume_is_the_one_that_existing_provisioners_make() {
    let plan = plan(&claim("www-web-0"), &settings("Delete"), &export(), OURS).unwrap();
    assert_eq!(
        plan.directory.to_string(),
        "default-www-web-0-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51"
    );
    assert_eq!(
        serde_json::to_value(&plan.volume).unwrap(),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {
                "name": "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
                "annotations": {
                    "pv.kubernetes.io/provisioned-by": OURS,
                    "nfsprov/directory": "default-www-web-0-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
                    "nfsprov/on-delete": "archive",
                },
                "finalizers": ["external-provisioner.volume.kubernetes.io/finalizer"],
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default",
                             "name": "www-web-0", "uid": "0b510b51-0b51-0b51-0b51-0b510b510b51", "resourceVersion": "7"},
                "mountOptions": ["nfsvers=4.1"],
                "nfs": {"server": "10.77.0.10", "path": "/nfsdata/default-www-web-0-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51", "readOnly": false},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "nfs",
                "volumeMode": "Filesystem",
            },
        })
    );
}

#[test]
fn a_retained_volume_is_not_held_back() {
    let plan = plan(&claim("c"), &settings("Retain"), &export(), OURS).unwrap();
    assert_eq!(plan.volume.metadata.finalizers, None);
}

#[test]
fn a_claim_whose_names_make_no_directory_is_refused() {
    let error = plan(&claim(&"n".repeat(253)), &settings("Delete"), &export(), OURS).unwrap_err();
    assert!(error.contains("255"), "{error}");
}

fn volume(change: &[(&str, Value)]) -> PersistentVolume {
    let mut volume = json!({
        "metadata": {"name": "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51", "annotations": {PROVISIONED_BY: OURS, ON_DELETE: "archive"},
                     "finalizers": ["kubernetes.io/pv-protection", FINALIZER]},
        "spec": {"persistentVolumeReclaimPolicy": "Delete", "claimRef": {"namespace": "default"},
                 "nfs": {"server": "10.77.0.10", "path": "/nfsdata/default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51"}},
        "status": {"phase": "Released"},
    });
    for (pointer, value) in change {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = volume.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.insert(key.replace("~1", "/"), value.clone());
    }
    serde_json::from_value(volume).unwrap()
}

#[test]
fn a_volume_goes_only_when_its_claim_is_gone_and_its_policy_says_so() {
    let deleted = ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    let policy = |word: &str| ("/spec/persistentVolumeReclaimPolicy", json!(word));
    let phase = |word: &str| ("/status/phase", json!(word));
    let on_delete = |word: &str| ("/metadata/annotations/nfsprov~1on-delete", json!(word));
    let path = |path: &str| ("/spec/nfs/path", json!(path));
    for (change, verdict) in [
        (vec![], "archive default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51"),
        (
            vec![on_delete("delete")],
            "delete default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (
            vec![on_delete("retain")],
            "retain default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (
            vec![on_delete("garbage")],
            "archive default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (vec![phase("Bound")], "leave"),
        (vec![phase("Available")], "leave"),
        (vec![policy("Retain")], "leave"),
        (vec![("/metadata/annotations", json!({}))], "leave"),
        (
            vec![("/metadata/annotations", json!({PROVISIONED_BY: "other"}))],
            "leave",
        ),
        (
            vec![deleted.clone()],
            "archive default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (vec![deleted.clone(), phase("Bound")], "leave"),
        (
            vec![deleted.clone(), phase("Available")],
            "archive default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (vec![deleted.clone(), policy("Retain")], "let go"),
        (
            vec![
                deleted,
                ("/metadata/finalizers", json!(["kubernetes.io/pv-protection"])),
            ],
            "leave",
        ),
        (vec![("/spec/nfs/server", json!("elsewhere"))], "refuse"),
        (vec![path("/nfsdata")], "refuse"),
        (vec![path("/etc/pvc-0b510b51-0b51-0b51-0b51-0b510b510b51")], "refuse"),
        (
            vec![path("/nfsdata/../etc/pvc-0b510b51-0b51-0b51-0b51-0b510b510b51")],
            "refuse",
        ),
        (
            vec![path("/nfsdata/team/data")],
            "archive team/data of 0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (
            vec![
                path("/nfsdata/team/data"),
                ("/metadata/annotations", json!({PROVISIONED_BY: OURS})),
            ],
            "refuse",
        ),
        (
            vec![path("/nfsdata/team/data"), ("/metadata/name", json!("by-hand"))],
            "refuse",
        ),
        (
            vec![path("/nfsdata/team/default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51")],
            "archive team/default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51 of 0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
    ] {
        let found = match disposal(&volume(&change), &export(), OURS) {
            Disposal::Leave => "leave".to_owned(),
            Disposal::LetGo => "let go".to_owned(),
            Disposal::Refuse(_) => "refuse".to_owned(),
            Disposal::Directory {
                directory,
                on_delete,
                owner,
            } => {
                let owner = owner.map(|uid| format!(" of {uid}")).unwrap_or_default();
                format!("{} {directory}{owner}", on_delete.as_str())
            }
        };
        assert_eq!(found, verdict, "{change:?}");
    }
}

#[test]
fn a_pattern_names_the_directory_and_then_a_marker_is_needed() {
    let mut settings = settings("Delete");
    settings.path_pattern = Some("${.PVC.namespace}/${.PVC.name}".into());
    let named = plan(&claim("data"), &settings, &export(), OURS).unwrap();
    assert_eq!(named.directory.to_string(), "default/data");
    assert!(named.needs_marker);
    assert_eq!(named.volume.spec.unwrap().nfs.unwrap().path, "/nfsdata/default/data");
    settings.path_pattern = Some("${.PVC.labels.missing}".into());
    assert!(plan(&claim("data"), &settings, &export(), OURS).is_err());
}

#[test]
fn archives_lie_in_the_root_and_never_meet() {
    for (directory, archive) in [
        (
            "default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
            "archived-default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (
            "team/data",
            "archived-team-data-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        (
            "team/data",
            "archived-team-data-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
    ] {
        let directory = VolumePath::parse(directory).unwrap();
        assert_eq!(
            archive_of(&directory, "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51")
                .unwrap()
                .to_string(),
            archive
        );
    }
}
