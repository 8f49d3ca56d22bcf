//! A running control plane: etcd, kube-apiserver and kube-controller-manager on free ports of 127.0.0.1.

mod faults;
mod scheduler;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, GetParams, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Client, Config};
use tokio::process::Command;

use crate::certs::{self, Authority};
use crate::kubernetes::{Binaries, Lane};
use crate::ports::Ports;
use crate::process::Process;
use crate::{Lab, cache};

/// How long a component may take to become ready on a busy machine; usually it takes two seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// The lab's own address on its bridge, for the `kubernetes` service: a loopback address is not allowed there.
const ADVERTISED: &str = "10.77.0.1";
/// The address of the `kubernetes` service, at which pods reach the API server: the first of the service range.
const SERVICE: &str = "10.0.0.1";
/// The pod that empties recycled volumes.
const RECYCLER: &str = include_str!("../node/recycler.yaml");

/// Options of a control plane.
#[derive(Clone, Debug, Default)]
pub struct ControlPlaneOptions {
    /// The version of Kubernetes.
    pub lane: Lane,
    /// Further arguments of kube-apiserver, after the lab's own.
    pub api_server_args: Vec<String>,
    /// Leaves the controller manager at its defaults. The lab allows it 2,000 requests a second (default: 20, which
    /// limits binding to about five claims a second) and lets it check claims and volumes every second (default: 15 s).
    pub controller_manager_defaults: bool,
    /// Further arguments of kube-controller-manager, after the lab's own.
    pub controller_manager_args: Vec<String>,
    /// Supports nodes ([`Lab::node`]): they reach the API server, and kube-scheduler and the controllers for nodes run.
    /// The pod that recycles volumes uses an image that nodes have, and is otherwise the default one.
    pub nodes: bool,
    /// Runs kube-scheduler without nodes too; tests create the Node objects.
    pub scheduler: bool,
}

/// A running control plane; dropping it ends all components.
#[derive(Debug)]
pub struct ControlPlane {
    dir: PathBuf,
    url: String,
    kubeconfig: PathBuf,
    version: String,
    authority: Authority,
    for_nodes: bool,
    // Fields are dropped in this order: clients before servers.
    scheduler: Option<Process>,
    controller_manager: Process,
    api_server: Process,
    etcd: Process,
    api_server_program: PathBuf,
    api_server_args: Vec<String>,
    ports: Ports,
    /// How many of these arguments are the lab's own; they come before those of the options.
    own_args: usize,
}

impl Lab {
    /// Starts a control plane and waits until its API server is ready and the namespace `default` usable.
    ///
    /// # Errors
    /// If the lane is not built yet, or a component does not start.
    pub async fn control_plane(&self, options: ControlPlaneOptions) -> Result<ControlPlane> {
        let lane = options.lane;
        let binaries = lane.find()?;
        let dir = self.unique_dir("control-plane")?;
        let started = ControlPlane::start(dir.clone(), &binaries, options).await;
        started.with_context(|| {
            format!(
                "cannot start a control plane of Kubernetes {lane} (see {})",
                dir.display()
            )
        })
    }
}

impl ControlPlane {
    async fn start(dir: PathBuf, binaries: &Binaries, options: ControlPlaneOptions) -> Result<Self> {
        let ports = Ports::reserve(5)?;
        let [api_port, etcd_port, peer_port, controller_port, scheduler_port] = ports.numbers()[..] else {
            bail!("fewer than five ports are free");
        };
        let url = format!("https://127.0.0.1:{api_port}");
        let authority = Authority::new()?;
        let ca = dir.join("ca.crt");
        certs::write_private(&ca, &authority.pem())?;
        let (signing_key, checking_key) = certs::write_signing_key(&dir)?;
        let kubeconfig = dir.join("admin.kubeconfig");
        authority
            .client("admin", &["system:masters"])?
            .write_kubeconfig(&authority, &url, &kubeconfig)?;
        let manager_kubeconfig = dir.join("controller-manager.kubeconfig");
        let manager = authority.client("system:kube-controller-manager", &[])?;
        manager.write_kubeconfig(&authority, &url, &manager_kubeconfig)?;

        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let etcd = spawn(
            &dir,
            &binaries.etcd,
            &etcd_args(&dir, &etcd_url, &format!("http://127.0.0.1:{peer_port}")),
        )?;

        let names = [
            "127.0.0.1",
            ADVERTISED,
            "localhost",
            "kubernetes",
            "kubernetes.default.svc",
            SERVICE,
        ];
        let (certificate, key) = authority.server(&names)?.write(&dir, "api-server")?;
        let mut api_server_args = vec![
            format!("--etcd-servers={etcd_url}"),
            // The lab has its own network, whose guests may check whether the API server is ready.
            "--bind-address=0.0.0.0".to_owned(),
            format!("--advertise-address={ADVERTISED}"),
            format!("--secure-port={api_port}"),
            format!("--cert-dir={}", dir.display()),
            format!("--tls-cert-file={}", certificate.display()),
            format!("--tls-private-key-file={}", key.display()),
            format!("--client-ca-file={}", ca.display()),
            format!("--service-account-key-file={}", checking_key.display()),
            format!("--service-account-signing-key-file={}", signing_key.display()),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--allow-privileged=true".to_owned(),
        ];
        api_server_args.extend(match options.nodes {
            true => {
                let (certificate, key) = authority
                    .client("lab:kube-apiserver", &["system:masters"])?
                    .write(&dir, "kubelet-client")?;
                vec![
                    "--authorization-mode=Node,RBAC".to_owned(),
                    "--enable-admission-plugins=NodeRestriction".to_owned(),
                    // For logs and exec: the API server runs outside the guests and cannot resolve their names.
                    "--kubelet-preferred-address-types=InternalIP".to_owned(),
                    format!("--kubelet-client-certificate={}", certificate.display()),
                    format!("--kubelet-client-key={}", key.display()),
                ]
            }
            false => vec!["--authorization-mode=RBAC".to_owned()],
        });
        let own_args = api_server_args.len();
        api_server_args.extend(options.api_server_args);
        let api_server_program = binaries.kubernetes.join("kube-apiserver");
        // The API server waits for etcd itself.
        let api_server = spawn(&dir, &api_server_program, &api_server_args)?;
        let client = client(&kubeconfig).await?;
        wait_ready(&client, &[&etcd, &api_server]).await?;

        let mut args = vec![
            format!("--kubeconfig={}", manager_kubeconfig.display()),
            format!("--cert-dir={}", dir.display()),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={controller_port}"),
            format!("--service-account-private-key-file={}", signing_key.display()),
            format!("--root-ca-file={}", ca.display()),
            "--use-service-account-credentials=true".to_owned(),
            "--leader-elect=false".to_owned(),
            // The default is a directory of the whole machine, which the controller manager creates.
            format!("--flex-volume-plugin-dir={}", dir.join("flex-volumes").display()),
        ];
        match options.nodes {
            true => {
                let recycler = dir.join("recycler.yaml");
                std::fs::write(&recycler, RECYCLER).with_context(|| format!("cannot write {}", recycler.display()))?;
                // The lab assigns the pod addresses of nodes.
                args.push("--controllers=*,-nodeipam".to_owned());
                let option = "--pv-recycler-pod-template-filepath-nfs";
                args.push(format!("{option}={}", recycler.display()));
            }
            // Without nodes, the node lifecycle controller has no work.
            false => args.push("--controllers=*,-nodeipam,-nodelifecycle".to_owned()),
        }
        if options.lane == Lane::V1_20 {
            // Disables the insecure port, on which two controller managers would collide.
            args.push("--port=0".to_owned());
        }
        if !options.controller_manager_defaults {
            let faster = [
                "--kube-api-qps=2000",
                "--kube-api-burst=3000",
                "--pvclaimbinder-sync-period=1s",
            ];
            args.extend(faster.map(str::to_owned));
        }
        args.extend(options.controller_manager_args);
        let controller_manager = spawn(&dir, &binaries.kubernetes.join("kube-controller-manager"), &args)?;
        let scheduler = match options.nodes || options.scheduler {
            true => Some(scheduler::start(
                &dir,
                options.lane,
                binaries,
                &authority,
                &url,
                scheduler_port,
            )?),
            false => None,
        };
        wait_default_account(&client, &controller_manager).await?;
        let version = client
            .apiserver_version()
            .await
            .context("cannot read the API server's version")?;
        Ok(Self {
            dir,
            url,
            kubeconfig,
            version: version.git_version.trim_start_matches('v').to_owned(),
            authority,
            for_nodes: options.nodes,
            scheduler,
            controller_manager,
            api_server,
            etcd,
            api_server_program,
            api_server_args,
            ports,
            own_args,
        })
    }

    /// An administrator's kubeconfig (client certificate, group `system:masters`).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Writes a kubeconfig for another identity, signed by the same authority; RBAC rules for `user` and `groups` (two
    /// at most) determine its permissions.
    ///
    /// # Errors
    /// If there are more groups, or the file cannot be written.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let name: String = user
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let path = crate::unique(&self.dir, &name, ".kubeconfig", |path| {
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path)
                .map(drop)
        })?;
        self.authority
            .client(user, groups)?
            .write_kubeconfig(&self.authority, &self.url, &path)?;
        Ok(path)
    }

    /// The text of a kubeconfig for `user` with which guests reach the API server.
    pub(crate) fn kubeconfig_on_guests(&self, user: &str, groups: &[&str]) -> Result<String> {
        if !self.for_nodes {
            bail!("this control plane was not started for nodes");
        }
        let port = self.ports.numbers().first().context("the API server has no port")?;
        let client = self.authority.client(user, groups)?;
        client.kubeconfig(&self.authority, &format!("https://{ADVERTISED}:{port}"))
    }

    /// The certificate of its authority in PEM.
    pub(crate) fn authority(&self) -> String {
        self.authority.pem()
    }

    /// A new client with the administrator's identity.
    ///
    /// # Errors
    /// If the kubeconfig cannot be read.
    pub async fn client(&self) -> Result<Client> {
        client(&self.kubeconfig).await
    }

    /// The version that the API server reports, without the `v`: `1.20.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The API server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The directory of its data, keys and logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn components(&self) -> impl Iterator<Item = &Process> {
        let always = [&self.etcd, &self.api_server, &self.controller_manager];
        always.into_iter().chain(&self.scheduler)
    }

    /// The names and process ids of its components.
    pub fn pids(&self) -> Vec<(&str, u32)> {
        self.components()
            .map(|process| (process.name(), process.pid()))
            .collect()
    }

    /// The names of its running components and their resident memory in bytes.
    pub fn rss(&self) -> Vec<(&str, u64)> {
        self.pids()
            .into_iter()
            .filter_map(|(name, pid)| Some((name, crate::proc::rss(pid)?)))
            .collect()
    }

    /// Kills all components at once; their data is not needed afterwards.
    ///
    /// # Errors
    /// If waiting for the end of a component fails.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.kill().await?;
        }
        self.controller_manager.kill().await?;
        self.api_server.kill().await?;
        self.etcd.kill().await
    }
}

fn etcd_args(dir: &Path, client: &str, peer: &str) -> Vec<String> {
    vec![
        format!("--data-dir={}", dir.join("etcd").display()),
        // The data need not survive the lab.
        "--unsafe-no-fsync".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ]
}

fn spawn(dir: &Path, program: &Path, args: &[String]) -> Result<Process> {
    let name = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    cache::create_dir(dir)?;
    let log = dir.join(format!("{name}.log"));
    let mut command = Command::new(program);
    command.args(args).current_dir(dir);
    // Go collects garbage less often: a lab has more free memory than processor time.
    command.env("GOGC", "300");
    // All their peers are in the lab, so a proxy of the caller must not be used.
    for proxy in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        command.env_remove(proxy);
    }
    Process::spawn(name, log, command)
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let describe = || format!("cannot use the kubeconfig {}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(describe)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .with_context(describe)?;
    config.proxy_url = None;
    Client::try_from(config).with_context(describe)
}

/// Waits until /readyz returns ok. There is no event for that, so this polls ten times a second.
async fn wait_ready(client: &Client, processes: &[&Process]) -> Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        for process in processes {
            process.expect_running()?;
        }
        let request = Request::new("")
            .get("readyz", &GetParams::default())
            .context("cannot make a request")?;
        let asked = tokio::time::timeout(Duration::from_secs(5), client.request_text(request)).await;
        let why = match asked {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer within 5 s".to_owned(),
        };
        if Instant::now() > deadline {
            let logs: Vec<_> = processes
                .iter()
                .map(|process| process.log().display().to_string())
                .collect();
            bail!(
                "the API server is not ready after {READY_WITHIN:?}: {why} (logs: {})",
                logs.join(", ")
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the controller manager has created the default service account, without which no pod is admitted.
async fn wait_default_account(client: &Client, controller_manager: &Process) -> Result<()> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let condition = await_condition(accounts, "default", |found: Option<&ServiceAccount>| found.is_some());
    tokio::pin!(condition);
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        controller_manager.expect_running()?;
        // A short timeout for each round, so that the end of the controller manager is noticed.
        match tokio::time::timeout(Duration::from_secs(1), &mut condition).await {
            Ok(done) => return done.map(drop).context("cannot watch the service account default"),
            Err(_) => continue,
        }
    }
    let log = controller_manager.log().display();
    bail!("the service account default does not exist after {READY_WITHIN:?} (controller manager's log: {log})");
}
