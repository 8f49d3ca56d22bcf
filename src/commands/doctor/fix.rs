//! `doctor --fix`: shows each change, asks, applies it and waits for its effect. All is printed on stderr; a fix that
//! fails is counted in [`FixCounts`], and is no error.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::FutureExt;
use futures::future::join_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::change::apply;
use crate::change::edit::{Edit, NoChange};
use crate::change::wait::{Effect, wait};
use crate::cluster::Cluster;
use crate::diff;
use crate::doctor::Finding;
use crate::doctor::fix::Step;
use crate::doctor::names::count_of;
use crate::exit::UsageError;
use crate::output::{self, Colour, say};

/// The default time limit of an effect. The kubelet of 1.20 takes a minute to end a pod whose image never existed, and
/// a Deployment with the strategy Recreate waits for that.
const PATIENCE: Duration = Duration::from_secs(120);

/// Options for applying fixes.
#[derive(Clone, Copy, Debug)]
pub struct FixOptions {
    pub yes: bool,
    pub dry_run: bool,
    /// The time limit of an effect, from `--timeout`.
    pub limit: Option<Duration>,
    pub colour: Colour,
}

/// The numbers of applied and failed fixes, and of those that nobody could be asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixCounts {
    pub applied: usize,
    pub failed: usize,
    unanswered: usize,
}

impl FixCounts {
    /// Fails with a [`UsageError`] if a question could not be asked: stdin is no terminal, and `--yes` was not given.
    pub fn fail_if_unanswered(self) -> Result<()> {
        if self.unanswered == 0 {
            return Ok(());
        }
        let why = format!(
            "confirmation of {} required but stdin is not a terminal; pass --yes",
            count_of(self.unanswered, "fix")
        );
        Err(UsageError(why.into()).into())
    }
}

/// Whether a change is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// In a dry run, and without a terminal.
    NotAsked,
}

/// SIGINT and SIGTERM, which stop the run between two steps, never within a step.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Handles the signals from now on: they no longer end the process.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns at the next SIGINT or SIGTERM; at once if one has come since the last call.
    async fn wait_for_signal(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Fails if a signal has arrived since the last check; never waits. The error tells the number of applied fixes.
    pub fn fail_if_signalled(&mut self, counts: FixCounts) -> Result<()> {
        if self.wait_for_signal().now_or_never().is_none() {
            return Ok(());
        }
        bail!("{}", interrupted_message(counts))
    }
}

/// Applies the fixes, one finding after the other: shows each, asks and applies it. Then waits for the effects of all.
/// A fix that fails is only printed and counted; an effect that does not come within the limit is only printed. A dry
/// run only shows the changes.
///
/// # Errors
/// When a signal stops it; fixes that were applied stay.
pub async fn fix_objects(
    cluster: &Cluster,
    steps: &[Step<'_>],
    options: FixOptions,
    stop: &mut StopSignals,
    counts: &mut FixCounts,
) -> Result<()> {
    let limit = options.limit.unwrap_or(PATIENCE);
    let mut effects = Vec::new();
    for step in steps {
        stop.fail_if_signalled(*counts)?;
        if let Some(edits) = prepare_edits(cluster, step, counts).await {
            show_step(step, &edits, options.colour);
            if confirm_change(options, "Make this change?", counts)? == Answer::Yes
                && apply_edits(cluster, &edits, limit, counts).await
            {
                let new = step.effects.iter().filter(|effect| !effects.contains(effect));
                effects.extend(new.collect::<Vec<_>>());
            }
        }
    }
    tokio::select! {
        () = wait_for_effects(cluster, &effects, limit) => Ok(()),
        () = stop.wait_for_signal() => bail!("{}", interrupted_message(*counts)),
    }
}

/// Asks whether to make a change that was shown; `--yes` answers the question. Counts a change that nobody can be asked
/// about.
///
/// # Errors
/// When Ctrl-C interrupts the question.
pub fn confirm_change(options: FixOptions, question: &str, counts: &mut FixCounts) -> Result<Answer> {
    if options.dry_run {
        return Ok(Answer::NotAsked);
    }
    if options.yes {
        return Ok(Answer::Yes);
    }
    if !output::can_ask() {
        counts.unanswered += 1;
        return Ok(Answer::NotAsked);
    }
    match output::confirm(question) {
        Ok(true) => Ok(Answer::Yes),
        Ok(false) => Ok(Answer::No),
        Err(error) if error.kind() == ErrorKind::Interrupted => bail!("{}", interrupted_message(*counts)),
        Err(error) => Err(error.into()),
    }
}

fn interrupted_message(counts: FixCounts) -> String {
    let rest = match counts.failed {
        0 => "no change was left incomplete".to_owned(),
        failed => format!("{failed} failed before"),
    };
    format!("interrupted after {}; {rest}", count_of(counts.applied, "fix"))
}

/// Reads the objects of a step and computes its edits. `None`, after a line that says why, if no change is needed or
/// possible; an object that can't be read counts as a failure in `counts`.
async fn prepare_edits(cluster: &Cluster, step: &Step<'_>, counts: &mut FixCounts) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    let name = format!("{} {}", step.finding.code, step.finding.object.title());
    for change in step.changes {
        let object = change.object();
        let live = match apply::read(cluster, &object).await {
            Ok(live) => live,
            Err(error) => {
                say(&format!("{name}: {error:#}"));
                counts.failed += 1;
                return None;
            }
        };
        match Edit::from_change(change, live) {
            Ok(edit) => edits.push(edit),
            Err(NoChange::Unchanged) => {}
            Err(NoChange::Refused(why)) => {
                say(&format!("{name}: not fixed: {} {why}", object.title()));
                return None;
            }
        }
    }
    if edits.is_empty() {
        say(&format!("{name}: unchanged"));
        return None;
    }
    Some(edits)
}

/// Prints the finding that is being fixed.
pub fn print_finding(finding: &Finding) {
    say("");
    say(&format!(
        "{} {}: {}",
        finding.code,
        finding.object.title(),
        finding.cause
    ));
}

/// Prints the finding, the diffs of its edits, and the note of its fix.
fn show_step(step: &Step<'_>, edits: &[Edit], colour: Colour) {
    let finding = step.finding;
    print_finding(finding);
    for edit in edits {
        show_edit(edit, colour);
    }
    let note = finding.fix.as_ref().map(|fix| fix.note.as_str()).unwrap_or_default();
    if !note.is_empty() {
        say(&format!("({note})"));
    }
}

/// Prints the diff of an object with secrets masked.
pub fn show_edit(edit: &Edit, colour: Colour) {
    let (before, after) = edit.before_and_after();
    let (before, after) = (output::to_yaml(&before), after.as_ref().map(output::to_yaml));
    show_diff(&edit.object.title(), Some(&before), after.as_deref(), colour);
}

/// Prints the diff of a text with secrets masked, nothing if both are equal; `None` where it does not exist.
pub fn show_diff(name: &str, before: Option<&str>, after: Option<&str>, colour: Colour) {
    let side = |text: Option<&str>| {
        if text.is_some() {
            name.to_owned()
        } else {
            "/dev/null".to_owned()
        }
    };
    let (old, new) = (side(before), side(after));
    let diff = diff::unified_diff(before.unwrap_or_default(), after.unwrap_or_default(), &old, &new);
    for line in diff.lines() {
        output::say_diff(line, colour);
    }
}

/// Applies the edits of a step, prints a line for each and counts the step. False if one failed, which is printed and
/// counted; the edits before it stay, those after it are not made. Waits up to `limit` for a deleted object to be gone.
async fn apply_edits(cluster: &Cluster, edits: &[Edit], limit: Duration, counts: &mut FixCounts) -> bool {
    for edit in edits {
        if let Err(error) = apply::apply(cluster, edit, limit).await {
            say(&format!("error: {error:#}"));
            counts.failed += 1;
            return false;
        }
        say(&format!("{} {}", edit.object.title(), edit.result_word()));
    }
    counts.applied += 1;
    true
}

/// Waits up to `limit` for the effects in parallel, and prints the result of each.
async fn wait_for_effects(cluster: &Cluster, effects: &[&Effect], limit: Duration) {
    let each = effects.iter().map(|effect| async move {
        let title = effect.object().title();
        match wait(cluster, effect, limit).await {
            Ok(Ok(state)) => say(&format!("{title} is {state}")),
            Ok(Err(state)) => say(&format!("{title} is {state} after {} s", limit.as_secs())),
            Err(error) => say(&format!("{error:#}")),
        }
    });
    join_all(each).await;
}
