//! The keys that a login may try: an agent's, those that are named, and those that ssh looks for by itself. The main
//! type is [`Key`]. Key files are read here, and not offered to a server.

use std::fs;
use std::path::{Path, PathBuf};

use super::Access;
use super::route::Hop;
use crate::host::key_file;
use crate::host::known_hosts::PublicKey;

/// Keys that ssh tries when none is named, in `~/.ssh`; the last two can't be used, which is said.
const DEFAULTS: [&str; 5] = ["id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"];

/// A key to try.
pub(super) enum Key {
    /// The agent's.
    Agent(ssh2::PublicKey),
    /// A private key's file.
    File {
        path: PathBuf,
        /// The user configured it, so a key that can't be used is reported.
        named: bool,
    },
}

/// The keys in the order of their tries: named ones first, with the agent's help where it has them, then the agent's
/// others unless IdentitiesOnly excludes them, then, if none is named, those that ssh looks for by itself. Files that
/// don't exist are among them.
pub(super) fn keys_to_try(hop: &Hop, access: &Access, agent_keys: Vec<ssh2::PublicKey>) -> Vec<Key> {
    let mut files: Vec<(PathBuf, bool)> = access.identities.iter().map(|path| (path.clone(), true)).collect();
    files.extend(hop.identities.iter().map(|path| (path.clone(), true)));
    let mut defaults = Vec::new();
    if let (true, Some(home)) = (files.is_empty(), &access.home) {
        defaults.extend(DEFAULTS.map(|name| (home.join(".ssh").join(name), false)));
    }
    // Those that no file names stay in it.
    let mut agent_keys: Vec<Option<ssh2::PublicKey>> = agent_keys.into_iter().map(Some).collect();
    let mut keys = Vec::new();
    for (path, named) in files {
        let public = read_public_key(&path);
        let held = agent_keys.iter_mut().find(|slot| {
            let blob = slot.as_ref().map(|key| PublicKey::new(key.blob()));
            blob.is_some() && blob == public
        });
        match held.and_then(Option::take) {
            Some(key) => keys.push(Key::Agent(key)),
            None => keys.push(Key::File { path, named }),
        }
    }
    if !hop.identities_only {
        keys.extend(agent_keys.into_iter().flatten().map(Key::Agent));
    }
    keys.extend(defaults.into_iter().map(|(path, named)| Key::File { path, named }));
    keys
}

/// The public key of a key file, from the file itself or from the `.pub` file beside it; `None` if neither has one.
pub(super) fn read_public_key(path: &Path) -> Option<PublicKey> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let read = |path: &Path| fs::read_to_string(path).ok();
    let own = read(path).and_then(|text| key_file::parse_public_key(&text));
    own.or_else(|| key_file::parse_public_key(&read(Path::new(&beside))?))
}

/// The text of the certificate for a key: the first configured one, else the `-cert.pub` file beside the key. `None` if
/// none is for it, or its `public` key is not known.
pub(super) fn find_certificate(hop: &Hop, path: &Path, public: Option<&PublicKey>) -> Option<String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    let files = hop
        .certificates
        .iter()
        .map(PathBuf::as_path)
        .chain([Path::new(&beside)]);
    let mut texts = files.filter_map(|file| fs::read_to_string(file).ok());
    texts.find(|text| match (key_file::parse_public_key(text), public) {
        (Some(certificate), Some(public)) => certificate.certifies(public),
        _ => false,
    })
}

/// What is said of a key in a FIDO token: libssh2 drops a part of its signature.
pub(super) const HARDWARE_KEY: &str = "is a FIDO key, which nfsprov can't use: name another key with -i";

/// Whether a key, or the key of a certificate, is in a FIDO token, by its type.
pub(super) fn is_hardware_key(key: &PublicKey) -> bool {
    key.kind().starts_with("sk-")
}
