//! nfsprov's own part of a file: the lines between two marks, which [`Block`] locates (PURE). No byte outside of it is
//! changed, but for a newline that the last line before it lacks.

use std::ops::Range;

/// What a mark's line begins with.
const BEGIN: &str = "# BEGIN nfsprov";
const END: &str = "# END nfsprov";
/// What follows it.
const REMARK: &str = ": written by nfsprov, up to the END of it";
/// Said where the file did not end with its last line's end, which the block had to add.
const GLUED: &str = " (the line above had no end)";

/// The marks differ from those that nfsprov wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nfsprov's marks in line {line} were changed: {what}; correct them, or remove the block")]
pub struct Damage {
    /// Where, counted from 1.
    pub line: usize,
    what: &'static str,
}

/// Where the block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// All of it, with its marks, in bytes.
    pub whole: Range<usize>,
    /// What is between the marks.
    pub body: Range<usize>,
    /// The lines of `whole`, counted from 1.
    pub lines: Range<usize>,
    /// Whether the line before it had no end until the block was added.
    added_newline: bool,
}

/// Finds nfsprov's block in a file; `None` if it has none.
///
/// # Errors
/// [`Damage`] when a mark lacks its counterpart, when there is a second block, or when a backslash continues the
/// block's last line past its end.
pub fn find_block(file: &[u8]) -> Result<Option<Block>, Damage> {
    let mut found: Option<Block> = None;
    let mut open: Option<(Range<usize>, usize, bool)> = None;
    let (mut at, mut number) = (0, 0);
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        number += 1;
        let place = at..at + line.len();
        at = place.end;
        let wrong = |what| Err(Damage { line: number, what });
        match (parse_mark(line), &open) {
            (None, _) => {}
            (Some(Mark::Begin { .. }), Some(_)) => return wrong("a block begins in the middle of another one"),
            (Some(Mark::Begin { .. }), None) if found.is_some() => return wrong("a second block begins"),
            (Some(Mark::Begin { added_newline }), None) => open = Some((place, number, added_newline)),
            (Some(Mark::End), None) => return wrong("a block ends without a beginning"),
            (Some(Mark::End), Some((begin, first, added_newline))) => {
                let body = begin.end..place.start;
                // exportfs would read the mark as part of the line, and what is added there, too.
                let last = split_lines(&file[body.clone()]).pop().unwrap_or_default();
                if !is_comment(last) && last.ends_with(b"\\\n") {
                    return wrong("the line before it ends in a backslash and so continues");
                }
                found = Some(Block {
                    whole: begin.start..place.end,
                    body,
                    lines: *first..number + 1,
                    added_newline: *added_newline,
                });
                open = None;
            }
        }
    }
    match open {
        Some((_, line, _)) => Err(Damage {
            line,
            what: "the block that begins there has no end",
        }),
        None => Ok(found),
    }
}

enum Mark {
    Begin { added_newline: bool },
    End,
}

/// The mark that a line begins with, blanks before it left out; a remark may follow it. `None` without one.
fn parse_mark(line: &[u8]) -> Option<Mark> {
    let line = std::str::from_utf8(line.trim_ascii()).ok()?;
    let is = |mark: &str| {
        let rest = line.strip_prefix(mark);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_'))
    };
    match (is(BEGIN), is(END)) {
        (true, _) => Some(Mark::Begin {
            added_newline: line.ends_with(GLUED),
        }),
        (_, true) => Some(Mark::End),
        _ => None,
    }
}

/// The file, which must not have a block yet, with one of this body at its end. The body ends with a newline. A newline
/// that the file's last line lacked is added, and noted in the mark.
pub fn append_block(file: &[u8], body: &[u8]) -> Vec<u8> {
    let added_newline = file.last().is_some_and(|last| *last != b'\n');
    let (end, remark) = if added_newline { ("\n", GLUED) } else { ("", "") };
    let begin = format!("{end}{BEGIN}{REMARK}{remark}\n");
    [file, begin.as_bytes(), body, END.as_bytes(), b"\n"].concat()
}

/// The file with another body in its block, which [`find_block`] found in this very file. With an empty body the block
/// is removed, and with it the newline that [`append_block`] added, unless text follows the block. Another body ends
/// with a newline.
pub fn replace_body(file: &[u8], block: &Block, body: &[u8]) -> Vec<u8> {
    if !body.is_empty() {
        return [&file[..block.body.start], body, &file[block.body.end..]].concat();
    }
    let (mut before, after) = (&file[..block.whole.start], &file[block.whole.end..]);
    // With something behind the block, two lines would become one.
    if block.added_newline && after.is_empty() {
        before = before.strip_suffix(b"\n").unwrap_or(before);
    }
    [before, after].concat()
}

/// The lines of a body with their newlines, each with those that a backslash joins to it. A comment ends with its line,
/// even after a backslash.
pub fn split_lines(body: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        // A comment ends with its line whatever its last character is.
        let comment = start == at - line.len() && is_comment(line);
        if comment || !line.ends_with(b"\\\n") {
            lines.push(&body[start..at]);
            start = at;
        }
    }
    if start < at {
        lines.push(&body[start..at]);
    }
    lines
}

/// Whether the first byte that is no white space is a `#`.
fn is_comment(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"#")
}
