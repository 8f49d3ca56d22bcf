use serde_json::{Value, json};

use super::ci::escape_xml;
use super::*;
use crate::doctor::Fix;
use crate::doctor::report::{About, Skipped};

fn report() -> Report {
    let claim = Object::namespaced("PersistentVolumeClaim", "default", "a");
    let pod = Object::namespaced("Pod", "default", "p");
    let command = "kubectl get pvc a -o json | kubectl patch --local -f - -p '{\"spec\":{\"storageClassName\":\"silver\"}}' -o json";
    let fix = Fix {
        automatic: true,
        ..Fix::of_command(command, "takes silver")
    };
    let cause = Finding::new("NFS122", claim, "the claim's class <gold> doesn't exist & never did")
        .with_evidence(
            "event ProvisioningFailed on pvc default/a",
            "storageclass.storage.k8s.io \"gold\" not found",
        )
        .with_fix(fix)
        .with_affected([pod.clone()]);
    Report {
        findings: vec![cause, Finding::new("NFS118", pod, "the pod waits")],
        checked: vec!["NFS122", "NFS118"],
        skipped: vec![Skipped {
            code: "NFS211",
            reason: "csidrivers could not be read: forbidden".into(),
            on_request: false,
        }],
        cluster: About {
            version: "v1.20.2".into(),
            distribution: "K3s".into(),
        },
        scope: "1 claim".into(),
    }
}

#[test]
fn text_is_wrapped_but_for_commands() {
    for width in [80, 140] {
        let text = text(&report(), width, false);
        for line in text.lines().filter(|line| !line.contains("kubectl")) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(
            text.contains("\n    kubectl get pvc a -o json |\n      kubectl patch --local"),
            "{text}"
        );
        // The pod stands under the cause, and nowhere else.
        assert_eq!(text.matches("pod/p -n default").count(), 1, "{text}");
        assert!(text.contains("Not checked: NFS211"), "{text}");
        assert!(!text.contains('\x1b'));
    }
    assert!(super::text(&report(), 80, true).contains("\x1b[1;31mERROR NFS122\x1b[0m"));
}

#[test]
fn commands_are_broken_where_a_shell_reads_on() {
    for (command, lines) in [
        ("a b", "a b"),
        ("a | b && c", "a |\n  b &&\n  c"),
        ("a 'x | y' | b", "a 'x | y' |\n  b"),
        (r"a 'it'\''s | é' | b", "a 'it'\\''s | é' |\n  b"),
    ] {
        assert_eq!(break_command(command), lines);
    }
}

#[test]
fn a_report_without_problems_says_how_many_checks_ran() {
    let mut report = report();
    report.findings.clear();
    let text = text(&report, 80, false);
    assert_eq!(
        text,
        "K3s v1.20.2; 1 claim\n\n2 checks run, no problems found.\n\
         Not checked: NFS211 (csidrivers could not be read: forbidden)\n"
    );
}

#[test]
fn json_has_the_fixed_shape() {
    let value: Value = serde_json::from_str(&json(&report()).unwrap()).unwrap();
    assert_eq!(
        value["findings"][0],
        json!({
            "code": "NFS122", "severity": "error",
            "object": {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "a"},
            "cause": "the claim's class <gold> doesn't exist & never did",
            "evidence": [{"source": "event ProvisioningFailed on pvc default/a", "text": "storageclass.storage.k8s.io \"gold\" not found"}],
            "confidence": "certain",
            "fix": {"command": report().findings[0].fix.clone().unwrap().command, "automatic": true, "note": "takes silver"},
            "explains": [{"kind": "Pod", "namespace": "default", "name": "p"}],
        })
    );
    let keys: Vec<_> = value.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["apiVersion", "checked", "cluster", "findings", "kind", "skipped"]
    );
    assert_eq!(value["cluster"], json!({"version": "v1.20.2", "distribution": "K3s"}));
    assert_eq!(value["skipped"][0]["code"], "NFS211");
}

#[test]
fn junit_fails_for_the_findings_that_count() {
    let junit = super::junit(&report(), |finding| finding.severity == Severity::Error);
    assert!(junit.contains("tests=\"3\" failures=\"1\" skipped=\"1\""), "{junit}");
    assert!(junit.contains("&lt;gold&gt; doesn't exist &amp; never did"), "{junit}");
    // A check that could not read all still fails by what it found.
    let mut partly_read = report();
    let pod = Object::namespaced("Pod", "default", "web");
    partly_read
        .findings
        .push(Finding::new("NFS211", pod, "the driver is missing"));
    let junit = super::junit(&partly_read, |finding| finding.severity == Severity::Error);
    assert!(junit.contains("tests=\"3\" failures=\"2\" skipped=\"0\""), "{junit}");
    assert_eq!(escape_xml("a\u{1}\u{1b}[0m\tb"), "a[0m\tb");
}

#[test]
fn markdown_escapes_every_text() {
    let hostile = "x\n# y ``` `z` <img> | [a](b)";
    let finding = Finding::new(
        "NFS103",
        Object::namespaced("PersistentVolumeClaim", "default", "a"),
        hostile,
    )
    .with_evidence("event", hostile)
    .with_command(format!("echo '{hostile}'"), hostile);
    let mut report = report();
    report.findings = vec![finding];
    let text = markdown(&report);
    assert!(
        text.starts_with("## nfsprov doctor: K3s v1.20.2\n\n1 claim; 2 checks run.\n"),
        "{text}"
    );
    assert!(text.contains("\n### ERROR NFS103: ` pvc/a -n default `\n"), "{text}");
    assert!(
        text.contains("\nFix:\n\n````sh\necho 'x\n# y ``` `z` <img> | [a](b)'\n````\n"),
        "{text}"
    );
    assert_eq!(
        text.matches("\\# y \\`\\`\\` \\`z\\` \\<img\\> \\| \\[a\\](b)").count(),
        2,
        "{text}"
    );
    assert!(
        text.contains("- event: ```` x # y ``` `z` <img> | [a](b) ````\n"),
        "{text}"
    );
}

#[test]
fn sarif_points_to_rules() {
    let log: Value = serde_json::from_str(&sarif(&report()).unwrap()).unwrap();
    let run = &log["runs"][0];
    let result = &run["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "NFS122");
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
    assert_eq!(place, "PersistentVolumeClaim/default/a");
}

#[test]
fn every_format_escapes_control_characters() {
    // Clears the screen, writes to the clipboard, turns the text around; in each place that others fill.
    let hostile = "x\x1b[2J\x1b]52;c;eA==\x07\u{9b}31m\u{202e}\x7f\ry";
    let object = || Object::namespaced("PersistentVolumeClaim", hostile, hostile);
    let finding = Finding::new("NFS103", object(), hostile)
        .with_evidence(hostile, hostile)
        .with_command(format!("echo '{hostile}' &&\nls"), hostile)
        .with_affected([object()]);
    let by_hand = Finding::new("NFS118", object(), hostile).with_advice(hostile);
    let mut hostile_report = Report {
        findings: vec![finding, by_hand],
        scope: hostile.to_owned(),
        ..report()
    };
    hostile_report.skipped[0].reason = hostile.to_owned();
    hostile_report.cluster.version = hostile.to_owned();
    let plain_text = text(&hostile_report, 80, false);
    let coloured = text(&hostile_report, 80, true);
    let own = ["0", "1", "2", "36", "31", "1;31", "1;34"].map(|code| format!("\x1b[{code}m"));
    let without_own = own.iter().fold(coloured, |text, code| text.replace(code, ""));
    for shown in [
        &plain_text,
        &without_own,
        &markdown(&hostile_report),
        &json(&hostile_report).unwrap(),
        &sarif(&hostile_report).unwrap(),
        &super::junit(&hostile_report, |_| true),
    ] {
        let acted_on = shown.chars().find(|c| escape::is_hidden(*c) && *c != '\n');
        assert_eq!(acted_on, None, "{shown}");
    }
    assert!(
        plain_text.contains(r"x\u{1b}[2J") && plain_text.contains("&&\n    ls\n"),
        "{plain_text}"
    );
    let read: Value = serde_json::from_str(&json(&hostile_report).unwrap()).unwrap();
    assert_eq!(
        read["findings"][0]["cause"], hostile,
        "JSON says the same to those who read it"
    );
}
