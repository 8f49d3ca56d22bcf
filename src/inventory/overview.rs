//! Selects a cluster's claims, volumes, classes and provisioners that use NFS (PURE). The main function is
//! [`build_overview`].

mod leaders;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PodTemplateSpec};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use self::leaders::HeldLeases;
use super::amount;
use super::place::{nfs_location, volume_name};
use crate::export::{Usage, VolumeUsage};
use crate::provisioner::class::{self, waits_for_consumer};
use crate::provisioner::volume::PROVISIONED_BY;
use crate::provisioner::{DEFAULT_NAME, claim};

/// The names under which provisioners of NFS directories are known.
const KNOWN: [&str; 3] = [
    DEFAULT_NAME,
    "fuseim.pri/ifs",
    "k8s-sigs.io/nfs-subdir-external-provisioner",
];

/// The marks of the class for claims that name none, of which one is enough.
const DEFAULT_CLASS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// The objects of a cluster; others than those that use NFS may be among them.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub claims: Vec<PersistentVolumeClaim>,
    /// NFS volumes only.
    pub volumes: Vec<PersistentVolume>,
    pub classes: Vec<StorageClass>,
    pub workloads: Vec<Workload>,
    pub leases: Vec<Lease>,
    /// The namespace of the claims; `None` for all namespaces.
    pub namespace: Option<String>,
    /// The data of measured volumes, by the PV's name.
    pub holdings: HashMap<String, Holds>,
    /// What limited volumes use of their limits, by the PV's name, as far as it is known.
    pub quotas: HashMap<String, VolumeUsage>,
}

/// A Deployment, StatefulSet or DaemonSet that may run a provisioner.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    kind: &'static str,
    namespace: String,
    name: String,
    ready: i32,
    wanted: i32,
    template: PodTemplateSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// The claims on NFS volumes, and pending claims that may get one.
    pub claims: Vec<Claim>,
    /// The NFS volumes of these claims, and those without a claim.
    pub volumes: Vec<Volume>,
    /// The classes whose volumes are on NFS.
    pub classes: Vec<Class>,
    pub provisioners: Vec<Provisioner>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    pub namespace: String,
    pub name: String,
    /// `Pending`, `Bound` or `Lost`.
    pub phase: String,
    /// The requested size.
    pub size: String,
    /// Its PV's name, empty if it has none.
    pub volume: String,
    /// Its class' name, empty if it names none.
    pub class: String,
    /// The access modes that it requests, as Kubernetes writes them.
    pub access_modes: Vec<String>,
    pub created: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    pub name: String,
    /// `Available`, `Bound`, `Released` or `Failed`.
    pub phase: String,
    /// Its capacity.
    pub size: String,
    pub reclaim_policy: String,
    /// Its class' name, empty if it has none.
    pub class: String,
    /// Its access modes, as Kubernetes writes them.
    pub access_modes: Vec<String>,
    pub created: Option<Timestamp>,
    pub server: String,
    pub path: String,
    /// The claim in its claimRef, as `namespace/name`: it has, had or will have the volume.
    pub claim: Option<String>,
    /// Its provisioner; `None` if it was made by hand.
    pub provisioner: Option<String>,
    /// The reason of its phase, if the cluster gives one.
    pub message: Option<String>,
    /// Its data, if it was measured.
    pub holds: Option<Holds>,
    /// What it uses of its limit, if it has one and the server was asked.
    pub quota: Option<VolumeUsage>,
}

/// The data in a directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Holds {
    Data {
        /// Bytes taken on the server.
        bytes: u64,
        /// The number of files and links.
        files: u64,
        /// Whether a part could not be counted.
        #[serde(rename = "partly")]
        is_incomplete: bool,
    },
    /// The directory does not exist.
    Missing,
    /// The directory can't be read; the sentence says why.
    Unreadable(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Class {
    pub name: String,
    pub provisioner: String,
    /// Whether claims without a class get it.
    pub default: bool,
    pub reclaim_policy: String,
    pub binding_mode: String,
    /// What happens to directories of deleted volumes; `None` if the parameters are invalid.
    pub on_delete: Option<String>,
    pub path_pattern: Option<String>,
}

/// A provisioner of NFS volumes, as far as the cluster's objects show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provisioner {
    /// Its name, as in the classes.
    pub name: String,
    /// Its workload in the cluster, as `deployment/name`; it may run outside the cluster, too.
    pub workload: Option<String>,
    /// The workload's namespace.
    pub namespace: Option<String>,
    /// The number of ready pods.
    pub ready: i32,
    /// The number of requested pods.
    pub wanted: i32,
    pub image: Option<String>,
    /// The holder of its Lease, with the age of the last renewal if that is old.
    pub leader: Option<String>,
}

impl From<Deployment> for Workload {
    fn from(object: Deployment) -> Self {
        let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
        let ready = status.ready_replicas.unwrap_or_default();
        Self::new(
            "deployment",
            object.metadata,
            ready,
            spec.replicas.unwrap_or(1),
            spec.template,
        )
    }
}

impl From<StatefulSet> for Workload {
    fn from(object: StatefulSet) -> Self {
        let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
        let ready = status.ready_replicas.unwrap_or_default();
        Self::new(
            "statefulset",
            object.metadata,
            ready,
            spec.replicas.unwrap_or(1),
            spec.template,
        )
    }
}

impl From<DaemonSet> for Workload {
    fn from(object: DaemonSet) -> Self {
        let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
        let (ready, wanted) = (status.number_ready, status.desired_number_scheduled);
        Self::new("daemonset", object.metadata, ready, wanted, spec.template)
    }
}

impl Workload {
    fn new(kind: &'static str, metadata: ObjectMeta, ready: i32, wanted: i32, template: PodTemplateSpec) -> Self {
        Self {
            kind,
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            ready,
            wanted,
            template,
        }
    }

    /// The provisioner's name and image, if a container runs one: the first with a literal variable PROVISIONER_NAME
    /// whose value is one of `known_names`, or that has NFS_SERVER, an NFS mount in its pod, or `nfs` in its image.
    fn provisioner_and_image(&self, known_names: &BTreeSet<&str>) -> Option<(String, String)> {
        let spec = self.template.spec.as_ref()?;
        let on_nfs = spec.volumes.iter().flatten().any(|volume| volume.nfs.is_some());
        spec.containers.iter().find_map(|container| {
            let value = |wanted: &str| {
                let mut variables = container.env.iter().flatten();
                // Of several with one name the kubelet takes the last.
                let found = variables.rfind(|variable| variable.name == wanted)?;
                found.value.clone()
            };
            let image = container.image.clone().unwrap_or_default();
            let name = value("PROVISIONER_NAME")?;
            let nfs = on_nfs || image.contains("nfs") || value("NFS_SERVER").is_some();
            (nfs || known_names.contains(name.as_str())).then_some((name, image))
        })
    }
}

impl From<Usage> for Holds {
    fn from(usage: Usage) -> Self {
        Self::Data {
            bytes: usage.bytes,
            files: usage.files,
            is_incomplete: usage.is_incomplete,
        }
    }
}

impl Holds {
    /// The usage as text, such as `1.5Gi in 12 files`; a `+` means that a part could not be read.
    pub fn short_text(&self) -> String {
        match self {
            Self::Data {
                bytes,
                files,
                is_incomplete,
            } => {
                let more = if *is_incomplete { "+" } else { "" };
                let files = match files {
                    1 if !is_incomplete => "1 file".to_owned(),
                    files => format!("{files}{more} files"),
                };
                format!("{}{more} in {files}", amount::format_size(*bytes))
            }
            Self::Missing => "missing".to_owned(),
            Self::Unreadable(_) => "unreadable".to_owned(),
        }
    }
}

/// Selects the classes whose provisioner is known, runs or created a PV, the claims and volumes on NFS, and the
/// provisioners. Claims that are Lost or without a volume are selected, too, unless their class exists and is not one
/// of these. Volumes that are Bound in another namespace than that of `facts` are left out.
pub fn build_overview(facts: &Facts, now: Timestamp) -> Overview {
    let made = facts
        .volumes
        .iter()
        .filter_map(|volume| annotation_of(volume, PROVISIONED_BY));
    let mut names: BTreeSet<&str> = KNOWN.into_iter().chain(made).collect();
    let running: Vec<(String, String, &Workload)> = facts
        .workloads
        .iter()
        .filter_map(|workload| {
            let (name, image) = workload.provisioner_and_image(&names)?;
            Some((name, image, workload))
        })
        .collect();
    names.extend(running.iter().map(|(name, _, _)| name.as_str()));
    let classes: Vec<&StorageClass> = facts
        .classes
        .iter()
        .filter(|class| names.contains(class.provisioner.as_str()))
        .collect();
    let shown_claims = claim_rows(facts, &classes);
    let shown_volumes = volume_rows(facts, &shown_claims);
    Overview {
        volumes: shown_volumes,
        claims: shown_claims,
        provisioners: provisioner_rows(facts, &classes, &running, now),
        classes: class_rows(&classes),
    }
}

/// The claims on NFS volumes, and those without a volume or Lost, unless their class exists and is not one of
/// `classes`.
fn claim_rows(facts: &Facts, classes: &[&StorageClass]) -> Vec<Claim> {
    let on_nfs: BTreeSet<&str> = facts.volumes.iter().map(volume_name).collect();
    let elsewhere: BTreeSet<&str> = facts
        .classes
        .iter()
        .filter(|class| !classes.iter().any(|ours| ours.metadata.name == class.metadata.name))
        .filter_map(|class| class.metadata.name.as_deref())
        .collect();
    let row = |claim: &PersistentVolumeClaim| {
        let spec = claim.spec.as_ref();
        let volume = spec.and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default();
        let phase = claim
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .unwrap_or("Pending");
        let class = claim::class_name(claim).unwrap_or_default();
        let open = (volume.is_empty() || phase == "Lost") && !elsewhere.contains(class);
        if !(on_nfs.contains(volume) || open) {
            return None;
        }
        let requests = spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
        Some(Claim {
            namespace: claim.metadata.namespace.clone().unwrap_or_default(),
            name: claim.metadata.name.clone().unwrap_or_default(),
            phase: phase.to_owned(),
            size: requests.map(|size| size.0.clone()).unwrap_or_default(),
            volume: volume.to_owned(),
            class: class.to_owned(),
            access_modes: spec.and_then(|spec| spec.access_modes.clone()).unwrap_or_default(),
            created: claim.metadata.creation_timestamp.as_ref().map(|time| time.0),
        })
    };
    let mut rows: Vec<Claim> = facts.claims.iter().filter_map(row).collect();
    rows.sort();
    rows
}

/// The in-tree volumes, sorted by name, without those that are Bound to claims of other namespaces than the one that is
/// shown, unless a claim in `claims` names them.
fn volume_rows(facts: &Facts, claims: &[Claim]) -> Vec<Volume> {
    let claimed: BTreeSet<&str> = claims.iter().map(|claim| claim.volume.as_str()).collect();
    let row = |volume: &PersistentVolume| {
        let there = nfs_location(volume)?;
        let (spec, status) = (
            volume.spec.clone().unwrap_or_default(),
            volume.status.clone().unwrap_or_default(),
        );
        let name = volume_name(volume).to_owned();
        let phase = status.phase.unwrap_or_default();
        let reference = spec.claim_ref.as_ref();
        let foreign = facts.namespace.as_ref().is_some_and(|namespace| {
            phase == "Bound" && reference.and_then(|claim| claim.namespace.as_ref()) != Some(namespace)
        });
        if foreign && !claimed.contains(name.as_str()) {
            return None;
        }
        Some(Volume {
            phase,
            size: storage_capacity(&spec.capacity),
            reclaim_policy: spec.persistent_volume_reclaim_policy.unwrap_or_default(),
            class: spec.storage_class_name.unwrap_or_default(),
            access_modes: spec.access_modes.unwrap_or_default(),
            created: volume.metadata.creation_timestamp.as_ref().map(|time| time.0),
            server: there.server,
            path: there.path,
            claim: reference.and_then(|claim| Some(format!("{}/{}", claim.namespace.as_ref()?, claim.name.as_ref()?))),
            provisioner: annotation_of(volume, PROVISIONED_BY).map(str::to_owned),
            message: status.message.filter(|message| !message.is_empty()),
            holds: facts.holdings.get(&name).cloned(),
            quota: facts.quotas.get(&name).copied(),
            name,
        })
    };
    let mut rows: Vec<Volume> = facts.volumes.iter().filter_map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// The rows of classes, sorted by name. A class without a reclaim policy has Delete.
fn class_rows(classes: &[&StorageClass]) -> Vec<Class> {
    let row = |class: &&StorageClass| {
        let mut marks = class.metadata.annotations.iter().flatten();
        Class {
            name: class.metadata.name.clone().unwrap_or_default(),
            provisioner: class.provisioner.clone(),
            default: marks.any(|(key, mark)| DEFAULT_CLASS.contains(&key.as_str()) && mark == "true"),
            reclaim_policy: class.reclaim_policy.clone().unwrap_or_else(|| "Delete".to_owned()),
            binding_mode: match waits_for_consumer(class) {
                true => "WaitForFirstConsumer".to_owned(),
                false => "Immediate".to_owned(),
            },
            on_delete: class::read_on_delete(class).ok().map(|what| what.as_str().to_owned()),
            path_pattern: class
                .parameters
                .as_ref()
                .and_then(|all| all.get("pathPattern").cloned()),
        }
    };
    let mut rows: Vec<Class> = classes.iter().map(row).collect();
    rows.sort();
    rows
}

/// A row for each of `running`, the name, image and workload of each provisioner that runs, and one for each other name
/// that a held Lease or a class has. The leader is that of [`HeldLeases`].
fn provisioner_rows(
    facts: &Facts,
    classes: &[&StorageClass],
    running: &[(String, String, &Workload)],
    now: Timestamp,
) -> Vec<Provisioner> {
    let served = classes.iter().map(|class| class.provisioner.as_str());
    let known = served
        .chain(running.iter().map(|(name, _, _)| name.as_str()))
        .chain(KNOWN);
    let held = HeldLeases::find(&facts.leases, known, now);
    let namespaces_of = |name: &str| -> BTreeSet<&str> {
        let of_name = running.iter().filter(|(other, _, _)| other == name);
        of_name.map(|(_, _, workload)| workload.namespace.as_str()).collect()
    };
    let mut rows: Vec<Provisioner> = running
        .iter()
        .map(|(name, image, workload)| Provisioner {
            name: name.clone(),
            workload: Some(format!("{}/{}", workload.kind, workload.name)),
            namespace: Some(workload.namespace.clone()),
            ready: workload.ready,
            wanted: workload.wanted,
            image: Some(image.clone()),
            leader: held.leader_of(name, Some(&workload.namespace), &namespaces_of(name)),
        })
        .collect();
    let mut names: BTreeSet<&str> = held.provisioners().collect();
    names.extend(classes.iter().map(|class| class.provisioner.as_str()));
    for name in names {
        if !rows.iter().any(|row| row.name == name) {
            rows.push(Provisioner {
                name: name.to_owned(),
                workload: None,
                namespace: None,
                ready: 0,
                wanted: 0,
                image: None,
                leader: held.leader_of(name, None, &BTreeSet::new()),
            });
        }
    }
    rows.sort();
    rows
}

/// The quantity; empty without one.
fn storage_capacity(
    capacity: &Option<BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>,
) -> String {
    let size = capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    size.map(|size| size.0.clone()).unwrap_or_default()
}

fn annotation_of<'a>(volume: &'a PersistentVolume, key: &str) -> Option<&'a str> {
    volume.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
#[path = "overview_tests.rs"]
mod tests;
