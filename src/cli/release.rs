//! The options of `release`.

use clap::Args;

use super::{ExportOfVolumes, Waiting};
use crate::manifest::validate;

#[derive(Debug, Args)]
pub struct Release {
    /// Volume to release
    #[arg(value_name = "PV", value_parser = validate::check_name)]
    pub volume: String,
    /// Keep the data; the next claim sees it
    #[arg(long, conflicts_with = "scrub")]
    pub keep_data: bool,
    /// Empty the volume's directory first
    #[arg(long)]
    pub scrub: bool,
    /// Answer yes to every question
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub export: ExportOfVolumes,
}
