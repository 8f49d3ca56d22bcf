//! Masks secrets in texts that are shown: configuration of K3s and RKE2, systemd units, manifests (PURE).
//!
//! A text is read a line at a time, by the forms in which a value follows its name: `token: VALUE`, `--token VALUE`,
//! `-t VALUE`, `--token=VALUE`, `K3S_TOKEN=VALUE`, a name and its value on lines of their own, and
//! `scheme://user:VALUE@host`. A value may be a scalar of YAML over several lines.
//! Text that only looks like a secret is masked, too; no secret of these forms is shown.

mod quotation;

use quotation::Quoting;

/// Replaces a secret.
pub(super) const HIDDEN: &str = "(hidden)";
/// Replaces a secret that the text before does not contain, or not in this line, so that a change is visible.
pub(super) const CHANGED: &str = "(hidden, changed)";

/// Names of secrets: what ends in one of them, with `_` as `-`, in upper or lower case, is one too.
const SECRETS: [&str; 11] = [
    "token",
    "password",
    "passwd",
    "secret",
    "secret-key",
    "secretkey",
    "access-key",
    "accesskey",
    "joinkey",
    "datastore-endpoint",
    "vpn-auth",
];

/// Masks the secrets of the text before and after a change. A secret that only the text after has is marked as changed;
/// all others get the same mask.
pub(super) fn mask_secrets(before: &str, after: &str) -> (String, String) {
    let mut known = Vec::new();
    let shown_before = mask_text(before, &mut |secret| {
        known.push(secret.to_owned());
        HIDDEN
    });
    let shown_after = mask_text(after, &mut |secret| match known.iter().any(|known| known == secret) {
        true => HIDDEN,
        false => CHANGED,
    });
    (shown_before, shown_after)
}

/// Replaces each secret of a text by the word that `mask_for` returns for it.
fn mask_text(text: &str, mask_for: &mut dyn FnMut(&str) -> &'static str) -> String {
    let mut mask = Mask {
        quoting: Quoting::of_text(text),
        ..Mask::default()
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (line, following) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
        mask.following = following;
        shown.push_str(&mask.mask_line(line, mask_for));
        rest = following;
    }
    shown
}

/// What the lines before and after say of the current one.
#[derive(Default)]
struct Mask<'a> {
    quoting: Quoting,
    /// The lines after the current one.
    following: &'a str,
    /// How many brackets of YAML's flow style or JSON are open. A bracket in a plain text counts, too: then more is
    /// masked.
    brackets: usize,
    /// The next word is a secret.
    expected: bool,
    /// The last `name:` was a secret's, so that the next `value:` is one.
    named: bool,
    /// The value that goes on in the next line, if any.
    open: Option<Open>,
}

/// A value of YAML over several lines.
#[derive(Clone, Copy)]
enum Open {
    /// A secret up to this quotation mark.
    Quoted(char),
    /// A secret as long as lines are indented further than this: a block scalar, or a plain one.
    Indented(usize),
    /// What a secret's name is followed by: an indented scalar, or a list of scalars, is a secret; a map is none.
    Below(usize),
    /// A plain secret between brackets, or a line between its name and it: it goes on in lines that are no entry of a
    /// map, however they are indented, and in those that are indented further than this.
    Flow(usize),
}

impl Mask<'_> {
    /// Masks the secrets of one line; a secret may have been announced by an earlier line.
    fn mask_line(&mut self, line: &str, mask_for: &mut dyn FnMut(&str) -> &'static str) -> String {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let content = line.trim();
        let mut shown = String::with_capacity(line.len());
        let (mut at, mut quote) = (0, None);
        match self.open {
            Some(Open::Quoted(mark)) => {
                let (length, is_closed) = self.quoting.quoted_length(&line[indent..], mark);
                let (secret, rest) = line[indent..].split_at(length);
                shown.push_str(&line[..indent]);
                if length > 0 {
                    shown.push_str(mask_for(secret));
                }
                if !is_closed {
                    return shown + rest;
                }
                (at, quote, self.open) = (indent + length, Some(mark), None);
                let tail = self.length_after_quotation(&line[at..], quote);
                if tail > 0 {
                    shown.push(mark);
                    shown.push_str(mask_for(&line[at + 1..at + tail]));
                    (at, quote) = (at + tail, None);
                }
            }
            Some(Open::Flow(_)) if content.is_empty() => return line.to_owned(),
            Some(Open::Flow(limit)) if continues_flow(content, indent > limit) => {
                self.mask_flow(content, limit);
                return line.replacen(content, mask_for(content), 1);
            }
            Some(Open::Indented(_) | Open::Below(_)) if content.is_empty() => return line.to_owned(),
            Some(Open::Indented(limit)) if indent > limit => return line.replacen(content, mask_for(content), 1),
            Some(Open::Below(limit)) if indent > limit && !is_map(content) => {
                self.open = Some(Open::Indented(limit));
                return line.replacen(content, mask_for(content), 1);
            }
            // A list may be indented as little as its key.
            Some(Open::Below(limit)) if indent == limit && content.starts_with("- ") && !is_map(content) => {
                return line.replacen(&content[2..], mask_for(&content[2..]), 1);
            }
            _ => self.open = None,
        }
        let is_comment = at == 0 && content.starts_with(['#', ';']);
        while let Some(c) = line[at..].chars().next() {
            let (length, secret) = match is_separator(c) {
                true => (c.len_utf8(), 0),
                false => self.find_secret(line, at, quote),
            };
            let (before, after) = line[at..].split_at(length);
            for (offset, c) in before.char_indices() {
                let next = self.quoting.next_quotation(quote, &line[..at + offset], c);
                if quote.is_none() && next.is_none() && !is_comment {
                    self.count_brackets(c.encode_utf8(&mut [0; 4]));
                }
                quote = next;
            }
            shown.push_str(before);
            at += length + secret;
            if secret > 0 {
                shown.push_str(mask_for(&after[..secret]));
                let tail = self.length_after_quotation(&line[at..], quote);
                if let Some(mark) = quote.filter(|_| tail > 0) {
                    shown.push(mark);
                    shown.push_str(mask_for(&line[at + 1..at + tail]));
                    (at, quote) = (at + tail, None);
                }
            }
        }
        if is_comment {
            self.open = None;
        }
        shown
    }

    /// For the word of `line` at the byte `at`: the number of bytes to show, and the number of bytes of a secret after
    /// them, 0 if there is none. `quote` is the quotation mark that is open there. Notes whether a secret follows
    /// later.
    fn find_secret(&mut self, line: &str, at: usize, quote: Option<char>) -> (usize, usize) {
        let rest = &line[at..];
        let length = rest.find(is_separator).unwrap_or(rest.len());
        let word = &rest[..length];
        if self.expected {
            // What stands between a flag and its value on the next line.
            if matches!(word, "-" | "\\") {
                return (length, 0);
            }
            self.expected = false;
            // A flag whose value was left out.
            if !word.starts_with("--") {
                return self.find_value(line, at, quote);
            }
        }
        // user:PASSWORD@ of a URL, which may hold what else ends a word.
        if let Some(scheme) = word.find("://") {
            let whole = match quote {
                Some(mark) => &rest[..self.quoting.quoted_length(rest, mark).0],
                None => &rest[..self.quoting.shell_word(rest).0],
            };
            let user = scheme + "://".len();
            let at = whole.rfind('@').filter(|at| *at > user);
            if let Some((at, colon)) = at.and_then(|at| Some((at, user + whole[user..at].find(':')? + 1))) {
                return (colon, at - colon);
            }
        }
        // Each name before a sign of equality, as in Environment=K3S_TOKEN=…
        let mut from = 0;
        while let Some(equals) = word[from..].find('=').map(|at| from + at) {
            if is_secret(&word[from..equals]) {
                let start = equals + 1;
                let next = rest[start..].chars().next();
                if let Some(mark @ ('"' | '\'')) = next.filter(|_| next != quote) {
                    return (start + 1, self.quoted_secret(&rest[start + 1..], mark));
                }
                // An item of a list is one argument, even if it has spaces.
                if let Some(dash) = dash_before(line, at).filter(|_| quote.is_none()) {
                    self.open = Some(Open::Indented(dash));
                    return (start, rest.trim_end().len().saturating_sub(start));
                }
                return (start, self.find_value(line, at + start, quote).1);
            }
            from = equals + 1;
        }
        match after_colon(rest, length) {
            Some((key, start)) => self.find_yaml_secret(key, line, at, start, quote),
            None => {
                self.expected = word == "-t" || word.starts_with('-') && is_secret(word);
                (length, 0)
            }
        }
    }

    /// As [`Self::find_secret`], for a word with which a secret value begins: it goes on to the end of the quotation,
    /// of an item of a YAML list or, between brackets, of the line, or else to the next space. Of a block scalar, the
    /// first line is shown.
    fn find_value(&mut self, line: &str, at: usize, quote: Option<char>) -> (usize, usize) {
        let rest = &line[at..];
        match (quote, dash_before(line, at)) {
            (Some(mark), _) => (0, self.quoted_secret(rest, mark)),
            (None, Some(dash)) => {
                self.open = Some(Open::Indented(dash));
                let text = rest.trim_end().len();
                if rest.starts_with(['|', '>']) {
                    (text, 0)
                } else {
                    (0, text)
                }
            }
            (None, None) if self.brackets > 0 => {
                let text = rest.trim_end();
                self.mask_flow(text, first_node(line));
                (0, text.len())
            }
            (None, None) => {
                let (length, open) = self.quoting.shell_word(rest);
                self.open = open.map(Open::Quoted);
                (0, length)
            }
        }
    }

    /// Notes that `text`, between brackets, is masked: the secret goes on in the next line if a quotation mark or a
    /// bracket is still open. `limit` is the column of the secret's key.
    fn mask_flow(&mut self, text: &str, limit: usize) {
        let mark = text.chars().next().filter(|c| matches!(c, '"' | '\''));
        self.open = match mark.filter(|mark| !self.quoting.quoted_length(&text[1..], *mark).1) {
            Some(mark) => Some(Open::Quoted(mark)),
            None => {
                self.count_brackets(text);
                (self.brackets > 0).then_some(Open::Flow(limit))
            }
        };
    }

    /// Counts all brackets in `text`, also those in quotation marks; closing ones never below 0.
    fn count_brackets(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '{' | '[' => self.brackets += 1,
                '}' | ']' => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The number of bytes of a secret that goes on after its quotation, as in `--token='a'b`, the mark included; 0 if
    /// it doesn't. `text` begins with the mark. Between brackets a quotation is a value of its own.
    fn length_after_quotation(&self, text: &str, quote: Option<char>) -> usize {
        let after = quote.and_then(|mark| text.strip_prefix(mark));
        match after.map_or(0, |after| self.quoting.shell_word(after).0) {
            0 => 0,
            _ if self.brackets > 0 => 0,
            length => 1 + length,
        }
    }

    /// For a `value` that stands before its `name`: whether a secret's name comes after it, in the rest of its line or
    /// in the lines of the same map. These are indented as far as `column`, or between brackets go on to the next `}`.
    fn secret_name_follows(&self, rest: &str, column: usize) -> bool {
        let mut is_closed = self.brackets > 0 && rest.contains('}');
        let is_of_map = |line: &&str| {
            let indent = line.len() - line.trim_start_matches(' ').len();
            let goes_on = match self.brackets {
                0 => indent >= column || line.trim().is_empty(),
                _ => !is_closed,
            };
            is_closed = line.contains('}');
            goes_on
        };
        names_secret(rest) || self.following.lines().take_while(is_of_map).any(names_secret)
    }

    /// The number of bytes of a secret in quotation marks, of which the first is before `text`; notes if it goes on in
    /// the next line.
    fn quoted_secret(&mut self, text: &str, mark: char) -> usize {
        let (length, is_closed) = self.quoting.quoted_length(text, mark);
        if !is_closed {
            self.open = Some(Open::Quoted(mark));
        }
        length
    }

    /// As [`Self::find_secret`], for the key `key` of YAML or JSON at the byte `at`, whose value begins `start` bytes
    /// after that. The values true, false and null are no secrets.
    fn find_yaml_secret(
        &mut self,
        key: &str,
        line: &str,
        at: usize,
        start: usize,
        quote: Option<char>,
    ) -> (usize, usize) {
        let (before, value) = line[at..].split_at(start);
        let text = value.trim_end();
        let bare = text.trim_matches(['"', '\'']);
        if key == "name" {
            let name = bare.split(is_separator).next().unwrap_or_default();
            self.named = is_secret(name);
        }
        let column = first_node(line);
        let is_value = key == "value" && (std::mem::take(&mut self.named) || self.secret_name_follows(value, column));
        if !(is_value || is_secret(key)) || matches!(bare, "true" | "false" | "null" | "~") {
            return (start, 0);
        }
        match (text.chars().next(), quote) {
            // The whole is a string in quotation marks.
            (_, Some(mark)) if !before.contains(mark) => (start, self.quoted_secret(value, mark)),
            (None | Some('#'), _) => {
                self.open = Some(match self.brackets {
                    0 => Open::Below(column),
                    _ => Open::Flow(column),
                });
                (start, 0)
            }
            (Some('|' | '>'), _) => {
                self.open = Some(Open::Indented(column));
                (start + text.len(), 0)
            }
            (Some(mark @ ('"' | '\'')), _) => (start + 1, self.quoted_secret(&value[1..], mark)),
            _ if self.brackets > 0 => {
                self.mask_flow(text, column);
                (start, text.len())
            }
            _ => {
                self.open = Some(Open::Indented(column));
                (start, text.len())
            }
        }
    }
}

/// The byte at which the first key or value of a line begins, after its indentation and the dashes of lists.
fn first_node(line: &str) -> usize {
    let mut at = 0;
    loop {
        at += line[at..].len() - line[at..].trim_start_matches(' ').len();
        match line[at..].starts_with("- ") {
            true => at += 1,
            false => return at,
        }
    }
}

/// The byte of the last dash before `at`, if the word there is the first of an item of a list.
fn dash_before(line: &str, at: usize) -> Option<usize> {
    let before = line[..at].trim_end_matches(' ');
    (at == first_node(line) && before.ends_with('-')).then(|| before.len() - 1)
}

/// Whether the text of a line is a map's key, perhaps with its value, also in an item of a list.
fn is_map(content: &str) -> bool {
    let text = &content[first_node(content)..];
    let text = text.split(" #").next().unwrap_or_default().trim_end();
    match text.chars().next() {
        Some(mark @ ('"' | '\'')) => {
            let (length, _) = Quoting::default().quoted_length(&text[1..], mark);
            let after = text[1 + length..].trim_start_matches(mark);
            after.trim_start().starts_with(':')
        }
        _ => text.contains(": ") || text.ends_with(':'),
    }
}

/// Whether a character ends a word.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || "'\",[]{}".contains(c)
}

/// Whether a line between brackets goes on with the plain text of the line before: it begins with neither an entry of a
/// map nor the end of one. `is_indented` says that it is indented further than the text's key.
fn continues_flow(content: &str, is_indented: bool) -> bool {
    let mut entries = content.split([',', ']', '}']);
    let entry = entries.next().unwrap_or_default().trim();
    match entry {
        "" => is_indented && entries.any(|entry| !entry.trim().is_empty()),
        entry => !is_map(entry),
    }
}

/// Whether a text has the key `name` with the name of a secret.
fn names_secret(text: &str) -> bool {
    text.match_indices("name").any(|(at, key)| {
        let is_key = !text[..at].ends_with(|c: char| c.is_alphanumeric() || "-_.".contains(c));
        let after = text[at + key.len()..].trim_start_matches(['"', '\'', ' ']);
        let value = after.strip_prefix(':').unwrap_or_default();
        let value = value.trim_start_matches(['"', '\'', ' ']);
        is_key && is_secret(value.split(is_separator).next().unwrap_or_default())
    })
}

/// If the first `length` bytes are a key, followed by a colon and a space, a quotation mark or the end: the key, and
/// the byte where its value begins. `None` if they are none.
fn after_colon(rest: &str, length: usize) -> Option<(&str, usize)> {
    let word = &rest[..length];
    let (key, colon) = match word.strip_suffix(':') {
        Some(key) => (key, length),
        None => {
            let quoted = rest[length..].trim_start_matches(['"', '\'']);
            let after = quoted.trim_start_matches(' ').strip_prefix(':')?;
            (word, rest.len() - after.len())
        }
    };
    let after = &rest[colon..];
    let space = after.len() - after.trim_start_matches(' ').len();
    let ends = after.trim().is_empty() || space > 0 || after.starts_with(['"', '\'']);
    ends.then_some((key, colon + space))
}

/// Whether a name, without dashes at its beginning, ends in one of [`SECRETS`].
fn is_secret(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_lowercase().replace('_', "-");
    SECRETS.iter().any(|secret| name.ends_with(secret))
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
