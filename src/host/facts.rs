//! A host's facts, gathered by a script in one round trip (PURE).
//!
//! [`gather_script`] is the script that the host's shell runs, and [`Facts::parse`] reads its output.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::firewall::Firewall;
use super::quota::QuotaFacts;
use super::{exports_file, nfs_conf};
use crate::shell::{arguments, quote};

/// What reads the facts and changes nothing.
const GATHER: &str = include_str!("facts/gather.sh");

/// What to gather facts about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The exports file, on a server.
    pub exports_file: Option<String>,
    /// The directory to be exported: an absolute path.
    pub directory: Option<String>,
    /// Names and addresses of the server, on a client: whether it finds it by them.
    pub servers: Vec<String>,
    /// Whether limits of directories are wanted, for which the file system is looked at.
    pub quota: bool,
}

/// A host's facts. What could not be read is as if it weren't there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The user id that the script ran as.
    pub uid: Option<u32>,
    /// Its clock, in seconds since 1970.
    pub clock: Option<i64>,
    /// The name that it has for itself.
    pub hostname: String,
    /// The release of its kernel.
    pub kernel: String,
    /// The content of `/etc/os-release`.
    pub os_release: String,
    /// The programs that it has, of package managers and of those that NFS needs.
    pub programs: Vec<String>,
    /// Of the packages that NFS comes in, those that are installed.
    pub packages: BTreeSet<String>,
    /// Its init system.
    pub init: Init,
    /// Its services, by the names that they were asked for, aliases among them.
    pub units: BTreeMap<String, Unit>,
    /// Whether its kernel can serve NFS.
    pub nfsd: Support,
    /// Whether its kernel can mount NFS.
    pub nfs: Support,
    /// How many threads serve NFS; none where it isn't served.
    pub threads: u32,
    /// The NFS versions served, as `-3 +4 +4.1 +4.2`.
    pub versions: String,
    /// The TCP ports of mountd, as rpcbind knows them.
    pub mountd_ports: BTreeSet<u16>,
    /// The TCP ports of statd.
    pub statd_ports: BTreeSet<u16>,
    /// The TCP ports of lockd.
    pub lockd_ports: BTreeSet<u16>,
    /// Where the exports file is, links followed.
    pub exports_path: String,
    /// What it holds, if it is there.
    pub exports: Option<Vec<u8>>,
    /// Its checksum, as cksum(1) has it.
    pub exports_checksum: String,
    /// The other files that exportfs reads, by name.
    pub other_exports: Vec<(String, Vec<u8>)>,
    /// The output of `exportfs -s`.
    pub listing: Option<String>,
    /// The content of `/etc/nfs.conf`.
    pub nfs_conf: Option<Vec<u8>>,
    /// Its checksum, as cksum(1) has it.
    pub nfs_conf_checksum: String,
    /// The files of `/etc/nfs.conf.d`.
    pub nfs_conf_parts: Vec<Vec<u8>>,
    /// What the path of the export is.
    pub directory: Directory,
    /// The nearest directory above it that exists, or itself.
    pub above: String,
    /// The file system's type there.
    pub filesystem: String,
    /// What limits of directories need of that file system, where they are wanted.
    pub quota: Option<QuotaFacts>,
    /// The firewall that guards its ports.
    pub firewall: Firewall,
    /// Whether SELinux is enforcing, and which of the booleans asked for are on.
    pub selinux: Option<BTreeMap<String, bool>>,
    /// Its addresses, without those of the loopback interface.
    pub addresses: Vec<IpAddr>,
    /// Its routes to the servers.
    pub routes: Vec<Route>,
}

/// An init system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Init {
    /// systemd.
    Systemd,
    /// OpenRC.
    OpenRc,
    /// Another one: the command line of process 1.
    Other(String),
    /// It could not be found out.
    #[default]
    Unknown,
}

/// The state of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// Whether the host has it; false for a masked one.
    pub exists: bool,
    /// Whether an administrator forbade its start (`systemctl mask`).
    pub masked: bool,
    /// Whether it runs.
    pub active: bool,
    /// Whether it is started at boot; static and generated units count as enabled.
    pub enabled: bool,
}

/// Whether a kernel can do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Support {
    /// The running kernel can.
    Yes,
    /// A module can that the host has.
    Module,
    /// Neither can.
    #[default]
    No,
}

/// What a path is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Directory {
    /// Nothing has the path.
    #[default]
    Missing,
    /// A directory.
    There {
        /// Its permission bits.
        mode: u32,
        /// Its owner and group, as numbers and as names.
        owner: [String; 4],
    },
    /// It, or a directory above it, is a symbolic link; the path without links.
    Link(String),
    /// A file, a device or the like.
    Other,
}

/// A route from a host to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The server's name, as it was given.
    pub server: String,
    /// The address that the host found for it.
    pub address: String,
    /// The address by which the server sees the host.
    pub source: IpAddr,
}

/// The output of the script is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its description of itself ends after {after:?}; is its disk full, or do its login files print or exit?")]
pub struct FactsError {
    after: String,
}

/// The shell script that prints a host's facts about `subject`, for [`Facts::parse`]; it changes nothing. It never ends
/// if the directory of `subject` is a relative path.
pub fn gather_script(subject: &Subject) -> String {
    let word = |text: &Option<String>| quote(text.as_deref().unwrap_or_default());
    format!(
        "exports={}\ndirectory={}\nquota={}\n{}{GATHER}",
        word(&subject.exports_file),
        word(&subject.directory),
        if subject.quota { "yes" } else { "" },
        arguments(&subject.servers),
    )
}

impl Facts {
    /// Whether the running NFS server serves this version, 3 or 4; `None` if it lists no such version, as when it
    /// doesn't run. Minor versions such as 4.1 can't be asked for.
    pub fn serves_nfs_version(&self, version: u8) -> Option<bool> {
        let said = |word: &str| match word.split_at_checked(1)? {
            (sign, number) if number == version.to_string() => Some(sign == "+"),
            _ => None,
        };
        self.versions.split_whitespace().find_map(said)
    }

    /// Whether nfsprov's own block of the exports file exports this directory, in force or not; false if the block is
    /// damaged or the file was not read.
    pub fn is_exported_by_nfsprov(&self, path: &str) -> bool {
        let ours = exports_file::own_exports(self.exports.as_deref().unwrap_or_default(), path);
        matches!(ours, Ok(Some(_)))
    }

    /// The value, as written, of a setting in `/etc/nfs.conf`, else in the files of `/etc/nfs.conf.d`; nfsprov's block
    /// counts. The first one is taken. `None` if it is not set, or the files were not read.
    pub fn nfs_setting(&self, section: &str, key: &str) -> Option<String> {
        let main = self.nfs_conf.as_deref().unwrap_or_default();
        let parts = self.nfs_conf_parts.iter().map(Vec::as_slice);
        std::iter::once(main)
            .chain(parts)
            .find_map(|text| nfs_conf::get_setting(text, section, key))
    }

    /// The address by which a server with these names sees the host; the first name that it found the server by counts.
    /// `None` if it found none of them.
    pub fn address_seen_by(&self, server_names: &[String]) -> Option<IpAddr> {
        let route_to = |name: &String| self.routes.iter().find(|route| route.server == *name);
        server_names.iter().find_map(route_to).map(|route| route.source)
    }

    /// Whether the program was found; false for one that the gather script does not look for.
    pub fn has_program(&self, name: &str) -> bool {
        self.programs.iter().any(|program| program == name)
    }

    /// The state of a service; that of a missing one if the script did not ask for it.
    pub fn unit(&self, name: &str) -> Unit {
        self.units.get(name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
pub(super) mod tests;
