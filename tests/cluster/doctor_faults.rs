//! Faults made on real control planes: `doctor` names each first, its fix is run as printed, and `doctor` is content.
//!
//! Each test has a control plane of its own, since classes and volumes are everybody's. Pods have no kubelet here: where
//! one has to run, its status is written by the test.

use std::sync::Arc;

use anyhow::{Result, ensure};
use kube::api::{DeleteParams, Patch, PatchParams};
use nfsprov_lab::{ControlPlane, Lane};
use serde_json::{Value, json};

use crate::kit::{Directories, Scene};
use crate::stage::Stage;

crate::tests! {
    Lab: doctor_mends_claims_and_volumes_that_miss_each_other,
    Lab: doctor_mends_volumes_that_are_somebody_elses,
    Lab: doctor_mends_classes_that_lead_nowhere,
    Lab: doctor_mends_stateful_sets_without_claims,
    Lab: doctor_mends_provisioners_that_nobody_runs,
    Lab: doctor_mends_provisioners_that_do_not_run,
    Lab: doctor_mends_images_that_need_self_link,
    Lab: doctor_names_a_gate_that_blocks_the_upgrade,
    Lab: doctor_mends_volumes_that_can_not_go,
    Lab: doctor_mends_a_volume_whose_deleter_is_gone,
    Lab: doctor_mends_a_lost_volume,
}

/// A scene whose class is its own.
async fn scene(stage: &Arc<Stage>, plane: &ControlPlane) -> Result<Scene> {
    stage.scene_on(plane.kubeconfig()).await
}

fn server(scene: &Scene) -> String {
    match &scene.export {
        Directories::Guest(address) => address.clone(),
        Directories::Local(_) => "localhost".to_owned(),
    }
}

/// A PV made by hand, `change` laid over its spec.
fn volume(scene: &Scene, name: &str, change: Value) -> Value {
    let mut spec = json!({
        "storageClassName": scene.class, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": server(scene), "path": "/nfsdata"},
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
}

async fn doctor_mends_claims_and_volumes_that_miss_each_other(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    // So that the export is known, for the fixes that make PVs.
    let first = scene(&stage, &plane).await?;
    first.apply(&[volume(&first, "known", json!({}))]).await?;
    for (code, claim, pv) in [
        ("NFS102", json!({}), None),
        (
            "NFS107",
            json!({"resources": {"requests": {"storage": "5Gi"}}}),
            Some(json!({})),
        ),
        ("NFS108", json!({"accessModes": ["ReadWriteMany"]}), Some(json!({}))),
        (
            "NFS109",
            json!({"selector": {"matchLabels": {"tier": "gold"}}}),
            Some(json!({})),
        ),
        ("NFS110", json!({"volumeMode": "Block"}), Some(json!({}))),
        ("NFS112", json!({"volumeName": "nowhere"}), None),
    ] {
        let scene = scene(&stage, &plane).await?;
        if let Some(change) = pv {
            scene
                .apply(&[volume(&scene, &format!("pv-{}", scene.namespace), change)])
                .await?;
        }
        scene.claim("mypvc", claim).await?;
        scene.mended(&format!("{code} PersistentVolumeClaim/mypvc")).await?;
        scene.bound("mypvc").await?;
    }
    plane.stop().await
}

async fn doctor_mends_volumes_that_are_somebody_elses(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let name = format!("pv-{}", scene.namespace);
    scene.apply(&[volume(&scene, &name, json!({}))]).await?;
    scene.claim("mypvc", json!({})).await?;
    scene.bound("mypvc").await?;
    scene.healthy("binding").await?;
    delete_claim(&scene, "mypvc").await?;
    let kept = scene.diagnosed(&format!("NFS501 PersistentVolume/{name}")).await?;
    ensure!(
        kept["fix"]["command"] == format!("nfsprov release {name} --keep-data"),
        "{kept}"
    );
    // Of the same name, and another claim all the same.
    scene.claim("mypvc", json!({})).await?;
    scene.mended("NFS113 PersistentVolumeClaim/mypvc").await?;
    scene.bound("mypvc").await?;
    delete_claim(&scene, "mypvc").await?;
    scene.claim("other", json!({})).await?;
    let released = scene.diagnosed("NFS114 PersistentVolumeClaim/other").await?;
    ensure!(
        released["fix"]["command"] == format!("nfsprov release {name} --keep-data"),
        "{released}"
    );
    plane.stop().await
}

/// Deletes a claim and waits until it is gone.
async fn delete_claim(scene: &Scene, name: &str) -> Result<()> {
    let claims = scene.claims();
    claims.delete(name, &DeleteParams::default()).await?;
    let gone = kube::runtime::wait::await_condition(claims, name, |claim: Option<&_>| claim.is_none());
    tokio::time::timeout(crate::kit::PATIENCE, gone).await??;
    Ok(())
}

async fn doctor_mends_classes_that_lead_nowhere(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let mut scene = scene(&stage, &plane).await?;
    // The name that fixes use where nothing else is served.
    scene.provisioner = "nfsprov/nfs".to_owned();
    let class = scene.class.clone();
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene
        .claim("typo", json!({"storageClassName": format!("{class}x")}))
        .await?;
    scene.mended("NFS103 PersistentVolumeClaim/typo").await?;
    scene.bound("typo").await?;

    let in_tree = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "intree"}, "provisioner": "kubernetes.io/nfs"});
    scene.apply(&[in_tree]).await?;
    scene.claim("intree", json!({"storageClassName": "intree"})).await?;
    scene.mended("NFS104 StorageClass/intree").await?;
    scene.bound("intree").await?;
    scene.classes().delete("intree", &DeleteParams::default()).await?;

    let classless = json!({"metadata": {"name": "classless"}, "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}});
    scene
        .claims()
        .create(&Default::default(), &serde_json::from_value(classless)?)
        .await?;
    scene.mended("NFS101 PersistentVolumeClaim/classless").await?;
    scene.bound("classless").await?;

    // A default there is now; a pod's claim may be made with it.
    scene.apply(&[pod("mypod", "later", json!({}))]).await?;
    scene.mended("NFS119 Pod/mypod").await?;
    scene.bound("later").await?;

    // And a claim for a PV by hand gets that default.
    let name = format!("pv-{}", scene.namespace);
    scene
        .apply(&[volume(&scene, &name, json!({"storageClassName": "byhand"}))])
        .await?;
    let wants = json!({"metadata": {"name": "byhand"}, "spec": {"volumeName": name, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    scene
        .claims()
        .create(&Default::default(), &serde_json::from_value(wants)?)
        .await?;
    scene.mended("NFS106 PersistentVolumeClaim/byhand").await?;
    scene.bound("byhand").await?;

    let newer = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": scene.provisioner,
        "metadata": {"name": "newer", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    });
    scene.apply(&[newer]).await?;
    scene.mended(&format!("NFS105 StorageClass/{class}")).await?;
    plane.stop().await
}

/// A pod that uses a claim.
fn pod(name: &str, claim: &str, change: Value) -> Value {
    let mut spec = json!({
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "app", "image": "busybox"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

async fn doctor_mends_stateful_sets_without_claims(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    for (code, what) in [("NFS121", "quota"), ("NFS121", "limit"), ("NFS122", "class")] {
        let scene = scene(&stage, &plane).await?;
        scene.class(json!({})).await?;
        let _provisioner = scene.watch(&[]).await?;
        let fault = match what {
            "quota" => {
                json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"requests.storage": "1Gi"}}})
            }
            "limit" => {
                json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}})
            }
            _ => json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "www-web-0"},
                        "spec": {"storageClassName": "gone", "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "2Gi"}}}}),
        };
        let template = json!({"metadata": {"name": "www"}, "spec": {"storageClassName": scene.class, "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "2Gi"}}}});
        let pod = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}});
        let set = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"serviceName": "web", "replicas": 2, "podManagementPolicy": "Parallel", "template": pod,
                     "selector": {"matchLabels": {"app": "web"}}, "volumeClaimTemplates": [template]},
        });
        scene.apply(&[fault]).await?;
        wait_for_quota(&scene, what).await?;
        scene.apply(&[set]).await?;
        let object = if code == "NFS121" {
            "StatefulSet/web"
        } else {
            "PersistentVolumeClaim/www-web-0"
        };
        scene.mended(&format!("{code} {object}")).await?;
        for name in ["www-web-0", "www-web-1"] {
            scene.bound(name).await?;
        }
    }
    plane.stop().await
}

/// A quota counts only once its controller has looked at it.
async fn wait_for_quota(scene: &Scene, what: &str) -> Result<()> {
    if what != "quota" {
        return Ok(());
    }
    let quotas =
        kube::Api::<k8s_openapi::api::core::v1::ResourceQuota>::namespaced(scene.client.clone(), &scene.namespace);
    let counted = |quota: Option<&k8s_openapi::api::core::v1::ResourceQuota>| {
        quota.and_then(|quota| quota.status.as_ref()?.used.as_ref()).is_some()
    };
    let waited = kube::runtime::wait::await_condition(quotas, "small", counted);
    tokio::time::timeout(crate::kit::PATIENCE, waited).await??;
    Ok(())
}

/// A Deployment of a provisioner as upstream writes it, and all rights for its account.
fn deployment(scene: &Scene, image: &str, replicas: u32, serves: &str, env: bool) -> Vec<Value> {
    let mut variables = vec![json!({"name": "PROVISIONER_NAME", "value": serves})];
    if env {
        variables.push(json!({"name": "NFS_SERVER", "value": server(scene)}));
        variables.push(json!({"name": "NFS_PATH", "value": "/nfsdata"}));
    }
    let labels = json!({"app": "nfs-client-provisioner"});
    let root = json!({"name": "nfs-client-root", "nfs": {"server": server(scene), "path": "/nfsdata"}});
    let container = json!({"name": "nfs-client-provisioner", "image": image, "env": variables,
                           "volumeMounts": [{"name": "nfs-client-root", "mountPath": "/persistentvolumes"}]});
    vec![
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

const CURRENT: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

async fn doctor_mends_provisioners_that_nobody_runs(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let parameters = json!({"server": server(&scene), "path": "/nfsdata"});
    scene.class(json!({"parameters": parameters})).await?;
    scene.claim("a", json!({})).await?;
    scene.mended(&format!("NFS201 StorageClass/{}", scene.class)).await?;
    scene.bound("a").await?;
    plane.stop().await
}

async fn doctor_mends_provisioners_that_do_not_run(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    // What is wrong; the Deployment; whether its account has its rights; what is named.
    let rows = [
        ("NFS202", CURRENT, 1, "fuseim.pri/ifs", true, true),
        ("NFS203", CURRENT, 0, "", true, true),
        ("NFS203", CURRENT, 1, "", false, true),
        ("NFS206", CURRENT, 1, "", true, false),
        (
            "NFS306",
            "k8s.gcr.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2",
            1,
            "",
            true,
            true,
        ),
    ];
    for (code, image, replicas, serves, env, may) in rows {
        let scene = scene(&stage, &plane).await?;
        let kubelet = scene.play_kubelet();
        scene.class(json!({})).await?;
        let serves = if serves.is_empty() {
            scene.provisioner.clone()
        } else {
            serves.to_owned()
        };
        if may {
            scene.apply(&[rights(&scene)]).await?;
        }
        scene.apply(&deployment(&scene, image, replicas, &serves, env)).await?;
        scene.claim_handed_over("a", json!({})).await?;
        let object = match code {
            "NFS202" => format!("StorageClass/{}", scene.class),
            _ => "Deployment/nfs-client-provisioner".to_owned(),
        };
        scene.mended(&format!("{code} {object}")).await?;
        kubelet.abort();
        // Provisioners are looked for in the whole cluster.
        let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
            kube::Api::namespaced(scene.client.clone(), &scene.namespace);
        deployments
            .delete("nfs-client-provisioner", &DeleteParams::default())
            .await?;
    }
    plane.stop().await
}

const ARTICLE: &str = "quay.io/external_storage/nfs-client-provisioner:latest";

async fn doctor_mends_images_that_need_self_link(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let kubelet = scene.play_kubelet();
    scene.class(json!({})).await?;
    scene.apply(&[rights(&scene)]).await?;
    scene
        .apply(&deployment(&scene, ARTICLE, 1, &scene.provisioner, true))
        .await?;
    scene.claim_handed_over("mypvc", json!({})).await?;
    let wanted = "NFS301 Deployment/nfs-client-provisioner";
    let finding = scene.diagnosed(wanted).await?;
    ensure!(finding["confidence"] == "certain", "{finding}");
    ensure!(finding["explains"][0]["name"] == "mypvc", "{finding}");
    let note = finding["fix"]["note"].as_str().unwrap_or_default();
    let gate = note.contains("--feature-gates=RemoveSelfLink=false");
    ensure!(gate == (stage.lane()? == Lane::V1_20), "{note}");
    scene.mended(wanted).await?;
    kubelet.abort();
    plane.stop().await
}

async fn doctor_names_a_gate_that_blocks_the_upgrade(stage: Arc<Stage>) -> Result<()> {
    if stage.lane()? != Lane::V1_20 {
        // Later servers don't start with it; what shows is how a node's server was started last.
        let plane = stage.another_control_plane().await?;
        let scene = scene(&stage, &plane).await?;
        let args = r#"["server","--kube-apiserver-arg","feature-gates=RemoveSelfLink=false"]"#;
        let annotations = json!({"k3s.io/node-args": args});
        let node =
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "server", "annotations": annotations}});
        scene.apply(&[node]).await?;
        scene.diagnosed("NFS304 Cluster/kube-apiserver").await?;
        return plane.stop().await;
    }
    let plane = stage
        .control_plane_with(&["--feature-gates=RemoveSelfLink=false"])
        .await?;
    let scene = scene(&stage, &plane).await?;
    let kubelet = scene.play_kubelet();
    scene.class(json!({})).await?;
    scene.apply(&[rights(&scene)]).await?;
    scene
        .apply(&deployment(&scene, ARTICLE, 1, &scene.provisioner, true))
        .await?;
    scene.claim_handed_over("mypvc", json!({})).await?;
    let finding = scene.diagnosed("NFS303 Cluster/kube-apiserver").await?;
    ensure!(finding["severity"] == "warning", "{finding}");
    // The gate is what has the old image work here.
    let named = scene.doctor(&[]).await?.findings();
    ensure!(!named.iter().any(|finding| finding.starts_with("NFS301")), "{named:?}");
    kubelet.abort();
    plane.stop().await
}

async fn doctor_mends_volumes_that_can_not_go(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let name = format!("pv-{}", scene.namespace);
    scene
        .apply(&[volume(
            &scene,
            &name,
            json!({"persistentVolumeReclaimPolicy": "Delete"}),
        )])
        .await?;
    scene.mended(&format!("NFS503 PersistentVolume/{name}")).await?;

    scene.claim("mypvc", json!({})).await?;
    scene.bound("mypvc").await?;
    scene
        .apply(&[pod("mypod", "mypvc", json!({"nodeName": "somewhere"}))])
        .await?;
    scene.healthy("a pod's start").await?;
    scene.claims().delete("mypvc", &DeleteParams::default()).await?;
    let finding = scene.diagnosed("NFS504 PersistentVolumeClaim/mypvc").await?;
    let fix = finding["fix"]["command"].as_str().unwrap_or_default();
    ensure!(fix.ends_with("delete pod mypod"), "{fix}");
    ensure!(scene.shell(fix).await?.status.success(), "{fix}");
    // The claim goes, and leaves a PV that is kept.
    scene.diagnosed(&format!("NFS501 PersistentVolume/{name}")).await?;

    let finalizers = json!({"metadata": {"finalizers": ["external-attacher/gone-csi-example-com"]}});
    let volumes = scene.volumes();
    volumes
        .patch(&name, &PatchParams::default(), &Patch::Merge(&finalizers))
        .await?;
    volumes.delete(&name, &DeleteParams::default()).await?;
    scene.mended(&format!("NFS505 PersistentVolume/{name}")).await?;
    plane.stop().await
}

async fn doctor_mends_a_volume_whose_deleter_is_gone(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    let provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let name = volume.metadata.name.unwrap_or_default();
    provisioner.stop().await?;
    delete_claim(&scene, "a").await?;
    let finding = scene.diagnosed(&format!("NFS506 PersistentVolume/{name}")).await?;
    let fix = finding["fix"]["command"].as_str().unwrap_or_default();
    scene.shell_during(fix, scene.healthy(fix)).await?;
    ensure!(scene.volumes().get_opt(&name).await?.is_none());
    ensure!(scene.directories().await?.is_empty());
    plane.stop().await
}

async fn doctor_mends_a_lost_volume(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.another_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    scene.claim("b", json!({})).await?;
    scene.bound("b").await?;
    let lost = scene.bound("a").await?;
    let name = lost.metadata.name.unwrap_or_default();
    scene.volumes().delete(&name, &DeleteParams::default()).await?;
    let none = json!({"metadata": {"finalizers": null}});
    scene
        .volumes()
        .patch(&name, &PatchParams::default(), &Patch::Merge(&none))
        .await?;
    scene.mended("NFS117 PersistentVolumeClaim/a").await?;
    let again = scene.bound("a").await?;
    ensure!(again.spec.and_then(|spec| spec.nfs) == lost.spec.and_then(|spec| spec.nfs));
    plane.stop().await
}
