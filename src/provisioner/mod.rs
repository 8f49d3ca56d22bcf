//! The dynamic provisioner: a directory and a PV for every claim that was handed over to it.
//!
//! What to do is decided in [`claim`], [`class`], [`pattern`], [`volume`], [`neighbours`], [`backoff`] and [`election`],
//! which see facts only; what is done about it is in the other files.

pub mod backoff;
mod burst;
pub mod claim;
pub mod class;
pub mod controller;
pub mod election;
pub mod events;
pub mod exports;
pub mod http;
pub mod lease;
pub mod metrics;
#[cfg(test)]
mod mock;
pub mod neighbours;
pub mod outcome;
pub mod pass;
pub mod pattern;
pub mod volume;
pub mod work;

/// The provisioner's name unless told otherwise, the same wherever a name is needed.
pub const DEFAULT_NAME: &str = "nfsprov/nfs";
