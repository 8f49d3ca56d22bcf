//! Small files of one directory of this machine: read as they are, written under another name and renamed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Mounted, open_directory, operation_error};
use crate::export::record::{Content, FILE_MODE, MAX_RECORD, NewFile, not_a_file, too_large};
use crate::export::{ExportError, VolumePath};

/// Neither a link is followed nor the other end of a pipe waited for.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

const WRITE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Mounted {
    /// The contents in the order of `names`: `None` for one that doesn't exist, an inner error for one that is no file,
    /// is too large or can't be read. All `None` if the folder doesn't exist.
    pub(in crate::export) async fn read_files(
        &self,
        folder: &VolumePath,
        names: &[String],
    ) -> Result<Vec<Content>, ExportError> {
        let (folder, names) = (folder.clone(), names.to_vec());
        self.run_blocking(move |root| {
            let Some(directory) = open_directory(root, Some(&folder))? else {
                return Ok(vec![None; names.len()]);
            };
            Ok(names.iter().map(|name| read_file(&directory, name)).collect())
        })
        .await
    }

    /// Writes files in an existing folder over older ones. The first failure ends it; earlier files stay written.
    pub(in crate::export) async fn write_files(
        &self,
        folder: &VolumePath,
        files: &[NewFile],
    ) -> Result<(), ExportError> {
        let (folder, files) = (folder.clone(), files.to_vec());
        self.run_blocking(move |root| {
            let refused = |name: &str, errno| operation_error("write", format!("{folder}/{name}"), errno);
            let directory = open_directory(root, Some(&folder))?.ok_or_else(|| refused(".", Errno::NOENT))?;
            for file in &files {
                write_file(&directory, file).map_err(|errno| refused(&file.name, errno))?;
            }
            Ok(())
        })
        .await
    }
}

/// Reads a file; `None` if it doesn't exist. What is no regular file, is too large or can't be read gives its reason.
fn read_file(directory: &OwnedFd, name: &str) -> Content {
    let words = |errno: Errno| Some(Err(std::io::Error::from(errno).to_string()));
    let file = match rustix::fs::openat(directory, name, READ, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return None,
        Err(Errno::LOOP | Errno::MLINK) => return Some(Err(not_a_file("a symbolic link"))),
        Err(errno) => return words(errno),
    };
    match rustix::fs::fstat(&file) {
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Some(Err(not_a_file("a directory"))),
            _ => return Some(Err(not_a_file("a device or pipe"))),
        },
        Err(errno) => return words(errno),
    }
    let mut content = Vec::new();
    let most = u64::try_from(MAX_RECORD).unwrap_or(u64::MAX) + 1;
    Some(match File::from(file).take(most).read_to_end(&mut content) {
        Ok(_) if content.len() > MAX_RECORD => Err(too_large()),
        Ok(_) => Ok(content),
        Err(error) => Err(error.to_string()),
    })
}

/// Writes and syncs a file under its temporary name, then renames it. On failure, the temporary file is removed.
fn write_file(directory: &OwnedFd, file: &NewFile) -> rustix::io::Result<()> {
    let (from, to) = (file.temporary.as_str(), file.name.as_str());
    let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let written = (|| {
        let mut open = File::from(rustix::fs::openat(
            directory,
            from,
            WRITE,
            Mode::from_raw_mode(FILE_MODE),
        )?);
        open.write_all(&file.bytes)
            .and_then(|()| open.sync_data())
            .map_err(errno)?;
        rustix::fs::renameat(directory, from, directory, to)
    })();
    if written.is_err() {
        // If it is there. It has a name of its own, so nothing else can be meant.
        _ = rustix::fs::unlinkat(directory, from, AtFlags::empty());
    }
    written
}
