//! A server that no longer exports a directory.

use super::desired::Versions;
use super::exports::plan_exports;
use super::firewall::{Allowed, Ports, clients_of_all_exports, plan_firewall};
use super::{Plan, check_system};
use crate::host::facts::Facts;

/// What takes nfsprov's export of `path` off a host, at the time `now`, in seconds since 1970, and the firewall's rules that
/// no other export of nfsprov's needs. The directory, the packages and the services stay: others may need them.
pub fn plan_teardown(facts: &Facts, path: &str, now: i64) -> Plan {
    let (system, choice) = check_system(facts, now);
    let mut steps = vec![system];
    if choice.is_some() {
        let allowed = Allowed {
            clients: clients_of_all_exports(facts, path, &[]),
            ports: Ports::of_server(facts, Versions::served_by(facts)),
        };
        steps.extend([plan_exports(facts, None, path), plan_firewall(facts, &allowed)]);
    }
    Plan { steps }
}
