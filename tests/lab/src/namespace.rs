//! Entering a lab: the same program runs again inside new namespaces.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::proc::ProcessId;
use crate::{DIR_VARIABLE, Lab, Lane, cache, image, kubernetes, network, proc, process, run, step};

/// How long the kernel may take to end all processes of a lab; it takes a tenth of a second.
const END_WITHIN: Duration = Duration::from_secs(30);

/// The result of entering a lab.
pub enum Entry {
    /// This process runs in the lab.
    Inside(Lab),
    /// This machine cannot run a lab, for this reason.
    Skip(String),
}

/// Enters a lab for tests on the default lane of Kubernetes, and on the other lanes that are built, as [`enter_for`]
/// does.
///
/// # Errors
/// Those of [`enter_for`].
pub fn enter() -> Result<Entry> {
    enter_for(&[Lane::default()])
}

/// Like [`enter_for`], for tests of which some need [`crate::Template::NfsServerWithQuota`].
///
/// # Errors
/// Those of [`enter_for`].
pub fn enter_with_quota(lane: Lane) -> Result<Entry> {
    enter_needing(&[lane], &[Extra::QUOTA])
}

/// Enters a lab. Call it first in `main`, while the process has one thread.
///
/// Outside a lab, this creates a directory and namespaces, runs the same executable with the same arguments inside, and
/// waits. SIGINT, SIGTERM, SIGHUP and SIGQUIT end the inner process with all that it started. Then it removes the
/// directory and exits with the inner status, so it does not return; if the status is not 0, it keeps the logs. Inside
/// a lab, it sets the network up and returns.
///
/// The lab has `lanes` and guests. With `NFSPROV_LAB=require` in the environment, this first installs and builds what
/// is missing, through sudo if this process is not root. Otherwise it uses only what is already built; if something is
/// missing it returns [`Entry::Skip`], or an error under `CI=true`.
///
/// # Errors
/// If the lab is required and cannot be built, or the namespaces cannot be created.
pub fn enter_for(lanes: &[Lane]) -> Result<Entry> {
    enter_needing(lanes, &[])
}

/// Like [`enter_for`], for tests with nodes ([`Lab::node`]), on the only lane that has them.
///
/// # Errors
/// Those of [`enter_for`].
pub fn enter_with_nodes() -> Result<Entry> {
    enter_needing(&[Lane::V1_20], &[Extra::NODES])
}

/// Like [`enter_for`], for tests with hosts and without Kubernetes. The hosts include [`crate::Template::RpmDouble`],
/// [`crate::Template::NfsServerWithTools`] and [`crate::Template::NfsServerWithQuota`].
///
/// # Errors
/// Those of [`enter_for`].
pub fn enter_with_hosts() -> Result<Entry> {
    enter_needing(&[], &[Extra::RPM_DOUBLE, Extra::TOOLS, Extra::QUOTA])
}

/// An artifact that some tests need besides a lane's programs and the guests' image.
struct Extra {
    /// Whether it is built.
    found: fn() -> bool,
    build: fn() -> Result<PathBuf>,
    /// The message to skip with if it is not built.
    missing: &'static str,
}

impl Extra {
    const NODES: Self = Self {
        found: || Lane::V1_20.find().is_ok() && image::node::find().is_some(),
        build: image::node::build,
        missing: "the lab's nodes are not built yet: run make test",
    };
    const RPM_DOUBLE: Self = Self {
        found: || image::rpm_double::find().is_some(),
        build: image::rpm_double::build,
        missing: "the lab's double of a host with rpm packages is not built yet: run make test",
    };
    const QUOTA: Self = Self {
        found: || image::quota::find().is_some(),
        build: image::quota::build,
        missing: "the lab's server with quotas is not built yet: run make test",
    };
    const TOOLS: Self = Self {
        found: || image::tools::find().is_some(),
        build: image::tools::build,
        missing: "the lab's server with firewalls is not built yet: run make test",
    };
}

fn enter_needing(lanes: &[Lane], extras: &[Extra]) -> Result<Entry> {
    if let Some(lab) = Lab::current() {
        network::up()?;
        return Ok(Entry::Inside(lab));
    }
    let required = std::env::var_os("NFSPROV_LAB").is_some_and(|value| value == "require");
    if required {
        elevate()?;
        for lane in lanes {
            lane.build()?;
        }
        image::build()?;
        for extra in extras {
            (extra.build)()?;
        }
    } else if let Some(why) = missing(lanes, extras) {
        return unless_complete(&why).map(|()| Entry::Skip(why));
    }
    run::remove_stale()?;
    let own = ProcessId::of(std::process::id()).context("cannot read /proc/self/stat")?;
    let dir = run::dir().join(run::scratch_name(own));
    cache::create_dir(&dir)?;
    let executable = std::env::current_exe().context("cannot tell this program's path")?;
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let ended = supervise(inside(&dir, executable.as_os_str(), &args));
    if !matches!(ended, Ok(0)) {
        let kept = run::keep_logs(&dir)?;
        step::print_line(&format!("The lab's logs are in {}.", kept.display()));
    }
    let removed = std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()));
    let code = ended?;
    removed?;
    std::process::exit(code);
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Why a lab cannot start without installing or building something; `None` if it can.
fn missing(lanes: &[Lane], extras: &[Extra]) -> Option<String> {
    if !is_root() {
        return Some("the lab needs root for namespaces and network interfaces: run make test, or be root".to_owned());
    }
    if let Some(error) = lanes.iter().find_map(|lane| lane.find().err()) {
        return Some(format!("{error:#}"));
    }
    if image::find().is_none() {
        return Some("the lab's guests are not built yet: run make test".to_owned());
    }
    let absent = extras.iter().find(|extra| !(extra.found)());
    absent.map(|extra| extra.missing.to_owned())
}

/// Fails under `CI=true`, where no test may be skipped.
fn unless_complete(why: &str) -> Result<()> {
    if std::env::var_os("CI").is_some_and(|value| value == "true") {
        bail!("{why}; under CI=true no test may be skipped");
    }
    Ok(())
}

/// Prints `skipped: why` on stderr.
///
/// # Errors
/// Under `CI=true`, where no test may be skipped.
pub fn skip(why: &str) -> Result<()> {
    unless_complete(why)?;
    step::print_line(&format!("skipped: {why}"));
    Ok(())
}

/// Continues as root: unless this process is root, sudo replaces it by the same program.
///
/// # Errors
/// If sudo cannot be run.
pub fn elevate() -> Result<()> {
    if is_root() {
        return Ok(());
    }
    step::print_line("The lab needs root for packages, namespaces and network interfaces, so it continues with sudo.");
    let executable = std::env::current_exe().context("cannot tell this program's path")?;
    let mut command = Command::new("sudo");
    command.args(["--", "setpriv", "--pdeathsig", "KILL", "--", "env"]);
    // Root's environment has other values, with which the lab would use another cache or lose the caller's choices.
    command.arg(assignment("XDG_CACHE_HOME", cache::base().as_os_str()));
    let kept = ["HOME", "PATH", "TERM", "LANG", "CI", "K8S", "KEEP"];
    let prefixes = ["NFSPROV_", "CARGO", "RUST", "KUBERNETES_"];
    for (name, value) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let downloading = kubernetes::go::INHERITED.contains(&text.as_ref());
        if downloading || kept.contains(&text.as_ref()) || prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            command.arg(assignment(&text, &value));
        }
    }
    let error = command.arg(executable).args(std::env::args_os().skip(1)).exec();
    Err(error).context("the lab needs root, and sudo cannot be run")
}

fn assignment(name: &str, value: &OsStr) -> OsString {
    let mut text = OsString::from(name);
    text.push("=");
    text.push(value);
    text
}

/// The command that runs `program` in new namespaces as the lab of `dir`. If unshare is killed, the kernel ends all
/// processes inside.
pub(crate) fn inside(dir: &Path, program: &OsStr, args: &[OsString]) -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--net",
        "--pid",
        "--mount",
        "--mount-proc",
        "--fork",
        "--kill-child",
        "--",
    ]);
    // The first process of a pid namespace must reap orphans, and gets only signals that it handles. A shell expects
    // both, an ordinary program does not. The exit keeps the shell from replacing itself by its only command.
    command
        .args(["sh", "-c", "\"$@\"; exit $?", "lab"])
        .arg(program)
        .args(args)
        .env(DIR_VARIABLE, dir);
    command
}

/// The first process of the namespaces that `unshare` created, which is its child; `None` before it starts or after it
/// ends.
pub(crate) fn first_process(unshare: u32) -> Option<u32> {
    proc::children(unshare).into_iter().next()
}

/// Ends all processes in the namespaces that the process `unshare` created, and waits until none is left.
///
/// # Errors
/// If a process does not end, for example because it waits for a broken disk.
pub(crate) fn end(unshare: u32) -> Result<()> {
    let first = first_process(unshare).and_then(ProcessId::of);
    // When unshare ends, the kernel ends the first process inside, and with it all others. unshare may have ended
    // already.
    let _ = process::kill("KILL", process::Target::Process(unshare));
    // Only its parent is notified when a process ends, so this polls. The first process counts as running until the
    // kernel has ended all others.
    let deadline = Instant::now() + END_WITHIN;
    while first.is_some_and(ProcessId::is_running) {
        if Instant::now() > deadline {
            bail!("the lab's processes did not end within {END_WITHIN:?} (the first is {first:?})");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Runs `command` (from [`inside`]) until it ends, and returns the exit code for its status.
fn supervise(command: Command) -> Result<i32> {
    // This process cannot forward SIGKILL, so the kernel ends the child when this process is killed.
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--pdeathsig", "KILL", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // One thread, because the kernel ends the child together with the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start a runtime")?.block_on(async {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ];
        let [mut interrupt, mut terminate, mut hangup, mut quit] = [
            signal(kinds[0]).context("cannot handle signals")?,
            signal(kinds[1]).context("cannot handle signals")?,
            signal(kinds[2]).context("cannot handle signals")?,
            signal(kinds[3]).context("cannot handle signals")?,
        ];
        let mut child = tokio::process::Command::from(wrapped)
            .spawn()
            .context("cannot run setpriv (Debian package util-linux)")?;
        let pid = child.id().context("unshare has no process id")?;
        let received = tokio::select! {
            status = child.wait() => return status.map(code).context("cannot wait for the lab"),
            _ = interrupt.recv() => kinds[0],
            _ = terminate.recv() => kinds[1],
            _ = hangup.recv() => kinds[2],
            _ = quit.recv() => kinds[3],
        };
        end(pid)?;
        child.wait().await.context("cannot wait for the lab")?;
        Ok(128 + received.as_raw_value())
    })
}

/// The exit code by which shells report a status.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
