//! The trash of an export, `.nfsprov/trash/`: a deletion renames a directory into it, and it is removed later.
//!
//! An entry of the trash belongs to no volume, whichever cluster moved it there.

use super::owner::{PRIVATE_MODE, own_path};
use super::{Attributes, Entry, Export, ExportError, Removed, VolumePath};

impl Export {
    /// Renames a directory to `entry`, of [`Export::trash_entry_path`]; creates the trash if it is missing. The
    /// directory's marker stays. `AlreadyGone` if the directory doesn't exist.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when the name is taken, [`ExportError::CannotRename`] when the server can't rename the
    /// directory to it, so that the caller has to remove it in place; otherwise as [`Export::create_directory`].
    pub async fn move_to_trash(&self, path: &VolumePath, entry: &VolumePath) -> Result<Removed, ExportError> {
        match self.rename_directory(path, entry).await {
            // The first deletion on an export finds no trash.
            Err(ExportError::Failed { .. }) => {
                self.create_directory(&trash_path()?, Attributes::with_mode(PRIVATE_MODE))
                    .await?;
                self.rename_directory(path, entry).await
            }
            renamed => renamed,
        }
    }

    /// Lists the trash, also what other clusters or administrators put there; empty if its directory does not exist
    /// yet.
    ///
    /// # Errors
    /// As [`Export::list_directory`].
    pub async fn list_trash(&self) -> Result<Vec<Entry>, ExportError> {
        Ok(self.list_directory(Some(&trash_path()?)).await?.unwrap_or_default())
    }

    /// The path of an entry of the trash, which may not exist.
    ///
    /// # Errors
    /// [`ExportError::Failed`] when no entry can have the name, as with a slash.
    pub fn trash_entry_path(&self, name: &str) -> Result<VolumePath, ExportError> {
        VolumePath::child(Some(&trash_path()?), name).map_err(|error| ExportError::failed("use", name, error))
    }
}

fn trash_path() -> Result<VolumePath, ExportError> {
    own_path("trash")
}
