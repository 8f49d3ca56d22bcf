//! What an operator sees of the provisioner: metrics, probes, logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::Api;
use kube::api::PostParams;
use nfsprov_lab::guest::Template;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

use crate::kit::{Directories, EVENT_TIMEOUT, Provisioner, Scene, output_parts};
use crate::stage::Stage;

/// Any free port of this machine, and JSON logs, which contain it.
pub(crate) const SERVED: [&str; 4] = ["--metrics-addr", "127.0.0.1:0", "--log-format", "json"];

/// The limit for an answer that waits for no export: less than the 8 s in which an export must answer.
const AT_ONCE: Duration = Duration::from_secs(6);

crate::tests! {
    Newest: metrics_count_what_happened_and_logs_are_json,
    Newest: ready_once_everything_is_watched,
    Newest: unready_while_the_export_does_not_answer,
    Newest: a_replica_that_stands_by_is_ready_and_counts_as_no_leader,
    Newest: a_port_in_use_is_one_sentence,
}

/// The address of the HTTP server of a provisioner with [`SERVED`].
pub(crate) async fn address(provisioner: &mut Provisioner) -> Result<String> {
    provisioner.wait_for_log("serving /metrics").await?;
    let lines = objects(&provisioner.log())?;
    let address = lines.iter().find_map(|line| line["fields"]["address"].as_str());
    Ok(address.context("no address in the log")?.to_owned())
}

/// Requests a page, and returns its status and text.
pub(crate) async fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = timeout(AT_ONCE, asked)
        .await
        .with_context(|| format!("{path} hangs"))??;
    let (head, text) = answer.split_once("\r\n\r\n").context("no head")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, text.to_owned()))
}

/// Waits until a page has this status and contains these words.
pub(crate) async fn becomes(address: &str, path: &str, status: u16, words: &str) -> Result<()> {
    let end = Instant::now() + EVENT_TIMEOUT;
    loop {
        let (found, text) = get(address, path).await?;
        if found == status && text.contains(words) {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "{path} never is {status} with {words:?}: {found} {text}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The samples of a scrape, by name and labels.
async fn scrape(address: &str) -> Result<BTreeMap<String, f64>> {
    let (status, text) = get(address, "/metrics").await?;
    ensure!(status == 200, "{status}: {text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
            Ok((name.to_owned(), value.parse()?))
        })
        .collect()
}

/// Log lines, each of which must be a JSON object.
fn objects(log: &str) -> Result<Vec<Value>> {
    let object = |line: &str| {
        let value: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        ensure!(value["level"].is_string() && value["timestamp"].is_string(), "{line}");
        Ok(value)
    };
    log.lines().map(object).collect()
}

async fn metrics_count_what_happened_and_logs_are_json(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    scene.class(json!({"parameters": {"archiveOnDelete": "false"}})).await?;
    // `--color` does not change JSON.
    let mut provisioner = scene.watch(&[&SERVED[..], &["--color", "always"]].concat()).await?;
    let address = address(&mut provisioner).await?;
    scene.claim("a", json!({})).await?;
    scene.claim("b", json!({})).await?;
    let volume = scene.bound("a").await?;
    scene.bound("b").await?;
    scene
        .claim("refused", json!({"selector": {"matchLabels": {"a": "b"}}}))
        .await?;
    scene
        .event("refused", "ProvisioningFailed: failed to provision volume")
        .await?;
    scene.delete_with_volume("a", &volume).await?;
    // The PV can be deleted before the provisioner has counted it.
    let class = &scene.class;
    let deleted = format!("controller_persistentvolume_delete_total{{class=\"{class}\"}} 1");
    becomes(&address, "/metrics", 200, &deleted).await?;
    becomes(&address, "/metrics", 200, "nfsprov_claims_failing 1").await?;
    becomes(&address, "/readyz", 200, "ok").await?;
    let samples = scrape(&address).await?;
    let number = |name: &str| {
        let value = samples.get(name).copied();
        value.with_context(|| format!("no {name} in {samples:?}"))
    };
    let of_claims = format!("{{class=\"{class}\",source=\"\"}}");
    let provision = "controller_persistentvolumeclaim_provision";
    ensure!(number(&format!("{provision}_total{of_claims}"))? == 2.0, "{samples:?}");
    ensure!(
        number(&format!("{provision}_failed_total{of_claims}"))? == 1.0,
        "{samples:?}"
    );
    ensure!(
        number(&format!("{provision}_duration_seconds_count{of_claims}"))? == 2.0,
        "{samples:?}"
    );
    let seconds = number(&format!("{provision}_duration_seconds_sum{of_claims}"))?;
    ensure!(seconds > 0.0 && seconds < EVENT_TIMEOUT.as_secs_f64(), "{seconds}");
    let delete = "controller_persistentvolume_delete";
    ensure!(
        number(&format!("{delete}_duration_seconds_count{{class=\"{class}\"}}"))? == 1.0,
        "{samples:?}"
    );
    ensure!(number("nfsprov_claims_waiting")? == 1.0, "{samples:?}");
    ensure!(number("nfsprov_claims_in_flight")? == 0.0, "{samples:?}");
    let export = match &scene.export {
        Directories::Guest(address) => format!("{{export=\"{address}:/nfsdata\"}}"),
        Directories::Local(directory) => format!("{{export=\"localhost:{}\"}}", directory.display()),
    };
    ensure!(
        number(&format!("nfsprov_export_reachable{export}"))? == 1.0,
        "{samples:?}"
    );
    let free = number(&format!("nfsprov_export_free_bytes{export}"))?;
    let available = scene.on_server("df --output=avail -B1 . | tail -1").await?;
    let available: f64 = available.trim().parse()?;
    ensure!(
        (free - available).abs() < available / 4.0,
        "{free} reported, {available} available"
    );
    for (path, status) in [("/healthz", 200), ("/", 404), ("/metrics/", 404)] {
        let (found, text) = get(&address, path).await?;
        ensure!(found == status, "{path}: {found} {text}");
    }
    let log = provisioner_log_at_the_end(provisioner).await?;
    let messages: Vec<_> = objects(&log)?
        .iter()
        .map(|line| line["fields"]["message"].as_str().unwrap_or_default().to_owned())
        .collect();
    for words in [
        "connected",
        "watching",
        "provisioned",
        "refused: ",
        "deleted: ",
        "stopped",
    ] {
        ensure!(
            messages.iter().any(|message| message.starts_with(words)),
            "no {words:?} in {log}"
        );
    }
    Ok(())
}

async fn provisioner_log_at_the_end(provisioner: Provisioner) -> Result<String> {
    let file = provisioner.log_file();
    let status = provisioner.stop().await?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(std::fs::read_to_string(file)?)
}

/// Without the permission to read claims it watches only classes, until the test grants it.
async fn ready_once_everything_is_watched(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let user = format!("user-{}", scene.namespace);
    let kubeconfig = stage.kubeconfig_for(&user)?;
    allow(
        &scene,
        &user,
        "classes",
        json!([
            {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["get", "list", "watch"]},
        ]),
    )
    .await?;
    let mut provisioner = scene.watch_as(&kubeconfig, &SERVED).await?;
    let address = address(&mut provisioner).await?;
    provisioner.wait_for_log("watching claims: ").await?;
    becomes(&address, "/readyz", 503, "not watched yet").await?;
    let (status, text) = get(&address, "/healthz").await?;
    ensure!(status == 200, "alive all the same: {status} {text}");
    allow(
        &scene,
        &user,
        "claims",
        json!([
            {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "watch"]},
        ]),
    )
    .await?;
    becomes(&address, "/readyz", 200, "ok").await
}

async fn allow(scene: &Scene, user: &str, what: &str, rules: Value) -> Result<()> {
    let name = format!("{user}-{what}");
    let role: ClusterRole = serde_json::from_value(json!({"metadata": {"name": name}, "rules": rules}))?;
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": name}, "subjects": [{"kind": "User", "name": user}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
    }))?;
    let params = PostParams::default();
    Api::all(scene.client.clone()).create(&params, &role).await?;
    Api::all(scene.client.clone()).create(&params, &binding).await?;
    Ok(())
}

async fn unready_while_the_export_does_not_answer(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.guest("unready", Template::NfsServer).await?;
    let mut scene = stage.scene().await?;
    scene.export = Directories::Guest(guest.address().to_string());
    let mut provisioner = scene.watch(&SERVED).await?;
    let address = address(&mut provisioner).await?;
    becomes(&address, "/readyz", 200, "ok").await?;
    guest.hang()?;
    // `get` limits the time of every answer.
    becomes(&address, "/readyz", 503, "does not answer").await?;
    let samples = scrape(&address).await?;
    let export = format!("{{export=\"{}:/nfsdata\"}}", guest.address());
    ensure!(
        samples.get(&format!("nfsprov_export_reachable{export}")) == Some(&0.0),
        "{samples:?}"
    );
    ensure!(
        !samples.contains_key(&format!("nfsprov_export_free_bytes{export}")),
        "{samples:?}"
    );
    guest.resume()?;
    becomes(&address, "/readyz", 200, "ok").await
}

async fn a_replica_that_stands_by_is_ready_and_counts_as_no_leader(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let elect = ["--leader-elect", "--lease-namespace", &scene.namespace];
    let args = [&SERVED[..], &elect].concat();
    let mut leader = scene.watch(&args).await?;
    let mut other = scene.start_as(&scene.kubeconfig, &args)?;
    other.wait_for_log("standing by").await?;
    let (first, second) = (address(&mut leader).await?, address(&mut other).await?);
    becomes(&first, "/metrics", 200, "nfsprov_leader 1").await?;
    becomes(&second, "/metrics", 200, "nfsprov_leader 0").await?;
    becomes(&first, "/readyz", 200, "ok").await?;
    becomes(&second, "/readyz", 200, "ok").await?;
    leader.stop().await?;
    becomes(&second, "/metrics", 200, "nfsprov_leader 1").await?;
    becomes(&second, "/readyz", 200, "ok").await
}

async fn a_port_in_use_is_one_sentence(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let args: Vec<String> = scene.provision_args();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    for (more, json) in [(&[][..], false), (&["--log-format", "json"][..], true)] {
        let args = [&args[..], &["--watch", "--metrics-addr", &address], more].concat();
        let (stdout, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
        ensure!(code == 1 && stdout.is_empty(), "{code} {stdout} {stderr}");
        let sentence = format!("cannot serve metrics on {address}: Address already in use");
        let causes = stderr.matches("Address already in use").count();
        ensure!(stderr.lines().count() == 1 && stderr.contains(&sentence), "{stderr}");
        ensure!(causes == 1, "{stderr}");
        match json {
            true => ensure!(objects(&stderr)?[0]["level"] == "ERROR", "{stderr}"),
            false => ensure!(stderr.starts_with("error: "), "{stderr}"),
        }
    }
    Ok(())
}
