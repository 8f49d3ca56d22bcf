//! What the terminal sees: tables, progress and questions. Results go to stdout, everything else to stderr.

use std::convert::Infallible;
use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use comfy_table::{Cell, Color, ContentArrangement, Row, Table, presets};
use dialoguer::{Confirm, Input, Password};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::escape;
pub use super::escape::plain;
pub use super::yaml::write as yaml;

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

/// The columns of a terminal that reports no size, as those of `script` and of many CI systems do.
const USUAL_WIDTH: u16 = 80;

/// How many columns the terminal on stdout has, if it is one.
pub fn width() -> Option<usize> {
    terminal_width().map(usize::from)
}

fn terminal_width() -> Option<u16> {
    Table::new().width().map(|width| match width {
        0 => USUAL_WIDTH,
        width => width,
    })
}

/// Rows in aligned columns under headings, as kubectl prints them.
///
/// No headings, no line for them. A row is always one line, so that it can be searched and cut, and no cell can move the cursor.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    aligned(headings, rows, None, false)
}

/// The same for people: in colour if told so, and on a terminal no wider than that, what is too long being cut.
pub fn table_for(colour: Colour, headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    aligned(headings, rows, terminal_width(), colour.on_stdout())
}

fn aligned(
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    width: Option<u16>,
    coloured: bool,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_truncation_indicator("…");
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.force_no_tty();
    if coloured {
        table.enforce_styling();
    }
    if !headings.is_empty() {
        table.set_header(headings.iter().copied());
    }
    for row in rows {
        let cells = row.iter().map(|text| {
            // No break where a word ends: a cell that is cut is cut at the width.
            let cell = Cell::new(plain(text)).set_delimiter('\u{0}');
            match colour_of(text) {
                Some(colour) => cell.fg(colour),
                None => cell,
            }
        });
        let mut row = Row::from(cells);
        row.max_height(1);
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// The phases and states that are worth a colour.
fn colour_of(word: &str) -> Option<Color> {
    match word {
        "Bound" | "Available" | "in use" | "ok" => Some(Color::Green),
        "Pending" | "Released" | "orphan" | "marker" | "changed" | "change" => Some(Color::Yellow),
        "Failed" | "Lost" | "missing" | "failed" | "not done" => Some(Color::Red),
        _ => None,
    }
}

/// A line of a diff as a terminal can take it, in the colours that diffs have.
fn diff_line(line: &str, colour: Colour) -> String {
    let shown: String = line.split('\t').map(plain).collect::<Vec<_>>().join("\t");
    let number = match line.chars().next() {
        Some('+') => "32",
        Some('-') => "31",
        Some('@') => "36",
        _ => return shown,
    };
    match colour.on_stderr() {
        true => format!("\x1b[{number}m{shown}\x1b[0m"),
        false => shown,
    }
}

/// JSON, as a terminal can take it too.
pub fn json(value: &Value) -> String {
    escape::json(&format!("{value:#}")) + "\n"
}

/// Whether results are read by a person as they come.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes a result to stdout; a reader that went away, as `head` does, is no error.
///
/// # Errors
/// When stdout can't be written for another reason, such as a full disk.
pub fn print(text: &str) -> std::io::Result<()> {
    print_on(text).map(|_| ())
}

/// The same, for results that go on; false when the reader went away.
///
/// # Errors
/// As [`print()`].
pub fn print_on(text: &str) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// Writes a line to stderr, for people, with all escaped that a terminal would act on; when stderr is gone there is
/// nowhere left to say so.
pub fn say(line: &str) {
    write_above(&(plain(line) + "\n"));
}

/// The same for a line of a diff, in the colours that diffs have.
pub fn say_diff(line: &str, colour: Colour) {
    write_above(&(diff_line(line, colour) + "\n"));
}

/// Writes to stderr, above the moving lines.
fn write_above(text: &str) {
    _ = MOVING.suspend(|| std::io::stderr().write_all(text.as_bytes()));
}

/// Whether stdin and stderr are terminals: prompts are written to stderr and answered on stdin.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Held while a prompt is open, so that prompts of parallel hosts don't overlap.
static ASKING: Mutex<()> = Mutex::new(());

/// Asks a question, with the moving lines out of its way.
fn at_the_terminal<T>(question: impl FnOnce() -> dialoguer::Result<T>) -> std::io::Result<T> {
    let _turn = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    MOVING.suspend(question).map_err(std::io::Error::from)
}

/// Runs a prompt. `None` without a terminal, or if the prompt was cancelled.
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
            .with_prompt(plain(question))
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
    at_the_terminal(|| Confirm::new().with_prompt(plain(question)).default(false).interact())
}

/// Asks a yes-or-no question. `None` without a terminal, or if the prompt was cancelled.
pub fn ask_yes(question: &str) -> Option<bool> {
    can_ask().then(|| confirm(question).ok()).flatten()
}

/// Asks for a secret without echoing it. `None` without a terminal, or if the prompt was cancelled.
pub fn ask_secret(question: &str) -> Option<String> {
    of_whoever_is_there(|| {
        Password::new()
            .with_prompt(plain(question))
            .allow_empty_password(true)
            .interact()
    })
}

/// Asks for a line of text. `None` without a terminal, or if the prompt was cancelled.
pub fn ask_text(question: &str) -> Option<String> {
    of_whoever_is_there(|| {
        Input::new()
            .with_prompt(plain(question))
            .allow_empty(true)
            .interact_text()
    })
}

/// Where logs are written: stderr, above the moving lines. Takes whole lines, and escapes what a terminal would act on.
#[derive(Clone, Copy, Debug)]
pub enum Log {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Write for Log {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(lines);
        let shown = match self {
            Self::Text => escape::log_lines(&text),
            Self::Json => escape::json(&text),
        };
        MOVING.suspend(|| std::io::stderr().write_all(shown.as_bytes()))?;
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
        let text = plain(&text());
        if line.0.message() != text {
            line.0.set_message(text);
        }
    }
}

/// Whether moving lines are shown.
pub fn moves() -> bool {
    !MOVING.is_hidden()
}

/// A line that says what is being done about something, until it is dropped.
#[derive(Debug)]
pub struct Moving(Line);

impl Moving {
    /// What is being done now.
    pub fn says(&self, what: &str) {
        self.0.0.set_message(plain(what));
    }
}

/// A moving line about `subject`; nothing elsewhere than on a terminal.
pub fn moving_line(subject: &str) -> Moving {
    let line = Line(MOVING.add(ProgressBar::new_spinner()));
    // As with the bar below.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg}") {
        line.0.set_style(style);
    }
    line.0.set_prefix(plain(subject));
    line.0.enable_steady_tick(REFRESH);
    Moving(line)
}

/// A moving line that goes when it is dropped.
#[derive(Debug)]
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_moves_the_cursor_or_breaks_its_line() {
        let hostile = ["a\nb", "\x1b[2J", "x\ry", "\u{202e}txt", "tab\there", "\u{9b}31m"];
        let rows = hostile.map(|name| vec![name.to_owned(), "Bound".to_owned()]);
        let text = aligned(&["NAME", "PHASE"], rows, None, false);
        assert_eq!(text.lines().count(), 1 + hostile.len());
        assert!(text.chars().all(|c| c == '\n' || !escape::is_hidden(c)), "{text:?}");
        assert!(text.contains(r"a\nb") && text.contains(r"\u{1b}[2J"), "{text}");
    }

    #[test]
    fn a_table_fits_its_terminal() {
        let long = format!("pvc-{}", "0123456789".repeat(4));
        let row = || {
            vec![
                long.clone(),
                "Bound".to_owned(),
                "10Gi".to_owned(),
                format!("{long} {long}"),
            ]
        };
        for width in [40, 80, 140] {
            let text = aligned(
                &["NAME", "PHASE", "SIZE", "DIRECTORY"],
                [row(), row()],
                Some(width),
                false,
            );
            assert_eq!(text.lines().count(), 3, "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
            assert!(
                text.contains("Bound") && text.contains("10Gi") && text.contains('…'),
                "{text}"
            );
        }
        let coloured = aligned(
            &["NAME", "PHASE"],
            [vec!["a".to_owned(), "Failed".to_owned()]],
            None,
            true,
        );
        assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    }

    #[test]
    fn a_table_without_headings_has_its_rows_alone() {
        let rows = || [vec!["a".to_owned(), "Bound".to_owned()]];
        assert_eq!(table(&["NAME", "PHASE"], rows()), "NAME  PHASE\na     Bound\n");
        assert_eq!(table(&[], rows()), "a  Bound\n");
        assert_eq!(table(&[], []), "");
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let value = json!({
            "claims": [{"name": "a", "empty": [], "none": null, "deep": {"list": [[1, 2], [], ["yes"]]}}, "0777"],
            "odd: key": "x: y\n- z # \u{1b}[2J \u{202e} \u{9b}", "number": 1.5, "truth": true, "object": {},
        });
        let from_yaml: Value = serde_yaml::from_str(&yaml(&value)).unwrap();
        let from_json: Value = serde_json::from_str(&json(&value)).unwrap();
        assert_eq!(from_yaml, value);
        assert_eq!(from_json, value);
        for text in [yaml(&value), json(&value)] {
            assert!(text.chars().all(|c| c == '\n' || !escape::is_hidden(c)), "{text:?}");
        }
        assert_eq!(yaml(&json!([])), "[]\n");
    }
}
