//! Deletion: volumes that share a directory or whose directories are nested, and finalizers; the API server is a mock.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::provisioner::mock::{answer, class, mock, next, reconciler, refusal, upstream_volume};

const POLICY: &str = "/spec/persistentVolumeReclaimPolicy";
const TERMINATING: &str = "/metadata/deletionTimestamp";

/// Deletes PV `pvc-a` at `team`, of a class with `parameters`, while `neighbour` is known. The API server agrees to
/// everything.
async fn delete_beside(
    neighbour: &PersistentVolume,
    neighbour_parameters: &Value,
    parameters: &Value,
    export: &Path,
) -> Result<DeletionOutcome, ReconcileError> {
    let (client, mut server) = mock();
    let reconciler = reconciler(client, export);
    reconciler.record_volume(neighbour, Some(&class(neighbour_parameters.clone())));
    let (volume, class) = (upstream_volume("a", "team", &[]), class(parameters.clone()));
    let stored = serde_json::to_value(&volume).unwrap();
    let disposing = tokio::spawn(async move { reconciler.delete_volume(&volume, Some(&class)).await });
    let agreeing = tokio::spawn(async move {
        loop {
            let (_, _, to) = next(&mut server).await;
            answer(to, 200, &stored);
        }
    });
    let result = disposing.await.unwrap();
    agreeing.abort();
    result
}

/// An export with the file `file` in `directory`.
fn export_with(directory: &str) -> tempfile::TempDir {
    let export = tempfile::tempdir().unwrap();
    let directory = export.path().join(directory);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("file"), "kept").unwrap();
    export
}

/// For a PV at `team`: the neighbour's directory, and the class' parameters.
fn places_and_fates() -> Vec<(&'static str, Value)> {
    let fates = || [json!({"archiveOnDelete": "false"}), json!({})];
    ["team", "team/b"]
        .into_iter()
        .flat_map(|place| fates().map(|parameters| (place, parameters)))
        .collect()
}

#[tokio::test]
async fn data_of_a_volume_that_is_kept_is_not_taken_with_its_neighbours() {
    let terminating = (TERMINATING, json!("2026-01-01T00:00:00Z"));
    for neighbour in [
        vec![(POLICY, json!("Retain"))],
        // The same server, perhaps.
        vec![
            (POLICY, json!("Retain")),
            ("/spec/nfs/server", json!("no-such-host.invalid")),
        ],
        vec![terminating.clone(), ("/status/phase", json!("Bound"))],
        vec![terminating],
        vec![("/status/phase", json!("Bound"))],
    ] {
        for (place, parameters) in places_and_fates() {
            let export = export_with(place);
            let volume = upstream_volume("b", place, &neighbour);
            let result = delete_beside(&volume, &parameters, &parameters, export.path()).await;
            let about = format!("{neighbour:?} at {place}, {parameters}: {result:?}");
            assert!(
                matches!(&result, Err(ReconcileError::DirectoryShared { directory, other }) if directory == "team" && other == "pvc-b"),
                "{about}"
            );
            assert!(export.path().join(place).join("file").exists(), "{about}");
        }
    }
}

/// Else one server that is gone could keep the claims of all others Pending.
#[tokio::test]
async fn an_unknown_server_protects_its_directories_from_removal_only() {
    for (server, removal, is_neighbour) in [
        ("server", None, true),
        ("no-such-host.invalid", None, false),
        ("no-such-host.invalid", Some(OnDelete::Archive), true),
        ("no-such-host.invalid", Some(OnDelete::Delete), true),
    ] {
        let (client, _server) = mock();
        let export = tempfile::tempdir().unwrap();
        let reconciler = reconciler(client, export.path());
        let change = [("/spec/nfs/server", json!(server)), (POLICY, json!("Retain"))];
        reconciler.record_volume(&upstream_volume("b", "team", &change), None);
        let served = reconciler.exports.iter().next().unwrap();
        let team = crate::export::VolumePath::parse("team").unwrap();
        let found = reconciler.find_neighbour(served, &team, "pvc-a", removal).await;
        assert_eq!(found.is_some(), is_neighbour, "{server} {removal:?}");
    }
}

#[tokio::test]
async fn volumes_that_are_all_taken_do_not_wait_for_each_other() {
    for (place, parameters) in places_and_fates() {
        let export = export_with(place);
        let volume = upstream_volume("b", place, &[]);
        let result = delete_beside(&volume, &parameters, &parameters, export.path()).await;
        let about = format!("{place}, {parameters}: {result:?}");
        assert!(matches!(result, Ok(DeletionOutcome::Deleted { .. })), "{about}");
        assert!(!export.path().join("team").exists(), "{about}");
        let archived = export.path().join("archived-team-pvc-a").exists();
        assert_eq!(archived, parameters == json!({}), "{about}");
    }
}

/// Otherwise what is to be archived would be deleted with the directory around it.
#[tokio::test]
async fn a_directory_is_not_deleted_before_those_in_it_are_archived() {
    let (deletes, archives) = (json!({"archiveOnDelete": "false"}), json!({}));
    for place in ["team", "team/b"] {
        for (neighbour_parameters, parameters, waits) in [(&archives, &deletes, true), (&deletes, &archives, false)] {
            let export = export_with(place);
            let volume = upstream_volume("b", place, &[]);
            let result = delete_beside(&volume, neighbour_parameters, parameters, export.path()).await;
            let about = format!("{place}, {parameters}: {result:?}");
            assert_eq!(
                matches!(result, Err(ReconcileError::DirectoryShared { .. })),
                waits,
                "{about}"
            );
            assert_eq!(export.path().join(place).join("file").exists(), waits, "{about}");
        }
    }
}

/// The finalizer of the PV that was meant: after a conflict the PV of the name may be another, which the next attempt finds.
#[tokio::test]
async fn a_conflict_leaves_the_finalizer_to_the_next_attempt() {
    for (status, reason, is_removed) in [(409, "Conflict", false), (404, "NotFound", true)] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let reconciler = reconciler(client, directory.path());
        let removing = tokio::spawn(async move { reconciler.remove_finalizer("pv", Some("v"), FINALIZER).await });
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "PATCH pv");
        answer(to, status, &refusal(status, reason));
        assert_eq!(removing.await.unwrap().is_ok(), is_removed, "{reason}");
    }
}

/// The watch reports the PV's deletion timestamp, and the loss of its finalizers, one by one.
#[tokio::test]
async fn a_volume_that_is_deleted_is_not_looked_at_again() {
    for (patched, requests_afterwards) in [(200, 0), (409, 3)] {
        let export = export_with("team");
        let (client, mut server) = mock();
        let reconciler = reconciler(client, export.path());
        let (volume, class) = (upstream_volume("a", "team", &[]), class(json!({})));
        let stored = serde_json::to_value(&volume).unwrap();
        let mut deletes_twice = std::pin::pin!(async {
            _ = reconciler.delete_volume(&volume, Some(&class)).await;
            reconciler.delete_volume(&volume, Some(&class)).await
        });
        let mut requests = Vec::new();
        loop {
            tokio::select! {
                _ = &mut deletes_twice => break,
                (what, _, to) = next(&mut server) => {
                    match what.starts_with("PATCH") {
                        true if patched != 200 => answer(to, patched, &refusal(patched, "Conflict")),
                        _ => answer(to, 200, &stored),
                    }
                    requests.push(what);
                }
            }
        }
        let first = ["GET pvc-a", "DELETE pvc-a", "PATCH pvc-a"];
        assert_eq!(requests[..3], first, "{patched}");
        assert_eq!(requests.len(), first.len() + requests_afterwards, "{requests:?}");
    }
}

/// An earlier version put it on PVs with policy Retain, and a kill left it there.
#[tokio::test]
async fn the_finalizer_of_an_earlier_version_is_removed_and_the_directory_stays() {
    for is_terminating in [false, true] {
        let export = export_with("d-c-pvc-b");
        let (client, mut server) = mock();
        let reconciler = reconciler(client, export.path());
        let finalizers = json!(["kubernetes.io/pv-protection", FORMER_FINALIZER]);
        let mut change = vec![
            (POLICY, json!("Retain")),
            ("/metadata/finalizers", finalizers),
            ("/status/phase", json!("Bound")),
        ];
        if is_terminating {
            change.push((TERMINATING, json!("2026-01-01T00:00:00Z")));
        }
        let volume = upstream_volume("b", "d-c-pvc-b", &change);
        let seen = volume.clone();
        let disposing = tokio::spawn(async move { reconciler.delete_volume(&seen, None).await });
        let (what, request, to) = next(&mut server).await;
        assert_eq!(what, "PATCH pvc-b");
        let body = request.into_body().collect_bytes().await.unwrap();
        let patch: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({"uid": "volume-b", "$deleteFromPrimitiveList/finalizers": [FORMER_FINALIZER]});
        assert_eq!(patch["metadata"], expected);
        answer(to, 200, &serde_json::to_value(&volume).unwrap());
        assert_eq!(disposing.await.unwrap().unwrap(), DeletionOutcome::NothingToDo);
        assert!(export.path().join("d-c-pvc-b/file").exists());
    }
}
