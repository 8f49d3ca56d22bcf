//! The checks (PURE): facts and a time in, findings out. A file a group of findings. Each check gets a `View`. A list
//! that was not read is empty, so a check that relies on an absence has to ask `Facts::was_read`.

mod binding;
mod claim_events;
mod classes;
mod cluster;
mod commands;
mod csi;
pub(crate) mod earlier_data;
mod environment;
mod expansion;
mod failures;
mod finalizers;
mod first_pod;
mod full;
mod hosts;
mod limits;
mod matches;
mod mounts;
mod pods;
mod rbac;
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
use std::hash::Hash;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::entry::Entry;
use super::facts::Facts;
use super::matching::{self, Candidate};
use super::messages::{self, MessageKind};
use super::{Evidence, Finding, Object, Severity, policy};
use crate::cluster::provisioners::{self, Provisioner};
use crate::cluster::snapshot::{AFTER_MOUNTING, Claim, ClaimRef, ClusterSnapshot, Event, Pod, Volume};

/// How long an event of the provisioner's checks counts. It publishes one every 5 minutes, as long as the fault lasts.
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_mins(12);

/// The rows in the catalogue of findings of a kind, and the function that finds them in a cluster.
pub(crate) type Check = (&'static [Entry], fn(&View<'_>) -> Vec<Finding>);

/// For rows of findings that another check finds.
fn find_nothing(_: &View<'_>) -> Vec<Finding> {
    Vec::new()
}

/// The checks, a file each. Of two that find the same the first one counts.
pub(crate) static CHECKS: &[Check] = &[
    (cluster::ENTRIES, cluster::find_problems),
    (reading::ENTRIES, reading::find_problems),
    (classes::ENTRIES, classes::find_problems),
    (matches::ENTRIES, matches::find_problems),
    (&[], claim_events::find_problems),
    (unsupported::ENTRIES, unsupported::find_problems),
    (expansion::ENTRIES, expansion::find_problems),
    (full::ENTRIES, full::find_problems),
    (first_pod::ENTRIES, first_pod::find_problems),
    (binding::ENTRIES, binding::find_problems),
    (sets::ENTRIES, sets::find_problems),
    (serving::ENTRIES, serving::find_problems),
    (csi::ENTRIES, csi::find_problems),
    (environment::ENTRIES, environment::find_problems),
    (failures::ENTRIES, failures::find_problems),
    (workloads::ENTRIES, workloads::find_problems),
    (rights::ENTRIES, rights::find_problems),
    (selflink::ENTRIES, selflink::find_problems),
    (pods::ENTRIES, pods::find_problems),
    (hosts::ENTRIES, hosts::find_problems),
    (mounts::ENTRIES, mounts::find_problems),
    (mounts::OF_NODES, find_nothing),
    (mounts::OF_SERVERS, find_nothing),
    (volumes::ENTRIES, volumes::find_problems),
    (&[], servers::find_problems),
    (earlier_data::ENTRIES, earlier_data::find_problems),
    (limits::ENTRIES, limits::find_problems),
    (waiting::ENTRIES, find_nothing),
];

pub use self::cluster::distribution;
pub use self::rights::questions;
pub use self::selflink::{NEED_SELF_LINK, restart_after_gate};

/// The facts as the checks see them: with the time, the provisioners and indexes.
pub(crate) struct View<'a> {
    pub facts: &'a Facts,
    pub cluster: &'a ClusterSnapshot,
    pub now: Timestamp,
    pub provisioners: Vec<Provisioner<'a>>,
    /// By namespace and name.
    claims: HashMap<(&'a str, &'a str), &'a Claim>,
    volumes: HashMap<&'a str, &'a Volume>,
    events: HashMap<&'a Object, Vec<&'a Event>>,
    /// By namespace and name of the claims that they use.
    pods: HashMap<(&'a str, &'a str), Vec<&'a Pod>>,
    /// The PVs that are not bound.
    unbound: Vec<&'a Volume>,
    /// Of those of them that are alike for every claim, a few.
    representatives: Vec<&'a Volume>,
    /// Those of them that are reserved, by the claims' namespaces and names.
    reserved: HashMap<(&'a str, &'a str), Vec<&'a Volume>>,
    /// PVs of CSI drivers by their driver and volume handle; only handles that several have.
    shared_handles: HashMap<(&'a str, &'a str), Vec<&'a Volume>>,
    /// The classes that PVs have.
    volume_classes: HashMap<&'a str, ClassOfVolumes<'a>>,
    /// Whether there is neither a class nor a provisioner, by the PVs or by a provisioner's image: all volumes are
    /// static then. Also true if none was read.
    pub has_only_static_volumes: bool,
    /// By provisioner's name: whether none serves it. Thousands of volumes may have one.
    abandoned: RefCell<HashMap<String, bool>>,
}

/// What is known of the PVs of a class.
#[derive(Default)]
struct ClassOfVolumes<'a> {
    /// Whether any of them is NFS.
    is_nfs: bool,
    /// The provisioner that created the first of its NFS PVs that are not static.
    provisioner: Option<&'a str>,
}

/// The values of each key, in their order.
fn group_by_key<K: Eq + Hash, V>(pairs: impl Iterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups
}

impl Provisioner<'_> {
    /// A finding about its workload.
    fn finding(&self, code: &'static str, cause: impl Into<String>) -> Finding {
        Finding::new(code, self.workload.object(), cause)
    }
}

impl<'a> View<'a> {
    /// Indexes `facts`, whose lists have to be complete and their events sorted (`Facts::complete_snapshot`).
    pub fn new(facts: &'a Facts, now: Timestamp) -> Self {
        let cluster = &facts.cluster;
        let newest_first = cluster.events.iter().rev();
        let alive = cluster.pods.iter().filter(|pod| !pod.has_ended());
        let uses = alive.flat_map(|pod| {
            pod.claims
                .iter()
                .map(move |claim| (pod.namespace.as_str(), claim.as_str(), pod))
        });
        let claims: HashMap<_, _> = cluster.claims.iter().map(|claim| (claim.key(), claim)).collect();
        // The controller manager marks the PV first: one that is Bound to a Pending claim is that claim's.
        let is_half_bound = |of: &ClaimRef| {
            let claim = claims.get(&(of.namespace.as_str(), of.name.as_str()));
            claim.is_some_and(|claim| claim.is_pending() && claim.uid == of.uid)
        };
        let volumes = cluster.volumes.iter();
        let unbound: Vec<&Volume> = volumes
            .filter(|one| one.phase != "Bound" || one.claim.as_ref().is_some_and(is_half_bound))
            .collect();
        let reserved = unbound
            .iter()
            .filter_map(|volume| Some((volume.claim.as_ref()?, *volume)));
        let mut volume_classes: HashMap<&str, ClassOfVolumes<'_>> = HashMap::new();
        for volume in &cluster.volumes {
            let class = volume_classes.entry(&volume.class).or_default();
            if volume.is_nfs() {
                class.is_nfs = true;
                class.provisioner = class.provisioner.or(volume.provisioned_by.as_deref());
            }
        }
        let of_drivers = cluster.volumes.iter().filter_map(|one| Some((handle_of(one)?, one)));
        let mut shared_handles = group_by_key(of_drivers);
        shared_handles.retain(|_, volumes| volumes.len() > 1);
        let provisioners = provisioners::find_provisioners(cluster);
        let mut candidates = provisioners::find_candidates(cluster).into_iter();
        Self {
            facts,
            cluster,
            now,
            has_only_static_volumes: cluster.classes.is_empty()
                && provisioners.is_empty()
                && !candidates.any(|one| one.has_known_image()),
            provisioners,
            claims,
            volumes: cluster.volumes.iter().map(|one| (one.name.as_str(), one)).collect(),
            events: group_by_key(newest_first.filter_map(|event| Some((event.object.as_ref()?, event)))),
            pods: group_by_key(uses.map(|(namespace, claim, pod)| ((namespace, claim), pod))),
            representatives: matching::pick_representatives(&unbound),
            reserved: group_by_key(reserved.map(|(of, volume)| ((of.namespace.as_str(), of.name.as_str()), volume))),
            unbound,
            shared_handles,
            volume_classes,
            abandoned: RefCell::default(),
        }
    }

    /// Whether nothing shows that a provisioner serves the name `name`, so that its released volumes are not deleted.
    /// Events and volumes count for 30 s; a workload counts, even one scaled to zero. The answer is kept. The caller
    /// checks that workloads were read.
    pub fn is_abandoned(&self, name: &str) -> bool {
        /// A provisioner deletes a released volume at once, so that older evidence doesn't count.
        const ALIVE: SignedDuration = SignedDuration::from_secs(30);
        if let Some(known) = self.abandoned.borrow().get(name) {
            return *known;
        }
        let since = self.now.checked_sub(ALIVE).ok();
        let is_unserved = provisioners::is_unserved(self.cluster, name, since, self.now);
        self.abandoned.borrow_mut().insert(name.to_owned(), is_unserved);
        is_unserved
    }

    /// Whether the provisioner `name`, which has to delete an object, doesn't run: it wrote no event about the object
    /// for 15 minutes, and nothing else shows that one of this name runs ([`View::is_abandoned`]). The caller checks
    /// that workloads were read.
    pub fn is_deleter_gone(&self, object: &Object, name: &str) -> bool {
        /// A provisioner retries every five minutes, so an event by it this recent shows that it still runs.
        const RETRIES_WITHIN: SignedDuration = SignedDuration::from_mins(15);
        let events = self.events_about(object).iter();
        let mut recent = events.filter(|event| !self.has_elapsed(event.last, RETRIES_WITHIN));
        !recent.any(|event| provisioners::is_written_by(event, name)) && self.is_abandoned(name)
    }

    /// The provisioner that created an NFS PV of a class that has no object: the class was deleted.
    pub fn find_provisioner_of_lost_class(&self, class: &str) -> Option<&'a str> {
        let provisioner = self.volume_classes.get(class)?.provisioner?;
        self.cluster.find_class(class).is_none().then_some(provisioner)
    }

    pub fn has_volumes(&self, class: &str) -> bool {
        self.volume_classes.contains_key(class)
    }

    /// Whether PVs of this class may be NFS volumes: one of them is, or there are none yet.
    pub fn may_be_nfs(&self, class: &str) -> bool {
        self.volume_classes.get(class).is_none_or(|volumes| volumes.is_nfs)
    }

    /// Whether a claim is for storage of another kind than NFS, by its volume, else by its class; false if neither
    /// tells.
    pub fn is_known_other_storage(&self, claim: &Claim) -> bool {
        if let Some(volume) = self.find_volume(&claim.volume) {
            return !volume.is_nfs();
        }
        let name = matching::class_of(claim);
        match self.cluster.find_class(name) {
            Some(class) if provisioners::is_known_other_storage(&class.provisioner) => true,
            Some(class) if class.provisioner != "kubernetes.io/no-provisioner" => false,
            _ => !name.is_empty() && !self.may_be_nfs(name),
        }
    }

    /// `None` also for a claim outside the namespace of the diagnosis, and for all if claims were not read.
    pub fn find_claim(&self, namespace: &str, name: &str) -> Option<&'a Claim> {
        self.claims.get(&(namespace, name)).copied()
    }

    pub fn find_volume(&self, name: &str) -> Option<&'a Volume> {
        self.volumes.get(name).copied()
    }

    /// Another PV with the volume's driver and volume handle, which kubelet and driver take for the same volume.
    pub fn find_twin(&self, volume: &Volume) -> Option<&'a Volume> {
        let mut same = self.shared_handles.get(&handle_of(volume)?)?.iter();
        same.find(|other| other.name != volume.name).copied()
    }

    /// The claims that wait for a volume and are not terminating.
    pub fn pending_claims(&self) -> impl Iterator<Item = &'a Claim> {
        self.cluster.claims.iter().filter(|claim| claim.is_pending())
    }

    /// The claims of a pod that exist.
    pub fn claims_of_pod(&self, pod: &Pod) -> impl Iterator<Item = &'a Claim> {
        let names = pod.claims.iter();
        names.filter_map(|name| self.find_claim(&pod.namespace, name))
    }

    /// The PVs that a pod's claims are bound to, or name while they are Pending; a PV that doesn't exist is left out.
    pub fn volumes_of_pod(&self, pod: &Pod) -> impl Iterator<Item = &'a Volume> {
        self.claims_of_pod(pod)
            .filter_map(|claim| self.find_volume(&claim.volume))
    }

    /// The NFS PVs of a pod's claims, in-tree or of a CSI driver; not the NFS volumes that it mounts without a claim.
    pub fn nfs_volumes_of_pod(&self, pod: &Pod) -> impl Iterator<Item = &'a Volume> {
        self.volumes_of_pod(pod).filter(|volume| volume.is_nfs())
    }

    /// The PVs that are not bound and name a claim as theirs, with whatever uid.
    pub fn volumes_reserved_for<'s>(&'s self, claim: &'s Claim) -> &'s [&'a Volume] {
        self.reserved.get(&claim.key()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The PVs that are not bound, those nearest to fitting a claim first; only a few of those that are alike. PVs that
    /// are far from fitting are left out.
    pub fn rank_volumes_for(&self, claim: &Claim) -> Vec<Candidate<'a>> {
        let reserved = self.volumes_reserved_for(claim);
        let is_reserved = |volume: &&Volume| reserved.iter().any(|other| other.name == volume.name);
        let others = self.representatives.iter().copied();
        let others = others.filter(|volume| !is_reserved(volume));
        matching::rank_volumes(claim, others.chain(reserved.iter().copied()))
    }

    /// The events about an object, newest first.
    pub fn events_about(&self, object: &Object) -> &[&'a Event] {
        self.events.get(object).map(Vec::as_slice).unwrap_or_default()
    }

    /// The newest event about an object for which `is_wanted` is true.
    pub fn find_event(&self, object: &Object, is_wanted: impl Fn(&Event) -> bool) -> Option<&'a Event> {
        let mut events = self.events_about(object).iter();
        events.find(|event| is_wanted(event)).copied()
    }

    /// The newest event about an object whose message matches a pattern of the finding `code` and of this kind.
    pub fn find_event_of(&self, object: &Object, code: &str, kind: MessageKind) -> Option<&'a Event> {
        self.find_event(object, |event| messages::is_message_of(code, kind, &event.message))
    }

    /// Since when a claim waits for its volume: since its creation, or where its class waits for the first pod, since
    /// the first of the pods that use it was created.
    pub fn waiting_since(&self, claim: &Claim) -> Option<Timestamp> {
        let class = self.cluster.find_class(matching::class_of(claim));
        let waits_for_pod = class.is_some_and(|class| class.waits_for_first_consumer);
        let pods = self.pods_using(claim).iter().filter(|_| waits_for_pod);
        claim.created.max(pods.filter_map(|pod| pod.created).min())
    }

    /// The newest event that shows that a pod's volumes are mounted; `None` if one about a mount that failed is newer,
    /// or there is none.
    pub fn event_after_mounting(&self, pod: &Pod) -> Option<&'a Event> {
        let is_after = |event: &Event| AFTER_MOUNTING.contains(&event.reason.as_str());
        let newest = self.find_event(&pod.object(), |event| is_after(event) || is_failed_mount(event))?;
        is_after(newest).then_some(newest)
    }

    /// Whether a pod's volumes are known to be mounted: after the last mount that failed, a container was started, or an
    /// event shows it.
    pub fn has_its_volumes(&self, pod: &Pod) -> bool {
        let failed = self.find_event(&pod.object(), is_failed_mount);
        let is_newer = |started| {
            failed
                .and_then(|event| event.last)
                .is_none_or(|failed| started > failed)
        };
        pod.started.is_some_and(is_newer) || self.event_after_mounting(pod).is_some()
    }

    /// The pods that use a claim and haven't ended.
    pub fn pods_using<'s>(&'s self, claim: &'s Claim) -> &'s [&'a Pod] {
        self.pods.get(&claim.key()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The pods that use a claim and haven't ended, as objects.
    pub fn users_of(&self, claim: &Claim) -> Vec<Object> {
        self.pods_using(claim).iter().map(|pod| pod.object()).collect()
    }

    /// The newest event of a provisioner, which is every named component but those of the controller manager, that a
    /// claim failed; `None` without one, or if it succeeded later. A newer `Provisioning` does not count: each attempt
    /// begins with one, and after some attempts the API keeps only the first event of each.
    pub fn newest_failure(&self, claim: &Claim) -> Option<&'a Event> {
        const OTHERS: [&str; 3] = ["", "persistentvolume-controller", "volume_expand"];
        let object = claim.object();
        let events = self.events_about(&object).iter();
        let mut by_provisioner = events.filter(|event| !OTHERS.contains(&event.component.as_str()));
        let is_outcome =
            |event: &&&Event| matches!(event.reason.as_str(), "ProvisioningFailed" | "ProvisioningSucceeded");
        let outcome = by_provisioner.find(is_outcome)?;
        (outcome.reason == "ProvisioningFailed").then_some(outcome)
    }

    /// The newest event about an object, normal or a warning, as evidence; `None` if there is none.
    pub fn last_event(&self, object: &Object) -> Option<Evidence> {
        self.events_about(object).first().map(|event| event.evidence())
    }

    /// Whether an event is at most 12 minutes old: for reasons that the provisioner's checks repeat as long as the
    /// problem exists.
    pub fn is_repeated(&self, event: &Event) -> bool {
        !self.has_elapsed(event.last, REPEATED_WITHIN)
    }

    /// Whether more than `age` has passed since a time; true without a time.
    pub fn has_elapsed(&self, since: Option<Timestamp>, age: SignedDuration) -> bool {
        since.is_none_or(|since| self.now.duration_since(since) > age)
    }
}

/// The driver and volume handle of a CSI volume.
fn handle_of(volume: &Volume) -> Option<(&str, &str)> {
    Some((volume.csi_driver.as_deref()?, volume.csi_handle.as_str()))
}

fn is_failed_mount(event: &Event) -> bool {
    matches!(event.reason.as_str(), "FailedMount" | "FailedAttachVolume")
}

/// Runs all checks on complete facts: findings in no order, those with the same cause merged, and each fix marked as
/// automatic or not. Claims and pods that no check explains get a finding, too, after a minute of Pending.
pub fn find_all_problems(facts: &Facts, now: Timestamp) -> Vec<Finding> {
    let view = View::new(facts, now);
    let mut found: Vec<Finding> = CHECKS
        .iter()
        .flat_map(|(_, find_problems)| find_problems(&view))
        .collect();
    found.extend(cluster::find_idle_controller_manager(&view, &found));
    drop_superseded(&mut found);
    waiting::add_unexplained(&view, &mut found);
    let mut found = merge_same_causes(found);
    policy::decide_fixes(facts, &mut found);
    found
}

/// Removes the other findings about a claim that has NFS122, errors about a pod whose mount NFS208 tells, NFS306 about a
/// workload whose image another finding replaces, and, of the codes that several checks find, all but the first one
/// about the same object.
fn drop_superseded(found: &mut Vec<Finding>) {
    let objects_of = |codes: &[&str]| -> HashSet<Object> {
        let of_codes = found.iter().filter(|finding| codes.contains(&finding.code));
        of_codes.map(|finding| finding.object.clone()).collect()
    };
    // What a stale claim of a StatefulSet asks for is beside the point.
    let stale = objects_of(&["NFS122"]);
    // An image that has to go need not come from elsewhere.
    let replaced = objects_of(&["NFS204", "NFS205", "NFS301", "NFS302", "NFS305"]);
    let own_mounts = found.iter().filter(|finding| finding.code == "NFS208");
    let own_pods: HashSet<Object> = own_mounts.flat_map(|finding| finding.affected.clone()).collect();
    found.retain(|finding| match finding.code {
        "NFS122" => true,
        _ if finding.object.kind == "Pod" && own_pods.contains(&finding.object) => finding.severity != Severity::Error,
        "NFS306" => !replaced.contains(&finding.object),
        _ => finding.object.kind != "PersistentVolumeClaim" || !stale.contains(&finding.object),
    });
    // Several checks find these, each by other evidence.
    const REPEATED: [&str; 5] = ["NFS211", "NFS401", "NFS403", "NFS404", "NFS408"];
    let mut told: HashSet<(&str, Object)> = HashSet::new();
    found.retain(|finding| !REPEATED.contains(&finding.code) || told.insert((finding.code, finding.object.clone())));
}

/// Merges findings of the same code and cause into the first: the objects of the others become affected ones, their
/// evidence is dropped, and the note of its command, if it has one, says that it is to be repeated for each.
fn merge_same_causes(found: Vec<Finding>) -> Vec<Finding> {
    const EACH: &str = "the same for each of the others";
    let mut merged: Vec<Finding> = Vec::with_capacity(found.len());
    let mut places: HashMap<(&str, String), usize> = HashMap::new();
    for finding in found {
        let Some(cause) = finding.same_cause.clone() else {
            merged.push(finding);
            continue;
        };
        let place = *places.entry((finding.code, cause)).or_insert(merged.len());
        let Some(first) = merged.get_mut(place) else {
            merged.push(finding);
            continue;
        };
        first
            .affected
            .extend(finding.affected.into_iter().chain([finding.object]));
        if let Some(fix) = first.fix.as_mut().filter(|fix| fix.command.is_some())
            && !fix.note.ends_with(EACH)
        {
            fix.note = format!("{}; {EACH}", fix.note);
        }
    }
    for finding in merged.iter_mut().filter(|finding| finding.same_cause.is_some()) {
        let mut told = HashSet::from([finding.object.clone()]);
        finding.affected.retain(|object| told.insert(object.clone()));
    }
    merged
}

#[cfg(test)]
mod tests;
