//! Classifies messages of events and logs by the texts of Kubernetes 1.20 to current ones, mount.nfs and the
//! provisioners (PURE).
//!
//! `patterns.txt` is the table of patterns. They match parts of messages, never whole ones: these differ between
//! versions.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

/// The kind of message that a pattern applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Events about pods on their way to a node.
    Scheduling,
    /// Events about mounting a pod's volumes.
    Mount,
    /// `ProvisioningFailed` of a claim.
    Provisioning,
    /// Events about StatefulSets, DaemonSets and ReplicaSets.
    Creation,
    /// Events of the controller manager about claims.
    Binding,
    /// Events about PVs.
    Volume,
    /// Logs of provisioners.
    Log,
}

/// A pattern, and the code of the finding whose messages match it.
struct Pattern {
    code: &'static str,
    kind: MessageKind,
    regex: Regex,
}

const TABLE: &str = include_str!("messages/patterns.txt");

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let is_pattern = |line: &&str| !line.starts_with(['#', ' ']);
    let parse = |line| parse_pattern(line).expect("the table is a constant, and a test reads it");
    TABLE.lines().filter(is_pattern).map(parse).collect()
});

/// Parses a line of the table: code, kind and regular expression. `None` if it is malformed.
fn parse_pattern(line: &'static str) -> Option<Pattern> {
    let (code, rest) = line.split_once(' ')?;
    let (kind, regex) = rest.split_once(' ')?;
    let kind = match kind {
        "Scheduling" => MessageKind::Scheduling,
        "Mount" => MessageKind::Mount,
        "Provisioning" => MessageKind::Provisioning,
        "Creation" => MessageKind::Creation,
        "Binding" => MessageKind::Binding,
        "Volume" => MessageKind::Volume,
        "Log" => MessageKind::Log,
        _ => return None,
    };
    let regex = Regex::new(regex).ok()?;
    Some(Pattern { code, kind, regex })
}

/// The code of the first pattern of this kind, in the table's order, that a message matches, and the first name in the
/// message that the pattern captures, if any; `None` if none matches.
pub fn classify(kind: MessageKind, text: &str) -> Option<(&'static str, Option<String>)> {
    let mut here = PATTERNS.iter().filter(|pattern| pattern.kind == kind);
    here.find_map(|pattern| {
        let captures = pattern.regex.captures(text)?;
        let named = captures.iter().skip(1).flatten().next();
        Some((pattern.code, named.map(|group| group.as_str().to_owned())))
    })
}

/// Whether a message matches a pattern of the finding `code`, and none that is above it in the table.
pub fn is_message_of(code: &str, kind: MessageKind, text: &str) -> bool {
    classify(kind, text).is_some_and(|(found, _)| found == code)
}

/// The last line of a log that matches a pattern of `code`, even if it matches those of other findings, too; `None` if
/// none does, or the table has no pattern of logs for this code.
pub fn find_log_line<'a>(code: &str, log: &'a str) -> Option<&'a str> {
    let is_of_code = |pattern: &&Pattern| pattern.code == code && pattern.kind == MessageKind::Log;
    let patterns: Vec<_> = PATTERNS.iter().filter(is_of_code).collect();
    let mut lines = log.lines().rev();
    lines.find(|line| patterns.iter().any(|pattern| pattern.regex.is_match(line)))
}

/// The quota's name and items in `exceeded quota: NAME, requested: …, used: …, limited: …`; `None` for other messages.
/// An item without a used amount has an empty one.
pub fn parse_exceeded_quota(text: &str) -> Option<(String, Vec<QuotaItem>)> {
    let patterns = PATTERNS.iter().filter(|pattern| pattern.code == "NFS121");
    let captures = patterns.map(|pattern| &pattern.regex).find_map(|regex| {
        let captures = regex.captures(text)?;
        (captures.len() == 5).then_some(captures)
    })?;
    let part = |index: usize| -> Vec<(String, String)> {
        let pairs = captures.get(index).map_or("", |part| part.as_str()).split(',');
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(key, value)| (key.to_owned(), value.trim_end_matches(['"', '\'', ')']).to_owned()))
            .collect()
    };
    let used: HashMap<String, String> = part(3).into_iter().collect();
    let item = |(key, requested): (String, String)| QuotaItem {
        used: used.get(&key).cloned().unwrap_or_default(),
        requested,
        key,
    };
    Some((captures[1].to_owned(), part(2).into_iter().map(item).collect()))
}

/// A resource that a quota counts, with its amounts as Kubernetes writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaItem {
    /// As `requests.storage`.
    pub key: String,
    pub requested: String,
    pub used: String,
}

/// The claim that `create Claim C for Pod P in StatefulSet S failed error: …` is about, or `… failed to create PVC C:
/// …`; `None` for other messages.
pub fn find_refused_claim(text: &str) -> Option<&str> {
    let mut rest = ["create Claim ", "failed to create PVC "]
        .iter()
        .filter_map(|before| text.split_once(before));
    let name = rest.next()?.1.split_whitespace().next()?;
    Some(name.trim_end_matches(':'))
}

/// The NFS server and path, and the value of `-o`, of the first NFS mount command that a message quotes, an IPv6 server
/// without its brackets; `None` and no options if it quotes none.
pub fn parse_mount_command(text: &str) -> (Option<(String, String)>, String) {
    static COMMAND: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"-t nfs4?(?: -o (\S+))? (\S+?):(/\S*)").expect("a constant"));
    let Some(captures) = COMMAND.captures(text) else {
        return (None, String::new());
    };
    let server = captures[2].trim_start_matches('[').trim_end_matches(']');
    let options = captures.get(1).map_or("", |options| options.as_str());
    (Some((server.to_owned(), captures[3].to_owned())), options.to_owned())
}

/// The verb and resource that a message says a user is denied: `get endpoints`. `None` for other messages.
pub fn find_denied_right(text: &str) -> Option<String> {
    static DENIED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"cannot (\w+) (?:resource "([^"]+)"|([\w./]+))"#).expect("a constant"));
    let captures = DENIED.captures(text)?;
    let resource = captures.get(2).or(captures.get(3))?;
    Some(format!("{} {}", &captures[1], resource.as_str()))
}

/// The innermost error of a message, on one line, without the names of the calls around it; of a failed mount only the
/// first line that mount printed, or the exit status if it printed none.
pub fn extract_root_error(text: &str) -> String {
    const CALLS: [&str; 2] = ["ailed to provision volume with StorageClass \"", "ailed for volume \""];
    let call = CALLS.iter().find_map(|call| text.split_once(call));
    let text = match call.and_then(|(_, rest)| rest.split_once('"')) {
        Some((_, why)) => why.trim_start_matches([' ', ':']),
        None => text,
    };
    // The kubelet's list of volumes, before the reason.
    let listed = text
        .rfind(" volumes=[")
        .filter(|_| text.contains("unmounted volumes=["));
    let reason = listed.and_then(|at| text[at..].split_once("]: "));
    let text = reason.map_or(text, |(_, reason)| reason);
    let (command, output) = text.split_once("\nOutput: ").unwrap_or((text, ""));
    // systemd-run's own line says nothing of the mount.
    let lines = output
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("Running "));
    let output = lines.collect::<Vec<_>>().join("\n");
    let output = Some(output.as_str()).filter(|output| !output.is_empty());
    let text = command.split("\nMounting command: ").next().unwrap_or_default();
    let (text, is_output) = (output.unwrap_or(text), output.is_some());
    let mut text = text.trim();
    while let Some((_, rest)) = text
        .strip_prefix("rpc error: code = ")
        .and_then(|rest| rest.split_once(" desc = "))
    {
        text = rest;
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match is_output {
        true => lines.next().unwrap_or_default().to_owned(),
        false => lines.collect::<Vec<_>>().join(" "),
    }
}

/// The message of a log's line, without the time and the source file before it; a line without them stays.
pub fn strip_log_prefix(line: &str) -> &str {
    let names_source = |(prefix, _): &(&str, &str)| prefix.contains(".go:") || prefix.contains("main.rs:");
    line.split_once("] ")
        .filter(names_source)
        .map_or(line, |(_, message)| message)
        .trim()
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
