//! Lists exports on which claims have volumes: archives, directories and records of volumes that the cluster lost. It
//! makes NFS calls from this machine, and changes nothing on an export.

use std::collections::{BTreeMap, BTreeSet, HashSet, btree_map};

use futures::future::join_all;
use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use tokio::time::timeout;

use super::probe::PATIENCE;
use crate::doctor::checks::earlier_data::{claims_on_export, earlier_volumes_of};
use crate::doctor::entry::{LISTINGS, VOLUMES};
use crate::doctor::facts::{EarlierVolume, ExportListing, Facts, ProbeResult};
use crate::export::{
    Entry, Export, ExportError, Kind, Location, VolumePath, Wire, is_named_after, is_server_entry, names_a_volume,
};
use crate::volumes::archives::Archive;
use crate::volumes::read::read_records_of;

/// The most records of lost volumes that are read on one export.
const MOST_RECORDS: usize = 1000;

/// The most directories of claims that are listed on one export.
const MOST_DIRECTORIES: usize = 64;

/// How many directories are listed at once.
const AT_ONCE: usize = 8;

/// Lists the exports that answered the probes in `facts` and on which claims have volumes, and sets the listings of the
/// facts. Exports that fail or take longer than 3 s, and directories on them that fail, are recorded as unread. Does
/// nothing if PVs could not be read.
pub async fn list_reached_exports(facts: &mut Facts) {
    if !facts.cluster.was_read(VOLUMES) {
        return;
    }
    let reached = facts.probes.iter().filter(|probe| probe.result == ProbeResult::Fine);
    let locations: Vec<Location> = reached
        .filter(|probe| !claims_on_export(&facts.cluster, (&probe.server, &probe.path)).is_empty())
        .map(|probe| Location {
            server: probe.server.clone(),
            path: probe.path.clone(),
        })
        .collect();
    let (mut listings, mut unread) = (Vec::new(), Vec::new());
    let facts_so_far = &*facts;
    let list = |location: &Location| {
        let export = Export::Wire(Wire::new(location.clone()));
        let location = location.clone();
        async move { timeout(PATIENCE, list_export(facts_so_far, &export, &location)).await }
    };
    let all = join_all(locations.iter().map(list)).await;
    for (location, listed) in locations.iter().zip(all) {
        match listed {
            Ok(Ok((listing, not_listed))) => {
                listings.push(listing);
                unread.extend(not_listed.map(|why| format!("{location} from this machine: {why}")));
            }
            Ok(Err(error)) => unread.push(format!("{location} from this machine: {error}")),
            Err(_) => unread.push(format!(
                "{location} from this machine: not listed within {} s",
                PATIENCE.as_secs()
            )),
        }
    }
    facts.listings = listings;
    if !unread.is_empty() {
        facts.cluster.record_unread(LISTINGS, unread.join("; "));
    }
}

/// Lists the earlier volumes on an export, which the cluster has no more, and which directories of present claims that
/// may have one are empty. Directories beyond [`MOST_DIRECTORIES`], and missing ones, count as not empty. So do those
/// that could not be listed, of which the second result tells; `Err` if the root or the records can't be read.
async fn list_export(
    facts: &Facts,
    export: &Export,
    location: &Location,
) -> Result<(ExportListing, Option<String>), ExportError> {
    let known: HashSet<&str> = facts
        .cluster
        .volumes
        .iter()
        .map(|volume| volume.name.as_str())
        .collect();
    let mut volumes = volumes_in_root(export.list_directory(None).await?.unwrap_or_default());
    volumes.retain(|name, _| !known.contains(name.as_str()));
    add_records(export, location, &known, &mut volumes).await?;
    let volumes: Vec<EarlierVolume> = volumes.into_values().collect();
    let directories = claims_on_export(&facts.cluster, (&location.server, &location.path)).into_iter();
    let directories = directories
        .filter(|served| !earlier_volumes_of(&facts.cluster, served.claim, &volumes).is_empty())
        .filter_map(|served| Some((&served.volume.name, VolumePath::parse(served.directory).ok()?)));
    let listed: Vec<_> = stream::iter(directories.take(MOST_DIRECTORIES).collect::<Vec<_>>())
        .map(|(name, path)| async move { (name, export.list_directory(Some(&path)).await) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (mut empty, mut errors) = (BTreeSet::new(), Vec::new());
    for (name, entries) in listed {
        match entries {
            Ok(Some(entries)) if entries.iter().all(|entry| is_server_entry(&entry.name)) => {
                empty.insert(name.clone());
            }
            Ok(_) => {}
            Err(error) => errors.push(error.to_string()),
        }
    }
    let not_listed = errors.first().map(|first| match errors.len() {
        1 => first.clone(),
        count => format!("{first}; {} more directories could not be listed", count - 1),
    });
    let listing = ExportListing {
        server: location.server.clone(),
        path: location.path.clone(),
        volumes,
        empty,
    };
    Ok((listing, not_listed))
}

/// The archives and default directories among the entries of an export's root, by the PV in their names; at most one of
/// each for a PV: of several the one that was changed last. Other directories are dropped.
fn volumes_in_root(mut entries: Vec<Entry>) -> BTreeMap<String, EarlierVolume> {
    let mut found: BTreeMap<String, EarlierVolume> = BTreeMap::new();
    entries.sort_by_key(|entry| entry.changed);
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
    found
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
            btree_map::Entry::Occupied(found) => found.into_mut(),
            // Its directory would be in the root, and is not.
            btree_map::Entry::Vacant(_) if is_default => continue,
            btree_map::Entry::Vacant(free) => free.insert(EarlierVolume {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::snapshot::{Claim, Volume};
    use crate::export::Mounted;

    #[tokio::test]
    async fn a_directory_that_cannot_be_listed_hides_no_other() {
        let root = tempfile::tempdir().unwrap();
        let uid = |number: u32| format!("0b510b51-0b51-4b51-8b51-0b510b510b0{number}");
        let location = Location {
            server: "nfs".to_owned(),
            path: "/nfsdata".to_owned(),
        };
        let mut facts = Facts::default();
        for (number, name) in ["empty", "not-a-directory"].into_iter().enumerate() {
            let volume = format!("pvc-{}", uid(number as u32));
            std::fs::create_dir(
                root.path()
                    .join(format!("archived-web-{name}-pvc-{}", uid(7 + number as u32))),
            )
            .unwrap();
            facts.cluster.claims.push(Claim {
                namespace: "web".to_owned(),
                name: name.to_owned(),
                phase: "Bound".to_owned(),
                volume: volume.clone(),
                ..Claim::default()
            });
            facts.cluster.volumes.push(Volume {
                name: volume,
                nfs: Some(("nfs".to_owned(), format!("/nfsdata/{name}"))),
                ..Volume::default()
            });
        }
        std::fs::create_dir(root.path().join("empty")).unwrap();
        std::fs::write(root.path().join("not-a-directory"), "").unwrap();
        let export = Export::Mounted(Mounted::new(location.clone(), root.path()));
        let (listing, not_listed) = list_export(&facts, &export, &location).await.unwrap();
        assert_eq!(listing.empty, [format!("pvc-{}", uid(0))].into());
        let not_listed = not_listed.unwrap();
        assert!(not_listed.contains("not-a-directory"), "{not_listed}");
    }

    #[test]
    fn of_several_archives_of_a_volume_the_last_counts() {
        let uid = "0b510b51-0b51-4b51-8b51-0b510b510b51";
        let entry = |end: &str, changed| Entry {
            name: format!("archived-web-data-pvc-{uid}{end}"),
            kind: Kind::Directory,
            bytes: 0,
            changed,
        };
        let entries = [
            entry("-20250101T000000Z", 1),
            entry("-20260101T000000Z", 3),
            entry("", 2),
        ];
        for turn in 0..entries.len() {
            let mut entries = entries.clone();
            entries.rotate_left(turn);
            let found = volumes_in_root(entries.into());
            let volume = &found[&format!("pvc-{uid}")];
            let archive = volume.archive.as_deref().unwrap();
            assert!(
                archive.ends_with("-20260101T000000Z") && volume.changed == 3,
                "{volume:?}"
            );
        }
    }
}
