//! A Linux host over SSH: logs in to it, reads its facts, plans changes and applies them. Knows nothing of Kubernetes.
//!
//! [`Host::connect`] takes a [`Target`] to a host as ssh(1) would, with the
//! same configuration, keys and known hosts, and [`Host::run`] has its shell
//! run scripts. [`gather`] reads what a host is like, [`plan_server`] and its
//! like plan its changes, and [`apply`] carries a plan out.

mod apply;
mod ask;
mod block;
mod container_runtime;
pub mod distro;
pub mod exports_file;
mod facts;
mod firewall;
mod fstab;
mod key_file;
mod known_hosts;
mod nfs_conf;
mod plan;
mod proof;
mod quota;
mod script;
#[cfg(test)]
mod shells;
mod ssh;
mod ssh_settings;
mod target;

pub use apply::{Done, GatherError, Outcome, StepEvent, apply, gather, last_output_lines, run_change};
pub use ask::{Ask, PromptCache, Secret, Unanswered};
pub use container_runtime::{ContainerRuntime, choose_runtime, find_runtime_script, lists_image};
pub use facts::{Directory, Facts, Subject};
pub use plan::{
    DesiredServer, FileChange, Plan, Quota, State, Step, Versions, plan_client, plan_server, plan_share, plan_teardown,
};
pub use proof::{Proof, ProofResult};

pub use ssh::{Access, ConnectError, Host, HostKeys, JumpSessions, Output, RunError, Sudo, server_names};
pub use target::{Target, TargetError};
