use serde_json::json;

use super::*;
use crate::export::OwnerClaim;
use crate::provisioner::rules::record::parse;

const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

fn facts() -> Facts {
    Facts {
        location: Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        },
        servers: ServerNames::known(["nfs", "former"]),
        volumes: Vec::new(),
        markers: Vec::new(),
        records: Vec::new(),
    }
}

fn path(text: &str) -> VolumePath {
    VolumePath::parse(text).unwrap()
}

/// The PV's name, or why the directory can't be adopted for the claim `data` of the namespace `team`.
fn adopted_as(directory: &str, facts: &Facts) -> Result<String, String> {
    plan_adoption(&path(directory), ("team", "data"), facts).map(|adoption| adoption.reuse.volume)
}

#[test]
fn a_directory_gets_a_name_that_says_what_it_was() {
    for (directory, wanted) in [
        ("old data", Ok("adopted-old-data")),
        ("a/B/c", Ok("adopted-a-b-c")),
        (
            "team-data-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
            Ok("pvc-0b510b51-0b51-0b51-0b51-0b510b510b51"),
        ),
        ("archived-team/test-a", Ok("adopted-archived-team-test-a")),
        ("archived-team", Ok("adopted-archived-team")),
        (
            "archived-team-data-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
            Err("volumes restore"),
        ),
        (".nfsprov/owners", Err(".nfsprov is no directory of a volume")),
        ("a/.snapshot/b", Err(".snapshot is no directory of a volume")),
        ("@eaDir", Err("@eaDir is no directory of a volume")),
    ] {
        match (adopted_as(directory, &facts()), wanted) {
            (Ok(name), Ok(wanted)) => assert_eq!(name, wanted),
            (Err(why), Err(wanted)) => assert!(why.contains(wanted), "{why}"),
            (found, _) => panic!("{directory}: {found:?}"),
        }
    }
}

#[test]
fn a_directory_that_another_volume_has_is_refused() {
    for (server, at, free) in [
        ("nfs", "/nfsdata/d", false),
        ("nfs", "/nfsdata/d/inner", false),
        ("nfs", "/nfsdata", false),
        ("nfs", "/nfsdata/other", true),
        ("nfs", "/", false),
        ("nfs", "//nfsdata/./d/", false),
        ("former", "/nfsdata/d", false),
        ("another", "/nfsdata/d", true),
    ] {
        let volume = json!({"metadata": {"name": "v"}, "spec": {"nfs": {"server": server, "path": at}}});
        let mut facts = facts();
        facts.volumes = vec![serde_json::from_value(volume).unwrap()];
        assert_eq!(adopted_as("d", &facts).is_ok(), free, "{server}:{at}");
    }
    for (share, subdir, free) in [
        ("/nfsdata", "d", false),
        ("/nfsdata/d", "inner", false),
        ("/nfsdata", "other", true),
    ] {
        let attributes = json!({"server": "nfs", "share": share, "subdir": subdir});
        let csi = json!({"driver": "nfs.csi.k8s.io", "volumeHandle": "h", "volumeAttributes": attributes});
        let volume = json!({"metadata": {"name": "v"}, "spec": {"csi": csi}});
        let mut facts = facts();
        facts.volumes = vec![serde_json::from_value(volume).unwrap()];
        assert_eq!(adopted_as("d", &facts).is_ok(), free, "{share} {subdir}");
    }
    let taken = json!({"metadata": {"name": "adopted-d"}, "spec": {"hostPath": {"path": "/"}}});
    let mut facts = facts();
    facts.volumes = vec![serde_json::from_value(taken).unwrap()];
    assert!(adopted_as("d", &facts).unwrap_err().contains("already exists"));
}

/// A claim that is created again may have the directory that its predecessor left.
#[test]
fn a_marker_or_record_of_the_same_claim_is_no_obstacle() {
    for (marked, namespace, wanted) in [
        ("d", "team", Ok(format!("pvc-{UID}"))),
        ("d", "other", Err("belongs to pvc/data -n other")),
        ("d/inner", "team", Err("d/inner belongs to")),
        ("e", "other", Ok("adopted-d".to_owned())),
    ] {
        let owner = Owner {
            uid: UID.to_owned(),
            claim: Some(OwnerClaim {
                class_uid: "k".to_owned(),
                namespace: namespace.to_owned(),
                name: "data".to_owned(),
            }),
        };
        let mut facts = facts();
        facts.markers = vec![(path(marked), owner)];
        match (adopted_as("d", &facts), wanted) {
            (Err(why), Err(wanted)) => assert!(why.contains(wanted), "{why}"),
            (found, wanted) => assert_eq!(found.ok(), wanted.ok()),
        }
    }
    for (recorded, namespace, is_free) in [("d", "team", true), ("d", "other", false), ("d/inner", "team", false)] {
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "old"},
            "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"},
                     "claimRef": {"namespace": namespace, "name": "data"},
                     "nfs": {"server": "nfs", "path": format!("/nfsdata/{recorded}")},
                     "persistentVolumeReclaimPolicy": "Retain"},
        });
        let mut facts = facts();
        facts.records = vec![parse("old", volume.to_string().as_bytes(), &facts.location).unwrap()];
        let adopted = plan_adoption(&path("d"), ("team", "data"), &facts);
        assert_eq!(adopted.is_ok(), is_free, "{adopted:?}");
        if let Ok(adoption) = adopted {
            assert!(adoption.reuse.volume == "old" && adoption.record.is_some());
        }
    }
}
