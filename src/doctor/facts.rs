//! What the checks know of a cluster (PURE): of each object only what a check asks for, so that ten thousand of
//! them are small.

mod hosts;
mod read;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::NodeSelector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::Timestamp;

pub use self::hosts::{ExportSeen, HostSeen};
pub use self::workloads::{Container, Node, Pod, Stopped, Workload};
use super::Object;
use super::names::sounds_like_nfs;

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The API server's version, as `v1.20.2`.
    pub version: String,
    /// The namespace looked at; none for all.
    pub namespace: Option<String>,
    pub claims: Vec<Claim>,
    pub volumes: Vec<Volume>,
    pub classes: Vec<Class>,
    /// Pods that use claims or NFS, or belong to a provisioner or the control plane.
    pub pods: Vec<Pod>,
    /// Deployments, StatefulSets and DaemonSets.
    pub workloads: Vec<Workload>,
    pub nodes: Vec<Node>,
    /// Events, oldest first.
    pub events: Vec<Event>,
    pub csi_drivers: Vec<String>,
    /// Nodes, each with the CSI drivers on it.
    pub csi_nodes: Vec<(String, Vec<String>)>,
    /// Leases and Endpoints that provisioners and the controller manager lock.
    pub locks: Vec<Lock>,
    pub limits: Vec<Limit>,
    /// Whether a live object carries a selfLink.
    pub self_link: Option<bool>,
    /// Lines of provisioners' logs, by pod.
    pub logs: Vec<Log>,
    /// What service accounts may do.
    pub rights: Vec<Right>,
    /// What NFS exports answered from here.
    pub probes: Vec<Probe>,
    /// What lies on those on which claims have volumes.
    pub listings: Vec<ExportListing>,
    /// Hosts that were looked at over SSH.
    pub hosts: Vec<HostSeen>,
    /// What could not be read, and why.
    pub unread: Vec<Unread>,
}

/// An NFS export that was asked from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub server: String,
    pub path: String,
    /// What came of it.
    pub reached: Reached,
}

/// What of an export's directories and records no PV of the cluster stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportListing {
    pub server: String,
    pub path: String,
    /// Volumes that were there before.
    pub volumes: Vec<EarlierVolume>,
    /// The PVs whose directories are empty, of those that were looked at.
    pub empty: BTreeSet<String>,
}

/// A volume that an export still has. Whoever can write to the export can forge each of its traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlierVolume {
    /// The PV's name.
    pub name: String,
    /// Its archive in the export's root, if it has one.
    pub archive: Option<String>,
    /// Its directory below the export's path, if that is known.
    pub directory: Option<String>,
    /// The default name of its directory, where directory or archive has such a name.
    pub named_after: Option<String>,
    pub is_recorded: bool,
    /// The claim that its record names.
    pub claim: Option<(String, String)>,
    /// When its archive or directory was changed, in seconds since 1970.
    pub changed: i64,
}

/// What came of an NFS call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    Fine,
    /// The server has no such directory.
    Missing,
    /// Nothing listens on the server's port; its words.
    Refused(String),
    /// Nothing came; what was tried.
    Silent(String),
    /// This says nothing about others; why.
    Unknown(String),
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What, in the plural, as the API calls it: `persistentvolumes`, `pods/log`.
    pub what: String,
    /// Why: the refusal as the server put it.
    pub why: String,
    /// Whether it was refused, rather than failed.
    pub forbidden: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Claim {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub created: Option<Timestamp>,
    /// When it is to be gone.
    pub deleting: Option<Timestamp>,
    pub finalizers: Vec<String>,
    /// The class it names; none if it names none, empty if it wants none.
    pub class: Option<String>,
    /// Whether it names it in an annotation, as before there was a field.
    pub annotated: bool,
    /// The PV it is bound to or wants.
    pub volume: String,
    /// `Pending`, `Bound` or `Lost`.
    pub phase: String,
    /// What a PV must be like.
    pub wish: Wish,
    pub size: String,
    /// The provisioner it was handed over to.
    pub handover: Option<String>,
    /// Whether the scheduler has chosen a node for its first pod.
    pub node_selected: bool,
    /// The size of its volume in thousandths of a byte, once it has one.
    pub capacity: Option<i128>,
    /// Kind and name of what its volume is to be filled from.
    pub data_source: Option<(String, String)>,
    /// Its VolumeAttributesClass.
    pub attributes_class: Option<String>,
}

/// What a claim asks of a PV, beside its class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// The size in thousandths of a byte.
    pub bytes: i128,
    /// Access modes, all of which the PV must have.
    pub modes: Vec<String>,
    /// `Filesystem` or `Block`.
    pub volume_mode: String,
    /// Labels that the PV must have.
    pub selector: Option<LabelSelector>,
}

#[derive(Clone, Debug, Default)]
pub struct Volume {
    pub name: String,
    pub created: Option<Timestamp>,
    /// When it is to be gone.
    pub deleting: Option<Timestamp>,
    pub finalizers: Vec<String>,
    pub labels: BTreeMap<String, String>,
    /// Its class; empty for none.
    pub class: String,
    /// Its capacity in thousandths of a byte.
    pub capacity: Option<i128>,
    pub size: String,
    pub modes: Vec<String>,
    /// `Filesystem` or `Block`.
    pub volume_mode: String,
    /// `Available`, `Bound`, `Released`, `Failed` or `Pending`.
    pub phase: String,
    /// Since when it is, where the version tells.
    pub phase_since: Option<Timestamp>,
    /// `Retain`, `Recycle` or `Delete`.
    pub reclaim: String,
    pub claim: Option<ClaimRef>,
    /// Who made it.
    pub provisioned_by: Option<String>,
    /// Its directory below the export, where nfsprov made it.
    pub directory: Option<String>,
    /// Its NFS server and path, if it is one.
    pub nfs: Option<(String, String)>,
    /// Its CSI driver, if it has one.
    pub csi_driver: Option<String>,
    /// The NFS server and path that its CSI attributes name.
    pub csi_export: Option<(String, String)>,
    /// The nodes it can be used on.
    pub affinity: Option<Box<NodeSelector>>,
}

/// The claim that a PV is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimRef {
    pub namespace: String,
    pub name: String,
    /// Its uid; empty before they are bound.
    pub uid: String,
}

#[derive(Clone, Debug, Default)]
pub struct Class {
    pub name: String,
    pub provisioner: String,
    pub created: Option<Timestamp>,
    /// Whether it is marked as the default.
    pub default: bool,
    /// Whether it waits for the first pod.
    pub waits: bool,
    /// Whether claims of it may be enlarged.
    pub is_expandable: bool,
    pub parameters: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
pub struct Event {
    /// What it is about.
    pub object: Option<Object>,
    pub reason: String,
    pub message: String,
    /// Who wrote it.
    pub component: String,
    pub host: String,
    /// When it happened last.
    pub last: Option<Timestamp>,
}

/// A lock of replicas.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// `Lease` or `Endpoints`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// The holder's identity; empty if no process holds the lock.
    pub holder: String,
    /// When it was renewed.
    pub renewed: Option<Timestamp>,
    /// How long it holds, in seconds.
    pub term: i64,
}

/// A limit on claims' sizes.
#[derive(Clone, Debug, Default)]
pub struct Limit {
    /// The LimitRange's namespace.
    pub namespace: String,
    pub name: String,
    /// The item's place in it.
    pub index: usize,
    pub min: Option<String>,
    pub max: Option<String>,
}

/// The end of a container's log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The pod's namespace.
    pub namespace: String,
    pub pod: String,
    pub text: String,
}

/// Whether a service account may do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Right {
    /// The account's namespace.
    pub namespace: String,
    pub account: String,
    /// The API group.
    pub group: String,
    /// As a role names it: `pods`, `pods/log`.
    pub resource: String,
    /// Where; none for everywhere.
    pub within: Option<String>,
    pub verb: String,
    /// Whether it may.
    pub allowed: bool,
}

impl Claim {
    pub fn object(&self) -> Object {
        Object::of("PersistentVolumeClaim", &self.namespace, &self.name)
    }

    /// Whether it waits for a volume and isn't going.
    pub fn pending(&self) -> bool {
        self.deleting.is_none() && matches!(self.phase.as_str(), "Pending" | "")
    }
}

impl Volume {
    /// The PV as an object.
    pub fn object(&self) -> Object {
        Object::cluster("PersistentVolume", &self.name)
    }

    /// Whether it is an NFS volume, in-tree or of an NFS CSI driver.
    pub fn is_nfs(&self) -> bool {
        self.nfs.is_some() || self.csi_driver.as_deref().is_some_and(sounds_like_nfs)
    }

    /// The NFS server and path that nodes mount.
    pub fn export(&self) -> Option<&(String, String)> {
        self.nfs.as_ref().or(self.csi_export.as_ref())
    }

    /// The server and path of the export on which a provisioner made it, as its directory's name tells.
    pub fn provisioner_export(&self) -> Option<(&str, &str)> {
        let (server, path) = self.nfs.as_ref().filter(|_| self.provisioned_by.is_some())?;
        let export = match &self.directory {
            Some(directory) => path.strip_suffix(directory.as_str())?.strip_suffix('/')?,
            // Also nfs-subdir-external-provisioner's: <namespace>-<claim>-<PV>.
            None => {
                let (parent, last) = path.rsplit_once('/')?;
                last.strip_suffix(self.name.as_str())?
                    .strip_suffix('-')
                    .map(|_| parent)?
            }
        };
        Some((server, if export.is_empty() { "/" } else { export }))
    }
}

impl Class {
    pub fn object(&self) -> Object {
        Object::cluster("StorageClass", &self.name)
    }
}

impl Facts {
    /// The minor version: 20 of `v1.20.2`.
    pub fn minor(&self) -> Option<u32> {
        let mut numbers = self.version.trim_start_matches('v').split('.');
        let major: u32 = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?;
        let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
        (major == 1).then(|| minor[..digits].parse().ok())?
    }

    /// Adds the provisioners that run as pods without a workload.
    pub fn add_bare_provisioners(&mut self) {
        let is_owned = |pod: &Pod| pod.is_owned || self.workloads.iter().any(|workload| workload.owns(pod));
        let bare = |pod: &&Pod| !pod.over() && !pod.containers.is_empty() && !is_owned(pod);
        let found: Vec<Workload> = self.pods.iter().filter(bare).map(Pod::workload).collect();
        self.workloads
            .extend(found.into_iter().filter(Workload::is_of_interest));
    }

    /// Records that `what` is not read on request, by this option.
    pub fn leave_out(&mut self, what: &str, option: &str) {
        self.unread.push(Unread {
            what: what.to_owned(),
            why: option.to_owned(),
            forbidden: false,
        });
    }

    /// Whether `what` was read.
    pub fn knows(&self, what: &str) -> bool {
        self.unread.iter().all(|unread| unread.what != what)
    }

    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// The class that claims without one get now: the newest of those marked.
    pub fn default_class(&self) -> Option<&Class> {
        let marked = self.classes.iter().filter(|class| class.default);
        marked.max_by_key(|class| class.created)
    }

    /// The events about an object, newest first.
    pub fn about<'a>(&'a self, object: &'a Object) -> impl Iterator<Item = &'a Event> {
        let theirs = move |event: &&Event| event.object.as_ref() == Some(object);
        self.events.iter().rev().filter(theirs)
    }
}
