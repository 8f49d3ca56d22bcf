//! `setup-server --config`: servers, exports and nodes from a file.

use crate::support::nfsprov;

fn run(file: &str, options: &str) -> (String, String, i32) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nfsprov.yaml");
    std::fs::write(&path, file).unwrap();
    nfsprov(&format!("setup-server --config {} {options}", path.display()))
}

#[test]
fn every_export_and_node_of_the_file_is_set_up() {
    // No process listens on these ports, so each login fails.
    let file = "servers:
- {host: root@127.0.0.1:1, exports: [{path: /a}]}
- {host: root@127.0.0.1:3, exports: [{path: /a}]}
- {host: root@127.0.0.1:1, exports: [{path: /b}]}
nodes: [root@127.0.0.1:2]
";
    let (stdout, stderr, status) = run(file, "--dry-run -o json");
    assert_eq!(status, 1, "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let hosts = report["hosts"].as_array().unwrap().iter();
    let hosts: Vec<_> = hosts
        .map(|host| (host["host"].as_str().unwrap(), host["role"].as_str().unwrap()))
        .collect();
    let expected = [
        ("127.0.0.1:1", "server"),
        ("127.0.0.1:1", "server"),
        ("127.0.0.1:3", "server"),
        ("127.0.0.1:2", "client"),
    ];
    assert_eq!(hosts, expected, "an entry for each export, and one for the node");
}

#[test]
fn a_wrong_file_is_one_sentence_that_names_it() {
    for (file, options, words) in [
        ("servers: [", "", "nfsprov.yaml: "),
        ("hosts: []", "", "unknown field `hosts`"),
        (
            "servers: [{host: nfs, exports: [{path: /a, allow: [10.0.0.5/24]}]}]",
            "",
            "nfsprov.yaml: invalid value '10.0.0.5/24' for '--allow <CLIENT>'",
        ),
        (
            "servers: [{host: nfs, exports: [{path: a}]}]",
            "",
            "nfsprov.yaml: invalid value 'a' for '--export <PATH>'",
        ),
        (
            "servers: [{host: 'a:b@c', exports: [{path: /a}]}]",
            "",
            "no place on the command line",
        ),
        (
            "servers: [{host: nfs, exports: [{path: /a}]}]",
            "",
            "--nodes-from-cluster, or --allow CLIENT",
        ),
        (
            "servers: [{host: nfs, exports: [{path: /a, allow: ['*']}, {path: /a, allow: [10.0.0.1]}]}]",
            "",
            "the export /a of nfs is named twice",
        ),
        ("", "--export /a", "cannot be used with"),
        ("", "--quota", "cannot be used with"),
        ("", "nfs", "cannot be used with"),
    ] {
        let (stdout, stderr, status) = run(file, options);
        assert_eq!((stdout.as_str(), status), ("", 2), "{file}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(words),
            "{file}: {stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{file}: {stderr}");
    }
    let (_, stderr, status) = nfsprov("setup-server --config /nonexistent.yaml");
    assert!(
        status == 1 && stderr.contains("cannot read /nonexistent.yaml"),
        "{stderr}"
    );
}
