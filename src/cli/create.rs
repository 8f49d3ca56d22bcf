//! The options of `create`.

mod storage;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

pub use self::storage::{Pv, Pvc, Storageclass};
pub(super) use self::workload::replicas;
pub use self::workload::{Flavor, Pod, Provisioner, Statefulset};
use super::{duration, examples};
use crate::manifest::validate;

/// What `create` makes.
#[derive(Debug, Subcommand)]
pub enum Kind {
    /// A static volume on an existing export
    #[command(before_help = examples::PV)]
    Pv(Pv),
    /// A claim
    #[command(before_help = examples::PVC)]
    Pvc(Pvc),
    /// A class of volumes made on demand
    #[command(visible_alias = "sc", before_help = examples::STORAGECLASS)]
    Storageclass(Storageclass),
    /// A pod that uses a claim
    #[command(before_help = examples::POD)]
    Pod(Pod),
    /// A StatefulSet whose pods have a claim each, and its Service
    #[command(visible_alias = "sts", before_help = examples::STATEFULSET)]
    Statefulset(Statefulset),
    /// A provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass
    #[command(before_help = examples::PROVISIONER)]
    Provisioner(Provisioner),
}

/// What becomes of a rendered manifest.
#[derive(Clone, Debug, Args)]
pub struct Delivery {
    /// Apply the manifest to the cluster instead of printing it
    #[arg(long)]
    pub apply: bool,
    /// Have the API server check the manifest and store nothing
    #[arg(long, value_enum, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// When applying, take over fields that another manager owns
    #[arg(long)]
    pub force_conflicts: bool,
    /// Write a file an object into this directory instead of printing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["apply", "dry_run"])]
    pub output_dir: Option<PathBuf>,
    /// Overwrite files that are there and differ
    #[arg(short, long, requires = "output_dir")]
    pub yes: bool,
    /// Use the templates of this directory in place of the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    pub template_dir: Option<PathBuf>,
}

/// How long to stay with what was applied.
#[derive(Clone, Debug, Args)]
pub struct Waiting {
    /// With --apply, wait until the volume is Available or the claim Bound
    #[arg(long, requires = "apply", conflicts_with = "dry_run")]
    pub wait: bool,
    /// How long --wait waits
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
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
    /// Keep the PV, Released, until an administrator decides
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

/// A class name, or nothing for no class.
fn class(text: &str) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        name => validate::name(name),
    }
}
