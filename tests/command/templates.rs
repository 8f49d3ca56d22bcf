//! Every built-in template, with plain values and with hostile ones.
//!
//! The snapshots show the output to reviewers. `INSTA_UPDATE=always cargo test --test command templates` regenerates
//! them.

use nfsprov::manifest::templates::Template;
use nfsprov::manifest::{
    AccessMode, Claim, ClassOnDelete, Flavor, Manifest, Pod, Provisioner, StatefulSet, StorageClass, Values, Volume,
    render_manifest,
};
use serde_json::Value;

/// Texts that YAML parses as another type, that could end a string, or that a terminal does not show. Validation
/// rejects most of them; templates must not depend on it.
const HOSTILE: [&str; 20] = [
    "yes",
    "no",
    "0777",
    "1_000",
    "1e3",
    "null",
    "~",
    "2001-01-01",
    "a: b",
    "- a",
    "# a",
    "\"",
    "'",
    "\\",
    "a\nb: c\n---\nd",
    "{{ 1 }}",
    "<&>",
    "ключ 键 🔑",
    "\u{7f}\u{85}\u{2028}\u{feff}",
    "",
];

/// All kinds of values; `text` replaces the plain value of each text.
fn all(text: impl Fn(&str) -> String) -> Vec<(&'static str, Values)> {
    let pair = |key: &str, value: &str| [(text(key), text(value))].into();
    let provisioner = |replicas, before_1_22: bool, flavor| {
        Values::Provisioner(Provisioner {
            name: text("name"),
            namespace: text("storage"),
            provisioner: text("example.org/nfs"),
            server: text("10.0.0.1"),
            path: text("/nfsdata"),
            image: text("registry.example/image:v1"),
            replicas,
            class: text("class"),
            allow_expansion: replicas == 3 && !before_1_22,
            quota_ssh: (replicas == 3).then(|| text("root@nfs")),
            ssh_secret: (replicas == 3).then(|| text("key")),
            host_fingerprints: (1..replicas).map(|_| text("SHA256:abc")).collect(),
            lock: Some(text("example.org-nfs")),
            network_policy: replicas == 3,
            before_1_22,
            flavor,
        })
    };
    vec![
        (
            "pv",
            Values::Volume(Volume {
                name: text("name"),
                labels: pair("tier", "gold"),
                server: text("fd00::1"),
                path: text("/nfsdata/a b"),
                size: text("5.5Ti"),
                access_modes: vec![AccessMode::ReadWriteMany, AccessMode::ReadOnlyMany],
                reclaim_policy: text("Retain"),
                class: text("class"),
                mount_options: vec![text("ro"), text("nfsvers=4.1")],
                claim: Some((text("team"), text("data"))),
            }),
        ),
        (
            "pvc",
            Values::Claim(Claim {
                name: text("name"),
                namespace: Some(text("team")),
                size: text("1Gi"),
                access_modes: vec![AccessMode::ReadWriteOnce],
                class: Some(text("class")),
                volume: Some(text("volume")),
                selector: pair("tier", "gold"),
            }),
        ),
        (
            "storageclass",
            Values::StorageClass(StorageClass {
                name: text("name"),
                provisioner: text("example.org/nfs"),
                default: true,
                reclaim_policy: text("Delete"),
                binding_mode: text("Immediate"),
                mount_options: vec![text("hard")],
                on_delete: Some(ClassOnDelete::Archive),
                server: Some(text("10.0.0.1")),
                path: Some(text("/nfsdata")),
                path_pattern: Some(text("${.PVC.namespace}/${.PVC.name}")),
                dir_mode: Some(text("0770")),
                dir_uid: Some(text("1000")),
                dir_gid: Some(text("1000")),
                enforces_quota: true,
                allow_expansion: true,
            }),
        ),
        (
            "pod",
            Values::Pod(Pod {
                name: text("name"),
                namespace: Some(text("team")),
                claim: text("claim"),
                image: text("busybox"),
                mount_path: text("/mydata"),
                command: vec![text("/bin/sh"), text("-c"), text("sleep 30000")],
            }),
        ),
        (
            "statefulset",
            Values::StatefulSet(StatefulSet {
                name: text("name"),
                namespace: Some(text("team")),
                app: text("app"),
                replicas: 3,
                image: text("nginx"),
                mount_path: text("/usr/share/nginx/html"),
                volume: text("www"),
                class: text("class"),
                size: text("1Gi"),
                access_modes: vec![AccessMode::ReadWriteMany],
                service_port: 80,
                node_port: None,
            }),
        ),
        ("provisioner-nfsprov", provisioner(1, false, Flavor::Nfsprov)),
        ("provisioner-nfsprov-three", provisioner(3, false, Flavor::Nfsprov)),
        ("provisioner-nfsprov-before-1.22", provisioner(3, true, Flavor::Nfsprov)),
        ("provisioner-upstream", provisioner(1, false, Flavor::Upstream)),
    ]
}

fn rendered(values: &Values) -> Manifest {
    let template = Template::built_in(values);
    render_manifest(values, &template).unwrap_or_else(|error| panic!("{values:?}: {error:#}"))
}

fn objects(manifest: &Manifest) -> Vec<Value> {
    let value = |document: &nfsprov::manifest::Document| serde_json::to_value(&document.object).unwrap();
    manifest.documents.iter().map(value).collect()
}

#[test]
fn plain_values() {
    for (name, values) in all(str::to_owned) {
        insta::assert_snapshot!(name, rendered(&values).yaml);
    }
}

#[test]
fn hostile_values() {
    // Each text is different, so that the snapshot shows all of them.
    let count = std::cell::Cell::new(0);
    let next = |_: &str| {
        count.set(count.get() + 1);
        HOSTILE[(count.get() - 1) % (HOSTILE.len() - 1)].to_owned()
    };
    for (name, values) in all(next) {
        insta::assert_snapshot!(format!("hostile-{name}"), rendered(&values).yaml);
    }
}

#[test]
fn every_text_arrives_as_it_was_given_and_changes_nothing_else() {
    // The plain result, with one text replaced by another.
    fn replaced(value: &Value, mark: &str, text: &str) -> Value {
        match value {
            Value::String(found) => Value::String(found.replace(mark, text)),
            Value::Array(items) => items.iter().map(|item| replaced(item, mark, text)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(key, value)| (key.replace(mark, text), replaced(value, mark, text)));
                fields.collect::<serde_json::Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }
    const MARK: &str = "MARK";
    // An object without a name is invalid, so the empty text is excluded.
    for text in HOSTILE.into_iter().filter(|text| !text.is_empty()) {
        let (marked, hostile) = (all(|_| MARK.to_owned()), all(|_| text.to_owned()));
        for ((name, marked), (_, hostile)) in marked.iter().zip(&hostile) {
            let wanted: Vec<_> = objects(&rendered(marked))
                .iter()
                .map(|object| replaced(object, MARK, text))
                .collect();
            assert_eq!(objects(&rendered(hostile)), wanted, "{name}: {text:?}");
        }
    }
}

#[test]
fn what_is_not_given_is_not_written() {
    let claim = Values::Claim(Claim {
        name: "c".to_owned(),
        namespace: None,
        size: "1Gi".to_owned(),
        access_modes: vec![AccessMode::ReadWriteOnce],
        class: None,
        volume: None,
        selector: Default::default(),
    });
    let object = &objects(&rendered(&claim))[0];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&object["metadata"]), ["name"]);
    assert_eq!(keys(&object["spec"]), ["accessModes", "resources"]);
}

/// The rules of the Pod Security level restricted that a pod's spec violates.
fn breaks_restricted(spec: &Value) -> Vec<&'static str> {
    let (pod, container) = (&spec["securityContext"], &spec["containers"][0]["securityContext"]);
    let added = container["capabilities"]["add"].as_array().cloned().unwrap_or_default();
    let safe_sysctls = ["net.ipv4.ip_unprivileged_port_start"];
    let sysctls = pod["sysctls"].as_array().cloned().unwrap_or_default();
    let volumes = spec["volumes"].as_array().cloned().unwrap_or_default();
    let is_safe = |sysctl: &Value| safe_sysctls.iter().any(|safe| sysctl["name"] == *safe);
    let rules = [
        ("runAsNonRoot", pod["runAsNonRoot"] == true),
        ("runAsUser", pod["runAsUser"].as_u64() != Some(0)),
        ("seccompProfile", pod["seccompProfile"]["type"] == "RuntimeDefault"),
        (
            "allowPrivilegeEscalation",
            container["allowPrivilegeEscalation"] == false,
        ),
        ("capabilities.drop", container["capabilities"]["drop"][0] == "ALL"),
        (
            "capabilities.add",
            added.iter().all(|capability| capability == "NET_BIND_SERVICE"),
        ),
        ("sysctls", sysctls.iter().all(is_safe)),
        ("hostNetwork", spec["hostNetwork"].is_null()),
        ("volumes", volumes.iter().all(|volume| volume["secret"].is_object())),
    ];
    rules
        .into_iter()
        .filter_map(|(rule, holds)| (!holds).then_some(rule))
        .collect()
}

#[test]
fn the_provisioners_pods_are_restricted() {
    for (name, values) in all(str::to_owned) {
        let Values::Provisioner(provisioner) = &values else {
            continue;
        };
        let objects = objects(&rendered(&values));
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let expected: &[&str] = match (provisioner.flavor, provisioner.before_1_22) {
            (Flavor::Nfsprov, false) => &[],
            (Flavor::Nfsprov, true) => &["runAsNonRoot", "runAsUser"],
            (Flavor::Upstream, _) => continue,
        };
        let spec = &deployment["spec"]["template"]["spec"];
        assert_eq!(breaks_restricted(spec), expected, "{name}");
        assert_eq!(spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
    }
}
