//! The options of `volumes`.

use clap::{Args, Subcommand};

use super::export::{Via, via};
use super::{AccessMode, Format, Ssh};
use crate::export::VolumePath;
use crate::inventory::amount;
use crate::manifest::validate;

/// `volumes`.
#[derive(Debug, Subcommand)]
pub enum Volumes {
    /// Show the directories on an export with the PVs that own them
    List(Directories),
    /// Show the directories that no PV of this cluster names
    Orphans(Orphans),
    /// Show the archives of deleted volumes
    Archived(Directories),
    /// Bring an archive back as a PV for a claim
    Restore(Restore),
    /// Remove archives that are too old, or too much
    Expire(Expire),
    /// Write the records of volumes on their export, which rebuild reads
    Record(Record),
    /// Create the volumes and claims that an export's records name, in a new or damaged cluster
    Rebuild(Rebuild),
    /// Make a directory of an export a volume of a claim
    Adopt(Adopt),
}

/// The export.
#[derive(Debug, Args)]
#[command(next_help_heading = "Export")]
pub struct ExportAt {
    /// NFS server, as the PVs name it
    #[arg(long, env = "NFSPROV_SERVER", value_parser = validate::server)]
    pub server: String,
    /// Exported directory
    #[arg(long, env = "NFSPROV_PATH", value_parser = validate::path)]
    pub path: String,
    /// How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server's own shell) or dir:/MOUNT (in a mounted copy of the export)
    #[arg(long, default_value = "nfs", value_parser = via)]
    pub via: Via,
    /// For --via ssh://
    #[command(flatten)]
    pub ssh: Ssh,
}

/// `volumes list`, `orphans` and `archived`.
#[derive(Debug, Args)]
pub struct Directories {
    /// How the result is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Say how much they hold; takes a call for every directory in them
    #[arg(long)]
    pub sizes: bool,
    /// The export.
    #[command(flatten)]
    pub export: ExportAt,
}

/// `volumes orphans`.
#[derive(Debug, Args)]
pub struct Orphans {
    /// Remove those that are empty, after asking
    #[arg(long)]
    pub remove_empty: bool,
    /// Remove without asking
    #[arg(short, long, requires = "remove_empty")]
    pub yes: bool,
    /// What is listed.
    #[command(flatten)]
    pub directories: Directories,
}

/// `volumes record`.
#[derive(Debug, Args)]
pub struct Record {
    /// PVs, provisioned or made by hand [default: all on the export]
    #[arg(value_name = "PV")]
    pub volumes: Vec<String>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The export.
    #[command(flatten)]
    pub export: ExportAt,
}

/// `volumes rebuild`.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// Only this claim; its record is taken even if its directory was made for another claim
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::claim)]
    pub claim: Option<(String, String)>,
    /// Create what is missing
    #[arg(long)]
    pub apply: bool,
    /// Create namespaces that are missing
    #[arg(long)]
    pub create_namespaces: bool,
    /// The server that records name.
    #[command(flatten)]
    pub recorded: Recorded,
    /// Create without asking
    #[arg(short, long, requires = "apply")]
    pub yes: bool,
    /// How the plan is written; yaml is what kubectl apply takes
    #[arg(short, long, value_enum, default_value_t = Format::Table, conflicts_with = "apply")]
    pub output: Format,
    /// The export.
    #[command(flatten)]
    pub export: ExportAt,
}

/// `volumes adopt`.
#[derive(Debug, Args)]
pub struct Adopt {
    /// The directory, below the exported one
    #[arg(value_name = "DIRECTORY", value_parser = directory)]
    pub directory: VolumePath,
    /// The claim that gets it
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::claim)]
    pub claim: (String, String),
    /// How the claim is made.
    #[command(flatten)]
    pub new_claim: NewClaim,
    /// The server that records name.
    #[command(flatten)]
    pub recorded: Recorded,
    /// The export.
    #[command(flatten)]
    pub export: ExportAt,
}

/// How records are read.
#[derive(Debug, Args)]
pub struct Recorded {
    /// Name or address that the server had before, which records name: their PVs are created with that of --server
    #[arg(long, value_name = "SERVER", value_parser = validate::server)]
    pub former_server: Option<String>,
}

/// A claim that is made if it isn't there.
#[derive(Debug, Args)]
pub struct NewClaim {
    /// Make the claim if it isn't there
    #[arg(long)]
    pub create_claim: bool,
    /// Size of the PV, and of a claim that is made [default: the record's, or what the claim requests]
    #[arg(long, value_parser = validate::size)]
    pub size: Option<String>,
    /// Class of a claim that is made [default: the record's, or none]
    #[arg(long, requires = "create_claim")]
    pub class: Option<String>,
    /// Access mode of a claim that is made; may be given again [default: the record's, or RWX]
    #[arg(long, value_enum, ignore_case = true, requires = "create_claim")]
    pub access_mode: Vec<AccessMode>,
}

/// `volumes restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The archive, with or without `archived-`
    #[arg(value_name = "NAME")]
    pub archive: String,
    /// The claim that gets it [default: the record's]
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::claim)]
    pub claim: Option<(String, String)>,
    /// How the claim is made.
    #[command(flatten)]
    pub new_claim: NewClaim,
    /// The server that records name.
    #[command(flatten)]
    pub recorded: Recorded,
    /// The export.
    #[command(flatten)]
    pub export: ExportAt,
}

/// `volumes expire`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("limit").required(true).multiple(true)))]
pub struct Expire {
    /// Remove archives that have not been changed for so long, such as 30d
    #[arg(long, group = "limit", value_name = "AGE", value_parser = amount::age)]
    pub older_than: Option<u64>,
    /// Remove the oldest archives until the rest takes no more than this, such as 100Gi; takes a call for every directory in them
    #[arg(long, group = "limit", value_name = "SIZE", value_parser = total)]
    pub keep_total: Option<u64>,
    /// Remove without asking
    #[arg(short, long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The export.
    #[command(flatten)]
    pub export: ExportAt,
}

fn total(text: &str) -> Result<u64, String> {
    let shape = || "a size is a number and a suffix, such as 100Gi".to_owned();
    amount::bytes(text).ok_or_else(shape)
}

fn directory(text: &str) -> Result<VolumePath, String> {
    VolumePath::parse(text.trim_end_matches('/')).map_err(|error| error.to_string())
}
