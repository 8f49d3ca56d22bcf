//! Where the cluster tests play: the stage that all share, and the scene that each has for itself.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Event, Namespace, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::namespace::{Entry, enter};
use nfsprov_lab::process::Process;
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

/// A test under way.
pub type Running = Pin<Box<dyn Future<Output = Result<()>>>>;

/// How long anything that must happen may take. Far above what it takes; a test that is slower has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The tool under test.
pub const NFSPROV: &str = env!("CARGO_BIN_EXE_nfsprov");

/// What a test needs beyond a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Cluster,
    /// The lab: an NFS server, or a control plane of its own.
    Lab,
}

/// Where the tests play.
pub struct Stage {
    runtime: tokio::runtime::Runtime,
    lab: Option<Lab>,
    plane: Mutex<Option<ControlPlane>>,
    nfs: Option<Guest>,
    lane: String,
    kubeconfig: PathBuf,
    missing: Option<String>,
    directory: tempfile::TempDir,
    count: AtomicUsize,
}

/// A stage for listing the tests: nothing is brought up.
pub fn unstaged() -> Result<Arc<Stage>> {
    Ok(Arc::new(Stage::bare()?))
}

/// The user's own cluster if one is named, else the lab; without either, a stage that says why.
pub fn stage() -> Result<Arc<Stage>> {
    if let Some(kubeconfig) = std::env::var_os("NFSPROV_TEST_KUBECONFIG") {
        let mut stage = Stage::bare()?;
        stage.kubeconfig = kubeconfig.into();
        stage.lane = "own".to_owned();
        return Ok(Arc::new(stage));
    }
    // First of all: what follows runs inside the lab's namespaces, in a process of its own.
    let lab = match enter()? {
        Entry::Inside(lab) => lab,
        Entry::Skip(why) => {
            let mut stage = Stage::bare()?;
            stage.missing = Some(why);
            return Ok(Arc::new(stage));
        }
    };
    let mut stage = Stage::bare()?;
    let (plane, nfs) = stage.runtime.block_on(async {
        tokio::try_join!(
            lab.control_plane(ControlPlaneOptions::default()),
            lab.guest("nfs", Template::NfsServer)
        )
    })?;
    stage.lane = plane.version().to_owned();
    stage.kubeconfig = plane.kubeconfig().to_owned();
    stage.plane = Mutex::new(Some(plane));
    stage.nfs = Some(nfs);
    stage.lab = Some(lab);
    Ok(Arc::new(stage))
}

impl Stage {
    fn bare() -> Result<Self> {
        Ok(Self {
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
            lab: None,
            plane: Mutex::new(None),
            nfs: None,
            lane: "cluster".to_owned(),
            kubeconfig: PathBuf::new(),
            missing: None,
            directory: tempfile::tempdir()?,
            count: AtomicUsize::new(0),
        })
    }

    /// The Kubernetes version that the tests run on.
    pub fn lane(&self) -> &str {
        &self.lane
    }

    /// Why a test with this need can't run here.
    pub fn lacks(&self, need: Need) -> Option<String> {
        match (&self.missing, need) {
            (Some(why), _) => Some(why.clone()),
            (None, Need::Lab) if self.lane == "own" => {
                Some("needs the lab, and NFSPROV_TEST_KUBECONFIG names another cluster".to_owned())
            }
            _ => None,
        }
    }

    /// Runs a test to its end.
    pub fn block_on(&self, test: Running) -> Result<()> {
        self.runtime.block_on(test)
    }

    /// Stops what was brought up; on a user's own cluster, takes away what the tests made.
    pub fn close(&self) {
        if self.lane == "own"
            && let Err(error) = self.runtime.block_on(self.tidy())
        {
            eprintln!("tidying up: {error:#}");
        }
        let plane = self.plane.lock().ok().and_then(|mut plane| plane.take());
        if let Some(plane) = plane
            && let Err(error) = self.runtime.block_on(plane.stop())
        {
            eprintln!("stopping the control plane: {error:#}");
        }
    }

    async fn tidy(&self) -> Result<()> {
        let client = client(&self.kubeconfig).await?;
        let ours = format!("test-{}-", std::process::id());
        let (params, listed) = (Default::default(), Default::default());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        for namespace in namespaces.list(&listed).await?.iter().map(ResourceExt::name_any) {
            if namespace.starts_with(&ours) {
                namespaces.delete(&namespace, &params).await?;
            }
        }
        let classes: Api<StorageClass> = Api::all(client.clone());
        for class in classes.list(&listed).await?.iter().map(ResourceExt::name_any) {
            if class.starts_with(&ours) {
                classes.delete(&class, &params).await?;
            }
        }
        let volumes: Api<PersistentVolume> = Api::all(client);
        for volume in volumes.list(&listed).await? {
            let maker = volume.annotations().get("pv.kubernetes.io/provisioned-by");
            if volume.name_any().contains(&ours) || maker.is_some_and(|maker| maker.contains(&ours)) {
                // Nobody is left who would take the finalizer off.
                let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                volumes
                    .patch(&volume.name_any(), &PatchParams::default(), &patch)
                    .await?;
                if let Err(error) = volumes.delete(&volume.name_any(), &params).await {
                    ensure!(
                        matches!(&error, kube::Error::Api(status) if status.is_not_found()),
                        error
                    );
                }
            }
        }
        Ok(())
    }

    /// The lab, for tests with [`Need::Lab`].
    pub fn lab(&self) -> Result<&Lab> {
        self.lab.as_ref().context("this test was to be skipped without a lab")
    }

    /// A scene on the stage's own cluster.
    pub async fn scene(self: &Arc<Self>) -> Result<Scene> {
        let kubeconfig = self.kubeconfig.clone();
        self.scene_on(&kubeconfig).await
    }

    /// A scene on another cluster.
    pub async fn scene_on(self: &Arc<Self>, kubeconfig: &Path) -> Result<Scene> {
        let client = client(kubeconfig).await?;
        let namespace = format!("test-{}-{}", std::process::id(), self.next());
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
        Api::all(client.clone()).create(&Default::default(), &object).await?;
        let export = match &self.nfs {
            Some(guest) => Directories::Guest(guest.address().to_string()),
            None => {
                let local = self.directory.path().join(&namespace);
                std::fs::create_dir(&local)?;
                Directories::Local(local)
            }
        };
        Ok(Scene {
            client,
            provisioner: format!("nfsprov.test/{namespace}"),
            class: namespace.clone(),
            namespace,
            kubeconfig: kubeconfig.to_owned(),
            export,
            stage: self.clone(),
        })
    }

    /// Another identity on the stage's own cluster.
    pub fn kubeconfig_for(&self, user: &str) -> Result<PathBuf> {
        let plane = self.plane.lock().map_err(|_| anyhow::anyhow!("a test panicked"))?;
        plane.as_ref().context("no control plane")?.kubeconfig_for(user, &[])
    }

    fn next(&self) -> usize {
        self.count.fetch_add(1, Ordering::Relaxed)
    }
}

/// One test's place: a namespace, a provisioner's name, a class name, an export.
pub struct Scene {
    pub client: Client,
    pub namespace: String,
    /// The provisioner's name.
    pub provisioner: String,
    /// The name of the scene's class, once [`Scene::class`] has made it.
    pub class: String,
    pub kubeconfig: PathBuf,
    pub export: Directories,
    stage: Arc<Stage>,
}

/// The export of a scene, and how a test looks into it.
pub enum Directories {
    /// `/nfsdata` of the stage's guest at this address, used over NFS and seen over SSH.
    Guest(String),
    /// A directory of this machine.
    Local(PathBuf),
}

impl Scene {
    /// Makes the scene's class, with `change` laid over it.
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

    /// Makes a claim on the scene's class, with `spec` laid over its spec.
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

    /// The same, waited for until the controller manager has handed it over to the provisioner.
    pub async fn claim_handed_over(&self, name: &str, spec: Value) -> Result<()> {
        self.claim(name, spec).await?;
        self.event(name, "ExternalProvisioning").await?;
        Ok(())
    }

    /// Waits until a claim is Bound, and gives its PV.
    pub async fn bound(&self, name: &str) -> Result<PersistentVolume> {
        let bound = |claim: Option<&PersistentVolumeClaim>| phase(claim) == "Bound";
        let claim = match timeout(PATIENCE, await_condition(self.claims(), name, bound)).await {
            Ok(claim) => claim?.context("claim went away")?,
            Err(_) => bail!("claim {name} is not Bound; events: {:?}", self.events(name).await?),
        };
        let volume = claim.spec.and_then(|spec| spec.volume_name).context("no volumeName")?;
        Ok(self.volumes().get(&volume).await?)
    }

    /// The phase of a claim now.
    pub async fn phase(&self, name: &str) -> Result<String> {
        Ok(phase(Some(&self.claims().get(name).await?)).to_owned())
    }

    /// Deletes a claim and waits until its PV is gone.
    pub async fn delete_with_volume(&self, name: &str, volume: &PersistentVolume) -> Result<()> {
        self.claims().delete(name, &Default::default()).await?;
        let volume = volume.name_any();
        let gone = |volume: Option<&PersistentVolume>| volume.is_none();
        match timeout(PATIENCE, await_condition(self.volumes(), &volume, gone)).await {
            Ok(gone) => _ = gone?,
            Err(_) => bail!("PV is still there: {:?}", self.volumes().get_opt(&volume).await?),
        }
        Ok(())
    }

    /// Events about an object of the scene's namespace as `reason: message`, oldest first.
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

    /// Waits for an event whose line holds `text`.
    pub async fn event(&self, name: &str, text: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
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
                args.extend(["--server", address, "--path", "/nfsdata"].map(str::to_owned));
            }
            Directories::Local(directory) => {
                let (path, via) = (directory.display().to_string(), format!("dir:{}", directory.display()));
                args.extend(["--server", "localhost", "--path", &path, "--via", &via].map(str::to_owned));
            }
        }
        args
    }

    /// Runs the tool to its end in the scene's namespace.
    pub async fn nfsprov<S: AsRef<str>>(&self, args: &[S]) -> Result<Output> {
        let mut command = Command::new(NFSPROV);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
            .args(["-n", &self.namespace])
            .args(args.iter().map(AsRef::as_ref));
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(timeout(PATIENCE, command.output())
            .await
            .context("nfsprov does not end")??)
    }

    /// Starts `provision --watch` and waits until it watches.
    pub async fn watch(&self, more: &[&str]) -> Result<Provisioner> {
        let kubeconfig = self.kubeconfig.clone();
        self.watch_as(&kubeconfig, more).await
    }

    /// The same with another kubeconfig.
    pub async fn watch_as(&self, kubeconfig: &Path, more: &[&str]) -> Result<Provisioner> {
        let log = self
            .stage
            .directory
            .path()
            .join(format!("provision-{}.log", self.stage.next()));
        let mut command = Command::new(NFSPROV);
        command.args(self.provision_args()).arg("--watch").args(more);
        command.arg("--kubeconfig").arg(kubeconfig);
        let process = Process::spawn("nfsprov provision", &log, command)?;
        let mut provisioner = Provisioner { process, log };
        provisioner.says("watching claims and volumes").await?;
        Ok(provisioner)
    }

    /// Names of directories on the export that belong to the scene.
    pub async fn directories(&self) -> Result<Vec<String>> {
        let listing = self.on_server("ls -A").await?;
        let ours = |name: &&str| name.contains(&format!("{}-", self.namespace));
        Ok(listing.lines().filter(ours).map(str::to_owned).collect())
    }

    /// Runs a shell command in the export, on the server itself.
    pub async fn on_server(&self, command: &str) -> Result<String> {
        match &self.export {
            Directories::Guest(_) => {
                let guest = self.stage.nfs.as_ref().context("no guest")?;
                guest.ssh(&format!("cd /nfsdata && {command}")).await
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

/// A running `provision --watch`; killed when dropped.
pub struct Provisioner {
    process: Process,
    log: PathBuf,
}

impl Provisioner {
    /// Waits until the log holds `text`.
    pub async fn says(&mut self, text: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if log.contains(text) {
                return Ok(());
            }
            ensure!(
                self.process.is_running(),
                "nfsprov ended without {text:?}; it said:\n{log}"
            );
            ensure!(Instant::now() < end, "nfsprov never says {text:?}, only:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends SIGTERM, and gives the exit status.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.process.signal("TERM")?;
        timeout(PATIENCE, self.process.wait())
            .await
            .context("nfsprov does not stop")?
    }

    /// Ends it as a power failure would.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await
    }
}

/// stdout, stderr and exit code of a finished run.
pub fn said(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap_or(-1),
    )
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let config = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await?;
    Ok(Client::try_from(config)?)
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
