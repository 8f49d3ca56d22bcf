//! The plan that lets more clients mount a directory that a running server exports (PURE).

use super::desired::{DesiredServer, Quota, Versions};
use super::exports::plan_exports;
use super::firewall::plan_firewall;
use super::server::allowed_clients;
use super::{Plan, Step, plan_system};
use crate::host::exports_file::{self, DesiredExport};
use crate::host::facts::Facts;

/// The plan that adds `clients` to nfsprov's line for the directory `path`, with the options that all its clients have,
/// and lets them through the firewall. `now` is in seconds since 1970. Nothing else changes on the host.
///
/// Refused if the login is not root's, nfsprov's block is damaged, its clients have different options, or nfsprov does
/// not export the directory yet: the path may come from objects that a tenant of the cluster writes, and only an
/// administrator may add an export, with `setup-server`.
pub fn plan_share(facts: &Facts, path: &str, clients: &[String], now: i64) -> Plan {
    let (system, choice) = plan_system(facts, now);
    if choice.is_none() {
        return Plan { steps: vec![system] };
    }
    let refused = |why: String| Step::refused("exports", format!("{}: {why}", facts.exports_path));
    let ours = match exports_file::own_exports(facts.exports.as_deref().unwrap_or_default(), path) {
        Ok(ours) => ours.unwrap_or_default(),
        Err(damage) => {
            let steps = vec![system, refused(damage.to_string())];
            return Plan { steps };
        }
    };
    let Some(first) = ours.first() else {
        let why = format!("nfsprov does not export {path} there; only setup-server creates exports");
        let steps = vec![system, refused(why)];
        return Plan { steps };
    };
    if let Some((first, other)) = exports_file::find_different_options(&ours) {
        let why = format!(
            "the clients of {path} have different options, {} ({}) and {} ({}); setup-server --options gives all the \
             same",
            first.client, first.options, other.client, other.options
        );
        let steps = vec![system, refused(why)];
        return Plan { steps };
    }
    let options = first.options.clone();
    let known = ours.into_iter().map(|entry| entry.client);
    let server = DesiredServer {
        wanted: DesiredExport {
            path: path.to_owned(),
            clients: known.chain(clients.iter().cloned()).collect(),
            options,
        },
        mode: None,
        owner: None,
        versions: Versions::served_by(facts),
        quota: Quota::Unchanged,
    };
    let steps = vec![
        system,
        plan_exports(facts, Some(&server.wanted), path),
        plan_firewall(facts, &allowed_clients(facts, &server)),
    ];
    Plan { steps }
}
