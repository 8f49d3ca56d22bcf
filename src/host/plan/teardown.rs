//! The plan that removes nfsprov's export of a directory (PURE). It never removes the directory itself.

use super::desired::Versions;
use super::exports::plan_exports;
use super::firewall::{Allowed, Ports, clients_of_all_exports, plan_firewall};
use super::{Plan, plan_system};
use crate::host::facts::Facts;

/// The plan that removes nfsprov's export of `path` from a host, and the firewall's rules that no other export of
/// nfsprov's needs. `now` is in seconds since 1970. Directory, packages and services stay: others may need them.
/// Without such an export, the step `exports` changes nothing. If the login is not root's, the plan is one refused
/// step.
pub fn plan_teardown(facts: &Facts, path: &str, now: i64) -> Plan {
    let (system, choice) = plan_system(facts, now);
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
