//! The environment that the tests share, and each test's own part.

use std::future::Future;
use std::pin::Pin;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client};
use libtest_mimic::Failed;
use nfsprov_lab::container::BUSYBOX;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab, trial};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

/// The future of a running test.
pub type Running = Pin<Box<dyn Future<Output = Result<()>>>>;

/// How long a test waits for an event: a kubelet that failed to mount retries after two minutes at the latest,
/// mount.nfs itself times out after two, and the doctor reports a pod as stuck after five.
pub const EVENT_TIMEOUT: Duration = Duration::from_secs(450);

/// The tool under test.
pub const NFSPROV: &str = env!("CARGO_BIN_EXE_nfsprov");

pub struct Stage {
    runtime: tokio::runtime::Runtime,
    pub lab: Lab,
    pub plane: ControlPlane,
    /// Exports /nfsdata to all clients.
    pub nfs: Guest,
    /// A node with an NFS client.
    pub node: Guest,
    /// A node without an NFS client.
    pub bare: Guest,
}

impl Stage {
    pub fn new(lab: &Lab) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let options = ControlPlaneOptions {
            nodes: true,
            ..ControlPlaneOptions::default()
        };
        let (plane, nfs, node, bare) = runtime.block_on(async {
            let (plane, nfs) = tokio::try_join!(lab.control_plane(options), lab.guest("nfs", Template::NfsServer))?;
            let with_client = async {
                let node = lab.node("node", &plane).await?;
                node.ssh("apt-get -qq -y install nfs-common").await?;
                anyhow::Ok(node)
            };
            let (node, bare) = tokio::try_join!(with_client, lab.node("bare", &plane))?;
            anyhow::Ok((plane, nfs, node, bare))
        })?;
        Ok(Self {
            runtime,
            lab: lab.clone(),
            plane,
            nfs,
            node,
            bare,
        })
    }

    /// Runs a test; records its duration and its logs.
    pub fn run(&self, name: &str, test: Running) -> Result<(), Failed> {
        trial::run(&self.lab, &self.runtime, "nodes", name, trial::LIMIT, test).map_err(Failed::from)
    }

    /// Stops all components.
    pub fn close(self: Arc<Self>) {
        if let Some(stage) = Arc::into_inner(self)
            && let Err(error) = stage.runtime.block_on(stage.plane.stop())
        {
            eprintln!("stopping the control plane: {error:#}");
        }
    }

    /// A namespace with the default account, without which pods are refused.
    pub async fn scene(self: &Arc<Self>, name: &str) -> Result<Scene> {
        let client = self.plane.client().await?;
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        Api::all(client.clone()).create(&Default::default(), &object).await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
        let there = |account: Option<&ServiceAccount>| account.is_some();
        timeout(EVENT_TIMEOUT, await_condition(accounts, "default", there))
            .await
            .context("the namespace gets no account")??;
        Ok(Scene {
            client,
            namespace: name.to_owned(),
            stage: self.clone(),
        })
    }
}

/// One test's namespace.
pub struct Scene {
    pub client: Client,
    pub namespace: String,
    pub stage: Arc<Stage>,
}

impl Scene {
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates a PV with the namespace's name on this export, and the claim `data` that is bound to it.
    pub async fn volume(&self, server: &Guest, path: &str, more: &[&str]) -> Result<()> {
        let (name, server) = (&self.namespace, server.address().to_string());
        let claim = format!("{name}/data");
        let volume = [
            "create", "pv", name, "--server", &server, "--path", path, "--size", "1Gi",
        ];
        self.done(&[&volume[..], &["--claim", &claim, "--apply"], more].concat())
            .await?;
        let claim = [
            "create", "pvc", "data", "--class", "nfs", "--size", "1Gi", "--apply", "--wait",
        ];
        self.done(&claim).await.map(drop)
    }

    /// Creates a pod with the claim `data` at /mydata, bound to this node without a scheduler.
    pub async fn pod(&self, name: &str, node: &Guest) -> Result<()> {
        self.pod_where(name, json!({"nodeName": node.name()})).await
    }

    /// Like [`Scene::pod`], with this part of its spec.
    pub async fn pod_where(&self, name: &str, place: Value) -> Result<()> {
        let mut pod = json!({
            "metadata": {"name": name},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": name, "image": BUSYBOX, "args": ["/bin/sh", "-c", "sleep 30000"],
                    "volumeMounts": [{"name": "mydata", "mountPath": "/mydata"}],
                }],
                "volumes": [{"name": "mydata", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        });
        for (key, value) in place.as_object().into_iter().flatten() {
            pod["spec"][key] = value.clone();
        }
        self.pods()
            .create(&Default::default(), &serde_json::from_value(pod)?)
            .await?;
        Ok(())
    }

    /// Waits until a pod meets a condition.
    pub async fn until(&self, name: &str, what: &str, condition: impl Condition<Pod>) -> Result<()> {
        match timeout(EVENT_TIMEOUT, await_condition(self.pods(), name, condition)).await {
            Ok(met) => met.map(drop).with_context(|| format!("cannot watch pod {name}")),
            Err(_) => bail!("pod {name} is not {what}; events: {:?}", self.events(name).await?),
        }
    }

    /// Waits until a pod is Running.
    pub async fn running(&self, name: &str) -> Result<()> {
        self.until(name, "Running", |pod: Option<&Pod>| phase(pod) == "Running")
            .await
    }

    /// Deletes a pod and waits until it no longer exists. A test must do so before it stops the server: a mount of a
    /// stopped server blocks the kubelet, and with it all other tests.
    pub async fn remove(&self, name: &str) -> Result<()> {
        self.pods().delete(name, &DeleteParams::default()).await?;
        self.until(name, "gone", |pod: Option<&Pod>| pod.is_none()).await
    }

    /// Events about a pod as `reason: message`.
    pub async fn events(&self, name: &str) -> Result<Vec<String>> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let events = api.list(&about).await?.items.into_iter();
        let line = |event: Event| {
            let (reason, message) = (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
            format!("{reason}: {message}")
        };
        Ok(events.map(line).collect())
    }

    /// Runs the tool in the namespace until it ends.
    pub async fn nfsprov(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(NFSPROV);
        command.args(["-n", &self.namespace]).args(args);
        command.env("KUBECONFIG", self.stage.plane.kubeconfig());
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(timeout(EVENT_TIMEOUT, command.output())
            .await
            .context("nfsprov does not end")??)
    }

    /// Like [`Scene::nfsprov`]; it must succeed. Returns its stdout.
    pub async fn done(&self, args: &[&str]) -> Result<String> {
        let output = self.nfsprov(args).await?;
        let output_text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "nfsprov {}: {output_text}", args.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a finding's fix as printed, which is a kubectl command.
    pub async fn apply_fix(&self, finding: &Value) -> Result<()> {
        let fix = finding["fix"]["command"].as_str().context("it has no fix")?;
        let kubectl = nfsprov_lab::run::kubectl(Default::default())?;
        let output = Command::new("sh")
            .args(["-c", fix])
            .env("PATH", format!("{}:/usr/bin:/bin", kubectl.display()))
            .env("KUBECONFIG", self.stage.plane.kubeconfig())
            .output()
            .await?;
        let output_text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{fix}: {output_text}");
        Ok(())
    }

    /// Runs kubectl, which must succeed, and returns its stdout.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(nfsprov_lab::run::kubectl(Default::default())?.join("kubectl"));
        let output = command
            .args(args)
            .env("KUBECONFIG", self.stage.plane.kubeconfig())
            .output()
            .await?;
        let output_text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {}: {output_text}", args.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The doctor's errors and warnings, in its order. Excludes findings about provisioners of other tests: the doctor
    /// searches all namespaces for these.
    pub async fn findings(&self) -> Result<Vec<Value>> {
        let output = self.nfsprov(&["doctor", "-o", "json"]).await?;
        let output_text = String::from_utf8_lossy(&output.stderr);
        let report: Value =
            serde_json::from_slice(&output.stdout).with_context(|| format!("doctor printed {output_text}"))?;
        let all = report["findings"].as_array().cloned().unwrap_or_default();
        Ok(all
            .into_iter()
            .filter(|finding| finding["severity"] != "info")
            .filter(|finding| {
                finding["object"]["namespace"]
                    .as_str()
                    .is_none_or(|namespace| namespace == self.namespace)
            })
            .collect())
    }

    /// Waits until the doctor reports `wanted` (`CODE Kind/name`) first, and returns that finding.
    pub async fn first_finding(&self, wanted: &str) -> Result<Value> {
        let end = Instant::now() + EVENT_TIMEOUT;
        loop {
            let findings = self.findings().await?;
            if let Some(first) = findings.first().filter(|first| title(first) == wanted) {
                return Ok(first.clone());
            }
            if Instant::now() > end {
                let titles: Vec<_> = findings.iter().map(title).collect();
                let pods = self.pods().list(&Default::default()).await?;
                let mut events = Vec::new();
                for pod in pods {
                    events.extend(self.events(&pod.metadata.name.unwrap_or_default()).await?);
                }
                bail!("the doctor never reports {wanted} first, but {titles:?}; events: {events:#?}");
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until the doctor reports no findings.
    pub async fn wait_until_healthy(&self) -> Result<()> {
        let end = Instant::now() + EVENT_TIMEOUT;
        loop {
            let findings = self.findings().await?;
            if findings.is_empty() {
                return Ok(());
            }
            let titles: Vec<_> = findings.iter().map(title).collect();
            ensure!(Instant::now() < end, "the doctor still reports {titles:?}");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

pub fn phase(pod: Option<&Pod>) -> &str {
    let status = pod.and_then(|pod| pod.status.as_ref());
    status.and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// A finding as `CODE Kind/name`.
pub fn title(finding: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &finding["object"];
    let (code, kind, name) = (word(&finding["code"]), word(&object["kind"]), word(&object["name"]));
    format!("{code} {kind}/{name}")
}
