//! The command as a process: unreachable clusters, versions, the kubectl plugin, environment variables.

use nfsprov_lab::Lane;

use crate::support::{Nfsprov, nfsprov, write_kubeconfig};

#[test]
fn without_a_cluster_it_is_one_sentence_and_exit_1() {
    for args in [
        "status",
        "status --watch",
        "release v --keep-data",
        "volumes orphans --server 127.0.0.1 --path /p --via dir:/",
        "create pvc c --size 1Gi --apply",
        "provision --server 127.0.0.1 --path /p --via dir:/",
    ] {
        let (stdout, stderr, code) = nfsprov(args);
        assert_eq!((stdout.as_str(), code), ("", 1), "{args}: {stderr}");
        assert!(
            stderr.starts_with("error: kubeconfig ~/.kube/config: "),
            "{args}: {stderr}"
        );
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args}: {stderr}");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let (version, _, code) = nfsprov("--version");
    assert_eq!((version, code), (format!("nfsprov {}\n", env!("CARGO_PKG_VERSION")), 0));
    let (help, stderr, code) = nfsprov("provision --help");
    assert!(help.contains("--watch") && stderr.is_empty() && code == 0);
}

#[test]
fn a_doctor_without_a_cluster_could_not_check() {
    // A port on which no process listens.
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = write_kubeconfig(directory.path(), "http://127.0.0.1:1");
    let (stdout, stderr, code) = nfsprov(&format!("doctor --kubeconfig {kubeconfig}"));
    assert_eq!((stdout.as_str(), code), ("", 3));
    assert!(
        stderr.starts_with("error: cluster at http://127.0.0.1:1 does not answer: "),
        "{stderr}"
    );
    let (stdout, _, code) = nfsprov(&format!("doctor -o json --kubeconfig {kubeconfig}"));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&report["apiVersion"], &report["kind"]),
        (&"nfsprov/v1".into(), &"Report".into())
    );
    assert_eq!((&report["findings"][0]["code"], code), (&"NFS001".into(), 3));
}

#[test]
fn the_version_names_what_it_is_tested_on() {
    let (text, output_text, code) = nfsprov("version -o json");
    assert_eq!((output_text.as_str(), code), ("", 0));
    let version: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&version["apiVersion"], &version["kind"]),
        (&"nfsprov/v1".into(), &"Version".into())
    );
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let tested = Lane::all().map(|lane| lane.version().unwrap());
    assert_eq!(version["testedKubernetes"], serde_json::json!(tested));
    let (text, ..) = nfsprov("version");
    assert!(
        text.starts_with("nfsprov ") && text.contains("tested on Kubernetes: 1.20.2, "),
        "{text}"
    );
}

#[test]
fn as_a_plugin_it_speaks_of_kubectl() {
    let place = tempfile::tempdir().unwrap();
    let plugin = place.path().join("kubectl-nfsprov");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nfsprov"), &plugin).unwrap();
    let text = Nfsprov::called_as(&plugin)
        .args(["create", "pv", "--help"])
        .run()
        .stdout;
    assert!(text.contains("Usage: kubectl nfsprov create pv "), "{text}");
    let (text, ..) = nfsprov("create pv --help");
    assert!(text.contains("Usage: nfsprov create pv "), "{text}");
}

#[test]
fn a_provisioners_variables_are_its_own() {
    let theirs = [
        ("NFS_SERVER", "10.0.0.1"),
        ("NFS_PATH", "/theirs"),
        ("PROVISIONER_NAME", "their/name"),
    ];
    let ours = [
        ("NFSPROV_SERVER", "10.0.0.2"),
        ("NFSPROV_PATH", "/ours"),
        ("NFSPROV_PROVISIONER", "our/name"),
        ("NFSPROV_CLASS", "gold"),
    ];
    let run = |args: &str| {
        let variables = theirs.iter().chain(&ours);
        let program = variables.fold(Nfsprov::new(args.split(' ')), |program, (name, value)| {
            program.env(name, value)
        });
        program.run().stdout
    };
    let volume = run("create pv v --size 1Gi");
    assert!(volume.contains("10.0.0.2") && volume.contains("/ours"), "{volume}");
    let class = run("create storageclass c");
    assert!(class.contains("our/name"), "{class}");
    let claim = run("create pvc c --size 1Gi");
    assert!(claim.contains(r#"storageClassName: "gold""#), "{claim}");
    let refused = Nfsprov::new(["volumes", "list", "--server", "s", "--path", "/p"])
        .env("NFSPROV_VIA", "smb")
        .run();
    assert!(
        refused.status == 2 && refused.stderr.contains("invalid value 'smb'"),
        "{refused:?}"
    );
    // Defaults that status --watch does not use are not errors: it fails because there is no cluster.
    let watched = [
        ("NFSPROV_SERVER", "s"),
        ("NFSPROV_PATH", "/p"),
        ("NFSPROV_VIA", "dir:/mnt"),
    ];
    let program = Nfsprov::new(["status", "--watch", "--kubeconfig", "/nonexistent"]);
    let watched = watched
        .into_iter()
        .fold(program, |program, (name, value)| program.env(name, value))
        .run();
    assert!(
        watched.status == 1 && watched.stderr.contains("/nonexistent"),
        "{watched:?}"
    );
    let help = run("provision --help");
    assert!(
        help.contains("NFS_SERVER=10.0.0.1") && help.contains("PROVISIONER_NAME=their/name"),
        "{help}"
    );
}
