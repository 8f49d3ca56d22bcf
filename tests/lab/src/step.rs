//! Progress of long steps: one line for each step on stderr, its whole output in a log file.
//!
//! On a terminal, the line of the innermost running step is updated in place. Elsewhere there is a line for each start
//! and each end. Steps may nest and may run in several threads.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How many lines of a failed step's log its error shows.
const TAIL_LINES: usize = 30;

struct Running {
    id: u64,
    title: String,
    since: Instant,
}

/// The running steps, the innermost last.
static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());
static ENDED: Condvar = Condvar::new();
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A command of [`run`] that failed; its text shows the log's last lines and the log's path.
#[derive(Debug)]
pub struct Failed {
    what: String,
    lines: Vec<String>,
    log: PathBuf,
}

impl Failed {
    /// The last lines that the command wrote, for callers that parse them.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.what, quoted(&self.lines, &self.log))
    }
}

impl std::error::Error for Failed {}

/// Runs `command` with empty stdin and its output appended to `log`.
///
/// # Errors
/// If the command cannot be started, or fails: then the error is [`Failed`].
pub fn run(title: &str, log: &Path, command: &mut Command) -> Result<()> {
    let start = Instant::now();
    let done = task(title, || run_logged(title, log, command));
    crate::times::record("build", Some(title), start, done.is_ok());
    done
}

fn run_logged(title: &str, log: &Path, command: &mut Command) -> Result<()> {
    let (output, start) = open_log(log, title)?;
    let errors = output
        .try_clone()
        .with_context(|| format!("cannot share the log {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !status.success() {
        let program = command.get_program().display();
        let what = format!("{title}: {program} failed ({status})");
        let log = log.to_owned();
        return match last_lines(&log, start) {
            Ok(lines) => Err(Failed { what, lines, log }.into()),
            Err(error) => Err(error).with_context(|| format!("{what}; its log {} cannot be read", log.display())),
        };
    }
    Ok(())
}

/// Runs `work` while showing `title` and the elapsed time.
///
/// # Errors
/// Those of `work`.
pub fn task<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let shown = Shown::start(title);
    let result = work();
    shown.finish(result.is_ok());
    result
}

/// The last lines of `log` with its path, for an error message.
pub fn tail(log: &Path) -> String {
    match last_lines(log, 0) {
        Ok(lines) => quoted(&lines, log),
        Err(error) => format!("(its log {} cannot be read: {error})", log.display()),
    }
}

fn quoted(lines: &[String], log: &Path) -> String {
    let text: String = lines.iter().map(|line| format!("  | {line}\n")).collect();
    format!("{text}The whole log: {}", log.display())
}

/// The last lines of `log`, of those after byte `start`.
fn last_lines(log: &Path, start: u64) -> std::io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(start))?;
    let mut last = VecDeque::with_capacity(TAIL_LINES);
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if last.len() == TAIL_LINES {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    Ok(last.into())
}

/// Opens `log` for appending, writes a heading, and returns the file and the offset at which this step's part begins.
fn open_log(log: &Path, title: &str) -> Result<(File, u64)> {
    if let Some(dir) = log.parent() {
        crate::cache::create_dir(dir)?;
    }
    let describe = || format!("cannot write the log {}", log.display());
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(describe)?;
    let start = file.seek(SeekFrom::End(0)).with_context(describe)?;
    writeln!(file, "== {title}").with_context(describe)?;
    Ok((file, start))
}

fn running() -> MutexGuard<'static, Vec<Running>> {
    // A panic in another step must not stop the output of this one.
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// A step on display; dropping it without [`Shown::finish`], as a panic does, removes it.
struct Shown {
    id: u64,
}

impl Shown {
    fn start(title: &str) -> Self {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let mut steps = running();
        if terminal() {
            if steps.is_empty() {
                std::thread::spawn(tick);
            }
        } else {
            print_line(&format!("{}… {title}", "  ".repeat(steps.len())));
        }
        steps.push(Running {
            id,
            title: title.to_owned(),
            since: Instant::now(),
        });
        Self { id }
    }

    fn finish(self, ok: bool) {
        self.remove(if ok { "✓" } else { "✗" });
    }

    fn remove(&self, mark: &str) {
        let mut steps = running();
        let Some(index) = steps.iter().position(|step| step.id == self.id) else {
            return;
        };
        let step = steps.remove(index);
        let line = format!("{}{mark} {} ({})", "  ".repeat(index), step.title, elapsed(step.since));
        print_line(&if terminal() { format!("\r\x1b[K{line}") } else { line });
        ENDED.notify_all();
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.remove("✗");
    }
}

/// Updates the innermost step's line until no step is left.
fn tick() {
    let mut steps = running();
    while let Some(step) = steps.last() {
        let mut stderr = std::io::stderr().lock();
        // A closed stderr is not a reason to fail.
        let _ = write!(
            stderr,
            "\r\x1b[K{}… {} ({})",
            "  ".repeat(steps.len() - 1),
            step.title,
            elapsed(step.since)
        );
        let _ = stderr.flush();
        drop(stderr);
        steps = match ENDED.wait_timeout(steps, Duration::from_secs(1)) {
            Ok((steps, _)) => steps,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
}

/// Writes a line to stderr; ignores a closed stderr.
pub(crate) fn print_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn elapsed(since: Instant) -> String {
    let time = since.elapsed();
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}
