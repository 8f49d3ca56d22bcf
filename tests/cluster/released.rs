//! What a release consists of, on clusters: the deb on a host of its own with the provisioner as a service of systemd, and
//! Prometheus reading the provisioner's metrics.
//!
//! `make test-released` and `make test-all` run these: they need dist/, and Prometheus in the lab's cache, where the
//! tests in tests/dist put it. In here there is no network to load it from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::kubernetes::prometheus;
use nfsprov_lab::ports::Ports;
use nfsprov_lab::process::Process;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::kit::PATIENCE;
use crate::operable::{SERVED, address, get};
use crate::quota::{limited_server, scene_on};
use crate::ssh::{over_ssh, words};
use crate::stage::Stage;

crate::tests! {
    InTestAll("needs the deb"): the_deb_sets_a_server_up_and_serves_claims_as_a_service,
    InTestAll("needs Prometheus"): every_query_of_the_dashboard_returns_data,
}

/// The only file of dist/ whose name begins and ends so.
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

/// A guest's name that the test on the other version of Kubernetes does not take.
fn guest_name(stage: &Stage, name: &str) -> String {
    format!("{name}-{}", stage.lane().name().replace('.', "-"))
}

/// Runs a command on a guest until it succeeds.
async fn until_succeeds(guest: &Guest, command: &str) -> Result<String> {
    let end = Instant::now() + PATIENCE;
    loop {
        match guest.ssh(command).await {
            Ok(said) => return Ok(said),
            Err(error) => ensure!(Instant::now() < end, "{error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn the_deb_sets_a_server_up_and_serves_claims_as_a_service(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({})).await?;
    let guest = stage
        .lab()
        .guest(&guest_name(&stage, "service"), Template::Bare)
        .await?;
    let deb = std::fs::File::open(artifact("nfsprov_", ".deb")?)?;
    guest
        .ssh_with("cat >/tmp/nfsprov.deb && dpkg --install /tmp/nfsprov.deb", deb)
        .await?;

    // From nothing but the deb: the host makes itself an NFS server over SSH.
    let key = std::fs::read_to_string(guest.ssh_key())?;
    guest.run("umask 077 && cat >/root/key", &key).await?;
    let own = guest.address().to_string();
    let set_up = format!(
        "nfsprov setup-server root@{own} --export /nfsdata --allow {own} -i /root/key --host-key accept-new --yes"
    );
    guest.ssh(&set_up).await?;

    // Loopback addresses lead to the guest itself.
    let kubeconfig = std::fs::read_to_string(&scene.kubeconfig)?.replace("127.0.0.1", "10.77.0.1");
    guest
        .run("umask 077 && cat >/etc/nfsprov/default.kubeconfig", &kubeconfig)
        .await?;
    // Guests leave documentation out, and the example with it.
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
    // Volumes of other tests are in the cluster, too.
    ensure!(doctor.contains(" checks run"), "{doctor}");

    // It comes back after a crash, but not with a wrong option.
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
    Ok(())
}

/// The queries of the dashboard, with what Grafana puts in place of its variables.
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
    let end = Instant::now() + PATIENCE;
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
    let guest = limited_server(&stage, &guest_name(&stage, "monitored")).await?;
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

    // Of each kind two, one after the other: a rate is more than 0 only once Prometheus has seen a number grow.
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
    // A directory that can't be renamed can't be archived.
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
