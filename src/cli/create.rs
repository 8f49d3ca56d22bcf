//! The options of `create`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::duration;
use crate::manifest::validate;
use crate::provisioner::DEFAULT_NAME;

/// What `create` makes.
#[derive(Debug, Subcommand)]
pub enum Kind {
    /// A static volume on an existing export
    Pv(Pv),
    /// A claim
    Pvc(Pvc),
    /// A class of volumes made on demand
    #[command(visible_alias = "sc")]
    Storageclass(Storageclass),
}

/// What becomes of a rendered manifest.
#[derive(Clone, Debug, Args)]
pub struct Delivery {
    /// Apply the manifest to the cluster instead of printing it
    #[arg(long)]
    pub apply: bool,
    /// With --apply, wait until the volume is Available or the claim Bound
    #[arg(long, requires = "apply", conflicts_with = "dry_run")]
    pub wait: bool,
    /// How long --wait waits
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Have the API server check the manifest and store nothing
    #[arg(long, value_enum)]
    pub dry_run: Option<DryRun>,
}

/// Where a dry run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Print the manifest only
    Client,
    /// Send it, and store nothing
    Server,
}

/// How nodes may mount a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessMode {
    /// By one node
    #[value(name = "RWO", alias = "ReadWriteOnce")]
    Rwo,
    /// By many nodes, read-only
    #[value(name = "ROX", alias = "ReadOnlyMany")]
    Rox,
    /// By many nodes
    #[value(name = "RWX", alias = "ReadWriteMany")]
    Rwx,
    /// By one pod
    #[value(name = "RWOP", alias = "ReadWriteOncePod")]
    Rwop,
}

/// What becomes of a volume that its claim has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReclaimPolicy {
    /// It stays, Released, until somebody decides
    #[value(name = "Retain")]
    Retain,
    /// It is emptied and Available again (deprecated)
    #[value(name = "Recycle")]
    Recycle,
    /// It is deleted
    #[value(name = "Delete")]
    Delete,
}

/// When a class' volumes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BindingMode {
    /// As soon as the claim is there
    #[value(name = "Immediate")]
    Immediate,
    /// When the first pod that uses the claim is scheduled
    #[value(name = "WaitForFirstConsumer")]
    WaitForFirstConsumer,
}

/// What becomes of a deleted volume's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDelete {
    /// Removed, with all that is in it
    Delete,
    /// Left where it is
    Retain,
    /// Renamed to archived-…
    Archive,
}

/// `create pv`.
#[derive(Debug, Args)]
pub struct Pv {
    /// Name of the volume
    #[arg(value_parser = validate::name)]
    pub name: String,
    /// NFS server, as the nodes reach it
    #[arg(long, env = "NFS_SERVER", value_parser = validate::server)]
    pub server: String,
    /// Exported directory
    #[arg(long, env = "NFS_PATH", value_parser = validate::path)]
    pub path: String,
    /// Size, such as 1Gi; NFS does not enforce it
    #[arg(long, value_parser = validate::size)]
    pub size: String,
    /// Access mode; may be given again
    #[arg(long = "access-mode", value_enum, value_name = "MODE", default_value = "RWX")]
    pub access_modes: Vec<AccessMode>,
    /// What becomes of the volume when its claim goes
    #[arg(long, value_enum, value_name = "POLICY", default_value = "Retain")]
    pub reclaim_policy: ReclaimPolicy,
    /// Class that a claim must name to get it
    #[arg(long, default_value = "nfs", value_parser = class)]
    pub class: String,
    /// Mount option; may be given again
    #[arg(long = "mount-option", value_name = "OPTION", value_parser = validate::mount_option)]
    pub mount_options: Vec<String>,
    /// The only claim that may have it
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::claim)]
    pub claim: Option<(String, String)>,
    /// Label; may be given again
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = validate::label)]
    pub labels: Vec<(String, String)>,
    /// What becomes of the manifest.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// `create pvc`.
#[derive(Debug, Args)]
pub struct Pvc {
    /// Name of the claim
    #[arg(value_parser = validate::name)]
    pub name: String,
    /// Size, such as 1Gi
    #[arg(long, value_parser = validate::size)]
    pub size: String,
    /// Class, or "" for none [default: the cluster's default class]
    #[arg(long, value_parser = class)]
    pub class: Option<String>,
    /// Access mode; may be given again
    #[arg(long = "access-mode", value_enum, value_name = "MODE", default_value = "RWX")]
    pub access_modes: Vec<AccessMode>,
    /// The PV that it must get
    #[arg(long, value_name = "PV", value_parser = validate::name)]
    pub volume: Option<String>,
    /// Label that its PV must have; may be given again
    #[arg(long = "selector", value_name = "KEY=VALUE", value_parser = validate::label)]
    pub selector: Vec<(String, String)>,
    /// What becomes of the manifest.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// `create storageclass`.
#[derive(Debug, Args)]
pub struct Storageclass {
    /// Name of the class
    #[arg(value_parser = validate::name)]
    pub name: String,
    /// Name of the provisioner that serves it
    #[arg(long, env = "PROVISIONER_NAME", default_value = DEFAULT_NAME, value_parser = validate::provisioner)]
    pub provisioner: String,
    /// Make it the class of claims that name none
    #[arg(long)]
    pub default: bool,
    /// What becomes of a volume when its claim goes
    #[arg(long, value_enum, value_name = "POLICY", default_value = "Delete")]
    pub reclaim_policy: ReclaimPolicy,
    /// When volumes are made
    #[arg(long, value_enum, value_name = "MODE", default_value = "Immediate")]
    pub binding_mode: BindingMode,
    /// Mount option; may be given again
    #[arg(long = "mount-option", value_name = "OPTION", value_parser = validate::mount_option)]
    pub mount_options: Vec<String>,
    /// What becomes of a deleted volume's directory
    #[arg(long, value_enum, default_value = "archive")]
    pub on_delete: OnDelete,
    /// NFS server, if the class is to name one
    #[arg(long, requires = "path", value_parser = validate::server)]
    pub server: Option<String>,
    /// Exported directory, if the class is to name one
    #[arg(long, requires = "server", value_parser = validate::path)]
    pub path: Option<String>,
    /// Permission bits of new directories [default: 0777]
    #[arg(long, value_name = "OCTAL", value_parser = validate::mode)]
    pub dir_mode: Option<String>,
    /// What becomes of the manifest.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// A class name, or nothing for no class.
fn class(text: &str) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        name => validate::name(name),
    }
}
