//! Values that a command can't do without: asked for on a terminal, a usage error elsewhere.

use anyhow::{Context, Result};

use crate::exit::UsageError;
use crate::output;

/// A value that may have been left out.
pub struct Blank {
    /// What the command line says.
    pub value: Option<String>,
    /// How the command line says it.
    pub flag: &'static str,
    /// What to ask.
    pub question: &'static str,
    /// What the answer may be.
    pub check: fn(&str) -> Result<String, String>,
}

/// Returns the values, and prompts for those that were left out.
///
/// # Errors
/// [`UsageError`] that names the missing options if stdin is not a terminal.
pub fn fill<const N: usize>(mut blanks: [Blank; N]) -> Result<[String; N]> {
    let missing: Vec<_> = blanks.iter().filter(|blank| blank.value.is_none()).collect();
    if !missing.is_empty() && !output::can_ask() {
        let flags: Vec<_> = missing.iter().map(|blank| blank.flag).collect();
        let text = format!("required: {}", flags.join(", "));
        return Err(UsageError(text.into()).into());
    }
    for blank in &mut blanks {
        if blank.value.is_none() {
            let answer = output::ask(blank.question, blank.check).context("no answer")?;
            blank.value = Some(answer);
        }
    }
    Ok(blanks.map(|blank| blank.value.unwrap_or_default()))
}
