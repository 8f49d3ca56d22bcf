//! The machine's Go toolchains: finds the newest, runs it on a module of the lab, and distinguishes refusals of the
//! module proxy from other failures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Error, Result};

use super::{Unavailable, architecture};
use crate::process::contained;
use crate::step::Failed;

/// The variables that Go takes from the caller's environment: those that select the source of downloads, and no others.
pub(crate) const INHERITED: [&str; 17] = [
    "GOPROXY",
    "GONOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOINSECURE",
    "GOAUTH",
    "GOVCS",
    "NETRC",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// A path that cannot be a directory: otherwise Go, as root, would write its usage counters into the caller's
/// configuration.
const NOWHERE: &str = "/dev/null";

/// A release of Go, such as 1.26.8; a release candidate sorts before its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Release([i32; 3]);

impl Release {
    /// Parses `1.26.8`, `1.26`, `1.27rc1`, and the output of `go env GOVERSION`: `go1.26.8`, `devel go1.28-3f1b4 …`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split([' ', '-']).map(|word| word.trim_start_matches("go"));
        let word = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(word.splitn(3, '.')) {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            *number = part[..digits].parse().ok()?;
        }
        if word.contains("rc") || word.contains("beta") {
            numbers[2] = -1;
        }
        Some(Self(numbers))
    }
}

/// A Go toolchain of this machine.
#[derive(Clone, Debug)]
pub(super) struct Toolchain {
    program: PathBuf,
    version: String,
    release: Release,
}

impl Toolchain {
    /// The newest Go on PATH, in /usr/local/go or in Debian's directories.
    fn newest() -> Option<Self> {
        let mut programs: Vec<PathBuf> = std::env::var_os("PATH")
            .map(|path| std::env::split_paths(&path).map(|dir| dir.join("go")).collect())
            .unwrap_or_default();
        programs.push("/usr/local/go/bin/go".into());
        let debian = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let debian = debian.filter(|entry| entry.file_name().to_string_lossy().starts_with("go-"));
        programs.extend(debian.map(|entry| entry.path().join("bin/go")));
        // Several paths often lead to the same program.
        let mut programs: Vec<_> = programs.iter().filter_map(|path| path.canonicalize().ok()).collect();
        programs.sort();
        programs.dedup();
        programs
            .into_iter()
            .filter_map(Self::ask_version)
            .max_by_key(|go| go.release)
    }

    /// Asks the program for its version.
    fn ask_version(program: PathBuf) -> Option<Self> {
        let mut command = Command::new(&program);
        // Runs in a directory without a go.mod, so that Go does not switch to another toolchain.
        command.args(["env", "GOVERSION"]).current_dir("/").stdin(Stdio::null());
        command
            .env("GOTOOLCHAIN", "local")
            .env("GOENV", "off")
            .env("GOFLAGS", "");
        command.env("XDG_CONFIG_HOME", NOWHERE);
        let output = command.output().ok()?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Some(Self {
            release: Release::parse(&version)?,
            version,
            program,
        })
    }

    /// The newest Go of this machine, if it is at least `needed` (as in a go.mod's `go` line), which `what` requires.
    ///
    /// # Errors
    /// [`Unavailable`] if there is no Go, or only older ones.
    pub(super) fn at_least(needed: &str, what: &str) -> Result<Self, Unavailable> {
        let here = match Self::newest() {
            Some(go) if Release::parse(needed).is_none_or(|needed| go.release >= needed) => return Ok(go),
            Some(go) => format!("the newest here is {} ({})", go.version, go.program.display()),
            None => "there is none on PATH, in /usr/local/go/bin or in /usr/lib/go-*/bin".to_owned(),
        };
        Err(Unavailable(format!("{what} needs Go {needed} or newer, and {here}")))
    }

    /// A command that runs Go with `args` on the module in `module`, with `flags` for GOFLAGS. Downloads and compiled
    /// files go to `work`. The command ends with this process.
    pub(super) fn command(&self, module: &Path, work: &Path, flags: &str, args: &[&str]) -> Result<Command> {
        let mut command = contained("nice");
        command.arg(&self.program).args(args).current_dir(module);
        let inherited = INHERITED.iter().chain(&["HOME", "PATH"]);
        let inherited: Vec<_> = inherited
            .filter_map(|name| Some((name, std::env::var_os(name)?)))
            .collect();
        command.env_clear().envs(inherited);
        // The user's own settings select the proxy; the settings that change the build are overridden here.
        if let Some(file) = settings() {
            command.env("GOENV", file);
        }
        let scratch = work.join("tmp");
        crate::cache::create_dir(&scratch)?;
        command
            .env("XDG_CONFIG_HOME", NOWHERE)
            .env("LC_ALL", "C.UTF-8")
            .env("TMPDIR", scratch)
            .env("GOCACHE", work.join("gocache"))
            .env("GOMODCACHE", work.join("gomodcache"))
            .env("GOPATH", work.join("gopath"))
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", format!("-modcacherw -buildvcs=false {flags}"))
            .env("GO111MODULE", "on")
            .env("GOWORK", "off")
            .env("GOOS", "linux")
            .env("GOARCH", architecture()?)
            .env("GOEXPERIMENT", "")
            .env("GODEBUG", "")
            .env("CGO_ENABLED", "0");
        Ok(command)
    }
}

/// The file of the user's own Go settings.
fn settings() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("GOENV") {
        return Some(file.into());
    }
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(std::env::home_dir()?.join(".config")))?;
    Some(config.join("go/env"))
}

/// Converts the failure of a download of modules for `what` into one sentence if a module is not available; returns any
/// other failure unchanged.
pub(super) fn explain_download_failure(error: Error, what: &str) -> Error {
    let Some(failed) = error.downcast_ref::<Failed>() else {
        return error;
    };
    match unavailable_module(failed.lines()) {
        Some((module, why)) => Unavailable(format!("Go cannot get {module}, which {what} needs: {why}")).into(),
        None => error,
    }
}

/// The first module that is not available, and the reason in the proxy's words, without addresses.
fn unavailable_module(lines: &[String]) -> Option<(&str, String)> {
    // Neither time nor another network fixes these; a person must look at them.
    let permanent = ["SECURITY ERROR", "no space left", "permission denied", "go.sum"];
    if lines
        .iter()
        .any(|line| permanent.iter().any(|words| line.contains(words)))
    {
        return None;
    }
    lines.iter().find_map(|line| {
        let parts: Vec<&str> = line.trim().split(": ").collect();
        let is_module = |part: &&str| {
            let version = part.split_once("@v").map(|(_, version)| version);
            version.is_some_and(|version| !version.contains([' ', '/', ':']))
        };
        let module = parts[..parts.len() - 1].iter().copied().find(is_module)?;
        let why = parts[parts.len() - 1].split(' ').filter(|word| !word.contains("://"));
        Some((module, why.collect::<Vec<_>>().join(" ")))
    })
}

#[cfg(test)]
mod tests {
    use super::{Release, unavailable_module};

    #[test]
    fn releases_are_in_order() {
        let order = [
            "go1.19.8",
            "1.24",
            "go1.26.0",
            "go1.26.8",
            "go1.27rc1",
            "1.27",
            "devel go1.28-3f1 Mon",
        ];
        let releases: Vec<_> = order.iter().map(|text| Release::parse(text).unwrap()).collect();
        assert!(releases.is_sorted(), "{releases:?}");
        assert_eq!(Release::parse("go1.26.8 X:nodwarf5"), Release::parse("1.26.8"));
        assert_eq!(Release::parse("unknown"), None);
    }

    #[test]
    fn a_refusal_names_its_module_and_no_host() {
        let cases = [
            (
                "go: k8s.io/kubernetes@v1.37.9: reading https://a.example/k8s.io/kubernetes/@v/v1.37.9.info: 403 Forbidden\n\
                 \tserver response: This module version is not available.",
                Some(("k8s.io/kubernetes@v1.37.9", "403 Forbidden")),
            ),
            (
                "k8s.io/a imports\n\tk8s.io/d/cel: k8s.io/d@v0.31.14: verifying module: k8s.io/d@v0.31.14: reading \
                 https://a.example/sumdb/b.example/lookup/k8s.io/d@v0.31.14: 404 Not Found",
                Some(("k8s.io/d@v0.31.14", "404 Not Found")),
            ),
            (
                "go: downloading k8s.io/kubernetes v1.37.2\nk8s.io/kubernetes@v1.37.2: Get \
                 \"https://a.example/x.zip\": dial tcp: lookup a.example on 192.0.2.1:53: no such host",
                Some(("k8s.io/kubernetes@v1.37.2", "no such host")),
            ),
            (
                "go: k8s.io/kubernetes@v1.37.2: module lookup disabled by GOPROXY=off",
                Some(("k8s.io/kubernetes@v1.37.2", "module lookup disabled by GOPROXY=off")),
            ),
            ("verifying k8s.io/a@v0.1.0: checksum mismatch\n\nSECURITY ERROR\n", None),
            ("k8s.io/a@v0.1.0: missing go.sum entry", None),
            ("gomodcache/k8s.io/a@v0.1.0/a.go:1:2: undefined: x", None),
        ];
        for (output, expected) in cases {
            let lines: Vec<String> = output.lines().map(str::to_owned).collect();
            let expected = expected.map(|(module, why)| (module, why.to_owned()));
            assert_eq!(unavailable_module(&lines), expected, "{output}");
        }
    }
}
