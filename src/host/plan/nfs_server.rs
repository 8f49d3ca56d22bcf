//! The NFS server with its configuration: one step, since a start or restart is what verifies it (PURE).

use super::desired::{DesiredServer, Versions};
use super::exports::reason_against_reexport;
use super::services::{SERVES, Service, plan_service};
use super::{FileChange, NFS_SERVER, State, Step, replace_file};
use crate::host::distro::Distro;
use crate::host::facts::Facts;
use crate::host::firewall::Firewall;
use crate::host::nfs_conf::{self, LOCKD_PORT, LOCKD_UDP_PORT, MOUNTD_PORT, PinnedPort, STATD_PORT};

/// A section, a key and a value.
type Setting = (&'static str, &'static str, String);

/// The ports that firewalls have to know.
const PINNED_PORTS: [PinnedPort; 4] = [MOUNTD_PORT, STATD_PORT, LOCKD_PORT, LOCKD_UDP_PORT];

/// The program that exports directories; a host that has it has an NFS server.
pub(super) const EXPORTFS: &str = "exportfs";

/// Whether the NFS server is installed, by whatever package; it need not run.
pub(super) fn is_installed(facts: &Facts, distro: &Distro) -> bool {
    facts.packages.contains(distro.server) || facts.has_program(EXPORTFS)
}

/// Starts, enables and configures the NFS server; restarts it if its configuration changes or is not in force. Refused
/// if others' settings contradict, nfsprov's block is damaged, the server does not read `/etc/nfs.conf`, a start or
/// restart would drop active exports that are in no file, the service is masked, or neither systemd nor OpenRC runs.
pub(super) fn plan_nfs_server(facts: &Facts, server: &DesiredServer, distro: &Distro) -> Step {
    let (change, file) = match plan_configuration(facts, server, distro) {
        Ok(None) => (None, None),
        Ok(Some((why, file))) => (Some(why), file),
        Err(why) => return Step::refused(NFS_SERVER, why),
    };
    let restart = match &change {
        Some(_) => Some("its configuration changes".to_owned()),
        None => restart_reason(facts, server),
    };
    let restarts = restart.is_some();
    let put = |file: &FileChange| replace_file(&file.path, &facts.nfs_conf_checksum, &file.after);
    let mut step = plan_service(
        facts,
        &Service {
            step: NFS_SERVER,
            names: distro.nfs,
            restart,
            proof: &format!("{SERVES}{}", check_served_versions_script(server.versions)),
            restarts_statd: change.is_some() && needs_pinned_ports(facts, server),
            file: file.as_ref().map(put),
        },
    );
    step.warnings.extend(lock_port_warnings(facts, server));
    let State::Change { why, .. } = &mut step.state else {
        return step;
    };
    if let Some(change) = change {
        *why = format!("{change}; {why}");
    }
    let active = distro.nfs.iter().any(|name| facts.unit(name).active);
    if (restarts || !active)
        && let Some(why) = reason_against_reexport(facts)
    {
        return Step::refused(NFS_SERVER, why);
    }
    step.files.extend(file);
    match restarts && active {
        true => step
            .with_warning("a restart of the NFS server halts all of its clients for its grace period, 90 s by default"),
        false => step,
    }
}

/// Shell lines that fail if the server serves a version that it should not.
fn check_served_versions_script(versions: Versions) -> String {
    let unwanted = match versions {
        Versions::All => return String::new(),
        Versions::Three => 4,
        Versions::Four => 3,
    };
    format!(
        "case \" $(cat /proc/fs/nfsd/versions) \" in\n*' +{unwanted} '*) echo 'NFS {unwanted} is still served' >&2; exit 1 ;;\nesac\n"
    )
}

/// The change of `/etc/nfs.conf`, in words and as a file: the ports of mountd, statd and lockd if a firewall must know
/// them, and the version that is not to be served. Others' settings come first: their ports are kept. `None` if nothing
/// changes; no file if a package that is not installed yet may bring it. The error is the step's refusal: a version
/// that contradicts, nfsprov's block damaged, or a server that does not read the file.
fn plan_configuration(
    facts: &Facts,
    server: &DesiredServer,
    distro: &Distro,
) -> Result<Option<(String, Option<FileChange>)>, String> {
    let mut settings: Vec<Setting> = Vec::new();
    match server.versions {
        Versions::All => {}
        Versions::Three => settings.push(("nfsd", "vers4", "n".to_owned())),
        Versions::Four => settings.push(("nfsd", "vers3", "n".to_owned())),
    }
    // Without the file, mountd takes the port that /etc/services has for it, on some systems the very one.
    let is_pinned = facts.nfs_conf.is_none() && facts.mountd_ports.contains(&MOUNTD_PORT.port);
    if needs_pinned_ports(facts, server) && !is_pinned {
        settings.extend(PINNED_PORTS.map(|pinned| (pinned.section, pinned.key, pinned.port.to_string())));
    }
    let original = facts.nfs_conf.as_deref().unwrap_or_default();
    let theirs = nfs_conf::without_block(original).map_err(|damage| format!("{}: {damage}", nfs_conf::PATH))?;
    for (section, key, value) in settings.clone() {
        let parts = facts.nfs_conf_parts.iter().map(Vec::as_slice);
        // What comes first counts.
        let set = std::iter::once(&theirs[..])
            .chain(parts)
            .find_map(|text| nfs_conf::get_setting(text, section, key));
        match set {
            Some(set) if nfs_conf::normalize_value(&set) == value || key.ends_with("port") => {
                settings.retain(|setting| (setting.0, setting.1) != (section, key));
            }
            Some(set) => {
                return Err(format!(
                    "/etc/nfs.conf says {key}={set} in [{section}] already, where {value} is wanted"
                ));
            }
            None => {}
        }
    }
    let after = nfs_conf::with_settings(&theirs, &settings);
    if after == original {
        return Ok(None);
    }
    let assignment = |(section, key, value): &Setting| format!("{key}={value} in [{section}]");
    let why = match settings.is_empty() {
        true => format!("remove nfsprov's settings from {}", nfs_conf::PATH),
        false => {
            let assignments: Vec<String> = settings.iter().map(assignment).collect();
            format!("set {} of {}", assignments.join(" and "), nfs_conf::PATH)
        }
    };
    if facts.nfs_conf.is_none() {
        // An NFS server that is still to be installed may bring the file.
        if !is_installed(facts, distro) {
            return Ok(Some((why, None)));
        }
        if !facts.has_program("nfsconf") {
            return Err(explain_unread_nfs_conf(&settings));
        }
    }
    let file = FileChange {
        path: nfs_conf::PATH.to_owned(),
        before: facts.nfs_conf.clone(),
        after,
    };
    Ok(Some((why, Some(file))))
}

/// Why nfsprov can't configure a server that does not read `/etc/nfs.conf`, as nfs-utils 1.3 doesn't, and what its
/// administrator does instead.
fn explain_unread_nfs_conf(settings: &[Setting]) -> String {
    let line = |(section, key, value): &Setting| match (*section, *key) {
        ("mountd", _) => format!("RPCMOUNTDOPTS=\"--port {value}\""),
        ("statd", _) => {
            format!("STATDARG=\"--port {value}\" (on Debian and Ubuntu STATDOPTS in /etc/default/nfs-common)")
        }
        ("lockd", "port") => format!("LOCKD_TCPPORT={value} (on Debian and Ubuntu nlm_tcpport of the module lockd)"),
        ("lockd", _) => format!("LOCKD_UDPPORT={value} (nlm_udpport)"),
        (_, version) => {
            let option = format!("--no-nfs-version {}", version.trim_start_matches("vers"));
            format!("RPCNFSDARGS=\"{option}\" (on Debian and Ubuntu RPCNFSDCOUNT=\"8 {option}\")")
        }
    };
    format!(
        "this NFS server does not read {}; write {} to /etc/sysconfig/nfs, or on Debian and Ubuntu to \
         /etc/default/nfs-kernel-server, restart it, and run this again",
        nfs_conf::PATH,
        settings.iter().map(line).collect::<Vec<_>>().join(" and "),
    )
}

/// Whether mountd, statd and lockd must have fixed ports: the host has a firewall, and NFS 3 is wanted.
fn needs_pinned_ports(facts: &Facts, server: &DesiredServer) -> bool {
    facts.firewall != Firewall::None && server.versions != Versions::Four
}

/// A warning for statd and for lockd if rpcbind lists it, but not at the port that the firewall opens, and the step
/// does not move it: locks of NFS 3 hang. None without a firewall or NFS 3.
fn lock_port_warnings(facts: &Facts, server: &DesiredServer) -> Vec<String> {
    if !needs_pinned_ports(facts, server) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (service, port, found) in [
        ("statd", STATD_PORT, &facts.statd_ports),
        ("lockd", LOCKD_PORT, &facts.lockd_ports),
    ] {
        let configured = facts.nfs_setting(port.section, port.key);
        let wanted = match (configured, &facts.nfs_conf) {
            (Some(configured), _) => configured.parse().ok(),
            // What is written down now takes effect with the restart.
            (None, Some(_)) => None,
            (None, None) => Some(port.port),
        };
        let Some(wanted) = wanted.filter(|wanted| !found.is_empty() && !found.contains(wanted)) else {
            continue;
        };
        lines.push(format!(
            "{service} is not at port {wanted}, which the firewall opens, so locks of NFS 3 hang; {}",
            match facts.nfs_conf {
                Some(_) => "it takes that port when this host is restarted".to_owned(),
                None => explain_unread_nfs_conf(&[(port.section, port.key, wanted.to_string())]),
            }
        ));
    }
    lines
}

/// Why a running server must be restarted although its configuration is right: it still serves an unwanted version, or
/// mountd is at another port. `None` if it need not.
fn restart_reason(facts: &Facts, server: &DesiredServer) -> Option<String> {
    let unwanted = match server.versions {
        Versions::All => None,
        Versions::Three => Some(4),
        Versions::Four => Some(3),
    };
    if let Some(version) = unwanted.filter(|version| facts.serves_nfs_version(*version) == Some(true)) {
        return Some(format!("it still serves NFS {version}"));
    }
    let port = facts.nfs_setting(MOUNTD_PORT.section, MOUNTD_PORT.key)?.parse().ok()?;
    let elsewhere =
        needs_pinned_ports(facts, server) && !facts.mountd_ports.is_empty() && !facts.mountd_ports.contains(&port);
    elsewhere.then(|| format!("mountd is not at port {port} yet"))
}
