//! The cluster itself: NFS003, NFS004 (PURE).

use std::collections::HashSet;

use k8s_openapi::jiff::SignedDuration;

use super::Case;
use crate::doctor::Severity::{Error, Info};
use crate::doctor::explain::{CLAIMS, EVENTS, Entry, LEASES, entry};
use crate::doctor::facts::Facts;
use crate::doctor::{Confidence, Finding, Object};

/// How long the controller manager may say nothing about a claim.
const SILENCE: SignedDuration = SignedDuration::from_mins(10);

/// How old the controller manager's Lease may be; it renews every two seconds.
const STALE: SignedDuration = SignedDuration::from_mins(1);

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS001",
        Error,
        &[],
        "API unreachable",
        "The API server did not answer, so no check was run. The message names the URL that was tried. Check that the context is right (kubectl config get-contexts), that the server runs, and whether a proxy stands in between.",
    ),
    entry(
        "NFS003",
        Info,
        &[],
        "distribution and version",
        "The distribution and version of the cluster. They decide which fixes apply: selfLink can be enabled again on 1.20 to 1.23 only; from 1.26 on, existing claims without a class get a new default class.",
    ),
    entry(
        "NFS004",
        Error,
        &[CLAIMS, EVENTS, LEASES],
        "controller manager not working",
        "The kube-controller-manager binds claims to volumes and hands claims to provisioners. It checks each Pending claim every 15 seconds and writes an event. A claim that has been Pending for ten minutes without an event, or an expired Lease kube-system/kube-controller-manager, means that it does not run. On kubeadm it is a static pod of the control plane nodes; on K3s and RKE2 it is part of the server process.",
    ),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found = vec![about(case.facts)];
    found.extend(lease(case));
    found
}

/// Which Kubernetes this is.
pub fn distribution(facts: &Facts) -> &'static str {
    let version = &facts.version;
    let named = [
        ("+k3s", "K3s"),
        ("+rke2", "RKE2"),
        ("-eks-", "EKS"),
        ("-gke.", "GKE"),
        ("+k0s", "k0s"),
    ];
    let by_version = named.into_iter().find(|(sign, _)| version.contains(sign));
    match by_version {
        Some((_, name)) => name,
        None if facts.nodes.iter().any(|node| node.kubeadm) => "kubeadm",
        None => "Kubernetes",
    }
}

fn about(facts: &Facts) -> Finding {
    let name = distribution(facts);
    Finding::new(
        "NFS003",
        Object::cluster("Cluster", name),
        format!("{name} {}", facts.version),
    )
    .seen("/version", &facts.version)
}

fn lease(case: &Case<'_>) -> Option<Finding> {
    let lock = case
        .facts
        .locks
        .iter()
        .find(|lock| (lock.namespace.as_str(), lock.name.as_str()) == ("kube-system", "kube-controller-manager"))?;
    let renewed = lock.renewed.filter(|renewed| case.older(Some(*renewed), STALE))?;
    Some(dead("its Lease is not renewed any more").seen(
        "renewTime of Lease kube-system/kube-controller-manager",
        renewed.to_string(),
    ))
}

/// Reports claims that have been Pending for long without any event or other finding.
pub fn silence(case: &Case<'_>, found: &[Finding]) -> Option<Finding> {
    if !case.facts.knows("events") {
        return None;
    }
    let explained: HashSet<&Object> = found
        .iter()
        .flat_map(|finding| finding.explains.iter().chain([&finding.object]))
        .collect();
    let silent = case.facts.claims.iter().filter(|claim| {
        let object = claim.object();
        claim.pending()
            && claim.volume.is_empty()
            && case.older(claim.created, SILENCE)
            && case.events(&object).is_empty()
            && !explained.contains(&object)
    });
    let objects: Vec<Object> = silent.map(|claim| claim.object()).collect();
    let first = objects.first()?;
    Some(
        dead("claims are Pending, and it writes no events about them")
            .only(Confidence::Likely)
            .seen(
                format!("events on {}", first.title()),
                "none, after more than ten minutes",
            )
            .explaining(objects),
    )
}

fn dead(why: &str) -> Finding {
    Finding::new(
        "NFS004",
        Object::cluster("Cluster", "kube-controller-manager"),
        format!("the kube-controller-manager does not work: {why}"),
    )
    .alike("kube-controller-manager")
    .advise("read its log: kubectl -n kube-system logs -l component=kube-controller-manager, or the log of k3s or rke2-server")
}
