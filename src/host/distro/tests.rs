//! What hosts are taken for, and what is run on them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::*;

/// The lines of an os-release that matter, what the host has, and what it is taken for.
#[test]
fn distributions_are_known_by_their_os_release() {
    use Manager::{Apk, Apt, Dnf, Pacman, Yum, Zypper};
    for (text, managers, manager, server, client) in [
        (
            "NAME=\"CentOS Linux\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n",
            &[Yum][..],
            Yum,
            "nfs-utils",
            "nfs-utils",
        ),
        (
            "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n",
            &[Dnf, Yum],
            Dnf,
            "nfs-utils",
            "nfs-utils",
        ),
        (
            "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
            &[Dnf, Yum],
            Dnf,
            "nfs-utils",
            "nfs-utils",
        ),
        (
            "ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n",
            &[Dnf],
            Dnf,
            "nfs-utils",
            "nfs-utils",
        ),
        ("ID=\"ol\"\nID_LIKE=\"fedora\"\n", &[Dnf], Dnf, "nfs-utils", "nfs-utils"),
        ("ID=fedora\nVERSION_ID=42\n", &[Dnf], Dnf, "nfs-utils", "nfs-utils"),
        (
            "ID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\nVERSION_ID=\"2\"\n",
            &[Yum],
            Yum,
            "nfs-utils",
            "nfs-utils",
        ),
        (
            "NAME=\"openEuler\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\n",
            &[Dnf, Yum],
            Dnf,
            "nfs-utils",
            "nfs-utils",
        ),
        (
            "ID=\"anolis\"\nID_LIKE=\"rhel fedora centos\"\n",
            &[Dnf],
            Dnf,
            "nfs-utils",
            "nfs-utils",
        ),
        (
            "ID=\"kylin\"\nVERSION_ID=\"V10\"\n",
            &[Dnf],
            Dnf,
            "nfs-utils",
            "nfs-utils",
        ),
        (
            "ID=kylin\nID_LIKE=debian\nVERSION_ID=\"v10\"\n",
            &[Apt],
            Apt,
            "nfs-kernel-server",
            "nfs-common",
        ),
        (
            "ID=debian\nVERSION_ID=\"12\"\n",
            &[Apt],
            Apt,
            "nfs-kernel-server",
            "nfs-common",
        ),
        (
            "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
            &[Apt],
            Apt,
            "nfs-kernel-server",
            "nfs-common",
        ),
        (
            "ID=\"sles\"\nID_LIKE=\"suse\"\n",
            &[Zypper],
            Zypper,
            "nfs-kernel-server",
            "nfs-client",
        ),
        (
            "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n",
            &[Zypper],
            Zypper,
            "nfs-kernel-server",
            "nfs-client",
        ),
        (
            "ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n",
            &[Dnf, Zypper],
            Zypper,
            "nfs-kernel-server",
            "nfs-client",
        ),
        ("ID=alpine\nVERSION_ID=3.20.0\n", &[Apk], Apk, "nfs-utils", "nfs-utils"),
        (
            "ID=arch\nBUILD_ID=rolling\n",
            &[Pacman],
            Pacman,
            "nfs-utils",
            "nfs-utils",
        ),
    ] {
        let choice = choose_distro(&OsRelease::parse(text), &programs(managers));
        assert_eq!(choice.guessed, None, "{text}");
        let found = (choice.installer, choice.distro.server, choice.distro.client);
        assert_eq!(found, (Installer::Manager(manager), server, client), "{text}");
        assert_eq!(choice.distro.rpcbind, ["rpcbind"], "{text}");
    }
}

#[test]
fn a_guess_is_said_to_be_one() {
    for (text, managers, server, guess) in [
        (
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nPRETTY_NAME=\"Linux Mint 22\"\n",
            &[Manager::Apt][..],
            "nfs-kernel-server",
            "Linux Mint 22 (linuxmint) is not known by that name; it calls itself like ubuntu, so it is taken for Debian and its like",
        ),
        (
            "ID=bigcloud\nPRETTY_NAME='BigCloud'\n",
            &[Manager::Yum, Manager::Dnf],
            "nfs-utils",
            "BigCloud (bigcloud) is not known; it has dnf, so it is taken for Red Hat Enterprise Linux and its like",
        ),
        (
            "",
            &[Manager::Zypper],
            "nfs-kernel-server",
            "Linux (linux) is not known; it has zypper, so it is taken for SUSE",
        ),
        // Its name alone installs nothing.
        (
            "ID=debian\n",
            &[Manager::Apk],
            "nfs-utils",
            "Linux (debian) is not known; it has apk, so it is taken for Alpine",
        ),
    ] {
        let choice = choose_distro(&OsRelease::parse(text), &programs(managers));
        assert_eq!((choice.distro.server, choice.guessed.as_deref()), (server, Some(guess)));
    }
}

/// The programs of package managers.
fn programs(managers: &[Manager]) -> Vec<String> {
    managers.iter().map(|manager| manager.program().to_owned()).collect()
}

#[test]
fn where_nothing_installs_packages_the_system_says_what_does() {
    for (text, programs, client, words) in [
        (
            "ID=\"opensuse-microos\"\nID_LIKE=\"suse opensuse opensuse-tumbleweed\"\nNAME=\"openSUSE MicroOS\"\n",
            &["zypper", "transactional-update"][..],
            "nfs-client",
            "openSUSE MicroOS (opensuse-microos) has a read-only root: run transactional-update --non-interactive pkg install P, then reboot",
        ),
        (
            "ID=\"sl-micro\"\nID_LIKE=\"suse\"\n",
            &["zypper"],
            "nfs-client",
            "Linux (sl-micro) has a read-only root: run transactional-update",
        ),
        (
            "ID=fedora\nVARIANT_ID=coreos\nPRETTY_NAME=\"Fedora CoreOS 39.20231101.3.0\"\n",
            &["rpm-ostree"],
            "nfs-utils",
            "Fedora CoreOS 39.20231101.3.0 (fedora) is updated as a whole: run rpm-ostree install --idempotent P,",
        ),
        (
            "ID=flatcar\nID_LIKE=coreos\n",
            &[],
            "nfs-utils",
            "Linux (flatcar) has no packages",
        ),
        (
            "ID=nixos\nPRETTY_NAME=NixOS\n",
            &["nixos-rebuild"],
            "nfs-utils",
            "NixOS (nixos) is configured as a whole",
        ),
        ("ID=talos\n", &[], "nfs-utils", "Linux (talos) takes no packages"),
        (
            "ID=gentoo\nPRETTY_NAME=Gentoo\n",
            &[],
            "nfs-utils",
            "Gentoo (gentoo) has no package manager that nfsprov supports (dnf, yum, apt, zypper, apk, pacman); install P on it yourself",
        ),
        // Its name tells how things are called, even where nothing installs them.
        (
            "ID=debian\n",
            &[],
            "nfs-common",
            "Linux (debian) has no package manager",
        ),
    ] {
        let programs: Vec<String> = programs.iter().map(|program| (*program).to_owned()).collect();
        let choice = choose_distro(&OsRelease::parse(text), &programs);
        let refusal = choice.installer.refusal(&["P"]).unwrap();
        assert!(refusal.starts_with(words), "{refusal}");
        assert_eq!(choice.distro.client, client, "{text}");
    }
}

#[test]
fn os_release_is_read_as_a_shell_would() {
    let text =
        "# ID=comment\n\nID=one\n ID='two'\nPRETTY_NAME=\"A \\\"B\\\" \\$C\"\nID_LIKE=\nVERSION_ID=\"V10\"\nodd line\n";
    assert_eq!(
        OsRelease::parse(text),
        OsRelease {
            id: "two".into(),
            like: vec![],
            version: "V10".into(),
            name: "A \"B\" $C".into()
        }
    );
    let nothing = OsRelease::parse("");
    assert_eq!((nothing.id.as_str(), nothing.name.as_str()), ("linux", "Linux"));
}

/// Runs a script with stand-ins for programs, each a name and the shell script that it is.
fn sh(stand_ins: &[(&str, &str)], script: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, body) in stand_ins {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .stdin(Stdio::null())
        .env("HERE", folder.path());
    let path = std::env::var("PATH").unwrap();
    let output = command
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

const KNOWN: (&str, &str) = ("apt-cache", "echo '  Candidate: 1:2.6.2'");
const SLEEP: (&str, &str) = ("sleep", "");

#[test]
fn what_is_installed_is_asked() {
    let dpkg = "case $4 in nfs-common) echo installed ;; gone) echo config-files ;; *) exit 1 ;; esac";
    for (package, status) in [("nfs-common", 0), ("gone", 1), ("never", 1), ("it's", 1)] {
        assert_eq!(
            sh(&[("dpkg-query", dpkg)], &Manager::Apt.query(package)).0,
            status,
            "{package}"
        );
    }
    for (manager, program, arguments) in [
        (Manager::Dnf, "rpm", "-q --quiet nfs-utils"),
        (Manager::Yum, "rpm", "-q --quiet nfs-utils"),
        (Manager::Zypper, "rpm", "-q --quiet nfs-utils"),
        (Manager::Apk, "apk", "info -e nfs-utils"),
        (Manager::Pacman, "pacman", "-Q nfs-utils"),
    ] {
        let stand_in = format!("[ \"$*\" = '{arguments}' ]");
        assert_eq!(
            sh(&[(program, &stand_in)], &manager.query("nfs-utils")).0,
            0,
            "{manager:?}"
        );
        assert_eq!(sh(&[(program, &stand_in)], &manager.query("other")).0, 1, "{manager:?}");
    }
}

#[test]
fn packages_are_installed_and_nothing_is_asked() {
    for (manager, parts) in [
        (
            Manager::Apt,
            &["-y --no-install-recommends", "install -- one two; noninteractive"][..],
        ),
        (Manager::Dnf, &["-y --setopt=exit_on_lock=1 install one two"]),
        (Manager::Yum, &["-y --setopt=exit_on_lock=1 install one two"]),
        (Manager::Zypper, &["--non-interactive install --no-recommends one two"]),
        (Manager::Apk, &["add --no-progress --update-cache one two"]),
        (Manager::Pacman, &["-S --needed --noconfirm one two"]),
    ] {
        let echo = (manager.program(), "echo \"$*; $DEBIAN_FRONTEND\"");
        let script = manager.install(&["one", "two"], Duration::from_secs(5));
        let (status, stdout, stderr) = sh(&[KNOWN, ("ls", ""), echo], &script);
        assert_eq!(
            (status, stderr.as_str(), stdout.lines().count()),
            (0, "", 1),
            "{manager:?}: {stdout}"
        );
        assert!(parts.iter().all(|part| stdout.contains(part)), "{stdout}");
    }
}

#[test]
fn lists_are_fetched_only_where_they_are_wanting() {
    let script = Manager::Apt.install(&["nfs-common"], Duration::from_secs(5));
    let get = ("apt-get", "case $* in *update*) echo update ;; *) echo install ;; esac");
    for (known, said) in [
        (KNOWN.1, "install\n"),
        ("", "update\ninstall\n"),
        ("echo '  Candidate: (none)'", "update\ninstall\n"),
    ] {
        assert_eq!(sh(&[("apt-cache", known), get], &script).1, said, "{known}");
    }
    // Names that the mirror has no more.
    let missing = "case $* in *update*) echo update; : >\"$HERE/fresh\"; exit ;; esac
                [ -e \"$HERE/fresh\" ] && echo install && exit
                echo 'E: Unable to fetch some archives, maybe run apt-get update' >&2; exit 100";
    let (status, stdout, _) = sh(&[KNOWN, ("apt-get", missing)], &script);
    assert_eq!((status, stdout.as_str()), (0, "update\ninstall\n"));
}

/// A package manager, and what it prints where another program holds its lock.
const HELD: [(Manager, &str); 9] = [
    (
        Manager::Apt,
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)",
    ),
    (
        Manager::Apt,
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)",
    ),
    (Manager::Dnf, "metadata already locked by 7"),
    (
        Manager::Dnf,
        "Transaction failed: Failed to obtain rpm transaction lock. Another transaction is in progress.",
    ),
    (
        Manager::Dnf,
        "error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)",
    ),
    (
        Manager::Yum,
        "Another app is currently holding the yum lock; exiting as configured by exit_on_lock",
    ),
    (
        Manager::Zypper,
        "System management is locked by the application with pid 7 (zypper).",
    ),
    (
        Manager::Apk,
        "ERROR: Unable to lock database: temporary error (try again later)",
    ),
    (
        Manager::Pacman,
        "error: failed to init transaction (unable to lock database)",
    ),
];

#[test]
fn anothers_lock_is_waited_for_and_not_for_ever() {
    for (manager, words) in HELD {
        let script = |wait| manager.install(&["nfs-utils"], Duration::from_secs(wait));
        let run = |body: &str, wait| sh(&[KNOWN, SLEEP, ("ls", ""), (manager.program(), body)], &script(wait));
        let words = words.replace('\'', "'\\''");
        let held = format!("echo '{words}' >&2; exit 100");
        let (status, stdout, stderr) = run(&held, 0);
        assert_eq!((status, stdout.as_str()), (100, ""), "{words}");
        assert!(stderr.contains("another program has held the lock for"), "{stderr}");
        let free = format!("[ -e \"$HERE/seen\" ] && echo done && exit\n: >\"$HERE/seen\"; {held}");
        let (status, stdout, stderr) = run(&free, 60);
        assert_eq!((status, stderr.as_str()), (0, ""), "{words}");
        assert!(
            stdout.starts_with("waiting for another program's lock: ") && stdout.ends_with("\ndone\n"),
            "{stdout}"
        );
    }
    // Any other trouble is told at once.
    let script = Manager::Apt.install(&["nfs-common"], Duration::from_secs(60));
    let broken = "echo 'E: dpkg was interrupted' >&2; exit 100";
    let (status, _, stderr) = sh(&[KNOWN, SLEEP, ("apt-get", broken)], &script);
    assert_eq!((status, stderr.as_str()), (100, "E: dpkg was interrupted\n"));
}
