//! Each test's own parts: a scene with its claims, and provisioners as processes.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Event, PersistentVolume, PersistentVolumeClaim, ServiceAccount};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use nfsprov_lab::process::Process;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::stage::Stage;

/// The future of a running test.
pub type Running = Pin<Box<dyn Future<Output = Result<()>>>>;

/// How long a test waits for an event: far longer than it takes, so a test that reaches it has failed.
pub const EVENT_TIMEOUT: Duration = Duration::from_secs(120);

/// SSH options for a login on a guest that shares a busy processor.
pub const SLOW_LOGIN: [&str; 2] = ["--connect-timeout", "60s"];

/// How long a provisioner without work may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// The tool under test.
pub const NFSPROV: &str = env!("CARGO_BIN_EXE_nfsprov");

/// The environment of one test: a namespace, a provisioner name, a class name, an export.
pub struct Scene {
    pub client: Client,
    pub namespace: String,
    pub provisioner: String,
    /// The name of the scene's class; [`Scene::class`] creates it.
    pub class: String,
    pub kubeconfig: PathBuf,
    pub export: Directories,
    /// The path of the export on its server.
    pub path: String,
    pub stage: Arc<Stage>,
}

/// The export of a scene, and how a test reads its files.
pub enum Directories {
    /// [`Scene::path`] on the guest at this address; nfsprov uses it over NFS, the test reads it over SSH.
    Guest(String),
    /// A directory of this machine.
    Local(PathBuf),
}

impl Scene {
    /// Creates the scene's class, with `change` merged into it.
    pub async fn class(&self, change: Value) -> Result<()> {
        let class = laid_over(
            json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": self.class}, "provisioner": self.provisioner,
            }),
            &change,
        );
        let params = PatchParams::apply("test");
        self.classes()
            .patch(&self.class, &params, &Patch::Apply(&class))
            .await?;
        Ok(())
    }

    pub fn classes(&self) -> Api<StorageClass> {
        Api::all(self.client.clone())
    }

    pub fn claims(&self) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn volumes(&self) -> Api<PersistentVolume> {
        Api::all(self.client.clone())
    }

    /// Creates a claim of the scene's class, with `spec` merged into its spec.
    pub async fn claim(&self, name: &str, spec: Value) -> Result<PersistentVolumeClaim> {
        let plain = json!({
            "storageClassName": self.class, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        });
        let claim = json!({"metadata": {"name": name}, "spec": laid_over(plain, &spec)});
        Ok(self
            .claims()
            .create(&Default::default(), &serde_json::from_value(claim)?)
            .await?)
    }

    /// Like [`Scene::claim`], and waits until the controller manager has annotated it with the provisioner.
    pub async fn claim_handed_over(&self, name: &str, spec: Value) -> Result<()> {
        self.claim(name, spec).await?;
        self.event(name, "ExternalProvisioning").await?;
        Ok(())
    }

    /// Waits until a claim is Bound, and returns its PV.
    pub async fn bound(&self, name: &str) -> Result<PersistentVolume> {
        let bound = |claim: Option<&PersistentVolumeClaim>| phase(claim) == "Bound";
        let claim = match timeout(EVENT_TIMEOUT, await_condition(self.claims(), name, bound)).await {
            Ok(claim) => claim?.context("the claim was deleted")?,
            Err(_) => bail!("claim {name} is not Bound; events: {:?}", self.events(name).await?),
        };
        let volume = claim.spec.and_then(|spec| spec.volume_name).context("no volumeName")?;
        Ok(self.volumes().get(&volume).await?)
    }

    /// Waits until a claim has its volume; the controller manager may take 15 s longer to bind it.
    pub async fn provisioned(&self, name: &str) -> Result<()> {
        let uid = self.claims().get(name).await?.metadata.uid.context("no uid")?;
        let made = |volume: Option<&PersistentVolume>| volume.is_some();
        let volume = format!("pvc-{uid}");
        match timeout(EVENT_TIMEOUT, await_condition(self.volumes(), &volume, made)).await {
            Ok(made) => made.map(drop).context("cannot watch volumes"),
            Err(_) => bail!("claim {name} has no volume; events: {:?}", self.events(name).await?),
        }
    }

    /// The phase of a claim now.
    pub async fn phase(&self, name: &str) -> Result<String> {
        Ok(phase(Some(&self.claims().get(name).await?)).to_owned())
    }

    /// Waits until the namespace has the default account, without which pods are refused.
    pub async fn service_account(&self) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let there = |account: Option<&ServiceAccount>| account.is_some();
        timeout(EVENT_TIMEOUT, await_condition(accounts, "default", there))
            .await
            .context("the namespace gets no account")??;
        Ok(())
    }

    /// Deletes a claim and waits until its PV no longer exists.
    pub async fn delete_with_volume(&self, name: &str, volume: &PersistentVolume) -> Result<()> {
        self.claims().delete(name, &Default::default()).await?;
        self.wait_until_deleted(&volume.name_any()).await
    }

    /// Waits until a PV is in `phase`.
    pub async fn wait_for_phase(&self, volume: &str, phase: &str) -> Result<()> {
        let is_in_phase = |volume: Option<&PersistentVolume>| {
            volume.and_then(|volume| volume.status.as_ref()?.phase.as_deref()) == Some(phase)
        };
        timeout(EVENT_TIMEOUT, await_condition(self.volumes(), volume, is_in_phase))
            .await
            .with_context(|| format!("PV {volume} is never {phase}"))??;
        Ok(())
    }

    /// Waits until a PV no longer exists.
    pub async fn wait_until_deleted(&self, volume: &str) -> Result<()> {
        let gone = |volume: Option<&PersistentVolume>| volume.is_none();
        match timeout(EVENT_TIMEOUT, await_condition(self.volumes(), volume, gone)).await {
            Ok(gone) => _ = gone?,
            Err(_) => bail!("PV still exists: {:?}", self.volumes().get_opt(volume).await?),
        }
        Ok(())
    }

    /// The names of the PVs of claims in the scene's namespace.
    pub async fn own_volumes(&self) -> Result<Vec<String>> {
        let volumes = self.volumes().list(&Default::default()).await?;
        let ours = volumes.iter().filter(|volume| {
            let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
            reference.and_then(|reference| reference.namespace.as_deref()) == Some(&self.namespace)
        });
        Ok(ours.map(ResourceExt::name_any).collect())
    }

    /// The events about an object of the scene's namespace as `reason: message`, oldest first.
    pub async fn events(&self, name: &str) -> Result<Vec<String>> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let mut events = api.list(&about).await?.items;
        events.sort_by_key(|event| event.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let line = |event: Event| {
            format!(
                "{}: {}",
                event.reason.unwrap_or_default(),
                event.message.unwrap_or_default()
            )
        };
        Ok(events.into_iter().map(line).collect())
    }

    /// Waits for an event whose line contains `text`.
    pub async fn event(&self, name: &str, text: &str) -> Result<String> {
        let end = Instant::now() + EVENT_TIMEOUT;
        loop {
            let events = self.events(name).await?;
            if let Some(event) = events.iter().find(|event| event.contains(text)) {
                return Ok(event.clone());
            }
            ensure!(Instant::now() < end, "no event {text:?} about {name}, only {events:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The arguments of `provision` for the scene's export.
    pub fn provision_args(&self) -> Vec<String> {
        let mut args = vec!["provision".to_owned(), "--name".into(), self.provisioner.clone()];
        match &self.export {
            Directories::Guest(address) => {
                args.extend(["--server", address, "--path", &self.path].map(str::to_owned));
            }
            Directories::Local(directory) => {
                let (path, via) = (directory.display().to_string(), format!("dir:{}", directory.display()));
                args.extend(["--server", "localhost", "--path", &path, "--via", &via].map(str::to_owned));
            }
        }
        args
    }

    /// Runs the tool in the scene's namespace until it ends.
    pub async fn nfsprov<S: AsRef<str>>(&self, args: &[S]) -> Result<Output> {
        self.nfsprov_within(EVENT_TIMEOUT, args).await
    }

    /// Like [`Scene::nfsprov`], with a longer limit for commands that install packages or start API servers.
    pub async fn nfsprov_within<S: AsRef<str>>(&self, patience: Duration, args: &[S]) -> Result<Output> {
        let mut command = Command::new(NFSPROV);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
            .args(["-n", &self.namespace])
            .args(args.iter().map(AsRef::as_ref));
        command.env("HOME", self.stage.home()).env_remove("SSH_AUTH_SOCK");
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(timeout(patience, command.output())
            .await
            .context("nfsprov does not end")??)
    }

    /// Starts `provision --watch` and waits until it watches claims.
    pub async fn watch(&self, more: &[&str]) -> Result<Provisioner> {
        let kubeconfig = self.kubeconfig.clone();
        self.watch_as(&kubeconfig, more).await
    }

    /// Like [`Scene::watch`], with another kubeconfig.
    pub async fn watch_as(&self, kubeconfig: &Path, more: &[&str]) -> Result<Provisioner> {
        let mut provisioner = self.start_as(kubeconfig, more)?;
        provisioner.wait_for_log("watching claims and volumes").await?;
        Ok(provisioner)
    }

    /// Starts `provision --watch` without waiting.
    pub fn start_as(&self, kubeconfig: &Path, more: &[&str]) -> Result<Provisioner> {
        self.start_in(&[], kubeconfig, more)
    }

    /// Like [`Scene::start_as`], with further environment variables.
    pub fn start_in(&self, variables: &[(&str, &str)], kubeconfig: &Path, more: &[&str]) -> Result<Provisioner> {
        let log = self.stage.file("provision.log");
        let mut command = Command::new(NFSPROV);
        command.args(self.provision_args()).arg("--watch").args(more);
        command.arg("--kubeconfig").arg(kubeconfig);
        // Without this machine's SSH configuration and its user's known_hosts.
        command.env("HOME", self.stage.home()).env_remove("SSH_AUTH_SOCK");
        command.envs(variables.iter().copied());
        let process = Process::spawn("nfsprov provision", &log, command)?;
        Ok(Provisioner { process, log })
    }

    /// The names of the scene's directories on the export.
    pub async fn directories(&self) -> Result<Vec<String>> {
        let listing = self.on_server("ls -A").await?;
        let ours = |name: &&str| name.contains(&format!("{}-", self.namespace));
        Ok(listing.lines().filter(ours).map(str::to_owned).collect())
    }

    /// Runs a shell command in the export's directory on the server.
    pub async fn on_server(&self, command: &str) -> Result<String> {
        match &self.export {
            Directories::Guest(_) => {
                let command = format!("cd {} && {command}", self.path);
                self.stage.nfs().ssh(&command).await
            }
            Directories::Local(directory) => {
                let output = Command::new("sh")
                    .args(["-c", command])
                    .current_dir(directory)
                    .output()
                    .await?;
                ensure!(
                    output.status.success(),
                    "{command}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                Ok(String::from_utf8(output.stdout)?)
            }
        }
    }
}

/// A running `provision --watch`; dropping it kills it.
pub struct Provisioner {
    process: Process,
    log: PathBuf,
}

impl Provisioner {
    /// Waits until the log contains `text`.
    pub async fn wait_for_log(&mut self, text: &str) -> Result<()> {
        let end = Instant::now() + EVENT_TIMEOUT;
        loop {
            let log = self.log();
            if log.contains(text) {
                return Ok(());
            }
            ensure!(
                self.process.is_running(),
                "nfsprov ended without {text:?}; its log:\n{log}"
            );
            ensure!(Instant::now() < end, "nfsprov never logs {text:?}, only:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The path of its log file.
    pub fn log_file(&self) -> PathBuf {
        self.log.clone()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends the signal named `signal`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        self.process.signal(signal)
    }

    /// Sends SIGTERM, and returns the exit status.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.process.signal("TERM")?;
        timeout(STOP_TIMEOUT, self.process.wait())
            .await
            .context("nfsprov does not stop")?
    }

    /// Waits until it ends, and returns the exit status.
    pub async fn wait_until_ended(mut self) -> Result<ExitStatus> {
        timeout(STOP_TIMEOUT, self.process.wait())
            .await
            .context("nfsprov does not end")?
    }

    /// Kills it, as a power failure would.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await
    }
}

/// stdout, stderr and exit code of a finished run.
pub fn output_parts(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap_or(-1),
    )
}

fn phase(claim: Option<&PersistentVolumeClaim>) -> &str {
    let status = claim.and_then(|claim| claim.status.as_ref());
    status.and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn laid_over(mut object: Value, change: &Value) -> Value {
    for (key, value) in change.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}
