//! A Linux host over SSH: who it is, who we are to it, and what it does for us.
//!
//! [`Host::connect`] takes a [`Target`] to a host as ssh(1) would, with the
//! same configuration, keys and known hosts, and [`Host::run`] has its shell
//! run scripts.

mod ask;
pub mod distro;
pub mod exports_file;
mod key_file;
mod known_hosts;
mod script;
mod ssh;
mod ssh_config;
mod target;

pub use ask::{Ask, Remembered, Secret};
pub use script::quote;
pub use ssh::{Access, ConnectError, Host, HostKeys, Output, RunError, Sudo};
pub use target::{Target, TargetError};
