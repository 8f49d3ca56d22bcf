//! README and docs/: all command lines of nfsprov are valid, all links lead to files, and both READMEs match.

use std::path::{Path, PathBuf};

use clap::Parser;
use nfsprov::cli::Cli;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The pages for users, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(ROOT);
    let names = ["README.md", "README.zh-CN.md", "SECURITY.md", "CONTRIBUTING.md"];
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let pages = names.iter().map(|name| root.join(name)).chain(docs);
    pages
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The command lines of nfsprov in indented blocks. In a block with prompts, lines without one are output.
fn command_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut is_transcript = false;
    let typed = text.lines().filter_map(move |line| {
        let Some(code) = line.strip_prefix("    ") else {
            is_transcript &= line.is_empty();
            return None;
        };
        let prompted = code.strip_prefix("$ ");
        is_transcript |= prompted.is_some();
        prompted.or((!is_transcript).then_some(code))
    });
    typed
        .map(|line| match line.strip_prefix("kubectl nfsprov") {
            Some(_) => &line["kubectl ".len()..],
            None => line,
        })
        .filter(|line| line.starts_with("nfsprov "))
}

/// The words of one command, with quotes removed. Ignores what follows it on the line: a column of text, a comment, a
/// pipe, a redirection, or `&`.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let end = ["  ", " #", " | ", " >", " &"]
            .iter()
            .filter_map(|end| part.find(end))
            .min();
        words.extend(part[..end.unwrap_or(part.len())].split_whitespace().map(str::to_owned));
        if end.is_some() {
            break;
        }
    }
    words
}

/// Whether a line is a synopsis: optional parts and alternatives cannot be pasted.
fn is_synopsis(line: &str) -> bool {
    let unquoted: String = line.split('\'').step_by(2).collect();
    unquoted.contains('[')
        || unquoted.contains("COMMAND")
        || unquoted.split(" | ").next().unwrap_or_default().contains('|')
}

#[test]
fn every_command_line_of_the_pages_is_one() {
    let mut wrong = Vec::new();
    let mut lines = 0;
    for (path, text) in pages() {
        for line in command_lines(&text).filter(|line| !is_synopsis(line)) {
            lines += 1;
            if let Err(error) = Cli::try_parse_from(words(line)) {
                wrong.push(format!("{}: {line}\n{error}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines > 80, "{lines} command lines");
}

#[test]
fn every_link_of_the_pages_leads_to_a_file() {
    let mut missing = Vec::new();
    for (path, text) in pages() {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (target, _) in targets {
            let file = target.split('#').next().unwrap_or_default();
            let is_here = !file.contains("://") && !file.is_empty();
            if is_here && !path.parent().unwrap().join(file).exists() {
                missing.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_picture_is_drawn_from_the_walkthrough() {
    let drawn = std::process::Command::new(Path::new(ROOT).join("tests/picture"))
        .output()
        .unwrap();
    let kept = std::fs::read(Path::new(ROOT).join("docs/doctor.svg")).unwrap();
    assert!(
        drawn.status.success() && drawn.stdout == kept,
        "run tests/picture >docs/doctor.svg"
    );
}

#[test]
fn both_readmes_show_the_same_commands() {
    let commands = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
        let blocks = command_lines(&text).map(str::to_owned);
        // The file names in the table of ways to install.
        let cells = text
            .lines()
            .filter(|line| line.starts_with("| ") && line.contains("dist/"));
        let cells = cells.filter_map(|line| line.split('`').nth(1).map(str::to_owned));
        blocks.chain(cells).collect()
    };
    assert_eq!(commands("README.md"), commands("README.zh-CN.md"));
}
