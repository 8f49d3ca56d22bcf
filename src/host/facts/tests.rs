//! Facts as scripts write them, and the script run by shells.

use super::*;
use crate::host::firewall::Zone;
use crate::host::shells::{StandIns, run_in_each_shell};

fn said(records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(name, value): &(&str, &str)| format!("@{name} {}\n{value}\n", value.len());
    let end = ("end", "");
    records
        .iter()
        .chain([&end])
        .map(record)
        .collect::<String>()
        .into_bytes()
}

#[test]
fn each_server_sees_a_host_by_the_route_to_its_first_name_that_was_found() {
    let facts = Facts::parse(&said(&[
        ("route", "alias 10.1.0.9 10.1.0.5"),
        ("route", "slow 10.2.0.9 10.2.0.5"),
    ]))
    .unwrap();
    for (names, expected) in [
        (&["alias"][..], Some("10.1.0.5")),
        (&["slow"], Some("10.2.0.5")),
        (&["slow", "alias"], Some("10.2.0.5")),
        (&["lost", "alias"], Some("10.1.0.5")),
        (&["lost"], None),
        (&[], None),
    ] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let seen = facts.address_seen_by(&names).map(|address| address.to_string());
        assert_eq!(seen.as_deref(), expected, "{names:?}");
    }
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
        (
            "rpc",
            "   program vers proto   port  service\n    100005    3   tcp  20048  mountd\n    100005    3   udp  20049  mountd\n    \
             100024    1   tcp  32765  status\n    100021    4   tcp  32766  nlockmgr",
        ),
        ("exports", "# @none 3\n/a *(ro)\n"),
        ("other-path", "/etc/exports.d/it is.exports"),
        ("other", "/b *(ro)\n\n"),
        ("directory", "directory 1777 0 65534 root nogroup"),
        ("firewalld", "public (active)\n  interfaces: eth0\n  services: ssh nfs\n"),
        ("firewalld-permanent", "public\n  services: ssh\n"),
        ("firewalld-default", "public"),
        ("firewalld-routes", "default via 10.0.0.1 dev eth0"),
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
    assert_eq!(facts.mountd_ports, BTreeSet::from([20048]));
    assert_eq!(facts.statd_ports, BTreeSet::from([32765]));
    assert_eq!(facts.lockd_ports, BTreeSet::from([32766]));
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
    let Firewall::Firewalld(firewalld) = &facts.firewall else {
        panic!("{:?}", facts.firewall);
    };
    let services = |zones: &[Zone]| zones.iter().flat_map(|zone| zone.services.clone()).collect::<Vec<_>>();
    assert_eq!(services(&firewalld.runtime), ["nfs", "ssh"]);
    assert_eq!(services(&firewalld.permanent), ["ssh"]);
    assert_eq!((firewalld.default_zone.as_str(), firewalld.routes.len()), ("public", 1));
    assert_eq!(facts.selinux.as_ref().map(|all| all["nfs_export_all_rw"]), Some(true));
    assert_eq!(facts.addresses.len(), 2);
    assert_eq!(facts.routes.len(), 1, "one without an address of its own is none");
}

#[test]
fn facts_that_break_off_are_none() {
    let whole = said(&[("uid", "0"), ("exports", "/a *(ro)\n")]);
    for length in 0..whole.len() {
        assert!(Facts::parse(&whole[..length]).is_err(), "{length} bytes");
    }
    assert!(Facts::parse(&whole).is_ok());
    assert!(Facts::parse(b"bash: no such thing\n").is_err());
}

#[test]
fn a_firewall_whose_rules_were_not_printed_is_not_taken_for_none() {
    let running = (
        "unit",
        "firewalld LoadState=loaded ActiveState=active UnitFileState=enabled",
    );
    let zones = ("firewalld", "public\n  services: ssh\n");
    for (records, command) in [
        (&[running][..], "firewall-cmd --list-all-zones"),
        (&[running, ("nftables", "reject\n}")], "firewall-cmd --list-all-zones"),
        (
            &[
                running,
                zones,
                ("firewalld-permanent", ""),
                ("firewalld-default", "public"),
            ],
            "firewall-cmd --permanent --list-all-zones",
        ),
        (&[("ufw", "")], "ufw show added"),
    ] {
        let facts = Facts::parse(&said(records)).unwrap();
        assert_eq!(facts.firewall, Firewall::Unread(command), "{records:?}");
    }
    let answered = [running, zones, ("firewalld-permanent", "public\n  services: ssh\n")];
    let answered = Facts::parse(&said(&answered)).unwrap();
    assert!(
        matches!(answered.firewall, Firewall::Firewalld(_)),
        "{:?}",
        answered.firewall
    );
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
        quota: true,
    };
    // In a locale in which a letter may be two bytes.
    run_in_each_shell(&gather_script(&subject), &[("LC_ALL", "C.UTF-8")], |shell, output| {
        let facts = Facts::parse(&output.stdout).unwrap();
        assert!(
            facts.uid.is_some() && facts.clock.is_some() && !facts.hostname.is_empty(),
            "{shell} {facts:?}"
        );
        assert_eq!(facts.exports.as_deref(), Some(&content[..]), "{shell}");
        assert_eq!(facts.exports_path, exports.to_str().unwrap());
        assert_eq!(facts.directory, Directory::Missing);
        assert_eq!(facts.above, directory.path().to_str().unwrap());
        let quota = facts.quota.clone().unwrap_or_default();
        assert!(
            !quota.file_system.is_empty() && !quota.mount_point.is_empty(),
            "{shell} {quota:?}"
        );
        assert!(facts.units.is_empty() || facts.units.len() > 5, "{shell} {facts:?}");
    });
}

#[test]
fn links_on_the_way_to_a_directory_are_followed_by_every_shell() {
    let base = tempfile::tempdir().unwrap();
    let real = base.path().canonicalize().unwrap().join("real");
    let link = real.with_file_name("link");
    std::fs::create_dir_all(real.join("there")).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let led_to = |rest: &str| Directory::Link(real.join(rest).to_str().unwrap().to_owned());
    for (directory, found) in [
        (link.join("there"), led_to("there")),
        (link.join("new/sub"), led_to("new/sub")),
        (link.clone(), Directory::Link(real.to_str().unwrap().to_owned())),
        (real.join("new"), Directory::Missing),
    ] {
        let subject = Subject {
            directory: Some(directory.to_str().unwrap().to_owned()),
            ..Subject::default()
        };
        run_in_each_shell(&gather_script(&subject), &[], |shell, output| {
            let facts = Facts::parse(&output.stdout).unwrap();
            assert_eq!(facts.directory, found, "{shell}: {}", directory.display());
        });
    }
}

/// Notes each name that it is asked for, beside itself.
pub(in crate::host) const NOTING_RESOLVER: &str =
    "#!/bin/sh\nprintf '<%s>' \"$2\" >>\"$(dirname \"$0\")/asked\"\necho 127.0.0.1\n";

#[test]
fn the_names_of_servers_are_words_and_no_patterns_under_every_shell() {
    let tools = StandIns::new(&[("getent", NOTING_RESOLVER), ("ip", "#!/bin/sh\n")]);
    let subject = Subject {
        servers: ["/*", "a b", "$(id)"].map(str::to_owned).to_vec(),
        ..Subject::default()
    };
    let asked = tools.directory().join("asked");
    run_in_each_shell(
        &gather_script(&subject),
        &[("PATH", &tools.search_path())],
        |shell, output| {
            assert!(Facts::parse(&output.stdout).is_ok(), "{shell}");
            assert_eq!(std::fs::read_to_string(&asked).unwrap(), "</*><a b><$(id)>", "{shell}");
            std::fs::remove_file(&asked).unwrap();
        },
    );
}

/// What `nft` says, in which one chain refuses what no rule allows.
const RULESET: &str = "#!/bin/sh
cat <<'END'
table inet filter {
\tset mine {
\t\ttype ipv4_addr
\t}

\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\ttcp dport 22 accept
\t\treject
\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t}
}
END
";

#[test]
fn a_firewall_of_nftables_is_found_by_every_shell() {
    let none = "#!/bin/sh\nexit 1\n";
    let accepting = RULESET.replace("\t\treject\n", "");
    for (ruleset, firewall) in [(RULESET, Firewall::Custom("nftables")), (&accepting, Firewall::None)] {
        let programs = [
            ("nft", ruleset),
            ("iptables", none),
            ("firewall-cmd", none),
            ("ufw", none),
        ];
        let tools = StandIns::new(&programs);
        let script = gather_script(&Subject::default());
        run_in_each_shell(&script, &[("PATH", &tools.search_path())], |shell, output| {
            let facts = Facts::parse(&output.stdout).unwrap();
            assert_eq!(facts.firewall, firewall, "{shell}");
        });
    }
}
