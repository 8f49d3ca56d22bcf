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
    /// What becomes of a deleted volume's directory.
    pub on_delete: ClassOnDelete,
    /// The NFS server, if the class names one.
    pub server: Option<String>,
    /// The exported directory, if the class names one.
    pub path: Option<String>,
    /// Octal permission bits of new directories.
    pub dir_mode: Option<String>,
}
