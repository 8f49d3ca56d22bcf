//! A report as Markdown, for a ticket (PURE).

use super::{describe_doubt, group_skipped, visible_findings};
use crate::doctor::Finding;
use crate::doctor::names::list_titles;
use crate::doctor::report::Report;
use crate::escape::escape_line;

/// A report as Markdown, with the findings that the text for terminals has. Texts from the cluster can't end the block
/// that they stand in.
pub fn markdown(report: &Report) -> String {
    let about = &report.cluster;
    let mut out = format!(
        "## nfsprov doctor: {} {}\n\n{}; {} checks run.\n",
        escape_prose(&about.distribution),
        escape_prose(&about.version),
        escape_prose(&report.scope),
        report.checked.len()
    );
    let mut findings = visible_findings(report).peekable();
    if findings.peek().is_none() {
        out += "\nNo problems found.\n";
    }
    for one in findings {
        out += &write_finding(one);
    }
    for (reason, codes) in group_skipped(report) {
        out += &format!("\nNot checked: {} ({})\n", codes.join(", "), escape_prose(reason));
    }
    out
}

/// A finding as a section, with its evidence, the objects that it affects, and its fix.
fn write_finding(finding: &Finding) -> String {
    let doubt = describe_doubt(finding.confidence);
    let severity = format!("{:?}", finding.severity).to_uppercase();
    let mut out = format!(
        "\n### {severity} {}: {}\n\n{}{doubt}\n\n",
        finding.code,
        code_span(&finding.object.title()),
        escape_prose(&finding.cause)
    );
    for evidence in &finding.evidence {
        out += &format!("- {}: {}\n", escape_prose(&evidence.source), code_span(&evidence.text));
    }
    if !finding.affected.is_empty() {
        out += &format!("\nAffects: {}\n", escape_prose(&list_titles(&finding.affected)));
    }
    if let Some(fix) = &finding.fix {
        if let Some(command) = &fix.command {
            let fence = "`".repeat(longest_run(command).max(2) + 1);
            let lines: Vec<String> = command.lines().map(escape_line).collect();
            out += &format!("\nFix:\n\n{fence}sh\n{}\n{fence}\n", lines.join("\n"));
        }
        if !fix.note.is_empty() {
            out += &format!("\n{}\n", escape_prose(&fix.note));
        }
    }
    out
}

/// Prose on one line, without what Markdown or HTML would act on.
fn escape_prose(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    for c in escape_line(&one_line).chars() {
        if "\\`*_[]<>#|~&@!".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A code span on one line, which backticks in the text don't end; what a terminal would act on is escaped.
fn code_span(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fence = "`".repeat(longest_run(text) + 1);
    format!("{fence} {} {fence}", escape_line(&one_line))
}

/// The length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}
