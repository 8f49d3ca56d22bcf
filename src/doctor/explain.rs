//! The catalogue (PURE, data): every code with its severity, what it means, and what to do.

use super::Severity::{self, Error, Info, Warning};

/// A code of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As `NFS101`.
    pub code: &'static str,
    /// How bad it is, unless a check has a reason to say otherwise.
    pub severity: Severity,
    /// Whether a program may mend it after asking.
    pub automatic: bool,
    /// Whether it is what others of the same objects look like, rather than a cause.
    pub symptom: bool,
    /// What is needed to check it, as the API calls it.
    pub needs: &'static [&'static str],
    /// In a few words.
    pub title: &'static str,
    /// What it means, how it comes about, what to do.
    pub text: &'static str,
}

const fn entry(
    code: &'static str,
    severity: Severity,
    needs: &'static [&'static str],
    title: &'static str,
    text: &'static str,
) -> Entry {
    Entry {
        code,
        severity,
        automatic: false,
        symptom: false,
        needs,
        title,
        text,
    }
}

impl Entry {
    const fn automatic(mut self) -> Self {
        self.automatic = true;
        self
    }

    const fn symptom(mut self) -> Self {
        self.symptom = true;
        self
    }
}

/// The code of this name, in any case, with or without `NFS`.
pub fn find(code: &str) -> Option<&'static Entry> {
    let code = code.to_uppercase();
    let digits = code.strip_prefix("NFS").unwrap_or(&code);
    CATALOGUE
        .iter()
        .find(|entry| entry.code.strip_prefix("NFS") == Some(digits))
}

const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";
const CLASSES: &str = "storageclasses";
const PODS: &str = "pods";
const EVENTS: &str = "events";
const NODES: &str = "nodes";
const DEPLOYMENTS: &str = "deployments";
const SETS: &str = "statefulsets";
const DRIVERS: &str = "csidrivers";
const VERSION: &str = "version";
const NAMESPACES: &str = "namespaces";
const LEASES: &str = "leases";
const REVIEWS: &str = "subjectaccessreviews";
const THEIR_PODS: &str = "pods of provisioners";
const THEIR_EVENTS: &str = "events of provisioners";
const PV_EVENTS: &str = "events of PVs";

/// Hosts that are looked at over SSH.
pub const HOSTS: &str = "hosts of --ssh";

/// NFS exports that are asked from here.
pub const EXPORTS: &str = "some NFS exports";

/// All codes, in order.
pub static CATALOGUE: &[Entry] = &[
    entry("NFS001", Error, &[], "API unreachable", "The API server did not answer, so nothing was checked. Look at the URL in the message: is it the right context (kubectl config get-contexts), is the server up, is there a proxy in between?"),
    entry("NFS002", Warning, &[], "may not read something", "Whoever runs the doctor may not read what some checks need. These checks are left out, and listed as not checked; they have not passed. The fix is for whoever administers the cluster to run: it grants the user, and nobody else, the right to read what was refused, each thing where it is read; the one right to create is for SubjectAccessReviews, which are questions that nothing keeps. What was refused can hide more, so the next run may ask for further rights; it takes none away."),
    entry("NFS003", Info, &[], "distribution and version", "Which Kubernetes this is. It decides which fixes apply: selfLink can be brought back on 1.20 to 1.23 only; claims get a new default class by themselves from 1.26 on."),
    entry("NFS004", Error, &[CLAIMS, EVENTS, LEASES], "controller manager not working", "Claims are matched and handed to provisioners by the kube-controller-manager. It looks at every Pending claim each 15 seconds and writes an event. A claim that waits for ten minutes without a word, or a Lease kube-system/kube-controller-manager that nobody renews, means that it does not run. On kubeadm it is a static pod of the control plane nodes; on K3s and RKE2 it is part of the server process."),
    entry("NFS101", Error, &[CLAIMS, VOLUMES, CLASSES], "no class, and no default class", "The claim names no class, the cluster has no default class, and no PV without a class fits. Mark a class as the default. Up to Kubernetes 1.25 a claim gets the default class only when it is created, so it has to be deleted and created again; from 1.26 on it gets it later, too."),
    entry("NFS102", Error, &[CLAIMS, VOLUMES, CLASSES], "no PV fits", "The claim can only have a PV made by hand: it wants the class \"\", or one that no StorageClass object describes. No PV fits in all fields at once. The evidence ranks those that come near. The event, if there is any, speaks of a missing StorageClass, which misleads: static PVs need none."),
    entry("NFS103", Error, &[CLAIMS, VOLUMES, CLASSES], "class doesn't exist", "The claim names a class that no StorageClass describes and that no PV has. Either the name has a slip, or the class was never made."),
    entry("NFS104", Error, &[CLAIMS, VOLUMES, CLASSES], "the class' provisioner makes no volumes", "kubernetes.io/nfs never existed as a provisioner: Kubernetes can mount NFS and can't make volumes on it. kubernetes.io/no-provisioner is for PVs made by hand, of local storage as often as of NFS, and there are none. A class' provisioner can't be edited: the class has to be deleted and created again, which touches no volume."),
    entry("NFS105", Warning, &[CLASSES], "two default classes", "Kubernetes up to 1.25 refuses claims without a class while two classes are the default; newer versions take the newest. K3s marks its local-path again at every restart, unless it is started with --disable local-storage."),
    entry("NFS106", Error, &[CLAIMS, VOLUMES, CLASSES], "claim and PV differ in class", "A claim that names no class gets the default class when it is created, and then no longer fits the PV that it was made for. A claim for a PV without class has to say storageClassName: \"\"."),
    entry("NFS107", Error, &[CLAIMS, VOLUMES, CLASSES], "the PV is too small", "A claim gets a PV of at least its size. NFS does not enforce sizes: the PV's capacity is a promise, and can be raised if the export has the room."),
    entry("NFS108", Error, &[CLAIMS, VOLUMES, CLASSES], "access modes don't fit", "A PV must list every access mode that the claim asks for. On NFS all modes work, so the PV's list can be extended."),
    entry("NFS109", Error, &[CLAIMS, VOLUMES, CLASSES], "selector doesn't match", "The claim has a selector, and the PV lacks the labels. Provisioners that make volumes on demand refuse selectors altogether.").automatic(),
    entry("NFS110", Error, &[CLAIMS, VOLUMES, CLASSES], "volumeMode differs", "NFS holds files, not blocks: a claim with volumeMode: Block can't be served by it."),
    entry("NFS111", Error, &[CLAIMS, VOLUMES, CLASSES], "the PV is being deleted", "A PV that is being deleted is not given away, even if something still holds it. Create another one, with a directory of its own; one for the same directory shows the same data, so see first who still uses it."),
    entry("NFS112", Error, &[CLAIMS, VOLUMES, CLASSES], "the claim names a PV that doesn't exist", "spec.volumeName ties a claim to one PV. While there is none of that name, the claim waits without an event."),
    entry("NFS113", Error, &[CLAIMS, VOLUMES, CLASSES], "the PV is another claim's", "A PV's claimRef says whose it is. It is another claim, or an earlier claim of the same name: after that was deleted and created again it has another uid."),
    entry("NFS114", Warning, &[CLAIMS, VOLUMES, CLASSES], "only Released PVs fit", "A PV whose claim is gone stays Released until somebody decides what becomes of its data. nfsprov release makes it Available again."),
    entry("NFS115", Info, &[CLAIMS, CLASSES], "waiting for its first pod", "The class has volumeBindingMode: WaitForFirstConsumer: its volumes are made when a pod that uses the claim is scheduled. This is no fault."),
    entry("NFS116", Error, &[PODS, VOLUMES, NODES, EVENTS], "node affinity", "The PV may be used only on nodes that its nodeAffinity describes, and the pod can't go there. NFS is the same on every node, so that an NFS PV needs no node affinity; it can't be edited, and the PV has to be made again."),
    entry("NFS117", Error, &[CLAIMS, VOLUMES], "claim is Lost", "The PV that the claim was bound to was deleted. The data is still on the export. A PV of the same name for the same directory, without a claimRef, is bound to the claim again."),
    entry("NFS118", Info, &[PODS, EVENTS], "pod waits for unbound claims", "The scheduler waits until the pod's claims are Bound. Look for the claim's own finding.").symptom(),
    entry("NFS119", Error, &[PODS, CLAIMS], "the pod's claim doesn't exist", "The pod names a claim that is not there, or that is being deleted."),
    entry("NFS120", Error, &[PODS, EVENTS], "ReadWriteOncePod already in use", "A claim with the access mode ReadWriteOncePod serves one pod in the cluster, and another one has it."),
    entry("NFS121", Error, &[SETS, CLAIMS, EVENTS], "quota or limit", "The claim was never created: a ResourceQuota or LimitRange of the namespace refused it. Only the StatefulSet's events say so."),
    entry("NFS122", Error, &[SETS, CLAIMS], "the StatefulSet's claims are older than its template", "Claims of a StatefulSet outlive it. When it is created again with another class, the claims of the same names are still there, with the old class. The fix deletes the claim, which is Pending and holds nothing, and the pod, so that the StatefulSet makes both again.").automatic(),
    entry("NFS201", Error, &[CLAIMS, CLASSES, DEPLOYMENTS, EVENTS], "nobody serves the provisioner's name", "The class names a provisioner, and nothing in the cluster answers to that name: no workload has it as PROVISIONER_NAME, there is no CSIDriver and no event by it. nfsprov provision serves any name, once or with --watch; create provisioner runs it in the cluster."),
    entry("NFS202", Error, &[CLAIMS, CLASSES, DEPLOYMENTS], "class and provisioner differ in name", "The class' provisioner and the Deployment's PROVISIONER_NAME have to be the same, letter for letter. The examples of nfs-client-provisioner use fuseim.pri/ifs, those of nfs-subdir-external-provisioner use k8s-sigs.io/nfs-subdir-external-provisioner, and its Helm chart cluster.local/<release>-…. Which of the two is the wrong one is for people to say."),
    entry("NFS203", Error, &[CLASSES, DEPLOYMENTS, PODS, THEIR_PODS], "the provisioner doesn't run", "The workload that serves the class has no ready pod: it is scaled to nothing, crashes, can't be scheduled, or lacks NFS_SERVER, NFS_PATH or PROVISIONER_NAME.").automatic(),
    entry("NFS204", Error, &[DEPLOYMENTS, PODS, THEIR_PODS], "the provisioner's image can't be pulled", "The name or tag does not exist, or the registry is out of reach. A frequent slip: the Helm chart's version (v4.0.17) is no image's tag; the images are v4.0.0 to v4.0.2. Everything else depends on the registry, whose own words are in the finding.").automatic(),
    entry("NFS205", Error, &[DEPLOYMENTS, PODS, THEIR_PODS], "image for another processor", "exec format error: the image was built for another processor than the node's. The image of nfs-subdir-external-provisioner v4.0.2 is built for amd64, arm64 and arm.").automatic(),
    entry("NFS206", Error, &[DEPLOYMENTS, REVIEWS], "the provisioner lacks rights", "The provisioner's service account may not do what it has to. The fix grants what is missing, and nothing else. --fix never grants it: who may create volumes can reach the files of every node, so look first who can change the workload."),
    entry("NFS207", Error, &[DEPLOYMENTS, EVENTS, THEIR_EVENTS], "the provisioner's pod is refused", "An admission controller, such as PodSecurity, refuses the pod. Upstream's provisioner mounts NFS by itself; the restricted profile forbids nfs volumes."),
    entry("NFS208", Error, &[DEPLOYMENTS, PODS, EVENTS, THEIR_PODS, THEIR_EVENTS], "the provisioner can't mount its own export", "Upstream's provisioner makes directories in a mounted copy of the export. While its node can't mount that, its pod does not start. nfsprov speaks NFS itself and mounts nothing."),
    entry("NFS209", Error, &[CLAIMS, EVENTS], "the provisioner fails to make the volume", "The provisioner tried and failed; the evidence is its own message. Permission denied means that the server squashes root, or that the export is read-only."),
    entry("NFS210", Error, &[DEPLOYMENTS, LEASES], "the provisioner's lock is stale", "Replicas agree by a lock who serves. Here the lock names a holder that has not renewed it for long, so that nobody serves.").automatic(),
    entry("NFS211", Error, &[CLASSES, DRIVERS], "the NFS CSI driver is missing", "The class uses nfs.csi.k8s.io, and that driver is not installed, or not on all nodes. See the driver's own installation instructions."),
    entry("NFS212", Warning, &[DEPLOYMENTS], "two provisioners under one name", "Two workloads serve the same name. Their locks don't exclude each other, so a claim may be worked on twice."),
    entry("NFS301", Error, &[DEPLOYMENTS, VERSION], "the image needs selfLink, and this server sends none", "Kubernetes 1.20 stopped filling in metadata.selfLink. The client library in nfs-client-provisioner can't refer to a claim without it, logs \"selfLink was empty, can't make reference\" and does nothing; no event tells. Two ways out: an image that does not need it (nfs-subdir-external-provisioner, on every version), or, on 1.20 to 1.23 only, --feature-gates=RemoveSelfLink=false on every kube-apiserver. Prefer the image: from 1.24 on the API server refuses to start with the gate, so that it blocks the upgrade.\n\nThe gate on kubeadm goes into /etc/kubernetes/manifests/kube-apiserver.yaml on every control plane node:\n    - --feature-gates=RemoveSelfLink=false\nOn K3s it goes into /etc/rancher/k3s/config.yaml, followed by a restart of k3s, on every server node (RKE2: /etc/rancher/rke2/config.yaml, rke2-server):\n    kube-apiserver-arg: [\"feature-gates=RemoveSelfLink=false\"]\nA new installation of K3s takes it on the command line, as long as it is of 1.20 to 1.23:\n    curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.23.17+k3s1 sh -s - --kube-apiserver-arg \"feature-gates=RemoveSelfLink=false\"\nThen the provisioner has to be restarted. nfsprov doctor --fix --gate --ssh HOST (each server node) does all of it, and --gate --undo --ssh HOST takes it back.").automatic(),
    entry("NFS302", Error, &[DEPLOYMENTS, "pods/log"], "selfLink was empty", "The provisioner's log says so itself; see NFS301.").automatic(),
    entry("NFS303", Warning, &[NAMESPACES, VERSION], "RemoveSelfLink=false blocks the upgrade", "The API server is told to send selfLink. That works on 1.20 to 1.23; an API server of 1.24 or later refuses to start with it (\"cannot set feature gate RemoveSelfLink to false, feature is locked to true\"), and from 1.30 on it does not even know the name. Change the provisioner's image first, then remove the gate on every server node: from /etc/kubernetes/manifests/kube-apiserver.yaml and the ClusterConfiguration in kubeadm-config, or from /etc/rancher/k3s/config.yaml. nfsprov doctor --gate --undo --ssh HOST does so, for each server node that is named.\n\nIt came there by hand, by nfsprov doctor --fix --gate, or with the installation of K3s:\n    curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.23.17+k3s1 sh -s - --kube-apiserver-arg \"feature-gates=RemoveSelfLink=false\"\nwhich without a version installs today's K3s, whose API server does not start with it."),
    entry("NFS304", Error, &[NODES], "RemoveSelfLink=false on a version that refuses it", "A server node was started with the gate, and this version's API server does not start with it. Remove the gate before the next restart: nfsprov doctor --gate --undo --ssh HOST does so, whether an API server answers or not."),
    entry("NFS305", Warning, &[DEPLOYMENTS, VERSION], "the image will break at the upgrade to 1.20", "The image needs selfLink, which this version still sends and 1.20 does not.").automatic(),
    entry("NFS306", Warning, &[DEPLOYMENTS], "image from a frozen registry", "The registry gets no new images, or was for staging only, and may go away. The same provisioner is kept at registry.k8s.io.").automatic(),
    entry("NFS401", Error, &[PODS, EVENTS, HOSTS], "no NFS client on the node", "The node lacks mount.nfs. Install nfs-common (Debian, Ubuntu) or nfs-utils (others) on every node.").automatic(),
    entry("NFS402", Error, &[PODS, EVENTS, HOSTS], "access denied by the server", "The export does not allow the node's address, or the path is not exported. Compare exportfs -v on the server with the addresses of the nodes.").automatic(),
    entry("NFS403", Error, &[PODS, EVENTS, EXPORTS, HOSTS], "the path doesn't exist on the server", "The directory is not there, or, with NFSv4 and an export with fsid=0, it is named from that root."),
    entry("NFS404", Error, &[PODS, EVENTS, EXPORTS, HOSTS], "server unreachable", "The node gets no answer from the NFS server: it is down, a firewall drops TCP 2049, or there is no route."),
    entry("NFS405", Error, &[PODS, EVENTS], "NFS version not supported", "The server does not offer the version that the mount asks for. See mountOptions (nfsvers=…) of the PV and class."),
    entry("NFS406", Error, &[PODS, EVENTS], "stale file handle", "The directory was removed or replaced on the server while it was mounted. Start the pod again; if it stays, the node has to unmount the volume."),
    entry("NFS407", Error, &[PODS, EVENTS], "rpc.statd is not running", "NFSv3 needs rpc.statd on the node for locks. Start rpcbind and rpc-statd there, or mount NFSv4. The option nolock makes locks local, so that two nodes may write one file at once.").automatic(),
    entry("NFS408", Error, &[PODS, EVENTS, HOSTS], "the server's name doesn't resolve", "The node, not the cluster's DNS, has to resolve the server's name. Use an address, or a name that nodes know."),
    entry("NFS409", Error, &[PODS, EVENTS], "bad mount option", "mount.nfs does not know an option of the PV or its class."),
    entry("NFS410", Info, &[PODS, EVENTS], "volumes not mounted yet", "The kubelet waits for a pod's volumes. Look for the cause beside it.").symptom(),
    entry("NFS411", Warning, &[PODS, VOLUMES, HOSTS], "permissions", "Kubernetes does not change the group of in-tree NFS volumes, so fsGroup has no effect on them. The directory's owner, group and mode on the server count; a directory without x (chmod 666) can be entered by root only.").automatic(),
    entry("NFS412", Warning, &[PODS, VOLUMES], "pod stuck in Terminating", "The pod can't end while its node is not Ready, or while its NFS server does not answer. Both end by themselves: start the node or its kubelet, or bring the server back. Forcing (kubectl delete pod --grace-period=0 --force) only makes the cluster forget the pod. Its processes may go on and write to the volume, and a StatefulSet starts a second pod beside them; so it is a last resort, once nothing of the pod runs on the node any more."),
    entry("NFS501", Warning, &[VOLUMES], "Released, and stays so", "With the reclaim policy Retain a PV is kept when its claim goes, with its data and unusable. nfsprov release makes it Available again; the next claim then sees the data that is in it."),
    entry("NFS502", Warning, &[VOLUMES, EVENTS, PV_EVENTS], "Recycle is deprecated", "Recycle empties a volume with a pod of its own (recycler-for-…). It is deprecated, works for NFS and hostPath only, and leaves the PV unusable when that pod fails.").automatic(),
    entry("NFS503", Error, &[VOLUMES], "Delete on a PV made by hand", "Kubernetes has no deleter for NFS. When the claim goes, such a PV ends as Failed. Its policy has to be Retain.").automatic(),
    entry("NFS504", Warning, &[CLAIMS, PODS, VOLUMES], "being deleted while in use", "Claims that pods use, and PVs that claims use, are kept until these are gone. That is what protects the data."),
    entry("NFS505", Error, &[CLAIMS, VOLUMES, CLASSES], "a finalizer whose owner is gone", "An object that is being deleted waits until each of its finalizers is removed by whoever added it; the part before the slash is the owner's domain. A command that removes one is printed only for owners that are known to be gone: a provisioner that does not run any more, or a CSI driver that is not installed. Of others the finding names the owner: see whether it runs. While a snapshot or a backup is being made this is no fault."),
    entry("NFS506", Error, &[VOLUMES, DEPLOYMENTS], "Released, and its deleter is gone", "The PV is to be deleted by the provisioner that made it, and nobody serves that name any more."),
    entry("NFS507", Error, &[VOLUMES, CLASSES, EVENTS, PV_EVENTS], "its class was deleted", "nfs-subdir-external-provisioner reads the class when it deletes a volume, and fails without it. Create the class again under the same name. nfsprov records what it needs on the PV."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_and_in_order() {
        for written in ["NFS301", "nfs301", "301"] {
            assert_eq!(find(written).map(|entry| entry.code), Some("NFS301"), "{written}");
        }
        assert!(find("NFS999").is_none() && find("").is_none());
        assert!(CATALOGUE.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    /// Rights, classes, names, finalizers and API servers are not among them.
    #[test]
    fn few_findings_are_fixed_by_a_program() {
        let automatic = CATALOGUE.iter().filter(|entry| entry.automatic);
        let codes: Vec<&str> = automatic.map(|entry| entry.code).collect();
        assert_eq!(
            codes,
            [
                "NFS109", "NFS122", "NFS203", "NFS204", "NFS205", "NFS210", "NFS301", "NFS302", "NFS305", "NFS306",
                "NFS401", "NFS402", "NFS407", "NFS411", "NFS502", "NFS503",
            ]
        );
    }
}
