//! NFS002, NFS004.

use serde_json::json;

use super::provisioners::{NAME, good};
use super::*;
use crate::cluster::snapshot::Unread;

#[test]
fn a_controller_manager_without_events_is_reported_after_ten_minutes() {
    let created = |time: &str| json!({"metadata": {"creationTimestamp": time}});
    let since = |time: &str| {
        let claim = with(handed_over("a", "managed", NAME), created(time));
        all([vec![class("managed", NAME), claim], good()])
    };
    let words = "waiting for a volume to be created";
    let event = event("PersistentVolumeClaim", "a", "ExternalProvisioning", words);
    hold! { OLD,
        "long, without a word": since("2026-01-01T11:00:00Z") => ["NFS004 cluster kube-controller-manager"];
        "long, with one": all([since("2026-01-01T11:00:00Z"), vec![event]]) => [];
        "not long": since("2026-01-01T11:55:00Z") => [];
        "what another finding explains": vec![claim("a", created("2026-01-01T11:00:00Z"))] =>
            ["NFS101 pvc default/a"];
    }
}

/// What NFS002 prints for what is forbidden to a user, as the objects that it grants permissions by.
fn granted(namespace: Option<&str>, user: &str, forbidden: &[&str]) -> Option<Vec<Value>> {
    granted_for(NAME, namespace, user, forbidden)
}

/// As [`granted`], with a provisioner called `name`.
fn granted_for(name: &str, namespace: Option<&str>, user: &str, forbidden: &[&str]) -> Option<Vec<Value>> {
    let mut facts = facts(OLD, provisioner_elsewhere(name));
    facts.cluster.namespace = namespace.map(str::to_owned);
    facts.cluster.unread = forbidden
        .iter()
        .map(|what| Unread {
            what: (*what).to_owned(),
            why: format!("{what} is forbidden: {user} cannot list it"),
            forbidden: true,
        })
        .collect();
    let found = found(&facts);
    let finding = found.iter().find(|finding| finding.code == "NFS002").unwrap();
    let command = finding.fix.clone().unwrap().command?;
    let list = command.strip_prefix("printf %s '").unwrap();
    let list = list.strip_suffix("' | kubectl auth reconcile -f -").unwrap();
    let list: Value = serde_json::from_str(list).unwrap();
    Some(list["items"].as_array().unwrap().clone())
}

/// One that runs in another namespace than the one that is looked at.
fn provisioner_elsewhere(name: &str) -> Vec<Value> {
    let objects = provisioner("p", "nfsprov:1", name).into_iter();
    let elsewhere = objects.map(|object| with(object, json!({"metadata": {"namespace": "storage"}})));
    elsewhere.chain([class("nfs", name)]).collect()
}

#[test]
fn missing_read_permissions_are_granted_by_resource_and_namespace() {
    const USER: &str = r#"User "ann""#;
    let rules = |namespace: Option<&str>, forbidden: &[&str]| {
        let mut rules = Vec::new();
        for role in granted(namespace, USER, forbidden).unwrap() {
            for rule in role["rules"].as_array().into_iter().flatten() {
                let words = |key: &str| {
                    let words = rule[key].as_array().into_iter().flatten();
                    words.map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(",")
                };
                rules.push(format!(
                    "{} {}: {} {}.{} {}",
                    role["kind"].as_str().unwrap(),
                    role["metadata"]["namespace"].as_str().unwrap_or("-"),
                    words("verbs"),
                    words("resources"),
                    words("apiGroups"),
                    words("resourceNames"),
                ));
            }
        }
        rules
    };
    let of = |resource: &str| format!("{resource}.");
    let here = Some("default");
    for (what, namespace, forbidden, wanted) in rows! {
        ("what the cluster has, and questions, which alone are created", here, &["nodes", "persistentvolumes",
            "subjectaccessreviews", "storageclasses", "csinodes"][..], vec![format!("ClusterRole -: get,list {} ",
            of("nodes,persistentvolumes")),
            "ClusterRole -: create subjectaccessreviews.authorization.k8s.io ".to_owned(),
            "ClusterRole -: get,list csinodes,storageclasses.storage.k8s.io ".to_owned()]),
        ("what the namespace has, and workloads, which may serve it from another one", here, &["pods",
            "persistentvolumeclaims", "statefulsets"], vec!["ClusterRole -: get,list statefulsets.apps ".to_owned(),
            format!("Role default: get,list {} ", of("persistentvolumeclaims,pods"))]),
        ("the same of all namespaces", None, &["pods"], vec![format!("ClusterRole -: get,list {} ", of("pods"))]),
        ("one namespace", here, &["namespaces"], vec![format!("ClusterRole -: get {} default", of("namespaces"))]),
        ("events of PVs, which are elsewhere", Some("web"), &["events of PVs"],
            vec![format!("Role default: get,list {} ", of("events"))]),
        ("what is read of provisioners, where they are", here, &["pods of provisioners", "events of provisioners",
            "pods/log", "endpoints"], vec![format!("Role storage: get {} ", of("pods/log")),
            format!("Role storage: get {} fuseim.pri-ifs", of("endpoints")), format!("Role storage: get,list {} ",
            of("events,pods"))]),
    } {
        assert_eq!(rules(namespace, forbidden), wanted, "{what}");
    }
}

#[test]
fn a_lock_whose_name_no_object_can_have_is_not_read() {
    for (name, lock) in [
        ("team/nfs", Some("team-nfs")),
        ("Team/nfs", None),
        ("team/my_nfs", None),
    ] {
        let objects = granted_for(name, Some("default"), r#"User "ann""#, &["endpoints", "pods/log"]).unwrap();
        let rules = objects
            .iter()
            .flat_map(|object| object["rules"].as_array().into_iter().flatten());
        let names: Vec<_> = rules.filter_map(|rule| rule["resourceNames"][0].as_str()).collect();
        assert_eq!(names, Vec::from_iter(lock), "{name}");
    }
}

#[test]
fn missing_read_permissions_are_granted_to_one_user() {
    for (user, name, subject) in rows! {
        (r#"User "ann""#, "nfsprov-doctor:ann", json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io",
            "name": "ann"})),
        (r#"User "system:serviceaccount:ops:viewer""#, "nfsprov-doctor:system:serviceaccount:ops:viewer",
            json!({"kind": "ServiceAccount", "namespace": "ops", "name": "viewer"})),
        // Two users never share a role.
        (r#"User "https://id/a_b""#, "nfsprov-doctor:https:_2f_2fid_2fa_5fb", json!({"kind": "User", "apiGroup":
            "rbac.authorization.k8s.io", "name": "https://id/a_b"})),
    } {
        let objects = granted(Some("default"), user, &["pods"]).unwrap();
        let names: Vec<_> = objects.iter().map(|object| &object["metadata"]["name"]).collect();
        assert_eq!(names, [name, name], "{user}");
        assert_eq!(objects[1]["kind"], "RoleBinding");
        assert_eq!(objects[1]["roleRef"]["name"], name);
        assert_eq!(objects[1]["subjects"], json!([subject]));
    }
    // The refusal names no user, or ambiguously.
    for user in ["it", r#"User """#, r#"User "a\"b""#] {
        assert_eq!(granted(Some("default"), user, &["pods"]), None, "{user}");
    }
}
