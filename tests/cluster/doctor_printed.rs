//! What the doctor and `create` print or apply is minimal: permissions, and claims that a user prepared.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::doctor_faults::volume;
use crate::kit::{EVENT_TIMEOUT, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: doctor_asks_for_the_rights_that_it_reads_by_and_no_others,
    Newest: two_provisioners_of_one_name_keep_their_rights,
    Newest: doctor_does_not_change_claims_that_a_user_prepared,
}

/// The answers of `kubectl auth can-i` to the questions.
async fn can_i(scene: &Scene, questions: &[&str]) -> Result<Vec<bool>> {
    let each = questions
        .iter()
        .map(|question| async move { scene.shell(&format!("kubectl auth can-i {question}")).await });
    // kubectl ends with status 1 if the answer is no.
    let output_text: Vec<_> = try_join_all(each).await?.iter().map(output_parts).collect();
    for (stdout, stderr, _) in &output_text {
        ensure!(["yes", "no"].contains(&stdout.trim()), "{stdout}{stderr}");
    }
    Ok(output_text.iter().map(|(stdout, ..)| stdout.trim() == "yes").collect())
}

async fn allows(scene: &Scene, wanted: bool, questions: &[&str]) -> Result<()> {
    for (question, allowed) in questions.iter().zip(can_i(scene, questions).await?) {
        ensure!(allowed == wanted, "{question}: {allowed}");
    }
    Ok(())
}

async fn doctor_asks_for_the_rights_that_it_reads_by_and_no_others(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let mut scene = stage.scene_on(plane.kubeconfig()).await?;
    let namespace = scene.namespace.clone();
    // The doctor also reads a provisioner's log, Lease and permissions, for which it needs further permissions.
    let labels = json!({"app": "p"});
    let container =
        json!({"name": "p", "image": "nfsprov:1", "env": [{"name": "PROVISIONER_NAME", "value": "reader/nfs"}]});
    scene.service_account().await?;
    scene.class(json!({"provisioner": "reader/nfs"})).await?;
    scene
        .apply(&[json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p"},
            "spec": {"selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
        })])
        .await?;
    // Waits until its pod exists, so that there is a log to read.
    let there = |deployment: Option<&Deployment>| {
        deployment.and_then(|deployment| deployment.status.as_ref()?.replicas) == Some(1)
    };
    let deployments = Api::namespaced(scene.client.clone(), &namespace);
    timeout(EVENT_TIMEOUT, await_condition(deployments, "p", there)).await??;
    let admin = scene.kubeconfig.clone();
    let reader = plane.kubeconfig_for("test-reader", &[])?;
    let mut commands = BTreeSet::new();
    // Each grant lets the doctor read more objects, for which it may need further permissions.
    loop {
        scene.kubeconfig.clone_from(&reader);
        let diagnosis = scene.doctor(&[]).await?;
        let all = diagnosis.report["findings"].as_array().cloned().unwrap_or_default();
        let Some(finding) = all.iter().find(|finding| finding["code"] == "NFS002") else {
            break;
        };
        let command = finding["fix"]["command"].as_str().context("no command")?.to_owned();
        scene.kubeconfig.clone_from(&admin);
        let (_, stderr, code) = output_parts(&scene.shell(&command).await?);
        ensure!(code == 0, "{command}: {stderr}");
        ensure!(
            commands.insert(command),
            "the printed command changed nothing: {finding}"
        );
    }
    ensure!(commands.len() > 1, "{commands:?}");
    // The first command, run again, neither fails nor removes the permissions that later ones granted.
    scene.kubeconfig = admin;
    for command in &commands {
        let (_, stderr, code) = output_parts(&scene.shell(command).await?);
        ensure!(code == 0, "{command}: {stderr}");
    }
    scene.kubeconfig = reader;
    let skipped = scene.doctor(&[]).await?.report["skipped"].clone();
    ensure!(skipped == json!([]), "{skipped}");
    let here = |question: &str| format!("{question} -n {namespace}");
    let (pods, logs, claims, events) = (
        here("list pods"),
        here("get pods --subresource=log"),
        here("list persistentvolumeclaims"),
        here("list events"),
    );
    let lock = here("get endpoints/reader-nfs");
    allows(
        &scene,
        true,
        &[
            "list persistentvolumes",
            "get storageclasses",
            "list nodes",
            "list deployments.apps -A",
            "create subjectaccessreviews.authorization.k8s.io",
            "list events -n default",
            &format!("get namespaces/{namespace}"),
            &pods,
            &logs,
            &claims,
            &events,
            &lock,
        ],
    )
    .await?;
    let (new_pod, other_lock, secrets) = (here("create pods"), here("get endpoints/other"), here("list secrets"));
    let (new_claim, no_claim) = (
        here("create persistentvolumeclaims"),
        here("delete persistentvolumeclaims"),
    );
    allows(
        &scene,
        false,
        &[
            "create persistentvolumes",
            "patch persistentvolumes",
            "delete persistentvolumes",
            "create nodes",
            "create storageclasses",
            "create deployments.apps -n default",
            "create leases.coordination.k8s.io -n default",
            "list subjectaccessreviews.authorization.k8s.io",
            "list namespaces",
            "get namespaces/default",
            "list pods -n default",
            "list persistentvolumeclaims -n default",
            "list events -n kube-system",
            &new_pod,
            &new_claim,
            &no_claim,
            &other_lock,
            &secrets,
        ],
    )
    .await?;
    // Permissions for one user only.
    scene.kubeconfig = plane.kubeconfig_for("test-other", &[])?;
    allows(&scene, false, &["list persistentvolumes", &pods]).await?;
    stage.give_back(plane).await
}

async fn two_provisioners_of_one_name_keep_their_rights(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let one = stage.scene_on(plane.kubeconfig()).await?;
    let other = stage.scene_on(plane.kubeconfig()).await?;
    // Objects that an earlier version applied, with names that lack the namespace.
    let subject = json!([{"kind": "ServiceAccount", "name": "old", "namespace": one.namespace}]);
    let group = "rbac.authorization.k8s.io";
    one.apply(&[
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "old-runner"},
               "rules": [{"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["create"]}]}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "run-old"},
               "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "old-runner"}, "subjects": subject}),
    ])
    .await?;
    for (scene, name) in [(&one, "up"), (&other, "up"), (&one, "old"), (&one, "up")] {
        let class = format!("{}-{name}", scene.namespace);
        let provisioner = format!("{}/{name}", scene.provisioner.replace('/', "."));
        let args = [
            "create",
            "provisioner",
            name,
            "--flavor",
            "upstream",
            "--server",
            "10.0.0.1",
            "--path",
            "/x",
            "--provisioner",
            &provisioner,
            "--class",
            &class,
            "--apply",
        ];
        let (_, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
        ensure!(code == 0, "{stderr}");
    }
    let mut questions = Vec::new();
    for (scene, name) in [(&one, "up"), (&other, "up"), (&one, "old")] {
        let account = format!("system:serviceaccount:{}:{name}", scene.namespace);
        for right in [
            "create persistentvolumes",
            "update persistentvolumeclaims",
            "get storageclasses",
        ] {
            questions.push(format!("{right} --as={account}"));
        }
    }
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    allows(&one, true, &questions).await?;
    // Each binding has one account, and objects that existed before are unchanged.
    let subjects = |name: &str| {
        let line = format!("kubectl get clusterrolebinding {name} -o json");
        let scene = &one;
        async move {
            let (stdout, stderr, code) = output_parts(&scene.shell(&line).await?);
            ensure!(code == 0, "{line}: {stderr}");
            let binding: Value = serde_json::from_str(&stdout)?;
            Ok(binding["subjects"].clone())
        }
    };
    ensure!(subjects("run-old").await? == subject);
    for scene in [&one, &other] {
        let account = json!([{"kind": "ServiceAccount", "name": "up", "namespace": scene.namespace}]);
        ensure!(subjects(&format!("nfsprov:{}:up", scene.namespace)).await? == account);
    }
    stage.give_back(plane).await
}

async fn doctor_does_not_change_claims_that_a_user_prepared(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    // `volumes restore --create-claim` creates the claim before its PV in this form.
    let restored = format!("restored-{}", scene.namespace);
    let byhand = format!("byhand-{}", scene.namespace);
    let spec = json!({"storageClassName": byhand, "volumeName": restored});
    let prepared = scene.claim("www-web-0", spec).await?;
    let template = json!({"metadata": {"name": "www"}, "spec": {"storageClassName": scene.class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let pod =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}});
    scene
        .apply(&[json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"serviceName": "web", "replicas": 1, "template": pod,
                     "selector": {"matchLabels": {"app": "web"}}, "volumeClaimTemplates": [template]},
        })])
        .await?;
    // The doctor reports the claim's state and does not change the claim.
    scene.first_finding("NFS112 PersistentVolumeClaim/www-web-0").await?;
    scene.nfsprov(&["doctor", "--fix", "--yes", "--timeout", "5s"]).await?;
    ensure!(scene.claims().get("www-web-0").await?.uid() == prepared.uid());
    let change = json!({"storageClassName": byhand, "accessModes": ["ReadWriteOnce"]});
    scene.apply(&[volume(&scene, &restored, change)]).await?;
    scene.bound("www-web-0").await?;
    ensure!(scene.claims().get("www-web-0").await?.uid() == prepared.uid());
    stage.give_back(plane).await
}
