//! The files of exports: which values they may hold, nfsprov's block in one of them, and how exportfs reads it (PURE).
//!
//! The status of `exportfs -ra` proves nothing: it is 0 when a mistake exports to the whole world, and 1 when the
//! exports have already changed. So values are checked before they are written ([`check_client`] and its like), others'
//! lines are read as exportfs reads them ([`find_conflicts`]), and afterwards the active exports are compared with the
//! desired ones ([`find_differences`]). nfsprov's lines stand between two marks; outside of these no byte changes.

mod client;
mod conflicts;
mod lexer;
mod listing;
mod options;
mod unwritten;
mod values;

pub use super::block::Damage;
pub(super) use client::{Client, Network};
pub use conflicts::{Conflict, ConflictSeverity, find_conflicts};
pub use listing::{
    ActiveExport, describe_drift, dropped_clients, find_differences, find_different_options, parse_listing,
};
pub use unwritten::find_unwritten_exports;
pub use values::{ValueError, check_client, check_file, check_options, check_path};

use std::net::IpAddr;

use super::block;

/// The options of an export, where no others are asked for.
pub const OPTIONS: &str = "rw,sync,no_subtree_check,no_root_squash";

/// An export of nfsprov's: a directory, who may mount it, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredExport {
    /// The directory, as [`check_path`] takes it, with no link in it: exportfs lists no other.
    pub path: String,
    /// Addresses, networks, host names, `@netgroups`, `*`, or patterns of names. Those that come twice count once.
    pub clients: Vec<String>,
    /// The options of all of them, without parentheses, such as `rw,sync,no_subtree_check,no_root_squash`.
    pub options: String,
}

impl DesiredExport {
    /// The clients without duplicates: of two spellings of one network the first stays.
    fn distinct_clients(&self) -> Vec<&str> {
        let mut clients: Vec<(&str, Client)> = Vec::new();
        for text in &self.clients {
            let client = Client::of(text);
            if !clients.iter().any(|(_, known)| *known == client) {
                clients.push((text, client));
            }
        }
        clients.into_iter().map(|(text, _)| text).collect()
    }

    /// Whether a host with this address is among the clients; `None` if that depends on names, which are not looked up.
    pub fn allows_address(&self, address: IpAddr) -> Option<bool> {
        let host = Client::of(&address.to_string());
        let clients: Vec<Client> = self.clients.iter().map(|text| Client::of(text)).collect();
        let by_address = |client: &Client| matches!(client, Client::World | Client::Network(_));
        match clients
            .iter()
            .any(|client| by_address(client) && client.overlaps(&host))
        {
            true => Some(true),
            false => clients.iter().all(by_address).then_some(false),
        }
    }

    /// The line with its newline. Nothing is quoted: the values must be those that [`check_export`] accepts.
    fn to_line(&self) -> Vec<u8> {
        let clients = self.distinct_clients().into_iter();
        let clients: Vec<String> = clients.map(|client| format!("{client}({})", self.options)).collect();
        format!("{} {}\n", self.path, clients.join(" ")).into_bytes()
    }
}

/// Why a file is not edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportsError {
    /// A value that exportfs would make something else of.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The marks of nfsprov's block differ from those that it wrote.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// Without a client, exportfs exports to the whole world.
    #[error("{path} has no client to be exported to, which exportfs takes for the whole world; name one, or *")]
    NoClient {
        /// The directory.
        path: String,
    },
    /// exportfs reads no client with its options that is longer.
    #[error(
        "the client {client} and its options are {length} bytes long, and exportfs reads at most {limit}; shorten the options"
    )]
    TooLong {
        /// The client.
        client: String,
        /// With its options, in bytes.
        length: usize,
        /// What exportfs reads, in bytes.
        limit: usize,
    },
}

/// The file `original` with nfsprov's line for `wanted` in its block, which is appended if it is missing. Lines of the
/// block stay if they give the same clients the very same options; else one line replaces all lines of the block for
/// the directory, and clients that are not in `wanted` are dropped. Lines outside of the block are not looked at:
/// [`find_conflicts`] does that.
///
/// # Errors
/// [`ExportsError`] when exportfs would read a value of `wanted` as something else, or the block is damaged.
pub fn with_export(original: &[u8], wanted: &DesiredExport) -> Result<Vec<u8>, ExportsError> {
    check_export(wanted)?;
    let Some(found) = block::find_block(original)? else {
        return Ok(block::append_block(original, &wanted.to_line()));
    };
    let lines = block::split_lines(&original[found.body.clone()]);
    let own: Vec<&[u8]> = lines
        .iter()
        .filter(|line| is_for(line, &wanted.path))
        .copied()
        .collect();
    let reading = lexer::read_exports(&own.concat());
    let whole = reading.stopped.is_none() && reading.unclosed.is_none();
    if whole && !own.is_empty() && describe_drift(&to_active_exports(reading, &wanted.path), wanted).is_empty() {
        return Ok(original.to_owned());
    }
    let mut body = Vec::new();
    let mut written = false;
    for line in lines {
        if !is_for(line, &wanted.path) {
            body.extend_from_slice(line);
        } else if !written {
            body.extend(wanted.to_line());
            written = true;
        }
    }
    if !written {
        body.extend(wanted.to_line());
    }
    Ok(block::replace_body(original, &found, &body))
}

/// The file `original` without nfsprov's lines for the directory `path`, and without its block if nothing else is in
/// it; the same file if it has no such line.
///
/// # Errors
/// [`ExportsError::Damaged`].
pub fn without_export(original: &[u8], path: &str) -> Result<Vec<u8>, ExportsError> {
    let Some(found) = block::find_block(original)? else {
        return Ok(original.to_owned());
    };
    let lines = block::split_lines(&original[found.body.clone()]);
    let rest: Vec<&[u8]> = lines.iter().filter(|line| !is_for(line, path)).copied().collect();
    match rest.len() == lines.len() {
        true => Ok(original.to_owned()),
        false => Ok(block::replace_body(original, &found, &rest.concat())),
    }
}

/// The exports of the directory `path`, without repeated or final slashes, in nfsprov's block: one for each client, as
/// they are written there; `None` if it has no line for it, empty if exportfs can't read a client in its lines. Whether
/// they are in force is not known.
///
/// # Errors
/// [`ExportsError::Damaged`].
pub fn own_exports(original: &[u8], path: &str) -> Result<Option<Vec<ActiveExport>>, ExportsError> {
    let Some(found) = block::find_block(original)? else {
        return Ok(None);
    };
    let lines = block::split_lines(&original[found.body]);
    let own: Vec<&[u8]> = lines.into_iter().filter(|line| is_for(line, path)).collect();
    if own.is_empty() {
        return Ok(None);
    }
    Ok(Some(to_active_exports(lexer::read_exports(&own.concat()), path)))
}

/// The clients of nfsprov's exports in these files, those of the directory `path` in `own_file` excepted; a client of
/// several exports comes several times. A damaged block counts as empty.
pub fn clients_of_other_exports<'a>(
    own_file: &'a [u8],
    other_files: impl Iterator<Item = &'a [u8]>,
    path: &str,
) -> Vec<String> {
    let mut clients = Vec::new();
    for (text, left_out) in std::iter::once((own_file, Some(path))).chain(other_files.map(|text| (text, None))) {
        let Ok(Some(found)) = block::find_block(text) else {
            continue;
        };
        let lines = block::split_lines(&text[found.body]);
        let kept = lines
            .into_iter()
            .filter(|line| left_out.is_none_or(|path| !is_for(line, path)));
        let entries = lexer::read_exports(&kept.collect::<Vec<_>>().concat()).entries;
        clients.extend(entries.into_iter().map(|entry| entry.client));
    }
    clients
}

/// The entries that were read, as exports of the directory `path`.
fn to_active_exports(reading: lexer::Reading, path: &str) -> Vec<ActiveExport> {
    let entries = reading.entries.into_iter().map(|entry| ActiveExport {
        path: path.to_owned(),
        client: entry.client,
        options: entry.options,
    });
    entries.collect()
}

/// Whether an export with these options of a file maps root of all its clients to a user without rights of its own, as
/// is the default. False for options that exportfs refuses.
pub fn options_squash_root(options: &str) -> bool {
    options::Meaning::in_file(options).is_ok_and(|meaning| meaning.squashes_root())
}

/// As [`options_squash_root`], for options that exportfs lists; false if they don't say.
pub fn listed_options_squash_root(options: &str) -> bool {
    options::Meaning::in_listing(options).squashes_root()
}

/// Whether a line of the block is about the directory `path`, which is given as [`normalize_path`] returns it.
fn is_for(line: &[u8], path: &str) -> bool {
    lexer::path_of(line).is_some_and(|own| normalize_path(&own) == path.as_bytes())
}

/// A directory's path as exportfs lists it: without repeated and final slashes and without `..`. Links are not
/// resolved.
fn normalize_path(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    [b"/", &parts.join(&b'/')[..]].concat()
}

/// Refuses a path, options or clients that exportfs would read as something else, and an export without clients.
fn check_export(wanted: &DesiredExport) -> Result<(), ExportsError> {
    check_path(&wanted.path)?;
    check_options(&wanted.options)?;
    if wanted.clients.is_empty() {
        return Err(ExportsError::NoClient {
            path: wanted.path.clone(),
        });
    }
    for client in &wanted.clients {
        check_client(client)?;
        // With the two parentheses; the last byte is the one that ends the text for C.
        let length = client.len() + wanted.options.len() + 2;
        let limit = lexer::CLIENT_LIMIT - 1;
        if length > limit {
            return Err(ExportsError::TooLong {
                client: client.clone(),
                length,
                limit,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
