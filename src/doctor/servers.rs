//! Chooses the NFS exports that this machine probes, each a [`NamedExport`] (PURE). It probes none itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Object;
use super::messages::{self, MessageKind};
use crate::cluster::nfs_volumes::has_nfs_in_name;
use crate::cluster::provisioners;
use crate::cluster::snapshot::ClusterSnapshot;
use crate::cluster::snapshot::{Event, Volume};
use crate::manifest::validate;

/// Up to this number all exports are probed, whether or not a claim or pod waits for them.
const FEW: usize = 16;

/// The most exports that are probed.
const MOST: usize = 64;

/// An export that the cluster names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedExport {
    /// The objects that name it: PVs, provisioners, classes.
    pub by: Vec<Object>,
    /// Pending claims and pods that need it.
    pub waiting: Vec<Object>,
}

/// The exports that PVs, provisioners and classes of the cluster name, by server and path, each with these objects and
/// the Pending claims and pods that need it. PVs that are Released, Failed or terminating name none, nor do those of
/// CSI drivers for other storage, which may have a server and a share as well.
///
/// A provisioned directory is among them only if a pod waits for it; its export always is. A server or path that
/// `create` would refuse is left out, so that it reaches no server and no host; see [`describe_invalid_exports`].
pub fn named_exports(cluster: &ClusterSnapshot) -> BTreeMap<(String, String), NamedExport> {
    let mut exports = collect_exports(cluster);
    exports.retain(|export, _| check_names(export).is_ok());
    exports
}

/// A sentence for each export that [`named_exports`] leaves out: the export, the first object that names it, and why.
pub fn describe_invalid_exports(cluster: &ClusterSnapshot) -> Vec<String> {
    let exports = collect_exports(cluster).into_iter();
    let wrong = exports.filter_map(|(export, named)| {
        let why = check_names(&export).err()?;
        let (server, path) = export;
        let by = named.by.first().map(Object::title).unwrap_or_default();
        Some(format!("{server}:{path}, which {by} names: {why}"))
    });
    wrong.collect()
}

/// Checks an export's server and path as `create` does; the error says what is wrong.
fn check_names((server, path): &(String, String)) -> Result<(), String> {
    validate::check_server(server)?;
    validate::check_path(path)?;
    Ok(())
}

/// The exports that PVs, provisioners and classes name, each with these objects and what is Pending for it; also those
/// that `create` would refuse. PVs that are Released, Failed or terminating name none; a provisioned directory is left
/// out unless a pod waits for it.
fn collect_exports(cluster: &ClusterSnapshot) -> BTreeMap<(String, String), NamedExport> {
    let mut found: BTreeMap<(String, String), NamedExport> = BTreeMap::new();
    let stuck = find_stuck_pods(cluster);
    for volume in &cluster.volumes {
        let is_probed = volume.is_nfs() && must_have_directory(volume);
        let Some(place) = volume.export().cloned().filter(|_| is_probed) else {
            continue;
        };
        let claim = volume
            .claim
            .as_ref()
            .map(|claim| (claim.namespace.as_str(), claim.name.as_str()));
        let waiting = claim.and_then(|claim| stuck.get(&claim)).cloned().unwrap_or_default();
        if volume.provisioned_by.is_none() || !waiting.is_empty() {
            let named = found.entry(place).or_default();
            named.by.push(volume.object());
            named.waiting.extend(waiting);
        }
        if let Some((server, path)) = volume.provisioner_export() {
            let named = found.entry((server.to_owned(), path.to_owned())).or_default();
            if named.by.is_empty() {
                named.by.push(volume.object());
            }
        }
    }
    for provisioner in provisioners::find_provisioners(cluster) {
        if let Some(export) = provisioner.export() {
            let named = found.entry(export).or_default();
            named.by.push(provisioner.workload.object());
            named.waiting.extend(provisioner.waiting_claims(cluster));
        }
    }
    for class in &cluster.classes {
        if has_nfs_in_name(&class.provisioner)
            && let Some(export) = class.export()
        {
            let named = found.entry(export).or_default();
            named.by.push(class.object());
            let claims = provisioners::claims_waiting_for(cluster, &class.provisioner);
            let theirs = claims
                .iter()
                .filter(|claim| claim.class.as_deref() == Some(&class.name));
            named.waiting.extend(theirs.map(|claim| claim.object()));
        }
    }
    found
}

/// The server and path of each export to probe: all if they are at most 16, else those that Pending claims or pods
/// need, the first 64 by name.
pub fn exports_to_probe(cluster: &ClusterSnapshot) -> Vec<(String, String)> {
    let all = named_exports(cluster);
    let few = all.len() <= FEW;
    let wanted = all.into_iter().filter(|(_, named)| few || !named.waiting.is_empty());
    wanted.map(|(place, _)| place).take(MOST).collect()
}

/// The scheduled, Pending pods with an event that a volume can't be mounted, by namespace and name of each of their
/// claims. Terminating pods are left out.
fn find_stuck_pods(cluster: &ClusterSnapshot) -> HashMap<(&str, &str), Vec<Object>> {
    let is_failure = |event: &&Event| messages::classify(MessageKind::Mount, &event.message).is_some();
    let about: HashSet<&Object> = cluster
        .events
        .iter()
        .filter(is_failure)
        .filter_map(|event| event.object.as_ref())
        .collect();
    let mut found: HashMap<(&str, &str), Vec<Object>> = HashMap::new();
    let waiting = cluster
        .pods
        .iter()
        .filter(|pod| pod.is_being_created() && !pod.node.is_empty() && pod.deleting.is_none());
    for pod in waiting.filter(|_| !about.is_empty()) {
        let object = pod.object();
        if about.contains(&object) {
            for claim in &pod.claims {
                found.entry((&pod.namespace, claim)).or_default().push(object.clone());
            }
        }
    }
    found
}

/// Whether a volume must have its directory: one that is Released, Failed or terminating need not. Without a phase it
/// must.
fn must_have_directory(volume: &Volume) -> bool {
    volume.deleting.is_none() && matches!(volume.phase.as_str(), "Available" | "Bound" | "Pending" | "")
}
