//! Pods that are Pending: for a node, for their claim, or, in case of a provisioner, for the export that it mounts.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PersistentVolume;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::DeleteParams;
use nfsprov_lab::container::BUSYBOX;
use serde_json::{Value, json};

use crate::Test;
use crate::stage::Stage;

pub const TESTS: &[Test] = &[
    ("a_volume_that_no_node_may_use", |stage| Box::pin(affinity(stage))),
    ("a_pod_whose_claim_is_not_bound", |stage| Box::pin(unbound(stage))),
    ("a_provisioner_that_cannot_mount", |stage| Box::pin(unmounted(stage))),
];

/// Selects the node with an NFS client through the scheduler.
fn on_the_node(stage: &Stage) -> Value {
    json!({"nodeSelector": {"kubernetes.io/hostname": stage.node.name()}})
}

async fn affinity(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("affinity").await?;
    let volume = json!({
        "metadata": {"name": "affinity"},
        "spec": {
            "storageClassName": "nfs", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
            "nfs": {"server": stage.nfs.address().to_string(), "path": "/nfsdata"},
            "claimRef": {"namespace": "affinity", "name": "data"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["left"]}]}]}},
        },
    });
    let volumes: Api<PersistentVolume> = Api::all(scene.client.clone());
    volumes
        .create(&Default::default(), &serde_json::from_value(volume)?)
        .await?;
    let claim = [
        "create", "pvc", "data", "--class", "nfs", "--size", "1Gi", "--apply", "--wait",
    ];
    scene.done(&claim).await?;
    scene.pod_where("app", on_the_node(&stage)).await?;
    let finding = scene.first_finding("NFS116 Pod/app").await?;
    ensure!(finding["evidence"].to_string().contains("rack In left"), "{finding}");
    // One of the two fixes that it suggests.
    scene
        .kubectl(&["label", "node", stage.node.name(), "rack=left"])
        .await?;
    scene.running("app").await?;
    scene.wait_until_healthy().await
}

async fn unbound(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene("unbound").await?;
    let claim = ["create", "pvc", "data", "--class", "nfs", "--size", "1Gi", "--apply"];
    scene.done(&claim).await?;
    scene.pod_where("app", on_the_node(&stage)).await?;
    // The report has the pod's own finding below the claim's cause, and only there.
    let finding = scene.first_finding("NFS102 PersistentVolumeClaim/data").await?;
    ensure!(finding["explains"][0]["name"] == "app", "{finding}");
    let volume = [
        "create",
        "pv",
        "unbound",
        "--server",
        &stage.nfs.address().to_string(),
        "--path",
        "/nfsdata",
        "--size",
        "1Gi",
        "--claim",
        "unbound/data",
        "--apply",
    ];
    scene.done(&volume).await?;
    scene.running("app").await?;
    scene.wait_until_healthy().await
}

async fn unmounted(stage: Arc<Stage>) -> Result<()> {
    const NAME: &str = "fuseim.pri/ifs";
    let scene = stage.scene("unmounted").await?;
    let server = stage.nfs.address().to_string();
    let labels = json!({"app": "provisioner"});
    let mut spec = json!({
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": "provisioner", "image": BUSYBOX, "args": ["/bin/sh", "-c", "sleep 30000"],
            "env": [{"name": "PROVISIONER_NAME", "value": NAME}, {"name": "NFS_SERVER", "value": server},
                    {"name": "NFS_PATH", "value": "/nfsdata/unmounted"}],
            "volumeMounts": [{"name": "root", "mountPath": "/persistentvolumes"}],
        }],
        "volumes": [{"name": "root", "nfs": {"server": server, "path": "/nfsdata/unmounted"}}],
    });
    spec["nodeSelector"] = on_the_node(&stage)["nodeSelector"].clone();
    let deployment = json!({
        "metadata": {"name": "provisioner"},
        "spec": {"selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": spec}},
    });
    let rights = json!({
        "metadata": {"name": "unmounted"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "unmounted"}],
    });
    let bindings: Api<ClusterRoleBinding> = Api::all(scene.client.clone());
    bindings
        .create(&Default::default(), &serde_json::from_value(rights)?)
        .await?;
    let class = ["create", "storageclass", "unmounted", "--provisioner", NAME, "--apply"];
    scene.done(&class).await?;
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    deployments
        .create(&Default::default(), &serde_json::from_value(deployment)?)
        .await?;
    let finding = scene.first_finding("NFS208 Deployment/provisioner").await?;
    let cause = finding["cause"].as_str().context("it has no cause")?;
    ensure!(cause.contains("doesn't exist on the server"), "{cause}");
    stage.nfs.ssh("mkdir /nfsdata/unmounted").await?;
    scene.wait_until_healthy().await?;
    deployments.delete("provisioner", &DeleteParams::default()).await?;
    Ok(())
}
