//! Lists of arguments in YAML (PURE): a container's command, K3s' `kube-apiserver-arg`.
//!
//! Only the lists themselves are read, and of these only what such files have: strings, one a line or between
//! brackets, plain or in quotes.

use std::ops::Range;

use super::{ARGUMENT, Arguments, Edit, FLAG, GATE, GateError, Line, Wish, gates, lines, newline};

/// A string in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// Where it stands, with its quotes.
    place: Range<usize>,
    value: String,
    /// Its quote, if it has one.
    quote: Option<char>,
}

/// How the strings stand.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// A line each, with a dash after so many spaces.
    Block(usize),
    /// Between brackets; where the closing one is.
    Flow(usize),
    /// One alone, without a list.
    Scalar,
}

/// A key's strings.
#[derive(Clone, Debug, PartialEq, Eq)]
struct List {
    items: Vec<Item>,
    shape: Shape,
}

/// Edits the command of the container that runs kube-apiserver.
pub fn manifest(text: &str, wish: Wish) -> Result<Vec<Edit>, GateError> {
    let lines = lines(text);
    let mut found = None;
    for number in 0..lines.len() {
        let Some(column) = key(lines[number].content, "command") else {
            continue;
        };
        let list = read(text, &lines, number, column + "command:".len())?;
        if list
            .items
            .iter()
            .any(|item| item.value.rsplit('/').next() == Some("kube-apiserver"))
        {
            found = Some((number, column, list));
            break;
        }
    }
    let Some((number, column, command)) = found else {
        return Err(GateError::new("no container in it has kube-apiserver in its command"));
    };
    let mut lists = vec![command];
    if let Some(args) = sibling(&lines, number, column, "args") {
        lists.push(read(text, &lines, args, column + "args:".len())?);
    }
    // The later list's flags are read later, and count.
    lists.reverse();
    let flag: Flag = |item| item.strip_prefix("--").and_then(gate_flag);
    let has = |list: &&List| list.items.iter().any(|item| flag(&item.value).is_some());
    let list = lists.iter().find(has).or_else(|| {
        let with_flags = |list: &&List| list.items.iter().any(|item| item.value.starts_with("--"));
        lists.iter().find(with_flags)
    });
    let list = list
        .or(lists.last())
        .ok_or_else(|| GateError::new("it has no arguments"))?;
    edits(text, &lines, list, wish, flag, &format!("--{FLAG}={GATE}"))
}

/// Edits `kube-apiserver-arg` of a configuration file.
pub fn config(text: &str, wish: Wish) -> Result<Vec<Edit>, GateError> {
    let lines = lines(text);
    let item = format!("{FLAG}={GATE}");
    let Some((number, column)) = arguments(&lines)? else {
        return Ok(match wish {
            Wish::Unset => Vec::new(),
            Wish::Set => {
                let end = newline(text);
                // A last line that does not end is ended first.
                let before = if text.is_empty() || text.ends_with('\n') {
                    ""
                } else {
                    end
                };
                let after = if before.is_empty() { end } else { "" };
                let new = format!("{before}{ARGUMENT}:{end}- {item}{after}");
                vec![(text.len()..text.len(), new)]
            }
        });
    };
    let list = read(text, &lines, number, column)?;
    let edits = edits(text, &lines, &list, wish, CONFIG, &item)?;
    // A list that has lost its last string goes with its key.
    let gone = |edit: &&Edit| edit.1.is_empty();
    if wish == Wish::Unset && list.items.len() == 1 && edits.iter().any(|edit| gone(&edit)) {
        let last = lines.iter().rev().find(|line| line.start < list.items[0].place.end);
        let last = last.unwrap_or(&lines[number]);
        let last = match list.shape {
            Shape::Flow(close) => lines.iter().rev().find(|line| line.start <= close).unwrap_or(last),
            _ => last,
        };
        return Ok(vec![whole(text, &lines[number], last)]);
    }
    Ok(edits)
}

/// What `config.yaml` has for the API server.
pub fn config_arguments(text: &str) -> Result<Option<Arguments>, GateError> {
    let lines = lines(text);
    let Some((number, column)) = arguments(&lines)? else {
        return Ok(None);
    };
    let list = read(text, &lines, number, column)?;
    Ok(Some(Arguments {
        adds: column > ARGUMENT.len() + 1,
        gates: list.items.iter().any(|item| CONFIG(&item.value).is_some()),
    }))
}

/// The line of the arguments for the API server, and where their value begins. The key may end in a plus: they add to
/// those of other files then.
fn arguments(lines: &[Line<'_>]) -> Result<Option<(usize, usize)>, GateError> {
    let adding = format!("{ARGUMENT}+");
    let column = |name: &str, line: &Line<'_>| (key(line.content, name) == Some(0)).then_some(name.len() + 1);
    let each = lines
        .iter()
        .enumerate()
        .filter_map(|(number, line)| Some((number, column(ARGUMENT, line).or_else(|| column(&adding, line))?)));
    match each.collect::<Vec<_>>()[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(GateError::new(format!("it has {ARGUMENT} more than once"))),
    }
}

/// The flag in `config.yaml`, with or without its dashes.
const CONFIG: Flag = |item| gate_flag(item.strip_prefix("--").unwrap_or(item));

/// Whether an item is the flag, and its gates.
type Flag = fn(&str) -> Option<Option<&str>>;

/// The gates of an item that is the flag; None before them if they are an item of their own.
fn gate_flag(item: &str) -> Option<Option<&str>> {
    let rest = item.strip_prefix(FLAG)?;
    match rest.strip_prefix('=') {
        Some(gates) => Some(Some(gates)),
        None => rest.is_empty().then_some(None),
    }
}

/// Where a line has this key, after dashes or not.
fn key(line: &str, name: &str) -> Option<usize> {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(' ');
        match rest.strip_prefix("- ") {
            Some(after) => rest = after,
            None => break,
        }
    }
    let after = rest.strip_prefix(name)?.strip_prefix(':')?;
    (after.is_empty() || after.starts_with(' ')).then_some(line.len() - rest.len())
}

/// The line of another key of the same mapping.
fn sibling(lines: &[Line<'_>], number: usize, column: usize, name: &str) -> Option<usize> {
    let belongs = |line: &Line<'_>| line.is_blank() || line.indent() >= column;
    let here = |index: &usize| key(lines[*index].content, name) == Some(column);
    // A list's dashes may stand in its key's own column.
    let after = (number + 1..lines.len()).take_while(|index| belongs(&lines[*index]));
    let mut before = Vec::new();
    let mut at = number;
    while key_of_item(lines[at].content) != Some(column) && at > 0 {
        at -= 1;
        before.push(at);
    }
    after.chain(before).find(here)
}

/// Where the content of a list's item begins that opens in this line.
fn key_of_item(line: &str) -> Option<usize> {
    let trimmed = line.trim_start_matches(' ');
    let after = trimmed.strip_prefix("- ")?;
    let after = after.trim_start_matches(' ');
    Some(line.len() - after.len())
}

/// The strings of the key in a line, whose value begins at a column of it.
fn read(text: &str, lines: &[Line<'_>], number: usize, column: usize) -> Result<List, GateError> {
    let line = lines[number];
    let rest = &line.content[column..];
    let lead = rest.len() - rest.trim_start().len();
    let begin = line.start + column + lead;
    let value = rest.trim_start();
    if value.starts_with('[') {
        return flow(text, begin);
    }
    if !value.is_empty() && !value.starts_with('#') {
        let item = scalar(text, begin, line.end(), &[])?;
        return Ok(List {
            items: vec![item],
            shape: Shape::Scalar,
        });
    }
    let mut items = Vec::new();
    let mut dashes = None;
    for line in &lines[number + 1..] {
        if line.is_blank() {
            continue;
        }
        let indent = line.indent();
        let item = line
            .content
            .trim_start()
            .strip_prefix('-')
            .filter(|rest| rest.is_empty() || rest.starts_with(' '));
        match (item, dashes) {
            (Some(_), None) => dashes = Some(indent),
            (Some(_), Some(dashes)) if indent == dashes => {}
            (_, Some(dashes)) if indent > dashes => {
                return Err(GateError::new(format!(
                    "{:?} goes on over a line's end",
                    line.content.trim()
                )));
            }
            _ => break,
        }
        let content = item.unwrap_or_default().trim_start();
        let start = line.end() - content.len();
        items.push(scalar(text, start, line.end(), &[])?);
    }
    let Some(dashes) = dashes else {
        return Err(GateError::new(format!("{:?} has no list", line.content.trim())));
    };
    Ok(List {
        items,
        shape: Shape::Block(dashes),
    })
}

/// A string that begins at `start`; a plain one ends at `end`, or at one of these.
fn scalar(text: &str, start: usize, end: usize, ends: &[char]) -> Result<Item, GateError> {
    let rest = &text[start..];
    let first = rest.chars().next().unwrap_or_default();
    if matches!(first, '"' | '\'') {
        let close = rest[1..].find(first).map(|close| start + 1 + close + 1);
        let place = start..close.ok_or_else(|| GateError::new("a quote is not closed"))?;
        return Ok(Item {
            value: text[place.start + 1..place.end - 1].to_owned(),
            quote: Some(first),
            place,
        });
    }
    if matches!(first, '&' | '*' | '!' | '|' | '>' | '{' | '[' | '%' | '@' | '`') {
        return Err(GateError::new(format!(
            "{:?} is no plain string",
            rest.lines().next().unwrap_or_default()
        )));
    }
    let plain = &text[start..end];
    let comment = plain.find(" #").unwrap_or(plain.len());
    let stop = plain.find(ends).unwrap_or(plain.len()).min(comment);
    let value = plain[..stop].trim_end();
    Ok(Item {
        place: start..start + value.len(),
        value: value.to_owned(),
        quote: None,
    })
}

/// The strings between brackets, over lines or not.
fn flow(text: &str, open: usize) -> Result<List, GateError> {
    let mut items = Vec::new();
    let mut at = open + 1;
    loop {
        let rest = &text[at..];
        let Some(c) = rest.chars().next() else {
            return Err(GateError::new("a list's bracket is not closed"));
        };
        match c {
            ']' => {
                return Ok(List {
                    items,
                    shape: Shape::Flow(at),
                });
            }
            '#' => at += rest.find('\n').unwrap_or(rest.len()),
            c if c.is_whitespace() || c == ',' => at += c.len_utf8(),
            _ => {
                let line = at + rest.find(['\n', '\r']).unwrap_or(rest.len());
                let item = scalar(text, at, line, &[',', ']'])?;
                at = item.place.end;
                items.push(item);
            }
        }
    }
}

/// What makes a list one with the gate, or without.
fn edits(
    text: &str,
    lines: &[Line<'_>],
    list: &List,
    wish: Wish,
    flag: Flag,
    item: &str,
) -> Result<Vec<Edit>, GateError> {
    // Each flag: the first of its items, and the one that has the gates.
    let mut flags: Vec<(usize, usize, String)> = Vec::new();
    for (number, one) in list.items.iter().enumerate() {
        match flag(&one.value) {
            Some(Some(gates)) => flags.push((number, number, gates.to_owned())),
            Some(None) => {
                let next = list.items.get(number + 1);
                let next = next.ok_or_else(|| GateError::new(format!("--{FLAG} has no value")))?;
                flags.push((number, number + 1, next.value.clone()));
            }
            None => {}
        }
    }
    let ours = |(_, _, list): &&(usize, usize, String)| gates(list, Wish::Unset) != *list;
    if wish == Wish::Unset {
        let each = flags.iter().filter(ours).flat_map(|(first, last, list_of)| {
            let left = gates(list_of, wish);
            match left.is_empty() {
                true => removed(text, lines, list, *first, *last),
                false => replaced(text, list, &list.items[*last], list_of, &left),
            }
        });
        return Ok(each.collect());
    }
    // What comes last counts.
    if let Some((_, last, list_of)) = flags.iter().rev().find(ours).or(flags.last()) {
        let new = gates(list_of, wish);
        return Ok(match new == *list_of {
            true => Vec::new(),
            false => replaced(text, list, &list.items[*last], list_of, &new),
        });
    }
    added(text, lines, list, item)
}

/// The gates in an item, exchanged. Between brackets, a comma in a plain one would end it.
fn replaced(text: &str, list: &List, item: &Item, old: &str, new: &str) -> Vec<Edit> {
    let inner = item.place.end - usize::from(item.quote.is_some());
    let start = inner - old.len();
    debug_assert_eq!(&text[start..inner], old);
    let mut edits = vec![(start..inner, new.to_owned())];
    if matches!(list.shape, Shape::Flow(_)) && item.quote.is_none() && new.contains(',') {
        edits[0].1.push('"');
        edits.push((item.place.start..item.place.start, "\"".to_owned()));
    }
    edits
}

/// An item with quotes as another one has them.
fn quoted(item: &str, like: Option<char>) -> String {
    match like {
        Some(quote) => format!("{quote}{item}{quote}"),
        None => item.to_owned(),
    }
}

fn added(text: &str, lines: &[Line<'_>], list: &List, item: &str) -> Result<Vec<Edit>, GateError> {
    let Some(last) = list.items.last() else {
        return Ok(match list.shape {
            Shape::Flow(close) => vec![(close..close, quoted(item, Some('"')))],
            _ => return Err(GateError::new("it has no arguments")),
        });
    };
    let end = newline(text);
    let new = quoted(item, last.quote);
    Ok(match list.shape {
        Shape::Block(dashes) => {
            let line = lines.iter().find(|line| line.next >= last.place.end).copied();
            let line = line.ok_or_else(|| GateError::new("its last line is missing"))?;
            let text = format!("{}- {new}", " ".repeat(dashes));
            match line.next == line.end() {
                true => vec![(line.next..line.next, format!("{end}{text}"))],
                false => vec![(line.next..line.next, format!("{text}{end}"))],
            }
        }
        Shape::Flow(_) => vec![(last.place.end..last.place.end, format!(", {new}"))],
        Shape::Scalar => {
            let at = &last.place;
            let plain = last.quote.is_none();
            if plain && last.value.contains(['"', '\\']) {
                return Err(GateError::new(format!("{:?} can't be put into a list", last.value)));
            }
            // As above.
            let mark = if plain && last.value.contains([',', '[', ']', '{', '}']) {
                "\""
            } else {
                ""
            };
            vec![
                (at.start..at.start, format!("[{mark}")),
                (at.end..at.end, format!("{mark}, {new}]")),
            ]
        }
    })
}

/// Takes the items from `first` to `last` out of a list.
fn removed(text: &str, lines: &[Line<'_>], list: &List, first: usize, last: usize) -> Vec<Edit> {
    let (first_item, last_item) = (&list.items[first], &list.items[last]);
    match list.shape {
        Shape::Block(_) => {
            let of = |item: &Item| lines.iter().find(|line| line.next >= item.place.end);
            let (Some(begin), Some(end)) = (of(first_item), of(last_item)) else {
                return Vec::new();
            };
            vec![whole(text, begin, end)]
        }
        Shape::Flow(_) if first > 0 => vec![(list.items[first - 1].place.end..last_item.place.end, String::new())],
        Shape::Flow(_) if last + 1 < list.items.len() => {
            vec![(first_item.place.start..list.items[last + 1].place.start, String::new())]
        }
        Shape::Flow(_) | Shape::Scalar => vec![(first_item.place.start..last_item.place.end, String::new())],
    }
}

/// Lines, taken out whole; a last one without an end takes the end of the one before it along.
fn whole(text: &str, first: &Line<'_>, last: &Line<'_>) -> Edit {
    let unended = last.next == last.end();
    let before = text[..first.start].trim_end_matches('\n').trim_end_matches('\r').len();
    let start = if unended { before } else { first.start };
    (start..last.next, String::new())
}
