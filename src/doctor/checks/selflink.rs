//! RemoveSelfLink, and the images it concerns: NFS301 to NFS306 (PURE).

use super::Case;
use super::commands::set_image;
use super::workloads::waiting;
use crate::doctor::Severity::{Error, Warning};
use crate::doctor::explain::{DEPLOYMENTS, Entry, NAMESPACES, NODES, VERSION, entry};
use crate::doctor::facts::Facts;
use crate::doctor::images;
use crate::doctor::messages;
use crate::doctor::provisioners::{self, Provisioner};
use crate::doctor::{Confidence, Evidence, Finding, Object};

/// The first version that sends no selfLink unless told to.
const REMOVED: u32 = 20;
/// The first version that can't be told to.
const LOCKED: u32 = 24;

/// How the gate is written wherever arguments are.
const GATE: &str = "RemoveSelfLink=false";

pub const ENTRIES: &[Entry] = &[
    entry("NFS301", Error, &[DEPLOYMENTS, VERSION], "the image needs selfLink, and this server sends none", "Kubernetes 1.20 stopped filling in metadata.selfLink. The client library in nfs-client-provisioner can't refer to a claim without it, logs \"selfLink was empty, can't make reference\" and does nothing; no event tells. Two ways out: an image that does not need it (nfs-subdir-external-provisioner, on every version), or, on 1.20 to 1.23 only, --feature-gates=RemoveSelfLink=false on every kube-apiserver. Prefer the image: from 1.24 on the API server refuses to start with the gate, so that it blocks the upgrade.\n\nThe gate on kubeadm goes into /etc/kubernetes/manifests/kube-apiserver.yaml on every control plane node:\n    - --feature-gates=RemoveSelfLink=false\nOn K3s it goes into /etc/rancher/k3s/config.yaml, followed by a restart of k3s, on every server node (RKE2: /etc/rancher/rke2/config.yaml, rke2-server):\n    kube-apiserver-arg: [\"feature-gates=RemoveSelfLink=false\"]\nA new installation of K3s takes it on the command line, as long as it is of 1.20 to 1.23:\n    curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.23.17+k3s1 sh -s - --kube-apiserver-arg \"feature-gates=RemoveSelfLink=false\"\nThen the provisioner has to be restarted. nfsprov doctor --fix --gate --ssh HOST (each server node) does all of it, and --gate --undo --ssh HOST takes it back.").automatic(),
    entry("NFS302", Error, &[DEPLOYMENTS, "pods/log"], "selfLink was empty", "The provisioner's log says so itself; see NFS301.").automatic(),
    entry("NFS303", Warning, &[NAMESPACES, VERSION], "RemoveSelfLink=false blocks the upgrade", "The API server is told to send selfLink. That works on 1.20 to 1.23; an API server of 1.24 or later refuses to start with it (\"cannot set feature gate RemoveSelfLink to false, feature is locked to true\"), and from 1.30 on it does not even know the name. Change the provisioner's image first, then remove the gate on every server node: from /etc/kubernetes/manifests/kube-apiserver.yaml and the ClusterConfiguration in kubeadm-config, or from /etc/rancher/k3s/config.yaml. nfsprov doctor --gate --undo --ssh HOST does so, for each server node that is named.\n\nIt came there by hand, by nfsprov doctor --fix --gate, or with the installation of K3s:\n    curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.23.17+k3s1 sh -s - --kube-apiserver-arg \"feature-gates=RemoveSelfLink=false\"\nwhich without a version installs today's K3s, whose API server does not start with it."),
    entry("NFS304", Error, &[NODES], "RemoveSelfLink=false on a version that refuses it", "A server node was started with the gate, and this version's API server does not start with it. Remove the gate before the next restart: nfsprov doctor --gate --undo --ssh HOST does so, whether an API server answers or not."),
    entry("NFS305", Warning, &[DEPLOYMENTS, VERSION], "the image will break at the upgrade to 1.20", "The image needs selfLink, which this version still sends and 1.20 does not.").automatic(),
    entry("NFS306", Warning, &[DEPLOYMENTS], "image from a frozen registry", "The registry gets no new images, or was for staging only, and may go away. The same provisioner is kept at registry.k8s.io.").automatic(),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = gate(case).into_iter().collect();
    for one in &case.provisioners {
        found.extend(image(case, one).or_else(|| log(case, one)));
        found.extend(frozen(one));
    }
    found
}

/// The API server as an object.
fn server() -> Object {
    Object::cluster("Cluster", "kube-apiserver")
}

/// Where the gate is set, as far as arguments can be seen.
fn places(case: &Case<'_>) -> Vec<Evidence> {
    let pods = case
        .facts
        .pods
        .iter()
        .filter(|pod| pod.is_static && pod.labels.get("component").map(String::as_str) == Some("kube-apiserver"));
    let in_pods = pods.flat_map(|pod| {
        let args = pod.containers.iter().flat_map(|container| &container.args);
        args.filter(|arg| arg.contains(GATE)).map(|arg| Evidence {
            source: format!("arguments of {}", pod.object().title()),
            text: arg.clone(),
        })
    });
    let in_nodes = case.facts.nodes.iter().flat_map(|node| {
        let args = node.server_args.iter().filter(|(_, args)| args.contains(GATE));
        args.map(|(key, args)| Evidence {
            source: format!("annotation {key} of node {}", node.name),
            text: args.clone(),
        })
    });
    in_pods.chain(in_nodes).collect()
}

/// The provisioners whose images need selfLink.
fn need_self_link(facts: &Facts) -> Vec<String> {
    let all = provisioners::all(facts);
    let theirs = all.iter().filter(|one| images::needs_self_link(&one.container.image));
    theirs.map(|one| one.workload.object().title()).collect()
}

fn gate(case: &Case<'_>) -> Option<Finding> {
    let minor = case.facts.minor()?;
    let places = places(case);
    let live = case.facts.self_link == Some(true);
    // Before 1.20 it is what every server does.
    if minor < REMOVED || (places.is_empty() && !live) {
        return None;
    }
    let (code, cause) = match minor < LOCKED {
        true => (
            "NFS303",
            "RemoveSelfLink=false is set: an API server of 1.24 or later refuses to start with it".to_owned(),
        ),
        false => (
            "NFS304",
            format!(
                "RemoveSelfLink=false is set, and an API server of {} does not start with it",
                case.facts.version
            ),
        ),
    };
    let remove = "nfsprov doctor --gate --undo --ssh HOST removes it, with --ssh for each server node; by hand, take it out of \
                  kube-apiserver's --feature-gates on each of them";
    let first = need_self_link(case.facts);
    let note = match first.is_empty() {
        true => remove.to_owned(),
        false => format!(
            "first change the image of {} (it needs selfLink), then {remove}",
            first.join(", ")
        ),
    };
    Some(
        Finding::new(code, server(), cause)
            .seen(
                "metadata.selfLink of a live object",
                if live { "sent" } else { "not sent" },
            )
            .seen("/version", &case.facts.version)
            .all_seen(places)
            .advise(note),
    )
}

/// Which of the two ways out there are on this version.
fn ways(minor: u32) -> &'static str {
    match minor {
        REMOVED..LOCKED => {
            "PROVISIONER_NAME and the volumes stay as they are; --feature-gates=RemoveSelfLink=false on kube-apiserver would do too on this version, and blocks the upgrade to 1.24"
        }
        _ => {
            "PROVISIONER_NAME and the volumes stay as they are; this version's API server can't send selfLink any more"
        }
    }
}

fn image(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    let image = &one.container.image;
    let minor = case.facts.minor()?;
    if !images::needs_self_link(image) {
        return None;
    }
    let object = one.workload.object();
    let source = format!("image of {}", object.title());
    let new_image = set_image(one.workload, &one.container.name, images::CURRENT);
    if minor < REMOVED {
        return Some(
            Finding::new(
                "NFS305",
                object,
                "the provisioner's image needs selfLink, which Kubernetes 1.20 does not send",
            )
            .seen(source, image)
            .seen("/version", &case.facts.version)
            .fixed_by(
                new_image,
                "before the upgrade; PROVISIONER_NAME and the volumes stay as they are",
            ),
        );
    }
    // Who writes events can refer to objects; what another image wrote before does not count.
    let works = |name: &str| {
        let since = one.since(case.facts);
        provisioners::has_worked(case.facts, name, since) || provisioners::has_failed(case.facts, name, since)
    };
    if case.facts.self_link == Some(true) || one.name.is_some_and(works) {
        return None;
    }
    let sent = match case.facts.self_link {
        Some(_) => "not sent",
        None => "could not be looked at",
    };
    let sure = case.facts.self_link == Some(false) || minor >= LOCKED;
    Some(
        Finding::new(
            "NFS301",
            object,
            "the provisioner's image needs selfLink, and this API server sends none",
        )
        .only(if sure { Confidence::Certain } else { Confidence::Likely })
        .seen(source, image)
        .seen("metadata.selfLink of a live object", sent)
        .seen("/version", &case.facts.version)
        .all_seen(line(case, one))
        .fixed_by(new_image, ways(minor))
        .explaining(waiting(case, one)),
    )
}

/// The provisioner's own word for it.
fn line(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Evidence> {
    one.logs(case.facts).find_map(|log| {
        Some(Evidence {
            source: format!("log of pod {}/{}", log.namespace, log.pod),
            text: messages::line("NFS302", &log.text)?.trim().to_owned(),
        })
    })
}

fn log(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    // What the log says of the time before the gate was set is over.
    if case.facts.self_link == Some(true) {
        return None;
    }
    let line = line(case, one)?;
    let minor = case.facts.minor().unwrap_or(LOCKED);
    let finding = Finding::new(
        "NFS302",
        one.workload.object(),
        "the provisioner can't refer to claims without selfLink",
    )
    .all_seen([line])
    .seen(
        format!("image of {}", one.workload.object().title()),
        &one.container.image,
    )
    .explaining(waiting(case, one));
    // The log says nothing about which image does the same work.
    Some(match images::makes_directories(&one.container.image) {
        true => finding.fixed_by(
            set_image(one.workload, &one.container.name, images::CURRENT),
            ways(minor),
        ),
        false => finding.advise("use a later version of this image, one that needs no selfLink"),
    })
}

fn frozen(one: &Provisioner<'_>) -> Option<Finding> {
    let image = &one.container.image;
    let prefix = images::frozen(image)?;
    let object = one.workload.object();
    let finding = Finding::new(
        "NFS306",
        object.clone(),
        format!(
            "the provisioner's image comes from {}, which is deprecated",
            prefix.trim_end_matches(['/', '-'])
        ),
    )
    .seen(format!("image of {}", object.title()), image);
    Some(match images::moved(image) {
        Some(moved) => finding.fixed_by(
            set_image(one.workload, &one.container.name, &moved),
            "the same provisioner, where it is kept now",
        ),
        None => finding.advise("see where its project keeps its images now, or what has replaced it"),
    })
}
