//! The dynamic provisioner: a directory and a PV for every claim that was handed over to it.
//!
//! A claim goes from `controller` (the watches) to `reconcile/provision` (one claim) to [`rules`] (what to do) to
//! `export` (its directory) and the API server (its PV). A volume goes the same way through `reconcile/delete`.

mod burst;
pub mod controller;
pub mod events;
pub mod http;
pub mod lease;
pub mod metrics;
#[cfg(test)]
mod mock;
pub mod outcome;
pub mod pass;
pub mod reconcile;
pub mod rules;
pub mod served;

pub use rules::{backoff, claim, class, election, neighbours, pattern, volume};

/// The provisioner's name unless told otherwise, the same wherever a name is needed.
pub const DEFAULT_NAME: &str = "nfsprov/nfs";
