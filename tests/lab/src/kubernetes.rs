//! The programs of a control plane: which versions there are, and building them from source into the cache.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::process::contained;
use crate::{cache, packages, step};

/// A version of Kubernetes that the lab can run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lane {
    /// 1.20.2, the release that stopped filling in `metadata.selfLink`; built from Debian's source package.
    #[default]
    V1_20,
    /// The newest Kubernetes that this machine's Go toolchain builds. There is no recipe for it yet: it is never
    /// found, and building it is an error.
    Latest,
}

/// Where the programs of a control plane are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The directory of kube-apiserver and kube-controller-manager.
    pub kubernetes: PathBuf,
    /// etcd.
    pub etcd: PathBuf,
    /// The directory that holds kubectl and nothing else, for PATH.
    pub kubectl: PathBuf,
}

/// Everything that building and running needs from Debian as an installed package.
const TOOLS: [&str; 9] = [
    "golang-go",
    "jq",
    "rsync",
    "make",
    "mmdebstrap",
    "iproute2",
    "e2fsprogs",
    "openssh-client",
    "dpkg-dev",
];

/// Debian's own Go, which the source package builds with; a newer one elsewhere in PATH does not build 1.20.
const DEBIAN_GO: &str = "/usr/lib/go-1.19/bin";

const V1_20_VERSION: &str = "1.20.2";
const V1_20_KEY: &str = "kubernetes-1.20.2-control-plane";
const PROGRAMS: [&str; 2] = ["kube-apiserver", "kube-controller-manager"];

impl Lane {
    /// All lanes.
    pub const ALL: [Lane; 2] = [Lane::V1_20, Lane::Latest];

    /// What the lane is called on command lines: `1.20` or `latest`.
    pub fn name(self) -> &'static str {
        match self {
            Lane::V1_20 => "1.20",
            Lane::Latest => "latest",
        }
    }

    /// The version its API server reports, without the `v`; none while the lane has no recipe.
    pub fn version(self) -> Option<&'static str> {
        match self {
            Lane::V1_20 => Some(V1_20_VERSION),
            Lane::Latest => None,
        }
    }

    /// Its programs, if they are all in the cache; builds nothing.
    pub fn find(self) -> Option<Binaries> {
        match self {
            Lane::V1_20 => Some(Binaries {
                kubernetes: cache::find(V1_20_KEY)?.join("bin"),
                etcd: cache::find(&debian_key("etcd-server")?)?.join("usr/bin/etcd"),
                kubectl: cache::find(&debian_key("kubernetes-client")?)?.join("usr/bin"),
            }),
            Lane::Latest => None,
        }
    }

    /// Its programs, built and downloaded into the cache as far as they are missing. Takes minutes the first time.
    ///
    /// # Errors
    /// When a tool cannot be installed, a download or the build fails, or the lane has no recipe.
    pub fn build(self) -> Result<Binaries> {
        match self {
            Lane::V1_20 => {
                if let Some(binaries) = self.find() {
                    return Ok(binaries);
                }
                packages::install(&TOOLS)?;
                Ok(Binaries {
                    etcd: unpacked("etcd-server")?.join("usr/bin/etcd"),
                    kubectl: unpacked("kubernetes-client")?.join("usr/bin"),
                    kubernetes: cache::ensure(V1_20_KEY, build_1_20)?.join("bin"),
                })
            }
            Lane::Latest => bail!("the lab has no recipe for the lane {self} yet; use {}", Lane::V1_20),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Lane {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Lane::ALL.into_iter().find(|lane| lane.name() == text);
        found.with_context(|| format!("there is no lane {text}: it is 1.20 or latest"))
    }
}

/// The cache key of a package of this Debian release that is unpacked, not installed.
fn debian_key(package: &str) -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let release = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(format!("{package}-{}", release.trim_matches('"')))
}

/// The files of a Debian package, without installing it: etcd's package would start a service on this machine.
fn unpacked(package: &str) -> Result<PathBuf> {
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

/// Builds Kubernetes 1.20.2 in `dir` and leaves only `bin/`. An interrupted call is taken up where it was: the
/// download, the unpacked tree and Go's build cache are all in `dir`.
fn build_1_20(dir: &Path) -> Result<()> {
    let (source, tree, output) = (dir.join("source"), dir.join("tree"), dir.join("bin"));
    let log = cache::log("kubernetes-1.20")?;
    if !output.is_dir() {
        let dsc = packages::source("kubernetes", &source)?;
        check_version(&dsc)?;
        unpack(&dsc, &tree, &log)?;
        let scratch = dir.join("tmp");
        cache::create_dir(&scratch)?;
        let title = "building Kubernetes 1.20.2 (five minutes on two cores)";
        step::run(title, &log, &mut make(&tree, dir, &scratch)?)?;
        keep(&tree.join("_output/local/bin/linux").join(architecture()?), &output)?;
    }
    for rest in ["source", "tree", "gocache", "tmp"] {
        let path = dir.join(rest);
        if path.exists() {
            std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
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
    if !version.contains(V1_20_VERSION) {
        bail!(
            "this machine's apt sources have Kubernetes {version}, and the lane 1.20 needs the {V1_20_VERSION} of \
             Debian 12 (bookworm)"
        );
    }
    Ok(())
}

/// Unpacks the source package to `tree`, all or nothing. Debian's patches change only its packaging's details.
fn unpack(dsc: &Path, tree: &Path, log: &Path) -> Result<()> {
    if tree.is_dir() {
        return Ok(());
    }
    let unfinished = tree.with_extension("unpacking");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    let mut command = contained("dpkg-source");
    command
        .args(["--skip-patches", "--no-check", "--no-copy", "-x"])
        .arg(dsc)
        .arg(&unfinished);
    step::run("unpacking the sources of Kubernetes 1.20.2", log, &mut command)?;
    std::fs::rename(&unfinished, tree).with_context(|| format!("cannot rename {}", unfinished.display()))
}

/// The command that builds the programs, with an environment that holds nothing of the caller's Go settings.
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
    command.arg(format!(
        "WHAT={}",
        PROGRAMS.map(|program| format!("cmd/{program}")).join(" ")
    ));
    // Without it the programs report a version made from Debian's tree, which is no git checkout.
    command.arg(format!("KUBE_GIT_VERSION=v{V1_20_VERSION}"));
    command.arg(format!("KUBE_BUILD_PLATFORMS=linux/{}", architecture()?));
    Ok(command)
}

/// Copies the built programs to `output`, all or nothing.
fn keep(built: &Path, output: &Path) -> Result<()> {
    let unfinished = output.with_extension("copying");
    cache::create_dir(&unfinished)?;
    for program in PROGRAMS {
        let (from, to) = (built.join(program), unfinished.join(program));
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    std::fs::rename(&unfinished, output).with_context(|| format!("cannot rename {}", unfinished.display()))
}

/// This machine's architecture as Go calls it.
fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("the lab has no recipe for the architecture {other}"),
    }
}
