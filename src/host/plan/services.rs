//! The services of a server, in their order.

use super::{PATIENCE, Step, guarded};
use crate::host::facts::{Facts, Init, Unit};
use crate::host::script::quote;

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
}

/// The first of these services that a host has.
pub(super) fn find<'a>(facts: &Facts, names: &[&'a str]) -> Option<(&'a str, Unit)> {
    let mut found = names.iter().map(|name| (*name, facts.unit(name)));
    found.find(|(_, unit)| unit.exists || unit.masked)
}

/// Has a service run. Which of its names the host knows is looked up there, after its package was installed.
pub(super) fn service(facts: &Facts, service: &Service) -> Step {
    let name = service.step;
    let found = find(facts, service.names);
    let known = found.as_ref().map_or(service.names[0], |(name, _)| name);
    let unit = found.map(|(_, unit)| unit).unwrap_or_default();
    if unit.masked {
        let why = format!("somebody has masked {known}: systemctl unmask {known} allows it again");
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
    let script = match &facts.init {
        Init::Systemd => systemd(service, &unit, &verbs),
        Init::OpenRc => openrc(service, &unit, &verbs),
        Init::Other(other) => {
            return Step::refused(name, format!("neither systemd nor OpenRC runs here, but {other:?}"));
        }
        Init::Unknown => return Step::refused(name, "neither systemd nor OpenRC runs here"),
    };
    let mut why = format!("{} {known}", verbs.join(" and "));
    if let Some(reason) = service.restart.as_ref().filter(|_| unit.active) {
        why = format!("{why}: {reason}");
    }
    Step::change(name, why, script)
}

/// A script that puts the service's name on the host into `$unit`, as `look` tells for each `$name` that it may have; it
/// ends with the status `otherwise` if there is none.
fn find_there(service: &Service, look: &str, otherwise: u8) -> String {
    format!(
        "unit=\nfor name in {}; do\n  {look}\ndone\n[ -n \"$unit\" ] || {{ echo {} >&2; exit {otherwise}; }}\n",
        service.names.join(" "),
        quote(&format!("no service is called {}", service.names.join(" or "))),
    )
}

fn systemd(service: &Service, unit: &Unit, verbs: &[&str]) -> String {
    let look = "if systemctl cat \"$name.service\" >/dev/null 2>&1; then\n    \
                unit=$(systemctl show --property Id \"$name.service\" | sed 's/^Id=//'); break\n  fi";
    let find = |otherwise| find_there(service, look, otherwise);
    let change = verbs.iter().map(|verb| match *verb {
        // What it says on failure is where to look; here is what stands there.
        "enable" => "systemctl --quiet enable \"$unit\"\n".to_owned(),
        verb => format!(
            "systemctl {verb} \"$unit\" || {{\n  systemctl status --no-pager --lines 0 \"$unit\" 2>&1 | grep Active: >&2\n\
             journalctl --unit \"$unit\" --lines 5 --no-pager --quiet --output cat >&2\n{}  exit 1\n}}\n",
            service.proof
        ),
    });
    let change = format!("{}{}", find(1), change.collect::<String>());
    let verify = format!(
        "systemctl --quiet is-active \"$unit\" || {{\n{}  echo \"$unit was started and is $(systemctl is-active \"$unit\")\" >&2\n  exit 1\n}}\n{}",
        service.proof, service.proof
    );
    // Without such a service nothing was begun.
    let mut undo = find(0);
    if verbs.contains(&"start") {
        // It may warn, after the words that matter.
        undo.push_str("systemctl stop \"$unit\" 2>/dev/null\n");
    }
    if !unit.enabled {
        undo.push_str("systemctl --quiet disable \"$unit\"\n");
    }
    guarded(&change, &verify, &undo)
}

fn openrc(service: &Service, unit: &Unit, verbs: &[&str]) -> String {
    let look = "if rc-service --exists \"$name\"; then unit=$name; break; fi";
    let find = |otherwise| find_there(service, look, otherwise);
    let change = verbs.iter().map(|verb| match *verb {
        "enable" => "rc-update --quiet add \"$unit\" default\n".to_owned(),
        verb => format!("rc-service \"$unit\" {verb}\n"),
    });
    let change = format!("{}{}", find(1), change.collect::<String>());
    let verify = format!("rc-service \"$unit\" status\n{}", service.proof);
    // Without such a service nothing was begun.
    let mut undo = find(0);
    if verbs.contains(&"start") {
        undo.push_str("rc-service \"$unit\" stop 2>/dev/null\n");
    }
    if !unit.enabled {
        undo.push_str("rc-update --quiet delete \"$unit\" default\n");
    }
    guarded(&change, &verify, &undo)
}

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
