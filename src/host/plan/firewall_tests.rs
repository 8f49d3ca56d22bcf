//! Facts about firewalls, and the rules that come and go.

use super::ufw::ufw_script;
use super::*;
use crate::host::firewall::{NetworkRoute, Zone};
use crate::host::plan::State;
use crate::host::plan::tests::{NOW, desired, says, served, step, told};
use crate::host::plan::{DesiredServer, Plan, plan_server, plan_teardown};

fn with(firewall: Firewall) -> Facts {
    Facts { firewall, ..served() }
}

fn ufw(rules: &[&str]) -> Firewall {
    Firewall::Ufw(rules.iter().map(|rule| (*rule).to_owned()).collect())
}

fn zone(name: &str, interface: &str, rules: &[String]) -> Zone {
    Zone {
        name: name.into(),
        target: "default".into(),
        interfaces: [interface.to_owned()].into(),
        rich_rules: rules.iter().cloned().collect(),
        has_priorities: true,
        ..Zone::default()
    }
}

/// A firewalld with the nodes' network in a zone of its own, and these rules in it.
fn firewalld(runtime: &[String], permanent: &[String]) -> Firewalld {
    let routes = ["default via 192.0.2.1 dev eth0", "10.0.0.0/24 dev eth1"];
    Firewalld {
        default_zone: "public".into(),
        runtime: vec![zone("public", "eth0", &[]), zone("internal", "eth1", runtime)],
        permanent: vec![zone("public", "eth0", &[]), zone("internal", "eth1", permanent)],
        routes: routes.into_iter().filter_map(NetworkRoute::parse).collect(),
    }
}

/// nfsprov's rules for these clients of NFS 3 and 4.
fn marked_rules(clients: &[&str]) -> Vec<String> {
    let ports = [
        ("tcp", ["111", "2049", "20048", "32765-32766"].as_slice()),
        ("udp", &["111", "20048", "32765-32766"]),
    ];
    let of_client = |client: &&str| {
        ports
            .iter()
            .flat_map(|(protocol, ports)| ports.iter().map(move |port| (protocol, port)))
            .map(|(protocol, port)| {
                format!(
                    "rule priority=\"2049\" family=\"ipv4\" source address=\"{client}\" port port=\"{port}\" \
                     protocol=\"{protocol}\" accept"
                )
            })
            .collect::<Vec<_>>()
    };
    clients.iter().flat_map(of_client).collect()
}

fn script(plan: &Plan) -> String {
    match &step(plan, NAME).state {
        State::Change { action, .. } => format!("{action:?}"),
        state => format!("no change: {state:?}"),
    }
}

#[test]
fn a_firewall_has_the_ports_of_nfs_3_pinned() {
    let closed = with(Firewall::Firewalld(firewalld(&[], &[])));
    assert_eq!(
        told(&closed, &desired(), "nfs-server"),
        "change: set port=20048 in [mountd] and port=32765 in [statd] and port=32766 in [lockd] and udp-port=32766 in \
         [lockd] of /etc/nfs.conf; restart nfs-server: its configuration changes"
    );
    let plan = plan_server(&closed, &desired(), NOW);
    let restart = format!("{:?}", step(&plan, "nfs-server").state);
    assert!(restart.contains("systemctl restart rpc-statd.service"), "{restart}");
    // Ports of their own are as good, and are those that are opened.
    let own: &[u8] = b"[mountd]\nport=4002\n[statd]\nport=4003\n[lockd]\nport=4004\nudp-port=4005\n";
    let theirs = Facts {
        nfs_conf: Some(own.to_vec()),
        mountd_ports: [4002].into(),
        ..closed.clone()
    };
    assert_eq!(
        told(&theirs, &desired(), "nfs-server"),
        "ok: nfs-server runs, and will after a restart of the host"
    );
    let said = told(&theirs, &desired(), NAME);
    assert!(
        said.contains("open TCP 111, 2049, 4002-4004 and UDP 111, 4002-4003, 4005 to "),
        "{said}"
    );
    // NFS 4 needs none of them.
    let four = DesiredServer {
        versions: Versions::Four,
        ..desired()
    };
    let said = told(&closed, &four, NAME);
    assert!(said.ends_with("open TCP 2049 to 10.0.0.5, 10.0.0.6"), "{said}");
}

#[test]
fn firewalld_allows_each_client_in_its_zone_and_no_other() {
    let closed = with(Firewall::Firewalld(firewalld(&[], &[])));
    assert_eq!(
        told(&closed, &desired(), NAME),
        "change: firewalld (internal): open TCP 111, 2049, 20048, 32765-32766 and UDP 111, 20048, 32765-32766 to 10.0.0.5, \
         10.0.0.6"
    );
    let text = script(&plan_server(&closed, &desired(), NOW));
    for rule in marked_rules(&["10.0.0.5", "10.0.0.6"]) {
        let quoted = format!("{:?}", format!("--add-rich-rule='{rule}'"));
        assert!(text.contains(quoted.trim_matches('"')), "{rule}: {text}");
    }
    assert!(!text.contains("public") && !text.contains("service"), "{text}");
    let rules = marked_rules(&["10.0.0.5", "10.0.0.6"]);
    let open = with(Firewall::Firewalld(firewalld(&rules, &rules)));
    assert_eq!(
        told(&open, &desired(), NAME),
        "ok: firewalld is open to 10.0.0.5, 10.0.0.6"
    );
    // What is in force and what comes after a restart are looked at each.
    let forgetful = with(Firewall::Firewalld(firewalld(&rules, &rules[1..])));
    let text = script(&plan_server(&forgetful, &desired(), NOW));
    assert!(
        text.contains("--permanent") && text.matches("--add-rich-rule").count() == 1,
        "{text}"
    );
    // As on a host so busy that the command took too long.
    let unread = with(Firewall::Unread("firewall-cmd --list-all-zones"));
    let said = told(&unread, &desired(), NAME);
    assert!(
        said.starts_with("refused: `firewall-cmd --list-all-zones` gave no answer"),
        "{said}"
    );
    // The whole world comes by every zone; a name by none.
    let mut world = desired();
    world.wanted.clients = vec!["*".into()];
    let plan = plan_server(&closed, &world, NOW);
    let said = says(step(&plan, NAME));
    assert!(
        said.starts_with("change: firewalld (internal, public): open TCP 111") && said.ends_with(" to all hosts"),
        "{said}"
    );
    assert!(!script(&plan).contains("source address"));
    let mut named = desired();
    named.wanted.clients = vec!["node1.example.org".into(), "10.0.0.0/24".into()];
    let plan = plan_server(&closed, &named, NOW);
    assert!(script(&plan).contains("10.0.0.0/24"));
    assert!(step(&plan, NAME).warnings[0].contains("node1.example.org"));
}

#[test]
fn rules_of_clients_that_are_gone_are_removed_and_those_of_others_stay() {
    let others = "rule family=\"ipv4\" source address=\"10.0.0.9\" service name=\"nfs\" accept".to_owned();
    let mut rules = marked_rules(&["10.0.0.5", "10.0.0.6"]);
    rules.push(others.clone());
    let open = with(Firewall::Firewalld(firewalld(&rules, &rules)));
    let mut fewer = desired();
    fewer.wanted.clients = vec!["10.0.0.5".into()];
    let plan = plan_server(&open, &fewer, NOW);
    let said = says(step(&plan, NAME));
    assert_eq!(
        said,
        "change: firewalld (internal): remove 7 of nfsprov's rules, which no export needs any more"
    );
    let text = script(&plan);
    assert!(
        text.contains("10.0.0.6") && !text.contains("10.0.0.5") && !text.contains("10.0.0.9"),
        "{text}"
    );
    let down = plan_teardown(&open, "/nfsdata", NOW);
    let text = script(&down);
    assert!(
        text.contains("10.0.0.5") && text.contains("10.0.0.6") && !text.contains("10.0.0.9"),
        "{text}"
    );
    // Another export of nfsprov's needs some of them.
    let both = crate::host::exports_file::DesiredExport {
        path: "/more".into(),
        clients: vec!["10.0.0.6".into()],
        ..desired().wanted
    };
    let exports = open.exports.as_deref().unwrap();
    let shared = Facts {
        exports: Some(exports_file::with_export(exports, &both).unwrap()),
        ..open
    };
    let text = script(&plan_teardown(&shared, "/nfsdata", NOW));
    assert!(text.contains("10.0.0.5") && !text.contains("10.0.0.6"), "{text}");
    let clean = with(Firewall::Firewalld(firewalld(
        std::slice::from_ref(&others),
        std::slice::from_ref(&others),
    )));
    let said = says(step(&plan_teardown(&clean, "/nfsdata", NOW), NAME));
    assert_eq!(said, "ok: firewalld has no rule of nfsprov's");
}

#[test]
fn services_and_ports_that_are_open_to_everybody_are_named() {
    let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let mut open = firewalld(&[], &[]);
    open.runtime[0].services = named(&["ssh", "nfs"]);
    open.runtime[0].ports = named(&["22/tcp", "2049/udp", "2049/sctp", "2000-2100/tcp", "65536/tcp"]);
    // After a restart.
    open.permanent[0].services = named(&["nfs", "mountd"]);
    let plan = plan_server(&with(Firewall::Firewalld(open)), &desired(), NOW);
    let warnings = &step(&plan, NAME).warnings;
    let expected = [
        ("2000-2100/tcp", "port"),
        ("mountd", "service"),
        ("nfs", "service"),
    ]
    .map(|(what, kind)| {
        format!(
            "zone public is open to all hosts for {what}; firewall-cmd --permanent --zone=public --remove-{kind}={what} \
             and firewall-cmd --reload close it"
        )
    });
    assert_eq!(warnings[..], expected);
}

#[test]
fn ufw_has_a_rule_for_each_client_with_a_comment() {
    let rules = |client: &str| {
        [
            format!("allow from {client} to any port 111,2049,20048,32765:32766 proto tcp comment 'nfsprov'"),
            format!("allow from {client} to any port 111,20048,32765:32766 proto udp comment 'nfsprov'"),
        ]
    };
    let plan = plan_server(&with(ufw(&["allow 22/tcp"])), &desired(), NOW);
    let text = script(&plan);
    for rule in [rules("10.0.0.5"), rules("10.0.0.6")].concat() {
        assert!(text.contains(&format!("ufw {rule} >/dev/null")), "{rule}: {text}");
    }
    let present = [rules("10.0.0.5"), rules("10.0.0.6")].concat();
    // An administrator's own rule is as good, without a comment or with another; ufw would replace it by nfsprov's.
    let bare = present[0].strip_suffix(" comment 'nfsprov'").unwrap();
    let other = format!("{bare} comment 'storage'");
    let mut mixed: Vec<&str> = present.iter().map(String::as_str).collect();
    for own in [other.as_str(), bare] {
        mixed[0] = own;
        assert_eq!(
            told(&with(ufw(&mixed)), &desired(), NAME),
            "ok: ufw is open to 10.0.0.5, 10.0.0.6"
        );
    }
    for denial in [bare.replace("allow", "deny"), other.replace("allow", "reject")] {
        let told = told(&with(ufw(&[&denial])), &desired(), NAME);
        assert!(
            told.starts_with("refused: ufw has another's rule against it: "),
            "{told}"
        );
    }
    let down = plan_teardown(&with(ufw(&mixed)), "/nfsdata", NOW);
    let text = script(&down);
    assert!(
        text.matches("ufw delete").count() == 3 && !text.contains("delete allow from 10.0.0.5 to any port 111,2049"),
        "{text}"
    );
    // What a host prints is no shell script.
    let hostile = [
        "allow from 10.0.0.9;reboot comment 'nfsprov'",
        "allow $(reboot) comment 'nfsprov'",
    ];
    let said = says(step(&plan_teardown(&with(ufw(&hostile)), "/nfsdata", NOW), NAME));
    assert_eq!(said, "ok: ufw has no rule of nfsprov's");
    let mut odd = desired();
    odd.wanted.clients = vec!["1nfs;reboot".into(), "*".into()];
    let plan = plan_server(&with(ufw(&[])), &odd, NOW);
    let text = script(&plan);
    assert!(
        text.contains("ufw allow 111,2049,20048,32765:32766/tcp comment") && !text.contains("reboot"),
        "{text}"
    );
    assert!(step(&plan, NAME).warnings[0].contains("1nfs;reboot"));
}

#[test]
fn others_rules_of_ufw_that_refuse_clients_first_are_named() {
    let own = |client: &str| {
        [
            format!("allow from {client} to any port 111,2049,20048,32765:32766 proto tcp comment 'nfsprov'"),
            format!("allow from {client} to any port 111,20048,32765:32766 proto udp comment 'nfsprov'"),
        ]
    };
    let own = [own("10.0.0.5"), own("10.0.0.6")].concat();
    for (rule, is_named) in [
        ("deny from any", true),
        ("deny in on eth0", true),
        ("deny 2049", true),
        ("deny 2000:3000/tcp", true),
        ("limit 111,22/udp", true),
        ("reject log from 10.0.0.0/29 comment 'old'", true),
        ("deny in on eth0 proto tcp from 10.0.0.6 to 10.0.0.1 port 2049", true),
        ("deny from any port 1:1023", true),
        ("deny from 10.0.0.8/29", false),
        ("deny from fd00::/8", false),
        ("deny 2000:2048/tcp", false),
        ("deny 2049/udp", false),
        ("deny proto esp from any", false),
        ("deny out 2049/tcp", false),
        ("deny Samba", false),
        ("deny from any to any app Samba", false),
        ("route deny in on eth0", false),
        ("allow from any", false),
    ] {
        let denial = rule.to_owned();
        let before = [std::slice::from_ref(&denial), &own].concat();
        let after = [&own[..], std::slice::from_ref(&denial)].concat();
        for (rules, may_be_named) in [(vec![denial.clone()], true), (before, true), (after, false)] {
            let plan = plan_server(&with(Firewall::Ufw(rules)), &desired(), NOW);
            let warnings = &step(&plan, NAME).warnings;
            let expected = format!("ufw's rule `{}` comes before", rule.split(" comment").next().unwrap());
            let is_as_expected = match is_named && may_be_named {
                true => warnings.len() == 1 && warnings[0].starts_with(&expected),
                false => warnings.is_empty(),
            };
            assert!(is_as_expected, "{rule}: {warnings:?}");
        }
    }
}

#[test]
fn rules_of_others_are_left_alone_and_the_ports_named() {
    let plan = plan_server(&with(Firewall::Custom("nftables")), &desired(), NOW);
    let rules = step(&plan, NAME);
    assert!(
        says(rules).starts_with("skipped: ") && rules.warnings[0].contains("TCP 111, 2049, 20048, 32765-32766"),
        "{rules:?}"
    );
    let down = plan_teardown(&with(Firewall::Custom("nftables")), "/nfsdata", NOW);
    assert!(step(&down, NAME).warnings.is_empty());
}

/// Stands in for a tool that keeps its rules in the file `rules`, and fails where it should fail.
const UFW: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit
case $1 in
status) echo 'Status: active' ;;
show) echo 'Added user rules:'; cat rules ;;
delete) shift; grep -v -e "^ufw $* comment" rules >rules.new; mv rules.new rules ;;
allow)
    case $* in *"$(cat broken)"*) exit 1 ;; esac
    rule="ufw $(echo "$*" | sed "s/nfsprov$/'nfsprov'/")"
    grep -qxF -e "$rule" rules || echo "$rule" >>rules
    ;;
esac
"#;

#[test]
fn rules_are_all_changed_or_as_before() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ufw", UFW);
    let tool = folder.path().join("ufw");
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
    let rule = |client: &str| format!("allow from {client} to any port 2049 proto tcp");
    let changes = RuleChanges {
        add: [rule("10.0.0.1"), rule("10.0.0.2")].into(),
        remove: [rule("10.0.0.3")].into(),
    };
    let listed = |clients: &[&str]| {
        let lines = clients
            .iter()
            .map(|client| format!("ufw {} comment 'nfsprov'\n", rule(client)));
        lines.collect::<String>()
    };
    let before = format!("ufw allow 22/tcp\n{}", listed(&["10.0.0.3"]));
    for (broken, status, after) in [
        (
            "nothing",
            0,
            format!("ufw allow 22/tcp\n{}", listed(&["10.0.0.1", "10.0.0.2"])),
        ),
        ("10.0.0.1", 120, before.clone()),
        ("10.0.0.2", 120, before.clone()),
    ] {
        write("rules", &before);
        write("broken", broken);
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let mut shell = std::process::Command::new("sh");
        let output = shell
            .arg("-c")
            .arg(ufw_script(&changes))
            .env("PATH", path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{broken}: {said}");
        assert_eq!(
            std::fs::read_to_string(folder.path().join("rules")).unwrap(),
            after,
            "{broken}"
        );
    }
}
