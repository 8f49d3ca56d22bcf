//! The artifacts of a release on clusters: the deb on its own host with the provisioner as a systemd service, the
//! static program in an empty root, the Helm chart, and Prometheus with the provisioner's metrics.
//!
//! `make test-released` and `make test-all` run these. They need dist/, and Helm and Prometheus in the lab's cache,
//! where the tests in tests/dist store them, because the lab has no network for downloads.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use nfsprov::image::architecture_of;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::kubernetes::go_program::HELM;
use nfsprov_lab::kubernetes::prometheus;
use nfsprov_lab::ports::Ports;
use nfsprov_lab::process::Process;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::kit::{EVENT_TIMEOUT, SLOW_LOGIN, Scene};
use crate::operable::{SERVED, address, get};
use crate::quota::{limited_server, scene_on};
use crate::ssh::{over_ssh, words};
use crate::stage::Stage;

crate::tests! {
    InTestAll("needs the deb"): the_deb_sets_a_server_up_and_serves_claims_as_a_service,
    InTestAll("needs the static program"): the_static_program_does_all_of_it_in_an_empty_root,
    InTestAll("needs Helm"): the_chart_is_installed_upgraded_and_uninstalled,
    InTestAll("needs Prometheus"): every_query_of_the_dashboard_returns_data,
}

/// The only file of dist/ whose name begins with `start` and ends with `end`.
fn artifact(start: &str, end: &str) -> Result<PathBuf> {
    let dist = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dist");
    let files = std::fs::read_dir(dist).context("dist/ is missing: make dist")?;
    let names = files.filter_map(|file| Some(file.ok()?.path()));
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(start) && name.ends_with(end) && name.contains(env!("CARGO_PKG_VERSION"))
    };
    let found: Vec<_> = names.filter(is_wanted).collect();
    let [file] = &found[..] else {
        anyhow::bail!("{start}…{end} in dist/: {found:?}");
    };
    Ok(file.clone())
}

/// Runs a command on a guest until it succeeds.
async fn until_succeeds(guest: &Guest, command: &str) -> Result<String> {
    let end = Instant::now() + EVENT_TIMEOUT;
    loop {
        match guest.ssh(command).await {
            Ok(output_text) => return Ok(output_text),
            Err(error) => ensure!(Instant::now() < end, "{error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn the_deb_sets_a_server_up_and_serves_claims_as_a_service(stage: Arc<Stage>) -> Result<()> {
    // In a shared cluster, the doctor would report objects of other tests.
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.class(json!({})).await?;
    let guest = stage.guest("service", Template::Bare).await?;
    let deb = artifact(
        "nfsprov_",
        &format!("_{}.deb", nfsprov_lab::kubernetes::architecture()?),
    )?;
    let deb = std::fs::File::open(deb)?;
    guest
        .ssh_with("cat >/tmp/nfsprov.deb && dpkg --install /tmp/nfsprov.deb", deb)
        .await?;

    // Starts with only the deb: the host makes itself an NFS server over SSH.
    let key = std::fs::read_to_string(guest.ssh_key())?;
    guest.run("umask 077 && cat >/root/key", &key).await?;
    let own = guest.address().to_string();
    let set_up = format!(
        "nfsprov setup-server root@{own} --export /nfsdata --allow {own} -i /root/key --host-key accept-new --yes"
    );
    guest.ssh(&set_up).await?;

    // On the guest, loopback addresses lead to the guest itself.
    let kubeconfig = std::fs::read_to_string(&scene.kubeconfig)?.replace("127.0.0.1", "10.77.0.1");
    guest
        .run("umask 077 && cat >/etc/nfsprov/default.kubeconfig", &kubeconfig)
        .await?;
    // Guests install no documentation, so they lack the example.
    let example = include_str!("../../packaging/systemd/example.env");
    let settings = example
        .replace("NFS_SERVER=10.128.1.117", &format!("NFS_SERVER={own}"))
        .replace(
            "PROVISIONER_NAME=nfsprov/nfs",
            &format!("PROVISIONER_NAME={}", scene.provisioner),
        );
    guest.run("cat >/etc/nfsprov/default.env", &settings).await?;
    guest.ssh("systemctl start nfsprov@default").await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let directory = format!("/nfsdata/{}-a-{}", scene.namespace, volume.name_any());
    guest.ssh(&format!("test -d {directory}")).await?;
    let journal = guest.ssh("journalctl --unit nfsprov@default --output cat").await?;
    ensure!(journal.contains("provisioned claim"), "{journal}");
    let doctor = "nfsprov --kubeconfig /etc/nfsprov/default.kubeconfig -n NAMESPACE doctor";
    let doctor = guest.ssh(&doctor.replace("NAMESPACE", &scene.namespace)).await?;
    ensure!(doctor.contains("no problems found"), "{doctor}");

    // systemd restarts the service after a crash, but not after an invalid option.
    guest.ssh("systemctl kill --signal KILL nfsprov@default").await?;
    until_succeeds(
        &guest,
        "systemctl is-active nfsprov@default && systemctl show -P NRestarts nfsprov@default | grep -qx 1",
    )
    .await?;
    scene.claim("b", json!({})).await?;
    scene.bound("b").await?;
    guest
        .ssh("systemctl stop nfsprov@default && sed -i 's/^NFSPROV_ARGS=/&--nonsense /' /etc/nfsprov/default.env")
        .await?;
    guest.ssh("! systemctl start nfsprov@default").await?;
    let state = guest
        .ssh("systemctl show -P ActiveState -P ExecMainStatus nfsprov@default")
        .await?;
    ensure!(state.split_whitespace().eq(["2", "failed"]), "{state}");

    // Removing the package stops the service.
    guest
        .ssh("sed -i 's/--nonsense //' /etc/nfsprov/default.env && systemctl start nfsprov@default")
        .await?;
    guest.ssh("dpkg --purge nfsprov").await?;
    let left = guest
        .ssh("systemctl is-active nfsprov@default || test ! -e /usr/bin/nfsprov")
        .await?;
    ensure!(left.trim() == "inactive", "{left}");
    stage.give_back(plane).await
}

/// A command that runs the program in this root.
fn command_in_root(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("chroot");
    command.arg(root).arg("/nfsprov").args(args);
    command.env("HOME", "/").env_remove("SSH_AUTH_SOCK");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the program until it ends successfully, and returns its output.
async fn done_in_root(root: &Path, args: &[&str]) -> Result<String> {
    // The program installs packages meanwhile.
    let output = timeout(3 * EVENT_TIMEOUT, command_in_root(root, args).output()).await;
    let output = output.context("nfsprov does not end")??;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nfsprov {args:?}: {stderr}");
    Ok(String::from_utf8(output.stdout)?)
}

async fn the_static_program_does_all_of_it_in_an_empty_root(stage: Arc<Stage>) -> Result<()> {
    // In a shared cluster, the doctor would report objects of other tests.
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.class(json!({})).await?;
    let guest = stage.guest("unrooted", Template::Bare).await?;
    let server = guest.address().to_string();

    // Without libraries, a shell, a directory for temporary files, /dev and a file of users.
    let root = tempfile::tempdir()?;
    let program = artifact(
        "nfsprov-",
        &format!("-linux-{}", architecture_of(std::env::consts::ARCH)),
    )?;
    for (file, name) in [
        (program, "nfsprov"),
        (guest.ssh_key(), "key"),
        (scene.kubeconfig.clone(), "kubeconfig"),
    ] {
        std::fs::copy(&file, root.path().join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }

    let target = format!("root@{server}");
    let set_up = [
        "setup-server",
        &target,
        "--allow",
        "10.77.0.0/16",
        "-i",
        "/key",
        "--host-key",
        "accept-new",
    ];
    done_in_root(root.path(), &[&set_up[..], &SLOW_LOGIN].concat()).await?;
    let cluster = ["--kubeconfig", "/kubeconfig", "-n", &scene.namespace];
    let export = ["--server", &server, "--path", "/nfsdata", "--name", &scene.provisioner];
    let provision = [&cluster[..], &["provision", "--watch"], &export].concat();
    let log = stage.file("provision.log");
    let mut provisioner = Process::spawn("nfsprov provision", &log, command_in_root(root.path(), &provision))?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?;
    let directory = format!("/nfsdata/{}-a-{}", scene.namespace, volume.name_any());
    guest.ssh(&format!("test -d {directory}")).await?;
    let doctor = done_in_root(root.path(), &[&cluster[..], &["doctor"]].concat()).await?;
    ensure!(doctor.contains("no problems found"), "{doctor}");
    provisioner.terminate(EVENT_TIMEOUT).await?;
    stage.give_back(plane).await
}

/// Runs Helm in the scene's namespace with an option `--set` for each of `values`.
async fn run_helm(scene: &Scene, args: &[&str], values: &[String]) -> Result<()> {
    let mut command = Command::new(HELM.build()?);
    command.args(args).arg("--namespace").arg(&scene.namespace);
    command.arg("--kubeconfig").arg(&scene.kubeconfig);
    command.args(values.iter().map(|value| format!("--set={value}")));
    command.env("HOME", scene.stage.home()).kill_on_drop(true);
    let output = timeout(EVENT_TIMEOUT, command.output())
        .await
        .context("helm does not end")??;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "helm {args:?}: {stderr}");
    Ok(())
}

async fn the_chart_is_installed_upgraded_and_uninstalled(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let chart = artifact("nfsprov-chart-", ".tgz")?;
    let chart = chart.to_str().context("a path that is no text")?;
    let mut values = vec![
        format!("server={}", stage.nfs().address()),
        format!("path={}", scene.path),
        format!("provisioner={}", scene.provisioner),
        format!("classes[0].name={}", scene.class),
    ];
    run_helm(&scene, &["install", "nfsprov", chart], &values).await?;
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let replicas = async || anyhow::Ok(deployments.get("nfsprov").await?.spec.and_then(|spec| spec.replicas));
    ensure!(replicas().await? == Some(2));
    // No kubelet runs the pods: the test runs their program with the permissions of their account.
    let account = stage.kubeconfig_for(&format!("system:serviceaccount:{}:nfsprov", scene.namespace))?;
    let lease = ["--leader-elect", "--lease-namespace", &scene.namespace];
    let provisioner = scene.watch_as(&account, &lease).await?;
    scene.claim("a", json!({})).await?;
    let volume = scene.bound("a").await?.name_any();
    ensure!(provisioner.stop().await?.success());

    // A single replica has no Lease and another update strategy; expansion needs further permissions.
    values.extend(["replicas=1", "allowExpansion=true"].map(str::to_owned));
    run_helm(&scene, &["upgrade", "nfsprov", chart], &values).await?;
    ensure!(replicas().await? == Some(1));
    let provisioner = scene.watch_as(&account, &[]).await?;
    let larger = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}));
    scene.claims().patch("a", &PatchParams::default(), &larger).await?;
    scene.event("a", "VolumeResizeSuccessful").await?;
    ensure!(provisioner.stop().await?.success());

    run_helm(&scene, &["uninstall", "nfsprov", "--wait"], &[]).await?;
    let roles: Api<ClusterRole> = Api::all(scene.client.clone());
    let role = format!("nfsprov:{}:nfsprov", scene.namespace);
    ensure!(roles.get_opt(&role).await?.is_none(), "clusterrole/{role} is left");
    ensure!(
        deployments.get_opt("nfsprov").await?.is_none(),
        "the Deployment is left"
    );
    ensure!(
        scene.classes().get_opt(&scene.class).await?.is_none(),
        "the class is left"
    );
    // Volumes survive the removal of the release that provisioned them.
    scene.wait_for_phase(&volume, "Bound").await
}

/// The queries of the dashboard, with the values that Grafana inserts for its variables.
fn queries_of_the_dashboard() -> Result<Vec<String>> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(
        &serde_json::from_str(include_str!("../../docs/grafana-dashboard.json"))?,
        &mut found,
    );
    ensure!(found.len() > 10, "{found:?}");
    let variables = [("$__rate_interval", "5m"), ("$job", ".*"), ("$class", ".*")];
    let filled = |query: String| {
        variables
            .iter()
            .fold(query, |query, (name, value)| query.replace(name, value))
    };
    Ok(found.into_iter().map(filled).collect())
}

/// Waits until Prometheus answers a query with numbers.
async fn until_it_has_data(prometheus: &str, query: &str) -> Result<()> {
    let path = format!("/api/v1/query?query={}", utf8_percent_encode(query, NON_ALPHANUMERIC));
    let end = Instant::now() + EVENT_TIMEOUT;
    loop {
        // It may not listen yet.
        let answer = get(prometheus, &path).await.map(|(_, text)| text).unwrap_or_default();
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let numbers = series.iter().map(|series| series["value"][1].as_str());
        if !series.is_empty() && numbers.flatten().all(|number| number != "NaN") {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{query}: {answer}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn every_query_of_the_dashboard_returns_data(stage: Arc<Stage>) -> Result<()> {
    let guest = limited_server(&stage, "monitored").await?;
    let scene = scene_on(&stage, &guest).await?;
    scene.class(json!({"parameters": {"quota": "enforce"}})).await?;
    let options = over_ssh(&guest, "root");
    let options = [words(&options), SERVED.to_vec(), vec!["--usage-interval", "1s"]].concat();
    let mut provisioner = scene.watch(&options).await?;
    let metrics = address(&mut provisioner).await?;

    let ports = Ports::reserve(1)?;
    let listen = format!("127.0.0.1:{}", ports.numbers()[0]);
    let (config, log) = (stage.file("prometheus.yaml"), stage.file("prometheus.log"));
    let text = json!({
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "nfsprov", "static_configs": [{"targets": [metrics]}]}],
    });
    std::fs::write(&config, text.to_string())?;
    let mut command = Command::new(prometheus()?.join("prometheus"));
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", stage.file("prometheus").display()));
    command.arg(format!("--web.listen-address={listen}"));
    let _prometheus = Process::spawn("prometheus", &log, command)?;

    // Two of each kind, one after the other: a rate is above 0 only after Prometheus has seen a counter grow.
    let seen = async |counter: &str| until_it_has_data(&listen, counter).await;
    let mut volumes = Vec::new();
    for claim in ["a", "b", "stays"] {
        scene.claim(claim, json!({})).await?;
        volumes.push((claim, scene.bound(claim).await?));
        seen("controller_persistentvolumeclaim_provision_total").await?;
    }
    let refused = json!({"selector": {"matchLabels": {"a": "b"}}});
    scene.claim("refused", refused).await?;
    for (claim, volume) in &volumes[..2] {
        scene.delete_with_volume(claim, volume).await?;
        seen("controller_persistentvolume_delete_total").await?;
    }
    // A directory that cannot be renamed cannot be archived.
    let (claim, volume) = &volumes[2];
    let directory = format!("{}/{}-{claim}-{}", scene.path, scene.namespace, volume.name_any());
    scene.claim("measured", json!({})).await?;
    scene.bound("measured").await?;
    guest.ssh(&format!("chattr +i {directory}")).await?;
    scene.claims().delete(claim, &Default::default()).await?;
    for query in queries_of_the_dashboard()? {
        until_it_has_data(&listen, &query).await?;
    }
    guest.ssh(&format!("chattr -i {directory}")).await?;
    Ok(())
}
