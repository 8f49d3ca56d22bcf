//! What a host is like, read in one round trip: the script that gathers it, and what is made of its words (PURE).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::exports_file;
use super::script::{arguments, quote};

/// What reads the facts and changes nothing.
const GATHER: &str = include_str!("facts/gather.sh");

/// What is to be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The exports file, on a server.
    pub exports_file: Option<String>,
    /// The directory to be exported.
    pub directory: Option<String>,
    /// Names and addresses of the server, on a client: whether it finds it by them.
    pub servers: Vec<String>,
}

/// A host's facts. What could not be read is as if it weren't there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Who the script ran as.
    pub uid: Option<u32>,
    /// Its clock, in seconds since 1970.
    pub clock: Option<i64>,
    /// Its own name.
    pub hostname: String,
    /// Its kernel's release.
    pub kernel: String,
    /// `/etc/os-release`.
    pub os_release: String,
    /// The programs that it has, of package managers and of those that NFS needs.
    pub programs: Vec<String>,
    /// Of the packages that NFS comes in, those that are installed.
    pub packages: BTreeSet<String>,
    /// What starts its services.
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
    /// The TCP ports that something listens on.
    pub listening: BTreeSet<u16>,
    /// The ports of the program mountd, as rpcbind knows them.
    pub mountd: BTreeSet<u16>,
    /// Where the exports file is, links followed.
    pub exports_path: String,
    /// What it holds, if it is there.
    pub exports: Option<Vec<u8>>,
    /// Its checksum, as cksum(1) has it.
    pub exports_checksum: String,
    /// The other files that exportfs reads, by name.
    pub other_exports: Vec<(String, Vec<u8>)>,
    /// `exportfs -s`.
    pub listing: Option<String>,
    /// `/etc/nfs.conf`.
    pub nfs_conf: Option<Vec<u8>>,
    /// Its checksum, as cksum(1) has it.
    pub nfs_conf_checksum: String,
    /// The files of `/etc/nfs.conf.d`.
    pub nfs_conf_parts: Vec<Vec<u8>>,
    /// What is where the directory should be.
    pub directory: Directory,
    /// The nearest directory above it that exists, or itself.
    pub above: String,
    /// The file system's type there.
    pub filesystem: String,
    /// What guards its ports.
    pub firewall: Firewall,
    /// Whether SELinux is enforcing, and which of the booleans asked for are on.
    pub selinux: Option<BTreeMap<String, bool>>,
    /// Its addresses, without those of the loopback interface.
    pub addresses: Vec<IpAddr>,
    /// How it reaches the server.
    pub routes: Vec<Route>,
}

/// What starts a host's services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Init {
    /// systemd.
    Systemd,
    /// OpenRC.
    OpenRc,
    /// Something else: what process 1 calls itself.
    Other(String),
    /// Not known.
    #[default]
    Unknown,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// Whether there is such a one.
    pub exists: bool,
    /// Whether it may be started at all.
    pub masked: bool,
    /// Whether it runs.
    pub active: bool,
    /// Whether it is started at boot.
    pub enabled: bool,
}

/// Whether a kernel can do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Support {
    /// It does already.
    Yes,
    /// A module that it has would do it.
    Module,
    /// It can't.
    #[default]
    No,
}

/// What is where a directory should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Directory {
    /// Nothing.
    #[default]
    Missing,
    /// A directory.
    There {
        /// Its permission bits.
        mode: u32,
        /// Its owner and group, as numbers and as names.
        owner: [String; 4],
    },
    /// A link to this.
    Link(String),
    /// Something else.
    Other,
}

/// What guards a host's ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Firewall {
    /// Nothing that was found.
    #[default]
    None,
    /// firewalld, and the services that its default zone lets in, now and after a restart.
    Firewalld {
        /// Now.
        now: BTreeSet<String>,
        /// After a restart.
        permanent: BTreeSet<String>,
    },
    /// ufw, and what `ufw status` says.
    Ufw(String),
    /// Rules that somebody wrote with this.
    Rules(String),
}

/// How a host reaches a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The server, as it was asked for.
    pub server: String,
    /// The address that this means there.
    pub address: String,
    /// The host's own address on the way.
    pub source: IpAddr,
}

/// Facts that are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what it says of itself breaks off after {after:?}; is its disk full, or does something change its files?")]
pub struct FactsError {
    after: String,
}

/// The script that gathers what there is to know of a subject.
pub fn script(subject: &Subject) -> String {
    let word = |text: &Option<String>| quote(text.as_deref().unwrap_or_default());
    format!(
        "exports={}\ndirectory={}\n{}{GATHER}",
        word(&subject.exports_file),
        word(&subject.directory),
        arguments(&subject.servers),
    )
}

impl Facts {
    /// Reads what the script wrote.
    ///
    /// # Errors
    /// When it isn't whole.
    pub fn parse(said: &[u8]) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        let mut rest = said;
        let mut last = String::new();
        let mut other = String::new();
        while !rest.is_empty() {
            let (name, value, after) = record(rest).ok_or_else(|| FactsError { after: last.clone() })?;
            let text = String::from_utf8_lossy(value).trim_end().to_owned();
            match name {
                "exports" => facts.exports = Some(value.to_vec()),
                "other-path" => other = text,
                "other" => facts.other_exports.push((other.clone(), value.to_vec())),
                "nfs.conf" => facts.nfs_conf = Some(value.to_vec()),
                "nfs.conf-part" => facts.nfs_conf_parts.push(value.to_vec()),
                name => facts.take(name, &text),
            }
            name.clone_into(&mut last);
            rest = after;
        }
        match last.is_empty() {
            true => Err(FactsError { after: last }),
            false => Ok(facts),
        }
    }

    /// Whether it serves this version of NFS, where it says so.
    pub fn serves(&self, version: u8) -> Option<bool> {
        let said = |word: &str| match word.split_at_checked(1)? {
            (sign, number) if number == version.to_string() => Some(sign == "+"),
            _ => None,
        };
        self.versions.split_whitespace().find_map(said)
    }

    /// Whether nfsprov's own block of the exports file exports this directory; not where that block is damaged.
    pub fn is_exported_by_nfsprov(&self, path: &str) -> bool {
        let ours = exports_file::ours(self.exports.as_deref().unwrap_or_default(), path);
        matches!(ours, Ok(Some(_)))
    }

    /// Whether it has a program.
    pub fn has_program(&self, name: &str) -> bool {
        self.programs.iter().any(|program| program == name)
    }

    fn take(&mut self, name: &str, text: &str) {
        let words = || text.split_whitespace();
        let set = || words().map(str::to_owned).collect::<BTreeSet<String>>();
        match name {
            "uid" => self.uid = text.parse().ok(),
            "clock" => self.clock = text.parse().ok(),
            "hostname" => text.clone_into(&mut self.hostname),
            "kernel" => text.clone_into(&mut self.kernel),
            "os-release" => text.clone_into(&mut self.os_release),
            "programs" => self.programs = words().map(str::to_owned).collect(),
            "packages" => self.packages = set(),
            "init" => {
                self.init = match text {
                    "systemd" => Init::Systemd,
                    "openrc" => Init::OpenRc,
                    other => Init::Other(other.to_owned()),
                }
            }
            "unit" => {
                let (name, properties) = text.split_once(' ').unwrap_or((text, ""));
                self.units.insert(name.to_owned(), unit(properties.split(' ')));
            }
            "units" => self.take_units(text),
            "nfsd" => self.nfsd = support(text),
            "nfs" => self.nfs = support(text),
            "threads" => self.threads = text.parse().unwrap_or_default(),
            "versions" => text.clone_into(&mut self.versions),
            "listening" => self.listening = text.lines().filter_map(local_port).collect(),
            "rpc" => self.mountd = text.lines().filter_map(mountd_port).collect(),
            "exports-path" => text.clone_into(&mut self.exports_path),
            "exports-checksum" => text.clone_into(&mut self.exports_checksum),
            "nfs.conf-checksum" => text.clone_into(&mut self.nfs_conf_checksum),
            "listing" => self.listing = Some(text.to_owned()),
            "directory" => self.directory = directory(text),
            "above" => text.clone_into(&mut self.above),
            "filesystem" => text.clone_into(&mut self.filesystem),
            "firewalld" => {
                self.firewall = Firewall::Firewalld {
                    now: set(),
                    permanent: BTreeSet::new(),
                }
            }
            "firewalld-permanent" => {
                if let Firewall::Firewalld { permanent, .. } = &mut self.firewall {
                    *permanent = set();
                }
            }
            "ufw" => self.firewall = Firewall::Ufw(text.to_owned()),
            "filter" => self.firewall = Firewall::Rules(text.to_owned()),
            "selinux" if text == "Enforcing" => self.selinux = Some(BTreeMap::new()),
            "booleans" => {
                if let Some(booleans) = &mut self.selinux {
                    // "nfs_export_all_rw --> on"
                    let pairs = text.lines().filter_map(|line| line.split_once(" --> "));
                    booleans.extend(pairs.map(|(name, state)| (name.to_owned(), state.trim() == "on")));
                }
            }
            "addresses" => {
                let plain = words().filter_map(|word| word.split('/').next()?.parse().ok());
                self.addresses = plain.collect();
            }
            "route" => self.routes.extend(route(text)),
            // A fact that this version knows nothing of.
            _ => {}
        }
    }

    fn take_units(&mut self, text: &str) {
        for block in text.split("\n\n") {
            let names = block.lines().find_map(|line| line.strip_prefix("Names="));
            for name in names.unwrap_or_default().split_whitespace() {
                let name = name.strip_suffix(".service").unwrap_or(name);
                self.units.insert(name.to_owned(), unit(block.lines()));
            }
        }
    }

    /// A service by its name; one that is not there if it wasn't asked for.
    pub fn unit(&self, name: &str) -> Unit {
        self.units.get(name).cloned().unwrap_or_default()
    }
}

/// The first record of what was written: its name, its value, and what follows.
fn record(said: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let end = said.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&said[..end]).ok()?;
    let (name, length) = head.strip_prefix('@')?.split_once(' ')?;
    let length: usize = length.parse().ok()?;
    let rest = &said[end + 1..];
    let value = rest.get(..length)?;
    let after = rest.get(length..)?.strip_prefix(b"\n")?;
    Some((name, value, after))
}

/// A service by its properties as `systemctl show` prints them, `NAME=value`.
fn unit<'a>(properties: impl Iterator<Item = &'a str>) -> Unit {
    let mut unit = Unit::default();
    for (property, value) in properties.filter_map(|property| property.split_once('=')) {
        match property {
            "LoadState" => {
                unit.exists = value == "loaded";
                unit.masked = value == "masked";
            }
            "ActiveState" => unit.active = value == "active",
            // An alias is enabled as what it stands for is.
            "UnitFileState" => unit.enabled = matches!(value, "enabled" | "alias" | "static" | "generated"),
            _ => {}
        }
    }
    unit
}

fn support(text: &str) -> Support {
    match text {
        "yes" => Support::Yes,
        "module" => Support::Module,
        _ => Support::No,
    }
}

/// The local port of a line of `/proc/net/tcp`.
fn local_port(line: &str) -> Option<u16> {
    let address = line.split_whitespace().nth(1)?;
    u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok()
}

/// The TCP port in a line of `rpcinfo -p` about mountd.
fn mountd_port(line: &str) -> Option<u16> {
    const MOUNTD: &str = "100005";
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [MOUNTD, _, "tcp", port, ..] => port.parse().ok(),
        _ => None,
    }
}

fn directory(text: &str) -> Directory {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["directory", mode, uid, gid, user, group] => Directory::There {
            mode: u32::from_str_radix(mode, 8).unwrap_or_default(),
            owner: [uid, gid, user, group].map(str::to_owned),
        },
        ["link", ..] => Directory::Link(text.trim_start_matches("link").trim_start().to_owned()),
        ["none"] => Directory::Missing,
        _ => Directory::Other,
    }
}

fn route(text: &str) -> Option<Route> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [server, address, source] => Some(Route {
            server: server.to_owned(),
            address: address.to_owned(),
            source: source.parse().ok()?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn said(records: &[(&str, &str)]) -> Vec<u8> {
        let record = |(name, value): &(&str, &str)| format!("@{name} {}\n{value}\n", value.len());
        records.iter().map(record).collect::<String>().into_bytes()
    }

    #[test]
    fn facts_are_read_from_their_lines() {
        let facts = Facts::parse(&said(&[
            ("uid", "0"),
            ("programs", " apt-get"),
            ("packages", "nfs-common\nrpcbind"),
            ("init", "systemd"),
            ("unit", "rpcbind LoadState=loaded ActiveState=active UnitFileState=enabled"),
            (
                "units",
                "Names=nfs-server.service nfs-kernel-server.service\nLoadState=masked\nActiveState=inactive\n\
                 UnitFileState=masked\n\nNames=nfs.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=",
            ),
            ("nfsd", "module"),
            ("listening", "   0: 00000000:0801 00000000:0000 0A 0\n   1: 0100007F:006F 00000000:0000 0A 0"),
            ("rpc", "   program vers proto   port  service\n    100005    3   tcp  20048  mountd\n    100005    3   udp  20049  mountd"),
            ("exports", "# @none 3\n/a *(ro)\n"),
            ("other-path", "/etc/exports.d/it is.exports"),
            ("other", "/b *(ro)\n\n"),
            ("directory", "directory 1777 0 65534 root nogroup"),
            ("firewalld", "ssh nfs"),
            ("firewalld-permanent", "ssh"),
            ("selinux", "Enforcing"),
            ("booleans", "nfs_export_all_rw --> on\nvirt_use_nfs --> off"),
            ("addresses", "10.0.0.5/24\nfd00::5/64"),
            ("route", "nfs.example 10.0.0.9 10.0.0.5"),
            ("route", "nfs 10.0.0.9 "),
        ]))
        .unwrap();
        assert_eq!(facts.uid, Some(0));
        assert_eq!(facts.programs, ["apt-get"]);
        assert!(facts.packages.contains("nfs-common") && facts.packages.len() == 2);
        let all = Unit {
            exists: true,
            masked: false,
            active: true,
            enabled: true,
        };
        assert_eq!(facts.unit("rpcbind"), all);
        assert_eq!(facts.unit("nfs"), Unit::default());
        for name in ["nfs-server", "nfs-kernel-server"] {
            assert!(facts.unit(name).masked && !facts.unit(name).exists, "{name}");
        }
        assert_eq!(facts.nfsd, Support::Module);
        assert_eq!(facts.listening, BTreeSet::from([2049, 111]));
        assert_eq!(facts.mountd, BTreeSet::from([20048]));
        assert_eq!(
            facts.exports.as_deref(),
            Some(&b"# @none 3\n/a *(ro)\n"[..]),
            "byte for byte"
        );
        assert_eq!(
            facts.other_exports,
            [("/etc/exports.d/it is.exports".into(), b"/b *(ro)\n\n".to_vec())]
        );
        let owner = ["0", "65534", "root", "nogroup"].map(str::to_owned);
        assert_eq!(facts.directory, Directory::There { mode: 0o1777, owner });
        let services = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let firewall = Firewall::Firewalld {
            now: services(&["ssh", "nfs"]),
            permanent: services(&["ssh"]),
        };
        assert_eq!(facts.firewall, firewall);
        assert_eq!(facts.selinux.as_ref().map(|all| all["nfs_export_all_rw"]), Some(true));
        assert_eq!(facts.addresses.len(), 2);
        assert_eq!(facts.routes.len(), 1, "one without an address of its own is none");
    }

    #[test]
    fn facts_that_break_off_are_none() {
        let whole = said(&[("uid", "0"), ("exports", "/a *(ro)\n")]);
        for length in 0..whole.len() {
            let whole_records = length == said(&[("uid", "0")]).len();
            assert_eq!(Facts::parse(&whole[..length]).is_ok(), whole_records, "{length} bytes");
        }
        assert!(Facts::parse(b"bash: no such thing\n").is_err());
    }

    #[test]
    fn this_machine_has_facts_under_every_shell() {
        let directory = tempfile::tempdir().unwrap();
        let exports = directory.path().join("it's caf\u{e9} exports");
        let content = b"/a *(ro)\n\xff\xfe no end";
        std::fs::write(&exports, content).unwrap();
        let subject = Subject {
            exports_file: Some(exports.to_str().unwrap().to_owned()),
            directory: Some(directory.path().join("a b/c").to_str().unwrap().to_owned()),
            servers: vec!["127.0.0.1".to_owned()],
        };
        for shell in [&["sh"][..], &["bash", "--posix"], &["busybox", "sh"]] {
            let mut command = Command::new(shell[0]);
            // In a locale in which a letter may be two bytes.
            command
                .args(&shell[1..])
                .arg("-c")
                .arg(script(&subject))
                .env("LC_ALL", "C.UTF-8");
            let Ok(output) = command.output() else {
                eprintln!("skipped: {shell:?} is not installed");
                continue;
            };
            let facts = Facts::parse(&output.stdout).unwrap();
            assert!(
                facts.uid.is_some() && facts.clock.is_some() && !facts.hostname.is_empty(),
                "{shell:?} {facts:?}"
            );
            assert_eq!(facts.exports.as_deref(), Some(&content[..]), "{shell:?}");
            assert_eq!(facts.exports_path, exports.to_str().unwrap());
            assert_eq!(facts.directory, Directory::Missing);
            assert_eq!(facts.above, directory.path().to_str().unwrap());
            assert!(facts.units.is_empty() || facts.units.len() > 5, "{shell:?} {facts:?}");
        }
    }

    #[test]
    fn the_names_of_servers_are_words_and_no_patterns_under_every_shell() {
        let tools = tempfile::tempdir().unwrap();
        let asked = tools.path().join("asked");
        // A resolver that knows every name, and notes it.
        let getent = format!(
            "#!/bin/sh\nprintf '<%s>' \"$2\" >>{}\necho 127.0.0.1\n",
            asked.display()
        );
        for (name, text) in [("getent", getent.as_str()), ("ip", "#!/bin/sh\n")] {
            let path = tools.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let subject = Subject {
            servers: ["/*", "a b", "$(id)"].map(str::to_owned).to_vec(),
            ..Subject::default()
        };
        let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
        for shell in [&["sh"][..], &["bash", "--posix"], &["busybox", "sh"]] {
            let mut command = Command::new(shell[0]);
            let command = command
                .args(&shell[1..])
                .arg("-c")
                .arg(script(&subject))
                .env("PATH", &path);
            let Ok(output) = command.output() else {
                eprintln!("skipped: {shell:?} is not installed");
                continue;
            };
            assert!(Facts::parse(&output.stdout).is_ok(), "{shell:?}");
            assert_eq!(
                std::fs::read_to_string(&asked).unwrap(),
                "</*><a b><$(id)>",
                "{shell:?}"
            );
            std::fs::remove_file(&asked).unwrap();
        }
    }
}
