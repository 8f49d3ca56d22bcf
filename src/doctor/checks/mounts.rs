//! NFS volumes that a node can't mount: NFS401 to NFS409 (PURE).

use std::collections::BTreeMap;

use super::hosts::on_node;
use super::pods::nfs_volumes;
use super::{Case, said};
use crate::doctor::facts::{Event, Pod};
use crate::doctor::fix::{Cure, Remedy};
use crate::doctor::messages::{self, Place};
use crate::doctor::names::word;
use crate::doctor::{Finding, Object};

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, Object), Finding> = BTreeMap::new();
    for pod in &case.facts.pods {
        // A pod that runs has mounted what it needs, whatever was said before.
        if pod.phase != "Pending" || pod.node.is_empty() || pod.deleting.is_some() {
            continue;
        }
        let object = pod.object();
        let newest = case.events(&object).iter().find_map(|event| {
            let (code, named) = messages::classify(Place::Mount, &event.message)?;
            (code != "NFS410").then_some((*event, code, named))
        });
        let Some((event, code, named)) = newest else {
            continue;
        };
        let about = subject(case, pod, event, code);
        let finding = found
            .remove(&(code, about.clone()))
            .unwrap_or_else(|| explain(case, pod, event, code, named.as_deref(), &about));
        found.insert((code, about), finding.explaining([object]));
    }
    found.into_values().collect()
}

/// What is at fault: the node where it lacks something, else the volume.
fn subject(case: &Case<'_>, pod: &Pod, event: &Event, code: &str) -> Object {
    let node = match event.host.is_empty() {
        true => &pod.node,
        false => &event.host,
    };
    if matches!(code, "NFS401" | "NFS407" | "NFS408") {
        return Object::cluster("Node", node);
    }
    let named = event
        .message
        .split_once("volume \"")
        .and_then(|(_, rest)| rest.split('"').next());
    let volume = named
        .and_then(|name| case.volume(name))
        .or_else(|| nfs_volumes(case, pod).next());
    match volume {
        Some(volume) => volume.object(),
        None => pod.object(),
    }
}

fn explain(
    case: &Case<'_>,
    pod: &Pod,
    event: &Event,
    code: &'static str,
    named: Option<&str>,
    about: &Object,
) -> Finding {
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
    let named = named.unwrap_or(&export);
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
    let finding = Finding::new(code, about.clone(), cause).all_seen([said(event)]);
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
