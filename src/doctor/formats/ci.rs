//! A report for CI: JUnit and SARIF (PURE).

use std::fmt::Write;

use serde_json::{Value, json};

use crate::doctor::explain::{self, CATALOGUE};
use crate::doctor::report::Report;
use crate::doctor::{Finding, Severity};
use crate::escape::{self, is_hidden};

/// A JUnit suite: a test case for each code that was checked or skipped. A case fails if `fails` is true for a finding
/// of its code, also for a skipped code: its check may have found something in what was read.
pub fn junit(report: &Report, fails: impl Fn(&Finding) -> bool) -> String {
    let case = |code: &str, result: Option<String>| {
        let title = explain::find_entry(code).map_or("", |entry| entry.title);
        let start = format!(
            "    <testcase classname=\"nfsprov.doctor\" name=\"{}\"",
            escape_xml(&format!("{code} {title}"))
        );
        match result {
            Some(result) => format!("{start}>\n      {result}\n    </testcase>\n"),
            None => format!("{start}/>\n"),
        }
    };
    let failed: Vec<_> = report.findings.iter().filter(|finding| fails(finding)).collect();
    let (mut failures, mut skipped) = (0, 0);
    let mut cases = String::new();
    let checked = report.checked.iter().map(|&code| (code, None));
    let unchecked = report
        .skipped
        .iter()
        .map(|skipped| (skipped.code, Some(&skipped.reason)));
    for (code, reason) in checked.chain(unchecked) {
        let of_code: Vec<_> = failed.iter().filter(|finding| finding.code == code).collect();
        // A case has one failure; the other findings of the code stand in its text.
        let failure = of_code.first().map(|first| {
            let lines: Vec<_> = of_code.iter().map(|finding| long_text(finding)).collect();
            let (message, text) = (escape_xml(&short_text(first)), escape_xml(&lines.join("\n")));
            format!("<failure message=\"{message}\">{text}</failure>")
        });
        let skip = reason.filter(|_| failure.is_none());
        let skip = skip.map(|reason| format!("<skipped message=\"{}\"/>", escape_xml(reason)));
        failures += usize::from(failure.is_some());
        skipped += usize::from(skip.is_some());
        cases += &case(code, failure.or(skip));
    }
    let tests = report.checked.len() + report.skipped.len();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"nfsprov doctor\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\">\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

/// The finding's object and cause in a line.
fn short_text(finding: &Finding) -> String {
    format!("{}: {}", finding.object.title(), finding.cause)
}

/// The finding with its evidence and fix, a line each.
fn long_text(finding: &Finding) -> String {
    let mut lines = vec![short_text(finding)];
    lines.extend(
        finding
            .evidence
            .iter()
            .map(|evidence| format!("- {}: {}", evidence.source, evidence.text)),
    );
    if let Some(fix) = &finding.fix {
        lines.extend(fix.command.iter().map(|command| format!("fix: {command}")));
        lines.push(fix.note.clone());
    }
    lines.join("\n")
}

/// Escapes a text for XML elements and attributes in double quotes; characters that XML 1.0 can't hold, which logs may
/// have, are dropped, invisible ones become references.
pub(super) fn escape_xml(text: &str) -> String {
    let holds = |c: &char| matches!(c, '\n' | '\t' | '\r') || (*c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    let mut out = String::new();
    for c in text.chars().filter(holds) {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // A terminal shows XML too. Readers of XML see the character itself.
            c if is_hidden(c) && !matches!(c, '\n' | '\t') => _ = write!(out, "&#x{:x};", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

/// A SARIF 2.1.0 log: a rule for each code, a result for each finding, a notification for each check that was skipped.
///
/// # Errors
/// None in practice: serde_json writes any `Value`.
pub fn sarif(report: &Report) -> serde_json::Result<String> {
    let level = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let rules: Vec<Value> = CATALOGUE
        .iter()
        .map(|entry| {
            json!({
                "id": entry.code, "name": entry.code, "shortDescription": {"text": entry.title},
                "fullDescription": {"text": entry.text}, "defaultConfiguration": {"level": level(entry.severity)},
            })
        })
        .collect();
    let result = |finding: &Finding| {
        let object = &finding.object;
        let full = match &object.namespace {
            Some(namespace) => format!("{}/{namespace}/{}", object.kind, object.name),
            None => format!("{}/{}", object.kind, object.name),
        };
        json!({
            "ruleId": finding.code,
            "ruleIndex": CATALOGUE.iter().position(|entry| entry.code == finding.code),
            "level": level(finding.severity), "message": {"text": long_text(finding)},
            "locations": [{"logicalLocations": [{"name": object.name, "fullyQualifiedName": full, "kind": "resource"}]}],
            "partialFingerprints": {"object/v1": format!("{}:{full}", finding.code)},
        })
    };
    let notifications: Vec<Value> = report
        .skipped
        .iter()
        .map(|skipped| {
            json!({
                "level": "warning", "message": {"text": format!("not checked: {}", skipped.reason)},
                "associatedRule": {"id": skipped.code},
            })
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "nfsprov", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications}],
            "results": report.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    });
    Ok(escape::escape_json(&serde_json::to_string_pretty(&log)?) + "\n")
}
