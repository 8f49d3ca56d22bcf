//! The options of `image load`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ssh::parse_host;
use super::{SetupRun, Ssh, examples};
use crate::host::Target;

#[derive(Debug, Subcommand)]
pub enum Image {
    /// Load the image into the container runtimes of nodes over SSH, where there is no registry
    #[command(before_help = examples::IMAGE_LOAD)]
    Load(ImageLoad),
}

#[derive(Debug, Args)]
pub struct ImageLoad {
    /// Image archive of make dist [default: nfsprov-VERSION-image-ARCH.tar in the current directory]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Nodes to load the image into (repeatable)
    #[arg(long, num_args = 1.., value_parser = parse_host, required_unless_present = "nodes_from_cluster",
          value_name = "[USER@]HOST[:PORT]")]
    pub node: Vec<Target>,
    /// Load the image into every node of the current context
    #[arg(long)]
    pub nodes_from_cluster: bool,
    #[command(flatten)]
    pub run: SetupRun,
    #[command(flatten)]
    pub ssh: Ssh,
}
