//! The feature gate RemoveSelfLink=false on the server nodes of kubeadm, K3s and RKE2.
//!
//! [`edit`] changes a file's text and accepts only a result that, once parsed, differs in the gate alone; [`files`]
//! finds the file that takes effect on a host; [`step`] is the script that changes, restarts, verifies and undoes on
//! the host itself; [`node`] runs it over SSH.

pub(crate) mod edit;
pub(crate) mod files;
pub(crate) mod node;
mod step;

/// The gate as it stands in a list of gates.
pub(crate) const GATE: &str = "RemoveSelfLink=false";

const NAME: &str = "RemoveSelfLink";

/// Why the gate is not set or not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct GateError(String);

impl GateError {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// The requested state of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// RemoveSelfLink=false is among the gates.
    Set,
    /// RemoveSelfLink is not among the gates.
    Unset,
}

/// Checks that an API server of this version needs the gate and starts with it: 1.20 to 1.23 do. `minor` is the minor
/// version of `version`, which only the error quotes; `None`, for an unknown version, is an error.
///
/// # Errors
/// One clause that says why it does not need the gate, or does not start with it.
pub(crate) fn check_version(version: &str, minor: Option<u32>) -> Result<(), GateError> {
    let refuses = format!("the API server of {version} refuses to start with it");
    Err(GateError(match minor {
        None => format!("version {version} is not known"),
        Some(..20) => format!("the API server of {version} sends selfLink by itself"),
        Some(20..=23) => return Ok(()),
        Some(24..=29) => {
            format!("{refuses}: cannot set feature gate {NAME} to false, feature is locked to true")
        }
        Some(_) => format!("{refuses}: unrecognized feature gate: {NAME}"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_decides_whether_the_gate_is_set() {
        for (version, minor, why) in [
            ("v1.19.7", Some(19), Some("sends selfLink by itself")),
            ("v1.20.2", Some(20), None),
            ("v1.23.17+k3s1", Some(23), None),
            ("v1.24.0", Some(24), Some("feature is locked to true")),
            ("v1.30.1", Some(30), Some("unrecognized feature gate")),
            ("unknown", None, Some("is not known")),
        ] {
            let error = check_version(version, minor).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), why.is_some(), "{version}: {error:?}");
            assert!(error.unwrap_or_default().contains(why.unwrap_or_default()), "{version}");
        }
    }
}
