//! NFS403 and NFS404, as NFS calls from here tell.

use std::collections::BTreeMap;

use serde_json::json;

use super::provisioners::{GOOD, NAME, scene};
use super::*;
use crate::doctor::facts::{Probe, ProbeResult};
use crate::doctor::servers;

const EXPORT: (&str, &str) = ("10.77.0.10", "/nfsdata");

/// The facts of these objects, and of an NFS call from this machine.
fn answered(objects: Vec<Value>, result: ProbeResult) -> Facts {
    let mut facts = facts(OLD, objects);
    let (server, path) = (EXPORT.0.to_owned(), EXPORT.1.to_owned());
    facts.probes.push(Probe { server, path, result });
    facts
}

const WAITS: &str = "Unable to attach or mount volumes: unmounted volumes=[data]";

#[test]
fn probe_results_are_reported_only_if_they_hold_for_every_client() {
    let volume = || vec![volume("v", json!({}))];
    let refused = || ProbeResult::Refused("connection refused".to_owned());
    let no_answer = || ProbeResult::NoAnswer("no answer within 3 s".to_owned());
    let waits = |result: ProbeResult| answered(mounting(Some(WAITS)), result);
    let timed_out = || mounting(Some("mount.nfs: Connection timed out"));
    let pending = || scene(provisioner("p", GOOD, NAME));
    hold! { OLD,
        "fine": answered(volume(), ProbeResult::Fine) => [];
        "missing": answered(volume(), ProbeResult::Missing) => ["NFS403 pv v"];
        "of no PV any more": answered(vec![], ProbeResult::Missing) => [];
        // A machine that is no node.
        "not for us": waits(ProbeResult::Unknown("access denied".to_owned())) =>
            ["NFS410 pod default/p", "NFS413 pv v"];
        "no claim is pending": answered(mounting(None), refused()) => [];
        "no claim is pending, no answer": answered(mounting(None), no_answer()) => [];
        "a pod waits": waits(refused()) =>
            ["NFS404 pv v" says "Likely" "affects pod default/p", "NFS410 pod default/p"];
        "a pod waits, and this machine may be outside the storage network": waits(no_answer()) => ["NFS404 pv v as warning"
            says "Possible" "!affects pod", "NFS410 pod default/p", "NFS413 pv v"];
        "a pod waits for what is missing": waits(ProbeResult::Missing) =>
            ["NFS403 pv v" says "Certain" "affects pod default/p", "NFS410 pod default/p"];
        "the kubelet has told": answered(timed_out(), refused()) => ["NFS404 pv v"];
        "a claim waits": answered(pending(), refused()) => ["NFS404 deployment default/p"];
        "its export": answered(pending(), ProbeResult::Missing) => ["NFS403 deployment default/p"];
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
    let of_driver = |driver: &str| {
        let attributes = json!({"server": "10.77.0.10", "share": "/nfsdata"});
        let csi = json!({"driver": driver, "volumeHandle": "h", "volumeAttributes": attributes});
        volume("v", json!({"spec": {"nfs": null, "csi": csi}}))
    };
    for (what, objects, wanted) in rows! {
        ("a provisioner's", all([vec![class("managed", NAME)], provisioner("p", GOOD, NAME)]), 1),
        ("a class of csi-driver-nfs", vec![with(class("c", "nfs.csi.k8s.io"), json!({"parameters":
            {"server": "10.77.0.10", "share": "/nfsdata"}}))], 1),
        ("a PV of csi-driver-nfs", vec![of_driver("nfs.csi.k8s.io")], 1),
        ("a PV of another NFS driver", vec![of_driver("org.democratic-csi.nfs")], 1),
        ("a PV of a driver for other storage", vec![of_driver("smb.csi.k8s.io")], 0),
        ("what only looks like one", provisioner("p", GOOD, NAME), 0),
        ("what a provisioner made", vec![dynamic], 0),
        ("few", many(5), 5),
        ("many", many(100), 0),
        ("many, and one is waited for", all([many(100), mounting(Some(WAITS))]), 1),
        ("a volume that goes", vec![volume("v", json!({"status": {"phase": "Released"}}))], 0),
    } {
        assert_eq!(
            servers::exports_to_probe(&facts(OLD, objects).cluster).len(),
            wanted,
            "{what}"
        );
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
        let export = facts.cluster.volumes[0].provisioner_export();
        assert_eq!(export, wanted.map(|path| ("nfs", path)), "{path} {directory:?} {by:?}");
        let is_asked =
            |path: &str| servers::exports_to_probe(&facts.cluster).contains(&("nfs".to_owned(), path.to_owned()));
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
            servers::named_exports(&facts.cluster).is_empty() && servers::exports_to_probe(&facts.cluster).is_empty(),
            "{server}:{path}"
        );
        let told = servers::describe_invalid_exports(&facts.cluster);
        assert!(told.len() == 1 && told[0].contains("pv/v names"), "{told:?}");
    }
    let valid = naming("nfs.example.com", "/a b");
    assert!(
        servers::named_exports(&valid.cluster).len() == 1
            && servers::describe_invalid_exports(&valid.cluster).is_empty()
    );
}
