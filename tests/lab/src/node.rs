//! Nodes of Kubernetes: guests in which a real kubelet runs real pods.
//!
//! Each node's pods have their own addresses, 10.88.N.0/24 on guest N. All guests and all programs of the lab reach
//! them there. kube-proxy provides Services. Pods have no DNS server.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::runtime::wait::await_condition;

use crate::guest::{Guest, Template};
use crate::{ControlPlane, Lab, network};

/// How long a node may take from its start until it is Ready; a single node takes half a minute on two processors.
const READY_WITHIN: Duration = Duration::from_secs(180);

impl Lab {
    /// Starts a guest called `name` as a node of `plane`'s cluster, and returns when the node is Ready. The control
    /// plane must have been started with [`crate::ControlPlaneOptions::nodes`].
    ///
    /// # Errors
    /// Those of [`Lab::guest`], or if the node is not Ready in time; the error then has the end of the kubelet's log.
    pub async fn node(&self, name: &str, plane: &ControlPlane) -> Result<Guest> {
        let user = format!("system:node:{name}");
        let kubelet = plane.kubeconfig_on_guests(&user, &["system:nodes"])?;
        let proxy = plane.kubeconfig_on_guests("system:kube-proxy", &[])?;
        let guest = self.guest(name, Template::Node).await?;
        let pods = pods(guest.address());
        network::route(&pods, guest.address())?;
        let network = network_of(&pods);
        let address = format!("NODE_ADDRESS={}\n", guest.address());
        let script = script(&[
            ("/etc/kubernetes/ca.crt", &plane.authority()),
            ("/etc/kubernetes/kubelet.kubeconfig", &kubelet),
            ("/etc/kubernetes/kube-proxy.kubeconfig", &proxy),
            ("/etc/kubernetes/node.env", &address),
            ("/etc/cni/net.d/10-lab.conflist", &network),
        ]);
        guest.run("sh -eu", &script).await?;
        let nodes: Api<Node> = Api::all(plane.client().await?);
        match tokio::time::timeout(READY_WITHIN, await_condition(nodes, name, ready)).await {
            Ok(done) => done
                .map(drop)
                .with_context(|| format!("cannot watch the node {name}"))?,
            Err(_) => {
                let log = guest.ssh("journalctl --unit kubelet --lines 20 --output cat").await;
                let log = log.unwrap_or_else(|error| format!("{error:#}"));
                bail!("the node {name} is not Ready after {READY_WITHIN:?}; its kubelet's log:\n{log}");
            }
        }
        Ok(guest)
    }
}

/// The pod addresses of the guest with this address.
fn pods(guest: Ipv4Addr) -> String {
    format!("10.88.{}.0/24", guest.octets()[3])
}

/// The CNI configuration: a bridge on each node, with these addresses. Other hosts see the node's address as source, as
/// in most clusters, so a server that admits a node also admits its pods.
fn network_of(pods: &str) -> String {
    let plugin = serde_json::json!({
        "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}]},
    });
    serde_json::json!({"cniVersion": "0.3.1", "name": "lab", "plugins": [plugin]}).to_string()
}

/// A script that writes files, readable by root only, and starts the services that wait for them.
fn script(files: &[(&str, &str)]) -> String {
    let mut script = "umask 077\nmkdir -p /etc/kubernetes /etc/cni/net.d\n".to_owned();
    for (path, text) in files {
        // Writing to a String cannot fail.
        let _ = writeln!(script, "cat >{path} <<'LAB-END'\n{}\nLAB-END", text.trim_end());
    }
    script + "systemctl start --no-block kubelet kube-proxy\n"
}

fn ready(node: Option<&Node>) -> bool {
    let conditions = node
        .and_then(|node| node.status.as_ref())
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
