//! Text from elsewhere made harmless (PURE): what would move a terminal's cursor, turn a text around or hide in it is
//! written as an escape. Names, events, logs and the words of hosts are written by others.

/// A text of one line in which every character is visible.
pub fn plain(text: &str) -> String {
    visible(text, |_| false)
}

/// The lines of a log, which has its own colours: its library escapes ESC in what is logged.
pub fn log_lines(text: &str) -> String {
    visible(text, |character| matches!(character, '\n' | '\x1b'))
}

fn visible(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) && !keeps(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// Whether a character shows as none, or as something else than it is.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// JSON in which strings hold only visible characters: a JSON library leaves DEL, C1 and bidirectional controls as they
/// are. Outside of strings JSON has none but line breaks.
pub fn json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        match is_hidden(character) && character != '\n' {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
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
        assert_eq!(plain(hostile), format!("{line}\\ne"));
        assert_eq!(
            log_lines("\x1b[2mINFO\x1b[0m \u{9b}2J\x07\n"),
            "\x1b[2mINFO\x1b[0m \\u{9b}2J\\u{7}\n"
        );
        assert_eq!(plain("数据 naïve 🙂"), "数据 naïve 🙂");
    }
}
