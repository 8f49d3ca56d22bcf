//! Logging in with keys of the agent, key files, passwords and answers, within the attempts that the server allows.
//!
//! [`continue_login`] tries what is left on one connection; [`Attempts`] remembers what failed on earlier ones.

use std::fs;
use std::path::Path;

use ssh2::{ErrorCode, KeyboardInteractivePrompt, Prompt, Session};

use super::keys::{HARDWARE_KEY, Key, find_certificate, is_hardware_key, keys_to_try, read_public_key};
use super::route::Hop;
use super::{Access, ConnectError};
use crate::host::ask::{PromptCache, Secret, Unanswered};
use crate::host::key_file::{self, KeyFile};
use crate::host::known_hosts::PublicKey;

/// How many attempts may fail on one connection before a new one is opened: sshd ends one at its MaxAuthTries, by
/// default 6, and logs a warning at half of that.
const FAILURES: usize = 5;

/// How many connections are made for one login; a server that sees more takes it for an attack.
const CONNECTIONS: usize = 20;

/// How often a passphrase or password is asked for.
const QUESTIONS: usize = 3;

/// How many methods a server may ask for one after the other.
const MAX_STEPS: usize = 5;

/// What has been tried on a host so far, over all connections.
#[derive(Debug)]
pub(super) struct Attempts {
    /// The place of the first key that was not tried yet.
    next: usize,
    /// How many attempts may fail on one connection.
    failures: usize,
    connections: usize,
    /// The keys and methods that failed, for the error message.
    tried: Vec<String>,
    /// Why some could not be tried, likewise.
    notes: Vec<String>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            next: 0,
            failures: FAILURES,
            connections: 0,
            tried: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// The result of one connection.
pub(super) enum LoginResult {
    LoggedIn,
    /// The server allows no further attempt on this connection, and methods are left to try.
    Retry,
}

enum AttemptResult {
    LoggedIn,
    /// The server refused it.
    Refused,
    /// The server accepted the key, and the login not yet: it may require another method.
    KeyAccepted,
    /// It could not be sent to the server.
    Unusable(String),
    ConnectionEnded(String),
}

/// The result of one step of a login: servers may require several, such as a key and then a one-time code.
enum StepResult {
    LoggedIn,
    /// See [`LoginResult::Retry`].
    Retry,
    /// It was a step, and these methods are asked for now.
    Next(String),
}

struct Login<'a> {
    session: &'a Session,
    hop: &'a Hop,
    access: &'a Access,
    attempts: &'a mut Attempts,
    /// The number of attempts that failed on this connection.
    failures: usize,
    /// Places of keys that were a step of this login.
    passed: Vec<usize>,
}

/// Tries to log in on a new session, whose host key was checked, with what earlier connections have not tried. May ask
/// the user. `Retry` asks for another connection; an error ends the login, and says what was tried or what failed.
pub(super) fn continue_login(
    session: &Session,
    hop: &Hop,
    access: &Access,
    attempts: &mut Attempts,
) -> Result<LoginResult, ConnectError> {
    let failed = |why: String| ConnectError::Login {
        host: hop.address(),
        user: hop.user.clone(),
        why,
    };
    attempts.connections += 1;
    // The request for the list of methods counts as an attempt only if the server accepts it.
    let mut methods = match session.auth_methods(&hop.user) {
        Ok(methods) => methods.to_owned(),
        Err(_) if session.authenticated() => return Ok(LoginResult::LoggedIn),
        Err(error) => return Err(failed(error.message().to_owned())),
    };
    let mut login = Login {
        session,
        hop,
        access,
        attempts,
        failures: 0,
        passed: Vec::new(),
    };
    for _ in 0..MAX_STEPS {
        match login.try_methods(&methods).map_err(failed)? {
            StepResult::LoggedIn => return Ok(LoginResult::LoggedIn),
            StepResult::Retry => return retry_within_limit(login.attempts, &methods).map_err(failed),
            StepResult::Next(next) => methods = next,
        }
    }
    Err(failed(format!(
        "the server asks for more than {MAX_STEPS} methods, one after the other"
    )))
}

impl Login<'_> {
    /// Tries keys, then up to 3 passwords, then up to 3 rounds of answers. `Next` if the server wants a further method,
    /// `Retry` if the login has to continue on another connection; an error that lists what was tried otherwise.
    fn try_methods(&mut self, methods: &str) -> Result<StepResult, String> {
        let refused = &self.hop.refused_methods;
        let takes = |method: &str| methods.split(',').any(|found| found == method) && !refused.contains(&method);
        if takes("publickey")
            && let Some(ended) = self.try_keys(methods)
        {
            return Ok(ended);
        }
        for method in ["password", "keyboard-interactive"] {
            for _ in 0..QUESTIONS {
                if !takes(method) {
                    break;
                }
                if self.failures >= self.attempts.failures {
                    return Ok(StepResult::Retry);
                }
                let end = match method {
                    "password" => self.try_password(),
                    _ => self.try_keyboard_interactive(),
                };
                match end {
                    Ok(AttemptResult::LoggedIn) => return Ok(StepResult::LoggedIn),
                    Ok(AttemptResult::ConnectionEnded(why)) => {
                        add_once(&mut self.attempts.tried, method);
                        let why = format!("the connection ended before it answered: {why}");
                        add_once(&mut self.attempts.notes, &why);
                        return Err(describe_attempts(self.attempts, methods));
                    }
                    Ok(_) => {
                        // Where a key would do instead, a password is no step.
                        let may_be_a_step = !methods.contains("publickey");
                        if let Some(next) = may_be_a_step.then(|| self.next_methods(methods)).flatten() {
                            return Ok(StepResult::Next(next));
                        }
                        self.failures += 1;
                        add_once(&mut self.attempts.tried, method);
                    }
                    Err(why) => {
                        add_once(&mut self.attempts.notes, &format!("no password: {why}"));
                        break;
                    }
                }
            }
        }
        for setting in &self.hop.unsupported {
            add_once(
                &mut self.attempts.notes,
                &format!("{setting} of ssh's configuration is not supported"),
            );
        }
        Err(describe_attempts(self.attempts, methods))
    }

    /// Tries the keys that are left, and records those that failed. `None` if no key is left; `Next` if the server
    /// wants a further method; `Retry` if this connection allows no further attempt, or has ended.
    fn try_keys(&mut self, methods: &str) -> Option<StepResult> {
        let (session, hop, access) = (self.session, self.hop, self.access);
        let socket = hop.agent.as_deref();
        let mut agent = socket.and_then(|socket| Agent::connect(session, socket));
        let keys = keys_to_try(hop, access, agent.as_ref().map(Agent::list_keys).unwrap_or_default());
        // After a step, every key but those that made it may be the next.
        let first = if self.passed.is_empty() { self.attempts.next } else { 0 };
        for (place, key) in keys.iter().enumerate().skip(first) {
            if self.passed.contains(&place) {
                continue;
            }
            if self.failures >= self.attempts.failures {
                return Some(StepResult::Retry);
            }
            let (what, end) = match (key, &mut agent) {
                (Key::Agent(key), Some(agent)) => (
                    format!("the agent's key {:?}", key.comment()),
                    agent.offer_key(session, &hop.user, key),
                ),
                (Key::Agent(_), None) => break,
                (Key::File { path, named }, _) => {
                    let end = offer_file(session, hop, access, path, *named);
                    (path.display().to_string(), end)
                }
            };
            match end {
                AttemptResult::LoggedIn => return Some(StepResult::LoggedIn),
                AttemptResult::KeyAccepted => {
                    if let Some(next) = self.next_methods(methods) {
                        self.passed.push(place);
                        return Some(StepResult::Next(next));
                    }
                    self.failures += 2;
                    self.attempts.tried.push(what);
                }
                AttemptResult::Refused => {
                    self.failures += 1;
                    self.attempts.tried.push(what);
                }
                AttemptResult::Unusable(why) if why.is_empty() => {}
                AttemptResult::Unusable(why) => add_once(&mut self.attempts.notes, &why),
                AttemptResult::ConnectionEnded(_) => {
                    // The server is less patient than most: stop before that next time. A key that ends even a
                    // fresh connection has had its chance.
                    self.attempts.failures = self.failures.max(1);
                    if self.failures == 0 {
                        self.attempts.tried.push(what);
                        self.attempts.next += 1;
                    }
                    return Some(StepResult::Retry);
                }
            }
            if self.passed.is_empty() {
                self.attempts.next = place + 1;
            }
        }
        None
    }

    /// The methods that the server asks for after a try that was a step, but not the last one: libssh2 tells it from a
    /// refusal in no other way. `None` if they are still `methods`, or it does not answer. Asking counts as a try.
    fn next_methods(&self, methods: &str) -> Option<String> {
        let next = self.session.auth_methods(&self.hop.user).ok()?.to_owned();
        (next != methods).then_some(next)
    }

    /// Tries a password, from the cache or the prompt; forgets it unless it logs in. An error if none was given.
    fn try_password(&self) -> Result<AttemptResult, Unanswered> {
        let (hop, ask) = (self.hop, &self.access.ask);
        let question = format!("Password of {} on {}", hop.user, hop.address());
        hop.check_may_ask()?;
        let password = ask.ask_secret(&question)?;
        let end = self.session.userauth_password(&hop.user, password.reveal());
        let end = classify_result(self.session, end, "the password can't be used");
        if !matches!(end, AttemptResult::LoggedIn) {
            ask.forget_secret(&question, &password);
        }
        Ok(end)
    }

    /// Answers the server's questions; forgets the answers unless they log in. An error if one of them got no answer.
    fn try_keyboard_interactive(&self) -> Result<AttemptResult, Unanswered> {
        let (hop, ask) = (self.hop, &self.access.ask);
        let mut answers = Answers {
            host: hop.address(),
            ask,
            given: Vec::new(),
            unanswered: hop.check_may_ask().err(),
        };
        let end = self.session.userauth_keyboard_interactive(&hop.user, &mut answers);
        let end = classify_result(self.session, end, "the answers can't be used");
        if !matches!(end, AttemptResult::LoggedIn) {
            answers
                .given
                .iter()
                .for_each(|(question, answer)| ask.forget_secret(question, answer));
        }
        answers.unanswered.map_or(Ok(end), Err)
    }
}

/// `Retry`, so that the caller makes another connection; after 20 of them an error that says what was tried.
fn retry_within_limit(attempts: &Attempts, methods: &str) -> Result<LoginResult, String> {
    match attempts.connections < CONNECTIONS {
        true => Ok(LoginResult::Retry),
        false => Err(format!(
            "{}; that is enough for the server: name the right key with -i",
            describe_attempts(attempts, methods)
        )),
    }
}

fn add_once(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|found| found == text) {
        list.push(text.to_owned());
    }
}

/// The error message: what the server asks for, and what failed.
fn describe_attempts(attempts: &Attempts, methods: &str) -> String {
    const SHOWN: usize = 3;
    let tried = match &attempts.tried[..] {
        [] => "there was nothing to try".to_owned(),
        tried if tried.len() > SHOWN => {
            let rest = tried.len() - SHOWN;
            format!("it refuses {} and {rest} others", tried[..SHOWN].join(", "))
        }
        [one] => format!("it refuses {one}"),
        tried => format!("it refuses {}", tried.join(", ")),
    };
    let notes: String = attempts.notes.iter().map(|note| format!("; {note}")).collect();
    format!("the server asks for {methods}, and {tried}{notes}; name a key with -i")
}

struct Agent(ssh2::Agent);

impl Agent {
    /// Connects to the agent and reads its keys; `None` if it can't be used.
    fn connect(session: &Session, socket: &Path) -> Option<Self> {
        let mut agent = session.agent().ok()?;
        agent.set_identity_path(socket).ok()?;
        agent.connect().ok()?;
        agent.list_identities().ok()?;
        Some(Self(agent))
    }

    /// The keys that [`Agent::connect`] read; none if they can't be listed.
    fn list_keys(&self) -> Vec<ssh2::PublicKey> {
        self.0.identities().unwrap_or_default()
    }

    /// Tries one of the agent's keys. Hardware keys are unusable: libssh2 can't sign with them.
    fn offer_key(&mut self, session: &Session, user: &str, key: &ssh2::PublicKey) -> AttemptResult {
        if is_hardware_key(&PublicKey::new(key.blob())) {
            return AttemptResult::Unusable(format!("the agent's key {:?} {HARDWARE_KEY}", key.comment()));
        }
        classify_result(
            session,
            self.0.userauth(user, key),
            "the agent can't use one of its keys",
        )
    }
}

/// The result of an attempt; `unusable` describes a failure on this machine.
fn classify_result(session: &Session, end: Result<(), ssh2::Error>, unusable: &str) -> AttemptResult {
    // Codes of libssh2.h: the server's refusals (AUTHENTICATION_FAILED, PUBLICKEY_UNVERIFIED), and what can only come
    // from a connection (SOCKET_SEND, TIMEOUT, SOCKET_DISCONNECT, SOCKET_TIMEOUT, SOCKET_RECV).
    match end {
        _ if session.authenticated() => AttemptResult::LoggedIn,
        Ok(()) => AttemptResult::Refused,
        Err(error) => match error.code() {
            // A connection that ended instead of an answer has the refusals' codes, too, and an agent that does not
            // sign; only the words differ.
            ErrorCode::Session(-18 | -19) if error.message().starts_with("Waiting for") => {
                AttemptResult::ConnectionEnded(error.message().to_owned())
            }
            ErrorCode::Session(-19) if error.message().starts_with("Callback") => {
                AttemptResult::Unusable(unusable.to_owned())
            }
            // The key was accepted before it signed; another signature would be no better.
            ErrorCode::Session(-19) if error.message().starts_with("Invalid signature") => AttemptResult::KeyAccepted,
            ErrorCode::Session(-18 | -19) => AttemptResult::Refused,
            ErrorCode::Session(-7 | -9 | -13 | -30 | -43) => AttemptResult::ConnectionEnded(error.message().to_owned()),
            _ => AttemptResult::Unusable(format!("{unusable}: {}", error.message())),
        },
    }
}

/// Tries a key file, first with its certificate if there is one; asks for its passphrase up to three times, and forgets
/// a wrong one. `Unusable` if the file is no usable key, without a note if it can't be read and is not `named`.
fn offer_file(session: &Session, hop: &Hop, access: &Access, path: &Path, named: bool) -> AttemptResult {
    let name = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(_) if !named => return AttemptResult::Unusable(String::new()),
        Err(error) => return AttemptResult::Unusable(format!("{name} can't be read: {error}")),
    };
    let public = read_public_key(path);
    if public.as_ref().is_some_and(is_hardware_key) {
        return AttemptResult::Unusable(format!("{name} {HARDWARE_KEY}"));
    }
    let certificate = find_certificate(hop, path, public.as_ref());
    let offer = |passphrase: &str| {
        if let Some(certificate) = &certificate {
            let offered = session.userauth_pubkey_memory(&hop.user, Some(certificate), &text, Some(passphrase));
            if offered.is_ok() || session.authenticated() {
                return Ok(());
            }
        }
        session.userauth_pubkey_memory(&hop.user, None, &text, Some(passphrase))
    };
    match key_file::classify_key_file(&text) {
        KeyFile::Plain => classify_result(session, offer(""), &format!("{name} can't be used")),
        KeyFile::Public => AttemptResult::Unusable(format!("{name} is the public half; the private one is wanted")),
        KeyFile::NoKey => AttemptResult::Unusable(format!("{name} is no private key")),
        KeyFile::Encrypted => {
            let question = format!("Passphrase of {name}");
            for _ in 0..QUESTIONS {
                let answer = hop.check_may_ask().and_then(|()| access.ask.ask_secret(&question));
                let passphrase = match answer {
                    Ok(passphrase) => passphrase,
                    Err(why) => {
                        let why = format!("{name} needs a passphrase, and {why}: add it to an agent");
                        return AttemptResult::Unusable(why);
                    }
                };
                match classify_result(session, offer(passphrase.reveal()), "") {
                    // What is wrong was found on this side, and a key that needs a passphrase has one.
                    AttemptResult::Unusable(_) => access.ask.forget_secret(&question, &passphrase),
                    end => return end,
                }
            }
            AttemptResult::Unusable(format!("the passphrase of {name} was wrong {QUESTIONS} times"))
        }
    }
}

/// Whether the answer to a server's question may be cached: it ends in `password` and does not name a one-time code.
fn is_cacheable_password(question: &str) -> bool {
    let question = question.trim().trim_end_matches(':').to_lowercase();
    let once = ["one-time", "one time", "otp", "token", "code"]
        .iter()
        .any(|word| question.contains(word));
    question.ends_with("password") && !once
}

/// Passes the prompts of the server on to the user.
struct Answers<'a> {
    host: String,
    ask: &'a PromptCache,
    /// Answers that are remembered, with their questions.
    given: Vec<(String, Secret)>,
    /// Set once a question got no answer: no further one is asked.
    unanswered: Option<Unanswered>,
}

impl KeyboardInteractivePrompt for Answers<'_> {
    /// An answer for each prompt; an empty one, and `unanswered` set, if the user gives none. Only passwords are taken
    /// from the cache and kept in it, not visible answers and one-time codes.
    fn prompt(&mut self, _user: &str, instructions: &str, prompts: &[Prompt]) -> Vec<String> {
        let mut answers = Vec::new();
        for prompt in prompts {
            // The server's words may hold anything: what moves the cursor stays out.
            let text: String = prompt.text.chars().filter(|c| !c.is_control()).collect();
            let about: String = instructions.chars().filter(|c| !c.is_control()).collect();
            let question = format!("{} {about} {}", self.host, text.trim().trim_end_matches(':'));
            let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
            let answer = match (self.unanswered, prompt.echo, is_cacheable_password(&text)) {
                (Some(why), ..) => Err(why),
                (None, true, _) => self.ask.ask_text(&question),
                (None, false, true) => self.ask.ask_secret(&question).map(|secret| {
                    let answer = secret.reveal().to_owned();
                    self.given.push((question, secret));
                    answer
                }),
                (None, false, false) => {
                    let secret = self.ask.ask_one_time_secret(&question);
                    secret.map(|secret| secret.reveal().to_owned())
                }
            };
            self.unanswered = answer.as_ref().err().copied();
            answers.push(answer.unwrap_or_default());
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_codes_are_asked_for_each_time() {
        for (question, lasting) in [
            ("Password: ", true),
            ("(ops@nfs) Password:", true),
            ("UNIX password: ", true),
            ("Verification code: ", false),
            ("One-time password (OATH) for `ops': ", false),
            ("Password 123: ", false),
            ("Enter OTP Token Value password: ", false),
            ("Passcode or option (1-3): ", false),
            ("", false),
        ] {
            assert_eq!(is_cacheable_password(question), lasting, "{question}");
        }
    }
}
