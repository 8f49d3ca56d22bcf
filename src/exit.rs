//! Exit statuses and usage errors.

use std::borrow::Cow;

/// The exit status of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded.
    Done = 0,
    /// The command, or a part of it, failed.
    Failed = 1,
    /// The command line is invalid.
    Usage = 2,
    /// Nothing could be checked.
    Unchecked = 3,
    /// `--check` found changes to make.
    Changes = 4,
}

/// A command line that clap accepts and the command refuses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub Cow<'static, str>);
