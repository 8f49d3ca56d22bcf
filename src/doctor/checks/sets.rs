//! StatefulSets and the claims they should have: NFS121, NFS122 (PURE).

use super::{Case, said};
use crate::doctor::Severity::Error;
use crate::doctor::explain::{CLAIMS, EVENTS, Entry, SETS, entry};
use crate::doctor::facts::{Claim, Event, Workload};
use crate::doctor::fix::Change;
use crate::doctor::messages::{self, Place, QuotaItem};
use crate::doctor::names::word;
use crate::doctor::{Finding, Fix, Object, quantity};

pub const ENTRIES: &[Entry] = &[
    entry("NFS121", Error, &[SETS, CLAIMS, EVENTS], "quota or limit", "The claim was never created: a ResourceQuota or LimitRange of the namespace refused it. Only the StatefulSet's events say so."),
    entry("NFS122", Error, &[SETS, CLAIMS], "the StatefulSet's claims are older than its template", "Claims of a StatefulSet outlive it. When it is created again with another class, the claims of the same names are still there, with the old class. The fix deletes the claim, which is Pending and holds nothing, and the pod, so that the StatefulSet makes both again.").automatic(),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    if !case.facts.knows("persistentvolumeclaims") {
        return Vec::new();
    }
    let sets = case.facts.workloads.iter().filter(|set| !set.templates.is_empty());
    sets.flat_map(|set| {
        let stale = stale(case, set);
        stale.into_iter().chain(refused(case, set))
    })
    .collect()
}

/// The claims that a set's first pods should have by now, each with its template's class and size.
fn wanted(set: &Workload) -> impl Iterator<Item = (String, &Option<String>, &str)> {
    (0..set.replicas.max(0)).flat_map(move |ordinal| {
        let templates = set.templates.iter();
        templates.map(move |(name, class, size)| (format!("{name}-{}-{ordinal}", set.name), class, size.as_str()))
    })
}

fn stale(case: &Case<'_>, set: &Workload) -> Vec<Finding> {
    let differs = |(name, class, _): (String, &Option<String>, &str)| {
        let claim = case.claim(&set.namespace, &name)?;
        // A template that names no class takes the default of the day.
        let wanted = class.as_ref()?;
        // Made by an administrator for a volume that is there, to restore or move data: the set never makes such claims.
        let prepared = !claim.volume.is_empty() || claim.class.as_deref() == Some("");
        let stale = claim.pending() && !prepared && claim.class.as_ref() != Some(wanted);
        stale.then(|| outdated(case, set, claim, wanted))
    };
    wanted(set).filter_map(differs).collect()
}

fn outdated(case: &Case<'_>, set: &Workload, claim: &Claim, wanted: &str) -> Finding {
    let has = claim.class.as_deref().unwrap_or("none");
    let users: Vec<Object> = case.users(claim).iter().map(|pod| pod.object()).collect();
    Finding::new(
        "NFS122",
        claim.object(),
        format!(
            "the claim is older than StatefulSet {}, and keeps the class {has} where the template says {wanted}",
            set.name
        ),
    )
    .seen(format!("spec.storageClassName of {}", claim.object().title()), has)
    .seen(
        format!("spec.volumeClaimTemplates of {}", set.object().title()),
        format!("storageClassName {wanted}"),
    )
    .all_seen(case.last_word(&claim.object()))
    .with_fix(Fix::changes(
        [claim.object()]
            .into_iter()
            .chain(users.iter().cloned())
            .map(Change::Delete),
        "the claim is Pending and holds nothing; the StatefulSet creates both again",
    ))
    .explaining(users)
}

fn refused(case: &Case<'_>, set: &Workload) -> Option<Finding> {
    let missing: Vec<_> = wanted(set)
        .filter(|(name, _, _)| case.claim(&set.namespace, name).is_none())
        .collect();
    let event = case.events(&set.object()).iter().find(|event| {
        let limit = messages::classify(Place::Creation, &event.message).is_some_and(|(code, _)| code == "NFS121");
        let about = messages::refused_claim(&event.message);
        limit && about.is_none_or(|about| missing.iter().any(|(name, _, _)| name == about))
    })?;
    let about = messages::refused_claim(&event.message);
    let first = missing.iter().find(|(name, _, _)| Some(name.as_str()) == about);
    let first = first.or(missing.first())?;
    let claim = Object::of("PersistentVolumeClaim", &set.namespace, &first.0);
    let finding = |cause: String| {
        Finding::new("NFS121", set.object(), cause)
            .all_seen([said(event)])
            .seen("PersistentVolumeClaims", format!("none called {}", first.0))
            .explaining([claim.clone()])
    };
    match messages::quota(&event.message) {
        Some((name, items)) => {
            let cause = format!("ResourceQuota {name} does not allow the claim {}", first.0);
            let change = raise(set, &name, &items, missing.len());
            Some(finding(cause).fixed_by(
                change,
                format!("raises the quota by what {} claims need", missing.len()),
            ))
        }
        None => {
            let cause = format!("a LimitRange does not allow the claim {}", first.0);
            Some(match widen(case, set, event, first.2) {
                Some(command) => {
                    finding(cause).suggest(command, "raises the limit to the size that the template asks for")
                }
                None => finding(cause).advise("edit the LimitRange of the namespace, or the template's size"),
            })
        }
    }
}

/// Raises a quota to what is used and what is asked for, by so many claims.
fn raise(set: &Workload, quota: &str, items: &[QuotaItem], claims: usize) -> Change {
    let enough = |item: &QuotaItem| {
        let used = quantity::parse(&item.used).unwrap_or_default();
        let each = quantity::parse(&item.requested).unwrap_or_default();
        quantity::print(used + each * i128::try_from(claims).unwrap_or(1))
    };
    let hard: serde_json::Map<_, _> = items
        .iter()
        .map(|item| (item.key.clone(), enough(item).into()))
        .collect();
    Change::Merge {
        object: Object::of("ResourceQuota", &set.namespace, quota),
        patch: serde_json::json!({"spec": {"hard": hard}}),
    }
}

/// Moves the bound that the claim broke to its size.
fn widen(case: &Case<'_>, set: &Workload, event: &Event, size: &str) -> Option<String> {
    let wanted = quantity::parse(size)?;
    let bound = if event.message.contains("minimum ") {
        "min"
    } else {
        "max"
    };
    let limit = case.facts.limits.iter().find(|limit| {
        let value = if bound == "min" { &limit.min } else { &limit.max };
        let value = value.as_deref().and_then(quantity::parse);
        let broken = value.is_some_and(|value| if bound == "min" { wanted < value } else { wanted > value });
        limit.namespace == set.namespace && broken
    })?;
    let change = serde_json::json!([{
        "op": "replace", "path": format!("/spec/limits/{}/{bound}/storage", limit.index), "value": size,
    }]);
    Some(format!(
        "kubectl -n {} patch limitrange {} --type json -p {}",
        word(&limit.namespace),
        word(&limit.name),
        word(&change.to_string())
    ))
}
