//! A server: what exports a directory.

use std::net::IpAddr;

use super::exports::exports;
use super::nfs_server::nfs_server;
use super::services::{Service, service};
use super::{Plan, Step, guarded, kernel, packages, selinux, system};
use crate::host::distro::Distro;
use crate::host::exports_file::Wanted;
use crate::host::facts::{Directory, Facts, Firewall, Support};
use crate::host::nfs_conf::PINNED_MOUNTD;
use crate::host::script::quote;

/// What a server is to export, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The export.
    pub wanted: Wanted,
    /// The directory's mode, if it is to have one whatever it has now; a new one is for all to write.
    pub mode: Option<u32>,
    /// Its owner and group, as chown(1) takes them, likewise.
    pub owner: Option<String>,
    /// The NFS versions.
    pub versions: Versions,
}

/// NFS versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// 3 and 4.
    All,
    /// 3 alone.
    Three,
    /// 4 alone, which needs no rpcbind.
    Four,
}

/// What exports directories there.
const EXPORTFS: &str = "exportfs";

/// Whether the NFS server is installed, by whatever package.
pub(super) fn is_installed(facts: &Facts, distro: &Distro) -> bool {
    facts.packages.contains(distro.server) || facts.has_program(EXPORTFS)
}

/// A new directory's mode, where none is wanted: pods run as anybody.
const OPEN: u32 = 0o777;

/// What makes a host such a server, at the time `now`, in seconds since 1970.
pub fn server(facts: &Facts, server: &Server, now: i64) -> Plan {
    let (system, choice) = system(facts, now);
    let Some(choice) = choice else {
        return Plan { steps: vec![system] };
    };
    let steps = vec![
        system,
        packages(facts, &choice, choice.distro.server, EXPORTFS),
        // Its package may bring the module, so only what is installed already can be asked.
        match is_installed(facts, choice.distro) {
            false if facts.nfsd == Support::No => Step::skipped("kernel", "seen once the packages are there"),
            _ => kernel(facts, facts.nfsd, "server"),
        },
        directory(facts, server),
        match server.versions {
            Versions::Four => Step::skipped("rpcbind", "NFS 4 needs none"),
            _ => service(
                facts,
                &Service {
                    step: "rpcbind",
                    names: choice.distro.rpcbind,
                    restart: None,
                    proof: "",
                    file: None,
                },
            ),
        },
        nfs_server(facts, server, choice.distro),
        exports(facts, Some(&server.wanted), &server.wanted.path),
        firewall(facts, server),
        selinux(facts, "nfs_export_all_rw"),
    ];
    Plan { steps }
}

/// The directory. One that is there keeps its mode and owner unless others were asked for.
fn directory(facts: &Facts, server: &Server) -> Step {
    const NAME: &str = "directory";
    let path = &server.wanted.path;
    let quoted = quote(path);
    match &facts.directory {
        Directory::Link(to) => {
            let why = format!("{path} is a link to {to}: export that, or nodes and server mean different places");
            Step::refused(NAME, why)
        }
        Directory::Other => Step::refused(NAME, format!("{path} is there and is no directory")),
        Directory::Missing => {
            let mode = server.mode.unwrap_or(OPEN);
            let mut change = format!("mkdir -p -- {quoted}\nchmod {mode:o} -- {quoted}\n");
            if let Some(owner) = &server.owner {
                change.push_str(&format!("chown -- {} {quoted}\n", quote(owner)));
            }
            let verify = format!("[ \"$(stat -c %a -- {quoted})\" = {mode:o} ]\n");
            // What else was made for it goes too, but nothing that holds something.
            let undo = format!(
                "at={quoted}\nwhile [ \"$at\" != {} ] && rmdir -- \"$at\" 2>/dev/null; do at=${{at%/*}}; done\n[ ! -e {quoted} ]\n",
                quote(facts.above.trim_end_matches('/'))
            );
            let owner = server.owner.as_ref().map(|owner| format!(" of {owner}"));
            let why = format!("make {path}, mode {mode:04o}{}", owner.unwrap_or_default());
            Step::change(NAME, why, guarded(&change, &verify, &undo))
        }
        Directory::There { mode, owner } => there(path, *mode, owner, server),
    }
}

fn there(path: &str, mode: u32, owner: &[String; 4], server: &Server) -> Step {
    const NAME: &str = "directory";
    let quoted = quote(path);
    let [uid, gid, user, group] = owner;
    let (mut change, mut undo, mut what) = (String::new(), String::new(), Vec::new());
    if let Some(wanted) = server.owner.as_ref().filter(|wanted| !is_owner(wanted, owner)) {
        change.push_str(&format!("chown -- {} {quoted}\n", quote(wanted)));
        undo.push_str(&format!("chown -- {} {quoted}\n", quote(&format!("{uid}:{gid}"))));
        what.push(format!("owner {user}:{group} becomes {wanted}"));
    }
    // After the owner, for chown takes set-user-id and set-group-id away.
    if let Some(wanted) = server.mode.filter(|wanted| *wanted != mode || !change.is_empty()) {
        change.push_str(&format!("chmod {wanted:o} -- {quoted}\n"));
        undo.push_str(&format!("chmod {mode:o} -- {quoted}\n"));
        if wanted != mode {
            what.push(format!("mode {mode:04o} becomes {wanted:04o}"));
        }
    }
    if change.is_empty() {
        let step = Step::ok(NAME, format!("{path} is there, mode {mode:04o}, of {user}:{group}"));
        return match mode & 0o111 {
            0 => step.warning(format!(
                "mode {mode:04o} lets nobody but root enter {path}, for it has no x; --mode 0777 lets everybody"
            )),
            _ => step,
        };
    }
    Step::change(
        NAME,
        format!("{path}: {}", what.join(", ")),
        guarded(&change, "", &undo),
    )
}

/// Whether a directory belongs to whom chown(1) would give it to.
fn is_owner(wanted: &str, [uid, gid, user, group]: &[String; 4]) -> bool {
    let (wanted_user, wanted_group) = wanted.split_once(':').unwrap_or((wanted, ""));
    let is = |wanted: &str, id: &str, name: &str| wanted.is_empty() || wanted == id || wanted == name;
    is(wanted_user, uid, user) && is(wanted_group, gid, group)
}

/// The clients' way through the firewall.
pub(super) fn firewall(facts: &Facts, server: &Server) -> Step {
    const NAME: &str = "firewall";
    let old = server.versions != Versions::Four;
    match &facts.firewall {
        Firewall::None => Step::skipped(NAME, "none was found"),
        Firewall::Rules(by) => Step::skipped(NAME, format!("rules of {by} guard the ports; they are left alone"))
            .warning(format!(
                "let the clients in to TCP 2049{}",
                if old {
                    format!(", and for NFS 3 to TCP and UDP 111 and {PINNED_MOUNTD}")
                } else {
                    String::new()
                }
            )),
        Firewall::Firewalld { now, permanent } => {
            let wanted: &[&str] = if old { &["nfs", "rpc-bind", "mountd"] } else { &["nfs"] };
            let missing = |have: &std::collections::BTreeSet<String>| -> Vec<&str> {
                wanted.iter().copied().filter(|name| !have.contains(*name)).collect()
            };
            let (now, later) = (missing(now), missing(permanent));
            if now.is_empty() && later.is_empty() {
                return Step::ok(NAME, format!("firewalld lets {} in", wanted.join(", ")));
            }
            let call = |verb: &str| {
                let line =
                    |options: &str, name: &&str| format!("firewall-cmd --quiet {options}--{verb}-service={name}\n");
                let lines = later.iter().map(|name| line("--permanent ", name));
                lines.chain(now.iter().map(|name| line("", name))).collect::<String>()
            };
            let verify = now
                .iter()
                .map(|name| format!("firewall-cmd --quiet --query-service={name}\n"));
            let text = guarded(&call("add"), &verify.collect::<String>(), &call("remove"));
            let names: std::collections::BTreeSet<&str> = now.iter().chain(&later).copied().collect();
            let names: Vec<&str> = names.into_iter().collect();
            Step::change(NAME, format!("have firewalld let {} in", names.join(", ")), text)
        }
        Firewall::Ufw(status) => ufw(status, server, old),
    }
}

/// A rule of ufw a client and protocol; who is known by name only can't have one.
fn ufw(status: &str, server: &Server, old: bool) -> Step {
    const NAME: &str = "firewall";
    let tcp = if old {
        format!("111,2049,{PINNED_MOUNTD}")
    } else {
        "2049".to_owned()
    };
    let udp = old.then(|| format!("111,{PINNED_MOUNTD}"));
    let rules = std::iter::once(("tcp", tcp)).chain(udp.map(|ports| ("udp", ports)));
    let rules: Vec<(&str, String)> = rules.collect();
    let (mut missing, mut unknown) = (Vec::new(), Vec::new());
    for client in &server.wanted.clients {
        let is_address = client
            .split('/')
            .next()
            .is_some_and(|host| host.parse::<IpAddr>().is_ok());
        let from = match client.as_str() {
            "*" => "any",
            client if is_address => client,
            client => {
                unknown.push(client);
                continue;
            }
        };
        for (protocol, ports) in &rules {
            let there = |line: &str| {
                let anywhere = from == "any" && line.contains("Anywhere");
                line.starts_with(&format!("{ports}/{protocol} "))
                    && line.contains("ALLOW")
                    && (anywhere || line.split_whitespace().any(|word| word == from))
            };
            if !status.lines().any(there) {
                missing.push((*protocol, from, ports));
            }
        }
    }
    let step = match missing.is_empty() {
        true => Step::ok(NAME, "ufw lets the clients in"),
        false => {
            let rule = |protocol: &str, from: &str, ports: &str| {
                format!("allow proto {protocol} from {from} to any port {ports}")
            };
            let all = |verb: &str| {
                let each = missing.iter().map(|(protocol, from, ports)| {
                    format!("ufw {verb}{} >/dev/null\n", rule(protocol, &quote(from), ports))
                });
                each.collect::<String>()
            };
            let text = guarded(&all(""), "ufw status | grep -q '^Status: active'", &all("delete "));
            let rules = missing
                .iter()
                .map(|(protocol, from, ports)| rule(protocol, from, ports));
            Step::change(NAME, format!("ufw: {}", rules.collect::<Vec<_>>().join("; ")), text)
        }
    };
    match unknown.is_empty() {
        true => step,
        false => step.warning(format!(
            "ufw knows addresses only: let {} in by hand",
            unknown.join(", ")
        )),
    }
}
