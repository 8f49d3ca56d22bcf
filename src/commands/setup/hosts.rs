//! Hosts met and changed, all at once, each with a line of its own.

use std::net::IpAddr;

use futures::future::join_all;

use super::Run;
use super::report::{HostReport, Row};
use crate::host::{Facts, Host, Outcome, Plan, Subject, Target, Told, apply, gather};
use crate::output::{self, Moving};

/// A host to be met.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// How to log in.
    pub(super) target: Target,
    /// The address that the server sees it under, if that is known already.
    pub(super) address: Option<IpAddr>,
}

/// A host that was met.
pub(super) struct Met {
    pub(super) host: Host,
    pub(super) facts: Facts,
    subject: Subject,
    /// Its line on the terminal.
    line: Moving,
}

impl Met {
    /// What is being done now, on its line.
    pub(super) fn says(&self, what: &str) {
        self.line.says(what);
    }
}

/// What a host is called in reports: as it was named, without the user.
pub(super) fn name(target: &Target) -> String {
    let nobody = Target {
        user: None,
        ..target.clone()
    };
    nobody.to_string()
}

/// Logs in and looks around.
pub(super) async fn meet(target: &Target, run: &Run, subject: &Subject) -> Result<Met, String> {
    let line = output::moving_line(&name(target));
    line.says("logging in");
    let host = Host::connect(target, &run.access)
        .await
        .map_err(|error| error.to_string())?;
    line.says("looking around");
    let facts = gather(&host, subject).await.map_err(|error| error.to_string())?;
    let subject = subject.clone();
    Ok(Met {
        host,
        facts,
        subject,
        line,
    })
}

/// The same, for many.
pub(super) async fn meet_all(asked: &[Asked], run: &Run, subject: &Subject) -> Vec<Result<Met, String>> {
    join_all(asked.iter().map(|asked| meet(&asked.target, run, subject))).await
}

/// Does what `plan` makes of the facts, or only says it.
pub(super) async fn carry_out(
    target: &Target,
    role: &'static str,
    met: &Result<Met, String>,
    plan: impl Fn(&Facts) -> Plan,
    run: &Run,
) -> HostReport {
    let name = name(target);
    let met = match met {
        Ok(met) => met,
        Err(why) => return HostReport::unreached(name, role, why),
    };
    if run.options.looks_only() {
        return HostReport::planned(name, role, plan(&met.facts));
    }
    let told = |told: Told| tell(&name, met, run.verbose, told);
    let outcomes = apply(&met.host, &met.subject, &met.facts, plan, || run.stopped(), told).await;
    met.line.says("done");
    HostReport::new(name, role, outcomes.into_iter().map(Row::from).collect())
}

fn tell(name: &str, met: &Met, verbose: bool, told: Told) {
    match told {
        Told::Begins(step, why) => {
            met.line.says(&format!("{}: {why}", step.name));
            if verbose || !output::moves() {
                output::say(&format!("{name}: {}: {why}", step.name));
            }
        }
        Told::Said(step, said) if verbose => {
            let text = [&said.stdout[..], &said.stderr[..]].concat();
            for line in String::from_utf8_lossy(&text).lines() {
                output::say(&format!("{name}: {} | {line}", step.name));
            }
        }
        Told::Ended(Outcome { .. }) | Told::Said(..) => {}
    }
}
