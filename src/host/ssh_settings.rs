//! Parses the settings that `ssh -G` prints for a host (PURE): ssh itself reads its files, conditions and tokens.
//!
//! ssh prints a line `keyword value` for each setting. It expands some values and leaves others as they were written;
//! [`needs_expansion`] tells which, and [`expansion_arguments`] has ssh expand them.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::target::{DEFAULT_PORT, Target};

/// The settings of an ssh client without any configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientDefaults {
    /// The home directory by the passwd file, which `~` stands for.
    pub home: PathBuf,
    /// The key files that ssh tries by default.
    pub identities: Vec<OsString>,
}

impl ClientDefaults {
    /// The arguments with which `ssh` prints them.
    pub const ARGUMENTS: [&str; 7] = ["-G", "-F", "none", "-o", "UserKnownHostsFile=%d", "--", "defaults"];

    /// Parses the output of `ssh` with [`ClientDefaults::ARGUMENTS`]; `None` if that is no output of `ssh -G`.
    pub fn parse(output: &[u8]) -> Option<Self> {
        let values = |keyword: &'static str| {
            settings_lines(output)
                .filter(move |(word, _)| *word == keyword)
                .map(|(_, value)| value)
        };
        Some(Self {
            home: Path::new(values("userknownhostsfile").next()?).to_owned(),
            identities: values("identityfile").map(OsStr::to_owned).collect(),
        })
    }

    /// The known_hosts files of a user whose home directory this is.
    pub fn known_hosts(home: &Path) -> Vec<PathBuf> {
        ["known_hosts", "known_hosts2"]
            .map(|name| home.join(".ssh").join(name))
            .to_vec()
    }
}

/// Known_hosts files for all users of this machine, unless configured otherwise.
pub const GLOBAL_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

/// The policy for host keys that are not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrictHostKeys {
    /// Only recorded keys are accepted.
    Yes,
    /// Ask the user about unknown keys.
    #[default]
    Ask,
    /// New keys are accepted. ssh would even accept a changed key with `no`, which nothing here does.
    AcceptNew,
}

/// Which addresses of a host are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressFamily {
    /// All.
    #[default]
    Any,
    /// Those of IPv4.
    Inet,
    /// Those of IPv6.
    Inet6,
}

impl AddressFamily {
    /// Whether an address may be tried.
    pub fn allows_address(self, address: &SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Inet => address.is_ipv4(),
            Self::Inet6 => address.is_ipv6(),
        }
    }
}

/// Which agent is asked for keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IdentityAgent {
    /// The agent of `SSH_AUTH_SOCK`.
    #[default]
    Environment,
    /// The agent of another environment variable.
    Variable(String),
    /// The agent at this socket.
    Socket(PathBuf),
    /// No agent.
    None,
}

/// How the first connection on the way is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// Directly.
    #[default]
    None,
    /// Through these hosts.
    Jump(Vec<Target>),
    /// By this command line of a shell, whose input and output are the connection; its tokens are expanded.
    Command(String),
}

/// The settings for one host that matter here. Paths of `identities`, `certificates` and `revoked_host_keys` are as
/// they were written: see [`needs_expansion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name or address to connect to.
    pub host: String,
    pub port: u16,
    pub user: String,
    /// Which of its addresses are tried.
    pub address_family: AddressFamily,
    /// The name under which the host's key is recorded, if it is another.
    pub host_key_alias: Option<String>,
    /// The key files that the configuration names; none if ssh would try its defaults.
    pub identities: Vec<OsString>,
    /// Certificate files.
    pub certificates: Vec<OsString>,
    /// Whether an agent's other keys are left alone.
    pub identities_only: bool,
    pub agent: IdentityAgent,
    /// The user's known_hosts files, the one that new keys are recorded in first; None stands for the defaults.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// The known_hosts files for all users.
    pub global_known_hosts: Vec<PathBuf>,
    /// Whether the names of new hosts are recorded as hashes.
    pub hash_known_hosts: bool,
    /// A command that prints further lines of known_hosts.
    pub known_hosts_command: Option<String>,
    /// Host keys that must not be accepted: a list of public keys, or a KRL.
    pub revoked_host_keys: Option<OsString>,
    /// What is done about host keys that are not recorded.
    pub strict_host_keys: StrictHostKeys,
    pub proxy: Proxy,
    /// The login methods that are not allowed, by their names in the protocol.
    pub refused_methods: Vec<&'static str>,
    /// BatchMode: prompts are forbidden.
    pub batch: bool,
    /// What ssh would do and nothing here can, to be told when a login fails.
    pub unsupported: Vec<&'static str>,
}

/// What can't be used of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ssh's configuration for {host} has {what}")]
pub struct SettingsError {
    host: String,
    what: String,
}

impl Settings {
    /// The settings for a host without configuration; a user or port in `target` counts.
    pub fn unconfigured(target: &Target, local_user: &str) -> Self {
        Self {
            host: target.host.clone(),
            port: target.port.unwrap_or(DEFAULT_PORT),
            user: target.user.clone().unwrap_or_else(|| local_user.to_owned()),
            address_family: AddressFamily::default(),
            host_key_alias: None,
            identities: Vec::new(),
            certificates: Vec::new(),
            identities_only: false,
            agent: IdentityAgent::default(),
            known_hosts: None,
            global_known_hosts: GLOBAL_KNOWN_HOSTS.map(PathBuf::from).to_vec(),
            hash_known_hosts: false,
            known_hosts_command: None,
            revoked_host_keys: None,
            strict_host_keys: StrictHostKeys::default(),
            proxy: Proxy::default(),
            refused_methods: Vec::new(),
            batch: false,
            unsupported: Vec::new(),
        }
    }

    /// Reads what `ssh -G` printed about `target`. Files that equal the client's `defaults` count as not configured,
    /// unknown keywords are ignored, and `StrictHostKeyChecking no` is read as `accept-new`. A ProxyJump that names
    /// only the target itself counts as none.
    ///
    /// # Errors
    /// [`SettingsError`] when a value has to be used and can't be: BindAddress, BindInterface, a bad ProxyJump or port,
    /// an unknown token in ProxyCommand.
    pub fn parse(output: &[u8], target: &Target, defaults: &ClientDefaults) -> Result<Self, SettingsError> {
        let mut settings = Self::unconfigured(target, "");
        let mut jumps: Option<String> = None;
        let mut command: Option<String> = None;
        let wrong = |what: String| SettingsError {
            host: target.to_string(),
            what,
        };
        for (keyword, value) in settings_lines(output) {
            let text = value.to_string_lossy().into_owned();
            let is_yes = matches!(text.as_str(), "yes" | "true");
            match keyword {
                "hostname" => settings.host = text,
                "port" => settings.port = text.parse().map_err(|_| wrong(format!("the port {text:?}")))?,
                "user" => settings.user = text,
                "addressfamily" => {
                    settings.address_family = match text.as_str() {
                        "inet" => AddressFamily::Inet,
                        "inet6" => AddressFamily::Inet6,
                        _ => AddressFamily::Any,
                    }
                }
                "hashknownhosts" => settings.hash_known_hosts = is_yes,
                // A login from another address than was meant may be let in otherwise, or watched.
                "bindaddress" => return Err(wrong(format!("BindAddress {text}, which nfsprov does not support"))),
                "bindinterface" => return Err(wrong(format!("BindInterface {text}, which nfsprov does not support"))),
                "hostkeyalias" => settings.host_key_alias = Some(text),
                "identityfile" => settings.identities.push(value.to_owned()),
                "certificatefile" => settings.certificates.push(value.to_owned()),
                "identitiesonly" => settings.identities_only = is_yes,
                "identityagent" => settings.agent = IdentityAgent::parse(value),
                "userknownhostsfile" => settings.known_hosts = Some(parse_paths(value)),
                "globalknownhostsfile" => settings.global_known_hosts = parse_paths(value),
                "knownhostscommand" if text != "none" => settings.known_hosts_command = Some(text),
                "revokedhostkeys" if text != "none" => settings.revoked_host_keys = Some(value.to_owned()),
                "stricthostkeychecking" => {
                    settings.strict_host_keys = match text.as_str() {
                        "yes" | "true" => StrictHostKeys::Yes,
                        "accept-new" | "no" | "false" | "off" => StrictHostKeys::AcceptNew,
                        _ => StrictHostKeys::Ask,
                    }
                }
                "proxyjump" if text != "none" => jumps = Some(text),
                "proxycommand" if text != "none" => command = Some(text),
                "batchmode" => settings.batch = is_yes,
                "pubkeyauthentication" if is_no(&text) => settings.refused_methods.push("publickey"),
                "passwordauthentication" if is_no(&text) => settings.refused_methods.push("password"),
                "kbdinteractiveauthentication" | "challengeresponseauthentication" if is_no(&text) => {
                    settings.refused_methods.push("keyboard-interactive");
                }
                "preferredauthentications" => {
                    let preferred: Vec<&str> = text.split(',').collect();
                    let methods = ["publickey", "password", "keyboard-interactive"];
                    let others = methods.into_iter().filter(|method| !preferred.contains(method));
                    settings.refused_methods.extend(others);
                }
                "pkcs11provider" if text != "none" => settings.unsupported.push("PKCS11Provider"),
                "hostbasedauthentication" if is_yes => settings.unsupported.push("HostbasedAuthentication"),
                _ => {}
            }
        }
        if settings.identities == defaults.identities {
            settings.identities.clear();
        }
        settings.identities.retain(|path| path != "none");
        if settings.known_hosts.as_ref() == Some(&ClientDefaults::known_hosts(&defaults.home)) {
            settings.known_hosts = None;
        }
        settings.proxy = match (jumps, command) {
            (Some(jumps), _) => {
                let parsed: Result<Vec<Target>, _> = jumps.split(',').map(|jump| jump.trim().parse()).collect();
                let mut jumps = parsed.map_err(|error| wrong(format!("a ProxyJump that can't be used: {error}")))?;
                // `Host *` with a ProxyJump is meant for all hosts but the jump host.
                if matches!(&jumps[..], [jump] if jump.host == target.host) {
                    jumps.clear();
                }
                Proxy::Jump(jumps)
            }
            (None, Some(command)) => Proxy::Command(settings.proxy_command(&command, &target.host).map_err(wrong)?),
            (None, None) => Proxy::None,
        };
        Ok(settings)
    }

    /// A ProxyCommand with its tokens expanded; `original` is the host as it was given. An unknown token is an error.
    fn proxy_command(&self, command: &str, original: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let alias = self.host_key_alias.as_deref().unwrap_or(original);
        let value = |token| match token {
            'h' => Some(self.host.as_str()),
            'n' => Some(original),
            'p' => Some(port.as_str()),
            'r' => Some(self.user.as_str()),
            'k' => Some(alias),
            _ => None,
        };
        let unknown = |token| format!("the token %{token} in ProxyCommand, which is not supported");
        expand_tokens(command, &value).map_err(unknown)
    }
}

impl IdentityAgent {
    /// Parses a value of IdentityAgent: `none`, `SSH_AUTH_SOCK`, another variable's name after `$`, or a socket's path.
    fn parse(value: &OsStr) -> Self {
        match value.to_str() {
            Some("none") => Self::None,
            Some("SSH_AUTH_SOCK") => Self::Environment,
            Some(text) if text.starts_with('$') && !text.starts_with("${") => Self::Variable(text[1..].to_owned()),
            _ => Self::Socket(PathBuf::from(value)),
        }
    }
}

/// Whether a value that ssh printed is `no`, or `false`.
fn is_no(text: &str) -> bool {
    matches!(text, "no" | "false")
}

/// A text with each `%` and letter replaced by the letter's value, and `%%` by `%`; the first letter for which `value`
/// returns `None` is the error. Values are inserted as they are, without quotation.
pub fn expand_tokens<'a>(text: &str, value: &dyn Fn(char) -> Option<&'a str>) -> Result<String, char> {
    let mut expanded = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => match letters.next() {
                Some('%') => expanded.push('%'),
                Some(token) => expanded.push_str(value(token).ok_or(token)?),
                None => expanded.push('%'),
            },
            letter => expanded.push(letter),
        }
    }
    Ok(expanded)
}

/// The lines `keyword value`, others left out. ssh prints keywords in lower case. A value may hold any bytes but a
/// newline.
fn settings_lines(output: &[u8]) -> impl Iterator<Item = (&str, &OsStr)> {
    output.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b' ')?;
        Some((
            std::str::from_utf8(&line[..at]).ok()?,
            OsStr::from_bytes(&line[at + 1..]),
        ))
    })
}

/// Files on one line; ssh prints them without quotation, so none has a blank in its name. `none` is no file.
fn parse_paths(value: &OsStr) -> Vec<PathBuf> {
    let words = value.as_bytes().split(|byte| *byte == b' ');
    let paths = words.filter(|word| !word.is_empty() && *word != b"none");
    paths.map(|word| PathBuf::from(OsStr::from_bytes(word))).collect()
}

/// Whether a path as ssh printed it stands for another: `~`, tokens, environment variables.
pub fn needs_expansion(path: &OsStr) -> bool {
    let bytes = path.as_bytes();
    bytes.starts_with(b"~") || bytes.contains(&b'%') || bytes.windows(2).any(|pair| pair == b"${")
}

/// The arguments with which `ssh` prints a path of these settings expanded, as its `userknownhostsfile`: that option
/// has all tokens that paths may have. ssh reads no configuration file for that. [`parse_expansion`] reads the output.
pub fn expansion_arguments(path: &OsStr, settings: &Settings, original: &Target) -> Vec<OsString> {
    let mut option = OsString::from("UserKnownHostsFile=\"");
    option.push(path);
    option.push("\"");
    let mut arguments: Vec<OsString> = ["-G", "-F", "none", "-o"].map(OsString::from).to_vec();
    arguments.push(option);
    let mut add = |text: String| arguments.extend([OsString::from("-o"), OsString::from(text)]);
    add(format!("HostName={}", settings.host));
    add(format!("Port={}", settings.port));
    add(format!("User={}", settings.user));
    if let Some(alias) = &settings.host_key_alias {
        add(format!("HostKeyAlias={alias}"));
    }
    arguments.extend(["--".into(), OsString::from(&original.host)]);
    arguments
}

/// The path that `ssh` printed with [`expansion_arguments`]; `None` if the output has none.
pub fn parse_expansion(output: &[u8]) -> Option<PathBuf> {
    let found = settings_lines(output).find(|(keyword, _)| *keyword == "userknownhostsfile");
    found.map(|(_, value)| PathBuf::from(value))
}

#[cfg(test)]
mod tests;
