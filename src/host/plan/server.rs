//! The plan that makes a host an NFS server for one directory (PURE).

use super::desired::{DesiredServer, Quota, Versions};
use super::exports::plan_exports;
use super::firewall::{Allowed, Ports, clients_of_all_exports, plan_firewall};
use super::nfs_server::{EXPORTFS, is_installed, plan_nfs_server};
use super::quota::{missing_packages, plan_quota};
use super::services::{Service, plan_service};
use super::{Plan, Step, plan_kernel, plan_packages, plan_selinux, plan_system, with_undo};
use crate::host::exports_file::{self, DesiredExport};
use crate::host::facts::{Directory, Facts, Support};
use crate::shell::quote;

/// The mode of a new directory by default: pods run as any user.
const OPEN: u32 = 0o777;

/// The plan that makes a host an NFS server: packages, directory, limits if wanted, services, exports, firewall and
/// SELinux. `now` is in seconds since 1970. If the login is not root's, the plan is one refused step.
pub fn plan_server(facts: &Facts, server: &DesiredServer, now: i64) -> Plan {
    let (mut system, choice) = plan_system(facts, now);
    let Some(choice) = choice else {
        return Plan { steps: vec![system] };
    };
    system.warnings.extend(explain_defaults(facts, server));
    let mut steps = vec![
        system,
        plan_packages(
            facts,
            &choice,
            (choice.distro.server, EXPORTFS),
            &missing_packages(facts, choice.distro),
        ),
        // Its package may bring the module, so only what is installed already can be asked.
        match is_installed(facts, choice.distro) {
            false if facts.nfsd == Support::No => Step::skipped("kernel", "checked after the packages are installed"),
            _ => plan_kernel(facts, facts.nfsd, "server"),
        },
        plan_directory(facts, server),
    ];
    if server.quota != Quota::Unchanged {
        steps.push(plan_quota(facts, server, choice.distro));
    }
    steps.extend([
        match server.versions {
            Versions::Four => Step::skipped("rpcbind", "NFS 4 needs none"),
            _ => plan_service(
                facts,
                &Service {
                    step: "rpcbind",
                    names: choice.distro.rpcbind,
                    restart: None,
                    proof: "",
                    restarts_statd: false,
                    file: None,
                },
            ),
        },
        plan_nfs_server(facts, server, choice.distro),
        plan_exports(facts, Some(&server.wanted), &server.wanted.path),
        plan_firewall(facts, &allowed_clients(facts, server)),
        plan_selinux(facts, "nfs_export_all_rw"),
    ]);
    Plan { steps }
}

/// Warnings about the defaults of a new export, `no_root_squash` and mode 0777, and of an export that squashes root no
/// more; each with the option that avoids it.
fn explain_defaults(facts: &Facts, server: &DesiredServer) -> Vec<String> {
    let DesiredExport { path, options, .. } = &server.wanted;
    let ours = exports_file::own_exports(facts.exports.as_deref().unwrap_or_default(), path);
    let mut lines = Vec::new();
    // Other options, such as all_squash, may squash root all the same.
    let trusts_root = |options: &str| {
        options.split(',').any(|option| option == "no_root_squash") && !exports_file::options_squash_root(options)
    };
    match ours {
        Ok(None) if trusts_root(options) => lines.push(format!(
            "no_root_squash lets root of each client act as root in {path}, which a provisioner over NFS needs; \
             --root-squash, with a provisioner --via ssh://, avoids that"
        )),
        Ok(Some(exports)) if trusts_root(options) && !exports.iter().all(|export| trusts_root(&export.options)) => {
            lines.push(format!(
                "{path} squashes root of its clients now, and will not any more; --root-squash keeps that"
            ));
        }
        _ => {}
    }
    if facts.directory == Directory::Missing && server.mode.is_none() {
        lines.push(format!(
            "mode 0777 lets each user of a client write at the top of {path}; --mode 0711 is enough if only a \
             provisioner creates directories in it"
        ));
    }
    lines
}

/// The clients and ports that the firewall lets in: the clients of `server` and of all other exports of nfsprov's.
pub(super) fn allowed_clients(facts: &Facts, server: &DesiredServer) -> Allowed {
    Allowed {
        clients: clients_of_all_exports(facts, &server.wanted.path, &server.wanted.clients),
        ports: Ports::of_server(facts, server.versions),
    }
}

/// Creates the directory with its parents. One that exists keeps its mode and owner unless options ask for others; a
/// link or a file is refused.
fn plan_directory(facts: &Facts, server: &DesiredServer) -> Step {
    const NAME: &str = "directory";
    let path = &server.wanted.path;
    let quoted = quote(path);
    match &facts.directory {
        Directory::Link(to) => Step::refused(
            NAME,
            format!("{path} leads to {to} by a symbolic link; export that instead: --export {to}"),
        ),
        Directory::Other => Step::refused(NAME, format!("{path} exists and is not a directory")),
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
            Step::change(NAME, why, with_undo(&change, &verify, &undo))
        }
        Directory::There { mode, owner } => plan_existing_directory(path, *mode, owner, server),
    }
}

/// Sets the mode and owner that options ask for; if there is nothing to set, warns of a mode without x.
fn plan_existing_directory(path: &str, mode: u32, owner: &[String; 4], server: &DesiredServer) -> Step {
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
            0 => step.with_warning(format!(
                "mode {mode:04o} has no x, so only root can enter {path}; --mode 0777 lets every user enter"
            )),
            _ => step,
        };
    }
    Step::change(
        NAME,
        format!("{path}: {}", what.join(", ")),
        with_undo(&change, "", &undo),
    )
}

/// Whether the owner `wanted`, `USER[:GROUP]`, already matches, each by name or number; a part that is left out
/// matches.
fn is_owner(wanted: &str, [uid, gid, user, group]: &[String; 4]) -> bool {
    let (wanted_user, wanted_group) = wanted.split_once(':').unwrap_or((wanted, ""));
    let is = |wanted: &str, id: &str, name: &str| wanted.is_empty() || wanted == id || wanted == name;
    is(wanted_user, uid, user) && is(wanted_group, gid, group)
}
