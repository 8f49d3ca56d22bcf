//! Reads NFS volumes of the cluster, records of an export, and the objects and directories that these are compared
//! with. Changes nothing.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, ResourceExt};

use super::moved::{self, Parsed};
use super::rebuild::Facts;
use crate::cluster::nfs_volumes::mounted_export;
use crate::cluster::{describe_error, list_filtered};
use crate::export::{Export, ExportError, FoundRecord, Kind, Location, VolumePath};
use crate::provisioner::rules::record::Record;
use crate::volumes::servers::find_server_names;

/// How many directories are listed at once.
const AT_ONCE: usize = 8;

/// A record by the PV that its file is named after, read or refused in a sentence.
pub type ReadRecord = (String, Result<Record, String>);

/// Why an export or a cluster can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The export's side.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The API server's side.
    #[error("cannot list {what}: {}", describe_error(source))]
    Api {
        /// The objects.
        what: &'static str,
        /// Its answer.
        source: kube::Error,
    },
}

/// Lists the NFS volumes of a cluster, in-tree and of NFS CSI drivers; volumes of other storage are dropped.
///
/// # Errors
/// When PVs can't be listed.
pub async fn list_nfs_volumes(client: &Client) -> Result<Vec<PersistentVolume>, ReadError> {
    let all = Api::all(client.clone());
    let volumes = list_filtered(&all, |volume| mounted_export(volume).is_some()).await;
    volumes.map_err(|source| ReadError::Api {
        what: "persistent volumes",
        source,
    })
}

/// All records of an export, sorted by name, each parsed or with the reason why it is refused; so are files that are
/// named after no PV. `former_server` is a name or address that the export's server had before.
///
/// # Errors
/// When the export can't be read.
pub async fn read_records(
    export: &Export,
    location: &Location,
    former_server: Option<&str>,
) -> Result<Vec<ReadRecord>, ExportError> {
    let parsed = read_and_parse_all(export, location, former_server).await?;
    Ok(parsed.into_iter().map(|(name, parsed)| (name, parsed.record)).collect())
}

/// As [`read_records`], with the mark of records that name the former server. Sorted by name; a file whose name is no
/// record's is in the result as refused.
async fn read_and_parse_all(
    export: &Export,
    location: &Location,
    former_server: Option<&str>,
) -> Result<Vec<(String, Parsed)>, ExportError> {
    let names = export.record_names(Timestamp::now().as_second()).await?;
    let found = export.read_records(&names.volumes).await?;
    let parsed = found
        .into_iter()
        .map(|found| parse_found(found, location, former_server));
    let mut parsed: Vec<_> = parsed.collect();
    let refused = |name: String| {
        let why = "its name is not a PV's name followed by `.yaml`".to_owned();
        let parsed = Parsed {
            record: Err(why),
            is_moved: false,
        };
        (name, parsed)
    };
    parsed.extend(names.others.into_iter().map(refused));
    parsed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(parsed)
}

/// The name of the record's PV, else of its file, and the record, or why it is refused.
fn parse_found(found: FoundRecord, location: &Location, former_server: Option<&str>) -> (String, Parsed) {
    let name = found.volume.unwrap_or(found.file);
    let parsed = match found.content {
        Ok(content) => moved::parse_record(&name, &content, location, former_server),
        Err(why) => Parsed {
            record: Err(why),
            is_moved: false,
        },
    };
    (name, parsed)
}

/// The records of these PVs, in any order; those that have none are left out.
///
/// # Errors
/// As [`read_records`].
pub async fn read_records_of(
    export: &Export,
    location: &Location,
    former_server: Option<&str>,
    volumes: &[String],
) -> Result<Vec<ReadRecord>, ExportError> {
    let found = export.read_records(volumes).await?;
    let parsed = found
        .into_iter()
        .map(|found| parse_found(found, location, former_server));
    Ok(parsed.map(|(name, parsed)| (name, parsed.record)).collect())
}

/// The directories in the root of an export, and those beside the directories that records name, but none below.
/// nfsprov's and the server's own are included.
///
/// # Errors
/// As [`Export::list_directory`].
pub async fn list_directories(export: &Export, records: &[ReadRecord]) -> Result<BTreeSet<VolumePath>, ExportError> {
    let recorded = records.iter().filter_map(|(_, record)| record.as_ref().ok());
    let folders: BTreeSet<Option<VolumePath>> = recorded
        .map(|record| record.directory.ancestors().pop())
        .chain([None])
        .collect();
    let listings: Vec<_> = stream::iter(folders)
        .map(|folder| async move {
            let entries = match export.list_directory(folder.as_ref()).await {
                Ok(entries) => entries.unwrap_or_default(),
                // Below something else than a directory there is none.
                Err(ExportError::NotADirectory { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            let directories = entries.into_iter().filter(|entry| entry.kind == Kind::Directory);
            let paths = directories.filter_map(|entry| VolumePath::child(folder.as_ref(), &entry.name).ok());
            Ok(paths.collect::<Vec<_>>())
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut found = BTreeSet::new();
    for listing in listings {
        found.extend(listing?);
    }
    Ok(found)
}

/// Reads the records of an export as [`read_records`] does, its directories and markers, and the cluster's PVs, claims
/// and namespaces.
///
/// # Errors
/// When the export or the cluster can't be read.
pub async fn read_facts(
    client: &Client,
    export: &Export,
    location: &Location,
    former_server: Option<&str>,
) -> Result<Facts, ReadError> {
    let api_error = |what: &'static str| move |source| ReadError::Api { what, source };
    let on_export = async {
        let parsed = read_and_parse_all(export, location, former_server).await?;
        let moved = parsed.iter().filter(|(_, parsed)| parsed.is_moved);
        let moved: BTreeSet<String> = moved.map(|(name, _)| name.clone()).collect();
        let records: Vec<ReadRecord> = parsed.into_iter().map(|(name, parsed)| (name, parsed.record)).collect();
        let directories = list_directories(export, &records).await?;
        Ok::<_, ReadError>((records, moved, directories, export.list_markers().await?))
    };
    let in_cluster = async {
        let volumes = Api::<PersistentVolume>::all(client.clone());
        let claims = Api::<PersistentVolumeClaim>::all(client.clone());
        let namespaces = Api::<Namespace>::all(client.clone());
        tokio::try_join!(
            async {
                list_filtered(&volumes, |_| true)
                    .await
                    .map_err(api_error("persistent volumes"))
            },
            async { list_filtered(&claims, |_| true).await.map_err(api_error("claims")) },
            async {
                list_filtered(&namespaces, |_| true)
                    .await
                    .map_err(api_error("namespaces"))
            },
        )
    };
    let ((records, moved, directories, markers), (volumes, claims, namespaces)) =
        tokio::try_join!(on_export, in_cluster)?;
    Ok(Facts {
        location: location.clone(),
        former_server: former_server.map(str::to_owned),
        servers: find_server_names(location, former_server, &volumes).await,
        records,
        moved,
        directories,
        markers,
        volumes,
        claims,
        namespaces: namespaces.iter().map(ResourceExt::name_any).collect(),
    })
}
