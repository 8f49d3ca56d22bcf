//! Claims of StatefulSets that are refused or outdated: NFS121, NFS122 (PURE).

use super::View;
use crate::cluster::quantity;
use crate::doctor::entry::entries;
use crate::doctor::facts::{Claim, Event, Workload};
use crate::doctor::fix::Change;
use crate::doctor::messages::{self, MessageKind, QuotaItem};
use crate::doctor::names::shell_word;
use crate::doctor::{Finding, Fix, Object};

entries! {
    "NFS121" Error [SETS, CLAIMS, EVENTS] "quota or limit",
        "The claim was never created: a ResourceQuota or LimitRange of the namespace refused it. Only the StatefulSet's events say so.";
    "NFS122" Error [SETS, CLAIMS] "the StatefulSet's claims are older than its template" automatic,
        "Claims of a StatefulSet stay when it is deleted. When it is created again with another class, the existing claims of the same names keep the old class. The fix deletes the claim, which is Pending and has no data, and the pod, so that the StatefulSet creates both again.";
}

/// Empty if claims were not read.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    if !view.facts.was_read("persistentvolumeclaims") {
        return Vec::new();
    }
    let sets = view.facts.workloads.iter().filter(|set| !set.templates.is_empty());
    sets.flat_map(|set| {
        find_stale_claims(view, set)
            .into_iter()
            .chain(find_refused_claim(view, set))
    })
    .collect()
}

/// The names of the claims of a set's pods, one for each replica and template, with the template's class and size.
/// Ordinals begin at 0.
fn expected_claims(set: &Workload) -> impl Iterator<Item = (String, &Option<String>, &str)> {
    (0..set.replicas.max(0)).flat_map(move |ordinal| {
        let templates = set.templates.iter();
        templates.map(move |(name, class, size)| (format!("{name}-{}-{ordinal}", set.name), class, size.as_str()))
    })
}

/// NFS122 for each Pending claim that has another class than the set's template by now, if that names one. A claim that
/// names a PV or the class "" is left out: an administrator prepared it.
fn find_stale_claims(view: &View<'_>, set: &Workload) -> Vec<Finding> {
    let find_stale = |(name, class, _): (String, &Option<String>, &str)| {
        let claim = view.find_claim(&set.namespace, &name)?;
        // A template that names no class takes the default of the day.
        let wanted = class.as_ref()?;
        // An administrator created it for an existing volume, to restore or move data: the StatefulSet never creates
        // such claims.
        let is_prepared = !claim.volume.is_empty() || claim.class.as_deref() == Some("");
        let is_stale = claim.is_pending() && !is_prepared && claim.class.as_ref() != Some(wanted);
        is_stale.then(|| describe_stale_claim(view, set, claim, wanted))
    };
    expected_claims(set).filter_map(find_stale).collect()
}

/// NFS122, with a fix that deletes the claim and its pods, which the set creates again.
fn describe_stale_claim(view: &View<'_>, set: &Workload, claim: &Claim, wanted: &str) -> Finding {
    let class = claim.class.as_deref().unwrap_or("none");
    let users = view.users_of(claim);
    let cause = format!(
        "the claim is older than StatefulSet {}, and keeps the class {class} where the template says {wanted}",
        set.name
    );
    let template = format!("storageClassName {wanted}");
    let deletions = [claim.object()]
        .into_iter()
        .chain(users.iter().cloned())
        .map(Change::Delete);
    Finding::new("NFS122", claim.object(), cause)
        .with_field("spec.storageClassName", class)
        .with_field_of(&set.object(), "spec.volumeClaimTemplates", template)
        .with_all_evidence(view.last_event(&claim.object()))
        .with_fix(Fix::of_changes(
            deletions,
            "the claim is Pending and has no data; the StatefulSet creates both again",
        ))
        .with_affected(users)
}

/// NFS121: an event says that a ResourceQuota or LimitRange does not allow a claim of the set, which still doesn't
/// exist. `None` if none of its claims is missing, or without such an event.
fn find_refused_claim(view: &View<'_>, set: &Workload) -> Option<Finding> {
    let mut missing: Vec<_> = expected_claims(set).collect();
    missing.retain(|(name, _, _)| view.find_claim(&set.namespace, name).is_none());
    let event = view.find_event(&set.object(), |event| {
        let named = messages::find_refused_claim(&event.message);
        messages::is_message_of("NFS121", MessageKind::Creation, &event.message)
            && named.is_none_or(|named| missing.iter().any(|(name, _, _)| name == named))
    })?;
    let named = messages::find_refused_claim(&event.message);
    let first = missing.iter().find(|(name, _, _)| Some(name.as_str()) == named);
    let (name, _, size) = first.or(missing.first())?;
    let finding = |cause: String| {
        Finding::new("NFS121", set.object(), cause)
            .with_all_evidence([event.evidence()])
            .with_evidence("PersistentVolumeClaims", format!("none called {name}"))
            .with_affected([Object::namespaced("PersistentVolumeClaim", &set.namespace, name)])
    };
    if let Some((quota, items)) = messages::parse_exceeded_quota(&event.message) {
        let cause = format!("ResourceQuota {quota} does not allow the claim {name}");
        let change = raise_quota(set, &quota, &items, missing.len());
        let note = format!("raises the quota by the need of {} claims", missing.len());
        return Some(finding(cause).with_change(change, note));
    }
    let finding = finding(format!("a LimitRange does not allow the claim {name}"));
    Some(match widen_limit_command(view, set, event, size) {
        Some(command) => finding.with_command(command, "raises the limit to the size that the template asks for"),
        None => finding.with_advice("edit the LimitRange of the namespace, or the template's size"),
    })
}

/// The change that raises each of a quota's `items` to what is used plus what this number of claims requests.
fn raise_quota(set: &Workload, quota: &str, items: &[QuotaItem], claims: usize) -> Change {
    let enough = |item: &QuotaItem| {
        let used = quantity::parse_bytes(&item.used).unwrap_or_default();
        let each = quantity::parse_bytes(&item.requested).unwrap_or_default();
        quantity::format_bytes(used.saturating_add(each.saturating_mul(claims as u64)))
    };
    let hard: serde_json::Map<_, _> = items
        .iter()
        .map(|item| (item.key.clone(), enough(item).into()))
        .collect();
    Change::Merge {
        object: Object::namespaced("ResourceQuota", &set.namespace, quota),
        patch: serde_json::json!({"spec": {"hard": hard}}),
    }
}

/// The command that sets the first bound of a LimitRange that `size` violates to `size`: the minimum if the event names
/// one, else the maximum. `None` if no bound is violated, or `size` can't be parsed.
fn widen_limit_command(view: &View<'_>, set: &Workload, event: &Event, size: &str) -> Option<String> {
    let wanted = quantity::parse_bytes(size)?;
    let bound = if event.message.contains("minimum ") {
        "min"
    } else {
        "max"
    };
    let limit = view.facts.limits.iter().find(|limit| {
        let value = if bound == "min" { &limit.min } else { &limit.max };
        let value = value.as_deref().and_then(quantity::parse_bytes);
        let broken = value.is_some_and(|value| if bound == "min" { wanted < value } else { wanted > value });
        limit.namespace == set.namespace && broken
    })?;
    let change = serde_json::json!([{
        "op": "replace", "path": format!("/spec/limits/{}/{bound}/storage", limit.index), "value": size,
    }]);
    let patch = Object::namespaced("LimitRange", &limit.namespace, &limit.name).kubectl_command("patch");
    Some(format!("{patch} --type json -p {}", shell_word(&change.to_string())))
}
