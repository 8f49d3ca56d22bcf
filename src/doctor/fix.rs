//! What mends findings: changes to objects of the cluster.
//!
//! A check gives a [`Cure`]: the command line that people paste, and the same as [`Change`]s. [`edit`] makes of a
//! change and the object as it stands what the object will be; [`plan`] tells which findings are mended so and what
//! is waited for; [`apply`] does it. [`gate`] edits files of server nodes, and [`server`] has these do so.

pub mod apply;
pub mod edit;
pub mod gate;
pub mod plan;
mod remedy;
pub mod server;

use serde_json::Value;

use super::Object;

pub use remedy::Remedy;

/// What is done to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This is merged into it; null takes a field away, containers and variables are found by their names.
    Patch {
        /// The object.
        object: Object,
        /// What is merged.
        change: Value,
    },
    /// It is deleted, and whoever wants it makes it again.
    Delete(Object),
    /// Something is done on a host, over SSH.
    OnHost {
        /// The host, as it was asked for.
        host: String,
        /// What.
        remedy: Remedy,
    },
}

impl Change {
    /// The object that it is about.
    pub fn object(&self) -> Object {
        match self {
            Self::Patch { object, .. } | Self::Delete(object) => object.clone(),
            Self::OnHost { host, .. } => Object::cluster("Host", host),
        }
    }
}

/// What mends a finding, twice: as a command line, and as changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cure {
    /// The command line.
    pub command: String,
    /// The same as changes; none where a program can't know enough.
    pub changes: Vec<Change>,
}

impl Cure {
    /// A command line, and the changes that it makes.
    pub fn new(command: String, changes: impl IntoIterator<Item = Change>) -> Self {
        Self {
            command,
            changes: changes.into_iter().collect(),
        }
    }
}

impl From<String> for Cure {
    fn from(command: String) -> Self {
        Self::new(command, [])
    }
}

impl From<&str> for Cure {
    fn from(command: &str) -> Self {
        Self::new(command.to_owned(), [])
    }
}
