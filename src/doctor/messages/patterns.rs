//! The patterns (data), each with texts that it has to match: those of Kubernetes 1.20 to current versions, mount.nfs,
//! busybox and the provisioners.

use super::Place::{self, Binding, Creation, Log, Mount, Provisioning, Scheduling, Volume};

/// A code, where its text stands, a pattern and samples. Where one text matches two patterns of a place the first one
/// counts: causes stand above what follows from them.
pub type Row = (&'static str, Place, &'static str, &'static [&'static str]);

pub const ROWS: &[Row] = &[
    (
        "NFS103",
        Binding,
        r#"storageclass\.storage\.k8s\.io "([^"]+)" not found"#,
        &[r#"storageclass.storage.k8s.io "nfs-fast" not found"#],
    ),
    (
        "NFS101",
        Binding,
        r"no persistent volumes available for this claim and no storage class is set",
        &["no persistent volumes available for this claim and no storage class is set"],
    ),
    (
        "NFS104",
        Binding,
        r"no (?:provisionable )?volume plugin matched",
        &[
            "no volume plugin matched name: kubernetes.io/nfs",
            "no provisionable volume plugin matched",
        ],
    ),
    (
        "NFS107",
        Binding,
        r"requested PV is too small",
        &[r#"Cannot bind to requested volume "v": requested PV is too small"#],
    ),
    (
        "NFS106",
        Binding,
        r"storageClassName does not match",
        &[r#"Cannot bind to requested volume "v": storageClassName does not match"#],
    ),
    (
        "NFS108",
        Binding,
        r"incompatible accessMode",
        &[r#"Cannot bind to requested volume "v": incompatible accessMode"#],
    ),
    (
        "NFS110",
        Binding,
        r"incompatible volumeMode",
        &[
            r#"Cannot bind PersistentVolume "v" to requested PersistentVolumeClaim "c" due to incompatible volumeMode."#,
            r#"Cannot bind to requested volume "v": incompatible volumeMode"#,
        ],
    ),
    (
        "NFS111",
        Binding,
        r"the volume is marked for deletion",
        &[r#"Cannot bind to requested volume "v": the volume is marked for deletion "v""#],
    ),
    (
        "NFS113",
        Binding,
        r#"volume "([^"]+)" already bound to a different claim"#,
        &[r#"volume "v" already bound to a different claim."#],
    ),
    (
        "NFS117",
        Scheduling,
        r#"pvc\(s\) bound to non-existent pv\(s\)|persistentvolumeclaim "[^"]+" bound to non-existent persistentvolume "[^"]*""#,
        &[
            r#"0/1 nodes are available: persistentvolumeclaim "a" bound to non-existent persistentvolume "b". preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."#,
            "0/1 nodes are available: 1 pvc(s) bound to non-existent pv(s).",
        ],
    ),
    (
        "NFS120",
        Scheduling,
        r"node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode|PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
        &[
            "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
            "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
        ],
    ),
    (
        "NFS116",
        Scheduling,
        r"node\(s\) had volume node affinity conflict|node\(s\) didn't match PersistentVolume's node affinity",
        &[
            "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
            "0/2 nodes are available: 2 node(s) had volume node affinity conflict.",
        ],
    ),
    (
        "NFS119",
        Scheduling,
        r#"persistentvolumeclaim "([^"]+)" (not found|is being deleted)"#,
        &[
            r#"0/1 nodes are available: persistentvolumeclaim "data" is being deleted. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."#,
            r#"persistentvolumeclaim "data" not found"#,
        ],
    ),
    (
        "NFS118",
        Scheduling,
        r"pod has unbound immediate PersistentVolumeClaims",
        &[
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            "0/3 nodes are available: 3 pod has unbound immediate PersistentVolumeClaims.",
        ],
    ),
    // Newer kubelets end this summary with a deadline, which says nothing of the server.
    (
        "NFS410",
        Mount,
        r"Unable to attach or mount volumes: unmounted volumes=\[([^\]]*)\]|timeout expired waiting for volumes to attach or mount for pod|error processing PVC (\S+): (?:PVC is being deleted|PVC is not bound)",
        &[
            "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: context deadline exceeded",
            "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC default/a: PVC is not bound",
            "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data default-token-x]: timed out waiting for the condition",
            "Unable to mount volumes for pod \"a_default(0b22)\": timeout expired waiting for volumes to attach or mount for pod \"default\"/\"a\". list of unmounted volumes=[data]. list of unattached volumes=[data default-token-x]",
        ],
    ),
    (
        "NFS407",
        Mount,
        r"rpc\.statd is not running but is required for remote locking",
        &[
            "Output: mount.nfs: rpc.statd is not running but is required for remote locking.\nmount.nfs: Either use '-o nolock' to keep locks local, or start statd.\nmount.nfs: an incorrect mount option was specified",
        ],
    ),
    (
        "NFS418",
        Mount,
        r"(?i)failed to prepare subPath|failed to create subPath",
        &["Error: failed to prepare subPath for volumeMount \"data\" of container \"app\""],
    ),
    (
        "NFS419",
        Mount,
        r"(?i)applyFSGroup failed|fsGroup.{0,40}(?:permission denied|operation not permitted)|SetVolumeOwnership.{0,60}(?:denied|not permitted)",
        &[
            "MountVolume.SetUp failed for volume \"pvc-1\" : applyFSGroup failed for vol 10.0.0.9#mnt#pvc-1##: open /var/lib/kubelet/pods/x/volumes/kubernetes.io~csi/pvc-1/mount/raft: permission denied",
        ],
    ),
    (
        "NFS211",
        Mount,
        r"driver name (\S+) not found in the list of registered CSI drivers|CSINode \S+ does not contain driver (\S+)|(dial unix \S*nfs\S*\.sock)|waiting for (external-attacher of \S+) CSI driver",
        &[
            "AttachVolume.Attach failed for volume \"data\" : timed out waiting for external-attacher of nfs.csi.k8s.io CSI driver to attach volume data",
            "MountVolume.MountDevice failed for volume \"pvc-1\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name nfs.csi.k8s.io not found in the list of registered CSI drivers",
            "MountVolume.SetUp failed for volume \"pvc-1\" : rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /var/lib/kubelet/plugins/csi-nfsplugin/csi.sock: connect: connection refused\"",
        ],
    ),
    (
        "NFS401",
        Mount,
        r"/sbin/mount\.<type> helper program|Required binary /sbin/mount\.nfs4? is missing|NFS: mount program didn't pass remote address",
        &[
            "Output: mount: /var/lib/kubelet/x: fsconfig() failed: NFS: mount program didn't pass remote address.",
            "Required binary /sbin/mount.nfs is missing",
            "MountVolume.SetUp failed for volume \"mypv\" : mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs 10.77.0.10:/nfsdata /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv\nOutput: mount: /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.",
            "MountVolume.SetUp failed for volume \"mypv\" : mount failed: exit status 32\nMounting command: systemd-run\nMounting arguments: --description=Kubernetes transient mount for /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv --scope -- mount -t nfs 10.77.0.10:/nfsdata /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv\nOutput: mount: wrong fs type, bad option, bad superblock on 10.77.0.10:/nfsdata,\n       missing codepage or helper program, or other error\n       (for several filesystems (e.g. nfs, cifs) you might\n       need a /sbin/mount.<type> helper program)",
        ],
    ),
    (
        "NFS414",
        Mount,
        r"mount: mounting (\S+) on \S+ failed: (?:.*)",
        &[
            "MountVolume.SetUp failed for volume \"v\" : mount failed: exit status 255\nMounting command: mount\nMounting arguments: -t nfs 10.0.0.5:/data /mnt\nOutput: mount: mounting 10.0.0.5:/data on /mnt failed: Connection refused",
        ],
    ),
    (
        "NFS415",
        Mount,
        r"mount\.nfs4?: (?:mount\(2\): )?(Operation not permitted)|mount\.nfs4?: (failed to apply fstab options)|mount\.nfs4?: (must be superuser.*)",
        &[
            "Output: mount.nfs: Operation not permitted",
            "Output: mount.nfs: failed to apply fstab options",
            "Output: mount.nfs: Operation not permitted for 10.0.0.5:/data on /mnt",
        ],
    ),
    (
        "NFS416",
        Mount,
        r"mount\.nfs4?: (?:mount\(2\): )?(No such device)|unknown filesystem type '?(nfs4?)\b|(Module nfs\w* not found)",
        &[
            "Output: mount.nfs: No such device",
            "Output: mount: /var/lib/kubelet/x: unknown filesystem type 'nfs'.",
        ],
    ),
    (
        "NFS402",
        Mount,
        r"access denied by server while mounting (\S+)|mounting (\S+) failed, reason given by server: Permission denied|mount\(2\): Permission denied",
        &[
            "Output: mount.nfs: access denied by server while mounting 10.77.0.10:/nfsdata",
            "Output: mount.nfs: mounting 10.77.0.10:/nfsdata failed, reason given by server: Permission denied",
        ],
    ),
    (
        "NFS403",
        Mount,
        r"mounting (\S+) failed, reason given by server: (?:No such file or directory|Not a directory)|mount\.nfs4?: (?:mount\(2\): )?No such file or directory",
        &[
            "Output: mount.nfs: mounting 10.77.0.10:/nodata failed, reason given by server: No such file or directory",
            "Output: mount.nfs: No such file or directory",
        ],
    ),
    (
        "NFS408",
        Mount,
        r"Failed to resolve server ([^\s:]+)|DNS resolution failed for ([^\s:]+)",
        &["Output: mount.nfs: Failed to resolve server nfs.example: Name or service not known"],
    ),
    (
        "NFS404",
        Mount,
        r"mount\.nfs4?: (?:mount system call failed.*: |mount\(2\): |trying .*: )?(Connection timed out|Connection refused|Connection reset by peer|No route to host|Network is unreachable|Network is down|Host is down|Resource temporarily unavailable)|mount\.nfs4?: (portmap query (?:failed|retrying).*|.*RPC: (?:Timed out|Program not registered|Remote system error|Unable to receive|Port mapper failure).*)|(code = DeadlineExceeded|context deadline exceeded)|(An operation with the given Volume ID \S+ already exists)|(mount timed out|timed out: .*mount)",
        &[
            "Output: mount.nfs: No route to host",
            "Output: mount.nfs4: Connection refused for 10.77.0.10:/nfsdata on /mnt",
            "Output: mount.nfs: Connection timed out",
            "Output: mount.nfs: portmap query failed: RPC: Remote system error - Connection refused",
            "Output: mount.nfs: Network is down",
            "Output: mount.nfs: Resource temporarily unavailable for 10.77.0.10:/nfsdata on /mnt",
            "MountVolume.SetUp failed for volume \"pvc-1\" : rpc error: code = DeadlineExceeded desc = context deadline exceeded",
            "MountVolume.SetUp failed for volume \"pvc-1\" : rpc error: code = Aborted desc = An operation with the given Volume ID 10.0.0.1#nfs#pvc-1## already exists",
        ],
    ),
    (
        "NFS405",
        Mount,
        r"Protocol not supported|requested NFS version or transport protocol is not supported|NFS version \d+ is not supported",
        &[
            "Output: mount.nfs: Protocol not supported for 10.77.0.10:/nfsdata on /mnt",
            "Output: mount.nfs: requested NFS version or transport protocol is not supported",
        ],
    ),
    (
        "NFS406",
        Mount,
        r"(?i)stale (?:NFS )?file handle|creating mount source path \S*/volumes/kubernetes\.io~\S*: mkdir \S+: file exists",
        &[
            "error while creating mount source path '/var/lib/kubelet/pods/f3/volumes/kubernetes.io~nfs/pvc-1': mkdir /var/lib/kubelet/pods/f3/volumes/kubernetes.io~nfs/pvc-1: file exists",
            "stat /var/lib/kubelet/pods/c9/volumes/kubernetes.io~nfs/v: stale NFS file handle",
            "open /persistentvolumes: Stale NFS file handle",
            "Output: mount.nfs: Stale file handle",
        ],
    ),
    (
        "NFS409",
        Mount,
        r"an incorrect mount option was specified|Unsupported nfs4? mount option|mount\.nfs4?: (?:mount\(2\): )?Invalid argument",
        &[
            "Output: mount.nfs: an incorrect mount option was specified for /mnt",
            "Output: mount.nfs: Invalid argument",
        ],
    ),
    (
        "NFS109",
        Provisioning,
        r"claim Selector is not supported|the claim has a selector",
        &[r#"failed to provision volume with StorageClass "nfs": claim Selector is not supported"#],
    ),
    (
        "NFS110",
        Provisioning,
        r"(?i)does not support block volume|block volume (?:provisioning )?is not supported|volume mode Block (?:is )?not supported|only (?:supports? )?filesystem",
        &["cluster.local/nfs does not support block volume provisioning"],
    ),
    (
        "NFS126",
        Provisioning,
        r"(?i)VolumeAttributesClass|volume attributes class|mutable parameters",
        &[
            "failed to provision volume with StorageClass \"nfs\": VolumeAttributesClass is not supported by this provisioner",
        ],
    ),
    (
        "NFS125",
        Provisioning,
        r"(?i)data ?source.{0,60}(?:not support|unsupported)|error getting handle for DataSource|not supported as a data ?source",
        &[
            "failed to provision volume with StorageClass \"nfs\": error getting handle for DataSource Type VolumeSnapshot by Name s: snapshot s not bound",
        ],
    ),
    (
        "NFS216",
        Provisioning,
        r"(?i)no space left on device|disk quota exceeded|ENOSPC|EDQUOT",
        &[
            "failed to provision volume with StorageClass \"nfs\": unable to create directory to provision new pv: mkdir /persistentvolumes/a: no space left on device",
            "failed to provision volume with StorageClass \"nfs\": rpc error: code = Internal desc = failed to make subdirectory: mkdir /tmp/pvc-1/pvc-1: disk quota exceeded",
        ],
    ),
    (
        "NFS217",
        Provisioning,
        r"(?i)read-only file system|EROFS",
        &[
            "failed to provision volume with StorageClass \"nfs\": unable to create directory to provision new pv: mkdir /persistentvolumes/a: read-only file system",
        ],
    ),
    (
        "NFS209",
        Provisioning,
        r"unable to create directory to provision new pv: (.*)|failed to make subdirectory: (.*)|failed to mount nfs server: (.*)",
        &[
            r#"failed to provision volume with StorageClass "nfs": unable to create directory to provision new pv: mkdir /persistentvolumes/default-a-pvc-1: permission denied"#,
        ],
    ),
    (
        "NFS121",
        Creation,
        r"exceeded quota: (\S+), requested: (.*), used: (.*), limited: (.*)",
        &[
            r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: exceeded quota: small, requested: requests.storage=1Gi, used: requests.storage=0, limited: requests.storage=500Mi"#,
        ],
    ),
    (
        "NFS121",
        Creation,
        r"(minimum|maximum) \S+ usage per PersistentVolumeClaim is ",
        &[
            r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 5Gi"#,
        ],
    ),
    (
        "NFS105",
        Creation,
        r"\d+ default StorageClasses were found",
        &[
            r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: Internal error occurred: 2 default StorageClasses were found"#,
        ],
    ),
    (
        "NFS207",
        Creation,
        r#"violates PodSecurity|admission webhook "[^"]+" denied|unable to validate against any pod security policy|is forbidden"#,
        &[
            r#"Error creating: pods "p-" is forbidden: unable to validate against any pod security policy: []"#,
            r#"Error creating: pods "p-1" is forbidden: violates PodSecurity "restricted:latest": restricted volume types (volume "nfs-client-root" uses restricted volume type "nfs")"#,
        ],
    ),
    (
        "NFS502",
        Volume,
        r"Recycle failed: (.*)|No recycler plugin found for the volume!|Volume is used by pods: (.*)|Recycler pod: (.*)",
        &["Recycle failed: failed to recycle volume: pod failed"],
    ),
    (
        "NFS503",
        Volume,
        r#"(?i)error getting deleter volume plugin for volume "([^"]+)": no deletable volume plugin matched"#,
        &[
            r#"error getting deleter volume plugin for volume "mypv": no deletable volume plugin matched"#,
            r#"Error getting deleter volume plugin for volume "mypv": no deletable volume plugin matched"#,
        ],
    ),
    (
        "NFS507",
        Volume,
        r#"storageclass\.storage\.k8s\.io "([^"]+)" not found"#,
        &[r#"storageclass.storage.k8s.io "gone" not found"#],
    ),
    (
        "NFS302",
        Log,
        r"selfLink was empty, can't make reference",
        &[
            "E0214 10:22:35.444757 1 controller.go:766] Unexpected error getting claim reference to claim \"a/b\": selfLink was empty, can't make reference",
        ],
    ),
    (
        "NFS203",
        Log,
        r"(?:NFS_SERVER|NFS_PATH) not set|environment variable PROVISIONER_NAME is not set! Please set it\.",
        &[
            "F0101 main.go:190] NFS_SERVER not set",
            "F0101 main.go:100] environment variable PROVISIONER_NAME is not set! Please set it.",
        ],
    ),
    (
        "NFS206",
        Log,
        r"error retrieving resource lock \S+: .* is forbidden|forbidden: User",
        &[
            r#"E0101 leaderelection.go:325] error retrieving resource lock default/fuseim.pri-ifs: endpoints "fuseim.pri-ifs" is forbidden: User "system:serviceaccount:default:default" cannot get resource "endpoints""#,
        ],
    ),
    (
        "NFS205",
        Log,
        r"exec format error|no match for platform in manifest|no matching manifest for \S+|no image found in manifest list for architecture",
        &[
            "Failed to pull image \"x:v4.0.0\": rpc error: code = NotFound desc = failed to pull and unpack image \"x:v4.0.0\": no match for platform in manifest: not found",
            "Failed to pull image \"x:v3.0.0\": rpc error: code = Unknown desc = Error choosing image instance: no image found in manifest list for architecture arm64, variant \"v8\", OS linux",
            "standard_init_linux.go:219: exec user process caused: exec format error",
        ],
    ),
];
