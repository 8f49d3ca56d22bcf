//! `doctor --fix`: shows each change, asks, applies it and waits for its effect.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::FutureExt;
use futures::future::join_all;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cluster::Cluster;
use crate::diff;
use crate::doctor::Finding;
use crate::doctor::fix::apply;
use crate::doctor::fix::edit::{Edit, NoChange};
use crate::doctor::fix::plan::{Effect, Step, due};
use crate::exit::UsageError;
use crate::output::{self, Colour, say};

/// How long to wait for an effect by default: the kubelet of 1.20 takes a minute to end a pod whose image never existed,
/// and a Deployment with the strategy Recreate waits for that.
const PATIENCE: Duration = Duration::from_secs(120);

/// Options for applying fixes.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// No question is asked.
    pub yes: bool,
    /// Changes are shown and not made.
    pub dry_run: bool,
    /// How long to wait for an effect, if that was given.
    pub limit: Option<Duration>,
    /// Whether diffs are in colour.
    pub colour: Colour,
}

/// The cluster, twice: for requests, and for watches, which may be silent for long.
#[derive(Clone, Copy)]
pub struct Clusters<'a> {
    /// For requests.
    pub cluster: &'a Cluster,
    /// For watches.
    pub watched: &'a Cluster,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// How many fixes were made.
    pub made: usize,
    /// How many could not be.
    pub failed: usize,
}

/// Ctrl-C and SIGTERM, which end the work between two steps and never within one.
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Takes the signals from now on.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Ends here if that was asked for meanwhile.
    pub fn here(&mut self, done: Done) -> Result<()> {
        if self.asked().now_or_never().is_none() {
            return Ok(());
        }
        bail!("{}", stopped(done))
    }
}

/// Makes the fixes, one finding after the other.
///
/// # Errors
/// [`UsageError`] when confirmation is required and stdin is no terminal; when a signal stops it.
pub async fn fix(clusters: Clusters<'_>, steps: &[Step<'_>], how: How, stop: &mut Stop, done: &mut Done) -> Result<()> {
    let limit = how.limit.unwrap_or(PATIENCE);
    let (mut refused, mut owed) = (0, Vec::new());
    for (place, step) in steps.iter().enumerate() {
        stop.here(*done)?;
        if let Some(edits) = prepared(clusters.cluster, step, done).await {
            show(step, &edits, how.colour);
            if how.dry_run {
                continue;
            }
            if !how.yes && !output::can_ask() {
                refused += 1;
            } else if ask(how, "Make this change?", *done)? && made(clusters, &edits, limit, done).await {
                owed.retain(|effect| !step.effects.contains(effect));
                owed.extend(step.effects.iter().cloned());
            }
        }
        let due = due(&mut owed, &steps[place + 1..]);
        tokio::select! {
            () = awaited(clusters.watched, &due, limit) => {}
            () = stop.asked() => bail!("{}", stopped(*done)),
        }
    }
    if refused > 0 {
        let why = format!(
            "confirmation of {} required but stdin is not a terminal; pass --yes",
            count(refused)
        );
        return Err(UsageError(why.into()).into());
    }
    Ok(())
}

/// Asks, unless that was answered beforehand.
pub fn ask(how: How, question: &str, done: Done) -> Result<bool> {
    if how.yes {
        return Ok(true);
    }
    match output::confirm(question) {
        Ok(answer) => Ok(answer),
        // Ctrl-C is an answer too.
        Err(error) if error.kind() == ErrorKind::Interrupted => bail!("{}", stopped(done)),
        Err(error) => Err(error.into()),
    }
}

fn stopped(done: Done) -> String {
    format!("interrupted after {}; no change was left incomplete", count(done.made))
}

fn count(fixes: usize) -> String {
    match fixes {
        1 => "1 fix".to_owned(),
        many => format!("{many} fixes"),
    }
}

/// The edits of a step, by the objects as they are now; `None` if no change is needed or possible.
async fn prepared(cluster: &Cluster, step: &Step<'_>, done: &mut Done) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    let name = format!("{} {}", step.finding.code, step.finding.object.title());
    for change in step.changes {
        let object = change.object();
        let live = match apply::read(cluster, &object).await {
            Ok(live) => live,
            Err(error) => {
                say(&format!("{name}: {error:#}"));
                done.failed += 1;
                return None;
            }
        };
        match Edit::of(change, live) {
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
pub fn announce(finding: &Finding) {
    say("");
    say(&format!(
        "{} {}: {}",
        finding.code,
        finding.object.title(),
        finding.cause
    ));
}

fn show(step: &Step<'_>, edits: &[Edit], colour: Colour) {
    let finding = step.finding;
    announce(finding);
    for edit in edits {
        show_edit(edit, colour);
    }
    let note = finding.fix.as_ref().map(|fix| fix.note.as_str()).unwrap_or_default();
    if !note.is_empty() {
        say(&format!("({note})"));
    }
}

/// Shows what becomes of an object.
pub fn show_edit(edit: &Edit, colour: Colour) {
    let text = |object: &Value| output::to_yaml(object);
    let (before, after) = edit.shown();
    let (before, after) = (before.as_ref().map(text), after.as_ref().map(text));
    show_diff(&edit.object.title(), before.as_deref(), after.as_deref(), colour);
}

/// Shows what becomes of a text, none being where nothing is.
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

/// Makes the edits of a step; whether all of them were made.
async fn made(clusters: Clusters<'_>, edits: &[Edit], limit: Duration, done: &mut Done) -> bool {
    for edit in edits {
        if let Err(error) = apply::apply(clusters.cluster, clusters.watched, edit, limit).await {
            say(&format!("error: {error:#}"));
            done.failed += 1;
            return false;
        }
        say(&format!("{} {}", edit.object.title(), edit.way.done()));
    }
    done.made += 1;
    true
}

/// Waits for all effects of a step together, and says what came.
async fn awaited(cluster: &Cluster, effects: &[Effect], limit: Duration) {
    let each = effects.iter().map(|effect| async move {
        let (title, good) = match effect {
            Effect::Bound(claim) => (claim.title(), "is Bound"),
            Effect::RolledOut(workload) => (workload.title(), "is rolled out"),
        };
        match apply::wait(cluster, effect, limit).await {
            Ok(None) => say(&format!("{title} {good}")),
            Ok(Some(state)) => say(&format!("{title} is {state} after {} s", limit.as_secs())),
            Err(error) => say(&format!("{error:#}")),
        }
    });
    join_all(each).await;
}
