//! Logins with several steps, or through several hosts.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov::host::{Host, HostKeys};
use nfsprov_lab::guest::{Guest, Template};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::kit::{ADMIN, Answers, PASSWORD, Stage, output_of, refused, tool};

crate::tests! {
    a_login_of_several_steps_completes_them_all,
    a_fingerprint_holds_for_every_host_on_the_way,
    a_one_time_password_is_asked_for_at_each_login,
    a_key_in_a_token_is_named_and_not_tried,
}

async fn a_login_of_several_steps_completes_them_all(stage: Arc<Stage>) -> Result<()> {
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
        // Rejected keys come before the right one.
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
                ensure!(output_of(&host, "id -un").await? == ADMIN);
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

/// Makes sshd require a one-time password of pam_oath after the key, and the user's own password; prints the next
/// codes.
const ONE_TIME_PASSWORDS: &str = r#"secret=3132333435363738393031323334353637383930
useradd --create-home --shell /bin/bash admin
echo "admin:$1" | chpasswd -c SHA512 -s 1000
install -d -o admin -m 700 /home/admin/.ssh
install -o admin -m 600 /root/.ssh/authorized_keys /home/admin/.ssh/
echo "HOTP admin - $secret" >/etc/users.oath
chmod 600 /etc/users.oath
sed -i '1i auth required pam_oath.so usersfile=/etc/users.oath digits=6 window=3' /etc/pam.d/sshd
mkdir -p /etc/ssh/test /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/test/ed25519
oathtool --hotp --digits=6 --window=3 "$secret""#;

async fn a_one_time_password_is_asked_for_at_each_login(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.lab.guest("one-time", Template::NfsServerWithTools).await?;
    let codes = guest.ssh(&format!("set -- {PASSWORD}\n{ONE_TIME_PASSWORDS}")).await?;
    let codes: Vec<&str> = codes.lines().collect();
    let lines = "AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes";
    let port = stage.sshd(&guest, &["ed25519"], lines).await?;
    let target = format!("{ADMIN}@{}:{port}", guest.address()).parse()?;
    let mut access = stage.access()?;
    // A used code is invalid. The password is the same for each login; nfsprov asks for it once, until a login with it
    // fails.
    let ask = Answers::some(&[codes[0], PASSWORD, codes[1], "000000", codes[2], PASSWORD]);
    access.ask = ask.clone().into();
    for asked in [2, 3] {
        let host = Host::connect(&target, &access).await;
        let host = host.with_context(|| format!("{:?}", ask.questions()))?;
        ensure!(output_of(&host, "id -un").await? == ADMIN);
        ensure!(ask.questions().len() == asked, "{:?}", ask.questions());
    }
    let questions = ask.questions();
    ensure!(
        questions[0].contains("One-time password")
            && questions[0] == questions[2]
            && questions[1].ends_with("Password"),
        "{questions:?}"
    );
    Host::connect(&target, &access)
        .await
        .context("the login fails after a wrong code")?;
    Ok(())
}

/// The public key of an Ed25519 key on a FIDO token, in the format of agents and files.
fn token_key() -> Vec<u8> {
    let parts: [&[u8]; 3] = [b"sk-ssh-ed25519@openssh.com", &[7; 32], b"ssh:"];
    let part = |part: &&[u8]| [&u32::try_from(part.len()).unwrap_or_default().to_be_bytes(), *part].concat();
    parts.iter().flat_map(part).collect()
}

/// An agent that has only that key, and signs nothing.
async fn serve_token_key(listener: UnixListener) -> Result<()> {
    const REQUEST_IDENTITIES: u8 = 11;
    const IDENTITIES: u8 = 12;
    const FAILURE: u8 = 5;
    loop {
        let (mut stream, _) = listener.accept().await?;
        while let Ok(length) = stream.read_u32().await {
            let mut request = vec![0; usize::try_from(length)?];
            stream.read_exact(&mut request).await?;
            let mut answer = vec![FAILURE];
            if request.first() == Some(&REQUEST_IDENTITIES) {
                answer = vec![IDENTITIES, 0, 0, 0, 1];
                for text in [&token_key()[..], b"my token"] {
                    answer.extend(u32::try_from(text.len())?.to_be_bytes());
                    answer.extend(text);
                }
            }
            stream.write_u32(u32::try_from(answer.len())?).await?;
            stream.write_all(&answer).await?;
        }
    }
}

async fn a_key_in_a_token_is_named_and_not_tried(stage: Arc<Stage>) -> Result<()> {
    let mut access = stage.access()?;
    let home = access.home.clone().context("no home")?;
    let socket = home.join("agent");
    let agent = tokio::spawn(serve_token_key(UnixListener::bind(&socket)?));
    access.agent = Some(socket);
    access.identities.clear();
    let target = format!("root@{}", stage.guest.address()).parse()?;
    let error = refused(Host::connect(&target, &access).await)?;
    ensure!(error.contains("\"my token\" is a FIDO key"), "{error}");
    // Beside a usable key, it does not matter.
    access.identities = vec![stage.guest.ssh_key()];
    Host::connect(&target, &access).await?;
    agent.abort();
    Ok(())
}
