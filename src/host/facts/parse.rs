//! Parses the output of the script that gathers a host's facts (PURE).
//!
//! The script writes records: a line `@NAME LENGTH`, that many bytes, and a newline.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::host::firewall::{Firewalld, NetworkRoute, Zone, nft_refuses_by_default, parse_ufw_rules};

impl Facts {
    /// Parses the script's output; unknown records are ignored. If firewalld runs and its zones were not read, the
    /// firewall is `Firewall::Unread`.
    ///
    /// # Errors
    /// `FactsError` when a record is cut off or the script's end is missing: a shell that was killed may have written
    /// whole records.
    pub fn parse(output: &[u8]) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        let mut rest = output;
        let mut last = String::new();
        let mut other = String::new();
        while !rest.is_empty() {
            let (name, value, after) = split_record(rest).ok_or_else(|| FactsError { after: last.clone() })?;
            let text = String::from_utf8_lossy(value).trim_end().to_owned();
            match name {
                "exports" => facts.exports = Some(value.to_vec()),
                "other-path" => other = text,
                "other" => facts.other_exports.push((other.clone(), value.to_vec())),
                "nfs.conf" => facts.nfs_conf = Some(value.to_vec()),
                "nfs.conf-part" => facts.nfs_conf_parts.push(value.to_vec()),
                "fstab" => facts.quota.get_or_insert_default().fstab = Some(value.to_vec()),
                name => facts.set_fact(name, &text),
            }
            name.clone_into(&mut last);
            rest = after;
        }
        if last != "end" {
            return Err(FactsError { after: last });
        }
        // It runs, so what takes its place in the other facts is not the firewall.
        if facts.unit("firewalld").active && !matches!(facts.firewall, Firewall::Firewalld(_) | Firewall::Unread(_)) {
            facts.firewall = Firewall::Unread("firewall-cmd --list-all-zones");
        }
        Ok(facts)
    }

    /// Sets the fact of the record `name`; unknown names set nothing. A record that adds to the facts of firewalld or
    /// SELinux counts only after the record that begins them.
    fn set_fact(&mut self, name: &str, text: &str) {
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
                self.units.insert(name.to_owned(), parse_unit(properties.split(' ')));
            }
            "units" => self.set_units(text),
            "nfsd" => self.nfsd = parse_support(text),
            "nfs" => self.nfs = parse_support(text),
            "threads" => self.threads = text.parse().unwrap_or_default(),
            "versions" => text.clone_into(&mut self.versions),
            "rpc" => {
                let ports_of = |program| text.lines().filter_map(|line| tcp_port(line, program)).collect();
                self.mountd_ports = ports_of(MOUNTD);
                self.statd_ports = ports_of(STATD);
                self.lockd_ports = ports_of(LOCKD);
            }
            "exports-path" => text.clone_into(&mut self.exports_path),
            "exports-checksum" => text.clone_into(&mut self.exports_checksum),
            "nfs.conf-checksum" => text.clone_into(&mut self.nfs_conf_checksum),
            "listing" => self.listing = Some(text.to_owned()),
            "directory" => self.directory = parse_directory(text),
            "above" => text.clone_into(&mut self.above),
            "filesystem" => text.clone_into(&mut self.filesystem),
            "firewalld" if !text.is_empty() => {
                self.firewall = Firewall::Firewalld(Firewalld {
                    runtime: Zone::parse_list(text),
                    ..Firewalld::default()
                });
            }
            "firewalld-permanent" if text.is_empty() => {
                self.firewall = Firewall::Unread("firewall-cmd --permanent --list-all-zones");
            }
            "firewalld-permanent" | "firewalld-default" | "firewalld-routes" => {
                if let Firewall::Firewalld(firewalld) = &mut self.firewall {
                    match name {
                        "firewalld-permanent" => firewalld.permanent = Zone::parse_list(text),
                        // What firewalld itself does without a configuration.
                        "firewalld-default" if text.is_empty() => "public".clone_into(&mut firewalld.default_zone),
                        "firewalld-default" => text.clone_into(&mut firewalld.default_zone),
                        _ => firewalld.routes = text.lines().filter_map(NetworkRoute::parse).collect(),
                    }
                }
            }
            // It prints a heading at least.
            "ufw" if text.is_empty() => self.firewall = Firewall::Unread("ufw show added"),
            "ufw" => self.firewall = Firewall::Ufw(parse_ufw_rules(text)),
            "nftables" if nft_refuses_by_default(text) => self.firewall = Firewall::Custom("nftables"),
            "iptables" => self.firewall = Firewall::Custom("iptables"),
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
            "route" => self.routes.extend(parse_route(text)),
            name => {
                if let Some(name) = name.strip_prefix("quota-") {
                    self.quota.get_or_insert_default().set_fact(name, text);
                }
            }
        }
    }

    /// Sets the services, by each of their names, that blocks of `systemctl show` describe.
    fn set_units(&mut self, text: &str) {
        for block in text.split("\n\n") {
            let names = block.lines().find_map(|line| line.strip_prefix("Names="));
            for name in names.unwrap_or_default().split_whitespace() {
                let name = name.strip_suffix(".service").unwrap_or(name);
                self.units.insert(name.to_owned(), parse_unit(block.lines()));
            }
        }
    }
}

/// The first record of an output: its name, its value, and the rest of the output; `None` if it is cut off, or no
/// record.
fn split_record(output: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let end = output.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&output[..end]).ok()?;
    let (name, length) = head.strip_prefix('@')?.split_once(' ')?;
    let length: usize = length.parse().ok()?;
    let rest = &output[end + 1..];
    let value = rest.get(..length)?;
    let after = rest.get(length..)?.strip_prefix(b"\n")?;
    Some((name, value, after))
}

/// A service by its properties as `systemctl show` prints them, `NAME=value`; what is not among them is false. It runs
/// only if it is `active`, not while it starts or reloads.
fn parse_unit<'a>(properties: impl Iterator<Item = &'a str>) -> Unit {
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

/// `yes`, `module`, and anything else for no support.
fn parse_support(text: &str) -> Support {
    match text {
        "yes" => Support::Yes,
        "module" => Support::Module,
        _ => Support::No,
    }
}

/// The numbers of programs, as rpcbind lists them.
const MOUNTD: &str = "100005";
const STATD: &str = "100024";
const LOCKD: &str = "100021";

/// The TCP port in a line of `rpcinfo -p`; `None` if the line is about another program number or another protocol.
fn tcp_port(line: &str, program: &str) -> Option<u16> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [number, _, "tcp", port, ..] if number == program => port.parse().ok(),
        _ => None,
    }
}

/// What the path is, from `directory MODE UID GID USER GROUP`, `link PATH` or `none`; a text of another form is
/// [`Directory::Other`], and a mode that is not octal is 0.
fn parse_directory(text: &str) -> Directory {
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

/// A route from `SERVER ADDRESS SOURCE`; `None` for a text of another form.
fn parse_route(text: &str) -> Option<Route> {
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
