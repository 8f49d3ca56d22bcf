//! Runs of the program, and the state of a host before and after.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nfsprov_lab::guest::{Guest, Template};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::kit::Stage;

/// How long a run may take; some install packages.
const LIMIT: Duration = Duration::from_secs(300);

/// The results of a run of nfsprov.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ran {
    /// The steps of all hosts as `host step status`, from a report in JSON.
    pub fn steps(&self) -> Result<Vec<String>> {
        let report: Value = serde_json::from_str(&self.stdout).with_context(|| format!("no report: {self:?}"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let hosts = report["hosts"].as_array().context("no hosts")?;
        let steps = hosts.iter().flat_map(|host| {
            let steps = host["steps"].as_array().cloned().unwrap_or_default();
            steps.into_iter().map(|step| {
                format!(
                    "{} {} {}",
                    text(&host["host"]),
                    text(&step["step"]),
                    text(&step["status"])
                )
            })
        });
        Ok(steps.collect())
    }

    /// Fails unless the status is `status`; the error has the whole output.
    pub fn expect_status(self, status: i32) -> Result<Self> {
        ensure!(
            self.status == Some(status),
            "ended with {:?} instead of {status}\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        Ok(self)
    }
}

/// Starts nfsprov with this home directory and the lab's key.
pub fn start(stage: &Stage, home: &Path, arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command.args(arguments).arg("-i").arg(stage.guest.ssh_key());
    command.args(["--host-key", "accept-new", "--connect-timeout", "60s"]);
    command
        .env("HOME", home)
        .env_remove("SSH_AUTH_SOCK")
        .env_remove("KUBECONFIG");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().context("cannot start nfsprov")
}

/// Runs nfsprov until it ends.
pub async fn nfsprov(stage: &Stage, arguments: &[&str]) -> Result<Ran> {
    let started = Instant::now();
    let child = start(stage, &stage.home()?, arguments)?;
    finish(child, started).await
}

/// Waits until it ends.
pub async fn finish(child: Child, started: Instant) -> Result<Ran> {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let output = output.context("nfsprov does not end")??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran {
        status: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        took: started.elapsed(),
    })
}

/// A running NFS server of this name with an administrator's export, and the arguments of `setup-server` for another
/// export.
pub async fn serving(stage: &Stage, name: &str) -> Result<(Guest, Vec<String>)> {
    serving_on(stage, name, Template::NfsServer).await
}

/// Like [`serving`], in a guest of another template.
pub async fn serving_on(stage: &Stage, name: &str, template: Template) -> Result<(Guest, Vec<String>)> {
    let guest = stage.lab.guest(name, template).await?;
    guest.ssh("mkdir -p /srv/k8s /srv/other /etc/exports.d").await?;
    let target = format!("root@{}", guest.address());
    let words = [
        "setup-server",
        &target,
        "--export",
        "/srv/k8s",
        "--allow",
        "10.77.0.0/16",
    ];
    Ok((guest, words.map(str::to_owned).to_vec()))
}

/// Prints what must not change when nfsprov changes nothing: files with their times, exports, and units. Lines that
/// begin with `touched` differ after a change was made and undone.
pub const STATE: &str = "files= directories=
for file in /etc /etc/exports /etc/exports.d /etc/exports.d/* /etc/nfs.conf /srv /srv/*; do
    [ ! -d \"$file\" ] || directories=\"$directories $file\"
    [ ! -f \"$file\" ] || files=\"$files $file\"
done
stat -c 'touched %n %Y %i' $directories $files
stat -c '%n %a %u %g' $directories
[ -z \"$files\" ] || { stat -c '%n %a %u %g %s %Y' $files; cksum $files; }
ls -A /etc | grep -e exports -e nfs.conf
exportfs -s 2>/dev/null
systemctl is-active rpcbind nfs-server; systemctl is-enabled rpcbind nfs-server 2>/dev/null
true";

/// The lines of [`STATE`] that are equal after a change was made and undone.
pub fn lasting(state: &str) -> Vec<&str> {
    state.lines().filter(|line| !line.starts_with("touched ")).collect()
}
