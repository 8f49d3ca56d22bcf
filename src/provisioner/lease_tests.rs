//! Terms and their ends; the API server is a mock.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::provisioner::mock::{Server, answer, mock, next, refusal};

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
    assert!(Leadership::always_held().is_held_at(now));
    let (until, receiver) = watch::channel(None);
    let leading = Leadership::held_until(receiver);
    let second = Duration::from_secs(1);
    assert!(!leading.is_held_at(now), "before the first term");
    until.send_replace(Some(now + second));
    assert!(leading.is_held_at(now));
    // The term ends by the clock alone.
    assert!(!leading.is_held_at(now + second));
    until.send_replace(None);
    assert!(!leading.is_held_at(now));
}

#[test]
fn no_two_candidates_are_the_same() {
    assert_ne!(new_identity(), new_identity());
}

#[tokio::test(start_paused = true)]
async fn a_term_that_cannot_be_renewed_ends_in_time_and_the_next_begins_after_the_work_is_done() {
    let (client, server) = mock();
    let (answers, answering) = watch::channel(true);
    tokio::spawn(keep_lease(server, answering));
    let candidate = Candidate::new(client, "default", "lease");
    let leading = candidate.leadership();
    let (stop, stopped) = oneshot::channel::<()>();
    // What happened, in order: a term's beginning, its end as told, the end of its work.
    let story: Arc<Mutex<Vec<(&str, Instant)>>> = Arc::default();
    let told = story.clone();
    let running = tokio::spawn(candidate.run_while_leading(stopped.map(drop), move |over| {
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
    assert!(leading.is_held_at(Instant::now()), "it renews");
    answers.send_replace(false);
    let silent = Instant::now();
    sleep(RENEW_DEADLINE + Duration::from_millis(1)).await;
    assert!(!leading.is_held_at(Instant::now()), "it cannot renew");
    answers.send_replace(true);
    sleep(Duration::from_secs(25)).await;
    assert!(
        !leading.is_held_at(Instant::now()),
        "a new term while work of the last is in flight"
    );
    sleep(Duration::from_secs(10)).await;
    assert!(leading.is_held_at(Instant::now()), "it does not lead again");
    stop.send(()).unwrap();
    sleep(Duration::from_secs(25)).await;
    assert!(
        leading.is_held_at(Instant::now()),
        "it gave up the lease before its work was done"
    );
    running.await.unwrap();
    assert!(!leading.is_held_at(Instant::now()));

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
        let releasing = tokio::spawn(async move { candidate.release_lease().await.unwrap() });
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
