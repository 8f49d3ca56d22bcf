//! The mount options of a class that tell how to reach the NFS server (PURE).

/// NFS versions in the order in which they are tried. NFSv3 is the fastest, since it needs no state on the server.
/// NFSv4.1 and 4.2 come last: against kernels that grow their slot table the client library loses its session about
/// every twenty calls and needs a new connection.
const VERSIONS: [&str; 4] = ["3", "4.0", "4.1", "4.2"];

/// Version and ports of the NFS server, as nodes mount it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MountOptions {
    version: Option<String>,
    minor_version: Option<String>,
    port: Option<u16>,
    mount_port: Option<u16>,
}

impl MountOptions {
    /// Parses `nfsvers=` or `vers=`, `minorversion=`, `port=` and `mountport=`; of several, the last counts. A text may
    /// have several options, with commas. Others and values that are no number are ignored; port 0 counts as none.
    pub(crate) fn parse(options: &[String]) -> Self {
        let mut found = Self::default();
        for option in options.iter().flat_map(|options| options.split(',')) {
            let Some((key, value)) = option.trim().split_once('=') else {
                continue;
            };
            let is_number = value.chars().all(|c| c.is_ascii_digit() || c == '.') && !value.is_empty();
            match key {
                "nfsvers" | "vers" if is_number => found.version = Some(value.to_owned()),
                "minorversion" if is_number => found.minor_version = Some(value.to_owned()),
                "port" => found.port = value.parse().ok().filter(|port| *port != 0),
                "mountport" => found.mount_port = value.parse().ok().filter(|port| *port != 0),
                _ => {}
            }
        }
        found
    }

    /// The versions in the order in which they are tried; without an option, all of them. 4 without a minor version
    /// is any of 4.x, as for mount(8). 4.2 alone also means 4.1, which comes first and creates directories as well:
    /// Linux 7.2 refuses nfs-rs's 4.2 (`NFS4ERR_INVAL`). Empty if the option names none that this client speaks.
    pub(super) fn versions_to_try(&self) -> Vec<&'static str> {
        let wanted = match (self.version.as_deref(), &self.minor_version) {
            (None, _) => return VERSIONS.to_vec(),
            (Some("4"), Some(minor)) => format!("4.{minor}"),
            (Some(version), _) => version.to_owned(),
        };
        let is_wanted = |version: &&str| match wanted.as_str() {
            "4" => version.starts_with("4."),
            "4.2" => matches!(*version, "4.1" | "4.2"),
            wanted => *version == wanted,
        };
        VERSIONS.into_iter().filter(is_wanted).collect()
    }

    /// The ports as parameters of the client library's URL, each after an `&`; empty without any.
    pub(super) fn port_parameters(&self) -> String {
        let port = self.port.map(|port| format!("&nfsport={port}"));
        let mount_port = self.mount_port.map(|port| format!("&mountport={port}"));
        port.into_iter().chain(mount_port).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_ports_are_read_as_mount_reads_them() {
        for (options, versions, ports) in [
            (&[][..], &VERSIONS[..], ""),
            (&["hard", "noatime"], &VERSIONS[..], ""),
            (&["nfsvers=4.1"], &["4.1"], ""),
            (&["vers=3", "hard"], &["3"], ""),
            (&["hard,vers=4.2,port=20490"], &["4.1", "4.2"], "&nfsport=20490"),
            (&["nfsvers=4"], &["4.0", "4.1", "4.2"], ""),
            (&["vers=4", "minorversion=1"], &["4.1"], ""),
            (
                &["mountport=635", "port=2050"],
                &VERSIONS[..],
                "&nfsport=2050&mountport=635",
            ),
            (&["port=0", "mountport=x", "port=99999"], &VERSIONS[..], ""),
            (&["nfsvers=3&uid=1"], &VERSIONS[..], ""),
            // No server has it.
            (&["nfsvers=2"], &[], ""),
        ] {
            let words: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
            let read = MountOptions::parse(&words);
            assert_eq!(
                (read.versions_to_try().as_slice(), read.port_parameters().as_str()),
                (versions, ports),
                "{options:?}"
            );
        }
    }
}
