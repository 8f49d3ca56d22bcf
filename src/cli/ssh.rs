//! The options of commands that log in to hosts over SSH.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::host::Target;

/// How hosts are logged in to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "SSH")]
pub struct Ssh {
    /// Private key to log in with (repeatable) [default: the agent's, those of ~/.ssh/config, ~/.ssh/id_*]
    #[arg(short, long, value_name = "FILE")]
    pub identity_file: Vec<PathBuf>,
    /// Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]
    #[arg(long, value_delimiter = ',', value_parser = target, value_name = "[USER@]HOST[:PORT]")]
    pub jump: Vec<Target>,
    /// What to do about a host whose key is not in known_hosts [default: ask]
    #[arg(long, value_enum)]
    pub host_key: Option<HostKey>,
    /// Fingerprint that a host's key must have, hosts to go through too (repeatable: one of them)
    #[arg(long, value_parser = fingerprint, value_name = "SHA256:…")]
    pub host_fingerprint: Vec<String>,
    /// How long connecting may take, step by step [default: 10s]
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub connect_timeout: Option<Duration>,
    /// Become root with sudo; its password, if it wants one, is asked for
    #[arg(long)]
    pub sudo: bool,
    /// File whose first line is sudo's password
    #[arg(long, requires = "sudo", value_name = "FILE")]
    pub sudo_password_file: Option<PathBuf>,
}

/// What to do about unknown hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostKey {
    /// Show the key and ask
    Ask,
    /// Refuse
    Strict,
    /// Record the key and go on
    AcceptNew,
}

pub(super) fn target(text: &str) -> Result<Target, String> {
    text.parse()
        .map_err(|error: crate::host::TargetError| error.to_string())
}

/// A SHA-256 digest in base64 without padding, as ssh-keygen -l shows it.
fn fingerprint(text: &str) -> Result<String, String> {
    let digest = text.strip_prefix("SHA256:").map(|digest| digest.trim_end_matches('='));
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    match digest {
        Some(digest) if digest.len() == 43 && digest.chars().all(base64) => Ok(format!("SHA256:{digest}")),
        _ => Err("a fingerprint is SHA256: and 43 characters, as ssh-keygen -l shows it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        let good = "SHA256:5RjoeWDTkEiHAHZ3cJK9R0z69Zq/Vyhj1YWpLNh2J2c";
        assert_eq!(fingerprint(good).as_deref(), Ok(good));
        assert_eq!(fingerprint(&format!("{good}=")).as_deref(), Ok(good));
        for bad in ["", "SHA256:", "MD5:00:11", &good[..40], &good.replace('/', "_")] {
            assert!(fingerprint(bad).is_err(), "{bad:?} was taken");
        }
    }
}
