//! Guests: Debian systems in which tests install packages, serve NFS and mount it.
//!
//! Each is a Linux kernel that runs as a process of this machine (User-Mode Linux). Its disk is a file in memory with
//! its changes to the shared image, removed with the guest. Its address is the first free one from 10.77.0.10 on, and
//! all guests of a lab resolve each other's names.

pub(crate) mod boot;
mod container;
mod slot;
mod ssh;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::Lab;
use crate::image::kernel::Kernel;
use crate::image::{self, Image, node, quota, rpm_double, tools};
use crate::network::Tap;
use crate::process::Process;
use boot::Boot;
use slot::{Peer, Slot};

/// How long a guest may take to start; on an idle machine it takes 3 to 6 seconds.
const START_WITHIN: Duration = Duration::from_secs(120);
/// How long a guest may take to shut down.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// How long adding a new name to another guest may take; a guest that hangs does not get the name.
const ADD_HOSTS_WITHIN: Duration = Duration::from_secs(10);
/// The size of a second disk; the file is sparse.
const SECOND_DISK: u64 = 2 << 30;
const SSH_PORT: u16 = 22;
const NFS_PORT: u16 = 2049;

/// The contents of a new guest's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Template {
    /// Debian with sshd, and an apt source that has the NFS packages and works without a network.
    Bare,
    /// A bare guest after `apt-get install nfs-common`.
    NfsClient,
    /// A bare guest after `apt-get install nfs-kernel-server`: serves [`image::NFS_PATH`], mode 0777, to all clients
    /// over NFS 3 and 4 (`rw,sync,no_subtree_check,no_root_squash`).
    NfsServer,
    /// Debian with containerd, the kubelet and kube-proxy without a cluster; [`Lab::node`] makes it join one. It has no
    /// NFS client, and the apt source of [`Template::Bare`].
    Node,
    /// A bare guest as a container: it has an SSH server and a journal, but no kernel or systemd of its own, and runs
    /// programs at this machine's speed. It cannot hang or be restarted.
    Login,
    /// A double of a Rocky Linux 9 host without NFS: Debian's userland under that name, with real dnf and rpm instead
    /// of apt and dpkg, and a repository with nfs-utils and rpcbind, built from Debian's packages.
    RpmDouble,
    /// Debian with an NFS server that exports nothing, and with firewalld, ufw and pam_oath, all inactive.
    NfsServerWithTools,
    /// Debian with an NFS server that exports nothing, the tools for XFS and quotas, and an empty second disk,
    /// `/dev/ubdb`, of 2 GiB.
    NfsServerWithQuota,
}

impl Template {
    fn kernel(self, image: &Image) -> Kernel {
        match self {
            Template::Node | Template::NfsServerWithTools => image.kernel_with_iptables(),
            _ => image.kernel(),
        }
    }

    /// The size of its memory in MiB.
    fn megabytes(self) -> u16 {
        match self {
            Template::Node => 1024,
            _ => 512,
        }
    }
}

/// A running guest; dropping it kills it and removes its disk.
#[derive(Debug)]
pub struct Guest {
    // Fields are dropped in this order: the connection and the process first, the slot last.
    connection: Mutex<Option<Process>>,
    process: Option<Process>,
    /// Its network interface while it runs.
    tap: Option<Tap>,
    disk: Disk,
    name: String,
    template: Template,
    image: Image,
    /// The disk that all guests of its template read and none writes.
    beneath: PathBuf,
    address: Ipv4Addr,
    known_hosts: PathBuf,
    slot: Slot,
}

/// A guest's disk and the directory in memory that holds it; dropping it removes the disk.
#[derive(Debug)]
struct Disk {
    file: PathBuf,
    memory: PathBuf,
}

impl Disk {
    /// The file of a second disk.
    fn second(&self) -> PathBuf {
        self.file.with_extension("second")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A guest that never started has no disk, and few have a second one. Files that stay are removed with the lab.
        let _ = std::fs::remove_file(&self.file);
        let _ = std::fs::remove_file(self.second());
    }
}

impl Lab {
    /// Starts a guest with the host name `name` and returns when it is usable: root can log in over SSH and, with
    /// [`Template::NfsServer`], the NFS server answers.
    ///
    /// # Errors
    /// If the image is not built, the name is taken or not a host name, or the guest does not start; the error then has
    /// the end of its console log.
    pub async fn guest(&self, name: &str, template: Template) -> Result<Guest> {
        let image = image::find().context("the guests' image is not built yet: run nfsprov-lab build")?;
        let beneath = match template {
            Template::Node => node::find().context("the nodes' disk is not built yet: run nfsprov-lab build")?,
            _ => image.disk(),
        };
        let frozen = match template {
            Template::Bare | Template::Login | Template::Node => None,
            Template::NfsClient => Some(image.nfs_client_disk()),
            Template::NfsServer => Some(image.nfs_server_disk()),
            Template::NfsServerWithTools => {
                let found = tools::find();
                Some(found.context("the server with firewalls is not built yet: run nfsprov-lab build")?)
            }
            Template::NfsServerWithQuota => {
                let found = quota::find();
                Some(found.context("the server with quotas is not built yet: run nfsprov-lab build")?)
            }
            Template::RpmDouble => {
                let found = rpm_double::find();
                Some(found.context("the double of a host with rpm packages is not built yet: run nfsprov-lab build")?)
            }
        };
        let memory = slot::memory(self)?;
        let slot = Slot::take(self, name)?;
        crate::trial::show(self, slot.dir(), name);
        let address = crate::network::address(slot.number());
        let known_hosts = slot.dir().join("known_hosts");
        std::fs::write(&known_hosts, image.known_hosts(&[&address.to_string(), name])?)
            .with_context(|| format!("cannot write {}", known_hosts.display()))?;
        let mut guest = Guest {
            connection: Mutex::default(),
            process: None,
            tap: None,
            disk: Disk {
                file: memory.join(format!("{}.cow", slot.number())),
                memory,
            },
            name: name.to_owned(),
            template,
            image,
            beneath,
            address,
            known_hosts,
            slot,
        };
        if let Some(from) = frozen {
            // fs::copy would write the holes of this almost empty file.
            let copied = Command::new("cp")
                .arg("--sparse=always")
                .arg(&from)
                .arg(&guest.disk.file)
                .output()
                .await;
            let copied = copied.context("cannot run cp")?;
            if !copied.status.success() {
                bail!(
                    "cannot copy {}: {}",
                    from.display(),
                    String::from_utf8_lossy(&copied.stderr).trim()
                );
            }
        }
        if let Some(second) = guest.second_disk() {
            let made = std::fs::File::create(&second).and_then(|disk| disk.set_len(SECOND_DISK));
            made.with_context(|| format!("cannot make {}", second.display()))?;
        }
        guest.boot().await?;
        Ok(guest)
    }
}

impl Guest {
    /// Its address, which never changes.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its host name, which its peers can resolve.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The private key that logs in as `root`, or as `ops`, who can use sudo without a password.
    pub fn ssh_key(&self) -> PathBuf {
        self.image.ssh_key()
    }

    /// A known_hosts file with its host key, for its address and its name.
    pub fn known_hosts(&self) -> &Path {
        &self.known_hosts
    }

    /// The log of its console.
    pub fn log(&self) -> PathBuf {
        self.slot.dir().join("console.log")
    }

    /// The id of its process inside the lab; `None` while it is off.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Shuts it down as an administrator does, and waits until it is off.
    ///
    /// # Errors
    /// If it cannot be reached, or is still on after a minute.
    pub async fn stop(&mut self) -> Result<()> {
        self.slot.set_ready(false)?;
        // `poweroff` would start a service first, only to send it a request. The guest may end the connection before it
        // tells the command's end.
        let asked = self.ssh("systemctl start --no-block poweroff.target").await;
        let Some(process) = &mut self.process else {
            bail!("the guest {} is off", self.name)
        };
        if timeout(STOP_WITHIN, process.wait()).await.is_err() {
            asked?;
            bail!("the guest {} is still on after {STOP_WITHIN:?}", self.name);
        }
        self.kill().await
    }

    /// Kills it like a power failure: changes that it had not written to its disk are lost. Does nothing if it is off.
    ///
    /// # Errors
    /// If waiting for the end of its process fails.
    pub async fn kill(&mut self) -> Result<()> {
        self.slot.set_ready(false)?;
        self.connection.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        match self.process.take() {
            Some(mut process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Freezes it: it neither works nor answers, and its connections stay open, until [`Guest::resume`].
    ///
    /// # Errors
    /// If it is off.
    pub fn hang(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Continues it after [`Guest::hang`].
    ///
    /// # Errors
    /// If it is off.
    pub fn resume(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// Starts it again with its current disk, after shutting it down if it is on.
    ///
    /// # Errors
    /// Those of [`Guest::stop`] and of starting it.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.as_ref().is_some_and(Process::is_running) {
            self.stop().await?;
        }
        self.boot().await
    }

    /// Only the main process gets the signal. The others are the guest's programs, which the main process traces: they
    /// stop at their next system call, and would treat a signal to them as one from inside the guest.
    fn signal(&self, signal: &str) -> Result<()> {
        let process = self
            .process
            .as_ref()
            .with_context(|| format!("the guest {} is off", self.name))?;
        process.signal(signal)
    }

    async fn boot(&mut self) -> Result<()> {
        self.kill().await?;
        let peers = self.slot.peers()?;
        let hosts: Vec<_> = peers.iter().map(|peer| (peer.name.clone(), peer.address)).collect();
        match self.template {
            Template::Login => self.start_container(&hosts).await?,
            _ => self.start_kernel(&hosts)?,
        }
        let others = peers.iter().filter(|peer| peer.ready && peer.name != self.name);
        let itself = [(self.name.clone(), self.address)];
        let additions = others.map(|other| self.add_hosts_to_guest(other.address, &itself));
        let (started, _added) = tokio::join!(self.wait_until_usable(), join_all(additions));
        started?;
        // Guests that started meanwhile saw this one as not ready and did not send it their names, so it looks them up.
        let now = self.slot.set_ready(true)?;
        let missed: Vec<_> = now
            .into_iter()
            .map(|Peer { name, address, .. }| (name, address))
            .collect();
        if missed != hosts {
            self.add_hosts_to_guest(self.address, &missed).await;
        }
        Ok(())
    }

    /// The file of its second disk, if its template has one.
    fn second_disk(&self) -> Option<PathBuf> {
        (self.template == Template::NfsServerWithQuota).then(|| self.disk.second())
    }

    fn start_kernel(&mut self, hosts: &[(String, Ipv4Addr)]) -> Result<()> {
        if self.tap.is_none() {
            let tap = Tap::add(self.slot.number());
            self.tap = Some(tap.with_context(|| format!("cannot connect the guest {}", self.name))?);
        }
        let boot = Boot {
            number: self.slot.number(),
            name: &self.name,
            kernel: self.template.kernel(&self.image),
            disk: &self.disk.file,
            beneath: Some(&self.beneath),
            second: self.second_disk(),
            megabytes: self.template.megabytes(),
            memory: &self.disk.memory,
            hosts,
        };
        let arguments = boot.command()?;
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]).env("TMPDIR", &self.disk.memory);
        self.process = Some(Process::spawn(format!("the guest {}", self.name), self.log(), command)?);
        Ok(())
    }

    async fn start_container(&mut self, hosts: &[(String, Ipv4Addr)]) -> Result<()> {
        let memory = self.disk.file.with_extension("container");
        let number = self.slot.number();
        let command = container::command(&self.beneath, &memory, &self.name, number, hosts);
        let process = Process::spawn(format!("the guest {}", self.name), self.log(), command)?;
        container::wait_until_apart(process.pid(), START_WITHIN).await?;
        let pair = Tap::pair(number, process.pid());
        self.tap = Some(pair.with_context(|| format!("cannot connect the guest {}", self.name))?);
        self.process = Some(process);
        Ok(())
    }

    /// Waits until it is usable.
    async fn wait_until_usable(&self) -> Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        self.wait_for_port(SSH_PORT, deadline).await?;
        let check = match self.template {
            Template::NfsServer => {
                self.wait_for_port(NFS_PORT, deadline).await?;
                "rpcinfo -T tcp 127.0.0.1 mountd 3 >/dev/null"
            }
            _ => "true",
        };
        loop {
            let Err(error) = self.ssh(check).await else {
                return Ok(());
            };
            self.still_starting(deadline)
                .map_err(|late| late.context(format!("{error:#}")))?;
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it accepts connections on `port`.
    async fn wait_for_port(&self, port: u16, deadline: Instant) -> Result<()> {
        loop {
            // An attempt is short because the first packets are lost, and TCP repeats them seldom.
            let connect = timeout(Duration::from_millis(200), TcpStream::connect((self.address, port))).await;
            if matches!(connect, Ok(Ok(_))) {
                return Ok(());
            }
            self.still_starting(deadline)
                .with_context(|| format!("no answer on port {port}"))?;
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn still_starting(&self, deadline: Instant) -> Result<()> {
        self.process
            .as_ref()
            .with_context(|| format!("the guest {} is off", self.name))?
            .expect_running()?;
        if Instant::now() > deadline {
            let log = crate::step::tail(&self.log());
            bail!("the guest {} has not started within {START_WITHIN:?}\n{log}", self.name);
        }
        Ok(())
    }

    /// Adds `hosts` to the names that the guest at `address` can resolve. Ignores failures: a guest that hangs or shuts
    /// down must not prevent the start of another.
    async fn add_hosts_to_guest(&self, address: Ipv4Addr, hosts: &[(String, Ipv4Addr)]) {
        let lines = hosts.iter().map(|(name, address)| {
            format!("grep -q '[[:space:]]{name}$' /etc/hosts || echo '{address} {name}' >>/etc/hosts\n")
        });
        let script: String = lines.collect();
        let Ok(known) = self.image.known_hosts(&[&address.to_string()]) else {
            return;
        };
        let file = self.slot.dir().join(format!("known_hosts-{address}"));
        if std::fs::write(&file, known).is_ok() {
            let addition = ssh::run(ssh::ssh_command(&self.image, &file), address, &script, Stdio::null());
            let _ = timeout(ADD_HOSTS_WITHIN, addition).await;
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            // If its main process crashed, programs that it traced may remain.
            let _ = process.signal_group("KILL");
        }
    }
}

/// Runs all `futures` concurrently; there are few.
async fn join_all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        running.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if running.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
