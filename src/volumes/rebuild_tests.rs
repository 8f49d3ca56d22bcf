use serde_json::{Value, json};

use super::*;
use crate::export::OwnerClaim;
use crate::provisioner::rules::record::parse;

fn export() -> Location {
    Location {
        server: "nfs".into(),
        path: "/nfsdata".into(),
    }
}

/// The PV `name` of the claim `data` of the namespace `team`, in `directory`.
fn volume(name: &str, directory: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"},
                 "claimRef": {"namespace": "team", "name": "data"},
                 "nfs": {"server": "nfs", "path": format!("/nfsdata/{directory}")},
                 "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "managed"},
    })
}

/// The PV `name` of csi-driver-nfs in `directory`.
fn csi_volume(name: &str, directory: &str) -> PersistentVolume {
    let attributes = json!({"server": "nfs", "share": "/nfsdata", "subdir": directory});
    let csi = json!({"driver": "nfs.csi.k8s.io", "volumeHandle": name, "volumeAttributes": attributes});
    object(json!({"metadata": {"name": name}, "spec": {"csi": csi}}))
}

fn claim(name: &str, volume: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": "team", "name": name},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}},
                 "storageClassName": "managed", "volumeName": volume},
    })
}

/// The record of the PV `name` in `directory`, of the claim `claim_name`.
fn record(name: &str, directory: &str, claim_name: &str) -> (String, Result<Record, String>) {
    let mut volume = volume(name, directory);
    volume["spec"]["claimRef"]["name"] = json!(claim_name);
    let text = format!("{volume}\n---\n{}\n", claim(claim_name, name));
    let record = parse(name, text.as_bytes(), &export());
    assert!(record.is_ok(), "{record:?}");
    (name.to_owned(), record)
}

fn path(text: &str) -> VolumePath {
    VolumePath::parse(text).unwrap()
}

/// An export with the record of the PV `v` in `team-data`, and a cluster without anything but its namespace.
fn facts() -> Facts {
    Facts {
        location: export(),
        former_server: None,
        servers: ServerNames::known(["nfs", "10.0.0.5"]),
        moved: BTreeSet::new(),
        records: vec![record("v", "team-data", "data")],
        directories: [path("team-data")].into(),
        markers: Vec::new(),
        volumes: Vec::new(),
        claims: Vec::new(),
        namespaces: ["team".to_owned()].into(),
    }
}

fn object<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

/// `object` with what `pointer` names replaced.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    object
}

/// The action of the PV `v`'s record, and what is said of it.
fn told(facts: &Facts, selection: &Selection) -> (Action, String) {
    let rows = plan_rebuild(facts, selection);
    let row = rows.iter().find(|row| row.volume == "v").expect("a row");
    (row.action, row.why.clone())
}

#[test]
fn what_is_missing_is_created_and_what_differs_is_a_conflict() {
    use Action::{Conflict, Create, Exists};
    let bound = || vec![object(volume("v", "team-data"))];
    let of_claim = |pointer: &str, value: Value| vec![object(with(claim("data", "v"), pointer, value))];
    let of_volume = |pointer: &str, value: Value| vec![object(with(volume("v", "team-data"), pointer, value))];
    let deleted = json!("2026-01-01T00:00:00Z");
    for (volumes, claims, action, words) in [
        (vec![], vec![], Create, "PV, claim"),
        (bound(), vec![], Create, "claim"),
        (vec![], of_claim("/metadata/name", json!("data")), Create, "PV"),
        (vec![], of_claim("/spec/volumeName", json!("")), Create, "PV"),
        (bound(), of_claim("/spec/volumeName", json!("v")), Exists, ""),
        (
            vec![],
            of_claim("/spec/volumeName", json!("other")),
            Conflict,
            "pvc/data -n team has the volume other",
        ),
        (
            vec![],
            of_claim("/metadata/deletionTimestamp", deleted.clone()),
            Conflict,
            "pvc/data -n team is being deleted",
        ),
        (
            vec![],
            vec![object(with(
                with(claim("data", ""), "/spec/storageClassName", json!("other")),
                "/spec/volumeName",
                json!(null),
            ))],
            Conflict,
            "has another class",
        ),
        (
            vec![],
            vec![object(with(
                claim("data", ""),
                "/spec/resources/requests/storage",
                json!("2Gi"),
            ))],
            Conflict,
            "requests more than the volume has",
        ),
        (
            of_volume("/metadata/deletionTimestamp", deleted),
            vec![],
            Conflict,
            "pv/v is being deleted",
        ),
        (
            of_volume("/spec/nfs/path", json!("/nfsdata/other")),
            vec![],
            Conflict,
            "pv/v is another volume",
        ),
        (
            of_volume("/spec/nfs", json!(null)),
            vec![],
            Conflict,
            "pv/v is another volume",
        ),
        (
            of_volume("/spec/claimRef/name", json!("other")),
            vec![],
            Conflict,
            "pv/v has another claim, or none",
        ),
        (
            of_volume("/spec/claimRef", json!(null)),
            vec![],
            Conflict,
            "pv/v has another claim, or none",
        ),
        (
            vec![object(volume("other", "team-data"))],
            vec![],
            Conflict,
            "the directory of pv/other",
        ),
        (
            vec![object(volume("other", "team-data/inner"))],
            vec![],
            Conflict,
            "the directory of pv/other",
        ),
        (
            vec![csi_volume("other", "team-data/inner")],
            vec![],
            Conflict,
            "the directory of pv/other",
        ),
        (
            vec![object(volume("other", "/team-data/x//.."))],
            vec![],
            Conflict,
            "the directory of pv/other",
        ),
        (
            vec![object(with(
                volume("other", "team-data"),
                "/spec/nfs/server",
                json!("10.0.0.5"),
            ))],
            vec![],
            Conflict,
            "the directory of pv/other",
        ),
        // The whole export held the recorded volume before, too.
        (vec![object(volume("other", ""))], vec![], Create, "PV, claim"),
        (
            vec![csi_volume("v", "team-data")],
            vec![],
            Conflict,
            "pv/v is another volume",
        ),
        (
            vec![object(volume("other", "team-data-2"))],
            vec![],
            Create,
            "PV, claim",
        ),
    ] {
        let facts = Facts {
            volumes,
            claims,
            ..facts()
        };
        let (found, why) = told(&facts, &Selection::default());
        assert!(found == action && why.contains(words), "{words:?}: {found:?} {why}");
    }
}

#[test]
fn a_moved_record_says_so_and_volumes_of_the_former_server_count() {
    let at_former =
        |name: &str, directory: &str| object(with(volume(name, directory), "/spec/nfs/server", json!("former")));
    let moved = Facts {
        former_server: Some("former".to_owned()),
        moved: ["v".to_owned()].into(),
        ..facts()
    };
    for (volumes, former_server, action, words) in [
        (
            vec![],
            Some("former"),
            Action::Create,
            "PV, claim; server former becomes nfs",
        ),
        (
            vec![object(volume("v", "team-data"))],
            Some("former"),
            Action::Create,
            "claim",
        ),
        (
            vec![at_former("v", "team-data")],
            Some("former"),
            Action::Conflict,
            "pv/v is another volume, at former:/nfsdata/team-data",
        ),
        (
            vec![at_former("other", "team-data/inner")],
            Some("former"),
            Action::Conflict,
            "team-data is at, above or below the directory of pv/other",
        ),
        (
            vec![at_former("other", "team-data/inner")],
            None,
            Action::Create,
            "PV, claim",
        ),
    ] {
        let facts = Facts {
            volumes,
            former_server: former_server.map(str::to_owned),
            servers: ServerNames::known(["nfs"].into_iter().chain(former_server)),
            ..moved.clone()
        };
        assert_eq!(told(&facts, &Selection::default()), (action, words.to_owned()));
    }
}

#[test]
fn records_that_contradict_each_other_are_conflicts() {
    for (other, directory, claim_name, words) in [
        ("w", "team-data", "other", "the directory of pv/w"),
        ("w", "team-data/inner", "other", "the directory of pv/w"),
        ("w", "elsewhere", "data", "the record of pv/w names the same claim"),
    ] {
        let mut facts = facts();
        facts.records.push(record(other, directory, claim_name));
        facts.directories.insert(path(directory));
        let rows = plan_rebuild(&facts, &Selection::default());
        let told: Vec<_> = rows.iter().map(|row| row.action).collect();
        assert_eq!(told, [Action::Conflict, Action::Conflict], "{rows:?}");
        assert!(rows.iter().any(|row| row.why.contains(words)), "{rows:?}");
    }
}

#[test]
fn a_record_needs_its_directory_and_its_namespace() {
    let deleted = Facts {
        directories: BTreeSet::new(),
        ..facts()
    };
    assert_eq!(
        told(&deleted, &Selection::default()),
        (Action::Conflict, "directory team-data is not on the export".to_owned())
    );
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    let (name, directory) = (format!("pvc-{uid}"), format!("team-data-pvc-{uid}"));
    let archived = Facts {
        records: vec![record(&name, &directory, "data")],
        directories: [path(&format!("archived-{directory}"))].into(),
        ..facts()
    };
    let rows = plan_rebuild(&archived, &Selection::default());
    assert_eq!(rows[0].action, Action::Archived, "{rows:?}");

    let homeless = Facts {
        namespaces: BTreeSet::new(),
        ..facts()
    };
    let (action, why) = told(&homeless, &Selection::default());
    assert!(
        action == Action::Conflict && why.contains("--create-namespaces"),
        "{why}"
    );
    let selection = Selection {
        create_namespaces: true,
        ..Selection::default()
    };
    assert_eq!(
        told(&homeless, &selection),
        (Action::Create, "namespace, PV, claim".to_owned())
    );
}

/// A claim was deleted, and one of the same name created: the record of the first stays with its archive, or with the
/// directory that the second got.
#[test]
fn the_record_of_a_deleted_volume_does_not_block_another_claim() {
    let (old, new) = (
        "0b510b51-0b51-0b51-0b51-0b510b510b51",
        "0b510b51-0b51-0b51-0b51-0b510b510b52",
    );
    let default = |uid: &str| format!("team-data-pvc-{uid}");
    let volume = |uid: &str| format!("pvc-{uid}");
    let archived = Facts {
        records: vec![
            record(&volume(old), &default(old), "data"),
            record(&volume(new), &default(new), "data"),
        ],
        directories: [path(&format!("archived-{}", default(old))), path(&default(new))].into(),
        ..facts()
    };
    let marked = |directories: &[&str]| Facts {
        records: vec![
            record(&volume(old), "team/data", "data"),
            record(&volume(new), "team/data", "data"),
        ],
        directories: directories.iter().map(|directory| path(directory)).collect(),
        markers: vec![(path("team/data"), Owner::with_uid(new))],
        ..facts()
    };
    let archive = format!("archived-team-data-{}", volume(old));
    for (facts, former) in [
        (archived, Action::Archived),
        (marked(&["team/data", &archive]), Action::Archived),
        (marked(&["team/data"]), Action::Outdated),
    ] {
        let rows = plan_rebuild(&facts, &Selection::default());
        let action = |uid: &str| rows.iter().find(|row| row.volume == volume(uid)).map(|row| row.action);
        assert_eq!(
            (action(new), action(old)),
            (Some(Action::Create), Some(former)),
            "{rows:?}"
        );
    }
}

/// A record that gives a tenant the directory of another is only used when its claim is named.
#[test]
fn a_directory_of_another_claim_is_only_given_away_by_name() {
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    let (name, directory) = (format!("pvc-{uid}"), format!("victim-data-pvc-{uid}"));
    let by_name = Facts {
        records: vec![record(&name, &directory, "data")],
        directories: [path(&directory)].into(),
        ..facts()
    };
    let owner = |namespace: &str| Owner {
        uid: uid.to_owned(),
        claim: Some(OwnerClaim {
            class_uid: "k".to_owned(),
            namespace: namespace.to_owned(),
            name: "data".to_owned(),
        }),
    };
    let by_marker = |namespace: &str| Facts {
        markers: vec![(path("team-data"), owner(namespace))],
        ..facts()
    };
    let named = Selection {
        claim: Some(("team".to_owned(), "data".to_owned())),
        ..Selection::default()
    };
    for (facts, action) in [
        (by_name, Action::Refused),
        (by_marker("victim"), Action::Refused),
        (by_marker("team"), Action::Create),
    ] {
        let rows = plan_rebuild(&facts, &Selection::default());
        assert_eq!(rows[0].action, action, "{rows:?}");
        assert!(
            action == Action::Create || rows[0].why.contains("--claim team/data"),
            "{rows:?}"
        );
        assert_eq!(plan_rebuild(&facts, &named)[0].action, Action::Create);
    }
}

#[test]
fn a_selection_leaves_out_what_is_not_wanted() {
    let mut facts = facts();
    facts.records.push(("bad".to_owned(), Err("it is not YAML".to_owned())));
    facts
        .directories
        .insert(path("team-old-pvc-0b510b51-0b51-0b51-0b51-0b510b510b52"));
    let actions = |selection: &Selection| -> Vec<Action> {
        plan_rebuild(&facts, selection).iter().map(|row| row.action).collect()
    };
    assert_eq!(
        actions(&Selection::default()),
        [Action::Create, Action::Refused, Action::Candidate]
    );
    let namespace = |name: &str| Selection {
        namespace: Some(name.to_owned()),
        ..Selection::default()
    };
    assert_eq!(actions(&namespace("team")), [Action::Create]);
    assert!(actions(&namespace("other")).is_empty());
}

#[test]
fn what_is_created_is_what_kubectl_would_apply() {
    let rows = plan_rebuild(&facts(), &Selection::default());
    let text = rows[0].creation.to_manifests();
    assert!(parse("v", text.as_bytes(), &export()).is_ok(), "{text}");
    let exists = Creation::default();
    assert_eq!(exists.to_manifests(), "");
}

/// A whole export, as after the loss of a cluster, takes no time worth mentioning.
#[test]
fn many_records_are_planned_without_comparing_each_with_each() {
    let records: Vec<_> = (0..5_000)
        .map(|number| record(&format!("v{number}"), &format!("team/d{number}"), &format!("c{number}")))
        .collect();
    let facts = Facts {
        directories: (0..5_000).map(|number| path(&format!("team/d{number}"))).collect(),
        records,
        ..facts()
    };
    let begun = std::time::Instant::now();
    let rows = plan_rebuild(&facts, &Selection::default());
    assert_eq!(rows.iter().filter(|row| row.action == Action::Create).count(), 5_000);
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
