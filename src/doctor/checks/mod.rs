//! The checks (PURE): facts and a time in, findings out. A file a group of findings.

mod binding;
mod claim_events;
mod classes;
mod cluster;
mod commands;
mod csi;
pub mod earlier_data;
mod environment;
mod expansion;
mod failures;
mod finalizers;
mod first_pod;
mod hosts;
mod matches;
mod mounts;
mod pods;
mod reading;
mod refusals;
mod rights;
mod selflink;
mod servers;
mod serving;
mod sets;
mod unsupported;
mod volumes;
mod waiting;
mod workloads;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::explain::Entry;
use super::facts::{Claim, Event, Facts, Pod, Volume};
use super::matching::{self, Near};
use super::provisioners::{self, Provisioner};
use super::{Evidence, Finding, Object, policy};

/// Findings of a kind: their rows in the catalogue, and the function that makes them.
pub struct Check {
    /// Their rows.
    pub entries: &'static [Entry],
    /// All of them that a cluster has.
    pub find: fn(&Case<'_>) -> Vec<Finding>,
}

/// The check of a module.
macro_rules! check {
    ($name:ident) => {
        Check {
            entries: $name::ENTRIES,
            find: $name::check,
        }
    };
}

/// The checks, a file each. Of two that find the same the first one counts.
pub static CHECKS: &[Check] = &[
    check!(cluster),
    check!(reading),
    check!(classes),
    check!(matches),
    check!(claim_events),
    check!(unsupported),
    check!(expansion),
    check!(first_pod),
    check!(binding),
    check!(sets),
    check!(serving),
    check!(csi),
    check!(environment),
    check!(failures),
    check!(workloads),
    check!(rights),
    check!(selflink),
    check!(pods),
    check!(hosts),
    check!(mounts),
    Check {
        entries: mounts::OF_NODES,
        find: |_| Vec::new(),
    },
    Check {
        entries: mounts::OF_SERVERS,
        find: |_| Vec::new(),
    },
    check!(volumes),
    check!(servers),
    check!(earlier_data),
    check!(waiting),
];

pub use self::cluster::distribution;
pub use self::rights::questions;

/// Facts, the time, and what is looked up often.
pub struct Case<'a> {
    /// What was read.
    pub facts: &'a Facts,
    /// When.
    pub now: Timestamp,
    /// The cluster's provisioners.
    pub provisioners: Vec<Provisioner<'a>>,
    /// By namespace and name.
    claims: HashMap<&'a str, HashMap<&'a str, &'a Claim>>,
    volumes: HashMap<&'a str, &'a Volume>,
    events: HashMap<&'a Object, Vec<&'a Event>>,
    /// By the claims that they use.
    pods: HashMap<&'a str, HashMap<&'a str, Vec<&'a Pod>>>,
    /// The PVs that are not bound.
    loose: Vec<&'a Volume>,
    /// Of those of them that are alike for every claim, a few.
    alike: Vec<&'a Volume>,
    /// Those of them that are reserved, by the claims' namespaces and names.
    reserved: HashMap<&'a str, HashMap<&'a str, Vec<&'a Volume>>>,
    /// The classes that PVs have, and whether any of these PVs is NFS.
    volume_classes: HashMap<&'a str, bool>,
    /// By provisioner's name: whether none serves it. Thousands of volumes may have one.
    abandoned: RefCell<HashMap<String, bool>>,
}

impl<'a> Case<'a> {
    /// Looks through the facts once.
    pub fn new(facts: &'a Facts, now: Timestamp) -> Self {
        let mut events: HashMap<&Object, Vec<&Event>> = HashMap::new();
        // Newest first.
        for event in facts.events.iter().rev() {
            if let Some(object) = &event.object {
                events.entry(object).or_default().push(event);
            }
        }
        let mut pods: HashMap<&str, HashMap<&str, Vec<&Pod>>> = HashMap::new();
        for pod in facts.pods.iter().filter(|pod| !pod.over()) {
            for claim in &pod.claims {
                let here = pods.entry(&pod.namespace).or_default();
                here.entry(claim).or_default().push(pod);
            }
        }
        let mut claims: HashMap<&str, HashMap<&str, &Claim>> = HashMap::new();
        for claim in &facts.claims {
            claims.entry(&claim.namespace).or_default().insert(&claim.name, claim);
        }
        let loose: Vec<&Volume> = facts.volumes.iter().filter(|volume| volume.phase != "Bound").collect();
        let mut reserved: HashMap<&str, HashMap<&str, Vec<&Volume>>> = HashMap::new();
        for volume in &loose {
            if let Some(claim) = &volume.claim {
                let there = reserved.entry(&claim.namespace).or_default();
                there.entry(&claim.name).or_default().push(volume);
            }
        }
        let mut volume_classes: HashMap<&str, bool> = HashMap::new();
        for volume in &facts.volumes {
            *volume_classes.entry(&volume.class).or_default() |= volume.is_nfs();
        }
        Self {
            facts,
            now,
            provisioners: provisioners::all(facts),
            alike: matching::alike(&loose),
            reserved,
            claims,
            volumes: facts
                .volumes
                .iter()
                .map(|volume| (volume.name.as_str(), volume))
                .collect(),
            events,
            pods,
            loose,
            volume_classes,
            abandoned: RefCell::default(),
        }
    }

    /// Whether no provisioner has served this name lately; volumes that are to be deleted then stay.
    pub fn is_abandoned(&self, name: &str) -> bool {
        /// A provisioner deletes a released volume at once, so that older signs don't count.
        const ALIVE: SignedDuration = SignedDuration::from_secs(30);
        if let Some(known) = self.abandoned.borrow().get(name) {
            return *known;
        }
        let since = self.now.checked_sub(ALIVE).ok();
        let is_unserved = provisioners::is_unserved(self.facts, name, since, self.now);
        self.abandoned.borrow_mut().insert(name.to_owned(), is_unserved);
        is_unserved
    }

    /// Whether any PV is of this class.
    pub fn has_volumes(&self, class: &str) -> bool {
        self.volume_classes.contains_key(class)
    }

    /// Whether PVs of this class may be NFS volumes: one of them is, or there are none yet.
    pub fn may_be_nfs(&self, class: &str) -> bool {
        self.volume_classes.get(class).is_none_or(|nfs| *nfs)
    }

    /// Whether a claim is for storage of another kind than NFS, as far as its volume or its class tells.
    pub fn is_other_storage(&self, claim: &Claim) -> bool {
        if let Some(volume) = self.volume(&claim.volume) {
            return !volume.is_nfs();
        }
        let name = matching::class(claim);
        match self.facts.class(name) {
            Some(class) if provisioners::is_other_storage(&class.provisioner) => true,
            Some(class) if class.provisioner != "kubernetes.io/no-provisioner" => false,
            _ => !name.is_empty() && !self.may_be_nfs(name),
        }
    }

    /// The claim of this name.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&'a Claim> {
        self.claims.get(namespace)?.get(name).copied()
    }

    /// The PV of this name.
    pub fn volume(&self, name: &str) -> Option<&'a Volume> {
        self.volumes.get(name).copied()
    }

    /// The PVs that are not bound and name a claim as theirs.
    pub fn reserved(&self, claim: &Claim) -> &[&'a Volume] {
        let there = self.reserved.get(claim.namespace.as_str());
        let theirs = there.and_then(|there| there.get(claim.name.as_str()));
        theirs.map(Vec::as_slice).unwrap_or_default()
    }

    /// The PVs that are not bound, ranked by how near they come to a claim; of those that are alike, a few.
    pub fn ranked(&self, claim: &Claim) -> Vec<Near<'a>> {
        let reserved = self.reserved(claim);
        let own = |volume: &&Volume| reserved.iter().any(|other| other.name == volume.name);
        let others = self
            .alike
            .iter()
            .copied()
            .filter(|volume| reserved.is_empty() || !own(volume));
        matching::rank(claim, others.chain(reserved.iter().copied()))
    }

    /// The events about an object, newest first.
    pub fn events(&self, object: &Object) -> &[&'a Event] {
        self.events.get(object).map(Vec::as_slice).unwrap_or_default()
    }

    /// The pods that use a claim and haven't ended.
    pub fn users(&self, claim: &Claim) -> &[&'a Pod] {
        let here = self.pods.get(claim.namespace.as_str());
        let users = here.and_then(|here| here.get(claim.name.as_str()));
        users.map(Vec::as_slice).unwrap_or_default()
    }

    /// What the cluster said last about an object.
    pub fn last_word(&self, object: &Object) -> Option<Evidence> {
        self.events(object).first().map(|event| said(event))
    }

    /// Whether something is older than `age`; what has no time is.
    pub fn older(&self, since: Option<Timestamp>, age: SignedDuration) -> bool {
        since.is_none_or(|since| self.now.duration_since(since) > age)
    }
}

/// An event as evidence.
pub fn said(event: &Event) -> Evidence {
    let about = event.object.as_ref().map(Object::title).unwrap_or_default();
    Evidence {
        source: format!("event {} on {about}", event.reason),
        text: event.message.trim().to_owned(),
    }
}

/// Everything that is wrong, in no order.
pub fn all(facts: &Facts, now: Timestamp) -> Vec<Finding> {
    let case = Case::new(facts, now);
    let mut found: Vec<Finding> = CHECKS.iter().flat_map(|check| (check.find)(&case)).collect();
    found.extend(cluster::silence(&case, &found));
    let mut found = weed(found);
    waiting::complete(&case, &mut found);
    let mut found = merge(found);
    policy::decide(facts, &mut found);
    found
}

/// Leaves out what another finding says better.
fn weed(found: Vec<Finding>) -> Vec<Finding> {
    // What a stale claim of a StatefulSet asks for is beside the point.
    let stale: HashSet<Object> = of(&found, &["NFS122"]).map(|finding| finding.object.clone()).collect();
    // An image that has to go need not come from elsewhere.
    let replaced: HashSet<Object> = of(&found, &["NFS204", "NFS205", "NFS301", "NFS302", "NFS305"])
        .map(|finding| finding.object.clone())
        .collect();
    let beside = |finding: &Finding| {
        (finding.code != "NFS122" && finding.object.kind == "PersistentVolumeClaim" && stale.contains(&finding.object))
            || (finding.code == "NFS306" && replaced.contains(&finding.object))
    };
    let mut told: HashSet<(&str, Object)> = HashSet::new();
    let again = |finding: &Finding| {
        matches!(finding.code, "NFS211" | "NFS401" | "NFS403" | "NFS404" | "NFS408")
            && !told.insert((finding.code, finding.object.clone()))
    };
    let mut found: Vec<Finding> = found.into_iter().filter(|finding| !beside(finding)).collect();
    let mut again = again;
    found.retain(|finding| !again(finding));
    found
}

/// Makes one finding of those that have the same cause: the objects of the others stand under the first.
fn merge(found: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::with_capacity(found.len());
    let mut places: HashMap<(&str, String), usize> = HashMap::new();
    for finding in found {
        let Some(cause) = finding.same_cause.clone() else {
            merged.push(finding);
            continue;
        };
        match places.get(&(finding.code, cause.clone())) {
            Some(place) => {
                let others = finding.explains.into_iter().chain([finding.object]);
                let first = &mut merged[*place];
                first.explains.extend(others);
                if let Some(fix) = first.fix.as_mut().filter(|fix| fix.command.is_some()) {
                    const EACH: &str = "the same for each of the others";
                    if !fix.note.ends_with(EACH) {
                        fix.note = format!("{}; {EACH}", fix.note);
                    }
                }
            }
            None => {
                places.insert((finding.code, cause), merged.len());
                merged.push(finding);
            }
        }
    }
    for finding in merged.iter_mut().filter(|finding| finding.same_cause.is_some()) {
        let mut told = HashSet::from([finding.object.clone()]);
        finding.explains.retain(|object| told.insert(object.clone()));
    }
    merged
}

fn of<'a>(found: &'a [Finding], codes: &'a [&str]) -> impl Iterator<Item = &'a Finding> {
    found.iter().filter(|finding| codes.contains(&finding.code))
}

#[cfg(test)]
mod tests;
