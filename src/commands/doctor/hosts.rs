//! Hosts over SSH: read in parallel, and fixed one after the other. Reading changes nothing on a host, and a host that
//! can't be read is recorded as unread, and no error.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Error, Result, bail};
use futures::future::{join_all, try_join_all};
use k8s_openapi::jiff::Timestamp;

use super::fix::{Answer, FixCounts, FixOptions, StopSignals, confirm_change, print_finding, show_diff};
use crate::change::{Change, HostChange};
use crate::doctor::entry::HOSTS;
use crate::doctor::facts::{ExportSeen, Facts, HostSeen};
use crate::doctor::servers::{NamedExport, named_exports};
use crate::doctor::{Finding, Object};
use crate::host::{self, Access, Host, Subject, Target, apply, gather, plan_client, plan_share, run_change};
use crate::output::{Colour, say};
use crate::shell::arguments;

/// How long a short script may print nothing.
const PATIENCE: Duration = Duration::from_secs(60);

const EXPORTS: &str = "/etc/exports";

/// The host's name on the command line, and the connection.
pub type ConnectedHost = (String, Host);

/// The hosts of `--ssh`.
#[derive(Default)]
pub struct Hosts {
    /// Those with a connection, in the order of the command line.
    pub reached: Vec<ConnectedHost>,
    /// Why the others can't be read; each text names its host.
    unreachable: Vec<String>,
}

/// Connects to all hosts in parallel, which may prompt.
pub async fn connect_to_hosts(targets: &[Target], access: &Access) -> Hosts {
    let each = join_all(targets.iter().map(|target| Host::connect(target, access))).await;
    let mut hosts = Hosts::default();
    for (target, host) in targets.iter().zip(each) {
        match host {
            Ok(host) => hosts.reached.push((target.to_string(), host)),
            Err(error) => hosts.unreachable.push(error.to_string()),
        }
    }
    hosts
}

/// Gathers the facts of all hosts in parallel, and of the exports on them that the cluster names. `facts` must have the
/// cluster's objects already. Hosts that fail, now or when they were connected to, are recorded as unread.
pub async fn gather_hosts(hosts: &Hosts, facts: &mut Facts) {
    let exports = named_exports(&facts.cluster);
    let reached = hosts.reached.iter();
    let each = join_all(reached.map(|(name, host)| gather_host(name, host, &exports))).await;
    for why in &hosts.unreachable {
        facts.cluster.record_unread(HOSTS, why);
    }
    for seen in each {
        match seen {
            Ok(seen) => facts.hosts.push(seen),
            Err(why) => facts.cluster.record_unread(HOSTS, why),
        }
    }
}

/// Gathers a host's facts, and those of each export that the cluster names on it. On a host without any, also probes
/// the NFS servers and looks for hung mounts. The error names the host; nothing of the host is kept then.
async fn gather_host(
    name: &str,
    host: &Host,
    exports: &BTreeMap<(String, String), NamedExport>,
) -> Result<HostSeen, String> {
    let servers: BTreeSet<&str> = exports.keys().map(|(server, _)| server.as_str()).collect();
    let servers: Vec<String> = servers.into_iter().map(str::to_owned).collect();
    let subject = |directory: Option<String>| Subject {
        exports_file: Some(EXPORTS.to_owned()),
        directory,
        servers: servers.clone(),
        quota: false,
    };
    let read = async |directory| {
        let facts = gather(host, &subject(directory)).await;
        facts.map_err(|error| format!("{name}: {error}"))
    };
    let facts = read(None).await?;
    let logged_in_to = name.parse::<Target>().map(|target| target.host).unwrap_or_default();
    let here = |server: &str| {
        let address: Option<IpAddr> = server.parse().ok();
        server == logged_in_to
            || server == facts.hostname
            || address.is_some_and(|address| facts.addresses.contains(&address))
    };
    // One directory may be named under several names of its server.
    let mut own: BTreeMap<&str, Vec<Object>> = BTreeMap::new();
    for ((_, path), named) in exports.iter().filter(|((server, _), _)| here(server)) {
        own.entry(path).or_default().extend(named.by.iter().cloned());
    }
    let own = own.into_iter().map(async |(path, named_by)| {
        let facts = read(Some(path.to_owned())).await?;
        Ok::<_, String>(ExportSeen {
            path: path.to_owned(),
            named_by,
            facts,
        })
    });
    let own = try_join_all(own).await?;
    let (reach, (nfs_mounts, hung)) = match own.is_empty() {
        true => (probe_nfs_ports(host, &servers).await, find_hung_mounts(host).await),
        false => Default::default(),
    };
    Ok(HostSeen {
        target: name.to_owned(),
        facts,
        exports: own,
        servers,
        reach,
        nfs_mounts,
        hung,
    })
}

/// Whether the host can connect to the NFS port of each server, tried one after the other for 5 s each. Servers whose
/// name it can't resolve are left out, and all if it has no bash or timeout, or the script can't be run.
async fn probe_nfs_ports(host: &Host, servers: &[String]) -> Vec<(String, bool)> {
    let script = format!(
        "command -v bash >/dev/null && command -v timeout >/dev/null || exit 0\n{}for server do\n  \
         getent ahosts \"$server\" >/dev/null 2>&1 || continue\n  \
         if timeout 5 bash -c 'exec 3<>\"/dev/tcp/$1/2049\"' - \"$server\" 2>/dev/null; then echo \"yes $server\"; \
         else echo \"no $server\"; fi\ndone",
        arguments(servers)
    );
    let output = if servers.is_empty() {
        None
    } else {
        host.run(&script, PATIENCE).await.ok()
    };
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(word, server)| (server.to_owned(), word == "yes")).collect()
}

/// The host's NFS mounts, as `SERVER:PATH`, and the processes that stay in an uninterruptible NFS call for 3 s, as
/// `PID NAME`. Accesses no path on a mount, since that would hang, too. Both are empty if the script can't be run.
async fn find_hung_mounts(host: &Host) -> (Vec<String>, Vec<String>) {
    let script = r#"waiting() {
  for one in /proc/[0-9]*; do
    case $(sed -n 's/^.*) \(.\) .*/\1/p' "$one/stat" 2>/dev/null) in D) ;; *) continue ;; esac
    if grep -q -e nfs -e rpc_ "$one/stack" "$one/wchan" 2>/dev/null; then
      printf '%s %s\n' "${one#/proc/}" "$(tr -d '\n' <"$one/comm" 2>/dev/null)"
    fi
  done
}
awk '{ for (i = 7; i < NF; i++) if ($i == "-") { if ($(i + 1) ~ /^nfs4?$/) print "mount " $(i + 2); break } }' /proc/self/mountinfo
first=$(waiting)
[ -n "$first" ] || exit 0
sleep 3
waiting | while IFS= read -r one; do
  printf '%s\n' "$first" | grep -qxF -e "$one" && printf 'hung %s\n' "$one"
done
true"#;
    let output = host.run(script, PATIENCE).await.ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let of = |word: &str| {
        text.lines()
            .filter_map(|line| line.strip_prefix(word))
            .map(str::to_owned)
            .collect()
    };
    (of("mount "), of("hung "))
}

/// The changes to hosts that automatic fixes consist of, each with its finding and its host, as the command line names
/// it. Fixes that users have to make are left out.
pub fn host_changes(findings: &[Finding]) -> Vec<(&Finding, &str, &HostChange)> {
    let each = findings.iter().flat_map(|finding| {
        let fixes = finding.fix.iter().filter(|fix| fix.automatic);
        let changes = fixes.flat_map(|fix| &fix.changes);
        changes.filter_map(move |change| match change {
            Change::OnHost { host, change } => Some((finding, host.as_str(), change)),
            _ => None,
        })
    });
    each.collect()
}

/// Fixes hosts, one change after the other: shows each, asks and applies it. A change that fails is only printed and
/// counted, and one of a host that is not connected is left out. A dry run only shows the changes.
///
/// # Errors
/// When a signal stops it, between two changes.
pub async fn fix_hosts(
    hosts: &[ConnectedHost],
    findings: &[Finding],
    options: FixOptions,
    stop: &mut StopSignals,
    counts: &mut FixCounts,
) -> Result<()> {
    for (finding, name, change) in host_changes(findings) {
        stop.fail_if_signalled(*counts)?;
        let Some((_, host)) = hosts.iter().find(|(other, _)| other == name) else {
            continue;
        };
        print_finding(finding);
        say(&format!("on {name}: {}", change.summary()));
        let work = match HostWork::prepare(host, change).await {
            Ok(work) => work,
            Err(why) => {
                say(&format!("error: {name}: {why:#}"));
                counts.failed += 1;
                continue;
            }
        };
        let Some(work) = work else {
            say(&format!("{name}: unchanged"));
            continue;
        };
        work.show_diffs(name, options.colour);
        if confirm_change(options, "Make this change?", counts)? != Answer::Yes {
            continue;
        }
        match work.apply_to_host(host).await {
            Ok(warnings) => {
                say(&format!("{name}: changed"));
                for warning in warnings {
                    say(&format!("warning: {name}: {warning}"));
                }
                counts.applied += 1;
            }
            Err(why) => {
                say(&format!("error: {name}: {why:#}"));
                counts.failed += 1;
            }
        }
    }
    Ok(())
}

/// A change of a host, ready to be shown and applied.
enum HostWork<'a> {
    Script(String),
    /// Planned as setup-server or setup-client do, from the host's current facts.
    Plan {
        change: &'a HostChange,
        subject: Subject,
        facts: Box<host::Facts>,
        now: i64,
    },
}

impl<'a> HostWork<'a> {
    /// Gathers the host's facts again and prepares the script or plan of a change; `None` if the host needs none by
    /// now.
    ///
    /// # Errors
    /// Why the change is refused, or the facts can't be read.
    async fn prepare(host: &Host, change: &'a HostChange) -> Result<Option<Self>> {
        let subject = match change {
            HostChange::Export { path, .. } | HostChange::SetMode { path, .. } => Subject {
                exports_file: Some(EXPORTS.to_owned()),
                directory: Some(path.clone()),
                ..Subject::default()
            },
            HostChange::InstallClient | HostChange::EnableStatd => Subject::default(),
        };
        let facts = gather(host, &subject).await?;
        if let Some(script) = change.script(&facts).map_err(Error::msg)? {
            return Ok(Some(Self::Script(script)));
        }
        let now = Timestamp::now().as_second();
        let plan = plan_change(change, &facts, now);
        if let Some(why) = plan.reason_refused() {
            bail!("{why}");
        }
        Ok(plan.has_changes().then(|| Self::Plan {
            change,
            facts: Box::new(facts),
            subject,
            now,
        }))
    }

    /// Prints the diffs of the files that a plan changes; nothing for a script.
    fn show_diffs(&self, name: &str, colour: Colour) {
        let Self::Plan { change, facts, now, .. } = self else {
            return;
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for file in plan_change(change, facts, *now)
            .steps
            .iter()
            .flat_map(|step| &step.files)
        {
            let before = file.before.as_deref().map(text);
            show_diff(
                &format!("{name}:{}", file.path),
                before.as_deref(),
                Some(&text(&file.after)),
                colour,
            );
        }
    }

    /// Runs the script or applies the plan; fails if a step failed or was not done. Returns the warnings of all steps,
    /// of skipped ones, too.
    async fn apply_to_host(self, host: &Host) -> Result<Vec<String>> {
        let outcomes = match self {
            Self::Script(script) => {
                run_change(host, script).await.map_err(Error::msg)?;
                return Ok(Vec::new());
            }
            Self::Plan {
                change,
                subject,
                facts,
                now,
            } => {
                let plan = |facts: &host::Facts| plan_change(change, facts, now);
                apply(host, &subject, &facts, plan, || false, |_| {}).await
            }
        };
        let failed = outcomes.iter().find_map(|outcome| match &outcome.done {
            host::Done::Failed(why) | host::Done::NotDone(why) => Some(format!("{}: {why}", outcome.step)),
            _ => None,
        });
        match failed {
            None => Ok(outcomes.into_iter().flat_map(|outcome| outcome.warnings).collect()),
            Some(why) => bail!("{why}"),
        }
    }
}

/// The plan of a change that has no script of its own: to share an export, or to set up a client.
fn plan_change(change: &HostChange, facts: &host::Facts, now: i64) -> host::Plan {
    match change {
        HostChange::Export { path, clients } => plan_share(facts, path, clients, now),
        _ => plan_client(facts, now),
    }
}
