//! What a private key's file shows without its passphrase: whether it needs one, and often the public half (PURE). It
//! works on texts, and reads no file.
//!
//! libssh2 gives one and the same error for a passphrase that is missing and for one that is wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::known_hosts::PublicKey;

/// What a file that should be a private key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// A key that can be used as it is.
    Plain,
    /// A key that needs a passphrase.
    Encrypted,
    /// The public half.
    Public,
    /// Something else.
    NoKey,
}

/// Tells from a file's text whether it is a private key, encrypted or not, a public key, or neither. Of keys in PEM
/// format and of public keys, only the first lines are looked at.
pub fn classify_key_file(text: &str) -> KeyFile {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let Some(first) = lines.next() else {
        return KeyFile::NoKey;
    };
    let label = first
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.strip_suffix("-----"));
    match label {
        Some("OPENSSH PRIVATE KEY") => classify_openssh_key(lines),
        Some("ENCRYPTED PRIVATE KEY") => KeyFile::Encrypted,
        Some(label) if label.ends_with("PRIVATE KEY") => {
            // RFC 1421's headers, which OpenSSL's older format has.
            let encrypted = lines
                .take_while(|line| line.contains(':'))
                .any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"));
            match encrypted {
                true => KeyFile::Encrypted,
                false => KeyFile::Plain,
            }
        }
        Some(_) => KeyFile::NoKey,
        None if ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| first.starts_with(kind)) => KeyFile::Public,
        None => KeyFile::NoKey,
    }
}

/// Classifies the lines that follow the first one of a private key in OpenSSH's own format; `NoKey` if they can't be
/// read.
fn classify_openssh_key<'a>(lines: impl Iterator<Item = &'a str>) -> KeyFile {
    match read_container(lines) {
        Some((cipher, _)) if cipher == b"none" => KeyFile::Plain,
        Some(_) => KeyFile::Encrypted,
        None => KeyFile::NoKey,
    }
}

/// The public key, or certificate, in the text of a private key of OpenSSH's own format, encrypted or not, or of a
/// `.pub` file, of which only the form is checked; `None` for any other text, such as a private key in PEM format.
pub fn parse_public_key(text: &str) -> Option<PublicKey> {
    let blob = match text.trim_start().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----") {
        Some(body) => read_container(body.lines().map(str::trim))?.1,
        None => STANDARD.decode(text.split_ascii_whitespace().nth(1)?).ok()?,
    };
    Some(PublicKey::new(&blob))
}

/// The cipher's name and the public key in OpenSSH's own format (PROTOCOL.key): after a magic text come the names of
/// cipher and key derivation, the latter's options, the number of keys, and the public key. `None` for another format;
/// the line `-----BEGIN` is not among `lines`.
fn read_container<'a>(lines: impl Iterator<Item = &'a str>) -> Option<(Vec<u8>, Vec<u8>)> {
    let encoded: String = lines.take_while(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(encoded).ok()?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = take_field(&mut rest)?.to_vec();
    take_field(&mut rest)?;
    take_field(&mut rest)?;
    rest = rest.get(4..)?;
    Some((cipher, take_field(&mut rest)?.to_vec()))
}

/// Removes a length of four bytes and as many bytes from the front of `rest`, and returns these. `None`, with `rest`
/// unchanged, if it is too short.
fn take_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_at_checked(4)?;
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let (field, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenSSH's format as far as it is looked at.
    fn openssh(cipher: &str) -> String {
        let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        let bytes = [
            b"openssh-key-v1\0".to_vec(),
            field(cipher.as_bytes()),
            field(b"none"),
            field(b""),
            1_u32.to_be_bytes().to_vec(),
            field(b"\0\0\0\x0bssh-ed25519public"),
        ]
        .concat();
        let body = STANDARD.encode(bytes);
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    }

    #[test]
    fn a_key_that_needs_a_passphrase_is_told_by_its_header() {
        for (text, found) in [
            (openssh("none").as_str(), KeyFile::Plain),
            (openssh("aes256-ctr").as_str(), KeyFile::Encrypted),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", KeyFile::Plain),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIE\n",
                KeyFile::Encrypted,
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n", KeyFile::Plain),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n", KeyFile::Encrypted),
            ("ssh-ed25519 AAAA me\n", KeyFile::Public),
            ("ecdsa-sha2-nistp256 AAAA\n", KeyFile::Public),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n", KeyFile::NoKey),
            ("-----BEGIN CERTIFICATE-----\nMIIE\n", KeyFile::NoKey),
            ("root:x:0:0\n", KeyFile::NoKey),
            ("", KeyFile::NoKey),
        ] {
            assert_eq!(classify_key_file(text), found, "{text}");
        }
    }

    #[test]
    fn the_public_half_is_read_from_either_file() {
        let blob = b"\0\0\0\x0bssh-ed25519public";
        let public_file = format!("ssh-ed25519 {} me@here\n", STANDARD.encode(blob));
        for text in [openssh("aes256-ctr"), openssh("none"), public_file] {
            assert_eq!(parse_public_key(&text), Some(PublicKey::new(blob)), "{text}");
        }
        for text in ["", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "ssh-ed25519 !!!"] {
            assert_eq!(parse_public_key(text), None, "{text}");
        }
    }
}
