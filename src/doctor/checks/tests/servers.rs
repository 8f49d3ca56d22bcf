//! NFS403 and NFS404, as NFS calls from here tell.

use std::collections::BTreeMap;

use serde_json::json;

use super::provisioners::{GOOD, NAME, scene};
use super::*;
use crate::doctor::facts::{Probe, ProbeResult};
use crate::doctor::{Confidence, Severity, servers};

const EXPORT: (&str, &str) = ("10.77.0.10", "/nfsdata");

fn refused() -> ProbeResult {
    ProbeResult::Refused("connection refused".to_owned())
}

fn no_answer() -> ProbeResult {
    ProbeResult::NoAnswer("no answer within 3 s".to_owned())
}

fn answered(objects: Vec<Value>, result: ProbeResult) -> Vec<String> {
    let mut facts = facts(OLD, objects);
    facts.probes.push(Probe {
        server: EXPORT.0.to_owned(),
        path: EXPORT.1.to_owned(),
        result,
    });
    titles(&found(&facts))
}

const WAITS: &str = "Unable to attach or mount volumes: unmounted volumes=[data]";

#[test]
fn probe_results_are_reported_only_if_they_hold_for_every_client() {
    let timed_out = "mount.nfs: Connection timed out";
    for (what, objects, result, wanted) in rows! {
        ("fine", vec![volume("v", json!({}))], ProbeResult::Fine, &[][..]),
        ("missing", vec![volume("v", json!({}))], ProbeResult::Missing, &["NFS403 pv v"]),
        ("of no PV any more", vec![], ProbeResult::Missing, &[]),
        // A machine that is no node.
        ("not for us", mounting(Some(WAITS)), ProbeResult::Unknown("access denied".to_owned()), &["NFS410 pod default/p",
            "NFS413 pv v"]),
        ("no claim is pending", mounting(None), refused(), &[]),
        ("no claim is pending, no answer", mounting(None), no_answer(), &[]),
        ("a pod waits", mounting(Some(WAITS)), refused(), &["NFS404 pv v", "NFS410 pod default/p"]),
        ("a pod waits, and this machine may be outside the storage network", mounting(Some(WAITS)), no_answer(),
            &["NFS404 pv v", "NFS410 pod default/p", "NFS413 pv v"]),
        ("the kubelet has told", mounting(Some(timed_out)), refused(), &["NFS404 pv v"]),
        ("a claim waits", scene(provisioner("p", GOOD, NAME)), refused(), &["NFS404 deployment default/p"]),
        ("its export", scene(provisioner("p", GOOD, NAME)), ProbeResult::Missing, &["NFS403 deployment default/p"]),
    } {
        assert_eq!(answered(objects, result), wanted, "{what}");
    }
    let mut facts = facts(OLD, mounting(Some(WAITS)));
    let probe = |result| Probe {
        server: EXPORT.0.to_owned(),
        path: EXPORT.1.to_owned(),
        result,
    };
    for (result, confidence, severity) in [
        (refused(), Confidence::Likely, Severity::Error),
        (no_answer(), Confidence::Possible, Severity::Warning),
        (ProbeResult::Missing, Confidence::Certain, Severity::Error),
    ] {
        facts.probes = vec![probe(result)];
        let found = found(&facts);
        let finding = found.iter().find(|finding| finding.code != "NFS410").unwrap();
        assert_eq!((finding.confidence, finding.severity), (confidence, severity));
        let explains_pod = finding.explains.iter().any(|object| object.name == "p");
        assert_eq!(explains_pod, severity == Severity::Error, "{finding:?}");
    }
}

#[test]
fn many_exports_are_probed_only_if_claims_or_pods_wait_for_them() {
    let made = json!({"pv.kubernetes.io/provisioned-by": NAME});
    let many = |count: usize| -> Vec<Value> {
        let each = (0..count).map(|number| {
            let place = json!({"spec": {"nfs": {"path": format!("/nfsdata/{number}")}}});
            volume(&format!("v-{number}"), place)
        });
        each.collect()
    };
    let dynamic = with(
        volume("d", json!({"status": {"phase": "Bound"}})),
        json!({"metadata": {"annotations": made}}),
    );
    for (what, objects, wanted) in rows! {
        ("a provisioner's", all([vec![class("managed", NAME)], provisioner("p", GOOD, NAME)]), 1),
        ("what only looks like one", provisioner("p", GOOD, NAME), 0),
        ("what a provisioner made", vec![dynamic], 0),
        ("few", many(5), 5),
        ("many", many(100), 0),
        ("many, and one is waited for", all([many(100), mounting(Some(WAITS))]), 1),
        ("a volume that goes", vec![volume("v", json!({"status": {"phase": "Released"}}))], 0),
    } {
        assert_eq!(servers::exports_to_probe(&facts(OLD, objects)).len(), wanted, "{what}");
    }
}

#[test]
fn the_export_of_an_outside_provisioner_is_derived_from_its_directories() {
    let pattern = "team/data";
    for (path, directory, by, wanted) in [
        ("/nfsdata/ns-a-pvc-1", None, Some(NAME), Some("/nfsdata")),
        ("/ns-a-pvc-1", None, Some(NAME), Some("/")),
        ("/nfsdata/team/data", Some(pattern), Some(NAME), Some("/nfsdata")),
        ("/team/data", Some(pattern), Some(NAME), Some("/")),
        // Its name says nothing, or what it says is not so.
        ("/nfsdata/team/data", None, Some(NAME), None),
        ("/nfsdata/a-team/data", Some(pattern), Some(NAME), None),
        ("/nfsdata/ns-a-pvc-2", None, Some(NAME), None),
        ("/nfsdata/ns-a-pvc-1", None, None, None),
    ] {
        let annotations: BTreeMap<&str, &str> = [
            ("pv.kubernetes.io/provisioned-by", by),
            ("nfsprov/directory", directory),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
        let made = volume(
            "pvc-1",
            json!({"metadata": {"annotations": annotations}, "spec": {"nfs": {"server": "nfs", "path": path}}}),
        );
        let facts = facts(NEW, vec![made]);
        let export = facts.volumes[0].provisioner_export();
        assert_eq!(export, wanted.map(|path| ("nfs", path)), "{path} {directory:?} {by:?}");
        let is_asked = |path: &str| servers::exports_to_probe(&facts).contains(&("nfs".to_owned(), path.to_owned()));
        assert!(wanted.is_none_or(is_asked), "{path}");
    }
}

#[test]
fn invalid_servers_and_paths_are_not_probed() {
    let naming = |server: &str, path: &str| {
        let nfs = json!({"spec": {"nfs": {"server": server, "path": path}}});
        facts(OLD, vec![volume("v", nfs)])
    };
    for (server, path) in [
        ("/*", "/nfsdata"),
        ("a b", "/nfsdata"),
        ("-x", "/nfsdata"),
        ("nfs/2049", "/nfsdata"),
        ("$(id)", "/nfsdata"),
        ("nfs", "nfsdata"),
        ("nfs", "/a/../root"),
        ("nfs", "/a\nb"),
    ] {
        let facts = naming(server, path);
        assert!(
            servers::named_exports(&facts).is_empty() && servers::exports_to_probe(&facts).is_empty(),
            "{server}:{path}"
        );
        let told = servers::describe_invalid_exports(&facts);
        assert!(told.len() == 1 && told[0].contains("pv/v names"), "{told:?}");
    }
    let valid = naming("nfs.example.com", "/a b");
    assert!(servers::named_exports(&valid).len() == 1 && servers::describe_invalid_exports(&valid).is_empty());
}
