//! RemoveSelfLink=false in the files that tell an API server its feature gates (PURE): set and taken away again, each
//! byte elsewhere left as it is.

mod configuration;
mod list;
pub mod script;
mod unit;

use std::fmt;

use crate::doctor::facts::Facts;

/// The gate, as it stands in a list of gates.
pub const GATE: &str = "RemoveSelfLink=false";

/// The gate's name.
const NAME: &str = "RemoveSelfLink";

/// The flag that lists gates.
const FLAG: &str = "feature-gates";

/// The argument of K3s and RKE2 that holds one of the API server's.
const ARGUMENT: &str = "kube-apiserver-arg";

/// The versions, by their minor numbers, whose API servers take the gate and need it.
const ALLOWED: std::ops::RangeInclusive<u32> = 20..=23;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// kubeadm's static pod, `/etc/kubernetes/manifests/kube-apiserver.yaml`.
    Manifest,
    /// The ClusterConfiguration in kubeadm's ConfigMap `kube-system/kubeadm-config`.
    ClusterConfiguration,
    /// `config.yaml` of K3s or RKE2.
    Config,
    /// The unit of K3s, whose command line has its arguments.
    Unit,
}

/// Whether the gate is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is to be there.
    Set,
    /// It is to go.
    Unset,
}

/// Why a file is not edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GateError(String);

impl GateError {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "set",
            Self::Unset => "taken away",
        })
    }
}

/// Whether a version's API server can be told so.
///
/// # Errors
/// Why it can't, or needs not.
pub fn allowed(facts: &Facts, wish: Wish) -> Result<(), GateError> {
    let Some(minor) = facts.minor() else {
        return Err(GateError::new(format!("nothing is known of version {}", facts.version)));
    };
    let version = &facts.version;
    match wish {
        Wish::Unset if minor < *ALLOWED.start() => Err(GateError::new(format!(
            "the API server of {version} sends selfLink by itself"
        ))),
        Wish::Set if minor < *ALLOWED.start() => Err(GateError::new(format!(
            "the API server of {version} sends selfLink by itself"
        ))),
        Wish::Set if minor > 29 => Err(GateError::new(format!(
            "the API server of {version} refuses to start with it: unrecognized feature gate: {NAME}"
        ))),
        Wish::Set if minor > *ALLOWED.end() => Err(GateError::new(format!(
            "the API server of {version} refuses to start with it: cannot set feature gate {NAME} to false, feature is \
             locked to true"
        ))),
        _ => Ok(()),
    }
}

/// The file with the gate, or without; the same if it is so already.
///
/// # Errors
/// What in the file is not understood. Nothing is guessed: such a file is for people to edit.
pub fn edited(kind: Kind, text: &str, wish: Wish) -> Result<String, GateError> {
    let edited = match kind {
        Kind::Manifest => list::manifest(text, wish),
        Kind::Config => list::config(text, wish),
        Kind::ClusterConfiguration => configuration::edited(text, wish),
        Kind::Unit => unit::edited(text, wish),
    }?;
    Ok(applied(text, edited))
}

/// The file before the gate was set: the copy that was kept, if nothing else was changed since, else the file without
/// the gate.
///
/// # Errors
/// As [`edited`].
pub fn undone(kind: Kind, now: &str, kept: Option<&str>) -> Result<String, GateError> {
    match kept {
        Some(kept) if edited(kind, kept, Wish::Set).as_deref() == Ok(now) => Ok(kept.to_owned()),
        _ => edited(kind, now, Wish::Unset),
    }
}

/// Whether a unit's command line gives the API server arguments: those in a configuration file don't count then.
pub fn unit_decides(text: &str) -> bool {
    unit::has_arguments(text)
}

/// Whether a unit, or what adds to it, says how it is started.
pub fn unit_starts(text: &str) -> bool {
    unit::starts(text)
}

/// The arguments for the API server in a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Whether they add to those of the files before it.
    pub adds: bool,
    /// Whether there are gates among them.
    pub gates: bool,
}

/// The arguments for the API server in a configuration file, if it has any.
///
/// # Errors
/// As [`edited`].
pub fn config_arguments(text: &str) -> Result<Option<Arguments>, GateError> {
    list::config_arguments(text)
}

/// A part of a text, and what is to stand there.
type Edit = (std::ops::Range<usize>, String);

fn applied(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(place, _)| place.start);
    let mut out = text.to_owned();
    for (place, new) in edits.into_iter().rev() {
        out.replace_range(place, &new);
    }
    out
}

/// A list of gates with ours as it is wanted; empty if there are no others.
fn gates(list: &str, wish: Wish) -> String {
    let ours = |gate: &&str| gate.split('=').next().map(str::trim) == Some(NAME);
    let all: Vec<&str> = list.split(',').filter(|gate| !gate.trim().is_empty()).collect();
    match wish {
        Wish::Unset if !all.iter().any(ours) => list.to_owned(),
        Wish::Unset => all.into_iter().filter(|gate| !ours(gate)).collect::<Vec<_>>().join(","),
        Wish::Set if all.iter().any(|gate| gate.trim() == GATE) => list.to_owned(),
        Wish::Set if all.iter().any(ours) => {
            let each = all.iter().map(|gate| if ours(gate) { GATE } else { gate });
            each.collect::<Vec<_>>().join(",")
        }
        Wish::Set => all.into_iter().chain([GATE]).collect::<Vec<_>>().join(","),
    }
}

/// The end of a text's lines.
fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The lines of a text: where each begins and ends, its end with and without the characters that end it.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let each = text.split_inclusive('\n').map(|whole| {
        let content = whole.trim_end_matches('\n').trim_end_matches('\r');
        let line = Line {
            start,
            content,
            next: start + whole.len(),
        };
        start += whole.len();
        line
    });
    each.collect()
}

/// A line of a text.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    start: usize,
    content: &'a str,
    /// Where the next one begins.
    next: usize,
}

impl Line<'_> {
    fn indent(&self) -> usize {
        self.content.len() - self.content.trim_start_matches(' ').len()
    }

    /// Whether there is nothing in it that YAML would read.
    fn is_blank(&self) -> bool {
        let rest = self.content.trim_start();
        rest.is_empty() || rest.starts_with('#')
    }

    fn end(&self) -> usize {
        self.start + self.content.len()
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
