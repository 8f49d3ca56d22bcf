//! Setup with rpm packages, on doubles: guests with real dnf, rpm and a repository, whose os-release is that of Rocky
//! Linux 9 and whose userland is Debian's. They show only the parts about packages and services, not such a host's own
//! exportfs, SELinux or firewalld.

use std::sync::Arc;

use anyhow::{Result, ensure};
use nfsprov_lab::guest::Template;

use crate::kit::Stage;
use crate::setup::{STATE, nfsprov, report, steps};

crate::tests! {
    the_rpm_double_becomes_a_server_with_dnf,
}

async fn the_rpm_double_becomes_a_server_with_dnf(stage: Arc<Stage>) -> Result<()> {
    let (server, client) = tokio::try_join!(
        stage.lab.guest("rpm-double-server", Template::RpmDouble),
        stage.lab.guest("rpm-double-client", Template::RpmDouble)
    )?;
    // The double has neither Debian's package tools nor NFS.
    let nothing = "for name in apt-get dpkg-query exportfs rpcbind; do command -v $name; done
rpm --query nfs-utils rpcbind; ls -d /nfsdata /etc/exports 2>&1; true";
    let before = server.ssh(nothing).await?;
    ensure!(
        before.lines().count() == 4
            && before.matches("not installed").count() == 2
            && before.matches("No such").count() == 2,
        "{before}"
    );
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
    let check = [&setup[..], &["--check"]].concat();

    let looked = report(&nfsprov(&stage, &check).await?, 4)?;
    ensure!(looked["wouldChange"] == true, "{looked}");
    ensure!(server.ssh(nothing).await? == before, "it looked only");

    let first = report(&nfsprov(&stage, &setup).await?, 0)?;
    let system = steps(&first, &at, "ok");
    ensure!(
        system
            .iter()
            .any(|step| step.starts_with("system: a double of Rocky Linux 9")),
        "{system:?}"
    );
    let changed = steps(&first, &at, "changed");
    for step in [
        "packages: install nfs-utils".to_owned(),
        "directory: make /nfsdata, mode 0777".to_owned(),
        "nfs-server: start and enable nfs-server".to_owned(),
        format!("exports: export /nfsdata to {from}"),
    ] {
        ensure!(changed.contains(&step), "{step}: {changed:?}");
    }
    ensure!(
        steps(&first, &from, "changed") == ["packages: install nfs-utils"],
        "{first}"
    );
    for version in ["4", "3"] {
        let words = format!("proof: mounted {at}:/nfsdata with NFS {version}, written to, read back");
        ensure!(steps(&first, &from, "ok").contains(&words), "{first}");
    }
    // dnf installed the packages, with the names of such a host.
    let history = server
        .ssh("dnf --quiet history info last; rpm --query nfs-utils rpcbind; systemctl is-enabled nfs-server; systemctl cat nfs.service nfs-kernel-server.service 2>&1; true")
        .await?;
    ensure!(
        history.contains("-y --setopt=exit_on_lock=1 install nfs-utils")
            && history.contains("\nenabled\n")
            && history.contains("No files found"),
        "{history}"
    );

    let state = server.ssh(STATE).await?;
    let second = report(&nfsprov(&stage, &setup).await?, 0)?;
    ensure!(second["changed"] == false, "{second}");
    let left = [&at, &from].map(|host| [steps(&second, host, "failed"), steps(&second, host, "not done")].concat());
    ensure!(left.iter().all(Vec::is_empty), "{second}");
    let after = server.ssh(STATE).await?;
    ensure!(after == state, "the second run changed something:\n{state}\n{after}");
    report(&nfsprov(&stage, &check).await?, 0)?;

    client
        .ssh(&format!(
            "mount -t nfs {at}:/nfsdata /mnt && echo hello >/mnt/file && umount /mnt"
        ))
        .await?;
    ensure!(server.ssh("cat /nfsdata/file").await? == "hello\n");
    let teardown = ["teardown-server", &host, "--export", "/nfsdata", "--yes", "-o", "json"];
    report(&nfsprov(&stage, &teardown).await?, 0)?;
    ensure!(server.ssh("cat /etc/exports; exportfs -s; cat /nfsdata/file").await? == "hello\n");
    Ok(())
}
