//! The command as a process, without a cluster: stdout, stderr and exit status, whole.

use std::process::{Command, Stdio};

/// Runs the tool with nothing of this machine's own configuration.
fn nfsprov(args: &str) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    for name in [
        "KUBECONFIG",
        "NFS_SERVER",
        "NFS_PATH",
        "PROVISIONER_NAME",
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
        assert_eq!(nfsprov(args), (yaml.to_owned(), String::new(), 0), "{args}");
    }
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
        (
            "provision --server s --path /p --via smb",
            "nfs, ssh://[USER@]HOST[:PORT] or dir:/MOUNT",
        ),
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
fn what_is_unwise_is_a_warning() {
    let (stdout, stderr, code) = nfsprov("create pv v --server s --path /p --size 1Gi --reclaim-policy Recycle");
    assert!(stdout.contains(r#"persistentVolumeReclaimPolicy: "Recycle""#) && code == 0);
    assert!(stderr.starts_with("warning: Recycle is deprecated"), "{stderr}");
}

#[test]
fn without_a_cluster_it_is_one_sentence_and_exit_1() {
    for args in [
        "status",
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
