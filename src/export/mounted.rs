//! The backend for a directory of this machine: the exported directory itself, or a mount of it.
//!
//! Each step opens one component below an open directory and refuses symbolic links, so other clients that change the
//! tree meanwhile can't lead it outside. The methods keep the contracts of those of [`Export`](super::Export).

mod files;
mod script;
mod tree;

use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::tree::RemovalProgress;
use super::limit_queue::LimitQueue;
use super::{
    Attributes, CALL_TIMEOUT, Entry, ExportError, Kind, Location, MayContinue, PARENT_MODE, Removed, VolumePath,
    name_or_root, never_interrupt,
};

/// An export reached through the local file system.
#[derive(Clone, Debug)]
pub struct Mounted {
    location: Location,
    root: Arc<PathBuf>,
    calls: Arc<Semaphore>,
    limit_queue: Arc<LimitQueue>,
}

/// The limit of concurrent calls on one mount. Each occupies a thread, for good if the server is gone; without a limit,
/// other exports and the API client would get none.
const MAX_CALLS: usize = 32;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Mounted {
    /// The export at `location`, which is the directory `root` of this machine. Whether it is, and exists, isn't
    /// checked.
    pub fn new(location: Location, root: &Path) -> Self {
        Self {
            location,
            root: Arc::new(root.to_owned()),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            limit_queue: Arc::default(),
        }
    }

    pub(super) fn limit_queue(&self) -> &LimitQueue {
        &self.limit_queue
    }

    pub(super) async fn probe_root(&self) -> Result<(), ExportError> {
        self.run_blocking(|root| open_root(root).map(|_| ())).await
    }

    pub(super) async fn free_bytes(&self) -> Result<u64, ExportError> {
        self.run_blocking(|root| {
            let found = rustix::fs::fstatvfs(open_root(root)?)
                .map_err(|errno| operation_error("ask for the free space of", root.display(), errno))?;
            Ok(found.f_bavail.saturating_mul(found.f_frsize))
        })
        .await
    }

    pub(super) async fn create_directory(&self, path: &VolumePath, wanted: Attributes) -> Result<(), ExportError> {
        let path = path.clone();
        self.run_blocking(move |root| create_directory_at(root, &path, wanted))
            .await
    }

    /// An interruption ends it before the next entry; no progress for [`CALL_TIMEOUT`] is `Unreachable`.
    pub(super) async fn remove_directory(
        &self,
        path: &VolumePath,
        may_continue: &MayContinue,
    ) -> Result<Removed, ExportError> {
        let path = path.clone();
        self.run_blocking_with_progress(may_continue.clone(), move |root, progress| {
            remove_directory_at(root, &path, progress)
        })
        .await
    }

    pub(super) async fn rename_directory(&self, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
        let (from, to) = (from.clone(), to.clone());
        self.run_blocking(move |root| rename_directory_at(root, &from, &to))
            .await
    }

    pub(super) async fn path_exists(&self, path: &VolumePath) -> Result<bool, ExportError> {
        let found = self.act_in_parent(path, |parent, name| {
            rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        });
        Ok(found.await?.is_some())
    }

    pub(super) async fn list_directory(
        &self,
        directory: Option<&VolumePath>,
    ) -> Result<Option<Vec<Entry>>, ExportError> {
        let path = directory.cloned();
        self.run_blocking(move |root| {
            let Some(directory) = open_directory(root, path.as_ref())? else {
                return Ok(None);
            };
            let found = read_entries(&directory)
                .map_err(|errno| operation_error("list", name_or_root(path.as_ref()), errno))?;
            Ok(Some(found))
        })
        .await
    }

    pub(super) async fn empty_directory(&self, directory: Option<&VolumePath>) -> Result<(), ExportError> {
        let path = directory.cloned();
        self.run_blocking_with_progress(never_interrupt(), move |root, progress| {
            let refused = |errno| operation_error("empty", name_or_root(path.as_ref()), errno);
            let directory = open_directory(root, path.as_ref())?.ok_or_else(|| refused(Errno::NOENT))?;
            tree::empty_tree(&directory, progress).map_err(refused)
        })
        .await
    }

    pub(super) async fn create_link(&self, path: &VolumePath, target: &str) -> Result<bool, ExportError> {
        let target = target.to_owned();
        let made = self.act_in_parent(path, move |parent, name| {
            match rustix::fs::symlinkat(target.as_str(), parent, name) {
                Err(Errno::EXIST) => Ok(false),
                made => made.map(|()| true),
            }
        });
        made.await?.ok_or_else(|| operation_error("create", path, Errno::NOENT))
    }

    pub(super) async fn read_link(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        let target = self.act_in_parent(path, |parent, name| rustix::fs::readlinkat(parent, name, Vec::new()));
        Ok(target.await?.map(|target| target.to_string_lossy().into_owned()))
    }

    pub(super) async fn remove_link_or_file(&self, path: &VolumePath) -> Result<(), ExportError> {
        let removed = self.act_in_parent(path, |parent, name| {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())
        });
        removed.await.map(drop)
    }

    pub(super) async fn remove_empty_directory(&self, path: &VolumePath) -> Result<bool, ExportError> {
        let removed = self.act_in_parent(path, |parent, name| {
            match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
                removed => removed.map(|()| true),
            }
        });
        Ok(removed.await?.unwrap_or(true))
    }

    /// Calls `work` with the parent of `path` and its last name; `None` if a parent doesn't exist or `work` gives NOENT.
    /// Any other error of `work` is `Failed`.
    async fn act_in_parent<T: Send + 'static>(
        &self,
        path: &VolumePath,
        work: impl FnOnce(&OwnedFd, &str) -> rustix::io::Result<T> + Send + 'static,
    ) -> Result<Option<T>, ExportError> {
        let path = path.clone();
        self.run_blocking(move |root| {
            let (parents, name) = path.split();
            let Some(parent) = open_parents(root, parents, &path)? else {
                return Ok(None);
            };
            match work(&parent, name) {
                Ok(done) => Ok(Some(done)),
                Err(Errno::NOENT) => Ok(None),
                Err(errno) => Err(operation_error("use", path, errno)),
            }
        })
        .await
    }

    /// Runs file system calls in a thread, with a timeout: on a mount whose server is gone they never return. `work`
    /// gets the root; after a timeout, which is `Unreachable`, it may still take effect. At most [`MAX_CALLS`] run at
    /// once, those included that have timed out; waiting too long for one to end is `Unreachable`, too.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, ExportError> + Send + 'static,
    ) -> Result<T, ExportError> {
        self.run_blocking_with_progress(never_interrupt(), |root, _| work(root))
            .await
    }

    /// As [`Mounted::run_blocking`], for many calls: `work` gets the progress, too, and each of its steps restarts the
    /// timeout. When that passes, this fails with `Unreachable`, and the progress tells `work` to give up, as it does
    /// when `may_continue` ends.
    async fn run_blocking_with_progress<T: Send + 'static>(
        &self,
        may_continue: MayContinue,
        work: impl FnOnce(&Path, &RemovalProgress) -> Result<T, ExportError> + Send + 'static,
    ) -> Result<T, ExportError> {
        let progress = Arc::new(RemovalProgress::new(may_continue));
        let (root, counted) = (self.root.clone(), progress.clone());
        let permit = match timeout(CALL_TIMEOUT, self.calls.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => {
                let root = self.root.display();
                return Err(self.unreachable_error(format!("{root} hasn't answered {MAX_CALLS} earlier calls yet")));
            }
        };
        // The thread owns the permit, since it stays occupied after a timeout.
        let mut working = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&root, &counted)
        });
        loop {
            let steps = progress.step_count();
            match timeout(CALL_TIMEOUT, &mut working).await {
                Ok(Ok(done)) => return done,
                Ok(Err(panicked)) => return Err(self.unreachable_error(panicked.to_string())),
                Err(_) if progress.step_count() > steps => {}
                Err(_) => break,
            }
        }
        progress.give_up();
        Err(self.no_answer_error())
    }

    fn no_answer_error(&self) -> ExportError {
        self.unreachable_error(format!(
            "{} gave no answer within {} s",
            self.root.display(),
            CALL_TIMEOUT.as_secs()
        ))
    }

    fn unreachable_error(&self, cause: String) -> ExportError {
        ExportError::Unreachable {
            location: self.location.clone(),
            cause,
        }
    }
}

/// Opens the export's root, also through links, which the administrator chose.
fn open_root(root: &Path) -> Result<OwnedFd, ExportError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, root, flags, Mode::empty()).map_err(|errno| operation_error("open", root.display(), errno))
}

/// Creates missing parents, too, with [`PARENT_MODE`]. An existing directory at `path` gets the wanted attributes,
/// existing parents stay as they are.
fn create_directory_at(root: &Path, path: &VolumePath, wanted: Attributes) -> Result<(), ExportError> {
    let mut directory = open_root(root)?;
    let last = path.components().len() - 1;
    for (depth, name) in path.components().iter().enumerate() {
        let mode = Mode::from_raw_mode(if depth == last { wanted.mode } else { PARENT_MODE });
        let is_new = match rustix::fs::mkdirat(&directory, name.as_str(), mode) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(operation_error("make directory", path, errno)),
        };
        directory = open_child(&directory, name, path, depth)?
            .ok_or_else(|| operation_error("make directory", path, Errno::NOENT))?;
        let refused = |errno| operation_error("set owner and mode of", path, errno);
        if depth == last && (wanted.uid.is_some() || wanted.gid.is_some()) {
            let (uid, gid) = (wanted.uid.map(Uid::from_raw), wanted.gid.map(Gid::from_raw));
            // Before the mode, because chown clears special bits.
            rustix::fs::fchown(&directory, uid, gid).map_err(refused)?;
        }
        if depth == last || is_new {
            // The umask applies to mkdir, not to chmod.
            rustix::fs::fchmod(&directory, mode).map_err(refused)?;
        }
    }
    Ok(())
}

/// Removes a directory tree, whose path is looked up once; `AlreadyGone` if that doesn't exist. CANCELED becomes
/// `Interrupted`.
fn remove_directory_at(root: &Path, path: &VolumePath, progress: &RemovalProgress) -> Result<Removed, ExportError> {
    let to_error = |errno| match errno {
        Errno::CANCELED => ExportError::Interrupted,
        errno => operation_error("remove", path, errno),
    };
    let (parents, name) = path.split();
    let Some(parent) = open_parents(root, parents, path)? else {
        return Ok(Removed::AlreadyGone);
    };
    let Some(directory) = open_child(&parent, name, path, parents.len())? else {
        return Ok(Removed::AlreadyGone);
    };
    tree::empty_tree(&directory, progress).map_err(to_error)?;
    match rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR) {
        // Another process removed it first.
        Err(Errno::NOENT) => {}
        removed => removed.map_err(to_error)?,
    }
    Ok(Removed::Done)
}

/// Renames without replacing: `AlreadyGone` if `from` doesn't exist, else `Exists` if `to` does, `Failed` if its parent
/// doesn't. On NFS mounts, an empty directory that another client creates at `to` meanwhile is replaced.
fn rename_directory_at(root: &Path, from: &VolumePath, to: &VolumePath) -> Result<Removed, ExportError> {
    let refused = |errno| match errno {
        Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS => ExportError::CannotRename {
            path: from.to_string(),
            cause: std::io::Error::from(errno).to_string(),
        },
        errno => operation_error("rename", from, errno),
    };
    let (parents, name) = from.split();
    let (new_parents, new_name) = to.split();
    let Some(source) = open_parents(root, parents, from)? else {
        return Ok(Removed::AlreadyGone);
    };
    if open_child(&source, name, from, parents.len())?.is_none() {
        return Ok(Removed::AlreadyGone);
    }
    let target = open_parents(root, new_parents, to)?.ok_or_else(|| refused(Errno::NOENT))?;
    match rustix::fs::renameat_with(&source, name, &target, new_name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Removed::Done),
        Err(Errno::EXIST) => Err(ExportError::Exists(to.to_string())),
        // NFS mounts don't support NOREPLACE: check first, then rename.
        Err(Errno::INVAL) => match rustix::fs::statat(&target, new_name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(ExportError::Exists(to.to_string())),
            Err(Errno::NOENT) => rustix::fs::renameat(&source, name, &target, new_name)
                .map(|()| Removed::Done)
                .map_err(refused),
            Err(errno) => Err(refused(errno)),
        },
        Err(errno) => Err(refused(errno)),
    }
}

/// Opens the last of `parents`, or the root without any; `None` if one of them doesn't exist. They are the first
/// components of `path`, which is for errors, or all of them.
fn open_parents(root: &Path, parents: &[String], path: &VolumePath) -> Result<Option<OwnedFd>, ExportError> {
    let mut directory = open_root(root)?;
    for (depth, name) in parents.iter().enumerate() {
        match open_child(&directory, name, path, depth)? {
            Some(next) => directory = next,
            None => return Ok(None),
        }
    }
    Ok(Some(directory))
}

/// Opens the directory `name` in `parent`, component number `depth` of `path`, counted from 0; `None` if it doesn't
/// exist. A link or a file is `NotADirectory`.
fn open_child(parent: &OwnedFd, name: &str, path: &VolumePath, depth: usize) -> Result<Option<OwnedFd>, ExportError> {
    match rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Ok(directory) => Ok(Some(directory)),
        Err(Errno::NOENT) => Ok(None),
        // NOFOLLOW with DIRECTORY gives ENOTDIR for a link, too.
        Err(Errno::NOTDIR | Errno::LOOP) => {
            let link = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
            Err(ExportError::NotADirectory {
                path: path.components()[..=depth].join("/"),
                what: if link { "a symbolic link" } else { "a file" },
            })
        }
        Err(errno) => Err(operation_error("open", path, errno)),
    }
}

/// Opens the directory at `path`, `None` if it doesn't exist; or the root, which must exist.
fn open_directory(root: &Path, path: Option<&VolumePath>) -> Result<Option<OwnedFd>, ExportError> {
    match path {
        Some(path) => open_parents(root, path.components(), path),
        None => open_root(root).map(Some),
    }
}

/// Reads the entries of a directory without opening them; an entry that is removed meanwhile is left out.
fn read_entries(directory: &OwnedFd) -> rustix::io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for (name, _) in tree::read_names(directory, usize::MAX)? {
        let stat = match rustix::fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Removed meanwhile.
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno),
        };
        found.push(Entry {
            name: name.to_string_lossy().into_owned(),
            kind: Kind::from_mode(stat.st_mode),
            // In blocks of 512 bytes, whatever the file system's own are.
            bytes: u64::try_from(stat.st_blocks).unwrap_or_default() * 512,
            changed: stat.st_ctime.max(stat.st_mtime),
        });
    }
    Ok(found)
}

fn operation_error(action: &'static str, path: impl Display, errno: Errno) -> ExportError {
    ExportError::failed(action, path, std::io::Error::from(errno))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Ends the calls however the test ends, since the runtime waits for its threads.
    struct Hung(Vec<mpsc::Sender<()>>);

    #[tokio::test]
    async fn a_mount_that_hangs_leaves_threads_to_others() {
        let location = crate::export::tests::location("/nfsdata");
        let mounted = Arc::new(Mounted::new(location, Path::new("/")));
        let started = Arc::new(AtomicUsize::new(0));
        let mut hung = Hung(Vec::new());
        let mut calls = Vec::new();
        for _ in 0..600 {
            let (release, released) = mpsc::channel::<()>();
            hung.0.push(release);
            let (mounted, started) = (mounted.clone(), started.clone());
            calls.push(tokio::spawn(async move {
                mounted
                    .run_blocking(move |_| {
                        started.fetch_add(1, Ordering::Relaxed);
                        // An error is the end of the test.
                        _ = released.recv();
                        Ok(())
                    })
                    .await
            }));
        }
        while started.load(Ordering::Relaxed) < MAX_CALLS {
            tokio::task::yield_now().await;
        }
        let resolved = timeout(Duration::from_secs(5), tokio::net::lookup_host(("localhost", 0))).await;
        assert!(resolved.is_ok(), "no thread is left to resolve a name");
        assert_eq!(started.load(Ordering::Relaxed), MAX_CALLS);
        drop(hung);
        for call in calls {
            call.await.unwrap().unwrap();
        }
    }
}
