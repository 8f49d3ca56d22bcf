//! What the provisioner decides (PURE): facts and a time in, decisions out.

pub mod backoff;
pub mod claim;
pub mod class;
pub mod election;
pub mod neighbours;
pub mod pattern;
pub mod volume;
