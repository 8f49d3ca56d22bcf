use serde_json::json;

use super::*;
use crate::export::OwnerClaim;

const A: &str = "0b510b51-0b51-0b51-0b51-0b510b510b5a";
const B: &str = "0b510b51-0b51-0b51-0b51-0b510b510b5b";

fn volume(name: &str, path: &str, claim: &str) -> PersistentVolume {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"nfs": {"server": "nfs", "path": path}, "claimRef": {"namespace": "team", "name": claim, "uid": "u"}},
    }))
    .unwrap()
}

/// A PV of csi-driver-nfs.
fn csi_volume(name: &str, share: &str, subdir: &str) -> PersistentVolume {
    let attributes = json!({"server": "nfs", "share": share, "subdir": subdir});
    let csi = json!({"driver": "nfs.csi.k8s.io", "volumeHandle": name, "volumeAttributes": attributes});
    let claim = json!({"namespace": "team", "name": name});
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"csi": csi, "claimRef": claim}})).unwrap()
}

fn found(shown: &str) -> FoundDirectory {
    FoundDirectory {
        shown: shown.to_owned(),
        path: VolumePath::parse(shown).ok(),
        changed: 7,
    }
}

fn facts(volumes: &[PersistentVolume], directories: &[&str]) -> Facts {
    Facts {
        location: Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        },
        servers: ServerNames::known(["nfs", "10.0.0.5"]),
        volumes: volumes.to_vec(),
        found: directories.iter().map(|shown| found(shown)).collect(),
        markers: Vec::new(),
    }
}

/// `directory state volume claim`, a row a line.
fn told(facts: &Facts) -> Vec<String> {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |row: &Row| {
        format!(
            "{} {} {} {}",
            row.directory,
            row.state.as_str(),
            or(&row.volume),
            or(&row.claim)
        )
    };
    directory_rows(facts).iter().map(row).collect()
}

fn path(text: &str) -> VolumePath {
    VolumePath::parse(text).unwrap()
}

#[test]
fn each_directory_has_an_owner_or_is_an_orphan() {
    let (a, b) = (format!("pvc-{A}"), format!("pvc-{B}"));
    let volumes = [
        volume(&a, &format!("/nfsdata/team-a-{a}"), "a"),
        volume("hand", "/nfsdata/deep/er/data", "hand"),
        volume("second", "/nfsdata/deep/er/data/", "second"),
        volume("gone", "/nfsdata/deep/gone", "gone"),
        volume("elsewhere", "/srv/x", "x"),
    ];
    let facts = facts(
        &volumes,
        &[
            &format!("team-a-{a}"),
            &format!("team-b-{b}"),
            &format!("archived-team-c-{b}"),
            "archived-old",
            "by-hand",
            ".nfsprov",
            "deep",
            "deep/er",
            "deep/er/data",
            "deep/er/other",
            "line\nbreak",
        ],
    );
    let wanted = [
        "archived-old archived - -".to_owned(),
        format!("archived-team-c-{b} archived {b} -"),
        "by-hand orphan - -".to_owned(),
        "deep/er/data in use hand team/hand".to_owned(),
        "deep/er/data in use second team/second".to_owned(),
        "deep/er/other orphan - -".to_owned(),
        "deep/gone missing gone team/gone".to_owned(),
        "line\nbreak orphan - -".to_owned(),
        format!("team-a-{a} in use {a} team/a"),
        format!("team-b-{b} orphan {b} -"),
    ];
    assert_eq!(told(&facts), wanted);
}

#[test]
fn a_volume_that_is_the_whole_export_owns_what_no_provisioner_made() {
    let b = format!("pvc-{B}");
    let facts = facts(
        &[volume("mypv", "/nfsdata", "mypvc")],
        &["data", &format!("team-b-{b}"), "archived-old"],
    );
    assert_eq!(
        told(&facts),
        [
            ". in use mypv team/mypvc".to_owned(),
            "archived-old archived - -".to_owned(),
            format!("team-b-{b} orphan {b} -"),
        ]
    );
}

#[test]
fn a_volume_has_its_directory_however_its_server_and_path_are_written() {
    let at = |server: &str, path: &str| -> PersistentVolume {
        let nfs = json!({"server": server, "path": path});
        serde_json::from_value(json!({"metadata": {"name": "v"}, "spec": {"nfs": nfs}})).unwrap()
    };
    for (server, path, wanted) in [
        ("nfs", "//nfsdata//data/", "data in use v -"),
        ("nfs", "/nfsdata/x/../data", "data in use v -"),
        ("10.0.0.5", "/nfsdata/data", "data in use v -"),
        ("other", "/nfsdata/data", "data orphan - -"),
        // It mounts the export's parent.
        ("nfs", "/", ". in use v -"),
    ] {
        assert_eq!(
            told(&facts(&[at(server, path)], &["data"])),
            [wanted],
            "{server}:{path}"
        );
    }
}

/// A server whose name can't be resolved may be this one.
#[tokio::test]
async fn a_volume_on_an_unknown_server_protects_its_directory_and_is_not_missed() {
    let mut facts = facts(&[], &["data"]);
    for name in ["data", "gone"] {
        let nfs = json!({"server": "no-such-host.invalid", "path": format!("/nfsdata/{name}")});
        let volume = json!({"metadata": {"name": name}, "spec": {"nfs": nfs}});
        facts.volumes.push(serde_json::from_value(volume).unwrap());
    }
    facts.servers = crate::volumes::servers::find_server_names(&facts.location, None, &facts.volumes).await;
    assert_eq!(told(&facts), ["data in use data -"]);
}

#[test]
fn what_is_in_a_volume_is_its_own() {
    let volumes = [
        volume("outer", "/nfsdata/team", "outer"),
        volume("inner", "/nfsdata/team/data", "inner"),
    ];
    let facts = facts(&volumes, &["team", "team/data", "team/notes"]);
    assert_eq!(
        told(&facts),
        ["team in use outer team/outer", "team/data in use inner team/inner"]
    );
}

#[test]
fn directories_of_csi_drivers_volumes_are_in_use() {
    let volumes = [
        csi_volume("in-root", "/nfsdata", "in-root"),
        csi_volume("deep", "/nfsdata/share/", "deep"),
        csi_volume("gone", "/nfsdata", "gone"),
    ];
    let directories = ["in-root", "share", "share/deep", "share/left", "left"];
    assert_eq!(
        told(&facts(&volumes, &directories)),
        [
            "gone missing gone team/gone",
            "in-root in use in-root team/in-root",
            "left orphan - -",
            "share/deep in use deep team/deep",
            "share/left orphan - -",
        ]
    );
    let root = [csi_volume("root", "/nfsdata", "")];
    assert_eq!(told(&facts(&root, &["data"])), [". in use root team/root"]);
}

#[test]
fn a_volume_may_be_called_like_an_archive() {
    let facts = facts(&[volume("kept", "/nfsdata/archived-kept", "k")], &["archived-kept"]);
    assert_eq!(told(&facts), ["archived-kept in use kept team/k"]);
}

#[test]
fn markers_without_a_volume_are_found() {
    let (a, b) = (format!("pvc-{A}"), format!("pvc-{B}"));
    let owner = |uid: &str| Owner {
        uid: uid.to_owned(),
        claim: Some(OwnerClaim {
            class_uid: "k".into(),
            namespace: "team".into(),
            name: "c".into(),
        }),
    };
    let mut facts = facts(
        &[
            volume(&a, "/nfsdata/team/a", "a"),
            volume("restored", "/nfsdata/team/r", "r"),
        ],
        &["team", "team/a", "team/r", "team/left", "begun"],
    );
    facts.markers = vec![
        (path("team/a"), owner(A)),
        // A restored volume's marker has the uid of the claim that it was restored for.
        (path("team/r"), Owner::with_uid("u")),
        (path("team/left"), owner(B)),
        (path("team/gone"), owner(B)),
        // A marker of the first format names no claim.
        (path("team/old"), Owner::with_uid(B)),
    ];
    let wanted = [
        "begun orphan - -".to_owned(),
        format!("team/a in use {a} team/a"),
        format!("team/gone marker {b} team/c"),
        format!("team/left orphan {b} team/c"),
        format!("team/old marker {b} -"),
        "team/r in use restored team/r".to_owned(),
    ];
    assert_eq!(told(&facts), wanted);
    // The path was given on, and the marker was not.
    facts.markers[0].1 = owner(B);
    assert!(told(&facts).contains(&format!("team/a marker {b} team/c")));
}
