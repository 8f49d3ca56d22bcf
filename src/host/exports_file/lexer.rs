//! Reads a file of exports exactly as exportfs does, its silent misreadings included (PURE).
//!
//! The rules are those of nfs-utils' `support/nfs/{exports,xio}.c`: words are split at white space, `"` begins and ends
//! a quotation without any escape in it, `\` and three octal digits are a byte, `\` at a line's end joins it with the
//! next one, `#` begins a comment only where a word would begin. What can't be read ends the reading of that file.

use super::options::Meaning;

/// How long exportfs lets a client with its options be, and a directory.
pub const CLIENT_LIMIT: usize = 512;
/// `NFS_MAXPATHLEN` and the byte that ends it.
pub const PATH_LIMIT: usize = 1025;

/// One client of one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// The directory, unescaped.
    pub path: Vec<u8>,
    /// The client as it is written; `*` where none is.
    pub client: String,
    /// Its options, those for all clients of the line before its own.
    pub options: String,
    /// How the client came about.
    pub origin: Origin,
}

/// How the file names a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was written.
    Written,
    /// Only an option list is written: it applies to the whole world.
    OptionsAlone,
    /// Neither is written: the export is for the whole world, too.
    Nothing,
}

/// What exportfs makes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What it exports, in order.
    pub entries: Vec<Entry>,
    /// The line at which it stops reading, and why, if that is before the end.
    pub stopped: Option<(usize, String)>,
    /// The line of a quotation mark without its second one.
    pub unclosed: Option<usize>,
}

/// Reads a file's entries up to the first line that exportfs refuses, of which the clients before the fault count; the
/// result says where and why reading stopped.
pub fn read_exports(bytes: &[u8]) -> Reading {
    let mut lexer = Lexer {
        bytes,
        at: 0,
        line: 1,
        unclosed: None,
    };
    let mut reading = Reading::default();
    reading.stopped = lexer.read_lines(&mut reading.entries).err();
    reading.unclosed = lexer.unclosed;
    reading
}

/// The directory that a line begins with, unquoted, unescaped and not normalized; `None` if the line is empty, a
/// comment or refused by exportfs.
pub fn path_of(line: &[u8]) -> Option<Vec<u8>> {
    let mut lexer = Lexer {
        bytes: line,
        at: 0,
        line: 1,
        unclosed: None,
    };
    lexer.skip_blanks(true);
    lexer.read_word(PATH_LIMIT).ok().flatten()
}

/// Where and why reading stops.
type Stopped = (usize, String);

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    unclosed: Option<usize>,
}

impl Lexer<'_> {
    /// Adds the entries of all lines, until the end or until exportfs would stop reading.
    fn read_lines(&mut self, entries: &mut Vec<Entry>) -> Result<(), Stopped> {
        loop {
            self.skip_blanks(true);
            let line = self.line;
            let Some(path) = self.read_word(PATH_LIMIT)? else {
                return match self.at < self.bytes.len() {
                    true => Err((
                        line,
                        "an empty word or line, which ends the file for exportfs".to_owned(),
                    )),
                    false => Ok(()),
                };
            };
            self.read_clients(&path, entries)?;
        }
    }

    /// Adds an entry for each client in the rest of a line; a line without clients is an entry for the whole world.
    fn read_clients(&mut self, path: &[u8], entries: &mut Vec<Entry>) -> Result<(), Stopped> {
        let mut defaults: Option<String> = None;
        let mut first = true;
        loop {
            self.skip_blanks(false);
            let mut line = self.line;
            let mut word = self.read_word(CLIENT_LIMIT)?;
            if word.is_none() && !first {
                return Ok(());
            }
            first = false;
            if let Some(options) = word.as_deref().and_then(|word| word.strip_prefix(b"-")) {
                let options = to_text(options);
                check_options_of_client(&options).map_err(|why| (line, why))?;
                defaults = Some(join_options(defaults.as_deref(), &options));
                self.skip_blanks(false);
                line = self.line;
                word = self.read_word(CLIENT_LIMIT)?;
            }
            let word = to_text(&word.unwrap_or_default());
            let (client, options) = match word.split_once('(') {
                None => (word.as_str(), ""),
                Some((client, rest)) => match rest.split_once(')') {
                    Some((options, "")) => (client, options),
                    Some(_) => return Err((line, "something follows the ) of an option list".to_owned())),
                    None => return Err((line, "an option list that is not closed in its word".to_owned())),
                },
            };
            check_options_of_client(options).map_err(|why| (line, why))?;
            let origin = match (client, word.is_empty()) {
                ("", true) => Origin::Nothing,
                ("", false) => Origin::OptionsAlone,
                _ => Origin::Written,
            };
            entries.push(Entry {
                line,
                path: path.to_owned(),
                client: if client.is_empty() { "*" } else { client }.to_owned(),
                options: join_options(defaults.as_deref(), options),
                origin,
            });
        }
    }

    /// The next byte. A backslash before a line's end, that line's end and the blanks after it count as one blank.
    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        if byte == b'\\' && self.bytes.get(self.at) == Some(&b'\n') {
            self.at += 1;
            self.line += 1;
            while matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
                self.at += 1;
            }
            return Some(b' ');
        }
        if byte == b'\n' {
            self.line += 1;
        }
        Some(byte)
    }

    /// Skips blanks and comments, and with `across_lines` ends of lines; no other white space.
    fn skip_blanks(&mut self, across_lines: bool) {
        loop {
            let before = (self.at, self.line);
            match self.next() {
                None => return,
                // The C library's strchr finds the zero byte that ends its list of blanks.
                Some(b' ' | b'\t' | 0) => {}
                Some(b'\n') if across_lines => {}
                Some(b'#') => {
                    let rest = &self.bytes[self.at..];
                    // No backslash takes back the end of a comment.
                    let length = rest.iter().position(|byte| *byte == b'\n');
                    self.at += length.unwrap_or(rest.len());
                    if !across_lines {
                        return;
                    }
                }
                Some(_) => {
                    (self.at, self.line) = before;
                    return;
                }
            }
        }
    }

    /// The next word, unquoted and unescaped; `None` if no word begins here, or an empty quotation. The blank that ends
    /// it is skipped, a line's end is not. A word of `limit` bytes or more stops exportfs.
    fn read_word(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Stopped> {
        let line = self.line;
        let mut word: Vec<u8> = Vec::new();
        let mut quoted: Option<usize> = None;
        while word.len() < limit {
            let before = (self.at, self.line);
            let Some(byte) = self.next() else {
                self.unclosed = self.unclosed.or(quoted);
                break;
            };
            if quoted.is_none() && is_space(byte) {
                if byte == b'\n' {
                    (self.at, self.line) = before;
                }
                break;
            }
            if byte == b'"' {
                quoted = match quoted {
                    None => Some(before.1),
                    Some(_) => None,
                };
                continue;
            }
            word.push(byte);
            unescape_word(&mut word);
        }
        if word.is_empty() {
            return Ok(None);
        }
        if word.len() >= limit {
            return Err((line, format!("a word of {limit} or more bytes")));
        }
        let length = word.iter().position(|byte| *byte == 0);
        word.truncate(length.unwrap_or(word.len()));
        Ok(Some(word))
    }
}

/// Replaces `\` and three octal digits at the end of a word by their byte; leaves other words as they are.
fn unescape_word(word: &mut Vec<u8>) {
    let Some((start, [b'\\', digits @ ..])) = word.split_last_chunk::<4>() else {
        return;
    };
    let value = digits.iter().try_fold(0_u32, |value, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + u32::from(digit - b'0')),
        _ => None,
    });
    if let Some(byte) = value.and_then(|value| u8::try_from(value).ok()) {
        let length = start.len();
        word.truncate(length);
        word.push(byte);
    }
}

/// What the C library's isspace says.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Bytes that are no UTF-8 become U+FFFD.
fn to_text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// The options for all clients of a line, then the client's own, which count more.
fn join_options(defaults: Option<&str>, own: &str) -> String {
    match (defaults.unwrap_or_default(), own) {
        ("", own) => own.to_owned(),
        (defaults, "") => defaults.to_owned(),
        (defaults, own) => format!("{},{own}", defaults.trim_end_matches(',')),
    }
}

/// Fails with the reason if exportfs stops reading at such options.
fn check_options_of_client(options: &str) -> Result<(), String> {
    match Meaning::in_file(options) {
        Ok(_) => Ok(()),
        Err((_, why)) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, as `path client(options)`.
    fn shown(text: &[u8]) -> (Vec<String>, Option<usize>, Option<usize>) {
        let reading = read_exports(text);
        let entries = reading.entries.iter().map(|entry| {
            let path = String::from_utf8_lossy(&entry.path);
            format!("{} {path} {}({})", entry.line, entry.client, entry.options)
        });
        let stopped = reading.stopped.map(|(line, _)| line);
        (entries.collect(), stopped, reading.unclosed)
    }

    /// Each was given to exportfs 2.6.2, and `exportfs -s` says the same.
    #[test]
    fn files_are_read_as_exportfs_reads_them() {
        for (text, entries, stopped) in [
            ("", &[][..], None),
            ("# nothing\n\n  # more\n", &[], None),
            ("/a *(rw)", &["1 /a *(rw)"], None),
            (
                "\n/a 10.0.0.1(rw) b(ro) # c\n/b",
                &["2 /a 10.0.0.1(rw)", "2 /a b(ro)", "3 /b *()"],
                None,
            ),
            ("/a 10.0.0.0/24 (rw)\n", &["1 /a 10.0.0.0/24()", "1 /a *(rw)"], None),
            (
                "/a -rw 1.1.1.1 -sync 1.1.1.2(ro)\n",
                &["1 /a 1.1.1.1(rw)", "1 /a 1.1.1.2(rw,sync,ro)"],
                None,
            ),
            ("/a -rw\n", &["1 /a *(rw)"], None),
            ("/a \\\n  b(rw) \\\n\tc\n", &["2 /a b(rw)", "3 /a c()"], None),
            (
                "\"/a b\" c\n/\\146oo c\n/x\\0400 d\n",
                &["1 /a b c()", "2 /foo c()", "3 /x 0 d()"],
                None,
            ),
            ("/a\"b c\"d e\n", &["1 /ab cd e()"], None),
            ("/a#b c#d(rw)\n", &["1 /a#b c#d(rw)"], None),
            ("# no \\\n/a b\n", &["2 /a b()"], None),
            ("/a b(rw)\r\n/c d(rw)\r\n", &["1 /a b(rw)", "2 /c d(rw)"], None),
            ("/a b\r\n\r\n/c d\r\n", &["1 /a b()"], Some(2)),
            ("/a b \"\" /c d\n", &["1 /a b()", "1 /c d()"], None),
            ("\"\" /c d\n", &[], Some(1)),
            ("/a b(rw, sync)\n/c d\n", &[], Some(1)),
            ("/a b(rw)x\n", &[], Some(1)),
            ("/a b(rw,,sync)\n", &[], Some(1)),
            ("/a b(rw,sync,)\n", &["1 /a b(rw,sync,)"], None),
            ("/a b(rw\u{ff09}\n/c d\n", &[], Some(1)),
            ("/a b(rw) c(wr)\n/c d\n", &["1 /a b(rw)"], Some(1)),
            ("/a b(rw)\\", &[], Some(1)),
            ("/a b \\", &["1 /a b()", "1 /a \\()"], None),
        ] {
            let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
            assert_eq!(shown(text.as_bytes()), (entries, stopped, None), "{text:?}");
        }
    }

    #[test]
    fn an_open_quotation_swallows_what_follows() {
        let (entries, stopped, unclosed) = shown(b"/a b\n\"/c d\n/e f\n");
        assert_eq!(entries, ["1 /a b()", "4 /c d\n/e f\n *()"]);
        assert_eq!((stopped, unclosed), (None, Some(2)));
    }

    #[test]
    fn words_have_a_limit() {
        let long = format!("/a {}\n/b c\n", "x".repeat(CLIENT_LIMIT));
        assert_eq!(shown(long.as_bytes()), (vec![], Some(1), None));
        let fits = format!("/a {}\n", "x".repeat(CLIENT_LIMIT - 1));
        assert_eq!(shown(fits.as_bytes()).0.len(), 1);
    }

    #[test]
    fn bytes_of_any_kind_are_read() {
        assert_eq!(
            shown(b"\xef\xbb\xbf/a b\n\0/c\xe9 d\n").0,
            ["1 \u{feff}/a b()", "2 /c\u{fffd} d()"]
        );
    }
}
