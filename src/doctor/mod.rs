//! The doctor: what is wrong with a cluster's NFS storage, why, how one can tell, and what mends it.
//!
//! [`gather`] reads the cluster once, [`dump`] reads the same from files; [`checks`] turn these [`facts`] into
//! findings and know neither cluster nor clock; [`report`] puts causes above their symptoms. [`fix`] mends.

pub mod checks;
pub mod dump;
pub mod explain;
pub mod facts;
pub mod fix;
pub mod formats;
pub mod gather;
pub mod images;
pub mod matching;
pub mod messages;
pub mod names;
pub mod policy;
pub mod provisioners;
pub mod quantity;
pub mod report;
pub mod servers;

use serde::Serialize;

use fix::{Change, Cure};

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

/// An object of the cluster, or something that it names and that isn't there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Object {
    /// Its kind, as `PersistentVolumeClaim`.
    pub kind: String,
    /// Its namespace, if its kind has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Object {
    /// An object of a namespace.
    pub fn of(kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    /// An object of the cluster.
    pub fn cluster(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        }
    }

    /// As people write it: `pvc default/mypvc`.
    pub fn title(&self) -> String {
        let kind = match self.kind.as_str() {
            "PersistentVolumeClaim" => "pvc",
            "PersistentVolume" => "pv",
            "StorageClass" => "storageclass",
            kind => &kind.to_lowercase(),
        };
        match &self.namespace {
            Some(namespace) => format!("{kind} {namespace}/{}", self.name),
            None => format!("{kind} {}", self.name),
        }
    }
}

/// Something that was read, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// A field, an event, a log.
    pub source: String,
    /// What stands there.
    pub text: String,
}

/// What mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// A command line that works when pasted; none where only people can decide.
    pub command: Option<String>,
    /// Whether it may be done by a program after asking.
    pub automatic: bool,
    /// What to know before.
    pub note: String,
    /// The same as changes, if it may.
    #[serde(skip)]
    pub changes: Vec<Change>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its code in the catalogue, as `NFS101`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub object: Object,
    /// The cause, in one sentence.
    pub cause: String,
    /// How one can tell.
    pub evidence: Vec<Evidence>,
    /// How sure it is.
    pub confidence: Confidence,
    /// What mends it, if anything is to be mended.
    pub fix: Option<Fix>,
    /// The objects that wait or fail because of it.
    pub explains: Vec<Object>,
    /// What tells findings of the same code and cause from others; none if each is on its own.
    #[serde(skip)]
    pub same_cause: Option<String>,
}

impl Finding {
    /// A finding of the catalogue's severity, certain until said otherwise.
    pub fn new(code: &'static str, object: Object, cause: impl Into<String>) -> Self {
        Self {
            code,
            severity: explain::find(code).map_or(Severity::Error, |entry| entry.severity),
            object,
            cause: cause.into(),
            evidence: Vec::new(),
            confidence: Confidence::Certain,
            fix: None,
            explains: Vec::new(),
            same_cause: None,
        }
    }

    /// With something that was read.
    #[must_use]
    pub fn seen(mut self, source: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence {
            source: source.into(),
            text: text.into(),
        });
        self
    }

    /// With all that was read.
    #[must_use]
    pub fn all_seen(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Less than certain.
    #[must_use]
    pub fn only(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// Of another severity than the catalogue's.
    #[must_use]
    pub fn as_bad_as(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Mended by a command; whether a program may do the same is for the catalogue and [`policy`] to say.
    #[must_use]
    pub fn mended_by(mut self, cure: impl Into<Cure>, note: impl Into<String>) -> Self {
        let cure: Cure = cure.into();
        let allowed = explain::find(self.code).is_some_and(|entry| entry.automatic);
        let changes = if allowed { cure.changes } else { Vec::new() };
        self.fix = Some(Fix {
            command: Some(cure.command),
            automatic: !changes.is_empty(),
            note: note.into(),
            changes,
        });
        self
    }

    /// Mended by people only.
    #[must_use]
    pub fn mended_by_hand(mut self, note: impl Into<String>) -> Self {
        self.fix = Some(Fix {
            command: None,
            automatic: false,
            note: note.into(),
            changes: Vec::new(),
        });
        self
    }

    /// Whose cause is the same as that of other findings of its code with this key.
    #[must_use]
    pub fn alike(mut self, key: &str) -> Self {
        self.same_cause = Some(key.to_owned());
        self
    }

    /// With what waits for it.
    #[must_use]
    pub fn explaining(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        for object in objects {
            if object != self.object && !self.explains.contains(&object) {
                self.explains.push(object);
            }
        }
        self
    }
}
