//! Masks secrets in texts that are shown: configuration of K3s and RKE2, systemd units, manifests (PURE).
//!
//! A text is read a line at a time, by the forms in which a value follows its name: `token: VALUE`, `--token VALUE`,
//! `--token=VALUE`, `K3S_TOKEN=VALUE`, a name and its value on lines of their own, and `scheme://user:VALUE@host`.
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

/// The state between lines.
#[derive(Default)]
struct Mask {
    /// The next word is a secret.
    expected: bool,
    /// The last `name:` was a secret's, so that the next `value:` is one.
    named: bool,
    /// The lines of a block scalar are a secret as long as they are indented further than this.
    block: Option<usize>,
}

impl Mask {
    /// Masks the secrets of one line; a secret may have been announced by an earlier line.
    fn mask_line(&mut self, line: &str, mask_for: &mut dyn FnMut(&str) -> &'static str) -> String {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if let Some(limit) = self.block {
            let content = line.trim();
            if content.is_empty() {
                return line.to_owned();
            }
            if indent > limit {
                return line.replacen(content, mask_for(content), 1);
            }
            self.block = None;
        }
        let mut shown = String::with_capacity(line.len());
        let mut rest = line;
        let mut quote = None;
        while let Some(c) = rest.chars().next() {
            let (length, secret) = match is_separator(c) {
                true => (c.len_utf8(), 0),
                false => self.find_secret(rest, quote),
            };
            let (before, after) = rest.split_at(length);
            quote = before.chars().fold(quote, next_quotation);
            shown.push_str(before);
            if secret > 0 {
                shown.push_str(mask_for(&after[..secret]));
            }
            rest = &after[secret..];
            if self.block == Some(usize::MAX) {
                self.block = Some(indent);
            }
        }
        shown
    }

    /// For `rest`, which begins with a word: the number of bytes to show, and the number of bytes of a secret after
    /// them, 0 if there is none. `quote` is the quotation mark that is open there. Notes whether a secret follows
    /// later.
    fn find_secret(&mut self, rest: &str, quote: Option<char>) -> (usize, usize) {
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
                return (0, value_length(rest, quote));
            }
        }
        // user:PASSWORD@ of a URL, which may hold what else ends a word.
        if let Some(scheme) = word.find("://") {
            let whole = &rest[..value_length(rest, quote)];
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
                if start == length && rest[length..].starts_with(['\'', '"']) {
                    self.expected = true;
                    return (length, 0);
                }
                return (start, value_length(&rest[start..], quote));
            }
            from = equals + 1;
        }
        match after_colon(rest, length) {
            Some((key, start)) => self.find_yaml_secret(key, rest, start),
            None => {
                self.expected = word.starts_with('-') && is_secret(word);
                (length, 0)
            }
        }
    }

    /// As [`Self::find_secret`], for a word that is a key of YAML or JSON whose value begins at `start`.
    fn find_yaml_secret(&mut self, key: &str, rest: &str, start: usize) -> (usize, usize) {
        let text = rest[start..].trim_end();
        let bare = text.trim_matches(['"', '\'']);
        if key == "name" {
            let name = bare.split(is_separator).next().unwrap_or_default();
            self.named = is_secret(name);
        }
        let is_value = key == "value" && std::mem::take(&mut self.named);
        if !(is_value || is_secret(key)) || matches!(bare, "" | "true" | "false" | "null" | "~") {
            return (start, 0);
        }
        match text.chars().next() {
            Some('|' | '>') => {
                // The caller replaces this by the line's indentation.
                self.block = Some(usize::MAX);
                (start + text.len(), 0)
            }
            Some('"' | '\'') => {
                self.expected = true;
                (start, 0)
            }
            _ => (start, text.len()),
        }
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || "'\",[]{}".contains(c)
}

/// The quotation mark that is open after `c`.
fn next_quotation(open: Option<char>, c: char) -> Option<char> {
    match (open, c) {
        (None, '\'' | '"') => Some(c),
        (Some(quote), _) if quote == c => None,
        _ => open,
    }
}

/// The length in bytes of a value: up to the end of the open quotation `quote` or of the line, without one to the next
/// space.
fn value_length(rest: &str, quote: Option<char>) -> usize {
    let ends = |c: char| match quote {
        Some(quote) => c == quote || c == '\n',
        None => c.is_whitespace(),
    };
    rest.find(ends).unwrap_or(rest.len())
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
            // Lists of arguments
            ("- --token=s3cret,x\n", "- --token=(hidden)\n"),
            ("- \"token=s3 cret\"\n", "- \"token=(hidden)\"\n"),
            ("- --token\n- s3cret\n- x\n", "- --token\n- (hidden)\n- x\n"),
            (
                r#"args: ["server", "--token", "s3cret", "--x"]"#,
                r#"args: ["server", "--token", "(hidden)", "--x"]"#,
            ),
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
