//! Waits until an applied claim is Bound, or an applied volume Available, and reads the events about them. Changes
//! nothing, and prints nothing.

use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::{Event, PersistentVolume, PersistentVolumeClaim};
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::cluster::waiting::wait_for_object;
use crate::cluster::{self, Cluster};
use crate::manifest::apply::kind_of;

/// The result of waiting for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Objects of this kind are not waited for.
    NotAwaited,
    /// It has the wanted phase, which is this.
    Ready(String),
    /// The time limit passed in this phase, or while the object did not exist.
    TimedOut(String),
}

/// Waits up to `limit` until a claim is Bound, or a volume Available or Bound; does not wait for other kinds. A timeout
/// is a result, not an error.
///
/// # Errors
/// When the API server can't be read.
pub async fn wait_until_ready(cluster: &Cluster, object: &DynamicObject, limit: Duration) -> Result<Waited> {
    let name = object.name_any();
    match kind_of(object) {
        "PersistentVolume" => {
            let phase = |volume: &PersistentVolume| volume.status.as_ref()?.phase.clone();
            wait_for_phase(
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
            wait_for_phase(claims, &name, limit, phase, &["Bound"]).await
        }
        _ => Ok(Waited::NotAwaited),
    }
}

/// Waits up to `limit` until an object has one of the `wanted` phases; one that doesn't exist is waited for, too. A
/// timeout is `Ok`; an error if the API server refuses to be read, or can't be read at the end.
async fn wait_for_phase<K>(
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
    match wait_for_object(api.clone(), name, limit, ready).await? {
        Some(object) => Ok(Waited::Ready(object.as_ref().and_then(phase).unwrap_or_default())),
        None => {
            let object = api.get_opt(name).await?;
            Ok(match object.as_ref().and_then(phase) {
                // It got there at the last moment.
                Some(phase) if wanted.contains(&phase.as_str()) => Waited::Ready(phase),
                Some(phase) => Waited::TimedOut(phase),
                None => Waited::TimedOut("not there".to_owned()),
            })
        }
    }
}

/// The namespace in the object, else the cluster's current one.
pub fn namespace_of(cluster: &Cluster, object: &DynamicObject) -> String {
    object.namespace().unwrap_or_else(|| cluster.namespace.clone())
}

/// The message of the newest event about a claim or a volume, of whatever type, or about an earlier one of its name;
/// `None` without events, or without a message.
///
/// # Errors
/// When events can't be read.
pub async fn newest_event(cluster: &Cluster, object: &DynamicObject) -> Result<Option<String>> {
    // Events about objects without a namespace are in the namespace default.
    let namespace = match kind_of(object) {
        "PersistentVolume" => "default".to_owned(),
        _ => namespace_of(cluster, object),
    };
    let api: Api<Event> = Api::namespaced(cluster.client.clone(), &namespace);
    let about = ListParams::default().fields(&format!("involvedObject.name={}", object.name_any()));
    let mut events = match api.list(&about).await {
        Ok(events) => events.items,
        Err(error) => bail!("its events can't be read: {}", cluster::describe_error(&error)),
    };
    events.retain(|event| event.involved_object.kind.as_deref() == Some(kind_of(object)));
    events.sort_by_key(|event| {
        let seen = event.last_timestamp.as_ref().map(|time| time.0);
        seen.or(event.event_time.as_ref().map(|time| time.0))
    });
    Ok(events.pop().and_then(|event| event.message))
}
