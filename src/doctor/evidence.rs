//! What a finding shows as its evidence: [`Evidence`], and how events, logs and pods become it (PURE).

use serde::Serialize;

use super::Object;
use crate::cluster::snapshot::{Event, Log, Pod, Stopped};

/// A text that was read, and its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// A field, an event, a log.
    pub source: String,
    pub text: String,
}

impl Evidence {
    pub(crate) fn new(source: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            text: text.into(),
        }
    }

    /// A field of an object as the source (`FIELD of pvc/data -n web`), and its value as the text.
    pub(crate) fn of_field(field: &str, object: &Object, value: impl Into<String>) -> Self {
        Self::new(format!("{field} of {}", object.title()), value)
    }
}

impl Event {
    pub(crate) fn evidence(&self) -> Evidence {
        let about = self.object.as_ref().map(Object::title).unwrap_or_default();
        Evidence::new(format!("event {} on {about}", self.reason), self.message.trim())
    }
}

impl Log {
    pub(crate) fn line_evidence(&self, line: &str) -> Evidence {
        let pod = Object::namespaced("Pod", &self.namespace, &self.pod);
        Evidence::of_field("log", &pod, line.trim())
    }
}

impl Pod {
    /// The condition PodScheduled as evidence; `None` if it is not false, or gives no reason.
    pub(crate) fn scheduling_evidence(&self) -> Option<Evidence> {
        let text = Some(&self.unschedulable).filter(|text| !text.is_empty())?;
        Some(Evidence::of_field("condition PodScheduled", &self.object(), text))
    }

    /// Evidence of the reason and message of one of the pod's containers that doesn't run.
    pub(crate) fn container_evidence(&self, stopped: &Stopped) -> Evidence {
        let field = format!("container {}", stopped.container);
        Evidence::of_field(
            &field,
            &self.object(),
            format!("{} {}", stopped.reason, stopped.message),
        )
    }
}
