//! Masks secrets in texts that are shown: configuration of K3s and RKE2, systemd units, manifests (PURE).
//!
//! A text is read a line at a time, by the forms in which a value follows its name: `token: VALUE`, `--token VALUE`,
//! `--token=VALUE`, `K3S_TOKEN=VALUE`, a name and its value on lines of their own, and `scheme://user:VALUE@host`. A
//! value may be a scalar of YAML over several lines.
//! Text that only looks like a secret is masked, too; no secret of these forms is shown.

/// Replaces a secret.
const HIDDEN: &str = "(hidden)";
/// Replaces a secret that the text before does not contain, so that a change is visible.
const CHANGED: &str = "(hidden, changed)";

/// Names of secrets: what ends in one of them, with `_` as `-`, in upper or lower case, is one too.
const SECRETS: [&str; 7] = [
    "token",
    "password",
    "passwd",
    "secret",
    "secret-key",
    "access-key",
    "datastore-endpoint",
];

/// Masks the secrets of the text before and after a change, so that equal secrets have equal masks.
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
    let mut mask = Mask::default();
    let lines = text.split_inclusive('\n');
    lines.map(|line| mask.mask_line(line, mask_for)).collect()
}

/// What the lines before say of the next one.
#[derive(Default)]
struct Mask {
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
}

impl Mask {
    /// Masks the secrets of one line; a secret may have been announced by an earlier line.
    fn mask_line(&mut self, line: &str, mask_for: &mut dyn FnMut(&str) -> &'static str) -> String {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let content = line.trim();
        let mut shown = String::with_capacity(line.len());
        let (mut at, mut quote) = (0, None);
        match self.open {
            Some(Open::Quoted(mark)) => {
                let (length, is_closed) = quoted_length(&line[indent..], mark);
                let (secret, rest) = line[indent..].split_at(length);
                shown.push_str(&line[..indent]);
                if length > 0 {
                    shown.push_str(mask_for(secret));
                }
                if !is_closed {
                    return shown + rest;
                }
                (at, quote, self.open) = (indent + length, Some(mark), None);
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
                quote = next_quotation(quote, line[..at + offset].chars().next_back(), c);
            }
            shown.push_str(before);
            if secret > 0 {
                shown.push_str(mask_for(&after[..secret]));
            }
            at += length + secret;
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
                Some(mark) => &rest[..quoted_length(rest, mark).0],
                None => word_to_space(rest),
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
                let is_item = quote.is_none() && dash_before(line, at).is_some();
                let (_, secret) = self.find_value(line, if is_item { at } else { at + start }, quote);
                return (start, if is_item { secret - start } else { secret });
            }
            from = equals + 1;
        }
        match after_colon(rest, length) {
            Some((key, start)) => self.find_yaml_secret(key, line, at, start, quote),
            None => {
                self.expected = word.starts_with('-') && is_secret(word);
                (length, 0)
            }
        }
    }

    /// As [`Self::find_secret`], for a word with which a secret value begins: it goes on to the end of the quotation,
    /// of an item of a YAML list, or else to the next space.
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
            (None, None) => (0, word_to_space(rest).len()),
        }
    }

    /// The number of bytes of a secret in quotation marks, of which the first is before `text`; notes if it goes on in
    /// the next line.
    fn quoted_secret(&mut self, text: &str, mark: char) -> usize {
        let (length, is_closed) = quoted_length(text, mark);
        if !is_closed {
            self.open = Some(Open::Quoted(mark));
        }
        length
    }

    /// As [`Self::find_secret`], for a word that is a key of YAML or JSON whose value begins `start` bytes after the
    /// word.
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
        let is_value = key == "value" && std::mem::take(&mut self.named);
        if !(is_value || is_secret(key)) || matches!(bare, "true" | "false" | "null" | "~") {
            return (start, 0);
        }
        let column = first_node(line);
        match (text.chars().next(), quote) {
            // The whole is a string in quotation marks.
            (_, Some(mark)) if !before.contains(mark) => (start, self.quoted_secret(value, mark)),
            (None | Some('#'), _) => {
                self.open = Some(Open::Below(column));
                (start, 0)
            }
            (Some('|' | '>'), _) => {
                self.open = Some(Open::Indented(column));
                (start + text.len(), 0)
            }
            (Some(mark @ ('"' | '\'')), _) => (start + 1, self.quoted_secret(&value[1..], mark)),
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
            let (length, _) = quoted_length(&text[1..], mark);
            let after = text[1 + length..].trim_start_matches(mark);
            after.trim_start().starts_with(':')
        }
        _ => text.contains(": ") || text.ends_with(':'),
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || "'\",[]{}".contains(c)
}

/// The quotation mark that is open after `c`. An apostrophe in a word opens none, and an escaped mark closes none.
fn next_quotation(open: Option<char>, previous: Option<char>, c: char) -> Option<char> {
    match (open, c) {
        (None, '\'' | '"') if !previous.is_some_and(char::is_alphanumeric) => Some(c),
        (Some('"'), '"') if previous == Some('\\') => open,
        (Some(quote), _) if quote == c => None,
        _ => open,
    }
}

/// The length in bytes of a quoted text in one line, without the mark at its end; and whether the mark is there. Marks
/// that are escaped, as `\"` or `''`, are a part of the text.
fn quoted_length(text: &str, mark: char) -> (usize, bool) {
    let text = text.trim_end_matches(['\n', '\r']);
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        let is_doubled = mark == '\'' && c == mark && letters.peek().is_some_and(|(_, next)| *next == mark);
        if is_doubled || (mark == '"' && c == '\\') {
            letters.next();
        } else if c == mark {
            return (at, true);
        }
    }
    (text.len(), false)
}

/// The text up to the next space.
fn word_to_space(text: &str) -> &str {
    text.split(char::is_whitespace).next().unwrap_or_default()
}

/// If the first `length` bytes are a key, followed by a colon and a space: the key, and the byte where its value
/// begins. `None` if they are none.
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

fn is_secret(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_lowercase().replace('_', "-");
    SECRETS.iter().any(|secret| name.ends_with(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_in_every_form_that_they_have() {
        for (text, shown) in [
            // YAML
            ("token: s3cret\nnode-name: a\n", "token: (hidden)\nnode-name: a\n"),
            ("agent-token: \"s3 cret\"\n", "agent-token: \"(hidden)\"\n"),
            ("\"agent-token\": \"s3cret\"\n", "\"agent-token\": \"(hidden)\"\n"),
            ("  - password: 's3cret'  # x\n", "  - password: '(hidden)'  # x\n"),
            ("secret : s3cret, too\n", "secret : (hidden)\n"),
            (
                "datastore-endpoint: mysql://u:s3cret@tcp(db:3306)/k3s\n",
                "datastore-endpoint: (hidden)\n",
            ),
            (
                "token: |\n  s3cret\n\n  s3cret2\na: b\n",
                "token: |\n  (hidden)\n\n  (hidden)\na: b\n",
            ),
            (r#"{"token": "s3cret", "a": 1}"#, r#"{"token": "(hidden)", "a": 1}"#),
            (
                "token: s3cret\n  s3cret2\n\n  s3cret3\na: b\n",
                "token: (hidden)\n  (hidden)\n\n  (hidden)\na: b\n",
            ),
            (
                "token:\n  s3cret\n  s3cret2\na: b\n",
                "token:\n  (hidden)\n  (hidden)\na: b\n",
            ),
            ("token:\n  's3cret: a'\na: b\n", "token:\n  (hidden)\na: b\n"),
            ("token:\n  - s3cret\n- a: b\n", "token:\n  (hidden)\n- a: b\n"),
            (
                "token:\n- s3cret\n- s3cret2\na: b\n",
                "token:\n- (hidden)\n- (hidden)\na: b\n",
            ),
            (
                "token: \"s3 \\\"cret\n  s3cret2\n\n  s3cret3\" # x\na: b\n",
                "token: \"(hidden)\n  (hidden)\n\n  (hidden)\" # x\na: b\n",
            ),
            ("token: \"\n  s3cret\"\na: b\n", "token: \"\n  (hidden)\"\na: b\n"),
            (
                "token: 's3''cret\n  s3cret2'\na: b\n",
                "token: '(hidden)\n  (hidden)'\na: b\n",
            ),
            (
                "token: >-\n  s3cret\n  s3cret2\na: b\n",
                "token: >-\n  (hidden)\n  (hidden)\na: b\n",
            ),
            (
                "- token: s3cret\n    s3cret2\n  a: b\n- c\n",
                "- token: (hidden)\n    (hidden)\n  a: b\n- c\n",
            ),
            ("- token: |\n    s3cret\n  a: b\n", "- token: |\n    (hidden)\n  a: b\n"),
            (
                "- name: A_TOKEN\n  value: 's3cret\n    s3cret2'\n- name: A\n  value: b\n",
                "- name: A_TOKEN\n  value: '(hidden)\n    (hidden)'\n- name: A\n  value: b\n",
            ),
            (
                "{\"token\": \"s3cret\n  s3cret2\", \"a\": 1}\n",
                "{\"token\": \"(hidden)\n  (hidden)\", \"a\": 1}\n",
            ),
            // Lists of arguments
            (
                "- --token=s3 cret\n  s3cret2\n- a\n",
                "- --token=(hidden)\n  (hidden)\n- a\n",
            ),
            (
                "- --token\n- s3 cret\n  s3cret2\n- a\n",
                "- --token\n- (hidden)\n  (hidden)\n- a\n",
            ),
            ("- --token\n- |\n  s3cret\n- a\n", "- --token\n- |\n  (hidden)\n- a\n"),
            (
                "- --token\n- \"s3\n  cret\"\n- a\n",
                "- --token\n- \"(hidden)\n  (hidden)\"\n- a\n",
            ),
            (
                "- '--token=s3\n  cret'\n- \"token: s3\n  cret\"\n- a\n",
                "- '--token=(hidden)\n  (hidden)'\n- \"token: (hidden)\n  (hidden)\"\n- a\n",
            ),
            ("- --token=s3cret,x\n", "- --token=(hidden)\n"),
            ("- \"token=s3 cret\"\n", "- \"token=(hidden)\"\n"),
            ("- --token\n- s3cret\n- x\n", "- --token\n- (hidden)\n- x\n"),
            (
                r#"args: ["server", "--token", "s3cret", "--x"]"#,
                r#"args: ["server", "--token", "(hidden)", "--x"]"#,
            ),
            ("# token: s3cret\n  a b\n", "# token: (hidden)\n  a b\n"),
            // Units
            (
                "ExecStart=/usr/local/bin/k3s server --token s3cret --disable x\n",
                "ExecStart=/usr/local/bin/k3s server --token (hidden) --disable x\n",
            ),
            (
                "    server \\\n\t'--token' \\\n\t's3cret' \\\n\t'--x' \\\n",
                "    server \\\n\t'--token' \\\n\t'(hidden)' \\\n\t'--x' \\\n",
            ),
            (
                "Environment=K3S_TOKEN=s3cret A=b\n",
                "Environment=K3S_TOKEN=(hidden) A=b\n",
            ),
            (
                "Environment=\"K3S_TOKEN=s3 cret\"\n",
                "Environment=\"K3S_TOKEN=(hidden)\"\n",
            ),
            (
                "Environment=K3S_TOKEN=\"s3 \\\n  cret\" A=b\n",
                "Environment=K3S_TOKEN=\"(hidden)\n  (hidden)\" A=b\n",
            ),
            ("K3S_TOKEN=\"\"\nA=b\n", "K3S_TOKEN=\"\"\nA=b\n"),
            ("K3S_AGENT_TOKEN='s3 cret'\n", "K3S_AGENT_TOKEN='(hidden)'\n"),
            (
                "--datastore-endpoint 'postgres://u:s3cret@db/k3s'\n",
                "--datastore-endpoint '(hidden)'\n",
            ),
            // Manifests
            (
                "- name: \"DB_PASSWORD\"\n  value: \"s3cret\"\n- name: A\n  value: b\n",
                "- name: \"DB_PASSWORD\"\n  value: \"(hidden)\"\n- name: A\n  value: b\n",
            ),
            (
                "HTTP_PROXY=http://ann:s3@cret@proxy:3128\n",
                "HTTP_PROXY=http://ann:(hidden)@proxy:3128\n",
            ),
        ] {
            let (masked, _) = mask_secrets(text, "");
            assert_eq!(masked, shown);
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "token-file: /etc/token\nsecretName: a\nimagePullSecrets: []\n",
            "automountServiceAccountToken: false\npassword:\n  a: b\n",
            "- --enable-bootstrap-token-auth=true\n- --feature-gates=RemoveSelfLink=false\n",
            "server: https://10.0.0.1:6443\nimage: registry.example/a@sha256:00\n",
            "# don't take the token for granted\n",
            "# 'a --token=\n  a b\n",
            "- don't --token=\n- a b\n",
            "secret:\n- secretName: a\n  b: c\n",
            "secret:\n  'a': b\n  c: d\n",
            "kube-apiserver-arg: [\"feature-gates=RemoveSelfLink=false\"]\r\n",
        ] {
            assert_eq!(mask_secrets(text, text), (text.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn that_a_secret_changes_is_told() {
        let (before, after) = mask_secrets("token: one\n", "token: two\nagent-token: one\n");
        assert_eq!(before, "token: (hidden)\n");
        assert_eq!(after, "token: (hidden, changed)\nagent-token: (hidden)\n");
    }
}
