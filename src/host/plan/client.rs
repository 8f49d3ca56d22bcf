//! The plan that makes a host a client, which can mount NFS.

use super::{Plan, allow_in_selinux, check_kernel, check_system, install_packages};
use crate::host::facts::Facts;

/// What mounts NFS there.
const MOUNT: &str = "mount.nfs";

/// The plan that makes a host a client; `now` is in seconds since 1970. It mounts nothing. If the login is not root's,
/// the plan is one refused step.
pub fn plan_client(facts: &Facts, now: i64) -> Plan {
    let (system, choice) = check_system(facts, now);
    let Some(choice) = choice else {
        return Plan { steps: vec![system] };
    };
    let steps = vec![
        system,
        install_packages(facts, &choice, (choice.distro.client, MOUNT), &[]),
        check_kernel(facts, facts.nfs, "client"),
        // Containers are confined as virtual machines are.
        allow_in_selinux(facts, "virt_use_nfs"),
    ];
    Plan { steps }
}
