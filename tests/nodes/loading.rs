//! `nfsprov image load`: copies the image to nodes that have no registry.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::runtime::wait::await_condition;
use nfsprov::image::IMAGE;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::Test;
use crate::stage::{EVENT_TIMEOUT, NFSPROV, Stage};

pub const TESTS: &[Test] = &[("an_image_is_loaded_into_nodes_over_ssh", |stage| {
    Box::pin(loaded(stage))
})];

/// Creates the archive FILE of an image NAME with one layer, whose only file contains TEXT; packaging/build creates
/// such an archive of the program.
const PACK: &str = r#"
file=$1 name=$2 text=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
blobs=layout/blobs/sha256
mkdir -p "$blobs"
digest() { sha256sum "$1" | cut -d' ' -f1; }
echo "$text" >text
tar --create --file layer text
layer=$(digest layer) layer_size=$(stat -c %s layer) architecture=$(dpkg --print-architecture)
cat >config <<JSON
{"architecture": "$architecture", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
JSON
config=$(digest config) config_size=$(stat -c %s config)
cat >manifest <<JSON
{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
"config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:$config", "size": $config_size},
"layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:$layer", "size": $layer_size}]}
JSON
manifest=$(digest manifest) manifest_size=$(stat -c %s manifest)
mv layer "$blobs/$layer"
mv config "$blobs/$config"
mv manifest "$blobs/$manifest"
echo '{"imageLayoutVersion": "1.0.0"}' >layout/oci-layout
cat >layout/index.json <<JSON
{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
"digest": "sha256:$manifest", "size": $manifest_size, "platform": {"architecture": "$architecture", "os": "linux"},
"annotations": {"io.containerd.image.name": "$name"}}]}
JSON
tar --create --file "$file" --directory layout .
"#;

async fn pack(file: &Path, name: &str, text: &str) -> Result<String> {
    let output = Command::new("sh")
        .args(["-euc", PACK, "sh"])
        .arg(file)
        .args([name, text])
        .output()
        .await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot pack an image: {stderr}");
    Ok(file.to_str().context("a path that is no text")?.to_owned())
}

/// The results of `nfsprov image load`.
pub struct Loaded {
    pub status: i32,
    pub report: Value,
    pub stderr: String,
}

impl Loaded {
    /// The status of the image on a host in the report, and the action.
    fn on(&self, host: &str) -> (&str, &str) {
        let hosts = self.report["hosts"].as_array();
        let found = hosts.and_then(|hosts| hosts.iter().find(|found| found["host"] == host));
        let step = found.map(|found| &found["steps"][0]).unwrap_or(&Value::Null);
        let word = |name: &str| step[name].as_str().unwrap_or_default();
        (word("status"), word("why"))
    }
}

/// Runs `nfsprov image load` with these arguments and those for SSH.
pub async fn load_image(stage: &Stage, args: &[&str]) -> Result<Loaded> {
    let mut command = Command::new(NFSPROV);
    command.args(["image", "load"]).args(args).args(["-o", "json"]);
    command.arg("-i").arg(stage.node.ssh_key());
    command.args(["--host-key", "accept-new", "--connect-timeout", "60s"]);
    // nfsprov writes known_hosts there.
    command
        .env("HOME", stage.lab.dir())
        .env("USER", "root")
        .env_remove("SSH_AUTH_SOCK");
    command.env("KUBECONFIG", stage.plane.kubeconfig());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(EVENT_TIMEOUT, command.output())
        .await
        .context("nfsprov does not end")??;
    Ok(Loaded {
        status: output.status.code().context("it was killed")?,
        report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Waits until a node's kubelet has registered its address.
async fn until_registered(stage: &Stage, name: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(stage.plane.client().await?);
    let has_address = |node: Option<&Node>| {
        let addresses = node.and_then(|node| node.status.as_ref()?.addresses.as_ref());
        addresses.is_some_and(|addresses| addresses.iter().any(|address| address.type_ == "InternalIP"))
    };
    let registered = timeout(EVENT_TIMEOUT, await_condition(nodes, name, has_address)).await;
    registered.with_context(|| format!("node {name} has no address"))??;
    Ok(())
}

async fn loaded(stage: Arc<Stage>) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = |name: &str| directory.path().join(name);
    let archive = pack(&file("image.tar"), IMAGE, "hello").await?;
    let other = pack(&file("other.tar"), "localhost/other:1", "hello").await?;
    let damaged = pack(&file("damaged.tar"), IMAGE, "damaged").await?;
    let text = std::fs::read(&damaged)?;
    // The file of the layer gets another digest.
    let at = text
        .windows(8)
        .position(|part| part == b"damaged\n")
        .context("no layer")?;
    std::fs::write(&damaged, [&text[..at], b"DAMAGED\n", &text[at + 8..]].concat())?;
    let (node, bare) = (stage.node.address().to_string(), stage.bare.address().to_string());
    let target = format!("root@{node}");

    // Two administrators at the same time, or one after the other.
    let load = [archive.as_str(), "--node", &target];
    let runs = tokio::try_join!(load_image(&stage, &load), load_image(&stage, &load))?;
    for run in [&runs.0, &runs.1] {
        let (status, why) = run.on(&node);
        ensure!(
            run.status == 0 && ["ok", "changed"].contains(&status),
            "{status} {why} {}",
            run.stderr
        );
    }
    ensure!([runs.0.on(&node).0, runs.1.on(&node).0].contains(&"changed"));

    // All nodes, of which one has the image.
    for guest in [&stage.node, &stage.bare] {
        until_registered(&stage, guest.name()).await?;
    }
    let load = [archive.as_str(), "--nodes-from-cluster"];
    let planned = load_image(&stage, &[&load[..], &["--check"]].concat()).await?;
    ensure!(planned.status == 4, "{} {}", planned.status, planned.stderr);
    let run = load_image(&stage, &load).await?;
    let has = format!("containerd has {IMAGE}");
    for report in [&planned, &run] {
        ensure!(report.on(&node) == ("ok", has.as_str()), "{}", report.report);
    }
    ensure!(
        (planned.on(&bare).0, run.on(&bare).0) == ("change", "changed"),
        "{}",
        run.report
    );
    let again = load_image(&stage, &[&load[..], &["--check"]].concat()).await?;
    ensure!((again.status, again.on(&bare).0) == (0, "ok"), "{}", again.report);
    for guest in [&stage.node, &stage.bare] {
        let listed = guest.ssh("ctr --namespace k8s.io images list -q").await?;
        ensure!(listed.lines().any(|image| image == IMAGE), "{listed}");
    }

    // containerd keeps the name of an image that it imported incompletely; a later run must not count it as loaded.
    for _ in 0..2 {
        let run = load_image(&stage, &[&damaged, "--node", &target]).await?;
        let (status, why) = run.on(&node);
        ensure!(
            (run.status, status) == (1, "failed") && why.contains("digest"),
            "{why} {}",
            run.stderr
        );
    }
    let again = load_image(&stage, &[&archive, "--node", &target]).await?;
    ensure!(again.on(&node).0 == "changed", "{}", again.report);
    // An archive that this version rejects is sent to no node.
    let run = load_image(&stage, &[&other, "--node", &target]).await?;
    let sentence = format!("error: {other} has no image {IMAGE}, which this version of nfsprov uses\n");
    ensure!((run.status, &run.stderr) == (1, &sentence), "{}", run.stderr);
    Ok(())
}
