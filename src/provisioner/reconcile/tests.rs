//! What is done between two requests, and what is found out by them; the API server is a mock.

use k8s_openapi::api::core::v1::PersistentVolume;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::export::ExportError;
use crate::export::double::{Answer, Double};
use crate::provisioner::controller;
use crate::provisioner::lease::Leadership;
use crate::provisioner::mock::{
    answer, class, location, mock, next, reconciler, reconciler_on, refusal, waiting_claim,
};
use crate::provisioner::outcome::ProvisionOutcome;
use crate::provisioner::volume::FINALIZER;

/// The same, and the sender that says until when it leads.
fn leading_work(client: Client, export: &std::path::Path) -> (Reconciler, watch::Sender<Option<Instant>>) {
    let until = watch::Sender::new(Some(Instant::now() + Duration::from_secs(3600)));
    let leading = Leadership::held_until(until.subscribe());
    (reconciler(client, export).with_leadership(leading), until)
}

/// A claim may wait long for its permit: what counts is the claim as it is then, in the watch if there is one.
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
        let reconciler = Arc::new(reconciler(client, directory.path()));
        let provisioning = tokio::spawn({
            let reconciler = reconciler.clone();
            async move {
                reconciler
                    .provision_claim(&waiting_claim(), Some(&class(json!({}))), None)
                    .await
            }
        });
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "GET c");
        answer(to, status, &live);
        assert_eq!(
            provisioning.await.unwrap().unwrap(),
            ProvisionOutcome::NothingToDo,
            "{live}"
        );
        // Without a request.
        drop(server);
        let (watched, mut writer) = reflector::store();
        if status == 200 {
            writer.apply_watcher_event(&Event::Apply(serde_json::from_value(live.clone()).unwrap()));
        }
        let outcome = reconciler
            .provision_claim(&waiting_claim(), Some(&class(json!({}))), Some(&watched))
            .await;
        assert_eq!(outcome.unwrap(), ProvisionOutcome::NothingToDo, "{live}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{live}");
    }
}

/// Servers that refuse symbolic links are served, too.
#[tokio::test]
async fn a_claim_without_a_pattern_needs_nothing_but_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (client, mut server) = mock();
    let reconciler = reconciler(client, directory.path());
    let mut class = class(json!({}));
    class.reclaim_policy = Some("Retain".to_owned());
    let provisioning =
        tokio::spawn(async move { reconciler.provision_claim(&waiting_claim(), Some(&class), None).await });
    let (_, _, to) = next(&mut server).await;
    answer(to, 200, &serde_json::to_value(waiting_claim()).unwrap());
    let (what, request, to) = next(&mut server).await;
    assert_eq!(what, "POST persistentvolumes");
    let body = request.into_body().collect_bytes().await.unwrap();
    let stored: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(stored["metadata"].get("finalizers"), None);
    answer(to, 201, &stored);
    provisioning.await.unwrap().unwrap();
    let there: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(there.len(), 1, "{there:?}");
    assert!(directory.path().join("d-c-pvc-u").is_dir());
}

/// What can't be enforced is no volume, and what no server would be asked for makes no directory either.
#[tokio::test]
async fn a_claim_gets_no_volume_before_its_size_is_enforced() {
    let uid = "0b510b51-0b51-4b51-8b51-0b510b510b51";
    let mut claim = waiting_claim();
    claim.metadata.uid = Some(uid.to_owned());
    // No file system with project quotas.
    let export = tempfile::Builder::new().tempdir_in("/dev/shm").unwrap();
    let double = Double::new(|_, _, _| Answer::Object("directory", 2, 0o777));
    let (over_nfs, log) = double.export(location());
    for over_nfs in [None, Some(over_nfs)] {
        let (client, mut server) = mock();
        let is_over_nfs = over_nfs.is_some();
        let reconciler = match over_nfs {
            None => reconciler(client, export.path()),
            Some(over_nfs) => reconciler_on(client, over_nfs),
        };
        let (seen, class) = (claim.clone(), class(json!({"quota": "enforce"})));
        let provisioning = tokio::spawn(async move { reconciler.provision_claim(&seen, Some(&class), None).await });
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "GET c");
        answer(to, 200, &serde_json::to_value(&claim).unwrap());
        let outcome = provisioning.await.unwrap();
        match outcome {
            Ok(ProvisionOutcome::Refused(why)) if is_over_nfs => assert!(why.contains("--via ssh://"), "{why}"),
            Err(ReconcileError::Export(ExportError::NotEnforced { .. })) if !is_over_nfs => {}
            outcome => panic!("{outcome:?}"),
        }
    }
    assert!(log.lock().unwrap().is_empty());
    let name = format!("d-c-pvc-{uid}");
    assert!(export.path().join(name).is_dir());
}

/// As a claim that is deleted with `onDelete: retain` and created again.
#[tokio::test]
async fn a_directory_that_is_there_is_adopted_only_if_the_class_says_so() {
    for (on_existing, pattern, is_adopted) in [
        ("adopt", "${.PVC.namespace}/${.PVC.name}", true),
        ("refuse", "${.PVC.namespace}/${.PVC.name}", false),
        ("adopt", "${.PVC.name}/${.PVC.namespace}", false),
    ] {
        let export = tempfile::tempdir().unwrap();
        for directory in ["d/c", "c/d"] {
            std::fs::create_dir_all(export.path().join(directory)).unwrap();
            std::fs::write(export.path().join(directory).join("file"), "data").unwrap();
        }
        let (client, mut server) = mock();
        let reconciler = reconciler(client, export.path());
        let class = class(json!({"pathPattern": pattern, "onExisting": on_existing}));
        let provisioning =
            tokio::spawn(async move { reconciler.provision_claim(&waiting_claim(), Some(&class), None).await });
        let (_, _, to) = next(&mut server).await;
        answer(to, 200, &serde_json::to_value(waiting_claim()).unwrap());
        if is_adopted {
            let (what, request, to) = next(&mut server).await;
            assert_eq!(what, "POST persistentvolumes");
            let body = request.into_body().collect_bytes().await.unwrap();
            answer(to, 201, &serde_json::from_slice(&body).unwrap());
        }
        let outcome = provisioning.await.unwrap();
        assert_eq!(
            matches!(outcome, Ok(ProvisionOutcome::Provisioned { .. })),
            is_adopted,
            "{outcome:?}"
        );
        let marker = export.path().join(".nfsprov/owners/d/c/@owner");
        assert_eq!(marker.is_symlink(), is_adopted);
        assert_eq!(std::fs::read_to_string(export.path().join("d/c/file")).unwrap(), "data");
    }
}

/// MKDIR creates the directory with its mode, and nothing else is asked of the server.
#[tokio::test]
async fn a_claim_costs_one_nfs_call() {
    let (client, mut server) = mock();
    let double = Double::new(|_, _, _| Answer::Object("directory", 2, 0o777));
    let (export, log) = double.export(location());
    let reconciler = reconciler_on(client, export);
    let provisioning = tokio::spawn(async move {
        reconciler
            .provision_claim(&waiting_claim(), Some(&class(json!({}))), None)
            .await
    });
    for (status, object) in [
        (200, serde_json::to_value(waiting_claim()).unwrap()),
        (201, json!({"metadata": {"name": "pvc-u"}})),
    ] {
        let (_, _, to) = next(&mut server).await;
        answer(to, status, &object);
    }
    let result = provisioning.await.unwrap();
    assert!(matches!(result, Ok(ProvisionOutcome::Provisioned { .. })), "{result:?}");
    assert_eq!(*log.lock().unwrap(), ["mkdir root d-c-pvc-u"]);
}

/// Its name holds the claim's uid, so a PV that is there was made by an earlier try, unless it is another's.
#[tokio::test]
async fn a_volume_that_is_there_already_is_done() {
    let stored = |change: &[(&str, Value)]| {
        let mut volume = json!({"metadata": {"name": "pvc-u"}, "spec": {
            "nfs": {"server": "server", "path": "/export/d-c-pvc-u"},
            "claimRef": {"namespace": "d", "name": "c", "uid": "u"},
        }});
        for (pointer, value) in change {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            volume.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        volume
    };
    for (found, done) in [
        (stored(&[]), true),
        (stored(&[("/spec/nfs/path", json!("/export/elsewhere"))]), false),
        (stored(&[("/spec/nfs/server", json!("another"))]), false),
        (stored(&[("/spec/claimRef/uid", json!("another"))]), false),
        (
            stored(&[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))]),
            false,
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let reconciler = reconciler(client, directory.path());
        let provisioning = tokio::spawn(async move {
            reconciler
                .provision_claim(&waiting_claim(), Some(&class(json!({}))), None)
                .await
        });
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
            matches!(result, Ok(ProvisionOutcome::Provisioned { took: None, .. })),
            done,
            "{found}: {result:?}"
        );
        assert!(
            done || matches!(result, Err(ReconcileError::VolumeConflict(_))),
            "{result:?}"
        );
    }
}

/// Between the check that the claim is pending and the creation of its volume, no other task deletes the volume.
#[tokio::test]
async fn a_volume_is_in_one_hand_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let (client, mut server) = mock();
    let reconciler = std::sync::Arc::new(reconciler(client, directory.path()));
    let stored = json!({
        "metadata": {
            "name": "pvc-u", "uid": "v", "finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"pv.kubernetes.io/provisioned-by": "nfsprov/nfs"},
        },
        "spec": {"nfs": {"server": "server", "path": "/export/d-c-pvc-u"}, "persistentVolumeReclaimPolicy": "Delete",
                 "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "d", "name": "c", "uid": "u"}},
        "status": {"phase": "Released"},
    });
    let (first, seen) = (reconciler.clone(), serde_json::from_value(stored.clone()).unwrap());
    let disposing = tokio::spawn(async move { first.delete_volume(&seen, None).await });
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "GET pvc-u");
    let provisioning = tokio::spawn(async move {
        reconciler
            .provision_claim(&waiting_claim(), Some(&class(json!({}))), None)
            .await
    });
    answer(to, 200, &stored);
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "PATCH pvc-u");
    answer(to, 200, &stored);
    disposing.await.unwrap().unwrap();
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "GET c");
    answer(to, 404, &refusal(404, "NotFound"));
    assert_eq!(provisioning.await.unwrap().unwrap(), ProvisionOutcome::NothingToDo);
}

#[tokio::test]
async fn what_waits_for_its_turn_ends_when_everything_does() {
    let directory = tempfile::tempdir().unwrap();
    let (client, mut server) = mock();
    let reconciler = std::sync::Arc::new(reconciler(client, directory.path()));
    let mut tries = Vec::new();
    for _ in 0..2 {
        let reconciler = reconciler.clone();
        tries.push(tokio::spawn(async move {
            reconciler
                .provision_claim(&waiting_claim(), Some(&class(json!({}))), None)
                .await
        }));
    }
    // There is one turn: the other try waits for it.
    let (_, _, to) = next(&mut server).await;
    reconciler.set_stopping(true);
    answer(to, 404, &refusal(404, "NotFound"));
    let mut results = Vec::new();
    for one in tries {
        results.push(one.await.unwrap());
    }
    let stopped = results
        .iter()
        .filter(|result| matches!(result, Err(ReconcileError::Stopping)))
        .count();
    assert_eq!(stopped, 1, "{results:?}");
}

#[tokio::test]
async fn a_claim_gets_nothing_from_one_that_does_not_lead_any_more() {
    let (claim, class) = (waiting_claim(), class(json!({})));
    for leads in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let (reconciler, until) = leading_work(client, directory.path());
        let (seen, class) = (claim.clone(), class.clone());
        let provisioning = tokio::spawn(async move { reconciler.provision_claim(&seen, Some(&class), None).await });
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
        assert!(leads || matches!(result, Err(ReconcileError::NotLeading)), "{result:?}");
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
        let (reconciler, until) = leading_work(client, directory.path());
        let seen = volume.clone();
        let disposing = tokio::spawn(async move { reconciler.delete_volume(&seen, None).await });
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
        assert!(
            last == 2 || matches!(result, Err(ReconcileError::NotLeading)),
            "{result:?}"
        );
        assert_eq!(directory.path().join(name).exists(), stays, "{last}");
    }
}

/// A PV that came while another replica led would else be no neighbour of a claim's directory.
#[tokio::test(start_paused = true)]
async fn volumes_are_listed_anew_when_a_replica_leads_again() {
    let (root, (client, _server)) = (tempfile::tempdir().unwrap(), mock());
    let reconciler = Arc::new(reconciler(client, root.path()));
    assert!(reconciler.wait_until_volumes_listed().await.is_ok());
    controller::serve_cluster(reconciler.clone(), std::future::ready(())).await;
    assert!(reconciler.wait_until_volumes_listed().await.is_err());
}
