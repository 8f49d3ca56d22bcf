//! Lists exports on which claims have volumes: archives, directories and records of volumes that the cluster lost.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::future::join_all;
use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use tokio::time::timeout;

use super::probe::PATIENCE;
use crate::doctor::checks::earlier_data::{claims_on_export, earlier_volumes_of};
use crate::doctor::entry::{LISTINGS, VOLUMES};
use crate::doctor::facts::{EarlierVolume, ExportListing, Facts, ProbeResult, Unread};
use crate::export::{
    Export, ExportError, Kind, Location, VolumePath, Wire, is_named_after, is_server_entry, names_a_volume,
};
use crate::inventory::archives::Archive;

use crate::volumes::read::read_records_of;

/// The most records of lost volumes that are read on one export.
const MOST_RECORDS: usize = 1000;

/// The most directories of claims that are listed on one export.
const MOST_DIRECTORIES: usize = 64;

/// How many directories are listed at once.
const AT_ONCE: usize = 8;

/// Lists the exports that answered and on which claims have volumes, and adds the listings to the facts. Exports that
/// fail are recorded as unread. Does nothing if PVs could not be read.
pub async fn list_reached_exports(facts: &mut Facts) {
    if !facts.knows(VOLUMES) {
        return;
    }
    let reached = facts.probes.iter().filter(|probe| probe.result == ProbeResult::Fine);
    let locations: Vec<Location> = reached
        .filter(|probe| !claims_on_export(facts, (&probe.server, &probe.path)).is_empty())
        .map(|probe| Location {
            server: probe.server.clone(),
            path: probe.path.clone(),
        })
        .collect();
    let (mut listings, mut unread) = (Vec::new(), Vec::new());
    let all = join_all(
        locations
            .iter()
            .map(|location| timeout(PATIENCE, list_export(facts, location))),
    )
    .await;
    for (location, listed) in locations.iter().zip(all) {
        match listed {
            Ok(Ok(listing)) => listings.push(listing),
            Ok(Err(error)) => unread.push(format!("{location} from this machine: {error}")),
            Err(_) => unread.push(format!(
                "{location} from this machine: not listed within {} s",
                PATIENCE.as_secs()
            )),
        }
    }
    facts.listings = listings;
    if !unread.is_empty() {
        facts.unread.push(Unread {
            what: LISTINGS.to_owned(),
            why: unread.join("; "),
            forbidden: false,
        });
    }
}

/// Lists the earlier volumes on an export, and which directories of present claims that may have one are empty. Lists
/// at most [`MOST_DIRECTORIES`] directories of claims.
async fn list_export(facts: &Facts, location: &Location) -> Result<ExportListing, ExportError> {
    let export = Export::Wire(Wire::new(location.clone()));
    let known: HashSet<&str> = facts.volumes.iter().map(|volume| volume.name.as_str()).collect();
    let mut volumes = volumes_in_root(&export).await?;
    volumes.retain(|name, _| !known.contains(name.as_str()));
    add_records(&export, location, &known, &mut volumes).await?;
    let volumes: Vec<EarlierVolume> = volumes.into_values().collect();
    let directories = claims_on_export(facts, (&location.server, &location.path)).into_iter();
    let directories = directories
        .filter(|served| !earlier_volumes_of(facts, served.claim, &volumes).is_empty())
        .filter_map(|served| Some((&served.volume.name, VolumePath::parse(served.directory).ok()?)));
    let listed: Vec<_> = stream::iter(directories.take(MOST_DIRECTORIES).collect::<Vec<_>>())
        .map(|(name, path)| {
            let export = &export;
            async move { (name, export.list_directory(Some(&path)).await) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut empty = BTreeSet::new();
    for (name, entries) in listed {
        let entries = entries?;
        if entries.is_some_and(|entries| entries.iter().all(|entry| is_server_entry(&entry.name))) {
            empty.insert(name.clone());
        }
    }
    Ok(ExportListing {
        server: location.server.clone(),
        path: location.path.clone(),
        volumes,
        empty,
    })
}

/// The archives and default directories in an export's root, by the PV in their names, at most one of each for a PV.
/// Other directories are dropped.
async fn volumes_in_root(export: &Export) -> Result<BTreeMap<String, EarlierVolume>, ExportError> {
    let mut found: BTreeMap<String, EarlierVolume> = BTreeMap::new();
    let entries = export.list_directory(None).await?.unwrap_or_default();
    for entry in entries.into_iter().filter(|entry| entry.kind == Kind::Directory) {
        let archive = Archive::parse(&entry.name);
        let old = archive
            .as_ref()
            .map_or(entry.name.as_str(), |archive| archive.old.as_str());
        let Some((_, uid)) = old.rsplit_once("-pvc-").filter(|_| names_a_volume(old)) else {
            continue;
        };
        let name = format!("pvc-{uid}");
        let volume = found.entry(name.clone()).or_insert_with(|| EarlierVolume {
            name,
            ..EarlierVolume::default()
        });
        volume.named_after = Some(old.to_owned());
        volume.changed = volume.changed.max(entry.changed);
        match archive {
            Some(_) => volume.archive = Some(entry.name),
            None => volume.directory = Some(entry.name),
        }
    }
    Ok(found)
}

/// Adds the records of PVs that the cluster does not have, at most [`MOST_RECORDS`]. Records that are refused, or whose
/// default directory no longer exists, are ignored.
async fn add_records(
    export: &Export,
    location: &Location,
    known: &HashSet<&str>,
    volumes: &mut BTreeMap<String, EarlierVolume>,
) -> Result<(), ExportError> {
    let names = export.record_names(Timestamp::now().as_second()).await?.volumes;
    let lost = names.into_iter().filter(|name| !known.contains(name.as_str()));
    let lost: Vec<String> = lost.take(MOST_RECORDS).collect();
    for (name, record) in read_records_of(export, location, None, &lost).await? {
        let Ok(record) = record else {
            continue;
        };
        let is_default = is_named_after(&record.directory, &name);
        let volume = volumes.entry(name.clone());
        let volume = match volume {
            Entry::Occupied(found) => found.into_mut(),
            // Its directory would be in the root, and is not.
            Entry::Vacant(_) if is_default => continue,
            Entry::Vacant(free) => free.insert(EarlierVolume {
                name,
                ..EarlierVolume::default()
            }),
        };
        volume.is_recorded = true;
        volume.claim = record
            .claim_key()
            .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        if !is_default {
            volume.named_after = None;
            volume.directory = Some(record.directory.to_string());
        }
    }
    Ok(())
}
