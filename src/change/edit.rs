//! Computes the [`Edit`] of an object that makes a change (PURE). It sends nothing; `apply` does.

use serde_json::{Value, json};

use super::Change;
use crate::cluster::object::Object;

/// What the controller manager writes on a claim that it has bound.
const BOUND_BEFORE: &str = "pv.kubernetes.io/bind-completed";

/// Fields that the API server sets.
const OF_THE_SERVER: [&str; 8] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "selfLink",
    "generation",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// One object as it is, and as it will be.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    pub object: Object,
    pub before: Value,
    /// `None` if the object is deleted.
    pub after: Option<Value>,
}

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    #[error("unchanged")]
    Unchanged,
    /// The object as it is now rules the change out.
    #[error("{0}")]
    Refused(String),
}

impl Edit {
    /// The edit that makes a change to `live`, the object as it is stored, or `None` if it doesn't exist.
    ///
    /// # Errors
    /// [`NoChange::Unchanged`] when the object is in the requested state already, or gone if it is to be deleted;
    /// [`NoChange::Refused`] when it does not exist any more, must not be deleted, or is a host.
    pub fn from_change(change: &Change, live: Option<Value>) -> Result<Self, NoChange> {
        let object = change.object();
        let refused = |why: &str| NoChange::Refused(why.to_owned());
        let (before, after) = match (live, change) {
            (None, Change::Delete(_)) => return Err(NoChange::Unchanged),
            (None, _) => return Err(refused("does not exist any more")),
            (Some(live), Change::Delete(_)) => {
                check_deletable(&object, &live)?;
                (live, None)
            }
            (Some(live), change) => {
                let patch = change.patch().ok_or_else(|| refused("is no object of the cluster"))?;
                let after = merge_change(live.clone(), &patch);
                if after == live {
                    return Err(NoChange::Unchanged);
                }
                (live, Some(after))
            }
        };
        Ok(Self { object, before, after })
    }

    /// What was done once the edit is applied, as kubectl prints it.
    pub fn result_word(&self) -> &'static str {
        match self.after {
            Some(_) => "patched",
            None => "deleted",
        }
    }

    /// The merge patch of the edit; null for a deletion. It holds the uid and version of the object that was read, so
    /// that the API server refuses it for any other.
    pub fn patch(&self) -> Value {
        let Some(after) = &self.after else {
            return Value::Null;
        };
        let mut patch = merge_patch_between(&self.before, after);
        for key in ["uid", "resourceVersion"] {
            patch["metadata"][key] = self.before["metadata"][key].clone();
        }
        patch
    }

    /// The object before and after, without the fields of the API server, for people to look at.
    pub fn before_and_after(&self) -> (Value, Option<Value>) {
        let after = self.after.clone().map(without_server_fields);
        (without_server_fields(self.before.clone()), after)
    }
}

/// Refuses the deletion of an object that may hold data: only Pending claims that were never bound, Pending pods, and
/// locks may be deleted.
fn check_deletable(object: &Object, live: &Value) -> Result<(), NoChange> {
    let phase = live["status"]["phase"].as_str().unwrap_or_default();
    let refused = |why: &str| Err(NoChange::Refused(why.to_owned()));
    match object.kind.as_str() {
        "PersistentVolumeClaim" if phase != "Pending" => refused(&format!("is {phase} now, and may have data")),
        "PersistentVolumeClaim" if !live["metadata"]["annotations"][BOUND_BEFORE].is_null() => {
            refused("was bound before, and may have data")
        }
        "Pod" if phase != "Pending" => refused(&format!("is {phase} now")),
        "PersistentVolumeClaim" | "Pod" | "Lease" | "Endpoints" => Ok(()),
        kind => refused(&format!("is a {kind}, which is never deleted")),
    }
}

/// Removes the status, the fields that only the API server writes, and kubectl's copy of the object.
fn without_server_fields(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(meta) = object["metadata"].as_object_mut() {
        for key in OF_THE_SERVER {
            meta.remove(key);
        }
        if let Some(Value::Object(annotations)) = meta.get_mut("annotations") {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    object
}

/// Merges a change into an object as a merge patch does: null removes a field, lists are replaced. Containers and
/// variables are merged by their names instead. A `change` that is null itself changes nothing.
pub fn merge_change(object: Value, change: &Value) -> Value {
    match (object, change) {
        (object, Value::Null) => object,
        (Value::Object(mut fields), Value::Object(changes)) => {
            for (key, change) in changes {
                if change.is_null() {
                    fields.remove(key);
                    continue;
                }
                let there = fields.remove(key).unwrap_or(Value::Null);
                let value = match (key.as_str(), there, change) {
                    ("containers" | "env", Value::Array(there), Value::Array(change)) => merge_by_name(there, change),
                    (_, there, change) => merge_change(there, change),
                };
                fields.insert(key.clone(), value);
            }
            Value::Object(fields)
        }
        (_, Value::Object(changes)) => merge_change(json!({}), &Value::Object(changes.clone())),
        (_, change) => change.clone(),
    }
}

/// Merges each item of `change` into the one of the same name, or appends it if there is none.
fn merge_by_name(mut there: Vec<Value>, change: &[Value]) -> Value {
    for change in change {
        match there.iter_mut().find(|one| one["name"] == change["name"]) {
            Some(one) => *one = merge_change(one.take(), change),
            None => there.push(change.clone()),
        }
    }
    Value::Array(there)
}

/// The merge patch that turns `before` into `after`.
fn merge_patch_between(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return after.clone();
    };
    let removed = old.keys().filter(|key| !new.contains_key(*key));
    let mut patch: serde_json::Map<String, Value> = removed.map(|key| (key.clone(), Value::Null)).collect();
    for (key, after) in new {
        match old.get(key) {
            Some(before) if before == after => {}
            Some(before) => _ = patch.insert(key.clone(), merge_patch_between(before, after)),
            None => _ = patch.insert(key.clone(), after.clone()),
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
