//! The running labs, each in its own directory in the cache. Test programs own theirs. The labs that the `nfsprov-lab`
//! command started belong to a holder process in the background.

use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::proc::ProcessId;
use crate::{DIR_VARIABLE, Lane, cache, namespace, proc, step, trial};

/// How long a holder may take until its control plane and guests are ready.
const UP_WITHIN: Duration = Duration::from_secs(300);
const SCRATCH: &str = "test-";

/// Addresses and paths of a lab, which its holder writes when all components are ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The version of Kubernetes.
    pub version: String,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The directory of kubectl.
    pub kubectl: PathBuf,
    /// The address of the NFS server.
    pub nfs_server: Ipv4Addr,
    /// The directory that it exports.
    pub nfs_path: String,
    /// All guests.
    pub guests: Vec<GuestState>,
}

/// How to log in to a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuestState {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The private key that logs in as root.
    pub ssh_key: PathBuf,
    /// The file with its host key.
    pub known_hosts: PathBuf,
}

/// A lab of the `nfsprov-lab` command, running or not.
pub struct Held {
    name: String,
    dir: PathBuf,
}

/// The directory of all running labs.
pub fn dir() -> PathBuf {
    cache::root().join("run")
}

/// The directory name of the lab that the process `owner` opens; the name identifies the owner.
pub(crate) fn scratch_name(owner: ProcessId) -> String {
    format!("{SCRATCH}{}-{}", owner.pid, owner.started)
}

/// Removes the files of labs whose owner was killed. The kernel has already ended their processes.
pub(crate) fn remove_stale() -> Result<()> {
    for name in names()? {
        let owner = name.strip_prefix(SCRATCH).and_then(|rest| {
            let (pid, started) = rest.split_once('-')?;
            Some(ProcessId {
                pid: pid.parse().ok()?,
                started: started.parse().ok()?,
            })
        });
        if owner.is_some_and(|owner| !owner.is_running()) {
            cache::remove_dir(&dir().join(name))?;
        }
    }
    Ok(())
}

/// Copies the logs in `dir` to a permanent directory, replaces those of an earlier failure, and returns the directory.
pub(crate) fn keep_logs(dir: &Path) -> Result<PathBuf> {
    let kept = cache::root().join("logs/last-failure");
    trial::copy_logs(dir, &kept)?;
    Ok(kept)
}

fn names() -> Result<Vec<String>> {
    let dir = dir();
    cache::create_dir(&dir)?;
    let describe = || format!("cannot list {}", dir.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(describe)? {
        let entry = entry.with_context(describe)?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

impl Held {
    /// The lab called `name`.
    ///
    /// # Errors
    /// If the name has other characters than letters, digits, `-` and `_`, or starts like those of tests' labs.
    pub fn new(name: &str) -> Result<Self> {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if name.is_empty() || !plain || name.starts_with(SCRATCH) {
            bail!("{name:?} is not a valid name for a lab: letters, digits, - and _, not starting with {SCRATCH}");
        }
        Ok(Self {
            name: name.to_owned(),
            dir: dir().join(name),
        })
    }

    /// All labs that have a holder or files of an earlier one.
    ///
    /// # Errors
    /// If their directory cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        remove_stale()?;
        names()?
            .iter()
            .filter(|name| !name.starts_with(SCRATCH))
            .map(|name| Self::new(name))
            .collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory of its files and logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The holder's outermost process, if it runs.
    pub fn holder(&self) -> Option<ProcessId> {
        let text = std::fs::read(self.dir.join("holder.json")).ok()?;
        serde_json::from_slice::<ProcessId>(&text)
            .ok()
            .filter(|holder| holder.is_running())
    }

    /// Its addresses and paths, if it runs and all components are ready.
    pub fn state(&self) -> Option<State> {
        self.holder()?;
        serde_json::from_slice(&std::fs::read(self.dir.join("state.json")).ok()?).ok()
    }

    /// Publishes, from inside the lab, that all components are ready.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn publish(dir: &Path, state: &State) -> Result<()> {
        let text = serde_json::to_vec_pretty(state).context("cannot encode the lab's state")?;
        let (unfinished, finished) = (dir.join("state.json.new"), dir.join("state.json"));
        std::fs::write(&unfinished, text).with_context(|| format!("cannot write {}", unfinished.display()))?;
        std::fs::rename(&unfinished, &finished).with_context(|| format!("cannot write {}", finished.display()))
    }

    /// Starts the holder (this program, with `args`) detached from the terminal and waits until all components are
    /// ready. Does nothing if the lab is already up.
    ///
    /// # Errors
    /// If the holder cannot be started or ends; the error then has the end of its log.
    pub fn up(&self, args: &[String]) -> Result<State> {
        let _lock = cache::lock(&format!("run-{}", self.name))?;
        if let Some(state) = self.state() {
            let (name, version) = (&self.name, &state.version);
            step::print_line(&format!("The lab {name} is up already, with Kubernetes {version}."));
            return Ok(state);
        }
        self.end()?;
        cache::create_dir(&self.dir)?;
        let log = self.dir.join("holder.log");
        let open = || std::fs::File::options().create(true).append(true).open(&log);
        let (output, errors) = (open(), open());
        let describe = || format!("cannot open {}", log.display());
        let executable = std::env::current_exe().context("cannot tell this program's path")?;
        let args: Vec<_> = args.iter().map(Into::into).collect();
        let command = namespace::inside(&self.dir, executable.as_os_str(), &args);
        // setsid replaces itself by unshare, so the child's id is that of unshare.
        let mut detached = Command::new("setsid");
        detached
            .arg(command.get_program())
            .args(command.get_args())
            .env(DIR_VARIABLE, &self.dir);
        detached
            .stdin(Stdio::null())
            .stdout(output.with_context(describe)?)
            .stderr(errors.with_context(describe)?);
        let mut child = detached
            .spawn()
            .context("cannot run setsid (Debian package util-linux)")?;
        let holder = ProcessId::of(child.id()).context("the holder ended at once")?;
        let text = serde_json::to_vec(&holder).context("cannot write the holder's process id")?;
        std::fs::write(self.dir.join("holder.json"), text).context("cannot write the holder's process id")?;
        let title = format!("starting the lab {}", self.name);
        let started = step::task(&title, || {
            let deadline = Instant::now() + UP_WITHIN;
            loop {
                if let Some(state) = self.state() {
                    return Ok(state);
                }
                if let Some(status) = child.try_wait().context("cannot watch the holder")? {
                    bail!("the holder ended ({status})\n{}", step::tail(&log));
                }
                if Instant::now() > deadline {
                    bail!("the lab is not up after {UP_WITHIN:?}\n{}", step::tail(&log));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        if started.is_err() {
            namespace::end(holder.pid)?;
            let _ = child.wait();
        }
        started
    }

    /// Ends the lab with all its processes and removes its files.
    ///
    /// # Errors
    /// If it does not end, or the files cannot be removed.
    pub fn down(&self) -> Result<()> {
        let _lock = cache::lock(&format!("run-{}", self.name))?;
        self.end()
    }

    fn end(&self) -> Result<()> {
        if let Some(holder) = self.holder() {
            namespace::end(holder.pid).with_context(|| format!("cannot end the lab {}", self.name))?;
        }
        cache::remove_dir(&self.dir)
    }

    /// Replaces this process by `command`, which runs inside the lab, in the current directory, with the lab's
    /// variables.
    ///
    /// # Errors
    /// If the lab is not up, or the command cannot be run.
    pub fn exec(&self, command: &[String]) -> Result<()> {
        let state = self
            .state()
            .with_context(|| format!("the lab {} is not up: run nfsprov-lab up", self.name))?;
        let holder = self
            .holder()
            .with_context(|| format!("the lab {} has just ended", self.name))?;
        let first = namespace::first_process(holder.pid).context("the lab has no process left")?;
        let directory = std::env::current_dir().context("cannot tell the current directory")?;
        let mut entered = Command::new("nsenter");
        entered
            .arg(format!("--target={first}"))
            .args(["--net", "--pid", "--mount", "--"]);
        // nsenter changes to the root directory when it enters the mount namespace.
        entered
            .arg("env")
            .arg(format!("--chdir={}", directory.display()))
            .args(command);
        for (name, value) in self.variables(&state) {
            entered.env(name, value);
        }
        let mut path = state.kubectl.into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into()));
        entered.env("PATH", path).env(DIR_VARIABLE, &self.dir);
        Err(entered.exec()).context("cannot run nsenter (Debian package util-linux)")
    }

    /// The variables that tools inside the lab need.
    pub fn variables(&self, state: &State) -> [(&'static str, String); 5] {
        [
            ("KUBECONFIG", state.kubeconfig.display().to_string()),
            // The first two are for provisioners, the others for the other commands of nfsprov.
            ("NFS_SERVER", state.nfs_server.to_string()),
            ("NFS_PATH", state.nfs_path.clone()),
            ("NFSPROV_SERVER", state.nfs_server.to_string()),
            ("NFSPROV_PATH", state.nfs_path.clone()),
        ]
    }

    /// Its processes, with their resident memory in bytes.
    pub fn processes(&self) -> Vec<(u32, String, u64)> {
        let first = self.holder().and_then(|holder| namespace::first_process(holder.pid));
        let Some(namespace) = first.and_then(proc::pid_namespace) else {
            return Vec::new();
        };
        let inside = proc::all()
            .into_iter()
            .filter(|&pid| proc::pid_namespace(pid).as_ref() == Some(&namespace));
        inside
            .filter_map(|pid| Some((pid, proc::name(pid)?, proc::rss(pid)?)))
            .collect()
    }
}

/// The directory of the kubectl for `lane`.
///
/// # Errors
/// If the lane is not built yet.
pub fn kubectl(lane: Lane) -> Result<PathBuf> {
    Ok(lane.find()?.kubectl)
}
