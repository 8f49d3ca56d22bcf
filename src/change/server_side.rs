//! Server-side apply, one object at a time, with the field manager `nfsprov`. Does not wait for an object, and retries
//! nothing.

use std::fmt;

use anyhow::{Context, Result, anyhow};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, Request};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::{self, Cluster};
use crate::manifest::strict;
use crate::yaml::escape_for_yaml;

pub const FIELD_MANAGER: &str = "nfsprov";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The object did not exist before.
    Created,
    /// It existed and was changed.
    Configured,
    /// It existed and is the same.
    Unchanged,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        })
    }
}

/// The object's kind; empty if it is not known.
pub fn kind_of(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types| types.kind.as_str())
}

/// `persistentvolume/mypv`, as kubectl writes it, without the namespace.
pub fn object_title(object: &DynamicObject) -> String {
    format!("{}/{}", kind_of(object).to_lowercase(), object.name_any())
}

#[derive(Clone, Copy, Debug, Default)]
pub struct ApplyOptions {
    /// The API server checks the object and stores nothing.
    pub dry_run: bool,
    /// Fields of other field managers are changed, too.
    pub force: bool,
    /// What the user can do about fields of other field managers, as a clause.
    pub on_conflict: &'static str,
}

/// Applies an object by server-side apply, and tells by its state before whether that changed anything, or with
/// `dry_run` would. A namespaced object without a namespace goes to the cluster's current one. Does not wait for it.
///
/// # Errors
/// The API server's refusal, naming the object; a conflict names the field managers and their fields.
pub async fn apply_object(cluster: &Cluster, object: &DynamicObject, how: ApplyOptions) -> Result<Applied> {
    let api = api_for(cluster, object)?;
    let name = object.name_any();
    let refused = |error: kube::Error| {
        let why = describe_refusal(&error, how.on_conflict);
        anyhow!("cannot apply {}: {why}", object_title(object))
    };
    let before = api.get_opt(&name).await.map_err(refused)?;
    let mut params = PatchParams::apply(FIELD_MANAGER).validation_strict();
    params.dry_run = how.dry_run;
    params.force = how.force;
    let mut sent = object.clone();
    name_protocols(&mut sent.data);
    let mut request = Request::new(api.resource_url()).patch(&name, &params, &Patch::Apply(&sent))?;
    // The API server reads what is applied as YAML, even if JSON is sent.
    if let Ok(body) = std::str::from_utf8(request.body()) {
        *request.body_mut() = escape_for_yaml(body).into_bytes();
    }
    let after: DynamicObject = cluster.client.request(request).await.map_err(refused)?;
    Ok(match before {
        None => Applied::Created,
        Some(before) if user_content(&before) == user_content(&after) => Applied::Unchanged,
        Some(_) => Applied::Configured,
    })
}

/// Reads the object of this kind and name; `None` if it doesn't exist.
///
/// # Errors
/// The API server's refusal, naming the object.
pub async fn read_object(cluster: &Cluster, object: &DynamicObject) -> Result<Option<DynamicObject>> {
    let found = api_for(cluster, object)?.get_opt(&object.name_any()).await;
    found.map_err(|error| {
        anyhow!(
            "cannot read {}: {}",
            object_title(object),
            cluster::describe_error(&error)
        )
    })
}

/// Applies the fields and labels that `object`, which was applied, had `before`, also those of other field managers.
/// Its annotations stay as they were applied.
///
/// # Errors
/// As [`apply_object`].
pub async fn restore_object(cluster: &Cluster, object: &DynamicObject, before: &DynamicObject) -> Result<Applied> {
    let options = ApplyOptions {
        force: true,
        ..ApplyOptions::default()
    };
    apply_object(cluster, &former_object(object, before), options).await
}

/// `object` with the fields and labels of `before`, without the status; its annotations stay.
fn former_object(object: &DynamicObject, before: &DynamicObject) -> DynamicObject {
    let mut former = object.clone();
    former.data.clone_from(&before.data);
    if let Some(fields) = former.data.as_object_mut() {
        fields.remove("status");
    }
    former.metadata.labels.clone_from(&before.metadata.labels);
    former
}

/// Deletes an object; false if it didn't exist. Does not wait until it is gone.
///
/// # Errors
/// The API server's refusal, naming the object.
pub async fn delete_object(cluster: &Cluster, object: &DynamicObject) -> Result<bool> {
    let deleted = api_for(cluster, object)?
        .delete(&object.name_any(), &DeleteParams::default())
        .await;
    match deleted {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(anyhow!(
            "cannot delete {}: {}",
            object_title(object),
            cluster::describe_error(&error)
        )),
    }
}

/// Adds the protocol to ports without one. It is a part of their key, and server-side apply of Kubernetes 1.20 does not
/// apply the default, TCP.
fn name_protocols(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(name_protocols),
        Value::Object(fields) => {
            for (key, value) in fields {
                if let ("ports", Value::Array(ports)) = (key.as_str(), &mut *value) {
                    for port in ports.iter_mut().filter_map(Value::as_object_mut) {
                        port.entry("protocol").or_insert_with(|| "TCP".into());
                    }
                }
                name_protocols(value);
            }
        }
        _ => {}
    }
}

/// Metadata and fields that users set, without those that the cluster sets: these change by themselves, and a dry run
/// does not change the version.
fn user_content(object: &DynamicObject) -> (Value, Value) {
    let mut data = object.data.clone();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("status");
    }
    let meta = &object.metadata;
    let meta = json!([meta.labels, meta.annotations, meta.finalizers, meta.owner_references]);
    (meta, data)
}

/// The API server's refusal as a sentence; of a conflict, the field managers, their fields, and `on_conflict`.
fn describe_refusal(error: &kube::Error, on_conflict: &str) -> String {
    let kube::Error::Api(status) = error else {
        return cluster::describe_error(error);
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let conflicts: Vec<String> = causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        // `conflict with "MANAGER" …`; the field is a path of its own.
        .map(|cause| format!("{} ({})", cause.field, cause.message))
        .collect();
    match conflicts.is_empty() {
        true => cluster::describe_error(error),
        false => format!(
            "other field managers own these fields: {}; {on_conflict}",
            conflicts.join(", ")
        ),
    }
}

/// The API of an object's kind, in its namespace or else in the cluster's current one. An unknown kind counts as
/// namespaced; an error for an object without apiVersion and kind.
fn api_for(cluster: &Cluster, object: &DynamicObject) -> Result<Api<DynamicObject>> {
    let types = object
        .types
        .as_ref()
        .context("the manifest has no apiVersion and kind")?;
    let resource = ApiResource::from_gvk(&types.try_into().context("the manifest's apiVersion is malformed")?);
    let client = cluster.client.clone();
    Ok(match strict::is_namespaced(&types.kind) {
        Some(false) => Api::all_with(client, &resource),
        _ => {
            let namespace = object.namespace().unwrap_or_else(|| cluster.namespace.clone());
            Api::namespaced_with(client, &namespace, &resource)
        }
    })
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    /// What the API server answers, with these causes.
    fn conflict(message: &str, causes: &Value) -> kube::Error {
        let status = json!({
            "status": "Failure", "message": message, "reason": "Conflict", "code": 409, "details": {"causes": causes},
        });
        let status: Status = serde_json::from_value(status).unwrap();
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn ports_are_sent_with_their_protocol() {
        let mut set = json!({"spec": {"template": {"spec": {"containers": [
            {"ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]},
        ]}}}});
        name_protocols(&mut set);
        let ports = &set["spec"]["template"]["spec"]["containers"][0]["ports"];
        let wanted = json!([{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]);
        assert_eq!(*ports, wanted);
    }

    #[test]
    fn a_former_object_has_only_what_users_wrote() {
        let object = |value: Value| -> DynamicObject { serde_json::from_value(value).unwrap() };
        let applied = object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ours", "namespace": "storage"},
            "spec": {"replicas": 2, "template": {"image": "new"}},
        }));
        let before = object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "ours", "namespace": "storage", "resourceVersion": "7", "uid": "u",
                         "managedFields": [], "labels": {"team": "storage"}},
            "spec": {"replicas": 1, "template": {"image": "old"}}, "status": {"replicas": 1},
        }));
        let wanted = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "ours", "namespace": "storage", "labels": {"team": "storage"}},
            "spec": {"replicas": 1, "template": {"image": "old"}},
        });
        assert_eq!(serde_json::to_value(former_object(&applied, &before)).unwrap(), wanted);
    }

    #[test]
    fn a_conflict_names_manager_and_field() {
        let cause = |manager: &str, field: &str| json!({"reason": "FieldManagerConflict", "field": field, "message": format!("conflict with {manager:?}")});
        let causes = json!([
            cause("kubectl", ".spec.capacity.storage"),
            cause("helm", ".metadata.labels.tier")
        ]);
        assert_eq!(
            describe_refusal(&conflict("Apply failed with 2 conflicts", &causes), "pass --name"),
            "other field managers own these fields: .spec.capacity.storage (conflict with \"kubectl\"), \
             .metadata.labels.tier (conflict with \"helm\"); pass --name"
        );
        let modified = conflict("the object has been modified", &json!([]));
        assert_eq!(
            describe_refusal(&modified, "pass --name"),
            "the object has been modified"
        );
    }
}
