//! Faults on real control planes: `doctor` reports each first, the test runs its fix as printed, and `doctor` reports
//! no findings.
//!
//! If there is an automatic fix, the test causes the fault twice: once for the printed fix, once for `doctor --fix`.
//! Each test has its own control plane, because classes and volumes are cluster-wide. Pods have no kubelet here; if one
//! must run, the test writes its status.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use nfsprov_lab::ControlPlane;
use serde_json::{Value, json};

use crate::doctor::By;
use crate::kit::{Directories, Scene};
use crate::stage::Stage;

pub const BOTH: [By; 2] = [By::Command, By::Fix];

crate::tests! {
    Newest: doctor_fixes_claims_and_volumes_that_do_not_match,
    InTestAll("the tables of the checks of claims and volumes"): doctor_fixes_volumes_of_other_claims,
    Newest: doctor_fixes_missing_classes,
    Newest: doctor_fixes_stateful_sets_without_claims,
    InTestAll("the tables of the checks of volumes"): doctor_fixes_volumes_that_cannot_be_deleted,
    InTestAll("the tables of the checks of volumes"): doctor_fixes_a_volume_whose_class_is_missing,
    InTestAll("the tables of the checks of volumes"): doctor_fixes_a_volume_whose_deleter_is_missing,
    InTestAll("the tables of the checks of claims"): doctor_fixes_a_lost_volume,
    InTestAll("the tables of the checks of the cluster"): doctor_misses_the_controller_manager,
}

/// A scene with its own class.
pub async fn scene(stage: &Arc<Stage>, plane: &ControlPlane) -> Result<Scene> {
    stage.scene_on(plane.kubeconfig()).await
}

pub fn server(scene: &Scene) -> String {
    match &scene.export {
        Directories::Guest(address) => address.clone(),
        Directories::Local(_) => "localhost".to_owned(),
    }
}

/// A PV created by hand, with `change` merged into its spec.
pub fn volume(scene: &Scene, name: &str, change: Value) -> Value {
    let mut spec = json!({
        "storageClassName": scene.class, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": server(scene), "path": "/nfsdata"},
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
}

async fn doctor_fixes_claims_and_volumes_that_do_not_match(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    // The cluster uses this export, but no fix proposes it, because it holds data.
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
        (
            "NFS109 by --fix",
            json!({"selector": {"matchLabels": {"tier": "gold"}}}),
            Some(json!({})),
        ),
        ("NFS110", json!({"volumeMode": "Block"}), Some(json!({}))),
        ("NFS112", json!({"volumeName": "nowhere"}), None),
    ] {
        let (code, way) = match code.split_once(" by --fix") {
            Some((code, _)) => (code, By::Fix),
            None => (code, By::Command),
        };
        let scene = scene(&stage, &plane).await?;
        if let Some(change) = pv {
            scene
                .apply(&[volume(&scene, &format!("pv-{}", scene.namespace), change)])
                .await?;
        }
        scene.claim("mypvc", claim).await?;
        scene
            .fix_by(way, &format!("{code} PersistentVolumeClaim/mypvc"))
            .await?;
        scene.bound("mypvc").await?;
    }
    // A terminating PV with a finalizer.
    let scene = scene(&stage, &plane).await?;
    let name = format!("held-{}", scene.namespace);
    let mut held = volume(&scene, &name, json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    scene.apply(&[held]).await?;
    scene.volumes().delete(&name, &DeleteParams::default()).await?;
    scene.claim("mypvc", json!({})).await?;
    let finding = scene.first_finding("NFS111 PersistentVolumeClaim/mypvc").await?;
    let fix = finding["fix"]["command"].as_str().context("it has no fix")?;
    let fix = scene.completed(fix).await?;
    let (_, stderr, code) = crate::kit::output_parts(&scene.shell(&fix).await?);
    ensure!(code == 0, "{fix}\n{stderr}");
    scene.bound("mypvc").await?;
    // The owner of the finalizer is unknown, so the doctor prints no command that removes it.
    let finding = scene.first_finding(&format!("NFS505 PersistentVolume/{name}")).await?;
    ensure!(finding["fix"]["command"].is_null(), "{finding}");
    ensure!(
        finding["cause"].to_string().contains("belongs to example.com"),
        "{finding}"
    );
    let none = json!({"metadata": {"finalizers": null}});
    scene
        .volumes()
        .patch(&name, &PatchParams::default(), &Patch::Merge(&none))
        .await?;
    scene.wait_until_healthy("the finalizer is gone").await?;
    stage.give_back(plane).await
}

async fn doctor_fixes_volumes_of_other_claims(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let name = format!("pv-{}", scene.namespace);
    scene.apply(&[volume(&scene, &name, json!({}))]).await?;
    scene.claim("mypvc", json!({})).await?;
    scene.bound("mypvc").await?;
    scene.wait_until_healthy("binding").await?;
    delete_claim(&scene, "mypvc").await?;
    scene.first_finding(&format!("NFS501 PersistentVolume/{name}")).await?;
    // A new claim with the same name is another claim.
    scene.claim("mypvc", json!({})).await?;
    scene.fix_as_printed("NFS113 PersistentVolumeClaim/mypvc").await?;
    scene.bound("mypvc").await?;
    delete_claim(&scene, "mypvc").await?;
    scene.claim("other", json!({})).await?;
    let release = format!("nfsprov release {name} --keep-data");
    ensure!(scene.fix_as_printed("NFS114 PersistentVolumeClaim/other").await? == release);
    scene.bound("other").await?;
    delete_claim(&scene, "other").await?;
    ensure!(scene.fix_as_printed(&format!("NFS501 PersistentVolume/{name}")).await? == release);
    stage.give_back(plane).await
}

/// Deletes a claim and waits until it no longer exists.
async fn delete_claim(scene: &Scene, name: &str) -> Result<()> {
    let claims = scene.claims();
    claims.delete(name, &DeleteParams::default()).await?;
    let gone = kube::runtime::wait::await_condition(claims, name, |claim: Option<&_>| claim.is_none());
    tokio::time::timeout(crate::kit::EVENT_TIMEOUT, gone).await??;
    Ok(())
}

async fn doctor_fixes_missing_classes(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let mut scene = scene(&stage, &plane).await?;
    // The name that fixes use if no other provisioner serves the class.
    scene.provisioner = "nfsprov/nfs".to_owned();
    let class = scene.class.clone();
    scene.class(json!({})).await?;
    let _provisioner = scene.watch(&[]).await?;
    scene
        .claim("typo", json!({"storageClassName": format!("{class}x")}))
        .await?;
    let finding = scene.first_finding("NFS103 PersistentVolumeClaim/typo").await?;
    // Without values for its placeholders, the command deletes nothing.
    let uid = scene.claims().get("typo").await?.metadata.uid;
    let pasted = scene
        .shell(finding["fix"]["command"].as_str().context("no fix")?)
        .await?;
    ensure!(!pasted.status.success() && scene.claims().get("typo").await?.metadata.uid == uid);
    scene.fix_by_hand_only("NFS103 PersistentVolumeClaim/typo").await?;
    scene.bound("typo").await?;

    let in_tree = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "intree"}, "provisioner": "kubernetes.io/nfs"});
    scene.apply(&[in_tree]).await?;
    scene.claim("intree", json!({"storageClassName": "intree"})).await?;
    scene.fix_by_hand_only("NFS104 StorageClass/intree").await?;
    scene.bound("intree").await?;
    scene.classes().delete("intree", &DeleteParams::default()).await?;

    let classless = json!({"metadata": {"name": "classless"}, "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}});
    scene
        .claims()
        .create(&Default::default(), &serde_json::from_value(classless)?)
        .await?;
    scene.fix_by_hand_only("NFS101 PersistentVolumeClaim/classless").await?;
    scene.bound("classless").await?;

    // The cluster has a default class now, so a pod's claim can be created with it.
    scene.apply(&[pod("mypod", "later", json!({}))]).await?;
    scene.fix_as_printed("NFS119 Pod/mypod").await?;
    scene.bound("later").await?;

    // A claim for a PV created by hand gets that default class.
    let name = format!("pv-{}", scene.namespace);
    scene
        .apply(&[volume(&scene, &name, json!({"storageClassName": "byhand"}))])
        .await?;
    let wants = json!({"metadata": {"name": "byhand"}, "spec": {"volumeName": name, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    scene
        .claims()
        .create(&Default::default(), &serde_json::from_value(wants)?)
        .await?;
    scene.fix_as_printed("NFS106 PersistentVolumeClaim/byhand").await?;
    scene.bound("byhand").await?;

    let newer = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": scene.provisioner,
        "metadata": {"name": "newer", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    });
    scene.apply(&[newer]).await?;
    scene.fix_by_hand_only(&format!("NFS105 StorageClass/{class}")).await?;
    stage.give_back(plane).await
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

async fn doctor_fixes_stateful_sets_without_claims(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    for (code, what, way) in [
        ("NFS121", "quota", By::Command),
        ("NFS121", "limit", By::Command),
        ("NFS122", "class", By::Command),
        ("NFS122", "class", By::Fix),
    ] {
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
        scene.fix_by(way, &format!("{code} {object}")).await?;
        for name in ["www-web-0", "www-web-1"] {
            scene.bound(name).await?;
        }
    }
    stage.give_back(plane).await
}

/// Waits until the controller has counted a quota, before which it has no effect.
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
    tokio::time::timeout(crate::kit::EVENT_TIMEOUT, waited).await??;
    Ok(())
}

async fn doctor_fixes_volumes_that_cannot_be_deleted(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let name = format!("pv-{}", scene.namespace);
    scene
        .apply(&[volume(
            &scene,
            &name,
            json!({"persistentVolumeReclaimPolicy": "Delete"}),
        )])
        .await?;
    scene.fix_as_printed(&format!("NFS503 PersistentVolume/{name}")).await?;
    for (code, policy) in [("NFS503", "Delete"), ("NFS502", "Recycle")] {
        let policy = json!({"persistentVolumeReclaimPolicy": policy});
        scene.apply(&[volume(&scene, &name, policy)]).await?;
        scene
            .fix_automatically(&format!("{code} PersistentVolume/{name}"))
            .await?;
    }
    scene
        .apply(&[volume(
            &scene,
            &name,
            json!({"persistentVolumeReclaimPolicy": "Recycle"}),
        )])
        .await?;
    scene.fix_as_printed(&format!("NFS502 PersistentVolume/{name}")).await?;

    scene.claim("mypvc", json!({})).await?;
    scene.bound("mypvc").await?;
    scene
        .apply(&[pod("mypod", "mypvc", json!({"nodeName": "somewhere"}))])
        .await?;
    scene.wait_until_healthy("a pod's start").await?;
    scene.claims().delete("mypvc", &DeleteParams::default()).await?;
    let finding = scene.first_finding("NFS504 PersistentVolumeClaim/mypvc").await?;
    let fix = finding["fix"]["command"].as_str().unwrap_or_default();
    ensure!(fix.ends_with("delete pod mypod"), "{fix}");
    ensure!(scene.shell(fix).await?.status.success(), "{fix}");
    // The test deletes the claim; its PV is retained.
    scene.first_finding(&format!("NFS501 PersistentVolume/{name}")).await?;

    let finalizers =
        json!({"metadata": {"finalizers": ["example.com/keep", "external-attacher/gone-csi-example-com"]}});
    let volumes = scene.volumes();
    volumes
        .patch(&name, &PatchParams::default(), &Patch::Merge(&finalizers))
        .await?;
    volumes.delete(&name, &DeleteParams::default()).await?;
    let finding = scene.first_finding(&format!("NFS505 PersistentVolume/{name}")).await?;
    let fix = finding["fix"]["command"].as_str().context("it has no fix")?;
    let (_, stderr, code) = crate::kit::output_parts(&scene.shell(fix).await?);
    ensure!(code == 0, "{fix}\n{stderr}");
    // A second run of the command does not delete the other one.
    ensure!(!scene.shell(fix).await?.status.success(), "{fix}");
    let left = volumes.get(&name).await?.metadata.finalizers;
    ensure!(left == Some(vec!["example.com/keep".to_owned()]), "{left:?}");
    let none = json!({"metadata": {"finalizers": null}});
    volumes
        .patch(&name, &PatchParams::default(), &Patch::Merge(&none))
        .await?;
    scene.wait_until_healthy("the finalizers are gone").await?;
    stage.give_back(plane).await
}

async fn doctor_fixes_a_volume_whose_deleter_is_missing(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    scene.class(json!({"parameters": {"onDelete": "delete"}})).await?;
    let provisioner = scene.watch(&[]).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let name = volume.metadata.name.unwrap_or_default();
    provisioner.stop().await?;
    delete_claim(&scene, "a").await?;
    let finding = scene.first_finding(&format!("NFS506 PersistentVolume/{name}")).await?;
    let fix = finding["fix"]["command"].as_str().unwrap_or_default();
    scene.shell_during(fix, scene.wait_until_healthy(fix)).await?;
    ensure!(scene.volumes().get_opt(&name).await?.is_none());
    ensure!(scene.directories().await?.is_empty());
    stage.give_back(plane).await
}

async fn doctor_fixes_a_volume_whose_class_is_missing(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    let name = format!("pv-{}", scene.namespace);
    // The state in which upstream leaves a volume that it cannot delete; the event's text is upstream's.
    let mut left = volume(&scene, &name, json!({"persistentVolumeReclaimPolicy": "Delete"}));
    left["metadata"]["annotations"] = json!({"pv.kubernetes.io/provisioned-by": scene.provisioner});
    scene.apply(&[left]).await?;
    scene.claim("a", json!({"volumeName": name})).await?;
    scene.bound("a").await?;
    delete_claim(&scene, "a").await?;
    let message = format!("storageclass.storage.k8s.io {:?} not found", scene.class);
    let event = json!({
        "metadata": {"generateName": "pv-"}, "reason": "VolumeFailedDelete", "message": message, "type": "Warning",
        "involvedObject": {"kind": "PersistentVolume", "name": name, "apiVersion": "v1"},
        "source": {"component": format!("{}_host_uuid", scene.provisioner)},
        "lastTimestamp": k8s_openapi::jiff::Timestamp::now().to_string(),
    });
    let events = kube::Api::<k8s_openapi::api::core::v1::Event>::namespaced(scene.client.clone(), "default");
    events
        .create(&Default::default(), &serde_json::from_value(event)?)
        .await?;
    // Its provisioner runs, as the event shows.
    let fix = scene
        .run_fix_by_hand(&format!("NFS507 PersistentVolume/{name}"))
        .await?;
    ensure!(fix.contains("create storageclass"), "{fix}");
    // The event alone is there, so nothing deletes the PV, and nothing tells why.
    scene.first_finding(&format!("NFS123 PersistentVolume/{name}")).await?;
    let class = scene.classes().get(&scene.class).await?;
    ensure!(class.provisioner == scene.provisioner);
    stage.give_back(plane).await
}

async fn doctor_fixes_a_lost_volume(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
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
    scene.fix_as_printed("NFS117 PersistentVolumeClaim/a").await?;
    let again = scene.bound("a").await?;
    ensure!(again.spec.and_then(|spec| spec.nfs) == lost.spec.and_then(|spec| spec.nfs));
    stage.give_back(plane).await
}

/// The lab's controller manager has no Lease, so the test creates one that was last renewed long ago. The doctor
/// reports a missing controller manager only after ten minutes, which a table test covers.
async fn doctor_misses_the_controller_manager(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = scene(&stage, &plane).await?;
    scene.apply(&[volume(&scene, "fits", json!({}))]).await?;
    let available = |volume: Option<&PersistentVolume>| {
        let status = volume.and_then(|volume| volume.status.as_ref());
        status.and_then(|status| status.phase.as_deref()) == Some("Available")
    };
    let seen = kube::runtime::wait::await_condition(scene.volumes(), "fits", available);
    tokio::time::timeout(crate::kit::EVENT_TIMEOUT, seen).await??;
    plane.hang_controller_manager()?;
    scene.claim("mypvc", json!({})).await?;
    let leases: Api<Lease> = Api::namespaced(scene.client.clone(), "kube-system");
    let lease = json!({"metadata": {"name": "kube-controller-manager"},
        "spec": {"holderIdentity": "it", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}});
    leases
        .create(&Default::default(), &serde_json::from_value(lease)?)
        .await?;
    scene.first_finding("NFS004 Cluster/kube-controller-manager").await?;
    leases
        .delete("kube-controller-manager", &DeleteParams::default())
        .await?;
    plane.resume_controller_manager()?;
    scene.bound("mypvc").await?;
    scene.wait_until_healthy("its return").await?;
    stage.give_back(plane).await
}
