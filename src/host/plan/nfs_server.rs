//! The NFS server with its configuration: one step, since a start or restart is what verifies it.

use super::exports::unwritten;
use super::server::{Server, Versions, is_installed};
use super::services::{SERVES, Service, service};
use super::{FileChange, NFS_SERVER, State, Step, replace_file};
use crate::host::distro::Distro;
use crate::host::facts::{Facts, Firewall};
use crate::host::nfs_conf::{self, PINNED_MOUNTD};

/// A section, a key and a value.
type Setting = (&'static str, &'static str, &'static str);

/// Has the server run with the settings that it needs.
pub(super) fn nfs_server(facts: &Facts, server: &Server, distro: &Distro) -> Step {
    let (change, file) = match configuration(facts, server, distro) {
        Ok(None) => (None, None),
        Ok(Some((why, file))) => (Some(why), file),
        Err(why) => return Step::refused(NFS_SERVER, why),
    };
    let restart = match &change {
        Some(_) => Some("its configuration changes".to_owned()),
        None => stale(facts, server),
    };
    let restarts = restart.is_some();
    let put = |file: &FileChange| replace_file(&file.path, &facts.nfs_conf_checksum, &file.after);
    let mut step = service(
        facts,
        &Service {
            step: NFS_SERVER,
            names: distro.nfs,
            restart,
            proof: &format!("{SERVES}{}", serves_only(server.versions)),
            file: file.as_ref().map(put),
        },
    );
    let State::Change { why, .. } = &mut step.state else {
        return step;
    };
    if let Some(change) = change {
        *why = format!("{change}; {why}");
    }
    let active = distro.nfs.iter().any(|name| facts.unit(name).active);
    if (restarts || !active)
        && let Some(why) = unwritten(facts)
    {
        return Step::refused(NFS_SERVER, why);
    }
    step.files.extend(file);
    match restarts && active {
        true => {
            step.warning("a restart of the NFS server halts all of its clients for its grace period, 90 s by default")
        }
        false => step,
    }
}

/// Fails, and says why, if a version is served that is not to be.
fn serves_only(versions: Versions) -> String {
    let unwanted = match versions {
        Versions::All => return String::new(),
        Versions::Three => 4,
        Versions::Four => 3,
    };
    format!(
        "case \" $(cat /proc/fs/nfsd/versions) \" in\n*' +{unwanted} '*) echo 'NFS {unwanted} is still served' >&2; exit 1 ;;\nesac\n"
    )
}

/// What changes in `/etc/nfs.conf`, in words and bytes: mountd's port where a firewall must know it, and a version that
/// is not to be served. No bytes where the file comes with a package that is not there yet.
fn configuration(
    facts: &Facts,
    server: &Server,
    distro: &Distro,
) -> Result<Option<(String, Option<FileChange>)>, String> {
    let mut settings: Vec<Setting> = Vec::new();
    match server.versions {
        Versions::All => {}
        Versions::Three => settings.push(("nfsd", "vers4", "n")),
        Versions::Four => settings.push(("nfsd", "vers3", "n")),
    }
    // Without the file, mountd takes the port that /etc/services has for it, on some systems the very one.
    let is_there = facts.nfs_conf.is_none() && facts.mountd.iter().any(|port| port.to_string() == PINNED_MOUNTD);
    if pins(facts, server) && !is_there {
        settings.push(("mountd", "port", PINNED_MOUNTD));
    }
    let original = facts.nfs_conf.as_deref().unwrap_or_default();
    let theirs = nfs_conf::without(original).map_err(|damage| format!("{}: {damage}", nfs_conf::PATH))?;
    for (section, key, value) in settings.clone() {
        let parts = facts.nfs_conf_parts.iter().map(Vec::as_slice);
        // What comes first counts.
        let set = std::iter::once(&theirs[..])
            .chain(parts)
            .find_map(|text| nfs_conf::get(text, section, key));
        match set {
            Some(set) if nfs_conf::means(&set) == value || key == "port" => {
                settings.retain(|setting| *setting != (section, key, value));
            }
            Some(set) => {
                return Err(format!(
                    "/etc/nfs.conf says {key}={set} in [{section}] already, where {value} is wanted"
                ));
            }
            None => {}
        }
    }
    let after = nfs_conf::with(&theirs, &settings);
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
            return Err(too_old(&settings));
        }
    }
    let file = FileChange {
        path: nfs_conf::PATH.to_owned(),
        before: facts.nfs_conf.clone(),
        after,
    };
    Ok(Some((why, Some(file))))
}

/// Why an NFS server can't be configured that does not read `/etc/nfs.conf`, as nfs-utils 1.3 doesn't, and what its
/// administrator does instead.
fn too_old(settings: &[Setting]) -> String {
    let line = |(_, key, _): &Setting| match *key {
        "port" => format!("RPCMOUNTDOPTS=\"--port {PINNED_MOUNTD}\""),
        version => {
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

/// Whether mountd must have a port that can be let in.
fn pins(facts: &Facts, server: &Server) -> bool {
    facts.firewall != Firewall::None && server.versions != Versions::Four
}

/// Why a server that runs must be restarted although its configuration is right: it does not do what that says.
fn stale(facts: &Facts, server: &Server) -> Option<String> {
    let unwanted = match server.versions {
        Versions::All => None,
        Versions::Three => Some(4),
        Versions::Four => Some(3),
    };
    if let Some(version) = unwanted.filter(|version| facts.serves(*version) == Some(true)) {
        return Some(format!("it still serves NFS {version}"));
    }
    let port = nfs_conf::get(facts.nfs_conf.as_deref().unwrap_or_default(), "mountd", "port")?;
    let port = port.parse().ok()?;
    let elsewhere = pins(facts, server) && !facts.mountd.is_empty() && !facts.mountd.contains(&port);
    elsewhere.then(|| format!("mountd is not at port {port} yet"))
}
