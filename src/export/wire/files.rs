//! Small files of one directory over NFS: read as they are, written under another name and renamed.

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt, stream};
use nfs_rs::{Mount, Nfs3ErrorCode, NfsError, ObjRes};

use super::connection::{Connection, Handle, TYPE_LINK, lacks_handle, with_timeout};
use super::errors::{ErrorClass, describe_refusal};
use super::{Purpose, Wire};
use crate::export::record::{Content, FILE_MODE, MAX_RECORD, NewFile, not_a_file, too_large};
use crate::export::{ExportError, VolumePath};

/// `ftype3` of a file (RFC 1813); NFSv4 has the same number.
const TYPE_FILE: u32 = 1;

/// How many files are read or written at once.
const AT_ONCE: usize = 8;

impl Wire {
    /// The contents in the order of `names`: `None` for one that doesn't exist, an inner error for one that is no file,
    /// is too large or can't be read. All `None` if the folder doesn't exist.
    pub(in crate::export) async fn read_files(
        &self,
        folder: &VolumePath,
        names: &[String],
    ) -> Result<Vec<Content>, ExportError> {
        let wire = self.with_purpose(Purpose::Records);
        let Some(handle) = wire.find_folder(folder).await? else {
            return Ok(vec![None; names.len()]);
        };
        let mut reads = Vec::with_capacity(names.len());
        for name in names {
            reads.push(Ok(wire.read_file(&handle, name)));
        }
        stream::iter(reads).try_buffered(AT_ONCE).try_collect().await
    }

    /// Writes files in an existing folder over older ones. The first failure ends it; some may be written.
    pub(in crate::export) async fn write_files(
        &self,
        folder: &VolumePath,
        files: &[NewFile],
    ) -> Result<(), ExportError> {
        let wire = self.with_purpose(Purpose::Records);
        let Some(handle) = wire.find_folder(folder).await? else {
            let missing = NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT);
            return Err(ExportError::failed("write", folder, missing));
        };
        let mut writes = Vec::with_capacity(files.len());
        for file in files {
            writes.push(Ok(wire.write_file(&handle, file)));
        }
        stream::iter(writes).try_buffer_unordered(AT_ONCE).try_collect().await
    }

    /// The handle of a folder; `None` if it doesn't exist, an error if it is no directory.
    async fn find_folder(&self, folder: &VolumePath) -> Result<Option<Handle>, ExportError> {
        self.run_with_retry("look for", &folder.to_string(), |connection| {
            async move { connection.walk_directories(folder.components(), folder).await }.boxed()
        })
        .await
    }

    /// `None` if the file doesn't exist. A refusal of the server is returned as the content.
    async fn read_file(&self, folder: &Handle, name: &str) -> Result<Content, ExportError> {
        self.run_with_retry("read", name, |connection| {
            async move { Ok(connection.read_file(folder, name).await?) }.boxed()
        })
        .await
    }

    /// Writes a file under its temporary name, then renames it over an older one; removes the temporary file if that
    /// fails.
    async fn write_file(&self, folder: &Handle, file: &NewFile) -> Result<(), ExportError> {
        self.run_with_retry("write", &file.name, |connection| {
            async move { Ok(connection.write_file(folder, file).await?) }.boxed()
        })
        .await
    }
}

impl Connection {
    /// `None` if the file doesn't exist. A refusal of the server is returned as the content; an error means that no
    /// usable answer came.
    async fn read_file(&self, folder: &Handle, name: &str) -> Result<Content, NfsError> {
        let read = async {
            match self.look_up(folder, name).await? {
                Some(found) => Ok(Some(self.read_found(found).await?)),
                None => Ok(None),
            }
        };
        match read.await {
            Err(error) if ErrorClass::classify(&error) == ErrorClass::Answered => {
                Ok(Some(Err(describe_refusal(&error))))
            }
            read => read,
        }
    }

    /// The content of a file, or why it can't be a record: no regular file, or too large.
    async fn read_found(&self, found: ObjRes) -> Result<Result<Vec<u8>, String>, NfsError> {
        let attributes = match found.attr {
            Some(attributes) => attributes,
            None => with_timeout(self.mount.getattr(found.fh.clone())).await?,
        };
        match attributes.type_ {
            TYPE_FILE => {}
            TYPE_LINK => return Ok(Err(not_a_file("a symbolic link"))),
            _ => return Ok(Err(not_a_file("a directory"))),
        }
        let mut content = Vec::new();
        // What a server says of the size may be old, so one byte more than a record may have is asked for.
        while content.len() <= MAX_RECORD {
            let rest = u32::try_from(MAX_RECORD + 1 - content.len()).unwrap_or(u32::MAX);
            let count = rest.min(self.mount.get_max_read_size().max(1));
            let offset = u64::try_from(content.len()).unwrap_or_default();
            let part = with_timeout(self.mount.read(found.fh.clone(), offset, count)).await?;
            if part.is_empty() {
                return Ok(Ok(content));
            }
            content.extend_from_slice(&part);
            if u64::try_from(content.len()).is_ok_and(|length| length == attributes.filesize) {
                return Ok(Ok(content));
            }
        }
        Ok(Err(too_large()))
    }

    /// Writes a file under its temporary name, then renames it. On failure, the temporary file is removed.
    async fn write_file(&self, folder: &Handle, file: &NewFile) -> Result<(), NfsError> {
        let (from, to) = (file.temporary.as_str(), file.name.as_str());
        let written = async {
            let created = match with_timeout(self.mount.create(folder.clone(), from, Some(FILE_MODE))).await {
                Err(error) if lacks_handle(&error) => with_timeout(self.mount.lookup(folder.clone(), from)).await?,
                created => created?,
            };
            let written = self.write_bytes(created.fh.clone(), file.bytes.clone()).await;
            // Over NFSv4 the file is open, whether it could be written or not.
            let closed = with_timeout(self.mount.close(created.fh)).await;
            written.and(closed)?;
            with_timeout(self.mount.rename(folder.clone(), from, folder.clone(), to)).await
        };
        let written = written.await;
        if written.is_err() {
            // If it is there. It has a name of its own, so nothing else can be meant.
            _ = with_timeout(self.mount.remove(folder.clone(), from)).await;
        }
        written
    }

    /// Writes all bytes, and sees that they are on the server's disk.
    async fn write_bytes(&self, file: Handle, bytes: Bytes) -> Result<(), NfsError> {
        let mount: &dyn Mount = &*self.mount;
        with_timeout(nfs_rs::write_all(mount, file, 0, bytes)).await.map(drop)
    }
}
