//! The cluster itself: NFS003, NFS004 (PURE).

use std::collections::HashSet;

use k8s_openapi::jiff::SignedDuration;

use super::View;
use crate::cluster::snapshot::{Claim, ClusterSnapshot, Lock};
use crate::doctor::entry::entries;
use crate::doctor::{Confidence, Finding, Object};

/// How long a claim may be Pending without an event of the controller manager.
const SILENCE: SignedDuration = SignedDuration::from_mins(10);

/// How old the controller manager's Lease may be; it renews every two seconds.
const STALE: SignedDuration = SignedDuration::from_mins(1);

entries! {
    "NFS001" Error [] "API unreachable",
        "The API server did not answer, so no check was run. The message names the URL that was tried. Check that the context is right (kubectl config get-contexts), that the server runs, and whether a proxy is in between.";
    "NFS003" Info [] "distribution and version",
        "The distribution and version of the cluster. They decide which fixes apply: selfLink can be enabled again on 1.20 to 1.23 only; from 1.26 on, existing claims without a class get a new default class.";
    "NFS004" Error [CLAIMS, EVENTS, LEASES] "controller manager not working",
        "The kube-controller-manager binds claims to volumes and hands claims to provisioners. It checks each Pending claim every 15 seconds and writes an event. A claim that has been Pending for ten minutes without an event, or an expired Lease kube-system/kube-controller-manager, means that it does not run. On kubeadm it is a static pod of the control plane nodes; on K3s and RKE2 it is part of the server process.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let expired = find_expired_controller_lease(view);
    [describe_version(view.cluster)].into_iter().chain(expired).collect()
}

/// The distribution of Kubernetes, by its version or its nodes' annotations; `Kubernetes` if neither tells.
pub fn distribution(cluster: &ClusterSnapshot) -> &'static str {
    let version = &cluster.version;
    let named = [
        ("+k3s", "K3s"),
        ("+rke2", "RKE2"),
        ("-eks-", "EKS"),
        ("-gke.", "GKE"),
        ("+k0s", "k0s"),
    ];
    let by_version = named.into_iter().find(|(part, _)| version.contains(part));
    match by_version {
        Some((_, name)) => name,
        None if cluster.nodes.iter().any(|node| node.kubeadm) => "kubeadm",
        None => "Kubernetes",
    }
}

fn describe_version(cluster: &ClusterSnapshot) -> Finding {
    let name = distribution(cluster);
    let cause = format!("{name} {}", cluster.version);
    Finding::new("NFS003", Object::cluster_scoped("Cluster", name), cause).with_evidence("/version", &cluster.version)
}

/// NFS004, certain: the controller manager's Lease has not been renewed for a minute. `None` without such a Lease, or
/// if it names no time.
fn find_expired_controller_lease(view: &View<'_>) -> Option<Finding> {
    let is_managers = |lock: &&Lock| lock.namespace == "kube-system" && lock.name == "kube-controller-manager";
    let lock = view.cluster.locks.iter().find(is_managers)?;
    let renewed = lock.renewed.filter(|_| view.has_elapsed(lock.renewed, STALE))?;
    let source = "renewTime of Lease kube-system/kube-controller-manager";
    Some(
        build_controller_manager_finding("its Lease is not renewed any more")
            .with_evidence(source, renewed.to_string()),
    )
}

/// NFS004, likely: claims have been Pending for more than ten minutes without an event, and none of `found`, the
/// findings of all checks, names them. `None` if events were not read.
pub fn find_idle_controller_manager(view: &View<'_>, found: &[Finding]) -> Option<Finding> {
    if !view.cluster.was_read("events") {
        return None;
    }
    let explained: HashSet<&Object> = found
        .iter()
        .flat_map(|finding| finding.affected.iter().chain([&finding.object]))
        .collect();
    let waiting = view
        .pending_claims()
        .filter(|claim| claim.volume.is_empty() && view.has_elapsed(claim.created, SILENCE));
    let is_silent = |object: &Object| view.events_about(object).is_empty() && !explained.contains(object);
    let objects: Vec<Object> = waiting.map(Claim::object).filter(is_silent).collect();
    let source = format!("events on {}", objects.first()?.title());
    Some(
        build_controller_manager_finding("claims are Pending, and it writes no events about them")
            .with_confidence(Confidence::Likely)
            .with_evidence(source, "none, after more than ten minutes")
            .with_affected(objects),
    )
}

fn build_controller_manager_finding(why: &str) -> Finding {
    let object = Object::cluster_scoped("Cluster", "kube-controller-manager");
    Finding::new("NFS004", object, format!("the kube-controller-manager does not work: {why}"))
    .with_same_cause("kube-controller-manager")
    .with_advice("read its log: kubectl -n kube-system logs -l component=kube-controller-manager, or the log of k3s or rke2-server")
}
