//! Server-side apply, one object at a time.

use std::fmt;

use anyhow::{Context, Result, anyhow};
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, ResourceExt};

use super::Manifest;
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

/// Applies a manifest; with `dry_run` the API server checks it and stores nothing.
///
/// # Errors
/// The API server's refusal, naming the object.
pub async fn apply(cluster: &Cluster, manifest: &Manifest, dry_run: bool) -> Result<Applied> {
    let object = &manifest.object;
    let api = api(cluster, object)?;
    let name = object.name_any();
    let refused = |error: kube::Error| anyhow!("cannot apply {}: {}", title(object), cluster::sentence(&error));
    let before = api.get_opt(&name).await.map_err(refused)?;
    let mut params = PatchParams::apply(FIELD_MANAGER).validation_strict();
    params.dry_run = dry_run;
    let after = api
        .patch(&name, &params, &Patch::Apply(object))
        .await
        .map_err(refused)?;
    Ok(match before {
        None => Applied::Created,
        Some(before) if before.resource_version() == after.resource_version() => Applied::Unchanged,
        Some(_) => Applied::Configured,
    })
}

/// The API of one of the kinds that templates make.
fn api(cluster: &Cluster, object: &DynamicObject) -> Result<Api<DynamicObject>> {
    let types = object
        .types
        .as_ref()
        .context("the manifest has no apiVersion and kind")?;
    let resource = ApiResource::from_gvk(&types.try_into().context("the manifest's apiVersion is malformed")?);
    let client = cluster.client.clone();
    Ok(match types.kind.as_str() {
        "PersistentVolume" | "StorageClass" => Api::all_with(client, &resource),
        _ => {
            let namespace = object.namespace().unwrap_or_else(|| cluster.namespace.clone());
            Api::namespaced_with(client, &namespace, &resource)
        }
    })
}
