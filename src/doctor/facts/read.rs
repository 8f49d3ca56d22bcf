//! From the API's objects to facts (PURE).

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::jiff::Timestamp;

use super::{Claim, ClaimRef, Class, Container, Event, Limit, Lock, Node, Pod, Stopped, Volume, Wish, Workload};
use crate::doctor::{Object, quantity};
use crate::provisioner::volume::DIRECTORY;

/// Where the class stood before there was a field for it.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

fn strings(list: Option<Vec<String>>) -> Vec<String> {
    list.unwrap_or_default()
}

fn going(meta: &ObjectMeta) -> Option<Timestamp> {
    meta.deletion_timestamp.as_ref().map(|time| time.0)
}

fn made(meta: &ObjectMeta) -> Option<Timestamp> {
    meta.creation_timestamp.as_ref().map(|time| time.0)
}

fn annotation(meta: &ObjectMeta, key: &str) -> Option<String> {
    meta.annotations.as_ref()?.get(key).cloned()
}

fn storage(list: Option<&BTreeMap<String, Quantity>>) -> String {
    let size = list.and_then(|list| list.get("storage"));
    size.map(|size| size.0.clone()).unwrap_or_default()
}

fn volume_mode(mode: Option<String>) -> String {
    mode.unwrap_or_else(|| "Filesystem".to_owned())
}

impl From<core::PersistentVolumeClaim> for Claim {
    fn from(claim: core::PersistentVolumeClaim) -> Self {
        let meta = claim.metadata;
        let spec = claim.spec.unwrap_or_default();
        let status = claim.status.unwrap_or_default();
        let size = storage(spec.resources.as_ref().and_then(|needs| needs.requests.as_ref()));
        let handover = annotation(&meta, "volume.kubernetes.io/storage-provisioner")
            .or_else(|| annotation(&meta, "volume.beta.kubernetes.io/storage-provisioner"));
        Self {
            created: made(&meta),
            deleting: going(&meta),
            annotated: annotation(&meta, CLASS).is_some(),
            // The annotation from before the field is still the stronger one.
            class: annotation(&meta, CLASS).or(spec.storage_class_name),
            capacity: status
                .capacity
                .as_ref()
                .map(|all| storage(Some(all)))
                .and_then(|size| quantity::parse(&size)),
            data_source: spec
                .data_source_ref
                .map(|source| (source.kind, source.name))
                .or(spec.data_source.map(|source| (source.kind, source.name))),
            attributes_class: spec.volume_attributes_class_name.filter(|name| !name.is_empty()),
            node_selected: annotation(&meta, "volume.kubernetes.io/selected-node").is_some_and(|node| !node.is_empty()),
            handover,
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            finalizers: strings(meta.finalizers),
            volume: spec.volume_name.unwrap_or_default(),
            phase: status.phase.unwrap_or_default(),
            wish: Wish {
                bytes: quantity::parse(&size).unwrap_or_default(),
                modes: strings(spec.access_modes),
                volume_mode: volume_mode(spec.volume_mode),
                selector: spec.selector.filter(|selector| *selector != LabelSelector::default()),
            },
            size,
        }
    }
}

impl From<core::PersistentVolume> for Volume {
    fn from(volume: core::PersistentVolume) -> Self {
        let meta = volume.metadata;
        let spec = volume.spec.unwrap_or_default();
        let status = volume.status.unwrap_or_default();
        let size = storage(spec.capacity.as_ref());
        let claim = |claim: core::ObjectReference| ClaimRef {
            namespace: claim.namespace.unwrap_or_default(),
            name: claim.name.unwrap_or_default(),
            uid: claim.uid.unwrap_or_default(),
        };
        Self {
            created: made(&meta),
            deleting: going(&meta),
            directory: annotation(&meta, DIRECTORY),
            provisioned_by: annotation(&meta, "pv.kubernetes.io/provisioned-by"),
            class: annotation(&meta, CLASS).or(spec.storage_class_name).unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            finalizers: strings(meta.finalizers),
            labels: meta.labels.unwrap_or_default(),
            capacity: quantity::parse(&size),
            size,
            modes: strings(spec.access_modes),
            volume_mode: volume_mode(spec.volume_mode),
            phase: status.phase.unwrap_or_default(),
            phase_since: status.last_phase_transition_time.map(|time| time.0),
            reclaim: spec.persistent_volume_reclaim_policy.unwrap_or_default(),
            claim: spec.claim_ref.map(claim),
            nfs: spec.nfs.map(|nfs| (nfs.server, nfs.path)),
            csi_export: spec.csi.as_ref().and_then(csi_export),
            csi_driver: spec.csi.map(|csi| csi.driver),
            affinity: spec.node_affinity.and_then(|affinity| affinity.required).map(Box::new),
        }
    }
}

/// The export of an NFS CSI driver's volume: drivers call server and path alike.
fn csi_export(csi: &core::CSIPersistentVolumeSource) -> Option<(String, String)> {
    let attributes = csi.volume_attributes.as_ref()?;
    let of = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| attributes.get(*key))
            .filter(|value| !value.is_empty())
    };
    let (server, share) = (of(&["server", "nfsServer"])?, of(&["share", "path", "nfsPath"])?);
    let path = match of(&["subdir", "subDir"]) {
        Some(below) => format!("{}/{}", share.trim_end_matches('/'), below.trim_start_matches('/')),
        None => share.clone(),
    };
    Some((server.clone(), path))
}

impl From<storage::StorageClass> for Class {
    fn from(class: storage::StorageClass) -> Self {
        let meta = class.metadata;
        let marked = |key| annotation(&meta, key).as_deref() == Some("true");
        Self {
            created: made(&meta),
            default: marked("storageclass.kubernetes.io/is-default-class")
                || marked("storageclass.beta.kubernetes.io/is-default-class"),
            provisioner: class.provisioner,
            waits: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
            is_expandable: class.allow_volume_expansion == Some(true),
            parameters: class.parameters.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
        }
    }
}

impl Container {
    fn read(container: core::Container, volumes: &[core::Volume]) -> Self {
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
            args: [strings(container.command), strings(container.args)].concat(),
            mounts,
        }
    }
}

/// The NFS volumes of a pod.
fn nfs(volumes: &[core::Volume]) -> Vec<(String, String)> {
    let nfs = volumes.iter().filter_map(|volume| volume.nfs.as_ref());
    nfs.map(|nfs| (nfs.server.clone(), nfs.path.clone())).collect()
}

impl Pod {
    /// A pod, if any check asks about it.
    pub fn read(pod: core::Pod) -> Option<Self> {
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
        let nfs = nfs(&volumes);
        let read = |container| Container::read(container, &volumes);
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
        if claims.is_empty() && nfs.is_empty() && !control && !provisioner && !name.starts_with("recycler-for-") {
            return None;
        }
        let condition = |type_: &str| {
            let mut all = status.conditions.iter().flatten();
            all.find(|condition| condition.type_ == type_)
        };
        let unscheduled = condition("PodScheduled").filter(|condition| condition.status == "False");
        let all = [&status.init_container_statuses, &status.container_statuses];
        let stopped = all.into_iter().flatten().flatten().filter_map(stopped).collect();
        Some(Self {
            created: made(&meta),
            deleting: going(&meta),
            namespace: meta.namespace.unwrap_or_default(),
            name,
            ready: condition("Ready").is_some_and(|condition| condition.status == "True"),
            unschedulable: unscheduled
                .and_then(|condition| condition.message.clone())
                .unwrap_or_default(),
            phase: status.phase.unwrap_or_default(),
            node: spec.node_name.unwrap_or_default(),
            claims,
            nfs,
            stopped,
            is_static,
            is_owned: owner.is_some(),
            fs_group: spec.security_context.is_some_and(|context| context.fs_group.is_some()),
            labels: if control || provisioner {
                labels
            } else {
                BTreeMap::new()
            },
            containers: if control || provisioner { containers } else { Vec::new() },
        })
    }
}

fn stopped(status: &core::ContainerStatus) -> Option<Stopped> {
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
            let before = status.last_state.as_ref().and_then(ended).map(|(_, message)| message);
            let said = waiting.message.clone().or(before).unwrap_or_default();
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

/// Who manages a workload, by the labels, annotations and owner references that it has.
fn manager(meta: &ObjectMeta) -> Option<String> {
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
    fn new(kind: &str, meta: ObjectMeta, labels: LabelSelector, template: core::PodTemplateSpec) -> Self {
        let spec = template.spec.unwrap_or_default();
        let volumes = spec.volumes.unwrap_or_default();
        let read = |container| Container::read(container, &volumes);
        Self {
            kind: kind.to_owned(),
            created: made(&meta),
            managed_by: manager(&meta),
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            labels: labels.match_labels.unwrap_or_default(),
            service_account: spec.service_account_name.unwrap_or_else(|| "default".to_owned()),
            containers: spec.containers.into_iter().map(read).collect(),
            nfs: nfs(&volumes),
            ..Self::default()
        }
    }
}

impl From<apps::Deployment> for Workload {
    fn from(deployment: apps::Deployment) -> Self {
        let spec = deployment.spec.unwrap_or_default();
        Self {
            replicas: spec.replicas.unwrap_or(1),
            ready: deployment.status.and_then(|status| status.ready_replicas).unwrap_or(0),
            ..Self::new("Deployment", deployment.metadata, spec.selector, spec.template)
        }
    }
}

impl From<apps::StatefulSet> for Workload {
    fn from(set: apps::StatefulSet) -> Self {
        let spec = set.spec.unwrap_or_default();
        let template = |claim: core::PersistentVolumeClaim| {
            let claim = Claim::from(claim);
            (claim.name, claim.class, claim.size)
        };
        Self {
            replicas: spec.replicas.unwrap_or(1),
            ready: set.status.and_then(|status| status.ready_replicas).unwrap_or(0),
            templates: spec
                .volume_claim_templates
                .into_iter()
                .flatten()
                .map(template)
                .collect(),
            ..Self::new("StatefulSet", set.metadata, spec.selector, spec.template)
        }
    }
}

impl From<apps::DaemonSet> for Workload {
    fn from(set: apps::DaemonSet) -> Self {
        let spec = set.spec.unwrap_or_default();
        let status = set.status.unwrap_or_default();
        Self {
            replicas: status.desired_number_scheduled,
            ready: status.number_ready,
            ..Self::new("DaemonSet", set.metadata, spec.selector, spec.template)
        }
    }
}

impl From<core::Node> for Node {
    fn from(node: core::Node) -> Self {
        let args = ["k3s.io/node-args", "rke2.io/node-args"];
        let status = node.status.unwrap_or_default();
        let ready = |condition: &core::NodeCondition| condition.type_ == "Ready" && condition.status == "True";
        Self {
            server_args: args
                .into_iter()
                .filter_map(|key| Some((key.to_owned(), annotation(&node.metadata, key)?)))
                .collect(),
            kubeadm: annotation(&node.metadata, "kubeadm.alpha.kubernetes.io/cri-socket").is_some(),
            ready: status.conditions.iter().flatten().any(ready),
            addresses: status
                .addresses
                .into_iter()
                .flatten()
                .filter(|address| address.type_ == "InternalIP")
                .map(|address| address.address)
                .collect(),
            kubelet: status
                .node_info
                .as_ref()
                .map(|info| info.kubelet_version.clone())
                .unwrap_or_default(),
            os: status.node_info.map(|info| info.os_image).unwrap_or_default(),
            labels: node.metadata.labels.unwrap_or_default(),
            name: node.metadata.name.unwrap_or_default(),
        }
    }
}

impl From<core::Event> for Event {
    fn from(event: core::Event) -> Self {
        let about = event.involved_object;
        let source = event.source.unwrap_or_default();
        let object = about.kind.zip(about.name).map(|(kind, name)| Object {
            // Events about objects without one are kept in some namespace all the same.
            namespace: about.namespace.filter(|_| kind != "PersistentVolume" && kind != "Node"),
            kind,
            name,
        });
        let series = event.series.and_then(|series| series.last_observed_time);
        let last = event.last_timestamp.map(|time| time.0);
        Self {
            object,
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
            component: source
                .component
                .filter(|component| !component.is_empty())
                .or(event.reporting_component)
                .unwrap_or_default(),
            host: source.host.unwrap_or_default(),
            last: series
                .map(|time| time.0)
                .or(last)
                .or(event.event_time.map(|time| time.0))
                .or_else(|| made(&event.metadata)),
        }
    }
}

impl From<coordination::Lease> for Lock {
    fn from(lease: coordination::Lease) -> Self {
        let spec = lease.spec.unwrap_or_default();
        Self {
            kind: "Lease".to_owned(),
            namespace: lease.metadata.namespace.unwrap_or_default(),
            name: lease.metadata.name.unwrap_or_default(),
            holder: spec.holder_identity.unwrap_or_default(),
            renewed: spec.renew_time.map(|time| time.0),
            term: spec.lease_duration_seconds.unwrap_or(15).into(),
        }
    }
}

impl Lock {
    /// The lock that an Endpoints object carries in an annotation, as the older library keeps it.
    pub fn on_endpoints(endpoints: core::Endpoints) -> Option<Self> {
        let record = annotation(&endpoints.metadata, "control-plane.alpha.kubernetes.io/leader")?;
        let record: serde_json::Value = serde_json::from_str(&record).ok()?;
        Some(Self {
            kind: "Endpoints".to_owned(),
            namespace: endpoints.metadata.namespace.unwrap_or_default(),
            name: endpoints.metadata.name.unwrap_or_default(),
            holder: record["holderIdentity"].as_str().unwrap_or_default().to_owned(),
            renewed: record["renewTime"].as_str().and_then(|time| time.parse().ok()),
            term: record["leaseDurationSeconds"].as_i64().unwrap_or(15),
        })
    }
}

impl Limit {
    /// The limits on claims in a LimitRange.
    pub fn read(range: core::LimitRange) -> Vec<Self> {
        let meta = range.metadata;
        let items = range.spec.map(|spec| spec.limits).unwrap_or_default();
        let limit = |(index, item): (usize, core::LimitRangeItem)| Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            index,
            min: Some(storage(item.min.as_ref())).filter(|size| !size.is_empty()),
            max: Some(storage(item.max.as_ref())).filter(|size| !size.is_empty()),
        };
        let claims = |(_, item): &(usize, core::LimitRangeItem)| item.type_ == "PersistentVolumeClaim";
        items.into_iter().enumerate().filter(claims).map(limit).collect()
    }
}
