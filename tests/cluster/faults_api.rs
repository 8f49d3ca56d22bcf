//! An API server that fails in every way, and a provisioner that is stopped under load.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use kube::ResourceExt;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::kit::{EVENT_TIMEOUT, Provisioner, Scene};
use crate::leader::one_of_each;
use crate::proxy::{Fault, Proxy, goes_on, lists, makes};
use crate::stage::{Stage, usual_or_thorough};

/// How long the API server is unavailable: longer than a Lease lasts.
fn away() -> Duration {
    usual_or_thorough(Duration::from_secs(20), Duration::from_secs(60))
}

crate::tests! {
    Newest: the_api_server_may_be_away_under_load,
    Newest: a_busy_api_server_is_asked_again,
    Both("new API servers stream lists"): expired_watches_are_listed_again_page_by_page,
    Both("new API servers stream lists"): a_list_that_is_cut_or_expires_is_restarted,
    Newest: stopped_under_load_it_finishes_what_is_in_flight,
    Newest: a_second_signal_ends_it_at_once,
}

/// Creates claims called `name` and a number, all at once.
async fn claims(scene: &Scene, name: &str, count: usize) -> Result<()> {
    let make = (0..count).map(|number| async move { scene.claim(&format!("{name}{number}"), json!({})).await });
    try_join_all(make).await?;
    Ok(())
}

/// Like [`claims`], and waits until each is annotated with the provisioner.
async fn claims_handed_over(scene: &Scene, name: &str, count: usize) -> Result<()> {
    let make =
        (0..count).map(|number| async move { scene.claim_handed_over(&format!("{name}{number}"), json!({})).await });
    try_join_all(make).await?;
    Ok(())
}

async fn the_api_server_may_be_away_under_load(stage: Arc<Stage>) -> Result<()> {
    let mut plane = stage.another_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    let args = ["--leader-elect", "--lease-namespace", &scene.namespace];
    let mut provisioner = scene.watch(&args).await?;
    claims(&scene, "gone", 20).await?;
    let mut volumes = Vec::new();
    for number in 0..20 {
        volumes.push(scene.bound(&format!("gone{number}")).await?.name_any());
    }
    // While 30 volumes are created and 20 are deleted.
    let gone = (0..20).map(|number| {
        let claims = scene.claims();
        async move { claims.delete(&format!("gone{number}"), &Default::default()).await }
    });
    tokio::try_join!(claims(&scene, "c", 30), async { Ok(try_join_all(gone).await?) })?;
    provisioner.wait_for_log("/c").await?;
    plane.kill_api_server().await?;
    let back = Instant::now() + away();
    provisioner.wait_for_log("lease lost").await?;
    sleep_until(back).await;
    plane.start_api_server().await?;
    claims(&scene, "after", 5).await?;
    // Watches restart at most half a minute after a failure, here and in the controller manager.
    for wait in 1.. {
        let left = scene.own_volumes().await?;
        if !left.iter().any(|volume| volumes.contains(volume)) {
            break;
        }
        ensure!(
            wait < 2 * EVENT_TIMEOUT.as_secs(),
            "{left:?} don't go: {}",
            provisioner.log()
        );
        sleep(Duration::from_secs(1)).await;
    }
    one_of_each(&scene).await?;
    let status = provisioner.stop().await?;
    ensure!(status.code() == Some(0), "{status}");
    plane.stop().await
}

async fn a_busy_api_server_is_asked_again(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let proxy = Proxy::before(&scene, None).await?;
    let all = [
        proxy.inject(2, Fault::Status(429), |method, uri| {
            lists(method, uri, "persistentvolumeclaims")
        }),
        proxy.inject(2, Fault::Status(503), |method, uri| {
            lists(method, uri, "persistentvolumes")
        }),
        proxy.inject(1, Fault::Status(503), |method, uri| {
            lists(method, uri, "storageclasses")
        }),
        proxy.inject(5, Fault::Status(429), |method, uri| {
            makes(method, uri, "persistentvolumes")
        }),
        // After the burst, the provisioner reads a claim for the record of its volume.
        proxy.inject(5, Fault::Status(503), |_, uri| {
            uri.path().contains("/persistentvolumeclaims/")
        }),
        proxy.inject(3, Fault::Status(503), |method, uri| makes(method, uri, "events")),
    ];
    claims_handed_over(&scene, "early", 4).await?;
    let _provisioner = scene.watch_as(&proxy.kubeconfig, &[]).await?;
    claims(&scene, "late", 6).await?;
    one_of_each(&scene).await?;
    let end = Instant::now() + EVENT_TIMEOUT;
    for (number, injected) in all.iter().enumerate() {
        while injected.load(Ordering::Relaxed) == 0 {
            ensure!(Instant::now() < end, "fault {number} never occurred");
            sleep(Duration::from_millis(100)).await;
        }
    }
    let mut found_events = Vec::new();
    for claim in scene.claims().list(&Default::default()).await? {
        found_events.extend(scene.events(&claim.name_any()).await?);
    }
    let causes = found_events
        .iter()
        .filter(|event| event.contains("injected by the test's proxy; next try in"));
    ensure!(causes.count() > 0, "{found_events:?}");
    Ok(())
}

async fn expired_watches_are_listed_again_page_by_page(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    let proxy = Proxy::before(&scene, Some(2)).await?;
    let mut provisioner = scene.watch_as(&proxy.kubeconfig, &[]).await?;
    scene.claim("before", json!({})).await?;
    let volume = scene.bound("before").await?;
    // No watch sees these events: each watch has expired, and lists fail.
    let refused = [
        proxy.inject(usize::MAX, Fault::Status(503), |method, uri| {
            lists(method, uri, "persistentvolumeclaims")
        }),
        proxy.inject(usize::MAX, Fault::Status(503), |method, uri| {
            lists(method, uri, "persistentvolumes")
        }),
    ];
    proxy.expire_watches();
    for refused in &refused {
        let end = Instant::now() + EVENT_TIMEOUT;
        while refused.load(Ordering::Relaxed) == 0 {
            ensure!(Instant::now() < end, "nothing is listed again: {}", provisioner.log());
            sleep(Duration::from_millis(20)).await;
        }
    }
    provisioner.wait_for_log("watching claims: ").await?;
    claims_handed_over(&scene, "meanwhile", 7).await?;
    scene.claims().delete("before", &Default::default()).await?;
    let pages = proxy.further_pages();
    proxy.heal();
    scene.wait_until_deleted(&volume.name_any()).await?;
    one_of_each(&scene).await?;
    ensure!(proxy.further_pages() >= pages + 3, "the lists had one page");
    ensure!(
        provisioner.log().matches("provisioned claim=").count() == 8,
        "{}",
        provisioner.log()
    );
    // The watches continue from the versions of the lists.
    proxy.expire_watches();
    scene.claim("after", json!({})).await?;
    one_of_each(&scene).await
}

async fn a_list_that_is_cut_or_expires_is_restarted(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    claims_handed_over(&scene, "c", 7).await?;
    let proxy = Proxy::before(&scene, Some(2)).await?;
    let injected = [
        proxy.inject(2, Fault::Cut(100), |method, uri| {
            goes_on(method, uri, "persistentvolumeclaims")
        }),
        proxy.inject(1, Fault::Status(410), |method, uri| {
            goes_on(method, uri, "persistentvolumeclaims")
        }),
        proxy.inject(1, Fault::Cut(100), |method, uri| lists(method, uri, "storageclasses")),
    ];
    let mut provisioner = scene.watch_as(&proxy.kubeconfig, &[]).await?;
    provisioner.wait_for_log("watching claims: ").await?;
    one_of_each(&scene).await?;
    for (number, injected) in injected.iter().enumerate() {
        ensure!(injected.load(Ordering::Relaxed) > 0, "fault {number} never occurred");
    }
    ensure!(
        provisioner.log().matches("provisioned claim=").count() == 7,
        "{}",
        provisioner.log()
    );
    Ok(())
}

async fn stopped_under_load_it_finishes_what_is_in_flight(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    for signal in ["TERM", "INT"] {
        let mut provisioner = scene.watch(&[]).await?;
        claims(&scene, &format!("{}-", signal.to_lowercase()), 40).await?;
        provisioner.wait_for_log("provisioned claim=").await?;
        let log = provisioner.log_file();
        provisioner.signal(signal)?;
        let status = provisioner.wait_until_ended().await?;
        let log = std::fs::read_to_string(log)?;
        ensure!(status.code() == Some(0), "SIG{signal}: {status}\n{log}");
        ensure!(log.contains("stopped"), "{log}");
        let (directories, made) = (scene.directories().await?.len(), scene.own_volumes().await?.len());
        ensure!(
            directories == made,
            "SIG{signal}: {directories} directories, {made} PVs"
        );
    }
    let _provisioner = scene.watch(&[]).await?;
    one_of_each(&scene).await
}

async fn a_second_signal_ends_it_at_once(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let proxy = Proxy::before(&scene, None).await?;
    let held = proxy.inject(usize::MAX, Fault::Silence, |method, uri| {
        makes(method, uri, "persistentvolumes")
    });
    let mut provisioner = scene.watch_as(&proxy.kubeconfig, &[]).await?;
    claims(&scene, "c", 3).await?;
    let end = Instant::now() + EVENT_TIMEOUT;
    while held.load(Ordering::Relaxed) < 3 {
        ensure!(Instant::now() < end, "no PV is created: {}", provisioner.log());
        sleep(Duration::from_millis(20)).await;
    }
    provisioner.signal("TERM")?;
    provisioner
        .wait_for_log("finishing the requests in flight; a second signal stops at once")
        .await?;
    let asked = Instant::now();
    let status = second(provisioner).await?;
    ensure!(status == Some(1), "{status:?}");
    ensure!(asked.elapsed() < Duration::from_secs(6), "after {:?}", asked.elapsed());
    // The provisioner stopped between directory and PV; the next one continues from there.
    ensure!(scene.directories().await?.len() == 3 && scene.own_volumes().await?.is_empty());
    let _provisioner = scene.watch(&[]).await?;
    one_of_each(&scene).await
}

async fn second(provisioner: Provisioner) -> Result<Option<i32>> {
    provisioner.signal("TERM")?;
    Ok(provisioner.wait_until_ended().await?.code())
}
