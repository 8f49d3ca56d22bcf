//! Checks the values of an export (PURE): each that exportfs would read as something else is refused before it is
//! written. An error is a clause for the user, with what to write instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::client::{Network, mask_bits};
use super::lexer::PATH_LIMIT;
use super::options::Meaning;

/// A value that can't be exported, or not as it was meant. The text quotes it and points at the character.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {verdict}: {why}")]
pub struct ValueError {
    text: String,
    verdict: &'static str,
    why: String,
}

/// Where exportfs looks for exports.
const FILE: &str = "/etc/exports";
const FOLDER: &str = "/etc/exports.d/";

/// Fails unless `text` is one client that exportfs reads as it is meant. `*` for all hosts passes; so does a host name
/// that does not exist, since names are not looked up.
///
/// # Errors
/// [`ValueError`], with what to write instead.
pub fn check_client(text: &str) -> Result<(), ValueError> {
    check_client_text(text).map_err(|why| ValueError {
        text: text.to_owned(),
        verdict: "is no client to export to",
        why,
    })
}

/// Fails unless `text` is a list of options of exports(5), without parentheses and contradictions.
///
/// # Errors
/// [`ValueError`], pointing at the option.
pub fn check_options(text: &str) -> Result<(), ValueError> {
    check_option_list(text).map_err(|why| ValueError {
        text: text.to_owned(),
        verdict: "is no list of export options",
        why,
    })
}

/// Fails unless `text` is a directory to export: an absolute path, spelt as `exportfs -s` lists it, and not `/`.
/// Whether the host has it is not checked.
///
/// # Errors
/// [`ValueError`], pointing at the character.
pub fn check_path(text: &str) -> Result<(), ValueError> {
    check_path_text(text).map_err(|why| ValueError {
        text: text.to_owned(),
        verdict: "is no directory to export",
        why,
    })
}

/// Fails unless exportfs reads a file of this name: `/etc/exports` or `/etc/exports.d/*.exports`.
///
/// # Errors
/// [`ValueError`], with the names that it reads.
pub fn check_file(text: &str) -> Result<(), ValueError> {
    check_file_text(text).map_err(|why| ValueError {
        text: text.to_owned(),
        verdict: "is no file that exportfs reads",
        why,
    })
}

/// The character at the offset `byte` and its position, counted from 1 in characters, for messages.
fn describe_place(text: &str, byte: usize) -> String {
    let position = text[..byte].chars().count() + 1;
    let character = text[byte..].chars().next().unwrap_or_default();
    match character.is_ascii_graphic() {
        true => format!("character {position} is {character:?}"),
        false => format!("character {position} is {character:?} (U+{:04X})", u32::from(character)),
    }
}

/// Refuses the first character for which `why` has a reason.
fn check_each_character(text: &str, why: impl Fn(char) -> Option<String>) -> Result<(), String> {
    match text.char_indices().find_map(|(byte, c)| Some((byte, why(c)?))) {
        Some((byte, why)) => Err(format!("{}, {why}", describe_place(text, byte))),
        None => Ok(()),
    }
}

/// Why no word in a file of exports may hold this character; `None` if it may.
fn reason_to_reject(c: char) -> Option<String> {
    let why = match c {
        '"' => "which exportfs takes for the beginning of a quotation",
        '#' => "which begins a comment",
        '\\' => "which joins lines or begins an escape",
        '\u{feff}' => "a byte order mark, which is invisible and which exportfs takes for a letter",
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{ad}' => "which is invisible",
        c if c.is_whitespace() => "and exportfs ends a word at a space",
        c if c.is_control() => "a control character",
        c => {
            return ascii_lookalike(c)
                .map(|meant| format!("a full-width character that exportfs takes for a letter; write {meant:?}"));
        }
    };
    Some(why.to_owned())
}

/// The ASCII character that a full-width one looks like.
fn ascii_lookalike(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '\u{3001}' => Some(','),
        '\u{3002}' => Some('.'),
        _ => None,
    }
}

/// Fails with the reason unless `text` is one client that exportfs reads as it is meant.
fn check_client_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty, which exportfs takes for the whole world; for that write *".to_owned());
    }
    check_each_character(text, |c| {
        let why = match c {
            '(' | ')' => "and a client has no parentheses; options go for all clients alike".to_owned(),
            ',' => "and here one client is given at a time".to_owned(),
            '%' => "and a zone belongs to one host only; leave it out".to_owned(),
            c => {
                return reason_to_reject(c)
                    .or_else(|| (!c.is_ascii()).then(|| "and a host's name is ASCII; write its xn-- form".to_owned()));
            }
        };
        Some(why)
    })?;
    match text.as_bytes() {
        b"*" => Ok(()),
        [b'-', ..] => Err(format!(
            "{}, which begins a line's default options",
            describe_place(text, 0)
        )),
        [b'@', ..] => check_netgroup(text),
        _ if text.starts_with("gss/") => {
            Err("exportfs calls it deprecated; write sec=krb5 among the options".to_owned())
        }
        [b'[', ..] if text.contains(':') => {
            let address = text.trim_start_matches('[').replace(']', "");
            Err(format!(
                "{}, which begins a pattern of names, and no address fits one; write {address}",
                describe_place(text, 0)
            ))
        }
        _ if text.contains('/') => check_network(text),
        _ => match text.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() => {
                Err("no host has this address; for all hosts write *".to_owned())
            }
            Ok(_) => Ok(()),
            Err(_) => check_host_name(text),
        },
    }
}

/// Fails with the reason unless `text`, with its `@`, is a netgroup.
fn check_netgroup(text: &str) -> Result<(), String> {
    let name = &text[1..];
    if name.is_empty() {
        return Err("the netgroup's name is missing after the @".to_owned());
    }
    check_each_character(text, |c| {
        let odd = !c.is_ascii_alphanumeric() && !"@._-".contains(c);
        odd.then(|| "and a netgroup's name has letters, digits, dots, dashes and underscores".to_owned())
    })
}

/// Fails with the reason unless `text`, which has a slash, is a network without host bits. A prefix of 0 fails, too.
fn check_network(text: &str) -> Result<(), String> {
    let slash = text.find('/').unwrap_or_default();
    let (address, bits) = (&text[..slash], &text[slash + 1..]);
    if let Some(star) = text.find(['*', '?', '[']) {
        return Err(format!(
            "{}, and a network has no wildcards",
            describe_place(text, star)
        ));
    }
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("{address:?} before the / is no address, and a name has no network"))?;
    let limit = if address.is_ipv4() { 32 } else { 128 };
    let digits = bits.bytes().all(|byte| byte.is_ascii_digit()) && !bits.is_empty();
    let prefix = if digits {
        bits.parse::<u8>()
            .ok()
            .filter(|prefix| *prefix <= limit)
            .ok_or_else(|| {
                let kind = if limit == 32 { "an IPv4" } else { "an IPv6" };
                format!(
                    "/{bits} at character {}: {kind} network has 0 to {limit} bits",
                    slash + 1
                )
            })?
    } else {
        let mask = bits.parse::<Ipv4Addr>().ok().filter(|_| address.is_ipv4());
        let mask = mask.and_then(mask_bits);
        mask.ok_or_else(|| format!("{bits:?} after the / at character {} is no number of bits", slash + 1))?
    };
    let network = Network::new(address, prefix).filter(|_| prefix > 0);
    match network {
        None => Err("that is the whole world; write * if it is meant".to_owned()),
        Some(network) if network.address() != address => Err(format!(
            "{address} is a host in the network {network}; write {network} for all of it, or {address} alone"
        )),
        Some(_) => Ok(()),
    }
}

/// Refuses what is neither a host's name nor a pattern of such names, with a hint at what may be meant.
fn check_host_name(text: &str) -> Result<(), String> {
    let wild = text.find(['*', '?', '[', ']']);
    let numeric = |c: char| c.is_ascii_digit() || ".-*?[]".contains(c);
    if let Some(star) = wild.filter(|_| text.chars().all(numeric)) {
        let hint = match text.chars().any(|c| c.is_ascii_digit()) {
            true => match stars_as_network(text) {
                Some(network) => format!("no address fits a pattern of names; write {network}"),
                None => "no address fits a pattern of names; write the network, as 10.0.0.0/24".to_owned(),
            },
            false => "every host that has a name would fit; write * if the whole world is meant".to_owned(),
        };
        return Err(format!("{}, and {hint}", describe_place(text, star)));
    }
    if let Some(colon) = text.find(':') {
        let hint = match text[..colon].contains('.') || !text[colon + 1..].contains(':') {
            true => "a client has no port",
            false => "as an IPv6 address it can't be read",
        };
        return Err(format!("{}, and {hint}", describe_place(text, colon)));
    }
    if text.chars().all(numeric) {
        return Err(
            "it is no IPv4 address, which has four numbers from 0 to 255, and no range of them either; write each \
                    address, or the network, as 10.0.0.0/24"
                .to_owned(),
        );
    }
    check_each_character(text, |c| {
        let odd = !c.is_ascii_alphanumeric() && !"._-*?[]!".contains(c);
        odd.then(|| "which no name of a host has".to_owned())
    })?;
    if wild.is_none()
        && let Some(mark) = text.find('!')
    {
        return Err(format!("{}, which no name of a host has", describe_place(text, mark)));
    }
    if text.matches('[').count() != text.matches(']').count() {
        return Err("a [ without its ], or a ] without its [".to_owned());
    }
    if text.len() > 253 {
        return Err(format!(
            "it has {} characters, and a host's name at most 253",
            text.len()
        ));
    }
    let mut start = 0;
    for label in text.split('.') {
        if label.is_empty() {
            let dot = start.min(text.len() - 1);
            return Err(format!(
                "{}, with nothing before or after it",
                describe_place(text, dot)
            ));
        }
        if label.len() > 63 && wild.is_none() {
            return Err(format!(
                "{label:?} has {} characters, and a part of a name at most 63",
                label.len()
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(format!(
                "no part of a host's name begins or ends with a dash, as {label:?} does"
            ));
        }
        start += label.len() + 1;
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    if text.contains('.') && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("no host's name ends in a number, as in .{last}"));
    }
    Ok(())
}

/// `10.0.*` or `10.0.0.*` as a network; `None` for other patterns.
fn stars_as_network(text: &str) -> Option<Network> {
    let numbers: Vec<&str> = text.split('.').collect();
    let fixed: Vec<u8> = numbers.iter().map_while(|number| number.parse().ok()).collect();
    let stars = numbers.get(fixed.len()..)?;
    if fixed.is_empty() || fixed.len() + stars.len() > 4 || stars.iter().any(|star| *star != "*") {
        return None;
    }
    let mut bytes = [0; 4];
    bytes.get_mut(..fixed.len())?.copy_from_slice(&fixed);
    let bits = u8::try_from(8 * fixed.len()).ok()?;
    Network::new(IpAddr::V4(Ipv4Addr::from(bytes)), bits)
}

/// Fails with the reason unless `text` is a list of options of exports(5), without parentheses and contradictions.
fn check_option_list(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty; write rw or ro at least".to_owned());
    }
    check_each_character(text, |c| match c {
        '(' | ')' => Some("and the list is given without parentheses".to_owned()),
        ' ' => Some("and exportfs ends a list at a space".to_owned()),
        c => reason_to_reject(c),
    })?;
    if text.ends_with(',') {
        return Err(format!(
            "{}, with nothing after it",
            describe_place(text, text.len() - 1)
        ));
    }
    let meaning = Meaning::in_file(text).map_err(|(byte, why)| point_at(text, byte, &why))?;
    if let Some(ids) = text.split(',').find(|option| option.starts_with("squash_")) {
        return Err(format!(
            "exports(5) knows {ids:?} no more; write anonuid= and all_squash"
        ));
    }
    check_option_paths(text)?;
    match meaning.contradiction() {
        Some((earlier, later, byte)) => Err(point_at(text, *byte, &format!("{later:?} contradicts {earlier:?}"))),
        None => Ok(()),
    }
}

/// Checks values that exportfs accepts without a check: paths of `mountpoint`, `refer` and `replicas`.
fn check_option_paths(text: &str) -> Result<(), String> {
    let mut byte = 0;
    for option in text.split(',') {
        let place = option.split_once('=').and_then(|(name, value)| match name {
            "mountpoint" | "mp" => Some((value.starts_with('/'), "an absolute path")),
            "refer" | "replicas" => Some((
                value.starts_with('/') && value.contains('@'),
                "PATH@HOST, more hosts after a + and more paths after a :",
            )),
            _ => None,
        });
        if let Some((false, wanted)) = place {
            return Err(point_at(text, byte, &format!("{option:?} wants {wanted}")));
        }
        byte += option.len() + 1;
    }
    Ok(())
}

/// The reason with the position, in characters, of the offset `byte`.
fn point_at(text: &str, byte: usize, why: &str) -> String {
    format!(
        "at character {}, {why}",
        text[..byte.min(text.len())].chars().count() + 1
    )
}

/// Fails with the reason unless `text` is an absolute path as `exportfs -s` lists it, and not `/`.
fn check_path_text(text: &str) -> Result<(), String> {
    match text {
        "" => return Err("it is empty".to_owned()),
        "/" => return Err("it is all that the host has; export a directory of its own, as /nfsdata".to_owned()),
        _ if !text.starts_with('/') => return Err("it is relative; a directory to export begins with a /".to_owned()),
        _ => {}
    }
    check_each_character(text, |c| match c {
        '(' | ')' => Some("and options belong to clients, not to the directory".to_owned()),
        c => reason_to_reject(c),
    })?;
    if text.len() >= PATH_LIMIT {
        return Err(format!(
            "it has {} bytes, and exportfs reads at most {}",
            text.len(),
            PATH_LIMIT - 1
        ));
    }
    if let Some(shorter) = text.strip_suffix('/') {
        return Err(format!(
            "{}; write {}",
            describe_place(text, text.len() - 1),
            shorter.trim_end_matches('/')
        ));
    }
    let mut byte = 1;
    for part in text[1..].split('/') {
        match part {
            "" => return Err(format!("{} after another one", describe_place(text, byte))),
            "." | ".." => {
                return Err(format!(
                    "{part:?} at character {} leads elsewhere",
                    text[..byte].chars().count() + 1
                ));
            }
            _ => byte += part.len() + 1,
        }
    }
    Ok(())
}

/// Fails with the reason unless `text` is `/etc/exports` or `/etc/exports.d/*.exports`.
fn check_file_text(text: &str) -> Result<(), String> {
    if text == FILE {
        return Ok(());
    }
    let reads = format!("it reads {FILE} and {FOLDER}NAME.exports, where NAME begins with no dot");
    let Some(name) = text.strip_prefix(FOLDER) else {
        return Err(reads);
    };
    check_each_character(text, reason_to_reject)?;
    match name.strip_suffix(".exports") {
        Some(stem) if !stem.is_empty() && !stem.starts_with('.') && !stem.contains('/') => Ok(()),
        _ => Err(reads),
    }
}

/// Whether a pattern of names looks as if an address were meant, as `10.0.0.*` or `[fd00::1]`.
pub(super) fn looks_like_address(pattern: &str) -> bool {
    let inner = pattern.trim_start_matches('[').trim_end_matches(']');
    let numeric = |c: char| c.is_ascii_digit() || ".*?[]-".contains(c);
    inner.parse::<Ipv6Addr>().is_ok()
        || (pattern.chars().all(numeric) && pattern.contains('.') && pattern.contains(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
