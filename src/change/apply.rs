//! Makes an edit in the cluster, to the object that was shown and to no later one.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::edit::Edit;
use super::server_side::FIELD_MANAGER;
use crate::cluster::object::Object;
use crate::cluster::waiting::wait_for_object;
use crate::cluster::{self, Cluster};

/// The API of an object's kind in its namespace; an error for kinds that are neither changed nor waited for.
pub(super) fn api_of(cluster: &Cluster, object: &Object) -> Result<Api<DynamicObject>> {
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
/// The API server's refusal, naming the object; a kind that is never changed.
pub async fn read(cluster: &Cluster, object: &Object) -> Result<Option<Value>> {
    let found = api_of(cluster, object)?.get_opt(&object.name).await;
    let found =
        found.map_err(|error| anyhow!("cannot read {}: {}", object.title(), cluster::describe_error(&error)))?;
    Ok(found.map(serde_json::to_value).transpose()?)
}

/// Makes one edit, unless the object was changed since it was shown. After a deletion, waits until the object is gone,
/// for `limit` at most; after a patch, waits for nothing. An object to be deleted that is gone already is no error.
///
/// # Errors
/// The API server's refusal, naming the object; when the object was changed meanwhile; when a deleted object still
/// exists after `limit`.
pub async fn apply(cluster: &Cluster, edit: &Edit, limit: Duration) -> Result<()> {
    let api = api_of(cluster, &edit.object)?;
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
            wait_until_gone(api, edit, limit).await
        }
    }
}

/// Waits until a deleted object, by its uid, is gone; an error if it still exists after `limit`, or can't be watched.
async fn wait_until_gone(api: Api<DynamicObject>, edit: &Edit, limit: Duration) -> Result<()> {
    let title = edit.object.title();
    let uid = edit.before["metadata"]["uid"].as_str();
    let is_gone = |object: Option<&DynamicObject>| object.is_none_or(|object| object.uid().as_deref() != uid);
    let waited = wait_for_object(api, &edit.object.name, limit, is_gone).await;
    match waited.with_context(|| format!("cannot check whether {title} is deleted"))? {
        Some(_) => Ok(()),
        None => bail!("{title} still exists {} s after its deletion", limit.as_secs()),
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
