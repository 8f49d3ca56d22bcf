//! A server that no longer exports a directory.

use super::exports::exports;
use super::{Plan, system};
use crate::host::facts::Facts;

/// What takes nfsprov's export of `path` off a host, at the time `now`, in seconds since 1970. The directory, the packages
/// and the services stay: others may need them.
pub fn teardown(facts: &Facts, path: &str, now: i64) -> Plan {
    let (system, choice) = system(facts, now);
    let mut steps = vec![system];
    if choice.is_some() {
        steps.push(exports(facts, None, path));
    }
    Plan { steps }
}
