//! Restores that set a limit or fail; the API server is a mock, the server's tools are doubles.

use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::{Value, json};

use super::*;
use crate::export::{Attributes, LimitedExport, Mounted, VolumePath, Wire};
use crate::provisioner::mock::{answer, class, location, mock, next, refusal};

const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

/// The claim's uid.
const CLAIM: &str = "11111111-2222-4333-8444-555555555555";

fn path(text: &str) -> VolumePath {
    VolumePath::parse(text).unwrap()
}

/// What the API server says of the PV after the answer to its creation was lost.
#[derive(Clone, Copy, Debug)]
enum Found {
    Created,
    Missing,
    NoAnswer,
}

/// A restore of an archive for a claim of 10Mi.
struct Case {
    /// Of the claim's class.
    parameters: Value,
    was_limited: bool,
    needs_marker: bool,
    /// Whether the claim is there; otherwise it is to be created.
    has_claim: bool,
    /// The answer to the PV's creation is lost if it says what becomes of it.
    found: Option<Found>,
}

/// As [`restore_case`], of a claim that exists and with a directory that needs no marker.
async fn restore(
    export: &Export,
    parameters: Value,
    was_limited: bool,
) -> (Result<(PersistentVolume, bool), RestoreError>, Vec<String>, Value) {
    let case = Case {
        parameters,
        was_limited,
        needs_marker: false,
        has_claim: true,
        found: None,
    };
    restore_case(export, &case).await
}

/// Returns the outcome of a restore and what the API server was asked, with the PV that was posted.
async fn restore_case(
    export: &Export,
    case: &Case,
) -> (Result<(PersistentVolume, bool), RestoreError>, Vec<String>, Value) {
    let volume = format!("pvc-{UID}");
    let directory = if case.needs_marker {
        "restored".to_owned()
    } else {
        format!("d-c-{volume}")
    };
    let reuse = ReusePlan {
        archive: Some(path(&format!("archived-d-c-{volume}"))),
        directory: path(&directory),
        volume: volume.clone(),
        needs_marker: case.needs_marker,
    };
    let claim = json!({
        "metadata": {"name": "c", "namespace": "d", "uid": CLAIM},
        "spec": {"storageClassName": "nfs", "volumeName": volume, "resources": {"requests": {"storage": "10Mi"}}},
    });
    let new_claim = NewClaim {
        size: "10Mi".to_owned(),
        class: "nfs".to_owned(),
        access_modes: vec!["ReadWriteMany".to_owned()],
    };
    let class: StorageClass = class(case.parameters.clone());
    let (client, mut server) = mock();
    let location = location();
    let restore = Restore {
        client: &client,
        export,
        location: &location,
        reuse: &reuse,
        namespace: "d",
        claim: "c",
        size: None,
        new_claim: (!case.has_claim).then_some(new_claim),
        was_limited: case.was_limited,
    };
    let (mut asked, mut posted) = (Vec::new(), Value::Null);
    let answering = async {
        loop {
            let (what, request, to) = next(&mut server).await;
            match what.as_str() {
                "GET c" if !case.has_claim => answer(to, 404, &refusal(404, "NotFound")),
                "GET c" => answer(to, 200, &claim),
                "POST persistentvolumeclaims" => answer(to, 201, &claim),
                "GET nfs" => answer(to, 200, &serde_json::to_value(&class).unwrap()),
                "POST persistentvolumes" => {
                    let body = request.into_body().collect_bytes().await.unwrap();
                    posted = serde_json::from_slice(&body).unwrap();
                    match case.found {
                        None => answer(to, 201, &posted),
                        // The answer is lost.
                        Some(_) => to.send_error("connection reset"),
                    }
                }
                _ if what.starts_with("GET pvc-") => match case.found {
                    Some(Found::Created) => answer(to, 200, &posted),
                    Some(Found::Missing) => answer(to, 404, &refusal(404, "NotFound")),
                    _ => to.send_error("connection refused"),
                },
                other => panic!("{other}"),
            }
            asked.push(what);
        }
    };
    let restored = tokio::select! {
        biased;
        restored = restore.run() => restored,
        _ = answering => unreachable!(),
    };
    (restored, asked, posted)
}

#[tokio::test]
async fn a_restored_volume_is_limited_where_its_class_or_its_record_says_so() {
    let enforce = || json!({"quota": "enforce"});
    for (parameters, was_limited, is_limited) in [
        (enforce(), false, true),
        (json!({}), true, true),
        (json!({}), false, false),
    ] {
        let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
        limited.enforce(true);
        let archive = path(&format!("archived-d-c-pvc-{UID}"));
        let mode = Attributes::with_mode(0o777);
        limited.export.create_directory(&archive, mode).await.unwrap();
        let about = format!("{parameters} {was_limited}");
        let (restored, _, posted) = restore(&limited.export, parameters, was_limited).await;
        assert!(restored.is_ok(), "{about}: {restored:?}");
        let quota = posted.pointer("/metadata/annotations").and_then(|all| all.get(QUOTA));
        assert_eq!(quota.is_some(), is_limited, "{about}");
        let log = limited.take_log();
        assert_eq!(log.contains("limit -p bhard=10240k"), is_limited, "{about}: {log}");
        let directory = path(&format!("d-c-pvc-{UID}"));
        assert!(limited.export.path_exists(&directory).await.unwrap(), "{about}");
    }
}

#[tokio::test]
async fn the_rename_is_undone_only_if_the_volume_was_not_created() {
    for (found, is_restored, is_archive, words) in [
        (Found::Created, true, false, ""),
        (Found::Missing, false, true, "the rename of the archive is undone"),
        (Found::NoAnswer, false, false, "run the command again"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let export = Export::Mounted(Mounted::new(location(), root.path()));
        let archive = path(&format!("archived-d-c-pvc-{UID}"));
        export
            .create_directory(&archive, Attributes::with_mode(0o777))
            .await
            .unwrap();
        let case = Case {
            parameters: json!({}),
            was_limited: false,
            needs_marker: false,
            has_claim: true,
            found: Some(found),
        };
        let (restored, _, _) = restore_case(&export, &case).await;
        assert_eq!(restored.is_ok(), is_restored, "{found:?}: {restored:?}");
        let said = restored.err().map(|why| why.to_string()).unwrap_or_default();
        assert!(said.contains(words), "{found:?}: {said}");
        assert_eq!(export.path_exists(&archive).await.unwrap(), is_archive, "{found:?}");
    }
}

#[tokio::test]
async fn an_archive_that_cannot_be_limited_stays_an_archive() {
    let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
    let archive = path(&format!("archived-d-c-pvc-{UID}"));
    let mode = Attributes::with_mode(0o777);
    limited.export.create_directory(&archive, mode).await.unwrap();
    // The server takes limits and does not enforce them.
    let (restored, asked, _) = restore(&limited.export, json!({"quota": "enforce"}), false).await;
    assert!(restored.is_err_and(|why| why.to_string().contains("does not enforce it")));
    assert_eq!(asked, ["GET c", "GET nfs"]);
    assert!(limited.export.path_exists(&archive).await.unwrap());

    // Over NFS nothing is tried.
    let wire = Export::Wire(Wire::new(location()));
    let (restored, asked, _) = restore(&wire, json!({"quota": "enforce"}), false).await;
    assert!(restored.is_err_and(|why| why.to_string().contains("nothing was changed")));
    assert_eq!(asked, ["GET c", "GET nfs"]);
}

#[tokio::test]
async fn a_failed_restore_says_why_and_what_stays_changed() {
    let (fails, undo_fails) = (
        "exit 1",
        "[ ! -e \"$state/moved\" ] || exit 1\ntouch \"$state/moved\"\nmv \"$@\"",
    );
    let unlimited = "does not enforce it";
    // The double of mv, what the class wants, the archive and the claim are there; words, other words.
    for (mv, is_limited, has_archive, has_claim, words, others) in [
        (
            "mv \"$@\"",
            true,
            true,
            true,
            [unlimited, "the rename of the archive is undone"],
            "nothing was",
        ),
        (
            "mv \"$@\"",
            true,
            true,
            false,
            [unlimited, "; pvc/c -n d was created and stays"],
            "nothing was",
        ),
        (
            undo_fails,
            true,
            true,
            true,
            [unlimited, "the archive stays renamed to d-c-pvc-"],
            "undone",
        ),
        (
            fails,
            false,
            true,
            true,
            ["cannot rename", "; nothing was changed"],
            "stays",
        ),
        (
            fails,
            false,
            true,
            false,
            ["cannot rename", "; pvc/c -n d was created and stays"],
            "nothing was",
        ),
        (
            "mv \"$@\"",
            false,
            false,
            true,
            ["was removed meanwhile", "; nothing was changed"],
            "stays",
        ),
        (
            "mv \"$@\"",
            false,
            false,
            false,
            ["was removed meanwhile", "was created and stays"],
            "nothing was",
        ),
    ] {
        let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
        limited.replace_tool("mv", mv);
        let archive = path(&format!("archived-d-c-pvc-{UID}"));
        if has_archive {
            let mode = Attributes::with_mode(0o777);
            limited.export.create_directory(&archive, mode).await.unwrap();
        }
        let case = Case {
            parameters: if is_limited {
                json!({"quota": "enforce"})
            } else {
                json!({})
            },
            was_limited: false,
            needs_marker: false,
            has_claim,
            found: None,
        };
        let (restored, _, _) = restore_case(&limited.export, &case).await;
        let said = restored.unwrap_err().to_string();
        assert!(words.iter().all(|words| said.contains(words)), "{words:?}: {said}");
        assert!(!said.contains(others), "{others}: {said}");
        let is_archive = limited.export.path_exists(&archive).await.unwrap();
        assert_eq!(is_archive, has_archive && !said.contains("stays renamed"), "{said}");
    }
}

#[tokio::test]
async fn the_owner_marker_goes_only_if_the_archive_was_not_renamed() {
    let archive = path(&format!("archived-d-c-pvc-{UID}"));
    // The double of mv: the answer is lost of a rename that was made, and of one that was not.
    for (mv, is_renamed) in [("mv \"$@\"\nexit 1", true), ("exit 1", false)] {
        let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
        let mode = Attributes::with_mode(0o777);
        limited.export.create_directory(&archive, mode).await.unwrap();
        let case = Case {
            parameters: json!({}),
            was_limited: false,
            needs_marker: true,
            has_claim: true,
            found: None,
        };
        limited.replace_tool("mv", mv);
        let (restored, _, posted) = restore_case(&limited.export, &case).await;
        assert_eq!(restored.is_ok(), is_renamed, "{mv}: {restored:?}");
        assert_eq!(posted.is_object(), is_renamed, "{mv}: {posted}");
        let owner = limited.export.read_owner(&path("restored")).await.unwrap();
        assert_eq!(
            owner.map(|owner| owner.uid),
            is_renamed.then(|| CLAIM.to_owned()),
            "{mv}"
        );
    }
}
