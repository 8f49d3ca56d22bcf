//! Empties the trash of the exports in the background.
//!
//! Several provisioners, also of other clusters, may empty the same trash at once; each accepts that another has
//! removed an entry first.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{join, join_all};
use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use super::Reconciler;
use crate::export::{Entry, ExportError, Kind, MayContinue, Removed};
use crate::provisioner::metrics::Trash;
use crate::provisioner::served::Served;

/// How many directories of one trash are removed concurrently.
const AT_ONCE: usize = 2;

/// How often the trash is listed if no deletion fills it.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long claims and deletions in flight hold removals back, at most.
const DELAY: Duration = Duration::from_secs(30);

/// How often a long removal logs its progress.
const PROGRESS: Duration = Duration::from_secs(60);

impl Reconciler {
    /// Empties the trash of every export again and again, whichever cluster filled it; in a dry run it is only counted.
    /// Each round waits for claims and deletions in flight, at most `DELAY`.
    pub(in crate::provisioner) async fn empty_trash_repeatedly(&self) -> Infallible {
        let each = self.exports.iter().map(|served| async move {
            let counting = async {
                let mut first_seen = HashMap::new();
                loop {
                    self.count_trash(served, &mut first_seen).await;
                    sleep(INTERVAL / 2).await;
                }
            };
            let emptying = async {
                loop {
                    _ = timeout(DELAY, served.wait_until_idle()).await;
                    self.empty_trash_once(served).await;
                    // A timeout is a reason to look, too.
                    _ = timeout(INTERVAL, served.wait_for_trash()).await;
                }
            };
            match self.settings.dry_run {
                true => counting.await,
                false => match join(counting, emptying).await {},
            }
        });
        join_all(each).await;
        std::future::pending().await
    }

    /// Records as metrics how many directories an export's trash has, and the age of the oldest. If the trash can't be
    /// listed, the metrics keep their earlier values. The caller keeps `first_seen`, by entry, between calls.
    async fn count_trash(&self, served: &Served, first_seen: &mut HashMap<String, i64>) {
        match served.export.list_trash().await {
            Ok(entries) => {
                let trash = summarize_trash(&entries, first_seen, Timestamp::now().as_second());
                self.metrics.record_trash(&served.location.to_string(), trash);
            }
            Err(error) => tracing::debug!(export = %served.location, "trash not counted: {error}"),
        }
    }

    /// Removes the directories that are in an export's trash now, until this provisioner is stopped or no longer leads.
    /// Other entries stay. Errors are logged only; the next round tries again.
    pub(super) async fn empty_trash_once(&self, served: &Served) {
        let entries = match served.export.list_trash().await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!(export = %served.location, "trash not read: {error}");
                return;
            }
        };
        let directories = entries.into_iter().filter(|entry| entry.kind == Kind::Directory);
        stream::iter(directories)
            .for_each_concurrent(AT_ONCE, |entry| self.remove_trash_entry(served, entry.name))
            .await;
    }

    /// Removes one entry of the trash, unless this provisioner is stopped or no longer leads, and notes the removal for
    /// the round that clears limits.
    async fn remove_trash_entry(&self, served: &Served, name: String) {
        if self.require_serving().is_err() {
            return;
        }
        let started = Instant::now();
        let may_continue = with_progress_log(self.may_continue(), served.location.to_string(), name.clone());
        let removed = match served.export.trash_entry_path(&name) {
            Ok(path) => match served.export.remove_directory(&path, &may_continue).await {
                // Another provisioner removed it first.
                Err(error)
                    if !matches!(error, ExportError::Interrupted)
                        && matches!(served.export.path_exists(&path).await, Ok(false)) =>
                {
                    tracing::debug!(directory = %path, "removed by another provisioner: {error}");
                    return;
                }
                removed => removed,
            },
            Err(error) => Err(error),
        };
        let export = served.location.to_string();
        match removed {
            Ok(Removed::Done) => {
                let duration_ms = started.elapsed().as_millis();
                tracing::info!(export, volume = name, duration_ms, "removed from the trash");
                self.note_removal(served, &name);
            }
            Ok(Removed::AlreadyGone) => {}
            Err(ExportError::Interrupted) => tracing::info!(export, volume = name, "removal interrupted"),
            Err(error) => tracing::warn!(export, volume = name, "not removed from the trash: {error}"),
        }
    }
}

/// The number of directories, and the age of the oldest in seconds; `now` is in seconds since 1970. Other entries are
/// not removed, so they don't count. `first_seen`, which the caller keeps between lists, has the change time of each
/// directory as it was first listed, because a removal in progress changes it.
fn summarize_trash(entries: &[Entry], first_seen: &mut HashMap<String, i64>, now: i64) -> Trash {
    let directories = entries.iter().filter(|entry| entry.kind == Kind::Directory);
    let listed = directories.map(|entry| {
        let first = first_seen.get(&entry.name).copied();
        (entry.name.clone(), first.unwrap_or(entry.changed))
    });
    *first_seen = listed.collect();
    let oldest = first_seen.values().min().map_or(0, |first| now.saturating_sub(*first));
    Trash {
        entries: first_seen.len(),
        oldest_seconds: u64::try_from(oldest).unwrap_or_default(),
    }
}

/// Wraps `may_continue` so that it logs the progress once a minute. A step is an entry, or over SSH 200 ms.
fn with_progress_log(may_continue: MayContinue, export: String, volume: String) -> MayContinue {
    let started = Instant::now();
    let (steps, logged) = (AtomicU64::new(0), AtomicU64::new(0));
    Arc::new(move || {
        let steps = steps.fetch_add(1, Ordering::Relaxed);
        let reports = started.elapsed().as_secs() / PROGRESS.as_secs();
        if logged.fetch_max(reports, Ordering::Relaxed) < reports {
            tracing::info!(export, volume, steps, "removing from the trash");
        }
        may_continue()
    })
}

#[cfg(test)]
#[path = "trash_tests.rs"]
mod tests;
