//! What is there (facts only): claims, volumes, the export, what lies beside it, and what the test did.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Claim, Kind};

/// The finalizer of the cluster itself, which is nobody else's to take off.
pub const PROTECTION: &str = "kubernetes.io/pv-protection";

/// The finalizer that holds a PV until its directory is dealt with.
pub const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

/// The size that each claim requests, in KiB, and as a quantity.
pub const SIZE_KIB: u64 = 1 << 20;
pub const SIZE: &str = "1Gi";

/// The name of the link that the test puts into a volume; its target is the claim's uid.
pub const WHO: &str = "who";

/// A claim as the cluster has it.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub uid: String,
    pub phase: String,
    pub volume: String,
    pub going: bool,
}

/// A PV of our provisioner as the cluster has it.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    pub name: String,
    /// The uid of the claim that it is for.
    pub claim: String,
    /// Its directory, below the export's root.
    pub path: String,
    pub phase: String,
    pub policy: String,
    pub finalizers: Vec<String>,
    pub going: bool,
}

/// Something on the export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `d`, `f` or `l`, as find has it.
    pub kind: String,
    /// `user:group mode`.
    pub attributes: String,
    /// What a link points at.
    pub target: String,
}

/// A record on the export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Why `volumes rebuild` would not read it, or what is missing of it.
    pub fault: Option<String>,
    /// Namespace and name of the claim that it has a manifest of.
    pub claim: Option<(String, String)>,
}

/// A project of the export's file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Project {
    pub limit_kib: u64,
    /// How many files and directories belong to it.
    pub files: u64,
}

/// A look at everything.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub claims: Vec<Stored>,
    pub volumes: Vec<Volume>,
    /// All that is on the export, by paths below its root.
    pub export: BTreeMap<String, Entry>,
    /// The records on the export, by the PVs that they are named after.
    pub records: BTreeMap<String, Recorded>,
    /// The projects of the export's file system that have a limit or files, by their ids.
    pub projects: BTreeMap<u32, Project>,
    /// The project ids of directories that are to be limited, by paths below the export's root.
    pub project_ids: BTreeMap<String, u32>,
    /// Project ids whose limits `volumes orphans` lists, if there are limits that no file has.
    pub orphaned: BTreeSet<u32>,
    /// What lies beside the export, as text to be compared.
    pub outside: String,
    /// From the API server's audit log: PVs that had no [`PROTECTION`] after a write of the provisioner's.
    pub unprotected: BTreeSet<String>,
    /// From there too: PVs whose [`PROTECTION`] the cluster itself took off.
    pub released: BTreeSet<String>,
}

/// A claim that the test made.
#[derive(Clone, Debug)]
pub struct Made {
    pub claim: Claim,
    /// Whether the test has asked for its end.
    pub deleted: bool,
}

impl Made {
    /// The directory that the contract gives it.
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

    /// Where that is archived.
    pub fn archive(&self, uid: &str) -> String {
        let flat = self.directory(uid).replace('/', "-");
        match self.claim.kind.has_marker() {
            true => format!("archived-{flat}-pvc-{uid}"),
            false => format!("archived-{flat}"),
        }
    }
}

/// What the test did and saw, by the uids of the claims.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub made: BTreeMap<String, Made>,
    /// Claims that had a PV at some time.
    pub provisioned: BTreeSet<String>,
    /// Claims whose volumes got data.
    pub filled: BTreeSet<String>,
    /// What lay beside the export at the beginning.
    pub outside: String,
}
