//! A failure in each step of `setup-server` on a server behind a firewall with other clients: each file, the exports,
//! the services and the firewall's rules are unchanged or as planned.
//!
//! A stand-in, found first on PATH, replaces a program that a step runs, and fails once at the chosen moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov_lab::guest::Template;

use crate::kit::Stage;
use crate::runs::{nfsprov, serving_on};

crate::tests! {
    ; test_all: a_fault_before_the_exports_leaves_each_part_unchanged_or_as_planned,
    a_fault_in_the_exports_or_the_firewall_leaves_each_part_unchanged_or_as_planned
}

/// A program call, as a shell pattern, that fails before or after its work.
struct Fault {
    step: &'static str,
    when: &'static str,
    call: &'static str,
    /// A command that succeeds once the run has reached the step.
    given: &'static str,
}

const fn fault(step: &'static str, when: &'static str, call: &'static str) -> Fault {
    Fault {
        step,
        when,
        call,
        given: "true",
    }
}

const FAULTS: [Fault; 15] = [
    fault("directory", "before", "mkdir*/srv/new*"),
    fault("directory", "before", "chmod*/srv/new*"),
    fault("nfs-server", "before", "mktemp*nfs.conf*"),
    fault("nfs-server", "before", "mv*/etc/nfs.conf"),
    fault("nfs-server", "before", "systemctl*start*rehearsal*"),
    fault("nfs-server", "before", "systemctl*restart*rpc-statd*"),
    fault("nfs-server", "before", "systemctl*restart*nfs-server*"),
    fault("nfs-server", "after", "systemctl*restart*nfs-server*"),
    // Both steps predict the exports; the second one after nfs.conf was changed.
    fault("nfs-server", "before", "unshare*"),
    Fault {
        given: "grep -q port=20048 /etc/nfs.conf",
        ..fault("exports", "before", "unshare*")
    },
    fault("exports", "before", "mv*/etc/exports"),
    fault("exports", "before", "exportfs*-ra"),
    fault("firewall", "before", "ufw*allow*tcp*"),
    fault("firewall", "before", "ufw*allow*udp*"),
    fault("firewall", "after", "ufw*allow*udp*"),
];

/// /run/fault has the failing calls, as a shell list. Calls that only test a file run in their own mount namespace.
const STAND_IN: &str = r#"cat >/usr/local/lib/stand-in <<'END'
#!/bin/sh
name=${0##*/}
for real in /usr/bin/$name /usr/sbin/$name; do [ ! -x "$real" ] || break; done
when=
if [ -e /run/fault ] && [ "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ]; then . /run/fault; fi
[ -z "$when" ] || /usr/bin/mv /run/fault /run/fault.taken
[ "$when" != after ] || "$real" "$@"
[ -z "$when" ] || { echo "$name: a fault" >&2; exit 1; }
exec "$real" "$@"
END
chmod 755 /usr/local/lib/stand-in
for name in mkdir chmod mktemp mv systemctl unshare exportfs ufw; do ln -s ../lib/stand-in /usr/local/sbin/$name; done
echo '/srv/other 10.9.0.1(ro,no_subtree_check)' >/etc/exports; exportfs -ra
cp -a /etc/exports /etc/nfs.conf /root/
ufw allow 22/tcp >/dev/null; ufw --force enable >/dev/null"#;

/// Resets the server.
const RESET: &str = r#"rm -f /run/fault /run/fault.taken
cp -a /root/exports /etc/exports; cp -a /root/nfs.conf /etc/nfs.conf; exportfs -ra
systemctl restart rpc-statd nfs-server
ufw show added | sed -n "s/^ufw \(.*\) comment 'nfsprov'/\1/p" | while read -r rule; do ufw delete $rule </dev/null >/dev/null; done
if [ -d /srv/new ]; then rmdir /srv/new; fi"#;

/// Prints what must be unchanged or as planned, one part a line.
const PARTS: &str = r#"echo "exports $(cksum </etc/exports)"
echo "exported $(exportfs -s 2>/dev/null | sort | tr '\n' ';')"
echo "nfs.conf $(cksum </etc/nfs.conf)"
echo "active $(systemctl is-active rpcbind nfs-server rpc-statd | tr '\n' ' ')"
echo "enabled $(systemctl is-enabled rpcbind nfs-server | tr '\n' ' ')"
echo "served $(cat /proc/fs/nfsd/versions)"
echo "firewall $(ufw show added | tr '\n' ';')"
echo "directory $(stat -c '%a %u %g' /srv/new 2>/dev/null)"
echo "temporary $(ls -A /etc | grep -e '^[.]exports' -e '^[.]nfs.conf' | tr '\n' ' ')""#;

fn parts(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(' ')).collect()
}

/// Two tests share the failures, because all of them take longer than one test may on a busy machine.
fn is_before_exports(fault: &Fault) -> bool {
    ["directory", "nfs-server"].contains(&fault.step)
}

async fn a_fault_before_the_exports_leaves_each_part_unchanged_or_as_planned(stage: Arc<Stage>) -> Result<()> {
    fail_each(
        &stage,
        "faults-before-exports",
        FAULTS.into_iter().filter(is_before_exports),
    )
    .await
}

async fn a_fault_in_the_exports_or_the_firewall_leaves_each_part_unchanged_or_as_planned(
    stage: Arc<Stage>,
) -> Result<()> {
    let faults = FAULTS.into_iter().filter(|fault| !is_before_exports(fault));
    fail_each(&stage, "faults-from-exports", faults).await
}

async fn fail_each(stage: &Stage, name: &str, faults: impl Iterator<Item = Fault>) -> Result<()> {
    let (guest, _) = serving_on(stage, name, Template::NfsServerWithTools).await?;
    guest.ssh(STAND_IN).await?;
    let target = format!("root@{}", guest.address());
    let setup = [
        "setup-server",
        &target,
        "--export",
        "/srv/new",
        "--allow",
        "10.77.0.0/16",
    ];
    let before = guest.ssh(PARTS).await?;
    nfsprov(stage, &setup).await?.expect_status(0)?;
    let wanted = guest.ssh(PARTS).await?;
    for Fault {
        step,
        when,
        call,
        given,
    } in faults
    {
        let at = format!("a fault in {step}, {when} {call}");
        guest.ssh(RESET).await.with_context(|| at.clone())?;
        ensure!(guest.ssh(PARTS).await? == before, "{at}: not reset");
        let condition = format!("case \"$name $*\" in {call}) if {given}; then when={when}; fi ;; esac");
        guest.ssh(&format!("cat >/run/fault <<'END'\n{condition}\nEND")).await?;
        let ran = nfsprov(stage, &setup).await?;
        ensure!(
            guest.ssh("ls /run/fault.taken").await.is_ok(),
            "{at}: the fault never occurred: {ran:?}"
        );
        let after = guest.ssh(PARTS).await?;
        let failed = ran.stderr.contains(&format!("{step} failed"));
        ensure!(failed || (ran.status == Some(0) && after == wanted), "{at}: {ran:?}");
        for (part, state) in parts(&after) {
            let known = [parts(&before)[part], parts(&wanted)[part]];
            ensure!(
                known.contains(&state),
                "{at}: {part} is {state}, which is none of {known:?}\n{ran:?}"
            );
        }
        let next = nfsprov(stage, &setup)
            .await?
            .expect_status(0)
            .with_context(|| at.clone())?;
        ensure!(
            guest.ssh(PARTS).await? == wanted,
            "{at}: the next run does not finish: {next:?}"
        );
    }
    // Exports that no file defines survive all failures: every step that would remove them is refused.
    guest.ssh(RESET).await?;
    guest.ssh("exportfs -o ro,no_subtree_check 10.9.0.9:/srv/other").await?;
    let with_cluster_manager = guest.ssh(PARTS).await?;
    nfsprov(stage, &setup).await?.expect_status(1)?;
    ensure!(guest.ssh(PARTS).await? == with_cluster_manager);
    Ok(())
}
