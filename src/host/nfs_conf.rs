//! `/etc/nfs.conf`: nfsprov's settings stand in a block of their own at its end (PURE).
//!
//! Of two settings of the same name nfs-utils takes the first, so nfsprov's block never overrides others' settings.

use super::block::{self, Damage};

/// Where it is.
pub const PATH: &str = "/etc/nfs.conf";

/// A setting that gives a service a port which firewalls can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedPort {
    /// The service's section.
    pub section: &'static str,
    /// The setting's name.
    pub key: &'static str,
    /// The port.
    pub port: u16,
}

/// mountd's port, the one that firewalld's service `mountd` means.
pub const MOUNTD_PORT: PinnedPort = PinnedPort {
    section: "mountd",
    key: "port",
    port: 20048,
};

/// The port of statd, which tells clients of NFS 3 of a restart, for the sake of their locks. It and lockd's lie below
/// the ports that Linux gives to connections by itself.
pub const STATD_PORT: PinnedPort = PinnedPort {
    section: "statd",
    key: "port",
    port: 32765,
};

/// The port of lockd, which keeps the locks of NFS 3; statd sets it when it starts.
pub const LOCKD_PORT: PinnedPort = PinnedPort {
    section: "lockd",
    key: "port",
    port: 32766,
};

/// lockd's UDP port.
pub const LOCKD_UDP_PORT: PinnedPort = PinnedPort {
    section: "lockd",
    key: "udp-port",
    port: LOCKD_PORT.port,
};

/// A setting's value, exactly as it is written in the file, with its quotation marks or comment; the first one counts.
/// Case of names does not matter, and subsections count as their section. `None` if it is not set.
pub fn get_setting(text: &[u8], section: &str, key: &str) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split([']', '"']).next().unwrap_or_default().trim();
            inside = name.eq_ignore_ascii_case(section);
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

/// `y` or `n` for a truth value in any spelling; any other value unchanged.
pub fn normalize_value(value: &str) -> &str {
    match value.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => "y",
        "0" | "f" | "false" | "n" | "no" | "off" => "n",
        _ => value,
    }
}

/// The text without nfsprov's block.
///
/// # Errors
/// [`Damage`] when the block's marks were changed; nfsprov then must not edit the file.
pub fn without_block(text: &[u8]) -> Result<Vec<u8>, Damage> {
    Ok(match block::find_block(text)? {
        Some(found) => block::replace_body(text, &found, b""),
        None => text.to_vec(),
    })
}

/// The text, which has no block, with a block of these settings, each a section, a key and a value; unchanged if there
/// are none.
pub fn with_settings(text: &[u8], settings: &[(&str, &str, String)]) -> Vec<u8> {
    if settings.is_empty() {
        return text.to_vec();
    }
    let lines = settings
        .iter()
        .map(|(section, key, value)| format!("[{section}]\n{key}={value}\n"));
    block::append_block(text, lines.collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIANS: &[u8] = b"[general]\npipefs-directory=/run/rpc_pipefs\n\n[nfsd]\n# debug=0\n# vers3=y\nvers4 = yes\n\n[mountd]\nmanage-gids=y\n";

    #[test]
    fn settings_are_read_as_nfs_utils_does() {
        assert_eq!(get_setting(DEBIANS, "mountd", "manage-gids").as_deref(), Some("y"));
        assert_eq!(get_setting(DEBIANS, "NFSD", "Vers4").as_deref(), Some("yes"));
        assert_eq!(get_setting(DEBIANS, "nfsd", "vers3"), None, "a comment is none");
        assert_eq!(get_setting(DEBIANS, "mountd", "port"), None);
        assert_eq!(
            (normalize_value("Yes"), normalize_value("0"), normalize_value("20048")),
            ("y", "n", "20048")
        );
    }

    #[test]
    fn the_block_comes_and_goes_without_a_trace() {
        let settings = [
            ("nfsd", "vers3", "n".to_owned()),
            ("mountd", "port", "20048".to_owned()),
        ];
        for original in [DEBIANS, b"", b"[nfsd]\n", b"\xff\n[a]\nb=c"] {
            let text = with_settings(original, &settings);
            assert_eq!(get_setting(&text, "nfsd", "vers3").as_deref(), Some("n"));
            assert_eq!(get_setting(&text, "mountd", "port").as_deref(), Some("20048"));
            assert_eq!(without_block(&text).unwrap(), original);
            assert_eq!(with_settings(original, &[]), original);
            let more = [&text[..], b"[statd]\nport=1\n"].concat();
            // Two lines never become one.
            let apart: &[u8] = if original.ends_with(b"c") { b"\n" } else { b"" };
            assert_eq!(
                without_block(&more).unwrap(),
                [original, apart, b"[statd]\nport=1\n"].concat()
            );
        }
    }
}
