//! When a volume is out of the making, and what that takes; the API server is a mock.

use k8s_openapi::api::core::v1::PersistentVolume;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::provisioner::mock::{answer, class, mock, next, refusal, waiting_claim, work};
use crate::provisioner::outcome::{Disposed, Outcome};
use crate::provisioner::volume::FINALIZER;

/// Until it is out of the making, a PV that is to be retained is held back: deleted before that, it would be unknown that
/// there was one, and its directory taken for half made. That it is let go of takes a request, which no claim waits for.
#[tokio::test]
async fn a_retained_volume_is_held_back_until_it_is_out_of_the_making() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join(".nfsprov/making/pvc-u");
    let mut class = class(json!({}));
    class.reclaim_policy = Some("Retain".to_owned());
    let (client, mut server) = mock();
    let work = std::sync::Arc::new(work(client, directory.path()));
    let maker = work.clone();
    let provisioning = tokio::spawn(async move { maker.provision(&waiting_claim(), Some(&class)).await });
    let (_, _, to) = next(&mut server).await;
    answer(to, 200, &serde_json::to_value(waiting_claim()).unwrap());
    let (what, request, to) = next(&mut server).await;
    assert_eq!(what, "POST persistentvolumes");
    assert!(link.symlink_metadata().is_ok());
    let body = request.into_body().collect_bytes().await.unwrap();
    let mut stored: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(stored["metadata"]["finalizers"], json!([MAKING]));
    stored["metadata"]["uid"] = json!("v");
    stored["metadata"]["finalizers"] = json!(["kubernetes.io/pv-protection", MAKING]);
    answer(to, 201, &stored);
    // The watch has it already: that is no reason to ask for it, now or after the claim's turn.
    let mut seen: PersistentVolume = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(work.dispose(&seen, None).await.unwrap(), Disposed::InHand);
    let result = provisioning.await.unwrap();
    assert!(matches!(result, Ok(Outcome::Provisioned { .. })), "{result:?}");
    assert!(link.symlink_metadata().is_ok());
    assert_eq!(work.dispose(&seen, None).await.unwrap(), Disposed::InHand);

    // Refused in calm, then seen by the watch.
    let noted = seen.clone();
    for (by_watch, status, object) in [
        (false, 403, refusal(403, "Forbidden")),
        (true, 403, refusal(403, "Forbidden")),
        (true, 200, stored),
    ] {
        let (work, seen) = (work.clone(), seen.clone());
        let letting_go = tokio::spawn(async move {
            match by_watch {
                true => work.dispose(&seen, None).await,
                false => work.let_go_of_made().await.map(|()| Disposed::Left),
            }
        });
        let (what, request, to) = next(&mut server).await;
        assert_eq!(what, "PATCH pvc-u");
        assert!(link.symlink_metadata().is_err());
        let body = request.into_body().collect_bytes().await.unwrap();
        let patch: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({"uid": "v", "$deleteFromPrimitiveList/finalizers": [MAKING]});
        assert_eq!(patch["metadata"], expected);
        answer(to, status, &object);
        let result = letting_go.await.unwrap();
        match (by_watch, status) {
            (false, _) => assert!(matches!(result, Err(WorkError::Api { .. })), "{result:?}"),
            (true, 403) => assert!(matches!(result, Ok(Disposed::Held(_))), "{result:?}"),
            (true, _) => assert_eq!(result.unwrap(), Disposed::Left),
        }
    }
    // What is noted waits for calm, but not one that is being deleted.
    work.note_made(&noted, &work.exports.locations()[0]);
    assert_eq!(work.dispose(&seen, None).await.unwrap(), Disposed::InHand);
    seen.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
    let deleted = work.clone();
    let letting_go = tokio::spawn(async move { deleted.dispose(&seen, None).await });
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "PATCH pvc-u");
    answer(to, 404, &refusal(404, "NotFound"));
    assert_eq!(letting_go.await.unwrap().unwrap(), Disposed::Left);
}

/// A PV with policy Delete has its finalizer for good, so that only what is written down about it has to go.
#[tokio::test]
async fn a_volume_is_out_of_the_making_without_a_word_to_the_api_server() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join(".nfsprov/making/pvc-u");
    let (client, mut server) = mock();
    let work = std::sync::Arc::new(work(client, directory.path()));
    let maker = work.clone();
    let provisioning = tokio::spawn(async move { maker.provision(&waiting_claim(), Some(&class(json!({})))).await });
    let (_, _, to) = next(&mut server).await;
    answer(to, 200, &serde_json::to_value(waiting_claim()).unwrap());
    let (what, request, to) = next(&mut server).await;
    assert_eq!(what, "POST persistentvolumes");
    let body = request.into_body().collect_bytes().await.unwrap();
    answer(to, 201, &serde_json::from_slice(&body).unwrap());
    provisioning.await.unwrap().unwrap();
    assert!(link.symlink_metadata().is_ok());
    work.let_go_of_made().await.unwrap();
    assert!(link.symlink_metadata().is_err());
}

/// A finalizer is taken off the PV that was meant: of a conflict it is found out whether that is still there.
#[tokio::test]
async fn a_conflict_is_another_volume_or_tried_again() {
    for (live, again) in [
        ((404, refusal(404, "NotFound")), false),
        ((200, json!({"metadata": {"name": "pv", "uid": "another"}})), false),
        ((200, json!({"metadata": {"name": "pv", "uid": "v"}})), true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let work = work(client, directory.path());
        let letting_go = tokio::spawn(async move { work.let_go("pv", Some("v"), FINALIZER).await });
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "PATCH pv");
        answer(to, 409, &refusal(409, "Conflict"));
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "GET pv");
        answer(to, live.0, &live.1);
        if again {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, "PATCH pv");
            answer(to, 200, &live.1);
        }
        letting_go.await.unwrap().unwrap();
    }
}

/// Letting go of what was made waits until no claim does.
#[tokio::test(start_paused = true)]
async fn what_was_made_is_let_go_of_in_calm() {
    let directory = tempfile::tempdir().unwrap();
    let (client, mut server) = mock();
    let work = std::sync::Arc::new(work(client, directory.path()));
    let volume = |name: &str| -> PersistentVolume {
        let annotations = json!({"pv.kubernetes.io/provisioned-by": "nfsprov/nfs"});
        let metadata = json!({"name": name, "uid": name, "finalizers": [MAKING], "annotations": annotations});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    };
    let busy = work.events.burst().making();
    let note = |name| work.note_made(&volume(name), &work.exports.locations()[0]);
    note("first");
    let begun = Instant::now();
    let letting_go = tokio::spawn({
        let work = work.clone();
        async move { work.let_go_in_calm().await }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(busy);
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "PATCH first");
    let waited = begun.elapsed();
    assert!(
        waited > Duration::from_secs(2) && waited < Duration::from_secs(3),
        "{waited:?}"
    );
    answer(to, 200, &serde_json::to_value(volume("first")).unwrap());
    // Claims that come all the time don't put it off for ever.
    let _busy = work.events.burst().making();
    note("second");
    let (what, _, _) = next(&mut server).await;
    assert_eq!(what, "PATCH second");
    letting_go.abort();
}
