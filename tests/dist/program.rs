//! The static program.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{ROOT, VERSION, architecture, artifact, done, machine, run_tested, run_tested_inside, stdout_of, text};

/// The size limit of a release's program.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_program_runs_in_an_empty_root() {
    let program = artifact("nfsprov-", &format!("-linux-{}", architecture()));
    let bytes = fs::metadata(&program).unwrap().len();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    // Static, and for the processor that the file name names.
    let headers = done(
        "readelf",
        &["--file-header", "--program-headers", "--dynamic", text(&program)],
    );
    let processor = headers.lines().find(|line| line.trim_start().starts_with("Machine:"));
    let processor = processor.unwrap().to_lowercase().replace('-', "_");
    assert!(processor.contains(machine()), "{processor}");
    assert!(
        !headers.contains("INTERP") && !headers.contains("(NEEDED)"),
        "{headers}"
    );

    let root = tempfile::tempdir().unwrap();
    fs::copy(&program, root.path().join("nfsprov")).unwrap();
    let inside = |args: &[&str]| run_tested_inside(root.path(), &[], &[&["/nfsprov"], args].concat());
    let version = inside(&["version", "-o", "json"]);
    let version: serde_json::Value = serde_json::from_slice(&version.stdout).unwrap();
    assert_eq!(version["version"], VERSION);
    assert_ne!(version["commit"], "unknown");
    let help = stdout_of(inside(&["--help"]), "nfsprov --help");
    assert!(help.contains("Usage: nfsprov"), "{help}");
    let yaml = inside(&["create", "pvc", "data", "--size", "1Gi", "--class", "nfs"]);
    assert!(String::from_utf8_lossy(&yaml.stdout).contains("kind: PersistentVolumeClaim"));

    // A static program resolves names itself; glibc would load libraries, which do not exist here.
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/hosts"), "127.0.0.1 api.example\n").unwrap();
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
        contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n\
        clusters: [{name: c, cluster: {server: 'https://api.example:1', certificate-authority: /ca.pem}}]\n";
    // Without an authority in the kubeconfig, nfsprov loads the system's authorities, which do not exist here.
    fs::copy("/etc/ssl/certs/ca-certificates.crt", root.path().join("ca.pem")).unwrap();
    fs::write(root.path().join("kubeconfig"), kubeconfig).unwrap();
    let status = inside(&["status", "--kubeconfig", "/kubeconfig"]);
    let output_text = String::from_utf8_lossy(&status.stderr);
    assert!(
        status.status.code() == Some(1) && output_text.contains("onnection refused"),
        "{output_text}"
    );
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_checksums_are_those_of_the_files() {
    let dist = format!("{ROOT}/dist");
    let checked = done("sh", &["-c", "cd \"$1\" && sha256sum --check SHA256SUMS", "sh", &dist]);
    let files = fs::read_dir(&dist).unwrap().count();
    assert_eq!(checked.lines().count(), files - 1, "{checked}");
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn packing_the_same_program_again_gives_the_same_files() {
    let again = tempfile::tempdir().unwrap();
    let mut build = Command::new(format!("{ROOT}/packaging/build"));
    // The variables of this cargo run would make cargo compile ring and its dependents again.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            build.env_remove(name);
        }
    }
    let build = build
        .env("NFSPROV_DIST", again.path())
        .env("ARCH", architecture())
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let sums = |directory: &Path| fs::read_to_string(directory.join("SHA256SUMS")).unwrap();
    let (again, dist) = (sums(again.path()), sums(&Path::new(ROOT).join("dist")));
    // Files of the other architecture may be of another commit. If there are any, these two name them.
    let is_of_both = |line: &str| ["krew.yaml", "-image.tar"].iter().any(|name| line.ends_with(name));
    let is_compared = |line: &&str| again.lines().count() == dist.lines().count() || !is_of_both(line);
    let compared: Vec<&str> = again.lines().filter(is_compared).collect();
    assert!(compared.iter().any(|line| line.contains(&architecture())), "{again}");
    for line in compared {
        assert!(dist.lines().any(|other| other == line), "{line} is not in\n{dist}");
    }
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_archive_for_sites_without_a_network_is_complete() {
    let archive = artifact("nfsprov-", &format!("-airgap-{}.tar", architecture()));
    let directory = tempfile::tempdir().unwrap();
    done("tar", &["-xf", text(&archive), "-C", text(directory.path())]);
    let check = "cd \"$1\" && sha256sum --strict --check SHA256SUMS";
    let checked = done("sh", &["-c", check, "sh", text(directory.path())]);
    for file in [
        format!("-linux-{}", architecture()),
        format!("-image-{}.tar", architecture()),
        format!("nfsprov-chart-{VERSION}.tgz"),
    ] {
        let line = format!("{file}: OK");
        assert!(
            checked.lines().any(|found| found.ends_with(&line)),
            "{file} is not in {checked}"
        );
    }
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn krew_gets_a_plugin_that_answers_as_one() {
    let manifest = fs::read_to_string(format!("{ROOT}/dist/krew.yaml")).unwrap();
    let manifest: serde_json::Value = serde_yaml::from_str(&manifest).unwrap();
    assert_eq!(manifest["spec"]["version"], format!("v{VERSION}"));
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    let is_tested = |platform: &&serde_json::Value| platform["selector"]["matchLabels"]["arch"] == architecture();
    let platform = platforms.iter().find(is_tested).unwrap();
    let archive = artifact("kubectl-nfsprov-", &format!("-linux-{}.tar.gz", architecture()));
    let name = archive.file_name().unwrap().to_str().unwrap();
    assert!(platform["uri"].as_str().unwrap().ends_with(name), "{platform}");
    let digest = done("sha256sum", &[text(&archive)]);
    assert_eq!(platform["sha256"], digest.split(' ').next().unwrap());
    let directory = tempfile::tempdir().unwrap();
    done("tar", &["-xzf", text(&archive), "-C", text(directory.path())]);
    let plugin = directory.path().join(platform["bin"].as_str().unwrap());
    let help = stdout_of(run_tested(&plugin, &["doctor", "--help"]), "the plugin");
    assert!(help.contains("Usage: kubectl nfsprov doctor"), "{help}");
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_sbom_names_the_crates_that_are_linked() {
    let sbom = fs::read_to_string(artifact("nfsprov-", "-sbom.cdx.json")).unwrap();
    let sbom: serde_json::Value = serde_json::from_str(&sbom).unwrap();
    let components = sbom["components"].as_array().unwrap();
    let names: Vec<_> = components
        .iter()
        .map(|component| component["name"].as_str().unwrap())
        .collect();
    for linked in ["kube", "openssl-src", "ssh2", "nfs-rs"] {
        assert!(names.contains(&linked), "{linked} is not among {}", names.len());
    }
    assert!(!names.contains(&"insta"), "a library of the tests");
}
