//! The tool against a real Kubernetes control plane and a real NFS server.
//!
//! The lab's namespaces are entered before anything else; one control plane and
//! one NFS host serve all tests, each in a namespace of its own and under a
//! provisioner's name of its own. Tests that break something bring up their own.

mod claims;
mod deletion;
mod failures;
mod kit;
mod manifests;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use kit::{Need, Stage};

/// Every test: its name, what it needs, and itself.
type Test = (&'static str, Need, fn(Arc<Stage>) -> kit::Running);

fn tests() -> Vec<Test> {
    [claims::TESTS, deletion::TESTS, failures::TESTS, manifests::TESTS].concat()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let stage = if arguments.list { kit::unstaged() } else { kit::stage() };
    let stage = match stage {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let trials = tests().into_iter().map(|(name, need, test)| {
        let lacking = stage.lacks(need);
        if let Some(why) = &lacking {
            eprintln!("skipped: {name}: {why}");
        }
        let here = stage.clone();
        Trial::test(format!("{}::{name}", stage.lane()), move || {
            let running = test(here.clone());
            here.block_on(running).map_err(|error| format!("{error:#}").into())
        })
        .with_ignored_flag(lacking.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    stage.close();
    conclusion.exit_code()
}
