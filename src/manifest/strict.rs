//! Checks objects against the types of their kinds (PURE), so that a misspelt field is found without a cluster.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolume, PersistentVolumeClaim, Pod, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::api::storage::v1::StorageClass;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The kinds that a template may create, and whether objects of the kind are namespaced.
const KINDS: [(&str, &str, bool, Check); 16] = [
    ("v1", "PersistentVolume", false, roundtrip_as::<PersistentVolume>),
    (
        "v1",
        "PersistentVolumeClaim",
        true,
        roundtrip_as::<PersistentVolumeClaim>,
    ),
    ("v1", "Pod", true, roundtrip_as::<Pod>),
    ("v1", "Service", true, roundtrip_as::<Service>),
    ("v1", "ServiceAccount", true, roundtrip_as::<ServiceAccount>),
    ("v1", "ConfigMap", true, roundtrip_as::<ConfigMap>),
    ("v1", "Namespace", false, roundtrip_as::<Namespace>),
    ("apps/v1", "Deployment", true, roundtrip_as::<Deployment>),
    ("apps/v1", "StatefulSet", true, roundtrip_as::<StatefulSet>),
    (
        "policy/v1",
        "PodDisruptionBudget",
        true,
        roundtrip_as::<PodDisruptionBudget>,
    ),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        true,
        roundtrip_as::<NetworkPolicy>,
    ),
    ("storage.k8s.io/v1", "StorageClass", false, roundtrip_as::<StorageClass>),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        false,
        roundtrip_as::<ClusterRole>,
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        false,
        roundtrip_as::<ClusterRoleBinding>,
    ),
    ("rbac.authorization.k8s.io/v1", "Role", true, roundtrip_as::<Role>),
    (
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        true,
        roundtrip_as::<RoleBinding>,
    ),
];

/// Deserialises an object as its type and serialises it again.
type Check = fn(&Value) -> Result<Value, serde_json::Error>;

/// Whether objects of a kind have a namespace; `None` for a kind that no template may create.
pub fn is_namespaced(kind: &str) -> Option<bool> {
    KINDS
        .iter()
        .find(|(_, name, ..)| *name == kind)
        .map(|(_, _, namespaced, _)| *namespaced)
}

/// Checks that an object has a known kind, a name, and only fields of its kind, of which only the types are checked.
///
/// The types come from k8s-openapi, whose structs drop unknown fields: a field that is lost in a round trip is unknown.
///
/// # Errors
/// One sentence naming the kind and the field.
pub fn check_object(object: &Value) -> Result<(), String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let Some((.., check)) = KINDS.iter().find(|(at, name, ..)| *at == version && *name == kind) else {
        let known: Vec<_> = KINDS.iter().map(|(at, name, ..)| format!("{at} {name}")).collect();
        return Err(match (version, kind) {
            ("", _) | (_, "") => "an object has no apiVersion or no kind".to_owned(),
            _ => format!(
                "{version} {kind} is not a kind that it may create: {}",
                known.join(", ")
            ),
        });
    };
    let named = object.pointer("/metadata/name").and_then(Value::as_str);
    if named.unwrap_or_default().is_empty() {
        return Err(format!("a {kind} has no metadata.name"));
    }
    let kept = check(object).map_err(|error| format!("{kind} {}: {error}", named.unwrap_or_default()))?;
    let mut lost = Vec::new();
    collect_lost_fields(object, &kept, "", &mut lost);
    match lost.first() {
        None => Ok(()),
        Some(field) => Err(format!("{kind} has no field {field}")),
    }
}

fn roundtrip_as<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(T::deserialize(object)?)
}

/// Collects the paths of fields that `given` has and `kept` lacks. A null counts as no field.
fn collect_lost_fields(given: &Value, kept: &Value, path: &str, lost: &mut Vec<String>) {
    match (given, kept) {
        (Value::Object(given), _) => {
            for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                match kept.get(key) {
                    Some(kept) => collect_lost_fields(value, kept, &path, lost),
                    None => lost.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (place, (given, kept)) in given.iter().zip(kept).enumerate() {
                collect_lost_fields(given, kept, &format!("{path}[{place}]"), lost);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_no_type_has_is_named() {
        let pod = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        for (object, said) in [
            (
                json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
                       "spec": {"capcity": {"storage": "1Gi"}}}),
                "PersistentVolume has no field spec.capcity",
            ),
            (
                json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v", "lables": {}},
                       "spec": {}}),
                "PersistentVolume has no field metadata.lables",
            ),
            (
                pod(json!({"containers": [{"name": "a"}, {"name": "b", "volumeMount": []}]})),
                "Pod has no field spec.containers[1].volumeMount",
            ),
            (
                json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "c"},
                       "provisioner": "p", "spec": {}}),
                "StorageClass has no field spec",
            ),
            (
                pod(json!({"containers": "one"})),
                "Pod p: invalid type: string \"one\", expected a sequence",
            ),
            (json!({"kind": "Pod"}), "an object has no apiVersion or no kind"),
            (
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}}),
                "a Pod has no metadata.name",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}),
                "v1 Secret is not a kind that it may create: ",
            ),
        ] {
            let error = check_object(&object).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn what_the_type_holds_is_kept() {
        for object in [
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v", "labels": {"any": "key"}},
                   "spec": {"capacity": {"storage": "1Gi"}, "claimRef": null, "mountOptions": []}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                   "spec": {"ports": [{"port": 80, "targetPort": "web"}]}}),
        ] {
            assert_eq!(check_object(&object), Ok(()));
        }
    }
}
