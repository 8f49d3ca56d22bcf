//! Reports of the doctor on dumps: unread kinds, text of tenants, explanations, and large reports.

use crate::support::{Nfsprov, nfsprov};

#[test]
fn kinds_that_the_doctor_cannot_read_are_not_reported_as_healthy() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("nowhere");
    let (stdout, stderr, code) = nfsprov(&format!("doctor --from-dump {}", nowhere.display()));
    assert_eq!((stdout.as_str(), code), ("", 3));
    assert!(stderr.contains("is it a directory?"), "{stderr}");
    let list = r#"{"kind": "List", "items": [{"kind": "PersistentVolumeClaim", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"storageClassName": ""}, "status": {"phase": "Pending"}}]}"#;
    std::fs::write(directory.path().join("pvc.json"), list).unwrap();
    let directory = directory.path().display();
    let (stdout, _, code) = nfsprov(&format!("doctor --from-dump {directory}"));
    assert_eq!(code, 1, "{stdout}");
    assert!(
        stdout.contains("ERROR NFS123  pvc/a -n b"),
        "the Pending claim is not named: {stdout}"
    );
    assert!(stdout.contains("not read: persistentvolumes"), "{stdout}");
    let left_out = stdout.split_once("Not checked:").map_or("", |(_, after)| after);
    assert!(left_out.contains("NFS101"), "{stdout}");
    let (_, stderr, code) = nfsprov(&format!("doctor --from-dump {directory} nothing"));
    assert_eq!(code, 3);
    assert!(stderr.contains("pvc/nothing -n b not found"), "{stderr}");
}

#[test]
fn text_of_other_users_is_escaped() {
    // Clears the screen, writes to the clipboard, clears the screen with an eight-bit code, and reverses the text.
    let hostile = "x\u{1b}[2J\u{1b}]52;c;eA==\u{7}\u{9b}2J\u{202e}";
    let acted_on = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    let nfs = serde_json::json!({"server": "10.77.0.250", "path": "/nfsdata"});
    let name = |name: &str| serde_json::json!({"name": name, "namespace": "a"});
    let objects = serde_json::json!({"kind": "List", "items": [
        {"kind": "PersistentVolume", "metadata": {"name": "v"},
            "spec": {"nfs": nfs, "claimRef": name("c")}, "status": {"phase": "Bound"}},
        {"kind": "PersistentVolumeClaim", "metadata": name("c"),
            "spec": {"volumeName": "v", "storageClassName": "s"}, "status": {"phase": "Bound"}},
        {"kind": "Pod", "metadata": name("p"), "status": {"phase": "Pending"}, "spec": {"nodeName": "n", "containers": [],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]}},
        {"kind": "Event", "metadata": name("e"), "reason": "FailedMount", "lastTimestamp": "2026-01-01T12:00:00Z",
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "a"},
            "message": format!("mount.nfs: access denied by server while mounting {hostile}")},
    ]});
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("all.json"), objects.to_string()).unwrap();
    let dump = directory.path().display();
    for format in ["table", "json", "junit", "sarif"] {
        let (stdout, stderr, _) = nfsprov(&format!("doctor --from-dump {dump} -A -o {format}"));
        assert!(stdout.contains("52;c;eA=="), "{format}: {stdout}{stderr}");
        assert!(
            !stdout.contains(acted_on) && !stderr.contains(acted_on),
            "{format}: {stdout:?}{stderr:?}"
        );
    }
    // The last line of a failed command.
    for args in [
        format!("release v --keep-data --kubeconfig {dump}/{hostile}"),
        format!("doctor --from-dump {hostile}"),
    ] {
        let (_, stderr, code) = nfsprov(&args);
        assert!(code != 0 && stderr.contains(r"x\u{1b}[2J"), "{stderr}");
        assert!(!stderr.contains(acted_on), "{stderr:?}");
    }
}

#[test]
fn findings_are_explained() {
    let (stdout, _, code) = nfsprov("doctor explain 301");
    assert_eq!(code, 0);
    assert!(
        stdout.starts_with("NFS301 (error): the image needs selfLink"),
        "{stdout}"
    );
    let fresh = "curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=";
    assert!(
        stdout.contains(fresh) && stdout.contains("sh -s - --kube-apiserver-arg"),
        "{stdout}"
    );
    let (stdout, _, _) = nfsprov("doctor explain");
    let heading = 1;
    assert_eq!(
        stdout.lines().count(),
        heading + nfsprov::doctor::explain::CATALOGUE.len()
    );
    for wrong in [
        "doctor explain NFS999",
        "doctor --ignore 1",
        "doctor svc/a",
        "doctor -A a",
        "doctor --fail-on info",
    ] {
        let (stdout, stderr, code) = nfsprov(wrong);
        assert_eq!((stdout.as_str(), code), ("", 2), "{wrong}: {stderr}");
    }
}

#[test]
fn a_report_on_1000_claims_fits_a_screen_of_80_columns() {
    let claims = (0..1000).map(|number| {
        serde_json::json!({"kind": "PersistentVolumeClaim", "metadata": {"name": format!("data-{number}"), "namespace": "web"},
            "spec": {"storageClassName": "managed", "resources": {"requests": {"storage": "1Gi"}}},
            "status": {"phase": "Pending"}})
    });
    let class =
        serde_json::json!({"kind": "StorageClass", "metadata": {"name": "managed"}, "provisioner": "nfsprov/nfs"});
    let items: Vec<_> = claims.chain([class]).collect();
    let directory = tempfile::tempdir().unwrap();
    for (file, kind) in [
        ("pv", "PersistentVolume"),
        ("deploy", "Deployment"),
        ("po", "Pod"),
        ("ev", "Event"),
    ] {
        let list = serde_json::json!({"apiVersion": "v1", "kind": format!("{kind}List"), "items": []});
        std::fs::write(directory.path().join(format!("{file}.json")), list.to_string()).unwrap();
    }
    let all = serde_json::json!({"kind": "List", "items": items});
    std::fs::write(directory.path().join("all.json"), all.to_string()).unwrap();
    let dump = directory.path().to_str().unwrap();
    let mut terminal = Nfsprov::new(["doctor", "-A", "--color", "never", "--from-dump", dump]).on_terminal();
    let report = terminal.exp_eof().unwrap().replace("\r\n", "\n");
    assert!(report.contains("and 995 more"), "{report}");
    assert!(
        report.lines().count() <= 60,
        "{} lines: {report}",
        report.lines().count()
    );
    // Commands are not wrapped, so that they can be pasted.
    let is_text = |line: &&str| !line.starts_with("    ");
    for line in report.lines().filter(is_text) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
