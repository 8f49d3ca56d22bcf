//! What becomes of deleted directories; the API server is a mock.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use k8s_openapi::api::core::v1::PersistentVolume;
use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::export::double::{Answer, Double, Log};
use crate::export::{Export, VolumePath};
use crate::provisioner::lease::Leadership;
use crate::provisioner::mock::{answer, location, mock, next, reconciler, reconciler_on, upstream_volume};
use crate::provisioner::outcome::{DeletionOutcome, ReconcileError};
use crate::provisioner::volume::FINALIZER;

const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

/// A Released PV with the directory `team/data`, which was made from a pattern and is to be deleted.
fn volume() -> PersistentVolume {
    serde_json::from_value(json!({
        "metadata": {"name": format!("pvc-{UID}"), "uid": "v", "finalizers": [FINALIZER], "annotations": {
            "pv.kubernetes.io/provisioned-by": "nfsprov/nfs", "nfsprov/on-delete": "delete"}},
        "spec": {"nfs": {"server": "server", "path": "/export/team/data"}, "persistentVolumeReclaimPolicy": "Delete",
                 "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "d", "name": "c", "uid": UID}},
        "status": {"phase": "Released"},
    }))
    .unwrap()
}

fn export_with_data(files: usize) -> tempfile::TempDir {
    let export = tempfile::tempdir().unwrap();
    let marker = export.path().join(".nfsprov/owners/team/data");
    std::fs::create_dir_all(&marker).unwrap();
    std::os::unix::fs::symlink(UID, marker.join("@owner")).unwrap();
    std::fs::create_dir_all(export.path().join("team/data")).unwrap();
    for number in 0..files {
        std::fs::write(export.path().join("team/data").join(number.to_string()), "").unwrap();
    }
    export
}

fn trashed(export: &Path) -> std::path::PathBuf {
    export.join(format!(".nfsprov/trash/pvc-{UID}"))
}

/// The path is free for another claim at once, and its data is gone a little later.
#[tokio::test]
async fn a_deleted_directory_is_renamed_and_then_removed() {
    let export = export_with_data(3);
    let (client, mut server) = mock();
    let reconciler = Arc::new(reconciler(client, export.path()));
    let disposing = tokio::spawn({
        let reconciler = reconciler.clone();
        async move { reconciler.delete_volume(&volume(), None).await }
    });
    for expected in ["GET", "DELETE", "PATCH"] {
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, format!("{expected} pvc-{UID}"));
        if expected == "DELETE" {
            assert!(!export.path().join("team").exists());
            assert!(!export.path().join(".nfsprov/owners/team").exists());
            assert_eq!(std::fs::read_dir(trashed(export.path())).unwrap().count(), 3);
        }
        answer(to, 200, &serde_json::to_value(volume()).unwrap());
    }
    let result = disposing.await.unwrap();
    assert!(matches!(result, Ok(DeletionOutcome::Deleted { .. })), "{result:?}");
    reconciler
        .empty_trash_once(reconciler.exports.iter().next().unwrap())
        .await;
    assert!(!trashed(export.path()).exists());
}

/// A directory's parents are removed with it only if they are empty and have no owner.
#[tokio::test]
async fn a_parent_that_is_in_use_stays() {
    let other = |uid: &str, directory: &str| upstream_volume(uid, directory, &[("/status/phase", json!("Bound"))]);
    for (about, in_parent, owned, neighbour) in [
        ("a file", Some("team/file"), None, None),
        ("another claim's marker", None, Some("team/other"), None),
        ("another claim's parent", None, Some("team"), None),
        ("another PV", None, None, Some(other("b", "team"))),
    ] {
        let export = export_with_data(3);
        if let Some(file) = in_parent {
            std::fs::write(export.path().join(file), "").unwrap();
        }
        if let Some(directory) = owned {
            let marker = export.path().join(".nfsprov/owners").join(directory);
            std::fs::create_dir_all(&marker).unwrap();
            std::os::unix::fs::symlink("another", marker.join("@owner")).unwrap();
        }
        let (client, _server) = mock();
        let reconciler = reconciler(client, export.path());
        if let Some(neighbour) = &neighbour {
            reconciler.record_volume(neighbour, None);
        }
        let served = reconciler.exports.iter().next().unwrap();
        let directory = VolumePath::parse("team/data").unwrap();
        std::fs::remove_dir_all(export.path().join("team/data")).unwrap();
        served.export.remove_owner_marker(&directory, UID).await.unwrap();
        reconciler
            .remove_empty_parents(&directory, &format!("pvc-{UID}"), served)
            .await;
        assert!(export.path().join("team").exists(), "{about}");
    }
}

/// A file has the trash's name. Only a rename that can never succeed is a reason to remove a directory in place.
#[tokio::test]
async fn a_directory_whose_rename_fails_stays() {
    let export = export_with_data(3);
    std::fs::write(export.path().join(".nfsprov/trash"), "").unwrap();
    let (client, mut server) = mock();
    let reconciler = reconciler(client, export.path());
    let disposing = tokio::spawn(async move { reconciler.delete_volume(&volume(), None).await });
    let (_, _, to) = next(&mut server).await;
    answer(to, 200, &serde_json::to_value(volume()).unwrap());
    let result = disposing.await.unwrap();
    assert!(matches!(result, Err(ReconcileError::Export(_))), "{result:?}");
    assert_eq!(std::fs::read_dir(export.path().join("team/data")).unwrap().count(), 3);
}

/// A directory `team/data` with one file on a server over NFS, and its marker. `on_rename` is called when the directory is
/// renamed, which gets the answer. From then on the marker has the target `owner`.
fn nfs_export(rename: Answer, owner: &'static str, on_rename: impl Fn() + Send + Sync + 'static) -> (Export, Log) {
    let (is_there, has_file, is_renamed) = (AtomicBool::new(true), AtomicBool::new(true), AtomicBool::new(false));
    let set = |flag: &AtomicBool| flag.store(false, Ordering::Relaxed);
    let double = Double::new(move |call, handle, name| match (call, name) {
        ("lookup", "data") if handle == "team" => match is_there.load(Ordering::Relaxed) {
            true => Answer::Object("data", 2, 0o777),
            false => Answer::NotFound,
        },
        ("lookup", "team") if handle == "root" => Answer::Object("team", 2, 0o755),
        ("lookup", ".nfsprov" | "owners" | "trash" | "volumes" | "team") => Answer::Object("folder", 2, 0o700),
        ("lookup", "@owner") => Answer::Object("marker", 5, 0o777),
        ("lookup", name) if name.starts_with("pvc-") => match is_there.load(Ordering::Relaxed) {
            true => Answer::NotFound,
            false => Answer::Object("trashed", 2, 0o777),
        },
        ("lookup", "data") => Answer::Object("folder", 2, 0o700),
        ("readlink", _) if is_renamed.load(Ordering::Relaxed) => Answer::Target(owner),
        ("readlink", _) => Answer::Target(UID),
        ("getattr", _) => Answer::Object("root", 2, 0o755),
        ("rename", name) if name.starts_with("pvc-") => {
            is_there.store(true, Ordering::Relaxed);
            Answer::Done
        }
        ("rename", _) => {
            on_rename();
            is_renamed.store(true, Ordering::Relaxed);
            if matches!(rename, Answer::Done) {
                set(&is_there);
            }
            rename
        }
        ("readdirplus", _) if handle == "data" && has_file.load(Ordering::Relaxed) => Answer::Entries(&[("file", 1)]),
        ("readdirplus", _) => Answer::Entries(&[]),
        ("remove", "file") => {
            set(&has_file);
            Answer::Done
        }
        ("rmdir", "data") if handle == "team" => {
            set(&is_there);
            Answer::Done
        }
        ("rmdir", _) => Answer::NotEmpty,
        ("remove", "@owner") => Answer::Done,
        // The record.
        ("remove", name) if name.starts_with("pvc-") => Answer::NotFound,
        (call, name) => panic!("{call} {handle} {name}"),
    });
    double.export(location())
}

/// On another file system than the export's root; it may be interrupted as any removal.
#[tokio::test]
async fn a_directory_that_cannot_be_renamed_is_removed_in_place() {
    for is_stopped in [false, true] {
        let (client, mut server) = mock();
        let stop: Arc<std::sync::OnceLock<Arc<Reconciler>>> = Arc::default();
        let stopped = stop.clone();
        let (export, log) = nfs_export(Answer::CrossDevice, UID, move || {
            if let Some(reconciler) = stopped.get() {
                reconciler.set_stopping(true);
            }
        });
        let reconciler = Arc::new(reconciler_on(client, export));
        if is_stopped {
            _ = stop.set(reconciler.clone());
        }
        let disposing = tokio::spawn(async move { reconciler.delete_volume(&volume(), None).await });
        let expected: &[&str] = if is_stopped {
            &["GET"]
        } else {
            &["GET", "DELETE", "PATCH"]
        };
        for expected in expected {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, format!("{expected} pvc-{UID}"));
            answer(to, 200, &serde_json::to_value(volume()).unwrap());
        }
        let result = disposing.await.unwrap();
        match is_stopped {
            true => assert!(matches!(result, Err(ReconcileError::Stopping)), "{result:?}"),
            false => assert!(matches!(result, Ok(DeletionOutcome::Deleted { .. })), "{result:?}"),
        }
        let log = log.lock().unwrap();
        let has = |call: &str| log.iter().any(|known| known == call);
        assert!(has("rename team data"), "{log:?}");
        for call in ["remove data file", "rmdir team data", "remove folder @owner"] {
            assert_eq!(has(call), !is_stopped, "{call}: {log:?}");
        }
    }
}

/// The next leader finds the directory gone and the marker still there.
#[tokio::test]
async fn a_lease_lost_after_the_rename_leaves_the_marker_to_the_next_leader() {
    let (client, mut server) = mock();
    let until = watch::Sender::new(Some(Instant::now() + Duration::from_secs(3600)));
    let lost = until.clone();
    let (export, log) = nfs_export(Answer::Done, UID, move || _ = lost.send_replace(Some(Instant::now())));
    let leading = Leadership::held_until(until.subscribe());
    let reconciler = Arc::new(reconciler_on(client, export).with_leadership(leading));
    for leads in [false, true] {
        let disposing = tokio::spawn({
            let reconciler = reconciler.clone();
            async move { reconciler.delete_volume(&volume(), None).await }
        });
        let expected: &[&str] = if leads { &["GET", "DELETE", "PATCH"] } else { &["GET"] };
        for expected in expected {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, format!("{expected} pvc-{UID}"));
            answer(to, 200, &serde_json::to_value(volume()).unwrap());
        }
        let result = disposing.await.unwrap();
        match leads {
            true => assert!(matches!(result, Ok(DeletionOutcome::Deleted { .. })), "{result:?}"),
            false => assert!(matches!(result, Err(ReconcileError::NotLeading)), "{result:?}"),
        }
        let log = log.lock().unwrap();
        assert_eq!(
            log.iter().filter(|call| *call == "rename team data").count(),
            1,
            "{log:?}"
        );
        assert_eq!(log.iter().any(|call| call == "remove folder @owner"), leads, "{log:?}");
        until.send_replace(Some(Instant::now() + Duration::from_secs(3600)));
    }
}

/// Two provisioners delete one volume. The slower one has read the marker before the faster one released the path, and
/// renames the directory of the claim that has the path by then.
#[tokio::test]
async fn a_directory_that_has_a_new_owner_when_it_is_renamed_is_put_back() {
    for (owner, is_put_back) in [("k/d/c/another-uid", true), (UID, false)] {
        let (client, mut server) = mock();
        let (export, log) = nfs_export(Answer::Done, owner, || {});
        let reconciler = reconciler_on(client, export);
        let disposing = tokio::spawn(async move { reconciler.delete_volume(&volume(), None).await });
        for expected in ["GET", "DELETE", "PATCH"] {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, format!("{expected} pvc-{UID}"));
            answer(to, 200, &serde_json::to_value(volume()).unwrap());
        }
        let result = disposing.await.unwrap();
        assert!(matches!(result, Ok(DeletionOutcome::Deleted { .. })), "{result:?}");
        let log = log.lock().unwrap();
        let has = |call: &str| log.iter().any(|known| known == call);
        assert!(has("rename team data"), "{log:?}");
        assert_eq!(has(&format!("rename folder pvc-{UID}")), is_put_back, "{log:?}");
        assert_eq!(has("remove folder @owner"), !is_put_back, "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_of_many_files_ends_when_the_provisioner_stops() {
    let export = export_with_data(0);
    let directory = trashed(export.path());
    std::fs::create_dir_all(&directory).unwrap();
    for number in 0..10_000 {
        std::fs::write(directory.join(number.to_string()), "").unwrap();
    }
    let (client, _server) = mock();
    let reconciler = Arc::new(reconciler(client, export.path()));
    let emptying = tokio::spawn({
        let reconciler = reconciler.clone();
        async move {
            reconciler
                .empty_trash_once(reconciler.exports.iter().next().unwrap())
                .await
        }
    });
    while std::fs::read_dir(&directory).unwrap().count() == 10_000 {
        tokio::task::yield_now().await;
    }
    reconciler.set_stopping(true);
    timeout(Duration::from_secs(2), emptying)
        .await
        .expect("it goes on")
        .unwrap();
    assert!(std::fs::read_dir(&directory).unwrap().count() > 0, "it was over before");
    reconciler.set_stopping(false);
    reconciler
        .empty_trash_once(reconciler.exports.iter().next().unwrap())
        .await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn two_provisioners_empty_one_trash_together() {
    let export = export_with_data(0);
    for volume in 0..4 {
        for inner in 0..200 {
            let name = format!(".nfsprov/trash/pvc-{volume}/{inner}/deep");
            std::fs::create_dir_all(export.path().join(name)).unwrap();
        }
    }
    let (client, _server) = mock();
    let (one, other) = (
        reconciler(client.clone(), export.path()),
        reconciler(client, export.path()),
    );
    join(
        one.empty_trash_once(one.exports.iter().next().unwrap()),
        other.empty_trash_once(other.exports.iter().next().unwrap()),
    )
    .await;
    assert_eq!(
        std::fs::read_dir(export.path().join(".nfsprov/trash")).unwrap().count(),
        0
    );
}

#[test]
fn the_oldest_entry_is_as_old_as_it_was_first_seen() {
    let entry = |name: &str, changed| Entry {
        name: name.to_owned(),
        kind: Kind::Directory,
        bytes: 0,
        changed,
    };
    // Nothing removes it, so it does not count.
    let stray = Entry {
        kind: Kind::Other,
        ..entry("stray", 0)
    };
    let mut first_seen = HashMap::new();
    for (entries, now, expected) in [
        (vec![], 50, (0, 0)),
        (vec![entry("a", 100), entry("b", 120)], 150, (2, 50)),
        (vec![entry("a", 190), entry("b", 120)], 200, (2, 100)),
        (vec![entry("b", 120)], 210, (1, 90)),
        (vec![entry("c", 300)], 290, (1, 0)),
        (vec![entry("c", 300), stray.clone()], 310, (1, 10)),
        (vec![], 400, (0, 0)),
    ] {
        let found = summarize_trash(&entries, &mut first_seen, now);
        assert_eq!((found.entries, found.oldest_seconds), expected, "{entries:?}");
    }
}
