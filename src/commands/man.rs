//! `nfsprov man`: manual pages, made of the command line's own help.

use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::write_files;
use crate::cli::{self, Cli};
use crate::exit::Exit;
use crate::manifest::files::File;
use crate::output;

/// Runs `nfsprov man`.
pub fn run(args: &cli::Man) -> Result<Exit> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    match &args.output_dir {
        None => output::print(&page(command)?.1)?,
        Some(directory) => {
            let mut files = Vec::new();
            pages(command, &mut files)?;
            write_files(directory, &files, args.yes)?;
        }
    }
    Ok(Exit::Done)
}

/// A page a command, those below it included.
fn pages(command: Command, files: &mut Vec<File>) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below.clone(), files)?;
    }
    files.push(page(command)?);
    Ok(())
}

fn page(command: Command) -> Result<File> {
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok((man.get_filename(), String::from_utf8(text)?))
}
