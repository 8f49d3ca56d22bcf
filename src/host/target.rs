//! A host to log in to, as users write it: [`Target`] (PURE). The name is not looked up.

use std::fmt;
use std::str::FromStr;

/// The port that sshd listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 22;

/// `[USER@]HOST[:PORT]`, before `~/.ssh/config` has been asked what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The user to log in as, if one was written.
    pub user: Option<String>,
    /// Name, address, or an alias of `~/.ssh/config`.
    pub host: String,
    /// The port, if one was written.
    pub port: Option<u16>,
}

/// Why a text names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no host to log in to: {why}; it is written [USER@]HOST[:PORT]")]
pub struct TargetError {
    text: String,
    why: &'static str,
}

impl FromStr for Target {
    type Err = TargetError;

    /// Takes `[USER@]HOST[:PORT]`, with or without `ssh://` before it; IPv6 addresses with a port are in brackets. A
    /// password, a leading dash, white space, quotation marks, backslashes and the characters `$/?#` are errors; other
    /// characters of shells, such as `;`, pass. Whether the host exists is not looked up.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = |why| TargetError {
            text: text.to_owned(),
            why,
        };
        let rest = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, rest) = match rest.rsplit_once('@') {
            // Not even quoted: it may hold what should not be seen.
            Some((user, host)) if user.contains(':') => {
                return Err(TargetError {
                    text: host.to_owned(),
                    why: "a password has no place on the command line, nfsprov asks for it",
                });
            }
            Some(("", _)) => return Err(wrong("there is no user before the @")),
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(|| wrong("the ] is missing"))?;
                match (after, after.strip_prefix(':')) {
                    ("", _) => (host, None),
                    (_, Some(port)) => (host, Some(port)),
                    _ => return Err(wrong("after the ] comes a colon and a port")),
                }
            }
            // More than one colon is an IPv6 address without a port.
            None if rest.matches(':').count() == 1 => rest.split_once(':').map_or((rest, None), |(h, p)| (h, Some(p))),
            None => (rest, None),
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/?#'\"\\`$".contains(c);
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if host.starts_with('-') || user.as_ref().is_some_and(|user| user.starts_with('-')) {
            return Err(wrong("it begins with a dash"));
        }
        if host.contains(odd) || user.as_ref().is_some_and(|user| user.contains(odd)) {
            return Err(wrong("it has a character that no name of a host or user has"));
        }
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(wrong("a port is a number from 1 to 65535")),
        };
        Ok(Self {
            user,
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Target {
    /// Writes `[USER@]HOST[:PORT]`; the brackets of an IPv6 address are written only if a port follows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match (self.port, self.host.contains(':')) {
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (None, _) => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_as_for_ssh() {
        for (text, user, host, port) in [
            ("nfs", None, "nfs", None),
            ("root@nfs", Some("root"), "nfs", None),
            ("root@nfs:2222", Some("root"), "nfs", Some(2222)),
            ("ssh://root@nfs:2222", Some("root"), "nfs", Some(2222)),
            ("10.0.0.1:22", None, "10.0.0.1", Some(22)),
            ("fd00::1", None, "fd00::1", None),
            ("ops@[fd00::1]:22", Some("ops"), "fd00::1", Some(22)),
            ("[fd00::1]", None, "fd00::1", None),
            ("user@domain@nfs", Some("user@domain"), "nfs", None),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(
                (target.user.as_deref(), target.host.as_str(), target.port),
                (user, host, port),
                "{text}"
            );
            assert_eq!(target.to_string().parse(), Ok(target), "{text} survives being written");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            "@nfs",
            "root@",
            "nfs:0",
            "nfs:x",
            "nfs:70000",
            "-oProxyCommand=x",
            "root@-x",
            "a b",
            "nfs/path",
            "[fd00::1",
            "[fd00::1]22",
            "$(x)",
            "ssh://",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let error = "root:hunter2@nfs".parse::<Target>().unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("password"), "{error}");
    }
}
