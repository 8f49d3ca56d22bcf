//! What is done on a host over SSH (PURE).

use crate::host::quote;

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

    /// The script that does it; none where a plan of its own does.
    pub fn script(&self) -> Option<String> {
        match self {
            Self::Client | Self::Share { .. } => None,
            Self::Mode { path, from, to } => {
                let path = quote(path);
                Some(format!(
                    "[ \"$(stat -c %a -- {path})\" = {from:o} ] || {{ echo 'its mode was changed meanwhile' >&2; exit 1; }}\n\
                     chmod {to:o} -- {path}"
                ))
            }
            Self::Statd => Some("systemctl enable --now rpcbind rpc-statd".to_owned()),
        }
    }
}
