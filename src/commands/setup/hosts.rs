//! Connects to hosts in parallel, gathers their facts and applies plans, with a status line for each host.

use std::sync::Arc;

use futures::future::join_all;

use crate::commands::host_run::{HostReport, HostRequest, Row, Run, display_name, log_in};
use crate::host::{Facts, Host, Outcome, Plan, StepEvent, Subject, Target, apply, gather};
use crate::output::{self, StatusLine};

/// A host that is logged in to, with its facts.
pub(super) struct ConnectedHost {
    pub(super) host: Arc<Host>,
    pub(super) facts: Facts,
    subject: Subject,
    /// Its line on the terminal.
    line: Arc<StatusLine>,
}

impl ConnectedHost {
    /// Shows the current action on the host's status line.
    pub(super) fn show_status(&self, what: &str) {
        self.line.set_status(what);
    }

    /// Gathers facts about `subject`, on the same connection. The error is a sentence for the report.
    pub(super) async fn gather_about(&self, subject: &Subject) -> Result<Self, String> {
        gather_facts(self.host.clone(), self.line.clone(), subject).await
    }
}

async fn gather_facts(host: Arc<Host>, line: Arc<StatusLine>, subject: &Subject) -> Result<ConnectedHost, String> {
    line.set_status("gathering facts");
    let facts = gather(&host, subject).await.map_err(|error| error.to_string())?;
    let subject = subject.clone();
    Ok(ConnectedHost {
        host,
        facts,
        subject,
        line,
    })
}

/// Logs in to a host and gathers its facts, with a status line. The error is a sentence for the report.
pub(super) async fn connect_and_gather(target: &Target, run: &Run, subject: &Subject) -> Result<ConnectedHost, String> {
    let (host, line) = log_in(target, run).await?;
    gather_facts(Arc::new(host), Arc::new(line), subject).await
}

/// As [`connect_and_gather`] for many hosts in parallel; results are in the order of the requests.
pub(super) async fn connect_and_gather_all(
    asked: &[HostRequest],
    run: &Run,
    subject: &Subject,
) -> Vec<Result<ConnectedHost, String>> {
    join_all(
        asked
            .iter()
            .map(|asked| connect_and_gather(&asked.target, run, subject)),
    )
    .await
}

/// Applies the plan that `plan` makes of the host's facts, and reports each step; a dry run or check only reports the
/// plan. After a signal, the steps that are left are reported as not done. A host that could not be connected to gives
/// a report that says so.
pub(super) async fn apply_or_show(
    target: &Target,
    role: &'static str,
    connected: &Result<ConnectedHost, String>,
    plan: impl Fn(&Facts) -> Plan,
    run: &Run,
) -> HostReport {
    let name = display_name(target);
    let connected = match connected {
        Ok(connected) => connected,
        Err(why) => return HostReport::not_connected(name, role, why),
    };
    if run.options.is_dry_run() {
        return HostReport::from_plan(name, role, plan(&connected.facts));
    }
    let on_event = |event: StepEvent| show_event(&name, connected, run.verbose, event);
    let outcomes = apply(
        &connected.host,
        &connected.subject,
        &connected.facts,
        plan,
        || run.is_stopped(),
        on_event,
    )
    .await;
    connected.line.set_status("done");
    HostReport::new(name, role, outcomes.into_iter().map(Row::from).collect())
}

/// Updates the host's status line at the start of a step. Prints the start with `verbose` or where no status line is
/// shown, and the step's output only with `verbose`.
fn show_event(name: &str, connected: &ConnectedHost, verbose: bool, event: StepEvent) {
    match event {
        StepEvent::Started(step, why) => {
            connected.line.set_status(&format!("{}: {why}", step.name));
            if verbose || !output::shows_progress() {
                output::say(&format!("{name}: {}: {why}", step.name));
            }
        }
        StepEvent::Output(step, output) if verbose => {
            let text = [&output.stdout[..], &output.stderr[..]].concat();
            for line in String::from_utf8_lossy(&text).lines() {
                output::say(&format!("{name}: {} | {line}", step.name));
            }
        }
        StepEvent::Finished(Outcome { .. }) | StepEvent::Output(..) => {}
    }
}
