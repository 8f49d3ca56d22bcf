//! The tool against real Kubernetes control planes and a real NFS server.
//!
//! The process enters the lab's namespaces first. All tests share one NFS host, and one control plane for each version
//! of Kubernetes. Each test has its own namespace and provisioner name. A test runs on the newest version, or says why
//! it needs the oldest, or both. Tests that damage a component start their own.

/// A module's tests: the versions on which each runs, and the function, whose name is the test's name.
macro_rules! tests {
    ($($on:ident $(($why:literal))?: $function:ident),* $(,)?) => {
        pub const TESTS: &[$crate::Test] = &[$((
            concat!(module_path!(), "::", stringify!($function)),
            $crate::stage::On::$on $(($why))?,
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
mod in_cluster;
mod kit;
mod leader;
mod manifests;
mod migrate;
mod objects;
mod operable;
mod pages;
mod patterns;
mod proxy;
mod quota;
mod records;
mod release;
mod released;
mod setup;
mod ssh;
mod stage;
mod volumes;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use nfsprov_lab::Lane;
use nfsprov_lab::namespace::{Entry, enter_with_quota};

use stage::{On, Shared, Stage};

/// A test: its name, the versions on which it runs, and its function.
type Test = (&'static str, On, fn(Arc<Stage>) -> kit::Running);

/// Tests mostly wait, so more of them run at once than there are processors.
const THREADS: usize = 9;

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

/// All tests, the longest first. Those that wait for their own control plane alternate with the others, so that neither
/// kind remains at the end.
fn all() -> Vec<Test> {
    let own_planes = [
        doctor_gate::TESTS,
        doctor_faults::TESTS,
        doctor_provisioners::TESTS,
        doctor_hosts::TESTS,
        setup::TESTS,
        doctor_tenant::TESTS,
        doctor_printed::TESTS,
        doctor::TESTS,
        pages::TESTS,
        doctor_fix::TESTS,
        doctor_scheduler::TESTS,
    ]
    .concat();
    let shared_plane = [
        quota::TESTS,
        faults_api::TESTS,
        faults_nfs::TESTS,
        leader::TESTS,
        operable::TESTS,
        failures::TESTS,
        ssh::TESTS,
        adoption::TESTS,
        claims::TESTS,
        patterns::TESTS,
        confinement::TESTS,
        deletion::TESTS,
        exports::TESTS,
        in_cluster::TESTS,
        document::TESTS,
        manifests::TESTS,
        migrate::TESTS,
        objects::TESTS,
        records::TESTS,
        release::TESTS,
        released::TESTS,
        volumes::TESTS,
    ]
    .concat();
    let every = shared_plane.len() / own_planes.len();
    let mut shared_plane = shared_plane.into_iter();
    let mut tests = Vec::new();
    for test in own_planes {
        tests.push(test);
        tests.extend(shared_plane.by_ref().take(every));
    }
    tests.extend(shared_plane);
    tests
}

/// Runs the selected tests on the versions that they name.
fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut planned = Vec::new();
    for (name, on, test) in all() {
        let name = name.trim_start_matches(concat!(module_path!(), "::"));
        for &lane in on.lanes() {
            planned.push((format!("{}::{name}", lane.version()?), lane, test));
        }
    }
    let wanted = |name: &str| match (&arguments.filter, arguments.exact) {
        (Some(filter), true) => name == filter,
        (Some(filter), false) => name.contains(filter.as_str()),
        (None, _) => true,
    };
    let mut lanes: Vec<Lane> = Lane::all().into();
    lanes.retain(|wanted_lane| {
        planned
            .iter()
            .any(|(name, lane, _)| lane == wanted_lane && wanted(name))
    });
    let mut stages: Vec<Arc<Stage>> = Vec::new();
    let mut missing = None;
    if !arguments.list && !lanes.is_empty() {
        // Must come first: the rest runs inside the lab's namespaces, in another process.
        match enter_with_quota(Lane::default())? {
            Entry::Inside(lab) => {
                let built = Lane::to_test()?;
                lanes.retain(|lane| built.contains(lane));
                stages = Stage::start_all(Shared::start(lab)?, &lanes)?;
            }
            Entry::Skip(why) => missing = Some(why),
        }
    }
    let trials = planned.into_iter().map(|(name, lane, test)| {
        let stage = stages.iter().find(|stage| stage.lane() == lane).cloned();
        let ignored = stage.is_none();
        if let Some(why) = missing.as_ref().filter(|_| wanted(&name)) {
            eprintln!("skipped: {name}: {why}");
        }
        let title = name.clone();
        let trial = Trial::test(title, move || {
            let Some(stage) = stage else { return Ok(()) };
            stage.run("cluster", &name, test)
        });
        trial.with_ignored_flag(ignored)
    });
    let conclusion = libtest_mimic::run(arguments, trials.collect());
    for stage in stages {
        stage.close();
    }
    Ok(conclusion.exit_code())
}
