//! What `make dist` has built, installed, run and removed somewhere clean; and what only Helm and Prometheus can judge.
//!
//! `make test-dist` runs all of it. Elsewhere the tests are ignored: they need dist/, root, and downloads.

mod chart;
mod image;
mod monitoring;
mod packages;
mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The only file of dist/ whose name begins and ends so.
fn artifact(start: &str, end: &str) -> PathBuf {
    let dist = Path::new(ROOT).join("dist");
    let names = std::fs::read_dir(&dist).expect("dist/ is missing: make dist");
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: Vec<_> = names
        .filter(|name| name.starts_with(start) && name.ends_with(end) && name.contains(VERSION))
        .collect();
    assert_eq!(found.len(), 1, "{start}…{end} in {}: {found:?}", dist.display());
    dist.join(&found[0])
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// Runs a program to its end.
fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// stdout of a program that must succeed.
fn done(program: &str, args: &[&str]) -> String {
    let output = run(program, args);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{program} {args:?}: {stdout}{stderr}");
    stdout.into_owned()
}
