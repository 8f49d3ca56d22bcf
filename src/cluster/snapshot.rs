//! What nfsprov knows of a cluster, [`ClusterSnapshot`] (PURE): of each object only the fields that `doctor`, `status`
//! or `create` uses, so that ten thousand of them are small. `gather` reads it.

mod convert;
mod workloads;

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::NodeSelector;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::core::Expression;

pub use self::convert::SnapshotObject;
pub use self::workloads::{ClaimTemplate, Container, Node, Pod, Stopped, Workload};
use super::nfs_volumes::has_nfs_in_name;
use super::object::Object;

/// The reasons of events about a pod that the kubelet writes after it has mounted the pod's volumes.
pub const AFTER_MOUNTING: [&str; 5] = ["FailedCreatePodSandBox", "Pulling", "Pulled", "Created", "BackOff"];

/// The objects that were read, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct ClusterSnapshot {
    /// The API server's version, as `v1.20.2`.
    pub version: String,
    /// The namespace of claims and pods; `None` for all.
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
    /// Permissions of service accounts.
    pub rights: Vec<Right>,
    pub unread: Vec<Unread>,
}

/// The permissions of service accounts that a caller asks the API server about, once the snapshot is complete.
pub type Questions = fn(&ClusterSnapshot) -> Vec<Right>;

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The resource, as the API names it: `persistentvolumes`, `pods/log`.
    pub what: String,
    /// The server's refusal, or another error.
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
    /// The deletion timestamp.
    pub deleting: Option<Timestamp>,
    pub finalizers: Vec<String>,
    /// Its class; `None` if it names none, empty if it asks for a PV without a class.
    pub class: Option<String>,
    /// Whether it names its class in an annotation, as before there was a field.
    pub has_class_annotation: bool,
    /// The PV that it is bound to, or names in `volumeName`; empty without one.
    pub volume: String,
    /// `Pending`, `Bound` or `Lost`.
    pub phase: String,
    pub requirements: Requirements,
    pub size: String,
    /// The provisioner that the controller manager handed it to.
    pub handover: Option<String>,
    /// Whether the scheduler has chosen a node for its first pod.
    pub node_selected: bool,
    /// The size of its volume in bytes, once it has one.
    pub capacity: Option<u64>,
    /// Kind and name of what its volume is to be filled from.
    pub data_source: Option<(String, String)>,
    pub attributes_class: Option<String>,
}

/// What a PV needs for a claim, besides the class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirements {
    pub bytes: u64,
    /// Access modes, all of which the PV must have.
    pub modes: Vec<String>,
    /// `Filesystem` or `Block`.
    pub volume_mode: String,
    /// What the PV's labels must meet; empty without a selector.
    pub selector: Vec<Expression>,
}

#[derive(Clone, Debug, Default)]
pub struct Volume {
    pub name: String,
    pub created: Option<Timestamp>,
    /// The deletion timestamp.
    pub deleting: Option<Timestamp>,
    pub finalizers: Vec<String>,
    pub labels: BTreeMap<String, String>,
    /// Its class; empty for none.
    pub class: String,
    /// Its capacity in bytes.
    pub capacity: Option<u64>,
    pub size: String,
    pub modes: Vec<String>,
    /// `Filesystem` or `Block`.
    pub volume_mode: String,
    /// `Available`, `Bound`, `Released`, `Failed` or `Pending`.
    pub phase: String,
    /// The reason of its phase, if the cluster gives one.
    pub message: String,
    /// The time of the last change of its phase, on versions that have it.
    pub phase_since: Option<Timestamp>,
    /// `Retain`, `Recycle` or `Delete`.
    pub reclaim: String,
    pub claim: Option<ClaimRef>,
    pub provisioned_by: Option<String>,
    /// Its directory below the export, if nfsprov provisioned it.
    pub directory: Option<String>,
    /// Server and path of an in-tree NFS volume.
    pub nfs: Option<(String, String)>,
    pub csi_driver: Option<String>,
    /// The driver's name for it; empty for other volumes.
    pub csi_handle: String,
    /// The NFS server and path that its CSI attributes name.
    pub csi_export: Option<(String, String)>,
    /// The nodes that can use it.
    pub affinity: Option<Box<NodeSelector>>,
}

/// A PV's reference to its claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimRef {
    pub namespace: String,
    pub name: String,
    /// Empty before they are bound.
    pub uid: String,
}

#[derive(Clone, Debug, Default)]
pub struct Class {
    pub name: String,
    pub provisioner: String,
    pub created: Option<Timestamp>,
    pub default: bool,
    /// `Retain`, `Recycle` or `Delete`.
    pub reclaim: String,
    pub waits_for_first_consumer: bool,
    pub is_expandable: bool,
    pub parameters: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
pub struct Event {
    pub object: Option<Object>,
    /// The object's uid; empty if the event has none.
    pub uid: String,
    pub reason: String,
    pub message: String,
    pub component: String,
    pub last: Option<Timestamp>,
}

/// A leader election lock.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// `Lease` or `Endpoints`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// The holder's identity; empty if no process holds the lock.
    pub holder: String,
    pub renewed: Option<Timestamp>,
    /// In seconds.
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
    /// Empty if it is not known.
    pub container: String,
    pub text: String,
}

/// Whether a service account may do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Right {
    /// The account's namespace.
    pub namespace: String,
    pub account: String,
    pub group: String,
    /// As a role names it: `pods`, `pods/log`.
    pub resource: String,
    /// The namespace; `None` for all.
    pub within: Option<String>,
    pub verb: String,
    pub allowed: bool,
}

impl Claim {
    pub fn object(&self) -> Object {
        Object::namespaced("PersistentVolumeClaim", &self.namespace, &self.name)
    }

    /// Its namespace and name.
    pub fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// Whether it waits for a volume, perhaps the one that it names, and is not being deleted. Without a phase it
    /// waits.
    pub fn is_pending(&self) -> bool {
        self.deleting.is_none() && matches!(self.phase.as_str(), "Pending" | "")
    }
}

impl Volume {
    pub fn object(&self) -> Object {
        Object::cluster_scoped("PersistentVolume", &self.name)
    }

    /// Whether it is an NFS volume, in-tree or of a CSI driver that has `nfs` in its name.
    pub fn is_nfs(&self) -> bool {
        self.nfs.is_some() || self.csi_driver.as_deref().is_some_and(has_nfs_in_name)
    }

    /// Whether its annotation says that the provisioner of this name created it.
    pub fn is_provisioned_by(&self, name: &str) -> bool {
        self.provisioned_by.as_deref() == Some(name)
    }

    /// The NFS server and path that nodes mount, of a CSI volume by its attributes, whatever its driver; `None` without
    /// them.
    pub fn export(&self) -> Option<&(String, String)> {
        self.nfs.as_ref().or(self.csi_export.as_ref())
    }

    /// The server and path of the export on which a provisioner created it, derived from its directory; `None` if it is
    /// static or a CSI volume, or its path does not end as the provisioner's directories do.
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
        Object::cluster_scoped("StorageClass", &self.name)
    }

    /// The NFS server and path that its parameters name; csi-driver-nfs has another key for the path.
    pub fn export(&self) -> Option<(String, String)> {
        let parameter = |key: &str| self.parameters.get(key).cloned();
        parameter("server").zip(parameter("path").or_else(|| parameter("share")))
    }
}

impl ClusterSnapshot {
    /// The minor version: 20 of `v1.20.2`. `None` if the version is unknown, or its major number is not 1.
    pub fn minor_version(&self) -> Option<u32> {
        let mut numbers = self.version.trim_start_matches('v').split('.');
        let major: u32 = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?;
        let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
        (major == 1).then(|| minor[..digits].parse().ok())?
    }

    /// Adds the objects and logs of `other`, duplicates too, and what it could not read, of the same only the first
    /// error; but not its version, namespace, NFS results and hosts. Its selfLink counts only if none is known.
    pub fn add_objects_of(&mut self, other: Self) {
        self.claims.extend(other.claims);
        self.volumes.extend(other.volumes);
        self.classes.extend(other.classes);
        self.pods.extend(other.pods);
        self.workloads.extend(other.workloads);
        self.nodes.extend(other.nodes);
        self.events.extend(other.events);
        self.csi_drivers.extend(other.csi_drivers);
        self.csi_nodes.extend(other.csi_nodes);
        self.locks.extend(other.locks);
        self.limits.extend(other.limits);
        self.rights.extend(other.rights);
        self.logs.extend(other.logs);
        for unread in other.unread {
            if self.was_read(&unread.what) {
                self.unread.push(unread);
            }
        }
        self.self_link = self.self_link.or(other.self_link);
    }

    /// Adds a workload if it may serve storage or has claim templates. Its claim templates are dropped outside
    /// `namespace`, which must be set before.
    fn add_workload(&mut self, mut workload: Workload) {
        let namespace = self.namespace.as_ref();
        if namespace.is_some_and(|namespace| *namespace != workload.namespace) {
            workload.templates.clear();
        }
        self.workloads.extend(Some(workload).filter(Workload::is_of_interest));
    }

    /// The number of objects that were read and kept. Logs, NFS results and hosts don't count; all namespaces, of which
    /// only the selfLink is kept, count as one.
    pub fn count_objects(&self) -> usize {
        let of_storage = self.claims.len() + self.volumes.len() + self.classes.len();
        let of_workloads = self.pods.len() + self.workloads.len() + self.nodes.len();
        let of_drivers = self.csi_drivers.len() + self.csi_nodes.len();
        let of_permissions = self.rights.len() + usize::from(self.self_link.is_some());
        let of_others = self.events.len() + self.locks.len() + self.limits.len();
        of_storage + of_workloads + of_drivers + of_permissions + of_others
    }

    /// Completes the snapshot once all lists are read and `namespace` is set: drops claims and pods of other
    /// namespaces, except the pods of provisioners and of the control plane; adds provisioners that run as pods without
    /// a workload. Sorts events by time, the latest last; workloads by kind, Deployments first; and puts Leases before
    /// other locks. Drops events about earlier objects of the same name.
    pub fn complete_snapshot(&mut self) {
        let namespace = self.namespace.clone();
        let is_here = |found: &str| namespace.as_deref().is_none_or(|namespace| namespace == found);
        self.claims.retain(|claim| is_here(&claim.namespace));
        self.pods
            .retain(|pod| is_here(&pod.namespace) || !pod.containers.is_empty());
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        self.workloads
            .sort_by_key(|workload| kinds.iter().position(|kind| *kind == workload.kind));
        let is_owned = |pod: &Pod| pod.is_owned || self.workloads.iter().any(|workload| workload.owns(pod));
        let is_bare = |pod: &&Pod| !pod.has_ended() && !pod.containers.is_empty() && !is_owned(pod);
        let bare: Vec<Workload> = self.pods.iter().filter(is_bare).map(Pod::as_workload).collect();
        self.workloads.extend(bare.into_iter().filter(Workload::is_of_interest));
        self.drop_earlier_events();
        self.events.sort_by_key(|event| event.last);
        self.locks.sort_by_key(|lock| lock.kind != "Lease");
    }

    /// Drops the events about pods and claims of another uid, or from before the object was created: a StatefulSet's pod
    /// has the name of the one before, and an event lives for an hour.
    fn drop_earlier_events(&mut self) {
        /// By how much the clocks of nodes and API server may differ.
        const SKEW: SignedDuration = SignedDuration::from_mins(1);
        let pods = self.pods.iter().map(|pod| {
            let key = ("Pod", pod.namespace.as_str(), pod.name.as_str());
            // A kubelet knows the pods of its own files by another uid.
            let uid = Some(pod.uid.as_str()).filter(|_| !pod.is_static).unwrap_or_default();
            (key, (uid, pod.created))
        });
        let claims = self.claims.iter().map(|claim| {
            let key = ("PersistentVolumeClaim", claim.namespace.as_str(), claim.name.as_str());
            (key, (claim.uid.as_str(), claim.created))
        });
        let known: HashMap<_, _> = pods.chain(claims).collect();
        self.events.retain(|event| {
            let about = event.object.as_ref().and_then(|object| {
                let namespace = object.namespace.as_deref().unwrap_or_default();
                known.get(&(object.kind.as_str(), namespace, object.name.as_str()))
            });
            let Some((uid, created)) = about else {
                return true;
            };
            let is_of_other = !event.uid.is_empty() && !uid.is_empty() && event.uid != *uid;
            let is_earlier = event
                .last
                .zip(*created)
                .is_some_and(|(last, created)| created.duration_since(last) > SKEW);
            !is_of_other && !is_earlier
        });
    }

    /// Records that `what` was not read, and why. If that is an option, which begins with `--`, its checks count as
    /// left out on request.
    pub fn record_unread(&mut self, what: &str, why: impl Into<String>) {
        self.unread.push(Unread {
            what: what.to_owned(),
            why: why.into(),
            forbidden: false,
        });
    }

    /// Whether `what`, as [`Unread::what`] names it, is not recorded as unread; true for names that nothing reads, too.
    pub fn was_read(&self, what: &str) -> bool {
        self.unread.iter().all(|unread| unread.what != what)
    }

    pub fn find_class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// The newest of the classes that are marked as default, which Kubernetes 1.26 or later gives to claims without a
    /// class; `None` if none is marked.
    pub fn default_class(&self) -> Option<&Class> {
        let marked = self.classes.iter().filter(|class| class.default);
        marked.max_by_key(|class| class.created)
    }

    pub fn find_node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }
}
