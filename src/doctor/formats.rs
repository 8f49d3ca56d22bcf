//! A report as text for terminals, as Markdown, JSON, JUnit and SARIF (PURE).

mod markdown;

use std::collections::HashSet;
use std::fmt::Write;

use serde_json::{Value, json};

use super::explain::{self, CATALOGUE};
use super::report::Report;

use super::{Confidence, Finding, Object, Severity};
use crate::escape::{self, is_hidden, plain};
use crate::versioned::Versioned;
pub use markdown::markdown;

/// How many objects that a cause explains are named.
const NAMED: usize = 6;

/// The narrowest text that is still wrapped.
const NARROWEST: usize = 40;

/// A report for people, as wide as their terminal.
pub fn text(report: &Report, width: usize, colour: bool) -> String {
    let page = TextReport {
        width: width.max(NARROWEST),
        colour,
    };
    let mut out = String::new();
    let about = &report.cluster;
    if !about.version.is_empty() {
        let line = format!("{} {}; {}", about.distribution, about.version, report.scope);
        out += &page.wrapped(&line, "", "");
    }
    for finding in shown(report) {
        out.push('\n');
        out += &page.finding(finding);
    }
    out.push('\n');
    out += &page.summary(report);
    out
}

/// The findings for people: without the version, and without symptoms whose causes are there.
fn shown(report: &Report) -> impl Iterator<Item = &Finding> {
    let explained: HashSet<&Object> = report.findings.iter().flat_map(|finding| &finding.explains).collect();
    let is_symptom = |finding: &Finding| explain::find(finding.code).is_some_and(|entry| entry.symptom);
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.retain(|one| one.code != "NFS003" && !(is_symptom(one) && explained.contains(&one.object)));
    findings.into_iter()
}

/// Text of a given width.
struct TextReport {
    width: usize,
    colour: bool,
}

impl TextReport {
    fn finding(&self, finding: &Finding) -> String {
        let (word, colour) = severity(finding.severity);
        let head = format!("{word} {}", finding.code);
        let mut out = format!(
            "{}  {}\n",
            self.painted(&head, colour),
            self.painted(&finding.object.title(), "1")
        );
        let doubt = match finding.confidence {
            Confidence::Certain => "",
            Confidence::Likely => " (likely)",
            Confidence::Possible => " (possibly)",
        };
        out += &self.wrapped(&format!("{}{doubt}", capital(&finding.cause)), "  ", "  ");
        for evidence in &finding.evidence {
            out += &self.wrapped(&format!("{}: {}", evidence.source, evidence.text), "  - ", "    ");
        }
        if !finding.explains.is_empty() {
            out += &self.wrapped(&format!("Affects: {}", list(&finding.explains)), "  ", "    ");
        }
        if let Some(fix) = &finding.fix {
            if let Some(command) = &fix.command {
                out += "  Fix:\n";
                for line in command_lines(command).iter().flat_map(|line| line.lines()) {
                    _ = writeln!(out, "{}", self.painted(&format!("    {line}"), "36"));
                }
            }
            let lead = if fix.command.is_some() { "    " } else { "  Fix: " };
            if !fix.note.is_empty() {
                let note = if fix.command.is_some() {
                    format!("({})", fix.note)
                } else {
                    fix.note.clone()
                };
                out += &self.wrapped(&note, lead, "    ");
            }
        }
        out + &self.painted(&format!("  More: nfsprov doctor explain {}", finding.code), "2") + "\n"
    }

    fn summary(&self, report: &Report) -> String {
        let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
        let many = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        let verdict = match (errors, warnings) {
            (0, 0) => self.painted("no problems found", "32"),
            (0, _) => self.painted(&many(warnings, "warning"), "33"),
            (_, 0) => self.painted(&many(errors, "error"), "31"),
            _ => self.painted(
                &format!("{}, {}", many(errors, "error"), many(warnings, "warning")),
                "31",
            ),
        };
        let mut out = format!("{} run, {verdict}.\n", many(report.checked.len(), "check"));
        let fixes = fixes(report);
        if !fixes.is_empty() {
            out += &self.wrapped(&fixes, "", "  ");
        }
        for (reason, codes) in skipped(report) {
            out += &self.wrapped(&format!("Not checked: {} ({reason})", codes.join(", ")), "", "  ");
        }
        out
    }

    /// All text passes this function or the next; both escape what a terminal would act on.
    fn painted(&self, text: &str, colour: &str) -> String {
        let text = plain(text);
        match self.colour {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text,
        }
    }

    /// Lines of whole words; a word that is longer than a line stands alone.
    fn wrapped(&self, text: &str, first: &str, rest: &str) -> String {
        let mut out = String::new();
        let mut line = first.to_owned();
        let mut begun = false;
        for word in text.split_whitespace().map(plain) {
            let length = line.chars().count() + word.chars().count() + usize::from(begun);
            if begun && length > self.width {
                out += &line;
                out.push('\n');
                rest.clone_into(&mut line);
                begun = false;
            }
            if begun {
                line.push(' ');
            }
            line += &word;
            begun = true;
        }
        out + &line + "\n"
    }
}

/// How many findings `--fix` can fix; empty if there is nothing to fix.
fn fixes(report: &Report) -> String {
    let is_automatic = |finding: &&Finding| finding.fix.as_ref().is_some_and(|fix| fix.automatic);
    let problems = report.count(Severity::Error) + report.count(Severity::Warning);
    match report.findings.iter().filter(is_automatic).count() {
        0 if problems == 0 => String::new(),
        0 => "No automatic fix available.".to_owned(),
        count => format!("nfsprov doctor --fix can fix {count} of them; it asks before each change."),
    }
}

/// The checks that did not run, by reason: one object that can't be read leaves out many.
fn skipped(report: &Report) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for skipped in &report.skipped {
        match reasons.iter_mut().find(|(reason, _)| *reason == skipped.reason) {
            Some((_, codes)) => codes.push(skipped.code),
            None => reasons.push((&skipped.reason, vec![skipped.code])),
        }
    }
    reasons
}

/// A command line, broken only where a shell reads on: it can be pasted as it stands.
fn command_lines(command: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut quoted = false;
    let mut rest = command;
    while let Some(c) = rest.chars().next() {
        let sign = [" | ", " && "]
            .into_iter()
            .find(|sign| !quoted && rest.starts_with(sign));
        match (sign, lines.last_mut()) {
            (Some(sign), Some(line)) => {
                *line += sign.trim_end();
                lines.push("  ".to_owned());
                rest = &rest[sign.len()..];
            }
            (_, Some(line)) => {
                quoted ^= c == '\'';
                line.push(c);
                rest = &rest[c.len_utf8()..];
            }
            (_, None) => break,
        }
    }
    lines
}

fn severity(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Error => ("ERROR", "1;31"),
        Severity::Warning => ("WARNING", "1;33"),
        Severity::Info => ("INFO", "1;34"),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    // A name at the beginning is spelled as it is.
    match letters.next() {
        Some(first) if text.starts_with("the ") || text.starts_with("it ") || text.starts_with("a ") => {
            first.to_uppercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

fn list(objects: &[Object]) -> String {
    let names: Vec<_> = objects.iter().take(NAMED).map(Object::title).collect();
    match objects.len().checked_sub(NAMED) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names.join(", ")),
    }
}

/// The long explanation of a code.
pub fn entry(entry: &explain::Entry, width: usize) -> String {
    let page = TextReport {
        width: width.max(NARROWEST),
        colour: false,
    };
    let (word, _) = severity(entry.severity);
    let head = format!("{} ({}): {}\n\n", entry.code, word.to_lowercase(), entry.title);
    // Lines to be pasted, which are indented, are left as they are.
    let lines = entry
        .text
        .lines()
        .map(|line| match line.starts_with(' ') || line.is_empty() {
            true => format!("{line}\n"),
            false => page.wrapped(line, "", ""),
        });
    head + &lines.collect::<String>()
}

/// The JSON object that scripts read.
///
/// # Errors
/// Never, as far as the library's own writer goes.
pub fn json(report: &Report) -> serde_json::Result<String> {
    Ok(escape::json(&serde_json::to_string_pretty(&Versioned::new("Report", report))?) + "\n")
}

/// A JUnit suite: a case a code, failed by errors and, if they count, warnings.
pub fn junit(report: &Report, fails: impl Fn(&Finding) -> bool) -> String {
    let failed: Vec<_> = report.findings.iter().filter(|finding| fails(finding)).collect();
    let mut cases = String::new();
    let mut tests = 0;
    let mut failures = 0;
    for code in &report.checked {
        let title = explain::find(code).map_or("", |entry| entry.title);
        let of_code: Vec<_> = failed.iter().filter(|finding| finding.code == *code).collect();
        let name = xml(&format!("{code} {title}"));
        tests += 1;
        if of_code.is_empty() {
            _ = writeln!(cases, "    <testcase classname=\"nfsprov.doctor\" name=\"{name}\"/>");
            continue;
        }
        failures += 1;
        _ = writeln!(cases, "    <testcase classname=\"nfsprov.doctor\" name=\"{name}\">");
        // A case has one failure; what else there is of the code stands in its text.
        let lines: Vec<_> = of_code.iter().map(|finding| long(finding)).collect();
        let first = of_code.first().map(|finding| short(finding)).unwrap_or_default();
        _ = writeln!(
            cases,
            "      <failure message=\"{}\">{}</failure>",
            xml(&first),
            xml(&lines.join("\n"))
        );
        cases += "    </testcase>\n";
    }
    for skipped in &report.skipped {
        tests += 1;
        let title = explain::find(skipped.code).map_or("", |entry| entry.title);
        let name = xml(&format!("{} {title}", skipped.code));
        _ = writeln!(
            cases,
            "    <testcase classname=\"nfsprov.doctor\" name=\"{name}\">\n      <skipped message=\"{}\"/>\n    </testcase>",
            xml(&skipped.reason)
        );
    }
    let counts = format!(
        "tests=\"{tests}\" failures=\"{failures}\" skipped=\"{}\"",
        report.skipped.len()
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"nfsprov doctor\" {counts}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

fn short(finding: &Finding) -> String {
    format!("{}: {}", finding.object.title(), finding.cause)
}

fn long(finding: &Finding) -> String {
    let mut lines = vec![short(finding)];
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

fn xml(text: &str) -> String {
    // What XML 1.0 can't hold is left out; logs may have it.
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

/// A SARIF 2.1.0 log: a rule a code, a result a finding.
///
/// # Errors
/// Never, as far as the library's own writer goes.
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
            "level": level(finding.severity), "message": {"text": long(finding)},
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
    Ok(escape::json(&serde_json::to_string_pretty(&log)?) + "\n")
}

#[cfg(test)]
#[path = "formats_tests.rs"]
mod tests;
