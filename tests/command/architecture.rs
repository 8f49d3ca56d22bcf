//! Checks the rules of ARCHITECTURE.md in the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file without its tests, by its path relative to `src/`.
pub fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap();
        let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let tests = ["\n#[cfg(test)]\nmod tests", "\n#[cfg(test)]\n#[path = "];
            let end = tests.iter().filter_map(|start| text.find(start)).min();
            let code = text[..end.unwrap_or(text.len())].to_owned();
            found.push((name, code));
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// Whether code names a module or crate in a path.
fn mentions(code: &str, path: &str) -> bool {
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| line.contains(path))
}

/// Files of `commands/` that several subcommands share.
const SHARED: [&str; 3] = ["mod", "access", "host_run"];

#[test]
fn arrows_run_one_way() {
    // A prefix of file names, and the modules that these files must not import.
    let rules = [
        (
            "export/",
            &[
                "crate::provisioner",
                "crate::volumes",
                "crate::manifest",
                "crate::cluster",
                "crate::output",
            ][..],
        ),
        (
            "host/",
            &[
                "crate::provisioner",
                "crate::manifest",
                "crate::export",
                "crate::cluster",
                "crate::volumes",
                "crate::output",
            ],
        ),
        (
            "manifest/",
            &[
                "crate::provisioner",
                "crate::export",
                "crate::host",
                "crate::volumes",
                "crate::output",
                "crate::change",
            ],
        ),
        (
            "provisioner/",
            &[
                "crate::manifest",
                "crate::host",
                "crate::volumes",
                "crate::output",
                "crate::doctor",
            ],
        ),
        (
            "volumes/",
            &["crate::manifest", "crate::output", "crate::doctor", "crate::host"],
        ),
        (
            "cluster",
            &[
                "crate::provisioner",
                "crate::volumes",
                "crate::manifest",
                "crate::export",
                "crate::host",
                "crate::output",
                "crate::doctor",
            ],
        ),
        ("doctor/", &["crate::export", "crate::output", "crate::control_plane"]),
        (
            "control_plane/",
            &[
                "crate::provisioner",
                "crate::volumes",
                "crate::export",
                "crate::output",
                "crate::doctor",
            ],
        ),
        (
            "change",
            &[
                "crate::provisioner",
                "crate::volumes",
                "crate::export",
                "crate::output",
                "crate::doctor",
                "crate::control_plane",
            ],
        ),
        ("diff.rs", &["crate::"]),
        ("escape.rs", &["crate::"]),
        ("shell.rs", &["crate::"]),
        ("yaml.rs", &["crate::"]),
        // It imports only escape.rs and yaml.rs, by `super`.
        ("output.rs", &["crate::"]),
    ];
    let sources = sources();
    let commands: Vec<&str> = sources
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("commands/")?.strip_suffix(".rs"))
        .filter(|name| !name.contains('/') && !SHARED.contains(name))
        .collect();
    assert!(commands.contains(&"create"), "{commands:?}");
    for (name, code) in &sources {
        for (prefix, forbidden) in rules {
            for path in forbidden.iter().filter(|_| name.starts_with(prefix)) {
                assert!(!mentions(code, path), "{name} uses {path}");
            }
        }
        // Each subcommand has its own file or folder; subcommands do not import each other.
        if let Some(own) = name.strip_prefix("commands/").filter(|own| *own != "mod.rs") {
            let own = own.split(['/', '.']).next().unwrap_or_default();
            for other in commands.iter().filter(|other| **other != own) {
                for path in [format!("super::{other}"), format!("crate::commands::{other}")] {
                    assert!(!mentions(code, &path), "{name} uses {path}");
                }
            }
        }
        let outer = ["commands/", "cli/", "cli.rs", "lib.rs", "main.rs"]
            .iter()
            .any(|outer| name.starts_with(outer));
        for path in ["crate::commands", "crate::cli"].iter().filter(|_| !outer) {
            assert!(!mentions(code, path), "{name} uses {path}");
        }
    }
}

#[test]
fn what_decides_is_pure() {
    let pure = [
        "commands/setup/clients.rs",
        "commands/setup/config.rs",
        "commands/setup/decision.rs",
        "provisioner/rules/claim.rs",
        "provisioner/rules/class.rs",
        "provisioner/rules/pattern.rs",
        "provisioner/rules/volume.rs",
        "provisioner/rules/neighbours.rs",
        "provisioner/rules/backoff.rs",
        "provisioner/rules/election.rs",
        "provisioner/rules/record.rs",
        "provisioner/rules/record/schema.rs",
        "export/path.rs",
        "export/rounds.rs",
        "export/system.rs",
        "export/wire/options.rs",
        "export/ssh/script.rs",
        "host/distro.rs",
        "host/exports_file.rs",
        "host/block.rs",
        "host/container_runtime.rs",
        "host/exports_file/client.rs",
        "host/exports_file/conflicts.rs",
        "host/exports_file/lexer.rs",
        "host/exports_file/listing.rs",
        "host/exports_file/options.rs",
        "host/exports_file/unwritten.rs",
        "host/exports_file/values.rs",
        "host/facts.rs",
        "host/facts/parse.rs",
        "host/firewall.rs",
        "host/fstab.rs",
        "host/known_hosts.rs",
        "host/nfs_conf.rs",
        "host/plan.rs",
        "host/plan/client.rs",
        "host/plan/exports.rs",
        "host/plan/firewall.rs",
        "host/plan/firewall/ufw.rs",
        "host/plan/nfs_server.rs",
        "host/plan/quota.rs",
        "host/plan/server.rs",
        "host/plan/services.rs",
        "host/plan/teardown.rs",
        "host/proof.rs",
        "host/quota.rs",
        "host/ssh_settings.rs",
        "host/key_file.rs",
        "host/script.rs",
        "host/target.rs",
        "volumes/amount.rs",
        "volumes/archive_name.rs",
        "volumes/archives.rs",
        "volumes/directories.rs",
        "volumes/overview.rs",
        "volumes/overview/leaders.rs",
        "volumes/place.rs",
        "volumes/release.rs",
        "manifest/handover.rs",
        "manifest/validate.rs",
        "manifest/validate/kubernetes.rs",
        "manifest/validate/amounts.rs",
        "manifest/validate/names.rs",
        "manifest/validate/places.rs",
        "manifest/strict.rs",
        "volumes/adopt.rs",
        "volumes/limit.rs",
        "volumes/moved.rs",
        "volumes/rebuild.rs",
        "manifest/values.rs",
        "change.rs",
        "change/edit.rs",
        "change/host_change.rs",
        "diff.rs",
        "diff/mask.rs",
        "escape.rs",
        "shell.rs",
        "image/archive.rs",
        "yaml.rs",
        "cluster/images.rs",
        "cluster/nfs_volumes.rs",
        "cluster/object.rs",
        "cluster/provisioners.rs",
        "cluster/quantity.rs",
        "cluster/snapshot.rs",
        "cluster/snapshot/convert.rs",
        "cluster/snapshot/convert/workloads.rs",
        "cluster/snapshot/workloads.rs",
        "control_plane/edit.rs",
        "control_plane/files.rs",
        "control_plane/step.rs",
    ];
    let sources = sources();
    let doctors = sources.iter().map(|(name, _)| name.as_str());
    let doctors = doctors.filter(|name| name.starts_with("doctor/") && !name.contains("tests"));
    for name in pure.into_iter().chain(doctors) {
        let (_, code) = sources.iter().find(|(found, _)| found == name).expect(name);
        // Its types have no client.
        let code = &code.replace("use kube::core::", "");
        for impure in [
            "tokio",
            "kube::",
            "std::fs",
            "std::env",
            "std::time::Instant",
            "SystemTime",
            "Timestamp::now",
            "ssh2::",
        ] {
            assert!(!mentions(code, impure), "{name} uses {impure}");
        }
    }
}

#[test]
fn one_library_has_one_place() {
    let places = [
        ("nfs_rs::", "export/wire.rs"),
        ("rustix::fs", "export/mounted.rs"),
        ("rustix::event", "host/ssh.rs"),
        ("ssh2::", "host/ssh.rs"),
        ("use ring::", "host/"),
        ("base64::", "host/"),
        ("prometheus_client::", "provisioner/metrics.rs"),
        ("hyper::", "provisioner/http.rs"),
        ("hyper_util::", "provisioner/http.rs"),
        ("comfy_table::", "output.rs"),
        ("dialoguer::", "output.rs"),
        ("indicatif::", "output.rs"),
        ("clap_complete::", "commands/completions.rs"),
        ("clap_mangen::", "commands/man.rs"),
        ("regex::", "doctor/messages.rs"),
        ("strsim::", "doctor/names.rs"),
        ("similar::", "diff.rs"),
        ("minijinja::", "manifest/render.rs"),
        ("serde_yaml::", "yaml.rs"),
    ];
    // Separate test files may use any library, as tests inside a file may.
    for (name, code) in sources().into_iter().filter(|(name, _)| !name.ends_with("tests.rs")) {
        for (library, place) in places {
            assert!(
                name.starts_with(place.trim_end_matches(".rs")) || !mentions(&code, library),
                "{name} uses {library}, which only {place} may use"
            );
        }
    }
}

/// Domains return typed errors on which callers decide; these files return errors that callers only print.
#[test]
fn anyhow_is_for_commands() {
    let users = [
        "lib.rs",
        "commands/",
        "manifest/render.rs",
        "manifest/templates.rs",
        "cluster/dump.rs",
        "cluster/dump/read.rs",
        "change/",
        "control_plane/node.rs",
    ];
    for (name, code) in sources() {
        assert!(
            users.iter().any(|user| name.starts_with(user)) || !mentions(&code, "anyhow"),
            "{name} uses anyhow"
        );
    }
}

#[test]
fn files_have_one_subject() {
    for (name, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= 500, "{name} has {lines} lines: split it by subject");
    }
}

/// The kinds of results for scripts: the string arguments of `Versioned::new` and `for_scripts`.
#[test]
fn each_kind_of_result_is_documented() {
    let page = include_str!("../../docs/output.md");
    let mut kinds = Vec::new();
    for (file, code) in sources() {
        for call in ["Versioned::new(\"", "for_scripts("] {
            let kind = |rest: &str| rest.split('"').nth(usize::from(call.ends_with('('))).map(str::to_owned);
            let calls = code.split(call).skip(1).filter(|rest| !rest.starts_with("format:"));
            kinds.extend(calls.map(|rest| (file.clone(), kind(rest).unwrap())));
        }
    }
    assert!(kinds.len() > 5, "{kinds:?}");
    for (file, kind) in &kinds {
        assert!(page.contains(&format!("| `{kind}` |")), "{file}: {kind}");
    }
    let second_cells = page
        .lines()
        .filter_map(|line| line.split(" | `").nth(1)?.split('`').next());
    let documented = second_cells.filter(|cell| cell.starts_with(char::is_uppercase));
    for kind in documented {
        assert!(
            kinds.iter().any(|(_, printed)| printed == kind),
            "{kind} is printed by nothing"
        );
    }
}
