//! NFS201 to NFS212.

use serde_json::json;

use super::*;

pub(super) const NAME: &str = "fuseim.pri/ifs";
pub(super) const GOOD: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

/// A class, a claim that waits for it, and what may serve it.
pub(super) fn scene(more: Vec<Value>) -> Vec<Value> {
    all([vec![class("managed", NAME), handed_over("a", "managed", NAME)], more])
}

pub(super) fn good() -> Vec<Value> {
    provisioner("p", GOOD, NAME)
}

/// An event by which the provisioner shows that it serves a claim.
pub(super) fn spoke() -> Value {
    let words = "External provisioner is provisioning volume for claim \"default/a\"";
    let spoke = event("PersistentVolumeClaim", "a", "Provisioning", words);
    with(spoke, json!({"source": {"component": format!("{NAME}_host_uuid")}}))
}

/// A provisioner's Deployment alone, with no ready pod; `change` is laid over the specification of its pods.
pub(super) fn stopped(name: &str, replicas: u32, change: Value) -> Vec<Value> {
    let stopped = json!({"spec": {"replicas": replicas, "template": {"spec": change}}, "status": {"readyReplicas": 0}});
    vec![with(provisioner(name, GOOD, NAME).remove(0), stopped)]
}

#[test]
fn running_and_missing_provisioners() {
    let meta =
        json!({"creationTimestamp": "2026-01-01T11:58:00Z", "annotations": {"pv.kubernetes.io/provisioned-by": NAME}});
    let made = volume("pvc-9", json!({"metadata": meta, "status": {"phase": "Bound"}}));
    let lease_in = |namespace: &str, renewed: &str| {
        let spec = json!({"holderIdentity": "x", "renewTime": renewed});
        let lease = json!({"metadata": {"namespace": namespace}, "spec": spec});
        vec![with(object("Lease", "fuseim.pri-ifs"), lease)]
    };
    let lease = |renewed: &str| lease_in("default", renewed);
    let young = json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:55Z"}});
    let local_path = json!({"containers": [{"name": "x", "image": "rancher/local-path-provisioner:v0.0.19"}]});
    for version in [OLD, NEW] {
        hold! { version,
            "a class without pending claims": vec![class("managed", NAME)] => [];
            "one outside that spoke": scene(vec![spoke()]) => [];
            "one outside that made something": scene(vec![made.clone()]) => [];
            "one outside that leads": scene(lease("2026-01-01T11:59:50.000000Z")) => [];
            "a tenant renews a Lease of its name": scene(lease_in("tenant", "2026-01-01T11:59:50.000000Z")) =>
                ["NFS201 storageclass managed"];
            "one outside that led": scene(lease("2026-01-01T10:00:00.000000Z")) => ["NFS201 storageclass managed"];
            "a CSI driver": vec![class("c", "ebs.csi.aws.com"), handed_over("a", "c", "ebs.csi.aws.com"),
                object("CSIDriver", "ebs.csi.aws.com")] => [];
            "a claim being served right now": vec![class("managed", NAME), with(handed_over("a", "managed", NAME),
                young.clone())] => [];
            "the other of two is stopped": scene(all([good(), stopped("q", 0, json!({}))])) => [];
            "the one of two is stopped": scene(all([stopped("q", 0, json!({})), good()])) => [];
            "K3s' own, known by its image": all([vec![class("local-path", "rancher.io/local-path"), handed_over("a",
                "local-path", "rancher.io/local-path")], stopped("x", 1, local_path.clone())]) => [];
        }
    }
}

#[test]
fn a_provisioner_that_does_not_run() {
    let env = |env: Value| json!({"containers": [{"name": "main", "image": GOOD, "env": env}]});
    let named = |name: &str| env(json!([{"name": "PROVISIONER_NAME", "value": name}]));
    let env_from = json!([{"configMapRef": {"name": "nfs-settings"}}]);
    let from_map =
        |env: Value| json!({"containers": [{"name": "main", "image": GOOD, "env": env, "envFrom": env_from}]});
    let two = || {
        with(
            named(NAME),
            json!({"volumes": [{"name": "a", "nfs": {"server": "s", "path": "/a"}}, {"name": "b", "nfs": {"server": "s", "path": "/b"}}]}),
        )
    };
    let unpulled = |image: &str| {
        let state = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
        let status =
            json!([{"name": "main", "image": image, "imageID": "", "ready": false, "restartCount": 3, "state": state}]);
        let pod = json!({"status": {"containerStatuses": status}});
        scene(broken(provisioner("p", image, NAME), pod))
    };
    let starting = json!({"metadata": {"creationTimestamp": "2026-01-01T11:59:50Z"}});
    let nameless = || stopped("p", 1, named(""));
    let refused = |set: &str| {
        let words = "Error creating: pods \"x\" is forbidden: exceeded quota: compute, requested: pods=1, used: \
                     pods=10, limited: pods=10";
        let refused = event("ReplicaSet", set, "FailedCreate", words);
        scene(all([stopped("nfs", 1, json!({})), vec![refused]]))
    };
    let refused_on_nodes = || {
        let words = "Error creating: pods \"nfs-x\" is forbidden: violates PodSecurity \"restricted:latest\": hostPath";
        let mut set = stopped("nfs", 1, json!({})).remove(0);
        set = with(
            set,
            json!({"kind": "DaemonSet", "spec": {"replicas": null}, "status": null}),
        );
        set = with(
            set,
            json!({"status": {"desiredNumberScheduled": 2, "currentNumberScheduled": 0,
            "numberMisscheduled": 0, "numberReady": 0}}),
        );
        scene(vec![set, event("DaemonSet", "nfs", "FailedCreate", words)])
    };
    let elsewhere = || vec![with(nameless().remove(0), json!({"metadata": {"namespace": "tenant"}}))];
    hold! { OLD,
        "starting": scene(broken(good(), starting)) => [];
        "never ready": scene(broken(good(), json!({}))) => ["NFS203 deployment default/p"];
        "stopped, and no claim is pending": all([vec![class("managed", NAME)], stopped("p", 0, json!({}))]) =>
            ["NFS203 deployment default/p as warning"];
        "it mounts what its variables lack": scene(stopped("p", 1, named(NAME))) => ["NFS203 deployment default/p automatic"
            says "kubectl -n default set env deployment/p -c main NFS_SERVER=10.77.0.10 NFS_PATH=/nfsdata"];
        "which of two mounted exports is meant is a guess": scene(stopped("p", 1, two())) =>
            ["NFS203 deployment default/p"];
        "its variables are in a ConfigMap, so it may be another's": scene(stopped("p", 1, from_map(json!([])))) =>
            ["NFS201 storageclass managed"];
        "its name is known, the rest may come from the ConfigMap": scene(stopped("p", 1,
            from_map(json!([{"name": "PROVISIONER_NAME", "value": NAME}])))) =>
            ["NFS203 deployment default/p" says "!lacks"];
        "its own pod is refused": refused("nfs-86dc4") => ["NFS207 deployment default/nfs"
            says "the ResourceQuota of its namespace (compute)"];
        "the pods of its DaemonSet are refused": refused_on_nodes() => ["NFS207 daemonset default/nfs"
            says "the Pod Security Standard of its namespace (restricted:latest)"];
        "the pod of another, whose name begins with its": refused("nfs-client-86dc4") =>
            ["NFS203 deployment default/nfs"];
        "the only name that is not served": all([vec![class("managed", NAME)], nameless()]) =>
            ["NFS203 deployment default/p as warning" says "PROVISIONER_NAME=fuseim.pri/ifs"];
        "one of two names that are not served": all([vec![class("managed", NAME), class("other", "x/nfs")],
            nameless()]) => ["NFS203 deployment default/p as warning" says "PROVISIONER_NAME=NAME"];
        "a nameless one of another namespace": all([vec![class("managed", NAME)], elsewhere()]) => [];
        "what nfsprov's image should be is not known": unpulled("nfsprov:9") => ["NFS204 deployment default/p" says "!set image"];
    }
}

#[test]
fn denied_permissions_and_stale_locks() {
    let review = |resource: &str, verb: &str, allowed: bool| {
        let asked = json!({"group": "", "resource": resource, "verb": verb});
        let spec = json!({"user": "system:serviceaccount:default:p", "resourceAttributes": asked});
        let review =
            json!({"kind": "SubjectAccessReview", "metadata": {}, "spec": spec, "status": {"allowed": allowed}});
        scene(all([good(), vec![review]]))
    };
    let lock = |renewed: &str, more: Vec<Value>| {
        let record = json!({"holderIdentity": "p-0_x", "leaseDurationSeconds": 15, "renewTime": renewed}).to_string();
        let annotations = json!({"control-plane.alpha.kubernetes.io/leader": record});
        let lock = with(
            object("Endpoints", "fuseim.pri-ifs"),
            json!({"metadata": {"annotations": annotations}}),
        );
        scene(all([good(), vec![lock], more]))
    };
    let lease = |namespace: &str, renewed: &str| {
        let lease =
            json!({"metadata": {"namespace": namespace}, "spec": {"holderIdentity": "x", "renewTime": renewed}});
        vec![with(object("Lease", "fuseim.pri-ifs"), lease)]
    };
    let (fresh, stale) = ("2026-01-01T11:59:58.000000Z", "2026-01-01T10:00:00.000000Z");
    hold! { OLD,
        "all allowed": review("persistentvolumes", "create", true) => [];
        // The grant replaces an earlier one, so it has what is not denied, too.
        "one denied": review("persistentvolumes", "delete", false) => ["NFS206 deployment default/p" says
            r#""verbs":["get","list","watch","create","delete"]"# "endpoints" "default-p-needs" "not done by --fix"];
        "what it needs not": review("secrets", "get", false) => [];
        "a live lock": lock("2026-01-01T11:59:58Z", vec![]) => [];
        "a stale lock": lock("2026-01-01T11:00:00Z", vec![]) => ["NFS210 deployment default/p automatic"];
        "a live lock beside a stale one": lock("2026-01-01T11:00:00Z", lease("default", fresh)) => [];
        "a stale lock, and another in a tenant's namespace": lock("2026-01-01T11:00:00Z", lease("tenant", stale)) =>
            ["NFS210 deployment default/p automatic"];
        "a stale lock, and a tenant renews one of its name": lock("2026-01-01T11:00:00Z", lease("tenant", fresh)) =>
            ["NFS210 deployment default/p automatic"];
    }
}

#[test]
fn create_provisioner_names_only_a_known_export() {
    let parameters = json!({"parameters": {"server": "10.0.0.1", "path": "/srv"}});
    let with_parameters = vec![
        with(class("managed", NAME), parameters),
        handed_over("a", "managed", NAME),
    ];
    let taken = all([
        vec![class("other", "example/other")],
        provisioner("nfs-client-provisioner", GOOD, "example/other"),
    ]);
    hold! { OLD,
        "nothing is known": scene(vec![]) => ["NFS201 storageclass managed" says
            "\nnfsprov -n default create provisioner --server SERVER --path /EXPORT --provisioner fuseim.pri/ifs --class managed --flavor upstream --apply\n"
            "in place of SERVER" "not done by --fix: it grants permissions in the whole cluster"];
        // A PV that was made by hand is a volume, and no place for others.
        "a PV is known": scene(vec![volume("v", json!({}))]) => ["NFS201 storageclass managed" says "!/nfsdata"];
        "parameters that only nfsprov knows": with_parameters => ["NFS201 storageclass managed" says
            "\nnfsprov -n default create provisioner --server 10.0.0.1 --path /srv --provisioner fuseim.pri/ifs --class managed --apply\n"];
        // Its usual name is another's here, whose export is not this one's.
        "the name is taken": scene(taken) => ["NFS201 storageclass managed" says
            "create provisioner fuseim-pri-ifs --server SERVER --path /EXPORT "];
    }
}
