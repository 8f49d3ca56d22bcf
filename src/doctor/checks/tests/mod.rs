//! Tables of facts, as kubectl prints objects, and what the checks make of them. They hold what no case of
//! `tests/command/doctor/` shows.

/// Holds a table of clusters and their findings against one version. A finding is written `CODE kind namespace/name`,
/// with `automatic` if `--fix` makes its fix, and `as SEVERITY` if that is not the catalogue's. It says the texts that
/// follow, but those after `!` it does not.
macro_rules! hold {
    ($version:expr, $($what:literal: $objects:expr => [$($wanted:literal $(says $($text:literal)+)?),*];)*) => {
        $crate::doctor::checks::tests::hold($version, vec![
            $((
                $what,
                $crate::doctor::checks::tests::Scene::into_facts($objects, $version),
                &[$(($wanted, &[$($($text),+)?] as &[&str])),*] as &[_],
            )),*
        ])
    };
}

mod claims;
mod cluster;
mod earlier_data;
mod hosts;
mod pods;
mod policy;
mod printed;
mod property;
mod provisioners;
mod selflink;
mod servers;
mod volumes;
mod walk;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::dump;
use crate::doctor::facts::Facts;
use crate::doctor::{Finding, Fix, Object, explain};

/// The time of every table.
pub const NOW: &str = "2026-01-01T12:00:00Z";

/// Two versions that differ in much: the one that dropped selfLink, and a current one.
pub const OLD: &str = "v1.20.2";
pub const NEW: &str = "v1.37.2";

/// A row of a table: what it is about, the facts, and the findings with their texts.
pub type Row<'a> = (&'a str, Facts, &'a [(&'a str, &'a [&'a str])]);

/// What a row may begin with: objects, or facts that no object shows.
pub trait Scene {
    fn into_facts(self, version: &str) -> Facts;
}

impl Scene for Vec<Value> {
    fn into_facts(self, version: &str) -> Facts {
        facts(version, self)
    }
}

impl Scene for Facts {
    fn into_facts(self, _: &str) -> Facts {
        self
    }
}

pub fn facts(version: &str, objects: Vec<Value>) -> Facts {
    let mut facts = Facts::from(dump::assemble(objects, Some("default")));
    assert_eq!(facts.cluster.unread, [], "each object of a table is one of Kubernetes");
    facts.cluster.version = version.to_owned();
    facts
}

/// All findings but the version's, which is always there, and the walk's end, which cases show.
pub fn found(facts: &Facts) -> Vec<Finding> {
    let now: Timestamp = NOW.parse().unwrap();
    let mut found = super::find_all_problems(facts, now);
    found.retain(|finding| !matches!(finding.code, "NFS003" | "NFS123"));
    found.sort_by(|one, other| (one.code, &one.object).cmp(&(other.code, &other.object)));
    found
}

/// An object as the tables write it: `pvc default/a`.
pub fn brief(object: &Object) -> String {
    let namespace = object.namespace.as_ref().map(|namespace| format!("{namespace}/"));
    format!(
        "{} {}{}",
        object.short_kind(),
        namespace.unwrap_or_default(),
        object.name
    )
}

pub fn titles(found: &[Finding]) -> Vec<String> {
    found
        .iter()
        .map(|finding| format!("{} {}", finding.code, brief(&finding.object)))
        .collect()
}

/// The title of a finding as [`hold!`] takes it.
fn full_title(finding: &Finding) -> String {
    let fix = finding.fix.as_ref();
    let automatic = if fix.is_some_and(|fix| fix.automatic) {
        " automatic"
    } else {
        ""
    };
    let severity = match explain::find_entry(finding.code).unwrap().severity == finding.severity {
        true => String::new(),
        false => format!(" as {:?}", finding.severity).to_lowercase(),
    };
    format!("{} {}{automatic}{severity}", finding.code, brief(&finding.object))
}

/// What a finding says: how sure it is, its cause, the command and the note of its fix, and the affected objects.
fn said_by(finding: &Finding) -> String {
    let (confidence, cause) = (finding.confidence, &finding.cause);
    let affected: Vec<String> = finding.affected.iter().map(brief).collect();
    let fix = finding.fix.clone().unwrap_or_else(|| Fix::of_advice(""));
    let command = fix.command.unwrap_or_default();
    format!(
        "{confidence:?}: {cause}\n{command}\n{}\naffects {}",
        fix.note,
        affected.join(", ")
    )
}

pub fn hold(version: &str, rows: Vec<Row<'_>>) {
    for (what, facts, wanted) in rows {
        let found = found(&facts);
        let titles: Vec<String> = found.iter().map(full_title).collect();
        let wanted_titles: Vec<&str> = wanted.iter().map(|(title, _)| *title).collect();
        assert_eq!(titles, wanted_titles, "{what} on {version}: {found:#?}");
        for (finding, (title, texts)) in found.iter().zip(wanted) {
            let said = said_by(finding);
            for text in *texts {
                let is_wanted = !text.starts_with('!');
                let is_said = said.contains(text.trim_start_matches('!'));
                assert_eq!(
                    is_said, is_wanted,
                    "{what} on {version}: {title} says {text:?}?\n{said}"
                );
            }
        }
    }
}

/// Lays `change` over `object`, field by field; null takes a field away.
pub fn with(mut object: Value, change: Value) -> Value {
    merge(&mut object, change);
    object
}

fn merge(object: &mut Value, change: Value) {
    match (object, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (key, change) in changes {
                match change.is_null() {
                    true => _ = fields.remove(&key),
                    false => merge(fields.entry(key).or_insert(Value::Null), change),
                }
            }
        }
        (object, change) => *object = change,
    }
}

fn object(kind: &str, name: &str) -> Value {
    let cluster = matches!(
        kind,
        "PersistentVolume" | "StorageClass" | "Node" | "CSIDriver" | "CSINode" | "Namespace"
    );
    let meta = json!({"name": name, "uid": format!("uid-{name}"), "creationTimestamp": "2026-01-01T11:55:00Z"});
    let object = json!({"kind": kind, "metadata": meta});
    match cluster {
        true => object,
        false => with(object, json!({"metadata": {"namespace": "default"}})),
    }
}

/// A claim that waits.
pub fn claim(name: &str, change: Value) -> Value {
    let spec = json!({"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}});
    let claim = with(
        object("PersistentVolumeClaim", name),
        json!({"spec": spec, "status": {"phase": "Pending"}}),
    );
    with(claim, change)
}

/// A claim that waits for a class.
pub fn of_class(name: &str, class: &str) -> Value {
    claim(name, json!({"spec": {"storageClassName": class}}))
}

/// A claim that the controller manager has handed over to a provisioner.
pub fn handed_over(name: &str, class: &str, provisioner: &str) -> Value {
    let annotation = json!({"volume.beta.kubernetes.io/storage-provisioner": provisioner});
    with(of_class(name, class), json!({"metadata": {"annotations": annotation}}))
}

/// A free PV made by hand.
pub fn volume(name: &str, change: Value) -> Value {
    let spec = json!({
        "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, "storageClassName": "nfs",
        "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": "10.77.0.10", "path": "/nfsdata"},
    });
    let volume = with(
        object("PersistentVolume", name),
        json!({"spec": spec, "status": {"phase": "Available"}}),
    );
    with(volume, change)
}

/// A claim and the NFS volume that it is bound to, which is changed.
pub fn bound(change: Value) -> Vec<Value> {
    let claim = json!({"spec": {"volumeName": "v"}, "status": {"phase": "Bound"}});
    let reference = json!({"namespace": "default", "name": "a", "uid": "uid-a"});
    let bound = json!({"spec": {"claimRef": reference}, "status": {"phase": "Bound"}});
    vec![with(of_class("a", "nfs"), claim), volume("v", with(bound, change))]
}

/// A pod on a node that waits for such a volume, and what the kubelet says.
pub fn mounting(words: Option<&str>) -> Vec<Value> {
    let mut objects = bound(json!({}));
    objects.push(pod("p", "a", json!({"spec": {"nodeName": "node1"}})));
    let by_kubelet = json!({"source": {"component": "kubelet", "host": "node1"}});
    objects.extend(words.map(|words| with(event("Pod", "p", "FailedMount", words), by_kubelet)));
    objects
}

pub fn class(name: &str, provisioner: &str) -> Value {
    with(object("StorageClass", name), json!({"provisioner": provisioner}))
}

pub fn default(class: Value) -> Value {
    let mark = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    with(class, json!({"metadata": {"annotations": mark}}))
}

pub fn waiting_for_consumer(class: Value) -> Value {
    with(class, json!({"volumeBindingMode": "WaitForFirstConsumer"}))
}

/// A pod without a node that uses a claim.
pub fn pod(name: &str, claim: &str, change: Value) -> Value {
    let spec = json!({
        "containers": [{"name": "app", "image": "busybox"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    });
    let pod = with(
        object("Pod", name),
        json!({"spec": spec, "status": {"phase": "Pending"}}),
    );
    with(pod, change)
}

pub fn node(name: &str, change: Value) -> Value {
    with(object("Node", name), change)
}

/// An event a minute old.
pub fn event(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    let about = match kind {
        "PersistentVolume" => json!({"kind": kind, "name": name}),
        _ => json!({"kind": kind, "name": name, "namespace": "default"}),
    };
    with(
        object("Event", &format!("{name}.{reason}")),
        json!({
            "involvedObject": about, "reason": reason, "message": message,
            "lastTimestamp": "2026-01-01T11:59:00Z", "source": {"component": "persistentvolume-controller"},
        }),
    )
}

/// A provisioner that runs, with one ready pod.
pub fn provisioner(name: &str, image: &str, serves: &str) -> Vec<Value> {
    let labels = json!({"app": name});
    let env = json!([
        {"name": "PROVISIONER_NAME", "value": serves}, {"name": "NFS_SERVER", "value": "10.77.0.10"},
        {"name": "NFS_PATH", "value": "/nfsdata"},
    ]);
    let spec = json!({
        "serviceAccountName": name, "containers": [{"name": "main", "image": image, "env": env}],
        "volumes": [{"name": "root", "nfs": {"server": "10.77.0.10", "path": "/nfsdata"}}],
    });
    let deployment = with(
        object("Deployment", name),
        json!({
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": spec}},
            "status": {"readyReplicas": 1},
        }),
    );
    let pod = with(
        object("Pod", &format!("{name}-1")),
        json!({
            "metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": "r", "controller": true}], "labels": labels}, "spec": with(spec, json!({"nodeName": "node1"})),
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }),
    );
    vec![deployment, pod]
}

/// The same with no ready pod, its pod changed.
pub fn broken(mut provisioner: Vec<Value>, change: Value) -> Vec<Value> {
    provisioner[0] = with(provisioner[0].clone(), json!({"status": {"readyReplicas": 0}}));
    let pod = with(
        provisioner[1].clone(),
        json!({"status": {"phase": "Pending", "conditions": []}}),
    );
    provisioner[1] = with(pod, change);
    provisioner
}

/// Objects one after the other.
pub fn all<const N: usize>(lists: [Vec<Value>; N]) -> Vec<Value> {
    lists.concat()
}
