//! Questions to whoever sits at the terminal: the commands ask them, and here they are remembered.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A password or passphrase; debug output doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Somebody who can be asked; each answer is None where nobody is there.
pub trait Ask: Send + Sync {
    /// Asks for something that is not to be shown while it is typed.
    fn secret(&self, question: &str) -> Option<Secret>;

    /// Asks for something that may be shown.
    fn text(&self, question: &str) -> Option<String>;

    /// Asks for a yes or no.
    fn yes(&self, question: &str) -> Option<bool>;
}

/// Asks each question once: connections that are made again, in the middle of other work, find the answers here.
pub struct Remembered {
    ask: Box<dyn Ask>,
    secrets: Mutex<HashMap<String, Secret>>,
    accepted: Mutex<HashSet<String>>,
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered(…)")
    }
}

impl Remembered {
    /// Passes on what isn't known yet.
    pub fn new(ask: impl Ask + 'static) -> Self {
        Self {
            ask: Box::new(ask),
            secrets: Mutex::default(),
            accepted: Mutex::default(),
        }
    }

    pub(super) fn secret(&self, question: &str) -> Option<Secret> {
        if let Some(secret) = self.secrets().get(question) {
            return Some(secret.clone());
        }
        let secret = self.ask.secret(question)?;
        self.secrets().insert(question.to_owned(), secret.clone());
        Some(secret)
    }

    /// Forgets an answer that was wrong.
    pub(super) fn forget(&self, question: &str) {
        self.secrets().remove(question);
    }

    pub(super) fn text(&self, question: &str) -> Option<String> {
        self.ask.text(question)
    }

    pub(super) fn yes(&self, question: &str) -> Option<bool> {
        self.ask.yes(question)
    }

    /// Whether a host's key, as one line, was accepted before.
    pub(super) fn has_accepted(&self, line: &str) -> bool {
        self.accepted().contains(line)
    }

    /// Keeps an accepted key where known_hosts can't be written.
    pub(super) fn accept(&self, line: &str) {
        self.accepted().insert(line.to_owned());
    }

    fn accepted(&self) -> MutexGuard<'_, HashSet<String>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secrets(&self) -> MutexGuard<'_, HashMap<String, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
