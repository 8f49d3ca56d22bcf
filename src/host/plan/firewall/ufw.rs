//! The step for ufw (PURE): which rules it adds and removes, and which of others' refuse clients before them.

use std::collections::BTreeSet;

use super::{Allowed, NAME, Ports, RuleChanges, Source, describe_changes, unchanged_step, verify_lines};
use crate::host::exports_file::Network;
use crate::host::plan::{Step, with_undo};

/// The comment of nfsprov's rules, and how `ufw show added` prints it.
const UFW_COMMENT: &str = " comment 'nfsprov'";

/// Adds and removes rules of ufw. A rule that an administrator wrote counts as present, and is never removed. Refused
/// if a wanted rule exists as `deny`, `reject` or `limit`, which ufw would replace; warns of broader ones that come first.
pub(super) fn plan_ufw(present: &[String], allowed: &Allowed) -> Step {
    const TOOL: &str = "ufw";
    let sources = allowed.clients.iter().filter_map(Source::of);
    let wanted = sources.flat_map(|source| ufw_rules(source, &allowed.ports));
    let wanted: BTreeSet<String> = wanted.map(|(_, rule)| rule).collect();
    let in_force: BTreeSet<&str> = present.iter().map(|rule| without_comment(rule)).collect();
    let is_present = |rule: &String| in_force.contains(rule.as_str());
    let denied = wanted.iter().find_map(|rule| {
        let denials = ["deny", "reject", "limit"].map(|action| rule.replacen("allow", action, 1));
        denials.into_iter().find(is_present)
    });
    if let Some(denial) = denied {
        let why = format!("ufw has another's rule against it: {denial}; remove that with `ufw delete {denial}`");
        return Step::refused(NAME, why);
    }
    let marked = present.iter().filter_map(|rule| rule.strip_suffix(UFW_COMMENT));
    let changes = RuleChanges {
        add: wanted.iter().filter(|rule| !is_present(rule)).cloned().collect(),
        remove: marked
            .filter(|rule| is_simple(rule) && !wanted.contains(*rule))
            .map(str::to_owned)
            .collect(),
    };
    let step = match changes.is_empty() {
        true => unchanged_step(TOOL, allowed),
        false => {
            let why = describe_changes(TOOL, allowed, !changes.add.is_empty(), changes.remove.len());
            Step::change(NAME, why, ufw_script(&changes))
        }
    };
    let denials = earlier_denials(present, allowed);
    denials.into_iter().fold(step, |step, denial| {
        step.with_warning(format!(
            "ufw's rule `{denial}` comes before nfsprov's and may refuse the clients; delete it, or move it behind them: \
             `ufw status numbered` shows the order"
        ))
    })
}

/// The rules that refuse packets of allowed clients to allowed ports, perhaps of some only, and come before the wanted
/// rule for these: of ufw's rules, the first that matches decides. A wanted rule that is missing will be the last.
fn earlier_denials<'a>(present: &'a [String], allowed: &Allowed) -> Vec<&'a str> {
    let rules: Vec<&str> = present.iter().map(|rule| without_comment(rule)).collect();
    let mut wanted: Vec<(Source, &str, usize)> = Vec::new();
    for source in allowed.clients.iter().filter_map(Source::of) {
        for (protocol, rule) in ufw_rules(source, &allowed.ports) {
            let position = rules.iter().position(|found| *found == rule);
            wanted.push((source, protocol, position.unwrap_or(rules.len())));
        }
    }
    let comes_first = |(number, rule): &(usize, &str)| {
        Denial::parse(rule).is_some_and(|denial| {
            let matches = |(source, protocol, position): &(Source, &str, usize)| {
                number < position && denial.may_refuse(source, protocol, &allowed.ports)
            };
            wanted.iter().any(matches)
        })
    };
    let numbered = rules.iter().copied().enumerate();
    numbered.filter(comes_first).map(|(_, rule)| rule).collect()
}

/// A rule of ufw that refuses incoming packets. Its interface and the host's address in it are left out: they may be
/// those that clients use.
struct Denial<'a> {
    /// `None` for all addresses.
    source: Option<Network>,
    /// `None` for all protocols.
    protocol: Option<&'a str>,
    /// The host's ports, joined by commas, with `:` in ranges; `None` for all.
    ports: Option<&'a str>,
}

impl<'a> Denial<'a> {
    /// Parses the arguments of `ufw`; `None` if they refuse no incoming packet, or name an application, whose ports only
    /// ufw knows.
    fn parse(rule: &'a str) -> Option<Self> {
        let mut words = rule.split_whitespace();
        if !["deny", "reject", "limit"].contains(&words.next()?) {
            return None;
        }
        let mut denial = Self {
            source: None,
            protocol: None,
            ports: None,
        };
        // Behind `from`, a port is the client's.
        let mut is_clients = false;
        while let Some(word) = words.next() {
            match word {
                "in" | "log" | "log-all" => {}
                "on" => _ = words.next()?,
                "proto" => denial.protocol = Some(words.next()?),
                "from" => {
                    is_clients = true;
                    denial.source = match words.next()? {
                        "any" => None,
                        address => Some(Network::parse(address)?),
                    };
                }
                "to" => {
                    is_clients = false;
                    words.next()?;
                }
                "port" if is_clients => _ = words.next()?,
                "port" => denial.ports = Some(words.next()?),
                short if short.starts_with(|first: char| first.is_ascii_digit()) => {
                    let (ports, protocol) = match short.split_once('/') {
                        Some((ports, protocol)) => (ports, Some(protocol)),
                        None => (short, None),
                    };
                    (denial.ports, denial.protocol) = (Some(ports), protocol);
                }
                _ => return None,
            }
        }
        Some(denial)
    }

    /// Whether it matches packets from an address of `source` to one of `ports` of this protocol.
    fn may_refuse(&self, source: &Source, protocol: &str, ports: &Ports) -> bool {
        let has_source = match (&self.source, source.network()) {
            (Some(own), Some(network)) => own.overlaps(network),
            _ => true,
        };
        let has_port = |range: &str| ports.has_one_in(&format!("{}/{protocol}", range.replace(':', "-")));
        has_source
            && self.protocol.is_none_or(|own| own == protocol)
            && self.ports.is_none_or(|own| own.split(',').any(has_port))
    }
}

/// A script that changes the rules, verifies them, and on failure undoes that. An inactive ufw is a failure.
pub(super) fn ufw_script(RuleChanges { add, remove }: &RuleChanges) -> String {
    let calls = |added: &BTreeSet<String>, removed: &BTreeSet<String>, end: &str| {
        let added = added
            .iter()
            .map(|rule| format!("ufw {rule}{UFW_COMMENT} >/dev/null{end}\n"));
        let removed = removed
            .iter()
            .map(|rule| format!("ufw delete {rule} >/dev/null{end}\n"));
        added.chain(removed).collect::<String>()
    };
    let listed = |rules: &BTreeSet<String>| {
        let each = rules.iter().map(|rule| format!("ufw {rule}{UFW_COMMENT}"));
        each.collect::<BTreeSet<String>>()
    };
    let (added, removed) = (listed(add), listed(remove));
    let list = "ufw status | grep -q '^Status: active'\nlisted=$(ufw show added)\n";
    with_undo(
        &calls(add, remove, ""),
        &format!("{list}{}", verify_lines(&added, &removed)),
        &format!(
            "{}{list}{}",
            calls(remove, add, " || :"),
            verify_lines(&removed, &added)
        ),
    )
}

/// The rules of ufw for a client, one for each protocol, which comes before it, in the words of `ufw show added` without
/// `ufw` and comment.
fn ufw_rules(source: Source, ports: &Ports) -> Vec<(&'static str, String)> {
    let rule = |(protocol, ports): (&'static str, Vec<String>)| {
        let ports = ports.join(",");
        let rule = match source.as_rule_address() {
            None => format!("allow {ports}/{protocol}"),
            Some(source) => format!("allow from {source} to any port {ports} proto {protocol}"),
        };
        (protocol, rule)
    };
    ports.by_protocol(':').into_iter().map(rule).collect()
}

/// A rule as `ufw show added` prints it, without its comment.
fn without_comment(rule: &str) -> &str {
    rule.split(" comment '").next().unwrap_or_default()
}

/// Whether a rule that the host printed is safe as words of a shell: nfsprov's own are.
fn is_simple(rule: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " .,:/".contains(c);
    rule.starts_with("allow ") && rule.chars().all(plain)
}
