//! The dynamic provisioner: creates a directory and a PV for each claim that is handed over to it.
//!
//! A claim goes from [`controller`] (watches) to `reconcile/provision` (one claim) to [`rules`] (decisions), to `export`
//! (its directory) and to the API server (its PV). A released volume goes the same way through `reconcile/delete`.

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

/// The default name of the provisioner.
pub const DEFAULT_NAME: &str = "nfsprov/nfs";
