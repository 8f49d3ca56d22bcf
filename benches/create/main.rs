//! `make bench`: how long the process of `create pv` takes, compared with kubectl creating an object from its flags.
//!
//! Neither contacts a cluster. The two alternate, so that other load on the machine affects both.

#[path = "../shared/mod.rs"]
mod shared;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nfsprov_lab::Lane;
use nfsprov_lab::run::kubectl;

/// How often each runs, after one uncounted run.
const ROUNDS: usize = 200;

/// The time goal of `create pv`.
const GOAL: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    shared::run(bench)
}

fn bench() -> Result<()> {
    let kubectl = kubectl(Lane::built_or_default())?.join("kubectl");
    let pv = "create pv mypv --server 10.128.1.117 --path /nfsdata --size 1Gi --access-mode RWO";
    // kubectl has no generator for volumes; this is one of its smallest.
    let configmap = "create configmap mypv --from-literal=size=1Gi --dry-run=client -o yaml";
    let commands = [
        (PathBuf::from(env!("CARGO_BIN_EXE_nfsprov")), "nfsprov", pv),
        (kubectl, "kubectl", configmap),
    ];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for ((program, _, args), times) in commands.iter().zip(&mut times) {
            let time = run(program, args)?;
            if round > 0 {
                times.push(time);
            }
        }
    }
    println!("YAML from flags, whole process, {ROUNDS} runs each, alternating");
    println!("{:>9} {:>10} {:>10}", "", "p50 ms", "p99 ms");
    for ((_, name, _), times) in commands.iter().zip(&mut times) {
        times.sort();
        println!(
            "{name:>9} {:>10.1} {:>10.1}",
            ms(percentile(times, 50)),
            ms(percentile(times, 99))
        );
    }
    let (ours, theirs) = (percentile(&times[0], 50), percentile(&times[1], 50));
    let verdict = if ours < GOAL { "below" } else { "ABOVE" };
    println!(
        "{:.2} x kubectl's time; {verdict} the goal of {:.0} ms",
        ours.as_secs_f64() / theirs.as_secs_f64(),
        ms(GOAL)
    );
    Ok(())
}

/// How long a command takes, from its start to its end.
fn run(program: &PathBuf, args: &str) -> Result<Duration> {
    let mut command = Command::new(program);
    command
        .args(args.split(' '))
        .env("KUBECONFIG", "/dev/null")
        .env("HOME", "/nonexistent");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let time = begun.elapsed();
    ensure!(
        output.status.success() && !output.stdout.is_empty(),
        "{} {args} failed",
        program.display()
    );
    Ok(time)
}

/// The time within which `percent` of the runs end; the times must be sorted.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times[rank - 1]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
