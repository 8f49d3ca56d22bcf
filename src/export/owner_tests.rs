//! Owner markers, over a directory of this machine.

use super::super::tests::{mounted_export, path};
use super::*;

/// A claim with this uid.
fn owner(uid: &str) -> Owner {
    Owner {
        uid: uid.to_owned(),
        claim: Some(OwnerClaim {
            class_uid: "c1a5".into(),
            namespace: "default".into(),
            name: "www-web-0".into(),
        }),
    }
}

/// Makes the claim with this uid the owner of a directory.
async fn mark(export: &Export, directory: &str, uid: &str) -> Result<(), ExportError> {
    export.write_owner_marker(&path(directory), &owner(uid)).await
}

async fn uid_at(export: &Export, directory: &str) -> Option<String> {
    export
        .read_owner(&path(directory))
        .await
        .unwrap()
        .map(|owner| owner.uid)
}

#[tokio::test]
async fn a_directory_has_one_owner() {
    let root = tempfile::tempdir().unwrap();
    let export = mounted_export(root.path());
    mark(&export, "team/data", "one").await.unwrap();
    mark(&export, "team/data", "one").await.unwrap();
    export
        .create_directory(&path("team/data"), Attributes::with_mode(0o777))
        .await
        .unwrap();
    mark(&export, "team/data", "one").await.unwrap();
    mark(&export, "team/other", "two").await.unwrap();
    for (wanted, owned, uid) in [
        ("team/data", "team/data", "one"),
        ("team", "team/other", "two"),
        ("team/data/inner", "team/data", "one"),
        ("team/data/inner/deep", "team/data", "one"),
    ] {
        let error = mark(&export, wanted, "three").await.unwrap_err();
        let ExportError::Conflict(found) = &error else {
            panic!("{wanted}: {error}");
        };
        // Of several below, any is named.
        let is_expected = (found.owned == path(owned) && found.owner == owner(uid)) || wanted == "team";
        assert!(is_expected && found.wanted == path(wanted), "{found:?}");
    }
    assert_eq!(export.read_owner(&path("team/data")).await.unwrap(), Some(owner("one")));
    assert_eq!(export.read_owner(&path("team")).await.unwrap(), None);
    let markers = [("team/data", "one"), ("team/other", "two")];
    let markers = markers.map(|(directory, uid)| (path(directory), owner(uid)));
    assert_eq!(export.list_markers().await.unwrap(), markers);
}

/// What writes to the export may write markers, too; only names go into requests to the API server.
#[test]
fn a_marker_of_any_format_is_read() {
    for (target, namespace, uid) in [
        ("c1a5/default/www-web-0/u-1", Some("default"), "u-1"),
        ("c1a5/default/www.web/u-1", Some("default"), "u-1"),
        ("u-1", None, "u-1"),
        ("", None, ""),
        ("default/www-web-0/u-1", None, "default/www-web-0/u-1"),
        ("c1a5/default/www-web-0/u-1/x", None, "c1a5/default/www-web-0/u-1/x"),
        ("c1a5/../../u-1", None, "c1a5/../../u-1"),
        ("c1a5/default/w?x=y/u-1", None, "c1a5/default/w?x=y/u-1"),
        ("c1a5/default//u-1", None, "c1a5/default//u-1"),
        ("/default/c/u-1", None, "/default/c/u-1"),
    ] {
        let read = Owner::from_target(target);
        let found = read.claim.as_ref().map(|claim| claim.namespace.as_str());
        assert_eq!((found, read.uid.as_str()), (namespace, uid), "{target}");
        assert_eq!(read.to_target(), target);
    }
}

/// Its target is the claim's uid alone.
#[tokio::test]
async fn a_marker_of_the_first_format_is_the_same_claims() {
    let root = tempfile::tempdir().unwrap();
    let export = mounted_export(root.path());
    let folder = root.path().join(".nfsprov/owners/team/data");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("one", folder.join("@owner")).unwrap();
    std::fs::create_dir_all(root.path().join("team/data")).unwrap();
    mark(&export, "team/data", "one").await.unwrap();
    let error = mark(&export, "team/data", "two").await.unwrap_err();
    assert!(error.to_string().contains("the claim with uid one"), "{error}");
    export.remove_owner_marker(&path("team/data"), "one").await.unwrap();
    assert!(!root.path().join(".nfsprov/owners/team").exists());
}

#[tokio::test]
async fn a_directory_without_an_owner_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let export = mounted_export(root.path());
    std::fs::create_dir_all(root.path().join("by-hand/inner")).unwrap();
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    for refused in [
        "by-hand".to_owned(),
        "by-hand/inner".to_owned(),
        format!("default-c-pvc-{uid}/inner"),
        format!("team/x-pvc-{uid}"),
        ".nfsprov/owners/x".to_owned(),
        "a/@owner".to_owned(),
    ] {
        let error = mark(&export, &refused, uid).await.unwrap_err();
        assert!(matches!(error, ExportError::Owned { .. }), "{refused}: {error}");
    }
    mark(&export, "by-hand/new", uid).await.unwrap();
}

#[tokio::test]
async fn what_was_disowned_leaves_no_trace() {
    let root = tempfile::tempdir().unwrap();
    let export = mounted_export(root.path());
    mark(&export, "a/b/c", "one").await.unwrap();
    export.remove_owner_marker(&path("a/b/c"), "another").await.unwrap();
    assert_eq!(uid_at(&export, "a/b/c").await.as_deref(), Some("one"));
    export.remove_owner_marker(&path("a/b/c"), "one").await.unwrap();
    export.remove_owner_marker(&path("a/b/c"), "one").await.unwrap();
    assert!(!root.path().join(".nfsprov/owners/a").exists());
    mark(&export, "a/b", "two").await.unwrap();
    assert_eq!(uid_at(&export, "a/b").await.as_deref(), Some("two"));
}

/// A provisioner was killed before it created the marker, or after it removed it.
#[tokio::test]
async fn folders_without_a_marker_hold_no_path() {
    let root = tempfile::tempdir().unwrap();
    let export = mounted_export(root.path());
    std::fs::create_dir_all(root.path().join(".nfsprov/owners/a/b/c")).unwrap();
    std::fs::create_dir_all(root.path().join(".nfsprov/owners/a/d")).unwrap();
    mark(&export, "a", "one").await.unwrap();
    assert!(!root.path().join(".nfsprov/owners/a/b").exists());
    export.remove_empty_marker_folders(&path("a")).await.unwrap();
    assert_eq!(uid_at(&export, "a").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn only_an_empty_directory_of_the_claims_own_is_removed_as_unused() {
    const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    let root = tempfile::tempdir().unwrap();
    let export = mounted_export(root.path());
    let named = format!("default-c-pvc-{UID}");
    for directory in [named.as_str(), "by-hand"] {
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    for (directory, uid) in [("mine", UID), ("full", UID), ("theirs", "another")] {
        mark(&export, directory, uid).await.unwrap();
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    std::fs::write(root.path().join("full/file"), "data").unwrap();
    for (directory, gone, stays) in [
        (named.as_str(), true, false),
        ("mine", true, false),
        ("full", false, true),
        ("theirs", true, true),
        ("by-hand", true, true),
        ("never-made", true, false),
    ] {
        let removed = export.remove_unused_directory(&path(directory), UID).await.unwrap();
        assert_eq!(removed, gone, "{directory}");
        assert_eq!(root.path().join(directory).exists(), stays, "{directory}");
    }
    assert_eq!(uid_at(&export, "mine").await, None);
    assert_eq!(uid_at(&export, "full").await.as_deref(), Some(UID));
    assert_eq!(uid_at(&export, "theirs").await.as_deref(), Some("another"));
}

#[test]
fn a_directory_is_named_after_its_volume_only() {
    let volume = "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51";
    assert!(is_named_after(&path(&format!("default-c-{volume}")), volume));
    for other in [format!("team/c-{volume}"), format!("x{volume}"), "team-data".to_owned()] {
        assert!(!is_named_after(&path(&other), volume), "{other}");
    }
    assert!(!is_named_after(&path("team-data"), "data"));
}

#[test]
fn volumes_names_are_told_from_others() {
    assert!(names_a_volume("default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51"));
    for other in [
        "default",
        "pvc-",
        "pvc-1",
        "my-pvc-data",
        "pvc-0b510b51-0b51-0b51-0b51-0b510b510b5z",
    ] {
        assert!(!names_a_volume(other), "{other}");
    }
}

/// Another claim's marker above it appears between its attempts; the directory may exist by then.
#[tokio::test]
async fn after_a_conflict_only_a_directory_that_exists_keeps_its_older_marker() {
    for exists in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let export = mounted_export(root.path());
        mark(&export, "a/b", "one").await.unwrap();
        if exists {
            std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        }
        std::os::unix::fs::symlink("two", root.path().join(".nfsprov/owners/a/@owner")).unwrap();
        let error = mark(&export, "a/b", "one").await.unwrap_err();
        assert!(matches!(error, ExportError::Conflict(_)), "{error}");
        assert_eq!(uid_at(&export, "a/b").await.is_some(), exists);
    }
}
