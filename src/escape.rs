//! Escapes text of tenants, clusters, hosts and exports (PURE): characters that would move a terminal's cursor, reverse
//! a text or hide in it are written as escapes.

/// Escapes every hidden character as Rust does, line ends included: `\n`, `\u{1b}`. A backslash stays as it is.
pub fn escape_line(text: &str) -> String {
    escape_hidden(text, |_| false)
}

/// Escapes hidden characters, but not line ends and ESC: the log library colours lines, and escapes ESC in their
/// values.
pub fn escape_log_lines(text: &str) -> String {
    escape_hidden(text, |character| matches!(character, '\n' | '\x1b'))
}

/// Escapes hidden characters, except those for which `keeps` is true.
fn escape_hidden(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) && !keeps(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// Whether a character is invisible, or changes how others are shown; line ends and tabs are hidden, spaces are not.
///
/// Invisible are the characters with Unicode's property Default_Ignorable_Code_Point, among them fillers of Hangul, and
/// tags and variation selectors, which can say a whole sentence that no one sees.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{fff9}'..='\u{fffb}')
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        )
        || matches!(character, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{3164}')
        || matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}')
        || matches!(character, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Escapes hidden characters in the strings of JSON: serde_json leaves DEL, C1 and bidirectional controls unescaped.
/// Outside of strings, JSON has no hidden characters but line ends.
pub fn escape_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        match is_hidden(character) && character != '\n' {
            true => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
            false => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_terminal_would_act_on_is_escaped() {
        let hostile = "a\x1b]52;c;eA==\x07\u{9b}31m\x7f\u{202e}b\tc\rd\ne";
        let line = r"a\u{1b}]52;c;eA==\u{7}\u{9b}31m\u{7f}\u{202e}b\tc\rd";
        assert_eq!(escape_line(hostile), format!("{line}\\ne"));
        assert_eq!(
            escape_log_lines("\x1b[2mINFO\x1b[0m \u{9b}2J\x07\n"),
            "\x1b[2mINFO\x1b[0m \\u{9b}2J\\u{7}\n"
        );
        assert_eq!(escape_line("数据 naïve 🙂"), "数据 naïve 🙂");
        assert_eq!(escape_line("한글 e\u{301} ក"), "한글 e\u{301} ក");
        for hidden in [
            '\u{ad}',
            '\u{34f}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{180f}',
            '\u{2065}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{e01ef}',
        ] {
            let escaped = format!("a{}b", hidden.escape_unicode());
            assert_eq!(escape_line(&format!("a{hidden}b")), escaped);
        }
        assert_eq!(escape_json("\"\u{e0041}\u{9b}\""), r#""\udb40\udc41\u009b""#);
    }
}
