//! Logging in: keys of the agent, key files, passwords, as far as the server's patience goes.

use std::fs;
use std::path::{Path, PathBuf};

use ssh2::{ErrorCode, KeyboardInteractivePrompt, Prompt, Session};

use super::connect::address;
use super::{Access, ConnectError};
use crate::host::ask::{Remembered, Secret};
use crate::host::key_file::{self, KeyFile};
use crate::host::known_hosts::PublicKey;
use crate::host::ssh_config::Hop;

/// What may fail on one connection before it is made anew: sshd ends one at its MaxAuthTries, 6 unless it is told
/// otherwise, and logs a warning at half of that.
const FAILURES: usize = 5;

/// How many connections are made for one login; a server that sees more takes it for an attack.
const CONNECTIONS: usize = 20;

/// How often a passphrase or password is asked for.
const QUESTIONS: usize = 3;

/// Keys that ssh tries when none is named, in `~/.ssh`.
const DEFAULTS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// What has been tried on a host so far, over all connections.
#[derive(Debug)]
pub(super) struct Attempts {
    /// The keys' places before this one have failed.
    next: usize,
    /// What may fail on one connection.
    failures: usize,
    connections: usize,
    /// What was tried, for the message.
    tried: Vec<String>,
    /// Why some keys could not be, likewise.
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

/// What one connection came to.
pub(super) enum Step {
    /// We are in.
    In,
    /// The server has had enough of this connection, and there is more to try.
    Again,
}

/// A key to try.
enum Key {
    /// The agent's.
    Agent(ssh2::PublicKey),
    File {
        path: PathBuf,
        /// Somebody named it, so it is news that it can't be used.
        named: bool,
    },
}

/// How a try ended.
enum Tried {
    In,
    /// The server does not take it.
    Refused,
    /// It never got to the server.
    Unusable(String),
    /// The connection is at its end.
    Ended(String),
}

/// Logs in on a new session, going on where earlier connections had to stop.
pub(super) fn login(
    session: &Session,
    hop: &Hop,
    access: &Access,
    attempts: &mut Attempts,
) -> Result<Step, ConnectError> {
    let failed = |why: String| ConnectError::Login {
        host: address(hop),
        user: hop.user.clone(),
        why,
    };
    attempts.connections += 1;
    // Asking what there is counts as a try only if it is let in.
    let methods = match session.auth_methods(&hop.user) {
        Ok(methods) => methods.to_owned(),
        Err(_) if session.authenticated() => return Ok(Step::In),
        Err(error) => return Err(failed(error.message().to_owned())),
    };
    let takes = |method: &str| methods.split(',').any(|found| found == method);
    let mut failures = 0;
    if takes("publickey") {
        let mut agent = access
            .agent
            .as_deref()
            .and_then(|socket| Agent::connect(session, socket));
        let keys = keys(hop, access, agent.as_ref());
        while let Some(key) = keys.get(attempts.next) {
            if failures >= attempts.failures {
                return again(attempts, &methods).map_err(failed);
            }
            let (what, end) = match (key, &mut agent) {
                (Key::Agent(key), Some(agent)) => (
                    format!("the agent's key {:?}", key.comment()),
                    agent.offer(session, &hop.user, key),
                ),
                (Key::Agent(_), None) => break,
                (Key::File { path, named }, _) => {
                    let end = offer_file(session, hop, access, path, *named);
                    (path.display().to_string(), end)
                }
            };
            match end {
                Tried::In => return Ok(Step::In),
                Tried::Refused => {
                    failures += 1;
                    attempts.tried.push(what);
                }
                Tried::Unusable(why) if why.is_empty() => {}
                Tried::Unusable(why) => attempts.notes.push(why),
                Tried::Ended(_) => {
                    // The server is less patient than most: stop before that next time. A key that ends even a
                    // fresh connection has had its chance.
                    attempts.failures = failures.max(1);
                    if failures == 0 {
                        attempts.tried.push(what);
                        attempts.next += 1;
                    }
                    return again(attempts, &methods).map_err(failed);
                }
            }
            attempts.next += 1;
        }
    }
    for (method, ask) in [
        (
            "password",
            by_password as fn(&Session, &Hop, &Remembered) -> Option<Tried>,
        ),
        ("keyboard-interactive", by_questions),
    ] {
        for _ in 0..QUESTIONS {
            if !takes(method) {
                break;
            }
            if failures >= attempts.failures {
                return again(attempts, &methods).map_err(failed);
            }
            match ask(session, hop, &access.ask) {
                Some(Tried::In) => return Ok(Step::In),
                Some(Tried::Ended(why)) => {
                    note(&mut attempts.tried, method);
                    note(
                        &mut attempts.notes,
                        &format!("the connection ended before it answered: {why}"),
                    );
                    return Err(failed(sentence(attempts, &methods)));
                }
                Some(_) => {
                    failures += 1;
                    note(&mut attempts.tried, method);
                }
                None => {
                    note(&mut attempts.notes, "there is no terminal to ask for a password on");
                    break;
                }
            }
        }
    }
    Err(failed(sentence(attempts, &methods)))
}

/// Another connection, unless there were too many.
fn again(attempts: &Attempts, methods: &str) -> Result<Step, String> {
    match attempts.connections < CONNECTIONS {
        true => Ok(Step::Again),
        false => Err(format!(
            "{}; that is enough for the server: name the right key with -i",
            sentence(attempts, methods)
        )),
    }
}

fn note(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|found| found == text) {
        list.push(text.to_owned());
    }
}

/// What was tried in vain.
fn sentence(attempts: &Attempts, methods: &str) -> String {
    const SHOWN: usize = 3;
    let tried = match &attempts.tried[..] {
        [] => "there was nothing to try".to_owned(),
        tried if tried.len() > SHOWN => {
            let rest = tried.len() - SHOWN;
            format!("it takes none of {} and {rest} others", tried[..SHOWN].join(", "))
        }
        [one] => format!("it does not take {one}"),
        tried => format!("it takes none of {}", tried.join(", ")),
    };
    let notes: String = attempts.notes.iter().map(|note| format!("; {note}")).collect();
    format!("the server asks for {methods}, and {tried}{notes}; name a key with -i")
}

/// The keys in the order of their tries: named ones first, with the agent's help where it has them, then the agent's
/// others, then those that ssh looks for by itself.
fn keys(hop: &Hop, access: &Access, agent: Option<&Agent>) -> Vec<Key> {
    let mut files: Vec<(PathBuf, bool)> = access.identities.iter().map(|path| (path.clone(), true)).collect();
    files.extend(hop.identities.iter().map(|path| (path.clone(), true)));
    let mut defaults = Vec::new();
    if let (true, Some(home)) = (files.is_empty(), &access.home) {
        defaults.extend(DEFAULTS.map(|name| (home.join(".ssh").join(name), false)));
    }
    let mut kept = Vec::new();
    for key in agent.map(Agent::keys).unwrap_or_default() {
        kept.push(Some(key));
    }
    let mut keys = Vec::new();
    for (path, named) in files {
        let public = public_key(&path);
        let held = kept.iter_mut().find(|slot| {
            let blob = slot.as_ref().map(|key| PublicKey::new(key.blob()));
            blob.is_some() && blob == public
        });
        match held.and_then(Option::take) {
            Some(key) => keys.push(Key::Agent(key)),
            None => keys.push(Key::File { path, named }),
        }
    }
    if !hop.identities_only {
        keys.extend(kept.into_iter().flatten().map(Key::Agent));
    }
    keys.extend(defaults.into_iter().map(|(path, named)| Key::File { path, named }));
    keys
}

/// The public half of a key file, from the file itself or from the one beside it.
fn public_key(path: &Path) -> Option<PublicKey> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let read = |path: &Path| fs::read_to_string(path).ok();
    let own = read(path).and_then(|text| key_file::public(&text));
    own.or_else(|| key_file::public(&read(Path::new(&beside))?))
}

/// A connection to ssh-agent.
struct Agent(ssh2::Agent);

impl Agent {
    fn connect(session: &Session, socket: &Path) -> Option<Self> {
        let mut agent = session.agent().ok()?;
        agent.set_identity_path(socket).ok()?;
        agent.connect().ok()?;
        agent.list_identities().ok()?;
        Some(Self(agent))
    }

    fn keys(&self) -> Vec<ssh2::PublicKey> {
        self.0.identities().unwrap_or_default()
    }

    fn offer(&mut self, session: &Session, user: &str, key: &ssh2::PublicKey) -> Tried {
        tried(
            session,
            self.0.userauth(user, key),
            "the agent can't use one of its keys",
        )
    }
}

/// What a try came to; `unusable` if the fault is on this side.
fn tried(session: &Session, end: Result<(), ssh2::Error>, unusable: &str) -> Tried {
    // Codes of libssh2.h: the server's refusals (AUTHENTICATION_FAILED, PUBLICKEY_UNVERIFIED), and what can only come
    // from a connection (SOCKET_SEND, TIMEOUT, SOCKET_DISCONNECT, SOCKET_TIMEOUT, SOCKET_RECV).
    match end {
        _ if session.authenticated() => Tried::In,
        Ok(()) => Tried::Refused,
        Err(error) => match error.code() {
            // A connection that ended instead of an answer has the refusals' codes, too, and an agent that does not
            // sign; only the words differ.
            ErrorCode::Session(-18 | -19) if error.message().starts_with("Waiting for") => {
                Tried::Ended(error.message().to_owned())
            }
            ErrorCode::Session(-19) if error.message().starts_with("Callback") => Tried::Unusable(unusable.to_owned()),
            ErrorCode::Session(-18 | -19) => Tried::Refused,
            ErrorCode::Session(-7 | -9 | -13 | -30 | -43) => Tried::Ended(error.message().to_owned()),
            _ => Tried::Unusable(format!("{unusable}: {}", error.message())),
        },
    }
}

fn offer_file(session: &Session, hop: &Hop, access: &Access, path: &Path, named: bool) -> Tried {
    let name = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(_) if !named => return Tried::Unusable(String::new()),
        Err(error) => return Tried::Unusable(format!("{name} can't be read: {error}")),
    };
    let offer = |passphrase: &str| session.userauth_pubkey_memory(&hop.user, None, &text, Some(passphrase));
    match key_file::look(&text) {
        KeyFile::Plain => tried(session, offer(""), &format!("{name} can't be used")),
        KeyFile::Public => Tried::Unusable(format!("{name} is the public half; the private one is wanted")),
        KeyFile::NoKey => Tried::Unusable(format!("{name} is no private key")),
        KeyFile::Encrypted => {
            let question = format!("Passphrase of {name}");
            for _ in 0..QUESTIONS {
                let Some(passphrase) = access.ask.secret(&question) else {
                    let why = "needs a passphrase, and there is no terminal to ask on: add it to an agent";
                    return Tried::Unusable(format!("{name} {why}"));
                };
                match tried(session, offer(passphrase.reveal()), "") {
                    // What is wrong was found on this side, and a key that needs a passphrase has one.
                    Tried::Unusable(_) => access.ask.forget(&question),
                    end => return end,
                }
            }
            Tried::Unusable(format!("the passphrase of {name} was wrong {QUESTIONS} times"))
        }
    }
}

fn by_password(session: &Session, hop: &Hop, ask: &Remembered) -> Option<Tried> {
    let question = format!("Password of {} on {}", hop.user, address(hop));
    let password = ask.secret(&question)?;
    let end = tried(
        session,
        session.userauth_password(&hop.user, password.reveal()),
        "the password can't be used",
    );
    if !matches!(end, Tried::In) {
        ask.forget(&question);
    }
    Some(end)
}

fn by_questions(session: &Session, hop: &Hop, ask: &Remembered) -> Option<Tried> {
    let mut answers = Answers {
        host: address(hop),
        ask,
        asked: Vec::new(),
        unanswered: false,
    };
    let end = tried(
        session,
        session.userauth_keyboard_interactive(&hop.user, &mut answers),
        "the answers can't be used",
    );
    if !matches!(end, Tried::In) {
        answers.asked.iter().for_each(|question| ask.forget(question));
    }
    (!answers.unanswered).then_some(end)
}

/// Passes the server's questions on.
struct Answers<'a> {
    host: String,
    ask: &'a Remembered,
    asked: Vec<String>,
    unanswered: bool,
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt(&mut self, _user: &str, instructions: &str, prompts: &[Prompt]) -> Vec<String> {
        let mut answers = Vec::new();
        for prompt in prompts {
            // The server's words may hold anything: what moves the cursor stays out.
            let text: String = prompt.text.chars().filter(|c| !c.is_control()).collect();
            let about: String = instructions.chars().filter(|c| !c.is_control()).collect();
            let question = format!("{} {about} {}", self.host, text.trim().trim_end_matches(':'));
            let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
            let answer = match prompt.echo {
                true => self.ask.text(&question),
                false => {
                    let secret = self.ask.secret(&question);
                    self.asked.push(question);
                    secret.as_ref().map(Secret::reveal).map(str::to_owned)
                }
            };
            self.unanswered |= answer.is_none();
            answers.push(answer.unwrap_or_default());
        }
        answers
    }
}
