//! NFS volumes that a node can't mount: NFS401 to NFS409, NFS413 to NFS419 (PURE).
//!
//! The kubelet's newest message about a pod's volumes tells the cause; [`node`] describes those on the node, [`server`]
//! those on the server or in the volume. [`Failure`] is also used for mounts of a CSI driver's controller.

mod node;
mod server;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{View, is_failed_mount};
use crate::cluster::provisioners::{NFS_CSI, ProvisionerKind};
use crate::cluster::snapshot::{Event, Node, Pod, Volume};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::names::list_names;
use crate::doctor::{Confidence, Evidence, Finding, Fix, Object};

entries! {
    "NFS413" Error [PODS, EVENTS] "the mount fails, cause unknown",
        "The kubelet could not mount the pod's NFS volume, and its message matches no known cause. The finding quotes the message. The kubelet tries again every two minutes; mounting by hand on the node (mount -v -t nfs SERVER:PATH /mnt) often says more.";
}

pub use node::{ENTRIES as OF_NODES, describe_unregistered_driver, severity_of_unregistered};
pub use server::ENTRIES as OF_SERVERS;

/// A mount that failed.
pub struct Failure<'a> {
    pub code: &'static str,
    /// The first name in its message.
    pub named: Option<String>,
    /// Whether the message names no volume, and the pod has several that it may be about.
    pub is_volume_guessed: bool,
    /// Whether the volume's own provisioner is the NFS server, as ganesha's is.
    pub is_served_by_provisioner: bool,
    /// The node; empty where it is not known.
    pub node: &'a str,
    /// Other nodes where the same fails.
    pub other_nodes: Vec<&'a str>,
    /// The NFS server and path; none where they are not known.
    pub export: Option<(String, String)>,
    /// The mount options; empty where they are not known.
    pub options: String,
}

/// A cause in words, and what fixes it.
pub type CauseAndFix = (String, Fix);

/// A cause whose fix is advice alone.
fn cause_and_advice(cause: impl Into<String>, note: impl Into<String>) -> CauseAndFix {
    (cause.into(), Fix::of_advice(note))
}

impl Failure<'_> {
    /// The server; `(not known)` if it isn't known.
    fn server_name(&self) -> &str {
        self.export.as_ref().map_or("(not known)", |(server, _)| server)
    }

    /// `SERVER:PATH`, or `the export` if it is not known.
    fn export_text(&self) -> String {
        match &self.export {
            Some((server, path)) if server.contains(':') => format!("[{server}]:{path}"),
            Some((server, path)) => format!("{server}:{path}"),
            None => "the export".to_owned(),
        }
    }

    /// `node n1`, `nodes n1, n2`, or `the provisioner's node` if its name is unknown.
    fn node_text(&self) -> String {
        let all: Vec<&str> = [self.node]
            .into_iter()
            .chain(self.other_nodes.iter().copied())
            .collect();
        match all.as_slice() {
            [""] => "the provisioner's node".to_owned(),
            [node] => format!("node {node}"),
            nodes => format!("nodes {}", list_names(nodes)),
        }
    }

    /// The server, if it is a name of the node itself, which it then mounts from.
    fn own_server(&self) -> Option<&str> {
        let named = self.named.as_deref().and_then(|named| named.split_once(":/"));
        let server = self.export.as_ref().map(|(server, _)| server.as_str());
        let server = server.or(named.map(|(server, _)| server))?;
        let is_loopback = server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        (is_loopback || server == "localhost").then_some(server)
    }

    /// Whether the server only gave no answer in time, which has other explanations.
    fn is_timeout(&self) -> bool {
        const SLOW: [&str; 3] = ["eadline", "already exists", "imed out"];
        let named = self.named.as_deref().unwrap_or_default();
        self.code == "NFS404" && SLOW.iter().any(|words| named.contains(words))
    }

    /// The finding about `object`, with the cause and its fix; `None` for a code that no failed mount has.
    pub fn describe(&self, view: &View<'_>, object: Object, evidence: Evidence) -> Option<Finding> {
        let (cause, fix) = node::describe_fault(view, self).or_else(|| server::describe_fault(self))?;
        let confidence = match self.is_timeout() || self.is_volume_guessed {
            true => Confidence::Likely,
            false => Confidence::Certain,
        };
        let finding = Finding::new(self.code, object, cause)
            .with_confidence(confidence)
            .with_all_evidence([evidence])
            .with_fix(fix);
        // Whoever else does not reach the server has the same cause.
        Some(match &self.export {
            Some((server, _)) if self.code == "NFS404" => finding.with_same_cause(server),
            _ if self.code == "NFS211" => {
                finding.with_severity(severity_of_unregistered(view, node::driver_of(self), self.node))
            }
            _ => finding,
        })
    }
}

/// The same failure of one or more pods.
struct Group<'a> {
    failure: Failure<'a>,
    evidence: Evidence,
    /// Of its first pod.
    object: Object,
    /// The pods, and the objects at fault of the others.
    affected: BTreeSet<Object>,
}

/// A finding for each code and object at fault, or server that is not reached, with the pods that it affects; not for
/// pods without a node or that are being deleted. Of a pod that is not Pending only a stale file handle and a subPath
/// count.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, String), Group<'_>> = BTreeMap::new();
    for pod in &view.cluster.pods {
        if pod.node.is_empty() || pod.deleting.is_some() {
            continue;
        }
        // A pod that runs has mounted its volumes, whatever earlier events say.
        let failed = match pod.is_being_created() {
            true if !view.has_its_volumes(pod) => {
                find_failed_mount(view, pod).or_else(|| find_failed_container(view, pod))
            }
            true => find_failed_container(view, pod),
            false => find_failed_container(view, pod)
                .or_else(|| find_failed_probe(view, pod))
                .filter(|(failure, ..)| matches!(failure.code, "NFS406" | "NFS418")),
        };
        let Some((failure, evidence, volume)) = failed else {
            continue;
        };
        let object = object_at_fault(view, &failure, pod, volume);
        // A server that is down is one cause, however many volumes it has.
        let what = match &failure.export {
            Some((server, _)) if failure.code == "NFS404" => server.clone(),
            _ => object.title(),
        };
        let group = match groups.entry((failure.code, what)) {
            Entry::Vacant(place) => place.insert(Group {
                failure,
                evidence,
                object,
                affected: BTreeSet::new(),
            }),
            Entry::Occupied(place) => {
                let group = place.into_mut();
                let first = &mut group.failure;
                if first.node != failure.node && !first.other_nodes.contains(&failure.node) {
                    first.other_nodes.push(failure.node);
                }
                group
                    .affected
                    .extend(Some(object).filter(|object| *object != group.object));
                group
            }
        };
        group.affected.insert(pod.object());
    }
    let describe = |group: Group<'_>| {
        let finding = group.failure.describe(view, group.object, group.evidence)?;
        Some(finding.with_affected(group.affected))
    };
    groups.into_values().filter_map(describe).collect()
}

/// A failure, its evidence, and the volume.
type Failed<'a> = (Failure<'a>, Evidence, Option<&'a Volume>);

/// Whether a failure may also be told by a container that can't be started, after its volumes were mounted.
fn is_of_container(failure: &Failure<'_>) -> bool {
    matches!(failure.code, "NFS406" | "NFS418" | "NFS419")
}

/// The failure in the newest event that says why a pod's NFS volume is not mounted; a timeout (NFS410) says nothing and
/// is skipped. The event may be older than a successful mount: the caller checks that the pod is Pending and has not its
/// volumes.
pub fn find_failed_mount<'a>(view: &'a View<'_>, pod: &'a Pod) -> Option<Failed<'a>> {
    let mut events = view.events_about(&pod.object()).iter();
    events.find_map(|event| {
        let (failure, volume) = read_failure(view, pod, &event.message, &pod.node)?;
        let is_of_mount = is_failed_mount(event) && failure.code != "NFS410" || is_of_container(&failure);
        is_of_mount.then(|| (failure, event.evidence(), volume))
    })
}

/// NFS406, by the last words of a probe that failed within the last minutes.
fn find_failed_probe<'a>(view: &'a View<'_>, pod: &'a Pod) -> Option<Failed<'a>> {
    let is_recent = |event: &Event| event.reason == "Unhealthy" && view.is_repeated(event);
    let event = view.find_event(&pod.object(), is_recent)?;
    let (failure, volume) = read_failure(view, pod, &event.message, &pod.node)?;
    (failure.code == "NFS406").then(|| (failure, event.evidence(), volume))
}

/// The failure of a container that can't be started because of its volume: NFS406, NFS418 or NFS419.
fn find_failed_container<'a>(view: &'a View<'_>, pod: &'a Pod) -> Option<Failed<'a>> {
    pod.stopped.iter().find_map(|stopped| {
        let (failure, volume) = read_failure(view, pod, &stopped.message, &pod.node)?;
        is_of_container(&failure).then(|| (failure, pod.container_evidence(stopped), volume))
    })
}

/// The failure that a message about a pod's mount shows, with the PV that failed, if it is known. `None` if it shows
/// none, is about another volume than the pod's claims and NFS, or what failed is not known to be NFS: other storage has
/// some of the same messages.
fn read_failure<'a>(
    view: &'a View<'_>,
    pod: &'a Pod,
    text: &'a str,
    node: &'a str,
) -> Option<(Failure<'a>, Option<&'a Volume>)> {
    // Another driver may mount NFS as well.
    const WORDS: [&str; 4] = ["mount.nfs", "-t nfs", "~nfs/", "nfs.csi"];
    let has_nfs_words = WORDS.iter().any(|word| text.contains(word));
    if !has_nfs_words && is_about_other_volume(view, pod, text) {
        return None;
    }
    let mentioned = mentioned_volume(text);
    let volume = match mentioned {
        // Without a PV of that name, it is a volume that the pod has without a claim.
        Some(name) => view.volumes_of_pod(pod).find(|volume| volume.name == name),
        None => view.nfs_volumes_of_pod(pod).next(),
    };
    let is_one_of_several = view.nfs_volumes_of_pod(pod).count() + pod.nfs.len() > 1;
    let (command, options) = messages::parse_mount_command(text);
    let export = volume.and_then(|volume| volume.export().cloned()).or(command);
    let export = export.or_else(|| pod.nfs.first().filter(|_| volume.is_none()).cloned());
    let is_nfs = match volume {
        Some(volume) => volume.is_nfs(),
        None => export.is_some(),
    };
    if !is_nfs && !has_nfs_words {
        return None;
    }
    let mut failure = classify_failure(view, text, node, (export, options))?;
    // Who waits for an operation on a volume with the same handle waits for no server.
    if failure.is_timeout() && volume.is_some_and(|volume| view.find_twin(volume).is_some()) {
        return None;
    }
    let maker = volume.and_then(|volume| volume.provisioned_by.as_deref());
    let mut ganeshas = view
        .provisioners
        .iter()
        .filter(|one| one.kind == ProvisionerKind::Ganesha);
    failure.is_served_by_provisioner = maker.is_some() && ganeshas.any(|one| one.name == maker);
    failure.is_volume_guessed = mentioned.is_none() && is_one_of_several;
    Some((failure, volume))
}

/// Whether a message is about a volume of the pod that is neither NFS nor a claim's, such as a ConfigMap, or about a PV
/// that is not NFS. False if it names no volume, or one that is not known.
pub fn is_about_other_volume(view: &View<'_>, pod: &Pod, text: &str) -> bool {
    // The volumes of tokens, which the API server adds.
    const TOKENS: [&str; 2] = ["kube-api-access-", "default-token-"];
    const OF_OTHERS: [&str; 4] = [
        ": secret \"",
        ": configmap \"",
        "failed to sync secret",
        "failed to sync configmap",
    ];
    if OF_OTHERS.iter().any(|words| text.contains(words)) {
        return true;
    }
    let is_other = |name: &str| {
        pod.other_volumes.iter().any(|other| other == name) || TOKENS.iter().any(|token| name.starts_with(token))
    };
    if let Some((_, rest)) = text.split_once("volumeMount \"") {
        return rest.split('"').next().is_some_and(is_other);
    }
    if let Some((_, rest)) = text.split_once("unmounted volumes=[") {
        let names = rest.split(']').next().unwrap_or_default();
        return !names.is_empty() && names.split([' ', ',']).filter(|name| !name.is_empty()).all(is_other);
    }
    let Some(named) = mentioned_volume(text) else {
        return false;
    };
    if let Some(volume) = view.find_volume(named) {
        return !volume.is_nfs();
    }
    let mut claims = pod.claims.iter().map(|name| view.find_claim(&pod.namespace, name));
    is_other(named) || pod.nfs.is_empty() && claims.all(|claim| claim.is_some_and(|claim| claim.volume != named))
}

/// The failure of a provisioner that mounts the export itself, on an unknown node, by its message `text`; `None` if
/// that is of no known failure. `fallback` is the export's server and path if the message names none.
pub fn find_provisioner_failure(
    view: &View<'_>,
    text: &str,
    fallback: Option<(String, String)>,
) -> Option<Failure<'static>> {
    let (command, options) = messages::parse_mount_command(text);
    classify_failure(view, text, "", (command.or(fallback), options))
}

/// The failure that a message shows, of a mount of this export with these options on a node, which is empty if unknown.
/// Server and node tell causes apart that have the same message. `None` if it shows none, or names a CSI driver that is
/// not for NFS.
fn classify_failure<'a>(
    view: &View<'_>,
    text: &str,
    node: &'a str,
    (export, options): (Option<(String, String)>, String),
) -> Option<Failure<'a>> {
    let (code, named) = messages::classify(MessageKind::Mount, text)?;
    let is_ipv6 = matches!(&export, Some((server, _)) if server.parse::<std::net::Ipv6Addr>().is_ok());
    let code = match code {
        "NFS408" if is_ipv6 && node::has_old_kubelet(view, node) => "NFS417",
        "NFS211" if named.as_deref().is_some_and(|name| !name.contains("nfs")) => return None,
        code if code != "NFS211" && view.cluster.find_node(node).is_some_and(Node::is_windows) => "NFS416",
        code => code,
    };
    Some(Failure {
        code,
        named,
        is_volume_guessed: false,
        is_served_by_provisioner: false,
        node,
        other_nodes: Vec::new(),
        export,
        options,
    })
}

/// The name of the volume that a message says could not be mounted, quoted or in its mount directory: a PV's, or that
/// of a volume in the pod's spec. `None` if it names none.
pub fn mentioned_volume(text: &str) -> Option<&str> {
    let leads = [
        "spec.Name: \"",
        "volume \"",
        "kubernetes.io~nfs/",
        "kubernetes.io~csi/",
        "/volume-subpaths/",
    ];
    leads.iter().find_map(|lead| {
        let (_, rest) = text.split_once(lead)?;
        rest.split(['"', '\'', '/', ':', ' ']).next()
    })
}

/// The object of a finding: the node if the failure is the node's (the CSIDriver if the volume is never attached), else
/// the volume, or the pod if the volume is unknown.
fn object_at_fault(view: &View<'_>, failure: &Failure<'_>, pod: &Pod, volume: Option<&Volume>) -> Object {
    match (node::is_finding_about_node(failure.code), volume) {
        (true, _) if failure.code == "NFS211" && node::waits_for_attachment(failure, view) => {
            Object::cluster_scoped("CSIDriver", NFS_CSI)
        }
        (true, _) => Object::cluster_scoped("Node", failure.node),
        (false, Some(volume)) => volume.object(),
        (false, None) => pod.object(),
    }
}
