//! Server-side apply, one object at a time.

use std::fmt;

use anyhow::{Context, Result, anyhow};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, Request};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::render::readable;
use super::strict;
use crate::cluster::{self, Cluster};

/// Who owns the fields that nfsprov sets.
pub const FIELD_MANAGER: &str = "nfsprov";

/// What applying did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The object was not there before.
    Created,
    /// It was there, and is another now.
    Configured,
    /// It was there, just so.
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

/// `persistentvolume/mypv`, as kubectl writes it.
pub fn title(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map(|types| types.kind.to_lowercase());
    format!("{}/{}", kind.unwrap_or_default(), object.name_any())
}

/// How to apply.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// The API server checks the object and stores nothing.
    pub dry_run: bool,
    /// Fields that others own are taken over.
    pub force: bool,
}

/// Applies one object.
///
/// # Errors
/// The API server's refusal, naming the object; a conflict names who owns which field.
pub async fn apply(cluster: &Cluster, object: &DynamicObject, how: How) -> Result<Applied> {
    let api = api(cluster, object)?;
    let name = object.name_any();
    let refused = |error: kube::Error| anyhow!("cannot apply {}: {}", title(object), refusal(&error));
    let before = api.get_opt(&name).await.map_err(refused)?;
    let mut params = PatchParams::apply(FIELD_MANAGER).validation_strict();
    params.dry_run = how.dry_run;
    params.force = how.force;
    let mut sent = object.clone();
    name_protocols(&mut sent.data);
    let mut request = Request::new(api.resource_url()).patch(&name, &params, &Patch::Apply(&sent))?;
    // The API server reads what is applied as YAML, even if JSON is sent.
    if let Ok(body) = std::str::from_utf8(request.body()) {
        *request.body_mut() = readable(body).into_bytes();
    }
    let after: DynamicObject = cluster.client.request(request).await.map_err(refused)?;
    Ok(match before {
        None => Applied::Created,
        Some(before) if content(&before) == content(&after) => Applied::Unchanged,
        Some(_) => Applied::Configured,
    })
}

/// Deletes one object; whether it was there.
///
/// # Errors
/// The API server's refusal, naming the object.
pub async fn delete(cluster: &Cluster, object: &DynamicObject) -> Result<bool> {
    let deleted = api(cluster, object)?
        .delete(&object.name_any(), &DeleteParams::default())
        .await;
    match deleted {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(anyhow!(
            "cannot delete {}: {}",
            title(object),
            cluster::sentence(&error)
        )),
    }
}

/// Writes the protocol of ports out: it is a part of their key, and server-side apply of 1.20 does
/// not know that it is TCP where nothing is said.
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

/// What users make of an object, without what the cluster keeps about it: that moves by itself, and
/// in a dry run the version stays where it was.
fn content(object: &DynamicObject) -> (Value, Value) {
    let mut data = object.data.clone();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("status");
    }
    let meta = &object.metadata;
    let meta = json!([meta.labels, meta.annotations, meta.finalizers, meta.owner_references]);
    (meta, data)
}

/// The API server's refusal; of a conflict, who owns what, and the way out.
fn refusal(error: &kube::Error) -> String {
    let kube::Error::Api(status) = error else {
        return cluster::sentence(error);
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let conflicts: Vec<String> = causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        // `conflict with "MANAGER" …`; the field is a path of its own.
        .map(|cause| format!("{} ({})", cause.field, cause.message))
        .collect();
    match conflicts.is_empty() {
        true => cluster::sentence(error),
        false => format!(
            "others own what would change: {}; --force-conflicts takes it over",
            conflicts.join(", ")
        ),
    }
}

/// The API of one of the kinds that templates make.
fn api(cluster: &Cluster, object: &DynamicObject) -> Result<Api<DynamicObject>> {
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
    fn a_conflict_names_manager_and_field() {
        let cause = |manager: &str, field: &str| json!({"reason": "FieldManagerConflict", "field": field, "message": format!("conflict with {manager:?}")});
        let causes = json!([
            cause("kubectl", ".spec.capacity.storage"),
            cause("helm", ".metadata.labels.tier")
        ]);
        assert_eq!(
            refusal(&conflict("Apply failed with 2 conflicts", &causes)),
            "others own what would change: .spec.capacity.storage (conflict with \"kubectl\"), \
             .metadata.labels.tier (conflict with \"helm\"); --force-conflicts takes it over"
        );
        let modified = conflict("the object has been modified", &json!([]));
        assert_eq!(refusal(&modified), "the object has been modified");
    }
}
