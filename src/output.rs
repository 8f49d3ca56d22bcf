//! Tables, progress, prompts and logs. Results go to stdout, everything else to stderr; untrusted text is escaped.
//! Prompts block their thread and have no time limit.

use std::convert::Infallible;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use comfy_table::{Cell, Color, ContentArrangement, Row, Table, presets};
use dialoguer::console::{Key, Term};
use dialoguer::{Input, Password};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::escape;
pub use super::escape::escape_line;
pub use super::yaml::to_yaml;

/// The status lines and progress bars on stderr, hidden without a terminal. Other output on stderr suspends them.
static MOVING: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The interval at which status lines are redrawn.
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
    /// Whether stderr, where logs and progress go, is coloured.
    pub fn on_stderr(self) -> bool {
        self.is_enabled(std::io::stderr().is_terminal())
    }

    /// Whether stdout, where results go, is coloured.
    pub fn on_stdout(self) -> bool {
        self.is_enabled(std::io::stdout().is_terminal())
    }

    fn is_enabled(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
        }
    }
}

/// The columns of a terminal that reports no size, as those of `script` and of many CI systems do.
const USUAL_WIDTH: u16 = 80;

/// The columns of the terminal on stdout, 80 if it reports none; `None` without a terminal.
pub fn stdout_width() -> Option<usize> {
    terminal_width().map(usize::from)
}

/// The columns of the terminal on stdout, 80 if it reports none; `None` without a terminal.
fn terminal_width() -> Option<u16> {
    Table::new().width().map(|width| match width {
        0 => USUAL_WIDTH,
        width => width,
    })
}

/// Formats rows in aligned columns under headings, as kubectl does; without headings if there are none.
///
/// Each row is one line, and hidden characters are escaped.
pub fn format_table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    align_columns(headings, rows, None, false)
}

/// As [`format_table`], with coloured states, and truncated to the width of the terminal on stdout if there is one.
pub fn format_terminal_table(colour: Colour, headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    align_columns(headings, rows, terminal_width(), colour.on_stdout())
}

/// Formats a table, cut to `width` if it is given: a row is one line, and a cell that is too long ends with an
/// ellipsis. Cells are escaped; if `coloured`, those that are a state get its colour.
fn align_columns(
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
            // A truncated cell ends at the column's width, not at a word's end.
            let cell = Cell::new(escape_line(text)).set_delimiter('\u{0}');
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

/// The colour of a state, or of a step's result; `None` for other words.
fn colour_of(word: &str) -> Option<Color> {
    match word {
        "Bound" | "Available" | "in use" | "ok" => Some(Color::Green),
        "Pending" | "Released" | "orphan" | "marker" | "changed" | "change" => Some(Color::Yellow),
        "Failed" | "Lost" | "missing" | "failed" | "not done" => Some(Color::Red),
        _ => None,
    }
}

/// Escapes a line of a diff, but for its tabs, and colours it as diffs are, if `colour` allows that on stderr.
fn diff_line(line: &str, colour: Colour) -> String {
    let shown: String = line.split('\t').map(escape_line).collect::<Vec<_>>().join("\t");
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

/// The value as indented JSON with a newline; hidden characters are escaped.
pub fn to_json(value: &Value) -> String {
    escape::escape_json(&format!("{value:#}")) + "\n"
}

/// Whether stdout is a terminal.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes a result to stdout as it is, without escapes and without a newline of its own. A closed pipe, as after
/// `head`, is no error.
///
/// # Errors
/// When stdout can't be written for another reason, such as a full disk.
pub fn print(text: &str) -> std::io::Result<()> {
    try_print(text).map(|_| ())
}

/// As [`print()`], but returns false for a closed pipe, so that a command that prints repeatedly can end.
pub fn try_print(text: &str) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// Writes a line to stderr with hidden characters escaped. A closed stderr is ignored.
pub fn say(line: &str) {
    write_above(&(escape_line(line) + "\n"));
}

/// As [`say`], for a line of a diff: its tabs stay, and it is coloured if `colour` allows that on stderr.
pub fn say_diff(line: &str, colour: Colour) {
    write_above(&(diff_line(line, colour) + "\n"));
}

/// Writes to stderr, above status lines and progress bars.
fn write_above(text: &str) {
    _ = MOVING.suspend(|| std::io::stderr().write_all(text.as_bytes()));
}

/// Whether stdin and stderr are terminals: prompts are written to stderr and answered on stdin.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Held while a prompt is open, so that prompts of parallel hosts don't overlap.
static ASKING: Mutex<()> = Mutex::new(());

/// Runs a prompt while status lines are suspended and no other prompt is open; needs [`can_ask`].
///
/// # Errors
/// Those of [`ask`].
fn run_prompt<T>(question: impl FnOnce() -> dialoguer::Result<T>) -> std::io::Result<T> {
    let _prompt = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = MOVING.suspend(question).map_err(std::io::Error::from);
    answer.map_err(|error| match error.kind() {
        ErrorKind::Interrupted => cancelled(),
        _ => error,
    })
}

fn cancelled() -> std::io::Error {
    std::io::Error::new(ErrorKind::Interrupted, "the question was cancelled")
}

/// Asks on the terminal until `check` accepts the answer without the blanks around it, and returns the result of
/// `check`.
///
/// # Errors
/// `Interrupted` when the user cancels the question by Ctrl-C, which also sends SIGINT to this process; others when the
/// terminal goes away.
pub fn ask(question: &str, check: fn(&str) -> Result<String, String>) -> std::io::Result<String> {
    let answer: String = run_prompt(|| {
        Input::new()
            .with_prompt(escape_line(question))
            .validate_with(|answer: &String| check(answer.trim()).map(|_| ()))
            .interact()
    })?;
    Ok(check(answer.trim()).unwrap_or(answer))
}

/// Asks for a yes or a no on the terminal; no is the default. Fails as [`ask`], and as after Ctrl-C if the user
/// cancels the question by Esc.
pub fn confirm(question: &str) -> std::io::Result<bool> {
    let question = escape_line(question);
    let answer = run_prompt(|| Ok(read_yes_or_no(&Term::stderr(), &question)?))?;
    answer.ok_or_else(cancelled)
}

/// Asks until a key answers; `None` if the key is Esc or q. Unlike dialoguer's `Confirm`, leaves the cursor visible: a
/// signal, such as that of Ctrl-C, may end the process at any moment, and nothing would show it again.
fn read_yes_or_no(terminal: &Term, question: &str) -> std::io::Result<Option<bool>> {
    if !terminal.is_term() {
        return Err(ErrorKind::NotConnected.into());
    }
    terminal.write_str(&format!("{question} [y/N] "))?;
    let answer = loop {
        match terminal.read_key()? {
            Key::Char('y' | 'Y') => break Some(true),
            Key::Char('n' | 'N') | Key::Enter => break Some(false),
            Key::Escape | Key::Char('q') => break None,
            _ => {}
        }
    };
    terminal.clear_line()?;
    terminal.write_line(&match answer {
        Some(true) => format!("{question} yes"),
        Some(false) => format!("{question} no"),
        None => question.to_owned(),
    })?;
    Ok(answer)
}

/// Asks for a secret without echoing it, which may be empty. Fails as [`ask`].
pub fn ask_secret(question: &str) -> std::io::Result<String> {
    run_prompt(|| {
        Password::new()
            .with_prompt(escape_line(question))
            .allow_empty_password(true)
            .interact()
    })
}

/// Asks for a line of text, which may be empty. Fails as [`ask`].
pub fn ask_text(question: &str) -> std::io::Result<String> {
    run_prompt(|| {
        Input::new()
            .with_prompt(escape_line(question))
            .allow_empty(true)
            .interact_text()
    })
}

/// The writer for logs: stderr, above status lines. Takes whole lines and escapes hidden characters.
#[derive(Clone, Copy, Debug)]
pub enum Log {
    Text,
    /// A JSON object a line.
    Json,
}

impl Write for Log {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(lines);
        let shown = match self {
            Self::Text => escape::escape_log_lines(&text),
            Self::Json => escape::escape_json(&text),
        };
        MOVING.suspend(|| std::io::stderr().write_all(shown.as_bytes()))?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Clears status lines and progress bars before the process exits.
pub fn clear() {
    // Without a terminal there is nothing to clear.
    _ = MOVING.clear();
}

/// Shows the result of `text` in a line under the log until the future is dropped, if `wanted` and on a terminal. Never
/// ends by itself; without a terminal it only waits.
pub async fn live_line(wanted: bool, text: impl Fn() -> String) -> Infallible {
    if !wanted || MOVING.is_hidden() {
        return std::future::pending().await;
    }
    let line = TemporaryLine(MOVING.add(ProgressBar::no_length()));
    // As in progress_bar.
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        line.0.set_style(style);
    }
    let mut ticks = tokio::time::interval(REFRESH);
    loop {
        ticks.tick().await;
        let text = escape_line(&text());
        if line.0.message() != text {
            line.0.set_message(text);
        }
    }
}

/// Whether status lines and progress bars are shown.
pub fn shows_progress() -> bool {
    !MOVING.is_hidden()
}

/// A line that shows the current action on a subject, until it is dropped.
#[derive(Debug)]
pub struct StatusLine(TemporaryLine);

impl StatusLine {
    pub fn set_status(&self, what: &str) {
        self.0.0.set_message(escape_line(what));
    }
}

/// Shows a status line for `subject`; hidden without a terminal.
pub fn status_line(subject: &str) -> StatusLine {
    let line = TemporaryLine(MOVING.add(ProgressBar::new_spinner()));
    // As in progress_bar.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg}") {
        line.0.set_style(style);
    }
    line.0.set_prefix(escape_line(subject));
    line.0.enable_steady_tick(REFRESH);
    StatusLine(line)
}

/// A line that is cleared when it is dropped.
#[derive(Debug)]
struct TemporaryLine(ProgressBar);

impl Drop for TemporaryLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows a progress bar; hidden without a terminal. The caller advances it, and removes it with `finish_and_clear`.
pub fn progress_bar(total: usize, what: &'static str) -> ProgressBar {
    let bar = MOVING.add(ProgressBar::new(total as u64));
    // The template is a constant; should it be invalid, the default style is used.
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
        let text = align_columns(&["NAME", "PHASE"], rows, None, false);
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
            let text = align_columns(
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
        let coloured = align_columns(
            &["NAME", "PHASE"],
            [vec!["a".to_owned(), "Failed".to_owned()]],
            None,
            true,
        );
        assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    }

    #[test]
    fn a_cell_of_500_characters_leaves_room_for_the_others() {
        let long = "0123456789".repeat(50);
        for (place, width) in [(0, 80), (3, 80), (6, 80), (3, 140)] {
            let mut row = ["web", "data", "Pending", "fast", "10Gi", "RWX", "5m"]
                .map(str::to_owned)
                .to_vec();
            row[place] = long.clone();
            let headings = ["NAMESPACE", "CLAIM", "PHASE", "CLASS", "SIZE", "MODES", "AGE"];
            let text = align_columns(&headings, [row.clone()], Some(width), false);
            assert_eq!(text.lines().count(), 2, "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
            for cell in headings
                .iter()
                .copied()
                .chain(row.iter().map(String::as_str))
                .filter(|cell| *cell != long)
            {
                assert!(text.contains(cell), "{cell} is cut off: {text}");
            }
            assert!(text.contains("0123456789") && text.contains('…'), "{text}");
            // Without a terminal, for grep and cut, it is whole.
            let whole = align_columns(&headings, [row], None, false);
            assert!(whole.lines().count() == 2 && whole.contains(&long), "{whole}");
        }
    }

    #[test]
    fn a_table_without_headings_has_its_rows_alone() {
        let rows = || [vec!["a".to_owned(), "Bound".to_owned()]];
        assert_eq!(format_table(&["NAME", "PHASE"], rows()), "NAME  PHASE\na     Bound\n");
        assert_eq!(format_table(&[], rows()), "a  Bound\n");
        assert_eq!(format_table(&[], []), "");
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let value = json!({
            "claims": [{"name": "a", "empty": [], "none": null, "deep": {"list": [[1, 2], [], ["yes"]]}}, "0777"],
            "odd: key": "x: y\n- z # \u{1b}[2J \u{202e} \u{9b}", "number": 1.5, "truth": true, "object": {},
        });
        let from_yaml: Value = serde_yaml::from_str(&to_yaml(&value)).unwrap();
        let from_json: Value = serde_json::from_str(&to_json(&value)).unwrap();
        assert_eq!(from_yaml, value);
        assert_eq!(from_json, value);
        for text in [to_yaml(&value), to_json(&value)] {
            assert!(text.chars().all(|c| c == '\n' || !escape::is_hidden(c)), "{text:?}");
        }
        assert_eq!(to_yaml(&json!([])), "[]\n");
    }
}
