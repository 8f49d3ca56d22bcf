//! The options of `migrate`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{duration, examples};
use crate::manifest::validate;

/// What `migrate` migrates from.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Hand the claims of nfs-subdir-external-provisioner over to nfsprov, or back with --back
    #[command(before_help = examples::MIGRATE)]
    NfsSubdirExternalProvisioner(Handover),
}

/// `migrate nfs-subdir-external-provisioner`.
#[derive(Debug, Args)]
pub struct Handover {
    /// Deployment of nfs-subdir-external-provisioner [default: the only one in the namespace that runs its image]
    #[arg(value_name = "DEPLOYMENT", value_parser = validate::name)]
    pub deployment: Option<String>,
    /// Take nfsprov away again and let nfs-subdir-external-provisioner serve
    #[arg(long)]
    pub back: bool,
    /// Name of nfsprov's Deployment and of its ServiceAccount
    #[arg(long, default_value = "nfsprov", value_parser = validate::deployment)]
    pub name: String,
    /// Image of nfsprov [default: the published image of this version]
    #[arg(long, value_parser = validate::image, conflicts_with = "back")]
    pub image: Option<String>,
    /// Number of nfsprov's pods; one of them serves, the others stand by [default: 2]
    #[arg(long, value_parser = super::create::replicas, conflicts_with = "back")]
    pub replicas: Option<u32>,
    /// Print the plan and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// How long each step may take
    #[arg(long, default_value = "120s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Carry the plan out without asking
    #[arg(short, long)]
    pub yes: bool,
}
