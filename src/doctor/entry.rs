//! [`Entry`], a row of the catalogue of findings (PURE), and the names of what checks need to read.

use super::Severity;

/// A code of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As `NFS101`.
    pub code: &'static str,
    /// The severity, unless a check gives another one.
    pub severity: Severity,
    /// Whether `--fix` may fix it after asking.
    pub automatic: bool,
    /// Whether it is a symptom of another finding, rather than a cause.
    pub symptom: bool,
    /// The resources that have to be read to check it, as the API names them.
    pub needs: &'static [&'static str],
    pub title: &'static str,
    /// What the finding means, its causes, and what to do.
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

/// The marks of a row without any.
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

/// Hosts that are read over SSH.
pub(crate) const HOSTS: &str = "hosts of --ssh";

/// NFS exports that this machine calls.
pub(crate) const EXPORTS: &str = "some NFS exports";

/// Directories of NFS exports that this machine lists.
pub(crate) const LISTINGS: &str = "directories of some NFS exports";
