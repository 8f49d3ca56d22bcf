//! Changes to objects of the cluster and to hosts: shown, made, and their effects waited for.
//!
//! [`Change`] is one change: [`Change::command`] renders the command line that people paste, [`edit`] computes what an
//! object becomes, [`apply`] sends that to the API server, and [`wait`] waits for what it brings about. [`server_side`]
//! applies whole manifests. Nothing here asks or prints.

pub mod apply;
pub mod edit;
mod host_change;
pub mod server_side;
pub mod wait;

use serde_json::{Value, json};

use crate::cluster::object::Object;
use crate::cluster::provisioners::Provisioner;
use crate::shell::shell_word;

pub use host_change::HostChange;

/// A change to one object of the cluster, or to one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Merge `patch` into an object; null removes a field.
    Merge { object: Object, patch: Value },
    /// Set labels of an object; a label without a value is removed.
    Label {
        object: Object,
        labels: Vec<(String, Option<String>)>,
    },
    /// Set the image of a workload's container.
    SetImage {
        workload: Object,
        container: String,
        image: String,
    },
    /// Set environment variables of a workload's container.
    SetEnv {
        workload: Object,
        container: String,
        variables: Vec<(String, String)>,
    },
    /// Set the number of a workload's replicas.
    Scale { workload: Object, replicas: u32 },
    /// Restart a workload's pods; `at` is written into its template, so that it differs from the running pods'.
    Restart { workload: Object, at: String },
    /// Delete an object that its controller creates again.
    Delete(Object),
    /// Change a host over SSH.
    OnHost { host: String, change: HostChange },
}

impl Provisioner<'_> {
    /// The change of its image.
    pub(crate) fn set_image(&self, image: impl Into<String>) -> Change {
        Change::SetImage {
            workload: self.workload.object(),
            container: self.container.name.clone(),
            image: image.into(),
        }
    }
}

impl Change {
    /// The object that changes; a host is one of the kind `Host`.
    pub fn object(&self) -> Object {
        match self {
            Self::Merge { object, .. } | Self::Label { object, .. } | Self::Delete(object) => object.clone(),
            Self::SetImage { workload, .. }
            | Self::SetEnv { workload, .. }
            | Self::Scale { workload, .. }
            | Self::Restart { workload, .. } => workload.clone(),
            Self::OnHost { host, .. } => Object::cluster_scoped("Host", host),
        }
    }

    /// The patch for [`edit::merge_change`], which finds containers and variables by their names; the API server would
    /// replace whole lists by it. `None` for a deletion or a change of a host.
    pub fn patch(&self) -> Option<Value> {
        let in_container = |container: &str, key: &str, value: Value| {
            let container = json!({"name": container, key: value});
            json!({"spec": {"template": {"spec": {"containers": [container]}}}})
        };
        Some(match self {
            Self::Merge { patch, .. } => patch.clone(),
            Self::Label { labels, .. } => {
                let labels: serde_json::Map<_, _> =
                    labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
                json!({"metadata": {"labels": labels}})
            }
            Self::SetImage { container, image, .. } => in_container(container, "image", json!(image)),
            Self::SetEnv {
                container, variables, ..
            } => {
                let variable = |(name, value): &(String, String)| json!({"name": name, "value": value});
                in_container(container, "env", variables.iter().map(variable).collect())
            }
            Self::Scale { replicas, .. } => json!({"spec": {"replicas": replicas}}),
            Self::Restart { at, .. } => {
                let annotations = json!({"kubectl.kubernetes.io/restartedAt": at});
                json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
            }
            Self::Delete(_) | Self::OnHost { .. } => return None,
        })
    }

    /// The command line that makes this change, for pasting into a shell. That of a host's export sets up the whole
    /// server, for all nodes of the cluster.
    pub fn command(&self) -> String {
        let object = self.object();
        let kubectl = match &object.namespace {
            Some(namespace) => format!("kubectl -n {}", shell_word(namespace)),
            None => "kubectl".to_owned(),
        };
        let (kind, name) = (object.short_kind(), shell_word(&object.name));
        match self {
            Self::Merge { patch, .. } => {
                let patch = shell_word(&patch.to_string());
                format!("{} --type merge -p {patch}", object.kubectl_command("patch"))
            }
            Self::Label { labels, .. } => {
                let label = |(key, value): &(String, Option<String>)| match value {
                    Some(value) => shell_word(&format!("{key}={value}")),
                    None => format!("{}-", shell_word(key)),
                };
                let labels: Vec<String> = labels.iter().map(label).collect();
                format!("{} {} --overwrite", object.kubectl_command("label"), labels.join(" "))
            }
            Self::SetImage { container, image, .. } => {
                format!(
                    "{kubectl} set image {kind}/{name} {}={}",
                    shell_word(container),
                    shell_word(image)
                )
            }
            Self::SetEnv {
                container, variables, ..
            } => {
                let variable = |(name, value): &(String, String)| shell_word(&format!("{name}={value}"));
                let variables: Vec<String> = variables.iter().map(variable).collect();
                let container = shell_word(container);
                format!("{kubectl} set env {kind}/{name} -c {container} {}", variables.join(" "))
            }
            Self::Scale { replicas, .. } => format!("{kubectl} scale {kind}/{name} --replicas={replicas}"),
            Self::Restart { .. } => format!("{kubectl} rollout restart {kind}/{name}"),
            Self::Delete(_) => object.kubectl_command("delete"),
            Self::OnHost { host, change } => change.command(host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_rendered_as_the_command_that_makes_it() {
        let pv = || Object::cluster_scoped("PersistentVolume", "v 1");
        let deployment = || Object::namespaced("Deployment", "nfs", "p");
        let container = || "main".to_owned();
        let containers = |container: Value| json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        let label = |value: Option<&str>| ("team".to_owned(), value.map(str::to_owned));
        for (change, command, patch) in rows! {
            (Change::Merge { object: pv(), patch: json!({"spec": {"a": "it's"}})},
                r#"kubectl patch pv 'v 1' --type merge -p '{"spec":{"a":"it'\''s"}}'"#, Some(json!({"spec": {"a":
                "it's"}}))),
            (Change::Label { object: pv(), labels: vec![label(Some("a"))]},
                "kubectl label pv 'v 1' team=a --overwrite", Some(json!({"metadata": {"labels": {"team": "a"}}}))),
            (Change::Label { object: pv(), labels: vec![label(None)]}, "kubectl label pv 'v 1' team- --overwrite",
                Some(json!({"metadata": {"labels": {"team": null}}}))),
            (Change::SetImage { workload: deployment(), container: container(), image: "i:1".to_owned()},
                "kubectl -n nfs set image deployment/p main=i:1", Some(containers(json!({"name": "main", "image":
                "i:1"})))),
            (Change::SetEnv { workload: deployment(), container: container(), variables: vec![("A".to_owned(),
                "b c".to_owned())]}, "kubectl -n nfs set env deployment/p -c main 'A=b c'",
                Some(containers(json!({"name": "main", "env": [{"name": "A", "value": "b c"}]})))),
            (Change::Scale { workload: deployment(), replicas: 1}, "kubectl -n nfs scale deployment/p --replicas=1",
                Some(json!({"spec": {"replicas": 1}}))),
            (Change::Restart { workload: deployment(), at: "t".to_owned()},
                "kubectl -n nfs rollout restart deployment/p", Some(json!({"spec": {"template": {"metadata":
                {"annotations": {"kubectl.kubernetes.io/restartedAt": "t"}}}}}))),
            (Change::Delete(Object::namespaced("PersistentVolumeClaim", "nfs", "a")), "kubectl -n nfs delete pvc a", None),
        } {
            assert_eq!((change.command().as_str(), change.patch()), (command, patch));
        }
    }
}
