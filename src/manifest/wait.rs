//! Waiting until an applied claim or volume is what it was made for.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::core::v1::{Event, PersistentVolume, PersistentVolumeClaim};
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};

use super::apply::title;
use crate::cluster::{self, Cluster};

/// Waits until a claim is Bound or a volume Available or Bound, and gives the phase; an object of
/// another kind has nothing to wait for.
///
/// # Errors
/// After `limit`, with the phase that it is in and the latest thing that the cluster said about it.
pub async fn wait(cluster: &Cluster, object: &DynamicObject, limit: Duration) -> Result<Option<String>> {
    let name = object.name_any();
    let kind = object
        .types
        .as_ref()
        .map(|types| types.kind.as_str())
        .unwrap_or_default();
    match kind {
        "PersistentVolume" => {
            let api: Api<PersistentVolume> = Api::all(cluster.client.clone());
            let phase = |volume: Option<&PersistentVolume>| volume?.status.as_ref()?.phase.clone();
            let ready = move |volume: Option<&PersistentVolume>| {
                phase(volume).is_some_and(|phase| phase == "Available" || phase == "Bound")
            };
            match tokio::time::timeout(limit, await_condition(api.clone(), &name, ready)).await {
                Ok(volume) => Ok(phase(volume?.as_ref())),
                Err(_) => Err(late(cluster, object, None, limit, phase(api.get_opt(&name).await?.as_ref())).await),
            }
        }
        "PersistentVolumeClaim" => {
            let namespace = object.namespace().unwrap_or_else(|| cluster.namespace.clone());
            let api: Api<PersistentVolumeClaim> = Api::namespaced(cluster.client.clone(), &namespace);
            let phase = |claim: Option<&PersistentVolumeClaim>| claim?.status.as_ref()?.phase.clone();
            let ready = move |claim: Option<&PersistentVolumeClaim>| phase(claim).is_some_and(|phase| phase == "Bound");
            match tokio::time::timeout(limit, await_condition(api.clone(), &name, ready)).await {
                Ok(claim) => Ok(phase(claim?.as_ref())),
                Err(_) => {
                    let phase = phase(api.get_opt(&name).await?.as_ref());
                    Err(late(cluster, object, Some(&namespace), limit, phase).await)
                }
            }
        }
        _ => Ok(None),
    }
}

/// The sentence for an object that did not come round in time.
async fn late(
    cluster: &Cluster,
    object: &DynamicObject,
    namespace: Option<&str>,
    limit: Duration,
    phase: Option<String>,
) -> anyhow::Error {
    let phase = phase.unwrap_or_else(|| "not there".to_owned());
    let said = match said(cluster, object, namespace).await {
        Ok(Some(said)) => said,
        Ok(None) => "the cluster has said nothing about it".to_owned(),
        Err(error) => error.to_string(),
    };
    anyhow!("{} is {phase} after {} s: {said}", title(object), limit.as_secs())
}

/// The newest event about an object.
async fn said(cluster: &Cluster, object: &DynamicObject, namespace: Option<&str>) -> Result<Option<String>> {
    let api: Api<Event> = Api::namespaced(cluster.client.clone(), namespace.unwrap_or("default"));
    let about = ListParams::default().fields(&format!("involvedObject.name={}", object.name_any()));
    let mut events = match api.list(&about).await {
        Ok(events) => events.items,
        Err(error) => bail!("its events can't be read: {}", cluster::sentence(&error)),
    };
    let kind = object.types.as_ref().map(|types| types.kind.as_str());
    events.retain(|event| event.involved_object.kind.as_deref() == kind);
    events.sort_by_key(|event| {
        let seen = event.last_timestamp.as_ref().map(|time| time.0);
        seen.or(event.event_time.as_ref().map(|time| time.0))
    });
    Ok(events.pop().and_then(|event| event.message))
}
