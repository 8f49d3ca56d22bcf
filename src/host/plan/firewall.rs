//! The step that opens the firewall to clients (PURE): a rule for each client and port, with a mark of nfsprov's.
//!
//! The step compares the wanted rules with the present ones. A rule with the mark that is not wanted is removed; rules
//! of others are left alone.

mod ufw;

use std::collections::{BTreeMap, BTreeSet};

use self::ufw::plan_ufw;
use super::desired::Versions;
use super::{Step, with_undo};
use crate::host::exports_file::{self, Client, Network};
use crate::host::facts::Facts;
use crate::host::firewall::{Firewall, Firewalld};
use crate::host::nfs_conf::{self, LOCKD_PORT, MOUNTD_PORT, STATD_PORT};
use crate::shell::quote;

const NAME: &str = "firewall";

/// The priority of nfsprov's rich rules, which tells them from others': rich rules have no comments. Rules with a
/// positive priority come after those of services and ports, and before what the zone does by default.
const RICH_RULE_PRIORITY: u16 = 2049;

/// The clients that the firewall should let in, and the ports.
pub(super) struct Allowed {
    pub(super) clients: Vec<Client>,
    pub(super) ports: Ports,
}

/// The ports that clients of an NFS server need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    tcp: BTreeSet<u16>,
    udp: BTreeSet<u16>,
}

impl Ports {
    /// The ports of a server of these versions: NFS 3 needs rpcbind, mountd, and for locks statd and lockd, which are
    /// at the ports of `/etc/nfs.conf`, or where nfsprov pins them.
    pub(super) fn of_server(facts: &Facts, versions: Versions) -> Self {
        let mut tcp = BTreeSet::from([2049]);
        let mut udp = BTreeSet::new();
        if versions != Versions::Four {
            let port_of = |pinned: &nfs_conf::PinnedPort| {
                let configured = facts.nfs_setting(pinned.section, pinned.key);
                configured.and_then(|value| value.parse().ok()).unwrap_or(pinned.port)
            };
            tcp.extend([111, port_of(&MOUNTD_PORT), port_of(&STATD_PORT), port_of(&LOCKD_PORT)]);
            let lockd = port_of(&nfs_conf::LOCKD_UDP_PORT);
            udp.extend([111, port_of(&MOUNTD_PORT), port_of(&STATD_PORT), lockd]);
        }
        Self { tcp, udp }
    }

    /// Each protocol that has ports, with these in order; those that follow each other are a range with `joint` in it.
    fn by_protocol(&self, joint: char) -> Vec<(&'static str, Vec<String>)> {
        let protocols = [("tcp", &self.tcp), ("udp", &self.udp)];
        let used = protocols.into_iter().filter(|(_, ports)| !ports.is_empty());
        used.map(|(protocol, ports)| (protocol, join_ranges(ports, joint)))
            .collect()
    }

    /// Whether a range, as firewalld prints it (`2049/tcp` or `2000-2100/tcp`), has one of these ports; false for any
    /// other text.
    fn has_one_in(&self, range: &str) -> bool {
        let Some((ports, protocol)) = range.split_once('/') else {
            return false;
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
            return false;
        };
        let own = match protocol {
            "tcp" => &self.tcp,
            "udp" => &self.udp,
            _ => return false,
        };
        own.iter().any(|port| (first..=last).contains(port))
    }

    /// The ports as `TCP 111, 2049 and UDP 111`.
    fn describe(&self) -> String {
        let each = self.by_protocol('-').into_iter();
        let each: Vec<String> = each
            .map(|(protocol, ports)| format!("{} {}", protocol.to_uppercase(), ports.join(", ")))
            .collect();
        each.join(" and ")
    }
}

/// Ports in order, those that follow each other as one range with `joint` in it.
fn join_ranges(ports: &BTreeSet<u16>, joint: char) -> Vec<String> {
    let mut found: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match found.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(*port) => *end = *port,
            _ => found.push((*port, *port)),
        }
    }
    let text = |(start, end): (u16, u16)| match start == end {
        true => start.to_string(),
        false => format!("{start}{joint}{end}"),
    };
    found.into_iter().map(text).collect()
}

/// The clients of all exports of nfsprov's once `path` is exported to `clients`, without duplicates: a firewall can't
/// tell one export from another. A damaged block of nfsprov's counts as empty.
pub(super) fn clients_of_all_exports(facts: &Facts, path: &str, clients: &[String]) -> Vec<Client> {
    let own = facts.exports.as_deref().unwrap_or_default();
    let others = facts.other_exports.iter().map(|(_, text)| text.as_slice());
    let further = exports_file::clients_of_other_exports(own, others, path);
    let mut found: Vec<Client> = Vec::new();
    for client in clients.iter().chain(&further).map(|text| Client::of(text)) {
        if !found.contains(&client) {
            found.push(client);
        }
    }
    found
}

/// Adds rules for the allowed clients, and removes those that an earlier run added for others. Skipped without a known
/// firewall, refused if its rules can't be read; clients that are names are only warned of, since firewall rules take
/// addresses.
pub(super) fn plan_firewall(facts: &Facts, allowed: &Allowed) -> Step {
    let step = match &facts.firewall {
        Firewall::None => return Step::skipped(NAME, "none was found"),
        Firewall::Custom(tool) => {
            let step = Step::skipped(
                NAME,
                format!("{tool} has rules of its own; nfsprov does not change them"),
            );
            return match allowed.clients.is_empty() {
                true => step,
                false => step.with_warning(format!("open {} to the clients", allowed.ports.describe())),
            };
        }
        // Without the rules in force, rules are added twice or missed; without the permanent ones, those that are added
        // are lost at a restart.
        Firewall::Unread(command) => {
            return Step::refused(NAME, format!("`{command}` gave no answer; run this again when it does"));
        }
        Firewall::Firewalld(firewalld) => plan_firewalld(firewalld, allowed),
        Firewall::Ufw(rules) => plan_ufw(rules, allowed),
    };
    let nameless: Vec<String> = allowed
        .clients
        .iter()
        .filter(|client| Source::of(client).is_none())
        .map(ToString::to_string)
        .collect();
    match nameless.is_empty() {
        true => step,
        false => step.with_warning(format!(
            "firewall rules take addresses only: open {} to {} by hand",
            allowed.ports.describe(),
            nameless.join(", ")
        )),
    }
}

/// The source addresses of a client, as a firewall can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Everywhere,
    Network(Network),
}

impl Source {
    /// The addresses of a client; `None` if it is a name, a pattern or a netgroup.
    fn of(client: &Client) -> Option<Self> {
        match client {
            Client::World => Some(Self::Everywhere),
            Client::Network(network) => Some(Self::Network(*network)),
            Client::Name(_) | Client::Pattern(_) | Client::Netgroup(_) => None,
        }
    }

    /// `None` for everywhere.
    fn network(&self) -> Option<&Network> {
        match self {
            Self::Everywhere => None,
            Self::Network(network) => Some(network),
        }
    }

    /// As rules write it: an address without a prefix, or a network with one; `None` for everywhere.
    fn as_rule_address(&self) -> Option<String> {
        let network = self.network()?;
        Some(match network.is_host() {
            true => network.address().to_string(),
            false => network.to_string(),
        })
    }
}

/// Rules to add, and rules of nfsprov's to remove.
#[derive(Debug, Default, PartialEq, Eq)]
struct RuleChanges {
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
}

impl RuleChanges {
    fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// Why the step changes something: the clients that it gives access, and the number of rules that it removes.
fn describe_changes(tool: &str, allowed: &Allowed, adds: bool, removed: usize) -> String {
    let mut clauses = Vec::new();
    if adds {
        clauses.push(format!(
            "open {} to {}",
            allowed.ports.describe(),
            client_names(allowed)
        ));
    }
    if removed > 0 {
        clauses.push(format!(
            "remove {removed} of nfsprov's rules, which no export needs any more"
        ));
    }
    format!("{tool}: {}", clauses.join("; "))
}

/// The allowed clients as rules write them; those that are names are left out.
fn client_names(allowed: &Allowed) -> String {
    let sources = allowed.clients.iter().filter_map(Source::of);
    let names: Vec<String> = sources
        .map(|source| source.as_rule_address().unwrap_or_else(|| "all hosts".to_owned()))
        .collect();
    names.join(", ")
}

/// A step that makes no change, since the rules are right; its text names the clients that have access.
fn unchanged_step(tool: &str, allowed: &Allowed) -> Step {
    match allowed.clients.is_empty() {
        true => Step::ok(NAME, format!("{tool} has no rule of nfsprov's")),
        false => Step::ok(NAME, format!("{tool} is open to {}", client_names(allowed))),
    }
}

/// Adds and removes rich rules of firewalld, those in force and the permanent ones. Rules of a firewalld without
/// priorities have no mark, so they are never removed.
fn plan_firewalld(firewalld: &Firewalld, allowed: &Allowed) -> Step {
    const TOOL: &str = "firewalld";
    let wanted = rich_rules(firewalld, allowed);
    let mut changes: BTreeMap<(&str, bool), RuleChanges> = BTreeMap::new();
    for (is_permanent, zones) in [(true, &firewalld.permanent), (false, &firewalld.runtime)] {
        for zone in zones {
            let of_zone = wanted.get(zone.name.as_str());
            let is_wanted = |rule: &String| of_zone.is_some_and(|rules| rules.contains(rule));
            let missing = of_zone
                .into_iter()
                .flatten()
                .filter(|rule| !zone.rich_rules.contains(*rule));
            let stale = zone
                .rich_rules
                .iter()
                .filter(|rule| is_marked(rule) && !is_wanted(rule));
            let change = RuleChanges {
                add: missing.cloned().collect(),
                remove: stale.cloned().collect(),
            };
            if !change.is_empty() {
                changes.insert((&zone.name, is_permanent), change);
            }
        }
    }
    let step = match changes.is_empty() {
        true => unchanged_step(TOOL, allowed),
        false => {
            let adds = changes.values().any(|change| !change.add.is_empty());
            let removed: BTreeSet<(&str, &String)> = changes
                .iter()
                .flat_map(|((zone, _), change)| change.remove.iter().map(move |rule| (*zone, rule)))
                .collect();
            let zones: BTreeSet<&str> = changes.keys().map(|(zone, _)| *zone).collect();
            let tool = format!("{TOOL} ({})", zones.into_iter().collect::<Vec<_>>().join(", "));
            let why = describe_changes(&tool, allowed, adds, removed.len());
            Step::change(NAME, why, firewalld_script(&changes))
        }
    };
    with_open_zone_warnings(step, firewalld, allowed)
}

/// The rich rules that each zone should have, by its name, with nfsprov's priority where the zone's rules have one. A
/// zone that accepts everything needs none.
fn rich_rules<'a>(firewalld: &'a Firewalld, allowed: &Allowed) -> BTreeMap<&'a str, BTreeSet<String>> {
    let mut rules: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in allowed.clients.iter().filter_map(Source::of) {
        let family = match source.network() {
            None => String::new(),
            Some(network) => {
                let version = if network.address().is_ipv4() { 4 } else { 6 };
                let address = source.as_rule_address().unwrap_or_default();
                format!(" family=\"ipv{version}\" source address=\"{address}\"")
            }
        };
        for name in firewalld.zones_of(source.network()) {
            let zone = firewalld.runtime.iter().find(|zone| zone.name == name);
            if zone.is_some_and(|zone| zone.target == "ACCEPT") {
                continue;
            }
            let priority = match zone.is_some_and(|zone| zone.has_priorities) {
                true => format!(" priority=\"{RICH_RULE_PRIORITY}\""),
                false => String::new(),
            };
            for (protocol, ports) in allowed.ports.by_protocol('-') {
                let of_port = |port: String| {
                    format!("rule{priority}{family} port port=\"{port}\" protocol=\"{protocol}\" accept")
                };
                rules.entry(name).or_default().extend(ports.into_iter().map(of_port));
            }
        }
    }
    rules
}

/// Whether a rich rule is nfsprov's, which its priority tells.
fn is_marked(rich_rule: &str) -> bool {
    rich_rule.contains(&format!(" priority=\"{RICH_RULE_PRIORITY}\""))
}

/// A script that changes the rules, verifies and on failure undoes that. A key is a zone, and whether its permanent
/// rules change. For each key, the script calls firewall-cmd at most once to add, once to remove and once to list,
/// since each call takes a part of a second.
fn firewalld_script(changes: &BTreeMap<(&str, bool), RuleChanges>) -> String {
    let [mut change, mut verify, mut undo, mut verify_undo] = [const { String::new() }; 4];
    for ((zone, is_permanent), RuleChanges { add, remove }) in changes {
        let permanent = if *is_permanent { " --permanent" } else { "" };
        let command = format!("firewall-cmd{permanent} --zone={}", quote(zone));
        let call = |verb: &str, rules: &BTreeSet<String>, end: &str| {
            let options = rules.iter().map(|rule| format!(" --{verb}-rich-rule={}", quote(rule)));
            match rules.is_empty() {
                true => String::new(),
                false => format!("{command} --quiet{}{end}\n", options.collect::<String>()),
            }
        };
        change.push_str(&(call("add", add, "") + &call("remove", remove, "")));
        undo.push_str(&(call("add", remove, " || :") + &call("remove", add, " || :")));
        // Its status is 0 where it took a part of the rules only.
        let listed = format!("listed=$({command} --list-rich-rules)\n");
        verify.push_str(&(listed.clone() + &verify_lines(add, remove)));
        verify_undo.push_str(&(listed + &verify_lines(remove, add)));
    }
    with_undo(&change, &verify, &(undo + &verify_undo))
}

/// Shell lines that fail, and say why, unless `$listed` has each rule of `add` as a line, and none of `remove`.
fn verify_lines(add: &BTreeSet<String>, remove: &BTreeSet<String>) -> String {
    let has = |rule: &String| format!("printf '%s\\n' \"$listed\" | grep -qxF -e {}", quote(rule));
    let missing = |rule: &String| {
        let said = quote(&format!("it does not list the rule: {rule}"));
        format!("{} || {{ echo {said} >&2; exit 1; }}\n", has(rule))
    };
    let left = |rule: &String| {
        let said = quote(&format!("it still lists the rule: {rule}"));
        format!("if {}; then echo {said} >&2; exit 1; fi\n", has(rule))
    };
    add.iter().map(missing).chain(remove.iter().map(left)).collect()
}

/// Adds a warning for each service of NFS, and each range of ports with one of NFS, that a zone in use is open for, now
/// or after a restart: all hosts have access, whatever rules say. No warning if all hosts are allowed.
fn with_open_zone_warnings(mut step: Step, firewalld: &Firewalld, allowed: &Allowed) -> Step {
    const SERVICES: [&str; 4] = ["nfs", "nfs3", "mountd", "rpc-bind"];
    if allowed.clients.contains(&Client::World) {
        return step;
    }
    let used = firewalld.zones_of(None);
    let zones = firewalld.runtime.iter().chain(&firewalld.permanent);
    let mut open = BTreeSet::new();
    for zone in zones.filter(|zone| used.contains(zone.name.as_str())) {
        let services = SERVICES.iter().filter(|service| zone.services.contains(**service));
        let services = services.map(|service| ("service", (*service).to_owned()));
        let ports = zone.ports.iter().filter(|range| allowed.ports.has_one_in(range));
        let ports = ports.map(|range| ("port", range.clone()));
        open.extend(services.chain(ports).map(|(kind, what)| (&zone.name, kind, what)));
    }
    for (name, kind, what) in open {
        step = step.with_warning(format!(
            "zone {name} is open to all hosts for {what}; firewall-cmd --permanent --zone={name} --remove-{kind}={what} \
             and firewall-cmd --reload close it"
        ));
    }
    step
}

#[cfg(test)]
#[path = "firewall_tests.rs"]
mod tests;
