//! An object of the cluster by kind, namespace and name: [`Object`] (PURE).

use serde::Serialize;

use crate::shell::shell_word;

/// An object of the cluster, which need not exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Object {
    /// Its kind, as `PersistentVolumeClaim`.
    pub kind: String,
    /// Its namespace, if its kind has one.
    pub namespace: Option<String>,
    pub name: String,
}

impl Object {
    pub fn namespaced(kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    pub fn cluster_scoped(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        }
    }

    /// The kind as kubectl takes it: `pvc`, `pv`, and all others in lower case, such as `storageclass`.
    pub fn short_kind(&self) -> String {
        match self.kind.as_str() {
            "PersistentVolumeClaim" => "pvc".to_owned(),
            "PersistentVolume" => "pv".to_owned(),
            kind => kind.to_lowercase(),
        }
    }

    /// The object as kubectl takes it, for sentences: `pvc/data -n web`. It is not quoted for a shell.
    pub fn title(&self) -> String {
        let object = format!("{}/{}", self.short_kind(), self.name);
        match &self.namespace {
            Some(namespace) => format!("{object} -n {namespace}"),
            None => object,
        }
    }

    /// A kubectl command about the object, without its options: `kubectl -n web delete pvc data`. The names are quoted
    /// for a shell, `verb` is not.
    pub(crate) fn kubectl_command(&self, verb: &str) -> String {
        let name = format!("{verb} {} {}", self.short_kind(), shell_word(&self.name));
        match &self.namespace {
            Some(namespace) => format!("kubectl -n {} {name}", shell_word(namespace)),
            None => format!("kubectl {name}"),
        }
    }
}
