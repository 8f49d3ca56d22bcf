//! The start and the end of every benchmark.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use nfsprov_lab::namespace::{Entry, enter};
use nfsprov_lab::{Lab, Lane};

/// Runs a benchmark, and prints its error.
pub fn run(bench: impl FnOnce() -> Result<()>) -> ExitCode {
    // cargo also runs bench targets in `cargo test`, where there is nothing to do.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Like [`run`], for a benchmark that needs the lab.
#[allow(dead_code, reason = "not every benchmark does")]
pub fn run_in_lab(bench: impl AsyncFnOnce(&Lab) -> Result<()>) -> ExitCode {
    run(|| in_lab(bench))
}

/// Enters the lab and runs the benchmark there.
#[allow(dead_code, reason = "not every benchmark does")]
pub fn in_lab(bench: impl AsyncFnOnce(&Lab) -> Result<()>) -> Result<()> {
    match enter()? {
        Entry::Inside(lab) => tokio::runtime::Runtime::new()?.block_on(bench(&lab)),
        Entry::Skip(why) => anyhow::bail!("the benchmark needs the lab: {why}"),
    }
}

/// The median.
#[allow(dead_code, reason = "not every benchmark wants it")]
pub fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The Kubernetes version of the variable `K8S`, or the default one.
#[allow(dead_code, reason = "not every benchmark needs one")]
pub fn lane() -> Result<Lane> {
    std::env::var("K8S").map_or(Ok(Lane::default()), |name| name.parse())
}
