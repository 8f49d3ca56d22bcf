//! What users see under `kubectl describe`: events on claims and volumes.
//!
//! Events are told to a queue and published by a task of its own, so that they
//! never hold back a volume. Losing one loses no volume.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::cluster;

/// How many events may wait; beyond it new ones are dropped.
const QUEUE: usize = 20_000;

/// The recorder remembers what it published to count repetitions; it is replaced this often so
/// that a burst of claims doesn't stay in memory.
const REMEMBERED: usize = 512;

/// How long one event may wait for volumes in the making, at most.
const YIELD: Duration = Duration::from_millis(100);

/// How long what is queued may take at the end.
const FLUSH: Duration = Duration::from_secs(10);

struct Entry {
    event: Event,
    about: ObjectReference,
}

/// The queue's end that the provisioner writes to.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<Entry>,
    busy: Arc<AtomicUsize>,
}

/// The publishing task.
pub struct Publisher(JoinHandle<()>);

/// Counts as a volume in the making while it lives; events wait for those.
pub struct Making(Arc<AtomicUsize>);

impl Drop for Making {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Events {
    /// Starts publishing as `provisioner`.
    pub fn start(client: Client, provisioner: &str) -> (Self, Publisher) {
        let (queue, entries) = mpsc::channel(QUEUE);
        let busy = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(publish(client, provisioner.to_owned(), entries, busy.clone()));
        (Self { queue, busy }, Publisher(task))
    }

    /// Marks a volume in the making.
    pub fn making(&self) -> Making {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Making(self.busy.clone())
    }

    /// Tells something that went as it should.
    pub fn normal<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &str, note: String) {
        self.tell(about, EventType::Normal, reason, note);
    }

    /// Tells something that somebody may have to look at.
    pub fn warning<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &str, note: String) {
        self.tell(about, EventType::Warning, reason, note);
    }

    fn tell<K: Resource<DynamicType = ()>>(&self, about: &K, type_: EventType, reason: &str, note: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            // The API server refuses notes of more than 1 kB.
            note: Some(note.chars().take(900).collect()),
            action: reason.to_owned(),
            secondary: None,
        };
        let about = about.object_ref(&());
        if self.queue.try_send(Entry { event, about }).is_err() {
            tracing::debug!(reason, "event dropped: too many are waiting");
        }
    }
}

impl Publisher {
    /// Waits, for a while, until what is queued is published; every [`Events`] must be dropped before.
    pub async fn finish(self) {
        if timeout(FLUSH, self.0).await.is_err() {
            tracing::debug!("events left unpublished");
        }
    }
}

async fn publish(client: Client, provisioner: String, mut entries: mpsc::Receiver<Entry>, busy: Arc<AtomicUsize>) {
    let reporter = Reporter {
        instance: std::env::var("HOSTNAME").ok(),
        controller: provisioner,
    };
    let mut recorder = Recorder::new(client.clone(), reporter.clone());
    let mut published = 0;
    while let Some(Entry { event, mut about }) = entries.recv().await {
        // Volumes come first: one event a tenth of a second while any are in the making.
        let latest = Instant::now() + YIELD;
        while busy.load(Ordering::Relaxed) > 0 && !entries.is_closed() {
            if timeout_at(latest, tokio::time::sleep(Duration::from_millis(5)))
                .await
                .is_err()
            {
                break;
            }
        }
        // An event lives in a namespace, and the API server wants the object's and the event's to agree.
        about.namespace.get_or_insert_with(|| "default".to_owned());
        if let Err(error) = recorder.publish(&event, &about).await {
            tracing::debug!(
                reason = event.reason,
                "event not published: {}",
                cluster::sentence(&error)
            );
        }
        published += 1;
        if published % REMEMBERED == 0 {
            recorder = Recorder::new(client.clone(), reporter.clone());
        }
    }
}
