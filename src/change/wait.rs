//! Waits until an object has the state that it was changed for. Changes nothing, and prints nothing.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::DynamicObject;

use super::apply::api_of;
use crate::cluster::Cluster;
use crate::cluster::object::Object;
use crate::cluster::waiting::wait_for_object;

/// The state of an object that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A claim is Bound.
    Bound(Object),
    /// A volume is Available, or Bound already.
    Available(Object),
    /// A workload runs as it is written.
    RolledOut(Object),
}

impl Effect {
    pub fn object(&self) -> &Object {
        match self {
            Self::Bound(object) | Self::Available(object) | Self::RolledOut(object) => object,
        }
    }

    /// The state of the object, to follow "is": `Ok` if it is the one that is waited for, else what it lacks.
    fn state_of(&self, object: &DynamicObject) -> Result<String, String> {
        let wanted: &[&str] = match self {
            Self::Bound(_) => &["Bound"],
            Self::Available(_) => &["Available", "Bound"],
            Self::RolledOut(_) => return rollout_state(object),
        };
        let phase = object.data["status"]["phase"].as_str().unwrap_or("Pending").to_owned();
        if wanted.contains(&phase.as_str()) {
            Ok(phase)
        } else {
            Err(phase)
        }
    }
}

/// Waits for an effect, for `limit` at most; an object that doesn't exist is waited for, too. Returns its state, to
/// follow "is": `Ok` once it is the wanted one, such as `Bound`; `Err` with what it is instead at the limit, such as
/// `Pending` or `not there`.
///
/// # Errors
/// When the object can't be watched or read.
pub async fn wait(cluster: &Cluster, effect: &Effect, limit: Duration) -> Result<Result<String, String>> {
    let object = effect.object();
    let api = api_of(cluster, object)?;
    let is_reached = |object: Option<&DynamicObject>| object.is_some_and(|object| effect.state_of(object).is_ok());
    let waited = wait_for_object(api.clone(), &object.name, limit, is_reached).await;
    let seen = match waited.with_context(|| format!("cannot watch {}", object.title()))? {
        Some(object) => object,
        None => api.get_opt(&object.name).await?,
    };
    Ok(seen.map_or_else(|| Err("not there".to_owned()), |object| effect.state_of(&object)))
}

/// `Ok` once all pods of a Deployment or StatefulSet are new and ready, and the old ones gone; else how far its rollout
/// is: `at 1 of 3 ready pods, 1 with the change`.
fn rollout_state(object: &DynamicObject) -> Result<String, String> {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let count = |key: &str| status[key].as_i64().unwrap_or(0);
    let is_seen = status["observedGeneration"].as_i64() >= object.metadata.generation;
    let (updated, ready) = (count("updatedReplicas"), count("readyReplicas"));
    let is_done = is_seen && updated >= wanted && ready >= wanted && count("replicas") <= wanted;
    match is_done {
        true => Ok("rolled out".to_owned()),
        false => Err(format!("at {ready} of {wanted} ready pods, {updated} with the change")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_rollout_is_over_when_all_pods_are_new_and_ready() {
        let deployment = |generation: i64, status: Value| -> DynamicObject {
            let object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p", "generation": generation},
                "spec": {"replicas": 1}, "status": status,
            });
            serde_json::from_value(object).unwrap()
        };
        let status = |observed: i64, replicas: i64, updated: i64, ready: i64| json!({"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated, "readyReplicas": ready});
        for (what, generation, status, over) in [
            ("done", 2, status(2, 1, 1, 1), true),
            ("not seen yet", 2, status(1, 1, 1, 1), false),
            ("the old pod is still there", 2, status(2, 2, 1, 2), false),
            ("not ready", 2, status(2, 1, 1, 0), false),
            ("nothing yet", 1, json!({}), false),
        ] {
            assert_eq!(rollout_state(&deployment(generation, status)).is_ok(), over, "{what}");
        }
    }
}
