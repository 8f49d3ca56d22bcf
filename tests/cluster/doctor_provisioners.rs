//! Faults of provisioners on real control planes, like those of claims in [`doctor_faults`](crate::doctor_faults).

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use kube::api::DeleteParams;
use nfsprov_lab::Lane;
use serde_json::{Value, json};

use crate::doctor::{By, is_patched};
use crate::doctor_faults::{BOTH, scene, server};
use crate::faults_nfs::{export, on_export};
use crate::kit::{Scene, output_parts};
use crate::proxy::{self, Proxy};
use crate::stage::Stage;

crate::tests! {
    InTestAll("the tables of the checks of provisioners"): doctor_fixes_missing_provisioners,
    Newest: doctor_fixes_provisioners_that_do_not_run,
    Both("one can send selfLink"): doctor_fixes_images_that_need_self_link,
    OnlyNewest("on 1.20 the next test has it"): doctor_names_a_gate_that_blocks_the_upgrade,
    Oldest("only 1.20 sends selfLink"): doctor_fixes_images_that_the_upgrade_breaks,
    InTestAll("the tables of the checks of provisioners"): doctor_fixes_a_stale_lock,
    Newest: doctor_names_what_refuses_a_provisioners_pod,
    InTestAll("the tables of the checks of provisioners"): doctor_fixes_two_provisioners_of_one_name,
    InTestAll("the tables of the checks of provisioners"): doctor_reports_a_provisioners_events,
    InTestAll("the tables of the checks of pods"): doctor_misses_the_csi_driver,
}

/// A Deployment of a provisioner as upstream's manifest has it, and all permissions for its account.
fn deployment(scene: &Scene, image: &str, replicas: u32, serves: &str, env: bool) -> [Value; 2] {
    let mut variables = vec![json!({"name": "PROVISIONER_NAME", "value": serves})];
    if env {
        variables.push(json!({"name": "NFS_SERVER", "value": server(scene)}));
        variables.push(json!({"name": "NFS_PATH", "value": "/nfsdata"}));
    }
    let labels = json!({"app": "nfs-client-provisioner"});
    let root = json!({"name": "nfs-client-root", "nfs": {"server": server(scene), "path": "/nfsdata"}});
    let container = json!({"name": "nfs-client-provisioner", "image": image, "env": variables,
                           "volumeMounts": [{"name": "nfs-client-root", "mountPath": "/persistentvolumes"}]});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nfs-client-provisioner"}}),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "nfs-client-provisioner"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "strategy": {"type": "Recreate"}, "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": "nfs-client-provisioner", "terminationGracePeriodSeconds": 0,
                         "containers": [container], "volumes": [root]},
            }},
        }),
    ]
}

fn rights(scene: &Scene) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": scene.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "nfs-client-provisioner", "namespace": scene.namespace}],
    })
}

/// A class that a Deployment of `image` serves, with all rights.
pub async fn deployed(scene: &Scene, image: &str) -> Result<()> {
    scene.class(json!({})).await?;
    scene.apply(&[rights(scene)]).await?;
    let objects = deployment(scene, image, 1, &scene.provisioner, true);
    scene.apply(&objects).await
}

const CURRENT: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

async fn doctor_fixes_missing_provisioners(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let kubelet = scene.play_kubelet();
    let parameters = json!({"server": server(&scene), "path": "/nfsdata"});
    scene.class(json!({"parameters": parameters})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    let fix = scene
        .fix_by_hand_only(&format!("NFS201 StorageClass/{}", scene.class))
        .await?;
    ensure!(fix.contains(" create provisioner "), "{fix}");
    kubelet.abort();
    // This provisioner runs instead of the Deployment's image.
    let _provisioner = scene.watch(&[]).await?;
    scene.bound("a").await?;
    stage.give_back(plane).await
}

/// A provisioner that does not serve its class.
struct Fault {
    code: &'static str,
    image: &'static str,
    replicas: u32,
    /// The provisioner name that it serves; empty for the scene's.
    serves: &'static str,
    /// Whether its environment has the export.
    env: bool,
    /// Whether its account has the permissions.
    may: bool,
    /// Reason and message with which its container waits.
    waits: (&'static str, &'static str),
}

const FAULT: Fault = Fault {
    code: "",
    image: CURRENT,
    replicas: 1,
    serves: "",
    env: true,
    may: true,
    waits: ("", ""),
};

async fn doctor_fixes_provisioners_that_do_not_run(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let rows = [
        Fault {
            code: "NFS202",
            serves: "fuseim.pri/ifs",
            ..FAULT
        },
        Fault {
            code: "NFS203",
            replicas: 0,
            ..FAULT
        },
        Fault {
            code: "NFS203",
            env: false,
            ..FAULT
        },
        Fault {
            code: "NFS204",
            image: "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.17",
            waits: ("ErrImagePull", "manifest unknown"),
            ..FAULT
        },
        Fault {
            code: "NFS205",
            image: "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.0",
            waits: (
                "CrashLoopBackOff",
                "exec /nfs-subdir-external-provisioner: exec format error",
            ),
            ..FAULT
        },
        Fault {
            code: "NFS206",
            may: false,
            ..FAULT
        },
        Fault {
            code: "NFS306",
            image: "k8s.gcr.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2",
            ..FAULT
        },
    ];
    for fault in &rows {
        // Names and permissions are decisions for an administrator.
        let by_hand = matches!(fault.code, "NFS202" | "NFS206");
        for way in BOTH.into_iter().take(if by_hand { 1 } else { 2 }) {
            does_not_run(scene(&stage, &plane).await?, fault, way)
                .await
                .with_context(|| format!("{} by {way:?}", fault.code))?;
        }
    }
    stage.give_back(plane).await
}

async fn does_not_run(scene: Scene, fault: &Fault, way: By) -> Result<()> {
    let image = if fault.waits.0.is_empty() { "" } else { fault.image };
    let play = || scene.play_kubelet_that_fails(image, fault.waits.0, fault.waits.1);
    // A container without its settings never runs.
    let kubelet = fault.env.then(play);
    scene.class(json!({})).await?;
    if fault.may {
        scene.apply(&[rights(&scene)]).await?;
    }
    let serves = if fault.serves.is_empty() {
        &scene.provisioner
    } else {
        fault.serves
    };
    let objects = deployment(&scene, fault.image, fault.replicas, serves, fault.env);
    scene.apply(&objects).await?;
    scene.claim_handed_over("a", json!({})).await?;
    let object = match fault.code {
        "NFS202" => format!("StorageClass/{}", scene.class),
        _ => "Deployment/nfs-client-provisioner".to_owned(),
    };
    let wanted = format!("{} {object}", fault.code);
    if fault.code == "NFS202" {
        // An administrator decides which of the two names is right.
        let finding = scene.first_finding(&wanted).await?;
        ensure!(finding["fix"]["command"].is_null(), "{finding}");
        let set_env = format!(
            "kubectl -n {} set env deployment/nfs-client-provisioner PROVISIONER_NAME={}",
            scene.namespace, scene.provisioner
        );
        scene.administer(&set_env).await?;
    } else if fault.code == "NFS206" {
        scene.fix_by_hand_only(&wanted).await?;
    } else {
        match way {
            By::Command => {
                let finding = scene.first_finding(&wanted).await?;
                let fix = finding["fix"]["command"].as_str().context("no fix")?;
                scene.administer(fix).await?;
            }
            // The claim stays Pending, because no image runs here that would serve it.
            By::Fix => {
                let (_, stderr, _) = output_parts(&scene.fix(&wanted, "1s").await?);
                ensure!(is_patched(&stderr), "{stderr}");
            }
        }
    }
    let kubelet = kubelet.unwrap_or_else(play);
    scene.wait_until_healthy(&format!("{wanted} by {way:?}")).await?;
    kubelet.abort();
    // The doctor suggests no provisioner name that another class uses, so this class would change later findings.
    scene.classes().delete(&scene.class, &DeleteParams::default()).await?;
    remove_provisioner(&scene).await
}

/// Deletes the Deployment, because the doctor searches the whole cluster for provisioners.
async fn remove_provisioner(scene: &Scene) -> Result<()> {
    let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
        kube::Api::namespaced(scene.client.clone(), &scene.namespace);
    deployments
        .delete("nfs-client-provisioner", &DeleteParams::default())
        .await?;
    Ok(())
}

pub const ARTICLE: &str = "quay.io/external_storage/nfs-client-provisioner:latest";

async fn doctor_fixes_images_that_need_self_link(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let printed = scene(&stage, &plane).await?;
    let kubelet = printed.play_kubelet();
    deployed(&printed, ARTICLE).await?;
    printed.claim_handed_over("mypvc", json!({})).await?;
    let wanted = "NFS301 Deployment/nfs-client-provisioner";
    let finding = printed.first_finding(wanted).await?;
    ensure!(finding["confidence"] == "certain", "{finding}");
    ensure!(finding["explains"][0]["name"] == "mypvc", "{finding}");
    let note = finding["fix"]["note"].as_str().unwrap_or_default();
    let gate = note.contains("--feature-gates=RemoveSelfLink=false");
    ensure!(gate == (stage.lane() == Lane::V1_20), "{note}");
    printed.fix_as_printed(wanted).await?;
    kubelet.abort();
    remove_provisioner(&printed).await?;

    // The automatic fix keeps the provisioner's name; an administrator grants the permissions for its Lease.
    let fixed = scene(&stage, &plane).await?;
    let kubelet = fixed.play_kubelet();
    fixed.class(json!({})).await?;
    fixed.apply(&rights_but_locking(&fixed)).await?;
    fixed
        .apply(&deployment(&fixed, ARTICLE, 1, &fixed.provisioner, true))
        .await?;
    fixed.claim_handed_over("mypvc", json!({})).await?;
    let (_, stderr, code) = output_parts(&fixed.fix("NFS301 Deployment/nfs-client-provisioner", "5s").await?);
    ensure!(code == 1 && is_patched(&stderr), "{code}: {stderr}");
    let shown = format!("image: \"{CURRENT}\"");
    ensure!(
        stderr
            .lines()
            .any(|line| line.starts_with('+') && line.ends_with(&shown)),
        "{stderr}"
    );
    let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
        kube::Api::namespaced(fixed.client.clone(), &fixed.namespace);
    let fixed_deployment = serde_json::to_value(deployments.get("nfs-client-provisioner").await?)?;
    let container = &fixed_deployment["spec"]["template"]["spec"]["containers"][0];
    ensure!(container["image"] == CURRENT, "{container}");
    let name = json!({"name": "PROVISIONER_NAME", "value": fixed.provisioner});
    ensure!(container["env"][0] == name, "{container}");
    fixed
        .fix_by_hand_only("NFS206 Deployment/nfs-client-provisioner")
        .await?;
    kubelet.abort();
    stage.give_back(plane).await
}

/// All permissions of a provisioner except those for its lock.
fn rights_but_locking(scene: &Scene) -> Vec<Value> {
    let rule = |group: &str, resource: &str, verbs: &[&str]| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
    let name = &scene.namespace;
    let mut binding = rights(scene);
    binding["roleRef"]["name"] = json!(name);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [
            rule("", "persistentvolumeclaims", &["get", "list", "watch", "update"]),
            rule("", "persistentvolumes", &["get", "list", "watch", "create", "delete"]),
            rule("storage.k8s.io", "storageclasses", &["get", "list", "watch"]),
            rule("", "events", &["create", "update", "patch"]),
        ],
    });
    vec![role, binding]
}

/// The version that a server of 1.19 reports.
const BEFORE: &str = r#"{"major": "1", "minor": "19", "gitVersion": "v1.19.16", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "2021-10-27T18:22:30Z", "goVersion": "go1.15.15", "compiler": "gc", "platform": "linux/amd64"}"#;

/// A server older than 1.20 cannot be built here, because its modules lack files that its own build generates. A server
/// of 1.20 that sends selfLink, as older ones do, replaces it, and a proxy before it reports the older version.
async fn doctor_fixes_images_that_the_upgrade_breaks(stage: Arc<Stage>) -> Result<()> {
    let plane = stage
        .control_plane_with(&["--feature-gates=RemoveSelfLink=false"])
        .await?;
    for way in BOTH {
        let mut scene = scene(&stage, &plane).await?;
        let kubelet = scene.play_kubelet();
        let proxy = Proxy::before(&scene, None).await?;
        proxy.inject(usize::MAX, proxy::Fault::Instead(BEFORE), |_, uri| {
            uri.path() == "/version"
        });
        scene.kubeconfig = proxy.kubeconfig.clone();
        deployed(&scene, ARTICLE).await?;
        let wanted = "NFS305 Deployment/nfs-client-provisioner";
        ensure!(scene.first_finding(wanted).await?["severity"] == "warning");
        match way {
            By::Command => _ = scene.fix_as_printed(wanted).await?,
            By::Fix => {
                // The doctor changes only what a claim waits for.
                scene.claim_handed_over("a", json!({})).await?;
                let (_, stderr, _) = output_parts(&scene.fix(wanted, "5s").await?);
                ensure!(is_patched(&stderr), "{stderr}");
                scene.wait_until_healthy("--fix").await?;
            }
        }
        kubelet.abort();
        remove_provisioner(&scene).await?;
    }
    // Reported with its real version, the server has a gate that later ones refuse and with which the old image works.
    let scene = scene(&stage, &plane).await?;
    let kubelet = scene.play_kubelet();
    deployed(&scene, ARTICLE).await?;
    scene.claim_handed_over("mypvc", json!({})).await?;
    let finding = scene.first_finding("NFS303 Cluster/kube-apiserver").await?;
    ensure!(finding["severity"] == "warning", "{finding}");
    let named = scene.doctor(&[]).await?.findings();
    ensure!(!named.iter().any(|finding| finding.starts_with("NFS301")), "{named:?}");
    kubelet.abort();
    plane.stop().await
}

async fn doctor_fixes_a_stale_lock(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    for way in BOTH {
        let scene = scene(&stage, &plane).await?;
        let kubelet = scene.play_kubelet();
        let record = json!({
            "holderIdentity": "gone", "leaseDurationSeconds": 15, "renewTime": "2021-02-14T10:22:35Z",
            "acquireTime": "2021-02-14T10:22:35Z", "leaderTransitions": 0,
        });
        let annotations = json!({"control-plane.alpha.kubernetes.io/leader": record.to_string()});
        let lock = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {
            "name": scene.provisioner.replace('/', "-"), "annotations": annotations}});
        scene.apply(&[lock]).await?;
        deployed(&scene, CURRENT).await?;
        scene.claim_handed_over("a", json!({})).await?;
        let wanted = "NFS210 Deployment/nfs-client-provisioner";
        match way {
            By::Command => _ = scene.fix_as_printed(wanted).await?,
            By::Fix => {
                // No image runs here that would serve the claim afterwards.
                let (_, stderr, code) = output_parts(&scene.fix(wanted, "1s").await?);
                ensure!(code == 0 && stderr.contains("deleted"), "{code}: {stderr}");
                scene.wait_until_healthy("--fix").await?;
            }
        }
        kubelet.abort();
        remove_provisioner(&scene).await?;
    }
    stage.give_back(plane).await
}

/// Later servers do not start with it; the finding is based on the last start of a node's server.
async fn doctor_names_a_gate_that_blocks_the_upgrade(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let args = r#"["server","--kube-apiserver-arg","feature-gates=RemoveSelfLink=false"]"#;
    let annotations = json!({"k3s.io/node-args": args});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "server", "annotations": annotations}});
    scene.apply(&[node]).await?;
    scene.first_finding("NFS304 Cluster/kube-apiserver").await?;
    stage.give_back(plane).await
}

async fn doctor_names_what_refuses_a_provisioners_pod(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let quota = (
        "printf '%s' '{\"apiVersion\": \"v1\", \"kind\": \"ResourceQuota\", \"metadata\": {\"name\": \"none\"}, \"spec\": {\"hard\": {\"pods\": \"0\"}}}' | kubectl -n NAMESPACE apply -f -",
        "kubectl -n NAMESPACE delete quota none",
    );
    let security = (
        "kubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce=restricted",
        "kubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce-",
    );
    let mut rules = vec![quota];
    // The namespace's label has an effect from 1.25 on.
    if stage.lane() != Lane::V1_20 {
        rules.push(security);
    }
    for (rule, gone) in rules {
        let scene = scene(&stage, &plane).await?;
        let kubelet = scene.play_kubelet();
        let here = |line: &str| line.replace("NAMESPACE", &scene.namespace);
        scene.administer(&here(rule)).await?;
        deployed(&scene, CURRENT).await?;
        scene.claim_handed_over("a", json!({})).await?;
        let finding = scene.first_finding("NFS207 Deployment/nfs-client-provisioner").await?;
        ensure!(finding["explains"][0]["name"] == "a", "{finding}");
        scene.administer(&here(gone)).await?;
        scene.wait_until_healthy(gone).await?;
        kubelet.abort();
        remove_provisioner(&scene).await?;
    }
    stage.give_back(plane).await
}

async fn doctor_fixes_two_provisioners_of_one_name(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let kubelet = scene.play_kubelet();
    deployed(&scene, CURRENT).await?;
    let [_, mut other] = deployment(&scene, CURRENT, 1, &scene.provisioner, true);
    let labels = json!({"app": "once-more"});
    other["metadata"]["name"] = json!("once-more");
    other["spec"]["selector"]["matchLabels"] = labels.clone();
    other["spec"]["template"]["metadata"]["labels"] = labels;
    scene.apply(&[other]).await?;
    let fix = scene.fix_as_printed("NFS212 Deployment/once-more").await?;
    ensure!(fix.contains(" scale deployment/once-more "), "{fix}");
    kubelet.abort();
    stage.give_back(plane).await
}

async fn doctor_reports_a_provisioners_events(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = on_export(scene(&stage, &plane).await?, "true", "ro,no_root_squash").await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    let finding = scene.first_finding("NFS217 PersistentVolumeClaim/a").await?;
    ensure!(
        finding["evidence"].to_string().contains("read-only file system"),
        "{finding}"
    );
    export(&scene, "rw,no_root_squash").await?;
    scene.bound("a").await?;
    scene.wait_until_healthy("it is writable").await?;
    stage.give_back(plane).await
}

async fn doctor_misses_the_csi_driver(stage: Arc<Stage>) -> Result<()> {
    const DRIVER: &str = "nfs.csi.k8s.io";
    let plane = stage.cleared_control_plane().await?;
    let mut scene = scene(&stage, &plane).await?;
    scene.provisioner = DRIVER.to_owned();
    scene.class(json!({})).await?;
    scene.claim_handed_over("a", json!({})).await?;
    scene
        .first_finding(&format!("NFS211 StorageClass/{}", scene.class))
        .await?;
    let driver = json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER},
                        "spec": {"attachRequired": false}});
    scene.apply(&[driver]).await?;
    scene
        .first_finding(&format!("NFS215 StorageClass/{}", scene.class))
        .await?;

    // A node without a pod of its DaemonSet.
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "made"},
        "spec": {"storageClassName": scene.class, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                 "csi": {"driver": DRIVER, "volumeHandle": "made"}},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"},
        "spec": {"nodeName": "lonely", "containers": [{"name": "app", "image": "busybox"}],
                 "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "a"}}]},
    });
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "lonely"}});
    scene.service_account().await?;
    scene.apply(&[volume, node, pod]).await?;
    scene.bound("a").await?;
    scene.first_finding("NFS211 Node/lonely").await?;
    let drivers = json!([{"name": DRIVER, "nodeID": "lonely", "topologyKeys": []}]);
    let there = json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "lonely"},
                       "spec": {"drivers": drivers}});
    scene.apply(&[there]).await?;
    scene.wait_until_healthy("the driver is on the node").await?;
    stage.give_back(plane).await
}
