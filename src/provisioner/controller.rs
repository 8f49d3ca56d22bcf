//! The loop: calls the [`Reconciler`] for each claim and volume that changes, and requeues those that failed.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{Either, join, join3, select};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource, ResourceExt};

use super::backoff;
use super::claim;
use super::election;
use super::expansion;
use super::metrics::Watched;
use super::outcome::{DeletionOutcome, ExpansionOutcome, ProvisionOutcome, ReconcileError};
use super::reconcile::{Reconciler, claim_key, retry_key};
use super::watches::{Context, describe_watch_error, pending_claims, released_volumes, watch_classes};

/// Serves claims and volumes until `stop` resolves, then finishes what is in flight. In the background it warns of
/// unusable exports, removes records of earlier versions, empties the trash, keeps the records of volumes up to date
/// and checks their limits.
///
/// Watches are retried for as long as the API server is away; only `stop` ends them. Removals in flight are
/// interrupted; the trash, records and limits are left as they are. At the end, `reconciler` is stopping and has
/// forgotten the watched objects; a further call starts it again.
pub async fn serve_cluster(reconciler: Arc<Reconciler>, stop: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.shared();
    let client = &reconciler.client;
    let (claims, claims_writer) = reflector::store();
    let (volumes, volumes_writer) = reflector::store();
    let (classes, classes_writer) = reflector::store();
    let (trigger, triggered) = mpsc::unbounded();
    let context = Arc::new(Context {
        reconciler: reconciler.clone(),
        classes: classes.clone(),
        claims: claims.clone(),
    });
    reconciler.metrics.set_watched(Some(Watched {
        claims: claims.clone(),
        volumes: volumes.clone(),
        classes: classes.clone(),
    }));
    let class_events = watcher(Api::all(client.clone()), watcher::Config::default());
    let class_watch = tokio::spawn(watch_classes(class_events, classes_writer, claims.clone(), trigger));
    // Claims and volumes need their classes.
    let ready = select(Box::pin(classes.wait_until_ready()), stop.clone()).await;
    if matches!(ready, Either::Left((Ok(()), _))) {
        log_start(&reconciler);
    }

    // Unlimited here: the reconciler limits the concurrency for each export by itself.
    let config = controller::Config::default().concurrency(0);
    let serve_claims = Controller::for_stream(
        pending_claims(&reconciler, claims.clone(), claims_writer),
        claims.clone(),
    )
    .with_config(config.clone())
    .reconcile_on(triggered)
    .graceful_shutdown_on(stop.clone())
    .run(reconcile_claim, |_, _, _| Action::await_change(), context.clone())
    .for_each(|result| async { log_loop_error("claims", result) });
    let serve_volumes = Controller::for_stream(
        released_volumes(&context, volumes.clone(), volumes_writer),
        volumes.clone(),
    )
    .with_config(config)
    .graceful_shutdown_on(stop.clone())
    .run(reconcile_volume, |_, _, _| Action::await_change(), context.clone())
    .for_each(|result| async { log_loop_error("volumes", result) });

    reconciler.set_stopping(false);
    let served = join(
        run_until_stopped(serve_claims, stop.clone(), claims),
        run_until_stopped(serve_volumes, stop.clone(), volumes),
    );
    let stopped = async {
        stop.await;
        // Reconciliations that wait for a permit end when they get it.
        reconciler.set_stopping(true);
        std::future::pending().await
    };
    let in_background = async {
        let class_uids = class_uids(&context);
        let (_, _, never) = join3(
            reconciler.warn_of_unusable_exports(),
            reconciler.remove_former_records(&class_uids),
            reconciler.empty_trash_repeatedly(),
        )
        .await;
        never
    };
    tokio::select! {
        _ = served => {}
        never = in_background => match never {},
        never = reconciler.write_due_records() => match never {},
        never = reconciler.check_limits_repeatedly() => match never {},
        never = stopped => match never {},
    }
    // Ends removals that run in threads of their own.
    reconciler.set_stopping(true);
    class_watch.abort();
    reconciler.forget_watched_objects();
}

fn log_start(reconciler: &Reconciler) {
    let exports: Vec<String> = reconciler.exports.locations().iter().map(ToString::to_string).collect();
    tracing::info!(
        name = reconciler.settings.name,
        exports = exports.join(", "),
        "watching claims and volumes"
    );
}

/// The uids of the classes of this provisioner that are in the store now.
fn class_uids(context: &Context) -> HashSet<String> {
    let classes = context.classes.state();
    let served = classes
        .iter()
        .filter(|class| class.provisioner == context.reconciler.settings.name);
    served.filter_map(|class| class.uid()).collect()
}

/// Runs a controller, which `stop` ends by itself once `store` has its first list. Before that, it would wait for the
/// list, so it is dropped at `stop`.
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

/// Provisions a pending claim and counts the outcome, or expands a bound one. Logs the outcome, warns of a failure by
/// an event on the claim, and requeues it. A refusal is requeued after 5 minutes, with an event and a log line every 30
/// minutes; a provisioned claim is requeued after 5 minutes, too.
async fn reconcile_claim(claim: Arc<PersistentVolumeClaim>, context: Arc<Context>) -> Result<Action, Infallible> {
    let reconciler = &context.reconciler;
    let class = claim::class_name(&claim).and_then(|name| context.classes.get(&ObjectRef::new(name)));
    let class = class.as_deref();
    if expansion::wants_expansion(&claim, &reconciler.settings.name) {
        return Ok(reconcile_expansion(&claim, class, reconciler).await);
    }
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    let versions = retry_key(&claim, class);
    let name = claim_key(&claim);
    let warn = |what: &str, cause: String| {
        tracing::warn!(claim = name, "{what}: {cause}");
        let class = claim::class_name(&claim).unwrap_or_default();
        let note = format!("failed to provision volume with StorageClass \"{class}\": {cause}");
        reconciler.events.publish_warning(&*claim, "ProvisioningFailed", note);
    };
    let result = reconciler.provision_claim(&claim, class, Some(&context.claims)).await;
    reconciler.metrics.count_claim(&claim, &result);
    Ok(match result {
        Ok(ProvisionOutcome::Provisioned { volume, path, took }) => {
            reconciler.lock_claim_retries().forget_object(uid);
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
            reconciler.lock_claim_retries().forget_object(uid);
            Action::await_change()
        }
        Ok(ProvisionOutcome::Refused(why)) => {
            // Requeued when claim or class change, too.
            let now = reconciler.time_since_start();
            if reconciler.lock_claim_retries().record_refusal(uid, &versions, now) {
                warn("refused", why);
            }
            Action::requeue(backoff::LONGEST)
        }
        Err(error) => {
            let failure = || reconciler.lock_claim_retries().record_failure(uid, &versions);
            retry_after(&error, failure, |next| warn("not provisioned", next))
        }
    })
}

/// Expands a bound claim; logs the outcome, warns and requeues as [`reconcile_claim`] does, but counts nothing and
/// requeues no success.
async fn reconcile_expansion(
    claim: &PersistentVolumeClaim,
    class: Option<&StorageClass>,
    reconciler: &Reconciler,
) -> Action {
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    let (name, versions) = (claim_key(claim), retry_key(claim, class));
    let warn = |why: String| {
        tracing::warn!(claim = name, "not expanded: {why}");
        reconciler.events.publish_warning(claim, "VolumeResizeFailed", why);
    };
    match reconciler.expand_claim(claim, class).await {
        Ok(ExpansionOutcome::NothingToDo) => Action::await_change(),
        Ok(ExpansionOutcome::WouldExpand { volume, size }) => {
            tracing::info!(claim = name, volume, size, "would expand");
            Action::await_change()
        }
        Ok(ExpansionOutcome::Expanded {
            volume,
            size,
            is_enforced,
        }) => {
            reconciler.lock_claim_retries().forget_object(uid);
            tracing::info!(claim = name, volume, size, is_enforced, "expanded");
            Action::await_change()
        }
        Ok(ExpansionOutcome::Refused(why)) => {
            let now = reconciler.time_since_start();
            if reconciler.lock_claim_retries().record_refusal(uid, &versions, now) {
                warn(why);
            }
            Action::requeue(backoff::LONGEST)
        }
        Err(error) => {
            let failure = || reconciler.lock_claim_retries().record_failure(uid, &versions);
            retry_after(&error, failure, warn)
        }
    }
}

/// Deletes a volume that is to be deleted; logs, counts, warns and requeues as [`reconcile_claim`] does, but requeues
/// no success.
async fn reconcile_volume(volume: Arc<PersistentVolume>, context: Arc<Context>) -> Result<Action, Infallible> {
    let reconciler = &context.reconciler;
    let uid = volume.metadata.uid.as_deref().unwrap_or_default();
    let version = volume.resource_version().unwrap_or_default();
    let name = volume.name_any();
    let warn = |why: String| {
        tracing::warn!(volume = name, "not deleted: {why}");
        reconciler.events.publish_warning(&*volume, "VolumeFailedDelete", why);
    };
    let class = context.find_class(&volume);
    let result = reconciler.delete_volume(&volume, class.as_deref()).await;
    reconciler.metrics.count_volume(&volume, &result);
    Ok(match result {
        Ok(DeletionOutcome::NothingToDo) => {
            reconciler.lock_volume_retries().forget_object(uid);
            Action::await_change()
        }
        Ok(DeletionOutcome::Deleted { fate, .. }) => {
            reconciler.lock_volume_retries().forget_object(uid);
            tracing::info!(volume = name, "deleted: {fate}");
            Action::await_change()
        }
        Ok(DeletionOutcome::WouldDelete(fate)) => {
            tracing::info!(volume = name, "would delete: {fate}");
            Action::await_change()
        }
        Ok(DeletionOutcome::Refused(why)) => {
            let now = reconciler.time_since_start();
            if reconciler.lock_volume_retries().record_refusal(uid, &version, now) {
                warn(why);
            }
            Action::requeue(backoff::LONGEST)
        }
        Err(error) => {
            let failure = || reconciler.lock_volume_retries().record_failure(uid, &version);
            retry_after(&error, failure, warn)
        }
    })
}

/// When an object whose reconciliation ended with `error` is reconciled again: soon without leadership, and only after
/// a change while stopping. Otherwise `record_failure` counts the failure and gives the wait, and `warn` gets a
/// sentence with both.
fn retry_after(error: &ReconcileError, record_failure: impl FnOnce() -> Duration, warn: impl FnOnce(String)) -> Action {
    match error {
        // The lease may be renewed after all.
        ReconcileError::NotLeading => Action::requeue(election::RETRY),
        ReconcileError::Stopping => Action::await_change(),
        error => {
            let wait = record_failure();
            warn(format!("{error}; next try in {:.0} s", wait.as_secs_f64().ceil()));
            Action::requeue(wait)
        }
    }
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
