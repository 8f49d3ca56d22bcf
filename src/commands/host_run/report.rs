//! The report of a run: hosts, their steps and the result of each, as a table, JSON or YAML.

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::{SetupRun, Summary};
use crate::diff::unified_diff;
use crate::host::{Done, FileChange, Outcome, Plan, State};
use crate::output::{self, Colour};
use crate::versioned::Versioned;

/// The report of a run.
#[derive(Debug, Default)]
pub struct Report {
    pub hosts: Vec<HostReport>,
}

/// The steps of one host.
#[derive(Debug)]
pub struct HostReport {
    pub name: String,
    /// `server`, `client` or `node`.
    pub role: &'static str,
    pub rows: Vec<Row>,
    /// The files that would change, where nothing is changed.
    files: Vec<FileChange>,
}

/// A row of the report: a step and its result.
#[derive(Clone, Debug)]
pub struct Row {
    pub step: &'static str,
    pub status: Status,
    pub why: String,
    pub warnings: Vec<String>,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Changed,
    /// It would change something.
    Change,
    Failed,
    Skipped,
    NotDone,
}

impl Status {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Changed => "changed",
            Self::Change => "change",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotDone => "not done",
        }
    }
}

impl Row {
    pub fn new(step: &'static str, status: Status, why: impl Into<String>) -> Self {
        Self {
            step,
            status,
            why: why.into(),
            warnings: Vec::new(),
        }
    }
}

impl From<Outcome> for Row {
    fn from(outcome: Outcome) -> Self {
        let (status, why) = match outcome.done {
            Done::Ok(why) => (Status::Ok, why),
            Done::Changed(why) => (Status::Changed, why),
            Done::Skipped(why) => (Status::Skipped, why),
            Done::Failed(why) => (Status::Failed, why),
            Done::NotDone(why) => (Status::NotDone, why),
        };
        Self {
            step: outcome.step,
            status,
            why,
            warnings: outcome.warnings,
        }
    }
}

impl HostReport {
    pub fn new(name: String, role: &'static str, rows: Vec<Row>) -> Self {
        Self {
            name,
            role,
            rows,
            files: Vec::new(),
        }
    }

    /// A host that could not be connected to.
    pub fn not_connected(name: String, role: &'static str, why: &str) -> Self {
        Self::new(name, role, vec![Row::new("login", Status::Failed, why)])
    }

    /// A host whose plan is shown and not applied. A refused step counts as failed.
    pub fn from_plan(name: String, role: &'static str, plan: Plan) -> Self {
        let mut report = Self::new(name, role, Vec::new());
        for step in plan.steps {
            let (status, why) = match step.state {
                State::Ok(why) => (Status::Ok, why),
                State::Skipped(why) => (Status::Skipped, why),
                State::Change { why, .. } => (Status::Change, why),
                State::Refused(why) => (Status::Failed, why),
            };
            report.rows.push(Row {
                warnings: step.warnings,
                ..Row::new(step.name, status, why)
            });
            report.files.extend(step.files);
        }
        report
    }

    /// Whether no step failed, and none was not done because of that or of an interruption. Skipped steps don't count.
    pub fn is_successful(&self) -> bool {
        let bad = |row: &Row| matches!(row.status, Status::Failed | Status::NotDone);
        !self.rows.iter().any(bad)
    }

    fn to_json(&self) -> Value {
        let row = |row: &Row| json!({"step": row.step, "status": row.status.label(), "why": row.why, "warnings": row.warnings});
        let file = |file: &FileChange| json!({"path": file.path, "diff": file_diff(file)});
        json!({
            "host": self.name,
            "role": self.role,
            "steps": self.rows.iter().map(row).collect::<Vec<_>>(),
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }
}

impl Report {
    /// Whether a host is not [`HostReport::is_successful`].
    pub fn has_failures(&self) -> bool {
        !self.hosts.iter().all(HostReport::is_successful)
    }

    /// Whether anything was, or would be, changed.
    pub fn has_changes(&self) -> bool {
        let changes = |row: &Row| matches!(row.status, Status::Changed | Status::Change);
        self.hosts.iter().flat_map(|host| &host.rows).any(changes)
    }

    /// The report in the chosen format. With the table, prints failures, warnings and a summary to stderr.
    pub fn render(&self, options: &SetupRun, colour: Colour) -> Result<String> {
        let value = json!({
            "hosts": self.hosts.iter().map(HostReport::to_json).collect::<Vec<_>>(),
            "changed": self.has_changes() && !options.is_dry_run(),
            "wouldChange": self.has_changes() && options.is_dry_run(),
            "failed": self.has_failures(),
        });
        let value = serde_json::to_value(Versioned::new("SetupReport", value))?;
        Ok(match options.output {
            Summary::Json => output::to_json(&value),
            Summary::Yaml => output::to_yaml(&value),
            Summary::Table => {
                self.print_remarks(options);
                self.to_table(colour)
            }
        })
    }

    /// A row for each step, then the changes of files.
    fn to_table(&self, colour: Colour) -> String {
        let rows = self.hosts.iter().flat_map(|host| {
            let row = |row: &Row| {
                vec![
                    host.name.clone(),
                    row.step.to_owned(),
                    row.status.label().to_owned(),
                    row.why.clone(),
                ]
            };
            host.rows.iter().map(row).collect::<Vec<_>>()
        });
        let mut text = output::format_terminal_table(colour, &["HOST", "STEP", "STATUS", "WHAT"], rows);
        for host in &self.hosts {
            for file in &host.files {
                text.push_str(&format!("\non {}:\n{}", host.name, file_diff(file)));
            }
        }
        text
    }

    /// Prints to stderr the full reasons of failures, which the table may cut, the warnings, and a summary if nothing
    /// was changed.
    fn print_remarks(&self, options: &SetupRun) {
        for host in &self.hosts {
            for row in &host.rows {
                if row.status == Status::Failed {
                    output::say(&format!("{}: {} failed: {}", host.name, row.step, row.why));
                }
                for warning in &row.warnings {
                    output::say(&format!("{}: warning: {warning}", host.name));
                }
            }
        }
        if !self.has_failures() && !self.has_changes() {
            output::say("nothing had to be changed");
        } else if options.is_dry_run() && self.has_changes() {
            output::say("nothing was changed; this is the plan");
        }
    }
}

/// The change of a file as a unified diff, escaped for a terminal.
fn file_diff(file: &FileChange) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let before = text(file.before.as_deref().unwrap_or_default());
    let shown = unified_diff(&before, &text(&file.after), &file.path, &file.path);
    shown.lines().map(|line| output::escape_line(line) + "\n").collect()
}
