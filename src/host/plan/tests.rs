//! Facts and what is made of them.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::host::exports_file;
use crate::host::facts::{Directory, Firewall, Init, Unit};

const NOW: i64 = 1_800_000_000;

fn wish() -> Server {
    Server {
        wanted: Wanted {
            path: "/nfsdata".into(),
            clients: vec!["10.0.0.5".into(), "10.0.0.6".into()],
            options: "rw,sync,no_subtree_check,no_root_squash".into(),
        },
        mode: None,
        owner: None,
        versions: Versions::All,
    }
}

fn set<T: Ord>(items: impl IntoIterator<Item = impl Into<T>>) -> BTreeSet<T> {
    items.into_iter().map(Into::into).collect()
}

/// A Debian on which nothing was done yet.
fn fresh() -> Facts {
    Facts {
        uid: Some(0),
        clock: Some(NOW),
        hostname: "nfs".into(),
        kernel: "6.1.0".into(),
        os_release: "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\n".into(),
        managers: vec!["apt-get".into()],
        init: Init::Systemd,
        nfsd: Support::Module,
        nfs: Support::Module,
        exports_path: "/etc/exports".into(),
        exports_checksum: "1 2".into(),
        above: "/".into(),
        ..Facts::default()
    }
}

/// The same after `wish` was granted.
fn served() -> Facts {
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
        exports: Some(exports_file::with(b"# theirs\n", &wish().wanted).unwrap()),
        listing: Some(format!("/nfsdata  10.0.0.5{line}\n/nfsdata  10.0.0.6{line}\n")),
        nfs_conf: Some(b"[nfsd]\n# vers3=y\n".to_vec()),
        directory: Directory::There {
            mode: 0o777,
            owner: ["0", "0", "root", "root"].map(str::to_owned),
        },
        ..fresh()
    }
}

fn step<'a>(plan: &'a Plan, name: &str) -> &'a Step {
    plan.steps.iter().find(|step| step.name == name).unwrap()
}

/// What a step says, with a word before it for its state.
fn says(step: &Step) -> String {
    match &step.state {
        State::Ok(why) => format!("ok: {why}"),
        State::Skipped(why) => format!("skipped: {why}"),
        State::Change { why, .. } => format!("change: {why}"),
        State::Refused(why) => format!("refused: {why}"),
    }
}

/// What the step `name` says for a server with these facts and this wish.
fn told(facts: &Facts, wish: &Server, name: &str) -> String {
    says(step(&server(facts, wish, NOW), name))
}

#[test]
fn a_fresh_host_gets_everything_in_the_documents_order() {
    let plan = server(&fresh(), &wish(), NOW);
    assert!(plan.changes() && !plan.refused());
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
    let plan = server(&served(), &wish(), NOW);
    let todo: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.state, State::Ok(_) | State::Skipped(_)))
        .map(says)
        .collect();
    assert_eq!(todo, Vec::<String>::new());
    assert!(!plan.changes());
}

#[test]
fn what_stands_in_the_way_is_said_before_anything_is_done() {
    let refused = |facts: Facts, name: &str, why: &str| {
        let plan = server(&facts, &wish(), NOW);
        assert!(plan.refused(), "{why}");
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
        "no directory",
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
    let plan = server(&with_mode(0o666), &wish(), NOW);
    let directory = step(&plan, "directory");
    assert!(says(directory).starts_with("ok: "), "{}", says(directory));
    assert!(
        directory.warnings[0].contains("0666") && directory.warnings[0].contains("--mode"),
        "{:?}",
        directory.warnings
    );
    let asked = |mode, owner: Option<&str>| Server {
        mode,
        owner: owner.map(str::to_owned),
        ..wish()
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
        assert_eq!(told(&Facts { units, ..served() }, &wish(), "nfs-server"), said);
    }
}

#[test]
fn versions_decide_over_rpcbind_and_nfs_conf() {
    let only = |versions| Server { versions, ..wish() };
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
    let plan = server(&served(), &only(Versions::Four), NOW);
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
fn a_firewall_gets_a_port_for_mountd_and_lets_clients_in() {
    let firewalld = |names: &[&str]| Firewall::Firewalld {
        now: set(names.iter().copied()),
        permanent: set(names.iter().copied()),
    };
    let with = |firewall| Facts { firewall, ..served() };
    let closed = with(firewalld(&["ssh", "nfs"]));
    assert_eq!(
        told(&closed, &wish(), "nfs-server"),
        "change: set port=20048 in [mountd] of /etc/nfs.conf; restart nfs-server: its configuration changes"
    );
    assert_eq!(
        told(&closed, &wish(), "firewall"),
        "change: have firewalld let mountd, rpc-bind in"
    );
    let four = Server {
        versions: Versions::Four,
        ..wish()
    };
    assert_eq!(told(&closed, &four, "firewall"), "ok: firewalld lets nfs in");
    let theirs = Facts {
        nfs_conf: Some(b"[mountd]\nport=4002\n".to_vec()),
        mountd: set([4002_u16]),
        ..closed
    };
    assert_eq!(
        told(&theirs, &wish(), "nfs-server"),
        "ok: nfs-server runs, and will after a restart of the host",
        "a port of their own is as good"
    );
    let ufw = |status: &str| with(Firewall::Ufw(status.to_owned()));
    let said = told(&ufw("Status: active\n"), &wish(), "firewall");
    assert!(
        said.contains("allow proto tcp from 10.0.0.5 to any port 111,2049,20048"),
        "{said}"
    );
    let mut odd = wish();
    odd.wanted.clients = vec!["1nfs;reboot".into(), "10.0.0.0/24".into()];
    let plan = server(&ufw("Status: active\n"), &odd, NOW);
    let rules = step(&plan, "firewall");
    let script = format!("{:?}", rules.state);
    assert!(script.contains("from '10.0.0.0/24' to") && !script.contains("reboot"));
    assert!(rules.warnings[0].contains("1nfs;reboot"), "{rules:?}");
    let open = "Status: active\n111,2049,20048/tcp  ALLOW  10.0.0.5\n111,20048/udp  ALLOW  10.0.0.5\n111,2049,20048/tcp  ALLOW  10.0.0.6\n111,20048/udp  ALLOW  10.0.0.6\n";
    assert_eq!(told(&ufw(open), &wish(), "firewall"), "ok: ufw lets the clients in");
    let plan = server(&with(Firewall::Rules("nftables".into())), &wish(), NOW);
    let rules = step(&plan, "firewall");
    assert!(
        says(rules).starts_with("skipped: ") && rules.warnings[0].contains("2049"),
        "{:?}",
        rules
    );
}

#[test]
fn selinux_is_told_where_it_is_on() {
    let with = |boolean: &str, on| Facts {
        selinux: Some(BTreeMap::from([(boolean.to_owned(), on)])),
        ..served()
    };
    assert_eq!(
        told(&with("nfs_export_all_rw", false), &wish(), "selinux"),
        "change: turn nfs_export_all_rw on"
    );
    assert_eq!(
        told(&with("nfs_export_all_rw", true), &wish(), "selinux"),
        "ok: nfs_export_all_rw is on"
    );
    let plan = client(&with("virt_use_nfs", false), NOW);
    assert_eq!(says(step(&plan, "selinux")), "change: turn virt_use_nfs on");
}

#[test]
fn drift_is_told_by_name() {
    let mut more = wish();
    more.wanted.clients = vec!["10.0.0.6".into(), "10.0.0.7".into()];
    let said = told(&served(), &more, "exports");
    assert_eq!(said, "change: /nfsdata: added 10.0.0.7, dropped 10.0.0.5");
    let plan = server(&served(), &more, NOW);
    assert!(!step(&plan, "exports").files.is_empty());
    let dropped = Facts {
        listing: Some(String::new()),
        ..served()
    };
    let said = told(&dropped, &wish(), "exports");
    assert!(said.starts_with("change: have exportfs read it again: "), "{said}");
}

#[test]
fn exports_in_no_file_stop_what_would_drop_them() {
    let with_pacemakers = |facts: Facts| Facts {
        listing: Some(format!("{}/srv  10.9.0.1(sync,ro)\n", facts.listing.clone().unwrap())),
        ..facts
    };
    // Nothing to do, nothing lost; and what reads no file may go on.
    assert!(!server(&with_pacemakers(served()), &wish(), NOW).refused());
    let mut unit = served().unit("nfs-server");
    unit.enabled = false;
    let only_enable = Facts {
        units: BTreeMap::from([
            ("rpcbind".to_owned(), served().unit("rpcbind")),
            ("nfs-server".to_owned(), unit),
        ]),
        ..served()
    };
    let told = |facts: &Facts, wish: &Server, name: &str| told(&with_pacemakers(facts.clone()), wish, name);
    assert_eq!(told(&only_enable, &wish(), "nfs-server"), "change: enable nfs-server");
    let mut more = wish();
    more.wanted.clients.push("10.0.0.7".into());
    let four = Server {
        versions: Versions::Four,
        ..wish()
    };
    let stopped = Facts {
        units: BTreeMap::new(),
        ..served()
    };
    for (facts, wish, name) in [
        (served(), &more, "exports"),
        (served(), &four, "nfs-server"),
        (stopped, &wish(), "nfs-server"),
    ] {
        let said = told(&facts, wish, name);
        assert!(
            said.starts_with("refused: exported, but in no file: /srv to 10.9.0.1;"),
            "{said}"
        );
    }
    assert!(teardown(&with_pacemakers(served()), "/nfsdata", NOW).refused());
}

#[test]
fn a_teardown_takes_the_line_and_nothing_else() {
    let plan = teardown(&served(), "/nfsdata", NOW);
    let exports = step(&plan, "exports");
    assert_eq!(says(exports), "change: no longer export /nfsdata");
    assert_eq!(exports.files[0].after, b"# theirs\n");
    let gone = Facts {
        exports: Some(b"# theirs\n".to_vec()),
        listing: Some(String::new()),
        ..served()
    };
    assert!(!teardown(&gone, "/nfsdata", NOW).changes());
}

#[test]
fn clocks_that_differ_are_told() {
    let plan = client(
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
fn bytes_are_the_same_after_every_shell() {
    let all: Vec<u8> = (1..=255).chain(*b"%s \\n \\101 'it''s' $HOME `id` \"x\"\n\n").collect();
    for shell in [&["sh"][..], &["bash", "--posix"], &["busybox", "sh"]] {
        let mut command = std::process::Command::new(shell[0]);
        let Ok(output) = command.args(&shell[1..]).arg("-c").arg(bytes(&all)).output() else {
            eprintln!("skipped: {shell:?} is not installed");
            continue;
        };
        assert_eq!(output.stdout, all, "{shell:?}");
    }
}

/// Runs a script as a host's shell would, in a folder; its status, and what it says.
fn run(shell: &[&str], folder: &std::path::Path, script: &str) -> (i32, String) {
    let mut command = std::process::Command::new(shell[0]);
    let output = command
        .args(&shell[1..])
        .current_dir(folder)
        .arg("-c")
        .arg(script)
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn entries(folder: &std::path::Path) -> BTreeSet<String> {
    set(folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap()))
}

#[test]
fn a_file_is_replaced_or_restored_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let new = b"new %s \\ line\n";
    let path = here.join("d/exports");
    let put = |checksum: &str, then: &str| {
        let text = format!(
            "{}put_file || exit 9\n{then}",
            replace_file(path.to_str().unwrap(), checksum, new)
        );
        run(&["sh"], here, &text)
    };
    // A file that was not there, nor its directory, and neither is again after an undo.
    assert_eq!(
        put("", "cat d/exports; restore_file"),
        (0, "new %s \\ line\n".to_owned())
    );
    assert_eq!(entries(here), set::<String>([""; 0]));
    assert_eq!(put("", "").0, 0);
    assert_eq!(std::fs::read(&path).unwrap(), new);
    // Somebody else made or changed it meanwhile: it is theirs.
    for checksum in ["", "1 2"] {
        let (status, said) = put(checksum, "");
        assert!(status == 9 && said.contains("changed by somebody else"), "{said}");
    }
    std::fs::write(&path, "old").unwrap();
    let (_, checksum) = run(&["sh"], here, "cksum <d/exports");
    let stamp = "touch -d '2001-02-03 04:05:06' d/exports; chmod 640 d/exports";
    run(&["sh"], here, stamp);
    assert_eq!(put(checksum.trim(), "restore_file").0, 0);
    let (_, state) = run(&["sh"], here, "stat -c '%a %y' d/exports | cut -c -23; cat d/exports");
    assert_eq!(state, "640 2001-02-03 04:05:06\nold");
    assert_eq!(put(checksum.trim(), "").0, 0);
    assert_eq!(run(&["sh"], here, "stat -c %a d/exports").1, "640\n");
    assert_eq!(entries(&here.join("d")), set(["exports"]), "nothing else is left");
}

#[test]
fn one_step_at_a_time_changes_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    let exclusive = |seconds: u64, script: &str| exclusive_by(lock.to_str().unwrap(), seconds, script);
    let nested = |shell: &str| format!("{shell} -c {} 2>&1", quote(&exclusive(0, "echo second")));
    for shell in [&["sh"][..], &["bash", "--posix"], &["busybox", "sh"]] {
        let (status, said) = run(shell, folder.path(), &exclusive(0, &nested(&shell.join(" "))));
        assert!(
            status == i32::from(TAKEN_BACK) && said.contains("another nfsprov"),
            "{shell:?}: {said}"
        );
        // What the first started, and which goes on after it, holds no lock.
        let daemon = "sleep 1000 >/dev/null 2>&1 & echo $!";
        let (status, first) = run(shell, folder.path(), &exclusive(0, daemon));
        assert_eq!(status, 0, "{first}");
        let second = run(shell, folder.path(), &exclusive(0, "echo second; exit 3"));
        run(shell, folder.path(), &format!("kill {}", first.trim()));
        assert_eq!(second, (3, "second\n".to_owned()), "{shell:?}");
    }
}

#[test]
fn what_fails_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let run = |change: &str, verify: &str, undo: &str| {
        let mut command = std::process::Command::new("sh");
        command
            .current_dir(folder.path())
            .arg("-c")
            .arg(guarded(change, verify, undo));
        command.status().unwrap().code().unwrap()
    };
    assert_eq!(run("touch a", "[ -e a ]", "rm a"), 0);
    assert_eq!(run("touch b\nfalse\ntouch c", ":", "rm b"), i32::from(TAKEN_BACK));
    assert_eq!(run("touch d", "[ -e e ]", "rm d"), i32::from(TAKEN_BACK));
    assert_eq!(run("touch f", "false", "rm no-such-file"), i32::from(LEFT_HALF_DONE));
    let left: BTreeSet<String> = set(folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap()));
    assert_eq!(left, set(["a", "f"]));
}

#[test]
fn a_server_lets_more_clients_in_and_is_otherwise_left_as_it_was_set_up() {
    let mut facts = served();
    let line = "/nfsdata 10.0.0.5(ro,sync,no_subtree_check,root_squash)\n";
    let ours = |line: &str| {
        exports_file::with(b"# theirs\n", &wish().wanted).map(|text| {
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
    let plan = share(&facts, "/nfsdata", &["10.0.0.9".to_owned(), "10.0.0.5".to_owned()], NOW);
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
        let plan = share(&facts, path, &["10.0.0.9".to_owned()], NOW);
        assert!(plan.refused() && !plan.changes(), "{path} of {exports}: {plan:?}");
    }
    // A block that somebody has damaged is no guess.
    facts.exports = Some(b"# BEGIN nfsprov\n".to_vec());
    assert!(share(&facts, "/nfsdata", &["10.0.0.9".to_owned()], NOW).refused());
}
