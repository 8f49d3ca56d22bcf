//! The command line in K3s' unit (PURE): words over lines that end in a backslash.

use std::ops::Range;

use super::{ARGUMENT, Edit, FLAG, GATE, GateError, Line, Wish, gates, lines};

/// What a command line begins with.
const KEY: &str = "ExecStart=";

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    /// Where it stands, with its quotes.
    place: Range<usize>,
    value: String,
}

/// An argument for the API server: its first word and its last, which may be the same, and itself.
type Argument = (usize, usize, String);

/// Whether the command line has arguments for the API server.
pub fn has_arguments(text: &str) -> bool {
    let words = words(text, &lines(text));
    words.is_ok_and(|words| !arguments(&words).is_empty())
}

/// Whether it says how the unit is started.
pub fn starts(text: &str) -> bool {
    let empty = |line: &Line<'_>| line.content[KEY.len()..].trim().is_empty();
    let mut lines = lines(text).into_iter();
    lines.any(|line| line.content.starts_with(KEY) && !empty(&line))
}

/// Edits the arguments for the API server.
pub fn edited(text: &str, wish: Wish) -> Result<Vec<Edit>, GateError> {
    let lines = lines(text);
    let words = words(text, &lines)?;
    let all = arguments(&words);
    let gates_of = |argument: &str| argument.strip_prefix(FLAG)?.strip_prefix('=').map(str::to_owned);
    let flags = all
        .iter()
        .filter_map(|(first, last, argument)| Some((*first, *last, gates_of(argument)?)));
    let flags: Vec<Argument> = flags.collect();
    let ours = |(_, _, list): &&Argument| gates(list, Wish::Unset) != *list;
    if wish == Wish::Unset {
        let each = flags.iter().filter(ours).flat_map(|(first, last, list)| {
            let left = gates(list, wish);
            match left.is_empty() {
                true => removed(text, &lines, &words[*first..=*last]).into_iter().collect(),
                false => vec![replaced(&words[*last], list, &left)],
            }
        });
        return Ok(each.collect());
    }
    if let Some((_, last, list)) = flags.iter().rev().find(ours).or(flags.last()) {
        let new = gates(list, wish);
        return Ok(if new == *list {
            Vec::new()
        } else {
            vec![replaced(&words[*last], list, &new)]
        });
    }
    let last = all.last().map_or(words.len() - 1, |(_, last, _)| *last);
    let at = words[last].place.end;
    Ok(vec![(at..at, format!(" '--{ARGUMENT}={FLAG}={GATE}'"))])
}

fn arguments(words: &[Word]) -> Vec<Argument> {
    let mut found = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let Some(rest) = word.value.trim_start_matches('-').strip_prefix(ARGUMENT) else {
            continue;
        };
        match (rest.strip_prefix('='), words.get(number + 1)) {
            (Some(argument), _) => found.push((number, number, argument.to_owned())),
            (None, Some(next)) if rest.is_empty() => found.push((number, number + 1, next.value.clone())),
            _ => {}
        }
    }
    found
}

/// The words of ExecStart.
fn words(text: &str, lines: &[Line<'_>]) -> Result<Vec<Word>, GateError> {
    let starts: Vec<usize> = (0..lines.len())
        .filter(|number| lines[*number].content.starts_with(KEY))
        .collect();
    // An empty one takes back those before it.
    let empty = |number: &usize| lines[*number].content[KEY.len()..].trim().is_empty();
    let counting = match starts.iter().rposition(empty) {
        Some(last) if last + 1 < starts.len() => &starts[last + 1..],
        _ => &starts[..],
    };
    let [start] = *counting else {
        return Err(GateError::new(format!("it has {} lines with {KEY}", starts.len())));
    };
    let mut words = Vec::new();
    for (offset, line) in lines[start..].iter().enumerate() {
        let skip = if offset == 0 { KEY.len() } else { 0 };
        let content = &line.content[skip..];
        let (content, goes_on) = match content.strip_suffix('\\') {
            Some(content) => (content, true),
            None => (content, false),
        };
        split(text, line.start + skip, content, &mut words)?;
        if !goes_on {
            break;
        }
    }
    match words.is_empty() {
        true => Err(GateError::new("its ExecStart is empty")),
        false => Ok(words),
    }
}

fn split(text: &str, start: usize, content: &str, words: &mut Vec<Word>) -> Result<(), GateError> {
    let mut at = 0;
    while let Some(c) = content[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if c == '\\' {
            return Err(GateError::new(format!(
                "{:?} has something after its backslash, so that systemd does not read on",
                content.trim()
            )));
        }
        let rest = &content[at..];
        let (length, value) = match c {
            '\'' | '"' => {
                let close = rest[1..]
                    .find(c)
                    .ok_or_else(|| GateError::new("a quote is not closed"))?;
                (close + 2, rest[1..=close].to_owned())
            }
            _ => {
                let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (length, rest[..length].to_owned())
            }
        };
        let place = start + at..start + at + length;
        debug_assert!(text.get(place.clone()).is_some());
        words.push(Word { place, value });
        at += length;
    }
    Ok(())
}

/// The gates in a word, exchanged.
fn replaced(word: &Word, old: &str, new: &str) -> Edit {
    let quoted = word.place.len() > word.value.len();
    let inner = word.place.end - usize::from(quoted);
    (inner - old.len()..inner, new.to_owned())
}

/// Takes words that follow each other out, and lines that have nothing else.
fn removed(text: &str, lines: &[Line<'_>], words: &[Word]) -> Option<Edit> {
    let (first, last) = (&words.first()?.place, &words.last()?.place);
    let of = |place: &Range<usize>| lines.iter().find(|line| line.next >= place.end);
    let (begin, end) = (of(first)?, of(last)?);
    let rest = text[last.end..end.end()].trim();
    let alone = text[begin.start..first.start].trim().is_empty() && matches!(rest, "" | "\\");
    let place = match (alone, rest) {
        (false, _) => text[..first.start].trim_end_matches([' ', '\t']).len()..last.end,
        (true, "") => {
            // The line before must not go on into what follows.
            let before = text[..begin.start].trim_end_matches(['\n', '\r']);
            let before = before.strip_suffix('\\').unwrap_or(before).trim_end_matches(' ');
            before.len()..end.end()
        }
        (true, _) => begin.start..end.next,
    };
    Some((place, String::new()))
}
