//! The options of `migrate`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{examples, parse_duration};
use crate::manifest::validate;

#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Migrate from nfs-subdir-external-provisioner, or back to it with --back
    #[command(before_help = examples::MIGRATE)]
    NfsSubdirExternalProvisioner(Handover),
}

#[derive(Debug, Args)]
pub struct Handover {
    /// Deployment of nfs-subdir-external-provisioner [default: the only one in the namespace that runs its image]
    #[arg(value_name = "DEPLOYMENT", value_parser = validate::check_name)]
    pub deployment: Option<String>,
    /// Remove nfsprov and start nfs-subdir-external-provisioner again
    #[arg(long)]
    pub back: bool,
    /// Name of nfsprov's Deployment and ServiceAccount
    #[arg(long, default_value = "nfsprov", value_parser = validate::check_deployment_name)]
    pub name: String,
    /// Image of nfsprov [default: the published image of this version]
    #[arg(long, value_parser = validate::check_image, conflicts_with = "back")]
    pub image: Option<String>,
    /// Number of nfsprov's pods: one leader, the others on standby [default: 2]
    #[arg(long, value_parser = super::create::parse_replicas, conflicts_with = "back")]
    pub replicas: Option<u32>,
    /// Print the plan without making changes
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Time limit of each step
    #[arg(long, default_value = "120s", value_parser = parse_duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Answer yes to every question
    #[arg(short, long)]
    pub yes: bool,
}
