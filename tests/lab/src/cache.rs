//! What the lab builds once and keeps: each finished artifact is a directory under [`root`], named by a key that says
//! what is in it and of which version.
//!
//! A build happens in `<key>.partial` under an exclusive lock and is renamed to `<key>` when it is complete, so a
//! directory without the suffix is always whole. The partial directory outlives a failed or killed build on purpose:
//! builders take up what they find in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::step;

/// The directory that holds everything the lab keeps: `${XDG_CACHE_HOME:-~/.cache}/nfsprov-lab`.
pub fn root() -> PathBuf {
    base().join("nfsprov-lab")
}

/// The cache directory of the user, of which [`root`] is the lab's part.
pub(crate) fn base() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        // The XDG rules: a relative path is to be taken for unset.
        Some(path) if path.is_absolute() => path,
        _ => std::env::home_dir().unwrap_or_else(std::env::temp_dir).join(".cache"),
    }
}

/// The log file that a step called `name` appends to, in a directory that exists.
///
/// # Errors
/// When the directory cannot be made.
pub fn log(name: &str) -> Result<PathBuf> {
    let dir = root().join("logs");
    create_dir(&dir)?;
    Ok(dir.join(format!("{name}.log")))
}

/// The finished artifact `key`, if there is one; builds nothing.
pub fn find(key: &str) -> Option<PathBuf> {
    let finished = root().join(key);
    finished.is_dir().then_some(finished)
}

/// The directory of the finished artifact `key`; calls `build` with the directory to fill when there is none yet.
///
/// Processes that want the same artifact at once wait for the one that builds it. `build` may find what an
/// earlier, interrupted call left in the directory and must cope with it.
///
/// # Errors
/// When `build` fails or the cache directory is not writable.
pub fn ensure(key: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    if let Some(finished) = find(key) {
        return Ok(finished);
    }
    let _lock = lock(key)?;
    // Whoever held the lock before may have finished the work.
    if let Some(finished) = find(key) {
        return Ok(finished);
    }
    let finished = root().join(key);
    let partial = partial(key);
    create_dir(&partial)?;
    build(&partial).with_context(|| format!("cannot build {key} (what is there stays in {})", partial.display()))?;
    // The name must not reach the disk before the contents do, or a power cut leaves a whole-looking ruin.
    let synced = Command::new("sync").arg("-f").arg(&partial).status();
    if !synced.context("cannot run sync")?.success() {
        anyhow::bail!("cannot write {} to disk", partial.display());
    }
    std::fs::rename(&partial, &finished)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), finished.display()))?;
    Ok(finished)
}

/// Takes the exclusive lock called `name`, held until the file is dropped or the process ends in any way; says so
/// when it has to wait for another process.
///
/// # Errors
/// When the lock file cannot be made or locked.
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

/// The directory in which the artifact `key` is being built, or was when its build broke off.
pub(crate) fn partial(key: &str) -> PathBuf {
    root().join(format!("{key}.partial"))
}

/// Removes a directory with all that is in it, if it is there.
pub(crate) fn remove_dir(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Makes a directory and its parents.
pub(crate) fn create_dir(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))
}
