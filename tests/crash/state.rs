//! The observed state (data only): claims, volumes, the export, files outside it; and the history of the test.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Claim, Kind};

/// The cluster's own finalizer, which only the cluster may remove.
pub const PROTECTION: &str = "kubernetes.io/pv-protection";

/// The finalizer that keeps a PV until the provisioner has archived or removed its directory.
pub const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

/// The size that each claim requests, in KiB, and as a quantity.
pub const SIZE_KIB: u64 = 1 << 20;
pub const SIZE: &str = "1Gi";

/// The name of the link that the test puts into a volume; its target is the claim's uid.
pub const WHO: &str = "who";

/// A claim as the API server returns it.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub uid: String,
    pub phase: String,
    pub volume: String,
    pub is_terminating: bool,
}

/// A PV of the tested provisioner as the API server returns it.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    pub name: String,
    /// The uid of its claim.
    pub claim: String,
    /// Its directory, relative to the export's root.
    pub path: String,
    pub phase: String,
    pub policy: String,
    pub finalizers: Vec<String>,
    pub is_terminating: bool,
}

/// A file, directory or link on the export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `d`, `f` or `l`, as find prints it.
    pub kind: String,
    /// `user:group mode`.
    pub attributes: String,
    /// The target of a link.
    pub target: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Why `volumes rebuild` would reject it, or what it lacks.
    pub fault: Option<String>,
    /// Namespace and name of the claim whose manifest it holds.
    pub claim: Option<(String, String)>,
}

/// A project of the export's file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Project {
    pub limit_kib: u64,
    /// The number of its files and directories.
    pub files: u64,
}

/// The whole observed state.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub claims: Vec<Stored>,
    pub volumes: Vec<Volume>,
    /// Everything on the export, by path relative to its root.
    pub export: BTreeMap<String, Entry>,
    /// The records on the export, by PV name.
    pub records: BTreeMap<String, Recorded>,
    /// The projects of the export's file system that have a limit or files, by id.
    pub projects: BTreeMap<u32, Project>,
    /// The project ids of directories of limited volumes, by path relative to the export's root.
    pub project_ids: BTreeMap<String, u32>,
    /// The project ids that `volumes orphans` lists; read only if there are limits without files.
    pub orphaned: BTreeSet<u32>,
    /// A listing of what is outside the export, to be compared.
    pub outside: String,
    /// From the API server's audit log: PVs without [`PROTECTION`] after a write of the provisioner.
    pub unprotected: BTreeSet<String>,
    /// Also from there: PVs from which the cluster itself removed [`PROTECTION`].
    pub released: BTreeSet<String>,
}

/// A claim that the test created.
#[derive(Clone, Debug)]
pub struct Made {
    pub claim: Claim,
    /// Whether the test has deleted it.
    pub deleted: bool,
}

impl Made {
    /// The directory that the contract assigns to it.
    pub fn directory(&self, uid: &str) -> String {
        let Claim {
            namespace, name, kind, ..
        } = &self.claim;
        match kind {
            Kind::Pattern => format!("{namespace}/{name}"),
            Kind::Nested => format!("{namespace}/deeper/{name}"),
            Kind::Hostile => format!("{}/{name}", crate::plan::TRAP),
            _ => format!("{namespace}-{name}-pvc-{uid}"),
        }
    }

    /// The name of the archive of that directory.
    pub fn archive(&self, uid: &str) -> String {
        let flat = self.directory(uid).replace('/', "-");
        match self.claim.kind.has_marker() {
            true => format!("archived-{flat}-pvc-{uid}"),
            false => format!("archived-{flat}"),
        }
    }
}

/// What the test did and observed, by claim uid.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub made: BTreeMap<String, Made>,
    /// Claims that had a PV at some time.
    pub provisioned: BTreeSet<String>,
    /// Claims into whose volumes the test wrote data.
    pub filled: BTreeSet<String>,
    /// The listing outside the export before the first round.
    pub outside: String,
}
