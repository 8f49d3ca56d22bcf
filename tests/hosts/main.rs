//! Hosts over SSH: nfsprov's own connections to a real sshd, in guests of the lab.
//!
//! Two guests serve all tests. A test that needs an sshd with particular settings starts one there, on its own port.

/// A module's tests: functions, whose names are the tests' names. Those after `test_all:` only run in `make test-all`.
macro_rules! tests {
    ($($function:ident),* $(,)? $(; test_all: $($thorough:ident),* $(,)?)?) => {
        pub const TESTS: &[$crate::Test] = &[
            $((stringify!($function), false, |stage| Box::pin($function(stage))),)*
            $($((stringify!($thorough), true, |stage| Box::pin($thorough(stage))),)*)?
        ];
    };
}
pub(crate) use tests;

mod configuration;
mod each_step;
mod exports;
mod faults;
mod firewall;
mod keys;
mod kit;
mod live;
mod login;
mod login_steps;
mod many;
mod quota;
mod root;
mod rpm_double;
mod runs;
mod scripts;
mod secrets;
mod setup;
mod step_faults;
mod way;
mod words;

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use nfsprov_lab::namespace::{Entry, enter_with_hosts};
use nfsprov_lab::trial;

use kit::Stage;

/// A test: its name, whether it only runs in `make test-all`, and its function.
type Test = (
    &'static str,
    bool,
    fn(Arc<Stage>) -> Pin<Box<dyn Future<Output = Result<()>>>>,
);

/// Tests mostly wait, but guests that some of them set up use processors: few more at once than there are processors.
const THREADS: usize = 3;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    // The longest first.
    let mut tests = [
        firewall::TESTS,
        setup::TESTS,
        quota::TESTS,
        configuration::TESTS,
        each_step::TESTS,
        exports::TESTS,
        faults::TESTS,
        keys::TESTS,
        live::TESTS,
        login::TESTS,
        login_steps::TESTS,
        many::TESTS,
        root::TESTS,
        rpm_double::TESTS,
        scripts::TESTS,
        secrets::TESTS,
        step_faults::TESTS,
        way::TESTS,
        words::TESTS,
    ]
    .concat();
    tests.retain(|(_, only_in_test_all, _)| trial::is_thorough() || !only_in_test_all);
    let wanted = |name: &str| match &arguments.filter {
        Some(filter) => name.contains(filter.as_str()),
        None => true,
    };
    // Must come first: the rest runs inside the lab's namespaces, in another process.
    let stage = match arguments.list || !tests.iter().any(|(name, ..)| wanted(name)) {
        true => None,
        false => match enter_with_hosts()? {
            Entry::Inside(lab) => Some(Arc::new(Stage::new(&lab)?)),
            Entry::Skip(why) => {
                for (name, ..) in tests.iter().filter(|(name, ..)| wanted(name)) {
                    eprintln!("skipped: {name}: {why}");
                }
                None
            }
        },
    };
    let trials = tests.into_iter().map(|(name, _, test)| {
        let here = stage.clone();
        let trial = Trial::test(name, move || match here {
            Some(stage) => stage.run(name, test(stage.clone())),
            None => Ok(()),
        });
        trial.with_ignored_flag(stage.is_none())
    });
    Ok(libtest_mimic::run(arguments, trials.collect()).exit_code())
}
