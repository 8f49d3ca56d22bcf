//! Waiting until an applied claim or volume is what it was made for.

use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::{Event, PersistentVolume, PersistentVolumeClaim};
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::runtime::wait::await_condition;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::cluster::{self, Cluster};

/// What became of an object while it was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// It is of a kind that has nothing to wait for.
    Nothing,
    /// It is what it was made for, in this phase.
    Ready(String),
    /// It is not, and in this phase, or not there.
    Late(String),
}

/// Waits until a claim is Bound or a volume Available or Bound, for `limit` at the most.
///
/// # Errors
/// When the API server doesn't tell.
pub async fn wait(cluster: &Cluster, object: &DynamicObject, limit: Duration) -> Result<Waited> {
    let name = object.name_any();
    match kind(object) {
        "PersistentVolume" => {
            let phase = |volume: &PersistentVolume| volume.status.as_ref()?.phase.clone();
            until(
                Api::all(cluster.client.clone()),
                &name,
                limit,
                phase,
                &["Available", "Bound"],
            )
            .await
        }
        "PersistentVolumeClaim" => {
            let claims = Api::namespaced(cluster.client.clone(), &namespace_of(cluster, object));
            let phase = |claim: &PersistentVolumeClaim| claim.status.as_ref()?.phase.clone();
            until(claims, &name, limit, phase, &["Bound"]).await
        }
        _ => Ok(Waited::Nothing),
    }
}

async fn until<K>(
    api: Api<K>,
    name: &str,
    limit: Duration,
    phase: fn(&K) -> Option<String>,
    wanted: &'static [&'static str],
) -> Result<Waited>
where
    K: Clone + std::fmt::Debug + DeserializeOwned + Resource<DynamicType = ()> + Send + 'static,
{
    let ready = move |object: Option<&K>| {
        object
            .and_then(phase)
            .is_some_and(|phase| wanted.contains(&phase.as_str()))
    };
    match tokio::time::timeout(limit, await_condition(api.clone(), name, ready)).await {
        Ok(object) => Ok(Waited::Ready(object?.as_ref().and_then(phase).unwrap_or_default())),
        Err(_) => {
            let object = api.get_opt(name).await?;
            let phase = object.as_ref().and_then(phase);
            Ok(Waited::Late(phase.unwrap_or_else(|| "not there".to_owned())))
        }
    }
}

fn kind(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types| types.kind.as_str())
}

/// The namespace that an object goes to.
pub fn namespace_of(cluster: &Cluster, object: &DynamicObject) -> String {
    object.namespace().unwrap_or_else(|| cluster.namespace.clone())
}

/// The newest event about a claim or a volume.
///
/// # Errors
/// When events can't be read.
pub async fn said(cluster: &Cluster, object: &DynamicObject) -> Result<Option<String>> {
    // Events about what has no namespace are in this one.
    let namespace = match kind(object) {
        "PersistentVolume" => "default".to_owned(),
        _ => namespace_of(cluster, object),
    };
    let api: Api<Event> = Api::namespaced(cluster.client.clone(), &namespace);
    let about = ListParams::default().fields(&format!("involvedObject.name={}", object.name_any()));
    let mut events = match api.list(&about).await {
        Ok(events) => events.items,
        Err(error) => bail!("its events can't be read: {}", cluster::sentence(&error)),
    };
    events.retain(|event| event.involved_object.kind.as_deref() == Some(kind(object)));
    events.sort_by_key(|event| {
        let seen = event.last_timestamp.as_ref().map(|time| time.0);
        seen.or(event.event_time.as_ref().map(|time| time.0))
    });
    Ok(events.pop().and_then(|event| event.message))
}
