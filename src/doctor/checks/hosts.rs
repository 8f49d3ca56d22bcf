//! Hosts that were looked at over SSH: NFS401, NFS402, NFS403, NFS404, NFS408, NFS411 (PURE).

use std::net::IpAddr;

use super::Case;
use crate::doctor::explain::Entry;
use crate::doctor::facts::{ExportSeen, HostSeen, Node};
use crate::doctor::fix::{Change, Cure, Remedy};
use crate::doctor::names::{some, word};
use crate::doctor::{Finding, Object};
use crate::host::Directory;
use crate::host::distro::{self, Installer, OsRelease};
use crate::host::exports_file::{DesiredExport, listing};

/// What has to be readable to be listed, and passable to be entered.
const READ: u32 = 0o444;
const PASS: u32 = 0o111;

/// Their rows stand beside the checks that find the same by other signs.
pub const ENTRIES: &[Entry] = &[];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let each = case.facts.hosts.iter().flat_map(|host| match host.exports.is_empty() {
        true => client(case, host),
        false => server(case, host),
    });
    each.collect()
}

/// What mends something on a node, if that was looked at too.
pub fn on_node(case: &Case<'_>, node: &str, remedy: Remedy) -> Vec<Change> {
    let theirs = |host: &&HostSeen| host.facts.hostname == node;
    let host = case.facts.hosts.iter().find(theirs);
    let change = host.map(|host| Change::OnHost {
        host: host.target.clone(),
        remedy,
    });
    change.into_iter().collect()
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
    let mut found: Vec<Finding> = no_client(host, about()).into_iter().collect();
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
                .mended_by_hand("use the server's address, or a name that the node itself resolves"),
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
                .mended_by_hand(format!(
                    "is the NFS server on {server} up, and does its firewall let TCP 2049 in from {}?",
                    host.target
                )),
            );
        }
    }
    found
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
    let command = format!("nfsprov setup-client {}", word(&host.target));
    let change = Change::OnHost {
        host: host.target.clone(),
        remedy: Remedy::Client,
    };
    Some(
        Finding::new("NFS401", about, format!("{} has no NFS client", host.target))
            .seen(
                format!("packages of {}", host.target),
                format!("{package} is not installed"),
            )
            .mended_by(Cure::new(command, [change]), "as root or with sudo"),
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
            Some(export) => finding.mended_by(setup_server(host, &export.path), note),
            None => finding.mended_by_hand(format!("nfsprov setup-server {note}")),
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

fn setup_server(host: &HostSeen, path: &str) -> String {
    format!(
        "nfsprov setup-server {} --export {} --nodes-from-cluster",
        word(&host.target),
        word(path)
    )
}

/// Whether a command that exports the directory, or changes its mode, may be printed. Objects of a namespace are written
/// by its tenants, who can name any directory of the server; volumes and classes are an administrator's.
fn may_be_advised(export: &ExportSeen) -> bool {
    may_be_changed(export) || export.named_by.iter().any(|object| object.namespace.is_none())
}

/// Whether `--fix` may do so: nothing becomes an export that nfsprov did not export before.
fn may_be_changed(export: &ExportSeen) -> bool {
    export.facts.is_exported_by_nfsprov(&export.path)
}

fn named_by(export: &ExportSeen) -> String {
    let titles: Vec<String> = export.named_by.iter().map(Object::title).collect();
    some(&titles.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The same finding with its fix: as a change, as a command, or in words, as the one who names the directory allows.
fn fixed(
    finding: Finding,
    host: &HostSeen,
    export: &ExportSeen,
    remedy: Option<Remedy>,
    command: String,
    note: &str,
) -> Finding {
    if !may_be_advised(export) {
        return finding.mended_by_hand(format!(
            "nothing but {} names this directory, and whoever may write there can name any: if it is meant to be exported, nfsprov setup-server does so",
            named_by(export)
        ));
    }
    let change = remedy.filter(|_| may_be_changed(export)).map(|remedy| Change::OnHost {
        host: host.target.clone(),
        remedy,
    });
    finding.mended_by(Cure::new(command, change), note)
}

fn denied(case: &Case<'_>, host: &HostSeen, export: &ExportSeen, listed: &str, about: Object) -> Option<Finding> {
    let (finding, clients) = shut_out(case, host, export, listed, about)?;
    let remedy = clients.map(|clients| Remedy::Share {
        path: export.path.clone(),
        clients,
    });
    let command = setup_server(host, &export.path);
    let note = "exports it to the nodes of the cluster; others' lines stay";
    Some(fixed(finding, host, export, remedy, command, note))
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
            let remedy = Remedy::Mode {
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
            // The shell at the other end reads the path once more.
            let there = word(&word(path));
            let command = format!("ssh {} sudo chmod {to:04o} {there}", word(&host.target));
            let note = "adds x where r is, and changes nothing else";
            Some(fixed(finding, host, export, Some(remedy), command, note))
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
                    .mended_by_hand("make the directory on the server, or name the one that is there"),
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
