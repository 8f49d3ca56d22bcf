//! Roles with their bindings, for commands that grant permissions (PURE).

use serde_json::{Value, json};

const GROUP: &str = "rbac.authorization.k8s.io";

pub fn user_subject(name: &str) -> Value {
    json!({"apiGroup": GROUP, "kind": "User", "name": name})
}

pub fn account_subject(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
}

/// A Role of a namespace, or a ClusterRole without one, with the binding of the same name that gives it to `subject`.
pub fn role_with_binding(namespace: Option<&str>, name: &str, rules: &[Value], subject: &Value) -> [Value; 2] {
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let mut meta = json!({"name": name});
    if let Some(namespace) = namespace {
        meta["namespace"] = json!(namespace);
    }
    let version = format!("{GROUP}/v1");
    [
        json!({"apiVersion": version, "kind": kind, "metadata": meta, "rules": rules}),
        json!({
            "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": meta,
            "roleRef": {"apiGroup": GROUP, "kind": kind, "name": name}, "subjects": [subject],
        }),
    ]
}

/// Objects as the JSON of one List, for kubectl; not quoted for a shell.
pub fn list_of(objects: Vec<Value>) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}
