//! The watches of claims, volumes and classes.
//!
//! Of the objects, only claims that are pending or to be expanded, and volumes that are Released or terminating, stay
//! in memory. Of other volumes, the reconciler keeps no more than directories, limits and hashes of records.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::channel::mpsc;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector as reflect_into};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::claim;
use super::expansion::wants_expansion;
use super::reconcile::Reconciler;
use super::served::Served;
use super::volume;

/// What reconcilers of both controllers need.
pub(super) struct Context {
    pub(super) reconciler: Arc<Reconciler>,
    pub(super) classes: Store<StorageClass>,
    /// Those that are pending for this provisioner, or are to be expanded by it.
    pub(super) claims: Store<PersistentVolumeClaim>,
}

impl Context {
    /// The class that a PV names; `None` if it names none, or the class is not in the store (any more).
    pub(super) fn find_class(&self, volume: &PersistentVolume) -> Option<Arc<StorageClass>> {
        let name = volume::class_name(volume)?;
        self.classes.get(&ObjectRef::new(name))
    }
}

/// Watches the claims, of its namespace if it has one, that are pending for this provisioner or are to be expanded by
/// it; keeps them in `store`, which is `writer`'s, and cleans up after those that leave the watch. Emits each error
/// without a backoff: the controller waits.
pub(super) fn pending_claims(
    reconciler: &Arc<Reconciler>,
    store: Store<PersistentVolumeClaim>,
    writer: reflector::store::Writer<PersistentVolumeClaim>,
) -> impl Stream<Item = Result<PersistentVolumeClaim, watcher::Error>> + Send + use<> {
    let (filter, recorder) = (reconciler.clone(), reconciler.clone());
    let mut listed = HashSet::new();
    let all = watcher(reconciler.served_claims(), watcher::Config::default()).modify(drop_managed_fields);
    let pending = keep_matching(all, move |claim| {
        let name = &filter.settings.name;
        claim::is_waiting_for(claim, name) || wants_expansion(claim, name)
    })
    .inspect_ok(move |event| clean_up_after_claim_event(event, &recorder, &mut listed))
    .reflect(writer);
    emit_when_stored(pending, store)
}

/// Watches all volumes, to record their directories and limits and to queue their records. Keeps those that may have to
/// be deleted in `store`, which is `writer`'s, and emits them, and each error without a backoff. The classes must be
/// listed before.
pub(super) fn released_volumes(
    context: &Arc<Context>,
    store: Store<PersistentVolume>,
    writer: reflector::store::Writer<PersistentVolume>,
) -> impl Stream<Item = Result<PersistentVolume, watcher::Error>> + Send + use<> {
    let (context, filter, recorder) = (context.clone(), context.reconciler.clone(), context.reconciler.clone());
    let all = watcher(Api::all(filter.client.clone()), watcher::Config::default())
        .modify(drop_managed_fields)
        .inspect_ok(move |event| record_volume_event(event, &context));
    let mut listed = HashSet::new();
    let released = keep_matching(all, move |volume| {
        volume::may_need_deletion(volume, &filter.settings.name, filter.settings.namespace.as_deref())
    })
    .inspect_ok(move |event| record_released_event(event, &recorder, &mut listed))
    .reflect(writer);
    emit_when_stored(released, store)
}

/// They are half of an object, and never used.
fn drop_managed_fields<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// Records the directories and limits of all PVs of the cluster, and queues records that are out of date. At the end of
/// a list, marks the PVs as listed and requests a check of all records. A PV of this provisioner that changes delays
/// background work on every export.
fn record_volume_event(event: &Event<PersistentVolume>, context: &Context) {
    let reconciler = &context.reconciler;
    match event {
        Event::Init => {
            reconciler.forget_all_limits();
            reconciler.lock_neighbours().begin_list();
        }
        Event::InitApply(volume) | Event::Apply(volume) => {
            reconciler.record_volume(volume, context.find_class(volume).as_deref());
            reconciler.note_limit(volume);
            if matches!(event, Event::Apply(_)) {
                reconciler.queue_record_of_volume(volume);
                if volume::is_provisioned_by(volume, &reconciler.settings.name) {
                    reconciler.exports.iter().for_each(Served::note_activity);
                }
            }
        }
        Event::Delete(volume) => {
            reconciler.forget_limit(&volume.name_any());
            reconciler.lock_neighbours().forget_volume(&volume.name_any());
        }
        Event::InitDone => {
            reconciler.lock_neighbours().end_list();
            reconciler.mark_volumes_listed();
            reconciler.request_record_checks();
        }
    }
}

/// Cleans up after claims that left the watch, which has claims that are pending or to be expanded: each change of any
/// other claim arrives as a deletion, too, and a claim with a PV loses nothing. Forgets their failures and queues the
/// records of their PVs. `listed` collects the uids of a list while it is read.
fn clean_up_after_claim_event(
    event: &Event<PersistentVolumeClaim>,
    reconciler: &Arc<Reconciler>,
    listed: &mut HashSet<String>,
) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(claim) => listed.extend(claim.uid()),
        Event::InitDone => reconciler.clean_up_unlisted_claims(&std::mem::take(listed)),
        Event::Apply(_) => {}
        Event::Delete(claim) => {
            let uid = claim.metadata.uid.as_deref().unwrap_or_default();
            reconciler.lock_claim_retries().forget_object(uid);
            reconciler.clean_up_after_claim(uid);
            reconciler.queue_record_of_claim(claim);
        }
    }
}

/// Forgets the failures and the deletion of volumes that are not watched any more. `listed` collects the uids of a list
/// while it is read.
fn record_released_event(event: &Event<PersistentVolume>, reconciler: &Reconciler, listed: &mut HashSet<String>) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(volume) => listed.extend(volume.uid()),
        Event::InitDone => {
            let listed = std::mem::take(listed);
            reconciler.lock_volume_retries().keep_only(&listed);
            reconciler.lock_deleted().retain(|uid| listed.contains(uid));
        }
        Event::Apply(_) => {}
        Event::Delete(volume) => {
            let uid = volume.metadata.uid.as_deref().unwrap_or_default();
            reconciler.lock_volume_retries().forget_object(uid);
            reconciler.lock_deleted().remove(uid);
        }
    }
}

/// Stores the classes, and sends the `claims` of a class to `trigger` when it is added or changes, and all at the end
/// of a list. Retries the watch with a backoff and logs its errors; ends only with `events`.
pub(super) async fn watch_classes(
    events: impl Stream<Item = Result<Event<StorageClass>, watcher::Error>> + Send,
    writer: reflector::store::Writer<StorageClass>,
    claims: Store<PersistentVolumeClaim>,
    trigger: mpsc::UnboundedSender<ObjectRef<PersistentVolumeClaim>>,
) {
    let changes = reflect_into(writer, events).default_backoff();
    changes
        .for_each(|event| {
            let changed = |claim: &PersistentVolumeClaim| match &event {
                Ok(Event::Apply(class)) => claim::class_name(claim) == class.metadata.name.as_deref(),
                // A new list: any class may have changed.
                Ok(Event::InitDone) => true,
                _ => false,
            };
            for claim in claims.state().iter().filter(|claim| changed(claim)) {
                // Fails only when the controller has ended.
                _ = trigger.unbounded_send(ObjectRef::from_obj(&**claim));
            }
            if let Err(error) = event {
                tracing::warn!("watching classes: {}; trying again", describe_watch_error(&error));
            }
            std::future::ready(())
        })
        .await;
}

/// Emits each object once the store has it, and no deletions. `events` must have passed the store's writer. The store
/// takes a list as a whole, so its objects come at its end.
fn emit_when_stored<K>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send,
    store: Store<K>,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    events.flat_map(move |event| {
        stream::iter(match event {
            Ok(Event::Apply(object)) => vec![Ok(object)],
            Ok(Event::InitDone) => store.state().iter().map(|object| Ok((**object).clone())).collect(),
            Ok(_) => Vec::new(),
            Err(error) => vec![Err(error)],
        })
    })
}

/// Passes on the objects that `keep` accepts. A change of one that it doesn't accept, or never has, becomes a deletion;
/// in a list, such an object is left out.
fn keep_matching<K>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send,
    keep: impl Fn(&K) -> bool + Send,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    events.filter_map(move |event| {
        std::future::ready(match event {
            Ok(Event::Apply(object)) if !keep(&object) => Some(Ok(Event::Delete(object))),
            Ok(Event::InitApply(object)) if !keep(&object) => None,
            event => Some(event),
        })
    })
}

pub(super) fn describe_watch_error(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            crate::cluster::describe_error(error)
        }
        WatchError(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "watches_tests.rs"]
mod tests;
