//! What there is: the claims, volumes, classes and provisioners of a cluster that touch NFS, and the directories on an
//! export against the PVs that own them.
//!
//! What it amounts to is decided in [`amount`], [`place`], [`overview`] and [`release`], which see facts only;
//! [`gather`] reads the facts and [`scrub`] empties a directory.

pub mod amount;
pub mod gather;
pub mod overview;
pub mod place;
pub mod release;
pub mod scrub;
