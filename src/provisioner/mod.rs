//! The dynamic provisioner: creates a directory and a PV for each claim that is handed over to it.
//!
//! A claim goes from `controller` (the loop) to `reconcile/provision` (one claim) to `rules` (decisions), to `export`
//! (its directory) and to the API server (its PV). A released volume goes the same way through `reconcile/delete`.

pub(crate) mod controller;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod lease;
pub(crate) mod metrics;
#[cfg(test)]
pub(crate) mod mock;
pub(crate) mod outcome;
pub(crate) mod pass;
pub(crate) mod reconcile;
pub mod rules;
pub(crate) mod served;
mod watches;

use rules::{backoff, neighbours};
pub use rules::{claim, class, election, expansion, pattern, volume};

pub use crate::cluster::provisioners::DEFAULT_NAME;
