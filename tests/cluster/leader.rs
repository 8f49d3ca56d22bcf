//! Several replicas, of which one leads.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::kit::{EVENT_TIMEOUT, Provisioner, Scene};
use crate::stage::Stage;

crate::tests! {
    Newest: of_two_replicas_only_the_leader_serves,
    Newest: a_killed_leader_is_replaced_within_the_lease_time,
    Newest: a_leader_stopped_past_its_lease_stands_by,
    Newest: a_leader_that_ends_releases_its_lease,
    Newest: a_leader_whose_lease_was_taken_stands_by_and_leads_again,
    Newest: clocks_that_jump_and_differ_change_no_leader,
    Newest: upstreams_leader_under_the_same_name_is_reported,
}

/// The time from a leader's last renewal to the next leader: the Lease, two checks, and a slow machine.
const TAKE_OVER: Duration = Duration::from_secs(15 + 2 * 2 + 30);

/// A scene with its Leases in its own namespace.
async fn scene(stage: Arc<Stage>) -> Result<Scene> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    Ok(scene)
}

/// Starts a replica.
fn replica(scene: &Scene) -> Result<Provisioner> {
    let args = ["--leader-elect", "--lease-namespace", &scene.namespace];
    scene.start_as(&scene.kubeconfig, &args)
}

/// A leader and a standby.
async fn two(scene: &Scene) -> Result<(Provisioner, Provisioner)> {
    let mut leader = replica(scene)?;
    leader.wait_for_log("watching claims and volumes").await?;
    let mut other = replica(scene)?;
    other.wait_for_log(&format!("{} leads", identity(&leader)?)).await?;
    Ok((leader, other))
}

/// The identity that a replica logged.
fn identity(replica: &Provisioner) -> Result<String> {
    let log = replica.log();
    let word = log.split_whitespace().find_map(|word| word.split_once("identity="));
    Ok(word.context("no identity in the log")?.1.trim_matches('"').to_owned())
}

fn lease_name(scene: &Scene) -> String {
    scene.provisioner.replace('/', "-")
}

fn leases(scene: &Scene) -> Api<Lease> {
    Api::namespaced(scene.client.clone(), &scene.namespace)
}

async fn lease(scene: &Scene) -> Result<LeaseSpec> {
    Ok(leases(scene).get(&lease_name(scene)).await?.spec.unwrap_or_default())
}

/// Waits until the Lease has this holder.
async fn held_by(scene: &Scene, holder: &str) -> Result<()> {
    let name = lease_name(scene);
    let held = |lease: Option<&Lease>| {
        let spec = lease.and_then(|lease| lease.spec.as_ref());
        spec.and_then(|spec| spec.holder_identity.as_deref()) == Some(holder)
    };
    match timeout(EVENT_TIMEOUT, await_condition(leases(scene), &name, held)).await {
        Ok(held) => _ = held?,
        Err(_) => anyhow::bail!("{holder} does not get the lease: {:?}", lease(scene).await?),
    }
    Ok(())
}

async fn claims(scene: &Scene, names: impl IntoIterator<Item = String>) -> Result<()> {
    for name in names {
        scene.claim(&name, json!({})).await?;
    }
    Ok(())
}

/// Waits until all claims are Bound, and checks that each has one directory and one PV, and that there are no others.
pub async fn one_of_each(scene: &Scene) -> Result<()> {
    let claims = scene.claims().list(&Default::default()).await?;
    ensure!(!claims.items.is_empty(), "no claims");
    for claim in &claims {
        scene.bound(&claim.name_any()).await?;
    }
    let uids: HashSet<String> = claims.iter().filter_map(ResourceExt::uid).collect();
    let directories = scene.directories().await?;
    let uid = |directory: &String| directory.split_once("-pvc-").map(|(_, uid)| uid.to_owned());
    let served: HashSet<String> = directories.iter().filter_map(uid).collect();
    ensure!(
        directories.len() == uids.len() && served == uids,
        "directories: {directories:?}"
    );
    let ours = scene.own_volumes().await?;
    let expected: HashSet<String> = uids.iter().map(|uid| format!("pvc-{uid}")).collect();
    ensure!(
        ours.len() == uids.len() && ours.iter().cloned().collect::<HashSet<_>>() == expected,
        "PVs: {ours:?}"
    );
    Ok(())
}

/// The library of Debian's libfaketime, which gives a process its own clock.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A replica whose wall clock is ahead by the content of the file `clock`, which may change; its monotonic clock is the
/// machine's.
fn replica_with(scene: &Scene, clock: &Path) -> Result<Provisioner> {
    ensure!(
        Path::new(FAKETIME).exists(),
        "{FAKETIME} is missing: make test installs libfaketime"
    );
    let file = clock.display().to_string();
    let variables = [
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let args = ["--leader-elect", "--lease-namespace", &scene.namespace];
    scene.start_in(&variables, &scene.kubeconfig, &args)
}

/// Waits until the Lease was renewed `times` times, by a clock that is between `from` and `to` hours ahead.
async fn renewed(scene: &Scene, times: usize, from: f64, to: f64) -> Result<()> {
    let end = Instant::now() + EVENT_TIMEOUT;
    let mut seen = HashSet::new();
    while seen.len() < times {
        ensure!(
            Instant::now() < end,
            "not renewed by that clock: {:?}",
            lease(scene).await?
        );
        if let Some(renewed) = lease(scene).await?.renew_time {
            let ahead = renewed.0.duration_since(Timestamp::now()).as_secs_f64() / 3600.0;
            if (from..to).contains(&ahead) {
                seen.insert(renewed.0);
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Only wall clocks can jump; candidates do not rely on the wall times in a Lease.
async fn clocks_that_jump_and_differ_change_no_leader(stage: Arc<Stage>) -> Result<()> {
    let scene = scene(stage.clone()).await?;
    let (first, second) = (stage.file("first.clock"), stage.file("second.clock"));
    std::fs::write(&first, "+0\n")?;
    std::fs::write(&second, "+90m\n")?;
    let mut leader = replica_with(&scene, &first)?;
    leader.wait_for_log("watching claims and volumes").await?;
    let mut other = replica_with(&scene, &second)?;
    other.wait_for_log(&format!("{} leads", identity(&leader)?)).await?;
    // Ahead of both, then back; each for longer than a Lease lasts, with a renewal every two seconds.
    for (clock, from, to, claim) in [("+3h\n", 2.5, 3.5, "ahead"), ("+0\n", -0.5, 0.5, "back")] {
        std::fs::write(&first, clock)?;
        renewed(&scene, 9, from, to).await?;
        claims(&scene, [claim.to_owned()]).await?;
        one_of_each(&scene).await?;
    }
    ensure!(provisioned(&leader) == 2, "{}", leader.log());
    ensure!(
        !other.log().contains("watching claims"),
        "it serves too: {}",
        other.log()
    );
    let spec = lease(&scene).await?;
    ensure!(
        spec.holder_identity == Some(identity(&leader)?) && spec.lease_transitions == Some(0),
        "{spec:?}"
    );
    Ok(())
}

fn provisioned(replica: &Provisioner) -> usize {
    replica.log().matches("provisioned claim=").count()
}

async fn of_two_replicas_only_the_leader_serves(stage: Arc<Stage>) -> Result<()> {
    let scene = scene(stage).await?;
    let (leader, other) = two(&scene).await?;
    claims(&scene, (0..5).map(|number| format!("c{number}"))).await?;
    one_of_each(&scene).await?;
    ensure!(provisioned(&leader) == 5, "{}", leader.log());
    ensure!(
        !other.log().contains("watching claims"),
        "it serves too: {}",
        other.log()
    );
    let spec = lease(&scene).await?;
    ensure!(spec.lease_duration_seconds == Some(15) && spec.lease_transitions == Some(0));
    // A replica that never led does not release the Lease.
    let status = other.stop().await?;
    ensure!(status.code() == Some(0), "{status}");
    ensure!(lease(&scene).await?.holder_identity == Some(identity(&leader)?));
    Ok(())
}

async fn a_killed_leader_is_replaced_within_the_lease_time(stage: Arc<Stage>) -> Result<()> {
    let scene = scene(stage).await?;
    let (mut leader, mut other) = two(&scene).await?;
    claims(&scene, (0..30).map(|number| format!("c{number}"))).await?;
    leader.wait_for_log("provisioned claim=").await?;
    leader.kill().await?;
    let dead = Instant::now();
    claims(&scene, (0..5).map(|number| format!("late{number}"))).await?;
    other.wait_for_log("watching claims and volumes").await?;
    let took = dead.elapsed();
    ensure!(took < TAKE_OVER, "taken over after {took:?}");
    one_of_each(&scene).await?;
    ensure!(provisioned(&other) >= 5, "{}", other.log());
    held_by(&scene, &identity(&other)?).await?;
    ensure!(lease(&scene).await?.lease_transitions == Some(1));
    Ok(())
}

async fn a_leader_stopped_past_its_lease_stands_by(stage: Arc<Stage>) -> Result<()> {
    let scene = scene(stage).await?;
    let (mut leader, mut other) = two(&scene).await?;
    claims(&scene, (0..30).map(|number| format!("c{number}"))).await?;
    leader.wait_for_log("provisioned claim=").await?;
    leader.signal("STOP")?;
    claims(&scene, (0..5).map(|number| format!("late{number}"))).await?;
    other.wait_for_log("watching claims and volumes").await?;
    one_of_each(&scene).await?;

    leader.signal("CONT")?;
    leader.wait_for_log("lease lost").await?;
    leader.wait_for_log(&format!("{} leads", identity(&other)?)).await?;
    let before = provisioned(&leader);
    claims(&scene, (0..5).map(|number| format!("after{number}"))).await?;
    one_of_each(&scene).await?;
    ensure!(provisioned(&leader) == before, "it serves still: {}", leader.log());
    ensure!(lease(&scene).await?.holder_identity == Some(identity(&other)?));
    // It still stands by after the leader's end.
    other.kill().await?;
    held_by(&scene, &identity(&leader)?).await?;
    claims(&scene, ["last".to_owned()]).await?;
    one_of_each(&scene).await
}

async fn a_leader_that_ends_releases_its_lease(stage: Arc<Stage>) -> Result<()> {
    let scene = scene(stage).await?;
    let (mut leader, mut other) = two(&scene).await?;
    claims(&scene, (0..10).map(|number| format!("c{number}"))).await?;
    leader.wait_for_log("provisioned claim=").await?;
    let asked = Instant::now();
    let status = leader.stop().await?;
    ensure!(status.code() == Some(0), "{status}");
    let ended = Instant::now();
    other.wait_for_log("watching claims and volumes").await?;
    // Far less than the Lease's 15 s: the leader released it, so the standby did not wait until it expired.
    ensure!(ended.elapsed() < Duration::from_secs(12), "after {:?}", asked.elapsed());
    one_of_each(&scene).await?;
    ensure!(lease(&scene).await?.lease_transitions == Some(1));
    let status = other.stop().await?;
    ensure!(status.code() == Some(0), "{status}");
    let spec = lease(&scene).await?;
    ensure!(spec.holder_identity.unwrap_or_default().is_empty());
    Ok(())
}

/// Another client edits the Lease: a candidate with a wrong clock, or an administrator.
async fn a_leader_whose_lease_was_taken_stands_by_and_leads_again(stage: Arc<Stage>) -> Result<()> {
    let scene = scene(stage).await?;
    let mut leader = replica(&scene)?;
    leader.wait_for_log("watching claims and volumes").await?;
    let patch = json!({"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 5}});
    let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
    leases(&scene).patch(&lease_name(&scene), &params, &patch).await?;
    leader.wait_for_log("lease lost: somebody leads").await?;
    held_by(&scene, &identity(&leader)?).await?;
    claims(&scene, ["a".to_owned()]).await?;
    one_of_each(&scene).await?;
    ensure!(lease(&scene).await?.lease_transitions == Some(1));
    Ok(())
}

async fn upstreams_leader_under_the_same_name_is_reported(stage: Arc<Stage>) -> Result<()> {
    let scene = scene(stage).await?;
    let locks: Api<Endpoints> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let name = lease_name(&scene);
    let mut renewals = 0;
    let mut renew = async || {
        renewals += 1;
        let record = json!({"holderIdentity": "nfs-client-provisioner-0", "renewTime": renewals.to_string()});
        let lock = json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name, "annotations": {
                "control-plane.alpha.kubernetes.io/leader": record.to_string(),
            }},
        });
        let params = PatchParams::apply("upstream").force();
        locks.patch(&name, &params, &Patch::Apply(&lock)).await
    };
    renew().await?;
    let mut leader = replica(&scene)?;
    let renewing = async {
        loop {
            if let Err(error) = renew().await {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        logged = leader.wait_for_log("nfs-client-provisioner-0 holds the lock") => logged,
        error = renewing => Err(error.into()),
    }
}
