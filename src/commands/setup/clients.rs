//! Decides which clients may mount the export, from the command line, the cluster and the nodes (PURE).

use std::collections::BTreeSet;
use std::net::IpAddr;

/// The addresses known of a node that is to mount the export.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeAddresses {
    /// What reports call it.
    pub(super) name: String,
    /// Whether it was logged in to.
    pub(super) is_connected: bool,
    /// The address that it has on its way to the server.
    pub(super) source: Option<IpAddr>,
    /// Its address on the command line.
    pub(super) named: Option<IpAddr>,
    /// The address that its kubelet wrote into the cluster.
    pub(super) written_by_kubelet: Option<IpAddr>,
    /// Any address of its own.
    pub(super) own: Option<IpAddr>,
}

impl NodeAddresses {
    /// The address of a node to allow: the source address of its route to the server, else one that it is known by. The
    /// one that the kubelet wrote counts only if nfsprov logged in to the node there. If the server has a network of
    /// its own for clients, addresses of other networks don't count. `None` if no address can be trusted.
    fn trusted_address(&self, has_client_network: bool) -> Option<IpAddr> {
        let others = match (self.is_connected, has_client_network) {
            (true, true) => None,
            (true, false) => self.written_by_kubelet.or(self.named).or(self.own),
            (false, _) => self.named,
        };
        self.source.or(others)
    }
}

/// The clients of the export.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Clients {
    pub(super) allowed: Vec<String>,
    /// The names of nodes whose addresses are not known.
    pub(super) unknown: Vec<String>,
}

/// The clients to allow: the named ones and the nodes' addresses, without duplicates. If the address of a node is
/// unknown, all clients that were allowed before stay allowed, so that a node that is down is not locked out. `*`
/// replaces all others.
pub(super) fn allowed_clients(
    named: &[String],
    nodes: &[NodeAddresses],
    has_client_network: bool,
    allowed_before: &[String],
) -> Clients {
    let mut clients = Clients {
        allowed: named.to_vec(),
        unknown: Vec::new(),
    };
    for node in nodes {
        match node.trusted_address(has_client_network) {
            Some(address) => clients.allowed.push(address.to_string()),
            None => clients.unknown.push(node.name.clone()),
        }
    }
    if !clients.unknown.is_empty() {
        clients.allowed.extend_from_slice(allowed_before);
    }
    let mut seen = BTreeSet::new();
    clients.allowed.retain(|client| seen.insert(client.clone()));
    if clients.allowed.iter().any(|client| client == "*") {
        clients.allowed = vec!["*".to_owned()];
    }
    clients
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_allowed_by_a_trusted_address() {
        let address = |text: &str| Some(text.parse().unwrap());
        let before = ["10.0.0.9".to_owned()];
        let node = || NodeAddresses {
            name: "node".into(),
            ..NodeAddresses::default()
        };
        let connected = || NodeAddresses {
            is_connected: true,
            own: address("192.0.2.1"),
            ..node()
        };
        for (what, answer, has_client_network, allowed) in [
            (
                "by its way to the server",
                NodeAddresses {
                    source: address("10.0.0.1"),
                    written_by_kubelet: address("10.9.0.1"),
                    ..connected()
                },
                true,
                &["10.0.0.1"][..],
            ),
            ("by an address of its own", connected(), false, &["192.0.2.1"]),
            ("not by one of another network", connected(), true, &["10.0.0.9"]),
            (
                "by where it was logged in to",
                NodeAddresses {
                    written_by_kubelet: address("10.9.0.1"),
                    ..connected()
                },
                false,
                &["10.9.0.1"],
            ),
            (
                "not by a kubelet's word alone",
                NodeAddresses {
                    written_by_kubelet: address("10.9.0.1"),
                    ..node()
                },
                false,
                &["10.0.0.9"],
            ),
            (
                "by the name that it was given",
                NodeAddresses {
                    named: address("10.0.0.2"),
                    ..node()
                },
                false,
                &["10.0.0.2"],
            ),
            ("down, as before", node(), false, &["10.0.0.9"]),
        ] {
            let clients = allowed_clients(&[], &[answer], has_client_network, &before);
            assert_eq!(clients.allowed, allowed, "{what}");
            assert_eq!(clients.unknown.is_empty(), allowed != ["10.0.0.9"], "{what}");
        }
    }

    #[test]
    fn each_client_is_named_once_and_the_world_alone() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let allowed = |named: &[&str]| allowed_clients(&words(named), &[], false, &[]).allowed;
        assert_eq!(allowed(&["a", "b", "a"]), ["a", "b"]);
        assert_eq!(allowed(&["a", "*"]), ["*"]);
    }
}
