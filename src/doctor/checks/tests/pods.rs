//! NFS118, NFS119, NFS401, NFS404, NFS411, NFS412. Cases hold what the scheduler and the kubelet say.

use serde_json::json;

use super::*;

fn unscheduled(message: &str) -> Value {
    json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}})
}

#[test]
fn unbound_claims_are_read_from_the_scheduler_message() {
    let old = "0/3 nodes are available: 3 pod has unbound immediate PersistentVolumeClaims.";
    let new = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    for (version, text) in [(OLD, old), (NEW, new)] {
        hold! { version,
            "an unbound claim": vec![of_class("a", "nfs"), pod("p", "a", unscheduled(text))] =>
                ["NFS102 pvc default/a", "NFS118 pod default/p"];
            "a claim bound since": all([bound(json!({})), vec![pod("p", "a", unscheduled(text))]]) => [];
            "something else": all([bound(json!({})), vec![pod("p", "a",
                unscheduled("0/1 nodes are available: 1 Insufficient cpu."))]]) => [];
        }
    }
}

#[test]
fn missing_claims_of_pods() {
    let terminating = with(of_class("a", "nfs"), json!({"metadata": {"deletionTimestamp": NOW}}));
    let young = json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:58Z"}});
    for version in [OLD, NEW] {
        hold! { version,
            "it is not there": vec![pod("p", "a", json!({}))] => ["NFS119 pod default/p"];
            "it is being made": vec![pod("p", "a", young.clone())] => [];
            "it is going": vec![terminating.clone(), pod("p", "a", json!({}))] => ["NFS119 pod default/p"];
            "the pod is over": vec![pod("p", "a", json!({"status": {"phase": "Succeeded"}}))] => [];
            "the pod runs": vec![pod("p", "a", json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running"}}))] =>
                [];
        }
    }
}

#[test]
fn commands_for_a_node_name_the_node_of_the_pod_and_not_the_host_of_an_event() {
    for (words, command) in [
        (
            "Output: need a /sbin/mount.<type> helper program",
            "nfsprov setup-client node1",
        ),
        (
            "mount.nfs: rpc.statd is not running but is required for remote locking.",
            "ssh node1 sudo systemctl enable --now rpcbind rpc-statd",
        ),
    ] {
        let mut objects = mounting(Some(words));
        let event = objects.pop().unwrap();
        objects.push(with(event, json!({"source": {"host": "-oProxyCommand=id"}})));
        let fix = only(OLD, objects).fix.unwrap();
        assert_eq!(fix.command.as_deref(), Some(command));
        assert!(
            !fix.automatic && fix.note.contains("node1 was not read over SSH"),
            "{fix:?}"
        );
    }
}

#[test]
fn one_cause_for_many_pods() {
    let mut objects = mounting(Some("Output: mount.nfs: Connection refused"));
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
fn an_fs_group_is_reported_only_if_the_pod_fails() {
    let crashed = json!([{"name": "app", "image": "b", "imageID": "", "ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    let running = |group: Value, statuses: Value| json!({"spec": {"nodeName": "n", "securityContext": group}, "status": {"phase": "Running", "containerStatuses": statuses}});
    let ending = |since: &str| json!({"metadata": {"deletionTimestamp": since}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
    hold! { OLD,
        "a group, and it fails": all([bound(json!({})), vec![pod("p", "a", running(json!({"fsGroup": 1000}),
            crashed.clone()))]]) => ["NFS411 pod default/p"];
        "a group, and all is well": all([bound(json!({})), vec![pod("p", "a", running(json!({"fsGroup": 1000}), json!([])))]])
            => [];
        "no group, and it fails": all([bound(json!({})), vec![pod("p", "a", running(json!({}), crashed))]]) => [];
        "just ending": all([bound(json!({})), vec![pod("p", "a", ending("2026-01-01T11:59:50Z"))]]) => [];
    }
}

#[test]
fn force_deletion_is_mentioned_only_if_the_node_is_ready() {
    let ending = json!({"metadata": {"deletionTimestamp": "2026-01-01T11:00:00Z"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
    let stuck = |nodes: Vec<Value>| only(OLD, all([bound(json!({})), vec![pod("p", "a", ending.clone())], nodes]));
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
        ("ready", vec![node("True")], "is the NFS server 10.77.0.10 running?", true),
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
