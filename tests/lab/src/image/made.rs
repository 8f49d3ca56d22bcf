//! Disks that a guest builds from the image: artifacts of the cache, valid only with the exact image they were built
//! from.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;

use super::freeze::FREEZE;
use super::{Image, hash, identity, known_versions, newest, versions, write};
use crate::cache;

/// A disk that a guest builds from the image.
pub(super) struct Made {
    /// The name of its artifact and its log.
    pub(super) name: &'static str,
    /// The file name of the disk in the artifact.
    pub(super) disk: &'static str,
    /// The files that it is built with. Together with `setup` they determine its contents, except the image and the
    /// versions of packages.
    pub(super) recipe: &'static [(&'static str, &'static str)],
    /// The scripts that run in the guest, and other parts of the recipe that are not files.
    pub(super) setup: &'static [&'static str],
    /// A new version of one of these packages requires a new disk.
    pub(super) versioned: &'static [&'static str],
    /// The disk that this process found, cached for the same reasons as the image.
    pub(super) found: OnceLock<PathBuf>,
}

impl Made {
    /// The disk, if it is built from the current image and the versions that apt would install now; builds nothing.
    pub(super) fn find(&self) -> Option<PathBuf> {
        if let Some(found) = self.found.get() {
            return Some(found.clone());
        }
        let prefix = self.prefix(&super::find()?).ok()?;
        let dir = match versions(self.versioned) {
            Some(versions) => cache::find(&key(&prefix, &versions))?,
            None => newest(&prefix)?,
        };
        Some(self.found.get_or_init(|| dir.join(self.disk)).clone())
    }

    /// Builds the image if parts of it are missing, then calls `make` to build the disk from the start. `make` gets the
    /// directory, the image and the log.
    ///
    /// # Errors
    /// If a package is not available or a step fails; the error then shows the end of the step's log.
    pub(super) fn build(&self, make: impl FnOnce(&Path, &Image, &Path) -> Result<()>) -> Result<PathBuf> {
        let image = super::build()?;
        if let Some(found) = self.find() {
            return Ok(found);
        }
        let log = cache::log(self.name)?;
        let key = key(&self.prefix(&image)?, &known_versions(self.versioned, &log)?);
        let dir = cache::ensure(&key, |dir| make(dir, &image, &log))?;
        Ok(dir.join(self.disk))
    }

    /// Creates the directory `dir` with the recipe's files in it.
    pub(super) fn write_recipe(&self, dir: &Path) -> Result<()> {
        cache::create_dir(dir)?;
        for (name, text) in self.recipe {
            write(&dir.join(name), text)?;
        }
        Ok(())
    }

    fn prefix(&self, image: &Image) -> Result<String> {
        let identity = identity(&image.dir)?;
        let mut parts: Vec<_> = self.recipe.iter().flat_map(|(name, text)| [*name, *text]).collect();
        parts.extend([&identity, FREEZE]);
        parts.extend(self.setup);
        Ok(format!("{}-{:016x}-", self.name, hash(&parts)))
    }
}

fn key(prefix: &str, versions: &str) -> String {
    format!("{prefix}{:08x}", hash(&[versions]) as u32)
}
