//! The [`Report`]: findings in order, causes above symptoms, and the checks that ran and that didn't (PURE).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::checks::distribution;
use super::entry;
use super::explain::CATALOGUE;
use super::facts::Facts;
use super::names::count_of;
use super::{Finding, Object, Severity};
use crate::cluster::provisioners;
use crate::cluster::snapshot::{Claim, ClusterSnapshot, Pod};

/// The findings, and the codes that were checked.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Causes before symptoms, errors before warnings.
    pub findings: Vec<Finding>,
    pub checked: Vec<&'static str>,
    /// The codes that were not, and why.
    pub skipped: Vec<Skipped>,
    pub cluster: About,
    /// The number of objects that were checked, as a sentence.
    #[serde(skip)]
    pub scope: String,
}

/// A code that was not checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub code: &'static str,
    pub reason: String,
    /// Whether an option asked for it.
    #[serde(skip)]
    pub on_request: bool,
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Its version, as `v1.20.2`.
    pub version: String,
    /// `kubeadm`, `K3s`, `RKE2`, …, else `Kubernetes`.
    pub distribution: String,
}

impl Report {
    /// The report on a cluster whose API server gave no answer: NFS001, and all other codes as skipped.
    pub fn unreachable(url: &str, why: &str) -> Self {
        let finding = Finding::new(
            "NFS001",
            Object::cluster_scoped("Cluster", url),
            format!("the API server does not answer: {why}"),
        )
        .with_evidence("the URL that was tried", url)
        .with_advice("is the server up, and is this the right context (kubectl config get-contexts)?");
        let reason = "the API server does not answer";
        Self {
            findings: vec![finding],
            checked: vec!["NFS001"],
            skipped: CATALOGUE[1..]
                .iter()
                .map(|entry| Skipped {
                    code: entry.code,
                    reason: reason.to_owned(),
                    on_request: false,
                })
                .collect(),
            cluster: About::default(),
            scope: String::new(),
        }
    }

    /// Sorts findings, causes first, and adds the pods with symptoms to the causes of their claims. A finding stays
    /// even if its code is listed as skipped because something was not read.
    ///
    /// Codes that are not `selected` or are `ignored` are left out, and listed as not checked; an empty `selected`
    /// selects all. With `targets`, only findings about the cluster, and those about or affecting the targets, their
    /// claims, volumes, classes and provisioners, are kept.
    pub fn new(
        facts: &Facts,
        found: Vec<Finding>,
        (selected, ignored): (&[&'static str], &[&'static str]),
        targets: &[Object],
    ) -> Self {
        let option = |code: &&'static str| match () {
            () if ignored.contains(code) => Some("--ignore"),
            () if !selected.is_empty() && !selected.contains(code) => Some("--select"),
            () => None,
        };
        let mut findings = found;
        findings.retain(|finding| option(&finding.code).is_none());
        link_symptoms(&facts.cluster, &mut findings);
        if !targets.is_empty() {
            let wanted = collect_related(&facts.cluster, targets);
            let about = |finding: &Finding| {
                let cluster = finding.object.kind == "Cluster";
                cluster
                    || wanted.contains(&finding.object)
                    || finding.affected.iter().any(|object| wanted.contains(object))
            };
            findings.retain(about);
        }
        // An image that can't work is replaced first; what the new one may do is asked then.
        let theirs = findings
            .iter()
            .filter(|finding| matches!(finding.code, "NFS301" | "NFS302"));
        let theirs: HashSet<Object> = theirs.map(|finding| finding.object.clone()).collect();
        let later = |finding: &Finding| finding.code == "NFS206" && theirs.contains(&finding.object);
        findings.sort_by_cached_key(|finding| {
            let blocked = Reverse(finding.affected.len());
            let (code, object) = (finding.code, finding.object.clone());
            (
                finding.is_symptom(),
                finding.severity,
                later(finding),
                blocked,
                code,
                object,
            )
        });
        let (checked, skipped) = list_coverage(facts, option);
        Self {
            findings,
            checked,
            skipped,
            cluster: About {
                version: facts.cluster.version.clone(),
                distribution: distribution(&facts.cluster).to_owned(),
            },
            scope: describe_scope(&facts.cluster),
        }
    }

    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

/// Adds the pods that show symptoms to the affected objects of the causes of their claims.
fn link_symptoms(cluster: &ClusterSnapshot, findings: &mut [Finding]) {
    let pods: HashMap<Object, &Pod> = cluster.pods.iter().map(|pod| (pod.object(), pod)).collect();
    let mut waiting: HashMap<Object, Vec<Object>> = HashMap::new();
    for symptom in findings.iter().filter(|finding| finding.is_symptom()) {
        for claim in pods.get(&symptom.object).into_iter().flat_map(|pod| &pod.claims) {
            let namespace = symptom.object.namespace.as_deref().unwrap_or_default();
            let claim = Object::namespaced("PersistentVolumeClaim", namespace, claim);
            waiting.entry(claim).or_default().push(symptom.object.clone());
        }
    }
    for cause in findings.iter_mut().filter(|finding| !finding.is_symptom()) {
        let claims = cause.affected.iter().chain([&cause.object]);
        let pods: Vec<Object> = claims
            .filter_map(|claim| waiting.get(claim))
            .flatten()
            .cloned()
            .collect();
        let mut known: HashSet<Object> = cause.affected.iter().cloned().collect();
        cause
            .affected
            .extend(pods.into_iter().filter(|pod| known.insert(pod.clone())));
    }
}

/// The targets, and the claims, volumes, classes and provisioners that belong to them. Nothing belongs to targets other
/// than pods, claims and volumes.
fn collect_related(cluster: &ClusterSnapshot, targets: &[Object]) -> HashSet<Object> {
    let mut wanted: HashSet<Object> = targets.iter().cloned().collect();
    let pods = cluster.pods.iter().filter(|pod| targets.contains(&pod.object()));
    let of_pods = pods.flat_map(|pod| {
        let claims = pod.claims.iter();
        claims.map(|claim| Object::namespaced("PersistentVolumeClaim", &pod.namespace, claim))
    });
    let volumes = cluster
        .volumes
        .iter()
        .filter(|volume| targets.contains(&volume.object()));
    let of_volumes = volumes.filter_map(|volume| {
        let claim = volume.claim.as_ref()?;
        Some(Object::namespaced(
            "PersistentVolumeClaim",
            &claim.namespace,
            &claim.name,
        ))
    });
    wanted.extend(of_pods.chain(of_volumes).collect::<Vec<_>>());
    let claims: Vec<&Claim> = cluster
        .claims
        .iter()
        .filter(|claim| wanted.contains(&claim.object()))
        .collect();
    for claim in claims {
        if !claim.volume.is_empty() {
            wanted.insert(Object::cluster_scoped("PersistentVolume", &claim.volume));
        }
        if let Some(class) = claim.class.as_deref().and_then(|class| cluster.find_class(class)) {
            wanted.insert(class.object());
            let served = provisioners::find_provisioners(cluster).into_iter();
            wanted.extend(
                served
                    .filter(|one| one.name == Some(&class.provisioner))
                    .map(|one| one.workload.object()),
            );
        }
    }
    wanted
}

/// The codes that were checked, and those that were skipped with the reason: the option that `option` gives for a code,
/// or objects that could not be read. Codes that only hosts show are in neither list if no host was named.
fn list_coverage(
    facts: &Facts,
    option: impl Fn(&&'static str) -> Option<&'static str>,
) -> (Vec<&'static str>, Vec<Skipped>) {
    let unread: BTreeMap<&str, &str> = facts
        .cluster
        .unread
        .iter()
        .map(|unread| (unread.what.as_str(), unread.why.as_str()))
        .collect();
    let (mut checked, mut skipped) = (Vec::new(), Vec::new());
    for entry in CATALOGUE.iter() {
        // Codes that only hosts show are checked only if --ssh names some.
        if entry.needs == [entry::HOSTS] && facts.hosts.is_empty() && facts.cluster.was_read(entry::HOSTS) {
            continue;
        }
        let missing = entry.needs.iter().find_map(|what| Some((*what, *unread.get(what)?)));
        let reason = match (option(&entry.code), missing) {
            (Some(option), _) | (None, Some((_, option))) if option.starts_with("--") => {
                Some((option.to_owned(), true))
            }
            (None, Some((what, why))) => Some((format!("{what} could not be read: {why}"), false)),
            _ => None,
        };
        match reason {
            Some((reason, on_request)) => skipped.push(Skipped {
                code: entry.code,
                reason,
                on_request,
            }),
            None => checked.push(entry.code),
        }
    }
    (checked, skipped)
}

/// How many claims, PVs, classes and provisioners were checked, and of which namespace the claims are.
fn describe_scope(cluster: &ClusterSnapshot) -> String {
    let place = match &cluster.namespace {
        Some(namespace) => format!("of namespace {namespace}"),
        None => "of all namespaces".to_owned(),
    };
    let claims = count_of(cluster.claims.len(), "claim");
    let (volumes, classes) = (
        count_of(cluster.volumes.len(), "PV"),
        count_of(cluster.classes.len(), "class"),
    );
    let provisioners = count_of(provisioners::find_provisioners(cluster).len(), "NFS provisioner");
    format!("{claims} {place}, {volumes}, {classes}, {provisioners}")
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
