//! kubeadm's ClusterConfiguration (PURE): `apiServer.extraArgs`, a mapping up to v1beta3, a list from v1beta4 on.

use super::{Edit, FLAG, GATE, GateError, Line, Wish, gates, lines, newline};

/// A line that has `KEY: VALUE`, seen from its mapping.
struct Field {
    number: usize,
    /// Where the value begins in the text, and it, without what follows it.
    start: usize,
    value: String,
}

/// Edits the API server's extra arguments.
pub fn edited(text: &str, wish: Wish) -> Result<Vec<Edit>, GateError> {
    let lines = lines(text);
    let end = newline(text);
    let Some(server) = field(&lines, 0..lines.len(), 0, "apiServer")? else {
        let new = format!("apiServer:{end}  extraArgs:{end}    {FLAG}: {GATE}{end}");
        return Ok(match wish {
            Wish::Set => vec![(text.len()..text.len(), new)],
            Wish::Unset => Vec::new(),
        });
    };
    let inner = block(&lines, server.number, 0);
    if inner.is_empty() {
        if !matches!(server.value.as_str(), "" | "{}") {
            return Err(GateError::new(format!(
                "apiServer: {} is no mapping over lines",
                server.value
            )));
        }
        let line = lines[server.number];
        let new = format!("apiServer:{end}  extraArgs:{end}    {FLAG}: {GATE}");
        return Ok(match wish {
            Wish::Set => vec![(line.start..line.end(), new)],
            Wish::Unset => Vec::new(),
        });
    }
    let depth = lines[inner.start].indent();
    let Some(args) = field(&lines, inner.clone(), depth, "extraArgs")? else {
        let at = lines[server.number].next;
        let indent = " ".repeat(depth);
        let new = format!("{indent}extraArgs:{end}{indent}  {FLAG}: {GATE}{end}");
        return Ok(match wish {
            Wish::Set => vec![(at..at, new)],
            Wish::Unset => Vec::new(),
        });
    };
    let within = block(&lines, args.number, depth);
    if within.is_empty() {
        if !matches!(args.value.as_str(), "" | "{}" | "[]") {
            return Err(GateError::new(format!(
                "extraArgs: {} is no mapping over lines",
                args.value
            )));
        }
        let line = lines[args.number];
        let indent = " ".repeat(depth);
        let new = match args.value.as_str() {
            "[]" => format!("{indent}extraArgs:{end}{indent}- name: {FLAG}{end}{indent}  value: {GATE}"),
            _ => format!("{indent}extraArgs:{end}{indent}  {FLAG}: {GATE}"),
        };
        return Ok(match wish {
            Wish::Set => vec![(line.start..line.end(), new)],
            Wish::Unset => Vec::new(),
        });
    }
    let deep = lines[within.start].indent();
    let listed = lines[within.start].content.trim_start().starts_with("- ");
    let found = match listed {
        true => item(&lines, within.clone(), deep)?,
        false => field(&lines, within.clone(), deep, FLAG)?.map(|field| (field.number..field.number + 1, field)),
    };
    let Some((place, found)) = found else {
        let at = lines[within.start].start;
        let indent = " ".repeat(deep);
        let new = match listed {
            true => format!("{indent}- name: {FLAG}{end}{indent}  value: {GATE}{end}"),
            false => format!("{indent}{FLAG}: {GATE}{end}"),
        };
        return Ok(match wish {
            Wish::Set => vec![(at..at, new)],
            Wish::Unset => Vec::new(),
        });
    };
    let new = gates(&found.value, wish);
    if new == found.value {
        return Ok(Vec::new());
    }
    if !new.is_empty() {
        return Ok(vec![(found.start..found.start + found.value.len(), new)]);
    }
    // What is left empty goes too, as kubeadm writes it.
    let alone = within.clone().filter(|number| !lines[*number].is_blank()).count() == place.len();
    let server_alone = inner.clone().filter(|number| !lines[*number].is_blank()).count() == place.len() + 1;
    Ok(match (alone, server_alone) {
        (true, true) => vec![(
            lines[server.number].start..lines[place.end - 1].end(),
            "apiServer: {}".to_owned(),
        )],
        (true, false) => vec![(lines[args.number].start..lines[place.end - 1].next, String::new())],
        _ => vec![(lines[place.start].start..lines[place.end - 1].next, String::new())],
    })
}

/// The lines below one, as far as they belong to it; a list's dashes may stand under their key.
fn block(lines: &[Line<'_>], number: usize, indent: usize) -> std::ops::Range<usize> {
    let inside = |line: &Line<'_>| {
        line.is_blank()
            || line.indent() > indent
            || (indent > 0 && line.indent() == indent && line.content.trim_start().starts_with("- "))
    };
    let count = lines[number + 1..].iter().take_while(|line| inside(line)).count();
    let theirs = &lines[number + 1..number + 1 + count];
    let first = theirs.iter().position(|line| !line.is_blank()).unwrap_or(0);
    let last = theirs
        .iter()
        .rposition(|line| !line.is_blank())
        .map_or(first, |last| last + 1);
    number + 1 + first..number + 1 + last
}

/// A field of the mapping whose lines these are.
fn field(
    lines: &[Line<'_>],
    range: std::ops::Range<usize>,
    indent: usize,
    key: &str,
) -> Result<Option<Field>, GateError> {
    for number in range {
        let line = lines[number];
        let Some(rest) = line.content.get(indent..).and_then(|rest| rest.strip_prefix(key)) else {
            continue;
        };
        if line.indent() == indent
            && let Some(value) = rest.strip_prefix(':')
        {
            return value_of(&line, number, value).map(Some);
        }
    }
    Ok(None)
}

fn value_of(line: &Line<'_>, number: usize, rest: &str) -> Result<Field, GateError> {
    let mut value = rest.trim_start();
    let mut start = line.end() - value.len();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    value = match quote {
        Some(quote) => {
            start += 1;
            let inner = &value[1..];
            let close = inner
                .find(quote)
                .ok_or_else(|| GateError::new("a quote is not closed"))?;
            &inner[..close]
        }
        None => value.split(" #").next().unwrap_or(value).trim_end(),
    };
    Ok(Field {
        number,
        start,
        value: value.to_owned(),
    })
}

/// The lines of the list's item that is the flag's, and its value.
fn item(
    lines: &[Line<'_>],
    range: std::ops::Range<usize>,
    indent: usize,
) -> Result<Option<(std::ops::Range<usize>, Field)>, GateError> {
    let opens =
        |number: &usize| lines[*number].indent() == indent && lines[*number].content.trim_start().starts_with("- ");
    let starts: Vec<usize> = range.clone().filter(opens).collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(range.end);
        let mut name = None;
        let mut value = None;
        for (number, line) in lines.iter().enumerate().take(end).skip(*start) {
            let content = line.content.trim_start().trim_start_matches("- ").trim_start();
            if let Some(rest) = content.strip_prefix("name:") {
                name = Some(value_of(line, number, rest)?.value);
            }
            if let Some(rest) = content.strip_prefix("value:") {
                value = Some(value_of(line, number, rest)?);
            }
        }
        if name.as_deref() == Some(FLAG) {
            let value = value.ok_or_else(|| GateError::new(format!("{FLAG} has no value")))?;
            return Ok(Some((*start..end, value)));
        }
    }
    Ok(None)
}
