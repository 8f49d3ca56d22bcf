//! Restores in which the volume gets a limit; the API server is a mock, the server's tools are doubles.

use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::{Value, json};

use super::*;
use crate::export::{Attributes, LimitedExport, Mounted, VolumePath, Wire};
use crate::provisioner::mock::{answer, class, location, mock, next, refusal};

const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

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

/// As [`restore_with`], where no answer is lost.
async fn restore(
    export: &Export,
    parameters: Value,
    was_limited: bool,
) -> (Result<(PersistentVolume, bool), RestoreError>, Vec<String>, Value) {
    restore_with(export, parameters, was_limited, None).await
}

/// Restores an archive for a claim of 10Mi, whose class has `parameters`. Returns the outcome and what the API server was
/// asked, with the PV that was posted. The answer to that is lost if `found` says what becomes of it.
async fn restore_with(
    export: &Export,
    parameters: Value,
    was_limited: bool,
    found: Option<Found>,
) -> (Result<(PersistentVolume, bool), RestoreError>, Vec<String>, Value) {
    let volume = format!("pvc-{UID}");
    let back = ReturnPlan {
        archive: Some(path(&format!("archived-d-c-{volume}"))),
        directory: path(&format!("d-c-{volume}")),
        volume: volume.clone(),
        needs_marker: false,
    };
    let claim = json!({
        "metadata": {"name": "c", "namespace": "d", "uid": "11111111-2222-4333-8444-555555555555"},
        "spec": {"storageClassName": "nfs", "volumeName": volume, "resources": {"requests": {"storage": "10Mi"}}},
    });
    let class: StorageClass = class(parameters);
    let (client, mut server) = mock();
    let location = location();
    let restore = Restore {
        client: &client,
        export,
        location: &location,
        back: &back,
        namespace: "d",
        claim: "c",
        size: None,
        new_claim: None,
        was_limited,
    };
    let (mut asked, mut posted) = (Vec::new(), Value::Null);
    let answering = async {
        loop {
            let (what, request, to) = next(&mut server).await;
            match what.as_str() {
                "GET c" => answer(to, 200, &claim),
                "GET nfs" => answer(to, 200, &serde_json::to_value(&class).unwrap()),
                "POST persistentvolumes" => {
                    let body = request.into_body().collect_bytes().await.unwrap();
                    posted = serde_json::from_slice(&body).unwrap();
                    match found {
                        None => answer(to, 201, &posted),
                        // The answer is lost.
                        Some(_) => to.send_error("connection reset"),
                    }
                }
                _ if what.starts_with("GET pvc-") => match found {
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
        let (restored, _, _) = restore_with(&export, json!({}), false, Some(found)).await;
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
