//! What --fix may do by itself, and what tenants can make it say.

use serde_json::json;

use super::provisioners::{GOOD, NAME, good, scene};
use super::*;
use crate::change::{Change, HostChange};
use crate::cluster::snapshot::{Log, Pod};
use crate::doctor::{checks, policy};

const BAD: &str = "quay.io/external_storage/nfs-client-provisioner:latest";

/// A provisioner that needs selfLink, on a server that sends none; its Deployment changed.
fn needs_self_link(change: Value) -> Vec<Value> {
    let mut objects = provisioner("p", BAD, NAME);
    objects[0] = with(objects[0].clone(), change);
    objects.push(object("Namespace", "default"));
    objects
}

#[test]
fn an_image_is_changed_if_a_claim_is_pending_and_no_other_tool_manages_it() {
    let labelled = |key: &str, value: &str| scene(needs_self_link(json!({"metadata": {"labels": {key: value}}})));
    let annotated = |key: &str| scene(needs_self_link(json!({"metadata": {"annotations": {key: "x"}}})));
    let owner = json!({"apiVersion": "x/v1", "kind": "NFSProvisioner", "name": "main", "uid": "u"});
    let mut bare = needs_self_link(json!({}));
    bare.retain(|object| object["kind"] != "Deployment");
    bare[0]["metadata"]["ownerReferences"] = Value::Null;
    // It is printed all the same.
    hold! { OLD,
        "it waits": scene(needs_self_link(json!({}))) =>
            ["NFS301 deployment default/p automatic" says "kubectl -n default set image deployment/p "];
        "no claim waits": all([vec![class("managed", NAME)], needs_self_link(json!({}))]) =>
            ["NFS301 deployment default/p" says " set image " "not done by --fix: no claim waits for it"];
        "elsewhere": scene(needs_self_link(json!({"metadata": {"namespace": "nfs"}}))) => ["NFS301 deployment nfs/p" says
            "not done by --fix: only namespace default was asked for, and this is in nfs; -A asks for all"];
        "not looked at, so not certain": scene(provisioner("p", BAD, NAME)) =>
            ["NFS301 deployment default/p" says "not done by --fix: it is not certain"];
        "Helm by its label": labelled("app.kubernetes.io/managed-by", "Helm") =>
            ["NFS301 deployment default/p" says "not done by --fix: Helm manages it"];
        "Helm by its chart": labelled("helm.sh/chart", "nfs-4.0.17") =>
            ["NFS301 deployment default/p" says "not done by --fix: Helm manages it"];
        "Helm by its release": annotated("meta.helm.sh/release-name") =>
            ["NFS301 deployment default/p" says "not done by --fix: Helm manages it"];
        "Argo CD by its label": labelled("argocd.argoproj.io/instance", "storage") =>
            ["NFS301 deployment default/p" says "not done by --fix: Argo CD manages it"];
        "Argo CD by its annotation": annotated("argocd.argoproj.io/tracking-id") =>
            ["NFS301 deployment default/p" says "not done by --fix: Argo CD manages it"];
        "Flux' Kustomization": labelled("kustomize.toolkit.fluxcd.io/name", "storage") =>
            ["NFS301 deployment default/p" says "not done by --fix: Flux manages it"];
        "Flux' HelmRelease": labelled("helm.toolkit.fluxcd.io/name", "storage") =>
            ["NFS301 deployment default/p" says "not done by --fix: Flux manages it"];
        "an operator": scene(needs_self_link(json!({"metadata": {"ownerReferences": [owner]}}))) =>
            ["NFS301 deployment default/p" says "not done by --fix: NFSProvisioner main manages it"];
        "another tool": labelled("app.kubernetes.io/managed-by", "terraform") =>
            ["NFS301 deployment default/p" says "not done by --fix: terraform manages it"];
        "a pod without a workload": scene(bare) =>
            ["NFS301 pod default/p-1" says "not done by --fix: no workload owns this pod"];
        // A second workload of a served name gets no permissions.
        "a tenant's of the same name is stopped": scene(all([good(), tenant(GOOD, NAME, 0), vec![denied("a-tenants")]]))
            => [];
        "a tenant's of the same name runs": scene(all([good(), tenant(GOOD, NAME, 1), vec![denied("a-tenants")]])) =>
            ["NFS212 deployment tenant/a-tenants"];
    }
}

#[test]
fn after_the_gate_only_provisioners_that_may_be_edited_are_restarted() {
    let helm = json!({"metadata": {"labels": {"helm.sh/chart": "nfs-4.0.17"}}});
    let argo = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}});
    let logging_tenant = || {
        let mut facts = facts(OLD, scene(tenant("busybox", NAME, 1)));
        let log = facts
            .cluster
            .pods
            .iter()
            .find(|pod| pod.name == "a-tenants-1")
            .map(log_without_self_link);
        facts.cluster.logs.extend(log);
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
        container: String::new(),
        text: "E0214 1 x.go:1] selfLink was empty, can't make reference".to_owned(),
    }
}

#[test]
fn with_all_namespaces_asked_for_a_provisioner_may_be_anywhere() {
    let elsewhere = needs_self_link(json!({"metadata": {"namespace": "nfs"}}));
    let mut facts = Facts::from(dump::assemble(scene(elsewhere), None));
    OLD.clone_into(&mut facts.cluster.version);
    let found = found(&facts);
    assert_eq!(titles(&found), ["NFS301 deployment nfs/p"]);
    assert!(found[0].fix.as_ref().unwrap().automatic, "{found:#?}");
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
                    assert!(super::super::questions(&facts.cluster).is_empty(), "{what}");
                }
            }
        }
    }
}

#[test]
fn changes_that_can_not_be_undone_are_refused() {
    let volume = || Object::cluster_scoped("PersistentVolume", "v");
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
        ("another object", "NFS503", merge(Object::cluster_scoped("ClusterRole", "v"), retain), Some("than can be undone")),
        ("a volume is deleted", "NFS122", Change::Delete(volume()), Some("than can be undone")),
        ("a claim is deleted", "NFS210", Change::Delete(Object::namespaced("PersistentVolumeClaim", "default", "a")),
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
