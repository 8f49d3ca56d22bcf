//! The gate RemoveSelfLink, and images that need selfLink or come from a frozen registry: NFS301 to NFS306 (PURE).

use super::View;
use crate::change::Change;
use crate::cluster::images;
use crate::cluster::provisioners::{self, Provisioner};
use crate::cluster::snapshot::Pod;
use crate::doctor::entry::entries;
use crate::doctor::facts::Facts;
use crate::doctor::{Confidence, Evidence, Finding, Object, messages, policy};

/// The first minor version that sends no selfLink without the gate.
const REMOVED: u32 = 20;
/// The first minor version that does not have the gate.
const LOCKED: u32 = 24;

/// The codes of findings about provisioners that need selfLink, which setting the gate fixes.
pub const NEED_SELF_LINK: [&str; 2] = ["NFS301", "NFS302"];

/// What shows whether the API server sends selfLink.
const SELF_LINK: &str = "metadata.selfLink of a live object";

/// How the gate is written wherever arguments are.
const GATE: &str = "RemoveSelfLink=false";

entries! {
    "NFS301" Error [DEPLOYMENTS, VERSION] "the image needs selfLink, and this server sends none" automatic,
        "Kubernetes 1.20 stopped filling in metadata.selfLink. The client library in nfs-client-provisioner can't refer to a claim without it, logs \"selfLink was empty, can't make reference\" and does nothing; there is no event. Two fixes: an image that does not need it (nfs-subdir-external-provisioner, on every version), or, on 1.20 to 1.23 only, --feature-gates=RemoveSelfLink=false on every kube-apiserver. Prefer the image: from 1.24 on the API server refuses to start with the gate, so that it blocks the upgrade.\n\nThe gate on kubeadm goes into /etc/kubernetes/manifests/kube-apiserver.yaml on every control plane node:\n    - --feature-gates=RemoveSelfLink=false\nOn K3s it goes into /etc/rancher/k3s/config.yaml, followed by a restart of k3s, on every server node (RKE2: /etc/rancher/rke2/config.yaml, rke2-server):\n    kube-apiserver-arg: [\"feature-gates=RemoveSelfLink=false\"]\nA new installation of K3s takes it on the command line, as long as it is of 1.20 to 1.23:\n    curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.23.17+k3s1 sh -s - --kube-apiserver-arg \"feature-gates=RemoveSelfLink=false\"\nThen the provisioner has to be restarted. nfsprov doctor --fix --gate --ssh HOST (each server node) does all of this, and --gate --undo --ssh HOST undoes it.";
    "NFS302" Error [DEPLOYMENTS, "pods/log"] "selfLink was empty" automatic,
        "The provisioner's log has this message; see NFS301.";
    "NFS303" Warning [NAMESPACES, VERSION] "RemoveSelfLink=false blocks the upgrade",
        "The API server is configured to send selfLink. That works on 1.20 to 1.23; an API server of 1.24 or later refuses to start with it (\"cannot set feature gate RemoveSelfLink to false, feature is locked to true\"), and from 1.30 on it does not even know the name. Change the provisioner's image first, then remove the gate on every server node: from /etc/kubernetes/manifests/kube-apiserver.yaml and the ClusterConfiguration in kubeadm-config, or from /etc/rancher/k3s/config.yaml. nfsprov doctor --gate --undo --ssh HOST does so, for each server node that is named.\n\nIt was set by hand, by nfsprov doctor --fix --gate, or by the installation of K3s:\n    curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.23.17+k3s1 sh -s - --kube-apiserver-arg \"feature-gates=RemoveSelfLink=false\"\nwhich without a version installs today's K3s, whose API server does not start with it.";
    "NFS304" Error [NODES] "RemoveSelfLink=false on a version that refuses it",
        "A server node was started with the gate, and this version's API server does not start with it. Remove the gate before the next restart: nfsprov doctor --gate --undo --ssh HOST does so, whether an API server answers or not.";
    "NFS305" Warning [DEPLOYMENTS, VERSION] "the image will break at the upgrade to 1.20" automatic,
        "The image needs selfLink, which this version still sends and 1.20 does not.";
    "NFS306" Warning [DEPLOYMENTS] "image from a frozen registry" automatic,
        "The registry gets no new images, or was for staging only, and may be shut down. The same image is at registry.k8s.io.";
}

/// NFS303 or NFS304 about the cluster; for each provisioner NFS301 or NFS305, else NFS302, and besides NFS306.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = find_self_link_gate(view).into_iter().collect();
    for provisioner in &view.provisioners {
        found.extend(
            find_image_that_needs_self_link(view, provisioner).or_else(|| find_self_link_in_log(view, provisioner)),
        );
        found.extend(find_frozen_registry(provisioner));
    }
    found
}

/// The findings that setting the gate fixes, each with a restart of its provisioner in place of a new image. The policy
/// has been applied: those that `--fix` doesn't make are returned, too, not automatic. `now` is written into the
/// restarted templates.
pub fn restart_after_gate(facts: &Facts, found: &[Finding], now: &str) -> Vec<Finding> {
    let restart = |finding: &Finding| {
        let workload = finding.object.clone();
        let at = now.to_owned();
        let note = "the provisioner has to read its claims again, which then have a selfLink";
        finding.clone().with_change(Change::Restart { workload, at }, note)
    };
    let fixed = found.iter().filter(|finding| NEED_SELF_LINK.contains(&finding.code));
    let mut restarts: Vec<Finding> = fixed.map(restart).collect();
    policy::decide_fixes(facts, &mut restarts);
    restarts
}

/// The places where the gate is set to false: arguments of static API server pods, which tenants can't create, and
/// annotations of K3s and RKE2 nodes.
fn gate_evidence(view: &View<'_>) -> Vec<Evidence> {
    let is_api_server =
        |pod: &&Pod| pod.is_static && pod.labels.get("component").map(String::as_str) == Some("kube-apiserver");
    let pods = view.cluster.pods.iter().filter(is_api_server);
    let in_pods = pods.flat_map(|pod| {
        let args = pod.containers.iter().flat_map(|container| &container.args);
        let gates = args.filter(|arg| arg.contains(GATE));
        gates.map(|arg| Evidence::of_field("arguments", &pod.object(), arg))
    });
    let in_nodes = view.cluster.nodes.iter().flat_map(|node| {
        let args = node.server_args.iter().filter(|(_, args)| args.contains(GATE));
        args.map(|(key, args)| Evidence::new(format!("annotation {key} of node {}", node.name), args))
    });
    in_pods.chain(in_nodes).collect()
}

/// NFS303 if the gate is false on a version whose upgrade this blocks, NFS304 if on one that does not start with it. A
/// selfLink in a live object shows this, too. `None` before 1.20, or if the version is unknown.
fn find_self_link_gate(view: &View<'_>) -> Option<Finding> {
    let minor = view.cluster.minor_version()?;
    let gates = gate_evidence(view);
    let is_sent = view.cluster.self_link == Some(true);
    // Before 1.20 it is what every server does.
    if minor < REMOVED || (gates.is_empty() && !is_sent) {
        return None;
    }
    let version = &view.cluster.version;
    let (code, effect) = match minor < LOCKED {
        true => (
            "NFS303",
            ": an API server of 1.24 or later refuses to start with it".to_owned(),
        ),
        false => (
            "NFS304",
            format!(", and an API server of {version} does not start with it"),
        ),
    };
    let remove = "nfsprov doctor --gate --undo --ssh HOST removes it, with --ssh for each server node; by hand, \
                  remove it from kube-apiserver's --feature-gates on each of them";
    let all = view.provisioners.iter();
    let needing = all.filter(|one| images::needs_self_link(&one.container.image));
    let needing: Vec<String> = needing.map(|one| one.workload.object().title()).collect();
    let needing = needing.join(", ");
    let note = match needing.as_str() {
        "" => remove.to_owned(),
        _ => format!("first change the image of {needing} (it needs selfLink), then {remove}"),
    };
    Some(
        Finding::new(
            code,
            Object::cluster_scoped("Cluster", "kube-apiserver"),
            format!("{GATE} is set{effect}"),
        )
        .with_evidence(SELF_LINK, if is_sent { "sent" } else { "not sent" })
        .with_evidence("/version", version)
        .with_all_evidence(gates)
        .with_advice(note),
    )
}

/// The note of a change of the image, on Kubernetes 1.20 or later; with the alternative if this version has one.
fn image_note(minor: u32) -> &'static str {
    match minor {
        REMOVED..LOCKED => {
            "PROVISIONER_NAME and the volumes stay as they are; --feature-gates=RemoveSelfLink=false on kube-apiserver would also work on this version, but blocks the upgrade to 1.24"
        }
        _ => {
            "PROVISIONER_NAME and the volumes stay as they are; this version's API server can't send selfLink any more"
        }
    }
}

/// An image that needs selfLink: NFS305 before Kubernetes 1.20, where every server sends it; later NFS301, but `None`
/// if the server sends it or the provisioner writes events. `None` for other images, and if the version is unknown.
fn find_image_that_needs_self_link(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let image = &provisioner.container.image;
    let minor = view.cluster.minor_version()?;
    if !images::needs_self_link(image) {
        return None;
    }
    let finding = |code, cause: &str| {
        let finding = provisioner.finding(code, cause).with_field("image", image);
        finding.with_evidence("/version", &view.cluster.version)
    };
    let new_image = provisioner.set_image(images::CURRENT);
    if minor < REMOVED {
        let cause = "the provisioner's image needs selfLink, which Kubernetes 1.20 does not send";
        let note = "before the upgrade; PROVISIONER_NAME and the volumes stay as they are";
        return Some(finding("NFS305", cause).with_change(new_image, note));
    }
    // A provisioner that writes events can refer to objects; events of its earlier image do not count.
    let has_failed = |name: &str| provisioners::has_failed(view.cluster, name, provisioner.running_since(view.cluster));
    let writes_events = provisioner.has_worked(view.cluster) || provisioner.name.is_some_and(has_failed);
    if view.cluster.self_link == Some(true) || writes_events {
        return None;
    }
    let (sent, confidence) = match view.cluster.self_link {
        Some(_) => ("not sent", Confidence::Certain),
        None if minor >= LOCKED => ("could not be read", Confidence::Certain),
        None => ("could not be read", Confidence::Likely),
    };
    let cause = "the provisioner's image needs selfLink, and this API server sends none";
    Some(
        finding("NFS301", cause)
            .with_confidence(confidence)
            .with_evidence(SELF_LINK, sent)
            .with_all_evidence(log_evidence(view, provisioner))
            .with_change(new_image, image_note(minor))
            .with_affected(provisioner.waiting_claims(view.cluster)),
    )
}

/// The last line of one of the provisioner's logs that says that it got no selfLink; `None` without one.
fn log_evidence(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Evidence> {
    let mut logs = provisioner.logs(view.cluster);
    logs.find_map(|log| Some(log.line_evidence(messages::find_log_line("NFS302", &log.text)?)))
}

/// NFS302: the log says that the provisioner can't refer to claims without selfLink. `None` if the cluster sends
/// selfLink, since the line is then from before.
fn find_self_link_in_log(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    // The line is from before the gate was set.
    if view.cluster.self_link == Some(true) {
        return None;
    }
    let line = log_evidence(view, provisioner)?;
    let minor = view.cluster.minor_version().unwrap_or(LOCKED);
    let image = &provisioner.container.image;
    let cause = "the provisioner can't refer to claims without selfLink";
    let finding = provisioner
        .finding("NFS302", cause)
        .with_all_evidence([line])
        .with_field("image", image)
        .with_affected(provisioner.waiting_claims(view.cluster));
    // For other provisioners the image that replaces this one is not known.
    Some(match images::creates_directories(image) {
        true => finding.with_change(provisioner.set_image(images::CURRENT), image_note(minor)),
        false => finding.with_advice("use a later version of this image, one that needs no selfLink"),
    })
}

/// NFS306: the image comes from a registry that gets no new images. The fix takes it from the new one if it is known.
fn find_frozen_registry(provisioner: &Provisioner<'_>) -> Option<Finding> {
    let image = &provisioner.container.image;
    let registry = images::frozen_registry(image)?.trim_end_matches(['/', '-']);
    let cause = format!("the provisioner's image comes from {registry}, which is deprecated");
    let finding = provisioner.finding("NFS306", cause).with_field("image", image);
    Some(match images::replacement_image(image) {
        Some(location) => finding.with_change(
            provisioner.set_image(location),
            "the same image in its current registry",
        ),
        None => {
            finding.with_advice("check in which registry its project publishes images now, or what has replaced it")
        }
    })
}
