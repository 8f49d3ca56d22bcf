//! Objects that the doctor was not allowed to read, and the permissions for them: NFS002 (PURE).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Evidence, View, rbac};
use crate::cluster::provisioners;
use crate::cluster::snapshot::ClusterSnapshot;
use crate::doctor::entry::entries;
use crate::doctor::{Finding, Object};
use crate::shell::shell_word;

/// A right that is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    /// Where; none for the whole cluster.
    namespace: Option<String>,
    group: &'static str,
    verbs: &'static [&'static str],
    /// Only objects of these names; empty for all.
    names: Vec<String>,
    resource: String,
}

entries! {
    "NFS002" Warning [] "missing read permissions",
        "The user who runs nfsprov doctor lacks permissions that some checks need. The report lists these checks as not checked; they have not passed. A cluster administrator runs the fix. It grants this user alone permission to read the refused resources, each only in the namespaces where the doctor reads it. The only create permission is for SubjectAccessReviews, which the API server answers and does not store. The next run may report further missing permissions. The fix removes no permission.";
}

/// NFS002 for all refused reads, with the command that grants the missing permissions to the user, if the refusals name
/// one.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let cluster = view.cluster;
    let refused: Vec<_> = cluster.unread.iter().filter(|unread| unread.forbidden).collect();
    if refused.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = refused.iter().map(|unread| unread.what.as_str()).collect();
    let evidence = refused
        .iter()
        .map(|unread| Evidence::new(format!("reading {}", unread.what), &unread.why));
    let list = names.join(", ");
    let cause = format!("no permission to read {list}; the checks that need them were skipped");
    let finding = Finding::new("NFS002", Object::cluster_scoped("Cluster", "RBAC"), cause).with_all_evidence(evidence);
    let grants: BTreeSet<Grant> = names.iter().flat_map(|what| needed_grants(cluster, what)).collect();
    let user = refused.iter().find_map(|unread| find_user(&unread.why));
    vec![match user.filter(|_| !grants.is_empty()) {
        Some(user) => finding.with_command(
            grant_to_user_command(user, grants),
            "a cluster administrator runs this; it adds the missing permissions and can be run again",
        ),
        None => finding.with_advice("a cluster administrator has to grant the permissions that the evidence names"),
    }]
}

/// The user that an API server's refusal names; `None` if it names none, or one with quotation marks.
fn find_user(refusal: &str) -> Option<&str> {
    let (_, rest) = refusal.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    // A quoted character in it, so that the name does not end there.
    (!user.is_empty() && !user.contains('\\')).then_some(user)
}

/// The permissions that reading `what`, as recorded in `unread`, takes, and no others; none if they are unknown.
fn needed_grants(cluster: &ClusterSnapshot, what: &str) -> Vec<Grant> {
    const GET: &[&str] = &["get"];
    const READ: &[&str] = &["get", "list"];
    let provisioners = provisioners::find_provisioners(cluster);
    let theirs = provisioners.iter().map(|one| Some(one.workload.namespace.clone()));
    let asked = cluster.namespace.clone();
    // Whose they are is no part of the resource's name.
    let resource = what.split(" of ").next().unwrap_or(what);
    let grant = |namespace, group, verbs, names| Grant {
        namespace,
        group,
        verbs,
        names,
        resource: resource.to_owned(),
    };
    let (group, verbs, namespaces): (_, _, Vec<Option<String>>) = match what {
        "persistentvolumeclaims" | "pods" | "events" | "limitranges" => ("", READ, vec![asked]),
        "persistentvolumes" | "nodes" => ("", READ, vec![None]),
        "storageclasses" | "csidrivers" | "csinodes" => ("storage.k8s.io", READ, vec![None]),
        "deployments" | "statefulsets" | "daemonsets" => ("apps", READ, vec![None]),
        "leases" => ("coordination.k8s.io", READ, vec![None]),
        // Others' rights are asked about by creating a question, which the API server answers and does not keep.
        "subjectaccessreviews" => ("authorization.k8s.io", &["create"], vec![None]),
        // Events about objects without a namespace are kept in this one.
        "events of PVs" => ("", READ, vec![Some("default".to_owned())]),
        "events of provisioners" | "pods of provisioners" => ("", READ, theirs.filter(|one| *one != asked).collect()),
        "pods/log" => ("", GET, theirs.collect()),
        "namespaces" => {
            let name = asked.unwrap_or_else(|| "default".to_owned());
            return vec![grant(None, "", GET, vec![name])];
        }
        "endpoints" => {
            let names = provisioners
                .iter()
                .map(|one| Some(vec![provisioners::lease_name(one.name?)?]));
            let locks = names.zip(theirs);
            let grants = locks.filter_map(|(names, namespace)| Some(grant(namespace, "", GET, names?)));
            return grants.collect();
        }
        _ => return Vec::new(),
    };
    let grants = namespaces.into_iter();
    grants
        .map(|namespace| grant(namespace, group, verbs, Vec::new()))
        .collect()
}

/// The command that grants permissions to a user.
///
/// `kubectl auth reconcile` adds rules and subjects to existing roles, so it can be run again without removing a
/// permission. The roles carry the user's name, so other users don't get them.
fn grant_to_user_command(user: &str, grants: BTreeSet<Grant>) -> String {
    let account = user.strip_prefix("system:serviceaccount:");
    let subject = match account.and_then(|account| account.split_once(':')) {
        Some((namespace, name)) => rbac::account_subject(namespace, name),
        None => rbac::user_subject(user),
    };
    // Users' names may have characters that objects' names may not; no two of them become the same.
    let escaped = user.replace('_', "_5f").replace('/', "_2f").replace('%', "_25");
    let name = format!("nfsprov-doctor:{escaped}");
    let mut by_namespace: BTreeMap<Option<String>, Vec<Grant>> = BTreeMap::new();
    for grant in grants {
        by_namespace.entry(grant.namespace.clone()).or_default().push(grant);
    }
    let objects = by_namespace.iter().flat_map(|(namespace, grants)| {
        rbac::role_with_binding(namespace.as_deref(), &name, &rules_of(grants), &subject)
    });
    let list = rbac::list_of(objects.collect());
    format!("printf %s {} | kubectl auth reconcile -f -", shell_word(&list))
}

/// Permissions, which have to be sorted, as rules of a role: neighbours with the same group, verbs and names become one
/// rule.
fn rules_of(grants: &[Grant]) -> Vec<Value> {
    let has_same_verbs =
        |one: &Grant, other: &Grant| (one.group, one.verbs, &one.names) == (other.group, other.verbs, &other.names);
    let rule = |grants: &[Grant]| {
        let resources: Vec<&str> = grants.iter().map(|grant| grant.resource.as_str()).collect();
        let mut rule = json!({"apiGroups": [grants[0].group], "resources": resources, "verbs": grants[0].verbs});
        if !grants[0].names.is_empty() {
            rule["resourceNames"] = json!(grants[0].names);
        }
        rule
    };
    grants.chunk_by(has_same_verbs).map(rule).collect()
}
