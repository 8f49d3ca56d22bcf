//! What was read, as files: `kubectl get -o json` and logs; and the same read back, without a cluster.
//!
//! Secrets are never read. Values of environment variables are left out, but for those that say which provisioner
//! serves what.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::checks::questions;
use super::facts::{Claim, Class, Event, Facts, Limit, Lock, Log, Node, Pod, Right, Unread, Volume, Workload};
use super::provisioners;

/// The resources of a dump: plural, kind, and what kubectl calls it in short.
const RESOURCES: [(&str, &str, &str); 16] = [
    ("persistentvolumeclaims", "PersistentVolumeClaim", "pvc"),
    ("persistentvolumes", "PersistentVolume", "pv"),
    ("storageclasses", "StorageClass", "sc"),
    ("pods", "Pod", "po"),
    ("deployments", "Deployment", "deploy"),
    ("statefulsets", "StatefulSet", "sts"),
    ("daemonsets", "DaemonSet", "ds"),
    ("nodes", "Node", "no"),
    ("events", "Event", "ev"),
    ("csidrivers", "CSIDriver", "csidriver"),
    ("csinodes", "CSINode", "csinode"),
    ("leases", "Lease", "lease"),
    ("limitranges", "LimitRange", "limits"),
    ("endpoints", "Endpoints", "ep"),
    ("subjectaccessreviews", "SubjectAccessReview", "subjectaccessreview"),
    ("namespaces", "Namespace", "ns"),
];

/// Where the version and the time of the dump are.
const ABOUT: &str = "dump.json";

/// What is being kept.
#[derive(Debug, Default)]
pub struct Dump {
    lists: BTreeMap<String, Vec<Value>>,
    logs: Vec<Log>,
}

impl Dump {
    /// A list that will be there, even if it is empty.
    pub fn begin(&mut self, what: &str) {
        self.lists.entry(what.to_owned()).or_default();
    }

    /// A list that could not be read.
    pub fn forget(&mut self, what: &str) {
        self.lists.remove(what);
    }

    /// Keeps an object, without what is nobody's business.
    pub fn add(&mut self, what: &str, object: impl Serialize) {
        // Objects of the API can always be written as JSON.
        if let Ok(mut object) = serde_json::to_value(object) {
            redact(&mut object);
            self.lists.entry(what.to_owned()).or_default().push(object);
        }
    }

    /// Keeps a log.
    pub fn add_log(&mut self, log: &Log) {
        self.logs.push(log.clone());
    }

    /// Writes everything to a directory, which is made if it is missing.
    ///
    /// # Errors
    /// When a file can't be written, or the directory holds something already.
    pub fn write(&self, directory: &Path, version: &str, now: Timestamp) -> Result<Vec<PathBuf>> {
        let cannot = || format!("cannot write {}", directory.display());
        fs::create_dir_all(directory.join("logs")).with_context(cannot)?;
        let there = fs::read_dir(directory).with_context(cannot)?.count();
        if there > 1 || fs::read_dir(directory.join("logs")).with_context(cannot)?.count() > 0 {
            bail!(
                "{} is not empty; name another directory for the dump",
                directory.display()
            );
        }
        let mut written = Vec::new();
        let mut write = |name: String, text: String| -> Result<()> {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            written.push(path);
            Ok(())
        };
        let about = json!({"serverVersion": {"gitVersion": version}, "at": now});
        write(ABOUT.to_owned(), serde_json::to_string_pretty(&about)? + "\n")?;
        for (what, items) in &self.lists {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            write(format!("{what}.json"), serde_json::to_string_pretty(&list)? + "\n")?;
        }
        for log in &self.logs {
            write(format!("logs/{}_{}.log", log.namespace, log.pod), log.text.clone())?;
        }
        Ok(written)
    }
}

/// Takes out values of environment variables, and copies of objects that hold them.
fn redact(value: &mut Value) {
    let harmless =
        |name: &str| name.starts_with("NFS_") || matches!(name, "PROVISIONER_NAME" | "ENABLE_LEADER_ELECTION");
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                for variable in variables.iter_mut().filter_map(Value::as_object_mut) {
                    let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
                    if !harmless(name) {
                        variable.remove("value");
                    }
                }
            }
            fields.values_mut().for_each(redact);
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// Reads a dump, or any directory of `kubectl get -o json` output, and the time that it is of.
///
/// # Errors
/// When the directory or a file in it can't be read, or nothing in it is Kubernetes'.
pub fn read(directory: &Path, namespace: Option<&str>) -> Result<(Facts, Timestamp)> {
    let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut facts = Facts {
        namespace: namespace.map(str::to_owned),
        ..Facts::default()
    };
    let mut at = None;
    for path in files(directory)? {
        if path.extension().is_some_and(|extension| extension == "log") {
            facts.logs.extend(log(&path)?);
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON, as kubectl get -o json writes it", path.display()))?;
        let version = value
            .pointer("/serverVersion/gitVersion")
            .or_else(|| value.get("gitVersion"));
        if let Some(version) = version.and_then(Value::as_str) {
            version.clone_into(&mut facts.version);
            at = value["at"].as_str().and_then(|time| time.parse().ok());
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        take(value, stem, &mut lists);
    }
    if lists.is_empty() {
        bail!(
            "{} holds no output of kubectl get -o json; nfsprov doctor --dump writes what is needed",
            directory.display()
        );
    }
    for (plural, ..) in RESOURCES.iter().filter(|(plural, ..)| !lists.contains_key(plural)) {
        // What only some clusters have is asked for only there.
        if !matches!(*plural, "endpoints" | "subjectaccessreviews") {
            facts.unread.push(Unread {
                what: (*plural).to_owned(),
                why: format!("{plural} are not in {}", directory.display()),
                forbidden: false,
            });
        }
    }
    fill(&mut facts, lists, namespace).with_context(|| format!("in {}", directory.display()))?;
    let no_version = facts.version.is_empty();
    let unasked = facts.rights.is_empty() && !questions(&facts).is_empty();
    let unheard = facts.logs.is_empty() && !provisioners::all(&facts).is_empty();
    let mut lacks = |what: &str, lacking: bool| {
        if lacking {
            facts.unread.push(Unread {
                what: what.to_owned(),
                why: format!("not in {}", directory.display()),
                forbidden: false,
            });
        }
    };
    lacks("version", no_version);
    lacks("subjectaccessreviews", unasked);
    lacks("pods/log", unheard);
    let at = at.or_else(|| newest(&facts)).unwrap_or_else(Timestamp::now);
    Ok((facts, at))
}

/// The facts in objects as kubectl prints them.
///
/// # Errors
/// Which object can't be read, and why.
pub fn assemble(objects: Vec<Value>, namespace: Option<&str>) -> Result<Facts> {
    let mut lists = BTreeMap::new();
    for object in objects {
        take(object, "", &mut lists);
    }
    let mut facts = Facts {
        namespace: namespace.map(str::to_owned),
        ..Facts::default()
    };
    fill(&mut facts, lists, namespace)?;
    Ok(facts)
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

/// Sorts a list, or a single object, by kinds; an empty list is known by its file's name.
fn take(value: Value, stem: &str, lists: &mut BTreeMap<&'static str, Vec<Value>>) {
    let by = |test: &dyn Fn(&(&str, &str, &str)) -> bool| RESOURCES.iter().find(|row| test(row)).map(|row| row.0);
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    let listed = by(&|row| kind.strip_suffix("List") == Some(row.1));
    let named = by(&|row| stem == row.0 || stem == row.2 || Some(stem) == row.0.strip_suffix('s'));
    let items = match value {
        Value::Object(mut fields) => match fields.remove("items") {
            Some(Value::Array(items)) => {
                if let Some(plural) = listed.or(named) {
                    lists.entry(plural).or_default();
                }
                items
            }
            _ => vec![Value::Object(fields)],
        },
        _ => return,
    };
    for item in items {
        let kind = item["kind"].as_str().unwrap_or_default().to_owned();
        if let Some(plural) = by(&|row| row.1 == kind).or(listed) {
            lists.entry(plural).or_default().push(item);
        }
    }
}

fn fill(facts: &mut Facts, mut lists: BTreeMap<&str, Vec<Value>>, namespace: Option<&str>) -> Result<()> {
    let mut of = |plural: &str| lists.remove(plural).unwrap_or_default();
    let here = |found: &str| namespace.is_none_or(|namespace| namespace == found);
    facts.claims = each(of("persistentvolumeclaims"), |claim: core::PersistentVolumeClaim| {
        [Claim::from(claim)]
    })?;
    facts.claims.retain(|claim| here(&claim.namespace));
    facts.volumes = each(of("persistentvolumes"), |volume: core::PersistentVolume| {
        [Volume::from(volume)]
    })?;
    facts.classes = each(of("storageclasses"), |class: StorageClass| [Class::from(class)])?;
    facts.pods = each(of("pods"), Pod::read)?;
    facts
        .pods
        .retain(|pod| here(&pod.namespace) || !pod.containers.is_empty());
    let deployments = each(of("deployments"), |one: Deployment| [Workload::from(one)])?;
    let sets = each(of("statefulsets"), |one: StatefulSet| [Workload::from(one)])?;
    let daemons = each(of("daemonsets"), |one: DaemonSet| [Workload::from(one)])?;
    let workloads = deployments.into_iter().chain(sets).chain(daemons);
    facts.workloads = workloads
        .map(|workload| workload.without_foreign_templates(namespace))
        .filter(provisioners::is_of_interest)
        .collect();
    facts.add_bare_provisioners();
    facts.nodes = each(of("nodes"), |node: core::Node| [Node::from(node)])?;
    facts.events = each(of("events"), |event: core::Event| [Event::from(event)])?;
    facts.events.sort_by_key(|event| event.last);
    facts.csi_drivers = each(of("csidrivers"), |driver: CSIDriver| driver.metadata.name)?;
    facts.csi_nodes = each(of("csinodes"), |node: CSINode| {
        let drivers = node.spec.drivers.into_iter().map(|driver| driver.name).collect();
        [(node.metadata.name.unwrap_or_default(), drivers)]
    })?;
    facts.locks = each(of("leases"), |lease: Lease| [Lock::from(lease)])?;
    facts.locks.extend(each(of("endpoints"), Lock::on_endpoints)?);
    facts.limits = each(of("limitranges"), Limit::read)?;
    facts.rights = each(of("subjectaccessreviews"), right)?;
    let links = each(of("namespaces"), |namespace: core::Namespace| {
        [namespace.metadata.self_link]
    })?;
    facts.self_link = (!links.is_empty()).then(|| links.iter().flatten().any(|link| !link.is_empty()));
    Ok(())
}

fn each<K: DeserializeOwned, T, I: IntoIterator<Item = T>>(items: Vec<Value>, read: impl Fn(K) -> I) -> Result<Vec<T>> {
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let name = item
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or("?")
            .to_owned();
        let kind = item["kind"].as_str().unwrap_or("object").to_owned();
        let object = serde_json::from_value(item).with_context(|| format!("{kind} {name} can't be read"))?;
        found.extend(read(object));
    }
    Ok(found)
}

fn right(review: SubjectAccessReview) -> Option<Right> {
    let user = review.spec.user?;
    let (namespace, account) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let asked = review.spec.resource_attributes?;
    Some(Right {
        namespace: namespace.to_owned(),
        account: account.to_owned(),
        group: asked.group.unwrap_or_default(),
        resource: asked.resource.unwrap_or_default(),
        within: asked.namespace.filter(|namespace| !namespace.is_empty()),
        verb: asked.verb.unwrap_or_default(),
        allowed: review.status.is_some_and(|status| status.allowed),
    })
}

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
        .chain(locks.filter_map(|lock| lock.renewed));
    let claims = facts.claims.iter().filter_map(|claim| claim.created);
    let volumes = facts.volumes.iter().filter_map(|volume| volume.created);
    let pods = facts.pods.iter().filter_map(|pod| pod.created);
    let any = || facts.events.iter().filter_map(|event| event.last).max();
    written.chain(claims).chain(volumes).chain(pods).max().or_else(any)
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;
