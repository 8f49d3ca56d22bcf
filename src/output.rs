//! What the terminal sees: tables, progress and questions. Results go to stdout, everything else to stderr.

use std::convert::Infallible;
use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use dialoguer::{Confirm, Input, Password};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The moving lines on stderr; nothing elsewhere than on a terminal. Everything else that is
/// written there has them step aside.
static MOVING: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How often the live line follows what it shows.
const REFRESH: Duration = Duration::from_millis(250);

/// Whether colours and moving lines may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// The decision for stderr, where logs and progress go.
    pub fn on_stderr(self) -> bool {
        self.on(std::io::stderr().is_terminal())
    }

    /// The decision for stdout, where results go.
    pub fn on_stdout(self) -> bool {
        self.on(std::io::stdout().is_terminal())
    }

    fn on(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
        }
    }
}

/// How many columns the terminal on stdout has, if it is one.
pub fn width() -> Option<usize> {
    Table::new().width().map(usize::from)
}

/// Rows in aligned columns under headings, as kubectl prints them.
///
/// A row is always one line, so that it can be searched and cut.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// Writes a result to stdout; a reader that went away, as `head` does, is no error.
///
/// # Errors
/// When stdout can't be written for another reason, such as a full disk.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to stderr, for people; when stderr is gone there is nowhere left to say so.
pub fn say(line: &str) {
    _ = Log.write_all(format!("{line}\n").as_bytes());
}

/// Whether there is somebody to answer: questions are asked on stderr and answered on stdin.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Several who want to ask have their turns.
static ASKING: Mutex<()> = Mutex::new(());

/// Asks a question, with the moving lines out of its way.
fn at_the_terminal<T>(question: impl FnOnce() -> dialoguer::Result<T>) -> std::io::Result<T> {
    let _turn = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    MOVING.suspend(question).map_err(std::io::Error::from)
}

/// The same; None where there is nobody to answer, or no answer was given.
fn of_whoever_is_there<T>(question: impl FnOnce() -> dialoguer::Result<T>) -> Option<T> {
    can_ask().then(|| at_the_terminal(question).ok()).flatten()
}

/// Asks until `check` takes the answer, and gives what it makes of it; needs [`can_ask`].
///
/// # Errors
/// When the terminal goes away.
pub fn ask(question: &str, check: fn(&str) -> Result<String, String>) -> std::io::Result<String> {
    let answer: String = at_the_terminal(|| {
        Input::new()
            .with_prompt(question)
            .validate_with(|answer: &String| check(answer.trim()).map(|_| ()))
            .interact()
    })?;
    Ok(check(answer.trim()).unwrap_or(answer))
}

/// Asks for a yes or a no, where only yes is yes; needs [`can_ask`].
///
/// # Errors
/// When the terminal goes away.
pub fn confirm(question: &str) -> std::io::Result<bool> {
    at_the_terminal(|| Confirm::new().with_prompt(question).default(false).interact())
}

/// The same; None where there is nobody to answer.
pub fn ask_yes(question: &str) -> Option<bool> {
    can_ask().then(|| confirm(question).ok()).flatten()
}

/// Asks for something that is not shown while it is typed; None where there is nobody to answer.
pub fn ask_secret(question: &str) -> Option<String> {
    of_whoever_is_there(|| {
        Password::new()
            .with_prompt(question)
            .allow_empty_password(true)
            .interact()
    })
}

/// Asks for a line of text; None where there is nobody to answer.
pub fn ask_text(question: &str) -> Option<String> {
    of_whoever_is_there(|| Input::new().with_prompt(question).allow_empty(true).interact_text())
}

/// Where logs are written: stderr, above the moving lines. Takes whole lines.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        MOVING.suspend(|| std::io::stderr().write_all(lines))?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Takes the moving lines away, for an end that nothing follows.
pub fn clear() {
    // When the terminal is gone there is nothing to be cleared.
    _ = MOVING.clear();
}

/// Keeps a line under the log that shows what `text` says, until it is dropped; on a terminal, if
/// it is `wanted`. It is written only when it changes, and cut where the terminal ends.
pub async fn live_line(wanted: bool, text: impl Fn() -> String) -> Infallible {
    if !wanted || MOVING.is_hidden() {
        return std::future::pending().await;
    }
    let line = Line(MOVING.add(ProgressBar::no_length()));
    // As with the bar below.
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        line.0.set_style(style);
    }
    let mut ticks = tokio::time::interval(REFRESH);
    loop {
        ticks.tick().await;
        let text = text();
        if line.0.message() != text {
            line.0.set_message(text);
        }
    }
}

/// A moving line that goes when it is dropped.
struct Line(ProgressBar);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A progress bar on a terminal, nothing elsewhere.
pub fn progress(total: usize, what: &'static str) -> ProgressBar {
    let bar = MOVING.add(ProgressBar::new(total as u64));
    // The template is a constant; the plain bar is as good should it ever be wrong.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.with_message(what)
}
