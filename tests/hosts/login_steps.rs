//! Logins that take several steps, or go through several hosts.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov::host::{Host, HostKeys};
use nfsprov_lab::guest::Guest;

use crate::kit::{ADMIN, Answers, PASSWORD, Stage, refused, says, tool};

crate::tests! {
    a_login_of_several_steps_takes_them_all,
    a_fingerprint_holds_for_every_host_on_the_way,
}

async fn a_login_of_several_steps_takes_them_all(stage: Arc<Stage>) -> Result<()> {
    for (methods, answers, lets_in) in [
        ("publickey,password", &[PASSWORD][..], true),
        ("publickey,keyboard-interactive", &[PASSWORD], true),
        ("publickey,keyboard-interactive", &["wrong", PASSWORD], true),
        ("password,publickey", &[PASSWORD], true),
        ("publickey,password", &[], false),
    ] {
        let lines = format!(
            "AuthenticationMethods {methods}\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes\nMaxAuthTries 6"
        );
        let port = stage.sshd(&stage.guest, &["ed25519"], &lines).await?;
        let mut access = stage.access()?;
        // Keys that are refused come before the right one.
        let home = access.home.clone().context("no home")?;
        for name in ["a", "b"] {
            let key = home.join(name);
            tool(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-f", &key.display().to_string()],
            )
            .await?;
            access.identities.insert(0, key);
        }
        let ask = Answers::some(answers);
        access.ask = ask.clone().into();
        let target = format!("{ADMIN}@{}:{port}", stage.guest.address()).parse()?;
        let connected = Host::connect(&target, &access).await;
        let questions = ask.questions();
        match lets_in {
            true => {
                let host = connected.with_context(|| format!("{methods} {answers:?}: {questions:?}"))?;
                ensure!(says(&host, "id -un").await? == ADMIN);
                ensure!(questions.len() == answers.len(), "{methods}: {questions:?}");
            }
            false => {
                let error = refused(connected)?;
                ensure!(
                    error.contains("asks for password") && error.contains("no terminal"),
                    "the message is about the second step: {error}"
                );
            }
        }
    }
    Ok(())
}

async fn fingerprint(guest: &Guest) -> Result<String> {
    let shown = guest.ssh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").await?;
    Ok(shown.split(' ').nth(1).context("no fingerprint")?.to_owned())
}

async fn a_fingerprint_holds_for_every_host_on_the_way(stage: Arc<Stage>) -> Result<()> {
    let mut access = stage.access()?;
    access.host_keys = HostKeys::Strict;
    let second = stage.second.address();
    access.jump = vec![format!("root@{second}").parse()?];
    let target = format!("root@{}", stage.guest.address()).parse()?;
    let (of_target, of_jump) = (fingerprint(&stage.guest).await?, fingerprint(&stage.second).await?);
    if of_target != of_jump {
        access.fingerprints = vec![of_target.clone()];
        let error = refused(Host::connect(&target, &access).await)?;
        ensure!(
            error.starts_with(&format!("{second} is not trusted")) && error.contains(&of_jump),
            "{error}"
        );
    }
    access.fingerprints = vec![of_target, of_jump];
    Host::connect(&target, &access).await?;
    Ok(())
}
