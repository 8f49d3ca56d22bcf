//! Plans the migration from nfs-subdir-external-provisioner to nfsprov, and back (PURE), from the name and export that
//! its Deployment has.
//!
//! The main type is [`Handover`]. Nothing here talks to a cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::api::storage::v1::StorageClass;

use super::validate;
use crate::cluster::images;

/// On the Deployment that was scaled to 0: the replicas that it had.
pub const REPLICAS_BEFORE: &str = "nfsprov/replicas-before-migration";

/// The directory at which upstream mounts its export.
const MOUNT_PATH: &str = "/persistentvolumes";

/// The name, export and replicas of a Deployment of nfs-subdir-external-provisioner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The Deployment's namespace; nfsprov is installed there, too.
    pub namespace: String,
    pub deployment: String,
    /// The provisioner's name in classes.
    pub provisioner: String,
    pub server: String,
    pub path: String,
    pub replicas: i32,
    /// The replicas before an earlier migration.
    pub replicas_before: Option<i32>,
    /// The program that manages the Deployment; its next run would undo a change of the replicas.
    pub managed_by: Option<String>,
    /// The class that the test claim names; None if no class suits.
    pub test_class: Option<TestClass>,
}

/// A class whose claims are bound without a pod and without labels or annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestClass {
    pub name: String,
    /// Whether the test claim's directory, which is empty, stays on the export.
    pub leaves_directory: bool,
}

/// The direction of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To nfsprov.
    ToNfsprov,
    /// Back to nfs-subdir-external-provisioner.
    ToUpstream,
}

/// The Deployment to migrate: the one of that name, whatever its image, else the only one that runs upstream's or its
/// predecessor's. `deployments` are all of one namespace.
///
/// # Errors
/// One sentence when there is none, or several, or none of that name.
pub fn choose_deployment<'a>(deployments: &'a [Deployment], name: Option<&str>) -> Result<&'a Deployment, String> {
    let title = |deployment: &Deployment| deployment.metadata.name.clone().unwrap_or_default();
    if let Some(name) = name {
        let found = deployments.iter().find(|deployment| title(deployment) == name);
        return found.ok_or_else(|| format!("deployment/{name} not found; -n names its namespace"));
    }
    let runs_upstream = |deployment: &&Deployment| {
        let pod = pod_spec(deployment);
        let images = pod.iter().flat_map(|pod| &pod.containers);
        images
            .filter_map(|container| container.image.as_deref())
            .any(images::creates_directories)
    };
    let found: Vec<_> = deployments.iter().filter(runs_upstream).collect();
    match found[..] {
        [one] => Ok(one),
        [] => Err(
            "no Deployment runs nfs-subdir-external-provisioner; pass -n for its namespace, or the name of a \
             Deployment with another image"
                .to_owned(),
        ),
        _ => {
            let names: Vec<_> = found.into_iter().map(title).collect();
            Err(format!(
                "several Deployments run nfs-subdir-external-provisioner: {}; name one",
                names.join(", ")
            ))
        }
    }
}

impl Handover {
    /// Reads the provisioner's name, export and replicas from a Deployment, and chooses the class of a test claim among
    /// `classes`. The export is that of the variables, else of the NFS volume at `MOUNT_PATH`; if both are there, they
    /// must agree. Variables that another object fills are not read.
    ///
    /// # Errors
    /// One sentence naming the Deployment and what can't be read from it.
    pub fn from_deployment(deployment: &Deployment, classes: &[StorageClass]) -> Result<Self, String> {
        let meta = &deployment.metadata;
        let name = meta.name.clone().unwrap_or_default();
        let namespace = meta.namespace.clone().unwrap_or_default();
        let title = format!("deployment/{name} -n {namespace}");
        let pod = pod_spec(deployment).ok_or_else(|| format!("{title} has no pod template"))?;
        let container = pod
            .containers
            .iter()
            .find(|container| literal_variable(container, "PROVISIONER_NAME").is_some())
            .ok_or_else(|| {
                format!("{title} has no container with a literal PROVISIONER_NAME: it is not nfs-subdir-external-provisioner")
            })?;
        let mounted = mounted_export(pod, container);
        let checked = |variable_name: &str, mounted: Option<&String>, check: fn(&str) -> Result<String, String>| {
            let written = literal_variable(container, variable_name);
            if let (Some(written), Some(mounted)) = (&written, mounted)
                && written.trim_end_matches('/') != mounted.trim_end_matches('/')
            {
                return Err(format!(
                    "{title}: {variable_name} is {written:?}, but {MOUNT_PATH} mounts {mounted:?}; correct it first"
                ));
            }
            let value = written
                .as_ref()
                .or(mounted)
                .ok_or_else(|| format!("{title} has no literal {variable_name}"))?;
            check(value).map_err(|why| format!("{title}: {variable_name} is {value:?}: {why}"))
        };
        let provisioner = checked("PROVISIONER_NAME", None, validate::check_provisioner_name)?;
        let server = checked(
            "NFS_SERVER",
            mounted.as_ref().map(|(server, _)| server),
            validate::check_server,
        )?;
        let path = checked("NFS_PATH", mounted.as_ref().map(|(_, path)| path), validate::check_path)?;
        let annotations = meta.annotations.clone().unwrap_or_default();
        Ok(Self {
            test_class: choose_test_class(classes, &provisioner),
            managed_by: managing_program(meta.labels.as_ref(), &annotations),
            replicas_before: annotations.get(REPLICAS_BEFORE).and_then(|text| text.parse().ok()),
            replicas: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            deployment: name,
            namespace,
            provisioner,
            server,
            path,
        })
    }

    /// The replicas that upstream gets when nfsprov is removed: those before the migration, else its present ones; at
    /// least 1.
    pub fn replicas_to_restore(&self) -> i32 {
        self.replicas_before.unwrap_or(self.replicas).max(1)
    }

    /// What holds again after a handover that failed was undone, for people; `ours` is nfsprov's Deployment, which
    /// `ran_before` or did not exist before.
    pub fn describe_undone(&self, ours: &str, ran_before: bool) -> String {
        let theirs = format!("deployment/{}", self.deployment);
        match (ran_before, self.replicas) {
            (false, 0) => {
                format!("nfsprov did not take over, and {theirs} stays at 0 replicas; migrate with --back starts it")
            }
            (false, _) => format!("nfsprov did not take over, and {theirs} runs as before"),
            (true, 0) => format!("deployment/{ours} is as it was before, and {theirs} stays at 0 replicas"),
            (true, _) => format!("deployment/{ours} and {theirs} are as they were before"),
        }
    }

    /// The steps of a migration, for people; `ours` is the name of nfsprov's Deployment.
    pub fn describe_steps(&self, direction: Direction, ours: &str) -> Vec<String> {
        let Self {
            namespace, deployment, ..
        } = self;
        let ours = format!("deployment/{ours} -n {namespace}");
        let theirs = format!("deployment/{deployment} -n {namespace}");
        let mut steps = match direction {
            Direction::ToNfsprov => vec![
                match self.replicas {
                    0 => format!("{theirs} is at 0 replicas: wait until its last pod has ended"),
                    now => format!("scale {theirs} from {now} to 0, and wait until its pods have ended"),
                },
                format!(
                    "apply {ours}, with its account and permissions; it serves {} from {}:{}",
                    self.provisioner, self.server, self.path
                ),
                format!("wait until {ours} is available; if it is not, undo these steps"),
            ],
            Direction::ToUpstream => vec![
                format!(
                    "scale {ours} to 0, wait until its pods have ended, and delete it with its account and permissions"
                ),
                format!(
                    "scale {theirs} to {}, and wait until it is available",
                    self.replicas_to_restore()
                ),
            ],
        };
        steps.extend(self.test_class.as_ref().map(|class| {
            let rest = match class.leaves_directory {
                true => " (its class keeps or archives its empty directory)",
                false => "",
            };
            format!(
                "create a claim of class {} in {namespace}, wait until it is Bound, and delete it{rest}",
                class.name
            )
        }));
        steps
    }
}

fn pod_spec(deployment: &Deployment) -> Option<&PodSpec> {
    deployment.spec.as_ref()?.template.spec.as_ref()
}

/// The literal value of a container's variable, of several with one name the last, which the kubelet takes; `None` if
/// it is empty, or taken from another object.
fn literal_variable(container: &Container, name: &str) -> Option<String> {
    let variable = container.env.iter().flatten().rfind(|variable| variable.name == name)?;
    variable.value.clone().filter(|value| !value.is_empty())
}

/// Server and path of the NFS volume that a container mounts at [`MOUNT_PATH`], where upstream expects its export;
/// `None` if nothing or another volume is mounted there.
fn mounted_export(pod: &PodSpec, container: &Container) -> Option<(String, String)> {
    let mut mounts = container.volume_mounts.iter().flatten();
    let volume = &mounts.find(|mount| mount.mount_path == MOUNT_PATH)?.name;
    let volume = pod.volumes.iter().flatten().find(|found| found.name == *volume)?;
    volume.nfs.as_ref().map(|nfs| (nfs.server.clone(), nfs.path.clone()))
}

/// The program that manages the Deployment: Argo CD, Flux, Helm, or the one in the label `managed-by`; `None` if none
/// is named.
fn managing_program(
    labels: Option<&BTreeMap<String, String>>,
    annotations: &BTreeMap<String, String>,
) -> Option<String> {
    let label = |key: &str| labels.and_then(|labels| labels.get(key));
    let is_marked = |prefix: &str| {
        annotations
            .keys()
            .chain(labels.into_iter().flat_map(BTreeMap::keys))
            .any(|key| key.starts_with(prefix))
    };
    if is_marked("argocd.argoproj.io/") {
        return Some("Argo CD".to_owned());
    }
    if is_marked("kustomize.toolkit.fluxcd.io/") || is_marked("helm.toolkit.fluxcd.io/") {
        return Some("Flux".to_owned());
    }
    let release = annotations.get("meta.helm.sh/release-name");
    release
        .map(|release| format!("Helm (release {release})"))
        .or_else(|| label("app.kubernetes.io/managed-by").cloned())
}

/// A class for a test claim: the first of the provisioner that binds immediately and has no `pathPattern`; `None` if
/// there is none.
fn choose_test_class(classes: &[StorageClass], provisioner: &str) -> Option<TestClass> {
    let suits = |class: &&StorageClass| {
        let parameters = class.parameters.as_ref();
        class.provisioner == provisioner
            && class.volume_binding_mode.as_deref().unwrap_or("Immediate") == "Immediate"
            && parameters.is_none_or(|parameters| !parameters.contains_key("pathPattern"))
    };
    let class = classes.iter().find(suits)?;
    let parameter = |key: &str| class.parameters.as_ref()?.get(key).map(String::as_str);
    let is_deleted = match parameter("onDelete") {
        Some(on_delete) => on_delete == "delete",
        None => parameter("archiveOnDelete") == Some("false"),
    };
    Some(TestClass {
        name: class.metadata.name.clone()?,
        leaves_directory: !is_deleted || class.reclaim_policy.as_deref() == Some("Retain"),
    })
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
