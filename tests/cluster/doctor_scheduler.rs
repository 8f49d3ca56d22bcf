//! Findings that need a scheduler. No kubelet runs here: the node is only an object, to which the scheduler binds pods.

use std::sync::Arc;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use kube::runtime::wait::{Condition, await_condition};
use nfsprov_lab::Lane;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::doctor_faults::volume;
use crate::kit::EVENT_TIMEOUT;
use crate::stage::Stage;

crate::tests! {
    Newest: doctor_names_the_other_user_of_a_claim_for_one_pod,
}

/// A pod that uses the claim `mypvc` and tolerates a node that is not ready.
fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "containers": [{"name": "app", "image": "app", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "mypvc"}}],
        "tolerations": [{"operator": "Exists"}],
    }})
}

fn is_scheduled() -> impl Condition<Pod> {
    |pod: Option<&Pod>| pod.and_then(|pod| pod.spec.as_ref()?.node_name.as_ref()).is_some()
}

async fn doctor_names_the_other_user_of_a_claim_for_one_pod(stage: Arc<Stage>) -> Result<()> {
    let modes = json!({"accessModes": ["ReadWriteOncePod"]});
    if stage.lane() == Lane::V1_20 {
        // The feature is from 1.22, so a cluster of 1.20 cannot have the fault.
        let scene = stage.scene().await?;
        let Err(refused) = scene.claim("mypvc", modes).await else {
            anyhow::bail!("1.20 accepts ReadWriteOncePod");
        };
        let refused = format!("{refused:#}");
        ensure!(refused.contains("accessModes"), "{refused}");
        return Ok(());
    }
    let plane = stage.control_plane_that_schedules().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}});
    scene.apply(&[node, volume(&scene, "pv", modes.clone())]).await?;
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(scene.client.clone());
    let room = json!({"status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}}});
    nodes
        .patch_status("node1", &Default::default(), &kube::api::Patch::Merge(room))
        .await?;
    scene.claim("mypvc", modes).await?;
    scene.bound("mypvc").await?;

    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
    scene.apply(&[pod("first")]).await?;
    timeout(EVENT_TIMEOUT, await_condition(pods.clone(), "first", is_scheduled())).await??;
    scene.apply(&[pod("second")]).await?;
    let finding = scene.first_finding("NFS120 Pod/second").await?;
    ensure!(finding["fix"]["automatic"] == false, "{finding}");

    // The fix ends the other pod. No kubelet runs that would end it.
    pods.delete("first", &DeleteParams::default().grace_period(0)).await?;
    timeout(EVENT_TIMEOUT, await_condition(pods, "second", is_scheduled())).await??;
    scene.wait_until_healthy("NFS120: the other pod is gone").await?;
    plane.stop().await
}
