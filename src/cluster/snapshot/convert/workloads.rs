//! Turns the API's pods and workloads into [`Pod`] and [`Workload`] (PURE): of each the fields that nfsprov uses.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::{creation_time, deletion_time, or_empty};
use crate::cluster::snapshot::{Claim, Container, Pod, Stopped, Workload};

impl Container {
    /// A container with its relevant fields; `volumes` are those of its pod. A variable whose value comes from
    /// elsewhere has `None`; a mount has an export only if its volume is NFS without a claim.
    fn from_spec(container: core::Container, volumes: &[core::Volume]) -> Self {
        let export = |name: &str| {
            let volume = volumes.iter().find(|volume| volume.name == name)?;
            volume.nfs.as_ref().map(|nfs| (nfs.server.clone(), nfs.path.clone()))
        };
        let mounts = container.volume_mounts.iter().flatten();
        let mounts = mounts
            .map(|mount| (mount.mount_path.clone(), export(&mount.name)))
            .collect();
        let value = |variable: core::EnvVar| {
            let value = match variable.value_from {
                Some(_) => None,
                None => Some(variable.value.unwrap_or_default()),
            };
            (variable.name, value)
        };
        Self {
            name: container.name,
            image: container.image.unwrap_or_default(),
            env: container.env.into_iter().flatten().map(value).collect(),
            env_from: container.env_from.is_some_and(|sources| !sources.is_empty()),
            args: [or_empty(container.command), or_empty(container.args)].concat(),
            mounts,
        }
    }
}

/// The server and path of a pod's own volume, if it is NFS, also by a CSI driver whose name says so.
fn nfs_of(volume: &core::Volume) -> Option<(String, String)> {
    if let Some(nfs) = &volume.nfs {
        return Some((nfs.server.clone(), nfs.path.clone()));
    }
    let csi = volume.csi.as_ref().filter(|csi| csi.driver.contains("nfs"))?;
    let attribute = |key: &str| csi.volume_attributes.as_ref()?.get(key).cloned();
    attribute("server").zip(attribute("share"))
}

/// The node that a pod's affinity requires by its name, as a DaemonSet writes it.
fn required_node(affinity: core::Affinity) -> Option<String> {
    let required = affinity
        .node_affinity?
        .required_during_scheduling_ignored_during_execution?;
    let mut fields = required
        .node_selector_terms
        .into_iter()
        .flat_map(|term| term.match_fields.unwrap_or_default());
    let name = fields.find(|field| field.key == "metadata.name" && field.operator == "In")?;
    name.values?.into_iter().next()
}

impl Pod {
    /// A pod with its relevant fields; `None` if it is of no use: it has no claim, NFS volume or provisioner, is not
    /// of the control plane and recycles no PV. Only provisioners and the control plane keep labels, containers and
    /// service account. Init containers count only among the `stopped` ones.
    pub(super) fn from_relevant(pod: core::Pod) -> Option<Self> {
        let meta = pod.metadata;
        let spec = pod.spec.unwrap_or_default();
        let status = pod.status.unwrap_or_default();
        let volumes = spec.volumes.unwrap_or_default();
        let name = meta.name.clone().unwrap_or_default();
        let claim = |volume: &core::Volume| match &volume.ephemeral {
            // Its claim is called so.
            Some(_) => Some(format!("{name}-{}", volume.name)),
            None => Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()),
        };
        let claims: Vec<String> = volumes.iter().filter_map(claim).collect();
        let nfs: Vec<_> = volumes.iter().filter_map(nfs_of).collect();
        let is_other = |volume: &&core::Volume| claim(volume).is_none() && nfs_of(volume).is_none();
        let other_volumes = volumes.iter().filter(is_other).map(|volume| volume.name.clone());
        let other_volumes = other_volumes.collect();
        let read = |container| Container::from_spec(container, &volumes);
        let containers: Vec<Container> = spec.containers.into_iter().map(read).collect();
        let owner = meta
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true));
        let is_static = owner.is_some_and(|owner| owner.kind == "Node");
        let labels = meta.labels.clone().unwrap_or_default();
        let control = meta.namespace.as_deref() == Some("kube-system") && labels.contains_key("component");
        let provisioner = containers.iter().any(Container::is_relevant);
        let is_kept_whole = control || provisioner;
        if claims.is_empty() && nfs.is_empty() && !is_kept_whole && !name.starts_with("recycler-for-") {
            return None;
        }
        let condition = |type_: &str| {
            let mut all = status.conditions.iter().flatten();
            all.find(|condition| condition.type_ == type_)
        };
        let unscheduled = condition("PodScheduled").filter(|condition| condition.status == "False");
        let all = [&status.init_container_statuses, &status.container_statuses];
        let all = || all.into_iter().flatten().flatten();
        let stopped = all().filter_map(stopped_container).collect();
        let start_of = |state: &core::ContainerState| {
            let running = state.running.as_ref().and_then(|running| running.started_at.clone());
            running.or_else(|| state.terminated.as_ref()?.started_at.clone())
        };
        let states = all().flat_map(|container| [&container.state, &container.last_state].into_iter().flatten());
        let started = states.filter_map(start_of).map(|time| time.0).max();
        Some(Self {
            created: creation_time(&meta),
            deleting: deletion_time(&meta),
            namespace: meta.namespace.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            finalizers: or_empty(meta.finalizers),
            name,
            ready: condition("Ready").is_some_and(|condition| condition.status == "True"),
            unschedulable: unscheduled
                .and_then(|condition| condition.message.clone())
                .unwrap_or_default(),
            why_failed: match status.phase.as_deref() {
                Some("Failed") => [status.reason.unwrap_or_default(), status.message.unwrap_or_default()].join(": "),
                _ => String::new(),
            },
            phase: status.phase.unwrap_or_default(),
            node: spec.node_name.unwrap_or_default(),
            daemon_node: spec.affinity.and_then(required_node).unwrap_or_default(),
            claims,
            nfs,
            other_volumes,
            started,
            stopped,
            is_static,
            is_owned: owner.is_some(),
            fs_group: spec.security_context.is_some_and(|context| context.fs_group.is_some()),
            labels: Some(labels).filter(|_| is_kept_whole).unwrap_or_default(),
            containers: Some(containers).filter(|_| is_kept_whole).unwrap_or_default(),
            service_account: Some(service_account_or_default(spec.service_account_name))
                .filter(|_| is_kept_whole)
                .unwrap_or_default(),
        })
    }
}

/// The service account of a pod: `default` if it names none.
fn service_account_or_default(named: Option<String>) -> String {
    let named = named.filter(|name| !name.is_empty());
    named.unwrap_or_else(|| "default".to_owned())
}

/// A container that waits, or ended otherwise than by completing, with the reason and the kubelet's message; without
/// one, the exit status of its last run. `None` if it runs or completed, or has no state yet.
fn stopped_container(status: &core::ContainerStatus) -> Option<Stopped> {
    let state = status.state.as_ref()?;
    let ended = |state: &core::ContainerState| {
        let ended = state.terminated.as_ref()?;
        let message = ended.message.clone().unwrap_or_default();
        Some((
            ended.reason.clone().unwrap_or_default(),
            format!("exit status {} {message}", ended.exit_code),
        ))
    };
    let (reason, message) = match &state.waiting {
        Some(waiting) => {
            // Of a crash, the kubelet's message says only how long it waits before the next start.
            let is_crash = waiting.reason.as_deref() == Some("CrashLoopBackOff");
            let said = waiting.message.clone().filter(|_| !is_crash);
            let before = status.last_state.as_ref().and_then(ended);
            let before = before.map(|(reason, message)| format!("after {reason}, {message}"));
            let said = said.or(before).or(waiting.message.clone()).unwrap_or_default();
            (waiting.reason.clone().unwrap_or_default(), said)
        }
        None => ended(state).filter(|(reason, _)| reason != "Completed")?,
    };
    Some(Stopped {
        container: status.name.clone(),
        image: status.image.clone(),
        reason,
        message: message.trim().to_owned(),
    })
}

/// The tool or object that manages a workload, by its labels, annotations and owner references: the first of Argo CD,
/// Flux, Helm, its owner, and what `app.kubernetes.io/managed-by` names. `None` if they name none.
fn find_manager(meta: &ObjectMeta) -> Option<String> {
    let labels = meta.labels.as_ref();
    let label = |key: &str| labels?.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let marked = |prefix: &str| {
        let mut keys = labels.into_iter().chain(&meta.annotations).flat_map(BTreeMap::keys);
        keys.any(|key| key.starts_with(prefix))
    };
    // Argo CD and Flux install charts too, and then the change belongs in their repository.
    if marked("argocd.argoproj.io/") {
        return Some("Argo CD".to_owned());
    }
    if marked("kustomize.toolkit.fluxcd.io/") || marked("helm.toolkit.fluxcd.io/") {
        return Some("Flux".to_owned());
    }
    // Charts of Helm 2's time have a label of its own.
    if marked("meta.helm.sh/") || marked("helm.sh/chart") || matches!(label("heritage"), Some("Helm" | "Tiller")) {
        return Some("Helm".to_owned());
    }
    let owner = meta.owner_references.iter().flatten().next();
    let owner = owner.map(|owner| format!("{} {}", owner.kind, owner.name));
    owner.or_else(|| label("app.kubernetes.io/managed-by").map(str::to_owned))
}

impl Workload {
    /// All but the numbers of replicas and the claim templates, which the caller sets. Init containers are left out,
    /// and so are requirements of the selector that are no labels.
    fn from_template(kind: &str, meta: ObjectMeta, selector: LabelSelector, template: core::PodTemplateSpec) -> Self {
        let spec = template.spec.unwrap_or_default();
        let volumes = spec.volumes.unwrap_or_default();
        let read = |container| Container::from_spec(container, &volumes);
        Self {
            kind: kind.to_owned(),
            created: creation_time(&meta),
            managed_by: find_manager(&meta),
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            labels: selector.match_labels.unwrap_or_default(),
            service_account: service_account_or_default(spec.service_account_name),
            containers: spec.containers.into_iter().map(read).collect(),
            nfs: volumes.iter().filter_map(nfs_of).collect(),
            ..Self::default()
        }
    }
}

impl From<apps::Deployment> for Workload {
    /// Without `replicas` it has one, the API's default.
    fn from(deployment: apps::Deployment) -> Self {
        let spec = deployment.spec.unwrap_or_default();
        let status = deployment.status.unwrap_or_default();
        let mut conditions = status.conditions.into_iter().flatten();
        let failure = conditions.find(|one| one.type_ == "ReplicaFailure" && one.status == "True");
        Self {
            replicas: spec.replicas.unwrap_or(1),
            ready: status.ready_replicas.unwrap_or(0),
            replica_failure: failure.and_then(|condition| condition.message).unwrap_or_default(),
            ..Self::from_template("Deployment", deployment.metadata, spec.selector, spec.template)
        }
    }
}

impl From<apps::StatefulSet> for Workload {
    /// Without `replicas` it has one, the API's default. The sizes of its claim templates are kept as written.
    fn from(set: apps::StatefulSet) -> Self {
        let spec = set.spec.unwrap_or_default();
        let template = |claim: core::PersistentVolumeClaim| {
            let claim = Claim::from(claim);
            (claim.name, claim.class, claim.size)
        };
        Self {
            replicas: spec.replicas.unwrap_or(1),
            ready: set.status.and_then(|status| status.ready_replicas).unwrap_or(0),
            first_ordinal: spec.ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0),
            templates: spec
                .volume_claim_templates
                .into_iter()
                .flatten()
                .map(template)
                .collect(),
            ..Self::from_template("StatefulSet", set.metadata, spec.selector, spec.template)
        }
    }
}

impl From<apps::DaemonSet> for Workload {
    /// `replicas` is the number of nodes that should run it.
    fn from(set: apps::DaemonSet) -> Self {
        let spec = set.spec.unwrap_or_default();
        let status = set.status.unwrap_or_default();
        Self {
            replicas: status.desired_number_scheduled,
            ready: status.number_ready,
            ..Self::from_template("DaemonSet", set.metadata, spec.selector, spec.template)
        }
    }
}
