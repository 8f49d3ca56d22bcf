//! Classifies the client library's errors, and describes them to users.

use nfs_rs::{Nfs3ErrorCode, Nfs3MountErrorCode, Nfs4ErrorCode, NfsError};

use crate::export::CALL_TIMEOUT;

/// Texts by which the client library reports a lost session in a general error.
const SESSION_LOST: [&str; 2] = ["session slot table closed", "exceed negotiated maximum"];

/// `EACCES` of Linux.
const EACCES: i32 = 13;

/// What an error means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorClass {
    /// The server answered; the connection is usable.
    Answered,
    /// The answer can't be parsed; a new connection is needed.
    Unreadable,
    /// The connection is lost, as after a restart of the server; a new one may work at once.
    ConnectionLost,
    /// No answer in time.
    NoAnswer,
}

impl ErrorClass {
    /// A stale handle or a lost session counts as `ConnectionLost`, a busy server as `Answered`, and an error of an
    /// unknown kind as `NoAnswer`.
    pub(super) fn classify(error: &NfsError) -> Self {
        match error {
            // A stale handle may be that of the root, if the export was recreated: a new connection looks it up again.
            _ if is_stale(error) || error.is_connection_lost() => Self::ConnectionLost,
            // NFSv4.1 wraps errors after which the outcome is uncertain.
            NfsError::OperationOutcome(details) => Self::classify(&details.source),
            _ if is_session_lost(error) => Self::ConnectionLost,
            NfsError::Nfs3(_) | NfsError::Nfs4(_) | NfsError::Mount(_) => Self::Answered,
            NfsError::InvalidInput(_) | NfsError::Unsupported(_) | NfsError::ServerBusy(_) => Self::Answered,
            NfsError::Xdr(_) | NfsError::RdattrError(_) => Self::Unreadable,
            _ => Self::NoAnswer,
        }
    }
}

/// Whether the client library gave up the session although the server answers.
pub(super) fn is_session_lost(error: &NfsError) -> bool {
    match innermost_error(error) {
        NfsError::Rpc(text) | NfsError::Xdr(text) => SESSION_LOST.iter().any(|lost| text.contains(lost)),
        _ => false,
    }
}

/// Whether the server doesn't know the handle, or no longer.
pub(super) fn is_stale(error: &NfsError) -> bool {
    matches!(
        innermost_error(error),
        NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_STALE | Nfs3ErrorCode::NFS3ERR_BADHANDLE)
            | NfsError::Nfs4(Nfs4ErrorCode::NFS4ERR_STALE | Nfs4ErrorCode::NFS4ERR_BADHANDLE)
    )
}

/// Whether the error is that this process may not use a privileged source port. For the portmapper, only the text says
/// so.
pub(super) fn lacks_privileged_port(error: &NfsError) -> bool {
    let denied = std::io::Error::from_raw_os_error(EACCES).to_string();
    error.transport_error_kind() == Some(std::io::ErrorKind::PermissionDenied)
        || matches!(error, NfsError::Rpc(text) if text.ends_with(&denied))
}

pub(super) fn timeout_error() -> NfsError {
    let text = format!("no answer within {} s", CALL_TIMEOUT.as_secs());
    NfsError::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

/// The error inside an [`NfsError::OperationOutcome`], or the error itself.
pub(super) fn innermost_error(error: &NfsError) -> &NfsError {
    match error {
        NfsError::OperationOutcome(details) => innermost_error(&details.source),
        error => error,
    }
}

/// The error as a message, with its usual cause.
pub(super) fn describe_refusal(error: &NfsError) -> String {
    match innermost_error(error) {
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
