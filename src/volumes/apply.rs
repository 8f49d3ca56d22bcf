//! Creates the objects of a plan, and waits until the claims are bound. Existing objects are not changed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::api::PostParams;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::rebuild::Row;
use crate::cluster::describe_error;

/// How many records are applied at once.
const AT_ONCE: usize = 16;

/// Creates the objects of rows, missing namespaces first; returns the result of each row, by the PV's name and in any
/// order, and calls `on_created` after each, also after a failure. Rows whose namespace can't be created fail. To
/// repeat it, plan again: a PV or claim that exists is a failure.
///
/// The PV comes before its claim: a claim without its PV would be Lost for a moment.
pub async fn create_objects(client: &Client, rows: &[Row], on_created: impl Fn()) -> Vec<(String, Result<(), String>)> {
    let namespaces: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row.creation.namespace.as_deref())
        .collect();
    let mut refused = BTreeSet::new();
    let mut why = String::new();
    for namespace in namespaces {
        if let Err(error) = create_namespace(client, namespace).await {
            why = error;
            refused.insert(namespace.to_owned());
        }
    }
    let (on_created, refused, why) = (&on_created, &refused, &why);
    let results = stream::iter(rows).map(|row| async move {
        let result = match &row.creation.namespace {
            Some(namespace) if refused.contains(namespace) => Err(why.clone()),
            _ => create_row(client, row).await,
        };
        on_created();
        (row.volume.clone(), result)
    });
    results.buffer_unordered(AT_ONCE).collect().await
}

/// Creates a namespace; one that exists is no error.
async fn create_namespace(client: &Client, name: &str) -> Result<(), String> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let object = serde_json::from_value(object).map_err(|error| error.to_string())?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match namespaces.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        created => created
            .map(drop)
            .map_err(|error| format!("cannot create namespace {name}: {}", describe_error(&error))),
    }
}

/// Creates the PV and the claim of a row, as far as it has them; no claim if the PV can't be created. An object that
/// exists is an error.
async fn create_row(client: &Client, row: &Row) -> Result<(), String> {
    let params = PostParams::default();
    if let Some(volume) = &row.creation.volume {
        let created = Api::all(client.clone()).create(&params, volume).await;
        created.map_err(|error| format!("cannot create pv/{}: {}", row.volume, describe_error(&error)))?;
    }
    if let Some(claim) = &row.creation.claim {
        let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
        let created = Api::namespaced(client.clone(), namespace).create(&params, claim).await;
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        created.map_err(|error| format!("cannot create pvc/{name} -n {namespace}: {}", describe_error(&error)))?;
    }
    Ok(())
}

/// Waits until these claims, each as namespace and name, are Bound, or no further one became Bound for `patience`.
/// Returns the claims that were not seen Bound; empty if all are.
///
/// # Errors
/// At the first failure to list or watch the claims of all namespaces.
pub async fn wait_until_bound(
    client: &Client,
    claims: BTreeSet<(String, String)>,
    patience: Duration,
) -> Result<BTreeSet<(String, String)>, watcher::Error> {
    let mut pending = claims;
    if pending.is_empty() {
        return Ok(pending);
    }
    let events = watcher(
        Api::<PersistentVolumeClaim>::all(client.clone()),
        watcher::Config::default(),
    );
    let bound = events.try_filter_map(|event| async move {
        Ok(match event {
            Event::Apply(claim) | Event::InitApply(claim) => {
                let phase = claim.status.and_then(|status| status.phase);
                let key = claim.metadata.namespace.zip(claim.metadata.name);
                key.filter(|_| phase.as_deref() == Some("Bound"))
            }
            _ => None,
        })
    });
    let mut bound = std::pin::pin!(bound);
    let mut end = Instant::now() + patience;
    while !pending.is_empty() {
        match timeout_at(end, bound.try_next()).await {
            // Other claims are bound all the time.
            Ok(Ok(Some(key))) if pending.remove(&key) => end = Instant::now() + patience,
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) | Err(_) => break,
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(pending)
}
