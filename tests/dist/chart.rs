//! The Helm chart: linted, and rendered to the objects that `create provisioner` prints.

use std::path::PathBuf;
use std::process::Command;

use nfsprov_lab::kubernetes::go_program::HELM;
use serde::Deserialize;
use serde_json::Value;

use crate::{ROOT, done, run, text};

fn helm() -> PathBuf {
    HELM.build().unwrap()
}

fn chart() -> String {
    format!("{ROOT}/packaging/chart")
}

const FINGERPRINT: &str = "SHA256:5RjoeWDTkEiHAHZ3cJK9R0z69Zq/Vyhj1YWpLNh2J2c";

const EXPORT: [&str; 2] = ["--set=server=10.0.0.1", "--set=path=/nfsdata"];

/// The output of `helm template` for the release `nfsprov` in the namespace `storage`.
fn rendered(args: &[&str]) -> Vec<Value> {
    let chart = chart();
    let start = ["template", "nfsprov", &chart, "--namespace=storage"];
    objects(&done(text(&helm()), &[&start[..], &EXPORT, args].concat()))
}

/// The objects in YAML, sorted, because Helm sorts them by kind.
fn objects(yaml: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(yaml).map(|document| Value::deserialize(document).unwrap());
    let mut objects: Vec<_> = documents.filter(|object| !object.is_null()).collect();
    objects.sort_by_key(|object| format!("{} {}", object["kind"], object["metadata"]["name"]));
    objects
}

/// The output of `create provisioner` for the same values.
fn created(args: &[&str]) -> Vec<Value> {
    let start = [
        "-n",
        "storage",
        "create",
        "provisioner",
        "--server=10.0.0.1",
        "--path=/nfsdata",
        "--quiet",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_nfsprov"))
        .args([&start[..], args].concat())
        .env_remove("KUBECONFIG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    objects(&String::from_utf8_lossy(&output.stdout))
}

#[test]
#[ignore = "make test-dist builds Helm"]
fn the_chart_makes_what_create_provisioner_makes() {
    for (values, options) in [
        (&["--kube-version=1.30.0"][..], &[][..]),
        (&["--kube-version=1.20.2"], &["--kubernetes=1.20"]),
        (&["--kube-version=1.30.0", "--set=replicas=1"], &["--replicas=1"]),
        (
            &["--kube-version=1.30.0", "--set=networkPolicy.enabled=true"],
            &["--network-policy"],
        ),
        (
            &[
                "--kube-version=1.30.0",
                "--set=provisioner=fuseim.pri/ifs",
                "--set=image=r.example/i:1",
            ],
            &["--provisioner=fuseim.pri/ifs", "--image=r.example/i:1"],
        ),
        (
            &[
                "--kube-version=1.30.0",
                "--set=ssh.quotaTarget=root@nfs:2222,ssh.secret=key",
                &format!("--set=ssh.hostFingerprints={{{FINGERPRINT}}}"),
                "--set=classes[0].name=managed-nfs-storage,classes[0].parameters.onDelete=archive",
                "--set=classes[0].parameters.quota=enforce",
            ],
            &[
                "--quota-ssh=ssh://root@nfs:2222",
                "--ssh-secret=key",
                &format!("--host-fingerprint={FINGERPRINT}"),
            ],
        ),
    ] {
        assert_eq!(rendered(values), created(options), "{values:?}");
    }
}

#[test]
#[ignore = "make test-dist builds Helm"]
fn every_value_has_its_place() {
    let values = r#"
imagePullSecrets: [{name: pull}]
allowExports: ["nfs2:/fast"]
classes: [{name: a, default: true, reclaimPolicy: Retain, mountOptions: [hard], parameters: {pathPattern: "${.PVC.name}"}}, {name: b}]
nodeSelector: {disk: ssd}
tolerations: [{operator: Exists}]
affinity: {nodeAffinity: {}}
priorityClassName: system-cluster-critical
resources: {limits: {memory: 256Mi}}
podDisruptionBudget: {enabled: true, maxUnavailable: 50%}
extraArgs: [--concurrency=4]
ssh: {target: ops@nfs, quotaTarget: root@nfs, secret: key, hostFingerprints: ["SHA256:x"]}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
nameOverride: other
"#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), values).unwrap();
    let values = format!("--values={}", text(file.path()));
    let objects = rendered(&["--kube-version=1.30.0", &values]);
    let find = |kind: &str, name: &str| {
        let found = objects
            .iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name} in {objects:#?}"))
    };
    let pod = &find("Deployment", "other")["spec"]["template"]["spec"];
    for (pointer, wanted) in [
        ("/imagePullSecrets/0/name", "pull"),
        ("/nodeSelector/disk", "ssd"),
        ("/tolerations/0/operator", "Exists"),
        ("/priorityClassName", "system-cluster-critical"),
        ("/containers/0/resources/limits/memory", "256Mi"),
        ("/containers/0/volumeMounts/0/mountPath", "/etc/nfsprov/ssh"),
        ("/volumes/0/secret/secretName", "key"),
    ] {
        assert_eq!(pod.pointer(pointer), Some(&Value::from(wanted)), "{pointer}: {pod:#}");
    }
    assert_eq!(pod["affinity"], serde_json::json!({"nodeAffinity": {}}));
    let args = &pod["containers"][0]["args"].as_array().unwrap()[5..];
    let wanted = [
        "--allow-export=nfs2:/fast",
        "--via=ssh://ops@nfs",
        "--quota-ssh=ssh://root@nfs",
        "--identity-file=/etc/nfsprov/ssh/id",
        "--host-fingerprint=SHA256:x",
        "--concurrency=4",
    ];
    assert_eq!(args, wanted);
    assert_eq!(find("PodDisruptionBudget", "other")["spec"]["maxUnavailable"], "50%");
    let class = find("StorageClass", "a");
    assert_eq!(
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"],
        "true"
    );
    assert_eq!(
        (&class["reclaimPolicy"], &class["mountOptions"][0]),
        (&"Retain".into(), &"hard".into())
    );
    assert_eq!(class["parameters"]["pathPattern"], "${.PVC.name}");
    assert!(find("StorageClass", "b").get("parameters").is_none());
    assert_eq!(
        find("ServiceMonitor", "other")["metadata"]["labels"]["release"],
        "prometheus"
    );
    find("Service", "other");
}

#[test]
#[ignore = "make test-dist builds Helm"]
fn lint_finds_nothing_and_wrong_values_are_refused() {
    let (helm, chart) = (helm(), chart());
    let lint = done(text(&helm), &[&["lint", "--strict", &chart][..], &EXPORT].concat());
    assert!(lint.contains("0 chart(s) failed"), "{lint}");
    for (wrong, expected_message) in [
        ("--set=server=", "server"),
        ("--set=path=relative", "path"),
        ("--set=provisioner=A/b", "provisioner"),
        ("--set=replica=3", "replica"),
        ("--set=replicas=0", "replicas"),
    ] {
        let args = [&["template", "x", &chart][..], &EXPORT, &[wrong]].concat();
        let output = run(text(&helm), &args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(expected_message),
            "{wrong}: {stderr}"
        );
    }
}
