//! The inventory: a cluster's claims, volumes, classes and provisioners that use NFS, and the directories on an
//! export against the PVs that own them.
//!
//! What it amounts to is decided in [`amount`], [`place`], [`overview`], [`release`], [`directories`] and [`archives`],
//! which see facts only. [`gather`] reads the cluster and [`survey`] an export; [`scrub`] empties a PV's directory and
//! [`mod@restore`] brings an archive back.

pub mod amount;
pub mod archives;
pub mod directories;
pub mod gather;
pub mod overview;
pub mod place;
pub mod release;
pub mod restore;
pub mod scrub;
pub mod survey;
