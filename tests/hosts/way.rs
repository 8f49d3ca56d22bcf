//! Connections to a host: through jump hosts, by its alias, and to hosts that are unreachable.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::{join_all, try_join_all};
use nfsprov::host::{ConnectError, Host, HostKeys, Target};
use nfsprov_lab::guest::Template;
use tokio::time::Instant;

use crate::kit::{EVENT_TIMEOUT, Stage, output_of, refused};

crate::tests! {
    two_hosts_on_the_way_by_option_and_by_configuration,
    every_host_on_the_way_is_checked,
    a_way_carries_much_both_ways,
    hosts_behind_a_jump_host_share_one_login_to_it,
    an_unreachable_jump_host_costs_its_hosts_one_timeout,
    hosts_without_an_answer_are_reported_in_time,
    a_host_that_hangs_times_out,
}

/// Prints the address of the client of the SSH connection.
const PEER: &str = "echo \"$SSH_CONNECTION\" | cut -d' ' -f1";

async fn two_hosts_on_the_way_by_option_and_by_configuration(stage: Arc<Stage>) -> Result<()> {
    let (first, second) = (stage.guest.address(), stage.second.address());
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let target = format!("root@{first}:{port}").parse()?;
    let mut access = stage.access()?;
    access.jump = vec![format!("root@{first}").parse()?, format!("root@{second}").parse()?];
    let host = Host::connect(&target, &access).await?;
    ensure!(
        output_of(&host, PEER).await? == second.to_string(),
        "the last host sees the second"
    );
    let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
    ensure!(
        std::fs::read_to_string(&file)?.lines().count() == 3,
        "each host on the way is recorded"
    );

    let mut access = stage.access()?;
    let home = access.home.clone().context("no home")?;
    let key = std::mem::take(&mut access.identities);
    std::fs::create_dir(home.join(".ssh/conf.d"))?;
    std::fs::write(
        home.join(".ssh/conf.d/lab.conf"),
        format!(
            "Host target\n HostName {first}\n Port {port}\n ProxyJump middle\nHost middle\n HostName {second}\n \
             ProxyJump gate\nHost gate\n HostName {first}\nHost *\n User root\n IdentityFile {}\n",
            key[0].display()
        ),
    )?;
    std::fs::write(
        home.join(".ssh/config"),
        format!("Include {}/.ssh/conf.d/*.conf\nUser nobody\n", home.display()),
    )?;
    let host = Host::connect(&"target".parse()?, &access).await?;
    ensure!(host.name() == format!("root@{first}:{port}"), "{}", host.name());
    ensure!(output_of(&host, PEER).await? == second.to_string());
    Ok(())
}

async fn every_host_on_the_way_is_checked(stage: Arc<Stage>) -> Result<()> {
    let (first, second) = (stage.guest.address(), stage.second.address());
    let mut access = stage.access()?;
    access.jump = vec![format!("root@{second}").parse()?];
    let target = format!("root@{first}").parse()?;
    Host::connect(&target, &access).await?;
    let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
    let known = std::fs::read_to_string(&file)?;
    access.host_keys = HostKeys::Strict;
    for wrong in [first, second] {
        // Another run of the program.
        access.jump_sessions = Arc::default();
        let other = stage.file(&stage.guest, "/etc/ssh/test/other-ed25519.pub").await?;
        let lines = known.lines().map(|line| match line.starts_with(&format!("{wrong} ")) {
            true => format!("{wrong} {other}\n"),
            false => format!("{line}\n"),
        });
        std::fs::write(&file, lines.collect::<String>())?;
        let error = refused(Host::connect(&target, &access).await)?;
        ensure!(
            error.starts_with(&format!("{wrong} is not trusted: its key has changed")),
            "{error}"
        );
    }
    Ok(())
}

async fn a_way_carries_much_both_ways(stage: Arc<Stage>) -> Result<()> {
    let mut access = stage.access()?;
    access.jump = vec![format!("root@{}", stage.second.address()).parse()?];
    let host = Host::connect(&format!("root@{}", stage.guest.address()).parse()?, &access).await?;
    let size = 4 << 20;
    let long = format!(
        "word='{}'; printf %s \"$word\" | wc -c >&2; head -c {size} /dev/zero",
        "x".repeat(size / 4)
    );
    let output = host.run_listing(&long, EVENT_TIMEOUT).await?;
    ensure!(output.stdout.len() == size, "{}", output.stdout.len());
    ensure!(String::from_utf8_lossy(&output.stderr).trim() == (size / 4).to_string());
    Ok(())
}

async fn hosts_behind_a_jump_host_share_one_login_to_it(stage: Arc<Stage>) -> Result<()> {
    const HOSTS: usize = 6;
    let port = stage.sshd(&stage.second, &["ed25519"], "").await?;
    let logins = async || -> Result<usize> {
        let count = format!("grep -c 'Accepted publickey' /var/log/sshd-{port}.log || :");
        Ok(stage.second.ssh(&count).await?.trim().parse()?)
    };
    let mut access = stage.access()?;
    access.jump = vec![format!("root@{}:{port}", stage.second.address()).parse()?];
    let target: Target = format!("root@{}", stage.guest.address()).parse()?;
    let hosts = try_join_all((0..HOSTS).map(|_| Host::connect(&target, &access))).await?;
    ensure!(logins().await? == 1, "{HOSTS} hosts: {} logins", logins().await?);

    // All at once, and more data than the buffers on the way hold.
    let size = 1 << 20;
    let both_ways = format!(
        "word='{}'; printf %s \"$word\" | wc -c >&2; head -c {size} /dev/zero",
        "x".repeat(size)
    );
    for output in join_all(hosts.iter().map(|host| host.run_listing(&both_ways, EVENT_TIMEOUT))).await {
        let output = output?;
        ensure!(output.stdout.len() == size, "{}", output.stdout.len());
        ensure!(String::from_utf8_lossy(&output.stderr).trim() == size.to_string());
    }

    // An address without an answer delays no other host, and costs one further login.
    let lose = "set -- $(ip route get 10.77.0.198)
while [ \"$1\" != dev ]; do shift; done; ip neigh replace 10.77.0.198 lladdr 02:00:00:00:00:01 dev \"$2\" nud permanent";
    stage.second.ssh(lose).await?;
    let mut impatient = access.clone();
    impatient.connect_timeout = Duration::from_secs(20);
    let nowhere: Target = "root@10.77.0.198".parse()?;
    let begun = Instant::now();
    let (dead, later) = tokio::join!(Host::connect(&nowhere, &impatient), async {
        // The jump host opens one tunnel after the other, so this one comes after the first.
        tokio::task::yield_now().await;
        let host = Host::connect(&target, &impatient).await?;
        anyhow::Ok((output_of(&host, "echo on").await?, begun.elapsed()))
    });
    let error = refused(dead)?;
    ensure!(
        error.contains("10.77.0.198:22") && error.contains("no answer within 20 s"),
        "{error}"
    );
    let (output_text, took) = later?;
    ensure!(
        output_text == "on" && took < impatient.connect_timeout,
        "{output_text} after {took:?}"
    );
    ensure!(logins().await? <= 2, "{}", logins().await?);
    ensure!(
        output_of(&hosts[0], "echo on").await? == "on",
        "the others still have the first session"
    );

    // A lost session is replaced.
    let before = logins().await?;
    drop(hosts);
    let cut = format!("for child in $(pgrep -P $(cat /run/sshd-{port}.pid)); do kill -9 $child 2>/dev/null || :; done");
    stage.second.ssh(&cut).await?;
    let host = Host::connect(&target, &access).await?;
    ensure!(output_of(&host, "echo on").await? == "on");
    ensure!(logins().await? == before + 1, "{}", logins().await?);
    Ok(())
}

async fn an_unreachable_jump_host_costs_its_hosts_one_timeout(stage: Arc<Stage>) -> Result<()> {
    const HOSTS: u32 = 8;
    let mut access = stage.access()?;
    access.connect_timeout = Duration::from_secs(3);
    access.jump = vec!["root@10.77.0.9".parse()?];
    let begun = Instant::now();
    let targets = (1..=HOSTS).map(|number| format!("root@10.77.1.{number}").parse());
    let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
    for connected in join_all(targets.iter().map(|target| Host::connect(target, &access))).await {
        let error = refused(connected)?;
        ensure!(error.starts_with("cannot reach 10.77.0.9:22"), "{error}");
    }
    let took = begun.elapsed();
    ensure!(took < access.connect_timeout * (HOSTS / 2), "{took:?}");
    Ok(())
}

async fn hosts_without_an_answer_are_reported_in_time(stage: Arc<Stage>) -> Result<()> {
    let first = stage.guest.address();
    let mut access = stage.access()?;
    access.connect_timeout = Duration::from_secs(2);
    let through = {
        let mut access = access.clone();
        access.jump = vec![format!("root@{}", stage.second.address()).parse()?];
        access.connect_timeout = Duration::from_secs(60);
        access
    };
    for (target, access, words) in [
        (format!("root@{first}:1"), &access, "connection refused"),
        ("root@no-such-host.invalid".to_owned(), &access, "no-such-host.invalid"),
        // No host has this address.
        ("root@10.77.0.9".to_owned(), &access, "10.77.0.9:22"),
        (format!("root@{first}:1"), &through, "can't connect to it"),
    ] {
        let begun = Instant::now();
        let error = Host::connect(&target.parse()?, access)
            .await
            .err()
            .context("it did not fail")?;
        ensure!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
        ensure!(error.to_string().contains(words), "{error}");
        ensure!(
            begun.elapsed() < access.connect_timeout * 2,
            "{target}: {:?}",
            begun.elapsed()
        );
    }
    Ok(())
}

async fn a_host_that_hangs_times_out(stage: Arc<Stage>) -> Result<()> {
    let guest = stage.lab.guest("hanging", Template::Bare).await?;
    let mut access = stage.access()?;
    let target = format!("root@{}", guest.address()).parse()?;
    let host = Host::connect(&target, &access).await?;
    guest.hang()?;
    access.connect_timeout = Duration::from_secs(2);
    let begun = Instant::now();
    let (end, error) = tokio::join!(
        host.run("echo on", Duration::from_secs(2)),
        Host::connect(&target, &access)
    );
    ensure!(refused(end)?.contains("no answer within 2 s"));
    ensure!(matches!(error, Err(ConnectError::Unreachable { .. })), "{error:?}");
    ensure!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    guest.resume()?;
    Host::connect(&target, &stage.access()?).await?;
    Ok(())
}
