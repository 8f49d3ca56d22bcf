//! How a command ends.

use std::borrow::Cow;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It failed, or a part of it did.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// Nothing could be checked.
    Unchecked = 3,
    /// `--check` found something that would change.
    Changes = 4,
}

/// A command line that can be parsed and still can't be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub Cow<'static, str>);
