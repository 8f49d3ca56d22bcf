//! `nfsprov setup-server`, `setup-client` and `teardown-server`: hosts over SSH, all at once.

mod client;
mod clients;
mod config;
mod hosts;
mod proof;
mod report;
mod server;
mod teardown;

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Result, anyhow, bail};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::{Node, NodeAddress};
use k8s_openapi::jiff::Timestamp;
use kube::Api;

use self::hosts::HostRequest;
use self::report::Report;
use super::access::ssh_access;
use super::{cluster_options, stop_signal};
use crate::cli::{Global, SetupRun, Ssh};
use crate::cluster::{self, ClientUse, connect};
use crate::exit::Exit;
use crate::host::{Access, Target};
use crate::output;

pub use client::run as client;
pub use server::run as server;
pub use teardown::run as teardown;

/// What all three commands need for a run.
struct Run {
    access: Access,
    options: SetupRun,
    /// Whether the output of commands on hosts is shown.
    verbose: bool,
    /// Resolves when the run is to end.
    stop: Shared<BoxFuture<'static, ()>>,
    /// When it began, in seconds since 1970.
    now: i64,
}

impl Run {
    fn new(ssh: &Ssh, options: &SetupRun, global: &Global) -> Result<Self> {
        Ok(Self {
            access: ssh_access(ssh)?,
            options: options.clone(),
            verbose: global.verbose > 0,
            stop: stop_signal()?.boxed().shared(),
            now: Timestamp::now().as_second(),
        })
    }

    fn is_stopped(&self) -> bool {
        self.stop.clone().now_or_never().is_some()
    }

    /// Awaits `work`, unless the run is interrupted before.
    async fn or_stop<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            () = self.stop.clone() => bail!("interrupted before anything was changed"),
            done = work => Ok(done),
        }
    }

    /// Prints the report. Returns `Failed` if a step failed, `Changes` if `--check` found changes to make.
    fn print_report(&self, report: &Report, global: &Global) -> Result<Exit> {
        output::print(&report.render(&self.options, super::colour_choice(global.color))?)?;
        Ok(match (report.has_failures(), self.options.check && report.changes()) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Changes,
            (false, false) => Exit::Done,
        })
    }
}

/// A request for each node of the current context, by its first internal address, to be logged in to as `user`.
async fn nodes_of_cluster(global: &Global, user: Option<&str>) -> Result<Vec<HostRequest>> {
    let mut asked: Vec<HostRequest> = Vec::new();
    let mut known = BTreeSet::new();
    for (node, address) in addresses_of_nodes(global).await? {
        if !known.insert(node) {
            continue;
        }
        asked.push(HostRequest {
            target: Target {
                user: user.map(str::to_owned),
                host: address.to_string(),
                port: None,
            },
            address: Some(address),
        });
    }
    Ok(asked)
}

/// The names of the current context's nodes, each with each of its internal addresses.
async fn addresses_of_nodes(global: &Global) -> Result<Vec<(String, IpAddr)>> {
    let cluster = connect(&cluster_options(global), ClientUse::OneShot).await?;
    let nodes: Vec<Node> = cluster::list_filtered(&Api::all(cluster.client), |_| true)
        .await
        .map_err(|error| anyhow!("cannot list nodes: {}", cluster::describe_error(&error)))?;
    let mut found = Vec::new();
    for node in nodes {
        let name = node.metadata.name.unwrap_or_default();
        let addresses = node.status.and_then(|status| status.addresses).unwrap_or_default();
        let internal = parse_internal_addresses(&name, &addresses)?;
        found.extend(internal.into_iter().map(|address| (name.clone(), address)));
    }
    if found.is_empty() {
        bail!("the cluster has no nodes");
    }
    Ok(found)
}

/// A node's internal addresses, which its own kubelet writes.
///
/// # Errors
/// When one of them is no IP address, or there is none: a kubelet must not choose any other host to log in to or to
/// allow.
fn parse_internal_addresses(node: &str, addresses: &[NodeAddress]) -> Result<Vec<IpAddr>> {
    let internal = addresses.iter().filter(|address| address.type_ == "InternalIP");
    let parsed = internal.map(|NodeAddress { address, .. }| {
        let wrong = || anyhow!("node {node} has the InternalIP {address:?}, which is no address");
        address.parse().map_err(|_| wrong())
    });
    let parsed: Vec<IpAddr> = parsed.collect::<Result<_>>()?;
    match parsed.is_empty() {
        true => bail!("node {node} has no InternalIP"),
        false => Ok(parsed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_an_address_and_by_nothing_else() {
        let of = |address: &str| {
            let (address, type_) = (address.to_owned(), "InternalIP".to_owned());
            parse_internal_addresses("a", &[NodeAddress { address, type_ }])
        };
        assert!(of("10.0.0.1").is_ok() && of("fd00::1").is_ok());
        assert!(parse_internal_addresses("a", &[]).is_err());
        for text in ["*", "nfs.example.com", "10.0.0.0/8", "10.0.0.1 b", ""] {
            assert!(of(text).is_err(), "{text:?}");
        }
    }
}
