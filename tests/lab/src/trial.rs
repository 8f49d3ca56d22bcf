//! Runs one test: with a time limit, a directory for its logs, and a record of its duration.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::runtime::Runtime;

use crate::{Lab, cache, times};

/// How long a test may take before it counts as hanging. The slowest test took 390 s on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(1200);

/// Whether this is `make test-all`, which shortens and skips nothing.
pub fn is_thorough() -> bool {
    std::env::var_os("NFSPROV_TESTS").is_some_and(|tests| tests == "all")
}

thread_local! {
    /// The directory of the test that this thread runs.
    static DIRECTORY: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// The directory of the test that this thread runs, or the lab's own if it runs none. Whatever starts in a test writes
/// its logs there.
pub fn directory(lab: &Lab) -> PathBuf {
    let own = DIRECTORY.with_borrow(Clone::clone);
    own.unwrap_or_else(|| lab.dir().to_owned())
}

/// Links the directory of something that outlives tests, such as a guest, into the log directory of the test that
/// started it.
pub(crate) fn show(lab: &Lab, dir: &Path, name: &str) {
    let link = directory(lab).join(name);
    if link.parent() != Some(lab.dir()) {
        // A link of that name exists already.
        let _ = std::os::unix::fs::symlink(dir, link);
    }
}

/// Runs a test of the group. Its error ends with the path of its logs and the command that runs it alone.
///
/// # Errors
/// If the test fails, or does not end within `limit`.
pub fn run(
    lab: &Lab,
    runtime: &Runtime,
    group: &str,
    name: &str,
    limit: Duration,
    test: impl Future<Output = Result<()>>,
) -> Result<(), String> {
    let file_name = name.replace("::", ".");
    let dir = lab.dir().join("tests").join(&file_name);
    cache::create_dir(&dir).map_err(|error| format!("{error:#}"))?;
    DIRECTORY.set(Some(dir.clone()));
    let start = Instant::now();
    let ended = runtime.block_on(async { tokio::time::timeout(limit, test).await });
    DIRECTORY.set(None);
    let outcome = ended.unwrap_or_else(|_| bail!("it has not ended within {limit:?}"));
    times::record(group, Some(name), start, outcome.is_ok());
    outcome.map_err(|error| {
        let alone = format!("alone: cargo test --test {group} -- --exact {name}");
        let kept = target().join("test-logs").join(group).join(&file_name);
        // Written at once, so that people can read it before all tests have ended.
        let _ = std::fs::write(dir.join("error.log"), format!("{error:#}\n"));
        match copy_logs(&dir, &kept) {
            Ok(()) => format!("{error:#}\nlogs:  {}\n{alone}", kept.display()),
            Err(why) => format!("{error:#}\n{alone}\n(no logs: {why:#})"),
        }
    })
}

/// The directory `target` in which this program was built.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.ancestors().find(|dir| dir.ends_with("deps"));
    // target/PROFILE/deps/PROGRAM
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    target.unwrap_or(Path::new("target")).to_owned()
}

/// Copies all logs below `from` to the same paths below `to`, replacing existing files.
pub(crate) fn copy_logs(from: &Path, to: &Path) -> Result<()> {
    cache::remove_dir(to)?;
    let mut pending = vec![from.to_owned()];
    while let Some(next) = pending.pop() {
        let describe = || format!("cannot list {}", next.display());
        for entry in std::fs::read_dir(&next).with_context(describe)? {
            let path = entry.with_context(describe)?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|end| end == "log") {
                let target = to.join(path.strip_prefix(from).unwrap_or(&path));
                target.parent().map_or(Ok(()), cache::create_dir)?;
                std::fs::copy(&path, &target).with_context(|| format!("cannot copy {}", path.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::copy_logs;

    #[test]
    fn logs_are_copied_with_their_places_and_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::create_dir_all(dir.join("from/plane")).unwrap();
        std::fs::create_dir_all(dir.join("guest")).unwrap();
        std::fs::write(dir.join("from/plane/etcd.log"), "e").unwrap();
        std::fs::write(dir.join("from/plane/key"), "k").unwrap();
        std::fs::write(dir.join("guest/console.log"), "c").unwrap();
        std::os::unix::fs::symlink(dir.join("guest"), dir.join("from/nfs")).unwrap();
        copy_logs(&dir.join("from"), &dir.join("to")).unwrap();
        assert_eq!(std::fs::read_to_string(dir.join("to/plane/etcd.log")).unwrap(), "e");
        assert_eq!(std::fs::read_to_string(dir.join("to/nfs/console.log")).unwrap(), "c");
        assert!(!dir.join("to/plane/key").exists());
    }
}
