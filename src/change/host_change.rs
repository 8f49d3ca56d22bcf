//! Changes to hosts over SSH, each a [`HostChange`], as commands and scripts (PURE). It runs none of them.

use crate::host::{Facts, Target};
use crate::shell::quote;
use crate::shell::shell_word;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostChange {
    /// Install what an NFS client needs, as `setup-client` does.
    InstallClient,
    /// Change a directory's mode, if it still has the mode `from`.
    SetMode { path: String, from: u32, to: u32 },
    /// Export a directory to these client addresses too, in nfsprov's own block.
    Export { path: String, clients: Vec<String> },
    /// Start rpc.statd and what it needs, now and at every boot.
    EnableStatd,
}

impl HostChange {
    /// The command line, of ssh or nfsprov, that an administrator can run instead. That of an export sets up the whole
    /// server, for all nodes of the cluster; that of a mode does not check the earlier mode. `host` is a target of
    /// `--ssh`, or a node's name.
    pub fn command(&self, host: &str) -> String {
        // ssh takes a port in a URL alone.
        let ssh_host = match host.parse() {
            Ok(Target { port: Some(_), .. }) => shell_word(&format!("ssh://{host}")),
            _ => shell_word(host),
        };
        let host = shell_word(host);
        match self {
            Self::InstallClient => format!("nfsprov setup-client {host}"),
            // ssh joins its words for the shell at the other end.
            Self::SetMode { path, to, .. } => {
                format!("ssh {ssh_host} sudo chmod {to:04o} {}", shell_word(&shell_word(path)))
            }
            Self::Export { path, .. } => {
                format!(
                    "nfsprov setup-server {host} --export {} --nodes-from-cluster",
                    shell_word(path)
                )
            }
            Self::EnableStatd => format!("ssh {ssh_host} sudo systemctl enable --now rpcbind rpc-statd"),
        }
    }

    /// The directory whose export or mode changes; `None` if none does.
    pub fn directory(&self) -> Option<&str> {
        match self {
            Self::SetMode { path, .. } | Self::Export { path, .. } => Some(path),
            Self::InstallClient | Self::EnableStatd => None,
        }
    }

    /// What the change does, as a line for people.
    pub fn summary(&self) -> String {
        match self {
            Self::InstallClient => "install the packages of an NFS client".to_owned(),
            Self::SetMode { path, from, to } => format!("chmod {path} from {from:04o} to {to:04o}"),
            Self::Export { path, clients } => format!("export {path} to {} too", clients.join(", ")),
            Self::EnableStatd => "start rpcbind and rpc-statd, now and at every boot".to_owned(),
        }
    }

    /// The script that makes the change, run as root; `None` if the plan of `setup-client` or `setup-server` makes it
    /// instead. It fails if the directory's mode is not the expected one any more. `facts` are the host's, read just
    /// now.
    ///
    /// # Errors
    /// When nfsprov does not export the directory whose mode would change: a tenant may have named any directory.
    pub fn script(&self, facts: &Facts) -> Result<Option<String>, String> {
        Ok(match self {
            Self::InstallClient | Self::Export { .. } => None,
            Self::SetMode { path, .. } if !facts.is_exported_by_nfsprov(path) => {
                return Err(format!("{}: nfsprov does not export {path} there", facts.exports_path));
            }
            Self::SetMode { path, from, to } => {
                let path = quote(path);
                Some(format!(
                    "[ \"$(stat -c %a -- {path})\" = {from:o} ] || {{ echo 'its mode was changed meanwhile' >&2; exit 1; }}\n\
                     chmod {to:o} -- {path}"
                ))
            }
            Self::EnableStatd => Some("systemctl enable --now rpcbind rpc-statd".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_gets_a_port_in_a_url() {
        for (host, command) in [
            ("root@nfs", "ssh root@nfs sudo"),
            ("fd00::1", "ssh fd00::1 sudo"),
            ("root@nfs:2222", "ssh ssh://root@nfs:2222 sudo"),
            ("[fd00::1]:2222", "ssh 'ssh://[fd00::1]:2222' sudo"),
        ] {
            let printed = HostChange::EnableStatd.command(host);
            assert!(printed.starts_with(command), "{printed}");
        }
    }

    #[test]
    fn only_a_directory_that_nfsprov_exports_gets_another_mode() {
        let facts = |exports: &str| Facts {
            exports: Some(exports.as_bytes().to_vec()),
            ..Facts::default()
        };
        let script = |path: &str, exports: &str| {
            let (path, from, to) = (path.to_owned(), 0o666, 0o777);
            HostChange::SetMode { path, from, to }.script(&facts(exports))
        };
        let ours = "# BEGIN nfsprov\n/nfsdata *(rw)\n# END nfsprov\n";
        assert!(script("/nfsdata", ours).is_ok_and(|script| script.is_some()));
        for (path, exports) in [
            ("/root", ours),
            ("/nfsdata/below", ours),
            ("/nfsdata", "/nfsdata *(rw)\n"),
            ("/nfsdata", "# BEGIN nfsprov\n/nfsdata *(rw)\n"),
        ] {
            assert!(script(path, exports).is_err(), "{path} of {exports}");
        }
    }
}
