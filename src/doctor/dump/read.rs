//! Reads files object by object: a list of 100,000 objects is never in memory as a whole.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::doctor::checks::questions;
use crate::doctor::facts::{Claim, Class, Event, Facts, Limit, Lock, Log, Node, Pod, Right, Unread, Volume, Workload};
use crate::doctor::provisioners;

/// A resource: its plural, its kind, its short name for kubectl, and how an object of it is added to the facts.
struct Resource {
    plural: &'static str,
    kind: &'static str,
    short: &'static str,
    add: fn(&mut Facts, Value) -> serde_json::Result<()>,
}

const fn resource(
    plural: &'static str,
    kind: &'static str,
    short: &'static str,
    add: fn(&mut Facts, Value) -> serde_json::Result<()>,
) -> Resource {
    Resource {
        plural,
        kind,
        short,
        add,
    }
}

/// Converts an object and adds what it holds to a list.
fn add<K: DeserializeOwned, T>(
    list: &mut Vec<T>,
    object: Value,
    convert: impl FnOnce(K) -> T,
) -> serde_json::Result<()> {
    list.push(convert(serde_json::from_value(object)?));
    Ok(())
}

/// The same where an object holds none or several.
fn add_each<K: DeserializeOwned, I: IntoIterator>(
    list: &mut Vec<I::Item>,
    object: Value,
    convert: impl FnOnce(K) -> I,
) -> serde_json::Result<()> {
    list.extend(convert(serde_json::from_value(object)?));
    Ok(())
}

const RESOURCES: &[Resource] = &[
    resource(
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        "pvc",
        |facts, object| {
            add(&mut facts.claims, object, |claim: core::PersistentVolumeClaim| {
                Claim::from(claim)
            })
        },
    ),
    resource("persistentvolumes", "PersistentVolume", "pv", |facts, object| {
        add(&mut facts.volumes, object, |volume: core::PersistentVolume| {
            Volume::from(volume)
        })
    }),
    resource("storageclasses", "StorageClass", "sc", |facts, object| {
        add(&mut facts.classes, object, |class: StorageClass| Class::from(class))
    }),
    resource("pods", "Pod", "po", |facts, object| {
        add_each(&mut facts.pods, object, Pod::read)
    }),
    resource("deployments", "Deployment", "deploy", |facts, object| {
        add(&mut facts.workloads, object, |one: Deployment| Workload::from(one))
    }),
    resource("statefulsets", "StatefulSet", "sts", |facts, object| {
        add(&mut facts.workloads, object, |one: StatefulSet| Workload::from(one))
    }),
    resource("daemonsets", "DaemonSet", "ds", |facts, object| {
        add(&mut facts.workloads, object, |one: DaemonSet| Workload::from(one))
    }),
    resource("nodes", "Node", "no", |facts, object| {
        add(&mut facts.nodes, object, |node: core::Node| Node::from(node))
    }),
    resource("events", "Event", "ev", |facts, object| {
        add(&mut facts.events, object, |event: core::Event| Event::from(event))
    }),
    resource("csidrivers", "CSIDriver", "csidriver", |facts, object| {
        add_each(&mut facts.csi_drivers, object, |driver: CSIDriver| driver.metadata.name)
    }),
    resource("csinodes", "CSINode", "csinode", |facts, object| {
        add(&mut facts.csi_nodes, object, |node: CSINode| {
            let drivers = node.spec.drivers.into_iter().map(|driver| driver.name).collect();
            (node.metadata.name.unwrap_or_default(), drivers)
        })
    }),
    resource("leases", "Lease", "lease", |facts, object| {
        add(&mut facts.locks, object, |lease: Lease| Lock::from(lease))
    }),
    resource("limitranges", "LimitRange", "limits", |facts, object| {
        add_each(&mut facts.limits, object, Limit::read)
    }),
    resource("endpoints", "Endpoints", "ep", |facts, object| {
        add_each(&mut facts.locks, object, Lock::on_endpoints)
    }),
    resource(
        "subjectaccessreviews",
        "SubjectAccessReview",
        "subjectaccessreview",
        |facts, object| add_each(&mut facts.rights, object, right),
    ),
    resource("namespaces", "Namespace", "ns", |facts, object| {
        let namespace: core::Namespace = serde_json::from_value(object)?;
        let is_sent = namespace.metadata.self_link.is_some_and(|link| !link.is_empty());
        facts.self_link = Some(is_sent || facts.self_link == Some(true));
        Ok(())
    }),
];

fn find(is_wanted: impl Fn(&Resource) -> bool) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| is_wanted(resource))
}

/// Collects facts from objects.
#[derive(Default)]
struct Collector {
    facts: Facts,
    /// The plurals of the lists that were there, even if they were empty.
    listed: BTreeSet<&'static str>,
    /// The time that a dump is of.
    at: Option<Timestamp>,
}

impl Collector {
    /// Adds an object; one of a list of a single kind may not say its kind itself.
    fn add(&mut self, object: Value, of_list: Option<&'static Resource>) -> Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default();
        let Some(resource) = find(|resource| resource.kind == kind).or(of_list) else {
            return Ok(());
        };
        self.listed.insert(resource.plural);
        let name = object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or("?")
            .to_owned();
        let added = (resource.add)(&mut self.facts, object);
        added.with_context(|| format!("cannot read {} {name}", resource.kind))
    }

    /// The facts, in the order in which a cluster is read.
    fn finish(mut self, namespace: Option<&str>) -> (Facts, BTreeSet<&'static str>, Option<Timestamp>) {
        let facts = &mut self.facts;
        facts.namespace = namespace.map(str::to_owned);
        let is_here = |found: &str| namespace.is_none_or(|namespace| namespace == found);
        facts.claims.retain(|claim| is_here(&claim.namespace));
        facts
            .pods
            .retain(|pod| is_here(&pod.namespace) || !pod.containers.is_empty());
        let workloads = std::mem::take(&mut facts.workloads).into_iter();
        let workloads = workloads.map(|workload| workload.without_foreign_templates(namespace));
        facts.workloads = workloads.filter(Workload::is_of_interest).collect();
        let place = |workload: &Workload| {
            let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
            kinds.iter().position(|kind| *kind == workload.kind)
        };
        facts.workloads.sort_by_key(place);
        facts.add_bare_provisioners();
        facts.events.sort_by_key(|event| event.last);
        facts.locks.sort_by_key(|lock| lock.kind != "Lease");
        (self.facts, self.listed, self.at)
    }
}

/// Reads a dump, or any directory of `kubectl get -o json` output, and the time that it is of.
///
/// # Errors
/// When the directory or a file in it can't be read, or holds nothing of Kubernetes.
pub fn read(directory: &Path, namespace: Option<&str>) -> Result<(Facts, Timestamp)> {
    let mut collector = Collector::default();
    let mut logs = Vec::new();
    for path in files(directory)? {
        if path.extension().is_some_and(|extension| extension == "log") {
            logs.extend(log(&path)?);
        } else {
            read_file(&path, &mut collector)?;
        }
    }
    if collector.listed.is_empty() {
        bail!(
            "{} holds no output of kubectl get -o json; nfsprov doctor --dump writes what is needed",
            directory.display()
        );
    }
    let (mut facts, listed, at) = collector.finish(namespace);
    facts.logs = logs;
    let mut missing: Vec<&str> = RESOURCES.iter().map(|resource| resource.plural).collect();
    // These are asked for only in some clusters.
    missing.retain(|plural| !listed.contains(plural) && !matches!(*plural, "endpoints" | "subjectaccessreviews"));
    if facts.version.is_empty() {
        missing.push("version");
    }
    if facts.rights.is_empty() && !questions(&facts).is_empty() {
        missing.push("subjectaccessreviews");
    }
    if facts.logs.is_empty() && !provisioners::all(&facts).is_empty() {
        missing.push("pods/log");
    }
    facts.unread.extend(missing.into_iter().map(|what| Unread {
        what: what.to_owned(),
        why: format!("not in {}", directory.display()),
        forbidden: false,
    }));
    let at = at.or_else(|| newest(&facts)).unwrap_or_else(Timestamp::now);
    Ok((facts, at))
}

/// The facts in objects as kubectl prints them.
///
/// # Errors
/// Which object can't be read, and why.
#[cfg(test)]
pub(crate) fn assemble(objects: Vec<Value>, namespace: Option<&str>) -> Result<Facts> {
    let mut collector = Collector::default();
    for object in objects {
        collector.add(object, None)?;
    }
    Ok(collector.finish(namespace).0)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in [directory.to_owned(), directory.join("logs")] {
        let Ok(entries) = fs::read_dir(&folder) else {
            if folder == directory {
                bail!("cannot read {}: is it a directory?", directory.display());
            }
            continue;
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let wanted = |path: &PathBuf| {
            path.extension()
                .is_some_and(|extension| extension == "json" || extension == "log")
        };
        found.extend(paths.filter(wanted));
    }
    found.sort();
    Ok(found)
}

/// A log called `NAMESPACE_POD.log`.
fn log(path: &Path) -> Result<Option<Log>> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let Some((namespace, pod)) = stem.split_once('_') else {
        return Ok(None);
    };
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(Log {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        text,
    }))
}

fn read_file(path: &Path, collector: &mut Collector) -> Result<()> {
    /// How much of a file is read at a time.
    const BUFFER: usize = 1 << 20;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let by_name = find(|one| stem == one.plural || stem == one.short || Some(stem) == one.plural.strip_suffix('s'));
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(BUFFER, file));
    let mut document = Document {
        collector,
        by_name,
        error: None,
    };
    let read = document.deserialize(&mut json).and_then(|()| json.end());
    if let Some(error) = document.error {
        return Err(error.context(format!("in {}", path.display())));
    }
    read.map_err(|error| match error.is_io() {
        true => anyhow!("cannot read {}: {error}", path.display()),
        false => anyhow!(
            "{} is not JSON as kubectl get -o json writes it: {error}",
            path.display()
        ),
    })
}

/// A file: a list, a single object, or the version. Fields may come in any order.
struct Document<'a> {
    collector: &'a mut Collector,
    /// The resource after which the file is called.
    by_name: Option<&'static Resource>,
    /// Why an object can't be read, which serde's own error would not tell whole.
    error: Option<anyhow::Error>,
}

impl<'de> DeserializeSeed<'de> for &mut Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of Kubernetes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut fields = Map::new();
        let mut kindless: Option<Vec<Value>> = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "items" {
                fields.insert(key, map.next_value()?);
                continue;
            }
            let mut items = Items {
                of_list: of_list(&fields).or(self.by_name),
                kindless: Vec::new(),
                document: self,
            };
            map.next_value_seed(&mut items)?;
            kindless = Some(items.kindless);
        }
        let version = fields
            .get("serverVersion")
            .and_then(|version| version.get("gitVersion"));
        if let Some(version) = version.or(fields.get("gitVersion")).and_then(Value::as_str) {
            version.clone_into(&mut self.collector.facts.version);
            let at = fields.get("at").and_then(Value::as_str);
            self.collector.at = at.and_then(|time| time.parse().ok());
            return Ok(());
        }
        let Some(kindless) = kindless else {
            return self.add(Value::Object(fields), None);
        };
        let of_list = of_list(&fields).or(self.by_name);
        self.collector.listed.extend(of_list.map(|resource| resource.plural));
        kindless.into_iter().try_for_each(|item| self.add(item, of_list))
    }
}

/// The resource of a list such as `NodeList`.
fn of_list(fields: &Map<String, Value>) -> Option<&'static Resource> {
    let kind = fields.get("kind")?.as_str()?.strip_suffix("List")?;
    find(|resource| resource.kind == kind)
}

impl Document<'_> {
    fn add<E: serde::de::Error>(&mut self, object: Value, of_list: Option<&'static Resource>) -> Result<(), E> {
        self.collector.add(object, of_list).map_err(|error| {
            self.error = Some(error);
            E::custom("an object can't be read")
        })
    }
}

/// The items of a list, each added as soon as it is read.
struct Items<'a, 'b> {
    document: &'a mut Document<'b>,
    of_list: Option<&'static Resource>,
    /// Items without a kind, whose list has not told its kind yet.
    kindless: Vec<Value>,
}

impl<'de> DeserializeSeed<'de> for &mut Items<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Items<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Value>()? {
            match item.get("kind").is_none() && self.of_list.is_none() {
                true => self.kindless.push(item),
                false => self.document.add(item, self.of_list)?,
            }
        }
        Ok(())
    }
}

fn right(review: SubjectAccessReview) -> Option<Right> {
    let user = review.spec.user?;
    let (namespace, account) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let asked = review.spec.resource_attributes?;
    Some(Right {
        namespace: namespace.to_owned(),
        account: account.to_owned(),
        group: asked.group.unwrap_or_default(),
        resource: match (asked.resource.unwrap_or_default(), asked.subresource) {
            (resource, Some(subresource)) if !subresource.is_empty() => format!("{resource}/{subresource}"),
            (resource, _) => resource,
        },
        within: asked.namespace.filter(|namespace| !namespace.is_empty()),
        verb: asked.verb.unwrap_or_default(),
        allowed: review.status.is_some_and(|status| status.allowed),
    })
}

/// How long the newest claim or pod of a dump without any later time is taken to have waited.
const WAITED: SignedDuration = SignedDuration::from_mins(5);

/// The latest time that the API server or the control plane wrote: the dump can't be much younger, since claims that
/// wait are spoken of every few seconds. Other components write times by their nodes' clocks, which may be wrong.
fn newest(facts: &Facts) -> Option<Timestamp> {
    const COMPONENTS: [&str; 5] = [
        "persistentvolume-controller",
        "default-scheduler",
        "statefulset-controller",
        "replicaset-controller",
        "node-controller",
    ];
    let events = facts
        .events
        .iter()
        .filter(|event| COMPONENTS.contains(&event.component.as_str()));
    let locks = facts.locks.iter().filter(|lock| lock.namespace == "kube-system");
    let written = events
        .filter_map(|event| event.last)
        .chain(locks.filter_map(|lock| lock.renewed))
        .max();
    let claims = facts.claims.iter().filter_map(|claim| claim.created);
    let volumes = facts.volumes.iter().filter_map(|volume| volume.created);
    let pods = facts.pods.iter().filter_map(|pod| pod.created);
    let created = claims.chain(volumes).chain(pods).max();
    let last_event = || facts.events.iter().filter_map(|event| event.last).max();
    let renewed = facts.locks.iter().filter_map(|lock| lock.renewed).max();
    match created {
        // Nothing was written later. Who makes a dump has waited for a while.
        Some(created) if written.max(renewed) < Some(created) => created.checked_add(WAITED).ok(),
        _ => written.max(created).or_else(last_event),
    }
}
