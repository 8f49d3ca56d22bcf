//! Hosts that were read over SSH: NFS401, NFS402, NFS403, NFS404, NFS408, NFS411, NFS421 (PURE).

use std::net::IpAddr;

use super::Case;
use crate::doctor::Severity::Error;
use crate::doctor::explain::{Entry, HOSTS, entry};
use crate::doctor::facts::{ExportSeen, HostSeen, Node};
use crate::doctor::fix::{Change, HostChange};
use crate::doctor::names::some;
use crate::doctor::{Finding, Object};
use crate::host::Directory;
use crate::host::distro::{self, Installer, OsRelease};
use crate::host::exports_file::{DesiredExport, listing};

/// What has to be readable to be listed, and passable to be entered.
const READ: u32 = 0o444;
const PASS: u32 = 0o111;

/// The rows of the other findings stand beside the checks that find the same by other signs.
pub const ENTRIES: &[Entry] = &[entry(
    "NFS421",
    Error,
    &[HOSTS],
    "a mount on the node hangs",
    "Processes on the node wait in NFS calls that do not return: the server of a mount is down or out of reach. A hard mount waits until the server is back, and the processes then continue by themselves. The doctor reads /proc only, and touches no path on a mount. It looks only on hosts that are named by --ssh.",
)];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let each = case.facts.hosts.iter().flat_map(|host| match host.exports.is_empty() {
        true => client(case, host),
        false => server(case, host),
    });
    each.collect()
}

/// The host of `--ssh` that is this node.
pub fn on_node<'a>(case: &Case<'a>, node: &str) -> Option<&'a str> {
    let mut hosts = case.facts.hosts.iter();
    hosts
        .find(|host| host.facts.hostname == node)
        .map(|host| host.target.as_str())
}

/// The node that a host is, else the host.
fn object(case: &Case<'_>, host: &HostSeen) -> Object {
    let name = &host.facts.hostname;
    match case.facts.nodes.iter().any(|node| node.name == *name) {
        true => Object::cluster("Node", name),
        false => Object::cluster("Host", &host.target),
    }
}

/// A node, or what may become one.
fn client(case: &Case<'_>, host: &HostSeen) -> Vec<Finding> {
    let about = || object(case, host);
    let mut found: Vec<Finding> = no_client(host, about())
        .into_iter()
        .chain(hung(host, about()))
        .collect();
    for server in &host.servers {
        let asked = server.parse::<IpAddr>().is_err() && !host.facts.addresses.is_empty();
        if asked && host.facts.routes.iter().all(|route| route.server != *server) {
            found.push(
                Finding::new(
                    "NFS408",
                    about(),
                    format!("{} can't resolve the server's name {server}", host.target),
                )
                .seen(format!("getent ahosts {server} on {}", host.target), "nothing")
                .advise("use the server's address, or a name that the node itself resolves"),
            );
        }
    }
    for (server, reached) in &host.reach {
        if !reached {
            found.push(
                Finding::new(
                    "NFS404",
                    about(),
                    format!("{} does not reach the NFS server {server}", host.target),
                )
                .seen(
                    format!("TCP port 2049 of {server}, from {}", host.target),
                    "no connection",
                )
                .advise(format!(
                    "is the NFS server on {server} up, and does its firewall let TCP 2049 in from {}?",
                    host.target
                )),
            );
        }
    }
    found
}

/// Processes that wait in NFS calls.
fn hung(host: &HostSeen, about: Object) -> Option<Finding> {
    let names = |all: &[String]| some(&all.iter().map(String::as_str).collect::<Vec<_>>());
    if host.hung.is_empty() {
        return None;
    }
    let cause = format!("processes on {} wait in NFS calls that do not return", host.target);
    let finding = Finding::new("NFS421", about, cause)
        .seen(format!("processes in state D on {}", host.target), names(&host.hung))
        .seen(format!("NFS mounts of {}", host.target), names(&host.nfs_mounts));
    Some(finding.advise(
        "bring the server of the mount back; the processes then continue by themselves. Only if it is gone for good: delete the pods that use it, then umount -f -l the mount on the node",
    ))
}

fn no_client(host: &HostSeen, about: Object) -> Option<Finding> {
    let release = OsRelease::parse(&host.facts.os_release);
    let choice = distro::of(&release, &host.facts.programs);
    let package = choice.distro.client;
    // What is not known there is not judged.
    let is_known = matches!(choice.installer, Installer::Manager(_));
    if !is_known || host.facts.packages.contains(package) || host.facts.has_program("mount.nfs") {
        return None;
    }
    let change = Change::OnHost {
        host: host.target.clone(),
        change: HostChange::InstallClient,
    };
    Some(
        Finding::new("NFS401", about, format!("{} has no NFS client", host.target))
            .seen(
                format!("packages of {}", host.target),
                format!("{package} is not installed"),
            )
            .fixed_by(change, "as root or with sudo"),
    )
}

/// The server of exports that the cluster names.
fn server(case: &Case<'_>, host: &HostSeen) -> Vec<Finding> {
    let about = || object(case, host);
    if host.facts.threads == 0 {
        let finding = Finding::new(
            "NFS404",
            about(),
            format!("the NFS server does not run on {}", host.target),
        )
        .seen(format!("/proc/fs/nfsd/threads on {}", host.target), "none");
        let note = "installs and starts what is missing, in the right order";
        return vec![match host.exports.iter().find(|export| may_be_advised(export)) {
            Some(export) => {
                let (path, clients) = (export.path.clone(), Vec::new());
                fixed(finding, host, export, HostChange::Export { path, clients }, note)
            }
            None => finding.advise(format!("nfsprov setup-server {note}")),
        }];
    }
    let mut found = Vec::new();
    for export in &host.exports {
        found.extend(directory(host, export, about()));
        if let Some(listed) = &host.facts.listing {
            found.extend(denied(case, host, export, listed, about()));
        }
    }
    found
}

/// Whether a command that exports the directory, or changes its mode, may be printed. Objects of a namespace are written
/// by its tenants, who can name any directory of the server; volumes and classes are an administrator's.
fn may_be_advised(export: &ExportSeen) -> bool {
    export.facts.is_exported_by_nfsprov(&export.path) || export.named_by.iter().any(|object| object.namespace.is_none())
}

fn named_by(export: &ExportSeen) -> String {
    let titles: Vec<String> = export.named_by.iter().map(Object::title).collect();
    some(&titles.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Adds a fix that changes a directory, or only advice if just tenants' objects name the directory.
fn fixed(finding: Finding, host: &HostSeen, export: &ExportSeen, change: HostChange, note: &str) -> Finding {
    if !may_be_advised(export) {
        return finding.advise(format!(
            "only {} names this directory, and tenants can name any directory there; if it should be exported, run nfsprov setup-server",
            named_by(export)
        ));
    }
    let host = host.target.clone();
    finding.fixed_by(Change::OnHost { host, change }, note)
}

fn denied(case: &Case<'_>, host: &HostSeen, export: &ExportSeen, listed: &str, about: Object) -> Option<Finding> {
    let (finding, clients) = shut_out(case, host, export, listed, about)?;
    // Without clients nothing is applied: which of a node's addresses the server sees is not known.
    let change = HostChange::Export {
        path: export.path.clone(),
        clients: clients.unwrap_or_default(),
    };
    let note = "exports it to the nodes of the cluster; others' lines stay";
    Some(fixed(finding, host, export, change, note))
}

fn directory(host: &HostSeen, export: &ExportSeen, about: Object) -> Option<Finding> {
    let path = &export.path;
    match &export.facts.directory {
        Directory::There { mode, .. } => {
            // Whoever may read a directory and not pass it can do nothing in it.
            let lacking = (mode & READ) >> 2 & !(mode & PASS);
            if lacking == 0 {
                return None;
            }
            let to = mode | lacking;
            let change = HostChange::SetMode {
                path: path.clone(),
                from: *mode,
                to,
            };
            let cause = format!(
                "{path}, named by {}, can be listed and not entered: it lacks x, and only root gets in",
                named_by(export)
            );
            let finding = Finding::new("NFS411", about, cause)
                .seen(format!("mode of {path} on {}", host.target), format!("{mode:04o}"));
            let note = "adds x where r is, and changes nothing else";
            Some(fixed(finding, host, export, change, note))
        }
        Directory::Missing => {
            let cause = format!(
                "{path}, named by {}, doesn't exist on {}",
                named_by(export),
                host.target
            );
            Some(
                Finding::new("NFS403", about, cause)
                    .seen(format!("{path} on {}", host.target), "nothing there")
                    .advise("make the directory on the server, or name the one that is there"),
            )
        }
        Directory::Link(_) | Directory::Other => None,
    }
}

/// What is wrong with the export, and the addresses that have to be let in; none where a node has several, since which
/// of them the server sees is not known.
fn shut_out(
    case: &Case<'_>,
    host: &HostSeen,
    export: &ExportSeen,
    listed: &str,
    about: Object,
) -> Option<(Finding, Option<Vec<String>>)> {
    let path = &export.path;
    let above = |export: &str| {
        let root = export.trim_end_matches('/');
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let theirs: Vec<_> = listing(listed).into_iter().filter(|one| above(&one.path)).collect();
    let finding = |cause: String| {
        let lines = theirs
            .iter()
            .map(|one| format!("{} {}({})", one.path, one.client, one.options));
        let lines: Vec<String> = lines.collect();
        let text = if lines.is_empty() {
            "no line for it".to_owned()
        } else {
            lines.join("; ")
        };
        Finding::new("NFS402", about.clone(), cause).seen(format!("exportfs -s on {}", host.target), text)
    };
    if theirs.is_empty() {
        let cause = format!("{} does not export {path}, named by {}", host.target, named_by(export));
        return Some((finding(cause), addresses(&case.facts.nodes.iter().collect::<Vec<_>>())));
    }
    let wanted = DesiredExport {
        path: path.clone(),
        clients: theirs.iter().map(|one| one.client.clone()).collect(),
        options: String::new(),
    };
    let is_shut_out = |address: &&String| {
        let address: Option<IpAddr> = address.parse().ok();
        address.and_then(|address| wanted.lets_in(address)) == Some(false)
    };
    // Which of several the server sees is not known: all must be shut out.
    let all = |node: &&Node| {
        !node.addresses.is_empty() && node.addresses.iter().filter(is_shut_out).count() == node.addresses.len()
    };
    let out: Vec<&Node> = case.facts.nodes.iter().filter(all).collect();
    let named = out
        .iter()
        .map(|node| format!("{} ({})", node.name, node.addresses.join(", ")));
    let named = named.collect::<Vec<_>>().join(", ");
    let by = named_by(export);
    let cause = format!("{} exports {path}, named by {by}, and not to node {named}", host.target);
    (!out.is_empty()).then(|| (finding(cause), addresses(&out)))
}

/// The nodes' addresses, if there are nodes and each has one. A node's kubelet writes its addresses: what is none, such as
/// `*`, is passed over.
fn addresses(nodes: &[&Node]) -> Option<Vec<String>> {
    let each = nodes.iter().map(|node| match &node.addresses[..] {
        [address] => Some(address.parse::<IpAddr>().ok()?.to_string()),
        _ => None,
    });
    let all: Option<Vec<String>> = each.collect();
    all.filter(|all| !all.is_empty())
}
