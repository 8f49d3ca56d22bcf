//! The Debian package, in a fresh root of its own.

use std::fs;
use std::path::Path;

use crate::{artifact, done, run, text};

/// Unpacks a Debian of this machine's release that has nothing but what is essential.
fn fresh_root(root: &Path) {
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .unwrap();
    done(
        "mmdebstrap",
        &["--quiet", "--mode=root", "--variant=essential", codename, text(root)],
    );
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_package_is_installed_run_and_purged() {
    let deb = artifact("nfsprov_", ".deb");
    let place = tempfile::tempdir_in(format!("{}/target", crate::ROOT)).unwrap();
    let root = place.path().join("root");
    fresh_root(&root);
    fs::copy(&deb, root.join("nfsprov.deb")).unwrap();
    let inside = |args: &[&str]| done("chroot", &[&[text(&root)], args].concat());
    inside(&["dpkg", "--install", "/nfsprov.deb"]);
    assert!(inside(&["nfsprov", "version"]).contains(crate::VERSION));
    let help = inside(&["kubectl-nfsprov", "doctor", "--help"]);
    assert!(help.contains("Usage: kubectl nfsprov doctor"), "{help}");
    let files = inside(&["dpkg", "--listfiles", "nfsprov"]);
    for file in [
        "/usr/share/man/man1/nfsprov-provision.1.gz",
        "/usr/share/bash-completion/completions/nfsprov",
        "/lib/systemd/system/nfsprov@.service",
        "/usr/share/doc/nfsprov/copyright",
        "/etc/nfsprov",
    ] {
        assert!(files.lines().any(|line| line == file), "{file} is not in\n{files}");
    }
    inside(&["dpkg", "--purge", "nfsprov"]);
    for file in files.lines().filter(|file| file.contains("nfsprov")) {
        assert!(!root.join(file.trim_start_matches('/')).exists(), "{file} is left");
    }
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn systemd_knows_all_that_the_unit_says() {
    let unit = format!("{}/packaging/systemd/nfsprov@.service", crate::ROOT);
    let directory = tempfile::tempdir().unwrap();
    // The program is installed by the package only.
    let text_of_unit = fs::read_to_string(&unit).unwrap();
    let installed = text_of_unit.replace("/usr/bin/nfsprov", "/bin/true");
    let path = directory.path().join("nfsprov@.service");
    fs::write(&path, installed).unwrap();
    let verified = run("systemd-analyze", &["verify", "--man=no", text(&path)]);
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("nfsprov@"), "{said}");
}
