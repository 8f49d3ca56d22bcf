//! The loop: watches claims, volumes and classes, and calls the [`Reconciler`] for each that changes.
//!
//! Only claims that are pending and volumes that are released stay in memory, so a cluster with many thousand volumes
//! needs no more of it than one with ten. What an error means for the next attempt is decided here, too.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;

use futures::channel::mpsc;
use futures::future::join;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector as reflect_into};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::backoff;
use super::claim;
use super::election;
use super::metrics::Watched;
use super::outcome::{DeletionOutcome, ProvisionOutcome, ReconcileError};
use super::reconcile::{Reconciler, claim_key, retry_key};
use super::volume;

struct Context {
    work: Arc<Reconciler>,
    classes: Store<StorageClass>,
}

impl Context {
    /// The class of a PV, if it still exists.
    fn find_class(&self, volume: &PersistentVolume) -> Option<Arc<StorageClass>> {
        let name = volume::class_name(volume)?;
        self.classes.get(&ObjectRef::new(name))
    }
}

/// Serves claims and volumes until `stop` resolves, then finishes what is in flight.
///
/// Watches are retried for as long as the API server is away; only `stop` ends them.
pub async fn serve_cluster(work: Arc<Reconciler>, stop: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.shared();
    let client = work.client.clone();
    let (claims, claims_writer) = reflector::store();
    let (volumes, volumes_writer) = reflector::store();
    let (classes, classes_writer) = reflector::store();
    let (trigger, triggered) = mpsc::unbounded();
    let context = Arc::new(Context {
        work: work.clone(),
        classes: classes.clone(),
    });

    work.metrics.set_watched(Some(Watched {
        claims: claims.clone(),
        volumes: volumes.clone(),
        classes: classes.clone(),
    }));
    let class_watch = tokio::spawn(watch_classes(
        watcher(Api::all(client.clone()), watcher::Config::default()),
        classes_writer,
        claims.clone(),
        trigger,
    ));
    let ready = async {
        if classes.wait_until_ready().await.is_ok() {
            tracing::info!(
                name = work.settings.name,
                exports = work
                    .exports
                    .locations()
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
                "watching claims and volumes"
            );
        }
    };
    futures::future::select(Box::pin(ready), stop.clone()).await;

    let (filtering, forgetting) = (work.clone(), work.clone());
    let claim_api = match &work.settings.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let pending = keep_matching(watcher(claim_api, watcher::Config::default()), move |claim| {
        claim::is_waiting_for(claim, &filtering.settings.name)
    })
    .inspect_ok({
        let mut listed = HashSet::new();
        move |event| record_claim_event(event, &forgetting, &mut listed)
    })
    .reflect(claims_writer);
    let pending = emit_when_stored(pending, claims.clone());
    // Unlimited here: the reconciler limits the concurrency for each export by itself.
    let config = controller::Config::default().concurrency(0);
    let serve_claims = Controller::for_stream(pending, claims.clone())
        .with_config(config.clone())
        .reconcile_on(triggered)
        .graceful_shutdown_on(stop.clone())
        .run(reconcile_claim, |_, _, _| Action::await_change(), context.clone())
        .for_each(|result| async { log_loop_error("claims", result) });
    let serve_claims = run_until_stopped(serve_claims, stop.clone(), claims);

    let (filtering, recording) = (work.clone(), context.clone());
    let all = watcher(Api::all(client), watcher::Config::default())
        .inspect_ok(move |event| record_volume_event(event, &recording));
    let forgetting = work.clone();
    let released = keep_matching(all, move |volume| {
        volume::may_need_deletion(
            volume,
            &filtering.settings.name,
            filtering.settings.namespace.as_deref(),
        )
    })
    .inspect_ok({
        let mut listed = HashSet::new();
        move |event| record_released_event(event, &forgetting, &mut listed)
    })
    .reflect(volumes_writer);
    let released = emit_when_stored(released, volumes.clone());
    let serve_volumes = Controller::for_stream(released, volumes.clone())
        .with_config(config)
        .graceful_shutdown_on(stop.clone())
        .run(reconcile_volume, |_, _, _| Action::await_change(), context)
        .for_each(|result| async { log_loop_error("volumes", result) });
    let serve_volumes = run_until_stopped(serve_volumes, stop.clone(), volumes);

    work.set_stopping(false);
    let stopped = async {
        stop.await;
        // Reconciliations that wait for a permit end when they get it.
        work.set_stopping(true);
        std::future::pending().await
    };
    tokio::select! {
        _ = join(serve_claims, serve_volumes) => {}
        never = remove_former_records(&work, &classes) => match never {},
        never = work.keep_trash_empty() => match never {},
        never = stopped => match never {},
    }
    // Ends removals that run in threads of their own.
    work.set_stopping(true);
    class_watch.abort();
    work.metrics.set_watched(None);
}

/// Records the directories of all PVs of the cluster.
fn record_volume_event(event: &Event<PersistentVolume>, context: &Context) {
    let work = &context.work;
    match event {
        Event::Init => work.lock_neighbours().begin_list(),
        Event::InitApply(volume) | Event::Apply(volume) => {
            work.record_volume(volume, context.find_class(volume).as_deref());
        }
        Event::Delete(volume) => work.lock_neighbours().forget_volume(&volume.name_any()),
        Event::InitDone => {
            work.lock_neighbours().end_list();
            work.mark_volumes_listed();
        }
    }
}

/// Forgets claims that were bound or deleted. `listed` collects the uids of a list while it is being read.
fn record_claim_event(event: &Event<PersistentVolumeClaim>, work: &Arc<Reconciler>, listed: &mut HashSet<String>) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(claim) => listed.extend(claim.uid()),
        Event::InitDone => work.clean_up_unlisted_claims(&std::mem::take(listed)),
        Event::Apply(_) => {}
        Event::Delete(claim) => {
            let uid = claim.metadata.uid.as_deref().unwrap_or_default();
            work.lock_claim_retries().forget_object(uid);
            work.events.burst().left(uid);
            work.clean_up_after_claim(uid);
        }
    }
}

/// Forgets the failures of volumes that are gone; `listed` as for claims.
fn record_released_event(event: &Event<PersistentVolume>, work: &Reconciler, listed: &mut HashSet<String>) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(volume) => listed.extend(volume.uid()),
        Event::InitDone => work.lock_volume_retries().keep_only(&std::mem::take(listed)),
        Event::Apply(_) => {}
        Event::Delete(volume) => work
            .lock_volume_retries()
            .forget_object(volume.metadata.uid.as_deref().unwrap_or_default()),
    }
}

/// Removes once what earlier versions left; never returns.
async fn remove_former_records(work: &Reconciler, classes: &Store<StorageClass>) -> Infallible {
    let classes = classes.state();
    let served = classes.iter().filter(|class| class.provisioner == work.settings.name);
    work.remove_former_records(&served.filter_map(|class| class.uid()).collect())
        .await;
    std::future::pending().await
}

/// Stores the classes, and requeues the pending claims of a class when it changes.
async fn watch_classes(
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

/// Emits each object once the store has it. The store takes a list as a whole, so its objects come at its end.
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

/// Runs a controller, and ends it at `stop` if it has never had its first list: it would wait for that list.
async fn run_until_stopped<K>(serve: impl Future<Output = ()>, stop: impl Future<Output = ()>, store: Store<K>)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let idle = async {
        stop.await;
        if store.wait_until_ready().now_or_never().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = serve => {}
        () = idle => {}
    }
}

/// Passes on the objects that `keep` accepts. One that it no longer accepts becomes a deletion.
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

async fn reconcile_claim(claim: Arc<PersistentVolumeClaim>, context: Arc<Context>) -> Result<Action, Infallible> {
    let work = &context.work;
    let class = claim::class_name(&claim).and_then(|name| context.classes.get(&ObjectRef::new(name)));
    let class = class.as_deref();
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    let versions = retry_key(&claim, class);
    let name = claim_key(&claim);
    let failed = |cause: &str| {
        format!(
            "failed to provision volume with StorageClass \"{}\": {cause}",
            claim::class_name(&claim).unwrap_or_default()
        )
    };
    let result = work.provision_claim(&claim, class).await;
    work.metrics.count_claim(&claim, &result);
    Ok(match result {
        Ok(ProvisionOutcome::Provisioned { volume, path, took }) => {
            work.lock_claim_retries().forget_object(uid);
            match took {
                Some(took) => tracing::info!(claim = name, volume, path, ms = took.as_millis(), "provisioned"),
                None => tracing::debug!(claim = name, volume, path, "provisioned before"),
            }
            // Bound claims leave the store; one that is still in it by then has lost its volume.
            Action::requeue(backoff::LONGEST)
        }
        Ok(ProvisionOutcome::WouldProvision { volume, path }) => {
            tracing::info!(claim = name, volume, path, "would provision");
            Action::await_change()
        }
        Ok(ProvisionOutcome::WaitingForConsumer) => {
            tracing::debug!(claim = name, "waiting for the first pod");
            Action::await_change()
        }
        Ok(ProvisionOutcome::NothingToDo) => {
            work.lock_claim_retries().forget_object(uid);
            Action::await_change()
        }
        Ok(ProvisionOutcome::Refused(why)) => {
            // Requeued when claim or class change, too.
            if work
                .lock_claim_retries()
                .record_refusal(uid, &versions, work.time_since_start())
            {
                tracing::warn!(claim = name, "refused: {why}");
                work.events.publish_warning(&*claim, "ProvisioningFailed", failed(&why));
            }
            Action::requeue(backoff::LONGEST)
        }
        // Not a failure. The lease may be renewed after all.
        Err(ReconcileError::NotLeading) => Action::requeue(election::RETRY),
        Err(ReconcileError::Stopping) => Action::await_change(),
        Err(error) => {
            let wait = work.lock_claim_retries().record_failure(uid, &versions);
            let next = format!("{error}; next try in {:.0} s", wait.as_secs_f64().ceil());
            tracing::warn!(claim = name, "not provisioned: {next}");
            work.events
                .publish_warning(&*claim, "ProvisioningFailed", failed(&next));
            Action::requeue(wait)
        }
    })
}

async fn reconcile_volume(volume: Arc<PersistentVolume>, context: Arc<Context>) -> Result<Action, Infallible> {
    let work = &context.work;
    let uid = volume.metadata.uid.as_deref().unwrap_or_default();
    let version = volume.resource_version().unwrap_or_default();
    let name = volume.name_any();
    let class = context.find_class(&volume);
    let result = work.delete_volume(&volume, class.as_deref()).await;
    work.metrics.count_volume(&volume, &result);
    Ok(match result {
        Ok(DeletionOutcome::NothingToDo) => {
            work.lock_volume_retries().forget_object(uid);
            Action::await_change()
        }
        Ok(DeletionOutcome::Deleted { fate, .. }) => {
            work.lock_volume_retries().forget_object(uid);
            tracing::info!(volume = name, "deleted: {fate}");
            Action::await_change()
        }
        Ok(DeletionOutcome::WouldDelete(fate)) => {
            tracing::info!(volume = name, "would delete: {fate}");
            Action::await_change()
        }
        Ok(DeletionOutcome::Refused(why)) => {
            if work
                .lock_volume_retries()
                .record_refusal(uid, &version, work.time_since_start())
            {
                tracing::warn!(volume = name, "not deleted: {why}");
                work.events.publish_warning(&*volume, "VolumeFailedDelete", why);
            }
            Action::requeue(backoff::LONGEST)
        }
        // Not a failure. The lease may be renewed after all.
        Err(ReconcileError::NotLeading) => Action::requeue(election::RETRY),
        Err(ReconcileError::Stopping) => Action::await_change(),
        Err(error) => {
            let wait = work.lock_volume_retries().record_failure(uid, &version);
            let next = format!("{error}; next try in {:.0} s", wait.as_secs_f64().ceil());
            tracing::warn!(volume = name, "not deleted: {next}");
            work.events.publish_warning(&*volume, "VolumeFailedDelete", next);
            Action::requeue(wait)
        }
    })
}

/// Logs errors of the loop itself; those of an object are logged when it is reconciled.
fn log_loop_error<K: Resource>(
    watched: &str,
    result: Result<(ObjectRef<K>, Action), controller::Error<Infallible, watcher::Error>>,
) where
    K::DynamicType: Debug,
{
    match result {
        Err(controller::Error::QueueError(error)) => {
            tracing::warn!("watching {watched}: {}; trying again", describe_watch_error(&error));
        }
        // Bound or deleted before it was reconciled.
        Err(controller::Error::ObjectNotFound(_)) | Ok(_) => {}
        Err(error) => tracing::error!("watching {watched}: {error}"),
    }
}

fn describe_watch_error(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => crate::cluster::sentence(error),
        WatchError(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
