//! The PV and its end as tables of facts.

use serde_json::{Value, json};

use super::*;
use crate::export::Attributes;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

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
        location: export(),
        attributes: Attributes::with_mode(0o777),
        path_pattern: None,
        on_existing: Default::default(),
        enforces_quota: false,
        reclaim_policy: reclaim_policy.into(),
        mount_options: vec!["nfsvers=4.1".into()],
        unknown: vec![],
        without_effect: vec![],
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
fn only_a_volume_with_an_enforced_size_has_a_limit() {
    for (enforces_quota, size, limit, annotation) in [
        (false, "0", Ok(None), None),
        (true, "10Mi", Ok(Some(10 << 20)), Some("enforce")),
        (true, "1.5Ki", Ok(Some(1536)), Some("enforce")),
        (true, "0", Err("a size of 0"), None),
        (true, "1Zi", Err("no number of bytes"), None),
        (true, "-1", Err("no number of bytes"), None),
    ] {
        let settings = Settings {
            enforces_quota,
            ..settings("Delete")
        };
        let mut claim = claim("c");
        let size_of = |claim: &mut PersistentVolumeClaim| {
            let requests = claim.spec.as_mut()?.resources.as_mut()?.requests.as_mut()?;
            requests.insert("storage".to_owned(), Quantity(size.to_owned()))
        };
        assert!(size_of(&mut claim).is_some());
        match (plan_volume(&claim, &settings, OURS), limit) {
            (Ok(plan), Ok(bytes)) => {
                let uid = claim.metadata.uid.as_deref().unwrap();
                assert_eq!(
                    plan.limit,
                    bytes.map(|bytes| SizeLimit::new(bytes, uid).unwrap()),
                    "{size}"
                );
                let annotations = plan.volume.metadata.annotations.unwrap();
                assert_eq!(annotations.get(QUOTA).map(String::as_str), annotation, "{size}");
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, _) => panic!("{size}: {found:?}"),
        }
    }
}

#[test]
fn the_volume_is_the_one_that_existing_provisioners_make() {
    let plan = plan_volume(&claim("www-web-0"), &settings("Delete"), OURS).unwrap();
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
fn a_retained_volume_has_no_finalizer_of_ours() {
    let plan = plan_volume(&claim("c"), &settings("Retain"), OURS).unwrap();
    assert_eq!(plan.volume.metadata.finalizers, None);
}

#[test]
fn only_a_claim_for_nothing_but_reading_gets_a_read_only_volume() {
    for (modes, is_read_only) in [
        (&["ReadOnlyMany"][..], true),
        (&["ReadOnlyMany", "ReadWriteOnce"], false),
        (&["ReadWriteMany"], false),
        (&[], false),
    ] {
        let mut claim = claim("c");
        claim.spec.as_mut().unwrap().access_modes = Some(modes.iter().map(|mode| (*mode).to_owned()).collect());
        let plan = plan_volume(&claim, &settings("Delete"), OURS).unwrap();
        let nfs = plan.volume.spec.unwrap().nfs.unwrap();
        assert_eq!(nfs.read_only, Some(is_read_only), "{modes:?}");
    }
}

/// As an earlier version made it.
#[test]
fn a_volume_with_the_former_finalizer_is_ours_to_do_in_any_phase() {
    let former = || {
        (
            "/metadata/finalizers",
            json!(["kubernetes.io/pv-protection", FORMER_FINALIZER]),
        )
    };
    for phase in ["Bound", "Available", "Released"] {
        let change = [former(), ("/status/phase", json!(phase))];
        assert!(may_need_deletion(&volume(&change), OURS, None), "{phase}");
        let theirs = [
            former(),
            ("/metadata/annotations", json!({PROVISIONED_BY: "other"})),
            ("/status/phase", json!(phase)),
        ];
        assert!(!may_need_deletion(&volume(&theirs), OURS, None), "{phase}");
    }
    assert!(!may_need_deletion(
        &volume(&[("/status/phase", json!("Bound"))]),
        OURS,
        None
    ));
}

#[test]
fn a_claim_whose_names_make_no_directory_is_refused() {
    let error = plan_volume(&claim(&"n".repeat(253)), &settings("Delete"), OURS).unwrap_err();
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
        (vec![deleted.clone(), policy("Retain")], "remove the finalizer"),
        (
            vec![
                deleted.clone(),
                policy("Retain"),
                ("/spec/nfs/server", json!("elsewhere")),
            ],
            "remove the finalizer",
        ),
        (
            vec![
                deleted,
                ("/metadata/finalizers", json!(["kubernetes.io/pv-protection"])),
            ],
            "leave",
        ),
        (vec![("/spec/nfs/server", json!("elsewhere"))], "refuse"),
        (
            vec![path("/fast/team/data")],
            "archive /fastteam/data of 0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
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
        let served = [
            Location {
                server: "10.77.0.10".into(),
                path: "/fast".into(),
            },
            export(),
        ];
        let found = match plan_deletion(&volume(&change), &served, None, OURS) {
            DeletionPlan::NothingToDo => "leave".to_owned(),
            DeletionPlan::RemoveFinalizer => "remove the finalizer".to_owned(),
            DeletionPlan::Refuse(_) => "refuse".to_owned(),
            DeletionPlan::Directory {
                directory,
                location,
                on_delete,
                owner_check,
            } => {
                let owner_check = match owner_check {
                    OwnerCheck::Name => String::new(),
                    OwnerCheck::Marker(uid) => format!(" of {uid}"),
                    OwnerCheck::NoMarker => " if unmarked".to_owned(),
                };
                let place = if location == export() {
                    ""
                } else {
                    location.path.as_str()
                };
                format!("{} {place}{directory}{owner_check}", on_delete.as_str())
            }
        };
        assert_eq!(found, verdict, "{change:?}");
    }
}

/// PVs of nfs-subdir-external-provisioner have no record of ours, and their class says what becomes of them.
#[test]
fn a_volume_without_a_record_goes_as_its_class_says_now() {
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    let class = |parameters: Value| -> StorageClass {
        serde_json::from_value(json!({"metadata": {"name": "nfs"}, "provisioner": OURS, "parameters": parameters}))
            .unwrap()
    };
    let bare = ("/metadata/annotations", json!({PROVISIONED_BY: OURS}));
    let claim = ("/spec/claimRef", json!({"namespace": "default", "uid": uid}));
    for (path, class, verdict) in [
        (None, Some(class(json!({}))), "archive by name"),
        (None, Some(class(json!({"archiveOnDelete": "false"}))), "delete by name"),
        (None, Some(class(json!({"onDelete": "retain"}))), "retain by name"),
        (None, Some(class(json!({"onDelete": "nonsense"}))), "archive by name"),
        (None, None, "archive by name"),
        (
            Some("/nfsdata/team/data"),
            Some(class(json!({"onDelete": "delete"}))),
            "delete if unmarked",
        ),
        (Some("/nfsdata/team/data/"), None, "archive if unmarked"),
        (Some("/nfsdata/"), None, "refuse"),
        (Some("/etc"), None, "refuse"),
    ] {
        let mut change = vec![bare.clone(), claim.clone()];
        change.extend(path.map(|text| ("/spec/nfs/path", json!(text))));
        let found = match plan_deletion(&volume(&change), &[export()], class.as_ref(), OURS) {
            DeletionPlan::Directory {
                on_delete, owner_check, ..
            } => match owner_check {
                OwnerCheck::Name => format!("{} by name", on_delete.as_str()),
                OwnerCheck::NoMarker => format!("{} if unmarked", on_delete.as_str()),
                OwnerCheck::Marker(_) => "marker".to_owned(),
            },
            DeletionPlan::Refuse(_) => "refuse".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(found, verdict, "{path:?} {class:?}");
    }
    // A name that does not contain the claim's uid proves nothing.
    let forged = [
        bare,
        ("/spec/nfs/path", json!("/nfsdata/team/data")),
        ("/spec/claimRef", json!({"uid": "another"})),
    ];
    let found = plan_deletion(&volume(&forged), &[export()], None, OURS);
    assert!(matches!(found, DeletionPlan::Refuse(_)), "{found:?}");
}

/// Whatever else is true of a volume, its data must be kept until its own directory is deleted or archived.
#[test]
fn a_directory_is_taken_only_when_it_is_deleted_or_archived() {
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    let class = |parameters: Value| -> StorageClass {
        serde_json::from_value(json!({"metadata": {"name": "nfs"}, "provisioner": OURS, "parameters": parameters}))
            .unwrap()
    };
    let terminating = || ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    let finalizers = |ours: &str| ("/metadata/finalizers", json!(["kubernetes.io/pv-protection", ours]));
    let annotations = |annotations: Value| ("/metadata/annotations", annotations);
    let phase = |word: &str| ("/status/phase", json!(word));
    let retained = || ("/spec/persistentVolumeReclaimPolicy", json!("Retain"));
    let kept = [None, None];
    let by_class = [Some(OnDelete::Delete), Some(OnDelete::Archive)];
    for (change, [class_deletes, class_archives]) in [
        (vec![], by_class),
        (vec![phase("Bound")], kept),
        (vec![retained()], kept),
        (vec![terminating(), phase("Bound")], kept),
        (vec![terminating(), phase("Bound"), finalizers(FINALIZER)], kept),
        (vec![terminating(), finalizers(FINALIZER)], by_class),
        (vec![terminating(), finalizers(FINALIZER), retained()], kept),
        // Deleted by hand, as nfs-subdir-external-provisioner left it: nothing is done about its directory.
        (vec![terminating()], kept),
        (vec![annotations(json!({PROVISIONED_BY: "other"}))], kept),
        (vec![annotations(json!({}))], kept),
        (
            vec![annotations(json!({PROVISIONED_BY: OURS, ON_DELETE: "delete"}))],
            [Some(OnDelete::Delete); 2],
        ),
        (
            vec![annotations(json!({PROVISIONED_BY: OURS, ON_DELETE: "retain"}))],
            kept,
        ),
        (vec![("/spec/claimRef", json!({"uid": "another"}))], kept),
        (vec![("/spec/nfs/server", json!("elsewhere"))], kept),
    ] {
        let mut facts = vec![
            annotations(json!({PROVISIONED_BY: OURS})),
            ("/metadata/finalizers", json!(["kubernetes.io/pv-protection"])),
            ("/spec/claimRef", json!({"namespace": "default", "uid": uid})),
            ("/spec/nfs/path", json!("/nfsdata/team/b")),
        ];
        facts.extend(change.clone());
        let mut cases = vec![
            (Some(json!({"archiveOnDelete": "false"})), class_deletes),
            (Some(json!({})), class_archives),
            (None, class_archives),
        ];
        if change.is_empty() {
            cases.push((Some(json!({"onDelete": "retain"})), None));
        }
        for (parameters, removal) in cases {
            let class = parameters.clone().map(class);
            let found = plan_deletion(&volume(&facts), &[export()], class.as_ref(), OURS).directory_removal();
            assert_eq!(found, removal, "{change:?} {parameters:?}");
        }
    }
}

#[test]
fn a_pattern_names_the_directory() {
    let mut settings = settings("Delete");
    settings.path_pattern = Some("${.PVC.namespace}/${.PVC.name}".into());
    let named = plan_volume(&claim("data"), &settings, OURS).unwrap();
    assert_eq!(named.directory.to_string(), "default/data");
    assert_eq!(named.volume.spec.unwrap().nfs.unwrap().path, "/nfsdata/default/data");
    settings.path_pattern = Some("${.PVC.labels.missing}".into());
    assert!(plan_volume(&claim("data"), &settings, OURS).is_err());
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
    ] {
        let directory = VolumePath::parse(directory).unwrap();
        assert_eq!(
            archive_path(&directory, "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51")
                .unwrap()
                .to_string(),
            archive
        );
    }
}
