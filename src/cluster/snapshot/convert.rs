//! From the API's objects to a snapshot (PURE): a [`SnapshotObject`] adds what nfsprov uses of it.

mod workloads;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::events::v1 as events;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::core::{Expression, Selector};

use super::{Claim, ClaimRef, Class, ClusterSnapshot, Event, Limit, Lock, Node, Pod, Requirements, Right, Volume};
use crate::cluster::nfs_volumes::{DIRECTORY, PROVISIONED_BY, csi_export};
use crate::cluster::object::Object;
use crate::cluster::quantity;

/// The annotation that named the class before there was a field for it.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// An object of the API that becomes a part of a snapshot.
pub trait SnapshotObject {
    /// Adds what nfsprov uses of the object, which may be nothing.
    fn add_to(self, snapshot: &mut ClusterSnapshot);
}

macro_rules! snapshot_objects {
    ($($kind:ty => |$snapshot:ident, $object:ident| $add:expr;)*) => {$(
        impl SnapshotObject for $kind {
            fn add_to(self, $snapshot: &mut ClusterSnapshot) {
                let $object = self;
                $add;
            }
        }
    )*};
}

snapshot_objects! {
    core::PersistentVolumeClaim => |snapshot, claim| snapshot.claims.push(claim.into());
    core::PersistentVolume => |snapshot, volume| snapshot.volumes.push(volume.into());
    storage::StorageClass => |snapshot, class| snapshot.classes.push(class.into());
    core::Pod => |snapshot, pod| snapshot.pods.extend(Pod::from_relevant(pod));
    apps::Deployment => |snapshot, deployment| snapshot.add_workload(deployment.into());
    apps::StatefulSet => |snapshot, set| snapshot.add_workload(set.into());
    apps::DaemonSet => |snapshot, set| snapshot.add_workload(set.into());
    core::Node => |snapshot, node| snapshot.nodes.push(node.into());
    core::Event => |snapshot, event| snapshot.events.push(event.into());
    events::Event => |snapshot, event| snapshot.events.push(event.into());
    storage::CSIDriver => |snapshot, driver| snapshot.csi_drivers.extend(driver.metadata.name);
    storage::CSINode => |snapshot, node| snapshot.csi_nodes.push(drivers_of_node(node));
    coordination::Lease => |snapshot, lease| snapshot.locks.push(lease.into());
    core::Endpoints => |snapshot, endpoints| snapshot.locks.extend(Lock::from_endpoints(endpoints));
    core::LimitRange => |snapshot, range| snapshot.limits.extend(Limit::from_range(range));
    SubjectAccessReview => |snapshot, review| snapshot.rights.extend(Right::from_review(review));
    core::Namespace => |snapshot, namespace| {
        let is_sent = namespace.metadata.self_link.is_some_and(|link| !link.is_empty());
        snapshot.self_link = Some(is_sent || snapshot.self_link == Some(true));
    };
}

/// A node's name, and the CSI drivers on it.
fn drivers_of_node(node: storage::CSINode) -> (String, Vec<String>) {
    let drivers = node.spec.drivers.into_iter().map(|driver| driver.name).collect();
    (node.metadata.name.unwrap_or_default(), drivers)
}

fn or_empty(list: Option<Vec<String>>) -> Vec<String> {
    list.unwrap_or_default()
}

fn deletion_time(meta: &ObjectMeta) -> Option<Timestamp> {
    meta.deletion_timestamp.as_ref().map(|time| time.0)
}

fn creation_time(meta: &ObjectMeta) -> Option<Timestamp> {
    meta.creation_timestamp.as_ref().map(|time| time.0)
}

fn find_annotation(meta: &ObjectMeta, key: &str) -> Option<String> {
    meta.annotations.as_ref()?.get(key).cloned()
}

/// The amount of storage among resources, as written; empty without one.
fn storage_size(list: Option<&BTreeMap<String, Quantity>>) -> String {
    let size = list.and_then(|list| list.get("storage"));
    size.map(|size| size.0.clone()).unwrap_or_default()
}

/// A volumeMode; without one `Filesystem`, the API's default.
fn volume_mode_or_default(mode: Option<String>) -> String {
    mode.unwrap_or_else(|| "Filesystem".to_owned())
}

/// The requirements of a selector; none if the API server would refuse it.
fn selector_requirements(selector: Option<LabelSelector>) -> Vec<Expression> {
    let selector = selector.and_then(|selector| Selector::try_from(selector).ok());
    selector.into_iter().flatten().collect()
}

impl From<core::PersistentVolumeClaim> for Claim {
    /// The annotation of the class comes before the field. A size that can't be parsed counts as 0 bytes.
    fn from(claim: core::PersistentVolumeClaim) -> Self {
        let meta = claim.metadata;
        let spec = claim.spec.unwrap_or_default();
        let status = claim.status.unwrap_or_default();
        let size = storage_size(spec.resources.as_ref().and_then(|needs| needs.requests.as_ref()));
        let handover = find_annotation(&meta, "volume.kubernetes.io/storage-provisioner")
            .or_else(|| find_annotation(&meta, "volume.beta.kubernetes.io/storage-provisioner"));
        Self {
            created: creation_time(&meta),
            deleting: deletion_time(&meta),
            has_class_annotation: find_annotation(&meta, CLASS).is_some(),
            // The annotation from before the field is still the stronger one.
            class: find_annotation(&meta, CLASS).or(spec.storage_class_name),
            capacity: status
                .capacity
                .as_ref()
                .map(|all| storage_size(Some(all)))
                .and_then(|size| quantity::parse_bytes(&size)),
            data_source: spec
                .data_source_ref
                .map(|source| (source.kind, source.name))
                .or(spec.data_source.map(|source| (source.kind, source.name))),
            attributes_class: spec.volume_attributes_class_name.filter(|name| !name.is_empty()),
            node_selected: find_annotation(&meta, "volume.kubernetes.io/selected-node")
                .is_some_and(|node| !node.is_empty()),
            handover,
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            finalizers: or_empty(meta.finalizers),
            volume: spec.volume_name.unwrap_or_default(),
            phase: status.phase.unwrap_or_default(),
            requirements: Requirements {
                bytes: quantity::parse_bytes(&size).unwrap_or_default(),
                modes: or_empty(spec.access_modes),
                volume_mode: volume_mode_or_default(spec.volume_mode),
                selector: selector_requirements(spec.selector),
            },
            size,
        }
    }
}

impl From<core::PersistentVolume> for Volume {
    /// The annotation of the class comes before the field. A size that can't be parsed gives no capacity.
    fn from(volume: core::PersistentVolume) -> Self {
        let meta = volume.metadata;
        let spec = volume.spec.unwrap_or_default();
        let status = volume.status.unwrap_or_default();
        let size = storage_size(spec.capacity.as_ref());
        let claim = |claim: core::ObjectReference| ClaimRef {
            namespace: claim.namespace.unwrap_or_default(),
            name: claim.name.unwrap_or_default(),
            uid: claim.uid.unwrap_or_default(),
        };
        Self {
            created: creation_time(&meta),
            deleting: deletion_time(&meta),
            directory: find_annotation(&meta, DIRECTORY),
            provisioned_by: find_annotation(&meta, PROVISIONED_BY),
            class: find_annotation(&meta, CLASS)
                .or(spec.storage_class_name)
                .unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            finalizers: or_empty(meta.finalizers),
            labels: meta.labels.unwrap_or_default(),
            capacity: quantity::parse_bytes(&size),
            size,
            modes: or_empty(spec.access_modes),
            volume_mode: volume_mode_or_default(spec.volume_mode),
            phase: status.phase.unwrap_or_default(),
            message: status.message.unwrap_or_default(),
            phase_since: status.last_phase_transition_time.map(|time| time.0),
            reclaim: spec.persistent_volume_reclaim_policy.unwrap_or_default(),
            claim: spec.claim_ref.map(claim),
            nfs: spec.nfs.map(|nfs| (nfs.server, nfs.path)),
            csi_export: spec.csi.as_ref().and_then(csi_export),
            csi_handle: spec
                .csi
                .as_ref()
                .map(|csi| csi.volume_handle.clone())
                .unwrap_or_default(),
            csi_driver: spec.csi.map(|csi| csi.driver),
            affinity: spec.node_affinity.and_then(|affinity| affinity.required).map(Box::new),
        }
    }
}

impl From<storage::StorageClass> for Class {
    /// The annotation `is-default-class`, current or beta, with the value `true` marks a default class. Without a
    /// reclaim policy it has Delete.
    fn from(class: storage::StorageClass) -> Self {
        let meta = class.metadata;
        let marked = |key| find_annotation(&meta, key).as_deref() == Some("true");
        Self {
            created: creation_time(&meta),
            default: marked("storageclass.kubernetes.io/is-default-class")
                || marked("storageclass.beta.kubernetes.io/is-default-class"),
            provisioner: class.provisioner,
            reclaim: class.reclaim_policy.unwrap_or_else(|| "Delete".to_owned()),
            waits_for_first_consumer: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
            is_expandable: class.allow_volume_expansion == Some(true),
            parameters: class.parameters.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
        }
    }
}

impl From<core::Node> for Node {
    /// Only addresses of the type InternalIP are kept. It is ready only if its condition Ready is True.
    fn from(node: core::Node) -> Self {
        let args = ["k3s.io/node-args", "rke2.io/node-args"];
        let status = node.status.unwrap_or_default();
        let is_ready = |condition: &core::NodeCondition| condition.type_ == "Ready" && condition.status == "True";
        Self {
            server_args: args
                .into_iter()
                .filter_map(|key| Some((key.to_owned(), find_annotation(&node.metadata, key)?)))
                .collect(),
            kubeadm: find_annotation(&node.metadata, "kubeadm.alpha.kubernetes.io/cri-socket").is_some(),
            ready: status.conditions.iter().flatten().any(is_ready),
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
    /// Events about PVs and nodes lose their namespace, so that `object` equals theirs. `last` is the last occurrence,
    /// else the creation.
    fn from(event: core::Event) -> Self {
        let about = event.involved_object;
        let uid = about.uid.unwrap_or_default();
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
            uid,
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
            component: source
                .component
                .filter(|component| !component.is_empty())
                .or(event.reporting_component)
                .unwrap_or_default(),
            last: series
                .map(|time| time.0)
                .or(last)
                .or(event.event_time.map(|time| time.0))
                .or_else(|| creation_time(&event.metadata)),
        }
    }
}

impl From<events::Event> for Event {
    /// As the same event of the core group.
    fn from(event: events::Event) -> Self {
        Self::from(core::Event {
            involved_object: event.regarding.unwrap_or_default(),
            reason: event.reason,
            message: event.note,
            source: event.deprecated_source,
            reporting_component: event.reporting_controller,
            event_time: event.event_time,
            last_timestamp: event.deprecated_last_timestamp,
            series: event.series.map(|series| core::EventSeries {
                count: Some(series.count),
                last_observed_time: Some(series.last_observed_time),
            }),
            metadata: event.metadata,
            ..core::Event::default()
        })
    }
}

impl From<coordination::Lease> for Lock {
    /// A Lease without a holder has an empty one; one without a duration has a term of 15 s.
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
    /// The lock in an annotation of an Endpoints object, where older client libraries keep it; `None` without one, or
    /// if it is not JSON. Without a duration its term is 15 s.
    pub fn from_endpoints(endpoints: core::Endpoints) -> Option<Self> {
        let record = find_annotation(&endpoints.metadata, "control-plane.alpha.kubernetes.io/leader")?;
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
    /// The limits on claims in a LimitRange, one for each of its items about claims; `index` counts all its items.
    fn from_range(range: core::LimitRange) -> Vec<Self> {
        let meta = range.metadata;
        let items = range.spec.map(|spec| spec.limits).unwrap_or_default();
        let limit = |(index, item): (usize, core::LimitRangeItem)| Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            index,
            min: Some(storage_size(item.min.as_ref())).filter(|size| !size.is_empty()),
            max: Some(storage_size(item.max.as_ref())).filter(|size| !size.is_empty()),
        };
        let claims = |(_, item): &(usize, core::LimitRangeItem)| item.type_ == "PersistentVolumeClaim";
        items.into_iter().enumerate().filter(claims).map(limit).collect()
    }
}

impl Right {
    /// The permission of a service account that a review answered; `None` if it is about another kind of user, or no
    /// resource. Without an answer it is not allowed.
    fn from_review(review: SubjectAccessReview) -> Option<Self> {
        let user = review.spec.user?;
        let (namespace, account) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        let asked = review.spec.resource_attributes?;
        Some(Self {
            namespace: namespace.to_owned(),
            account: account.to_owned(),
            group: asked.group.unwrap_or_default(),
            resource: match (asked.resource.unwrap_or_default(), asked.subresource) {
                (resource, Some(subresource)) if !subresource.is_empty() => format!("{resource}/{subresource}"),
                (resource, _) => resource,
            },
            within: asked.namespace.filter(|namespace| !namespace.is_empty()),
            verb: asked.verb.unwrap_or_default(),
            allowed: review.status.is_some_and(|status| status.allowed),
        })
    }
}
