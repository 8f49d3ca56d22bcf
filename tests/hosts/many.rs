//! Many slow hosts at once, and one that is unreachable.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nfsprov_lab::guest::Template;

use crate::kit::Stage;
use crate::runs::{Ran, finish, start};

crate::tests! {
    eight_hosts_take_as_long_as_one_and_an_unreachable_one_is_named,
}

/// How many hosts there are: one sshd each, on two guests.
const HOSTS: usize = 8;

/// How long each host waits before it runs a command, in seconds. It sleeps, so it does not slow the other hosts on the
/// same processor down.
const SLOW: u32 = 4;

async fn eight_hosts_take_as_long_as_one_and_an_unreachable_one_is_named(stage: Arc<Stage>) -> Result<()> {
    let (one, two) = tokio::try_join!(
        stage.lab.guest("many-one", Template::NfsServer),
        stage.lab.guest("many-two", Template::NfsServer)
    )?;
    let keys = "mkdir -p /etc/ssh/test /run/sshd; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/test/ed25519";
    tokio::try_join!(one.ssh(keys), two.ssh(keys))?;
    let home = stage.home()?;
    let mut config = String::new();
    let mut names = Vec::new();
    for number in 0..HOSTS {
        let guest = if number % 2 == 0 { &one } else { &two };
        let slow = format!("ForceCommand sleep {SLOW}; exec sh -c \"$SSH_ORIGINAL_COMMAND\"");
        let port = stage.sshd(guest, &["ed25519"], &slow).await?;
        let name = format!("host{number}");
        writeln!(config, "Host {name}\n HostName {}\n Port {port}", guest.address())?;
        names.push(name);
    }
    // An address in the same network without a host.
    config.push_str("Host dead\n HostName 10.77.0.199\nHost *\n User root\n");
    std::fs::write(home.join(".ssh/config"), config)?;
    let setup = async |hosts: &[&str]| -> Result<Ran> {
        let arguments = [&["setup-client"][..], hosts, &["-o", "json"]].concat();
        finish(start(&stage, &home, &arguments)?, Instant::now()).await
    };

    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    // Steps that only the first run makes are not compared.
    let mixed = [&all[..], &["dead"]].concat();
    let ran = setup(&mixed).await?.expect_status(1)?;
    let steps = ran.steps()?;
    for name in &all {
        let own: Vec<&String> = steps
            .iter()
            .filter(|step| step.starts_with(&format!("{name} ")))
            .collect();
        let well = own
            .iter()
            .all(|step| step.ends_with(" ok") || step.ends_with(" skipped"));
        ensure!(!own.is_empty() && well, "{name}: {own:?}");
    }
    let failed: Vec<&String> = steps.iter().filter(|step| step.ends_with(" failed")).collect();
    ensure!(failed == ["dead login failed"], "{failed:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout)?;
    let dead = report["hosts"]
        .as_array()
        .context("no hosts")?
        .iter()
        .find(|host| host["host"] == "dead");
    let why = dead.context("the dead host is not named")?["steps"][0]["why"].to_string();
    ensure!(why.contains("cannot reach") && why.contains("10.77.0.199"), "{why}");

    let single = setup(&all[..1]).await?.expect_status(0)?;
    let eight = setup(&all).await?.expect_status(0)?;
    let ratio = eight.took.as_secs_f64() / single.took.as_secs_f64();
    eprintln!(
        "eight hosts that take {SLOW} s each: {:.1} s, one: {:.1} s, {ratio:.2} times",
        eight.took.as_secs_f64(),
        single.took.as_secs_f64()
    );
    // The goal is 1.5, which a busy machine misses; one host after the other takes eight times as long.
    ensure!(ratio < 5.0, "eight hosts take {ratio:.2} times as long as one");
    Ok(())
}
