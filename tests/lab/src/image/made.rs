//! Where the disks are that are made from the image: artifacts of the cache, void with any other image.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;

use super::freeze::FREEZE;
use super::{Image, hash, identity, known_versions, newest, versions, write};
use crate::cache;

/// A disk that is made from the image in a guest.
pub(super) struct Made {
    /// What its artifact and its log are called.
    pub(super) name: &'static str,
    /// The disk's file in the artifact.
    pub(super) disk: &'static str,
    /// The files that it is made with. With `setup`, all that decides what is on it, apart from the image and the
    /// packages' versions.
    pub(super) recipe: &'static [(&'static str, &'static str)],
    /// What is run in the guest, and whatever else is no file.
    pub(super) setup: &'static [&'static str],
    /// Packages whose version is a reason to make it anew.
    pub(super) versioned: &'static [&'static str],
    /// The disk that this process found, as with the image.
    pub(super) found: OnceLock<PathBuf>,
}

impl Made {
    /// The disk, if it is made from the image and with the versions that apt would install now; makes nothing.
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

    /// Has `make` make the disk in the directory that it is given, from the start, with the image and the log there are;
    /// builds whatever is missing of the image before.
    ///
    /// # Errors
    /// When a package cannot be had or a step fails; the error then shows the end of the step's log.
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

    /// Makes the directory `dir` with the recipe's files in it.
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
