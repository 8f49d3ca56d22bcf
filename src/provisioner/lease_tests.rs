//! Terms and their ends, and that nothing is begun after them; the API server is a mock.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{Handle, SendResponse, pair};

use super::*;
use crate::export::{Export, Location, Mounted};
use crate::provisioner::events::Events;
use crate::provisioner::exports::Exports;
use crate::provisioner::outcome::WorkError;
use crate::provisioner::volume::FINALIZER;
use crate::provisioner::work::{Settings, Work};

type Server = Pin<Box<Handle<Request<Body>, Response<Body>>>>;

fn mock() -> (Client, Server) {
    let (service, handle) = pair::<Request<Body>, Response<Body>>();
    (Client::new(service, "default"), Box::pin(handle))
}

/// The next request's method and object.
async fn next(server: &mut Server) -> (String, Request<Body>, SendResponse<Response<Body>>) {
    let (request, answer) = server.as_mut().next_request().await.expect("a request");
    let object = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    (format!("{} {object}", request.method()), request, answer)
}

fn answer(to: SendResponse<Response<Body>>, status: u16, object: &Value) {
    let body = Body::from(serde_json::to_vec(object).unwrap());
    to.send_response(Response::builder().status(status).body(body).unwrap());
}

fn refusal(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

/// An API server that keeps one lease, as long as `answers` says so, and who wrote it when.
async fn keep_lease(mut server: Server, answers: watch::Receiver<bool>) {
    let mut stored: Option<Value> = None;
    let mut unanswered = Vec::new();
    while let Some((request, to)) = server.as_mut().next_request().await {
        if !*answers.borrow() {
            unanswered.push(to);
            continue;
        }
        if request.method() == "GET" {
            match &stored {
                Some(lease) => answer(to, 200, lease),
                None => answer(to, 404, &refusal(404, "NotFound")),
            }
            continue;
        }
        let body = request.into_body().collect_bytes().await.unwrap();
        let lease: Value = serde_json::from_slice(&body).unwrap();
        answer(to, 200, &lease);
        stored = Some(lease);
    }
}

#[test]
fn leading_is_a_matter_of_time() {
    let now = Instant::now();
    assert!(Leading::always().still(now));
    let (until, receiver) = watch::channel(None);
    let leading = Leading { until: Some(receiver) };
    let second = Duration::from_secs(1);
    assert!(!leading.still(now), "before the first term");
    until.send_replace(Some(now + second));
    assert!(leading.still(now));
    // The clock alone ends it: nobody had to notice.
    assert!(!leading.still(now + second));
    until.send_replace(None);
    assert!(!leading.still(now));
}

#[test]
fn no_two_candidates_are_the_same() {
    assert_ne!(identity(), identity());
}

#[tokio::test(start_paused = true)]
async fn a_term_that_cannot_be_renewed_ends_in_time_and_the_next_begins_after_the_work_is_done() {
    let (client, server) = mock();
    let (answers, answering) = watch::channel(true);
    tokio::spawn(keep_lease(server, answering));
    let candidate = Candidate::new(client, "default", "lease");
    let leading = candidate.leading();
    let (stop, stopped) = oneshot::channel::<()>();
    // What happened, in order: a term's beginning, its end as told, the end of its work.
    let story: Arc<Mutex<Vec<(&str, Instant)>>> = Arc::default();
    let told = story.clone();
    let running = tokio::spawn(candidate.run(stopped.map(drop), move |over| {
        let told = told.clone();
        async move {
            let tell = |what| told.lock().unwrap().push((what, Instant::now()));
            tell("begin");
            over.await;
            tell("over");
            // What is in flight takes its time.
            sleep(Duration::from_secs(30)).await;
            tell("done");
        }
    }));
    sleep(Duration::from_secs(60)).await;
    assert!(leading.still(Instant::now()), "it renews");
    answers.send_replace(false);
    let silent = Instant::now();
    sleep(RENEW_DEADLINE + Duration::from_millis(1)).await;
    assert!(!leading.still(Instant::now()), "it cannot renew");
    answers.send_replace(true);
    sleep(Duration::from_secs(25)).await;
    assert!(
        !leading.still(Instant::now()),
        "a new term while work of the last is in flight"
    );
    sleep(Duration::from_secs(10)).await;
    assert!(leading.still(Instant::now()), "it does not lead again");
    stop.send(()).unwrap();
    sleep(Duration::from_secs(25)).await;
    assert!(
        leading.still(Instant::now()),
        "it gave up the lease before its work was done"
    );
    running.await.unwrap();
    assert!(!leading.still(Instant::now()));

    let story = story.lock().unwrap();
    let words: Vec<&str> = story.iter().map(|(what, _)| *what).collect();
    assert_eq!(words, ["begin", "over", "done", "begin", "over", "done"]);
    let over = story[1].1 - silent;
    assert!(over <= RENEW_DEADLINE, "told after {over:?}");
}

#[tokio::test]
async fn a_lease_is_released_with_its_version_and_only_if_it_is_ours() {
    for (holder, writes) in [(None, true), (Some("other"), false)] {
        let (client, mut server) = mock();
        let mut candidate = Candidate::new(client, "default", "lease");
        let holder = holder.unwrap_or(&candidate.me).to_owned();
        let releasing = tokio::spawn(async move { candidate.release().await.unwrap() });
        let stored = json!({"metadata": {"name": "lease", "resourceVersion": "7"}, "spec": {"holderIdentity": holder}});
        let (_, _, to) = next(&mut server).await;
        answer(to, 200, &stored);
        if writes {
            // A renewal came between: it is read again.
            let (_, _, to) = next(&mut server).await;
            answer(to, 409, &refusal(409, "Conflict"));
            let (_, _, to) = next(&mut server).await;
            answer(to, 200, &stored);
            let (what, request, to) = next(&mut server).await;
            assert_eq!(what, "PUT lease");
            let body = request.into_body().collect_bytes().await.unwrap();
            let written: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(written["metadata"]["resourceVersion"], "7");
            assert_eq!(written["spec"]["holderIdentity"], "");
            answer(to, 200, &written);
        }
        assert_eq!(releasing.await.unwrap(), writes);
    }
}

/// Work on a directory of this machine, and the sender that says until when it leads.
fn work(client: Client, export: &std::path::Path) -> (Work, watch::Sender<Option<Instant>>) {
    let location = Location {
        server: "server".into(),
        path: "/export".into(),
    };
    let settings = Settings {
        name: "nfsprov/nfs".into(),
        namespace: None,
        dry_run: false,
        request_timeout: Duration::from_secs(5),
    };
    let until = watch::Sender::new(Some(Instant::now() + Duration::from_secs(3600)));
    let leading = Leading {
        until: Some(until.subscribe()),
    };
    let export = Export::Mounted(Mounted::new(location.clone(), export));
    let exports = Exports::new((location, export), Vec::new(), 1);
    let work = Work::new(settings, client, exports, Events::silent()).only_while(leading);
    work.volumes_are_known();
    (work, until)
}

#[tokio::test]
async fn a_claim_gets_nothing_from_one_that_does_not_lead_any_more() {
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": {"name": "c", "namespace": "d", "uid": "u",
                     "annotations": {"volume.kubernetes.io/storage-provisioner": "nfsprov/nfs"}},
        "spec": {"storageClassName": "nfs", "accessModes": ["ReadWriteMany"],
                 "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Pending"},
    }))
    .unwrap();
    let class: StorageClass =
        serde_json::from_value(json!({"metadata": {"name": "nfs"}, "provisioner": "nfsprov/nfs"})).unwrap();
    for leads in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let (work, until) = work(client, directory.path());
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
        "GET pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        "PATCH pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
    ];
    for (last, stays) in [(0, true), (1, false), (2, false), (3, false)] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(name)).unwrap();
        let (client, mut server) = mock();
        let (work, until) = work(client, directory.path());
        let seen = volume.clone();
        let disposing = tokio::spawn(async move { work.dispose(&seen, None).await });
        let asked = &requests[..=if last == 1 { 2 } else { last }];
        for (number, expected) in asked.iter().enumerate() {
            let (what, _, to) = next(&mut server).await;
            assert_eq!(what, *expected);
            if number == last {
                until.send_replace(Some(Instant::now()));
            }
            answer(to, 200, &serde_json::to_value(&volume).unwrap());
        }
        let result = disposing.await.unwrap();
        assert_eq!(result.is_ok(), last == 3, "{last}: {result:?}");
        assert!(last == 3 || matches!(result, Err(WorkError::NotLeading)), "{result:?}");
        assert_eq!(directory.path().join(name).exists(), stays, "{last}");
    }
}
