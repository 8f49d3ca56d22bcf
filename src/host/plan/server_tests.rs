//! The NFS server, its configuration and its packages: facts and what is made of them.

use std::collections::BTreeMap;

use super::tests::{NOW, desired, fresh, says, served, set, step, told};
use super::*;
use crate::host::facts::Unit;
use crate::host::firewall::Firewall;

#[test]
fn services_are_those_that_the_host_has() {
    let unit = |active, enabled| Unit {
        exists: true,
        masked: false,
        active,
        enabled,
    };
    for (units, said) in [
        (
            vec![("nfs-server", unit(false, false))],
            "change: start and enable nfs-server",
        ),
        (vec![("nfs-server", unit(true, false))], "change: enable nfs-server"),
        (vec![("nfs-server", unit(false, true))], "change: start nfs-server"),
        (
            vec![("nfs-server", unit(true, true))],
            "ok: nfs-server runs, and will after a restart of the host",
        ),
    ] {
        let units = units.into_iter().map(|(name, unit)| (name.to_owned(), unit)).collect();
        assert_eq!(told(&Facts { units, ..served() }, &desired(), "nfs-server"), said);
    }
}

#[test]
fn options_that_trust_root_are_explained_where_they_are_new() {
    let block = |options: &str| format!("# BEGIN nfsprov\n/nfsdata 10.0.0.5({options})\n# END nfsprov\n");
    let (trusts, squashes) = (
        "lets root of each client act as root",
        "squashes root of its clients now",
    );
    for (exports, options, part) in [
        (String::new(), "no_root_squash", Some(trusts)),
        (block("rw,no_root_squash"), "no_root_squash", None),
        (block("rw,root_squash"), "no_root_squash", Some(squashes)),
        (block("rw"), "no_root_squash", Some(squashes)),
        // exports(5): all_squash maps all uids, that of root too.
        (String::new(), "all_squash,no_root_squash", None),
        (block("rw,root_squash"), "no_root_squash,all_squash", None),
        (block("rw,no_root_squash,all_squash"), "no_root_squash", Some(squashes)),
        (block("rw"), "no_root_squash,all_squash,anonuid=0", Some(squashes)),
        (String::new(), "no_root_squash,all_squash,no_all_squash", Some(trusts)),
    ] {
        let facts = Facts {
            exports: Some(exports.as_bytes().to_vec()),
            ..served()
        };
        let mut server = desired();
        server.wanted.options = format!("rw,sync,no_subtree_check,{options}");
        let plan = plan_server(&facts, &server, NOW);
        let lines = &step(&plan, "system").warnings;
        let line = lines.iter().find(|line| line.contains("root"));
        match part {
            None => assert_eq!(line, None, "{exports} {options}"),
            Some(part) => assert!(
                line.is_some_and(|line| line.contains(part)),
                "{exports} {options}: {lines:?}"
            ),
        }
    }
}

#[test]
fn versions_decide_over_rpcbind_and_nfs_conf() {
    let only = |versions| DesiredServer { versions, ..desired() };
    assert_eq!(
        told(&served(), &only(Versions::Four), "rpcbind"),
        "skipped: NFS 4 needs none"
    );
    assert_eq!(
        told(&served(), &only(Versions::Four), "nfs-server"),
        "change: set vers3=n in [nfsd] of /etc/nfs.conf; restart nfs-server: its configuration changes"
    );
    assert_eq!(
        told(&served(), &only(Versions::Three), "nfs-server"),
        "change: set vers4=n in [nfsd] of /etc/nfs.conf; restart nfs-server: its configuration changes"
    );
    let plan = plan_server(&served(), &only(Versions::Four), NOW);
    let restarted = step(&plan, "nfs-server");
    assert!(restarted.warnings[0].contains("90 s"), "{restarted:?}");
    assert_eq!(restarted.files[0].path, "/etc/nfs.conf");
    let set = Facts {
        nfs_conf: Some(b"[nfsd]\nvers3 = no\n".to_vec()),
        ..served()
    };
    assert_eq!(
        told(&set, &only(Versions::Four), "nfs-server"),
        "change: restart nfs-server: it still serves NFS 3",
        "a run that was killed between the two is finished"
    );
    let against = Facts {
        nfs_conf: Some(b"[nfsd]\nvers3=y\n".to_vec()),
        ..served()
    };
    assert!(told(&against, &only(Versions::Four), "nfs-server").starts_with("refused: "));
}

#[test]
fn a_program_counts_whatever_its_package_is_called() {
    let with_programs = |os_release: &str, programs: &[&str]| Facts {
        os_release: os_release.into(),
        programs: programs.iter().map(|program| (*program).to_owned()).collect(),
        ..fresh()
    };
    let coreos = "ID=fedora\nVARIANT_ID=coreos\nPRETTY_NAME=\"Fedora CoreOS 39\"\n";
    let plan = plan_client(&with_programs(coreos, &["rpm-ostree", "mount.nfs"]), NOW);
    assert_eq!(says(step(&plan, "packages")), "ok: mount.nfs is there");
    assert!(!plan.is_refused());
    // Nothing that nfsprov could install, and nothing done.
    let micro = "ID=\"opensuse-microos\"\nID_LIKE=\"suse opensuse\"\nPRETTY_NAME=\"openSUSE MicroOS\"\n";
    for (facts, words) in [
        (
            with_programs(coreos, &["dnf", "rpm-ostree"]),
            "rpm-ostree install --idempotent nfs-utils",
        ),
        (
            with_programs(micro, &["zypper", "transactional-update"]),
            "transactional-update --non-interactive pkg install nfs-client",
        ),
        (
            with_programs("ID=gentoo\nPRETTY_NAME=Gentoo\n", &[]),
            "install nfs-utils on it yourself",
        ),
    ] {
        let plan = plan_client(&facts, NOW);
        let said = says(step(&plan, "packages"));
        assert!(said.starts_with("refused: ") && said.contains(words), "{said}");
    }
    // What changes no package needs no package manager.
    let unmanaged = Facts {
        programs: Vec::new(),
        ..served()
    };
    assert!(!plan_teardown(&unmanaged, "/nfsdata", NOW).is_refused());
    assert!(!plan_share(&unmanaged, "/nfsdata", &["10.0.0.9".to_owned()], NOW).is_refused());
}

#[test]
fn an_nfs_server_without_its_configuration_file() {
    let without_file = |programs: &[&str], mountd: &[u16]| Facts {
        nfs_conf: None,
        programs: programs.iter().map(|program| (*program).to_owned()).collect(),
        mountd_ports: set(mountd.iter().copied()),
        firewall: Firewall::Custom("nftables"),
        ..served()
    };
    let four = DesiredServer {
        versions: Versions::Four,
        ..desired()
    };
    for (facts, desired, said) in [
        // mountd is where the firewall wants it, by /etc/services.
        (without_file(&[], &[20048]), &desired(), "ok: nfs-server runs"),
        (
            without_file(&[], &[34567]),
            &desired(),
            "refused: this NFS server does not read /etc/nfs.conf; write RPCMOUNTDOPTS=",
        ),
        (
            without_file(&[], &[20048]),
            &four,
            "refused: this NFS server does not read /etc/nfs.conf; write RPCNFSDARGS=",
        ),
        // One that reads the file gets it.
        (
            without_file(&["nfsconf"], &[34567]),
            &desired(),
            "change: set port=20048 in [mountd] and port=32765 in [statd] and ",
        ),
    ] {
        let told = told(&facts, desired, "nfs-server");
        assert!(told.starts_with(said), "{told}");
    }
}

#[test]
fn exports_in_no_file_stop_what_would_drop_them() {
    let with_pacemakers = |facts: Facts| Facts {
        listing: Some(format!("{}/srv  10.9.0.1(sync,ro)\n", facts.listing.clone().unwrap())),
        ..facts
    };
    // Nothing to do, nothing lost; and what reads no file may go on.
    assert!(!plan_server(&with_pacemakers(served()), &desired(), NOW).is_refused());
    let mut unit = served().unit("nfs-server");
    unit.enabled = false;
    let only_enable = Facts {
        units: BTreeMap::from([
            ("rpcbind".to_owned(), served().unit("rpcbind")),
            ("nfs-server".to_owned(), unit),
        ]),
        ..served()
    };
    let told =
        |facts: &Facts, desired: &DesiredServer, name: &str| told(&with_pacemakers(facts.clone()), desired, name);
    assert_eq!(
        told(&only_enable, &desired(), "nfs-server"),
        "change: enable nfs-server"
    );
    let mut more = desired();
    more.wanted.clients.push("10.0.0.7".into());
    let four = DesiredServer {
        versions: Versions::Four,
        ..desired()
    };
    let stopped = Facts {
        units: BTreeMap::new(),
        ..served()
    };
    for (facts, desired, name) in [
        (served(), &more, "exports"),
        (served(), &four, "nfs-server"),
        (stopped, &desired(), "nfs-server"),
    ] {
        let said = told(&facts, desired, name);
        assert!(
            said.starts_with("refused: exported, but in no file: /srv to 10.9.0.1;"),
            "{said}"
        );
    }
    assert!(plan_teardown(&with_pacemakers(served()), "/nfsdata", NOW).is_refused());
}

#[test]
fn the_first_lines_of_a_new_exports_plan_explain_its_defaults() {
    let warnings =
        |facts: &Facts, desired: &DesiredServer| plan_server(facts, desired, NOW).steps[0].warnings.join("\n");
    let said = warnings(&fresh(), &desired());
    assert!(
        said.contains("no_root_squash") && said.contains("--root-squash") && said.contains("0777"),
        "{said}"
    );
    let mut squashed = desired();
    squashed.wanted.options = "rw,sync,no_subtree_check,root_squash".into();
    squashed.mode = Some(0o711);
    assert_eq!(warnings(&fresh(), &squashed), "");
    assert_eq!(warnings(&served(), &desired()), "", "it is no news");
}

#[test]
fn a_file_system_without_a_number_wants_one() {
    for (filesystem, options, refused) in [
        ("tmpfs", "rw,sync", true),
        ("overlayfs", "rw,sync", true),
        ("fuseblk", "rw,fsid=7", false),
        ("ext2/ext3", "rw,sync", false),
    ] {
        let facts = Facts {
            filesystem: filesystem.into(),
            ..fresh()
        };
        let mut desired = desired();
        desired.wanted.options = options.into();
        let said = told(&facts, &desired, "exports");
        assert_eq!(said.starts_with("refused: "), refused, "{said}");
        assert_eq!(
            said.contains(&format!("--options {options},fsid=NUMBER")),
            refused,
            "{said}"
        );
    }
}

#[test]
fn locks_that_a_firewall_would_stop_are_told() {
    let pinned: &[u8] = b"[mountd]\nport=20048\n[statd]\nport=32765\n[lockd]\nport=32766\nudp-port=32766\n";
    let with = |nfs_conf: Option<&[u8]>, lockd: u16| Facts {
        firewall: Firewall::Custom("nftables"),
        nfs_conf: nfs_conf.map(<[u8]>::to_vec),
        mountd_ports: set([20048_u16]),
        statd_ports: set([32765_u16]),
        lockd_ports: set([lockd]),
        ..served()
    };
    for (facts, words) in [
        (with(Some(pinned), 32766), ""),
        (with(Some(pinned), 40001), "lockd is not at port 32766"),
        (with(None, 40001), "LOCKD_TCPPORT=32766"),
    ] {
        let plan = plan_server(&facts, &desired(), NOW);
        let nfs_server = step(&plan, "nfs-server");
        assert!(says(nfs_server).starts_with("ok: "), "{nfs_server:?}");
        let warnings = nfs_server.warnings.join("; ");
        assert!(
            warnings.contains(words) && warnings.is_empty() == words.is_empty(),
            "{warnings}"
        );
    }
}
