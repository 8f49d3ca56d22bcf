//! The provisioner's decisions (PURE): objects and a time in, decisions out.

pub mod backoff;
pub mod claim;
pub mod class;
pub mod election;
pub mod expansion;
pub mod neighbours;
pub mod pattern;
pub mod record;
pub mod volume;
