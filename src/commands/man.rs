//! `nfsprov man`: manual pages, generated from the help of the command line.

use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::write_files;
use crate::cli::{self, Cli};
use crate::exit::Exit;
use crate::manifest::files::File;
use crate::output;

/// Prints the page of `nfsprov`, or writes all pages into a directory; asks before it overwrites files that differ,
/// unless `--yes` is given.
pub fn run(args: &cli::Man) -> Result<Exit> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    match &args.output_dir {
        None => output::print(&render_page(command)?.1)?,
        Some(directory) => {
            let mut files = Vec::new();
            collect_pages(command, &mut files)?;
            write_files(directory, &files, args.yes)?;
        }
    }
    Ok(Exit::Done)
}

/// Adds the pages of a command's subcommands, hidden ones left out, then its own. The root command must have been
/// built: the names of pages come from that.
fn collect_pages(command: Command, files: &mut Vec<File>) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect_pages(below.clone(), files)?;
    }
    files.push(render_page(command)?);
    Ok(())
}

/// The file name and text of a command's page.
fn render_page(command: Command) -> Result<File> {
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok((man.get_filename(), String::from_utf8(text)?))
}
