//! Where texts in quotation marks end (PURE): in YAML and for shells, or in units of systemd.

/// How a text escapes characters in quotation marks.
#[derive(Clone, Copy, Default)]
pub(super) struct Quoting {
    /// Whether `\'` is a part of a text in single quotation marks, as in units of systemd. In YAML and for shells it
    /// ends the text.
    escapes_in_single: bool,
}

impl Quoting {
    /// The quoting of a unit for a text that begins with a section such as `[Service]`, else that of YAML and shells.
    pub(super) fn of_text(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
        let section = first.and_then(|line| line.strip_prefix('[')?.strip_suffix(']'));
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-');
        Self {
            escapes_in_single: section.is_some_and(is_name),
        }
    }

    /// Whether a backslash escapes the next character in a text in these quotation marks.
    fn escapes_in(self, mark: char) -> bool {
        mark == '"' || self.escapes_in_single
    }

    /// The quotation mark that is open after `c`, which follows `before`. A mark after a letter or digit opens none, and
    /// an escaped one closes none.
    pub(super) fn next_quotation(self, open: Option<char>, before: &str, c: char) -> Option<char> {
        let follows_letter = || before.ends_with(char::is_alphanumeric);
        let is_escaped = || before.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        match (open, c) {
            (None, '\'' | '"') if !follows_letter() => Some(c),
            (Some(quote), _) if quote == c && self.escapes_in(quote) && is_escaped() => open,
            (Some(quote), _) if quote == c => None,
            _ => open,
        }
    }

    /// The length in bytes of a quoted text in one line, from behind its opening mark to its closing one; without that,
    /// to the line's end. And whether the closing mark is there. Marks that are escaped, as `\"` or `''`, are a part of
    /// the text.
    pub(super) fn quoted_length(self, text: &str, mark: char) -> (usize, bool) {
        let text = text.trim_end_matches(['\n', '\r']);
        let mut letters = text.char_indices().peekable();
        while let Some((at, c)) = letters.next() {
            let is_doubled = mark == '\'' && c == mark && letters.peek().is_some_and(|(_, next)| *next == mark);
            if is_doubled || (c == '\\' && self.escapes_in(mark)) {
                letters.next();
            } else if c == mark {
                return (at, true);
            }
        }
        (text.len(), false)
    }

    /// The length in bytes of the word with which a text begins, to the next space that is neither in quotation marks
    /// nor after a backslash; and the mark that is open at the end of the line.
    pub(super) fn shell_word(self, text: &str) -> (usize, Option<char>) {
        let text = text.trim_end_matches(['\n', '\r']);
        let mut open = None;
        let mut letters = text.char_indices();
        while let Some((at, c)) = letters.next() {
            match (open, c) {
                (_, '\\') if open.is_none_or(|mark| self.escapes_in(mark)) => _ = letters.next(),
                (None, '"' | '\'') => open = Some(c),
                (Some(mark), _) if c == mark => open = None,
                (None, c) if c.is_whitespace() => return (at, None),
                _ => {}
            }
        }
        (text.len(), open)
    }
}
