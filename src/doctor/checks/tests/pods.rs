//! NFS118, NFS119, NFS401, NFS404, NFS407, NFS411, NFS412.

use serde_json::json;

use super::*;

#[test]
fn pods_that_wait_for_claims_or_mounts() {
    let unscheduled = |message: &str| json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}});
    let terminating = || with(of_class("a", "nfs"), json!({"metadata": {"deletionTimestamp": NOW}}));
    // An event's host is whatever its writer says.
    let failing = |words: &str| {
        let mut objects = mounting(Some(words));
        let event = objects.pop().unwrap();
        objects.push(with(event, json!({"source": {"host": "-oProxyCommand=id"}})));
        objects
    };
    let another = vec![
        pod("q", "a", json!({"spec": {"nodeName": "node1"}})),
        event("Pod", "q", "FailedMount", "Output: mount.nfs: Connection refused"),
    ];
    hold! { OLD,
        "a claim bound since": all([bound(json!({})), vec![pod("p", "a", unscheduled(
            "0/3 nodes are available: 3 pod has unbound immediate PersistentVolumeClaims."))]]) => [];
        "its claim is being made": vec![pod("p", "a", json!({"metadata": {"creationTimestamp":
            "2026-01-01T11:59:58Z"}}))] => [];
        "its claim is going": vec![terminating(), pod("p", "a", json!({}))] => ["NFS119 pod default/p"];
        "the pod is over": vec![pod("p", "a", json!({"status": {"phase": "Succeeded"}}))] => [];
        "the pod runs": vec![pod("p", "a", json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running"}}))] => [];
        "no helper program": failing("Output: need a /sbin/mount.<type> helper program") => ["NFS401 node node1" says
            "\nnfsprov setup-client node1\n" "node1 was not read over SSH"];
        "no rpc.statd": failing("mount.nfs: rpc.statd is not running but is required for remote locking.") =>
            ["NFS407 node node1" says "\nssh node1 sudo systemctl enable --now rpcbind rpc-statd\n"
            "node1 was not read over SSH"];
        "one cause for many pods": all([mounting(Some("Output: mount.nfs: Connection refused")), another]) =>
            ["NFS404 pv v" says "affects pod default/p, pod default/q"];
    }
}

#[test]
fn pods_that_fail_or_do_not_end() {
    let running =
        json!({"spec": {"nodeName": "n", "securityContext": {"fsGroup": 1000}}, "status": {"phase": "Running"}});
    let ending = |since: &str| json!({"metadata": {"deletionTimestamp": since}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
    let stuck = || all([bound(json!({})), vec![pod("p", "a", ending("2026-01-01T11:00:00Z"))]]);
    let ready = || {
        node(
            "n",
            json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        )
    };
    hold! { OLD,
        "a group, and all is well": all([bound(json!({})), vec![pod("p", "a", running)]]) => [];
        "just ending": all([bound(json!({})), vec![pod("p", "a", ending("2026-01-01T11:59:50Z"))]]) => [];
        "its node was not read": stuck() => ["NFS412 pod default/p" says "is node n Ready?" "!--force"];
        // Text, with what may come of it.
        "its node is ready": all([stuck(), vec![ready()]]) => ["NFS412 pod default/p" says
            "is the NFS server 10.77.0.10 running?" "\n\nstart the server" "--force" "a second pod"];
    }
}
