//! The tool with real nodes: pods that mount volumes, kubelets that report why they cannot, and nfsprov itself in a
//! pod.
//!
//! The process enters the lab's namespaces first. All tests share one control plane, one NFS server and two nodes, of
//! which one has an NFS client. Each test has its own namespace.

mod ends;
mod image;
mod limits;
mod loading;
mod mounts;
mod released;
mod stage;
mod waits;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use nfsprov_lab::namespace::{Entry, enter_with_nodes};
use nfsprov_lab::trial;

use stage::{Running, Stage};

/// A test: its name and its function.
type Test = (&'static str, fn(Arc<Stage>) -> Running);

/// Tests mostly wait for kubelets.
const THREADS: usize = 10;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(101),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the tests; returns whether all passed.
fn run(arguments: &Arguments) -> Result<bool> {
    let lab = match arguments.list {
        true => None,
        // Must come first: the rest runs inside the lab's namespaces, in another process.
        false => match enter_with_nodes()? {
            Entry::Inside(lab) => Some(lab),
            Entry::Skip(why) => {
                eprintln!("skipped: the tests with nodes: {why}");
                None
            }
        },
    };
    let stage = lab.as_ref().map(Stage::new).transpose()?.map(Arc::new);
    let mut failed = false;
    // The longest first.
    let together = [image::TESTS, limits::TESTS, mounts::TESTS, waits::TESTS, loading::TESTS].concat();
    let groups = [
        &together[..],
        // Takes more than five minutes; a table test of the doctor's check of pods covers its text.
        if trial::is_thorough() { ends::TESTS } else { &[] },
        // make dist takes minutes.
        if trial::is_thorough() { released::TESTS } else { &[] },
    ];
    for tests in groups {
        let trials = tests.iter().map(|&(name, test): &Test| {
            let here = stage.clone();
            let trial = Trial::test(name, move || match &here {
                Some(stage) => stage.run(name, test(stage.clone())),
                None => Ok(()),
            });
            trial.with_ignored_flag(stage.is_none())
        });
        failed |= libtest_mimic::run(arguments, trials.collect()).has_failed();
    }
    if let Some(stage) = stage {
        stage.close();
    }
    Ok(!failed)
}
