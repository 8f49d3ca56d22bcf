//! Reads a cluster once: lists in parallel and page by page, of each object what the checks ask for.
//!
//! What may not be read is noted and does not stop the rest.

use std::fmt::Debug;
use std::sync::Mutex;

use futures::future::join_all;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::api::{ListParams, LogParams};
use kube::client::Body;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checks::questions;
use super::dump::Dump;
use super::facts::{Claim, Class, Event, Facts, Limit, Lock, Log, Node, Pod, Right, Unread, Volume, Workload};
use super::provisioners;
use crate::cluster::{self, Cluster};

/// How much of a log is read: the lines that tell are repeated.
const LOG_LINES: i64 = 300;

/// Whose pods and events are read elsewhere than in the namespace looked at.
const OF_PROVISIONERS: &str = "of provisioners";
const OF_VOLUMES: &str = "of PVs";

/// How many pods of a provisioner are listened to.
const LOGS: usize = 3;

/// A cluster being read.
struct Reader<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
    unread: Mutex<Vec<Unread>>,
    dump: Option<&'a Mutex<Dump>>,
}

/// Reads what the checks need about `namespace`, or about all; into `dump` too, if there is one.
pub async fn gather(cluster: &Cluster, namespace: Option<&str>, dump: Option<&Mutex<Dump>>) -> Facts {
    let reader = Reader {
        client: &cluster.client,
        namespace,
        unread: Mutex::default(),
        dump,
    };
    let mut facts = reader.lists().await;
    facts.add_bare_provisioners();
    facts.version.clone_from(&cluster.version);
    facts.namespace = namespace.map(str::to_owned);
    reader.about_provisioners(&mut facts).await;
    facts.events.sort_by_key(|event| event.last);
    facts.unread = reader.unread.into_inner().unwrap_or_default();
    facts
}

/// The API server's clock, which stamps what ages are taken of: this machine's may be wrong.
pub async fn server_time(cluster: &Cluster) -> Option<Timestamp> {
    let request = kube::core::Request::new("/version").list(&ListParams::default()).ok()?;
    let response = cluster.client.send(request.map(Body::from)).await.ok()?;
    http_date(response.headers().get("date")?.to_str().ok()?)
}

/// A time as HTTP writes it: `Thu, 01 Jan 2026 12:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let time = rfc2822::parse(text).ok()?;
    Some(time.timestamp())
}

impl Reader<'_> {
    /// An API of the namespaces looked at.
    fn here<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn everywhere<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    fn missed(&self, what: &str, error: &kube::Error) {
        let forbidden = matches!(error, kube::Error::Api(status) if status.is_forbidden());
        if let Ok(mut unread) = self.unread.lock()
            && unread.iter().all(|other| other.what != what)
        {
            unread.push(Unread {
                what: what.to_owned(),
                why: cluster::sentence(error),
                forbidden,
            });
        }
    }

    fn keep(&self, what: &str, object: impl Serialize) {
        if let Some(Ok(mut dump)) = self.dump.map(Mutex::lock) {
            dump.add(what, object);
        }
    }

    /// Reads a list; what can't be read is noted, and empty.
    async fn read<K, T, I>(&self, what: &str, api: Api<K>, params: ListParams, each: impl Fn(K) -> I) -> Vec<T>
    where
        K: Resource + Clone + DeserializeOwned + Debug + Serialize,
        I: IntoIterator<Item = T>,
    {
        if let Some(Ok(mut dump)) = self.dump.map(Mutex::lock) {
            dump.begin(what);
        }
        let taken = |object: K| {
            let copy = self.dump.is_some().then(|| object.clone());
            let facts: Vec<T> = each(object).into_iter().collect();
            if let Some(copy) = copy.filter(|_| !facts.is_empty()) {
                self.keep(what, copy);
            }
            facts
        };
        match cluster::list_as(&api, params, taken).await {
            Ok(list) => list,
            Err(error) => {
                self.missed(what, &error);
                if let Some(Ok(mut dump)) = self.dump.map(Mutex::lock) {
                    dump.forget(what);
                }
                Vec::new()
            }
        }
    }

    async fn lists(&self) -> Facts {
        let all = ListParams::default;
        let some =
            |object: Workload| Some(object.without_foreign_templates(self.namespace)).filter(Workload::is_of_interest);
        let (claims, volumes, classes, pods, deployments, sets, daemons, nodes, events, drivers, csi_nodes) = tokio::join!(
            self.read(
                "persistentvolumeclaims",
                self.here::<core::PersistentVolumeClaim>(),
                all(),
                |object| [Claim::from(object)]
            ),
            self.read(
                "persistentvolumes",
                self.everywhere::<core::PersistentVolume>(),
                all(),
                |object| [Volume::from(object)]
            ),
            self.read("storageclasses", self.everywhere::<StorageClass>(), all(), |object| [
                Class::from(object)
            ]),
            self.read("pods", self.here::<core::Pod>(), all(), Pod::read),
            self.workloads("deployments", |object: Deployment| some(object.into())),
            self.workloads("statefulsets", |object: StatefulSet| some(object.into())),
            self.workloads("daemonsets", |object: DaemonSet| some(object.into())),
            self.read("nodes", self.everywhere::<core::Node>(), all(), |object| [Node::from(
                object
            )]),
            self.read("events", self.here::<core::Event>(), all(), telling),
            self.read("csidrivers", self.everywhere::<CSIDriver>(), all(), |object| [
                object.name_any()
            ]),
            self.read("csinodes", self.everywhere::<CSINode>(), all(), |object| {
                let name = object.name_any();
                let drivers = object.spec.drivers.into_iter().map(|driver| driver.name).collect();
                [(name, drivers)]
            }),
        );
        let elsewhere = self.namespace.is_some();
        let about_volumes = ListParams::default().fields("involvedObject.kind=PersistentVolume");
        let control = ListParams::default().labels("component in (kube-apiserver,kube-controller-manager)");
        let system = || Api::namespaced(self.client.clone(), "kube-system");
        let (limits, leases, volume_events, control, self_link) = tokio::join!(
            self.read("limitranges", self.here::<core::LimitRange>(), all(), Limit::read),
            self.read("leases", self.everywhere::<Lease>(), all(), |lease| {
                // Nodes' heartbeats are many, and no leader election locks.
                Some(Lock::from(lease)).filter(|lock| lock.namespace != "kube-node-lease")
            }),
            async {
                match elsewhere && self.namespace != Some("default") {
                    true => {
                        let default = Api::<core::Event>::namespaced(self.client.clone(), "default");
                        self.more("events", Some(OF_VOLUMES), default, about_volumes, telling)
                            .await
                    }
                    false => Vec::new(),
                }
            },
            async {
                match elsewhere && self.namespace != Some("kube-system") {
                    true => self.more("pods", None, system(), control, Pod::read).await,
                    false => Vec::new(),
                }
            },
            self.self_link(),
        );
        Facts {
            claims,
            volumes,
            classes,
            pods: pods.into_iter().chain(control).collect(),
            workloads: deployments.into_iter().chain(sets).chain(daemons).collect(),
            nodes,
            events: events.into_iter().chain(volume_events).collect(),
            csi_drivers: drivers,
            csi_nodes,
            limits,
            locks: leases,
            self_link,
            ..Facts::default()
        }
    }

    /// Reads workloads everywhere, else at least in the namespace looked at.
    async fn workloads<K, T, I>(&self, what: &str, each: impl Fn(K) -> I) -> Vec<T>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
        K: Clone + DeserializeOwned + Debug + Serialize,
        I: IntoIterator<Item = T>,
    {
        let found = self
            .read(what, self.everywhere::<K>(), ListParams::default(), &each)
            .await;
        let refused = self
            .unread
            .lock()
            .is_ok_and(|unread| unread.iter().any(|one| one.what == what));
        match refused && self.namespace.is_some() {
            true => {
                self.more(what, None, self.here::<K>(), ListParams::default(), each)
                    .await
            }
            false => found,
        }
    }

    /// Reads from another namespace; `whose` says whose it is, if anybody misses it when it can't be read.
    async fn more<K, T, I>(
        &self,
        what: &str,
        whose: Option<&str>,
        api: Api<K>,
        params: ListParams,
        each: impl Fn(K) -> I,
    ) -> Vec<T>
    where
        K: Resource + Clone + DeserializeOwned + Debug + Serialize,
        I: IntoIterator<Item = T>,
    {
        let taken = |object: K| {
            self.keep(what, &object);
            each(object)
        };
        let read = cluster::list_as(&api, params, taken).await;
        read.unwrap_or_else(|error| {
            match whose {
                Some(whose) => self.missed(&format!("{what} {whose}"), &error),
                None => tracing::debug!("{what} elsewhere: {}", cluster::sentence(&error)),
            }
            Vec::new()
        })
    }

    /// Whether the API server sends a selfLink with a live object: the surest sign there is.
    async fn self_link(&self) -> Option<bool> {
        let namespaces: Api<core::Namespace> = Api::all(self.client.clone());
        match namespaces.get(self.namespace.unwrap_or("default")).await {
            Ok(namespace) => {
                self.keep("namespaces", &namespace);
                Some(namespace.metadata.self_link.is_some_and(|link| !link.is_empty()))
            }
            Err(error) => {
                self.missed("namespaces", &error);
                None
            }
        }
    }

    /// What is asked about each provisioner that was found: its pods, events, logs, rights and locks.
    async fn about_provisioners(&self, facts: &mut Facts) {
        let found: Vec<_> = provisioners::all(facts)
            .iter()
            .map(|one| (one.workload.clone(), one.name.map(|name| name.replace('/', "-"))))
            .collect();
        let mut namespaces: Vec<&str> = found.iter().map(|(workload, _)| workload.namespace.as_str()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let elsewhere = |namespace: &&&str| self.namespace.is_some_and(|here| here != **namespace);
        let events = namespaces.iter().filter(elsewhere).map(|namespace| {
            let api = Api::<core::Event>::namespaced(self.client.clone(), namespace);
            self.more("events", Some(OF_PROVISIONERS), api, ListParams::default(), telling)
        });
        let pods = found
            .iter()
            .filter(|(workload, _)| elsewhere(&&workload.namespace.as_str()))
            .map(|(workload, _)| {
                let labels: Vec<_> = workload
                    .labels
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                let api = Api::<core::Pod>::namespaced(self.client.clone(), &workload.namespace);
                self.more(
                    "pods",
                    Some(OF_PROVISIONERS),
                    api,
                    ListParams::default().labels(&labels.join(",")),
                    Pod::read,
                )
            });
        let locks = found.iter().filter_map(|(workload, lock)| {
            let api = Api::<core::Endpoints>::namespaced(self.client.clone(), &workload.namespace);
            Some(self.lock(api, lock.as_deref()?))
        });
        let (events, pods, locks) = tokio::join!(join_all(events), join_all(pods), join_all(locks));
        facts.events.extend(events.into_iter().flatten());
        facts.pods.extend(pods.into_iter().flatten());
        facts.locks.extend(locks.into_iter().flatten());

        let logs = provisioners::all(facts)
            .into_iter()
            .flat_map(|one| one.pods(facts).into_iter().take(LOGS))
            .map(|pod| self.log(pod));
        let questions = questions(facts);
        let rights = questions.into_iter().map(|right| self.may(right));
        let (logs, rights) = tokio::join!(join_all(logs), join_all(rights));
        facts.logs = logs.into_iter().flatten().collect();
        facts.rights = rights.into_iter().flatten().collect();
    }

    async fn lock(&self, api: Api<core::Endpoints>, name: &str) -> Option<Lock> {
        match api.get_opt(name).await {
            Ok(endpoints) => {
                let endpoints = endpoints?;
                self.keep("endpoints", &endpoints);
                Lock::on_endpoints(endpoints)
            }
            Err(error) => {
                self.missed("endpoints", &error);
                None
            }
        }
    }

    async fn log(&self, pod: &Pod) -> Option<Log> {
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let params = |previous| LogParams {
            tail_lines: Some(LOG_LINES),
            container: pod.containers.first().map(|container| container.name.clone()),
            previous,
            ..LogParams::default()
        };
        let mut text = String::new();
        // A container that crashes has said why before it was started again.
        for previous in [!pod.stopped.is_empty(), false] {
            match api.logs(&pod.name, &params(previous)).await {
                Ok(lines) => text += &lines,
                Err(kube::Error::Api(status)) if status.is_forbidden() => {
                    self.missed("pods/log", &kube::Error::Api(status));
                    return None;
                }
                // It has not begun yet, or its node is away.
                Err(error) => tracing::debug!("log of {}: {}", pod.name, cluster::sentence(&error)),
            }
        }
        let log = Log {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            text,
        };
        if let Some(Ok(mut dump)) = self.dump.map(Mutex::lock) {
            dump.add_log(&log);
        }
        Some(log).filter(|log| !log.text.is_empty())
    }

    /// Asks the API server whether a service account may do something.
    async fn may(&self, right: Right) -> Option<Right> {
        let account = format!("system:serviceaccount:{}:{}", right.namespace, right.account);
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
            None => (right.resource.clone(), None),
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
                    group: Some(right.group.clone()),
                    resource: Some(resource),
                    subresource,
                    namespace: right.within.clone(),
                    verb: Some(right.verb.clone()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        match api.create(&Default::default(), &review).await {
            Ok(answer) => {
                self.keep("subjectaccessreviews", &answer);
                Some(Right {
                    allowed: answer.status.is_some_and(|status| status.allowed),
                    ..right
                })
            }
            Err(error) => {
                self.missed("subjectaccessreviews", &error);
                None
            }
        }
    }
}

/// An event, if it is about what the checks look at.
fn telling(event: core::Event) -> Option<Event> {
    const KINDS: [&str; 6] = [
        "PersistentVolumeClaim",
        "PersistentVolume",
        "Pod",
        "StatefulSet",
        "ReplicaSet",
        "Deployment",
    ];
    const OF_PODS: [&str; 5] = [
        "FailedScheduling",
        "FailedMount",
        "FailedAttachVolume",
        "FailedCreate",
        "Failed",
    ];
    let kind = event.involved_object.kind.as_deref().unwrap_or_default();
    let reason = event.reason.as_deref().unwrap_or_default();
    let wanted = match kind {
        "PersistentVolumeClaim" | "PersistentVolume" => true,
        kind => KINDS.contains(&kind) && OF_PODS.contains(&reason),
    };
    wanted.then(|| Event::from(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        let read = |text| http_date(text).map(|time| time.to_string());
        assert_eq!(
            read("Thu, 01 Jan 2026 12:00:00 GMT").as_deref(),
            Some("2026-01-01T12:00:00Z")
        );
        assert_eq!(read("yesterday"), None);
    }
}
