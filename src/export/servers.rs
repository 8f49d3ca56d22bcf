//! Which names of NFS servers mean the same server, as far as their addresses tell.
//!
//! [`ServerNames`] keeps apart what is certain from what a name that can't be resolved leaves open.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;

/// How long one name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The names that are, or may be, those of one server.
#[derive(Clone, Debug)]
pub struct ServerNames {
    /// The server's own name, and those that share an address with it.
    known: BTreeSet<String>,
    /// Those that can't be compared with it, since they, or the server's own name, can't be resolved.
    unresolved: BTreeSet<String>,
}

impl ServerNames {
    /// A server that has these names, and no other.
    pub fn known<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            known: names.into_iter().map(str::to_owned).collect(),
            unresolved: BTreeSet::new(),
        }
    }

    /// Compares `others` with the names that the server is known by. Names of other servers are dropped; one that can't
    /// be compared, since it or the server isn't resolved in 5 s, may be the server's. Resolves none if all are known.
    pub async fn compare(mut self, others: impl IntoIterator<Item = String>) -> Self {
        let others: BTreeSet<String> = others.into_iter().filter(|name| !self.known.contains(name)).collect();
        if others.is_empty() {
            return self;
        }
        let known = join_all(self.known.iter().map(|name| addresses_of(name)));
        let compared = join_all(others.into_iter().map(async |name| (addresses_of(&name).await, name)));
        let (known, compared) = tokio::join!(known, compared);
        let known: BTreeSet<IpAddr> = known.into_iter().flatten().collect();
        for (addresses, name) in compared {
            match addresses.is_empty() || known.is_empty() {
                true => _ = self.unresolved.insert(name),
                false if addresses.is_disjoint(&known) => {}
                false => _ = self.known.insert(name),
            }
        }
        self
    }

    /// Whether the name is certainly the server's; false for one that was never compared.
    pub fn is_known(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    /// Whether the name is the server's, or could not be compared with it; false for one that was never compared.
    pub fn may_be(&self, name: &str) -> bool {
        self.known.contains(name) || self.unresolved.contains(name)
    }
}

/// The addresses of a name; none if it can't be resolved in time.
async fn addresses_of(server: &str) -> BTreeSet<IpAddr> {
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((server, 0))).await;
    let found = found.ok().and_then(Result::ok);
    found
        .into_iter()
        .flatten()
        .map(|address| address.ip().to_canonical())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_compared_by_their_addresses() {
        for (server, other, is_known, may_be) in [
            ("nfs", "nfs", true, true),
            ("127.0.0.1", "localhost", true, true),
            ("127.0.0.1", "::ffff:127.0.0.1", true, true),
            ("127.0.0.1", "127.0.0.2", false, false),
            ("127.0.0.1", "no-such-host.invalid", false, true),
            ("no-such-host.invalid", "127.0.0.1", false, true),
        ] {
            let names = ServerNames::known([server]).compare([other.to_owned()]).await;
            assert_eq!(
                (names.is_known(other), names.may_be(other)),
                (is_known, may_be),
                "{other} for {server}"
            );
        }
    }
}
