//! The hosts on the way to a target, each with its settings. The main type is [`Hop`]. ssh reads the configuration;
//! nothing here connects to a host.

use std::path::PathBuf;

use super::{Access, client};
use crate::host::ask::Unanswered;
use crate::host::known_hosts;
use crate::host::ssh_settings::{AddressFamily, ClientDefaults, IdentityAgent, Proxy, StrictHostKeys};
use crate::host::target::{DEFAULT_PORT, Target};

/// How many jump hosts lead to one host at most.
const MAX_HOPS: usize = 8;

/// One host on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// The name or address to connect to.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) address_family: AddressFamily,
    /// The name and port under which known_hosts has its key.
    pub(super) recorded_as: (String, u16),
    /// The key files that the configuration names, in its order.
    pub(super) identities: Vec<PathBuf>,
    pub(super) certificates: Vec<PathBuf>,
    /// IdentitiesOnly: keys of the agent are used only if a file names them.
    pub(super) identities_only: bool,
    /// The socket of ssh-agent.
    pub(super) agent: Option<PathBuf>,
    /// The user's known_hosts files; new keys are recorded in the first.
    pub(super) known_hosts: Vec<PathBuf>,
    pub(super) global_known_hosts: Vec<PathBuf>,
    pub(super) hash_known_hosts: bool,
    /// A command that prints further lines of known_hosts, as words.
    pub(super) known_hosts_command: Vec<String>,
    pub(super) revoked_host_keys: Option<PathBuf>,
    pub(super) strict_host_keys: StrictHostKeys,
    /// The command that connects to it, if it is the first on the way.
    pub(super) proxy_command: Option<String>,
    pub(super) refused_methods: Vec<&'static str>,
    /// BatchMode: prompts are forbidden.
    pub(super) batch: bool,
    pub(super) unsupported: Vec<&'static str>,
}

impl Hop {
    /// The name under which its key is recorded, for messages.
    pub(super) fn name(&self) -> String {
        known_hosts::recorded_name(&self.recorded_as.0, self.recorded_as.1)
    }

    /// Fails if BatchMode forbids prompts.
    pub(super) fn check_may_ask(&self) -> Result<(), Unanswered> {
        match self.batch {
            true => Err(Unanswered::Forbidden),
            false => Ok(()),
        }
    }

    /// Host and port, for messages.
    pub(super) fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The hosts on the way to `target`, each with its settings: the first to connect to comes first, the target itself
/// last.
///
/// `--jump` comes before what the configuration says. Only the first jump host's own jump hosts count, as for ssh: the
/// others are reached through those before them. The error says which setting can't be used, or that too many
/// hosts are on the way. Runs ssh for each host; connects to none.
pub(super) fn find_hops(target: &Target, access: &Access) -> Result<Vec<Hop>, String> {
    let mut hops = Vec::new();
    let mut next = target.clone();
    let mut given = (!access.jump.is_empty()).then(|| access.jump.clone());
    // Built from the end: a host, the hosts before it, and again for the first of those.
    loop {
        let (mut hop, proxy) = ask_for_hop(&next, access)?;
        let mut before = match (given.take(), proxy) {
            (Some(jumps), _) | (None, Proxy::Jump(jumps)) => jumps,
            (None, Proxy::Command(command)) => {
                hop.proxy_command = Some(command);
                Vec::new()
            }
            (None, Proxy::None) => Vec::new(),
        };
        hops.push(hop);
        let Some(first) = (!before.is_empty()).then(|| before.remove(0)) else {
            break;
        };
        for target in before.iter().rev() {
            hops.push(self::ask_for_hop(target, access)?.0);
        }
        if hops.len() + 1 > MAX_HOPS {
            return Err(format!(
                "more than {MAX_HOPS} hosts are on the way: do they jump through each other?"
            ));
        }
        next = first;
    }
    hops.reverse();
    Ok(hops)
}

/// Asks `ssh -G` for a host's settings and for the way to it; the caller sets the hop's `proxy_command` by that.
fn ask_for_hop(target: &Target, access: &Access) -> Result<(Hop, Proxy), String> {
    let configured = client::ask_ssh(target, access)?;
    let settings = configured.settings;
    let agent = match settings.agent {
        IdentityAgent::Environment => access.agent.clone(),
        IdentityAgent::Variable(name) => std::env::var_os(name).map(PathBuf::from),
        IdentityAgent::Socket(path) => Some(path),
        IdentityAgent::None => None,
    };
    let known_hosts = settings.known_hosts.unwrap_or_else(|| {
        let home = access.home.as_deref();
        home.map(ClientDefaults::known_hosts).unwrap_or_default()
    });
    let recorded_as = match &settings.host_key_alias {
        Some(alias) => (alias.clone(), DEFAULT_PORT),
        None => (settings.host.clone(), settings.port),
    };
    let mut hop = Hop {
        recorded_as,
        identities: configured.identities,
        certificates: configured.certificates,
        identities_only: settings.identities_only,
        agent,
        known_hosts,
        global_known_hosts: settings.global_known_hosts,
        hash_known_hosts: settings.hash_known_hosts,
        address_family: settings.address_family,
        known_hosts_command: Vec::new(),
        revoked_host_keys: configured.revoked_host_keys,
        strict_host_keys: settings.strict_host_keys,
        proxy_command: None,
        refused_methods: settings.refused_methods,
        batch: settings.batch,
        unsupported: settings.unsupported,
        host: settings.host,
        port: settings.port,
        user: settings.user,
    };
    if let Some(command) = &settings.known_hosts_command {
        hop.known_hosts_command = known_hosts_command(command, &hop, target)?;
    }
    Ok((hop, settings.proxy))
}

/// The words of a KnownHostsCommand with their tokens expanded, as for a host whose key is not known yet. Quotation
/// marks and unknown tokens are errors.
fn known_hosts_command(command: &str, hop: &Hop, target: &Target) -> Result<Vec<String>, String> {
    if command.contains(['"', '\'', '\\']) {
        return Err(format!(
            "KnownHostsCommand {command}: quotation marks in it are not supported"
        ));
    }
    let (name, port) = (hop.name(), hop.port.to_string());
    let value = |token| match token {
        'H' => Some(name.as_str()),
        'h' => Some(hop.host.as_str()),
        'n' => Some(target.host.as_str()),
        'p' => Some(port.as_str()),
        'r' => Some(hop.user.as_str()),
        'k' => Some(hop.recorded_as.0.as_str()),
        'I' => Some("HOSTNAME"),
        'f' | 'K' | 't' => Some("NONE"),
        _ => None,
    };
    let word = |word| crate::host::ssh_settings::expand_tokens(word, &value);
    let words: Result<Vec<String>, char> = command.split_whitespace().map(word).collect();
    words.map_err(|token| format!("KnownHostsCommand {command}: the token %{token} is not supported"))
}
