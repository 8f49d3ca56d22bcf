//! README and docs/: all command lines of nfsprov are valid, all links lead to files, and both READMEs match.

use std::path::Path;

use clap::Parser;
use nfsprov::cli::Cli;

#[path = "../support/pages.rs"]
mod blocks;

use blocks::{Place, ROWS, Scene, blocks, execute, pages, row_of, shortest_form};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

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

#[test]
fn every_command_line_of_the_pages_is_one() {
    let mut wrong = Vec::new();
    let mut lines = 0;
    for block in all_blocks() {
        for line in block.commands() {
            // The form of commands can't be parsed.
            if shortest_form(line) != line || line.contains("COMMAND") {
                continue;
            }
            let line = match line.strip_prefix("kubectl nfsprov") {
                Some(_) => &line["kubectl ".len()..],
                None => line,
            };
            if !line.starts_with("nfsprov ") {
                continue;
            }
            lines += 1;
            if let Err(error) = Cli::try_parse_from(words(line)) {
                wrong.push(format!("{}:{}: {line}\n{error}", block.page, block.number));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines > 80, "{lines} command lines");
}

fn all_blocks() -> Vec<blocks::Block> {
    pages().iter().flat_map(|(page, text)| blocks(page, text)).collect()
}

#[test]
fn every_block_of_the_pages_is_executed_or_says_why_not() {
    // Its blocks are those of README.md, which another test holds.
    let blocks: Vec<_> = all_blocks()
        .into_iter()
        .filter(|block| block.page != "README.zh-CN.md")
        .collect();
    for block in &blocks {
        let (page, first) = (&block.page, &block.lines[0]);
        assert!(
            row_of(page, first).is_some(),
            "{page}:{}: {first:?} has no row in tests/support/pages.rs",
            block.number
        );
    }
    for (page, text) in pages() {
        let fences = text.lines().filter(|line| line.starts_with("```"));
        let is_file = fences.clone().all(|fence| ["```", "```yaml"].contains(&fence));
        assert!(is_file, "{page}: commands are indented, so that they are executed");
    }
    for row in ROWS {
        let is_of = |block: &blocks::Block| {
            let mut rows = block.lines.iter().filter_map(|line| row_of(&block.page, line));
            rows.any(|found| std::ptr::eq(found, row))
        };
        assert!(
            blocks.iter().any(is_of),
            "no block of {} has the line {:?}",
            row.0,
            row.1
        );
        match row.2 {
            Place::By(file) => assert!(Path::new(ROOT).join(file).exists(), "{file}"),
            Place::Never(why) => assert!(why.len() > 10, "{}: {}", row.0, row.1),
            _ => {}
        }
    }
}

#[test]
fn blocks_that_need_no_cluster_do_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_nfsprov"));
    let scene = Scene {
        directory: directory.path().to_owned(),
        programs: vec![program.parent().unwrap().to_owned()],
        variables: Vec::new(),
        hosts: None,
        names: Vec::new(),
    };
    execute(Place::Alone, &scene).unwrap_or_else(|error| panic!("{error}"));
    for file in ["my-templates/pvc.yaml", "DIR/pv.yaml", ".zfunc/_nfsprov", "profile.ps1"] {
        let text = std::fs::read_to_string(directory.path().join(file)).unwrap_or_default();
        assert!(!text.is_empty(), "{file} is missing");
    }
}

#[test]
fn a_synopsis_is_executed_in_its_shortest_form() {
    let table = [
        ("nfsprov status [-A] [-o table|wide] [--watch]", "nfsprov status"),
        (
            "nfsprov volumes list|orphans --server S [--via …]",
            "nfsprov volumes list --server S",
        ),
        (
            "nfsprov provision --path P [--via nfs|ssh://[USER@]HOST] -q",
            "nfsprov provision --path P  -q",
        ),
        ("nfsprov status | jq '.a[] | .b'", "nfsprov status | jq '.a[] | .b'"),
    ];
    for (line, short) in table {
        assert_eq!(shortest_form(line), short);
    }
}

/// The anchor that a page's heading gets: in lower case, with hyphens for spaces and without punctuation.
fn anchor_of(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text: String = heading.trim_matches(['#', ' ']).chars().filter(kept).collect();
    text.to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_of_the_pages_leads_to_a_file_and_its_heading() {
    let mut missing = Vec::new();
    for (page, text) in pages() {
        let path = Path::new(ROOT).join(page);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (target, _) in targets.filter(|(target, _)| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let is_there = match anchor {
                "" => linked.exists(),
                anchor => std::fs::read_to_string(&linked).is_ok_and(|text| {
                    let mut headings = text.lines().filter(|line| line.starts_with('#'));
                    headings.any(|heading| anchor_of(heading) == anchor)
                }),
            };
            if !is_there {
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
        let blocks = blocks(name, &text);
        let lines = blocks.iter().flat_map(|block| &block.lines);
        // Comments are in the language of the page.
        let lines = lines.map(|line| line.split(" # ").next().unwrap_or_default().trim_end().to_owned());
        // The file names in the table of ways to install.
        let cells = text
            .lines()
            .filter(|line| line.starts_with("| ") && line.contains("dist/"));
        let cells = cells.filter_map(|line| line.split('`').nth(1).map(str::to_owned));
        lines.chain(cells).collect()
    };
    assert_eq!(commands("README.md"), commands("README.zh-CN.md"));
}
