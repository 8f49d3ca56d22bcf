//! Permissions of provisioners, and their locks: NFS206, NFS210 (PURE).

use std::collections::BTreeMap;

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::View;
use super::rbac;
use crate::change::Change;
use crate::cluster::images;
use crate::cluster::provisioners::{self, Provisioner, ProvisionerKind};
use crate::cluster::snapshot::{Class, ClusterSnapshot, Event, Lock, Right};
use crate::doctor::entry::entries;
use crate::doctor::messages;
use crate::doctor::{Finding, Object};
use crate::shell::shell_word;

/// The age of the last renewal at which a lock counts as expired.
const STALE: SignedDuration = SignedDuration::from_secs(60);

entries! {
    "NFS206" Error [DEPLOYMENTS, REVIEWS] "the provisioner lacks permissions",
        "The provisioner's ServiceAccount lacks permissions that the provisioner needs. The suggested command grants exactly these. --fix never runs it: an account that may create volumes can reach the files of every node, so check first who can change the workload.";
    "NFS210" Error [DEPLOYMENTS, LEASES] "the provisioner's leader election lock is stale" automatic,
        "A leader election lock decides which replica is the leader. The holder that this lock names has not renewed it for a long time, so no replica provisions volumes.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let faults = |one| [find_missing_rights(view, one), find_stale_lock(view, one)];
    view.provisioners.iter().flat_map(faults).flatten().collect()
}

/// The permissions that nfsprov needs in all namespaces: the resource with its group, and verbs.
const NEEDS_OF_NFSPROV: [&str; 4] = [
    "persistentvolumeclaims get list watch",
    "persistentvolumes get list watch create delete patch",
    "storageclasses.storage.k8s.io list watch",
    "events.events.k8s.io create",
];

/// The same of nfs-subdir-external-provisioner and those like it.
const NEEDS_OF_OTHERS: [&str; 4] = [
    "persistentvolumeclaims get list watch",
    "persistentvolumes get list watch create delete",
    "storageclasses.storage.k8s.io get list watch",
    "events create patch",
];

/// What those need, too, whose class waits for the first pod: they read the node that the scheduler chose.
const NEED_OF_LATE_BINDING: &str = "nodes get";

/// The permissions that a provisioner needs, as questions for the API server: those for its lock only if it elects a
/// leader, that for nodes only if a class of it waits for the first pod, and not that of [`right_to_expand`]. All but nfsprov get the needs of nfs-subdir-external-provisioner: the
/// caller checks [`has_known_needs`].
fn needed_rights(cluster: &ClusterSnapshot, provisioner: &Provisioner<'_>) -> Vec<Right> {
    let container = provisioner.container;
    let election = container.env.get("ENABLE_LEADER_ELECTION").and_then(Option::as_deref);
    let has_option = container.args.iter().any(|arg| arg == "--leader-elect");
    let (needs, lock, elects_leader) = match images::is_nfsprov(&container.image) {
        true => (NEEDS_OF_NFSPROV, "leases.coordination.k8s.io create", has_option),
        false => (
            NEEDS_OF_OTHERS,
            "endpoints get create update",
            election != Some("false"),
        ),
    };
    let binds_late = |class: &Class| class.waits_for_first_consumer && provisioner.name == Some(&class.provisioner);
    let reads_nodes = !images::is_nfsprov(&container.image) && cluster.classes.iter().any(binds_late);
    let everywhere = needs.into_iter().chain(reads_nodes.then_some(NEED_OF_LATE_BINDING));
    let everywhere = everywhere.map(|need| (need, false));
    let needs = everywhere.chain(elects_leader.then_some((lock, true)));
    let rights = needs.flat_map(|(need, in_namespace)| {
        let (resource, verbs) = need.split_once(' ').unwrap_or((need, ""));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let verbs = verbs.split(' ');
        verbs.map(move |verb| right_to(provisioner, group, resource, in_namespace, verb))
    });
    rights.collect()
}

/// The question whether a provisioner's service account may do something: in its own namespace only if `in_namespace`,
/// else in all. It equals the answer that denies it (`allowed` is false).
fn right_to(provisioner: &Provisioner<'_>, group: &str, resource: &str, in_namespace: bool, verb: &str) -> Right {
    Right {
        namespace: provisioner.workload.namespace.clone(),
        account: provisioner.workload.service_account.clone(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        within: in_namespace.then(|| provisioner.workload.namespace.clone()),
        verb: verb.to_owned(),
        allowed: false,
    }
}

/// The question whether a provisioner may also expand claims: patch `persistentvolumeclaims/status` in all namespaces.
/// It equals the answer that denies it.
pub(super) fn right_to_expand(provisioner: &Provisioner<'_>) -> Right {
    right_to(provisioner, "", "persistentvolumeclaims/status", false, "patch")
}

/// The command that grants a provisioner's service account what it needs, the expansion of claims included; roles of an
/// earlier run are replaced.
pub(super) fn grant_expansion_command(cluster: &ClusterSnapshot, provisioner: &Provisioner<'_>) -> String {
    let mut rights = needed_rights(cluster, provisioner);
    rights.push(right_to_expand(provisioner));
    grant_rights_command(provisioner, &rights)
}

/// The note of a command that grants permissions to a provisioner: when it is safe to run.
pub(super) fn grant_note(provisioner: &Provisioner<'_>) -> String {
    format!(
        "grants its service account only the permissions that it needs; run it only if no one but administrators can write to namespace {}",
        provisioner.workload.namespace
    )
}

/// All questions about the provisioners of the cluster whose needs are known, each once; the one about expansion only
/// for nfsprov with a class that allows it.
pub fn questions(cluster: &ClusterSnapshot) -> Vec<Right> {
    let mut all: Vec<Right> = Vec::new();
    let provisioners = provisioners::find_provisioners(cluster);
    for provisioner in provisioners.iter().filter(|one| has_known_needs(one)) {
        let is_expandable = |class: &Class| class.is_expandable && provisioner.name == Some(&class.provisioner);
        let expands = provisioner.kind == ProvisionerKind::Nfsprov && cluster.classes.iter().any(is_expandable);
        let rights = needed_rights(cluster, provisioner).into_iter();
        for right in rights.chain(expands.then(|| right_to_expand(provisioner))) {
            if !all.contains(&right) {
                all.push(right);
            }
        }
    }
    all
}

/// Whether it is known which permissions this provisioner needs: nfsprov, nfs-subdir-external-provisioner, and every
/// other that has PROVISIONER_NAME.
fn has_known_needs(provisioner: &Provisioner<'_>) -> bool {
    matches!(provisioner.kind, ProvisionerKind::Subdir | ProvisionerKind::Nfsprov)
        || provisioner.container.env.contains_key("PROVISIONER_NAME")
}

/// The newest event by which a provisioner tells that it could not serve a claim for lack of a permission.
fn find_denial<'a>(view: &View<'a>, provisioner: &Provisioner<'_>) -> Option<&'a Event> {
    let name = provisioner.name?;
    let claims = view
        .pending_claims()
        .filter(|claim| claim.handover.as_deref() == Some(name));
    let mut failures = claims.filter_map(|claim| view.newest_failure(claim));
    failures.find(|event| {
        provisioners::is_written_by(event, name) && messages::find_log_line("NFS206", &event.message).is_some()
    })
}

/// NFS206: by the API server's answers; without any, by an event that names a permission that it is known to need, or,
/// if its needs are unknown, by a line of the log. `None` if the provisioner works, is scaled to zero, or another one,
/// which is ready and lacks nothing, serves its name.
pub fn find_missing_rights(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let object = provisioner.workload.object();
    let is_denied = |right: &&Right| view.cluster.rights.contains(right);
    // A workload that only takes the name of the serving one gets no permissions.
    let serves_instead = |other: &Provisioner<'_>| {
        let is_rival = other.name == provisioner.name && other.workload.object() != object;
        is_rival
            && other.workload.ready > 0
            && !needed_rights(view.cluster, other).iter().any(|right| is_denied(&right))
    };
    let denial = find_denial(view, provisioner);
    // A provisioner that works has its permissions, perhaps only for objects of some names.
    let works = denial.is_none() && provisioner.workload.ready > 0 && provisioner.has_worked(view.cluster);
    if works || provisioner.is_scaled_to_zero() || view.provisioners.iter().any(serves_instead) {
        return None;
    }
    let needed = match has_known_needs(provisioner) {
        true => needed_rights(view.cluster, provisioner),
        false => Vec::new(),
    };
    let missing: Vec<&Right> = needed.iter().filter(is_denied).collect();
    let mut logs = provisioner.logs(view.cluster);
    let line = logs.find_map(|log| Some((log, messages::find_log_line("NFS206", &log.text)?)));
    let evidence = line.map(|(log, line)| log.line_evidence(line));
    let evidence = denial.map(|event| event.evidence()).into_iter().chain(evidence);
    let finding = |what: &str| {
        let cause = format!("service account {} may not {what}", provisioner.service_account());
        provisioner
            .finding("NFS206", cause)
            .with_affected(provisioner.waiting_claims(view.cluster))
    };
    if !missing.is_empty() {
        let (denied, all) = (missing.len(), needed.len());
        let counts = format!("{denied} of {all} that the provisioner needs are denied");
        return Some(
            finding(&list_by_resource(&missing))
                .with_evidence("SubjectAccessReview", counts)
                .with_all_evidence(evidence)
                .with_command(grant_rights_command(provisioner, &needed), grant_note(provisioner)),
        );
    }
    // An event or a line may be older than permissions granted since; the answers of the API server count then.
    if !view.cluster.rights.is_empty() && !needed.is_empty() {
        return None;
    }
    // Anybody may write an event: only what the provisioner is known to need counts.
    let is_needed = |denied: &String| {
        needed
            .iter()
            .any(|right| *denied == format!("{} {}", right.verb, right.resource))
    };
    let denied = denial
        .and_then(|event| messages::find_denied_right(&event.message))
        .filter(is_needed);
    if let Some(denied) = denied {
        return Some(
            finding(&denied)
                .with_all_evidence(evidence)
                .with_command(grant_rights_command(provisioner, &needed), grant_note(provisioner)),
        );
    }
    let (_, line) = line?;
    if line.contains("Unauthorized") {
        let account = provisioner.service_account();
        let cause = format!("the API server rejects the token of service account {account}: Unauthorized");
        return Some(
            provisioner
                .finding("NFS206", cause)
                .with_affected(provisioner.waiting_claims(view.cluster))
                .with_all_evidence(evidence)
                .with_advice("restart the provisioner, so that its pod gets a new token; one in a Secret has to be deleted and created again"),
        );
    }
    let what = messages::find_denied_right(line).unwrap_or_else(|| "do a part of the provisioner's work".to_owned());
    Some(
        finding(&what)
            .with_all_evidence(evidence)
            .with_advice("grant the permission that the line names to its service account"),
    )
}

/// Rights, which are in the order of their resources: `get, list persistentvolumes; create events`.
fn list_by_resource(rights: &[&Right]) -> String {
    let verbs_and_resource = |rights: &[&Right]| {
        let verbs: Vec<&str> = rights.iter().map(|right| right.verb.as_str()).collect();
        format!("{} {}", verbs.join(", "), rights[0].resource)
    };
    let by_resource = rights.chunk_by(|one, other| one.resource == other.resource);
    by_resource.map(verbs_and_resource).collect::<Vec<_>>().join("; ")
}

/// The command that grants a provisioner's service account all the permissions it needs, not only the missing ones:
/// applying it replaces the roles of an earlier run.
fn grant_rights_command(provisioner: &Provisioner<'_>, needed: &[Right]) -> String {
    let workload = &provisioner.workload.name;
    let (namespace, account) = (&provisioner.workload.namespace, &provisioner.workload.service_account);
    let subject = rbac::account_subject(namespace, account);
    let role = |within: Option<&str>, name: String| {
        let mut verbs: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for right in needed.iter().filter(|right| right.within.as_deref() == within) {
            let of_resource = verbs.entry((&right.group, &right.resource)).or_default();
            of_resource.push(&right.verb);
        }
        let rule = |((group, resource), verbs)| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
        let rules: Vec<_> = verbs.into_iter().map(rule).collect();
        (!rules.is_empty()).then(|| rbac::role_with_binding(within, &name, &rules, &subject))
    };
    let cluster_role = role(None, format!("{namespace}-{workload}-needs"));
    let namespace_role = role(Some(namespace), format!("{workload}-needs"));
    let objects = cluster_role.into_iter().chain(namespace_role).flatten().collect();
    format!("echo {} | kubectl apply -f -", shell_word(&rbac::list_of(objects)))
}

/// NFS210: the lock of a provisioner is held and not renewed for a minute, while claims are Pending and a pod of it is
/// ready. `None` if another lock of the same name is renewed. Only locks in the provisioner's namespace count: anybody
/// may have one of any name in another.
fn find_stale_lock(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let name = match provisioner.kind {
        // So csi-provisioner makes its lock's name.
        ProvisionerKind::CsiController => provisioner.name?.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
        _ => provisioners::lease_name(provisioner.name?)?,
    };
    let is_stale = |lock: &&Lock| lock.renewed.is_some() && view.has_elapsed(lock.renewed, STALE);
    let waiting = provisioner.waiting_claims(view.cluster);
    // A provisioner that does not run renews no lock; that has a finding of its own.
    if provisioner.workload.ready == 0 || waiting.is_empty() {
        return None;
    }
    let is_held =
        |lock: &&Lock| lock.name == name && lock.namespace == provisioner.workload.namespace && !lock.holder.is_empty();
    let (stale, live): (Vec<&Lock>, Vec<&Lock>) = view.cluster.locks.iter().filter(is_held).partition(is_stale);
    // Of two locks under the name the live one counts.
    let lock = stale.first().filter(|_| live.is_empty())?;
    let object = Object::namespaced(&lock.kind, &lock.namespace, &lock.name);
    let cause = format!("{} is held by {}, which does not renew it", object.title(), lock.holder);
    let renewed = lock.renewed.map(|renewed| renewed.to_string());
    Some(
        provisioner
            .finding("NFS210", cause)
            .with_field_of(&object, "renewTime", renewed.unwrap_or_default())
            .with_change(Change::Delete(object), "triggers a new leader election")
            .with_affected(waiting),
    )
}
