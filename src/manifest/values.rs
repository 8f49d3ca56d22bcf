//! The values that templates are rendered from, one type for each object (PURE). They have passed the checks of
//! `validate`.

use std::collections::BTreeMap;

use serde::Serialize;

/// How nodes may mount a volume, serialised as the API has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum AccessMode {
    /// By one node, for reading and writing.
    ReadWriteOnce,
    /// By many nodes, for reading.
    ReadOnlyMany,
    /// By many nodes, for reading and writing.
    ReadWriteMany,
    /// By one pod, for reading and writing.
    ReadWriteOncePod,
}

/// The values of a class' parameter `onDelete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassOnDelete {
    Delete,
    Retain,
    Archive,
}

/// The values of one manifest; each variant has a template of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// A static PV.
    Volume(Volume),
    Claim(Claim),
    StorageClass(StorageClass),
    /// A pod that uses a claim.
    Pod(Pod),
    /// A StatefulSet and its Service.
    StatefulSet(StatefulSet),
    /// A provisioner with all that it needs.
    Provisioner(Provisioner),
}

impl Values {
    pub fn template_file(&self) -> &'static str {
        match self {
            Self::Volume(_) => "pv.yaml",
            Self::Claim(_) => "pvc.yaml",
            Self::StorageClass(_) => "storageclass.yaml",
            Self::Pod(_) => "pod.yaml",
            Self::StatefulSet(_) => "statefulset.yaml",
            Self::Provisioner(provisioner) => match provisioner.flavor {
                Flavor::Nfsprov => "provisioner-nfsprov.yaml",
                Flavor::Upstream => "provisioner-upstream.yaml",
            },
        }
    }
}

/// A static PersistentVolume on an existing export.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Volume {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub server: String,
    pub path: String,
    /// A quantity.
    pub size: String,
    /// At least one.
    pub access_modes: Vec<AccessMode>,
    /// `Retain` or `Recycle`.
    pub reclaim_policy: String,
    /// The class that a claim must name to bind to it.
    pub class: String,
    /// As for `mount -o`.
    pub mount_options: Vec<String>,
    /// Namespace and name of the only claim that can bind to it.
    pub claim: Option<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    pub name: String,
    /// The namespace on the command line.
    pub namespace: Option<String>,
    /// A quantity.
    pub size: String,
    /// At least one.
    pub access_modes: Vec<AccessMode>,
    /// `None` for the cluster's default class, empty for no class.
    pub class: Option<String>,
    /// The PV that it must bind to.
    pub volume: Option<String>,
    /// Labels that its PV must have.
    pub selector: BTreeMap<String, String>,
}

/// A StorageClass of an NFS provisioner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StorageClass {
    pub name: String,
    pub provisioner: String,
    /// Whether claims without a class get this one.
    pub default: bool,
    /// `Delete` or `Retain`.
    pub reclaim_policy: String,
    /// `Immediate` or `WaitForFirstConsumer`.
    pub binding_mode: String,
    /// As for `mount -o`.
    pub mount_options: Vec<String>,
    /// `None` with the reclaim policy Retain, where it has no effect.
    pub on_delete: Option<ClassOnDelete>,
    /// The NFS server, if the class names one.
    pub server: Option<String>,
    /// The exported directory, if the class names one.
    pub path: Option<String>,
    pub path_pattern: Option<String>,
    /// Octal permission bits of new directories.
    pub dir_mode: Option<String>,
    pub dir_uid: Option<String>,
    pub dir_gid: Option<String>,
    /// Whether claims are bound only once their size is enforced.
    pub enforces_quota: bool,
    /// Whether claims may be expanded.
    pub allow_expansion: bool,
}

/// A pod that uses a claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pod {
    /// Its name, and its container's.
    pub name: String,
    /// The namespace on the command line.
    pub namespace: Option<String>,
    pub claim: String,
    pub image: String,
    /// Where the container sees the volume.
    pub mount_path: String,
    /// The container's command; empty for the command of the image.
    pub command: Vec<String>,
}

/// A StatefulSet whose pods have a claim each, and the Service that it is reached by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatefulSet {
    pub name: String,
    /// The namespace on the command line.
    pub namespace: Option<String>,
    /// The name of the Service and of the container, and the label `app`.
    pub app: String,
    pub replicas: u32,
    pub image: String,
    /// Where the container sees its volume.
    pub mount_path: String,
    /// The volume's name; the claims are called `VOLUME-NAME-0` and so on.
    pub volume: String,
    pub class: String,
    /// The size that each claim requests, a quantity.
    pub size: String,
    /// At least one.
    pub access_modes: Vec<AccessMode>,
    /// The port that the container listens on, and the Service.
    pub service_port: u16,
    /// Without a node port the Service is headless.
    pub node_port: Option<u16>,
}

/// The program that runs in the Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// This program.
    Nfsprov,
    /// nfs-subdir-external-provisioner.
    Upstream,
}

/// A provisioner's Deployment, its account and rights, and its class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provisioner {
    /// The name of the Deployment and of the account.
    pub name: String,
    /// Required, since role bindings name the ServiceAccount's namespace.
    pub namespace: String,
    /// The provisioner's name in classes.
    pub provisioner: String,
    pub server: String,
    pub path: String,
    pub image: String,
    /// The number of pods; one of them is the leader.
    pub replicas: u32,
    pub class: String,
    /// Whether the class' claims may be expanded, and the provisioner may change the sizes of bound claims.
    pub allow_expansion: bool,
    /// `[USER@]HOST[:PORT]`, where the provisioner sets limits over SSH; with it, the class has `quota: enforce`.
    pub quota_ssh: Option<String>,
    /// The Secret whose key `id` is the private key for SSH.
    pub ssh_secret: Option<String>,
    /// `SHA256:…` of the host keys that the provisioner accepts.
    pub host_fingerprints: Vec<String>,
    /// The name of the Lease for leader election; `None` if the provisioner's name can't be the name of an object.
    pub lock: Option<String>,
    /// Whether a NetworkPolicy lets other pods reach the metrics alone.
    pub network_policy: bool,
    /// Whether the cluster is older than Kubernetes 1.22, which has no `policy/v1` and whose kubelets refuse the sysctl
    /// that opens ports below 1024 to processes without root.
    pub before_1_22: bool,
    pub flavor: Flavor,
}
