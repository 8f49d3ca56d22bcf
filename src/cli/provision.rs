//! The options of `provision`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;
use super::ssh::{Ssh, target};
use crate::host::Target;
use crate::manifest::validate;
use crate::provisioner::DEFAULT_NAME;

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
    /// How directories are made: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server's
    /// shell) or dir:/MOUNT (in a mounted copy of the export)
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
    /// For --via ssh://
    #[command(flatten)]
    pub ssh: Ssh,
}

/// How directories are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Over NFS from this process.
    Nfs,
    /// By the shell of the server itself.
    Ssh(Target),
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

fn via(text: &str) -> Result<Via, String> {
    if text.starts_with("ssh://") {
        return target(text.trim_end_matches('/')).map(Via::Ssh);
    }
    match text.strip_prefix("dir:") {
        Some(directory) if directory.starts_with('/') => Ok(Via::Dir(PathBuf::from(directory))),
        Some(_) => Err("dir: takes an absolute path".to_owned()),
        None if text == "nfs" => Ok(Via::Nfs),
        None => Err("directories are made via nfs, ssh://[USER@]HOST[:PORT] or dir:/MOUNT".to_owned()),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let shape = "an address and a port are wanted, such as 0.0.0.0:9100 or [::1]:9100";
    text.parse().map_err(|_| shape.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let host: Target = "root@nfs:2222".parse().unwrap();
        assert_eq!(via("ssh://root@nfs:2222/"), Ok(Via::Ssh(host)));
        for bad in ["", "dir:", "dir:mnt", "ssh://", "ssh:nfs", "ssh://nfs/nfsdata", "NFS"] {
            assert!(via(bad).is_err(), "{bad:?} was taken");
        }
    }
}
