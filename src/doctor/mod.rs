//! The doctor: diagnoses a cluster's NFS storage and suggests fixes.
//!
//! `checks` turn `facts`, a snapshot of the cluster and what else was read, into [`Finding`]s without a cluster or a
//! clock; `policy` decides which fixes `--fix` makes, and `fix` makes them; `report` puts causes above their symptoms.

pub mod checks;
pub(crate) mod entry;
pub mod evidence;
pub mod explain;
pub(crate) mod facts;
pub(crate) mod fix;
pub mod formats;
pub(crate) mod matching;
pub(crate) mod messages;
pub(crate) mod names;
pub(crate) mod policy;
pub mod report;
pub(crate) mod servers;

use serde::Serialize;

pub use evidence::Evidence;

use crate::change::Change;
pub use crate::cluster::object::Object;

/// How bad a finding is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something will not work, or works otherwise than it seems.
    Warning,
    /// Something worth knowing.
    Info,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It follows from what was read.
    Certain,
    /// Nothing else that is known looks like this.
    Likely,
    /// There are other explanations.
    Possible,
}

/// What fixes a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// A command line that works when pasted; `None` if the note is all of the fix.
    pub command: Option<String>,
    /// Whether `--fix` makes the changes after asking; `policy` decides.
    pub automatic: bool,
    /// What to know before, or advice.
    pub note: String,
    /// The changes that the command makes; empty if `--fix` can't make them.
    #[serde(skip)]
    pub changes: Vec<Change>,
}

impl Fix {
    /// Changes, at least one, and the command line that makes all of them in this order. Not automatic until `policy`
    /// says so.
    pub(crate) fn of_changes(changes: impl IntoIterator<Item = Change>, note: impl Into<String>) -> Self {
        let changes: Vec<Change> = changes.into_iter().collect();
        let commands: Vec<String> = changes.iter().map(Change::command).collect();
        Self {
            changes,
            ..Self::of_command(commands.join(" && "), note)
        }
    }

    /// A command line that only people run; `--fix` never does.
    pub(crate) fn of_command(command: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            command: Some(command.into()),
            ..Self::of_advice(note)
        }
    }

    /// Advice without a command line.
    pub(crate) fn of_advice(note: impl Into<String>) -> Self {
        Self {
            command: None,
            automatic: false,
            note: note.into(),
            changes: Vec::new(),
        }
    }
}

/// A problem of an object, with its cause, evidence and fix.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its code in the catalogue, as `NFS101`.
    pub code: &'static str,
    pub severity: Severity,
    pub object: Object,
    /// The cause, in one sentence.
    pub cause: String,
    pub evidence: Vec<Evidence>,
    pub confidence: Confidence,
    pub fix: Option<Fix>,
    /// The objects that wait or fail because of it.
    #[serde(rename = "explains")]
    pub affected: Vec<Object>,
    /// Findings of a code with the same key are merged; `None` if the finding is never merged.
    #[serde(skip)]
    pub same_cause: Option<String>,
}

impl Finding {
    /// A certain finding without evidence and fix, with the severity of the catalogue; `Error` for an unknown code.
    pub(crate) fn new(code: &'static str, object: Object, cause: impl Into<String>) -> Self {
        Self {
            code,
            severity: explain::find_entry(code).map_or(Severity::Error, |entry| entry.severity),
            object,
            cause: cause.into(),
            evidence: Vec::new(),
            confidence: Confidence::Certain,
            fix: None,
            affected: Vec::new(),
            same_cause: None,
        }
    }

    pub(crate) fn with_evidence(self, source: impl Into<String>, text: impl Into<String>) -> Self {
        self.with_all_evidence([Evidence::new(source, text)])
    }

    /// With the value of a field of the finding's own object.
    pub(crate) fn with_field(self, field: &str, value: impl Into<String>) -> Self {
        let evidence = Evidence::of_field(field, &self.object, value);
        self.with_all_evidence([evidence])
    }

    pub(crate) fn with_field_of(self, object: &Object, field: &str, value: impl Into<String>) -> Self {
        self.with_all_evidence([Evidence::of_field(field, object, value)])
    }

    /// Adds evidence after the earlier one; repeated texts stay.
    pub(crate) fn with_all_evidence(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    pub(crate) fn with_confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// With another severity than the catalogue's.
    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With a fix, in place of an earlier one.
    pub(crate) fn with_fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// With a change as its fix, in place of an earlier fix; `policy` decides whether `--fix` makes it.
    pub(crate) fn with_change(self, change: Change, note: impl Into<String>) -> Self {
        self.with_fix(Fix::of_changes([change], note))
    }

    /// With a command that only people run, in place of an earlier fix.
    pub(crate) fn with_command(self, command: impl Into<String>, note: impl Into<String>) -> Self {
        self.with_fix(Fix::of_command(command, note))
    }

    /// With advice instead of a command, in place of an earlier fix.
    pub(crate) fn with_advice(self, note: impl Into<String>) -> Self {
        self.with_fix(Fix::of_advice(note))
    }

    /// Findings of one code with the same key have the same cause, and are merged into one.
    pub(crate) fn with_same_cause(mut self, key: &str) -> Self {
        self.same_cause = Some(key.to_owned());
        self
    }

    /// Adds objects that wait or fail because of it, after the earlier ones; the finding's own object and repeated ones
    /// are dropped.
    pub(crate) fn with_affected(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        for object in objects {
            if object != self.object && !self.affected.contains(&object) {
                self.affected.push(object);
            }
        }
        self
    }

    /// Whether the catalogue marks findings of its code as symptoms. Their cause need not be among the findings.
    pub(crate) fn is_symptom(&self) -> bool {
        explain::find_entry(self.code).is_some_and(|entry| entry.symptom)
    }

    /// Whether the catalogue lets `--fix` fix findings of its code.
    pub(crate) fn may_be_fixed_automatically(&self) -> bool {
        explain::find_entry(self.code).is_some_and(|entry| entry.automatic)
    }
}
