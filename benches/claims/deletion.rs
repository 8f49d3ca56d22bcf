//! From the deletion of claims to the deletion of their last PV, and the NFS server's own speed.

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::Patch;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use nfsprov::export::{Attributes, Export, Location, VolumePath, Wire, never_interrupt};
use nfsprov::provisioner::volume::FINALIZER;
use serde_json::json;

use super::rounds::{CLIENTS, LIMIT, round, settle};

/// The classes of ideal PVs: with the policy Retain, with Delete, and with Delete and nfsprov's finalizer.
pub const IDEALS: [&str; 3] = ["ideal-retain", "ideal-delete", "ideal-finalizer"];

/// Creates `count` claims of `class`, deletes them at once when the process `pid` is idle, and returns the time until
/// their last PV is deleted.
pub async fn deletion(client: &Client, class: &str, count: usize, pid: u32) -> Result<Duration> {
    round(client, class, count, 1).await?;
    settle(pid).await?;
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(client.clone());
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let of_class = |volume: &PersistentVolume| {
        volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()) == Some(class)
    };
    // The watch must report the existing volumes before the first claim is deleted.
    let mut events = pin!(watcher(volumes, watcher::Config::default()).default_backoff());
    let mut there = 0;
    loop {
        match events.try_next().await?.context("watch ended")? {
            watcher::Event::InitApply(volume) => there += usize::from(of_class(&volume)),
            watcher::Event::InitDone => break,
            _ => {}
        }
    }
    anyhow::ensure!(there == count, "{there} PVs of class {class}");
    let begun = Instant::now();
    let delete = stream::iter(0..count)
        .map(|number| {
            let claims = claims.clone();
            async move {
                claims
                    .delete(&format!("{class}-{number}"), &Default::default())
                    .await
                    .map(drop)
            }
        })
        .buffer_unordered(CLIENTS)
        .try_collect::<()>();
    let gone = async {
        while there > 0 {
            if let watcher::Event::Delete(volume) = events.try_next().await?.context("watch ended")? {
                there -= usize::from(of_class(&volume));
            }
        }
        anyhow::Ok(())
    };
    let both = async { tokio::try_join!(async { Ok(delete.await?) }, gone) };
    let both = tokio::time::timeout(LIMIT, both).await;
    both.context("not all volumes are deleted in time")??;
    Ok(begun.elapsed())
}

/// The upper limit: deletes the PVs of [`IDEALS`] when they are Released, removes the finalizer of those that have
/// nfsprov's, and does nothing else.
pub async fn ideal(client: Client) -> Result<()> {
    let volumes: Api<PersistentVolume> = Api::all(client);
    let released = |volume: &PersistentVolume| {
        let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
        let class = volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
        let ours = class.is_some_and(|class| IDEALS.contains(&class));
        ours && phase == Some("Released") && volume.metadata.deletion_timestamp.is_none()
    };
    let finalizer = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}});
    watcher(volumes.clone(), watcher::Config::default())
        .applied_objects()
        .map_err(anyhow::Error::from)
        .try_filter(|volume| std::future::ready(released(volume)))
        .try_for_each_concurrent(CLIENTS, |volume| {
            let (volumes, finalizer) = (volumes.clone(), Patch::Strategic(&finalizer));
            async move {
                let name = volume.name_any();
                // Another change of the PV came before its deletion.
                unless_gone(volumes.delete(&name, &Default::default()).await)?;
                if volume.finalizers().iter().any(|one| one == FINALIZER) {
                    unless_gone(volumes.patch(&name, &Default::default(), &finalizer).await)?;
                }
                Ok(())
            }
        })
        .await
}

/// The error of a request, unless the PV did not exist any more.
fn unless_gone<T>(result: Result<T, kube::Error>) -> Result<()> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        result => Ok(result.map(drop)?),
    }
}

/// How many directories a second the NFS server creates for one client with nfsprov's number of concurrent calls.
pub async fn raw_mkdirs(server: &str, count: usize) -> Result<f64> {
    let export = Export::Wire(Wire::new(Location {
        server: server.to_owned(),
        path: "/nfsdata".to_owned(),
    }));
    export.probe_root().await?;
    let paths: Result<Vec<_>, _> = (0..count)
        .map(|number| VolumePath::parse(&format!("raw-{number}")))
        .collect();
    let paths = paths?;
    let begun = Instant::now();
    stream::iter(&paths)
        .map(|path| export.create_directory(path, Attributes::with_mode(0o777)))
        .buffer_unordered(CLIENTS)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    let took = begun.elapsed();
    let may_continue = never_interrupt();
    stream::iter(&paths)
        .map(|path| export.remove_directory(path, &may_continue))
        .buffer_unordered(CLIENTS)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    Ok(count as f64 / took.as_secs_f64())
}
