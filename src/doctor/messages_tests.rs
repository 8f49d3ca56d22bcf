use super::*;

/// Texts as Kubernetes 1.20, current Kubernetes, mount.nfs and the provisioners write them.
const TEXTS: &[(Place, &str, Option<&str>)] = &[
    (
        Place::Scheduling,
        "0/3 nodes are available: 3 pod has unbound immediate PersistentVolumeClaims.",
        Some("NFS118"),
    ),
    (
        Place::Scheduling,
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        Some("NFS118"),
    ),
    (
        Place::Scheduling,
        "0/2 nodes are available: 2 node(s) had volume node affinity conflict.",
        Some("NFS116"),
    ),
    (
        Place::Scheduling,
        "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
        Some("NFS116"),
    ),
    (
        Place::Scheduling,
        "0/1 nodes are available: 1 pvc(s) bound to non-existent pv(s).",
        Some("NFS117"),
    ),
    (
        Place::Scheduling,
        r#"0/1 nodes are available: persistentvolumeclaim "a" bound to non-existent persistentvolume "b". preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."#,
        Some("NFS117"),
    ),
    (
        Place::Scheduling,
        r#"persistentvolumeclaim "data" not found"#,
        Some("NFS119"),
    ),
    (
        Place::Scheduling,
        r#"0/1 nodes are available: persistentvolumeclaim "data" is being deleted. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."#,
        Some("NFS119"),
    ),
    (
        Place::Scheduling,
        "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
        Some("NFS120"),
    ),
    (
        Place::Scheduling,
        "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
        Some("NFS120"),
    ),
    (Place::Scheduling, "0/3 nodes are available: 3 Insufficient cpu.", None),
    (
        Place::Mount,
        "MountVolume.SetUp failed for volume \"mypv\" : mount failed: exit status 32\nMounting command: systemd-run\nMounting arguments: --description=Kubernetes transient mount for /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv --scope -- mount -t nfs 10.77.0.10:/nfsdata /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv\nOutput: mount: wrong fs type, bad option, bad superblock on 10.77.0.10:/nfsdata,\n       missing codepage or helper program, or other error\n       (for several filesystems (e.g. nfs, cifs) you might\n       need a /sbin/mount.<type> helper program)",
        Some("NFS401"),
    ),
    (
        Place::Mount,
        "MountVolume.SetUp failed for volume \"mypv\" : mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs 10.77.0.10:/nfsdata /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv\nOutput: mount: /var/lib/kubelet/pods/x/volumes/kubernetes.io~nfs/mypv: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.",
        Some("NFS401"),
    ),
    (
        Place::Mount,
        "Required binary /sbin/mount.nfs is missing",
        Some("NFS401"),
    ),
    (
        Place::Mount,
        "Output: mount.nfs: access denied by server while mounting 10.77.0.10:/nfsdata",
        Some("NFS402"),
    ),
    (
        Place::Mount,
        "Output: mount.nfs: mounting 10.77.0.10:/nodata failed, reason given by server: No such file or directory",
        Some("NFS403"),
    ),
    (Place::Mount, "Output: mount.nfs: Connection timed out", Some("NFS404")),
    (
        Place::Mount,
        "Output: mount.nfs4: Connection refused for 10.77.0.10:/nfsdata on /mnt",
        Some("NFS404"),
    ),
    (Place::Mount, "Output: mount.nfs: No route to host", Some("NFS404")),
    (
        Place::Mount,
        "Output: mount.nfs: requested NFS version or transport protocol is not supported",
        Some("NFS405"),
    ),
    (
        Place::Mount,
        "Output: mount.nfs: Protocol not supported for 10.77.0.10:/nfsdata on /mnt",
        Some("NFS405"),
    ),
    (Place::Mount, "Output: mount.nfs: Stale file handle", Some("NFS406")),
    (
        Place::Mount,
        "open /persistentvolumes: Stale NFS file handle",
        Some("NFS406"),
    ),
    (
        Place::Mount,
        "stat /var/lib/kubelet/pods/c9/volumes/kubernetes.io~nfs/v: stale NFS file handle",
        Some("NFS406"),
    ),
    // Both texts: the daemon is the cause, the option what mount.nfs makes of it.
    (
        Place::Mount,
        "Output: mount.nfs: rpc.statd is not running but is required for remote locking.\nmount.nfs: Either use '-o nolock' to keep locks local, or start statd.\nmount.nfs: an incorrect mount option was specified",
        Some("NFS407"),
    ),
    (
        Place::Mount,
        "Output: mount.nfs: Failed to resolve server nfs.example: Name or service not known",
        Some("NFS408"),
    ),
    (
        Place::Mount,
        "Output: mount.nfs: an incorrect mount option was specified for /mnt",
        Some("NFS409"),
    ),
    (
        Place::Mount,
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data default-token-x]: timed out waiting for the condition",
        Some("NFS410"),
    ),
    (
        Place::Mount,
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC default/a: PVC is not bound",
        Some("NFS410"),
    ),
    (
        Place::Mount,
        "MountVolume.SetUp failed for volume \"token\" : secret \"x\" not found",
        None,
    ),
    (
        Place::Provisioning,
        r#"failed to provision volume with StorageClass "nfs": claim Selector is not supported"#,
        Some("NFS109"),
    ),
    (
        Place::Provisioning,
        r#"failed to provision volume with StorageClass "nfs": unable to create directory to provision new pv: mkdir /persistentvolumes/default-a-pvc-1: permission denied"#,
        Some("NFS209"),
    ),
    (
        Place::Creation,
        r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: exceeded quota: small, requested: requests.storage=1Gi, used: requests.storage=0, limited: requests.storage=500Mi"#,
        Some("NFS121"),
    ),
    (
        Place::Creation,
        r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 5Gi"#,
        Some("NFS121"),
    ),
    (
        Place::Creation,
        r#"create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims "www-web-0" is forbidden: Internal error occurred: 2 default StorageClasses were found"#,
        Some("NFS105"),
    ),
    (
        Place::Creation,
        r#"Error creating: pods "p-1" is forbidden: violates PodSecurity "restricted:latest": restricted volume types (volume "nfs-client-root" uses restricted volume type "nfs")"#,
        Some("NFS207"),
    ),
    (
        Place::Creation,
        r#"Error creating: pods "p-" is forbidden: unable to validate against any pod security policy: []"#,
        Some("NFS207"),
    ),
    (
        Place::Volume,
        r#"Error getting deleter volume plugin for volume "mypv": no deletable volume plugin matched"#,
        Some("NFS503"),
    ),
    (
        Place::Volume,
        r#"error getting deleter volume plugin for volume "mypv": no deletable volume plugin matched"#,
        Some("NFS503"),
    ),
    (
        Place::Volume,
        r#"storageclass.storage.k8s.io "gone" not found"#,
        Some("NFS507"),
    ),
    (
        Place::Volume,
        "Recycle failed: failed to recycle volume: pod failed",
        Some("NFS502"),
    ),
];

#[test]
fn real_texts_are_recognised_and_others_are_not() {
    for (place, text, wanted) in TEXTS {
        assert_eq!(classify(*place, text).map(|(code, _)| code), *wanted, "{text}");
    }
}

#[test]
fn what_a_text_names_is_found() {
    let named = |place, text| classify(place, text).and_then(|(_, named)| named);
    let denied = "mount.nfs: access denied by server while mounting 10.0.0.1:/data";
    assert_eq!(named(Place::Mount, denied).as_deref(), Some("10.0.0.1:/data"));
    let reason = "mount.nfs: Connection refused";
    assert_eq!(named(Place::Mount, reason).as_deref(), Some("Connection refused"));
}

#[test]
fn the_line_of_a_log_is_found() {
    let log = "I0214 10:22:35.436913 1 controller.go:1068] scheduleOperation[x]\n\
        E0214 10:22:35.444757 1 controller.go:766] Unexpected error getting claim reference to claim \"mysql-sts/a\": selfLink was empty, can't make reference\n\
        I0214 10:22:36 1 x.go:1] more\n";
    let found = line("NFS302", log).unwrap();
    assert!(
        found.starts_with("E0214") && found.ends_with("can't make reference"),
        "{found}"
    );
    assert_eq!(line("NFS302", "I0214 all is well"), None);
    let lock = r#"E0101 leaderelection.go:325] error retrieving resource lock default/fuseim.pri-ifs: endpoints "fuseim.pri-ifs" is forbidden: User "system:serviceaccount:default:default" cannot get resource "endpoints""#;
    assert!(line("NFS206", lock).is_some());
    assert!(line("NFS203", "F0101 main.go:190] NFS_SERVER not set").is_some());
    assert!(
        line(
            "NFS205",
            "standard_init_linux.go:219: exec user process caused: exec format error"
        )
        .is_some()
    );
}

#[test]
fn a_quota_is_taken_apart() {
    let text = "exceeded quota: q, requested: persistentvolumeclaims=1,requests.storage=5Gi, used: persistentvolumeclaims=0,requests.storage=1Gi, limited: persistentvolumeclaims=0,requests.storage=2Gi";
    let (name, items) = quota(text).unwrap();
    assert_eq!(name, "q");
    let lines: Vec<_> = items
        .iter()
        .map(|item| format!("{} {} {} {}", item.key, item.requested, item.used, item.limited))
        .collect();
    assert_eq!(lines, ["persistentvolumeclaims 1 0 0", "requests.storage 5Gi 1Gi 2Gi"]);
    assert_eq!(quota("something else"), None);
    assert_eq!(
        refused_claim("create Claim www-web-0 for Pod web-0 in"),
        Some("www-web-0")
    );
}
