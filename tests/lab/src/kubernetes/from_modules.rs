//! The lane latest: Kubernetes and its etcd, built from Go modules alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::go::{self, Toolchain};
use super::{Binaries, Unavailable, from_debian, module_file, not_built};
use crate::{cache, step};

/// The go.mod of the lane, unless the environment names another version.
const GO_MOD: &str = include_str!("../../lanes/latest/go.mod");
const GO_SUM: &str = include_str!("../../lanes/latest/go.sum");

/// The packages of the programs.
const TOOLS: [&str; 4] = [
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes/cmd/kube-scheduler",
    "go.etcd.io/etcd/server/v3",
];

/// Increase it when the steps of the build change.
const RECIPE: u32 = 2;

/// The first Go version that supports the tool lines of a go.mod.
const OLDEST_GO: &str = "1.24";

/// The environment variable that names another version, such as `v1.37.2`.
const CHOICE: &str = "KUBERNETES_LATEST";

/// A file in an unfinished artifact: the refusal of the module proxy at the last attempt.
const REFUSED: &str = "refused";

/// The lane's version, without the `v`.
pub(super) fn version() -> Result<String> {
    let committed = committed()?;
    let Some(choice) = std::env::var_os(CHOICE).filter(|choice| !choice.is_empty()) else {
        return Ok(committed.to_owned());
    };
    let choice = choice.to_string_lossy();
    let version = choice.trim_start_matches('v');
    let (release, candidate) = version.split_once('-').unwrap_or((version, "none"));
    let numbers: Vec<&str> = release.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let is_word = !candidate.is_empty() && candidate.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    if numbers.len() != 3 || numbers[0] != "1" || !numbers.iter().all(is_number) || !is_word {
        bail!("{CHOICE}={choice} is no version of Kubernetes: it has the form v{committed}");
    }
    Ok(version.to_owned())
}

/// The version in the committed go.mod, without the `v`.
fn committed() -> Result<&'static str> {
    let mut lines = GO_MOD.lines().map(str::trim_start);
    let version = lines.find_map(|line| line.strip_prefix("k8s.io/kubernetes v")?.split(' ').next());
    version.context("lanes/latest/go.mod requires no k8s.io/kubernetes")
}

fn key(version: &str) -> String {
    format!("kubernetes-{version}-from-modules-{RECIPE}")
}

/// The newest Go, if it meets the known requirement of Kubernetes `version`.
fn toolchain(version: &str) -> Result<Toolchain> {
    let written = std::fs::read_to_string(cache::partial(&key(version)).join("module/go.mod"));
    let module = match written {
        _ if version == committed()? => GO_MOD.to_owned(),
        Ok(text) => text,
        Err(_) => String::new(),
    };
    let line = module.lines().find_map(|line| line.strip_prefix("go "));
    Ok(Toolchain::at_least(
        line.unwrap_or(OLDEST_GO),
        &format!("Kubernetes {version}"),
    )?)
}

/// The lane's programs, if all are in the cache; otherwise the reason why not.
pub(super) fn find() -> Result<Binaries> {
    let version = version()?;
    if let (Some(dir), Some(kubectl)) = (cache::find(&key(&version)), from_debian::kubectl()) {
        return Ok(binaries(&dir, kubectl));
    }
    toolchain(&version)?;
    if let Ok(refused) = std::fs::read_to_string(cache::partial(&key(&version)).join(REFUSED)) {
        return Err(Unavailable(refused).into());
    }
    Err(not_built(&version, "nfsprov-lab build latest").into())
}

fn binaries(dir: &Path, kubectl: PathBuf) -> Binaries {
    Binaries {
        kubernetes: dir.join("bin"),
        etcd: dir.join("bin/etcd"),
        kubectl,
    }
}

/// Builds the lane's missing programs.
pub(super) fn build() -> Result<Binaries> {
    let version = version()?;
    let go = toolchain(&version)?;
    let kubectl = from_debian::build_kubectl()?;
    let built = cache::ensure(&key(&version), |dir| {
        let refused = dir.join(REFUSED);
        let _ = std::fs::remove_file(&refused);
        let built = build_programs(dir, &version, &go);
        if let Some(why) = built
            .as_ref()
            .err()
            .and_then(|error| error.downcast_ref::<Unavailable>())
        {
            std::fs::write(&refused, &why.0).with_context(|| format!("cannot write {}", refused.display()))?;
        }
        built
    });
    // A refusal of the module proxy is reported in one sentence, without the artifact's directory.
    let dir = built.map_err(|error| error.downcast::<Unavailable>().map_or_else(|error| error, Into::into))?;
    Ok(binaries(&dir, kubectl))
}

/// Builds the programs in `dir`, and leaves only them and the go.mod and go.sum that identify their contents. Continues
/// an interrupted call: Go's downloads and its build cache are in `dir`.
fn build_programs(dir: &Path, version: &str, go: &Toolchain) -> Result<()> {
    let (module, output) = (dir.join("module"), dir.join("bin"));
    if !output.is_dir() {
        cache::remove_dir(&dir.join("tmp"))?;
        let log = cache::log(&format!("kubernetes-{version}"))?;
        write_module(&module, version, go, dir, &log)?;
        compile(&module, version, go, dir, &log)?;
        let built = dir.join("built");
        // Go names a program after the directory of its package.
        std::fs::rename(built.join("server"), built.join("etcd")).context("cannot rename etcd's program")?;
        std::fs::rename(&built, &output).with_context(|| format!("cannot rename {}", built.display()))?;
    }
    step::task("removing what only the build needed", || {
        for rest in ["gocache", "gomodcache", "gopath", "tmp"] {
            cache::remove_dir(&dir.join(rest))?;
        }
        Ok(())
    })
}

/// Writes the go.mod and go.sum into `module`: the committed ones, or generated ones for another version.
fn write_module(module: &Path, version: &str, go: &Toolchain, dir: &Path, log: &Path) -> Result<()> {
    let tagged = format!("v{version}");
    if version != committed()? {
        return module_file::write(&tagged, &TOOLS, go, module, dir, log);
    }
    cache::create_dir(module)?;
    for (name, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
        let path = module.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Downloads the module's dependencies and compiles its tools into `dir`/built.
fn compile(module: &Path, version: &str, go: &Toolchain, dir: &Path, log: &Path) -> Result<()> {
    // `go list` downloads the dependencies of the tools, and no others. As a separate step, its failure is not confused
    // with one of the compiler.
    let list = [&["list", "-deps", "-f", "{{\"\"}}"][..], &TOOLS].concat();
    let title = format!("downloading the modules of Kubernetes {version}");
    let mut download = go.command(module, dir, "-mod=readonly", &list)?;
    let downloaded = step::run(&title, log, &mut download);
    downloaded.map_err(|error| go::explain_download_failure(error, &format!("Kubernetes {version}")))?;

    let built = dir.join("built");
    cache::remove_dir(&built)?;
    let output = format!("-o={}/", built.display());
    let flags = format!("-ldflags={}", link_flags(version));
    let build = [&["build", "-v", "-trimpath", &flags, &output][..], &TOOLS].concat();
    let title = format!("building Kubernetes {version} and etcd (ten to fifteen minutes on two cores)");
    step::run(&title, log, &mut go.command(module, dir, "-mod=readonly", &build)?)
}

/// The linker's options: the version, which Kubernetes' own build reads from git, and no debug information.
fn link_flags(version: &str) -> String {
    let minor = version.split('.').nth(1).unwrap_or_default();
    let mut flags = "-s -w".to_owned();
    // The version that programs report, and the version in the user agent of their clients.
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        let values = [
            format!("gitVersion=v{version}"),
            "gitMajor=1".to_owned(),
            format!("gitMinor={minor}"),
            "gitTreeState=clean".to_owned(),
            // Otherwise they report the placeholder that git archive should have replaced.
            "gitCommit=".to_owned(),
        ];
        for value in values {
            flags.push_str(&format!(" -X {package}.{value}"));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::{GO_MOD, TOOLS, committed};

    #[test]
    fn our_go_mod_names_one_version_and_the_tools() {
        let version = committed().unwrap();
        let staged = format!("k8s.io/api => k8s.io/api v0.{}", version.trim_start_matches("1."));
        assert!(GO_MOD.contains(&staged), "no line {staged}");
        for package in TOOLS {
            assert!(GO_MOD.contains(&format!("\t{package}\n")), "no tool {package}");
        }
    }
}
