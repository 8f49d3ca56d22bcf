//! Reads a [`ClusterSnapshot`] once: lists in parallel and page by page.
//!
//! Lists that can't be read are recorded as unread and do not stop the others. Nothing is changed: the API server
//! answers a SubjectAccessReview and does not store it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::api::{ListParams, LogParams};
use kube::client::Body;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::dump::Dump;
use super::snapshot::{AFTER_MOUNTING, ClusterSnapshot, Log, Pod, Questions, Right, SnapshotObject, Unread};
use super::{Cluster, provisioners};
use crate::cluster;

/// The lines of a log that are read: provisioners repeat their errors.
const LOG_LINES: i64 = 300;

/// Suffixes of resources that are read outside the namespace of the diagnosis.
const OF_PROVISIONERS: &str = "of provisioners";
const OF_VOLUMES: &str = "of PVs";

/// The most pods of a provisioner whose logs are read.
const LOGS: usize = 3;

/// A kind of object that is listed.
trait Listed: Resource<DynamicType = ()> + SnapshotObject + Clone + DeserializeOwned + Debug + Serialize {}

impl<K: Resource<DynamicType = ()> + SnapshotObject + Clone + DeserializeOwned + Debug + Serialize> Listed for K {}

/// A cluster being read.
struct Reader<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
    dump: Option<&'a Mutex<Dump>>,
}

/// Reads what the doctor needs about `namespace`, or about all namespaces; adds the objects and logs to `dump`, too, if
/// there is one. Objects that can't be read are recorded in [`ClusterSnapshot::unread`]. Exports and hosts are not
/// read.
pub async fn gather(
    cluster: &Cluster,
    namespace: Option<&str>,
    questions: Questions,
    dump: Option<&Mutex<Dump>>,
) -> ClusterSnapshot {
    let reader = Reader {
        client: &cluster.client,
        namespace,
        dump,
    };
    let mut lists = reader.lists_of_overview();
    lists.extend(reader.lists_of_doctor());
    let mut snapshot = reader.read_all(lists).await;
    snapshot.version.clone_from(&cluster.version);
    snapshot.namespace = namespace.map(str::to_owned);
    snapshot.complete_snapshot();
    reader.read_provisioners(&mut snapshot, questions).await;
    snapshot.events.sort_by_key(|event| event.last);
    // What was read in one namespace instead would pass for the list of the cluster.
    if let Some(mut dump) = dump.and_then(|dump| dump.lock().ok()) {
        snapshot.unread.iter().for_each(|unread| dump.forget(&unread.what));
    }
    snapshot
}

/// Reads what `status` shows: claims of `namespace` or of all namespaces, PVs, classes, workloads and Leases. Objects
/// that can't be read are recorded as unread. The snapshot has no version.
pub async fn gather_overview(client: &Client, namespace: Option<&str>) -> ClusterSnapshot {
    let reader = Reader {
        client,
        namespace,
        dump: None,
    };
    let mut snapshot = reader.read_all(reader.lists_of_overview()).await;
    snapshot.namespace = namespace.map(str::to_owned);
    snapshot.complete_snapshot();
    snapshot
}

/// The time by the API server's clock, which the times of objects come from; `None` if it doesn't answer.
pub async fn server_time(cluster: &Cluster) -> Option<Timestamp> {
    let request = kube::core::Request::new("/version").list(&ListParams::default()).ok()?;
    let response = cluster.client.send(request.map(Body::from)).await.ok()?;
    parse_http_date(response.headers().get("date")?.to_str().ok()?)
}

/// A time as HTTP writes it: `Thu, 01 Jan 2026 12:00:00 GMT`. `None` if the text is none.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    let time = rfc2822::parse(text).ok()?;
    Some(time.timestamp())
}

/// A snapshot that only says that `what` could not be read, and why.
fn snapshot_of_unread(what: &str, error: &kube::Error) -> ClusterSnapshot {
    let unread = Unread {
        what: what.to_owned(),
        why: cluster::describe_error(error),
        forbidden: matches!(error, kube::Error::Api(status) if status.is_forbidden()),
    };
    ClusterSnapshot {
        unread: vec![unread],
        ..ClusterSnapshot::default()
    }
}

impl Reader<'_> {
    /// The API of a kind in a namespace, or in all.
    fn api_in<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self, namespace: Option<&str>) -> Api<K> {
        cluster::api_in(self.client, namespace)
    }

    fn api_in_cluster<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// Changes the dump, if there is one.
    fn change_dump(&self, change: impl FnOnce(&mut Dump)) {
        if let Some(Ok(mut dump)) = self.dump.map(Mutex::lock) {
            change(&mut dump);
        }
    }

    /// Adds an object to the snapshot, and if there is a dump, to `copies`, but only if the snapshot keeps something of
    /// it.
    fn add<K: Listed>(&self, (snapshot, copies): &mut (ClusterSnapshot, Dump), object: K) {
        let copy = self.dump.is_some().then(|| object.clone());
        let before = snapshot.count_objects();
        object.add_to(snapshot);
        if let Some(copy) = copy.filter(|_| snapshot.count_objects() > before) {
            copies.add(&K::plural(&()), copy);
        }
    }

    /// A snapshot of an object that the API server returned, empty if it doesn't exist; an error is recorded as unread.
    /// The object is added to the dump, too.
    fn snapshot_of_answer<K: Listed>(&self, answer: Result<Option<K>, kube::Error>) -> ClusterSnapshot {
        let mut read = (ClusterSnapshot::default(), Dump::default());
        match answer {
            Ok(object) => object.into_iter().for_each(|object| self.add(&mut read, object)),
            Err(error) => return snapshot_of_unread(&K::plural(&()), &error),
        }
        let (snapshot, copies) = read;
        self.change_dump(|dump| dump.add_objects_of(copies));
        snapshot
    }

    /// Reads a list; a snapshot of its wanted objects, which are added to the dump, too. The caller records an error,
    /// after which nothing of the list is kept.
    async fn list<K: Listed>(
        &self,
        api: &Api<K>,
        params: ListParams,
        is_wanted: impl Fn(&K) -> bool,
    ) -> Result<ClusterSnapshot, kube::Error> {
        let snapshot = ClusterSnapshot {
            namespace: self.namespace.map(str::to_owned),
            ..ClusterSnapshot::default()
        };
        let add = |read: &mut (ClusterSnapshot, Dump), object: K| {
            if is_wanted(&object) {
                self.add(read, object);
            }
        };
        let (snapshot, copies) = cluster::list_folded(api, params, (snapshot, Dump::default()), add).await?;
        self.change_dump(|dump| dump.add_objects_of(copies));
        Ok(snapshot)
    }

    /// Reads the wanted objects of a list. A list that can't be read is recorded as unread, and nothing else of it is
    /// kept; [`gather`] drops it from the dump.
    async fn read<K: Listed>(&self, api: Api<K>, is_wanted: impl Fn(&K) -> bool) -> ClusterSnapshot {
        let what = &K::plural(&());
        self.change_dump(|dump| dump.begin(what));
        let read = self.list(&api, ListParams::default(), is_wanted).await;
        read.unwrap_or_else(|error| snapshot_of_unread(what, &error))
    }

    /// Reads all objects of a kind in the cluster, as [`Reader::read`] does.
    async fn read_of_cluster<K: Listed>(&self) -> ClusterSnapshot {
        self.read(self.api_in_cluster::<K>(), |_| true).await
    }

    /// Reads the wanted objects of a list in another namespace. If it can't be read, nothing of it is kept, and it is
    /// recorded as unread with the suffix `whose`, as in `events of PVs`, or only logged without one.
    async fn read_elsewhere<K: Listed>(
        &self,
        whose: Option<&str>,
        api: Api<K>,
        params: ListParams,
        is_wanted: impl Fn(&K) -> bool,
    ) -> ClusterSnapshot {
        let what = &K::plural(&());
        let read = self.list(&api, params, is_wanted).await;
        read.unwrap_or_else(|error| match whose {
            Some(whose) => snapshot_of_unread(&format!("{what} {whose}"), &error),
            None => {
                tracing::debug!("{what} elsewhere: {}", cluster::describe_error(&error));
                ClusterSnapshot::default()
            }
        })
    }

    /// Reads the workloads of all namespaces; if they can't be read, those in the namespace of the diagnosis. The kind
    /// then counts as unread all the same.
    async fn read_workloads<K: Listed + Resource<Scope = NamespaceResourceScope>>(&self) -> ClusterSnapshot {
        let found = self.read_of_cluster::<K>().await;
        if found.unread.is_empty() || self.namespace.is_none() {
            return found;
        }
        let here = self.api_in::<K>(self.namespace);
        let mut read = self.read_elsewhere(None, here, ListParams::default(), |_| true).await;
        read.unread = found.unread;
        read
    }

    /// Reads the events about PVs, which are kept in the namespace default, unless that one is read anyway. An error is
    /// recorded as unread `events of PVs`.
    async fn read_volume_events(&self) -> ClusterSnapshot {
        if self.namespace.is_none_or(|namespace| namespace == "default") {
            return ClusterSnapshot::default();
        }
        let about_volumes = ListParams::default().fields("involvedObject.kind=PersistentVolume");
        self.read_elsewhere(
            Some(OF_VOLUMES),
            self.api_in(Some("default")),
            about_volumes,
            is_relevant_event,
        )
        .await
    }

    /// Reads the pods of API servers and controller managers, unless their namespace is read anyway. An error is only
    /// logged.
    async fn read_control_plane(&self) -> ClusterSnapshot {
        if self.namespace.is_none_or(|namespace| namespace == "kube-system") {
            return ClusterSnapshot::default();
        }
        let pods = self.api_in::<core::Pod>(Some("kube-system"));
        let components = ListParams::default().labels("component in (kube-apiserver,kube-controller-manager)");
        self.read_elsewhere(None, pods, components, |_| true).await
    }

    /// The lists that `status` needs.
    fn lists_of_overview(&self) -> Vec<BoxFuture<'_, ClusterSnapshot>> {
        let claims = self.api_in::<core::PersistentVolumeClaim>(self.namespace);
        vec![
            self.read(claims, |_| true).boxed(),
            self.read_of_cluster::<core::PersistentVolume>().boxed(),
            self.read_of_cluster::<StorageClass>().boxed(),
            self.read_workloads::<Deployment>().boxed(),
            self.read_workloads::<StatefulSet>().boxed(),
            self.read_workloads::<DaemonSet>().boxed(),
            self.read(self.api_in_cluster(), is_election_lock).boxed(),
        ]
    }

    /// The lists that only the doctor needs, and whether the API server sends a selfLink.
    fn lists_of_doctor(&self) -> Vec<BoxFuture<'_, ClusterSnapshot>> {
        let here = self.namespace;
        vec![
            self.read(self.api_in::<core::Pod>(here), |_| true).boxed(),
            self.read_of_cluster::<core::Node>().boxed(),
            self.read(self.api_in(here), is_relevant_event).boxed(),
            self.read_of_cluster::<CSIDriver>().boxed(),
            self.read_of_cluster::<CSINode>().boxed(),
            self.read(self.api_in::<core::LimitRange>(here), |_| true).boxed(),
            self.read_volume_events().boxed(),
            self.read_control_plane().boxed(),
            self.read_self_link().boxed(),
        ]
    }

    /// Reads lists in parallel. The snapshot has no version and namespace yet, and is not completed.
    async fn read_all(&self, lists: Vec<BoxFuture<'_, ClusterSnapshot>>) -> ClusterSnapshot {
        let mut snapshot = ClusterSnapshot::default();
        let parts = join_all(lists).await.into_iter();
        parts.for_each(|part| snapshot.add_objects_of(part));
        snapshot
    }

    /// Reads whether the API server sends a selfLink, with the namespace of the diagnosis or `default` as the example.
    /// If that doesn't exist, namespaces are recorded as unread.
    async fn read_self_link(&self) -> ClusterSnapshot {
        let namespaces = self.api_in_cluster::<core::Namespace>();
        let namespace = namespaces.get(self.namespace.unwrap_or("default")).await;
        self.snapshot_of_answer(namespace.map(Some))
    }

    /// Adds the permissions and Endpoints locks of each provisioner in `snapshot`, which has to be complete, the logs
    /// of three of its pods at most, and the pods and events of those outside the namespace of the diagnosis. Events
    /// are then unsorted.
    async fn read_provisioners(&self, snapshot: &mut ClusterSnapshot, questions: Questions) {
        let found: Vec<_> = provisioners::find_provisioners(snapshot)
            .iter()
            .map(|one| (one.workload.clone(), one.name.and_then(provisioners::lease_name)))
            .collect();
        let is_elsewhere = |namespace: &str| self.namespace.is_some_and(|here| here != namespace);
        let namespaces = found.iter().map(|(workload, _)| workload.namespace.as_str());
        let namespaces: BTreeSet<&str> = namespaces.filter(|namespace| is_elsewhere(namespace)).collect();
        let events = namespaces.into_iter().map(|namespace| {
            let events = self.api_in::<core::Event>(Some(namespace));
            self.read_elsewhere(Some(OF_PROVISIONERS), events, ListParams::default(), is_relevant_event)
        });
        let elsewhere = found.iter().filter(|(workload, _)| is_elsewhere(&workload.namespace));
        let selected = elsewhere.filter(|(workload, _)| !workload.labels.is_empty());
        let pods = selected.map(|(workload, _)| {
            let labels: Vec<_> = workload
                .labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let pods = self.api_in::<core::Pod>(Some(&workload.namespace));
            let theirs = ListParams::default().labels(&labels.join(","));
            self.read_elsewhere(Some(OF_PROVISIONERS), pods, theirs, |_| true)
        });
        let locks = found.iter().filter_map(|(workload, lock)| {
            let endpoints = self.api_in::<core::Endpoints>(Some(&workload.namespace));
            let name = lock.as_deref()?;
            Some(async move { self.snapshot_of_answer(endpoints.get_opt(name).await) })
        });
        let (events, pods, locks) = tokio::join!(join_all(events), join_all(pods), join_all(locks));
        let parts = events.into_iter().chain(pods).chain(locks);
        parts.for_each(|part| snapshot.add_objects_of(part));

        let logs = provisioners::find_provisioners(snapshot)
            .into_iter()
            .flat_map(|one| {
                let container = &one.container.name;
                one.pods(snapshot)
                    .into_iter()
                    .take(LOGS)
                    .map(move |pod| (pod, container))
            })
            .map(|(pod, container)| self.read_log(pod, container));
        let rights = questions(snapshot).into_iter().map(|right| self.review_right(right));
        let (logs, rights) = tokio::join!(join_all(logs), join_all(rights));
        let parts = logs.into_iter().chain(rights);
        parts.for_each(|part| snapshot.add_objects_of(part));
    }

    /// Reads the last 300 lines of a container's log, after those of its earlier run if a container of its pod stopped.
    /// No log if it is empty or can't be read; only a refusal is recorded as unread.
    async fn read_log(&self, pod: &Pod, container: &str) -> ClusterSnapshot {
        let api = self.api_in::<core::Pod>(Some(&pod.namespace));
        let params = |previous| LogParams {
            tail_lines: Some(LOG_LINES),
            container: Some(container.to_owned()),
            previous,
            ..LogParams::default()
        };
        let mut text = String::new();
        // A container that crashed wrote the reason before it was started again.
        for previous in [!pod.stopped.is_empty(), false] {
            match api.logs(&pod.name, &params(previous)).await {
                Ok(lines) => text += &lines,
                Err(kube::Error::Api(status)) if status.is_forbidden() => {
                    return snapshot_of_unread("pods/log", &kube::Error::Api(status));
                }
                // It has not begun yet, or its node is away.
                Err(error) => tracing::debug!("log of {}: {}", pod.name, cluster::describe_error(&error)),
            }
        }
        let log = Log {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            container: container.to_owned(),
            text,
        };
        self.change_dump(|dump| dump.add_log(&log));
        ClusterSnapshot {
            logs: Vec::from_iter(Some(log).filter(|log| !log.text.is_empty())),
            ..ClusterSnapshot::default()
        }
    }

    /// Asks the API server whether a service account may do something; a snapshot of the answer, empty if there is
    /// none, which is recorded as unread.
    async fn review_right(&self, right: Right) -> ClusterSnapshot {
        let account = format!("system:serviceaccount:{}:{}", right.namespace, right.account);
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
            None => (right.resource, None),
        };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                groups: Some(vec![
                    "system:serviceaccounts".to_owned(),
                    format!("system:serviceaccounts:{}", right.namespace),
                    "system:authenticated".to_owned(),
                ]),
                user: Some(account),
                resource_attributes: Some(ResourceAttributes {
                    group: Some(right.group),
                    resource: Some(resource),
                    subresource,
                    namespace: right.within,
                    verb: Some(right.verb),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api = self.api_in_cluster::<SubjectAccessReview>();
        let answer = api.create(&Default::default(), &review).await;
        self.snapshot_of_answer(answer.map(Some))
    }
}

/// Whether a Lease is no node's heartbeat, of which there are many.
fn is_election_lock(lease: &Lease) -> bool {
    lease.metadata.namespace.as_deref() != Some("kube-node-lease")
}

/// Whether an event is about a claim or PV, or a failure of a pod, StatefulSet, DaemonSet, ReplicaSet or Deployment, or
/// says that a pod has its volumes; false for other kinds.
fn is_relevant_event(event: &core::Event) -> bool {
    const KINDS: [&str; 5] = ["Pod", "StatefulSet", "DaemonSet", "ReplicaSet", "Deployment"];
    const OF_PODS: [&str; 6] = [
        "FailedScheduling",
        "FailedMount",
        "FailedAttachVolume",
        "VolumePermissionChangeInProgress",
        "FailedCreate",
        "Failed",
    ];
    let kind = event.involved_object.kind.as_deref().unwrap_or_default();
    let reason = event.reason.as_deref().unwrap_or_default();
    // Of the many probes that fail, only those at a volume.
    let is_stale = || {
        event
            .message
            .as_deref()
            .is_some_and(|words| words.contains("tale file handle"))
    };
    let is_of_interest =
        OF_PODS.contains(&reason) || AFTER_MOUNTING.contains(&reason) || reason == "Unhealthy" && is_stale();
    match kind {
        "PersistentVolumeClaim" | "PersistentVolume" => true,
        kind => KINDS.contains(&kind) && is_of_interest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        let read = |text| parse_http_date(text).map(|time| time.to_string());
        assert_eq!(
            read("Thu, 01 Jan 2026 12:00:00 GMT").as_deref(),
            Some("2026-01-01T12:00:00Z")
        );
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn failures_of_each_kind_that_has_pods_are_read() {
        let stale = "Liveness probe failed: ls: cannot access '/data': Stale file handle";
        for (kind, reason, message, wanted) in rows! {
            ("PersistentVolumeClaim", "Provisioning", "", true),
            ("PersistentVolume", "VolumeFailedDelete", "", true),
            ("Pod", "FailedMount", "", true),
            ("Pod", "VolumePermissionChangeInProgress", "", true),
            ("Pod", "Unhealthy", stale, true),
            ("Pod", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", false),
            ("Pod", "Started", "", false),
            ("StatefulSet", "FailedCreate", "", true),
            ("DaemonSet", "FailedCreate", "", true),
            ("DaemonSet", "SuccessfulCreate", "", false),
            ("ReplicaSet", "FailedCreate", "", true),
            ("Deployment", "ScalingReplicaSet", "", false),
            ("Job", "FailedCreate", "", false),
        } {
            let event = core::Event {
                involved_object: core::ObjectReference {
                    kind: Some(kind.to_owned()),
                    ..core::ObjectReference::default()
                },
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                ..core::Event::default()
            };
            assert_eq!(is_relevant_event(&event), wanted, "{kind} {reason} {message}");
        }
    }
}
