use serde_json::{Value, json};

use super::*;

const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

fn row(directory: &str, state: State, changed: i64, bytes: Option<u64>) -> Row {
    Row {
        directory: directory.to_owned(),
        path: VolumePath::parse(directory).ok(),
        state,
        volume: Archive::parse(directory).and_then(|archive| archive.volume),
        claim: None,
        changed: Some(changed),
        quota: None,
        holds: bytes.map(|bytes| Holds::Data {
            bytes,
            files: 1,
            is_incomplete: false,
        }),
    }
}

#[test]
fn names_tell_what_an_archive_was() {
    let pvc = format!("pvc-{UID}");
    for (name, old, volume) in [
        (
            format!("archived-team-data-{pvc}"),
            Some(format!("team-data-{pvc}")),
            true,
        ),
        (
            format!("archived-team-data-{pvc}-20260131T235959Z"),
            Some(format!("team-data-{pvc}")),
            true,
        ),
        ("archived-team-data".to_owned(), Some("team-data".to_owned()), false),
        (
            "archived-20260131T235959Z".to_owned(),
            Some("20260131T235959Z".to_owned()),
            false,
        ),
        (
            "archived-x-20260131T235959Z".to_owned(),
            Some("x-20260131T235959Z".to_owned()),
            false,
        ),
        (
            format!("archived-team-data-{pvc}-2026"),
            Some(format!("team-data-{pvc}-2026")),
            false,
        ),
        ("archived-".to_owned(), None, false),
        (format!("team-data-{pvc}"), None, false),
        ("Archived-x".to_owned(), None, false),
    ] {
        let found = Archive::parse(&name);
        assert_eq!(found.as_ref().map(|archive| archive.old.clone()), old, "{name}");
        assert_eq!(
            found.and_then(|archive| archive.volume),
            volume.then(|| pvc.clone()),
            "{name}"
        );
    }
}

#[test]
fn only_provisioners_archives_go_and_the_oldest_first() {
    let archive = |number: u8, changed, bytes| {
        let name = format!("archived-team-{number}-pvc-0b510b51-0b51-0b51-0b51-0b510b510b5{number}");
        row(&name, State::Archived, changed, bytes)
    };
    let rows = [
        archive(1, 100, Some(10)),
        archive(2, 900, Some(20)),
        archive(3, 500, Some(40)),
        archive(4, 2_000, None),
        row("archived-by-hand", State::Archived, 0, Some(1_000)),
        row(&format!("team-x-pvc-{UID}"), State::Orphan, 0, Some(1_000)),
        Row {
            state: State::InUse,
            ..archive(5, 0, Some(1_000))
        },
    ];
    // At 1,000; the fourth is from a server whose clock is ahead.
    for (older_than, keep_total, wanted) in [
        (None, None, ""),
        (Some(1_000), None, ""),
        (Some(899), None, "1"),
        (Some(900), None, ""),
        (Some(400), None, "13"),
        (Some(0), None, "132"),
        (None, Some(70), ""),
        (None, Some(69), "1"),
        (None, Some(60), "1"),
        (None, Some(59), "13"),
        (None, Some(0), "132"),
        (Some(600), Some(20), "13"),
        (Some(600), Some(60), "1"),
    ] {
        let expiry = Expiry { older_than, keep_total };
        let selected = expired_archives(&rows, expiry, 1_000);
        let numbers: String = selected
            .iter()
            .map(|gone| &gone.row.directory["archived-team-".len()..][..1])
            .collect();
        assert_eq!(numbers, wanted, "{expiry:?}");
    }
    let selected = expired_archives(
        &rows,
        Expiry {
            older_than: Some(600),
            keep_total: Some(20),
        },
        1_000,
    );
    let told: Vec<_> = selected.iter().map(|gone| (gone.age, gone.why.as_str())).collect();
    assert_eq!(told, [(900, "older than 10m"), (500, "beyond 20 in total")]);
}

#[test]
fn an_archive_that_is_within_the_limits_by_now_has_not_failed() {
    let archive = |number: u8, changed, bytes| {
        let name = format!("archived-team-{number}-pvc-0b510b51-0b51-0b51-0b51-0b510b510b5{number}");
        row(&name, State::Archived, changed, Some(bytes))
    };
    let expiry = Expiry {
        keep_total: Some(50),
        ..Expiry::default()
    };
    let before = [archive(1, 100, 40), archive(2, 200, 40)];
    let shown = expired_archives(&before, expiry, 1_000);
    assert_eq!(shown.len(), 1);
    let path = before[0].path.as_ref().unwrap();
    for (now, wanted) in [
        (vec![archive(1, 100, 40), archive(2, 200, 40)], Recheck::Expired(path)),
        // The other one was removed or restored, or is smaller.
        (vec![archive(1, 100, 40)], Recheck::WithinLimits),
        (vec![archive(1, 100, 40), archive(2, 200, 10)], Recheck::WithinLimits),
        // It was written to, or removed.
        (vec![archive(1, 300, 40), archive(2, 200, 40)], Recheck::Changed),
        (vec![archive(2, 200, 40)], Recheck::Changed),
    ] {
        let expired = expired_archives(&now, expiry, 1_000);
        assert_eq!(recheck_expired(&shown[0], &now, &expired), wanted, "{now:?}");
    }
}

#[test]
fn an_archive_comes_back_under_its_old_name_where_that_is_free() {
    let pvc = format!("pvc-{UID}");
    let (old, archive) = (format!("team-data-{pvc}"), format!("archived-team-data-{pvc}"));
    let archived = |name: &str| row(name, State::Archived, 0, None);
    let orphan = |name: &str| row(name, State::Orphan, 0, None);
    // Asked for, what is there, PVs; the directory, the PV and whether there is something to rename, or words of the refusal.
    type Wanted = Result<(String, String, bool), &'static str>;
    let table: Vec<(&str, Vec<Row>, Vec<&str>, Wanted)> = vec![
        (
            &archive,
            vec![archived(&archive)],
            vec![],
            Ok((old.clone(), pvc.clone(), true)),
        ),
        (
            &old,
            vec![archived(&archive)],
            vec![],
            Ok((old.clone(), pvc.clone(), true)),
        ),
        (
            &archive,
            vec![archived(&archive), orphan(&old)],
            vec![],
            Ok((format!("restored-{old}"), pvc.clone(), true)),
        ),
        (
            &archive,
            vec![archived(&archive), orphan(&old), orphan(&format!("restored-{old}"))],
            vec![],
            Err("are both taken"),
        ),
        (
            &archive,
            vec![orphan(&old)],
            vec![],
            Ok((old.clone(), pvc.clone(), false)),
        ),
        (
            &archive,
            vec![row(&old, State::InUse, 0, None)],
            vec![],
            Err("not found on the export"),
        ),
        (&archive, vec![], vec![], Err("not found on the export")),
        ("team-data", vec![], vec![], Err("not found on the export")),
        (&archive, vec![archived(&archive)], vec![&pvc], Err("already exists")),
        (
            "archived-Team_Data",
            vec![archived("archived-Team_Data")],
            vec![],
            Ok(("Team_Data".to_owned(), "restored-team-data".to_owned(), true)),
        ),
        (
            "archived-team",
            vec![archived("archived-team"), row("team/data", State::InUse, 0, None)],
            vec![],
            Ok(("restored-team".to_owned(), "restored-team".to_owned(), true)),
        ),
    ];
    for (name, rows, volumes, wanted) in table {
        let volumes = volumes.into_iter().map(str::to_owned).collect();
        match (plan_restore(name, &rows, &volumes), wanted) {
            (Ok(found), Ok((directory, volume, renames))) => {
                let told = (
                    found.directory.to_string(),
                    found.volume.clone(),
                    found.archive.is_some(),
                );
                assert_eq!(told, (directory, volume, renames), "{name}");
                assert_eq!(
                    found.needs_marker,
                    !is_named_after(&found.directory, &found.volume),
                    "{name}"
                );
            }
            (Err(why), Err(words)) => assert!(why.contains(words), "{name}: {why}"),
            (found, wanted) => panic!("{name}: {found:?}, not {wanted:?}"),
        }
    }
}

fn claim(spec: Value) -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": {"namespace": "team", "name": "data", "uid": "u", "annotations": {"volume.beta.kubernetes.io/storage-class": "old"}},
        "spec": spec,
    }))
    .unwrap()
}

#[test]
fn a_claim_gets_it_that_has_none_and_asks_for_no_more() {
    let request = json!({"requests": {"storage": "10Gi"}});
    for (spec, size, wanted) in [
        (json!({"resources": request}), None, Ok("10Gi")),
        (json!({"resources": request, "volumeName": ""}), None, Ok("10Gi")),
        (
            json!({"resources": request, "volumeName": "back"}),
            Some("20Gi"),
            Ok("20Gi"),
        ),
        (
            json!({"resources": request, "volumeName": "other"}),
            None,
            Err("already has the volume other"),
        ),
        (json!({"resources": request}), Some("9Gi"), Err("is less than that")),
        (
            json!({"resources": {"requests": {"storage": "20E"}}}),
            Some("9Gi"),
            Err("is less than that"),
        ),
        (
            json!({"resources": request, "volumeMode": "Block"}),
            None,
            Err("block device"),
        ),
        (json!({}), None, Err("requests no storage size")),
    ] {
        match (volume_size_for_claim(&claim(spec.clone()), "back", size), wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found, wanted, "{spec}"),
            (Err(why), Err(words)) => assert!(why.contains(words), "{spec}: {why}"),
            (found, wanted) => panic!("{spec}: {found:?}, not {wanted:?}"),
        }
    }
}

#[test]
fn the_volume_is_that_claims_and_is_retained() {
    let reuse = ReusePlan {
        archive: None,
        directory: VolumePath::parse("team-data").unwrap(),
        volume: "back".into(),
        needs_marker: true,
    };
    let export = Location {
        server: "nfs".into(),
        path: "/nfsdata".into(),
    };
    let claim = claim(json!({"accessModes": ["ReadWriteMany"], "storageClassName": "new"}));
    let volume = volume_for_claim(&reuse, &claim, &export, "10Gi", Some(vec!["ro".into()]));
    assert_eq!(
        serde_json::to_value(volume).unwrap(),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": "back", "annotations": {"nfsprov/directory": "team-data"}},
            "spec": {
                "accessModes": ["ReadWriteMany"], "capacity": {"storage": "10Gi"}, "mountOptions": ["ro"],
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "team", "name": "data", "uid": "u"},
                "nfs": {"server": "nfs", "path": "/nfsdata/team-data", "readOnly": false},
                "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "old",
            },
        })
    );
}

/// csi-driver-nfs archives the volumes of a namespace to one directory.
#[test]
fn an_archive_of_several_volumes_is_told_by_what_it_holds() {
    let entry = |name: &str, kind| Entry {
        name: name.to_owned(),
        kind,
        bytes: 0,
        changed: 0,
    };
    let archive = VolumePath::parse("archived-default").unwrap();
    for (entries, is_several) in [
        (vec![], false),
        (vec![entry("a", Kind::Directory), entry("b", Kind::Directory)], true),
        (vec![entry("a", Kind::Directory), entry("file", Kind::Other)], false),
    ] {
        let why = refusal_of_several_volumes(&archive, &entries);
        assert_eq!(why.is_some(), is_several, "{entries:?}");
        assert!(why.is_none_or(|why| why.contains("adopt archived-default/a ")));
    }
    let volume = Archive::parse("archived-pvc-0ad8fba9-dcb2-4106-8887-c4968eb3afd6")
        .unwrap()
        .volume;
    assert_eq!(volume, None, "no nfsprov's: expire leaves it alone");
}
