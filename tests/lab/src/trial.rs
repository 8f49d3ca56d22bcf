//! Running one test: with a limit, a directory for its logs, and its time written down.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::runtime::Runtime;

use crate::{Lab, cache, times};

/// How long a test may take: a test that hangs must end some time. The slowest took 390 s on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(1200);

/// Whether this is `make test-all`, for which nothing is shortened or left out.
pub fn is_thorough() -> bool {
    std::env::var_os("NFSPROV_TESTS").is_some_and(|tests| tests == "all")
}

thread_local! {
    /// The directory of the test that this thread runs.
    static DIRECTORY: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// The directory of the test that this thread runs, the lab's own where it runs none. What starts in a test keeps its logs
/// there.
pub fn directory(lab: &Lab) -> PathBuf {
    let own = DIRECTORY.with_borrow(Clone::clone);
    own.unwrap_or_else(|| lab.dir().to_owned())
}

/// Shows the directory of something that outlives tests, such as a guest, among the logs of the test that started it.
pub(crate) fn show(lab: &Lab, dir: &Path, name: &str) {
    let link = directory(lab).join(name);
    if link.parent() != Some(lab.dir()) {
        // Another of that name is shown already.
        let _ = std::os::unix::fs::symlink(dir, link);
    }
}

/// Runs a test of the group to its end. Its error ends with where its logs are, and with the command that runs it alone.
///
/// # Errors
/// When the test fails, or has not ended within `limit`.
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
        // Beside the others, so that it can be read before all tests have ended.
        let _ = std::fs::write(dir.join("error.log"), format!("{error:#}\n"));
        match copy_logs(&dir, &kept) {
            Ok(()) => format!("{error:#}\nlogs:  {}\n{alone}", kept.display()),
            Err(why) => format!("{error:#}\n{alone}\n(no logs: {why:#})"),
        }
    })
}

/// The directory `target` that this program was built in.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.ancestors().find(|dir| dir.ends_with("deps"));
    // target/PROFILE/deps/PROGRAM
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    target.unwrap_or(Path::new("target")).to_owned()
}

/// Copies all logs below `from` to the same places below `to`, in place of what is there.
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
