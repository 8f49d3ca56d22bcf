//! The options of commands that log in to hosts over SSH. A parser of values returns the value, or one clause that says
//! what is wrong with it; no host is contacted.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parse_duration;
use crate::host::Target;

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "SSH")]
pub struct Ssh {
    /// Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]
    #[arg(short, long, value_name = "FILE")]
    pub identity_file: Vec<PathBuf>,
    /// Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]
    #[arg(long, value_delimiter = ',', value_parser = parse_host, value_name = "[USER@]HOST[:PORT]")]
    pub jump: Vec<Target>,
    /// Handling of host keys that are not in known_hosts [default: ask]
    #[arg(long, value_enum)]
    pub host_key: Option<HostKey>,
    /// Fingerprint of an accepted host key, jump hosts included (repeatable)
    #[arg(long, value_parser = parse_fingerprint, value_name = "SHA256:…")]
    pub host_fingerprint: Vec<String>,
    /// Time limit of each step of a login [default: 10s]
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub connect_timeout: Option<Duration>,
    /// Become root with sudo; asks for the password if sudo needs one
    #[arg(long)]
    pub sudo: bool,
    /// File with the sudo password in its first line
    #[arg(long, requires = "sudo", value_name = "FILE")]
    pub sudo_password_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostKey {
    /// Show the key and ask
    Ask,
    /// Refuse
    Strict,
    /// Record the key and continue
    AcceptNew,
}

/// Parses `[USER@]HOST[:PORT]`, with or without `ssh://` before it; the error says what is wrong with it.
pub(super) fn parse_host(text: &str) -> Result<Target, String> {
    text.parse()
        .map_err(|error: crate::host::TargetError| error.to_string())
}

/// Parses a SHA-256 digest in base64, with or without padding, after `SHA256:`; it is returned without, as
/// ssh-keygen -l shows it.
pub(super) fn parse_fingerprint(text: &str) -> Result<String, String> {
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
        let valid = "SHA256:5RjoeWDTkEiHAHZ3cJK9R0z69Zq/Vyhj1YWpLNh2J2c";
        assert_eq!(parse_fingerprint(valid).as_deref(), Ok(valid));
        assert_eq!(parse_fingerprint(&format!("{valid}=")).as_deref(), Ok(valid));
        for bad in ["", "SHA256:", "MD5:00:11", &valid[..40], &valid.replace('/', "_")] {
            assert!(parse_fingerprint(bad).is_err(), "{bad:?} was taken");
        }
    }
}
