//! Applies a plan on its host, step by step, and gathers the facts that a plan is made of.
//!
//! [`apply`] runs the script of each step, judges predicted exports before they change, and plans the remaining steps
//! again where a step changed the facts. It prints nothing and asks nothing.

use super::exports_file::{self, find_differences};
use super::facts::{self, Facts, FactsError, Subject};
use super::plan::{
    Action, ExportsChange, FAILED_AND_UNDONE, FAILED_NOT_UNDONE, NFS_SERVER, PACKAGES, Plan, State, Step,
    exclusive_script,
};
use super::script::last_part;
use super::ssh::{Host, MAX_REPEATED, Output, RunError};
use std::collections::VecDeque;
use std::time::Duration;

/// The timeout without output for gathering facts, or for a short step.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many lines of a command's output an error repeats.
const LINES: usize = 6;

/// Why a host's facts could not be read. The text names the host only for a lost connection.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GatherError {
    /// The script did not run to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its output is incomplete.
    #[error("cannot read its state: {0}")]
    Facts(#[from] FactsError),
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was already in the requested state.
    Ok(String),
    /// It is now.
    Changed(String),
    /// It is not needed.
    Skipped(String),
    /// It failed: why, and whether its changes were undone.
    Failed(String),
    /// A step before it failed, or the run was interrupted.
    NotDone(String),
}

/// A step and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The name of the step.
    pub step: &'static str,
    /// Its result.
    pub done: Done,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
}

/// Reported while a plan is applied.
#[derive(Clone, Copy, Debug)]
pub enum StepEvent<'a> {
    /// A step that changes something begins; this is what it does.
    Started(&'a Step, &'a str),
    /// The output of its commands.
    Output(&'a Step, &'a Output),
    /// It has ended.
    Finished(&'a Outcome),
}

/// Reads a host's facts about `subject` by one script, which changes nothing. What the script can't read on the host,
/// and what `subject` does not ask for, is missing in the facts, and no error.
///
/// # Errors
/// [`GatherError`] when the connection is lost, the script prints nothing for 120 s, or its output is incomplete.
pub async fn gather(host: &Host, subject: &Subject) -> Result<Facts, GatherError> {
    let output = host.run(&facts::gather_script(subject), PATIENCE).await?;
    Ok(Facts::parse(&output.stdout)?)
}

/// Applies the plan that `plan` makes of a host's facts, step by step, until one fails or `stopped` returns true; a
/// step that has begun runs to its end. After new packages or a server's start the facts are gathered again, and `plan`
/// plans the steps that follow; if they can't be gathered, these are not done. A plan with a refused step changes
/// nothing, a new plan with one nothing more; the outcome of that step is `Failed`. The caller has asked the user.
/// Returns an outcome for every step, two for one that a new plan refuses after it was done; `tell` gets each event as
/// it happens.
pub async fn apply(
    host: &Host,
    subject: &Subject,
    facts: &Facts,
    plan: impl Fn(&Facts) -> Plan,
    stopped: impl Fn() -> bool,
    tell: impl Fn(StepEvent),
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut rest = VecDeque::from(plan(facts).steps);
    let mut halt = refused_step(&rest);
    while let Some(step) = rest.pop_front() {
        if halt.is_none() && stopped() {
            halt = Some("the run was ended".to_owned());
        }
        let done = match (&step.state, &halt) {
            (State::Ok(why), _) => Done::Ok(why.clone()),
            (State::Skipped(why), _) => Done::Skipped(why.clone()),
            (State::Refused(why), _) => Done::Failed(why.clone()),
            (State::Change { .. }, Some(halt)) => Done::NotDone(halt.clone()),
            (State::Change { why, action }, None) => {
                tell(StepEvent::Started(&step, why));
                match run_action(host, action, &|output| tell(StepEvent::Output(&step, output))).await {
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
        tell(StepEvent::Finished(&outcome));
        outcomes.push(outcome);
        if facts_change {
            match gather(host, subject).await {
                Ok(facts) => {
                    rest = remaining_steps(rest, plan(&facts), &outcomes);
                    halt = refused_step(&rest);
                }
                Err(error) => halt = Some(error.to_string()),
            }
        }
    }
    outcomes
}

/// Why none of these steps may run: one of them is refused. `None` if none is.
fn refused_step(steps: &VecDeque<Step>) -> Option<String> {
    let refused = steps.iter().find(|step| matches!(step.state, State::Refused(_)))?;
    Some(format!("{} was refused", refused.name))
}

/// The steps of a new plan that are still to be done, by their names. A step of the old plan that the new one lacks
/// becomes a refusal, so that it is reported; a step that was done stays only if it is refused now.
fn remaining_steps(rest: VecDeque<Step>, plan: Plan, outcomes: &[Outcome]) -> VecDeque<Step> {
    let mut steps = VecDeque::from(plan.steps);
    for mut step in rest {
        if !steps.iter().any(|new| new.name == step.name) {
            step.state = State::Refused("the steps can no longer be planned".to_owned());
            steps.push_back(step);
        }
    }
    let is_done = |step: &Step| outcomes.iter().any(|outcome| outcome.step == step.name);
    steps.retain(|step| !is_done(step) || matches!(step.state, State::Refused(_)));
    steps
}

/// Runs a script that changes the host, under the host's lock and to its end even if the connection is lost. The script
/// has to write something at least every 120 s.
///
/// # Errors
/// The reason why the script failed, or got no lock; whether its change was undone, if the script tells by its status.
/// Also that its end is not known, since the connection was lost or it wrote nothing for too long: the host may still
/// make the change.
pub async fn run_change(host: &Host, script: String) -> Result<(), String> {
    let action = Action::Script {
        text: script,
        patience: PATIENCE,
    };
    run_action(host, &action, &|_| {}).await
}

/// Runs a script under the host's lock, or predicts, checks and makes a change of the exports. Fails with the reason,
/// and whether the change was undone; `on_output` gets the output of each script.
async fn run_action(host: &Host, action: &Action, on_output: &impl Fn(&Output)) -> Result<(), String> {
    match action {
        Action::Script { text, patience } => {
            let output = run_exclusively(host, text, *patience, on_output).await?;
            describe_failure(&output).map_or(Ok(()), Err)
        }
        Action::Exports(change) => change_exports(host, change, on_output).await,
    }
}

/// Changes the exports, after a prediction of what exportfs would export: if that is not what is wanted, nothing
/// changes. The host then compares the exports in force with the prediction, and undoes the change if they differ. The
/// status of exportfs does not count.
async fn change_exports(host: &Host, change: &ExportsChange, on_output: &impl Fn(&Output)) -> Result<(), String> {
    let judge = |output: &Output| {
        let after = exports_file::parse_listing(&String::from_utf8_lossy(&output.stdout));
        find_differences(&change.before, &after, &change.own_before, change.wanted.as_ref())
    };
    let predicted = run_exclusively(host, &change.predict, PATIENCE, on_output).await?;
    let wrong = match predicted.status {
        0 => judge(&predicted),
        _ => vec![last_output_lines(&predicted)],
    };
    if !wrong.is_empty() {
        return Err(format!("{}; nothing was changed", wrong.join("; ")));
    }
    let output = run_exclusively(host, &change.commit_script(&predicted.stdout), PATIENCE, on_output).await?;
    let wrong = match output.stdout.is_empty() {
        true => Vec::new(),
        false => judge(&output),
    };
    let words = [wrong.join("\n").as_bytes(), b"\n", &output.stderr].concat();
    let told = Output {
        stdout: Vec::new(),
        stderr: words,
        ..output
    };
    describe_failure(&told).map_or(Ok(()), Err)
}

/// Runs a script under the host's lock, which other runs of nfsprov wait for. `patience` is the timeout without output.
/// A script that fails, or got no lock, is `Ok` with its status; an error says that its end is not known.
async fn run_exclusively(
    host: &Host,
    script: &str,
    patience: Duration,
    on_output: &impl Fn(&Output),
) -> Result<Output, String> {
    let output = host.run(&exclusive_script(script), patience).await.map_err(|error| {
        format!("{error}; the host may have finished the step by itself, which the next run checks")
    })?;
    on_output(&output);
    Ok(output)
}

/// Why a step's script failed, and whether its change was undone; `None` if it succeeded.
fn describe_failure(output: &Output) -> Option<String> {
    let words = || last_output_lines(output);
    match output.status {
        0 => None,
        FAILED_AND_UNDONE => Some(format!("{}; no change of this step remains", words())),
        FAILED_NOT_UNDONE => Some(format!("{}; and it could not be undone", words())),
        status => Some(format!("{} (status {status})", words())),
    }
}

/// The last six lines with text of a command's standard error, or of its standard output if that has none, joined by
/// semicolons and cut at their beginning if they are long; says so if both are empty. Control characters stay in it.
pub fn last_output_lines(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = [text(&output.stderr), text(&output.stdout)];
    let lines = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let said = both.iter().map(|text| lines(text)).find(|lines| !lines.is_empty());
    let said = said.unwrap_or_else(|| vec!["it reported no error".to_owned()]);
    last_part(&said[said.len().saturating_sub(LINES)..].join("; "), MAX_REPEATED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_resumed_by_the_names_of_its_steps() {
        let step = |name, state| Step {
            name,
            state,
            warnings: Vec::new(),
            files: Vec::new(),
        };
        let ok = |name| step(name, State::Ok(String::new()));
        let no = |name| step(name, State::Refused("no".to_owned()));
        let outcome = |step| Outcome {
            step,
            done: Done::Changed(String::new()),
            warnings: Vec::new(),
        };
        let outcomes = ["system", "packages"].map(outcome);
        for (new, names, refused) in [
            (
                vec![ok("system"), ok("packages"), ok("a"), ok("b")],
                vec!["a", "b"],
                None,
            ),
            // A step that is new, and another order.
            (vec![ok("system"), ok("c"), ok("b"), ok("a")], vec!["c", "b", "a"], None),
            // One that was done, is no longer possible, or is no longer there.
            (vec![no("system")], vec!["system", "a", "b"], Some("system was refused")),
            (vec![ok("system"), ok("b")], vec!["b", "a"], Some("a was refused")),
        ] {
            let rest = VecDeque::from([ok("a"), ok("b")]);
            let steps = remaining_steps(rest, Plan { steps: new }, &outcomes);
            assert_eq!(steps.iter().map(|step| step.name).collect::<Vec<_>>(), names);
            assert_eq!(refused_step(&steps).as_deref(), refused);
        }
    }

    #[test]
    fn the_last_lines_are_those_that_matter() {
        let output = |stdout: &str, stderr: &str| Output {
            status: 1,
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        assert_eq!(last_output_lines(&output("a\nb", "")), "a; b");
        assert_eq!(last_output_lines(&output("a", "\n x \n\n")), "x");
        assert_eq!(
            last_output_lines(&output("", "1\n2\n3\n4\n5\n6\n7")),
            "2; 3; 4; 5; 6; 7"
        );
        assert_eq!(last_output_lines(&output("", "")), "it reported no error");
        let long = last_output_lines(&output("", &"x".repeat(1 << 20)));
        assert!(long.len() < 2 * MAX_REPEATED, "{}", long.len());
    }
}
