//! Directories that are being removed: a deletion renames a directory into the trash, where it is removed later.
//!
//! The trash of an export is `.nfsprov/trash/`. What is in it is no volume's any more, whichever cluster put it there.

use super::owner::{MODE, REGISTRY};
use super::{Attributes, Entry, Export, ExportError, Removed, VolumePath};

/// Where the trash is, in the export's root.
const TRASH: [&str; 2] = [REGISTRY[0], "trash"];

impl Export {
    /// Renames a directory to `name` in the trash.
    ///
    /// # Errors
    /// [`ExportError::Exists`] when the name is taken, [`ExportError::CannotRename`] when the directory has to be removed
    /// in place; otherwise as [`Export::make`].
    pub async fn discard(&self, path: &VolumePath, name: &str) -> Result<Removed, ExportError> {
        let discarded = self.trashed(name)?;
        match self.archive(path, &discarded).await {
            // The first time, there is no trash.
            Err(ExportError::Failed { .. }) => {
                self.make(&trash()?, Attributes::mode(MODE)).await?;
                self.archive(path, &discarded).await
            }
            renamed => renamed,
        }
    }

    /// What is in the trash.
    ///
    /// # Errors
    /// As [`Export::list`].
    pub async fn trash(&self) -> Result<Vec<Entry>, ExportError> {
        Ok(self.list(Some(&trash()?)).await?.unwrap_or_default())
    }

    /// The path of an entry of the trash.
    ///
    /// # Errors
    /// When the name is none that can be asked for.
    pub fn trashed(&self, name: &str) -> Result<VolumePath, ExportError> {
        VolumePath::child(Some(&trash()?), name).map_err(|error| unusable(name, &error.to_string()))
    }
}

fn trash() -> Result<VolumePath, ExportError> {
    let path = TRASH.join("/");
    VolumePath::parse(&path).map_err(|error| unusable(&path, &error.to_string()))
}

fn unusable(path: &str, cause: &str) -> ExportError {
    ExportError::Failed {
        action: "use",
        path: path.to_owned(),
        cause: cause.to_owned(),
    }
}
