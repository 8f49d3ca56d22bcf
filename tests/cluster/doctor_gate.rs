//! RemoveSelfLink=false on a server node, over SSH: a guest has the files, and the lab's own API server uses their
//! gates.
//!
//! No kubelet runs here. Its stand-in reads the guest's manifest and restarts the lab's real API server with the gates
//! in it, as a kubelet does with a static pod. A process of the guest has the arguments, and the guest's `curl` reports
//! whether the lab's API server listens: the files give its address as the node's own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use nfsprov_lab::guest::Guest;
use nfsprov_lab::network;
use nfsprov_lab::{ControlPlane, Lane};
use serde_json::json;

use crate::doctor_provisioners::{ARTICLE, deployed};
use crate::kit::{EVENT_TIMEOUT, SLOW_LOGIN, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Both("one takes the gate, the other refuses it"): doctor_brings_self_link_back_and_away_again,
    OnlyNewest("the oldest takes the gate"): doctor_removes_the_gate_from_k3s,
}

const PATH: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

/// kubeadm's manifest of an API server at the address of the lab's.
fn manifest_of(plane: &ControlPlane) -> Result<String> {
    let (address, port) = endpoint(plane)?;
    Ok(format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\nspec:\n  containers:\n  - command:\n    \
         - kube-apiserver\n    - --bind-address={address}\n    - --secure-port={port} # ours\n    \
         image: k8s.gcr.io/kube-apiserver:v1.20.2\n"
    ))
}

/// The address and the port of the lab's API server, as guests reach it.
fn endpoint(plane: &ControlPlane) -> Result<(String, &str)> {
    let url = plane.url().trim_end_matches('/');
    let port = url.rsplit_once(':').with_context(|| url.to_owned())?.1;
    Ok((network::GATEWAY.to_string(), port))
}

/// Installs the guest's stand-ins for the API server's process and for `curl`.
async fn stand_ins(guest: &Guest) -> Result<()> {
    let curl = r#"#!/bin/bash
for url; do :; done
url=${url#https://} url=${url%/readyz}
if exec 3<>"/dev/tcp/${url%:*}/${url##*:}"; then echo 200; else echo 000; fi"#;
    let process = "#!/bin/sh\nwhile :; do sleep 1000; done";
    let install = format!(
        "cd /usr/local/bin; printf '%s\n' '{curl}' >curl; printf '%s\n' '{process}' >kube-apiserver; chmod +x curl kube-apiserver"
    );
    guest.ssh(&install).await.map(drop)
}

/// Starts the guest's stand-in for the API server with these arguments.
async fn run_process(guest: &Guest, arguments: &[String]) -> Result<()> {
    let arguments = arguments.join(" ");
    let run = format!(
        "[ ! -e /run/apiserver ] || kill \"$(cat /run/apiserver)\"\n\
         setsid /usr/local/bin/kube-apiserver {arguments} </dev/null >/dev/null 2>&1 &\necho $! >/run/apiserver"
    );
    guest.ssh(&run).await.map(drop)
}

const CONFIGURATION: &str =
    "apiServer:\n  timeoutForControlPlane: 4m0s\napiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n";

/// The gates in the guest's manifest, as arguments.
async fn gates(guest: &Guest) -> Result<Vec<String>> {
    let manifest = guest.ssh(&format!("cat {PATH}")).await?;
    let flags = manifest.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let gates = flags.filter(|flag| flag.starts_with("--feature-gates="));
    Ok(gates.map(str::to_owned).collect())
}

/// Does the work of a kubelet with a static pod: restarts the API server when the manifest changes.
async fn stand_in(plane: &mut ControlPlane, guest: &Guest) -> Result<Infallible> {
    let mut running = gates(guest).await?;
    loop {
        let wanted = gates(guest).await?;
        if wanted != running {
            plane.restart_api_server_with(&wanted).await?;
            run_process(guest, &wanted).await?;
            running = wanted;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Runs the doctor against the guest, with or without the kubelet's stand-in.
async fn doctor(
    scene: &Scene,
    guest: &Guest,
    plane: Option<&mut ControlPlane>,
    args: &[&str],
) -> Result<(String, i32)> {
    let (host, key) = (
        format!("root@{}", guest.address()),
        guest.ssh_key().display().to_string(),
    );
    let ssh = ["--ssh", &host, "-i", &key, "--host-key", "accept-new", "-o", "json"];
    let args = [&["doctor"], args, &ssh, &SLOW_LOGIN].concat();
    let run = scene.nfsprov_within(4 * EVENT_TIMEOUT, &args);
    let output = match plane {
        None => run.await?,
        Some(plane) => tokio::select! {
            output = run => output?,
            broken = stand_in(plane, guest) => match broken? {},
        },
    };
    let (_, stderr, code) = output_parts(&output);
    Ok((stderr, code))
}

async fn doctor_brings_self_link_back_and_away_again(stage: Arc<Stage>) -> Result<()> {
    // The newest API server is not restarted.
    let mut plane = match stage.lane() {
        Lane::V1_20 => stage.another_control_plane().await?,
        Lane::Latest => stage.cleared_control_plane().await?,
    };
    let guest = stage.nfs();
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    let kubelet = scene.play_kubelet();
    deployed(&scene, ARTICLE).await?;
    scene.first_finding("NFS301 Deployment/nfs-client-provisioner").await?;
    let maps: Api<ConfigMap> = Api::namespaced(scene.client.clone(), "kube-system");
    let map = json!({"metadata": {"name": "kubeadm-config"}, "data": {"ClusterConfiguration": CONFIGURATION}});
    maps.create(&Default::default(), &serde_json::from_value(map)?).await?;
    let configuration = async || -> Result<String> {
        let map = maps.get("kubeadm-config").await?;
        Ok(map.data.unwrap_or_default()["ClusterConfiguration"].clone())
    };
    if stage.lane() != Lane::V1_20 {
        let (stderr, code) = doctor(&scene, guest, None, &["--fix", "--gate", "--yes"]).await?;
        ensure!(
            code == 2 && stderr.contains("refuses to start with it"),
            "{code}: {stderr}"
        );
        kubelet.abort();
        maps.delete("kubeadm-config", &Default::default()).await?;
        return stage.give_back(plane).await;
    }
    let original = manifest_of(&plane)?;
    let write = format!("umask 027; mkdir -p /etc/kubernetes/manifests; printf %s '{original}' >{PATH}");
    guest.ssh(&write).await?;
    stand_ins(guest).await?;
    run_process(guest, &[]).await?;
    let manifest = async || guest.ssh(&format!("cat {PATH}")).await;
    // Without a confirmation.
    let (stderr, code) = doctor(&scene, guest, None, &["--fix", "--gate"]).await?;
    ensure!(
        code == 2 && stderr.contains("+    - --feature-gates=RemoveSelfLink=false"),
        "{code}: {stderr}"
    );
    ensure!(manifest().await? == original);
    // Without a kubelet, the API server never restarts with the gate.
    let (stderr, code) = doctor(&scene, guest, None, &["--fix", "--gate", "--yes", "--timeout", "2s"]).await?;
    ensure!(
        code == 1 && stderr.contains("its files are as they were before"),
        "{code}: {stderr}"
    );
    ensure!(manifest().await? == original);

    let (stderr, code) = doctor(&scene, guest, Some(&mut plane), &["--fix", "--gate", "--yes"]).await?;
    ensure!(
        code == 0 && stderr.contains("its API server is ready"),
        "{code}: {stderr}"
    );
    let with = original.replace(" # ours\n", " # ours\n    - --feature-gates=RemoveSelfLink=false\n");
    ensure!(manifest().await? == with, "{}", manifest().await?);
    ensure!(
        guest
            .ssh(&format!("ls -A /etc/kubernetes/manifests; stat -c %a {PATH}"))
            .await?
            == "kube-apiserver.yaml\n640\n"
    );
    let with_gate = configuration().await?;
    ensure!(with_gate.contains("    feature-gates: RemoveSelfLink=false\n"));
    // No claim needs the gate, so by its policy the doctor leaves the restart to the administrator.
    let printed = stderr.split_once("note: run ");
    let printed = printed.and_then(|(_, rest)| rest.split_once(" once every API server has the gate: "));
    let (restart, why) = printed.with_context(|| stderr.clone())?;
    ensure!(why.contains("not done by --fix: no claim waits for it"), "{why}");
    let (_, stderr, code) = output_parts(&scene.shell(restart).await?);
    ensure!(code == 0, "{restart}: {stderr}");
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let restarted = serde_json::to_value(deployments.get("nfs-client-provisioner").await?)?;
    let annotations = &restarted["spec"]["template"]["metadata"]["annotations"];
    ensure!(
        annotations["kubectl.kubernetes.io/restartedAt"].is_string(),
        "{annotations}"
    );
    scene.first_finding("NFS303 Cluster/kube-apiserver").await?;
    // The doctor removes the gate only if the administrator names it.
    let (stderr, code) = doctor(&scene, guest, None, &["--fix", "--yes"]).await?;
    ensure!(
        code == 0 && stderr.contains("no automatic fix available"),
        "{code}: {stderr}"
    );
    ensure!(manifest().await? == with);

    let (stderr, code) = doctor(&scene, guest, Some(&mut plane), &["--undo", "--yes"]).await?;
    ensure!(code == 0, "{code}: {stderr}");
    ensure!(manifest().await? == original && configuration().await? == CONFIGURATION);
    let (stderr, code) = doctor(&scene, guest, None, &["--undo", "--yes"]).await?;
    ensure!(code == 0 && stderr.contains("already"), "{code}: {stderr}");
    // Only kubeadm's configuration remains to be changed, and stdin is not a terminal.
    let set = async |text: &str| {
        let patch = Patch::Merge(json!({"data": {"ClusterConfiguration": text}}));
        maps.patch("kubeadm-config", &PatchParams::default(), &patch).await
    };
    set(&with_gate).await?;
    let (stderr, code) = doctor(&scene, guest, None, &["--undo"]).await?;
    ensure!(code == 2 && stderr.contains("pass --yes"), "{code}: {stderr}");
    set(CONFIGURATION).await?;

    // The gate is set by hand again, and no image needs it any more: the doctor reports NFS303 with a fix.
    scene.fix_as_printed("NFS301 Deployment/nfs-client-provisioner").await?;
    guest.ssh(&write.replace(&original, &with)).await?;
    plane.restart_api_server_with(&gates(guest).await?).await?;
    run_process(guest, &gates(guest).await?).await?;
    let finding = scene.first_finding("NFS303 Cluster/kube-apiserver").await?;
    let note = finding["fix"]["note"].as_str().unwrap_or_default();
    ensure!(note.contains("nfsprov doctor --gate --undo --ssh HOST"), "{note}");
    let (stderr, code) = doctor(&scene, guest, Some(&mut plane), &["--gate", "--undo", "--yes"]).await?;
    ensure!(code == 0, "{code}: {stderr}");
    ensure!(manifest().await? == original, "{}", manifest().await?);
    scene.wait_until_healthy("NFS303 --gate --undo").await?;
    kubelet.abort();
    guest
        .ssh("kill \"$(cat /run/apiserver)\"; rm -r /etc/kubernetes /run/apiserver /usr/local/bin/curl /usr/local/bin/kube-apiserver")
        .await?;
    plane.stop().await
}

/// K3s itself is not installed: there is a unit of its name that only sleeps, and a configuration file. A cluster that
/// sends selfLink would have to stop sending it, which such a unit cannot do.
async fn doctor_removes_the_gate_from_k3s(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    // With an NFS client, because --fix would install one otherwise.
    let guest = stage.guest("k3s", nfsprov_lab::guest::Template::NfsServer).await?;
    let (address, port) = endpoint(&plane)?;
    let before = format!(
        "token: secret\nbind-address: {address}\nhttps-listen-port: {port}\nkube-apiserver-arg:\n  - \"feature-gates=A=true,RemoveSelfLink=false\"\n"
    );
    stand_ins(&guest).await?;
    let unit = "[Service]\nExecStart=/bin/sleep infinity\n";
    guest
        .ssh(&format!(
            "mkdir -p /etc/rancher/k3s; printf %s '{before}' >/etc/rancher/k3s/config.yaml; chmod 600 /etc/rancher/k3s/config.yaml
             printf %s '{unit}' >/etc/systemd/system/k3s.service; systemctl daemon-reload; systemctl start k3s"
        ))
        .await?;
    let pid = guest.ssh("systemctl show -p MainPID k3s").await?;
    let args = r#"["server","--kube-apiserver-arg","feature-gates=RemoveSelfLink=false"]"#;
    let annotations = json!({"k3s.io/node-args": args});
    let mut node =
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "server", "annotations": annotations}});
    scene.apply(&[node.clone()]).await?;
    scene.first_finding("NFS304 Cluster/kube-apiserver").await?;
    let (stderr, code) = doctor(&scene, &guest, None, &["--fix", "--yes"]).await?;
    ensure!(
        code == 1 && stderr.contains("no automatic fix available"),
        "{code}: {stderr}"
    );
    ensure!(guest.ssh("cat /etc/rancher/k3s/config.yaml").await? == before);
    let (stderr, code) = doctor(&scene, &guest, None, &["--gate", "--undo", "--yes"]).await?;
    ensure!(
        code == 0 && stderr.contains("its API server is ready"),
        "{code}: {stderr}"
    );
    let after = guest
        .ssh("cat /etc/rancher/k3s/config.yaml; stat -c %a /etc/rancher/k3s/config.yaml")
        .await?;
    ensure!(
        after == format!("{}600\n", before.replace(",RemoveSelfLink=false", "")),
        "{after}"
    );
    ensure!(
        guest.ssh("systemctl show -p MainPID k3s").await? != pid,
        "it was not started again"
    );
    // The annotation that K3s sets when it starts.
    node["metadata"]["annotations"]["k3s.io/node-args"] = json!(r#"["server"]"#);
    scene.apply(&[node]).await?;
    scene.wait_until_healthy("NFS304 --gate --undo").await?;
    stage.give_back(plane).await
}
