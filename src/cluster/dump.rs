//! A cluster as files: `kubectl get -o json` output and logs, written by `--dump` and read by `--from-dump`.
//!
//! Secrets are never read. Values of environment variables are left out, except those that say which provisioner runs,
//! and for which export.

mod read;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::snapshot::Log;

#[cfg(test)]
pub(crate) use read::assemble;
pub use read::read;

/// The file with the version and the time of the dump.
const ABOUT: &str = "dump.json";

/// The objects and logs of a dump.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    lists: BTreeMap<String, Vec<Value>>,
    logs: Vec<Log>,
}

impl Dump {
    /// Begins the list of a resource, by its plural. It is written even if it stays empty, and then counts as read.
    pub fn begin(&mut self, what: &str) {
        self.lists.entry(what.to_owned()).or_default();
    }

    /// Drops a list that could not be read, with all objects added to it: without a file it counts as unread.
    pub fn forget(&mut self, what: &str) {
        self.lists.remove(what);
    }

    /// Adds an object to the list `what`, which names the file too, without `managedFields`, kubectl's copy of it and
    /// the values of most environment variables.
    pub fn add(&mut self, what: &str, object: impl Serialize) {
        // Objects of the API can always be written as JSON.
        if let Ok(mut object) = serde_json::to_value(object) {
            redact_object(&mut object);
            self.lists.entry(what.to_owned()).or_default().push(object);
        }
    }

    /// Adds the lists of another dump, also empty ones, and its logs; duplicates stay.
    pub fn add_objects_of(&mut self, other: Self) {
        for (what, objects) in other.lists {
            self.lists.entry(what).or_default().extend(objects);
        }
        self.logs.extend(other.logs);
    }

    /// Adds a log unchanged. Of several of one container, only the last is written.
    pub fn add_log(&mut self, log: &Log) {
        self.logs.push(log.clone());
    }

    /// Writes everything to a directory, which is created if it is missing; returns the paths of the files. `version`
    /// is the API server's.
    ///
    /// # Errors
    /// When a file can't be written, or the directory is not empty. Files that were written before an error stay.
    pub fn write(&self, directory: &Path, version: &str, now: Timestamp) -> Result<Vec<PathBuf>> {
        let cannot = || format!("cannot write {}", directory.display());
        fs::create_dir_all(directory).with_context(cannot)?;
        if fs::read_dir(directory).with_context(cannot)?.next().is_some() {
            bail!(
                "{} is not empty; name another directory for the dump",
                directory.display()
            );
        }
        fs::create_dir(directory.join("logs")).with_context(cannot)?;
        let mut written = Vec::new();
        let mut write = |name: String, text: String| -> Result<()> {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            written.push(path);
            Ok(())
        };
        let about = json!({"serverVersion": {"gitVersion": version}, "at": now});
        write(ABOUT.to_owned(), serde_json::to_string_pretty(&about)? + "\n")?;
        for (what, items) in &self.lists {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            write(format!("{what}.json"), serde_json::to_string_pretty(&list)? + "\n")?;
        }
        for log in &self.logs {
            let name = format!("logs/{}_{}_{}.log", log.namespace, log.pod, log.container);
            write(name, log.text.clone())?;
        }
        Ok(written)
    }
}

/// Removes, at any depth, the values of environment variables other than PROVISIONER_NAME, ENABLE_LEADER_ELECTION and
/// those that begin with NFS_, and the copies of the object in `managedFields` and kubectl's annotation.
fn redact_object(value: &mut Value) {
    let harmless =
        |name: &str| name.starts_with("NFS_") || matches!(name, "PROVISIONER_NAME" | "ENABLE_LEADER_ELECTION");
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                for variable in variables.iter_mut().filter_map(Value::as_object_mut) {
                    let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
                    if !harmless(name) {
                        variable.remove("value");
                    }
                }
            }
            fields.values_mut().for_each(redact_object);
        }
        Value::Array(items) => items.iter_mut().for_each(redact_object),
        _ => {}
    }
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;
