//! A host's firewall, parsed from the output of the host's own tools (PURE).
//!
//! [`Firewall`] is one of the facts of a host. Which rules it should have is decided in `plan/firewall.rs`.

use std::collections::BTreeSet;

use super::exports_file::Network;

/// What guards a host's ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Firewall {
    /// Nothing that was found.
    #[default]
    None,
    /// firewalld.
    Firewalld(Firewalld),
    /// ufw, and the rules that were added to it, each as the arguments of `ufw` that add it again.
    Ufw(Vec<String>),
    /// Rules that its administrator loads with this tool.
    Custom(&'static str),
    /// A firewall is in force, but this command, which lists its rules, gave no answer.
    Unread(&'static str),
}

/// firewalld's zones, and what decides which of them a packet belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewalld {
    /// The zone of interfaces that no zone names.
    pub default_zone: String,
    /// The zones in force.
    pub runtime: Vec<Zone>,
    /// The zones after a restart.
    pub permanent: Vec<Zone>,
    /// The host's routes.
    pub routes: Vec<NetworkRoute>,
}

/// A zone of firewalld.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// What becomes of packets that no rule of it is about.
    pub target: String,
    /// Whose packets belong to it, by the interface that they arrive by.
    pub interfaces: BTreeSet<String>,
    /// Whose packets belong to it, by their source address; this comes before the interface.
    pub sources: Vec<Network>,
    /// The services that it is open for to everybody.
    pub services: BTreeSet<String>,
    /// The ports that it is open for to everybody, as firewalld prints them: `2049/tcp` or `2000-2100/tcp`.
    pub ports: BTreeSet<String>,
    /// Its rich rules, as firewalld prints them.
    pub rich_rules: BTreeSet<String>,
    /// Whether rich rules may have a priority: firewalld prints `forward` since 0.9, and has priorities since 0.7.
    pub has_priorities: bool,
}

/// A network, and the interface that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRoute {
    /// The network; all addresses for the default route.
    pub network: Network,
    /// The interface.
    pub interface: String,
}

impl Zone {
    /// Reads `firewall-cmd --list-all-zones`. Sources that are no networks are left out.
    pub fn parse_list(text: &str) -> Vec<Self> {
        let mut zones: Vec<Self> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let words = || line.split_whitespace();
            if !line.starts_with([' ', '\t']) {
                let name = words().next().unwrap_or_default().to_owned();
                zones.push(Self {
                    name,
                    ..Self::default()
                });
                continue;
            }
            let Some(zone) = zones.last_mut() else { continue };
            let (key, value) = line.trim().split_once(':').unwrap_or((line.trim(), ""));
            let values = || value.split_whitespace().map(str::to_owned);
            match key {
                _ if line.trim_start().starts_with("rule ") => {
                    zone.rich_rules.insert(line.trim().to_owned());
                }
                "target" => value.trim().clone_into(&mut zone.target),
                "interfaces" => zone.interfaces = values().collect(),
                // A source may also be the name of an ipset, or a MAC address.
                "sources" => zone.sources = values().filter_map(|source| Network::parse(&source)).collect(),
                "services" => zone.services = values().collect(),
                "ports" => zone.ports = values().collect(),
                "forward" => zone.has_priorities = true,
                _ => {}
            }
        }
        zones
    }
}

impl NetworkRoute {
    /// Parses a line of `ip -o -4 route show`, or of the same for IPv6 with `::/0` for `default`; `None` without a network
    /// or an interface.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let network = match *words.first()? {
            "default" => Network::parse("0.0.0.0/0"),
            network => Network::parse(network),
        };
        let interface = words.iter().position(|word| *word == "dev")?;
        Some(Self {
            network: network?,
            interface: (*words.get(interface + 1)?).to_owned(),
        })
    }
}

impl Firewalld {
    /// The names of the zones in force that packets from these addresses may belong to; `None` stands for all
    /// addresses, and gives all zones in use: those with an interface or a source, and the default zone.
    pub fn zones_of(&self, addresses: Option<&Network>) -> BTreeSet<&str> {
        let Some(addresses) = addresses else {
            let in_use = |zone: &&Zone| !zone.interfaces.is_empty() || !zone.sources.is_empty();
            let names = self.runtime.iter().filter(in_use).map(|zone| zone.name.as_str());
            return names.chain([self.default_zone.as_str()]).collect();
        };
        let by_source = |zone: &&Zone| zone.sources.iter().any(|source| source.overlaps(addresses));
        let mut zones: BTreeSet<&str> = self
            .runtime
            .iter()
            .filter(by_source)
            .map(|zone| zone.name.as_str())
            .collect();
        let sources = self.runtime.iter().flat_map(|zone| &zone.sources);
        if sources.clone().any(|source| source.contains(addresses)) {
            return zones;
        }
        zones.extend(
            self.interfaces_to(addresses)
                .into_iter()
                .map(|name| self.zone_of_interface(name)),
        );
        if zones.is_empty() {
            zones.insert(&self.default_zone);
        }
        zones
    }

    /// The interfaces that lead to these addresses: those of all routes to the nearest network which has them all, and
    /// those of the networks which have a part of them.
    fn interfaces_to(&self, addresses: &Network) -> BTreeSet<&str> {
        let around = self.routes.iter().filter(|route| route.network.contains(addresses));
        let nearest = around.clone().map(|route| route.network.prefix()).max();
        let nearest = around.filter(|route| Some(route.network.prefix()) == nearest);
        let inside = self.routes.iter().filter(|route| addresses.contains(&route.network));
        nearest.chain(inside).map(|route| route.interface.as_str()).collect()
    }

    /// The zone that names an interface, else the default zone.
    fn zone_of_interface(&self, interface: &str) -> &str {
        let named = self.runtime.iter().find(|zone| zone.interfaces.contains(interface));
        named.map_or(&self.default_zone, |zone| &zone.name)
    }
}

/// Reads `ufw show added`: the arguments of each rule, comments included; the heading is left out.
pub fn parse_ufw_rules(text: &str) -> Vec<String> {
    let rules = text.lines().filter_map(|line| line.trim().strip_prefix("ufw "));
    rules.map(str::to_owned).collect()
}

/// Whether one of these input chains, as `nft list ruleset` prints them, refuses packets that no rule allows: by its
/// policy, or by its last rule, also if that is for one interface only. The caller leaves out all other chains.
pub fn nft_refuses_by_default(chains: &str) -> bool {
    let mut last = "";
    for line in chains.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let has_policy = |policy: &str| line.contains("hook input") && line.contains(policy);
        if has_policy("policy drop") || has_policy("policy reject") {
            return true;
        }
        if line == "}" && refuses_everything(last) {
            return true;
        }
        last = line;
    }
    false
}

/// Whether a rule of nftables drops or rejects whatever comes to it, from whichever interface.
fn refuses_everything(rule: &str) -> bool {
    let mut words = rule.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "drop" | "reject" => return true,
            "counter" | "log" => {}
            "packets" | "bytes" | "iif" | "iifname" | "prefix" | "level" | "flags" | "group" => {
                let value = match words.next() {
                    Some("!=") => words.next(),
                    value => value,
                };
                // A set, and a text in quotation marks, may be several words.
                match value {
                    Some("{") => _ = words.find(|word| *word == "}"),
                    Some(text) if text.starts_with('"') && !is_closed(text) => {
                        words.find(|word| word.ends_with('"'));
                    }
                    _ => {}
                }
            }
            _ => return false,
        }
    }
    false
}

/// Whether a word that begins with a quotation mark ends with a second one.
fn is_closed(quoted: &str) -> bool {
    quoted.len() > 1 && quoted.ends_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONES: &str = "\
docker
  target: ACCEPT
  interfaces: docker0
  sources: 
  services: 
  rich rules: 

internal (active)
  target: default
  icmp-block-inversion: no
  interfaces: eth1
  sources: 
  services: dhcpv6-client ssh
  ports: 
  forward: yes
  forward-ports: 
\tport=80:proto=tcp:toport=8080:toaddr=
  rich rules: 
\trule family=\"ipv4\" source address=\"10.1.0.9\" port port=\"2049\" protocol=\"tcp\" accept
\trule priority=\"2049\" port port=\"111\" protocol=\"tcp\" accept

nodes (active)
  target: default
  interfaces: 
  sources: 10.2.0.0/24 02:00:00:00:00:01 ipset:mine
  services: ssh
  rich rules: 
";

    fn firewalld() -> Firewalld {
        let routes = "default via 192.0.2.1 dev eth0 proto dhcp\n10.1.0.0/16 dev eth1 proto kernel scope link src 10.1.0.1\n\
                      10.1.5.0/24 via 10.1.0.2 dev eth2\nunreachable 10.9.0.0/16\n10.1.7.7 dev eth3\n\
                      default via 192.0.2.9 dev eth1 metric 600\n::/0 dev eth1 metric 1024\n";
        Firewalld {
            default_zone: "public".into(),
            runtime: Zone::parse_list(ZONES),
            permanent: Vec::new(),
            routes: routes.lines().filter_map(NetworkRoute::parse).collect(),
        }
    }

    #[test]
    fn zones_are_read_as_firewalld_prints_them() {
        let zones = firewalld().runtime;
        let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
        assert_eq!(names, ["docker", "internal", "nodes"]);
        assert_eq!(
            (zones[0].target.as_str(), zones[1].target.as_str()),
            ("ACCEPT", "default")
        );
        assert!(zones[1].has_priorities && !zones[0].has_priorities);
        assert!(zones[1].services.contains("ssh") && zones[1].interfaces.contains("eth1"));
        assert_eq!(zones[1].rich_rules.len(), 2, "{:?}", zones[1].rich_rules);
        assert_eq!(zones[2].sources, [Network::parse("10.2.0.0/24").unwrap()]);
    }

    #[test]
    fn clients_belong_to_the_zone_that_firewalld_puts_their_packets_into() {
        let firewalld = firewalld();
        assert_eq!(firewalld.routes.len(), 6);
        for (client, zones) in [
            ("10.1.0.9", &["internal"][..]),
            // A nearer route by an interface that no zone names.
            ("10.1.5.1", &["public"]),
            ("10.1.0.0/16", &["internal", "public"]),
            // Any of several routes to the same network may be in use.
            ("198.51.100.7", &["internal", "public"]),
            ("fd00::7", &["internal"]),
            // By source, which comes before the interface.
            ("10.2.0.7", &["nodes"]),
            ("10.2.0.0/16", &["internal", "nodes", "public"]),
        ] {
            let found = firewalld.zones_of(Network::parse(client).as_ref());
            assert_eq!(found.into_iter().collect::<Vec<_>>(), zones, "{client}");
        }
        let all: Vec<&str> = firewalld.zones_of(None).into_iter().collect();
        assert_eq!(all, ["docker", "internal", "nodes", "public"]);
        // Without any route, the default zone is the best guess.
        let unrouted = Firewalld {
            routes: Vec::new(),
            ..firewalld
        };
        assert!(
            unrouted
                .zones_of(Network::parse("10.1.0.9").as_ref())
                .contains("public")
        );
    }

    #[test]
    fn a_chain_guards_ports_by_its_policy_or_by_its_last_rule() {
        let chain = |policy: &str, rules: &str| {
            format!("\tchain input {{\n\t\ttype filter hook input priority filter; policy {policy};\n{rules}\t}}\n")
        };
        for (rules, refuses) in [
            ("", false),
            ("\t\ttcp dport 22 accept\n", false),
            ("\t\ttcp dport 22 accept\n\t\tdrop\n", true),
            (
                "\t\ttcp dport 22 accept\n\t\treject with icmpx admin-prohibited\n",
                true,
            ),
            (
                "\t\tcounter packets 12 bytes 3456 reject with icmp port-unreachable\n",
                true,
            ),
            ("\t\tlog prefix \"no: \" level info drop\n", true),
            ("\t\tiifname \"eth0\" drop\n", true),
            ("\t\tiifname { \"eth0\", \"eth1\" } drop\n", true),
            (
                "\t\tiifname != { \"lo\", \"docker0\" } counter packets 0 bytes 0 reject\n",
                true,
            ),
            ("\t\tiifname { \"eth0\", \"eth1\" } accept\n", false),
            ("\t\tiifname != \"lo\" counter packets 0 bytes 0 drop\n", true),
            // A list of those that are not wanted.
            ("\t\tip saddr 192.0.2.66 drop\n", false),
            ("\t\tdrop\n\t\ttcp dport 22 accept\n", false),
        ] {
            assert_eq!(nft_refuses_by_default(&chain("accept", rules)), refuses, "{rules}");
        }
        assert!(nft_refuses_by_default(&chain("drop", "\t\ttcp dport 22 accept\n")));
        let two = chain("accept", "") + &chain("accept", "\t\tdrop\n");
        assert!(nft_refuses_by_default(&two));
        assert!(!nft_refuses_by_default(""));
    }

    #[test]
    fn rules_of_ufw_are_read_as_commands() {
        let text = "Added user rules (see 'ufw status' for running firewall):\nufw allow 22/tcp\n\
                    ufw allow from 10.0.0.5 to any port 2049 proto tcp comment 'nfsprov'\n";
        let rules = parse_ufw_rules(text);
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0], "allow 22/tcp");
    }
}
