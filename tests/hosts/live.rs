//! What a server serves while `setup-server` changes it or refuses to: other exports, the exports file, nfs.conf and
//! the running NFS server.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tokio::time::timeout;

use crate::each_step::STEP_WITHIN;
use crate::kit::Stage;
use crate::runs::{STATE, finish, lasting, nfsprov, serving, start};

crate::tests! {
    exports_that_stand_in_no_file_are_named_and_survive,
    a_wrong_outcome_is_predicted_and_nothing_is_touched,
    a_failed_restart_leaves_the_old_server_running_with_the_old_file,
    a_second_run_waits_for_the_first,
}

/// Records calls of exportfs that change the exports, except those in their own mount namespace.
const NOTE_CALLS: &str = r#"cat >/usr/local/sbin/exportfs <<'END'
#!/bin/sh
if [ "$1" != -s ] && [ "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ]; then
    echo "$*" >>/run/exportfs-calls
fi
exec /usr/sbin/exportfs "$@"
END
chmod 755 /usr/local/sbin/exportfs"#;

fn with<'a>(arguments: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    arguments
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect()
}

/// Lists exports that an administrator added without a file.
const OTHERS: &str = "exportfs -s 2>/dev/null | grep /srv/other";

async fn exports_that_stand_in_no_file_are_named_and_survive(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "in-no-file").await?;
    let set_up = with(&arguments, &[]);
    nfsprov(&stage, &set_up).await?.expect_status(0)?;
    guest.ssh("exportfs -o ro,no_subtree_check 10.9.0.1:/srv/other").await?;
    let others = guest.ssh(OTHERS).await?;
    // Such exports are not an obstacle if nothing has to be changed.
    let again = nfsprov(&stage, &set_up).await?.expect_status(0)?;
    ensure!(again.stderr.contains("nothing had to be changed"), "{again:?}");
    let more = with(&arguments, &["--allow", "10.78.0.0/16"]);
    let restart = with(&arguments, &["--nfs-version", "4"]);
    let down = ["teardown-server", &arguments[1], "--export", "/srv/k8s", "--yes"];
    for (what, words) in [
        ("more clients", &more[..]),
        ("a restart", &restart),
        ("teardown", &down),
    ] {
        let before = guest.ssh(STATE).await?;
        let planned = nfsprov(&stage, &with_dry_run(words)).await?;
        ensure!(
            planned.stdout.contains("in no file"),
            "{what}: the plan does not name it: {planned:?}"
        );
        let ran = nfsprov(&stage, words).await?.expect_status(1)?;
        ensure!(
            ran.stderr.contains("/srv/other to 10.9.0.1") && ran.stderr.contains("in no file"),
            "{what}: {ran:?}"
        );
        let after = guest.ssh(STATE).await?;
        ensure!(after == before, "{what}: it was\n{before}\nand is\n{after}");
        ensure!(guest.ssh(OTHERS).await? == others, "{what}");
    }
    guest.ssh("exportfs -u 10.9.0.1:/srv/other").await?;
    nfsprov(&stage, &more).await?.expect_status(0)?;
    Ok(())
}

fn with_dry_run<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(["--dry-run"]).collect()
}

async fn a_wrong_outcome_is_predicted_and_nothing_is_touched(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "predicted").await?;
    guest.ssh(NOTE_CALLS).await?;
    // A line of an administrator that exportfs has not read yet and accepts, an unknown host name, and a file system
    // that cannot be exported.
    guest
        .ssh(
            "cp -a /etc/exports /root/; echo '/srv/other 10.9.0.9(ro,no_subtree_check)' >>/etc/exports
             mkdir -p /srv/memory && mount -t ramfs ramfs /srv/memory; ln -s /srv/other /srv/link",
        )
        .await?;
    let target = arguments[1].as_str();
    let memory = [
        "setup-server",
        target,
        "--export",
        "/srv/memory",
        "--allow",
        "10.77.0.0/16",
    ];
    // exportfs would list the link's target.
    let link = [
        "setup-server",
        target,
        "--export",
        "/srv/link/new",
        "--allow",
        "10.77.0.0/16",
    ];
    let before = guest.ssh(STATE).await?;
    let ran = nfsprov(&stage, &link).await?.expect_status(1)?;
    ensure!(ran.stderr.contains("--export /srv/other/new"), "{ran:?}");
    ensure!(guest.ssh(STATE).await? == before);
    let unread = with(&arguments, &[]);
    let unknown = with(&arguments, &["--allow", "nosuch.invalid"]);
    let new_file: Vec<&str> = unknown
        .iter()
        .copied()
        .chain(["--exports-file", "/etc/exports.d/k8s.exports"])
        .collect();
    for (words, expected_message) in [
        (&unread[..], "/srv/other is exported to 10.9.0.9 with"),
        (&unknown, "nosuch.invalid"),
        (&memory, "does not support NFS export"),
        (&new_file, "nosuch.invalid"),
    ] {
        let before = guest.ssh(STATE).await?;
        let ran = nfsprov(&stage, words).await?.expect_status(1)?;
        ensure!(
            ran.stderr.contains(expected_message) && ran.stderr.contains("nothing was changed"),
            "not {expected_message:?} but {}",
            ran.stderr
        );
        let after = guest.ssh(STATE).await?;
        // Testing a file that did not exist changes the time of its directory.
        let same = match words == new_file {
            true => lasting(&after) == lasting(&before),
            false => after == before,
        };
        ensure!(same, "{expected_message}: it was\n{before}\nand is\n{after}");
    }
    let calls = guest.ssh("cat /run/exportfs-calls 2>/dev/null; true").await?;
    ensure!(calls.is_empty(), "the exports were changed: {calls}");
    guest.ssh("mv /root/exports /etc/exports").await?;
    nfsprov(&stage, &with(&arguments, &[])).await?.expect_status(0)?;
    let calls = guest.ssh("cat /run/exportfs-calls").await?;
    ensure!(calls.trim() == "-ra", "{calls}");
    Ok(())
}

async fn a_failed_restart_leaves_the_old_server_running_with_the_old_file(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "restarted").await?;
    nfsprov(&stage, &with(&arguments, &[])).await?.expect_status(0)?;
    let drop_in = "/run/systemd/system/nfs-server.service.d/fail.conf";
    for (fault, expected_message) in [
        // The server could not be restarted with any file; nfsprov detects that before it stops the server.
        ("echo out of order; false", "out of order"),
        // The server cannot start with the new file; nfsprov detects that after the old server has stopped.
        (
            "[ $(cat /proc/fs/nfsd/threads) != 0 ] || ! grep -q vers3=n /etc/nfs.conf || { echo too late; false; }",
            "too late",
        ),
    ] {
        guest
            .ssh(&format!(
                "mkdir -p $(dirname {drop_in})
                 printf '%s\\n' '[Service]' 'ExecStartPre=/bin/sh -c \"{}\"' >{drop_in}; systemctl daemon-reload",
                fault.replace('$', "$$")
            ))
            .await?;
        let before = guest.ssh(STATE).await?;
        let ran = nfsprov(&stage, &with(&arguments, &["--nfs-version", "4"]))
            .await?
            .expect_status(1)?;
        ensure!(
            ran.stderr.contains(expected_message),
            "not {expected_message:?} but {}",
            ran.stderr
        );
        let after = guest.ssh(STATE).await?;
        ensure!(
            lasting(&after) == lasting(&before),
            "{fault}: it was\n{before}\nand is\n{after}\n{}",
            ran.stderr
        );
        let serves = "systemctl is-active nfs-server; [ $(cat /proc/fs/nfsd/threads) != 0 ]; grep -c '+3 +4' /proc/fs/nfsd/versions";
        ensure!(guest.ssh(serves).await? == "active\n1\n", "{fault}");
        guest.ssh(&format!("rm {drop_in}; systemctl daemon-reload")).await?;
    }
    let changed = nfsprov(&stage, &with(&arguments, &["--nfs-version", "4"]))
        .await?
        .expect_status(0)?;
    ensure!(
        changed.stderr.contains("90 s"),
        "the interruption of clients is not reported: {}",
        changed.stderr
    );
    let versions = guest.ssh("cat /proc/fs/nfsd/versions").await?;
    ensure!(versions.contains("-3") && versions.contains("+4"), "{versions}");
    Ok(())
}

/// Waits until a process waits for the lock of nfsprov's steps.
const WAITING: &str = "until grep -q -e '-> FLOCK' /proc/locks; do sleep 0.2; done";

async fn a_second_run_waits_for_the_first(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "one-by-one").await?;
    guest
        .ssh(
            "mkfifo /run/first; (flock 9; : >/run/locked; read end </run/first) 9>>/run/nfsprov.lock >/dev/null 2>&1 &
              until [ -e /run/locked ]; do sleep 0.1; done",
        )
        .await?;
    let before = guest.ssh("cksum /etc/exports").await?;
    let started = Instant::now();
    let child = start(&stage, &stage.home()?, &with(&arguments, &[]))?;
    let waits = timeout(STEP_WITHIN, guest.ssh(WAITING)).await;
    waits.context("it does not wait for the lock")??;
    ensure!(guest.ssh("cksum /etc/exports").await? == before);
    guest.ssh("echo >/run/first").await?;
    finish(child, started).await?.expect_status(0)?;
    ensure!(guest.ssh("cksum /etc/exports").await? != before);
    Ok(())
}
