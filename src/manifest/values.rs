//! The values that templates are rendered from, one type an object.

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

/// What `onDelete` of a class may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassOnDelete {
    /// Remove the directory.
    Delete,
    /// Leave it.
    Retain,
    /// Rename it.
    Archive,
}

/// What is rendered.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// A static PV.
    Volume(Volume),
    /// A claim.
    Claim(Claim),
    /// A StorageClass.
    StorageClass(StorageClass),
    /// A pod that uses a claim.
    Pod(Pod),
    /// A StatefulSet and its Service.
    StatefulSet(StatefulSet),
    /// A provisioner with all that it needs.
    Provisioner(Provisioner),
}

impl Values {
    /// The file name of the template that they fill.
    pub fn template(&self) -> &'static str {
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
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The NFS server.
    pub server: String,
    /// The exported directory.
    pub path: String,
    /// A quantity.
    pub size: String,
    /// At least one.
    pub access_modes: Vec<AccessMode>,
    /// `Retain` or `Recycle`.
    pub reclaim_policy: String,
    /// The class that a claim must name.
    pub class: String,
    /// As for `mount -o`.
    pub mount_options: Vec<String>,
    /// Namespace and name of the only claim that may have it.
    pub claim: Option<(String, String)>,
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its namespace, if one was asked for.
    pub namespace: Option<String>,
    /// A quantity.
    pub size: String,
    /// At least one.
    pub access_modes: Vec<AccessMode>,
    /// None for the cluster's default class; empty for none at all.
    pub class: Option<String>,
    /// The PV that it must get.
    pub volume: Option<String>,
    /// Labels that its PV must have.
    pub selector: BTreeMap<String, String>,
}

/// A StorageClass of an NFS provisioner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// The provisioner's name.
    pub provisioner: String,
    /// Whether claims without a class get this one.
    pub default: bool,
    /// `Delete` or `Retain`.
    pub reclaim_policy: String,
    /// `Immediate` or `WaitForFirstConsumer`.
    pub binding_mode: String,
    /// As for `mount -o`.
    pub mount_options: Vec<String>,
    /// What becomes of a deleted volume's directory; `None` with the reclaim policy Retain, where it has no effect.
    pub on_delete: Option<ClassOnDelete>,
    /// The NFS server, if the class names one.
    pub server: Option<String>,
    /// The exported directory, if the class names one.
    pub path: Option<String>,
    /// What names a volume's directory, if not the claim and the PV.
    pub path_pattern: Option<String>,
    /// Octal permission bits of new directories.
    pub dir_mode: Option<String>,
    /// Their owner's number.
    pub dir_uid: Option<String>,
    /// Their group's number.
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
    /// Its namespace, if one was asked for.
    pub namespace: Option<String>,
    /// The claim.
    pub claim: String,
    /// The container's image.
    pub image: String,
    /// Where the container sees the volume.
    pub mount_path: String,
    /// What the container runs; nothing for what its image runs.
    pub command: Vec<String>,
}

/// A StatefulSet whose pods have a claim each, and the Service that it is reached by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatefulSet {
    /// Its name.
    pub name: String,
    /// Its namespace, if one was asked for.
    pub namespace: Option<String>,
    /// The name of the Service and of the container, and the label `app`.
    pub app: String,
    /// How many pods.
    pub replicas: u32,
    /// The container's image.
    pub image: String,
    /// Where the container sees its volume.
    pub mount_path: String,
    /// The volume's name; the claims are called `VOLUME-NAME-0` and so on.
    pub volume: String,
    /// The claims' class.
    pub class: String,
    /// What each claim asks for, a quantity.
    pub size: String,
    /// At least one.
    pub access_modes: Vec<AccessMode>,
    /// The port that the container listens on, and the Service.
    pub service_port: u16,
    /// The port of every node that leads there; without one the Service is headless.
    pub node_port: Option<u16>,
}

/// Whose provisioner it is.
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
    /// Their namespace: bindings can't do without it.
    pub namespace: String,
    /// What classes call the provisioner.
    pub provisioner: String,
    /// The NFS server.
    pub server: String,
    /// The exported directory.
    pub path: String,
    /// The container's image.
    pub image: String,
    /// How many pods; of several, one leads.
    pub replicas: u32,
    /// The class' name.
    pub class: String,
    /// Whether the class' claims may be expanded, and the provisioner may change the sizes of bound claims.
    pub allow_expansion: bool,
    /// What the lock is called by which one of several leads; None if nothing can be called so.
    pub lock: Option<String>,
    /// Whether the cluster is older than Kubernetes 1.22: it has no `policy/v1`, and its kubelets refuse the sysctl
    /// that gives a process without root ports below 1024.
    pub before_1_22: bool,
    /// Whose provisioner.
    pub flavor: Flavor,
}
