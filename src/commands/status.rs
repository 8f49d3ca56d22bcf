//! `nfsprov status`: the claims and volumes that are on NFS.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::cluster_options;
use crate::cli::{Format, Global, Status};
use crate::cluster::{self, Use, connect, list};
use crate::exit::Exit;
use crate::output;

/// The columns; the first [`NARROW`] of them fit a terminal of 80.
const HEADINGS: [&str; 7] = ["NAMESPACE", "CLAIM", "PHASE", "SIZE", "VOLUME", "CLASS", "DIRECTORY"];
const NARROW: usize = 5;

/// Runs `nfsprov status`.
pub async fn run(args: &Status, global: &Global) -> Result<Exit> {
    let cluster = connect(&cluster_options(global), Use::OneShot).await?;
    let claims: Api<PersistentVolumeClaim> = match args.all_namespaces {
        true => Api::all(cluster.client.clone()),
        false => Api::namespaced(cluster.client.clone(), &cluster.namespace),
    };
    let volumes: Api<PersistentVolume> = Api::all(cluster.client.clone());
    let (claims, volumes) = tokio::try_join!(
        list(&claims, |_| true),
        list(&volumes, |volume: &PersistentVolume| volume
            .spec
            .as_ref()
            .is_some_and(|spec| spec.nfs.is_some())),
    )
    .map_err(|error| anyhow!("cannot list claims and volumes: {}", cluster::sentence(&error)))?;
    let rows = rows(&claims, &volumes, args.all_namespaces);
    let text = match args.output {
        Format::Table => output::table(&HEADINGS[..NARROW], rows.iter().map(|row| row[..NARROW].to_vec())),
        Format::Wide => output::table(&HEADINGS, rows.into_iter().map(Vec::from)),
        Format::Json => {
            let object = |row: [String; 7]| {
                let keys = HEADINGS.iter().map(|heading| heading.to_lowercase());
                json!(keys.zip(row).collect::<HashMap<_, _>>())
            };
            serde_json::to_string_pretty(&rows.into_iter().map(object).collect::<Vec<_>>())? + "\n"
        }
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

/// A row a claim that is on NFS or has no volume yet, then a row a volume without a claim of these.
fn rows(claims: &[PersistentVolumeClaim], volumes: &[PersistentVolume], all: bool) -> Vec<[String; 7]> {
    let mut by_name: HashMap<String, &PersistentVolume> =
        volumes.iter().map(|volume| (volume.name_any(), volume)).collect();
    let mut rows = Vec::new();
    for claim in claims {
        let spec = claim.spec.clone().unwrap_or_default();
        let volume_name = spec.volume_name.unwrap_or_default();
        let volume = by_name.remove(&volume_name);
        if volume.is_none() && !volume_name.is_empty() {
            continue;
        }
        let requests = spec.resources.and_then(|resources| resources.requests);
        let size = requests.and_then(|requests| requests.get("storage").map(|size| size.0.clone()));
        let status = claim.status.as_ref();
        rows.push([
            claim.namespace().unwrap_or_default(),
            claim.name_any(),
            status.and_then(|status| status.phase.clone()).unwrap_or_default(),
            size.unwrap_or_default(),
            volume_name,
            spec.storage_class_name.unwrap_or_default(),
            volume.map(directory).unwrap_or_default(),
        ]);
    }
    for volume in volumes.iter().filter(|volume| by_name.contains_key(&volume.name_any())) {
        let spec = volume.spec.clone().unwrap_or_default();
        let bound = volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
        // Another namespace's claim has it.
        if bound && !all {
            continue;
        }
        let size = spec
            .capacity
            .and_then(|capacity| capacity.get("storage").map(|size| size.0.clone()));
        let status = volume.status.as_ref();
        rows.push([
            String::new(),
            String::new(),
            status.and_then(|status| status.phase.clone()).unwrap_or_default(),
            size.unwrap_or_default(),
            volume.name_any(),
            spec.storage_class_name.unwrap_or_default(),
            directory(volume),
        ]);
    }
    rows.sort();
    rows
}

fn directory(volume: &PersistentVolume) -> String {
    let nfs = volume.spec.as_ref().and_then(|spec| spec.nfs.as_ref());
    nfs.map(|nfs| format!("{}:{}", nfs.server, nfs.path))
        .unwrap_or_default()
}
