//! Where sudo's password is while `setup-server` runs: no other user can read it.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nfsprov_lab::guest::Template;

use crate::kit::{ADMIN, Stage, tool};
use crate::runs::{STATE, finish, start};

crate::tests! {
    a_password_is_nowhere_while_a_server_is_set_up,
}

/// Not the password of other tests: they run at the same time, and the lab's own ssh has theirs in its arguments.
const PASSWORD: &str = "secretly-horse-52c8e";

/// Creates a user who needs a password for sudo.
const USER: &str = "useradd --create-home --shell /bin/bash --groups sudo admin
install -d -o admin -m 700 /home/admin/.ssh
install -o admin -m 600 /root/.ssh/authorized_keys /home/admin/.ssh/authorized_keys
printf 'admin:%s\\n' \"$1\" | chpasswd -c SHA512 -s 1000";

/// Searches all processes repeatedly until the file `end` exists. The shell joins the searched text and passes it to
/// grep on stdin, so that the search does not find itself. Finally prints how often it searched.
fn look(end: &str) -> String {
    let (head, tail) = PASSWORD.split_at(8);
    format!(
        "needle={head}; needle=\"${{needle}}\"{tail}; rounds=0
while [ ! -e {end} ]; do
    printf '%s\\n' \"$needle\" | grep -laF -f - /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
    rounds=$((rounds + 1))
    sleep 0.5
done
echo \"rounds: $rounds\""
    )
}

/// Sets a server up from nothing as a user who needs a password for sudo. Meanwhile another process holds apt's lock
/// for a while.
async fn a_password_is_nowhere_while_a_server_is_set_up(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.lab.guest("secretive", Template::NfsClient).await?;
    guest.ssh(&format!("set -- {PASSWORD}\n{USER}")).await?;
    let home = stage.home()?;
    let secret = home.join("password");
    std::fs::write(&secret, format!("{PASSWORD}\n"))?;
    let target = format!("{ADMIN}@{}", guest.address());
    let mut arguments = vec![
        "setup-server",
        &target,
        "--export",
        "/srv/k8s",
        "--allow",
        "10.77.0.0/16",
        "--sudo",
    ];
    let secret_path = secret.to_str().context("not UTF-8")?;
    arguments.extend(["--sudo-password-file", secret_path]);

    let before = guest.ssh(STATE).await?;
    let dry = [&arguments[..], &["--check"]].concat();
    let planned = finish(start(&stage, &home, &dry)?, Instant::now())
        .await?
        .expect_status(4)?;
    ensure!(planned.stderr.contains("this is the plan"), "{planned:?}");
    ensure!(guest.ssh(STATE).await? == before, "--check changed something");

    // Held until apt-get has failed to get it once.
    let lock = "python3 -c 'import fcntl, os, time
f = open(\"/var/lib/dpkg/lock-frontend\", \"w\"); fcntl.lockf(f, fcntl.LOCK_EX); open(\"/run/held\", \"w\")
while not os.path.exists(\"/run/seen\"): time.sleep(0.1)' &
while [ ! -e /run/held ]; do sleep 0.1; done
until pgrep -x apt-get >/dev/null; do sleep 0.1; done
while pgrep -x apt-get >/dev/null; do sleep 0.1; done
: >/run/seen; wait";
    let verbose = [&arguments[..], &["-vv"]].concat();
    let here_ends = home.join("looked");
    let running = async {
        let ran = finish(start(&stage, &home, &verbose)?, Instant::now()).await;
        std::fs::write(&here_ends, "")?;
        guest.ssh("pgrep -a sudo >/run/sudo-seen; : >/run/looked").await?;
        ran
    };
    let here = look(here_ends.to_str().context("not UTF-8")?);
    let there = look("/run/looked");
    let look_here = ["-c", &here];
    let sudo_seen = guest.ssh("until pgrep -ax sudo | grep -e ' -S '; do sleep 0.5; done");
    let (ran, held, there, here, sudo_seen) = tokio::join!(
        running,
        guest.ssh(lock),
        guest.ssh(&there),
        tool("sh", &look_here),
        sudo_seen
    );
    let ran = ran?.expect_status(0)?;
    held?;
    for (side, output_text) in [("the host", there?), ("this machine", here?)] {
        let rounds: Option<u32> = output_text
            .trim()
            .strip_prefix("rounds: ")
            .and_then(|count| count.parse().ok());
        ensure!(rounds.is_some_and(|count| count > 3), "on {side}: {output_text}");
    }
    ensure!(sudo_seen?.contains("sudo -S"), "sudo did not run meanwhile");
    ensure!(
        ran.stderr.contains("waiting for another program's lock"),
        "{}",
        ran.stderr
    );
    for output_text in [&ran.stdout, &ran.stderr] {
        ensure!(
            !output_text.contains(PASSWORD),
            "nfsprov printed the password: {output_text}"
        );
    }
    let (head, tail) = PASSWORD.split_at(8);
    let search = format!(
        "needle={head}; needle=\"${{needle}}\"{tail}\njournalctl --no-pager | grep -Fe \"$needle\"\n\
         grep -rlFe \"$needle\" /var/log /home /root /tmp /run /etc /var/lib/dpkg /var/lib/apt /srv 2>/dev/null; true"
    );
    let found = guest.ssh(&search).await?;
    ensure!(found.is_empty(), "on the host: {found}");
    let log = guest.ssh("journalctl --no-pager -t sudo").await?;
    ensure!(log.contains("COMMAND="), "the journal is read: {log}");
    std::fs::remove_file(&secret)?;
    let here = format!(
        "needle={head}; needle=\"${{needle}}\"{tail}\ngrep -rlFe \"$needle\" '{}' || true",
        home.display()
    );
    let found = tool("sh", &["-c", &here]).await?;
    ensure!(found.is_empty(), "on this machine: {found}");

    // The second run makes no changes.
    std::fs::write(&secret, format!("{PASSWORD}\n"))?;
    let before = guest.ssh(STATE).await?;
    let again = [&arguments[..], &["-o", "json"]].concat();
    let again = finish(start(&stage, &home, &again)?, Instant::now())
        .await?
        .expect_status(0)?;
    let steps = again.steps()?;
    ensure!(
        steps
            .iter()
            .all(|step| step.ends_with(" ok") || step.ends_with(" skipped")),
        "{steps:?}"
    );
    let after = guest.ssh(STATE).await?;
    // Each run verifies that the directory is writable, which changes its time.
    let settled = |state: &str| -> Vec<String> {
        let lines = state.lines().filter(|line| !line.starts_with("touched /srv/k8s "));
        lines.map(str::to_owned).collect()
    };
    ensure!(
        settled(&after) == settled(&before),
        "the second run changed something: {before}\n{after}"
    );
    let check = finish(start(&stage, &home, &dry)?, Instant::now())
        .await?
        .expect_status(0)?;
    ensure!(check.stderr.contains("nothing had to be changed"), "{check:?}");
    Ok(())
}
