//! What users see under `kubectl describe`: events on claims and volumes.
//!
//! Events are told to a queue and published by a task of its own, so that they
//! never hold back a volume. Warnings go out at once; that all went well can
//! wait until a burst of claims is over. Losing an event loses no volume.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::burst::{Burst, Waiter};
use crate::cluster;

/// How many events of a kind may wait; beyond it new ones are dropped.
const QUEUE: usize = 20_000;

/// How long publishing one event may take.
const PUBLISH: Duration = Duration::from_secs(10);

/// How long an event waits for the end of a burst, at most.
const YIELD: Duration = Duration::from_secs(1);

/// How long what is queued may take at the end.
const FLUSH: Duration = Duration::from_secs(10);

struct Entry {
    event: Event,
    about: ObjectReference,
}

/// Where the provisioner tells what happens.
#[derive(Clone)]
pub struct Events {
    /// None in a dry run, which writes nothing.
    queues: Option<Queues>,
    burst: Burst,
}

#[derive(Clone)]
struct Queues {
    normal: mpsc::Sender<Entry>,
    warnings: mpsc::Sender<Entry>,
}

/// The publishing task.
pub struct Publisher(JoinHandle<()>);

impl Events {
    /// Starts publishing as `provisioner`.
    pub fn start_publishing(client: Client, provisioner: &str) -> (Self, Publisher) {
        let (normal, normal_entries) = mpsc::channel(QUEUE);
        let (warnings, warning_entries) = mpsc::channel(QUEUE);
        let burst = Burst::default();
        let reporter = Reporter {
            controller: provisioner.to_owned(),
            instance: std::env::var("HOSTNAME").ok(),
        };
        let press = EventPublisher { client, reporter };
        let task = tokio::spawn(press.publish_all(normal_entries, warning_entries, burst.waiter()));
        let queues = Some(Queues { normal, warnings });
        (Self { queues, burst }, Publisher(task))
    }

    /// Tells nobody.
    pub fn without_publishing() -> Self {
        Self {
            queues: None,
            burst: Burst::default(),
        }
    }

    /// The claims that hold events back.
    pub fn burst(&self) -> &Burst {
        &self.burst
    }

    /// Tells something that went as it should.
    pub fn publish_normal<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &str, note: String) {
        if let Some(queues) = &self.queues {
            enqueue(&queues.normal, EventType::Normal, about, reason, note);
        }
    }

    /// Tells something that somebody may have to look at.
    pub fn publish_warning<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &str, note: String) {
        if let Some(queues) = &self.queues {
            enqueue(&queues.warnings, EventType::Warning, about, reason, note);
        }
    }
}

fn enqueue<K: Resource<DynamicType = ()>>(
    queue: &mpsc::Sender<Entry>,
    type_: EventType,
    about: &K,
    reason: &str,
    note: String,
) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        // The API server refuses notes of more than 1 kB.
        note: Some(note.chars().take(900).collect()),
        action: reason.to_owned(),
        secondary: None,
    };
    let about = about.object_ref(&());
    if queue.try_send(Entry { event, about }).is_err() {
        tracing::debug!(reason, "event dropped: too many are waiting");
    }
}

impl Publisher {
    /// Waits, for a while, until what is queued is published; every [`Events`] must be dropped before.
    pub async fn flush(self) {
        if timeout(FLUSH, self.0).await.is_err() {
            tracing::debug!("events left unpublished");
        }
    }
}

/// The publishing side.
struct EventPublisher {
    client: Client,
    reporter: Reporter,
}

impl EventPublisher {
    /// Publishes one event at a time until both queues are closed and empty.
    async fn publish_all(
        self,
        mut normal: mpsc::Receiver<Entry>,
        mut warnings: mpsc::Receiver<Entry>,
        mut claims: Waiter,
    ) {
        let mut pending: Option<(Entry, Instant)> = None;
        loop {
            let latest = pending.as_ref().map_or_else(Instant::now, |(_, since)| *since + YIELD);
            tokio::select! {
                biased;
                Some(warning) = warnings.recv() => self.publish_entry(warning).await,
                _ = timeout_at(latest, claims.calm()), if pending.is_some() => {
                    if let Some((entry, _)) = pending.take() {
                        self.publish_entry(entry).await;
                    }
                }
                Some(entry) = normal.recv(), if pending.is_none() => pending = Some((entry, Instant::now())),
                else => return,
            }
        }
    }

    async fn publish_entry(&self, Entry { event, mut about }: Entry) {
        // An event lives in a namespace, and the API server wants the object's and the event's to agree.
        about.namespace.get_or_insert_with(|| "default".to_owned());
        // A recorder that remembers would count a second failure as the first one again, under its old text.
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        let why = match timeout(PUBLISH, recorder.publish(&event, &about)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => cluster::sentence(&error),
            Err(_) => "no answer".to_owned(),
        };
        tracing::debug!(reason = event.reason, "event not published: {why}");
    }
}
