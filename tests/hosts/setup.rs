//! Hosts that become NFS servers and clients by running the program.

use std::process::{Output, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use nfsprov_lab::guest::{Guest, Template};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::kit::{ADMIN, PASSWORD, Stage};

crate::tests! {
    a_host_becomes_a_server_and_a_second_run_changes_nothing,
    an_administrator_sets_a_server_up_with_a_password,
    an_interrupted_run_ends_its_step_and_the_next_one_goes_on,
}

/// Runs nfsprov with the lab's key, without a terminal.
pub async fn nfsprov(stage: &Stage, arguments: &[&str]) -> Result<Output> {
    let output = command(stage, arguments)?.output().await;
    output.context("cannot run nfsprov")
}

fn command(stage: &Stage, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command
        .args(arguments)
        .args(["--connect-timeout", "60s", "--host-key", "accept-new", "-i"]);
    command.arg(stage.guest.ssh_key()).env("HOME", stage.home()?);
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// The report of a run with `-o json` that must end with `status`.
pub fn report(output: &Output, status: i32) -> Result<Value> {
    let output_text = String::from_utf8_lossy(&output.stderr);
    let report = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.code() == Some(status),
        "{}: {output_text}\n{report}",
        output.status
    );
    serde_json::from_str(&report).with_context(|| format!("{report}{output_text}"))
}

/// The steps of a host with this status, as `step: why`.
pub fn steps(report: &Value, host: &str, status: &str) -> Vec<String> {
    let hosts = report["hosts"].as_array().into_iter().flatten();
    let steps = hosts
        .filter(|entry| entry["host"] == host)
        .flat_map(|entry| entry["steps"].as_array().into_iter().flatten());
    let of_status = steps.filter(|step| step["status"] == status);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_status
        .map(|step| format!("{}: {}", text(&step["step"]), text(&step["why"])))
        .collect()
}

/// Everything that a run could change, with times; without those of the directory, in which each run verifies that it
/// is writable.
pub const STATE: &str = "stat -c '%n %a %u %g %s %y %z' /etc/exports /etc/nfs.conf /etc; stat -c '%a %u %g' /nfsdata
exportfs -s
systemctl show -p ActiveEnterTimestampMonotonic -p UnitFileState rpcbind.service rpcbind.socket nfs-server.service
cat /proc/fs/nfsd/versions";

async fn a_host_becomes_a_server_and_a_second_run_changes_nothing(stage: Arc<Stage>) -> Result<()> {
    let (server, client) = tokio::try_join!(
        stage.lab.guest("fresh-server", Template::Bare),
        stage.lab.guest("fresh-client", Template::Bare)
    )?;
    let theirs = "# theirs\n/srv 10.1.1.1(ro,no_subtree_check)\n";
    server
        .ssh(&format!(
            "mkdir -p /srv; printf '{}' >/etc/exports",
            theirs.replace('\n', "\\n")
        ))
        .await?;
    let (at, from) = (server.address().to_string(), client.address().to_string());
    let (host, node) = (format!("root@{at}"), format!("root@{from}"));
    let setup = [
        "setup-server",
        &host,
        "--export",
        "/nfsdata",
        "--node",
        &node,
        "-o",
        "json",
    ];

    let before = report(&nfsprov(&stage, &[&setup[..], &["--check"]].concat()).await?, 4)?;
    ensure!(before["wouldChange"] == true && before["changed"] == false, "{before}");
    ensure!(
        server
            .ssh("ls / | grep -c nfsdata; dpkg -l | grep -c nfs-kernel; true")
            .await?
            == "0\n0\n",
        "it looked only"
    );

    let first = report(&nfsprov(&stage, &setup).await?, 0)?;
    let changed = steps(&first, &at, "changed");
    for step in [
        "packages: install nfs-kernel-server",
        "directory: make /nfsdata, mode 0777",
    ] {
        ensure!(changed.iter().any(|line| line == step), "{step}: {changed:?}");
    }
    ensure!(
        changed.contains(&format!("exports: export /nfsdata to {from}")),
        "{changed:?}"
    );
    let proofs = steps(&first, &from, "ok");
    for version in ["4", "3"] {
        let words = format!("proof: mounted {at}:/nfsdata with NFS {version}, written to, read back");
        ensure!(proofs.contains(&words), "{proofs:?}");
    }
    ensure!(
        server.ssh("ls -A /nfsdata").await?.is_empty(),
        "the proofs leave nothing behind"
    );
    let listed = format!("proof: {at} lists /nfsdata among its exports");
    ensure!(steps(&first, &at, "ok").contains(&listed), "{first}");
    // rpcbind starts first, as the document requires.
    let started = server
        .ssh("for u in rpcbind nfs-server; do systemctl show -p ActiveEnterTimestampMonotonic --value $u; done")
        .await?;
    let times: Vec<u64> = started.lines().map(str::parse).collect::<Result<_, _>>()?;
    ensure!(times[0] < times[1], "{times:?}");

    // A second run: one round trip for the facts of each host, and on the client one for the verification.
    let keys = "mkdir -p /etc/ssh/test /run/sshd; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/test/ed25519";
    tokio::try_join!(server.ssh(keys), client.ssh(keys))?;
    let port = stage.sshd(&server, &["ed25519"], "LogLevel VERBOSE").await?;
    let port_of_node = stage.sshd(&client, &["ed25519"], "LogLevel VERBOSE").await?;
    let (logged, logged_node) = (format!("{host}:{port}"), format!("{node}:{port_of_node}"));
    let setup_again = setup.map(|word| match word {
        word if word == host => logged.as_str(),
        word if word == node => logged_node.as_str(),
        word => word,
    });
    let state = server.ssh(STATE).await?;
    let second = report(&nfsprov(&stage, &setup_again).await?, 0)?;
    ensure!(second["changed"] == false, "{second}");
    let after = server.ssh(STATE).await?;
    ensure!(after == state, "the second run changed something:\n{state}\n{after}");
    for (guest, port, expected) in [(&server, port, "1"), (&client, port_of_node, "2")] {
        let count = format!("grep -c 'Starting session: command' /var/log/sshd-{port}.log || :");
        let scripts = guest.ssh(&count).await?;
        ensure!(scripts.trim() == expected, "{scripts} scripts instead of {expected}");
    }
    report(&nfsprov(&stage, &[&setup[..], &["--check"]].concat()).await?, 0)?;

    client
        .ssh(&format!(
            "mount -t nfs {at}:/nfsdata /mnt && echo hello >/mnt/file && umount /mnt"
        ))
        .await?;
    ensure!(server.ssh("cat /nfsdata/file").await? == "hello\n");

    // One client is added and one that is no longer named is removed, after confirmation; other lines stay unchanged.
    let moved = ["setup-server", &host, "--allow", "10.9.9.0/24", "-o", "json"];
    let refused = nfsprov(&stage, &moved).await?;
    let words = format!("{from} would lose access to /nfsdata on {at}");
    ensure!(
        refused.status.code() == Some(2) && String::from_utf8_lossy(&refused.stderr).contains(&words),
        "{refused:?}"
    );
    ensure!(server.ssh("exportfs -s").await?.contains(&from), "it was not confirmed");
    let drift = report(&nfsprov(&stage, &[&moved[..], &["--yes"]].concat()).await?, 0)?;
    let words = format!("exports: /nfsdata: added 10.9.9.0/24, dropped {from}");
    ensure!(steps(&drift, &at, "changed") == [words], "{drift}");
    let listing = server.ssh("exportfs -s").await?;
    ensure!(
        !listing.contains(&from) && listing.contains("10.9.9.0/24") && listing.contains("10.1.1.1"),
        "{listing}"
    );

    let teardown = ["teardown-server", &host, "--export", "/nfsdata", "-o", "json"];
    let refused = nfsprov(&stage, &teardown).await?;
    ensure!(refused.status.code() == Some(2), "{refused:?}");
    ensure!(
        String::from_utf8_lossy(&refused.stderr).contains("--yes"),
        "{refused:?}"
    );
    report(&nfsprov(&stage, &[&teardown[..], &["--yes"]].concat()).await?, 0)?;
    ensure!(
        server.ssh("cat /etc/exports").await? == theirs,
        "the administrator's lines changed"
    );
    let listing = server
        .ssh("exportfs -s; cat /nfsdata/file; ls -A /etc | grep nfsprov || true")
        .await?;
    ensure!(
        !listing.contains("/nfsdata ") && listing.contains("10.1.1.1") && listing.ends_with("hello\n"),
        "{listing}"
    );
    let again = report(&nfsprov(&stage, &[&teardown[..], &["--yes"]].concat()).await?, 0)?;
    ensure!(again["changed"] == false, "{again}");
    Ok(())
}

async fn an_administrator_sets_a_server_up_with_a_password(stage: Arc<Stage>) -> Result<()> {
    let server = stage.lab.guest("sudo-server", Template::NfsServer).await?;
    server
        .ssh(&format!(
            "useradd -m -s /bin/bash -G sudo {ADMIN}; echo '{ADMIN}:{PASSWORD}' | chpasswd -c SHA512 -s 1000
             install -d -o {ADMIN} -m 700 /home/{ADMIN}/.ssh
             install -o {ADMIN} -m 600 /root/.ssh/authorized_keys /home/{ADMIN}/.ssh/"
        ))
        .await?;
    let password = stage.home()?.join("password");
    std::fs::write(&password, format!("{PASSWORD}\n"))?;
    let (at, password) = (server.address().to_string(), password.display().to_string());
    let host = format!("{ADMIN}@{at}");
    let mut setup = vec![
        "setup-server",
        &host,
        "--export",
        "/srv/claims",
        "--allow",
        "10.77.0.0/24",
        "-o",
        "json",
    ];
    setup.extend(["--mode", "1770", "--owner", "nobody:nogroup", "--nfs-version", "4"]);

    let refused = report(&nfsprov(&stage, &setup).await?, 1)?;
    let why = steps(&refused, &at, "failed");
    ensure!(why[0].contains("--sudo"), "{why:?}");

    setup.extend(["--sudo", "--sudo-password-file", &password]);
    let first = report(&nfsprov(&stage, &setup).await?, 0)?;
    let proof = format!("proof: created and removed a directory on {at}:/srv/claims from this machine");
    ensure!(steps(&first, &at, "ok").contains(&proof), "{first}");
    let changed = steps(&first, &at, "changed");
    let configured = "nfs-server: set vers3=n in [nfsd] of /etc/nfs.conf; ";
    ensure!(changed.iter().any(|step| step.starts_with(configured)), "{changed:?}");
    ensure!(
        steps(&first, &at, "skipped").contains(&"rpcbind: NFS 4 needs none".to_owned()),
        "{first}"
    );
    let seen = server
        .ssh("stat -c '%a %U %G' /srv/claims; cat /proc/fs/nfsd/versions")
        .await?;
    ensure!(
        seen.starts_with("1770 nobody nogroup\n") && seen.contains("-3 +4"),
        "{seen}"
    );
    let second = report(&nfsprov(&stage, &setup).await?, 0)?;
    ensure!(second["changed"] == false, "{second}");

    // Both versions again: nfsprov restores nfs.conf byte for byte, and restarts the server.
    let original = server
        .ssh("sed '/^# BEGIN nfsprov/,/^# END nfsprov/d' /etc/nfs.conf")
        .await?;
    let both: Vec<&str> = setup
        .iter()
        .map(|word| if *word == "4" { "all" } else { word })
        .collect();
    let third = report(&nfsprov(&stage, &both).await?, 0)?;
    let changed = steps(&third, &at, "changed");
    ensure!(
        changed.contains(
            &"nfs-server: remove nfsprov's settings from /etc/nfs.conf; restart nfs-server: its configuration changes"
                .to_owned()
        ),
        "{changed:?}"
    );
    let now = server
        .ssh("cat /etc/nfs.conf; cat /proc/fs/nfsd/versions >&2; grep -q '+3 +4' /proc/fs/nfsd/versions")
        .await?;
    ensure!(original.trim_end() == now.trim_end(), "{now}");
    Ok(())
}

/// Waits for an output line of a running nfsprov that begins with `words`.
async fn line(lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStderr>>, words: &str) -> Result<()> {
    while let Some(line) = lines.next_line().await? {
        if line.starts_with(words) {
            return Ok(());
        }
    }
    bail!("it ended without a word of {words:?}")
}

async fn an_interrupted_run_ends_its_step_and_the_next_one_goes_on(stage: Arc<Stage>) -> Result<()> {
    let server: Guest = stage.lab.guest("interrupted", Template::NfsClient).await?;
    let at = server.address().to_string();
    let host = format!("root@{at}");
    let setup = ["setup-server", &host, "--allow", "10.77.0.0/24", "-o", "json"];
    let mut command = command(&stage, &setup)?;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stderr = child.stderr.take().context("no stderr")?;
    let mut lines = BufReader::new(stderr).lines();
    line(&mut lines, &format!("{at}: packages: ")).await?;
    let pid = child.id().context("it has ended")?;
    crate::kit::tool("kill", &["-INT", &pid.to_string()]).await?;
    let rest = async {
        while lines.next_line().await?.is_some() {}
        anyhow::Ok(())
    };
    let (output, rest) = tokio::join!(child.wait_with_output(), rest);
    rest?;
    let ended = report(&output?, 1)?;
    ensure!(
        steps(&ended, &at, "changed") == ["packages: install nfs-kernel-server"],
        "{ended}"
    );
    let left = steps(&ended, &at, "not done");
    ensure!(left.iter().any(|step| step == "exports: the run was ended"), "{left:?}");
    ensure!(
        server.ssh("dpkg --audit; grep -c nfsprov /etc/exports || true").await? == "0\n",
        "the step was ended"
    );
    let next = report(&nfsprov(&stage, &setup).await?, 0)?;
    ensure!(
        steps(&next, &at, "ok")
            .iter()
            .any(|step| step.starts_with("packages: ")),
        "{next}"
    );
    ensure!(server.ssh("exportfs -s").await?.contains("/nfsdata"));
    Ok(())
}
