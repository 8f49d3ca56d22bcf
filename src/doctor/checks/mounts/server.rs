//! Mounts that fail for a reason on the server or in the volume: NFS402 to NFS406, NFS409, NFS418, NFS419 (PURE).

use super::{CauseAndFix, Failure, cause_and_advice};
use crate::doctor::entry::entries;

entries! {
    "NFS402" Error [PODS, EVENTS, HOSTS] "access denied by the server" automatic,
        "The export does not allow the node's address, or the path is not exported. Compare exportfs -v on the server with the addresses of the nodes.";
    "NFS403" Error [PODS, EVENTS, EXPORTS, HOSTS] "the path doesn't exist on the server",
        "The directory doesn't exist; or NFSv4 is used and the server has an export with fsid=0, below which all paths begin.";
    "NFS404" Error [PODS, EVENTS, EXPORTS, HOSTS] "server unreachable",
        "The node gets no answer from the NFS server: it is down, a firewall drops TCP 2049, or there is no route.";
    "NFS405" Error [PODS, EVENTS] "NFS version not supported",
        "The server does not offer the version that the mount requests. See mountOptions (nfsvers=…) of the PV and class.";
    "NFS406" Error [PODS, EVENTS] "stale file handle",
        "The directory was removed or replaced on the server while it was mounted. Start the pod again; if it stays, the node has to unmount the volume.";
    "NFS409" Error [PODS, EVENTS] "bad mount option",
        "mount.nfs does not know an option of the PV or its class.";
    "NFS418" Error [PODS, EVENTS] "a subPath can't be prepared",
        "The kubelet creates and opens a subPath as root. On an export that squashes root it has no permission for that, unless the directory exists and all users may enter it. Create the directory on the server with the right owner, or export with no_root_squash.";
    "NFS419" Error [PODS, EVENTS] "fsGroup can't be applied",
        "The kubelet or the CSI driver changes the group of every file of the volume as root. An export that squashes root does not permit that. Leave fsGroup out of the pod (or fsGroupChangePolicy: OnRootMismatch, with the group set on the server), set the driver's fsGroupPolicy to None, or export with no_root_squash.";
}

/// The cause and fix of a failure on the server or in the volume; `None` for codes of other failures.
pub fn describe_fault(failure: &Failure<'_>) -> Option<CauseAndFix> {
    let export = failure.export_text();
    let named = failure
        .named
        .as_deref()
        .filter(|named| *named != "(null)")
        .unwrap_or(&export);
    let (on, server) = (failure.node_text(), failure.server_name());
    let options = describe_options(failure);
    let uses_kerberos = failure.options.contains("sec=krb5");
    let has_double_slash = failure.export.as_ref().is_some_and(|(_, path)| path.contains("//"));
    Some(match failure.code {
        "NFS402" | "NFS403" if has_double_slash => cause_and_advice(
            format!("the path of {named} has a double slash, and the server exports no such path"),
            "create the PV again with single slashes in its path: spec.nfs of a PV can't be edited",
        ),
        "NFS402" | "NFS403" | "NFS404" | "NFS409" if server.contains('/') => cause_and_advice(
            format!("the PV's server {server} holds a path, and only a host name or an address belongs there"),
            "create the PV again with the host alone in spec.nfs.server, and the whole path in spec.nfs.path: neither can be edited",
        ),
        "NFS402" if uses_kerberos => cause_and_advice(
            format!("the server denies {on} access to the export {named} with Kerberos{options}"),
            format!(
                "see that rpc.gssd runs on {on} and that it has a key (/etc/krb5.keytab), and that the export has this sec= and admits the address of {on}"
            ),
        ),
        "NFS402" if failure.own_server().is_some() => cause_and_advice(
            format!("access to {named} is denied, which a program on {on} itself passes on to the server"),
            "see that program's log (of a driver that mounts with tls, as efs-utils) and the access policy of the file system",
        ),
        "NFS402" if failure.is_served_by_provisioner => cause_and_advice(
            format!("the server denies {on} access to the export {named}"),
            "the volume's provisioner is the NFS server itself: see its log; if it was started again without a volume of its own, it has lost its exports and their data",
        ),
        "NFS402" => cause_and_advice(
            format!("the server denies {on} access to the export {named}"),
            match [".core.windows.net", ".amazonaws.com"]
                .iter()
                .any(|cloud| server.ends_with(cloud))
            {
                true => format!(
                    "let the share's network rules (firewall, private endpoint, security group) admit {on}; Azure Files also needs \"secure transfer required\" off"
                ),
                false => {
                    format!("let the export admit the address of {on}: on a Linux server, compare it with exportfs -v")
                }
            },
        ),
        "NFS403" => cause_and_advice(
            format!("{named} doesn't exist on the server, or has another path"),
            "create the directory on the server, or use the path of an existing one (showmount -e)",
        ),
        "NFS404" => {
            let why = match failure.is_timeout() {
                true => "no answer in time",
                false => failure.named.as_deref().unwrap_or("no answer"),
            };
            let cause = format!("the NFS server {server} can't be reached from {on}: {why}");
            match failure.own_server() {
                Some(own) => cause_and_advice(
                    format!("{cause}; {own} is the node itself, on each node another"),
                    "name the server by an address that every node reaches: the server of a PV can't be edited, so create the PV again",
                ),
                None => cause_and_advice(
                    cause,
                    format!(
                        "is the NFS server on {server} up, and does its firewall let TCP 2049 (for NFSv3 also rpcbind, 111) in from {on}?"
                    ),
                ),
            }
        }
        "NFS405" if failure.named.is_some() => cause_and_advice(
            format!("{on} does not have the network protocol with which {export} is to be mounted{options}: {named}"),
            "take proto=… (tcp6, udp6, rdma) and nfsvers=… out of the mount options of PV and class, or use a node whose kernel has them",
        ),
        "NFS405" => cause_and_advice(
            format!("the server of {export} does not offer the NFS version that the mount requests{options}"),
            "take nfsvers=… and proto=… (udp) out of the mount options of PV and class, or have the server offer them",
        ),
        "NFS406" => cause_and_advice(
            format!("{export} was removed or replaced on the server while it was mounted"),
            match failure.node {
                "" => "delete the provisioner's pod, so that the export is mounted again".to_owned(),
                _ => format!(
                    "delete the pods that use it on {on}, so that it is mounted again; if the next one fails alike, unmount it there (umount -l)"
                ),
            },
        ),
        "NFS409" if failure.named.is_some() => cause_and_advice(
            format!("{on} can't mount {export}: mount.nfs wants SERVER:PATH, with a path that begins with /"),
            "create the PV again with a server and a path that begins with / (the CSI driver's share): neither can be edited",
        ),
        "NFS409" if uses_kerberos => cause_and_advice(
            format!("{on} can't mount {export} with Kerberos{options}"),
            format!("see that rpc.gssd runs on {on}, and that it has a key (/etc/krb5.keytab)"),
        ),
        "NFS409" => cause_and_advice(
            format!("mount.nfs does not know a mount option of the volume{options}"),
            "see mountOptions of the PV and its class",
        ),
        "NFS418" if named == "not a directory" => cause_and_advice(
            format!(
                "the pod's subPath on {export} is a directory, and is mounted where the image has a file, or the reverse"
            ),
            "make it a file on the server (the kubelet creates a missing subPath as a directory), or mount a directory at a directory",
        ),
        "NFS418" if failure.named.is_some() && !is_denied(named) => cause_and_advice(
            format!("the kubelet can't prepare the pod's subPath on {export}: {named}"),
            "remove what the message names on the server (a full disk, an export that is ro, a file in the way), or create the subPath's directory there",
        ),
        "NFS418" => cause_and_advice(
            format!(
                "the kubelet can't prepare the pod's subPath on {export}: it does so as root, and the export squashes root"
            ),
            "create the directory of the subPath on the server, with x for all users on each directory above it; or export with no_root_squash",
        ),
        "NFS419" if failure.named.is_some() && !is_denied(named) => cause_and_advice(
            format!("the pod's fsGroup can't be applied on {export}: {named}"),
            match named.contains("no such file") {
                true => {
                    "the driver mounted the volume elsewhere than the kubelet looks for it: install the driver with the kubelet's own directory (kubeletDir of its chart)"
                }
                false => "see what the message names on the server; or leave fsGroup out of the pod",
            },
        ),
        "NFS419" => cause_and_advice(
            format!("the pod's fsGroup can't be applied on {export}: it is done as root, and the export squashes root"),
            "leave fsGroup out of the pod and set the group on the server; or fsGroupPolicy: None in the CSIDriver; or export with no_root_squash",
        ),
        _ => return None,
    })
}

/// Whether words are those of a missing permission.
fn is_denied(words: &str) -> bool {
    ["ermission denied", "peration not permitted"]
        .iter()
        .any(|denial| words.contains(denial))
}

/// The mount options as a clause in brackets, which begins with a space; empty if they are unknown.
fn describe_options(failure: &Failure<'_>) -> String {
    match failure.options.as_str() {
        "" => String::new(),
        options => format!(" (-o {options})"),
    }
}
