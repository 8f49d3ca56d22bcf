//! Claims of StatefulSets that are refused or outdated: NFS121, NFS122 (PURE).

use std::collections::BTreeMap;
use std::ops::Range;

use super::View;
use crate::change::Change;
use crate::cluster::snapshot::{Claim, ClaimTemplate, Event, Limit, Workload};
use crate::cluster::{provisioners, quantity};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind, QuotaItem};
use crate::doctor::names::count_of;
use crate::doctor::{Finding, Fix, Object};
use crate::shell::shell_word;

entries! {
    "NFS121" Error [SETS, CLAIMS, EVENTS] "quota or limit",
        "The claim was never created: a ResourceQuota or LimitRange of the namespace refused it, or an admission webhook. Only the StatefulSet's events say so.";
    "NFS122" Error [SETS, CLAIMS] "the StatefulSet's claims are older than its template" automatic,
        "Claims of a StatefulSet stay when it is deleted. When it is created again with another class, the existing claims of the same names keep the old class. The fix deletes the claim, which is Pending and has no data, and the pod, so that the StatefulSet creates both again.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    if !view.cluster.was_read("persistentvolumeclaims") {
        return Vec::new();
    }
    let sets = view.cluster.workloads.iter().filter(|set| !set.templates.is_empty());
    let faults = |set| {
        find_stale_claims(view, set)
            .into_iter()
            .chain(find_refused_claim(view, set))
    };
    sets.flat_map(faults).collect()
}

/// The numbers of a set's pods. A tenant may set 2147483647 replicas, so no check goes through all of them.
fn ordinals(set: &Workload) -> Range<i32> {
    set.first_ordinal..set.first_ordinal.saturating_add(set.replicas.max(0))
}

/// The template that a set creates the claim of this name by; `None` if it creates no such claim.
fn template_of_claim<'a>(set: &'a Workload, claim: &str) -> Option<&'a ClaimTemplate> {
    let (pod, ordinal) = claim.rsplit_once('-')?;
    let number: i32 = ordinal.parse().ok()?;
    let template = pod.strip_suffix(&set.name)?.strip_suffix('-')?;
    let is_of_set = ordinals(set).contains(&number) && number.to_string() == ordinal;
    let mut templates = set.templates.iter().filter(|_| is_of_set);
    templates.find(|(name, ..)| name == template)
}

/// The StatefulSet that creates a claim.
pub(super) fn find_set_of<'a>(view: &View<'a>, claim: &Claim) -> Option<&'a Workload> {
    let mut sets = view
        .cluster
        .workloads
        .iter()
        .filter(|set| set.namespace == claim.namespace);
    sets.find(|set| template_of_claim(set, &claim.name).is_some())
}

/// NFS122 for each Pending claim that has another class than the set's template by now, if that names one. A claim that
/// names a PV or the class "" is left out: an administrator prepared it.
fn find_stale_claims(view: &View<'_>, set: &Workload) -> Vec<Finding> {
    let find_stale = |claim: &Claim| {
        let (_, class, _) = template_of_claim(set, &claim.name)?;
        // A template that names no class takes the default of the day.
        let wanted = class.as_ref()?;
        // An administrator created it for an existing volume, to restore or move data: the StatefulSet never creates
        // such claims.
        let is_prepared = !claim.volume.is_empty() || claim.class.as_deref() == Some("");
        let is_stale = !is_prepared && claim.class.as_ref() != Some(wanted);
        is_stale.then(|| describe_stale_claim(view, set, claim, wanted))
    };
    let pending = view.pending_claims().filter(|claim| claim.namespace == set.namespace);
    pending.filter_map(find_stale).collect()
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

/// NFS121: an event says that a ResourceQuota, LimitRange or webhook does not allow a claim of the set, which still
/// doesn't exist. `None` if none of its claims is missing, or without such an event.
fn find_refused_claim(view: &View<'_>, set: &Workload) -> Option<Finding> {
    let is_missing = |claim: &str| view.find_claim(&set.namespace, claim).is_none();
    let event = view.find_event(&set.object(), |event| {
        let named = messages::find_refused_claim(&event.message);
        let code = messages::classify(MessageKind::Creation, &event.message).map(|(code, _)| code);
        let is_refusal = code == Some("NFS121") || code == Some("NFS207") && named.is_some();
        is_refusal && named.is_none_or(|named| template_of_claim(set, named).is_some() && is_missing(named))
    })?;
    let name = match messages::find_refused_claim(&event.message) {
        Some(named) => named.to_owned(),
        None => ordinals(set)
            .flat_map(|ordinal| {
                let templates = set.templates.iter();
                templates.map(move |(template, ..)| format!("{template}-{}-{ordinal}", set.name))
            })
            .find(|name| is_missing(name))?,
    };
    let (_, class, size) = template_of_claim(set, &name)?;
    let class = class.as_ref().and_then(|class| view.cluster.find_class(class));
    if class.is_some_and(|class| provisioners::is_known_other_storage(&class.provisioner)) {
        return None;
    }
    let finding = |cause: String| {
        Finding::new("NFS121", set.object(), cause)
            .with_all_evidence([event.evidence()])
            .with_evidence("PersistentVolumeClaims", format!("none called {name}"))
            .with_affected([Object::namespaced("PersistentVolumeClaim", &set.namespace, &name)])
    };
    if let Some((quota, items)) = messages::parse_exceeded_quota(&event.message) {
        let cause = format!("ResourceQuota {quota} does not allow the claim {name}");
        let missing = count_missing_claims(view, set);
        let change = raise_quota(set, &quota, &items, missing);
        let note = format!(
            "raises the quota by the need of {}",
            count_of(usize::try_from(missing).unwrap_or(usize::MAX), "claim")
        );
        return Some(finding(cause).with_change(change, note));
    }
    if messages::is_message_of("NFS207", MessageKind::Creation, &event.message) {
        let words = event.message.split_once(&format!("{name}: ")).map(|(_, words)| words);
        let words = words.or_else(|| Some(event.message.split_once("failed error: ")?.1));
        let words = words.unwrap_or(&event.message);
        return Some(
            finding(format!("the claim {name} can't be created: {words}"))
                .with_advice("remove what the message names: the StatefulSet tries again by itself"),
        );
    }
    let finding = finding(format!("a LimitRange does not allow the claim {name}"));
    Some(match widen_limit_command(view, set, event, size) {
        Some(command) => finding.with_command(command, "raises the limit to the size that the template asks for"),
        None => finding.with_advice("edit the LimitRange of the namespace, or the template's size"),
    })
}

fn count_missing_claims(view: &View<'_>, set: &Workload) -> u64 {
    let is_of_set = |claim: &&Claim| claim.namespace == set.namespace && template_of_claim(set, &claim.name).is_some();
    let existing = view.cluster.claims.iter().filter(is_of_set).count() as u64;
    let all = ordinals(set).len() as u64 * set.templates.len() as u64;
    all.saturating_sub(existing)
}

/// The change that raises each of a quota's `items` to what is used plus what this number of claims requests.
fn raise_quota(set: &Workload, quota: &str, items: &[QuotaItem], claims: u64) -> Change {
    let enough = |item: &QuotaItem| {
        let used = quantity::parse_bytes(&item.used).unwrap_or_default();
        let each = quantity::parse_bytes(&item.requested).unwrap_or_default();
        quantity::format_bytes(used.saturating_add(each.saturating_mul(claims)))
    };
    let hard: BTreeMap<&str, String> = items.iter().map(|item| (item.key.as_str(), enough(item))).collect();
    Change::Merge {
        object: Object::namespaced("ResourceQuota", &set.namespace, quota),
        patch: serde_json::json!({"spec": {"hard": hard}}),
    }
}

/// The command that sets the first bound of a LimitRange that `size` violates to `size`: the minimum if the event names
/// one, else the maximum. `None` if no bound is violated, or `size` can't be parsed.
fn widen_limit_command(view: &View<'_>, set: &Workload, event: &Event, size: &str) -> Option<String> {
    let wanted = quantity::parse_bytes(size)?;
    let is_minimum = event.message.contains("minimum ");
    let bound = if is_minimum { "min" } else { "max" };
    let is_violated = |limit: &&Limit| {
        let value = if is_minimum { &limit.min } else { &limit.max };
        let value = value.as_deref().and_then(quantity::parse_bytes);
        limit.namespace == set.namespace
            && value.is_some_and(|value| if is_minimum { wanted < value } else { wanted > value })
    };
    let limit = view.cluster.limits.iter().find(is_violated)?;
    let change = serde_json::json!([{
        "op": "replace", "path": format!("/spec/limits/{}/{bound}/storage", limit.index), "value": size,
    }]);
    let patch = Object::namespaced("LimitRange", &limit.namespace, &limit.name).kubectl_command("patch");
    Some(format!("{patch} --type json -p {}", shell_word(&change.to_string())))
}
