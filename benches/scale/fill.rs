//! A cluster with many old volumes: claims and PVs written as Bound pairs, without a controller that binds them.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::api::{ListParams, Patch};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

/// How many pairs are written at the same time.
const WRITERS: usize = 32;

/// The number of namespaces over which they are spread.
const NAMESPACES: usize = 4;

/// How many requests each pair needs.
pub const REQUESTS: usize = 4;

/// How many objects a page of a list has, as in nfsprov.
const PAGE: u32 = 500;

/// Writes `count` pairs that `provisioner` could have created on `server`.
pub async fn fill(client: &Client, provisioner: &str, server: &str, count: usize) -> Result<()> {
    for number in 0..NAMESPACES {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace(number)}}))?;
        Api::all(client.clone()).create(&Default::default(), &namespace).await?;
    }
    let pairs = stream::iter(0..count).map(|number| pair(client, provisioner, server, number));
    pairs.buffer_unordered(WRITERS).try_collect().await
}

fn namespace(number: usize) -> String {
    format!("scale-{}", number % NAMESPACES)
}

async fn pair(client: &Client, provisioner: &str, server: &str, number: usize) -> Result<()> {
    let (namespace, name) = (namespace(number), format!("claim-{number}"));
    let volume = format!("pvc-{number:08x}-0000-4000-8000-000000000000");
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let spec = json!({
        "storageClassName": provisioner, "accessModes": ["ReadWriteMany"], "volumeName": volume,
        "resources": {"requests": {"storage": "1Gi"}},
    });
    let claim = serde_json::from_value(json!({
        "metadata": {"name": name, "annotations": {
            "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
            "volume.beta.kubernetes.io/storage-provisioner": provisioner,
        }},
        "spec": spec,
    }))?;
    let made = claims.create(&Default::default(), &claim).await?;
    let directory = format!("{namespace}-{name}-{volume}");
    let object: PersistentVolume = serde_json::from_value(json!({
        "metadata": {"name": volume, "annotations": {
            "pv.kubernetes.io/provisioned-by": provisioner, "nfsprov/directory": directory, "nfsprov/on-delete": "delete",
        }},
        "spec": {
            "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, "storageClassName": provisioner,
            "persistentVolumeReclaimPolicy": "Retain",
            "nfs": {"server": server, "path": format!("/nfsdata/{directory}")},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "uid": made.uid(),
                         "namespace": namespace, "name": name, "resourceVersion": made.resource_version()},
        },
    }))?;
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    volumes.create(&Default::default(), &object).await?;
    let bound = Patch::Merge(json!({"status": {"phase": "Bound"}}));
    volumes.patch_status(&volume, &Default::default(), &bound).await?;
    let bound = json!({"status": {"phase": "Bound", "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}}});
    let bound = Patch::Merge(bound);
    claims.patch_status(&name, &Default::default(), &bound).await?;
    Ok(())
}

/// Reads all objects of a kind page by page without keeping them, and returns their number.
pub async fn read<K>(client: &Client) -> Result<usize>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    let (mut params, mut count) = (ListParams::default().limit(PAGE), 0);
    loop {
        let page = api.list(&params).await.context("cannot list")?;
        count += page.items.len();
        match page.metadata.continue_ {
            Some(token) if !token.is_empty() => params = params.continue_token(&token),
            _ => return Ok(count),
        }
    }
}
