//! `nfsprov completions`: prints a shell's completion script.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::{self, Cli};
use crate::exit::Exit;
use crate::output;

pub fn run(shell: cli::Shell) -> Result<Exit> {
    let shell = match shell {
        cli::Shell::Bash => Shell::Bash,
        cli::Shell::Zsh => Shell::Zsh,
        cli::Shell::Fish => Shell::Fish,
        cli::Shell::Powershell => Shell::PowerShell,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "nfsprov", &mut script);
    output::print(&String::from_utf8(script)?)?;
    Ok(Exit::Done)
}
