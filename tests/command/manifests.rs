//! `create` and `templates` without a cluster: manifests on stdout and in files.

use crate::support::nfsprov;

/// The note on a PV with policy Retain.
const RETAIN: &str = "stays Released; no other claim gets it until you make it Available again\n";

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

/// The objects of a YAML text, in an order independent of the text.
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
            // The document downloads the other objects and does not show them.
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
    // Such a name cannot be the name of a Lease; a single replica needs none.
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
    // An additional field is used; a misspelled name and a misspelled field are rejected.
    std::fs::write(&file, text.replace("spec:\n", "spec:\n  volumeMode: Filesystem\n")).unwrap();
    assert!(nfsprov(&create).0.contains("spec:\n  volumeMode: Filesystem\n"));
    for (from, to, expected_message) in [
        (
            "{{ size }}",
            "{{ sise }}",
            format!("template {file}, line {last}: \"sise\" is not a value of this template; known are "),
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
        assert!(stderr.starts_with(&format!("error: {expected_message}")), "{stderr}");
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
    // Without the option, the class lacks the parameter, about which the provisioner would warn.
    let (stdout, stderr, code) = nfsprov("create storageclass c --reclaim-policy Retain");
    assert!(
        !stdout.contains("parameters") && stderr.is_empty() && code == 0,
        "{stdout}{stderr}"
    );
}
