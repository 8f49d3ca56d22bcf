//! The order of fixes, each a [`Step`], and the effects to wait for (PURE).

use super::{Finding, Object};
use crate::change::Change;
use crate::change::wait::Effect;
use crate::cluster::snapshot::{Claim, ClusterSnapshot};

/// The fix of one finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<'a> {
    pub finding: &'a Finding,
    /// In this order.
    pub changes: &'a [Change],
    /// What to wait for once all steps are made.
    pub effects: Vec<Effect>,
}

/// The fixes in the cluster that `policy` has marked as automatic, without those on hosts, in the order of `findings`,
/// which `Report` sorts: causes first. Each comes with the effects to wait for once all fixes are made.
pub fn plan_cluster_fixes<'a>(findings: &'a [Finding], cluster: &ClusterSnapshot) -> Vec<Step<'a>> {
    let step = |finding: &'a Finding| {
        let fix = finding.fix.as_ref().filter(|fix| fix.automatic)?;
        Some(Step {
            finding,
            changes: &fix.changes,
            effects: effects_of(finding, &fix.changes, cluster),
        })
    };
    let steps = findings.iter().filter_map(step);
    let here = |step: &Step<'_>| {
        !step
            .changes
            .iter()
            .any(|change| matches!(change, Change::OnHost { .. }))
    };
    steps.filter(|step| !step.changes.is_empty() && here(step)).collect()
}

/// The effects of a fix to wait for: the rollout of Deployments and StatefulSets, not DaemonSets, that change, and the
/// binding of the finding's claims, but not of those that wait for their first pod.
fn effects_of(finding: &Finding, changes: &[Change], cluster: &ClusterSnapshot) -> Vec<Effect> {
    let workload = |change: &Change| {
        let object = change.object();
        let runs = matches!(object.kind.as_str(), "Deployment" | "StatefulSet");
        (runs && !matches!(change, Change::Delete(_))).then_some(Effect::RolledOut(object))
    };
    let claims = [&finding.object]
        .into_iter()
        .chain(&finding.affected)
        .filter(|object| object.kind == "PersistentVolumeClaim")
        .filter(|object| is_bound_at_once(object, cluster));
    let mut effects: Vec<Effect> = changes.iter().filter_map(workload).collect();
    effects.extend(claims.cloned().map(Effect::Bound));
    effects.dedup();
    effects
}

/// Whether a claim waits for no pod: its class binds at once, or a node was already selected for it. Also true if the
/// claim or its class is unknown.
fn is_bound_at_once(object: &Object, cluster: &ClusterSnapshot) -> bool {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let named = |claim: &&Claim| claim.namespace == namespace && claim.name == object.name;
    let Some(claim) = cluster.claims.iter().find(named) else {
        return true;
    };
    let class = claim.class.as_deref().and_then(|class| cluster.find_class(class));
    !class.is_some_and(|class| class.waits_for_first_consumer && !claim.node_selected)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::snapshot::Class;
    use crate::doctor::Fix;

    fn cluster() -> ClusterSnapshot {
        let claim = |name: &str, class: &str| Claim {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            class: Some(class.to_owned()),
            ..Claim::default()
        };
        let class = |name: &str, waits_for_first_consumer| Class {
            name: name.to_owned(),
            waits_for_first_consumer,
            ..Class::default()
        };
        ClusterSnapshot {
            claims: vec![claim("now", "now"), claim("late", "late")],
            classes: vec![class("now", false), class("late", true)],
            ..ClusterSnapshot::default()
        }
    }

    fn pvc(name: &str) -> Object {
        Object::namespaced("PersistentVolumeClaim", "default", name)
    }

    fn fixed(code: &'static str, object: Object, change: Change) -> Finding {
        let mut fix = Fix::of_changes([change], "");
        fix.automatic = true;
        Finding::new(code, object, "").with_fix(fix)
    }

    fn delete(name: &str) -> Finding {
        fixed("NFS122", pvc(name), Change::Delete(pvc(name)))
    }

    #[test]
    fn rollouts_and_bindings_of_claims_without_a_first_pod_are_awaited() {
        let deployment = Object::namespaced("Deployment", "default", "p");
        let image = Change::Merge {
            object: deployment.clone(),
            patch: json!({}),
        };
        for (finding, wanted) in rows! {
            (delete("now"), vec![Effect::Bound(pvc("now"))]),
            // It waits for its first pod, then and now.
            (delete("late"), vec![]),
            (fixed("NFS301", deployment.clone(), image).with_affected([pvc("now"), pvc("late"), Object::namespaced("Pod",
                "default", "p")]), vec![Effect::RolledOut(deployment.clone()), Effect::Bound(pvc("now"))]),
        } {
            let findings = [finding];
            let steps = plan_cluster_fixes(&findings, &cluster());
            assert_eq!(steps[0].effects, wanted);
        }
    }
}
