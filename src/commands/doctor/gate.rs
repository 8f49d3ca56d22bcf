//! RemoveSelfLink=false on server nodes over SSH: shown, asked about, set or taken away, and put back when the API
//! server does not come.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use futures::future::join_all;
use serde_json::json;

use super::fix::{Done, How, Stop, ask, show_diff};
use crate::cluster::{Cluster, Options};
use crate::doctor::Object;
use crate::doctor::facts::Facts;
use crate::doctor::fix::edit::Edit;
use crate::doctor::fix::gate::script::{FileEdit, Installed, Order, plan};
use crate::doctor::fix::gate::{self, Kind, Wish};
use crate::doctor::fix::server::{Node, answers};
use crate::doctor::fix::{Change, apply};
use crate::exit::UsageError;
use crate::host::{Access, Target};
use crate::output::{self, say};

/// How long an API server may take to come back, unless told otherwise.
const COMING_BACK: Duration = Duration::from_secs(180);

/// What is to be done, and where.
pub struct Job<'a> {
    /// The way to the cluster.
    pub options: &'a Options,
    /// The cluster, where it answers.
    pub cluster: Option<(&'a Cluster, &'a Facts)>,
    /// Its server nodes.
    pub hosts: &'a [Target],
    /// How they are logged in to.
    pub access: &'a Access,
    /// What is wished.
    pub order: Order,
    /// How it is gone about.
    pub how: How,
}

/// Does it, one host after the other.
///
/// # Errors
/// When a host can't be reached or its files are not understood: then nothing is done. When an API server does not
/// come back: then its host is put back as it was, and no other is touched.
pub async fn gate(job: &Job<'_>, stop: &mut Stop, done: &mut Done) -> Result<()> {
    let limit = job.how.limit.unwrap_or(COMING_BACK);
    let nodes = reach(job).await?;
    if let Some(note) = job.cluster.and_then(|(_, facts)| others(facts, nodes.len())) {
        say(&note);
    }
    let plans = nodes.iter().map(|node| match plan(&node.server, job.order) {
        Ok(edits) => Ok(edits),
        Err(why) => Err(anyhow!("{}: {why}", node.name())),
    });
    let plans: Vec<Vec<FileEdit>> = plans.collect::<Result<_>>()?;
    let configuration = configuration(job, &nodes).await?;
    if plans.iter().all(Vec::is_empty) && configuration.is_none() {
        say("RemoveSelfLink=false is as it should be on the hosts of --ssh already");
        return Ok(());
    }
    let mut refused = false;
    for (number, (node, edits)) in nodes.iter().zip(&plans).enumerate() {
        stop.here(*done)?;
        if edits.is_empty() {
            say(&format!("{}: it is so already", node.name()));
            continue;
        }
        say("");
        for edit in edits {
            let name = format!("{}:{}", node.name(), edit.place.path);
            show_diff(&name, edit.before.as_deref(), edit.after.as_deref(), job.how.colour);
        }
        if !job.how.yes && !output::can_ask() {
            refused = true;
            continue;
        }
        if !ask(job.how, "Do this, and have its API server start again?", *done)? {
            bail!("{} was left as it is, and so are the hosts after it", node.name());
        }
        let last = number + 1 == nodes.len();
        turn(job, node, edits, last, limit).await?;
        say(&format!("{}: done, and the API server answers", node.name()));
        done.made += 1;
    }
    if refused {
        let why = "--fix would ask before it changes files, and nobody is there to answer; --yes makes the changes";
        return Err(UsageError(why.into()).into());
    }
    if let (Some(edit), Some((cluster, _))) = (configuration, job.cluster) {
        stop.here(*done)?;
        say("");
        super::fix::show_edit(&edit, job.how.colour);
        if ask(job.how, "Do this, so that kubeadm's next upgrade keeps it?", *done)? {
            apply::apply(cluster, cluster, &edit, limit).await?;
            say(&format!("{} {}", edit.object.title(), edit.way.done()));
        }
    }
    Ok(())
}

/// Logs in to all hosts at once.
async fn reach(job: &Job<'_>) -> Result<Vec<Node>> {
    let each = join_all(job.hosts.iter().map(|host| Node::reach(host, job.access))).await;
    let mut nodes = Vec::new();
    let mut wrong = Vec::new();
    for one in each {
        match one {
            Ok(Ok(node)) => nodes.push(node),
            // The hosts of --ssh may be others, too; but who sets the gate means servers.
            Ok(Err(why)) if job.order == Order::Set => wrong.push(why),
            Ok(Err(why)) => tracing::debug!("{why}"),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    match wrong.is_empty() {
        true => Ok(nodes),
        // The servers of a cluster have to agree.
        false => bail!("{}; nothing was changed", wrong.join("; ")),
    }
}

/// What to say when the cluster has more server nodes than are named.
fn others(facts: &Facts, named: usize) -> Option<String> {
    let roles = ["control-plane", "master"].map(|role| format!("node-role.kubernetes.io/{role}"));
    let servers = facts
        .nodes
        .iter()
        .filter(|node| roles.iter().any(|role| node.labels.contains_key(role)));
    let names: Vec<&str> = servers.map(|node| node.name.as_str()).collect();
    (names.len() > named).then(|| {
        format!(
            "note: the API servers have to agree, and the cluster has {} of them: {}; name each with --ssh",
            names.len(),
            names.join(", ")
        )
    })
}

/// Has one host do it; what does not work is put back.
async fn turn(job: &Job<'_>, node: &Node, edits: &[FileEdit], last: bool, limit: Duration) -> Result<()> {
    node.write(edits).await?;
    // Only when all of them agree, an answer tells of each. Where selfLink is never sent, there is nothing to see.
    let told = job
        .cluster
        .is_some_and(|(_, facts)| gate::allowed(facts, Wish::Set).is_ok());
    let self_link = (last && told).then_some(job.order == Order::Set);
    let came = async {
        node.restart(job.order, limit).await?;
        answers(job.options, self_link, limit).await
    };
    let Err(error) = came.await else {
        return Ok(());
    };
    say(&format!("{}: {error:#}; it is put back as it was", node.name()));
    let back: Vec<FileEdit> = edits.iter().rev().map(FileEdit::back).collect();
    let opposite = if job.order == Order::Set {
        Order::Unset
    } else {
        Order::Set
    };
    let restored = async {
        node.write(&back).await?;
        node.restart(opposite, limit).await?;
        answers(job.options, None, limit).await
    };
    match restored.await {
        Ok(()) => bail!(
            "{}: {error:#}; it is as it was before, and the API server answers",
            node.name()
        ),
        Err(worse) => bail!("{}: {error:#}; and it could not be put back: {worse:#}", node.name()),
    }
}

/// What kubeadm writes manifests from when it upgrades.
async fn configuration(job: &Job<'_>, nodes: &[Node]) -> Result<Option<Edit>> {
    let kubeadm = nodes.iter().any(|node| node.server.installed == Installed::Kubeadm);
    let Some((cluster, _)) = job.cluster.filter(|_| kubeadm) else {
        return Ok(None);
    };
    let object = Object::of("ConfigMap", "kube-system", "kubeadm-config");
    let Some(live) = apply::read(cluster, &object).await? else {
        return Ok(None);
    };
    let Some(text) = live["data"]["ClusterConfiguration"].as_str() else {
        return Ok(None);
    };
    let wish = if job.order == Order::Set {
        Wish::Set
    } else {
        Wish::Unset
    };
    let new = gate::edited(Kind::ClusterConfiguration, text, wish);
    let new = new.map_err(|why| anyhow!("the ClusterConfiguration in {} is left as it is: {why}", object.title()))?;
    let change = Change::Patch {
        object,
        change: json!({"data": {"ClusterConfiguration": new}}),
    };
    // Nothing to do is no error.
    Ok(Edit::of(&change, Some(live)).ok())
}
