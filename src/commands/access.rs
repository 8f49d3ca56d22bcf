//! Access to exports and hosts: from `--via`, the SSH options, and this process' environment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{HostKey, Ssh, Via};
use crate::exit::UsageError;
use crate::export::{self, Export, Location, Mounted, Wire};
use crate::host::{Access, Ask, HostKeys, PromptCache, Secret, Sudo, Target};
use crate::output;

/// The default of `--connect-timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// As [`ssh_access`]; refuses SSH options unless `via` is SSH.
pub(super) fn ssh_access_for(via: &Via, ssh: &Ssh) -> Result<Access> {
    ssh_access_if(matches!(via, Via::Ssh(_)), ssh)
}

/// As [`ssh_access_for`], for an export whose limits may be set over SSH although directories are created over NFS.
pub(super) fn ssh_access_for_quotas(via: &Via, quota_ssh: Option<&Target>, ssh: &Ssh) -> Result<Access> {
    if quota_ssh.is_some() && *via != Via::Nfs {
        let why = "--quota-ssh goes with --via nfs; with --via ssh:// and dir:/MOUNT limits are set the same way";
        return Err(UsageError(why.into()).into());
    }
    ssh_access_if(quota_ssh.is_some() || matches!(via, Via::Ssh(_)), ssh)
}

/// The access of [`ssh_access`]; a usage error if SSH options are given and `uses_ssh` is false.
fn ssh_access_if(uses_ssh: bool, ssh: &Ssh) -> Result<Access> {
    if !uses_ssh && *ssh != Ssh::default() {
        let why = "the options for SSH, such as -i or --sudo, go with --via ssh://[USER@]HOST";
        return Err(UsageError(why.into()).into());
    }
    ssh_access(ssh)
}

pub(super) fn export_via(via: &Via, access: &Access, location: Location) -> Export {
    match via {
        Via::Nfs => Export::Wire(Wire::new(location)),
        Via::Ssh(target) => Export::Ssh(export::Ssh::new(location, target.clone(), access.clone())),
        Via::Dir(root) => Export::Mounted(Mounted::new(location, root)),
    }
}

/// An export that is accessed over NFS, whose directories are limited by commands on the host `target`.
pub(super) fn export_with_quota_ssh(target: &Target, access: &Access, location: Location) -> Export {
    let shell = export::Ssh::new(location.clone(), target.clone(), access.clone());
    Export::Wire(Wire::new(location).with_quota_shell(shell))
}

/// The SSH options, with the home directory, user and agent of the environment, and a new cache of prompts. Reads the
/// file of `--sudo-password-file`.
pub(super) fn ssh_access(ssh: &Ssh) -> Result<Access> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let user = variable("USER").or(variable("LOGNAME"));
    let sudo = match (&ssh.sudo_password_file, ssh.sudo) {
        (None, false) => Sudo::No,
        (None, true) => Sudo::Ask,
        (Some(file), _) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            match text.lines().next() {
                Some(line) if !line.is_empty() => Sudo::Password(Secret::new(line.to_owned())),
                _ => bail!("{} has no password in its first line", file.display()),
            }
        }
    };
    Ok(Access {
        home: variable("HOME").map(PathBuf::from),
        user: user.map_or_else(|| "root".to_owned(), |user| user.to_string_lossy().into_owned()),
        agent: variable("SSH_AUTH_SOCK").map(PathBuf::from),
        identities: ssh.identity_file.clone(),
        jump: ssh.jump.clone(),
        host_keys: match ssh.host_key {
            None | Some(HostKey::Ask) => HostKeys::Ask,
            Some(HostKey::Strict) => HostKeys::Strict,
            Some(HostKey::AcceptNew) => HostKeys::AcceptNew,
        },
        fingerprints: ssh.host_fingerprint.clone(),
        connect_timeout: ssh.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        sudo,
        ask: Arc::new(PromptCache::new(Terminal)),
        jump_sessions: Arc::default(),
    })
}

/// Prompts on the terminal; without one, every question is unanswered.
struct Terminal;

impl Ask for Terminal {
    fn secret(&self, question: &str) -> Option<Secret> {
        output::ask_secret(question).map(Secret::new)
    }

    fn text(&self, question: &str) -> Option<String> {
        output::ask_text(question)
    }

    fn yes(&self, question: &str) -> Option<bool> {
        output::ask_yes(question)
    }
}
