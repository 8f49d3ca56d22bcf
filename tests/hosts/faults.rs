//! Failures in the middle of `setup-server`: files and exports are as before, or the next run finishes them.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use nfsprov_lab::guest::Guest;

use crate::each_step::STEP_WITHIN;
use crate::kit::Stage;
use crate::runs::{Ran, STATE, finish, lasting, nfsprov, serving, start};

crate::tests! {
    an_export_that_fails_is_undone,
    a_full_disk_leaves_what_was,
    a_service_that_fails_is_named_and_not_left_running,
    others_lines_that_complain_are_no_reason_to_stop,
    a_kernel_without_nfs_server_is_named;
    test_all: a_killed_run_is_finished_by_the_next, a_cut_connection_is_finished_by_the_next,
}

async fn run(stage: &Stage, arguments: &[String], more: &[&str]) -> Result<Ran> {
    let own = arguments.iter().map(String::as_str);
    nfsprov(stage, &own.chain(more.iter().copied()).collect::<Vec<_>>()).await
}

/// Runs it, and checks that it fails with this message and changes nothing.
async fn fails(stage: &Stage, guest: &Guest, arguments: &[String], more: &[&str], words: &str) -> Result<()> {
    let before = guest.ssh(STATE).await?;
    let ran = run(stage, arguments, more).await?.expect_status(1)?;
    ensure!(ran.stderr.contains(words), "not {words:?} but {}", ran.stderr);
    let after = guest.ssh(STATE).await?;
    ensure!(
        lasting(&after) == lasting(&before),
        "{words}: it was\n{before}\nand is\n{after}"
    );
    Ok(())
}

/// A stand-in for exportfs, found first on PATH. /run/exportfs has its commands. A run in its own mount namespace,
/// which only tests a file, calls the real program.
const STAND_IN: &str = r#"cat >/usr/local/sbin/exportfs <<'END'
#!/bin/sh
if [ -e /run/exportfs ] && [ "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ]; then . /run/exportfs; fi
exec /usr/sbin/exportfs "$@"
END
chmod 755 /usr/local/sbin/exportfs"#;

async fn an_export_that_fails_is_undone(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "refusing").await?;
    guest.ssh(STAND_IN).await?;
    let ours = "grep -q /srv/k8s /etc/exports";
    for (stand_in, words) in [
        // It refuses, as for an invalid file.
        (
            format!("[ $1 = -s ] || {{ {ours} && {{ echo 'exportfs: no' >&2; exit 1; }}; }}"),
            "exportfs: no",
        ),
        // It drops the line silently.
        (
            format!(
                "if [ $1 = -ra ] && {ours}; then /usr/sbin/exportfs -ra; exec /usr/sbin/exportfs -u 10.77.0.0/16:/srv/k8s; fi"
            ),
            "/srv/k8s is not exported to 10.77.0.0/16",
        ),
        // It also exports the path to all clients.
        (
            format!(
                "if [ $1 = -ra ] && {ours}; then /usr/sbin/exportfs -ra; exec /usr/sbin/exportfs -o rw '*:/srv/k8s' 2>/dev/null; fi"
            ),
            "/srv/k8s is exported to *, too",
        ),
        // It removes another export.
        (
            format!(
                "if [ $1 = -ra ] && {ours}; then /usr/sbin/exportfs -ra; exec /usr/sbin/exportfs -u '*:/nfsdata'; fi"
            ),
            "/nfsdata is no longer exported to *",
        ),
    ] {
        guest
            .ssh(&format!("cat >/run/exportfs <<'END'\n{stand_in}\nEND"))
            .await?;
        fails(&stage, &guest, &arguments, &[], words).await?;
    }
    guest.ssh("rm /run/exportfs").await?;
    // Without a stand-in: a file system that cannot be exported without further options, and an unknown host name.
    guest
        .ssh("mkdir -p /srv/memory && mount -t ramfs ramfs /srv/memory")
        .await?;
    let target = arguments[1].as_str();
    let memory = [
        "setup-server",
        target,
        "--export",
        "/srv/memory",
        "--allow",
        "10.77.0.0/16",
    ]
    .map(str::to_owned);
    fails(&stage, &guest, &memory, &[], "does not support NFS export").await?;
    fails(
        &stage,
        &guest,
        &arguments,
        &["--allow", "nosuch.invalid"],
        "nosuch.invalid",
    )
    .await?;
    run(&stage, &arguments, &[]).await?.expect_status(0)?;
    // An existing export of nfsprov stays when changing it fails.
    fails(
        &stage,
        &guest,
        &arguments,
        &["--allow", "nosuch.invalid"],
        "nosuch.invalid",
    )
    .await?;
    Ok(())
}

async fn a_full_disk_leaves_what_was(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "full").await?;
    let fill = "mount -t tmpfs -o size=16k,nr_inodes=8 tmpfs /etc/exports.d
printf '/srv 10.9.0.1(ro,no_subtree_check)\\n' >/etc/exports.d/k8s.exports; exportfs -ra
dd if=/dev/zero of=/etc/exports.d/ballast bs=4k count=9 2>/dev/null; true";
    guest.ssh(fill).await?;
    let file = ["--exports-file", "/etc/exports.d/k8s.exports"];
    fails(&stage, &guest, &arguments, &file, "No space left on device").await?;
    fails(
        &stage,
        &guest,
        &arguments,
        &["--exports-file", "/etc/exports.d/other.exports"],
        "No space left",
    )
    .await?;
    // A directory that cannot be created; on its file system, an export needs an fsid.
    guest
        .ssh("mkdir -p /srv/small && mount -t tmpfs -o nr_inodes=2 tmpfs /srv/small && mkdir /srv/small/a; true")
        .await?;
    let target = arguments[1].as_str();
    let small = [
        "setup-server",
        target,
        "--export",
        "/srv/small/b/c",
        "--allow",
        "10.77.0.0/16",
        "--options",
        "rw,sync,no_subtree_check,no_root_squash,fsid=7",
    ]
    .map(str::to_owned);
    fails(&stage, &guest, &small, &[], "No space left on device").await?;
    guest.ssh("rm /etc/exports.d/ballast").await?;
    run(&stage, &arguments, &file).await?.expect_status(0)?;
    Ok(())
}

/// Serving hosts have lines for which exportfs prints a warning each time.
async fn a_service_that_fails_is_named_and_not_left_running(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "unwilling").await?;
    for unit in ["rpcbind", "nfs-server"] {
        guest
            .ssh(&format!(
                "systemctl stop nfs-server rpcbind.socket rpcbind; systemctl disable --quiet {unit} 2>/dev/null
                 mkdir -p /run/systemd/system/{unit}.service.d
                 printf '[Service]\\nExecStartPre=/bin/sh -c \"echo out of order; false\"\\n' >/run/systemd/system/{unit}.service.d/fail.conf
                 systemctl daemon-reload"
            ))
            .await?;
        let before = guest.ssh(STATE).await?;
        let ran = run(&stage, &arguments, &[]).await?.expect_status(1)?;
        ensure!(
            ran.stderr.contains(&format!("{unit} failed")) && ran.stderr.contains("out of order"),
            "{}",
            ran.stderr
        );
        let after = guest.ssh(STATE).await?;
        let files = |state: &str| {
            state
                .lines()
                .filter(|line| line.contains('/'))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        ensure!(
            files(&after) == files(&before),
            "{unit}: it was\n{before}\nand is\n{after}"
        );
        let state = guest
            .ssh(&format!(
                "systemctl is-active {unit}; systemctl is-enabled {unit}; true"
            ))
            .await?;
        ensure!(
            !state.contains("enabled\n") && !state.starts_with("active"),
            "{unit} is {state}"
        );
        guest
            .ssh(&format!(
                "rm /run/systemd/system/{unit}.service.d/fail.conf; systemctl daemon-reload; systemctl reset-failed"
            ))
            .await?;
        run(&stage, &arguments, &[]).await?.expect_status(0)?;
        let target = &arguments[1];
        let down = ["teardown-server", target, "--export", "/srv/k8s", "--yes"].map(str::to_owned);
        run(&stage, &down, &[]).await?.expect_status(0)?;
    }
    Ok(())
}

async fn others_lines_that_complain_are_no_reason_to_stop(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "complaining").await?;
    let theirs = "mkdir -p /srv/old
printf '/srv/old 10.9.0.1(rw) gone.invalid(ro)\\n/srv/gone 10.9.0.2(rw,no_subtree_check)\\n' >>/etc/exports
exportfs -ra 2>&1; exportfs -s 2>/dev/null | grep -c /srv; cp -a /etc/exports /root/exports";
    let output_text = guest.ssh(theirs).await?;
    ensure!(
        output_text.contains("subtree_check") && output_text.contains("gone"),
        "exportfs did not print both warnings: {output_text}"
    );
    // The document's own options, for which exportfs also prints a warning.
    let document = ["--options", "rw,no_root_squash,no_all_squash,sync"];
    let ran = run(&stage, &arguments, &document).await?.expect_status(0)?;
    ensure!(
        guest
            .ssh("exportfs -s 2>/dev/null")
            .await?
            .contains("/srv/k8s  10.77.0.0/16("),
        "{ran:?}"
    );
    let again = run(&stage, &arguments, &[&document[..], &["--check"]].concat())
        .await?
        .expect_status(0)?;
    ensure!(again.stderr.contains("nothing had to be changed"), "{again:?}");
    let down = ["teardown-server", &arguments[1], "--export", "/srv/k8s", "--yes"].map(str::to_owned);
    run(&stage, &down, &[]).await?.expect_status(0)?;
    guest.ssh("cmp /etc/exports /root/exports").await?;
    // A new warning that comes with nfsprov's line counts as a failure.
    fails(
        &stage,
        &guest,
        &arguments,
        &["--allow", "nosuch.invalid"],
        "nosuch.invalid",
    )
    .await?;
    Ok(())
}

/// Waits until no process of a run is left on the host, and prints the exports and the file that defines them.
const SETTLED: &str = "while pgrep -x exportfs >/dev/null || pgrep -f '^sh -s$' >/dev/null; do sleep 0.5; done
cksum </etc/exports; exportfs -s 2>/dev/null | grep -c /srv/k8s; ls -A /etc | grep exports";

const CUT: &str = "for pid in $(pgrep -f '^sshd: root@notty'); do [ $pid = $PPID ] || kill -9 $pid; done";

/// How the test ends a run.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The test kills nfsprov.
    Killed,
    /// The test closes the host's end of the connection.
    Cut,
}

/// The number of runs that the test ends early.
const ROUNDS: u32 = 8;

/// Ends runs at moments spread over the duration of a run. After each, the exports file is the old or the new one, and
/// the next run finishes. Removing the export restores the original file byte for byte.
async fn ended_early(stage: &Stage, name: &str, end: End) -> Result<()> {
    let (guest, arguments) = serving(stage, name).await?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let down = ["teardown-server", words[1], "--export", "/srv/k8s", "--yes"].map(str::to_owned);
    // The last line has no line end, which must be restored too.
    guest
        .ssh("printf '/srv 10.9.0.1(ro,no_subtree_check)' >>/etc/exports; exportfs -ra")
        .await?;
    let before = guest.ssh("cksum </etc/exports").await?;
    let whole = run(stage, &arguments, &[]).await?.expect_status(0)?.took;
    let after = guest.ssh("cksum </etc/exports").await?;
    ensure!(before != after);
    run(stage, &down, &[]).await?.expect_status(0)?;
    ensure!(
        guest.ssh("cksum </etc/exports").await? == before,
        "the original file is not restored"
    );
    let (mut early, mut late) = (0, 0);
    for round in 1..=ROUNDS {
        let moment = whole.mul_f64(f64::from(round) / f64::from(ROUNDS + 1));
        let started = Instant::now();
        let mut child = start(stage, &stage.home()?, &words)?;
        tokio::time::sleep(moment).await;
        match end {
            End::Killed => child.start_kill()?,
            // All connections except this one.
            End::Cut => drop(guest.ssh(CUT).await?),
        }
        let ran = finish(child, started).await?;
        let settled = tokio::time::timeout(STEP_WITHIN, guest.ssh(SETTLED)).await;
        let state = settled.context("a step does not end")??;
        let lines: Vec<&str> = state.lines().collect();
        let [sum, exported, ..] = lines[..] else {
            bail!("{state}")
        };
        match (sum == before.trim(), sum == after.trim()) {
            (true, _) => early += 1,
            (_, true) => late += 1,
            _ => bail!("{end:?} after {moment:?}: another file than before or after: {state}\n{ran:?}"),
        }
        ensure!(["0", "1"].contains(&exported), "{state}");
        let next = run(stage, &arguments, &[]).await?.expect_status(0)?;
        let done = guest.ssh(SETTLED).await?;
        ensure!(
            done == format!("{after}1\nexports\nexports.d\n"),
            "{end:?} after {moment:?}, then a run: {done}\n{next:?}"
        );
        run(stage, &down, &[]).await?.expect_status(0)?;
        ensure!(
            guest.ssh("cksum </etc/exports").await? == before,
            "{end:?} after {moment:?}: not as before"
        );
    }
    eprintln!("{name}: {early} of {ROUNDS} ended before the file was changed, {late} after");
    Ok(())
}

async fn a_killed_run_is_finished_by_the_next(stage: Arc<Stage>) -> Result<()> {
    ended_early(&stage, "killed", End::Killed).await
}

async fn a_cut_connection_is_finished_by_the_next(stage: Arc<Stage>) -> Result<()> {
    ended_early(&stage, "cut", End::Cut).await
}

/// A kernel without an NFS server, as in a container; unit files do not show that.
async fn a_kernel_without_nfs_server_is_named(stage: Arc<Stage>) -> Result<()> {
    let (guest, arguments) = serving(&stage, "kernelless").await?;
    // The server's threads end some time after the service.
    let unload = "systemctl stop nfs-server
for i in $(seq 100); do umount /proc/fs/nfsd 2>/dev/null; modprobe -r nfsd 2>/dev/null && break; sleep 0.2; done
! grep -qw nfsd /proc/filesystems || { echo 'nfsd is built in or in use' >&2; exit 1; }";
    guest.ssh(unload).await?;
    // A module that exists but cannot be loaded, and no module.
    for (module, words) in [
        (
            "for file in $(find /lib/modules -name 'nfsd.ko*'); do : >$file; done",
            "nfs-server failed",
        ),
        ("find /lib/modules -name 'nfsd.ko*' -delete; depmod", "kernel failed"),
    ] {
        guest.ssh(module).await?;
        let before = guest.ssh(STATE).await?;
        let ran = run(&stage, &arguments, &[]).await?.expect_status(1)?;
        let output_text = &ran.stderr;
        ensure!(
            output_text.contains("the kernel has no NFS server") && output_text.contains(words),
            "{output_text}"
        );
        let after = guest.ssh(STATE).await?;
        ensure!(
            lasting(&after) == lasting(&before),
            "it was\n{before}\nand is\n{after}\n{output_text}"
        );
    }
    Ok(())
}
