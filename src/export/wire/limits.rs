//! What limits need of an export that is reached over NFS: a shell on its server, and the proof that the shell sees the
//! directory that clients see.

use futures::FutureExt;
use nfs_rs::{Nfs3ErrorCode, NfsError};

use super::Wire;
use super::connection::with_timeout;
use crate::export::{ExportError, Ssh, VolumePath};

impl Wire {
    /// The same export, whose directories are limited by scripts in this shell on the server; with `None`, by none.
    pub fn with_quota_shell(self, quota_shell: Option<Ssh>) -> Self {
        Self { quota_shell, ..self }
    }

    pub(in crate::export) fn quota_shell(&self) -> Option<&Ssh> {
        self.quota_shell.as_ref()
    }

    /// The number of a directory's inode, as the server tells clients; an error if no directory is at `path`.
    pub(in crate::export) async fn inode_of(&self, path: &VolumePath) -> Result<u64, ExportError> {
        self.run_with_retry("look for", &path.to_string(), |connection| {
            async move {
                let found = connection.clone().find_directory(path).await?;
                let found = found.ok_or(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT))?;
                Ok(with_timeout(connection.mount.getattr(found.handle)).await?.fileid)
            }
            .boxed()
        })
        .await
    }
}
