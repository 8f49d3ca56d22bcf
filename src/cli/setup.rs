//! `setup-server`, `setup-client` and `teardown-server`.

use clap::{Args, ValueEnum};

use super::Ssh;
use super::ssh::target;
use crate::host::exports_file::{OPTIONS, check_client, check_file, check_options, check_path};
use crate::host::{Target, Versions};
use crate::manifest::validate;

/// `setup-server`.
#[derive(Debug, Args)]
pub struct SetupServer {
    /// The host that is to serve NFS
    #[arg(value_parser = target, value_name = "[USER@]HOST[:PORT]")]
    pub host: Target,
    /// Directory to export
    #[arg(long, default_value = "/nfsdata", value_parser = export, value_name = "PATH")]
    pub export: String,
    /// Who may mount it: address, network, host name, @netgroup, or * for the whole world (repeatable)
    #[arg(long, value_parser = client, value_name = "CLIENT")]
    pub allow: Vec<String>,
    /// Node to prepare as a client, and to allow (repeatable)
    #[arg(long, value_parser = target, value_name = "[USER@]HOST[:PORT]")]
    pub node: Vec<Target>,
    /// Prepare and allow every node of the current context, logging in as on the server
    #[arg(long)]
    pub nodes_from_cluster: bool,
    /// Allow every node of the current context by its InternalIP, without logging in; shows them and asks
    #[arg(long)]
    pub allow_nodes_from_cluster: bool,
    /// Name or address that clients reach the server by [default: HOST]
    #[arg(long, value_parser = validate::server, value_name = "HOST")]
    pub address: Option<String>,
    /// Options of the export
    #[arg(long, default_value = OPTIONS, value_parser = options, value_name = "OPTIONS")]
    pub options: String,
    /// Map root on clients to the user nobody on the server; such an export needs provision --via ssh://
    #[arg(long)]
    pub root_squash: bool,
    /// Mode of the directory [default: 0777 for a new one; one that is there keeps its own]
    #[arg(long, value_parser = mode, value_name = "MODE")]
    pub mode: Option<u32>,
    /// Owner of the directory, as USER, USER:GROUP or numbers [default: as it is]
    #[arg(long, value_parser = owner, value_name = "OWNER")]
    pub owner: Option<String>,
    /// NFS versions to serve
    #[arg(long, value_enum, default_value_t = NfsVersion::All, value_name = "VERSION")]
    pub nfs_version: NfsVersion,
    /// Don't ask
    #[arg(short, long)]
    pub yes: bool,
    /// Options that all three have.
    #[command(flatten)]
    pub run: SetupRun,
    /// Exports file to write to
    #[arg(long, default_value = "/etc/exports", value_parser = exports_file, value_name = "FILE")]
    pub exports_file: String,
    /// How to log in.
    #[command(flatten)]
    pub ssh: Ssh,
}

/// `setup-client`.
#[derive(Debug, Args)]
pub struct SetupClient {
    /// The hosts that are to mount NFS
    #[arg(value_parser = target, required_unless_present = "nodes_from_cluster", value_name = "[USER@]HOST[:PORT]")]
    pub hosts: Vec<Target>,
    /// Every node of the current context
    #[arg(long)]
    pub nodes_from_cluster: bool,
    /// NFS server to try a mount of
    #[arg(long, env = "NFSPROV_SERVER", value_parser = validate::server, value_name = "HOST")]
    pub server: Option<String>,
    /// Directory that it exports
    #[arg(long, default_value = "/nfsdata", env = "NFSPROV_PATH", value_parser = export, value_name = "PATH")]
    pub export: String,
    /// NFS versions to try
    #[arg(long, value_enum, default_value_t = NfsVersion::All, value_name = "VERSION")]
    pub nfs_version: NfsVersion,
    /// Options that all three have.
    #[command(flatten)]
    pub run: SetupRun,
    /// How to log in.
    #[command(flatten)]
    pub ssh: Ssh,
}

/// `teardown-server`.
#[derive(Debug, Args)]
pub struct TeardownServer {
    /// The host that serves NFS
    #[arg(value_parser = target, value_name = "[USER@]HOST[:PORT]")]
    pub host: Target,
    /// Directory that is no longer to be exported; what it holds stays
    #[arg(long, value_parser = export, value_name = "PATH")]
    pub export: String,
    /// Exports file that nfsprov wrote to
    #[arg(long, default_value = "/etc/exports", value_parser = exports_file, value_name = "FILE")]
    pub exports_file: String,
    /// Don't ask
    #[arg(short, long)]
    pub yes: bool,
    /// Options that all three have.
    #[command(flatten)]
    pub run: SetupRun,
    /// How to log in.
    #[command(flatten)]
    pub ssh: Ssh,
}

/// What commands that change hosts have in common.
#[derive(Clone, Debug, Args)]
pub struct SetupRun {
    /// Show what would be done, with the changes of every file, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The same, and exit with 4 if anything would change
    #[arg(long)]
    pub check: bool,
    /// How the result is written
    #[arg(short, long, value_enum, default_value_t = Summary::Table, value_name = "FORMAT")]
    pub output: Summary,
}

impl SetupRun {
    /// Whether everything stays as it is.
    pub fn looks_only(&self) -> bool {
        self.dry_run || self.check
    }
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Summary {
    /// Aligned columns
    Table,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// NFS versions.
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

/// A directory on the host, as the exports file takes it.
fn export(text: &str) -> Result<String, String> {
    check_path(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn exports_file(text: &str) -> Result<String, String> {
    check_file(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn client(text: &str) -> Result<String, String> {
    check_client(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn options(text: &str) -> Result<String, String> {
    check_options(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn mode(text: &str) -> Result<u32, String> {
    let digits = validate::mode(text)?;
    u32::from_str_radix(&digits, 8).map_err(|error| error.to_string())
}

/// A user, and maybe a group, by name or number.
fn owner(text: &str) -> Result<String, String> {
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
        assert_eq!((mode("0777"), mode("1770")), (Ok(0o777), Ok(0o1770)));
        for bad in ["", "8", "17777", "u+x", "-1"] {
            assert!(mode(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["root", "1000", "nobody:nogroup", "65534:65534", "svc-nfs", "host$"] {
            assert!(owner(good).is_ok(), "{good:?} was refused");
        }
        for bad in ["", ":", "a:", ":b", "-R", "a b", "a;b", "$(x)", "a:b:c"] {
            assert!(owner(bad).is_err(), "{bad:?} was taken");
        }
    }
}
