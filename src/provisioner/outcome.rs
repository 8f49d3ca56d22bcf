//! What became of a claim or a volume, and why it must be tried again.

use std::time::Duration;

use crate::cluster;
use crate::export::ExportError;

/// What became of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// There was nothing to do.
    Left,
    /// It waits for its first pod.
    Waiting,
    /// It can't be served; the sentence says why.
    Refused(String),
    /// It has a volume now.
    Provisioned {
        /// The PV's name.
        volume: String,
        /// The PV's path on the server.
        path: String,
        /// From the first look to the PV; none if an earlier attempt created it.
        took: Option<Duration>,
    },
    /// It would have got a volume if this weren't a dry run.
    WouldProvision {
        /// The PV's name.
        volume: String,
        /// The PV's path on the server.
        path: String,
    },
}

/// What became of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposed {
    /// There was nothing to do.
    Left,
    /// It should go and can't; the sentence says why.
    Refused(String),
    /// It would go if this weren't a dry run; the words say what would become of its directory.
    WouldGo(String),
    /// It is gone.
    Gone {
        /// What became of its directory.
        fate: String,
        /// From its turn to its end.
        took: Duration,
    },
}

/// Why a claim or a volume must be tried again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The claim's class doesn't exist.
    #[error("storageclass.storage.k8s.io \"{0}\" not found")]
    NoClass(String),
    /// Somebody else may lead by now; nothing was begun.
    #[error("this provisioner does not lead any more")]
    NotLeading,
    /// The provisioner is being stopped; nothing was begun.
    #[error("this provisioner is being stopped")]
    Stopping,
    /// A PV of the claim's name is being deleted, or is another.
    #[error("PV {0} is there already, and being deleted, on another directory or for another claim")]
    InTheWay(String),
    /// Another PV lies where a directory is to be removed or archived.
    #[error("PV {other} lies at, above or below {directory}, which waits for that to go")]
    Shared {
        /// The directory.
        directory: String,
        /// The other PV.
        other: String,
    },
    /// The export's side.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The API server's side.
    #[error("cannot {action}: {}", cluster::sentence(source))]
    Api {
        /// What was asked of it.
        action: String,
        /// Its answer.
        source: kube::Error,
    },
    /// The API server's silence.
    #[error("cannot {action}: no answer from the API server within {} s", after.as_secs())]
    Silent {
        /// What was asked of it.
        action: String,
        /// How long was waited.
        after: Duration,
    },
}
