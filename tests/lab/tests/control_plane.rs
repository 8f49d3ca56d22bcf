//! The lab's own test: a control plane has the properties that nfsprov's tests rely on, on each built lane. Needs the
//! lab; see its README.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use nfsprov_lab::namespace::{Entry, enter};
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab, Lane};

/// The directory that a controller manager creates on the machine by default.
const PLUGINS: &str = "/usr/libexec/kubernetes";

fn main() -> Result<()> {
    let lab = match enter()? {
        Entry::Inside(lab) => lab,
        Entry::Skip(why) => {
            println!("skipped: the lab's control plane test: {why}");
            return Ok(());
        }
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        for lane in Lane::to_test()? {
            let tested = test(&lab, lane).await;
            tested.with_context(|| format!("on Kubernetes {lane}"))?;
        }
        Ok(())
    })
}

async fn test(lab: &Lab, lane: Lane) -> Result<()> {
    let with_plugins = Path::new(PLUGINS).exists();
    let (mut first, second) = two(lab, lane).await?;
    identities(&first, lane).await?;
    interruptions(&mut first, lane).await?;
    ensure!(
        with_plugins || !Path::new(PLUGINS).exists(),
        "the controller manager created {PLUGINS}"
    );
    for (name, bytes) in first.rss() {
        println!("{name} {}: {} MiB", first.version(), bytes >> 20);
    }
    first.stop().await?;
    second.stop().await
}

/// Two control planes at the same time, with different arguments and data.
async fn two(lab: &Lab, lane: Lane) -> Result<(ControlPlane, ControlPlane)> {
    // An argument with an observable effect.
    let (argument, path) = match lane {
        Lane::V1_20 => ("--feature-gates=RemoveSelfLink=false", "/api/v1/namespaces/default"),
        Lane::Latest => ("--profiling=false", "/debug/pprof/symbol"),
    };
    let as_shipped = ControlPlaneOptions {
        lane,
        ..ControlPlaneOptions::default()
    };
    let with_argument = ControlPlaneOptions {
        api_server_args: vec![argument.to_owned()],
        controller_manager_defaults: true,
        ..as_shipped.clone()
    };
    let (first, second) = tokio::try_join!(lab.control_plane(as_shipped), lab.control_plane(with_argument))?;
    let version = lane.version()?;
    ensure!(
        first.version() == version,
        "the API server reports the version {}",
        first.version()
    );
    ensure!(first.url() != second.url(), "two control planes share {}", first.url());

    kubectl(lane, first.kubeconfig(), &["create", "namespace", "here"])?;
    let name = kubectl(lane, first.kubeconfig(), &["get", "namespace", "here", "-o", "name"])?;
    ensure!(name == "namespace/here", "kubectl printed {name}");
    ensure!(
        kubectl(lane, second.kubeconfig(), &["get", "namespace", "here"]).is_err(),
        "the two share their data"
    );
    let get = |plane: &ControlPlane| kubectl(lane, plane.kubeconfig(), &["get", "--raw", path]);
    match lane {
        Lane::V1_20 => {
            ensure!(!get(&first)?.contains("selfLink"), "1.20 fills selfLink in by default");
            ensure!(get(&second)?.contains("selfLink"), "the extra argument has no effect");
        }
        Lane::Latest => {
            ensure!(get(&first)?.contains("num_symbols"), "profiling is off by default");
            ensure!(get(&second).is_err(), "the extra argument has no effect");
        }
    }
    println!("ok: {version}: two control planes at once, with different arguments and data");
    Ok((first, second))
}

async fn identities(plane: &ControlPlane, lane: Lane) -> Result<()> {
    let restricted = plane.kubeconfig_for("somebody", &["one", "two"])?;
    let refused = kubectl(lane, &restricted, &["get", "namespaces"])
        .err()
        .context("RBAC lets any user list namespaces")?;
    ensure!(
        refused.to_string().contains("\"somebody\" cannot list"),
        "unexpected error: {refused:#}"
    );
    let grant = [
        "create",
        "clusterrolebinding",
        "two",
        "--clusterrole=view",
        "--group=two",
    ];
    kubectl(lane, plane.kubeconfig(), &grant)?;
    // The authorizer receives a new binding through a watch.
    let granted = async {
        while kubectl(lane, &restricted, &["get", "namespaces"]).is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), granted)
        .await
        .context("the group's rights have no effect")?;
    println!("ok: {}: identities with groups, limited by RBAC", plane.version());
    Ok(())
}

async fn interruptions(plane: &mut ControlPlane, lane: Lane) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(plane.client().await?);
    plane.stop_api_server().await?;
    let down = kubectl(lane, plane.kubeconfig(), &["get", "namespaces"])
        .err()
        .context("a stopped API server answers")?;
    ensure!(
        down.to_string().contains("refused"),
        "the error of a stopped API server is: {down:#}"
    );
    plane.start_api_server().await?;
    namespaces
        .get("here")
        .await
        .context("the namespace is lost after a restart")?;
    println!(
        "ok: {}: the API server stopped and started, same port, same data",
        plane.version()
    );

    plane.hang_api_server()?;
    let everything = ListParams::default();
    let list = namespaces.list(&everything);
    ensure!(
        tokio::time::timeout(Duration::from_secs(2), list).await.is_err(),
        "a frozen API server answers"
    );
    plane.resume_api_server()?;
    namespaces
        .get("here")
        .await
        .context("a resumed API server does not answer")?;
    println!("ok: {}: the API server frozen and resumed", plane.version());
    Ok(())
}

/// Runs the lane's kubectl and returns its output; an error has its stderr.
fn kubectl(lane: Lane, kubeconfig: &Path, args: &[&str]) -> Result<String> {
    let mut command = Command::new(lane.find()?.kubectl.join("kubectl"));
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
