//! Removes a directory tree over NFS, however deep, wide or hostile: without recursion and without reading it whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{FutureExt, TryStreamExt, stream};
use nfs_rs::{NfsError, ReaddirplusEntry};

use super::connection::{CallError, Connection, FoundDirectory, Handle, TYPE_DIRECTORY, is_not_empty, with_timeout};
use super::errors::is_stale;
use super::{Purpose, Wire};
use crate::export::rounds::{Rounds, STILL_NOT_EMPTY};
use crate::export::{ExportError, MayContinue, Removed, VolumePath, never_interrupt};

/// How many entries of one directory are removed concurrently.
const REMOVALS: usize = 16;

/// How many entries of one directory are read before these are removed.
const CHUNK: usize = 1024;

/// A directory to empty and remove.
#[derive(Clone)]
struct PendingDirectory {
    /// The directory to remove it from; `None` keeps it.
    parent: Option<Handle>,
    name: String,
    handle: Handle,
    rounds: Rounds,
}

impl PendingDirectory {
    fn new(parent: Option<Handle>, name: String, handle: Handle) -> Self {
        Self {
            parent,
            name,
            handle,
            rounds: Rounds::default(),
        }
    }
}

impl Wire {
    /// Removes a directory tree. The path is looked up once. If the connection is lost, the removal continues with the
    /// same handles over a new one, until two in a row have removed nothing.
    pub(in crate::export) async fn remove_directory(
        &self,
        path: &VolumePath,
        may_continue: &MayContinue,
    ) -> Result<Removed, ExportError> {
        let object = path.to_string();
        let find = |connection: Arc<Connection>| connection.find_directory(path).boxed();
        let Some(directory) = self.run_with_retry("remove", &object, find).await? else {
            return Ok(Removed::AlreadyGone);
        };
        let removed = AtomicU64::new(0);
        let wire = self.with_purpose(Purpose::Removals);
        let mut attempts_in_vain = 0;
        loop {
            let before = removed.load(Ordering::Relaxed);
            let remove =
                |connection: Arc<Connection>| connection.remove_tree(&directory, may_continue, &removed).boxed();
            match wire.run_up_to(1, "remove", &object, remove).await {
                Err(error @ ExportError::Unreachable { .. }) => {
                    attempts_in_vain = match removed.load(Ordering::Relaxed) > before {
                        true => 0,
                        false => attempts_in_vain + 1,
                    };
                    if attempts_in_vain == 2 {
                        return Err(error);
                    }
                    if !may_continue() {
                        return Err(ExportError::Interrupted);
                    }
                }
                ended => return ended.map(|()| Removed::Done),
            }
        }
    }
}

impl Connection {
    /// Removes a directory tree; links are removed, not followed. `removed` counts the entries, the directory included.
    /// Fails with `Interrupted` if the removal may not continue.
    ///
    /// A directory stays on the stack until it is empty, so entries that others add meanwhile are removed, too.
    pub(super) async fn remove_tree(
        self: Arc<Self>,
        directory: &FoundDirectory,
        may_continue: &MayContinue,
        removed: &AtomicU64,
    ) -> Result<(), CallError> {
        let (parent, name) = (Some(directory.parent.clone()), directory.name.clone());
        let first = PendingDirectory::new(parent, name, directory.handle.clone());
        self.remove_pending(first, may_continue, removed).await
    }

    /// Removes everything in a directory, whose name in messages is `name`, and keeps the directory itself. It can't be
    /// interrupted.
    pub(super) async fn empty_tree(&self, handle: Handle, name: &str) -> Result<(), CallError> {
        let first = PendingDirectory::new(None, name.to_owned(), handle);
        self.remove_pending(first, &never_interrupt(), &AtomicU64::new(0)).await
    }

    /// Empties `first` and removes it, unless it has no parent. Fails with `Interrupted` if the removal may not
    /// continue, with `Failed` if rounds make no progress or an entry's name can't be sent over NFS.
    async fn remove_pending(
        &self,
        first: PendingDirectory,
        may_continue: &MayContinue,
        removed: &AtomicU64,
    ) -> Result<(), CallError> {
        let mut stack = vec![first];
        while let Some(top) = stack.last_mut() {
            if !top.rounds.begin_round(removed.load(Ordering::Relaxed)) {
                return Err(ExportError::failed("remove", &top.name, STILL_NOT_EMPTY).into());
            }
            let top = top.clone();
            let entries = match self.read_first_entries(&top.handle, CHUNK).await {
                // The answer to the call that removed it was lost, or another client removed it.
                Err(error) if is_stale(&error) && self.is_removed(&top).await? => {
                    _ = stack.pop();
                    continue;
                }
                entries => entries?,
            };
            if entries.is_empty() {
                let Some(parent) = top.parent else {
                    return Ok(());
                };
                match with_timeout(self.mount.rmdir(parent, &top.name)).await {
                    // Another client added an entry, or the server does not list all entries.
                    Err(error) if is_not_empty(&error) => continue,
                    Err(error) if error.is_not_found() => {}
                    rmdir => {
                        rmdir?;
                        removed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                _ = stack.pop();
                continue;
            }
            let unreadable = entries.iter().find(|entry| entry.file_name.contains('\u{fffd}'));
            let unreadable = unreadable.map(|entry| entry.file_name.clone());
            let not_empty: Vec<Option<PendingDirectory>> = stream::iter(entries.into_iter().map(Ok::<_, CallError>))
                .map_ok(|entry| self.remove_entry(&top.handle, entry, may_continue, removed))
                .try_buffer_unordered(REMOVALS)
                .try_collect()
                .await?;
            let before = stack.len();
            stack.extend(not_empty.into_iter().flatten());
            if let Some(name) = unreadable.filter(|_| stack.len() == before) {
                self.fail_if_unreadable(&top, &name).await?;
            }
        }
        Ok(())
    }

    /// Whether nothing has the directory's name any more; false for one without a parent.
    async fn is_removed(&self, directory: &PendingDirectory) -> Result<bool, NfsError> {
        match &directory.parent {
            Some(parent) => Ok(self.look_up(parent, &directory.name).await?.is_none()),
            None => Ok(false),
        }
    }

    /// Removes an entry, and counts it in `removed`; returns a directory that is not empty instead. `None` also if
    /// another client removed the entry, or the server lists what doesn't exist. Fails with `Interrupted` if the removal
    /// may not continue.
    async fn remove_entry(
        &self,
        directory: &Handle,
        entry: ReaddirplusEntry,
        may_continue: &MayContinue,
        removed: &AtomicU64,
    ) -> Result<Option<PendingDirectory>, CallError> {
        if !may_continue() {
            return Err(ExportError::Interrupted.into());
        }
        let name = entry.file_name;
        let (kind, handle) = match entry.attr {
            Some(attributes) if !entry.handle.is_empty() => (attributes.type_, entry.handle),
            _ => {
                let Some(found) = self.look_up(directory, &name).await? else {
                    return Ok(None);
                };
                let kind = with_timeout(self.mount.getattr(found.fh.clone())).await?.type_;
                (kind, found.fh)
            }
        };
        let result = match kind {
            TYPE_DIRECTORY => with_timeout(self.mount.rmdir(directory.clone(), &name)).await,
            _ => with_timeout(self.mount.remove(directory.clone(), &name)).await,
        };
        match result {
            Err(error) if kind == TYPE_DIRECTORY && is_not_empty(&error) => {
                let directory = PendingDirectory::new(Some(directory.clone()), name, handle);
                Ok(Some(directory))
            }
            Err(error) if error.is_not_found() => Ok(None),
            result => {
                result?;
                removed.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// Reads the directory again, and fails if all entries have names that are not UTF-8: the client library replaces
    /// bytes in them, so they can't be removed. `name` is one of them, for the error.
    async fn fail_if_unreadable(&self, directory: &PendingDirectory, name: &str) -> Result<(), CallError> {
        let entries = self.read_first_entries(&directory.handle, CHUNK).await?;
        match entries.iter().all(|entry| entry.file_name.contains('\u{fffd}')) && !entries.is_empty() {
            true => {
                let cause = format!(
                    "it holds {name:?}, whose name is not UTF-8 and can't be sent over NFS; \
                     remove it on the server, or use --via dir: or ssh://"
                );
                Err(ExportError::failed("remove", &directory.name, cause).into())
            }
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::super::double::{Answer, Double, TYPE_FILE};
    use super::*;
    use crate::export::Location;

    fn location() -> Location {
        Location {
            server: "127.0.0.1".into(),
            path: "/nfsdata".into(),
        }
    }

    /// The handle of a directory that is removed is stale.
    #[tokio::test]
    async fn a_removal_whose_last_answer_is_lost_is_done() {
        let removed = AtomicBool::new(false);
        let double = Double::new(move |call, _, _| match (call, removed.load(Ordering::Relaxed)) {
            ("lookup", false) => Answer::Object("v", TYPE_DIRECTORY, 0o777),
            ("lookup", true) => Answer::NotFound,
            ("readdirplus", false) => Answer::Entries(&[]),
            ("readdirplus", true) => Answer::Stale,
            _ => {
                removed.store(true, Ordering::Relaxed);
                Answer::SessionLost
            }
        });
        let connections = (0..3).map(|_| double.clone().connection().0).collect();
        let wire = Wire::with_connections(connections, location());
        let path = VolumePath::parse("v").unwrap();
        let result = wire.remove_directory(&path, &never_interrupt()).await;
        assert!(matches!(result, Ok(Removed::Done)), "{result:?}");
    }

    /// Servers that hide entries, or list what can't be removed.
    #[tokio::test]
    async fn a_removal_that_gets_nowhere_ends_with_an_error() {
        for (listed, rmdir) in [
            (&[][..], Answer::NotEmpty),
            (&[("ghost", TYPE_FILE)], Answer::NotEmpty),
            (&[("ghost", TYPE_DIRECTORY)], Answer::NotFound),
        ] {
            let double = Double::new(move |call, _, _| match call {
                "lookup" => Answer::Object("v", TYPE_DIRECTORY, 0o777),
                "readdirplus" => Answer::Entries(listed),
                "rmdir" => rmdir,
                "remove" => Answer::NotFound,
                _ => Answer::Done,
            });
            let (export, _) = double.export(location());
            let path = VolumePath::parse("v").unwrap();
            let may_continue = never_interrupt();
            let removal = export.remove_directory(&path, &may_continue);
            let result = tokio::time::timeout(Duration::from_secs(1), removal).await;
            let Ok(Err(error)) = result else {
                panic!("{listed:?}: no error within a second");
            };
            assert!(error.to_string().contains("still not empty"), "{error}");
        }
    }
}
