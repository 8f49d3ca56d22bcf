//! The artifacts of `make dist`: each is installed, run and removed in a clean root; and checks that need Helm or
//! Prometheus.
//!
//! `make test-dist` runs all of them, with ARCH=arm64 for artifacts of arm64: on amd64, qemu's emulator runs their
//! programs. Other runs ignore these tests, because they need dist/, root, and downloads.

mod chart;
mod image;
mod monitoring;
mod packages;
mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The only file of dist/ whose name begins with `start` and ends with `end`.
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

/// The tested architecture in the names of Debian and Go: `ARCH`, or this machine's.
fn architecture() -> String {
    std::env::var("ARCH").unwrap_or_else(|_| own_architecture().to_owned())
}

fn own_architecture() -> &'static str {
    nfsprov_lab::kubernetes::architecture().unwrap()
}

/// The tested architecture in the names of Linux and rpm.
fn machine() -> &'static str {
    match architecture().as_str() {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => panic!("nothing is built for {other}"),
    }
}

/// The emulator for programs of the tested architecture, if this processor cannot run them.
fn emulator() -> Option<&'static str> {
    (architecture() != own_architecture()).then_some("/usr/bin/qemu-aarch64-static")
}

/// Runs a program of the tested architecture.
fn run_tested(program: &Path, args: &[&str]) -> Output {
    match emulator() {
        Some(emulator) => run(emulator, &[&[text(program)], args].concat()),
        None => run(text(program), args),
    }
}

/// Runs a program of the tested architecture in its root directory, by chroot with these options.
fn run_tested_inside(root: &Path, options: &[&str], program: &[&str]) -> Output {
    let mut args = [options, &[text(root)]].concat();
    if let Some(emulator) = emulator() {
        std::fs::copy(emulator, root.join("emulator")).unwrap();
        args.push("/emulator");
    }
    // With the variable, errors request backtraces, which must not crash a program without unwind tables.
    let mut command = Command::new("chroot");
    command.args(args).args(program).env("RUST_BACKTRACE", "1");
    command.output().unwrap()
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// The stdout of a program that must succeed.
fn done(program: &str, args: &[&str]) -> String {
    stdout_of(run(program, args), &format!("{program} {args:?}"))
}

/// The stdout of `command`, which must have succeeded.
fn stdout_of(output: Output, command: &str) -> String {
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command}: {stdout}{stderr}");
    stdout.into_owned()
}
