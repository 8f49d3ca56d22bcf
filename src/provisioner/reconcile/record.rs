//! Keeping the records of volumes on their exports, off the path of claims.
//!
//! The watches only note which records may be out of date. A task an export waits until no claim or volume is in
//! flight, at most [`FIRST_DELAY`]. Then it reads those volumes once more and writes several records at a time. In
//! memory are hashes of what the export holds.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::{sleep, timeout};

use super::Reconciler;
use crate::cluster;
use crate::export::ExportError;
use crate::provisioner::outcome::ReconcileError;
use crate::provisioner::rules::record::{Record, Texts, claim_text, is_recorded, volume_text};
use crate::provisioner::served::Served;
use crate::provisioner::volume::{claim_of, locate_directory, phase_of};

/// How many records are written at a time.
const BATCH: usize = 64;

/// How many volumes are read from the API server at once.
const REQUESTS: usize = 8;

/// How many records are read at a time.
const READ: usize = 512;

/// How long claims and deletions in flight hold records back, at most: before the first batch and before each further
/// one. Each record costs two requests and a write to the export, which a burst would wait for.
const FIRST_DELAY: Duration = Duration::from_secs(30);
const NEXT_DELAY: Duration = Duration::from_secs(5);

/// How long after a failed attempt the next one begins, at first and at last.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_secs(300);

/// The records of each export, in the order of the exports.
pub(super) struct Records(Vec<Queue>);

/// What is known of the records of one export, and which are to be written.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    due: Notify,
}

#[derive(Default)]
struct State {
    /// PVs whose records may be out of date.
    volumes: HashSet<String>,
    /// Whether every PV is to be compared with its record.
    is_check_due: bool,
    /// What the export holds, by the hash of the PV's name; none until it is read.
    known: Option<HashMap<u64, Hashes>>,
}

/// The hashes of a record's documents, as they are on the export or are being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hashes {
    volume: u64,
    claim: u64,
}

impl Hashes {
    fn of(texts: &Texts) -> Self {
        Self {
            volume: hash(&texts.volume),
            claim: hash(&texts.claim),
        }
    }
}

/// A record that is to be written. The lock keeps a deletion from removing the record before it is written.
struct Due {
    volume: String,
    text: String,
    _lock: OwnedMutexGuard<()>,
}

/// Why a record is written later.
enum Postponed {
    /// The volume is being provisioned or deleted.
    Locked,
    Failed(ReconcileError),
}

impl<E: Into<ReconcileError>> From<E> for Postponed {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Postponed {
    /// Whether the next records may be written nonetheless.
    fn concerns_one_volume(&self) -> bool {
        match self {
            Self::Locked => true,
            Self::Failed(ReconcileError::Export(error)) => matches!(error, ExportError::Failed { .. }),
            Self::Failed(error) => matches!(error, ReconcileError::Api { .. }),
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Records {
    pub(super) fn new(exports: usize) -> Self {
        Self((0..exports).map(|_| Queue::default()).collect())
    }
}

impl Queue {
    /// Locks the state.
    fn state(&self) -> MutexGuard<'_, State> {
        // A set of names is good whatever happened to a thread that held it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a PV's record; one that is queued already stays queued once.
    fn add(&self, volume: String) {
        self.state().volumes.insert(volume);
        self.due.notify_one();
    }

    /// Has the records of all PVs compared with what they should be, soon: the export's task wakes up for it.
    fn request_check(&self) {
        self.state().is_check_due = true;
        self.due.notify_one();
    }

    /// Returns once a record is due, or a check of all of them.
    async fn wait_until_due(&self) {
        loop {
            {
                let state = self.state();
                if state.is_check_due || !state.volumes.is_empty() {
                    return;
                }
            }
            self.due.notified().await;
        }
    }

    /// The hashes of a PV's record on the export, or of the one being written; `None` if it has none or none was read
    /// yet.
    fn known(&self, volume: &str) -> Option<Hashes> {
        self.state().known.as_ref()?.get(&hash(volume)).copied()
    }

    /// Notes these hashes as those of the PV's record on the export; no effect before its records were read.
    fn remember(&self, volume: &str, hashes: Hashes) {
        if let Some(known) = &mut self.state().known {
            known.insert(hash(volume), hashes);
        }
    }

    /// Forgets the hashes of a PV's record, which then counts as out of date.
    fn forget(&self, volume: &str) {
        if let Some(known) = &mut self.state().known {
            known.remove(&hash(volume));
        }
    }

    /// Removes up to `limit` volumes from the queue, and returns them; empty if none is queued. The caller queues again
    /// what it doesn't write.
    fn take_volumes(&self, limit: usize) -> Vec<String> {
        let mut state = self.state();
        let taken: Vec<String> = state.volumes.iter().take(limit).cloned().collect();
        for volume in &taken {
            state.volumes.remove(volume);
        }
        taken
    }
}

impl Reconciler {
    /// Queues the record of a PV that was stored, if this provisioner keeps one and it is out of date or was not read
    /// from the export yet.
    pub(in crate::provisioner) fn queue_record_of_volume(&self, volume: &PersistentVolume) {
        let Some(queue) = self.queue_of(volume) else {
            return;
        };
        let Ok(text) = volume_text(volume) else {
            return;
        };
        let name = volume.name_any();
        // Its claim was deleted.
        let is_released = phase_of(volume) == "Released";
        let is_outdated = |stored: Hashes| stored.volume != hash(&text) || (is_released && stored.claim != hash(""));
        if queue.known(&name).is_none_or(is_outdated) {
            queue.add(name);
        }
    }

    /// Queues the record of the PV of a Bound claim that was stored or deleted, if the export is known to have one that
    /// differs. Whether the claim still exists is read later.
    pub(in crate::provisioner) fn queue_record_of_claim(&self, claim: &PersistentVolumeClaim) {
        let Some(volume) = bound_volume(claim) else {
            return;
        };
        for queue in &self.records.0 {
            if let Some(stored) = queue.known(volume)
                && stored.claim != hash(&claim_text(claim))
            {
                queue.add(volume.to_owned());
            }
        }
    }

    /// Requests that all PVs be compared with their records: when they are listed, some may have changed unseen.
    pub(in crate::provisioner) fn request_record_checks(&self) {
        self.records.0.iter().for_each(Queue::request_check);
    }

    /// Writes the record of a PV whose claim is deleted and whose directory stays, over an older one. A failure is
    /// logged only: it keeps no PV from being deleted. No effect if the provisioner doesn't lead.
    pub(super) async fn record_without_claim(&self, volume: &PersistentVolume, served: &Served) {
        let Ok(record) = Record::of(volume, None, &served.location) else {
            return;
        };
        if self.require_leadership().is_err() {
            return;
        }
        let records = [(record.name().to_owned(), record.text())];
        if let Some((volume, error)) = served.export.write_records(&records).await.pop() {
            tracing::warn!(volume, "record not written: {error}");
        }
    }

    /// The queue of the export that a PV is on, the first that fits; `None` if this provisioner keeps no record of the
    /// PV, or serves no such export.
    fn queue_of(&self, volume: &PersistentVolume) -> Option<&Queue> {
        if !is_recorded(volume, &self.settings.name, self.settings.namespace.as_deref()) {
            return None;
        }
        let served = self.exports.locations();
        let (location, _) = locate_directory(volume.spec.as_ref()?.nfs.as_ref()?, served).ok()?;
        self.records
            .0
            .get(served.iter().position(|export| *export == location)?)
    }

    /// Writes the records of every export when they are out of date, until it is dropped; none in a dry run.
    pub(in crate::provisioner) async fn write_due_records(&self) -> Infallible {
        if self.settings.dry_run {
            return std::future::pending().await;
        }
        let each = self.exports.iter().zip(&self.records.0);
        let each = each.map(|(served, queue)| self.write_due_records_on(served, queue));
        join_all(each).await;
        std::future::pending().await
    }

    /// Writes the records of one export when they are due, once no claim or volume is in flight or [`FIRST_DELAY`] has
    /// passed; retries those that fail after 2 s to 5 minutes. Reads all records of the export first.
    async fn write_due_records_on(&self, served: &Served, queue: &Queue) -> Infallible {
        let mut retry = FIRST_RETRY;
        // Another replica may have written since this one led, and a write of this one may have been cut off.
        queue.state().known = None;
        loop {
            queue.wait_until_due().await;
            _ = timeout(FIRST_DELAY, served.wait_until_idle()).await;
            match self.update_records(served, queue).await {
                Ok(()) => retry = FIRST_RETRY,
                // Another replica writes them, until this one leads again.
                Err(Postponed::Locked | Postponed::Failed(ReconcileError::NotLeading | ReconcileError::Stopping)) => {
                    sleep(FIRST_RETRY).await;
                }
                Err(Postponed::Failed(error)) => {
                    let export = served.location.to_string();
                    tracing::warn!(export, "records of volumes not written: {error}; next try in {retry:?}");
                    sleep(retry).await;
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
    }

    /// Writes the records that are out of date. Those that fail stay due, and so does a check that fails. A failure
    /// that is not of one volume alone ends it. Returns the first failure, `Locked` only if there is no other.
    async fn update_records(&self, served: &Served, queue: &Queue) -> Result<(), Postponed> {
        self.require_serving()?;
        if queue.state().known.is_none() {
            let known = read_known(served).await?;
            queue.state().known = Some(known);
        }
        if std::mem::take(&mut queue.state().is_check_due) {
            let outdated = self.outdated_volumes(queue).await;
            if outdated.is_err() {
                queue.request_check();
            }
            queue.state().volumes.extend(outdated?);
        }
        let mut failure = None;
        let mut failed = Vec::new();
        loop {
            let batch = queue.take_volumes(BATCH);
            if batch.is_empty() {
                break;
            }
            let mut continues = true;
            for (volume, postponed) in self.write_batch(served, queue, batch).await {
                continues &= postponed.concerns_one_volume();
                failed.push(volume);
                if !matches!(failure, Some(Postponed::Failed(_))) {
                    failure = Some(postponed);
                }
            }
            if !continues {
                break;
            }
            _ = timeout(NEXT_DELAY, served.wait_until_idle()).await;
        }
        queue.state().volumes.extend(failed);
        failure.map_or(Ok(()), Err)
    }

    /// Writes the records of some volumes, as far as they are out of date; returns those that failed, with the reason.
    /// Without leadership, writes none.
    async fn write_batch(&self, served: &Served, queue: &Queue, volumes: Vec<String>) -> Vec<(String, Postponed)> {
        let reads = stream::iter(volumes).map(|volume| async move {
            let due = self.due_record(served, queue, &volume).await;
            (volume, due)
        });
        let read: Vec<_> = reads.buffer_unordered(REQUESTS).collect().await;
        let (mut due, mut failed) = (Vec::new(), Vec::new());
        for (volume, record) in read {
            match record {
                Ok(record) => due.extend(record),
                Err(error) => failed.push((volume, error)),
            }
        }
        if self.require_leadership().is_err() {
            for due in due {
                queue.forget(&due.volume);
                failed.push((due.volume, ReconcileError::NotLeading.into()));
            }
            return failed;
        }
        let records: Vec<(String, String)> = due.iter().map(|due| (due.volume.clone(), due.text.clone())).collect();
        for (volume, error) in served.export.write_records(&records).await {
            queue.forget(&volume);
            failed.push((volume, error.into()));
        }
        failed
    }

    /// The record of a PV as it is stored now, with the volume's lock; `None` if the PV needs none or the export has
    /// it; `Locked`, without waiting, if another holds the lock. Its hashes count as written from here on: the caller
    /// forgets them if the record is not written.
    async fn due_record(&self, served: &Served, queue: &Queue, name: &str) -> Result<Option<Due>, Postponed> {
        // A deletion may hold the lock for long, and others wait for the locks of this batch.
        let lock = served.try_lock_volume(name).ok_or(Postponed::Locked)?;
        let volume = self.find_volume(name).await?;
        let Some(volume) = volume.filter(|volume| self.queue_of(volume).is_some()) else {
            return Ok(None);
        };
        // Uids are compared later.
        let named = claim_of(&volume).and_then(|claim| Some((claim.namespace.as_ref()?, claim.name.as_ref()?)));
        let claim = match named {
            Some((namespace, name)) => self.find_claim(namespace, name).await?,
            None => None,
        };
        let record = match Record::of(&volume, claim.as_ref(), &served.location) {
            Ok(record) => record,
            Err(why) => {
                tracing::debug!(volume = name, "no record: {why}");
                return Ok(None);
            }
        };
        let text = record.text();
        let hashes = Hashes::of(&Texts::split(&text));
        if queue.known(name) == Some(hashes) {
            return Ok(None);
        }
        // Before it is written: what changes meanwhile differs from it.
        queue.remember(name, hashes);
        Ok(Some(Due {
            volume: name.to_owned(),
            text,
            _lock: lock,
        }))
    }

    /// Lists claims and PVs, and returns the PVs on the queue's export whose records are not what the export holds.
    async fn outdated_volumes(&self, queue: &Queue) -> Result<Vec<String>, ReconcileError> {
        let api_error = |action: &str| {
            let action = action.to_owned();
            move |source| ReconcileError::Api { action, source }
        };
        let add = |hashes: &mut HashMap<u64, u64>, claim| {
            if let Some(volume) = bound_volume(&claim) {
                hashes.insert(hash(volume), hash(&claim_text(&claim)));
            }
        };
        let claim_hashes = cluster::list_folded(&self.served_claims(), ListParams::default(), HashMap::new(), add)
            .await
            .map_err(api_error("list claims"))?;
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let outdated = |volume: PersistentVolume| {
            let own = self.queue_of(&volume)?;
            if !std::ptr::eq(own, queue) {
                return None;
            }
            let name = volume.name_any();
            let hashes = Hashes {
                volume: hash(&volume_text(&volume).ok()?),
                // Without a claim the record has none.
                claim: claim_hashes.get(&hash(&name)).copied().unwrap_or_else(|| hash("")),
            };
            (queue.known(&name) != Some(hashes)).then_some(name)
        };
        let add = |names: &mut Vec<String>, volume| names.extend(outdated(volume));
        cluster::list_folded(&volumes, ListParams::default(), Vec::new(), add)
            .await
            .map_err(api_error("list PVs"))
    }
}

/// Reads the hashes of all records of an export, by the hash of the PV's name; a record that can't be read is left out.
/// Removes abandoned temporary files.
async fn read_known(served: &Served) -> Result<HashMap<u64, Hashes>, ExportError> {
    let names = served.export.record_names(Timestamp::now().as_second()).await?;
    served.export.remove_abandoned_files(&names).await;
    let mut known = HashMap::with_capacity(names.volumes.len());
    for names in names.volumes.chunks(READ) {
        for found in served.export.read_records(names).await? {
            // Whatever is at a record's place otherwise is written over.
            if let (Some(volume), Ok(content)) = (found.volume, found.content)
                && let Ok(text) = std::str::from_utf8(&content)
            {
                known.insert(hash(&volume), Hashes::of(&Texts::split(text)));
            }
        }
    }
    Ok(known)
}

/// The name of a claim's PV; `None` unless the claim is Bound.
fn bound_volume(claim: &PersistentVolumeClaim) -> Option<&str> {
    let phase = claim.status.as_ref()?.phase.as_deref()?;
    let volume = claim.spec.as_ref()?.volume_name.as_deref()?;
    (phase == "Bound").then_some(volume)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
