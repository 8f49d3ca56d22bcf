//! The upper limit: a provisioner that only POSTs the PV when the controller manager hands a claim over.
//!
//! It creates no directory and no events, and checks nothing again. No provisioner that creates a PV for each claim can
//! be faster, because the controller manager and the API server do the rest.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Instant;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use nfsprov::provisioner::claim::is_waiting_for;
use nfsprov::provisioner::volume::FINALIZER;
use serde_json::json;

use super::rounds::{CLIENTS, claim};

/// How many POSTs may be in progress: as many as claims by the default of nfsprov's `--concurrency`.
const CONCURRENCY: usize = 64;

/// Serves the claims of `provisioner` until dropped.
pub async fn run(client: Client, provisioner: String) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let volumes: Api<PersistentVolume> = Api::all(client);
    let mut served = HashSet::new();
    let waiting = watcher(claims, watcher::Config::default())
        .applied_objects()
        .map_err(anyhow::Error::from)
        .try_filter(|claim| {
            let new = is_waiting_for(claim, &provisioner) && served.insert(claim.uid());
            std::future::ready(new)
        });
    pin!(waiting)
        .try_for_each_concurrent(CONCURRENCY, |claim| {
            let volumes = volumes.clone();
            async move {
                volumes.create(&Default::default(), &volume(&claim)?).await?;
                Ok(())
            }
        })
        .await
}

/// The minimal PV that binds to a claim.
pub fn volume(claim: &PersistentVolumeClaim) -> Result<PersistentVolume> {
    let uid = claim.uid().unwrap_or_default();
    let spec = claim.spec.clone().unwrap_or_default();
    let (policy, finalizers) = match spec.storage_class_name.as_deref() {
        Some("ideal-finalizer") => ("Delete", vec![FINALIZER]),
        Some("ideal-delete") => ("Delete", vec![]),
        _ => ("Retain", vec![]),
    };
    Ok(serde_json::from_value(json!({
        "metadata": {"name": format!("pvc-{uid}"), "finalizers": finalizers,
                     "annotations": {"pv.kubernetes.io/provisioned-by": "ideal"}},
        "spec": {
            "accessModes": spec.access_modes, "capacity": {"storage": "1Gi"},
            "storageClassName": spec.storage_class_name, "persistentVolumeReclaimPolicy": policy,
            "nfs": {"server": "nfs", "path": format!("/nfsdata/{uid}")},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "uid": uid,
                         "namespace": claim.namespace(), "name": claim.name_any(),
                         "resourceVersion": claim.resource_version()},
        },
    }))?)
}

/// How many PVs a second the API server accepts from [`CLIENTS`] clients.
pub async fn raw_posts(client: &Client, count: usize) -> Result<f64> {
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let begun = Instant::now();
    stream::iter(0..count)
        .map(|number| {
            let volumes = volumes.clone();
            async move {
                let mut claim = claim(&format!("raw-{number}"), "raw")?;
                claim.metadata.uid = Some(format!("raw-{number}"));
                claim.metadata.namespace = Some("default".to_owned());
                volumes.create(&Default::default(), &volume(&claim)?).await?;
                anyhow::Ok(())
            }
        })
        .buffer_unordered(CLIENTS)
        .try_collect::<()>()
        .await?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
