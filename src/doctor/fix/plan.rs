//! Which findings are mended by changes, and what shows that it helped (PURE).

use serde_json::json;

use super::{Change, Cure};
use crate::doctor::facts::{Claim, Facts};
use crate::doctor::{Finding, Object};

/// What mends one finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// In this order.
    pub changes: &'a [Change],
    /// What is to be seen afterwards, now or after a later step that is good for it too.
    pub effects: Vec<Effect>,
}

/// What shows that a change has helped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A claim is Bound.
    Bound(Object),
    /// A workload runs as it is written.
    RolledOut(Object),
}

/// The findings that may be mended so in the cluster, in the report's order: causes first.
pub fn plan<'a>(findings: &'a [Finding], facts: &Facts) -> Vec<Step<'a>> {
    let step = |finding: &'a Finding| {
        let fix = finding.fix.as_ref().filter(|fix| fix.automatic)?;
        Some(Step {
            finding,
            changes: &fix.changes,
            effects: effects(finding, &fix.changes, facts),
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

/// Takes from what is `owed`, by steps that were made, what no step that comes `later` is good for: it is to be seen now.
pub fn due(owed: &mut Vec<Effect>, later: &[Step<'_>]) -> Vec<Effect> {
    let comes = |effect: &Effect| later.iter().any(|step| step.effects.contains(effect));
    owed.extract_if(.., |effect| !comes(effect)).collect()
}

/// The findings that the gate mends, each mended by starting its provisioner again: what it knew before holds no more.
pub fn restarts(findings: &[Finding], facts: &Facts, now: &str) -> Vec<Finding> {
    let theirs = findings
        .iter()
        .filter(|finding| matches!(finding.code, "NFS301" | "NFS302"));
    let known = |object: &Object| facts.workloads.iter().any(|workload| workload.object() == *object);
    let again = theirs.filter(|finding| known(&finding.object)).map(|finding| {
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
        let change = Change::Patch {
            object: finding.object.clone(),
            change: json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}),
        };
        finding
            .clone()
            .mended_by(Cure::new(String::new(), [change]), "starts the provisioner again")
    });
    again.collect()
}

fn effects(finding: &Finding, changes: &[Change], facts: &Facts) -> Vec<Effect> {
    let workload = |change: &Change| {
        let object = change.object();
        let runs = matches!(object.kind.as_str(), "Deployment" | "StatefulSet");
        (runs && !matches!(change, Change::Delete(_))).then_some(Effect::RolledOut(object))
    };
    let claims = [&finding.object]
        .into_iter()
        .chain(&finding.explains)
        .filter(|object| object.kind == "PersistentVolumeClaim")
        .filter(|object| waits(object, facts));
    let mut effects: Vec<Effect> = changes.iter().filter_map(workload).collect();
    effects.extend(claims.cloned().map(Effect::Bound));
    effects.dedup();
    effects
}

/// Whether a claim will be bound by itself, rather than when its first pod is scheduled.
fn waits(object: &Object, facts: &Facts) -> bool {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let named = |claim: &&Claim| claim.namespace == namespace && claim.name == object.name;
    let Some(claim) = facts.claims.iter().find(named) else {
        return true;
    };
    let class = claim.class.as_deref().and_then(|class| facts.class(class));
    !class.is_some_and(|class| class.waits && !claim.node_selected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::Class;

    fn facts() -> Facts {
        let claim = |name: &str, class: &str| Claim {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            class: Some(class.to_owned()),
            ..Claim::default()
        };
        let class = |name: &str, waits| Class {
            name: name.to_owned(),
            waits,
            ..Class::default()
        };
        Facts {
            claims: vec![claim("now", "now"), claim("late", "late")],
            classes: vec![class("now", false), class("late", true)],
            ..Facts::default()
        }
    }

    fn pvc(name: &str) -> Object {
        Object::of("PersistentVolumeClaim", "default", name)
    }

    fn delete(name: &str) -> Cure {
        Cure::new("x".to_owned(), [Change::Delete(pvc(name))])
    }

    #[test]
    fn only_what_the_catalogue_allows_is_done() {
        let findings = [
            Finding::new("NFS122", pvc("now"), "").mended_by(delete("now"), ""),
            // Its catalogue's row says that people decide.
            Finding::new("NFS103", pvc("now"), "").mended_by(delete("now"), ""),
            Finding::new("NFS122", pvc("now"), "").mended_by("nfsprov create storageclass SOME", ""),
            Finding::new("NFS122", pvc("now"), "").mended_by_hand(""),
        ];
        let facts = facts();
        let steps = plan(&findings, &facts);
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].finding, &findings[0]);
        let automatic = |finding: &Finding| finding.fix.as_ref().is_some_and(|fix| fix.automatic);
        assert_eq!(
            findings.iter().map(automatic).collect::<Vec<_>>(),
            [true, false, false, false]
        );
    }

    #[test]
    fn what_several_steps_are_good_for_is_waited_for_once_and_after_the_last() {
        let deployment = Object::of("Deployment", "default", "p");
        let patch = Change::Patch {
            object: deployment.clone(),
            change: json!({}),
        };
        let finding = |code, change: &Change| {
            Finding::new(code, deployment.clone(), "")
                .mended_by(Cure::new("x".to_owned(), [change.clone()]), "")
                .explaining([pvc("now")])
        };
        let lock = Change::Delete(Object::of("Lease", "default", "p"));
        let findings = [finding("NFS210", &lock), finding("NFS301", &patch)];
        let facts = facts();
        let steps = plan(&findings, &facts);
        let (rolled, bound) = (Effect::RolledOut(deployment.clone()), Effect::Bound(pvc("now")));
        let effects: Vec<_> = steps.iter().map(|step| step.effects.clone()).collect();
        assert_eq!(effects, [vec![bound.clone()], vec![rolled.clone(), bound.clone()]]);

        let mut owed = steps[0].effects.clone();
        assert_eq!(due(&mut owed, &steps[1..]), []);
        // Whether the second was made, or was found to be done already.
        owed.push(rolled.clone());
        assert_eq!(due(&mut owed, &[]), [bound, rolled]);
        assert_eq!(owed, []);
    }

    #[test]
    fn what_can_show_is_waited_for() {
        let deployment = Object::of("Deployment", "default", "p");
        let image = Change::Patch {
            object: deployment.clone(),
            change: json!({}),
        };
        for (finding, wanted) in [
            (
                Finding::new("NFS122", pvc("now"), "").mended_by(delete("now"), ""),
                vec![Effect::Bound(pvc("now"))],
            ),
            // It waits for its first pod, then and now.
            (
                Finding::new("NFS122", pvc("late"), "").mended_by(delete("late"), ""),
                vec![],
            ),
            (
                Finding::new("NFS301", deployment.clone(), "")
                    .mended_by(Cure::new("x".to_owned(), [image]), "")
                    .explaining([pvc("now"), pvc("late"), Object::of("Pod", "default", "p")]),
                vec![Effect::RolledOut(deployment.clone()), Effect::Bound(pvc("now"))],
            ),
        ] {
            let findings = [finding];
            let steps = plan(&findings, &facts());
            assert_eq!(steps[0].effects, wanted);
        }
    }
}
