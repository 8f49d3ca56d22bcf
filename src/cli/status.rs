//! The options of `status`.

use clap::Args;

use super::{ExportOfVolumes, Format};

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Claims of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// How the result is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Show it again whenever something changes
    #[arg(short, long, conflicts_with = "sizes")]
    pub watch: bool,
    /// Read the volumes' directories and say how much they hold; takes a call for every directory in them
    #[arg(long)]
    pub sizes: bool,
    /// The export.
    #[command(flatten)]
    pub export: ExportOfVolumes,
}
