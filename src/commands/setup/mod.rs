//! `nfsprov setup-server`, `setup-client` and `teardown-server`: hosts over SSH, all at once.

mod client;
mod hosts;
mod proof;
mod report;
mod server;
mod teardown;

use anyhow::{Context, Result, anyhow, bail};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;
use kube::Api;

use self::hosts::Asked;
use self::report::Report;
use super::access::access;
use super::{cluster_options, stop_signal};
use crate::cli::{Global, SetupRun, Ssh};
use crate::cluster::{self, Use, connect};
use crate::exit::Exit;
use crate::host::{Access, Target};
use crate::output;

pub use client::run as client;
pub use server::run as server;
pub use teardown::run as teardown;

/// What a run needs to know, whatever it does.
struct Run {
    access: Access,
    options: SetupRun,
    /// Whether what commands say is shown.
    verbose: bool,
    /// Resolves when the run is to end.
    stop: Shared<BoxFuture<'static, ()>>,
    /// When it began, in seconds since 1970.
    now: i64,
}

impl Run {
    fn new(ssh: &Ssh, options: &SetupRun, global: &Global) -> Result<Self> {
        Ok(Self {
            access: access(ssh)?,
            options: options.clone(),
            verbose: global.verbose > 0,
            stop: stop_signal()?.boxed().shared(),
            now: Timestamp::now().as_second(),
        })
    }

    fn stopped(&self) -> bool {
        self.stop.clone().now_or_never().is_some()
    }

    /// What is done, unless the run is ended before.
    async fn or_stop<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            () = self.stop.clone() => bail!("ended before anything was changed"),
            done = work => Ok(done),
        }
    }

    /// Shows the result; how the process ends follows from it.
    fn end(&self, report: &Report, global: &Global) -> Result<Exit> {
        output::print(&report.text(&self.options, super::colour(global.color))?)?;
        Ok(match (report.failed(), self.options.check && report.changes()) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Changes,
            (false, false) => Exit::Done,
        })
    }
}

/// The nodes of the current context, by their internal addresses, logged in to as `user`.
async fn nodes_of_cluster(global: &Global, user: Option<&str>) -> Result<Vec<Asked>> {
    let cluster = connect(&cluster_options(global), Use::OneShot).await?;
    let nodes: Vec<Node> = cluster::list(&Api::all(cluster.client), |_| true)
        .await
        .map_err(|error| anyhow!("cannot list nodes: {}", cluster::sentence(&error)))?;
    let mut asked = Vec::new();
    for node in nodes {
        let name = node.metadata.name.unwrap_or_default();
        let addresses = node.status.and_then(|status| status.addresses).unwrap_or_default();
        let internal = addresses.into_iter().find(|address| address.type_ == "InternalIP");
        let address = internal
            .with_context(|| format!("node {name} has no InternalIP"))?
            .address;
        asked.push(Asked {
            target: Target {
                user: user.map(str::to_owned),
                host: address.clone(),
                port: None,
            },
            address: address.parse().ok(),
        });
    }
    if asked.is_empty() {
        bail!("the cluster has no nodes");
    }
    Ok(asked)
}
