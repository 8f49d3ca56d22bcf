//! `nfsprov-lab test`: builds what tests need, runs test groups in parallel, and prints how long each took.
//!
//! A job starts when all jobs that it needs have passed and its lane has a free place. Its output goes to a file, which
//! is printed only if the job fails. A failed job stops only the jobs that need it.

mod jobs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{step, times};
use jobs::{JOBS, Job, Work};

pub use jobs::Set;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    /// A job that it needs failed.
    NotRun,
}

/// How many tests passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// State that all jobs of a run share.
struct Run {
    workspace: PathBuf,
    lab: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ended: BTreeMap<&'static str, End>,
    started: BTreeSet<&'static str>,
    /// Test programs by their main source file.
    programs: BTreeMap<PathBuf, PathBuf>,
    tally: Tally,
    /// The failed tests, each with its group and the first line of its output.
    failed_tests: Vec<String>,
}

/// Runs the jobs of `set`, or the jobs named in `only` with the jobs that they need. The current directory must be the
/// workspace. Returns whether all passed.
///
/// # Errors
/// If no job has one of the names, or the files of a run cannot be written.
pub fn run(set: Set, only: &[String]) -> Result<bool> {
    let jobs = chosen(set, only)?;
    let workspace = std::env::current_dir().context("cannot tell the current directory")?;
    let target = workspace.join("target");
    let logs = target.join("test-logs");
    crate::cache::remove_dir(&logs)?;
    crate::cache::create_dir(&logs)?;
    let (file, earlier) = times::start_run(&target)?;
    let lab = std::env::current_exe().context("cannot tell this program's path")?;
    let run = Run {
        workspace,
        lab,
        state: Mutex::default(),
        changed: Condvar::new(),
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        for job in &jobs {
            let (run, file, jobs) = (&run, &file, &jobs);
            scope.spawn(move || run.job(job, jobs, file));
        }
    });
    let state = run.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let passed = state.ended.values().all(|end| *end == End::Passed);
    println!("\n{}", times::report(&times::read(&file)?, &times::read(&earlier)?));
    println!("{:>9.1}           all of it\n", start.elapsed().as_secs_f64());
    for (name, end) in state.ended.iter().filter(|(_, end)| **end != End::Passed) {
        let how = match end {
            End::NotRun => "not run, since what it needs failed".to_owned(),
            _ => format!("failed; its output: {}", logs.join(format!("{name}.log")).display()),
        };
        println!("{name}: {how}");
    }
    let Tally {
        passed: good,
        failed,
        skipped,
    } = state.tally;
    println!("{good} passed, {failed} failed, {skipped} skipped");
    for line in state.failed_tests {
        println!("{line}");
    }
    Ok(passed)
}

/// The jobs of a set, or the named jobs and all that they need.
fn chosen(set: Set, only: &[String]) -> Result<Vec<&'static Job>> {
    let find = |name: &str| JOBS.iter().find(|job| job.name == name);
    if only.is_empty() {
        return Ok(JOBS.iter().filter(|job| job.set <= set).collect());
    }
    let mut wanted: Vec<&str> = only.iter().map(String::as_str).collect();
    let mut next = 0;
    while let Some(&name) = wanted.get(next) {
        let Some(job) = find(name) else {
            let names: Vec<_> = JOBS.iter().map(|job| job.name).collect();
            bail!("there is no group {name}; there are: {}", names.join(", "));
        };
        let new = job.needs.iter().filter(|need| !wanted.contains(need));
        let new: Vec<_> = new.copied().collect();
        wanted.extend(new);
        next += 1;
    }
    Ok(JOBS.iter().filter(|job| wanted.contains(&job.name)).collect())
}

/// The names of the jobs that `job` needs, as far as this run includes them.
fn needed<'a>(job: &'a Job, jobs: &'a [&'static Job]) -> impl Iterator<Item = &'static str> + 'a {
    let needs = job.needs.iter().copied();
    needs.filter(|need| jobs.iter().any(|job| job.name == *need))
}

impl State {
    /// Whether a job can start whose needed jobs have passed: its lane has a free place, and no earlier job of the lane
    /// waits for one.
    fn has_place(&self, job: &Job, jobs: &[&'static Job]) -> bool {
        let Some(lane) = job.lane() else {
            return true;
        };
        let is_running = |other: &Job| self.started.contains(other.name) && !self.ended.contains_key(other.name);
        let waits = |other: &Job| {
            let is_ready = needed(other, jobs).all(|need| self.ended.contains_key(need));
            is_ready && !self.started.contains(other.name) && !self.ended.contains_key(other.name)
        };
        let others: Vec<_> = jobs.iter().filter(|other| other.lane() == job.lane()).collect();
        let mut earlier = others.iter().take_while(|other| other.name != job.name);
        let taken: usize = others
            .iter()
            .filter(|other| is_running(other))
            .map(|other| other.places())
            .sum();
        taken + job.places() <= lane.places() && !earlier.any(|other| waits(other))
    }
}

impl Run {
    /// Waits for the jobs that a job needs, runs it, and prints its result.
    fn job(&self, job: &'static Job, jobs: &[&'static Job], times: &Path) {
        let end = match self.wait_to_start(job, jobs) {
            false => End::NotRun,
            true => self.timed(job, times),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended.insert(job.name, end);
        self.changed.notify_all();
    }

    /// Waits until all needed jobs have ended and the lane has a free place that no earlier job waits for. Returns
    /// whether all needed jobs passed.
    fn wait_to_start(&self, job: &'static Job, jobs: &[&'static Job]) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let ends: Vec<_> = needed(job, jobs).map(|need| state.ended.get(need).copied()).collect();
            if ends.iter().any(|end| end.is_some_and(|end| end != End::Passed)) {
                return false;
            }
            if ends.iter().all(Option::is_some) && state.has_place(job, jobs) {
                state.started.insert(job.name);
                self.changed.notify_all();
                return true;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn timed(&self, job: &'static Job, times: &Path) -> End {
        let start = Instant::now();
        let log = self.workspace.join(format!("target/test-logs/{}.log", job.name));
        step::print_line(&format!("… {}", job.name));
        let done = self.run_job(job, &log, times);
        let end = match &done {
            Ok(true) => End::Passed,
            _ => End::Failed,
        };
        times::record_in(times, job.name, None, start, end == End::Passed);
        let (mark, seconds) = (if end == End::Passed { "✓" } else { "✗" }, start.elapsed().as_secs());
        let output = std::fs::read_to_string(&log).unwrap_or_default();
        let tally = tally(&output);
        let counts = match job.work {
            Work::Tests(_) => format!(
                ": {} passed, {} failed, {} skipped",
                tally.passed, tally.failed, tally.skipped
            ),
            _ => String::new(),
        };
        step::print_line(&format!("{mark} {} ({seconds} s){counts}", job.name));
        if end == End::Failed {
            if let Err(error) = done {
                step::print_line(&format!("{}: {error:#}", job.name));
            }
            step::print_line(&failure(&output));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tally.passed += tally.passed;
        state.tally.failed += tally.failed;
        state.tally.skipped += tally.skipped;
        if end == End::Failed {
            let failed = failed_tests(&output);
            state
                .failed_tests
                .extend(failed.iter().map(|line| format!("{} {line}", job.name)));
        }
        end
    }

    /// Runs the job with its output in `log`. Returns whether it passed.
    fn run_job(&self, job: &Job, log: &Path, times: &Path) -> Result<bool> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let start = |mut command: Command| -> Result<bool> {
            let mut output = file.try_clone().context("cannot share a log")?;
            let errors = file.try_clone().context("cannot share a log")?;
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
            command.env(times::VARIABLE, times).env("RUSTDOCFLAGS", "-D warnings");
            command.envs(job.variables.iter().copied());
            // A backtrace adds nothing to the message of a failed assertion.
            command.env("RUST_BACKTRACE", "0");
            let program = command.get_program().to_owned();
            let describe = || format!("cannot run {}", program.display());
            let mut child = command.spawn().with_context(describe)?;
            for line in child
                .stdout
                .take()
                .into_iter()
                .flat_map(|out| BufReader::new(out).split(b'\n'))
            {
                let line = line.with_context(describe)?;
                output
                    .write_all(&[&line[..], b"\n"].concat())
                    .context("cannot write a log")?;
                if line.starts_with(b"test ") && line.ends_with(b"FAILED") {
                    step::print_line(&format!("  {}: {}", job.name, String::from_utf8_lossy(&line)));
                }
            }
            Ok(child.wait().with_context(describe)?.success())
        };
        let bound = |program: &Path| {
            // The child ends with this process, even after SIGKILL.
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        };
        match job.work {
            Work::Cargo(arguments) => {
                let mut command = bound(Path::new("cargo"));
                command.args(arguments);
                start(command)
            }
            Work::Build(part) => {
                let mut command = bound(&self.lab);
                command.args(["build", part]);
                start(command)
            }
            Work::Compile => {
                let output = log.with_extension("json");
                let json = File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
                let mut command = bound(Path::new("cargo"));
                command.args([
                    "test",
                    "--workspace",
                    "--no-run",
                    "--message-format=json-render-diagnostics",
                ]);
                let errors = file.try_clone().context("cannot share a log")?;
                command.stdin(Stdio::null()).stdout(json).stderr(errors);
                let status = command.status().context("cannot run cargo")?;
                let text = std::fs::read_to_string(&output).context("cannot read cargo's output")?;
                self.state.lock().unwrap_or_else(PoisonError::into_inner).programs = programs(&text, &self.workspace);
                Ok(status.success())
            }
            Work::Tests(targets) => {
                let programs = self
                    .state
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .programs
                    .clone();
                let mut passed = true;
                for target in targets {
                    let program = programs
                        .get(Path::new(target))
                        .with_context(|| format!("cargo built no test {target}"))?;
                    // Run all of them, even if one fails.
                    passed &= start(bound(program))?;
                }
                Ok(passed)
            }
        }
    }
}

/// cargo's message about a built target.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Target {
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// The test programs by main source file, such as `tests/command/main.rs`, from cargo's messages in this workspace.
fn programs(messages: &str, workspace: &Path) -> BTreeMap<PathBuf, PathBuf> {
    let parsed = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let tests = parsed.filter(|message| message.profile.as_ref().is_some_and(|profile| profile.test));
    tests
        .filter_map(|message| {
            let source = message.target?.src_path;
            Some((source.strip_prefix(workspace).ok()?.to_owned(), message.executable?))
        })
        .collect()
}

/// Adds up the last lines of test programs: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn tally(output: &str) -> Tally {
    let mut sum = Tally::default();
    for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let count = |word: &str| -> usize {
            let part = line.split([';', '.']).find_map(|part| part.trim().strip_suffix(word));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
        };
        sum.passed += count("passed");
        sum.failed += count("failed");
        sum.skipped += count("ignored");
    }
    sum
}

/// The lines of a failed job's output that show why it failed: the failures of its test programs, or else the last
/// lines.
fn failure(output: &str) -> String {
    const LAST: usize = 40;
    let lines: Vec<_> = output.lines().collect();
    let mut shown = Vec::new();
    let mut is_failure = false;
    for line in &lines {
        is_failure |= *line == "failures:";
        if is_failure {
            shown.push(*line);
        }
        is_failure &= !line.starts_with("test result: ");
    }
    if shown.is_empty() {
        shown = lines[lines.len().saturating_sub(LAST)..].to_vec();
    }
    shown.iter().map(|line| format!("  | {line}\n")).collect()
}

/// The failed tests, each with the first line of its output.
fn failed_tests(output: &str) -> Vec<String> {
    let mut failed = Vec::new();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let title = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" ----"));
        if let Some(name) = title {
            let name = name.trim_end_matches(" stdout");
            let first_line = lines.find(|line| !line.trim().is_empty() && !line.starts_with("thread '"));
            failed.push(format!("{name}: {}", first_line.unwrap_or_default()));
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{JOBS, Set, Tally, chosen, failed_tests, failure, programs, tally};

    fn names(set: Set, only: &[&str]) -> Vec<&'static str> {
        let only: Vec<_> = only.iter().map(|name| (*name).to_owned()).collect();
        chosen(set, &only).unwrap().iter().map(|job| job.name).collect()
    }

    #[test]
    fn a_group_brings_what_it_needs() {
        assert_eq!(
            names(Set::Test, &["hosts"]),
            ["compile", "image", "rpm-double", "tools", "quota", "hosts"]
        );
        assert!(names(Set::Check, &[]).iter().all(|name| *name != "cluster"));
        assert_eq!(names(Set::All, &[]).len(), JOBS.len());
        assert!(chosen(Set::Test, &["nosuch".to_owned()]).is_err());
    }

    #[test]
    fn what_a_job_needs_comes_before_it() {
        for (index, job) in JOBS.iter().enumerate() {
            let earlier = |need: &str| JOBS[..index].iter().any(|other| other.name == need);
            assert!(job.needs.iter().all(|need| earlier(need)), "{}", job.name);
        }
    }

    #[test]
    fn cargos_messages_give_the_paths_of_test_programs() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"src_path":"/w/tests/command/main.rs"},"profile":{"test":true},"executable":"/t/command-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"src_path":"/w/src/main.rs"},"profile":{"test":false},"executable":"/t/n"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = programs(messages, Path::new("/w"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[Path::new("tests/command/main.rs")].to_str(), Some("/t/command-1"));
    }

    #[test]
    fn results_are_added_up_and_failures_shown() {
        let output = "test a ... ok\n\nfailures:\n\n---- b ----\nwhy\n\n\
            test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.00s\n\
            test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(
            tally(output),
            Tally {
                passed: 7,
                failed: 1,
                skipped: 2
            }
        );
        let shown = failure(output);
        assert!(shown.starts_with("  | failures:\n  | \n  | ---- b ----\n  | why\n"));
        assert!(!shown.contains("4 passed"), "{shown}");
        assert_eq!(failure("only\n"), "  | only\n");
        assert_eq!(failed_tests(output), ["b: why"]);
        let panicked = "---- c stdout ----\n\nthread 'c' panicked at src/c.rs:1:1:\nnot so\n";
        assert_eq!(failed_tests(panicked), ["c: not so"]);
    }
}
