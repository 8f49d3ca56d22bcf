//! One file a subcommand: arguments in, a domain called, its result printed.

pub mod create;
pub mod provision;
pub mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{Global, HostKey, Ssh, When};
use crate::cluster::Options;
use crate::host::{Access, Ask, HostKeys, Remembered, Secret, Sudo};
use crate::output::{self, Colour};

/// The cluster options of a command line.
fn cluster_options(global: &Global) -> Options {
    Options {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
        namespace: global.namespace.clone(),
        request_timeout: global.request_timeout,
    }
}

/// The decision about colours that an option stands for.
pub(crate) fn colour(when: When) -> Colour {
    match when {
        When::Auto => Colour::Auto,
        When::Always => Colour::Always,
        When::Never => Colour::Never,
    }
}

/// How long each step of connecting to a host takes at most, unless told otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The SSH options of a command line, with this machine's home directory, user and agent.
fn access(ssh: &Ssh) -> Result<Access> {
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
        fingerprint: ssh.host_fingerprint.clone(),
        connect_timeout: ssh.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        sudo,
        ask: Arc::new(Remembered::new(Terminal)),
    })
}

/// Whoever sits at the terminal, if there is one.
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
