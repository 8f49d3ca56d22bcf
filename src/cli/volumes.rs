//! The options of `volumes`. A parser of values returns the value, or one clause that says what is wrong with it.

use clap::{Args, Subcommand};

use super::export::{Via, parse_via};
use super::{AccessMode, Format, Listing, Ssh, Waiting, examples};
use crate::export::VolumePath;
use crate::manifest::validate;
use crate::volumes::amount;

#[derive(Debug, Subcommand)]
pub enum Volumes {
    /// List the directories on an export, with the volumes that own them
    #[command(before_help = examples::VOLUMES_LIST)]
    List(Directories),
    /// List the directories without a volume in this cluster
    #[command(before_help = examples::VOLUMES_ORPHANS)]
    Orphans(Orphans),
    /// List the archives of deleted volumes
    #[command(before_help = examples::VOLUMES_ARCHIVED)]
    Archived(Directories),
    /// Restore an archive as a volume for a claim
    #[command(before_help = examples::VOLUMES_RESTORE)]
    Restore(Restore),
    /// Delete archives by age or total size
    #[command(before_help = examples::VOLUMES_EXPIRE)]
    Expire(Expire),
    /// Write the records of volumes to their export, for volumes rebuild
    #[command(before_help = examples::VOLUMES_RECORD)]
    Record(Record),
    /// Create the volumes and claims of an export's records in a new or damaged cluster
    #[command(before_help = examples::VOLUMES_REBUILD)]
    Rebuild(Rebuild),
    /// Make an existing directory the volume of a claim
    #[command(before_help = examples::VOLUMES_ADOPT)]
    Adopt(Adopt),
    /// Limit existing volumes to their size, as quota: enforce does for new ones
    #[command(before_help = examples::VOLUMES_LIMIT)]
    Limit(Limit),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Export")]
pub struct ExportAt {
    /// NFS server, as in the volumes
    #[arg(long, env = "NFSPROV_SERVER", value_parser = validate::check_server)]
    pub server: String,
    /// Exported directory
    #[arg(long, env = "NFSPROV_PATH", value_parser = validate::check_path)]
    pub path: String,
    /// Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)
    #[arg(long, env = "NFSPROV_VIA", default_value = "nfs", value_parser = parse_via)]
    pub via: Via,
    #[command(flatten)]
    pub ssh: Ssh,
}

#[derive(Debug, Args)]
pub struct Directories {
    #[command(flatten)]
    pub listing: Listing,
    /// Measure the data; needs an NFS call for every directory
    #[arg(long)]
    pub sizes: bool,
    #[command(flatten)]
    pub export: ExportAt,
}

#[derive(Debug, Args)]
pub struct Orphans {
    /// Remove empty directories, after confirmation
    #[arg(long)]
    pub remove_empty: bool,
    /// Answer yes to every question
    #[arg(short, long, requires = "remove_empty")]
    pub yes: bool,
    #[command(flatten)]
    pub directories: Directories,
}

#[derive(Debug, Args)]
pub struct Record {
    /// Volumes to record, provisioned or static [default: all on the export]
    #[arg(value_name = "PV")]
    pub volumes: Vec<String>,
    /// Print what would be written, without making changes
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub export: ExportAt,
}

#[derive(Debug, Args)]
pub struct Rebuild {
    /// Rebuild this claim only, even if its directory was created for another claim
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::parse_claim)]
    pub claim: Option<(String, String)>,
    /// Create the missing objects
    #[arg(long)]
    pub apply: bool,
    /// Create missing namespaces
    #[arg(long)]
    pub create_namespaces: bool,
    #[command(flatten)]
    pub recorded: Recorded,
    /// Answer yes to every question
    #[arg(short, long, requires = "apply")]
    pub yes: bool,
    /// Output format of the plan; yaml can be piped to kubectl apply
    #[arg(short, long, value_enum, default_value_t = Format::Table, conflicts_with = "apply")]
    pub output: Format,
    /// Leave out the headings of the table
    #[arg(long)]
    pub no_headers: bool,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub export: ExportAt,
}

#[derive(Debug, Args)]
pub struct Adopt {
    /// Directory, relative to the export
    #[arg(value_name = "DIRECTORY", value_parser = parse_directory)]
    pub directory: VolumePath,
    /// Claim for the volume
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::parse_claim)]
    pub claim: (String, String),
    #[command(flatten)]
    pub new_claim: NewClaim,
    #[command(flatten)]
    pub recorded: Recorded,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub export: ExportAt,
}

#[derive(Debug, Args)]
pub struct Recorded {
    /// Former name or address of the server; records that name it are used for --server
    #[arg(long, value_name = "SERVER", value_parser = validate::check_server)]
    pub former_server: Option<String>,
}

/// A claim that is made if it isn't there.
#[derive(Debug, Args)]
pub struct NewClaim {
    /// Create the claim if it does not exist
    #[arg(long)]
    pub create_claim: bool,
    /// Size of the volume and of a new claim [default: from the record, or the claim's request]
    #[arg(long, value_parser = validate::check_size)]
    pub size: Option<String>,
    /// Class of a new claim [default: from the record, or none]
    #[arg(long, requires = "create_claim")]
    pub class: Option<String>,
    /// Access mode of a new claim (repeatable) [default: from the record, or RWX]
    #[arg(long, value_enum, ignore_case = true, requires = "create_claim")]
    pub access_mode: Vec<AccessMode>,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// Archive, with or without the prefix archived-
    #[arg(value_name = "NAME")]
    pub archive: String,
    /// Claim for the volume [default: the record's]
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::parse_claim)]
    pub claim: Option<(String, String)>,
    #[command(flatten)]
    pub new_claim: NewClaim,
    #[command(flatten)]
    pub recorded: Recorded,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub export: ExportAt,
}

#[derive(Debug, Args)]
pub struct Limit {
    /// Volumes, which no pod uses meanwhile
    #[arg(value_name = "PV", required = true)]
    pub volumes: Vec<String>,
    /// Measure the volumes, without making changes
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub export: ExportAt,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("limit").required(true).multiple(true)))]
pub struct Expire {
    /// Delete archives that were not changed for this time, such as 30d
    #[arg(long, group = "limit", value_name = "AGE", value_parser = amount::parse_age)]
    pub older_than: Option<u64>,
    /// Delete the oldest archives until the total is at most this, such as 100Gi; needs an NFS call for every directory
    #[arg(long, group = "limit", value_name = "SIZE", value_parser = parse_size)]
    pub keep_total: Option<u64>,
    /// Answer yes to every question
    #[arg(short, long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Print what would be deleted, without making changes
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub export: ExportAt,
}

/// Parses a size as a quantity to bytes, rounded up; `0` passes.
fn parse_size(text: &str) -> Result<u64, String> {
    let shape = || "a size is a number and a suffix, such as 100Gi".to_owned();
    amount::parse_bytes(text).ok_or_else(shape)
}

/// Parses the path of a directory relative to the export; slashes at its end are dropped. Refuses the export's root,
/// absolute paths and `..`.
fn parse_directory(text: &str) -> Result<VolumePath, String> {
    VolumePath::parse(text.trim_end_matches('/')).map_err(|error| error.to_string())
}
