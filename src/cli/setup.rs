//! The options of `setup-server`, `setup-client` and `teardown-server`. A parser of values returns the value, or one
//! clause that says what is wrong with it; no host is contacted.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Ssh;
use super::ssh::parse_host;
use crate::host::exports_file::{check_client, check_file, check_options, check_path};
use crate::host::{Target, Versions};
use crate::manifest::validate;

#[derive(Debug, Args)]
pub struct SetupServer {
    /// Host to set up as the NFS server
    #[arg(value_parser = parse_host, required_unless_present = "config", value_name = "[USER@]HOST[:PORT]")]
    pub host: Option<Target>,
    /// File of servers, exports and nodes to set up, instead of the options for them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["host", "export", "allow", "node", "address", "options",
          "root_squash", "mode", "owner", "nfs_version", "quota", "exports_file"])]
    pub config: Option<PathBuf>,
    /// Directory to export
    #[arg(long, default_value = "/nfsdata", value_parser = check_export_path, value_name = "PATH")]
    pub export: String,
    /// Client that may mount the export: address, network, host name, @netgroup, or * for every host (repeatable)
    #[arg(long, value_parser = check_client_spec, value_name = "CLIENT")]
    pub allow: Vec<String>,
    /// Node to set up as a client and to allow (repeatable)
    #[arg(long, value_parser = parse_host, value_name = "[USER@]HOST[:PORT]")]
    pub node: Vec<Target>,
    /// Set up and allow every node of the current context, with the server's login
    #[arg(long)]
    pub nodes_from_cluster: bool,
    /// Allow every node of the current context by its InternalIP, without logging in; asks for confirmation
    #[arg(long)]
    pub allow_nodes_from_cluster: bool,
    /// Host name or address by which clients reach the server [default: HOST]
    #[arg(long, value_parser = validate::check_server, value_name = "HOST")]
    pub address: Option<String>,
    /// Export options [default: rw,sync,no_subtree_check,no_root_squash for a new export, else unchanged]
    #[arg(long, value_parser = check_export_options, value_name = "OPTIONS")]
    pub options: Option<String>,
    /// Map root on clients to the user nobody; such an export needs provision --via ssh://
    #[arg(long)]
    pub root_squash: bool,
    /// Mode of the directory [default: 0777 if it is created, else unchanged]
    #[arg(long, value_parser = parse_mode, value_name = "MODE")]
    pub mode: Option<u32>,
    /// Owner of the directory, as USER, USER:GROUP or numbers [default: unchanged]
    #[arg(long, value_parser = check_owner, value_name = "OWNER")]
    pub owner: Option<String>,
    /// NFS versions to serve
    #[arg(long, value_enum, default_value_t = NfsVersion::All, value_name = "VERSION")]
    pub nfs_version: NfsVersion,
    /// Have the file system of the directory enforce limits, for classes with quota: enforce
    #[arg(long)]
    pub quota: bool,
    /// With --quota, stop the NFS server and mount the file system anew if nothing less helps
    #[arg(long, requires = "quota")]
    pub remount: bool,
    /// Answer yes to every question
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub run: SetupRun,
    /// Exports file to edit
    #[arg(long, default_value = "/etc/exports", value_parser = check_exports_file, value_name = "FILE")]
    pub exports_file: String,
    #[command(flatten)]
    pub ssh: Ssh,
}

#[derive(Debug, Args)]
pub struct SetupClient {
    /// Hosts to set up as NFS clients
    #[arg(value_parser = parse_host, required_unless_present = "nodes_from_cluster", value_name = "[USER@]HOST[:PORT]")]
    pub hosts: Vec<Target>,
    /// Set up every node of the current context
    #[arg(long)]
    pub nodes_from_cluster: bool,
    /// NFS server for a test mount
    #[arg(long, env = "NFSPROV_SERVER", value_parser = validate::check_server, value_name = "HOST")]
    pub server: Option<String>,
    /// Exported directory for the test mount
    #[arg(long, default_value = "/nfsdata", env = "NFSPROV_PATH", value_parser = check_export_path, value_name = "PATH")]
    pub export: String,
    /// NFS versions to test
    #[arg(long, value_enum, default_value_t = NfsVersion::All, value_name = "VERSION")]
    pub nfs_version: NfsVersion,
    #[command(flatten)]
    pub run: SetupRun,
    #[command(flatten)]
    pub ssh: Ssh,
}

#[derive(Debug, Args)]
pub struct TeardownServer {
    /// Host of the NFS server
    #[arg(value_parser = parse_host, value_name = "[USER@]HOST[:PORT]")]
    pub host: Target,
    /// Directory to stop exporting; its data is kept
    #[arg(long, value_parser = check_export_path, value_name = "PATH")]
    pub export: String,
    /// Exports file to edit
    #[arg(long, default_value = "/etc/exports", value_parser = check_exports_file, value_name = "FILE")]
    pub exports_file: String,
    /// Answer yes to every question
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub run: SetupRun,
    #[command(flatten)]
    pub ssh: Ssh,
}

/// Options of commands that change hosts.
#[derive(Clone, Debug, Args)]
pub struct SetupRun {
    /// Print the plan with a diff of every file, without making changes
    #[arg(long)]
    pub dry_run: bool,
    /// Like --dry-run, but exit with status 4 if anything would change
    #[arg(long)]
    pub check: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Summary::Table, value_name = "FORMAT")]
    pub output: Summary,
}

impl SetupRun {
    /// Whether the plan is only shown, as with `--dry-run` or `--check`, and every host stays as it is.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run || self.check
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Summary {
    /// Aligned columns
    Table,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NfsVersion {
    /// 3 alone
    #[value(name = "3")]
    Three,
    /// 4 alone, which needs no rpcbind
    #[value(name = "4")]
    Four,
    /// Both
    All,
}

impl From<NfsVersion> for Versions {
    fn from(version: NfsVersion) -> Self {
        match version {
            NfsVersion::Three => Self::Three,
            NfsVersion::Four => Self::Four,
            NfsVersion::All => Self::All,
        }
    }
}

/// Accepts, unchanged, an absolute path other than `/`, which need not exist.
fn check_export_path(text: &str) -> Result<String, String> {
    check_path(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Accepts, unchanged, the name of a file that exportfs reads: `/etc/exports` or `/etc/exports.d/*.exports`.
fn check_exports_file(text: &str) -> Result<String, String> {
    check_file(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Accepts, unchanged, one client as exportfs reads it, `*` included; names are not looked up.
fn check_client_spec(text: &str) -> Result<String, String> {
    check_client(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Accepts, unchanged, a list of options of exports(5) without parentheses and contradictions.
fn check_export_options(text: &str) -> Result<String, String> {
    check_options(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Parses permission bits, written in octal.
fn parse_mode(text: &str) -> Result<u32, String> {
    let digits = validate::check_mode(text)?;
    u32::from_str_radix(&digits, 8).map_err(|error| error.to_string())
}

/// Accepts `USER` or `USER:GROUP`, each a name or a number, which need not exist.
fn check_owner(text: &str) -> Result<String, String> {
    let name = |name: &str| {
        let odd = |c: char| !(c.is_ascii_alphanumeric() || "_-.$".contains(c));
        !name.is_empty() && !name.starts_with('-') && !name.contains(odd)
    };
    let (user, group) = text
        .split_once(':')
        .map_or((text, None), |(user, group)| (user, Some(group)));
    match name(user) && group.is_none_or(name) {
        true => Ok(text.to_owned()),
        false => Err("an owner is USER or USER:GROUP, by names or numbers".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_owners_are_those_of_chmod_and_chown() {
        assert_eq!((parse_mode("0777"), parse_mode("1770")), (Ok(0o777), Ok(0o1770)));
        for bad in ["", "8", "17777", "u+x", "-1"] {
            assert!(parse_mode(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["root", "1000", "nobody:nogroup", "65534:65534", "svc-nfs", "host$"] {
            assert!(check_owner(good).is_ok(), "{good:?} was refused");
        }
        for bad in ["", ":", "a:", ":b", "-R", "a b", "a;b", "$(x)", "a:b:c"] {
            assert!(check_owner(bad).is_err(), "{bad:?} was taken");
        }
    }
}
