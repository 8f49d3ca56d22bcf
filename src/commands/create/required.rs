//! Required values that the command line may omit: prompts on a terminal, a usage error elsewhere.

use anyhow::{Context, Result};

use crate::exit::UsageError;
use crate::output;

/// A required value that the command line may omit.
pub struct RequiredValue {
    /// The value on the command line.
    pub value: Option<String>,
    /// `NAME` or the option, for the usage error.
    pub flag: &'static str,
    pub question: &'static str,
    /// Checks an answer and returns the value to use.
    pub check: fn(&str) -> Result<String, String>,
}

/// Returns the values in their order, and prompts for those that were left out until each passes its check. Values that
/// are given are not checked.
///
/// # Errors
/// [`UsageError`] that names the missing options if stdin or stderr is not a terminal; others if a prompt fails.
pub fn fill_missing<const N: usize>(mut values: [RequiredValue; N]) -> Result<[String; N]> {
    let missing: Vec<_> = values.iter().filter(|value| value.value.is_none()).collect();
    if !missing.is_empty() && !output::can_ask() {
        let flags: Vec<_> = missing.iter().map(|value| value.flag).collect();
        let text = format!("required: {}", flags.join(", "));
        return Err(UsageError(text.into()).into());
    }
    for value in &mut values {
        if value.value.is_none() {
            let answer = output::ask(value.question, value.check).context("nothing was created")?;
            value.value = Some(answer);
        }
    }
    Ok(values.map(|value| value.value.unwrap_or_default()))
}
