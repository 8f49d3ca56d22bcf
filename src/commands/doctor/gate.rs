//! `doctor --gate`: sets RemoveSelfLink=false on server nodes over SSH, or removes it, one node after the other.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use futures::future::join_all;
use kube::core::Request;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::fix::{self, Answer, FixCounts, FixOptions, StopSignals, confirm_change, show_diff};
use crate::change::edit::Edit;
use crate::change::{Change, apply};
use crate::cluster::snapshot::ClusterSnapshot;
use crate::cluster::{self, ClientUse, Cluster, ClusterOptions, connect};
use crate::control_plane::Gate;
use crate::control_plane::edit::{Format, edit_gate};
use crate::control_plane::files::{FileEdit, Installed};
use crate::control_plane::node::Node;
use crate::doctor::Object;
use crate::host::{Access, Target};
use crate::output::say;

/// How long an API server may take to be ready again, unless --timeout says otherwise.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// The interval at which `/readyz` is polled; there is nothing to watch.
const INTERVAL: Duration = Duration::from_millis(500);

/// The requested state of the gate, and the hosts.
pub struct GateChange<'a> {
    pub connection: &'a ClusterOptions,
    /// `None` if the cluster does not answer.
    pub cluster: Option<(&'a Cluster, &'a ClusterSnapshot)>,
    /// The server nodes.
    pub hosts: &'a [Target],
    pub access: &'a Access,
    pub wanted: Gate,
    pub options: FixOptions,
}

/// Changes one server node after the other: shows the edits, asks, applies them and waits for its API server. Then
/// edits kubeadm's configuration in the cluster, if there is one; declining that is no error. A dry run only shows the
/// edits.
///
/// # Errors
/// When a host can't be reached or its files can't be edited: nothing is changed then. When the change of a host fails,
/// which the host undoes if its API server is not ready in time, the user declines a host, or a signal stops it: hosts
/// before that one stay changed, those after it are not changed. When the cluster does not answer afterwards: all hosts
/// stay changed. [`FixCounts::fail_if_unanswered`] without a terminal and `--yes`: nothing is changed.
pub async fn change_gate(job: &GateChange<'_>, stop: &mut StopSignals, counts: &mut FixCounts) -> Result<()> {
    let limit = job.options.limit.unwrap_or(READY_WITHIN);
    let nodes = connect_all(job).await?;
    if let Some(note) = job
        .cluster
        .and_then(|(_, snapshot)| missing_servers_note(snapshot, nodes.len()))
    {
        say(&note);
    }
    let plans = nodes.iter().map(|node| match node.server.plan_edits(job.wanted) {
        Ok(edits) => Ok(edits),
        Err(why) => Err(anyhow!("{}: {why}", node.name())),
    });
    let plans: Vec<Vec<FileEdit>> = plans.collect::<Result<_>>()?;
    let configuration = edit_kubeadm_config(job, &nodes).await?;
    if plans.iter().all(Vec::is_empty) && configuration.is_none() {
        say("RemoveSelfLink is already in the requested state on all hosts of --ssh");
        return Ok(());
    }
    for (node, edits) in nodes.iter().zip(&plans) {
        stop.fail_if_signalled(*counts)?;
        if edits.is_empty() {
            say(&format!("{}: unchanged", node.name()));
            continue;
        }
        say("");
        for edit in edits {
            let name = format!("{}:{}", node.name(), edit.path);
            show_diff(&name, edit.before.as_deref(), edit.after.as_deref(), job.options.colour);
        }
        match confirm_change(job.options, "Make this change and restart the API server?", counts)? {
            Answer::Yes => {}
            Answer::No => bail!("{} was not changed, nor were the hosts after it", node.name()),
            Answer::NotAsked => continue,
        }
        node.apply_edits(edits, job.wanted, limit).await?;
        say(&format!("{}: changed, and its API server is ready", node.name()));
        counts.applied += 1;
    }
    counts.fail_if_unanswered()?;
    let Some((cluster, _)) = job.cluster else {
        return Ok(());
    };
    if !job.options.dry_run {
        wait_until_ready(job.connection, limit).await?;
    }
    if let Some(edit) = configuration {
        stop.fail_if_signalled(*counts)?;
        say("");
        fix::show_edit(&edit, job.options.colour);
        let question = "Make this change, so that kubeadm's next upgrade keeps it?";
        if confirm_change(job.options, question, counts)? == Answer::Yes {
            apply::apply(cluster, &edit, limit).await?;
            say(&format!("{} {}", edit.object.title(), edit.result_word()));
            counts.applied += 1;
        }
    }
    Ok(())
}

/// Connects to all hosts in parallel, and reads their API servers' files; the result is in the order of the hosts.
/// Fails if a host can't be connected to, or its files can't be read; the error says that nothing was changed.
async fn connect_all(job: &GateChange<'_>) -> Result<Vec<Node>> {
    let each = join_all(job.hosts.iter().map(|host| Node::connect(host, job.access))).await;
    let (mut nodes, mut errors) = (Vec::new(), Vec::new());
    for one in each {
        match one {
            Ok(Ok(node)) => nodes.push(node),
            Ok(Err(why)) => errors.push(why),
            Err(error) => errors.push(format!("{error:#}")),
        }
    }
    match errors.is_empty() {
        true => Ok(nodes),
        // The servers of a cluster have to agree.
        false => bail!("{}; nothing was changed", errors.join("; ")),
    }
}

/// A note if the cluster has more server nodes than the `host_count` hosts of the command line; `None` also if its
/// nodes were not read.
fn missing_servers_note(snapshot: &ClusterSnapshot, host_count: usize) -> Option<String> {
    let roles = ["control-plane", "master"].map(|role| format!("node-role.kubernetes.io/{role}"));
    let servers = snapshot
        .nodes
        .iter()
        .filter(|node| roles.iter().any(|role| node.labels.contains_key(role)));
    let names: Vec<&str> = servers.map(|node| node.name.as_str()).collect();
    (names.len() > host_count).then(|| {
        format!(
            "note: the API servers have to agree, and the cluster has {} of them: {}; name each with --ssh",
            names.len(),
            names.join(", ")
        )
    })
}

/// Waits until `/readyz` answers with success at the kubeconfig's URL; an error, the last one, after `limit`.
async fn wait_until_ready(options: &ClusterOptions, limit: Duration) -> Result<()> {
    let ready = async || -> Result<()> {
        let cluster = connect(options, ClientUse::OneShot).await?;
        let answer = cluster
            .client
            .request_text(Request::new("").get("readyz", &Default::default())?)
            .await;
        answer
            .map(drop)
            .map_err(|error| anyhow!("the API server is not ready: {}", cluster::describe_error(&error)))
    };
    let end = Instant::now() + limit;
    loop {
        match ready().await {
            Ok(()) => return Ok(()),
            Err(why) if Instant::now() > end => return Err(why.context(format!("after {} s", limit.as_secs()))),
            Err(_) => sleep(INTERVAL).await,
        }
    }
}

/// The edit of the ConfigMap from which `kubeadm upgrade` writes manifests; `None` if it is not needed, there is no
/// such ConfigMap, no node is kubeadm's, or the cluster did not answer before. An error if it can't be read, or its
/// text can't be edited safely.
async fn edit_kubeadm_config(job: &GateChange<'_>, nodes: &[Node]) -> Result<Option<Edit>> {
    let kubeadm = nodes.iter().any(|node| node.server.installed == Installed::Kubeadm);
    let Some((cluster, _)) = job.cluster.filter(|_| kubeadm) else {
        return Ok(None);
    };
    let object = Object::namespaced("ConfigMap", "kube-system", "kubeadm-config");
    let Some(live) = apply::read(cluster, &object).await? else {
        return Ok(None);
    };
    let Some(text) = live["data"]["ClusterConfiguration"].as_str() else {
        return Ok(None);
    };
    let new = edit_gate(Format::ClusterConfiguration, text, job.wanted);
    let new = new.map_err(|why| anyhow!("cannot edit the ClusterConfiguration in {}: {why}", object.title()))?;
    let change = Change::Merge {
        object,
        patch: json!({"data": {"ClusterConfiguration": new}}),
    };
    // An unchanged object is no error.
    Ok(Edit::from_change(&change, Some(live)).ok())
}
