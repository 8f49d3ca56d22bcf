//! What provisioners may do, and their locks: NFS206, NFS210 (PURE).

use std::collections::BTreeMap;

use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::Case;
use super::commands::apply;
use super::workloads::waiting;
use crate::doctor::Severity::Error;
use crate::doctor::explain::{DEPLOYMENTS, Entry, LEASES, REVIEWS, entry};
use crate::doctor::facts::{Facts, Lock, Right};
use crate::doctor::fix::Change;
use crate::doctor::images;
use crate::doctor::messages;
use crate::doctor::provisioners::{self, Make, Provisioner};
use crate::doctor::{Finding, Object};

/// The age of the last renewal at which a lock counts as expired.
const STALE: SignedDuration = SignedDuration::from_secs(60);

pub const ENTRIES: &[Entry] = &[
    entry("NFS206", Error, &[DEPLOYMENTS, REVIEWS], "the provisioner lacks permissions", "The provisioner's ServiceAccount lacks permissions that the provisioner needs. The suggested command grants exactly these. --fix never runs it: an account that may create volumes can reach the files of every node, so check first who can change the workload."),
    entry("NFS210", Error, &[DEPLOYMENTS, LEASES], "the provisioner's leader election lock is stale", "A leader election lock decides which replica is the leader. The holder that this lock names has not renewed it for a long time, so no replica provisions volumes.").automatic(),
];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let all = &case.provisioners;
    let one = |one: &Provisioner<'_>| [denied(case, one, all), stale(case, one)];
    all.iter().flat_map(one).flatten().collect()
}

/// What a provisioner has to be allowed, as questions.
pub fn needed(one: &Provisioner<'_>) -> Vec<Right> {
    let ours = images::is_nfsprov(&one.container.image);
    let no_lock = one
        .container
        .env
        .get("ENABLE_LEADER_ELECTION")
        .cloned()
        .flatten()
        .as_deref()
        == Some("false");
    let elects = match ours {
        true => one.container.args.iter().any(|arg| arg == "--leader-elect"),
        false => !no_lock,
    };
    let mut rules: Vec<(&str, &str, bool, &[&str])> = vec![
        ("", "persistentvolumeclaims", false, &["get", "list", "watch"]),
        (
            "",
            "persistentvolumes",
            false,
            &["get", "list", "watch", "create", "delete"],
        ),
        ("storage.k8s.io", "storageclasses", false, &["get", "list", "watch"]),
        ("", "events", false, &["create", "patch"]),
    ];
    if ours {
        rules.push(("", "persistentvolumes", false, &["patch"]));
    }
    match (elects, ours) {
        (true, true) => rules.push(("coordination.k8s.io", "leases", true, &["create"])),
        (true, false) => rules.push(("", "endpoints", true, &["get", "create", "update"])),
        (false, _) => {}
    }
    let each = rules.into_iter().flat_map(|(group, resource, within, verbs)| {
        let all = verbs.iter().map(move |verb| right(one, group, resource, within, verb));
        all.collect::<Vec<_>>()
    });
    each.collect()
}

fn right(one: &Provisioner<'_>, group: &str, resource: &str, within: bool, verb: &str) -> Right {
    Right {
        namespace: one.workload.namespace.clone(),
        account: one.workload.service_account.clone(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        within: within.then(|| one.workload.namespace.clone()),
        verb: verb.to_owned(),
        allowed: false,
    }
}

/// What a provisioner needs besides to enlarge claims.
pub(super) fn needed_for_expansion(one: &Provisioner<'_>) -> Right {
    right(one, "", "persistentvolumeclaims/status", false, "patch")
}

/// Grants a provisioner's service account what it needs, the expansion of claims included.
pub(super) fn grant_expansion(one: &Provisioner<'_>) -> String {
    let mut rights = needed(one);
    rights.push(needed_for_expansion(one));
    grant(one, &rights)
}

/// All questions about the provisioners of the cluster, each once.
pub fn questions(facts: &Facts) -> Vec<Right> {
    let mut all: Vec<Right> = Vec::new();
    for one in provisioners::all(facts).iter().filter(|one| is_known(one)) {
        let mut classes = facts
            .classes
            .iter()
            .filter(|class| one.name == Some(&class.provisioner));
        let expands = one.make == Make::Nfsprov && classes.any(|class| class.is_expandable);
        let rights = needed(one).into_iter();
        for right in rights.chain(expands.then(|| needed_for_expansion(one))) {
            if !all.contains(&right) {
                all.push(right);
            }
        }
    }
    all
}

/// Whether it is known what this provisioner needs.
fn is_known(one: &Provisioner<'_>) -> bool {
    matches!(one.make, Make::Subdir | Make::Nfsprov) || one.container.env.contains_key("PROVISIONER_NAME")
}

fn denied(case: &Case<'_>, one: &Provisioner<'_>, all: &[Provisioner<'_>]) -> Option<Finding> {
    let object = one.workload.object();
    let denied = |right: &&Right| case.facts.rights.contains(right);
    // A workload that only calls itself as the one that serves gets no rights.
    let serves = |other: &Provisioner<'_>| {
        let same = other.name == one.name && other.workload.object() != object;
        same && other.workload.ready > 0 && !needed(other).iter().any(|right| denied(&right))
    };
    if one.stopped() || all.iter().any(serves) {
        return None;
    }
    // What works may do what it has to: a right may be given for objects of some names only.
    let works =
        |name: &str| one.workload.ready > 0 && provisioners::has_worked(case.facts, name, one.since(case.facts));
    if one.name.is_some_and(works) {
        return None;
    }
    let needed = if is_known(one) { needed(one) } else { Vec::new() };
    let missing: Vec<&Right> = needed.iter().filter(denied).collect();
    let line = one
        .logs(case.facts)
        .find_map(|log| Some((log, messages::line("NFS206", &log.text)?)));
    let account = format!("{}:{}", one.workload.namespace, one.workload.service_account);
    let finding = |cause: String| Finding::new("NFS206", object.clone(), cause).explaining(waiting(case, one));
    if missing.is_empty() {
        // An old line may be answered by rights given since; then the server says that all is allowed.
        let (log, line) = line.filter(|_| case.facts.rights.is_empty() || needed.is_empty())?;
        let what = messages::denied_right(line).unwrap_or_else(|| "do what the provisioner must".to_owned());
        return Some(
            finding(format!("service account {account} may not {what}"))
                .seen(format!("log of pod {}/{}", log.namespace, log.pod), line.trim())
                .advise("grant what the line names to its service account"),
        );
    }
    let list = grouped(&missing);
    let cause = format!("service account {account} may not {list}");
    let finding = finding(cause).seen(
        "SubjectAccessReview",
        format!(
            "{} of {} that the provisioner needs are denied",
            missing.len(),
            needed.len()
        ),
    );
    let finding = match line {
        Some((log, line)) => finding.seen(format!("log of pod {}/{}", log.namespace, log.pod), line.trim()),
        None => finding,
    };
    Some(finding.suggest(
        grant(one, &needed),
        format!(
            "grants its service account what it needs, and nothing else; only if administrators alone can write to namespace {}",
            one.workload.namespace
        ),
    ))
}

/// Rights by resource: `get, list persistentvolumes; create events`.
fn grouped(rights: &[&Right]) -> String {
    let mut by_resource: Vec<(&str, Vec<&str>)> = Vec::new();
    for right in rights {
        match by_resource.iter_mut().find(|(resource, _)| *resource == right.resource) {
            Some((_, verbs)) => verbs.push(&right.verb),
            None => by_resource.push((&right.resource, vec![&right.verb])),
        }
    }
    let all = by_resource
        .iter()
        .map(|(resource, verbs)| format!("{} {resource}", verbs.join(", ")));
    all.collect::<Vec<_>>().join("; ")
}

/// Grants a provisioner's service account what it needs, all of it: the role's name is the workload's, and what was
/// granted so before is not to be lost.
fn grant(one: &Provisioner<'_>, needed: &[Right]) -> String {
    let workload = &one.workload.name;
    let (namespace, account) = (&one.workload.namespace, &one.workload.service_account);
    let rules = |within: bool| -> Vec<Value> {
        let mut verbs: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for right in needed.iter().filter(|right| right.within.is_some() == within) {
            verbs
                .entry((&right.group, &right.resource))
                .or_default()
                .push(&right.verb);
        }
        let rule = |((group, resource), verbs)| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
        verbs.into_iter().map(rule).collect()
    };
    let mut items = Vec::new();
    let mut add = |kind: &str, name: String, rules: Vec<Value>| {
        if rules.is_empty() {
            return;
        }
        let api = "rbac.authorization.k8s.io";
        let mut meta = json!({"name": name});
        if kind == "Role" {
            meta["namespace"] = json!(namespace);
        }
        items.push(json!({"apiVersion": format!("{api}/v1"), "kind": kind, "metadata": meta, "rules": rules}));
        items.push(json!({
            "apiVersion": format!("{api}/v1"), "kind": format!("{kind}Binding"), "metadata": meta,
            "roleRef": {"apiGroup": api, "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": account}],
        }));
    };
    add("ClusterRole", format!("{namespace}-{workload}-needs"), rules(false));
    add("Role", format!("{workload}-needs"), rules(true));
    apply(&items)
}

fn stale(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    let name = one.name?.replace('/', "-");
    let stale = |lock: &&Lock| {
        lock.name == name
            && lock.namespace == one.workload.namespace
            && !lock.holder.is_empty()
            && lock.renewed.is_some_and(|renewed| case.older(Some(renewed), STALE))
    };
    let waiting = waiting(case, one);
    // Who doesn't run renews nothing, and that is the finding then.
    if one.workload.ready == 0 || waiting.is_empty() {
        return None;
    }
    let locks: Vec<&Lock> = case.facts.locks.iter().filter(|lock| lock.name == name).collect();
    let lock = locks.iter().copied().find(|lock| stale(lock))?;
    // Of two locks under the name the live one counts.
    if locks.iter().any(|lock| !stale(lock) && !lock.holder.is_empty()) {
        return None;
    }
    let object = Object::of(&lock.kind, &lock.namespace, &lock.name);
    let title = object.title();
    Some(
        Finding::new(
            "NFS210",
            one.workload.object(),
            format!("{title} is held by {}, which does not renew it", lock.holder),
        )
        .seen(
            format!("renewTime of {title}"),
            lock.renewed.map(|renewed| renewed.to_string()).unwrap_or_default(),
        )
        .fixed_by(Change::Delete(object), "triggers a new leader election")
        .explaining(waiting),
    )
}
