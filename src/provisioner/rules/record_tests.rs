use serde_json::json;

use super::*;

const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

fn export() -> Location {
    Location {
        server: "nfs".into(),
        path: "/nfsdata".into(),
    }
}

fn name() -> String {
    format!("pvc-{UID}")
}

/// A bound PV and its claim as a cluster stores them, with what must not get into a record.
fn stored() -> (Value, Value) {
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {
            "name": name(), "uid": "u", "resourceVersion": "5", "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"tier": "gold"},
            "finalizers": ["kubernetes.io/pv-protection", FINALIZER],
            "annotations": {
                PROVISIONED_BY: "nfsprov/nfs", DIRECTORY: format!("team-data-{}", name()), ON_DELETE: "archive",
                QUOTA: "enforce", "pv.kubernetes.io/bound-by-controller": "yes",
            },
            "managedFields": [{"manager": "nfsprov"}],
        },
        "spec": {
            "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "team", "name": "data",
                         "uid": UID, "resourceVersion": "3"},
            "mountOptions": ["nfsvers=4.1"],
            "nfs": {"server": "nfs", "path": format!("/nfsdata/team-data-{}", name()), "readOnly": false},
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "managed", "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound"},
    });
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "namespace": "team", "name": "data", "uid": UID, "resourceVersion": "4",
            "labels": {"app": "web"}, "finalizers": ["kubernetes.io/pvc-protection"],
            "annotations": {
                "nfs.io/storage-path": "a & *b", "pv.kubernetes.io/bind-completed": "yes",
                "volume.kubernetes.io/storage-provisioner": "nfsprov/nfs",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
        },
        "spec": {
            "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "managed", "volumeMode": "Filesystem", "volumeName": name(),
        },
        "status": {"phase": "Bound"},
    });
    (volume, claim)
}

fn record() -> Record {
    let (volume, claim) = stored();
    let (volume, claim) = (
        serde_json::from_value(volume).unwrap(),
        serde_json::from_value(claim).unwrap(),
    );
    Record::of(&volume, Some(&claim), &export()).unwrap()
}

#[test]
fn a_record_is_what_another_cluster_needs_and_reads_back() {
    let record = record();
    let text = record.text();
    let wanted = format!(
        r#"# Written by nfsprov: the volume in this export and its claim, as kubectl apply takes them.
apiVersion: "v1"
kind: "PersistentVolume"
metadata:
  annotations:
    "nfsprov/directory": "team-data-pvc-{UID}"
    "nfsprov/on-delete": "archive"
    "nfsprov/quota": "enforce"
    "pv.kubernetes.io/provisioned-by": "nfsprov/nfs"
  finalizers:
  - "external-provisioner.volume.kubernetes.io/finalizer"
  labels:
    tier: "gold"
  name: "pvc-{UID}"
spec:
  accessModes:
  - "ReadWriteMany"
  capacity:
    storage: "1Gi"
  claimRef:
    apiVersion: "v1"
    kind: "PersistentVolumeClaim"
    name: "data"
    namespace: "team"
  mountOptions:
  - "nfsvers=4.1"
  nfs:
    path: "/nfsdata/team-data-pvc-{UID}"
    server: "nfs"
  persistentVolumeReclaimPolicy: "Delete"
  storageClassName: "managed"
  volumeMode: "Filesystem"
---
apiVersion: "v1"
kind: "PersistentVolumeClaim"
metadata:
  annotations:
    "nfs.io/storage-path": "a \u0026 \u002ab"
  labels:
    app: "web"
  name: "data"
  namespace: "team"
spec:
  accessModes:
  - "ReadWriteMany"
  resources:
    requests:
      storage: "1Gi"
  storageClassName: "managed"
  volumeMode: "Filesystem"
  volumeName: "pvc-{UID}"
"#
    );
    assert_eq!(text, wanted);
    let read = parse(&name(), text.as_bytes(), &export()).unwrap();
    assert_eq!(read, record);
    assert_eq!(read.directory.to_string(), format!("team-data-{}", name()));
    assert_eq!(read.claim_key(), Some(("team", "data")));
    let annotations = read.claim.unwrap().metadata.annotations.unwrap();
    assert_eq!(annotations["nfs.io/storage-path"], "a & *b");
}

#[test]
fn the_parts_of_a_record_are_those_of_its_objects() {
    let (volume, claim) = stored();
    let texts = Texts::split(&record().text());
    assert_eq!(
        texts.volume,
        volume_text(&serde_json::from_value(volume).unwrap()).unwrap()
    );
    assert_eq!(texts.claim, claim_text(&serde_json::from_value(claim).unwrap()));
}

#[test]
fn a_claim_that_is_not_the_volumes_is_left_out() {
    let (volume, claim) = stored();
    let volume: PersistentVolume = serde_json::from_value(volume).unwrap();
    for (pointer, value) in [
        ("/metadata/uid", json!("another")),
        ("/metadata/name", json!("other")),
        ("/spec/volumeName", json!("other")),
    ] {
        let mut claim = claim.clone();
        *claim.pointer_mut(pointer).unwrap() = value;
        let claim = serde_json::from_value(claim).unwrap();
        let record = Record::of(&volume, Some(&claim), &export()).unwrap();
        assert_eq!(record.claim, None, "{pointer}");
        let read = parse(&name(), record.text().as_bytes(), &export());
        assert_eq!(read, Ok(record));
    }
}

#[test]
fn annotations_that_make_a_record_too_large_are_left_out() {
    let (volume, mut claim) = stored();
    claim["metadata"]["annotations"]["large"] = json!("x".repeat(MAX_RECORD));
    let volume: PersistentVolume = serde_json::from_value(volume).unwrap();
    let claim: PersistentVolumeClaim = serde_json::from_value(claim).unwrap();
    let record = Record::of(&volume, Some(&claim), &export()).unwrap();
    let text = record.text();
    assert!(text.len() < MAX_RECORD / 8);
    let read = parse(&name(), text.as_bytes(), &export()).unwrap();
    assert_eq!(read.claim.unwrap().metadata.labels.unwrap()["app"], "web");
}

/// Records that anyone with access to the export could write.
#[test]
fn hostile_records_are_refused_in_a_sentence() {
    let text = record().text();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let spec = "spec:\n  accessModes:";
    let cases = [
        (with("server: \"nfs\"", "server: \"evil\""), "the PV is on the server"),
        (
            with("/nfsdata/team-data", "/etc/team-data"),
            "is no directory of nfs:/nfsdata",
        ),
        (
            with("/nfsdata/team-data", "/nfsdata/../etc"),
            "is no directory of nfs:/nfsdata",
        ),
        (
            with(&format!("/nfsdata/team-data-pvc-{UID}"), "/nfsdata"),
            "is no directory of",
        ),
        (
            with(&format!("/nfsdata/team-data-pvc-{UID}"), "/nfsdata/.nfsprov/owners"),
            "is nfsprov's own",
        ),
        (
            with(&format!("/nfsdata/team-data-pvc-{UID}"), "/nfsdata/other"),
            "annotation nfsprov/directory has the wrong value",
        ),
        (
            with(spec, "spec:\n  hostPath: {path: /}\n  accessModes:"),
            "PersistentVolume: unknown field `hostPath`",
        ),
        (
            with(spec, "spec:\n  csi: {driver: x}\n  accessModes:"),
            "PersistentVolume: unknown field `csi`",
        ),
        (
            with(spec, "spec:\n  annotations: {}\n  accessModes:"),
            "PersistentVolume: unknown field `annotations`",
        ),
        (
            with("  nfs:\n", "  local:\n"),
            "PersistentVolume: unknown field `local`",
        ),
        (
            with("    name: \"data\"", "    uid: \"x\"\n    name: \"data\""),
            "PersistentVolume: unknown field `uid`",
        ),
        (
            with("name: \"pvc-0", "ownerReferences: []\n  name: \"pvc-0"),
            "PersistentVolume: unknown field `ownerReferences`",
        ),
        (with("name: \"pvc-0", "name: \"pvc-1"), "it is the record of another PV"),
        (
            with("external-provisioner.volume.kubernetes.io/finalizer", "evil/finalizer"),
            "the PV has the finalizer",
        ),
        (
            with("\"nfsprov/on-delete\": \"archive\"", "\"nfsprov/on-delete\": \"burn\""),
            "wrong value",
        ),
        (
            with("\"nfsprov/quota\": \"enforce\"", "\"nfsprov/quota\": \"none\""),
            "wrong value",
        ),
        (with("nfsprov/on-delete", "helm.sh/hook"), "which no record has"),
        (with("\"Delete\"", "\"Recycle\""), "reclaim policy \"Recycle\""),
        (with("nfsvers=4.1", "a b"), "mount option"),
        (with("nfsvers=4.1", "\\u001b[2J"), "mount option"),
        (
            with("namespace: \"team\"\n  mount", "namespace: \"kube/system\"\n  mount"),
            "names that no claim can have",
        ),
        (
            with("namespace: \"team\"\nspec", "namespace: \"kube-system\"\nspec"),
            "is not the one that the PV's claimRef names",
        ),
        (
            with("volumeName: \"pvc-0", "volumeName: \"pvc-1"),
            "the claim names another PV",
        ),
        (
            with("nfs.io/storage-path", "volume.kubernetes.io/storage-provisioner"),
            "Kubernetes keeps for itself",
        ),
        (
            with("volumeMode: \"Filesystem\"\n---", "volumeMode: \"Block\"\n---"),
            "the PV's volumeMode is not Filesystem",
        ),
        (
            with(
                "storageClassName: \"managed\"\n  volumeMode: \"Filesystem\"\n  volumeName",
                "storageClassName: \"x\"\n  volumeName",
            ),
            "different classes",
        ),
        (
            with("- \"ReadWriteMany\"\n  resources", "- \"ReadWriteOnce\"\n  resources"),
            "access mode that the PV has not",
        ),
        (
            with("- \"ReadWriteMany\"\n  capacity", "- \"Everything\"\n  capacity"),
            "the PV has no access mode",
        ),
        (with("storage: \"1Gi\"", "storage: \"much\""), "is no quantity"),
        (
            with("storage: \"1Gi\"", "storage: [\"1Gi\"]"),
            "PersistentVolume: invalid type",
        ),
        (
            with("kind: \"PersistentVolume\"\n", "kind: \"Pod\"\n"),
            "it has another object",
        ),
        (format!("{text}---\na: b\n"), "it has 3 documents"),
        (
            text.replace("---\n", "---\n---\n").replacen("kind", "kind2", 1),
            "it has another object",
        ),
        ("a: &a [1]\nb: [*a, *a]\n".to_owned(), "anchors and aliases"),
        (String::new(), "it is empty"),
        ("[".repeat(60_000), "it is not YAML"),
        ("#".repeat(10 << 20), "it has more than 64 KiB"),
    ];
    for (text, wanted) in cases {
        let error = parse(&name(), text.as_bytes(), &export()).unwrap_err();
        assert!(error.contains(wanted), "{wanted:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(
        parse(&name(), b"\xff\xfe", &export()),
        Err("it is not UTF-8".to_owned())
    );
    for other in ["mypv", "../mypv", ""] {
        assert!(parse(other, text.as_bytes(), &export()).is_err(), "{other}");
    }
}

#[test]
fn a_directory_that_is_named_after_another_claim_is_told() {
    let own = record();
    assert_eq!(own.foreign_directory(), None);
    let text = own.text().replace("\"team\"", "\"thief\"");
    let record = parse(&name(), text.as_bytes(), &export()).unwrap();
    assert_eq!(record.foreign_directory().as_deref(), Some("team-data"));
}

#[test]
fn volumes_that_no_record_can_hold_are_named() {
    for (pointer, value, wanted) in [
        ("/spec/nfs", json!(null), "is not an NFS volume"),
        ("/spec/nfs/path", json!("/nfsdata"), "is no directory of"),
        ("/spec/nfs/server", json!("other"), "is on the server"),
        (
            "/spec/persistentVolumeReclaimPolicy",
            json!("Recycle"),
            "reclaim policy",
        ),
    ] {
        let (mut volume, _) = stored();
        *volume.pointer_mut(pointer).unwrap() = value;
        let volume = serde_json::from_value(volume).unwrap();
        let error = Record::of(&volume, None, &export()).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
}
