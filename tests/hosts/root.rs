//! Becoming root, and where the password is meanwhile.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov::host::{Secret, Sudo};
use nfsprov_lab::guest::Template;

use crate::kit::{ADMIN, Answers, CANCEL, PASSWORD, Stage, USER_WITHOUT_SUDO, connect, output_of, refused, run};

crate::tests! {
    root_is_root_with_and_without_sudo,
    sudo_asks_for_a_password_only_where_it_must,
    a_user_who_may_not_become_root_gets_the_reason,
    a_password_is_nowhere_but_in_memory,
}

async fn root_is_root_with_and_without_sudo(stage: Arc<Stage>) -> Result<()> {
    for (user, sudo, id) in [
        ("root", Sudo::No, "root"),
        ("root", Sudo::Ask, "root"),
        ("ops", Sudo::No, "ops"),
        // Without a password, as the guests' sudoers allows.
        ("ops", Sudo::Ask, "root"),
        (ADMIN, Sudo::Password(Secret::new(PASSWORD.into())), "root"),
    ] {
        let mut access = stage.access()?;
        access.sudo = sudo;
        let host = connect(user, &stage.guest, 22, &access).await.context(user)?;
        for _ in 0..2 {
            ensure!(output_of(&host, "id -un").await? == id, "{user}");
        }
        let output = run(&host, "cat; echo out; echo err >&2; exit 5").await?;
        let streams_and_status = (&output.stdout[..], &output.stderr[..], output.status);
        ensure!(
            streams_and_status.0 == b"out\n" && streams_and_status.2 == 5,
            "{user}: {streams_and_status:?}"
        );
        ensure!(
            streams_and_status.1.ends_with(b"err\n"),
            "{user}: {streams_and_status:?}"
        );
        ensure!(
            !String::from_utf8_lossy(streams_and_status.1).contains("-password"),
            "{user}: {streams_and_status:?}"
        );
    }
    Ok(())
}

async fn sudo_asks_for_a_password_only_where_it_must(stage: Arc<Stage>) -> Result<()> {
    for (config, answers, asked, words) in [
        ("", &[PASSWORD][..], 1, ""),
        ("", &["wrong", PASSWORD], 2, ""),
        ("", &["wrong", "wrong", "wrong"], 3, "sudo took none of 3 passwords"),
        ("", &[], 1, "no terminal to ask on; pass --sudo-password-file"),
        (
            "",
            &[CANCEL],
            1,
            "the question was cancelled; pass --sudo-password-file",
        ),
        (
            "BatchMode yes\n",
            &[PASSWORD],
            0,
            "BatchMode forbids to ask; pass --sudo-password-file",
        ),
    ] {
        let mut access = stage.access()?;
        let configuration = access.home.as_ref().context("no home")?.join(".ssh");
        std::fs::create_dir_all(&configuration)?;
        std::fs::write(configuration.join("config"), config)?;
        let ask = Answers::some(answers);
        (access.sudo, access.ask) = (Sudo::Ask, ask.clone().into());
        let connected = connect(ADMIN, &stage.guest, 22, &access).await;
        ensure!(ask.questions().len() == asked, "{:?}", ask.questions());
        match words {
            "" => {
                ensure!(output_of(&connected?, "id -un").await? == "root");
                let again = connect(ADMIN, &stage.guest, 22, &access).await?;
                ensure!(output_of(&again, "id -un").await? == "root");
                ensure!(ask.questions().len() == asked, "it is remembered");
            }
            words => {
                let error = refused(connected)?;
                ensure!(
                    error.starts_with("cannot become root on ") && error.contains(words),
                    "{error}"
                );
            }
        }
    }
    // With a sudo that trusts a login for a while, there is no prompt: the password must not run as a command.
    let guest = stage.lab.guest("trusting", Template::Login).await?;
    guest
        .ssh(
            "useradd -m -s /bin/bash -G sudo admin; echo \"admin:correct\" | chpasswd -c SHA512 -s 1000
              install -d -o admin -m 700 /home/admin/.ssh
              install -o admin -m 600 /root/.ssh/authorized_keys /home/admin/.ssh/
              echo 'Defaults timestamp_type=global' >/etc/sudoers.d/trusting",
        )
        .await?;
    let mut access = stage.access()?;
    access.sudo = Sudo::Password(Secret::new("correct".into()));
    let host = connect("admin", &guest, 22, &access).await?;
    for _ in 0..3 {
        let output = run(&host, "id -un").await?;
        ensure!(output.stdout == b"root\n" && output.status == 0, "{output:?}");
        ensure!(
            !String::from_utf8_lossy(&output.stderr).contains("correct"),
            "{output:?}"
        );
    }
    guest.ssh("mv /usr/bin/sudo /usr/bin/sudo.off").await?;
    let error = refused(connect("admin", &guest, 22, &access).await)?;
    ensure!(
        error.contains("there is no sudo") && error.contains("not su, not doas"),
        "{error}"
    );
    Ok(())
}

async fn a_user_who_may_not_become_root_gets_the_reason(stage: Arc<Stage>) -> Result<()> {
    let mut access = stage.access()?;
    access.sudo = Sudo::Password(Secret::new(PASSWORD.into()));
    let error = refused(connect(USER_WITHOUT_SUDO, &stage.guest, 22, &access).await)?;
    ensure!(error.contains("not in the sudoers file"), "{error}");
    access.sudo = Sudo::Password(Secret::new("wrong".into()));
    let error = refused(connect(ADMIN, &stage.guest, 22, &access).await)?;
    ensure!(error.contains("refuses the password that it was given"), "{error}");
    Ok(())
}

/// Searches the arguments and environment of every process on one side.
const LOOK: &str = r#"printf '%s\n' "$needle" | grep -laF -f - /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null"#;

/// Not the password of other tests: they run at the same time, and some pass theirs to programs.
const SECRET: &str = "quietly-horse-9d41b";

async fn a_password_is_nowhere_but_in_memory(stage: Arc<Stage>) -> Result<()> {
    let user = format!(
        "useradd --create-home --shell /bin/bash --groups sudo quiet
        install -d -o quiet -m 700 /home/quiet/.ssh
        install -o quiet -m 600 /root/.ssh/authorized_keys /home/quiet/.ssh/authorized_keys
        echo 'quiet:{SECRET}' | chpasswd -c SHA512 -s 1000"
    );
    stage.guest.ssh(&user).await?;
    let mut access = stage.access()?;
    access.sudo = Sudo::Password(Secret::new(SECRET.into()));
    let home = access.home.clone().context("no home")?;
    let host = connect("quiet", &stage.guest, 22, &access).await?;
    // The shell joins the parts of the text, so that the search does not find itself.
    let (head, tail) = SECRET.split_at(8);
    let running = run(
        &host,
        "touch /run/looking; while [ -e /run/looking ]; do sleep 0.1; echo; done",
    );
    let looking = async {
        let there = format!(
            "while [ ! -e /run/looking ]; do sleep 0.1; done\nneedle={head}; needle=\"${{needle}}\"{tail}\n{LOOK}\n\
             pgrep -a sudo >/run/sudo-seen\njournalctl --no-pager | grep -Fe \"$needle\"\n\
             grep -rFe \"$needle\" /var/log /home /root /tmp /run/sudo-seen\nrm /run/looking"
        );
        let found = stage.guest.ssh(&there).await?;
        ensure!(found.is_empty(), "on the host: {found}");
        let here = format!("needle={head}; needle=\"${{needle}}\"{tail}\n{LOOK}; true");
        let found = crate::kit::tool("sh", &["-c", &here]).await?;
        ensure!(found.is_empty(), "on this machine: {found}");
        Ok(())
    };
    let (ran, looked) = tokio::join!(running, looking);
    looked?;
    ensure!(ran?.status == 0);
    let seen = stage.file(&stage.guest, "/run/sudo-seen").await?;
    ensure!(seen.contains("sudo -S"), "sudo ran meanwhile: {seen}");
    let log = stage.guest.ssh("journalctl --no-pager -t sudo").await?;
    ensure!(log.contains("COMMAND="), "the journal is read: {log}");
    let known = std::fs::read_to_string(home.join(".ssh/known_hosts"))?;
    ensure!(!known.contains(SECRET), "{known}");
    let debug = format!("{access:?}");
    ensure!(!debug.contains(SECRET), "{debug}");
    Ok(())
}
