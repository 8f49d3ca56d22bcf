//! Recognizes the provisioners of a cluster, each a [`Provisioner`], and whether a name has one that runs (PURE).

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::images;
use super::nfs_volumes::has_nfs_in_name;
use super::object::Object;
use super::snapshot::{Claim, Class, ClusterSnapshot, Container, Event, Lock, Log, Pod, Volume, Workload};

/// The default name of nfsprov's provisioner.
pub const DEFAULT_NAME: &str = "nfsprov/nfs";

/// The NFS CSI driver, which is its own provisioner.
pub const NFS_CSI: &str = "nfs.csi.k8s.io";

/// In-tree provisioners. In newer versions CSI drivers provision volumes under these names.
const IN_TREE: [&str; 13] = [
    "kubernetes.io/aws-ebs",
    "kubernetes.io/azure-disk",
    "kubernetes.io/azure-file",
    "kubernetes.io/cinder",
    "kubernetes.io/flocker",
    "kubernetes.io/gce-pd",
    "kubernetes.io/glusterfs",
    "kubernetes.io/portworx-volume",
    "kubernetes.io/quobyte",
    "kubernetes.io/rbd",
    "kubernetes.io/scaleio",
    "kubernetes.io/storageos",
    "kubernetes.io/vsphere-volume",
];

/// How long a provisioner outside the cluster has to show itself by an event or a volume.
const SHOWS_WITHIN: SignedDuration = SignedDuration::from_secs(15);

/// The namespace in which a provisioner outside the cluster holds its lock, unless its kubeconfig or an option names
/// another one. Every tenant can create a lock in a namespace of their own, so that others show nothing.
const OUTSIDE_LOCKS: &str = "default";

/// A lock renewed within this time has a running holder.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// The kinds of provisioners that are distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisionerKind {
    /// nfs-subdir-external-provisioner, and nfs-client-provisioner before it.
    Subdir,
    /// nfsprov itself.
    Nfsprov,
    /// nfs-ganesha-server-and-external-provisioner, which runs an NFS server in its pod.
    Ganesha,
    /// The controller of csi-driver-nfs.
    CsiController,
    /// Another one: it has a provisioner's environment, or a class names it by its image or arguments.
    Other,
}

/// A workload that provisions NFS volumes.
#[derive(Clone, Copy, Debug)]
pub struct Provisioner<'a> {
    pub kind: ProvisionerKind,
    pub workload: &'a Workload,
    pub container: &'a Container,
    /// The provisioner name that it serves; `None` if none is known.
    pub name: Option<&'a str>,
}

/// Whether Kubernetes itself provisions volumes under this name.
pub fn is_in_tree(name: &str) -> bool {
    IN_TREE.contains(&name)
}

/// Whether the provisioner of a class may create volumes: `kubernetes.io/no-provisioner` and unknown in-tree names
/// don't.
pub fn creates_volumes(class: &Class) -> bool {
    !class.provisioner.starts_with("kubernetes.io/") || is_in_tree(&class.provisioner)
}

/// The workloads that look like NFS provisioners, also without a name or replicas. Anybody who may create a Deployment
/// can make one look so.
pub fn find_candidates(snapshot: &ClusterSnapshot) -> Vec<Provisioner<'_>> {
    let recognize = |workload| recognize_csi_controller(workload).or_else(|| recognize_provisioner(workload));
    snapshot.workloads.iter().filter_map(recognize).collect()
}

/// A workload as a provisioner, by its image, variables or arguments; `None` if nothing shows that it is one, and for
/// the controller of a CSI driver, which [`recognize_csi_controller`] knows.
fn recognize_provisioner(workload: &Workload) -> Option<Provisioner<'_>> {
    let container = workload.containers.iter().find(|container| container.may_provision())?;
    let image = &container.image;
    let kind = match () {
        () if images::creates_directories(image) => ProvisionerKind::Subdir,
        () if images::is_nfsprov(image) => ProvisionerKind::Nfsprov,
        () if images::is_ganesha(image) => ProvisionerKind::Ganesha,
        () => ProvisionerKind::Other,
    };
    Some(Provisioner {
        kind,
        workload,
        container,
        name: served_name(container),
    })
}

/// A workload as the controller of the NFS CSI driver: it has the driver's and csi-provisioner's containers. Its name
/// is the driver's `--drivername=`, else [`NFS_CSI`]; `container` is csi-provisioner's.
fn recognize_csi_controller(workload: &Workload) -> Option<Provisioner<'_>> {
    let find = |is_wanted: fn(&str) -> bool| workload.containers.iter().find(|one| is_wanted(&one.image));
    let (driver, container) = (find(images::is_nfs_csi_driver)?, find(images::is_csi_provisioner)?);
    let mut args = driver.args.iter();
    let name = args.find_map(|arg| arg.trim_start_matches('-').strip_prefix("drivername="));
    Some(Provisioner {
        kind: ProvisionerKind::CsiController,
        workload,
        container,
        name: Some(name.unwrap_or(NFS_CSI)),
    })
}

/// The provisioners of the cluster: the candidates whose name is in a class or a volume, since only administrators
/// write these. A class' name without one, unless it is of other storage, gets the workloads that mention it, so that a
/// workload may be listed under several names. Those scaled to zero are listed, too.
pub fn find_provisioners(snapshot: &ClusterSnapshot) -> Vec<Provisioner<'_>> {
    let mut names: BTreeSet<&str> = snapshot
        .classes
        .iter()
        .map(|class| class.provisioner.as_str())
        .collect();
    let made = snapshot
        .volumes
        .iter()
        .filter_map(|volume| volume.provisioned_by.as_deref());
    let used: HashSet<&str> = made.chain(names.iter().copied()).collect();
    let mut found = find_candidates(snapshot);
    found.retain(|one| one.name.is_some_and(|name| used.contains(name)));
    let known: Vec<&str> = found.iter().filter_map(|one| one.name).collect();
    names.retain(|name| !known.contains(name) && !is_known_other_storage(name) && !name.starts_with("kubernetes.io/"));
    for name in names {
        let is_unknown = |workload: &&Workload| recognize_provisioner(workload).is_none();
        let others = snapshot.workloads.iter().filter(is_unknown);
        found.extend(others.filter_map(|workload| recognize_by_mention(workload, name)));
    }
    found
}

/// A workload as a provisioner of another kind, if a container's arguments, variables or image mention this name.
fn recognize_by_mention<'a>(workload: &'a Workload, name: &'a str) -> Option<Provisioner<'a>> {
    let container = workload
        .containers
        .iter()
        .find(|container| may_serve(container, name))?;
    Some(Provisioner {
        kind: ProvisionerKind::Other,
        workload,
        container,
        name: Some(name),
    })
}

/// Whether a name is that of a known provisioner of other storage than NFS, or of a CSI driver that does not sound like
/// NFS.
pub fn is_known_other_storage(name: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "ceph.com/rbd",
        "ceph.com/cephfs",
        "docker.io/hostpath",
        "driver.longhorn.io",
        "hostpath.csi.k8s.io",
        "k8s.io/minikube-hostpath",
        "kubernetes.io/host-path",
        "microk8s.io/hostpath",
        "openebs.io/local",
        "openebs.io/provisioner-iscsi",
        "rancher.io/local-path",
        "topolvm.io",
        "topolvm.cybozu.com",
        "linstor.csi.linbit.com",
    ];
    let csi = name.split(['.', '/']).any(|label| label == "csi");
    !has_nfs_in_name(name) && (is_in_tree(name) || OTHERS.contains(&name) || csi)
}

/// Whether a provisioner has created a volume, or written an event that it provisions one, since `since` or, with
/// `None`, ever.
pub fn has_worked(snapshot: &ClusterSnapshot, name: &str, since: Option<Timestamp>) -> bool {
    let after = |time: Option<Timestamp>| since.is_none_or(|since| time.is_some_and(|time| time >= since));
    let made = |volume: &Volume| volume.is_provisioned_by(name) && after(volume.created);
    let spoke = |event: &Event| {
        let is_success = matches!(event.reason.as_str(), "Provisioning" | "ProvisioningSucceeded");
        is_success && is_written_by(event, name) && after(event.last)
    };
    snapshot.volumes.iter().any(made) || snapshot.events.iter().any(spoke)
}

/// Whether a provisioner has written an event that it failed to provision, since `since` or, with `None`, ever.
pub fn has_failed(snapshot: &ClusterSnapshot, name: &str, since: Option<Timestamp>) -> bool {
    let after = |time: Option<Timestamp>| since.is_none_or(|since| time.is_some_and(|time| time >= since));
    let mut failures = snapshot
        .events
        .iter()
        .filter(|event| event.reason == "ProvisioningFailed");
    failures.any(|event| is_written_by(event, name) && after(event.last))
}

/// The provisioner name that a container serves, by its argument `--name` (of ganesha `-provisioner`), else by its
/// environment, or nfsprov's default unless the environment may have another; `None` if none is known.
fn served_name(container: &Container) -> Option<&str> {
    let args = &container.args;
    let values_of = |strip_flag: fn(&str) -> Option<&str>| {
        let pairs = args.iter().zip(args.iter().skip(1).map(Some).chain([None]));
        pairs.filter_map(move |(arg, next)| match strip_flag(arg)? {
            "" => next.map(String::as_str),
            rest => rest.strip_prefix('='),
        })
    };
    let of_nfsprov = values_of(|arg| arg.strip_prefix("--name"));
    // Go's flags have one dash or two.
    let mut of_ganesha = values_of(|arg| arg.trim_start_matches('-').strip_prefix("provisioner"));
    let variable = container.env.get("PROVISIONER_NAME").and_then(Option::as_deref);
    let built_in = images::is_nfsprov(&container.image) && !reads_name_elsewhere(container);
    of_nfsprov
        .last()
        .or_else(|| of_ganesha.next().filter(|_| images::is_ganesha(&container.image)))
        .or(variable)
        .or(built_in.then_some(DEFAULT_NAME))
        .filter(|name| !name.is_empty())
}

/// Whether PROVISIONER_NAME comes, or may come, from a ConfigMap or Secret, which the doctor doesn't read.
fn reads_name_elsewhere(container: &Container) -> bool {
    match container.env.get("PROVISIONER_NAME") {
        Some(variable) => variable.is_none(),
        None => container.env_from,
    }
}

impl Provisioner<'_> {
    /// The server and path of the export on which it creates directories, each by its environment, else by its first
    /// NFS volume; `None` if one of them is unknown.
    pub fn export(&self) -> Option<(String, String)> {
        let variable = |key: &str| self.container.env.get(key).cloned().flatten();
        let value = |key: &str| variable(key).filter(|value| !value.is_empty());
        let mounted = self.workload.nfs.first();
        let server = value("NFS_SERVER").or_else(|| mounted.map(|(server, _)| server.clone()));
        let path = value("NFS_PATH").or_else(|| mounted.map(|(_, path)| path.clone()));
        server.zip(path)
    }

    /// Whether it has a provisioner's image, rather than only the environment of one or a class' name.
    pub fn has_known_image(&self) -> bool {
        self.kind != ProvisionerKind::Other
    }

    /// Whether it provisions NFS volumes, by its image, its name, a variable NFS_SERVER or an NFS volume of its pods.
    pub fn is_for_nfs(&self) -> bool {
        self.has_known_image()
            || self.container.image.contains("nfs")
            || self.name.is_some_and(has_nfs_in_name)
            || self.container.env.contains_key("NFS_SERVER")
            || !self.workload.nfs.is_empty()
    }

    /// Whether it has neither a provisioner's image nor the variable PROVISIONER_NAME, but mentions the name of a
    /// class: it may be a part of a CSI driver that provisions nothing.
    pub fn only_mentions_name(&self) -> bool {
        !self.has_known_image() && !self.container.env.contains_key("PROVISIONER_NAME")
    }

    /// When the oldest of its pods with this image was created; `None` if it has none.
    pub fn running_since(&self, snapshot: &ClusterSnapshot) -> Option<Timestamp> {
        let pods = self.pods(snapshot);
        let runs = |pod: &&&Pod| pod.containers.iter().any(|one| one.image == self.container.image);
        pods.iter().filter(runs).filter_map(|pod| pod.created).min()
    }

    /// Whether it has a provisioner's image, and its name may come from a ConfigMap or Secret, which the doctor doesn't
    /// read.
    pub fn has_unread_name(&self) -> bool {
        self.name.is_none() && reads_name_elsewhere(self.container) && self.has_known_image()
    }

    /// Whether its workload is to have no pods. Never true of a DaemonSet, even if it matches no node.
    pub fn is_scaled_to_zero(&self) -> bool {
        self.workload.replicas == 0 && self.workload.kind != "DaemonSet"
    }

    /// The pods that its workload owns, also those that have ended.
    pub fn pods<'a>(&self, snapshot: &'a ClusterSnapshot) -> Vec<&'a Pod> {
        snapshot.pods.iter().filter(|pod| self.workload.owns(pod)).collect()
    }

    /// The logs of its container in its pods, and those of its pods whose container is unknown.
    pub fn logs<'a>(&self, snapshot: &'a ClusterSnapshot) -> impl Iterator<Item = &'a Log> {
        let pods = self.pods(snapshot);
        let container = &self.container.name;
        let is_theirs = move |log: &&Log| {
            (log.container.is_empty() || log.container == *container)
                && pods
                    .iter()
                    .any(|pod| (&pod.namespace, &pod.name) == (&log.namespace, &log.pod))
        };
        snapshot.logs.iter().filter(is_theirs)
    }

    /// The Pending claims that were handed over to it ([`claims_waiting_for`]); none if it has no known name.
    pub fn waiting_claims(&self, snapshot: &ClusterSnapshot) -> Vec<Object> {
        let claims = self.name.map(|name| claims_waiting_for(snapshot, name));
        claims.into_iter().flatten().map(Claim::object).collect()
    }

    /// Whether it has created a volume, or written an event that it provisions one, since its pods run; ever, if it has
    /// no pods. False without a known name.
    pub fn has_worked(&self, snapshot: &ClusterSnapshot) -> bool {
        self.name
            .is_some_and(|name| has_worked(snapshot, name, self.running_since(snapshot)))
    }

    /// The namespace and name of its service account, as `NAMESPACE:NAME`; of a bare pod without the name.
    pub fn service_account(&self) -> String {
        format!("{}:{}", self.workload.namespace, self.workload.service_account)
    }
}

/// The Pending claims that were handed over to the provisioner of this name, and whose class still names it; not those
/// that name a PV, or that wait for their first pod.
pub fn claims_waiting_for<'a>(snapshot: &'a ClusterSnapshot, name: &str) -> Vec<&'a Claim> {
    // The class may have been created again for another provisioner, which then serves its claims.
    let is_of_class = |claim: &Claim| {
        let class = claim.class.as_deref().and_then(|class| snapshot.find_class(class));
        class.is_some_and(|class| class.provisioner == name && (!class.waits_for_first_consumer || claim.node_selected))
    };
    let is_waiting = |claim: &&Claim| {
        let is_handed_over = claim.handover.as_deref() == Some(name);
        claim.is_pending() && claim.volume.is_empty() && is_handed_over && is_of_class(claim)
    };
    snapshot.claims.iter().filter(is_waiting).collect()
}

/// The name of a provisioner's Lease, and of the lock of nfs-subdir-external-provisioner: its own, with dashes for
/// slashes. `None` with an upper-case letter or `_`, which no object's name can have.
pub fn lease_name(provisioner: &str) -> Option<String> {
    let name = provisioner.replace('/', "-");
    // Not replaced by other characters: two provisioners could then share a Lease, and one would never serve.
    (!name.contains(|c: char| c.is_ascii_uppercase() || c == '_')).then_some(name)
}

/// Whether an event was written by the provisioner of this name: its component is the name, or begins with it and `_`,
/// or as of old with it and a space.
pub fn is_written_by(event: &Event, name: &str) -> bool {
    let rest = event.component.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', ' ']))
}

/// Whether nothing shows that a provisioner serves `name`: no workload, event, lock, volume or CSI driver. A lock
/// counts only in the namespace `default`, for a provisioner outside the cluster; one in it shows itself by its
/// workload.
///
/// Events and volumes count from `since` on: when a claim became Pending, or a volume should have been deleted; with
/// `None` they don't count. False for 15 s after that time, for in-tree names, and while the name of a ready
/// provisioner is unread. A workload scaled to zero counts. The caller checks that workloads were read.
pub fn is_unserved(snapshot: &ClusterSnapshot, name: &str, since: Option<Timestamp>, now: Timestamp) -> bool {
    let is_later = |time: Option<Timestamp>| time.zip(since).is_some_and(|(time, since)| time >= since);
    let candidates = find_candidates(snapshot);
    let lock_name = lease_name(name);
    let is_renewed = |lock: &Lock| {
        Some(&lock.name) == lock_name.as_ref()
            && lock.namespace == OUTSIDE_LOCKS
            && !lock.holder.is_empty()
            && lock.renewed.is_some_and(|renewed| now.duration_since(renewed) < FRESH)
    };
    let made = |volume: &Volume| volume.is_provisioned_by(name) && is_later(volume.created);
    // A provisioner whose name is known serves no other.
    let serves_other = |container: &Container| {
        let mut own = candidates.iter().filter(|one| std::ptr::eq(one.container, container));
        own.any(|one| one.name.is_some_and(|other| other != name))
    };
    let is_mentioned = |workload: &Workload| {
        let mut containers = workload.containers.iter();
        containers.any(|container| !serves_other(container) && may_serve(container, name))
    };
    // An unread ConfigMap may hold this name.
    let may_be_named = |one: &Provisioner<'_>| one.has_unread_name() && one.workload.ready > 0;
    let spoke = |event: &Event| is_later(event.last) && is_written_by(event, name);
    let running = candidates.iter().any(|one| one.name == Some(name) || may_be_named(one))
        || is_in_tree(name)
        || snapshot.csi_drivers.iter().any(|driver| driver == name)
        || snapshot.events.iter().any(spoke)
        || snapshot.locks.iter().any(is_renewed)
        || snapshot.volumes.iter().any(made)
        || snapshot.workloads.iter().any(is_mentioned);
    !running && since.is_none_or(|since| now.duration_since(since) >= SHOWS_WITHIN)
}

/// Words in the names of many provisioners and of their images, which tell none of them.
const COMMON_WORDS: [&str; 10] = [
    "client",
    "csi",
    "driver",
    "dynamic",
    "external",
    "nfs",
    "provisioner",
    "server",
    "storage",
    "volume",
];

/// Whether a container may serve this provisioner name, judged by whole words of its arguments, the values of its
/// variables, and its image's name. A name without a domain is a word that has other meanings, too: it must be that of
/// a provisioner or driver there.
fn may_serve(container: &Container, name: &str) -> bool {
    let (domain, last) = name.split_once('/').unwrap_or(("", name));
    let owner = domain.split('.').next().unwrap_or_default();
    let base = images::base_name(&container.image);
    let is_common = |part: &str| part.split('-').all(|word| COMMON_WORDS.contains(&word));
    let in_image = |part: &str| part.len() > 4 && (base == part || (base.contains(part) && !is_common(part)));
    let is_of_provisioner = |text: &str| {
        let text = text.to_lowercase();
        name.contains(['/', '.']) || text.contains("provisioner") || text.contains("driver")
    };
    let has_name = |arg: &str| {
        let mut words = arg.split(|c: char| !c.is_alphanumeric() && !"-_./".contains(c));
        words.any(|word| word == name)
    };
    // One project may have provisioners of several kinds.
    let is_of_owner = images::organization(&container.image) == owner
        && base.contains("provisioner")
        && (!has_nfs_in_name(last) || base.contains("nfs"));
    // The name may be a flag's value, which is an argument of its own.
    let before = [""].into_iter().chain(container.args.iter().map(String::as_str));
    let mut args = container.args.iter().zip(before);
    args.any(|(arg, before)| has_name(arg) && (is_of_provisioner(arg) || is_of_provisioner(before)))
        || (container.env.iter()).any(|(key, value)| value.as_deref() == Some(name) && is_of_provisioner(key))
        || in_image(last)
        || (in_image(owner) && base.contains("provisioner"))
        || is_of_owner
}

/// The export on which a provisioner of this name creates directories, by its workload, else its classes, else the
/// parent directory of its volumes; `None` if none tells.
pub fn served_export(snapshot: &ClusterSnapshot, name: &str) -> Option<(String, String)> {
    let by_name = || {
        let all = find_provisioners(snapshot);
        let mut of_name = all.iter().filter(|one| one.name == Some(name));
        of_name.find_map(Provisioner::export)
    };
    let by_class = || {
        let mut classes = snapshot.classes.iter().filter(|class| class.provisioner == name);
        classes.find_map(Class::export)
    };
    let by_volume = || {
        let mut made = snapshot.volumes.iter().filter(|volume| volume.is_provisioned_by(name));
        made.find_map(|volume| {
            let (server, path) = volume.nfs.clone()?;
            let parent = Path::new(&path).parent().unwrap_or(Path::new("/"));
            Some((server, parent.display().to_string()))
        })
    };
    by_name().or_else(by_class).or_else(by_volume)
}

/// The names of the NFS provisioners that are not scaled to zero, sorted, each once; they need not be ready.
pub fn names_not_scaled_to_zero(snapshot: &ClusterSnapshot) -> Vec<&str> {
    let mut running = find_provisioners(snapshot);
    running.retain(|one| !one.is_scaled_to_zero() && (one.has_known_image() || one.name.is_some_and(has_nfs_in_name)));
    let names: BTreeSet<&str> = running.into_iter().filter_map(|one| one.name).collect();
    names.into_iter().collect()
}

#[cfg(test)]
#[path = "provisioners_tests.rs"]
mod tests;
