//! The cache of built artifacts: each finished artifact is a directory under [`root`], whose name (the key) identifies
//! content and version.
//!
//! A build works in `<key>.partial` under an exclusive lock and renames the directory to `<key>` when it is complete.
//! So a directory without the suffix is always complete. The partial directory stays after a failed or killed build:
//! the next build continues in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::step;

/// The lab's cache directory: `${XDG_CACHE_HOME:-~/.cache}/nfsprov-lab`.
pub fn root() -> PathBuf {
    base().join("nfsprov-lab")
}

/// The user's cache directory, which contains [`root`].
pub(crate) fn base() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        // The XDG rules say that a relative path counts as unset.
        Some(path) if path.is_absolute() => path,
        _ => std::env::home_dir().unwrap_or_else(std::env::temp_dir).join(".cache"),
    }
}

/// The log file to which the step `name` appends; creates its directory.
///
/// # Errors
/// If the directory cannot be created.
pub fn log(name: &str) -> Result<PathBuf> {
    let dir = root().join("logs");
    create_dir(&dir)?;
    Ok(dir.join(format!("{name}.log")))
}

/// The finished artifact `key`, if it exists; builds nothing.
pub fn find(key: &str) -> Option<PathBuf> {
    let finished = root().join(key);
    finished.is_dir().then_some(finished)
}

/// The directory of the finished artifact `key`; if there is none, `build` fills the directory that it is given.
///
/// Processes that need the same artifact at once wait for the one that builds it. `build` may find the files of an
/// earlier, interrupted call in the directory and must handle them.
///
/// # Errors
/// If `build` fails or the cache directory is not writable.
pub fn ensure(key: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    if let Some(finished) = find(key) {
        return Ok(finished);
    }
    let _lock = lock(key)?;
    // The process that held the lock before may have finished the artifact.
    if let Some(finished) = find(key) {
        return Ok(finished);
    }
    let finished = root().join(key);
    let partial = partial(key);
    create_dir(&partial)?;
    build(&partial).with_context(|| format!("cannot build {key} (unfinished files stay in {})", partial.display()))?;
    // The contents must reach the disk before the name does; otherwise a power failure leaves an incomplete directory
    // with a complete one's name.
    let synced = Command::new("sync").arg("-f").arg(&partial).status();
    if !synced.context("cannot run sync")?.success() {
        anyhow::bail!("cannot write {} to disk", partial.display());
    }
    std::fs::rename(&partial, &finished)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), finished.display()))?;
    Ok(finished)
}

/// Takes the exclusive lock `name`, held until the file is dropped or the process ends. Prints a message if it has to
/// wait for another process.
///
/// # Errors
/// If the lock file cannot be created or locked.
pub fn lock(name: &str) -> Result<File> {
    create_dir(&root())?;
    let path = root().join(format!("{name}.lock"));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open the lock file {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    step::task(&format!("waiting for another process that works on {name}"), || {
        file.lock().with_context(|| format!("cannot lock {}", path.display()))
    })?;
    Ok(file)
}

/// The directory in which the artifact `key` is being built, or in which an interrupted build left its files.
pub(crate) fn partial(key: &str) -> PathBuf {
    root().join(format!("{key}.partial"))
}

/// Removes a directory with its contents, if it exists.
pub(crate) fn remove_dir(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Creates a directory and its parents.
pub(crate) fn create_dir(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create the directory {}", dir.display()))
}
