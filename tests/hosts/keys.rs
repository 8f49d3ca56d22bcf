//! Host keys: which are known, which are new, and which prevent every login.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov::host::HostKeys;

use crate::kit::{Answers, CANCEL, KINDS, Stage, connect, refused, tool};

crate::tests! {
    host_keys_of_every_type_are_recorded_and_known,
    known_hosts_are_read_as_ssh_reads_them,
    a_changed_key_stops_under_every_policy,
    a_host_without_the_recorded_type_has_changed,
    one_of_several_keys_is_enough,
    an_unknown_host_is_shown_and_asked_about,
    a_fingerprint_decides_about_the_last_host,
    existing_lines_of_known_hosts_stay_unchanged,
    a_key_that_does_not_fit_on_the_disk_leaves_known_hosts_unchanged,
}

/// The public key in a guest's file, without its comment.
async fn public(stage: &Stage, name: &str) -> Result<String> {
    let line = stage.file(&stage.guest, &format!("/etc/ssh/test/{name}.pub")).await?;
    let mut words = line.split(' ');
    let (kind, key) = (words.next().context("no type")?, words.next().context("no key")?);
    Ok(format!("{kind} {key}"))
}

async fn host_keys_of_every_type_are_recorded_and_known(stage: Arc<Stage>) -> Result<()> {
    for (kind, name) in KINDS {
        let port = stage.sshd(&stage.guest, &[kind], "").await?;
        let mut access = stage.access()?;
        let home = access.home.clone().context("no home")?;
        connect("root", &stage.guest, port, &access).await?;
        let recorded = std::fs::read_to_string(home.join(".ssh/known_hosts"))?;
        let key = public(&stage, kind).await?;
        ensure!(
            recorded == format!("[{}]:{port} {key}\n", stage.guest.address()),
            "{recorded}"
        );
        ensure!(key.starts_with(name), "{key}");
        access.host_keys = HostKeys::Strict;
        connect("root", &stage.guest, port, &access).await.context(kind)?;
        // ssh itself accepts the line.
        let host = format!("[{}]:{port}", stage.guest.address());
        let file = home.join(".ssh/known_hosts").display().to_string();
        ensure!(tool("ssh-keygen", &["-F", &host, "-f", &file]).await?.contains(&key));
    }
    Ok(())
}

async fn known_hosts_are_read_as_ssh_reads_them(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let (key, other) = (public(&stage, "ed25519").await?, public(&stage, "other-ed25519").await?);
    let ip = stage.guest.address().to_string();
    let full = format!("[{ip}]:{port}");
    for (lines, words) in [
        (format!("{full} {key}\n"), ""),
        (format!("other,{full} {key} a note\n"), ""),
        (format!("[10.77.*]:{port} {key}\n"), ""),
        (format!("[10.77.0.?*]:* {key}\n"), ""),
        (format!("{ip} {key}\n"), ""),
        (format!("{full} {other}\n{full} {key}\n"), ""),
        (format!("nonsense\n{full} ssh-ed25519 !!!\n{full} {key}\n"), ""),
        (format!("@revoked elsewhere {key}\n{full} {key}\n"), ""),
        (String::new(), "is not in known_hosts"),
        (format!("{ip} {other}\n"), "is not in known_hosts"),
        (format!("*,!{full},!{ip} {key}\n"), "is not in known_hosts"),
        (format!("[{ip}]:1 {key}\n"), "is not in known_hosts"),
        (
            format!("@cert-authority * {key}\n"),
            "known_hosts:1 has an authority for such hosts",
        ),
        (format!("{full} {other}\n"), "its key has changed"),
        (format!("{ip} {key}\n{full} {other}\n"), "its key has changed"),
        (format!("{full} {key}\n@revoked * {key}\n"), "marked @revoked in"),
        (format!("@revoked {ip} {key}\n{full} {key}\n"), "known_hosts:1"),
    ] {
        for hashed in [false, true] {
            let mut access = stage.access()?;
            access.host_keys = HostKeys::Strict;
            let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
            std::fs::write(&file, &lines)?;
            // ssh-keygen rejects files with invalid lines, and does not hash marked lines and wildcards.
            if hashed && !lines.is_empty() && !lines.contains("nonsense") {
                tool("ssh-keygen", &["-H", "-f", &file.display().to_string()]).await?;
            }
            let connected = connect("root", &stage.guest, port, &access).await;
            match words {
                "" => _ = connected.with_context(|| format!("{lines} hashed: {hashed}"))?,
                words => {
                    let error = refused(connected).context(lines.clone())?;
                    ensure!(error.contains(words) && error.contains(&full), "{lines}{error}");
                }
            }
        }
    }
    Ok(())
}

async fn a_changed_key_stops_under_every_policy(stage: Arc<Stage>) -> Result<()> {
    for (kind, _) in KINDS {
        let port = stage.sshd(&stage.guest, &[kind], "").await?;
        let full = format!("[{}]:{port}", stage.guest.address());
        let recorded = format!("{full} {}\n", public(&stage, &format!("other-{kind}")).await?);
        let shown = stage
            .guest
            .ssh(&format!("ssh-keygen -lf /etc/ssh/test/{kind}.pub"))
            .await?;
        let shown = shown.split(' ').nth(1).context("no fingerprint")?.to_owned();
        for policy in [HostKeys::Ask, HostKeys::Strict, HostKeys::AcceptNew] {
            for fingerprint in [None, Some(shown.clone())] {
                let mut access = stage.access()?;
                let answers = Answers::some(&["yes", "yes"]);
                (access.host_keys, access.fingerprints) = (policy, fingerprint.into_iter().collect());
                access.ask = answers.clone().into();
                let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
                std::fs::write(&file, &recorded)?;
                let error = refused(connect("root", &stage.guest, port, &access).await)?;
                ensure!(
                    error.contains("its key has changed") && error.contains(&shown),
                    "{error}"
                );
                ensure!(
                    error.contains("known_hosts:1") && error.contains("ssh-keygen -R"),
                    "{error}"
                );
                ensure!(answers.questions().is_empty(), "a question was asked");
                ensure!(std::fs::read_to_string(&file)? == recorded);
            }
        }
    }
    Ok(())
}

async fn a_host_without_the_recorded_type_has_changed(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ecdsa"], "").await?;
    let access = stage.access()?;
    let full = format!("[{}]:{port}", stage.guest.address());
    let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
    std::fs::write(&file, format!("{full} {}\n", public(&stage, "ed25519").await?))?;
    let error = refused(connect("root", &stage.guest, port, &access).await)?;
    ensure!(
        error.contains("its key has changed: it shows ecdsa-sha2-nistp256") && error.contains("has ssh-ed25519"),
        "{error}"
    );
    Ok(())
}

async fn one_of_several_keys_is_enough(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519", "ecdsa", "rsa"], "").await?;
    for (kind, _) in KINDS {
        let mut access = stage.access()?;
        access.host_keys = HostKeys::Strict;
        let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
        let key = public(&stage, kind).await?;
        std::fs::write(&file, format!("[{}]:{port} {key}\n", stage.guest.address()))?;
        connect("root", &stage.guest, port, &access).await.context(kind)?;
    }
    Ok(())
}

async fn an_unknown_host_is_shown_and_asked_about(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let shown = stage.guest.ssh("ssh-keygen -lf /etc/ssh/test/ed25519.pub").await?;
    let shown = shown.split(' ').nth(1).context("no fingerprint")?;
    for (answers, words) in [
        (Answers::some(&["yes"]), ""),
        (Answers::some(&["no"]), "was not accepted"),
        (
            Answers::none(),
            "no terminal to ask on; pass --host-fingerprint SHA256:",
        ),
        (
            Answers::some(&[CANCEL]),
            "the question was cancelled; pass --host-fingerprint SHA256:",
        ),
    ] {
        let mut access = stage.access()?;
        access.host_keys = HostKeys::Ask;
        access.ask = answers.clone().into();
        let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
        let connected = connect("root", &stage.guest, port, &access).await;
        let asked = answers.questions();
        ensure!(asked.len() == 1, "{asked:?}");
        ensure!(
            asked[0].contains("ssh-ed25519") && asked[0].contains(shown),
            "{asked:?}"
        );
        match words {
            "" => {
                connected?;
                connect("root", &stage.guest, port, &access).await?;
                ensure!(answers.questions().len() == 1, "asked again: {:?}", answers.questions());
                ensure!(std::fs::read_to_string(&file)?.lines().count() == 1);
            }
            words => {
                let error = refused(connected)?;
                ensure!(error.contains(words) && error.contains(shown), "{error}");
                ensure!(!file.exists(), "nothing is recorded");
            }
        }
    }
    Ok(())
}

async fn a_fingerprint_decides_about_the_last_host(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let shown = stage.guest.ssh("ssh-keygen -lf /etc/ssh/test/ed25519.pub").await?;
    let right = shown.split(' ').nth(1).context("no fingerprint")?.to_owned();
    let mut access = stage.access()?;
    access.host_keys = HostKeys::Strict;
    access.fingerprints = vec![format!("SHA256:{}", "A".repeat(43))];
    let error = refused(connect("root", &stage.guest, port, &access).await)?;
    ensure!(
        error.contains(&right) && error.contains("--host-fingerprint says SHA256:AAAA"),
        "{error}"
    );
    access.fingerprints.push(right);
    connect("root", &stage.guest, port, &access).await?;
    access.fingerprints.clear();
    connect("root", &stage.guest, port, &access)
        .await
        .context("it is recorded now")?;
    Ok(())
}

async fn existing_lines_of_known_hosts_stay_unchanged(stage: Arc<Stage>) -> Result<()> {
    let ports = tokio::try_join!(
        stage.sshd(&stage.guest, &["ed25519"], ""),
        stage.sshd(&stage.guest, &["rsa"], "")
    )?;
    let access = stage.access()?;
    let file = access.home.clone().context("no home")?.join(".ssh/known_hosts");
    let before = b"# mine\n\nnonsense \xff\n@revoked * ssh-rsa AAAA\nother ssh-ed25519 AAAA   # no line break";
    std::fs::write(&file, before)?;
    tokio::try_join!(
        connect("root", &stage.guest, ports.0, &access),
        connect("root", &stage.guest, ports.1, &access),
        connect("root", &stage.guest, ports.0, &access),
    )?;
    let after = std::fs::read(&file)?;
    ensure!(after.starts_with(before), "{}", String::from_utf8_lossy(&after));
    let added = String::from_utf8(after[before.len()..].to_vec())?;
    ensure!(
        added.starts_with('\n') && added.lines().filter(|line| !line.is_empty()).count() == 2,
        "{added}"
    );
    Ok(())
}

async fn a_key_that_does_not_fit_on_the_disk_leaves_known_hosts_unchanged(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let mut access = stage.access()?;
    access.host_keys = HostKeys::AcceptNew;
    let directory = access.home.clone().context("no home")?.join(".ssh");
    let (file, at) = (directory.join("known_hosts"), directory.display().to_string());
    tool("mount", &["-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", &at]).await?;
    // Leaves six bytes free in the file system.
    let before = format!("# {}\n", "x".repeat(4087));
    std::fs::write(&file, &before)?;
    let connected = connect("root", &stage.guest, port, &access).await;
    let after = std::fs::read_to_string(&file);
    tool("umount", &[&at]).await?;
    connected?;
    ensure!(after? == before);
    Ok(())
}
