//! The options that say where an export is, and how it is reached. A parser of values returns the value, or one clause
//! that says what is wrong with it; no server is contacted.

use std::path::PathBuf;

use clap::Args;

use super::ssh::{Ssh, parse_host};
use crate::host::Target;
use crate::manifest::validate;

/// The ways to access directories on an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Over NFS from this process.
    Nfs,
    /// By commands on the server, over SSH.
    Ssh(Target),
    /// In a local mount.
    Dir(PathBuf),
}

/// The export of the volumes, for volumes that don't name it themselves.
#[derive(Debug, Args)]
#[command(next_help_heading = "Export")]
pub struct ExportOfVolumes {
    /// NFS server, as in the volumes [default: from the volumes]
    #[arg(long, env = "NFSPROV_SERVER", value_parser = validate::check_server, requires = "path")]
    pub server: Option<String>,
    /// Exported directory [default: from the volumes]
    #[arg(long, env = "NFSPROV_PATH", value_parser = validate::check_path)]
    pub path: Option<String>,
    /// Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or
    /// dir:/MOUNT (a local mount of the export)
    #[arg(long, env = "NFSPROV_VIA", default_value = "nfs", value_parser = parse_via)]
    pub via: Via,
    #[command(flatten)]
    pub ssh: Ssh,
}

/// Parses `nfs`, `ssh://[USER@]HOST[:PORT]` or `dir:` and an absolute path, which need not exist.
pub(super) fn parse_via(text: &str) -> Result<Via, String> {
    if text.starts_with("ssh://") {
        return parse_host(text.trim_end_matches('/')).map(Via::Ssh);
    }
    match text.strip_prefix("dir:") {
        Some(directory) if directory.starts_with('/') => Ok(Via::Dir(PathBuf::from(directory))),
        Some(_) => Err("dir: takes an absolute path".to_owned()),
        None if text == "nfs" => Ok(Via::Nfs),
        None => Err("directories are created via nfs, ssh://[USER@]HOST[:PORT] or dir:/MOUNT".to_owned()),
    }
}

/// As [`parse_via`], but accepts only `ssh://`.
pub(super) fn parse_quota_ssh(text: &str) -> Result<Target, String> {
    match parse_via(text) {
        Ok(Via::Ssh(target)) => Ok(target),
        Err(why) if text.starts_with("ssh://") => Err(why),
        _ => Err("limits are set over ssh://[USER@]HOST[:PORT]".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_the_export() {
        assert_eq!(parse_via("nfs"), Ok(Via::Nfs));
        assert_eq!(parse_via("dir:/mnt"), Ok(Via::Dir("/mnt".into())));
        let host: Target = "root@nfs:2222".parse().unwrap();
        assert_eq!(parse_via("ssh://root@nfs:2222/"), Ok(Via::Ssh(host)));
        for bad in ["", "dir:", "dir:mnt", "ssh://", "ssh:nfs", "ssh://nfs/nfsdata", "NFS"] {
            assert!(parse_via(bad).is_err(), "{bad:?} was taken");
            assert!(parse_quota_ssh(bad).is_err(), "{bad:?} was taken");
        }
        assert!(parse_quota_ssh("ssh://root@nfs").is_ok());
        for bad in ["nfs", "dir:/mnt"] {
            assert!(parse_quota_ssh(bad).is_err(), "{bad:?} was taken");
        }
    }
}
