//! Entries that servers keep for themselves (PURE): snapshots, recycle bins, metadata. They are no volume's.

/// What they are called, on NetApp, ZFS, Synology, QNAP, ext4 and others.
const NAMES: [&str; 11] = [
    ".snapshot",
    ".snapshots",
    "~snapshot",
    ".zfs",
    "@eaDir",
    "#recycle",
    "#snapshot",
    "@Recycle",
    "@Recently-Snapshot",
    ".@__thumb",
    "lost+found",
];

/// What NFS servers and clients call a file that is deleted while it is open.
const OPEN_FILE: &str = ".nfs";

/// Whether the server keeps an entry of this name for itself: a known directory such as `.snapshot`, or a `.nfs…` file
/// that was deleted while open. nfsprov's own `.nfsprov` is not among them.
pub fn is_server_entry(name: &str) -> bool {
    let is_open_file = name
        .strip_prefix(OPEN_FILE)
        .is_some_and(|rest| rest.len() >= 8 && rest.chars().all(|c| c.is_ascii_hexdigit()));
    NAMES.contains(&name) || is_open_file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_servers_are_theirs() {
        for name in [
            ".snapshot",
            ".zfs",
            "@eaDir",
            "#recycle",
            "lost+found",
            ".nfs000000000012f7b200000001",
        ] {
            assert!(is_server_entry(name), "{name}");
        }
        for name in ["", "snapshot", ".nfs", ".nfsprov", ".nfs-data", "team", "LOST+FOUND"] {
            assert!(!is_server_entry(name), "{name}");
        }
    }
}
