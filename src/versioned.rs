//! Results for scripts: `apiVersion: nfsprov/v1`, a kind, and the fields of the result.

use serde::Serialize;

/// A result with its version and kind before its fields.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Versioned<T> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    result: T,
}

impl<T: Serialize> Versioned<T> {
    /// A result of a kind. It must serialise to an object, as [`Items`] does for a list.
    pub fn new(kind: &'static str, result: T) -> Self {
        Self {
            api_version: "nfsprov/v1",
            kind,
            result,
        }
    }
}

/// The result of a command that lists.
#[derive(Clone, Debug, Serialize)]
pub struct Items<T> {
    /// What it lists.
    pub items: T,
}
