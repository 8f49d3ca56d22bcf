//! Words of a shell's command line or script (PURE).

/// A word in single quotes, which no POSIX shell expands or splits; it may hold any text but a zero byte.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A word of a shell's command line, quoted where it has to be.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => quote(text),
    }
}

/// A line that makes these words a script's positional parameters, each as it is: `for word do` takes one after the
/// other.
pub fn arguments(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("set -- {}\n", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        for (text, quoted) in [
            ("a-b/c", "a-b/c"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(shell_word(text), quoted);
        }
    }
}
