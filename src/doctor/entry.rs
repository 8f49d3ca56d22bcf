//! A row of the catalogue of findings (PURE), and the names of what checks need to read.

use super::Severity;

/// A code of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As `NFS101`.
    pub code: &'static str,
    /// How bad it is, unless a check has a reason to say otherwise.
    pub severity: Severity,
    /// Whether `--fix` may fix it after asking.
    pub automatic: bool,
    /// Whether it is what others of the same objects look like, rather than a cause.
    pub symptom: bool,
    /// What is needed to check it, as the API calls it.
    pub needs: &'static [&'static str],
    /// In a few words.
    pub title: &'static str,
    /// What it means, how it comes about, what to do.
    pub text: &'static str,
}

/// Defines `ENTRIES`, the rows of a check: code, severity, what it needs, title, text. A row may be marked `automatic`
/// (`--fix` may fix it after asking) or `symptom`.
macro_rules! entries {
    ($($code:literal $severity:ident $needs:tt $title:literal $($mark:ident)?, $text:literal;)*) => {
        pub const ENTRIES: &[$crate::doctor::entry::Entry] = {
            use $crate::doctor::entry::*;
            &[$(Entry {
                code: $code,
                severity: $crate::doctor::Severity::$severity,
                $($mark: true,)?
                needs: &$needs,
                title: $title,
                text: $text,
                ..UNMARKED
            }),*]
        };
    };
}
pub(crate) use entries;

/// What a row leaves out.
pub(crate) const UNMARKED: Entry = Entry {
    code: "",
    severity: Severity::Info,
    automatic: false,
    symptom: false,
    needs: &[],
    title: "",
    text: "",
};

pub(crate) const CLAIMS: &str = "persistentvolumeclaims";
pub(crate) const VOLUMES: &str = "persistentvolumes";
pub(crate) const CLASSES: &str = "storageclasses";
pub(crate) const PODS: &str = "pods";
pub(crate) const EVENTS: &str = "events";
pub(crate) const NODES: &str = "nodes";
pub(crate) const DEPLOYMENTS: &str = "deployments";
pub(crate) const SETS: &str = "statefulsets";
pub(crate) const DRIVERS: &str = "csidrivers";
pub(crate) const VERSION: &str = "version";
pub(crate) const NAMESPACES: &str = "namespaces";
pub(crate) const LEASES: &str = "leases";
pub(crate) const REVIEWS: &str = "subjectaccessreviews";
pub(crate) const THEIR_PODS: &str = "pods of provisioners";
pub(crate) const THEIR_EVENTS: &str = "events of provisioners";
pub(crate) const PV_EVENTS: &str = "events of PVs";

/// Hosts that are looked at over SSH.
pub(crate) const HOSTS: &str = "hosts of --ssh";

/// NFS exports that are asked from this machine.
pub(crate) const EXPORTS: &str = "some NFS exports";

/// What lies on NFS exports, listed from this machine.
pub(crate) const LISTINGS: &str = "directories of some NFS exports";
