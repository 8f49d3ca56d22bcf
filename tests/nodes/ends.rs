//! Pods whose server stops while they run.

use std::sync::Arc;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use nfsprov_lab::container::BUSYBOX;
use nfsprov_lab::guest::Template;
use serde_json::json;

use crate::Test;
use crate::stage::Stage;

pub const TESTS: &[Test] = &[("a_pod_that_cannot_end", |stage| Box::pin(stuck(stage)))];

async fn stuck(stage: Arc<Stage>) -> Result<()> {
    let mut server = stage.lab.guest("leaving", Template::NfsServer).await?;
    let scene = stage.scene("leaving").await?;
    scene.volume(&server, "/nfsdata", &[]).await?;
    // What it has written and the server has not confirmed keeps the volume from being unmounted.
    let writes = "while :; do date > /mydata/date; done";
    let container = json!({
        "name": "app", "image": BUSYBOX, "args": ["/bin/sh", "-c", writes],
        "volumeMounts": [{"name": "mydata", "mountPath": "/mydata"}],
    });
    let pod = json!({"nodeName": stage.node.name(), "containers": [container]});
    scene.pod_where("app", pod).await?;
    scene.running("app").await?;
    server.ssh("until [ -s /nfsdata/date ]; do sleep 0.2; done").await?;
    server.kill().await?;
    scene.pods().delete("app", &DeleteParams::default()).await?;
    // The doctor waits five minutes, by the API server's clock, before it reports a pod as stuck.
    let finding = scene.first_finding("NFS412 Pod/app").await?;
    // Its node is Ready, so the doctor suggests a check of the server; it mentions forced deletion and its risk, not as
    // a command.
    let note = finding["fix"]["note"].to_string();
    ensure!(
        finding["fix"]["command"].is_null() && note.contains("Last resort") && note.contains("a second pod"),
        "{finding}"
    );
    scene
        .kubectl(&[
            "-n",
            &scene.namespace,
            "delete",
            "pod",
            "app",
            "--grace-period=0",
            "--force",
        ])
        .await?;
    let gone = |pod: Option<&Pod>| pod.is_none();
    scene.until("app", "gone", gone).await?;
    scene.wait_until_healthy().await
}
