use super::*;
use crate::cluster::snapshot::Class;

fn claim(name: &str) -> Claim {
    Claim {
        namespace: "default".into(),
        name: name.into(),
        phase: "Pending".into(),
        class: Some("nfs".into()),
        ..Claim::default()
    }
}

fn pod(name: &str, claim: &str) -> Pod {
    Pod {
        namespace: "default".into(),
        name: name.into(),
        claims: vec![claim.into()],
        ..Pod::default()
    }
}

fn facts() -> Facts {
    Facts::from(ClusterSnapshot {
        version: "v1.20.2".into(),
        namespace: Some("default".into()),
        claims: vec![claim("a"), claim("b")],
        pods: vec![pod("p", "a"), pod("q", "b")],
        classes: vec![Class {
            name: "nfs".into(),
            ..Class::default()
        }],
        ..ClusterSnapshot::default()
    })
}

/// A cause of a's, its pod's symptom, a warning, and another pod's symptom.
fn found() -> Vec<Finding> {
    let class = Object::cluster_scoped("StorageClass", "nfs");
    vec![
        Finding::new("NFS118", pod("p", "a").object(), "waits"),
        Finding::new("NFS501", Object::cluster_scoped("PersistentVolume", "v"), "released"),
        Finding::new("NFS201", class, "no provisioner").with_affected([claim("a").object()]),
        Finding::new("NFS118", pod("q", "b").object(), "waits"),
        Finding::new("NFS103", claim("b").object(), "no class"),
    ]
}

fn titles(report: &Report) -> Vec<String> {
    let findings = report.findings.iter();
    findings
        .map(|finding| format!("{} {}", finding.code, finding.object.title()))
        .collect()
}

#[test]
fn a_wrong_image_stands_above_missing_permissions() {
    let deployment = |name: &str| Object::namespaced("Deployment", "default", name);
    let found = vec![
        Finding::new("NFS206", deployment("p"), "may not"),
        Finding::new("NFS206", deployment("q"), "may not"),
        Finding::new("NFS301", deployment("p"), "needs selfLink"),
    ];
    let report = Report::new(&facts(), found, (&[], &[]), &[]);
    assert_eq!(
        titles(&report),
        [
            "NFS206 deployment/q -n default",
            "NFS301 deployment/p -n default",
            "NFS206 deployment/p -n default"
        ]
    );
}

#[test]
fn causes_stand_above_symptoms_and_errors_above_warnings() {
    let report = Report::new(&facts(), found(), (&[], &[]), &[]);
    assert_eq!(
        titles(&report),
        [
            "NFS201 storageclass/nfs",
            "NFS103 pvc/b -n default",
            "NFS501 pv/v",
            "NFS118 pod/p -n default",
            "NFS118 pod/q -n default",
        ]
    );
    let affected: Vec<_> = report.findings[0].affected.iter().map(Object::title).collect();
    assert_eq!(
        affected,
        ["pvc/a -n default", "pod/p -n default"],
        "the pod stands under its claim's cause"
    );
}

#[test]
fn a_report_on_one_object_has_only_related_findings() {
    for (target, wanted) in [
        (claim("b").object(), vec!["NFS103 pvc/b -n default"]),
        (
            pod("p", "a").object(),
            vec!["NFS201 storageclass/nfs", "NFS118 pod/p -n default"],
        ),
        (Object::cluster_scoped("PersistentVolume", "v"), vec!["NFS501 pv/v"]),
    ] {
        let found = found().into_iter().filter(|finding| {
            // b's class concerns b too; here it is out of the way.
            finding.code != "NFS201" || target.name != "b"
        });
        let report = Report::new(&facts(), found.collect(), (&[], &[]), std::slice::from_ref(&target));
        assert_eq!(titles(&report), wanted, "{}", target.title());
    }
}

#[test]
fn codes_left_out_by_an_option_are_distinguished_from_unread_ones() {
    let mut facts = facts();
    facts.cluster.record_unread(entry::EXPORTS, "--no-probe");
    facts.cluster.record_unread("csidrivers", "forbidden");
    let selected = ["NFS103", "NFS211", "NFS403", "NFS501"];
    let report = Report::new(&facts, found(), (&selected, &["NFS501"]), &[]);
    assert!(report.findings.iter().all(|finding| finding.code == "NFS103"));
    assert_eq!(report.checked, ["NFS103"]);
    let skipped = |code| report.skipped.iter().find(|skipped| skipped.code == code).unwrap();
    let reason = |code| (skipped(code).reason.as_str(), skipped(code).on_request);
    assert_eq!(reason("NFS101"), ("--select", true));
    assert_eq!(reason("NFS501"), ("--ignore", true));
    assert_eq!(reason("NFS403"), ("--no-probe", true));
    assert_eq!(reason("NFS211"), ("csidrivers could not be read: forbidden", false));
    // Without a host of --ssh nothing is said of what only hosts show.
    assert!(report.skipped.iter().all(|skipped| skipped.code != "NFS421"));
    assert_eq!(report.checked.len() + report.skipped.len(), CATALOGUE.len() - 1);
}
