//! `make test-crash`: kills a provisioner at random moments, many times, while claims are created and deleted.
//!
//! The test uses a real API server, a real controller manager and a kernel NFS server. After each kill it checks the
//! rules of `check.rs` that always hold, and at the end all rules. Claims use NFS 3, 4.0 and 4.1. The provisioner sets
//! size limits over SSH. `cargo test` runs a few rounds.
//!
//! `CRASH_ROUNDS` sets the number of rounds. `CRASH_SEED` sets the seed: an equal seed gives the same plan, though the
//! machine's load changes the timing. With `CRASH_PAIR_SECONDS`, two provisioners serve the same claims for that long
//! instead, without a Lease and without kills. `K8S=latest` selects the newer Kubernetes.

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
use nfsprov_lab::namespace::{Entry, enter_with_quota};
use nfsprov_lab::{Lab, Lane, trial};

/// How many rounds `cargo test` runs.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One test at a time, so that the outputs do not mix.
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
    let (rounds, seed) = (read_variable("CRASH_ROUNDS")?, read_variable("CRASH_SEED")?);
    let lane = read_variable("K8S")?.unwrap_or_default();
    let lab = match arguments.list {
        true => None,
        false => match enter_with_quota(lane)? {
            Entry::Inside(lab) => Some(lab),
            Entry::Skip(why) => {
                eprintln!("skipped: the crash rounds: {why}");
                None
            }
        },
    };
    let pair = read_variable("CRASH_PAIR_SECONDS")?.map(Duration::from_secs);
    let is_unavailable = lab.is_none();
    let seed = seed.unwrap_or_else(seed_from_clock);
    let rounds = rounds.unwrap_or(ROUNDS);
    let name = match pair {
        Some(_) => "two_provisioners_lose_nothing",
        None => "killed_at_random_it_continues",
    };
    let in_lab = move || {
        let lab = lab.as_ref().ok_or("the lab is not available")?;
        let runtime = tokio::runtime::Runtime::new()?;
        let test = match pair {
            Some(duration) => crash_pair(lab, lane, seed, duration).boxed_local(),
            None => crash(lab, lane, seed, rounds).boxed_local(),
        };
        // The number of rounds decides how long the test takes, so it has no time limit.
        let ended = trial::run(lab, &runtime, "crash", name, Duration::MAX, test);
        ended.map_err(Failed::from)
    };
    Ok(vec![
        Trial::test("plans_are_repeatable", || plan::test().map_err(Failed::from)),
        Trial::test("every_rule_can_be_broken", || doctored::test().map_err(Failed::from)),
        Trial::test(name, in_lab).with_ignored_flag(is_unavailable),
    ])
}

async fn crash_pair(lab: &Lab, lane: Lane, seed: u64, duration: Duration) -> Result<()> {
    let tally = run::run_pair(lab, lane, seed, duration).await?;
    println!("pair: {} passed, {} failed", tally.passed, tally.failed);
    ensure!(
        tally.failed == 0,
        "rules were violated; repeat with: CRASH_SEED={seed} CRASH_PAIR_SECONDS={}",
        duration.as_secs()
    );
    Ok(())
}

async fn crash(lab: &Lab, lane: Lane, seed: u64, rounds: usize) -> Result<()> {
    let tally = run::run(lab, lane, seed, rounds).await?;
    println!("crash: {} passed, {} failed", tally.passed, tally.failed);
    ensure!(
        tally.failed == 0,
        "rules were violated; repeat with: CRASH_SEED={seed} CRASH_ROUNDS={rounds}"
    );
    Ok(())
}

/// Reads an environment read_variable; `None` if it is unset or empty.
fn read_variable<T: FromStr>(name: &str) -> Result<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = std::env::var(name).ok().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed = text.parse().map_err(|error| anyhow::anyhow!("{error}"));
    parsed.with_context(|| format!("{name}={text}")).map(Some)
}

/// A different seed for each run.
fn seed_from_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos())
}
