//! What `--fix` may do by itself (PURE): who can write to a cluster's namespaces must gain nothing by it.
//!
//! The catalogue says which findings a program may fix at all. [`restrict`] holds back those of their fixes that are
//! not certain, not asked for, not this program's to make, or of use to nobody; it says why in the fix's note.

use serde_json::Value;

use super::facts::{Facts, Workload};
use super::fix::Change;
use super::provisioners::{self, Make};
use super::{Confidence, Finding, Object};

/// Takes `automatic` from the fixes that people have to make, and adds the reason to their notes.
pub fn restrict(facts: &Facts, findings: &mut [Finding]) {
    for finding in findings {
        let reason = match &finding.fix {
            Some(fix) if fix.automatic => forbidden(facts, finding, &fix.changes),
            Some(fix) if fix.command.is_some() => never(finding.code).map(str::to_owned),
            _ => None,
        };
        if let (Some(fix), Some(reason)) = (&mut finding.fix, reason) {
            fix.automatic = false;
            fix.changes.clear();
            let note = std::mem::take(&mut fix.note);
            let lead = if note.is_empty() { "" } else { "; " };
            fix.note = format!("{note}{lead}not done by --fix: {reason}");
        }
    }
}

/// Why --fix never fixes this finding.
fn never(code: &str) -> Option<&'static str> {
    match code {
        "NFS101" | "NFS105" => Some("the default class concerns every namespace"),
        "NFS104" | "NFS507" => Some("a class concerns every namespace"),
        "NFS103" | "NFS202" => Some("which name is the right one is not certain"),
        "NFS201" => Some("it grants rights in the whole cluster"),
        "NFS206" => Some("with these rights it can reach the files of every node"),
        _ => None,
    }
}

/// Why these changes are not made, if they are not.
fn forbidden(facts: &Facts, finding: &Finding, changes: &[Change]) -> Option<String> {
    if finding.confidence != Confidence::Certain {
        return Some("it is not certain".to_owned());
    }
    changes.iter().find_map(|change| {
        let object = change.object();
        out_of_scope(facts, &object)
            .or_else(|| unfit(facts, &object))
            .or_else(|| replaced_label(facts, change))
    })
}

fn out_of_scope(facts: &Facts, object: &Object) -> Option<String> {
    let asked = facts.namespace.as_deref()?;
    let namespace = object.namespace.as_deref().filter(|namespace| *namespace != asked)?;
    Some(format!(
        "only namespace {asked} was asked for, and this is in {namespace}; -A asks for all"
    ))
}

/// What keeps a workload from being edited: somebody else writes it, or nothing waits for it.
fn unfit(facts: &Facts, object: &Object) -> Option<String> {
    let workload = |workload: &&Workload| workload.object() == *object;
    let workload = facts.workloads.iter().find(workload)?;
    if workload.kind == "Pod" {
        return Some("no workload makes this pod, so that it has to be made again by whoever made it".to_owned());
    }
    if let Some(manager) = &workload.managed_by {
        return Some(format!(
            "{manager} manages it, so change it there; an edit here would be undone"
        ));
    }
    let served = provisioners::all(facts)
        .into_iter()
        .find(|one| one.workload.object() == *object);
    // Whose image or arguments only sound like the class' provisioner may be anybody's.
    let is_other = |one: &provisioners::Provisioner<'_>| {
        one.make == Make::Other && !one.container.env.contains_key("PROVISIONER_NAME")
    };
    if served.as_ref().is_some_and(is_other) {
        return Some("it is not certain that this is the class' provisioner".to_owned());
    }
    let waiting = served
        .and_then(|one| one.name)
        .map(|name| provisioners::waiting(facts, name));
    waiting
        .is_none_or(|claims| claims.is_empty())
        .then(|| "no claim waits for it".to_owned())
}

/// Labels that a volume has were given by somebody for something.
fn replaced_label(facts: &Facts, change: &Change) -> Option<String> {
    let Change::Patch { object, change } = change else {
        return None;
    };
    let volume = facts.volumes.iter().find(|volume| volume.object() == *object)?;
    let labels = change.pointer("/metadata/labels").and_then(Value::as_object)?;
    let (key, _) = labels.iter().find(|(key, _)| volume.labels.contains_key(*key))?;
    Some(format!("the PV has another label {key}"))
}
