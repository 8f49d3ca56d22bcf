//! Keeps the objects of `status` up to date by watches: [`Watched`] gives a [`ClusterSnapshot`] of them at any time.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::ready;
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::reflector::{self, Store, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::api_in;
use super::snapshot::{ClusterSnapshot, SnapshotObject};

/// The objects of a cluster, kept up to date by watches.
pub struct Watched {
    claims: Store<PersistentVolumeClaim>,
    volumes: Store<PersistentVolume>,
    classes: Store<StorageClass>,
    deployments: Store<Deployment>,
    sets: Store<StatefulSet>,
    daemons: Store<DaemonSet>,
    leases: Store<Lease>,
    /// How many kinds have neither been listed nor failed to be.
    unanswered: Arc<AtomicUsize>,
    namespace: Option<String>,
}

/// Watches the objects of a cluster. For each change the stream yields `None`, or the error of a watch as a sentence.
/// The objects are updated only while the stream is polled. It never ends: a watch that fails is retried with backoff.
pub fn watch_objects(
    client: &Client,
    namespace: Option<&str>,
) -> (Watched, impl Stream<Item = Option<String>> + use<>) {
    let mut changes = SelectAll::new();
    let unanswered = Arc::new(AtomicUsize::new(0));
    let watched = Watched {
        claims: watch_kind(api_in(client, namespace), "claims", &mut changes, &unanswered),
        volumes: watch_kind(
            Api::all(client.clone()),
            "persistent volumes",
            &mut changes,
            &unanswered,
        ),
        classes: watch_kind(Api::all(client.clone()), "storage classes", &mut changes, &unanswered),
        deployments: watch_kind(Api::all(client.clone()), "deployments", &mut changes, &unanswered),
        sets: watch_kind(Api::all(client.clone()), "statefulsets", &mut changes, &unanswered),
        daemons: watch_kind(Api::all(client.clone()), "daemonsets", &mut changes, &unanswered),
        leases: watch_kind(Api::all(client.clone()), "leases", &mut changes, &unanswered),
        unanswered,
        namespace: namespace.map(str::to_owned),
    };
    (watched, changes)
}

/// Starts a watch of a kind, adds its changes to `changes`, and returns the store that it fills. The kind is one of
/// `unanswered` until its first list is complete, or has failed.
fn watch_kind<K>(
    api: Api<K>,
    what: &'static str,
    changes: &mut SelectAll<BoxStream<'static, Option<String>>>,
    unanswered: &Arc<AtomicUsize>,
) -> Store<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    let (reader, writer) = store::<K>();
    let events = reflector::reflector(writer, watcher(api, watcher::Config::default())).default_backoff();
    unanswered.fetch_add(1, Ordering::Relaxed);
    let mut first = Some(unanswered.clone());
    let changed = events.filter_map(move |event| {
        let change = match event {
            // Until a list is complete, the store is as it was.
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => return ready(None),
            Ok(_) => None,
            Err(error) => Some(format!("cannot watch {what}: {error}")),
        };
        if let Some(unanswered) = first.take() {
            unanswered.fetch_sub(1, Ordering::Relaxed);
        }
        ready(Some(change))
    });
    changes.push(changed.boxed());
    reader
}

impl Watched {
    /// Whether claims and volumes have been listed, and other kinds have been or can't be.
    pub fn is_listed(&self) -> bool {
        use futures::FutureExt;
        self.unanswered.load(Ordering::Relaxed) == 0
            && self.claims.wait_until_ready().now_or_never().is_some()
            && self.volumes.wait_until_ready().now_or_never().is_some()
    }

    /// The objects as the watches have them now. A kind has no objects until its first list is complete; for claims and
    /// volumes, [`Watched::is_listed`] tells.
    pub fn current_snapshot(&self) -> ClusterSnapshot {
        let mut snapshot = ClusterSnapshot {
            namespace: self.namespace.clone(),
            ..ClusterSnapshot::default()
        };
        add_objects(&mut snapshot, &self.claims);
        add_objects(&mut snapshot, &self.volumes);
        add_objects(&mut snapshot, &self.classes);
        add_objects(&mut snapshot, &self.deployments);
        add_objects(&mut snapshot, &self.sets);
        add_objects(&mut snapshot, &self.daemons);
        add_objects(&mut snapshot, &self.leases);
        snapshot
    }
}

fn add_objects<K>(snapshot: &mut ClusterSnapshot, store: &Store<K>)
where
    K: Resource + Clone + SnapshotObject + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    for object in store.state() {
        K::clone(&object).add_to(snapshot);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provisioner::mock::{answer, mock, next, refusal};

    /// How many kinds are watched.
    const KINDS: usize = 7;

    /// Without classes, claims of other storage would be shown as those of NFS.
    #[tokio::test]
    async fn nothing_is_listed_before_every_kind_is_or_cannot_be() {
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []});
        for (status, classes) in [(200, &list), (403, &refusal(403, "Forbidden"))] {
            let (client, mut server) = mock();
            let (watched, changes) = watch_objects(&client, None);
            let mut changes = Box::pin(changes);
            let lists = async {
                let mut open = Vec::new();
                let mut of_classes = None;
                while of_classes.is_none() || open.len() < KINDS - 1 {
                    match next(&mut server).await {
                        (what, _, to) if what == "GET storageclasses" => of_classes = Some(to),
                        (_, request, to) if request.uri().to_string().contains("watch=") => open.push(to),
                        (_, _, to) => answer(to, 200, &list),
                    }
                }
                (of_classes.unwrap(), open)
            };
            let others = async {
                for _ in 0..KINDS - 1 {
                    assert_eq!(changes.next().await, Some(None));
                }
                // Polled, so that they go on to watch.
                _ = changes.next().await;
            };
            tokio::pin!(others);
            let (of_classes, _open) = tokio::select! {
                lists = lists => lists,
                () = &mut others => panic!("a change that no answer made"),
            };
            assert!(!watched.is_listed());
            answer(of_classes, status, classes);
            others.await;
            assert!(watched.is_listed(), "{status}");
        }
    }
}
