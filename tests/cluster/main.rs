//! The tool against real Kubernetes control planes and a real NFS server.
//!
//! The lab's namespaces are entered before anything else. Every test runs on
//! every version of Kubernetes that the lab has; on each, one control plane and
//! one NFS host serve all tests, each test in a namespace of its own and under
//! a provisioner's name of its own. Tests that break something bring up their own.

/// A module's tests: what each needs, and the function, which is its name too.
macro_rules! tests {
    ($($need:ident: $function:ident),* $(,)?) => {
        pub const TESTS: &[$crate::Test] = &[$((
            concat!(module_path!(), "::", stringify!($function)),
            $crate::stage::Need::$need,
            |stage| Box::pin($function(stage)),
        )),*];
    };
}
pub(crate) use tests;

mod adoption;
mod claims;
mod confinement;
mod deletion;
mod doctor;
mod doctor_faults;
mod doctor_fix;
mod doctor_gate;
mod doctor_hosts;
mod doctor_printed;
mod doctor_provisioners;
mod doctor_scheduler;
mod doctor_tenant;
mod document;
mod exports;
mod failures;
mod faults_api;
mod faults_nfs;
mod kit;
mod leader;
mod manifests;
mod objects;
mod operable;
mod patterns;
mod proxy;
mod release;
mod setup;
mod ssh;
mod stage;
mod volumes;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Conclusion, Trial};

use stage::{Need, Stage, Venue, venue};

/// Every test: its name, what it needs, and itself.
type Test = (&'static str, Need, fn(Arc<Stage>) -> kit::Running);

/// Tests wait more than they work: more of them than there are processors run at once.
const THREADS: usize = 6;

/// What ran, for the last lines of `make test`.
const RECORD: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/clusters-tested");

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

/// Runs the tests on every cluster of the venue; whether none failed.
fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.list {
        return Ok(!on(Stage::none("only listed")?, arguments, true).has_failed());
    }
    match venue()? {
        Venue::None(why) => Ok(!on(Stage::none(&why)?, arguments, true).has_failed()),
        Venue::Own(kubeconfig) => Ok(!on(Stage::own(kubeconfig)?, arguments, true).has_failed()),
        Venue::Lab(lab, lanes) => {
            let mut record = String::new();
            let mut failed = false;
            for (number, lane) in lanes.into_iter().enumerate() {
                let stage = Stage::lab_with(&lab, lane)?;
                let version = stage.cluster().to_owned();
                let conclusion = on(stage, arguments, number == 0);
                let Conclusion {
                    num_passed: passed,
                    num_failed: failures,
                    num_ignored: skipped,
                    ..
                } = conclusion;
                record += &format!("Kubernetes {version}: {passed} passed, {failures} failed, {skipped} skipped\n");
                failed |= conclusion.has_failed();
            }
            std::fs::write(RECORD, record).with_context(|| format!("cannot write {}", Path::new(RECORD).display()))?;
            Ok(!failed)
        }
    }
}

/// Runs on one cluster the tests that concern it; those that need only one, on the `first`.
fn on(stage: Stage, arguments: &Arguments, first: bool) -> Conclusion {
    let stage = Arc::new(stage);
    let tests = [
        adoption::TESTS,
        claims::TESTS,
        patterns::TESTS,
        confinement::TESTS,
        deletion::TESTS,
        exports::TESTS,
        document::TESTS,
        failures::TESTS,
        faults_api::TESTS,
        faults_nfs::TESTS,
        leader::TESTS,
        manifests::TESTS,
        objects::TESTS,
        operable::TESTS,
        ssh::TESTS,
        doctor::TESTS,
        doctor_faults::TESTS,
        doctor_fix::TESTS,
        doctor_gate::TESTS,
        doctor_hosts::TESTS,
        doctor_printed::TESTS,
        doctor_provisioners::TESTS,
        doctor_scheduler::TESTS,
        doctor_tenant::TESTS,
        release::TESTS,
        setup::TESTS,
        volumes::TESTS,
    ]
    .concat();
    let here = tests.into_iter().filter(|(_, need, _)| stage.concerns(*need, first));
    let trials = here.map(|(name, need, test): Test| {
        let name = name.trim_start_matches(concat!(module_path!(), "::"));
        let lacking = stage.lacks(need);
        if let Some(why) = lacking.as_ref().filter(|_| !arguments.list) {
            eprintln!("skipped: {name}: {why}");
        }
        let here = stage.clone();
        Trial::test(format!("{}::{name}", stage.cluster()), move || {
            let running = test(here.clone());
            here.block_on(running).map_err(|error| format!("{error:#}").into())
        })
        .with_ignored_flag(lacking.is_some())
    });
    let conclusion = libtest_mimic::run(arguments, trials.collect());
    stage.close();
    conclusion
}
