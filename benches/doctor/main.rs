//! `make bench`: a run of the doctor on a large cluster, compared with the LISTs that it needs at least.
//!
//! K8S=latest selects the newer Kubernetes.

#[path = "../shared/mod.rs"]
mod shared;

use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{Patch, PatchParams};
use kube::client::Body;
use kube::{Api, Client, Resource};
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use shared::middle;

/// The number of claims in the cluster.
const CLAIMS: usize = 10_000;
const PODS: usize = 5_000;

/// How often each is measured; the result is the median.
const ROUNDS: usize = 5;

/// How many clients create the objects at the same time.
const CLIENTS: usize = 16;

/// How many objects a page has, as in nfsprov.
const PAGE: usize = 500;

fn main() -> ExitCode {
    shared::run_in_lab(compare)
}

async fn compare(lab: &Lab) -> Result<()> {
    let options = ControlPlaneOptions {
        lane: shared::lane()?,
        // The controller manager needs minutes to bind ten thousand claims, so the benchmark creates them Bound.
        controller_manager_args: vec!["--controllers=-persistentvolume-binder,-podgc".to_owned()],
        ..ControlPlaneOptions::default()
    };
    let plane = lab.control_plane(options).await?;
    let client = plane.client().await?;
    fill(&client).await?;
    println!(
        "Kubernetes {}: {CLAIMS} claims, {CLAIMS} PVs, {PODS} pods; middle of {ROUNDS} rounds",
        plane.version()
    );
    let (mut lists, mut doctors, mut memory) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        lists.push(lists_alone(&client).await?);
        let (took, most) = visit(&plane).await?;
        doctors.push(took);
        memory = memory.max(most);
    }
    let (lists, doctor) = (middle(lists), middle(doctors));
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("LISTs alone, in parallel, unparsed: {:>8.0} ms", ms(lists));
    println!(
        "nfsprov doctor -A --no-probe:       {:>8.0} ms, {:.2} x the LISTs, {} MB at most",
        ms(doctor),
        doctor.as_secs_f64() / lists.as_secs_f64(),
        memory / 1024
    );
    plane.stop().await
}

/// Fills the cluster: each claim is bound to its PV, and a pod uses every other claim.
async fn fill(client: &Client) -> Result<()> {
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let bound = json!({"status": {"phase": "Bound"}});
    each(CLAIMS, |number| {
        let (volumes, claims, bound) = (volumes.clone(), claims.clone(), bound.clone());
        async move {
            let made = make(&claims, claim(number)).await?;
            let uid = made.metadata.uid.context("a claim without uid")?;
            make(&volumes, volume(number, &uid)).await?;
            let (params, patch) = (PatchParams::default(), Patch::Merge(&bound));
            claims.patch_status(&format!("claim-{number}"), &params, &patch).await?;
            volumes.patch_status(&format!("pv-{number}"), &params, &patch).await?;
            Ok(())
        }
    })
    .await?;
    each(PODS, |number| {
        let pods = pods.clone();
        async move { make(&pods, pod(number)).await.map(drop) }
    })
    .await
}

async fn each<F: Future<Output = Result<()>>>(count: usize, make: impl FnMut(usize) -> F) -> Result<()> {
    let work = stream::iter(0..count).map(make);
    work.buffer_unordered(CLIENTS).try_collect().await
}

async fn make<K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug>(
    api: &Api<K>,
    object: Value,
) -> Result<K> {
    Ok(api
        .create(&Default::default(), &serde_json::from_value(object)?)
        .await?)
}

fn claim(number: usize) -> Value {
    json!({
        "metadata": {"name": format!("claim-{number}"), "labels": {"app": "bench", "tier": "web"}},
        "spec": {"storageClassName": "nfs", "volumeName": format!("pv-{number}"), "accessModes": ["ReadWriteMany"],
                 "resources": {"requests": {"storage": "1Gi"}}},
    })
}

fn volume(number: usize, uid: &str) -> Value {
    json!({
        "metadata": {"name": format!("pv-{number}"), "annotations": {"pv.kubernetes.io/provisioned-by": "bench/nfs"}},
        "spec": {
            "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, "storageClassName": "nfs",
            "persistentVolumeReclaimPolicy": "Delete",
            "nfs": {"server": "10.77.0.10", "path": format!("/nfsdata/default-claim-{number}-pv-{number}")},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default",
                         "name": format!("claim-{number}"), "uid": uid},
        },
    })
}

fn pod(number: usize) -> Value {
    let name = format!("claim-{}", number * CLAIMS / PODS);
    json!({
        "metadata": {"name": format!("pod-{number}"), "labels": {"app": "bench"}},
        "spec": {
            "nodeName": "somewhere",
            "containers": [{
                "name": "app", "image": "nginx", "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "env": [{"name": "A", "value": "b"}], "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
        },
    })
}

/// The three long LISTs, page by page, without parsing.
async fn lists_alone(client: &Client) -> Result<Duration> {
    let begun = Instant::now();
    tokio::try_join!(
        list(client, "/api/v1/persistentvolumeclaims", CLAIMS),
        list(client, "/api/v1/persistentvolumes", CLAIMS),
        list(client, "/api/v1/pods", PODS),
    )?;
    Ok(begun.elapsed())
}

async fn list(client: &Client, path: &str, count: usize) -> Result<()> {
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let uri = format!("{path}?limit={PAGE}&continue={token}");
        let request = http::Request::get(uri).body(Body::empty())?;
        let body = client.send(request).await?.into_body().collect().await?.to_bytes();
        pages += 1;
        // The token is in the list's metadata, at the beginning.
        let head = String::from_utf8_lossy(&body[..body.len().min(1000)]).into_owned();
        token = match head
            .split_once("\"continue\":\"")
            .and_then(|(_, rest)| rest.split_once('"'))
        {
            Some((next, _)) => next.to_owned(),
            None => break,
        };
    }
    ensure!(pages == count.div_ceil(PAGE), "{path} has {pages} pages");
    Ok(())
}

/// Runs the doctor once; returns its time, and its maximum memory in kB.
async fn visit(plane: &ControlPlane) -> Result<(Duration, u64)> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    // The server of these volumes doesn't exist: a probe of it would only measure its time limit.
    command
        .args(["doctor", "-A", "--no-probe", "--kubeconfig"])
        .arg(plane.kubeconfig());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let begun = Instant::now();
    let child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id().context("it ended at once")?);
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    let mut most = 0;
    // The kernel drops the value when the process ends.
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    let output = loop {
        tokio::select! {
            output = &mut ended => break output?,
            _ = looks.tick() => most = most.max(peak(&status).unwrap_or_default()),
        }
    };
    let took = begun.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(text.contains("no problems found"), "the doctor printed: {text}");
    Ok((took, most))
}

fn peak(path: &str) -> Option<u64> {
    let status = std::fs::read_to_string(path).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
