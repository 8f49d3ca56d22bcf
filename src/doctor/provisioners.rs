//! Who serves which provisioner's name (PURE).

use std::collections::HashSet;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::facts::{Claim, Container, Event, Facts, Log, Pod, Workload};
use super::images;
use super::names::sounds_like_nfs;
use crate::provisioner::DEFAULT_NAME;

/// The NFS CSI driver, which is its own provisioner.
pub const NFS_CSI: &str = "nfs.csi.k8s.io";

/// In-tree provisioners that make volumes; since 1.2x their CSI drivers do it in their name.
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

/// A lock renewed within this time has a running holder.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// Known provisioners, by what tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
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

/// A workload that makes NFS volumes.
#[derive(Clone, Copy, Debug)]
pub struct Provisioner<'a> {
    /// Which one it is.
    pub make: Make,
    /// The workload.
    pub workload: &'a Workload,
    /// Its container.
    pub container: &'a Container,
    /// The name it serves; none if it has none.
    pub name: Option<&'a str>,
}

/// Whether a provisioner of Kubernetes itself makes volumes under this name.
pub fn is_in_tree(name: &str) -> bool {
    IN_TREE.contains(&name)
}

/// The workloads that look like NFS provisioners. Anybody who may create a Deployment can make one look so.
pub fn candidates(facts: &Facts) -> Vec<Provisioner<'_>> {
    let find = |workload| csi_controller(workload).or_else(|| candidate(workload));
    facts.workloads.iter().filter_map(find).collect()
}

fn candidate(workload: &Workload) -> Option<Provisioner<'_>> {
    let container = workload.containers.iter().find(|container| container.may_provision())?;
    let image = &container.image;
    let make = match () {
        () if images::makes_directories(image) => Make::Subdir,
        () if images::is_nfsprov(image) => Make::Nfsprov,
        () if images::is_ganesha(image) => Make::Ganesha,
        () => Make::Other,
    };
    Some(Provisioner {
        make,
        workload,
        container,
        name: name(container),
    })
}

fn csi_controller(workload: &Workload) -> Option<Provisioner<'_>> {
    let driver = workload
        .containers
        .iter()
        .find(|one| images::is_nfs_csi_driver(&one.image))?;
    let container = workload
        .containers
        .iter()
        .find(|one| images::is_csi_provisioner(&one.image))?;
    let name = driver
        .args
        .iter()
        .find_map(|arg| arg.trim_start_matches('-').strip_prefix("drivername="));
    Some(Provisioner {
        make: Make::CsiController,
        workload,
        container,
        name: Some(name.unwrap_or(NFS_CSI)),
    })
}

/// The provisioners of the cluster: of the candidates those whose names a class or a volume has, for only
/// administrators write these.
pub fn all(facts: &Facts) -> Vec<Provisioner<'_>> {
    let made = facts
        .volumes
        .iter()
        .filter_map(|volume| volume.provisioned_by.as_deref());
    let classes = facts.classes.iter().map(|class| class.provisioner.as_str());
    let used: HashSet<&str> = made.chain(classes).collect();
    let mut found = candidates(facts);
    found.retain(|one| one.name.is_some_and(|name| used.contains(name)));
    let known: Vec<&str> = found.iter().filter_map(|one| one.name).collect();
    let mut names: Vec<&str> = facts.classes.iter().map(|class| class.provisioner.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !known.contains(name) && !is_other_storage(name) && !name.starts_with("kubernetes.io/"));
    for name in names {
        let theirs = facts.workloads.iter().filter(|workload| candidate(workload).is_none());
        found.extend(theirs.filter_map(|workload| mentioning(workload, name)));
    }
    found
}

/// A workload as a provisioner of another make, if it looks as if it served this name.
fn mentioning<'a>(workload: &'a Workload, name: &'a str) -> Option<Provisioner<'a>> {
    let container = workload.containers.iter().find(|container| mentions(container, name))?;
    Some(Provisioner {
        make: Make::Other,
        workload,
        container,
        name: Some(name),
    })
}

/// Whether a name is a provisioner of other storage than NFS.
pub fn is_other_storage(name: &str) -> bool {
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
    !sounds_like_nfs(name) && (is_in_tree(name) || OTHERS.contains(&name) || csi)
}

/// Whether a provisioner has shown since `since` that it works: by a volume, or by an event about one that it makes.
pub fn has_worked(facts: &Facts, name: &str, since: Option<Timestamp>) -> bool {
    let after = |time: Option<Timestamp>| since.is_none_or(|since| time.is_some_and(|time| time >= since));
    let made = |volume: &super::facts::Volume| volume.provisioned_by.as_deref() == Some(name) && after(volume.created);
    let spoke = |event: &Event| {
        matches!(event.reason.as_str(), "Provisioning" | "ProvisioningSucceeded")
            && wrote(event, name)
            && after(event.last)
    };
    facts.volumes.iter().any(made) || facts.events.iter().any(spoke)
}

/// Whether a provisioner has written since `since` that it failed: it can refer to claims.
pub fn has_failed(facts: &Facts, name: &str, since: Option<Timestamp>) -> bool {
    let after = |time: Option<Timestamp>| since.is_none_or(|since| time.is_some_and(|time| time >= since));
    let mut failures = facts.events.iter().filter(|event| event.reason == "ProvisioningFailed");
    failures.any(|event| wrote(event, name) && after(event.last))
}

/// Whether a class or a volume names this provisioner.
pub fn is_named(facts: &Facts, name: &str) -> bool {
    facts.classes.iter().any(|class| class.provisioner == name)
        || facts
            .volumes
            .iter()
            .any(|volume| volume.provisioned_by.as_deref() == Some(name))
}

fn name(container: &Container) -> Option<&str> {
    let args = &container.args;
    let given = args.iter().zip(args.iter().skip(1).map(Some).chain([None]));
    let flag = given.filter_map(|(arg, next)| match arg.strip_prefix("--name") {
        Some("") => next.map(String::as_str),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    let ganesha = args
        .iter()
        .zip(args.iter().skip(1).map(Some).chain([None]))
        .find_map(
            |(arg, next)| match arg.trim_start_matches('-').strip_prefix("provisioner")? {
                "" => next.map(String::as_str),
                rest => rest.strip_prefix('='),
            },
        );
    let ganesha = ganesha.filter(|_| images::is_ganesha(&container.image));
    let variable = container.env.get("PROVISIONER_NAME").and_then(Option::as_deref);
    let built_in = images::is_nfsprov(&container.image).then_some(DEFAULT_NAME);
    flag.last()
        .or(ganesha)
        .or(variable)
        .or(built_in)
        .filter(|name| !name.is_empty())
}

impl Provisioner<'_> {
    /// The export that it makes directories on, by its environment, else by the volume it mounts.
    pub fn export(&self) -> Option<(String, String)> {
        let value = |key: &str| {
            self.container
                .env
                .get(key)
                .cloned()
                .flatten()
                .filter(|value| !value.is_empty())
        };
        let mounted = self.workload.nfs.first();
        let server = value("NFS_SERVER").or_else(|| mounted.map(|(server, _)| server.clone()));
        let path = value("NFS_PATH").or_else(|| mounted.map(|(_, path)| path.clone()));
        server.zip(path)
    }

    /// Whether it has a provisioner's image, rather than only the environment of one.
    pub fn has_known_image(&self) -> bool {
        self.make != Make::Other
    }

    /// Since when its pods with this image run.
    pub fn since(&self, facts: &Facts) -> Option<Timestamp> {
        let pods = self.pods(facts);
        let runs = |pod: &&&Pod| pod.containers.iter().any(|one| one.image == self.container.image);
        pods.iter().filter(runs).filter_map(|pod| pod.created).min()
    }

    /// Whether its name comes from a ConfigMap or the like, which is not read.
    pub fn has_unread_name(&self) -> bool {
        let variable = self.container.env.get("PROVISIONER_NAME");
        let elsewhere = variable == Some(&None) || (variable.is_none() && self.container.env_from);
        self.name.is_none() && elsewhere && self.has_known_image()
    }

    /// Whether it is to have no pods.
    pub fn stopped(&self) -> bool {
        self.workload.replicas == 0 && self.workload.kind != "DaemonSet"
    }

    /// Its pods.
    pub fn pods<'a>(&self, facts: &'a Facts) -> Vec<&'a Pod> {
        facts.pods.iter().filter(|pod| self.workload.owns(pod)).collect()
    }

    /// The logs of its pods.
    pub fn logs<'a>(&self, facts: &'a Facts) -> impl Iterator<Item = &'a Log> {
        let pods = self.pods(facts);
        let is_theirs = move |log: &&Log| {
            pods.iter()
                .any(|pod| (&pod.namespace, &pod.name) == (&log.namespace, &log.pod))
        };
        facts.logs.iter().filter(is_theirs)
    }

    /// `deployment/nfs-client-provisioner`, as kubectl takes it.
    pub fn argument(&self) -> String {
        format!("{}/{}", self.workload.kind.to_lowercase(), self.workload.name)
    }
}

/// The claims that wait for the provisioner of this name.
pub fn waiting<'a>(facts: &'a Facts, name: &str) -> Vec<&'a Claim> {
    let theirs = |claim: &&Claim| {
        claim.pending()
            && claim.volume.is_empty()
            && claim.handover.as_deref() == Some(name)
            // A class that was made anew under another provisioner takes its claims with it.
            && claim
                .class
                .as_deref()
                .and_then(|class| facts.class(class))
                .is_some_and(|class| class.provisioner == name && (!class.waits || claim.node_selected))
    };
    facts.claims.iter().filter(theirs).collect()
}

/// Whether an event was written by the provisioner of this name.
pub fn wrote(event: &Event, name: &str) -> bool {
    let rest = event.component.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Whether nothing shows that a provisioner serves `name`, which a class or a volume names.
///
/// Signs count from `since` on: when a claim began to wait, or when a volume should have been deleted.
pub fn is_unserved(facts: &Facts, name: &str, since: Option<Timestamp>, now: Timestamp) -> bool {
    let is_later = |time: Option<Timestamp>| time.zip(since).is_some_and(|(time, since)| time >= since);
    let candidates = candidates(facts);
    let lock_name = name.replace('/', "-");
    let is_renewed = |lock: &super::facts::Lock| {
        lock.name == lock_name
            && !lock.holder.is_empty()
            && lock.renewed.is_some_and(|renewed| now.duration_since(renewed) < FRESH)
    };
    let made =
        |volume: &super::facts::Volume| volume.provisioned_by.as_deref() == Some(name) && is_later(volume.created);
    let is_mentioned = |workload: &Workload| workload.containers.iter().any(|container| mentions(container, name));
    // An unread ConfigMap may hold this name.
    let may_be_named = |one: &Provisioner<'_>| one.has_unread_name() && one.workload.ready > 0;
    let running = candidates.iter().any(|one| one.name == Some(name) || may_be_named(one))
        || is_in_tree(name)
        || facts.csi_drivers.iter().any(|driver| driver == name)
        || facts
            .events
            .iter()
            .any(|event| is_later(event.last) && wrote(event, name))
        || facts.locks.iter().any(is_renewed)
        || facts.volumes.iter().any(made)
        || facts.workloads.iter().any(is_mentioned);
    !running && since.is_none_or(|since| now.duration_since(since) >= SHOWS_WITHIN)
}

/// Whether a container looks as if it served a name that it doesn't take from the environment.
fn mentions(container: &Container, name: &str) -> bool {
    let (domain, last) = name.split_once('/').unwrap_or(("", name));
    let owner = domain.split('.').next().unwrap_or_default();
    let base = images::base(&container.image);
    let in_image = |part: &str| part.len() > 4 && base.contains(part);
    container.args.iter().any(|arg| arg.contains(name))
        || container.env.values().flatten().any(|value| value == name)
        || in_image(last)
        || (in_image(owner) && base.contains("provisioner"))
}

/// The export that a provisioner of this name would make directories on: none that is a volume itself.
pub fn served_export(facts: &Facts, name: &str) -> Option<(String, String)> {
    let by_name = || {
        let all = all(facts);
        let of_name = all.iter().filter(|one| one.name == Some(name));
        of_name.filter_map(Provisioner::export).next()
    };
    let by_class = || {
        let mut classes = facts.classes.iter().filter(|class| class.provisioner == name);
        classes.find_map(|class| {
            let parameter = |key| class.parameters.get(key).cloned();
            parameter("server").zip(parameter("path"))
        })
    };
    let by_volume = || {
        let is_made = |volume: &&super::facts::Volume| volume.provisioned_by.as_deref() == Some(name);
        facts.volumes.iter().filter(is_made).find_map(|volume| {
            let (server, path) = volume.nfs.clone()?;
            Some((server, parent(&path)))
        })
    };
    by_name().or_else(by_class).or_else(by_volume)
}

/// The directory above.
pub fn parent(path: &str) -> String {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((parent, _)) => parent.to_owned(),
    }
}

/// The names of the NFS provisioners that are to run, each once.
pub fn running_names(facts: &Facts) -> Vec<&str> {
    let mut running = all(facts);
    running.retain(|one| !one.stopped() && (one.has_known_image() || one.name.is_some_and(sounds_like_nfs)));
    let mut names: Vec<&str> = running.into_iter().filter_map(|one| one.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}
