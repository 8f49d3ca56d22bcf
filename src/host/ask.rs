//! Prompts, and a cache of their answers.
//!
//! Commands implement [`Ask`]; [`PromptCache`] asks each question with a secret or a yes for an answer once, however
//! many hosts want it; texts and one-time secrets each time. Answers are kept in memory only. A prompt waits for its
//! answer without a timeout.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A password or passphrase; debug output doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text; an empty one is a secret, too.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, which must not be logged or shown.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    /// Shows nothing of the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a question has no answer, as part of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    #[error("BatchMode forbids to ask")]
    Forbidden,
    #[error("there is no terminal to ask on")]
    NoTerminal,
    #[error("the question was cancelled")]
    Cancelled,
}

/// Asks the user, and waits for the answer without a timeout. Several threads may ask at once: the implementation keeps
/// their prompts apart.
pub trait Ask: Send + Sync {
    /// Asks for something that is not to be shown while it is typed.
    fn ask_secret(&self, question: &str) -> Result<Secret, Unanswered>;

    /// Asks for something that may be shown.
    fn ask_text(&self, question: &str) -> Result<String, Unanswered>;

    /// Asks for a yes or no.
    fn ask_yes(&self, question: &str) -> Result<bool, Unanswered>;
}

/// Asks each question once: connections that are made later find the answers here.
pub struct PromptCache {
    ask: Box<dyn Ask>,
    secrets: Mutex<HashMap<String, Secret>>,
    accepted: Mutex<HashSet<String>>,
    /// Held from the look for an answer to its arrival, so that many who want the same one ask once.
    asking: Mutex<()>,
}

impl fmt::Debug for PromptCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PromptCache(…)")
    }
}

impl PromptCache {
    /// A cache without answers, which asks `ask`.
    pub fn new(ask: impl Ask + 'static) -> Self {
        Self {
            ask: Box::new(ask),
            secrets: Mutex::default(),
            accepted: Mutex::default(),
            asking: Mutex::default(),
        }
    }

    /// Asks for a secret, unless the same question was answered before; waits while another caller asks. The caller
    /// forgets an answer that is wrong with [`Self::forget_secret`]. Without an answer, the next caller is asked again.
    pub(super) fn ask_secret(&self, question: &str) -> Result<Secret, Unanswered> {
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = self.secrets().get(question) {
            return Ok(secret.clone());
        }
        let secret = self.ask.ask_secret(question)?;
        self.secrets().insert(question.to_owned(), secret.clone());
        Ok(secret)
    }

    /// Asks for a secret that is valid once, and does not keep it; waits while another caller asks.
    pub(super) fn ask_one_time_secret(&self, question: &str) -> Result<Secret, Unanswered> {
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        self.ask.ask_secret(question)
    }

    /// Forgets the answer `wrong`, so that the next caller asks again; another answer to the question stays.
    pub(super) fn forget_secret(&self, question: &str, wrong: &Secret) {
        let mut secrets = self.secrets();
        if secrets.get(question) == Some(wrong) {
            secrets.remove(question);
        }
    }

    /// Asks each time for a text that may be shown, and keeps no answer.
    pub(super) fn ask_text(&self, question: &str) -> Result<String, Unanswered> {
        self.ask.ask_text(question)
    }

    /// Whether a host's key is accepted; `line` is its line of known_hosts. Asks `question` unless the line was
    /// accepted before; waits while another caller asks. A yes is kept, so that other connections don't ask again; a no
    /// is not.
    pub(super) fn is_key_accepted(&self, line: &str, question: &str) -> Result<bool, Unanswered> {
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_accepted(line) {
            return Ok(true);
        }
        let is_accepted = self.ask.ask_yes(question)?;
        if is_accepted {
            self.accept_key(line);
        }
        Ok(is_accepted)
    }

    /// Whether a host's key was accepted before in this run; `line` is its line of known_hosts.
    pub(super) fn has_accepted(&self, line: &str) -> bool {
        self.accepted_keys().contains(line)
    }

    /// Keeps a host's key as accepted for this run, in memory only; `line` is its line of known_hosts. False if it was
    /// kept before.
    pub(super) fn accept_key(&self, line: &str) -> bool {
        self.accepted_keys().insert(line.to_owned())
    }

    fn accepted_keys(&self) -> MutexGuard<'_, HashSet<String>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secrets(&self) -> MutexGuard<'_, HashMap<String, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const HOSTS: usize = 8;

    /// A user who answers when all hosts are about to ask.
    #[derive(Clone, Default)]
    struct Patient {
        about_to_ask: Arc<AtomicUsize>,
        questions: Arc<AtomicUsize>,
    }

    impl Patient {
        fn wait(&self) {
            self.questions.fetch_add(1, Ordering::SeqCst);
            while self.about_to_ask.load(Ordering::SeqCst) < HOSTS {
                std::thread::yield_now();
            }
        }
    }

    impl Ask for Patient {
        fn ask_secret(&self, _: &str) -> Result<Secret, Unanswered> {
            self.wait();
            Ok(Secret::new("answer".to_owned()))
        }

        fn ask_text(&self, _: &str) -> Result<String, Unanswered> {
            Err(Unanswered::NoTerminal)
        }

        fn ask_yes(&self, _: &str) -> Result<bool, Unanswered> {
            self.wait();
            Ok(true)
        }
    }

    #[test]
    fn many_hosts_that_want_one_answer_ask_once() {
        let asks: [fn(&PromptCache) -> bool; 2] = [
            |remembered| remembered.ask_secret("Passphrase of key").is_ok(),
            |remembered| remembered.is_key_accepted("jump ssh-ed25519 AAAA", "jump is not known yet") == Ok(true),
        ];
        for ask in asks {
            let patient = Patient::default();
            let remembered = PromptCache::new(patient.clone());
            std::thread::scope(|scope| {
                for _ in 0..HOSTS {
                    scope.spawn(|| {
                        patient.about_to_ask.fetch_add(1, Ordering::SeqCst);
                        assert!(ask(&remembered));
                    });
                }
            });
            assert_eq!(patient.questions.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn a_wrong_answer_does_not_take_a_newer_one_with_it() {
        let remembered = PromptCache::new(Patient::default());
        let [wrong, right] = ["wrong", "right"].map(|text| Secret::new(text.to_owned()));
        remembered.secrets().insert("question".to_owned(), right.clone());
        remembered.forget_secret("question", &wrong);
        assert_eq!(remembered.secrets().get("question"), Some(&right));
        remembered.forget_secret("question", &right);
        assert_eq!(remembered.secrets().get("question"), None);
    }
}
