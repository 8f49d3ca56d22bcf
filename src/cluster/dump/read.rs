//! Reads a dump into `ClusterSnapshot`, object by object: a list of 100,000 objects is never in memory as a whole.
//! `Collector` adds them to the snapshot; no cluster is asked.

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
use k8s_openapi::api::events::v1 as events;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::cluster::provisioners;
use crate::cluster::snapshot::{ClusterSnapshot, Log, Questions, SnapshotObject};

/// A resource: its plural, its kind, its short name for kubectl, and how an object of it is added to the snapshot.
struct Resource {
    plural: &'static str,
    kind: &'static str,
    short: &'static str,
    add: fn(&mut ClusterSnapshot, &Value) -> serde_json::Result<()>,
}

/// The row of the kind `K`, whose short name for kubectl is `short`.
const fn resource<K: k8s_openapi::Resource + SnapshotObject + DeserializeOwned>(short: &'static str) -> Resource {
    Resource {
        plural: K::URL_PATH_SEGMENT,
        kind: K::KIND,
        short,
        add: |snapshot, object| {
            K::deserialize(object)?.add_to(snapshot);
            Ok(())
        },
    }
}

const RESOURCES: &[Resource] = &[
    resource::<core::PersistentVolumeClaim>("pvc"),
    resource::<core::PersistentVolume>("pv"),
    resource::<StorageClass>("sc"),
    resource::<core::Pod>("po"),
    resource::<Deployment>("deploy"),
    resource::<StatefulSet>("sts"),
    resource::<DaemonSet>("ds"),
    resource::<core::Node>("no"),
    Resource {
        add: add_event,
        ..resource::<core::Event>("ev")
    },
    resource::<CSIDriver>("csidriver"),
    resource::<CSINode>("csinode"),
    resource::<Lease>("lease"),
    resource::<core::LimitRange>("limits"),
    resource::<core::Endpoints>("ep"),
    resource::<SubjectAccessReview>("subjectaccessreview"),
    resource::<core::Namespace>("ns"),
];

/// Adds an event of the core group, or of events.k8s.io, which has the same kind and other fields.
fn add_event(snapshot: &mut ClusterSnapshot, object: &Value) -> serde_json::Result<()> {
    match object.get("regarding") {
        Some(_) => events::Event::deserialize(object)?.add_to(snapshot),
        None => core::Event::deserialize(object)?.add_to(snapshot),
    }
    Ok(())
}

fn find_resource(is_wanted: impl Fn(&Resource) -> bool) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| is_wanted(resource))
}

#[derive(Default)]
struct Collector {
    snapshot: ClusterSnapshot,
    /// The plurals of the lists that were there, even if they were empty.
    listed: BTreeSet<&'static str>,
    /// The time that a dump is of.
    at: Option<Timestamp>,
}

impl Collector {
    fn new(namespace: Option<&str>) -> Self {
        let mut collector = Self::default();
        collector.snapshot.namespace = namespace.map(str::to_owned);
        collector
    }

    /// Adds an object; `of_list` is its kind if it names no known one itself. Without either the object is ignored. One
    /// that can't be read is recorded as unread, with its name; its kind counts as listed all the same.
    fn add(&mut self, object: &Value, of_list: Option<&'static Resource>) {
        let kind = object["kind"].as_str().unwrap_or_default();
        let Some(resource) = find_resource(|resource| resource.kind == kind).or(of_list) else {
            return;
        };
        self.listed.insert(resource.plural);
        if let Err(error) = (resource.add)(&mut self.snapshot, object) {
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            let why = format!("{} {}: {error}", resource.kind, name.unwrap_or("without a name"));
            self.snapshot.record_unread(resource.plural, why);
        }
    }
}

/// Reads a dump, or any directory of `kubectl get -o json` output and logs, and the time when it was written: the
/// dump's own, else the latest time in it, else now. Kinds of objects without a file, and the version, are recorded as
/// unread (logs and access reviews only if a check needs them), and so are single objects that can't be read. Other
/// files than `.json` and `.log` are ignored. Claims and pods of other namespaces than `namespace` are dropped.
///
/// # Errors
/// When the directory or a file in it can't be read, a `.json` file is no JSON object, or no file has objects of
/// Kubernetes.
pub fn read(directory: &Path, namespace: Option<&str>, questions: Questions) -> Result<(ClusterSnapshot, Timestamp)> {
    let mut collector = Collector::new(namespace);
    for path in list_files(directory)? {
        if path.extension().is_some_and(|extension| extension == "log") {
            collector.snapshot.logs.extend(read_log(&path)?);
        } else {
            read_file(&path, &mut collector)?;
        }
    }
    if collector.listed.is_empty() {
        bail!(
            "{} has no output of kubectl get -o json; nfsprov doctor --dump writes such files",
            directory.display()
        );
    }
    let Collector {
        mut snapshot,
        listed,
        at,
    } = collector;
    snapshot.complete_snapshot();
    let mut missing: Vec<&str> = RESOURCES.iter().map(|resource| resource.plural).collect();
    // These are asked for only in some clusters.
    missing.retain(|plural| !listed.contains(plural) && !matches!(*plural, "endpoints" | "subjectaccessreviews"));
    if snapshot.version.is_empty() {
        missing.push("version");
    }
    if snapshot.rights.is_empty() && !questions(&snapshot).is_empty() {
        missing.push("subjectaccessreviews");
    }
    if snapshot.logs.is_empty() && !provisioners::find_provisioners(&snapshot).is_empty() {
        missing.push("pods/log");
    }
    for what in missing {
        snapshot.record_unread(what, format!("not in {}", directory.display()));
    }
    let at = at.or_else(|| latest_time(&snapshot)).unwrap_or_else(Timestamp::now);
    Ok((snapshot, at))
}

/// The complete snapshot of objects as kubectl prints them. Objects of unknown kinds are ignored; kinds without an
/// object do not count as unread.
#[cfg(test)]
pub(crate) fn assemble(objects: Vec<Value>, namespace: Option<&str>) -> ClusterSnapshot {
    let mut collector = Collector::new(namespace);
    objects.iter().for_each(|object| collector.add(object, None));
    collector.snapshot.complete_snapshot();
    collector.snapshot
}

/// The JSON files and logs of a directory and of its folders, such as `logs`, or those of namespaces that `kubectl
/// cluster-info dump` makes, sorted; an error only if the directory can't be read.
fn list_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let paths = |folder: &Path| -> std::io::Result<Vec<PathBuf>> {
        Ok(fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect())
    };
    let Ok(mut found) = paths(directory) else {
        bail!("cannot read {}: is it a directory?", directory.display());
    };
    let folders: Vec<PathBuf> = found.iter().filter(|path| path.is_dir()).cloned().collect();
    // A folder that can't be read holds nothing that was meant for the doctor.
    found.extend(folders.iter().filter_map(|folder| paths(folder).ok()).flatten());
    let is_wanted = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("json" | "log")) && !path.is_dir()
    };
    found.retain(is_wanted);
    found.sort();
    Ok(found)
}

/// Reads a log called `NAMESPACE_POD_CONTAINER.log`, or without the container, as earlier dumps have it; `None` if it
/// has another name, an error if it can't be read or is not UTF-8. No name of Kubernetes has a `_`.
fn read_log(path: &Path) -> Result<Option<Log>> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let Some((namespace, pod)) = stem.split_once('_') else {
        return Ok(None);
    };
    let (pod, container) = pod.split_once('_').unwrap_or((pod, ""));
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(Log {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: container.to_owned(),
        text,
    }))
}

/// Adds the objects of a JSON file to the collector. Those of a list that don't name their kind are of the kind that
/// the list names, else of the one that the file is called after. An error if the file can't be read or is no JSON
/// object; the objects before it are then added.
fn read_file(path: &Path, collector: &mut Collector) -> Result<()> {
    /// How much of a file is read at a time.
    const BUFFER: usize = 1 << 20;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let by_name =
        find_resource(|one| stem == one.plural || stem == one.short || Some(stem) == one.plural.strip_suffix('s'));
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(BUFFER, file));
    let read = json
        .deserialize_map(Document { collector, by_name })
        .and_then(|()| json.end());
    read.map_err(|error| match error.is_io() {
        true => anyhow!("cannot read {}: {error}", path.display()),
        false => anyhow!(
            "{} is not JSON as kubectl get -o json writes it: {error}",
            path.display()
        ),
    })
}

/// A file: a list, a single object, or the version. Other fields than a list's kind may come in any order.
struct Document<'a> {
    collector: &'a mut Collector,
    /// The resource after which the file is called.
    by_name: Option<&'static Resource>,
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of Kubernetes")
    }

    /// Adds the object, or the items of the list, whose kind then counts as listed, even without items; of a version
    /// file, sets the version and the time, if it has one.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut fields = Map::new();
        let mut is_list = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                // A list whose items have no kind, as `kubectl get --raw` writes it, names its own kind before them.
                let of_list = resource_of_list(&fields).or(self.by_name);
                let collector = &mut *self.collector;
                map.next_value_seed(Items { collector, of_list })?;
                is_list = true;
            } else {
                fields.insert(key, map.next_value()?);
            }
        }
        let version = fields
            .get("serverVersion")
            .and_then(|version| version.get("gitVersion"));
        if let Some(version) = version.or(fields.get("gitVersion")).and_then(Value::as_str) {
            version.clone_into(&mut self.collector.snapshot.version);
            let at = fields.get("at").and_then(Value::as_str);
            let at = at.and_then(|time| time.parse().ok());
            // kubectl's file has no time.
            self.collector.at = at.or(self.collector.at);
        } else if is_list {
            let of_list = resource_of_list(&fields).or(self.by_name);
            self.collector.listed.extend(of_list.map(|resource| resource.plural));
        } else {
            self.collector.add(&Value::Object(fields), None);
        }
        Ok(())
    }
}

/// The resource of a list such as `NodeList`; `None` for other objects and unknown kinds.
fn resource_of_list(fields: &Map<String, Value>) -> Option<&'static Resource> {
    let kind = fields.get("kind")?.as_str()?.strip_suffix("List")?;
    find_resource(|resource| resource.kind == kind)
}

/// The items of a list, each added as soon as it is read.
struct Items<'a> {
    collector: &'a mut Collector,
    of_list: Option<&'static Resource>,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    /// Adds each item to the collector as soon as it is read; an error only if the JSON is malformed.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Value>()? {
            self.collector.add(&item, self.of_list);
        }
        Ok(())
    }
}

/// How long the newest claim or pod of a dump without any later time is taken to have waited.
const WAITED: SignedDuration = SignedDuration::from_mins(5);

/// The latest time that the API server or the control plane wrote: the dump can't be much younger, since events about
/// Pending claims are repeated every few seconds. If that is when an object was created, and no lock was renewed since,
/// [`WAITED`] later. Other components write times by their nodes' clocks, which may be wrong; they count only if there
/// is no other. `None` if there is no time at all.
fn latest_time(snapshot: &ClusterSnapshot) -> Option<Timestamp> {
    const COMPONENTS: [&str; 5] = [
        "persistentvolume-controller",
        "default-scheduler",
        "statefulset-controller",
        "replicaset-controller",
        "node-controller",
    ];
    let events = snapshot
        .events
        .iter()
        .filter(|event| COMPONENTS.contains(&event.component.as_str()));
    let locks = snapshot.locks.iter().filter(|lock| lock.namespace == "kube-system");
    let written = events
        .filter_map(|event| event.last)
        .chain(locks.filter_map(|lock| lock.renewed))
        .max();
    let claims = snapshot.claims.iter().filter_map(|claim| claim.created);
    let volumes = snapshot.volumes.iter().filter_map(|volume| volume.created);
    let pods = snapshot.pods.iter().filter_map(|pod| pod.created);
    let created = claims.chain(volumes).chain(pods).max();
    let last_event = || snapshot.events.iter().filter_map(|event| event.last).max();
    let renewed = snapshot.locks.iter().filter_map(|lock| lock.renewed).max();
    match created {
        // Nothing was written later; users have waited for a while before they write a dump.
        Some(created) if written.max(renewed) < Some(created) => created.checked_add(WAITED).ok(),
        _ => written.max(created).or_else(last_event),
    }
}
