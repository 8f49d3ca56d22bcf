//! Whether a host is the one it should be: its key against what is recorded, and new keys recorded.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::{Access, ConnectError, HostKeys};
use crate::host::known_hosts::{self, File, PublicKey, Verdict, judge, recorded_kinds};
use crate::host::ssh_config::Hop;

/// Files that hold for all users of this machine.
const GLOBAL: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

/// Types of host keys, with the algorithms that use them; the best first. Certificates are left out, for nothing here
/// can check them, and so are DSA and SHA-1.
const KINDS: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256"),
];

/// What is recorded about hosts.
pub(super) struct Trust<'a> {
    access: &'a Access,
    files: Vec<File>,
}

impl<'a> Trust<'a> {
    /// Reads the files anew: what was recorded a moment ago counts.
    pub(super) fn read(access: &'a Access) -> Self {
        let own = access.home.iter().flat_map(|home| {
            let directory = home.join(".ssh");
            [directory.join("known_hosts"), directory.join("known_hosts2")]
        });
        let paths = own.chain(GLOBAL.iter().map(Into::into));
        let files = paths.filter_map(|path| {
            let bytes = fs::read(&path).ok()?;
            Some(File {
                name: path.display().to_string(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            })
        });
        Self {
            access,
            files: files.collect(),
        }
    }

    /// The algorithms to ask for, so that a host with keys of several types shows one that is recorded. None when
    /// nothing usable is.
    pub(super) fn recorded(&self, hop: &Hop) -> Option<String> {
        let recorded = recorded_kinds(&self.files, &hop.host, hop.port);
        let usable = KINDS
            .iter()
            .filter(|(kind, _)| recorded.iter().any(|found| found == kind));
        let algorithms: Vec<_> = usable.map(|(_, algorithms)| *algorithms).collect();
        (!algorithms.is_empty()).then(|| algorithms.join(","))
    }

    /// All algorithms.
    pub(super) fn any() -> String {
        KINDS.map(|(_, algorithms)| algorithms).join(",")
    }

    /// Decides about the key that a host showed; `last` if it is where the way ends.
    pub(super) fn check(&self, hop: &Hop, key: &PublicKey, last: bool) -> Result<(), ConnectError> {
        let name = known_hosts::name(&hop.host, hop.port);
        let no = |why: String| {
            Err(ConnectError::HostKey {
                host: name.clone(),
                why,
            })
        };
        let pinned = self.access.fingerprint.as_ref().filter(|_| last);
        if let Some(fingerprint) = pinned
            && *fingerprint != key.fingerprint()
        {
            return no(format!("its key is {key}, and --host-fingerprint says {fingerprint}"));
        }
        let authority = match judge(&self.files, &hop.host, hop.port, key) {
            Verdict::Known => return Ok(()),
            Verdict::Revoked { place } => return no(format!("its key {key} is marked @revoked in {place}")),
            Verdict::Changed { place, recorded } => {
                return no(format!(
                    "its key has changed: it shows {key}, and {place} has {recorded}; somebody may be listening in; \
                     if it was set up anew, take the old key out with: ssh-keygen -R '{name}'"
                ));
            }
            Verdict::Unknown { authority } => authority,
        };
        let line = known_hosts::line(&hop.host, hop.port, key);
        if pinned.is_some() {
            self.record(&name, &line);
            return Ok(());
        }
        if self.access.ask.has_accepted(&line) {
            return Ok(());
        }
        let note = match &authority {
            Some(place) => {
                format!(" ({place} has an authority for such hosts, whose certificates can't be checked here)")
            }
            None => String::new(),
        };
        match self.access.host_keys {
            HostKeys::AcceptNew if authority.is_none() => {
                tracing::info!(host = name, key = %key, "a new host: its key is recorded");
            }
            HostKeys::Strict | HostKeys::AcceptNew => {
                return no(format!(
                    "its key {key} is not in known_hosts{note}; if it is right, pass --host-fingerprint {}",
                    key.fingerprint()
                ));
            }
            HostKeys::Ask => {
                let question = format!("{name} is not known yet{note}; its key is {key}. Trust it?");
                match self.access.ask.yes(&question) {
                    Some(true) => {}
                    Some(false) => return no(format!("its key {key} was not accepted")),
                    None => {
                        return no(format!(
                            "its key {key} is not in known_hosts{note}, and there is no terminal to ask on; pass \
                             --host-fingerprint {} or --host-key accept-new",
                            key.fingerprint()
                        ));
                    }
                }
            }
        }
        self.record(&name, &line);
        Ok(())
    }

    /// Keeps a key for later connections: in known_hosts, or where that can't be written, in memory.
    fn record(&self, name: &str, line: &str) {
        self.access.ask.accept(line);
        let Some(home) = &self.access.home else { return };
        if let Err(error) = append(&home.join(".ssh"), line) {
            tracing::warn!(host = name, "its key can't be recorded in ~/.ssh/known_hosts: {error}");
        }
    }
}

/// Adds a line at the end of known_hosts, under a lock, unless it is there by now. Nothing in the file is changed.
fn append(directory: &Path, line: &str) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = options.open(directory.join("known_hosts"))?;
    file.lock()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let wanted = line.trim_end().as_bytes();
    if bytes.split(|byte| *byte == b'\n').any(|found| found == wanted) {
        return Ok(());
    }
    let broken_off = !matches!(bytes.last(), None | Some(b'\n'));
    let line = if broken_off {
        format!("\n{line}")
    } else {
        line.to_owned()
    };
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_line_is_added_once_and_the_rest_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".ssh");
        let file = directory.join("known_hosts");
        append(&directory, "a ssh-ed25519 AAAA\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
        let before = b"# mine\nnonsense \xff\na ssh-ed25519 AAAA # note";
        fs::write(&file, before).unwrap();
        append(&directory, "b ssh-ed25519 BBBB\n").unwrap();
        append(&directory, "b ssh-ed25519 BBBB\n").unwrap();
        let after = [&before[..], b"\nb ssh-ed25519 BBBB\n"].concat();
        assert_eq!(fs::read(&file).unwrap(), after);
    }

    #[test]
    fn many_at_once_lose_no_line() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".ssh");
        fs::create_dir(&directory).unwrap();
        std::thread::scope(|scope| {
            for number in 0..16 {
                let directory = &directory;
                scope.spawn(move || append(directory, &format!("host{number} ssh-ed25519 AAAA\n")).unwrap());
            }
        });
        let text = fs::read_to_string(directory.join("known_hosts")).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 16);
        assert!(lines.iter().all(|line| line.ends_with(" ssh-ed25519 AAAA")), "{text}");
    }
}
