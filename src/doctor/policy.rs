//! Decides which fixes `--fix` makes (PURE). Every fix passes [`decide_fixes`], whether it is only printed or made.
//!
//! A cluster's tenants write Deployments, claims and events: nothing that they write may let `--fix` change what they
//! could not change themselves. A fix that is not made says why in its note.

use serde_json::json;

use super::facts::{ExportSeen, Facts};

use super::{Confidence, Finding, Fix, Object};
use crate::change::{Change, HostChange};
use crate::cluster::provisioners::{self, ProvisionerKind};
use crate::cluster::snapshot::{ClusterSnapshot, Workload};

/// Marks the fixes that `--fix` makes as automatic; removes the changes of the others and adds the reason to their
/// notes, so it must be called once. Advice without a command line is left as it is.
pub fn decide_fixes(facts: &Facts, findings: &mut [Finding]) {
    for finding in findings {
        let Some(fix) = finding.fix.as_ref().filter(|fix| fix.command.is_some()) else {
            continue;
        };
        let reason = find_refusal(facts, finding, fix);
        let Some(fix) = &mut finding.fix else { continue };
        fix.automatic = reason.is_none();
        if let Some(reason) = reason {
            fix.changes.clear();
            let lead = if fix.note.is_empty() { "" } else { "; " };
            fix.note += &format!("{lead}not done by --fix: {reason}");
        }
    }
}

/// Why `--fix` does not make a fix; `None` if it does.
fn find_refusal(facts: &Facts, finding: &Finding, fix: &Fix) -> Option<String> {
    if let Some(reason) = refusal_of_code(finding.code) {
        return Some(reason.to_owned());
    }
    if fix.changes.is_empty() {
        return Some(refusal_of_command(fix.command.as_deref().unwrap_or_default()).to_owned());
    }
    if !finding.may_be_fixed_automatically() {
        return Some("an administrator has to decide whether it is right".to_owned());
    }
    if finding.confidence != Confidence::Certain {
        return Some("it is not certain".to_owned());
    }
    fix.changes
        .iter()
        .find_map(|change| refusal_of_change(facts, finding, change))
}

/// The reason why `--fix` makes no fix of this code; `None` if there is none in the code itself.
fn refusal_of_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "NFS002" => "it grants permissions",
        "NFS101" | "NFS105" => "the default class concerns every namespace",
        "NFS104" | "NFS507" => "a class concerns every namespace",
        "NFS103" => "it is not certain which name is right",
        "NFS107" => "it is not known whether the export has enough space",
        "NFS114" | "NFS501" => "the volume's data becomes visible to another claim",
        "NFS201" => "it grants permissions in the whole cluster",
        "NFS206" => "with these permissions it can reach the files of every node",
        "NFS212" => "it is not known which of the two has to stop",
        "NFS412" | "NFS504" => "it deletes an object that may be in use",
        "NFS505" => "only the finalizer's owner knows whether its work is done",
        _ => return None,
    })
}

/// The reason why `--fix` does not run a command line that is no [`Change`].
fn refusal_of_command(command: &str) -> &'static str {
    let contains = |words: &[&str]| words.iter().any(|word| command.contains(word));
    match () {
        () if contains(&["SERVER", "/EXPORT", "=NAME"]) => "values are missing that only an administrator knows",
        () if contains(&["replace --force"]) => "it deletes an object and creates it again",
        () if contains(&[" create "]) => "it creates objects",
        () => "an administrator has to decide whether it is right",
    }
}

/// The reason why `--fix` does not make a change; `None` if it does.
fn refusal_of_change(facts: &Facts, finding: &Finding, change: &Change) -> Option<String> {
    let object = change.object();
    if !is_reversible(finding.code, change) {
        return Some(format!("it changes more of {} than can be undone", object.title()));
    }
    if let Change::OnHost { host, change } = change {
        return refusal_on_host(facts, host, change);
    }
    refusal_by_scope(&facts.cluster, &object)
        .or_else(|| refusal_of_workload(&facts.cluster, &object))
        .or_else(|| refusal_of_label(&facts.cluster, change))
}

/// Whether a change is of a kind that can be undone, or deletes only what its controller creates again: locks, and for
/// NFS122 claims and pods. Of merges only that of a PV's reclaim policy counts, of labels only a PV's.
fn is_reversible(code: &str, change: &Change) -> bool {
    let is_kind = |kinds: &[&str]| kinds.contains(&change.object().kind.as_str());
    match change {
        Change::Merge { patch, .. } => {
            is_kind(&["PersistentVolume"])
                && *patch
                    == json!({"spec": {"persistentVolumeReclaimPolicy": patch["spec"]["persistentVolumeReclaimPolicy"]}})
        }
        Change::Label { .. } => is_kind(&["PersistentVolume"]),
        Change::SetImage { .. } | Change::SetEnv { .. } | Change::Scale { .. } | Change::Restart { .. } => true,
        Change::Delete(_) if code == "NFS122" => is_kind(&["PersistentVolumeClaim", "Pod"]),
        Change::Delete(_) => is_kind(&["Lease", "Endpoints"]),
        Change::OnHost { .. } => true,
    }
}

/// The reason why the host `name`, a target of `--ssh`, is not changed: it was not read over SSH, nfsprov does not
/// export the directory there already, or a client's address is unknown. A change without a directory needs only the
/// first.
fn refusal_on_host(facts: &Facts, name: &str, change: &HostChange) -> Option<String> {
    let Some(host) = facts.hosts.iter().find(|host| host.target == name) else {
        return Some(format!("{name} was not read over SSH; --ssh {name} does so"));
    };
    let path = change.directory()?;
    let is_exported = |one: &&ExportSeen| one.path == path && one.facts.is_exported_by_nfsprov(path);
    if !host.exports.iter().any(|one| is_exported(&one)) {
        return Some(format!("nfsprov does not export {path} there"));
    }
    let no_client = matches!(change, HostChange::Export { clients, .. } if clients.is_empty());
    no_client.then(|| "it is not known by which of its addresses a node reaches the server".to_owned())
}

/// The reason why an object outside the namespace of the diagnosis is not changed; `None` for an object of this
/// namespace or without one, and if all namespaces were asked for.
fn refusal_by_scope(cluster: &ClusterSnapshot, object: &Object) -> Option<String> {
    let asked = cluster.namespace.as_deref()?;
    let namespace = object.namespace.as_deref().filter(|namespace| *namespace != asked)?;
    Some(format!(
        "only namespace {asked} was asked for, and this is in {namespace}; -A asks for all"
    ))
}

/// The reason why a workload is not edited: it is a bare pod or csi-driver-nfs, another tool manages it, no claim is
/// Pending for it, or it may be no provisioner. `None` for objects that are no known workload, too.
fn refusal_of_workload(cluster: &ClusterSnapshot, object: &Object) -> Option<String> {
    // The files of a dump may have an object twice.
    let is_workload = |workload: &&Workload| workload.object() == *object;
    let mut copies = cluster.workloads.iter().filter(is_workload).peekable();
    if copies.peek()?.kind == "Pod" {
        return Some("no workload owns this pod, so it would not be created again".to_owned());
    }
    if let Some(manager) = copies.find_map(|workload| workload.managed_by.as_ref()) {
        return Some(format!(
            "{manager} manages it, so change it there; an edit here would be undone"
        ));
    }
    let all = provisioners::find_provisioners(cluster);
    let Some(one) = all.iter().find(|one| one.workload.object() == *object) else {
        return Some("no claim waits for it".to_owned());
    };
    // Whose image or arguments only sound like the class' provisioner may be anybody's.
    let is_uncertain = one.only_mentions_name();
    match () {
        () if one.kind == ProvisionerKind::CsiController => {
            Some("csi-driver-nfs has to be changed with the tool that installed it".to_owned())
        }
        () if is_uncertain => Some("it is not certain that this is the class' provisioner".to_owned()),
        () if one.waiting_claims(cluster).is_empty() => Some("no claim waits for it".to_owned()),
        () => None,
    }
}

/// The reason why a label is not set or removed: the PV has the key, whose value is never replaced. `None` for other
/// changes, and for a PV that is unknown.
fn refusal_of_label(cluster: &ClusterSnapshot, change: &Change) -> Option<String> {
    let Change::Label { object, labels } = change else {
        return None;
    };
    let volume = cluster.volumes.iter().find(|volume| volume.object() == *object)?;
    let (key, _) = labels.iter().find(|(key, _)| volume.labels.contains_key(key))?;
    Some(format!("the PV has another label {key}"))
}
