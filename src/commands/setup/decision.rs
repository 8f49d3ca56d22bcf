//! Decides what each export of a run should be, and what to ask before anything is changed (PURE).

use super::clients::{NodeAddresses, allowed_clients};
use crate::cli::SetupServer;
use crate::host::exports_file::{self, ActiveExport, DesiredExport, OPTIONS};
use crate::host::{DesiredServer, Facts, Quota, Target};

/// An export to set up.
#[derive(Debug)]
pub(super) struct ExportRequest {
    /// Equal for all exports of a server.
    pub(super) server: Target,
    pub(super) args: SetupServer,
}

/// Brings the exports of each server together: servers are in the order in which they are first named, the exports of
/// each in the order of the requests. A host and port is one server, to be logged in to as the user who is named first.
///
/// # Errors
/// A sentence if a request names no host, or an export of a server comes twice: the second would undo the first.
pub(super) fn group_by_server(requests: Vec<SetupServer>) -> Result<Vec<ExportRequest>, String> {
    let mut servers: Vec<Vec<ExportRequest>> = Vec::new();
    for args in requests {
        let target = args.host.clone().ok_or("required: HOST")?;
        let is_same = |known: &Target| (&known.host, known.port) == (&target.host, target.port);
        match servers.iter_mut().find(|exports| is_same(&exports[0].server)) {
            Some(exports) if exports.iter().any(|known| known.args.export == args.export) => {
                return Err(format!("the export {} of {} is named twice", args.export, target.host));
            }
            Some(exports) => {
                let server = exports[0].server.clone();
                exports.push(ExportRequest { server, args });
            }
            None => servers.push(vec![ExportRequest { server: target, args }]),
        }
    }
    Ok(servers.into_iter().flatten().collect())
}

/// What is known of an export before any change.
pub(super) struct KnownExport<'a> {
    pub(super) request: &'a ExportRequest,
    /// The server's facts, if it was reached.
    pub(super) facts: Option<&'a Facts>,
    /// The nodes' addresses on their way to this server.
    pub(super) nodes: Vec<NodeAddresses>,
}

/// What is decided before any change.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// For each export, in their order.
    pub(super) desired: Vec<DesiredServer>,
    /// The names of nodes whose addresses are not known to one of the servers, each once.
    pub(super) unknown_nodes: Vec<String>,
    /// What to ask, in the order of the exports.
    pub(super) questions: Vec<Question>,
}

/// A question. The answer no ends the run before anything is changed.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) text: String,
    /// The usage error if there is no terminal to ask on.
    pub(super) error: String,
}

/// Decides the clients and options of each export, and asks about clients that the export had before and would lose.
///
/// # Errors
/// A sentence if the options of an export can't be decided.
pub(super) fn decide_exports(exports: &[KnownExport]) -> Result<Decisions, String> {
    let mut decisions = Decisions::default();
    for KnownExport { request, facts, nodes } in exports {
        let args = &request.args;
        // nfsprov's line for the export.
        let own_before =
            facts.and_then(|facts| exports_file::own_exports(facts.exports.as_deref()?, &args.export).ok()?);
        let own_before = own_before.unwrap_or_default();
        let allowed_before: Vec<String> = own_before.iter().map(|export| export.client.clone()).collect();
        let clients = allowed_clients(&args.allow, nodes, args.address.is_some(), &allowed_before);
        let wanted = DesiredExport {
            path: args.export.clone(),
            clients: clients.allowed,
            options: options_for(args, &own_before)?,
        };
        for node in clients.unknown {
            if !decisions.unknown_nodes.contains(&node) {
                decisions.unknown_nodes.push(node);
            }
        }
        let dropped = exports_file::dropped_clients(&own_before, &wanted);
        decisions.questions.extend(question_about_dropped(request, &dropped));
        decisions.desired.push(DesiredServer {
            wanted,
            mode: args.mode,
            owner: args.owner.clone(),
            versions: args.nfs_version.into(),
            quota: match (args.quota, args.remount) {
                (false, _) => Quota::Unchanged,
                (true, false) => Quota::Live,
                (true, true) => Quota::Remount,
            },
        });
    }
    Ok(decisions)
}

/// The question whether these clients may lose the export; `None` if there are none.
fn question_about_dropped(request: &ExportRequest, dropped: &[String]) -> Option<Question> {
    let (export, host, clients) = (&request.args.export, &request.server.host, dropped.join(", "));
    (!dropped.is_empty()).then(|| Question {
        text: format!("No longer export {export} on {host} to {clients}? They lose their mounts."),
        error: format!(
            "{clients} would lose access to {export} on {host}, since the command line does not name them: add --allow \
             for each, or confirm with --yes"
        ),
    })
}

/// The options of the export: those of the command line, else those that nfsprov's line has already, else the defaults;
/// with `--root-squash`, root is squashed. An error if the clients of that line have different ones.
fn options_for(args: &SetupServer, own_before: &[ActiveExport]) -> Result<String, String> {
    let options = match (&args.options, exports_file::find_different_options(own_before)) {
        (Some(options), _) => options,
        (None, None) => own_before.first().map_or(OPTIONS, |export| &export.options),
        (None, Some((first, other))) => {
            return Err(format!(
                "the clients of {} have different options, {} and {}; pass --options",
                args.export, first.options, other.options
            ));
        }
    };
    Ok(match args.root_squash {
        true => with_root_squash(options),
        false => options.to_owned(),
    })
}

/// The options with root_squash at the end, which they need not have had, and without no_root_squash.
fn with_root_squash(options: &str) -> String {
    let kept = options
        .split(',')
        .filter(|option| !matches!(*option, "no_root_squash" | "root_squash"));
    kept.chain(["root_squash"]).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn request(words: &str) -> SetupServer {
        let line = format!("nfsprov setup-server {words}");
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::SetupServer(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn requests(lines: &[&str]) -> Result<Vec<ExportRequest>, String> {
        group_by_server(lines.iter().map(|words| request(words)).collect())
    }

    #[test]
    fn the_exports_of_a_server_come_together() {
        for (lines, expected) in [
            (&["a --export /x"][..], Ok(&["a /x"][..])),
            (
                &["b --export /x", "a --export /x", "b --export /y"],
                Ok(&["b /x", "b /y", "a /x"][..]),
            ),
            // The user is that of the first, as one login serves both.
            (
                &["root@a --export /x", "ops@a --export /y"],
                Ok(&["root@a /x", "root@a /y"][..]),
            ),
            (&["a --export /x", "a:2222 --export /x"], Ok(&["a /x", "a:2222 /x"][..])),
            (
                &["a --export /x", "b --export /x", "a --export /x"],
                Err("the export /x of a is named twice"),
            ),
        ] {
            let grouped = requests(lines).map(|exports| {
                let name = |export: &ExportRequest| format!("{} {}", export.server, export.args.export);
                exports.iter().map(name).collect::<Vec<_>>()
            });
            match expected {
                Ok(exports) => assert_eq!(grouped.unwrap(), exports, "{lines:?}"),
                Err(why) => assert_eq!(grouped.unwrap_err(), why),
            }
        }
    }

    #[test]
    fn all_is_asked_in_the_order_of_the_exports_and_nothing_if_one_cannot_be_decided() {
        let file = ["/x", "/y", "/z"].iter().fold(Vec::new(), |file, path| {
            let export = DesiredExport {
                path: (*path).to_owned(),
                clients: vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()],
                options: "rw".to_owned(),
            };
            exports_file::with_export(&file, &export).unwrap()
        });
        let of_different_options = String::from_utf8(file.clone()).unwrap();
        let of_different_options = of_different_options.replace("10.0.0.2(rw)", "10.0.0.2(ro)");
        let facts = |exports: Vec<u8>| Facts {
            exports: Some(exports),
            ..Facts::default()
        };
        let (plain, mixed) = (facts(file), facts(of_different_options.into_bytes()));
        let (drops, keeps) = ("--allow 10.0.0.1", "--allow 10.0.0.0/24");
        for (lines, facts, expected) in [
            (
                [
                    format!("b --export /z {drops}"),
                    format!("a --export /x {keeps}"),
                    format!("b --export /y {drops}"),
                ],
                [Some(&plain); 3],
                Ok(&["/z on b to 10.0.0.2", "/y on b to 10.0.0.2"][..]),
            ),
            // A server that was not reached has no known clients.
            (
                [
                    format!("b --export /z {drops}"),
                    format!("a --export /x {keeps}"),
                    format!("c --export /y {drops}"),
                ],
                [None, Some(&plain), Some(&plain)],
                Ok(&["/y on c to 10.0.0.2"][..]),
            ),
            (
                [
                    format!("a --export /z {drops}"),
                    format!("a --export /y {drops}"),
                    format!("b --export /x {keeps}"),
                ],
                [Some(&plain), Some(&plain), Some(&mixed)],
                Err("the clients of /x have different options, rw and ro; pass --options"),
            ),
        ] {
            let requests = requests(&lines.each_ref().map(String::as_str)).unwrap();
            let known = requests.iter().zip(facts).map(|(request, facts)| KnownExport {
                request,
                facts,
                nodes: Vec::new(),
            });
            let decisions = decide_exports(&known.collect::<Vec<_>>());
            let questions = decisions.map(|decisions| {
                assert_eq!(decisions.desired.len(), lines.len());
                let text = |question: Question| question.text;
                decisions.questions.into_iter().map(text).collect::<Vec<_>>()
            });
            match expected {
                Ok(expected) => {
                    let question = |what: &&str| format!("No longer export {what}? They lose their mounts.");
                    assert_eq!(questions.unwrap(), expected.iter().map(question).collect::<Vec<_>>());
                }
                Err(why) => assert_eq!(questions.unwrap_err(), why),
            }
        }
    }

    #[test]
    fn options_stay_unless_the_command_line_names_others() {
        let before = |options: &[&str]| -> Vec<ActiveExport> {
            let export = |options: &&str| ActiveExport {
                path: "/nfsdata".into(),
                client: "10.0.0.1".into(),
                options: (*options).to_owned(),
            };
            options.iter().map(export).collect()
        };
        for (more, had, expected) in [
            ("", &[][..], Some(OPTIONS)),
            ("", &["rw,root_squash"], Some("rw,root_squash")),
            ("", &["ro", "ro"], Some("ro")),
            ("", &["ro", "rw"], None),
            ("--options rw,sync", &["ro", "rw"], Some("rw,sync")),
            ("--root-squash", &["rw,no_root_squash"], Some("rw,root_squash")),
            ("--root-squash", &[], Some("rw,sync,no_subtree_check,root_squash")),
        ] {
            let options = options_for(&request(&format!("nfs --allow 10.0.0.1 {more}")), &before(had));
            assert_eq!(options.ok().as_deref(), expected, "{more} where it had {had:?}");
        }
    }

    #[test]
    fn root_is_squashed_once() {
        assert_eq!(with_root_squash("rw,sync,no_root_squash"), "rw,sync,root_squash");
        assert_eq!(with_root_squash("rw,root_squash"), "rw,root_squash");
    }
}
