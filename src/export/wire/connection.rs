//! The operations over one NFS connection. Paths are looked up one component at a time. The methods keep the contracts
//! of those of [`Export`](crate::export::Export).

use std::future::Future;
use std::sync::Arc;

use futures::{TryStreamExt, stream};
use nfs_rs::{Mount, NFSVersion, Nfs3ErrorCode, Nfs4ErrorCode, NfsError, ObjRes, ReaddirplusEntry};
use tokio::time::timeout;

use super::errors::timeout_error;
use crate::export::{
    Attributes, CALL_TIMEOUT, Entry, ExportError, Kind, PARENT_MODE, Removed, VolumePath, name_or_root,
};

/// `ftype3` of a directory and of a symbolic link (RFC 1813); NFSv4 numbers them alike.
pub(super) const TYPE_DIRECTORY: u32 = 2;
pub(super) const TYPE_LINK: u32 = 5;

/// The mode's bits: permissions, set-user-id, set-group-id and sticky.
const ALL_BITS: u32 = 0o7777;

/// How many entries of one directory are looked up concurrently.
const AT_ONCE: usize = 16;

/// How often a listing is begun at most, if the directory changes meanwhile.
const LISTINGS: u8 = 3;

pub(super) type Handle = bytes::Bytes;

/// One NFS mount and its root handle.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) mount: Box<dyn Mount>,
    pub(super) root: Handle,
}

/// A directory that was looked up.
pub(super) struct FoundDirectory {
    pub(super) parent: Handle,
    pub(super) name: String,
    pub(super) handle: Handle,
}

pub(super) enum CallError {
    Nfs(NfsError),
    /// The directory was created, but setting its mode and owner failed.
    Attributes(NfsError),
    Export(ExportError),
}

impl From<NfsError> for CallError {
    fn from(error: NfsError) -> Self {
        Self::Nfs(error)
    }
}

impl From<ExportError> for CallError {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

impl Connection {
    /// Creates missing parents, too. A directory that exists gets the attributes, existing parents don't. That only the
    /// attributes failed is `CallError::Attributes`.
    pub(super) async fn create_directory(
        self: Arc<Self>,
        path: &VolumePath,
        wanted: Attributes,
    ) -> Result<(), CallError> {
        let mut directory = self.root.clone();
        let mut has_mode = false;
        let last = path.components().len() - 1;
        for (depth, name) in path.components().iter().enumerate() {
            let mode = if depth == last { wanted.mode } else { PARENT_MODE };
            // MKDIR before LOOKUP: in the usual case, where nothing exists yet, this is the only call.
            match with_timeout(self.mount.mkdir(directory.clone(), name, mode)).await {
                Ok(new) => {
                    directory = new.fh;
                    has_mode = new.attr.is_some_and(|found| found.file_mode & ALL_BITS == mode);
                }
                Err(error) if error.is_exist() || lacks_handle(&error) => {
                    let found = with_timeout(self.mount.lookup(directory, name)).await?;
                    directory = self.require_directory(found, path, depth).await?;
                    has_mode = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Over NFSv4 the library sets the mode by a second call, and over 4.1 it hides the failure of that call.
        let is_atomic = self.mount.version() == NFSVersion::NFSv3;
        if !is_atomic || !has_mode || wanted.uid.is_some() || wanted.gid.is_some() {
            let set = self.set_attributes(directory, wanted).await;
            set.map_err(CallError::Attributes)?;
        }
        Ok(())
    }

    /// Sets the mode, and the owner and the group if they are given.
    async fn set_attributes(&self, directory: Handle, wanted: Attributes) -> Result<(), NfsError> {
        let (mode, uid, gid) = (Some(wanted.mode), wanted.uid, wanted.gid);
        let set = self.mount.setattr(directory, None, mode, uid, gid, None, None, None);
        with_timeout(set).await
    }

    /// Looks up the directory at `path`; `None` if it doesn't exist, an error if it is no directory.
    pub(super) async fn find_directory(
        self: Arc<Self>,
        path: &VolumePath,
    ) -> Result<Option<FoundDirectory>, CallError> {
        let Some((parent, found)) = self.find_entry(path).await? else {
            return Ok(None);
        };
        Ok(Some(FoundDirectory {
            handle: self.require_directory(found, path, path.components().len() - 1).await?,
            parent,
            name: path.split().1.to_owned(),
        }))
    }

    /// `AlreadyGone` if `from` doesn't exist, else `Exists` if `to` does; a missing parent of `to` is an error. An
    /// empty directory that another client creates at `to` meanwhile is replaced.
    pub(super) async fn rename_directory(
        self: Arc<Self>,
        from: &VolumePath,
        to: &VolumePath,
    ) -> Result<Removed, CallError> {
        let (new_parents, new_name) = to.split();
        let Some(source) = self.clone().find_directory(from).await? else {
            return Ok(Removed::AlreadyGone);
        };
        let Some(target) = self.walk_directories(new_parents, to).await? else {
            return Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT).into());
        };
        // RENAME silently replaces an empty directory.
        if self.look_up(&target, new_name).await?.is_some() {
            return Err(ExportError::Exists(to.to_string()).into());
        }
        let rename = self.mount.rename(source.parent, &source.name, target, new_name);
        match with_timeout(rename).await {
            Err(error) if cannot_rename(&error) => Err(ExportError::CannotRename {
                path: from.to_string(),
                cause: error.to_string(),
            }
            .into()),
            renamed => Ok(renamed.map(|()| Removed::Done)?),
        }
    }

    /// The parent's handle and the entry at `path`, of any kind; `None` if it or a parent doesn't exist. A parent that
    /// is no directory is an error.
    pub(super) async fn find_entry(&self, path: &VolumePath) -> Result<Option<(Handle, ObjRes)>, CallError> {
        let (parents, name) = path.split();
        let Some(parent) = self.walk_directories(parents, path).await? else {
            return Ok(None);
        };
        let found = self.look_up(&parent, name).await?;
        Ok(found.map(|found| (parent, found)))
    }

    pub(super) async fn list_directory(
        self: Arc<Self>,
        directory: Option<&VolumePath>,
    ) -> Result<Option<Vec<Entry>>, CallError> {
        let Some(handle) = self.find_handle(directory).await? else {
            return Ok(None);
        };
        let entries = self.read_entries(handle.clone()).await?;
        let found: Vec<Option<Entry>> = stream::iter(entries.into_iter().map(Ok::<_, CallError>))
            .map_ok(|entry| self.describe_entry(&handle, entry))
            .try_buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Some(found.into_iter().flatten().collect()))
    }

    /// The entry with its attributes; `None` if it was removed meanwhile.
    async fn describe_entry(&self, directory: &Handle, entry: ReaddirplusEntry) -> Result<Option<Entry>, CallError> {
        let attributes = match entry.attr {
            Some(attributes) => attributes,
            // Not every server returns attributes with a listing.
            None => match self.look_up(directory, &entry.file_name).await? {
                Some(ObjRes { attr: Some(known), .. }) => known,
                Some(found) => with_timeout(self.mount.getattr(found.fh)).await?,
                None => return Ok(None),
            },
        };
        Ok(Some(Entry {
            name: entry.file_name,
            kind: match attributes.type_ {
                TYPE_DIRECTORY => Kind::Directory,
                TYPE_LINK => Kind::Link,
                _ => Kind::Other,
            },
            bytes: attributes.used,
            changed: i64::from(attributes.ctime.seconds.max(attributes.mtime.seconds)),
        }))
    }

    pub(super) async fn empty_directory(self: Arc<Self>, directory: Option<&VolumePath>) -> Result<(), CallError> {
        let Some(handle) = self.find_handle(directory).await? else {
            return Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT).into());
        };
        self.empty_tree(handle, &name_or_root(directory)).await
    }

    /// The handle of a directory, or of the root if none is named; `None` if it doesn't exist, an error if it is no
    /// directory.
    async fn find_handle(&self, directory: Option<&VolumePath>) -> Result<Option<Handle>, CallError> {
        match directory {
            Some(path) => self.walk_directories(path.components(), path).await,
            None => Ok(Some(self.root.clone())),
        }
    }

    pub(super) async fn create_link(&self, path: &VolumePath, target: &str) -> Result<bool, CallError> {
        let (parents, name) = path.split();
        let Some(parent) = self.walk_directories(parents, path).await? else {
            return Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT).into());
        };
        match with_timeout(self.mount.symlink(target, parent, name)).await {
            Err(error) if error.is_exist() => Ok(false),
            Err(error) if lacks_handle(&error) => Ok(true),
            made => Ok(made.map(|_| true)?),
        }
    }

    pub(super) async fn read_link(self: Arc<Self>, path: &VolumePath) -> Result<Option<String>, CallError> {
        match self.find_entry(path).await? {
            Some((_, found)) => Ok(Some(with_timeout(self.mount.readlink(found.fh)).await?)),
            None => Ok(None),
        }
    }

    pub(super) async fn remove_link_or_file(self: Arc<Self>, path: &VolumePath) -> Result<(), CallError> {
        let (parents, name) = path.split();
        if let Some(parent) = self.walk_directories(parents, path).await? {
            match with_timeout(self.mount.remove(parent, name)).await {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) async fn remove_empty_directory(self: Arc<Self>, path: &VolumePath) -> Result<bool, CallError> {
        // NFS 4 has one call for all kinds: it would remove a link or a file as well.
        let Some(found) = self.clone().find_directory(path).await? else {
            return Ok(true);
        };
        match with_timeout(self.mount.rmdir(found.parent, &found.name)).await {
            Err(error) if is_not_empty(&error) => Ok(false),
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(true),
        }
    }

    /// Lists a directory, again from the start if it changes too much while it is read; fails after [`LISTINGS`] times.
    async fn read_entries(&self, directory: Handle) -> Result<Vec<ReaddirplusEntry>, NfsError> {
        let mut attempt = 1;
        loop {
            match self.read_first_entries(&directory, usize::MAX).await {
                // The directory changed so much that the server can't go on where it was.
                Err(error) if attempt < LISTINGS && is_listing_interrupted(&error) => attempt += 1,
                listed => return listed,
            }
        }
    }

    /// Lists the first `limit` entries of a directory, without `.` and `..`; fails if it changes too much while it is
    /// read.
    pub(super) async fn read_first_entries(
        &self,
        directory: &Handle,
        limit: usize,
    ) -> Result<Vec<ReaddirplusEntry>, NfsError> {
        let mut listing = self.mount.readdirplus(directory.clone()).await;
        let mut entries = Vec::new();
        while entries.len() < limit
            && let Some(entry) = with_timeout(listing.try_next()).await?
        {
            if entry.file_name != "." && entry.file_name != ".." {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The handle of the last of `parents`, which are looked up from the root; `None` if one doesn't exist, an error if
    /// one is no directory. `parents` are the first components of `path`, which is for errors, or all of them.
    pub(super) async fn walk_directories(
        &self,
        parents: &[String],
        path: &VolumePath,
    ) -> Result<Option<Handle>, CallError> {
        let mut directory = self.root.clone();
        for (depth, name) in parents.iter().enumerate() {
            match self.look_up(&directory, name).await? {
                Some(found) => directory = self.require_directory(found, path, depth).await?,
                None => return Ok(None),
            }
        }
        Ok(Some(directory))
    }

    /// The entry `name`, of any kind; `None` if it doesn't exist.
    pub(super) async fn look_up(&self, directory: &Handle, name: &str) -> Result<Option<ObjRes>, NfsError> {
        match with_timeout(self.mount.lookup(directory.clone(), name)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The handle of `found`, component number `depth` of `path`, counted from 0; an error if it is no directory.
    async fn require_directory(&self, found: ObjRes, path: &VolumePath, depth: usize) -> Result<Handle, CallError> {
        let kind = match found.attr {
            Some(attributes) => attributes.type_,
            None => with_timeout(self.mount.getattr(found.fh.clone())).await?.type_,
        };
        let what = match kind {
            TYPE_DIRECTORY => return Ok(found.fh),
            TYPE_LINK => "a symbolic link",
            _ => "a file",
        };
        let path = path.components()[..=depth].join("/");
        Err(ExportError::NotADirectory { path, what }.into())
    }
}

/// Whether the server created the object but returned no handle for it, as RFC 1813 allows.
pub(super) fn lacks_handle(error: &NfsError) -> bool {
    matches!(error, NfsError::Rpc(text) if text == "bad file handle")
}

/// Whether the server does not rename between these two directories, or not at all.
fn cannot_rename(error: &NfsError) -> bool {
    matches!(
        error,
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_XDEV | Nfs3ErrorCode::NFS3ERR_NOTSUPP)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_XDEV | Nfs4ErrorCode::NFS4ERR_NOTSUPP)
    )
}

/// Whether a listing can't be continued because the directory was changed meanwhile.
fn is_listing_interrupted(error: &NfsError) -> bool {
    matches!(
        error,
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_BAD_COOKIE | Nfs3ErrorCode::NFS3ERR_NOT_SYNC)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_BAD_COOKIE | Nfs4ErrorCode::NFS4ERR_NOT_SAME)
    )
}

/// Whether a directory could not be removed because it is not empty; some servers return EXIST.
pub(super) fn is_not_empty(error: &NfsError) -> bool {
    matches!(
        error,
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOTEMPTY | Nfs3ErrorCode::NFS3ERR_EXIST)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_NOTEMPTY | Nfs4ErrorCode::NFS4ERR_EXIST)
    )
}

/// Limits a call to [`CALL_TIMEOUT`], after which it may still take effect; the library's own timeouts add up to more
/// than a claim should wait.
pub(super) async fn with_timeout<T>(call: impl Future<Output = Result<T, NfsError>>) -> Result<T, NfsError> {
    timeout(CALL_TIMEOUT, call)
        .await
        .unwrap_or_else(|_| Err(timeout_error()))
}

#[cfg(test)]
mod tests {
    use super::super::double::{Answer, Double};
    use super::*;

    #[tokio::test]
    async fn a_mode_is_set_unless_the_server_says_that_it_is_right() {
        use NFSVersion::{NFSv3, NFSv4p0, NFSv4p1};
        let plain = Attributes::with_mode(0o777);
        let owned = Attributes {
            uid: Some(1000),
            ..plain
        };
        for (version, is_there, found_mode, wanted, is_set) in [
            (NFSv3, false, 0o777, plain, false),
            (NFSv3, false, 0o755, plain, true),
            (NFSv3, false, 0o777, owned, true),
            (NFSv3, true, 0o777, plain, true),
            (NFSv4p0, false, 0o777, plain, true),
            (NFSv4p1, false, 0o777, plain, true),
            (NFSv4p1, true, 0o000, plain, true),
        ] {
            let double = Double::new(move |call, _, _| match call {
                "mkdir" if is_there => Answer::Exists,
                "mkdir" | "lookup" => Answer::Object("v", TYPE_DIRECTORY, found_mode),
                _ => Answer::Done,
            });
            let about = format!("{version:?}, there: {is_there}, {found_mode:o}, {wanted:?}");
            let (connection, log) = double.of_version(version).connection();
            let path = VolumePath::parse("v").unwrap();
            let made = Arc::new(connection).create_directory(&path, wanted).await;
            assert!(made.is_ok(), "{about}");
            let set = log
                .lock()
                .unwrap()
                .iter()
                .filter(|call| *call == "setattr v 777")
                .count();
            assert_eq!(set, usize::from(is_set), "{about}");
        }
    }

    #[tokio::test]
    async fn a_mode_that_is_refused_is_an_error() {
        let double = Double::new(|call, _, _| match call {
            "mkdir" => Answer::Exists,
            "lookup" => Answer::Object("v", TYPE_DIRECTORY, 0o000),
            _ => Answer::NotFound,
        });
        let (connection, _) = double.connection();
        let path = VolumePath::parse("v").unwrap();
        let made = Arc::new(connection)
            .create_directory(&path, Attributes::with_mode(0o777))
            .await;
        assert!(matches!(made, Err(CallError::Attributes(_))));
    }
}
