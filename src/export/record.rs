//! Files in which an export describes its volumes: `.nfsprov/volumes/<PV>.yaml`, whatever they hold.
//!
//! A file is written under a temporary name and renamed, so that the export never has half of one. A file or link that
//! another client puts at a file's place is replaced by the rename, and no link is followed when it is read.

use std::hash::{BuildHasher, Hasher, RandomState};

use futures::{StreamExt, stream};

use super::owner::{PRIVATE_MODE, own_path};
use super::{Attributes, Export, ExportError, Kind, VolumePath};

/// The largest record, in bytes.
pub const MAX_RECORD: usize = 64 * 1024;

/// The mode of a record: no client but root has business there.
pub(super) const FILE_MODE: u32 = 0o600;

const SUFFIX: &str = ".yaml";

/// What temporary files are called: `.<random>.tmp`.
const TEMPORARY: &str = ".tmp";

/// How many records are read or written by one call of a backend.
const CHUNK: usize = 32;

/// How many such calls are under way at once.
const CALLS: usize = 4;

/// How old a temporary file is before it counts as left by a process that was killed, in seconds.
const ABANDONED: i64 = 3600;

/// What a file holds, or why it is not read; none if it isn't there.
pub(super) type Content = Option<Result<Vec<u8>, String>>;

/// A file that is to be written.
#[derive(Clone, Debug)]
pub(super) struct NewFile {
    pub(super) temporary: String,
    pub(super) name: String,
    pub(super) bytes: bytes::Bytes,
}

/// What was found where a record is, or where one could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// The name of the file as the server has it; it may hold anything.
    pub file: String,
    /// The PV that the file is named after, if it is.
    pub volume: Option<String>,
    /// What it holds, or in a sentence why that was not read.
    pub content: Result<Vec<u8>, String>,
}

/// The files of an export's records by name, and what else is beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordNames {
    /// The PVs that have a record.
    pub volumes: Vec<String>,
    /// Other names.
    pub others: Vec<String>,
    /// Temporary files that a process left which was killed.
    abandoned: Vec<String>,
}

impl Export {
    /// Lists the folder of records, sorted: the PVs that an entry of any kind is named after, temporary files older
    /// than an hour at `now` (seconds since 1970), and other entries. Fresh temporary files are left out. A folder that
    /// doesn't exist is empty.
    ///
    /// # Errors
    /// As [`Export::list_directory`].
    pub async fn record_names(&self, now: i64) -> Result<RecordNames, ExportError> {
        let mut names = RecordNames::default();
        for entry in self.list_directory(Some(&records_folder()?)).await?.unwrap_or_default() {
            let volume = entry.name.strip_suffix(SUFFIX);
            let volume =
                volume.filter(|name| !name.is_empty() && !name.starts_with('.') && record_file_name(name).is_ok());
            let is_temporary = entry.name.starts_with('.') && entry.name.ends_with(TEMPORARY);
            match volume {
                Some(volume) => names.volumes.push(volume.to_owned()),
                None if is_temporary && entry.kind == Kind::Other => {
                    if now.saturating_sub(entry.changed) > ABANDONED {
                        names.abandoned.push(entry.name);
                    }
                }
                None => names.others.push(entry.name),
            }
        }
        names.volumes.sort_unstable();
        names.others.sort_unstable();
        Ok(names)
    }

    /// Removes the temporary files that [`Export::record_names`] found abandoned; what can't be removed stays.
    pub async fn remove_abandoned_files(&self, names: &RecordNames) {
        for name in &names.abandoned {
            if let Ok(path) = file_path(name) {
                _ = self.remove_link_or_file(&path).await;
            }
        }
    }

    /// The records of these PVs, in any order; those that are not there are left out. Contents are not parsed; over
    /// SSH, one that is replaced while it is read may be cut off.
    ///
    /// # Errors
    /// When the export can't be used, a PV's name can't be a file's, or over SSH a file changes while it is read. What
    /// else is wrong with one record is its content.
    pub async fn read_records(&self, volumes: &[String]) -> Result<Vec<FoundRecord>, ExportError> {
        let mut calls = Vec::new();
        for chunk in volumes.chunks(CHUNK) {
            calls.push(self.read_chunk(chunk));
        }
        let mut calls = stream::iter(calls).buffer_unordered(CALLS);
        let mut found = Vec::with_capacity(volumes.len());
        while let Some(chunk) = calls.next().await {
            found.extend(chunk?);
        }
        Ok(found)
    }

    /// Reads the records of these PVs, in their order, with one call of the backend; those that are not there are left
    /// out. A name that no file can have is an error.
    async fn read_chunk(&self, volumes: &[String]) -> Result<Vec<FoundRecord>, ExportError> {
        let (folder, mut files) = (records_folder()?, Vec::with_capacity(volumes.len()));
        for volume in volumes {
            files.push(record_file_name(volume)?);
        }
        let contents = match self {
            Self::Wire(wire) => wire.read_files(&folder, &files).await?,
            Self::Ssh(ssh) => ssh.read_files(&folder, &files).await?,
            Self::Mounted(mounted) => mounted.read_files(&folder, &files).await?,
        };
        let found = volumes.iter().zip(files).zip(contents);
        let found = found.filter_map(|((volume, file), content)| {
            Some(FoundRecord {
                file,
                volume: Some(volume.clone()),
                content: content?,
            })
        });
        Ok(found.collect())
    }

    /// Writes the record of each PV, a pair of its name and the text, over an older one; creates their folder if it is
    /// missing. May be repeated. Texts are not checked: one over [`MAX_RECORD`] can't be read again.
    ///
    /// Returns the error of each PV whose record was perhaps not written; empty if all are written.
    pub async fn write_records(&self, records: &[(String, String)]) -> Vec<(String, ExportError)> {
        let mut calls = Vec::new();
        for chunk in records.chunks(CHUNK) {
            calls.push(self.write_chunk_or_each(chunk));
        }
        let failed: Vec<Vec<_>> = stream::iter(calls).buffer_unordered(CALLS).collect().await;
        failed.into_iter().flatten().collect()
    }

    /// Writes some records with one call, or each with a call of its own if one of them is refused. Any other error
    /// counts for all of them.
    async fn write_chunk_or_each(&self, records: &[(String, String)]) -> Vec<(String, ExportError)> {
        let error = match self.write_chunk(records).await {
            Ok(()) => return Vec::new(),
            Err(error) => error,
        };
        if !matches!(error, ExportError::Failed { .. }) || records.len() == 1 {
            return records
                .iter()
                .map(|(volume, _)| (volume.clone(), error.clone()))
                .collect();
        }
        let mut failed = Vec::new();
        for record in records {
            if let Err(error) = self.write_chunk(std::slice::from_ref(record)).await {
                failed.push((record.0.clone(), error));
            }
        }
        failed
    }

    /// Writes some records with one call; creates their folder if it is missing. After an error, some may be written.
    async fn write_chunk(&self, records: &[(String, String)]) -> Result<(), ExportError> {
        let folder = records_folder()?;
        let mut files = Vec::with_capacity(records.len());
        for (volume, text) in records {
            files.push(NewFile {
                temporary: format!(".{:016x}{TEMPORARY}", random()),
                name: record_file_name(volume)?,
                bytes: text.clone().into(),
            });
        }
        match self.write_files(&folder, &files).await {
            // The first time, there is no such directory.
            Err(ExportError::Failed { .. }) if !matches!(self.path_exists(&folder).await, Ok(true)) => {
                self.create_directory(&folder, Attributes::with_mode(PRIVATE_MODE))
                    .await?;
                self.write_files(&folder, &files).await
            }
            written => written,
        }
    }

    /// Replaces older files of the names; [`ExportError::Failed`] if the folder is missing.
    async fn write_files(&self, folder: &VolumePath, files: &[NewFile]) -> Result<(), ExportError> {
        match self {
            Self::Wire(wire) => wire.write_files(folder, files).await,
            Self::Ssh(ssh) => ssh.write_files(folder, files).await,
            Self::Mounted(mounted) => mounted.write_files(folder, files).await,
        }
    }

    /// Removes the record of a PV, if it has one.
    ///
    /// # Errors
    /// As [`Export::remove_link_or_file`]; when the PV's name can't be a file's.
    pub async fn remove_record(&self, volume: &str) -> Result<(), ExportError> {
        self.remove_link_or_file(&file_path(&record_file_name(volume)?)?).await
    }
}

fn records_folder() -> Result<VolumePath, ExportError> {
    own_path("volumes")
}

/// The file name of a PV's record; an error if no file can have it, as with a slash in the PV's name.
fn record_file_name(volume: &str) -> Result<String, ExportError> {
    let name = format!("{volume}{SUFFIX}");
    match VolumePath::parse(&name).is_ok_and(|path| path.components().len() == 1) {
        true => Ok(name),
        false => Err(ExportError::failed(
            "use the record",
            name,
            "a file of that name is not possible",
        )),
    }
}

/// The path of a file in the folder of records; an error if no file can have the name.
fn file_path(name: &str) -> Result<VolumePath, ExportError> {
    VolumePath::child(Some(&records_folder()?), name)
        .map_err(|error| ExportError::failed("use the record", name, error))
}

/// A random number: no other process or call is likely to get the same.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Why a file with more than [`MAX_RECORD`] bytes is not read.
pub(super) fn too_large() -> String {
    format!("it has more than {} KiB", MAX_RECORD / 1024)
}

/// Why an entry that is `what`, such as "a directory", is not read.
pub(super) fn not_a_file(what: &str) -> String {
    format!("it is {what}, not a file")
}
