//! What the commands that change hosts over SSH share: a run with its options, the hosts that it connects to, and the
//! report. The main type is [`Run`]. Nothing here changes a host.

mod report;

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result, anyhow, bail};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Node, NodeAddress};
use k8s_openapi::jiff::Timestamp;
use kube::Api;

use super::access::ssh_access;
use super::{Stop, cluster_options, colour_choice, or_stop, stop_signal};
use crate::cli::{Global, SetupRun, Ssh};
use crate::cluster::{self, ClientUse, connect};
use crate::exit::Exit;
use crate::host::{Access, Host, Target};
use crate::output::{self, StatusLine};

pub use report::{HostReport, Report, Row, Status};

/// A run that changes hosts.
pub struct Run {
    pub access: Access,
    pub options: SetupRun,
    /// Whether the output of commands on hosts is shown.
    pub verbose: bool,
    /// Resolves when the run is to end.
    stop: Stop,
    /// When it began, in seconds since 1970.
    pub now: i64,
}

impl Run {
    /// Reads the sudo password file, if there is one. From now on, signals don't end the process: they stop the run.
    pub fn new(ssh: &Ssh, options: &SetupRun, global: &Global) -> Result<Self> {
        Ok(Self {
            access: ssh_access(ssh)?,
            options: options.clone(),
            verbose: global.verbose > 0,
            stop: stop_signal()?,
            now: Timestamp::now().as_second(),
        })
    }

    /// Whether a signal has arrived since the run began; never waits.
    pub fn is_stopped(&self) -> bool {
        self.stop.clone().now_or_never().is_some()
    }

    /// Awaits `work`; an error if the run is interrupted before. It says that nothing was changed, so `work` must
    /// change nothing on hosts; an earlier export of `--config` may be changed in spite of it.
    pub async fn or_stop<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let done = or_stop(&self.stop, work).await;
        done.context("interrupted before anything was changed")
    }

    /// The hosts of the command line as given, then with `nodes_from_cluster` the nodes of the current context, to be
    /// logged in to as `user`; each host and port once. An error if the nodes can't be listed.
    pub async fn requested_hosts(
        &self,
        named: &[Target],
        nodes_from_cluster: bool,
        user: Option<&str>,
        global: &Global,
    ) -> Result<Vec<HostRequest>> {
        let named = named.iter().cloned();
        let mut requests: Vec<HostRequest> = named.map(|target| HostRequest { target, address: None }).collect();
        if nodes_from_cluster {
            requests.extend(self.or_stop(nodes_of_cluster(global, user)).await??);
        }
        Ok(without_duplicates(requests, |request| &request.target))
    }

    /// Prints the report. Returns `Failed` if a step failed or was not done, else `Changes` if `--check` found changes
    /// to make.
    pub fn print_report(&self, report: &Report, global: &Global) -> Result<Exit> {
        output::print(&report.render(&self.options, colour_choice(global.color))?)?;
        Ok(
            match (report.has_failures(), self.options.check && report.has_changes()) {
                (true, _) => Exit::Failed,
                (false, true) => Exit::Changes,
                (false, false) => Exit::Done,
            },
        )
    }
}

/// A host to connect to.
#[derive(Clone, Debug)]
pub struct HostRequest {
    /// How to log in.
    pub target: Target,
    /// The address that the server sees it under, if that is known already.
    pub address: Option<IpAddr>,
}

/// The hosts without duplicates: of those with the same host and port, the first is kept. No port and port 22 count as
/// two.
pub fn without_duplicates<T>(mut hosts: Vec<T>, target_of: impl Fn(&T) -> &Target) -> Vec<T> {
    let mut seen = BTreeSet::new();
    hosts.retain(|host| {
        let target = target_of(host);
        seen.insert((target.host.clone(), target.port))
    });
    hosts
}

/// The host's name in reports: as given, without the user.
pub fn display_name(target: &Target) -> String {
    let without_user = Target {
        user: None,
        ..target.clone()
    };
    without_user.to_string()
}

/// Logs in to a host, which may prompt, with a status line that lasts until the caller drops it. The error is a
/// sentence for the report.
pub async fn log_in(target: &Target, run: &Run) -> Result<(Host, StatusLine), String> {
    let line = output::status_line(&display_name(target));
    line.set_status("logging in");
    match Host::connect(target, &run.access).await {
        Ok(host) => Ok((host, line)),
        Err(error) => Err(error.to_string()),
    }
}

/// A request for each node of the current context, by its first internal address, to be logged in to as `user`. Fails
/// as [`addresses_of_nodes`].
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
///
/// # Errors
/// When nodes can't be listed or there are none, or one has no InternalIP or one that is no address.
pub async fn addresses_of_nodes(global: &Global) -> Result<Vec<(String, IpAddr)>> {
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

    #[test]
    fn a_host_that_is_named_twice_is_set_up_once() {
        let request = |target: &str, address: Option<&str>| HostRequest {
            target: target.parse().unwrap(),
            address: address.map(|address| address.parse().unwrap()),
        };
        let requests = vec![
            request("root@10.0.0.1", None),
            request("10.0.0.2", None),
            request("10.0.0.1", Some("10.0.0.1")),
            request("10.0.0.2:2222", None),
            request("10.0.0.2", Some("10.0.0.2")),
        ];
        let hosts = without_duplicates(requests, |request| &request.target);
        let names: Vec<String> = hosts.iter().map(|host| host.target.to_string()).collect();
        assert_eq!(names, ["root@10.0.0.1", "10.0.0.2", "10.0.0.2:2222"]);
        assert!(
            hosts.iter().all(|host| host.address.is_none()),
            "a named host is no kubelet's word"
        );
    }
}
