//! The command as a process, without a cluster: stdout, stderr and exit status, whole.

use std::process::{Command, Stdio};

use nfsprov_lab::Lane;

/// The note on a PV that is kept.
const RETAIN: &str = "stays Released; no other claim gets it until you make it Available again\n";

/// Runs the tool with nothing of this machine's own configuration.
fn nfsprov(args: &str) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    for name in [
        "KUBECONFIG",
        "NFS_SERVER",
        "NFS_PATH",
        "PROVISIONER_NAME",
        "NFSPROV_SERVER",
        "NFSPROV_PATH",
        "NFSPROV_PROVISIONER",
        "RUST_LOG",
        "KUBERNETES_SERVICE_HOST",
    ] {
        command.env_remove(name);
    }
    command.env("HOME", "/nonexistent").stdin(Stdio::null());
    let output = command.args(args.split_whitespace()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

#[test]
fn manifests_are_what_the_document_writes_by_hand() {
    for (args, yaml) in [
        (
            "create pv mypv --server 10.128.1.117 --path /nfsdata --size 1Gi --access-mode RWO",
            r#"apiVersion: v1
kind: PersistentVolume
metadata:
  name: "mypv"
spec:
  capacity:
    storage: "1Gi"
  accessModes:
    - "ReadWriteOnce"
  persistentVolumeReclaimPolicy: "Retain"
  storageClassName: "nfs"
  nfs:
    server: "10.128.1.117"
    path: "/nfsdata"
"#,
        ),
        (
            "create pvc mypvc --size 1Gi --access-mode ReadWriteOnce --class nfs",
            r#"apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: "mypvc"
spec:
  accessModes:
    - "ReadWriteOnce"
  storageClassName: "nfs"
  resources:
    requests:
      storage: "1Gi"
"#,
        ),
        (
            "create storageclass managed-nfs-storage --default --dir-mode 0770 --mount-option nfsvers=4.1",
            r#"apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: "managed-nfs-storage"
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: "nfsprov/nfs"
reclaimPolicy: "Delete"
volumeBindingMode: "Immediate"
mountOptions:
  - "nfsvers=4.1"
parameters:
  onDelete: "archive"
  dirMode: "0770"
"#,
        ),
        (
            "create pv v -n ignored --server fd00::1 --path /a/ --size 5.5Ti --access-mode RWX --access-mode ROX \
             --label tier=gold --claim team/data --mount-option ro --mount-option soft --class archive",
            r#"apiVersion: v1
kind: PersistentVolume
metadata:
  name: "v"
  labels:
    "tier": "gold"
spec:
  capacity:
    storage: "5.5Ti"
  accessModes:
    - "ReadWriteMany"
    - "ReadOnlyMany"
  persistentVolumeReclaimPolicy: "Retain"
  storageClassName: "archive"
  mountOptions:
    - "ro"
    - "soft"
  claimRef:
    namespace: "team"
    name: "data"
  nfs:
    server: "fd00::1"
    path: "/a"
"#,
        ),
    ] {
        let quiet = format!("{args} -q");
        assert_eq!(nfsprov(&quiet), (yaml.to_owned(), String::new(), 0), "{args}");
        let (stdout, stderr, code) = nfsprov(args);
        assert_eq!((stdout, code), (yaml.to_owned(), 0), "{args}");
        assert!(stderr.is_empty() || stderr.ends_with(RETAIN), "{args}: {stderr}");
    }
}

/// The objects of a YAML text, in an order that does not depend on it.
fn objects(yaml: &str) -> Vec<serde_json::Value> {
    use serde::Deserialize;
    let documents = serde_yaml::Deserializer::from_str(yaml);
    documents
        .map(|document| serde_json::Value::deserialize(document).unwrap())
        .collect()
}

#[test]
fn the_documents_files_come_out_of_one_command_each() {
    for (file, args) in [
        (
            "nfs-pv.yml",
            "create pv mypv --server 10.128.1.117 --path /nfsdata --size 1Gi --access-mode ReadWriteOnce \
             --reclaim-policy Recycle --class nfs",
        ),
        (
            "nfs-pvc.yml",
            "create pvc mypvc --size 1Gi --access-mode RWO --class nfs",
        ),
        ("pod.yml", "create pod mypod --claim mypvc"),
        (
            "nginx.yaml",
            "create statefulset web --app nginx --class managed-nfs-storage --image wangyanglinux/myapp:v1 \
             --node-port 30012",
        ),
        (
            "deployment.yaml",
            "create provisioner --flavor upstream --server 10.128.1.117 --path /nfsdata --provisioner fuseim.pri/ifs \
             --image gcr.io/k8s-staging-sig-storage/nfs-subdir-external-provisioner:v4.0.0",
        ),
    ] {
        let path = format!("{}/tests/document/{file}", env!("CARGO_MANIFEST_DIR"));
        let wanted = objects(&std::fs::read_to_string(path).unwrap());
        let (yaml, stderr, code) = nfsprov(args);
        assert_eq!(code, 0, "{args}: {stderr}");
        let mut given = objects(&yaml);
        if file == "deployment.yaml" {
            // The document has the other objects from the network, and does not show them.
            let kinds: Vec<_> = given.iter().map(|object| object["kind"].clone()).collect();
            let all = [
                "ServiceAccount",
                "ClusterRole",
                "ClusterRoleBinding",
                "Role",
                "RoleBinding",
                "Deployment",
                "StorageClass",
            ];
            assert_eq!(kinds, all);
            given.retain(|object| object["kind"] == "Deployment");
        }
        assert_eq!(given, wanted, "{args}");
    }
}

#[test]
fn a_provisioner_of_several_replicas_elects_one() {
    let create = "create provisioner --server s --path /p -n storage";
    let alone = nfsprov(&format!("{create} --replicas 1")).0;
    assert!(
        !alone.contains("--leader-elect") && !alone.contains("leases"),
        "{alone}"
    );
    let three = nfsprov(&format!("{create} --replicas 3")).0;
    let two = nfsprov(create).0;
    assert_eq!(
        two.replace("replicas: 2\n", "replicas: 3\n"),
        three,
        "the default is two"
    );
    assert!(
        three.contains("- --leader-elect\n") && three.contains(r#"resources: ["leases"]"#),
        "{three}"
    );
    for yaml in [&alone, &three] {
        for part in [
            r#"name: "nfsprov:storage:nfsprov""#,
            "--metrics-addr=0.0.0.0:9100",
            "path: /healthz",
            "path: /readyz",
            r#"value: "nfsprov/nfs""#,
            r#"name: "managed-nfs-storage""#,
        ] {
            assert!(yaml.contains(part), "{part}\n{yaml}");
        }
    }
    // Nothing can be locked under such a name, and for one replica nothing need be.
    let (_, stderr, code) = nfsprov(&format!("{create} --replicas 3 --provisioner a/B"));
    assert!(code == 2 && stderr.contains("upper-case"), "{stderr}");
    let (yaml, _, code) = nfsprov(&format!("{create} --provisioner a/B"));
    assert!(code == 0 && !yaml.contains("kind: Role\n"), "{yaml}");
}

#[test]
fn files_are_written_but_not_over_others() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out").display().to_string();
    let create = format!("create statefulset web --class c --output-dir {directory}");
    let (stdout, _, code) = nfsprov(&create);
    let wanted = format!("{directory}/web-service.yaml written\n{directory}/web-statefulset.yaml written\n");
    assert_eq!((stdout, code), (wanted, 0));
    let (service, set) = (
        std::fs::read_to_string(format!("{directory}/web-service.yaml")).unwrap(),
        std::fs::read_to_string(format!("{directory}/web-statefulset.yaml")).unwrap(),
    );
    assert_eq!(
        nfsprov("create statefulset web --class c").0,
        format!("{service}---\n{set}")
    );
    assert_eq!(nfsprov(&create).0, wanted_unchanged(&directory));
    let other = format!("{create} --replicas 2");
    let (stdout, stderr, code) = nfsprov(&other);
    assert_eq!((stdout.as_str(), code), ("", 2), "{stderr}");
    assert_eq!(
        stderr,
        format!("error: {directory}/web-statefulset.yaml would be overwritten, and differs; --yes overwrites\n")
    );
    let (stdout, _, code) = nfsprov(&format!("{other} --yes"));
    assert!(code == 0 && stdout.contains("web-service.yaml unchanged\n") && stdout.contains("set.yaml written\n"));
}

fn wanted_unchanged(directory: &str) -> String {
    format!("{directory}/web-service.yaml unchanged\n{directory}/web-statefulset.yaml unchanged\n")
}

#[test]
fn templates_are_exported_edited_and_used() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("templates").display().to_string();
    let export = format!("templates export {directory}");
    let (stdout, stderr, code) = nfsprov(&export);
    assert_eq!((stdout.lines().count(), stderr.as_str(), code), (7, "", 0));
    let create = format!("create pvc c --size 1Gi --template-dir {directory}");
    assert_eq!(nfsprov(&create), nfsprov("create pvc c --size 1Gi"));
    let file = format!("{directory}/pvc.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let last = text.lines().count();
    // A field more, a name misspelt, a field misspelt: used, and refused twice.
    std::fs::write(&file, text.replace("spec:\n", "spec:\n  volumeMode: Filesystem\n")).unwrap();
    assert!(nfsprov(&create).0.contains("spec:\n  volumeMode: Filesystem\n"));
    for (from, to, said) in [
        (
            "{{ size }}",
            "{{ sise }}",
            format!("template {file}, line {last}: \"sise\" stands for nothing; known are "),
        ),
        (
            "storage:",
            "storrage: {{ nothing.at.all }}",
            format!("template {file}, line {last}: "),
        ),
        (
            "accessModes",
            "acessModes",
            format!("template {file}: PersistentVolumeClaim has no field spec.acessModes"),
        ),
    ] {
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let (stdout, stderr, code) = nfsprov(&create);
        assert_eq!((stdout.as_str(), code), ("", 1), "{stderr}");
        assert!(stderr.starts_with(&format!("error: {said}")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let (_, stderr, code) = nfsprov(&export);
    assert!(
        code == 2 && stderr.contains("pvc.yaml would be overwritten"),
        "{stderr}"
    );
    assert_eq!(nfsprov(&format!("{export} --yes")).2, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    std::fs::remove_file(&file).unwrap();
    let (yaml, stderr, code) = nfsprov(&create);
    assert!(code == 0 && yaml.contains("PersistentVolumeClaim"), "{stderr}");
    assert_eq!(
        stderr,
        format!("note: {directory} has no pvc.yaml; the built-in template is used\n")
    );
}

#[test]
fn what_cannot_work_is_one_sentence_and_exit_2() {
    let pv = "create pv v --server s --path /p --size 1Gi";
    for (args, words) in [
        ("create pv v --server s --path /p --size 1G1", "1Gi, 500Mi or 1.5T"),
        ("create pv V --server s --path /p --size 1Gi", "lower-case"),
        ("create pv v --server s --path p --size 1Gi", "absolute"),
        ("create pv v --server s:/p --path /p --size 1Gi", "without path or port"),
        ("create pv v --path /p --size 1Gi", "--server"),
        (&format!("{pv} --access-mode RWZ"), "RWX"),
        (&format!("{pv} --reclaim-policy Delete"), "no deleter for NFS"),
        (&format!("{pv} --reclaim-policy delete"), "Retain, Recycle, Delete"),
        (&format!("{pv} --claim c"), "NAMESPACE/NAME"),
        (&format!("{pv} --mount-option ro,soft"), "one word"),
        (&format!("{pv} --wait"), "--apply"),
        (&format!("{pv} --acess-mode RWX"), "--access-mode"),
        ("create pvc", "--size"),
        ("create pvc c --size 0", "more than zero"),
        ("create storageclass c --reclaim-policy Recycle", "Delete or Retain"),
        ("create storageclass c --dir-mode rwx", "octal"),
        ("create storageclass c --provisioner a/b/c", "nfsprov/nfs"),
        ("create storageclass c --server s", "--path"),
        ("provision --server s --path p", "absolute"),
        ("provision --path /p", "--server"),
        ("provision --server s --path /p --via smb", "nfs, ssh://"),
        ("provision --server s --path /p --concurrency 0", "1..=1024"),
        ("provision --server s --path /p --request-timeout soon", "30s or 2m"),
        ("provision --server s --path /p --leader-elect", "--watch"),
        (
            "provision --server s --path /p --watch --lease-namespace n",
            "--leader-elect",
        ),
        (
            "provision --server s --path /p --watch --leader-elect --dry-run",
            "--dry-run",
        ),
        (
            "provision --server s --path /p --watch --leader-elect --name a/B",
            "upper-case",
        ),
        ("provision --server s --path /p --metrics-addr 127.0.0.1:0", "--watch"),
        (
            "provision --server s --path /p --watch --metrics-addr 9100",
            "0.0.0.0:9100",
        ),
        ("status -o yml", "table, wide, json"),
        ("status --sizes --watch", "cannot be used with"),
        ("status --server s", "--path"),
        ("status --sizes --via dir:/mnt", "--server and --path"),
        ("status --via dir:/mnt", "--server and --path"),
        ("release", "PV"),
        ("release v", "--keep-data"),
        ("release v --keep-data --scrub", "cannot be used with"),
        ("volumes list", "--server"),
        ("volumes orphans --server s --path /p --yes", "--remove-empty"),
        ("volumes rebuild --server s --path /p --yes", "--apply"),
        (
            "volumes rebuild --server s --path /p --apply -o json",
            "cannot be used with",
        ),
        ("volumes rebuild --server s --path /p --claim c", "NAMESPACE/NAME"),
        ("volumes adopt a --server s --path /p", "--claim"),
        (
            "volumes adopt ../a --server s --path /p --claim n/c",
            "no directory name",
        ),
        ("volumes adopt / --server s --path /p --claim n/c", "export's root"),
        ("volumes expire --server s --path /p", "--older-than"),
        ("volumes expire --server s --path /p --older-than 30", "30d or 12h"),
        ("volumes expire --server s --path /p --keep-total much", "100Gi"),
        (
            "volumes expire --server s --path /p --keep-total 1Gi --yes --dry-run",
            "cannot be used with",
        ),
        ("stauts", "status"),
    ] {
        let (stdout, stderr, code) = nfsprov(args);
        assert_eq!((stdout.as_str(), code), ("", 2), "{args}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(words),
            "{args}: {stderr}"
        );
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args}: {stderr}");
    }
}

#[test]
fn what_cannot_be_set_up_is_one_sentence_and_exit_2() {
    for (args, words) in [
        ("setup-server nfs", "--nodes-from-cluster, or --allow CLIENT"),
        ("setup-server", "HOST"),
        (
            "setup-server root:secret@nfs --allow 10.0.0.1",
            "no place on the command line",
        ),
        ("setup-server nfs --allow 10.0.0.*", "10.0.0.*"),
        ("setup-server nfs --allow 10.0.0.5/24", "10.0.0.0/24"),
        ("setup-server nfs --allow 10.0.0.0/33", "33"),
        ("setup-server nfs --allow [fd00::1]", "fd00::1"),
        ("setup-server nfs --allow a;b", "';'"),
        ("setup-server nfs --allow 10.0.0.1 --export nfsdata", "nfsdata"),
        ("setup-server nfs --allow 10.0.0.1 --export /", "/"),
        ("setup-server nfs --allow 10.0.0.1 --export /a/../b", "/a/../b"),
        (
            "setup-server nfs --allow 10.0.0.1 --options rw,no_such_option",
            "no_such_option",
        ),
        ("setup-server nfs --allow 10.0.0.1 --options (rw)", "'('"),
        ("setup-server nfs --allow 10.0.0.1 --mode 888", "a mode is octal"),
        ("setup-server nfs --allow 10.0.0.1 --owner -R", "-R"),
        ("setup-server nfs --allow 10.0.0.1 --owner=-R", "USER:GROUP"),
        (
            "setup-server nfs --allow 10.0.0.1 --nfs-version 2",
            "possible values: 3, 4, all",
        ),
        (
            "setup-server nfs --allow 10.0.0.1 --exports-file /etc/exports.d/a.conf",
            "no file that exportfs reads",
        ),
        ("setup-server nfs --allow 10.0.0.1 --sudo-password-file f", "--sudo"),
        ("setup-client", "required"),
        ("setup-client node --server nfs:/x", "without path or port"),
        ("teardown-server nfs", "--export <PATH>"),
    ] {
        let (stdout, stderr, code) = nfsprov(args);
        assert_eq!((stdout.as_str(), code), ("", 2), "{args}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(words),
            "{args}: {stderr}"
        );
    }
}

#[test]
fn what_is_unwise_is_a_warning() {
    let (stdout, stderr, code) = nfsprov("create pv v --server s --path /p --size 1Gi --reclaim-policy Recycle");
    assert!(stdout.contains(r#"persistentVolumeReclaimPolicy: "Recycle""#) && code == 0);
    assert!(stderr.starts_with("warning: Recycle is deprecated"), "{stderr}");
    for (args, words) in [
        (
            "create storageclass c --path-pattern fixed",
            "warning: --path-pattern fixed is the same for every claim",
        ),
        (
            "create storageclass c --reclaim-policy Retain --on-delete delete",
            "warning: --on-delete has no effect with --reclaim-policy Retain",
        ),
        (
            "create statefulset s --class c --node-port 80",
            "warning: --node-port 80 is outside of 30000 to 32767",
        ),
        (
            "create provisioner --server s --path /p",
            "note: the image ghcr.io/nfsprov/nfsprov:",
        ),
    ] {
        let (stdout, stderr, code) = nfsprov(args);
        assert!(
            code == 0 && !stdout.is_empty() && stderr.starts_with(words),
            "{args}: {stderr}"
        );
        assert_eq!(nfsprov(&format!("{args} -q")), (stdout, String::new(), 0));
    }
    // Without it, such a class has no parameter of which the provisioner would warn.
    let (stdout, stderr, code) = nfsprov("create storageclass c --reclaim-policy Retain");
    assert!(
        !stdout.contains("parameters") && stderr.is_empty() && code == 0,
        "{stdout}{stderr}"
    );
}

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
    // A port that nothing listens on.
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
        clusters: [{name: c, cluster: {server: \"http://127.0.0.1:1\"}}]\n\
        contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n";
    std::fs::write(&kubeconfig, text).unwrap();
    let kubeconfig = kubeconfig.display();
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
fn what_the_doctor_can_not_read_it_does_not_pass() {
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
        "what waits is named: {stdout}"
    );
    assert!(stdout.contains("not read: persistentvolumes"), "{stdout}");
    let left_out = stdout.split_once("Not checked:").map_or("", |(_, after)| after);
    assert!(left_out.contains("NFS101"), "{stdout}");
    let (_, stderr, code) = nfsprov(&format!("doctor --from-dump {directory} nothing"));
    assert_eq!(code, 3);
    assert!(stderr.contains("claim nothing not found in namespace b"), "{stderr}");
}

#[test]
fn what_others_wrote_is_shown_and_not_obeyed() {
    // Clears the screen, writes to the clipboard, clears it again in eight bits, and turns the text around.
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
    // The last line of a command that failed.
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
fn the_version_names_what_it_is_tested_on() {
    let (text, said, code) = nfsprov("version -o json");
    assert_eq!((said.as_str(), code), ("", 0));
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
    let output = Command::new(&plugin).args(["create", "pv", "--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
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
    ];
    let run = |args: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
        command
            .envs(theirs)
            .envs(ours)
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null());
        let output = command.args(args.split_whitespace()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let volume = run("create pv v --size 1Gi");
    assert!(volume.contains("10.0.0.2") && volume.contains("/ours"), "{volume}");
    let class = run("create storageclass c");
    assert!(class.contains("our/name"), "{class}");
    let help = run("provision --help");
    assert!(
        help.contains("NFS_SERVER=10.0.0.1") && help.contains("PROVISIONER_NAME=their/name"),
        "{help}"
    );
}
