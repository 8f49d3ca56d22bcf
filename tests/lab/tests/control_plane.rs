//! The lab's own test: a control plane is what the tests of nfsprov take it for. Needs the lab; see its README.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use nfsprov_lab::namespace::{Entry, enter};
use nfsprov_lab::{ControlPlaneOptions, Lab, Lane};

fn main() -> Result<()> {
    let lab = match enter()? {
        Entry::Inside(lab) => lab,
        Entry::Skip(why) => {
            println!("left out: the lab's control plane test: {why}");
            return Ok(());
        }
    };
    tokio::runtime::Runtime::new()?.block_on(test(&lab))
}

async fn test(lab: &Lab) -> Result<()> {
    let with_self_link = ControlPlaneOptions {
        api_server_args: vec!["--feature-gates=RemoveSelfLink=false".to_owned()],
        controller_manager_default_qps: true,
        ..ControlPlaneOptions::default()
    };
    let (first, second) = tokio::join!(
        lab.control_plane(ControlPlaneOptions::default()),
        lab.control_plane(with_self_link)
    );
    let (mut first, second) = (first?, second?);
    ensure!(
        first.version() == Lane::V1_20.version().unwrap_or_default(),
        "it says that it is {}",
        first.version()
    );
    ensure!(first.url() != second.url(), "two control planes share {}", first.url());

    kubectl(first.kubeconfig(), &["create", "namespace", "here"])?;
    let name = kubectl(first.kubeconfig(), &["get", "namespace", "here", "-o", "name"])?;
    ensure!(name == "namespace/here", "kubectl printed {name}");
    ensure!(
        kubectl(second.kubeconfig(), &["get", "namespace", "here"]).is_err(),
        "the two share their data"
    );
    let self_link = |plane: &Path| kubectl(plane, &["get", "--raw", "/api/v1/namespaces/default"]);
    ensure!(
        !self_link(first.kubeconfig())?.contains("selfLink"),
        "1.20 fills selfLink in as shipped"
    );
    ensure!(
        self_link(second.kubeconfig())?.contains("selfLink"),
        "the extra argument has no effect"
    );
    println!("ok: two control planes at once, with different arguments and data");

    let nobody = first.kubeconfig_for("somebody", &["one", "two"])?;
    let refused = kubectl(&nobody, &["get", "namespaces"])
        .err()
        .context("RBAC lets anybody list namespaces")?;
    ensure!(
        refused.to_string().contains("\"somebody\" cannot list"),
        "it is refused otherwise: {refused:#}"
    );
    let grant = [
        "create",
        "clusterrolebinding",
        "two",
        "--clusterrole=view",
        "--group=two",
    ];
    kubectl(first.kubeconfig(), &grant)?;
    let namespaces: Api<Namespace> = Api::all(first.client().await?);
    // The authorizer learns of a binding through a watch.
    let granted = async {
        while kubectl(&nobody, &["get", "namespaces"]).is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), granted)
        .await
        .context("the group's rights have no effect")?;
    println!("ok: identities with groups, held to RBAC");

    first.stop_api_server().await?;
    let down = kubectl(first.kubeconfig(), &["get", "namespaces"])
        .err()
        .context("a stopped API server answers")?;
    ensure!(
        down.to_string().contains("refused"),
        "a stopped API server gives: {down:#}"
    );
    first.start_api_server().await?;
    namespaces
        .get("here")
        .await
        .context("the namespace is lost after a restart")?;
    println!("ok: the API server stopped and started, same port, same data");

    first.hang_api_server()?;
    let everything = ListParams::default();
    let list = namespaces.list(&everything);
    ensure!(
        tokio::time::timeout(Duration::from_secs(2), list).await.is_err(),
        "a frozen API server answers"
    );
    first.resume_api_server()?;
    namespaces
        .get("here")
        .await
        .context("a resumed API server does not answer")?;
    println!("ok: the API server frozen and resumed");

    for (name, bytes) in first.rss() {
        println!("{name}: {} MiB", bytes >> 20);
    }
    first.stop().await?;
    second.stop().await
}

/// Runs the lane's kubectl and returns what it prints; its error holds what it says on stderr.
fn kubectl(kubeconfig: &Path, args: &[&str]) -> Result<String> {
    let binaries = Lane::V1_20.find().context("the lane is not built")?;
    let mut command = Command::new(binaries.kubectl.join("kubectl"));
    let output = command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(args)
        .output()
        .context("cannot run kubectl")?;
    if !output.status.success() {
        bail!(
            "kubectl {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
