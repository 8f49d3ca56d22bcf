//! The cost of limits: claims at once with `quota: enforce`, compared with claims without, by one provisioner on one
//! export.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::Client;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::process::Process;
use nfsprov_lab::{ControlPlane, Lab};
use serde_json::json;

use super::rounds::{NAMESPACES, Ratios, class, clear, middle, round, row, settle};

/// How many claims at once, and how many rounds; rounds with and without limits alternate.
const COUNT: usize = 300;
const ROUNDS: usize = 5;

/// The goal for the rate with limits, relative to the rate without.
const GOAL: f64 = 0.8;

const CLASSES: [&str; 2] = ["unlimited", "limited"];

/// The number of claims if these words of the command line ask for this benchmark: `limits`, or `limits=COUNT`.
pub fn wanted_count(words: &[String]) -> Result<Option<usize>> {
    let given = words.iter().find_map(|word| word.strip_prefix("limits="));
    let is_wanted = words.is_empty() || words.iter().any(|word| word == "limits");
    match given {
        Some(count) => Ok(Some(count.parse().with_context(|| format!("limits={count}"))?)),
        None => Ok(is_wanted.then_some(COUNT)),
    }
}

pub async fn compare(lab: &Lab, plane: &ControlPlane, client: &Client, count: usize) -> Result<()> {
    let server = lab.guest("limiting", Template::NfsServerWithQuota).await?;
    let export = "mkfs.xfs -q /dev/ubdb && mkdir /nfsdata && mount -o prjquota /dev/ubdb /nfsdata && \
                  echo '/nfsdata *(rw,sync,no_subtree_check,no_root_squash)' >/etc/exports && exportfs -ra";
    server.ssh(export).await?;
    class(client, "unlimited", "limits", "Retain", json!({})).await?;
    class(client, "limited", "limits", "Retain", json!({"quota": "enforce"})).await?;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command.args(["provision", "--watch", "--name", "limits", "--path", "/nfsdata"]);
    command.arg("--server").arg(server.address().to_string());
    command.arg("--kubeconfig").arg(plane.kubeconfig());
    command
        .arg("--quota-ssh")
        .arg(format!("ssh://root@{}", server.address()));
    command.arg("-i").arg(server.ssh_key());
    command.args(["--host-key", "accept-new"]).env("HOME", lab.dir());
    let mut nfsprov = Process::spawn("nfsprov provision", lab.dir().join("limits.log"), command)?;
    // One uncounted claim of each, so that all connections are open.
    for class in CLASSES {
        round(client, class, 1, 1).await?;
    }
    let mut rounds = [Vec::new(), Vec::new()];
    for number in 0..ROUNDS {
        // Each class is first equally often.
        for turn in 0..CLASSES.len() {
            let kind = (number + turn) % CLASSES.len();
            clear(client).await?;
            settle(nfsprov.pid()).await?;
            remove_directories(&server).await?;
            rounds[kind].push(round(client, CLASSES[kind], count, 1).await?);
        }
    }
    clear(client).await?;
    let [without, with] = rounds;
    let ratio = Ratios::new(&with, &without, |with, without| {
        without.whole.as_secs_f64() / with.whole.as_secs_f64()
    });
    println!("limits of XFS by --quota-ssh; creation to Bound");
    row((count, 1), "without", &middle(without), ROUNDS, String::new());
    let ratio = format!("rate {ratio} of that without; goal {GOAL:.2}");
    row((count, 1), "limited", &middle(with), ROUNDS, ratio);
    nfsprov.terminate(Duration::from_secs(20)).await
}

/// Removes the directories of a round and clears their limits, so that the next one starts with the same export.
async fn remove_directories(server: &Guest) -> Result<()> {
    let script = format!(
        "find /nfsdata -mindepth 1 -maxdepth 1 -name '{}-*' -exec rm -r -- {{}} + && \
         xfs_quota -x -c 'report -p -n -N -b' /dev/ubdb | \
         sed -n 's/^#\\([1-9][0-9]*\\) .*/limit -p bhard=0 \\1/p' | xfs_quota -x /dev/ubdb",
        NAMESPACES[0]
    );
    server.ssh(&script).await.map(drop)
}
