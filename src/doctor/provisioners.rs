//! Who serves which provisioner's name (PURE).

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::facts::{Claim, Container, Event, Facts, Pod, Workload};
use super::images;
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

/// How fresh a lock is that somebody renews.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// A workload that makes NFS volumes.
#[derive(Clone, Copy, Debug)]
pub struct Provisioner<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// Its container.
    pub container: &'a Container,
    /// The name it serves; none if it has none.
    pub name: Option<&'a str>,
}

/// Who serves a name.
#[derive(Clone, Debug)]
pub enum Serving<'a> {
    /// These workloads of the cluster.
    Workloads(Vec<Provisioner<'a>>),
    /// Somebody; this is how one can tell.
    Somebody(String),
    /// Nobody, for too long to be on its way.
    Nobody,
    /// It is too early to say.
    TooEarly,
}

/// Whether a container may be a provisioner that makes NFS volumes.
pub fn may_provision(container: &Container) -> bool {
    images::makes_directories(&container.image)
        || container.env.contains_key("PROVISIONER_NAME")
        || (images::is_nfsprov(&container.image) && container.args.iter().any(|arg| arg == "provision"))
}

/// Whether a provisioner of Kubernetes itself makes volumes under this name.
pub fn is_in_tree(name: &str) -> bool {
    IN_TREE.contains(&name)
}

/// Whether a name is one that makes NFS volumes, as far as one can tell.
pub fn sounds_like_nfs(name: &str) -> bool {
    name.to_lowercase().contains("nfs") || name == "fuseim.pri/ifs"
}

/// The provisioners of the cluster that make NFS volumes.
pub fn all(facts: &Facts) -> Vec<Provisioner<'_>> {
    let find = |workload| {
        let workload: &Workload = workload;
        let container = workload.containers.iter().find(|container| may_provision(container))?;
        Some(Provisioner {
            workload,
            container,
            name: name(container),
        })
    };
    facts.workloads.iter().filter_map(find).collect()
}

fn name(container: &Container) -> Option<&str> {
    let args = &container.args;
    let given = args.iter().zip(args.iter().skip(1).map(Some).chain([None]));
    let flag = given.filter_map(|(arg, next)| match arg.strip_prefix("--name") {
        Some("") => next.map(String::as_str),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    let variable = container.env.get("PROVISIONER_NAME").and_then(Option::as_deref);
    let built_in = images::is_nfsprov(&container.image).then_some(DEFAULT_NAME);
    flag.last().or(variable).or(built_in).filter(|name| !name.is_empty())
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

    /// Whether it is to have no pods.
    pub fn stopped(&self) -> bool {
        self.workload.replicas == 0 && self.workload.kind != "DaemonSet"
    }

    /// Its pods.
    pub fn pods<'a>(&self, facts: &'a Facts) -> Vec<&'a Pod> {
        facts.pods.iter().filter(|pod| self.workload.owns(pod)).collect()
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

/// Who serves `name`, for claims of which the first waits since `since`.
pub fn serving<'a>(facts: &'a Facts, name: &str, since: Option<Timestamp>, now: Timestamp) -> Serving<'a> {
    let workloads: Vec<_> = all(facts)
        .into_iter()
        .filter(|provisioner| provisioner.name == Some(name))
        .collect();
    if !workloads.is_empty() {
        return Serving::Workloads(workloads);
    }
    if is_in_tree(name) {
        return Serving::Somebody("Kubernetes itself".to_owned());
    }
    if facts.csi_drivers.iter().any(|driver| driver == name) {
        return Serving::Somebody(format!("CSIDriver {name}"));
    }
    let spoke = facts
        .events
        .iter()
        .rev()
        .find(|event| wrote(event, name) && event.last.zip(since).is_some_and(|(last, since)| last >= since));
    if let Some(event) = spoke {
        return Serving::Somebody(format!("an event by {}", event.component));
    }
    let lock_name = name.replace('/', "-");
    let held = |lock: &&super::facts::Lock| {
        lock.name == lock_name
            && !lock.holder.is_empty()
            && lock.renewed.is_some_and(|renewed| now.duration_since(renewed) < FRESH)
    };
    if let Some(lock) = facts.locks.iter().find(held) {
        return Serving::Somebody(format!("{} {}/{}", lock.kind, lock.namespace, lock.name));
    }
    let made = |volume: &&super::facts::Volume| {
        volume.provisioned_by.as_deref() == Some(name)
            && volume.created.zip(since).is_some_and(|(made, since)| made >= since)
    };
    if let Some(volume) = facts.volumes.iter().find(made) {
        return Serving::Somebody(format!("PV {}, made since", volume.name));
    }
    if let Some(workload) = facts.workloads.iter().find(|workload| mentions(workload, name)) {
        return Serving::Somebody(format!("{} {}/{}", workload.kind, workload.namespace, workload.name));
    }
    match since {
        Some(since) if now.duration_since(since) < SHOWS_WITHIN => Serving::TooEarly,
        _ => Serving::Nobody,
    }
}

/// Whether a workload looks as if it served a name that it doesn't take from the environment.
fn mentions(workload: &Workload, name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    let in_container = |container: &Container| {
        container.args.iter().any(|arg| arg.contains(name))
            || container.env.values().flatten().any(|value| value == name)
            || (last.len() > 4 && images::base(&container.image).contains(last))
    };
    workload.containers.iter().any(in_container)
}

/// Whether any check asks about a workload.
pub fn is_of_interest(workload: &Workload) -> bool {
    let provides = |container: &Container| {
        may_provision(container)
            || container.image.contains("provisioner")
            || container.image.contains("csi")
            || container.args.iter().any(|arg| arg.contains("provisioner"))
    };
    !workload.templates.is_empty() || workload.containers.iter().any(provides)
}

/// An export that is known in the cluster, for command lines: of the provisioner of this name, of the class that
/// names one, of any provisioner, of any PV.
pub fn known_export(facts: &Facts, name: Option<&str>) -> Option<(String, String)> {
    let by_static = || {
        let mut volumes = facts.volumes.iter().filter(|volume| volume.provisioned_by.is_none());
        volumes.find_map(|volume| volume.nfs.clone())
    };
    export_of(facts, name).or_else(by_static)
}

/// The export that a provisioner of this name would make directories on: none that is a volume itself.
pub fn served_export(facts: &Facts, name: &str) -> Option<(String, String)> {
    export_of(facts, Some(name))
}

fn export_of(facts: &Facts, name: Option<&str>) -> Option<(String, String)> {
    let provisioners = all(facts);
    let by_name = || {
        let of_name = provisioners.iter().filter(|one| name.is_some() && one.name == name);
        of_name.filter_map(Provisioner::export).next()
    };
    let by_class = || {
        let classes = facts
            .classes
            .iter()
            .filter(|class| name == Some(class.provisioner.as_str()));
        classes
            .filter_map(|class| {
                class
                    .parameters
                    .get("server")
                    .cloned()
                    .zip(class.parameters.get("path").cloned())
            })
            .next()
    };
    let by_volume = || {
        let made = facts.volumes.iter();
        let mut made = made.filter(|volume| name.is_some() && volume.provisioned_by.as_deref() == name);
        made.find_map(|volume| {
            let (server, path) = volume.nfs.clone()?;
            Some((server, parent(&path)))
        })
    };
    let by_any = || provisioners.iter().filter_map(Provisioner::export).next();
    by_name().or_else(by_class).or_else(by_volume).or_else(by_any)
}

/// The directory above.
pub fn parent(path: &str) -> String {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((parent, _)) => parent.to_owned(),
    }
}

/// The name that NFS volumes are made under here, if one is served, else nfsprov's own.
pub fn usual_name(facts: &Facts) -> String {
    let served = all(facts).into_iter().find_map(|provisioner| provisioner.name);
    served.unwrap_or(DEFAULT_NAME).to_owned()
}
