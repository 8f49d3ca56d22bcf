//! What is done on a host over SSH (PURE).

use crate::host::{Facts, quote};

/// What mends a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It becomes an NFS client, as `setup-client` makes it.
    Client,
    /// A directory gets another mode, if it still has this one.
    Mode {
        /// The directory.
        path: String,
        /// Its mode now.
        from: u32,
        /// Its mode then.
        to: u32,
    },
    /// A directory is exported to these clients too, in nfsprov's own lines.
    Share {
        /// The directory.
        path: String,
        /// The clients, by address.
        clients: Vec<String>,
    },
    /// rpc.statd and what it needs run, now and after a restart.
    Statd,
}

impl Remedy {
    /// In a few words.
    pub fn says(&self) -> String {
        match self {
            Self::Client => "install what an NFS client needs".to_owned(),
            Self::Mode { path, from, to } => format!("chmod {path} from {from:04o} to {to:04o}"),
            Self::Share { path, clients } => format!("export {path} to {} too", clients.join(", ")),
            Self::Statd => "start rpcbind and rpc-statd, now and at every start".to_owned(),
        }
    }

    /// The script that does it on a host that is like this; none where a plan of its own does.
    ///
    /// # Errors
    /// That nfsprov does not export the directory whose mode would change: then it may be any, named by a tenant.
    pub fn script(&self, facts: &Facts) -> Result<Option<String>, String> {
        Ok(match self {
            Self::Client | Self::Share { .. } => None,
            Self::Mode { path, .. } if !facts.is_exported_by_nfsprov(path) => {
                return Err(format!("{}: nfsprov does not export {path} there", facts.exports_path));
            }
            Self::Mode { path, from, to } => {
                let path = quote(path);
                Some(format!(
                    "[ \"$(stat -c %a -- {path})\" = {from:o} ] || {{ echo 'its mode was changed meanwhile' >&2; exit 1; }}\n\
                     chmod {to:o} -- {path}"
                ))
            }
            Self::Statd => Some("systemctl enable --now rpcbind rpc-statd".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nfsprov_exports_gets_another_mode() {
        let facts = |exports: &str| Facts {
            exports: Some(exports.as_bytes().to_vec()),
            ..Facts::default()
        };
        let script = |path: &str, exports: &str| {
            let (path, from, to) = (path.to_owned(), 0o666, 0o777);
            Remedy::Mode { path, from, to }.script(&facts(exports))
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
