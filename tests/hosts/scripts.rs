//! Scripts: their output, and how they end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nfsprov::host::{RunError, Sudo};
use tokio::time::{Instant, timeout};

use crate::kit::{EVENT_TIMEOUT, Stage, USER_WITHOUT_SUDO, connect, output_of, refused, run};

crate::tests! {
    an_exit_status_is_the_scripts_own,
    a_killed_shell_is_no_success,
    a_dropped_connection_is_no_success,
    a_login_without_a_shell_is_no_success,
    both_streams_are_drained_together,
    a_script_that_writes_without_end_is_stopped,
    silence_has_an_end,
    a_host_that_is_slow_to_start_a_script_is_awaited,
    a_script_that_takes_long_to_send_does_not_time_out,
    a_script_ends_with_its_connection_when_waiting_stops,
}

async fn an_exit_status_is_the_scripts_own(stage: Arc<Stage>) -> Result<()> {
    // root's login shell is bash, the other user's is dash; sh is dash for both.
    for user in ["root", USER_WITHOUT_SUDO] {
        let host = connect(user, &stage.guest, 22, &stage.access()?).await?;
        ensure!(host.name().starts_with(&format!("{user}@10.77.")), "{}", host.name());
        for (script, status, stdout, stderr) in [
            ("echo out; echo err >&2", 0, "out\n", "err\n"),
            ("exit 7", 7, "", ""),
            ("false", 1, "", ""),
            ("printf 'no line break'", 0, "no line break", ""),
            ("cat; echo $?", 0, "0\n", ""),
            ("sh -c 'kill -9 $$'", 137, "", "Killed\n"),
            ("nosuchcommand 2>/dev/null", 127, "", ""),
            ("printf '\\0\\377'", 0, "\0\u{fffd}", ""),
        ] {
            let output = run(&host, script).await.context(script)?;
            let streams = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            ensure!(
                output.status == status && streams.0 == stdout && streams.1 == stderr,
                "{user}: {script}: {} {streams:?}",
                output.status
            );
        }
    }
    Ok(())
}

async fn a_killed_shell_is_no_success(stage: Arc<Stage>) -> Result<()> {
    let host = connect("root", &stage.guest, 22, &stage.access()?).await?;
    for signal in ["KILL", "TERM", "SEGV"] {
        let end = run(&host, &format!("echo begun; kill -{signal} $$")).await;
        let killed = matches!(&end, Err(RunError::Killed { signal: name, .. }) if name == signal);
        ensure!(killed, "{signal}: {end:?}");
    }
    ensure!(
        output_of(&host, "echo on").await? == "on",
        "the connection is as good as before"
    );
    Ok(())
}

async fn a_dropped_connection_is_no_success(stage: Arc<Stage>) -> Result<()> {
    let kill = "process=$$
        while [ \"$(cat /proc/$process/comm)\" != sshd ]; do process=$(cut -d' ' -f4 /proc/$process/stat); done
        kill -9 $process; sleep 60";
    for begun in ["", "echo begun; "] {
        let host = connect("root", &stage.guest, 22, &stage.access()?).await?;
        let end = run(&host, &format!("{begun}{kill}")).await;
        ensure!(matches!(&end, Err(RunError::Lost { .. })), "{end:?}");
        let error = refused(run(&host, "echo on").await)?;
        ensure!(
            error.contains("connection to root@") && error.contains("is lost"),
            "{error}"
        );
    }
    Ok(())
}

async fn a_login_without_a_shell_is_no_success(stage: Arc<Stage>) -> Result<()> {
    let first_script = async |user: &str, port, access| -> Result<String> {
        let host = connect(user, &stage.guest, port, &access).await?;
        refused(run(&host, "echo on").await)
    };
    let error = first_script("nologin", 22, stage.access()?).await?;
    ensure!(
        error.contains("runs no script for this user") && error.contains("currently not available"),
        "{error}"
    );
    let mut access = stage.access()?;
    access.sudo = Sudo::Ask;
    let error = refused(connect("nologin", &stage.guest, 22, &access).await)?;
    ensure!(error.contains("runs no script for this user"), "{error}");
    // Whatever the amount of output and its effect on terminals.
    let chatty = "ForceCommand head -c 9000000 /dev/zero | tr '\\0' x; printf '\\033]52;c;x\\007last words'; exit 1";
    let port = stage.sshd(&stage.guest, &["ed25519"], chatty).await?;
    let error = first_script("root", port, stage.access()?).await?;
    ensure!(
        error.ends_with("last words") && error.len() < 2000,
        "{} bytes",
        error.len()
    );
    Ok(())
}

async fn both_streams_are_drained_together(stage: Arc<Stage>) -> Result<()> {
    let host = connect("root", &stage.guest, 22, &stage.access()?).await?;
    // One stream after the other, and both at once: a client that reads one stream first would block.
    let size = 4 << 20;
    for script in [
        format!("head -c {size} /dev/zero >&2; head -c {size} /dev/zero"),
        format!("head -c {size} /dev/zero; head -c {size} /dev/zero >&2"),
        format!("head -c {size} /dev/zero >&2 & head -c {size} /dev/zero; wait"),
    ] {
        let output = host.run_listing(&script, EVENT_TIMEOUT).await?;
        ensure!(
            (output.status, output.stdout.len(), output.stderr.len()) == (0, size, 1 << 20),
            "{script}: {} {} {}",
            output.status,
            output.stdout.len(),
            output.stderr.len()
        );
    }
    // The same amount in the other direction.
    let long = format!("word='{}'; printf %s \"$word\" | wc -c", "x".repeat(size / 4));
    ensure!(output_of(&host, &long).await? == (size / 4).to_string());
    Ok(())
}

async fn a_script_that_writes_without_end_is_stopped(stage: Arc<Stage>) -> Result<()> {
    let host = connect("root", &stage.guest, 22, &stage.access()?).await?;
    let allowed = run(&host, "head -c 1000000 /dev/zero").await?;
    ensure!(allowed.stdout.len() == 1_000_000, "{}", allowed.stdout.len());
    let error = refused(run(&host, "cat /dev/zero").await)?;
    let expected = format!("a script on root@{}:22 wrote more than 1 MiB", stage.guest.address());
    ensure!(error == expected, "{error}");
    // The connection is closed, and with it the script's standard output.
    let end = run(&host, "echo on").await;
    ensure!(matches!(&end, Err(RunError::Lost { .. })), "{end:?}");
    Ok(())
}

async fn silence_has_an_end(stage: Arc<Stage>) -> Result<()> {
    let host = connect("root", &stage.guest, 22, &stage.access()?).await?;
    let patience = Duration::from_secs(5);
    let talking = host
        .run("for i in 1 2 3 4; do sleep 2; echo $i; done", patience)
        .await?;
    ensure!(talking.stdout == b"1\n2\n3\n4\n", "a word in time is enough");
    let begun = Instant::now();
    let end = host.run("sleep 60", patience).await;
    ensure!(matches!(&end, Err(RunError::Silent { .. })), "{end:?}");
    ensure!(begun.elapsed() < patience * 3, "{:?}", begun.elapsed());
    Ok(())
}

/// It takes longer than the time between two keepalives.
async fn a_host_that_is_slow_to_start_a_script_is_awaited(stage: Arc<Stage>) -> Result<()> {
    let host = connect("root", &stage.guest, 22, &stage.access()?).await?;
    let session = output_of(&host, "echo $PPID").await?;
    let pause = format!("kill -STOP {session}; (sleep 17; kill -CONT {session}) </dev/null >/dev/null 2>&1 &");
    stage.guest.ssh(&pause).await?;
    let begun = Instant::now();
    ensure!(output_of(&host, "echo here").await? == "here");
    ensure!(begun.elapsed() > Duration::from_secs(15), "{:?}", begun.elapsed());
    Ok(())
}

/// Sending takes twice the timeout for silence; the 2 MB that sshd buffers last about 2 s.
async fn a_script_that_takes_long_to_send_does_not_time_out(stage: Arc<Stage>) -> Result<()> {
    let slow = "ForceCommand for part in 1 2 3 4 5 6 7 8 9 10 11 12; do head -c 1000000; sleep 1; done | sh -s";
    let port = stage.sshd(&stage.guest, &["ed25519"], slow).await?;
    let host = connect("root", &stage.guest, port, &stage.access()?).await?;
    let script = format!(": '{}'\necho here", "x".repeat(11_500_000));
    let begun = Instant::now();
    let patience = Duration::from_secs(6);
    let output = host.run(&script, patience).await?;
    ensure!(output.stdout == b"here\n", "{output:?}");
    ensure!(begun.elapsed() > patience, "{:?}", begun.elapsed());
    Ok(())
}

async fn a_script_ends_with_its_connection_when_waiting_stops(stage: Arc<Stage>) -> Result<()> {
    let host = connect("root", &stage.guest, 22, &stage.access()?).await?;
    let session = output_of(&host, "echo $PPID").await?;
    let waiting = timeout(Duration::from_millis(500), run(&host, "sleep 60")).await;
    ensure!(waiting.is_err(), "{waiting:?}");
    // The connection is closed, and its process on the host ends.
    let gone = format!("while [ -e /proc/{session} ]; do sleep 0.1; done");
    timeout(EVENT_TIMEOUT, stage.guest.ssh(&gone))
        .await
        .context("the session still exists")??;
    let end = run(&host, "echo on").await;
    ensure!(matches!(&end, Err(RunError::Lost { .. })), "{end:?}");
    Ok(())
}
