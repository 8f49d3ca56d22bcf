//! What known_hosts files say about a host's key (PURE).
//!
//! libssh2's own look-up is not used: it doesn't know wildcards, negation or
//! `@revoked`, takes a key of another type for a wrong one, and gives up on
//! a file at the first line that it can't read. The format is sshd(8)'s,
//! "SSH_KNOWN_HOSTS FILE FORMAT". [`judge_key`] judges a key; no file is read or written here.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::{digest, hmac};

use super::target::DEFAULT_PORT;

/// A host's public key, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
}

impl PublicKey {
    /// The key of this blob, which is not checked.
    pub fn new(blob: &[u8]) -> Self {
        Self { blob: blob.to_owned() }
    }

    /// Its type, as known_hosts files name it, such as `ssh-ed25519`; `unknown` if the blob does not begin with one.
    pub fn kind(&self) -> &str {
        let name = self.blob.split_at_checked(4).and_then(|(length, rest)| {
            let length = u32::from_be_bytes(length.try_into().ok()?);
            rest.get(..usize::try_from(length).ok()?)
        });
        name.and_then(|name| std::str::from_utf8(name).ok())
            .unwrap_or("unknown")
    }

    /// Whether this is a certificate for `key`: after its type and a random field come the same bytes as in the key
    /// after its type. Neither its signature nor its dates are checked.
    pub fn certifies(&self, key: &Self) -> bool {
        let of = |blob: &[u8], skipped: usize| {
            let mut rest = blob.to_vec();
            for _ in 0..skipped {
                let (length, after) = rest.split_at_checked(4)?;
                let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
                rest = after.get(length..)?.to_vec();
            }
            Some(rest)
        };
        let is_certificate = self.kind().ends_with("-cert-v01@openssh.com");
        let (own, keys) = (of(&self.blob, 2), of(&key.blob, 1));
        is_certificate && own.zip(keys).is_some_and(|(own, keys)| own.starts_with(&keys))
    }

    /// The key in base64, as files hold it.
    pub fn encoded(&self) -> String {
        STANDARD.encode(&self.blob)
    }

    /// `SHA256:` and the digest, as ssh-keygen -l shows it.
    pub fn fingerprint(&self) -> String {
        let digest = digest::digest(&digest::SHA256, &self.blob);
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))
    }
}

impl fmt::Display for PublicKey {
    /// Writes its type and fingerprint, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.fingerprint())
    }
}

/// A known_hosts file that has been read.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is, for messages.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A line of a known_hosts file, shown as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine(String);

impl fmt::Display for FileLine {
    /// Writes `FILE:LINE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the files say about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// Nothing is recorded for the host, but perhaps an authority for the keys of hosts like it.
    Unknown {
        /// Where the authority's key is recorded.
        authority: Option<FileLine>,
    },
    /// The host has another key.
    Changed {
        /// Where that one is recorded.
        place: FileLine,
        /// What is recorded there.
        recorded: PublicKey,
    },
    /// The key must not be accepted for any host that the line matches.
    Revoked {
        /// Where that is recorded.
        place: FileLine,
    },
}

/// The name under which a host on `port` is recorded: `host` in lower case, or `[host]:port` if that is not port 22.
pub fn recorded_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    match port {
        DEFAULT_PORT => host,
        port => format!("[{host}]:{port}"),
    }
}

/// The types of the keys that are recorded for a host on this port, as files name them, without duplicates; revoked
/// keys and those of authorities are left out, and for a port other than 22 those of the name without port.
pub fn recorded_kinds(files: &[File], host: &str, port: u16) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for entry in own_entries(files, &recorded_name(host, port)) {
        let kind = entry.key.kind().to_owned();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Compares the key that a host showed with those in `files`.
///
/// A revoked key is refused wherever its line is. If any key is recorded for the host, every other one counts as
/// changed. A host with a port has a name of its own; a key recorded for the name without port is accepted if none is
/// recorded for the port, as by ssh.
pub fn judge_key(files: &[File], host: &str, port: u16, key: &PublicKey) -> Verdict {
    let full = recorded_name(host, port);
    let plain = recorded_name(host, DEFAULT_PORT);
    for entry in files.iter().flat_map(parse_entries) {
        if entry.mark == Mark::Revoked && entry.key == *key && (entry.is_for(&full) || entry.is_for(&plain)) {
            return Verdict::Revoked { place: entry.place };
        }
    }
    let own: Vec<_> = own_entries(files, &full).collect();
    if own.iter().any(|entry| entry.key == *key) {
        return Verdict::Known;
    }
    // The recorded key of the same type says most about what has changed.
    let same_kind = own.iter().find(|entry| entry.key.kind() == key.kind());
    if let Some(entry) = same_kind.or(own.first()) {
        return Verdict::Changed {
            place: entry.place.clone(),
            recorded: entry.key.clone(),
        };
    }
    if full != plain && own_entries(files, &plain).any(|entry| entry.key == *key) {
        return Verdict::Known;
    }
    let authority = files
        .iter()
        .flat_map(parse_entries)
        .find(|entry| entry.mark == Mark::Authority && entry.is_for(&full));
    Verdict::Unknown {
        authority: authority.map(|entry| entry.place),
    }
}

/// The line that records a key for a host, with its newline.
pub fn format_line(host: &str, port: u16, key: &PublicKey) -> String {
    format!("{} {} {}\n", recorded_name(host, port), key.kind(), key.encoded())
}

/// The line, with its newline, that records a key for a host under a hash of its name, as HashKnownHosts writes it.
/// `salt` has to be random.
pub fn hashed_line(host: &str, port: u16, key: &PublicKey, salt: &[u8; SALT_LENGTH]) -> String {
    let hash_key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
    let hash = hmac::sign(&hash_key, recorded_name(host, port).as_bytes());
    let (salt, hash) = (STANDARD.encode(salt), STANDARD.encode(hash));
    format!("|1|{salt}|{hash} {} {}\n", key.kind(), key.encoded())
}

/// How many random bytes the hash of a host's name begins with.
pub const SALT_LENGTH: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    None,
    Revoked,
    Authority,
}

/// A line that could be read; all others are passed over.
#[derive(Debug)]
struct Entry<'a> {
    mark: Mark,
    hosts: &'a str,
    key: PublicKey,
    place: FileLine,
}

/// The entries that record a key of the host whose name in the files is `recorded_name`; those of authorities and of
/// revoked keys are left out.
fn own_entries<'a>(files: &'a [File], recorded_name: &'a str) -> impl Iterator<Item = Entry<'a>> {
    let own = move |entry: &Entry| entry.mark == Mark::None && entry.is_for(recorded_name);
    files.iter().flat_map(parse_entries).filter(own)
}

/// The entries of a file; lines that can't be read are skipped.
fn parse_entries(file: &File) -> impl Iterator<Item = Entry<'_>> {
    let lines = file.text.lines().enumerate();
    lines.filter_map(|(number, line)| {
        let mut words = line.split_ascii_whitespace().peekable();
        let mark = match *words.peek()? {
            "@revoked" => Mark::Revoked,
            "@cert-authority" => Mark::Authority,
            word if word.starts_with(['@', '#']) => return None,
            _ => Mark::None,
        };
        if mark != Mark::None {
            words.next();
        }
        let (hosts, kind, encoded) = (words.next()?, words.next()?, words.next()?);
        let key = PublicKey::new(&STANDARD.decode(encoded).ok()?);
        (key.kind() == kind).then(|| Entry {
            mark,
            hosts,
            key,
            place: FileLine(format!("{}:{}", file.name, number + 1)),
        })
    })
}

impl Entry<'_> {
    /// Whether the entry is for the host recorded as `name`. A negated pattern that matches overrules all others.
    fn is_for(&self, name: &str) -> bool {
        if let Some(hash) = self.hosts.strip_prefix("|1|") {
            return hash_is_of(hash, name).unwrap_or(false);
        }
        let mut found = false;
        for pattern in self.hosts.split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches_pattern(pattern, name) => return false,
                Some(_) => {}
                None => found |= matches_pattern(pattern, name),
            }
        }
        found
    }
}

/// Whether `SALT|HASH`, as HashKnownHosts writes it, is that of `name`; `None` if the text is of another form.
fn hash_is_of(hash: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hash.split_once('|')?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &STANDARD.decode(salt).ok()?);
    let hash = STANDARD.decode(hash).ok()?;
    Some(hmac::verify(&key, name.as_bytes(), &hash).is_ok())
}

/// Whether a whole name matches a pattern with `*` and `?`; case does not matter. `[` and `!` stand for themselves.
pub(super) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase().into_bytes(), name.to_lowercase().into_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where to go on when what follows the last `*` doesn't fit: let the star take one more.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&c) if c == b'?' || c == name[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, seed: u8) -> PublicKey {
        let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        blob.extend(kind.as_bytes());
        blob.extend([0, 0, 0, 4, seed, seed, seed, seed]);
        PublicKey::new(&blob)
    }

    fn text(key: &PublicKey) -> String {
        format!("{} {}", key.kind(), STANDARD.encode(&key.blob))
    }

    fn file(text: &str) -> Vec<File> {
        vec![File {
            name: "known_hosts".into(),
            text: text.into(),
        }]
    }

    /// `nfs` and `[nfs]:2222`, as ssh-keygen -H hashes them.
    const HASHED: &str = "|1|X+tZREvJlSVR7vXfTMRrA6rCliE=|Bvcmo6ZG7ILPbCOpE+fQ59lbNJo=";
    const HASHED_WITH_PORT: &str = "|1|QM75z6FzaSe9gl6mndzQpQMS+sE=|avdw5Ee7O6ER5SlKUfsJn4Pw5sI=";

    #[test]
    fn a_host_is_found_however_it_is_written() {
        let valid = key("ssh-ed25519", 1);
        for (hosts, host, port) in [
            ("nfs", "nfs", 22),
            ("NFS", "nfs", 22),
            ("nfs", "NFS", 22),
            ("other,nfs,10.0.0.1", "nfs", 22),
            ("*.example.org", "nfs.example.org", 22),
            ("n?s", "nfs", 22),
            ("*,!other", "nfs", 22),
            ("[nfs]:2222", "nfs", 2222),
            ("[*]:2222", "nfs", 2222),
            ("[fd00::1]:2222", "fd00::1", 2222),
            ("fd00::1", "fd00::1", 22),
            // Nothing is recorded for the port, and the plain name has the very key.
            ("nfs", "nfs", 2222),
            (HASHED, "nfs", 22),
            (HASHED_WITH_PORT, "nfs", 2222),
            (HASHED, "NFS", 22),
        ] {
            let files = file(&format!("{hosts} {}\n", text(&valid)));
            assert_eq!(
                judge_key(&files, host, port, &valid),
                Verdict::Known,
                "{hosts} for {host}:{port}"
            );
        }
    }

    #[test]
    fn another_hosts_line_says_nothing() {
        let valid = key("ssh-ed25519", 1);
        for (hosts, host, port) in [
            ("nfs", "nfs2", 22),
            ("nfs2", "nfs", 22),
            ("*,!nfs", "nfs", 22),
            ("!nfs,*", "nfs", 22),
            ("!other", "nfs", 22),
            ("[nfs]:2222", "nfs", 22),
            ("[nfs]:2222", "nfs", 2223),
            ("*.example.org", "example.org", 22),
            ("n?s", "ns", 22),
            (HASHED, "nfs2", 22),
            (HASHED_WITH_PORT, "nfs", 22),
            ("|1|notbase64!|AAAA", "nfs", 22),
            ("|1|AAAA", "nfs", 22),
        ] {
            let files = file(&format!("{hosts} {}\n", text(&valid)));
            let unknown = Verdict::Unknown { authority: None };
            assert_eq!(
                judge_key(&files, host, port, &valid),
                unknown,
                "{hosts} for {host}:{port}"
            );
        }
    }

    #[test]
    fn a_changed_key_is_seen_whatever_its_type() {
        let (old, new) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
        let other_type = key("ecdsa-sha2-nistp256", 1);
        let files = file(&format!("# mine\n\nnfs {}\n", text(&old)));
        for shown in [&new, &other_type] {
            let Verdict::Changed { place, recorded } = judge_key(&files, "nfs", 22, shown) else {
                panic!("{shown} was not noticed");
            };
            assert_eq!((place.to_string().as_str(), recorded), ("known_hosts:3", old.clone()));
        }
        // An equal key under the plain name doesn't excuse a wrong one under the port's.
        let files = file(&format!("nfs {}\n[nfs]:2222 {}\n", text(&new), text(&old)));
        assert!(matches!(judge_key(&files, "nfs", 2222, &new), Verdict::Changed { .. }));
        // A second key of the host may stand anywhere, in another file too.
        let mut files = file(&format!("nfs {}\n", text(&old)));
        files.extend(file(&format!("nfs {}\n", text(&new))));
        assert_eq!(judge_key(&files, "nfs", 22, &new), Verdict::Known);
    }

    #[test]
    fn a_revoked_key_is_refused_even_if_it_is_recorded() {
        let (bad, valid) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
        let files = file(&format!(
            "nfs {}\n@revoked * {}\nnfs {}\n",
            text(&bad),
            text(&bad),
            text(&valid)
        ));
        let Verdict::Revoked { place } = judge_key(&files, "nfs", 22, &bad) else {
            panic!("a revoked key was not noticed");
        };
        assert_eq!(place.to_string(), "known_hosts:2");
        assert_eq!(judge_key(&files, "nfs", 22, &valid), Verdict::Known);
        let elsewhere = file(&format!("@revoked other {}\nnfs {}\n", text(&bad), text(&bad)));
        assert_eq!(judge_key(&elsewhere, "nfs", 22, &bad), Verdict::Known);
        // The plain name's revocation holds on every port.
        let plain = file(&format!("@revoked nfs {}\n[nfs]:2222 {}\n", text(&bad), text(&bad)));
        assert!(matches!(judge_key(&plain, "nfs", 2222, &bad), Verdict::Revoked { .. }));
    }

    #[test]
    fn an_authority_is_recognised_and_is_no_key_of_the_host() {
        let key = key("ssh-ed25519", 1);
        let files = file(&format!("@cert-authority *.example.org {}\n", text(&key)));
        let Verdict::Unknown { authority: Some(place) } = judge_key(&files, "nfs.example.org", 22, &key) else {
            panic!("the authority was not recognised");
        };
        assert_eq!(place.to_string(), "known_hosts:1");
        let unknown = Verdict::Unknown { authority: None };
        assert_eq!(judge_key(&files, "nfs", 22, &key), unknown);
    }

    #[test]
    fn lines_that_cannot_be_read_are_passed_over() {
        let valid = key("ssh-ed25519", 1);
        let files = file(&format!(
            "nonsense\nnfs ssh-ed25519\nnfs ssh-ed25519 !!!\nnfs ssh-rsa {}\n@new nfs {}\n|\n\u{feff}\nnfs {}",
            STANDARD.encode(&key("ssh-ed25519", 9).blob),
            text(&key("ssh-ed25519", 8)),
            text(&valid)
        ));
        assert_eq!(judge_key(&files, "nfs", 22, &valid), Verdict::Known);
        assert_eq!(recorded_kinds(&files, "nfs", 22), ["ssh-ed25519"]);
    }

    #[test]
    fn a_line_that_was_written_is_found_again() {
        let key = key("ecdsa-sha2-nistp256", 3);
        for (host, port) in [("nfs", 22), ("Nfs", 2222), ("fd00::1", 22), ("fd00::1", 23)] {
            let hashed = hashed_line(host, port, &key, &[9; SALT_LENGTH]);
            assert!(!hashed.to_lowercase().contains(&host.to_lowercase()), "{hashed}");
            for line in [format_line(host, port, &key), hashed] {
                let verdict = judge_key(&file(&line), host, port, &key);
                assert_eq!(verdict, Verdict::Known, "{host}:{port}: {line}");
            }
        }
    }

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        // ssh-keygen -lf on this line says so.
        let line = "AAAAC3NzaC1lZDI1NTE5AAAAINqzhmqLtXk+ZmYkEZTEYfLnf5nQ7wPGhYSSmwcX6kk+";
        let key = PublicKey::new(&STANDARD.decode(line).unwrap());
        assert_eq!(key.kind(), "ssh-ed25519");
        assert_eq!(key.fingerprint(), "SHA256:5RjoeWDTkEiHAHZ3cJK9R0z69Zq/Vyhj1YWpLNh2J2c");
        assert_eq!(PublicKey::new(b"\0\0\xff\xff").kind(), "unknown");
    }
}
