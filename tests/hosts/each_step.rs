//! `setup-server` interrupted in the middle of each of its steps: the earlier state remains, or the next run finishes.
//!
//! A stand-in, found first on PATH, replaces a program that the step runs on the host. It waits at the chosen moment
//! until the test releases it, so every step is hit reliably.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nfsprov_lab::guest::{Guest, Template};
use tokio::time::timeout;

use crate::kit::Stage;
use crate::runs::{Ran, finish, nfsprov, start};

crate::tests! {
    a_run_that_is_ended_where_it_matters_most_is_finished_by_the_next;
    test_all: a_run_that_is_killed_in_any_step_is_finished_by_the_next,
    a_connection_that_is_cut_in_any_step_is_finished_by_the_next,
}

/// A moment in a step.
#[derive(Clone, Copy)]
struct Moment {
    step: &'static str,
    /// Whether the stand-in waits before or after the program's work.
    when: &'static str,
    /// The program and its arguments, as a shell pattern.
    program: &'static str,
    /// A further condition, as a shell command.
    given: &'static str,
}

const fn moment(step: &'static str, when: &'static str, program: &'static str) -> Moment {
    Moment {
        step,
        when,
        program,
        given: "true",
    }
}

/// The first needs a host without packages, so it comes first.
const MOMENTS: [Moment; 10] = [
    moment("packages", "before", "apt-get*install*"),
    // The directory exists, but its mode is not set yet.
    moment("directory", "before", "chmod*777*/srv/held/claims"),
    moment("nfs-server", "before", "mv*/etc/nfs.conf"),
    moment("nfs-server", "after", "mv*/etc/nfs.conf"),
    moment("rpcbind", "after", "systemctl*start*rpcbind.service"),
    moment("nfs-server", "before", "systemctl*start*nfs-server.service"),
    // The new file exists beside the old one.
    moment("exports", "before", "mv*/etc/exports"),
    // The new file has replaced the old one, but exportfs has not read it.
    moment("exports", "before", "exportfs*-ra"),
    moment("exports", "after", "exportfs*-ra"),
    // The work is done, but nfsprov can no longer report it.
    Moment {
        step: "exports",
        when: "after",
        program: "exportfs*-s",
        given: "grep -q /srv/held/claims /etc/exports",
    },
];

/// The moments with the greatest possible loss, and how the run is ended there: the new file is beside the old one, or
/// has replaced it and is unread.
fn worst_moments() -> [(Moment, End); 2] {
    [(MOMENTS[6], End::Killed), (MOMENTS[7], End::Cut)]
}

/// The stand-in under all its names. It waits once, at the moment in /run/hold, and writes the id of the connection's
/// sshd process to /run/held. It continues when the test removes that file. Calls that only test a file run in their
/// own mount namespace and do not wait.
const STAND_IN: &str = r#"cat >/usr/local/lib/stand-in <<'END'
#!/bin/sh
name=${0##*/}
for real in /usr/bin/$name /usr/sbin/$name; do [ ! -x "$real" ] || break; done
hold() {
    /usr/bin/mv /run/hold /run/hold.taken 2>/dev/null || return 0
    process=$$
    while [ "$process" -gt 1 ] && [ "$(cat /proc/$process/comm)" != sshd ]; do
        process=$(cut -d' ' -f4 /proc/$process/stat)
    done
    echo "$process" >/run/held.new
    /usr/bin/mv /run/held.new /run/held
    while [ -e /run/held ]; do sleep 0.3; done
}
when=
if [ -e /run/hold ] && [ "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ]; then . /run/hold; fi
[ "$when" != before ] || hold
[ "$when" = after ] || exec "$real" "$@"
"$real" "$@"
status=$?
hold
exit $status
END
chmod 755 /usr/local/lib/stand-in
for name in apt-get chmod mv systemctl exportfs; do
    # nfsprov takes exportfs for a sign that its package is installed.
    [ ! -x /usr/bin/$name ] && [ ! -x /usr/sbin/$name ] || ln -s ../lib/stand-in /usr/local/sbin/$name
done
mkdir -p /srv; printf '/srv 10.9.0.1(ro,no_subtree_check)' >/etc/exports; cp -a /etc/exports /root/exports
[ ! -x /usr/sbin/exportfs ] || /usr/sbin/exportfs -ra"#;

/// Resets the host: the packages stay installed, all other changes of nfsprov are removed.
const RESET: &str = "systemctl stop nfs-server rpcbind.socket rpcbind.service
systemctl --quiet disable nfs-server rpcbind.socket rpcbind.service 2>/dev/null
cp -a /root/exports /etc/exports; cp -a /root/nfs.conf /etc/nfs.conf
rmdir /srv/held/claims /srv/held
ln -sf ../lib/stand-in /usr/local/sbin/exportfs";

/// Waits until no process of a run is left on the host; prints which exports file exists and the number of temporary
/// files.
const SETTLED: &str = "while pgrep -f '^sh -s$' >/dev/null; do sleep 0.5; done
[ -e /root/nfs.conf ] || cp -a /etc/nfs.conf /root/
cksum </etc/exports; ls -A /etc | grep -c -e '^[.]exports' -e '^[.]nfs.conf'; true";

/// Prints the state that a complete run leaves.
const WHOLE: &str = "cksum </etc/exports; cksum </etc/nfs.conf; ls -A /etc | grep -e exports -e nfs[.]conf
stat -c '%n %a %u %g' /etc/exports /etc/nfs.conf /srv/held /srv/held/claims; exportfs -s; cat /proc/fs/nfsd/versions
for unit in rpcbind nfs-server; do systemctl is-active $unit; systemctl is-enabled $unit; done";

/// How long a step may take on a host that shares a busy processor: it may install packages.
pub const STEP_WITHIN: Duration = Duration::from_secs(600);

/// How the test ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The test kills nfsprov.
    Killed,
    /// The test closes the host's end of the connection.
    Cut,
}

async fn a_run_that_is_ended_where_it_matters_most_is_finished_by_the_next(stage: Arc<Stage>) -> Result<()> {
    ended_in_steps(&stage, "ended-in-step", Template::NfsServer, worst_moments()).await
}

async fn a_run_that_is_killed_in_any_step_is_finished_by_the_next(stage: Arc<Stage>) -> Result<()> {
    let moments = MOMENTS.into_iter().map(|moment| (moment, End::Killed));
    ended_in_steps(&stage, "killed-in-step", Template::NfsClient, moments).await
}

async fn a_connection_that_is_cut_in_any_step_is_finished_by_the_next(stage: Arc<Stage>) -> Result<()> {
    let moments = MOMENTS.into_iter().map(|moment| (moment, End::Cut));
    ended_in_steps(&stage, "cut-in-step", Template::NfsClient, moments).await
}

async fn ended_in_steps(
    stage: &Stage,
    name: &str,
    template: Template,
    moments: impl IntoIterator<Item = (Moment, End)>,
) -> Result<()> {
    let guest = stage.lab.guest(name, template).await?;
    guest.ssh(STAND_IN).await?;
    let target = format!("root@{}", guest.address());
    let setup = [
        "setup-server",
        &target,
        "--export",
        "/srv/held/claims",
        "--allow",
        "10.77.0.0/16",
    ];
    // Not both versions, so that the step changes nfs.conf.
    let setup = [&setup[..], &["--nfs-version", "3"]].concat();
    let before = guest.ssh("cksum </etc/exports").await?;
    let mut whole: Option<[String; 2]> = None;
    for (number, (moment, end)) in moments.into_iter().enumerate() {
        let at = format!("{end:?} in {}, {} {}", moment.step, moment.when, moment.program);
        if number > 0 {
            guest.ssh(RESET).await.with_context(|| at.clone())?;
        }
        let ran = end_at_moment(stage, &guest, &setup, &moment, end)
            .await
            .with_context(|| at.clone())?;
        // The last line of its output names the current step: the test hit the intended one.
        let begun = format!("{}: ", guest.address());
        let last = ran
            .stderr
            .lines()
            .rfind(|line| line.starts_with(&begun) && !line.contains("failed: ") && !line.contains(": warning: "));
        let step = format!("{begun}{}: ", moment.step);
        ensure!(last.is_some_and(|line| line.starts_with(&step)), "{at}: {}", ran.stderr);

        let settled = timeout(STEP_WITHIN, guest.ssh(SETTLED)).await;
        let settled = settled.with_context(|| format!("{at}: a step does not end"))??;
        let (file, rest) = settled.split_once('\n').context("no state")?;
        let after = whole.as_ref().map(|[exports, _]| exports.trim());
        ensure!(
            file == before.trim() || after.is_none_or(|after| file == after),
            "{at}: another file than before or after: {settled}"
        );
        ensure!(rest.trim() == "0", "{at}: temporary files are left: {settled}");
        if moment.step != "exports" {
            ensure!(file == before.trim(), "{at}: the exports were not its business");
        }

        let next = nfsprov(stage, &setup)
            .await?
            .expect_status(0)
            .with_context(|| at.clone())?;
        let now = [guest.ssh("cksum </etc/exports").await?, guest.ssh(WHOLE).await?];
        ensure!(
            now[1].contains("/srv/held/claims  10.77.0.0/16("),
            "{at}: {}\n{next:?}",
            now[1]
        );
        match &whole {
            Some(whole) => ensure!(now == *whole, "{at}, then a run: {now:?} is not {whole:?}"),
            None => whole = Some(now),
        }
        let check = [&setup[..], &["--check"]].concat();
        nfsprov(stage, &check)
            .await?
            .expect_status(0)
            .with_context(|| format!("{at}: after the next run"))?;
    }
    Ok(())
}

/// Starts a run, waits until it reaches the moment, and ends it; then releases the stand-in on the host.
async fn end_at_moment(stage: &Stage, guest: &Guest, setup: &[&str], moment: &Moment, end: End) -> Result<Ran> {
    let Moment {
        when, program, given, ..
    } = moment;
    // The patterns have `*` in place of blanks, which would end a pattern.
    let hold = format!("case \"$name $*\" in {program}) if {given}; then when={when}; fi ;; esac");
    guest.ssh(&format!("cat >/run/hold <<'END'\n{hold}\nEND")).await?;
    let started = Instant::now();
    let mut child = start(stage, &stage.home()?, setup)?;
    let held = guest.ssh("while [ ! -e /run/held ]; do sleep 0.3; done; cat /run/held");
    let session = tokio::select! {
        held = timeout(STEP_WITHIN, held) => held.context("the run never reached that moment")??,
        status = child.wait() => bail!("it ended before that moment: {:?}\n{:?}", status?, finish(child, started).await?),
    };
    match end {
        End::Killed => child.start_kill()?,
        End::Cut => drop(guest.ssh(&format!("kill -9 {session}")).await?),
    }
    let ran = finish(child, started).await?;
    let expected = match end {
        End::Killed => None,
        End::Cut => Some(1),
    };
    ensure!(ran.status == expected, "{ran:?}");
    guest.ssh("rm /run/held").await?;
    Ok(ran)
}
