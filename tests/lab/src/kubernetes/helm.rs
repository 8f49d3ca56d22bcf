//! Helm, for the tests of the chart.

use std::path::PathBuf;

use anyhow::Result;

use super::go_program::GoProgram;

pub(super) const PROGRAM: GoProgram = GoProgram {
    name: "helm",
    package: "helm.sh/helm/v3/cmd/helm",
    versioned_by: "helm.sh/helm/v3 ",
    go_mod: include_str!("../../helm/go.mod"),
    go_sum: include_str!("../../helm/go.sum"),
    main: None,
};

/// The program, built into the cache if it is not there yet.
///
/// # Errors
/// [`Unavailable`](super::Unavailable) when there is no Go new enough, or the module proxy does not give what it is made
/// of; otherwise when the build fails.
pub fn build() -> Result<PathBuf> {
    PROGRAM.build()
}
