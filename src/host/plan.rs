//! Plans: from a host's facts to the steps that change it (PURE); the main type is [`Plan`]. Nothing here runs a
//! script.
//!
//! The plan that is shown is the plan that is carried out: each step that changes something holds the script that
//! does so, verifies the change, and undoes it on failure.

mod client;
mod desired;
mod exports;
mod firewall;
mod nfs_server;
mod quota;
#[cfg(test)]
mod script_tests;
mod server;
#[cfg(test)]
mod server_tests;
mod services;
mod share;
mod teardown;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::distro::{self, Choice, Installer, OsRelease};
use super::exports_file::{ActiveExport, DesiredExport};
use super::facts::{Facts, Support};
use crate::shell::quote;

pub use client::plan_client;
pub use desired::{DesiredServer, Quota, Versions};
pub use server::plan_server;
pub use share::plan_share;
pub use teardown::plan_teardown;

/// The timeout of a step's script without output.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long the package manager waits for another installation.
const WAIT_FOR_PACKAGES: Duration = Duration::from_secs(300);

/// The timeout of an installation without output: some packages are slow to set up.
const PATIENCE_WITH_PACKAGES: Duration = Duration::from_secs(900);

/// The status of a step's script that failed and undid its changes.
pub const FAILED_AND_UNDONE: u8 = 120;

/// The status of a step's script that failed, and could not undo all of its changes.
pub const FAILED_NOT_UNDONE: u8 = 121;

/// How far clocks may differ before files look as if they came from the future, in seconds.
const CLOCKS_DIFFER: i64 = 60;

/// The name of a step after which the facts are gathered again: packages bring files and services.
pub const PACKAGES: &str = "packages";

/// Another one: when the server starts, it exports what others' lines say.
pub const NFS_SERVER: &str = "nfs-server";

/// The steps for one host, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, in the order in which they are applied.
    pub steps: Vec<Step>,
}

/// One step of a plan: a change with its verification, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name in reports, a word.
    pub name: &'static str,
    /// What it does.
    pub state: State,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
    /// The files that it changes.
    pub files: Vec<FileChange>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Already in the requested state; why, for the report.
    Ok(String),
    /// It is not needed on this host; why.
    Skipped(String),
    /// It changes the host.
    Change {
        /// The change in words.
        why: String,
        /// How the host is changed.
        action: Action,
    },
    /// It cannot be done, so no step is applied on this host; why.
    Refused(String),
}

/// How a step changes the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// By this script, which undoes its change on failure.
    Script {
        text: String,
        /// The timeout without output.
        patience: Duration,
    },
    /// By a script that predicts what will be exported, and if that is right, by one that changes it.
    Exports(Box<ExportsChange>),
}

/// A change of the exports, with what its prediction is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportsChange {
    /// Prints what would be exported after the change, and changes nothing.
    pub predict: String,
    /// Makes the change, and undoes it unless exactly `$expected` is exported then, which is set before it.
    pub commit: String,
    /// The active exports before.
    pub before: Vec<ActiveExport>,
    /// The exports of the directory in nfsprov's block before.
    pub own_before: Vec<ActiveExport>,
    /// The desired export; None for a teardown.
    pub wanted: Option<DesiredExport>,
}

/// A change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The path of the file.
    pub path: String,
    /// What it holds; None if it isn't there.
    pub before: Option<Vec<u8>>,
    /// What it will hold.
    pub after: Vec<u8>,
}

impl Plan {
    /// Whether a step would change something; true also if another step is refused, so that none is applied.
    pub fn has_changes(&self) -> bool {
        let changes = |step: &Step| matches!(step.state, State::Change { .. });
        self.steps.iter().any(changes)
    }

    /// Whether a step is refused, so that none is applied.
    pub fn is_refused(&self) -> bool {
        self.reason_refused().is_some()
    }

    /// The first step that is refused, and why, as `STEP: WHY`.
    pub fn reason_refused(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match &step.state {
            State::Refused(why) => Some(format!("{}: {why}", step.name)),
            _ => None,
        })
    }
}

impl Step {
    /// A step without warnings, which lists no file.
    fn new(name: &'static str, state: State) -> Self {
        Self {
            name,
            state,
            warnings: Vec::new(),
            files: Vec::new(),
        }
    }

    /// A step that makes no change, since the host is already in the requested state.
    fn ok(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, State::Ok(why.into()))
    }

    /// A step that this host does not need: it changes nothing, and the other steps are applied.
    fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, State::Skipped(why.into()))
    }

    /// A step that can't be done, so that no step is applied on this host.
    fn refused(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, State::Refused(why.into()))
    }

    /// A step that runs the script `text`, which has to undo its change on failure, and to print something at least
    /// every 120 s.
    fn change(name: &'static str, why: impl Into<String>, text: String) -> Self {
        let action = Action::Script {
            text,
            patience: PATIENCE,
        };
        Self::new(
            name,
            State::Change {
                why: why.into(),
                action,
            },
        )
    }

    /// The step with one more warning.
    fn with_warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

/// A script that runs `change`, then `verify`; if either fails, it runs `undo` and exits with [`FAILED_AND_UNDONE`], or
/// with [`FAILED_NOT_UNDONE`] if that fails, too. Both parts run in subshells under `set -e`: `undo` sees no variable
/// that `change` sets.
fn with_undo(change: &str, verify: &str, undo: &str) -> String {
    format!(
        "(set -e\n{change}\n{verify}\n)\n[ $? = 0 ] && exit 0\n\
         (set -e\n{undo}\n)\n[ $? = 0 ] && exit {FAILED_AND_UNDONE}\nexit {FAILED_NOT_UNDONE}\n"
    )
}

/// A file that exists while there is `/run`, and which only root can make there.
const LOCK: &str = "/run/nfsprov.lock";

/// How long a step waits for that of another nfsprov on the same host, in seconds; then the next run may try.
const LOCK_WITHIN: u64 = 60;

/// A script that runs while no other nfsprov changes the host, and to its end even when the connection that it came by
/// is cut. It waits up to 60 s for another run, then exits with [`FAILED_AND_UNDONE`]; a host without flock(1) runs it
/// at once. What it starts does not inherit the lock.
pub(super) fn exclusive_script(script: &str) -> String {
    exclusive_by(LOCK, LOCK_WITHIN, script)
}

/// A script that runs `script` under the file lock `lock`; if another run holds it for `seconds`, it exits with
/// [`FAILED_AND_UNDONE`] instead. A hangup doesn't end it. A host without flock(1) runs it without the lock.
fn exclusive_by(lock: &str, seconds: u64, script: &str) -> String {
    format!(
        "trap '' HUP PIPE\nif command -v flock >/dev/null; then\nexec 9>>{}\nflock -w {seconds} 9 || {{\n\
         echo 'another nfsprov is changing this host; try again when it has ended' >&2\nexit {FAILED_AND_UNDONE}\n}}\nfi\n\
         (\n{script}\n) 9>&-\n",
        quote(lock)
    )
}

/// A shell's `printf` command that prints exactly these bytes.
fn printf_command(content: &[u8]) -> String {
    let mut format = String::with_capacity(content.len() + 16);
    for byte in content {
        match byte {
            b'%' => format.push_str("%%"),
            b'\\' => format.push_str(r"\\"),
            b'\n' | b'\t' | b' '..=b'~' => format.push(char::from(*byte)),
            other => format.push_str(&format!(r"\{other:03o}")),
        }
    }
    format!("printf {}", quote(&format))
}

/// Shell functions: `put_file` writes `content` to the file `path`, `restore_file` writes its earlier content back.
/// `put_file` fails, and changes nothing, if the file has changed since the facts were gathered: `checksum` is
/// cksum(1)'s, or empty for a file that did not exist. Mode, owner and label are kept; a new file can be read by all,
/// and its directory is created if it is missing. The file is replaced at once, so readers never see half of it.
///
/// `path` is absolute and no symbolic link. Both functions have to run in the same shell, no subshell of it: else
/// `restore_file` restores nothing and succeeds. The script must set no trap on EXIT of its own.
fn replace_file(path: &str, checksum: &str, content: &[u8]) -> String {
    format!(
        "file={} checksum={}\n[ ! -L \"$file\" ] || file=$(readlink -f \"$file\") || exit {FAILED_AND_UNDONE}\n\
         content() {{\n{}\n}}\n{REPLACE_FILE}",
        quote(path),
        quote(checksum),
        printf_command(content)
    )
}

/// A symbolic link stays one: the file that it leads to is replaced. cat says why something can't be written, which a
/// shell's own printf may not.
const REPLACE_FILE: &str = r#"folder=${file%/*} made= placed= new= old=${file%/*}/.${file##*/}.nfsprov-before
trap 'rm -f "$new" "$old"' EXIT
put_file() {
  now=
  [ ! -e "$file" ] || now=$(cksum <"$file")
  [ "$now" = "$checksum" ] || { echo "$file was changed by another program just now" >&2; return 1; }
  if [ ! -d "$folder" ]; then
    mkdir "$folder" || return
    made=yes
  fi
  if new=$(mktemp "$folder/.${file##*/}.XXXXXX") && keep_file && content | cat >"$new" && sync_to "$new" &&
    mv -f "$new" "$file"; then
    placed=yes
    sync_to "$folder"
  else
    restore_file
    return 1
  fi
}
keep_file() {
  rm -f "$old"
  if [ -e "$file" ]; then cp -a "$file" "$new" && cp -a "$file" "$old"; else chmod 644 "$new"; fi
}
restore_file() {
  if [ -z "$placed" ]; then
    rm -f "$new"
  elif [ -e "$old" ]; then
    mv -f "$old" "$file" || return
  else
    rm -f "$file" || return
  fi
  [ -z "$made" ] || rmdir "$folder" || return
  sync_to "$folder"
}
sync_to() {
  sync "$1" 2>/dev/null || sync
}
"#;

/// Why another login than root's is refused.
pub(super) const ONLY_ROOT: &str = "only root can do this: log in as root@HOST, or pass --sudo";

/// Refuses a login other than root's, finds the host's distribution, and warns if the host's clock differs from `now`,
/// in seconds since 1970, by more than a minute. `None` if the step is refused, so that no further step is possible.
fn plan_system(facts: &Facts, now: i64) -> (Step, Option<Choice>) {
    const NAME: &str = "system";
    if facts.uid != Some(0) {
        return (Step::refused(NAME, ONLY_ROOT), None);
    }
    let release = OsRelease::parse(&facts.os_release);
    let choice = distro::choose_distro(&release, &facts.programs);
    let mut step = Step::ok(NAME, release.name);
    if let Some(guess) = &choice.guessed {
        step = step.with_warning(guess.clone());
    }
    let apart = facts.clock.map_or(0, |clock| (clock - now).abs());
    if apart > CLOCKS_DIFFER {
        let direction = if facts.clock < Some(now) { "behind" } else { "ahead of" };
        step = step.with_warning(format!(
            "its clock is {apart} s {direction} this machine's; is a time service running?"
        ));
    }
    (step, Some(choice))
}

/// Installs the package that a host needs, unless it or its program is there, and the `missing` packages, each given
/// with the program that it is for. Refused if packages are missing, and the host has no package manager that nfsprov
/// runs. Packages stay installed if a later step fails.
fn plan_packages(facts: &Facts, choice: &Choice, (package, program): (&str, &str), missing: &[(&str, &str)]) -> Step {
    let is_installed = facts.packages.contains(package);
    let is_there = is_installed || facts.has_program(program);
    let mut packages = if is_there { Vec::new() } else { vec![package] };
    for (package, _) in missing {
        if !packages.contains(package) {
            packages.push(package);
        }
    }
    if packages.is_empty() {
        return match is_installed {
            true => Step::ok(PACKAGES, format!("{package} installed")),
            false => Step::ok(PACKAGES, format!("{program} is there")),
        };
    }
    let manager = match &choice.installer {
        Installer::Manager(manager) => manager,
        nothing => return Step::refused(PACKAGES, nothing.refusal(&packages).unwrap_or_default()),
    };
    let install = format!("(set +e\n{}\n)", manager.install(&packages, WAIT_FOR_PACKAGES));
    let mut verify: String = packages.iter().map(|package| manager.query(package) + "\n").collect();
    for (package, program) in missing {
        verify += &format!(
            "command -v {program} >/dev/null || {{ echo '{package} is installed, and {program} is missing' >&2; exit 1; }}\n"
        );
    }
    // What was installed stays when something after it fails: the next run goes on from there.
    let text = with_undo(&install, &verify, ":");
    let action = Action::Script {
        text,
        patience: PATIENCE_WITH_PACKAGES,
    };
    let why = format!("install {}", packages.join(" and "));
    Step::new(PACKAGES, State::Change { why, action })
}

/// Refused if the kernel has no NFS server or client, which `what` names. A module that it has may still fail to load.
fn plan_kernel(facts: &Facts, support: Support, what: &str) -> Step {
    const NAME: &str = "kernel";
    match support {
        Support::Yes => Step::ok(NAME, format!("{} has the NFS {what}", facts.kernel)),
        Support::Module => Step::ok(NAME, format!("{} has a module for the NFS {what}", facts.kernel)),
        Support::No => Step::refused(
            NAME,
            format!(
                "the kernel has no NFS {what}: {} has it neither built in nor as a module; for a container, load the module on its host",
                facts.kernel
            ),
        ),
    }
}

/// Turns a boolean of SELinux on permanently, where SELinux enforces and its policy has it; skipped elsewhere.
fn plan_selinux(facts: &Facts, boolean: &str) -> Step {
    const NAME: &str = "selinux";
    match &facts.selinux {
        None => Step::skipped(NAME, "not enforcing"),
        Some(booleans) => match booleans.get(boolean) {
            None => Step::skipped(NAME, format!("its policy has no {boolean}")),
            Some(true) => Step::ok(NAME, format!("{boolean} is on")),
            Some(false) => {
                let verify = format!("getsebool {boolean} | grep -q 'on$'");
                let set = |state: &str| format!("setsebool -P {boolean} {state}");
                let text = with_undo(&set("on"), &verify, &set("off"));
                Step::change(NAME, format!("turn {boolean} on"), text)
            }
        },
    }
}
