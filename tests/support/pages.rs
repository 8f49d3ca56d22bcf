//! The command blocks of the pages. Each is executed as it stands, or its row in [`ROWS`] names the test that runs these
//! commands, or says why none can.
//!
//! [`execute`] types the blocks of one place into a shell on a terminal, in the order of the pages, and answers each
//! question with yes.

mod rows;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::reader::ReadUntil;
use rexpect::session::spawn_command;

pub use rows::{Place, ROWS, Row};

/// Where blocks are executed.
pub struct Scene {
    /// An empty directory. It is the working directory and the home directory.
    pub directory: PathBuf,
    /// The folders with nfsprov and kubectl.
    pub programs: Vec<PathBuf>,
    /// More variables of the environment.
    pub variables: Vec<(&'static str, OsString)>,
    /// The content of /etc/hosts for these commands, if they use host names. Needs root.
    pub hosts: Option<String>,
    /// Texts of the pages and what replaces them.
    pub names: Vec<(&'static str, String)>,
}

/// Placeholders of the pages and what replaces them.
const NAMES: [(&str, &str); 2] = [
    ("nfsprov COMMAND ", "nfsprov status "),
    ("--server S --path P", "--server nfs --path /nfsdata"),
];

/// How long a page may take to end or to ask the next question, in milliseconds. Far above the usual time.
const PAGE_TIMEOUT: u64 = 300_000;

/// The end of each question that is answered with yes.
const QUESTION: &str = "[y/N]";

/// The shell functions of each page. `provision --watch` runs until the next one starts or the page ends.
const PRELUDE: &str = r#"
provisioner=
stop_provisioner() { [ -z "$provisioner" ] || { kill $provisioner; wait $provisioner || :; }; provisioner=; }
trap stop_provisioner EXIT
in_background() {
    stop_provisioner
    : >provision.log
    "$@" >provision.log 2>&1 &
    provisioner=$!
    until grep -q 'watching claims' provision.log; do
        kill -0 $provisioner || { cat provision.log; exit 1; }
        sleep 0.1
    done
}
until_prints() {
    wanted=$1; shift
    until [ "$("$@")" = "$wanted" ]; do sleep 0.2; done
}
phase_of() { kubectl get "$@" -o 'jsonpath={.status.phase}'; }
"#;

/// An indented block of a page.
pub struct Block {
    pub page: String,
    /// The number of its first line.
    pub number: usize,
    pub lines: Vec<String>,
}

impl Block {
    /// The lines to type. In a block with prompts, lines without one are output.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        let is_transcript = self.lines.iter().any(|line| line.starts_with("$ "));
        self.lines.iter().filter_map(move |line| match line.strip_prefix("$ ") {
            None if is_transcript => None,
            prompted => Some(prompted.unwrap_or(line)),
        })
    }
}

/// The pages for users, by their paths.
pub fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = ["README.md", "README.zh-CN.md", "SECURITY.md", "CONTRIBUTING.md"]
        .map(str::to_owned)
        .to_vec();
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let name = format!("docs/{}", entry.unwrap().file_name().display());
        names.extend(name.ends_with(".md").then_some(name));
    }
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), std::fs::read_to_string(root.join(name)).unwrap()))
        .collect()
}

/// The indented blocks of a page. A blank line does not end a block. Fenced blocks are files and are left out.
pub fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut is_inside, mut is_fenced) = (false, false);
    for (index, line) in text.lines().enumerate() {
        is_fenced ^= line.starts_with("```");
        match line.strip_prefix("    ").filter(|_| !is_fenced) {
            Some(code) if is_inside => blocks.last_mut().unwrap().lines.push(code.to_owned()),
            Some(code) => blocks.push(Block {
                page: page.to_owned(),
                number: index + 1,
                lines: vec![code.to_owned()],
            }),
            None => {}
        }
        is_inside = line.starts_with("    ") || is_inside && line.is_empty();
    }
    blocks
}

/// The first row that matches a line of a page.
pub fn row_of(page: &str, line: &str) -> Option<&'static Row> {
    ROWS.iter()
        .find(|(of, start, ..)| *of == page && line.starts_with(start))
}

/// A command without what is optional (`[…]`), and with the first of several words (`a|b`). Quoted text stays.
pub fn shortest_form(line: &str) -> String {
    let mut short = String::new();
    let (mut depth, mut is_quoted, mut is_other_choice) = (0, false, false);
    for character in line.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            '[' if !is_quoted => depth += 1,
            '|' if !is_quoted && !short.ends_with(' ') => is_other_choice = true,
            ' ' => is_other_choice = false,
            _ => {}
        }
        if depth == 0 && !is_other_choice {
            short.push(character);
        }
        depth -= i32::from(character == ']' && !is_quoted);
    }
    short.trim_end().to_owned()
}

/// The shell commands of one block. Empty if the block is executed in another place.
fn script_of(block: &Block, place: Place) -> String {
    let own_place = |line: &str| row_of(&block.page, line).map(|row| row.2);
    let Some((_, _, of_block, before)) = row_of(&block.page, &block.lines[0]) else {
        return String::new();
    };
    let here: Vec<&str> = block
        .commands()
        .filter(|line| own_place(line).unwrap_or(*of_block) == place)
        .collect();
    if here.is_empty() {
        return String::new();
    }
    let lines = here.into_iter().map(|line| {
        let line = shortest_form(line);
        match line.strip_prefix("nfsprov provision --watch") {
            Some(rest) => format!("in_background nfsprov provision --watch{}", rest.trim_end_matches(" &")),
            None => line,
        }
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!(": {}:{}\n{before}\n{lines}\n", block.page, block.number)
}

/// Executes all blocks of a place, with one shell for each page.
///
/// # Errors
/// The first page whose shell failed, and everything that it printed.
pub fn execute(place: Place, scene: &Scene) -> Result<(), String> {
    for (page, text) in pages() {
        let blocks = blocks(&page, &text);
        let script: String = blocks.iter().map(|block| script_of(block, place)).collect();
        if script.is_empty() {
            continue;
        }
        let named = |text: &str| {
            let names = NAMES.map(|(name, value)| (name, value.to_owned()));
            let names = names.iter().chain(&scene.names);
            names.fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        if let Some((_, yaml)) = text.split_once("```yaml\n") {
            let yaml = yaml.split("```").next().unwrap_or_default();
            write(&scene.directory.join("nfsprov.yaml"), &named(yaml))?;
        }
        let file = scene.directory.join("page.sh");
        write(&file, &format!("{PRELUDE}\n{}", named(&script)))?;
        run(scene, &file).map_err(|error| format!("{page}: {error}"))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Runs the page with another /etc/hosts, which only this shell and its commands see.
const WITH_NAMES: &str = r#"
mount --bind "$PWD/hosts" /etc/hosts
exec sh -eux page.sh
"#;

fn run(scene: &Scene, file: &Path) -> Result<(), String> {
    let mut command = Command::new("sh");
    match &scene.hosts {
        None => _ = command.arg("-eux").arg(file),
        Some(hosts) => {
            write(&scene.directory.join("hosts"), hosts)?;
            command = Command::new("unshare");
            command.args(["--mount", "sh", "-euc", WITH_NAMES]);
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = scene.programs.iter().cloned().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).map_err(|error| error.to_string())?;
    command.current_dir(&scene.directory).env_clear();
    command
        .env("PATH", path)
        .env("HOME", &scene.directory)
        .env("TERM", "dumb");
    command
        .env("EDITOR", "true")
        .env("PROFILE", scene.directory.join("profile.ps1"));
    command.envs(scene.variables.iter().map(|(name, value)| (name, value)));
    let mut terminal = spawn_command(command, Some(PAGE_TIMEOUT)).map_err(|error| error.to_string())?;
    let mut printed = String::new();
    loop {
        let ends = vec![ReadUntil::String(QUESTION.to_owned()), ReadUntil::EOF];
        let (text, end) = terminal.exp_any(ends).map_err(|error| format!("{error}\n{printed}"))?;
        printed += &format!("{text}{end}");
        if end != QUESTION {
            break;
        }
        terminal.send_line("y").map_err(|error| format!("{error}\n{printed}"))?;
    }
    match terminal.process().wait() {
        Ok(WaitStatus::Exited(_, 0)) => Ok(()),
        ended => Err(format!("{ended:?}\n{}", printed.replace("\r\n", "\n"))),
    }
}
