//! NFS116, NFS118 to NFS120, NFS401 to NFS412.

use serde_json::json;

use super::*;

/// A claim bound to an NFS volume.
fn bound() -> Vec<Value> {
    vec![
        with(
            of_class("a", "nfs"),
            json!({"spec": {"volumeName": "v"}, "status": {"phase": "Bound"}}),
        ),
        volume(
            "v",
            json!({"spec": {"claimRef": {"namespace": "default", "name": "a", "uid": "uid-a"}}, "status": {"phase": "Bound"}}),
        ),
    ]
}

fn unscheduled(message: &str) -> Value {
    json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}})
}

/// A pod on a node that waits for its volumes, and what the kubelet says.
fn waiting(message: &str) -> Vec<Value> {
    let said = with(
        event("Pod", "p", "FailedMount", message),
        json!({"source": {"component": "kubelet", "host": "node1"}}),
    );
    all([
        bound(),
        vec![pod("p", "a", json!({"spec": {"nodeName": "node1"}})), said],
    ])
}

#[test]
fn what_the_scheduler_says() {
    let affine = || {
        let term = json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]});
        let mut objects = bound();
        objects[1] = with(
            objects[1].clone(),
            json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}}),
        );
        objects
    };
    let old = "0/3 nodes are available: 3 pod has unbound immediate PersistentVolumeClaims.";
    let new = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    for (version, text) in [(OLD, old), (NEW, new)] {
        hold! { version,
            "an unbound claim": vec![of_class("a", "nfs"), pod("p", "a", unscheduled(text))] =>
                ["NFS102 pvc default/a", "NFS118 pod default/p"];
            "a claim bound since": all([bound(), vec![pod("p", "a", unscheduled(text))]]) => [];
            "something else": all([bound(), vec![pod("p", "a",
                unscheduled("0/1 nodes are available: 1 Insufficient cpu."))]]) => [];
        }
    }
    let conflicts = [
        (
            OLD,
            "0/1 nodes are available: 1 node(s) had volume node affinity conflict.",
        ),
        (
            NEW,
            "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity.",
        ),
    ];
    for (version, text) in conflicts {
        let node = node("n", json!({"metadata": {"labels": {"zone": "b"}}}));
        let finding = only(version, all([affine(), vec![node, pod("p", "a", unscheduled(text))]]));
        assert_eq!(finding.code, "NFS116");
        assert!(finding.cause.contains("can be used on no node"), "{}", finding.cause);
    }
    let taken = "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.";
    hold! { NEW,
        "a claim for one pod": all([bound(), vec![pod("p", "a", unscheduled(taken))]]) => ["NFS120 pod default/p"];
    }
}

#[test]
fn a_claim_that_is_not_there() {
    let going = with(of_class("a", "nfs"), json!({"metadata": {"deletionTimestamp": NOW}}));
    let young = json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:58Z"}});
    for version in [OLD, NEW] {
        hold! { version,
            "it is not there": vec![pod("p", "a", json!({}))] => ["NFS119 pod default/p"];
            "it is being made": vec![pod("p", "a", young.clone())] => [];
            "it is going": vec![going.clone(), pod("p", "a", json!({}))] => ["NFS119 pod default/p"];
            "the pod is over": vec![pod("p", "a", json!({"status": {"phase": "Succeeded"}}))] => [];
            "the pod runs": vec![pod("p", "a", json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running"}}))] =>
                [];
        }
    }
}

#[test]
fn what_the_kubelet_says() {
    let failed = |output: &str| {
        waiting(&format!(
            "MountVolume.SetUp failed for volume \"v\" : mount failed: exit status 32\nMounting command: mount\nOutput: {output}"
        ))
    };
    for version in [OLD, NEW] {
        hold! { version,
            "no client":
                failed("mount: wrong fs type, bad option, bad superblock … need a /sbin/mount.<type> helper program)")
                => ["NFS401 node node1"];
            "denied": failed("mount.nfs: access denied by server while mounting 10.77.0.10:/nfsdata") =>
                ["NFS402 pv v"];
            "no such path":
                failed("mount.nfs: mounting 10.77.0.10:/nfsdata failed, reason given by server: No such file or directory")
                => ["NFS403 pv v"];
            "no answer": failed("mount.nfs: Connection timed out") => ["NFS404 pv v"];
            "version": failed("mount.nfs: Protocol not supported") => ["NFS405 pv v"];
            "stale": failed("mount.nfs: Stale file handle") => ["NFS406 pv v"];
            "statd":
                failed("mount.nfs: rpc.statd is not running but is required for remote locking.\nmount.nfs: an incorrect mount option was specified")
                => ["NFS407 node node1"];
            "name": failed("mount.nfs: Failed to resolve server nas: Name or service not known") =>
                ["NFS408 node node1"];
            "option": failed("mount.nfs: an incorrect mount option was specified") => ["NFS409 pv v"];
            "only that it waits":
                waiting("Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out waiting for the condition")
                => ["NFS410 pod default/p", "NFS413 pv v"];
        }
    }
    let mut running = failed("mount.nfs: Connection timed out");
    running[2] = with(running[2].clone(), json!({"status": {"phase": "Running"}}));
    hold! { OLD,
        "mounted since": running => [];
    }
}

#[test]
fn a_container_on_a_directory_that_was_replaced() {
    let message = "failed to generate container \"b8\" spec: failed to stat \"/var/lib/kubelet/pods/c9/volumes/kubernetes.io~nfs/v\": stat /var/lib/kubelet/pods/c9/volumes/kubernetes.io~nfs/v: stale NFS file handle";
    let status = |state: Value| json!([{"name": "app", "image": "b", "imageID": "", "ready": false, "restartCount": 0, "state": state}]);
    let running = |state: Value| {
        let change =
            json!({"spec": {"nodeName": "node1"}, "status": {"phase": "Running", "containerStatuses": status(state)}});
        all([bound(), vec![pod("p", "a", change)]])
    };
    let refused = json!({"waiting": {"reason": "CreateContainerError", "message": message}});
    let other = json!({"waiting": {"reason": "CreateContainerError", "message": "no such file"}});
    hold! { OLD,
        "it can't start again": running(refused) => ["NFS406 pv v"];
        "for another reason": running(other) => [];
    }
}

#[test]
fn a_client_is_installed_as_the_node_has_it() {
    let objects = |os: &str| {
        let node = node(
            "node1",
            json!({"status": {"nodeInfo": {"osImage": os, "architecture": "", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "operatingSystem": "", "systemUUID": ""}}}),
        );
        all([waiting("Output: need a /sbin/mount.<type> helper program"), vec![node]])
    };
    for (os, wanted) in [
        ("Debian GNU/Linux 12 (bookworm)", "sudo apt-get -y install nfs-common"),
        ("Rocky Linux 9.3", "sudo yum -y install nfs-utils"),
        ("openSUSE Leap 15.5", "sudo zypper -n install nfs-client"),
        ("Alpine Linux v3.19", "sudo apk add nfs-utils"),
    ] {
        let command = only(OLD, objects(os)).fix.unwrap().command.unwrap();
        assert_eq!(command, format!("ssh node1 {wanted}"), "{os}");
    }
}

#[test]
fn one_cause_for_many_pods() {
    let mut objects = waiting("Output: mount.nfs: Connection refused");
    objects.push(pod("q", "a", json!({"spec": {"nodeName": "node1"}})));
    objects.push(event(
        "Pod",
        "q",
        "FailedMount",
        "Output: mount.nfs: Connection refused",
    ));
    let finding = only(OLD, objects);
    let names: Vec<_> = finding.explains.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!((finding.code, names), ("NFS404", vec!["p", "q"]));
}

#[test]
fn groups_and_ends() {
    let crashed = json!([{"name": "app", "image": "b", "imageID": "", "ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    let running = |group: Value, statuses: Value| json!({"spec": {"nodeName": "n", "securityContext": group}, "status": {"phase": "Running", "containerStatuses": statuses}});
    let ending = |since: &str| json!({"metadata": {"deletionTimestamp": since}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
    hold! { OLD,
        "a group, and it fails": all([bound(), vec![pod("p", "a", running(json!({"fsGroup": 1000}),
            crashed.clone()))]]) => ["NFS411 pod default/p"];
        "a group, and all is well": all([bound(), vec![pod("p", "a", running(json!({"fsGroup": 1000}), json!([])))]])
            => [];
        "no group, and it fails": all([bound(), vec![pod("p", "a", running(json!({}), crashed))]]) => [];
        "long ending": all([bound(), vec![pod("p", "a", ending("2026-01-01T11:00:00Z"))]]) =>
            ["NFS412 pod default/p"];
        "long ending, and its node is away": all([bound(), vec![pod("p", "a", ending("2026-01-01T11:00:00Z")),
            node("n", json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}))]]) =>
            ["NFS412 pod default/p"];
        "just ending": all([bound(), vec![pod("p", "a", ending("2026-01-01T11:59:50Z"))]]) => [];
    }
}

#[test]
fn a_pod_that_does_not_end_is_not_forced_before_its_node_was_looked_at() {
    let ending = json!({"metadata": {"deletionTimestamp": "2026-01-01T11:00:00Z"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
    let stuck = |nodes: Vec<Value>| only(OLD, all([bound(), vec![pod("p", "a", ending.clone())], nodes]));
    let node = |ready: &str| {
        node(
            "n",
            json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}}),
        )
    };
    for (what, nodes, cause, forced) in rows! {
        ("away", vec![node("Unknown")], "its node n is not Ready", false),
        ("not ready", vec![node("False")], "its node n is not Ready", false),
        ("not read", vec![], "is node n Ready?", false),
        ("ready", vec![node("True")], "is the NFS server 10.77.0.10 still there?", true),
    } {
        let finding = stuck(nodes);
        assert!(finding.cause.contains(cause), "{what}: {}", finding.cause);
        let fix = finding.fix.unwrap();
        assert!(fix.command.is_none() && !fix.automatic, "{what}: {fix:?}");
        // Text, with what may come of it.
        assert_eq!(fix.note.contains("--force"), forced, "{what}: {}", fix.note);
        assert!(!forced || fix.note.contains("a second pod"), "{what}: {}", fix.note);
    }
}
