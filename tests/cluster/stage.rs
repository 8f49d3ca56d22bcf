//! Where the tests play: the lab with one control plane of a version, or a user's own cluster.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolume};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::namespace::{Entry, enter};
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab, Lane};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::kit::{Directories, PATIENCE, Running, Scene};

/// What a test needs beyond a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Cluster,
    /// The lab: an NFS server, or a control plane of its own.
    Lab,
    /// The lab, with any one version of Kubernetes: what the test is about is NFS.
    Once,
    /// The lab, with a version that can be told to send selfLink.
    SelfLink,
    /// The lab, with a version that can't.
    NoSelfLink,
}

/// Which clusters the tests run on.
pub enum Venue {
    /// The user's, by its kubeconfig.
    Own(PathBuf),
    /// The lab's, one after the other, with an NFS server that all share.
    Lab(Lab, Vec<Lane>),
    /// None, and why.
    None(String),
}

/// A control plane of one test's own.
pub struct Own {
    plane: ControlPlane,
    place: OwnedSemaphorePermit,
}

impl Own {
    /// Stops it.
    pub async fn stop(self) -> Result<()> {
        self.plane.stop().await
    }
}

impl Deref for Own {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        &self.plane
    }
}

impl DerefMut for Own {
    fn deref_mut(&mut self) -> &mut ControlPlane {
        &mut self.plane
    }
}

/// How many tests have a control plane of their own at a time. Starting one keeps a processor busy for
/// seconds, and what other tests wait for must not become a matter of luck.
const OWN_PLANES: usize = 2;

/// One cluster, and what the tests on it share.
pub struct Stage {
    runtime: tokio::runtime::Runtime,
    lab: Option<(Lab, Lane)>,
    plane: Mutex<Option<ControlPlane>>,
    nfs: Option<Guest>,
    cluster: String,
    kubeconfig: PathBuf,
    missing: Option<String>,
    directory: tempfile::TempDir,
    count: AtomicUsize,
    places: Arc<Semaphore>,
    spare: Mutex<Vec<ControlPlane>>,
}

/// The user's own cluster if one is named, else the lab.
pub fn venue() -> Result<Venue> {
    if let Some(kubeconfig) = std::env::var_os("NFSPROV_TEST_KUBECONFIG") {
        return Ok(Venue::Own(kubeconfig.into()));
    }
    // First of all: what follows runs inside the lab's namespaces, in a process of its own.
    Ok(match enter()? {
        Entry::Inside(lab) => Venue::Lab(lab, Lane::to_test()?),
        Entry::Skip(why) => Venue::None(why),
    })
}

impl Stage {
    fn new(cluster: &str) -> Result<Self> {
        Ok(Self {
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
            lab: None,
            plane: Mutex::new(None),
            nfs: None,
            cluster: cluster.to_owned(),
            kubeconfig: PathBuf::new(),
            missing: None,
            directory: tempfile::tempdir()?,
            count: AtomicUsize::new(0),
            places: Arc::new(Semaphore::new(OWN_PLANES)),
            spare: Mutex::default(),
        })
    }

    /// No cluster: every test is left out, for this reason.
    pub fn none(why: &str) -> Result<Self> {
        let mut stage = Self::new("none")?;
        stage.missing = Some(why.to_owned());
        Ok(stage)
    }

    /// A cluster of the user's.
    pub fn own(kubeconfig: PathBuf) -> Result<Self> {
        let mut stage = Self::new("own")?;
        stage.kubeconfig = kubeconfig;
        Ok(stage)
    }

    /// A control plane of the lab and an NFS server, both brought up now.
    pub fn lab_with(lab: &Lab, lane: Lane) -> Result<Self> {
        let mut stage = Self::new("lab")?;
        let options = ControlPlaneOptions {
            lane,
            ..ControlPlaneOptions::default()
        };
        let (plane, nfs) = stage
            .runtime
            .block_on(async { tokio::try_join!(lab.control_plane(options), lab.guest("nfs", Template::NfsServer)) })?;
        stage.cluster = plane.version().to_owned();
        stage.kubeconfig = plane.kubeconfig().to_owned();
        stage.plane = Mutex::new(Some(plane));
        stage.nfs = Some(nfs);
        stage.lab = Some((lab.clone(), lane));
        Ok(stage)
    }

    /// The Kubernetes version that the tests run on, or `own`.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Why a test with this need can't run here.
    pub fn lacks(&self, need: Need) -> Option<String> {
        match (&self.missing, need) {
            (Some(why), _) => Some(why.clone()),
            (None, Need::Cluster) => None,
            (None, _) => (self.cluster == "own")
                .then(|| "needs the lab, and NFSPROV_TEST_KUBECONFIG names another cluster".to_owned()),
        }
    }

    /// Whether a test with this need is about such a cluster, the `first` or another.
    pub fn concerns(&self, need: Need, first: bool) -> bool {
        let lane = self.lab.as_ref().map(|(_, lane)| *lane);
        match need {
            Need::Cluster | Need::Lab => true,
            Need::Once => first,
            Need::SelfLink => lane.is_none_or(|lane| lane == Lane::V1_20),
            Need::NoSelfLink => lane.is_none_or(|lane| lane != Lane::V1_20),
        }
    }

    /// Runs a test to its end.
    pub fn block_on(&self, test: Running) -> Result<()> {
        self.runtime.block_on(test)
    }

    /// A new file's path among the tests' own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{}-{name}", self.next()))
    }

    /// The home directory of those who are tested.
    pub fn home(&self) -> &Path {
        self.directory.path()
    }

    /// Stops what was brought up; on a user's own cluster, takes away what the tests made.
    pub fn close(&self) {
        if self.cluster == "own"
            && let Err(error) = self.runtime.block_on(self.tidy())
        {
            eprintln!("tidying up: {error:#}");
        }
        let plane = self.plane.lock().ok().and_then(|mut plane| plane.take());
        let spare = self.spare.lock().map(|mut spare| std::mem::take(&mut *spare));
        for plane in plane.into_iter().chain(spare.unwrap_or_default()) {
            if let Err(error) = self.runtime.block_on(plane.stop()) {
                eprintln!("stopping the control plane: {error:#}");
            }
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
        let lab = self.lab.as_ref().map(|(lab, _)| lab);
        lab.context("this test was to be skipped without a lab")
    }

    /// The lane of Kubernetes, for tests with [`Need::Lab`].
    pub fn lane(&self) -> Result<Lane> {
        let lane = self.lab.as_ref().map(|(_, lane)| *lane);
        lane.context("this test was to be skipped without a lab")
    }

    /// Another control plane of the stage's version, for a test that will break it.
    pub async fn another_control_plane(&self) -> Result<Own> {
        self.control_plane_with(&[]).await
    }

    /// One that a test has for itself and gives back as it was: starting one costs more than clearing it up.
    pub async fn cleared_control_plane(&self) -> Result<Own> {
        // Never closed.
        let place = self.places.clone().acquire_owned().await?;
        let spare = self.spare.lock().map_err(|_| anyhow!("a test panicked"))?.pop();
        match spare {
            Some(plane) => Ok(Own { plane, place }),
            None => {
                drop(place);
                self.another_control_plane().await
            }
        }
    }

    /// Takes back what [`Stage::cleared_control_plane`] gave, without what was made on it.
    pub async fn give_back(&self, own: Own) -> Result<()> {
        clear(own.plane.kubeconfig()).await?;
        let mut spare = self.spare.lock().map_err(|_| anyhow!("a test panicked"))?;
        spare.push(own.plane);
        drop(own.place);
        Ok(())
    }

    /// A control plane of the stage's version, with further arguments of kube-apiserver.
    pub async fn control_plane_with(&self, api_server_args: &[&str]) -> Result<Own> {
        let options = ControlPlaneOptions {
            api_server_args: api_server_args.iter().map(|arg| (*arg).to_owned()).collect(),
            ..ControlPlaneOptions::default()
        };
        self.own_control_plane(options).await
    }

    /// A control plane of the stage's version that has kube-scheduler.
    pub async fn control_plane_that_schedules(&self) -> Result<Own> {
        let options = ControlPlaneOptions {
            scheduler: true,
            ..ControlPlaneOptions::default()
        };
        self.own_control_plane(options).await
    }

    async fn own_control_plane(&self, options: ControlPlaneOptions) -> Result<Own> {
        // Never closed.
        let place = self.places.clone().acquire_owned().await?;
        let options = ControlPlaneOptions {
            lane: self.lane()?,
            ..options
        };
        let plane = self.lab()?.control_plane(options).await?;
        Ok(Own { plane, place })
    }

    /// The kubectl that goes with the cluster.
    pub fn kubectl(&self) -> Result<PathBuf> {
        let (_, lane) = self.lab.as_ref().context("this test was to be skipped without a lab")?;
        Ok(nfsprov_lab::run::kubectl(*lane)?.join("kubectl"))
    }

    /// The NFS server that the tests share.
    pub fn nfs(&self) -> Result<&Guest> {
        self.nfs.as_ref().context("there is no NFS server")
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
            path: "/nfsdata".to_owned(),
            stage: self.clone(),
        })
    }

    /// Another identity on the stage's own cluster.
    pub fn kubeconfig_for(&self, user: &str) -> Result<PathBuf> {
        let plane = self.plane.lock().map_err(|_| anyhow!("a test panicked"))?;
        plane.as_ref().context("no control plane")?.kubeconfig_for(user, &[])
    }

    fn next(&self) -> usize {
        self.count.fetch_add(1, Ordering::Relaxed)
    }
}

/// Removes all that tests make for all to see, and waits until it is gone; what is in their namespaces goes with these.
async fn clear(kubeconfig: &Path) -> Result<()> {
    let client = client(kubeconfig).await?;
    let params = DeleteParams::default();
    let all = ListParams::default();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces.list(&all).await? {
        let name = namespace.name_any();
        // One that an earlier test left may be going still.
        if name.starts_with("test-") && namespace.metadata.deletion_timestamp.is_none() {
            let deployments: Api<Deployment> = Api::namespaced(client.clone(), &name);
            deployments.delete_collection(&params, &all).await?;
            let sets: Api<StatefulSet> = Api::namespaced(client.clone(), &name);
            sets.delete_collection(&params, &all).await?;
            namespaces.delete(&name, &params).await?;
        }
    }
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    for volume in volumes.list(&all).await? {
        // Nobody is left who would take them off.
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let name = volume.name_any();
        volumes.patch(&name, &PatchParams::default(), &patch).await?;
        // A PV that was being deleted is gone by that.
        _ = volumes.delete(&name, &params).await;
    }
    Api::<StorageClass>::all(client.clone())
        .delete_collection(&params, &all)
        .await?;
    Api::<Node>::all(client.clone())
        .delete_collection(&params, &all)
        .await?;
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    for binding in bindings.list(&all).await?.iter().map(ResourceExt::name_any) {
        if binding.starts_with("test-") {
            bindings.delete(&binding, &params).await?;
        }
    }
    let end = Instant::now() + PATIENCE;
    loop {
        let volumes = volumes.list(&all).await?.items.len();
        let deployments = Api::<Deployment>::all(client.clone()).list(&all).await?.items.len();
        let sets = Api::<StatefulSet>::all(client.clone()).list(&all).await?.items.len();
        if volumes + deployments + sets == 0 {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "{volumes} PVs, {deployments} Deployments and {sets} StatefulSets do not go"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let config = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await?;
    Ok(Client::try_from(config)?)
}
