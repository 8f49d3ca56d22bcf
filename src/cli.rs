//! The command line: types only, and what each value may be.

mod create;
mod doctor;
mod examples;
mod export;
mod migrate;
mod provision;
mod release;
mod setup;
mod ssh;
mod status;
mod volumes;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub use self::create::{
    AccessMode, BindingMode, Delivery, DryRun, Flavor, Kind, OnDelete, Pod, Provisioner, Pv, Pvc, ReclaimPolicy,
    Statefulset, Storageclass, Waiting,
};
pub use self::doctor::{Doctor, FailOn, ReportFormat, Target, What};
pub use self::export::{ExportOfVolumes, Via};
pub use self::migrate::{Handover, Migrate};
pub use self::provision::{LogFormat, Provision};
pub use self::release::Release;
pub use self::setup::{NfsVersion, SetupClient, SetupRun, SetupServer, Summary, TeardownServer};
pub use self::ssh::{HostKey, Ssh};
pub use self::status::Status;
pub use self::volumes::{
    Adopt, Directories, Expire, ExportAt, NewClaim, Orphans, Rebuild, Record, Recorded, Restore, Volumes,
};
use crate::manifest::validate;

/// Gives Kubernetes clusters storage from NFS: writes and applies the manifests, runs the provisioner.
#[derive(Debug, Parser)]
#[command(name = "nfsprov", before_help = examples::NFSPROV, version, propagate_version = true, arg_required_else_help = true)]
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
    #[arg(short, long, global = true, value_parser = validate::namespace, help_heading = "Cluster")]
    pub namespace: Option<String>,
    /// How long one request to the API server may take
    #[arg(long, global = true, default_value = "30s", value_parser = duration, value_name = "DURATION", help_heading = "Cluster")]
    pub request_timeout: Duration,
    /// When to colour logs and tables
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
    /// Make a host an NFS server for a cluster, over SSH, and prove that it is one
    #[command(before_help = examples::SETUP_SERVER)]
    SetupServer(SetupServer),
    /// Make hosts NFS clients, over SSH
    #[command(before_help = examples::SETUP_CLIENT)]
    SetupClient(SetupClient),
    /// No longer export a directory; what it holds, and the packages, stay
    #[command(before_help = examples::TEARDOWN_SERVER)]
    TeardownServer(TeardownServer),
    /// Write or apply a manifest: volumes, claims, classes, what uses them, and the provisioner
    #[command(before_help = examples::CREATE)]
    Create {
        /// The kind of object.
        #[command(subcommand)]
        kind: Kind,
    },
    /// Make volumes for the claims that wait for this provisioner
    #[command(before_help = examples::PROVISION)]
    Provision(Provision),
    /// Diagnose pending claims and failing NFS mounts, and suggest fixes
    #[command(before_help = examples::DOCTOR)]
    Doctor(Doctor),
    /// Show the claims, volumes, classes and provisioners that touch NFS
    #[command(before_help = examples::STATUS)]
    Status(Status),
    /// Make a Released PV Available again
    #[command(before_help = examples::RELEASE)]
    Release(Release),
    /// The directories on an export: whose they are, archives brought back, archives removed
    #[command(before_help = examples::VOLUMES)]
    Volumes {
        /// What to do with them.
        #[command(subcommand)]
        action: Volumes,
    },
    /// The templates that create fills
    #[command(before_help = examples::TEMPLATES)]
    Templates {
        /// What to do with them.
        #[command(subcommand)]
        action: Templates,
    },
    /// Take over from another provisioner, or hand back to it
    Migrate {
        /// The other provisioner.
        #[command(subcommand)]
        from: Migrate,
    },
    /// Show which nfsprov this is, and the versions of Kubernetes that it is tested on
    #[command(before_help = examples::VERSION)]
    Version(Version),
    /// Write the completion script of a shell to stdout
    #[command(before_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write the manual page of nfsprov to stdout, or all pages into a directory
    #[command(before_help = examples::MAN)]
    Man(Man),
}

/// Shells that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

/// `version`.
#[derive(Debug, Args)]
pub struct Version {
    /// How to write it
    #[arg(short, long, value_enum, default_value_t = VersionFormat::Text)]
    pub output: VersionFormat,
}

/// How the version is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VersionFormat {
    /// Lines for people
    Text,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write a page a command into this directory, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Overwrite files that are there and differ
    #[arg(short, long, requires = "output_dir")]
    pub yes: bool,
}

/// `templates`.
#[derive(Debug, Subcommand)]
pub enum Templates {
    /// Write the built-in templates into a directory, to be edited and used with --template-dir
    Export {
        /// The directory; made if need be
        directory: PathBuf,
        /// Overwrite files that are there and differ
        #[arg(short, long)]
        yes: bool,
    },
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// Aligned columns, all there are
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Names only, as KIND/NAME
    Name,
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
}
