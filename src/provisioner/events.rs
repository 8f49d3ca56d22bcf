//! Events on claims and volumes, as `kubectl describe` shows them.
//!
//! [`Events`] puts them into queues that tasks of their own publish, so that an event never delays a volume. Losing an
//! event loses nothing else.

use std::time::Duration;

use futures::future::join;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::cluster;

/// The length of each queue; events beyond it are dropped.
const QUEUE_LENGTH: usize = 20_000;

/// The timeout of publishing one event.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after each Normal event. Each event is a write that competes with the binding of claims; at 20 a second
/// they take a few percent of the API server.
const NORMAL_PAUSE: Duration = Duration::from_millis(50);

/// How long publishing the rest may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

struct QueuedEvent {
    event: Event,
    object: ObjectReference,
}

/// Publishes events, except in a dry run.
#[derive(Clone)]
pub struct Events {
    queues: Option<Queues>,
}

#[derive(Clone)]
struct Queues {
    normal: mpsc::Sender<QueuedEvent>,
    warnings: mpsc::Sender<QueuedEvent>,
}

/// The tasks that publish Normal events and warnings.
pub struct PublisherTasks {
    normal: JoinHandle<()>,
    warnings: JoinHandle<()>,
}

impl Events {
    /// Starts publishing as `provisioner`.
    pub fn start_publishing(client: Client, provisioner: &str) -> (Self, PublisherTasks) {
        let (normal, normal_queue) = mpsc::channel(QUEUE_LENGTH);
        let (warnings, warning_queue) = mpsc::channel(QUEUE_LENGTH);
        let publisher = EventPublisher {
            client,
            reporter: Reporter {
                controller: provisioner.to_owned(),
                instance: std::env::var("HOSTNAME").ok(),
            },
        };
        let tasks = PublisherTasks {
            normal: tokio::spawn(publisher.clone().publish_all(normal_queue, NORMAL_PAUSE)),
            warnings: tokio::spawn(publisher.publish_all(warning_queue, Duration::ZERO)),
        };
        let queues = Some(Queues { normal, warnings });
        (Self { queues }, tasks)
    }

    /// Drops all events.
    pub fn without_publishing() -> Self {
        Self { queues: None }
    }

    /// Queues an event about something that succeeded; drops it if the queue is full.
    pub fn publish_normal<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, note: String) {
        if let Some(queues) = &self.queues {
            enqueue(&queues.normal, EventType::Normal, object, reason, note);
        }
    }

    /// Queues an event about something that may need attention; drops it if the queue is full.
    pub fn publish_warning<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, note: String) {
        if let Some(queues) = &self.queues {
            enqueue(&queues.warnings, EventType::Warning, object, reason, note);
        }
    }
}

fn enqueue<K: Resource<DynamicType = ()>>(
    queue: &mpsc::Sender<QueuedEvent>,
    type_: EventType,
    object: &K,
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
    let object = object.object_ref(&());
    if queue.try_send(QueuedEvent { event, object }).is_err() {
        tracing::debug!(reason, "event dropped: the queue is full");
    }
}

impl PublisherTasks {
    /// Waits, with a timeout, until all queued events are published. All [`Events`] must be dropped before: each keeps
    /// its queue open.
    pub async fn flush(self) {
        if timeout(FLUSH_TIMEOUT, join(self.normal, self.warnings)).await.is_err() {
            tracing::debug!("events left unpublished");
        }
    }
}

#[derive(Clone)]
struct EventPublisher {
    client: Client,
    reporter: Reporter,
}

impl EventPublisher {
    /// Publishes one event at a time, with a `pause` after each, until the queue is closed and empty. A closed queue is
    /// emptied without pauses.
    async fn publish_all(self, mut queue: mpsc::Receiver<QueuedEvent>, pause: Duration) {
        while let Some(event) = queue.recv().await {
            self.publish_event(event).await;
            if !queue.is_closed() {
                sleep(pause).await;
            }
        }
    }

    async fn publish_event(&self, QueuedEvent { event, mut object }: QueuedEvent) {
        // Events are namespaced, and the API server wants the namespaces of object and event to be equal.
        object.namespace.get_or_insert_with(|| "default".to_owned());
        // A new recorder each time: it would count a second failure as a repetition of the first, with its text.
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        let why = match timeout(PUBLISH_TIMEOUT, recorder.publish(&event, &object)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => cluster::describe_error(&error),
            Err(_) => "no answer".to_owned(),
        };
        tracing::debug!(reason = event.reason, "event not published: {why}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tokio::time::Instant;

    use super::*;
    use crate::provisioner::mock::{answer, mock, next, waiting_claim};

    /// Otherwise they would slow down the binding of the claims of a burst.
    #[tokio::test(start_paused = true)]
    async fn normal_events_are_published_slowly_and_delay_no_warning() {
        let (client, mut server) = mock();
        let published: Arc<Mutex<Vec<(String, Duration)>>> = Arc::default();
        let (log, begun) = (published.clone(), Instant::now());
        tokio::spawn(async move {
            loop {
                let (_, request, to) = next(&mut server).await;
                let body = request.into_body().collect_bytes().await.unwrap();
                let event: Value = serde_json::from_slice(&body).unwrap();
                let reason = event["reason"].as_str().unwrap_or_default().to_owned();
                log.lock().unwrap().push((reason, begun.elapsed()));
                answer(to, 201, &event);
            }
        });
        let (events, tasks) = Events::start_publishing(client, "nfsprov/nfs");
        for number in 0..3 {
            events.publish_normal(&waiting_claim(), &format!("Normal{number}"), String::new());
        }
        sleep(NORMAL_PAUSE / 2).await;
        events.publish_warning(&waiting_claim(), "Warning", String::new());
        sleep(NORMAL_PAUSE).await;
        // The end waits for no pauses.
        for number in 3..6 {
            events.publish_normal(&waiting_claim(), &format!("Normal{number}"), String::new());
        }
        drop(events);
        tasks.flush().await;
        let published = published.lock().unwrap();
        let pauses: Vec<(&str, u128)> = published
            .iter()
            .map(|(reason, at)| (reason.as_str(), at.as_millis() / (NORMAL_PAUSE.as_millis() / 2)))
            .collect();
        let expected = [
            ("Normal0", 0),
            ("Warning", 1),
            ("Normal1", 2),
            ("Normal2", 4),
            ("Normal3", 4),
            ("Normal4", 4),
            ("Normal5", 4),
        ];
        assert_eq!(pauses, expected);
    }
}
