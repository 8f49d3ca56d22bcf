//! The options of `status`.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error};

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

/// Fails if the command line has `--watch` and an option of the export, which has no effect then. Those in the
/// environment are defaults of all commands, and pass.
pub fn check_watch(status: &ArgMatches) -> Result<(), Error> {
    let options = ExportOfVolumes::augment_args(Command::new("status"));
    let is_given = |id: &str| status.value_source(id) == Some(ValueSource::CommandLine);
    let given = options
        .get_arguments()
        .find(|option| is_given(option.get_id().as_str()));
    match given.and_then(|option| option.get_long()) {
        Some(name) if status.get_flag("watch") => Err(Error::raw(
            ErrorKind::ArgumentConflict,
            format!("--watch reads no export: leave out --{name}, or --watch"),
        )),
        _ => Ok(()),
    }
}
