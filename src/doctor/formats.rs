//! A report as text for terminals, as Markdown, JSON, JUnit and SARIF (PURE). Each form escapes what tenants of the
//! cluster wrote.

mod ci;
mod markdown;

use std::collections::HashSet;
use std::fmt::Write;

use super::entry;
use super::names::{count_of, list_titles};
use super::report::Report;
use super::{Confidence, Finding, Object, Severity};
use crate::escape::{self, escape_line};
use crate::versioned::Versioned;
pub use ci::{junit, sarif};
pub use markdown::markdown;

/// The narrowest text that is still wrapped.
const NARROWEST: usize = 40;

/// A report as text for a terminal of `width` columns, of which at least 40 are used. Texts from the cluster are
/// escaped. Symptoms whose causes are findings, too, are left out.
pub fn text(report: &Report, width: usize, colour: bool) -> String {
    let page = TextReport {
        width: width.max(NARROWEST),
        colour,
    };
    let mut out = String::new();
    let about = &report.cluster;
    if !about.version.is_empty() {
        let line = format!("{} {}; {}", about.distribution, about.version, report.scope);
        out += &page.wrap_words(&line, "", "");
    }
    for finding in visible_findings(report) {
        out.push('\n');
        out += &page.write_finding(finding);
    }
    out.push('\n');
    out += &page.write_summary(report);
    out
}

/// The findings to show: without the version, and without symptoms whose causes are findings, too.
fn visible_findings(report: &Report) -> impl Iterator<Item = &Finding> {
    let explained: HashSet<&Object> = report.findings.iter().flat_map(|finding| &finding.affected).collect();
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.retain(|one| one.code != "NFS003" && !(one.is_symptom() && explained.contains(&one.object)));
    findings.into_iter()
}

/// Text of a given width.
struct TextReport {
    width: usize,
    colour: bool,
}

impl TextReport {
    /// A finding with its evidence, the objects that it affects, its fix, and the command that explains it.
    fn write_finding(&self, finding: &Finding) -> String {
        let (word, colour) = severity_style(finding.severity);
        let head = format!("{word} {}", finding.code);
        let mut out = format!(
            "{}  {}\n",
            self.paint(&head, colour),
            self.paint(&finding.object.title(), "1")
        );
        let doubt = describe_doubt(finding.confidence);
        out += &self.wrap_words(&format!("{}{doubt}", capitalize_article(&finding.cause)), "  ", "  ");
        for evidence in &finding.evidence {
            out += &self.wrap_words(&format!("{}: {}", evidence.source, evidence.text), "  - ", "    ");
        }
        if !finding.affected.is_empty() {
            out += &self.wrap_words(&format!("Affects: {}", list_titles(&finding.affected)), "  ", "    ");
        }
        let fix = finding.fix.as_ref().map(|fix| (&fix.command, fix.note.as_str()));
        if let Some((Some(command), _)) = fix {
            out += "  Fix:\n";
            for line in break_command(command).lines() {
                _ = writeln!(out, "{}", self.paint(&format!("    {line}"), "36"));
            }
        }
        out += &match fix {
            None | Some((_, "")) => String::new(),
            Some((Some(_), note)) => self.wrap_words(&format!("({note})"), "    ", "    "),
            Some((None, note)) => self.wrap_words(note, "  Fix: ", "    "),
        };
        out + &self.paint(&format!("  More: nfsprov doctor explain {}", finding.code), "2") + "\n"
    }

    /// How many checks ran, how many errors and warnings they found (infos don't count), how many findings `--fix` can
    /// fix, and what was not checked.
    fn write_summary(&self, report: &Report) -> String {
        let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
        let verdict = match (errors, warnings) {
            (0, 0) => self.paint("no problems found", "32"),
            (0, _) => self.paint(&count_of(warnings, "warning"), "33"),
            (_, 0) => self.paint(&count_of(errors, "error"), "31"),
            _ => {
                let both = format!("{}, {}", count_of(errors, "error"), count_of(warnings, "warning"));
                self.paint(&both, "31")
            }
        };
        let mut out = format!("{} run, {verdict}.\n", count_of(report.checked.len(), "check"));
        let fixes = describe_fixes(report);
        if !fixes.is_empty() {
            out += &self.wrap_words(&fixes, "", "  ");
        }
        for (reason, codes) in group_skipped(report) {
            out += &self.wrap_words(&format!("Not checked: {} ({reason})", codes.join(", ")), "", "  ");
        }
        out
    }

    /// Colours a line of text, in which line ends are escaped, by an ANSI code such as `1;31`, if the report has
    /// colours. All text passes this function or the next; both escape characters that a terminal would act on.
    fn paint(&self, text: &str, colour: &str) -> String {
        let text = escape_line(text);
        match self.colour {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text,
        }
    }

    /// Wraps a text, whose words are escaped, into lines of whole words, after `first` in the first line and `rest` in
    /// the others. A word that is longer than a line gets one of its own. Line ends of the text count as spaces.
    fn wrap_words(&self, text: &str, first: &str, rest: &str) -> String {
        let mut out = String::new();
        let mut line = first.to_owned();
        let mut begun = false;
        for word in text.split_whitespace().map(escape_line) {
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

/// A sentence about the number of findings that `--fix` can fix; empty if there are no problems.
fn describe_fixes(report: &Report) -> String {
    let is_automatic = |finding: &&Finding| finding.fix.as_ref().is_some_and(|fix| fix.automatic);
    let problems = report.count(Severity::Error) + report.count(Severity::Warning);
    match report.findings.iter().filter(is_automatic).count() {
        0 if problems == 0 => String::new(),
        0 => "No automatic fix available.".to_owned(),
        count => format!("nfsprov doctor --fix can fix {count} of them; it asks before each change."),
    }
}

/// The checks that did not run, by reason: one object that can't be read leaves out many.
fn group_skipped(report: &Report) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for skipped in &report.skipped {
        match reasons.iter_mut().find(|(reason, _)| *reason == skipped.reason) {
            Some((_, codes)) => codes.push(skipped.code),
            None => reasons.push((&skipped.reason, vec![skipped.code])),
        }
    }
    reasons
}

/// A command line, broken only after `|` and `&&` outside single quotes, where a shell continues: it can be pasted
/// unchanged.
fn break_command(command: &str) -> String {
    let (mut broken, mut is_quoted, mut rest) = (String::new(), false, command);
    while let Some(next) = rest.chars().next() {
        let end = match next {
            ' ' if !is_quoted && (rest.starts_with(" | ") || rest.starts_with(" && ")) => {
                let end = 1 + rest[1..].find(' ').unwrap_or_default();
                broken += &rest[..end];
                broken += "\n  ";
                rest = &rest[end + 1..];
                continue;
            }
            // As in `'it'\''s'`.
            '\\' if !is_quoted => rest.chars().take(2).map(char::len_utf8).sum(),
            _ => next.len_utf8(),
        };
        is_quoted ^= next == '\'';
        broken += &rest[..end];
        rest = &rest[end..];
    }
    broken
}

/// The word for a severity, and the ANSI code of its colour.
fn severity_style(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Error => ("ERROR", "1;31"),
        Severity::Warning => ("WARNING", "1;33"),
        Severity::Info => ("INFO", "1;34"),
    }
}

/// What is added to a cause that is not certain.
fn describe_doubt(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "",
        Confidence::Likely => " (likely)",
        Confidence::Possible => " (possibly)",
    }
}

/// A text that begins with `the`, `it` or `a` with a capital; any other unchanged, since it begins with a name.
fn capitalize_article(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if text.starts_with("the ") || text.starts_with("it ") || text.starts_with("a ") => {
            first.to_uppercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// The long explanation of a code, for `doctor explain`, of `width` columns, but at least 40. Indented lines, which are
/// to be pasted, are not wrapped.
pub fn format_entry(entry: &entry::Entry, width: usize) -> String {
    let page = TextReport {
        width: width.max(NARROWEST),
        colour: false,
    };
    let (word, _) = severity_style(entry.severity);
    let head = format!("{} ({}): {}\n\n", entry.code, word.to_lowercase(), entry.title);
    let lines = entry
        .text
        .lines()
        .map(|line| match line.starts_with(' ') || line.is_empty() {
            true => format!("{line}\n"),
            false => page.wrap_words(line, "", ""),
        });
    head + &lines.collect::<String>()
}

/// The JSON object that scripts read, with all findings; characters that a terminal would act on are escaped.
///
/// # Errors
/// None in practice: serde_json writes any report.
pub fn json(report: &Report) -> serde_json::Result<String> {
    Ok(escape::escape_json(&serde_json::to_string_pretty(&Versioned::new("Report", report))?) + "\n")
}

#[cfg(test)]
#[path = "formats_tests.rs"]
mod tests;
