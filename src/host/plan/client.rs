//! A client: what mounts NFS.

use super::{Plan, kernel, packages, selinux, system};
use crate::host::facts::Facts;

/// What mounts NFS there.
const MOUNT: &str = "mount.nfs";

/// What makes a host a client, at the time `now`, in seconds since 1970.
pub fn client(facts: &Facts, now: i64) -> Plan {
    let (system, choice) = system(facts, now);
    let Some(choice) = choice else {
        return Plan { steps: vec![system] };
    };
    let steps = vec![
        system,
        packages(facts, &choice, choice.distro.client, MOUNT),
        kernel(facts, facts.nfs, "client"),
        // Containers are confined as virtual machines are.
        selinux(facts, "virt_use_nfs"),
    ];
    Plan { steps }
}
