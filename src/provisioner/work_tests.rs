//! What is done between two requests, and what is found out by them; the API server is a mock.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::PersistentVolume;
use serde_json::{Value, json};

use super::*;
use crate::provisioner::lease::Leading;
use crate::provisioner::mock::{answer, class, mock, next, refusal, waiting_claim, work};
use crate::provisioner::outcome::Outcome;
use crate::provisioner::volume::FINALIZER;

/// The same, and the sender that says until when it leads.
fn leading_work(client: Client, export: &std::path::Path) -> (Work, watch::Sender<Option<Instant>>) {
    let until = watch::Sender::new(Some(Instant::now() + Duration::from_secs(3600)));
    let leading = Leading::until(until.subscribe());
    (work(client, export).only_while(leading), until)
}

/// The watch may lag behind: what counts is the claim as it is stored.
#[tokio::test]
async fn a_claim_is_read_once_more_before_anything_is_made() {
    let stored = |change: Value| {
        let mut claim = serde_json::to_value(waiting_claim()).unwrap();
        for (pointer, value) in change.as_object().unwrap() {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            claim.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        claim
    };
    for (status, live) in [
        (404, refusal(404, "NotFound")),
        (200, stored(json!({"/metadata/uid": "another"}))),
        (
            200,
            stored(json!({"/metadata/deletionTimestamp": "2026-01-01T00:00:00Z"})),
        ),
        (200, stored(json!({"/spec/volumeName": "pv"}))),
        (200, stored(json!({"/status/phase": "Bound"}))),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let work = work(client, directory.path());
        let provisioning = tokio::spawn(async move { work.provision(&waiting_claim(), Some(&class(json!({})))).await });
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "GET c");
        answer(to, status, &live);
        assert_eq!(provisioning.await.unwrap().unwrap(), Outcome::Left, "{live}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{live}");
    }
}

/// Its name holds the claim's uid, so a PV that is there was made by an earlier try, unless it is another's.
#[tokio::test]
async fn a_volume_that_is_there_already_is_done() {
    let nfs = |path: &str| json!({"metadata": {"name": "pvc-u"}, "spec": {"nfs": {"server": "server", "path": path}}});
    let mut going = nfs("/export/d-c-pvc-u");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    for (found, done) in [
        (nfs("/export/d-c-pvc-u"), true),
        (nfs("/export/elsewhere"), false),
        (going, false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let work = work(client, directory.path());
        let provisioning = tokio::spawn(async move { work.provision(&waiting_claim(), Some(&class(json!({})))).await });
        let (_, _, to) = next(&mut server).await;
        answer(to, 200, &serde_json::to_value(waiting_claim()).unwrap());
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "POST persistentvolumes");
        answer(to, 409, &refusal(409, "AlreadyExists"));
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "GET pvc-u");
        answer(to, 200, &found);
        let result = provisioning.await.unwrap();
        assert_eq!(
            matches!(result, Ok(Outcome::Provisioned { .. })),
            done,
            "{found}: {result:?}"
        );
        assert!(done || matches!(result, Err(WorkError::InTheWay(_))), "{result:?}");
    }
}

/// An export with the directory of a claim, by uid, that is still written down as being made; and the link that says so.
fn half_made(uid: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let export = tempfile::tempdir().unwrap();
    let making = export.path().join(".nfsprov/making");
    let (name, link) = (format!("d-c-pvc-{uid}"), making.join(format!("pvc-{uid}")));
    std::fs::create_dir_all(export.path().join(&name)).unwrap();
    std::fs::create_dir_all(making).unwrap();
    std::os::unix::fs::symlink(format!("k/d/c/{name}"), &link).unwrap();
    (export, link)
}

/// A try that ended early left a directory. Whether it goes is decided by the claim first, and then by the PV.
#[tokio::test]
async fn what_was_left_half_made_goes_when_nobody_waits_for_it() {
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    let name = format!("d-c-pvc-{uid}");
    let mut mine = serde_json::to_value(waiting_claim()).unwrap();
    mine["metadata"]["uid"] = json!(uid);
    let gone = || refusal(404, "NotFound");
    for (claim, volume, stays, ended) in [
        ((200, mine), None, true, false),
        ((404, gone()), Some((404, gone())), false, true),
        (
            (200, serde_json::to_value(waiting_claim()).unwrap()),
            Some((404, gone())),
            false,
            true,
        ),
        (
            (404, gone()),
            Some((200, json!({"metadata": {"name": format!("pvc-{uid}")}}))),
            true,
            true,
        ),
    ] {
        let (directory, link) = half_made(uid);
        let (client, mut server) = mock();
        let work = work(client, directory.path());
        let sweeping = tokio::spawn(async move { work.sweep(&HashSet::from(["k".to_owned()])).await });
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "GET c");
        answer(to, claim.0, &claim.1);
        if let Some((status, object)) = volume {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, format!("GET pvc-{uid}"));
            answer(to, status, &object);
        }
        sweeping.await.unwrap();
        assert_eq!(directory.path().join(&name).exists(), stays);
        assert_eq!(link.symlink_metadata().is_err(), ended);
    }
}

/// A volume may be dealt with, and its directory kept, between a sweep's first look and its last.
#[tokio::test]
async fn what_was_decided_during_a_sweep_stays_decided() {
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    let name = format!("d-c-pvc-{uid}");
    let (directory, link) = half_made(uid);
    let (client, mut server) = mock();
    let work = work(client, directory.path());
    let sweeping = tokio::spawn(async move { work.sweep(&HashSet::from(["k".to_owned()])).await });
    let (_, _, to) = next(&mut server).await;
    answer(to, 404, &refusal(404, "NotFound"));
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, format!("GET pvc-{uid}"));
    // What `dispose` does before it deletes the PV.
    std::fs::remove_file(link).unwrap();
    answer(to, 404, &refusal(404, "NotFound"));
    sweeping.await.unwrap();
    assert!(directory.path().join(name).exists());
}

/// Whatever becomes of a PV, its directory is not taken for half made afterwards, though a kill right after the PV was
/// made left it written down.
#[tokio::test]
async fn a_directory_that_stays_is_not_half_made() {
    let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
    for (policy, record) in [("Retain", "delete"), ("Delete", "retain")] {
        let (directory, link) = half_made(uid);
        let stored = json!({
            "metadata": {
                "name": format!("pvc-{uid}"), "uid": "v", "finalizers": [FINALIZER],
                "deletionTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {"pv.kubernetes.io/provisioned-by": "nfsprov/nfs", "nfsprov/on-delete": record},
            },
            "spec": {"nfs": {"server": "server", "path": format!("/export/d-c-pvc-{uid}")},
                     "persistentVolumeReclaimPolicy": policy},
            "status": {"phase": "Released"},
        });
        let (client, mut server) = mock();
        let work = work(client, directory.path());
        let seen = serde_json::from_value(stored.clone()).unwrap();
        let disposing = tokio::spawn(async move { work.dispose(&seen, None).await });
        for expected in ["GET", "PATCH"] {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, format!("{expected} pvc-{uid}"));
            // Before the PV can be gone.
            if expected == "PATCH" {
                assert!(link.symlink_metadata().is_err(), "{policy}");
            }
            answer(to, 200, &stored);
        }
        disposing.await.unwrap().unwrap();
        assert!(directory.path().join(format!("d-c-pvc-{uid}")).exists(), "{policy}");
    }
}

/// What makes a volume has looked whether its claim waits: nobody deals with the volume between that and the making, or
/// what is made afterwards would be taken for half made.
#[tokio::test]
async fn a_volume_is_in_one_hand_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let (client, mut server) = mock();
    let work = std::sync::Arc::new(work(client, directory.path()));
    let stored = json!({
        "metadata": {
            "name": "pvc-u", "uid": "v", "finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"pv.kubernetes.io/provisioned-by": "nfsprov/nfs"},
        },
        "spec": {"nfs": {"server": "server", "path": "/export/d-c-pvc-u"}, "persistentVolumeReclaimPolicy": "Retain"},
        "status": {"phase": "Released"},
    });
    let (first, seen) = (work.clone(), serde_json::from_value(stored.clone()).unwrap());
    let disposing = tokio::spawn(async move { first.dispose(&seen, None).await });
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "GET pvc-u");
    let provisioning = tokio::spawn(async move { work.provision(&waiting_claim(), Some(&class(json!({})))).await });
    answer(to, 200, &stored);
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "PATCH pvc-u");
    answer(to, 200, &stored);
    disposing.await.unwrap().unwrap();
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "GET c");
    answer(to, 404, &refusal(404, "NotFound"));
    assert_eq!(provisioning.await.unwrap().unwrap(), Outcome::Left);
}

/// Another cluster's provisioner may work on the same export: its claims are not known here, and so not gone.
#[tokio::test]
async fn what_another_cluster_has_begun_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let name = "d-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51";
    let making = directory.path().join(".nfsprov/making");
    std::fs::create_dir_all(directory.path().join(name)).unwrap();
    std::fs::create_dir_all(&making).unwrap();
    for (number, target) in [format!("l/d/c/{name}"), format!("/d/c/{name}"), format!("d/c/{name}")]
        .iter()
        .enumerate()
    {
        std::os::unix::fs::symlink(target, making.join(format!("pvc-{number}"))).unwrap();
    }
    let (client, server) = mock();
    // Any question would fail.
    drop(server);
    work(client, directory.path())
        .sweep(&HashSet::from(["k".to_owned()]))
        .await;
    assert!(directory.path().join(name).exists());
    assert_eq!(std::fs::read_dir(making).unwrap().count(), 3);
}

#[tokio::test]
async fn what_waits_for_its_turn_ends_when_everything_does() {
    let directory = tempfile::tempdir().unwrap();
    let (client, mut server) = mock();
    let work = std::sync::Arc::new(work(client, directory.path()));
    let mut tries = Vec::new();
    for _ in 0..2 {
        let work = work.clone();
        tries.push(tokio::spawn(async move {
            work.provision(&waiting_claim(), Some(&class(json!({})))).await
        }));
    }
    // There is one turn: the other try waits for it.
    let (_, _, to) = next(&mut server).await;
    work.stop(true);
    answer(to, 404, &refusal(404, "NotFound"));
    let mut results = Vec::new();
    for one in tries {
        results.push(one.await.unwrap());
    }
    let stopped = results
        .iter()
        .filter(|result| matches!(result, Err(WorkError::Stopping)))
        .count();
    assert_eq!(stopped, 1, "{results:?}");
}

#[tokio::test]
async fn a_claim_gets_nothing_from_one_that_does_not_lead_any_more() {
    let (claim, class) = (waiting_claim(), class(json!({})));
    for leads in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let (work, until) = leading_work(client, directory.path());
        let (seen, class) = (claim.clone(), class.clone());
        let provisioning = tokio::spawn(async move { work.provision(&seen, Some(&class)).await });
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "GET c");
        // Its time ran out while it waited for the answer.
        if !leads {
            until.send_replace(Some(Instant::now()));
        }
        answer(to, 200, &serde_json::to_value(&claim).unwrap());
        if leads {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, "POST persistentvolumes");
            answer(to, 201, &json!({"metadata": {"name": "pvc-u"}}));
        }
        let result = provisioning.await.unwrap();
        assert_eq!(result.is_ok(), leads, "{result:?}");
        assert!(leads || matches!(result, Err(WorkError::NotLeading)), "{result:?}");
        assert_eq!(directory.path().join("d-c-pvc-u").exists(), leads);
    }
}

#[tokio::test]
async fn a_volume_is_left_by_one_that_does_not_lead_any_more() {
    let name = "d-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51";
    let volume: PersistentVolume = serde_json::from_value(json!({
        "metadata": {"name": "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51", "uid": "v", "finalizers": [FINALIZER], "annotations": {
            "pv.kubernetes.io/provisioned-by": "nfsprov/nfs", "nfsprov/on-delete": "delete"}},
        "spec": {"nfs": {"server": "server", "path": format!("/export/{name}")},
                 "persistentVolumeReclaimPolicy": "Delete",
                 "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "d", "name": "c", "uid": "u"}},
        "status": {"phase": "Released"},
    }))
    .unwrap();
    // With which request's answer its time runs out, and what it has done by then.
    let requests = [
        "GET pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        "DELETE pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        "PATCH pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
    ];
    for (last, stays) in [(0, true), (1, false), (2, false)] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(name)).unwrap();
        let (client, mut server) = mock();
        let (work, until) = leading_work(client, directory.path());
        let seen = volume.clone();
        let disposing = tokio::spawn(async move { work.dispose(&seen, None).await });
        let asked = &requests[..=last];
        for (number, expected) in asked.iter().enumerate() {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, *expected);
            if number == last {
                until.send_replace(Some(Instant::now()));
            }
            answer(to, 200, &serde_json::to_value(&volume).unwrap());
        }
        let result = disposing.await.unwrap();
        assert_eq!(result.is_ok(), last == 2, "{last}: {result:?}");
        assert!(last == 2 || matches!(result, Err(WorkError::NotLeading)), "{result:?}");
        assert_eq!(directory.path().join(name).exists(), stays, "{last}");
    }
}
