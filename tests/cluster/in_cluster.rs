//! The provisioner as users run it: its pods under the admission of a real API server, and as a systemd service.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::UnixDatagram;
use tokio::time::{Instant, timeout};

use crate::kit::{EVENT_TIMEOUT, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    OnlyNewest("1.20 has no Pod Security admission"): a_restricted_namespace_admits_the_provisioner,
    Oldest("the newest runs it without root"): an_old_cluster_gets_a_provisioner_that_it_can_run,
    Both("what RBAC is asked differs"): the_provisioner_uses_every_permission_and_needs_no_other,
    Newest: systemd_hears_that_the_provisioner_is_ready_and_that_it_stops,
}

/// The pod that the Deployment of `create provisioner` creates.
async fn pod(scene: &Scene, kubernetes: &str) -> Result<Pod> {
    let create = format!("create provisioner --server s --path /p --kubernetes {kubernetes}");
    let (yaml, stderr, code) = output_parts(&scene.nfsprov(&create.split(' ').collect::<Vec<_>>()).await?);
    ensure!(code == 0, "{stderr}");
    let deployment = serde_yaml::Deserializer::from_str(&yaml)
        .map(Value::deserialize)
        .find(|object| object.as_ref().is_ok_and(|object| object["kind"] == "Deployment"))
        .context("no Deployment")??;
    let mut pod = json!({"metadata": {"name": "provisioner"}, "spec": deployment["spec"]["template"]["spec"]});
    // The test does not create that account; admission of Pod Security does not depend on it.
    pod["spec"]["serviceAccountName"] = "default".into();
    Ok(serde_json::from_value(pod)?)
}

async fn a_restricted_namespace_admits_the_provisioner(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.service_account().await?;
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    namespaces
        .patch(&scene.namespace, &PatchParams::default(), &Patch::Merge(labels))
        .await?;
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    pods.create(&dry_run, &pod(&scene, "1.22").await?).await?;
    // The namespace enforces the level: a pod that runs as root is refused.
    let refused = pods.create(&dry_run, &pod(&scene, "1.20").await?).await;
    let error = refused
        .err()
        .context("a pod that runs as root was admitted")?
        .to_string();
    ensure!(error.contains("restricted"), "{error}");
    Ok(())
}

async fn an_old_cluster_gets_a_provisioner_that_it_can_run(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let create = format!(
        "create provisioner --server s --path /p --provisioner {} --class {} --dry-run server",
        scene.provisioner, scene.class
    );
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&create.split(' ').collect::<Vec<_>>()).await?);
    ensure!(code == 0, "{stderr}");
    ensure!(
        stderr.contains("older than 1.22: the provisioner's pods run as root"),
        "{stderr}"
    );
    // This API server does not have policy/v1.
    ensure!(!stdout.contains("poddisruptionbudget"), "{stdout}");
    Ok(())
}

async fn systemd_hears_that_the_provisioner_is_ready_and_that_it_stops(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    // A blocking read with a time limit would end at any SIGCHLD of this process: signal(7).
    let receive_state = async || -> Result<String> {
        let mut buffer = [0; 64];
        let received = timeout(EVENT_TIMEOUT, socket.recv(&mut buffer)).await;
        let length = received.context("systemd hears nothing")??;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    let path = path.to_str().context("a path that is no text")?;
    let provisioner = scene.start_in(&[("NOTIFY_SOCKET", path)], &scene.kubeconfig, &[])?;
    ensure!(receive_state().await? == "READY=1");
    ensure!(provisioner.stop().await?.success());
    ensure!(receive_state().await? == "STOPPING=1");
    Ok(())
}

/// Group, resource and verb.
type Permission = (String, String, String);

fn permissions_of(rules: Option<Vec<PolicyRule>>) -> BTreeSet<Permission> {
    let mut permissions = BTreeSet::new();
    for rule in rules.unwrap_or_default() {
        for group in rule.api_groups.unwrap_or_default() {
            for resource in rule.resources.iter().flatten() {
                let with = |verb: &String| (group.clone(), resource.clone(), verb.clone());
                permissions.extend(rule.verbs.iter().map(with));
            }
        }
    }
    permissions
}

/// The permissions that a user used, from an audit log; an error if a request was forbidden.
fn permissions_used(audit_log: &str, user: &str) -> Result<BTreeSet<Permission>> {
    let mut permissions = BTreeSet::new();
    // The last line may be incomplete.
    for event in audit_log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        if event["user"]["username"] != user || event["objectRef"].is_null() {
            continue;
        }
        let decision = &event["annotations"]["authorization.k8s.io/decision"];
        ensure!(decision == "allow", "{event}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &event["objectRef"];
        let resource = match object["subresource"].as_str() {
            Some(below) => format!("{}/{below}", text(&object["resource"])),
            None => text(&object["resource"]),
        };
        permissions.insert((text(&object["apiGroup"]), resource, text(&event["verb"])));
    }
    Ok(permissions)
}

/// Waits until a user has used all of these permissions; returns all permissions that it used.
async fn wait_until_used(audit_log: &Path, user: &str, wanted: &BTreeSet<Permission>) -> Result<BTreeSet<Permission>> {
    let end = Instant::now() + EVENT_TIMEOUT;
    loop {
        let used = permissions_used(&std::fs::read_to_string(audit_log)?, user)?;
        let unused: Vec<_> = wanted.difference(&used).collect();
        if unused.is_empty() {
            return Ok(used);
        }
        ensure!(
            Instant::now() < end,
            "granted and never used: {unused:?}; used: {used:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn the_provisioner_uses_every_permission_and_needs_no_other(stage: Arc<Stage>) -> Result<()> {
    let (policy, audit_log) = (stage.file("audit-policy.yaml"), stage.file("audit.log"));
    // Entries of that stage have no decision yet.
    let rules = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}],
    });
    std::fs::write(&policy, rules.to_string())?;
    let audit = [
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", audit_log.display()),
    ];
    let plane = stage.control_plane_with(&[&audit[0], &audit[1]]).await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    let create = format!(
        "create provisioner --server s --path /p --replicas 2 --allow-expansion --network-policy --provisioner {} --class {} --apply",
        scene.provisioner, scene.class
    );
    let (_, stderr, code) = output_parts(&scene.nfsprov(&create.split(' ').collect::<Vec<_>>()).await?);
    ensure!(code == 0, "{stderr}");
    let cluster_role = format!("nfsprov:{}:nfsprov", scene.namespace);
    let cluster_role = Api::<ClusterRole>::all(scene.client.clone()).get(&cluster_role).await?;
    let role = Api::<Role>::namespaced(scene.client.clone(), &scene.namespace);
    let mut granted = permissions_of(cluster_role.rules);
    granted.append(&mut permissions_of(role.get("nfsprov").await?.rules));

    let user = format!("system:serviceaccount:{}:nfsprov", scene.namespace);
    let lease = ["--leader-elect", "--lease-namespace", &scene.namespace];
    let provisioner = scene.watch_as(&plane.kubeconfig_for(&user, &[])?, &lease).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let larger = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    let (params, larger) = (PatchParams::default(), Patch::Merge(&larger));
    scene.claims().patch("a", &params, &larger).await?;
    scene.event("a", "VolumeResizeSuccessful").await?;
    scene.delete_with_volume("a", &volume).await?;
    // The API server logs watches when they end.
    let (watches, others) = granted.iter().cloned().partition(|(_, _, verb)| verb == "watch");
    wait_until_used(&audit_log, &user, &others).await?;
    ensure!(provisioner.stop().await?.success());
    let used = wait_until_used(&audit_log, &user, &watches).await?;
    ensure!(used == granted, "used: {used:?}; granted: {granted:?}");
    plane.stop().await
}
