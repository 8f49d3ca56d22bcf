//! The help of every command, as snapshots, so that a review shows each change of a help text.

use crate::support::Nfsprov;

/// The terminal width of the snapshots.
const COLUMNS: &str = "80";

fn long_help(path: &[String]) -> String {
    let ran = Nfsprov::new(path).args(["--help"]).env("COLUMNS", COLUMNS).run();
    assert_eq!((ran.stderr.as_str(), ran.status), ("", 0), "{path:?}");
    ran.stdout
}

/// The names below `Commands:`.
fn subcommands(help: &str) -> Vec<String> {
    let (_, list) = help.split_once("\nCommands:\n").unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // A continuation line has a deeper indentation.
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn collect_help(path: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let help = long_help(path);
    for name in subcommands(&help) {
        let below = [path, &[name]].concat();
        collect_help(&below, found);
    }
    found.push((path.to_vec(), help));
}

#[test]
fn every_help_text_is_as_reviewed() {
    let mut found = Vec::new();
    collect_help(&[], &mut found);
    assert!(found.len() > 25, "{} commands", found.len());
    for (path, help) in found {
        let name = [&["help".to_owned()][..], &path].concat().join("-");
        insta::assert_snapshot!(name, help);
    }
}

#[test]
fn every_command_without_subcommands_begins_its_help_with_examples() {
    let mut found = Vec::new();
    collect_help(&[], &mut found);
    let is_leaf = |help: &str| !help.contains("\nCommands:\n");
    for (path, help) in found.iter().filter(|(_, help)| is_leaf(help)) {
        assert!(help.starts_with("Examples:\n  # "), "{path:?}: {help}");
    }
}
