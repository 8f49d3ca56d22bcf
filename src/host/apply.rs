//! A plan carried out on its host.

use super::exports_file::{self, differences};
use super::facts::{self, Facts, FactsError, Subject};
use super::plan::{Action, ExportsChange, LEFT_HALF_DONE, NFS_SERVER, PACKAGES, Plan, State, Step, TAKEN_BACK};
use super::ssh::{Host, Output, RunError};
use std::time::Duration;

/// How long gathering facts, or a short step, may go without a word.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much of what a command said is repeated, in lines.
const LINES: usize = 6;

/// Why a host's facts are not known. The text does not name the host, but for a lost connection.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GatherError {
    /// The script did not end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It ended early.
    #[error("cannot tell what it is like: {0}")]
    Facts(#[from] FactsError),
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was as it should be.
    Ok(String),
    /// It is now.
    Changed(String),
    /// It is not needed.
    Skipped(String),
    /// It failed; this says why, and whether something is left half done.
    Failed(String),
    /// Something before it failed, or the run was ended.
    NotDone(String),
}

/// A step and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it is about, in a word.
    pub step: &'static str,
    /// What became of it.
    pub done: Done,
    /// What one should know about it.
    pub warnings: Vec<String>,
}

/// What is told while a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A step that changes something begins; this is what it does.
    Begins(&'a Step, &'a str),
    /// What its commands said.
    Said(&'a Step, &'a Output),
    /// It has ended.
    Ended(&'a Outcome),
}

/// Reads what there is to know of a subject.
///
/// # Errors
/// [`GatherError`].
pub async fn gather(host: &Host, subject: &Subject) -> Result<Facts, GatherError> {
    let output = host.run(&facts::script(subject), PATIENCE).await?;
    Ok(Facts::parse(&output.stdout)?)
}

/// Carries out what `plan` makes of a host's facts, one step after the other, until one fails or `stopped` says so; a step
/// that has begun is ended. New packages and a server's start change the facts, which are then gathered again for the steps that follow.
pub async fn apply(
    host: &Host,
    subject: &Subject,
    facts: &Facts,
    plan: impl Fn(&Facts) -> Plan,
    stopped: impl Fn() -> bool,
    tell: impl Fn(Told),
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut plan_now = plan(facts);
    let mut halt = in_the_way(&plan_now);
    while let Some(step) = plan_now.steps.get(outcomes.len()) {
        if halt.is_none() && stopped() {
            halt = Some("the run was ended".to_owned());
        }
        let done = match (&step.state, &halt) {
            (State::Ok(why), _) => Done::Ok(why.clone()),
            (State::Skipped(why), _) => Done::Skipped(why.clone()),
            (State::Refused(why), _) => Done::Failed(why.clone()),
            (State::Change { .. }, Some(halt)) => Done::NotDone(halt.clone()),
            (State::Change { why, action }, None) => {
                tell(Told::Begins(step, why));
                match act(host, action, &|output| tell(Told::Said(step, output))).await {
                    Ok(()) => Done::Changed(why.clone()),
                    Err(failure) => {
                        halt = Some(format!("{} failed", step.name));
                        Done::Failed(format!("{why}: {failure}"))
                    }
                }
            }
        };
        let facts_change = [PACKAGES, NFS_SERVER].contains(&step.name) && matches!(done, Done::Changed(_));
        let outcome = Outcome {
            step: step.name,
            done,
            warnings: step.warnings.clone(),
        };
        tell(Told::Ended(&outcome));
        outcomes.push(outcome);
        if facts_change {
            match gather(host, subject).await {
                Ok(facts) => {
                    plan_now = plan(&facts);
                    halt = in_the_way(&plan_now);
                }
                Err(error) => halt = Some(error.to_string()),
            }
        }
    }
    outcomes
}

fn in_the_way(plan: &Plan) -> Option<String> {
    plan.refused().then(|| "something stands in the way".to_owned())
}

async fn act(host: &Host, action: &Action, said: &impl Fn(&Output)) -> Result<(), String> {
    match action {
        Action::Script { text, patience } => run(host, text, *patience, said).await.map(|_| ()),
        Action::Exports(change) => change_exports(host, change, said).await,
    }
}

/// exportfs may say that all is well, and be wrong: what counts is what is exported.
async fn change_exports(host: &Host, change: &ExportsChange, said: &impl Fn(&Output)) -> Result<(), String> {
    let output = run(host, &change.change, PATIENCE, said).await?;
    let after = exports_file::listing(&String::from_utf8_lossy(&output.stdout));
    let wrong = differences(&change.before, &after, &change.was, change.wanted.as_ref());
    if wrong.is_empty() {
        return run(host, &change.keep, PATIENCE, said).await.map(|_| ());
    }
    let wrong = wrong.join("; ");
    match run(host, &change.back, PATIENCE, said).await {
        Ok(_) => Err(format!("{wrong}; it was taken back")),
        Err(error) => Err(format!("{wrong}; taking it back failed: {error}")),
    }
}

async fn run(host: &Host, script: &str, patience: Duration, said: &impl Fn(&Output)) -> Result<Output, String> {
    let output = host
        .run(script, patience)
        .await
        .map_err(|error| format!("{error}; the host may have ended the step by itself, which the next run sees"))?;
    said(&output);
    let words = || last_words(&output);
    match output.status {
        0 => Ok(output),
        TAKEN_BACK => Err(format!("{}; nothing was left half done", words())),
        LEFT_HALF_DONE => Err(format!("{}; and it could not be taken back", words())),
        status => Err(format!("{} (status {status})", words())),
    }
}

/// What a command said last, on one line.
pub(super) fn last_words(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = [text(&output.stderr), text(&output.stdout)];
    let lines = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let said = both.iter().map(|text| lines(text)).find(|lines| !lines.is_empty());
    let said = said.unwrap_or_else(|| vec!["it said nothing".to_owned()]);
    said[said.len().saturating_sub(LINES)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_those_that_matter() {
        let output = |stdout: &str, stderr: &str| Output {
            status: 1,
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        assert_eq!(last_words(&output("a\nb", "")), "a; b");
        assert_eq!(last_words(&output("a", "\n x \n\n")), "x");
        assert_eq!(last_words(&output("", "1\n2\n3\n4\n5\n6\n7")), "2; 3; 4; 5; 6; 7");
        assert_eq!(last_words(&output("", "")), "it said nothing");
    }
}
