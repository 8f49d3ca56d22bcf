//! Selects a cluster's claims, volumes, classes and provisioners that use NFS (PURE). The main function is
//! [`build_overview`].

mod leaders;

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use self::leaders::HeldLeases;
use super::{amount, place};
use crate::cluster::nfs_volumes::has_nfs_in_name;
use crate::cluster::provisioners::{DEFAULT_NAME, NFS_CSI, Provisioner, find_candidates};
use crate::cluster::snapshot::{Claim, Class, ClusterSnapshot, Volume};
use crate::export::{Usage, VolumeUsage};
use crate::provisioner::class::read_on_delete;

/// Names of provisioners whose Leases are shown even without a class or a workload.
const KNOWN: [&str; 3] = [
    DEFAULT_NAME,
    "fuseim.pri/ifs",
    "k8s-sigs.io/nfs-subdir-external-provisioner",
];

/// What was measured of volumes, by the PV's name.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    pub holdings: HashMap<String, Holds>,
    /// What limited volumes use of their limits, as far as it is known.
    pub quotas: HashMap<String, VolumeUsage>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// The claims on NFS volumes, and pending claims that may get one.
    pub claims: Vec<ClaimRow>,
    /// The NFS volumes of these claims, and those without a claim.
    pub volumes: Vec<VolumeRow>,
    /// The classes whose volumes are on NFS.
    pub classes: Vec<ClassRow>,
    pub provisioners: Vec<ProvisionerRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRow {
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
pub struct VolumeRow {
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
pub struct ClassRow {
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
pub struct ProvisionerRow {
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

/// Selects the classes whose provisioner is for NFS, by its name, its workload or a PV that it created; the claims and
/// volumes on NFS; and the provisioners. Claims that are Lost or without a volume are selected, too, unless their class
/// exists and is not one of these. Volumes that are Bound in another namespace than that of `cluster` are left out.
pub fn build_overview(cluster: &ClusterSnapshot, measured: &Measurements, now: Timestamp) -> Overview {
    let nfs_volumes = cluster.volumes.iter().filter(|volume| volume.is_nfs());
    let made: BTreeSet<&str> = nfs_volumes
        .filter_map(|volume| volume.provisioned_by.as_deref())
        .collect();
    let mut running = find_candidates(cluster);
    running.retain(|one| one.name.is_some_and(|name| one.is_for_nfs() || made.contains(name)));
    let is_nfs = |class: &&Class| {
        let name = class.provisioner.as_str();
        has_nfs_in_name(name) || made.contains(name) || running.iter().any(|one| one.name == Some(name))
    };
    let classes: Vec<&Class> = cluster.classes.iter().filter(is_nfs).collect();
    let claims = claim_rows(cluster, &classes);
    Overview {
        volumes: volume_rows(cluster, &claims, measured),
        claims,
        provisioners: provisioner_rows(cluster, &classes, &running, now),
        classes: class_rows(&classes),
    }
}

/// The claims on NFS volumes, and those without a volume or Lost, unless their class exists and is not one of
/// `classes`.
fn claim_rows(cluster: &ClusterSnapshot, classes: &[&Class]) -> Vec<ClaimRow> {
    let nfs_volumes = cluster.volumes.iter().filter(|volume| volume.is_nfs());
    let on_nfs: BTreeSet<&str> = nfs_volumes.map(|volume| volume.name.as_str()).collect();
    let is_shown_class = |name: &str| classes.iter().any(|class| class.name == name);
    let others = cluster.classes.iter().map(|class| class.name.as_str());
    let elsewhere: BTreeSet<&str> = others.filter(|name| !is_shown_class(name)).collect();
    let row = |claim: &Claim| {
        let class = claim.class.as_deref().unwrap_or_default();
        let is_open = (claim.volume.is_empty() || claim.phase == "Lost") && !elsewhere.contains(class);
        (is_open || on_nfs.contains(claim.volume.as_str())).then(|| ClaimRow {
            namespace: claim.namespace.clone(),
            name: claim.name.clone(),
            phase: match claim.phase.as_str() {
                "" => "Pending".to_owned(),
                phase => phase.to_owned(),
            },
            size: claim.size.clone(),
            volume: claim.volume.clone(),
            class: class.to_owned(),
            access_modes: claim.requirements.modes.clone(),
            created: claim.created,
        })
    };
    let mut rows: Vec<ClaimRow> = cluster.claims.iter().filter_map(row).collect();
    rows.sort();
    rows
}

/// The NFS volumes, in-tree or of a CSI driver, sorted by name, without those that are Bound to claims of other namespaces than the one that is
/// shown, unless a claim in `claims` names them.
fn volume_rows(cluster: &ClusterSnapshot, claims: &[ClaimRow], measured: &Measurements) -> Vec<VolumeRow> {
    let claimed: BTreeSet<&str> = claims.iter().map(|claim| claim.volume.as_str()).collect();
    let row = |volume: &Volume| {
        let (server, path) = volume.export().filter(|_| volume.is_nfs())?;
        let is_foreign = cluster.namespace.as_ref().is_some_and(|namespace| {
            volume.phase == "Bound" && volume.claim.as_ref().map(|claim| &claim.namespace) != Some(namespace)
        });
        if is_foreign && !claimed.contains(volume.name.as_str()) {
            return None;
        }
        Some(VolumeRow {
            name: volume.name.clone(),
            phase: volume.phase.clone(),
            size: volume.size.clone(),
            reclaim_policy: volume.reclaim.clone(),
            class: volume.class.clone(),
            access_modes: volume.modes.clone(),
            created: volume.created,
            server: server.clone(),
            path: place::without_trailing_slashes(path).to_owned(),
            claim: volume
                .claim
                .as_ref()
                .map(|claim| format!("{}/{}", claim.namespace, claim.name)),
            provisioner: volume.provisioned_by.clone(),
            message: Some(volume.message.clone()).filter(|message| !message.is_empty()),
            holds: measured.holdings.get(&volume.name).cloned(),
            quota: measured.quotas.get(&volume.name).copied(),
        })
    };
    let mut rows: Vec<VolumeRow> = cluster.volumes.iter().filter_map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// The rows of classes, sorted by name.
fn class_rows(classes: &[&Class]) -> Vec<ClassRow> {
    let row = |class: &&Class| ClassRow {
        name: class.name.clone(),
        provisioner: class.provisioner.clone(),
        default: class.default,
        reclaim_policy: class.reclaim.clone(),
        binding_mode: match class.waits_for_first_consumer {
            true => "WaitForFirstConsumer".to_owned(),
            false => "Immediate".to_owned(),
        },
        on_delete: on_delete_of(class),
        path_pattern: class.parameters.get("pathPattern").cloned(),
    };
    let mut rows: Vec<ClassRow> = classes.iter().map(row).collect();
    rows.sort();
    rows
}

/// What happens to directories of deleted volumes; `None` if the parameters are invalid or another driver's.
fn on_delete_of(class: &Class) -> Option<String> {
    let object = StorageClass {
        parameters: Some(class.parameters.clone()),
        ..StorageClass::default()
    };
    let is_of_driver = class.provisioner == NFS_CSI;
    let on_delete = read_on_delete(&object).ok().filter(|_| !is_of_driver);
    on_delete.map(|on_delete| on_delete.as_str().to_owned())
}

/// A row for each of `running`, and one for each other name that a held Lease or a class has. The leader is that of
/// [`HeldLeases`].
fn provisioner_rows(
    cluster: &ClusterSnapshot,
    classes: &[&Class],
    running: &[Provisioner<'_>],
    now: Timestamp,
) -> Vec<ProvisionerRow> {
    let served: BTreeSet<&str> = classes.iter().map(|class| class.provisioner.as_str()).collect();
    let known = served.iter().copied().chain(running.iter().filter_map(|one| one.name));
    let held = HeldLeases::find(&cluster.locks, known.chain(KNOWN), now);
    let namespaces_of = |name: &str| -> BTreeSet<&str> {
        let of_name = running.iter().filter(|one| one.name == Some(name));
        of_name.map(|one| one.workload.namespace.as_str()).collect()
    };
    let row = |one: &Provisioner<'_>| {
        let (name, workload) = (one.name?, one.workload);
        Some(ProvisionerRow {
            name: name.to_owned(),
            workload: Some(format!("{}/{}", workload.object().short_kind(), workload.name)),
            namespace: Some(workload.namespace.clone()),
            ready: workload.ready,
            wanted: workload.replicas,
            image: Some(one.container.image.clone()),
            leader: held.leader_of(name, Some(&workload.namespace), &namespaces_of(name)),
        })
    };
    let mut rows: Vec<ProvisionerRow> = running.iter().filter_map(row).collect();
    let is_running = |name: &&str| running.iter().any(|one| one.name == Some(*name));
    let unseen: BTreeSet<&str> = held
        .provisioners()
        .chain(served)
        .filter(|name| !is_running(name))
        .collect();
    rows.extend(unseen.into_iter().map(|name| ProvisionerRow {
        name: name.to_owned(),
        workload: None,
        namespace: None,
        ready: 0,
        wanted: 0,
        image: None,
        leader: held.leader_of(name, None, &BTreeSet::new()),
    }));
    rows.sort();
    rows
}

#[cfg(test)]
#[path = "overview_tests.rs"]
mod tests;
