//! Removes a directory tree of a local file system, however deep, wide or hostile.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Mode, RenameFlags};
use rustix::io::Errno;

use super::DIRECTORY;
use crate::export::MayContinue;
use crate::export::rounds::Rounds;

/// How many nested directories are opened. A tree may be deeper than the limit of open files, so directories below this
/// depth are moved to the top and removed from there.
const DEPTH: usize = 64;

/// How many entries of one directory are read before they are removed.
const CHUNK: usize = 4096;

/// The progress of a removal, for the task that waits for it.
pub(super) struct RemovalProgress {
    may_continue: MayContinue,
    steps: AtomicU64,
    removed: AtomicU64,
    given_up: AtomicBool,
}

impl RemovalProgress {
    pub(super) fn new(may_continue: MayContinue) -> Self {
        Self {
            may_continue,
            steps: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
        }
    }

    /// The number of steps so far.
    pub(super) fn step_count(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Ends the removal before its next step, after a timeout.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Counts an entry if it was removed. NOENT means that another process did so, and is `Ok` without counting.
    fn count_removed(&self, removed: rustix::io::Result<()>) -> rustix::io::Result<()> {
        match removed {
            Ok(()) => _ = self.removed.fetch_add(1, Ordering::Relaxed),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// Counts a step, which restarts the timeout; fails with CANCELED if the removal was interrupted or has timed out.
    fn begin_step(&self) -> rustix::io::Result<()> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        match self.given_up.load(Ordering::Relaxed) || !(self.may_continue)() {
            true => Err(Errno::CANCELED),
            false => Ok(()),
        }
    }
}

/// Removes everything in the directory `top`; links are not followed. Fails with CANCELED if it was interrupted, with
/// NOTEMPTY if it makes no progress.
pub(super) fn empty_tree(top: &OwnedFd, progress: &RemovalProgress) -> rustix::io::Result<()> {
    let mut moved = 0;
    empty_subtree(top, top, 0, &mut moved, progress)
}

/// Removes everything below `directory`. What lies too deep is first moved to `top`; `moved` counts the names used
/// there. Fails with NOTEMPTY if rounds make no progress.
fn empty_subtree(
    top: &OwnedFd,
    directory: &OwnedFd,
    depth: usize,
    moved: &mut u64,
    progress: &RemovalProgress,
) -> rustix::io::Result<()> {
    let mut rounds = Rounds::default();
    loop {
        let entries = read_names(directory, CHUNK)?;
        if entries.is_empty() {
            return Ok(());
        }
        if !rounds.begin_round(progress.removed.load(Ordering::Relaxed)) {
            return Err(Errno::NOTEMPTY);
        }
        for (name, kind) in &entries {
            progress.begin_step()?;
            remove_entry(top, directory, (name, *kind), depth, moved, progress)?;
        }
    }
}

/// Removes an entry of `directory` that was read with this type, with all that it holds, or moves it to `top`. One that
/// another process removed first is `Ok`, and not counted.
fn remove_entry(
    top: &OwnedFd,
    directory: &OwnedFd,
    (name, kind): (&CString, FileType),
    depth: usize,
    moved: &mut u64,
    progress: &RemovalProgress,
) -> rustix::io::Result<()> {
    let removed = if !is_directory(directory, name, kind)? {
        rustix::fs::unlinkat(directory, name, AtFlags::empty())
    } else if depth < DEPTH {
        match rustix::fs::openat(directory, name, DIRECTORY, Mode::empty()) {
            Ok(inner) => {
                empty_subtree(top, &inner, depth + 1, moved, progress)?;
                rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR)
            }
            Err(errno) => Err(errno),
        }
    } else {
        move_to_top(directory, name, top, moved)
    };
    progress.count_removed(removed)
}

/// Whether an entry that was read with this type is a directory; false if it is gone.
fn is_directory(directory: &OwnedFd, name: &CString, kind: FileType) -> rustix::io::Result<bool> {
    if kind != FileType::Unknown {
        return Ok(kind == FileType::Directory);
    }
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Renames a directory that is too deep to a free name in `top`, and adds the names tried to `moved`. NOENT if it is
/// gone.
fn move_to_top(directory: &OwnedFd, name: &CString, top: &OwnedFd, moved: &mut u64) -> rustix::io::Result<()> {
    loop {
        *moved += 1;
        let free = format!(".nfsprov-{moved}");
        match rustix::fs::statat(top, free.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => continue,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        // Without NOREPLACE, as on NFS mounts, this may replace an empty directory of that name, which is to be removed
        // anyway.
        return match rustix::fs::renameat_with(directory, name, top, free.as_str(), RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => continue,
            Err(Errno::INVAL) => rustix::fs::renameat(directory, name, top, free.as_str()),
            moved => moved,
        };
    }
}

/// The names and types of the first `limit` entries of a directory, without `.` and `..`; on some file systems a type
/// is unknown.
pub(super) fn read_names(directory: &OwnedFd, limit: usize) -> rustix::io::Result<Vec<(CString, FileType)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            found.push((name.to_owned(), entry.file_type()));
        }
        if found.len() == limit {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, OFlags};

    use super::*;

    fn progress() -> RemovalProgress {
        RemovalProgress::new(crate::export::never_interrupt())
    }

    fn open(path: &std::path::Path) -> OwnedFd {
        rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    /// A chain of `depth` directories below `top`, each with a file in it, deeper than any path may be long.
    fn dig(top: &std::path::Path, depth: usize) {
        let mut directory = open(top);
        for _ in 0..depth {
            rustix::fs::mkdirat(&directory, "deeper", Mode::RWXU).unwrap();
            directory = rustix::fs::openat(&directory, "deeper", DIRECTORY, Mode::empty()).unwrap();
            let flags = OFlags::CREATE | OFlags::WRONLY;
            rustix::fs::openat(&directory, "file", flags, Mode::RWXU).unwrap();
        }
    }

    #[test]
    fn a_tree_deeper_than_files_may_be_open_goes() {
        let root = tempfile::tempdir().unwrap();
        dig(root.path(), 3000);
        std::fs::create_dir(root.path().join(".nfsprov-1")).unwrap();
        empty_tree(&open(root.path()), &progress()).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_wide_directory_goes_whatever_its_names_are() {
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        for number in 0..CHUNK + 10 {
            std::fs::write(root.path().join(number.to_string()), "").unwrap();
        }
        std::fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"latin-1 \xe9\n")), "").unwrap();
        let progress = progress();
        empty_tree(&open(root.path()), &progress).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(progress.step_count() > u64::try_from(CHUNK).unwrap());
    }

    /// An entry of each kind that was listed and is gone when its turn comes.
    #[test]
    fn an_entry_that_another_process_removed_is_no_failure() {
        let root = tempfile::tempdir().unwrap();
        let (top, gone, progress) = (open(root.path()), c"gone".to_owned(), progress());
        for (kind, depth) in [
            (FileType::RegularFile, 0),
            (FileType::Unknown, 0),
            (FileType::Directory, 0),
            (FileType::Directory, DEPTH),
        ] {
            let removed = remove_entry(&top, &top, (&gone, kind), depth, &mut 0, &progress);
            assert_eq!(removed, Ok(()), "{kind:?} at depth {depth}");
        }
        assert_eq!(progress.removed.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn removal_stops_once_its_caller_has_given_up() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let progress = progress();
        progress.give_up();
        assert_eq!(empty_tree(&open(root.path()), &progress), Err(Errno::CANCELED));
        assert!(root.path().join("file").exists());
    }
}
