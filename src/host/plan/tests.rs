//! Facts and what is made of them.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::host::exports_file;
use crate::host::facts::{Directory, Init, Unit};

pub(super) const NOW: i64 = 1_800_000_000;

pub(super) fn desired() -> DesiredServer {
    DesiredServer {
        wanted: DesiredExport {
            path: "/nfsdata".into(),
            clients: vec!["10.0.0.5".into(), "10.0.0.6".into()],
            options: "rw,sync,no_subtree_check,no_root_squash".into(),
        },
        mode: None,
        owner: None,
        versions: Versions::All,
        quota: Quota::Unchanged,
    }
}

pub(super) fn set<T: Ord>(items: impl IntoIterator<Item = impl Into<T>>) -> BTreeSet<T> {
    items.into_iter().map(Into::into).collect()
}

/// A Debian on which nothing was done yet.
pub(super) fn fresh() -> Facts {
    Facts {
        uid: Some(0),
        clock: Some(NOW),
        hostname: "nfs".into(),
        kernel: "6.1.0".into(),
        os_release: "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\n".into(),
        programs: vec!["apt-get".into()],
        init: Init::Systemd,
        nfsd: Support::Module,
        nfs: Support::Module,
        exports_path: "/etc/exports".into(),
        exports_checksum: "1 2".into(),
        above: "/".into(),
        ..Facts::default()
    }
}

/// The same after `desired` was granted.
pub(super) fn served() -> Facts {
    let running = Unit {
        exists: true,
        masked: false,
        active: true,
        enabled: true,
    };
    let line = "(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)";
    Facts {
        packages: set(["nfs-kernel-server", "nfs-common", "rpcbind"]),
        units: BTreeMap::from(["rpcbind", "nfs-server"].map(|name| (name.to_owned(), running.clone()))),
        threads: 8,
        versions: "-2 +3 +4 +4.1 +4.2".into(),
        exports: Some(exports_file::with_export(b"# theirs\n", &desired().wanted).unwrap()),
        listing: Some(format!("/nfsdata  10.0.0.5{line}\n/nfsdata  10.0.0.6{line}\n")),
        nfs_conf: Some(b"[nfsd]\n# vers3=y\n".to_vec()),
        directory: Directory::There {
            mode: 0o777,
            owner: ["0", "0", "root", "root"].map(str::to_owned),
        },
        ..fresh()
    }
}

pub(super) fn step<'a>(plan: &'a Plan, name: &str) -> &'a Step {
    plan.steps.iter().find(|step| step.name == name).unwrap()
}

/// What a step says, with a word before it for its state.
pub(super) fn says(step: &Step) -> String {
    match &step.state {
        State::Ok(why) => format!("ok: {why}"),
        State::Skipped(why) => format!("skipped: {why}"),
        State::Change { why, .. } => format!("change: {why}"),
        State::Refused(why) => format!("refused: {why}"),
    }
}

/// What the step `name` says for a server with these facts and this desired.
pub(super) fn told(facts: &Facts, desired: &DesiredServer, name: &str) -> String {
    says(step(&plan_server(facts, desired, NOW), name))
}

#[test]
fn a_fresh_host_gets_everything_in_the_documents_order() {
    let plan = plan_server(&fresh(), &desired(), NOW);
    assert!(plan.has_changes() && !plan.is_refused());
    let changed: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.state, State::Change { .. }))
        .map(|step| step.name)
        .collect();
    assert_eq!(changed, ["packages", "directory", "rpcbind", "nfs-server", "exports"]);
    assert_eq!(says(step(&plan, "directory")), "change: make /nfsdata, mode 0777");
}

#[test]
fn a_second_run_has_nothing_to_do() {
    let plan = plan_server(&served(), &desired(), NOW);
    let todo: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.state, State::Ok(_) | State::Skipped(_)))
        .map(says)
        .collect();
    assert_eq!(todo, Vec::<String>::new());
    assert!(!plan.has_changes());
}

#[test]
fn what_stands_in_the_way_is_said_before_anything_is_done() {
    let refused = |facts: Facts, name: &str, why: &str| {
        let plan = plan_server(&facts, &desired(), NOW);
        assert!(plan.is_refused(), "{why}");
        let said = says(step(&plan, name));
        assert!(said.starts_with("refused: ") && said.contains(why), "{said}");
    };
    refused(
        Facts {
            uid: Some(1000),
            ..fresh()
        },
        "system",
        "--sudo",
    );
    refused(
        Facts {
            init: Init::Other("/bin/tini".into()),
            ..fresh()
        },
        "rpcbind",
        "tini",
    );
    refused(
        Facts {
            directory: Directory::Link("/srv/x".into()),
            ..served()
        },
        "directory",
        "/srv/x",
    );
    refused(
        Facts {
            directory: Directory::Other,
            ..served()
        },
        "directory",
        "not a directory",
    );
    refused(
        Facts {
            nfsd: Support::No,
            ..served()
        },
        "kernel",
        "the kernel has no NFS server",
    );
    let masked = Unit {
        masked: true,
        ..Unit::default()
    };
    refused(
        Facts {
            units: BTreeMap::from([("nfs-server".to_owned(), masked)]),
            ..served()
        },
        "nfs-server",
        "systemctl unmask nfs-server",
    );
    let broken = b"/a \"*(rw)\n".to_vec();
    refused(
        Facts {
            exports: Some(broken),
            ..served()
        },
        "exports",
        "/etc/exports",
    );
}

#[test]
fn a_directory_that_is_there_is_left_as_it_is_unless_told() {
    let with_mode = |mode| Facts {
        directory: Directory::There {
            mode,
            owner: ["0", "100", "root", "users"].map(str::to_owned),
        },
        ..served()
    };
    let plan = plan_server(&with_mode(0o666), &desired(), NOW);
    let directory = step(&plan, "directory");
    assert!(says(directory).starts_with("ok: "), "{}", says(directory));
    assert!(
        directory.warnings[0].contains("0666") && directory.warnings[0].contains("--mode"),
        "{:?}",
        directory.warnings
    );
    let asked = |mode, owner: Option<&str>| DesiredServer {
        mode,
        owner: owner.map(str::to_owned),
        ..desired()
    };
    for (mode, owner, said) in [
        (Some(0o755), None, "ok: "),
        (Some(0o1777), None, "change: /nfsdata: mode 0755 becomes 1777"),
        (None, Some("root"), "ok: "),
        (None, Some("0:users"), "ok: "),
        (
            None,
            Some("nobody"),
            "change: /nfsdata: owner root:users becomes nobody",
        ),
        (
            Some(0o755),
            Some(":nogroup"),
            "change: /nfsdata: owner root:users becomes :nogroup",
        ),
    ] {
        let told = told(&with_mode(0o755), &asked(mode, owner), "directory");
        assert!(told.starts_with(said), "{mode:?} {owner:?}: {told}");
    }
}

#[test]
fn selinux_is_told_where_it_is_on() {
    let with = |boolean: &str, on| Facts {
        selinux: Some(BTreeMap::from([(boolean.to_owned(), on)])),
        ..served()
    };
    assert_eq!(
        told(&with("nfs_export_all_rw", false), &desired(), "selinux"),
        "change: turn nfs_export_all_rw on"
    );
    assert_eq!(
        told(&with("nfs_export_all_rw", true), &desired(), "selinux"),
        "ok: nfs_export_all_rw is on"
    );
    let plan = plan_client(&with("virt_use_nfs", false), NOW);
    assert_eq!(says(step(&plan, "selinux")), "change: turn virt_use_nfs on");
}

#[test]
fn drift_is_told_by_name() {
    let mut more = desired();
    more.wanted.clients = vec!["10.0.0.6".into(), "10.0.0.7".into()];
    let said = told(&served(), &more, "exports");
    assert_eq!(said, "change: /nfsdata: added 10.0.0.7, dropped 10.0.0.5");
    let plan = plan_server(&served(), &more, NOW);
    assert!(!step(&plan, "exports").files.is_empty());
    let dropped = Facts {
        listing: Some(String::new()),
        ..served()
    };
    let said = told(&dropped, &desired(), "exports");
    assert!(said.starts_with("change: have exportfs read it again: "), "{said}");
}

#[test]
fn a_teardown_takes_the_line_and_nothing_else() {
    let plan = plan_teardown(&served(), "/nfsdata", NOW);
    let exports = step(&plan, "exports");
    assert_eq!(says(exports), "change: no longer export /nfsdata");
    assert_eq!(exports.files[0].after, b"# theirs\n");
    let missing = Facts {
        exports: Some(b"# theirs\n".to_vec()),
        listing: Some(String::new()),
        ..served()
    };
    assert!(!plan_teardown(&missing, "/nfsdata", NOW).has_changes());
}

#[test]
fn clocks_that_differ_are_told() {
    let plan = plan_client(
        &Facts {
            clock: Some(NOW - 600),
            ..fresh()
        },
        NOW,
    );
    assert!(
        plan.steps[0].warnings[0].contains("600 s behind"),
        "{:?}",
        plan.steps[0]
    );
}

#[test]
fn a_server_lets_more_clients_in_and_is_otherwise_left_as_it_was_set_up() {
    let mut facts = served();
    let line = "/nfsdata 10.0.0.5(ro,sync,no_subtree_check,root_squash)\n";
    let ours = |line: &str| {
        exports_file::with_export(b"# theirs\n", &desired().wanted).map(|text| {
            let text = String::from_utf8(text).unwrap();
            let old = text
                .lines()
                .find(|line| line.starts_with("/nfsdata"))
                .unwrap()
                .to_owned()
                + "\n";
            text.replace(&old, line)
        })
    };
    facts.exports = Some(ours(line).unwrap().into_bytes());
    facts.listing = facts.listing.map(|listing| listing.lines().next().unwrap().to_owned());
    facts.nfs_conf = Some(b"[nfsd]\nvers3=n\n".to_vec());
    let plan = plan_share(&facts, "/nfsdata", &["10.0.0.9".to_owned(), "10.0.0.5".to_owned()], NOW);
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name).collect();
    assert_eq!(names, ["system", "exports", "firewall"]);
    let after = String::from_utf8(step(&plan, "exports").files[0].after.clone()).unwrap();
    let both = line.replace('\n', " 10.0.0.9(ro,sync,no_subtree_check,root_squash)\n");
    assert_eq!(after, ours(&both).unwrap());

    // What nfsprov does not export yet becomes no export, whoever else exports it or what is above it.
    let others = "/nfsdata 10.0.0.5(rw)\n";
    let block = ours(line).unwrap();
    for (exports, path) in [
        (others, "/nfsdata"),
        ("", "/nfsdata"),
        (&block, "/root"),
        (&block, "/nfsdata/below"),
    ] {
        facts.exports = Some(exports.as_bytes().to_vec());
        let plan = plan_share(&facts, path, &["10.0.0.9".to_owned()], NOW);
        assert!(
            plan.is_refused() && !plan.has_changes(),
            "{path} of {exports}: {plan:?}"
        );
    }
    // One line can't give each client its own options, and must give none more than it had.
    let line = line.replace('\n', " 10.0.0.6(rw,no_root_squash)\n");
    facts.exports = Some(ours(&line).unwrap().into_bytes());
    let plan = plan_share(&facts, "/nfsdata", &["10.0.0.9".to_owned()], NOW);
    assert_eq!(
        says(step(&plan, "exports")),
        "refused: /etc/exports: the clients of /nfsdata have different options, 10.0.0.5 \
         (ro,sync,no_subtree_check,root_squash) and 10.0.0.6 (rw,no_root_squash); setup-server --options gives all \
         the same"
    );
    // A damaged block is refused, not guessed at.
    facts.exports = Some(b"# BEGIN nfsprov\n".to_vec());
    assert!(plan_share(&facts, "/nfsdata", &["10.0.0.9".to_owned()], NOW).is_refused());
}
