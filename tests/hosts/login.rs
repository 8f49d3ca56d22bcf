//! Logging in: an agent, key files with and without passphrases, passwords.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov_lab::process::Process;
use tokio::process::Command;

use crate::kit::{ADMIN, Answers, PASSWORD, Stage, connect, output_of, refused, tool};

crate::tests! {
    every_key_of_an_agent_is_tried_within_the_servers_patience,
    a_named_key_is_taken_from_the_agent,
    keys_of_every_type_and_format_are_read,
    a_passphrase_is_requested_and_a_wrong_one_is_detected,
    a_key_that_is_none_is_named,
    a_password_is_asked_for,
    questions_of_the_server_are_passed_on,
}

/// The test's own ssh-agent.
pub struct Agent {
    pub socket: PathBuf,
    _process: Process,
}

pub async fn agent(home: &Path) -> Result<Agent> {
    let socket = home.join("agent");
    let mut command = Command::new("ssh-agent");
    command.arg("-D").arg("-a").arg(&socket);
    let process = Process::spawn("ssh-agent", home.join("agent.log"), command)?;
    while !socket.exists() {
        process.expect_running()?;
        tokio::task::yield_now().await;
    }
    Ok(Agent {
        socket,
        _process: process,
    })
}

impl Agent {
    pub async fn add(&self, key: &Path) -> Result<()> {
        let output = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .output();
        let output = output.await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Generates a key.
async fn key(path: &Path, more: &[&str]) -> Result<()> {
    let path = path.display().to_string();
    let plain = ["-q", "-f", &path, "-C", "test"];
    tool("ssh-keygen", &[&plain[..], more].concat()).await?;
    Ok(())
}

/// Adds the key to root's authorized keys.
async fn allow(stage: &Stage, key: &Path) -> Result<()> {
    let public = std::fs::read_to_string(format!("{}.pub", key.display()))?;
    stage
        .guest
        .ssh(&format!("echo '{}' >>/root/.ssh/authorized_keys", public.trim()))
        .await?;
    Ok(())
}

async fn every_key_of_an_agent_is_tried_within_the_servers_patience(stage: Arc<Stage>) -> Result<()> {
    let home = stage.home()?;
    let agent = agent(&home).await?;
    // More keys than any server accepts attempts for, with the right one last.
    for number in 0..13 {
        let path = home.join(format!("wrong-{number}"));
        key(&path, &["-t", "ed25519", "-N", ""]).await?;
        agent.add(&path).await?;
    }
    let mut access = stage.access_of(&home)?;
    access.identities.clear();
    access.agent = Some(agent.socket.clone());
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let error = refused(connect("root", &stage.guest, port, &access).await)?;
    ensure!(
        error.contains("and 10 others") && error.contains("name a key with -i"),
        "{error}"
    );
    agent.add(&stage.guest.ssh_key()).await?;
    for lines in ["", "MaxAuthTries 3", "MaxAuthTries 1"] {
        let port = stage.sshd(&stage.guest, &["ed25519"], lines).await?;
        connect("root", &stage.guest, port, &access).await.context(lines)?;
        if lines.is_empty() {
            let log = stage.file(&stage.guest, &format!("/var/log/sshd-{port}.log")).await?;
            ensure!(!log.contains("Too many authentication failures"), "{log}");
        }
    }
    Ok(())
}

async fn a_named_key_is_taken_from_the_agent(stage: Arc<Stage>) -> Result<()> {
    let home = stage.home()?;
    let agent = agent(&home).await?;
    let encrypted = home.join("encrypted");
    key(&encrypted, &["-t", "ed25519", "-N", ""]).await?;
    allow(&stage, &encrypted).await?;
    agent.add(&encrypted).await?;
    let path = encrypted.display().to_string();
    tool("ssh-keygen", &["-q", "-p", "-f", &path, "-N", "passphrase", "-P", ""]).await?;
    let mut access = stage.access_of(&home)?;
    access.identities = vec![encrypted];
    access.agent = Some(agent.socket.clone());
    connect("root", &stage.guest, 22, &access)
        .await
        .context("a prompt was needed")?;
    Ok(())
}

async fn keys_of_every_type_and_format_are_read(stage: Arc<Stage>) -> Result<()> {
    let home = stage.home()?;
    for (name, more) in [
        ("ed25519", &["-t", "ed25519"][..]),
        ("ecdsa", &["-t", "ecdsa"]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("ecdsa-pem", &["-t", "ecdsa", "-m", "PEM"]),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
    ] {
        let (plain, encrypted) = (home.join(name), home.join(format!("{name}-encrypted")));
        key(&plain, &[more, &["-N", ""]].concat()).await?;
        key(&encrypted, &[more, &["-N", "a passphrase"]].concat()).await?;
        for (path, answers) in [(plain, &[][..]), (encrypted, &["a passphrase"])] {
            allow(&stage, &path).await?;
            let mut access = stage.access_of(&home)?;
            let ask = Answers::some(answers);
            (access.identities, access.ask) = (vec![path.clone()], ask.clone().into());
            let connected = connect("root", &stage.guest, 22, &access).await;
            connected.with_context(|| path.display().to_string())?;
            ensure!(ask.questions().len() == answers.len(), "{:?}", ask.questions());
        }
    }
    Ok(())
}

async fn a_passphrase_is_requested_and_a_wrong_one_is_detected(stage: Arc<Stage>) -> Result<()> {
    let home = stage.home()?;
    let path = home.join("encrypted");
    key(&path, &["-t", "ed25519", "-N", "right"]).await?;
    allow(&stage, &path).await?;
    for (answers, asked, words) in [
        (&["right"][..], 1, ""),
        (&["wrong", "", "right"], 3, ""),
        (&["wrong", "wrong", "wrong", "right"], 3, "was wrong 3 times"),
        (&[], 1, "needs a passphrase, and there is no terminal to ask on"),
    ] {
        let mut access = stage.access_of(&home)?;
        let ask = Answers::some(answers);
        (access.identities, access.ask) = (vec![path.clone()], ask.clone().into());
        let connected = connect("root", &stage.guest, 22, &access).await;
        match words {
            "" => _ = connected?,
            words => {
                let error = refused(connected)?;
                ensure!(
                    error.contains(words) && error.contains(&path.display().to_string()),
                    "{error}"
                );
            }
        }
        // There is no prompt for root's password, because the guests' sshd accepts none for root.
        let questions = ask.questions();
        let passphrases = questions.iter().filter(|question| question.contains("Passphrase of"));
        ensure!(passphrases.count() == asked, "{questions:?}");
    }
    Ok(())
}

async fn a_key_that_is_none_is_named(stage: Arc<Stage>) -> Result<()> {
    let home = stage.home()?;
    let path = home.join("key");
    key(&path, &["-t", "ed25519", "-N", ""]).await?;
    std::fs::write(home.join("text"), "no key\n")?;
    for (name, words) in [
        ("key.pub", "is the public half"),
        ("text", "is no private key"),
        ("missing", "can't be read"),
        ("key", "it refuses"),
    ] {
        let mut access = stage.access_of(&home)?;
        access.identities = vec![home.join(name)];
        let error = refused(connect("root", &stage.guest, 22, &access).await)?;
        ensure!(error.contains(words) && error.contains(name), "{error}");
        ensure!(
            error.starts_with("cannot log in to ") && error.contains(" as root: "),
            "{error}"
        );
    }
    Ok(())
}

async fn a_password_is_asked_for(stage: Arc<Stage>) -> Result<()> {
    let lines = "PasswordAuthentication yes\nKbdInteractiveAuthentication no";
    let port = stage.sshd(&stage.guest, &["ed25519"], lines).await?;
    for (answers, asked, words) in [
        (&[PASSWORD][..], 1, ""),
        (&["wrong", PASSWORD], 2, ""),
        (&["wrong", "wrong", "wrong", PASSWORD], 3, "password"),
        (&[], 1, "no password: there is no terminal to ask on"),
    ] {
        let mut access = stage.access()?;
        let ask = Answers::some(answers);
        access.identities.clear();
        access.ask = ask.clone().into();
        let connected = connect(ADMIN, &stage.guest, port, &access).await;
        let came = connected.as_ref().err();
        ensure!(
            ask.questions().len() == asked,
            "{answers:?}: {:?}, {came:?}",
            ask.questions()
        );
        match words {
            "" => {
                ensure!(output_of(&connected?, "id -un").await? == ADMIN);
                connect(ADMIN, &stage.guest, port, &access).await?;
                ensure!(ask.questions().len() == asked, "the right answer is remembered");
            }
            words => {
                let error = refused(connected)?;
                ensure!(error.contains(words) && !error.contains(PASSWORD), "{error}");
            }
        }
    }
    Ok(())
}

async fn questions_of_the_server_are_passed_on(stage: Arc<Stage>) -> Result<()> {
    let lines = "PasswordAuthentication no\nKbdInteractiveAuthentication yes";
    let port = stage.sshd(&stage.guest, &["ed25519"], lines).await?;
    for (answers, words) in [
        (&[PASSWORD][..], ""),
        (&["wrong", PASSWORD], ""),
        (&[], "no password: there is no terminal to ask on"),
    ] {
        let mut access = stage.access()?;
        let ask = Answers::some(answers);
        access.identities.clear();
        access.ask = ask.clone().into();
        let connected = connect(ADMIN, &stage.guest, port, &access).await;
        ensure!(ask.questions()[0].ends_with("Password"), "{:?}", ask.questions());
        match words {
            "" => ensure!(output_of(&connected?, "id -un").await? == ADMIN),
            words => {
                let error = refused(connected)?;
                ensure!(error.contains(words), "{error}");
            }
        }
    }
    Ok(())
}
