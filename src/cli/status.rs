//! The options of `status`.

use clap::Args;

use super::{ExportOfVolumes, Listing};

#[derive(Debug, Args)]
pub struct Status {
    /// Claims of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub listing: Listing,
    /// Show the status again after each change
    #[arg(short, long, conflicts_with = "sizes")]
    pub watch: bool,
    /// Measure the data in each volume; needs an NFS call for every directory in it
    #[arg(long)]
    pub sizes: bool,
    #[command(flatten)]
    pub export: ExportOfVolumes,
}
