//! A running server that lets more clients mount what it exports.

use super::exports::exports;
use super::server::{Server, Versions, firewall};
use super::{Plan, system};
use crate::host::exports_file::{self, OPTIONS, Wanted};
use crate::host::facts::Facts;

/// What lets `clients` mount the directory `path`, beside those that nfsprov's line names already and with its options,
/// at the time `now`, in seconds since 1970. Nothing else that was set up there changes.
pub fn share(facts: &Facts, path: &str, clients: &[String], now: i64) -> Plan {
    let (system, choice) = system(facts, now);
    if choice.is_none() {
        return Plan { steps: vec![system] };
    }
    // A block that is damaged is told of by the step that would write it.
    let ours = exports_file::ours(facts.exports.as_deref().unwrap_or_default(), path);
    let ours = ours.ok().flatten().unwrap_or_default();
    let options = ours.first().map_or(OPTIONS, |entry| &entry.options).to_owned();
    let known = ours.into_iter().map(|entry| entry.client);
    let server = Server {
        wanted: Wanted {
            path: path.to_owned(),
            clients: known.chain(clients.iter().cloned()).collect(),
            options,
        },
        mode: None,
        owner: None,
        versions: match facts.serves(3) {
            Some(false) => Versions::Four,
            _ => Versions::All,
        },
    };
    let steps = vec![
        system,
        exports(facts, Some(&server.wanted), path),
        firewall(facts, &server),
    ];
    Plan { steps }
}
