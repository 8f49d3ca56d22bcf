//! The command line: types only, and what each value may be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::manifest::validate;
use crate::provisioner::DEFAULT_NAME;

/// Gives Kubernetes clusters storage from NFS: writes and applies the manifests, runs the provisioner.
#[derive(Debug, Parser)]
#[command(name = "nfsprov", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod's service account]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, global = true, help_heading = "Cluster")]
    pub context: Option<String>,
    /// Namespace [default: the context's]
    #[arg(short, long, global = true, value_parser = validate::name, help_heading = "Cluster")]
    pub namespace: Option<String>,
    /// How long one request to the API server may take
    #[arg(long, global = true, default_value = "30s", value_parser = duration, value_name = "DURATION", help_heading = "Cluster")]
    pub request_timeout: Duration,
    /// When to colour logs
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, help_heading = "Output")]
    pub color: When,
    /// Log more (-v, -vv)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Log errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal without NO_COLOR
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write or apply a PV, PVC or StorageClass
    Create {
        /// The kind of object.
        #[command(subcommand)]
        kind: Kind,
    },
    /// Make volumes for the claims that wait for this provisioner
    Provision(Provision),
    /// Show the claims and volumes that are on NFS
    Status(Status),
}

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

/// `provision`.
#[derive(Debug, Args)]
pub struct Provision {
    /// Keep serving until SIGINT or SIGTERM, instead of one pass over what waits now
    #[arg(long)]
    pub watch: bool,
    /// NFS server, as the nodes reach it
    #[arg(long, env = "NFS_SERVER", value_parser = validate::server)]
    pub server: String,
    /// Exported directory
    #[arg(long, env = "NFS_PATH", value_parser = validate::path)]
    pub path: String,
    /// Name of the provisioner, as in the classes
    #[arg(long, env = "PROVISIONER_NAME", default_value = DEFAULT_NAME, value_parser = validate::provisioner)]
    pub name: String,
    /// How directories are made: nfs (over the protocol, no mount needed) or dir:/MOUNT (in a mounted copy of the export)
    #[arg(long, default_value = "nfs", value_parser = via)]
    pub via: Via,
    /// How many claims are worked on at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,
    /// Say what would be made, and make nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Serve only while holding the Lease of the provisioner's name, so that of several replicas one serves
    #[arg(long, requires = "watch", conflicts_with = "dry_run")]
    pub leader_elect: bool,
    /// Namespace of the Lease [default: the namespace of -n, else the context's or the pod's]
    #[arg(long, requires = "leader_elect", value_name = "NAMESPACE", value_parser = validate::name)]
    pub lease_namespace: Option<String>,
    /// With --watch, serve /metrics, /healthz and /readyz on this address
    #[arg(long, requires = "watch", value_parser = address, value_name = "ADDR:PORT")]
    pub metrics_addr: Option<SocketAddr>,
    /// How logs are written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// How the result of one pass is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// How directories are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Over NFS from this process.
    Nfs,
    /// In this directory.
    Dir(PathBuf),
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// Aligned columns, all there are
    Wide,
    /// A JSON array
    Json,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Claims of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// How the result is written
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// A duration as kubectl takes it: `30s`, `1m30s`, or plain seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let shape = "a duration is a number and a unit, such as 30s or 2m";
    let parsed: Duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => match text.parse::<kube::core::Duration>() {
            Ok(duration) if !duration.is_negative() => duration.into(),
            _ => return Err(shape.to_owned()),
        },
    };
    match parsed.is_zero() {
        true => Err("a time-out is more than zero".to_owned()),
        false => Ok(parsed),
    }
}

fn via(text: &str) -> Result<Via, String> {
    match text.strip_prefix("dir:") {
        Some(directory) if directory.starts_with('/') => Ok(Via::Dir(PathBuf::from(directory))),
        Some(_) => Err("dir: takes an absolute path".to_owned()),
        None if text == "nfs" => Ok(Via::Nfs),
        None => Err("directories are made via nfs or dir:/MOUNT".to_owned()),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let shape = "an address and a port are wanted, such as 0.0.0.0:9100 or [::1]:9100";
    text.parse().map_err(|_| shape.to_owned())
}

/// A class name, or nothing for no class.
fn class(text: &str) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        name => validate::name(name),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_kubectls() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        for bad in ["", "s", "-1s", "0", "0s", "soon"] {
            assert!(duration(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn addresses_have_a_port() {
        for good in ["127.0.0.1:0", "0.0.0.0:9100", "[::]:9100"] {
            assert_eq!(address(good).map(|address| address.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            ":9100",
            "9100",
            "0.0.0.0",
            "localhost:9100",
            "::1:9100x",
            "1.2.3.4:99999",
        ] {
            assert!(address(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn ways_to_the_export() {
        assert_eq!(via("nfs"), Ok(Via::Nfs));
        assert_eq!(via("dir:/mnt"), Ok(Via::Dir("/mnt".into())));
        for bad in ["", "dir:", "dir:mnt", "ssh://host", "NFS"] {
            assert!(via(bad).is_err(), "{bad:?} was taken");
        }
    }
}
