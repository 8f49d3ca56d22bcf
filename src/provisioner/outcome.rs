//! The outcomes of reconciling a claim or a volume, and the errors after which it is retried.

use std::time::Duration;

use crate::cluster;
use crate::export::ExportError;

/// The outcome of provisioning a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum ProvisionOutcome {
    /// It is bound, deleted or another provisioner's by now.
    NothingToDo,
    /// Its class binds when the first pod is scheduled, and none is.
    WaitingForConsumer,
    /// It can't be served, for the reason given. Retried rarely.
    Refused(String),
    Provisioned {
        volume: String,
        path: String,
        /// The time that this attempt took; `None` if an earlier attempt created the PV.
        took: Option<Duration>,
    },
    /// In a dry run: it would get a volume.
    WouldProvision { volume: String, path: String },
}

/// The outcome of expanding a bound claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpansionOutcome {
    /// It has its size, is another provisioner's, or is gone.
    NothingToDo,
    /// It can't be expanded, for the reason given. Retried rarely.
    Refused(String),
    /// In a dry run: it would get this size.
    WouldExpand { volume: String, size: String },
    Expanded {
        volume: String,
        size: String,
        /// Whether the server limits the directory to it.
        is_enforced: bool,
    },
}

/// The outcome of deleting a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionOutcome {
    /// It is in use, retained, gone or another provisioner's.
    NothingToDo,
    /// It should be deleted and can't be, for the reason given. Retried rarely.
    Refused(String),
    /// In a dry run: it would be deleted; with what would become of its directory.
    WouldDelete(String),
    /// Its PV is deleted.
    Deleted {
        /// What was done with its directory.
        fate: String,
        took: Duration,
    },
}

/// Why an attempt on a claim or a volume is repeated later.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("storageclass.storage.k8s.io \"{0}\" not found")]
    ClassNotFound(String),
    /// Another replica may lead by now; nothing was changed since the last check.
    #[error("this provisioner is no longer the leader")]
    NotLeading,
    #[error("this provisioner is being stopped")]
    Stopping,
    /// The PV for the claim exists, and is terminating, on another directory or for another claim.
    #[error("PV {0} exists already, but is being deleted, has another directory or another claim")]
    VolumeConflict(String),
    /// Another PV's directory is at, above or below the one that is to be removed or archived.
    #[error("PV {other} lies at, above or below {directory}, which waits until that is deleted")]
    DirectoryShared { directory: String, other: String },
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("cannot {action}: {}", cluster::describe_error(source))]
    Api { action: String, source: kube::Error },
    #[error("cannot {action}: no answer from the API server within {} s", after.as_secs())]
    ApiTimeout { action: String, after: Duration },
}
