//! Objects that tenants write, while an administrator runs `doctor --fix --yes`.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::doctor_faults::scene;
use crate::doctor_provisioners::{ARTICLE, deployed};
use crate::kit::{Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: a_tenants_deployment_gains_nothing_from_the_doctor,
    Newest: doctor_leaves_to_their_managers_what_others_manage,
}

/// The objects that the doctor could change, by their titles. Objects of namespaces that an earlier test deletes can
/// disappear meanwhile.
async fn objects(scene: &Scene) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    let mut terminating = namespaces.list(&ListParams::default()).await?.items;
    terminating.retain(|namespace| namespace.metadata.deletion_timestamp.is_some());
    let is_going = |name: &str| terminating.iter().any(|namespace| namespace.name_any() == name);
    for (group, kind) in [
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
        ("", "ServiceAccount"),
        ("storage.k8s.io", "StorageClass"),
        ("apps", "Deployment"),
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        let api: Api<DynamicObject> = Api::all_with(scene.client.clone(), &resource);
        for object in api.list(&ListParams::default()).await? {
            if object.namespace().is_some_and(|name| is_going(&name)) {
                continue;
            }
            let title = format!(
                "{kind} {}/{}",
                object.namespace().unwrap_or_default(),
                object.name_any()
            );
            // Without the annotations and data that controllers write.
            let mut text = json!([object.metadata.labels, object.metadata.annotations, object.data]);
            text[2]["status"] = Value::Null;
            found.insert(title, text.to_string());
        }
    }
    Ok(found)
}

/// A tenant's Deployment that names itself as a provisioner and never runs.
fn pretender(name: &str, serves: &str) -> Value {
    let labels = json!({"app": name});
    let env = json!([
        {"name": "PROVISIONER_NAME", "value": serves}, {"name": "NFS_SERVER", "value": "10.66.6.6"},
        {"name": "NFS_PATH", "value": "/root"},
    ]);
    // The image of nfs-subdir-external-provisioner, so that the image does not distinguish the Deployments.
    let image = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": image, "env": env}]},
        }},
    })
}

/// Runs `doctor --fix --yes`, which must change nothing and print nothing of the tenant's.
async fn nothing_happens(scene: &Scene, all: &[&str], wanted: &[String]) -> Result<()> {
    let before = objects(scene).await?;
    let args = [&["doctor", "--fix", "--yes", "-o", "json"], all].concat();
    let (stdout, stderr, _) = output_parts(&scene.nfsprov(&args).await?);
    let after = objects(scene).await?;
    let changed: Vec<_> = after
        .iter()
        .filter(|(title, text)| before.get(*title) != Some(text))
        .collect();
    ensure!(
        changed.is_empty() && before.len() == after.len(),
        "{changed:?}\n{stderr}"
    );
    ensure!(stderr.contains("no automatic fix available"), "{stderr}");
    for word in ["pretender", "tenants.example", "10.66.6.6", "/root"] {
        ensure!(
            !stdout.contains(word) && !stderr.contains(word),
            "{word}: {stdout}\n{stderr}"
        );
    }
    let report: Value = serde_json::from_str(&stdout).with_context(|| stderr.clone())?;
    let diagnosis = crate::doctor::Diagnosis { report, code: 0 };
    let (mut found, mut wanted) = (diagnosis.findings(), wanted.to_vec());
    found.sort();
    wanted.sort();
    ensure!(found == wanted, "{found:?}");
    Ok(())
}

async fn a_tenants_deployment_gains_nothing_from_the_doctor(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let tenant = scene(&stage, &plane).await?;
    let administrator = scene(&stage, &plane).await?;
    for scene in [&tenant, &administrator] {
        scene.service_account().await?;
    }
    // Names that sort first in every list, that resemble nfsprov's own, or that almost equal a class's provisioner.
    tenant
        .apply(&[
            pretender("a-pretender", "a"),
            pretender("b-pretender", "a.tenants.example/nfs"),
            pretender("c-pretender", &administrator.provisioner.replace("nfs", "nsf")),
        ])
        .await?;
    for all in [&[][..], &["-A"]] {
        nothing_happens(&administrator, all, &[]).await?;
    }
    // The doctor uses no object of the tenant in place of a missing one.
    administrator.class(json!({})).await?;
    administrator.claim("typo", json!({"storageClassName": "gold"})).await?;
    let in_tree = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "intree"},
                         "provisioner": "kubernetes.io/nfs"});
    administrator.apply(&[in_tree]).await?;
    administrator
        .claim("intree", json!({"storageClassName": "intree"}))
        .await?;
    administrator.claim_handed_over("unserved", json!({})).await?;
    let unserved = format!("NFS201 StorageClass/{}", administrator.class);
    administrator_sees(&administrator, &unserved).await?;
    let wanted = [
        "NFS103 PersistentVolumeClaim/typo".to_owned(),
        "NFS104 StorageClass/intree".to_owned(),
        unserved,
    ];
    for all in [&[][..], &["-A"]] {
        nothing_happens(&administrator, all, &wanted).await?;
    }
    stage.give_back(plane).await
}

/// Waits until the doctor reports a finding, at any position.
async fn administrator_sees(scene: &Scene, wanted: &str) -> Result<()> {
    let end = tokio::time::Instant::now() + crate::doctor::LATE;
    loop {
        let findings = scene.doctor(&[]).await?.findings();
        if findings.iter().any(|finding| finding == wanted) {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < end, "no {wanted}, but {findings:?}");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

async fn doctor_leaves_to_their_managers_what_others_manage(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let mut scene = scene(&stage, &plane).await?;
    let kubelet = scene.play_kubelet();
    deployed(&scene, ARTICLE).await?;
    let wanted = "NFS301 Deployment/nfs-client-provisioner";
    // No claim waits for it.
    scene.first_finding(wanted).await?;
    left_alone(&scene, &[], "no claim waits for it").await?;
    scene.claim_handed_over("mypvc", json!({})).await?;

    let helm = "kubectl -n NAMESPACE label deployment nfs-client-provisioner app.kubernetes.io/managed-by=Helm";
    for (mark, unmark, manager) in [
        (helm.to_owned(), helm.replace("=Helm", "-"), "Helm manages it"),
        (
            "kubectl -n NAMESPACE annotate deployment nfs-client-provisioner argocd.argoproj.io/tracking-id=x"
                .to_owned(),
            "kubectl -n NAMESPACE annotate deployment nfs-client-provisioner argocd.argoproj.io/tracking-id-"
                .to_owned(),
            "Argo CD manages it",
        ),
    ] {
        shell(&scene, &mark).await?;
        left_alone(&scene, &[], manager).await?;
        shell(&scene, &unmark).await?;
    }

    // Seen from another namespace, the object belongs to another user; a run for all namespaces may change it.
    let namespace = scene.namespace.clone();
    scene.namespace = "default".to_owned();
    let (stdout, stderr, _) = output_parts(&scene.nfsprov(&["doctor", "--fix", "--yes", "-o", "json"]).await?);
    ensure!(
        stderr.contains("no automatic fix available") && stdout.contains(", and this is in "),
        "{stdout}\n{stderr}"
    );
    let args = ["doctor", "-A", "--fix", "--yes", "-o", "json", "--timeout", "5s"];
    let (_, stderr, _) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(crate::doctor::is_patched(&stderr), "{stderr}");
    scene.namespace = namespace;
    scene.wait_until_healthy("-A --fix").await?;
    kubelet.abort();
    stage.give_back(plane).await
}

async fn shell(scene: &Scene, line: &str) -> Result<()> {
    let line = line.replace("NAMESPACE", &scene.namespace);
    let (_, stderr, code) = output_parts(&scene.shell(&line).await?);
    ensure!(code == 0, "{line}\n{stderr}");
    Ok(())
}

/// Checks that `--fix --yes` prints the new image and the reason why it does not set it, and does not set it.
async fn left_alone(scene: &Scene, all: &[&str], why: &str) -> Result<()> {
    let args = [&["doctor", "--fix", "--yes", "-o", "json"], all].concat();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(
        code == 1 && stderr.contains("no automatic fix available"),
        "{code}: {stderr}"
    );
    ensure!(
        stdout.contains(" set image deployment/nfs-client-provisioner "),
        "{stdout}"
    );
    ensure!(stdout.contains(&format!("not done by --fix: {why}")), "{why}: {stdout}");
    let image = "kubectl -n NAMESPACE get deployment nfs-client-provisioner -o jsonpath='{.spec.template.spec.containers[0].image}'";
    let (image, _, _) = output_parts(&scene.shell(&image.replace("NAMESPACE", &scene.namespace)).await?);
    ensure!(image == ARTICLE, "{image}");
    Ok(())
}
