//! The packages for Debian and for Fedora's relatives, each in its own new root.

use std::fs;
use std::path::Path;

use crate::{architecture, artifact, done, emulator, machine, run, run_tested_inside, stdout_of, text};

/// Unpacks Debian's essential packages of this machine's release.
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

/// Installs a package in a new root with `install`, runs its program, and removes it with `remove`. `install` gets the
/// root as `$1` and the package as `$2`, `remove` gets the root.
fn check_package(package: &Path, install: &str, list: &str, remove: &str, own_files: &[&str]) {
    let place = tempfile::tempdir_in(format!("{}/target", crate::ROOT)).unwrap();
    let root = place.path().join("root");
    fresh_root(&root);
    let shell = |script: &str| done("sh", &["-euc", script, "sh", text(&root), text(package)]);
    let inside = |program: &[&str]| stdout_of(run_tested_inside(&root, &[], program), program[0]);
    shell(install);
    assert!(inside(&["/usr/bin/nfsprov", "version"]).contains(crate::VERSION));
    let help = inside(&["/usr/bin/kubectl-nfsprov", "doctor", "--help"]);
    assert!(help.contains("Usage: kubectl nfsprov doctor"), "{help}");
    let files = shell(list);
    let both = [
        "/usr/share/man/man1/nfsprov-provision.1.gz",
        "/usr/share/bash-completion/completions/nfsprov",
        "/usr/share/doc/nfsprov/examples/example.env",
        "/etc/nfsprov",
    ];
    for file in both.iter().chain(own_files) {
        assert!(files.lines().any(|line| line == *file), "{file} is not in\n{files}");
    }
    shell(remove);
    for file in files.lines().filter(|file| file.contains("nfsprov")) {
        let left = fs::symlink_metadata(root.join(file.trim_start_matches('/')));
        assert!(left.is_err(), "{file} is left");
    }
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_deb_is_installed_run_and_purged() {
    let deb = artifact("nfsprov_", &format!("_{}.deb", architecture()));
    assert_eq!(
        done("dpkg-deb", &["--field", text(&deb), "Architecture"]).trim(),
        architecture()
    );
    // The root has this machine's architecture.
    let force = emulator().map_or("", |_| "--force-architecture");
    let name = format!("nfsprov:{}", architecture());
    check_package(
        &deb,
        &format!(r#"cp "$2" "$1/nfsprov.deb"; chroot "$1" dpkg {force} --install /nfsprov.deb"#),
        &format!(r#"chroot "$1" dpkg --listfiles {name}"#),
        &format!(r#"chroot "$1" dpkg --purge {name}"#),
        &[
            "/lib/systemd/system/nfsprov@.service",
            "/usr/share/doc/nfsprov/copyright",
        ],
    );
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_rpm_is_installed_run_and_erased() {
    let rpm = artifact("nfsprov-", &format!(".{}.rpm", machine()));
    let force = emulator().map_or("", |_| "--ignorearch");
    check_package(
        &rpm,
        // Debian's root has a shell, but no rpm database that lists it.
        &format!(r#"rpm --root "$1" --force-debian --nodeps {force} --install "$2""#),
        r#"rpm --root "$1" --force-debian --query --list nfsprov"#,
        r#"rpm --root "$1" --force-debian --nodeps --erase nfsprov"#,
        &[
            "/usr/lib/systemd/system/nfsprov@.service",
            "/usr/share/licenses/nfsprov/LICENSE",
        ],
    );
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn lintian_finds_no_error_and_no_warning() {
    let deb = artifact("nfsprov_", &format!("_{}.deb", architecture()));
    done("lintian", &["--fail-on=error,warning", "--allow-root", text(&deb)]);
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn systemd_knows_all_that_the_unit_says() {
    let unit = format!("{}/packaging/systemd/nfsprov@.service", crate::ROOT);
    let directory = tempfile::tempdir().unwrap();
    // Only the package installs the program.
    let text_of_unit = fs::read_to_string(&unit).unwrap();
    let installed = text_of_unit.replace("/usr/bin/nfsprov", "/bin/true");
    let path = directory.path().join("nfsprov@.service");
    fs::write(&path, installed).unwrap();
    let verified = run("systemd-analyze", &["verify", "--man=no", text(&path)]);
    let output_text = String::from_utf8_lossy(&verified.stderr);
    assert!(
        verified.status.success() && !output_text.contains("nfsprov@"),
        "{output_text}"
    );
}
