//! Decides whether a host key is trusted, by known_hosts and the policy for new keys, and records new keys. The main
//! type is [`Trust`]. A key that has changed is never accepted or replaced.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::route::Hop;
use super::{Access, ConnectError, HostKeys, client, random_bytes};
use crate::host::known_hosts::{self, File, PublicKey, Verdict, judge_key, recorded_kinds};
use crate::host::ssh_settings::StrictHostKeys;

/// Types of host keys, with the algorithms that use them; the best first. Certificates are left out, for nothing here
/// can check them, and so are DSA and SHA-1.
const KINDS: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256"),
];

/// What is recorded about a host.
pub(super) struct Trust<'a> {
    access: &'a Access,
    hop: &'a Hop,
    files: Vec<File>,
}

impl<'a> Trust<'a> {
    /// Reads the known_hosts files, for each connection anew, and the output of the KnownHostsCommand. Files that can't
    /// be read are skipped.
    ///
    /// # Errors
    /// [`ConnectError::HostKey`] when a KnownHostsCommand can't be run, fails, or does not end in time.
    pub(super) fn read_known_hosts(access: &'a Access, hop: &'a Hop) -> Result<Self, ConnectError> {
        let paths = hop.known_hosts.iter().chain(&hop.global_known_hosts);
        let files = paths.filter_map(|path| {
            let bytes = fs::read(path).ok()?;
            Some(File {
                name: path.display().to_string(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            })
        });
        let mut files: Vec<File> = files.collect();
        if let Some((program, arguments)) = hop.known_hosts_command.split_first() {
            let mut command = Command::new(program);
            command.args(arguments);
            let printed = client::run_program(command, "", access.connect_timeout);
            let printed = printed.map_err(String::from).and_then(|printed| match printed.success {
                true => Ok(printed.stdout),
                false => Err(printed.stderr),
            });
            let text = printed.map_err(|error| ConnectError::HostKey {
                host: hop.name(),
                why: format!("KnownHostsCommand failed: {error}"),
            })?;
            files.push(File {
                name: format!("KnownHostsCommand {program}"),
                text: String::from_utf8_lossy(&text).into_owned(),
            });
        }
        Ok(Self { access, hop, files })
    }

    /// The algorithms to ask for, with commas between, so that a host with keys of several types shows one that is
    /// recorded. `None` if no usable key is recorded.
    pub(super) fn recorded_algorithms(&self) -> Option<String> {
        let (name, port) = &self.hop.recorded_as;
        let recorded = recorded_kinds(&self.files, name, *port);
        let usable = KINDS
            .iter()
            .filter(|(kind, _)| recorded.iter().any(|found| found == kind));
        let algorithms: Vec<_> = usable.map(|(_, algorithms)| *algorithms).collect();
        (!algorithms.is_empty()).then(|| algorithms.join(","))
    }

    /// The algorithms of all key types, the best first, with commas between.
    pub(super) fn all_algorithms() -> String {
        KINDS.map(|(_, algorithms)| algorithms).join(",")
    }

    /// Accepts the key that the host showed, or fails with the reason. A changed or revoked key, or one of another
    /// fingerprint than `--host-fingerprint` names, is refused without a question. A new key that `--host-fingerprint`
    /// names is accepted whatever the policy; about others it asks if the policy says so. `AcceptNew` refuses it if an
    /// authority is recorded for the host. Records a key that was accepted; a failure of that is only logged.
    pub(super) fn check_key(&self, key: &PublicKey) -> Result<(), ConnectError> {
        let name = self.hop.name();
        let no = |why: String| {
            Err(ConnectError::HostKey {
                host: name.clone(),
                why,
            })
        };
        let pinned = &self.access.fingerprints;
        if !pinned.is_empty() && !pinned.contains(&key.fingerprint()) {
            return no(format!(
                "its key is {key}, and --host-fingerprint says {}",
                pinned.join(" or ")
            ));
        }
        if let Some(file) = &self.hop.revoked_host_keys {
            match is_revoked(file, key, self.access.connect_timeout) {
                Ok(false) => {}
                Ok(true) => {
                    return no(format!(
                        "its key {key} is revoked by RevokedHostKeys, {}",
                        file.display()
                    ));
                }
                Err(why) => return no(format!("RevokedHostKeys can't be asked about its key: {why}")),
            }
        }
        let (recorded_name, port) = &self.hop.recorded_as;
        let authority = match judge_key(&self.files, recorded_name, *port, key) {
            Verdict::Known => return Ok(()),
            Verdict::Revoked { place } => return no(format!("its key {key} is marked @revoked in {place}")),
            Verdict::Changed { place, recorded } => {
                return no(format!(
                    "its key has changed: it shows {key}, and {place} has {recorded}; this may be an attack; \
                     if the host was reinstalled, remove the old key: ssh-keygen -R '{name}'"
                ));
            }
            Verdict::Unknown { authority } => authority,
        };
        let line = known_hosts::format_line(recorded_name, *port, key);
        if !pinned.is_empty() {
            self.record_key(&name, &line, key);
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
        match self.unknown_key_policy() {
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
                let ask = || self.access.ask.is_key_accepted(&line, &question);
                match self.hop.check_may_ask().and_then(|()| ask()) {
                    Ok(true) => {}
                    Ok(false) => return no(format!("its key {key} was not accepted")),
                    Err(why) => {
                        return no(format!(
                            "its key {key} is not in known_hosts{note}, and {why}; pass --host-fingerprint {} or \
                             --host-key accept-new",
                            key.fingerprint()
                        ));
                    }
                }
            }
        }
        self.record_key(&name, &line, key);
        Ok(())
    }

    /// The policy for a key that is not recorded: strict if the command line or the configuration says so, else
    /// accept-new if one of them does, else ask.
    fn unknown_key_policy(&self) -> HostKeys {
        match (self.access.host_keys, self.hop.strict_host_keys) {
            (HostKeys::Strict, _) | (_, StrictHostKeys::Yes) => HostKeys::Strict,
            (HostKeys::AcceptNew, _) | (_, StrictHostKeys::AcceptNew) => HostKeys::AcceptNew,
            (HostKeys::Ask, StrictHostKeys::Ask) => HostKeys::Ask,
        }
    }

    /// Keeps a key for later connections of this run, and appends it to the first known_hosts file of the user, if one
    /// is configured; a failure to write is logged, with the host's `name`. `line` records the key with the plain name;
    /// the file gets a hashed one if HashKnownHosts is set.
    fn record_key(&self, name: &str, line: &str, key: &PublicKey) {
        self.access.ask.accept_key(line);
        let Some(file) = self.hop.known_hosts.first() else {
            return;
        };
        let (recorded_name, port) = &self.hop.recorded_as;
        let line = match self.hop.hash_known_hosts {
            true => random_bytes().map(|salt| known_hosts::hashed_line(recorded_name, *port, key, &salt)),
            false => Ok(line.to_owned()),
        };
        if let Err(error) = line
            .map_err(std::io::Error::other)
            .and_then(|line| append_line(file, &line))
        {
            tracing::warn!(host = name, "its key can't be recorded in {}: {error}", file.display());
        }
    }
}

/// Whether a RevokedHostKeys file contains a key: it is a list of public keys, or a KRL, which ssh-keygen reads. A file
/// that can't be read is an error.
fn is_revoked(file: &Path, key: &PublicKey, timeout: Duration) -> Result<bool, String> {
    const KRL: &[u8] = b"SSHKRL\n\0";
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    if !bytes.starts_with(KRL) {
        let text = String::from_utf8_lossy(&bytes);
        let is_the_key = |word: &str| word == key.encoded();
        return Ok(text.split_whitespace().any(is_the_key));
    }
    let mut command = Command::new("ssh-keygen");
    command.args(["-Q", "-f"]).arg(file).arg("/dev/stdin");
    let printed = client::run_program(command, &format!("{} {}\n", key.kind(), key.encoded()), timeout)?;
    let said = String::from_utf8_lossy(&printed.stdout).into_owned();
    match (printed.success, said.trim_end().ends_with("REVOKED")) {
        (true, false) => Ok(false),
        (false, true) => Ok(true),
        _ => Err(format!("{}: {}", file.display(), printed.stderr)),
    }
}

/// Adds a line, given with its newline, at the end of a known_hosts file, unless it is there by now. Waits for the
/// file's lock. Nothing else in the file is changed; a missing file is created with its directory.
fn append_line(file: &Path, line: &str) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = options.open(file)?;
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
    // Part of a key, as a full disk leaves it, would be another key.
    file.write_all(line.as_bytes())
        .inspect_err(|_| _ = file.set_len(bytes.len() as u64))
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
        append_line(&file, "a ssh-ed25519 AAAA\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
        let before = b"# mine\nnonsense \xff\na ssh-ed25519 AAAA # note";
        fs::write(&file, before).unwrap();
        append_line(&file, "b ssh-ed25519 BBBB\n").unwrap();
        append_line(&file, "b ssh-ed25519 BBBB\n").unwrap();
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
                let file = directory.join("known_hosts");
                scope.spawn(move || append_line(&file, &format!("host{number} ssh-ed25519 AAAA\n")).unwrap());
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
