//! Events on claims and volumes, as `kubectl describe` shows them.
//!
//! [`Events`] puts them into queues that tasks of their own publish, so that an event never delays a volume. Normal
//! events of a burst of claims come after it. Losing an event loses nothing else.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::served::Served;
use crate::cluster;

/// The length of each queue; events beyond it are dropped.
const QUEUE_LENGTH: usize = 20_000;

/// The timeout of publishing one event.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a Normal event waits for the end of a burst of claims, at most: each event is a write that competes with
/// the binding of claims.
const NORMAL_DELAY: Duration = Duration::from_millis(500);

/// How long publishing the rest may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// The age from which a Normal event waits no longer. Otherwise a steady load, which is no burst, would delay each
/// event more than the one before.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

struct QueuedEvent {
    event: Event,
    object: ObjectReference,
    queued: Instant,
}

/// Publishes events, except in a dry run, in which nothing receives them.
#[derive(Clone)]
pub struct Events {
    normal: mpsc::Sender<QueuedEvent>,
    warnings: mpsc::Sender<QueuedEvent>,
}

/// The tasks that publish Normal events and warnings.
pub struct PublisherTasks([JoinHandle<()>; 2]);

impl Events {
    /// Starts publishing as `provisioner`. Each Normal event waits until no claim or volume is in flight on `exports`,
    /// at most `NORMAL_DELAY`. [`PublisherTasks::flush`] publishes the rest at the end.
    pub fn start_publishing(client: Client, provisioner: &str, exports: Vec<Served>) -> (Self, PublisherTasks) {
        let (normal, normal_queue) = mpsc::channel(QUEUE_LENGTH);
        let (warnings, warning_queue) = mpsc::channel(QUEUE_LENGTH);
        let publisher = EventPublisher {
            client,
            reporter: Reporter {
                controller: provisioner.to_owned(),
                instance: std::env::var("HOSTNAME").ok(),
            },
        };
        let tasks = [
            tokio::spawn(publisher.clone().publish_all(normal_queue, exports)),
            tokio::spawn(publisher.publish_all(warning_queue, Vec::new())),
        ];
        (Self { normal, warnings }, PublisherTasks(tasks))
    }

    /// Drops all events.
    pub fn without_publishing() -> Self {
        let (nowhere, _) = mpsc::channel(1);
        Self {
            normal: nowhere.clone(),
            warnings: nowhere,
        }
    }

    /// Queues an event about something that succeeded; drops it if the queue is full, or in a dry run.
    pub fn publish_normal<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, note: String) {
        enqueue(&self.normal, EventType::Normal, object.object_ref(&()), reason, note);
    }

    /// Queues an event about something that may need attention; drops it if the queue is full, or in a dry run.
    pub fn publish_warning<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, note: String) {
        self.publish_warning_about(object.object_ref(&()), reason, note);
    }

    /// As [`Events::publish_warning`], about an object that the caller doesn't have.
    pub fn publish_warning_about(&self, object: ObjectReference, reason: &str, note: String) {
        enqueue(&self.warnings, EventType::Warning, object, reason, note);
    }
}

/// The most bytes that the API server takes in an event's note.
const MAX_NOTE: usize = 1024;

/// Puts an event into the queue, its note cut to [`MAX_NOTE`]. If the queue is full, the event is dropped.
fn enqueue(queue: &mpsc::Sender<QueuedEvent>, type_: EventType, object: ObjectReference, reason: &str, note: String) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note[..note.floor_char_boundary(MAX_NOTE)].to_owned()),
        action: reason.to_owned(),
        secondary: None,
    };
    let queued = Instant::now();
    if let Err(TrySendError::Full(_)) = queue.try_send(QueuedEvent { event, object, queued }) {
        tracing::debug!(reason, "event dropped: the queue is full");
    }
}

impl PublisherTasks {
    /// Waits, at most `FLUSH_TIMEOUT`, until all queued events are published. All [`Events`] must be dropped before:
    /// each keeps its queue open.
    pub async fn flush(self) {
        if timeout(FLUSH_TIMEOUT, join_all(self.0)).await.is_err() {
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
    /// Publishes one event at a time until the queue is closed and empty. Before each it waits until nothing is in
    /// flight on `exports`, at most [`NORMAL_DELAY`]; not if the event is [`LONGEST_DELAY`] old or the queue closed.
    async fn publish_all(self, mut queue: mpsc::Receiver<QueuedEvent>, exports: Vec<Served>) {
        while let Some(event) = queue.recv().await {
            if !queue.is_closed() && event.queued.elapsed() < LONGEST_DELAY {
                _ = timeout(NORMAL_DELAY, join_all(exports.iter().map(Served::wait_until_idle))).await;
            }
            self.publish_event(event).await;
        }
    }

    /// Sends an event to the API server; a failure is only logged.
    async fn publish_event(&self, QueuedEvent { event, mut object, .. }: QueuedEvent) {
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
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tokio::time::sleep;

    use super::*;
    use crate::export::{Export, Mounted};
    use crate::provisioner::mock::{answer, location, mock, next, waiting_claim};
    use crate::provisioner::served::Exports;

    /// The reasons of events, and after how many times [`NORMAL_DELAY`] the API server got them.
    type Published = Arc<Mutex<Vec<(String, u128)>>>;

    /// A provisioner's events, the export that they wait for, and what the API server gets.
    fn published_events() -> (Events, PublisherTasks, Served, Published) {
        let (client, mut server) = mock();
        let published = Published::default();
        let (log, begun) = (published.clone(), Instant::now());
        tokio::spawn(async move {
            loop {
                let (_, request, to) = next(&mut server).await;
                let body = request.into_body().collect_bytes().await.unwrap();
                let event: Value = serde_json::from_slice(&body).unwrap();
                let reason = event["reason"].as_str().unwrap_or_default().to_owned();
                let delays = begun.elapsed().as_millis() / NORMAL_DELAY.as_millis();
                log.lock().unwrap().push((reason, delays));
                answer(to, 201, &event);
            }
        });
        let export = Export::Mounted(Mounted::new(location(), Path::new("/")));
        let exports = Exports::new((location(), export), Vec::new(), 2);
        let served = exports.iter().next().unwrap().clone();
        let (events, tasks) = Events::start_publishing(client, "nfsprov/nfs", vec![served.clone()]);
        (events, tasks, served, published)
    }

    /// Otherwise they would slow down the binding of the claims of a burst.
    #[tokio::test(start_paused = true)]
    async fn normal_events_wait_for_the_end_of_a_burst_and_delay_no_warning() {
        let (events, tasks, served, published) = published_events();
        let publish = |number| events.publish_normal(&waiting_claim(), &format!("Normal{number}"), String::new());
        publish(0);
        sleep(NORMAL_DELAY / 2).await;
        let claim = served.acquire_claim_permit(false).await;
        (1..=4).for_each(publish);
        events.publish_warning(&waiting_claim(), "Warning", String::new());
        sleep(NORMAL_DELAY * 5 / 2).await;
        // The end of the burst; the claim began long enough ago.
        drop(claim);
        sleep(NORMAL_DELAY).await;
        // The end of the process waits for no burst.
        let _claim = served.acquire_claim_permit(false).await;
        publish(5);
        publish(6);
        drop(events);
        tasks.flush().await;
        let published = published.lock().unwrap();
        let published: Vec<(&str, u128)> = published.iter().map(|(reason, at)| (reason.as_str(), *at)).collect();
        let expected = [
            ("Normal0", 0),
            ("Warning", 0),
            ("Normal1", 1),
            ("Normal2", 2),
            ("Normal3", 3),
            ("Normal4", 3),
            ("Normal5", 4),
            ("Normal6", 4),
        ];
        assert_eq!(published, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_load_without_end_delays_no_event_for_ever() {
        let (events, tasks, served, published) = published_events();
        let _claim = served.acquire_claim_permit(false).await;
        let slots = LONGEST_DELAY.as_millis() / NORMAL_DELAY.as_millis();
        for number in 0..3 * slots {
            events.publish_normal(&waiting_claim(), &number.to_string(), String::new());
        }
        sleep(LONGEST_DELAY + 2 * NORMAL_DELAY).await;
        assert_eq!(published.lock().unwrap().len() as u128, 3 * slots);
        drop(events);
        tasks.flush().await;
    }
}
