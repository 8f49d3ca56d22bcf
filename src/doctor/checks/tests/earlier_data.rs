//! NFS508: an empty volume, and what an export still has of an earlier claim of the same name.

use serde_json::json;

use super::*;
use crate::doctor::facts::{EarlierVolume, ExportListing};

const OLD_VOLUME: &str = "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51";
const EXPORT: &str = "--server 10.77.0.10 --path /nfsdata";
const NEW_CLAIM: &str = "--claim default/a --create-claim";

/// A claim with a volume in `path`.
fn bound_in(path: &str) -> Vec<Value> {
    bound(json!({"spec": {"nfs": {"server": "10.77.0.10", "path": path}}}))
}

fn lost() -> EarlierVolume {
    EarlierVolume {
        name: OLD_VOLUME.to_owned(),
        ..EarlierVolume::default()
    }
}

/// A volume in a directory with the default name, or its archive.
fn named(claim: &str) -> EarlierVolume {
    let name = format!("{claim}-{OLD_VOLUME}");
    EarlierVolume {
        directory: Some(name.clone()),
        named_after: Some(name),
        ..lost()
    }
}

fn archived(claim: &str) -> EarlierVolume {
    let orphan = named(claim);
    EarlierVolume {
        archive: orphan.directory.map(|name| format!("archived-{name}")),
        directory: None,
        ..orphan
    }
}

fn recorded(volume: EarlierVolume, claim: &str) -> EarlierVolume {
    EarlierVolume {
        is_recorded: true,
        claim: Some(("default".to_owned(), claim.to_owned())),
        ..volume
    }
}

fn pattern(claim: &str) -> EarlierVolume {
    let volume = EarlierVolume {
        directory: Some("team/data".to_owned()),
        ..lost()
    };
    recorded(volume, claim)
}

/// The printed commands.
fn commands(objects: Vec<Value>, volumes: Vec<EarlierVolume>, is_empty: bool) -> Vec<String> {
    let mut facts = facts(NEW, objects);
    facts.listings.push(ExportListing {
        server: "10.77.0.10".to_owned(),
        path: "/nfsdata".to_owned(),
        volumes,
        empty: is_empty.then(|| "v".to_owned()).into_iter().collect(),
    });
    let found = found(&facts);
    assert!(found.iter().all(|finding| finding.code == "NFS508"), "{found:#?}");
    assert!(found.iter().all(|finding| brief(&finding.object) == "pvc default/a"));
    let fixes = found.into_iter().filter_map(|finding| finding.fix);
    fixes.filter_map(|fix| fix.command).collect()
}

#[test]
fn an_empty_volume_beside_earlier_data_gets_the_command_that_restores_it() {
    let adopt = |name: &str| format!("nfsprov volumes adopt {name} {NEW_CLAIM} --size 1Gi --class nfs {EXPORT}");
    let restore = |name: &str| format!("nfsprov volumes restore {name} {NEW_CLAIM} --size 1Gi --class nfs {EXPORT}");
    let rebuild = format!("nfsprov volumes rebuild -n default --apply {EXPORT}");
    let orphan = format!("default-a-{OLD_VOLUME}");
    let archive = format!("archived-{orphan}");
    let newer = EarlierVolume {
        archive: Some("archived-newer".to_owned()),
        changed: 1,
        ..archived("default-a")
    };
    for (what, volumes, wanted) in rows! {
        ("nothing", vec![], None),
        ("an orphan", vec![named("default-a")], Some(adopt(&orphan))),
        ("an archive", vec![archived("default-a")], Some(restore(&archive))),
        ("an archive with its record", vec![recorded(archived("default-a"), "a")],
            Some(format!("nfsprov volumes restore {archive} {NEW_CLAIM} {EXPORT}"))),
        ("a record", vec![recorded(named("default-a"), "a")], Some(rebuild.clone())),
        ("a record of a pattern directory", vec![pattern("a")], Some(rebuild.clone())),
        ("another claim's directory", vec![named("default-b")], None),
        ("another claim's archive", vec![archived("default-b")], None),
        ("another claim's record", vec![pattern("b")], None),
        // Whoever wrote it may want another tenant's data.
        ("a record of a directory that is named after another claim",
            vec![recorded(named("default-b"), "a"), recorded(archived("default-b"), "a")], None),
        ("data that was not archived comes first", vec![archived("default-a"), named("default-a")],
            Some(adopt(&orphan))),
        ("the newest archive comes first", vec![archived("default-a"), newer], Some(restore("archived-newer"))),
    } {
        let found = commands(bound_in("/nfsdata/new"), volumes.clone(), true);
        assert_eq!(found, Vec::from_iter(wanted), "{what}");
        assert!(
            commands(bound_in("/nfsdata/new"), volumes, false).is_empty(),
            "{what}, but the volume holds data"
        );
    }
}

#[test]
fn earlier_volumes_are_on_the_same_export_and_have_no_pv() {
    let orphan = || vec![named("default-a")];
    assert_eq!(commands(bound_in("/nfsdata/new"), orphan(), true).len(), 1);
    for (what, objects) in [
        ("on another export", bound_in("/nfsdata2/new")),
        ("the export itself", bound_in("/nfsdata")),
        (
            "a PV of the cluster",
            [bound_in("/nfsdata/new"), vec![volume(OLD_VOLUME, json!({}))]].concat(),
        ),
    ] {
        assert!(commands(objects, orphan(), true).is_empty(), "{what}");
    }
}
