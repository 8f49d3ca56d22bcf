//! Volumes in the cluster and directories on an export: lists of them, and the operations on them.
//!
//! Lists: [`overview`] of a cluster, [`directories`] and [`archives`] of an export. Changes: [`mod@restore`],
//! [`release`] with [`scrub`], [`limit`], and after the loss of a cluster [`rebuild`] and [`adopt`]. These decide from
//! facts; [`read`] reads the cluster and records, [`survey`] directories, [`servers`] resolves names, [`apply`] creates
//! objects.

pub mod adopt;
pub mod amount;
pub mod apply;
mod archive_name;
pub mod archives;
pub mod directories;
pub mod limit;
pub mod moved;
pub mod overview;
pub mod place;
pub mod read;
pub mod rebuild;
pub mod release;
pub mod restore;
pub mod scrub;
pub mod servers;
pub mod survey;
