//! Mounts that fail for a reason on the node: NFS401, NFS407, NFS408, NFS414 to NFS417 (PURE).

use super::{Description, Failure};
use crate::doctor::Fix;
use crate::doctor::Severity::Error;
use crate::doctor::checks::Case;
use crate::doctor::checks::hosts::on_node;
use crate::doctor::explain::{EVENTS, Entry, HOSTS, PODS, entry};
use crate::doctor::facts::{Container, Node};
use crate::doctor::fix::{Change, HostChange};
use crate::doctor::images::is_nfs_csi_driver;
use crate::doctor::names::word;
use crate::doctor::provisioners::NFS_CSI;

pub const ENTRIES: &[Entry] = &[
    entry("NFS401", Error, &[PODS, EVENTS, HOSTS], "no NFS client on the node", "The node lacks mount.nfs. Install nfs-common (Debian, Ubuntu) or nfs-utils (others) on every node.").automatic(),
    entry("NFS407", Error, &[PODS, EVENTS], "rpc.statd is not running", "NFSv3 needs rpc.statd on the node for locks. Start rpcbind and rpc-statd there, or mount NFSv4. The option nolock makes locks local, so that two nodes may write one file at once.").automatic(),
    entry("NFS408", Error, &[PODS, EVENTS, HOSTS], "the server's name doesn't resolve", "The node, not the cluster's DNS, has to resolve the server's name. Use an address, or a name that nodes know."),
    entry("NFS414", Error, &[PODS, EVENTS], "the node mounts with busybox", "The node's mount is busybox, which does not call mount.nfs and knows NFSv3 without locks at best. K3s uses its own busybox if it was started with --prefer-bundled-bin, k3d nodes have nothing else. Install an NFS client on the node and have the kubelet use the node's own mount."),
    entry("NFS415", Error, &[PODS, EVENTS], "the node may not mount", "The kernel refused the mount itself. On the nodes of SELinux distributions the boolean virt_use_nfs lets containers use NFS; a kubelet or CSI driver in a container without CAP_SYS_ADMIN may not mount at all; and a server may want a privileged source port, which a mount from a user namespace or through NAT does not have."),
    entry("NFS416", Error, &[PODS, EVENTS], "the node's kernel has no NFS", "The kernel module nfs (nfsv3, nfsv4) is missing, as on minimal operating systems, in WSL and in LXC containers, whose host has to load it."),
    entry("NFS417", Error, &[PODS, EVENTS], "an IPv6 server without brackets", "Kubelets before 1.22 write an IPv6 server into the mount command without brackets, and mount.nfs takes what stands before the first colon for a name. A host name with an AAAA record works, or a newer kubelet."),
];

/// Whether a failure is the node's, rather than the volume's or the server's.
pub fn is_at_fault(code: &str) -> bool {
    matches!(
        code,
        "NFS211" | "NFS401" | "NFS407" | "NFS408" | "NFS414" | "NFS415" | "NFS416"
    )
}

/// Whether the kubelet of a node writes IPv6 servers without brackets.
pub fn is_old(case: &Case<'_>, node: &str) -> bool {
    let kubelet = case.facts.nodes.iter().find(|one| one.name == node);
    let version = kubelet.map_or(case.facts.version.as_str(), |node| &node.kubelet);
    let minor = version
        .trim_start_matches("v1.")
        .split(|c: char| !c.is_ascii_digit())
        .next();
    minor
        .and_then(|minor| minor.parse().ok())
        .is_some_and(|minor: u32| minor < 22)
}

pub fn describe(case: &Case<'_>, failure: &Failure<'_>) -> Option<Description> {
    let (node, on) = (failure.node, failure.node());
    let known = case.facts.nodes.iter().find(|known| known.name == node);
    let named = failure.named.clone().unwrap_or_default();
    Some(match failure.code {
        "NFS401" => no_client(case, node, known),
        "NFS407" => {
            let cause = format!("rpc.statd does not run on {on}, and NFSv3 locks need it");
            let v4 = "mount NFSv4, which needs no rpc.statd: nfsvers=4.1 in the mountOptions of the PV and its class; not nolock, with which two nodes may write one file at once";
            match known.is_some_and(is_without_shell) || node.is_empty() {
                true => Description::new(cause, v4),
                false => {
                    let host = on_node(case, node).unwrap_or(node).to_owned();
                    let change = HostChange::EnableStatd;
                    let change = Change::OnHost { host, change };
                    Description::new(cause, "").with_fix(Fix::changes([change], format!("or {v4}")))
                }
            }
        }
        "NFS408" => Description::new(
            format!("{on} can't resolve the server's name {named}"),
            "name the server by its IP address, or by a name that the node itself resolves: a node does not ask the cluster's DNS",
        ),
        "NFS414" => Description::new(
            format!(
                "{on} mounts with busybox, which can't mount NFS as mount.nfs does: {}",
                failure.place()
            ),
            "install an NFS client on the node (nfsprov setup-client NODE); start K3s without --prefer-bundled-bin; nodes of k3d need an image with nfs-utils",
        ),
        "NFS415" => Description::new(
            format!("{on} is not permitted to mount {}: {named}", failure.place()),
            "where SELinux is enforcing: setsebool -P virt_use_nfs 1 on the node; a kubelet or CSI driver that runs in a container needs the right to mount (privileged); a server may want a privileged source port (its export option insecure lifts that)",
        ),
        "NFS416" => Description::new(
            format!("the kernel of {on} can't mount NFS: {named}"),
            "load the kernel module there (modprobe nfs nfsv4), or use an operating system whose kernel has it; for an LXC container the host has to load it",
        ),
        "NFS417" => Description::new(
            format!(
                "{on} can't mount from the IPv6 server {}: its kubelet, older than 1.22, leaves out the brackets",
                failure.server()
            ),
            "give the PV a host name of the server (with an AAAA record, which the node resolves), or a newer kubelet to the node",
        ),
        "NFS211" if waits_for_attachment(failure, case) => describe_attachment(case),
        "NFS211" => not_registered(case, node, known),
        _ => return None,
    })
}

/// Operating systems that are changed as a whole, not by a package manager on a running node.
fn is_without_shell(node: &Node) -> bool {
    let os = node.os.to_lowercase();
    [
        "talos",
        "bottlerocket",
        "container-optimized",
        "flatcar",
        "kairos",
        "rancheros",
    ]
    .iter()
    .any(|name| os.contains(name))
}

fn no_client(case: &Case<'_>, node: &str, known: Option<&Node>) -> Description {
    let os = known.map(|one| one.os.to_lowercase()).unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|name| os.contains(name));
    let cause = match node {
        "" => "the provisioner's node has no NFS client".to_owned(),
        node => format!("node {node} has no NFS client"),
    };
    if known.is_some_and(is_without_shell) || node.is_empty() {
        let note = "the operating system is changed by its image or configuration: use an image or extension with an NFS client (nfs-utils)";
        return Description::new(cause, note);
    }
    let command = if is(&["microos", "leap micro", "sle micro", "sl-micro"]) {
        "sudo transactional-update --non-interactive pkg install nfs-client"
    } else if is(&["coreos", "silverblue", "iot edition"]) {
        "sudo rpm-ostree install --apply-live nfs-utils"
    } else if is(&["suse", "sles"]) {
        "sudo zypper -n install nfs-client"
    } else if is(&["alpine"]) {
        "sudo apk add nfs-utils"
    } else if is(&["arch linux", "manjaro"]) {
        "sudo pacman -S --noconfirm nfs-utils"
    } else if is(&[
        "red hat",
        "centos",
        "rocky",
        "alma",
        "fedora",
        "oracle",
        "amazon",
        "azure linux",
        "mariner",
        "euler",
        "kylin",
        "anolis",
    ]) {
        "sudo yum -y install nfs-utils"
    } else if is(&["ubuntu", "debian", "raspbian", "mint", "deepin", "uos"]) || os.is_empty() {
        "sudo apt-get -y install nfs-common"
    } else {
        let note = "install the package with mount.nfs: nfs-common (Debian, Ubuntu), nfs-utils (most others)";
        return Description::new(cause, note);
    };
    let note = match command.contains("transactional-update") {
        true => "on every node; then restart the node, which starts with the new packages",
        false => "on every node; as root or with sudo",
    };
    Description::new(cause, "").with_fix(match on_node(case, node) {
        Some(host) => {
            let (host, change) = (host.to_owned(), HostChange::InstallClient);
            Fix::changes([Change::OnHost { host, change }], note)
        }
        None => Fix::command(format!("ssh {} {command}", word(node)), note),
    })
}

/// Whether Kubernetes waits for the volume to be attached, which the NFS CSI driver never does.
pub fn waits_for_attachment(failure: &Failure<'_>, case: &Case<'_>) -> bool {
    let named = failure.named.as_deref().unwrap_or_default();
    named.ends_with(NFS_CSI) && named != NFS_CSI && case.facts.knows("csidrivers")
}

fn describe_attachment(case: &Case<'_>) -> Description {
    let is_there = case.facts.csi_drivers.iter().any(|driver| driver == NFS_CSI);
    let why = if is_there {
        "lacks attachRequired: false"
    } else {
        "is missing"
    };
    Description::new(
        format!(
            "Kubernetes waits until the volume is attached, which the NFS CSI driver never does: its CSIDriver object {why}"
        ),
        format!(
            "create the CSIDriver {NFS_CSI} as the driver's own installation does, with attachRequired: false; the pods then go on by themselves"
        ),
    )
}

/// The NFS CSI driver is not registered with a node's kubelet.
pub fn not_registered(case: &Case<'_>, node: &str, known: Option<&Node>) -> Description {
    let is_driver = |container: &Container| is_nfs_csi_driver(&container.image);
    let there = case.facts.pods.iter().filter(|pod| pod.node == node && !pod.over());
    let mut there = there.filter(|pod| pod.containers.iter().any(is_driver));
    let Some(pod) = there.next() else {
        let mut sets = case
            .facts
            .workloads
            .iter()
            .filter(|workload| workload.kind == "DaemonSet");
        let set = sets.find(|workload| workload.containers.iter().any(is_driver));
        let set = set.map_or("the driver's DaemonSet".to_owned(), |set| set.object().title());
        return Description::new(
            format!("the CSI driver for NFS is not on node {node}"),
            format!(
                "see why {set} has no running pod there: compare its nodeSelector and tolerations with the node's labels and taints"
            ),
        );
    };
    if !pod.ready {
        let title = pod.object().title();
        let state = pod
            .stopped
            .first()
            .map(|stopped| format!(": {} {}", stopped.reason, stopped.message));
        return Description::new(
            format!(
                "the CSI driver's {title}, which serves node {node}, is not ready{}",
                state.unwrap_or_default().trim_end()
            ),
            format!(
                "see kubectl -n {} describe pod {}, and its log",
                word(&pod.namespace),
                word(&pod.name)
            ),
        );
    }
    let label = |key: &str| known.is_some_and(|node| node.labels.keys().any(|label| label.starts_with(key)));
    let kubelet = known.map(|node| node.kubelet.as_str()).unwrap_or_default();
    let directory = match () {
        () if label("microk8s.io/") => "/var/snap/microk8s/common/var/lib/kubelet",
        () if kubelet.contains("k0s") => "/var/lib/k0s/kubelet",
        () => "the node's own, as its --root-dir says",
    };
    Description::new(
        format!(
            "the CSI driver's pod runs on node {node}, and its kubelet does not know the driver: the kubelet's directory is not the one that the driver registers in"
        ),
        format!("install the driver with that directory: helm upgrade … --set kubeletDir={directory}"),
    )
}
