//! Access to exports and hosts: from `--via`, the SSH options, and this process' environment. Hosts' questions are
//! asked on the terminal.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{HostKey, Ssh, Via};
use crate::exit::UsageError;
use crate::export::{self, Export, Location, Mounted, Wire};
use crate::host::{Access, Ask, HostKeys, PromptCache, Secret, Sudo, Target, Unanswered};
use crate::output;

/// The default of `--connect-timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// As [`ssh_access`], for an export that is accessed by `via` and limited over `quota_ssh`. Refuses SSH options where
/// neither uses SSH, and `quota_ssh` where `via` sets limits itself.
pub(super) fn ssh_access_for(via: &Via, quota_ssh: Option<&Target>, ssh: &Ssh) -> Result<Access> {
    let why = match (via, quota_ssh) {
        (Via::Ssh(_) | Via::Dir(_), Some(_)) => {
            "--quota-ssh needs --via nfs; with --via ssh:// and dir:/MOUNT limits are set the same way"
        }
        (Via::Nfs | Via::Dir(_), None) if *ssh != Ssh::default() => {
            "the options for SSH, such as -i or --sudo, need --via ssh://[USER@]HOST"
        }
        _ => return ssh_access(ssh),
    };
    Err(UsageError(why.into()).into())
}

/// The export at `location`. Where it is accessed over NFS, commands on the host `quota_ssh` limit its directories;
/// otherwise `quota_ssh` is ignored. No server is contacted yet.
pub(super) fn export_via(via: &Via, quota_ssh: Option<&Target>, access: &Access, location: Location) -> Export {
    let over_ssh = |target: &Target| export::Ssh::new(location.clone(), target.clone(), access.clone());
    match via {
        Via::Nfs => Export::Wire(Wire::new(location.clone()).with_quota_shell(quota_ssh.map(over_ssh))),
        Via::Ssh(target) => Export::Ssh(over_ssh(target)),
        Via::Dir(root) => Export::Mounted(Mounted::new(location, root)),
    }
}

/// The SSH options, with the home directory, user and agent of the environment, and a new cache of prompts. Reads the
/// file of `--sudo-password-file`; an error if it can't be read or has no password. Connections share prompts and jump
/// hosts only if they use one `Access`.
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

/// Runs a prompt if there is a terminal. One that goes away meanwhile counts as none.
fn answer_of<T>(prompt: impl FnOnce() -> io::Result<T>) -> Result<T, Unanswered> {
    if !output::can_ask() {
        return Err(Unanswered::NoTerminal);
    }
    prompt().map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Unanswered::Cancelled,
        _ => Unanswered::NoTerminal,
    })
}

impl Ask for Terminal {
    fn ask_secret(&self, question: &str) -> Result<Secret, Unanswered> {
        answer_of(|| output::ask_secret(question)).map(Secret::new)
    }

    fn ask_text(&self, question: &str) -> Result<String, Unanswered> {
        answer_of(|| output::ask_text(question))
    }

    fn ask_yes(&self, question: &str) -> Result<bool, Unanswered> {
        answer_of(|| output::confirm(question))
    }
}
