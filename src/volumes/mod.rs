//! Volumes that outlive their cluster: from the records on an export back to PVs and claims, and from any directory to
//! a volume.
//!
//! [`rebuild`], [`adopt`], [`limit`] and [`moved`] decide (PURE), [`read`] reads the export and the cluster, [`apply`]
//! creates objects. No existing object is changed.

pub mod adopt;
pub mod apply;
pub mod limit;
pub mod moved;
pub mod read;
pub mod rebuild;
