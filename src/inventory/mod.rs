//! The inventory: a cluster's claims, volumes, classes and provisioners that use NFS, and the directories on an
//! export against the PVs that own them.
//!
//! [`amount`], [`place`], [`overview`], [`release`], [`directories`] and [`archives`] decide from facts alone.
//! [`gather`] reads the cluster, [`survey`] an export, and [`servers`] resolves names; [`scrub`] empties a PV's
//! directory and [`mod@restore`] restores an archive.

pub mod amount;
mod archive_name;
pub mod archives;
pub mod directories;
pub mod gather;
pub mod overview;
pub mod place;
pub mod release;
pub mod restore;
pub mod scrub;
pub mod servers;
pub mod survey;
