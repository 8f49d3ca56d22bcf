//! The options of `create`. Checks of values return the value to use, or one clause that says what is wrong with it.

mod storage;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

pub use self::storage::{Pv, Pvc, Storageclass};
pub(super) use self::workload::parse_replicas;
pub use self::workload::{Flavor, Pod, Provisioner, Statefulset};
use super::{examples, parse_duration};
use crate::manifest::validate;

#[derive(Debug, Subcommand)]
pub enum Kind {
    /// Create a static volume on an existing export
    #[command(before_help = examples::PV)]
    Pv(Pv),
    /// Create a claim
    #[command(before_help = examples::PVC)]
    Pvc(Pvc),
    /// Create a StorageClass
    #[command(visible_alias = "sc", before_help = examples::STORAGECLASS)]
    Storageclass(Storageclass),
    /// Create a pod that uses a claim
    #[command(before_help = examples::POD)]
    Pod(Pod),
    /// Create a StatefulSet with a claim for each pod, and its Service
    #[command(visible_alias = "sts", before_help = examples::STATEFULSET)]
    Statefulset(Statefulset),
    /// Create a provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass
    #[command(before_help = examples::PROVISIONER)]
    Provisioner(Provisioner),
}

/// Where a rendered manifest goes.
#[derive(Clone, Debug, Args)]
pub struct Delivery {
    /// Apply the manifest to the cluster instead of printing it
    #[arg(long)]
    pub apply: bool,
    /// Print the manifest (client), or have the API server check it without storing it (server)
    #[arg(long, value_enum, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// With --apply, change fields that another field manager owns
    #[arg(long)]
    pub force_conflicts: bool,
    /// Directory for one file per object, instead of printing them
    #[arg(long, value_name = "DIR", conflicts_with_all = ["apply", "dry_run"])]
    pub output_dir: Option<PathBuf>,
    /// Overwrite files that are there and differ
    #[arg(short, long, requires = "output_dir")]
    pub yes: bool,
    /// Directory of templates that replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    pub template_dir: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct WaitingOnApply {
    /// With --apply, wait until the volume is Available or the claim Bound
    #[arg(long, requires = "apply", conflicts_with = "dry_run")]
    pub wait: bool,
    /// Time limit of --wait
    #[arg(long, default_value = "60s", value_parser = parse_duration, value_name = "DURATION")]
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Print the manifest only
    Client,
    /// Have the API server check it without storing it
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessMode {
    /// Read and write by one node
    #[value(name = "RWO", alias = "ReadWriteOnce")]
    Rwo,
    /// Read-only by many nodes
    #[value(name = "ROX", alias = "ReadOnlyMany")]
    Rox,
    /// Read and write by many nodes
    #[value(name = "RWX", alias = "ReadWriteMany")]
    Rwx,
    /// Read and write by one pod
    #[value(name = "RWOP", alias = "ReadWriteOncePod")]
    Rwop,
}

/// The effect of a claim's deletion on its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReclaimPolicy {
    /// Keep the volume (Released) and its data
    #[value(name = "Retain")]
    Retain,
    /// Empty the volume and make it Available again (deprecated)
    #[value(name = "Recycle")]
    Recycle,
    /// Delete the volume
    #[value(name = "Delete")]
    Delete,
}

/// When the volumes of a class are provisioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BindingMode {
    /// As soon as the claim exists
    #[value(name = "Immediate")]
    Immediate,
    /// When the first pod that uses the claim is scheduled
    #[value(name = "WaitForFirstConsumer")]
    WaitForFirstConsumer,
}

/// The effect of a volume's deletion on its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDelete {
    /// Remove the directory and its contents
    Delete,
    /// Keep the directory where it is
    Retain,
    /// Rename the directory to archived-…
    Archive,
}

/// Whether the sizes of claims are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Quota {
    /// What can't be limited stays Pending
    Enforce,
}

/// Accepts a class name, or the empty text, which stands for no class.
fn check_class_or_none(text: &str) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        name => validate::check_name(name),
    }
}
