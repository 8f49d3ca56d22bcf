//! A stand-in for nfs-subdir-external-provisioner, for the benchmark of peers. The module proxy does not have that program
//! itself; this one has its controller, the same library and client in the same versions, and makes a directory for each claim.

use std::path::PathBuf;

use anyhow::Result;

use super::go_program::GoProgram;

pub(super) const PROGRAM: GoProgram = GoProgram {
    name: "peer",
    package: ".",
    versioned_by: "sigs.k8s.io/sig-storage-lib-external-provisioner/v6 ",
    go_mod: include_str!("../../peer/go.mod"),
    go_sum: include_str!("../../peer/go.sum"),
    main: Some(include_str!("../../peer/main.go")),
};

/// The program, built into the cache if it is not there yet. Its arguments are a kubeconfig, the provisioner's name, and
/// the directory to make directories in.
///
/// # Errors
/// [`Unavailable`](super::Unavailable) when there is no Go new enough, or the module proxy does not give what it is made
/// of; otherwise when the build fails.
pub fn build() -> Result<PathBuf> {
    PROGRAM.build()
}
