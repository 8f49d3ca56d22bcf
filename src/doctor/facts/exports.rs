//! Results of NFS calls from this machine: [`Probe`] and [`ExportListing`] (PURE). The command that makes the calls
//! fills them.

use std::collections::BTreeSet;

/// An NFS call to an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub server: String,
    pub path: String,
    pub result: ProbeResult,
}

/// Directories and records of an export that no PV of the cluster names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportListing {
    pub server: String,
    pub path: String,
    pub volumes: Vec<EarlierVolume>,
    /// The PVs whose directories were listed and are empty.
    pub empty: BTreeSet<String>,
}

/// A volume that an export still has. Whoever can write to the export can forge each of its traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlierVolume {
    /// The PV's name.
    pub name: String,
    /// Its archive in the export's root, if it has one.
    pub archive: Option<String>,
    /// Its directory below the export's path, if that is known.
    pub directory: Option<String>,
    /// The default name of its directory, where directory or archive has such a name.
    pub named_after: Option<String>,
    pub is_recorded: bool,
    /// The claim that its record names.
    pub claim: Option<(String, String)>,
    /// When its archive or directory was changed, in seconds since 1970.
    pub changed: i64,
}

/// The result of an NFS call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    Fine,
    /// The server has no such directory.
    Missing,
    /// Nothing listens on the server's port; the error.
    Refused(String),
    /// The server did not answer in time; what was tried.
    NoAnswer(String),
    /// The result says nothing about other clients; why.
    Unknown(String),
}
