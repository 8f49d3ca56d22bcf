//! What --fix may do by itself, and what tenants can make it say.

use serde_json::json;

use super::claims::{SERVED, served};
use super::provisioners::{GOOD, NAME, scene};
use super::*;
use crate::doctor::facts::{Log, Pod};
use crate::doctor::fix::{Change, HostChange};
use crate::doctor::{Fix, checks, policy};

const BAD: &str = "quay.io/external_storage/nfs-client-provisioner:latest";

fn fix_of(objects: Vec<Value>) -> Fix {
    let found = found(&facts(OLD, objects));
    let first = found.into_iter().find(|finding| finding.fix.is_some());
    first.unwrap().fix.unwrap()
}

/// A provisioner that needs selfLink, on a server that sends none; its Deployment changed.
fn needs_self_link(change: Value) -> Vec<Value> {
    let mut objects = provisioner("p", BAD, NAME);
    objects[0] = with(objects[0].clone(), change);
    objects.push(object("Namespace", "default"));
    objects
}

#[test]
fn an_image_is_changed_if_a_claim_is_pending_and_no_other_tool_manages_it() {
    let labelled = |key: &str, value: &str| json!({"metadata": {"labels": {key: value}}});
    let annotated = |key: &str| json!({"metadata": {"annotations": {key: "x"}}});
    let owner = json!({"metadata": {"ownerReferences": [{"apiVersion": "x/v1", "kind": "NFSProvisioner", "name": "main", "uid": "u"}]}});
    for (what, objects, reason) in rows! {
        ("it waits", scene(needs_self_link(json!({}))), None),
        ("no claim waits", all([vec![class("managed", NAME)], needs_self_link(json!({}))]),
            Some("no claim waits for it")),
        ("elsewhere", scene(needs_self_link(json!({"metadata": {"namespace": "nfs"}}))),
            Some("only namespace default was asked for, and this is in nfs; -A asks for all")),
        ("not looked at, so not certain", scene(provisioner("p", BAD, NAME)), Some("it is not certain")),
        ("Helm by its label", scene(needs_self_link(labelled("app.kubernetes.io/managed-by", "Helm"))),
            Some("Helm manages it")),
        ("Helm by its chart", scene(needs_self_link(labelled("helm.sh/chart", "nfs-4.0.17"))),
            Some("Helm manages it")),
        ("Helm by its release", scene(needs_self_link(annotated("meta.helm.sh/release-name"))),
            Some("Helm manages it")),
        ("Argo CD by its label", scene(needs_self_link(labelled("argocd.argoproj.io/instance", "storage"))),
            Some("Argo CD manages it")),
        ("Argo CD by its annotation", scene(needs_self_link(annotated("argocd.argoproj.io/tracking-id"))),
            Some("Argo CD manages it")),
        ("Flux' Kustomization", scene(needs_self_link(labelled("kustomize.toolkit.fluxcd.io/name", "storage"))),
            Some("Flux manages it")),
        ("Flux' HelmRelease", scene(needs_self_link(labelled("helm.toolkit.fluxcd.io/name", "storage"))),
            Some("Flux manages it")),
        ("an operator", scene(needs_self_link(owner)), Some("NFSProvisioner main manages it")),
        ("another tool", scene(needs_self_link(labelled("app.kubernetes.io/managed-by", "terraform"))),
            Some("terraform manages it")),
    } {
        let fix = fix_of(objects);
        // It is printed all the same.
        assert!(
            fix.command.as_deref().unwrap().contains(" set image deployment/p "),
            "{what}: {fix:?}"
        );
        assert_eq!(fix.automatic, reason.is_none(), "{what}: {fix:?}");
        assert_eq!(fix.changes.is_empty(), reason.is_some(), "{what}");
        let reason = reason.map(|reason| format!("not done by --fix: {reason}"));
        assert!(
            reason.is_none_or(|reason| fix.note.contains(&reason)),
            "{what}: {}",
            fix.note
        );
    }
}

#[test]
fn a_pod_without_a_workload_is_not_changed() {
    let mut objects = needs_self_link(json!({}));
    objects.retain(|object| object["kind"] != "Deployment");
    for pod in objects.iter_mut().filter(|object| object["kind"] == "Pod") {
        pod["metadata"]["ownerReferences"] = Value::Null;
    }
    let fix = fix_of(scene(objects));
    assert!(
        !fix.automatic && fix.note.contains("no workload owns this pod"),
        "{fix:?}"
    );
}

#[test]
fn after_the_gate_only_provisioners_that_may_be_edited_are_restarted() {
    let helm = json!({"metadata": {"labels": {"helm.sh/chart": "nfs-4.0.17"}}});
    let argo = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}});
    let logging_tenant = || {
        let mut facts = facts(OLD, scene(tenant("busybox", NAME, 1)));
        let log = facts
            .pods
            .iter()
            .find(|pod| pod.name == "a-tenants-1")
            .map(log_without_self_link);
        facts.logs.extend(log);
        facts
    };
    for (what, facts, title, reason) in rows! {
        ("it waits", facts(OLD, scene(needs_self_link(json!({})))), "NFS301 deployment default/p", None),
        ("no claim waits", facts(OLD, all([vec![class("managed", NAME)], needs_self_link(json!({}))])),
            "NFS301 deployment default/p", Some("no claim waits for it")),
        ("Helm", facts(OLD, scene(needs_self_link(helm))), "NFS301 deployment default/p", Some("Helm manages it")),
        ("Argo CD", facts(OLD, scene(needs_self_link(argo))), "NFS301 deployment default/p",
            Some("Argo CD manages it")),
        ("a tenant's, by its image", facts(OLD, scene(all([tenant(BAD, NAME, 1),
            vec![object("Namespace", "default")]]))), "NFS301 deployment tenant/a-tenants",
            Some("only namespace default was asked for")),
        ("a tenant's, by its log", logging_tenant(), "NFS302 deployment tenant/a-tenants",
            Some("only namespace default was asked for")),
    } {
        let restarts = checks::restart_after_gate(&facts, &found(&facts), NOW);
        assert_eq!(titles(&restarts), [title], "{what}");
        let fix = restarts[0].fix.as_ref().unwrap();
        assert!(
            fix.command.as_deref().unwrap().contains(" rollout restart deployment/"),
            "{what}: {fix:?}"
        );
        assert_eq!(fix.automatic, reason.is_none(), "{what}: {fix:?}");
        assert_eq!(fix.changes.is_empty(), reason.is_some(), "{what}");
        assert!(fix.note.contains(reason.unwrap_or_default()), "{what}: {}", fix.note);
    }
}

fn log_without_self_link(pod: &Pod) -> Log {
    Log {
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        text: "E0214 1 x.go:1] selfLink was empty, can't make reference".to_owned(),
    }
}

#[test]
fn with_all_namespaces_asked_for_a_provisioner_may_be_anywhere() {
    let elsewhere = needs_self_link(json!({"metadata": {"namespace": "nfs"}}));
    let mut facts = dump::assemble(scene(elsewhere), None);
    OLD.clone_into(&mut facts.version);
    let found = found(&facts);
    assert_eq!(titles(&found), ["NFS301 deployment nfs/p"]);
    assert!(found[0].fix.as_ref().unwrap().automatic, "{found:#?}");
}

#[test]
fn a_label_is_added_to_a_volume_and_never_replaced() {
    let fix = |labels: Value| {
        let selecting = json!({"spec": {"storageClassName": "nfs", "selector": {"matchLabels": {"team": "a"}}}});
        fix_of(vec![
            claim("a", selecting),
            volume("v", json!({"metadata": {"labels": labels}})),
        ])
    };
    assert!(fix(json!({})).automatic);
    let kept = fix(json!({"team": "b"}));
    assert!(
        !kept.automatic && kept.note.contains("the PV has another label team"),
        "{kept:?}"
    );
}

/// A workload of a tenant's that calls itself a provisioner.
fn tenant(image: &str, name: &str, replicas: u32) -> Vec<Value> {
    let elsewhere = json!({"metadata": {"namespace": "tenant"}});
    let mut objects: Vec<Value> = provisioner("a-tenants", image, name)
        .into_iter()
        .map(|object| with(object, elsewhere.clone()))
        .collect();
    let env = json!([
        {"name": "PROVISIONER_NAME", "value": name}, {"name": "NFS_SERVER", "value": "10.66.6.6"},
        {"name": "NFS_PATH", "value": "/root"},
    ]);
    let containers = json!([{"name": "main", "image": image, "env": env}]);
    objects[0] = with(
        objects[0].clone(),
        json!({"spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}}, "status": {"readyReplicas": replicas}}),
    );
    objects
}

fn denied(account: &str) -> Value {
    json!({"kind": "SubjectAccessReview", "metadata": {},
           "spec": {"user": format!("system:serviceaccount:tenant:{account}"),
                    "resourceAttributes": {"group": "", "resource": "persistentvolumes", "verb": "create"}},
           "status": {"allowed": false}})
}

#[test]
fn a_tenants_environment_is_no_provisioner() {
    let class_missing = || vec![class("managed", NAME), of_class("a", "gold")];
    let in_tree = || vec![class("c", "kubernetes.io/nfs"), of_class("a", "c")];
    let no_class = || vec![class("managed", NAME), claim("a", json!({}))];
    for image in ["busybox", GOOD, BAD] {
        for name in ["a", "tenant.example/nfs", "nfsprov/nfs2"] {
            for replicas in [0, 1] {
                let theirs = || all([tenant(image, name, replicas), vec![denied("a-tenants")]]);
                for (objects, code) in [
                    (vec![], None),
                    (scene(vec![]), Some("NFS201")),
                    (class_missing(), Some("NFS103")),
                    (in_tree(), Some("NFS104")),
                    (no_class(), Some("NFS101")),
                ] {
                    let facts = facts(OLD, all([objects, theirs()]));
                    let found = found(&facts);
                    let what = format!("{image} {name} {replicas}: {found:#?}");
                    assert_eq!(found.first().map(|finding| finding.code), code, "{what}");
                    assert!(found.len() <= 1, "{what}");
                    for word in ["a-tenants", "10.66.6.6", "/root", &format!("--provisioner {name} ")] {
                        assert!(!format!("{found:?}").contains(word), "{word}: {what}");
                    }
                    assert!(
                        found.iter().all(|finding| !finding.fix.as_ref().unwrap().automatic),
                        "{what}"
                    );
                    assert!(super::super::questions(&facts).is_empty(), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_second_workload_of_a_served_name_gets_no_permissions() {
    let served = || scene(provisioner("p", GOOD, NAME));
    let titles = |objects: Vec<Value>| titles(&found(&facts(OLD, objects)));
    let stopped = titles(all([served(), tenant(GOOD, NAME, 0), vec![denied("a-tenants")]]));
    assert_eq!(stopped, Vec::<String>::new());
    let running = titles(all([served(), tenant(GOOD, NAME, 1), vec![denied("a-tenants")]]));
    assert_eq!(running, ["NFS212 deployment tenant/a-tenants"]);
}

#[test]
fn variables_from_a_config_map_are_not_missing() {
    let from_map = |ready: u32| {
        let env_from = json!([{"configMapRef": {"name": "nfs-settings"}}]);
        let containers = json!([{"name": "main", "image": GOOD, "envFrom": env_from}]);
        let mut objects = provisioner("p", GOOD, NAME);
        let spec = json!({"containers": containers});
        objects[0] = with(
            objects[0].clone(),
            json!({"spec": {"template": {"spec": spec}}, "status": {"readyReplicas": ready}}),
        );
        objects
    };
    hold! { NEW,
        "it runs": scene(from_map(1)) => [];
        "it does not, so it may be another's": scene(from_map(0)) => ["NFS201 storageclass managed"];
    }
    // Its name is known, the rest may come from the ConfigMap.
    let mut named = from_map(0);
    let env = json!([{"name": "PROVISIONER_NAME", "value": NAME}]);
    let mut container = named[0]["spec"]["template"]["spec"]["containers"][0].clone();
    container["env"] = env;
    named[0] = with(
        named[0].clone(),
        json!({"spec": {"template": {"spec": {"containers": [container]}}}}),
    );
    let found = found(&facts(NEW, scene(named)));
    assert!(
        found.iter().all(|finding| !finding.cause.contains("lacks")),
        "{found:#?}"
    );
}

#[test]
fn a_nameless_provisioner_gets_the_only_name_that_is_not_served() {
    let nameless = || {
        let containers = json!([{"name": "main", "image": GOOD, "env": [{"name": "PROVISIONER_NAME", "value": ""}]}]);
        let mut objects = provisioner("p", GOOD, NAME);
        objects[0] = with(
            objects[0].clone(),
            json!({"spec": {"template": {"spec": {"containers": containers}}}, "status": {"readyReplicas": 0}}),
        );
        objects
    };
    let fix = |classes: Vec<Value>| only(NEW, all([classes, nameless()])).fix.unwrap();
    let one = fix(vec![class("managed", NAME)]);
    assert!(
        one.command
            .as_deref()
            .unwrap()
            .contains("PROVISIONER_NAME=fuseim.pri/ifs"),
        "{one:?}"
    );
    let two = fix(vec![class("managed", NAME), class("other", "x/nfs")]);
    assert!(
        two.command.as_deref().unwrap().contains("PROVISIONER_NAME=NAME"),
        "{two:?}"
    );
    assert!(!one.automatic && !two.automatic);
    let mut elsewhere = all([vec![class("managed", NAME)], nameless()]);
    elsewhere[1] = with(elsewhere[1].clone(), json!({"metadata": {"namespace": "tenant"}}));
    assert_eq!(titles(&found(&facts(NEW, elsewhere))), Vec::<String>::new());
}

#[test]
fn a_class_is_never_chosen_automatically() {
    let fix = |objects: Vec<Value>| {
        let fix = only(NEW, objects).fix.unwrap();
        assert!(!fix.automatic && fix.changes.is_empty(), "{fix:?}");
        (fix.command.unwrap_or_default(), fix.note)
    };
    // Pasted as it is, it ends at `kubectl get`.
    let (command, note) = fix(all([served(), vec![of_class("a", "manged")]]));
    assert_eq!(
        command,
        "class=CLASS; kubectl get storageclass \"$class\" && kubectl -n default get pvc a -o json | kubectl patch --local \
         -f - --type merge -p '{\"spec\":{\"storageClassName\":\"'\"$class\"'\"}}' -o json | kubectl replace --force -f -"
    );
    assert!(
        note.starts_with("did you mean managed?")
            && note.ends_with("not done by --fix: it is not certain which name is right"),
        "{note}"
    );
    // A sibling is not what was meant.
    let (_, note) = fix(all([
        served(),
        vec![class("nfs-ssd", SERVED), of_class("a", "nfs-hdd")],
    ]));
    assert!(!note.contains("nfs-ssd"), "{note}");
    // With two classes the order must not decide.
    let two = || vec![class("b", "x/nfs"), class("c", "y/nfs")];
    let (command, note) = fix(all([two(), vec![claim("a", json!({}))]]));
    assert!(
        command.starts_with("kubectl annotate storageclass CLASS ") && note.contains("one of b, c"),
        "{note}"
    );
    let (command, _) = fix(vec![class("b", "x/nfs"), claim("a", json!({}))]);
    assert!(command.starts_with("kubectl annotate storageclass b "), "{command}");

    // A class is made again only for the one provisioner that runs, else for nfsprov's own.
    let in_tree = || vec![class("c", "kubernetes.io/nfs"), of_class("a", "c")];
    let (command, _) = fix(in_tree());
    assert!(command.contains(r#"{"provisioner":"nfsprov/nfs"}"#), "{command}");
    let one = || {
        all([
            vec![class("one", "x/nfs")],
            provisioner("p", "nfs-subdir-external-provisioner:v4.0.2", "x/nfs"),
        ])
    };
    let (command, _) = fix(all([in_tree(), one()]));
    assert!(command.contains(r#"{"provisioner":"x/nfs"}"#), "{command}");
    let other = all([
        vec![class("two", "y/nfs")],
        provisioner("q", "nfs-subdir-external-provisioner:v4.0.2", "y/nfs"),
    ]);
    let (command, note) = fix(all([in_tree(), one(), other]));
    assert!(command.is_empty() && note.contains("one of x/nfs, y/nfs"), "{note}");
    // The environment alone makes no workload a provisioner.
    let tenant = provisioner("a-tenants", "busybox", "a/nfs");
    let (command, _) = fix(all([in_tree(), one(), tenant]));
    assert!(command.contains(r#"{"provisioner":"x/nfs"}"#), "{command}");
}

#[test]
fn changes_that_can_not_be_undone_are_refused() {
    let volume = || Object::cluster("PersistentVolume", "v");
    let merge = |object: Object, patch: Value| Change::Merge { object, patch };
    let on_host = |change: HostChange| Change::OnHost {
        host: "nfs".to_owned(),
        change,
    };
    let export = |clients: &[&str]| HostChange::Export {
        path: "/root".to_owned(),
        clients: clients.iter().map(|client| (*client).to_owned()).collect(),
    };
    let retain = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
    for (what, code, change, reason) in rows! {
        ("the reclaim policy", "NFS503", merge(volume(), retain.clone()), None),
        ("more than the reclaim policy", "NFS503",
            merge(volume(), with(retain.clone(), json!({"spec": {"nfs": {"path": "/"}}}))), Some("than can be undone")),
        ("another object", "NFS503", merge(Object::cluster("ClusterRole", "v"), retain), Some("than can be undone")),
        ("a volume is deleted", "NFS122", Change::Delete(volume()), Some("than can be undone")),
        ("a claim is deleted", "NFS210", Change::Delete(Object::of("PersistentVolumeClaim", "default", "a")),
            Some("than can be undone")),
        ("a code that people decide", "NFS108", merge(volume(), json!({})), Some("an administrator has to decide")),
        ("a host that was not read", "NFS401", on_host(HostChange::InstallClient), Some("--ssh nfs does so")),
        ("a directory of a host that was not read", "NFS402", on_host(export(&["10.0.0.1"])), Some("--ssh nfs does so")),
    } {
        let mut findings = [Finding::new(code, volume(), "").with_change(change, "")];
        policy::decide_fixes(&Facts::default(), &mut findings);
        let fix = findings[0].fix.as_ref().unwrap();
        assert_eq!(
            (fix.automatic, fix.changes.is_empty()),
            (reason.is_none(), reason.is_some()),
            "{what}: {fix:?}"
        );
        assert!(
            fix.command.is_some() && fix.note.contains(reason.unwrap_or_default()),
            "{what}: {fix:?}"
        );
    }
}
