//! A step that starts and enables a [`Service`] of a server under systemd or OpenRC (PURE). Scripts are built here, and
//! run by `apply`.

use super::exports::IN_NAMESPACE;
use super::{FAILED_AND_UNDONE, FAILED_NOT_UNDONE, PATIENCE, Step, with_undo};
use crate::host::facts::{Facts, Init, Unit};
use crate::shell::quote;

/// A service that should run, now and after a restart.
pub(super) struct Service<'a> {
    /// The step's name.
    pub(super) step: &'static str,
    /// What it may be called, the best name first.
    pub(super) names: &'a [&'a str],
    /// Why it must be started anew although it runs.
    pub(super) restart: Option<String>,
    /// Says what is wrong, and fails, if it does not do what it should although it was started.
    pub(super) proof: &'a str,
    /// Whether statd reads the changed configuration, too, and sets lockd's ports by it, which lockd takes at its
    /// start.
    pub(super) restarts_statd: bool,
    /// Shell functions `put_file` and `restore_file` for its configuration, which changes with its start.
    pub(super) file: Option<String>,
}

/// The first of these services that a host has, also if it is masked; `None` if it has none of them yet.
pub(super) fn find_unit<'a>(facts: &Facts, names: &[&'a str]) -> Option<(&'a str, Unit)> {
    let mut found = names.iter().map(|name| (*name, facts.unit(name)));
    found.find(|(_, unit)| unit.exists || unit.masked)
}

/// Starts and enables a service, and restarts a running one if `service.restart` gives a reason. Its script finds out
/// which of the names the host has: a package may bring it first. Refused if the service is masked, or neither systemd
/// nor OpenRC runs. The file and the proof are left out where the service needs no change.
pub(super) fn plan_service(facts: &Facts, service: &Service) -> Step {
    let name = service.step;
    let found = find_unit(facts, service.names);
    let known = found.as_ref().map_or(service.names[0], |(name, _)| name);
    let unit = found.map(|(_, unit)| unit).unwrap_or_default();
    if unit.masked {
        let why = format!("{known} is masked; allow it with: systemctl unmask {known}");
        return Step::refused(name, why);
    }
    let mut verbs = Vec::new();
    if !unit.active {
        verbs.push("start");
    } else if service.restart.is_some() {
        verbs.push("restart");
    }
    if !unit.enabled {
        verbs.push("enable");
    }
    if verbs.is_empty() {
        return Step::ok(name, format!("{known} runs, and will after a restart of the host"));
    }
    let text = match &facts.init {
        Init::Systemd => service_script(service, &unit, &verbs, &SYSTEMD),
        Init::OpenRc => service_script(service, &unit, &verbs, &OPENRC),
        Init::Other(other) => {
            return Step::refused(name, format!("neither systemd nor OpenRC runs here, but {other:?}"));
        }
        Init::Unknown => return Step::refused(name, "neither systemd nor OpenRC runs here"),
    };
    let mut why = format!("{} {known}", verbs.join(" and "));
    if let Some(reason) = service.restart.as_ref().filter(|_| unit.active) {
        why = format!("{why}: {reason}");
    }
    Step::change(name, why, text)
}

/// A script that runs `look` in a loop over the possible names of the service, each as `$name`. If the host has it,
/// `look` sets `$unit` and leaves the loop. Exits with [`FAILED_AND_UNDONE`] if the host has none of them.
fn find_unit_script(service: &Service, look: &str) -> String {
    format!(
        "unit=\nfor name in {}; do\n  {look}\ndone\n[ -n \"$unit\" ] || {{ echo {} >&2; exit {FAILED_AND_UNDONE}; }}\n",
        service.names.join(" "),
        quote(&format!("no service is called {}", service.names.join(" or "))),
    )
}

/// The commands of an init system.
struct Commands {
    /// Finds the service: see [`find_unit_script`].
    look: &'static str,
    /// Starts or restarts it, as `$verb` says.
    run: &'static str,
    /// Restarts statd, if it runs.
    restart_statd: &'static str,
    stop: &'static str,
    enable: &'static str,
    disable: &'static str,
    /// Fails, and says why, unless it runs.
    verify: &'static str,
    /// Fails, and says why, if it could not be started again.
    rehearse: &'static str,
}

const SYSTEMD: Commands = Commands {
    look: r#"if systemctl cat "$name.service" >/dev/null 2>&1; then
    unit=$(systemctl show --property Id "$name.service" | sed 's/^Id=//'); break
  fi"#,
    // systemctl's own error only names commands that show the cause; these lines print what they show.
    run: r#"systemctl reset-failed "$unit" 2>/dev/null || :
systemctl $verb "$unit" || {
  systemctl status --no-pager --lines 0 "$unit" 2>&1 | grep Active: >&2
  # systemd may have started it again meanwhile.
  journalctl --unit "$unit" --lines 20 --no-pager --quiet --output cat |
    grep -v -e '^Starting ' -e '^Stopped ' -e ': Scheduled restart job' | tail -n 5 >&2
  prove
  exit 1
}
"#,
    restart_statd: "if systemctl --quiet is-active rpc-statd.service; then systemctl restart rpc-statd.service; fi\n",
    // It may warn, after the words that matter.
    stop: "systemctl stop \"$unit\" 2>/dev/null\n",
    enable: "systemctl --quiet enable \"$unit\"\n",
    disable: "systemctl --quiet disable \"$unit\"\n",
    verify: r#"systemctl --quiet is-active "$unit" || {
  prove
  echo "$unit was started and is $(systemctl is-active "$unit")" >&2
  exit 1
}
"#,
    // A unit with all that comes before the start of this one, and nothing else of it.
    rehearse: r#"try=nfsprov-rehearsal.service file_of=/run/systemd/system/nfsprov-rehearsal.service
{
  systemctl cat "$unit" | awk '/^\[/ { keep = /^\[Service\]/ } keep'
  printf '%s\n' '[Service]' Type=oneshot RemainAfterExit=no ExecStart= ExecStart=/bin/true ExecReload= ExecStop= ExecStopPost=
} >$file_of
systemctl daemon-reload
systemctl start $try 2>/dev/null
status=$?
if [ $status != 0 ]; then
  echo "$unit could not be started again:" >&2
  journalctl --unit $try --lines 5 --no-pager --quiet --output cat >&2
  systemctl reset-failed $try
fi
rm $file_of
systemctl daemon-reload
[ $status = 0 ]
"#,
};

const OPENRC: Commands = Commands {
    look: "if rc-service --exists \"$name\"; then unit=$name; break; fi",
    run: "rc-service \"$unit\" $verb\n",
    restart_statd: "if rc-service rpc.statd status >/dev/null 2>&1; then rc-service rpc.statd restart; fi\n",
    stop: "rc-service \"$unit\" stop 2>/dev/null\n",
    enable: "rc-update --quiet add \"$unit\" default\n",
    disable: "rc-update --quiet delete \"$unit\" default\n",
    verify: "rc-service \"$unit\" status\n",
    rehearse: ":\n",
};

/// A script that starts, restarts or enables a service, with its changed configuration if it has one, and verifies it.
/// On failure it restores the configuration and the service's earlier state. `verbs` are `start`, `restart` or none of
/// them, and maybe `enable` after it; a restart is refused if it would change what is exported.
fn service_script(service: &Service, unit: &Unit, verbs: &[&str], commands: &Commands) -> String {
    let Commands { run, verify, .. } = commands;
    let mut text = service.file.clone().unwrap_or_default();
    text.push_str(&find_unit_script(service, commands.look));
    text.push_str(&format!("prove() {{\n:\n{}}}\n", service.proof));
    let restarts = verbs.contains(&"restart");
    if restarts {
        text.push_str(&format!(
            "(\n{IN_NAMESPACE}{UNCHANGED_BY_RESTART}) || exit {FAILED_AND_UNDONE}\n"
        ));
    }
    let (put, restore) = match service.file {
        Some(_) => ("put_file", "restore_file"),
        None => (":", ":"),
    };
    text.push_str(&format!("{put} || exit {FAILED_AND_UNDONE}\n"));
    if restarts {
        text.push_str(&format!(
            "(\n{}) || {{\n{restore} && exit {FAILED_AND_UNDONE}\nexit {FAILED_NOT_UNDONE}\n}}\n",
            commands.rehearse
        ));
    }
    let restart_statd = if service.restarts_statd {
        commands.restart_statd
    } else {
        ""
    };
    let change: String = verbs
        .iter()
        .map(|verb| match *verb {
            "enable" => commands.enable.to_owned(),
            verb => format!("{restart_statd}verb={verb}\n{run}"),
        })
        .collect();
    let mut undo = format!("{restore}\n{restart_statd}");
    if restarts {
        undo.push_str(&format!("verb=restart\n{run}{verify}prove\n"));
    } else if verbs.contains(&"start") {
        undo.push_str(commands.stop);
    }
    if !unit.enabled {
        undo.push_str(commands.disable);
    }
    text.push_str(&with_undo(&change, &format!("{verify}prove\n"), &undo));
    text
}

/// Fails, and says why, if a restart of the NFS server would change what is exported: it has exportfs read its files.
const UNCHANGED_BY_RESTART: &str = r#"said=$(in_namespace files /etc/exports </dev/null) || :
seen
live=$(listing)
then=$(exported | sort)
[ "$live" != "$then" ] || exit 0
echo 'a restart would change what is exported, since exportfs reads its files then; have them agree first:' >&2
printf '%s\n' "$live" | grep -vxF -e "$then" | sed 's/^/no longer exported: /' >&2
printf '%s\n' "$then" | grep -vxF -e "$live" | sed 's/^/exported, too: /' >&2
exit 1
"#;

/// Fails, and says why, unless the kernel serves NFS: a unit can be active without it.
pub(super) const SERVES: &str = "threads=$(cat /proc/fs/nfsd/threads 2>/dev/null || echo 0)
if [ \"${threads:-0}\" = 0 ]; then
  if grep -qw nfsd /proc/filesystems; then
    echo 'the kernel serves no NFS: it has no thread for it' >&2
  else
    echo \"the kernel has no NFS server: $(uname -r) does not load its module nfsd\" >&2
  fi
  exit 1
fi
";

const _: () = assert!(PATIENCE.as_secs() > 90, "systemd gives a service 90 s to start");
