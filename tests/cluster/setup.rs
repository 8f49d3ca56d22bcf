//! `setup-server` for the nodes of a cluster, and for a provisioner that works over SSH.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use nfsprov_lab::guest::Template;
use serde_json::{Value, json};

use crate::kit::{Directories, EVENT_TIMEOUT, SLOW_LOGIN};
use crate::ssh::{over_ssh, words};
use crate::stage::Stage;

crate::tests! {
    Newest: nodes_of_the_cluster_are_prepared_and_admitted,
}

async fn nodes_of_the_cluster_are_prepared_and_admitted(stage: Arc<Stage>) -> Result<()> {
    // The test registers the Node objects, because no kubelet runs in these guests; their addresses are real.
    let plane = stage.cleared_control_plane().await?;
    let mut scene = stage.scene_on(plane.kubeconfig()).await?;
    let (server, node) = tokio::try_join!(
        stage.guest("cluster-server", Template::NfsServer),
        stage.guest("cluster-node", Template::NfsClient)
    )?;
    server.ssh(": >/etc/exports; exportfs -ra").await?;
    let nodes: Api<Node> = Api::all(plane.client().await?);
    let register = async |name: &str, address: &str| -> Result<()> {
        let object: Node = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        nodes.create(&PostParams::default(), &object).await?;
        let addresses = json!([{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]);
        let status = json!({"status": {"addresses": addresses}});
        nodes
            .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        Ok(())
    };
    let (at, from) = (server.address().to_string(), node.address().to_string());
    register("worker", &from).await?;
    let host = format!("root@{at}");
    let setup = |more: &[&str]| {
        let mut arguments = vec!["setup-server".to_owned(), host.clone()];
        arguments.extend(["-o", "json", "--host-key", "accept-new", "-i"].map(str::to_owned));
        arguments.push(server.ssh_key().display().to_string());
        arguments.extend(SLOW_LOGIN.map(str::to_owned));
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        arguments
    };
    let logging_in = ["--nodes-from-cluster"];
    let first = scene.nfsprov_within(5 * EVENT_TIMEOUT, &setup(&logging_in)).await?;
    ensure!(first.status.code() == Some(0), "{first:?}");
    let report: Value = serde_json::from_slice(&first.stdout)?;
    let proofs = report.to_string().matches("written to, read back").count();
    ensure!(proofs == 2, "NFS 4 and 3 on the node: {report}");
    let listing = server.ssh("exportfs -s").await?;
    ensure!(listing.contains(&format!("/nfsdata  {from}(")), "{listing}");

    // setup-server does not admit an address that only a kubelet reports, unless the administrator confirms it.
    register("down", "10.77.0.250").await?;
    let unseen = scene.nfsprov_within(5 * EVENT_TIMEOUT, &setup(&logging_in)).await?;
    ensure!(
        unseen.status.code() == Some(1),
        "the node that is down is not reported: {unseen:?}"
    );
    let listing = server.ssh("exportfs -s").await?;
    ensure!(listing.contains(&from) && !listing.contains("10.77.0.250"), "{listing}");
    let by_address = ["--allow-nodes-from-cluster", "--address", &at];
    let unconfirmed = scene.nfsprov(&setup(&by_address)).await?;
    ensure!(unconfirmed.status.code() == Some(2), "{unconfirmed:?}");
    ensure!(String::from_utf8_lossy(&unconfirmed.stderr).contains("--yes"));
    let confirmed = [&by_address[..], &["--yes"]].concat();
    let confirmed = scene.nfsprov_within(5 * EVENT_TIMEOUT, &setup(&confirmed)).await?;
    ensure!(confirmed.status.code() == Some(0), "{confirmed:?}");
    let listing = server.ssh("exportfs -s").await?;
    ensure!(listing.contains(&from) && listing.contains("10.77.0.250"), "{listing}");
    // A node that was admitted before stays admitted while it is down; a removed node is no longer named.
    scene.nfsprov_within(5 * EVENT_TIMEOUT, &setup(&logging_in)).await?;
    let listing = server.ssh("exportfs -s").await?;
    ensure!(listing.contains(&from) && listing.contains("10.77.0.250"), "{listing}");
    nodes.delete("down", &DeleteParams::default()).await?;
    let check = scene.nfsprov(&setup(&["--nodes-from-cluster", "--check"])).await?;
    ensure!(check.status.code() == Some(4), "{check:?}");
    let report: Value = serde_json::from_slice(&check.stdout)?;
    let why = report.to_string();
    ensure!(why.contains("dropped 10.77.0.250"), "{why}");

    // Where root of clients is squashed, the provisioner creates directories over SSH, and a pod of any user writes to
    // its own.
    let squashed = setup(&["--allow", &from, "--root-squash", "--mode", "0711", "--yes"]);
    let squashed = scene.nfsprov_within(5 * EVENT_TIMEOUT, &squashed).await?;
    ensure!(squashed.status.code() == Some(0), "{squashed:?}");
    let listing = server.ssh("exportfs -s; stat -c '%a %u' /nfsdata").await?;
    ensure!(
        listing.contains(",root_squash") && !listing.contains("no_root_squash") && listing.ends_with("711 0\n"),
        "{listing}"
    );
    scene.export = Directories::Guest(at.clone());
    scene.class(json!({})).await?;
    let provisioner = scene.watch(&words(&over_ssh(&server, "root"))).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let path = volume
        .spec
        .and_then(|spec| Some(spec.nfs?.path))
        .context("no NFS volume")?;
    let pod = "setpriv --reuid 4711 --regid 4711 --clear-groups";
    let used = format!(
        "mkdir -p /mnt/claim /mnt/export; mount -t nfs {at}:{path} /mnt/claim && mount -t nfs {at}:/nfsdata /mnt/export
         {pod} sh -c 'echo written >/mnt/claim/file' && {pod} cat /mnt/claim/file && stat -c %u /mnt/claim/file
         for user in '{pod}' ''; do ! $user ls /mnt/export 2>/dev/null && ! $user mkdir /mnt/export/x 2>/dev/null && echo no; done
         umount /mnt/claim /mnt/export"
    );
    let output_text = node.ssh(&used).await?;
    ensure!(output_text == "written\n4711\nno\nno\n", "{output_text}");
    provisioner.stop().await?;
    stage.give_back(plane).await
}
