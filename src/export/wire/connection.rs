//! What is done over one NFS connection: file handles walked one component at a time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures::{TryStreamExt, stream};
use nfs_rs::{Mount, NFSVersion, Nfs3ErrorCode, Nfs4ErrorCode, NfsError, ObjRes, ReaddirplusEntry};
use tokio::time::timeout;

use super::errors::silence;
use crate::export::{
    Attributes, CALL_TIMEOUT, Entry, ExportError, Kind, Made, MayContinue, PARENT_MODE, Removed, VolumePath, named,
};

/// `ftype3` of a directory and of a symbolic link (RFC 1813); NFSv4 numbers them alike.
pub(super) const TYPE_DIRECTORY: u32 = 2;
const TYPE_LINK: u32 = 5;

/// The mode's bits: permissions, set-user-id, set-group-id and sticky.
const ALL_BITS: u32 = 0o7777;

/// How many entries of one directory are looked at at a time.
const AT_ONCE: usize = 16;

/// How often the listing of a directory that changes meanwhile is begun.
const LISTINGS: u8 = 3;

pub(super) type Handle = bytes::Bytes;

/// One mount, and what is done over it.
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

/// Why a piece of work on the export ended early.
pub(super) enum Trouble {
    Call(NfsError),
    /// The directory is made, and its owner and mode are not set.
    Attributes(NfsError),
    Export(ExportError),
}

impl From<NfsError> for Trouble {
    fn from(error: NfsError) -> Self {
        Self::Call(error)
    }
}

impl From<ExportError> for Trouble {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

impl Connection {
    pub(super) async fn make(self: Arc<Self>, path: &VolumePath, wanted: Attributes) -> Result<Made, Trouble> {
        let mut directory = self.root.clone();
        let mut made = Made::Existed;
        let mut has_mode = false;
        let last = path.components().len() - 1;
        for (depth, name) in path.components().iter().enumerate() {
            let mode = if depth == last { wanted.mode } else { PARENT_MODE };
            // Asking for the new directory first costs one call where there is nothing yet, the usual case.
            match bounded(self.mount.mkdir(directory.clone(), name, mode)).await {
                Ok(new) => {
                    directory = new.fh;
                    made = Made::Created;
                    has_mode = new.attr.is_some_and(|found| found.file_mode & ALL_BITS == mode);
                }
                Err(error) if error.is_exist() || lacks_handle(&error) => {
                    let found = bounded(self.mount.lookup(directory, name)).await?;
                    directory = self.directory(found, path, depth).await?;
                    made = Made::Existed;
                    has_mode = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Over NFSv4 the library makes a directory first and sets its mode second, and 4.1 hides that the second failed.
        let is_atomic = self.mount.version() == NFSVersion::NFSv3;
        if !is_atomic || !has_mode || wanted.uid.is_some() || wanted.gid.is_some() {
            let set = self.set_attributes(directory, wanted).await;
            set.map_err(Trouble::Attributes)?;
        }
        Ok(made)
    }

    async fn set_attributes(&self, directory: Handle, wanted: Attributes) -> Result<(), NfsError> {
        let (mode, uid, gid) = (Some(wanted.mode), wanted.uid, wanted.gid);
        let set = self.mount.setattr(directory, None, mode, uid, gid, None, None, None);
        bounded(set).await
    }

    /// The directory at `path`, if it is there.
    pub(super) async fn find_directory(self: Arc<Self>, path: &VolumePath) -> Result<Option<FoundDirectory>, Trouble> {
        let (parents, name) = path.split();
        let Some(parent) = self.walk(parents, path).await? else {
            return Ok(None);
        };
        let Some(found) = self.find(&parent, name).await? else {
            return Ok(None);
        };
        Ok(Some(FoundDirectory {
            handle: self.directory(found, path, path.components().len() - 1).await?,
            parent,
            name: name.to_owned(),
        }))
    }

    /// Removes a directory with all in it, and counts what is `removed`.
    pub(super) async fn remove_found(
        self: Arc<Self>,
        directory: &FoundDirectory,
        may_continue: &MayContinue,
        removed: &AtomicU64,
    ) -> Result<(), Trouble> {
        self.remove_tree(directory, may_continue, removed).await
    }

    pub(super) async fn rename(self: Arc<Self>, from: &VolumePath, to: &VolumePath) -> Result<Removed, Trouble> {
        let (parents, name) = from.split();
        let (new_parents, new_name) = to.split();
        let source = self.walk(parents, from).await?;
        let found = match &source {
            Some(parent) => self.find(parent, name).await?,
            None => None,
        };
        let (Some(source), Some(found)) = (source, found) else {
            return Ok(Removed::AlreadyGone);
        };
        self.directory(found, from, from.components().len() - 1).await?;
        let Some(target) = self.walk(new_parents, to).await? else {
            return Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT).into());
        };
        // RENAME replaces an empty directory without a word.
        if self.find(&target, new_name).await?.is_some() {
            return Err(ExportError::Exists(to.to_string()).into());
        }
        match bounded(self.mount.rename(source, name, target, new_name)).await {
            Err(error) if cannot_rename(&error) => Err(ExportError::CannotRename {
                path: from.to_string(),
                cause: error.to_string(),
            }
            .into()),
            renamed => Ok(renamed.map(|()| Removed::Done)?),
        }
    }

    pub(super) async fn entry(&self, path: &VolumePath) -> Result<Option<(Handle, ObjRes)>, Trouble> {
        let (parents, name) = path.split();
        let Some(parent) = self.walk(parents, path).await? else {
            return Ok(None);
        };
        let found = self.find(&parent, name).await?;
        Ok(found.map(|found| (parent, found)))
    }

    pub(super) async fn list(self: Arc<Self>, directory: Option<&VolumePath>) -> Result<Option<Vec<Entry>>, Trouble> {
        let Some(handle) = self.handle(directory).await? else {
            return Ok(None);
        };
        let entries = self.entries(handle.clone()).await?;
        let found: Vec<Option<Entry>> = stream::iter(entries.into_iter().map(Ok::<_, Trouble>))
            .map_ok(|entry| self.look_at(&handle, entry))
            .try_buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Some(found.into_iter().flatten().collect()))
    }

    /// None if it went meanwhile.
    async fn look_at(&self, directory: &Handle, entry: ReaddirplusEntry) -> Result<Option<Entry>, Trouble> {
        let attributes = match entry.attr {
            Some(attributes) => attributes,
            // Not every server tells with the name.
            None => match self.find(directory, &entry.file_name).await? {
                Some(ObjRes { attr: Some(known), .. }) => known,
                Some(found) => bounded(self.mount.getattr(found.fh)).await?,
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

    pub(super) async fn empty_at(self: Arc<Self>, directory: Option<&VolumePath>) -> Result<(), Trouble> {
        let Some(handle) = self.handle(directory).await? else {
            return Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT).into());
        };
        self.empty_tree(handle, &named(directory)).await
    }

    /// The handle of a directory, the root's if none is named.
    async fn handle(&self, directory: Option<&VolumePath>) -> Result<Option<Handle>, Trouble> {
        match directory {
            Some(path) => self.walk(path.components(), path).await,
            None => Ok(Some(self.root.clone())),
        }
    }

    pub(super) async fn link(&self, path: &VolumePath, target: &str) -> Result<bool, Trouble> {
        let (parents, name) = path.split();
        let Some(parent) = self.walk(parents, path).await? else {
            return Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT).into());
        };
        match bounded(self.mount.symlink(target, parent, name)).await {
            Err(error) if error.is_exist() => Ok(false),
            Err(error) if lacks_handle(&error) => Ok(true),
            made => Ok(made.map(|_| true)?),
        }
    }

    pub(super) async fn read_link(self: Arc<Self>, path: &VolumePath) -> Result<Option<String>, Trouble> {
        match self.entry(path).await? {
            Some((_, found)) => Ok(Some(bounded(self.mount.readlink(found.fh)).await?)),
            None => Ok(None),
        }
    }

    pub(super) async fn unlink(self: Arc<Self>, path: &VolumePath) -> Result<(), Trouble> {
        let (parents, name) = path.split();
        if let Some(parent) = self.walk(parents, path).await? {
            match bounded(self.mount.remove(parent, name)).await {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) async fn remove_empty(self: Arc<Self>, path: &VolumePath) -> Result<bool, Trouble> {
        let (parents, name) = path.split();
        let Some(parent) = self.walk(parents, path).await? else {
            return Ok(true);
        };
        match bounded(self.mount.rmdir(parent, name)).await {
            Err(error) if is_not_empty(&error) => Ok(false),
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(true),
        }
    }

    async fn entries(&self, directory: Handle) -> Result<Vec<ReaddirplusEntry>, NfsError> {
        let mut attempt = 1;
        loop {
            match self.entries_once(directory.clone()).await {
                // The directory changed so much that the server can't go on where it was.
                Err(error) if attempt < LISTINGS && has_lost_its_place(&error) => attempt += 1,
                listed => return listed,
            }
        }
    }

    async fn entries_once(&self, directory: Handle) -> Result<Vec<ReaddirplusEntry>, NfsError> {
        let mut listing = self.mount.readdirplus(directory).await;
        let mut entries = Vec::new();
        while let Some(entry) = bounded(listing.try_next()).await? {
            if entry.file_name != "." && entry.file_name != ".." {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The handle of `parents` below the root, or None if one of them isn't there.
    async fn walk(&self, parents: &[String], path: &VolumePath) -> Result<Option<Handle>, Trouble> {
        let mut directory = self.root.clone();
        for (depth, name) in parents.iter().enumerate() {
            match self.find(&directory, name).await? {
                Some(found) => directory = self.directory(found, path, depth).await?,
                None => return Ok(None),
            }
        }
        Ok(Some(directory))
    }

    pub(super) async fn find(&self, directory: &Handle, name: &str) -> Result<Option<ObjRes>, NfsError> {
        match bounded(self.mount.lookup(directory.clone(), name)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The handle of what was found at `path`'s component number `depth`, if it is a directory.
    async fn directory(&self, found: ObjRes, path: &VolumePath, depth: usize) -> Result<Handle, Trouble> {
        let kind = match found.attr {
            Some(attributes) => attributes.type_,
            None => bounded(self.mount.getattr(found.fh.clone())).await?.type_,
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

/// Whether the server did what was asked and only told no handle of the new object, as RFC 1813 allows.
fn lacks_handle(error: &NfsError) -> bool {
    matches!(error, NfsError::Rpc(text) if text == "bad file handle")
}

fn cannot_rename(error: &NfsError) -> bool {
    matches!(
        error,
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_XDEV | Nfs3ErrorCode::NFS3ERR_NOTSUPP)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_XDEV | Nfs4ErrorCode::NFS4ERR_NOTSUPP)
    )
}

fn has_lost_its_place(error: &NfsError) -> bool {
    matches!(
        error,
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_BAD_COOKIE | Nfs3ErrorCode::NFS3ERR_NOT_SYNC)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_BAD_COOKIE | Nfs4ErrorCode::NFS4ERR_NOT_SAME)
    )
}

/// Whether a directory could not be removed because something is in it; some servers say EXIST.
pub(super) fn is_not_empty(error: &NfsError) -> bool {
    matches!(
        error,
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOTEMPTY | Nfs3ErrorCode::NFS3ERR_EXIST)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_NOTEMPTY | Nfs4ErrorCode::NFS4ERR_EXIST)
    )
}

/// One call with an end: the library's own time-outs add up to more than a claim should wait.
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, NfsError>>) -> Result<T, NfsError> {
    timeout(CALL_TIMEOUT, call).await.unwrap_or_else(|_| Err(silence()))
}

#[cfg(test)]
mod tests {
    use super::super::double::{Answer, Double};
    use super::*;

    #[tokio::test]
    async fn a_mode_is_set_unless_the_server_says_that_it_is_right() {
        use NFSVersion::{NFSv3, NFSv4p0, NFSv4p1};
        let plain = Attributes::mode(0o777);
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
            let made = Arc::new(connection).make(&path, wanted).await;
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
        let made = Arc::new(connection).make(&path, Attributes::mode(0o777)).await;
        assert!(matches!(made, Err(Trouble::Attributes(_))));
    }
}
