//! The options of `release`.

use clap::Args;

use super::ExportOfVolumes;
use crate::manifest::validate;

/// `release`.
#[derive(Debug, Args)]
pub struct Release {
    /// The PV
    #[arg(value_name = "PV", value_parser = validate::name)]
    pub volume: String,
    /// Leave its data where it is: the next claim will see it
    #[arg(long, conflicts_with = "scrub")]
    pub keep_data: bool,
    /// Remove all that is in its directory first
    #[arg(long)]
    pub scrub: bool,
    /// Remove without asking
    #[arg(short, long)]
    pub yes: bool,
    /// The export.
    #[command(flatten)]
    pub export: ExportOfVolumes,
}
