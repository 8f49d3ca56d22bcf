//! What the client library's errors say about the connection and the server.

use nfs_rs::{Nfs3ErrorCode, Nfs3MountErrorCode, Nfs4ErrorCode, NfsError};

use crate::export::CALL_TIMEOUT;

/// What the client library says, in a general error of its own, of a session that is lost.
const SESSION_LOST: [&str; 2] = ["session slot table closed", "exceed negotiated maximum"];

/// The system's number for a port that this process may not have.
const EACCES: i32 = 13;

/// What an error says about the connection it came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The server answered: the connection is good.
    Answered,
    /// The answer can't be read: a new connection is needed, but the server is there.
    Garbled,
    /// The connection is dead, as after a restart of the server; a new one may work at once.
    Lost,
    /// Nothing came in time.
    Silent,
}

impl Fate {
    pub(super) fn of(error: &NfsError) -> Self {
        match error {
            // The export was made anew under the same name: its root has another handle now.
            _ if is_stale(error) || error.is_connection_lost() => Self::Lost,
            // NFSv4.1 wraps what it can't be sure of.
            NfsError::OperationOutcome(details) => Self::of(&details.source),
            _ if is_session_lost(error) => Self::Lost,
            NfsError::Nfs3(_) | NfsError::Nfs4(_) | NfsError::Mount(_) => Self::Answered,
            NfsError::InvalidInput(_) | NfsError::Unsupported(_) | NfsError::ServerBusy(_) => Self::Answered,
            NfsError::Xdr(_) | NfsError::RdattrError(_) => Self::Garbled,
            _ => Self::Silent,
        }
    }
}

/// Whether the client library gave the session up while the server went on answering.
pub(super) fn is_session_lost(error: &NfsError) -> bool {
    match plain(error) {
        NfsError::Rpc(text) | NfsError::Xdr(text) => SESSION_LOST.iter().any(|lost| text.contains(lost)),
        _ => false,
    }
}

pub(super) fn is_stale(error: &NfsError) -> bool {
    matches!(
        plain(error),
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_STALE | Nfs3ErrorCode::NFS3ERR_BADHANDLE)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_STALE | Nfs4ErrorCode::NFS4ERR_BADHANDLE)
    )
}

/// Whether this process may have no privileged source port; said of the portmapper in words only.
pub(super) fn lacks_privileged_port(error: &NfsError) -> bool {
    let denied = std::io::Error::from_raw_os_error(EACCES).to_string();
    error.transport_error_kind() == Some(std::io::ErrorKind::PermissionDenied)
        || matches!(error, NfsError::Rpc(text) if text.ends_with(&denied))
}

pub(super) fn silence() -> NfsError {
    let text = format!("no answer within {} s", CALL_TIMEOUT.as_secs());
    NfsError::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

/// The error that an error of the library is about.
pub(super) fn plain(error: &NfsError) -> &NfsError {
    match error {
        NfsError::OperationOutcome(details) => plain(&details.source),
        error => error,
    }
}

/// The server's words, with what usually lies behind them.
pub(super) fn refusal(error: &NfsError) -> String {
    match plain(error) {
        NfsError::Mount(Nfs3MountErrorCode::MNT3ERR_ACCES | Nfs3MountErrorCode::MNT3ERR_PERM) => format!(
            "{error}: the path isn't exported to this machine, or the export wants a privileged source port \
             (run as root, or export it with `insecure`)"
        ),
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_ACCES | Nfs3ErrorCode::NFS3ERR_PERM)
        | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_ACCESS | Nfs4ErrorCode::NFS4ERR_PERM) => {
            "permission denied: the export squashes root, and the directory belongs to another user".to_owned()
        }
        NfsError::ServerBusy(busy) => format!("the server is busy: {}", busy.source),
        NfsError::Xdr(text) => format!("the server's answer can't be read: {text}"),
        error => error.to_string(),
    }
}
