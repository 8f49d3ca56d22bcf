//! `nfsprov templates`: exports the built-in templates for editing.

use anyhow::Result;

use super::write_files;
use crate::cli::Templates;
use crate::exit::Exit;
use crate::manifest::templates::BUILT_IN;

/// Writes the templates into a directory and prints their paths; asks before it overwrites files that differ, unless
/// `--yes` is given.
pub fn run(action: &Templates) -> Result<Exit> {
    let Templates::Export { directory, yes } = action;
    write_files(
        directory,
        &BUILT_IN.map(|(name, text)| (name.to_owned(), text.to_owned())),
        *yes,
    )?;
    Ok(Exit::Done)
}
