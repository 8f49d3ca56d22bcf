//! Active exports, as `exportfs -s` lists them, compared with the desired ones (PURE).

use super::DesiredExport;
use super::client::Client;
use super::options::Meaning;

/// A directory exported to a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActiveExport {
    /// The directory.
    pub path: String,
    /// The client.
    pub client: String,
    /// Its options, without parentheses.
    pub options: String,
}

impl ActiveExport {
    /// Compares its client as parsed, not as text. Ignores its directory and options.
    fn has_client(&self, client: &Client) -> bool {
        Client::of(&self.client) == *client
    }

    /// Compares the clients as parsed, not as text. Ignores the options.
    fn has_same_path_and_client(&self, other: &Self) -> bool {
        self.path == other.path && self.has_client(&Client::of(&other.client))
    }
}

/// Parses the output of `exportfs -s`; the client `<world>` becomes `*`. A line of another form is kept as a path
/// without client and options.
pub fn parse_listing(text: &str) -> Vec<ActiveExport> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let read = || {
                let (path, rest) = line.split_once([' ', '\t'])?;
                let (client, options) = rest.trim_start().split_once('(')?;
                Some(ActiveExport {
                    path: unescape_path(path),
                    // exportfs -v has another word for it.
                    client: client.replace("<world>", "*"),
                    options: options.strip_suffix(')')?.to_owned(),
                })
            };
            read().unwrap_or_else(|| ActiveExport {
                path: line.to_owned(),
                client: String::new(),
                options: String::new(),
            })
        })
        .collect()
}

/// Replaces each `\` and three octal digits by their byte.
fn unescape_path(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).filter(|_| *first == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How the clients of nfsprov's own lines and their options, compared as text, change: a clause each; none if nothing
/// changes. A client that comes a second time is dropped. `own_before` are the lines' exports of the directory before
/// ([`super::own_exports`]).
pub fn describe_drift(own_before: &[ActiveExport], wanted: &DesiredExport) -> Vec<String> {
    let clients = wanted.distinct_clients();
    let known: Vec<(&ActiveExport, Client)> = own_before
        .iter()
        .map(|entry| (entry, Client::of(&entry.client)))
        .collect();
    let mut drift = Vec::new();
    for text in &clients {
        let client = Client::of(text);
        match known.iter().find(|(_, known)| *known == client) {
            None => drift.push(format!("added {text}")),
            Some((entry, _)) if entry.options != wanted.options => {
                drift.push(format!("{} instead of {} for {text}", wanted.options, entry.options));
            }
            Some(_) => {}
        }
    }
    for (at, (entry, client)) in known.iter().enumerate() {
        let wanted = clients.iter().any(|text| Client::of(text) == *client);
        if !wanted || known[..at].iter().any(|(_, earlier)| earlier == client) {
            drift.push(format!("dropped {}", entry.client));
        }
    }
    drift
}

/// The first client's export and the first one with other options, compared as text; `None` if all have the same.
pub fn find_different_options(exports: &[ActiveExport]) -> Option<(&ActiveExport, &ActiveExport)> {
    let (first, rest) = exports.split_first()?;
    let other = rest.iter().find(|export| export.options != first.options)?;
    Some((first, other))
}

/// The clients of nfsprov's own lines that `wanted` takes the export away from: no client of it has all their hosts.
pub fn dropped_clients(own_before: &[ActiveExport], wanted: &DesiredExport) -> Vec<String> {
    let kept: Vec<Client> = wanted.clients.iter().map(|text| Client::of(text)).collect();
    let had = own_before.iter().map(|export| &export.client);
    let dropped = had.filter(|text| !kept.iter().any(|client| client.contains(&Client::of(text))));
    dropped.cloned().collect()
}

/// How the active exports `after` a change differ from the desired ones, a sentence each: `wanted` is not in force as
/// it was written, or with `None` still in force, or an export of others changed, went or came. `before` are the active
/// exports before the change, `own_before` those of nfsprov's block then ([`super::own_exports`]).
pub fn find_differences(
    before: &[ActiveExport],
    after: &[ActiveExport],
    own_before: &[ActiveExport],
    wanted: Option<&DesiredExport>,
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut rest: Vec<&ActiveExport> = after.iter().collect();
    let mut others: Vec<&ActiveExport> = before.iter().collect();
    let old: Vec<&str> = own_before.iter().map(|own| own.client.as_str()).collect();
    if let Some(own) = own_before.first() {
        match_clients(&own.path, &old, &mut others, &[]);
    }
    if let Some(wanted) = wanted {
        compare_own_entries(wanted, &mut others, &mut rest, &mut differences);
    }
    // Equal entries are matched first, so that one of two entries for a client is not matched with the other.
    others.retain(|entry| match rest.iter().position(|now| now == entry) {
        Some(at) => {
            rest.remove(at);
            false
        }
        None => true,
    });
    for entry in others {
        let ActiveExport { path, client, options } = entry;
        match rest.iter().position(|now| now.has_same_path_and_client(entry)) {
            Some(at) => {
                let now = &rest.remove(at).options;
                differences.push(format!(
                    "{path} was exported to {client} with {options} and now is with {now}, which is another's line"
                ));
            }
            None => differences.push(format!(
                "{path} is no longer exported to {client}, which is another's line"
            )),
        }
    }
    for entry in rest {
        let ActiveExport { path, client, options } = entry;
        let own = wanted.is_some_and(|wanted| wanted.path == *path);
        differences.push(
            match (own, own_before.iter().any(|old| old.has_same_path_and_client(entry))) {
                (_, true) => format!("{path} is still exported to {client}"),
                (true, false) => format!("{path} is exported to {client}, too, with {options}"),
                (false, false) => format!("{path} is exported to {client} with {options}, which was not so before"),
            },
        );
    }
    differences
}

/// Removes the entries of `wanted` from `rest`, and those for the same clients from `others`; adds what is missing or
/// different to `differences`.
fn compare_own_entries(
    wanted: &DesiredExport,
    others: &mut Vec<&ActiveExport>,
    rest: &mut Vec<&ActiveExport>,
    differences: &mut Vec<String>,
) {
    let path = &wanted.path;
    // Checked before it was written.
    let Ok(meaning) = Meaning::in_file(&wanted.options) else {
        differences.push(format!("the options {} cannot be read", wanted.options));
        return;
    };
    for (text, found) in match_clients(path, &wanted.distinct_clients(), rest, others) {
        let client = Client::of(text);
        let Some(found) = found else {
            differences.push(match client {
                Client::Name(_) => format!(
                    "{path} is not exported to {text}: exportfs leaves out a host whose name it can't look up, or whose \
                     address is another client's already"
                ),
                _ => format!("{path} is not exported to {text}"),
            });
            continue;
        };
        let otherwise = meaning.differences(&Meaning::in_listing(&found.options));
        differences.extend(
            otherwise
                .into_iter()
                .map(|clause| format!("{path} for {text}: {clause}")),
        );
        // Another's for the same client would be the same entry.
        others.retain(|entry| entry.path != *path || !entry.has_client(&client));
    }
}

/// Removes the entry of each client from `rest` and returns it with the client; `None` if there is none. exportfs lists
/// a host by its canonical name, so a client without an exact entry gets one that begins with its name and a dot, else
/// that of any host that is not among `others`.
fn match_clients<'a, 'l>(
    path: &str,
    clients: &[&'a str],
    rest: &mut Vec<&'l ActiveExport>,
    others: &[&ActiveExport],
) -> Vec<(&'a str, Option<&'l ActiveExport>)> {
    let begins = |long: &str, short: &str| {
        let long = long.to_lowercase();
        long.strip_prefix(&short.to_lowercase())
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let is_name = |text: &str| matches!(Client::of(text), Client::Name(_));
    let fits = |round: usize, text: &str, entry: &ActiveExport| match round {
        0 => entry.has_client(&Client::of(text)),
        _ if !is_name(text) || !is_name(&entry.client) || others.contains(&entry) => false,
        1 => begins(&entry.client, text),
        _ => true,
    };
    let mut matched: Vec<(&str, Option<&ActiveExport>)> = clients.iter().map(|text| (*text, None)).collect();
    for round in 0..3 {
        for (text, found) in matched.iter_mut().filter(|(_, found)| found.is_none()) {
            let place = rest
                .iter()
                .position(|entry| entry.path == path && fits(round, text, entry));
            *found = place.map(|place| rest.remove(place));
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::exports_file::{own_exports, with_export};

    fn wanted(clients: &[&str]) -> DesiredExport {
        DesiredExport {
            path: "/nfsdata".into(),
            clients: clients.iter().map(|client| (*client).to_owned()).collect(),
            options: "rw,sync,no_subtree_check,no_root_squash".into(),
        }
    }

    /// What exportfs 2.6.2 lists, for a line of another's and one of ours.
    const LISTED: &str =
        "/srv  10.0.0.0/24(sync,wdelay,hide,no_subtree_check,sec=sys,ro,secure,root_squash,no_all_squash)
/nfsdata  10.0.0.7(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)
/nfsdata  node1.lab(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)
";

    #[test]
    fn a_listing_is_read() {
        let text = "/a\\040b  *(ro,sec=sys)\n/c \t<world>(rw)\n/d\\134  node1(rw)\nnonsense\n\n";
        let listed: Vec<(String, String, String)> = parse_listing(text)
            .into_iter()
            .map(|l| (l.path, l.client, l.options))
            .collect();
        let row = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(
            listed,
            [
                row("/a b", "*", "ro,sec=sys"),
                row("/c", "*", "rw"),
                row("/d\\", "node1", "rw"),
                row("nonsense", "", "")
            ]
        );
    }

    #[test]
    fn what_is_listed_is_held_against_what_was_meant() {
        let before = parse_listing(LISTED.lines().next().unwrap());
        let both = wanted(&["10.0.0.7", "node1"]);
        let check =
            |after: &str, wanted: &DesiredExport| find_differences(&before, &parse_listing(after), &[], Some(wanted));
        assert_eq!(check(LISTED, &both), [""; 0]);
        for (after, clients, parts) in [
            // A host that can't be looked up, and one that another has already.
            (
                LISTED,
                &["10.0.0.7", "node1", "node9"][..],
                &["/nfsdata is not exported to node9: exportfs leaves out"][..],
            ),
            (
                LISTED,
                &["10.0.0.7", "node1", "10.0.0.9"],
                &["/nfsdata is not exported to 10.0.0.9"],
            ),
            (LISTED, &["10.0.0.7"], &["/nfsdata is exported to node1.lab, too"]),
            (LISTED, &["10.0.0.7", "alias"], &[]),
            (LISTED, &["10.0.0.7/32", "node1.lab"], &[]),
            (
                &LISTED.replace(",no_root_squash", ",root_squash"),
                &["10.0.0.7", "node1"],
                &[
                    "/nfsdata for 10.0.0.7: root_squash is in force instead of no_root_squash",
                    "/nfsdata for node1: root_squash is in force instead of no_root_squash",
                ],
            ),
            // The whole world, by whatever mistake.
            (
                &format!("{LISTED}/nfsdata  *(sync,ro)\n"),
                &["10.0.0.7", "node1"],
                &["/nfsdata is exported to *, too, with sync,ro"],
            ),
            // Others'.
            (
                &LISTED.replace("ro,secure", "rw,secure"),
                &["10.0.0.7", "node1"],
                &["/srv was exported to 10.0.0.0/24 with"],
            ),
            (
                &LISTED.replace("/srv", "/srw"),
                &["10.0.0.7", "node1"],
                &[
                    "/srv is no longer exported to 10.0.0.0/24",
                    "/srw is exported to 10.0.0.0/24 with",
                ],
            ),
            (
                "",
                &["10.0.0.7"],
                &["/nfsdata is not exported to 10.0.0.7", "/srv is no longer exported"],
            ),
        ] {
            let found = check(after, &wanted(clients));
            assert_eq!(found.len(), parts.len(), "{found:#?}");
            for (said, part) in found.iter().zip(parts) {
                assert!(said.starts_with(part), "{said}");
            }
        }
    }

    #[test]
    fn a_client_is_dropped_if_no_other_has_its_hosts() {
        for (had, wants, dropped) in [
            (&["10.0.0.7", "node1"][..], &["node1"][..], &["10.0.0.7"][..]),
            (&["10.0.0.7"], &["10.0.0.0/24"], &[]),
            (&["10.0.0.0/24"], &["10.0.0.7"], &["10.0.0.0/24"]),
            (&["10.0.0.0/255.255.255.0"], &["10.0.0.0/24"], &[]),
            (&["node1.lab", "node2"], &["*.lab"], &["node2"]),
            (&["@nodes", "node1", "10.0.0.7"], &["*"], &[]),
            (&["*"], &["10.0.0.0/8"], &["*"]),
            (&[], &["10.0.0.7"], &[]),
        ] {
            let own_before = match had {
                [] => Vec::new(),
                had => own_exports(&with_export(b"", &wanted(had)).unwrap(), "/nfsdata")
                    .unwrap()
                    .unwrap(),
            };
            assert_eq!(
                dropped_clients(&own_before, &wanted(wants)),
                dropped,
                "{had:?}, then {wants:?}"
            );
        }
    }

    #[test]
    fn what_was_ours_may_change_and_go() {
        let own_before = own_exports(&with_export(b"", &wanted(&["10.0.0.7", "node1"])).unwrap(), "/nfsdata")
            .unwrap()
            .unwrap();
        let before = parse_listing(LISTED);
        // node1 is listed by its canonical name, which is told apart from others' by the block alone.
        let fewer: String = LISTED
            .lines()
            .filter(|line| !line.contains("node1"))
            .map(|line| format!("{line}\n"))
            .collect();
        let one = wanted(&["10.0.0.7"]);
        assert_eq!(
            find_differences(&before, &parse_listing(&fewer), &own_before, Some(&one)),
            [""; 0]
        );
        assert_eq!(
            find_differences(&before, &before, &own_before, Some(&wanted(&["10.0.0.7", "node1"]))),
            [""; 0]
        );
        // Taken out altogether.
        let none = parse_listing(LISTED.lines().next().unwrap());
        assert_eq!(find_differences(&before, &none, &own_before, None), [""; 0]);
        let left = find_differences(&before, &parse_listing(&fewer), &own_before, None);
        assert_eq!(left, ["/nfsdata is still exported to 10.0.0.7"]);
        // A network is listed as it was written, whatever mask that was.
        let mask = "/nfsdata  10.0.0.0/255.255.255.0(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)";
        assert_eq!(
            find_differences(&[], &parse_listing(mask), &[], Some(&wanted(&["10.0.0.0/24"]))),
            [""; 0]
        );
    }
}
