//! `make test-crash`: a provisioner that is killed at random moments, over and over, under claims and deletions.
//!
//! A real API server and controller manager, a kernel NFS server, and the rules of `check.rs`, of which those that
//! hold at any moment are looked at after every kill and all at the end. Claims are served over NFS 3, 4.0 and 4.1; the
//! limits of those that have one are set over SSH.
//! `cargo test` runs a few rounds of it.
//!
//! `CRASH_ROUNDS` says how many, `CRASH_SEED` which: what happens when is the same again for a seed, up to what the
//! machine makes of it. `CRASH_PAIR_SECONDS` has two provisioners serve the same claims for so long instead, without a
//! Lease and without kills. `K8S=latest` chooses the newer Kubernetes.

mod check;
mod doctored;
mod limits;
mod place;
mod plan;
mod run;
mod state;

use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use futures::FutureExt;
use libtest_mimic::{Arguments, Failed, Trial};
use nfsprov_lab::namespace::{Entry, enter_for};
use nfsprov_lab::{Lab, Lane, trial};

/// How many rounds `cargo test` runs.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One after the other, so that what the rounds say stays in one piece.
    arguments.test_threads = Some(1);
    match trials(&arguments) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn trials(arguments: &Arguments) -> Result<Vec<Trial>> {
    let (rounds, seed) = (variable("CRASH_ROUNDS")?, variable("CRASH_SEED")?);
    let lane = variable("K8S")?.unwrap_or_default();
    let lab = match arguments.list {
        true => None,
        false => match enter_for(&[lane])? {
            Entry::Inside(lab) => Some(lab),
            Entry::Skip(why) => {
                eprintln!("skipped: the rounds: {why}");
                None
            }
        },
    };
    let pair = variable("CRASH_PAIR_SECONDS")?.map(Duration::from_secs);
    let lacking = lab.is_none();
    let seed = seed.unwrap_or_else(moment);
    let rounds = rounds.unwrap_or(ROUNDS);
    let name = match pair {
        Some(_) => "two_provisioners_lose_nothing",
        None => "killed_at_random_it_continues",
    };
    let in_lab = move || {
        let lab = lab.as_ref().ok_or("there is no lab")?;
        let runtime = tokio::runtime::Runtime::new()?;
        let test = match pair {
            Some(duration) => crash_pair(lab, lane, seed, duration).boxed_local(),
            None => crash(lab, lane, seed, rounds).boxed_local(),
        };
        // A whole run of many rounds, which no limit fits.
        let ended = trial::run(lab, &runtime, "crash", name, Duration::MAX, test);
        ended.map_err(Failed::from)
    };
    Ok(vec![
        Trial::test("plans_are_repeatable", || plan::test().map_err(Failed::from)),
        Trial::test("every_rule_can_be_broken", || doctored::test().map_err(Failed::from)),
        Trial::test(name, in_lab).with_ignored_flag(lacking),
    ])
}

async fn crash_pair(lab: &Lab, lane: Lane, seed: u64, duration: Duration) -> Result<()> {
    let tally = run::run_pair(lab, lane, seed, duration).await?;
    println!("pair: {} passed, {} failed", tally.passed, tally.failed);
    ensure!(
        tally.failed == 0,
        "rules were broken; the same again: CRASH_SEED={seed} CRASH_PAIR_SECONDS={}",
        duration.as_secs()
    );
    Ok(())
}

async fn crash(lab: &Lab, lane: Lane, seed: u64, rounds: usize) -> Result<()> {
    let tally = run::run(lab, lane, seed, rounds).await?;
    println!("crash: {} passed, {} failed", tally.passed, tally.failed);
    ensure!(
        tally.failed == 0,
        "rules were broken; the same again: CRASH_SEED={seed} CRASH_ROUNDS={rounds}"
    );
    Ok(())
}

/// A variable of the environment, if it is set.
fn variable<T: FromStr>(name: &str) -> Result<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = std::env::var(name).ok().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed = text.parse().map_err(|error| anyhow::anyhow!("{error}"));
    parsed.with_context(|| format!("{name}={text}")).map(Some)
}

/// Another seed at every run.
fn moment() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos())
}
