//! The lane 1.20: Debian's source package of Kubernetes 1.20.2, built with Debian's Go, and further Debian packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Binaries, architecture};
use crate::process::contained;
use crate::{cache, packages, step};

/// The packages that must be installed for the build.
const TOOLS: [&str; 5] = ["golang-go", "jq", "rsync", "make", "dpkg-dev"];

/// Debian's own Go, for which the source package is made; newer Go versions on PATH cannot build 1.20.
const DEBIAN_GO: &str = "/usr/lib/go-1.19/bin";

/// The version that the programs report, without the `v`.
pub(super) const VERSION: &str = "1.20.2";
/// Increase the last number when the steps of the build change.
pub(crate) const KEY: &str = "kubernetes-1.20.2-programs-1";
const PROGRAMS: [&str; 5] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
];

/// Excludes cloud providers and the kubelet's Docker support, a third of the build, which the lab does not use.
const GO_FLAGS: &str = "-tags=providerless,dockerless";

/// The lane's programs, if all are in the cache.
pub(super) fn find() -> Option<Binaries> {
    Some(Binaries {
        kubernetes: cache::find(KEY)?.join("bin"),
        etcd: cache::find(&debian_key("etcd-server")?)?.join("usr/bin/etcd"),
        kubectl: kubectl()?,
    })
}

/// Builds and downloads the lane's missing programs.
pub(super) fn build() -> Result<Binaries> {
    packages::install(&TOOLS)?;
    Ok(Binaries {
        etcd: unpacked("etcd-server")?.join("usr/bin/etcd"),
        kubectl: build_kubectl()?,
        kubernetes: cache::ensure(KEY, build_programs)?.join("bin"),
    })
}

/// The directory of Debian's kubectl, if it is in the cache.
pub(super) fn kubectl() -> Option<PathBuf> {
    Some(cache::find(&debian_key("kubernetes-client")?)?.join("usr/bin"))
}

/// The directory of Debian's kubectl, downloaded if it is not in the cache.
pub(super) fn build_kubectl() -> Result<PathBuf> {
    Ok(unpacked("kubernetes-client")?.join("usr/bin"))
}

/// The cache key of a package of this Debian release that the lab unpacks and does not install.
fn debian_key(package: &str) -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let release = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(format!("{package}-{}", release.trim_matches('"')))
}

/// The unpacked files of a Debian package: an installed etcd package would start a service on this machine.
pub(super) fn unpacked(package: &str) -> Result<PathBuf> {
    let key = debian_key(package).context("/etc/os-release names no VERSION_CODENAME (the lab works on Debian)")?;
    cache::ensure(&key, |dir| {
        let debs = packages::download(&[package], dir, &cache::log("packages")?)?;
        for deb in &debs {
            packages::extract(deb, dir)?;
            std::fs::remove_file(deb).with_context(|| format!("cannot remove {}", deb.display()))?;
        }
        Ok(())
    })
}

/// Builds the programs in `dir` and leaves only `bin/`. Continues an interrupted call: the download, the unpacked tree
/// and Go's build cache are in `dir`.
fn build_programs(dir: &Path) -> Result<()> {
    let (source, tree, output) = (dir.join("source"), dir.join("tree"), dir.join("bin"));
    let log = cache::log("kubernetes-1.20")?;
    if !output.is_dir() {
        let dsc = packages::source("kubernetes", &source)?;
        check_version(&dsc)?;
        unpack(&dsc, &tree, &log)?;
        let scratch = dir.join("tmp");
        cache::create_dir(&scratch)?;
        let title = "building Kubernetes 1.20.2 (five minutes or more on two cores)";
        step::run(title, &log, &mut make(&tree, dir, &scratch)?)?;
        copy(&tree.join("_output/local/bin/linux").join(architecture()?), &output)?;
    }
    for rest in ["source", "tree", "gocache", "tmp"] {
        cache::remove_dir(&dir.join(rest))?;
    }
    Ok(())
}

fn check_version(dsc: &Path) -> Result<()> {
    let text = std::fs::read_to_string(dsc).with_context(|| format!("cannot read {}", dsc.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("Version:"))
        .unwrap_or_default()
        .trim();
    if !version.contains(VERSION) {
        bail!(
            "this machine's apt sources have Kubernetes {version}, and the lane 1.20 needs the {VERSION} of \
             Debian 12 (bookworm)"
        );
    }
    Ok(())
}

/// Unpacks the source package to `tree`, completely or not at all. Debian's patches change only details of its
/// packaging.
fn unpack(dsc: &Path, tree: &Path, log: &Path) -> Result<()> {
    if tree.is_dir() {
        return Ok(());
    }
    let unfinished = tree.with_extension("unpacking");
    cache::remove_dir(&unfinished)?;
    let mut command = contained("dpkg-source");
    command
        .args(["--skip-patches", "--no-check", "--no-copy", "-x"])
        .arg(dsc)
        .arg(&unfinished);
    step::run("unpacking the sources of Kubernetes 1.20.2", log, &mut command)?;
    std::fs::rename(&unfinished, tree).with_context(|| format!("cannot rename {}", unfinished.display()))
}

/// The command that builds the programs; its environment has none of the caller's Go settings.
fn make(tree: &Path, dir: &Path, scratch: &Path) -> Result<Command> {
    let mut path = std::ffi::OsString::from(DEBIAN_GO);
    path.push(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let mut command = contained("nice");
    command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8");
    command
        .env("HOME", dir)
        .env("TMPDIR", scratch)
        .env("GOCACHE", dir.join("gocache"))
        .env("GOENV", "off");
    command.arg("make").arg("-C").arg(tree);
    let what: Vec<_> = PROGRAMS.iter().map(|program| format!("cmd/{program}")).collect();
    command.arg(format!("WHAT={}", what.join(" ")));
    // Without it the programs report a version derived from Debian's tree, which is not a git checkout.
    command.arg(format!("KUBE_GIT_VERSION=v{VERSION}"));
    command.arg(format!("KUBE_BUILD_PLATFORMS=linux/{}", architecture()?));
    command.arg(format!("GOFLAGS={GO_FLAGS}"));
    // Otherwise only the kubelet is built with cgo, and Go compiles all packages a second time for it.
    command.arg("KUBE_STATIC_OVERRIDES=kubelet");
    Ok(command)
}

/// Copies the programs to `output`, all or none.
fn copy(built: &Path, output: &Path) -> Result<()> {
    let unfinished = output.with_extension("copying");
    cache::create_dir(&unfinished)?;
    for program in PROGRAMS {
        let (from, to) = (built.join(program), unfinished.join(program));
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    std::fs::rename(&unfinished, output).with_context(|| format!("cannot rename {}", unfinished.display()))
}
