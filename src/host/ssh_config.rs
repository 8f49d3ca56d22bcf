//! What `~/.ssh/config` says about a host (PURE).
//!
//! A reader of our own, as far as nfsprov's connections need it: `Host`,
//! `HostName`, `User`, `Port`, `IdentityFile`, `IdentitiesOnly`, `ProxyJump`
//! and `Include`, with ssh_config(5)'s first-value-wins, negated patterns and
//! `%` tokens. What would lead elsewhere if it were passed over is not: a
//! `Match` block applies if its conditions can be told here, and a
//! `ProxyCommand` is an error.

use std::path::{Path, PathBuf};

use super::known_hosts::matches;
use super::target::{DEFAULT_PORT, Target};

/// How many files may include each other.
const MAX_DEPTH: usize = 16;

/// How many jump hosts lead to one host at most.
const MAX_HOPS: usize = 8;

/// A configuration file that has been read, and those that its `Include`s name in their places.
#[derive(Clone, Debug, Default)]
pub struct Config {
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    place: String,
    keyword: String,
    arguments: Vec<String>,
    /// The `Host` and `Match` lines that must hold: an included file's own, and those around the `Include`.
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Condition {
    Host(Vec<String>),
    Match(Vec<String>),
}

/// Who asks, for tokens and defaults.
#[derive(Clone, Debug)]
pub struct Me {
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
    /// The local user's name, which is also who ssh logs in as unless told otherwise.
    pub user: String,
}

/// One host on the way: what a target comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The name or address to connect to; its key is recorded under it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The key files that the configuration names, in its order.
    pub identities: Vec<PathBuf>,
    /// Whether an agent's other keys are to be left alone.
    pub identities_only: bool,
}

/// What is wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ConfigError {
    place: String,
    what: String,
}

impl ConfigError {
    fn new(place: &str, what: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            what: what.into(),
        }
    }
}

impl Config {
    /// Parses `text`, the file called `name`. `read` gives the names and texts of the files that an `Include`'s
    /// pattern stands for; `home` is what `~` stands for.
    ///
    /// # Errors
    /// When a line can't be understood, or files include each other.
    pub fn parse(
        name: &str,
        text: &str,
        me: &Me,
        read: &dyn Fn(&Path) -> Vec<(String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.add(name, text, me, read, &[], 0)?;
        Ok(config)
    }

    /// Adds what another file says; what is there already comes first.
    pub fn then(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        self
    }

    fn add(
        &mut self,
        name: &str,
        text: &str,
        me: &Me,
        read: &dyn Fn(&Path) -> Vec<(String, String)>,
        around: &[Condition],
        depth: usize,
    ) -> Result<(), ConfigError> {
        let mut conditions = around.to_vec();
        for (number, line) in text.lines().enumerate() {
            let place = format!("{name}:{}", number + 1);
            let Some((keyword, arguments)) = words(line).map_err(|what| ConfigError::new(&place, what))? else {
                continue;
            };
            let wanted = |what: &str| ConfigError::new(&place, format!("{keyword} needs {what}"));
            match keyword.as_str() {
                "host" | "match" if arguments.is_empty() => return Err(wanted("a pattern")),
                "host" | "match" => {
                    conditions.truncate(around.len());
                    conditions.push(match keyword.as_str() {
                        "host" => Condition::Host(arguments),
                        _ => Condition::Match(arguments),
                    });
                }
                "include" if depth == MAX_DEPTH => {
                    return Err(ConfigError::new(&place, "files include each other without end"));
                }
                "include" => {
                    for pattern in &arguments {
                        // As for ssh: relative to ~/.ssh.
                        let home = me.home.as_deref().unwrap_or(Path::new("/"));
                        let path = match pattern.strip_prefix("~/") {
                            Some(rest) => home.join(rest),
                            None => home.join(".ssh").join(pattern),
                        };
                        for (name, text) in read(&path) {
                            self.add(&name, &text, me, read, &conditions, depth + 1)?;
                        }
                    }
                }
                _ if arguments.is_empty() => return Err(wanted("a value")),
                _ => self.lines.push(Line {
                    place,
                    keyword,
                    arguments,
                    conditions: conditions.clone(),
                }),
            }
        }
        Ok(())
    }

    /// The hosts on the way to `target`, the first to connect to first and the target itself last.
    ///
    /// `jump` comes before what the configuration says. Only the first jump host's own jump hosts count, as for ssh:
    /// the others are reached through those before them.
    ///
    /// # Errors
    /// When a value can't be used, a `ProxyCommand` would be needed, or hosts jump through each other.
    pub fn route(&self, target: &Target, jump: &[Target], me: &Me) -> Result<Vec<Hop>, ConfigError> {
        let mut hops = Vec::new();
        let mut next = target.clone();
        let mut jumps = (!jump.is_empty()).then(|| jump.to_vec());
        // Built from the end: a host, the hosts before it, and again for the first of those.
        loop {
            let (hop, own) = self.hop(&next, me, jumps.is_none())?;
            hops.push(hop);
            let mut before = jumps.take().unwrap_or(own);
            let Some(first) = (!before.is_empty()).then(|| before.remove(0)) else {
                break;
            };
            for target in before.iter().rev() {
                hops.push(self.hop(target, me, false)?.0);
            }
            if hops.len() > MAX_HOPS {
                let what = format!("more than {MAX_HOPS} hosts are on the way: do they jump through each other?");
                return Err(ConfigError::new(&target.to_string(), what));
            }
            next = first;
        }
        hops.reverse();
        Ok(hops)
    }

    /// What a target comes to, and the jump hosts that the configuration has for it, if these are `wanted`.
    fn hop(&self, target: &Target, me: &Me, wanted: bool) -> Result<(Hop, Vec<Target>), ConfigError> {
        let mut found = Found::default();
        for line in &self.lines {
            if line
                .conditions
                .iter()
                .all(|condition| condition.holds(target, &found, me))
            {
                found.take(line);
            }
        }
        let fixed = Tokens {
            host: target.host.clone(),
            original: target.host.clone(),
            user: String::new(),
            port: String::new(),
            me,
        };
        let host = match found.host_name {
            Some(line) => fixed.expand(line, &line.arguments[0])?,
            None => target.host.clone(),
        };
        let port = match (target.port, found.port) {
            (Some(port), _) => port,
            (None, Some(line)) => match line.arguments[0].parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(ConfigError::new(&line.place, "a port is a number from 1 to 65535")),
            },
            (None, None) => DEFAULT_PORT,
        };
        let user = match (&target.user, found.user) {
            (Some(user), _) => user.clone(),
            (None, Some(line)) => line.arguments[0].clone(),
            (None, None) => me.user.clone(),
        };
        let tokens = Tokens {
            host: host.clone(),
            original: target.host.clone(),
            user: user.clone(),
            port: port.to_string(),
            me,
        };
        let mut identities = Vec::new();
        for line in &found.identities {
            if !line.arguments[0].eq_ignore_ascii_case("none") {
                identities.push(tokens.path(line, &line.arguments[0])?);
            }
        }
        let mut jumps = Vec::new();
        match found.proxy.filter(|_| wanted) {
            Some(line) if line.arguments[0].eq_ignore_ascii_case("none") => {}
            Some(line) if line.keyword == "proxycommand" => {
                let what = format!("ProxyCommand is not supported; say ProxyJump there, or --jump, to reach {target}");
                return Err(ConfigError::new(&line.place, what));
            }
            Some(line) => {
                for text in tokens.expand(line, &line.arguments[0])?.split(',') {
                    let jump = text.trim().parse::<Target>();
                    jumps.push(jump.map_err(|error| ConfigError::new(&line.place, error.to_string()))?);
                }
            }
            None => {}
        }
        // `Host *` with a ProxyJump is meant for all hosts but the jump host.
        if let [jump] = &jumps[..]
            && jump.host == target.host
        {
            jumps.clear();
        }
        let hop = Hop {
            host,
            port,
            user,
            identities,
            identities_only: found
                .identities_only
                .is_some_and(|line| line.arguments[0].eq_ignore_ascii_case("yes")),
        };
        Ok((hop, jumps))
    }
}

impl Condition {
    fn holds(&self, target: &Target, found: &Found, me: &Me) -> bool {
        let words = match self {
            Self::Host(patterns) => return list_matches(patterns.iter().map(String::as_str), &target.host),
            Self::Match(words) => words,
        };
        let host = found.host_name.map_or(&target.host, |line| &line.arguments[0]);
        let user = target.user.as_ref().or(found.user.map(|line| &line.arguments[0]));
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (no, condition) = match word.strip_prefix('!') {
                Some(condition) => (true, condition),
                None => (false, word.as_str()),
            };
            let subject = match condition.to_ascii_lowercase().as_str() {
                "all" => continue,
                "host" => host,
                "originalhost" => &target.host,
                "user" => user.unwrap_or(&me.user),
                "localuser" => &me.user,
                // What a command would say, or a second reading, is not known here.
                _ => return false,
            };
            let Some(patterns) = words.next() else { return false };
            if list_matches(patterns.split(','), subject) == no {
                return false;
            }
        }
        true
    }
}

/// Whether a list of patterns is that of `name`; a negated one that matches says no.
fn list_matches<'a>(patterns: impl Iterator<Item = &'a str>, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, name) => return false,
            Some(_) => {}
            None => found |= matches(pattern, name),
        }
    }
    found
}

/// The lines that count for a host: the first of each keyword.
#[derive(Default)]
struct Found<'a> {
    host_name: Option<&'a Line>,
    user: Option<&'a Line>,
    port: Option<&'a Line>,
    /// ProxyJump and ProxyCommand, of which the first counts.
    proxy: Option<&'a Line>,
    identities: Vec<&'a Line>,
    identities_only: Option<&'a Line>,
}

impl<'a> Found<'a> {
    fn take(&mut self, line: &'a Line) {
        let slot = match line.keyword.as_str() {
            "hostname" => &mut self.host_name,
            "user" => &mut self.user,
            "port" => &mut self.port,
            "proxyjump" | "proxycommand" => &mut self.proxy,
            "identitiesonly" => &mut self.identities_only,
            "identityfile" => return self.identities.push(line),
            _ => return,
        };
        slot.get_or_insert(line);
    }
}

/// What `%` tokens stand for.
struct Tokens<'a> {
    host: String,
    original: String,
    user: String,
    port: String,
    me: &'a Me,
}

impl Tokens<'_> {
    fn expand(&self, line: &Line, text: &str) -> Result<String, ConfigError> {
        let mut expanded = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                expanded.push(letter);
                continue;
            }
            match letters.next() {
                Some('%') => expanded.push('%'),
                Some('h') => expanded += &self.host,
                Some('n') => expanded += &self.original,
                Some('p') => expanded += &self.port,
                Some('r') => expanded += &self.user,
                Some('u') => expanded += &self.me.user,
                Some('d') => expanded += &self.me.home.as_deref().unwrap_or(Path::new("/")).to_string_lossy(),
                other => {
                    let token: String = other.into_iter().collect();
                    let what = format!("the token %{token} is not supported in {}", line.keyword);
                    return Err(ConfigError::new(&line.place, what));
                }
            }
        }
        Ok(expanded)
    }

    fn path(&self, line: &Line, text: &str) -> Result<PathBuf, ConfigError> {
        let path = self.expand(line, text)?;
        Ok(match (path.strip_prefix("~/"), &self.me.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        })
    }
}

/// The keyword, in lower case, and the arguments of a line; None for one that says nothing.
fn words(line: &str) -> Result<Option<(String, Vec<String>)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let keyword = line[..end].to_ascii_lowercase();
    let rest = line[end..].trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut arguments = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in rest.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            c if c.is_whitespace() && !quoted => arguments.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    arguments.extend(word);
    Ok(Some((keyword, arguments)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Me {
        Me {
            home: Some("/home/ops".into()),
            user: "ops".into(),
        }
    }

    fn config(text: &str) -> Config {
        Config::parse("config", text, &me(), &|path| panic!("{} was read", path.display())).unwrap()
    }

    fn route(config: &Config, target: &str) -> Result<String, ConfigError> {
        let hops = config.route(&target.parse().unwrap(), &[], &me())?;
        let hops = hops.iter().map(|hop| format!("{}@{}:{}", hop.user, hop.host, hop.port));
        Ok(hops.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_target_comes_to_what_ssh_would_make_of_it() {
        let config = config(
            "Host nfs\n  HostName 10.0.0.1\n  User root\n  Port = 2222\nhost *.lab !no.lab\n  hostname %h.example.org\n\
             \tuser=\"admin\" # the usual one\nMatch host 10.0.0.1\n User other\nMatch originalhost web exec \"true\"\n\
             User never\nMatch !localuser root originalhost db\nUser dba\nHost *\n  User last\n",
        );
        for (target, hops) in [
            ("nfs", "root@10.0.0.1:2222"),
            ("ops@nfs:22", "ops@10.0.0.1:22"),
            ("a.lab", "admin@a.lab.example.org:22"),
            ("no.lab", "last@no.lab:22"),
            ("10.0.0.1", "other@10.0.0.1:22"),
            ("web", "last@web:22"),
            ("db", "dba@db:22"),
        ] {
            assert_eq!(route(&config, target).as_deref(), Ok(hops), "{target}");
        }
        assert_eq!(route(&Config::default(), "nfs").as_deref(), Ok("ops@nfs:22"));
    }

    #[test]
    fn jump_hosts_come_first_each_with_its_own_settings() {
        let config = config(
            "Host inner\n ProxyJump a,root@b:2200\nHost a\n HostName 10.0.0.1\n ProxyJump gate\nHost b\n User nobody\n \
             HostName 10.0.0.2\n ProxyJump ignored\nHost gate\n User gatekeeper\nHost direct\n ProxyJump none\nHost any hub\n ProxyJump hub\n",
        );
        for (target, hops) in [
            (
                "inner",
                "gatekeeper@gate:22 ops@10.0.0.1:22 root@10.0.0.2:2200 ops@inner:22",
            ),
            ("a", "gatekeeper@gate:22 ops@10.0.0.1:22"),
            ("direct", "ops@direct:22"),
            ("any", "ops@hub:22 ops@any:22"),
            ("hub", "ops@hub:22"),
        ] {
            assert_eq!(route(&config, target).as_deref(), Ok(hops), "{target}");
        }
        let jump = ["b".parse().unwrap(), "direct".parse().unwrap()];
        let hops = config.route(&"inner".parse().unwrap(), &jump, &me()).unwrap();
        let names: Vec<_> = hops.iter().map(|hop| hop.host.as_str()).collect();
        let wanted = ["ignored", "10.0.0.2", "direct", "inner"];
        assert_eq!(names, wanted, "--jump comes before the configuration");
        let error = self::config("Host a\nProxyJump b\nHost b\nProxyJump a\n");
        let error = route(&error, "a").unwrap_err().to_string();
        assert!(error.contains("jump through each other"), "{error}");
    }

    #[test]
    fn key_files_add_up_and_have_tokens() {
        let config = config(
            "Host nfs\n HostName 10.0.0.1\n IdentityFile ~/.ssh/%n\n IdentityFile %d/keys/%r@%h-%p\nIdentityFile none\n\
             IdentityFile /etc/\"a key\"\nIdentitiesOnly yes\n",
        );
        let hops = config.route(&"root@nfs".parse().unwrap(), &[], &me()).unwrap();
        assert!(hops[0].identities_only);
        let paths = ["/home/ops/.ssh/nfs", "/home/ops/keys/root@10.0.0.1-22", "/etc/a key"];
        assert_eq!(hops[0].identities, paths.map(PathBuf::from));
    }

    #[test]
    fn included_files_stand_where_they_are_included() {
        let read = |path: &Path| match path.to_str().unwrap() {
            "/home/ops/.ssh/conf.d/*" => vec![
                ("one".to_owned(), "User one\nHost other\nUser never\n".to_owned()),
                ("two".to_owned(), "Port 2\n".to_owned()),
            ],
            "/etc/all" => vec![("all".to_owned(), "Include ~/again\n".to_owned())],
            "/home/ops/again" => vec![("again".to_owned(), "Include /etc/all\n".to_owned())],
            path => panic!("{path} was read"),
        };
        let text = "Host nfs\n Include conf.d/*\n User late\nHost *\n User rest\n";
        let config = Config::parse("config", text, &me(), &read).unwrap();
        assert_eq!(route(&config, "nfs").as_deref(), Ok("one@nfs:2"));
        assert_eq!(route(&config, "other").as_deref(), Ok("rest@other:22"));
        let error = Config::parse("config", "Include /etc/all", &me(), &read).unwrap_err();
        assert!(error.to_string().contains("include each other"), "{error}");
    }

    #[test]
    fn what_cannot_be_honoured_names_its_line() {
        for (text, words) in [
            (
                "Host nfs\nProxyCommand nc %h %p\n",
                "config:2: ProxyCommand is not supported",
            ),
            ("Port 0\n", "config:1: a port"),
            ("\nHostName %x\n", "config:2: the token %x"),
            ("ProxyJump a b@\nProxyJump @\n", "ops@a:22 ops@nfs:22"),
            ("ProxyJump @\n", "config:1: \"@\""),
        ] {
            let said = route(&config(text), "nfs").unwrap_or_else(|error| error.to_string());
            assert!(said.contains(words), "{text}: {said}");
        }
        for (text, words) in [
            ("Host \"nfs\n", "config:1: a quote"),
            ("Host\n", "config:1: host needs a pattern"),
            ("\nUser\n", "config:2: user needs a value"),
        ] {
            let error = Config::parse("config", text, &me(), &|_| Vec::new()).unwrap_err();
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }
}
