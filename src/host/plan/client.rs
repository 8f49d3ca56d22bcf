//! The plan that makes a host a client, which can mount NFS (PURE).

use super::{Plan, plan_kernel, plan_packages, plan_selinux, plan_system};
use crate::host::facts::Facts;

/// What mounts NFS there.
const MOUNT: &str = "mount.nfs";

/// The plan that makes a host a client; `now` is in seconds since 1970. It mounts nothing. If the login is not root's,
/// the plan is one refused step.
pub fn plan_client(facts: &Facts, now: i64) -> Plan {
    let (system, choice) = plan_system(facts, now);
    let Some(choice) = choice else {
        return Plan { steps: vec![system] };
    };
    let steps = vec![
        system,
        plan_packages(facts, &choice, (choice.distro.client, MOUNT), &[]),
        plan_kernel(facts, facts.nfs, "client"),
        // Containers are confined as virtual machines are.
        plan_selinux(facts, "virt_use_nfs"),
    ];
    Plan { steps }
}
