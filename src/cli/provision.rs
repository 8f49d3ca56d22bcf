//! The options of `provision`. A parser of values returns the value, or one clause that says what is wrong with it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Listing;
use super::Ssh;
use super::export::{Via, parse_quota_ssh, parse_via};
use crate::host::Target;
use crate::manifest::validate;
use crate::provisioner::DEFAULT_NAME;

#[derive(Debug, Args)]
pub struct Provision {
    /// Run until SIGINT or SIGTERM, instead of one pass over the pending claims
    #[arg(long)]
    pub watch: bool,
    /// Host name or address by which the nodes reach the NFS server
    #[arg(long, env = "NFS_SERVER", value_parser = validate::check_server)]
    pub server: String,
    /// Exported directory
    #[arg(long, env = "NFS_PATH", value_parser = validate::check_path)]
    pub path: String,
    /// Name of the provisioner, as in classes
    #[arg(long, env = "PROVISIONER_NAME", default_value = DEFAULT_NAME, value_parser = validate::check_provisioner_name)]
    pub name: String,
    /// Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the
    /// server) or dir:/MOUNT (a local mount of the export)
    #[arg(long, default_value = "nfs", value_parser = parse_via)]
    pub via: Via,
    /// With --via nfs, the NFS server, where commands set the limits of classes with quota: enforce; needs root or --sudo
    #[arg(long, value_parser = parse_quota_ssh, value_name = "ssh://USER@HOST:PORT")]
    pub quota_ssh: Option<Target>,
    /// Further export that a class may name by its parameters server and path (repeatable)
    #[arg(long, value_name = "SERVER:PATH", value_parser = parse_export)]
    pub allow_export: Vec<(String, String)>,
    /// Concurrency limit for each export: claims provisioned at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,
    /// Print what would be provisioned, without making changes
    #[arg(long)]
    pub dry_run: bool,
    /// Provision only while holding the Lease of the provisioner's name, so that one of several replicas is the leader
    #[arg(long, requires = "watch", conflicts_with = "dry_run")]
    pub leader_elect: bool,
    /// Namespace of the Lease [default: -n, else the namespace of the context or the pod]
    #[arg(long, requires = "leader_elect", value_name = "NAMESPACE", value_parser = validate::check_name)]
    pub lease_namespace: Option<String>,
    /// With --watch, serve /metrics, /healthz and /readyz on this address
    #[arg(long, requires = "watch", value_parser = parse_address, value_name = "ADDR:PORT")]
    pub metrics_addr: Option<SocketAddr>,
    /// Interval at which metrics report what each limited volume uses, such as 5m; needs --metrics-addr [default: never]
    #[arg(long, requires = "metrics_addr", value_parser = parse_interval, value_name = "INTERVAL")]
    pub usage_interval: Option<Duration>,
    /// Log format
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    #[command(flatten)]
    pub listing: Listing,
    #[command(flatten)]
    pub ssh: Ssh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}

/// Parses an export as mount(8) does: `SERVER:/PATH`, with an IPv6 address in brackets.
fn parse_export(text: &str) -> Result<(String, String), String> {
    let shape = "an export is SERVER:/PATH, such as 10.0.0.5:/fast";
    let (server, path) = text.split_once(":/").ok_or(shape)?;
    Ok((
        validate::check_server(server)?,
        validate::check_path(&format!("/{path}"))?,
    ))
}

/// Parses an IP address with a port; host names are refused.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let shape = "an address and a port are wanted, such as 0.0.0.0:9100 or [::1]:9100";
    text.parse().map_err(|_| shape.to_owned())
}

/// Parses a whole number of seconds, minutes or hours, such as `5m`. Zero and a number without a unit are refused.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let shape = || "an interval is a number and a unit (s, m or h), such as 5m".to_owned();
    let unit = text.chars().last().ok_or_else(shape)?;
    let times = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(shape()),
    };
    // No longer than years, which timers can't have.
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| shape())?;
    match number {
        0 => Err(shape()),
        number => Ok(Duration::from_secs(u64::from(number) * times)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit() {
        for (text, seconds) in [
            ("1s", Some(1)),
            ("5m", Some(300)),
            ("2h", Some(7_200)),
            ("0s", None),
            ("5", None),
            ("m", None),
            ("", None),
            ("-1s", None),
            ("5d", None),
            ("1 \u{e4}", None),
        ] {
            assert_eq!(
                parse_interval(text).ok().map(|found| found.as_secs()),
                seconds,
                "{text:?}"
            );
        }
    }

    #[test]
    fn addresses_have_a_port() {
        for good in ["127.0.0.1:0", "0.0.0.0:9100", "[::]:9100"] {
            assert_eq!(
                parse_address(good).map(|address| address.to_string()),
                Ok(good.to_owned())
            );
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
            assert!(parse_address(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn exports_are_written_as_for_mount() {
        for (text, server, path) in [
            ("nfs:/fast", "nfs", "/fast"),
            ("10.0.0.5:/", "10.0.0.5", "/"),
            ("[fd00::1]:/a/b", "fd00::1", "/a/b"),
        ] {
            assert_eq!(parse_export(text), Ok((server.to_owned(), path.to_owned())));
        }
        for bad in ["", "nfs", "/fast", "nfs:fast", ":/fast", "nfs:/a/../b", "a b:/fast"] {
            assert!(parse_export(bad).is_err(), "{bad:?} was taken");
        }
    }
}
