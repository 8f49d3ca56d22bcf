//! Hosts that were read over SSH: NFS401, NFS402, NFS403, NFS404, NFS408, NFS411, NFS421 (PURE).

use std::net::IpAddr;
use std::path::Path;

use super::View;
use crate::change::{Change, HostChange};
use crate::cluster::snapshot::Node;
use crate::doctor::entry::entries;
use crate::doctor::facts::{ExportSeen, HostSeen};
use crate::doctor::names::{list_names, list_titles};
use crate::doctor::{Finding, Object};
use crate::host::Directory;
use crate::host::distro::{self, Installer, OsRelease};
use crate::host::exports_file::{ActiveExport, DesiredExport, parse_listing};

/// What has to be readable to be listed, and passable to be entered.
const READ: u32 = 0o444;
const PASS: u32 = 0o111;

// The rows of the other findings stand beside the checks that find the same by other evidence.
entries! {
    "NFS421" Error [HOSTS] "a mount on the node hangs",
        "Processes on the node wait in NFS calls that do not return: the server of a mount is down or can't be reached. A hard mount waits until the server is back, and the processes then continue by themselves. The doctor reads only /proc, and no path on a mount, and only on hosts that --ssh names.";
}

/// A host with exports that the cluster names is checked as a server, any other as a client.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let each = view.facts.hosts.iter().flat_map(|host| match host.exports.is_empty() {
        true => find_client_problems(view, host),
        false => find_server_problems(view, host),
    });
    each.collect()
}

/// The host of `--ssh` that is this node, as it was given; `None` if no host has the node's name as its own host name.
pub fn find_host_of_node<'a>(view: &View<'a>, node: &str) -> Option<&'a str> {
    let mut hosts = view.facts.hosts.iter();
    let host = hosts.find(|host| host.facts.hostname == node)?;
    Some(&host.target)
}

/// The Node object of a host if the cluster has one of its name, else the host itself.
fn object_of(view: &View<'_>, host: &HostSeen) -> Object {
    let name = &host.facts.hostname;
    match view.cluster.find_node(name) {
        Some(_) => Object::cluster_scoped("Node", name),
        None => Object::cluster_scoped("Host", &host.target),
    }
}

/// Problems of a client: NFS401 without an NFS client, NFS421 with processes that hang, NFS408 for each server that it
/// can't resolve (none if its addresses are unknown), NFS404 for each that it can't reach.
fn find_client_problems(view: &View<'_>, host: &HostSeen) -> Vec<Finding> {
    let object = object_of(view, host);
    let target = &host.target;
    let is_unresolved = |server: &&String| {
        let is_name = server.parse::<IpAddr>().is_err() && !host.facts.addresses.is_empty();
        is_name && host.facts.routes.iter().all(|route| route.server != **server)
    };
    let unresolved = host.servers.iter().filter(is_unresolved).map(|server| {
        let cause = format!("{target} can't resolve the server's name {server}");
        Finding::new("NFS408", object.clone(), cause)
            .with_evidence(format!("getent ahosts {server} on {target}"), "nothing")
            .with_advice("use the server's address, or a name that the node itself resolves")
    });
    let not_reached = host.reach.iter().filter(|(_, is_reached)| !is_reached);
    let unreachable = not_reached.map(|(server, _)| {
        let cause = format!("{target} does not reach the NFS server {server}");
        let note = format!("is the NFS server on {server} up, and does its firewall let TCP 2049 in from {target}?");
        Finding::new("NFS404", object.clone(), cause)
            .with_evidence(format!("TCP port 2049 of {server}, from {target}"), "no connection")
            .with_advice(note)
    });
    let of_host = [find_missing_client(host, &object), find_hung_processes(host, &object)];
    of_host
        .into_iter()
        .flatten()
        .chain(unresolved)
        .chain(unreachable)
        .collect()
}

fn find_hung_processes(host: &HostSeen, object: &Object) -> Option<Finding> {
    if host.hung.is_empty() {
        return None;
    }
    let target = &host.target;
    let cause = format!("processes on {target} wait in NFS calls that do not return");
    Some(
        Finding::new("NFS421", object.clone(), cause)
            .with_evidence(format!("processes in state D on {target}"), list_names(&host.hung))
            .with_evidence(format!("NFS mounts of {target}"), list_names(&host.nfs_mounts))
            .with_advice("start the server of the mount again; the processes then continue by themselves. Only if it will never run again: delete the pods that use it, then umount -f -l the mount on the node"),
    )
}

/// NFS401, with an automatic fix; `None` if the host has the package or mount.nfs, or a distribution that nfsprov
/// doesn't install packages on.
fn find_missing_client(host: &HostSeen, object: &Object) -> Option<Finding> {
    let release = OsRelease::parse(&host.facts.os_release);
    let choice = distro::choose_distro(&release, &host.facts.programs);
    let package = choice.distro.client;
    // On an unknown distribution the package is unknown, too.
    let is_known = matches!(choice.installer, Installer::Manager(_));
    if !is_known || host.facts.packages.contains(package) || host.facts.has_program("mount.nfs") {
        return None;
    }
    let target = &host.target;
    let change = Change::OnHost {
        host: target.clone(),
        change: HostChange::InstallClient,
    };
    Some(
        Finding::new("NFS401", object.clone(), format!("{target} has no NFS client"))
            .with_evidence(format!("packages of {target}"), format!("{package} is not installed"))
            .with_change(change, "as root or with sudo"),
    )
}

/// Problems of a server whose exports the cluster names: NFS404 if it doesn't run, else for each export NFS403, NFS411,
/// and NFS402 if the output of `exportfs` was read.
fn find_server_problems(view: &View<'_>, host: &HostSeen) -> Vec<Finding> {
    let object = object_of(view, host);
    let target = &host.target;
    if host.facts.threads == 0 {
        let finding = Finding::new("NFS404", object, format!("the NFS server does not run on {target}"))
            .with_evidence(format!("/proc/fs/nfsd/threads on {target}"), "none");
        let note = "installs the missing packages and starts the services, in the right order";
        return vec![match host.exports.iter().find(|export| may_suggest_change(export)) {
            Some(export) => {
                let (path, clients) = (export.path.clone(), Vec::new());
                add_directory_fix(finding, host, export, HostChange::Export { path, clients }, note)
            }
            None => finding.with_advice(format!("nfsprov setup-server {note}")),
        }];
    }
    let of_export = |export| {
        let directory = find_directory_problem(host, export, &object);
        let listing = host.facts.listing.as_ref();
        directory
            .into_iter()
            .chain(listing.and_then(|listed| find_denied_nodes(view, host, export, listed, &object)))
    };
    host.exports.iter().flat_map(of_export).collect()
}

/// Whether a command that exports the directory, or changes its mode, may be printed: nfsprov exports it already, or an
/// object without a namespace, which is an administrator's, names it. Tenants can name any directory of the server.
fn may_suggest_change(export: &ExportSeen) -> bool {
    export.facts.is_exported_by_nfsprov(&export.path) || export.named_by.iter().any(|object| object.namespace.is_none())
}

/// Adds a fix that changes a directory; only advice if nfsprov does not export it and no administrator's object names
/// it ([`may_suggest_change`]).
fn add_directory_fix(
    finding: Finding,
    host: &HostSeen,
    export: &ExportSeen,
    change: HostChange,
    note: &str,
) -> Finding {
    if !may_suggest_change(export) {
        return finding.with_advice(format!(
            "only {} names this directory, and tenants can name any directory there; if it should be exported, run nfsprov setup-server",
            list_titles(&export.named_by)
        ));
    }
    let host = host.target.clone();
    finding.with_change(Change::OnHost { host, change }, note)
}

/// NFS403 if an exported directory doesn't exist; NFS411 if users can list it and not enter it. `None` for a link or a
/// file, too.
fn find_directory_problem(host: &HostSeen, export: &ExportSeen, object: &Object) -> Option<Finding> {
    let (path, target, by) = (&export.path, &host.target, list_titles(&export.named_by));
    match &export.facts.directory {
        Directory::There { mode, .. } => {
            // A user who may list a directory, but not enter it, can use nothing in it.
            let lacking = (mode & READ) >> 2 & !(mode & PASS);
            if lacking == 0 {
                return None;
            }
            let change = HostChange::SetMode {
                path: path.clone(),
                from: *mode,
                to: mode | lacking,
            };
            let cause = format!(
                "{path}, named by {by}, can be listed, but not entered: its mode lacks x, so only root can enter it"
            );
            let finding = Finding::new("NFS411", object.clone(), cause)
                .with_evidence(format!("mode of {path} on {target}"), format!("{mode:04o}"));
            let note = "adds x for each r, and changes nothing else";
            Some(add_directory_fix(finding, host, export, change, note))
        }
        Directory::Missing => {
            let cause = format!("{path}, named by {by}, doesn't exist on {target}");
            Some(
                Finding::new("NFS403", object.clone(), cause)
                    .with_evidence(format!("{path} on {target}"), "nothing there")
                    .with_advice("create the directory on the server, or name the existing one"),
            )
        }
        Directory::Link(_) | Directory::Other => None,
    }
}

/// NFS402: a path is not exported, or not to every node, by the output of `exportfs -s`; a directory above counts, and
/// so does a client that is a name. The fix lets in the nodes that are denied. A node with several addresses is denied
/// only if all are; `--fix` then does nothing, since it is not known which of them the server sees.
fn find_denied_nodes(
    view: &View<'_>,
    host: &HostSeen,
    export: &ExportSeen,
    exportfs_output: &str,
    object: &Object,
) -> Option<Finding> {
    let path = &export.path;
    let mut lines = parse_listing(exportfs_output);
    lines.retain(|line| Path::new(path).starts_with(&line.path));
    let wanted = DesiredExport {
        path: path.clone(),
        clients: lines.iter().map(|line| line.client.clone()).collect(),
        options: String::new(),
    };
    let is_shut_out = |address: &String| {
        let address = address.parse().ok();
        address.and_then(|address: IpAddr| wanted.allows_address(address)) == Some(false)
    };
    // Which of several addresses the server sees is unknown, so all must be denied.
    let is_denied = |node: &&Node| !node.addresses.is_empty() && node.addresses.iter().all(is_shut_out);
    let is_exported = !lines.is_empty();
    let nodes = view.cluster.nodes.iter();
    let denied: Vec<&Node> = nodes.filter(|node| !is_exported || is_denied(node)).collect();
    let (target, by) = (&host.target, list_titles(&export.named_by));
    let (cause, text) = match is_exported {
        true if denied.is_empty() => return None,
        true => {
            let describe_node = |node: &&Node| format!("{} ({})", node.name, node.addresses.join(", "));
            let names = denied.iter().map(describe_node).collect::<Vec<_>>().join(", ");
            let describe_line = |line: &ActiveExport| format!("{} {}({})", line.path, line.client, line.options);
            let lines: Vec<_> = lines.iter().map(describe_line).collect();
            (
                format!("{target} exports {path}, named by {by}, but not to node {names}"),
                lines.join("; "),
            )
        }
        false => (
            format!("{target} does not export {path}, named by {by}"),
            "no line for it".to_owned(),
        ),
    };
    let finding = Finding::new("NFS402", object.clone(), cause).with_evidence(format!("exportfs -s on {target}"), text);
    let change = HostChange::Export {
        path: path.clone(),
        clients: single_addresses(&denied).unwrap_or_default(),
    };
    let note = "exports it to the nodes of the cluster; others' lines stay";
    Some(add_directory_fix(finding, host, export, change, note))
}

/// The nodes' addresses; `None` unless each node has exactly one. A node's kubelet writes it, so a text that is no
/// address, such as `*`, gives `None`, too.
fn single_addresses(nodes: &[&Node]) -> Option<Vec<String>> {
    let each = nodes.iter().map(|node| match &node.addresses[..] {
        [address] => Some(address.parse::<IpAddr>().ok()?.to_string()),
        _ => None,
    });
    each.collect()
}
