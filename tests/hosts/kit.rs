//! What the tests share: guests, sshds with particular settings, a home directory, and prepared answers to prompts.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Failed;
use nfsprov::host::{
    Access, Ask, ConnectError, Host, HostKeys, Output, PromptCache, RunError, Secret, Sudo, Target, Unanswered,
};
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::{Lab, trial};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// How long a host may send nothing while a script runs.
pub const EVENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The types of the guests' host keys, with their names in known_hosts.
pub const KINDS: [(&str, &str); 3] = [
    ("ed25519", "ssh-ed25519"),
    ("ecdsa", "ecdsa-sha2-nistp256"),
    ("rsa", "ssh-rsa"),
];

/// A user with this password who may use sudo with it.
pub const ADMIN: &str = "admin";
/// A user with the same password who may not use sudo.
pub const USER_WITHOUT_SUDO: &str = "plain";
/// Their password, which differs from any other text.
pub const PASSWORD: &str = "correct-horse-7f3a9";

/// Commands that run once in every guest. A wrong password causes no delay there.
const SETTINGS: &str = "sed -i '/pam_unix.so/ s/$/ nodelay/' /etc/pam.d/common-auth
mkdir -p /etc/ssh/test /run/sshd
for kind in ed25519 ecdsa rsa; do
    [ -e /etc/ssh/test/$kind ] || ssh-keygen -q -t $kind -N '' -f /etc/ssh/test/$kind
    [ -e /etc/ssh/test/other-$kind ] || ssh-keygen -q -t $kind -N '' -f /etc/ssh/test/other-$kind
done
useradd --create-home --shell /bin/bash --groups sudo admin
useradd --create-home --shell /bin/dash plain
useradd --create-home --shell /usr/sbin/nologin nologin
for user in admin plain nologin; do
    install -d -o $user -m 700 /home/$user/.ssh
    install -o $user -m 600 /root/.ssh/authorized_keys /home/$user/.ssh/authorized_keys
done
printf 'admin:%s\\nplain:%s\\n' \"$1\" \"$1\" | chpasswd -c SHA512 -s 1000";

pub struct Stage {
    runtime: tokio::runtime::Runtime,
    pub lab: Lab,
    /// The guest that most tests use.
    pub guest: Guest,
    /// Another guest, as a jump host or behind one.
    pub second: Guest,
    /// The guest that serves NFS; started when a test first needs it.
    server: OnceCell<Guest>,
    directory: tempfile::TempDir,
    count: AtomicU16,
}

impl Stage {
    pub fn new(lab: &Lab) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (guest, second) = runtime.block_on(async {
            let guests = tokio::try_join!(
                lab.guest("first", Template::Login),
                lab.guest("second", Template::Login)
            )?;
            let settings = format!("set -- {PASSWORD}\n{SETTINGS}");
            tokio::try_join!(guests.0.ssh(&settings), guests.1.ssh(&settings))?;
            anyhow::Ok(guests)
        })?;
        Ok(Self {
            runtime,
            lab: lab.clone(),
            guest,
            second,
            server: OnceCell::new(),
            directory: tempfile::tempdir()?,
            count: AtomicU16::new(0),
        })
    }

    /// Runs a test; records its duration and its logs.
    pub fn run(&self, name: &str, test: impl Future<Output = Result<()>>) -> Result<(), Failed> {
        trial::run(&self.lab, &self.runtime, "hosts", name, trial::LIMIT, test).map_err(Failed::from)
    }

    /// A guest that serves NFS. Several tests share it, so none changes its exports.
    pub async fn server(&self) -> Result<&Guest> {
        let start = || self.lab.guest("server", Template::NfsServer);
        self.server.get_or_try_init(start).await
    }

    fn next(&self) -> u16 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts another sshd in a guest, with host keys of these types and these lines of configuration; returns its
    /// port.
    pub async fn sshd(&self, guest: &Guest, kinds: &[&str], lines: &str) -> Result<u16> {
        let port = 2200 + self.next();
        let keys: String = kinds
            .iter()
            .map(|kind| format!("HostKey /etc/ssh/test/{kind}\n"))
            .collect();
        // Other guests that are being set up make logins slow, hence no time limit. sshd uses an option's first value,
        // so `lines` can set one.
        guest
            .ssh(&format!(
                "cat >/etc/ssh/test/{port}.conf <<'END'\nPort {port}\nPidFile /run/sshd-{port}.pid\nUsePAM yes\n\
                 UseDNS no\nMaxStartups 100\n{keys}{lines}\nLoginGraceTime 0\nEND\n\
                 /usr/sbin/sshd -f /etc/ssh/test/{port}.conf -E /var/log/sshd-{port}.log\n\
                 while [ ! -s /run/sshd-{port}.pid ]; do sleep 0.05; done"
            ))
            .await?;
        Ok(port)
    }

    /// A home directory in which ssh records hosts by name; Debian's own configuration hashes the names.
    pub fn home(&self) -> Result<PathBuf> {
        let home = self.directory.path().join(format!("home-{}", self.next()));
        std::fs::create_dir_all(home.join(".ssh"))?;
        std::fs::write(home.join(".ssh/config"), "HashKnownHosts no\n")?;
        Ok(home)
    }

    /// Access with the lab's key, which accepts new host keys and cannot prompt.
    pub fn access(&self) -> Result<Access> {
        self.access_of(&self.home()?)
    }

    /// Like [`Stage::access`], with this home directory.
    pub fn access_of(&self, home: &Path) -> Result<Access> {
        Ok(Access {
            home: Some(home.to_owned()),
            user: "root".into(),
            agent: None,
            identities: vec![self.guest.ssh_key()],
            jump: Vec::new(),
            host_keys: HostKeys::AcceptNew,
            fingerprints: Vec::new(),
            // Guests that are being set up meanwhile make other guests slow.
            connect_timeout: 4 * EVENT_TIMEOUT,
            sudo: Sudo::No,
            ask: Answers::none().into(),
            jump_sessions: Arc::default(),
        })
    }

    /// The contents of a guest's file.
    pub async fn file(&self, guest: &Guest, path: &str) -> Result<String> {
        Ok(guest.ssh(&format!("cat {path}")).await?.trim().to_owned())
    }
}

/// The answer of a user who cancels the question.
pub const CANCEL: &str = "\u{3}";

/// Prepared answers to prompts, which also records the questions; without answers it cannot prompt.
#[derive(Clone, Default)]
pub struct Answers {
    answers: Arc<Mutex<VecDeque<String>>>,
    questions: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    pub fn none() -> Self {
        Self::default()
    }

    pub fn some(answers: &[&str]) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.iter().map(|text| (*text).to_owned()).collect())),
            ..Self::default()
        }
    }

    pub fn questions(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }

    fn next(&self, question: &str) -> Result<String, Unanswered> {
        self.questions.lock().unwrap().push(question.to_owned());
        match self.answers.lock().unwrap().pop_front() {
            None => Err(Unanswered::NoTerminal),
            Some(answer) if answer == CANCEL => Err(Unanswered::Cancelled),
            Some(answer) => Ok(answer),
        }
    }
}

impl From<Answers> for Arc<PromptCache> {
    fn from(answers: Answers) -> Self {
        Arc::new(PromptCache::new(answers))
    }
}

impl Ask for Answers {
    fn ask_secret(&self, question: &str) -> Result<Secret, Unanswered> {
        self.next(question).map(Secret::new)
    }

    fn ask_text(&self, question: &str) -> Result<String, Unanswered> {
        self.next(question)
    }

    fn ask_yes(&self, question: &str) -> Result<bool, Unanswered> {
        self.next(question).map(|answer| answer == "yes")
    }
}

/// Logs in to `user@guest:port`.
pub async fn connect(user: &str, guest: &Guest, port: u16, access: &Access) -> Result<Host, ConnectError> {
    let target: Target = format!("{user}@{}:{port}", guest.address()).parse().unwrap();
    Host::connect(&target, access).await
}

pub async fn run(host: &Host, script: &str) -> Result<Output, RunError> {
    host.run(script, EVENT_TIMEOUT).await
}

/// The output of a script that must succeed.
pub async fn output_of(host: &Host, script: &str) -> Result<String> {
    let output = run(host, script).await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status == 0, "{script}: {} {stderr}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

pub async fn tool(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().await;
    let output = output.with_context(|| format!("cannot run {program}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {stderr}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The text of the error; fails if there is none.
pub fn refused<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<String> {
    match result {
        Ok(_) => anyhow::bail!("it did not fail"),
        Err(error) => Ok(error.to_string()),
    }
}
