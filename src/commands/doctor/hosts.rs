//! Hosts over SSH: looked at for the facts, and mended one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Error, Result, bail};
use futures::future::{join_all, try_join_all};
use k8s_openapi::jiff::Timestamp;

use super::fix::{Done, How, Stop, announce, ask, show_diff};
use crate::doctor::facts::{ExportSeen, Facts, HostSeen, Unread};
use crate::doctor::fix::{Change, Remedy};
use crate::doctor::servers::{Named, named};
use crate::doctor::{Finding, Object};
use crate::exit::UsageError;
use crate::host::{self, Access, Host, Subject, Target, apply, gather, plan_client, plan_share};
use crate::output::{self, Colour, say};

/// How long a short script may go without a word.
const PATIENCE: Duration = Duration::from_secs(60);

/// The file that says what is exported.
const EXPORTS: &str = "/etc/exports";

/// A host that is logged in to, by the name that it was asked for.
pub type Reached = (String, Host);

/// Logs in to hosts, all at once; whom nobody lets in is noted, and not passed.
pub async fn reach(targets: &[Target], access: &Access, facts: &mut Facts) -> Vec<Reached> {
    let each = join_all(targets.iter().map(|target| Host::connect(target, access))).await;
    let mut reached = Vec::new();
    for (target, host) in targets.iter().zip(each) {
        match host {
            Ok(host) => reached.push((target.to_string(), host)),
            Err(error) => missed(facts, &error.to_string()),
        }
    }
    reached
}

fn missed(facts: &mut Facts, why: &str) {
    facts.unread.push(Unread {
        what: crate::doctor::explain::HOSTS.to_owned(),
        why: why.to_owned(),
        forbidden: false,
    });
}

/// Looks at hosts, all at once, and adds what was found to the facts.
pub async fn look(hosts: &[Reached], facts: &mut Facts) {
    let exports = named(facts);
    let each = join_all(hosts.iter().map(|(name, host)| one(name, host, &exports))).await;
    for seen in each {
        match seen {
            Ok(seen) => facts.hosts.push(seen),
            Err(why) => missed(facts, &why),
        }
    }
}

async fn one(name: &str, host: &Host, exports: &BTreeMap<(String, String), Named>) -> Result<HostSeen, String> {
    let servers: BTreeSet<&str> = exports.keys().map(|(server, _)| server.as_str()).collect();
    let servers: Vec<String> = servers.into_iter().map(str::to_owned).collect();
    let subject = |directory: Option<String>| Subject {
        exports_file: Some(EXPORTS.to_owned()),
        directory,
        servers: servers.clone(),
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
    let reach = match own.is_empty() {
        true => knock(host, &servers).await,
        false => Vec::new(),
    };
    Ok(HostSeen {
        target: name.to_owned(),
        facts,
        exports: own,
        servers,
        reach,
    })
}

/// Which servers' NFS ports a host gets a connection to; those that it has no means to ask are left out.
async fn knock(host: &Host, servers: &[String]) -> Vec<(String, bool)> {
    let script = format!(
        "command -v bash >/dev/null && command -v timeout >/dev/null || exit 0\n{}for server do\n  \
         getent ahosts \"$server\" >/dev/null 2>&1 || continue\n  \
         if timeout 5 bash -c 'exec 3<>\"/dev/tcp/$1/2049\"' - \"$server\" 2>/dev/null; then echo \"yes $server\"; \
         else echo \"no $server\"; fi\ndone",
        host::arguments(servers)
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

/// The findings that are mended on hosts: each with the host's name and what is done there.
pub fn steps(findings: &[Finding]) -> Vec<(&Finding, &str, &Remedy)> {
    let each = findings.iter().flat_map(|finding| {
        let changes = finding.fix.iter().flat_map(|fix| &fix.changes);
        changes.filter_map(move |change| match change {
            Change::OnHost { host, remedy } => Some((finding, host.as_str(), remedy)),
            _ => None,
        })
    });
    each.collect()
}

/// Mends hosts, one step after the other.
///
/// # Errors
/// [`UsageError`] where something would be asked and nobody is there; when it is to stop.
pub async fn mend(hosts: &[Reached], findings: &[Finding], how: How, stop: &mut Stop, done: &mut Done) -> Result<()> {
    let mut refused = 0;
    for (finding, name, remedy) in steps(findings) {
        stop.here(*done)?;
        let Some((_, host)) = hosts.iter().find(|(other, _)| other == name) else {
            continue;
        };
        announce(finding);
        say(&format!("on {name}: {}", remedy.says()));
        let work = match Work::prepare(host, remedy).await {
            Ok(work) => work,
            Err(why) => {
                say(&format!("error: {name}: {why:#}"));
                done.failed += 1;
                continue;
            }
        };
        work.show(name, how.colour);
        if !how.yes && !output::can_ask() {
            refused += 1;
            continue;
        }
        if !ask(how, "Do this?", *done)? {
            continue;
        }
        match work.carry_out(host).await {
            Ok(()) => {
                say(&format!("{name}: done"));
                done.made += 1;
            }
            Err(why) => {
                say(&format!("error: {name}: {why:#}"));
                done.failed += 1;
            }
        }
    }
    match refused {
        0 => Ok(()),
        _ => Err(UsageError(
            "--fix would ask before it changes hosts, and nobody is there to answer; --yes makes the changes".into(),
        )
        .into()),
    }
}

/// What is to be done on a host.
enum Work<'a> {
    Script(String),
    /// As one of the commands that set hosts up plans it, from how the host is now.
    Plan {
        remedy: &'a Remedy,
        subject: Subject,
        facts: Box<host::Facts>,
        now: i64,
    },
}

impl<'a> Work<'a> {
    async fn prepare(host: &Host, remedy: &'a Remedy) -> Result<Self> {
        let subject = match remedy {
            Remedy::Share { path, .. } | Remedy::Mode { path, .. } => Subject {
                exports_file: Some(EXPORTS.to_owned()),
                directory: Some(path.clone()),
                servers: Vec::new(),
            },
            Remedy::Client | Remedy::Statd => Subject::default(),
        };
        let facts = gather(host, &subject).await?;
        Ok(match remedy.script(&facts).map_err(Error::msg)? {
            Some(script) => Self::Script(script),
            None => Self::Plan {
                remedy,
                facts: Box::new(facts),
                subject,
                now: Timestamp::now().as_second(),
            },
        })
    }

    /// Shows what becomes of files.
    fn show(&self, name: &str, colour: Colour) {
        let Self::Plan { remedy, facts, now, .. } = self else {
            return;
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for file in planned(remedy, facts, *now).steps.iter().flat_map(|step| &step.files) {
            let before = file.before.as_deref().map(text);
            show_diff(
                &format!("{name}:{}", file.path),
                before.as_deref(),
                Some(&text(&file.after)),
                colour,
            );
        }
    }

    async fn carry_out(self, host: &Host) -> Result<()> {
        let outcomes = match self {
            Self::Script(script) => {
                let output = host.run(&script, PATIENCE).await?;
                return match output.status {
                    0 => Ok(()),
                    status => bail!("{} (status {status})", String::from_utf8_lossy(&output.stderr).trim()),
                };
            }
            Self::Plan {
                remedy,
                subject,
                facts,
                now,
            } => {
                let plan = |facts: &host::Facts| planned(remedy, facts, now);
                apply(host, &subject, &facts, plan, || false, |_| {}).await
            }
        };
        let failed = outcomes.iter().find_map(|outcome| match &outcome.done {
            host::Done::Failed(why) | host::Done::NotDone(why) => Some(format!("{}: {why}", outcome.step)),
            _ => None,
        });
        match failed {
            None => Ok(()),
            Some(why) => bail!("{why}"),
        }
    }
}

fn planned(remedy: &Remedy, facts: &host::Facts, now: i64) -> host::Plan {
    match remedy {
        Remedy::Share { path, clients } => plan_share(facts, path, clients, now),
        _ => plan_client(facts, now),
    }
}
