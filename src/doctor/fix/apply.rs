//! Makes changes in the cluster, each to the object that was shown and to no later one, and waits for their effects.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::Value;

use super::edit::Edit;
use super::plan::Effect;
use crate::cluster::{self, Cluster};
use crate::doctor::Object;
use crate::manifest::apply::FIELD_MANAGER;

/// The API of an object's kind in its namespace; an error for kinds that fixes don't change.
fn api_of(cluster: &Cluster, object: &Object) -> Result<Api<DynamicObject>> {
    let (group, version) = match object.kind.as_str() {
        "PersistentVolumeClaim" | "PersistentVolume" | "Pod" | "Endpoints" | "ConfigMap" => ("", "v1"),
        "Deployment" | "StatefulSet" | "DaemonSet" => ("apps", "v1"),
        "Lease" => ("coordination.k8s.io", "v1"),
        kind => bail!("unsupported kind {kind}"),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &object.kind));
    let client = cluster.client.clone();
    Ok(match &object.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    })
}

/// Reads an object; `None` if it doesn't exist.
///
/// # Errors
/// The API server's refusal, naming the object; a kind that no fix changes.
pub async fn read(cluster: &Cluster, object: &Object) -> Result<Option<Value>> {
    let found = api_of(cluster, object)?.get_opt(&object.name).await;
    let found =
        found.map_err(|error| anyhow!("cannot read {}: {}", object.title(), cluster::describe_error(&error)))?;
    Ok(found.map(serde_json::to_value).transpose()?)
}

/// Makes one edit, unless the object was changed since it was shown. After a deletion, waits until the object is gone,
/// for `limit` at most; after a patch, waits for nothing. `watched` is the same cluster with a longer request timeout,
/// for the waiting. An object to be deleted that is gone already is no error.
///
/// # Errors
/// The API server's refusal, naming the object; when the object was changed meanwhile; when a deleted object still
/// exists after `limit`.
pub async fn apply(cluster: &Cluster, watched: &Cluster, edit: &Edit, limit: Duration) -> Result<()> {
    let (api, watched) = (api_of(cluster, &edit.object)?, api_of(watched, &edit.object)?);
    let title = edit.object.title();
    let name = &edit.object.name;
    let refused = |verb: &str, error: &kube::Error| match error {
        kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => {
            anyhow!("another client changed {title} meanwhile, so it is left unchanged; run the doctor again")
        }
        error => anyhow!("cannot {verb} {title}: {}", cluster::describe_error(error)),
    };
    match edit.after {
        Some(_) => {
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            let patched = api.patch(name, &params, &Patch::Merge(edit.patch())).await;
            patched.map(drop).map_err(|error| refused("patch", &error))
        }
        None => {
            delete_unchanged(&api, edit)
                .await
                .map_err(|error| refused("delete", &error))?;
            wait_until_gone(watched, edit, limit).await
        }
    }
}

/// Waits until a deleted object, by its uid, is gone; an error if it still exists after `limit`, or can't be watched.
async fn wait_until_gone(api: Api<DynamicObject>, edit: &Edit, limit: Duration) -> Result<()> {
    let title = edit.object.title();
    let uid = edit.before["metadata"]["uid"].as_str().unwrap_or_default();
    let deleted = await_condition(api, &edit.object.name, conditions::is_deleted(uid));
    match tokio::time::timeout(limit, deleted).await {
        Ok(deleted) => deleted
            .map(drop)
            .with_context(|| format!("cannot check whether {title} is deleted")),
        Err(_) => bail!("{title} still exists {} s after its deletion", limit.as_secs()),
    }
}

/// Deletes an object if its uid and version are those that were shown; else the error is a conflict. One that is gone
/// is no error.
async fn delete_unchanged(api: &Api<DynamicObject>, edit: &Edit) -> Result<(), kube::Error> {
    let field = |key: &str| edit.before["metadata"][key].as_str().map(str::to_owned);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: field("uid"),
            resource_version: field("resourceVersion"),
        }),
        ..DeleteParams::default()
    };
    match api.delete(&edit.object.name, &params).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        deleted => deleted.map(drop),
    }
}

/// Waits for an effect, for `limit` at most, on a cluster whose requests have no shorter time-out. `None` once it is
/// reached; what the object lacks if it is not by then, to follow "is", such as `Pending` or `not there`.
///
/// # Errors
/// When the object can't be watched or read.
pub async fn wait(cluster: &Cluster, effect: &Effect, limit: Duration) -> Result<Option<String>> {
    let (object, gap_of): (_, fn(&DynamicObject) -> Option<String>) = match effect {
        Effect::Bound(claim) => (claim, describe_binding_gap),
        Effect::RolledOut(workload) => (workload, describe_rollout_gap),
    };
    let api = api_of(cluster, object)?;
    let has_effect = |object: Option<&DynamicObject>| object.is_some_and(|object| gap_of(object).is_none());
    match tokio::time::timeout(limit, await_condition(api.clone(), &object.name, has_effect)).await {
        Ok(reached) => reached
            .map(|_| None)
            .with_context(|| format!("cannot watch {}", object.title())),
        Err(_) => {
            let now = api.get_opt(&object.name).await?;
            Ok(now.map_or_else(|| Some("not there".to_owned()), |object| gap_of(&object)))
        }
    }
}

/// The phase of a claim that is not Bound, `Pending` if it has none; `None` if it is Bound.
fn describe_binding_gap(claim: &DynamicObject) -> Option<String> {
    let phase = claim.data["status"]["phase"].as_str().unwrap_or("Pending");
    (phase != "Bound").then(|| phase.to_owned())
}

/// How far a Deployment's or StatefulSet's rollout is, to follow "is": `at 1 of 3 ready pods (1 of them new)`. `None`
/// once all pods are new and ready, and the old ones gone.
fn describe_rollout_gap(object: &DynamicObject) -> Option<String> {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let count = |key: &str| status[key].as_i64().unwrap_or(0);
    let is_seen = status["observedGeneration"].as_i64() >= object.metadata.generation;
    let (updated, ready) = (count("updatedReplicas"), count("readyReplicas"));
    let is_done = is_seen && updated >= wanted && ready >= wanted && count("replicas") <= wanted;
    (!is_done).then(|| format!("at {ready} of {wanted} ready pods ({} of them new)", updated.min(ready)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_is_over_when_all_pods_are_new_and_ready() {
        let deployment = |generation: i64, status: Value| -> DynamicObject {
            let object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p", "generation": generation},
                "spec": {"replicas": 1}, "status": status,
            });
            serde_json::from_value(object).unwrap()
        };
        let status = |observed: i64, replicas: i64, updated: i64, ready: i64| json!({"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated, "readyReplicas": ready});
        for (what, generation, status, over) in [
            ("done", 2, status(2, 1, 1, 1), true),
            ("not seen yet", 2, status(1, 1, 1, 1), false),
            ("the old pod is still there", 2, status(2, 2, 1, 2), false),
            ("not ready", 2, status(2, 1, 1, 0), false),
            ("nothing yet", 1, json!({}), false),
        ] {
            assert_eq!(
                describe_rollout_gap(&deployment(generation, status)).is_none(),
                over,
                "{what}"
            );
        }
    }
}
