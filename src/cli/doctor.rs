//! The options of `doctor`. A parser of values returns the value, or one clause that says what is wrong with it;
//! whether an object exists is not looked up.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::ssh::{Ssh, parse_host};
use super::{examples, parse_duration};
use crate::doctor::explain;
use crate::host;
use crate::manifest::validate;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Doctor {
    #[command(subcommand)]
    pub what: Option<What>,
    /// Objects to diagnose: a claim's name, pvc/NAME, pv/NAME or pod/NAME [default: all]
    #[arg(value_name = "OBJECT", value_parser = parse_object)]
    pub targets: Vec<Target>,
    /// Claims and pods of all namespaces
    #[arg(short = 'A', long, conflicts_with = "targets")]
    pub all_namespaces: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Table)]
    pub output: ReportFormat,
    /// Report only this finding (repeatable)
    #[arg(long, value_name = "CODE", value_parser = parse_code)]
    pub select: Vec<&'static str>,
    /// Leave out this finding (repeatable)
    #[arg(long, value_name = "CODE", value_parser = parse_code)]
    pub ignore: Vec<&'static str>,
    /// Lowest severity that makes the exit status 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// Exit with status 3 if a check could not run, too
    #[arg(long)]
    pub strict: bool,
    /// Skip the NFS calls from this machine to the cluster's NFS servers
    #[arg(long)]
    pub no_probe: bool,
    /// Write the data that the checks need to this directory, without running them
    #[arg(long, value_name = "DIR", conflicts_with_all = ["from_dump", "targets"])]
    pub dump: Option<PathBuf>,
    /// Check the files in this directory (written by --dump or kubectl get -o json) instead of a cluster
    #[arg(long, value_name = "DIR")]
    pub from_dump: Option<PathBuf>,
    /// Make automatic fixes, all or those of these findings: show each change, ask, apply it, wait for its effect
    #[arg(long, value_name = "CODE", num_args = 0.., value_delimiter = ',', value_parser = parse_code_to_fix,
          conflicts_with_all = ["dump", "from_dump"], group = "gate_with")]
    pub fix: Option<Vec<&'static str>>,
    /// With --fix or --undo, show the changes without making them
    #[arg(long, requires = "gate_with")]
    pub dry_run: bool,
    /// With --fix or --undo, ask no questions
    #[arg(short, long)]
    pub yes: bool,
    /// With --fix, time limit for the effect of a change [default: 2m; for an API server 3m]
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// Host to check and to fix over SSH (repeatable); with --gate or --undo, every server node of the cluster
    #[arg(long = "ssh", value_parser = parse_host, value_name = "[USER@]HOST[:PORT]")]
    pub hosts: Vec<host::Target>,
    /// With --fix, set RemoveSelfLink=false on the hosts of --ssh instead of changing an image that needs selfLink;
    /// with --undo, remove it
    #[arg(long, requires_all = ["gate_with", "hosts"])]
    pub gate: bool,
    /// Undo --gate on the hosts of --ssh
    #[arg(long, requires = "hosts", conflicts_with_all = ["fix", "dump", "from_dump", "targets"], group = "gate_with")]
    pub undo: bool,
    #[command(flatten)]
    pub ssh: Ssh,
}

#[derive(Debug, Subcommand)]
pub enum What {
    /// Explain a finding: its meaning, its causes and what to do
    #[command(before_help = examples::EXPLAIN)]
    Explain {
        /// Code, such as NFS301; without it all findings are listed
        #[arg(value_parser = parse_code)]
        code: Option<&'static str>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Text for a terminal
    Table,
    /// Markdown, for a ticket
    Markdown,
    /// A JSON object
    Json,
    /// A JUnit test suite
    Junit,
    /// A SARIF 2.1.0 log
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors
    Error,
    /// Errors and warnings
    Warning,
}

/// An object to diagnose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A claim of the namespace.
    Claim(String),
    /// A PV.
    Volume(String),
    /// A pod of the namespace.
    Pod(String),
}

/// Parses `KIND/NAME` with a kind as kubectl takes it, or the name of a claim.
fn parse_object(text: &str) -> Result<Target, String> {
    let (kind, name) = text.split_once('/').unwrap_or(("pvc", text));
    let name = validate::check_name(name)?;
    match kind {
        "pvc" | "persistentvolumeclaim" | "persistentvolumeclaims" => Ok(Target::Claim(name)),
        "pv" | "persistentvolume" | "persistentvolumes" => Ok(Target::Volume(name)),
        "pod" | "po" | "pods" => Ok(Target::Pod(name)),
        _ => Err("an object is a claim's name, pvc/NAME, pv/NAME or pod/NAME".to_owned()),
    }
}

/// As [`parse_code`], after --fix, which takes all words that follow it: the error says where objects go.
fn parse_code_to_fix(text: &str) -> Result<&'static str, String> {
    parse_code(text).map_err(|error| format!("{error}; name objects before --fix"))
}

/// Parses the code of a finding, in any case and with or without `NFS`; returns it as findings have it. Fails for a
/// code that no finding has.
fn parse_code(text: &str) -> Result<&'static str, String> {
    let found = explain::find_entry(text).map(|entry| entry.code);
    found.ok_or_else(|| "no such finding; nfsprov doctor explain lists them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_for_kubectl() {
        for (text, wanted) in [
            ("mypvc", Some(Target::Claim("mypvc".into()))),
            ("pvc/a", Some(Target::Claim("a".into()))),
            ("pv/a", Some(Target::Volume("a".into()))),
            ("pod/a", Some(Target::Pod("a".into()))),
            ("svc/a", None),
            ("pvc/", None),
            ("A", None),
        ] {
            assert_eq!(parse_object(text).ok(), wanted, "{text}");
        }
    }
}
