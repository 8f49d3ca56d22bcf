//! Conflicts between others' lines and an export of nfsprov's, and lines that exportfs reads otherwise than they look
//! (PURE).

use std::fmt;

use super::client::Client;
use super::lexer::{self, Entry, Origin, Reading};
use super::options::Meaning;
use super::values::looks_like_address;
use super::{DesiredExport, normalize_path, with_export};
use crate::host::block;

/// A line of another's that matters to an export of ours, or to those who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// Whether it forbids to write nfsprov's line.
    pub severity: ConflictSeverity,
    /// What is wrong with it: a clause.
    pub why: String,
}

/// Whether nfsprov's line may be written in spite of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictSeverity {
    /// With it, exportfs would not make of our line what it says: nothing may be written.
    Forbids,
    /// The line may be written; the conflict is shown as a warning.
    Warns,
}

impl fmt::Display for Conflict {
    /// Writes `FILE:LINE: WHY: TEXT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.why, self.text)
    }
}

/// Finds lines that conflict with `wanted` in the files that exportfs reads, given with their names: others' lines that
/// export its directory to hosts of its clients (only the same client forbids), lines that exportfs reads otherwise
/// than they look, another root of NFSv4 (`fsid=0`), and lines after which exportfs reads no more. The first
/// file is the one that has nfsprov's block, or will have it; only there can lines hide the block. Lines of a damaged
/// block count as others'.
pub fn find_conflicts(files: &[(String, Vec<u8>)], wanted: &DesiredExport) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (at, (name, bytes)) in files.iter().enumerate() {
        let file = File {
            name,
            bytes,
            reading: lexer::read_exports(bytes),
            own: match at {
                0 => block::find_block(bytes).ok().flatten().map(|block| block.lines),
                _ => None,
            }
            .unwrap_or_default(),
        };
        file.add_overlaps(wanted, &mut found);
        if at == 0 {
            file.add_line_that_hides_block(wanted, &mut found);
        }
        file.add_early_end(&mut found);
    }
    found
}

struct File<'a> {
    name: &'a str,
    bytes: &'a [u8],
    reading: Reading,
    /// The lines of nfsprov's block.
    own: std::ops::Range<usize>,
}

impl File<'_> {
    /// A conflict with the line of this number, counted from 1.
    fn conflict(&self, line: usize, severity: ConflictSeverity, why: String) -> Conflict {
        let text = self
            .bytes
            .split(|byte| *byte == b'\n')
            .nth(line - 1)
            .unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        Conflict {
            file: self.name.to_owned(),
            line,
            text: text.trim().to_owned(),
            severity,
            why,
        }
    }

    /// Adds others' entries for the same directory whose clients are or overlap those of `wanted`, entries with
    /// `fsid=0` for a directory that does not hold it, and entries that exportfs reads otherwise than they look. Only
    /// an entry for the same directory and client forbids.
    fn add_overlaps(&self, wanted: &DesiredExport, found: &mut Vec<Conflict>) {
        let mut add = |entry: &Entry, severity, why: String| {
            let conflict = self.conflict(entry.line, severity, why);
            if !found.contains(&conflict) {
                found.push(conflict);
            }
        };
        let others = self
            .reading
            .entries
            .iter()
            .filter(|entry| !self.own.contains(&entry.line));
        for entry in others {
            let path = normalize_path(&entry.path);
            let shown = String::from_utf8_lossy(&path);
            let client = Client::of(&entry.client);
            // Entries after an open quotation mark are reported as that, by `add_early_end`.
            let is_in_quotation = self.reading.unclosed.is_some_and(|line| line <= entry.line);
            if let Some(trap) = describe_unexpected_meaning(entry, &client).filter(|_| !is_in_quotation) {
                add(entry, ConflictSeverity::Warns, trap);
            }
            if path != wanted.path.as_bytes() {
                let inside = wanted.path.as_bytes().starts_with(&[&path[..], b"/"].concat()) || path == b"/";
                if Meaning::in_file(&entry.options).is_ok_and(|meaning| meaning.is_nfs4_root()) && !inside {
                    let why = format!(
                        "{shown} is the root of what NFSv4 clients see (fsid=0), and {} is not in it",
                        wanted.path
                    );
                    add(entry, ConflictSeverity::Warns, why);
                }
                continue;
            }
            let clients = wanted.distinct_clients();
            if let Some(same) = clients.iter().find(|text| Client::of(text) == client) {
                let why =
                    format!("it exports {shown} to {same} already, and exportfs takes whichever line comes first");
                add(entry, ConflictSeverity::Forbids, why);
            } else if let Some(both) = clients.iter().find(|text| Client::of(text).overlaps(&client)) {
                let why = format!(
                    "it exports {shown} to {}, which {both} overlaps: hosts of both get the options of one",
                    entry.client
                );
                add(entry, ConflictSeverity::Warns, why);
            }
        }
    }

    /// Adds the line that would make exportfs misread nfsprov's line in this file, or read others' differently than
    /// before, as one that forbids. Adds nothing if `wanted` can't be written at all: [`with_export`] says why.
    fn add_line_that_hides_block(&self, wanted: &DesiredExport, found: &mut Vec<Conflict>) {
        let Ok(candidate) = with_export(self.bytes, wanted) else {
            return;
        };
        let Ok(Some(block)) = block::find_block(&candidate) else {
            return;
        };
        let reading = lexer::read_exports(&candidate);
        let ours =
            |entry: &&Entry| block.lines.contains(&entry.line) && normalize_path(&entry.path) == wanted.path.as_bytes();
        let read: Vec<&str> = reading
            .entries
            .iter()
            .filter(ours)
            .map(|entry| entry.client.as_str())
            .collect();
        let clients = wanted.distinct_clients();
        let whole = read.len() == clients.len() && clients.iter().all(|client| read.contains(client));
        let rest = |reading: &Reading, own: &std::ops::Range<usize>| -> Vec<(Vec<u8>, String, String)> {
            let others = reading.entries.iter().filter(|entry| !own.contains(&entry.line));
            let others = others.map(|entry| (entry.path.clone(), entry.client.clone(), entry.options.clone()));
            others.collect()
        };
        let kept = rest(&reading, &block.lines) == rest(&self.reading, &self.own);
        if whole && kept {
            return;
        }
        let before = |line: &usize| *line < block.lines.start;
        let stopped = reading.stopped.filter(|(line, _)| before(line));
        let (line, why) = match (reading.unclosed.filter(before), stopped) {
            (Some(line), _) => (
                line,
                "a quotation mark without its second one, which takes nfsprov's lines into the quotation".to_owned(),
            ),
            (None, Some((line, why))) => (
                line,
                format!("exportfs reads nothing after it, nor nfsprov's lines: {why}"),
            ),
            (None, None) => (
                block.lines.start.saturating_sub(1).max(1),
                "it continues into nfsprov's lines".to_owned(),
            ),
        };
        found.push(self.conflict(line, ConflictSeverity::Forbids, why));
    }

    /// Adds the line after which exportfs ignores the rest of the file, and the line of a quotation mark without its
    /// second one, each as a warning, unless it is reported as one that forbids already.
    fn add_early_end(&self, found: &mut Vec<Conflict>) {
        let said = |found: &[Conflict], line| {
            let mut stops = found
                .iter()
                .filter(|conflict| conflict.severity == ConflictSeverity::Forbids);
            stops.any(|conflict| conflict.file == self.name && conflict.line == line)
        };
        if let Some(line) = self.reading.unclosed.filter(|line| !said(found, *line)) {
            let why = "a quotation mark without its second one, which takes the rest of the file into the quotation";
            found.push(self.conflict(line, ConflictSeverity::Warns, why.to_owned()));
        }
        if let Some((line, why)) = &self.reading.stopped
            && !said(found, *line)
        {
            let why = format!("exportfs reads nothing after it: {why}");
            found.push(self.conflict(*line, ConflictSeverity::Warns, why));
        }
    }
}

/// The unexpected meaning of an entry: the whole world, an unusable path, or a client that no host matches. `None` if
/// it means what it looks like.
fn describe_unexpected_meaning(entry: &Entry, client: &Client) -> Option<String> {
    let shown = String::from_utf8_lossy(&entry.path);
    let text = &entry.client;
    if entry.path.starts_with("\u{feff}".as_bytes()) {
        return Some("a byte order mark before the directory, which exportfs takes for a part of it".to_owned());
    }
    if !entry.path.starts_with(b"/") {
        return Some(format!("{shown:?} is no absolute path, so exportfs exports nothing"));
    }
    match (entry.origin, client) {
        (Origin::OptionsAlone, _) => Some(format!("a space before the ( exports {shown} to the whole world")),
        (Origin::Nothing, _) => Some(format!("without a client, {shown} is exported to the whole world")),
        (Origin::Written, Client::Pattern(pattern)) if looks_like_address(pattern) => Some(format!(
            "exportfs takes {text} for a pattern of names, which no address fits"
        )),
        (Origin::Written, Client::Name(_)) if text.contains('/') => {
            Some(format!("exportfs can't read the network {text} and leaves it out"))
        }
        _ => None,
    }
}
