//! Sets or removes the gate, RemoveSelfLink=false, in a file's text (PURE).
//!
//! Candidates are simple edits of the text. [`only_gate_differs`] parses the text before and after; the first candidate
//! that it accepts is taken. A file without an accepted candidate has to be edited by hand.

use std::ops::Range;

use serde_json::{Value, json};

use super::{GATE, Gate, GateError, NAME};
use crate::manifest;

const FLAG: &str = "feature-gates";

/// The setting of K3s and RKE2 that holds arguments of the API server.
const ARGUMENT: &str = "kube-apiserver-arg";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// kubeadm's static pod.
    Manifest,
    /// The ClusterConfiguration in kubeadm's ConfigMap.
    ClusterConfiguration,
    /// `config.yaml` of K3s or RKE2.
    Config,
    /// A systemd unit of K3s or RKE2, or a drop-in.
    Unit,
}

/// A parsed file, with the gate separated from the rest.
#[derive(Debug, PartialEq)]
struct Parsed {
    /// Everything but the gate; a list that held nothing else is left out.
    rest: Value,
    /// The gate as it stands in the file, such as `RemoveSelfLink=false`; the last one counts.
    gate: Option<String>,
    /// The lists of gates, as written.
    lists: Vec<String>,
}

/// Sets or removes the gate; returns the same text if it is already in the requested state. An empty text is a file
/// that does not exist yet. `RemoveSelfLink=true` is replaced or removed, too.
///
/// # Errors
/// When the file can't be parsed, or no simple edit changes the gate alone.
pub(crate) fn edit_gate(format: Format, text: &str, wanted: Gate) -> Result<String, GateError> {
    let parsed = parse_file(format, text)?;
    if parsed.gate.as_deref() == gate_text(wanted) {
        return Ok(text.to_owned());
    }
    let candidates = match wanted {
        Gate::Set => candidates_with_gate(format, text, &parsed),
        Gate::Unset => candidates_without_gate(text),
    };
    let accepted = candidates
        .into_iter()
        .find(|candidate| only_gate_differs(format, &parsed, candidate, wanted));
    accepted.ok_or_else(|| {
        let what = if wanted == Gate::Set { "add" } else { "remove" };
        GateError::new(format!(
            "it has a form that can't be edited safely; {what} {GATE} in its {FLAG} by hand"
        ))
    })
}

/// Returns the text before the gate was set: the copy kept then, if nothing else has changed since; otherwise the text
/// without the gate.
///
/// # Errors
/// When the file can't be parsed, or no simple edit removes the gate alone.
pub(crate) fn undo_gate(format: Format, text: &str, copy: Option<&str>) -> Result<String, GateError> {
    match copy {
        Some(copy) if edit_gate(format, copy, Gate::Set).as_deref() == Ok(text) => Ok(copy.to_owned()),
        _ => edit_gate(format, text, Gate::Unset),
    }
}

/// Whether a unit's command line has arguments for the API server, which replace those of configuration files. False if
/// the unit can't be parsed.
pub(crate) fn unit_has_arguments(text: &str) -> bool {
    command_line(text).is_ok_and(|(_, words)| {
        words
            .iter()
            .any(|word| word.trim_start_matches('-').starts_with(ARGUMENT))
    })
}

/// Whether a unit or a drop-in has a command line. False if it can't be parsed.
pub(crate) fn unit_has_command(text: &str) -> bool {
    command_line(text).is_ok_and(|(_, words)| !words.is_empty())
}

/// The arguments for the API server in a configuration file of K3s or RKE2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Whether they are added to those of earlier files.
    pub(crate) are_added: bool,
    /// Whether gates are among them.
    pub(crate) have_gates: bool,
}

/// What a configuration file of K3s or RKE2 says about arguments for the API server; `None` if it has none.
///
/// # Errors
/// When the file can't be parsed.
pub(crate) fn config_arguments(text: &str) -> Result<Option<Arguments>, GateError> {
    let document = parse_mapping(text)?;
    let added = document.get(format!("{ARGUMENT}+")).is_some();
    let replaced = document.get(ARGUMENT).is_some();
    let arguments = Arguments {
        are_added: !replaced,
        have_gates: !parse_file(Format::Config, text)?.lists.is_empty(),
    };
    Ok((added || replaced).then_some(arguments))
}

/// The gate as [`Parsed::gate`] has it in the requested state; `None` if it is to be absent.
fn gate_text(wanted: Gate) -> Option<&'static str> {
    (wanted == Gate::Set).then_some(GATE)
}

/// Whether `text` has the gate in the requested state, and all else as `before`. False if it can't be parsed.
fn only_gate_differs(format: Format, before: &Parsed, text: &str, wanted: Gate) -> bool {
    parse_file(format, text).is_ok_and(|after| after.rest == before.rest && after.gate.as_deref() == gate_text(wanted))
}

/// Parses a YAML mapping; an empty text is an empty one, and anything but a mapping an error.
pub(super) fn parse_mapping(text: &str) -> Result<Value, GateError> {
    match manifest::read_yaml(text).map_err(GateError::new)? {
        Value::Null => Ok(json!({})),
        document @ Value::Object(_) => Ok(document),
        _ => Err(GateError::new("it is no YAML mapping")),
    }
}

/// Parses a file into the gate, all lists of gates, and the rest of the content without the gate.
///
/// # Errors
/// When it has not the syntax of its format, or no place for the API server's arguments.
fn parse_file(format: Format, text: &str) -> Result<Parsed, GateError> {
    let (mut gate, mut lists) = (None, Vec::new());
    let mut take = |list: &str| {
        lists.push(list.to_owned());
        let (ours, others): (Vec<&str>, Vec<&str>) = list
            .split(',')
            .partition(|one| one.trim().split('=').next() == Some(NAME));
        gate = ours.last().map(|ours| ours.trim().to_owned()).or(gate.take());
        others.join(",")
    };
    let rest = match format {
        Format::Unit => {
            let (others, words) = command_line(text)?;
            json!([others, remove_gate(&words, &mut take)])
        }
        Format::Manifest => {
            let mut document = parse_mapping(text)?;
            let containers = document.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
            let container = containers.into_iter().flatten().find(|one| runs_api_server(one));
            let container = container.ok_or_else(|| GateError::new("no container in it runs kube-apiserver"))?;
            for key in ["command", "args"] {
                remove_gate_from_list(container, key, &mut take);
            }
            document
        }
        Format::Config => {
            let mut document = parse_mapping(text)?;
            remove_gate_from_list(&mut document, ARGUMENT, &mut take);
            remove_gate_from_list(&mut document, &format!("{ARGUMENT}+"), &mut take);
            document
        }
        Format::ClusterConfiguration => {
            let mut document = parse_mapping(text)?;
            match &document["apiServer"] {
                Value::Null => document["apiServer"] = json!({}),
                Value::Object(_) => {}
                _ => return Err(GateError::new("apiServer is no mapping")),
            }
            let arguments = document["apiServer"]["extraArgs"].take();
            let arguments = match arguments {
                Value::Object(mut fields) => {
                    let others = fields.get(FLAG).and_then(Value::as_str).map(&mut take);
                    match others {
                        Some(others) if others.is_empty() => _ = fields.remove(FLAG),
                        Some(others) => fields[FLAG] = json!(others),
                        None => {}
                    }
                    json!(fields)
                }
                Value::Array(mut items) => {
                    items.retain_mut(|item| {
                        let list = item["value"].as_str().filter(|_| item["name"] == FLAG);
                        let Some(others) = list.map(&mut take) else { return true };
                        item["value"] = json!(others);
                        !others.is_empty()
                    });
                    json!(items)
                }
                other => other,
            };
            let is_empty = arguments.as_object().is_none_or(serde_json::Map::is_empty)
                && arguments.as_array().is_none_or(Vec::is_empty);
            document["apiServer"]["extraArgs"] = if is_empty { Value::Null } else { arguments };
            document
        }
    };
    Ok(Parsed { rest, gate, lists })
}

/// The words of a container's `command`, then of its `args`; none if it has neither.
pub(super) fn command_words(container: &Value) -> impl Iterator<Item = &str> {
    let lists = [&container["command"], &container["args"]].into_iter();
    lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str)
}

/// Whether a word of the container's command line is `kube-apiserver`, with or without a path before it.
pub(super) fn runs_api_server(container: &Value) -> bool {
    command_words(container).any(|word| word.rsplit('/').next() == Some("kube-apiserver"))
}

/// Removes the gate from the list of arguments at `key`, or the single one there, and the key if none is left. A value
/// of any other kind is left as it is. `take_gate` gets each list of gates and returns the others.
fn remove_gate_from_list(object: &mut Value, key: &str, take_gate: &mut impl FnMut(&str) -> String) {
    let words: Vec<String> = match &object[key] {
        Value::String(word) => vec![word.clone()],
        Value::Array(words) if words.iter().all(Value::is_string) => {
            words.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => return,
    };
    let left = remove_gate(&words, take_gate);
    match (left.is_empty(), object.as_object_mut()) {
        (true, Some(fields)) => _ = fields.remove(key),
        _ => object[key] = json!(left),
    }
}

/// The arguments without the gate: `--feature-gates=…`, `--feature-gates …`, and the same as values of
/// `kube-apiserver-arg`. `take_gate` gets each list of gates and returns the others; an argument that has none left is
/// dropped.
fn remove_gate(words: &[String], take_gate: &mut impl FnMut(&str) -> String) -> Vec<String> {
    let mut left: Vec<String> = Vec::new();
    let mut words = words.iter();
    let split = |word: &str| word.find(&format!("{FLAG}=")).map(|at| at + FLAG.len() + 1);
    while let Some(word) = words.next() {
        let bare = word.trim_start_matches('-');
        if bare == FLAG
            && let Some(list) = words.next()
        {
            let others = take_gate(list);
            if !others.is_empty() {
                left.extend([word.clone(), others]);
            }
            continue;
        }
        let is_flag = bare.starts_with(&format!("{FLAG}=")) || bare.starts_with(&format!("{ARGUMENT}={FLAG}="));
        match split(word).filter(|_| is_flag) {
            None => left.push(word.clone()),
            Some(at) => {
                let others = take_gate(&word[at..]);
                if !others.is_empty() {
                    left.push(format!("{}{others}", &word[..at]));
                } else if left.last().is_some_and(|last| last.trim_start_matches('-') == ARGUMENT) {
                    // The value of `--kube-apiserver-arg VALUE`.
                    left.pop();
                }
            }
        }
    }
    left
}

/// The lines of a unit without its command line, and the words of the command line, none without one. Comments between
/// its lines are no part of it. More than one ExecStart= after the last empty one is an error, and so is a line that
/// [`split_words`] refuses.
pub(super) fn command_line(text: &str) -> Result<(Vec<String>, Vec<String>), GateError> {
    let (mut others, mut words, mut commands) = (Vec::new(), Vec::new(), 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((_, command)) = line.split_once('=').filter(|(key, _)| key.trim() == "ExecStart") else {
            others.push(line.trim_end().to_owned());
            continue;
        };
        // An empty one resets those before it.
        if command.trim().is_empty() {
            (words, commands) = (Vec::new(), 0);
            continue;
        }
        commands += 1;
        let mut line = command;
        while let Some(start) = line.strip_suffix('\\') {
            split_words(start, &mut words)?;
            let is_comment = |line: &&str| line.trim_start().starts_with(['#', ';']);
            let mut next = lines.next();
            while let Some(comment) = next.filter(is_comment) {
                others.push(comment.trim_end().to_owned());
                next = lines.next();
            }
            line = next.unwrap_or_default();
        }
        split_words(line, &mut words)?;
    }
    match commands {
        0 | 1 => Ok((others, words)),
        _ => Err(GateError::new(format!("it has {commands} lines with ExecStart="))),
    }
}

/// Adds the words of a line, without the quotation marks around them, to `words`. Only a quotation mark with which a
/// word begins counts. A word that begins with a backslash is an error, and so is a quote that is not closed.
fn split_words(line: &str, words: &mut Vec<String>) -> Result<(), GateError> {
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\\' => {
                return Err(GateError::new(
                    "a backslash in ExecStart= is followed by text, so that systemd does not read on",
                ));
            }
            '\'' | '"' => rest[1..]
                .split_once(first)
                .ok_or_else(|| GateError::new("a quote is not closed"))?,
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(())
}

/// `text` with `new` in the place of these bytes.
fn replace_range(text: &str, place: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..place.start], &text[place.end..])
}

/// The ranges of `part` in a text, last first.
fn occurrences_of<'a>(text: &'a str, part: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    text.rmatch_indices(part).map(|(at, part)| at..at + part.len())
}

/// The range of each line of a text, with its newline.
fn line_ranges(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let each = text.split_inclusive('\n').map(|line| {
        let place = start..start + line.len();
        start = place.end;
        place
    });
    each.collect()
}

/// The texts that simple edits to set the gate give, the most likely first; most are wrong and rejected by the caller.
fn candidates_with_gate(format: Format, text: &str, parsed: &Parsed) -> Vec<String> {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut found: Vec<String> = Vec::new();
    // Another value of the gate, then a list of gates without it.
    found.extend(occurrences_of(text, &format!("{NAME}=true")).map(|place| replace_range(text, place, GATE)));
    for list in parsed.lists.iter().rev().filter(|list| !list.is_empty()) {
        found.extend(occurrences_of(text, list).map(|place| replace_range(text, place, &format!("{list},{GATE}"))));
    }
    let item = match format {
        Format::Manifest => format!("--{FLAG}={GATE}"),
        _ => format!("{FLAG}={GATE}"),
    };
    let insert_line = |at: usize, line: &str| match text[..at].ends_with('\n') || at == 0 {
        true => replace_range(text, at..at, &format!("{line}{newline}")),
        false => replace_range(text, at..at, &format!("{newline}{line}")),
    };
    for place in line_ranges(text).into_iter().rev() {
        let line = text[place.clone()].trim_end();
        let content = line.trim_start();
        let indent = &line[..line.len() - content.len()];
        let end = place.start + line.len();
        match format {
            Format::Unit if content.is_empty() => {}
            Format::Unit => {
                let end = end - usize::from(line.ends_with('\\'));
                let end = text[..end].trim_end().len();
                found.push(replace_range(text, end..end, &format!(" '--{ARGUMENT}={item}'")));
            }
            Format::ClusterConfiguration => {
                let below = text[place.end..].lines().next().unwrap_or_default();
                let deeper = match below.len() - below.trim_start().len() {
                    depth if depth > indent.len() || below.trim_start().starts_with("- ") => depth,
                    _ => indent.len() + 2,
                };
                let deeper = " ".repeat(deeper);
                let flag = format!("{deeper}{FLAG}: {GATE}");
                let listed = format!("{deeper}- name: {FLAG}{newline}{deeper}  value: {GATE}");
                let block = format!("{deeper}extraArgs:{newline}  {flag}");
                let head = content.trim_end_matches(" {}").trim_end_matches(" []");
                let children = match head {
                    "extraArgs:" => vec![flag, listed],
                    "apiServer:" => vec![block],
                    _ => vec![],
                };
                let with = |child| replace_range(text, place.start..end, &format!("{indent}{head}{newline}{child}"));
                found.extend(children.into_iter().map(with));
            }
            Format::Manifest | Format::Config if content.starts_with("- ") => {
                let quote = content[2..].chars().next().filter(|c| matches!(c, '"' | '\''));
                let quote = quote.map(String::from).unwrap_or_default();
                found.push(insert_line(place.end, &format!("{indent}- {quote}{item}{quote}")));
            }
            Format::Config if indent.is_empty() && content.starts_with(ARGUMENT) => {
                if let Some((key, one)) = content.split_once(": ") {
                    let one = match one.starts_with(['"', '\'']) {
                        true => one.to_owned(),
                        false => format!("\"{one}\""),
                    };
                    found.push(replace_range(
                        text,
                        place.start..end,
                        &format!("{key}: [{one}, \"{item}\"]"),
                    ));
                }
            }
            Format::Manifest | Format::Config => {}
        }
    }
    if matches!(format, Format::Manifest | Format::Config) {
        for place in occurrences_of(text, "]") {
            let at = text[..place.start].trim_end().len();
            let comma = if text[..at].ends_with(['[', ',']) { "" } else { ", " };
            found.push(replace_range(text, at..at, &format!("{comma}\"{item}\"")));
        }
    }
    match format {
        Format::Config => found.push(insert_line(text.len(), &format!("{ARGUMENT}:{newline}- {item}"))),
        Format::ClusterConfiguration => {
            let block = format!("apiServer:{newline}  extraArgs:{newline}    {FLAG}: {GATE}");
            found.push(insert_line(text.len(), &block));
        }
        Format::Manifest | Format::Unit => {}
    }
    found
}

/// The texts that simple edits which remove the gate give, the likeliest first; the caller rejects the wrong ones.
fn candidates_without_gate(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // Among other gates.
    for gate in [GATE, "RemoveSelfLink=true"] {
        found.extend(occurrences_of(text, &format!(",{gate}")).map(|place| replace_range(text, place, "")));
        found.extend(occurrences_of(text, &format!("{gate},")).map(|place| replace_range(text, place, "")));
    }
    let all = line_ranges(text);
    for (number, place) in all.iter().enumerate().rev() {
        let line = &text[place.clone()];
        let Some(column) = line.find(NAME) else { continue };
        // Whole lines, with those above that hold nothing else; comments above stay.
        let above = |count: &usize| {
            let above = number.checked_sub(*count).map(|first| &all[first..number]);
            let holds_text = |line: &str| !line.trim().is_empty() && !line.contains('#');
            above.is_some_and(|above| above.iter().all(|one| holds_text(&text[one.clone()])))
        };
        for count in (0..4).rev().filter(above) {
            let start = all[number - count].start;
            let without = replace_range(text, start..place.end, "");
            // The line above must not read on into what follows.
            let before = without[..start].trim_end();
            if let Some(before) = before.strip_suffix('\\').filter(|_| !line.trim_end().ends_with('\\')) {
                found.push(format!("{}\n{}", before.trim_end(), &without[start..]));
            }
            found.push(match text.ends_with('\n') {
                true => without,
                false => without.trim_end_matches(['\n', '\r']).to_owned(),
            });
        }
        // One item or word of several in a line.
        let is_edge = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']');
        let at = place.start + column;
        let after_edge = |text: &str| {
            let edge = text.char_indices().rfind(|(_, c)| is_edge(*c));
            edge.map_or(0, |(edge, c)| edge + c.len_utf8())
        };
        let start = after_edge(&text[..at]);
        let end = text[at..].find(is_edge).map_or(text.len(), |edge| at + edge);
        let before = text[..start].trim_end_matches([' ', '\t']);
        let after = text[end..].trim_start_matches([' ', '\t']);
        let tidy = before.strip_suffix(',').unwrap_or(before);
        found.push(format!("{tidy}{}", &text[end..]));
        found.push(format!(
            "{}{}",
            &text[..start],
            after.strip_prefix(',').unwrap_or(after).trim_start()
        ));
        // The word before it, too: `--kube-apiserver-arg VALUE`.
        let word = after_edge(before);
        found.push(format!(
            "{}{}",
            text[..word].trim_end_matches([' ', '\t']),
            &text[end..]
        ));
    }
    found
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
