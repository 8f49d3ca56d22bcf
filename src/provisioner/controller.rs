//! The loop: watches claims, volumes and classes, and has the work done on what changed.
//!
//! Only what may need something is kept in memory: a claim leaves the store
//! when it is bound, a volume enters it when it is released. A cluster with
//! many thousand volumes costs no more here than one with ten.

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
use super::outcome::{Disposed, Outcome, WorkError};
use super::reconcile::{Work, facts, key};
use super::volume;

/// What the reconcilers share.
struct Context {
    work: Arc<Work>,
    classes: Store<StorageClass>,
}

impl Context {
    /// The class of a PV, if that exists now.
    fn class_of(&self, volume: &PersistentVolume) -> Option<Arc<StorageClass>> {
        let name = volume::class_name(volume)?;
        self.classes.get(&ObjectRef::new(name))
    }
}

/// Serves claims and volumes until `stop` resolves, then finishes what is in flight.
///
/// An API server that goes away is waited for; nothing ends this but `stop`.
pub async fn watch(work: Arc<Work>, stop: impl Future<Output = ()> + Send + 'static) {
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

    work.metrics.watch(Some(Watched {
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

    let (ours, leaving) = (work.clone(), work.clone());
    let claim_api = match &work.settings.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let waiting = only(watcher(claim_api, watcher::Config::default()), move |claim| {
        claim::is_waiting_for(claim, &ours.settings.name)
    })
    .inspect_ok({
        let mut listed = HashSet::new();
        move |event| note_claim(event, &leaving, &mut listed)
    })
    .reflect(claims_writer);
    let waiting = seen(waiting, claims.clone());
    // The work itself takes turns, on each export by itself; here nothing waits for anything else.
    let config = controller::Config::default().concurrency(0);
    let serve_claims = Controller::for_stream(waiting, claims.clone())
        .with_config(config.clone())
        .reconcile_on(triggered)
        .graceful_shutdown_on(stop.clone())
        .run(reconcile_claim, |_, _, _| Action::await_change(), context.clone())
        .for_each(|result| async { report("claims", result) });
    let serve_claims = until_stopped(serve_claims, stop.clone(), claims);

    let (ours, noting) = (work.clone(), context.clone());
    let all = watcher(Api::all(client), watcher::Config::default()).inspect_ok(move |event| note(event, &noting));
    let leaving = work.clone();
    let going = only(all, move |volume| {
        volume::is_ours_to_do(volume, &ours.settings.name, ours.settings.namespace.as_deref())
    })
    .inspect_ok({
        let mut listed = HashSet::new();
        move |event| note_released(event, &leaving, &mut listed)
    })
    .reflect(volumes_writer);
    let going = seen(going, volumes.clone());
    let serve_volumes = Controller::for_stream(going, volumes.clone())
        .with_config(config)
        .graceful_shutdown_on(stop.clone())
        .run(reconcile_volume, |_, _, _| Action::await_change(), context)
        .for_each(|result| async { report("volumes", result) });
    let serve_volumes = until_stopped(serve_volumes, stop.clone(), volumes);

    work.stop(false);
    let stopped = async {
        stop.await;
        // What waits for its turn ends when the turn comes.
        work.stop(true);
        std::future::pending().await
    };
    tokio::select! {
        _ = join(serve_claims, serve_volumes) => {}
        never = clean_up_after_upgrade(&work, &classes) => match never {},
        never = work.empty_trash() => match never {},
        never = stopped => match never {},
    }
    // Removals in threads of their own end by this.
    work.stop(true);
    class_watch.abort();
    work.metrics.watch(None);
}

/// Records where the PVs of the cluster lie.
fn note(event: &Event<PersistentVolume>, context: &Context) {
    let work = &context.work;
    match event {
        Event::Init => work.neighbours().begin_list(),
        Event::InitApply(volume) | Event::Apply(volume) => {
            work.note_volume(volume, context.class_of(volume).as_deref());
        }
        Event::Delete(volume) => work.neighbours().forget(&volume.name_any()),
        Event::InitDone => {
            work.neighbours().end_list();
            work.volumes_are_known();
        }
    }
}

/// Forgets what is known of claims that were bound or deleted. `listed` are those of a list that is being read.
fn note_claim(event: &Event<PersistentVolumeClaim>, work: &Arc<Work>, listed: &mut HashSet<String>) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(claim) => listed.extend(claim.uid()),
        Event::InitDone => work.claims_listed(&std::mem::take(listed)),
        Event::Apply(_) => {}
        Event::Delete(claim) => {
            let uid = claim.metadata.uid.as_deref().unwrap_or_default();
            work.claim_retries().forget(uid);
            work.events.burst().left(uid);
            work.claim_left(uid);
        }
    }
}

/// Forgets the failures of volumes that are gone, likewise.
fn note_released(event: &Event<PersistentVolume>, work: &Work, listed: &mut HashSet<String>) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(volume) => listed.extend(volume.uid()),
        Event::InitDone => work.volume_retries().keep_only(&std::mem::take(listed)),
        Event::Apply(_) => {}
        Event::Delete(volume) => work
            .volume_retries()
            .forget(volume.metadata.uid.as_deref().unwrap_or_default()),
    }
}

/// Removes once what earlier versions left; ends when it is dropped.
async fn clean_up_after_upgrade(work: &Work, classes: &Store<StorageClass>) -> Infallible {
    let classes = classes.state();
    let served = classes.iter().filter(|class| class.provisioner == work.settings.name);
    work.clean_up_after_upgrade(&served.filter_map(|class| class.uid()).collect())
        .await;
    std::future::pending().await
}

/// Keeps the classes, and has every waiting claim of a class looked at again when the class changes.
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
                // A new list: any class may be another.
                Ok(Event::InitDone) => true,
                _ => false,
            };
            for claim in claims.state().iter().filter(|claim| changed(claim)) {
                // The receiver ends with the controller; then nobody needs to know any more.
                _ = trigger.unbounded_send(ObjectRef::from_obj(&**claim));
            }
            if let Err(error) = event {
                tracing::warn!("watching classes: {}; trying again", watch_sentence(&error));
            }
            std::future::ready(())
        })
        .await;
}

/// The objects to look at, each when the store has it: of a list, which the store takes as a whole, at its end.
fn seen<K>(
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

/// Runs a controller; ends it at `stop` when it has never had its list, since it would go on waiting for that.
async fn until_stopped<K>(serve: impl Future<Output = ()>, stop: impl Future<Output = ()>, store: Store<K>)
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

/// Lets through what `keep` wants; an object that it no longer wants counts as deleted.
fn only<K>(
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
    let facts = facts(&claim, class);
    let name = key(&claim);
    let failed = |cause: &str| {
        format!(
            "failed to provision volume with StorageClass \"{}\": {cause}",
            claim::class_name(&claim).unwrap_or_default()
        )
    };
    let result = work.provision(&claim, class).await;
    work.metrics.count_claim(&claim, &result);
    Ok(match result {
        Ok(Outcome::Provisioned { volume, path, took }) => {
            work.claim_retries().forget(uid);
            match took {
                Some(took) => tracing::info!(claim = name, volume, path, ms = took.as_millis(), "provisioned"),
                None => tracing::debug!(claim = name, volume, path, "provisioned before"),
            }
            // Bound claims leave the store; one that is still in it then has lost its volume.
            Action::requeue(backoff::LONGEST)
        }
        Ok(Outcome::WouldProvision { volume, path }) => {
            tracing::info!(claim = name, volume, path, "would provision");
            Action::await_change()
        }
        Ok(Outcome::Waiting) => {
            tracing::debug!(claim = name, "waits for its first pod");
            Action::await_change()
        }
        Ok(Outcome::Left) => {
            work.claim_retries().forget(uid);
            Action::await_change()
        }
        Ok(Outcome::Refused(why)) => {
            // It is looked at again when claim or class change, and every five minutes.
            if work.claim_retries().refused(uid, &facts, work.uptime()) {
                tracing::warn!(claim = name, "refused: {why}");
                work.events.warning(&*claim, "ProvisioningFailed", failed(&why));
            }
            Action::requeue(backoff::LONGEST)
        }
        // Not a failure. If the term goes on after all, so does this.
        Err(WorkError::NotLeading) => Action::requeue(election::RETRY),
        Err(WorkError::Stopping) => Action::await_change(),
        Err(error) => {
            let wait = work.claim_retries().failed(uid, &facts);
            let next = format!("{error}; next try in {:.0} s", wait.as_secs_f64().ceil());
            tracing::warn!(claim = name, "not provisioned: {next}");
            work.events.warning(&*claim, "ProvisioningFailed", failed(&next));
            Action::requeue(wait)
        }
    })
}

async fn reconcile_volume(volume: Arc<PersistentVolume>, context: Arc<Context>) -> Result<Action, Infallible> {
    let work = &context.work;
    let uid = volume.metadata.uid.as_deref().unwrap_or_default();
    let version = volume.resource_version().unwrap_or_default();
    let name = volume.name_any();
    let class = context.class_of(&volume);
    let result = work.dispose(&volume, class.as_deref()).await;
    work.metrics.count_volume(&volume, &result);
    Ok(match result {
        Ok(Disposed::Left) => {
            work.volume_retries().forget(uid);
            Action::await_change()
        }
        Ok(Disposed::Gone { fate, .. }) => {
            work.volume_retries().forget(uid);
            tracing::info!(volume = name, "deleted: {fate}");
            Action::await_change()
        }
        Ok(Disposed::WouldGo(fate)) => {
            tracing::info!(volume = name, "would delete: {fate}");
            Action::await_change()
        }
        Ok(Disposed::Refused(why)) => {
            if work.volume_retries().refused(uid, &version, work.uptime()) {
                tracing::warn!(volume = name, "not deleted: {why}");
                work.events.warning(&*volume, "VolumeFailedDelete", why);
            }
            Action::requeue(backoff::LONGEST)
        }
        // Not a failure. If the term goes on after all, so does this.
        Err(WorkError::NotLeading) => Action::requeue(election::RETRY),
        Err(WorkError::Stopping) => Action::await_change(),
        Err(error) => {
            let wait = work.volume_retries().failed(uid, &version);
            let next = format!("{error}; next try in {:.0} s", wait.as_secs_f64().ceil());
            tracing::warn!(volume = name, "not deleted: {next}");
            work.events.warning(&*volume, "VolumeFailedDelete", next);
            Action::requeue(wait)
        }
    })
}

/// Says what went wrong in the loop itself; what went wrong with an object was said by its reconciler.
fn report<K: Resource>(
    watched: &str,
    result: Result<(ObjectRef<K>, Action), controller::Error<Infallible, watcher::Error>>,
) where
    K::DynamicType: Debug,
{
    match result {
        Err(controller::Error::QueueError(error)) => {
            tracing::warn!("watching {watched}: {}; trying again", watch_sentence(&error));
        }
        // It was bound or deleted before its turn came.
        Err(controller::Error::ObjectNotFound(_)) | Ok(_) => {}
        Err(error) => tracing::error!("watching {watched}: {error}"),
    }
}

fn watch_sentence(error: &watcher::Error) -> String {
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
