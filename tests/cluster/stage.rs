//! What the tests on one version of Kubernetes share: a control plane, and the NFS server of all versions.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures::future::try_join_all;
use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, StorageClass};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use libtest_mimic::Failed;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab, Lane, trial};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::kit::{Directories, EVENT_TIMEOUT, Running, Scene};

/// A duration or size: `usual`, or `thorough` in `make test-all`.
pub fn usual_or_thorough<T>(usual: T, thorough: T) -> T {
    if trial::is_thorough() { thorough } else { usual }
}

/// The versions of Kubernetes that a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The newest: every version behaves equally.
    Newest,
    /// The oldest, for this reason.
    Oldest(&'static str),
    /// Only the newest, for this reason.
    OnlyNewest(&'static str),
    /// Both, for this reason.
    Both(&'static str),
    /// Both in `make test-all`, none in `make test`, where the named tests prove the same.
    InTestAll(&'static str),
}

impl On {
    /// The versions; in `make test-all` both for every test that can run on both.
    pub fn lanes(self) -> &'static [Lane] {
        match self {
            On::Newest if !trial::is_thorough() => &[Lane::Latest],
            On::InTestAll(_) if !trial::is_thorough() => &[],
            On::OnlyNewest(_) => &[Lane::Latest],
            On::Oldest(_) => &[Lane::V1_20],
            On::Newest | On::Both(_) | On::InTestAll(_) => &[Lane::V1_20, Lane::Latest],
        }
    }
}

/// A control plane that one test has for itself.
pub struct Own {
    plane: ControlPlane,
    _place: OwnedSemaphorePermit,
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

/// How many tests have their own control plane at a time. Starting one uses a processor for seconds, and each takes
/// half a gigabyte.
const OWN_PLANES: usize = 3;

/// What the tests on all versions share.
pub struct Shared {
    runtime: tokio::runtime::Runtime,
    lab: Lab,
    nfs: Guest,
    /// The server that squashes root; started when a test first needs it.
    squashing: OnceCell<Guest>,
    /// Numbers the namespaces and files of tests.
    count: AtomicUsize,
    places: Arc<Semaphore>,
}

impl Shared {
    /// Starts the NFS server.
    pub fn start(lab: Lab) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let nfs = runtime.block_on(lab.guest("nfs", Template::NfsServer))?;
        Ok(Self {
            runtime,
            lab,
            nfs,
            squashing: OnceCell::new(),
            count: AtomicUsize::new(0),
            places: Arc::new(Semaphore::new(OWN_PLANES)),
        })
    }
}

/// A cluster and what the tests on it share.
pub struct Stage {
    shared: Arc<Shared>,
    lane: Lane,
    plane: Mutex<Option<ControlPlane>>,
    kubeconfig: PathBuf,
    /// Cleared control planes for later tests.
    spares: Mutex<Vec<ControlPlane>>,
}

impl Stage {
    /// Starts a control plane for each version, all at once.
    pub fn start_all(shared: Shared, lanes: &[Lane]) -> Result<Vec<Arc<Self>>> {
        let shared = Arc::new(shared);
        let start = |lane: &Lane| {
            let options = ControlPlaneOptions {
                lane: *lane,
                ..ControlPlaneOptions::default()
            };
            shared.lab.control_plane(options)
        };
        let planes = shared.runtime.block_on(try_join_all(lanes.iter().map(start)))?;
        let stages = lanes.iter().zip(planes).map(|(lane, plane)| {
            Arc::new(Self {
                shared: shared.clone(),
                lane: *lane,
                kubeconfig: plane.kubeconfig().to_owned(),
                plane: Mutex::new(Some(plane)),
                spares: Mutex::default(),
            })
        });
        Ok(stages.collect())
    }

    /// A guest for one test; the test may use the same name on the other version.
    pub async fn guest(&self, name: &str, template: Template) -> Result<Guest> {
        let lane = self.lane.name().replace('.', "-");
        self.shared.lab.guest(&format!("{name}-{lane}"), template).await
    }

    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Runs a test; records its duration and its logs.
    pub fn run(self: &Arc<Self>, group: &str, name: &str, test: fn(Arc<Self>) -> Running) -> Result<(), Failed> {
        let Shared { lab, runtime, .. } = &*self.shared;
        trial::run(lab, runtime, group, name, trial::LIMIT, test(self.clone())).map_err(Failed::from)
    }

    /// The path of a new file in the directory of the running test.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home().join(format!("{}-{name}", self.next()))
    }

    /// The home directory for tested programs: the directory of the running test.
    pub fn home(&self) -> PathBuf {
        trial::directory(&self.shared.lab)
    }

    /// Stops all components.
    pub fn close(&self) {
        let own = self.plane.lock().ok().and_then(|mut plane| plane.take());
        let spares = self.spares.lock().map(|mut spares| std::mem::take(&mut *spares));
        for plane in own.into_iter().chain(spares.unwrap_or_default()) {
            if let Err(error) = self.shared.runtime.block_on(plane.stop()) {
                eprintln!("stopping the control plane: {error:#}");
            }
        }
    }

    pub fn lab(&self) -> &Lab {
        &self.shared.lab
    }

    /// Another control plane of the stage's version, for a test that damages it.
    pub async fn another_control_plane(&self) -> Result<Own> {
        self.control_plane_with(&[]).await
    }

    /// A control plane for one test, which returns it unchanged: clearing one costs less than starting one.
    pub async fn cleared_control_plane(&self) -> Result<Own> {
        // The semaphore is never closed.
        let place = self.shared.places.clone().acquire_owned().await?;
        let spare = self.spares.lock().map_err(|_| anyhow!("a test panicked"))?.pop();
        let plane = match spare {
            Some(plane) => {
                plane.resume()?;
                plane
            }
            None => self.start(ControlPlaneOptions::default()).await?,
        };
        Ok(Own { plane, _place: place })
    }

    /// Returns a control plane of [`Stage::cleared_control_plane`]; removes the objects that tests created on it.
    pub async fn give_back(&self, own: Own) -> Result<()> {
        clear(own.plane.kubeconfig()).await?;
        own.plane.pause()?;
        let mut spares = self.spares.lock().map_err(|_| anyhow!("a test panicked"))?;
        spares.push(own.plane);
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
        // The semaphore is never closed.
        let place = self.shared.places.clone().acquire_owned().await?;
        let plane = self.start(options).await?;
        Ok(Own { plane, _place: place })
    }

    async fn start(&self, options: ControlPlaneOptions) -> Result<ControlPlane> {
        let lane = self.lane;
        self.lab().control_plane(ControlPlaneOptions { lane, ..options }).await
    }

    /// The kubectl of the cluster's version.
    pub fn kubectl(&self) -> Result<PathBuf> {
        Ok(nfsprov_lab::run::kubectl(self.lane)?.join("kubectl"))
    }

    /// The NFS server that the tests share.
    pub fn nfs(&self) -> &Guest {
        &self.shared.nfs
    }

    /// An NFS server whose export squashes root.
    pub async fn squashing_server(&self) -> Result<&Guest> {
        let server = crate::ssh::squashing_server(self, "squashing");
        self.shared.squashing.get_or_try_init(|| server).await
    }

    /// A scene on the stage's own cluster.
    pub async fn scene(self: &Arc<Self>) -> Result<Scene> {
        let kubeconfig = self.kubeconfig.clone();
        self.scene_on(&kubeconfig).await
    }

    /// A scene on another cluster.
    pub async fn scene_on(self: &Arc<Self>, kubeconfig: &Path) -> Result<Scene> {
        let client = client(kubeconfig).await?;
        let namespace = format!("test-{}-{:04}", std::process::id(), self.next());
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
        Api::all(client.clone()).create(&Default::default(), &object).await?;
        let export = Directories::Guest(self.nfs().address().to_string());
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
        self.shared.count.fetch_add(1, Ordering::Relaxed)
    }
}

/// Removes the cluster-wide objects that tests create and their namespaces, and waits until they are deleted.
async fn clear(kubeconfig: &Path) -> Result<()> {
    let client = client(kubeconfig).await?;
    let params = DeleteParams::default();
    let all = ListParams::default();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces.list(&all).await? {
        let name = namespace.name_any();
        // A namespace of an earlier test may still be terminating.
        if name.starts_with("test-") && namespace.metadata.deletion_timestamp.is_none() {
            let deployments: Api<Deployment> = Api::namespaced(client.clone(), &name);
            deployments.delete_collection(&params, &all).await?;
            let sets: Api<StatefulSet> = Api::namespaced(client.clone(), &name);
            sets.delete_collection(&params, &all).await?;
            // No kubelet runs that would end them.
            let pods: Api<Pod> = Api::namespaced(client.clone(), &name);
            pods.delete_collection(&params.clone().grace_period(0), &all).await?;
            namespaces.delete(&name, &params).await?;
        }
    }
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    for volume in volumes.list(&all).await? {
        // No controller runs that would remove them.
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let name = volume.name_any();
        // The PV may no longer exist; a terminating one is deleted once its finalizers are removed.
        _ = volumes.patch(&name, &PatchParams::default(), &patch).await;
        _ = volumes.delete(&name, &params).await;
    }
    delete_all::<StorageClass>(&client, &all).await?;
    delete_all::<CSIDriver>(&client, &all).await?;
    delete_all::<CSINode>(&client, &all).await?;
    delete_all::<Node>(&client, &all).await?;
    // All except Kubernetes' own.
    let made = ListParams::default().labels("!kubernetes.io/bootstrapping");
    delete_all::<ClusterRole>(&client, &made).await?;
    delete_all::<ClusterRoleBinding>(&client, &made).await?;
    let end = Instant::now() + EVENT_TIMEOUT;
    loop {
        let left = [
            volumes.list_metadata(&all).await?.items.len(),
            Api::<Deployment>::all(client.clone())
                .list_metadata(&all)
                .await?
                .items
                .len(),
            Api::<StatefulSet>::all(client.clone())
                .list_metadata(&all)
                .await?
                .items
                .len(),
            Api::<Pod>::all(client.clone()).list_metadata(&all).await?.items.len(),
            Api::<PersistentVolumeClaim>::all(client.clone())
                .list_metadata(&all)
                .await?
                .items
                .len(),
        ];
        if left == [0; 5] {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "PVs, Deployments, StatefulSets, pods and claims do not go: {left:?} are left"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Deletes all selected objects of a kind.
async fn delete_all<K>(client: &Client, selected: &ListParams) -> Result<()>
where
    K: kube::Resource<Scope = ClusterResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let objects: Api<K> = Api::all(client.clone());
    objects.delete_collection(&DeleteParams::default(), selected).await?;
    Ok(())
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let config = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await?;
    Ok(Client::try_from(config)?)
}
