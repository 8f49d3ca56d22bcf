//! `make bench`: `setup-server` when there is nothing to change, compared with ansible-playbook reading the same state.
//!
//! Both use one guest and one key, and alternate, so that other load on the machine affects both. Ansible has its
//! defaults: it keeps its connection open between runs, which nfsprov does not. Only nfsprov verifies the export with
//! real NFS calls at the end of each run.

#[path = "../shared/mod.rs"]
mod shared;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::namespace::elevate;
use nfsprov_lab::{Lab, cache, packages};
use serde_json::Value;
use tokio::process::Command;

/// How often each runs, after one uncounted run.
const ROUNDS: usize = 5;

/// The exported directory and its clients.
const EXPORT: &str = "/nfsdata";
const CLIENTS: &str = "10.77.0.0/24";

/// The packages that Ansible's module for apt needs on the host. It would install them itself, but guests have no
/// archive with them.
const PYTHON_APT: [&str; 3] = ["python3-apt", "python-apt-common", "distro-info-data"];

fn main() -> ExitCode {
    shared::run(|| {
        // The lab has no network for downloads.
        if Lab::current().is_none() {
            elevate()?;
            download()?;
        }
        shared::in_lab(compare)
    })
}

fn download() -> Result<Vec<PathBuf>> {
    let dir = cache::root().join("bench-setup");
    packages::download(&PYTHON_APT, &dir, &cache::log("bench-setup")?)
}

/// What the runs share.
struct Bench {
    guest: Guest,
    /// A home directory that contains the playbooks.
    home: tempfile::TempDir,
}

/// How to run one of the tools once, and how to check that it changed nothing.
#[derive(Clone, Copy)]
enum Way {
    Nfsprov,
    /// Gathers facts, as by default.
    Ansible,
    AnsibleWithoutFacts,
}

impl Way {
    const ALL: [Self; 3] = [Self::Nfsprov, Self::Ansible, Self::AnsibleWithoutFacts];

    fn name(self) -> &'static str {
        match self {
            Self::Nfsprov => "nfsprov setup-server",
            Self::Ansible => "ansible-playbook",
            Self::AnsibleWithoutFacts => "the same, gather_facts: false",
        }
    }
}

async fn compare(lab: &Lab) -> Result<()> {
    let bench = Bench {
        guest: lab.guest("server", Template::Bare).await?,
        home: tempfile::tempdir()?,
    };
    bench.prepare().await?;
    let mut times = Way::ALL.map(|_| Vec::new());
    for round in 0..=ROUNDS {
        for (way, times) in Way::ALL.into_iter().zip(&mut times) {
            let took = bench.run(way).await?;
            if round > 0 {
                times.push(took);
            }
        }
    }
    println!("A server in the requested state, nothing to change; {ROUNDS} rounds, each way once a round");
    println!("{:<30} {:^24} {:^24}", "", "seconds", "times nfsprov, in its round");
    for (way, times_of_way) in Way::ALL.into_iter().zip(&times) {
        let seconds = times_of_way.iter().map(Duration::as_secs_f64);
        let nfsprov = times[0].iter().map(Duration::as_secs_f64);
        let ratios = seconds.clone().zip(nfsprov).map(|(time, nfsprov)| time / nfsprov);
        println!("{:<30} {} {}", way.name(), Spread::of(seconds), Spread::of(ratios));
    }
    Ok(())
}

/// The median of several measurements, and their range.
struct Spread {
    least: f64,
    middle: f64,
    most: f64,
}

impl Spread {
    /// Of [`ROUNDS`] measurements.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self {
            least: values[0],
            middle: values[values.len() / 2],
            most: values[values.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.2} ({:>6.2} to {:>6.2})", self.middle, self.least, self.most)
    }
}

impl Bench {
    /// Makes the guest a server and writes Ansible's files.
    async fn prepare(&self) -> Result<()> {
        let guest = &self.guest;
        for deb in download()? {
            let file = std::fs::File::open(&deb).with_context(|| format!("cannot read {}", deb.display()))?;
            let name = deb.file_name().unwrap_or_default().to_string_lossy();
            guest.ssh_with(&format!("cat >'/tmp/{name}'"), file).await?;
        }
        guest.ssh("dpkg --install /tmp/*.deb && rm /tmp/*.deb").await?;
        let first = self.setup().output().await.context("cannot run nfsprov")?;
        ensure!(
            first.status.success(),
            "nfsprov: {}",
            String::from_utf8_lossy(&first.stderr)
        );
        let inventory = format!(
            "server ansible_host={} ansible_user=root ansible_ssh_private_key_file={} \
             ansible_ssh_common_args='-o UserKnownHostsFile={}'\n",
            guest.address(),
            guest.ssh_key().display(),
            guest.known_hosts().display()
        );
        self.write("inventory", &inventory)?;
        for (name, facts) in [("facts.yaml", true), ("plain.yaml", false)] {
            self.write(name, &playbook(facts))?;
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    async fn run(&self, way: Way) -> Result<Duration> {
        let mut command = match way {
            Way::Nfsprov => self.setup(),
            Way::Ansible => self.ansible("facts.yaml"),
            Way::AnsibleWithoutFacts => self.ansible("plain.yaml"),
        };
        let begun = Instant::now();
        let output = command.output().await;
        let took = begun.elapsed();
        let output = output.with_context(|| format!("cannot run {} (make bench installs it)", way.name()))?;
        let output_text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!(
                "{}: {output_text}{}",
                way.name(),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let unchanged = match way {
            Way::Nfsprov => serde_json::from_str::<Value>(&output_text)?["changed"] == false,
            // All tasks ran, including the one that gathers facts, and none changed anything.
            Way::Ansible => output_text.contains(&format!("ok={} ", TASKS + 1)) && output_text.contains("changed=0 "),
            Way::AnsibleWithoutFacts => {
                output_text.contains(&format!("ok={TASKS} ")) && output_text.contains("changed=0 ")
            }
        };
        ensure!(unchanged, "{} changed something: {output_text}", way.name());
        Ok(took)
    }

    fn setup(&self) -> Command {
        let mut command = command(Path::new(env!("CARGO_BIN_EXE_nfsprov")), self.home.path());
        command.args(["setup-server", &format!("root@{}", self.guest.address())]);
        command.args(["--export", EXPORT, "--allow", CLIENTS, "-o", "json"]);
        command
            .args(["--host-key", "accept-new", "-i"])
            .arg(self.guest.ssh_key());
        command
    }

    fn ansible(&self, playbook: &str) -> Command {
        let mut command = command(Path::new("ansible-playbook"), self.home.path());
        command.args(["--inventory", "inventory", playbook]);
        command
    }
}

/// A command with an environment that has no other configuration.
fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home).env("HOME", home).env("LC_ALL", "C.UTF-8");
    for variable in ["SSH_AUTH_SOCK", "KUBECONFIG", "ANSIBLE_CONFIG"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The number of tasks in the playbook.
const TASKS: usize = 8;

/// The state that nfsprov reads, as tasks.
fn playbook(facts: bool) -> String {
    format!(
        "- hosts: server
  gather_facts: {facts}
  tasks:
    - ansible.builtin.apt: {{name: nfs-kernel-server, state: present}}
    - ansible.builtin.file: {{path: {EXPORT}, state: directory, mode: '0777', owner: root, group: root}}
    - ansible.builtin.blockinfile: {{path: /etc/nfs.conf, marker: '# {{mark}} nfsprov', state: absent}}
    - ansible.builtin.systemd: {{name: rpcbind, enabled: true, state: started}}
    - ansible.builtin.systemd: {{name: nfs-server, enabled: true, state: started}}
    - ansible.builtin.lineinfile:
        path: /etc/exports
        line: {EXPORT} {CLIENTS}(rw,sync,no_subtree_check,no_root_squash)
    - ansible.builtin.command: exportfs -s
      register: listing
      changed_when: false
    - ansible.builtin.assert:
        that: \"'{EXPORT}  {CLIENTS}(' in listing.stdout\"
"
    )
}
