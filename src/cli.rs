//! The command line: types only, and what each value may be. Parsers of values look nothing up, and return the value or
//! one clause that says what is wrong with it.

mod create;
mod doctor;
mod examples;
mod export;
mod image;
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
    Statefulset, Storageclass, WaitingOnApply,
};
pub use self::doctor::{Doctor, FailOn, ReportFormat, Target, What};
pub use self::export::{ExportOfVolumes, Via};
pub use self::image::{Image, ImageLoad};
pub use self::migrate::{Handover, Migrate};
pub use self::provision::{LogFormat, Provision};
pub use self::release::Release;
pub use self::setup::{NfsVersion, SetupClient, SetupRun, SetupServer, Summary, TeardownServer};
pub use self::ssh::{HostKey, Ssh};
pub use self::status::{Status, check_watch};
pub use self::volumes::{
    Adopt, Directories, Expire, ExportAt, Limit, NewClaim, Orphans, Rebuild, Record, Recorded, Restore, Volumes,
};
use crate::manifest::validate;

/// Provide Kubernetes clusters with NFS storage: set up servers, create objects, provision volumes, diagnose faults.
#[derive(Debug, Parser)]
#[command(name = "nfsprov", before_help = examples::NFSPROV, version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod's service account]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, global = true, help_heading = "Cluster")]
    pub context: Option<String>,
    /// Namespace [default: the context's]
    #[arg(short, long, global = true, value_parser = validate::check_namespace, help_heading = "Cluster")]
    pub namespace: Option<String>,
    /// Time limit of one request to the API server
    #[arg(long, global = true, default_value = "30s", value_parser = parse_duration, value_name = "DURATION", help_heading = "Cluster")]
    pub request_timeout: Duration,
    /// Colour of logs and tables
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, help_heading = "Output")]
    pub color: When,
    /// More detailed logs (-v, -vv)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up an NFS server over SSH and verify it with an NFS call
    #[command(before_help = examples::SETUP_SERVER)]
    SetupServer(SetupServer),
    /// Set up NFS clients over SSH
    #[command(before_help = examples::SETUP_CLIENT)]
    SetupClient(SetupClient),
    /// Remove nfsprov's exports from a host; data and packages are kept
    #[command(before_help = examples::TEARDOWN_SERVER)]
    TeardownServer(TeardownServer),
    /// Create volumes, claims, classes, pods and provisioners: print the manifest or apply it
    #[command(before_help = examples::CREATE)]
    Create {
        #[command(subcommand)]
        kind: Kind,
    },
    /// Run the dynamic provisioner
    #[command(before_help = examples::PROVISION)]
    Provision(Provision),
    /// Diagnose pending claims and failing NFS mounts, and suggest fixes
    #[command(before_help = examples::DOCTOR)]
    Doctor(Doctor),
    /// Show the claims, volumes, classes and provisioners that use NFS
    #[command(before_help = examples::STATUS)]
    Status(Status),
    /// Make a Released volume Available again
    #[command(before_help = examples::RELEASE)]
    Release(Release),
    /// Manage the directories on an export: list, restore and expire archives, rebuild, adopt
    #[command(before_help = examples::VOLUMES)]
    Volumes {
        #[command(subcommand)]
        action: Volumes,
    },
    /// Export the templates of nfsprov create
    #[command(before_help = examples::TEMPLATES)]
    Templates {
        #[command(subcommand)]
        action: Templates,
    },
    /// Migrate from another provisioner, or back to it
    Migrate {
        #[command(subcommand)]
        from: Migrate,
    },
    /// Load nfsprov's container image into nodes
    Image {
        #[command(subcommand)]
        action: Image,
    },
    /// Show nfsprov's version and the Kubernetes versions that it is tested with
    #[command(before_help = examples::VERSION)]
    Version(Version),
    /// Print the completion script of a shell
    #[command(before_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or write all pages to a directory
    #[command(before_help = examples::MAN)]
    Man(Man),
}

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

#[derive(Debug, Args)]
pub struct Version {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = VersionFormat::Text)]
    pub output: VersionFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VersionFormat {
    /// Plain text
    Text,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Directory for one page per command, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Overwrite existing files that differ
    #[arg(short, long, requires = "output_dir")]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub enum Templates {
    /// Write the built-in templates to a directory; edit them and use them with --template-dir
    #[command(before_help = examples::TEMPLATES)]
    Export {
        /// Directory to write to, created if missing
        directory: PathBuf,
        /// Overwrite existing files that differ
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Listing {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Leave out the headings of tables
    #[arg(long)]
    pub no_headers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// Aligned columns, all of them
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Names only, as KIND/NAME
    Name,
}

/// The message of an error of clap on one line, from `error:` on, its paragraphs and tips joined by semicolons. Leaves
/// out the usage and the line that names --help.
pub(crate) fn describe_usage_error(error: &clap::Error) -> String {
    let text = error.to_string();
    let message = text.split("\n\nUsage:").next().unwrap_or(&text);
    let message = message.split("\n\nFor more information").next().unwrap_or(message);
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    message.split("\n\n").map(words).collect::<Vec<_>>().join("; ")
}

/// Waiting for the effect of a command that changes volumes and claims.
#[derive(Clone, Copy, Debug, Args)]
pub struct Waiting {
    /// Wait until volumes are Available and claims Bound
    #[arg(
        long,
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true"
    )]
    pub wait: bool,
    /// Time limit of --wait
    #[arg(long, default_value = "60s", value_parser = parse_duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// The longest timeout. A clock can't show a time that is much longer from now.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses a duration as kubectl does: `30s`, `1m30s`, or plain seconds. Refuses zero, negative ones and those of more
/// than a year.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let shape = "a duration is a number and a unit, such as 30s or 2m";
    let parsed: Duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => match text.parse::<kube::core::Duration>() {
            Ok(duration) if !duration.is_negative() => duration.into(),
            _ => return Err(shape.to_owned()),
        },
    };
    match parsed {
        Duration::ZERO => Err("a timeout is more than zero".to_owned()),
        parsed if parsed > LONGEST_TIMEOUT => Err("a timeout is at most a year, 8760h".to_owned()),
        parsed => Ok(parsed),
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
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("5"), Ok(Duration::from_secs(5)));
        for bad in ["", "s", "-1s", "0", "0s", "soon", "8761h", "18446744073709551615"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was taken");
        }
    }
}
