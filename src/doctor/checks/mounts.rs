//! NFS volumes that a node can't mount: NFS401 to NFS409 (PURE).

use std::collections::BTreeMap;

use super::hosts::on_node;
use super::pods::nfs_volumes;
use super::{Case, said};
use crate::doctor::Severity::Error;
use crate::doctor::explain::{EVENTS, EXPORTS, Entry, HOSTS, PODS, entry};
use crate::doctor::facts::Pod;
use crate::doctor::fix::{Cure, Remedy};
use crate::doctor::messages::{self, Place};
use crate::doctor::names::word;
use crate::doctor::{Evidence, Finding, Object};

/// What these checks find.
pub const ENTRIES: &[Entry] = &[
    entry("NFS401", Error, &[PODS, EVENTS, HOSTS], "no NFS client on the node", "The node lacks mount.nfs. Install nfs-common (Debian, Ubuntu) or nfs-utils (others) on every node.").automatic(),
    entry("NFS402", Error, &[PODS, EVENTS, HOSTS], "access denied by the server", "The export does not allow the node's address, or the path is not exported. Compare exportfs -v on the server with the addresses of the nodes.").automatic(),
    entry("NFS403", Error, &[PODS, EVENTS, EXPORTS, HOSTS], "the path doesn't exist on the server", "The directory is not there, or, with NFSv4 and an export with fsid=0, it is named from that root."),
    entry("NFS404", Error, &[PODS, EVENTS, EXPORTS, HOSTS], "server unreachable", "The node gets no answer from the NFS server: it is down, a firewall drops TCP 2049, or there is no route."),
    entry("NFS405", Error, &[PODS, EVENTS], "NFS version not supported", "The server does not offer the version that the mount asks for. See mountOptions (nfsvers=…) of the PV and class."),
    entry("NFS406", Error, &[PODS, EVENTS], "stale file handle", "The directory was removed or replaced on the server while it was mounted. Start the pod again; if it stays, the node has to unmount the volume."),
    entry("NFS407", Error, &[PODS, EVENTS], "rpc.statd is not running", "NFSv3 needs rpc.statd on the node for locks. Start rpcbind and rpc-statd there, or mount NFSv4. The option nolock makes locks local, so that two nodes may write one file at once.").automatic(),
    entry("NFS408", Error, &[PODS, EVENTS, HOSTS], "the server's name doesn't resolve", "The node, not the cluster's DNS, has to resolve the server's name. Use an address, or a name that nodes know."),
    entry("NFS409", Error, &[PODS, EVENTS], "bad mount option", "mount.nfs does not know an option of the PV or its class."),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, Object), Finding> = BTreeMap::new();
    for pod in &case.facts.pods {
        if pod.node.is_empty() || pod.deleting.is_some() {
            continue;
        }
        // A pod that runs has mounted what it needs, whatever was said before.
        let sign = match pod.phase.as_str() {
            "Pending" => unmounted(case, pod),
            _ => stale(pod),
        };
        let Some(sign) = sign else { continue };
        let about = subject(case, pod, &sign);
        let finding = found
            .remove(&(sign.code, about.clone()))
            .unwrap_or_else(|| explain(case, pod, &sign, &about));
        found.insert((sign.code, about), finding.explaining([pod.object()]));
    }
    found.into_values().collect()
}

/// What a message is a sign of.
struct Sign<'a> {
    code: &'static str,
    /// What it names, if it does.
    named: Option<String>,
    text: &'a str,
    /// The node that it comes from.
    node: &'a str,
    evidence: Evidence,
}

/// The kubelet's newest word on why a volume is not mounted.
fn unmounted<'a>(case: &'a Case<'_>, pod: &'a Pod) -> Option<Sign<'a>> {
    case.events(&pod.object()).iter().find_map(|event| {
        let (code, named) = messages::classify(Place::Mount, &event.message)?;
        let node = match event.host.is_empty() {
            true => &pod.node,
            false => &event.host,
        };
        (code != "NFS410").then(|| Sign {
            code,
            named,
            text: &event.message,
            node,
            evidence: said(event),
        })
    })
}

/// That a container can't be started again, because its volume became stale while it was mounted.
fn stale(pod: &Pod) -> Option<Sign<'_>> {
    pod.stopped.iter().find_map(|stopped| {
        let (code, named) = messages::classify(Place::Mount, &stopped.message)?;
        (code == "NFS406").then(|| Sign {
            code,
            named,
            text: &stopped.message,
            node: &pod.node,
            evidence: Evidence {
                source: format!("container {} of {}", stopped.container, pod.object().title()),
                text: format!("{} {}", stopped.reason, stopped.message),
            },
        })
    })
}

/// What is at fault: the node where it lacks something, else the volume.
fn subject(case: &Case<'_>, pod: &Pod, sign: &Sign<'_>) -> Object {
    if matches!(sign.code, "NFS401" | "NFS407" | "NFS408") {
        return Object::cluster("Node", sign.node);
    }
    // By the kubelet's words, or by the directory in which it mounts.
    let named = ["volume \"", "kubernetes.io~nfs/"].iter().find_map(|before| {
        let (_, rest) = sign.text.split_once(before)?;
        rest.split(['"', '/', ':', ' ']).next()
    });
    let volume = named
        .and_then(|name| case.volume(name))
        .or_else(|| nfs_volumes(case, pod).next());
    match volume {
        Some(volume) => volume.object(),
        None => pod.object(),
    }
}

fn explain(case: &Case<'_>, pod: &Pod, sign: &Sign<'_>, about: &Object) -> Finding {
    let code = sign.code;
    let place = case
        .volume(&about.name)
        .and_then(|volume| volume.nfs.clone())
        .or_else(|| nfs_volumes(case, pod).find_map(|volume| volume.nfs.clone()))
        .or_else(|| pod.nfs.first().cloned());
    let export = place
        .as_ref()
        .map(|(server, path)| format!("{server}:{path}"))
        .unwrap_or_default();
    let server = place.map(|(server, _)| server).unwrap_or_default();
    let named = sign.named.as_deref().unwrap_or(&export);
    let node = &pod.node;
    let cause = match code {
        "NFS401" => format!("node {} has no NFS client", about.name),
        "NFS402" => format!("the server refuses node {node} the export {named}"),
        "NFS403" => format!("{named} doesn't exist on the server, or not under that name"),
        "NFS404" => format!("node {node} does not reach the NFS server {server}: {named}"),
        "NFS405" => format!("the server of {export} does not offer the NFS version that is asked for"),
        "NFS406" => format!("{export} was removed or replaced on the server while it was mounted"),
        "NFS407" => format!("rpc.statd does not run on node {}, and NFSv3 locks need it", about.name),
        "NFS408" => format!("node {} can't resolve the server's name {named}", about.name),
        _ => "mount.nfs does not know a mount option of the volume".to_owned(),
    };
    let finding = Finding::new(code, about.clone(), cause).all_seen([sign.evidence.clone()]);
    let patch = |finding: Finding, note: &str| finding.mended_by_hand(note);
    match code {
        "NFS401" => finding.mended_by(
            Cure::new(
                format!("ssh {} {}", word(&about.name), install(case, &about.name)),
                on_node(case, &about.name, Remedy::Client),
            ),
            "on every node; as root or with sudo",
        ),
        "NFS402" => finding.mended_by_hand(format!(
            "on the server, compare exportfs -v with node {node}'s address, and allow it"
        )),
        "NFS403" => patch(
            finding,
            "make the directory on the server, or name the one that is there (showmount -e)",
        ),
        "NFS404" => finding.mended_by_hand(format!(
            "is the NFS server on {server} up, and does its firewall let TCP 2049 in from node {node}?"
        )),
        "NFS405" => patch(
            finding,
            "take nfsvers=… out of the mount options of PV and class, or have the server offer it",
        ),
        "NFS406" => patch(finding, "delete the pod, so that the volume is mounted anew"),
        "NFS407" => finding.mended_by(
            Cure::new(
                format!(
                    "ssh {} sudo systemctl enable --now rpcbind rpc-statd",
                    word(&about.name)
                ),
                on_node(case, &about.name, Remedy::Statd),
            ),
            "or mount NFSv4; not nolock, with which two nodes may write one file at once",
        ),
        "NFS408" => patch(
            finding,
            "use the server's address, or a name that the node itself resolves",
        ),
        _ => patch(finding, "see mountOptions of the PV and its class"),
    }
}

/// How an NFS client is installed on a node, by its operating system.
fn install(case: &Case<'_>, node: &str) -> &'static str {
    let os = case
        .facts
        .nodes
        .iter()
        .find(|one| one.name == node)
        .map(|one| one.os.to_lowercase());
    let os = os.unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|name| os.contains(name));
    if is(&["suse", "sles"]) {
        "sudo zypper -n install nfs-client"
    } else if is(&["alpine"]) {
        "sudo apk add nfs-utils"
    } else if is(&[
        "red hat", "centos", "rocky", "alma", "fedora", "oracle", "amazon", "euler", "kylin", "anolis",
    ]) {
        "sudo yum -y install nfs-utils"
    } else {
        "sudo apt-get -y install nfs-common"
    }
}
