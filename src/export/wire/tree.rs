//! Removing a tree over NFS, however deep, wide or hostile: without recursion and without reading it whole.

use futures::{TryStreamExt, stream};
use nfs_rs::{NfsError, ReaddirplusEntry};

use super::connection::{Connection, Handle, TYPE_DIRECTORY, Trouble, bounded, is_not_empty};
use crate::export::ExportError;

/// How many entries of one directory are removed at a time.
const REMOVALS: usize = 16;

/// How many entries of one directory are read before they are removed.
const CHUNK: usize = 1024;

/// A directory that is to be emptied and removed.
#[derive(Clone)]
struct Doomed {
    /// Where it is to be removed from; None if it is to stay.
    parent: Option<Handle>,
    name: String,
    handle: Handle,
}

impl Connection {
    /// Removes the directory `name` of `parent` with all in it; links are removed, not followed.
    ///
    /// A directory comes back to the top of the stack until it is empty, so whatever others put into it meanwhile
    /// is met again. What was removed stays removed; a next call goes on.
    pub(super) async fn remove_tree(&self, parent: Handle, name: &str, handle: Handle) -> Result<(), Trouble> {
        self.demolish(Doomed {
            parent: Some(parent),
            name: name.to_owned(),
            handle,
        })
        .await
    }

    /// Removes all that a directory holds, which is called `name` in messages, and leaves the directory itself.
    pub(super) async fn empty_tree(&self, handle: Handle, name: &str) -> Result<(), Trouble> {
        self.demolish(Doomed {
            parent: None,
            name: name.to_owned(),
            handle,
        })
        .await
    }

    async fn demolish(&self, doomed: Doomed) -> Result<(), Trouble> {
        let mut stack = vec![doomed];
        while let Some(top) = stack.last().cloned() {
            let entries = self.some_entries(&top.handle).await?;
            if entries.is_empty() {
                let Some(parent) = top.parent else {
                    return Ok(());
                };
                match bounded(self.mount.rmdir(parent, &top.name)).await {
                    // Somebody put something into it.
                    Err(error) if is_not_empty(&error) => continue,
                    Err(error) if !error.is_not_found() => return Err(error.into()),
                    _ => _ = stack.pop(),
                }
                continue;
            }
            let unreadable = entries.iter().find(|entry| entry.file_name.contains('\u{fffd}'));
            let unreadable = unreadable.map(|entry| entry.file_name.clone());
            let left: Vec<Option<Doomed>> = stream::iter(entries.into_iter().map(Ok::<_, NfsError>))
                .map_ok(|entry| self.remove_entry(&top.handle, entry))
                .try_buffer_unordered(REMOVALS)
                .try_collect()
                .await?;
            let before = stack.len();
            stack.extend(left.into_iter().flatten());
            if let Some(name) = unreadable.filter(|_| stack.len() == before) {
                self.see_to_it_that_it_is_gone(&top, &name).await?;
            }
        }
        Ok(())
    }

    /// Removes an entry that is no directory, or an empty one; gives back one that is neither.
    async fn remove_entry(&self, directory: &Handle, entry: ReaddirplusEntry) -> Result<Option<Doomed>, NfsError> {
        let name = entry.file_name;
        let (kind, handle) = match entry.attr {
            Some(attributes) if !entry.handle.is_empty() => (attributes.type_, entry.handle),
            _ => {
                let Some(found) = self.find(directory, &name).await? else {
                    return Ok(None);
                };
                let kind = bounded(self.mount.getattr(found.fh.clone())).await?.type_;
                (kind, found.fh)
            }
        };
        let gone = match kind {
            TYPE_DIRECTORY => bounded(self.mount.rmdir(directory.clone(), &name)).await,
            _ => bounded(self.mount.remove(directory.clone(), &name)).await,
        };
        match gone {
            Err(error) if kind == TYPE_DIRECTORY && is_not_empty(&error) => Ok(Some(Doomed {
                parent: Some(directory.clone()),
                name,
                handle,
            })),
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(None),
        }
    }

    /// The first entries of a directory.
    async fn some_entries(&self, directory: &Handle) -> Result<Vec<ReaddirplusEntry>, NfsError> {
        let mut listing = self.mount.readdirplus(directory.clone()).await;
        let mut entries = Vec::new();
        while entries.len() < CHUNK
            && let Some(entry) = bounded(listing.try_next()).await?
        {
            if entry.file_name != "." && entry.file_name != ".." {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The client library gives names that are not UTF-8 with a substitute in them, and no such name is found.
    async fn see_to_it_that_it_is_gone(&self, directory: &Doomed, name: &str) -> Result<(), Trouble> {
        let entries = self.some_entries(&directory.handle).await?;
        match entries.iter().all(|entry| entry.file_name.contains('\u{fffd}')) && !entries.is_empty() {
            true => Err(ExportError::Failed {
                action: "remove",
                path: directory.name.clone(),
                cause: format!(
                    "it holds {name:?}, whose name is not UTF-8 and can't be said over NFS from here; \
                     remove it on the server, or use --via dir: or ssh://"
                ),
            }
            .into()),
            false => Ok(()),
        }
    }
}
