//! Durations: the parts of a test run write lines of JSON to one file, and [`report`] makes a table of them.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The environment variable with the file's path. Without it, durations are not recorded.
pub const VARIABLE: &str = "NFSPROV_TEST_TIMES";

/// How many of the slowest tests the report lists.
const SLOWEST: usize = 10;

/// One recorded duration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its group: `compile`, `build`, `cluster 1.37.2`.
    pub group: String,
    /// The name of a test or of a built artifact; `None` for the group as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seconds from start to end.
    pub seconds: f64,
    /// Whether it succeeded.
    pub passed: bool,
}

/// Records a duration since `start` in the file that [`VARIABLE`] names. No test fails because the file cannot be
/// written.
pub fn record(group: &str, name: Option<&str>, start: Instant, passed: bool) {
    if let Some(file) = std::env::var_os(VARIABLE) {
        record_in(Path::new(&file), group, name, start, passed);
    }
}

/// Like [`record`], in `file`.
pub(crate) fn record_in(file: &Path, group: &str, name: Option<&str>, start: Instant, passed: bool) {
    let entry = Entry {
        group: group.to_owned(),
        name: name.map(str::to_owned),
        seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        passed,
    };
    if let Err(error) = append(file, &entry) {
        crate::step::print_line(&format!("{error:#}"));
    }
}

fn append(file: &Path, entry: &Entry) -> Result<()> {
    let line = serde_json::to_string(entry).context("cannot write a time as JSON")?;
    let opened = OpenOptions::new().create(true).append(true).open(file);
    // In one call, so that lines of different processes do not mix.
    opened
        .and_then(|mut opened| opened.write_all(format!("{line}\n").as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// The entries of a file; empty if there is no file.
///
/// # Errors
/// If the file cannot be read or parsed.
pub fn read(file: &Path) -> Result<Vec<Entry>> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.with_context(|| format!("cannot read {}", file.display()))?,
    };
    let entries = text.lines().map(serde_json::from_str);
    entries
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} is not a valid file of durations", file.display()))
}

/// The seconds of each group, of each build, and of the slowest tests, beside those of `earlier`.
pub fn report(entries: &[Entry], earlier: &[Entry]) -> String {
    let before = |entry: &Entry| {
        let same = |other: &&Entry| other.group == entry.group && other.name == entry.name;
        let found = earlier.iter().find(same);
        found.map(|found| format!("{:.1}", found.seconds)).unwrap_or_default()
    };
    let row = |text: &mut String, entry: &Entry, what: &str| {
        let failed = if entry.passed { "" } else { "  failed" };
        let _ = writeln!(text, "{:>9.1}{:>9}  {what}{failed}", entry.seconds, before(entry));
    };
    let mut text = format!("{:>9}{:>9}\n", "seconds", "before");
    for group in entries.iter().filter(|entry| entry.name.is_none()) {
        row(&mut text, group, &group.group);
        let builds = entries.iter().filter(|entry| entry.group == "build");
        for build in builds.filter(|_| group.group == "build") {
            if let Some(name) = &build.name {
                row(&mut text, build, &format!("  {name}"));
            }
        }
    }
    let mut tests: Vec<_> = entries
        .iter()
        .filter(|entry| entry.group != "build" && entry.name.is_some())
        .collect();
    tests.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    if !tests.is_empty() {
        text += "\nThe slowest tests:\n";
    }
    for test in tests.into_iter().take(SLOWEST) {
        let name = test.name.as_deref().unwrap_or_default();
        row(&mut text, test, &format!("{} {name}", test.group));
    }
    text
}

/// Creates the times file of this run in `dir`, and renames the previous run's file. Returns the paths of both, this
/// run's first.
///
/// # Errors
/// If a file cannot be renamed.
pub fn start_run(dir: &Path) -> Result<(PathBuf, PathBuf)> {
    let (file, earlier) = (dir.join("test-times.jsonl"), dir.join("test-times-before.jsonl"));
    if file.exists() {
        std::fs::rename(&file, &earlier).with_context(|| format!("cannot move {}", file.display()))?;
    }
    Ok((file, earlier))
}

#[cfg(test)]
mod tests {
    use super::{Entry, read, report, start_run};

    fn entry(group: &str, name: Option<&str>, seconds: f64, passed: bool) -> Entry {
        let (group, name) = (group.to_owned(), name.map(str::to_owned));
        Entry {
            group,
            name,
            seconds,
            passed,
        }
    }

    #[test]
    fn groups_builds_and_the_slowest_tests_are_reported() {
        let mut entries = vec![
            entry("build", Some("the image"), 60.0, true),
            entry("build", None, 61.0, true),
            entry("cluster", Some("slow"), 31.25, false),
            entry("cluster", None, 700.0, false),
        ];
        entries.extend((0..10).map(|number| entry("hosts", Some(&format!("t{number}")), f64::from(number), true)));
        let earlier = [entry("cluster", Some("slow"), 40.0, true)];
        let report = report(&entries, &earlier);
        let lines: Vec<_> = report.lines().collect();
        assert_eq!(lines[1], "     61.0           build");
        assert_eq!(lines[2], "     60.0             the image");
        assert_eq!(lines[3], "    700.0           cluster  failed");
        assert_eq!(lines[6], "     31.2     40.0  cluster slow  failed");
        assert!(report.contains("hosts t1") && !report.contains("hosts t0"), "{report}");
    }

    #[test]
    fn a_run_keeps_the_times_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let (file, _) = start_run(dir.path()).unwrap();
        super::append(&file, &entry("unit", None, 1.0, true)).unwrap();
        super::append(&file, &entry("unit", Some("a"), 0.5, true)).unwrap();
        let (file, earlier) = start_run(dir.path()).unwrap();
        assert_eq!((read(&file).unwrap().len(), read(&earlier).unwrap().len()), (0, 2));
    }
}
