//! Reads directories of volumes, their sizes, and their usage of limits. Changes nothing on an export.

use std::collections::HashMap;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::PersistentVolume;

use super::directories::{Facts, FoundDirectory, Row, State, parents_to_list};
use super::overview::Holds;
use super::place::{self, ExportDirectory, nfs_location};
use super::servers::find_server_names;
use crate::export::{Export, ExportError, Kind, Location, QuotaReport, VolumePath, VolumeUsage, Wire};
use crate::provisioner::volume::{provisioned_uid, uid_for_limit};

/// How many directories are read, or measured, at once.
const AT_ONCE: usize = 8;

/// Lists the directories in an export's root, and those beside volumes, without descending into them; reads its owner
/// markers, and resolves the servers' names of `volumes`.
///
/// # Errors
/// As [`Export::list_directory`].
pub async fn survey_export(
    export: &Export,
    location: &Location,
    volumes: Vec<PersistentVolume>,
) -> Result<Facts, ExportError> {
    let markers = export.list_markers().await?;
    let servers = find_server_names(location, None, &volumes).await;
    let mut facts = Facts {
        location: location.clone(),
        servers,
        volumes,
        found: Vec::new(),
        markers,
    };
    let mut folders = vec![None];
    folders.extend(parents_to_list(&facts).into_iter().map(Some));
    let listings: Vec<Result<Vec<FoundDirectory>, ExportError>> = stream::iter(folders)
        .map(|folder| directories_in(export, folder))
        .buffered(AT_ONCE)
        .collect()
        .await;
    for listing in listings {
        facts.found.extend(listing?);
    }
    Ok(facts)
}

/// The directories in a folder, or in the root; none if it does not exist or is no directory.
async fn directories_in(export: &Export, folder: Option<VolumePath>) -> Result<Vec<FoundDirectory>, ExportError> {
    let entries = match export.list_directory(folder.as_ref()).await {
        Ok(entries) => entries.unwrap_or_default(),
        // Below something else than a directory there is none.
        Err(ExportError::NotADirectory { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let directories = entries.into_iter().filter(|entry| entry.kind == Kind::Directory);
    let found = directories.map(|entry| FoundDirectory {
        shown: match &folder {
            Some(folder) => format!("{folder}/{}", entry.name),
            None => entry.name.clone(),
        },
        // A name that is no UTF-8 was made into another, which leads nowhere.
        path: VolumePath::child(folder.as_ref(), &entry.name)
            .ok()
            .filter(|_| !entry.name.contains(char::REPLACEMENT_CHARACTER)),
        changed: entry.changed,
    });
    Ok(found.collect())
}

/// Measures the data in the directories of rows and stores it in `holds`; calls `on_measured` after each directory. One
/// that can't be read is [`Holds::Unreadable`]. Rows whose state says that the directory does not exist are skipped.
pub async fn measure_directories(export: &Export, rows: &mut [Row], on_measured: impl Fn()) {
    let there = |row: &&mut Row| !matches!(row.state, State::Missing | State::Marker);
    let measured = stream::iter(rows.iter_mut().filter(there)).for_each_concurrent(AT_ONCE, |row| {
        let on_measured = &on_measured;
        async move {
            let path = row.path.clone();
            row.holds = match (&path, row.directory.as_str()) {
                (None, shown) if shown != "." => {
                    Some(Holds::Unreadable("its name can't be sent to the server".to_owned()))
                }
                _ => Some(measure_directory(export, path.as_ref()).await),
            };
            on_measured();
        }
    });
    measured.await;
}

/// Measures the data in a directory, or with `None` on the whole export.
async fn measure_directory(export: &Export, directory: Option<&VolumePath>) -> Holds {
    match export.measure_usage(directory).await {
        Ok(Some(usage)) => Holds::from(usage),
        Ok(None) => Holds::Missing,
        Err(error) => Holds::Unreadable(error.to_string()),
    }
}

/// Stores the usage of limited volumes called `pvc-UID` in `quota` of their rows, from one report of the server's
/// quotas; that of all other rows becomes `None`. Returns the report, which is empty for a file system without project
/// quotas, or `None`, with the rows unchanged, if this export's quotas can't be read.
pub async fn read_quotas(export: &Export, rows: &mut [Row]) -> Option<QuotaReport> {
    let report = report_quotas(export).await?;
    for row in rows {
        let uid = row.volume.as_deref().and_then(provisioned_uid);
        row.quota = uid.and_then(|uid| report.usage_of(uid));
    }
    Some(report)
}

/// The report of an export's quotas; `None` if the export can't have limits or the report fails, which is logged.
pub(super) async fn report_quotas(export: &Export) -> Option<QuotaReport> {
    export.check_can_limit().ok()?;
    let report = export.report_quotas(None).await;
    report
        .inspect_err(|error| tracing::debug!("quotas not read: {error}"))
        .ok()
}

/// Measures the data of volumes, by the name of the PV: through `known` for volumes on that export, over NFS for other
/// in-tree NFS volumes; all others are dropped. A directory that can't be read is [`Holds::Unreadable`], one that does
/// not exist [`Holds::Missing`]. Calls `on_measured` after each volume that is measured.
pub async fn measure_volumes(
    volumes: Vec<PersistentVolume>,
    known: Option<(Location, Export)>,
    on_measured: impl Fn(),
) -> HashMap<String, Holds> {
    let given = known.as_ref().map(|(location, _)| location.clone());
    let place_of = |volume| {
        let place = directory_to_measure(volume, given.as_ref())?;
        Some((place::volume_name(volume).to_owned(), place))
    };
    let places: Vec<(String, ExportDirectory)> = volumes.iter().filter_map(place_of).collect();
    let mut exports: HashMap<Location, Export> = known.into_iter().collect();
    for (_, place) in &places {
        exports
            .entry(place.location.clone())
            .or_insert_with(|| Export::Wire(Wire::new(place.location.clone())));
    }
    let exports = &exports;
    let measured = stream::iter(places).filter_map(|(name, place)| async move {
        let export = exports.get(&place.location)?;
        Some(async move { (name, measure_directory(export, place.directory.as_ref()).await) })
    });
    let measured = measured.buffer_unordered(AT_ONCE).inspect(|_| on_measured());
    measured.collect().await
}

/// The usage of those of `volumes` that are limited and on the export, by the PV's name, from one report of the
/// server's quotas. Empty if there is no report.
pub async fn read_volume_usage(
    volumes: &[PersistentVolume],
    (location, export): &(Location, Export),
) -> HashMap<String, VolumeUsage> {
    let Some(report) = report_quotas(export).await else {
        return HashMap::new();
    };
    let usage = |volume: &PersistentVolume| {
        place::directory_on(volume, location).ok()?.directory?;
        Some((
            place::volume_name(volume).to_owned(),
            report.usage_of(uid_for_limit(volume)?)?,
        ))
    };
    volumes.iter().filter_map(usage).collect()
}

/// The directory on `given` if the volume is on it, else the recorded one, else the volume's path as an export; `None`
/// if the volume is not on `given` and not in-tree NFS.
fn directory_to_measure(volume: &PersistentVolume, given: Option<&Location>) -> Option<ExportDirectory> {
    let on_given = given.and_then(|export| place::directory_on(volume, export).ok());
    on_given.or_else(|| place::annotated_directory(volume)).or_else(|| {
        Some(ExportDirectory {
            location: nfs_location(volume)?,
            directory: None,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    use serde_json::json;

    use super::*;
    use crate::export::{Attributes, LimitChange, LimitedExport, Mounted, SizeLimit, VolumePath};
    use crate::volumes::directories::directory_rows;

    #[tokio::test]
    async fn limited_volumes_say_what_they_use() {
        const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";
        let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
        let export = &limited.export;
        limited.enforce(true);
        let directory = VolumePath::parse("d-a").unwrap();
        let mode = Attributes::with_mode(0o777);
        export.create_directory(&directory, mode).await.unwrap();
        let limit = SizeLimit::new(10 << 20, UID).unwrap();
        export.limit_size(&directory, &limit, LimitChange::New).await.unwrap();
        let row = |volume: &str| Row {
            directory: "d-a".to_owned(),
            path: None,
            state: State::InUse,
            volume: Some(volume.to_owned()),
            claim: None,
            changed: None,
            holds: None,
            quota: None,
        };
        let unlimited = "pvc-11111111-2222-4333-8444-555555555555";
        let mut rows = [row(&format!("pvc-{UID}")), row(unlimited), row("by-hand")];
        limited.take_log();
        read_quotas(export, &mut rows).await;
        let told: Vec<_> = rows
            .iter()
            .map(|row| row.quota.map(|quota| quota.limit_bytes))
            .collect();
        assert_eq!(told, [Some(10 << 20), None, None]);
        let log = limited.take_log();
        assert_eq!(log.matches("xfs_quota").count(), 1, "{log}");

        // The same of PVs, whose claims may give the project id.
        let volume = |name: &str, server: &str, uid: &str| -> PersistentVolume {
            let nfs = json!({"server": server, "path": "/nfsdata/d-a"});
            let volume = json!({"metadata": {"name": name}, "spec": {"nfs": nfs, "claimRef": {"uid": uid}}});
            serde_json::from_value(volume).unwrap()
        };
        let other = "11111111-2222-4333-8444-555555555555";
        let volumes = [
            volume(&format!("pvc-{UID}"), "nfs", other),
            volume("by-hand", "nfs", UID),
            volume(unlimited, "nfs", UID),
            volume("elsewhere", "other", UID),
        ];
        let location = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        let told = read_volume_usage(&volumes, &(location, export.clone())).await;
        let mut names: Vec<_> = told.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["by-hand", &format!("pvc-{UID}")]);
        let log = limited.take_log();
        assert_eq!(log.matches("xfs_quota").count(), 1, "{log}");
    }

    #[tokio::test]
    async fn an_export_is_read_around_its_volumes_whatever_it_holds() {
        let root = tempfile::tempdir().unwrap();
        for directory in [
            "team/data/inner",
            "team/left",
            "alone/inner",
            ".snapshot/hourly",
            "team/@eaDir",
            "lost+found",
            "line\nbreak",
            "\u{1b}[2J",
        ] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        fs::create_dir(root.path().join(std::ffi::OsStr::from_bytes(b"\xff"))).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        fs::write(root.path().join("team/data/inner/file"), "data").unwrap();
        std::os::unix::fs::symlink("/", root.path().join("link")).unwrap();
        let location = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        let export = Export::Mounted(Mounted::new(location.clone(), root.path()));
        let volume =
            json!({"metadata": {"name": "v"}, "spec": {"nfs": {"server": "nfs", "path": "/nfsdata/team/data"}}});
        let volumes = vec![serde_json::from_value(volume).unwrap()];
        let facts = survey_export(&export, &location, volumes).await.unwrap();
        let mut rows = directory_rows(&facts);
        measure_directories(&export, &mut rows, || ()).await;
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                let files = match row.holds {
                    Some(Holds::Data { files, .. }) => Some(files),
                    _ => None,
                };
                (row.directory.as_str(), row.state, files)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("\u{1b}[2J", State::Orphan, None),
                ("alone", State::Orphan, Some(0)),
                ("line\nbreak", State::Orphan, None),
                ("team/data", State::InUse, Some(1)),
                ("team/left", State::Orphan, Some(0)),
                ("\u{fffd}", State::Orphan, None),
            ]
        );
    }
}
