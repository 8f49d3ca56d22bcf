//! What a snapshot has of pods, workloads and nodes: [`Pod`], [`Workload`], [`Container`], [`Node`] (PURE).

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use crate::cluster::images;
use crate::cluster::object::Object;

/// A container of a pod or a template.
#[derive(Clone, Debug, Default)]
pub struct Container {
    pub name: String,
    pub image: String,
    /// Environment variables; `None` if the value comes from a ConfigMap, a Secret or a field.
    pub env: BTreeMap<String, Option<String>>,
    /// Whether `envFrom` sets more variables, which are not read.
    pub env_from: bool,
    /// Command and arguments.
    pub args: Vec<String>,
    /// The paths of its mounts, each with server and path if the volume is an NFS volume of the pod itself.
    pub mounts: Vec<(String, Option<(String, String)>)>,
}

/// A container that is not running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    pub container: String,
    pub image: String,
    /// `ImagePullBackOff`, `CrashLoopBackOff`, `ContainerCreating`, `Error` …
    pub reason: String,
    pub message: String,
}

#[derive(Clone, Debug, Default)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub created: Option<Timestamp>,
    /// The deletion timestamp.
    pub deleting: Option<Timestamp>,
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub phase: String,
    pub finalizers: Vec<String>,
    /// The reason and message of its phase if that is `Failed`, as of an eviction; empty otherwise.
    pub why_failed: String,
    /// Whether all its containers are ready.
    pub ready: bool,
    /// Its node; empty before it is scheduled.
    pub node: String,
    /// The node that its DaemonSet created it for; empty for other pods.
    pub daemon_node: String,
    pub claims: Vec<String>,
    /// NFS servers and paths that it mounts without a claim, also by a CSI driver.
    pub nfs: Vec<(String, String)>,
    /// The names, in its spec, of its volumes that are neither claims nor NFS.
    pub other_volumes: Vec<String>,
    /// When the last of its containers, init containers too, was started, which happens after the volumes are mounted.
    pub started: Option<Timestamp>,
    /// The message of its condition PodScheduled if that is false.
    pub unschedulable: String,
    pub stopped: Vec<Stopped>,
    pub fs_group: bool,
    /// Whether a kubelet runs it from a file of its node: only such a pod can be a control plane's.
    pub is_static: bool,
    /// Whether a controller owns it, which creates it again when it is deleted.
    pub is_owned: bool,
    /// Its labels, if it belongs to a provisioner or the control plane.
    pub labels: BTreeMap<String, String>,
    /// Its containers, on the same condition.
    pub containers: Vec<Container>,
    /// Its service account, on the same condition.
    pub service_account: String,
}

/// The name, class and size of a claim template.
pub type ClaimTemplate = (String, Option<String>, String);

/// A Deployment, StatefulSet or DaemonSet, or a pod that none of them owns.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet` or `Pod`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub created: Option<Timestamp>,
    pub replicas: i32,
    pub ready: i32,
    /// Why a Deployment's pods can't be created, by its condition ReplicaFailure; empty if they can.
    pub replica_failure: String,
    pub labels: BTreeMap<String, String>,
    pub service_account: String,
    pub containers: Vec<Container>,
    /// NFS volumes of its pods.
    pub nfs: Vec<(String, String)>,
    /// The number of the first pod of a StatefulSet; 0 unless `spec.ordinals` says otherwise.
    pub first_ordinal: i32,
    pub templates: Vec<ClaimTemplate>,
    /// The tool or object that manages it and would undo an edit: `Helm`, `Argo CD`, `Flux`, an operator's object.
    pub managed_by: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub ready: bool,
    /// `k3s.io/node-args` and `rke2.io/node-args`.
    pub server_args: Vec<(String, String)>,
    /// Whether kubeadm installed it.
    pub kubeadm: bool,
    /// The name of its operating system.
    pub os: String,
    pub kubelet: String,
    /// Addresses of the type InternalIP.
    pub addresses: Vec<String>,
}

impl Container {
    /// Whether it may be a provisioner of NFS volumes: by its image, by a variable PROVISIONER_NAME, or as nfsprov with
    /// the argument `provision`.
    pub fn may_provision(&self) -> bool {
        images::creates_directories(&self.image)
            || images::is_ganesha(&self.image)
            || self.env.contains_key("PROVISIONER_NAME")
            || (images::is_nfsprov(&self.image) && self.args.iter().any(|arg| arg == "provision"))
    }

    /// Whether it may serve storage: a provisioner of any kind, or a part of a CSI driver, by words in its image and
    /// arguments.
    pub fn is_relevant(&self) -> bool {
        self.may_provision()
            || self.image.contains("provisioner")
            || self.image.contains("csi")
            || images::base_name(&self.image).contains("nfs")
            || self
                .args
                .iter()
                .any(|arg| arg.contains("provisioner") || arg.contains("nfs"))
    }
}

impl Pod {
    pub fn object(&self) -> Object {
        Object::namespaced("Pod", &self.namespace, &self.name)
    }

    /// The pod as a workload of its own with one replica, without labels.
    pub fn as_workload(&self) -> Workload {
        Workload {
            kind: "Pod".to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            created: self.created,
            replicas: 1,
            ready: i32::from(self.ready),
            service_account: self.service_account.clone(),
            containers: self.containers.clone(),
            nfs: self.nfs.clone(),
            ..Workload::default()
        }
    }

    /// Whether its containers are being created: it is Pending, or a container is created anew, as after its node was
    /// started again.
    pub fn is_being_created(&self) -> bool {
        let mut stopped = self.stopped.iter();
        self.phase == "Pending"
            || self.phase == "Running" && stopped.any(|stopped| stopped.reason == "ContainerCreating")
    }

    /// Whether its phase is `Succeeded` or `Failed`.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

impl Node {
    pub fn is_windows(&self) -> bool {
        let is_label = |key: &str| self.labels.get(key).is_some_and(|os| os == "windows");
        is_label("kubernetes.io/os") || is_label("beta.kubernetes.io/os") || self.os.starts_with("Windows")
    }
}

impl Workload {
    /// Whether a snapshot keeps it: it has claim templates, or a container that may serve storage.
    pub fn is_of_interest(&self) -> bool {
        !self.templates.is_empty() || self.containers.iter().any(Container::is_relevant)
    }

    pub fn object(&self) -> Object {
        Object::namespaced(&self.kind, &self.namespace, &self.name)
    }

    /// Whether a pod belongs to the workload, by the labels that its selector names; false if it names none. The
    /// workload of a bare pod owns this pod alone.
    pub fn owns(&self, pod: &Pod) -> bool {
        if self.kind == "Pod" {
            return pod.namespace == self.namespace && pod.name == self.name;
        }
        !self.labels.is_empty()
            && pod.namespace == self.namespace
            && self
                .labels
                .iter()
                .all(|(key, value)| pod.labels.get(key) == Some(value))
    }
}
