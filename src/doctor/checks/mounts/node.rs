//! Mounts that fail for a reason on the node: NFS401, NFS407, NFS408, NFS414 to NFS417 (PURE).

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{CauseAndFix, Failure, cause_and_advice};
use crate::change::{Change, HostChange};
use crate::cluster::images::is_nfs_csi_driver;
use crate::cluster::provisioners::NFS_CSI;
use crate::cluster::snapshot::{Container, Event, Node, Pod, Workload};
use crate::doctor::checks::commands::object_argument;
use crate::doctor::checks::hosts::find_host_of_node;
use crate::doctor::checks::{View, refusals};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Fix, Severity};

entries! {
    "NFS401" Error [PODS, EVENTS, HOSTS] "no NFS client on the node" automatic,
        "The node lacks mount.nfs. Install nfs-common (Debian, Ubuntu) or nfs-utils (others) on every node.";
    "NFS407" Error [PODS, EVENTS] "rpc.statd is not running" automatic,
        "NFSv3 needs rpc.statd on the node for locks. Start rpcbind and rpc-statd on the node, or mount NFSv4. With the option nolock, locks are local, so that two nodes may write to a file at the same time.";
    "NFS408" Error [PODS, EVENTS, HOSTS] "the server's name doesn't resolve",
        "The node, not the cluster's DNS, has to resolve the server's name. Use an address, or a name that nodes know.";
    "NFS414" Error [PODS, EVENTS] "the node mounts with busybox",
        "The node's mount is busybox, which does not call mount.nfs and supports at best NFSv3 without locks. K3s uses its own busybox if it was started with --prefer-bundled-bin, k3d nodes have no other mount. Install an NFS client on the node and have the kubelet use the node's own mount.";
    "NFS415" Error [PODS, EVENTS] "the node may not mount",
        "The kernel refused the mount itself. On the nodes of SELinux distributions the boolean virt_use_nfs lets containers use NFS; a kubelet or CSI driver in a container without CAP_SYS_ADMIN may not mount at all; and a server may require a privileged source port, which a mount from a user namespace or through NAT does not have.";
    "NFS416" Error [PODS, EVENTS] "the node's kernel has no NFS",
        "The kernel module nfs (nfsv3, nfsv4) is missing, as on minimal operating systems, in WSL and in LXC containers, whose host has to load it.";
    "NFS417" Error [PODS, EVENTS] "an IPv6 server without brackets",
        "Kubelets before 1.22 write an IPv6 server into the mount command without brackets, and mount.nfs takes the part before the first colon for a host name. Use a host name with an AAAA record, or a newer kubelet.";
}

/// How long a CSI driver may take to register with the kubelet after its containers have started.
const REGISTERING: SignedDuration = SignedDuration::from_mins(1);

/// Whether a finding of this code is about the node, rather than the volume or the pod. NFS417 is not: its fix is a
/// change of the PV.
pub fn is_finding_about_node(code: &str) -> bool {
    matches!(
        code,
        "NFS211" | "NFS401" | "NFS407" | "NFS408" | "NFS414" | "NFS415" | "NFS416"
    )
}

/// Whether the kubelet of a node is older than 1.22, which writes IPv6 servers without brackets. An unknown node counts
/// as having the API server's version, a version that can't be parsed as new.
pub fn has_old_kubelet(view: &View<'_>, node: &str) -> bool {
    let node = view.cluster.find_node(node);
    let version = node.map_or(view.cluster.version.as_str(), |node| &node.kubelet);
    let mut minor = version.trim_start_matches("v1.").split(|c: char| !c.is_ascii_digit());
    let minor: Option<u32> = minor.next().and_then(|minor| minor.parse().ok());
    minor.is_some_and(|minor| minor < 22)
}

/// The cause and fix of a failure on a node; `None` for codes of other failures.
pub fn describe_fault(view: &View<'_>, failure: &Failure<'_>) -> Option<CauseAndFix> {
    let (node, on, export) = (failure.node, failure.node_text(), failure.export_text());
    let named = failure.named.clone().unwrap_or_default();
    Some(match failure.code {
        "NFS401" => describe_missing_client(view, failure),
        "NFS407" => {
            let cause = format!("rpc.statd does not run on {on}, and NFSv3 locks of {export} need it");
            let v4 = "mount NFSv4, which needs no rpc.statd: nfsvers=4.1 in the mountOptions of the PV and its class; not nolock, with which two nodes may write to a file at the same time";
            match is_immutable(view, node) {
                true => cause_and_advice(cause, v4),
                false => {
                    let change = change_on_node(view, node, HostChange::EnableStatd);
                    (cause, Fix::of_changes([change], format!("or {v4}")))
                }
            }
        }
        "NFS408"
            if !named
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_:[]%".contains(c)) =>
        {
            cause_and_advice(
                format!(
                    "{named} is no host name, so that {on} can't mount {export}: the PV's server was filled in wrongly"
                ),
                "create the PV again with the server's name or address: the server of a PV can't be edited",
            )
        }
        "NFS408" => cause_and_advice(
            format!("{on} can't resolve the server's name {named}"),
            "name the server by its IP address, or by a name that the node itself resolves: a node does not ask the cluster's DNS",
        ),
        "NFS414" => cause_and_advice(
            format!("{on} mounts with busybox, which can't mount NFS as mount.nfs does: {export}"),
            "install an NFS client on the node (nfsprov setup-client NODE); start K3s without --prefer-bundled-bin; nodes of k3d need an image with nfs-utils",
        ),
        "NFS415" => cause_and_advice(
            format!("{on} is not permitted to mount {export}: {named}"),
            format!(
                "{}a kubelet or CSI driver that runs in a container needs the permission to mount (privileged); a server may require a privileged source port, unless the export has the option insecure",
                match may_have_selinux(view, node) {
                    true => "where SELinux is enforcing: setsebool -P virt_use_nfs 1 on the node; ",
                    false => "",
                }
            ),
        ),
        "NFS416" if view.cluster.find_node(node).is_some_and(Node::is_windows) => describe_windows(node),
        "NFS416" => cause_and_advice(
            format!("the kernel of {on} can't mount NFS: {named}"),
            "load the kernel module there (modprobe nfs nfsv4), or use an operating system whose kernel has it; for an LXC container the host has to load it",
        ),
        "NFS417" => cause_and_advice(
            format!(
                "{on} can't mount from the IPv6 server {}: its kubelet, older than 1.22, leaves out the brackets",
                failure.server_name()
            ),
            "give the PV a host name of the server (with an AAAA record, which the node resolves), or a newer kubelet to the node",
        ),
        "NFS211" if waits_for_attachment(failure, view) => describe_attachment(view),
        "NFS211" => describe_unregistered_driver(view, driver_of(failure), node),
        _ => return None,
    })
}

/// NFS416 and NFS211 on a node with Windows.
fn describe_windows(node: &str) -> CauseAndFix {
    cause_and_advice(
        format!("node {node} runs Windows, where neither Kubernetes nor csi-driver-nfs can mount NFS"),
        "have the pod run on Linux: nodeSelector kubernetes.io/os: linux",
    )
}

/// Whether SELinux may be enforcing on a node: not if its operating system is one that comes without it.
fn may_have_selinux(view: &View<'_>, node: &str) -> bool {
    const WITHOUT: [&str; 6] = ["ubuntu", "debian", "raspbian", "alpine", "buildroot", "docker desktop"];
    let os = view.cluster.find_node(node).map(|node| node.os.to_lowercase());
    !os.is_some_and(|os| WITHOUT.iter().any(|name| os.contains(name)))
}

/// Whether packages can't be installed on a node: its operating system is replaced as a whole, or its name is empty. A
/// node that was not read counts as one where they can.
fn is_immutable(view: &View<'_>, node: &str) -> bool {
    const IMMUTABLE: [&str; 11] = [
        "buildroot",
        "docker desktop",
        "k3os",
        "nixos",
        "ubuntu core",
        "talos",
        "bottlerocket",
        "container-optimized",
        "flatcar",
        "kairos",
        "rancheros",
    ];
    let os = view.cluster.find_node(node).map(|node| node.os.to_lowercase());
    node.is_empty() || os.is_some_and(|os| IMMUTABLE.iter().any(|name| os.contains(name)))
}

/// NFS401: the fix is what `setup-client` does, which knows the packages of distributions; only advice where packages
/// can't be installed.
fn describe_missing_client(view: &View<'_>, failure: &Failure<'_>) -> CauseAndFix {
    let cause = format!("{} has no NFS client", failure.node_text());
    if is_immutable(view, failure.node) {
        let os = view.cluster.find_node(failure.node).map(|node| node.os.as_str());
        let os = os.filter(|os| !os.is_empty()).unwrap_or("the operating system");
        let note = format!(
            "{os} is changed by its image or configuration, and a kubelet in a container has the client of its own image: use an image or extension with an NFS client (nfs-utils)"
        );
        return cause_and_advice(cause, note);
    }
    let note = "on every node; installs mount.nfs, which is in nfs-common (Debian, Ubuntu), nfs-client (SUSE) or nfs-utils (others)";
    let change = change_on_node(view, failure.node, HostChange::InstallClient);
    (cause, Fix::of_changes([change], note))
}

/// A change on a node, by the target of `--ssh` if it is one, else by its own name; `NAME` if no object can have that.
fn change_on_node(view: &View<'_>, node: &str, change: HostChange) -> Change {
    let host = find_host_of_node(view, node).map_or_else(|| object_argument(node), str::to_owned);
    Change::OnHost { host, change }
}

/// Whether, by the failure's message, Kubernetes waits for the volume to be attached, which the NFS CSI driver never
/// does. False if CSIDrivers were not read.
pub fn waits_for_attachment(failure: &Failure<'_>, view: &View<'_>) -> bool {
    let named = failure.named.as_deref().unwrap_or_default();
    named.ends_with(NFS_CSI) && named != NFS_CSI && view.cluster.was_read("csidrivers")
}

/// NFS211: the CSIDriver object is missing; if it exists, it must lack `attachRequired: false`, a field that the doctor
/// does not read. CSIDrivers must have been read.
fn describe_attachment(view: &View<'_>) -> CauseAndFix {
    let why = match view.cluster.csi_drivers.iter().any(|driver| driver == NFS_CSI) {
        true => "lacks attachRequired: false",
        false => "is missing",
    };
    cause_and_advice(
        format!(
            "Kubernetes waits until the volume is attached, which the NFS CSI driver never does: its CSIDriver object {why}"
        ),
        format!(
            "create the CSIDriver {NFS_CSI} as the driver's installation does, with attachRequired: false; the pods then continue by themselves"
        ),
    )
}

/// The driver that a message about a missing one names, by its socket if it names no more; else that of csi-driver-nfs.
pub fn driver_of<'a>(failure: &'a Failure<'_>) -> &'a str {
    let named = failure.named.as_deref().unwrap_or(NFS_CSI);
    let socket = named.rsplit_once('/').filter(|(_, file)| file.ends_with(".sock"));
    let path = socket.map_or(named, |(directory, _)| directory);
    let directory = path.rsplit(['/', ' ']).next().unwrap_or(path);
    if directory.contains('.') { directory } else { NFS_CSI }
}

/// Whether a container belongs to this CSI driver, by its image or, for other drivers than csi-driver-nfs, its arguments
/// and variables.
fn is_part_of(driver: &str, container: &Container) -> bool {
    let mut values = container.args.iter().chain(container.env.values().flatten());
    match driver {
        NFS_CSI => is_nfs_csi_driver(&container.image) || values.any(|value| value.contains("csi-nfsplugin")),
        _ => values.any(|value| value.contains(driver)),
    }
}

/// The DaemonSets of a CSI driver, and their pods that haven't ended.
fn find_driver_pods<'a>(view: &View<'a>, driver: &str) -> (Vec<&'a Workload>, Vec<&'a Pod>) {
    let has_driver = |workload: &&Workload| {
        workload.kind == "DaemonSet" && workload.containers.iter().any(|one| is_part_of(driver, one))
    };
    let sets: Vec<&Workload> = view.cluster.workloads.iter().filter(has_driver).collect();
    let is_own = |pod: &&Pod| !pod.has_ended() && sets.iter().any(|set| set.owns(pod));
    let own = view.cluster.pods.iter().filter(is_own).collect();
    (sets, own)
}

/// Whether a driver's pod was created, or its containers were started, within the last minute.
fn is_starting(view: &View<'_>, pod: &Pod) -> bool {
    let is_recent = |time: Option<Timestamp>| time.is_some() && !view.has_elapsed(time, REGISTERING);
    is_recent(pod.created) || pod.ready && is_recent(pod.started)
}

/// The severity of NFS211 about a node: a warning while the driver's pod there is starting.
pub fn severity_of_unregistered(view: &View<'_>, driver: &str, node: &str) -> Severity {
    let (_, own) = find_driver_pods(view, driver);
    match own.iter().any(|pod| pod.node == node && is_starting(view, pod)) {
        true => Severity::Warning,
        false => Severity::Error,
    }
}

/// NFS211: a CSI driver for NFS is not registered with a node's kubelet, because its pod is missing, not ready, or
/// registers in another directory.
pub fn describe_unregistered_driver(view: &View<'_>, driver: &str, node: &str) -> CauseAndFix {
    let name = match driver {
        NFS_CSI => "the CSI driver for NFS".to_owned(),
        other => format!("the CSI driver {other}"),
    };
    if view.cluster.find_node(node).is_some_and(Node::is_windows) {
        return describe_windows(node);
    }
    let (sets, own) = find_driver_pods(view, driver);
    let Some(pod) = own.iter().find(|pod| pod.node == node) else {
        let (why, advice) = find_absence(view, &sets, &own, node);
        return cause_and_advice(format!("{name} is not on node {node}{why}"), advice);
    };
    if is_starting(view, pod) {
        return cause_and_advice(
            format!("{name} started on node {node} within the last minute, and is not registered there yet"),
            "run the doctor again in a minute",
        );
    }
    if !pod.ready {
        let title = pod.object().title();
        let stopped = pod.stopped.first();
        let failed = view.find_event(&pod.object(), |event| event.reason == "FailedMount");
        let words = failed.map(|event| messages::extract_root_error(&event.message));
        let state = stopped.map(|stopped| {
            let words = words.filter(|_| stopped.message.is_empty());
            let words = words.as_deref().unwrap_or(&stopped.message);
            format!(": container {}: {} {words}", stopped.container, stopped.reason)
        });
        return cause_and_advice(
            format!(
                "{name} does not serve node {node}: its {title} is not ready{}",
                state.unwrap_or_default().trim_end()
            ),
            format!("see {}, and its log", pod.object().kubectl_command("describe")),
        );
    }
    let known = view.cluster.find_node(node);
    let has_label = |key: &str| known.is_some_and(|node| node.labels.keys().any(|label| label.starts_with(key)));
    let kubelet = known.map(|node| node.kubelet.as_str()).unwrap_or_default();
    let directory = match () {
        () if has_label("microk8s.io/") => "/var/snap/microk8s/common/var/lib/kubelet",
        () if kubelet.contains("k0s") => "/var/lib/k0s/kubelet",
        () => "the node's own, as its --root-dir says",
    };
    let option = if driver == NFS_CSI {
        " (kubeletDir of its chart)"
    } else {
        ""
    };
    cause_and_advice(
        format!(
            "{name} runs on node {node}, and the node's kubelet does not know it: most often the kubelet's directory is not the one that the driver registers in"
        ),
        format!(
            "install the driver with that directory{option}: {directory}; if it is right already, delete {}, so that it registers again",
            pod.object().title()
        ),
    )
}

/// Why DaemonSets, to which the pods `own` belong, have no pod on a node: a clause that begins with a colon, or empty if
/// it is not known, and what to do about it.
fn find_absence(view: &View<'_>, sets: &[&Workload], own: &[&Pod], node: &str) -> (String, String) {
    let is_refusal = |event: &Event| {
        event.reason == "FailedCreate" && messages::is_message_of("NFS207", MessageKind::Creation, &event.message)
    };
    let refused = sets.iter().find_map(|set| view.find_event(&set.object(), is_refusal));
    if let Some(event) = refused {
        return (
            format!(": its pods are refused: {}", event.message),
            refusals::describe_refusal(&event.message, true).1,
        );
    }
    let is_evicted =
        |pod: &&Pod| pod.node == node && !pod.why_failed.is_empty() && sets.iter().any(|set| set.owns(pod));
    if let Some(pod) = view.cluster.pods.iter().find(is_evicted) {
        let why = format!(": {} has failed: {}", pod.object().title(), pod.why_failed);
        return (
            why,
            "free the node of that condition; its pod is then created again".to_owned(),
        );
    }
    let mut for_node = own.iter().filter(|pod| pod.daemon_node == node);
    if let Some(pod) = for_node.find(|pod| !pod.unschedulable.is_empty()) {
        let why = format!(": {} is not scheduled: {}", pod.object().title(), pod.unschedulable);
        return (why, "free on the node what the scheduler misses there".to_owned());
    }
    let set = sets
        .first()
        .map_or("the driver's DaemonSet".to_owned(), |set| set.object().title());
    (
        String::new(),
        format!(
            "see why {set} has no running pod there: compare its nodeSelector and tolerations with the node's labels and taints"
        ),
    )
}
